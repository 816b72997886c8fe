//! azure_core: a client as its SDKs have them, with a pipeline of its own, and a call that is a stream.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
    http::{
        ClientOptions, Context, Method, Pipeline, Request, RetryOptions, Transport, Url,
        headers::{HeaderName, RETRY_AFTER},
        policies::{Policy, PolicyResult, auth::BearerTokenAuthorizationPolicy},
    },
    time::OffsetDateTime,
};
use futures::TryStreamExt;
use lb_azure::{Backend, BalancedHttpClient, COGNITIVE_SERVICES_SCOPE, Event, Observer, Pool, SERVED_BY, TokenSource};
use lb_emulator::{Emulator, Reply};
use serde_json::Value;

use crate::{
    deployments::{Deployments, healthy, key},
    operating::Pair,
};

/// A service client, made like those of the Azure SDK.
struct ChatClient {
    endpoint: Url,
    pipeline: Pipeline,
}

impl ChatClient {
    fn new(endpoint: &str, auth: Arc<dyn Policy>, options: ClientOptions) -> Self {
        let (name, version) = (option_env!("CARGO_PKG_NAME"), option_env!("CARGO_PKG_VERSION"));
        let pipeline = Pipeline::new(name, version, options, Vec::new(), vec![auth], None);
        Self { endpoint: endpoint.parse().unwrap(), pipeline }
    }

    fn request(&self, body: &'static str) -> Request {
        let mut url = self.endpoint.clone();
        url.set_path("/openai/deployments/healthy/chat/completions");
        url.query_pairs_mut().append_pair("api-version", "2024-10-21");
        let mut request = Request::new(url, Method::Post);
        request.insert_header("content-type", "application/json");
        request.set_body(body);
        request
    }

    async fn complete(&self) -> azure_core::Result<Value> {
        let mut request = self.request(r#"{"messages":[{"role":"user","content":"Hello"}]}"#);
        self.pipeline.send(&Context::new(), &mut request, None).await?.into_body().json()
    }

    async fn complete_as_stream(&self) -> azure_core::Result<(Option<String>, String)> {
        let mut request = self.request(r#"{"messages":[{"role":"user","content":"Hello"}],"stream":true}"#);
        let response = self.pipeline.stream(&Context::new(), &mut request, None).await?;
        let served_by = response.headers().get_optional_string(&SERVED_BY);
        let body = response.into_body().try_fold(Vec::new(), |mut text, chunk| async move {
            text.extend(chunk);
            Ok(text)
        });
        Ok((served_by, String::from_utf8(body.await?).unwrap()))
    }
}

/// What a key credential of the SDK comes down to.
#[derive(Debug)]
struct ApiKey(String);

#[async_trait]
#[expect(elided_lifetimes_in_paths, reason = "async-trait wants the trait's own spelling")]
impl Policy for ApiKey {
    async fn send(&self, context: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        request.insert_header("api-key", self.0.clone());
        next[0].send(context, request, &next[1..]).await
    }
}

/// The client of the program before.
fn plain(emulator: &Emulator) -> ChatClient {
    ChatClient::new(&emulator.url(), Arc::new(ApiKey(key(emulator.name()))), ClientOptions::default())
}

/// The client of the program after.
fn balanced(pool: Arc<Pool>, retry: RetryOptions) -> ChatClient {
    let transport = Transport::new(Arc::new(BalancedHttpClient::new(pool)));
    let options = ClientOptions { transport: Some(transport), retry, ..ClientOptions::default() };
    ChatClient::new("https://any.host", Arc::new(ApiKey("the caller's own".to_owned())), options)
}

/// azure_core's own default, and the one that the documentation recommends.
fn retries() -> [RetryOptions; 2] {
    [RetryOptions::default(), RetryOptions::none()]
}

#[tokio::test]
async fn a_call() {
    let text = |answer: &Value| answer["choices"][0]["message"]["content"].as_str().unwrap().to_owned();
    let alone = healthy("healthy");
    let expected = text(&plain(&alone).complete().await.unwrap());
    assert!(expected.starts_with("healthy word1"), "{expected}");
    for retry in retries() {
        let deployments = Deployments::start();
        let answer = balanced(deployments.pool(), retry).complete().await.unwrap();
        assert_eq!(text(&answer), expected);
        let (there, here) = (alone.requests().remove(0), deployments.served());
        assert_eq!((here.path_and_query(), here.body()), (there.path_and_query(), there.body()));
        for name in ["content-type", "user-agent"] {
            assert_eq!(here.header(name), there.header(name), "{name}");
        }
        assert!(here.header("x-ms-client-request-id").is_some(), "the policies of the pipeline ran");
    }
}

#[tokio::test]
async fn a_call_that_is_a_stream() {
    let alone = healthy("healthy");
    let (served_by, expected) = plain(&alone).complete_as_stream().await.unwrap();
    assert!(served_by.is_none() && expected.ends_with("data: [DONE]\n\n"), "{expected}");
    // All but the times and identifiers in it.
    let words = |events: &str| events.matches(r#""content":"#).count();
    for retry in retries() {
        let deployments = Deployments::start();
        let (served_by, events) = balanced(deployments.pool(), retry).complete_as_stream().await.unwrap();
        assert_eq!(served_by.as_deref(), Some("healthy"));
        assert_eq!((words(&events), events.ends_with("data: [DONE]\n\n")), (words(&expected), true), "{events}");
        assert_eq!(deployments.served().body(), alone.requests()[0].body());
    }
}

fn only(emulator: &Emulator) -> Arc<Pool> {
    Arc::new(Pool::new([Backend::builder(emulator.url()).api_key(key("healthy")).build().unwrap()]).unwrap())
}

#[tokio::test]
async fn without_retries_exhaustion_is_an_error_that_says_when() {
    let emulator = healthy("healthy");
    emulator.always(Reply::throttled(Duration::from_secs(7)));
    let error = balanced(only(&emulator), RetryOptions::none()).complete().await.unwrap_err();
    let ErrorKind::HttpResponse { status, error_code, raw_response } = error.kind() else { panic!("{error:?}") };
    assert_eq!((u16::from(*status), error_code.as_deref()), (429, Some("rate_limit_exceeded")));
    let headers = raw_response.as_ref().unwrap().headers();
    assert_eq!(headers.get_optional_str(&RETRY_AFTER), Some("7"));
    let milliseconds: u64 = headers.get_as(&HeaderName::from_static("retry-after-ms")).unwrap();
    assert!((1..=7_000).contains(&milliseconds), "{milliseconds}");
    assert_eq!(emulator.request_count(), 1);
}

/// How often no backend was left.
#[derive(Default)]
struct Refusals(AtomicU32);

impl Observer for Refusals {
    fn on_event(&self, event: &Event<'_>) {
        self.0.fetch_add(u32::from(matches!(event, Event::Exhausted { .. })), Ordering::SeqCst);
    }
}

#[tokio::test]
async fn the_default_retry_policy_waits_as_the_synthesised_429_says() {
    let emulator = healthy("healthy");
    emulator.script(Reply::status(429).header("retry-after-ms", "1200"));
    let refusals = Arc::new(Refusals::default());
    let backend = Backend::builder(emulator.url()).api_key(key("healthy")).build().unwrap();
    let pool = Pool::builder().backend(backend).observer(Arc::clone(&refusals)).build().unwrap();
    balanced(Arc::new(pool), RetryOptions::default()).complete().await.unwrap();
    // Its own backoff begins at 200 ms, and would have been refused several times.
    assert_eq!((emulator.request_count(), refusals.0.load(Ordering::SeqCst)), (2, 1));
}

#[tokio::test]
async fn a_missing_token_is_an_error_that_the_retry_policy_leaves_alone() {
    let emulator = Emulator::start().unwrap();
    let tokens = TokenSource::new(Arc::new(Identity(Err("AADSTS7000215: wrong secret"))));
    let backend = Backend::builder(emulator.url()).name("ptu").credential_source(tokens).build().unwrap();
    let pool = Arc::new(Pool::new([backend]).unwrap());
    let error = balanced(Arc::clone(&pool), RetryOptions::default()).complete().await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Credential);
    let mut reasons = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        reasons += &format!(": {error}");
        cause = error.source();
    }
    assert!(reasons.contains("no credential for backend ptu"), "{reasons}");
    assert!(reasons.contains("wrong secret"), "{reasons}");
    assert_eq!((emulator.request_count(), pool.snapshot().backends[0].counters.attempts), (0, 1));
}

/// An identity whose token is its name, or that has none.
#[derive(Debug)]
struct Identity(Result<&'static str, &'static str>);

#[async_trait]
impl TokenCredential for Identity {
    async fn get_token(&self, scopes: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        assert_eq!(scopes, [COGNITIVE_SERVICES_SCOPE]);
        let name = self.0.map_err(|why| azure_core::Error::with_message(ErrorKind::Credential, why))?;
        Ok(AccessToken::new(name, OffsetDateTime::now_utc() + Duration::from_secs(3600)))
    }
}

#[tokio::test]
async fn each_backend_gets_the_token_of_its_own_source_and_never_the_callers() {
    let emulators = ["a", "b"].map(|name| Emulator::builder().name(name).start().unwrap());
    emulators[0].script(Reply::throttled(Duration::from_secs(60)));
    let backends = emulators.iter().zip(["CANARY-A", "CANARY-B"]).zip(1..).map(|((emulator, token), priority)| {
        let tokens = TokenSource::new(Arc::new(Identity(Ok(token))));
        Backend::builder(emulator.url()).priority(priority).credential_source(tokens).build().unwrap()
    });
    let client = BalancedHttpClient::new(Pool::new(backends).unwrap());
    // The pipeline's own policy puts the caller's token on the request.
    let caller = Arc::new(Identity(Ok("CANARY-CALLER")));
    let auth = Arc::new(BearerTokenAuthorizationPolicy::new(caller, [COGNITIVE_SERVICES_SCOPE]));
    let options = ClientOptions { transport: Some(Transport::new(Arc::new(client))), ..ClientOptions::default() };
    ChatClient::new("https://any.host", auth, options).complete().await.unwrap();

    for (emulator, own, other) in [(&emulators[0], "CANARY-A", "CANARY-B"), (&emulators[1], "CANARY-B", "CANARY-A")] {
        let received = emulator.requests().remove(0);
        assert_eq!(received.header("authorization"), Some(&*format!("Bearer {own}")));
        let everything = format!("{:?}", received.headers());
        assert!(!everything.contains(other) && !everything.contains("CALLER"), "{everything}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_works_on_the_pool_of_a_client_in_use() {
    let pair = Pair::start();
    let transport = Transport::new(Arc::new(BalancedHttpClient::new(pair.pool())));
    let options = ClientOptions { transport: Some(transport), retry: RetryOptions::none(), ..ClientOptions::default() };
    let client = ChatClient::new("http://any.host", Arc::new(ApiKey("the caller's own".to_owned())), options);
    pair.operate(async || drop(client.complete().await.unwrap())).await;
}
