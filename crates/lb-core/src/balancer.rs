//! The load balancer: the loop of the library, written once, driven async and blocking.

use std::{
    fmt,
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use crate::{
    dispatch::{Dispatch, Step},
    error::Error,
    outcome::{Fault, Outcome, Verdict},
    pool::Pool,
    rng::{Rng, ThreadRng},
    target::Target,
    transport::{Blocking, BlockingTransport, Transport},
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
    pool: Arc<Pool>,
    transport: T,
    rng: R,
}

impl<T: Transport> LoadBalancer<T> {
    /// A balancer over `transport` on `pool`, which is a [`Pool`] or an `Arc<Pool>` shared with other balancers.
    pub fn new(pool: impl Into<Arc<Pool>>, transport: T) -> Self {
        Self::with_parts(pool, transport, ThreadRng)
    }
}

impl<T: Transport, R: Rng> LoadBalancer<T, R> {
    /// A balancer with every part; a [`SeededRng`](crate::SeededRng) makes its choices repeatable.
    pub fn with_parts(pool: impl Into<Arc<Pool>>, transport: T, rng: R) -> Self {
        Self { pool: pool.into(), transport, rng }
    }

    /// The pool, for its snapshot or for another balancer.
    #[must_use]
    pub const fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// The transport.
    #[must_use]
    pub const fn transport(&self) -> &T {
        &self.transport
    }

    /// Sends a request to the best available backend; a 429, 5xx or connect fault sends it on to the next.
    ///
    /// If no backend is left, and none could be tried or a 429 was among the answers, the response is a synthesised
    /// 429, which has an [`Exhausted`](crate::Exhausted) in its extensions. A backend's own response has a [`Served`] there.
    ///
    /// # Errors
    ///
    /// See [`Error`]; never [`Error::Exhausted`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future abandons the request, and counts the open attempt as cancelled: no backend is blamed.
    pub async fn send(&self, request: T::Request) -> Result<T::Response, Error<T::Error>> {
        drive(&self.pool, &self.transport, &self.rng, request, OnExhaustion::Synthesize).await
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
        drive(&self.pool, &self.transport, &self.rng, request, OnExhaustion::Fail).await
    }
}

/// Sends requests over a [`BlockingTransport`] to the best available backend of a [`Pool`].
///
/// It runs the same loop as a [`LoadBalancer`], and can share its pool. It needs no runtime, and must not be called
/// from an async task. A [`CredentialSource`](crate::CredentialSource) that is not ready at once counts as its
/// backend's fault.
#[derive(Debug, Clone)]
pub struct BlockingLoadBalancer<T, R = ThreadRng> {
    pool: Arc<Pool>,
    transport: T,
    rng: R,
}

impl<T: BlockingTransport> BlockingLoadBalancer<T> {
    /// A balancer over `transport` on `pool`, which is a [`Pool`] or an `Arc<Pool>` shared with other balancers.
    pub fn new(pool: impl Into<Arc<Pool>>, transport: T) -> Self {
        Self::with_parts(pool, transport, ThreadRng)
    }
}

impl<T: BlockingTransport, R: Rng> BlockingLoadBalancer<T, R> {
    /// A balancer with every part; a [`SeededRng`](crate::SeededRng) makes its choices repeatable.
    pub fn with_parts(pool: impl Into<Arc<Pool>>, transport: T, rng: R) -> Self {
        Self { pool: pool.into(), transport, rng }
    }

    /// The pool, for its snapshot or for another balancer.
    #[must_use]
    pub const fn pool(&self) -> &Arc<Pool> {
        &self.pool
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
        drive_blocking(&self.pool, &self.transport, &self.rng, request, OnExhaustion::Synthesize)
    }

    /// Sends a request like [`send`](BlockingLoadBalancer::send), with exhaustion as a typed value.
    ///
    /// # Errors
    ///
    /// See [`Error`]; [`Error::Exhausted`] where `send` answers with a synthesised 429.
    pub fn try_send(&self, request: T::Request) -> Result<T::Response, Error<T::Error>> {
        drive_blocking(&self.pool, &self.transport, &self.rng, request, OnExhaustion::Fail)
    }
}

/// Which backend served a response, and after how many attempts: an extension of the response.
///
/// ```
/// fn log<B>(response: &http::Response<B>) {
///     if let Some(served) = response.extensions().get::<lb_core::Served>() {
///         println!("{} after {} attempts", served.backend(), served.attempts());
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    backend: Arc<str>,
    attempts: u32,
}

impl Served {
    /// The name of the backend.
    #[must_use]
    pub fn backend(&self) -> &str {
        &self.backend
    }

    /// How many attempts the request made, this one included.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (attempt {})", self.backend, self.attempts)
    }
}

/// What the loop does when no backend is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExhaustion {
    /// Answer with a synthesised 429.
    Synthesize,
    /// Return [`Error::Exhausted`].
    Fail,
}

/// Runs one request: the loop of the library.
///
/// [`LoadBalancer`] calls it; call it yourself for a transport that lives for one call only, such as one that borrows
/// a middleware's `next`.
///
/// # Errors
///
/// See [`Error`].
///
/// # Cancel safety
///
/// As [`LoadBalancer::send`].
pub async fn drive<T: Transport, R: Rng + ?Sized>(
    pool: &Pool,
    transport: &T,
    rng: &R,
    request: T::Request,
    on_exhaustion: OnExhaustion,
) -> Result<T::Response, Error<T::Error>> {
    run(pool, transport, rng, request, on_exhaustion, Wait::ForCredentials).await
}

/// Runs one request over a blocking transport, in the same loop as [`drive`].
///
/// # Errors
///
/// See [`Error`].
pub fn drive_blocking<T: BlockingTransport, R: Rng + ?Sized>(
    pool: &Pool,
    transport: &T,
    rng: &R,
    request: T::Request,
    on_exhaustion: OnExhaustion,
) -> Result<T::Response, Error<T::Error>> {
    let transport = Blocking(transport);
    let run = pin!(run(pool, &transport, rng, request, on_exhaustion, Wait::Never));
    match run.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        // Every await in the loop is on the transport, whose futures are ready, or on a credential, which does not wait.
        Poll::Pending => unreachable!("the loop over a blocking transport never waits"),
    }
}

/// Whether the loop may wait for a credential.
#[derive(Clone, Copy)]
enum Wait {
    ForCredentials,
    Never,
}

async fn run<T: Transport, R: Rng + ?Sized>(
    pool: &Pool,
    transport: &T,
    rng: &R,
    request: T::Request,
    on_exhaustion: OnExhaustion,
    wait: Wait,
) -> Result<T::Response, Error<T::Error>> {
    let mut original = transport.prepare(request).await.map_err(Error::Transport)?;
    let mut dispatch = pool.dispatch();
    let mut last = None;
    let mut is_replayable = false;
    loop {
        let mut target = match dispatch.next(|| pool.now(), rng) {
            Step::Try(target) => target,
            Step::ReturnLast(exhausted) => return last.unwrap_or(Err(Error::Exhausted(exhausted))),
            Step::Exhausted(exhausted) => {
                discard(transport, last);
                return match on_exhaustion {
                    OnExhaustion::Synthesize => Ok(transport.synthesize(&original, &exhausted)),
                    OnExhaustion::Fail => Err(Error::Exhausted(exhausted)),
                };
            }
        };
        discard(transport, last);

        let (answer, is_spent) = match obtain_credential(&mut target, wait).await {
            Ok(()) => {
                let answer = attempt(transport, &mut original, &dispatch, &target, &mut is_replayable).await;
                (answer, !is_replayable)
            }
            Err(error) => (Err(error), false),
        };
        let outcome = outcome(pool, transport, &answer);
        let verdict = dispatch.settle(outcome, || pool.now());
        if verdict == Verdict::Return || is_spent {
            return answer;
        }
        last = Some(answer);
    }
}

async fn obtain_credential<E>(target: &mut Target<'_>, wait: Wait) -> Result<(), Error<E>> {
    let obtained = match wait {
        Wait::ForCredentials => target.obtain_credential().await,
        Wait::Never => target.obtain_credential_now(),
    };
    obtained.map_err(|source| Error::Credential { backend: target.backend().name().to_owned(), source })
}

/// Sends the original to the target, and finds out whether its body can be replayed. If not, the original is spent, and
/// this answer is the caller's.
async fn attempt<T: Transport>(
    transport: &T,
    original: &mut T::Original,
    dispatch: &Dispatch<'_>,
    target: &Target<'_>,
    is_replayable: &mut bool,
) -> Result<T::Response, Error<T::Error>> {
    // A copy is proof, this one or an earlier one. Without any, the last possible attempt has to ask before it moves.
    let is_last = dispatch.attempts_are_used_up();
    let copy = if is_last { None } else { transport.replay(original) };
    *is_replayable = copy.is_some() || (is_last && (*is_replayable || transport.is_replayable(original)));
    let request = copy.unwrap_or_else(|| transport.take(original));
    transport.send(request, target).await.map(|mut response| {
        let backend = Arc::clone(target.backend().shared_name());
        transport.mark(&mut response, Served { backend, attempts: target.attempt() });
        response
    })
}

fn outcome<T: Transport>(pool: &Pool, transport: &T, answer: &Result<T::Response, Error<T::Error>>) -> Outcome {
    match answer {
        Ok(response) => {
            let head = transport.head(response);
            Outcome::answered(head.status(), head.headers(), || pool.wall())
        }
        Err(Error::Transport(error)) => Outcome::Faulted(transport.fault(error)),
        Err(Error::Credential { .. }) => Outcome::Faulted(Fault::Credential),
        // Nothing was sent, and not for a reason that lies with the backend.
        Err(Error::Address(_) | Error::Exhausted(_)) => Outcome::Cancelled,
    }
}

fn discard<T: Transport>(transport: &T, last: Option<Result<T::Response, Error<T::Error>>>) {
    if let Some(Ok(response)) = last {
        transport.discard(response);
    }
}
