//! The HTTP client that rig sends its requests through.

use std::{future::Future, mem, sync::Arc};

use bytes::Bytes;
use futures::stream;
use http::{Request, header::CONTENT_TYPE};
use lb_core::{Error as BalancerError, LoadBalancer, Pools, Rng, ThreadRng, Transport, Wishes};
use lb_reqwest::ReqwestTransport;
use rig_http::http_client::{
    BoxedStream, Error, HeaderValue, HttpClientExt, LazyBody, MultipartForm, Response, Result, StreamingResponse,
};

use crate::multipart;

/// A balancer as the HTTP client of rig's providers. Clones share it.
///
/// ```
/// use lb_rig::{Backend, BalancedClient, Pool, ReqwestTransport};
/// use rig_core::providers::openai::OpenAIConfig;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = Pool::new([Backend::new("eu.openai.azure.com", 1)?, Backend::new("us.openai.azure.com", 2)?])?;
/// let http = BalancedClient::new(pool, ReqwestTransport::new()?);
///
/// let config = OpenAIConfig::new("a key that goes to both").with_base_url("https://any.host/openai/v1");
/// let model = config.connect(http).chat("gpt-4.1");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// As rig wants it, an answer that is no success is an error with its status, headers and body. So is the synthesised
/// 429 when no backend is left. If no response came, the error is an `Instance` of a [`reqwest::Error`]; or of an
/// [`Error`](crate::Error)`<`[`Infallible`](std::convert::Infallible)`>` if the request could not be addressed to a
/// backend, or a credential not be had.
///
/// # Cancel safety
///
/// Dropping a future abandons the request, and counts the open attempt as cancelled: no backend is blamed.
#[derive(Debug, Clone)]
pub struct BalancedClient<T = ReqwestTransport, R = ThreadRng> {
    balancer: Arc<LoadBalancer<T, R>>,
    wishes: Wishes,
}

impl<T> BalancedClient<T>
where
    T: Transport<Request = reqwest::Request, Response = reqwest::Response, Error = reqwest::Error>,
{
    /// A client on `pools`, which is a [`Pool`](crate::Pool), an `Arc<Pool>` shared with other balancers, or whatever
    /// else makes [`Pools`](crate::Pools), over a [`ReqwestTransport`] or another transport of reqwest's requests and responses.
    pub fn new(pools: impl Into<Pools>, transport: T) -> Self {
        Self::with_parts(pools, transport, ThreadRng)
    }
}

impl<T, R: Rng> BalancedClient<T, R>
where
    T: Transport<Request = reqwest::Request, Response = reqwest::Response, Error = reqwest::Error>,
{
    /// A client with every part; a [`SeededRng`](lb_core::SeededRng) makes its choices repeatable.
    pub fn with_parts(pools: impl Into<Pools>, transport: T, rng: R) -> Self {
        Self { balancer: Arc::new(LoadBalancer::with_parts(pools, transport, rng)), wishes: Wishes::new() }
    }

    /// A clone whose requests have these wishes, in place of those of this one, for another model over the same balancer.
    #[must_use]
    pub fn with(&self, wishes: Wishes) -> Self {
        Self { balancer: Arc::clone(&self.balancer), wishes }
    }

    /// The balancer, with its pool.
    #[must_use]
    pub fn balancer(&self) -> &LoadBalancer<T, R> {
        &self.balancer
    }
}

impl<T, R> BalancedClient<T, R>
where
    T: Transport<Request = reqwest::Request, Response = reqwest::Response, Error = reqwest::Error> + 'static,
    R: Rng + 'static,
{
    /// Sends a request, and makes an error of an answer that is no success.
    fn send_bytes(
        &self,
        request: Request<Bytes>,
    ) -> impl Future<Output = Result<reqwest::Response>> + Send + 'static + use<T, R> {
        let (balancer, wishes) = (Arc::clone(&self.balancer), self.wishes.clone());
        async move {
            // Bytes are shared by the copies that attempts are made from.
            let request = request.try_into().map_err(Error::instance::<reqwest::Error>)?;
            let response = balancer.send_with(request, wishes).await.map_err(instance)?;
            if response.status().is_success() { Ok(response) } else { Err(refused(response).await) }
        }
    }
}

impl<T, R> HttpClientExt for BalancedClient<T, R>
where
    T: Transport<Request = reqwest::Request, Response = reqwest::Response, Error = reqwest::Error> + 'static,
    R: Rng + 'static,
{
    fn send<B, U>(&self, request: Request<B>) -> impl Future<Output = Result<Response<LazyBody<U>>>> + Send + 'static
    where
        B: Into<Bytes> + Send,
        U: From<Bytes> + Send + 'static,
    {
        let sent = self.send_bytes(request.map(Into::into));
        async move { Ok(lazy(sent.await?)) }
    }

    fn send_multipart<U>(
        &self,
        request: Request<MultipartForm>,
    ) -> impl Future<Output = Result<Response<LazyBody<U>>>> + Send + 'static
    where
        U: From<Bytes> + Send + 'static,
    {
        let (mut head, form) = request.into_parts();
        // One buffer that can be sent again: a form as reqwest has it could not.
        let (content_type, body) = multipart::encode(form);
        let sent = HeaderValue::try_from(content_type).map(|content_type| {
            head.headers.insert(CONTENT_TYPE, content_type);
            self.send_bytes(Request::from_parts(head, body))
        });
        async move { Ok(lazy(sent?.await?)) }
    }

    fn send_streaming<B>(&self, request: Request<B>) -> impl Future<Output = Result<StreamingResponse>> + Send
    where
        B: Into<Bytes> + Send,
    {
        let sent = self.send_bytes(request.map(Into::into));
        async move { Ok(streaming(sent.await?)) }
    }
}

/// A failure without a response: reqwest's as it came, as rig's own client has it, and the balancer's.
fn instance(error: BalancerError<reqwest::Error>) -> Error {
    match error.into_transport() {
        Ok(error) => Error::instance(error),
        Err(error) => Error::instance(error),
    }
}

/// The error of an answer that is no success, with all that rig's error can hold of it.
async fn refused(mut response: reqwest::Response) -> Error {
    let status = response.status();
    let headers = mem::take(response.headers_mut());
    match response.bytes().await {
        Ok(body) => Error::non_success_with_details(status, headers, String::from_utf8_lossy(&body).into_owned()),
        // The status is worth more than the reason why its body broke off.
        Err(_) => Error::non_success_with_details(status, headers, String::new()),
    }
}

/// The response with a body that is read when it is awaited.
fn lazy<U: From<Bytes> + Send + 'static>(response: reqwest::Response) -> Response<LazyBody<U>> {
    with_body(response, |response| -> LazyBody<U> {
        Box::pin(async move { response.bytes().await.map(U::from).map_err(Error::instance) })
    })
}

/// The response with a body whose chunks pass through as they come.
fn streaming(response: reqwest::Response) -> StreamingResponse {
    with_body(response, |response| -> BoxedStream {
        Box::pin(stream::try_unfold(response, |mut response| async move {
            let chunk = response.chunk().await.map_err(Error::instance)?;
            Ok(chunk.map(|chunk| (chunk, response)))
        }))
    })
}

/// The head of a response, who served it included, with what `body` makes of the rest.
fn with_body<B>(mut response: reqwest::Response, body: impl FnOnce(reqwest::Response) -> B) -> Response<B> {
    let (mut head, ()) = Response::new(()).into_parts();
    head.status = response.status();
    head.version = response.version();
    head.headers = mem::take(response.headers_mut());
    head.extensions = mem::take(response.extensions_mut());
    Response::from_parts(head, body(response))
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, net::TcpListener, time::Duration};

    use lb_core::{Backend, MockClock, Pool};
    use lb_emulator::{Emulator, Reply};
    use rig_http::http_client::{DynHttpClient, NoBody};

    use super::*;

    fn client(endpoint: String) -> BalancedClient {
        let pool = Pool::builder().backend(Backend::new(endpoint, 1).unwrap()).clock(MockClock::new());
        BalancedClient::new(pool.build().unwrap(), ReqwestTransport::new().unwrap())
    }

    fn request(path: &str) -> Request<NoBody> {
        Request::post(format!("http://any.host{path}")).body(NoBody).unwrap()
    }

    async fn failure(client: &BalancedClient, path: &str) -> Error {
        client.send::<_, Bytes>(request(path)).await.err().unwrap()
    }

    #[tokio::test]
    async fn an_answer_that_is_no_success_is_an_error_with_all_of_it() {
        let emulator = Emulator::start().unwrap();
        let client = client(emulator.url());
        for status in [307, 400, 429, 503] {
            emulator.script(Reply::status(status).header("x-why", "busy").header("retry-after", "0").body("later"));
            let error = failure(&client, "/x").await;
            assert_eq!(error.non_success_status().unwrap(), status);
            if status == 429 {
                // The balancer's own answer: the only backend was asked.
                assert!(error.non_success_body().unwrap().contains("no backend available for 1 s"));
                assert_eq!(error.non_success_headers().unwrap()["retry-after"], "1");
            } else {
                assert_eq!(error.non_success_body(), Some("later"));
                assert_eq!(error.non_success_headers().unwrap()["x-why"], "busy");
            }
        }
    }

    #[tokio::test]
    async fn failures_without_a_response_keep_their_type() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let Error::Instance(error) = failure(&client(format!("http://{free}")), "/x").await else { panic!() };
        assert!(error.downcast::<reqwest::Error>().unwrap().is_connect());

        let prefixed = format!("http://{free}/{}", "p".repeat(100));
        let Error::Instance(error) = failure(&client(prefixed), &"/x".repeat(32_755)).await else { panic!() };
        let error = error.downcast::<BalancerError<Infallible>>().unwrap();
        assert!(matches!(*error, BalancerError::Address(_)), "{error:?}");
    }

    #[tokio::test]
    async fn a_response_is_here_before_its_body() {
        let emulator = Emulator::start().unwrap();
        emulator.always(Reply::status(200).body("never whole").stall_after_bytes(1));
        let http = client(emulator.url());
        let response = http.send::<_, Bytes>(request("/x")).await.unwrap();
        let served = response.extensions().get::<lb_core::Served>().unwrap();
        assert_eq!(served.attempts(), 1);
        let late = tokio::time::timeout(Duration::from_millis(50), response.into_body()).await;
        assert!(late.is_err(), "the body has not come");
    }

    #[test]
    fn it_can_be_erased_as_rig_does_it() {
        let _ = DynHttpClient::new(client("http://a.example".to_owned()));
    }
}
