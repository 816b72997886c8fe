//! Which of several backends a key belongs to: rendezvous hashing (Thaler and Ravishankar, "Using name-based mappings to
//! increase hit rates", IEEE/ACM Transactions on Networking 6, 1998).
//!
//! Each backend has a score for each key, of the two hashes alone, and the highest one has the key. So all processes agree
//! without talking; where one backend of `n` goes, only its keys move, evenly to the others; and it has them back when it
//! returns. Nothing is stored. It takes a look at every candidate.

use crate::{backend::Backend, rng::SeededRng, wishes::Affinity};

/// The backend among `slots` that has the key, in proportion to the weights if they are `weighted`.
pub(super) fn choose(
    slots: impl Iterator<Item = usize>,
    backends: &[Backend],
    key: Affinity,
    weighted: bool,
) -> Option<usize> {
    let hash = |slot: usize| SeededRng::first(key.0 ^ backends[slot].name_hash());
    if weighted {
        let score = |slot: usize| weighted_score(hash(slot), backends[slot].weight());
        let better = |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1));
        slots.map(|slot| (score(slot), slot)).max_by(better).map(|(_, slot)| slot)
    } else {
        slots.max_by_key(|&slot| (hash(slot), usize::MAX - slot))
    }
}

/// The score of a hash at a weight: the highest of several is each one's as often as its weight says (Schindelhauer and
/// Schomaker, "Weighted distributed hash tables", SPAA 2005, the logarithmic method).
fn weighted_score(hash: u64, weight: u32) -> f64 {
    /// 2^-52: with the half, a float holds each of these numbers, and none is 0 or 1.
    const UNIT: f64 = 1.0 / 4_503_599_627_370_496.0;
    #[expect(clippy::cast_precision_loss, reason = "it has 52 bits")]
    let uniform = ((hash >> 12) as f64 + 0.5) * UNIT;
    f64::from(weight) / -uniform.ln()
}

#[cfg(test)]
mod tests {
    use super::weighted_score;

    #[test]
    fn every_hash_has_a_score_and_a_higher_one_no_lower_a_score() {
        let scores = [0, 1 << 12, u64::MAX / 2, u64::MAX - (1 << 12), u64::MAX].map(|hash| weighted_score(hash, 3));
        assert!(scores.iter().all(|score| score.is_finite() && *score > 0.0), "{scores:?}");
        assert!(scores.is_sorted(), "{scores:?}");
    }
}
