//! The load balancers: a pool, a transport and a source of randomness.

use std::sync::Arc;

use crate::{
    call::{Call, OnExhaustion},
    drive::{drive, drive_blocking},
    error::Error,
    pool::Pool,
    pools::Pools,
    rng::{Rng, ThreadRng},
    transport::{BlockingTransport, Transport},
    wishes::Wishes,
};

/// Sends requests over a [`Transport`] to the best available backend of a [`Pool`].
///
/// # Example
///
/// ```
/// use lb_core::{Backend, LoadBalancer, Pool, Transport};
///
/// async fn send<T: Transport>(transport: T, request: T::Request) -> Result<T::Response, Box<dyn std::error::Error>>
/// where
///     T::Error: std::error::Error + 'static,
/// {
///     let pool = Pool::new([Backend::new("ptu.openai.azure.com", 1)?, Backend::new("eu.openai.azure.com", 2)?])?;
///     let balancer = LoadBalancer::new(pool, transport);
///     Ok(balancer.send(request).await?)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct LoadBalancer<T, R = ThreadRng> {
    pools: Pools,
    transport: T,
    rng: R,
}

impl<T: Transport> LoadBalancer<T> {
    /// A balancer over `transport` on `pools`: a [`Pool`](crate::Pool), an `Arc<Pool>` shared with other balancers, or whatever else
    /// makes [`Pools`].
    pub fn new(pools: impl Into<Pools>, transport: T) -> Self {
        Self::with_parts(pools, transport, ThreadRng)
    }
}

impl<T: Transport, R: Rng> LoadBalancer<T, R> {
    /// A balancer with every part; a [`SeededRng`](crate::SeededRng) makes its choices repeatable.
    pub fn with_parts(pools: impl Into<Pools>, transport: T, rng: R) -> Self {
        Self { pools: pools.into(), transport, rng }
    }

    /// The pool that serves a request which begins now, for its snapshot; with pools by model the [first](Pools::pool).
    #[must_use]
    pub fn pool(&self) -> Arc<Pool> {
        self.pools.pool()
    }

    /// Which pool serves a request, for another balancer, and for the snapshots of several.
    #[must_use]
    pub const fn pools(&self) -> &Pools {
        &self.pools
    }

    /// The transport.
    #[must_use]
    pub const fn transport(&self) -> &T {
        &self.transport
    }

    /// Sends a request to the best available backend; a 429, 5xx or connect fault sends it on to the next.
    ///
    /// If no backend is left, and none could be tried or a 429 was among the answers, the response is a synthesised
    /// 429, which has an [`Exhausted`](crate::Exhausted) in its extensions. A backend's own response has a
    /// [`Served`](crate::Served) there.
    ///
    /// # Errors
    ///
    /// See [`Error`]; never [`Error::Exhausted`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future abandons the request, and counts the open attempt as cancelled: no backend is blamed.
    pub async fn send(&self, request: T::Request) -> Result<T::Response, Error<T::Error>> {
        drive(&self.pools, &self.transport, &self.rng, request, Call::default()).await
    }

    /// Sends a request like [`send`](LoadBalancer::send), with what it [wishes](Wishes).
    ///
    /// ```
    /// use lb_core::{Error, LoadBalancer, Transport, Wishes};
    ///
    /// /// Goes on with a response that a backend has stored: only its resource knows the id.
    /// async fn go_on<T: Transport>(
    ///     balancer: &LoadBalancer<T>,
    ///     request: T::Request,
    ///     made_by: &str,
    /// ) -> Result<T::Response, Error<T::Error>> {
    ///     balancer.send_with(request, Wishes::new().pin_resource(made_by)).await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// See [`Error`]; never [`Error::Exhausted`].
    ///
    /// # Cancel safety
    ///
    /// As [`send`](LoadBalancer::send). One that waits gives its place back.
    pub async fn send_with(&self, request: T::Request, wishes: Wishes) -> Result<T::Response, Error<T::Error>> {
        drive(&self.pools, &self.transport, &self.rng, request, Call::default().wishes(wishes)).await
    }

    /// Sends a request like [`send`](LoadBalancer::send), with exhaustion as a typed value instead of a synthesised
    /// response.
    ///
    /// # Errors
    ///
    /// See [`Error`]; [`Error::Exhausted`] where `send` answers with a synthesised 429.
    ///
    /// # Cancel safety
    ///
    /// As [`send`](LoadBalancer::send).
    pub async fn try_send(&self, request: T::Request) -> Result<T::Response, Error<T::Error>> {
        self.try_send_with(request, Wishes::new()).await
    }

    /// Sends a request like [`try_send`](LoadBalancer::try_send), with what it [wishes](Wishes).
    ///
    /// # Errors
    ///
    /// As [`try_send`](LoadBalancer::try_send).
    ///
    /// # Cancel safety
    ///
    /// As [`send_with`](LoadBalancer::send_with).
    pub async fn try_send_with(&self, request: T::Request, wishes: Wishes) -> Result<T::Response, Error<T::Error>> {
        let call = Call::default().on_exhaustion(OnExhaustion::Fail).wishes(wishes);
        drive(&self.pools, &self.transport, &self.rng, request, call).await
    }
}

/// Sends requests over a [`BlockingTransport`] to the best available backend of a [`Pool`].
///
/// It runs the same loop as a [`LoadBalancer`], and can share its pool. It needs no runtime, and must not be called
/// from an async task. A [`CredentialSource`](crate::CredentialSource) that is not ready at once counts as its
/// backend's fault.
#[derive(Debug, Clone)]
pub struct BlockingLoadBalancer<T, R = ThreadRng> {
    pools: Pools,
    transport: T,
    rng: R,
}

impl<T: BlockingTransport> BlockingLoadBalancer<T> {
    /// A balancer over `transport` on `pools`: a [`Pool`](crate::Pool), an `Arc<Pool>` shared with other balancers, or whatever else
    /// makes [`Pools`].
    pub fn new(pools: impl Into<Pools>, transport: T) -> Self {
        Self::with_parts(pools, transport, ThreadRng)
    }
}

impl<T: BlockingTransport, R: Rng> BlockingLoadBalancer<T, R> {
    /// A balancer with every part; a [`SeededRng`](crate::SeededRng) makes its choices repeatable.
    pub fn with_parts(pools: impl Into<Pools>, transport: T, rng: R) -> Self {
        Self { pools: pools.into(), transport, rng }
    }

    /// The pool that serves a request which begins now, for its snapshot; with pools by model the [first](Pools::pool).
    #[must_use]
    pub fn pool(&self) -> Arc<Pool> {
        self.pools.pool()
    }

    /// Which pool serves a request, for another balancer, and for the snapshots of several.
    #[must_use]
    pub const fn pools(&self) -> &Pools {
        &self.pools
    }

    /// The transport.
    #[must_use]
    pub const fn transport(&self) -> &T {
        &self.transport
    }

    /// Sends a request, and blocks until the response head is here; see [`LoadBalancer::send`].
    ///
    /// # Errors
    ///
    /// See [`Error`]; never [`Error::Exhausted`].
    pub fn send(&self, request: T::Request) -> Result<T::Response, Error<T::Error>> {
        drive_blocking(&self.pools, &self.transport, &self.rng, request, Call::default())
    }

    /// Sends a request like [`send`](BlockingLoadBalancer::send), with what it [wishes](Wishes).
    ///
    /// # Errors
    ///
    /// See [`Error`]; never [`Error::Exhausted`].
    pub fn send_with(&self, request: T::Request, wishes: Wishes) -> Result<T::Response, Error<T::Error>> {
        drive_blocking(&self.pools, &self.transport, &self.rng, request, Call::default().wishes(wishes))
    }

    /// Sends a request like [`send`](BlockingLoadBalancer::send), with exhaustion as a typed value.
    ///
    /// # Errors
    ///
    /// See [`Error`]; [`Error::Exhausted`] where `send` answers with a synthesised 429.
    pub fn try_send(&self, request: T::Request) -> Result<T::Response, Error<T::Error>> {
        self.try_send_with(request, Wishes::new())
    }

    /// Sends a request like [`try_send`](BlockingLoadBalancer::try_send), with what it [wishes](Wishes).
    ///
    /// # Errors
    ///
    /// As [`try_send`](BlockingLoadBalancer::try_send).
    pub fn try_send_with(&self, request: T::Request, wishes: Wishes) -> Result<T::Response, Error<T::Error>> {
        let call = Call::default().on_exhaustion(OnExhaustion::Fail).wishes(wishes);
        drive_blocking(&self.pools, &self.transport, &self.rng, request, call)
    }
}
