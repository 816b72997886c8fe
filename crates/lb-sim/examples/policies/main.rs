//! What each rule of the balancer buys and costs: the tables of `docs/policies.md`, out of the scenarios in
//! `scenarios/policies`.
//!
//! ```sh
//! cargo run --release -p lb-sim --example policies -- outage                # one table
//! cargo run --release -p lb-sim --example policies -- --write               # all of them, into docs/policies.md
//! cargo run --release -p lb-sim --example policies -- --check               # whether those there are current
//! cargo run --release -p lb-sim --example policies -- cells                 # every cell behind the table of poison
//! cargo run --release -p lb-sim --example policies -- before LB_SIM         # against another version's binary
//! ```

mod measure;
mod page;
mod poison;
mod queue;
mod tables;
mod wishes;

use std::{env, error::Error, path::Path, process::ExitCode};

use tables::TABLES;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<ExitCode, Box<dyn Error>> {
    match arguments {
        ["--write"] => page::write().map(|()| ExitCode::SUCCESS),
        ["--check"] => page::check(),
        ["cells"] => {
            print!("{}", tables::poison_cells()?);
            Ok(ExitCode::SUCCESS)
        }
        ["before", binary] => {
            print!("{}", tables::before(Path::new(binary))?);
            Ok(ExitCode::SUCCESS)
        }
        [name] => {
            let (_, table) = TABLES.iter().find(|(table, _)| table == name).ok_or_else(|| {
                let names: Vec<&str> = TABLES.iter().map(|(name, _)| *name).collect();
                format!("no such table; there are {}", names.join(", "))
            })?;
            print!("{}", table()?);
            Ok(ExitCode::SUCCESS)
        }
        _ => Err("name a table, or write --write or --check; see the top of the example's main.rs".into()),
    }
}
