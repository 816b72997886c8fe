use std::{cmp::Reverse, collections::BinaryHeap};

use super::exponential::exponential;
use crate::{
    random::{Draws, Purpose},
    scenario::Span,
};

/// Users who send, wait for the answer, think, and send again.
#[derive(Debug, Clone)]
pub(super) struct Closed {
    /// Users who think, by the time they are done.
    thinking: BinaryHeap<Reverse<(u64, u32)>>,
    /// How often each has sent.
    sent: Vec<u64>,
    think: Span,
}

/// Bits of a number that count the requests of one user.
const SENT_BITS: u32 = 40;

impl Closed {
    pub(super) fn new(users: u32, think: Span, draws: Draws, workload: u64) -> Self {
        let sent = vec![0; users as usize];
        let mut closed = Self { thinking: BinaryHeap::new(), sent, think };
        for user in 0..users {
            closed.begin_to_think(user, 0, draws, workload);
        }
        closed
    }

    fn begin_to_think(&mut self, user: u32, now: u64, draws: Draws, workload: u64) {
        let number = u64::from(user) << SENT_BITS | self.sent[user as usize];
        let span = exponential(draws.uniform(Purpose::Think, workload, number)) * self.think.as_nanos() as f64;
        let done = now.saturating_add(super::nanos(span));
        self.thinking.push(Reverse((done, user)));
    }

    /// When the next user is done with thinking, and the number of the request that then comes.
    pub(super) fn peek(&self) -> Option<(u64, u64)> {
        let &Reverse((at, user)) = self.thinking.peek()?;
        Some((at, u64::from(user) << SENT_BITS | self.sent[user as usize]))
    }

    /// Takes that user out of those who think.
    pub(super) fn send(&mut self) {
        if let Some(Reverse((_, user))) = self.thinking.pop() {
            self.sent[user as usize] += 1;
        }
    }

    /// The request with this number has ended: its user thinks again.
    pub(super) fn finished(&mut self, number: u64, now: u64, draws: Draws, workload: u64) {
        let user = u32::try_from(number >> SENT_BITS).unwrap_or(u32::MAX);
        if (user as usize) < self.sent.len() {
            self.begin_to_think(user, now, draws, workload);
        }
    }
}
