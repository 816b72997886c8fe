//! Interleaved rounds: every case of a group once per round, its base beside it.

use std::time::Duration;

use crate::case::{Case, Section};

/// How long and how often cases are measured.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// How many rounds.
    pub rounds: usize,
    /// How long a case runs in one round, about; at least once.
    pub batch: Duration,
}

/// What the rounds of a section gave.
#[derive(Debug)]
pub struct Measured {
    /// The section's name.
    pub section: String,
    /// Its cases; the first is the base.
    pub cases: Vec<MeasuredCase>,
}

/// What the rounds of a case gave: nanoseconds per operation, by round; NaN for a round that does not count.
#[derive(Debug)]
pub struct MeasuredCase {
    /// The case's name.
    pub name: String,
    /// By round.
    pub nanos: Vec<f64>,
}

impl Measured {
    /// A case by its name.
    #[must_use]
    pub fn case(&self, name: &str) -> Option<&MeasuredCase> {
        self.cases.iter().find(|case| case.name == name)
    }

    /// The quartiles of a case over the base, the first case, of the same round.
    #[must_use]
    pub fn over_base(&self, case: &MeasuredCase) -> Quartiles {
        case.over(&self.cases[0])
    }
}

impl MeasuredCase {
    /// The quartiles of nanoseconds per operation.
    #[must_use]
    pub fn nanos(&self) -> Quartiles {
        Quartiles::of(self.nanos.clone())
    }

    /// The quartiles of what this case takes more than another of the same round.
    #[must_use]
    pub fn more_than(&self, other: &Self) -> Quartiles {
        Quartiles::of(self.nanos.iter().zip(&other.nanos).map(|(this, other)| this - other).collect())
    }

    /// The quartiles of this case over another of the same round.
    #[must_use]
    pub fn over(&self, other: &Self) -> Quartiles {
        Quartiles::of(self.nanos.iter().zip(&other.nanos).map(|(this, other)| this / other).collect())
    }
}

/// Median and quartiles.
#[derive(Debug, Clone, Copy)]
pub struct Quartiles {
    /// A quarter is below it.
    pub lower: f64,
    /// Half is below it.
    pub median: f64,
    /// A quarter is above it.
    pub upper: f64,
}

impl Quartiles {
    /// Those of the values that are numbers; NaN if none is.
    #[must_use]
    pub fn of(mut values: Vec<f64>) -> Self {
        values.retain(|value| value.is_finite());
        values.sort_by(f64::total_cmp);
        let at = |quarter: usize| values.get(values.len().saturating_sub(1) * quarter / 4).copied().unwrap_or(f64::NAN);
        Self { lower: at(1), median: at(2), upper: at(3) }
    }
}

/// Runs all sections for the given rounds.
#[must_use]
pub fn run(sections: Vec<Section>, effort: Effort) -> Vec<Measured> {
    let mut sections: Vec<_> = sections.into_iter().map(|section| Running::new(section, effort)).collect();
    for round in 0..effort.rounds {
        sections.iter_mut().for_each(|section| section.round(round));
    }
    sections.into_iter().map(Running::end).collect()
}

struct Running {
    name: String,
    cases: Vec<(Case, u64, Vec<f64>)>,
}

impl Running {
    fn new(section: Section, effort: Effort) -> Self {
        let cases = section.cases.into_iter().map(|mut case| {
            let times = calibrate(&mut case, effort.batch);
            (case, times, Vec::with_capacity(effort.rounds))
        });
        Self { name: section.name, cases: cases.collect() }
    }

    fn round(&mut self, round: usize) {
        let count = self.cases.len();
        // Every case is first, second and last in turn: what one leaves in the caches is not always the same one's cost.
        for index in (0..count).map(|index| (index + round) % count) {
            let (case, times, nanos) = &mut self.cases[index];
            // Untimed: the caches and the branch predictor belong to the case before.
            case.run(times.div_ceil(16));
            nanos.push(case.run(*times).map_or(f64::NAN, |took| per_operation(took, *times)));
        }
    }

    fn end(self) -> Measured {
        let cases = self.cases.into_iter().map(|(case, _, nanos)| MeasuredCase { name: case.name().to_owned(), nanos });
        Measured { section: self.name, cases: cases.collect() }
    }
}

/// Ends a calibration in which no run counts, or the optimiser removed everything.
const MAX_TIMES: u64 = 1 << 24;

/// How many times a case runs in about the time of a batch.
fn calibrate(case: &mut Case, batch: Duration) -> u64 {
    let mut times = 1;
    loop {
        // A run that does not count says nothing about the time; a longer one is likelier to count.
        let took = case.run(times).unwrap_or_default();
        if took * 4 >= batch || times >= MAX_TIMES {
            let scale = batch.as_secs_f64() / took.as_secs_f64().max(1e-9);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive, rounded count")]
            return ((times as f64 * scale).round() as u64).clamp(1, MAX_TIMES);
        }
        times *= 2;
    }
}

fn per_operation(took: Duration, times: u64) -> f64 {
    took.as_secs_f64() * 1e9 / times as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_within_a_round() {
        let case = |name: &str, nanos: &[f64]| MeasuredCase { name: name.to_owned(), nanos: nanos.to_vec() };
        // The machine was ten times slower in the second round.
        let measured = Measured {
            section: String::new(),
            cases: vec![case("base", &[1.0, 10.0, 1.0]), case("other", &[2.0, 20.0, 2.0])],
        };
        let ratio = measured.over_base(&measured.cases[1]);
        assert_eq!((ratio.lower, ratio.median, ratio.upper), (2.0, 2.0, 2.0));
    }

    #[test]
    fn every_case_runs_once_per_round() {
        let section = Section::new("section", ["a", "b"].map(|name| Case::new(name, || ())));
        let measured = run(vec![section], Effort { rounds: 3, batch: Duration::from_nanos(1) });
        assert!(measured[0].cases.iter().all(|case| case.nanos.len() == 3), "{measured:?}");
    }

    #[test]
    fn a_batch_takes_about_its_time() {
        let mut case = Case::timed("1 us each", Duration::from_micros);
        assert_eq!(calibrate(&mut case, Duration::from_micros(500)), 500);
    }
}
