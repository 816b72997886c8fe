//! Exhaustion: when it is said, what it says, and what is handed over instead.

use std::time::Duration;

use lb_core::{Exhausted, SeededRng, Served, Step};
use proptest::prelude::*;

use crate::{
    case::{Answer, case},
    cases,
    history::{Delivered, End, History},
    world::response,
};

fn verdict(end: &End<'_>) -> Option<Exhausted> {
    match end.result {
        Delivered::Exhausted(exhausted) => Some(exhausted.clone()),
        Delivered::Response(response) => response.extensions().get().cloned(),
        Delivered::Fault(_) => None,
    }
}

/// The rule in words: a synthesised 429 if nothing could be tried or a 429 was among the answers, or if the pool
/// always does so.
fn must_be_synthesised(history: &History, end: &End<'_>) -> bool {
    let answers = history.answers(end.request, end.at);
    let Some(last) = answers.last() else { return true };
    let is_429 = |answer: &&Answer| matches!(answer, Answer::Status { status: 429, .. });
    !history.is_final(end.request, last) && (history.case.options.always_synthesize || answers.iter().any(is_429))
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn a_429_is_synthesised_if_and_only_if_the_rule_says_so(case in case()) {
        let history = case.play();
        for end in history.ends() {
            prop_assert_eq!(verdict(&end).is_some(), must_be_synthesised(&history, &end));
            if verdict(&end).is_some() {
                let is_value = matches!(end.result, Delivered::Exhausted(_));
                prop_assert_eq!(is_value, history.asks[end.request].typed, "a value from `try_send` only");
            }
        }
    }

    #[test]
    fn what_is_not_synthesised_is_exactly_the_last_answer_of_one_backend(case in case()) {
        let history = case.play();
        for end in history.ends().filter(|end| verdict(end).is_none()) {
            let answers = history.answers(end.request, end.at);
            match (response(answers.last().unwrap()), end.result) {
                (Ok(upstream), Delivered::Response(delivered)) => {
                    prop_assert_eq!(delivered.status(), upstream.status());
                    prop_assert_eq!(delivered.headers(), upstream.headers());
                    prop_assert_eq!(delivered.body(), upstream.body());
                    let served = delivered.extensions().get::<Served>().unwrap();
                    let tried = history.tried(end.request, end.at);
                    prop_assert_eq!(served.backend(), format!("b{}", tried.last().unwrap()));
                    prop_assert_eq!(served.attempts() as usize, tried.len());
                }
                (Err(fault), Delivered::Fault(delivered)) => prop_assert_eq!(fault, *delivered),
                (upstream, delivered) => prop_assert!(false, "{upstream:?} became {delivered:?}"),
            }
        }
    }

    #[test]
    fn retry_after_is_the_soonest_deadline_of_the_whole_pool(case in case()) {
        let history = case.play();
        for end in history.ends() {
            let Some(exhausted) = verdict(&end) else { continue };
            let deadlines: Vec<_> = history.backends().map(|backend| history.deadline(backend, end.at)).collect();
            let delay = |until: &u64| if *until > end.now { until - end.now } else { 1_000_000_000 };
            let soonest = deadlines.iter().map(delay).min().unwrap();
            prop_assert_eq!(exhausted.retry_after(), Duration::from_nanos(soonest));
            prop_assert_eq!(exhausted.cooling(), deadlines.iter().filter(|until| **until > end.now).count());
            prop_assert_eq!(exhausted.backends(), deadlines.len());
            if let Delivered::Response(response) = end.result {
                let header = |name| response.headers()[name].to_str().unwrap().parse::<u64>().unwrap();
                prop_assert_eq!(header("retry-after"), soonest.div_ceil(1_000_000_000).max(1));
                prop_assert_eq!(header("retry-after-ms"), soonest.div_ceil(1_000_000));
                prop_assert_eq!(response.body(), &exhausted.body());
                prop_assert_eq!(response.status(), 429);
                prop_assert_eq!(response.headers().len(), 3, "nothing of a backend is mixed in");
            }
        }
    }

    #[test]
    fn a_caller_that_waits_exactly_as_told_and_is_alone_is_sent_on(case in case()) {
        let history = case.play();
        let rng = SeededRng::new(history.case.seed);
        let pool = &history.pool;
        if let Step::Exhausted(exhausted) = pool.dispatch().next(|| pool.now(), &rng) {
            history.clock.advance(exhausted.retry_after());
            prop_assert!(matches!(pool.dispatch().next(|| pool.now(), &rng), Step::Try(_)));
        }
    }

    #[test]
    fn once_every_cooldown_has_passed_requests_go_to_the_best_priority_again(case in case()) {
        let history = case.play();
        history.clock.advance(history.case.options.max_cooldown);
        let pool = &history.pool;
        let best = history.case.backends.iter().map(|spec| spec.priority).min().unwrap();
        for seed in 0..5 {
            let Step::Try(attempt) = pool.dispatch().next(|| pool.now(), &SeededRng::new(seed)) else {
                return Err(TestCaseError::fail("nothing is available"));
            };
            prop_assert_eq!(pool.backends()[attempt.slot()].priority(), best);
        }
    }

    /// That it sends nothing either is checked at the end of every request of every history.
    #[test]
    fn the_end_of_a_request_draws_no_randomness(case in case()) {
        for end in case.play().ends() {
            prop_assert_eq!(end.draws, 0);
        }
    }
}
