use super::{Depth, Limit, Outcome, Purchase, Step, decide::difference};

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
    let dearest = |ptus: u64| {
        let steps = depths.iter().map(|depth| depth.steps.iter().find(|step| step.ptus == ptus));
        let steps: Vec<&Step> = steps.map(|step| step.filter(|step| step.meets_all())).collect::<Option<_>>()?;
        steps.into_iter().reduce(|a, b| if difference(b, a).mean() > 0.0 { b } else { a })
    };
    let candidates = depths.first()?.steps.iter().filter_map(|step| dearest(step.ptus));
    candidates.reduce(|best, step| if difference(step, best).mean() < 0.0 { step } else { best }).map(|step| step.ptus)
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

#[cfg(test)]
mod tests {
    use super::{
        super::{
            decide,
            fixtures::{LIMITS, steps},
        },
        *,
    };
    use crate::{metric::Metric, scenario::Span};

    const MET: [f64; 2] = [0.05, 0.05];
    const SPILLS: [f64; 2] = [0.3, 0.05];

    fn depths(rows: [&[(f64, [f64; 2])]; 2]) -> Vec<Depth> {
        let bursts = [Span::from_secs(1), Span::from_secs(10)];
        bursts.into_iter().zip(rows).map(|(burst, rows)| decide::depth(burst, steps(rows), &LIMITS)).collect()
    }

    #[test]
    fn buying_for_the_wrong_depth_shows_its_regret_and_the_limits_it_misses() {
        let depths =
            depths([&[(10.0, SPILLS), (12.0, SPILLS), (30.0, MET)], &[(10.0, SPILLS), (15.0, MET), (24.0, MET)]]);
        let (decision, purchases) = purchases(&depths, &LIMITS);
        assert_eq!(decision, Some(20));
        assert_eq!(purchases.iter().map(|purchase| purchase.ptus).collect::<Vec<_>>(), [10, 20]);

        let for_deep = &purchases[0];
        assert_eq!(for_deep.chosen_for, [Span::from_secs(10)]);
        // Cheap, because it does not do what it should.
        assert_eq!(for_deep.outcomes[0].missed, [Metric::SpillShare]);
        assert_eq!(for_deep.outcomes[0].regret.unwrap().mean(), -18.0);
        assert_eq!((for_deep.outcomes[1].missed.len(), for_deep.outcomes[1].regret.unwrap().mean()), (0, 0.0));
        // A missed limit is worse than a higher cost.
        assert_eq!(for_deep.worst, 0);

        let for_shallow = &purchases[1];
        assert_eq!(for_shallow.chosen_for, [Span::from_secs(1)]);
        assert_eq!(for_shallow.outcomes[1].regret.unwrap().mean(), 9.0);
        assert_eq!(for_shallow.worst, 0);
    }

    #[test]
    fn without_knowing_the_depth_the_step_with_the_cheapest_worst_case_is_bought() {
        // 10 PTUs are the choice of the first depth, 20 that of the second; 30 are nobody's, but never cost 100.
        let depths = depths([
            &[(1.0, SPILLS), (40.0, MET), (100.0, MET), (60.0, MET)],
            &[(1.0, SPILLS), (100.0, MET), (40.0, MET), (70.0, MET)],
        ]);
        let (decision, purchases) = purchases(&depths, &LIMITS);
        assert_eq!(decision, Some(30));
        let last = purchases.last().unwrap();
        assert_eq!((last.ptus, last.chosen_for.len()), (30, 0));
        let regrets: Vec<f64> = last.outcomes.iter().map(|outcome| outcome.regret.unwrap().mean()).collect();
        assert_eq!((regrets, last.worst), (vec![20.0, 30.0], 1));
    }

    #[test]
    fn depths_that_share_no_step_have_choices_but_no_decision() {
        let depths = depths([&[(1.0, MET), (2.0, SPILLS)], &[(1.0, SPILLS), (2.0, MET)]]);
        let (decision, purchases) = purchases(&depths, &LIMITS);
        assert_eq!(decision, None);
        assert_eq!(purchases.len(), 2);
        assert!(purchases.iter().all(|purchase| !purchase.outcomes[purchase.worst].missed.is_empty()));
    }

    #[test]
    fn a_depth_without_a_choice_has_no_regret() {
        let depths = depths([&[(1.0, SPILLS), (2.0, SPILLS)], &[(1.0, SPILLS), (2.0, MET)]]);
        let (decision, purchases) = purchases(&depths, &LIMITS);
        assert_eq!(decision, None);
        assert_eq!(purchases[0].outcomes[0].regret, None);
        assert_eq!(purchases[0].outcomes[0].missed, [Metric::SpillShare]);
    }
}
