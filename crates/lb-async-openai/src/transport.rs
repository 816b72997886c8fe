//! The transport: every attempt's request is built anew.

use std::{borrow::Cow, future::Future, time::Duration};

use async_openai::middleware::HttpRequestFactory;
use lb_core::{Error, Exhausted, Fault, Head, Refusal, Served, Target, Transport, causes};
use lb_reqwest::ReqwestTransport;
use reqwest::{Request, Response};

use crate::attempt_error::AttemptError;

/// async-openai's requests over a [`ReqwestTransport`], or another transport of reqwest's requests and responses.
///
/// A [`HttpRequestFactory`] is built once per attempt. So a request whose body streams, which could not be copied once
/// built, fails over too: every multipart form, such as an audio upload.
#[derive(Debug, Clone)]
pub struct FactoryTransport<T = ReqwestTransport> {
    inner: T,
}

impl<T> FactoryTransport<T> {
    /// A transport that sends what the factories build over `inner`.
    #[must_use]
    pub const fn new(inner: T) -> Self {
        Self { inner }
    }
}

impl<T> Transport for FactoryTransport<T>
where
    T: Transport<Request = Request, Response = Response, Error = reqwest::Error>,
{
    type Request = HttpRequestFactory;
    type Response = Response;
    type Error = AttemptError;

    fn replay(&self, original: &mut HttpRequestFactory) -> Option<HttpRequestFactory> {
        // A handle on shared inputs: nothing of the request is copied.
        Some(original.clone())
    }

    fn model<'r>(&'r self, original: &'r mut HttpRequestFactory) -> impl Future<Output = Option<Cow<'r, str>>> + Send {
        let factory = original.clone();
        async move {
            // One that cannot be built names none; the attempt says why.
            let mut request = factory.build().await.ok()?;
            let model = self.inner.model(&mut request).await?;
            Some(Cow::Owned(model.into_owned()))
        }
    }

    async fn send(&self, factory: HttpRequestFactory, target: &Target<'_>) -> Result<Response, Error<AttemptError>> {
        let request = factory.build().await.map_err(|error| Error::Transport(AttemptError::Build(error)))?;
        self.inner.send(request, target).await.map_err(|error| error.map_transport(AttemptError::Send))
    }

    fn head<'r>(&self, response: &'r Response) -> Head<'r> {
        self.inner.head(response)
    }

    fn fault(&self, error: &AttemptError) -> Fault {
        match error {
            // Also if it comes from a network: it is not the backend's.
            AttemptError::Build(_) => Fault::Request,
            AttemptError::Send(error) => self.inner.fault(error),
        }
    }

    fn describe(&self, error: &AttemptError) -> String {
        causes(error)
    }

    fn synthesize(&self, _: &HttpRequestFactory, exhausted: &Exhausted) -> Response {
        // Without the caller's URL, which only building the request would tell. The SDK does not look at it.
        exhausted.to_response().into()
    }

    fn mark(&self, response: &mut Response, served: Served) {
        self.inner.mark(response, served);
    }

    fn peek(
        &self,
        response: Response,
        enough: impl Future<Output = ()> + Send,
    ) -> impl Future<Output = (Response, Option<Refusal>)> + Send {
        self.inner.peek(response, enough)
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        self.inner.sleep(duration)
    }

    fn discard(&self, response: Response) {
        self.inner.discard(response);
    }
}
