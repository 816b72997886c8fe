//! States: what an answer makes of its backend, and what nothing makes of it.

use std::time::{Duration, SystemTime};

use lb_core::Reason;
use proptest::prelude::*;

use crate::{
    case::{Answer, case},
    cases,
    history::{History, Pick, Seen, State, What},
    table::{Says, counted_as, nanos, reason},
};

/// Each change of a history: the state before, what happened at one moment, and the state after.
fn changes(history: &History) -> impl Iterator<Item = Change<'_>> {
    let looks: Vec<_> = history.looks().collect();
    let pairs: Vec<_> = looks.windows(2).map(|pair| (pair[0], pair[1])).collect();
    pairs.into_iter().filter(|((_, then, _), (_, now, _))| then == now).map(|((from, _, before), (to, now, after))| {
        Change { from, now, before, events: &history.records[from + 1..to], after }
    })
}

struct Change<'h> {
    /// The record of the look before.
    from: usize,
    now: u64,
    before: &'h [Seen],
    events: &'h [(u64, What)],
    after: &'h [Seen],
}

impl Change<'_> {
    /// The backend that answered, and its answer.
    fn answer(&self) -> Option<(usize, &Answer)> {
        match self.events {
            [(_, What::Settled { backend, answer, .. }), ..] => Some((*backend, answer)),
            _ => None,
        }
    }
}

proptest! {
    #![proptest_config(cases(384))]

    #[test]
    fn every_state_is_the_one_that_the_rules_say(case in case()) {
        let history = case.play();
        history.check(|moment| {
            let What::Looked(seen) = moment.what else { return Ok(()) };
            for (backend, (seen, believed)) in seen.iter().zip(&moment.oracle.backends).enumerate() {
                prop_assert_eq!(seen.state, believed.state(moment.now), "b{} in record {}", backend, moment.at);
                prop_assert_eq!(seen.strikes, believed.strikes(), "strikes of b{} in record {}", backend, moment.at);
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_cooldown_only_gets_longer_while_it_lasts(case in case()) {
        let history = case.play();
        let looks: Vec<_> = history.looks().collect();
        for pair in looks.windows(2) {
            let ((_, _, before), (_, now, after)) = (pair[0], pair[1]);
            for backend in history.backends() {
                if let Some(deadline) = before[backend].state.deadline().filter(|deadline| *deadline > now) {
                    let is_out = after[backend].state == State::Drained;
                    prop_assert!(is_out || after[backend].state.deadline() >= Some(deadline));
                }
            }
        }
    }

    #[test]
    fn no_backend_is_ever_left_alone_for_longer_than_the_maximum(case in case()) {
        let history = case.play();
        let most = nanos(history.case.options.max_cooldown);
        for (_, now, seen) in history.looks() {
            let until = |state| match state {
                State::Cooling { until, .. } => until,
                State::Suspect { probe_at, .. } => probe_at,
                State::Available | State::Drained => 0,
            };
            prop_assert!(seen.iter().all(|seen| until(seen.state) <= now + most));
        }
    }

    #[test]
    fn a_success_neither_ends_nor_extends_a_cooldown(case in case()) {
        let history = case.play();
        for change in changes(&history) {
            let Some((backend, answer)) = change.answer() else { continue };
            if counted_as(answer) == "successes" && change.before[backend].state.deadline().is_some() {
                prop_assert_eq!(change.after[backend].state, change.before[backend].state);
            }
        }
    }

    #[test]
    fn an_answer_of_one_backend_changes_no_other(case in case()) {
        let history = case.play();
        for change in changes(&history) {
            let Some((backend, _)) = change.answer() else { continue };
            let picked = change.events.iter().find_map(|(_, what)| match what {
                What::Picked(pick) => Some(pick.backend),
                _ => None,
            });
            for other in history.backends().filter(|other| *other != backend) {
                let mut expected = change.before[other].clone();
                if picked == Some(other) {
                    expected.counters.attempts += 1;
                    expected.counters.in_flight += 1;
                    // The request that goes there may be the one that sees how it is: the next probe comes later.
                    if let (State::Suspect { probe_at, .. }, State::Suspect { probe_at: later, .. }) =
                        (&mut expected.state, change.after[other].state)
                    {
                        *probe_at = later.max(*probe_at);
                    }
                }
                prop_assert_eq!(&change.after[other], &expected, "b{}, when b{} answered", other, backend);
            }
        }
    }

    #[test]
    fn nobody_is_blamed_for_what_the_caller_did(case in case()) {
        let history = case.play();
        let stalls = history.case.options.stalled_after.is_some();
        for change in changes(&history) {
            let is_the_callers = |what: &What| match what {
                What::Settled { backend, answer, .. } => history.case.says(*backend, answer) == Says::Nothing,
                What::Dropped { .. } => !stalls,
                What::Delivered(_) | What::Told(_) => true,
                _ => false,
            };
            if change.events.iter().all(|(_, what)| is_the_callers(what)) {
                for (before, after) in change.before.iter().zip(change.after) {
                    prop_assert_eq!((before.state, before.strikes), (after.state, after.strikes));
                }
            }
        }
    }

    #[test]
    fn a_throttled_backend_cools_for_its_credible_hint_and_without_one_for_the_default(case in case()) {
        let history = case.play();
        let options = &history.case.options;
        for change in changes(&history) {
            let Some((backend, Answer::Status { status: 429, hint, .. })) = change.answer() else { continue };
            if change.before[backend].state != State::Available {
                continue;
            }
            let cooled = change.after[backend].state.deadline().map(|until| Duration::from_nanos(until - change.now));
            let expected = match hint.delay() {
                None => Some(options.default_cooldown),
                Some(said) => Some(said).filter(|said| !said.is_zero() && *said <= options.max_cooldown),
            };
            prop_assert_eq!(cooled, expected);
        }
    }

    #[test]
    fn old_news_changes_nothing_but_for_429s(case in case()) {
        let history = case.play();
        let looks: Vec<_> = history.looks().collect();
        for change in changes(&history) {
            let (request, backend, says, is_429) = match change.events {
                [(_, What::Settled { request, backend, answer }), ..] => {
                    let is_429 = reason(answer) == Reason::Status(429);
                    (*request, *backend, history.case.says(*backend, answer), is_429)
                }
                [(_, What::Dropped { request, backend }), ..] => (*request, *backend, Says::Strike, false),
                _ => continue,
            };
            let is_its = |(at, pick): &(usize, &Pick)| pick.request == request && *at < change.from;
            let began = history.picks().filter(is_its).last().map_or(0, |(at, _)| at);
            // What it was seen to be since the attempt began; what an operator does is no change of state.
            let kinds = looks.iter().filter(|(at, ..)| began < *at && *at <= change.from);
            let kinds = kinds.map(|(.., seen)| seen[backend].state).filter(|state| *state != State::Drained);
            let kinds: Vec<_> = kinds.map(|state| std::mem::discriminant(&state)).collect();
            let suspect = std::mem::discriminant(&State::Suspect { probe_at: 0, reason: Reason::Stalled });
            let is_old = match says {
                // Once a cooldown has ended the suspicion too, an old success is proof of life.
                Says::Alive => {
                    kinds.last() != Some(&std::mem::discriminant(&State::Available))
                        && kinds.windows(2).any(|pair| pair[0] != suspect && pair[1] == suspect)
                }
                Says::Cooling(_) => !is_429 && kinds.windows(2).any(|pair| pair[0] != pair[1]),
                _ => kinds.windows(2).any(|pair| pair[0] != pair[1]),
            };
            if is_old {
                let (before, after) = (&change.before[backend], &change.after[backend]);
                prop_assert_eq!((before.state, before.strikes), (after.state, after.strikes), "{:?}", change.events);
            }
        }
    }

    #[test]
    fn results_do_not_depend_on_the_wall_clock(case in case(), secs in 0..4_000_000_000_u64) {
        let elsewhere = SystemTime::UNIX_EPOCH + Duration::from_secs(secs);
        let (here, there) = (case.play(), case.play_at(elsewhere));
        prop_assert_eq!(here.log(), there.log());
    }
}
