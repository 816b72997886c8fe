//! A document on a terminal of 100 columns.

use std::fmt::{self, Display, Formatter};

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table as Columns, Width, presets};

use super::document::{Block, Cell, Document, Table, Words};
use crate::number;

/// Columns of the terminal.
const WIDTH: u16 = 100;

impl Display for Document {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // What stands under a heading is indented.
        let (mut indent, mut is_below_heading) = ("", false);
        for block in &self.blocks {
            match block {
                Block::Title(words) | Block::Meta(words) => lines(f, "", words.terminal.as_deref())?,
                Block::Sentence(words) | Block::Warning(words) => lines(f, indent, words.terminal.as_deref())?,
                Block::Footer(Words { terminal: Some(words), .. }) => writeln!(f, "\n{words}")?,
                Block::Heading(words) if words.terminal.is_some() => {
                    writeln!(f)?;
                    lines(f, "", words.terminal.as_deref())?;
                    (indent, is_below_heading) = ("  ", true);
                    continue;
                }
                Block::Table(table) if table.columns.iter().all(|column| column.title.terminal.is_none()) => continue,
                Block::Table(table) => {
                    if !is_below_heading {
                        writeln!(f)?;
                    }
                    table.fmt(f)?;
                }
                Block::Heading(_) | Block::Footer(_) | Block::Cards(_) | Block::Figure { .. } | Block::Note(_) => {
                    continue;
                }
            }
            is_below_heading = false;
        }
        Ok(())
    }
}

/// Lines that fit, broken between words.
fn lines(f: &mut Formatter<'_>, indent: &str, text: Option<&str>) -> fmt::Result {
    let Some(text) = text else { return Ok(()) };
    wrap(text, usize::from(WIDTH) - indent.len()).iter().try_for_each(|line| writeln!(f, "{indent}{line}"))
}

/// Without rules: figures to the right, text to the left.
impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let shown: Vec<(&str, bool)> =
            self.columns.iter().filter_map(|one| Some((one.title.terminal.as_deref()?, one.is_text))).collect();
        let mut columns = Columns::new();
        columns.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH - 1);
        if shown.iter().any(|(title, _)| !title.is_empty()) {
            columns.set_header(shown.iter().map(|(title, _)| title));
        }
        columns.add_rows(self.rows.iter().filter(|row| !row.is_for_page_only).map(|row| {
            let cells = row.cells.iter().zip(&self.columns).filter(|(_, column)| column.title.terminal.is_some());
            cells.map(|(cell, _)| cell.to_string())
        }));
        for (index, (column, (title, is_text))) in columns.column_iter_mut().zip(&shown).enumerate() {
            let padding = if index == 0 { 2 } else { 1 };
            column.set_padding((padding, 1));
            // Titles are broken between words only.
            let longest = title.split(' ').map(|word| word.chars().count()).max().unwrap_or(0);
            let least = u16::try_from(longest).unwrap_or(0) + padding + 1;
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
            column.set_cell_alignment(if *is_text { CellAlignment::Left } else { CellAlignment::Right });
        }
        columns.lines().try_for_each(|line| writeln!(f, "{}", line.trim_end()))
    }
}

impl Display for Cell {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Tag(word) => f.write_str(word),
            Self::Mean(estimate, form) => f.write_str(&number::mean(estimate, *form)),
            Self::Interval(estimate, form) => f.write_str(&number::with_interval(estimate, *form)),
            Self::Bounded { value, upper, form, is_met } => {
                let mark = if *is_met { "" } else { " !" };
                write!(f, "{} ({}){mark}", number::mean(value, *form), form(*upper))
            }
            Self::Lines(lines) => {
                let lines: Vec<&str> = lines.iter().filter_map(|line| line.terminal.as_deref()).collect();
                f.write_str(&lines.join("\n"))
            }
        }
    }
}

/// Lines of at most `width` letters, broken between words.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}
