//! Suspects: who asks them, how many at a time, and what a request can do to them.

use std::{collections::BTreeSet, time::Duration};

use lb_core::{Fault, MockClock, Outcome, Reason, SeededRng, Step};
use lb_tests::stage::pool_of;
use proptest::prelude::*;

use crate::{
    case::case,
    cases,
    history::{History, Pick, Seen, State, What},
    table::{Says, hangs, nanos},
};

/// A pick of a suspect, with how the suspect was seen just before.
struct Visit<'h> {
    at: usize,
    now: u64,
    pick: &'h Pick,
    reason: Reason,
}

fn visits(history: &History) -> Vec<Visit<'_>> {
    let mut seen: &[Seen] = &[];
    let mut visits = Vec::new();
    for (at, (now, what)) in history.records.iter().enumerate() {
        match what {
            What::Looked(all) => seen = all,
            What::Picked(pick) => {
                if let Some(State::Suspect { reason, .. }) = seen.get(pick.backend).map(|seen| seen.state) {
                    visits.push(Visit { at, now: *now, pick, reason });
                }
            }
            _ => {}
        }
    }
    visits
}

/// Whether the backend was seen as a suspect in every look between two records.
fn stays_suspect(history: &History, backend: usize, from: usize, to: usize) -> bool {
    let mut between = history.looks().filter(|(at, ..)| from < *at && *at < to);
    between.all(|(.., seen)| matches!(seen[backend].state, State::Suspect { .. } | State::Drained))
}

/// Whether the pool has not heard by the record `to` how the attempt ended: one that was dropped early says nothing.
fn is_unheard(history: &History, visit: &Visit<'_>, to: usize) -> bool {
    let this = (visit.pick.request, visit.pick.backend);
    let stalled_after = history.case.options.stalled_after.map(nanos);
    !history.records[visit.at..to].iter().any(|(now, what)| match what {
        What::Settled { request, backend, .. } => (*request, *backend) == this,
        What::Dropped { request, backend } => {
            (*request, *backend) == this && stalled_after.is_some_and(|after| now - visit.now >= after)
        }
        _ => false,
    })
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn one_probe_at_a_time_unless_a_claim_has_lapsed(case in case()) {
        let history = case.play();
        let visits = visits(&history);
        let probes = || visits.iter().filter(|visit| visit.pick.is_probe);
        for probe in probes() {
            let backend = probe.pick.backend;
            for other in probes().filter(|other| other.at < probe.at && other.pick.backend == backend) {
                if stays_suspect(&history, backend, other.at, probe.at) {
                    prop_assert!(probe.now - other.now >= nanos(history.case.options.probe_after));
                }
            }
        }
    }

    #[test]
    fn one_at_a_time_goes_last_to_a_suspect_where_it_may_hang(case in case()) {
        let history = case.play();
        let visits = visits(&history);
        for visit in visits.iter().filter(|visit| !visit.pick.is_probe && hangs(visit.reason)) {
            let backend = visit.pick.backend;
            let before = visits.iter().filter(|other| other.at < visit.at && other.pick.backend == backend);
            for other in before.filter(|other| hangs(other.reason)) {
                if is_unheard(&history, other, visit.at) && stays_suspect(&history, backend, other.at, visit.at) {
                    prop_assert!(visit.now - other.now >= nanos(history.case.options.probe_after));
                }
            }
        }
    }

    #[test]
    fn a_failure_at_a_suspect_closes_its_last_way_for_a_second_unless_the_request_had_failed(case in case()) {
        let history = case.play();
        let visits = visits(&history);
        let failed = failures(&history, &visits);
        for visit in visits.iter().filter(|visit| !visit.pick.is_probe) {
            let backend = visit.pick.backend;
            let before = failed.iter().filter(|(of, at, _)| *of == backend && *at < visit.at);
            for (_, at, then) in before.filter(|(_, at, _)| stays_suspect(&history, backend, *at, visit.at)) {
                prop_assert!(visit.now >= then + 1_000_000_000, "b{backend} failed in record {at}, {then} ns");
            }
        }
    }

    #[test]
    fn a_request_strikes_a_backend_once(case in case()) {
        let history = case.play();
        for (backend, strikes, requests) in strikes(&history) {
            prop_assert!(strikes as usize <= requests, "{strikes} strikes of {requests} requests at b{backend}");
        }
    }
}

/// The failures at suspects that counted: of which backend, the record, and when.
fn failures(history: &History, visits: &[Visit<'_>]) -> Vec<(usize, usize, u64)> {
    let mut failed = BTreeSet::new();
    let mut failures = Vec::new();
    for (at, (now, what)) in history.records.iter().enumerate() {
        let What::Settled { request, backend, answer } = what else { continue };
        let is_this =
            |visit: &&Visit<'_>| (visit.pick.request, visit.pick.backend) == (*request, *backend) && visit.at < at;
        let visit = visits.iter().rfind(is_this);
        let is_fresh = visit.is_some_and(|visit| stays_suspect(history, *backend, visit.at, at));
        let says = history.case.says(*backend, answer);
        if is_fresh && matches!(says, Says::Strike | Says::Failed) && !failed.contains(request) {
            failures.push((*backend, at, *now));
        }
        // The eighth refusal may be a strike.
        if matches!(says, Says::Strike | Says::Unprocessed | Says::Failed) {
            failed.insert(*request);
        }
    }
    failures
}

/// At every look and backend: the strikes that stand, and how many requests failed there since none stood.
fn strikes(history: &History) -> Vec<(usize, u32, usize)> {
    let mut failed: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); history.backends().len()];
    let mut all = Vec::new();
    for (_, what) in &history.records {
        match what {
            What::Settled { request, backend, answer } => match history.case.says(*backend, answer) {
                Says::Strike | Says::Unprocessed => drop(failed[*backend].insert(*request)),
                Says::Alive | Says::Cooling(_) | Says::Failed | Says::Nothing => {}
            },
            What::Dropped { request, backend } => drop(failed[*backend].insert(*request)),
            What::Looked(seen) => {
                for (backend, failed) in failed.iter_mut().enumerate() {
                    all.push((backend, seen[backend].strikes, failed.len()));
                    if seen[backend].strikes == 0 {
                        failed.clear();
                    }
                }
            }
            _ => {}
        }
    }
    all
}

/// The histories reach this too seldom.
#[test]
fn a_request_whose_refusal_is_the_eighth_in_a_row_has_struck_and_says_nothing_about_a_suspect() {
    let clock = MockClock::new();
    let (pool, rng) = (pool_of(&[("a", 1), ("b", 2)]).clock(clock.clone()).build().unwrap(), SeededRng::new(1));
    let probe_at = || match State::from(pool.snapshot().backends[1].state) {
        State::Suspect { probe_at, .. } => probe_at,
        state => panic!("b is {state:?}"),
    };
    let mut walks: Vec<_> = (0..9).map(|_| pool.dispatch()).collect();
    let mut next = |walk: usize, slot: usize, fault: Fault| {
        let Step::Try(attempt) = walks[walk].next(|| pool.now(), &rng) else { panic!("nobody is left") };
        assert_eq!(attempt.slot(), slot);
        let _ = walks[walk].settle(Outcome::Faulted(fault), || pool.now());
    };
    pool.drain("a");
    next(0, 1, Fault::Connect);
    pool.reopen("a");
    let since = probe_at();
    (1..9).for_each(|walk| next(walk, 0, Fault::Unprocessed));

    clock.advance(Duration::from_secs(5));
    next(8, 1, Fault::Connect);
    assert_eq!(probe_at(), since, "the eighth");
    next(7, 1, Fault::Connect);
    assert!(probe_at() > since, "the seventh");
}
