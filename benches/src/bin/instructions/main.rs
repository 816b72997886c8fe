//! Counts the instructions of the selection hot path under callgrind, and checks them against the goals.
//!
//! Instructions are counted because they do not depend on the machine's load: the counts of one build are the same in
//! every run. Each case is one function that repeats one operation. Callgrind collects only inside of it, for so many
//! repetitions and for twice as many; the difference, divided, is the count of one operation, in which everything that
//! is not repeated cancels. The loop itself is in the counts: see the case `empty loop`.
//!
//! A clock read is cheap here, because valgrind has no vDSO, and far from free on a machine: that picks read no clock
//! while nothing is cooling is checked by `tests/clock_reads.rs`.

mod callgrind;
mod cases;
mod gates;
mod report;

use std::{error::Error, fs, path::PathBuf, process::ExitCode};

use clap::Parser;

/// Counts the instructions of the selection hot path; needs valgrind.
#[derive(Debug, Parser)]
struct Options {
    /// Fail if a gate does not hold.
    #[arg(long)]
    check: bool,
    /// Write the counts and the gates as JSON to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Run every case this many times, one after the other: what valgrind is given to run.
    #[arg(long, value_name = "TIMES")]
    run: Option<u64>,
    /// With `--run`, this case only: for `valgrind --tool=callgrind` by hand, to see where the instructions go.
    #[arg(long, value_name = "CASE", requires = "run")]
    only: Option<String>,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let options = Options::parse();
    if let Some(times) = options.run {
        let is_meant = |case: &cases::Case| options.only.as_ref().is_none_or(|name| *name == case.name);
        for mut case in cases::all().into_iter().filter(is_meant) {
            cases::counted_region(&mut *case.run, times);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let names: Vec<_> = cases::all().into_iter().map(|case| case.name).collect();
    let counts = callgrind::count(names)?;
    let gates = gates::all(&counts);
    print!("{}", report::markdown(&counts, &gates));
    if let Some(file) = options.json {
        fs::write(file, report::json(&counts, &gates)?)?;
    }
    let failed: Vec<_> = gates.iter().filter(|gate| gate.is_enforced && !gate.holds()).collect();
    for gate in &failed {
        eprintln!("gate {gate}");
    }
    Ok(if options.check && !failed.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
