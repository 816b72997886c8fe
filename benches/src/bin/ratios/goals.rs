//! The goals that the project set itself in times of each other, and whether a run met them.
//!
//! | # | what | goal |
//! | ---: | --- | --- |
//! | 1 | a pick, nothing cooling, over the floor | at most 2x |
//! | 2 | the same against the seed's port | at least 15x with 3 backends, 25x with 8, 80x with 64, 500x with 1000 |
//! | 3 | the same against pingora's random choice and tower's p2c | at least 60x |
//! | 4 | a pick, something cooling in the tier, over the floor and one clock read | at most 1.25x |
//! | 5 | the same against the seed's port | at least 2x with 3 backends, 5x with 8, 35x with 64, 500x with 1000 |
//! | 5 | the same against pingora's with half of the backends disabled | at least 6x |
//! | 10 | a pick from two threads at once against one | at most 1.15x; 1.6x if one in 1024 marks |
//! | 12 | what a balancer adds to a loopback request of reqwest | at most 0.5 % |
//!
//! The other numbers are counts, of instructions, allocations and clock reads, which tests check.

use std::fmt;

use lb_benches::{
    groups::{
        adapters, overhead,
        selection::{self, BALANCER, FLOOR, FLOOR_AND_CLOCK, PINGORA, SEED, TOWER},
        threads,
    },
    state::{Shape, State},
};
use serde::Serialize;

use crate::{
    report::number,
    rounds::{Measured, Quartiles},
};

/// One goal, and what was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Goal {
    /// Its number in the list of goals.
    pub(crate) number: u32,
    pub(crate) what: String,
    pub(crate) bound: Bound,
    /// NaN (in JSON null) if no round counted.
    pub(crate) measured: f64,
    pub(crate) met: bool,
}

/// What a figure must be.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bound {
    /// So many times, or more.
    AtLeast(f64),
    /// So many times, or less.
    AtMost(f64),
    /// So many hundredths, or less.
    PercentAtMost(f64),
}

impl Bound {
    fn is_met_by(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) | Self::PercentAtMost(bound) => value <= bound,
        }
    }

    /// A measured value, in the form of the bound.
    pub(crate) fn show(self, value: f64) -> String {
        match self {
            _ if value.is_nan() => "not measured".to_owned(),
            Self::AtLeast(_) | Self::AtMost(_) => format!("{}x", number(value)),
            Self::PercentAtMost(_) => format!("{} %", number(value)),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(bound) => write!(f, ">= {bound}x"),
            Self::AtMost(bound) => write!(f, "<= {bound}x"),
            Self::PercentAtMost(bound) => write!(f, "<= {bound} %"),
        }
    }
}

fn goal(number: u32, what: impl Into<String>, bound: Bound, measured: f64) -> Goal {
    Goal { number, what: what.into(), bound, measured, met: bound.is_met_by(measured) }
}

/// Goals 1, 2 and 3: nothing is cooling. Goals 4 and 5: something in the tier is that is picked from.
///
/// With several shapes and states to a goal, it is given where it is met worst.
pub(crate) fn of_selection(measured: &[Measured]) -> Vec<Goal> {
    let measured = Selection { measured };
    let mut goals = vec![measured.worst(1, Bound::AtMost(2.0), &nothing_cooling(|_| true), BALANCER, FLOOR)];
    for (backends, bound) in [(3, 15.0), (8, 25.0), (64, 80.0), (1000, 500.0)] {
        for shape in Shape::matrix().filter(|shape| shape.backends == backends) {
            let places = nothing_cooling(|other| other == shape);
            goals.push(measured.worst(2, Bound::AtLeast(bound), &places, SEED, BALANCER));
        }
    }
    for peer in [PINGORA, TOWER] {
        goals.push(measured.worst(3, Bound::AtLeast(60.0), &nothing_cooling(|_| true), peer, BALANCER));
    }
    let places = something_cooling(|_| true);
    goals.push(measured.worst(4, Bound::AtMost(1.25), &places, BALANCER, FLOOR_AND_CLOCK));
    for (backends, bound) in [(3, 2.0), (8, 5.0), (64, 35.0), (1000, 500.0)] {
        for shape in Shape::matrix().filter(|shape| shape.backends == backends) {
            let places = something_cooling(|other| other == shape);
            if !places.is_empty() {
                goals.push(measured.worst(5, Bound::AtLeast(bound), &places, SEED, BALANCER));
            }
        }
    }
    goals.push(measured.worst(5, Bound::AtLeast(6.0), &places, PINGORA, BALANCER));
    goals
}

/// The shapes with nothing cooling.
fn nothing_cooling(is_meant: impl Fn(Shape) -> bool) -> Vec<(Shape, State)> {
    Shape::matrix().filter(|&shape| is_meant(shape)).map(|shape| (shape, State::None)).collect()
}

/// The shapes and states in which a backend is picked from a tier in which others are cooling.
///
/// Not among them are those in which whole tiers are out and nothing else: the table shows them, and no goal was set.
fn something_cooling(is_meant: impl Fn(Shape) -> bool) -> Vec<(Shape, State)> {
    let has_two_in_a_tier = |shape: &Shape| shape.backends > shape.tiers;
    Shape::matrix()
        .filter(|&shape| is_meant(shape))
        .filter(has_two_in_a_tier)
        .map(|shape| (shape, State::Half))
        .collect()
}

/// What was measured of the group `selection`.
struct Selection<'m> {
    measured: &'m [Measured],
}

impl Selection<'_> {
    /// The goal, at the place where it is met worst.
    fn worst(&self, number: u32, bound: Bound, places: &[(Shape, State)], case: &str, over: &str) -> Goal {
        let ratios =
            places.iter().filter_map(|&(shape, state)| Some(((shape, state), self.ratio(shape, state, case, over)?)));
        let ratios = ratios.filter(|(_, ratio)| !ratio.is_nan());
        let worst = match bound {
            Bound::AtLeast(_) => ratios.min_by(|a, b| a.1.total_cmp(&b.1)),
            Bound::AtMost(_) | Bound::PercentAtMost(_) => ratios.max_by(|a, b| a.1.total_cmp(&b.1)),
        };
        let what = format!("pick, {case} over {over}");
        match worst {
            Some(((shape, state), ratio)) => {
                let at = if places.len() > 1 { "worst at" } else { "at" };
                goal(number, format!("{what}, {at} {shape} {state}"), bound, ratio)
            }
            None => goal(number, what, bound, f64::NAN),
        }
    }

    /// How many times the one case takes of what the other takes.
    fn ratio(&self, shape: Shape, state: State, case: &str, over: &str) -> Option<f64> {
        let name = selection::name(shape, state);
        let section = self.measured.iter().find(|measured| measured.section == name)?;
        Some(section.case(case)?.over(section.case(over)?).median)
    }
}

/// Goal 10: threads do not wait for each other.
pub(crate) fn of_threads(measured: &[Measured]) -> Vec<Goal> {
    let bounds = [(threads::NOTHING_COOLING, 1.15), (threads::SOMETHING_COOLING, 1.15), (threads::MARKING, 1.6)];
    let goals = bounds.into_iter().filter_map(|(name, bound)| {
        let section = measured.iter().find(|measured| measured.section == name)?;
        let two = section.case(&threads::name(2))?;
        Some(goal(10, format!("two threads, {name}, per pick"), Bound::AtMost(bound), section.over_base(two).median))
    });
    goals.collect()
}

/// Goal 12: what the balancer adds, by the stub, is a small share of a request.
pub(crate) fn of_overhead(measured: &[Measured]) -> Vec<Goal> {
    let share = || {
        let section = |name| measured.iter().find(|measured| measured.section == name);
        let stub = section(adapters::REQWEST)?;
        let (bare, balanced) = (stub.case(overhead::BARE)?, stub.case(overhead::BALANCED)?);
        let request = section(overhead::REQWEST)?.case(overhead::BARE)?;
        let rounds = bare.nanos.iter().zip(&balanced.nanos).zip(&request.nanos);
        Some(Quartiles::of(rounds.map(|((bare, balanced), request)| (balanced - bare) / request * 100.0).collect()))
    };
    share()
        .map(|share| goal(12, "share of a loopback reqwest request", Bound::PercentAtMost(0.5), share.median))
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lb_benches::rounds::MeasuredCase;

    fn measured(section: &str, cases: &[(&str, f64)]) -> Measured {
        let case = |&(name, nanos): &(&str, f64)| MeasuredCase { name: name.to_owned(), nanos: vec![nanos; 3] };
        Measured { section: section.to_owned(), cases: cases.iter().map(case).collect() }
    }

    #[test]
    fn a_goal_is_met_at_its_bound_and_missed_beside_it() {
        let at = |seed: f64| {
            let goals = of_selection(&[measured("3x1 none", &[(BALANCER, 1.0), (SEED, seed)])]);
            goals.into_iter().filter(|goal| !goal.measured.is_nan()).collect::<Vec<_>>()
        };
        assert!(at(15.0).len() == 1 && at(15.0)[0].met);
        assert!(at(14.9).iter().any(|goal| goal.number == 2 && !goal.met && goal.what.contains("3x1 none")));
    }

    #[test]
    fn a_goal_for_several_shapes_is_given_where_it_is_met_worst() {
        let floor = |section, floor| measured(section, &[(BALANCER, 3.0), (FLOOR, floor)]);
        let goals = of_selection(&[floor("3x1 none", 3.0), floor("8x4 none", 1.0), floor("64x1 none", 2.0)]);
        assert!(goals[0].what.ends_with("worst at 8x4 none") && !goals[0].met, "{goals:?}");
    }

    #[test]
    fn the_share_is_what_the_stub_shows_of_a_request() {
        let stub = measured(adapters::REQWEST, &[(overhead::BARE, 300.0), (overhead::BALANCED, 500.0)]);
        let request = measured(overhead::REQWEST, &[(overhead::BARE, 100_000.0)]);
        let goals = of_overhead(&[request, stub]);
        assert!((goals[0].measured - 0.2).abs() < 1e-9 && goals[0].met, "{goals:?}");
    }
}
