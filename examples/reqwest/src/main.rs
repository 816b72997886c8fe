//! reqwest: two deployments, a 429 from the first, and an answer all the same.
//!
//! ```text
//! cargo run -p lb-example-reqwest
//! ```

use std::{error::Error, time::Duration};

use lb_emulator::{Emulator, Reply};
use lb_reqwest::{Backend, LoadBalancer, Pool, ReqwestTransport};
use reqwest::Client;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Two deployments on this machine. The first refuses what it is asked first.
    let ptu = Emulator::builder().name("ptu").key("key of ptu").start()?;
    let standard = Emulator::builder().name("standard").key("key of standard").start()?;
    ptu.script(Reply::throttled(Duration::from_secs(6)));

    // No proxy: the emulators are on this machine.
    let http = Client::builder().connect_timeout(Duration::from_secs(10)).no_proxy();
    let first = Backend::builder(ptu.url()).api_key("key of ptu").build()?;
    let second = Backend::builder(standard.url()).priority(2).api_key("key of standard").build()?;
    let balancer = LoadBalancer::new(Pool::new([first, second])?, ReqwestTransport::from_builder(http)?);
    let client = balancer.transport().client();

    let url = format!("{}/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21", ptu.url());
    let body = r#"{"messages":[{"role":"user","content":"Hello"}]}"#;
    let request =
        client.post(url).header("api-key", "key of ptu").header("content-type", "application/json").body(body);

    let response = balancer.send(request.build()?).await?.error_for_status()?;
    println!("{}: {}", response.status(), response.text().await?);
    println!("asked: ptu {}, standard {}", ptu.request_count(), standard.request_count());
    Ok(())
}
