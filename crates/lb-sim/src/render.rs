//! How results are shown: on a terminal, as pages, and as files.
//!
//! `run`, `plan` and `sweep` say what there is to say, once, in a `document`; `terminal` and `html` show it. Nothing else in
//! the crate but the command imports this module.

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
mod over_time;
#[cfg(feature = "render")]
mod plan;
#[cfg(feature = "render")]
mod plan_figures;
#[cfg(feature = "render")]
mod plan_quotas;
mod plan_verdict;
#[cfg(feature = "render")]
mod plot;
#[cfg(feature = "render")]
mod rests_on;
#[cfg(feature = "render")]
mod run;
#[cfg(feature = "render")]
mod run_answer;
#[cfg(feature = "render")]
mod run_figures;
#[cfg(feature = "render")]
mod sweep;
#[cfg(feature = "render")]
mod sweep_figures;
#[cfg(feature = "render")]
mod terminal;
