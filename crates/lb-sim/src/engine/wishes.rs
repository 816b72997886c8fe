//! What requests of a workload wish, and which conversation each is of.

use std::collections::HashMap;

use lb_core::{Dispatch, Pool, Wishes};

use super::request::Request;
use crate::{
    random::{Draws, Purpose, unit},
    scenario::{Backend, Keys, Workload},
};

/// How the requests of a workload that has wishes or conversations are sent.
#[derive(Debug)]
pub(super) struct Wishing {
    /// What all of them wish.
    wishes: Wishes,
    affinity: bool,
    pin: f64,
    keys: Option<Law>,
    /// The backend that served the last request of each conversation, where requests are pinned to it.
    served_by: HashMap<u32, usize>,
}

/// How requests fall on conversations.
#[derive(Debug)]
struct Law {
    keys: Keys,
    /// The share of all requests that the first so many conversations have; empty if all have as many.
    cumulative: Vec<f64>,
}

impl Wishing {
    /// Of a workload; `None` if its requests wish nothing and are of no conversation.
    pub(super) fn new(workload: &Workload) -> Option<Self> {
        if workload.wishes.is_none() && workload.keys.is_none() {
            return None;
        }
        let given = workload.wishes.unwrap_or_default();
        let mut wishes = Wishes::new();
        if let Some(within) = given.within {
            wishes = wishes.within(within.as_duration());
        }
        if let Some(after) = given.head_timeout {
            wishes = wishes.head_timeout(after.as_duration());
        }
        if !given.wait {
            wishes = wishes.wait(false);
        }
        Some(Self {
            wishes,
            affinity: given.affinity,
            pin: given.pin,
            keys: workload.keys.map(Law::new),
            served_by: HashMap::new(),
        })
    }

    /// A request arrives: its conversation, and the backend that it must go on at, if it is to go on at one.
    #[inline(never)]
    pub(super) fn draw(&self, draws: Draws, key: u64) -> (u32, Option<usize>) {
        let conversation =
            self.keys.as_ref().map_or(0, |law| law.draw(unit(draws.bits(Purpose::Conversation, key, 0))));
        let continues = self.pin > 0.0 && unit(draws.bits(Purpose::Pin, key, 0)) < self.pin;
        let pin = continues.then(|| self.served_by.get(&conversation).copied()).flatten();
        (conversation, pin)
    }

    /// Its walk over a pool.
    #[inline(never)]
    pub(super) fn dispatch<'p>(&self, pool: &'p Pool, request: &Request, backends: &[Backend]) -> Dispatch<&'p Pool> {
        let mut wishes = self.wishes.clone();
        if self.affinity {
            let key = u64::from(request.arrival.workload) << 32 | u64::from(request.conversation);
            wishes = wishes.affinity(key.to_le_bytes());
        }
        if let Some(backend) = request.pin {
            wishes = wishes.pin(backends[backend].name.as_str());
        }
        // A backend that served is one of the pool: there is no other error.
        pool.dispatch_with(wishes).unwrap_or_else(|_| pool.dispatch())
    }

    /// A request was served.
    #[inline(never)]
    pub(super) fn served(&mut self, conversation: u32, backend: usize) {
        if self.pin > 0.0 {
            self.served_by.insert(conversation, backend);
        }
    }

    /// The conversations, if requests are of any.
    pub(super) fn keys(&self) -> Option<&Keys> {
        self.keys.as_ref().map(|law| &law.keys)
    }
}

impl Law {
    fn new(keys: Keys) -> Self {
        let mut cumulative = Vec::new();
        if keys.zipf > 0.0 {
            let mut sum = 0.0;
            cumulative.extend((1..=keys.count).map(|rank| {
                sum += libm::pow(f64::from(rank), -keys.zipf);
                sum
            }));
            cumulative.iter_mut().for_each(|share| *share /= sum);
        }
        Self { keys, cumulative }
    }

    /// The conversation of a uniform number.
    fn draw(&self, uniform: f64) -> u32 {
        let index = if self.cumulative.is_empty() {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to below the count")]
            let index = (uniform * f64::from(self.keys.count)) as usize;
            index
        } else {
            self.cumulative.partition_point(|&share| share < uniform)
        };
        // The last share is 1 but for rounding.
        u32::try_from(index).unwrap_or(u32::MAX).min(self.keys.count - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Span;

    fn shares(zipf: f64) -> [f64; 4] {
        let law = Law::new(Keys { count: 4, zipf, cached: 0.0, ttl: Span::default() });
        let mut counts = [0.0; 4];
        (0..10_000).for_each(|i| counts[law.draw((f64::from(i) + 0.5) / 10_000.0) as usize] += 1.0 / 10_000.0);
        counts
    }

    #[test]
    fn conversations_are_equal_or_fall_off_by_their_rank() {
        for (shares, expected) in [(shares(0.0), [0.25; 4]), (shares(1.0), [0.48, 0.24, 0.16, 0.12])] {
            let near = shares.iter().zip(expected).all(|(share, expected)| (share - expected).abs() < 1e-3);
            assert!(near, "{shares:?}");
        }
    }
}
