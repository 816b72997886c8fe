//! The answer of a run: cards that can be read from across the room, and sentences.

use super::document::Card;
use crate::{
    number::{Form, count, dollars, mean, percent, ratio, seconds, with_interval},
    report::{Estimate, Limited, Report},
};

impl Report {
    pub(super) fn cards(&self) -> Vec<Card> {
        let all = &self.all;
        let card = |what: &str, of: &str, value: &Estimate, form: Form| {
            let interval = crate::number::interval(value, form).unwrap_or_default();
            Card::new(what, mean(value, form), format!("{of}{interval}"))
        };
        vec![
            card("Requests that succeeded", "", &all.success_share, percent),
            card("429s at the application", "of requests ", &all.application_429_share, percent),
            card("Added wait, 95th percentile", "", &all.added_wait.p95, seconds),
            match &self.cost.per_month {
                Some(cost) => card("Cost per month", "", cost, dollars),
                None => Card::new("Cost per month", "not known", "no price given"),
            },
        ]
    }

    /// Whether one real run would look like the mean.
    fn one_run_sentence(&self) -> Option<String> {
        let one = self.one_run?;
        let spread = |what: &str, spread: Option<crate::report::Spread>, form: Form| {
            spread.map(|spread| match (form(spread.low), form(spread.high)) {
                (low, high) if low == high => format!("{what} {low}"),
                (low, high) => format!("{what} {low} to {high}"),
            })
        };
        let parts = [
            spread("success", one.success_share, percent),
            spread("429s", one.application_429_share, percent),
            spread("added wait p95", one.added_wait_p95, seconds),
            spread("first token p95", one.first_token_p95, seconds),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        let words = "One run more would show, with 95 % probability each (a prediction interval)";
        (!parts.is_empty()).then(|| format!("{words}: {}.", parts.join("; ")))
    }

    /// The decision in sentences.
    pub(crate) fn sentences(&self) -> Vec<String> {
        let all = &self.all;
        if all.offered.mean() == 0.0 || !all.offered.is_some() {
            return vec!["No request arrived after the warm-up: there is nothing to answer.".to_owned()];
        }
        let mut sentences = vec![
            format!(
                "{} of the requests succeeded; {} ended with a 429 at the application.",
                with_interval(&all.success_share, percent),
                with_interval(&all.application_429_share, percent)
            ),
            if all.backend_429s.mean() > 0.0 {
                format!(
                    "Backends refused {} attempts with a 429 ({}) per run; {}.",
                    mean(&all.backend_429s, count),
                    mean(&all.backend_429_share, percent),
                    if all.application_429s.mean() > 0.0 {
                        // No part of the refusals: the balancer says it too, while every backend is out.
                        format!(
                            "{} requests per run ended with a 429, which the balancer gives too while no backend is \
                             available",
                            mean(&all.application_429s, count)
                        )
                    } else {
                        "no request ended with one".to_owned()
                    }
                )
            } else {
                "No backend refused an attempt with a 429.".to_owned()
            },
            format!(
                "Added wait: p50 {}, p95 {}, p99 {}. {} of the successes came from other than the best priority.",
                mean(&all.added_wait.p50, seconds),
                with_interval(&all.added_wait.p95, seconds),
                with_interval(&all.added_wait.p99, seconds),
                with_interval(&all.spill_share, percent)
            ),
        ];
        sentences.extend(self.one_run_sentence());
        if all.deadline_misses.mean() > 0.0 {
            sentences.push(format!(
                "{} requests per run did not succeed before their callers' deadline.",
                mean(&all.deadline_misses, count)
            ));
        }
        if all.waited.mean() > 0.0 {
            sentences.push(format!(
                "{} requests waited in their pool, {} on average, half of them up to {}, 99 % up to {}. Backends gave {} \
                 429s for each request that succeeded.",
                mean(&all.waited, count),
                mean(&all.wait.mean, seconds),
                mean(&all.wait.p50, seconds),
                mean(&all.wait.p99, seconds),
                with_interval(&all.backend_429s_per_success, ratio)
            ));
        }
        sentences.push(match (self.cost.per_month, self.cost.per_1000_successes) {
            (Some(month), Some(per_1000)) if per_1000.is_some() => format!(
                "A month costs {}: {} per 1,000 successful requests.",
                with_interval(&month, dollars),
                mean(&per_1000, dollars)
            ),
            (Some(month), _) => format!("A month costs {}.", with_interval(&month, dollars)),
            (None, _) => {
                format!("What it costs is not known; no price given: {}.", self.cost.missing_prices.join(", "))
            }
        });
        sentences.extend(self.limits.iter().map(limit_sentence));
        sentences
    }
}

/// How a limit of the run fares.
fn limit_sentence(limited: &Limited) -> String {
    let Limited { limit, check } = limited;
    let verdict = if check.is_met { "is met" } else { "IS NOT MET" };
    format!("{limit} {verdict}: {}, up to {}.", mean(&check.value, limit.metric.form()), limit.form(check.upper))
}
