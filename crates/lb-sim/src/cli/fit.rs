use std::path::PathBuf;

use crate::{
    scenario::{Columns, ScenarioError, TraceFormat},
    traffic::{Fit, Trace},
};
use clap::Args;
use serde::{
    Deserialize,
    de::{IntoDeserializer, value::StrDeserializer},
};

use super::{Ending, Failure, output};

const EXAMPLES: &str = "\
Examples:
  lb-sim fit requests.csv --name chat >> scenario.toml
  lb-sim fit conversation.jsonl --format mooncake
  lb-sim fit gateway.csv --time timestamp --input prompt_tokens --output completion_tokens";

/// Fits generated traffic to a trace, and prints it as a [[workload]]
///
/// What is printed holds no line of the trace: it can be shared, scaled and run for longer. The comment above it
/// compares the two.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct FitArgs {
    /// The trace
    #[arg(value_name = "TRACE")]
    trace: PathBuf,

    /// The workload's name
    #[arg(long, value_name = "NAME", default_value = "fitted")]
    name: String,

    /// How the trace is written: azure, mooncake, burstgpt, otel, litellm or csv [default: by its columns]
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    format: Option<TraceFormat>,

    /// CSV: the column of the time of arrival
    #[arg(long, value_name = "COLUMN")]
    time: Option<String>,

    /// CSV: the column of the prompt's tokens
    #[arg(long, value_name = "COLUMN", requires = "time")]
    input: Option<String>,

    /// CSV: the column of the completion's tokens
    #[arg(long, value_name = "COLUMN", requires = "time")]
    output: Option<String>,

    /// CSV: the column of the cached prompt tokens
    #[arg(long, value_name = "COLUMN", requires = "time")]
    cached: Option<String>,
}

fn format(text: &str) -> Result<TraceFormat, String> {
    let text: StrDeserializer<'_, serde::de::value::Error> = text.into_deserializer();
    TraceFormat::deserialize(text).map_err(|error| error.to_string())
}

impl FitArgs {
    pub(super) fn execute(self) -> Result<Ending, Failure> {
        let usage = |error: ScenarioError| Failure::Usage(error.to_string());
        let columns = self.time.map(|time| Columns {
            time,
            time_unit: None,
            input: self.input,
            output: self.output,
            cached: self.cached,
            max_tokens: None,
            requests: None,
            rate: None,
        });
        let trace = Trace::read(&self.trace, self.format, columns.as_ref()).map_err(usage)?;
        let fit = Fit::of(&trace).ok_or_else(|| {
            Failure::Failed(format!("{}: these are too few requests to fit anything to", self.trace.display()))
        })?;
        let notes = trace.notes().iter().map(|note| format!("\n{note}")).collect::<String>();
        let source = format!("Fitted by `lb-sim fit` to {}.{notes}", self.trace.display());
        output::print(&fit.report(&self.name, &source).map_err(|error| Failure::Failed(error.to_string()))?)?;
        Ok(Ending::Done)
    }
}
