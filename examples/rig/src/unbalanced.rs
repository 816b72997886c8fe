//! The same without a balancer, to compare with. It ends with the error of the 429.
//!
//! ```text
//! cargo run -p lb-example-rig --bin rig-unbalanced
//! ```

use std::{error::Error, time::Duration};

use futures::StreamExt;
use lb_emulator::{Emulator, Reply};
use rig_core::{
    completion::CompletionRequest,
    providers::openai::{OpenAIConfig, wire::AZURE},
    streaming::{Item, StreamEvent},
};
use rig_reqwest::ReqwestClient;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Two deployments on this machine. The first refuses what it is asked first.
    let ptu = Emulator::builder().name("ptu").key("key of ptu").start()?;
    let standard = Emulator::builder().name("standard").key("key of standard").start()?;
    ptu.script(Reply::throttled(Duration::from_secs(6)));

    // No proxy: the emulators are on this machine.
    let http = reqwest::Client::builder().connect_timeout(Duration::from_secs(10)).no_proxy();
    let config = OpenAIConfig::with_key(&AZURE, "key of ptu").with_base_url(ptu.url()).with_api_version("2024-10-21");
    let client = config.connect(ReqwestClient::from(http.build()?));

    let answer = client.chat("gpt-4.1").call(CompletionRequest::new("Hello")).await?;
    println!("{}", answer.text());

    let mut stream = client.chat("gpt-4.1").stream(CompletionRequest::new("Hello"))?;
    while let Some(item) = stream.next().await {
        if let Item::Event(StreamEvent::Text { text, .. }) = item? {
            print!("{text}");
        }
    }
    println!();
    println!("asked: ptu {}, standard {}", ptu.request_count(), standard.request_count());
    Ok(())
}
