//! What a report rests on. Only what matters for the scenario at hand is listed.

use serde::Serialize;

use super::number;
use crate::scenario::{
    Backend, Client, HintPolicy, Kind, MaxTokens, Model, NamedMaxTokens, Pools, Preset, Remaining, RequestPeriod,
    Scenario, Span, WindowKind, Workload,
};

/// Something that the figures rest on, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    pub(super) const fn order(self) -> u8 {
        match self {
            Self::Assumed => 0,
            Self::Observed => 1,
            Self::Documented => 2,
            Self::Given => 3,
        }
    }
}

const SIZING: &str = "Microsoft Learn, Provisioned throughput sizing, 2026-05-21";
const PROVISIONED: &str = "Microsoft Learn, Provisioned throughput, utilization enforcement";
const QUOTA: &str = "Microsoft Learn, Azure OpenAI quota, 2026-09-16";

/// A list that says each thing once.
#[derive(Default)]
struct List(Vec<Assumption>);

impl List {
    fn add(&mut self, source: Source, what: impl Into<String>, value: impl Into<String>, reference: impl Into<String>) {
        let new = Assumption { what: what.into(), value: value.into(), source, reference: reference.into() };
        if !self.0.contains(&new) {
            self.0.push(new);
        }
    }
}

/// What the scenario's figures rest on.
pub(super) fn of(scenario: &Scenario, runs: usize) -> Vec<Assumption> {
    let mut list = List::default();
    for backend in scenario.backends.iter().filter(|backend| backend.ptus != Some(0)) {
        let model = scenario.model(&backend.model);
        match backend.preset {
            Preset::AzurePtu => ptu(&mut list, backend, &model),
            Preset::AzureStandard => standard(&mut list, scenario, backend),
            Preset::None => {}
        }
        windows(&mut list, backend);
        answers(&mut list, backend, &model);
        prices(&mut list, backend, &model);
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

fn ptu(list: &mut List, backend: &Backend, model: &Model) {
    let name = &backend.name;
    match backend.burst {
        Some(burst) => list.add(
            Source::Given,
            format!("bucket depth of {name}"),
            format!("{} of drain", span(burst)),
            "not documented: measured with `lb-sim calibrate`, or a choice to vary",
        ),
        None => list.add(
            Source::Assumed,
            format!("bucket depth of {name}"),
            "10 s of drain",
            "not documented, and the figure that matters most: sweep 1 s, 10 s and 60 s, or `lb-sim calibrate`",
        ),
    }
    list.add(
        Source::Documented,
        "a PTU refuses above 100 % and accepts below, drains at a constant rate, corrects estimates at the end",
        "leaky bucket",
        PROVISIONED,
    );
    let throughput = format!(
        "{} input tokens per minute and PTU; an output token counts as {}",
        model.input_tpm_per_ptu().map_or_else(|| "no".to_owned(), |tpm| number::thousands(tpm as f64)),
        model.output_ratio(),
    );
    let (source, reference) = if model.input_tpm_per_ptu.is_some() || model.output_ratio.is_some() {
        (Source::Given, "the scenario's [[model]] entry")
    } else {
        (Source::Documented, SIZING)
    };
    list.add(source, format!("throughput of {}", named(model)), throughput, reference);
    match backend.default_max_tokens {
        Some(tokens) => list.add(
            Source::Given,
            format!("output tokens that {name} reserves without max_tokens"),
            tokens.to_string(),
            "the scenario",
        ),
        None => list.add(
            Source::Assumed,
            format!("output tokens that {name} reserves without max_tokens"),
            "1,000",
            "documented is only that the service estimates them",
        ),
    }
    match backend.cache_min {
        Some(tokens) => list.add(
            Source::Given,
            "cached prompt tokens are deducted from",
            format!("{tokens} tokens on"),
            "the scenario",
        ),
        None => {
            list.add(Source::Documented, "cached prompt tokens are deducted from", "1,024 tokens on", PROVISIONED);
        }
    }
}

fn standard(list: &mut List, scenario: &Scenario, backend: &Backend) {
    list.add(
        Source::Documented,
        "tokens of standard deployments are counted",
        "per minute, all forgotten at its end (fixed windows)",
        QUOTA,
    );
    list.add(
        Source::Assumed,
        "when the minutes of standard deployments begin",
        "at a moment of its own for each, drawn from the seed, unless `phase` says",
        "not documented",
    );
    let chars: Vec<String> =
        scenario.workloads.iter().map(|workload| format!("{}", workload.chars_per_token)).collect();
    list.add(
        Source::Assumed,
        "standard deployments estimate a prompt by its characters",
        format!("a token per 4 characters; prompts have {} per token", distinct(chars)),
        format!("{QUOTA}: 'based in part on the character count', no figure"),
    );
    let name = &backend.name;
    let period = match backend.request_period {
        RequestPeriod::OneSecond => "1 s",
        RequestPeriod::TenSeconds => "10 s",
    };
    list.add(
        Source::Documented,
        format!("requests to {name} are counted per"),
        period,
        format!("{QUOTA}: 'typically 1 or 10 seconds'"),
    );
    if backend.rpm.is_none() && backend.rpm_per_1k_tpm.is_none() {
        list.add(
            Source::Documented,
            format!("requests per minute of {name}"),
            "6 per 1,000 tokens per minute",
            format!("{QUOTA}; newer models have 10 or 1: see your quota page"),
        );
    }
    let (value, source) =
        if backend.counts_refused { ("charged too", Source::Documented) } else { ("not charged", Source::Assumed) };
    list.add(
        source,
        format!("refused requests to {name} are"),
        value,
        format!("{QUOTA}: 'unsuccessful requests still count'; whether that holds for tokens is not known: try both"),
    );
    match backend.default_max_tokens {
        Some(tokens) => list.add(
            Source::Given,
            format!("output tokens that {name} reserves without max_tokens"),
            tokens.to_string(),
            "the scenario",
        ),
        None => list.add(
            Source::Observed,
            format!("output tokens that {name} reserves without max_tokens"),
            "16",
            "Microsoft's aoai-api-simulator, 'based on experimentation'",
        ),
    }
}

fn windows(list: &mut List, backend: &Backend) {
    for window in &backend.windows {
        let kind = match window.kind {
            WindowKind::Fixed => "fixed",
            WindowKind::Sliding => "sliding",
            WindowKind::Gcra => "continuous (GCRA)",
        };
        let refused = if window.counts_refused { "charged too" } else { "not charged" };
        let unit = format!("{:?}", window.unit).to_lowercase();
        list.add(
            Source::Given,
            format!("own window of {}", backend.name),
            format!(
                "{} {unit} per {}, {kind}, refused requests {refused}",
                number::thousands(window.limit as f64),
                window.length
            ),
            "the scenario",
        );
    }
    if let Some(foreign) = backend.foreign {
        list.add(
            Source::Given,
            format!("somebody else's traffic on the quota of {}", backend.name),
            format!("{} tokens per minute, Poisson, {} tokens each", number::thousands(foreign.tpm), foreign.tokens),
            "the scenario",
        );
    }
}

fn answers(list: &mut List, backend: &Backend, model: &Model) {
    let name = &backend.name;
    let (value, source, reference) = match backend.hints.policy {
        HintPolicy::Exact => (
            "the exact time until it would be let in",
            Source::Documented,
            "Microsoft Learn: retry-after-ms is the time to wait; live deployments were also seen to say 1 s in an empty minute",
        ),
        HintPolicy::Ceiling => ("that time, rounded up to seconds", Source::Given, "the scenario"),
        HintPolicy::Constant => ("always the same", Source::Given, "the scenario"),
        HintPolicy::Optimistic => {
            ("less than the truth", Source::Observed, "seen: retry-after 1 beside an empty minute")
        }
        HintPolicy::Zero => ("zero", Source::Given, "the scenario"),
        HintPolicy::None => ("nothing", Source::Given, "the scenario"),
    };
    list.add(source, format!("refusals of {name} say how long to wait"), value, reference);
    if backend.hints.remaining != Remaining::None {
        let (value, source) = match backend.hints.remaining {
            Remaining::Observed => ("what is left of one second, quoted against the minute", Source::Observed),
            _ => ("what is left of the minute", Source::Documented),
        };
        list.add(source, format!("x-ratelimit-remaining of {name} is"), value, "documentation and measurements differ");
    }
    if backend.hints.refuse_with_200 {
        list.add(
            Source::Observed,
            format!("refusals of {name} come inside a 200"),
            "the application gets them: the balancer returns a 200 as it is",
            "captured on a streamed Responses call, 2026-08-20",
        );
    }
    list.add(
        Source::Assumed,
        "time until a refusal is back",
        span(backend.refusal_latency),
        "20 to 80 ms seen; an assumption for each network",
    );
    list.add(
        Source::Assumed,
        format!("latency of {}", named(model)),
        format!(
            "first token {} + {} per 1,000 uncached input tokens (sigma {}), then {} per token (sigma {})",
            span(model.ttft.base),
            span(model.ttft.per_1k_input),
            model.ttft.sigma,
            span(model.tpot.mean),
            model.tpot.sigma
        ),
        "near Azure's published targets; not measured on your deployment, and not slower under load",
    );
}

fn prices(list: &mut List, backend: &Backend, model: &Model) {
    let given = "the scenario; prices and discounts change, check yours";
    if backend.preset == Preset::AzurePtu {
        let price = match (backend.price_ptu_hour, backend.price_ptu_month) {
            (Some(hour), _) => format!("${hour} per PTU and hour, 730 hours a month"),
            (_, Some(month)) => format!("${month} per PTU and month, reserved"),
            (None, None) => "no price given".to_owned(),
        };
        list.add(Source::Given, format!("price of {}", backend.name), price, given);
        return;
    }
    let dollars = |price: Option<f64>| price.map_or_else(|| "no price given".to_owned(), |price| format!("${price}"));
    list.add(
        Source::Given,
        format!("price of {}, per million tokens", named(model)),
        format!(
            "input {}, cached input {}, output {}",
            dollars(model.price_input),
            dollars(model.price_cached_input.or(model.price_input)),
            dollars(model.price_output)
        ),
        given,
    );
}

fn clients(list: &mut List, scenario: &Scenario) {
    let clients = &scenario.clients;
    if clients.client == Client::Direct {
        list.add(Source::Given, "who sends", "every request goes to one backend, no balancer", "the scenario");
        return;
    }
    let pools = match clients.pools {
        Pools::Private => "each with a pool of its own: they learn of refusals separately",
        Pools::Shared => "all over one pool, without delay",
    };
    list.add(Source::Given, "who sends", format!("{} workers, {pools}", clients.workers), "the scenario");
    if scenario.pool.max_cooldown.is_none() {
        list.add(
            Source::Documented,
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

fn run(list: &mut List, scenario: &Scenario, runs: usize) {
    if runs > 1 {
        list.add(
            Source::Assumed,
            "intervals",
            format!("95 % over {runs} runs that do not depend on each other (Student's t)"),
            "they cover chance only: not that the traffic or the models could be different",
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
        list.add(Source::Given, "growth of all rates", format!("x {}", scenario.run.growth), "the scenario");
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
