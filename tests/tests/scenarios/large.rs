//! Pools of many backends, around the size up to which a dispatch needs no allocation.

use std::collections::HashSet;

use lb_core::{Exhausted, Pool, PoolBuilder, Served, test_util::Reply};
use lb_tests::stage::{Drive, Stage, header, host, on_every_drive, pool_of};

/// Four tiers of about equal size.
fn large(count: usize) -> PoolBuilder {
    let backend = |n: usize| host(&format!("b{n}"), u32::try_from(n % 4 + 1).unwrap()).build().unwrap();
    Pool::builder().backends((0..count).map(backend))
}

#[test]
fn a_request_fails_over_through_every_backend_and_asks_each_once() {
    for count in [1000, 1023, 1024, 1025, 1100] {
        let stage = Stage::new(Drive::Async, large(count));
        for n in 0..count {
            stage.transport.always(&format!("b{n}"), Reply::status(429).header("retry-after", "5"));
        }
        let response = stage.ask();
        let exhausted = response.extensions().get::<Exhausted>().unwrap();
        assert_eq!((exhausted.cooling(), exhausted.backends()), (count, count));
        let sent = stage.arrived();
        assert_eq!(sent.len(), count);
        assert_eq!(sent.iter().map(|sent| &sent.backend).collect::<HashSet<_>>().len(), count);
        let priorities: Vec<_> = sent.iter().map(|sent| sent.backend[1..].parse::<usize>().unwrap() % 4).collect();
        assert!(priorities.is_sorted(), "tier after tier");
        stage.wait_secs(5);
        for n in 0..count {
            stage.transport.always(&format!("b{n}"), Reply::status(200));
        }
        assert_eq!(stage.ask().status(), 200);
        assert!(stage.pool.snapshot().backends.iter().all(|backend| backend.state == lb_core::State::Available));
    }
}

#[test]
fn the_one_healthy_backend_of_a_thousand_is_found() {
    for count in [1000, 1100] {
        for healthy in [0, 63, 64, 997, count - 1] {
            let stage = Stage::new(Drive::Blocking, large(count));
            for n in (0..count).filter(|n| *n != healthy) {
                stage.transport.always(&format!("b{n}"), Reply::status(503));
            }
            let response = stage.ask();
            let served = response.extensions().get::<Served>().unwrap();
            assert_eq!(served.backend(), format!("b{healthy}"));
            assert_eq!(stage.counters(&format!("b{healthy}")).attempts, 1);
            assert_eq!(stage.ask_whom(), format!("b{healthy}"), "now found at once");
        }
    }
}

#[test]
fn ten_thousand_callers_of_a_throttled_pool_cost_it_nothing_and_are_all_served_afterwards() {
    const CALLERS: usize = 10_000;
    on_every_drive(
        || pool_of(&[("a", 1), ("b", 1), ("c", 2)]),
        |stage| {
            for name in ["a", "b", "c"] {
                stage.transport.reply(name, Reply::status(429).header("retry-after", "5"));
            }
            assert_eq!(stage.ask().status(), 429);
            assert_eq!(stage.asked().len(), 3);
            for _ in 0..CALLERS {
                assert_eq!(header(&stage.ask(), "retry-after"), "5");
            }
            assert_eq!(stage.asked(), [""; 0], "nobody was asked again");
            // The backends said when: then they are back, whole, and nobody holds callers back.
            stage.wait_secs(5);
            for _ in 0..CALLERS {
                assert_eq!(stage.ask().status(), 200);
            }
            let counted = ["a", "b", "c"].map(|name| stage.counters(name));
            assert_eq!(counted.map(|counters| (counters.throttles, counters.in_flight)), [(1, 0); 3]);
            assert_eq!(counted[0].successes + counted[1].successes, CALLERS as u64);
        },
    );
}
