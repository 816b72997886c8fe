//! A plan as a page.

use maud::{Markup, html};

use super::{
    html::{card, estimate, figure, page, table, text},
    run::assumptions,
};
use crate::{
    number::{dollars, mean, ratio, seconds, with_interval},
    plan::{Check, Depth, Limit, PlanResult, Step},
    report::{Assumption, Estimate, assumption, cost},
    scenario::{Scenario, Span},
};

impl PlanResult {
    /// The plan as one HTML file: the decision, then cost and limits over the PTUs as inline SVG; no script, nothing from
    /// the network. `scenario` is the one that was planned.
    #[must_use]
    pub fn to_html(&self, scenario: &Scenario) -> String {
        let title = if self.title.is_empty() { "PTU plan" } else { &self.title };
        let body = html! {
            h1 { (title) }
            p.meta {
                "PTUs of " (self.backend) " (" (self.model) "); " (self.replications) " runs per step and bucket depth; ± is half \
                 the 95 % interval. The mean of the traffic that reaches it needs " (with_interval(&self.mean_need, ratio)) " PTUs."
            }
            (self.cards())
            @for sentence in self.verdict() { p { (sentence) } }
            h2 { "Cost per month" }
            (figure(&self.cost_figure(scenario), "What lies above the line of the PTUs alone is paid by the token. The line is the mean, \
                the pale band its 95 % interval. The bucket's depth is not documented: each is an answer of its own."))
            @if !self.limits.is_empty() {
                h2 { "Limits" }
                p.note { "A step meets a limit if the 95 % upper bound does: the upper edge of the band. Dots: it does. A line at the \
                    upper edge of a figure stands for never, or for more than fits." }
                @for (index, limit) in self.limits.iter().enumerate() {
                    h3 { (capitalised(limit.measure.words())) ": at most " (limit.measure.form(limit.at_most)) }
                    (figure(&self.limit_figure(index, limit), ""))
                }
            }
            (self.purchases_part())
            h2 { "What this rests on" }
            (assumptions(&self.assumptions(scenario)))
            @for depth in &self.depths {
                h2 { "Every step, if the bucket holds " (drain(depth.burst)) " of drain" }
                (self.every_step(depth, scenario))
            }
        };
        page(title, &body)
    }

    /// The scenario's, but for what the plan itself chose.
    fn assumptions(&self, scenario: &Scenario) -> Vec<Assumption> {
        let replications = usize::try_from(self.replications).unwrap_or(usize::MAX);
        let mut all = assumption::of(scenario, replications);
        let depth = format!("bucket depth of {}", self.backend);
        if let Some(one) = all.iter_mut().find(|one| one.what == depth) {
            let depths: Vec<String> = self.depths.iter().map(|depth| drain(depth.burst)).collect();
            one.value = format!("{} of drain, an answer for each", depths.join(", "));
        }
        all
    }

    fn cards(&self) -> Markup {
        let worst = |ptus: u64| {
            let purchase = self.purchases.iter().find(|purchase| purchase.ptus == ptus)?;
            purchase.outcomes.get(purchase.worst)
        };
        // Zero PTUs have no bucket: all depths agree on them.
        let optimum = |depth: &Depth| (depth.optimum.ptus, depth.optimum.cost);
        let agree = self.depths.windows(2).all(|pair| optimum(&pair[0]) == optimum(&pair[1]));
        let shown = if agree { self.depths.len().min(1) } else { self.depths.len() };
        html! {
            div.cards {
                @match self.decision {
                    Some(ptus) => {
                        (card("Buy", &format!("{ptus} PTUs"), "meets every limit at every bucket depth"))
                        @if let Some(outcome) = worst(ptus) {
                            (card("It costs at most, per month", &mean(&outcome.cost, dollars), &format!("if the depth is {}", drain(outcome.burst))))
                        }
                    }
                    None => (card("Buy", "no answer", "no step meets every limit at every bucket depth")),
                }
                @for depth in &self.depths[..shown] {
                    (card(
                        &if shown == 1 {
                            "Cheapest without limits".to_owned()
                        } else {
                            format!("Cheapest without limits, depth {}", drain(depth.burst))
                        },
                        &format!("{} PTUs", depth.optimum.ptus),
                        &format!("{} a month", mean(&depth.optimum.cost, dollars)),
                    ))
                }
            }
        }
    }

    fn purchases_part(&self) -> Markup {
        if self.purchases.is_empty() || self.depths.len() < 2 {
            return html! {};
        }
        let head: Vec<String> = ["PTUs".to_owned(), "bought for".to_owned()]
            .into_iter()
            .chain(self.depths.iter().map(|depth| format!("if the depth is {}", drain(depth.burst))))
            .collect();
        let rows = self.purchases.iter().map(|purchase| {
            let mut bought: Vec<String> = purchase.chosen_for.iter().map(|burst| drain(*burst)).collect();
            if Some(purchase.ptus) == self.decision {
                bought.push("any depth".to_owned());
            }
            let outcomes = purchase.outcomes.iter().enumerate().map(|(index, outcome)| {
                html! {
                    (mean(&outcome.cost, dollars))
                    @if let Some(regret) = &outcome.regret {
                        small { "regret " (with_interval(regret, dollars)) }
                    }
                    @for missed in &outcome.missed { small { "misses: " (missed.words()) } }
                    @if index == purchase.worst { small { strong { "worst case" } } }
                }
            });
            let names = [html! { (purchase.ptus) }, text(bought.join(", "))];
            names.into_iter().chain(outcomes).collect::<Vec<_>>()
        });
        html! {
            h2 { "If the depth is not what you think" }
            p.note { "Dollars per month. Regret: what it costs more than the best purchase for the depth that is true; below zero \
                if missing a limit saves money." }
            (table(&head.iter().map(String::as_str).collect::<Vec<_>>(), 2, rows))
        }
    }

    fn every_step(&self, depth: &Depth, scenario: &Scenario) -> Markup {
        let head: Vec<String> = ["PTUs", "cost per month", "for PTUs", "by the token"]
            .into_iter()
            .map(str::to_owned)
            .chain(
                self.limits
                    .iter()
                    .map(|limit| format!("{} (at most {})", limit.measure.words(), limit.measure.form(limit.at_most))),
            )
            .chain([String::new()])
            .collect();
        let rows = depth.steps.iter().map(|step| {
            let (ptus, tokens) = self.parts(step, scenario);
            let checks = step.checks.iter().zip(&self.limits).map(|(check, limit)| check_cell(check, limit));
            let cells =
                [html! { (step.ptus) }, estimate(&step.cost, dollars), text(dollars(ptus)), text(dollars(tokens))];
            cells.into_iter().chain(checks).chain([text(remark(step, depth))]).collect::<Vec<_>>()
        });
        html! {
            p.note { "Limits: the value, and the 95 % upper bound that decides. ✓ met, ✗ not met." }
            (table(&head.iter().map(String::as_str).collect::<Vec<_>>(), 0, rows))
        }
    }

    /// Dollars per month for PTUs, those of other backends included, and by the token.
    pub(crate) fn parts(&self, step: &Step, scenario: &Scenario) -> (f64, f64) {
        let ptus: f64 = scenario
            .backends
            .iter()
            .filter_map(|backend| {
                let is_varied = backend.name == self.backend;
                let mut backend = backend.clone();
                if is_varied {
                    backend.ptus = Some(step.ptus);
                }
                cost::ptus_per_month(&backend)
            })
            .sum();
        (ptus, (step.cost.mean() - ptus).max(0.0))
    }
}

/// A bucket's depth.
pub(crate) fn drain(burst: Span) -> String {
    seconds(burst.as_secs_f64())
}

fn check_cell(check: &Check, limit: &Limit) -> Markup {
    let form = |value: f64| limit.measure.form(value);
    let value = if check.value.is_some() { form(check.value.mean()) } else { "-".to_owned() };
    html! {
        @if check.is_met { span title="met" { "✓" } } @else { strong title="not met" { "✗" } }
        " " (value) small { "up to " (form(check.upper)) }
    }
}

fn remark(step: &Step, depth: &Depth) -> String {
    let is_choice = depth.choice.as_ref().is_some_and(|choice| choice.ptus == step.ptus);
    let marks = [(is_choice, "choice"), (depth.optimum.ptus == step.ptus, "optimum without limits")];
    let words: Vec<&str> = marks.into_iter().filter(|mark| mark.0).map(|mark| mark.1).collect();
    words.join(", ")
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Whether a step meets every limit.
pub(crate) fn is_feasible(step: &Step) -> bool {
    step.checks.iter().all(|check| check.is_met)
}

/// The mean with both ends of its interval.
pub(crate) fn with_ends(at: f64, estimate: &Estimate) -> (f64, f64, f64) {
    (at, estimate.low(), estimate.high())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{
        plan::{Choice, Measure, Optimum, Outcome, Purchase},
        report::testing::scenario,
    };

    /// Two depths over 0, 50 and 100 PTUs: the shallow one needs 100, the deep one 50; without limits zero is cheapest.
    pub(crate) fn plan() -> PlanResult {
        let cost = |dollars: f64| Estimate::over([Some(dollars - 100.0), Some(dollars + 100.0)]);
        let step = |ptus: u64, dollars: f64, spill: f64, needs: u64| Step {
            ptus,
            cost: cost(dollars),
            checks: vec![
                Check { value: Estimate::over([Some(spill); 2]), upper: spill * 1.1, is_met: ptus >= needs },
                Check {
                    value: Estimate::over([Some(if ptus == 0 { f64::INFINITY } else { 0.5 }); 2]),
                    upper: if ptus == 0 { f64::INFINITY } else { 0.6 },
                    is_met: ptus > 0,
                },
            ],
            costs: vec![dollars - 100.0, dollars + 100.0],
        };
        let depth = |seconds: u64, needs: u64| {
            let steps = vec![
                step(0, 30_000.0, 1.0, needs),
                step(50, 45_000.0, 0.3 * needs as f64 / 100.0, needs),
                step(100, 75_000.0, 0.02, needs),
            ];
            let chosen = if needs == 100 { 2 } else { 1 };
            Depth {
                burst: Span::from_secs(seconds),
                optimum: Optimum { ptus: 0, cost: cost(30_000.0), runner_up: None },
                choice: Some(Choice {
                    ptus: needs,
                    cost: steps[chosen].cost,
                    over_optimum: cost(15_000.0),
                    binding: None,
                }),
                steps,
                prices: Vec::new(),
            }
        };
        let depths = vec![depth(1, 100), depth(60, 50)];
        let outcome = |depth: &Depth| Outcome {
            burst: depth.burst,
            cost: cost(75_000.0),
            regret: Some(Estimate::over([Some(30_000.0)])),
            missed: vec![Measure::SpillShare],
        };
        PlanResult {
            title: "How many <PTUs>".to_owned(),
            backend: "ptu".to_owned(),
            model: "gpt-4.1".to_owned(),
            replications: 2,
            mean_need: Estimate::over([Some(61.0), Some(62.0)]),
            limits: vec![
                Limit { measure: Measure::SpillShare, at_most: 0.2 },
                Limit { measure: Measure::AddedWaitP95, at_most: 2.0 },
            ],
            decision: Some(100),
            purchases: vec![Purchase {
                ptus: 100,
                chosen_for: vec![Span::from_secs(1)],
                outcomes: depths.iter().map(outcome).collect(),
                worst: 1,
            }],
            depths,
        }
    }

    #[test]
    fn the_page_says_what_to_buy_and_draws_cost_and_every_limit() {
        let plan = plan();
        let html = plan.to_html(&scenario());
        for text in ["100 PTUs", "How many &lt;PTUs&gt;", "misses: requests served elsewhere", "1 s, 60 s of drain"] {
            assert!(html.contains(text), "{text} is missing");
        }
        for sentence in plan.verdict() {
            assert!(html.contains(&html! { (sentence) }.into_string()), "{sentence} is missing");
        }
        assert_eq!(html.matches("role=\"img\"").count(), 3, "the cost, and each of two limits");
        assert!(!html.replace("xmlns=\"http", "").contains("http") && !html.contains("<script"));
    }

    #[test]
    fn the_cost_is_broken_down_into_ptus_and_tokens() {
        let plan = plan();
        let parts = plan.parts(&plan.depths[0].steps[1], &scenario());
        // $1 an hour, 730 hours.
        assert!((parts.0 - 50.0 * 730.0).abs() < 1e-6 && (parts.1 - (45_000.0 - 36_500.0)).abs() < 1e-6, "{parts:?}");
        assert!(plan.to_html(&scenario()).contains("$8,500"));
    }

    #[test]
    fn steps_that_do_not_meet_a_limit_are_marked() {
        let html = plan().to_html(&scenario());
        // Of 12 checks: both limits fail at zero, at both depths; the spill fails at 50 PTUs in the shallow bucket.
        assert_eq!((html.matches("title=\"met\"").count(), html.matches("title=\"not met\"").count()), (7, 5));
    }

    #[test]
    fn without_a_decision_the_page_says_so() {
        let plan = PlanResult { decision: None, purchases: Vec::new(), ..plan() };
        assert!(plan.to_html(&scenario()).contains("no step meets every limit at every bucket depth"));
    }
}
