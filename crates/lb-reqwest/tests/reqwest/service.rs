//! A balancer over reqwest as a tower service.

use std::{sync::Arc, time::Duration};

use lb_emulator::Reply;
use lb_reqwest::{LoadBalancer, ReqwestService, ReqwestTransport, Served};
use tower::{ServiceBuilder, ServiceExt, util::BoxCloneSyncService};

use crate::{URL, client, counters, nobody_cools, one_shot, pool, refusing_and_serving};

fn service(pool: &Arc<lb_reqwest::Pool>) -> ReqwestService {
    let transport = ReqwestTransport::with_client_that_follows_no_redirects(client());
    ReqwestService::new(LoadBalancer::new(Arc::clone(pool), transport))
}

#[tokio::test]
async fn it_goes_under_towers_layers_and_into_a_box_and_its_clones_share_the_pool() {
    let (refusing, serving) = refusing_and_serving();
    let pool = pool([&refusing, &serving]);
    let layered = ServiceBuilder::new().concurrency_limit(1).service(service(&pool));
    let boxed = BoxCloneSyncService::new(layered);
    for attempts in [2, 1] {
        let response = boxed.clone().oneshot(client().post(URL).body("{}").build().unwrap()).await.unwrap();
        let served = response.extensions().get::<Served>().unwrap();
        assert_eq!((served.backend(), served.attempts()), ("second", attempts));
        assert_eq!(response.url().port(), Some(serving.addr().port()), "a response of reqwest has its URL");
    }
    assert_eq!(refusing.request_count(), 1);
}

#[tokio::test]
async fn a_body_that_streams_is_routed_once() {
    let (refusing, serving) = refusing_and_serving();
    let pool = pool([&refusing, &serving]);
    let response = service(&pool).oneshot(client().post(URL).body(one_shot()).build().unwrap()).await.unwrap();
    assert_eq!((response.status().as_u16(), response.text().await.unwrap().as_str()), (429, "too busy"));
    assert_eq!(serving.request_count(), 0);
}

#[tokio::test]
async fn the_future_of_a_call_outlives_the_service_and_a_dropped_one_blames_nobody() {
    let (silent, serving) = refusing_and_serving();
    silent.clear_script();
    silent.script(Reply::no_head());
    let pool = pool([&silent, &serving]);
    let calling = service(&pool).oneshot(client().post(URL).body("{}").build().unwrap());
    let calling = tokio::spawn(calling);
    assert!(silent.wait_for_requests_async(1, Duration::from_secs(30)).await);
    calling.abort();
    assert!(calling.await.unwrap_err().is_cancelled());
    assert_eq!((counters(&pool, 0).cancelled, counters(&pool, 0).in_flight), (1, 0));
    assert!(nobody_cools(&pool));
}
