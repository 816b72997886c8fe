//! Selection: the lowest priority number that has an available, untried backend; inside it at random by weight, or by a
//! [key](super::affinity). A suspect of that priority that is due goes first.
//!
//! The cost does not depend on how many backends there are, how many are out, or how many threads pick: with equal
//! weights a pick is one index into a [sparse set](super::view), with unequal ones a [tree](super::weights) is
//! descended, in O(log N). Only a request that fails over inside a tier whose tried backends are available again looks
//! at every backend of the tier, after it has waited for a network anyway; and one with a key, or one that is pinned.

use crate::{
    backend::Backend,
    clock::{Instant, Lazy},
    pool::{
        affinity,
        policy::Policy,
        states::{Choice, States},
        tier::Tier,
        tried::Tried,
    },
    rng::{Rng, below},
    wishes::Affinity,
};

/// The backends that a request does not want: those that it has tried.
///
/// A trait, so that the first attempt, which has tried none, is compiled without looking.
pub(crate) trait Exclude: Copy {
    /// Whether nothing is excluded, known when this is compiled.
    const NOTHING: bool;

    fn contains(self, slot: usize) -> bool;

    /// Whether any excluded slot satisfies `condition`; it may leave some out that are many.
    fn any(self, condition: impl Fn(usize) -> bool) -> bool;

    /// Whether the request may be the one that asks a suspect first.
    #[inline(always)]
    fn may_probe(self) -> bool {
        Self::NOTHING
    }

    /// The key by which it chooses among equals; at random if it has none.
    #[inline(always)]
    fn affinity(self) -> Option<Affinity> {
        None
    }
}

/// Excludes nothing.
#[derive(Clone, Copy)]
pub(crate) struct Nothing;

impl Exclude for Nothing {
    const NOTHING: bool = true;

    fn contains(self, _: usize) -> bool {
        false
    }

    fn any(self, _: impl Fn(usize) -> bool) -> bool {
        false
    }
}

impl Exclude for &Tried {
    const NOTHING: bool = false;

    fn contains(self, slot: usize) -> bool {
        Tried::contains(self, slot)
    }

    fn any(self, condition: impl Fn(usize) -> bool) -> bool {
        self.iter().any(condition)
    }
}

/// Chooses among `backends`, which are sorted by priority; a backend's index is its slot.
#[derive(Clone, Copy)]
pub(super) struct Selection<'p> {
    pub(super) backends: &'p [Backend],
    pub(super) states: &'p States,
    pub(super) policy: &'p Policy,
}

impl Selection<'_> {
    /// The usual case, short enough to be inlined: nothing in the first tier is out, and its weights are equal.
    #[inline(always)]
    pub(super) fn usual<R: Rng + ?Sized>(self, rng: &R) -> Option<usize> {
        // The first tier begins with the first slot.
        let len = self.states.tiers().first()?.equals_if_all_available()?;
        Some(below(rng, len) as usize)
    }

    /// Every case: the first tier that has an available backend that is not excluded. A request's first attempt goes to a
    /// suspect of that tier instead, if it is the one that is to see how it is.
    ///
    /// The clock is read only if something in the tiers looked at is out. `recovered` is called, with no lock held, for each
    /// backend whose cooldown is found to have expired.
    #[inline(always)]
    pub(super) fn best<E: Exclude, F: FnOnce() -> Instant, R: Rng + ?Sized>(
        self,
        tried: E,
        now: &mut Lazy<F>,
        rng: &R,
        mut recovered: impl FnMut(usize),
    ) -> Option<Choice> {
        for tier in self.states.tiers() {
            // With nothing out, every moment will do.
            let mut moment = Instant::from_nanos(0);
            let available = if let Some(soonest) = tier.soonest() {
                moment = now.get();
                if soonest <= moment {
                    let probes = tried.may_probe().then_some(self.policy);
                    if let Some(probe) = self.states.recover(tier, moment, probes, &mut recovered) {
                        return Some(probe);
                    }
                }
                match tier.available() {
                    0 => continue,
                    available => available,
                }
            } else {
                // Zero only if all are being taken out at this moment: then one is picked as if it was a moment earlier.
                tier.available()
            };
            if E::NOTHING && tier.weights().is_none() {
                return Some(Choice::available(self.states.entry(tier, below(rng, available))));
            }
            if let Some(slot) = self.pick_in_tier(tier, tried, moment, rng) {
                return Some(Choice::available(slot));
            }
        }
        None
    }

    /// Picks among the available, untried backends of a tier, whatever was tried and however weighty they are.
    #[inline(never)]
    fn pick_in_tier<R: Rng + ?Sized>(self, tier: &Tier, tried: impl Exclude, now: Instant, rng: &R) -> Option<usize> {
        let is_candidate = |slot: usize| self.states.is_available(slot, now) && !tried.contains(slot);
        if let Some(key) = tried.affinity() {
            let candidates = tier.slots().filter(|&slot| is_candidate(slot));
            return affinity::choose(candidates, self.backends, key, tier.weights().is_some());
        }
        // Those that were tried are mostly cooling, or of another tier: then what is available are the candidates.
        let slots = tier.slots();
        let is_tried_and_available = |slot| slots.contains(&slot) && self.states.is_available(slot, now);
        if !tried.any(is_tried_and_available) {
            // Another thread may have recovered a tried one since we looked, or marked the one that was drawn.
            if let Some(slot) = self.draw(tier, rng).filter(|slot| is_candidate(*slot)) {
                return Some(slot);
            }
        }
        self.pick_among(tier, rng, is_candidate)
    }

    /// Draws one of the available backends of a tier; `None` if none is found, or if there is nothing to draw.
    fn draw<R: Rng + ?Sized>(self, tier: &Tier, rng: &R) -> Option<usize> {
        let available = tier.available();
        let Some(weights) = tier.weights() else {
            return (available > 0).then(|| self.states.entry(tier, below(rng, available)));
        };
        if available <= 1 {
            return None;
        }
        let slot = tier.slots().start + weights.find(below(rng, weights.total()));
        tier.slots().contains(&slot).then_some(slot)
    }

    /// Picks among the backends of a tier that satisfy `is_candidate`, in two passes and without an allocation.
    ///
    /// Slots do not move, so a backend that is available all the time is found, whatever other threads mark.
    fn pick_among<R: Rng + ?Sized>(self, tier: &Tier, rng: &R, is_candidate: impl Fn(usize) -> bool) -> Option<usize> {
        let candidates = || tier.slots().filter(|&slot| is_candidate(slot));
        let (mut count, mut total, mut last) = (0, 0_u32, None);
        for slot in candidates() {
            count += 1;
            total = total.saturating_add(self.backends[slot].weight());
            last = Some(slot);
        }
        if count <= 1 {
            return last;
        }
        let mut drawn = below(rng, total);
        for slot in candidates() {
            let weight = self.backends[slot].weight();
            if drawn < weight {
                return Some(slot);
            }
            drawn -= weight;
        }
        // Another thread took a candidate out between the passes: the last of the first pass was one a moment ago.
        last
    }
}
