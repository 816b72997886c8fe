//! The loop of the library: written once, driven async and blocking.

use std::{
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
    rng::Rng,
    served::Served,
    target::Target,
    transport::{Blocking, BlockingTransport, Transport},
};

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
        transport.mark(&mut response, Served::new(backend, target.attempt()));
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
