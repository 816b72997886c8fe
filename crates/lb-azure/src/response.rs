//! A response, and what the balancer knows about it.

use std::future::Future;

use azure_core::http::{
    AsyncRawResponse, StatusCode,
    headers::{HeaderName, Headers},
};
use futures::TryStreamExt;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use lb_core::{Exhausted, Refusal, Served};
use lb_peek::peek;

/// The response header that names the backend that served; a synthesised 429 has none.
pub const SERVED_BY: HeaderName = HeaderName::from_static("x-lb-served-by");

/// The response header that says after how many attempts the response came.
pub const ATTEMPTS: HeaderName = HeaderName::from_static("x-lb-attempts");

/// A response of a [`BalancedHttpClient`](crate::BalancedHttpClient), with the typed values that azure_core's own
/// response type has no place for.
#[derive(Debug)]
pub struct BalancedResponse {
    raw: AsyncRawResponse,
    served: Option<Served>,
    exhausted: Option<Exhausted>,
}

impl BalancedResponse {
    pub(crate) const fn new(raw: AsyncRawResponse) -> Self {
        Self { raw, served: None, exhausted: None }
    }

    pub(crate) const fn synthesized(raw: AsyncRawResponse, exhausted: Exhausted) -> Self {
        Self { raw, served: None, exhausted: Some(exhausted) }
    }

    pub(crate) fn mark(&mut self, served: Served) {
        self.served = Some(served);
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.raw.status()
    }

    /// The headers, as they came.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        self.raw.headers()
    }

    /// Which backend served; `None` for a synthesised 429.
    #[must_use]
    pub const fn served(&self) -> Option<&Served> {
        self.served.as_ref()
    }

    /// The verdict behind a synthesised 429; `None` for a backend's own response.
    #[must_use]
    pub const fn exhausted(&self) -> Option<&Exhausted> {
        self.exhausted.as_ref()
    }

    /// The response in azure_core's form, as a pipeline gets it: with the headers [`SERVED_BY`] and [`ATTEMPTS`] in the
    /// place of [`served`](BalancedResponse::served). The body is still a stream.
    #[must_use]
    pub fn into_raw(self) -> AsyncRawResponse {
        let Some(served) = self.served else { return self.raw };
        let (status, mut headers, body) = self.raw.deconstruct();
        headers.insert(SERVED_BY, served.backend().to_owned());
        headers.insert(ATTEMPTS, served.attempts().to_string());
        AsyncRawResponse::new(status, headers, Box::pin(body))
    }

    /// The same, after a look at the beginning of its body.
    pub(crate) async fn peek(self, enough: impl Future<Output = ()> + Send) -> (Self, Option<Refusal>) {
        let Self { raw, served, exhausted } = self;
        let (status, headers, body) = raw.deconstruct();
        let (body, refusal) = peek(StreamBody::new(body.map_ok(Frame::data)), enough).await;
        let raw = AsyncRawResponse::new(status, headers, Box::pin(body.into_data_stream()));
        (Self { raw, served, exhausted }, refusal)
    }

    /// The response as the inner client gave it, and with what was read before the rest.
    pub(crate) fn into_unmarked(self) -> AsyncRawResponse {
        self.raw
    }
}

impl lb_core::Headers for BalancedResponse {
    fn visit(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        // azure_core keeps one value per name.
        if let Some((_, value)) = self.headers().iter().find(|(header, _)| header.as_str().eq_ignore_ascii_case(name)) {
            visit(value.as_str().as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use lb_core::{Backend, MockClock, Pool, SeededRng};

    use super::*;
    use crate::BalancedHttpClient;

    /// A client whose answer claims to come from somebody else.
    #[derive(Debug)]
    struct Impostor;

    #[async_trait::async_trait]
    impl azure_core::http::HttpClient for Impostor {
        async fn execute_request(&self, _: &azure_core::http::Request) -> azure_core::Result<AsyncRawResponse> {
            let mut headers = Headers::new();
            headers.insert(SERVED_BY, "somebody else");
            headers.insert("x-other", "kept");
            Ok(AsyncRawResponse::from_bytes(StatusCode::Ok, headers, "body"))
        }
    }

    #[test]
    fn a_backend_cannot_say_that_another_one_served() {
        let backend = Backend::builder("a.example").name("a").build().unwrap();
        let pool = Pool::builder().backend(backend).clock(MockClock::new()).build().unwrap();
        let client = BalancedHttpClient::with_parts(pool, std::sync::Arc::new(Impostor), SeededRng::new(1));
        let request = azure_core::http::Request::new("https://x/y".parse().unwrap(), azure_core::http::Method::Get);
        let raw = block_on(client.send(&request)).unwrap().into_raw();
        let header = |name| raw.headers().get_optional_str(&name);
        assert_eq!((header(SERVED_BY), header(ATTEMPTS)), (Some("a"), Some("1")));
        assert_eq!(header(HeaderName::from_static("x-other")), Some("kept"));
        assert_eq!(block_on(raw.into_body().collect()).unwrap(), "body");
    }
}
