//! Runtimes: tokio, smol, a bare executor, and none at all; and futures that are dropped at every await.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::Request;
use lb_core::{
    BoxFuture, Counters, Credential, CredentialError, CredentialSource, Error, Exhausted, Fault, Head, LoadBalancer,
    MockClock, Pool, SeededRng, Served, State, Target, Transport,
    test_util::{Reply, ScriptedFault, ScriptedTransport},
};
use lb_tests::stage::{ask, host, pool_of};

/// A key that is fetched: so often pending before it is there.
struct Fetched(u32);

impl CredentialSource for Fetched {
    fn credential(&self) -> BoxFuture<'_, Result<Credential, CredentialError>> {
        let left = self.0;
        Box::pin(async move {
            wait(left).await;
            Credential::api_key("FETCHED")
        })
    }
}

/// Is pending so often.
async fn wait(times: u32) {
    let mut left = times;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn balancer() -> Arc<LoadBalancer<ScriptedTransport, SeededRng>> {
    let transport = ScriptedTransport::new();
    transport.always("a", Reply::status(429).header("retry-after", "60").after_polls(3));
    transport.always("b", Reply::status(200).body("from b").after_polls(2));
    let pool = Pool::builder()
        .backend(host("a", 1).credential_source(Fetched(2)).build().unwrap())
        .backend(host("b", 2).credential_source(Fetched(1)).build().unwrap())
        .clock(MockClock::new())
        .build()
        .unwrap();
    Arc::new(LoadBalancer::with_parts(pool, transport, SeededRng::new(1)))
}

async fn is_served_by_b(balancer: Arc<LoadBalancer<ScriptedTransport, SeededRng>>) -> u32 {
    let response = balancer.send(ask()).await.unwrap();
    assert_eq!(response.body(), "from b");
    response.extensions().get::<Served>().unwrap().attempts()
}

#[test]
fn it_runs_under_tokio_with_one_thread_and_with_many() {
    let many = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let one = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for runtime in [one, many] {
        let balancer = balancer();
        assert_eq!(runtime.block_on(is_served_by_b(Arc::clone(&balancer))), 2);
        let spawned: Vec<_> = (0..20).map(|_| runtime.spawn(is_served_by_b(Arc::clone(&balancer)))).collect();
        for task in spawned {
            assert_eq!(runtime.block_on(task).unwrap(), 1, "a cools down");
        }
    }
}

#[test]
fn it_runs_under_smol() {
    let balancer = balancer();
    assert_eq!(smol::block_on(is_served_by_b(Arc::clone(&balancer))), 2);
    let task = smol::spawn(is_served_by_b(balancer));
    assert_eq!(smol::block_on(task), 1);
}

#[test]
fn it_runs_under_a_bare_executor() {
    assert_eq!(futures::executor::block_on(is_served_by_b(balancer())), 2);
}

#[test]
fn it_runs_without_any_runtime_and_waits_for_nothing_of_its_own() {
    let balancer = balancer();
    let mut sending = pin!(balancer.send(ask()));
    let mut polls = 0;
    let response = loop {
        polls += 1;
        match sending.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(response) => break response.unwrap(),
            Poll::Pending => assert!(polls < 100),
        }
    };
    assert_eq!(response.status(), 200);
    // Two and one for the credentials, three and two for the answers, and the last one.
    assert_eq!(polls, 2 + 3 + 1 + 2 + 1);
}

#[test]
fn the_futures_can_be_sent_between_threads() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let balancer = balancer();
    drop(is_send(balancer.send(ask())));
    drop(is_send(balancer.try_send(ask())));
    let sending = balancer.send(ask());
    std::thread::scope(|scope| {
        let response = scope.spawn(|| futures::executor::block_on(sending)).join().unwrap();
        assert_eq!(response.unwrap().status(), 200);
    });
}

fn ended(counters: Counters) -> u64 {
    let Counters { attempts, cancelled, in_flight, .. } = counters;
    assert_eq!(in_flight, 0, "{counters:?}");
    attempts - cancelled
}

#[test]
fn a_future_dropped_at_any_await_leaks_nothing_and_blames_nobody() {
    let mut cancelled = Vec::new();
    for polls in 0.. {
        let balancer = balancer();
        let mut sending = Box::pin(balancer.send(ask()));
        let is_ready = (0..polls).any(|_| sending.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
        drop(sending);
        let [a, b] = [0, 1].map(|slot| balancer.pool().snapshot().backends[slot].clone());
        let outcome = (ended(a.counters), a.counters.cancelled, ended(b.counters), b.counters.cancelled);
        cancelled.push(outcome);
        assert_eq!(b.state, State::Available, "dropped after {polls} polls");
        assert_eq!(matches!(a.state, State::Cooling { .. }), a.counters.throttles == 1, "dropped after {polls} polls");
        if is_ready {
            break;
        }
    }
    // Never polled: nothing began. Then 2 + 3 polls at a, then 1 + 2 at b, and the last one is the answer.
    let at_a = [(0, 1, 0, 0); 5];
    let at_b = [(1, 0, 0, 1); 3];
    let expected = [[(0, 0, 0, 0)].as_slice(), &at_a, &at_b, &[(1, 0, 1, 0)]].concat();
    assert_eq!(cancelled, expected);
}

#[test]
fn a_caller_that_gives_up_on_a_backend_that_never_answers_changes_nothing_for_others() {
    let transport = ScriptedTransport::new();
    transport.reply("a", Reply::never());
    let pool = pool_of(&[("a", 1), ("b", 2)]).clock(MockClock::new()).build().unwrap();
    let balancer = LoadBalancer::with_parts(pool, transport, SeededRng::new(1));
    let mut hanging = Box::pin(balancer.send(ask()));
    for _ in 0..10 {
        assert!(hanging.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    let other = futures::executor::block_on(balancer.send(ask())).unwrap();
    assert_eq!(other.extensions().get::<Served>().map(Served::backend), Some("a"));
    assert_eq!(balancer.pool().snapshot().backends[0].counters.in_flight, 1);
    drop(hanging);
    let a = balancer.pool().snapshot().backends[0].clone();
    assert_eq!((a.state, a.counters.in_flight, a.counters.cancelled), (State::Available, 0, 1));
}

/// A transport that waits in `prepare`, fails there, or panics in `send`.
struct Odd {
    prepare: u32,
    refuses: bool,
}

impl Transport for Odd {
    type Request = Request<Bytes>;
    type Response = http::Response<Bytes>;
    type Error = ScriptedFault;

    async fn prepare(&self, request: Request<Bytes>) -> Result<Request<Bytes>, ScriptedFault> {
        wait(self.prepare).await;
        if self.refuses { Err(ScriptedFault(Fault::Request)) } else { Ok(request) }
    }
    fn replay(&self, original: &mut Request<Bytes>) -> Option<Request<Bytes>> {
        Some(original.clone())
    }
    async fn send(&self, _: Request<Bytes>, _: &Target<'_>) -> Result<http::Response<Bytes>, Error<ScriptedFault>> {
        panic!("a fault in the transport")
    }
    fn head<'r>(&self, response: &'r http::Response<Bytes>) -> Head<'r> {
        Head::new(response.status().as_u16(), response.headers())
    }
    fn fault(&self, error: &ScriptedFault) -> Fault {
        error.0
    }
    fn synthesize(&self, _: &Request<Bytes>, exhausted: &Exhausted) -> http::Response<Bytes> {
        exhausted.to_response()
    }
    fn mark(&self, response: &mut http::Response<Bytes>, served: Served) {
        response.extensions_mut().insert(served);
    }
}

#[test]
fn a_request_dropped_while_it_is_prepared_has_asked_nobody() {
    let balancer = LoadBalancer::new(pool_of(&[("a", 1)]).build().unwrap(), Odd { prepare: 3, refuses: false });
    for polls in 0..3 {
        let mut sending = Box::pin(balancer.send(ask()));
        for _ in 0..polls {
            assert!(sending.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
    }
    assert_eq!(balancer.pool().snapshot().backends[0].counters, Counters::default());
}

#[test]
fn a_request_that_cannot_be_prepared_is_the_callers_error_and_asks_nobody() {
    let balancer = LoadBalancer::new(pool_of(&[("a", 1)]).build().unwrap(), Odd { prepare: 0, refuses: true });
    let error = futures::executor::block_on(balancer.send(ask())).unwrap_err();
    assert!(matches!(error, Error::Transport(ScriptedFault(Fault::Request))), "{error:?}");
    assert_eq!(balancer.pool().snapshot().backends[0].counters, Counters::default());
}

#[test]
fn a_panic_in_a_transport_is_a_cancelled_attempt_and_breaks_no_later_request() {
    let pool = Arc::new(pool_of(&[("a", 1)]).clock(MockClock::new()).build().unwrap());
    let odd = LoadBalancer::new(Arc::clone(&pool), Odd { prepare: 0, refuses: false });
    let panicked = catch_unwind(AssertUnwindSafe(|| futures::executor::block_on(odd.send(ask()))));
    assert!(panicked.is_err());
    let a = pool.snapshot().backends[0].clone();
    assert_eq!((a.state, a.counters.cancelled, a.counters.in_flight), (State::Available, 1, 0));
    let sound = LoadBalancer::new(pool, ScriptedTransport::new());
    assert_eq!(futures::executor::block_on(sound.send(ask())).unwrap().status(), 200);
}
