//! A document as a page: one file, nothing from the network. Without its script it shows the same, all at once.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    document::{Block, Card, Cell, Document, Table},
    plot::{Figure, Series, Shape, Width, hex},
};
use crate::{
    number::{self, Form},
    stats::Estimate,
};

const STYLE: &str = include_str!("page.css");

/// Values where one points, and a choice of figures.
const SCRIPT: &str = include_str!("page.js");

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
                body {
                    main { @for block in &self.blocks { (markup(block)) } }
                    script { (PreEscaped(SCRIPT)) }
                }
            }
        }
        .into_string()
    }
}

fn markup(block: &Block) -> Markup {
    html! {
        @match block {
            Block::Title(words) => @if let Some(words) = &words.page { h1 { (words) } },
            Block::Meta(words) => @if let Some(words) = &words.page { p.meta { (unbroken(words)) } },
            Block::Heading(words) => @if let Some(words) = &words.page { h2 { (words) } },
            Block::Sentence(words) => @if let Some(words) = &words.page { p { (unbroken(words)) } },
            Block::Warning(words) => @if let Some(words) = &words.page { p.warn { (unbroken(words)) } },
            Block::Footer(words) => @if let Some(words) = &words.page { footer { p { (words) } } },
            Block::Note(words) => p.note { (unbroken(words)) },
            Block::Cards(cards) => div.cards { @for one in cards { (card(one)) } },
            Block::Table(rows) => (table(rows)),
            Block::Figure { heading, figure: drawn, caption, picks } => {
                section data-picks=[(!picks.is_empty()).then(|| lines(picks))] {
                    @if !heading.is_empty() { h3 { (heading) } }
                    (figure(drawn, caption))
                }
            },
        }
    }
}

fn card(card: &Card) -> Markup {
    html! {
        div.card {
            div.what { (card.what) }
            div.value { (unbroken(&card.value)) }
            div.more { (unbroken(&card.more)) }
        }
    }
}

/// What a figure can be picked by, for the script.
fn lines(picks: &[(String, String)]) -> String {
    let lines: Vec<String> = picks.iter().map(|(what, value)| format!("{what}\t{value}")).collect();
    lines.join("\n")
}

/// A figure under its legend, over its caption.
fn figure(figure: &Figure, caption: &str) -> Markup {
    html! {
        figure data-values=(figure.values()) {
            ul.legend {
                @for series in figure.legend() {
                    li { (swatch(series)) (series.name) }
                }
            }
            @for width in Width::ALL {
                @match figure.svg(width) {
                    Ok(svg) => (PreEscaped(svg)),
                    Err(problem) => p { "This figure could not be drawn: " (problem) },
                }
            }
            figcaption { (unbroken(caption)) }
        }
    }
}

/// A piece of the series as it is drawn.
fn swatch(series: &Series) -> Markup {
    let colour = hex(series.colour);
    let dash = series.dash.map(|(dash, gap)| format!("{} {}", dash / 2, gap / 2));
    html! {
        svg viewBox="0 0 24 12" width="24" height="12" aria-hidden="true" {
            @match series.shape {
                Shape::Line => {
                    line x1="0" y1="6" x2="24" y2="6" stroke=(colour) stroke-width="3" stroke-dasharray=[dash] {}
                },
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
                            @if let Some(title) = &column.title.page { th class=(class(column.is_text)) { (unbroken(title)) } }
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
            Cell::Text(text) => (unbroken(text)),
            Cell::Tag(word) => span.tag.(word) { (word) },
            Cell::Mean(value, form) | Cell::Interval(value, form) => (estimate(value, *form)),
            Cell::Bounded { value, upper, form, is_met } => {
                @if *is_met { span title="met" { "✓" } } @else { strong title="not met" { "✗" } }
                " " (number::mean(value, *form)) small { "up to " (form(*upper)) }
            },
            Cell::Lines(lines) => {
                @for (index, line) in lines.iter().filter_map(|line| line.page.as_ref()).enumerate() {
                    @if index == 0 { (unbroken(line)) } @else { small { (unbroken(line)) } }
                }
            },
        }
    }
}

/// With numbers that stay in one piece with their signs and units, and dates that do.
fn unbroken(text: &str) -> String {
    let mut unbroken = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    let mut last = ' ';
    while let Some(letter) = letters.next() {
        match letter {
            ' ' if last.is_ascii_digit() || "±<≤=+".contains(last) => unbroken.push('\u{a0}'),
            // A word joiner: no line ends at this hyphen.
            '-' if last.is_ascii_digit() || letters.peek().is_some_and(char::is_ascii_digit) => {
                unbroken.push_str("-\u{2060}");
            }
            _ => unbroken.push(letter),
        }
        last = letter;
    }
    unbroken
}

/// The mean, with half the interval's width small beside it.
fn estimate(estimate: &Estimate, form: Form) -> Markup {
    html! {
        (number::mean(estimate, form))
        @if let Some(interval) = number::interval(estimate, form) { " " small { (unbroken(&interval)) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_with_their_signs_and_units() {
        assert_eq!(unbroken("up to 1.5 s, at most ± 0.2 %"), "up to 1.5\u{a0}s, at most ±\u{a0}0.2\u{a0}%");
        assert_eq!(
            unbroken("pay-as-you-go, 2026-09-16, v-3"),
            "pay-as-you-go, 2026-\u{2060}09-\u{2060}16, v-\u{2060}3"
        );
    }
}
