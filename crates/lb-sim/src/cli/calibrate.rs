use std::path::PathBuf;

use crate::{
    calibrate::{Verdict, calibrate},
    log::Log,
};
use clap::Args;
use lb_limits::{Ptu, PtuModel};

use super::{Ending, Failure, output};

const EXAMPLES: &str = "\
Examples:
  lb-sim calibrate requests.csv --model gpt-4.1 --ptus 50
  lb-sim calibrate events.jsonl --model gpt-4.1 --ptus 50 --backend swc-ptu --json -
  lb-sim calibrate requests.csv --model my-model --ptus 50 --input-tpm-per-ptu 4000 --output-ratio 8

The log has a line per attempt, CSV or JSON lines: start, end, prompt_tokens, cached_tokens, max_tokens,
completion_tokens, status, hint_ms, and backend if there are several. It must hold all traffic of the deployment.";

/// Fits the depth of a PTU deployment's bucket to a log of what it accepted and refused
///
/// Exits with 1 if the log cannot tell; it says why.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CalibrateArgs {
    /// The log
    #[arg(value_name = "LOG")]
    log: PathBuf,

    /// The deployment's model
    #[arg(long, value_name = "NAME")]
    model: String,

    /// The deployment's PTUs
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    ptus: u64,

    /// The backend, if the log is of several
    #[arg(long, value_name = "NAME")]
    backend: Option<String>,

    /// Input tokens per minute of a PTU [default: the built-in table's]
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u64).range(1..))]
    input_tpm_per_ptu: Option<u64>,

    /// Input tokens that an output token counts as [default: the built-in table's, else 4]
    #[arg(long, value_name = "N")]
    output_ratio: Option<u64>,

    /// Writes the result as JSON; - for standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl CalibrateArgs {
    pub(super) fn execute(self) -> Result<Ending, Failure> {
        let table = PtuModel::named(&self.model);
        let tpm = self.input_tpm_per_ptu.or_else(|| Some(table?.input_tpm_per_ptu)).ok_or_else(|| {
            Failure::Usage(format!(
                "--model {}: what a PTU of it is worth is not known; add --input-tpm-per-ptu",
                self.model
            ))
        })?;
        let ratio = self.output_ratio.or_else(|| Some(table?.output_ratio)).unwrap_or(4);
        let ptu = Ptu::new(self.ptus, tpm).output_ratio(ratio);
        let mut log = Log::read(&self.log).map_err(|error| Failure::Usage(error.to_string()))?;
        if let Some(name) = &self.backend {
            if !log.backends().contains(name.as_str()) {
                let problem = format!("{}: there is no backend `{name}` in the log", self.log.display());
                return Err(Failure::Usage(problem));
            }
            log = log.of_backend(name);
        }
        let calibration =
            calibrate(&log, &ptu).map_err(|error| Failure::Usage(format!("{}: {error}", self.log.display())))?;
        if let Some(file) = &self.json {
            output::write(file, &serde_json::to_string_pretty(&calibration)?)?;
        }
        if !self.json.as_deref().is_some_and(output::is_stdout) {
            output::print(&calibration.to_string())?;
        }
        Ok(if calibration.verdict == Verdict::Identified { Ending::Done } else { Ending::NoAnswer })
    }
}
