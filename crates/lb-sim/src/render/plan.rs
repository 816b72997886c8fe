//! What a plan says.

use std::fmt;

use super::{
    document::{Block, Card, Cell, Document, Table, Words},
    rests_on::{add_assumptions, add_notes},
    sweep_figures::capitalised,
};
use crate::{
    metric::Metric,
    number::{dollars, mean, percent, ratio, significant, with_interval},
    plan::{Depth, Limit, Outcome, PlanResult, Price, Step, depth_name},
};

/// The whole plan for a terminal of 100 columns, the decision first.
impl fmt::Display for PlanResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.document().fmt(f)
    }
}

impl PlanResult {
    /// The plan as one HTML file: the decision, then cost and limits over the PTUs as inline SVG; no script, nothing from
    /// the network.
    #[must_use]
    pub fn to_html(&self) -> String {
        self.document().to_html()
    }

    fn document(&self) -> Document {
        let mut document = Document::new(&self.title, "PTU plan");
        let (backend, model, runs) = (&self.backend, &self.model, self.replications);
        document.meta(Words::two(
            format!("PTUs of `{backend}` ({model}), {runs} runs per step and depth"),
            format!(
                "PTUs of {backend} ({model}); {runs} runs per step and bucket depth; ± is half the 95 % interval. The mean \
                 of the traffic that reaches it needs {} PTUs.",
                with_interval(&self.mean_need, ratio)
            ),
        ));
        document.add(Block::Cards(self.cards()));
        document.heading(Words::on_terminal("ANSWER"));
        document.sentences(self.verdict());
        add_notes(&mut document, &self.notes);
        self.add_figures(&mut document);
        if let Some(grid) = &self.quotas {
            self.add_quotas(&mut document, grid);
        }
        if !self.purchases.is_empty() && self.depths.len() > 1 {
            self.add_purchases(&mut document);
        }
        if !self.limits.is_empty() {
            self.add_prices(&mut document);
        }
        self.depths.iter().for_each(|depth| self.add_steps(&mut document, depth));
        add_assumptions(&mut document, Words::on_page("What this rests on"), &self.assumptions);
        document.heading(Words::on_terminal("HOW TO READ IT"));
        document.sentence(Words::on_terminal(
            "A limit is met if the one-sided 95 % upper bound, in brackets behind the value, meets it. \u{b1} is the \
             95 % interval of sampling. How deep the bucket is, is not documented: each depth stands by itself.",
        ));
        if self.depths.iter().any(|depth| depth.steps.len() < self.counts) {
            document.sentence(format!(
                "Of {} counts for sale those stand here that were looked at: with more PTUs no limit fares worse and less \
                 is paid by the token, so no other can be an answer. `--every-step` looks at each.",
                self.counts
            ));
        }
        if self.mean_need.is_some() {
            let need = with_interval(&self.mean_need, significant);
            let need = format!("The sizing formula gives {need} PTUs for the mean of this traffic, without bursts.");
            document.sentence(Words::on_terminal(need));
        }
        document
    }

    fn cards(&self) -> Vec<Card> {
        let mut cards = Vec::new();
        match self.decision {
            Some(ptus) => {
                cards.push(Card::new("Buy", format!("{ptus} PTUs"), "meets every limit at every bucket depth"));
                let purchase = self.purchases.iter().find(|purchase| purchase.ptus == ptus);
                if let Some(worst) = purchase.and_then(|purchase| purchase.outcomes.get(purchase.worst)) {
                    let depth = format!("if the depth is {}", depth_name(worst.burst));
                    cards.push(Card::new("It costs at most, per month", mean(&worst.cost, dollars), depth));
                }
            }
            None => cards.push(Card::new("Buy", "no answer", "no step meets every limit at every bucket depth")),
        }
        // Zero PTUs have no bucket: all depths agree on them.
        let optimum = |depth: &Depth| (depth.optimum.ptus, depth.optimum.cost);
        let agree = self.depths.windows(2).all(|pair| optimum(&pair[0]) == optimum(&pair[1]));
        let shown = if agree { self.depths.len().min(1) } else { self.depths.len() };
        cards.extend(self.depths[..shown].iter().map(|depth| {
            let at = if shown == 1 { String::new() } else { format!(", depth {}", depth_name(depth.burst)) };
            let ptus = format!("{} PTUs", depth.optimum.ptus);
            let succeed = mean(&depth.optimum.success_share, percent);
            let cost = format!("{} a month, {succeed} succeed", mean(&depth.optimum.cost, dollars));
            Card::new(format!("Cheapest without limits{at}"), ptus, cost)
        }));
        cards
    }

    fn add_figures(&self, document: &mut Document) {
        document.heading(Words::on_page("Cost per month"));
        let caption = "What lies above the line of the PTUs alone is paid by the token. The line is the mean, the pale band \
                       its 95 % interval. The bucket's depth is not documented: each is an answer of its own.";
        document.figure("", self.cost_figure(), caption);
        if self.limits.is_empty() {
            return;
        }
        document.heading(Words::on_page("Limits"));
        document.note(
            "A step meets a limit if the 95 % upper bound does: the upper edge of the band. Dots: it does. Never: more \
             requests than the percentile leaves did not succeed.",
        );
        for (index, limit) in self.limits.iter().enumerate() {
            let heading = format!("{}: at most {}", capitalised(limit.metric.words()), limit.form(limit.at_most));
            document.figure(heading, self.limit_figure(index, limit), "");
        }
    }

    fn add_purchases(&self, document: &mut Document) {
        document.heading(Words::two(
            "IF THE DEPTH IS NOT WHAT YOU THINK ($/month; in brackets over the choice for that depth)",
            "If the depth is not what you think",
        ));
        document.note(
            "Dollars per month. Regret: what it costs more than the best purchase for the depth that is true; below zero \
             if missing a limit saves money.",
        );
        let table = Table::of(&self.purchases).number("PTUs", |purchase| purchase.ptus.to_string());
        let table = table.number("bought for", |purchase| {
            let any = (Some(purchase.ptus) == self.decision).then(|| "any".to_owned());
            purchase.chosen_for.iter().copied().map(depth_name).chain(any).collect::<Vec<_>>().join(", ")
        });
        let table = self.depths.iter().enumerate().fold(table, |table, (index, depth)| {
            let title = format!("if the depth is {}", depth_name(depth.burst));
            table.column(title, false, |purchase| outcome(&purchase.outcomes[index], index == purchase.worst))
        });
        document.table(table.done());
    }

    fn add_prices(&self, document: &mut Document) {
        document.heading(Words::two(
            "THE PRICE OF EACH LIMIT ALONE ($/month over the optimum)",
            "The price of each limit alone ($/month over the optimum)",
        ));
        let limits = Table::of(self.limits.iter().enumerate()).number("limit", |(_, limit)| limit.to_string());
        let table = self.depths.iter().fold(limits, |table, depth| {
            // A plan that was made by hand may have none.
            let cell =
                |&(index, limit): &(usize, &Limit)| depth.prices.get(index).map(|price| price_cell(price, limit));
            table.number(format!("depth {}", depth_name(depth.burst)), |limit| cell(limit).unwrap_or_default())
        });
        document.table(table.done());
    }

    fn add_steps(&self, document: &mut Document, depth: &Depth) {
        let name = depth_name(depth.burst);
        let (upper, what) =
            if depth.steps.len() < self.counts { ("STEPS", "Steps") } else { ("EVERY STEP", "Every step") };
        document.heading(Words::two(
            format!("{upper} AT A DEPTH OF {name} (! = not met)"),
            format!("{what}, if the bucket holds {name} of drain"),
        ));
        document.note("Limits: the value, and the 95 % upper bound that decides. ✓ met, ✗ not met.");
        let table = Table::of(&depth.steps)
            .number("PTUs", |step| step.ptus.to_string())
            .column(Words::two("$/month", "cost per month"), false, |step| Cell::Interval(step.cost, dollars))
            .mean("succeed", percent, |step| step.success_share)
            .mean(Words::on_page("$ per 1,000 successes"), dollars, |step| step.cost_per_1000_successes)
            .number(Words::on_page("for PTUs"), |step| dollars(step.for_ptus))
            .number(Words::on_page("by the token"), |step| dollars(step.by_the_token()));
        let table = self.limits.iter().enumerate().fold(table, |table, (index, limit)| {
            let (metric, most) = (limit.metric, limit.form(limit.at_most));
            // Every wait here is an added one; the columns are narrow.
            let short = metric.title().trim_start_matches("added ");
            let title = Words::two(format!("{short}\n<= {most}"), format!("{} (at most {most})", metric.words()));
            table.column(title, false, |step| {
                let check = &step.checks[index];
                Cell::Bounded { value: check.value, upper: check.upper, form: metric.form(), is_met: check.is_met }
            })
        });
        document.table(table.number("", |step| self.remark(step, depth)).done());
        if let Some(next) = &depth.optimum.runner_up {
            let told = if next.more.low() > 0.0 { "" } else { ": the runs cannot tell the two apart" };
            let (best, more) = (depth.optimum.ptus, with_interval(&next.more, dollars));
            document.sentence(format!("After {best}, {} PTUs are cheapest: {more} more{told}.", next.ptus));
        }
    }

    fn remark(&self, step: &Step, depth: &Depth) -> String {
        let is_choice = depth.choice.as_ref().is_some_and(|choice| choice.ptus == step.ptus);
        let marks = [(is_choice, "choice"), (depth.optimum.ptus == step.ptus, "optimum")];
        let mut marks: Vec<String> = marks.iter().filter(|mark| mark.0).map(|mark| mark.1.to_owned()).collect();
        if step.costs.len() < self.replications as usize {
            marks.push(format!("{} runs", step.costs.len()));
        }
        marks.join(" and ")
    }
}

/// What a purchase comes to at one depth.
fn outcome(outcome: &Outcome, is_worst: bool) -> Cell {
    let cost = mean(&outcome.cost, dollars);
    let over = outcome.regret.map_or_else(String::new, |regret| {
        let sign = if regret.mean() < 0.0 { "-" } else { "+" };
        format!(" ({sign}{})", dollars(regret.mean().abs()))
    });
    let mut lines = vec![Words::two(format!("{cost}{over}"), cost)];
    lines.extend(outcome.regret.map(|regret| Words::on_page(format!("regret {}", with_interval(&regret, dollars)))));
    if !outcome.missed.is_empty() {
        let list = |name: fn(Metric) -> &'static str| {
            outcome.missed.iter().map(|metric| name(*metric)).collect::<Vec<_>>().join(", ")
        };
        let (keys, words) = (list(Metric::key), list(Metric::words));
        lines.push(Words::two(format!("misses {keys}"), format!("misses: {words}")));
    }
    if is_worst {
        lines.push("worst case".into());
    }
    Cell::Lines(lines)
}

fn price_cell(price: &Price, limit: &Limit) -> String {
    match (price.ptus, &price.over_optimum) {
        (Some(ptus), Some(over)) if over.mean() == 0.0 => format!("{ptus} PTUs, +$0"),
        (Some(ptus), Some(over)) => format!("{ptus} PTUs, +{}", with_interval(over, dollars)),
        _ => format!("none: {} PTUs come to {}", price.closest, limit.form(price.closest_upper)),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{
        plan::{Check, Choice, Optimum, Purchase, assumptions},
        report::{Estimate, testing::scenario},
        scenario::Span,
    };

    /// Two depths over 0, 50 and 100 PTUs: the shallow one needs 100, the deep one 50; without limits zero is cheapest.
    pub(crate) fn plan() -> PlanResult {
        let with_ptus = |ptus: u64| {
            let ptus = toml::Value::Integer(i64::try_from(ptus).unwrap());
            scenario().with(&[("backend.ptu.ptus".parse().unwrap(), ptus)]).unwrap()
        };
        let cost = |dollars: f64| Estimate::over([Some(dollars - 100.0), Some(dollars + 100.0)]);
        let step = |ptus: u64, dollars: f64, spill: f64, needs: u64| Step {
            ptus,
            cost: cost(dollars),
            success_share: Estimate::over([Some(0.5), Some(0.5)]),
            cost_per_1000_successes: Estimate::over([Some(1.25), Some(1.25)]),
            checks: vec![
                Check { value: Estimate::over([Some(spill); 2]), upper: spill * 1.1, is_met: ptus >= needs },
                Check {
                    value: Estimate::over([Some(if ptus == 0 { f64::INFINITY } else { 0.5 }); 2]),
                    upper: if ptus == 0 { f64::INFINITY } else { 0.6 },
                    is_met: ptus > 0,
                },
            ],
            costs: vec![dollars - 100.0, dollars + 100.0],
            for_ptus: crate::report::cost::for_ptus(&with_ptus(ptus)),
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
                optimum: Optimum {
                    ptus: 0,
                    cost: cost(30_000.0),
                    success_share: steps[0].success_share,
                    runner_up: None,
                },
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
            missed: vec![Metric::SpillShare],
        };
        PlanResult {
            assumptions: assumptions(&scenario(), 2, "ptu", &[Span::from_secs(1), Span::from_secs(60)]),
            title: "How many <PTUs>".to_owned(),
            backend: "ptu".to_owned(),
            model: "gpt-4.1".to_owned(),
            replications: 2,
            mean_need: Estimate::over([Some(61.0), Some(62.0)]),
            limits: vec![
                Limit { metric: Metric::SpillShare, at_most: 0.2 },
                Limit { metric: Metric::AddedWaitP95, at_most: 2.0 },
            ],
            with_plenty: Vec::new(),
            counts: 3,
            quotas: None,
            terms: Vec::new(),
            traffic_hours: None,
            notes: vec!["m.csv: the minutes were sorted".to_owned()],
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
        let html = plan.to_html().replace('\u{a0}', " ").replace('\u{2060}', "");
        for text in [
            "100 PTUs",
            "m.csv: the minutes were sorted",
            "How many &lt;PTUs&gt;",
            "misses: requests served elsewhere",
            "1 s, 60 s of drain",
        ] {
            assert!(html.contains(text), "{text} is missing");
        }
        for sentence in plan.verdict() {
            assert!(html.contains(&maud::html! { (sentence) }.into_string()), "{sentence} is missing");
        }
        assert_eq!(html.matches("role=\"img\"").count(), 3 * 2, "the cost, and each of two limits");
        assert!(!html.replace("xmlns=\"http", "").contains("http"));
    }

    #[test]
    fn the_cost_is_broken_down_into_ptus_and_tokens() {
        let plan = plan();
        let step = &plan.depths[0].steps[1];
        let parts = (step.for_ptus, step.by_the_token());
        // $1 an hour, 730 hours.
        assert!((parts.0 - 50.0 * 730.0).abs() < 1e-6 && (parts.1 - (45_000.0 - 36_500.0)).abs() < 1e-6, "{parts:?}");
        assert!(plan.to_html().contains("$8,500"));
    }

    #[test]
    fn steps_that_do_not_meet_a_limit_are_marked() {
        let html = plan().to_html();
        // Of 12 checks: both limits fail at zero, at both depths; the spill fails at 50 PTUs in the shallow bucket.
        assert_eq!((html.matches("title=\"met\"").count(), html.matches("title=\"not met\"").count()), (7, 5));
    }

    #[test]
    fn without_a_decision_the_page_says_so() {
        let plan = PlanResult { decision: None, purchases: Vec::new(), ..plan() };
        assert!(plan.to_html().contains("no step meets every limit at every bucket depth"));
    }
}
