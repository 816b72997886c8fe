//! The blocking transport.

use std::{
    borrow::Cow,
    fmt,
    io::{Read, copy, sink},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use lb_core::{BlockingTransport, CONNECT_TIMEOUT, Error, Fault, Target, causes};
use lb_drain::MAX_BYTES;
use reqwest::{
    blocking::{Body, Client, ClientBuilder, Request, Response},
    header::CONTENT_TYPE,
    redirect::Policy,
    retry,
};

#[cfg(feature = "http2")]
use crate::transport::{PING_AFTER, PING_TIMEOUT};
use crate::{
    address::address,
    fault::{fault, without_query},
    messages::messages_of_reqwest,
    model::requested_model,
};

/// Each is a thread, and a stalled body holds its thread until the client's timeout.
const MAX_DRAINS: usize = 8;

/// A [`reqwest::blocking::Client`] as the transport of a [`BlockingLoadBalancer`](lb_core::BlockingLoadBalancer).
/// Clones share the client.
///
/// Redirects are never followed, as with [`ReqwestTransport`](crate::ReqwestTransport).
///
/// ```no_run
/// use lb_reqwest::{Backend, BlockingLoadBalancer, BlockingReqwestTransport, Pool};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = Pool::new([Backend::new("ptu.openai.azure.com", 1)?, Backend::new("eu.openai.azure.com", 2)?])?;
/// let balancer = BlockingLoadBalancer::new(pool, BlockingReqwestTransport::new()?);
/// let request = balancer.transport().client().post("https://any.host/openai/v1/chat/completions").body("{}");
/// println!("{}", balancer.send(request.build()?)?.text()?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct BlockingReqwestTransport {
    client: Client,
    drains: Arc<AtomicUsize>,
    buffers_forms: bool,
}

impl BlockingReqwestTransport {
    /// A transport over a client with reqwest's defaults, that follows no redirects and does not retry, and waits ten
    /// seconds for a connection ([`CONNECT_TIMEOUT`]). HTTP/2 connections are pinged as with
    /// [`ReqwestTransport::new`](crate::ReqwestTransport::new).
    ///
    /// # Errors
    ///
    /// If reqwest cannot build the client (TLS or system configuration).
    pub fn new() -> Result<Self, reqwest::Error> {
        let builder = Client::builder().connect_timeout(CONNECT_TIMEOUT);
        #[cfg(feature = "http2")]
        let builder = builder.http2_keep_alive_interval(PING_AFTER).http2_keep_alive_timeout(PING_TIMEOUT);
        Self::from_builder(builder)
    }

    /// A transport over the client that `builder` builds, made to follow no redirects and not to retry.
    ///
    /// Set its `connect_timeout`, and a `timeout` that is longer: reqwest's own of 30 s for the whole request says nothing of
    /// whether it was sent, so that a backend that is not there would be a `Timeout`, which does not fail over.
    ///
    /// The builder's default headers must not carry credentials: reqwest adds them to requests to every backend.
    ///
    /// # Errors
    ///
    /// If reqwest cannot build the client.
    pub fn from_builder(builder: ClientBuilder) -> Result<Self, reqwest::Error> {
        builder.redirect(Policy::none()).retry(retry::never()).build().map(Self::with_client_that_follows_no_redirects)
    }

    /// A transport over a client of yours. You promise that it was built with [`redirect::Policy::none`] and that its
    /// default headers carry no credentials: else a redirect, or a failover, takes a credential to where it does not
    /// belong. Neither can be seen from outside of the client.
    ///
    /// [`redirect::Policy::none`]: reqwest::redirect::Policy::none
    #[must_use]
    pub fn with_client_that_follows_no_redirects(client: Client) -> Self {
        Self { client, drains: Arc::default(), buffers_forms: false }
    }

    /// The same, with multipart forms read into memory before the first attempt, files
    /// too, so that they can be sent again.
    ///
    /// Off by default, because a form of reqwest's blocking client does not say how long it is: all of it is read. Without it
    /// a form is sent once, as is any other body that is a reader.
    #[must_use]
    pub const fn buffer_forms(mut self) -> Self {
        self.buffers_forms = true;
        self
    }

    /// The client, for building requests.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }
}

impl fmt::Debug for BlockingReqwestTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The client would print its default headers.
        f.debug_struct("BlockingReqwestTransport").finish_non_exhaustive()
    }
}

impl BlockingTransport for BlockingReqwestTransport {
    messages_of_reqwest!();

    type Error = reqwest::Error;

    fn prepare(&self, mut request: Request) -> Result<Request, reqwest::Error> {
        if self.buffers_forms && is_form(&request) {
            if let Some(body) = request.body_mut() {
                body.buffer()?;
            }
        }
        Ok(request)
    }

    fn model<'r>(&'r self, original: &'r mut Request) -> Option<Cow<'r, str>> {
        let body = original.body().and_then(Body::as_bytes);
        requested_model(original.url(), original.headers(), body)
    }

    fn send(&self, mut request: Request, target: &Target<'_>) -> Result<Response, Error<reqwest::Error>> {
        address(request.url_mut(), target)?;
        target.authenticate(request.headers_mut())?;
        #[cfg(feature = "json")]
        crate::model::address_blocking_body(&mut request, target);
        self.client.execute(request).map_err(|error| Error::Transport(without_query(error)))
    }

    fn fault(&self, error: &reqwest::Error) -> Fault {
        fault(error)
    }

    fn describe(&self, error: &reqwest::Error) -> String {
        causes(error)
    }

    /// Drains the response on a thread of its own: reading it here would let failover wait for it.
    fn discard(&self, response: Response) {
        if response.content_length().is_some_and(|length| length > MAX_BYTES) {
            return;
        }
        let Some(permit) = Permit::acquire(&self.drains) else { return };
        // If no thread can be had, the response is dropped with the closure.
        let _ = thread::Builder::new().name("lb-reqwest-drain".to_owned()).spawn(move || {
            let _permit = permit;
            let _ = copy(&mut response.take(MAX_BYTES), &mut sink());
        });
    }
}

fn is_form(request: &Request) -> bool {
    request.headers().get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"multipart/form-data"))
}

/// One of the drains that may run at a time; dropping it makes room for another.
struct Permit(Arc<AtomicUsize>);

impl Permit {
    fn acquire(drains: &Arc<AtomicUsize>) -> Option<Self> {
        // Relaxed: a bound, which orders nothing else. One too many is given back at once, by its drop.
        let (running, permit) = (drains.fetch_add(1, Ordering::Relaxed), Self(Arc::clone(drains)));
        (running < MAX_DRAINS).then_some(permit)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
