use std::sync::Arc;

use super::{
    Arrival, Minute, Minutes, Row, Size, Trace,
    cached::CacheHits,
    length::{LengthDraw, tokens},
};
use crate::{
    random::{Draws, Purpose},
    scenario::{Factor, MaxTokens, NamedMaxTokens},
};

/// How large the requests of a workload are.
#[derive(Debug, Clone)]
pub(super) struct Sizes {
    pub(super) input: SizePart,
    pub(super) output: SizePart,
    /// Input and output come from the same line of a trace.
    pub(super) is_joint: bool,
    pub(super) cached_share: Option<f64>,
    /// Which prompts are cached, where only the share is known.
    pub(super) hits: Option<CacheHits>,
    pub(super) max_tokens: MaxTokens,
    pub(super) record: Record,
}

/// Where a length comes from.
#[derive(Debug, Clone)]
pub(super) enum SizePart {
    /// The trace that is replayed.
    Recorded,
    Drawn(LengthDraw),
    /// As drawn, but with the mean that an export gives for the minute; the second is one over the mean of what is drawn.
    Scaled(LengthDraw, f64),
}

/// What is replayed.
#[derive(Debug, Clone)]
pub(super) enum Record {
    None,
    Trace(Arc<Trace>),
    Minutes(Arc<Minutes>),
}

impl Sizes {
    /// The size of a request; `row` is where it is in the record.
    #[inline]
    pub(super) fn draw(&self, draws: Draws, workload: u64, number: u64, row: u32) -> Size {
        let line = match &self.record {
            Record::Trace(trace) => trace.rows().get(row as usize),
            _ => None,
        };
        let minute = match &self.record {
            Record::Minutes(minutes) => minutes.minutes().get(row as usize),
            _ => None,
        };
        let input_bits = match &self.input {
            SizePart::Drawn(LengthDraw::Constant(_)) => 0,
            SizePart::Recorded if line.is_some() => 0,
            _ => draws.bits(Purpose::Input, workload, number),
        };
        // What a line of a trace that lengths are drawn from says besides the input.
        let drawn = match &self.input {
            SizePart::Drawn(LengthDraw::Resampled(trace)) => Some(trace.row_at(input_bits)),
            _ => None,
        };
        let input = match (&self.input, line) {
            (SizePart::Recorded, Some(line)) => u64::from(line.input),
            (SizePart::Recorded, None) => 0,
            (SizePart::Drawn(length), _) => length.at(input_bits),
            (SizePart::Scaled(length, per_mean), _) => {
                tokens(mean(minute, |minute| minute.input) * per_mean * length.at(input_bits) as f64)
            }
        };
        let output = match (&self.output, line, drawn) {
            (SizePart::Recorded, Some(line), _) => u64::from(line.output),
            (SizePart::Drawn(LengthDraw::Constant(length)), ..) => *length,
            (SizePart::Drawn(LengthDraw::Resampled(_)), _, Some(drawn)) if self.is_joint => u64::from(drawn.output),
            (part, ..) => {
                let bits = draws.bits(Purpose::Output, workload, number);
                let at = |length: &LengthDraw| match length {
                    LengthDraw::Resampled(trace) => u64::from(trace.row_at(bits).output),
                    other => other.at(bits),
                };
                match part {
                    SizePart::Recorded => 0,
                    SizePart::Drawn(length) => at(length),
                    SizePart::Scaled(length, per_mean) => {
                        tokens(mean(minute, |minute| minute.output) * per_mean * at(length) as f64)
                    }
                }
            }
        };
        let cached = match (self.cached_share, drawn.or(line)) {
            (None, Some(from)) if drawn.is_some() || matches!(self.input, SizePart::Recorded) => u64::from(from.cached),
            // The input is not the line's: its share of it.
            (None, Some(from)) => tokens(input as f64 * f64::from(from.cached) / f64::from(from.input.max(1))),
            (share, _) => {
                let share = share.or_else(|| Some(minute?.cached_share)).unwrap_or(0.0);
                let scale = match &self.input {
                    SizePart::Scaled(_, per_mean) => mean(minute, |minute| minute.input) * per_mean,
                    _ => 1.0,
                };
                self.cached(input, share, scale, || draws.uniform(Purpose::Cached, workload, number))
            }
        };
        let max_tokens = self.max_tokens(output, line.or(drawn));
        Size { input, cached: cached.min(input), output, max_tokens }
    }

    /// Whether a size depends on nothing but draws.
    pub(super) fn is_drawn(&self) -> bool {
        let is_drawn =
            |part: &SizePart| matches!(part, SizePart::Drawn(length) if !matches!(length, LengthDraw::Resampled(_)));
        matches!(self.record, Record::None) && is_drawn(&self.input) && is_drawn(&self.output)
    }

    /// What [`draw`](Self::draw) gives for each of these requests, if all of it [is drawn](Self::is_drawn): length by
    /// length, which takes a quarter of the time.
    pub(super) fn draw_all(&self, draws: Draws, workload: u64, requests: &mut [Arrival]) {
        if let (SizePart::Drawn(input), SizePart::Drawn(output)) = (&self.input, &self.output) {
            let bits = |number| draws.bits(Purpose::Input, workload, number);
            input.each(requests, bits, |size, length| size.input = length);
            let bits = |number| draws.bits(Purpose::Output, workload, number);
            output.each(requests, bits, |size, length| size.output = length);
        }
        let share = self.cached_share.unwrap_or(0.0);
        for Arrival { size, number, .. } in requests {
            size.cached = self.cached(size.input, share, 1.0, || draws.uniform(Purpose::Cached, workload, *number));
            size.max_tokens = self.max_tokens(size.output, None);
        }
    }

    /// How much of an input is cached, where `share` of all of it is.
    #[inline]
    fn cached(&self, input: u64, share: f64, scale: f64, uniform: impl FnOnce() -> f64) -> u64 {
        let hits = self.hits.as_ref().filter(|_| share > 0.0);
        hits.map_or(0, |hits| hits.cached(input, share, scale, uniform()).min(input))
    }

    #[inline]
    fn max_tokens(&self, output: u64, line: Option<&Row>) -> Option<u64> {
        match self.max_tokens {
            MaxTokens::Absent | MaxTokens::Named(NamedMaxTokens::None) => None,
            MaxTokens::Constant(tokens) => Some(tokens),
            MaxTokens::Named(NamedMaxTokens::Exact) => Some(output),
            MaxTokens::Named(NamedMaxTokens::Trace) => {
                line.and_then(|line| line.max_tokens).map(|tokens| u64::from(tokens.get()))
            }
            MaxTokens::Factor(factor) => Some(multiple(factor, output)),
        }
    }
}

/// Tokens of a request of a minute, on average.
fn mean(minute: Option<&Minute>, of: impl Fn(&Minute) -> f64) -> f64 {
    minute.filter(|minute| minute.requests > 0.0).map_or(0.0, |minute| of(minute) / minute.requests)
}

fn multiple(factor: Factor, output: u64) -> u64 {
    tokens(factor.factor * output as f64).max(factor.min).min(factor.max.max(1))
}
