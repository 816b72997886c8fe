//! The whole validation table: the simulator against closed forms, at full length.
//!
//! ```text
//! cargo run --release -p lb-sim --example validate
//! cargo run --release -p lb-sim --example validate -- --only V4
//! ```
//!
//! It takes some minutes on two cores, and ends with 1 if any figure is further from its closed form than the table
//! allows. `--markdown` prints the table as it stands in the documentation, `--short` runs what the tests run.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a run that cannot go on should stop")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and spans of the cases are small and not negative"
)]

#[path = "../tests/validation/case.rs"]
mod case;
#[path = "../tests/validation/choices.rs"]
mod choices;
#[path = "../tests/validation/limits.rs"]
mod limits;
#[path = "../tests/validation/queues.rs"]
mod queues;
#[path = "../tests/validation/retries.rs"]
mod retries;
#[path = "../tests/validation/theory.rs"]
mod theory;

use std::{process::ExitCode, time::Instant};

use case::{Case, Figure, Found, Rule, Size};
use clap::Parser;

/// The simulator against closed forms, at full length.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only this row, such as V4.
    #[arg(long)]
    only: Option<String>,
    /// The size of the tests.
    #[arg(long)]
    short: bool,
    /// Print the table as Markdown.
    #[arg(long)]
    markdown: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let size = if arguments.short { Size::Short } else { Size::Long };
    let mut cases: Vec<Case> =
        [queues::cases(), limits::cases(), choices::cases(), retries::cases()].into_iter().flatten().collect();
    cases.sort_by_key(|case| case.row[1..].parse::<u32>().unwrap_or(u32::MAX));
    cases.retain(|case| arguments.only.as_ref().is_none_or(|only| case.row.eq_ignore_ascii_case(only)));
    if cases.is_empty() {
        eprintln!("no such row; there are V1 to V12, V15 and V16 without V13 and V14");
        return ExitCode::FAILURE;
    }
    let begin = Instant::now();
    if arguments.markdown {
        println!("| row | case | figure | expected | seen | standard error | allowed | |");
        println!("| --- | --- | --- | ---: | ---: | ---: | ---: | --- |");
    }
    let (mut figures, mut failed) = (0, 0);
    for case in &cases {
        if !arguments.markdown {
            println!("{:<4} {}", case.row, case.name);
        }
        let began = Instant::now();
        let found = case.judge(size);
        for (figure, found) in case.figures.iter().zip(&found) {
            figures += 1;
            failed += u32::from(!found.passed);
            print(&arguments, case, figure, found);
        }
        eprintln!("     {:.1} s", began.elapsed().as_secs_f64());
    }
    println!("\n{} of {figures} figures agree, in {:.0} s", figures - failed, begin.elapsed().as_secs_f64());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print(arguments: &Arguments, case: &Case, figure: &Figure, found: &Found) {
    let verdict = if found.passed { "ok" } else { "FAILED" };
    let Figure { name, expected, rule } = figure;
    let (seen, error) = (found.seen, found.standard_error);
    let allowed = match rule {
        Rule::AtLeast(least) => format!("at least {least}"),
        _ => format!("{:.2e}", found.tolerance),
    };
    if arguments.markdown {
        let Case { row, name: case, .. } = case;
        println!("| {row} | {case} | {name} | {expected:.6} | {seen:.6} | {error:.1e} | {allowed} | {verdict} |");
    } else {
        println!(
            "     {name:<46} expected {expected:>10.6}  seen {seen:>10.6} ± {error:.1e}  allowed {allowed:<14} {verdict}"
        );
    }
}
