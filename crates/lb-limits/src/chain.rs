use crate::{
    demand::{Demand, Usage},
    limit::Limit,
};

/// The limits that a request must pass, checked together and charged together.
///
/// All limits are checked first. If every one lets the request in, every one is charged; otherwise none is, except that
/// windows with [`counts_refused`](crate::Window::counts_refused) are charged with refused requests too, whichever
/// limit refused.
///
/// An empty chain admits everything.
///
/// ```
/// use lb_limits::{Chain, Demand, SECOND, Unit, Window};
///
/// let mut chain = Chain::new([Window::new(Unit::Requests, 1, 10 * SECOND).into()]);
/// assert!(chain.admit(0, &Demand::default()).is_ok());
///
/// let refusal = chain.admit(3 * SECOND, &Demand::default()).unwrap_err();
/// assert_eq!(refusal.hint_ns(), Some(7 * SECOND));
/// assert_eq!(refusal.limit(), 0);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chain {
    limits: Vec<Limit>,
}

impl Chain {
    /// A chain of these limits.
    pub fn new(limits: impl IntoIterator<Item = Limit>) -> Self {
        Self { limits: limits.into_iter().collect() }
    }

    /// A chain that admits everything.
    pub fn unlimited() -> Self {
        Self::default()
    }

    /// The limits, in the order given.
    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// Admits the demand at `now` (nanoseconds) and charges it, or refuses it.
    ///
    /// # Errors
    ///
    /// The [`Refusal`], if a limit does not let the demand in.
    #[inline]
    pub fn admit(&mut self, now: u64, demand: &Demand) -> Result<(), Refusal> {
        // Whether, before when: most requests are let in, and then nobody asks for a moment.
        if self.limits.iter().any(|limit| limit.admits_at(now, demand) != Some(now)) {
            return Err(self.refuse(now, demand));
        }
        for limit in &mut self.limits {
            limit.charge(now, demand);
        }
        Ok(())
    }

    #[cold]
    fn refuse(&mut self, now: u64, demand: &Demand) -> Refusal {
        let (limit, mut admits_at) = self.slowest(now, demand).unwrap_or((0, Some(now)));
        if self.limits.iter().any(Limit::counts_refused) {
            for limit in &mut self.limits {
                limit.charge_refused(now, demand);
            }
            // The refusal was charged, so the wait is only known now.
            admits_at = self.slowest(now, demand).map_or(Some(now), |(_, moment)| moment);
        }
        Refusal { limit, hint_ns: admits_at.map(|moment| moment - now) }
    }

    /// Corrects the estimate of an admitted demand to what it did cost, at its completion.
    ///
    /// PTU buckets go up or down by the difference. Windows keep the estimate, since the documented counter of a
    /// standard deployment is one of estimates. Call it once per admitted demand, with the same demand; a request that
    /// was dropped stays at its estimate if it is not called.
    #[inline]
    pub fn correct(&mut self, now: u64, demand: &Demand, usage: &Usage) {
        for limit in &mut self.limits {
            limit.correct(now, demand, usage);
        }
    }

    /// The limit that keeps the demand waiting longest, and until when; `None` if none does.
    fn slowest(&self, now: u64, demand: &Demand) -> Option<(usize, Option<u64>)> {
        let mut slowest = None;
        for (index, limit) in self.limits.iter().enumerate() {
            match (limit.admits_at(now, demand), slowest) {
                (None, _) => return Some((index, None)),
                (Some(moment), _) if moment == now => {}
                (Some(moment), Some((_, Some(latest)))) if moment <= latest => {}
                (moment, _) => slowest = Some((index, moment)),
            }
        }
        slowest
    }
}

/// A request that was not let in: by which limit, and when to come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Refusal {
    limit: usize,
    hint_ns: Option<u64>,
}

impl Refusal {
    /// Which of [`Chain::limits`] refused; of several the one with the longest wait, of equal ones the first.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// How long to wait, in nanoseconds: the same demand is admitted at `now + hint`, and not one nanosecond earlier,
    /// if nothing else is charged until then.
    ///
    /// `None` if that moment does not exist: the demand is larger than a whole window, the limit is zero, a bucket does
    /// not drain, or time (`u64` nanoseconds) ends before. What a service says then is the caller's choice; Azure
    /// OpenAI was seen to say [`NEVER_NS`](crate::NEVER_NS).
    pub fn hint_ns(&self) -> Option<u64> {
        self.hint_ns
    }

    /// Whether the demand can never be admitted; the same as a hint of `None`.
    pub fn is_never(&self) -> bool {
        self.hint_ns.is_none()
    }
}
