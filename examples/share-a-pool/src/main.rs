//! One pool under an async and a blocking client: the 429 that one sees, the other respects.
//!
//! ```text
//! cargo run -p lb-example-share-a-pool
//! ```

use std::{error::Error, sync::Arc, time::Duration};

use lb_emulator::{Emulator, Reply};
use lb_reqwest::{Backend, BlockingLoadBalancer, BlockingReqwestTransport, LoadBalancer, Pool, ReqwestTransport};
use reqwest::{Client, blocking};

fn main() -> Result<(), Box<dyn Error>> {
    // Two deployments on this machine. The first refuses everything.
    let ptu = Emulator::builder().name("ptu").key("key of ptu").start()?;
    let standard = Emulator::builder().name("standard").key("key of standard").start()?;
    ptu.always(Reply::throttled(Duration::from_secs(6)));

    // No proxy: the emulators are on this machine.
    let http = Client::builder().connect_timeout(Duration::from_secs(10)).no_proxy();
    let blocking_http = blocking::Client::builder().connect_timeout(Duration::from_secs(10)).no_proxy();
    let first = Backend::builder(ptu.url()).api_key("key of ptu").build()?;
    let second = Backend::builder(standard.url()).priority(2).api_key("key of standard").build()?;
    let pool = Arc::new(Pool::new([first, second])?);
    let balancer = LoadBalancer::new(Arc::clone(&pool), ReqwestTransport::from_builder(http)?);
    let blocking_balancer = BlockingLoadBalancer::new(pool, BlockingReqwestTransport::from_builder(blocking_http)?);
    let client = balancer.transport().client();
    let blocking_client = blocking_balancer.transport().client();

    let url = format!("{}/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21", ptu.url());
    let body = r#"{"messages":[{"role":"user","content":"Hello"}]}"#;
    let request =
        client.post(&url).header("api-key", "key of ptu").header("content-type", "application/json").body(body);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let response = runtime.block_on(balancer.send(request.build()?))?;
    println!("async: {}", response.status());

    let request = blocking_client.post(&url).header("api-key", "key of ptu").header("content-type", "application/json");
    let response = blocking_balancer.send(request.body(body).build()?)?.error_for_status()?;
    println!("blocking: {}", response.status());
    println!("asked: ptu {}, standard {}", ptu.request_count(), standard.request_count());
    if ptu.request_count() == 1 { Ok(()) } else { Err("ptu was asked again while it was cooling".into()) }
}
