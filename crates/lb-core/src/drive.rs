//! The loop of the library: written once, driven async and blocking.

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use crate::{
    call::{Call, OnExhaustion},
    cause::Detail,
    causes::causes,
    dispatch::{Dispatch, Step},
    error::Error,
    fault::Fault,
    outcome::{Outcome, Verdict},
    pool::Pool,
    pools::Pools,
    rng::Rng,
    served::Served,
    target::Target,
    transport::{Blocking, BlockingTransport, Transport},
};

/// Runs one request: the loop of the library.
///
/// [`LoadBalancer`](crate::LoadBalancer) calls it; call it yourself for a transport that lives for one call only, such as
/// one that borrows a middleware's `next`.
///
/// # Errors
///
/// See [`Error`].
///
/// # Cancel safety
///
/// As [`LoadBalancer::send`](crate::LoadBalancer::send).
pub async fn drive<T: Transport, R: Rng + ?Sized>(
    pools: &Pools,
    transport: &T,
    rng: &R,
    request: T::Request,
    call: Call,
) -> Result<T::Response, Error<T::Error>> {
    run(pools, transport, rng, request, call, Wait::ForCredentials).await
}

/// Runs one request over a blocking transport, in the same loop as [`drive`].
///
/// # Errors
///
/// See [`Error`].
pub fn drive_blocking<T: BlockingTransport, R: Rng + ?Sized>(
    pools: &Pools,
    transport: &T,
    rng: &R,
    request: T::Request,
    call: Call,
) -> Result<T::Response, Error<T::Error>> {
    let transport = Blocking(transport);
    let run = pin!(run(pools, &transport, rng, request, call, Wait::Never));
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

type Answer<T> = Result<<T as Transport>::Response, Error<<T as Transport>::Error>>;

async fn run<T: Transport, R: Rng + ?Sized>(
    pools: &Pools,
    transport: &T,
    rng: &R,
    request: T::Request,
    call: Call,
    wait: Wait,
) -> Answer<T> {
    let mut original = transport.prepare(request).await.map_err(Error::Transport)?;
    let pool = pools.serving();
    let mut dispatch = pool.dispatch();
    let mut last = None;
    loop {
        let attempt = match dispatch.next(|| pool.now(), rng) {
            Step::Try(attempt) => attempt,
            Step::ReturnLast(exhausted) => return last.unwrap_or(Err(Error::Exhausted(exhausted))),
            Step::Exhausted(exhausted) => {
                discard(transport, last);
                return match call.on_exhaustion {
                    OnExhaustion::Synthesize => Ok(transport.synthesize(&original, &exhausted)),
                    OnExhaustion::Fail => Err(Error::Exhausted(exhausted)),
                };
            }
        };
        discard(transport, last);

        let mut target = pool.target(&attempt);
        let answer = match obtain_credential(&mut target, wait).await {
            Err(error) => Err(error),
            Ok(()) => match transport.replay(&mut original) {
                Some(copy) => send(transport, copy, &target).await,
                None => {
                    // It can be sent once only: whatever comes is the caller's.
                    let answer = send(transport, original, &target).await;
                    if settle(&mut dispatch, transport, &target, &answer) == Verdict::FailOver {
                        dispatch.cannot_repeat();
                    }
                    return answer;
                }
            },
        };
        match settle(&mut dispatch, transport, &target, &answer) {
            Verdict::Return => return answer,
            Verdict::FailOver => last = Some(answer),
        }
    }
}

async fn obtain_credential<E>(target: &mut Target<'_>, wait: Wait) -> Result<(), Error<E>> {
    let obtained = match wait {
        Wait::ForCredentials => target.obtain_credential().await,
        Wait::Never => target.obtain_credential_now(),
    };
    obtained.map_err(|source| Error::Credential { backend: target.backend().name().to_owned(), source })
}

async fn send<T: Transport>(transport: &T, request: T::Request, target: &Target<'_>) -> Answer<T> {
    let mut response = transport.send(request, target).await?;
    let backend = Arc::clone(target.backend().shared_name());
    transport.mark(&mut response, Served::new(backend, target.attempt()));
    Ok(response)
}

fn settle<T: Transport>(
    dispatch: &mut Dispatch<&Pool>,
    transport: &T,
    target: &Target<'_>,
    answer: &Answer<T>,
) -> Verdict {
    let pool = *dispatch.pool();
    let detail = || match answer {
        Ok(response) => Detail::from_headers(transport.head(response).headers()),
        Err(Error::Transport(error)) => Detail::from_text(&transport.describe(error)),
        Err(Error::Credential { source, .. }) => Detail::from_text(&causes(source)),
        Err(Error::Address(_) | Error::Exhausted(_)) => Detail::default(),
    };
    dispatch.settle_with(outcome(pool, transport, target, answer), detail, || pool.now())
}

fn outcome<T: Transport>(pool: &Pool, transport: &T, target: &Target<'_>, answer: &Answer<T>) -> Outcome {
    match answer {
        Ok(response) => {
            let head = transport.head(response);
            pool.outcome(head.status(), head.headers())
        }
        Err(Error::Transport(error)) => Outcome::Faulted(target.told_fault().unwrap_or_else(|| transport.fault(error))),
        Err(Error::Credential { .. }) => Outcome::Faulted(Fault::Credential),
        // Nothing was sent, and not for a reason that lies with the backend.
        Err(Error::Address(_) | Error::Exhausted(_)) => Outcome::Cancelled,
    }
}

fn discard<T: Transport>(transport: &T, last: Option<Answer<T>>) {
    if let Some(Ok(response)) = last {
        transport.discard(response);
    }
}
