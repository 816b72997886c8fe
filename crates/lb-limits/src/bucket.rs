/// A level that is raised by charges and drains at a constant rate.
///
/// Levels are in *parts*, a unit chosen by the owner so that a nanosecond drains a whole number of them: that makes
/// every step exact. `u128`, because a part is a token divided by a minute's nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bucket {
    /// Level at the time `at`.
    level: u128,
    at: u64,
    /// Parts that drain in one nanosecond.
    drain: u64,
}

impl Bucket {
    pub(crate) fn new(drain: u64) -> Self {
        Self { level: 0, at: 0, drain }
    }

    #[inline]
    pub(crate) fn level(&self, now: u64) -> u128 {
        let elapsed = u128::from(now.saturating_sub(self.at));
        // A product of two numbers of 64 bits fits.
        self.level.saturating_sub(elapsed * u128::from(self.drain))
    }

    #[inline]
    pub(crate) fn raise(&mut self, now: u64, parts: u128) {
        self.level = self.level(now).saturating_add(parts);
        self.at = self.at.max(now);
    }

    #[inline]
    pub(crate) fn lower(&mut self, now: u64, parts: u128) {
        self.level = self.level(now).saturating_sub(parts);
        self.at = self.at.max(now);
    }

    /// The first moment, `now` or later, at which the level is at most `target`. `None` if time ends before that.
    #[inline]
    pub(crate) fn falls_to(&self, target: u128, now: u64) -> Option<u64> {
        let excess = self.level(now).saturating_sub(target);
        if excess == 0 {
            return Some(now);
        }
        if self.drain == 0 {
            return None;
        }
        let wait = u64::try_from(excess.div_ceil(self.drain.into())).ok()?;
        now.max(self.at).checked_add(wait)
    }
}
