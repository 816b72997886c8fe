//! A program on azure_core over three deployments that take Entra ID tokens: one refuses, for one there is no token.
//! Only the making of its client knows.
//!
//! ```text
//! cargo run -p lb-examples --example azure_core
//! cargo run -p lb-examples --example azure_core --features azure-identity -- my.toml
//! ```
//!
//! The second one asks real deployments, with the identity of `az login`, `azd auth login` and the like;
//! `examples/quickstart/quickstart.toml` is a sample of the file: it says `credential_source = "entra"` in place of `api_key_env`.

use std::{env, io, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
    http::{ClientOptions, Context, Method, Pipeline, Request, RetryOptions, Transport, Url},
    time::OffsetDateTime,
};
use futures::TryStreamExt;
use lb_azure::{ATTEMPTS, Backend, BalancedHttpClient, Pool, SERVED_BY, TokenSource};
use lb_core::PoolBuilder;
use lb_emulator::{Emulator, Reply};
use lb_examples::ensure;
use lb_quickstart::{BoxError, Decisions, Events, Prompt};
use serde_json::Value;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let (pool, prompt, emulated) = match env::args_os().nth(1) {
        Some(file) => configured(Path::new(&file))?,
        None => emulated()?,
    };

    // What is new: the pool, and its client as the transport.
    let pool = Arc::new(pool.observer(Decisions::new(io::stdout())).build()?);
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let http = http.connect_timeout(Duration::from_secs(5));
    // No proxy: the emulators are on this machine.
    let http = if emulated.is_empty() { http } else { http.no_proxy() };
    let transport = BalancedHttpClient::with_client_that_follows_no_redirects(pool, Arc::new(http.build()?));
    let options = ClientOptions {
        transport: Some(Transport::new(Arc::new(transport))),
        // The balancer has tried them all before an error comes up: see the crate's documentation for when to retry.
        retry: RetryOptions::none(),
        ..ClientOptions::default()
    };
    // Host, deployment and token are each backend's own.
    let client = ChatClient::new("https://any.host", options)?;

    println!("a call:");
    let (by, answer) = client.complete(&prompt).await?;
    println!("  {by}: {answer}");

    println!("a call that is a stream:");
    let (by, words) = client.complete_as_stream(&prompt).await?;
    println!("  {by}: {}", words.join("|"));

    if let Some(standard) = emulated.last() {
        ensure(answer.starts_with("standard word1"), "standard did not answer")?;
        ensure(words.concat() == answer, "the stream has another answer")?;
        let authorized = |request: &lb_emulator::Received| request.header("authorization") == Some("Bearer standard");
        ensure(standard.requests().iter().all(authorized), "standard did not get its own token")?;
    }
    Ok(())
}

/// A service client as the Azure SDK has them: it knows azure_core's pipeline, and no balancer.
struct ChatClient {
    endpoint: Url,
    pipeline: Pipeline,
}

impl ChatClient {
    fn new(endpoint: &str, options: ClientOptions) -> Result<Self, BoxError> {
        let (name, version) = (option_env!("CARGO_PKG_NAME"), option_env!("CARGO_PKG_VERSION"));
        let pipeline = Pipeline::new(name, version, options, Vec::new(), Vec::new(), None);
        Ok(Self { endpoint: endpoint.parse()?, pipeline })
    }

    fn request(&self, prompt: &Prompt, body: &Value) -> Result<Request, BoxError> {
        let mut request = Request::new(self.endpoint.join(&prompt.path)?, Method::Post);
        request.insert_header("content-type", "application/json");
        request.set_json(body)?;
        Ok(request)
    }

    async fn complete(&self, prompt: &Prompt) -> Result<(String, String), BoxError> {
        let mut request = self.request(prompt, &prompt.body)?;
        let response = self.pipeline.send(&Context::new(), &mut request, None).await?;
        let by = served_by(response.headers());
        let answer: Value = response.into_body().json()?;
        Ok((by, answer["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned()))
    }

    async fn complete_as_stream(&self, prompt: &Prompt) -> Result<(String, Vec<String>), BoxError> {
        let mut body = prompt.body.clone();
        body["stream"] = true.into();
        let mut request = self.request(prompt, &body)?;
        let response = self.pipeline.stream(&Context::new(), &mut request, None).await?;
        let by = served_by(response.headers());
        let (mut stream, mut events, mut words) = (response.into_body(), Events::default(), Vec::new());
        while let Some(chunk) = stream.try_next().await? {
            for event in events.push(&chunk) {
                let event: Value = serde_json::from_str(&event).unwrap_or_default();
                words.extend(event["choices"][0]["delta"]["content"].as_str().map(str::to_owned));
            }
        }
        Ok((by, words))
    }
}

/// Who served a response: azure_core's has no place for it but the headers.
fn served_by(headers: &azure_core::http::headers::Headers) -> String {
    let header = |name| headers.get_optional_str(&name).unwrap_or("nobody");
    format!("{} (attempt {})", header(SERVED_BY), header(ATTEMPTS))
}

/// The deployments, what is asked, and the emulators.
type Setup = (PoolBuilder, Prompt, Vec<Emulator>);

/// An identity whose token is its name; an empty one is signed out.
#[derive(Debug)]
struct Identity(&'static str);

#[async_trait]
impl TokenCredential for Identity {
    async fn get_token(&self, _: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        match self.0 {
            "" => Err(azure_core::Error::with_message(ErrorKind::Credential, "nobody is signed in")),
            name => Ok(AccessToken::new(name, OffsetDateTime::now_utc() + Duration::from_secs(3600))),
        }
    }
}

/// Three deployments: `ptu` refuses, for `eu` there is no token, and `standard` serves.
fn emulated() -> Result<Setup, BoxError> {
    let start = |name: &str| Emulator::builder().name(name).key(name).start();
    let emulators = vec![start("ptu")?, start("eu")?, start("standard")?];
    emulators[0].always(Reply::throttled(Duration::from_secs(60)));
    let backends = emulators.iter().zip(1..).zip(["ptu", "", "standard"]).map(|((emulator, priority), identity)| {
        // Backends that take the same identity would share a clone of its source.
        let tokens = TokenSource::builder(Arc::new(Identity(identity))).name(emulator.name()).build();
        Backend::builder(emulator.url()).name(emulator.name()).priority(priority).credential_source(tokens).build()
    });
    let pool = Pool::builder().backends(backends.collect::<Result<Vec<_>, _>>()?);
    let path = "/openai/deployments/any/chat/completions?api-version=2024-10-21";
    Ok((pool, Prompt::chat(path, "Hello", 16), emulators))
}

/// Backends that say `credential_source = "entra"` get tokens of this machine's identity.
#[cfg(feature = "azure-identity")]
fn configured(file: &Path) -> Result<Setup, BoxError> {
    let tokens = TokenSource::new(azure_identity::DeveloperToolsCredential::new(None)?);
    let config = lb_config::Config::from_file(file)?.with_source("entra", tokens);
    let config = lb_quickstart::Config::new(config)?;
    Ok((config.pool()?, config.prompt.clone(), Vec::new()))
}

#[cfg(not(feature = "azure-identity"))]
fn configured(_: &Path) -> Result<Setup, BoxError> {
    Err("to ask real deployments, run with --features azure-identity".into())
}
