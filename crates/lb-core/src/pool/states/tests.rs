//! The states of a pool, step by step: what readers see.

use std::time::Duration;

use super::*;
use crate::{
    cause::Detail,
    fault::Fault,
    outcome::Reason,
    pool::{Blame, PoolOptions},
};

fn secs(secs: u64) -> Instant {
    Instant::from_nanos(secs * 1_000_000_000)
}

fn policy() -> Policy {
    Policy::new(&PoolOptions::default())
}

fn news(states: &States, slot: usize, blame: Blame, reason: Reason) -> News {
    let cause = Some(Cause::new(reason, Detail::default()));
    News { blame, cause, epoch: states.marks(slot) >> 1, claim: None, has_failed: false }
}

/// A 429 with a hint of so many seconds; gives the moment until which the slot is out, if that made it later.
fn cool(states: &States, slot: usize, now: Instant, for_secs: u64) -> Option<Instant> {
    let duration = Duration::from_secs(for_secs);
    let news = news(states, slot, Blame::Cooling { duration, hint: None, is_throttle: true }, Reason::Status(429));
    match states.hear(slot, news, now, &policy()).0 {
        Some(Change::Cooling(until)) => Some(until),
        _ => None,
    }
}

/// A refused connection; gives the moment of the probe if it made the slot suspect.
fn fault(states: &States, slot: usize, now: Instant) -> Option<Instant> {
    match states.hear(slot, news(states, slot, Blame::Fault, Reason::Fault(Fault::Connect)), now, &policy()).0 {
        Some(Change::Suspected(probe_at)) => Some(probe_at),
        _ => None,
    }
}

fn succeed(states: &States, slot: usize, now: Instant) -> Option<Change> {
    let news = News { cause: None, ..news(states, slot, Blame::Alive, Reason::Status(200)) };
    states.hear(slot, news, now, &policy()).0
}

/// The available slots of a tier, sorted; checks that the set is a permutation and knows its positions.
fn available(states: &States, tier: usize) -> Vec<usize> {
    let set = &states.view.tiers[tier];
    let mut entries: Vec<_> = (0..set.len).map(|number| states.entry(set, number)).collect();
    let mut available = entries[..set.available() as usize].to_vec();
    for (position, &slot) in (set.start..).zip(&entries) {
        assert_eq!(lock(&states.ledger).position(states.number, slot), position);
    }
    entries.sort_unstable();
    assert!(entries.into_iter().eq((set.start..set.start + set.len).map(|slot| slot as usize)));
    available.sort_unstable();
    available
}

fn all_available(states: &States, tier: usize) -> bool {
    states.view.tiers[tier].soonest().is_none()
}

fn swept(states: &States, tier: usize, now: Instant) -> Vec<usize> {
    let mut recovered = Vec::new();
    let tier = &states.view.tiers[tier];
    if tier.soonest().is_some_and(|soonest| soonest <= now) {
        states.recover(tier, now, None, |slot| recovered.push(slot));
    }
    recovered.sort_unstable();
    recovered
}

/// The slot of the probe that a first attempt at `now` gets, if one is due.
fn probed(states: &States, tier: usize, now: Instant) -> Option<Choice> {
    let policy = policy();
    states.recover(&states.view.tiers[tier], now, Some(&policy), |_| ())
}

fn search(states: &States, now: Instant, tried: &[usize]) -> Result<usize, (Option<u64>, usize, usize, usize)> {
    let mut set = Tried::new();
    tried.iter().for_each(|&slot| set.insert(slot));
    let seeker = Seeker { tried: &set, pin: None, may_try: true, again: None, draw: 0 };
    let found = states.search(now, seeker, &policy(), |_| 1);
    found.map(|choice| choice.slot).map_err(|NoneLeft { totals, .. }| {
        (totals.soonest.map(|soonest| soonest.as_secs()), totals.cooling, totals.suspect, totals.drained)
    })
}

#[test]
fn a_straggler_never_shortens_a_cooldown() {
    let states = States::new(&[vec![1; 1]]);
    assert_eq!(cool(&states, 0, secs(0), 60), Some(secs(60)));
    assert_eq!(cool(&states, 0, secs(1), 10), None);
    assert_eq!(cool(&states, 0, secs(1), 60), Some(secs(61)));
    assert!(!states.is_available(0, Instant::from_nanos(secs(61).as_nanos() - 1)));
    assert!(states.is_available(0, secs(61)));
}

#[test]
fn a_cooldown_of_zero_takes_nobody_out() {
    let states = States::new(&[vec![1; 1]]);
    assert_eq!(cool(&states, 0, secs(5), 0), None);
    assert!(all_available(&states, 0));
}

#[test]
fn an_expired_cooldown_is_recovered_exactly_once() {
    let states = States::new(&[vec![1; 2], vec![1; 1]]);
    let _ = cool(&states, 1, secs(0), 5);
    let _ = cool(&states, 2, secs(0), 5);
    assert_eq!((available(&states, 0), available(&states, 1)), (vec![0], vec![]));
    assert_eq!(swept(&states, 0, secs(4)), [0_usize; 0]);
    assert_eq!(swept(&states, 0, secs(5)), [1]);
    assert_eq!(swept(&states, 0, secs(5)), [0_usize; 0]);
    assert!(all_available(&states, 0) && !all_available(&states, 1));
    assert_eq!((available(&states, 0), available(&states, 1)), (vec![0, 1], vec![]));
}

#[test]
fn a_sweep_ends_what_has_expired_and_keeps_the_rest() {
    let states = States::new(&[vec![1; 100]]);
    for slot in 0..100 {
        let _ = cool(&states, slot, secs(0), if slot % 2 == 0 { 5 } else { 9 });
    }
    assert_eq!(available(&states, 0), [0_usize; 0]);
    // More than one batch.
    assert_eq!(swept(&states, 0, secs(5)), (0..100).step_by(2).collect::<Vec<_>>());
    assert_eq!(available(&states, 0), (0..100).step_by(2).collect::<Vec<_>>());
    assert_eq!(swept(&states, 0, secs(8)), [0_usize; 0]);
    assert_eq!(swept(&states, 0, secs(9)).len(), 50);
    assert!(all_available(&states, 0));
}

#[test]
fn re_marking_an_expired_slot_keeps_the_set_right() {
    let states = States::new(&[vec![1; 2]]);
    let _ = cool(&states, 0, secs(0), 5);
    assert_eq!(cool(&states, 0, secs(9), 5), Some(secs(14)));
    assert_eq!(available(&states, 0), [1]);
    assert_eq!(swept(&states, 0, secs(13)), [0_usize; 0]);
    assert_eq!(swept(&states, 0, secs(14)), [0]);
    assert!(all_available(&states, 0));
}

#[test]
fn a_suspect_is_out_until_a_success_and_probed_by_one() {
    let states = States::new(&[vec![1; 2]]);
    assert_eq!(fault(&states, 0, secs(0)), Some(secs(10)));
    assert_eq!(available(&states, 0), [1]);
    assert!(!states.is_available(0, secs(1_000)), "time alone does not bring it back");
    assert_eq!(swept(&states, 0, secs(10)), [0_usize; 0]);
    assert_eq!(probed(&states, 0, Instant::from_nanos(secs(10).as_nanos() - 1)), None);
    assert_eq!(probed(&states, 0, secs(10)).map(|choice| choice.slot), Some(0));
    assert_eq!(probed(&states, 0, secs(10)), None, "one at a time");
    assert!(probed(&states, 0, secs(20)).is_some(), "a claim lapses");
    assert!(states.stands_accused(0));
    assert_eq!(succeed(&states, 0, secs(21)), Some(Change::Available));
    assert_eq!(available(&states, 0), [0, 1]);
    assert!(all_available(&states, 0) && !states.stands_accused(0));
}

#[test]
fn a_probe_is_given_out_once_beside_a_batch_of_recoveries() {
    let states = States::new(&[vec![1; 100]]);
    let _ = fault(&states, 0, secs(0));
    let _ = fault(&states, 1, secs(0));
    for slot in 2..100 {
        let _ = cool(&states, slot, secs(0), 5);
    }
    let first = probed(&states, 0, secs(10)).map(|choice| choice.slot);
    let second = probed(&states, 0, secs(10)).map(|choice| choice.slot);
    assert_eq!(available(&states, 0), (2..100).collect::<Vec<_>>());
    let mut both = [first, second];
    both.sort_unstable();
    assert_eq!(both, [Some(0), Some(1)]);
    assert_eq!(probed(&states, 0, secs(10)), None);
}

#[test]
fn a_search_in_vain_tells_the_soonest_moment_also_after_a_straggler() {
    let states = States::new(&[vec![1; 1], vec![1; 1]]);
    let _ = cool(&states, 0, secs(0), 4);
    assert_eq!(search(&states, secs(0), &[]), Ok(1), "the second slot is available");
    assert_eq!(search(&states, secs(0), &[1]), Err((Some(1), 1, 0, 0)), "it was tried: one second");
    let _ = cool(&states, 1, secs(0), 50);
    assert_eq!(search(&states, secs(0), &[]), Err((Some(4), 2, 0, 0)));
    let _ = cool(&states, 0, secs(0), 44);
    assert_eq!(search(&states, secs(0), &[]), Err((Some(44), 2, 0, 0)));
    assert_eq!(search(&states, secs(44), &[]), Ok(0));
}

#[test]
fn a_search_finds_suspects_last_and_nobody_who_is_drained() {
    let states = States::new(&[vec![1; 1], vec![1; 1], vec![1; 1]]);
    let _ = fault(&states, 0, secs(0));
    assert_eq!(search(&states, secs(0), &[]), Ok(1));
    let _ = cool(&states, 1, secs(0), 60);
    assert!(states.drain(2, true, secs(0)) && !states.drain(2, true, secs(0)));
    assert_eq!(search(&states, secs(1), &[]), Ok(0));
    assert_eq!(search(&states, secs(1), &[0]), Err((Some(1), 1, 1, 1)));
    let _ = fault(&states, 0, secs(1));
    assert_eq!(search(&states, Instant::from_nanos(secs(2).as_nanos() - 1), &[]), Err((Some(0), 1, 1, 1)));
    assert_eq!(search(&states, secs(2), &[]), Ok(0));
    let _ = states.drain(0, true, secs(2));
    let _ = states.drain(1, true, secs(2));
    assert_eq!(search(&states, secs(1_000), &[]), Err((None, 0, 0, 3)));
    assert!(probed(&states, 0, secs(1_000)).is_none(), "a drained suspect is not probed");
    assert!(states.drain(1, false, secs(1_000)));
    assert_eq!(search(&states, secs(1_000), &[]), Ok(1), "its cooldown has ended");
}

#[test]
fn a_draw_goes_by_weight() {
    let weight = |slot| [1, 2, 5][slot];
    let eighth = u64::MAX / 8 + 1;
    let drawn: Vec<_> = (0..8).map(|number| draw(&[0, 1, 2], weight, number * eighth)).collect();
    assert_eq!(drawn, [0, 1, 1, 2, 2, 2, 2, 2].map(Some));
    assert_eq!((draw(&[], weight, 0), draw(&[2], weight, u64::MAX)), (None, Some(2)));
}

#[test]
fn a_clock_that_goes_backwards_or_ends_panics_nowhere() {
    let states = States::new(&[vec![1; 1]]);
    let end = Instant::from_nanos(u64::MAX);
    assert_eq!(cool(&states, 0, end, 10), None);
    let _ = cool(&states, 0, secs(100), 10);
    assert_eq!(cool(&states, 0, secs(0), 10), None);
    assert!(!states.is_available(0, secs(0)));
    assert!(states.is_available(0, secs(110)));
    let late = Instant::from_nanos(u64::MAX - 2);
    assert_eq!(cool(&states, 0, late, 10).map(Instant::as_nanos), Some(u64::MAX - 1));
    assert_eq!(swept(&states, 0, end), [0]);
    let _ = states.drain(0, true, end);
    assert!(!states.is_available(0, end));
}
