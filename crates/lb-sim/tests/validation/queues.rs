//! V1, V2, V3 and V15: backends that serve so many at once.

use std::{collections::BTreeMap, io};

use crate::{
    case::{Case, Figure, REPLICATIONS, Ratio, Rule, replicate, seconds, simulation},
    theory,
};

/// A model whose service takes 1 ms per input token: the law of the prompt's length is the law of the service time.
const MODEL: &str = r#"
[[model]]
name = "service"
ttft = { base = "0s", per_1k_input = "1s", sigma = 0.0 }
tpot = { mean = "0s", sigma = 0.0 }
"#;

/// Service times of mean 1 s.
const EXPONENTIAL: &str = r#"{ mean = 1000, law = "exponential" }"#;

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (servers, load) in [(1, 0.5), (10, 8.0), (50, 45.0), (100, 110.0)] {
        for (law, input) in
            [("exponential", EXPONENTIAL), ("constant", "1000"), ("lognormal", "{ mean = 1000, sigma = 1.0 }")]
        {
            cases.push(loss(servers, load, law, input));
        }
    }
    cases.extend([tiers(), overflow_mean(), overflow_variance(), queue()]);
    cases
}

/// V1: Erlang B, whatever the law of the service.
fn loss(servers: u32, load: f64, law: &str, input: &'static str) -> Case {
    let scenario = move |requests| {
        let seconds = seconds(requests, load) + WARMUP;
        format!(
            r#"
            [run]
            duration = "{seconds}s"
            warmup = "{WARMUP}s"
            [clients]
            client = "direct"
            {MODEL}
            [[backend]]
            name = "servers"
            model = "service"
            concurrency = {{ max_inflight = {servers} }}
            [[workload]]
            name = "calls"
            kind = "poisson"
            rate = {load:.1}
            input = {input}
            output = 1
            "#
        )
    };
    Case {
        row: "V1",
        name: format!("Erlang B: {servers} places, load {load}, {law} service; direct"),
        figures: vec![Figure::new("refused", theory::erlang_b(servers, load), Rule::Exact(3e-4))],
        long: 20_000_000,
        short: 15_000,
        sample: Box::new(move |requests| {
            replicate(&scenario(requests), |run| {
                let backend = &run.backends[0];
                vec![(backend.throttles as f64, backend.attempts as f64)]
            })
        }),
    }
}

/// Service times until a run is taken to have forgotten that it began empty.
const WARMUP: u64 = 20;

const LOAD: f64 = 12.0;

fn tiered(seconds: u64, load: f64, places: &[Option<u32>]) -> String {
    let tier = |(number, places): (u32, &Option<u32>)| {
        let limit = places.map_or(String::new(), |places| format!("concurrency = {{ max_inflight = {places} }}"));
        format!(
            r#"
            [[backend]]
            name = "tier-{number}"
            priority = {number}
            model = "service"
            hints = {{ policy = "zero" }}
            refusal_latency = "0s"
            {limit}
            "#
        )
    };
    let tiers: String = (1..).zip(places).map(tier).collect();
    format!(
        r#"
        [run]
        duration = "{seconds}s"
        warmup = "{WARMUP}s"
        {MODEL}
        {tiers}
        [[workload]]
        name = "calls"
        kind = "poisson"
        rate = {load:.1}
        input = {EXPONENTIAL}
        output = 1
        "#
    )
}

/// V2: the share of each tier is a difference of Erlang B's.
fn tiers() -> Case {
    let blocked = |servers| theory::erlang_b(servers, LOAD);
    let exact = Rule::Exact(3e-4);
    Case {
        row: "V2",
        name: "priorities of 10, 5 and 5 places, load 12; balancer, zero hints, no refusal latency".to_owned(),
        figures: vec![
            Figure::new("first tier", 1.0 - blocked(10), exact),
            Figure::new("second tier", blocked(10) - blocked(15), exact),
            Figure::new("third tier", blocked(15) - blocked(20), exact),
            Figure::new("lost", blocked(20), exact),
        ],
        long: 30_000_000,
        short: 60_000,
        sample: Box::new(|requests| {
            replicate(&tiered(seconds(requests, LOAD) + WARMUP, LOAD, &[Some(10), Some(5), Some(5)]), |run| {
                let offered = run.classes[0].offered as f64;
                let tiers = run.backends.iter().map(|tier| (tier.accepted as f64, offered));
                tiers.chain([(run.classes[0].given_up.throttled as f64, offered)]).collect()
            })
        }),
    }
}

/// V3, the mean: what overflows keeps so many places of an unlimited second tier busy.
fn overflow_mean() -> Case {
    let (mean, _) = theory::overflow(10, 8.0);
    Case {
        row: "V3",
        name: "overflow of 10 places, load 8, into an unlimited tier; balancer, zero hints, no refusal latency"
            .to_owned(),
        figures: vec![Figure::new("busy on average", mean, Rule::Approximation(0.01 * mean))],
        long: 20_000_000,
        short: 60_000,
        sample: Box::new(|requests| {
            replicate(&tiered(seconds(requests, 8.0) + WARMUP, 8.0, &[Some(10), None]), |run| {
                vec![(run.backends[1].busy as f64, (run.end - run.warmup) as f64)]
            })
        }),
    }
}

/// V3, the variance, read off the decision log.
fn overflow_variance() -> Case {
    let (mean, variance) = theory::overflow(10, 8.0);
    let approximation = |value: f64| Rule::Approximation(0.01 * value);
    Case {
        row: "V3",
        name: "the same, from the decision log".to_owned(),
        figures: vec![
            Figure::new("variance", variance, approximation(variance)),
            Figure::new("peakedness", variance / mean, approximation(variance / mean)),
        ],
        long: 6_000_000,
        short: 15_000,
        sample: Box::new(|requests| {
            use rayon::prelude::*;
            let simulation = simulation(&tiered(seconds(requests, 8.0) + WARMUP, 8.0, &[Some(10), None]));
            let variance = |replication| {
                let mut busy = Busy::default();
                simulation.run_logged(replication, &mut busy).unwrap();
                let time: f64 = busy.times.values().sum();
                let mean = busy.times.iter().map(|(&n, t)| n as f64 * t).sum::<f64>() / time;
                let variance = busy.times.iter().map(|(&n, t)| (n as f64 - mean).powi(2) * t).sum::<f64>();
                vec![(variance, time), (variance, time * mean)]
            };
            (0..REPLICATIONS).into_par_iter().map(variance).collect()
        }),
    }
}

/// How long the second tier had each number of requests, from the lines of the log.
#[derive(Default)]
struct Busy {
    line: Vec<u8>,
    inside: u64,
    since: f64,
    times: BTreeMap<u64, f64>,
}

impl Busy {
    fn read(&mut self) {
        let Ok(line) = std::str::from_utf8(&self.line) else { return };
        if line.contains(",tier-2,") {
            let mut fields = line.split(',');
            let at: f64 = fields.next().unwrap().parse::<f64>().unwrap() / 1e9;
            let event = fields.next().unwrap();
            if matches!(event, "sent" | "succeeded") {
                if self.since > WARMUP as f64 {
                    *self.times.entry(self.inside).or_default() += at - self.since;
                }
                self.since = at;
                self.inside = if event == "sent" { self.inside + 1 } else { self.inside - 1 };
            }
        }
    }
}

impl io::Write for Busy {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for &byte in bytes {
            if byte == b'\n' {
                self.read();
                self.line.clear();
            } else {
                self.line.push(byte);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// V15: Erlang C. The service is the time of the output tokens, so that the first token comes when the wait is over.
fn queue() -> Case {
    let (servers, load) = (10, 8.0);
    let waits = theory::erlang_c(servers, load);
    let wait = waits / (f64::from(servers) - load);
    Case {
        row: "V15",
        name: "Erlang C: 10 places and a queue, load 8, exponential service; direct".to_owned(),
        figures: vec![
            Figure::new("share that waits", waits, Rule::Exact(0.01 * waits)),
            Figure::new("mean wait in s", wait, Rule::Exact(0.01 * wait)),
        ],
        long: 20_000_000,
        short: 60_000,
        sample: Box::new(move |requests| {
            let warmup = 10 * WARMUP;
            let seconds = seconds(requests, load) + warmup;
            let scenario = format!(
                r#"
                [run]
                duration = "{seconds}s"
                warmup = "{warmup}s"
                [clients]
                client = "direct"
                [[model]]
                name = "service"
                ttft = {{ base = "0s", per_1k_input = "0s", sigma = 0.0 }}
                tpot = {{ mean = "1us", sigma = 0.0 }}
                [[backend]]
                name = "servers"
                model = "service"
                concurrency = {{ max_inflight = {servers}, queue = 1000000 }}
                [[workload]]
                name = "calls"
                kind = "poisson"
                rate = {load:.1}
                input = 1
                output = {{ mean = 1000000, law = "exponential" }}
                "#
            );
            replicate(&scenario, |run| {
                let waits = &run.classes[0].first_token;
                let count = waits.count() as f64;
                // The largest quantile that is zero.
                let (mut zero, mut more) = (0.0, 1.0);
                while more - zero > 1e-9 {
                    let middle = f64::midpoint(zero, more);
                    if waits.quantile(middle) == Some(0.0) { zero = middle } else { more = middle }
                }
                let ratios: [Ratio; 2] = [((1.0 - zero) * count, count), (waits.mean() * count, count)];
                ratios.to_vec()
            })
        }),
    }
}
