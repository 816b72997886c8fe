//! Allocations: none in what happens to a request, among up to 1,024 backends.
//!
//! The allocator that counts is the global one of this test binary, and counts per thread.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

mod support;

use std::{hint::black_box, time::Duration};

use lb_benches::state::{Shape, observed};
use lb_core::{Backend, Detail, HintSource, MockClock, Outcome, Pool, Rng, SeededRng, Step, ThreadRng, Verdict};

use support::{SIZES, builder, cool, matrix};

/// How many backends a request can be refused by without an allocation.
const MANY: usize = 1024;

/// How often `run` allocates or reallocates.
fn allocations(run: impl FnOnce()) -> u64 {
    allocation_counter::measure(run).count_total
}

fn weighted(slot: usize) -> u32 {
    u32::try_from(slot % 3).unwrap() + 1
}

/// Equal weights, and unequal ones.
const WEIGHTS: [fn(usize) -> u32; 2] = [|_| 1, weighted];

fn headers() -> http::HeaderMap {
    let lines = [("content-type", "application/json"), ("x-request-id", "1"), ("retry-after", "7")];
    let mut headers: http::HeaderMap =
        lines.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).into_iter().collect();
    headers.insert("x-ratelimit-remaining-tokens", "0".parse().unwrap());
    headers.insert("retry-after-ms", "6500".parse().unwrap());
    headers
}

#[test]
fn the_allocator_does_count() {
    assert_eq!(allocations(|| drop(black_box(Box::new(1_u64)))), 1);
    assert_eq!(allocations(|| drop(black_box(vec![1_u8; 100]))), 1);
    assert_eq!(allocations(|| ()), 0);
}

#[test]
fn a_pick_allocates_nothing_in_any_state() {
    // The first number of a thread seeds its generator, which allocates.
    let _ = ThreadRng.next_u64();
    for weight in WEIGHTS {
        for (backends, tiers, state) in matrix() {
            let (clock, rng) = (MockClock::new(), SeededRng::new(1));
            let pool = builder(backends, tiers, weight).clock(clock).build().unwrap();
            cool(&pool, &rng, Duration::from_secs(60), |slot| state.is_out(slot, backends, tiers));
            let count = allocations(|| {
                for _ in 0..20 {
                    let _ = black_box(pool.pick(|| pool.now(), &ThreadRng));
                }
            });
            assert_eq!(count, 0, "{backends} x {tiers}, {state:?}");
        }
    }
}

#[test]
fn marking_and_recovering_allocate_nothing() {
    for weight in WEIGHTS {
        for backends in SIZES {
            let (clock, rng, headers) = (MockClock::new(), SeededRng::new(2), headers());
            let pool = builder(backends, 1, weight).clock(clock.clone()).build().unwrap();
            let count = allocations(|| {
                for _ in 0..20 {
                    let mut dispatch = pool.dispatch();
                    assert!(matches!(dispatch.next(|| pool.now(), &rng), Step::Try(_)));
                    let outcome = Outcome::answered(429, &headers, || pool.wall());
                    assert_eq!(dispatch.settle(outcome, || pool.now()), Verdict::FailOver);
                    clock.advance(Duration::from_millis(6500));
                    assert!(pool.pick(|| pool.now(), &rng).is_some());
                }
            });
            assert_eq!(count, 0, "{backends} backends");
            let hints = Outcome::answered(429, &headers, || pool.wall());
            let Outcome::Answered { hint: Some(hint), .. } = hints else { panic!("no hint in {hints:?}") };
            assert_eq!(hint.source(), HintSource::RetryAfterMs);
        }
    }
}

#[test]
fn a_fault_and_a_cancellation_allocate_nothing() {
    let (clock, rng) = (MockClock::new(), SeededRng::new(3));
    let pool = builder(8, 4, |_| 1).clock(clock).build().unwrap();
    let count = allocations(|| {
        let mut dispatch = pool.dispatch();
        assert!(matches!(dispatch.next(|| pool.now(), &rng), Step::Try(_)));
        let fault = Outcome::Faulted(lb_core::Fault::Connect);
        assert_eq!(dispatch.settle(fault, || pool.now()), Verdict::FailOver);
        assert!(matches!(dispatch.next(|| pool.now(), &rng), Step::Try(_)));
    });
    assert_eq!(count, 0);
}

#[test]
fn being_observed_allocates_nothing() {
    for wants_time in [false, true] {
        let pool = observed(Shape { backends: 8, tiers: 4 }, wants_time);
        let rng = SeededRng::new(3);
        let count = allocations(|| {
            for outcome in [Outcome::Answered { status: 200, hint: None }, Outcome::Faulted(lb_core::Fault::Connect)] {
                let mut dispatch = pool.dispatch();
                assert!(matches!(dispatch.next(|| pool.now(), &rng), Step::Try(_)));
                let _ = dispatch.settle(outcome, || pool.now());
                drop(black_box(dispatch));
            }
        });
        assert_eq!(count, 0);
    }
}

#[test]
fn a_failure_allocates_for_what_was_said_about_it_and_no_more() {
    let (clock, rng) = (MockClock::new(), SeededRng::new(3));
    let pool = builder(1, 1, |_| 1).clock(clock.clone()).build().unwrap();
    for (detail, expected) in
        [(Detail::default as fn() -> Detail, 0), (|| Detail::from_headers([("x-request-id", "id")].as_slice()), 2)]
    {
        let fail = || {
            let mut dispatch = pool.dispatch();
            assert!(matches!(dispatch.next(|| pool.now(), &rng), Step::Try(_)));
            let _ = dispatch.settle_with(Outcome::Faulted(lb_core::Fault::Timeout), detail, || pool.now());
        };
        assert_eq!(allocations(fail), expected);
        clock.advance(Duration::from_secs(3600));
    }
}

#[test]
fn failing_over_among_1024_backends_allocates_nothing_until_the_verdict_tells_why() {
    for weight in WEIGHTS {
        for (backends, tiers) in [(3, 1), (64, 4), (1000, 4), (MANY, 1)] {
            let (clock, rng, headers) = (MockClock::new(), SeededRng::new(4), headers());
            let pool = builder(backends, tiers, weight).clock(clock.clone()).build().unwrap();
            let mut attempts = 0;
            let count = allocations(|| {
                let mut dispatch = pool.dispatch();
                while let Step::Try(_) = dispatch.next(|| pool.now(), &rng) {
                    let outcome = Outcome::answered(429, &headers, || pool.wall());
                    assert_eq!(dispatch.settle(outcome, || pool.now()), Verdict::FailOver);
                }
                attempts = dispatch.attempts();
            });
            assert_eq!(usize::try_from(attempts).unwrap(), backends);
            assert!(count <= 2, "its verdict: {count} on {backends} x {tiers}");

            let verdict = allocations(|| {
                let Step::Exhausted(exhausted) = pool.dispatch().next(|| pool.now(), &rng) else { panic!("all cool") };
                assert_eq!(exhausted.retry_after(), Some(Duration::from_millis(6500)));
            });
            assert!(verdict <= 2, "the reasons, of however many backends: {verdict} on {backends} x {tiers}");

            clock.advance(Duration::from_millis(6500));
            let recovery = allocations(|| assert!(pool.pick(|| pool.now(), &rng).is_some()));
            assert_eq!(recovery, 0, "the end of all cooldowns of {backends} x {tiers}");
        }
    }
}

#[test]
fn more_backends_than_that_are_all_asked_too() {
    let (clock, rng) = (MockClock::new(), SeededRng::new(5));
    let pool = builder(MANY + 1, 1, |_| 1).clock(clock).build().unwrap();
    let mut dispatch = pool.dispatch();
    let mut attempts = 0;
    while let Step::Try(_) = dispatch.next(|| pool.now(), &rng) {
        let _ = dispatch.settle(support::throttled(Duration::from_secs(5)), || pool.now());
        attempts += 1;
    }
    assert_eq!(attempts, MANY + 1);
}

fn caller_request() -> http::Request<&'static str> {
    http::Request::post("https://caller.example/openai/deployments/gpt/chat/completions?api-version=1")
        .header("host", "caller.example")
        .header("content-type", "application/json")
        .header("authorization", "Bearer of the caller")
        .body("a body")
        .unwrap()
}

#[test]
fn addressing_a_request_by_origin_and_key_allocates_nothing() {
    let backends = [
        Backend::builder("a.openai.azure.com").api_key("key of a").build().unwrap(),
        Backend::builder("https://b.openai.azure.com:8443").priority(2).api_key("key of b").build().unwrap(),
        Backend::builder("http://c.example").priority(3).bearer_token("token of c").build().unwrap(),
    ];
    let pool = Pool::builder().backends(backends).clock(MockClock::new()).build().unwrap();
    let rng = SeededRng::new(6);
    let mut counts = Vec::new();
    // The first request that a pool ever sees, and the next one; each fails over from backend to backend.
    for _ in 0..2 {
        let mut request = caller_request();
        let mut dispatch = pool.dispatch();
        for authority in ["a.openai.azure.com", "b.openai.azure.com:8443", "c.example"] {
            let Step::Try(attempt) = dispatch.next(|| pool.now(), &rng) else { panic!("one is available") };
            let target = pool.target(&attempt);
            counts.push(allocations(|| target.address(&mut request).unwrap()));
            assert_eq!(request.uri().authority().unwrap(), authority);
            assert_eq!(request.uri().path(), "/openai/deployments/gpt/chat/completions");
            assert!(!request.headers().contains_key("host"));
            assert_eq!(request.headers().len(), 2, "content-type and one credential: {:?}", request.headers().keys());
            let _ = dispatch.settle(support::throttled(Duration::ZERO), || pool.now());
        }
    }
    assert_eq!(counts, [0; 6], "of the first request's three attempts, and of the second one's");
}
