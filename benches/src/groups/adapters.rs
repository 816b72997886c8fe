//! What each adapter adds to its bare client, where nothing else happens: no network, no runtime, no waiting.
//!
//! A client that has to be reqwest's is [the stub](crate::stub), which refuses every request: both sides of a section
//! then end in the same error. The others answer at once with 200.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use async_openai::middleware::{HttpRequestFactory, ReqwestService as OpenAiService};
use async_trait::async_trait;
use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    http::{AsyncRawResponse, HttpClient, Method, Request as AzureRequest, StatusCode, headers::Headers},
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use lb_async_openai::BalancedService;
use lb_azure::{BalancedHttpClient, TokenSource};
use lb_core::{Backend, LoadBalancer, Pool};
use lb_reqwest::{BalanceMiddleware, ReqwestService};
use lb_rig::BalancedClient;
use lb_tower::{Balance, TowerTransport};
use reqwest_middleware::ClientBuilder;
use rig_http::http_client::HttpClientExt;
use rig_reqwest::ReqwestClient;
use tower_service::Service;

use crate::{
    case::{Case, Section},
    groups::overhead::{BALANCED, BARE},
    stub,
};

/// The client under a balancer with one backend: the request is moved.
const MOVED: &str = "balanced, one backend";

/// The name of reqwest's section.
pub const REQWEST: &str = "lb-reqwest";

const ORIGIN: &str = "http://backend.example";

/// A section per adapter: the client alone, and balanced over three backends.
#[must_use]
pub fn sections() -> Vec<Section> {
    vec![
        Section::new(REQWEST, reqwest()),
        Section::new("lb-reqwest, tower service", reqwest_service()),
        Section::new("lb-reqwest, middleware", reqwest_middleware()),
        Section::new("lb-tower, transport", tower_transport()),
        Section::new("lb-tower, layer", tower_layer()),
        Section::new("lb-async-openai", async_openai()),
        Section::new("lb-rig", rig()),
        Section::new("lb-azure", azure(stub::pool(ORIGIN, 3))),
        Section::new("lb-azure, with tokens", azure(pool_with_tokens())),
    ]
}

/// A copy of what [`stub::request`] makes, per call.
fn requests() -> impl Fn() -> reqwest::Request {
    let request = stub::request(ORIGIN);
    move || request.try_clone().expect("a body in memory")
}

fn reqwest() -> [Case; 3] {
    let (client, request) = (stub::client(), requests());
    let balanced = |name, backends| {
        let balancer = LoadBalancer::new(stub::pool(ORIGIN, backends), stub::transport());
        let request = requests();
        Case::new(name, move || stub::ready(balancer.send(request())).is_ok())
    };
    [Case::new(BARE, move || stub::ready(client.execute(request())).is_ok()), balanced(BALANCED, 3), balanced(MOVED, 1)]
}

fn reqwest_service() -> [Case; 2] {
    let (mut client, mut balanced) =
        (stub::client(), ReqwestService::new(LoadBalancer::new(stub::pool(ORIGIN, 3), stub::transport())));
    let (request, same_request) = (requests(), requests());
    [
        Case::new(BARE, move || stub::ready(client.call(request())).is_ok()),
        Case::new(BALANCED, move || stub::ready(balanced.call(same_request())).is_ok()),
    ]
}

fn reqwest_middleware() -> [Case; 2] {
    let client = ClientBuilder::new(stub::client()).build();
    let balanced = ClientBuilder::new(stub::client()).with(BalanceMiddleware::new(stub::pool(ORIGIN, 3))).build();
    let (request, same_request) = (requests(), requests());
    [
        Case::new(BARE, move || stub::ready(client.execute(request())).is_ok()),
        Case::new(BALANCED, move || stub::ready(balanced.execute(same_request())).is_ok()),
    ]
}

/// A service that answers at once.
#[derive(Debug, Clone)]
struct Answering;

impl Service<Request<Full<Bytes>>> for Answering {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Full<Bytes>>) -> Self::Future {
        ready(Ok(Response::new(Full::default())))
    }
}

/// A copy of the same request with `http`'s types, per call.
fn http_requests() -> impl Fn() -> Request<Full<Bytes>> {
    let mut request = Request::post(format!("{ORIGIN}{}", stub::PATH));
    for (name, value) in stub::headers() {
        request = request.header(name, value);
    }
    let request = request.body(Full::from(stub::BODY)).expect("a valid request");
    move || request.clone()
}

fn answering() -> Case {
    let (mut client, request) = (Answering, http_requests());
    Case::new(BARE, move || stub::ready(client.call(request())).is_ok())
}

fn tower_transport() -> [Case; 2] {
    let balancer = LoadBalancer::new(stub::pool(ORIGIN, 3), TowerTransport::new(Answering));
    let request = http_requests();
    [answering(), Case::new(BALANCED, move || stub::ready(balancer.send(request())).is_ok())]
}

fn tower_layer() -> [Case; 2] {
    let (mut balanced, request) = (Balance::new(stub::pool(ORIGIN, 3), Answering), http_requests());
    [answering(), Case::new(BALANCED, move || stub::ready(balanced.call(request())).is_ok())]
}

/// What async-openai sends: a request is built per attempt.
fn factories() -> impl Fn() -> HttpRequestFactory {
    let request = Arc::new(stub::request(ORIGIN));
    let factory = HttpRequestFactory::new(move || ready(Ok(request.try_clone().expect("a body in memory"))));
    move || factory.clone()
}

fn async_openai() -> [Case; 2] {
    let (mut client, mut balanced) =
        (OpenAiService::new(stub::client()), BalancedService::new(stub::pool(ORIGIN, 3), stub::transport()));
    let (factory, same_factory) = (factories(), factories());
    [
        Case::new(BARE, move || stub::ready(client.call(factory())).is_ok()),
        Case::new(BALANCED, move || stub::ready(balanced.call(same_factory())).is_ok()),
    ]
}

fn rig() -> [Case; 2] {
    fn case(name: &str, client: impl HttpClientExt + 'static) -> Case {
        let request = http_requests();
        Case::new(name, move || {
            let request = request().map(|_| Bytes::from_static(stub::BODY));
            stub::ready(client.send::<_, Bytes>(request)).is_ok()
        })
    }
    [
        case(BARE, ReqwestClient::from(stub::client())),
        case(BALANCED, BalancedClient::new(stub::pool(ORIGIN, 3), stub::transport())),
    ]
}

#[async_trait]
impl HttpClient for Answering {
    async fn execute_request(&self, _: &AzureRequest) -> azure_core::Result<AsyncRawResponse> {
        Ok(AsyncRawResponse::from_bytes(StatusCode::Ok, Headers::new(), Bytes::new()))
    }
}

fn azure(pool: Pool) -> [Case; 2] {
    fn case(name: &str, client: impl HttpClient + 'static) -> Case {
        let mut request =
            AzureRequest::new(format!("{ORIGIN}{}", stub::PATH).parse().expect("a valid URL"), Method::Post);
        for (name, value) in stub::headers() {
            request.insert_header(name, value);
        }
        request.set_body(Bytes::from_static(stub::BODY));
        // azure_core's clients borrow the request: neither side copies it for the call.
        Case::new(name, move || stub::ready(client.execute_request(&request)).is_ok())
    }
    let balanced = BalancedHttpClient::with_client_that_follows_no_redirects(pool, Arc::new(Answering));
    [case(BARE, Answering), case(BALANCED, balanced)]
}

#[async_trait]
impl TokenCredential for Answering {
    async fn get_token(&self, _: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        let ends = SystemTime::now() + Duration::from_secs(24 * 60 * 60);
        Ok(AccessToken::new("a token", ends.into()))
    }
}

/// Three backends with tokens, which are at hand.
fn pool_with_tokens() -> Pool {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let backend = |slot| {
        let tokens = TokenSource::new(Arc::new(Answering));
        runtime.block_on(tokens.warm_up()).expect("a token");
        Backend::builder(ORIGIN).name(format!("backend {slot}")).credential_source(tokens).build()
    };
    Pool::new((0..3).map(|slot| backend(slot).expect("a valid backend"))).expect("distinct names")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_has_a_bare_client_and_a_balanced_one_that_run() {
        for section in sections() {
            assert_eq!(section.cases[0].name(), BARE, "{}", section.name);
            assert_eq!(section.cases[1].name(), BALANCED, "{}", section.name);
            for mut case in section.cases {
                assert!(case.run(2).is_some(), "{} of {}", case.name(), section.name);
            }
        }
    }
}
