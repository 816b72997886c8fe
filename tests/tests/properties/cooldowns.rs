//! Cooldowns: what moves a deadline, how far, and what does not.

use std::time::{Duration, SystemTime};

use lb_core::{Backend, Hint, HintSource, MockClock, Outcome, Pool, SeededRng, State, Step};
use proptest::{collection::vec, prelude::*};

use crate::{
    case::{Answer, case},
    cases,
    history::{History, What},
};

/// Each change of a history: the state before, what happened at one moment, and the state after.
fn changes(history: &History) -> impl Iterator<Item = Change<'_>> {
    let looks: Vec<_> = history.looks().collect();
    let pairs: Vec<_> = looks.windows(2).map(|pair| (pair[0], pair[1])).collect();
    pairs.into_iter().filter(|((_, then, _), (_, now, _))| then == now).map(|((from, _, before), (to, now, after))| {
        Change { now, before, events: &history.records[from + 1..to], after }
    })
}

struct Change<'h> {
    now: u64,
    before: &'h [crate::history::Seen],
    events: &'h [(u64, What)],
    after: &'h [crate::history::Seen],
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn the_deadline_is_the_latest_that_any_answer_gave(case in case()) {
        let history = case.play();
        for (at, now, seen) in history.looks() {
            for backend in history.backends() {
                let expected = Some(history.deadline(backend, at)).filter(|deadline| *deadline > now);
                prop_assert_eq!(seen[backend].deadline, expected, "b{} at {}", backend, now);
            }
        }
    }

    #[test]
    fn a_deadline_only_moves_later_while_it_lasts(case in case()) {
        let history = case.play();
        let looks: Vec<_> = history.looks().collect();
        for pair in looks.windows(2) {
            let ((_, _, before), (_, now, after)) = (pair[0], pair[1]);
            for backend in history.backends() {
                if let Some(deadline) = before[backend].deadline.filter(|deadline| *deadline > now) {
                    prop_assert!(after[backend].deadline >= Some(deadline));
                }
            }
        }
    }

    #[test]
    fn no_backend_is_ever_out_for_longer_than_the_maximum(case in case()) {
        let history = case.play();
        let most = u64::try_from(history.case.options.max_cooldown.as_nanos()).unwrap();
        for (_, now, seen) in history.looks() {
            prop_assert!(seen.iter().all(|seen| seen.deadline.is_none_or(|deadline| deadline <= now + most)));
        }
    }

    #[test]
    fn a_success_neither_ends_nor_extends_a_cooldown(case in case()) {
        let history = case.play();
        for change in changes(&history) {
            let is_success = |answer| History::counted_as(answer) == "successes";
            let [(_, What::Settled { backend, answer, .. }), ..] = change.events else { continue };
            if is_success(answer) {
                prop_assert_eq!(change.after[*backend].deadline, change.before[*backend].deadline);
            }
        }
    }

    #[test]
    fn an_answer_of_one_backend_changes_no_other(case in case()) {
        let history = case.play();
        for change in changes(&history) {
            let [(_, What::Settled { backend, .. }), rest @ ..] = change.events else { continue };
            let picked = rest.iter().find_map(|(_, what)| match what {
                What::Picked { backend, .. } => Some(*backend),
                _ => None,
            });
            for other in history.backends().filter(|other| other != backend) {
                let mut expected = change.before[other].clone();
                if picked == Some(other) {
                    expected.counters.attempts += 1;
                    expected.counters.in_flight += 1;
                }
                prop_assert_eq!(&change.after[other], &expected, "b{}, when b{} answered", other, backend);
            }
        }
    }

    #[test]
    fn nobody_is_blamed_for_what_the_caller_did(case in case()) {
        let history = case.play();
        for change in changes(&history) {
            let is_the_callers = |what: &What| match what {
                What::Settled { answer, .. } => !history.fails_over(answer),
                _ => true,
            };
            if change.events.iter().all(|(_, what)| is_the_callers(what)) {
                for backend in history.backends() {
                    prop_assert_eq!(change.before[backend].deadline, change.after[backend].deadline);
                }
            }
        }
    }

    #[test]
    fn a_refusal_cools_for_its_credible_hint_and_else_for_the_default(case in case()) {
        let history = case.play();
        for change in changes(&history) {
            let [(_, What::Settled { backend, answer, .. }), ..] = change.events else { continue };
            if change.before[*backend].deadline.is_some() {
                continue;
            }
            let options = &history.case.options;
            let cooled = change.after[*backend].deadline.map(|until| Duration::from_nanos(until - change.now));
            let expected = match answer {
                answer if !history.fails_over(answer) => None,
                Answer::Status { status: 429 | 500.., hint, .. } => match hint.delay() {
                    Some(Duration::ZERO) => None,
                    Some(said) if said <= options.max_cooldown => Some(said),
                    _ => Some(options.default_cooldown),
                },
                _ => Some(options.default_cooldown),
            };
            prop_assert_eq!(cooled, expected, "{:?}", answer);
        }
    }

    #[test]
    fn results_do_not_depend_on_the_wall_clock(case in case(), secs in 0..4_000_000_000_u64) {
        let elsewhere = SystemTime::UNIX_EPOCH + Duration::from_secs(secs);
        prop_assert_eq!(case.play().log, case.play_at(elsewhere).log);
    }
}

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
            prop_assert_eq!(exhausted.retry_after(), Duration::from_nanos(1));
            clock.advance(Duration::from_nanos(1));
        }
        prop_assert!(matches!(pool.dispatch().next(|| pool.now(), &rng), Step::Try(_)));
    }
}
