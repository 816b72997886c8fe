use std::{iter, ops::Range};

use crate::{
    limit::Varied,
    metrics::{BackendTally, Replications, RunSummary},
    progress::Progress,
    report::{Estimate, cost},
    scenario::{Backend, KeyPath, Preset, Scenario, ScenarioError, Span},
};

use super::{Check, Limit, terms};

/// Depths to answer for if the scenario names none: the documentation does not say, and these span what is plausible.
const BURSTS: [Span; 3] = [Span::from_secs(1), Span::from_secs(10), Span::from_secs(60)];

/// More PTUs than any traffic needs: with so many, the mean need shows, and what no number of PTUs can give.
pub(crate) const PLENTY: u64 = 100_000;

/// More steps than anybody reads.
const MOST_STEPS: u64 = 2_000;

/// What a plan looks at.
pub(super) struct Space<'a> {
    base: &'a Scenario,
    /// The backend whose PTUs are varied.
    pub(super) backend: &'a Backend,
    /// Its place in the scenario, and who is sent there.
    pub(super) varied: Varied,
    /// Every depth; never empty.
    pub(super) bursts: Vec<Span>,
    /// Every limit.
    pub(super) limits: Vec<Limit>,
    /// Runs per step and depth.
    pub(super) replications: u32,
    /// PTUs for the mean traffic.
    pub(super) mean_need: Estimate,
    /// Hours of a month that the traffic lasts, if not all.
    pub(super) traffic_hours: Option<f64>,
    /// How each limit fares with [`PLENTY`] of PTUs, in the shallowest bucket.
    pub(super) with_plenty: Vec<Check>,
}

impl<'a> Space<'a> {
    /// What the scenario's `[plan]` asks for.
    pub(super) fn of(
        base: &'a Scenario,
        runs: impl Fn(&Scenario, Range<u64>) -> Result<Replications, ScenarioError>,
        progress: &dyn Progress,
    ) -> Result<Self, ScenarioError> {
        let plan = base.plan.as_ref().ok_or_else(|| {
            ScenarioError::new("plan", "it is missing; write `[plan]` with `backend = \"NAME\"` and `[plan.limits]`")
        })?;
        let (index, backend) = base
            .backends
            .iter()
            .enumerate()
            .find(|(_, backend)| backend.name == plan.backend)
            .ok_or_else(|| ScenarioError::new("plan.backend", format!("there is no backend `{}`", plan.backend)))?;
        check_prices(base, backend)?;
        let is_reached = base.reaching(index);
        if !is_reached.contains(&true) {
            return Err(ScenarioError::new("plan.backend", format!("no workload is sent to `{}`", plan.backend)));
        }
        let mut bursts = if plan.bursts.is_empty() { BURSTS.to_vec() } else { plan.bursts.clone() };
        bursts.sort_unstable();
        bursts.dedup();
        let mut space = Self {
            base,
            backend,
            varied: Varied { index, is_reached },
            limits: Limit::all(&plan.limits),
            replications: plan.replications,
            mean_need: Estimate::NOTHING,
            traffic_hours: None,
            with_plenty: Vec::new(),
            bursts,
        };
        let replications = u64::from(plan.replications);
        progress.expect(replications);
        let plenty = space.scenario(PLENTY, space.bursts[0])?;
        let runs = runs(&plenty, 0..replications)?;
        space.mean_need =
            Estimate::over(runs.runs.iter().map(|run| need(&plenty, backend, run.backends.get(index)?, run)));
        space.traffic_hours = runs.runs.first().and_then(|run| terms::traffic_hours(base, run));
        space.with_plenty = space.limits.iter().map(|limit| limit.check(&runs, Some(&space.varied))).collect();
        Ok(space)
    }

    /// The counts for sale that are looked at first, zero among them: up to the scenario's `max_ptus`, else up to twice the
    /// mean need and ten at least.
    pub(super) fn counts(&self) -> Result<Vec<u64>, ScenarioError> {
        let max_ptus = self.base.plan.as_ref().and_then(|plan| plan.max_ptus);
        counts(self.base, self.backend, max_ptus, self.mean_need.mean())
    }

    /// The counts after those: half as many again. None if the scenario ends the range, if more PTUs cannot help, or if
    /// nobody would read as many steps.
    pub(super) fn more_counts(&self, counts: &[u64]) -> Vec<u64> {
        let is_ended = self.base.plan.as_ref().is_some_and(|plan| plan.max_ptus.is_some());
        if is_ended || !self.with_plenty.iter().all(|check| check.is_met) {
            return Vec::new();
        }
        let sold = self.base.model(&self.backend.model).increment(self.backend.deployment_type);
        let (seen, last) = (counts.len() as u64 - 1, counts.last().copied().unwrap_or(0));
        let more = (seen / 2 + 1).min(MOST_STEPS.saturating_sub(seen));
        (1..=more).map(|step| last + step * sold.step).collect()
    }

    /// The scenario with so many PTUs in a bucket of this depth.
    pub(super) fn scenario(&self, ptus: u64, burst: Span) -> Result<Scenario, ScenarioError> {
        let key = |key: &str| KeyPath::new(["backend", &self.backend.name, key]);
        let count = toml::Value::Integer(i64::try_from(ptus).unwrap_or(i64::MAX));
        self.base.with(&[
            (key("ptus"), count),
            (key("burst"), toml::Value::String(burst.to_string())),
            (KeyPath::new(["run", "replications"]), toml::Value::Integer(self.replications.into())),
        ])
    }
}

/// How many runs a plan makes that looks at every count at every depth, for traffic that needs so many PTUs on average.
#[cfg(feature = "cli")]
pub(crate) fn most_runs(base: &Scenario, need: f64) -> Result<u64, ScenarioError> {
    let Some(plan) = &base.plan else { return Ok(0) };
    let Some(backend) = base.backends.iter().find(|backend| backend.name == plan.backend) else { return Ok(0) };
    let above_zero = counts(base, backend, plan.max_ptus, need)?.len().saturating_sub(1);
    let depths = if plan.bursts.is_empty() { BURSTS.len() } else { plan.bursts.len() };
    // Beside them the one without any, and the one with plenty.
    let quotas = plan.quotas.as_ref().map_or(1, |quotas| quotas.tpm.len());
    Ok(u64::from(plan.replications) * ((above_zero * depths + 2) * quotas) as u64)
}

/// The counts for sale, zero first.
fn counts(base: &Scenario, backend: &Backend, most: Option<u64>, need: f64) -> Result<Vec<u64>, ScenarioError> {
    let sold = base.model(&backend.model).increment(backend.deployment_type);
    // A float that is no number, or too large, saturates.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturating is what is wanted")]
    let twice = libm::ceil(need * 2.0) as u64;
    let most = most.unwrap_or_else(|| sold.round_up(twice).max(sold.minimum.saturating_add(sold.step * 9)));
    if most < sold.minimum {
        return Err(ScenarioError::new(
            "plan.max_ptus",
            format!("`{}` is not sold below {} PTU; allow at least that", backend.model, sold.minimum),
        ));
    }
    let steps = (most - sold.minimum) / sold.step + 1;
    if steps > MOST_STEPS {
        return Err(ScenarioError::new(
            "plan.max_ptus",
            format!(
                "up to {most} PTU there are {steps} steps of {}; set it to look at {MOST_STEPS} at most",
                sold.step
            ),
        ));
    }
    Ok(iter::once(0).chain((0..steps).map(|step| sold.minimum.max(1) + step * sold.step)).collect())
}

/// PTUs that the traffic which reaches the backend needs on average; `None` if nothing does.
fn need(scenario: &Scenario, backend: &Backend, tally: &BackendTally, run: &RunSummary) -> Option<f64> {
    let minutes = run.end.saturating_sub(run.warmup) as f64 / 60e9;
    let per_ptu = scenario.model(&backend.model).input_tpm_per_ptu()? as f64;
    (tally.used_tokens > 0 && minutes > 0.0).then(|| tally.used_tokens as f64 / minutes / per_ptu)
}

/// A plan compares costs: every price must be there, if only as 0.
fn check_prices(scenario: &Scenario, varied: &Backend) -> Result<(), ScenarioError> {
    if cost::ptu_prices(varied).next().is_none() {
        return Err(ScenarioError::new(
            format!("backend.{}.price_ptu_month", varied.name),
            "it is missing, and `price_ptu_hour` and `price_ptu_year` too: a plan compares costs",
        ));
    }
    for backend in scenario.backends.iter().filter(|backend| backend.preset != Preset::AzurePtu) {
        let model = scenario.model(&backend.model);
        for (key, price) in [("price_input", model.price_input), ("price_output", model.price_output)] {
            if price.is_none() {
                return Err(ScenarioError::new(
                    format!("model.\"{}\".{key}", backend.model),
                    format!("it is missing: a plan compares costs, and `{}` is paid by the token", backend.name),
                ));
            }
        }
    }
    Ok(())
}
