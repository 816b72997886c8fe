//! How results are shown: on a terminal, as pages, and as files.

#[cfg(feature = "render")]
mod axis;
#[cfg(any(feature = "cli", test))]
mod backtest;
mod csv;
#[cfg(feature = "render")]
mod document;
#[cfg(feature = "render")]
mod html;
#[cfg(feature = "render")]
mod plan;
#[cfg(feature = "render")]
mod plan_figures;
mod plan_verdict;
#[cfg(feature = "render")]
mod plot;
#[cfg(feature = "render")]
mod run;
#[cfg(feature = "render")]
mod run_figures;
#[cfg(feature = "render")]
mod sweep;
#[cfg(feature = "render")]
mod sweep_figures;
#[cfg(feature = "render")]
mod terminal;
