//! The states in every interleaving of two threads.
//!
//! Run with `RUSTFLAGS="--cfg lb_loom" cargo test -p lb-core --lib --release loom_models`.

use ::loom::{
    model,
    sync::{Arc, atomic::AtomicBool},
    thread,
};

use std::time::Duration;

use super::*;
use crate::{
    cause::Detail,
    outcome::Reason,
    pool::{Blame, Class, PoolOptions},
};

fn policy() -> Policy {
    Policy::new(&PoolOptions::default())
}

fn hear(states: &States, slot: usize, now: u64, blame: Blame, marks: u64, claim: Option<Claim>) -> Option<Change> {
    let cause = Some(Cause::new(Reason::Status(429), Detail::default()));
    let news = News { blame, cause, epoch: marks >> 1, claim, has_failed: false };
    states.hear(slot, news, at(now), &policy()).0
}

/// Takes `slot` out for so many nanoseconds from `now` on.
fn mark(states: &States, slot: usize, now: u64, nanos: u64) {
    let blame = Blame::Cooling { duration: Duration::from_nanos(nanos), hint: None, is_throttle: true };
    let _ = hear(states, slot, now, blame, states.marks(slot), None);
}

/// The claim of a first attempt's probe in tier 0, if one is due.
fn probe(states: &States, now: u64) -> Option<Claim> {
    states.recover(&states.view.tiers[0], at(now), Some(&policy()), |_| ()).and_then(|choice| choice.claim)
}

fn until(states: &States, slot: usize, now: u64) -> Option<Instant> {
    match states.state(slot, at(now)).0 {
        State::Cooling { until, .. } => Some(until),
        _ => None,
    }
}

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

/// Searches for a request that has tried these.
fn search(states: &States, now: u64, tried: &[usize]) -> Result<usize, NoneLeft> {
    let mut set = Tried::new();
    tried.iter().for_each(|&slot| set.insert(slot));
    let seeker = Seeker { tried: &set, pin: None, may_try: true, again: None, draw: 0 };
    states.search(at(now), seeker, &policy(), |_| 1).map(|choice| choice.slot)
}

/// What the picks of tier 0 at `now` could give, without a sweep: every slot that is an entry for some draw.
fn choices(states: &States) -> Vec<usize> {
    let tier = &states.view.tiers[0];
    if tier.soonest().is_none() {
        return (0..states.view.len()).collect();
    }
    (0..tier.available()).map(|number| states.entry(tier, number)).collect()
}

/// Runs `writer` in a thread of its own beside `reader`, in every interleaving.
fn beside(
    sizes: &'static [usize],
    before: fn(&States),
    writer: fn(&States),
    reader: fn(&States, has_returned: bool),
    after: fn(&States),
) {
    model(move || {
        let states = Arc::new(States::new(&sizes.iter().map(|&len| vec![1; len]).collect::<Vec<_>>()));
        let returned = Arc::new(AtomicBool::new(false));
        before(&states);
        let other = {
            let (states, returned) = (states.clone(), returned.clone());
            thread::spawn(move || {
                writer(&states);
                returned.store(true, Ordering::Release);
            })
        };
        reader(&states, returned.load(Ordering::Acquire));
        other.join().unwrap();
        after(&states);
    });
}

#[test]
fn a_slot_is_never_picked_after_its_mark_has_returned() {
    beside(
        &[2],
        |_| (),
        |states| mark(states, 0, 0, 10),
        |states, has_returned| {
            if has_returned {
                assert_eq!(choices(states), [1]);
            }
        },
        |states| assert_eq!(choices(states), [1]),
    );
}

#[test]
fn a_healthy_slot_can_be_picked_while_others_are_marked_and_recovered() {
    beside(
        &[3],
        |states| mark(states, 0, 0, 5),
        |states| {
            states.sweep(at(6), |_| ());
            mark(states, 2, 6, 5);
        },
        |states, _| {
            // Every number below `available` gives a slot of the tier; none is out of it, whatever is swapped.
            let choices = choices(states);
            assert!(!choices.is_empty() && choices.iter().all(|&slot| slot < 3));
            // Whoever looks at all of them finds the one that nobody touches.
            assert!(states.is_available(1, at(4)));
            assert_eq!(search(states, 4, &[0, 2]).unwrap(), 1);
        },
        |states| {
            let mut choices = choices(states);
            choices.sort_unstable();
            assert_eq!(choices, [0, 1]);
        },
    );
}

#[test]
fn two_marks_leave_the_later_deadline_and_one_entry_less() {
    beside(
        &[2],
        |_| (),
        |states| mark(states, 0, 0, 44),
        |states, _| mark(states, 0, 0, 4),
        |states| {
            assert_eq!(until(states, 0, 5), Some(at(44)));
            assert_eq!(choices(states), [1]);
            states.sweep(at(44), |_| ());
            assert!(states.view.tiers[0].soonest().is_none());
        },
    );
}

#[test]
fn two_marks_of_two_slots_leave_the_sooner_deadline_in_sight() {
    beside(
        &[2],
        |_| (),
        |states| mark(states, 0, 0, 44),
        |states, _| mark(states, 1, 0, 4),
        |states| {
            assert_eq!(choices(states), []);
            let left = search(states, 0, &[]).unwrap_err();
            assert_eq!((left.totals.soonest, left.totals.cooling), (Some(Duration::from_nanos(4)), 2));
            states.sweep(at(4), |_| ());
            assert_eq!(choices(states), [1]);
        },
    );
}

#[test]
fn each_expiry_is_recovered_by_exactly_one_thread() {
    model(|| {
        let states = Arc::new(States::new(&[vec![1; 1]]));
        mark(&states, 0, 0, 5);
        let recover = |states: &States| {
            let mut recovered = 0;
            states.sweep(at(5), |_| recovered += 1);
            recovered
        };
        let other = {
            let states = states.clone();
            thread::spawn(move || recover(&states))
        };
        let here = recover(&states);
        assert_eq!(here + other.join().unwrap(), 1);
        assert!(states.view.tiers[0].soonest().is_none());
    });
}

#[test]
fn a_mark_that_races_a_recovery_is_not_lost() {
    beside(
        &[1],
        |states| mark(states, 0, 0, 5),
        |states| states.sweep(at(6), |_| ()),
        |states, _| mark(states, 0, 6, 10),
        |states| {
            assert_eq!(choices(states), []);
            assert_eq!(until(states, 0, 7), Some(at(16)));
            states.sweep(at(16), |_| ());
            assert_eq!(choices(states), [0]);
        },
    );
}

#[test]
fn a_search_is_never_in_vain_while_a_slot_is_healthy_or_has_expired() {
    beside(
        &[1, 1],
        |states| mark(states, 0, 0, 5),
        |states| {
            states.sweep(at(5), |_| ());
            mark(states, 1, 5, 5);
        },
        |states, _| {
            // At 5 the first is free again, at the latest for who looks then; the second is marked after that.
            assert_eq!(search(states, 5, &[]).unwrap(), 0);
        },
        |states| assert_eq!(search(states, 5, &[0]).unwrap_err().totals.cooling, 1),
    );
}

#[test]
fn one_thread_probes_a_suspect() {
    model(|| {
        let states = Arc::new(States::new(&[vec![1; 1]]));
        let _ = hear(&states, 0, 0, Blame::Fault, states.marks(0), None);
        let due = 10_000_000_000;
        let other = {
            let states = states.clone();
            thread::spawn(move || probe(&states, due).is_some())
        };
        let here = probe(&states, due).is_some();
        assert!(here != other.join().unwrap());
        assert!(probe(&states, 2 * due).is_some(), "a probe that was lost heals");
    });
}

#[test]
fn one_thread_enters_a_suspect_that_hangs() {
    model(|| {
        let states = Arc::new(States::new(&[vec![1; 1]]));
        let hangs = |states: &States| {
            let cause = Some(Cause::new(Reason::Stalled, Detail::default()));
            let news = News { blame: Blame::Fault, cause, epoch: 0, claim: None, has_failed: false };
            states.hear(0, news, at(0), &policy()).0
        };
        let _ = hangs(&states);
        let other = {
            let states = states.clone();
            thread::spawn(move || search(&states, 1, &[]).is_ok())
        };
        let here = search(&states, 1, &[]).is_ok();
        assert!(here != other.join().unwrap());
    });
}

#[test]
fn a_success_that_races_a_failure_leaves_a_set_that_is_right() {
    beside(
        &[2],
        |states| {
            let _ = hear(states, 0, 0, Blame::Fault, 0, None);
        },
        // Both attempts began since it became suspect.
        |states| {
            let _ = hear(states, 0, 1, Blame::Alive, states.marks(0), None);
        },
        |states, _| {
            let _ = hear(states, 0, 1, Blame::Fault, 2, None);
        },
        |states| {
            // The success is the younger, or the failure is old news.
            assert_eq!(states.state(0, at(1)).0, State::Available);
            assert!(states.view.tiers[0].soonest().is_none() && !states.stands_accused(0));
            let mut choices = choices(states);
            choices.sort_unstable();
            assert_eq!(choices, [0, 1]);
        },
    );
}

#[test]
fn a_drain_and_a_mark_keep_the_slot_out_until_both_have_ended() {
    beside(
        &[2],
        |_| (),
        |states| {
            let _ = states.drain(0, true, at(0));
        },
        |states, _| mark(states, 0, 0, 5),
        |states| {
            states.sweep(at(5), |_| ());
            assert_eq!(choices(states), [1]);
            assert!(states.drain(0, false, at(5)));
            let mut choices = choices(states);
            choices.sort_unstable();
            assert_eq!(choices, [0, 1]);
        },
    );
}

/// States of two equal slots, and in another thread `writer` on them, while they are replaced by ones that have them the other
/// way round.
fn while_replaced(writer: fn(&States), after: fn(old: &States, new: &States)) {
    model(move || {
        let old = Arc::new(States::new(&[vec![1; 2]]));
        let other = {
            let old = old.clone();
            thread::spawn(move || writer(&old))
        };
        let new = old.replaced(&[vec![1; 2]], |slot| Some(1 - slot));
        other.join().unwrap();
        after(&old, &new);
    });
}

#[test]
fn news_that_come_while_a_pool_is_replaced_are_known_to_both() {
    while_replaced(
        |old| mark(old, 0, 0, 10),
        |old, new| {
            assert_eq!((choices(old), choices(new)), (vec![1], vec![0]));
            assert_eq!((until(old, 0, 0), until(new, 1, 0)), (Some(at(10)), Some(at(10))));
        },
    );
}

#[test]
fn of_news_to_both_pools_at_once_the_longest_cooldown_wins() {
    model(|| {
        let old = Arc::new(States::new(&[vec![1; 2]]));
        let new = old.replaced(&[vec![1; 2]], |slot| Some(1 - slot));
        let other = {
            let old = old.clone();
            thread::spawn(move || {
                mark(&old, 0, 0, 44);
                assert_eq!(choices(&old), [1], "it is out by what its own pool has been told");
            })
        };
        mark(&new, 1, 0, 4);
        assert_eq!(choices(&new), [0]);
        other.join().unwrap();
        assert_eq!((until(&old, 0, 5), until(&new, 1, 5)), (Some(at(44)), Some(at(44))));
    });
}

#[test]
fn a_pool_that_is_let_go_while_its_successor_is_replaced_loses_no_count() {
    model(|| {
        let first = States::new(&[vec![1; 1]]);
        first.counters().begin(0);
        let second = first.replaced(&[vec![1; 1]], Some);
        let other = thread::spawn(move || {
            first.counters().end(0, Class::Success);
            drop(first);
        });
        let third = second.replaced(&[vec![1; 1]], Some);
        other.join().unwrap();
        let counters = third.state(0, at(0)).3;
        assert_eq!((counters.attempts, counters.successes), (1, 1));
    });
}
