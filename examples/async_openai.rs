//! An async-openai program over three deployments of which one refuses and one is not there. Only the making of its
//! client knows.
//!
//! ```text
//! cargo run -p lb-examples --example async_openai
//! cargo run -p lb-examples --example async_openai -- my.toml
//! ```
//!
//! The second one asks real deployments; `examples/quickstart/quickstart.toml` is a sample of the file.

use async_openai::{
    Client,
    config::{AzureConfig, Config},
    types::{
        InputSource,
        audio::{AudioInput, CreateTranscriptionRequestArgs},
        chat::{ChatCompletionRequestUserMessage, CreateChatCompletionRequest, CreateChatCompletionRequestArgs},
    },
};
use futures::StreamExt;
use lb_async_openai::{BalancedService, ReqwestTransport};
use lb_emulator::Reply;
use lb_examples::{SdkStage, ensure};
use lb_quickstart::BoxError;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let stage = SdkStage::from_args()?;

    // What is new: the pool, and this line.
    let service = BalancedService::new(stage.pool.clone(), ReqwestTransport::from_builder(stage.client())?);
    // Host, deployment id and key are each backend's own.
    let config = AzureConfig::new().with_api_base("https://any.host").with_deployment_id("any");
    let client = Client::with_config(config.with_api_version(&stage.api_version)).with_http_service(service);

    println!("a chat:");
    let answer = chat(&client, question(&stage)?).await?;
    println!("  {answer}");

    println!("a chat as a stream:");
    let deltas = chat_stream(&client, question(&stage)?).await?;
    println!("  {}", deltas.join("|"));

    // Real deployments that chat cannot transcribe.
    if let Some(standard) = &stage.healthy {
        ensure(answer.starts_with("standard word1"), "standard did not answer")?;
        ensure(deltas.concat() == answer, "the stream has another answer")?;

        println!("an audio upload:");
        standard.script(Reply::status(200).body(r#"{"text":"so it goes","usage":{"type":"duration","seconds":3}}"#));
        let text = transcribe(&client, b"not quite an MP3".to_vec()).await?;
        println!("  {text}");
        let uploaded = standard.requests().pop().ok_or("the upload did not arrive")?;
        ensure(uploaded.body().windows(16).any(|bytes| bytes == b"not quite an MP3"), "the upload is not whole")?;
    }
    Ok(())
}

fn question(stage: &SdkStage) -> Result<CreateChatCompletionRequest, BoxError> {
    let message = ChatCompletionRequestUserMessage::from(stage.question.as_str());
    let mut request = CreateChatCompletionRequestArgs::default();
    Ok(request.model("gpt-4.1").messages([message.into()]).max_tokens(stage.max_tokens).build()?)
}

async fn chat<C: Config>(client: &Client<C>, question: CreateChatCompletionRequest) -> Result<String, BoxError> {
    let answer = client.chat().create(question).await?;
    let choice = answer.choices.into_iter().next().ok_or("an answer without a choice")?;
    Ok(choice.message.content.unwrap_or_default())
}

async fn chat_stream<C: Config>(
    client: &Client<C>,
    question: CreateChatCompletionRequest,
) -> Result<Vec<String>, BoxError> {
    let mut stream = client.chat().create_stream(question).await?;
    let mut deltas = Vec::new();
    while let Some(chunk) = stream.next().await {
        deltas.extend(chunk?.choices.into_iter().filter_map(|choice| choice.delta.content));
    }
    Ok(deltas)
}

async fn transcribe<C: Config>(client: &Client<C>, audio: Vec<u8>) -> Result<String, BoxError> {
    let source = InputSource::VecU8 { filename: "speech.mp3".to_owned(), vec: audio };
    let request = CreateTranscriptionRequestArgs::default().file(AudioInput { source }).model("whisper-1").build()?;
    Ok(client.audio().transcription().create(request).await?.text)
}
