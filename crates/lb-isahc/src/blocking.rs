//! The transport's blocking face.

use std::io::Read;

use futures_lite::future::block_on;
use isahc::{
    AsyncBody, Body,
    http::{Request, Response},
};
use lb_core::{BlockingTransport, Error, Exhausted, Fault, Head, Served, Target};
use ref_cast::RefCast;

use crate::{
    address::address,
    drain::drain,
    fault::fault,
    headers::ResponseHeaders,
    original::{Original, Payload, zeroes},
    response_body::ResponseBody,
    stream::stream,
    synthesize::synthesize,
    transport::IsahcTransport,
};

impl BlockingTransport for IsahcTransport {
    type Request = Request<Body>;
    type Original = Original<Body>;
    type Response = Response<Body>;
    type Error = isahc::Error;

    fn prepare(&self, request: Request<Body>) -> Result<Original<Body>, isahc::Error> {
        let (parts, mut body) = request.into_parts();
        let payload = if body.is_empty() {
            Payload::Absent
        } else if body.reset() {
            Payload::Memory(bytes(body)?)
        } else {
            Payload::Stream(stream(body))
        };
        Ok(Original::new(Request::from_parts(parts, ()), payload))
    }

    fn replay(&self, original: &Original<Body>) -> Option<Request<Body>> {
        original.replay()
    }

    fn is_replayable(&self, original: &Original<Body>) -> bool {
        original.is_replayable()
    }

    fn take(&self, original: &mut Original<Body>) -> Request<Body> {
        original.take()
    }

    fn send(&self, request: Request<Body>, target: &Target<'_>) -> Result<Response<Body>, Error<isahc::Error>> {
        let (parts, mut body) = address(request, target)?.into_parts();
        let body = if body.is_empty() {
            AsyncBody::empty()
        } else if body.reset() {
            AsyncBody::from(bytes(body).map_err(Error::Transport)?)
        } else {
            // Only isahc can feed a blocking reader to its client. The answer is the caller's: nothing will drain it.
            return self.client.send(Request::from_parts(parts, body)).map_err(Error::Transport);
        };
        // Not the blocking `send`: what it returns can only be drained by a thread that blocks on it.
        let response = block_on(self.client.send_async(Request::from_parts(parts, body))).map_err(Error::Transport)?;
        Ok(ResponseBody::block_on(response))
    }

    fn head<'r>(&self, response: &'r Response<Body>) -> Head<'r> {
        Head::new(response.status().as_u16(), ResponseHeaders::ref_cast(response.headers()))
    }

    fn fault(&self, error: &isahc::Error) -> Fault {
        fault(error)
    }

    fn synthesize(&self, _: &Original<Body>, exhausted: &Exhausted) -> Response<Body> {
        synthesize(exhausted)
    }

    fn mark(&self, response: &mut Response<Body>, served: Served) {
        response.extensions_mut().insert(served);
    }

    fn discard(&self, response: Response<Body>) {
        if let Some(body) = ResponseBody::take(&response) {
            drain(body);
        }
    }
}

/// The bytes of a body in memory.
fn bytes(mut body: Body) -> Result<Vec<u8>, isahc::Error> {
    let mut bytes = zeroes(body.len());
    body.read_exact(&mut bytes)?;
    Ok(bytes)
}
