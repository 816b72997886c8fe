//! Cooldowns: marks that arrive in any order, and the nanosecond at which the last of them ends.

use std::time::Duration;

use lb_core::{Backend, Hint, HintSource, MockClock, Outcome, Pool, SeededRng, State, Step};
use proptest::{collection::vec, prelude::*};

use crate::cases;

fn alone() -> (Pool, MockClock) {
    let clock = MockClock::new();
    let pool = Pool::builder().backend(Backend::new("a.example", 1).unwrap()).clock(clock.clone());
    (pool.build().unwrap(), clock)
}

fn refusal(millis: u64) -> Outcome {
    Outcome::Answered { status: 429, hint: Some(Hint::new(Duration::from_millis(millis), HintSource::RetryAfter)) }
}

fn until(pool: &Pool) -> u64 {
    match pool.snapshot().backends[0].state {
        State::Cooling { until, .. } => until.as_nanos(),
        _ => 0,
    }
}

/// The deadline after these refusals of one backend, in this order at one moment.
fn deadline_after(millis: impl IntoIterator<Item = u64>) -> u64 {
    let (pool, _) = alone();
    let millis: Vec<_> = millis.into_iter().collect();
    let mut open: Vec<_> = millis.iter().map(|_| pool.dispatch()).collect();
    for dispatch in &mut open {
        assert!(matches!(dispatch.next(|| pool.now(), &SeededRng::new(0)), Step::Try(_)));
    }
    for (dispatch, millis) in open.iter_mut().zip(millis) {
        let _ = dispatch.settle(refusal(millis), || pool.now());
    }
    until(&pool)
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn the_order_and_number_of_equal_marks_do_not_matter(
        (marks, shuffled) in vec(0..100_000_u64, 1..8).prop_flat_map(|marks| (Just(marks.clone()), Just(marks).prop_shuffle()))
    ) {
        let once = deadline_after(marks.clone());
        prop_assert_eq!(once, marks.iter().max().unwrap() * 1_000_000);
        prop_assert_eq!(deadline_after(shuffled.clone()), once, "commutative and associative");
        prop_assert_eq!(deadline_after(marks.into_iter().chain(shuffled)), once, "idempotent");
    }

    #[test]
    fn a_backend_is_tried_again_from_its_deadline_on_and_not_a_nanosecond_before(
        marks in vec((0..20_000_000_000_u64, 0..20_000_u64), 1..6)
    ) {
        let (pool, clock) = alone();
        let rng = SeededRng::new(0);
        let mut open: Vec<_> = marks.iter().map(|_| pool.dispatch()).collect();
        for dispatch in &mut open {
            prop_assert!(matches!(dispatch.next(|| pool.now(), &rng), Step::Try(_)));
        }
        let (mut now, mut deadline) = (0, 0);
        for (dispatch, (pause, millis)) in open.iter_mut().zip(marks) {
            clock.advance(Duration::from_nanos(pause));
            now += pause;
            let _ = dispatch.settle(refusal(millis), || pool.now());
            deadline = deadline.max(now + millis * 1_000_000);
        }
        if deadline > now {
            // Nothing looks at the pool in between: no timer is needed.
            clock.advance(Duration::from_nanos(deadline - now - 1));
            let Step::Exhausted(exhausted) = pool.dispatch().next(|| pool.now(), &rng) else { panic!("too early") };
            prop_assert_eq!(exhausted.retry_after(), Some(Duration::from_nanos(1)));
            clock.advance(Duration::from_nanos(1));
        }
        prop_assert!(matches!(pool.dispatch().next(|| pool.now(), &rng), Step::Try(_)));
    }
}
