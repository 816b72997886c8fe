//! The ratio runner: measures the balancer beside what it is compared with, and prints ratios within one run.
//!
//! All cases of a group run in turn for many rounds, and a ratio is the median over the rounds of one case's time over
//! its neighbour's. A machine that gets slow for a moment, or for good, is slow for both. Prints Markdown; with
//! `--json` also writes a file for machines.
//!
//! ```text
//! cargo run --release -p lb-benches --bin ratios
//! cargo run --release -p lb-benches --bin ratios -- --group selection --quick
//! cargo run --release -p lb-benches --bin ratios --features peers -- --json ratios.json
//! ```

mod goals;
mod report;

use std::{error::Error, fs, path::PathBuf, time::Duration};

use clap::{Parser, ValueEnum};
use lb_benches::{
    groups,
    rounds::{self, Effort},
};

use crate::report::Report;

/// Measures the balancer beside what it is compared with, and prints ratios within one run.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// How many rounds
    #[arg(long, default_value_t = 101)]
    rounds: usize,
    /// A group to run; may be repeated [default: all]
    #[arg(long)]
    group: Vec<Group>,
    /// Few rounds of short batches: shows that everything runs, and roughly how fast
    #[arg(long)]
    quick: bool,
    /// Also write everything to this file, as JSON
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Group {
    Selection,
    Lifecycle,
    Request,
    Threads,
    Overhead,
    Pieces,
}

impl Arguments {
    fn rounds(&self) -> usize {
        if self.quick { self.rounds.clamp(1, 11) } else { self.rounds.max(1) }
    }

    fn effort(&self, group: Group) -> Effort {
        // Threads that start one after another need their time to run together.
        let shorter = if self.quick && !matches!(group, Group::Threads) { 10 } else { 1 };
        Effort { rounds: self.rounds(), batch: group.batch() / shorter }
    }
}

impl Group {
    /// How long a case runs in one round: short enough that neighbours meet the same machine, long enough that reading
    /// the clock, starting threads, or one request more or less does not count.
    const fn batch(self) -> Duration {
        match self {
            Self::Selection | Self::Lifecycle | Self::Request | Self::Pieces => Duration::from_micros(200),
            Self::Threads => Duration::from_millis(2),
            Self::Overhead => Duration::from_millis(4),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let mut report = Report::new(arguments.rounds());
    let chosen = if arguments.group.is_empty() { Group::value_variants() } else { &arguments.group };
    for group in chosen {
        let (name, sections) = match group {
            Group::Selection => ("selection", groups::selection::sections()),
            Group::Lifecycle => ("lifecycle", groups::lifecycle::sections()),
            Group::Request => ("request", groups::request::sections()),
            Group::Threads => ("threads", groups::threads::sections()),
            Group::Overhead => ("overhead", groups::overhead::sections()?),
            Group::Pieces => ("pieces", groups::pieces::sections()),
        };
        let measured = rounds::run(sections, arguments.effort(*group));
        report.add_group(name, &measured);
        report.add_goals(match group {
            Group::Selection => goals::of_selection(&measured),
            Group::Threads => goals::of_threads(&measured),
            Group::Overhead => goals::of_overhead(&measured),
            Group::Lifecycle | Group::Request | Group::Pieces => Vec::new(),
        });
        println!("{}", report.last_group());
    }
    println!("{}", report.goals());
    if let Some(path) = arguments.json {
        fs::write(path, serde_json::to_string_pretty(&report)?)?;
    }
    Ok(())
}
