//! Balanced, over reqwest: async, blocking, and streaming.

use std::{sync::Arc, time::SystemTime};

use lb_reqwest::{BlockingLoadBalancer, BlockingReqwestTransport, LoadBalancer, Pool, ReqwestTransport};
use reqwest::{Client, Request, Response, blocking};

use crate::{Answer, BoxError, Events, Usage, Workload};

pub(crate) async fn send_all(work: &Workload, pool: Arc<Pool>) -> Result<Vec<Answer>, BoxError> {
    let balancer = balancer(work, pool)?;
    let send_one = async || -> Result<Answer, BoxError> {
        let start = SystemTime::now();
        let response = balancer.send(request(&balancer, work)?).await?;
        let answer = answer(&response);
        work.log(start, &answer, Usage::in_body(response.bytes().await?));
        Ok(answer)
    };
    Ok(work.send_from_a_task(async || send_one().await.unwrap_or_else(|error| Answer::failed(&*error))).await)
}

pub(crate) async fn send_all_streaming(work: &Workload, pool: Arc<Pool>) -> Result<Vec<Answer>, BoxError> {
    let balancer = balancer(work, pool)?;
    let send_one = async || -> Result<Answer, BoxError> {
        let start = SystemTime::now();
        let mut response = balancer.send(request(&balancer, work)?).await?;
        let answer = answer(&response);
        let mut events = Events::default();
        let mut usage = None;
        while let Some(chunk) = response.chunk().await? {
            // An application shows them here, one by one, as they arrive.
            usage = events.push(&chunk).iter().find_map(Usage::in_body).or(usage);
        }
        let answer = answer.if_complete(events.is_complete());
        work.log(start, &answer, usage);
        Ok(answer)
    };
    Ok(work.send_from_a_task(async || send_one().await.unwrap_or_else(|error| Answer::failed(&*error))).await)
}

pub(crate) fn send_all_blocking(work: &Workload, pool: Arc<Pool>) -> Result<Vec<Answer>, BoxError> {
    let mut builder = blocking::Client::builder().connect_timeout(Workload::CONNECT_TIMEOUT).timeout(Workload::TIMEOUT);
    if work.is_local {
        builder = builder.no_proxy();
    }
    let balancer = BlockingLoadBalancer::new(pool, BlockingReqwestTransport::from_builder(builder)?);
    let send_one = || -> Result<Answer, BoxError> {
        let request = balancer.transport().client().post(work.prompt.url());
        let request = request.header("content-type", "application/json").body(work.prompt.body.to_string());
        let start = SystemTime::now();
        let response = balancer.send(request.build()?)?;
        let extensions = response.extensions();
        let answer = Answer::balanced(response.status().as_u16(), extensions.get(), extensions.get());
        work.log(start, &answer, Usage::in_body(response.bytes()?));
        Ok(answer)
    };
    Ok(work.send_from_threads(|| send_one().unwrap_or_else(|error| Answer::failed(&*error))))
}

fn balancer(work: &Workload, pool: Arc<Pool>) -> Result<LoadBalancer<ReqwestTransport>, BoxError> {
    let mut builder = Client::builder().connect_timeout(Workload::CONNECT_TIMEOUT).timeout(Workload::TIMEOUT);
    if work.is_local {
        builder = builder.no_proxy();
    }
    Ok(LoadBalancer::new(pool, ReqwestTransport::from_builder(builder)?))
}

fn request(balancer: &LoadBalancer<ReqwestTransport>, work: &Workload) -> reqwest::Result<Request> {
    let request = balancer.transport().client().post(work.prompt.url());
    request.header("content-type", "application/json").body(work.prompt.body.to_string()).build()
}

fn answer(response: &Response) -> Answer {
    let extensions = response.extensions();
    Answer::balanced(response.status().as_u16(), extensions.get(), extensions.get())
}
