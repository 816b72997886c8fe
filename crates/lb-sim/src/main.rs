//! `lb-sim`: priority load balancing over Azure OpenAI quotas, in virtual time.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
