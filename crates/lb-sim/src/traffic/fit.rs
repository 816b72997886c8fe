use std::{fmt::Write as _, path::Path};

use super::{Dispersion, Row, Stats, Trace, Traffic, length::tokens, quantile::QuantileTable, stats};
use crate::{
    random::Draws,
    scenario::{ScenarioError, Workload},
};

/// A generator whose traffic looks like a trace's.
///
/// Arrivals are fitted by two moments, the gaps' and the windows' variation: a two-state bursty process if the index of
/// dispersion says that counts vary more than a Poisson process's, gamma gaps if less, or Poisson. What two states cannot show (a trend over
/// the whole trace, lengths that depend on each other or on the time) is lost; [`Fit::sample`] tells how much that is.
/// Lengths are the trace's 101 percentiles.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fit {
    /// The trace's figures.
    pub(crate) trace: Stats,
    /// How arrivals come.
    pub(crate) arrivals: Arrivals,
    input: Vec<f64>,
    output: Vec<f64>,
}

/// How the arrivals of a [`Fit`] come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Arrivals {
    /// Independent.
    Poisson,
    /// More regular than Poisson, with gamma-distributed gaps.
    Gamma {
        /// Their coefficient of variation.
        cv: f64,
    },
    /// Poisson with two rates.
    Bursts {
        /// The rate in a burst, as a multiple of the one outside.
        factor: f64,
        /// Mean length of a burst, in seconds.
        burst: f64,
        /// Mean time between two, in seconds.
        calm: f64,
    },
}

/// How far an index of dispersion may be from 1 for a Poisson process, beside what chance does.
const POISSON: f64 = 0.05;
/// Shorter windows than this many steps of the recording show the steps.
const STEPS: f64 = 10.0;
/// The largest ratio of the two rates; beyond it the calm is silent for all purposes.
const MOST_FACTOR: f64 = 1e5;
/// Points of the quantile functions.
const POINTS: u32 = 101;

impl Fit {
    /// The generator for a trace; `None` if the trace is too short to be described (less than 15 s, or two requests).
    pub(crate) fn of(trace: &Trace) -> Option<Self> {
        let figures = Stats::of(trace)?;
        let arrivals = Arrivals::of(&figures)?;
        let quantiles = |of| {
            let sorted = stats::sorted(trace, of);
            let mut values: Vec<f64> =
                (0..POINTS).map(|at| stats::quantile(&sorted, f64::from(at) / f64::from(POINTS - 1)).round()).collect();
            // A line from the last percentile to the largest value lies above what is there: lowered, it keeps the mean.
            let excess = QuantileTable::new(values.clone())?.mean() - sorted.iter().sum::<f64>() / sorted.len() as f64;
            if let [.., below, last] = values.as_mut_slice() {
                *last = (*last - 2.0 * f64::from(POINTS - 1) * excess).round().clamp(*below, *last);
            }
            Some(values)
        };
        let (input, output) = (quantiles(|row| row.input)?, quantiles(|row| row.output)?);
        Some(Self { trace: figures, arrivals, input, output })
    }

    /// The generator as a table of a scenario.
    pub(crate) fn toml(&self, name: &str) -> String {
        let mut text = format!("[[workload]]\nname = \"{name}\"\n");
        let rate = self.trace.rate;
        match self.arrivals {
            Arrivals::Poisson => _ = writeln!(text, "kind = \"poisson\"\nrate = {rate:.3}"),
            Arrivals::Gamma { cv } => _ = writeln!(text, "kind = \"gamma\"\nrate = {rate:.3}\ncv = {cv:.2}"),
            Arrivals::Bursts { factor, burst, calm } => {
                let (burst, calm) = (tokens(burst * 1e3), tokens(calm * 1e3));
                _ = writeln!(
                    text,
                    "kind = \"bursts\"\nrate = {rate:.3}\n\
                     bursts = {{ factor = {factor:.2}, burst = \"{burst}ms\", calm = \"{calm}ms\" }}"
                );
            }
        }
        for (key, values) in [("input", &self.input), ("output", &self.output)] {
            _ = writeln!(text, "{key} = {{ quantiles = [");
            for line in values.chunks(20) {
                let line: Vec<_> = line.iter().map(f64::to_string).collect();
                _ = writeln!(text, "    {},", line.join(", "));
            }
            text.push_str("] }\n");
        }
        if self.trace.cached_share > 0.0 {
            _ = writeln!(text, "cached_share = {:.3}", self.trace.cached_share);
        }
        text
    }

    /// The figures of what the generator makes in this many seconds.
    pub(crate) fn sample(&self, seconds: u64, draws: Draws) -> Result<Option<Stats>, ScenarioError> {
        let text = self.toml("fit").replace("[[workload]]\n", "");
        let workload: Workload = toml::from_str(&text).map_err(|error| ScenarioError::new("", error.to_string()))?;
        let until = seconds.saturating_mul(1_000_000_000);
        let mut traffic = Traffic::new(&[workload], Path::new(""), 1.0, draws, Some(until))?;
        let mut rows = Vec::new();
        let narrow = |tokens: u64| u32::try_from(tokens).unwrap_or(u32::MAX);
        while let Some(arrival) = traffic.next() {
            let (input, output) = (narrow(arrival.size.input), narrow(arrival.size.output));
            rows.push(Row { at: arrival.at, input, output, cached: narrow(arrival.size.cached), max_tokens: None });
        }
        Ok(Stats::of(&Trace::new(rows)))
    }

    /// The generator as a table of a scenario, under a comment that compares its traffic with the trace's.
    pub(crate) fn report(&self, name: &str, source: &str) -> Result<String, ScenarioError> {
        let generated = self.sample(SAMPLE_SECONDS, Draws::new(1))?;
        let mut text = String::new();
        for line in source.lines() {
            _ = writeln!(text, "# {line}");
        }
        _ = writeln!(text, "#\n# {:<24}{:>12}{:>12}", "", "trace", "generated");
        let mut row = |what: &str, digits: usize, of: &dyn Fn(&Stats) -> Option<f64>| {
            let show = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"));
            let (trace, generated) = (show(of(&self.trace)), show(generated.as_ref().and_then(of)));
            _ = writeln!(text, "# {what:<24}{trace:>12}{generated:>12}");
        };
        row("requests", 0, &|stats| Some(stats.requests as f64));
        row("requests per second", 2, &|stats| Some(stats.rate));
        row("cv of gaps", 2, &|stats| Some(stats.gap_cv));
        for window in [1.0, 10.0, 60.0] {
            row(&format!("IDC over {window} s"), 2, &|stats| stats.dispersion_at(window));
        }
        for (what, of) in [("input", (|s| s.input) as fn(&Stats) -> stats::LengthStats), ("output", |s| s.output)] {
            row(&format!("{what} mean"), 0, &|stats| Some(of(stats).mean));
            row(&format!("{what} p50"), 0, &|stats| Some(of(stats).p50));
            row(&format!("{what} p99"), 0, &|stats| Some(of(stats).p99));
        }
        row("cached share of input", 3, &|stats| Some(stats.cached_share));
        if self.trace.resolution > 0.0 {
            let (step, least) = (self.trace.resolution, STEPS * self.trace.resolution);
            _ = writeln!(
                text,
                "# The trace's times come in steps of {step:.3} s: gaps, and windows below {least:.0} s, are not fitted."
            );
        }
        _ = writeln!(text, "# (IDC: variance over mean of the counts per window; 1 is Poisson.)\n");
        Ok(text + &self.toml(name))
    }
}

/// How long a sample for comparison is: 100 hours.
const SAMPLE_SECONDS: u64 = 360_000;

impl Arrivals {
    fn of(stats: &Stats) -> Option<Self> {
        let windows: Vec<_> =
            stats.dispersion.iter().filter(|known| known.window >= STEPS * stats.resolution).collect();
        let longest = windows.last()?;
        // The gaps of a stream recorded in steps are the steps'.
        let cv = if stats.resolution == 0.0 { Some(stats.gap_cv) } else { None };
        // An index of dispersion over n windows has a standard error of about sqrt(2 / n).
        let error = |known: &Dispersion| POISSON + 3.0 * libm::sqrt(2.0 / known.windows as f64);
        if windows.iter().all(|known| (known.index - 1.0).abs() < error(known)) {
            return Some(Self::Poisson);
        }
        if longest.index < 1.0 {
            return Some(Self::Gamma { cv: cv.unwrap_or(libm::sqrt(longest.index)).clamp(0.05, 1.0) });
        }
        // IDC(t) = 1 + A f(w t), with f(x) = 1 - (1 - exp(-x)) / x; A and w by least squares of the logarithms, each window
        // by the number of its counts.
        let mut best = (f64::INFINITY, 0.0, 0.0);
        for step in 0..300 {
            let w = 1e-4 * libm::exp(f64::from(step) * (libm::log(2e5) / 300.0));
            for step in 0..300 {
                let a = 1e-2 * libm::exp(f64::from(step) * (libm::log(1e7) / 300.0));
                let error: f64 = windows
                    .iter()
                    .map(|known| {
                        let x = w * known.window;
                        let index = 1.0 + a * (1.0 + libm::expm1(-x) / x);
                        let off = libm::log(index) - libm::log(known.index.max(0.1));
                        off * off * known.windows as f64
                    })
                    .sum();
                if error < best.0 {
                    best = (error, a, w);
                }
            }
        }
        Some(Self::two_states(stats.rate, best.1, best.2, cv))
    }

    /// The two rates and times with this mean rate, this limit `a` of the index of dispersion less 1, this rate `w` of
    /// forgetting, and, as far as two states can, this coefficient of variation of the gaps.
    ///
    /// With the share p of time in bursts and the difference d of the rates, a = 2 p (1 - p) d² / (w mean), and the gaps
    /// have cv² = 1 + 2 p (1 - p) d² / (high low + w mean) (Fischer and Meier-Hellstern, "The Markov-modulated Poisson
    /// process (MMPP) cookbook", 1993).
    fn two_states(mean: f64, a: f64, w: f64, cv: Option<f64>) -> Self {
        let product = a * w * mean / 2.0;
        // Beyond this share the rate outside of bursts would be negative.
        let most = mean * mean / (mean * mean + product);
        let rates = |share: f64| {
            let difference = libm::sqrt(product / (share * (1.0 - share)));
            (mean + (1.0 - share) * difference, (mean - share * difference).max(0.0))
        };
        let square = |share: f64| {
            let (high, low) = rates(share);
            1.0 + 2.0 * product / (high * low + w * mean)
        };
        let (mut low, mut high) = (most * 1e-3, most * (1.0 - 1e-9));
        match cv {
            Some(cv) => {
                for _ in 0..60 {
                    let middle = f64::midpoint(low, high);
                    if square(middle) < cv * cv { low = middle } else { high = middle }
                }
            }
            None => high = most / 2.0,
        }
        let (fast, slow) = rates(high);
        let factor = (fast / slow.max(fast / MOST_FACTOR)).min(MOST_FACTOR);
        Self::Bursts { factor, burst: 1.0 / ((1.0 - high) * w), calm: 1.0 / (high * w) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(workload: &str, seconds: u64) -> Trace {
        let text = format!("name = \"t\"\ninput = {{ mean = 900, sigma = 1.0 }}\noutput = 100\n{workload}");
        let until = Some(seconds * 1_000_000_000);
        let mut traffic =
            Traffic::new(&[toml::from_str(&text).unwrap()], Path::new(""), 1.0, Draws::new(3), until).unwrap();
        let row = |arrival: super::super::Arrival| Row {
            at: arrival.at,
            input: u32::try_from(arrival.size.input).unwrap(),
            output: u32::try_from(arrival.size.output).unwrap(),
            ..Row::default()
        };
        Trace::new(std::iter::from_fn(|| traffic.next().map(row)).collect())
    }

    #[test]
    fn a_poisson_process_is_recognised() {
        assert_eq!(Fit::of(&trace("kind = \"poisson\"\nrate = 4", 20_000)).unwrap().arrivals, Arrivals::Poisson);
    }

    #[test]
    fn regular_gaps_are_recognised() {
        let fit = Fit::of(&trace("kind = \"gamma\"\ncv = 0.5\nrate = 4", 20_000)).unwrap();
        assert!(matches!(fit.arrivals, Arrivals::Gamma { cv } if (cv - 0.5).abs() < 0.02), "{:?}", fit.arrivals);
    }

    #[test]
    fn the_two_states_of_a_bursty_process_are_found_again() {
        let bursts = "kind = \"bursts\"\nrate = 4\nbursts = { factor = 20, burst = \"5s\", calm = \"40s\" }";
        let fit = Fit::of(&trace(bursts, 200_000)).unwrap();
        let Arrivals::Bursts { factor, burst, calm } = fit.arrivals else { panic!("{:?}", fit.arrivals) };
        assert!((factor / 20.0 - 1.0).abs() < 0.15, "{:?}", fit.arrivals);
        assert!((burst / 5.0 - 1.0).abs() < 0.15, "{:?}", fit.arrivals);
        assert!((calm / 40.0 - 1.0).abs() < 0.15, "{:?}", fit.arrivals);
    }

    #[test]
    fn the_generator_has_the_lengths_of_the_trace() {
        let trace = trace("kind = \"poisson\"\nrate = 4", 20_000);
        let fit = Fit::of(&trace).unwrap();
        let generated = fit.sample(50_000, Draws::new(4)).unwrap().unwrap();
        for (of, generated) in [(fit.trace.input, generated.input), (fit.trace.output, generated.output)] {
            for (of, generated) in [(of.mean, generated.mean), (of.p50, generated.p50), (of.p99, generated.p99)] {
                assert!((generated / of - 1.0).abs() < 0.03, "{generated} instead of {of}");
            }
        }
    }

    #[test]
    fn the_report_is_a_scenario_s_table() {
        let fit = Fit::of(&trace("kind = \"poisson\"\nrate = 4", 2_000)).unwrap();
        let table: toml::Table = toml::from_str(&fit.report("chat", "a test").unwrap()).unwrap();
        let workload: Workload = table["workload"][0].clone().try_into().unwrap();
        assert_eq!((workload.name.as_str(), workload.rate), ("chat", Some((fit.trace.rate * 1e3).round() / 1e3)));
    }

    #[test]
    fn a_trace_that_says_too_little_gives_no_generator() {
        assert_eq!(Fit::of(&Trace::default()), None);
        assert_eq!(Fit::of(&trace("kind = \"poisson\"\nrate = 4", 10)), None);
    }
}
