//! tower over hyper-util: the balancer is one layer, and no call changes.
//!
//! ```text
//! cargo run -p lb-example-tower
//! ```

use std::{error::Error, time::Duration};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use lb_emulator::{Emulator, Reply};
use lb_tower::{Backend, BalanceLayer, Pool};
use tower::{ServiceBuilder, ServiceExt, timeout::TimeoutLayer};
use tower_http::decompression::DecompressionLayer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    // Two deployments on this machine. The first refuses what it is asked first.
    let ptu = Emulator::builder().name("ptu").key("key of ptu").start()?;
    let standard = Emulator::builder().name("standard").key("key of standard").start()?;
    ptu.script(Reply::throttled(Duration::from_secs(6)));

    // For `https`, a connector of hyper-rustls or hyper-tls around this one.
    let mut tcp = HttpConnector::new();
    tcp.set_connect_timeout(Some(Duration::from_secs(10)));
    let client = Client::builder(TokioExecutor::new()).build(tcp);
    let first = Backend::builder(ptu.url()).api_key("key of ptu").build()?;
    let second = Backend::builder(standard.url()).priority(2).api_key("key of standard").build()?;
    let service = ServiceBuilder::new()
        .layer(DecompressionLayer::new())
        .layer(BalanceLayer::new(Pool::new([first, second])?))
        .layer(TimeoutLayer::new(Duration::from_secs(60))) // of each attempt, until its head
        .service(client);

    let url = format!("{}/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21", ptu.url());
    let body = Full::new(Bytes::from_static(br#"{"messages":[{"role":"user","content":"Hello"}]}"#));
    let request =
        Request::post(url).header("api-key", "key of ptu").header("content-type", "application/json").body(body)?;

    let response = service.oneshot(request).await?;
    let status = response.status();
    println!("{status}: {}", String::from_utf8_lossy(&response.into_body().collect().await?.to_bytes()));
    println!("asked: ptu {}, standard {}", ptu.request_count(), standard.request_count());
    if status.is_success() { Ok(()) } else { Err(status.to_string().into()) }
}
