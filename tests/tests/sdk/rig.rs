//! rig: a completion, a completion as a stream, and a transcription.

use futures::StreamExt;
use lb_emulator::{Emulator, Reply};
use lb_rig::{BalancedClient, ReqwestTransport};
use rig_core::{
    completion::CompletionRequest,
    error::ProviderError,
    providers::openai::{OpenAI, OpenAIConfig, wire},
    streaming::{Item, StreamEvent},
    transcription::TranscriptionRequestBuilder,
};

use crate::{
    deployments::{Deployments, healthy, key},
    operating::Pair,
};

/// The client of the program before: on rig's own HTTP client.
fn plain(emulator: &Emulator) -> OpenAI {
    OpenAIConfig::with_key(&wire::AZURE, key(emulator.name())).with_base_url(emulator.url()).client()
}

/// The client of the program after.
fn balanced(deployments: &Deployments) -> OpenAI {
    let http = BalancedClient::new(deployments.pool(), ReqwestTransport::new().unwrap());
    OpenAIConfig::with_key(&wire::AZURE, "the caller's own").with_base_url("http://any.host").connect(http)
}

/// The name of the deployment, which is in the path.
const MODEL: &str = "healthy";

fn question() -> CompletionRequest {
    CompletionRequest::new("Hello").max_tokens(5)
}

async fn complete(client: &OpenAI) -> Result<(String, Option<u64>), ProviderError> {
    let answer = client.chat(MODEL).call(question()).await?;
    Ok((answer.text(), answer.usage.total_tokens))
}

#[tokio::test]
async fn a_completion() {
    let alone = healthy("healthy");
    let expected = complete(&plain(&alone)).await.unwrap();
    assert!(expected.0.starts_with("healthy word1") && expected.1 > Some(0), "{expected:?}");

    let deployments = Deployments::start();
    assert_eq!(complete(&balanced(&deployments)).await.unwrap(), expected);
    let (there, here) = (alone.requests().remove(0), deployments.served());
    assert_eq!((here.path_and_query(), here.body()), (there.path_and_query(), there.body()));
}

async fn complete_as_stream(client: &OpenAI) -> Result<Vec<String>, ProviderError> {
    let mut stream = client.chat(MODEL).stream(question())?;
    let mut texts = Vec::new();
    while let Some(item) = stream.next().await {
        if let Item::Event(StreamEvent::Text { text, .. }) = item? {
            texts.push(text);
        }
    }
    Ok(texts)
}

#[tokio::test]
async fn a_completion_as_a_stream() {
    let alone = healthy("healthy");
    let expected = complete_as_stream(&plain(&alone)).await.unwrap();
    assert_eq!(expected, ["healthy", " word1", " word2", " word3"]);

    let deployments = Deployments::start();
    assert_eq!(complete_as_stream(&balanced(&deployments)).await.unwrap(), expected);
    assert_eq!(deployments.served().body(), alone.requests()[0].body());
}

async fn transcribe(client: &OpenAI, audio: Vec<u8>) -> Result<String, ProviderError> {
    let request = TranscriptionRequestBuilder::new(audio).filename("speech.mp3".to_owned()).build();
    Ok(client.transcription(MODEL).call(request).await?.text)
}

#[tokio::test]
async fn a_transcription() {
    let audio: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let transcription = Reply::status(200).header("content-type", "application/json").body(r#"{"text":"so it goes"}"#);
    let alone = healthy("healthy");
    alone.always(transcription.clone());
    let expected = transcribe(&plain(&alone), audio.clone()).await.unwrap();
    assert_eq!(expected, "so it goes");

    let deployments = Deployments::start().answering(&transcription);
    assert_eq!(transcribe(&balanced(&deployments), audio.clone()).await.unwrap(), expected);
    let upload = deployments.served();
    assert_eq!(upload.path(), alone.requests()[0].path());
    assert!(upload.header("content-type").unwrap().starts_with("multipart/form-data; boundary="));
    assert!(upload.body().windows(audio.len()).any(|window| window == audio), "the audio did not arrive whole");
}

#[tokio::test]
async fn a_program_learns_from_the_error_when_to_come_back() {
    let deployments = Deployments::start().answering(&Reply::throttled(std::time::Duration::from_secs(7)));
    let error = complete(&balanced(&deployments)).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    let ProviderError::ProviderResponse(answer) = error else { panic!("expected an answer, got {error}") };
    assert_eq!(answer.status.unwrap(), 429);
    // The deployment that is not there is suspect, and can be asked again in a second.
    assert_eq!(answer.headers.unwrap()["retry-after"], "1");
    assert!(answer.body.contains("no backend available for 1 s: "), "{}", answer.body);
    assert!(answer.body.contains("cooling after status 429 ("), "{}", answer.body);
    assert!(answer.body.contains("suspect after connect fault ("), "{}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_works_on_the_pool_of_a_client_in_use() {
    let pair = Pair::start();
    let http = BalancedClient::new(pair.pool(), ReqwestTransport::new().unwrap());
    let config = OpenAIConfig::with_key(&wire::AZURE, "the caller's own").with_base_url("http://any.host");
    let client = config.connect(http);
    pair.operate(async || drop(complete(&client).await.unwrap())).await;
}
