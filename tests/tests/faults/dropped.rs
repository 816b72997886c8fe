//! Callers that give up: timeouts in Rust are dropped futures.

use std::time::Duration;

use lb_core::Reason;

use crate::{
    pool::{PROBE_AFTER, counters, pool, suspect},
    server::{Behaviour, Server},
    stack::{AsyncStack, Settings},
};

/// What callers wait, on the pool's clock.
const PATIENCE: Duration = Duration::from_secs(2);

pub fn a_backend_that_never_answers_is_found_by_callers_that_give_up<S: AsyncStack>() {
    for b2_priority in [1, 2] {
        let stack = S::new(Settings::patient(S::PROTOCOL));
        let (b1, b2) = (Server::start(Behaviour::NeverAnswers), Server::start(Behaviour::Serves));
        let (pool, clock) =
            pool([("b1", b1.url(), 1), ("b2", b2.url(), b2_priority)], |options| options.stalled_after(PATIENCE));
        let mut sent = 0;
        let mut given_up = |requests: usize| {
            let mut given_up = 0;
            for _ in 0..requests {
                sent += 1;
                // From before it is sent.
                let another_request = b1.another_request();
                let stalls = async {
                    another_request.await;
                    clock.advance(PATIENCE);
                };
                match stack.send_until(&pool, &format!("request {sent}"), stalls) {
                    Some(result) => assert_eq!(result.unwrap(), 200),
                    None => given_up += 1,
                }
            }
            given_up
        };
        let two = given_up(100);
        assert!(two <= 2, "{two} gave up");
        assert_eq!(suspect(&pool, "b1"), Some(Reason::Stalled));
        clock.advance(PROBE_AFTER);
        assert_eq!(given_up(10), 1, "one probe came due");
        assert_eq!(suspect(&pool, "b1"), Some(Reason::Stalled));

        let (one, two) = (counters(&pool, "b1"), counters(&pool, "b2"));
        assert_eq!((one.attempts, one.in_flight), (one.cancelled, 0), "{one:?}");
        assert_eq!(one.attempts, b1.received() as u64);
        assert_eq!((two.attempts, two.successes), (b2.received() as u64, b2.received() as u64), "{two:?}");
        assert_eq!((b1.repeated(), b2.repeated()), (0, 0));
    }
}
