//! To one deployment, without a balancer.

use reqwest::{Client, redirect::Policy};

use crate::{Answer, BoxError, Deployment, Workload};

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
            match request.body(work.prompt.body.to_string()).send().await {
                Ok(response) if response.status().is_success() => match response.bytes().await {
                    Ok(_) => Answer::Served(to.name.clone()),
                    Err(error) => Answer::failed(&error),
                },
                Ok(response) => Answer::Failed(format!("status {} from {}", response.status().as_u16(), to.name)),
                Err(error) => Answer::failed(&error),
            }
        })
        .await)
}
