//! The same without a balancer, to compare with. It ends with the error of the 429.
//!
//! ```text
//! cargo run -p lb-example-streaming --bin streaming-unbalanced
//! ```

use std::{error::Error, time::Duration};

use lb_emulator::{Emulator, Reply};
use reqwest::Client;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Two deployments on this machine. The first refuses what it is asked first.
    let ptu = Emulator::builder().name("ptu").key("key of ptu").start()?;
    let standard = Emulator::builder().name("standard").key("key of standard").start()?;
    ptu.script(Reply::throttled(Duration::from_secs(6)));

    // No proxy: the emulators are on this machine.
    let http = Client::builder().connect_timeout(Duration::from_secs(10)).no_proxy();
    let client = http.build()?;

    let url = format!("{}/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21", ptu.url());
    let body = r#"{"messages":[{"role":"user","content":"Hello"}],"stream":true}"#;
    let request =
        client.post(url).header("api-key", "key of ptu").header("content-type", "application/json").body(body);

    let mut response = client.execute(request.build()?).await?.error_for_status()?;
    println!("{}, before any event", response.status());
    while let Some(chunk) = response.chunk().await? {
        print!("{}", String::from_utf8_lossy(&chunk));
    }
    println!("asked: ptu {}, standard {}", ptu.request_count(), standard.request_count());
    Ok(())
}
