//! A document as a page: one file, no script, nothing from the network.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    document::{Block, Card, Cell, Document, Table},
    plot::{Colour, Figure, Shape},
};
use crate::{
    number::{self, Form},
    stats::Estimate,
};

const STYLE: &str = include_str!("page.css");

impl Document {
    /// As one HTML file.
    pub(crate) fn to_html(&self) -> String {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (self.title) }
                    style { (PreEscaped(STYLE)) }
                }
                body { main { @for block in &self.blocks { (markup(block)) } } }
            }
        }
        .into_string()
    }
}

fn markup(block: &Block) -> Markup {
    html! {
        @match block {
            Block::Title(words) => @if let Some(words) = &words.page { h1 { (words) } },
            Block::Meta(words) => @if let Some(words) = &words.page { p.meta { (words) } },
            Block::Heading(words) => @if let Some(words) = &words.page { h2 { (words) } },
            Block::Sentence(words) => @if let Some(words) = &words.page { p { (words) } },
            Block::Warning(words) => @if let Some(words) = &words.page { p.warn { (words) } },
            Block::Footer(words) => @if let Some(words) = &words.page { footer { p { (words) } } },
            Block::Note(words) => p.note { (words) },
            Block::Cards(cards) => div.cards { @for one in cards { (card(one)) } },
            Block::Table(rows) => (table(rows)),
            Block::Figure { heading, figure: drawn, caption } => {
                @if !heading.is_empty() { h3 { (heading) } }
                (figure(drawn, caption))
            },
        }
    }
}

fn card(card: &Card) -> Markup {
    html! {
        div.card {
            div.what { (card.what) }
            div.value { (card.value) }
            div.more { (card.more) }
        }
    }
}

/// A figure under its legend, over its caption.
fn figure(figure: &Figure, caption: &str) -> Markup {
    html! {
        figure {
            ul.legend {
                @for series in figure.legend() {
                    li { (swatch(series.colour, series.shape)) (series.name) }
                }
            }
            @match figure.svg() {
                Ok(svg) => (PreEscaped(svg)),
                Err(problem) => p { "This figure could not be drawn: " (problem) },
            }
            figcaption { (caption) }
        }
    }
}

/// A piece of the series as it is drawn.
fn swatch(colour: Colour, shape: Shape) -> Markup {
    let colour = format!("rgb({},{},{})", colour.0, colour.1, colour.2);
    html! {
        svg viewBox="0 0 24 12" width="24" height="12" aria-hidden="true" {
            @match shape {
                Shape::Line => line x1="0" y1="6" x2="24" y2="6" stroke=(colour) stroke-width="3" {},
                Shape::Limit => line x1="0" y1="6" x2="24" y2="6" stroke=(colour) stroke-width="1.5" {},
                Shape::Area => {
                    rect y="3" width="24" height="9" fill=(colour) opacity="0.2" {}
                    line x1="0" y1="3" x2="24" y2="3" stroke=(colour) stroke-width="3" {}
                },
                Shape::Fill => rect width="24" height="12" fill=(colour) opacity="0.5" {},
                Shape::Band => rect width="24" height="12" fill=(colour) opacity="0.2" {},
                Shape::Dots => circle cx="12" cy="6" r="4" fill=(colour) {},
                Shape::Diamonds => polygon points="12,0 18,6 12,12 6,6" fill=(colour) {},
                Shape::Note => {},
                Shape::Circles => circle cx="12" cy="6" r="4.5" fill="none" stroke=(colour) stroke-width="2" {},
            }
        }
    }
}

fn table(table: &Table) -> Markup {
    let class = |is_text: bool| if is_text { "text" } else { "number" };
    html! {
        div.scroll {
            table {
                thead {
                    tr {
                        @for column in &table.columns {
                            @if let Some(title) = &column.title.page { th class=(class(column.is_text)) { (title) } }
                        }
                    }
                }
                tbody {
                    @for row in &table.rows {
                        tr {
                            @for (column, one) in table.columns.iter().zip(&row.cells) {
                                @if column.title.page.is_some() { td class=(class(column.is_text)) { (cell(one)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cell(cell: &Cell) -> Markup {
    html! {
        @match cell {
            Cell::Text(text) => (text),
            Cell::Tag(word) => span.tag.(word) { (word) },
            Cell::Mean(value, form) | Cell::Interval(value, form) => (estimate(value, *form)),
            Cell::Bounded { value, upper, form, is_met } => {
                @if *is_met { span title="met" { "✓" } } @else { strong title="not met" { "✗" } }
                " " (number::mean(value, *form)) small { "up to " (form(*upper)) }
            },
            Cell::Lines(lines) => {
                @for (index, line) in lines.iter().filter_map(|line| line.page.as_ref()).enumerate() {
                    @if index == 0 { (line) } @else { small { (line) } }
                }
            },
        }
    }
}

/// The mean, with half the interval's width small beside it.
fn estimate(estimate: &Estimate, form: Form) -> Markup {
    html! {
        (number::mean(estimate, form))
        @if let Some(half) = estimate.half_width().filter(|half| *half > 0.0) {
            " " small { "±\u{a0}" (form(half)) }
        }
    }
}
