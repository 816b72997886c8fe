//! What to buy, in sentences.

use crate::{
    metric::Metric,
    number::{self, dollars},
    plan::{Binding, Depth, Limit, PLENTY, PlanResult, Price, Term, TermCost, depth_name, difference},
    report::Estimate,
};

impl PlanResult {
    /// The decision in sentences, the most important first.
    #[must_use]
    pub fn verdict(&self) -> Vec<String> {
        let mut lines = match self.decision {
            Some(ptus) => vec![self.purchase_line(ptus)],
            None => self.nothing_lines(),
        };
        lines.extend(self.quota_line());
        lines.extend(self.terms_line());
        lines.push(self.optimum_line());
        lines.extend(self.depths.iter().filter_map(|depth| self.limits_line(depth)));
        lines
    }

    fn purchase_line(&self, ptus: u64) -> String {
        let what = if ptus == 0 { "Buy no PTUs".to_owned() } else { format!("Buy {ptus} PTUs") };
        let Some(purchase) = self.purchases.iter().find(|purchase| purchase.ptus == ptus) else { return what };
        let worst = &purchase.outcomes[purchase.worst];
        let cost = monthly(&worst.cost);
        let meets = match self.limits.as_slice() {
            [] => "no limit is set".to_owned(),
            [limit] => format!("{limit} is met"),
            limits => format!("all {} limits are met", limits.len()),
        };
        if self.depths.len() == 1 {
            return format!("{what}: {cost} a month, and {meets} (bucket depth {}).", depth_name(worst.burst));
        }
        let depths = self.depth_names();
        let where_met =
            if self.limits.is_empty() { String::new() } else { format!(" at every bucket depth ({depths})") };
        let regrets = purchase.outcomes.iter().filter_map(|outcome| Some((outcome.burst, outcome.regret?)));
        let largest = regrets.max_by(|(_, a), (_, b)| a.mean().total_cmp(&b.mean()));
        let regret = match largest.filter(|(_, regret)| regret.mean() > 0.0) {
            Some((burst, regret)) => {
                let (regret, burst) = (monthly(&regret), depth_name(burst));
                format!("Its largest regret: {regret} a month too much if the depth is {burst}.")
            }
            None => "At no depth would another count have been cheaper.".to_owned(),
        };
        let worst = depth_name(worst.burst);
        format!("{what}: {meets}{where_met}. It costs at most {cost} a month (at a depth of {worst}). {regret}")
    }

    /// What fails, and by how much.
    fn nothing_lines(&self) -> Vec<String> {
        let most = self.depths.first().and_then(|depth| depth.steps.last()).map_or(0, |step| step.ptus);
        let none = format!("No count up to {most} PTUs, the end of the range, meets every limit");
        let mut lines = vec![match self.depths.len() {
            1 => format!("{none} (bucket depth {}).", self.depth_names()),
            _ => format!("{none} at every bucket depth ({}).", self.depth_names()),
        }];
        for depth in &self.depths {
            let prefix = format!("At a depth of {}", depth_name(depth.burst));
            let failing: Vec<String> = depth
                .prices
                .iter()
                .zip(&self.limits)
                .zip(&self.with_plenty)
                .filter(|((price, _), _)| price.ptus.is_none())
                .map(|((price, limit), plenty)| missed_by(price, limit, most, plenty.is_met))
                .collect();
            match (&depth.choice, failing.is_empty()) {
                (Some(choice), _) => lines.push(format!("{prefix}, {} PTUs would do.", choice.ptus)),
                (None, false) => lines.push(format!("{prefix}: {}.", failing.join("; "))),
                (None, true) => lines.push(format!("{prefix}, each limit can be met alone, but no count meets all.")),
            }
        }
        lines
    }

    /// Which quota the answer is for, and the one after it.
    fn quota_line(&self) -> Option<String> {
        let grid = self.quotas.as_ref()?;
        let chosen = format!("That is with {} tokens per minute at {}", tokens(grid.chosen), grid.backend);
        if self.decision.is_none() {
            return Some(format!("{chosen}, the largest of {} quotas: none will do.", grid.rows.len()));
        }
        let next = grid.rows.iter().find(|row| Some(row.tpm) == grid.runner_up);
        let Some((next, ptus, more)) = next.and_then(|row| Some((row, row.decision?, row.more?))) else {
            return Some(format!("{chosen}, the only one of {} quotas that will do.", grid.rows.len()));
        };
        let told = if more.low() > 0.0 { "" } else { "; the runs cannot tell the two apart" };
        Some(format!(
            "{chosen}, the cheapest of {} quotas. After it come {} with {ptus} PTUs: {} a month more{told}.",
            grid.rows.len(),
            tokens(next.tpm),
            monthly(&more)
        ))
    }

    /// What the PTUs cost by each price, and which is the cheapest for how many hours.
    fn terms_line(&self) -> Option<String> {
        let ptus = self.decision?;
        let texts: Vec<String> =
            self.terms.iter().map(|one| format!("{} {}", dollars(one.per_month), by(one))).collect();
        let cost = |one: &TermCost| one.in_part.unwrap_or(one.per_month);
        let always = self.terms.iter().min_by(|a, b| a.per_month.total_cmp(&b.per_month))?;
        let part = self.terms.iter().min_by(|a, b| cost(a).total_cmp(&cost(b)))?;
        let all = texts.join(", ").replacen(" by", " a month by", 1);
        let less = always.break_even_hours.map_or_else(String::new, |hours| {
            format!(", and for less than {} hours a month, by the hour", number::thousands(hours))
        });
        let only = self.traffic_hours.map_or_else(String::new, |hours| {
            let (hours, cost) = (number::thousands(hours), dollars(cost(part)));
            format!(
                " The traffic lasts {hours} of the 730 hours: if they are there only then they cost least {}: {cost}.",
                by(part)
            )
        });
        Some(format!("{ptus} PTUs cost {all}. Needed all the time they cost least {}{less}.{only}", by(always)))
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
            let shares = group.iter().map(|depth| depth.optimum.success_share);
            let least = shares.min_by(|a, b| a.mean().total_cmp(&b.mean())).unwrap_or(Estimate::NOTHING);
            let succeed = number::mean(&least, number::percent);
            format!("{name}{at} ({} a month, at which {succeed} of the requests succeed{tie})", costs.join(", "))
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
            keys(&binding.limits),
            binding.ptus,
            self.bounds(depth, binding)
        ))
    }

    fn bounds(&self, depth: &Depth, binding: &Binding) -> String {
        let step = depth.steps.iter().find(|step| step.ptus == binding.ptus);
        let bounds = step.into_iter().flat_map(|step| step.checks.iter().zip(&self.limits));
        let missed = bounds.filter(|(check, _)| !check.is_met);
        let texts: Vec<String> = missed
            .map(|(check, limit)| format!("up to {}, over {}", limit.form(check.upper), limit.form(limit.at_most)))
            .collect();
        texts.join("; ")
    }

    fn depth_names(&self) -> String {
        let names: Vec<String> = self.depths.iter().map(|depth| depth_name(depth.burst)).collect();
        names.join(", ")
    }
}

/// Whether the optimum has PTUs, and may be no better than none.
fn is_tie_with_zero(depth: &Depth) -> bool {
    let step = |ptus: u64| depth.steps.iter().find(|step| step.ptus == ptus);
    depth.optimum.ptus > 0
        && step(0).zip(step(depth.optimum.ptus)).is_some_and(|(zero, optimum)| difference(zero, optimum).low() <= 0.0)
}

/// How far the range, up to `most` PTUs, is from a limit; `is_met` with plenty of them or not.
fn missed_by(price: &Price, limit: &Limit, most: u64, is_met: bool) -> String {
    let over = price.closest_upper - limit.at_most;
    let by = if over.is_finite() {
        format!(", {} too much", if limit.metric.is_share() { points(over) } else { number::seconds(over) })
    } else {
        ", as some requests never succeed or there are too few to tell".to_owned()
    };
    let where_to = match is_met {
        true => format!("is not met up to {most} PTUs, the end of the range"),
        false => format!("cannot be met, not even with {} PTUs", number::thousands(PLENTY as f64)),
    };
    format!(
        "{limit} {where_to}; {} PTUs come closest with up to {}{by}",
        price.closest,
        limit.form(price.closest_upper)
    )
}

/// A difference of shares.
fn points(share: f64) -> String {
    format!("{} points", number::significant(share * 100.0))
}

fn monthly(cost: &Estimate) -> String {
    number::with_interval(cost, dollars)
}

pub(super) fn tokens(tpm: u64) -> String {
    number::thousands(tpm as f64)
}

fn by(cost: &TermCost) -> &'static str {
    match cost.term {
        Term::Hour => "by the hour",
        Term::Month => "by the month",
        Term::Year => "by the year",
    }
}

fn keys(metrics: &[Metric]) -> String {
    metrics.iter().map(|metric| metric.key()).collect::<Vec<_>>().join(", ")
}
