//! The search: a grid of depths and charges that zooms in on what explains the log.

use lb_limits::Ptu;

use super::{
    Calibration, Counts, Fitted, HintUnit, Reason, RefusalLatency, Verdict,
    bucket::{BucketReplay, Charge, Decision},
    noise::DecisionNoise,
    surface::{Surface, typical_refusal},
};
use crate::log::{Attempt, Log};

/// An estimate counts as identified if its interval is within this factor of it.
const IDENTIFIED_WITHIN: f64 = 1.2;

/// A depth must be wrong about at most so many of the decisions that a guess is wrong about.
const CLEARLY_FEWER: f64 = 0.7;

/// Fewer decisions than this, or refusals, are not worth a fit.
const FEWEST_DECISIONS: u64 = 30;
const FEWEST_REFUSALS: u64 = 5;

/// The shallowest depth that is looked at, in seconds.
const SHALLOWEST: f64 = 0.05;

/// Points of the axes: depths, and each of the charge's two numbers.
const DEPTHS: usize = 25;
const CHARGES: usize = 9;
const POINTS: [usize; 3] = [DEPTHS, CHARGES, CHARGES];

/// Points of the first grid, which spans orders of magnitude.
const FIRST_DEPTHS: usize = 129;
const FIRST_CHARGES: usize = 25;

/// How often the grid zooms in at most, and how often it is made wider then.
const ZOOMS: usize = 16;
const WIDENINGS: usize = 3;

/// What the log says, from beginning to end.
pub(super) fn calibration(log: &Log, ptu: &Ptu) -> Calibration {
    let mut hints = HintUnit::of(log);
    let counts = Counts::of(log, &hints);
    let nothing = |reason: Reason| Calibration {
        verdict: Verdict::NotIdentifiable(reason),
        burst: None,
        bias: None,
        default_max_tokens: None,
        explained: None,
        precision: None,
        refusal_latency: RefusalLatency::of(log),
        hints,
        counts,
    };
    let replay = BucketReplay::new(log, ptu);
    let start = Charge { bias: 1.0, default_max_tokens: ptu.default_max_tokens as f64 };
    if let Some(reason) = hopeless(log, &counts, &replay.decisions(start, &hints)) {
        return nothing(reason);
    }
    let space = SearchSpace::of(log, &replay);
    let mut fit = space.fit(&replay, &hints);
    if fit.noise.arbitrary > 0.5 && counts.hinted > 0 {
        hints = HintUnit::Arbitrary;
        fit = space.fit(&replay, &hints);
    }
    let charge = Charge { bias: fit.estimates[1].value, default_max_tokens: fit.estimates[2].value };
    let decisions = replay.decisions(charge, &hints);
    let depth = fit.estimates[0].value;
    let right = decisions.iter().filter(|decision| (decision.level > depth) == decision.refused).count();
    let explained = right as f64 / decisions.len() as f64;
    Calibration {
        verdict: match doubt(&decisions, &fit).or_else(|| guessed(&counts, explained)) {
            Some(reason) => Verdict::NotIdentifiable(reason),
            None => Verdict::Identified,
        },
        burst: Some(fit.estimates[0]),
        bias: space.is_fitted(1).then_some(fit.estimates[1]),
        default_max_tokens: space.is_fitted(2).then_some(fit.estimates[2]),
        explained: Some(explained),
        precision: Some(fit.noise.scale),
        refusal_latency: RefusalLatency::of(log),
        hints,
        counts: Counts::of(log, &hints),
    }
}

/// Why there is nothing to fit.
fn hopeless(log: &Log, counts: &Counts, decisions: &[Decision]) -> Option<Reason> {
    let Counts { accepted, refused, .. } = *counts;
    if accepted + refused < FEWEST_DECISIONS {
        return Some(Reason::TooFewDecisions { decisions: accepted + refused, refusals: refused });
    }
    if accepted == 0 {
        return Some(Reason::NoAcceptances);
    }
    let tells = |attempt: &&Attempt| attempt.prompt_tokens.is_some() && attempt.completion_tokens.is_some();
    let telling = log.attempts().iter().filter(|attempt| attempt.is_accepted()).filter(tells).count();
    let untold = 1.0 - telling as f64 / accepted as f64;
    if untold > 0.1 || decisions.iter().all(|decision| decision.level == 0.0) {
        return Some(Reason::NoTokens { share: untold });
    }
    if refused == 0 {
        return Some(Reason::NoRefusals { at_least: highest(decisions, |_| true) });
    }
    if refused < FEWEST_REFUSALS {
        return Some(Reason::TooFewDecisions { decisions: accepted + refused, refusals: refused });
    }
    let empty = decisions.iter().filter(|decision| decision.refused && decision.level < 1e-3).count();
    let share = empty as f64 / refused as f64;
    (share > 0.5).then_some(Reason::RefusedWhileEmpty { share })
}

/// Why the fit is not to be believed.
fn doubt(decisions: &[Decision], fit: &BestFit) -> Option<Reason> {
    let depth = fit.estimates[0];
    let far = (0.2 * depth.value).max(4.0 * fit.noise.scale);
    let share = |is_far: &dyn Fn(f64) -> bool, refused: bool| {
        let all = decisions.iter().filter(|decision| is_far(decision.level)).count();
        let against = decisions.iter().filter(|d| is_far(d.level) && d.refused == refused).count();
        if all < 5 { 0.0 } else { against as f64 / all as f64 }
    };
    let refused_below = share(&|level| level < depth.value - far, true);
    let accepted_above = share(&|level| level > depth.value + far, false);
    if refused_below > 0.3 || accepted_above > 0.5 {
        return Some(Reason::DoesNotFollow { refused_below, accepted_above });
    }
    if depth.is_within(IDENTIFIED_WITHIN) {
        return None;
    }
    let accepted_up_to = highest(decisions, |decision| !decision.refused && decision.level < depth.value);
    let refused = decisions.iter().filter(|decision| decision.refused && decision.level > depth.value);
    let refused_from = refused.map(|decision| decision.level).fold(f64::INFINITY, f64::min);
    if refused_from.is_finite() && refused_from > IDENTIFIED_WITHIN * IDENTIFIED_WITHIN * accepted_up_to {
        return Some(Reason::NothingNearTheLimit { accepted_up_to, refused_from });
    }
    Some(Reason::WideRange { low: depth.low, high: depth.high })
}

/// Whether a guess that all decisions are of the commoner kind is about as good as the depth.
fn guessed(counts: &Counts, explained: f64) -> Option<Reason> {
    let Counts { accepted, refused, .. } = *counts;
    let guessed = accepted.max(refused) as f64 / (accepted + refused) as f64;
    let is_worse = 1.0 - explained > CLEARLY_FEWER * (1.0 - guessed);
    is_worse.then_some(Reason::NoBetterThanAGuess { explained, guessed })
}

fn highest(decisions: &[Decision], of: impl Fn(&&Decision) -> bool) -> f64 {
    decisions.iter().filter(of).map(|decision| decision.level).fold(0.0, f64::max)
}

/// What is searched: the bounds of depth, over the level of a typical refusal, of bias and of the default of `max_tokens`. A
/// bound of one point is not fitted.
#[derive(Debug, Clone, Copy)]
struct SearchSpace {
    bounds: [(f64, f64); 3],
}

/// What a search found.
#[derive(Debug)]
struct BestFit {
    /// Depth, bias, default of `max_tokens`.
    estimates: [Fitted; 3],
    noise: DecisionNoise,
}

impl SearchSpace {
    fn of(log: &Log, replay: &BucketReplay<'_>) -> Self {
        let accepted = || log.attempts().iter().filter(|attempt| attempt.is_accepted());
        let (with, without) = (
            accepted().any(|attempt| attempt.max_tokens.is_some()),
            accepted().any(|attempt| attempt.max_tokens.is_none()),
        );
        // Without `max_tokens` the two cannot be told apart: all is put down to the default.
        let bias = if with { (0.25, 4.0) } else { (1.0, 1.0) };
        let default_max_tokens = if without { (16.0, 16_384.0) } else { (1.0, 1.0) };
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for (bias, default_max_tokens) in [(bias.0, default_max_tokens.0), (bias.1, default_max_tokens.1)] {
            let decisions = replay.decisions(Charge { bias, default_max_tokens }, &HintUnit::None);
            let typical = typical_refusal(&decisions);
            // A depth above every level that was refused explains no refusal.
            let deepest = highest(&decisions, |decision| decision.refused).max(0.1);
            (least, most) = (least.min(SHALLOWEST / typical), most.max(1.1 * deepest / typical));
        }
        Self { bounds: [(least, most), bias, default_max_tokens] }
    }

    fn is_fitted(&self, axis: usize) -> bool {
        self.bounds[axis].0 < self.bounds[axis].1
    }

    fn fit(&self, replay: &BucketReplay<'_>, hints: &HintUnit) -> BestFit {
        let mut region = self.bounds;
        let both = self.is_fitted(1) && self.is_fitted(2);
        let mut points = [FIRST_DEPTHS, if both { CHARGES } else { FIRST_CHARGES }, FIRST_CHARGES];
        for _ in 0..ZOOMS {
            let surface = Surface::new(replay, hints, region, points);
            let totals = surface.totals(None);
            let closer = surface.region(&totals, self.bounds);
            if surface.is_fine(&totals) {
                break;
            }
            (region, points) = (closer, POINTS);
        }
        // A bootstrap that reaches the border of the region was cut off by it.
        let mut surface = Surface::new(replay, hints, region, points);
        let mut estimates = surface.estimates(self.bounds);
        for _ in 0..WIDENINGS {
            if !estimates.are_cut {
                break;
            }
            region = surface.surroundings(self.bounds);
            surface = Surface::new(replay, hints, region, points);
            estimates = surface.estimates(self.bounds);
        }
        BestFit { estimates: estimates.fitted, noise: surface.noise(&surface.totals(None)) }
    }
}
