use std::path::PathBuf;

use crate::{
    plan,
    scenario::{ScenarioError, Span},
};
use clap::Args;
use serde::{
    Deserialize,
    de::{IntoDeserializer, value::StrDeserializer},
};

use super::{
    Ending, Failure,
    input::{Input, Setting, setting, single},
    output,
};

const EXAMPLES: &str = "\
Examples:
  lb-sim plan ptu_spillover.toml
  lb-sim plan ptu_spillover.toml --burst 7.5s --replications 20 --json -
  lb-sim plan ptu_spillover.toml --set plan.limits.spill_share=0.05 --set plan.max_ptus=300

The scenario says in [plan] whose PTUs to vary and in [plan.limits] what must hold.";

/// How many PTUs to buy: cost and limits of the counts for sale
///
/// As many counts are simulated as the answer takes, at every bucket depth (1 s, 10 s and 60 s unless told otherwise: the
/// true one is not documented). A limit is met if the 95 % upper bound meets it. The first lines are the decision. Exits with 1 if no
/// count meets every limit at every depth.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    input: Input,

    /// A bucket depth to answer for, such as one that `calibrate` found; repeat for more
    #[arg(long = "burst", value_name = "SPAN", value_parser = span)]
    bursts: Vec<Span>,

    /// Runs per step and depth
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    replications: Option<u32>,

    /// Simulates every count for sale in full, where more PTUs could do worse
    #[arg(long)]
    every_step: bool,

    /// Another value for a key of the scenario; repeat for more
    #[arg(long = "set", value_name = "PATH=VALUE", value_parser = setting)]
    settings: Vec<Setting>,

    /// Writes the plan as JSON; - for standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Writes the plan as one HTML page; - for standard output
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

fn span(text: &str) -> Result<Span, String> {
    let text: StrDeserializer<'_, serde::de::value::Error> = text.into_deserializer();
    Span::deserialize(text).map_err(|error| error.to_string())
}

impl PlanArgs {
    pub(super) fn execute(self) -> Result<Ending, Failure> {
        let is_claimed = output::claims_stdout([self.json.as_deref(), self.html.as_deref()])?;
        let mut scenario = self.input.scenario(&single(&self.settings)?)?;
        let Some(settings) = scenario.plan.as_mut() else {
            let problem = "it is missing; write `[plan]` with `backend = \"NAME\"`, and `[plan.limits]`";
            return Err(self.input.wrong(&ScenarioError::new("plan", problem)));
        };
        if !self.bursts.is_empty() {
            settings.bursts.clone_from(&self.bursts);
        }
        settings.every_step |= self.every_step;
        settings.replications = self.replications.unwrap_or(settings.replications);
        let plan = self
            .input
            .on_threads(&scenario, |bar| plan::plan(&scenario, bar))?
            .map_err(|error| self.input.wrong(&error))?;
        if let Some(file) = &self.json {
            output::write(file, &plan.to_json()?)?;
        }
        if let Some(file) = &self.html {
            output::write(file, &plan.to_html())?;
        }
        if !is_claimed {
            output::print(&plan.to_string())?;
        }
        Ok(if plan.decision.is_some() { Ending::Done } else { Ending::NoAnswer })
    }
}
