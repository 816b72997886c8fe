//! What the figures of a report rest on.

use super::document::{Block, Cell, Document, Table, Words};
use crate::report::{Assumption, Source};

/// What to know about how files were read: where the answer is, since it may decide.
pub(crate) fn add_notes(document: &mut Document, notes: &[String]) {
    if !notes.is_empty() {
        document.heading(Words::two("FILES, AS THEY WERE READ", "Files, as they were read"));
        notes.iter().for_each(|note| document.add(Block::Warning(note.as_str().into())));
    }
}

/// What figures rest on, the weakest first. A terminal has those that nobody documents.
pub(crate) fn add_assumptions(document: &mut Document, heading: Words, assumptions: &[Assumption]) {
    let is_weak = |one: &Assumption| matches!(one.source, Source::Assumed | Source::Observed);
    let weak = assumptions.iter().filter(|one| is_weak(one)).count();
    let is_on_terminal = heading.terminal.is_some();
    let title = |title: &str| if is_on_terminal { Words::two("", title) } else { Words::on_page(title) };
    document.heading(heading);
    document.note(format!(
        "{weak} of these are assumed, or only seen on single deployments: where one of them decides, vary it."
    ));
    document.table(
        Table::of(assumptions)
            .column(title("source"), true, |one| Cell::Tag(one.source.word()))
            .text(title("what"), |one| one.what.clone())
            .text(title("here"), |one| one.value.clone())
            .text(Words::on_page("reference"), |one| one.reference.clone())
            .only_on_page(|one| !is_weak(one))
            .done(),
    );
}
