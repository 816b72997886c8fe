//! The same without a balancer, to compare with. It ends with the error of the 429.
//!
//! ```text
//! cargo run -p lb-example-isahc --bin isahc-unbalanced
//! ```

use std::{error::Error, time::Duration};

use futures_lite::AsyncReadExt;
use isahc::{AsyncBody, HttpClient, Request, config::Configurable};
use lb_emulator::{Emulator, Reply};

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
    let client = http()?;

    let url = format!("{}/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21", ptu.url());
    let body = AsyncBody::from(r#"{"messages":[{"role":"user","content":"Hello"}]}"#);
    let request =
        Request::post(url).header("api-key", "key of ptu").header("content-type", "application/json").body(body)?;

    let mut response = client.send_async(request).await?;
    let mut text = String::new();
    response.body_mut().read_to_string(&mut text).await?;
    println!("{}: {text}", response.status());
    println!("asked: ptu {}, standard {}", ptu.request_count(), standard.request_count());
    if response.status().is_success() { Ok(()) } else { Err(response.status().to_string().into()) }
}
