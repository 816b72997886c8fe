//! What is stored at one resource: responses that are continued by their id, and files that are read back, over two
//! resources of which one flaps. The backend that made an id is stored with it, and what uses the id is pinned to it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

use std::{cell::Cell, sync::Arc, time::Duration};

use async_openai::{
    Client,
    config::OpenAIConfig,
    error::OpenAIError,
    types::{
        files::{CreateFileRequestArgs, FileInput, FilePurpose},
        responses::CreateResponseArgs,
    },
};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client as HyperClient, rt::TokioExecutor};
use lb_async_openai::BalancedService;
use lb_core::{Backend, Pool, Rng, SeededRng, Served, ServedBy, Wishes};
use lb_emulator::{Emulator, Reply};
use lb_reqwest::{LoadBalancer, ReqwestTransport};
use lb_tower::BalanceLayer;
use tower::{ServiceBuilder, ServiceExt};

/// So many responses are continued, and as many files read back.
const TIMES: u32 = 1_000;

/// What the SDK can read.
const REFUSAL: &str = r#"{"error":{"message":"not now","type":"server_error","param":null,"code":"not_now"}}"#;

/// An answer: its status, its body, and which backend gave it.
type Answer = (u16, String, String);

/// A client over two resources.
trait Stack {
    async fn respond(&self, previous: Option<&str>, wishes: Wishes) -> Answer;
    async fn upload(&self, text: &str, wishes: Wishes) -> Answer;
    async fn read(&self, file: &str, wishes: Wishes) -> Answer;
}

/// What a request has of HTTP.
struct Ask {
    method: http::Method,
    path: String,
    content_type: &'static str,
    body: Vec<u8>,
}

impl Ask {
    fn respond(previous: Option<&str>) -> Self {
        let body = serde_json::json!({"model": "gpt-4.1", "input": "Hello", "previous_response_id": previous});
        let (path, body) = ("/openai/v1/responses".to_owned(), body.to_string().into_bytes());
        Self { method: http::Method::POST, path, content_type: "application/json", body }
    }

    fn upload(text: &str) -> Self {
        let part = |head: &str, body: &str| format!("--b\r\ncontent-disposition: form-data; {head}\r\n\r\n{body}\r\n");
        let parts =
            part("name=\"purpose\"", "user_data") + &part("name=\"file\"; filename=\"a.txt\"", text) + "--b--\r\n";
        let (path, content_type) = ("/openai/v1/files".to_owned(), "multipart/form-data; boundary=b");
        Self { method: http::Method::POST, path, content_type, body: parts.into_bytes() }
    }

    fn read(file: &str) -> Self {
        let path = format!("/openai/v1/files/{file}/content");
        Self { method: http::Method::GET, path, content_type: "text/plain", body: Vec::new() }
    }

    fn url(&self) -> String {
        format!("http://any.host{}", self.path)
    }
}

/// A stack over which requests are sent as they are.
trait Http {
    async fn send(&self, ask: Ask, wishes: Wishes) -> Answer;
}

impl<T: Http> Stack for T {
    async fn respond(&self, previous: Option<&str>, wishes: Wishes) -> Answer {
        self.send(Ask::respond(previous), wishes).await
    }

    async fn upload(&self, text: &str, wishes: Wishes) -> Answer {
        self.send(Ask::upload(text), wishes).await
    }

    async fn read(&self, file: &str, wishes: Wishes) -> Answer {
        self.send(Ask::read(file), wishes).await
    }
}

fn name(served: Option<&Served>) -> String {
    served.map(|served| served.backend().to_owned()).unwrap_or_default()
}

struct Reqwest(LoadBalancer<ReqwestTransport>);

impl Http for Reqwest {
    async fn send(&self, ask: Ask, wishes: Wishes) -> Answer {
        let request = self.0.transport().client().request(ask.method.clone(), ask.url());
        let request = request.header("content-type", ask.content_type).body(ask.body).build().unwrap();
        let response = self.0.send_with(request, wishes).await.unwrap();
        let (status, by) = (response.status().as_u16(), name(response.extensions().get()));
        (status, response.text().await.unwrap(), by)
    }
}

struct Tower(Arc<Pool>, HyperClient<hyper_util::client::legacy::connect::HttpConnector, Full<Bytes>>);

impl Http for Tower {
    async fn send(&self, ask: Ask, wishes: Wishes) -> Answer {
        let service = ServiceBuilder::new().layer(BalanceLayer::new(Arc::clone(&self.0))).service(self.1.clone());
        let request = http::Request::builder().method(ask.method.clone()).uri(ask.url());
        let request = request.header("content-type", ask.content_type).extension(wishes).body(ask.body.into()).unwrap();
        let response = service.oneshot(request).await.unwrap();
        let (status, by) = (response.status().as_u16(), name(response.extensions().get()));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap(), by)
    }
}

/// With the client that builds its requests, which takes long to make.
struct Sdk(BalancedService, reqwest::Client);

impl Sdk {
    /// A client whose requests have these wishes, and say who served them.
    fn client(&self, wishes: Wishes) -> (Client<OpenAIConfig>, ServedBy) {
        let served_by = ServedBy::new();
        let config = OpenAIConfig::new().with_api_base("http://any.host/openai/v1").with_api_key("the caller's");
        (Client::build(self.1.clone(), config).with_http_service(self.0.with(wishes.tell(&served_by))), served_by)
    }
}

/// What the SDK returned, as an answer.
fn answer(result: Result<String, OpenAIError>, served_by: &ServedBy) -> Answer {
    let by = name(served_by.get().as_ref());
    match result {
        Ok(body) => (200, body, by),
        Err(OpenAIError::ApiError(answer)) => (answer.status_code.as_u16(), answer.to_string(), by),
        Err(other) => panic!("{other:?}"),
    }
}

impl Stack for Sdk {
    async fn respond(&self, previous: Option<&str>, wishes: Wishes) -> Answer {
        let (client, served_by) = self.client(wishes);
        let mut request = CreateResponseArgs::default().model("gpt-4.1").input("Hello").build().unwrap();
        request.previous_response_id = previous.map(str::to_owned);
        let made = client.responses().create(request).await;
        answer(made.map(|made| serde_json::json!({"id": made.id}).to_string()), &served_by)
    }

    async fn upload(&self, text: &str, wishes: Wishes) -> Answer {
        let (client, served_by) = self.client(wishes);
        let file = FileInput::from_vec_u8("a.txt".to_owned(), text.as_bytes().to_vec());
        let request = CreateFileRequestArgs::default().file(file).purpose(FilePurpose::UserData).build().unwrap();
        let made = client.files().create(request).await;
        answer(made.map(|made| serde_json::json!({"id": made.id}).to_string()), &served_by)
    }

    async fn read(&self, file: &str, wishes: Wishes) -> Answer {
        let (client, served_by) = self.client(wishes);
        let read = client.files().content(file).await;
        answer(read.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()), &served_by)
    }
}

/// Two resources, of which the first flaps.
struct Resources {
    emulators: [Emulator; 2],
    rng: SeededRng,
    /// How many requests the first had received when it was last told to flap.
    flapped: Cell<Option<u64>>,
    has_failed: Cell<bool>,
}

impl Resources {
    fn start() -> (Self, Arc<Pool>) {
        let emulators = ["first", "second"].map(|name| Emulator::builder().name(name).start().unwrap());
        let backend = |emulator: &Emulator| Backend::builder(emulator.url()).name(emulator.name()).build().unwrap();
        // One that failed twice in a row is looked after soon, so that it serves again.
        let pool = Pool::builder().backends(emulators.iter().map(backend)).probe_after(Duration::from_millis(20));
        let pool = pool.build().unwrap();
        (
            Self { emulators, rng: SeededRng::new(12), flapped: Cell::new(None), has_failed: Cell::new(false) },
            Arc::new(pool),
        )
    }

    /// The first answers one request of three with a refusal or a failure, but never two in a row: who is pinned to a suspect
    /// waits for a second, and a thousand of them for long.
    fn flap(&self) {
        let received = self.emulators[0].request_count();
        if self.flapped.get() == Some(received) {
            return;
        }
        self.flapped.set(Some(received));
        if self.has_failed.replace(false) {
            return;
        }
        match self.rng.next_u64() % 6 {
            0 => self.emulators[0].script(Reply::status(429).header("retry-after-ms", "1").body(REFUSAL)),
            1 => self.emulators[0].script(Reply::status(500).body(REFUSAL)),
            _ => return,
        }
        self.has_failed.set(true);
    }

    /// Asks until somebody serves. Whoever is pinned gets its backend's own refusals, and comes back.
    async fn served(&self, mut ask: impl AsyncFnMut() -> Answer) -> Answer {
        for _ in 0..5_000 {
            self.flap();
            let answer = ask().await;
            match answer.0 {
                200 => return answer,
                429 | 500 | 503 => tokio::time::sleep(Duration::from_millis(2)).await,
                other => panic!("{other}: {}", answer.1),
            }
        }
        panic!("nobody serves any more")
    }
}

fn id(body: &str) -> String {
    serde_json::from_str::<serde_json::Value>(body).unwrap()["id"].as_str().unwrap().to_owned()
}

async fn play(stack: &impl Stack, resources: &Resources) {
    let mut by_first = 0;
    for number in 0..TIMES {
        let (_, made, by) = resources.served(async || stack.respond(None, Wishes::new()).await).await;
        let pin = || Wishes::new().pin_resource(by.as_str());
        let (_, _, again) = resources.served(async || stack.respond(Some(&id(&made)), pin()).await).await;
        assert_eq!(again, by);

        let text = format!("the text of file {number}");
        let (_, made, by) = resources.served(async || stack.upload(&text, Wishes::new()).await).await;
        let pin = || Wishes::new().pin_resource(by.as_str());
        let (_, read, again) = resources.served(async || stack.read(&id(&made), pin()).await).await;
        assert_eq!((read, &again), (text, &by));
        by_first += u32::from(by == "first");
    }
    assert!(by_first > TIMES / 10 && by_first < TIMES * 9 / 10, "both serve: {by_first}");
}

#[tokio::test]
async fn over_reqwest() {
    let (resources, pool) = Resources::start();
    let stack = Reqwest(LoadBalancer::new(pool, ReqwestTransport::new().unwrap()));
    play(&stack, &resources).await;
}

#[tokio::test]
async fn over_tower() {
    let (resources, pool) = Resources::start();
    play(&Tower(pool, HyperClient::builder(TokioExecutor::new()).build_http()), &resources).await;
}

#[tokio::test]
async fn over_async_openai() {
    let (resources, pool) = Resources::start();
    let service = BalancedService::new(pool, ReqwestTransport::new().unwrap());
    play(&Sdk(service, reqwest::Client::new()), &resources).await;
}

#[tokio::test]
async fn without_a_pin_some_are_answered_by_the_wrong_resource() {
    let (_resources, pool) = Resources::start();
    let stack = Reqwest(LoadBalancer::new(pool, ReqwestTransport::new().unwrap()));
    let mut wrong = 0;
    for _ in 0..50 {
        let (_, made, _) = stack.respond(None, Wishes::new()).await;
        wrong += u32::from(stack.respond(Some(&id(&made)), Wishes::new()).await.0 == 400);
    }
    assert!(wrong > 5, "{wrong}");
}
