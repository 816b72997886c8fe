//! The loop of the library: written once, driven async and blocking.

use std::{
    borrow::Cow,
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use crate::{
    call::{Call, OnExhaustion},
    cause::Detail,
    causes::causes,
    clock::Instant,
    dispatch::{Dispatch, Moved, Step},
    error::Error,
    fault::Fault,
    not_repeated::NotRepeated,
    outcome::{Outcome, Verdict},
    peek::{PEEK_FOR, Refusal, announces_refusal},
    pool::Pool,
    pools::Pools,
    rng::Rng,
    served::Served,
    target::Target,
    transport::{Blocking, BlockingTransport, Head, Transport, sleep_on_a_thread},
    wishes::{WishError, Wishes},
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
    run(pools, transport, rng, request, call, Mode::Async).await
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
    let run = pin!(run(pools, &transport, rng, request, call, Mode::Blocking));
    match run.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        // Every await in the loop is on the transport, whose futures are ready, on a sleep that has blocked, or on a
        // credential, which does not wait.
        Poll::Pending => unreachable!("the loop over a blocking transport never waits"),
    }
}

/// Whether the loop may be pending.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Async,
    Blocking,
}

/// A thread that waits cannot be woken: it looks so often whether an operator has done something.
const LOOKS_UP_AFTER: Duration = Duration::from_secs(1);

type Answer<T> = Result<<T as Transport>::Response, Error<<T as Transport>::Error>>;

async fn run<T: Transport, R: Rng + ?Sized>(
    pools: &Pools,
    transport: &T,
    rng: &R,
    request: T::Request,
    call: Call,
    mode: Mode,
) -> Answer<T> {
    let wishes = match transport.wishes(&request) {
        Some(wishes) => wishes.or(call.wishes),
        None => call.wishes,
    };
    let mut original = transport.prepare(request).await.map_err(Error::Transport)?;
    let model = if pools.are_by_model() { transport.model(&mut original).await.map(Cow::into_owned) } else { None };
    let mut beginning = Beginning::Anew(wishes);
    // Once for every pool: a request that waits goes on in the one that has replaced its own.
    'pool: loop {
        let serving = pools.serving(model.as_deref())?;
        let pool = &*serving;
        let mut dispatch = match beginning {
            Beginning::Anew(wishes) => pool.dispatch_with(wishes)?,
            Beginning::Again(moved) => Dispatch::arrive(pool, *moved)?,
        };
        if mode == Mode::Blocking && dispatch.head_timeout().is_some() {
            dispatch.refuse();
            return Err(Error::Wish(WishError::HeadTimeoutWhileBlocking));
        }
        let mut last = None;
        loop {
            let attempt = match dispatch.next(|| pool.now(), rng) {
                Step::Try(attempt) => attempt,
                Step::Wait(until) => {
                    discard(transport, last.take());
                    // Boxed, as all that is rare: it would make the future of every request larger.
                    Box::pin(wait(pool, transport, until, dispatch.ticket(), mode)).await;
                    if pools.are_fixed() {
                        continue;
                    }
                    beginning = Beginning::Again(Box::new(dispatch.leave()));
                    continue 'pool;
                }
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
            let answer = match obtain_credential(&mut target, mode).await {
                Err(error) => Err(error),
                Ok(()) => match transport.replay(&mut original) {
                    Some(copy) => send(transport, copy, &target, &dispatch).await,
                    None => {
                        // It can be sent once only: whatever comes is the caller's.
                        let answer = send(transport, original, &target, &dispatch).await;
                        let (answer, refusal) = peek(pool, transport, answer, mode).await;
                        if settle(&mut dispatch, transport, &target, &answer, refusal) == Verdict::FailOver {
                            dispatch.cannot_repeat(NotRepeated::BodySpent);
                        }
                        return answer;
                    }
                },
            };
            let (answer, refusal) = peek(pool, transport, answer, mode).await;
            match settle(&mut dispatch, transport, &target, &answer, refusal) {
                Verdict::Return => return answer,
                Verdict::FailOver if target.is_guarded() && !dispatch.is_pinned() => {
                    dispatch.cannot_repeat(NotRepeated::StatefulPath);
                    return answer;
                }
                Verdict::FailOver => last = Some(answer),
            }
        }
    }
}

/// How a request begins in a pool.
enum Beginning {
    Anew(Wishes),
    /// It has waited in another one.
    Again(Box<Moved>),
}

/// Waits until then, or until something was done by hand that the holder of this ticket may want.
async fn wait<T: Transport>(pool: &Pool, transport: &T, until: Instant, ticket: Option<u64>, mode: Mode) {
    let is_stirred = |waker: &Waker| ticket.is_some_and(|ticket| pool.waiting.is_stirred(ticket, waker));
    match mode {
        Mode::Async => {
            let stirred = poll_fn(|context| if is_stirred(context.waker()) { Poll::Ready(()) } else { Poll::Pending });
            let _ = first(sleep(pool, transport, until, mode), stirred).await;
        }
        Mode::Blocking => {
            let mut now = pool.now();
            while now < until && !is_stirred(Waker::noop()) {
                sleep(pool, transport, until.min(now.saturating_add(LOOKS_UP_AFTER)), mode).await;
                now = pool.now();
            }
        }
    }
}

/// Sleeps by the pool's clock if that can, else by the transport's.
async fn sleep<T: Transport>(pool: &Pool, transport: &T, until: Instant, mode: Mode) {
    let duration = until.saturating_since(pool.now());
    match mode {
        Mode::Async => match pool.clock().sleep(duration) {
            Some(sleep) => sleep.await,
            None => transport.sleep(duration).await,
        },
        Mode::Blocking => {
            if !pool.clock().sleep_blocking(duration) {
                transport.sleep(duration).await;
            }
        }
    }
}

async fn obtain_credential<E>(target: &mut Target<'_>, mode: Mode) -> Result<(), Error<E>> {
    let obtained = match mode {
        Mode::Async => target.obtain_credential().await,
        Mode::Blocking => target.obtain_credential_now(),
    };
    obtained.map_err(|source| Error::Credential { backend: target.backend().name().to_owned(), source })
}

async fn send<T: Transport>(
    transport: &T,
    request: T::Request,
    target: &Target<'_>,
    dispatch: &Dispatch<&Pool>,
) -> Answer<T> {
    let sending = transport.send(request, target);
    let mut response = match dispatch.head_timeout() {
        None => sending.await?,
        Some(after) => {
            let pool = *dispatch.pool();
            let too_late = Box::pin(sleep(pool, transport, pool.now().saturating_add(after), Mode::Async));
            match first(sending, too_late).await {
                Some(answer) => answer?,
                None => return Err(Error::HeadTimeout { backend: target.backend().name().to_owned(), after }),
            }
        }
    };
    let backend = Arc::clone(target.backend().shared_name());
    let served =
        Served::new(backend, target.attempt(), dispatch.waited(), dispatch.trail()).numbered(dispatch.number_told());
    dispatch.tell_served(&served);
    transport.mark(&mut response, served);
    Ok(response)
}

/// Looks into a stream whose head announces a refusal, before the answer is settled: its caller has seen nothing of it.
async fn peek<T: Transport>(pool: &Pool, transport: &T, answer: Answer<T>, mode: Mode) -> (Answer<T>, Option<Refusal>) {
    match answer {
        Ok(response) if pool.peeks() && has_announced(transport.head(&response)) => {
            let enough = async {
                match (pool.clock().sleep(PEEK_FOR), mode) {
                    (Some(sleep), _) => sleep.await,
                    (None, Mode::Async) => transport.sleep(PEEK_FOR).await,
                    // That of a blocking transport would block before anything was read.
                    (None, Mode::Blocking) => sleep_on_a_thread(PEEK_FOR).await,
                }
            };
            let (response, refusal) = Box::pin(transport.peek(response, enough)).await;
            (Ok(response), refusal)
        }
        answer => (answer, None),
    }
}

fn has_announced(head: Head<'_>) -> bool {
    announces_refusal(head.status(), head.headers())
}

/// What the future gives, unless `too_late` is ready before it.
async fn first<T>(future: impl Future<Output = T>, too_late: impl Future<Output = ()>) -> Option<T> {
    let (mut future, mut too_late) = (pin!(future), pin!(too_late));
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => too_late.as_mut().poll(context).map(|()| None),
    })
    .await
}

fn settle<T: Transport>(
    dispatch: &mut Dispatch<&Pool>,
    transport: &T,
    target: &Target<'_>,
    answer: &Answer<T>,
    refusal: Option<Refusal>,
) -> Verdict {
    #[cfg(feature = "json")]
    if let (Some(why), Ok(_) | Err(Error::Transport(_))) = (target.unmapped(), answer) {
        dispatch.tell_unmapped(why);
    }
    let pool = *dispatch.pool();
    let detail = || match answer {
        Ok(response) => Detail::from_headers(transport.head(response).headers()),
        Err(Error::Transport(error)) => Detail::from_text(&transport.describe(error)),
        Err(Error::Credential { source, .. }) => Detail::from_text(&causes(source)),
        Err(
            Error::Address(_) | Error::Exhausted(_) | Error::HeadTimeout { .. } | Error::Wish(_) | Error::NoPool(_),
        ) => Detail::default(),
    };
    dispatch.settle_with(outcome(pool, transport, target, answer, refusal), detail, || pool.now())
}

fn outcome<T: Transport>(
    pool: &Pool,
    transport: &T,
    target: &Target<'_>,
    answer: &Answer<T>,
    refusal: Option<Refusal>,
) -> Outcome {
    match answer {
        Ok(response) => {
            let head = transport.head(response);
            match refusal {
                Some(refusal) => refusal.outcome(head.headers(), || pool.wall()),
                None => pool.outcome(head.status(), head.headers()),
            }
        }
        Err(Error::Transport(error)) => Outcome::Faulted(target.told_fault().unwrap_or_else(|| transport.fault(error))),
        Err(Error::Credential { .. }) => Outcome::Faulted(Fault::Credential),
        Err(Error::HeadTimeout { .. }) => Outcome::Faulted(Fault::Timeout),
        // Nothing was sent, and not for a reason that lies with the backend.
        Err(Error::Address(_) | Error::Exhausted(_) | Error::Wish(_) | Error::NoPool(_)) => Outcome::Cancelled,
    }
}

fn discard<T: Transport>(transport: &T, last: Option<Answer<T>>) {
    if let Some(Ok(response)) = last {
        transport.discard(response);
    }
}
