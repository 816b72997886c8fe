//! What is played before both kinds of metrics: a few requests on a mock clock.

#![allow(unreachable_pub, reason = "a module of several test binaries")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::{sync::Arc, time::Duration};

use lb_core::{Backend, Fault, Hint, HintSource, MockClock, Observer, Outcome, Pool, SeededRng, Step, Verdict, Wait};

const SECOND: Duration = Duration::from_secs(1);

/// A pool whose first backend is on the default port, with a key that no metric may show.
pub fn pool(clock: &MockClock, observer: impl Observer + 'static) -> Arc<Pool> {
    let ptu = Backend::builder("ptu.example").name("ptu").api_key("CANARY").build().unwrap();
    let paygo = Backend::builder("http://paygo.example:8080").name("paygo").priority(2).api_key("CANARY");
    let pool = Pool::builder().backends([ptu, paygo.build().unwrap()]).observer(observer);
    Arc::new(pool.wait(Wait { longest: 60 * SECOND, queue: 9 }).clock(clock.clone()).build().unwrap())
}

/// Five requests: served at once after 2 s; refused by `ptu` for 5 s and served by `paygo`; one that `paygo` fails to connect
/// for, which then waits 2 s for `ptu` and is given up there after 1 s; one that is the caller's fault; a wait that lasts.
pub fn play(pool: &Pool, clock: &MockClock) {
    let rng = SeededRng::new(1);
    let walk = |outcomes: &[(u64, Outcome)]| {
        let mut dispatch = pool.dispatch();
        for &(seconds, outcome) in outcomes {
            while let Step::Wait(until) = dispatch.next(|| pool.now(), &rng) {
                clock.advance(until.saturating_since(pool.now()));
            }
            clock.advance(Duration::from_secs(seconds));
            if dispatch.settle(outcome, || pool.now()) == Verdict::Return {
                return;
            }
        }
    };
    let (ok, hint) = (answered(200), Hint::new(5 * SECOND, HintSource::RetryAfter));
    walk(&[(2, ok)]);
    walk(&[(1, Outcome::Answered { status: 429, hint: Some(hint) }), (2, ok)]);
    walk(&[(1, Outcome::Faulted(Fault::Connect)), (1, Outcome::Cancelled)]);
    walk(&[(0, answered(404))]);
}

fn answered(status: u16) -> Outcome {
    Outcome::Answered { status, hint: None }
}
