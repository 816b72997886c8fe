use super::{Binding, Choice, Depth, Limit, Optimum, Price, RunnerUp, Step};
use crate::{metric::Metric, report::Estimate, scenario::Span};

/// The answer for one depth. There is at least one step.
pub(super) fn depth(burst: Span, steps: Vec<Step>, limits: &[Limit]) -> Depth {
    let cheapest = cheapest(&steps, |_| true).unwrap_or(0);
    let optimum = &steps[cheapest];
    let runner_up = steps
        .iter()
        .filter(|step| step.ptus != optimum.ptus)
        .map(|step| RunnerUp { ptus: step.ptus, more: difference(step, optimum) })
        .min_by(|a, b| a.more.mean().total_cmp(&b.more.mean()));
    let choice = self::cheapest(&steps, Step::meets_all).map(|index| choice(&steps, index, cheapest, limits));
    let prices = limits.iter().enumerate().map(|(index, limit)| price(&steps, index, limit, cheapest)).collect();
    let optimum = Optimum { ptus: optimum.ptus, cost: optimum.cost, success_share: optimum.success_share, runner_up };
    Depth { burst, optimum, choice, prices, steps }
}

/// `a - b`, in dollars per month, replication by replication, as far as both go.
pub(crate) fn difference(a: &Step, b: &Step) -> Estimate {
    Estimate::over(a.costs.iter().zip(&b.costs).map(|(a, b)| Some(a - b)))
}

impl Step {
    pub(crate) fn meets_all(&self) -> bool {
        self.checks.iter().all(|check| check.is_met)
    }

    pub(super) fn missed(&self, limits: &[Limit]) -> Vec<Metric> {
        let missed = self.checks.iter().zip(limits).filter(|(check, _)| !check.is_met);
        missed.map(|(_, limit)| limit.metric).collect()
    }
}

/// The cheapest of those that will do; of equals the smallest. In pairs: not all steps have as many runs.
fn cheapest(steps: &[Step], will_do: impl Fn(&Step) -> bool) -> Option<usize> {
    let candidates = (0..steps.len()).filter(|&index| will_do(&steps[index]));
    candidates.reduce(|best, index| if difference(&steps[index], &steps[best]).mean() < 0.0 { index } else { best })
}

fn choice(steps: &[Step], index: usize, optimum: usize, limits: &[Limit]) -> Choice {
    let chosen = &steps[index];
    let cheaper = steps.iter().map(|step| (step, difference(chosen, step))).filter(|(_, saves)| saves.mean() > 0.0);
    let next = cheaper.min_by(|(_, a), (_, b)| a.mean().total_cmp(&b.mean()));
    Choice {
        ptus: chosen.ptus,
        cost: chosen.cost,
        over_optimum: difference(chosen, &steps[optimum]),
        binding: next.map(|(step, saves)| Binding { ptus: step.ptus, saves, limits: step.missed(limits) }),
    }
}

fn price(steps: &[Step], index: usize, limit: &Limit, optimum: usize) -> Price {
    let alone = cheapest(steps, |step| step.checks[index].is_met).map(|step| &steps[step]);
    let upper = |step: &Step| step.checks[index].upper;
    let closest = steps.iter().min_by(|a, b| upper(a).total_cmp(&upper(b))).unwrap_or(&steps[optimum]);
    Price {
        metric: limit.metric,
        ptus: alone.map(|step| step.ptus),
        over_optimum: alone.map(|step| difference(step, &steps[optimum])),
        closest: closest.ptus,
        closest_upper: upper(closest),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::fixtures::{LIMITS, step, steps},
        *,
    };

    const DEPTH: Span = Span::from_secs(10);
    const MET: [f64; 2] = [0.05, 0.05];

    fn decide(rows: &[(f64, [f64; 2])]) -> Depth {
        depth(DEPTH, steps(rows), &LIMITS)
    }

    #[test]
    fn the_cheapest_step_that_meets_the_limits_is_found_where_cost_is_not_monotone() {
        let depth = decide(&[
            (100.0, [0.9, 0.0]),
            (80.0, [0.5, 0.0]),
            (130.0, MET),
            (90.0, [0.2, 0.0]),
            (120.0, MET),
            (150.0, MET),
        ]);
        // Neither the first that will do (20 PTUs) nor the cheapest of all (10 PTUs).
        let choice = depth.choice.unwrap();
        assert_eq!((choice.ptus, choice.cost.mean()), (40, 120.0));
        assert_eq!((depth.optimum.ptus, choice.over_optimum.mean()), (10, 40.0));
    }

    #[test]
    fn the_limit_that_fails_at_the_next_cheaper_step_binds() {
        // By cost the next cheaper is 10 PTUs; 20 PTUs, the next smaller, is dearer than the choice.
        let depth = decide(&[(50.0, [0.9, 0.9]), (90.0, [0.05, 0.2]), (110.0, [0.3, 0.3]), (100.0, MET)]);
        let binding = depth.choice.unwrap().binding.unwrap();
        assert_eq!((binding.ptus, binding.saves.mean()), (10, 10.0));
        assert_eq!(binding.limits, [Metric::Application429Share]);
    }

    #[test]
    fn an_optimum_at_zero_is_a_result_like_any_other() {
        let depth = decide(&[(40.0, MET), (63.0, MET), (167.0, MET)]);
        assert_eq!(depth.optimum.ptus, 0);
        let next = depth.optimum.runner_up.unwrap();
        assert_eq!((next.ptus, next.more.mean()), (10, 23.0));
        let choice = depth.choice.unwrap();
        assert_eq!((choice.ptus, choice.over_optimum.mean()), (0, 0.0));
        assert!(choice.binding.is_none());
    }

    #[test]
    fn of_equal_costs_the_smaller_count_is_chosen() {
        assert_eq!(decide(&[(10.0, [0.9, 0.0]), (20.0, MET), (20.0, MET)]).choice.unwrap().ptus, 10);
    }

    #[test]
    fn each_limit_has_a_price_of_its_own() {
        let depth = decide(&[(10.0, [0.9, 0.9]), (20.0, [0.9, 0.05]), (35.0, MET)]);
        let prices: Vec<_> =
            depth.prices.iter().map(|price| (price.ptus, price.over_optimum.map(|over| over.mean()))).collect();
        assert_eq!(prices, [(Some(20), Some(25.0)), (Some(10), Some(10.0))]);
    }

    #[test]
    fn a_limit_that_no_step_meets_tells_the_step_that_comes_closest() {
        let depth = decide(&[(10.0, [0.9, 0.9]), (20.0, [0.15, 0.05]), (35.0, [0.2, 0.05])]);
        assert!(depth.choice.is_none());
        let spill = &depth.prices[0];
        assert_eq!((spill.ptus, spill.closest, spill.closest_upper), (None, 10, 0.15));
        assert_eq!(depth.prices[1].ptus, Some(10));
    }

    #[test]
    fn differences_of_cost_are_taken_in_pairs() {
        // The replications differ by far more than the steps do.
        let all = vec![step(0, &[100.0, 900.0], [0.9, 0.9]), step(10, &[110.0, 910.0], MET)];
        let over = depth(DEPTH, all, &LIMITS).choice.unwrap().over_optimum;
        assert_eq!((over.low(), over.mean(), over.high()), (10.0, 10.0, 10.0));
    }
}
