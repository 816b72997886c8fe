use super::{Depth, Limit, Outcome, Purchase, decide::difference};

/// The step to buy if the depth is not known, and the purchases worth a thought.
pub(super) fn purchases(depths: &[Depth], limits: &[Limit]) -> (Option<u64>, Vec<Purchase>) {
    let decision = decision(depths);
    let choices = depths.iter().filter_map(|depth| depth.choice.as_ref()).map(|choice| choice.ptus);
    let mut counts: Vec<u64> = choices.chain(decision).collect();
    counts.sort_unstable();
    counts.dedup();
    (decision, counts.into_iter().map(|ptus| purchase(ptus, depths, limits)).collect())
}

/// Of the steps that meet every limit at every depth, the one whose dearest depth is cheapest; of equals the smallest.
fn decision(depths: &[Depth]) -> Option<u64> {
    let first = depths.first()?;
    let everywhere = |index: &usize| depths.iter().all(|depth| depth.steps[*index].meets_all());
    let dearest =
        |index: usize| depths.iter().map(|depth| depth.steps[index].cost.mean()).fold(f64::NEG_INFINITY, f64::max);
    let index = (0..first.steps.len()).filter(everywhere).min_by(|&a, &b| dearest(a).total_cmp(&dearest(b)))?;
    Some(first.steps[index].ptus)
}

fn purchase(ptus: u64, depths: &[Depth], limits: &[Limit]) -> Purchase {
    let chose = |depth: &&Depth| depth.choice.as_ref().is_some_and(|choice| choice.ptus == ptus);
    let outcomes: Vec<Outcome> = depths
        .iter()
        .filter_map(|depth| {
            let step = depth.steps.iter().find(|step| step.ptus == ptus)?;
            let choice = depth.choice.as_ref().map(|choice| choice.ptus);
            let choice = depth.steps.iter().find(|step| Some(step.ptus) == choice);
            Some(Outcome {
                burst: depth.burst,
                cost: step.cost,
                regret: choice.map(|choice| difference(step, choice)),
                missed: step.missed(limits),
            })
        })
        .collect();
    let badness = |outcome: &Outcome| (outcome.missed.len(), outcome.cost.mean());
    let worst = outcomes.iter().enumerate().max_by(|(_, a), (_, b)| {
        let (a, b) = (badness(a), badness(b));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    });
    Purchase {
        ptus,
        chosen_for: depths.iter().filter(chose).map(|depth| depth.burst).collect(),
        worst: worst.map_or(0, |(index, _)| index),
        outcomes,
    }
}
