//! How results are shown: on a terminal, as pages, and as files.

mod axis;
mod backtest;
mod csv;
mod html;
mod plan;
mod plan_figures;
mod plan_text;
mod plan_verdict;
mod plot;
mod run;
mod run_figures;
mod sweep;
mod sweep_figures;
mod sweep_page;
mod sweep_text;
mod terminal;

pub(crate) use sweep::Comparison;
