use crate::{
    random::{Draws, Purpose, unit},
    scenario::{Fault, FaultKind, Span},
};

/// When the faults of a scenario are on. Time only goes forward.
#[derive(Debug)]
pub(crate) struct Outages {
    outages: Vec<Outage>,
}

#[derive(Debug)]
struct Outage {
    effect: Effect,
    share: f64,
    /// Number of the fault in the scenario, and of the next random outage.
    number: (u64, u64),
    from: u64,
    until: u64,
    /// Mean time between, and mean length, of random ones.
    random: Option<(f64, f64)>,
}

/// What a fault does to a request that it hits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Effect {
    /// What happens.
    pub(crate) kind: FaultKind,
    /// The status, if it answers with one.
    pub(crate) status: u16,
    /// How long that answer says to wait.
    pub(crate) hint: Option<Span>,
    /// When it comes, in nanoseconds from the sending on, if the fault says so.
    pub(crate) after: Option<u64>,
    /// How many times slower.
    pub(crate) factor: f64,
}

impl Outages {
    /// The outages of these faults.
    pub(crate) fn new(faults: &[Fault], draws: Draws) -> Self {
        Self { outages: faults.iter().enumerate().map(|(number, fault)| Outage::new(number, fault, draws)).collect() }
    }

    /// What the fault does to a request at `now`, if it is on and hits it.
    #[inline(never)]
    pub(crate) fn hits(&mut self, fault: usize, now: u64, (first, second): (u64, u64), draws: Draws) -> Option<Effect> {
        let outage = self.outages.get_mut(fault)?;
        if !outage.is_on(now, draws) {
            return None;
        }
        // Each fault has hits of its own: the number takes bits that attempts and backends leave free.
        let second = second | (outage.number.0 + 1) << 48;
        let is_hit = outage.share >= 1.0 || draws.uniform(Purpose::Hit, first, second) < outage.share;
        is_hit.then_some(outage.effect)
    }
}

impl Outage {
    fn new(number: usize, fault: &Fault, draws: Draws) -> Self {
        let effect = Effect {
            kind: fault.kind,
            status: fault.status.unwrap_or(503),
            hint: fault.hint,
            after: fault.after.map(Span::as_nanos),
            factor: fault.factor.unwrap_or(10.0),
        };
        let random = fault
            .mean_between
            .zip(fault.mean_duration)
            .map(|(between, length)| (between.as_nanos() as f64, length.as_nanos() as f64));
        let from = fault.at.map_or(0, |at| at.as_nanos());
        let until = fault.lasts.map_or(u64::MAX, |lasts| from.saturating_add(lasts.as_nanos()));
        let mut outage = Self { effect, share: fault.share, number: (number as u64, 0), from, until, random };
        if outage.random.is_some() {
            outage.until = 0;
            outage.draw_next(draws);
        }
        outage
    }

    fn is_on(&mut self, now: u64, draws: Draws) -> bool {
        while self.random.is_some() && now >= self.until && self.until != u64::MAX {
            self.draw_next(draws);
        }
        (self.from..self.until).contains(&now)
    }

    fn draw_next(&mut self, draws: Draws) {
        let Some((between, length)) = self.random else { return };
        let (fault, outage) = self.number;
        self.number.1 += 1;
        let draw = |mean: f64, second: u64| {
            let time = -mean * libm::log(unit(draws.bits(Purpose::Fault, fault, second)));
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative; saturates")]
            let nanos = time as u64;
            nanos.max(1)
        };
        self.from = self.until.saturating_add(draw(between, 2 * outage));
        self.until = self.from.saturating_add(draw(length, 2 * outage + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault() -> Fault {
        Fault {
            backend: Some("a".to_owned()),
            region: None,
            workload: None,
            kind: FaultKind::Status,
            status: None,
            hint: None,
            after: None,
            factor: None,
            share: 1.0,
            at: None,
            lasts: None,
            mean_between: None,
            mean_duration: None,
        }
    }

    fn is_hit(outages: &mut Outages, now: u64, request: u64) -> bool {
        outages.hits(0, now, (request, 0), Draws::new(1)).is_some()
    }

    #[test]
    fn a_scheduled_fault_is_on_from_its_begin_until_before_its_end() {
        let fault = Fault { at: Some(Span::from_secs(10)), lasts: Some(Span::from_secs(5)), ..fault() };
        let mut outages = Outages::new(&[fault], Draws::new(1));
        let second = 1_000_000_000;
        let on: Vec<bool> = [0, 10 * second - 1, 10 * second, 15 * second - 1, 15 * second]
            .map(|now| is_hit(&mut outages, now, 0))
            .to_vec();
        assert_eq!(on, [false, false, true, true, false]);
    }

    #[test]
    fn a_share_hits_that_share_of_requests() {
        let fault = Fault { at: Some(Span::default()), share: 0.3, ..fault() };
        let mut outages = Outages::new(&[fault], Draws::new(1));
        let hits = (0..10_000).filter(|&request| is_hit(&mut outages, 0, request)).count();
        // Five standard deviations are 229.
        assert!(hits.abs_diff(3_000) < 229, "{hits}");
    }

    #[test]
    fn random_faults_are_on_for_their_share_of_time() {
        let fault =
            Fault { mean_between: Some(Span::from_secs(90)), mean_duration: Some(Span::from_secs(10)), ..fault() };
        let mut outages = Outages::new(&[fault], Draws::new(7));
        let n = 1_000_000_u64;
        let on = (0..n).filter(|&second| is_hit(&mut outages, second * 1_000_000_000, 0)).count();
        // 10 of 100 s; about 10,000 outages, so the share's standard deviation is near 0.0013.
        assert!((on as f64 / n as f64 - 0.1).abs() < 0.006, "{on}");
    }
}
