//! How many PTUs to buy: the cost and the limits of the counts for sale, at every bucket depth that may be the true one.
//!
//! The cost per month is not monotone in the PTUs (a PTU that displaces pay-as-you-go tokens can be worth more or less
//! than it costs), but what is paid by the token is, and so are the limits. So few counts are looked at, and the answer
//! is that of a look at each: `plan/search.rs` says how. Where a larger count can be worse (a limit that refused requests
//! fill as well), `every_step` looks at each. Zero PTUs, which have no bucket, are simulated once for all depths. All
//! steps and depths meet the same requests (common random numbers), so that differences of cost are taken in pairs.
//!
//! Unless the scenario ends the range, it grows until a count meets every limit at every depth. It does not grow after
//! what more PTUs cannot give: a run with 100,000 of them tells which limits those are.
//!
//! Two uncertainties are kept apart. *Sampling*: replications with other draws give an interval for each figure, and a
//! limit counts as met only if the one-sided 95 % upper bound meets it. The bound is the larger one of Student's t over
//! the replications and of a bound that counts over all their requests (Clopper and Pearson and the rule of three for shares, the order
//! statistic for percentiles), so that no event in little traffic is not taken for never. *Model*: how deep the
//! deployment's bucket is, is not documented. Depths are not averaged: each has an answer of its own, and
//! [`Purchase`] says what happens if one buys for a depth that is not the true one.

mod decide;
#[cfg(test)]
mod fixtures;
mod quotas;
mod regret;
mod result;
mod search;
mod steps;
mod terms;

use std::{collections::BTreeMap, ops::Range};

use rayon::prelude::*;

use crate::{
    metrics::{Replications, RunSummary},
    progress::Progress,
    report::{Assumption, Estimate, assumption, cost},
    scenario::{Scenario, ScenarioError, Span},
    simulation::Simulation,
    sweep::simulate,
    traffic::Traffic,
};

pub use crate::{
    limit::{Check, Limit},
    report::cost::Term,
};
pub(crate) use decide::difference;
pub use quotas::{QuotaGrid, QuotaRow};
pub(crate) use result::depth_name;
pub use result::{Binding, Choice, Depth, Optimum, Outcome, PlanResult, Price, Purchase, RunnerUp, Step};
use search::{Look, Search};
pub(crate) use steps::PLENTY;
use steps::Space;
#[cfg(feature = "cli")]
pub(crate) use steps::most_runs;
pub use terms::TermCost;

/// How many PTUs to buy for a scenario with a `[plan]`.
///
/// Runs are spread over the threads of the current rayon pool; the result does not depend on how many there are.
///
/// ```
/// # fn main() -> Result<(), lb_sim::scenario::ScenarioError> {
/// let scenario = lb_sim::Scenario::parse(
///     r#"
///     run = { duration = "2m" }
///     plan = { backend = "ptu", max_ptus = 20, bursts = ["10s"], replications = 4, limits = { spill_share = 0.5 } }
///     model = [{ name = "gpt-4.1", price_input = 2.0, price_output = 8.0 }]
///     backend = [
///         { name = "ptu", model = "gpt-4.1", preset = "azure-ptu", ptus = 15, price_ptu_month = 260 },
///         { name = "standard", priority = 2, model = "gpt-4.1", preset = "azure-standard", tpm = 1_000_000 },
///     ]
///     workload = [{ name = "chat", kind = "poisson", rate = 2, input = 200, output = 50, max_tokens = 100 }]
///     "#,
/// )?;
/// let plan = lb_sim::plan::plan(&scenario, &())?;
/// assert_eq!(plan.decision, Some(15));
/// println!("{}", plan.verdict().join("\n"));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// If the scenario has no `[plan]`, a price is missing, or a trace cannot be read.
pub fn plan(scenario: &Scenario, progress: &dyn Progress) -> Result<PlanResult, ScenarioError> {
    // Read once: what is varied leaves the traffic alone.
    let loaded = Traffic::load(&scenario.workloads, &scenario.folder)?;
    let runs = |scenario: &Scenario, replications| {
        Ok(simulate(&Simulation::with(scenario, loaded.clone())?, replications, progress))
    };
    // Every price is there: the space of a plan checks them.
    let cost = |scenario: &Scenario, run: &RunSummary| cost::per_month(scenario, run).unwrap_or(f64::NAN);
    let plan = StepSource { runs, cost }.plan(scenario, progress)?;
    Ok(PlanResult { notes: loaded.notes(), ..plan })
}

/// Where the figures of a step come from: the simulator, or a test that makes them up.
pub(crate) struct StepSource<R, C> {
    /// These replications of a scenario.
    pub(crate) runs: R,
    /// Dollars per month of a run.
    pub(crate) cost: C,
}

impl<R, C> StepSource<R, C>
where
    R: Fn(&Scenario, Range<u64>) -> Result<Replications, ScenarioError> + Sync,
    C: Fn(&Scenario, &RunSummary) -> f64 + Sync,
{
    /// One plan, or the cheapest of those at each quota.
    pub(crate) fn plan(&self, scenario: &Scenario, progress: &dyn Progress) -> Result<PlanResult, ScenarioError> {
        let Some(quotas) = scenario.plan.as_ref().and_then(|plan| plan.quotas.as_ref()) else {
            return self.of_counts(scenario, progress);
        };
        let at_quotas = quotas::scenarios(scenario, quotas)?.into_iter();
        let plans = at_quotas.map(|(tpm, scenario)| Ok((tpm, self.of_counts(&scenario, progress)?)));
        let plans = plans.collect::<Result<_, ScenarioError>>()?;
        quotas::cheapest(&quotas.backend, plans)
            .ok_or_else(|| ScenarioError::new("plan.quotas.tpm", "there must be one at least"))
    }

    fn of_counts(&self, scenario: &Scenario, progress: &dyn Progress) -> Result<PlanResult, ScenarioError> {
        let space = Space::of(scenario, &self.runs, progress)?;
        let is_every_step = scenario.plan.as_ref().is_some_and(|plan| plan.every_step);
        let (limits, depths) = (space.limits.clone(), space.bursts.len());
        let mut search = Search::new(space.counts()?, depths, limits, space.replications, is_every_step);
        let mut begun = BTreeMap::new();
        loop {
            let looks = search.ends();
            if !looks.is_empty() {
                self.look(&space, &mut search, &mut begun, &looks, progress)?;
                continue;
            }
            let more = if search.is_met() { Vec::new() } else { space.more_counts(&search.counts) };
            if more.is_empty() {
                break;
            }
            search.extend(&more);
        }
        loop {
            let looks = search.looks();
            if looks.is_empty() {
                break;
            }
            self.look(&space, &mut search, &mut begun, &looks, progress)?;
        }
        let counts = search.counts.len();
        let steps = space.bursts.iter().zip(search.into_steps());
        let depths: Vec<Depth> = steps.map(|(&burst, steps)| decide::depth(burst, steps, &space.limits)).collect();
        let (decision, purchases) = regret::purchases(&depths, &space.limits);
        Ok(PlanResult {
            title: scenario.title.clone(),
            backend: space.backend.name.clone(),
            model: space.backend.model.clone(),
            replications: space.replications,
            mean_need: space.mean_need,
            assumptions: assumptions(scenario, space.replications, &space.backend.name, &space.bursts),
            with_plenty: space.with_plenty,
            limits: space.limits,
            counts,
            depths,
            decision,
            purchases,
            quotas: None,
            terms: terms::of(space.backend, decision, space.traffic_hours),
            traffic_hours: space.traffic_hours,
            notes: Vec::new(),
        })
    }

    /// Looks at these, and keeps in `begun` the runs of those that may need more.
    fn look(
        &self,
        space: &Space<'_>,
        search: &mut Search,
        begun: &mut BTreeMap<(usize, usize), Replications>,
        looks: &[Look],
        progress: &dyn Progress,
    ) -> Result<(), ScenarioError> {
        let jobs: Vec<(Look, u64, Replications)> = looks
            .iter()
            .map(|look| {
                let runs = begun.remove(&(look.depth, look.index)).unwrap_or_default();
                (*look, search.counts[look.index], runs)
            })
            .collect();
        progress.expect(jobs.iter().map(|(look, _, runs)| (look.runs - runs.runs.len()) as u64).sum());
        let found: Vec<(Look, Step, Replications)> = jobs
            .into_par_iter()
            .map(|(look, ptus, runs)| {
                let scenario = space.scenario(ptus, space.bursts[look.depth])?;
                let runs =
                    (self.runs)(&scenario, runs.runs.len() as u64..look.runs as u64).map(|more| runs.and(more))?;
                let step = self.step(space, &scenario, ptus, &runs);
                let is_done = look.runs as u64 >= u64::from(space.replications);
                Ok((look, step, if is_done { Replications::default() } else { runs }))
            })
            .collect::<Result<_, ScenarioError>>()?;
        for (look, step, runs) in found {
            search.learn(look, step);
            begun.insert((look.depth, look.index), runs);
        }
        Ok(())
    }

    fn step(&self, space: &Space<'_>, scenario: &Scenario, ptus: u64, runs: &Replications) -> Step {
        let costs: Vec<f64> = runs.runs.iter().map(|run| (self.cost)(scenario, run)).collect();
        let checks = space.limits.iter().map(|limit| limit.check(runs, Some(&space.varied))).collect();
        let pairs = costs.iter().zip(&runs.runs);
        let per_success = pairs.map(|(month, run)| cost::per_1000_successes(scenario, run, *month));
        Step {
            ptus,
            cost: Estimate::over(costs.iter().copied().map(Some)),
            success_share: Limit::success_share(runs),
            cost_per_1000_successes: Estimate::over(per_success),
            checks,
            for_ptus: cost::for_ptus(scenario),
            costs,
        }
    }
}

/// The scenario's, but for what the plan itself chooses.
pub(crate) fn assumptions(scenario: &Scenario, replications: u32, backend: &str, bursts: &[Span]) -> Vec<Assumption> {
    let mut all = assumption::of(scenario, usize::try_from(replications).unwrap_or(usize::MAX));
    let depth = format!("bucket depth of {backend}");
    if let Some(one) = all.iter_mut().find(|one| one.what == depth) {
        let depths: Vec<String> = bursts.iter().copied().map(depth_name).collect();
        one.value = format!("{} of drain, an answer for each", depths.join(", "));
    }
    all
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::report::testing;

    const PLAN: &str = r#"
        [plan]
        backend = "ptu"
        max_ptus = 30
        bursts = ["60s", "1s"]
        replications = 2
        every_step = true
        [plan.limits]
        spill_share = 0.2
    "#;

    /// A plan on runs made by hand, and the (PTUs, depth) that were asked for.
    fn plan_of(more: &str) -> (Result<PlanResult, ScenarioError>, Vec<(u64, Span)>) {
        let asked = Mutex::new(Vec::new());
        let runs = |scenario: &Scenario, replications: Range<u64>| {
            let ptu = &scenario.backends[0];
            asked.lock().unwrap().push((ptu.ptus.unwrap(), ptu.burst.unwrap()));
            assert_eq!(scenario.run.replications, 2);
            Ok(Replications::of(&replications.map(testing::run).collect::<Vec<_>>()))
        };
        // Dear at zero and in the middle, and dearer in a shallow bucket.
        let cost = |scenario: &Scenario, run: &RunSummary| {
            let ptu = &scenario.backends[0];
            let shallow = if ptu.burst == Some(Span::from_secs(1)) { 50.0 } else { 0.0 };
            let own = match ptu.ptus.unwrap() {
                0 => 200.0,
                20 => 500.0 + shallow,
                ptus => 100.0 + ptus as f64 + shallow,
            };
            own + run.replication as f64
        };
        let result = StepSource { runs, cost }.plan(&testing::scenario_with(more), &());
        let mut asked = asked.into_inner().unwrap();
        asked.sort_unstable();
        (result, asked)
    }

    #[test]
    fn every_count_for_sale_is_looked_at_once_per_depth_and_zero_once() {
        let (plan, asked) = plan_of(PLAN);
        let (shallow, deep) = (Span::from_secs(1), Span::from_secs(60));
        // gpt-4.1 is sold from 15 PTUs on in steps of 5; the last one shows the mean need.
        let expected = [
            (0, shallow),
            (15, shallow),
            (15, deep),
            (20, shallow),
            (20, deep),
            (25, shallow),
            (25, deep),
            (30, shallow),
            (30, deep),
            (100_000, shallow),
        ];
        assert_eq!(asked, expected);
        let plan = plan.unwrap();
        assert_eq!(plan.depths.iter().map(|depth| depth.burst).collect::<Vec<_>>(), [shallow, deep]);
        for depth in &plan.depths {
            assert_eq!(depth.steps.iter().map(|step| step.ptus).collect::<Vec<_>>(), [0, 15, 20, 25, 30]);
        }
        let costs: Vec<f64> = plan.depths[1].steps.iter().map(|step| step.cost.mean()).collect();
        assert_eq!(costs, [200.5, 115.5, 500.5, 125.5, 130.5]);
        // 1,500,000 tokens used in an hour, at 3,000 a minute for each PTU.
        assert!((plan.mean_need.mean() - 1.5e6 / 60.0 / 3_000.0).abs() < 1e-9);
    }

    #[test]
    fn without_a_maximum_twice_the_mean_need_and_ten_steps_are_looked_at() {
        let (plan, _) = plan_of(&PLAN.replace("max_ptus = 30", ""));
        // Twice the need of 8.3 PTUs is less than ten steps: 15, 20, .. 60.
        assert_eq!(plan.unwrap().depths[0].steps.last().unwrap().ptus, 60);
    }

    #[test]
    fn a_plan_that_cannot_be_made_says_what_is_missing() {
        let problem = |more: &str| plan_of(more).0.unwrap_err().to_string();
        assert!(problem("").starts_with("plan: it is missing"));
        assert!(
            problem(&PLAN.replace("max_ptus = 30", "max_ptus = 10")).starts_with("plan.max_ptus: `gpt-4.1` is not")
        );
        assert!(problem(&PLAN.replace("max_ptus = 30", "max_ptus = 300_000")).starts_with("plan.max_ptus: up to"));
        let scenario = testing::scenario_with(PLAN);
        let unpriced = |path: &str| {
            let text = toml::to_string(scenario.document()).unwrap();
            let text: Vec<&str> = text.lines().filter(|line| !line.starts_with(path)).collect();
            let scenario = Scenario::parse(&text.join("\n")).unwrap();
            let runs = |_: &Scenario, _: Range<u64>| Ok(Replications::of(&[testing::run(0)]));
            StepSource { runs, cost: |_: &Scenario, _: &RunSummary| 0.0 }.plan(&scenario, &()).unwrap_err().to_string()
        };
        assert!(unpriced("price_ptu_hour").starts_with("backend.ptu.price_ptu_month: it is missing"));
        assert!(unpriced("price_output").starts_with("model.\"gpt-4.1\".price_output: it is missing"));
    }

    #[test]
    fn the_first_lines_are_the_decision() {
        let (plan, _) = plan_of(PLAN);
        let plan = plan.unwrap();
        assert_eq!(plan.decision, Some(15));
        let verdict = plan.verdict();
        assert!(
            verdict[0].starts_with("Buy 15 PTUs: spill_share <= 20.0 % is met at every bucket depth"),
            "{verdict:?}"
        );
        // 15 PTUs are the choice at both depths.
        assert!(verdict[0].contains("$165.50") || verdict[0].contains("$166"), "{verdict:?}");
        assert!(verdict[0].ends_with("At no depth would another count have been cheaper."), "{verdict:?}");
        #[cfg(feature = "render")]
        assert!(plan.to_string().contains("ANSWER\n  Buy 15 PTUs"));

        let (plan, _) = plan_of(&PLAN.replace("spill_share = 0.2", "spill_share = 0.05"));
        let verdict = plan.unwrap().verdict();
        assert!(
            verdict[0].starts_with("No count up to 30 PTUs, the end of the range, meets every limit"),
            "{verdict:?}"
        );
        // The runs made by hand spill 9.1 % of 1,980 requests: at most 10.2 %, and six more.
        assert!(
            verdict[1].contains("spill_share <= 5.0 % cannot be met, not even with 100,000 PTUs")
                && verdict[1].contains("10.5 %"),
            "{verdict:?}"
        );
    }

    /// A plan on runs that spill nothing from so many PTUs on.
    fn plan_that_takes(ptus: u64, more: &str) -> PlanResult {
        let runs = |scenario: &Scenario, _: Range<u64>| {
            let has = scenario.backends[0].ptus.unwrap();
            Ok(Replications::of(&[0, 1].map(testing::run).map(|mut run| {
                if has >= ptus {
                    run.backends[0].succeeded += std::mem::take(&mut run.backends[1].succeeded);
                }
                run
            })))
        };
        StepSource { runs, cost: |_: &Scenario, _: &RunSummary| 1.0 }.plan(&testing::scenario_with(more), &()).unwrap()
    }

    #[test]
    fn the_range_grows_until_the_limits_are_met() {
        // The default range ends at 60 PTUs.
        let free = PLAN.replace("max_ptus = 30", "").replace("0.2", "0.05");
        let plan = plan_that_takes(295, &free);
        assert_eq!(plan.decision, Some(295));
        let counts: Vec<u64> = plan.depths[1].steps.iter().map(|step| step.ptus).collect();
        assert!(counts[1..].windows(2).all(|pair| pair[1] == pair[0] + 5), "no count is left out: {counts:?}");
        assert!(*counts.last().unwrap() < 2 * 295, "{counts:?}");
    }

    #[test]
    fn a_range_that_the_scenario_ends_does_not_grow_and_is_said_to_end() {
        let plan = plan_that_takes(295, &PLAN.replace("0.2", "0.05"));
        assert_eq!((plan.decision, plan.depths[0].steps.last().unwrap().ptus), (None, 30));
        let verdict = plan.verdict();
        assert!(
            verdict[1].contains("spill_share <= 5.0 % is not met up to 30 PTUs, the end of the range"),
            "{verdict:?}"
        );
    }

    #[test]
    fn no_range_grows_after_a_limit_that_plenty_does_not_meet() {
        let (plan, asked) = plan_of(&PLAN.replace("max_ptus = 30", "").replace("0.2", "0.05"));
        assert_eq!(plan.unwrap().depths[0].steps.last().unwrap().ptus, 60);
        assert_eq!(asked.len(), 2 + 2 * 10);
    }

    #[test]
    fn zero_ptus_are_said_plainly() {
        let (plan, _) = plan_of(&PLAN.replace("spill_share = 0.2", ""));
        let mut plan = plan.unwrap();
        plan.decision = Some(0);
        plan.depths.iter_mut().for_each(|depth| depth.optimum.ptus = 0);
        let verdict = plan.verdict();
        assert!(verdict[0].starts_with("Buy no PTUs"), "{verdict:?}");
        assert!(verdict[1].starts_with("Without limits the cheapest is zero PTUs: pay as you go"), "{verdict:?}");
        // The runs made by hand answer 990 of 1,000 requests.
        assert!(verdict[1].contains("a month, at which 99.0 % of the requests succeed)"), "{verdict:?}");
    }

    #[test]
    fn every_step_has_its_price_per_success() {
        let (plan, _) = plan_of(PLAN);
        let step = &plan.unwrap().depths[0].steps[0];
        assert_eq!(step.success_share.mean(), 0.99);
        // An hour with 990 successes was measured: 730 of them are a month of $200 and $201.
        let expected = 1e3 * 200.5 / (990.0 * 730.0);
        assert!((step.cost_per_1000_successes.mean() / expected - 1.0).abs() < 1e-9, "{step:?}");
    }

    #[test]
    fn the_json_has_numbers_for_spans() {
        let (plan, _) = plan_of(PLAN);
        let json: serde_json::Value = serde_json::from_str(&plan.unwrap().to_json().unwrap()).unwrap();
        assert_eq!(json["depths"][1]["burst_seconds"], 60.0);
        assert_eq!(json["depths"][0]["steps"][0]["checks"][0]["is_met"], true);
        assert_eq!(json["limits"][0]["measure"], "spill_share");
        assert_eq!(json["purchases"][0]["ptus"], 15);
    }
}
