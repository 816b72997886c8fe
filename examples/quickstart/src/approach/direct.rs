//! To one deployment, without a balancer.

use std::time::{Duration, SystemTime};

use lb_core::{Backend, Pool, Step, Target, ThreadRng};
use reqwest::{Client, Request, Response, redirect::Policy};

use crate::{Answer, BoxError, Usage, Workload};

pub(crate) async fn send_all(work: &Workload, to: &Backend) -> Result<Vec<Answer>, BoxError> {
    let mut builder = Client::builder()
        .redirect(Policy::none())
        .connect_timeout(Workload::CONNECT_TIMEOUT)
        .timeout(Workload::TIMEOUT);
    if work.is_local {
        builder = builder.no_proxy();
    }
    let client = builder.build()?;
    // A pool of one has nothing to balance: it only knows where the deployment is, and its key.
    let pool = Pool::new([to.clone()])?;
    let mut dispatch = pool.dispatch();
    let Step::Try(attempt) = dispatch.next(|| pool.now(), &ThreadRng) else { return Err("it is not available".into()) };
    let mut target = pool.target(&attempt);
    target.obtain_credential().await?;
    let request = request(work, &target)?;
    Ok(work
        .send_from_a_task(async || {
            let Some(request) = request.try_clone() else { return Answer::Failed("it cannot be repeated".to_owned()) };
            let start = SystemTime::now();
            match client.execute(request).await {
                Ok(response) if response.status().is_success() => match response.bytes().await {
                    Ok(body) => {
                        let answer = Answer::Served { backend: to.name().to_owned(), request: None };
                        work.log(start, &answer, Usage::in_body(&body));
                        answer
                    }
                    Err(error) => Answer::failed(&error),
                },
                Ok(response) => {
                    let status = response.status().as_u16();
                    if let Some(log) = &work.log {
                        log.refused(start, to.name(), status, retry_after_ms(&response));
                    }
                    Answer::Failed(format!("status {status} from {}", to.name()))
                }
                Err(error) => Answer::failed(&error),
            }
        })
        .await)
}

fn request(work: &Workload, target: &Target<'_>) -> Result<Request, BoxError> {
    let request = http::Request::post(work.prompt.url()).header("content-type", "application/json");
    let mut request = request.body(work.prompt.body.to_string())?;
    target.address(&mut request)?;
    Ok(request.try_into()?)
}

fn retry_after_ms(response: &Response) -> Option<Duration> {
    let hint = response.headers().get("retry-after-ms")?.to_str().ok()?;
    hint.parse().ok().map(Duration::from_millis)
}
