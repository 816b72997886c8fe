//! Runs made by hand.

use crate::{
    Scenario,
    metrics::{BackendBin, BackendTally, Bin, ClassTally, Conservation, GivenUp, RunResult, Timeline, WorkerTally},
};

const SECOND: u64 = 1_000_000_000;

/// A PTU before a standard deployment, with all prices, one class, two workers, an hour after a minute of warm-up.
pub(crate) fn scenario() -> Scenario {
    scenario_with("")
}

/// The same, with more lines after it.
pub(crate) fn scenario_with(more: &str) -> Scenario {
    let text = r#"
        title = "A PTU before a standard deployment"
        [run]
        duration = "61m"
        warmup = "1m"
        seed = 7
        [clients]
        workers = 2
        [[model]]
        name = "gpt-4.1"
        price_input = 2.0
        price_cached_input = 0.5
        price_output = 8.0
        [[backend]]
        name = "ptu"
        model = "gpt-4.1"
        preset = "azure-ptu"
        ptus = 100
        price_ptu_hour = 1.0
        [[backend]]
        name = "eu"
        priority = 2
        model = "gpt-4.1"
        preset = "azure-standard"
        tpm = 300_000
        [[workload]]
        name = "chat"
        kind = "poisson"
        rate = 1.0
        input = 1000
        output = 200
    "#;
    Scenario::parse(&format!("{text}{more}")).unwrap()
}

/// 1,000 requests: 900 served by the PTU, 90 by the standard deployment after a second's wait, 10 given up with a 429. Replications
/// differ a little in 429s and in output tokens.
pub(crate) fn run(replication: u64) -> RunResult {
    let mut class: ClassTally = ClassTally {
        offered: 1_000,
        succeeded: 990,
        given_up: GivenUp { throttled: 10, ..GivenUp::default() },
        attempts: 1_110,
        throttles: 120 + 10 * replication,
        sdk_retries: 5,
        spilled: 90,
        input_tokens: 990_000,
        output_tokens: 198_000,
        ..ClassTally::default()
    };
    for request in 0..1_000_u64 {
        match request {
            0..900 => class.added_wait.record(0),
            900..990 => class.added_wait.record(SECOND + request * 1_000_000),
            _ => class.added_wait.record_never(),
        }
        if request < 990 {
            class.first_token.record(SECOND / 2 + request * 100_000);
            class.total.record(3 * SECOND + request * 100_000);
        } else {
            class.first_token.record_never();
            class.total.record_never();
        }
    }
    let end = 61 * 60 * SECOND;
    let ptu = BackendTally {
        attempts: 1_000,
        accepted: 900,
        throttles: 100 + 10 * replication,
        succeeded: 900,
        estimated_tokens: 2_000_000,
        used_tokens: 1_500_000,
        wasted_tokens: 500_000,
        billed_input: 900_000,
        billed_output: 180_000,
        cooling: 2 * 360 * u128::from(SECOND),
        samples: 3_600,
        utilisation: [100, 400, 950, 1_020],
        mean_utilisation: 500,
        ..BackendTally::default()
    };
    let eu = BackendTally {
        attempts: 110,
        accepted: 90,
        throttles: 20,
        succeeded: 90,
        estimated_tokens: 120_000,
        used_tokens: 108_000,
        wasted_tokens: 12_000,
        billed_input: 50_000,
        billed_cached: 40_000,
        billed_output: 18_000 + 1_000 * replication,
        suspect: 72 * u128::from(SECOND),
        samples: 3_600,
        utilisation: [0, 10, 200, 900],
        mean_utilisation: 40,
        ..BackendTally::default()
    };
    let worker = WorkerTally { offered: 500, succeeded: 495, attempts: 555, throttles: 60, application_429s: 5 };
    RunResult {
        replication,
        hash: 0x0123_4567_89ab_cdef ^ replication,
        end,
        warmup: 60 * SECOND,
        events: 5_000,
        conservation: Conservation { offered: 1_016, succeeded: 1_006, given_up: 10, ..Conservation::default() },
        classes: vec![class],
        backends: vec![ptu, eu],
        workers: vec![worker; 2],
        timeline: timeline(end),
    }
}

/// A run in which nothing arrived.
#[cfg(feature = "render")]
pub(crate) fn empty_run() -> RunResult {
    let end = 61 * 60 * SECOND;
    RunResult {
        hash: 1,
        end,
        warmup: 60 * SECOND,
        replication: 0,
        events: 0,
        conservation: Conservation::default(),
        classes: vec![ClassTally::default()],
        backends: vec![BackendTally::default(); 2],
        workers: vec![WorkerTally::default(); 2],
        timeline: Timeline::new(2, end),
    }
}

/// Calm, with a burst in the middle that the PTU refuses a part of.
fn timeline(end: u64) -> Timeline {
    let mut timeline = Timeline::new(2, end);
    for step in 0..1_000 {
        let at = end / 1_000 * step;
        let burst = (400..550).contains(&step);
        let offered = 10 + step % 5 + if burst { 20 } else { 0 };
        let spilled = if burst { offered / 2 } else { 0 };
        let lost = if (500..550).contains(&step) { 3 } else { 0 };
        *timeline.requests_at(0, at) =
            Bin { offered, succeeded: offered - lost, throttled: lost, failed: 0, queued: 0 };
        *timeline.backend_at(0, at) = BackendBin {
            accepted: offered - spilled,
            refused: if burst { 2 } else { 0 },
            failed: 0,
            cooling: 0,
            suspect: 0,
            utilisation: if burst { 1_000 } else { 400 + step % 7 * 20 },
        };
        timeline.backend_at(1, at).accepted = spilled - lost.min(spilled);
        timeline.backend_at(1, at).utilisation = spilled * 40;
        timeline.backend_at(1, at).refused = lost;
    }
    (0..1_000)
        .for_each(|request| timeline.first_token(0, end / 1_000 * request, (request % 100 > 0).then_some(SECOND / 2)));
    timeline.add_cooling(0, end / 10 * 4, end / 100 * 55);
    timeline.add_suspect(1, end / 10 * 6, end / 10 * 6 + 72 * SECOND);
    timeline
}
