//! What a workload must be.

use super::{Checked, in_range, refuse, tokens, wrong};
use crate::scenario::{Interpolate, Kind, Length, MaxTokens, NamedMaxTokens, Workload};

pub(super) fn check(workload: &Workload) -> Checked {
    let key = |key: &str| format!("workload.{}.{key}", workload.name);
    let needs = |name: &str, is_there: bool| {
        if is_there { Ok(()) } else { wrong(key(name), format!("it is missing for {:?} arrivals", workload.kind)) }
    };
    match workload.kind {
        Kind::Poisson | Kind::Constant => needs("rate", workload.rate.is_some())?,
        Kind::Gamma => {
            needs("rate", workload.rate.is_some())?;
            needs("cv", workload.cv.is_some())?;
        }
        Kind::Bursts => {
            needs("rate", workload.rate.is_some())?;
            needs("bursts", workload.bursts.is_some())?;
        }
        Kind::RateTable => needs("rates", !workload.rates.is_empty() || workload.file.is_some())?,
        Kind::Closed => {
            needs("users", workload.users.is_some())?;
            needs("think", workload.think.is_some())?;
        }
        Kind::Trace | Kind::AzureMonitor => needs("file", workload.file.is_some())?,
    }
    if !matches!(workload.kind, Kind::Trace | Kind::AzureMonitor) {
        needs("input", workload.input.is_some())?;
        needs("output", workload.output.is_some())?;
        refuse(
            matches!(workload.max_tokens, MaxTokens::Named(NamedMaxTokens::Trace)),
            key("max_tokens"),
            "there is no trace to take it from",
        )?;
    }
    in_range(&key("rate"), workload.rate, 1e-9, 1e9)?;
    in_range(&key("cv"), workload.cv, 1e-3, 1e3)?;
    in_range(&key("speed"), Some(workload.speed), 1e-6, 1e6)?;
    in_range(&key("thin"), Some(workload.thin), 0.0, 1.0)?;
    in_range(&key("cached_share"), workload.cached_share, 0.0, 1.0)?;
    in_range(&key("chars_per_token"), Some(workload.chars_per_token), 0.0, 1e3)?;
    match workload.max_tokens {
        MaxTokens::Constant(constant) => tokens(&key("max_tokens"), Some(constant))?,
        MaxTokens::Factor(factor) => {
            in_range(&key("max_tokens.factor"), Some(factor.factor), 0.0, 1e6)?;
            tokens(&key("max_tokens.min"), Some(factor.min))?;
            refuse(factor.max < factor.min, key("max_tokens.max"), "it must be at least `min`")?;
        }
        MaxTokens::Named(_) | MaxTokens::Absent => {}
    }
    refuse(workload.deadline.is_some_and(|span| span.as_nanos() == 0), key("deadline"), "it must be more than zero")?;
    refuse(
        workload.rates.last().is_some_and(|last| last.at.as_nanos() < lb_limits::MILLISECOND),
        key("rates"),
        "they must last for 1 ms at least",
    )?;
    check_wishes(workload)?;
    if let Some(retry) = workload.retry {
        // A pool without a backend refuses at once: all of them would be at one moment.
        refuse(
            retry.wait.as_nanos() < lb_limits::MILLISECOND && retry.times.is_none_or(|times| times > 1_000),
            key("retry.wait"),
            "it must be 1 ms or longer where a request is sent again more than 1,000 times, or until it is served",
        )?;
    }
    refuse(workload.copies == 0, key("copies"), "it must be at least 1")?;
    if let Some(bursts) = workload.bursts {
        in_range(&key("bursts.factor"), Some(bursts.factor), 1e-6, 1e6)?;
        refuse(
            bursts.burst.as_nanos() == 0 || bursts.calm.as_nanos() == 0,
            key("bursts"),
            "`burst` and `calm` must be more than zero",
        )?;
        refuse(
            bursts.burst.as_nanos().saturating_add(bursts.calm.as_nanos()) < lb_limits::MILLISECOND,
            key("bursts"),
            "`burst` and `calm` must last for 1 ms together, at least",
        )?;
    }
    for pair in workload.rates.windows(2) {
        refuse(
            pair[1].at < pair[0].at,
            key("rates"),
            format!("the points must rise in time: {} after {}", pair[1].at, pair[0].at),
        )?;
    }
    if let Some(crowd) = workload.rates.windows(3).find(|points| points[0].at == points[2].at) {
        return wrong(key("rates"), format!("there are three points at {}; a jump has two", crowd[0].at));
    }
    refuse(
        workload.interpolate != Interpolate::Linear && workload.kind != Kind::RateTable,
        key("interpolate"),
        "only a `rate_table` has points to go between",
    )?;
    for (name, length) in [("input", &workload.input), ("output", &workload.output)] {
        check_length(&key(name), length.as_ref())?;
    }
    Ok(())
}

fn check_wishes(workload: &Workload) -> Checked {
    let key = |key: &str| format!("workload.{}.{key}", workload.name);
    if let Some(keys) = workload.keys {
        refuse(!(1..=1_000_000).contains(&keys.count), key("keys.count"), "it must be from 1 to 1000000")?;
        in_range(&key("keys.zipf"), Some(keys.zipf), 0.0, 10.0)?;
        in_range(&key("keys.cached"), Some(keys.cached), 0.0, 1.0)?;
        refuse(
            workload.cached_share.is_some(),
            key("cached_share"),
            "with `keys` the caches of the deployments decide what is cached",
        )?;
    }
    let Some(wishes) = workload.wishes else { return Ok(()) };
    refuse(wishes.affinity && workload.keys.is_none(), key("wishes.affinity"), "there are no `keys` to go by")?;
    in_range(&key("wishes.pin"), Some(wishes.pin), 0.0, 1.0)?;
    for (name, span) in [("within", wishes.within), ("head_timeout", wishes.head_timeout)] {
        refuse(
            span.is_some_and(|span| span.as_nanos() == 0),
            key(&format!("wishes.{name}")),
            "it must be more than zero",
        )?;
    }
    Ok(())
}

fn check_length(key: &str, length: Option<&Length>) -> Checked {
    match length {
        Some(Length::Constant(constant)) => tokens(key, Some(*constant)),
        Some(Length::Lognormal(lognormal)) => {
            in_range(&format!("{key}.mean"), Some(lognormal.mean), 0.0, 1e12)?;
            in_range(&format!("{key}.sigma"), Some(lognormal.sigma), 0.0, 10.0)
        }
        Some(Length::Named(named)) => in_range(&format!("{key}.mean"), Some(named.mean), 0.0, 1e12),
        Some(Length::Quantiles(table)) => {
            let rises = table.quantiles.windows(2).all(|pair| pair[0] <= pair[1]);
            let in_range = table.quantiles.iter().all(|&value| (0.0..=1e12).contains(&value));
            if table.quantiles.len() < 2 || !rises || !in_range {
                return wrong(
                    format!("{key}.quantiles"),
                    "they must be at least two numbers from 0 on, none below the one before",
                );
            }
            Ok(())
        }
        _ => Ok(()),
    }
}
