use serde::Serialize;

use super::{Estimate, share};
use crate::{
    metrics::{BackendTally, RunSummary},
    scenario::{Backend, Model, Preset, Scenario},
};

/// Hours of a month, as Azure's price pages count it.
pub const HOURS_PER_MONTH: f64 = 730.0;

/// How PTUs are paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Term {
    /// For the hours that they are there.
    Hour,
    /// Reserved for a month.
    Month,
    /// Reserved for a year.
    Year,
}

/// What a month costs in dollars, at the scenario's prices; nothing is guessed where it gives none.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CostReport {
    /// Per backend, in the scenario's order.
    pub backends: Vec<BackendCost>,
    /// All backends; `None` if a price is missing that it takes.
    pub per_month: Option<Estimate>,
    /// For 1,000 successful requests; `None` if a price is missing, nothing measured if nothing succeeded.
    pub per_1000_successes: Option<Estimate>,
    /// Successful requests in a month.
    pub successes_per_month: Estimate,
    /// How many times what was measured fits into a month.
    pub month_factor: Estimate,
    /// The prices that are missing, as keys of the scenario.
    pub missing_prices: Vec<String>,
}

/// What one backend costs per month, in dollars.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct BackendCost {
    /// The name.
    pub name: String,
    /// The PTUs, used or not.
    pub ptus: Option<Estimate>,
    /// Input tokens that were not cached, pay as you go.
    pub input: Option<Estimate>,
    /// Cached input tokens.
    pub cached_input: Option<Estimate>,
    /// Output tokens.
    pub output: Option<Estimate>,
    /// All of it; `None` if a price is missing that it takes.
    pub total: Option<Estimate>,
}

/// A missing price makes the sum unknown, not smaller.
type Dollars = Option<f64>;

/// One backend in one run, per month.
#[derive(Clone, Copy)]
struct Bill {
    ptus: Dollars,
    input: Dollars,
    cached_input: Dollars,
    output: Dollars,
}

impl CostReport {
    pub(super) fn new(scenario: &Scenario, runs: &[RunSummary]) -> Self {
        // Per run, per backend.
        let bills: Vec<Vec<Bill>> = runs.iter().map(|run| bills(scenario, run)).collect();
        let totals: Vec<Dollars> = runs.iter().map(|run| per_month(scenario, run)).collect();
        let successes: Vec<Option<f64>> =
            runs.iter().map(|run| Some(succeeded(run)? * month_factor(scenario, run)?)).collect();
        Self {
            backends: scenario
                .backends
                .iter()
                .enumerate()
                .map(|(index, backend)| BackendCost::new(&backend.name, bills.iter().map(|run| run[index]).collect()))
                .collect(),
            per_month: estimate(&totals),
            per_1000_successes: estimate(&totals).map(|_| {
                let pairs = runs.iter().zip(&totals);
                Estimate::over(pairs.map(|(run, total)| per_1000_successes(scenario, run, (*total)?)))
            }),
            successes_per_month: Estimate::over(successes.iter().copied()),
            month_factor: Estimate::over(runs.iter().map(|run| month_factor(scenario, run))),
            missing_prices: missing_prices(scenario, runs),
        }
    }
}

impl BackendCost {
    fn new(name: &str, bills: Vec<Bill>) -> Self {
        let over = |part: fn(&Bill) -> Dollars| estimate(&bills.iter().map(part).collect::<Vec<_>>());
        Self {
            name: name.to_owned(),
            ptus: over(|bill| bill.ptus),
            input: over(|bill| bill.input),
            cached_input: over(|bill| bill.cached_input),
            output: over(|bill| bill.output),
            total: over(Bill::total),
        }
    }
}

impl Bill {
    fn of(backend: &Backend, model: &Model, tally: &BackendTally, factor: f64) -> Self {
        if backend.preset == Preset::AzurePtu {
            let free = Some(0.0);
            return Self { ptus: ptus_per_month(backend), input: free, cached_input: free, output: free };
        }
        let tokens = |tokens: u64, price: Dollars| match tokens {
            0 => Some(0.0),
            _ => Some(tokens as f64 * factor * price? / 1e6),
        };
        Self {
            ptus: Some(0.0),
            input: tokens(tally.billed_input, model.price_input),
            cached_input: tokens(tally.billed_cached, model.price_cached_input.or(model.price_input)),
            output: tokens(tally.billed_output, model.price_output),
        }
    }

    fn total(&self) -> Dollars {
        Some(self.ptus? + self.input? + self.cached_input? + self.output?)
    }
}

/// Dollars per month for a backend's PTUs, which are paid whether they work or not.
fn ptus_per_month(backend: &Backend) -> Dollars {
    let ptus = backend.ptus.unwrap_or(0) as f64;
    if ptus == 0.0 {
        return Some(0.0);
    }
    ptu_prices(backend).map(|(_, price)| ptus * price).reduce(f64::min)
}

/// Dollars per month for one PTU, by each price that the scenario gives; the cheapest is what counts.
pub(crate) fn ptu_prices(backend: &Backend) -> impl Iterator<Item = (Term, f64)> + use<> {
    let prices = [
        (Term::Hour, backend.price_ptu_hour.map(|price| price * HOURS_PER_MONTH)),
        (Term::Month, backend.price_ptu_month),
        (Term::Year, backend.price_ptu_year.map(|price| price / 12.0)),
    ];
    prices.into_iter().filter_map(|(term, price)| Some((term, price?)))
}

/// Dollars per month for the PTUs of all backends; those without a price do not count.
pub(crate) fn for_ptus(scenario: &Scenario) -> f64 {
    scenario.backends.iter().filter_map(ptus_per_month).sum()
}

/// How many times the measured part of a run fits into a month of what the run stands for.
fn month_factor(scenario: &Scenario, run: &RunSummary) -> Option<f64> {
    let represented = scenario.run.represents.map_or(run.end, |span| span.as_nanos()) as f64 / 3.6e12;
    // Without the warm-up, which no tally counts: the rest stands for as much less.
    let measured = represented * share(run.end.saturating_sub(run.warmup), run.end)?;
    (measured > 0.0).then(|| HOURS_PER_MONTH / measured)
}

/// Dollars per month that one run comes to, all backends together; `None` if a price is missing that it takes.
pub(crate) fn per_month(scenario: &Scenario, run: &RunSummary) -> Option<f64> {
    bills(scenario, run).iter().map(Bill::total).sum()
}

/// Dollars for 1,000 successful requests of a run that comes to `month` dollars per month; `None` if none succeeded.
pub(crate) fn per_1000_successes(scenario: &Scenario, run: &RunSummary, month: f64) -> Option<f64> {
    let successes = succeeded(run)? * month_factor(scenario, run)?;
    (successes > 0.0).then(|| 1e3 * month / successes)
}

fn bills(scenario: &Scenario, run: &RunSummary) -> Vec<Bill> {
    // A run of no length has billed nothing.
    let factor = month_factor(scenario, run).unwrap_or(0.0);
    let tally = |index| run.backends.get(index).copied().unwrap_or_default();
    let backends = scenario.backends.iter().enumerate();
    backends.map(|(index, backend)| Bill::of(backend, &scenario.model(&backend.model), &tally(index), factor)).collect()
}

fn succeeded(run: &RunSummary) -> Option<f64> {
    Some(run.classes.iter().map(|class| class.succeeded).sum::<u64>() as f64)
}

/// `None` if a run's bill is unknown.
fn estimate(bills: &[Dollars]) -> Option<Estimate> {
    bills.iter().all(Option::is_some).then(|| Estimate::over(bills.iter().copied()))
}

fn missing_prices(scenario: &Scenario, runs: &[RunSummary]) -> Vec<String> {
    let mut missing = Vec::new();
    for (index, backend) in scenario.backends.iter().enumerate() {
        let name = &backend.name;
        if ptus_per_month(backend).is_none() {
            missing.push(format!("backend.{name}.price_ptu_hour (or _month, _year)"));
        }
        if backend.preset == Preset::AzurePtu {
            continue;
        }
        let model = scenario.model(&backend.model);
        let served = |tokens: fn(&BackendTally) -> u64| {
            runs.iter().any(|r| r.backends.get(index).is_some_and(|b| tokens(b) > 0))
        };
        let input = served(|tally| tally.billed_input)
            || served(|tally| tally.billed_cached) && model.price_cached_input.is_none();
        for (price, used, key) in [
            (model.price_input, input, "price_input"),
            (model.price_output, served(|tally| tally.billed_output), "price_output"),
        ] {
            let key = format!("model.{:?}.{key}", model.name);
            if used && price.is_none() && !missing.contains(&key) {
                missing.push(key);
            }
        }
    }
    missing
}
