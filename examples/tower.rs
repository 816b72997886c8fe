//! A tower stack over three deployments of which one refuses and one is not there. Only one layer of it knows.
//!
//! ```text
//! cargo run -p lb-examples --example tower
//! cargo run -p lb-examples --example tower -- my.toml
//! ```
//!
//! The second one asks real deployments; `examples/quickstart/quickstart.toml` is a sample of the file.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use lb_examples::{SdkStage, ensure};
use lb_quickstart::{BoxError, Prompt};
use lb_tower::{BalanceLayer, Served};
use tower::{ServiceBuilder, ServiceExt, timeout::TimeoutLayer};
use tower_http::decompression::DecompressionLayer;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let stage = SdkStage::from_args()?;

    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    // What is written goes out at once: HTTP/2 would wait between a request's head and its body.
    tcp.set_nodelay(true);
    // Who does not answer the call has no connection: the request goes to the next one.
    tcp.set_connect_timeout(Some(Duration::from_secs(5)));
    let tls = HttpsConnectorBuilder::new().try_with_platform_verifier()?;
    let client = Client::builder(TokioExecutor::new()).build(tls.https_or_http().enable_http1().wrap_connector(tcp));

    let service = ServiceBuilder::new()
        .layer(DecompressionLayer::new())
        .layer(BalanceLayer::new(stage.pool.clone())) // What is new: the pool, and this line.
        .layer(TimeoutLayer::new(Duration::from_secs(60))) // Of each attempt, up to its response's head.
        .service(client);

    let path = format!("/openai/deployments/any/chat/completions?api-version={}", stage.api_version);
    let prompt = Prompt::chat(path, &stage.question, stage.max_tokens);
    for _ in 0..2 {
        let body = Full::new(Bytes::from(prompt.body.to_string()));
        // Host, deployment and key are each backend's own.
        let request = Request::post(prompt.url()).header("content-type", "application/json").body(body)?;

        let response = service.clone().oneshot(request).await?;
        let served = response.extensions().get::<Served>().ok_or("no backend served the request")?.clone();
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        println!("{status} by {served}: {}", String::from_utf8_lossy(&body));
        for failed in served.trail() {
            println!("    not by {failed}");
        }
        if stage.healthy.is_some() {
            ensure(served.backend() == "standard", "the request did not fail over to standard")?;
        }
    }
    Ok(())
}
