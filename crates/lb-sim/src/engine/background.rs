//! Somebody else's requests on the same quota.

use super::{Engine, narrow, queue::Event};
use crate::random::{Purpose, unit};

impl Engine<'_, '_> {
    #[inline(never)]
    pub(super) fn foreign_request(&mut self, backend: usize) {
        if let Some(foreign) = self.scenario.backends[backend].foreign {
            self.servers[backend].foreign(self.now, foreign.tokens, &mut self.quotas);
        }
        self.next_foreign(backend);
    }

    #[inline(never)]
    pub(super) fn next_foreign(&mut self, backend: usize) {
        let Some(foreign) = self.scenario.backends[backend].foreign.filter(|foreign| foreign.tpm > 0.0) else { return };
        let number = self.foreign[backend];
        self.foreign[backend] += 1;
        let mean = 60e9 * foreign.tokens as f64 / foreign.tpm;
        let gap = -mean * libm::log(unit(self.draws.bits(Purpose::Foreign, backend as u64, number)));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative; saturates")]
        let gap = gap as u64;
        self.queue.push(self.now.saturating_add(gap.max(1)), Event::Foreign(narrow(backend)));
    }
}
