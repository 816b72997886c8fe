//! reqwest-middleware: the balancer is one line of the client, and no call changes.
//!
//! ```text
//! cargo run -p lb-example-reqwest-middleware
//! ```

use std::{error::Error, time::Duration};

use lb_emulator::{Emulator, Reply};
use lb_reqwest::{Backend, BalanceMiddleware, Pool};
use reqwest::{Client, redirect::Policy};
use reqwest_middleware::ClientBuilder;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Two deployments on this machine. The first refuses what it is asked first.
    let ptu = Emulator::builder().name("ptu").key("key of ptu").start()?;
    let standard = Emulator::builder().name("standard").key("key of standard").start()?;
    ptu.script(Reply::throttled(Duration::from_secs(6)));

    // No redirects: one would take a backend's key to another host. No proxy: the emulators are on this machine.
    let http = Client::builder().redirect(Policy::none()).connect_timeout(Duration::from_secs(10)).no_proxy();
    let first = Backend::builder(ptu.url()).api_key("key of ptu").build()?;
    let second = Backend::builder(standard.url()).priority(2).api_key("key of standard").build()?;
    let client = ClientBuilder::new(http.build()?).with(BalanceMiddleware::new(Pool::new([first, second])?)).build();

    let url = format!("{}/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21", ptu.url());
    let body = r#"{"messages":[{"role":"user","content":"Hello"}]}"#;
    let request =
        client.post(url).header("api-key", "key of ptu").header("content-type", "application/json").body(body);

    let response = request.send().await?.error_for_status()?;
    println!("{}: {}", response.status(), response.text().await?);
    println!("asked: ptu {}, standard {}", ptu.request_count(), standard.request_count());
    Ok(())
}
