//! The prompt caches of the deployments.

use std::collections::HashMap;

use crate::scenario::Keys;

/// Whose prompts are in the cache of which deployment.
#[derive(Debug, Default)]
pub(super) struct Caches {
    warm: HashMap<Prompt, Warm>,
}

/// A conversation at a deployment: the backend, the workload, and its number in the workload.
pub(super) type Prompt = (usize, u32, u32);

#[derive(Debug, Clone, Copy)]
struct Warm {
    from: u64,
    until: u64,
}

impl Caches {
    /// How many tokens of a prompt are in the cache.
    #[inline(never)]
    pub(super) fn cached(&self, prompt: Prompt, keys: &Keys, input: u64, now: u64) -> u64 {
        let is_warm = self.warm.get(&prompt).is_some_and(|warm| warm.from <= now && now < warm.until);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a number of tokens")]
        let cached = (input as f64 * keys.cached) as u64;
        if is_warm { cached } else { 0 }
    }

    /// The deployment reads a prompt, until its first token: from then on it is in the cache, until it was not used for so
    /// long.
    #[inline(never)]
    pub(super) fn used(&mut self, prompt: Prompt, keys: &Keys, now: u64, first_token: u64) {
        let ttl = keys.ttl.as_nanos();
        let warm = self.warm.entry(prompt).or_insert(Warm { from: first_token, until: 0 });
        if warm.until <= now {
            warm.from = first_token;
        }
        warm.until = now.max(warm.from).saturating_add(ttl);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Span;

    #[test]
    fn a_prompt_is_cached_from_its_first_token_until_it_was_not_used_for_the_ttl() {
        let keys = Keys { count: 1, zipf: 0.0, cached: 0.5, ttl: Span::from_nanos(100) };
        let prompt = (0, 0, 0);
        let mut caches = Caches::default();
        assert_eq!(caches.cached(prompt, &keys, 2_000, 0), 0);
        caches.used(prompt, &keys, 0, 10);
        let cached = |caches: &Caches, now| caches.cached(prompt, &keys, 2_000, now);
        assert_eq!([9, 10, 109, 110].map(|now| cached(&caches, now)), [0, 1_000, 1_000, 0]);
        // Another one while it is warm prolongs that; one after it begins anew.
        caches.used(prompt, &keys, 50, 70);
        assert_eq!([55, 149, 150].map(|now| cached(&caches, now)), [1_000, 1_000, 0]);
        caches.used(prompt, &keys, 200, 220);
        assert_eq!([219, 220].map(|now| cached(&caches, now)), [0, 1_000]);
        assert_eq!(caches.cached((1, 0, 0), &keys, 2_000, 230), 0, "each deployment has its own");
    }
}
