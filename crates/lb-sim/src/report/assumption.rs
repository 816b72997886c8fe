//! What a report rests on. Only what matters for the scenario at hand is listed.

mod deployment;

use lb_core::PoolOptions;
use serde::Serialize;

use crate::{
    number,
    scenario::{
        Client, Kind, MaxTokens, Model, NamedMaxTokens, PoolSharing, Preset, Program, Scenario, Span, Workload,
    },
    traffic::{INPUT_SPREAD, OUTPUT_SPREAD},
};

/// Something that the figures rest on, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Assumption {
    /// What is assumed.
    pub what: String,
    /// The value that this scenario has for it.
    pub value: String,
    /// How far it can be trusted.
    pub source: Source,
    /// Where it stands, or why it is as it is.
    pub reference: String,
}

/// How far an assumption can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Source {
    /// Microsoft's documentation says so.
    Documented,
    /// Seen on live deployments, by others; not documented.
    Observed,
    /// Neither: a choice of the simulator. Vary it.
    Assumed,
    /// The scenario says so.
    Given,
}

impl Source {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Documented => "documented",
            Self::Observed => "observed",
            Self::Assumed => "assumed",
            Self::Given => "given",
        }
    }

    /// The weakest first.
    pub(crate) const fn order(self) -> u8 {
        match self {
            Self::Assumed => 0,
            Self::Observed => 1,
            Self::Documented => 2,
            Self::Given => 3,
        }
    }
}

/// A list that says each thing once.
#[derive(Default)]
struct List(Vec<Assumption>);

impl List {
    /// Something that the scenario says.
    fn given(&mut self, what: impl Into<String>, value: impl Into<String>) {
        self.add(Source::Given, what, value, "the scenario");
    }

    fn add(&mut self, source: Source, what: impl Into<String>, value: impl Into<String>, reference: impl Into<String>) {
        let new = Assumption { what: what.into(), value: value.into(), source, reference: reference.into() };
        if !self.0.contains(&new) {
            self.0.push(new);
        }
    }
}

/// What the scenario's figures rest on.
pub(crate) fn of(scenario: &Scenario, runs: usize) -> Vec<Assumption> {
    let mut list = List::default();
    for backend in scenario.backends.iter().filter(|backend| backend.ptus != Some(0)) {
        let model = scenario.model(&backend.model);
        match backend.preset {
            Preset::AzurePtu => deployment::ptu(&mut list, backend, &model),
            Preset::AzureStandard => deployment::standard(&mut list, scenario, backend),
            Preset::None => {}
        }
        deployment::windows(&mut list, backend);
        deployment::answers(&mut list, scenario, backend, &model);
        deployment::prices(&mut list, backend, &model);
    }
    clients(&mut list, scenario);
    for workload in &scenario.workloads {
        traffic(&mut list, workload);
    }
    run(&mut list, scenario, runs);
    // Stable: within a source the scenario's order stays.
    list.0.sort_by_key(|assumption| assumption.source.order());
    list.0
}

fn clients(list: &mut List, scenario: &Scenario) {
    let programs = scenario.programs();
    for program in &programs {
        let clients = program.clients;
        let what = program.owner.map_or_else(|| "who sends".to_owned(), |own| format!("who sends {}", own.name));
        let pools = match clients.pools {
            PoolSharing::Private => "each with a pool of its own: they learn of refusals separately".to_owned(),
            PoolSharing::Gossip => {
                format!("each with a pool of its own: they hear of cooldowns after {}", clients.gossip_delay)
            }
            PoolSharing::Shared => "all over one pool, without delay".to_owned(),
        };
        match clients.client {
            Client::Direct => list.given(what, "every request goes to one backend, no balancer"),
            Client::Balancer => list.given(what, format!("{} workers, {pools}", clients.workers)),
        }
    }
    let believes = |program: &Program<'_>| {
        program.clients.client == Client::Balancer && program.pool.max_cooldown == PoolOptions::default().max_cooldown
    };
    if programs.iter().any(believes) {
        list.add(
            Source::Given,
            "longest wait that the balancer believes",
            "600 s",
            "the balancer's default; a longer hint cools for the default cooldown",
        );
    }
}

fn traffic(list: &mut List, workload: &Workload) {
    let name = &workload.name;
    let file = workload.file.as_deref().map_or_else(String::new, |file| file.display().to_string());
    let value = match workload.kind {
        Kind::Poisson => "Poisson: requests do not depend on each other".to_owned(),
        Kind::Constant => "at equal distances".to_owned(),
        Kind::Gamma => format!("gamma, coefficient of variation {}", workload.cv.unwrap_or(1.0)),
        Kind::Bursts => "two rates that take turns".to_owned(),
        Kind::RateTable => "a rate table".to_owned(),
        Kind::Closed => "users who wait for their answers".to_owned(),
        Kind::Trace => format!("as recorded in {file}"),
        Kind::AzureMonitor => {
            format!("per minute as in {file}; burstiness {} inside a minute", workload.cv.unwrap_or(1.0))
        }
    };
    let (source, reference) = match workload.kind {
        Kind::Trace if file.contains("AzureLLMInferenceTrace") => {
            (Source::Given, "Azure Public Dataset, LLM inference traces (CC-BY-4.0)")
        }
        Kind::Trace if file.contains("mooncake") => (Source::Given, "Mooncake traces (Apache-2.0)"),
        Kind::AzureMonitor => (Source::Assumed, "the export does not show what happens inside a minute: vary `cv`"),
        _ => (Source::Given, "the scenario; no dependence on the time of day unless it says so"),
    };
    list.add(source, format!("arrivals of {name}"), value, reference);
    sizes(list, workload);
    let max_tokens = match workload.max_tokens {
        MaxTokens::Absent | MaxTokens::Named(NamedMaxTokens::None) => {
            "none: the service reserves its default".to_owned()
        }
        MaxTokens::Named(NamedMaxTokens::Exact) => "exactly the completion's length".to_owned(),
        MaxTokens::Named(NamedMaxTokens::Trace) => "as in the trace".to_owned(),
        MaxTokens::Constant(tokens) => number::thousands(tokens as f64),
        MaxTokens::Factor(factor) => format!("{} times the completion's length", factor.factor),
    };
    list.add(
        Source::Given,
        format!("max_tokens of {name}"),
        max_tokens,
        "the scenario; reserved tokens count until the answer is whole",
    );
}

/// What is made of sizes that only have a mean, and of a share that is cached.
fn sizes(list: &mut List, workload: &Workload) {
    let name = &workload.name;
    let is_export = workload.kind == Kind::AzureMonitor;
    for (what, length, spread) in
        [("prompts", &workload.input, INPUT_SPREAD), ("completions", &workload.output, OUTPUT_SPREAD)]
    {
        if is_export && length.is_none() {
            list.add(
                Source::Assumed,
                format!("lengths of {what} of {name}"),
                format!("lognormal around the mean of each minute, sigma {spread}"),
                "an export has the mean only; spread as in the conversations of AzureLLMInferenceTrace, 2023: give yours",
            );
        }
    }
    if is_export || workload.cached_share.is_some_and(|share| share > 0.0) {
        list.add(
            Source::Assumed,
            format!("cached tokens of {name}"),
            "whole prompts, those of 1,024 tokens and more first, until the share is met",
            "documented is that shorter prompts are not cached; which of the others are is not known",
        );
    }
}

fn run(list: &mut List, scenario: &Scenario, runs: usize) {
    if runs > 1 {
        list.add(
            Source::Assumed,
            "intervals",
            format!("95 % over {runs} runs that do not depend on each other (Student's t)"),
            match scenario.workloads.iter().any(|one| matches!(one.kind, Kind::Trace | Kind::AzureMonitor)) {
                true => "they cover chance only: what is recorded arrives in every run, and another week would differ by more",
                false => "they cover chance only: not that the traffic or the models could be different",
            },
        );
    } else {
        list.add(Source::Assumed, "intervals", "none: one run", "`run.replications` gives them");
    }
    if let Some(span) = scenario.run.represents {
        list.add(
            Source::Given,
            "the run stands for",
            span.to_string(),
            "the scenario; a month is 730 hours of the same",
        );
    } else {
        list.add(Source::Assumed, "the month", "730 hours like the simulated time", "`run.represents` says otherwise");
    }
    if (scenario.run.growth - 1.0).abs() > f64::EPSILON {
        list.given("growth of all rates", format!("x {}", scenario.run.growth));
    }
}

fn span(span: Span) -> String {
    number::seconds(span.as_secs_f64())
}

fn named(model: &Model) -> String {
    if model.name.is_empty() { "the model".to_owned() } else { model.name.clone() }
}

fn distinct(mut texts: Vec<String>) -> String {
    texts.dedup();
    texts.join(", ")
}
