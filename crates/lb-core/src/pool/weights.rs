//! The weights of a tier's available slots, for tiers in which they are unequal.

use crate::sync::{AtomicU32, Ordering};

/// Sums of the weights of the available slots, as a Fenwick tree (Fenwick, "A new data structure for cumulative
/// frequency tables", 1994): taking a slot out, putting it back, and finding the one a number stands for take O(log N).
///
/// One writer at a time changes it. A reader beside the writer may find a slot that is not available, or none at all,
/// and has to check; with no writer, what it finds is exact.
#[derive(Debug)]
pub(crate) struct WeightTree {
    /// From 1: the sum of the weights of the `i & -i` slots that end with slot `i - 1`.
    sums: Box<[AtomicU32]>,
    weights: Box<[u32]>,
    total: AtomicU32,
}

impl WeightTree {
    /// A tree in which all slots are available.
    pub(crate) fn new(weights: Vec<u32>) -> Self {
        let tree = Self {
            sums: (0..=weights.len()).map(|_| AtomicU32::new(0)).collect(),
            weights: weights.into(),
            total: AtomicU32::new(0),
        };
        (0..tree.weights.len()).for_each(|slot| tree.put(slot));
        tree
    }

    /// The weights of all available slots together.
    pub(crate) fn total(&self) -> u32 {
        self.total.load(Ordering::Acquire)
    }

    /// The slot that a number below the total stands for; the number of slots if a writer came in between.
    pub(crate) fn find(&self, mut number: u32) -> usize {
        let len = self.weights.len();
        let (mut found, mut step) = (0, len.next_power_of_two());
        while step > 0 {
            if let Some(sum) = self.sums.get(found + step) {
                let sum = sum.load(Ordering::Relaxed);
                if sum <= number {
                    number -= sum;
                    found += step;
                }
            }
            step /= 2;
        }
        found
    }

    /// Puts a slot back.
    pub(crate) fn put(&self, slot: usize) {
        self.change(slot, |sum, weight| sum.wrapping_add(weight));
    }

    /// Takes a slot out.
    pub(crate) fn take(&self, slot: usize) {
        self.change(slot, |sum, weight| sum.wrapping_sub(weight));
    }

    // Wrapping never happens: a slot is put and taken in turn, and a pool's weights together fit into 32 bits.
    fn change(&self, slot: usize, apply: impl Fn(u32, u32) -> u32) {
        let weight = self.weights[slot];
        let mut index = slot + 1;
        while let Some(sum) = self.sums.get(index) {
            sum.store(apply(sum.load(Ordering::Relaxed), weight), Ordering::Relaxed);
            index += index & index.wrapping_neg();
        }
        self.total.store(apply(self.total.load(Ordering::Relaxed), weight), Ordering::Release);
    }
}

#[cfg(all(test, not(lb_loom)))]
mod tests {
    use super::*;

    /// Which slot each number below the total stands for, told by running sums.
    fn expected(weights: &[u32], taken: &[usize]) -> Vec<usize> {
        let times = |(slot, &weight): (usize, &u32)| {
            let weight = if taken.contains(&slot) { 0 } else { weight as usize };
            std::iter::repeat_n(slot, weight)
        };
        weights.iter().enumerate().flat_map(times).collect()
    }

    #[test]
    fn every_number_stands_for_the_slot_that_running_sums_say() {
        for len in [1, 2, 3, 7, 8, 9, 64, 100] {
            let weights: Vec<u32> = (0..len).map(|slot| slot * 37 % 100 + 1).collect();
            let tree = WeightTree::new(weights.clone());
            let mut taken = Vec::new();
            for slot in (0..weights.len()).rev().step_by(3) {
                let all: Vec<_> = (0..tree.total()).map(|number| tree.find(number)).collect();
                assert_eq!(all, expected(&weights, &taken), "{len} without {taken:?}");
                tree.take(slot);
                taken.push(slot);
            }
            taken.drain(..).for_each(|slot| tree.put(slot));
            assert_eq!(tree.total(), weights.iter().sum::<u32>());
        }
    }

    #[test]
    fn a_number_beyond_the_total_stands_for_no_slot() {
        let tree = WeightTree::new(vec![1, 2, 3]);
        assert_eq!(tree.find(6), 3);
        assert_eq!(tree.find(u32::MAX), 3);
    }
}
