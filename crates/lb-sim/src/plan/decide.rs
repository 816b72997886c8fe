use super::{Binding, Choice, Depth, Limit, Measure, Optimum, Price, RunnerUp, Step};
use crate::{report::Estimate, scenario::Span};

/// The answer for one depth. There is at least one step.
pub(super) fn depth(burst: Span, steps: Vec<Step>, limits: &[Limit]) -> Depth {
    let cheapest = cheapest(&steps, |_| true).unwrap_or(0);
    let optimum = &steps[cheapest];
    let runner_up = steps
        .iter()
        .filter(|step| step.ptus != optimum.ptus)
        .min_by(|a, b| a.cost.mean().total_cmp(&b.cost.mean()))
        .map(|step| RunnerUp { ptus: step.ptus, more: difference(step, optimum) });
    let choice = self::cheapest(&steps, Step::meets_all).map(|index| choice(&steps, index, cheapest, limits));
    let prices = limits.iter().enumerate().map(|(index, limit)| price(&steps, index, limit, cheapest)).collect();
    let optimum = Optimum { ptus: optimum.ptus, cost: optimum.cost, runner_up };
    Depth { burst, optimum, choice, prices, steps }
}

/// `a - b`, in dollars per month, replication by replication.
pub(super) fn difference(a: &Step, b: &Step) -> Estimate {
    Estimate::over(a.costs.iter().zip(&b.costs).map(|(a, b)| Some(a - b)))
}

impl Step {
    pub(super) fn meets_all(&self) -> bool {
        self.checks.iter().all(|check| check.is_met)
    }

    pub(super) fn missed(&self, limits: &[Limit]) -> Vec<Measure> {
        let missed = self.checks.iter().zip(limits).filter(|(check, _)| !check.is_met);
        missed.map(|(_, limit)| limit.measure).collect()
    }
}

/// The cheapest of those that will do; of equals the smallest.
fn cheapest(steps: &[Step], will_do: impl Fn(&Step) -> bool) -> Option<usize> {
    let candidates = steps.iter().enumerate().filter(|(_, step)| will_do(step));
    candidates.min_by(|(_, a), (_, b)| a.cost.mean().total_cmp(&b.cost.mean())).map(|(index, _)| index)
}

fn choice(steps: &[Step], index: usize, optimum: usize, limits: &[Limit]) -> Choice {
    let chosen = &steps[index];
    let cheaper = steps.iter().filter(|step| step.cost.mean() < chosen.cost.mean());
    let next = cheaper.max_by(|a, b| a.cost.mean().total_cmp(&b.cost.mean()));
    Choice {
        ptus: chosen.ptus,
        cost: chosen.cost,
        over_optimum: difference(chosen, &steps[optimum]),
        binding: next.map(|step| Binding {
            ptus: step.ptus,
            saves: difference(chosen, step),
            limits: step.missed(limits),
        }),
    }
}

fn price(steps: &[Step], index: usize, limit: &Limit, optimum: usize) -> Price {
    let alone = cheapest(steps, |step| step.checks[index].is_met).map(|step| &steps[step]);
    let upper = |step: &Step| step.checks[index].upper;
    let closest = steps.iter().min_by(|a, b| upper(a).total_cmp(&upper(b))).unwrap_or(&steps[optimum]);
    Price {
        measure: limit.measure,
        ptus: alone.map(|step| step.ptus),
        over_optimum: alone.map(|step| difference(step, &steps[optimum])),
        closest: closest.ptus,
        closest_upper: upper(closest),
    }
}
