//! What PTUs cost by the hour, by the month and by the year.

use serde::Serialize;

use crate::{
    metrics::RunSummary,
    report::cost::{HOURS_PER_MONTH, Term, ptu_prices},
    scenario::{Backend, Scenario},
};

/// What the PTUs of a decision cost by one of the prices that the scenario gives for them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TermCost {
    /// How they are paid.
    pub term: Term,
    /// Dollars per month if they are there all the time.
    pub per_month: f64,
    /// Dollars per month if they are there only while the traffic is; what is reserved is paid all the time. `None` if
    /// the run stands for no more time than it lasts (`run.represents`).
    pub in_part: Option<f64>,
    /// Hours per month above which it is cheaper than by the hour: never, if a month has not as many. `None` for the hour
    /// itself, and if that has no price.
    pub break_even_hours: Option<f64>,
}

/// Hours of a month that the traffic of a run lasts; `None` if it stands for no more time than that.
pub(super) fn traffic_hours(scenario: &Scenario, run: &RunSummary) -> Option<f64> {
    let lasts = run.end as f64 / scenario.run.represents?.as_nanos() as f64;
    (lasts < 1.0).then_some(lasts * HOURS_PER_MONTH)
}

/// What so many PTUs cost by each price; nothing if there is no choice between prices.
pub(super) fn of(backend: &Backend, ptus: Option<u64>, traffic_hours: Option<f64>) -> Vec<TermCost> {
    let prices: Vec<(Term, f64)> = ptu_prices(backend).collect();
    let Some(ptus) = ptus.filter(|&ptus| ptus > 0 && prices.len() > 1) else { return Vec::new() };
    let of_term = |&(term, price): &(Term, f64)| {
        let per_month = price * ptus as f64;
        let of_hours = |hours: f64| if term == Term::Hour { per_month * hours / HOURS_PER_MONTH } else { per_month };
        let hour = backend.price_ptu_hour.filter(|&hour| term != Term::Hour && hour > 0.0);
        let break_even_hours = hour.map(|hour| price / hour);
        TermCost { term, per_month, in_part: traffic_hours.map(of_hours), break_even_hours }
    };
    prices.iter().map(of_term).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        plan::{PlanResult, plan},
        report::cost,
    };

    /// Half the hours cost as much as a month, and ten months as much as a year.
    const PRICES: &str = "price_ptu_hour = 1.0, price_ptu_month = 365.0, price_ptu_year = 3650.0";

    fn scenario(prices: &str, run: &str) -> Scenario {
        let text = format!(
            r#"
            run = {{ duration = "2m"{run} }}
            plan = {{ backend = "ptu", max_ptus = 20, bursts = ["10s"], replications = 4, limits = {{ spill_share = 0.5 }} }}
            model = [{{ name = "gpt-4.1", price_input = 2.0, price_output = 8.0 }}]
            backend = [
                {{ name = "ptu", model = "gpt-4.1", preset = "azure-ptu", ptus = 15, {prices} }},
                {{ name = "eu", priority = 2, model = "gpt-4.1", preset = "azure-standard", tpm = 1_000_000 }},
            ]
            workload = [{{ name = "chat", kind = "poisson", rate = 2, input = 200, output = 50, max_tokens = 100 }}]
            "#
        );
        Scenario::parse(&text).unwrap()
    }

    fn planned(prices: &str, run: &str) -> PlanResult {
        plan(&scenario(prices, run), &()).unwrap()
    }

    #[test]
    fn each_price_has_its_month_and_its_break_even() {
        let plan = planned(PRICES, "");
        let found: Vec<_> =
            plan.terms.iter().map(|term| (term.term, term.per_month.round(), term.break_even_hours)).collect();
        let year = 3650.0 / 12.0;
        let expected = [
            (Term::Hour, 15.0 * 730.0, None),
            (Term::Month, 15.0 * 365.0, Some(365.0)),
            (Term::Year, (15.0_f64 * year).round(), Some(year)),
        ];
        assert_eq!((plan.decision, found), (Some(15), expected.to_vec()));
        let line = plan.verdict().join("\n");
        assert!(
            line.contains("15 PTUs cost $10,950 a month by the hour, $5,475 by the month, $4,562 by the year"),
            "{line}"
        );
        assert!(line.contains("Needed all the time they cost least by the year"), "{line}");
        assert!(line.contains("for less than 304 hours a month, by the hour"), "{line}");
    }

    #[test]
    fn ptus_that_are_needed_in_part_may_cost_least_by_the_hour() {
        // Two minutes that stand for eight: a quarter of the 730 hours.
        let plan = planned(PRICES, ", represents = \"8m\"");
        let in_part: Vec<f64> = plan.terms.iter().map(|term| term.in_part.unwrap().round()).collect();
        assert_eq!(in_part, [(15.0 * 182.5_f64).round(), 15.0 * 365.0, (15.0 * 3650.0 / 12.0_f64).round()]);
        let lines = plan.verdict().join("\n");
        assert!(
            lines.contains("lasts 182 of the 730 hours") || lines.contains("lasts 183 of the 730 hours"),
            "{lines}"
        );
        assert!(lines.contains("only then they cost least by the hour: $2,738"), "{lines}");
    }

    #[test]
    fn of_several_prices_the_cheapest_counts_and_one_is_no_choice() {
        let per_month = |prices: &str| cost::for_ptus(&scenario(prices, ""));
        assert_eq!(per_month(PRICES), 15.0 * (3650.0 / 12.0));
        assert_eq!(per_month("price_ptu_hour = 0.1, price_ptu_month = 365.0"), 15.0 * (0.1 * HOURS_PER_MONTH));
        assert!(planned("price_ptu_year = 3650.0", "").terms.is_empty());
    }
}
