use std::fmt::{self, Write as _};

use super::{Binding, Depth, Limit, Measure, Outcome, PlanResult, Price, Step, decide::difference};
use crate::report::{
    Estimate,
    number::{self, dollars},
    terminal,
};
use crate::scenario::Span;

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
    /// The decision in sentences, the most important first.
    #[must_use]
    pub fn verdict(&self) -> Vec<String> {
        let mut lines = match self.decision {
            Some(ptus) => vec![self.purchase_line(ptus)],
            None => self.nothing_lines(),
        };
        lines.push(self.optimum_line());
        lines.extend(self.depths.iter().filter_map(|depth| self.limits_line(depth)));
        lines
    }

    fn purchase_line(&self, ptus: u64) -> String {
        let what = if ptus == 0 { "Buy no PTUs".to_owned() } else { format!("Buy {ptus} PTUs") };
        let Some(purchase) = self.purchases.iter().find(|purchase| purchase.ptus == ptus) else { return what };
        let worst = &purchase.outcomes[purchase.worst];
        let cost = monthly(&worst.cost);
        let meets = match (self.limits.is_empty(), self.limits.len()) {
            (true, _) => "no limit is set".to_owned(),
            (_, 1) => format!("{} is met", self.limits[0]),
            (_, count) => format!("all {count} limits are met"),
        };
        if self.depths.len() == 1 {
            return format!("{what}: {cost} a month, and {meets} (bucket depth {}).", depth_name(worst.burst));
        }
        let regret = match &worst.regret {
            Some(regret) if regret.mean() > 0.0 => {
                format!(", {} more than if that depth were known", monthly(regret))
            }
            _ => ", what it would cost if that depth were known".to_owned(),
        };
        format!(
            "{what}: {meets} at every bucket depth ({}). It costs at most {cost} a month (at {}{regret}).",
            self.depth_names(),
            depth_name(worst.burst)
        )
    }

    /// What fails, and by how much.
    fn nothing_lines(&self) -> Vec<String> {
        let most = self.depths.first().and_then(|depth| depth.steps.last()).map_or(0, |step| step.ptus);
        let mut lines = vec![match self.depths.len() {
            1 => format!("No count up to {most} PTUs meets every limit (bucket depth {}).", self.depth_names()),
            _ => {
                format!("No count up to {most} PTUs meets every limit at every bucket depth ({}).", self.depth_names())
            }
        }];
        for depth in &self.depths {
            let prefix = format!("At a depth of {}", depth_name(depth.burst));
            let failing: Vec<String> = depth
                .prices
                .iter()
                .zip(&self.limits)
                .filter(|(price, _)| price.ptus.is_none())
                .map(|(price, limit)| missed_by(price, limit))
                .collect();
            match (&depth.choice, failing.is_empty()) {
                (Some(choice), _) => lines.push(format!("{prefix}, {} PTUs would do.", choice.ptus)),
                (None, false) => lines.push(format!("{prefix}: {}.", failing.join("; "))),
                (None, true) => lines.push(format!("{prefix}, each limit can be met alone, but no count meets all.")),
            }
        }
        lines
    }

    fn optimum_line(&self) -> String {
        let mut groups: Vec<(u64, Vec<&Depth>)> = Vec::new();
        for depth in &self.depths {
            match groups.iter_mut().find(|(ptus, _)| *ptus == depth.optimum.ptus) {
                Some((_, group)) => group.push(depth),
                None => groups.push((depth.optimum.ptus, vec![depth])),
            }
        }
        let is_one = groups.len() == 1;
        let texts = groups.iter().map(|(ptus, group)| {
            let name = if *ptus == 0 { "zero PTUs: pay as you go" } else { &format!("{ptus} PTUs") };
            let depths: Vec<String> = group.iter().map(|depth| depth_name(depth.burst)).collect();
            let at = if is_one { String::new() } else { format!(" at {}", depths.join(" and ")) };
            // What zero PTUs cost does not depend on the depth.
            let mut costs: Vec<String> = group.iter().map(|depth| monthly(&depth.optimum.cost)).collect();
            costs.dedup();
            let is_tie = group.iter().any(|depth| is_tie_with_zero(depth));
            let tie = if is_tie { "; the runs cannot tell it from zero PTUs" } else { "" };
            format!("{name}{at} ({} a month{tie})", costs.join(", "))
        });
        format!("Without limits the cheapest is {}.", texts.collect::<Vec<_>>().join(", "))
    }

    /// What the limits cost at one depth, and which one binds.
    fn limits_line(&self, depth: &Depth) -> Option<String> {
        let choice = depth.choice.as_ref()?;
        let at = format!("At a depth of {}", depth_name(depth.burst));
        let Some(binding) = &choice.binding else {
            return Some(format!("{at}, {} PTUs are the optimum and meet the limits: they cost nothing.", choice.ptus));
        };
        Some(format!(
            "{at}, the limits take {} PTUs and cost {} a month over the optimum; {} fails at the next cheaper step \
             ({} PTUs: {}).",
            choice.ptus,
            monthly(&choice.over_optimum),
            join(&binding.limits),
            binding.ptus,
            self.bounds(depth, binding)
        ))
    }

    fn bounds(&self, depth: &Depth, binding: &Binding) -> String {
        let step = depth.steps.iter().find(|step| step.ptus == binding.ptus);
        let bounds = step.into_iter().flat_map(|step| step.checks.iter().zip(&self.limits));
        let missed = bounds.filter(|(check, _)| !check.is_met);
        let texts: Vec<String> = missed
            .map(|(check, limit)| format!("up to {}, over {}", form(limit, check.upper), form(limit, limit.at_most)))
            .collect();
        texts.join("; ")
    }

    fn depth_names(&self) -> String {
        let names: Vec<String> = self.depths.iter().map(|depth| depth_name(depth.burst)).collect();
        names.join(", ")
    }

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

/// Whether the optimum has PTUs, and may be no better than none.
fn is_tie_with_zero(depth: &Depth) -> bool {
    let step = |ptus: u64| depth.steps.iter().find(|step| step.ptus == ptus);
    depth.optimum.ptus > 0
        && step(0).zip(step(depth.optimum.ptus)).is_some_and(|(zero, optimum)| difference(zero, optimum).low() <= 0.0)
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

fn depth_name(burst: Span) -> String {
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

fn missed_by(price: &Price, limit: &Limit) -> String {
    let over = price.closest_upper - limit.at_most;
    let by = if over.is_finite() {
        format!(", {} too much", if limit.measure.is_share() { points(over) } else { number::seconds(over) })
    } else {
        ", as some requests never succeed or there are too few to tell".to_owned()
    };
    format!(
        "{limit} cannot be met; {} PTUs come closest with up to {}{by}",
        price.closest,
        form(limit, price.closest_upper)
    )
}

/// A difference of shares.
fn points(share: f64) -> String {
    format!("{} points", number::significant(share * 100.0))
}

fn form(limit: &Limit, value: f64) -> String {
    limit.measure.form(value)
}

fn monthly(cost: &Estimate) -> String {
    number::with_interval(cost, dollars)
}

fn join(measures: &[Measure]) -> String {
    let keys: Vec<&str> = measures.iter().map(|measure| measure.key()).collect();
    keys.join(", ")
}
