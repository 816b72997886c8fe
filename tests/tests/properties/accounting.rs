//! Accounting: counters against a recount of the whole history, and events against what is seen.

use lb_core::Counters;
use proptest::prelude::*;

use crate::{
    case::case,
    cases,
    history::{Delivered, End, History, State, What},
    table::counted_as,
};

/// How often something happened at a backend before the record `at`.
fn count(history: &History, backend: usize, at: usize, what: &str) -> u64 {
    let is = |record: &&(u64, What)| match &record.1 {
        What::Picked(pick) => pick.backend == backend && what == "attempts",
        What::Settled { backend: of, answer, .. } => *of == backend && what == counted_as(answer),
        What::Dropped { backend: of, .. } => *of == backend && what == "cancelled",
        _ => false,
    };
    history.records[..at].iter().filter(is).count() as u64
}

fn ended(counters: &Counters) -> u64 {
    let Counters { successes, throttles, server_errors, faults, rejected, cancelled, .. } = *counters;
    successes + throttles + server_errors + faults + rejected + cancelled
}

/// How a request ended for its caller.
fn ended_as(end: &End) -> &'static str {
    match &end.result {
        _ if end.exhausted().is_some() => "exhausted",
        Delivered::Response(response) if response.status().as_u16() < 400 => "served",
        _ => "returned",
    }
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn attempts_are_conserved_at_every_moment(case in case()) {
        let history = case.play();
        for (_, _, seen) in history.looks() {
            for seen in seen {
                prop_assert_eq!(seen.counters.attempts, ended(&seen.counters) + seen.counters.in_flight);
            }
        }
    }

    #[test]
    fn every_counter_equals_a_recount_of_what_happened(case in case()) {
        let history = case.play();
        for (at, _, seen) in history.looks() {
            for backend in history.backends() {
                let counters = &seen[backend].counters;
                for (name, counter) in [
                    ("attempts", counters.attempts),
                    ("successes", counters.successes),
                    ("throttles", counters.throttles),
                    ("server_errors", counters.server_errors),
                    ("faults", counters.faults),
                    ("rejected", counters.rejected),
                    ("cancelled", counters.cancelled),
                ] {
                    prop_assert_eq!(counter, count(&history, backend, at, name), "{} of b{}", name, backend);
                }
            }
        }
    }

    #[test]
    fn after_all_futures_are_gone_nothing_is_in_flight(case in case()) {
        let history = case.play();
        let (_, _, seen) = history.looks().last().unwrap();
        prop_assert!(seen.iter().all(|seen| seen.counters.in_flight == 0), "{seen:#?}");
    }

    #[test]
    fn every_request_is_told_to_have_ended_once_and_as_its_caller_saw_it(case in case()) {
        let history = case.play();
        let log = history.log();
        let told = |ending: &str| {
            let is = |line: &&&str| line.starts_with("finished ") && line.split(' ').nth(2) == Some(ending);
            log.iter().filter(is).count()
        };
        let seen = |ending: &str| history.ends().filter(|(_, end)| ended_as(end) == ending).count();
        for ending in ["served", "returned", "exhausted"] {
            prop_assert_eq!(told(ending), seen(ending), "{}", ending);
        }
        prop_assert_eq!(told("cancelled"), history.asks.len() - history.ends().count());
    }

    #[test]
    fn events_tell_of_every_attempt_from_its_begin_to_its_end(case in case()) {
        let history = case.play();
        let log = history.log();
        let told = |word: &str| log.iter().filter(|line| line.starts_with(word)).count() as u64;
        let (_, _, seen) = history.looks().last().unwrap();
        let attempts: u64 = seen.iter().map(|seen| seen.counters.attempts).sum();
        prop_assert_eq!((told("sent "), told("settled ")), (attempts, attempts));
        let later = history.picks().filter(|(_, pick)| pick.number > 1).count() as u64;
        prop_assert_eq!(told("failed over "), later);
        prop_assert!(told("available ") <= told("cooling ") + told("suspect "));
    }

    #[test]
    fn events_tell_every_change_of_state(case in case()) {
        let history = case.play();
        // The state that each backend was last told to have, with the moment that was named.
        let mut told = vec![("available", 0); history.backends().len()];
        for (now, what) in &history.records {
            match what {
                What::Told(line) => {
                    let words: Vec<_> = line.split_whitespace().collect();
                    let moment = words.iter().position(|word| *word == "until").map_or(0, |at| words[at + 1].parse().unwrap());
                    for state in ["available", "cooling", "suspect"] {
                        if words[0] == state {
                            told[words[1][1..].parse::<usize>().unwrap()] = (state, moment);
                        }
                    }
                }
                What::Looked(seen) => {
                    for (seen, told) in seen.iter().zip(&told) {
                        match (seen.state, *told) {
                            (State::Drained, _) | (State::Available, ("available", _)) | (State::Suspect { .. }, ("suspect", _)) => {}
                            (State::Available, ("cooling", until)) => prop_assert!(until <= *now),
                            (State::Cooling { until, .. }, ("cooling", told)) => prop_assert_eq!(until, told),
                            (seen, told) => prop_assert!(false, "{seen:?} was told as {told:?}"),
                        }
                    }
                }
                _ => {}
            }
        }
    }
}
