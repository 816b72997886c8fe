//! How often intervals and bounds hold the truth: those of `run` and those that a plan decides by.
//!
//! ```sh
//! cargo run --release -p lb-sim --example coverage
//! ```
//!
//! The truth is the mean over all runs of all seeds, which is known twenty times better than that of one seed's runs. A 95 %
//! interval should hold it in 93 to 97 % of the seeds, a one-sided bound in 93 % at least. A figure that is the same in
//! nearly all runs (no request was refused) has no interval to speak of: bounds count requests then, intervals do not.
//! Ends with 1 if a share is outside. How often `calibrate` finds the depth is a test of the library (`scripts/release-check
//! coverage` runs both).

use std::{collections::BTreeMap, error::Error, process::ExitCode};

use lb_sim::{Metric, Report, Scenario, metrics::Replications, plan, progress::Progress, sweep};

/// A PTU deployment that is too small half of the time, before a quota that is now and then.
const SCENARIO: &str = r#"
    run = { duration = "15m", warmup = "1m", replications = 8 }
    clients = { workers = 2 }
    model = [{ name = "gpt-4.1", price_input = 2.0, price_output = 8.0 }]
    backend = [
        { name = "ptu", model = "gpt-4.1", preset = "azure-ptu", ptus = 30, burst = "10s", price_ptu_month = 260 },
        { name = "eu", priority = 2, model = "gpt-4.1", preset = "azure-standard", tpm = 80_000 },
    ]
    [plan]
    backend = "ptu"
    bursts = ["10s"]
    max_ptus = 40
    every_step = true
    limits = { spill_share = 0.5, application_429_share = 0.5, added_wait_p95 = "10s" }
    [[workload]]
    name = "chat"
    kind = "poisson"
    rate = 1.6
    input = { mean = 900, sigma = 0.8 }
    output = { mean = 150, sigma = 0.8 }
    max_tokens = 800
"#;

/// So many seeds have an interval each.
const SEEDS: u32 = 1_000;

/// So many seeds have a plan each.
const PLANS: u32 = 200;

/// What one seed says of one figure.
struct Said {
    mean: f64,
    low: f64,
    high: f64,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let scenario = Scenario::parse(SCENARIO)?;
    let mut intervals = BTreeMap::new();
    for seed in 0..SEEDS {
        let runs: Replications = sweep::replicate(&with_seed(&scenario, seed)?, &() as &dyn Progress)?;
        let report = Report::over(&scenario, &runs);
        for metric in Metric::COMPARED {
            let value = metric.of(&report);
            let said = Said { mean: value.mean(), low: value.low(), high: value.high() };
            intervals.entry(metric.key()).or_insert_with(Vec::new).push(said);
        }
    }
    let mut bounds = BTreeMap::new();
    for seed in 0..PLANS {
        for step in &plan::plan(&with_seed(&scenario, SEEDS + seed)?, &())?.depths[0].steps {
            for (check, limit) in step.checks.iter().zip(["spill_share", "application_429_share", "added_wait_p95"]) {
                let said = Said { mean: check.value.mean(), low: f64::NEG_INFINITY, high: check.upper };
                bounds.entry(format!("{limit} at {} PTUs", step.ptus)).or_insert_with(Vec::new).push(said);
            }
        }
    }
    println!("Intervals of a run of 8 replications, {SEEDS} seeds");
    let are_good = intervals.iter().map(|(name, all)| print(name, all, 0.93..=0.97)).fold(true, |all, one| all & one);
    println!("Upper bounds of a plan of 8 replications, {PLANS} seeds");
    let hold = bounds.iter().map(|(name, all)| print(name, all, 0.93..=1.0)).fold(true, |all, one| all & one);
    Ok(if are_good && hold { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn with_seed(scenario: &Scenario, seed: u32) -> Result<Scenario, Box<dyn Error>> {
    Ok(scenario.with(&[("run.seed".parse()?, i64::from(seed).into())])?)
}

/// Prints how many hold the truth; whether that is as it should be.
fn print(name: &str, all: &[Said], good: std::ops::RangeInclusive<f64>) -> bool {
    let truth = all.iter().map(|said| said.mean).sum::<f64>() / all.len() as f64;
    if !truth.is_finite() {
        println!("  {name:<36} never, or nothing measured");
        return true;
    }
    // Equal values differ by rounding.
    let slack = truth.abs() * 1e-12;
    let holds = all.iter().filter(|said| said.low - slack <= truth && truth <= said.high + slack).count();
    let share = holds as f64 / all.len() as f64;
    let is_good = good.contains(&share);
    println!("  {name:<36} {truth:>12.6}  {:>5.1} %{}", 100.0 * share, if is_good { "" } else { "  MISSED" });
    is_good
}
