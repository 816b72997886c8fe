//! A client of reqwest-middleware over three deployments of which one refuses and one is not there. Only one middleware
//! of it knows.
//!
//! ```text
//! cargo run -p lb-examples --example reqwest_middleware
//! cargo run -p lb-examples --example reqwest_middleware -- my.toml
//! ```
//!
//! The second one asks real deployments; `examples/quickstart/quickstart.toml` is a sample of the file.

use async_trait::async_trait;
use http::Extensions;
use lb_examples::{SdkStage, ensure};
use lb_quickstart::{BoxError, Prompt};
use lb_reqwest::{BalanceMiddleware, Served};
use reqwest::{Request, Response, redirect::Policy};
use reqwest_middleware::{ClientBuilder, Middleware, Next};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let stage = SdkStage::from_args()?;

    // Redirects are off: one would take a backend's key to another host.
    let client = stage.client().redirect(Policy::none()).build()?;
    let client = ClientBuilder::new(client)
        .with(BalanceMiddleware::new(stage.pool.clone())) // What is new: the pool, and this line.
        .with(Attempts)
        .build();

    let path = format!("/openai/deployments/any/chat/completions?api-version={}", stage.api_version);
    let prompt = Prompt::chat(path, &stage.question, stage.max_tokens);
    for _ in 0..2 {
        // Host, deployment and key are each backend's own.
        let request = client.post(prompt.url()).header("content-type", "application/json");

        let response = request.body(prompt.body.to_string()).send().await?;
        let served = response.extensions().get::<Served>().ok_or("no backend served the request")?.clone();
        println!("{} by {served}: {}", response.status(), response.text().await?);
        if stage.healthy.is_some() {
            ensure(served.backend() == "standard", "the request did not fail over to standard")?;
        }
    }
    Ok(())
}

/// A middleware inside the balancer: it runs once per attempt, and sees where that goes.
struct Attempts;

#[async_trait]
impl Middleware for Attempts {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let host = request.url().host_str().unwrap_or_default().to_owned();
        let result = next.run(request, extensions).await;
        match &result {
            Ok(response) => println!("  an attempt at {host}: {}", response.status()),
            Err(error) if error.is_connect() => println!("  an attempt at {host}: no connection"),
            Err(_) => println!("  an attempt at {host}: no answer"),
        }
        result
    }
}
