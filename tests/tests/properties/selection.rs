//! Selection: who is asked, how often, and on which grounds.

use lb_core::{Fault, Reason};
use proptest::prelude::*;

use crate::{
    belief::Way,
    case::case,
    cases,
    history::{State, What},
    table::reason,
};

proptest! {
    #![proptest_config(cases(384))]

    #[test]
    fn every_pick_is_one_of_those_that_the_rules_name(case in case()) {
        let history = case.play();
        history.check(|moment| {
            let What::Picked(pick) = moment.what else { return Ok(()) };
            let choice = moment.oracle.choice(pick.request, moment.now);
            let is_named = choice.as_ref().is_some_and(|choice| choice.among.contains(&pick.backend));
            prop_assert!(is_named, "record {}: b{} is not in {choice:?}", moment.at, pick.backend);
            prop_assert_eq!(pick.is_probe, choice.is_some_and(|choice| choice.way == Way::Probe));
            Ok(())
        })?;
    }

    #[test]
    fn a_request_is_never_given_up_while_the_rules_name_somebody(case in case()) {
        let history = case.play();
        history.check(|moment| {
            let What::Delivered(end) = moment.what else { return Ok(()) };
            let answers = history.answers(end.request, moment.at);
            if answers.last().is_none_or(|(backend, last)| !history.is_final(end.request, *backend, last)) {
                prop_assert_eq!(moment.oracle.choice(end.request, moment.now), None, "record {}", moment.at);
            }
            Ok(())
        })?;
    }

    #[test]
    fn nobody_who_was_just_seen_cooling_or_drained_is_asked(case in case()) {
        let history = case.play();
        for (at, pick) in history.picks() {
            let before = history.looks().take_while(|(look, ..)| *look < at).last();
            let Some((_, _, seen)) = before else { continue };
            let state = seen[pick.backend].state;
            prop_assert!(!matches!(state, State::Cooling { .. } | State::Drained), "b{} was {state:?}", pick.backend);
        }
    }

    #[test]
    fn a_request_goes_on_only_after_an_answer_that_fails_over(case in case()) {
        let history = case.play();
        for (at, pick) in history.picks().filter(|(_, pick)| pick.number > 1) {
            let answers = history.answers(pick.request, at);
            prop_assert_eq!(answers.len(), pick.number as usize - 1);
            for (backend, answer) in answers {
                prop_assert!(!history.is_final(pick.request, backend, answer), "{answer:?} was the caller's");
            }
        }
    }

    #[test]
    fn a_request_asks_each_backend_once_but_one_of_those_that_refused_without_processing_twice(case in case()) {
        let history = case.play();
        let most = history.case.options.max_attempts.map_or(usize::MAX, |most| most as usize);
        for request in 0..history.asks.len() {
            let asked = history.asked(request, history.records.len());
            prop_assert!(asked.len() <= most);
            let numbers: Vec<_> = history.picks().filter(|(_, p)| p.request == request).map(|(_, p)| p.number).collect();
            prop_assert!(numbers.iter().copied().eq(1..=u32::try_from(asked.len()).unwrap()), "{numbers:?}");
            let is_again = |number: &usize| asked[..*number].contains(&asked[*number]);
            let again: Vec<_> = (0..asked.len()).filter(is_again).collect();
            prop_assert!(again.len() <= 1, "{asked:?}");
            for number in again {
                let answers = history.answers(request, history.records.len());
                let (_, first) = answers.iter().find(|(backend, _)| *backend == asked[number]).unwrap();
                prop_assert_eq!(reason(first), Reason::Fault(Fault::Unprocessed));
            }
        }
    }

    #[test]
    fn a_single_candidate_draws_no_randomness_and_a_choice_draws_some(case in case()) {
        let history = case.play();
        history.check(|moment| {
            let What::Picked(pick) = moment.what else { return Ok(()) };
            if let Some(choice) = moment.oracle.choice(pick.request, moment.now).filter(|c| c.way == Way::Available) {
                let count = choice.among.len();
                prop_assert_eq!(pick.draws > 0, count > 1, "{} draws for {} candidates", pick.draws, count);
            }
            Ok(())
        })?;
    }

    #[test]
    fn the_same_case_gives_the_same_events_to_the_byte(case in case()) {
        let (once, again) = (case.play(), case.play());
        prop_assert_eq!(once.log(), again.log());
    }
}
