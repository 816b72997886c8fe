use std::fmt;

use serde::Serialize;

/// Whether the log tells the depth.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a log tells the depth or it does not")]
pub enum Verdict {
    /// The interval is within a factor of 1.2 of the estimate.
    Identified,
    /// It does not tell, and why.
    NotIdentifiable(Reason),
}

/// Why a log does not tell the depth. Times are seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// There are not enough decisions, or not enough refusals among them.
    TooFewDecisions {
        /// Accepted and refused attempts.
        decisions: u64,
        /// Refused ones.
        refusals: u64,
    },
    /// Nothing was refused: the depth is at least the highest level that was accepted.
    NoRefusals {
        /// That level.
        at_least: f64,
    },
    /// Nothing was accepted, so the bucket was empty all the time.
    NoAcceptances,
    /// Accepted requests do not say what they cost.
    NoTokens {
        /// Their share of the accepted requests.
        share: f64,
    },
    /// Refusals came where the replayed bucket is empty.
    RefusedWhileEmpty {
        /// Their share of the refusals.
        share: f64,
    },
    /// Decisions do not follow the level: refused far below any depth that explains the others, or accepted far above.
    DoesNotFollow {
        /// Share of refused ones among decisions far below the depth.
        refused_below: f64,
        /// Share of accepted ones among decisions far above it.
        accepted_above: f64,
    },
    /// The best depth is right about hardly more decisions than a guess that they all are of the commoner kind.
    NoBetterThanAGuess {
        /// Share of the decisions that are right at the best depth.
        explained: f64,
        /// Share of the commoner kind.
        guessed: f64,
    },
    /// Between the levels that were accepted and those that were refused nothing was seen.
    NothingNearTheLimit {
        /// The highest level at which requests were accepted, but for a few.
        accepted_up_to: f64,
        /// The lowest level at which they were refused, but for a few.
        refused_from: f64,
    },
    /// Depths that differ much explain the log equally.
    WideRange {
        /// The lowest of them.
        low: f64,
        /// The highest of them.
        high: f64,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFewDecisions { decisions, refusals } => {
                write!(f, "{decisions} decisions with {refusals} refusals are too few; log for longer")
            }
            Self::NoRefusals { at_least } => write!(
                f,
                "nothing was refused; the depth is at least {at_least:.2} s, the highest level that was accepted"
            ),
            Self::NoAcceptances => f.write_str("nothing was accepted, so nothing filled the bucket"),
            Self::NoTokens { share } => write!(
                f,
                "{:.0} % of the accepted requests do not say how many tokens they took; log `usage`",
                100.0 * share
            ),
            Self::RefusedWhileEmpty { share } => write!(
                f,
                "{:.0} % of the refusals came while the bucket of the logged requests was empty; is all traffic of the \
                 deployment in the log, and is the number of PTUs right?",
                100.0 * share
            ),
            Self::DoesNotFollow { refused_below, accepted_above } => write!(
                f,
                "no depth explains the decisions: of those far below the best one {:.0} % are refusals, of those far \
                 above it {:.0} % are accepted; is all traffic of the deployment in the log, and is the number of PTUs \
                 right?",
                100.0 * refused_below,
                100.0 * accepted_above
            ),
            Self::NoBetterThanAGuess { explained, guessed } => write!(
                f,
                "the best depth is right about {:.1} % of the decisions, where a guess without any bucket is about {:.1} %; \
                 is the number of PTUs right, and is it a PTU deployment?",
                100.0 * explained,
                100.0 * guessed
            ),
            Self::NothingNearTheLimit { accepted_up_to, refused_from } => write!(
                f,
                "nothing was seen near the limit: requests were accepted up to a level of {accepted_up_to:.2} s and \
                 refused from {refused_from:.2} s on, and every depth between explains that"
            ),
            Self::WideRange { low, high } => {
                write!(f, "every depth from {low:.2} s to {high:.2} s explains the log about equally")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use lb_limits::{Ptu, SECOND};

    use super::*;
    use crate::{
        calibrate::calibrate,
        log::{Attempt, Log},
        random::{Draws, Purpose},
    };

    #[test]
    fn a_log_of_a_backend_that_is_no_ptu_is_not_identified() {
        let log = Log::new(refused_at_random(Draws::new(3)));
        let found = calibrate(&log, &Ptu::new(200, 3_000).output_ratio(4)).unwrap();
        assert!(matches!(found.verdict, Verdict::NotIdentifiable(_)), "{found}");
        // With so few PTUs that the level only rises, every depth is passed once.
        let found = calibrate(&log, &Ptu::new(20, 3_000).output_ratio(4)).unwrap();
        assert!(matches!(found.verdict, Verdict::NotIdentifiable(_)), "{found}");
    }

    /// Requests of which every fifth is refused, whatever was before.
    fn refused_at_random(draws: Draws) -> Vec<Attempt> {
        (0..2_000_u64)
            .map(|number| {
                let start = number * SECOND / 4;
                let refused = draws.uniform(Purpose::Hit, number, 0) < 0.2;
                Attempt {
                    start,
                    end: start + if refused { 0 } else { 2 * SECOND },
                    prompt_tokens: Some(1_000),
                    completion_tokens: (!refused).then_some(100),
                    max_tokens: Some(200),
                    status: if refused { 429 } else { 200 },
                    ..Attempt::default()
                }
            })
            .collect()
    }
}
