//! The adapters over reqwest take any transport of its requests and responses, such as one that counts what it sends.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_openai::{
    Client,
    config::OpenAIConfig,
    types::chat::{ChatCompletionRequestUserMessage, CreateChatCompletionRequest},
};
use lb_async_openai::BalancedService;
use lb_core::{Backend, Error, Exhausted, Fault, Head, LoadBalancer, Pool, Served, Target, Transport};
use lb_emulator::{Emulator, Reply};
use lb_reqwest::{ReqwestService, ReqwestTransport};
use lb_rig::BalancedClient;
use reqwest::{Request, Response};
use rig_http::http_client::{HttpClientExt, NoBody};
use tower::ServiceExt;

/// Counts what goes over the transport inside. Clones share the count.
#[derive(Clone)]
struct Counting {
    inner: ReqwestTransport,
    sent: Arc<AtomicUsize>,
}

impl Transport for Counting {
    type Request = Request;
    type Response = Response;
    type Error = reqwest::Error;

    fn replay(&self, original: &mut Request) -> Option<Request> {
        self.inner.replay(original)
    }
    async fn send(&self, request: Request, target: &Target<'_>) -> Result<Response, Error<reqwest::Error>> {
        self.sent.fetch_add(1, Ordering::SeqCst);
        self.inner.send(request, target).await
    }
    fn head<'r>(&self, response: &'r Response) -> Head<'r> {
        self.inner.head(response)
    }
    fn fault(&self, error: &reqwest::Error) -> Fault {
        self.inner.fault(error)
    }
    fn synthesize(&self, original: &Request, exhausted: &Exhausted) -> Response {
        self.inner.synthesize(original, exhausted)
    }
    fn mark(&self, response: &mut Response, served: Served) {
        self.inner.mark(response, served);
    }
}

#[tokio::test]
async fn every_adapter_over_reqwest_sends_over_the_transport_that_it_was_given() {
    let [busy, well] = [(); 2].map(|()| Emulator::start().unwrap());
    busy.always(Reply::status(429).header("retry-after", "0"));
    well.script(Reply::status(200));
    well.script(Reply::status(200));
    let backend = |emulator: &Emulator, priority| Backend::new(emulator.url(), priority).unwrap();
    let pool = Arc::new(Pool::new([backend(&busy, 1), backend(&well, 2)]).unwrap());
    let transport = Counting { inner: ReqwestTransport::new().unwrap(), sent: Arc::default() };
    let sent = || transport.sent.load(Ordering::SeqCst);

    let service = ReqwestService::new(LoadBalancer::new(&pool, transport.clone()));
    let request = Request::new(reqwest::Method::GET, "http://any.host/x".parse().unwrap());
    assert_eq!(service.oneshot(request).await.unwrap().status(), 200);
    assert_eq!(sent(), 2);

    let client = BalancedClient::new(&pool, transport.clone());
    let request = http::Request::get("http://any.host/x").body(NoBody).unwrap();
    assert_eq!(client.send::<_, bytes::Bytes>(request).await.unwrap().status(), 200);
    assert_eq!(sent(), 4);

    let config = OpenAIConfig::new().with_api_base("http://any.host/openai/v1").with_api_key("key");
    let client = Client::with_config(config).with_http_service(BalancedService::new(&pool, transport.clone()));
    let message = ChatCompletionRequestUserMessage::from("Hello").into();
    let chat = CreateChatCompletionRequest { model: "gpt".to_owned(), messages: vec![message], ..Default::default() };
    client.chat().create(chat).await.unwrap();
    assert_eq!(sent(), 6);
    assert_eq!((busy.requests().len(), well.requests().len()), (3, 3));
}
