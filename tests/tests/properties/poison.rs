//! Poison: prompts that fail everywhere, and what they cost everybody else.

use std::time::Duration;

use lb_core::{Backend, Fault, Hint, HintSource, MockClock, Outcome, Pool, SeededRng, State, Step, Verdict};
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};

use crate::{case::answer, cases, hostile::outcome};

/// What a poisonous request gets everywhere.
fn poison() -> impl Strategy<Value = Outcome> {
    let day = Some(Hint::new(Duration::from_secs(86_400), HintSource::RetryAfter));
    select(vec![
        Outcome::Answered { status: 500, hint: None },
        Outcome::Answered { status: 429, hint: day },
        Outcome::Faulted(Fault::Timeout),
    ])
}

proptest! {
    #![proptest_config(cases(256))]

    /// One backend serves everybody but poison, the others do as they like.
    #[test]
    fn a_healthy_request_is_refused_only_for_a_second_after_a_failure_at_the_suspect_that_would_serve_it(
        (priorities, good) in (vec(1..=2_u32, 1..=3), any::<Index>()),
        after_send in any::<bool>(),
        steps in vec((0..1_500_u64, answer(), prop_oneof![2 => Just(None), 1 => poison().prop_map(Some)]), 1..60),
    ) {
        let clock = MockClock::new();
        let backends = priorities.iter().enumerate().map(|(index, priority)| {
            Backend::builder(format!("b{index}.example")).name(format!("b{index}")).priority(*priority).build().unwrap()
        });
        let pool = Pool::builder().backends(backends).fail_over_after_send(after_send).clock(clock.clone());
        let (pool, rng) = (pool.build().unwrap(), SeededRng::new(5));
        let good = good.index(priorities.len());
        let mut failed_at = None;
        for (pause, others, poison) in steps {
            clock.advance(Duration::from_millis(pause));
            let mut dispatch = pool.dispatch();
            let (mut has_struck, mut attempts) = (false, 0);
            loop {
                let Step::Try(attempt) = dispatch.next(|| pool.now(), &rng) else {
                    let second = Duration::from_secs(1);
                    let is_just_closed = failed_at.is_some_and(|then| pool.now().saturating_since(then) < second);
                    prop_assert!(poison.is_some() || is_just_closed);
                    break;
                };
                attempts += 1;
                prop_assert!(attempts <= pool.backends().len() + 1, "every walk ends");
                let is_suspect = matches!(pool.snapshot().backends[attempt.slot()].state, State::Suspect { .. });
                let is_good = pool.backends()[attempt.slot()].name() == format!("b{good}");
                let outcome = match poison {
                    Some(poison) => poison,
                    None if is_good => Outcome::Answered { status: 200, hint: None },
                    None => outcome(&others),
                };
                if is_good && is_suspect && poison.is_some() && !has_struck {
                    failed_at = Some(pool.now());
                }
                has_struck |= poison.is_some();
                if dispatch.settle(outcome, || pool.now()) == Verdict::Return {
                    break;
                }
            }
        }
    }
}
