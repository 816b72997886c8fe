//! The cooldowns in every interleaving of two threads.
//!
//! Run with `RUSTFLAGS="--cfg lb_loom" cargo test -p lb-core --lib --release loom_models`.

use ::loom::{
    model,
    sync::{Arc, atomic::AtomicBool},
    thread,
};

use super::*;

/// Takes `slot` out for so many nanoseconds from `now` on.
fn mark(cooldowns: &Cooldowns, slot: usize, now: u64, nanos: u64) {
    let cooldown = Cooldown { duration: Duration::from_nanos(nanos), reason: Reason::Status(429), hint: None };
    let _ = cooldowns.extend(slot, at(now), cooldown);
}

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn search(cooldowns: &Cooldowns, now: u64, is_candidate: fn(usize) -> bool) -> Result<usize, NoneLeft> {
    cooldowns.search(at(now), Duration::from_secs(1), is_candidate)
}

/// What the picks of tier 0 at `now` could give, without a sweep: every slot that is an entry for some draw.
fn choices(cooldowns: &Cooldowns) -> Vec<usize> {
    let tier = &cooldowns.tiers[0];
    if tier.soonest().is_none() {
        return (0..cooldowns.deadlines.len()).collect();
    }
    (0..tier.available()).map(|number| cooldowns.entry(tier, number)).collect()
}

/// Runs `writer` in a thread of its own beside `reader`, in every interleaving.
fn beside(
    sizes: &'static [usize],
    before: fn(&Cooldowns),
    writer: fn(&Cooldowns),
    reader: fn(&Cooldowns, has_returned: bool),
    after: fn(&Cooldowns),
) {
    model(move || {
        let cooldowns = Arc::new(Cooldowns::new(&sizes.iter().map(|&len| vec![1; len]).collect::<Vec<_>>()));
        let returned = Arc::new(AtomicBool::new(false));
        before(&cooldowns);
        let other = {
            let (cooldowns, returned) = (cooldowns.clone(), returned.clone());
            thread::spawn(move || {
                writer(&cooldowns);
                returned.store(true, Ordering::Release);
            })
        };
        reader(&cooldowns, returned.load(Ordering::Acquire));
        other.join().unwrap();
        after(&cooldowns);
    });
}

#[test]
fn a_slot_is_never_picked_after_its_mark_has_returned() {
    beside(
        &[2],
        |_| (),
        |cooldowns| mark(cooldowns, 0, 0, 10),
        |cooldowns, has_returned| {
            if has_returned {
                assert_eq!(choices(cooldowns), [1]);
            }
        },
        |cooldowns| assert_eq!(choices(cooldowns), [1]),
    );
}

#[test]
fn a_healthy_slot_can_be_picked_while_others_are_marked_and_recovered() {
    beside(
        &[3],
        |cooldowns| mark(cooldowns, 0, 0, 5),
        |cooldowns| {
            cooldowns.sweep(at(6), |_| ());
            mark(cooldowns, 2, 6, 5);
        },
        |cooldowns, _| {
            // Every number below `available` gives a slot of the tier; none is out of it, whatever is swapped.
            let choices = choices(cooldowns);
            assert!(!choices.is_empty() && choices.iter().all(|&slot| slot < 3));
            // Whoever looks at all of them finds the one that nobody touches.
            assert!(cooldowns.is_available(1, at(4)));
            assert_eq!(search(cooldowns, 4, |slot| slot == 1), Ok(1));
        },
        |cooldowns| {
            let mut choices = choices(cooldowns);
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
        |cooldowns| mark(cooldowns, 0, 0, 44),
        |cooldowns, _| mark(cooldowns, 0, 0, 4),
        |cooldowns| {
            assert_eq!(cooldowns.state(0, at(5)).map(|(until, _)| until), Some(at(44)));
            assert_eq!(choices(cooldowns), [1]);
            cooldowns.sweep(at(44), |_| ());
            assert!(cooldowns.tiers[0].soonest().is_none());
        },
    );
}

#[test]
fn two_marks_of_two_slots_leave_the_sooner_deadline_in_sight() {
    beside(
        &[2],
        |_| (),
        |cooldowns| mark(cooldowns, 0, 0, 44),
        |cooldowns, _| mark(cooldowns, 1, 0, 4),
        |cooldowns| {
            assert_eq!(choices(cooldowns), []);
            let soonest = Duration::from_nanos(4);
            assert_eq!(search(cooldowns, 0, |_| true), Err(NoneLeft { soonest, cooling: 2 }));
            cooldowns.sweep(at(4), |_| ());
            assert_eq!(choices(cooldowns), [1]);
        },
    );
}

#[test]
fn each_expiry_is_recovered_by_exactly_one_thread() {
    model(|| {
        let cooldowns = Arc::new(Cooldowns::new(&[vec![1; 1]]));
        mark(&cooldowns, 0, 0, 5);
        let recover = |cooldowns: &Cooldowns| {
            let mut recovered = 0;
            cooldowns.sweep(at(5), |_| recovered += 1);
            recovered
        };
        let other = {
            let cooldowns = cooldowns.clone();
            thread::spawn(move || recover(&cooldowns))
        };
        let here = recover(&cooldowns);
        assert_eq!(here + other.join().unwrap(), 1);
        assert!(cooldowns.tiers[0].soonest().is_none());
    });
}

#[test]
fn a_mark_that_races_a_recovery_is_not_lost() {
    beside(
        &[1],
        |cooldowns| mark(cooldowns, 0, 0, 5),
        |cooldowns| cooldowns.sweep(at(6), |_| ()),
        |cooldowns, _| mark(cooldowns, 0, 6, 10),
        |cooldowns| {
            assert_eq!(choices(cooldowns), []);
            assert_eq!(cooldowns.state(0, at(7)).map(|(until, _)| until), Some(at(16)));
            cooldowns.sweep(at(16), |_| ());
            assert_eq!(choices(cooldowns), [0]);
        },
    );
}

#[test]
fn a_search_is_never_in_vain_while_a_slot_is_healthy_or_has_expired() {
    beside(
        &[1, 1],
        |cooldowns| mark(cooldowns, 0, 0, 5),
        |cooldowns| {
            cooldowns.sweep(at(5), |_| ());
            mark(cooldowns, 1, 5, 5);
        },
        |cooldowns, _| {
            // At 5 the first is free again, at the latest for who looks then; the second is marked after that.
            assert_eq!(search(cooldowns, 5, |_| true), Ok(0));
        },
        |cooldowns| assert!(matches!(search(cooldowns, 5, |slot| slot == 1), Err(NoneLeft { cooling: 1, .. }))),
    );
}
