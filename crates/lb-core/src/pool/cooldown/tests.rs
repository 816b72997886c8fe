//! The cooldowns, step by step.

use super::*;

fn secs(secs: u64) -> Instant {
    Instant::from_nanos(secs * 1_000_000_000)
}

fn cooldown(secs: u64) -> Cooldown {
    Cooldown { duration: Duration::from_secs(secs), reason: Reason::Status(429), hint: None }
}

/// The available slots of a tier, sorted; checks that the set is a permutation and knows its positions.
fn available(cooldowns: &Cooldowns, tier: usize) -> Vec<usize> {
    let set = &cooldowns.tiers[tier];
    let mut entries: Vec<_> = (0..set.len).map(|number| cooldowns.entry(set, number)).collect();
    let mut available = entries[..set.available() as usize].to_vec();
    for (position, &slot) in (set.start..).zip(&entries) {
        assert_eq!(lock(&cooldowns.cold)[slot].position, position);
    }
    entries.sort_unstable();
    assert!(entries.into_iter().eq((set.start..set.start + set.len).map(|slot| slot as usize)));
    available.sort_unstable();
    available
}

fn all_available(cooldowns: &Cooldowns, tier: usize) -> bool {
    cooldowns.tiers[tier].soonest().is_none()
}

fn swept(cooldowns: &Cooldowns, tier: usize, now: Instant) -> Vec<usize> {
    let mut recovered = Vec::new();
    let tier = &cooldowns.tiers[tier];
    if tier.soonest().is_some_and(|soonest| soonest <= now) {
        cooldowns.recover(tier, now, |slot| recovered.push(slot));
    }
    recovered.sort_unstable();
    recovered
}

#[test]
fn a_straggler_never_shortens_a_cooldown() {
    let cooldowns = Cooldowns::new(&[vec![1; 1]]);
    assert_eq!(cooldowns.extend(0, secs(0), cooldown(60)), Some(secs(60)));
    assert_eq!(cooldowns.extend(0, secs(1), cooldown(10)), None);
    assert_eq!(cooldowns.extend(0, secs(1), cooldown(60)), Some(secs(61)));
    assert!(!cooldowns.is_available(0, Instant::from_nanos(secs(61).as_nanos() - 1)));
    assert!(cooldowns.is_available(0, secs(61)));
}

#[test]
fn a_cooldown_of_zero_takes_nobody_out() {
    let cooldowns = Cooldowns::new(&[vec![1; 1]]);
    assert_eq!(cooldowns.extend(0, secs(5), cooldown(0)), None);
    assert!(all_available(&cooldowns, 0));
}

#[test]
fn an_expired_cooldown_is_recovered_exactly_once() {
    let cooldowns = Cooldowns::new(&[vec![1; 2], vec![1; 1]]);
    let _ = cooldowns.extend(1, secs(0), cooldown(5));
    let _ = cooldowns.extend(2, secs(0), cooldown(5));
    assert_eq!((available(&cooldowns, 0), available(&cooldowns, 1)), (vec![0], vec![]));
    assert_eq!(swept(&cooldowns, 0, secs(4)), [0_usize; 0]);
    assert_eq!(swept(&cooldowns, 0, secs(5)), [1]);
    assert_eq!(swept(&cooldowns, 0, secs(5)), [0_usize; 0]);
    assert!(all_available(&cooldowns, 0) && !all_available(&cooldowns, 1));
    assert_eq!((available(&cooldowns, 0), available(&cooldowns, 1)), (vec![0, 1], vec![]));
}

#[test]
fn a_sweep_ends_what_has_expired_and_keeps_the_rest() {
    let cooldowns = Cooldowns::new(&[vec![1; 100]]);
    for slot in 0..100 {
        let _ = cooldowns.extend(slot, secs(0), cooldown(if slot % 2 == 0 { 5 } else { 9 }));
    }
    assert_eq!(available(&cooldowns, 0), [0_usize; 0]);
    // More than one batch.
    assert_eq!(swept(&cooldowns, 0, secs(5)), (0..100).step_by(2).collect::<Vec<_>>());
    assert_eq!(available(&cooldowns, 0), (0..100).step_by(2).collect::<Vec<_>>());
    assert_eq!(swept(&cooldowns, 0, secs(8)), [0_usize; 0]);
    assert_eq!(swept(&cooldowns, 0, secs(9)).len(), 50);
    assert!(all_available(&cooldowns, 0));
}

#[test]
fn re_marking_an_expired_slot_keeps_the_set_right() {
    let cooldowns = Cooldowns::new(&[vec![1; 2]]);
    let _ = cooldowns.extend(0, secs(0), cooldown(5));
    assert_eq!(cooldowns.extend(0, secs(9), cooldown(5)), Some(secs(14)));
    assert_eq!(available(&cooldowns, 0), [1]);
    assert_eq!(swept(&cooldowns, 0, secs(13)), [0_usize; 0]);
    assert_eq!(swept(&cooldowns, 0, secs(14)), [0]);
    assert!(all_available(&cooldowns, 0));
}

#[test]
fn a_search_in_vain_gives_the_exact_soonest_deadline_also_after_a_straggler() {
    let cooldowns = Cooldowns::new(&[vec![1; 1], vec![1; 1]]);
    let search = |now, candidate: bool| {
        let found = cooldowns.search(secs(now), Duration::from_secs(1), |_| candidate);
        found.map_err(|left| (left.soonest.as_secs(), left.cooling))
    };
    let _ = cooldowns.extend(0, secs(0), cooldown(4));
    assert_eq!(search(0, true), Ok(1), "the second slot is available");
    assert_eq!(search(0, false), Err((1, 1)), "it was tried: one second");
    let _ = cooldowns.extend(1, secs(0), cooldown(50));
    assert_eq!(search(0, true), Err((4, 2)));
    let _ = cooldowns.extend(0, secs(0), cooldown(44));
    assert_eq!(search(0, true), Err((44, 2)));
    assert_eq!(search(44, true), Ok(0));
}

#[test]
fn a_clock_that_goes_backwards_or_ends_panics_nowhere() {
    let cooldowns = Cooldowns::new(&[vec![1; 1]]);
    let end = Instant::from_nanos(u64::MAX);
    assert_eq!(cooldowns.extend(0, end, cooldown(10)), None);
    let _ = cooldowns.extend(0, secs(100), cooldown(10));
    assert_eq!(cooldowns.extend(0, secs(0), cooldown(10)), None);
    assert!(!cooldowns.is_available(0, secs(0)));
    assert!(cooldowns.is_available(0, secs(110)));
    assert_eq!(
        cooldowns.extend(0, end.min(Instant::from_nanos(u64::MAX - 2)), cooldown(10)).map(Instant::as_nanos),
        Some(u64::MAX - 1)
    );
    assert_eq!(swept(&cooldowns, 0, end), [0]);
}
