//! The parts that all pages have: one file, no script, nothing from the network.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::plot::{Colour, Figure, Shape};
use crate::{
    number::{self, Form},
    stats::Estimate,
};

const STYLE: &str = include_str!("page.css");

/// A whole page.
pub(crate) fn page(title: &str, body: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { main { (body) } }
        }
    }
    .into_string()
}

/// An answer that can be read from across the room.
pub(crate) fn card(what: &str, value: &str, more: &str) -> Markup {
    html! {
        div.card {
            div.what { (what) }
            div.value { (value) }
            div.more { (more) }
        }
    }
}

/// A figure under its legend, over its caption.
pub(crate) fn figure(figure: &Figure, caption: &str) -> Markup {
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

/// A table whose first `left` columns are text.
pub(crate) fn table<R: IntoIterator<Item = Markup>>(
    head: &[&str],
    left: usize,
    rows: impl IntoIterator<Item = R>,
) -> Markup {
    let class = |index: usize| if index < left { "text" } else { "number" };
    html! {
        div.scroll {
            table {
                thead { tr { @for (index, title) in head.iter().enumerate() { th class=(class(index)) { (title) } } } }
                tbody {
                    @for row in rows {
                        tr { @for (index, cell) in row.into_iter().enumerate() { td class=(class(index)) { (cell) } } }
                    }
                }
            }
        }
    }
}

/// A text as a cell.
pub(crate) fn text(text: impl AsRef<str>) -> Markup {
    html! { (text.as_ref()) }
}

/// The mean, with half the interval's width small beside it.
pub(crate) fn estimate(estimate: &Estimate, form: Form) -> Markup {
    html! {
        (number::mean(estimate, form))
        @if let Some(half) = estimate.half_width().filter(|half| *half > 0.0) {
            " " small { "±\u{a0}" (form(half)) }
        }
    }
}
