//! Balanced, over isahc: async, blocking, and streaming. One transport serves all three.

use std::{io::Read, sync::Arc, time::SystemTime};

use futures_lite::AsyncReadExt;
use isahc::{
    AsyncBody, Body, HttpClient,
    config::Configurable,
    http::{self, Request, Response},
};
use lb_isahc::{BlockingLoadBalancer, IsahcTransport, LoadBalancer, Pool};

use crate::{Answer, BoxError, Events, Usage, Workload};

pub(crate) async fn send_all(work: &Workload, pool: Arc<Pool>) -> Result<Vec<Answer>, BoxError> {
    let balancer = LoadBalancer::new(pool, transport(work)?);
    let send_one = async || -> Result<Answer, BoxError> {
        let start = SystemTime::now();
        let response: Response<AsyncBody> = balancer.send(request(work)?).await?;
        let answer = answer(&response);
        let mut body = Vec::new();
        response.into_body().read_to_end(&mut body).await?;
        work.log(start, &answer, Usage::in_body(body));
        Ok(answer)
    };
    Ok(work.send_from_a_task(async || send_one().await.unwrap_or_else(|error| Answer::failed(&*error))).await)
}

pub(crate) async fn send_all_streaming(work: &Workload, pool: Arc<Pool>) -> Result<Vec<Answer>, BoxError> {
    let balancer = LoadBalancer::new(pool, transport(work)?);
    let send_one = async || -> Result<Answer, BoxError> {
        let start = SystemTime::now();
        let response: Response<AsyncBody> = balancer.send(request(work)?).await?;
        let answer = answer(&response);
        let mut body = response.into_body();
        let mut events = Events::default();
        let mut usage = None;
        let mut chunk = [0; 4096];
        loop {
            let length = body.read(&mut chunk).await?;
            if length == 0 {
                let answer = answer.if_complete(events.is_complete());
                work.log(start, &answer, usage);
                return Ok(answer);
            }
            // An application shows them here, one by one, as they arrive.
            usage = events.push(&chunk[..length]).iter().find_map(Usage::in_body).or(usage);
        }
    };
    Ok(work.send_from_a_task(async || send_one().await.unwrap_or_else(|error| Answer::failed(&*error))).await)
}

pub(crate) fn send_all_blocking(work: &Workload, pool: Arc<Pool>) -> Result<Vec<Answer>, BoxError> {
    let balancer = BlockingLoadBalancer::new(pool, transport(work)?);
    let send_one = || -> Result<Answer, BoxError> {
        let start = SystemTime::now();
        let response: Response<Body> = balancer.send(request(work)?)?;
        let answer = answer(&response);
        let mut body = Vec::new();
        response.into_body().read_to_end(&mut body)?;
        work.log(start, &answer, Usage::in_body(body));
        Ok(answer)
    };
    Ok(work.send_from_threads(|| send_one().unwrap_or_else(|error| Answer::failed(&*error))))
}

fn transport(work: &Workload) -> Result<IsahcTransport, isahc::Error> {
    let is_local = work.is_local;
    IsahcTransport::with_clients(move || {
        let mut builder = HttpClient::builder().connect_timeout(Workload::CONNECT_TIMEOUT).timeout(Workload::TIMEOUT);
        if is_local {
            builder = builder.proxy(None);
        }
        builder.build()
    })
}

/// An async or a blocking request.
fn request<B: From<String>>(work: &Workload) -> http::Result<Request<B>> {
    let request = Request::post(work.prompt.url()).header("content-type", "application/json");
    request.body(work.prompt.body.to_string().into())
}

fn answer<B>(response: &Response<B>) -> Answer {
    let extensions = response.extensions();
    Answer::balanced(response.status().as_u16(), extensions.get(), extensions.get())
}
