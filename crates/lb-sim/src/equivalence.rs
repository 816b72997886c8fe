//! V22: the async balancer under tokio's paused clock decides as the simulator does, to the nanosecond.
//!
//! Both sides meet the same requests, the same servers and the same keyed draws. What differs is who drives: the
//! engine's heap of events and its own loop around `Dispatch`, or tokio's timers and lb-core's `LoadBalancer`. The
//! decision logs must be equal, line by line. tokio's timers tick in milliseconds, so every span is a whole number of
//! them, and arrivals are moved until no two requests have anything at the same moment, where the order would be
//! tokio's choice.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

mod live;
mod seams;

use std::{collections::BTreeMap, env, fmt::Write as _, fs, process};

use crate::{
    Scenario, Simulation,
    random::{Draws, Purpose},
};

const REQUESTS: u64 = 10_000;

/// Three workers over three tiers, with everything that a balancer can meet. Spans are whole milliseconds, and even but
/// for the deadline, so that no service ends just then.
const SCENARIO: &str = r#"
[run]
seed = 22
duration = "1 day"
[clients]
workers = 3
assignment = "round-robin"
timeout = "4002ms"
connect_fault_latency = "12ms"
connect_timeout = "1748ms"
[pool]
default_cooldown = "9s"
max_cooldown = "50s"
max_attempts = 3
fail_over_after_send = true
peek = false
stalled_after = "2500ms"
[[model]]
name = "whole"
input_tpm_per_ptu = 3000
ttft = { base = "500ms", per_1k_input = "1s", sigma = 0.0 }
tpot = { mean = "14ms", sigma = 0.0 }
[[backend]]
name = "ptu"
model = "whole"
preset = "azure-ptu"
ptus = 45
refusal_latency = "24ms"
[[backend]]
name = "east"
priority = 2
model = "whole"
preset = "azure-standard"
tpm = 40000
phase = "7001ms"
counts_refused = true
refusal_latency = "32ms"
hints = { form = "seconds" }
[[backend]]
name = "west"
priority = 2
weight = 3
model = "whole"
preset = "azure-standard"
tpm = 30000
phase = "0s"
refusal_latency = "0s"
hints = { policy = "optimistic", constant = "2s" }
[[backend]]
name = "own"
priority = 3
model = "whole"
concurrency = { max_inflight = 2, queue = 2 }
refusal_latency = "6ms"
hints = { policy = "none" }
[[backend]]
name = "mute"
priority = 3
model = "whole"
refusal_latency = "18ms"
hints = { refuse_with_200 = true }
window = [{ unit = "tokens", limit = 3000, length = "20s", kind = "sliding" }]
[[workload]]
name = "calls"
kind = "trace"
format = "csv"
file = "FILE"
columns = { time = "ms", time_unit = "1ms", input = "input", output = "output" }
max_tokens = { factor = 1.5, min = 50 }
deadline = "10009ms"
[[fault]]
backend = "ptu"
kind = "hang"
share = 0.01
at = "0s"
[[fault]]
backend = "west"
kind = "status"
share = 0.05
at = "0s"
[[fault]]
backend = "east"
kind = "connect"
at = "1h"
for = "10m"
[[fault]]
backend = "ptu"
kind = "status"
status = 500
hint = "20s"
after = "40ms"
at = "2h"
for = "20m"
[[fault]]
workload = "calls"
kind = "status"
status = 429
hint = "1d"
share = 0.02
at = "3h"
[[fault]]
backend = "own"
kind = "reset"
after = "1236ms"
share = 0.1
at = "0s"
[[fault]]
backend = "east"
kind = "connect-timeout"
share = 0.5
at = "80m"
for = "20m"
"#;

#[test]
fn v22_the_async_balancer_decides_as_the_simulator_does() {
    let (scenario, simulated) = distinct();
    let lived = live::run(&scenario);
    for (number, (simulated, lived)) in simulated.iter().zip(&lived).enumerate() {
        assert_eq!(simulated, lived, "line {number}");
    }
    assert_eq!(simulated.len(), lived.len());
    assert_eq!(hash(&simulated), hash(&lived));
    // Something of everything, or the equality says little.
    let count = |part: &str| simulated.iter().filter(|line| line.contains(part)).count();
    assert_eq!(count(",arrived,"), usize::try_from(REQUESTS).unwrap());
    for (part, least) in [
        (",sent,", 12_000),
        (",succeeded,", 5_000),
        (",cooling,", 1_000),
        (",suspected,", 50),
        (",available,", 20),
        (",exhausted,", 50),
        (",orphaned,", 20),
        (",429", 1_000),
        (",own,", 500),
        (",mute,200", 100),
    ] {
        assert!(count(part) >= least, "{} lines with `{part}`", count(part));
    }
    for event in [",ptu,500", ",west,503", ",own,429"] {
        assert!(count(event) >= 20, "{} lines with `{event}`", count(event));
    }
    for fault in [",ptu,2", ",own,3", ",east,4"] {
        let faults = simulated.iter().filter(|line| line.contains(",faulted,") && line.ends_with(fault)).count();
        assert!(faults >= 10, "{faults} faults `{fault}`");
    }
    for end in [",,1", ",,200", ",,429"] {
        let ends = simulated.iter().filter(|line| line.contains(",gave_up,") && line.ends_with(end)).count();
        assert!(ends > 0, "nobody gave up with {end}");
    }
}

/// The scenario with arrivals at which no two requests have anything at the same moment, and its log.
fn distinct() -> (Scenario, Vec<String>) {
    let file = env::temp_dir().join(format!("lb-sim-equivalence-{}.csv", process::id()));
    let draws = Draws::new(22);
    let number = |second, below: u64| draws.bits(Purpose::Sample, 0, second) % below;
    // Calm and busy minutes in turn; in the mean a request every 1.4 s.
    let mut at = 0;
    let mut times: Vec<u64> = Vec::new();
    for request in 0..REQUESTS {
        times.push(at);
        at += 2 + number(3 * request, if request / 100 % 3 == 0 { 600 } else { 4_000 });
    }
    for _ in 0..50 {
        let mut csv = "ms,input,output\n".to_owned();
        for (request, at) in (0..).zip(&times) {
            let (input, output) = (100 + 2 * number(3 * request + 1, 1_000), 2 + number(3 * request + 2, 700));
            writeln!(csv, "{at},{input},{output}").unwrap();
        }
        fs::write(&file, csv).unwrap();
        let scenario = Scenario::parse(&SCENARIO.replace("FILE", file.to_str().unwrap())).unwrap();
        let mut log = Vec::new();
        Simulation::new(&scenario).unwrap().run_logged(0, &mut log).unwrap();
        let log: Vec<String> = String::from_utf8(log).unwrap().lines().skip(1).map(str::to_owned).collect();
        let moved = collisions(&log, &times);
        if moved.is_empty() {
            return (scenario, log);
        }
        for request in moved {
            times[request] += 1;
        }
        for later in 1..times.len() {
            times[later] = times[later].max(times[later - 1] + 1);
        }
    }
    panic!("the requests do not come apart");
}

/// The requests that have something at the same moment as another, or at which their own deadline ends.
fn collisions(log: &[String], times: &[u64]) -> Vec<usize> {
    let mut at: BTreeMap<u64, usize> = BTreeMap::new();
    let mut moved = Vec::new();
    for line in log {
        let fields: Vec<&str> = line.split(',').collect();
        let (moment, request): (u64, usize) = (fields[0].parse().unwrap(), fields[3].parse().unwrap());
        assert_eq!(moment % 1_000_000, 0, "{line}");
        let ends = moment == (times[request] + 10_009) * 1_000_000 && fields[1] != "gave_up";
        if *at.entry(moment).or_insert(request) != request || ends {
            moved.push(request);
        }
    }
    moved.sort_unstable();
    moved.dedup();
    moved
}

fn hash(log: &[String]) -> u64 {
    let bytes = log.iter().flat_map(|line| line.bytes().chain([b'\n']));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
