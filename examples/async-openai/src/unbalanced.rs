//! The same without a balancer, to compare with. The SDK waits for the 429's six seconds to be over.
//!
//! ```text
//! cargo run -p lb-example-async-openai --bin async-openai-unbalanced
//! ```

use std::{error::Error, time::Duration};

use async_openai::{
    Client,
    config::AzureConfig,
    types::chat::{ChatCompletionRequestUserMessage, CreateChatCompletionRequestArgs},
};
use futures::StreamExt;
use lb_emulator::{Emulator, Reply};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Two deployments on this machine. The first refuses what it is asked first.
    let ptu = Emulator::builder().name("ptu").key("key of ptu").start()?;
    let standard = Emulator::builder().name("standard").key("key of standard").start()?;
    ptu.script(Reply::throttled(Duration::from_secs(6)));

    // No proxy: the emulators are on this machine.
    let http = reqwest::Client::builder().connect_timeout(Duration::from_secs(10)).no_proxy();
    let config = AzureConfig::new().with_api_base(ptu.url()).with_api_key("key of ptu");
    let config = config.with_deployment_id("gpt-4.1").with_api_version("2024-10-21");
    let client = Client::with_config(config).with_http_client(http.build()?);

    let hello = ChatCompletionRequestUserMessage::from("Hello");
    let request = CreateChatCompletionRequestArgs::default().model("gpt-4.1").messages([hello.into()]).build()?;

    let answer = client.chat().create(request.clone()).await?;
    println!("{}", answer.choices[0].message.content.as_deref().unwrap_or_default());

    let mut stream = client.chat().create_stream(request).await?;
    while let Some(chunk) = stream.next().await {
        print!("{}", chunk?.choices.first().and_then(|choice| choice.delta.content.as_deref()).unwrap_or("\n"));
    }
    println!("asked: ptu {}, standard {}", ptu.request_count(), standard.request_count());
    Ok(())
}
