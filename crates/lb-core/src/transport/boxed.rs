//! A transport of an erased type, for those who want `dyn`.

use std::{fmt, future::Future, sync::Arc};

use super::{Head, Transport};
use crate::{
    future::BoxFuture, error::Error, exhausted::Exhausted, outcome::Fault, served::Served, target::Target,
};

/// A [`Transport`] of an erased type, with requests `Q`, responses `S` and errors `E`.
///
/// It lets a struct hold balancers over different transports without a type parameter, at the price of two boxed
/// futures per attempt. Clones share the transport.
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use lb_core::{BoxTransport, LoadBalancer};
///
/// /// Holds whichever transport the application was configured with.
/// struct App {
///     balancer: LoadBalancer<BoxTransport<Request<Bytes>, Response<Bytes>, std::io::Error>>,
/// }
/// ```
pub struct BoxTransport<Q, S, E>(Arc<dyn Erased<Q, S, E>>);

impl<Q: Send, S: Send, E: Send> BoxTransport<Q, S, E> {
    /// Erases the type of `transport`.
    pub fn new<T>(transport: T) -> Self
    where
        T: Transport<Request = Q, Response = S, Error = E> + 'static,
        T::Original: 'static,
    {
        Self(Arc::new(Shared(Arc::new(transport))))
    }
}

impl<Q, S, E> Clone for BoxTransport<Q, S, E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<Q, S, E> fmt::Debug for BoxTransport<Q, S, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxTransport")
    }
}

/// The part of a transport that does not touch its original.
trait Erased<Q, S, E>: Send + Sync {
    fn prepare(&self, request: Q) -> BoxFuture<'_, Result<BoxOriginal<Q, S>, E>>;
    fn send<'a>(&'a self, request: Q, target: &'a Target<'_>) -> BoxFuture<'a, Result<S, Error<E>>>;
    fn head<'r>(&self, response: &'r S) -> Head<'r>;
    fn fault(&self, error: &E) -> Fault;
    fn mark(&self, response: &mut S, served: Served);
    fn discard(&self, response: S);
}

/// An original together with its transport: its type needs no downcast.
trait ErasedOriginal<Q, S>: Send {
    fn replay(&self) -> Option<Q>;
    fn is_replayable(&self) -> bool;
    fn take(&mut self) -> Q;
    fn synthesize(&self, exhausted: &Exhausted) -> S;
}

/// The original of a [`BoxTransport`].
pub struct BoxOriginal<Q, S>(Box<dyn ErasedOriginal<Q, S>>);

impl<Q, S> fmt::Debug for BoxOriginal<Q, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxOriginal")
    }
}

struct Shared<T>(Arc<T>);

struct Bound<T: Transport> {
    transport: Arc<T>,
    original: T::Original,
}

impl<T> Erased<T::Request, T::Response, T::Error> for Shared<T>
where
    T: Transport + 'static,
    T::Original: 'static,
{
    fn prepare(&self, request: T::Request) -> BoxFuture<'_, Result<BoxOriginal<T::Request, T::Response>, T::Error>> {
        Box::pin(async move {
            let original = self.0.prepare(request).await?;
            Ok(BoxOriginal(Box::new(Bound { transport: Arc::clone(&self.0), original })))
        })
    }

    fn send<'a>(
        &'a self,
        request: T::Request,
        target: &'a Target<'_>,
    ) -> BoxFuture<'a, Result<T::Response, Error<T::Error>>> {
        Box::pin(self.0.send(request, target))
    }

    fn head<'r>(&self, response: &'r T::Response) -> Head<'r> {
        self.0.head(response)
    }

    fn fault(&self, error: &T::Error) -> Fault {
        self.0.fault(error)
    }

    fn mark(&self, response: &mut T::Response, served: Served) {
        self.0.mark(response, served);
    }

    fn discard(&self, response: T::Response) {
        self.0.discard(response);
    }
}

impl<T: Transport> ErasedOriginal<T::Request, T::Response> for Bound<T> {
    fn replay(&self) -> Option<T::Request> {
        self.transport.replay(&self.original)
    }

    fn is_replayable(&self) -> bool {
        self.transport.is_replayable(&self.original)
    }

    fn take(&mut self) -> T::Request {
        self.transport.take(&mut self.original)
    }

    fn synthesize(&self, exhausted: &Exhausted) -> T::Response {
        self.transport.synthesize(&self.original, exhausted)
    }
}

impl<Q: Send, S: Send, E: Send> Transport for BoxTransport<Q, S, E> {
    type Request = Q;
    type Original = BoxOriginal<Q, S>;
    type Response = S;
    type Error = E;

    fn prepare(&self, request: Q) -> impl Future<Output = Result<BoxOriginal<Q, S>, E>> + Send {
        self.0.prepare(request)
    }

    fn replay(&self, original: &BoxOriginal<Q, S>) -> Option<Q> {
        original.0.replay()
    }

    fn is_replayable(&self, original: &BoxOriginal<Q, S>) -> bool {
        original.0.is_replayable()
    }

    fn take(&self, original: &mut BoxOriginal<Q, S>) -> Q {
        original.0.take()
    }

    async fn send(&self, request: Q, target: &Target<'_>) -> Result<S, Error<E>> {
        self.0.send(request, target).await
    }

    fn head<'r>(&self, response: &'r S) -> Head<'r> {
        self.0.head(response)
    }

    fn fault(&self, error: &E) -> Fault {
        self.0.fault(error)
    }

    fn synthesize(&self, original: &BoxOriginal<Q, S>, exhausted: &Exhausted) -> S {
        original.0.synthesize(exhausted)
    }

    fn mark(&self, response: &mut S, served: Served) {
        self.0.mark(response, served);
    }

    fn discard(&self, response: S) {
        self.0.discard(response);
    }
}
