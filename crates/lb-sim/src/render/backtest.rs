use std::fmt;

use crate::{
    backtest::{Against, Arriving, BackendCounts, Compared},
    scenario::Span,
};

/// Most periods that are printed; the JSON has all.
const MOST_PERIODS: usize = 48;

impl fmt::Display for Against {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.arriving {
            Arriving::Requests => "the log's requests, sent by the scenario's clients",
            Arriving::Attempts => "the log's attempts, each at the backend that it went to",
        };
        writeln!(f, "Simulated, {} times: {what}, over {}", self.replications, span(self.seconds))?;
        if self.replications < 2 {
            writeln!(f, "one run has no interval; set `run.replications`")?;
        }
        writeln!(f, "\n{:<24} {:>12} {:>12} {:>25}", "", "observed", "simulated", "95 % of runs")?;
        row(f, "succeeded", &self.success_share, 100.0, " %")?;
        counts(f, "all backends", &self.total)?;
        if self.backends.len() > 1 {
            for backend in &self.backends {
                counts(f, &backend.name, &backend.counts)?;
            }
        }
        for backend in &self.backends {
            let is_quiet = |compared: &&Compared| compared.observed == 0.0 && compared.simulated == 0.0;
            let loud: Vec<_> = (0..).zip(&backend.throttles).filter(|(_, compared)| !is_quiet(compared)).collect();
            if loud.is_empty() {
                continue;
            }
            writeln!(f, "\n429s of {} per {}; those without any are left out", backend.name, span(self.period))?;
            for (period, compared) in loud.iter().take(MOST_PERIODS) {
                row(f, &format!("  from {}", span(self.period * f64::from(*period))), compared, 1.0, "")?;
            }
            if loud.len() > MOST_PERIODS {
                writeln!(f, "  and {} more; --json has all", loud.len() - MOST_PERIODS)?;
            }
        }
        Ok(())
    }
}

fn counts(f: &mut fmt::Formatter<'_>, name: &str, counts: &BackendCounts) -> fmt::Result {
    writeln!(f, "{name}")?;
    row(f, "  attempts", &counts.attempts, 1.0, "")?;
    row(f, "  accepted", &counts.accepted, 1.0, "")?;
    row(f, "  429s", &counts.throttles, 1.0, "")?;
    row(f, "  prompt tokens", &counts.prompt_tokens, 1.0, "")?;
    row(f, "  completion tokens", &counts.completion_tokens, 1.0, "")
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, compared: &Compared, factor: f64, unit: &str) -> fmt::Result {
    let digits = if unit.is_empty() { 0 } else { 2 };
    let number = |value: f64| format!("{:.digits$}{unit}", factor * value);
    let interval = compared.interval.map(|(low, high)| format!("{} to {}", number(low), number(high)));
    let verdict = match compared.agrees() {
        Some(true) => "  agrees",
        Some(false) => "  differs",
        None => "",
    };
    let (observed, simulated) = (number(compared.observed), number(compared.simulated));
    writeln!(f, "{name:<24} {observed:>12} {simulated:>12} {:>25}{verdict}", interval.unwrap_or_default())
}

/// Whole seconds, as a span.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative; saturates")]
fn span(seconds: f64) -> Span {
    Span::from_secs(seconds as u64)
}
