use std::fmt::{self, Write as _};

use super::terminal;
use crate::{
    number,
    sweep::{Difference, Figure, SweepResult},
};

/// What fits on a terminal, in the order of [`Figure::ALL`].
const SHOWN: [Figure; 6] = [
    Figure::SuccessShare,
    Figure::Application429Share,
    Figure::AddedWaitP95,
    Figure::FirstTokenP95,
    Figure::SpillShare,
    Figure::CostPerMonth,
];

impl Figure {
    /// What stands above its column.
    const fn head(self) -> &'static str {
        match self {
            Self::SuccessShare => "succeeded",
            Self::Application429Share => "429 seen",
            Self::AddedWaitP95 => "added wait p95",
            Self::AddedWaitP99 => "added wait p99",
            Self::FirstTokenP95 => "first token p95",
            Self::SpillShare => "spilled",
            Self::AttemptsPerRequest => "attempts each",
            Self::CostPerMonth => "$ per month",
        }
    }

    fn form(self, value: f64) -> String {
        match self {
            Self::SuccessShare | Self::Application429Share | Self::SpillShare => {
                format!("{} pt", number::significant(value * 100.0))
            }
            Self::AddedWaitP95 | Self::AddedWaitP99 | Self::FirstTokenP95 => number::seconds(value),
            Self::AttemptsPerRequest => number::ratio(value),
            Self::CostPerMonth => number::dollars(value),
        }
    }
}

impl SweepResult {
    /// The differences from the point with the number `base` (from 0), for a terminal of 100 columns.
    #[must_use]
    pub fn differences_text(&self, base: usize) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = write!(text, "{}", Differences { sweep: self, base });
        text
    }
}

struct Differences<'a> {
    sweep: &'a SweepResult,
    base: usize,
}

impl fmt::Display for Differences<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(base) = self.sweep.points.get(self.base) else { return Ok(()) };
        let heading = format!("DIFFERENCE FROM {} (same requests; ± is the 95 % interval of the pairs)", base.label());
        terminal::wrap(&heading, 100).iter().try_for_each(|line| writeln!(f, "{line}"))?;
        let head: Vec<&str> = std::iter::once("point").chain(SHOWN.map(Figure::head)).collect();
        let points = self.sweep.points.iter().zip(self.sweep.differences(self.base)).enumerate();
        let others = points.filter(|(index, _)| *index != self.base);
        let rows = others.map(|(index, (point, differences))| {
            let shown = differences.iter().filter(|difference| SHOWN.contains(&difference.figure));
            let name = format!("{}: {}", index + 1, point.values().join(", "));
            std::iter::once(name).chain(shown.map(signed)).collect()
        });
        terminal::table(f, &head, &[0], rows)
    }
}

/// The mean with its sign, and the interval.
fn signed(difference: &Difference) -> String {
    let Difference { figure, difference: estimate } = difference;
    if !estimate.is_some() {
        return number::NOTHING.to_owned();
    }
    let sign = match estimate.mean() {
        mean if mean > 0.0 => "+",
        mean if mean < 0.0 => "-",
        _ => "",
    };
    let half = estimate.half_width().map_or_else(String::new, |half| format!(" ± {}", figure.form(half)));
    format!("{sign}{}{half}", figure.form(estimate.mean().abs()))
}
