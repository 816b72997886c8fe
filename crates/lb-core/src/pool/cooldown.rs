//! The cooldowns of a pool: until when each backend is out, and why.
//!
//! Readers take no lock: they look at one counter per tier, and at the deadlines only if it is not zero. Writers take
//! one short mutex, under which the deadline, the counter and the cause of a backend change together.
//!
//! A backend is out for a reader that sees both a counter that is not zero and a deadline that has not passed. What a
//! reader may see of a change that is half done is harmless:
//!
//! - of a mark: the backend is still available, which equals looking a moment earlier. Both stores release, so a
//!   reader that learnt of the mark in any way (acquire) sees both: after `extend` has returned, it picks the backend
//!   no more;
//! - of a recovery: the backend is available already, and its deadline has passed.
//!
//! A backend that is available stays so until somebody marks it, so no reader can miss one.

use std::{ops::Range, time::Duration};

use crate::{
    clock::Instant,
    pool::policy::Cooldown,
    sync::{AtomicU32, AtomicU64, Mutex, Ordering, lock},
};

/// The deadline of a backend that is not cooling; every real one is later than it.
const AVAILABLE: u64 = 0;

/// Until when each backend is out, and why.
#[derive(Debug)]
pub(crate) struct Cooldowns {
    slots: Box<[Slot]>,
    /// How many backends of each tier have a deadline, expired or not.
    cooling: Box<[AtomicU32]>,
    /// The last cooldown of each backend. Its mutex makes one writer at a time of everything here.
    causes: Mutex<Box<[Option<Cooldown>]>>,
}

#[derive(Debug)]
struct Slot {
    tier: usize,
    deadline: AtomicU64,
}

/// The verdict over all backends, taken under the mutex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outlook {
    /// How long until the soonest backend is available.
    pub(crate) soonest: Duration,
    pub(crate) cooling: usize,
}

impl Cooldowns {
    /// Cooldowns of backends that all are available; `tiers` holds the tier of each, from 0.
    pub(crate) fn new(tiers: &[usize]) -> Self {
        let count = tiers.iter().max().map_or(0, |last| last + 1);
        Self {
            slots: tiers.iter().map(|&tier| Slot { tier, deadline: AtomicU64::new(AVAILABLE) }).collect(),
            cooling: (0..count).map(|_| AtomicU32::new(0)).collect(),
            causes: Mutex::new(vec![None; tiers.len()].into()),
        }
    }

    /// Whether any backend of `tier` may be cooling; if not, all are available.
    #[inline]
    pub(crate) fn any(&self, tier: usize) -> bool {
        self.cooling[tier].load(Ordering::Acquire) != 0
    }

    /// Whether the backend in `slot` is available at `now`: not cooling, or only until now.
    #[inline]
    pub(crate) fn is_available(&self, slot: usize, now: Instant) -> bool {
        self.slots[slot].deadline.load(Ordering::Acquire) <= now.as_nanos()
    }

    /// Takes the backend in `slot` out until `now` plus the cooldown; gives its deadline if that made it later.
    pub(crate) fn extend(&self, slot: usize, now: Instant, cooldown: Cooldown) -> Option<Instant> {
        let until = now.saturating_add(cooldown.duration);
        let Slot { tier, deadline } = &self.slots[slot];
        let mut causes = lock(&self.causes);
        let old = deadline.load(Ordering::Relaxed);
        // A late answer must not shorten a newer cooldown; one that ends now takes nobody out.
        if until.as_nanos() <= old || until <= now {
            return None;
        }
        causes[slot] = Some(cooldown);
        deadline.store(until.as_nanos(), Ordering::Release);
        if old == AVAILABLE {
            self.cooling[*tier].fetch_add(1, Ordering::Release);
        }
        Some(until)
    }

    /// Ends the expired cooldowns among `slots`; each is given to `recovered` exactly once, with no lock held.
    pub(crate) fn sweep(&self, slots: Range<usize>, now: Instant, mut recovered: impl FnMut(usize)) {
        // Without the lock at first: a pick looks here often, and an expiry is rare.
        for slot in slots {
            if self.has_expired(slot, now) && self.recover(slot, now) {
                recovered(slot);
            }
        }
    }

    /// Whether the cooldown of the backend in `slot` has expired and nobody has noticed yet.
    fn has_expired(&self, slot: usize, now: Instant) -> bool {
        let deadline = self.slots[slot].deadline.load(Ordering::Acquire);
        deadline != AVAILABLE && deadline <= now.as_nanos()
    }

    /// Ends the cooldown of the backend in `slot` if it has expired: true for exactly one of the threads that try.
    fn recover(&self, slot: usize, now: Instant) -> bool {
        let mut causes = lock(&self.causes);
        let has_expired = self.has_expired(slot, now);
        if has_expired {
            causes[slot] = None;
            self.slots[slot].deadline.store(AVAILABLE, Ordering::Release);
            self.cooling[self.slots[slot].tier].fetch_sub(1, Ordering::Release);
        }
        has_expired
    }

    /// The verdict over the whole pool at `now`: `None` if a backend that is available satisfies `is_candidate`.
    ///
    /// A backend that is available but no candidate was tried already, and counts as `tried_delay`.
    pub(crate) fn outlook(
        &self,
        now: Instant,
        tried_delay: Duration,
        is_candidate: impl Fn(usize) -> bool,
    ) -> Option<Outlook> {
        let _writers_wait = lock(&self.causes);
        let mut outlook = Outlook { soonest: Duration::MAX, cooling: 0 };
        for slot in 0..self.slots.len() {
            let delay = if self.is_available(slot, now) {
                if is_candidate(slot) {
                    return None;
                }
                tried_delay
            } else {
                outlook.cooling += 1;
                Instant::from_nanos(self.slots[slot].deadline.load(Ordering::Relaxed)).saturating_since(now)
            };
            outlook.soonest = outlook.soonest.min(delay);
        }
        Some(outlook)
    }

    /// Until when and why the backend in `slot` is out at `now`; `None` if it is available.
    pub(crate) fn state(&self, slot: usize, now: Instant) -> Option<(Instant, Cooldown)> {
        let causes = lock(&self.causes);
        if self.is_available(slot, now) {
            return None;
        }
        let until = Instant::from_nanos(self.slots[slot].deadline.load(Ordering::Relaxed));
        causes[slot].map(|cause| (until, cause))
    }
}

#[cfg(all(test, not(lb_loom)))]
mod tests {
    use super::*;
    use crate::outcome::Reason;

    pub(super) fn secs(secs: u64) -> Instant {
        Instant::from_nanos(secs * 1_000_000_000)
    }

    pub(super) fn cooldown(secs: u64) -> Cooldown {
        Cooldown { duration: Duration::from_secs(secs), reason: Reason::Status(429), hint: None }
    }

    #[test]
    fn a_straggler_never_shortens_a_cooldown() {
        let cooldowns = Cooldowns::new(&[0]);
        assert_eq!(cooldowns.extend(0, secs(0), cooldown(60)), Some(secs(60)));
        assert_eq!(cooldowns.extend(0, secs(1), cooldown(10)), None);
        assert_eq!(cooldowns.extend(0, secs(1), cooldown(60)), Some(secs(61)));
        assert!(!cooldowns.is_available(0, Instant::from_nanos(secs(61).as_nanos() - 1)));
        assert!(cooldowns.is_available(0, secs(61)));
    }

    #[test]
    fn a_cooldown_of_zero_takes_nobody_out() {
        let cooldowns = Cooldowns::new(&[0]);
        assert_eq!(cooldowns.extend(0, secs(5), cooldown(0)), None);
        assert!(!cooldowns.any(0));
    }

    #[test]
    fn an_expired_cooldown_is_recovered_exactly_once() {
        let cooldowns = Cooldowns::new(&[0, 0, 1]);
        let _ = cooldowns.extend(1, secs(0), cooldown(5));
        let _ = cooldowns.extend(2, secs(0), cooldown(5));
        assert!(cooldowns.any(0) && cooldowns.any(1));
        let mut recovered = Vec::new();
        cooldowns.sweep(0..2, secs(4), |slot| recovered.push(slot));
        assert_eq!(recovered, []);
        for _ in 0..2 {
            cooldowns.sweep(0..2, secs(5), |slot| recovered.push(slot));
        }
        assert_eq!(recovered, [1]);
        assert!(!cooldowns.any(0) && cooldowns.any(1));
    }

    #[test]
    fn re_marking_an_expired_backend_keeps_the_counter_right() {
        let cooldowns = Cooldowns::new(&[0]);
        let _ = cooldowns.extend(0, secs(0), cooldown(5));
        assert_eq!(cooldowns.extend(0, secs(9), cooldown(5)), Some(secs(14)));
        cooldowns.sweep(0..1, secs(14), |_| ());
        assert!(!cooldowns.any(0));
    }

    #[test]
    fn the_outlook_is_the_exact_soonest_deadline_also_after_a_straggler() {
        let cooldowns = Cooldowns::new(&[0, 0]);
        let outlook = |now, candidate: bool| {
            cooldowns
                .outlook(secs(now), Duration::from_secs(1), |_| candidate)
                .map(|o| (o.soonest.as_secs(), o.cooling))
        };
        let _ = cooldowns.extend(0, secs(0), cooldown(4));
        assert_eq!(outlook(0, true), None, "the second backend is available");
        assert_eq!(outlook(0, false), Some((1, 1)), "it was tried: one second");
        let _ = cooldowns.extend(1, secs(0), cooldown(50));
        assert_eq!(outlook(0, true), Some((4, 2)));
        let _ = cooldowns.extend(0, secs(0), cooldown(44));
        assert_eq!(outlook(0, true), Some((44, 2)));
        assert_eq!(outlook(44, true), None);
    }

    #[test]
    fn a_clock_that_goes_backwards_panics_nowhere() {
        let cooldowns = Cooldowns::new(&[0]);
        let _ = cooldowns.extend(0, secs(100), cooldown(10));
        assert_eq!(cooldowns.extend(0, secs(0), cooldown(10)), None);
        assert!(!cooldowns.is_available(0, secs(0)));
        assert!(cooldowns.is_available(0, secs(110)));
        assert_eq!(cooldowns.extend(0, Instant::from_nanos(u64::MAX), cooldown(10)), None);
    }
}

/// Run with `RUSTFLAGS="--cfg lb_loom" cargo test -p lb-core --lib --release loom_models`.
#[cfg(all(test, lb_loom))]
mod loom_models {
    use ::loom::{sync::Arc, thread};

    use super::*;
    use crate::outcome::Reason;

    fn cooldown(nanos: u64) -> Cooldown {
        Cooldown { duration: Duration::from_nanos(nanos), reason: Reason::Status(429), hint: None }
    }

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    /// What a pick sees without a lock: whether any backend of tier 0 is available at `now`.
    fn sees_available(cooldowns: &Cooldowns, slots: Range<usize>, now: Instant) -> bool {
        !cooldowns.any(0) || slots.into_iter().any(|slot| cooldowns.is_available(slot, now))
    }

    #[test]
    fn a_backend_is_never_picked_after_its_mark_has_returned() {
        ::loom::model(|| {
            let cooldowns = Arc::new(Cooldowns::new(&[0]));
            let marked = Arc::new(::loom::sync::atomic::AtomicBool::new(false));
            let writer = {
                let (cooldowns, marked) = (cooldowns.clone(), marked.clone());
                thread::spawn(move || {
                    let _ = cooldowns.extend(0, at(0), cooldown(10));
                    marked.store(true, Ordering::Release);
                })
            };
            if marked.load(Ordering::Acquire) {
                assert!(!sees_available(&cooldowns, 0..1, at(5)));
            }
            writer.join().unwrap();
            assert!(!sees_available(&cooldowns, 0..1, at(5)));
        });
    }

    #[test]
    fn a_pick_never_misses_a_healthy_backend_while_others_are_marked_and_recovered() {
        ::loom::model(|| {
            let cooldowns = Arc::new(Cooldowns::new(&[0, 0]));
            let _ = cooldowns.extend(0, at(0), cooldown(5));
            let writer = {
                let cooldowns = cooldowns.clone();
                thread::spawn(move || {
                    cooldowns.sweep(0..2, at(6), |_| ());
                    let _ = cooldowns.extend(0, at(6), cooldown(5));
                })
            };
            assert!(sees_available(&cooldowns, 0..2, at(4)), "the second backend was never marked");
            assert!(cooldowns.outlook(at(4), Duration::from_secs(1), |slot| slot == 1).is_none());
            writer.join().unwrap();
        });
    }

    #[test]
    fn two_marks_leave_the_later_deadline_and_a_counter_of_one() {
        ::loom::model(|| {
            let cooldowns = Arc::new(Cooldowns::new(&[0]));
            let other = {
                let cooldowns = cooldowns.clone();
                thread::spawn(move || cooldowns.extend(0, at(0), cooldown(44)))
            };
            let _ = cooldowns.extend(0, at(0), cooldown(4));
            let _ = other.join().unwrap();
            assert_eq!(cooldowns.state(0, at(5)).map(|(until, _)| until), Some(at(44)));
            assert!(cooldowns.recover(0, at(44)));
            assert!(!cooldowns.any(0));
        });
    }

    #[test]
    fn each_expiry_is_recovered_by_exactly_one_thread() {
        ::loom::model(|| {
            let cooldowns = Arc::new(Cooldowns::new(&[0]));
            let _ = cooldowns.extend(0, at(0), cooldown(5));
            let other = {
                let cooldowns = cooldowns.clone();
                thread::spawn(move || cooldowns.recover(0, at(5)))
            };
            let here = cooldowns.recover(0, at(5));
            let there = other.join().unwrap();
            assert!(here != there);
            assert!(!cooldowns.any(0));
        });
    }

    #[test]
    fn a_mark_that_races_a_recovery_is_not_lost() {
        ::loom::model(|| {
            let cooldowns = Arc::new(Cooldowns::new(&[0]));
            let _ = cooldowns.extend(0, at(0), cooldown(5));
            let sweeper = {
                let cooldowns = cooldowns.clone();
                thread::spawn(move || {
                    let _ = cooldowns.recover(0, at(6));
                })
            };
            let _ = cooldowns.extend(0, at(6), cooldown(10));
            sweeper.join().unwrap();
            assert!(cooldowns.any(0));
            assert_eq!(cooldowns.state(0, at(7)).map(|(until, _)| until), Some(at(16)));
        });
    }
}
