//! No request leaves with an expired token.

use std::time::Duration;

use futures::FutureExt;
use lb_core::{Clock, Rng, SeededRng};

use crate::issuer::{Answer, Bench, Issuer, LIFETIME, NANO, REFRESHED_AFTER, backend, clock, pool, settle, source};

#[tokio::test]
async fn the_old_token_serves_to_its_last_nanosecond_and_then_requests_wait() {
    let clock = clock();
    let issuer = Issuer::held("t", &clock);
    issuer.release(1);
    let bench = Bench::new(&pool(&clock, [backend("a", 1, &source(&issuer).build())]));
    bench.send().await.unwrap();
    clock.advance(REFRESHED_AFTER);
    bench.send().await.unwrap();
    clock.advance(LIFETIME - REFRESHED_AFTER - NANO);
    bench.send().await.unwrap();
    assert_eq!(bench.tokens(), ["t-1"; 3]);

    clock.advance(NANO);
    let mut waiting = Box::pin(bench.send());
    assert!((&mut waiting).now_or_never().is_none(), "the old token has expired");
    settle().await;
    assert!((&mut waiting).now_or_never().is_none());
    assert_eq!((issuer.asked(), bench.tokens().len()), (2, 3), "it waits for the refresh that is under way");
    issuer.release(1);
    waiting.await.unwrap();
    assert_eq!((issuer.asked(), bench.last_token().as_str()), (2, "t-2"));
}

#[tokio::test]
async fn a_token_that_expires_before_its_waiter_gets_it_is_not_sent() {
    let clock = clock();
    let issuer = Issuer::new("t", &clock);
    let bench = Bench::new(&pool(&clock, [backend("a", 1, &source(&issuer).build())]));
    let mut waiting = Box::pin(bench.send());
    assert!((&mut waiting).now_or_never().is_none());
    settle().await;
    // It came, and its waiter was not scheduled for an hour.
    clock.advance(LIFETIME);
    assert!(waiting.await.is_err());
    assert!(bench.tokens().is_empty());
}

#[tokio::test]
async fn a_token_ends_by_whichever_clock_says_so_first() {
    // The monotonic clock stands still while a machine sleeps, and the wall clock can be set back.
    let slept = |clock: &lb_core::MockClock| TwoClocks { instant: lb_core::MockClock::new(), wall: clock.clone() };
    let set_back = |clock: &lb_core::MockClock| TwoClocks { instant: clock.clone(), wall: crate::issuer::clock() };
    for two_clocks in [slept, set_back] {
        let clock = clock();
        let issuer = Issuer::new("t", &clock);
        let source = source(&issuer).clock(two_clocks(&clock)).build();
        let bench = Bench::new(&pool(&clock, [backend("a", 1, &source)]));
        bench.send().await.unwrap();
        clock.advance(LIFETIME);
        bench.send().await.unwrap();
        assert_eq!(bench.tokens(), ["t-1", "t-2"]);
    }
}

struct TwoClocks {
    instant: lb_core::MockClock,
    wall: lb_core::MockClock,
}

impl Clock for TwoClocks {
    fn now(&self) -> lb_core::Instant {
        self.instant.now()
    }

    fn wall(&self) -> std::time::SystemTime {
        self.wall.wall()
    }
}

#[tokio::test]
async fn a_short_lived_token_is_not_refreshed_by_each_request() {
    let clock = clock();
    let issuer = Issuer::new("t", &clock);
    issuer.always(Answer::Token(Duration::from_secs(60)));
    let bench = Bench::new(&pool(&clock, [backend("a", 1, &source(&issuer).build())]));
    for _ in 0..100 {
        bench.send().await.unwrap();
        settle().await;
    }
    assert_eq!(issuer.asked(), 1);
    clock.advance(Duration::from_secs(30));
    bench.send().await.unwrap();
    settle().await;
    assert_eq!(issuer.asked(), 2, "at half of its life");
}

#[tokio::test]
async fn how_long_ahead_is_a_parameter() {
    let clock = clock();
    let issuer = Issuer::new("t", &clock);
    let source = source(&issuer).refresh_ahead(Duration::from_secs(60)).build();
    source.warm_up().await.unwrap();
    clock.advance(LIFETIME - Duration::from_secs(60) - NANO);
    source.warm_up().await.unwrap();
    settle().await;
    assert_eq!(issuer.asked(), 1);
    clock.advance(NANO);
    source.warm_up().await.unwrap();
    settle().await;
    assert_eq!(issuer.asked(), 2);
}

/// Random walks: time passes, fetches start, fail and end, requests come, in any order.
#[tokio::test]
async fn no_request_leaves_with_an_expired_token_whatever_happens() {
    let mut sent = 0;
    for seed in 0..200 {
        let rng = SeededRng::new(seed);
        let clock = clock();
        let issuer = Issuer::held("t", &clock);
        let pool = pool(&clock, [backend("a", 1, &source(&issuer).build())]);
        let bench = Bench::new(&pool);
        let mut waiting = Vec::new();
        let mut known = 0;
        for _ in 0..100 {
            match rng.next_u64() % 6 {
                0 => clock.advance(Duration::from_secs(rng.next_u64() % 120)),
                1 => clock.advance(Duration::from_nanos(rng.next_u64() % 1_000_000_000)),
                2 => {
                    let lifetime = Duration::from_secs(rng.next_u64() % 200);
                    let answers = [Answer::Token(lifetime), Answer::Token(lifetime), Answer::Fail];
                    issuer.then(answers[usize::try_from(rng.next_u64() % 3).unwrap()]);
                }
                3 => issuer.release(1),
                4 => settle().await,
                _ => {
                    let mut request = Box::pin(bench.send());
                    if (&mut request).now_or_never().is_none() {
                        waiting.push(request);
                    }
                }
            }
            waiting.retain_mut(|request| request.now_or_never().is_none());
            // The clock stands still between the look at a token and the record of the request.
            for token in bench.tokens().drain(known..) {
                let end = issuer.end_of(&token);
                assert!(clock.wall() < end, "seed {seed}: {token} left {:?} late", clock.wall().duration_since(end));
            }
            known = bench.tokens().len();
        }
        sent += known;
    }
    assert!(sent > 1_000, "the walks send: {sent}");
}
