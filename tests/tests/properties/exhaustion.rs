//! Exhaustion: when it is said, what it says, and what is handed over instead.

use std::time::Duration;

use lb_core::{Outcome, SeededRng, Served, Step, Verdict};
use proptest::{collection::vec, prelude::*};

use crate::{
    belief::Belief,
    case::{answer, case},
    cases,
    history::{Delivered, State, What},
    hostile::outcome,
    world::response,
};

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn a_refusal_is_synthesised_if_and_only_if_the_rule_says_so(case in case()) {
        let history = case.play();
        history.check(|moment| {
            let What::Delivered(end) = moment.what else { return Ok(()) };
            let answers = history.answers(end.request, moment.at);
            let is_final = answers.last().is_some_and(|(backend, last)| history.is_final(end.request, *backend, last));
            let must = !is_final && moment.oracle.is_synthesised(end.request, moment.now);
            prop_assert_eq!(end.exhausted().is_some(), must, "{:?}", answers);
            if must {
                let is_value = matches!(end.result, Delivered::Exhausted(_));
                prop_assert_eq!(is_value, history.asks[end.request].typed, "a value from `try_send` only");
            }
            Ok(())
        })?;
    }

    #[test]
    fn what_is_not_synthesised_is_exactly_the_last_answer_of_one_backend(case in case()) {
        let history = case.play();
        for (at, end) in history.ends().filter(|(_, end)| end.exhausted().is_none()) {
            let answers = history.answers(end.request, at);
            match (response(answers.last().unwrap().1), &end.result) {
                (Ok(upstream), Delivered::Response(delivered)) => {
                    prop_assert_eq!(delivered.status(), upstream.status());
                    prop_assert_eq!(delivered.headers(), upstream.headers());
                    prop_assert_eq!(delivered.body(), upstream.body());
                    let served = delivered.extensions().get::<Served>().unwrap();
                    let asked = history.asked(end.request, at);
                    prop_assert_eq!(served.backend(), format!("b{}", asked.last().unwrap()));
                    prop_assert_eq!(served.attempts() as usize, asked.len());
                }
                (Err(fault), Delivered::Fault(delivered)) => prop_assert_eq!(fault, *delivered),
                (upstream, delivered) => prop_assert!(false, "{upstream:?} became {delivered:?}"),
            }
        }
    }

    #[test]
    fn a_refusal_names_the_state_and_the_reason_of_every_backend(case in case()) {
        let history = case.play();
        history.check(|moment| {
            let What::Delivered(end) = moment.what else { return Ok(()) };
            let Some(exhausted) = end.exhausted() else { return Ok(()) };
            prop_assert_eq!(exhausted.backends(), history.backends().len());
            prop_assert_eq!(exhausted.unavailable().len(), history.backends().len());
            let is_throttled = moment.oracle.is_throttled(end.request, moment.now);
            for named in exhausted.unavailable() {
                let backend: usize = named.backend()[1..].parse().unwrap();
                let why = moment.oracle.why(end.request, backend, moment.now);
                let told = named.cause().map(lb_core::Cause::reason);
                prop_assert_eq!(told, why, "b{} in record {}", backend, moment.at);
                prop_assert_eq!(State::from(named.state()), moment.oracle.backends[backend].state(moment.now));
            }
            let is_429 = is_throttled || history.case.options.always_synthesize;
            prop_assert_eq!(exhausted.status(), if is_429 { 429 } else { 503 });
            let count = |is: fn(&State) -> bool| {
                moment.oracle.backends.iter().filter(|belief| is(&belief.state(moment.now))).count()
            };
            prop_assert_eq!(exhausted.cooling(), count(|state| matches!(state, State::Cooling { .. })));
            prop_assert_eq!(exhausted.suspect(), count(|state| matches!(state, State::Suspect { .. })));
            prop_assert_eq!(exhausted.drained(), count(|state| matches!(state, State::Drained)));
            Ok(())
        })?;
    }

    #[test]
    fn retry_after_is_the_soonest_moment_of_the_whole_pool(case in case()) {
        let history = case.play();
        history.check(|moment| {
            let What::Delivered(end) = moment.what else { return Ok(()) };
            let Some(exhausted) = end.exhausted() else { return Ok(()) };
            // One that is open was tried, or is beyond the number of attempts.
            let opens_in = |delay: u64| if delay == 0 { 1_000_000_000 } else { delay };
            let soonest = moment.oracle.backends.iter().filter_map(|b| b.opens_in(moment.now)).map(opens_in).min();
            prop_assert_eq!(exhausted.retry_after(), soonest.map(Duration::from_nanos), "record {}", moment.at);
            if let Delivered::Response(response) = &end.result {
                let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().parse::<u64>().unwrap());
                prop_assert_eq!(header("retry-after"), soonest.map(|soonest| soonest.div_ceil(1_000_000_000)));
                prop_assert_eq!(header("retry-after-ms"), soonest.map(|soonest| soonest.div_ceil(1_000_000)));
                prop_assert_eq!(response.body(), &exhausted.body());
                prop_assert_eq!(response.status(), exhausted.status());
                let count = if soonest.is_some() { 3 } else { 1 };
                prop_assert_eq!(response.headers().len(), count, "nothing of a backend is mixed in");
            }
            Ok(())
        })?;
    }

    #[test]
    fn the_body_of_a_refusal_is_valid_and_has_no_url_no_query_and_no_key(case in case()) {
        let history = case.play();
        for (_, end) in history.ends() {
            let Some(exhausted) = end.exhausted() else { continue };
            let body: serde_json::Value = serde_json::from_slice(&exhausted.body()).unwrap();
            let code = if exhausted.status() == 429 { "rate_limit_exceeded" } else { "service_unavailable" };
            prop_assert_eq!(body["error"]["code"].as_str(), Some(code));
            prop_assert!(body["error"]["type"].is_string() && body["error"]["param"].is_null());
            let message = body["error"]["message"].as_str().unwrap();
            prop_assert_eq!(message, exhausted.to_string());
            for word in ["://", "example", "deployments", "api-version", "?", "CANARY"] {
                prop_assert!(!message.contains(word), "{message}");
            }
        }
    }

    #[test]
    fn the_refusal_of_a_new_request_ends_when_it_says_and_not_a_nanosecond_before(
        case in case(),
        answers in vec(answer(), 1..20),
    ) {
        let history = case.play();
        let (pool, rng) = (&history.pool, SeededRng::new(history.case.seed));
        let next = || pool.dispatch().next(|| pool.now(), &rng);
        let mut answers = answers.iter().map(outcome);
        // New requests until one finds nobody: the answers, then faults.
        for _ in 0..100 {
            let mut dispatch = pool.dispatch();
            match dispatch.next(|| pool.now(), &rng) {
                Step::Try(_) => {
                    let outcome = answers.next().unwrap_or(Outcome::Faulted(lb_core::Fault::ConnectTimeout));
                    let mut attempts = 1;
                    while dispatch.settle(outcome, || pool.now()) == Verdict::FailOver
                        && matches!(dispatch.next(|| pool.now(), &rng), Step::Try(_))
                    {
                        attempts += 1;
                        prop_assert!(attempts <= pool.backends().len() + 1, "every walk ends");
                    }
                }
                Step::ReturnLast(_) => prop_assert!(false, "nothing was answered"),
                Step::Wait(_) => prop_assert!(false, "nobody waits here"),
                Step::Exhausted(exhausted) => {
                    let Some(delay) = exhausted.retry_after() else {
                        prop_assert_eq!(exhausted.drained(), exhausted.backends());
                        history.clock.advance(Duration::from_secs(100_000));
                        prop_assert!(matches!(next(), Step::Exhausted(_)));
                        break;
                    };
                    history.clock.advance(delay - Duration::from_nanos(1));
                    let Step::Exhausted(still) = next() else { return Err(TestCaseError::fail("too early")) };
                    prop_assert_eq!(still.retry_after(), Some(Duration::from_nanos(1)));
                    history.clock.advance(Duration::from_nanos(1));
                    prop_assert!(matches!(next(), Step::Try(_)));
                }
            }
        }
    }

    #[test]
    fn once_everything_is_long_over_requests_go_to_the_best_priority_again(case in case()) {
        let history = case.play();
        history.clock.advance(history.case.options.max_cooldown);
        let pool = &history.pool;
        for backend in history.backends() {
            let _ = pool.reopen(&format!("b{backend}"));
        }
        let best = history.case.backends.iter().map(|spec| spec.priority).min().unwrap();
        for seed in 0..20 {
            let mut dispatch = pool.dispatch();
            let Step::Try(attempt) = dispatch.next(|| pool.now(), &SeededRng::new(seed)) else {
                return Err(TestCaseError::fail("nothing is available"));
            };
            prop_assert_eq!(pool.backends()[attempt.slot()].priority(), best);
            let _ = dispatch.settle(Outcome::Answered { status: 200, hint: None }, || pool.now());
        }
    }

    #[test]
    fn the_end_of_a_request_draws_no_randomness_while_nothing_stands_against_anybody(case in case()) {
        let history = case.play();
        history.check(|moment| {
            let What::Delivered(end) = moment.what else { return Ok(()) };
            let is_usual = moment.oracle.backends.iter().all(Belief::is_blameless);
            prop_assert!(end.draws == 0 || !is_usual, "{} draws", end.draws);
            Ok(())
        })?;
    }
}
