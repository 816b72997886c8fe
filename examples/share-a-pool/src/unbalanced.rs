//! The same without a balancer, to compare with. It ends with the error of the second 429.
//!
//! ```text
//! cargo run -p lb-example-share-a-pool --bin share-a-pool-unbalanced
//! ```

use std::{error::Error, time::Duration};

use lb_emulator::{Emulator, Reply};
use reqwest::{Client, blocking};

fn main() -> Result<(), Box<dyn Error>> {
    // Two deployments on this machine. The first refuses everything.
    let ptu = Emulator::builder().name("ptu").key("key of ptu").start()?;
    let standard = Emulator::builder().name("standard").key("key of standard").start()?;
    ptu.always(Reply::throttled(Duration::from_secs(6)));

    // No proxy: the emulators are on this machine.
    let http = Client::builder().connect_timeout(Duration::from_secs(10)).no_proxy();
    let blocking_http = blocking::Client::builder().connect_timeout(Duration::from_secs(10)).no_proxy();
    let client = http.build()?;
    let blocking_client = blocking_http.build()?;

    let url = format!("{}/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21", ptu.url());
    let body = r#"{"messages":[{"role":"user","content":"Hello"}]}"#;
    let request =
        client.post(&url).header("api-key", "key of ptu").header("content-type", "application/json").body(body);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let response = runtime.block_on(client.execute(request.build()?))?;
    println!("async: {}", response.status());

    let request = blocking_client.post(&url).header("api-key", "key of ptu").header("content-type", "application/json");
    let response = blocking_client.execute(request.body(body).build()?)?.error_for_status()?;
    println!("blocking: {}", response.status());
    println!("asked: ptu {}, standard {}", ptu.request_count(), standard.request_count());
    Ok(())
}
