//! What the balancer's rules must hold in the scenarios of `scenarios/policies`, whose figures `docs/policies.md` has.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

#[allow(dead_code, reason = "the example uses the rest")]
#[path = "../examples/policies/measure.rs"]
mod measure;
#[allow(dead_code, reason = "the example uses the rest")]
#[path = "../examples/policies/poison.rs"]
mod poison;

#[path = "../examples/policies/queue.rs"]
mod queue;

use measure::{Changes, Measured};
use poison::{Cell, Sending, Shape};

fn measured(name: &str, changes: Changes<'_>) -> Measured {
    Measured::of(name, changes).unwrap()
}

#[test]
fn a_poison_prompt_costs_nobody_but_its_sender() {
    let base = measure::text("poison").unwrap();
    let found = poison::run(&poison::cells(60), &base, &[]).unwrap();
    assert_eq!(found.len(), 3 * 3 * 2 * 4 * 2 * 2);
    let poisoned: Vec<String> = found
        .iter()
        .filter(|found| found.served < least(&found.cell))
        .map(|found| format!("{}: {:.2} %", found.cell, found.served * 100.0))
        .collect();
    assert!(poisoned.is_empty(), "{}", poisoned.join("\n"));
}

/// The part of the others' requests that must be served.
fn least(cell: &Cell) -> f64 {
    let hits_all_that_is_left = cell.shape == Shape::PtuAndTwo && cell.sending == Sending::ThreeAtOnce;
    // Three prompts at once close both backends for a second, and the PTUs are full every third.
    if hits_all_that_is_left { 0.99 } else { 0.995 }
}

#[test]
fn an_outage_is_asked_about_and_not_stormed() {
    let outage = measured("outage", &[]);
    let sends = outage.backends("server_errors") / 600.0;
    assert!(sends <= 0.7, "{sends} sends per request");
    assert!(outage.failed() <= 610.0, "{} failed", outage.failed());
}

#[test]
fn a_blip_costs_a_second() {
    for head in ["'500ms'", "'8s'"] {
        let blip = measured("blip", &[("model.steady.ttft.base", head), ("run.replications", "20")]);
        assert!(blip.failed() <= 10.0, "{} failed", blip.failed());
    }
}

#[test]
fn few_requests_hang_in_a_region_that_hangs() {
    let region = measured("hanging_region", &[("run.replications", "5")]);
    let hung = region.backends("faults") / region.all("offered") * 1_000.0;
    assert!(hung <= 10.0, "{hung} of 1,000");
}

#[test]
fn a_backend_that_resets_or_stalls_fails_fifteen_callers_an_hour() {
    for (rate, per_second) in [("10", 10.0), ("1", 1.0), ("0.08333333333333333", 0.08), ("0.016666666666666666", 0.02)]
    {
        let resets = measured("resets", &[("workload.chat.rate", rate)]).failed();
        assert!(resets <= 15.0, "{resets} at {rate}/s");
        // And those that were under way when the first of them timed out, after 10 s.
        let stalls = measured("stalls", &[("workload.chat.rate", rate)]).failed();
        assert!(stalls <= 15.0 + 10.0 * per_second, "{stalls} at {rate}/s");
    }
}

/// What was used of the PTUs by the rules of commit 771e0be, which had cooldowns alone, with heads of 0.4, 2 and 8 s.
/// `cargo run --release -p lb-sim --example policies -- before LB_SIM` says so, with the `lb-sim` of that commit.
const USED_BEFORE: [(&str, f64); 3] = [("'400ms'", 0.9990), ("'2s'", 0.9985), ("'8s'", 0.9968)];

#[test]
fn ptus_under_429s_are_used_as_they_were_before() {
    for (head, before) in USED_BEFORE {
        let measured = measured("ptu_429s", &[("model.steady.ttft.base", head), ("run.replications", "2")]);
        let used = measured.backend(0, "used_tokens") / (400_000.0 * 59.0);
        assert!((used / before - 1.0).abs() < 0.01, "{used} with heads of {head}, {before} before");
    }
}

/// Waiting of up to 30 s in front of PTUs that are offered 0.85 of what they can serve, and 1.85 times that in bursts.
#[test]
fn waiting_serves_what_a_strict_queue_would_and_nearly_as_soon() {
    let one: Changes<'_> = &[("run.replications", "1"), ("run.duration", "'20m'")];
    let refused = measured("waiting", &[one, &[("workload.chat.wishes", "{ wait = false }")]].concat());
    let served = refused.all("success_share");
    assert!((0.65..0.75).contains(&served), "{served} without waiting");

    let waiting = measured("waiting", one);
    let served = waiting.all("success_share");
    assert!(served >= 0.999, "{served}");
    let refusals = waiting.all("backend_429s_per_success");
    assert!(refusals <= 0.5, "{refusals} refusals per request served");

    let scenario = measure::changed(&measure::text("waiting").unwrap(), one).unwrap();
    let strict = queue::waits(&scenario, 0).unwrap();
    let strict = strict[strict.len() * 99 / 100] as f64 / 1e9;
    let p99 = waiting.time("added_wait", "p99");
    assert!(strict > 5.0 && p99 <= 1.3 * strict, "{p99} s, and {strict} s in a strict queue");
}

#[test]
fn waiting_takes_the_429s_away_that_few_ptus_bring_an_sdk() {
    let seen = |ptus, wait| {
        let changes = [("backend.ptu.ptus", ptus), ("workload.chat.wishes.wait", wait), ("run.replications", "2")];
        measured("../waiting", &changes).all("application_429_share")
    };
    let (without_ptus, with_ptus) = (seen("0", "false"), seen("15", "false"));
    assert!(with_ptus > 5.0 * without_ptus && with_ptus > 0.001, "{without_ptus} and {with_ptus}");
    let waiting = seen("15", "true");
    assert!(waiting <= 1e-5, "{waiting}");
}

#[test]
fn late_failures_are_the_callers_where_a_rule_says_so() {
    let executed = |changes: Changes<'_>| measured("deadline", changes).class(1, "attempts_per_request");
    assert!(executed(&[]) > 2.9);
    for rule in [("pool.deadline", "'30s'"), ("pool.fail_over_within", "'30s'")] {
        assert!(executed(&[rule]) <= 1.0, "{rule:?}");
    }
}

#[test]
fn a_head_timeout_shortens_the_tail() {
    let p99 = |wishes| measured("head_timeout", &[("workload.chat.wishes", wishes)]).time("first_token", "p99");
    let (without, with) = (p99("{}"), p99("{ head_timeout = '10s' }"));
    assert!(without > 60.0 && with < 12.0, "{without} s and {with} s");
}

#[test]
fn a_key_keeps_prompts_in_the_cache_however_many_workers_there_are() {
    for workers in ["1", "64"] {
        let cached = |affinity| {
            let changes = [("workload.chat.wishes.affinity", affinity), ("clients.workers", workers)];
            measured("affinity", &changes).all("cached_share")
        };
        let (at_random, by_key) = (cached("false"), cached("true"));
        assert!(at_random < 0.4 && by_key > 0.65, "{at_random} and {by_key} with {workers} workers");
    }
}

#[test]
fn nobody_is_handed_a_refusal_inside_a_200() {
    assert!(measured("peek", &[("pool.peek", "false")]).failed() > 1_000.0);
    assert!(measured("peek", &[]).failed() < 1.0);
}
