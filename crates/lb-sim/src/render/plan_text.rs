use std::fmt::{self, Write as _};

use super::terminal;
use crate::{
    number::{self, dollars},
    plan::{Depth, Limit, Measure, Outcome, PlanResult, Price, Step},
    report::Estimate,
    scenario::Span,
};

impl Measure {
    /// What stands above its column.
    pub(crate) const fn head(self) -> &'static str {
        match self {
            Self::SpillShare => "spilled",
            Self::Application429Share => "429 seen",
            Self::FailedShare => "failed",
            Self::AddedWaitP95 => "wait p95",
            Self::AddedWaitP99 => "wait p99",
            Self::TtftP95 => "first token p95",
        }
    }

    /// A value of it, with its unit.
    pub(crate) fn form(self, value: f64) -> String {
        if self.is_share() { number::percent(value) } else { number::seconds(value) }
    }
}

/// The limit as it is written: `spill_share <= 10.0 %`.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <= {}", self.measure.key(), self.measure.form(self.at_most))
    }
}

impl PlanResult {
    fn purchases_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let depths = self.depths.iter().map(|depth| format!("if the depth is {}", depth_name(depth.burst)));
        let head = ["PTUs", "bought for"].map(str::to_owned).into_iter().chain(depths);
        let rows = self.purchases.iter().map(|purchase| {
            let mut bought: Vec<String> = purchase.chosen_for.iter().copied().map(depth_name).collect();
            if Some(purchase.ptus) == self.decision {
                bought.push("any".to_owned());
            }
            let outcomes = purchase.outcomes.iter().enumerate().map(|(index, outcome)| {
                let is_worst = index == purchase.worst && self.depths.len() > 1;
                outcome_cell(outcome) + if is_worst { "\nworst case" } else { "" }
            });
            [purchase.ptus.to_string(), bought.join(", ")].into_iter().chain(outcomes).collect()
        });
        table(f, head, rows)
    }

    fn prices_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let depths = self.depths.iter().map(|depth| format!("depth {}", depth_name(depth.burst)));
        let rows = self.limits.iter().enumerate().map(|(index, limit)| {
            let prices = self.depths.iter().map(|depth| price_cell(&depth.prices[index], limit));
            std::iter::once(limit.to_string()).chain(prices).collect()
        });
        table(f, std::iter::once("limit".to_owned()).chain(depths), rows)
    }

    fn steps_table(&self, depth: &Depth, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["PTUs", "$/month"].map(str::to_owned).into_iter();
        let limits =
            self.limits.iter().map(|limit| format!("{}\n<= {}", limit.measure.head(), form(limit, limit.at_most)));
        let head = head.chain(limits).chain([String::new()]);
        let rows = depth.steps.iter().map(|step| {
            let checks = step.checks.iter().zip(&self.limits).map(|(check, limit)| {
                let form: number::Form = if limit.measure.is_share() { number::percent } else { number::seconds };
                let mark = if check.is_met { "" } else { " !" };
                format!("{} ({}){mark}", number::mean(&check.value, form), form(check.upper))
            });
            let cells = [step.ptus.to_string(), monthly(&step.cost)].into_iter();
            cells.chain(checks).chain([remark(step, depth)]).collect()
        });
        table(f, head, rows)
    }
}

fn remark(step: &Step, depth: &Depth) -> String {
    let is_choice = depth.choice.as_ref().is_some_and(|choice| choice.ptus == step.ptus);
    match (is_choice, depth.optimum.ptus == step.ptus) {
        (true, true) => "choice and optimum".to_owned(),
        (true, false) => "choice".to_owned(),
        (false, true) => "optimum".to_owned(),
        (false, false) => String::new(),
    }
}

/// The whole plan for a terminal of 100 columns, the decision first.
impl fmt::Display for PlanResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.title.is_empty() {
            writeln!(f, "{}", self.title)?;
        }
        writeln!(f, "PTUs of `{}` ({}), {} runs per step and depth", self.backend, self.model, self.replications)?;
        writeln!(f, "\nANSWER")?;
        for line in self.verdict() {
            paragraph(f, &line)?;
        }
        if !self.purchases.is_empty() && self.depths.len() > 1 {
            writeln!(f, "\nIF THE DEPTH IS NOT WHAT YOU THINK ($/month; in brackets over the choice for that depth)")?;
            self.purchases_table(f)?;
        }
        if !self.limits.is_empty() {
            writeln!(f, "\nTHE PRICE OF EACH LIMIT ALONE ($/month over the optimum)")?;
            self.prices_table(f)?;
        }
        for depth in &self.depths {
            writeln!(f, "\nEVERY STEP AT A DEPTH OF {} (! = not met)", depth_name(depth.burst))?;
            self.steps_table(depth, f)?;
            if let Some(next) = &depth.optimum.runner_up {
                let told = if next.more.low() > 0.0 { "" } else { ": the runs cannot tell the two apart" };
                let more = monthly(&next.more);
                let line = format!("After {}, {} PTUs are cheapest: {more} more{told}.", depth.optimum.ptus, next.ptus);
                paragraph(f, &line)?;
            }
        }
        writeln!(f, "\nHOW TO READ IT")?;
        paragraph(
            f,
            "A limit is met if the one-sided 95 % upper bound, in brackets behind the value, meets it. \u{b1} is the \
             95 % interval of sampling. How deep the bucket is, is not documented: each depth stands by itself.",
        )?;
        if self.mean_need.is_some() {
            let need = number::with_interval(&self.mean_need, number::significant);
            paragraph(
                f,
                &format!("The sizing formula gives {need} PTUs for the mean of this traffic, without bursts."),
            )?;
        }
        Ok(())
    }
}

pub(crate) fn depth_name(burst: Span) -> String {
    number::seconds(burst.as_secs_f64())
}

fn paragraph(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    terminal::wrap(text, 98).iter().try_for_each(|line| writeln!(f, "  {line}"))
}

fn table(
    f: &mut fmt::Formatter<'_>,
    head: impl Iterator<Item = String>,
    rows: impl Iterator<Item = Vec<String>>,
) -> fmt::Result {
    let head: Vec<String> = head.collect();
    terminal::table(f, &head.iter().map(String::as_str).collect::<Vec<_>>(), &[], rows)
}

fn outcome_cell(outcome: &Outcome) -> String {
    let mut text = dollars(outcome.cost.mean());
    if let Some(regret) = &outcome.regret {
        let sign = if regret.mean() < 0.0 { "-" } else { "+" };
        let _ = write!(text, " ({sign}{})", dollars(regret.mean().abs()));
    }
    if !outcome.missed.is_empty() {
        let _ = write!(text, "\nmisses {}", join(&outcome.missed));
    }
    text
}

fn price_cell(price: &Price, limit: &Limit) -> String {
    match (price.ptus, &price.over_optimum) {
        (Some(ptus), Some(over)) if over.mean() == 0.0 => format!("{ptus} PTUs, +$0"),
        (Some(ptus), Some(over)) => format!("{ptus} PTUs, +{}", monthly(over)),
        _ => format!("none: {} PTUs come to {}", price.closest, form(limit, price.closest_upper)),
    }
}

pub(crate) fn form(limit: &Limit, value: f64) -> String {
    limit.measure.form(value)
}

pub(crate) fn monthly(cost: &Estimate) -> String {
    number::with_interval(cost, dollars)
}

pub(crate) fn join(measures: &[Measure]) -> String {
    let keys: Vec<&str> = measures.iter().map(|measure| measure.key()).collect();
    keys.join(", ")
}
