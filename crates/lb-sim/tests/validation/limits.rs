//! V4 to V9: windows and buckets, each offered every arrival.

use crate::{
    case::{Case, Figure, Ratio, Rule, replicate, seconds, simulation},
    theory,
};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (limit, means) in [(10, [8.0, 10.0, 12.0]), (100, [90.0, 100.0, 120.0])] {
        for mean in means {
            let refused = theory::erlang_b(limit, mean);
            cases.push(window("V4", "sliding", limit, mean, refused));
            cases.push(window("V5", "fixed", limit, mean, theory::fixed_window(limit, mean)));
        }
    }
    for (r, depth) in [(0.7, 5), (0.9, 5), (0.9, 20), (1.0, 20), (1.2, 20), (1.5, 100)] {
        cases.push(bucket(r, depth));
    }
    cases.extend([(0.9, 5), (1.2, 5)].map(|(r, depth)| constant_bucket(r, depth)));
    cases.extend([0.8, 1.0, 1.2].map(gcra));
    cases.extend([1.5, 2.0, 5.0].map(saturated));
    cases.extend([(110, 0.0), (105, 1.0 - 105.0 * 3_400.0 / 360_000.0)].map(|(ptus, refused)| sized(ptus, refused)));
    for (tpm, input, max_tokens) in [(10_000, 100, 33), (120_000, 1_000, 500), (1_000, 250, 0), (7_777, 60, 17)] {
        cases.push(token_gate(tpm, input, max_tokens));
    }
    cases.sort_by_key(|case| case.row);
    cases
}

/// A scenario of one backend that answers at once.
fn direct(duration: u64, warmup: u64, model: &str, backend: &str, workload: &str) -> String {
    format!(
        r#"
        [run]
        duration = "{duration}s"
        warmup = "{warmup}s"
        [clients]
        client = "direct"
        [[model]]
        name = "at-once"
        ttft = {{ base = "0s", per_1k_input = "0s", sigma = 0.0 }}
        tpot = {{ mean = "0s", sigma = 0.0 }}
        {model}
        [[backend]]
        name = "limited"
        model = "at-once"
        {backend}
        [[workload]]
        name = "calls"
        {workload}
        "#
    )
}

fn refused(run: &lb_sim::metrics::RunResult) -> Ratio {
    (run.backends[0].throttles as f64, run.backends[0].attempts as f64)
}

/// V4: a sliding window that does not count refused requests is a loss system with constant service (M/D/L/L).
/// V5: a fixed one takes the first L of each window.
fn window(row: &'static str, kind: &'static str, limit: u32, mean: f64, expected: f64) -> Case {
    Case {
        row,
        name: format!("{kind} window of {limit}, {mean} expected in it; direct"),
        figures: vec![Figure::new("refused", expected, Rule::Exact(3e-4))],
        long: 20_000_000,
        short: 30_000,
        sample: Box::new(move |requests| {
            let warmup = 20;
            let limits = format!(
                "refusal_latency = \"0s\"\n\
                 window = [{{ unit = \"requests\", limit = {limit}, length = \"1s\", kind = \"{kind}\", \
                 phase = \"0s\" }}]"
            );
            let calls = format!("kind = \"poisson\"\nrate = {mean:.1}\ninput = 1\noutput = 1");
            replicate(&direct(seconds(requests, mean) + warmup, warmup, "", &limits, &calls), |run| vec![refused(run)])
        }),
    }
}

/// A bucket from which 10,000 tokens drain per second: one mean cost.
fn ptu(r: f64, depth: u64, input: &str, seconds: u64, warmup: u64) -> String {
    direct(
        seconds + warmup,
        warmup,
        "input_tpm_per_ptu = 60000",
        &format!("preset = \"azure-ptu\"\nptus = 10\nburst = \"{depth}s\"\nrefusal_latency = \"0s\""),
        &format!(
            "kind = \"poisson\"\nrate = {r:.1}\ninput = {input}\noutput = 0\n\
             max_tokens = \"exact\""
        ),
    )
}

const EXPONENTIAL: &str = r#"{ mean = 10000, law = "exponential" }"#;

/// V6: the bucket of a PTU deployment.
fn bucket(r: f64, depth: u64) -> Case {
    let expected = theory::leaky_bucket(r, depth as f64);
    Case {
        row: "V6",
        name: format!("PTU bucket of {depth} mean costs, load {r}, exponential costs; direct"),
        figures: vec![Figure::new("refused", expected, Rule::Exact(5e-4))],
        long: 20_000_000,
        short: 60_000,
        sample: Box::new(move |requests| {
            replicate(&ptu(r, depth, EXPONENTIAL, seconds(requests, r), 1_000), |run| vec![refused(run)])
        }),
    }
}

/// V6 with constant costs.
fn constant_bucket(r: f64, depth: u32) -> Case {
    let expected = theory::leaky_bucket_of_constant_costs(r, depth);
    Case {
        row: "V6",
        name: format!("PTU bucket of {depth} costs, load {r}, constant costs; direct"),
        figures: vec![Figure::new("refused", expected, Rule::Exact(5e-4))],
        long: 20_000_000,
        short: 60_000,
        sample: Box::new(move |requests| {
            replicate(&ptu(r, depth.into(), "10000", seconds(requests, r), 1_000), |run| vec![refused(run)])
        }),
    }
}

/// V6 with the bucket of a GCRA window of ten requests per second: it lets a request in up to a level of nine.
fn gcra(r: f64) -> Case {
    let expected = theory::leaky_bucket_of_constant_costs(r, 9);
    Case {
        row: "V6",
        name: format!("GCRA window of 10 requests, load {r}; direct"),
        figures: vec![Figure::new("refused", expected, Rule::Exact(5e-4))],
        long: 20_000_000,
        short: 60_000,
        sample: Box::new(move |requests| {
            let rate = 10.0 * r;
            let limits = "refusal_latency = \"0s\"\n\
                          window = [{ unit = \"requests\", limit = 10, length = \"1s\", kind = \"gcra\" }]";
            let calls = format!("kind = \"poisson\"\nrate = {rate:.1}\ninput = 1\noutput = 1");
            replicate(&direct(seconds(requests, rate) + 100, 100, "", limits, &calls), |run| vec![refused(run)])
        }),
    }
}

/// V7: a saturated deployment works off what its PTUs can.
fn saturated(r: f64) -> Case {
    Case {
        row: "V7",
        name: format!("saturated PTUs, load {r}; direct"),
        figures: vec![
            Figure::new("tokens over capacity", 1.0, Rule::Approximation(1e-3)),
            Figure::new("accepted", 1.0 / r, Rule::Approximation(1e-3 / r)),
        ],
        // Fewer would leave a standard error of the bound's size in the share that is accepted.
        long: 20_000_000,
        short: 60_000,
        sample: Box::new(move |requests| {
            replicate(&ptu(r, 20, EXPONENTIAL, seconds(requests, r), 1_000), |run| {
                let backend = &run.backends[0];
                let capacity = 10_000.0 * ((run.end - run.warmup) as f64 / 1e9);
                vec![(backend.used_tokens as f64, capacity), (backend.accepted as f64, backend.attempts as f64)]
            })
        }),
    }
}

/// V8: the documented sizing example, 1,000 requests per minute of 200 and 20 tokens on gpt-5.2: 105.88 PTUs.
fn sized(ptus: u64, expected: f64) -> Case {
    Case {
        row: "V8",
        name: format!("gpt-5.2, 1,000 requests a minute of 200/20 tokens, {ptus} PTUs; direct"),
        figures: vec![Figure::new("refused", expected, Rule::Fixed(0.01 * expected))],
        long: 2_000_000,
        short: 150_000,
        sample: Box::new(move |requests| {
            // The bucket overflows slowly: at 105 PTUs it takes 20 minutes to fill.
            let warmup = 1_800;
            let scenario = format!(
                r#"
                [run]
                duration = "{}s"
                warmup = "{warmup}s"
                [clients]
                client = "direct"
                [[backend]]
                name = "ptu"
                model = "gpt-5.2"
                preset = "azure-ptu"
                ptus = {ptus}
                [[workload]]
                name = "calls"
                kind = "constant"
                rate = 16.666666666666668
                input = 200
                output = 20
                max_tokens = "exact"
                "#,
                warmup + requests * 60 / 1_000,
            );
            vec![vec![refused(&simulation(&scenario).run(0))]]
        }),
    }
}

/// V9: a fixed minute takes as many equal requests as fit.
fn token_gate(tpm: u64, input: u64, max_tokens: u64) -> Case {
    let expected = (tpm / (input + max_tokens)) as f64;
    let rate = 2.0 * expected / 60.0 + 1.0;
    Case {
        row: "V9",
        name: format!("{tpm} tokens per fixed minute, requests of {input} + {max_tokens}; direct"),
        figures: vec![Figure::new("accepted per minute", expected, Rule::Fixed(0.0))],
        long: 2_000_000,
        short: 30_000,
        sample: Box::new(move |requests| {
            let minutes = seconds(requests, rate) / 60 + 2;
            let backend = format!(
                "preset = \"azure-standard\"\ntpm = {tpm}\nrpm = 1000000\nphase = \"0s\"\nrefusal_latency = \"0s\""
            );
            let workload =
                format!("kind = \"poisson\"\nrate = {rate:.3}\ninput = {input}\noutput = 1\nmax_tokens = {max_tokens}");
            replicate(&direct(60 * (minutes + 1), 60, "", &backend, &workload), |run| {
                vec![(run.backends[0].accepted as f64, minutes as f64)]
            })
        }),
    }
}
