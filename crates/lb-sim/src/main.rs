//! `lb-sim`: priority load balancing over Azure OpenAI quotas, in virtual time.

use std::process::ExitCode;

fn main() -> ExitCode {
    lb_sim::cli::main()
}
