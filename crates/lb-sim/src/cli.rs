//! The command line: a file per subcommand, and what they share.

mod calibrate;
mod check;
mod fit;
mod input;
mod output;
mod plan;
mod run;
mod sweep;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use output::error_line;

const EXAMPLES: &str = "\
Examples:
  lb-sim run two_workers.toml
  lb-sim run two_workers.toml --set clients.workers=8 --html report.html
  lb-sim sweep ptu_spillover.toml --set backend.ptu.ptus=15,50,100 --html sweep.html
  lb-sim plan ptu_spillover.toml --burst 7.5s
  lb-sim calibrate requests.csv --model gpt-4.1 --ptus 50

Exit codes: 0 done; 1 it failed, or there is no answer (no PTU count meets the limits, a run does not
meet its own, the log does not tell the depth); 2 the command line or a file is wrong.";

/// Answers, before you buy: how many PTUs, how much spills over and what it costs, what workers do to each other
///
/// Runs the real balancer against models of Azure OpenAI limits in virtual time. The same scenario and seed give the
/// same result on every machine and any number of threads.
#[derive(Debug, Parser)]
#[command(name = "lb-sim", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::RunArgs),
    Sweep(sweep::SweepArgs),
    Plan(plan::PlanArgs),
    Calibrate(calibrate::CalibrateArgs),
    Fit(fit::FitArgs),
    Check(check::CheckArgs),
}

/// Why a command ended early.
#[derive(Debug)]
enum Failure {
    /// The command line or the scenario is wrong.
    Usage(String),
    /// Something else failed.
    Failed(String),
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<csv::Error> for Failure {
    fn from(error: csv::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// How a command ended.
enum Ending {
    Done,
    /// There is none: no step meets the limits, a run does not meet its own, or the log cannot tell. For scripts a failure; the reasons are printed.
    NoAnswer,
}

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(run) => run.execute(),
        Command::Sweep(sweep) => sweep.execute(),
        Command::Plan(plan) => plan.execute(),
        Command::Calibrate(calibrate) => calibrate.execute(),
        Command::Fit(fit) => fit.execute(),
        Command::Check(check) => check.execute(),
    };
    match result {
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::NoAnswer) => ExitCode::from(1),
        Err(Failure::Failed(problem)) => {
            error_line(&problem);
            ExitCode::from(1)
        }
        Err(Failure::Usage(problem)) => {
            error_line(&problem);
            ExitCode::from(2)
        }
    }
}
