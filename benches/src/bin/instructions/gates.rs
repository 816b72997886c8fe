//! The goals that are counted in instructions.

use std::fmt;

use lb_benches::state::Shape;

use crate::{
    callgrind::Counts,
    cases::{SIZES, names},
};

/// One goal, what was counted, and the most that it may be.
#[derive(Debug)]
pub(crate) struct Gate {
    /// The number of the goal.
    pub(crate) number: u32,
    /// What is bounded.
    pub(crate) what: &'static str,
    /// The worst case, and its value.
    pub(crate) worst: (String, f64),
    /// The most that the goal allows.
    pub(crate) limit: f64,
    /// Whether the check fails if it does not hold. The others are goals that are not met yet.
    pub(crate) is_enforced: bool,
}

impl Gate {
    fn new(
        number: u32,
        what: &'static str,
        limit: f64,
        values: impl IntoIterator<Item = (String, Option<f64>)>,
    ) -> Self {
        // A count that is missing must not pass.
        let values = values.into_iter().map(|(case, value)| (case, value.unwrap_or(f64::INFINITY)));
        let worst = values.max_by(|(_, a), (_, b)| a.total_cmp(b));
        Self {
            number,
            what,
            worst: worst.unwrap_or_else(|| ("no case".to_owned(), f64::INFINITY)),
            limit,
            is_enforced: true,
        }
    }

    const fn not_enforced(mut self) -> Self {
        self.is_enforced = false;
        self
    }

    /// Whether the goal is met.
    pub(crate) fn holds(&self) -> bool {
        self.worst.1 <= self.limit
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (case, value) = &self.worst;
        let verdict = if self.holds() { "holds" } else { "FAILS" };
        write!(f, "{} {verdict}: {}: {value:.1}, at most {:.1} ({case})", self.number, self.what, self.limit)
    }
}

/// Every gate, against these counts.
pub(crate) fn all(counts: &Counts) -> Vec<Gate> {
    let counted = |name: String| {
        let count = counts.of(&name);
        (name, count)
    };
    let difference = |more: String, less: String| {
        let difference = counts.of(&more).zip(counts.of(&less)).map(|(more, less)| more - less);
        (format!("{more} - {less}"), difference)
    };
    let ratio = |shape: Shape| {
        let (pick, floor) = (names::available(shape), names::floor(shape.backends));
        let ratio = counts.of(&pick).zip(counts.of(&floor)).map(|(pick, floor)| pick / floor);
        (format!("{pick} / {floor}"), ratio)
    };
    // A pool with one candidate draws no number: it may be faster than the others, and is no base of the spread.
    let drawing = || Shape::matrix().filter(|shape| shape.backends > shape.tiers);
    let pairs = || Shape::matrix().flat_map(|more| drawing().map(move |less| (more, less)));
    let cooling =
        drawing().flat_map(|shape| [names::one_cooling, names::half_cooling, names::one_left].map(|name| name(shape)));
    let tiers = names::TIERED.into_iter().flat_map(|shape| {
        [1, 2].map(|skipped| difference(names::exhausted(shape, skipped + 1), names::exhausted(shape, skipped)))
    });
    let [small, large] = [3, 1000].map(names::mark_and_recover);
    let flatness = [difference(large.clone(), small.clone()), difference(small, large)];
    let addressing = {
        let [address, by_hand] = [names::RESTORE_AND_ADDRESS, names::RESTORE_AND_ADDRESS_BY_HAND]
            .map(|name| difference(name.to_owned(), names::RESTORE.to_owned()));
        let ratio = address.1.zip(by_hand.1).map(|(address, by_hand)| 100.0 * address / by_hand);
        (format!("({}) / ({})", address.0, by_hand.0), ratio)
    };
    let [replaceable, by_model] =
        [names::REPLACEABLE, names::BY_MODEL].map(|name| difference(name.to_owned(), names::available(names::SERVING)));
    vec![
        Gate::new(1, "a pick while nothing is cooling", 45.0, Shape::matrix().map(names::available).map(counted)),
        Gate::new(
            1,
            "its spread over the numbers of backends and tiers",
            2.0,
            pairs().map(|(more, less)| difference(names::available(more), names::available(less))),
        ),
        // The floor of one backend draws nothing either.
        Gate::new(
            1,
            "its ratio to the floor",
            2.0,
            Shape::matrix().filter(|shape| SIZES[1..].contains(&shape.backends)).map(ratio),
        ),
        Gate::new(4, "a pick while something in the tier is cooling", 200.0, cooling.map(counted)),
        Gate::new(6, "a tier that is exhausted", 15.0, tiers),
        Gate::new(8, "marking and recovering one of 1000 against one of 3", 10.0, flatness),
        Gate::new(12, "what a pool that can be replaced adds to a pick", 60.0, [replaceable]),
        Gate::new(13, "what the choice of the pool by the path adds to it", 150.0, [by_model]),
        // By hand nobody looks for credentials that are not there; see docs/performance.md.
        Gate::new(11, "addressing a request, in % of the same edits by hand", 125.0, [addressing]).not_enforced(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts that meet every goal exactly, but for the cases that are changed.
    fn counts(changed: &[(String, f64)]) -> Counts {
        let mut counts = Vec::new();
        for backends in SIZES {
            counts.push((names::floor(backends), 22.5));
            counts.push((names::mark_and_recover(backends), if backends == 1000 { 510.0 } else { 500.0 }));
        }
        for shape in Shape::matrix() {
            counts.push((names::available(shape), if shape.backends == 64 { 45.0 } else { 43.0 }));
            for name in [names::one_cooling, names::half_cooling, names::one_left] {
                counts.push((name(shape), 200.0));
            }
        }
        for shape in names::TIERED {
            counts.extend((0..4).map(|tiers| (names::exhausted(shape, tiers), 150.0 + 15.0 * f64::from(tiers))));
        }
        let others = [
            (names::REPLACEABLE, 102.8),
            (names::BY_MODEL, 192.8),
            (names::ADDRESS_AGAIN, 800.0),
            (names::RESTORE, 100.0),
            (names::RESTORE_AND_ADDRESS, 1100.0),
            (names::RESTORE_AND_ADDRESS_BY_HAND, 900.0),
        ];
        counts.extend(others.map(|(name, count)| (name.to_owned(), count)));
        for (name, count) in changed {
            let case = counts.iter_mut().find(|(other, _)| other == name).expect("a case that exists");
            case.1 = *count;
        }
        Counts::made_up(counts)
    }

    /// The numbers of the goals that are missed if these cases count so many.
    fn missed(changed: &[(String, f64)]) -> Vec<u32> {
        all(&counts(changed)).into_iter().filter(|gate| !gate.holds()).map(|gate| gate.number).collect()
    }

    #[test]
    fn each_gate_holds_at_its_limit_and_fails_beyond_it() {
        let (small, large) = (Shape { backends: 3, tiers: 1 }, Shape { backends: 1000, tiers: 4 });
        assert!(missed(&[]).is_empty());
        assert_eq!(missed(&[(names::available(large), 45.1)]), [1, 1, 1], "the count, its spread and its ratio");
        assert_eq!(missed(&[(names::available(small), 42.9)]), [1], "its spread");
        assert_eq!(missed(&[(names::floor(64), 22.4)]), [1], "its ratio");
        assert_eq!(missed(&[(names::half_cooling(large), 200.1)]), [4]);
        assert_eq!(missed(&[(names::exhausted(large, 3), 195.1)]), [6]);
        assert_eq!(missed(&[(names::mark_and_recover(3), 499.9)]), [8]);
        assert_eq!(missed(&[(names::mark_and_recover(3), 520.1)]), [8]);
        assert_eq!(missed(&[(names::REPLACEABLE.to_owned(), 103.1)]), [12]);
        assert_eq!(missed(&[(names::BY_MODEL.to_owned(), 193.1)]), [13]);
        assert_eq!(missed(&[(names::RESTORE_AND_ADDRESS.to_owned(), 1100.1)]), [11]);
        assert_eq!(missed(&[(names::RESTORE_AND_ADDRESS_BY_HAND.to_owned(), 899.9)]), [11]);
    }

    #[test]
    fn a_pool_with_one_candidate_may_be_faster() {
        assert!(missed(&[(names::available(Shape { backends: 1, tiers: 1 }), 20.0)]).is_empty());
    }

    #[test]
    fn a_count_that_is_missing_fails_its_gate() {
        let gates = all(&Counts::made_up([]));
        assert!(gates.iter().all(|gate| !gate.holds()), "{gates:?}");
    }

    #[test]
    fn every_case_that_a_gate_names_is_counted() {
        // Different counts: a ratio of differences needs some.
        let cases = (0_u32..).zip(crate::cases::all()).map(|(count, case)| (case.name, count.into()));
        let gates = all(&Counts::made_up(cases));
        assert!(gates.iter().all(|gate| gate.worst.1.is_finite()), "{gates:?}");
    }
}
