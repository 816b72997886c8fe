//! A rig program over three deployments of which one refuses and one is not there. Only the connecting of its provider
//! knows.
//!
//! ```text
//! cargo run -p lb-examples --example rig
//! cargo run -p lb-examples --example rig -- my.toml
//! ```
//!
//! The second one asks real deployments; `examples/quickstart/quickstart.toml` is a sample of the file.

use futures::StreamExt;
use lb_examples::{SdkStage, ensure};
use lb_quickstart::BoxError;
use lb_rig::{BalancedClient, ReqwestTransport};
use rig_core::{
    completion::CompletionRequest,
    providers::openai::{OpenAI, OpenAIConfig, wire::AZURE},
    streaming::{Item, StreamEvent},
};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let stage = SdkStage::from_args()?;

    // What is new: the pool, and this line.
    let http = BalancedClient::new(stage.pool.clone(), ReqwestTransport::from_builder(stage.client())?);
    // Host, deployment and key are each backend's own.
    let config = OpenAIConfig::with_key(&AZURE, "").with_base_url("https://any.host");
    let client = config.with_api_version(&stage.api_version).connect(http);

    println!("a completion:");
    let answer = complete(&client, question(&stage)).await?;
    println!("  {answer}");

    println!("a completion as a stream:");
    let texts = complete_as_stream(&client, question(&stage)).await?;
    println!("  {}", texts.join("|"));

    if stage.healthy.is_some() {
        ensure(answer.starts_with("standard word1"), "standard did not answer")?;
        ensure(texts.concat() == answer, "the stream has another answer")?;
    }
    Ok(())
}

fn question(stage: &SdkStage) -> CompletionRequest {
    CompletionRequest::new(stage.question.as_str()).max_tokens(u64::from(stage.max_tokens))
}

async fn complete(client: &OpenAI, question: CompletionRequest) -> Result<String, BoxError> {
    Ok(client.chat("any").call(question).await?.text())
}

async fn complete_as_stream(client: &OpenAI, question: CompletionRequest) -> Result<Vec<String>, BoxError> {
    let mut stream = client.chat("any").stream(question)?;
    let mut texts = Vec::new();
    while let Some(item) = stream.next().await {
        if let Item::Event(StreamEvent::Text { text, .. }) = item? {
            texts.push(text);
        }
    }
    Ok(texts)
}
