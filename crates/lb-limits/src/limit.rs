use crate::{
    demand::{Demand, Usage},
    meter::Meter,
    ptu::{Ptu, PtuMeter},
    window::{Unit, Window},
};

/// One limit with what it has counted so far: a [`Window`] or a [`Ptu`] at work.
///
/// Made from its rules, `Limit::from(window)`, and driven by a [`Chain`](crate::Chain). What it shows is what the
/// service's headers tell: the limit, what remains, and when it resets.
///
/// ```
/// use lb_limits::{Limit, MINUTE, Unit, Window};
///
/// let limit = Limit::from(Window::new(Unit::Tokens, 1_000, MINUTE));
/// assert_eq!((limit.limit(), limit.remaining(0), limit.resets_at(0)), (1_000, 1_000, Some(0)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit(State);

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Window(Meter),
    Ptu(PtuMeter),
}

impl From<Window> for Limit {
    fn from(rules: Window) -> Self {
        Self(State::Window(Meter::new(rules)))
    }
}

impl From<Ptu> for Limit {
    fn from(rules: Ptu) -> Self {
        Self(State::Ptu(PtuMeter::new(rules)))
    }
}

impl Limit {
    /// What is counted; a PTU bucket counts tokens.
    pub fn unit(&self) -> Unit {
        match &self.0 {
            State::Window(meter) => meter.rules().unit,
            State::Ptu(_) => Unit::Tokens,
        }
    }

    /// The rules, if this is a window.
    pub fn window(&self) -> Option<&Window> {
        match &self.0 {
            State::Window(meter) => Some(meter.rules()),
            State::Ptu(_) => None,
        }
    }

    /// The rules, if this is a PTU bucket.
    pub fn ptu(&self) -> Option<&Ptu> {
        match &self.0 {
            State::Window(_) => None,
            State::Ptu(meter) => Some(meter.rules()),
        }
    }

    /// Units that can be had at once from the untouched limit; for a PTU bucket the tokens at 100 % utilisation,
    /// rounded down.
    pub fn limit(&self) -> u64 {
        match &self.0 {
            State::Window(meter) => meter.rules().limit,
            State::Ptu(meter) => meter.limit(),
        }
    }

    /// Units left at `now`, rounded down; 0 if overdrawn.
    pub fn remaining(&self, now: u64) -> u64 {
        match &self.0 {
            State::Window(meter) => meter.remaining(now),
            State::Ptu(meter) => meter.remaining(now),
        }
    }

    /// The first moment, `now` or later, at which the limit is as if untouched, in nanoseconds. `None`: never, or only
    /// after time ends.
    ///
    /// That is what OpenAI documents for `x-ratelimit-reset-*`: the time until the limit "resets to its initial state".
    /// It is not how long a refused request has to wait.
    pub fn resets_at(&self, now: u64) -> Option<u64> {
        match &self.0 {
            State::Window(meter) => meter.resets_at(now),
            State::Ptu(meter) => meter.resets_at(now),
        }
    }

    /// How much is used at `now`, in thousandths of the limit, rounded down. Above 1,000 is overdrawn, which a PTU
    /// bucket allows; a window shows 1,000 at most.
    pub fn used_per_mille(&self, now: u64) -> u64 {
        match &self.0 {
            State::Window(meter) => {
                let limit = u128::from(meter.rules().limit);
                let used = limit - u128::from(meter.remaining(now)).min(limit);
                u64::try_from((used * 1_000).checked_div(limit).unwrap_or(1_000)).unwrap_or(u64::MAX)
            }
            State::Ptu(meter) => meter.used_per_mille(now),
        }
    }

    /// The first moment, `now` or later, at which this limit alone lets the demand in if nothing else is charged.
    /// `None`: never.
    #[inline]
    pub fn admits_at(&self, now: u64, demand: &Demand) -> Option<u64> {
        match &self.0 {
            State::Window(meter) => meter.admits_at(now, cost(meter.rules(), demand)),
            State::Ptu(meter) => meter.admits_at(now),
        }
    }

    #[inline]
    pub(crate) fn charge(&mut self, now: u64, demand: &Demand) {
        match &mut self.0 {
            State::Window(meter) => meter.charge(now, cost(meter.rules(), demand)),
            State::Ptu(meter) => meter.charge(now, demand),
        }
    }

    /// Whether refused requests are charged too.
    pub(crate) fn counts_refused(&self) -> bool {
        self.window().is_some_and(|rules| rules.counts_refused)
    }

    pub(crate) fn charge_refused(&mut self, now: u64, demand: &Demand) {
        if self.counts_refused() {
            self.charge(now, demand);
        }
    }

    #[inline]
    pub(crate) fn correct(&mut self, now: u64, demand: &Demand, usage: &Usage) {
        match &mut self.0 {
            // A window keeps its estimate: the documented counter is one of estimates.
            State::Window(_) => {}
            State::Ptu(meter) => meter.correct(now, demand, usage),
        }
    }
}

#[inline]
fn cost(rules: &Window, demand: &Demand) -> u64 {
    match rules.unit {
        Unit::Requests => 1,
        Unit::Tokens => demand.tokens,
    }
}
