//! isahc: two deployments, a 429 from the first, and an answer all the same.
//!
//! ```text
//! cargo run -p lb-example-isahc
//! ```

use std::{error::Error, time::Duration};

use futures_lite::AsyncReadExt;
use isahc::{AsyncBody, HttpClient, Request, config::Configurable};
use lb_emulator::{Emulator, Reply};
use lb_isahc::{Backend, IsahcTransport, LoadBalancer, Pool};

fn main() -> Result<(), Box<dyn Error>> {
    futures_lite::future::block_on(run())
}

async fn run() -> Result<(), Box<dyn Error>> {
    // Two deployments on this machine. The first refuses what it is asked first.
    let ptu = Emulator::builder().name("ptu").key("key of ptu").start()?;
    let standard = Emulator::builder().name("standard").key("key of standard").start()?;
    ptu.script(Reply::throttled(Duration::from_secs(6)));

    // No proxy: the emulators are on this machine.
    let http = || HttpClient::builder().connect_timeout(Duration::from_secs(10)).proxy(None).build();
    let first = Backend::builder(ptu.url()).api_key("key of ptu").build()?;
    let second = Backend::builder(standard.url()).priority(2).api_key("key of standard").build()?;
    let balancer = LoadBalancer::new(Pool::new([first, second])?, IsahcTransport::with_clients(http)?);

    let url = format!("{}/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21", ptu.url());
    let body = AsyncBody::from(r#"{"messages":[{"role":"user","content":"Hello"}]}"#);
    let request =
        Request::post(url).header("api-key", "key of ptu").header("content-type", "application/json").body(body)?;

    let mut response = balancer.send(request).await?;
    let mut text = String::new();
    response.body_mut().read_to_string(&mut text).await?;
    println!("{}: {text}", response.status());
    println!("asked: ptu {}, standard {}", ptu.request_count(), standard.request_count());
    if response.status().is_success() { Ok(()) } else { Err(response.status().to_string().into()) }
}
