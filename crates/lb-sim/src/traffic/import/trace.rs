use std::{num::NonZeroU32, path::Path};

use super::formats;
use crate::{
    scenario::{Columns, Scenario, ScenarioError, TraceFormat},
    time,
};

/// Recorded requests, in order of arrival, the first at time 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trace {
    rows: Vec<Row>,
    notes: Vec<String>,
    has_max_tokens: bool,
    moment: Option<u64>,
}

/// A recorded request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Row {
    /// When it arrived, in nanoseconds from the first.
    pub at: u64,
    /// Tokens of the prompt, cached ones included.
    pub input: u32,
    /// Tokens of the completion.
    pub output: u32,
    /// Tokens of the prompt that were in the service's cache; at most `input`.
    pub cached: u32,
    /// What it said as `max_tokens`.
    pub max_tokens: Option<NonZeroU32>,
}

impl Trace {
    /// A trace of these requests: sorted by time, those of one time in the order given, and shifted so that the first
    /// arrives at 0.
    pub(crate) fn new(mut rows: Vec<Row>) -> Self {
        let mut notes = Vec::new();
        let late = rows.windows(2).filter(|pair| pair[1].at < pair[0].at).count();
        if late > 0 {
            notes
                .push(format!("{late} of {} lines are earlier than the line before; the trace was sorted", rows.len()));
            rows.sort_by_key(|row| row.at);
        }
        let begin = rows.first().map_or(0, |row| row.at);
        for row in &mut rows {
            row.at -= begin;
            row.cached = row.cached.min(row.input);
        }
        let has_max_tokens = rows.iter().any(|row| row.max_tokens.is_some());
        Self { rows, notes, has_max_tokens, moment: time::moment(begin) }
    }

    /// The trace that a workload of a scenario replays.
    ///
    /// # Errors
    ///
    /// If there is no such workload, it has no file, or the file is no trace: with the key, or its line and column.
    pub fn of(scenario: &Scenario, workload: &str) -> Result<Self, ScenarioError> {
        let wrong = |problem: &str| ScenarioError::new(format!("workload.{workload}.file"), problem);
        let entry = scenario.workloads.iter().find(|entry| entry.name == workload);
        let entry = entry.ok_or_else(|| wrong("there is no such workload"))?;
        let file = entry.file.as_ref().ok_or_else(|| wrong("it replays no file"))?;
        Self::read(&scenario.folder.join(file), entry.format, entry.columns.as_ref())
    }

    /// The trace in a file; without a format, by its columns.
    pub(crate) fn read(
        file: &Path,
        format: Option<TraceFormat>,
        columns: Option<&Columns>,
    ) -> Result<Self, ScenarioError> {
        formats::read(file, format, columns, 0).map_err(|problem| ScenarioError::new("", problem))
    }

    pub(in crate::traffic) fn with_note(mut self, note: String) -> Self {
        self.notes.push(note);
        self
    }

    /// The requests.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// What a reader of figures made from the trace should know about how it was read.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// When the first request arrived, in nanoseconds since 1970, if the trace has dates.
    pub(in crate::traffic) const fn moment(&self) -> Option<u64> {
        self.moment
    }

    /// Whether any request said something as `max_tokens`.
    pub(crate) const fn has_max_tokens(&self) -> bool {
        self.has_max_tokens
    }

    /// From the first arrival to the last, in nanoseconds.
    #[must_use]
    pub fn span(&self) -> u64 {
        self.rows.last().map_or(0, |row| row.at)
    }

    /// After how long a loop begins again: the span, and one mean gap between the last request and the first.
    pub(crate) fn period(&self) -> u64 {
        let gaps = (self.rows.len() as u64).saturating_sub(1).max(1);
        self.span().saturating_add((self.span() / gaps).max(1))
    }

    /// The row that uniform bits fall on.
    #[inline]
    pub(in crate::traffic) fn row_at(&self, bits: u64) -> &Row {
        #[expect(clippy::cast_possible_truncation, reason = "below the number of rows")]
        let row = ((u128::from(bits) * self.rows.len() as u128) >> 64) as usize;
        &self.rows[row]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(at: u64) -> Row {
        Row { at, ..Row::default() }
    }

    #[test]
    fn rows_out_of_order_are_sorted_stably_and_that_is_said() {
        let row = |at, input| Row { at, input, ..Row::default() };
        let trace = Trace::new(vec![row(30, 1), row(10, 2), row(20, 3), row(10, 4)]);
        let order: Vec<_> = trace.rows().iter().map(|row| (row.at, row.input)).collect();
        assert_eq!(order, [(0, 2), (0, 4), (10, 3), (20, 1)]);
        assert_eq!(trace.notes(), ["2 of 4 lines are earlier than the line before; the trace was sorted"]);
        assert!(Trace::new(vec![at(1), at(1), at(2)]).notes().is_empty());
    }

    #[test]
    fn a_loop_keeps_the_rate() {
        let trace = Trace::new(vec![at(100), at(150), at(200)]);
        assert_eq!((trace.span(), trace.period()), (100, 150));
    }

    #[test]
    fn cached_tokens_are_part_of_the_input() {
        let trace = Trace::new(vec![Row { input: 5, cached: 9, ..Row::default() }]);
        assert_eq!(trace.rows()[0].cached, 5);
    }
}
