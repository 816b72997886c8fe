//! What is said, before it is shown: headings, sentences, cards, tables and figures. The terminal and the page each make
//! of a document what suits them; no table is written for one of them alone.

use super::plot::Figure;
use crate::{number::Form, stats::Estimate};

/// Words that a terminal and a page may put differently; `None`: it does not have them.
#[derive(Debug, Clone)]
pub(crate) struct Words {
    pub(crate) terminal: Option<String>,
    pub(crate) page: Option<String>,
}

impl Words {
    /// Other words on a page, which has more room.
    pub(crate) fn two(terminal: impl Into<String>, page: impl Into<String>) -> Self {
        Self { terminal: Some(terminal.into()), page: Some(page.into()) }
    }

    pub(crate) fn on_terminal(words: impl Into<String>) -> Self {
        Self { terminal: Some(words.into()), page: None }
    }

    pub(crate) fn on_page(words: impl Into<String>) -> Self {
        Self { terminal: None, page: Some(words.into()) }
    }
}

impl<T: Into<String>> From<T> for Words {
    fn from(words: T) -> Self {
        let words = words.into();
        Self::two(words.clone(), words)
    }
}

/// All that is said of a result, in order.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// What a page is called.
    pub(crate) title: String,
    pub(crate) blocks: Vec<Block>,
}

/// A piece of a document.
#[derive(Debug)]
pub(crate) enum Block {
    /// The title, where it stands above everything.
    Title(Words),
    /// What was simulated, in a line.
    Meta(Words),
    Heading(Words),
    Sentence(Words),
    /// A sentence that should not be overlooked.
    Warning(Words),
    /// Answers that can be read from across the room; on pages.
    Cards(Vec<Card>),
    Table(Table),
    /// A figure under its heading, over its caption; on pages.
    Figure {
        heading: String,
        figure: Figure,
        caption: String,
        /// What a reader can pick it by: what that is, and what of it the figure shows.
        picks: Vec<(String, String)>,
    },
    /// How to read what follows; on pages.
    Note(String),
    /// The books and the hash.
    Footer(Words),
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Card {
    pub(crate) what: String,
    pub(crate) value: String,
    pub(crate) more: String,
}

impl Card {
    pub(crate) fn new(what: impl Into<String>, value: impl Into<String>, more: impl Into<String>) -> Self {
        Self { what: what.into(), value: value.into(), more: more.into() }
    }
}

impl Document {
    pub(crate) fn add(&mut self, block: Block) {
        self.blocks.push(block);
    }

    /// A document under this title; without one a page has a name all the same.
    pub(crate) fn new(title: &str, otherwise: &str) -> Self {
        let words = if title.is_empty() { Words::on_page(otherwise) } else { title.into() };
        Self { title: words.page.clone().unwrap_or_default(), blocks: vec![Block::Title(words)] }
    }

    pub(crate) fn meta(&mut self, words: impl Into<Words>) {
        self.add(Block::Meta(words.into()));
    }

    pub(crate) fn heading(&mut self, words: impl Into<Words>) {
        self.add(Block::Heading(words.into()));
    }

    pub(crate) fn sentence(&mut self, words: impl Into<Words>) {
        self.add(Block::Sentence(words.into()));
    }

    pub(crate) fn sentences(&mut self, sentences: impl IntoIterator<Item = String>) {
        sentences.into_iter().for_each(|sentence| self.sentence(sentence));
    }

    pub(crate) fn note(&mut self, words: impl Into<String>) {
        self.add(Block::Note(words.into()));
    }

    pub(crate) fn table(&mut self, table: Table) {
        self.add(Block::Table(table));
    }

    pub(crate) fn figure(&mut self, heading: impl Into<String>, figure: Figure, caption: impl Into<String>) {
        self.add(Block::Figure { heading: heading.into(), figure, caption: caption.into(), picks: Vec::new() });
    }
}

/// Rows under the titles of their columns.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) columns: Vec<TableColumn>,
    pub(crate) rows: Vec<TableRow>,
}

#[derive(Debug)]
pub(crate) struct TableColumn {
    /// Where it is missing, the column is.
    pub(crate) title: Words,
    /// Text stands to the left, figures to the right.
    pub(crate) is_text: bool,
}

#[derive(Debug, Default)]
pub(crate) struct TableRow {
    pub(crate) cells: Vec<Cell>,
    /// Too much for a terminal.
    pub(crate) is_for_page_only: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Cell {
    Text(String),
    /// The mean; a page has the interval small beside it.
    Mean(Estimate, Form),
    /// The mean and the interval.
    Interval(Estimate, Form),
    /// A value with the bound that decides whether it meets a limit.
    Bounded {
        value: Estimate,
        upper: f64,
        form: Form,
        is_met: bool,
    },
    /// A line, and smaller ones below it.
    Lines(Vec<Words>),
    /// A word that a page colours.
    Tag(&'static str),
}

/// A table in the making: the same rows, column by column.
#[derive(Debug)]
pub(crate) struct TableOf<T> {
    items: Vec<T>,
    table: Table,
}

impl Table {
    /// A row for each of these.
    pub(crate) fn of<T>(items: impl IntoIterator<Item = T>) -> TableOf<T> {
        let items: Vec<T> = items.into_iter().collect();
        let rows = items.iter().map(|_| TableRow::default()).collect();
        TableOf { items, table: Self { columns: Vec::new(), rows } }
    }
}

impl<T> TableOf<T> {
    /// A column of anything.
    pub(crate) fn column(mut self, title: impl Into<Words>, is_text: bool, cell: impl Fn(&T) -> Cell) -> Self {
        self.table.columns.push(TableColumn { title: title.into(), is_text });
        self.items.iter().zip(&mut self.table.rows).for_each(|(item, row)| row.cells.push(cell(item)));
        self
    }

    /// A column of text.
    pub(crate) fn text(self, title: impl Into<Words>, text: impl Fn(&T) -> String) -> Self {
        self.column(title, true, |item| Cell::Text(text(item)))
    }

    /// A column of numbers that have no interval.
    pub(crate) fn number(self, title: impl Into<Words>, number: impl Fn(&T) -> String) -> Self {
        self.column(title, false, |item| Cell::Text(number(item)))
    }

    /// A column of figures.
    pub(crate) fn mean(self, title: impl Into<Words>, form: Form, of: impl Fn(&T) -> Estimate) -> Self {
        self.column(title, false, |item| Cell::Mean(of(item), form))
    }

    /// Leaves rows to the page.
    pub(crate) fn only_on_page(mut self, is_so: impl Fn(&T) -> bool) -> Self {
        self.items.iter().zip(&mut self.table.rows).for_each(|(item, row)| row.is_for_page_only = is_so(item));
        self
    }

    pub(crate) fn done(self) -> Table {
        self.table
    }
}
