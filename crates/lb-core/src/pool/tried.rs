//! The backends that a request has tried.

/// How many backends fit without an allocation.
const INLINE: usize = 1024;

/// A set of slots, as bits; it allocates only in pools of more than 1,024 backends.
#[derive(Debug, Clone)]
pub(crate) struct Tried {
    inline: [u64; INLINE / 64],
    rest: Vec<u64>,
    len: u32,
}

impl Tried {
    pub(crate) const fn new() -> Self {
        Self { inline: [0; INLINE / 64], rest: Vec::new(), len: 0 }
    }

    /// How many slots are in the set.
    pub(crate) const fn len(&self) -> u32 {
        self.len
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn contains(&self, slot: usize) -> bool {
        let (word, bit) = (slot / 64, slot % 64);
        let words = if slot < INLINE { self.inline.get(word) } else { self.rest.get(word - INLINE / 64) };
        words.is_some_and(|word| word & (1 << bit) != 0)
    }

    /// The slots in the set, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> {
        let slots = self.inline.iter().chain(&self.rest).enumerate().flat_map(|(index, &word)| {
            let mut left = word;
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros() as usize;
                left &= left.checked_sub(1)?;
                Some(index * 64 + bit)
            })
        });
        // Most requests have tried one or none: no word after the last slot is looked at.
        slots.take(self.len as usize)
    }

    /// Forgets all of them.
    pub(crate) fn clear(&mut self) {
        *self = Self::new();
    }

    /// Adds a slot; it must not be in the set yet.
    #[inline]
    pub(crate) fn insert(&mut self, slot: usize) {
        debug_assert!(!self.contains(slot), "each backend is tried at most once");
        let (word, bit) = (slot / 64, slot % 64);
        if slot < INLINE {
            self.inline[word] |= 1 << bit;
        } else {
            let word = word - INLINE / 64;
            if self.rest.len() <= word {
                self.rest.resize(word + 1, 0);
            }
            self.rest[word] |= 1 << bit;
        }
        self.len += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_kept_apart_inside_and_beyond_the_inline_words() {
        let mut tried = Tried::new();
        let slots = [0, 63, 64, 1023, 1024, 1087, 5000];
        for slot in slots {
            assert!(!tried.contains(slot));
            tried.insert(slot);
        }
        assert_eq!(tried.len(), 7);
        assert!(tried.iter().eq(slots));
        for slot in 0..6000 {
            assert_eq!(tried.contains(slot), slots.contains(&slot), "{slot}");
        }
    }
}
