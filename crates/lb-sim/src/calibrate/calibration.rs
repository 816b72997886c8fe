use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use super::{RefusalLatency, Verdict};
use crate::{log::Log, scenario::Span};

/// What a log says about a bucket.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Calibration {
    /// Whether it tells the depth.
    pub verdict: Verdict,
    /// The depth in seconds of drain; there if there was anything to fit, identified or not.
    pub burst: Option<Fitted>,
    /// What the service reserves when a request arrives, as a multiple of `uncached input + ratio x max_tokens`; there
    /// if some requests said `max_tokens`.
    pub bias: Option<Fitted>,
    /// What it takes for the `max_tokens` of a request that says nothing; there if some requests did.
    pub default_max_tokens: Option<Fitted>,
    /// Share of the decisions that are right at this depth: refused above it, accepted below.
    pub explained: Option<f64>,
    /// How imprecise the levels are: the scale of their logistic error, in seconds.
    pub precision: Option<f64>,
    /// How long refusals took to come back; there if the log says when they ended, whatever it tells of the depth.
    pub refusal_latency: Option<RefusalLatency>,
    /// What was made of the hints.
    pub hints: HintUnit,
    /// What is in the log.
    pub counts: Counts,
}

/// A value with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Fitted {
    /// The value.
    pub value: f64,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
}

/// What is in a log.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Default)]
#[non_exhaustive]
pub struct Counts {
    /// Attempts that were accepted.
    pub accepted: u64,
    /// Attempts that were refused.
    pub refused: u64,
    /// Refused ones with a usable hint.
    pub hinted: u64,
    /// Attempts that were neither; they are left out.
    pub other: u64,
    /// From the first attempt to the last, in seconds.
    pub seconds: f64,
}

/// What was made of the hints in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HintUnit {
    /// There are none.
    None,
    /// They are used, to the millisecond.
    Milliseconds,
    /// They are used, as rounded up to whole seconds.
    Seconds,
    /// Those below this many milliseconds are used; it is the most that the service says.
    Below(u64),
    /// Nearly all are this many milliseconds: they are not used.
    Constant(u64),
    /// They do not follow the level: they are not used.
    Arbitrary,
}

impl Fitted {
    /// Whether the whole interval is within this factor of the value.
    #[must_use]
    pub fn is_within(&self, factor: f64) -> bool {
        self.high <= self.value * factor && self.value <= self.low * factor
    }
}

impl Counts {
    pub(super) fn of(log: &Log, hints: &HintUnit) -> Self {
        let count = |of: &dyn Fn(&crate::log::Attempt) -> bool| {
            u64::try_from(log.attempts().iter().filter(|attempt| of(attempt)).count()).unwrap_or(u64::MAX)
        };
        Self {
            accepted: count(&|attempt| attempt.is_accepted()),
            refused: count(&|attempt| attempt.is_refused()),
            hinted: count(&|attempt| attempt.is_refused() && attempt.hint_ms.is_some_and(|hint| hints.is_usable(hint))),
            other: count(&|attempt| !attempt.is_accepted() && !attempt.is_refused()),
            seconds: log.span() as f64 / 1e9,
        }
    }
}

impl HintUnit {
    /// What the hints of the refusals in a log are good for, as far as they tell alone.
    pub(super) fn of(log: &Log) -> Self {
        let mut values = BTreeMap::<u64, u32>::new();
        for hint in log.attempts().iter().filter(|attempt| attempt.is_refused()).filter_map(|attempt| attempt.hint_ms) {
            *values.entry(hint).or_default() += 1;
        }
        let all: u32 = values.values().sum();
        let (Some((&commonest, &count)), Some(&largest)) =
            (values.iter().max_by_key(|(_, count)| **count), values.keys().last())
        else {
            return Self::None;
        };
        let share = f64::from(count) / f64::from(all);
        if share > 0.8 && all >= 5 {
            Self::Constant(commonest)
        } else if values.keys().all(|hint| hint % 1_000 == 0) {
            Self::Seconds
        } else if share > 0.1 && all >= 20 && commonest == largest {
            Self::Below(largest)
        } else {
            Self::Milliseconds
        }
    }

    pub(super) fn is_usable(&self, hint_ms: u64) -> bool {
        match self {
            Self::Milliseconds | Self::Seconds => true,
            Self::Below(most) => hint_ms < *most,
            Self::None | Self::Constant(_) | Self::Arbitrary => false,
        }
    }

    /// What they are rounded up to, in seconds.
    pub(super) const fn resolution(&self) -> f64 {
        if matches!(self, Self::Seconds) { 1.0 } else { 0.001 }
    }
}

impl fmt::Display for HintUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("there are no hints"),
            Self::Milliseconds => f.write_str("hints are used, to the millisecond"),
            Self::Seconds => f.write_str("hints are used, as rounded up to whole seconds"),
            Self::Below(most) => write!(f, "hints are used below {most} ms, the most that the service says"),
            Self::Constant(ms) => write!(f, "hints are not used: nearly all say {ms} ms"),
            Self::Arbitrary => f.write_str("hints are not used: they do not follow the level of the bucket"),
        }
    }
}

impl fmt::Display for Calibration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { accepted, refused, hinted, other, seconds } = self.counts;
        let span = Span::from_secs(whole_seconds(seconds));
        writeln!(
            f,
            "{} attempts over {span}: {accepted} accepted, {refused} refused ({hinted} with a usable hint)",
            { accepted + refused + other }
        )?;
        if other > 0 {
            writeln!(f, "{other} of them were neither accepted nor refused, and are left out")?;
        }
        writeln!(f, "{}\n", self.hints)?;
        match (&self.verdict, self.burst) {
            (Verdict::Identified, Some(burst)) => {
                if let Some(explained) = self.explained {
                    writeln!(
                        f,
                        "identified; {:.1} % of the decisions agree with it. In the scenario:\n",
                        100.0 * explained
                    )?;
                }
                let Fitted { value, low, high } = burst;
                let line = format!("burst = \"{}\"", seconds_in_toml(value));
                writeln!(f, "    {line:<26} # 95 %: {} to {}", seconds_in_toml(low), seconds_in_toml(high))?;
                if let Some(latency) = self.refusal_latency {
                    writeln!(f, "    {latency}")?;
                }
                if let Some(Fitted { value, low, high }) = self.default_max_tokens {
                    let line = format!("default_max_tokens = {value:.0}");
                    writeln!(f, "    {line:<26} # 95 %: {low:.0} to {high:.0}")?;
                }
            }
            (Verdict::NotIdentifiable(reason), _) => {
                writeln!(f, "not identifiable: {reason}\n")?;
                writeln!(f, "Answer for several depths instead: `bursts = [\"1s\", \"10s\", \"60s\"]` in `[plan]`.")?;
                writeln!(f, "Nor does the log tell what the service reserves over its estimate.")?;
                if let Some(latency) = self.refusal_latency {
                    writeln!(f, "\nWhat it tells, for the scenario:\n\n    {latency}")?;
                }
            }
            (Verdict::Identified, None) => {}
        }
        if self.verdict != Verdict::Identified {
            return Ok(());
        }
        if let Some(Fitted { value, low, high }) = self.bias {
            write!(f, "\nThe service reserves {value:.2} times the estimate (95 %: {low:.2} to {high:.2}): ")?;
            f.write_str(if low > 1.0 {
                "more than the simulator, which will refuse too little.\n"
            } else if high < 1.0 {
                "less than the simulator, which will refuse too much.\n"
            } else if high / low > 1.5 {
                "the log does not tell it closely, and the depth does not hang on it.\n"
            } else {
                "the estimate is right.\n"
            })
        } else {
            f.write_str(
                "\nNo request says `max_tokens`: what the service reserves beyond that default cannot be told.\n",
            )
        }
    }
}

/// Seconds as a span of a scenario, to three digits: `9.84s`, `61.3s`, `812ms`.
pub(super) fn seconds_in_toml(seconds: f64) -> String {
    if seconds < 0.9995 {
        format!("{:.0}ms", seconds * 1e3)
    } else if seconds < 9.995 {
        format!("{seconds:.2}s")
    } else if seconds < 99.95 {
        format!("{seconds:.1}s")
    } else {
        format!("{seconds:.0}s")
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative; saturates")]
fn whole_seconds(seconds: f64) -> u64 {
    seconds as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Attempt;

    fn hints(hints: &[u64]) -> HintUnit {
        let refused = |hint: &u64| Attempt { status: 429, hint_ms: Some(*hint), ..Attempt::default() };
        HintUnit::of(&Log::new(hints.iter().map(refused)))
    }

    #[test]
    fn hints_that_cannot_tell_the_level_are_not_used() {
        assert_eq!(hints(&[]), HintUnit::None);
        assert_eq!(hints(&[812, 1_203, 90, 4_000]), HintUnit::Milliseconds);
        assert_eq!(hints(&[1_000, 3_000, 2_000, 2_000]), HintUnit::Seconds);
        assert_eq!(hints(&[1_000; 9]), HintUnit::Constant(1_000));
        let capped: Vec<u64> = (1..30).map(|i| (i * 101).min(1_000)).collect();
        assert_eq!(hints(&capped), HintUnit::Below(1_000));
        assert!(HintUnit::Below(1_000).is_usable(999) && !HintUnit::Below(1_000).is_usable(1_000));
    }

    #[test]
    fn seconds_read_as_a_scenario_writes_them() {
        for (seconds, text) in
            [(0.8123, "812ms"), (9.843, "9.84s"), (9.996, "10.0s"), (61.32, "61.3s"), (612.3, "612s")]
        {
            assert_eq!(seconds_in_toml(seconds), text);
            assert!(humantime::parse_duration(text).is_ok(), "{text}");
        }
    }
}
