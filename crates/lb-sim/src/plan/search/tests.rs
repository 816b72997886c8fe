use super::{
    super::{decide, regret},
    *,
};
use crate::{
    metric::Metric,
    plan::Check,
    random::{Draws, Purpose},
    scenario::Span,
    stats::bound,
};

/// Runs of a full look.
const FULL: u32 = 8;

/// A made-up deployment: what is paid by the token and both limits fall with the PTUs, faster in a deeper bucket.
struct World {
    draws: Draws,
    counts: Vec<u64>,
    depths: usize,
    price: f64,
    limits: Vec<Limit>,
    /// How much runs differ, as a share.
    noise: f64,
}

impl World {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers from zero on")]
    fn new(number: u64, noise: f64) -> Self {
        let draws = Draws::new(number);
        let draw = |which| draws.uniform(Purpose::Sample, 1, which);
        let counts = 2 + (draw(0) * 60.0) as u64;
        let limit = |metric, which| Limit { metric, at_most: 0.5 * draw(which) * draw(which + 1) };
        Self {
            draws,
            counts: (0..counts).map(|count| 5 * count).collect(),
            depths: 1 + (draw(1) * 3.0) as usize,
            price: 300.0 * draw(2),
            limits: vec![limit(Metric::SpillShare, 3), limit(Metric::FailedShare, 5)],
            noise,
        }
    }

    /// From 1 down, in steps that are sometimes flat.
    fn falls(&self, what: u64, depth: usize, index: usize) -> f64 {
        let fall = |at: u64| self.draws.uniform(Purpose::Sample, 10 + what, at).powi(3) / 4.0;
        let falls = (0..index as u64).fold(1.0, |left, at| left * (1.0 - fall(at)));
        if index == 0 { 1.0 } else { falls * 0.8_f64.powi(i32::try_from(depth).unwrap()) }
    }

    fn step(&self, look: Look) -> Step {
        let ptus = self.counts[look.index];
        let of_run = |run: usize| 1.0 + self.noise * (self.draws.uniform(Purpose::Sample, 2, run as u64) - 0.5);
        let for_ptus = self.price * ptus as f64;
        let costs: Vec<f64> = (0..look.runs)
            .map(|run| for_ptus + 20_000.0 * of_run(run) * self.falls(0, look.depth, look.index))
            .collect();
        let check = |(what, limit): (u64, &Limit)| {
            let values: Vec<f64> =
                (0..look.runs).map(|run| of_run(run) * self.falls(what, look.depth, look.index)).collect();
            let upper = bound::upper_mean(&values);
            let value = Estimate::over(values.into_iter().map(Some));
            Check { value, upper, is_met: upper <= limit.at_most }
        };
        Step {
            ptus,
            cost: Estimate::over(costs.iter().copied().map(Some)),
            success_share: Estimate::NOTHING,
            cost_per_1000_successes: Estimate::NOTHING,
            checks: (1..).zip(&self.limits).map(check).collect(),
            costs,
            for_ptus,
        }
    }

    /// Per depth the optimum and the choice, then the decision; and how many runs that took.
    fn answer(&self, is_every_step: bool) -> (Vec<Option<u64>>, usize) {
        let mut search = Search::new(self.counts.clone(), self.depths, self.limits.clone(), FULL, is_every_step);
        let mut runs = 0;
        loop {
            let ends = search.ends();
            let looks = if ends.is_empty() { search.looks() } else { ends };
            if looks.is_empty() {
                break;
            }
            for look in looks {
                // From the beginning: what a step had is not counted again.
                let known = search.known[look.depth][look.index].as_ref().map_or(0, |step| step.costs.len());
                assert!(look.runs > known, "{look:?} tells nothing new");
                runs += look.runs - known;
                search.learn(look, self.step(look));
            }
        }
        let of_depth = |steps| decide::depth(Span::from_secs(1), steps, &self.limits);
        let depths: Vec<_> = search.into_steps().into_iter().map(of_depth).collect();
        let (decision, purchases) = regret::purchases(&depths, &self.limits);
        assert!(purchases.iter().all(|purchase| purchase.outcomes.len() == depths.len()));
        let of_depth =
            depths.iter().flat_map(|depth| [Some(depth.optimum.ptus), depth.choice.as_ref().map(|choice| choice.ptus)]);
        (of_depth.chain([decision]).collect(), runs)
    }
}

#[test]
fn few_looks_give_the_answer_of_a_look_at_every_count() {
    let (mut all, mut few, mut answered) = (0, 0, 0);
    for number in 0..150 {
        let world = World::new(number, 0.0);
        let ((expected, every), (found, runs)) = (world.answer(true), world.answer(false));
        assert_eq!(found, expected, "world {number}");
        all += every;
        few += runs;
        answered += usize::from(expected.last().unwrap().is_some());
    }
    assert!(answered > 20 && answered < 140, "{answered}");
    assert!(few * 3 < all, "{few} runs of {all}");
}

#[test]
fn where_runs_differ_a_few_of_them_decide_nothing_that_is_close() {
    for noise in [0.02, 0.2] {
        let same = (0..60).filter(|&number| {
            let world = World::new(number, noise);
            world.answer(true).0 == world.answer(false).0
        });
        let same = same.count();
        assert!(same >= 58, "{same} of 60 with a noise of {noise}");
    }
}

#[test]
fn a_simulated_plan_is_that_of_every_step() {
    let scenario = |seed: u64, rate: f64, every_step: bool| {
        crate::Scenario::parse(&format!(
            r#"
            run = {{ duration = "6m", warmup = "30s", seed = {seed} }}
            clients = {{ workers = 2 }}
            model = [{{ name = "gpt-4.1", price_input = 2.0, price_output = 8.0 }}]
            backend = [
                {{ name = "ptu", model = "gpt-4.1", preset = "azure-ptu", ptus = 15, price_ptu_month = 260 }},
                {{ name = "eu", priority = 2, model = "gpt-4.1", preset = "azure-standard", tpm = 60_000 }},
            ]
            [plan]
            backend = "ptu"
            bursts = ["1s", "60s"]
            replications = 6
            every_step = {every_step}
            limits = {{ spill_share = 0.3, application_429_share = 0.1, added_wait_p95 = "2s" }}
            [[workload]]
            name = "chat"
            kind = "poisson"
            rate = {rate}
            input = {{ mean = 900, sigma = 0.8 }}
            output = {{ mean = 150, sigma = 0.8 }}
            max_tokens = 800
            "#
        ))
    };
    let (mut every, mut few) = (0, 0);
    for (seed, rate) in [(1, 2.0), (2, 2.0), (3, 4.0)] {
        let [full, quick] =
            [true, false].map(|each| crate::plan::plan(&scenario(seed, rate, each).unwrap(), &()).unwrap());
        let answer = |plan: &crate::plan::PlanResult| {
            let of_depth = |depth: &crate::plan::Depth| {
                (depth.optimum.ptus, depth.choice.as_ref().map(|choice| (choice.ptus, choice.cost.mean())))
            };
            (plan.decision, plan.counts, plan.depths.iter().map(of_depth).collect::<Vec<_>>())
        };
        assert_eq!(answer(&quick), answer(&full), "seed {seed}");
        let runs = |plan: &crate::plan::PlanResult| -> usize {
            plan.depths.iter().flat_map(|depth| &depth.steps).map(|step| step.costs.len()).sum()
        };
        every += runs(&full);
        few += runs(&quick);
        assert!(full.decision.is_some());
    }
    assert!(few * 3 < every * 2, "{few} runs of {every}");
}
