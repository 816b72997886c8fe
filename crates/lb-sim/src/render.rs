//! How results are shown: on a terminal, as pages, and as files.

mod axis;
mod backtest;
mod csv;
mod document;
mod html;
mod plan;
mod plan_figures;
mod plan_verdict;
mod plot;
mod run;
mod run_figures;
mod sweep;
mod sweep_figures;
mod terminal;
