use lb_limits::{Kind, RequestPeriod};

use super::{List, Source, distinct, named, span};
use crate::{
    number,
    scenario::{Backend, HintPolicy, Model, Preset, Remaining, RequestQuota, Scenario, Span},
};

const SIZING: &str = "Microsoft Learn, Provisioned throughput sizing, 2026-05-21";
const PROVISIONED: &str = "Microsoft Learn, Provisioned throughput, utilization enforcement";
const QUOTA: &str = "Microsoft Learn, Azure OpenAI quota, 2026-09-16";

pub(super) fn ptu(list: &mut List, backend: &Backend, model: &Model) {
    let name = &backend.name;
    let reference = "not documented, and the figure that matters most: sweep 1 s, 10 s and 60 s, or `lb-sim calibrate`";
    let depth = span(backend.burst.unwrap_or(Span::from_secs(10)));
    list.add(Source::Assumed, format!("bucket depth of {name}"), format!("{depth} of drain"), reference);
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
    let reference = "documented is only that the service estimates them";
    reserved(list, backend, (Source::Assumed, "1,000", reference));
    match backend.cache_min {
        Some(tokens) => list.given("cached prompt tokens are deducted from", format!("{tokens} tokens on")),
        None => {
            list.add(Source::Documented, "cached prompt tokens are deducted from", "1,024 tokens on", PROVISIONED);
        }
    }
}

pub(super) fn standard(list: &mut List, scenario: &Scenario, backend: &Backend) {
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
    let what = format!("requests per minute of {name}");
    match (backend.rpm, backend.rpm_per_1k_tpm) {
        (None, None) => {
            let quota = RequestQuota::of(&backend.model);
            let value = format!("{} per 1,000 tokens per minute", number::significant(quota.per_1k_tpm));
            list.add(quota.source, what, value, quota.reference);
        }
        (None, Some(ratio)) => list.given(what, format!("{} per 1,000 tokens per minute", number::significant(ratio))),
        (Some(rpm), _) => list.given(what, number::thousands(rpm as f64)),
    }
    let (value, source) =
        if backend.counts_refused { ("charged too", Source::Documented) } else { ("not charged", Source::Assumed) };
    list.add(
        source,
        format!("refused requests to {name} are"),
        value,
        format!("{QUOTA}: 'unsuccessful requests still count'; whether that holds for tokens is not known: try both"),
    );
    let reference = "Microsoft's aoai-api-simulator, 'based on experimentation'";
    reserved(list, backend, (Source::Observed, "16", reference));
}

/// What requests without `max_tokens` reserve, if the scenario does not say.
fn reserved(list: &mut List, backend: &Backend, otherwise: (Source, &str, &str)) {
    let what = format!("output tokens that {} reserves without max_tokens", backend.name);
    match backend.default_max_tokens {
        Some(tokens) => list.given(what, tokens.to_string()),
        None => list.add(otherwise.0, what, otherwise.1, otherwise.2),
    }
}

pub(super) fn windows(list: &mut List, backend: &Backend) {
    for window in &backend.windows {
        let kind = match window.kind {
            Kind::Fixed => "fixed",
            Kind::Sliding => "sliding",
            Kind::Gcra => "continuous (GCRA)",
        };
        let refused = if window.counts_refused { "charged too" } else { "not charged" };
        let unit = format!("{:?}", window.unit).to_lowercase();
        list.given(
            format!("own window of {}", backend.name),
            format!(
                "{} {unit} per {}, {kind}, refused requests {refused}",
                number::thousands(window.limit as f64),
                window.length
            ),
        );
    }
    if let Some(foreign) = backend.foreign {
        list.given(
            format!("somebody else's traffic on the quota of {}", backend.name),
            format!("{} tokens per minute, Poisson, {} tokens each", number::thousands(foreign.tpm), foreign.tokens),
        );
    }
}

pub(super) fn answers(list: &mut List, scenario: &Scenario, backend: &Backend, model: &Model) {
    let name = &backend.name;
    let (value, source, reference) = match backend.hints.policy {
        HintPolicy::Exact if backend.preset != Preset::AzurePtu => (
            "the exact time until it would be let in",
            Source::Assumed,
            "documented is that they say a time; 1 s in an empty minute was seen too",
        ),
        HintPolicy::Exact => (
            "the exact time until it would be let in",
            Source::Documented,
            "Microsoft Learn: retry-after-ms is the time until utilization is below 100 %",
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
            "the balancer fails over if `pool.peek` is on, the request is streamed, and the head says how long to wait",
            "captured on a streamed Responses call, 2026-08-20",
        );
    }
    let (source, reference) = match backend.refusal_latency.or(scenario.clients.refusal_latency) {
        None => (
            Source::Assumed,
            "20 to 80 ms are usual; it depends on your network, and the number of 429s on it: `lb-sim calibrate` measures it",
        ),
        Some(_) => (Source::Given, "the scenario"),
    };
    let refusal = span(scenario.refusal_latency(backend));
    list.add(source, format!("time until a refusal of {name} is back"), refusal, reference);
    let (source, reference) = match (model.ttft, model.tpot) == Default::default() {
        true => (Source::Assumed, "near Azure's published targets; not measured on your deployment"),
        false => (Source::Given, "the scenario"),
    };
    list.add(
        source,
        format!("latency of {}", named(model)),
        format!(
            "first token {} + {} per 1,000 uncached input tokens (sigma {}), then {} per token (sigma {})",
            span(model.ttft.base),
            span(model.ttft.per_1k_input),
            model.ttft.sigma,
            span(model.tpot.mean),
            model.tpot.sigma
        ),
        reference,
    );
    list.add(Source::Assumed, "latency under load", "as without", "no published figures; real deployments get slower");
}

pub(super) fn prices(list: &mut List, backend: &Backend, model: &Model) {
    let given = "the scenario; prices and discounts change, check yours";
    if backend.preset == Preset::AzurePtu {
        let prices = [
            (backend.price_ptu_hour, "hour, 730 hours a month"),
            (backend.price_ptu_month, "month, reserved"),
            (backend.price_ptu_year, "year, reserved"),
        ];
        let prices = prices.into_iter().filter_map(|(price, term)| Some(format!("${} per PTU and {term}", price?)));
        let price = match prices.collect::<Vec<_>>().as_slice() {
            [] => "no price given".to_owned(),
            [price] => price.clone(),
            prices => format!("{}: the cheapest counts", prices.join("; ")),
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
