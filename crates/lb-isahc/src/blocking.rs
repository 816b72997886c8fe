//! The transport's blocking face.

use std::{borrow::Cow, future::Future};

use futures_lite::future::block_on;
use isahc::{
    AsyncBody, Body, RequestExt,
    http::{Request, Response},
};
use lb_core::{BlockingTransport, Error, Exhausted, Fault, Head, Refusal, Served, Target, Wishes, causes};
use ref_cast::RefCast;

use crate::{
    address::address,
    contents::read_blocking,
    drain::drain,
    fault::fault,
    headers::ResponseHeaders,
    model::requested_model,
    peek::peek,
    request_body::{explain, sent_once, streamed_once},
    response_body::ResponseBody,
    synthesize::synthesize,
    transfer::{receiving, receiving_blocking},
    transport::IsahcTransport,
};

impl BlockingTransport for IsahcTransport {
    type Request = Request<Body>;
    type Response = Response<Body>;
    type Error = isahc::Error;

    fn replay(&self, original: &mut Request<Body>) -> Option<Request<Body>> {
        let body = original.body_mut();
        let copy = if body.is_empty() {
            Body::empty()
        } else if body.reset() {
            Body::from(read_blocking(body).ok()?)
        } else {
            return None;
        };
        // Only isahc's own options, as in the async face.
        original.to_builder().body(copy).ok()
    }

    fn model<'r>(&'r self, original: &'r mut Request<Body>) -> Option<Cow<'r, str>> {
        requested_model(original)
    }

    fn send(&self, request: Request<Body>, target: &Target<'_>) -> Result<Response<Body>, Error<isahc::Error>> {
        let request = address(request, target)?;
        #[cfg(feature = "json")]
        let request = crate::model::address_body(request, target);
        let (parts, mut body) = request.into_parts();
        let client = self.clients.lend();
        let body = if body.is_empty() {
            AsyncBody::empty()
        } else if body.reset() {
            AsyncBody::from(read_blocking(&mut body).map_err(|error| Error::Transport(error.into()))?)
        } else {
            // Only isahc can feed a blocking reader to its client. The answer is the caller's: nothing will drain it.
            let (body, progress) = streamed_once(body);
            return match client.http.send(Request::from_parts(parts, body)) {
                Ok(response) => Ok(receiving_blocking(response, &client.abandoned)),
                Err(error) => Err(Error::Transport(explain(Some(progress), error))),
            };
        };
        let (body, progress) = sent_once(body);
        // Not the blocking `send`: what it returns can only be drained by a thread that blocks on it.
        match block_on(client.http.send_async(Request::from_parts(parts, body))) {
            Ok(response) => Ok(ResponseBody::block_on(receiving(response, &client.abandoned))),
            Err(error) => Err(Error::Transport(explain(progress, error))),
        }
    }

    fn head<'r>(&self, response: &'r Response<Body>) -> Head<'r> {
        Head::new(response.status().as_u16(), ResponseHeaders::ref_cast(response.headers()))
    }

    fn fault(&self, error: &isahc::Error) -> Fault {
        fault(error)
    }

    fn describe(&self, error: &isahc::Error) -> String {
        causes(error)
    }

    fn synthesize(&self, _: &Request<Body>, exhausted: &Exhausted) -> Response<Body> {
        synthesize(exhausted)
    }

    fn mark(&self, response: &mut Response<Body>, served: Served) {
        response.extensions_mut().insert(served);
    }

    fn wishes(&self, request: &Request<Body>) -> Option<Wishes> {
        request.extensions().get().cloned()
    }

    fn peek(
        &self,
        response: Response<Body>,
        enough: impl Future<Output = ()> + Send,
    ) -> (Response<Body>, Option<Refusal>) {
        // isahc alone reads the answer to a body that streams, and not beside anything else.
        let Some(body) = ResponseBody::take(&response) else { return (response, None) };
        let (parts, _) = response.into_parts();
        let (response, refusal) = block_on(peek(Response::from_parts(parts, body), enough));
        (ResponseBody::block_on(response), refusal)
    }

    fn discard(&self, response: Response<Body>) {
        if let Some(body) = ResponseBody::take(&response) {
            drain(body);
        }
    }
}
