//! What each pay-as-you-go quota would come to.

use super::{
    document::{Cell, Document, Table, Words},
    plan_verdict::tokens,
};
use crate::{
    number::dollars,
    plan::{PlanResult, QuotaGrid, QuotaRow, depth_name},
    report::Estimate,
};

impl PlanResult {
    pub(super) fn add_quotas(&self, document: &mut Document, grid: &QuotaGrid) {
        document.heading(Words::two(
            format!("AT EACH QUOTA OF {} ($/month)", grid.backend),
            format!("At each quota of {}", grid.backend),
        ));
        document.note(
            "Dollars per month at the depth where the count is dearest. All else here is for the answer's quota.",
        );
        let table = Table::of(&grid.rows)
            .number("tokens/min", |row| tokens(row.tpm))
            .number("buy PTUs", |row| count(row.decision))
            .column(Words::two("$/month", "cost per month"), false, |row| {
                Cell::Interval(row.cost.unwrap_or(Estimate::NOTHING), dollars)
            })
            .column("more", false, |row| Cell::Interval(row.more.unwrap_or(Estimate::NOTHING), dollars));
        let table = self.depths.iter().enumerate().fold(table, |table, (index, depth)| {
            table.number(format!("PTUs at {}", depth_name(depth.burst)), |row| {
                count(row.choices.get(index).copied().flatten())
            })
        });
        document.table(table.number("", |row| remark(row, grid)).done());
    }
}

fn remark(row: &QuotaRow, grid: &QuotaGrid) -> String {
    let (is_answer, is_next) = (row.tpm == grid.chosen && row.decision.is_some(), Some(row.tpm) == grid.runner_up);
    let mark = if is_answer { "answer" } else { "runner-up" };
    if is_answer || is_next { mark.to_owned() } else { String::new() }
}

fn count(ptus: Option<u64>) -> String {
    ptus.map_or_else(|| "none".to_owned(), |ptus| ptus.to_string())
}

#[cfg(test)]
mod tests {
    use super::{super::plan::tests::plan, *};

    /// The second of three quotas is the answer, the third comes after it.
    fn with_quotas(more: f64) -> PlanResult {
        let row = |tpm: u64, decision: Option<u64>, more: f64| QuotaRow {
            tpm,
            decision,
            cost: decision.map(|_| Estimate::over([Some(75_000.0 + more); 2])),
            more: decision.map(|_| Estimate::over([Some(more - 1.0), Some(more + 1.0)])),
            choices: vec![decision, Some(50)],
        };
        let rows = vec![row(100_000, None, 0.0), row(200_000, Some(100), 0.0), row(400_000, Some(45), more)];
        let grid = QuotaGrid { backend: "eu".to_owned(), chosen: 200_000, rows, runner_up: Some(400_000) };
        PlanResult { quotas: Some(grid), ..plan() }
    }

    #[test]
    fn the_answer_names_its_quota_and_the_one_after_it() {
        let line = &with_quotas(1_234.0).verdict()[1];
        assert!(line.starts_with("That is with 200,000 tokens per minute at eu, the cheapest of 3 quotas."), "{line}");
        assert!(line.contains("400,000 with 45 PTUs: $1,234"), "{line}");
        assert!(!line.contains("cannot tell"), "{line}");
        assert!(with_quotas(0.5).verdict()[1].contains("cannot tell the two apart"));
    }

    #[test]
    fn text_and_page_have_a_row_for_each_quota() {
        let plan = with_quotas(1_234.0);
        let text = plan.to_string();
        let (_, table) = text.split_once("AT EACH QUOTA OF eu").unwrap();
        let row = |tpm: &str| table.lines().find(|line| line.contains(tpm)).unwrap().to_owned();
        assert!(row("100,000").contains("none") && !row("100,000").contains("answer"), "{text}");
        assert!(row("200,000").contains("answer") && row("400,000").contains("runner-up"), "{text}");
        assert!(plan.to_html().contains("At each quota of eu"));
    }

    #[test]
    fn without_an_answer_the_quota_shown_is_said_to_be_the_largest() {
        let plan = PlanResult { decision: None, ..with_quotas(1.0) };
        let lines = plan.verdict().join("\n");
        assert!(lines.contains("the largest of 3 quotas: none will do."), "{lines}");
    }
}
