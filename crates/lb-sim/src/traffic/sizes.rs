use std::sync::Arc;

use super::{
    Minutes, Row, Size, Trace,
    length::{Length, tokens},
};
use crate::{
    draw::{Draws, Purpose},
    scenario::{Factor, MaxTokens, NamedMaxTokens},
};

/// How large the requests of a workload are.
#[derive(Debug, Clone)]
pub(super) struct Sizes {
    pub(super) input: Part,
    pub(super) output: Part,
    /// Input and output come from the same line of a trace.
    pub(super) is_joint: bool,
    pub(super) cached_share: Option<f64>,
    pub(super) max_tokens: MaxTokens,
    pub(super) record: Record,
}

/// Where a length comes from.
#[derive(Debug, Clone)]
pub(super) enum Part {
    /// The trace or export that is replayed.
    Recorded,
    Drawn(Length),
    /// As drawn, but with the mean that an export gives for the minute; the second is one over the mean of what is drawn.
    Scaled(Length, f64),
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
        let recorded = self.recorded(row);
        let input_bits = match &self.input {
            Part::Drawn(Length::Constant(_)) => 0,
            _ => draws.bits(Purpose::Input, workload, number),
        };
        let drawn_row = match &self.input {
            Part::Drawn(Length::Resampled(trace)) => Some(trace.row_at(input_bits)),
            _ => None,
        };
        let input = match &self.input {
            Part::Recorded => round(recorded.input, input_bits),
            Part::Drawn(length) => length.at(input_bits),
            Part::Scaled(length, per_mean) => scale(recorded.input * per_mean, length.at(input_bits)),
        };
        let output = match (&self.output, drawn_row) {
            (Part::Drawn(Length::Constant(length)), _) => *length,
            (Part::Drawn(Length::Resampled(_)), Some(row)) if self.is_joint => u64::from(row.output),
            (part, _) => {
                let bits = draws.bits(Purpose::Output, workload, number);
                let drawn = |length: &Length| match length {
                    Length::Resampled(trace) => u64::from(trace.row_at(bits).output),
                    other => other.at(bits),
                };
                match part {
                    Part::Recorded => round(recorded.output, bits),
                    Part::Drawn(length) => drawn(length),
                    Part::Scaled(length, per_mean) => scale(recorded.output * per_mean, drawn(length)),
                }
            }
        };
        let cached = match (self.cached_share, drawn_row) {
            (Some(share), _) => tokens(input as f64 * share),
            (None, Some(row)) => u64::from(row.cached),
            (None, None) => match &self.record {
                Record::None => 0,
                // Of a trace the number is known; if the input is not the trace's, its share of it.
                Record::Trace(_) if matches!(self.input, Part::Recorded) => {
                    tokens(recorded.cached_share * recorded.input)
                }
                Record::Trace(_) | Record::Minutes(_) => tokens(recorded.cached_share * input as f64),
            },
        };
        let said = match (&self.record, drawn_row) {
            (Record::Trace(trace), _) => trace.rows().get(row as usize).and_then(|row| row.max_tokens),
            (_, row) => row.and_then(|row| row.max_tokens),
        };
        let max_tokens = match self.max_tokens {
            MaxTokens::Absent | MaxTokens::Named(NamedMaxTokens::None) => None,
            MaxTokens::Constant(tokens) => Some(tokens),
            MaxTokens::Named(NamedMaxTokens::Exact) => Some(output),
            MaxTokens::Named(NamedMaxTokens::Trace) => said.map(|tokens| u64::from(tokens.get())),
            MaxTokens::Factor(factor) => Some(multiple(factor, output)),
        };
        Size { input, cached: cached.min(input), output, max_tokens }
    }

    #[inline]
    fn recorded(&self, row: u32) -> Recorded {
        match &self.record {
            Record::None => Recorded::default(),
            Record::Trace(trace) => {
                let Row { input, output, cached, .. } = trace.rows()[row as usize];
                let cached_share = if input == 0 { 0.0 } else { f64::from(cached) / f64::from(input) };
                Recorded { input: f64::from(input), output: f64::from(output), cached_share }
            }
            Record::Minutes(minutes) => {
                let minute = minutes.minutes()[row as usize];
                // At least a fraction of a request, so that a minute that has tokens alone divides by something.
                let requests = minute.requests.max(1e-9);
                Recorded {
                    input: minute.input / requests,
                    output: minute.output / requests,
                    cached_share: minute.cached_share,
                }
            }
        }
    }
}

/// Mean tokens of a request at a place of the record.
#[derive(Debug, Clone, Copy, Default)]
struct Recorded {
    input: f64,
    output: f64,
    cached_share: f64,
}

/// A whole number with this mean: of a trace's whole numbers they themselves.
#[inline]
fn round(mean: f64, bits: u64) -> u64 {
    let whole = libm::floor(mean);
    tokens(whole) + u64::from(mean > whole && crate::draw::unit(bits) < mean - whole)
}

#[inline]
fn scale(factor: f64, drawn: u64) -> u64 {
    tokens(factor * drawn as f64)
}

fn multiple(factor: Factor, output: u64) -> u64 {
    tokens(factor.factor * output as f64).max(factor.min).min(factor.max.max(1))
}
