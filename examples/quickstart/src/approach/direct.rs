//! To one deployment, without a balancer.

use std::time::{Duration, SystemTime};

use reqwest::{Client, Response, redirect::Policy};

use crate::{Answer, BoxError, Deployment, Usage, Workload};

pub(crate) async fn send_all(work: &Workload, to: &Deployment) -> Result<Vec<Answer>, BoxError> {
    let backend = to.backend()?;
    let mut builder = Client::builder()
        .redirect(Policy::none())
        .connect_timeout(Workload::CONNECT_TIMEOUT)
        .timeout(Workload::TIMEOUT);
    if work.is_local {
        builder = builder.no_proxy();
    }
    let client = builder.build()?;
    let url = format!("{}{}{}", backend.origin(), backend.path_prefix(), work.prompt.path);
    Ok(work
        .send_from_a_task(async || {
            let mut request = client.post(&url).header("content-type", "application/json");
            if let Some(key) = &to.key {
                request = request.header("api-key", key.reveal());
            }
            let start = SystemTime::now();
            match request.body(work.prompt.body.to_string()).send().await {
                Ok(response) if response.status().is_success() => match response.bytes().await {
                    Ok(body) => {
                        let answer = Answer::Served(to.name.clone());
                        work.log(start, &answer, Usage::in_body(&body));
                        answer
                    }
                    Err(error) => Answer::failed(&error),
                },
                Ok(response) => {
                    let status = response.status().as_u16();
                    if let Some(log) = &work.log {
                        log.refused(&to.name, status, retry_after_ms(&response));
                    }
                    Answer::Failed(format!("status {status} from {}", to.name))
                }
                Err(error) => Answer::failed(&error),
            }
        })
        .await)
}

fn retry_after_ms(response: &Response) -> Option<Duration> {
    let hint = response.headers().get("retry-after-ms")?.to_str().ok()?;
    hint.parse().ok().map(Duration::from_millis)
}
