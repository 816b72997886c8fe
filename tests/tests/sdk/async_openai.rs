//! async-openai: a chat, a chat as a stream, and an audio upload.

use std::time::Duration;

use async_openai::{
    Client,
    config::{AzureConfig, Config, OpenAIConfig},
    error::OpenAIError,
    types::{
        InputSource,
        audio::{AudioInput, CreateTranscriptionRequestArgs},
        chat::{ChatCompletionRequestUserMessageArgs, CreateChatCompletionRequest, CreateChatCompletionRequestArgs},
        embeddings::CreateEmbeddingRequestArgs,
    },
};
use futures::StreamExt;
use lb_async_openai::{BalancedService, ReqwestTransport};
use lb_core::{Backend, BackendBuilder, Pool, Pools};
use lb_emulator::{Emulator, Reply};

use crate::{
    deployments::{Deployments, healthy, key},
    operating::Pair,
};

fn config(endpoint: &str) -> AzureConfig {
    AzureConfig::new().with_api_base(endpoint).with_api_version("2024-10-21")
}

/// The client of the program before.
fn plain(emulator: &Emulator) -> Client<AzureConfig> {
    let name = emulator.name();
    Client::with_config(config(&emulator.url()).with_deployment_id(name).with_api_key(key(name)))
}

/// The client of the program after.
fn balanced(deployments: &Deployments) -> Client<AzureConfig> {
    let service = BalancedService::new(deployments.pool(), ReqwestTransport::new().unwrap());
    let config = config("http://any.host").with_deployment_id("any").with_api_key("the caller's own");
    Client::with_config(config).with_http_service(service)
}

fn question() -> Result<CreateChatCompletionRequest, OpenAIError> {
    let message = ChatCompletionRequestUserMessageArgs::default().content("Hello").build()?;
    CreateChatCompletionRequestArgs::default().model("gpt-4.1").messages([message.into()]).max_tokens(5_u32).build()
}

async fn chat<C: Config>(client: &Client<C>) -> Result<(String, Option<u32>), OpenAIError> {
    let answer = client.chat().create(question()?).await?;
    let text = answer.choices[0].message.content.clone().unwrap_or_default();
    Ok((text, answer.usage.map(|usage| usage.total_tokens)))
}

#[tokio::test]
async fn a_chat() {
    let alone = healthy("healthy");
    let expected = chat(&plain(&alone)).await.unwrap();
    assert!(expected.0.starts_with("healthy word1") && expected.1 > Some(0), "{expected:?}");

    let deployments = Deployments::start();
    assert_eq!(chat(&balanced(&deployments)).await.unwrap(), expected);
    let (there, here) = (alone.requests().remove(0), deployments.served());
    assert_eq!(here.path_and_query(), "/openai/deployments/healthy/chat/completions?api-version=2024-10-21");
    assert_eq!((here.path_and_query(), here.body()), (there.path_and_query(), there.body()));
}

async fn chat_stream<C: Config>(client: &Client<C>) -> Result<Vec<String>, OpenAIError> {
    let mut stream = client.chat().create_stream(question()?).await?;
    let mut deltas = Vec::new();
    while let Some(chunk) = stream.next().await {
        deltas.extend(chunk?.choices.into_iter().filter_map(|choice| choice.delta.content));
    }
    Ok(deltas)
}

#[tokio::test]
async fn a_chat_as_a_stream() {
    let alone = healthy("healthy");
    let expected = chat_stream(&plain(&alone)).await.unwrap();
    assert_eq!(expected, ["healthy", " word1", " word2", " word3"]);

    let deployments = Deployments::start();
    assert_eq!(chat_stream(&balanced(&deployments)).await.unwrap(), expected);
    assert_eq!(deployments.served().body(), alone.requests()[0].body());
}

async fn transcribe<C: Config>(client: &Client<C>, audio: Vec<u8>) -> Result<String, OpenAIError> {
    let source = InputSource::VecU8 { filename: "speech.mp3".to_owned(), vec: audio };
    let request = CreateTranscriptionRequestArgs::default().file(AudioInput { source }).model("whisper-1").build()?;
    Ok(client.audio().transcription().create(request).await?.text)
}

#[tokio::test]
async fn an_audio_upload() {
    let audio: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let body = r#"{"text":"so it goes","usage":{"type":"duration","seconds":3}}"#;
    let transcription = Reply::status(200).header("content-type", "application/json").body(body);
    let alone = healthy("healthy");
    alone.always(transcription.clone());
    let expected = transcribe(&plain(&alone), audio.clone()).await.unwrap();
    assert_eq!(expected, "so it goes");

    let deployments = Deployments::start().answering(&transcription);
    assert_eq!(transcribe(&balanced(&deployments), audio.clone()).await.unwrap(), expected);
    let upload = deployments.served();
    assert_eq!(upload.path(), "/openai/deployments/healthy/audio/transcriptions");
    assert!(upload.header("content-type").unwrap().starts_with("multipart/form-data; boundary="));
    assert!(upload.body().windows(audio.len()).any(|window| window == audio), "the audio did not arrive whole");
}

#[tokio::test]
async fn a_429_of_the_embeddings_leaves_the_chat_where_it_was() {
    let start = |name| Emulator::builder().name(name).deployment("gpt-4.1").deployment("embed-here").start().unwrap();
    let [ptu, standard] = ["ptu", "standard"].map(start);
    let pool = |backend: fn(BackendBuilder) -> BackendBuilder| {
        let backend = |(emulator, priority): (&Emulator, u32)| {
            backend(Backend::builder(emulator.url()).name(emulator.name()).priority(priority)).build().unwrap()
        };
        Pool::new([&ptu, &standard].into_iter().zip(1..).map(backend)).unwrap()
    };
    let (chats, embeddings) = (pool(|backend| backend), pool(|backend| backend.model("embed-here")));
    let pools = Pools::by_model().pool(["gpt-4.1"], chats).pool(["embed"], embeddings).build().unwrap();
    let config = OpenAIConfig::new().with_api_base("http://any.host/openai/v1");
    let service = BalancedService::new(&pools, ReqwestTransport::new().unwrap());
    let client = Client::with_config(config).with_http_service(service);

    ptu.script(Reply::throttled(Duration::from_secs(60)));
    let request = || CreateEmbeddingRequestArgs::default().model("embed").input("Hello").build().unwrap();
    for _ in 0..2 {
        assert!(!client.embeddings().create(request()).await.unwrap().data.is_empty());
    }
    assert!(chat(&client).await.unwrap().0.starts_with("ptu word1"));
    assert_eq!([ptu.request_count(), standard.request_count()], [2, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_works_on_the_pool_of_a_client_in_use() {
    let pair = Pair::start();
    let service = BalancedService::new(pair.pool(), ReqwestTransport::new().unwrap());
    let config = config("http://any.host").with_deployment_id("healthy").with_api_key("the caller's own");
    let client = Client::with_config(config).with_http_service(service);
    pair.operate(async || drop(chat(&client).await.unwrap())).await;
}
