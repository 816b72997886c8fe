//! The transport: it lives for one call only, and borrows the caller's request.

use std::{
    borrow::Cow,
    future::{Future, ready},
    time::Duration,
};

use azure_core::{
    Error as AzureError,
    http::{
        AsyncRawResponse, Body, HttpClient, Request, StatusCode,
        headers::{CONTENT_LENGTH, Headers},
    },
};
use futures::TryStreamExt;
use http_body::Frame;
use http_body_util::StreamBody;
use lb_core::{Error, Exhausted, Fault, Head, Refusal, Served, Target, Transport, causes};
use lb_drain::{Drain, MAX_BYTES};

use crate::{address::address, error::without_query, fault::fault, model::requested_model, response::BalancedResponse};

/// The caller's request is copied once per attempt, and for nothing else.
pub(crate) struct AzureTransport<'c> {
    pub(crate) client: &'c dyn HttpClient,
    pub(crate) drain: &'c Drain,
    pub(crate) request: &'c Request,
}

/// What is known of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replay {
    /// It is in memory.
    Copy,
    /// It is a stream, which goes back to its beginning before it is sent.
    Rewind,
    /// It is a stream that cannot go back: it is sent once, from where it stands.
    Once,
}

impl Transport for AzureTransport<'_> {
    type Request = Replay;
    type Response = BalancedResponse;
    type Error = AzureError;

    async fn prepare(&self, _: Replay) -> Result<Replay, AzureError> {
        Ok(match self.request.body() {
            Body::Bytes(_) => Replay::Copy,
            Body::SeekableStream(stream) => match stream.clone().reset().await {
                Ok(()) => Replay::Rewind,
                Err(_) => Replay::Once,
            },
        })
    }

    fn replay(&self, original: &mut Replay) -> Option<Replay> {
        (*original != Replay::Once).then_some(*original)
    }

    fn model<'r>(&'r self, _: &'r mut Replay) -> impl Future<Output = Option<Cow<'r, str>>> + Send {
        ready(requested_model(self.request))
    }

    async fn send(&self, replay: Replay, target: &Target<'_>) -> Result<BalancedResponse, Error<AzureError>> {
        let mut request = self.request.clone();
        address(&mut request, target)?;
        #[cfg(feature = "json")]
        crate::model::address_body(&mut request, target);
        if replay == Replay::Rewind {
            request.body_mut().reset().await.map_err(Error::Transport)?;
        }
        let answer = self.client.execute_request(&request).await;
        answer.map(BalancedResponse::new).map_err(|error| Error::Transport(without_query(error)))
    }

    fn head<'r>(&self, response: &'r BalancedResponse) -> Head<'r> {
        Head::new(response.status().into(), response)
    }

    fn fault(&self, error: &AzureError) -> Fault {
        fault(error)
    }

    fn describe(&self, error: &AzureError) -> String {
        causes(error)
    }

    fn synthesize(&self, _: &Replay, exhausted: &Exhausted) -> BalancedResponse {
        let (parts, body) = exhausted.to_response().into_parts();
        let mut headers = Headers::new();
        for (name, value) in &parts.headers {
            // All of them are text.
            if let Ok(value) = value.to_str() {
                headers.insert(name.as_str().to_owned(), value.to_owned());
            }
        }
        let raw = AsyncRawResponse::from_bytes(StatusCode::from(parts.status.as_u16()), headers, body);
        BalancedResponse::synthesized(raw, exhausted.clone())
    }

    fn mark(&self, response: &mut BalancedResponse, served: Served) {
        response.mark(served);
    }

    async fn peek(
        &self,
        response: BalancedResponse,
        enough: impl Future<Output = ()> + Send,
    ) -> (BalancedResponse, Option<Refusal>) {
        response.peek(enough).await
    }

    async fn sleep(&self, duration: Duration) {
        lb_drain::sleep(duration).await;
    }

    fn discard(&self, response: BalancedResponse) {
        match self.request.body() {
            Body::Bytes(_) => discard(self.drain, response.into_unmarked()),
            // Dropped, so that the upload ends: the next attempt may read the same file.
            Body::SeekableStream(_) => drop(response),
        }
    }
}

/// Drains a response, unless it says that it is too large: its body does not.
fn discard(drain: &Drain, response: AsyncRawResponse) {
    let length: Option<u64> = response.headers().get_optional_str(&CONTENT_LENGTH).and_then(|v| v.parse().ok());
    if length.is_none_or(|length| length <= MAX_BYTES) {
        drain.discard(StreamBody::new(response.into_body().map_ok(Frame::data)));
    }
}
