//! The same plan at each of several pay-as-you-go quotas.

use serde::Serialize;

use super::{PlanResult, Step, decide::difference};
use crate::{
    report::Estimate,
    scenario::{KeyPath, Quotas, Scenario, ScenarioError},
};

/// The plans at the quotas of `[plan]`, which the PTUs are planned with.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct QuotaGrid {
    /// The backend whose quota was varied.
    pub backend: String,
    /// Tokens per minute of the quota that the rest of the result is for: the cheapest that meets every limit at every
    /// depth, of equals the smallest; the largest if none does.
    pub chosen: u64,
    /// What each quota comes to, the smallest first.
    pub rows: Vec<QuotaRow>,
    /// Tokens per minute of the next cheapest that meets every limit; `None` if no other does.
    pub runner_up: Option<u64>,
}

/// What a quota comes to.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct QuotaRow {
    /// Tokens per minute.
    pub tpm: u64,
    /// The PTUs to buy with it, as [`PlanResult::decision`]; `None` if no count meets every limit at every depth.
    pub decision: Option<u64>,
    /// Dollars per month of these PTUs, at the depth where they are dearest.
    pub cost: Option<Estimate>,
    /// Dollars per month that this is more than with the chosen quota, in pairs.
    pub more: Option<Estimate>,
    /// Per bucket depth, as in [`PlanResult::depths`]: the cheapest count that meets every limit there.
    pub choices: Vec<Option<u64>>,
}

/// The scenario at each quota, the smallest first.
pub(super) fn scenarios(base: &Scenario, quotas: &Quotas) -> Result<Vec<(u64, Scenario)>, ScenarioError> {
    let mut tpm = quotas.tpm.clone();
    tpm.sort_unstable();
    tpm.dedup();
    let at = |tpm: u64| {
        let value = toml::Value::Integer(i64::try_from(tpm).unwrap_or(i64::MAX));
        let mut scenario = base.with(&[(KeyPath::new(["backend", &quotas.backend, "tpm"]), value)])?;
        // A command line may ask for another plan than the file.
        scenario.plan.clone_from(&base.plan);
        Ok((tpm, scenario))
    };
    tpm.into_iter().map(at).collect()
}

/// The plan of the cheapest quota, with the grid of all; `None` if there is no plan.
pub(super) fn cheapest(backend: &str, plans: Vec<(u64, PlanResult)>) -> Option<PlanResult> {
    let answers: Vec<Option<&Step>> = plans.iter().map(|(_, plan)| dearest(plan)).collect();
    let best_but = |but: Option<usize>| {
        let candidates = (0..plans.len()).filter(|&index| Some(index) != but);
        let candidates = candidates.filter_map(|index| Some((index, answers[index]?)));
        candidates.reduce(|best, other| if difference(other.1, best.1).mean() < 0.0 { other } else { best })
    };
    let best = best_but(None);
    let chosen = best.map_or(plans.len().checked_sub(1)?, |(index, _)| index);
    let rows = plans.iter().zip(&answers).map(|((tpm, plan), answer)| QuotaRow {
        tpm: *tpm,
        decision: plan.decision,
        cost: answer.map(|step| step.cost),
        more: answer.zip(best).map(|(step, (_, best))| difference(step, best)),
        choices: plan.depths.iter().map(|depth| depth.choice.as_ref().map(|choice| choice.ptus)).collect(),
    });
    let grid = QuotaGrid {
        backend: backend.to_owned(),
        chosen: plans[chosen].0,
        rows: rows.collect(),
        runner_up: best_but(Some(chosen)).map(|(index, _)| plans[index].0),
    };
    let (_, plan) = plans.into_iter().nth(chosen)?;
    Some(PlanResult { quotas: Some(grid), ..plan })
}

/// The decision's step, at the depth where it is dearest.
fn dearest(plan: &PlanResult) -> Option<&Step> {
    let ptus = plan.decision?;
    let steps = plan.depths.iter().filter_map(|depth| depth.steps.iter().find(|step| step.ptus == ptus));
    steps.reduce(|a, b| if difference(b, a).mean() > 0.0 { b } else { a })
}

#[cfg(test)]
mod tests {
    use crate::{
        Scenario,
        plan::{PlanResult, plan},
    };

    fn scenario(tpm: u64, quotas: &str, spill: f64) -> Scenario {
        let text = format!(
            r#"
            run = {{ duration = "6m", warmup = "30s", seed = 1 }}
            model = [{{ name = "gpt-4.1", price_input = 2.0, price_output = 8.0 }}]
            backend = [
                {{ name = "ptu", model = "gpt-4.1", preset = "azure-ptu", ptus = 15, price_ptu_month = 260 }},
                {{ name = "eu", priority = 2, model = "gpt-4.1", preset = "azure-standard", tpm = {tpm}, quota = "q" }},
                {{ name = "eu-2", priority = 2, model = "gpt-4.1", preset = "azure-standard", quota = "q" }},
            ]
            [plan]
            backend = "ptu"
            max_ptus = 60
            bursts = ["1s", "60s"]
            replications = 3
            {quotas}
            limits = {{ spill_share = {spill}, application_429_share = 0.1 }}
            [[workload]]
            name = "chat"
            kind = "poisson"
            rate = 2.0
            input = {{ mean = 900, sigma = 0.8 }}
            output = {{ mean = 150, sigma = 0.8 }}
            max_tokens = 800
            "#
        );
        Scenario::parse(&text).unwrap()
    }

    const QUOTAS: &str = r#"quotas = { backend = "eu", tpm = [240_000, 30_000, 120_000, 30_000] }"#;

    #[test]
    fn the_grid_is_that_of_a_plan_for_each_quota() {
        let grid = plan(&scenario(60_000, QUOTAS, 1.0), &()).unwrap();
        let alone: Vec<(u64, PlanResult)> =
            [30_000, 120_000, 240_000].map(|tpm| (tpm, plan(&scenario(tpm, "", 1.0), &()).unwrap())).into();
        let cost = |plan: &PlanResult| {
            let purchase = plan.purchases.iter().find(|purchase| Some(purchase.ptus) == plan.decision)?;
            Some(purchase.outcomes.iter().map(|outcome| outcome.cost.mean()).fold(f64::MIN, f64::max))
        };
        let quotas = grid.quotas.as_ref().unwrap();
        let found = quotas.rows.iter().map(|row| (row.tpm, row.decision, row.cost.map(|cost| cost.mean())));
        let expected = alone.iter().map(|(tpm, plan)| (*tpm, plan.decision, cost(plan)));
        assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>());

        let mut by_cost: Vec<_> = alone.iter().filter_map(|(tpm, plan)| Some((cost(plan)?, *tpm, plan))).collect();
        by_cost.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert_eq!((quotas.chosen, quotas.runner_up), (by_cost[0].1, Some(by_cost[1].1)));
        assert_eq!(grid.decision, by_cost[0].2.decision);
        // Or the axis would decide nothing here.
        assert!(quotas.rows.windows(2).any(|pair| pair[0].decision != pair[1].decision), "{quotas:?}");
        let runner_up = quotas.rows.iter().find(|row| Some(row.tpm) == quotas.runner_up).unwrap();
        assert!((runner_up.more.unwrap().mean() - (by_cost[1].0 - by_cost[0].0)).abs() < 1e-6);
    }

    #[test]
    fn where_no_quota_will_do_the_largest_is_shown() {
        let result = plan(&scenario(60_000, QUOTAS, 0.0), &()).unwrap();
        let quotas = result.quotas.as_ref().unwrap();
        assert_eq!((result.decision, quotas.chosen, quotas.runner_up), (None, 240_000, None));
        assert!(quotas.rows.iter().all(|row| row.cost.is_none()));
    }
}
