//! What share of a trace's requests a PTU deployment refuses, by bucket depth, PTUs and `max_tokens`: what the sizing
//! formula for the mean leaves out.
//!
//! ```sh
//! cargo run --release -p lb-sim --example ptu_table -- DIR
//! ```
//!
//! `DIR` holds traces under the names below; those that are not there are left out. Every request is offered to the
//! deployment as it arrives, without a balancer and without retries.

use std::{env, error::Error, path::Path};

use lb_limits::PtuModel;
use lb_sim::{
    Scenario,
    traffic::{Row, Trace},
};

/// What the traces are called, how they are read, and what they are.
const TRACES: [(&str, &str, &str); 3] = [
    ("AzureLLMInferenceTrace_conv.csv", "format = \"azure\"", "Azure conversation, 2023"),
    ("AzureLLMInferenceTrace_code.csv", "format = \"azure\"", "Azure code, 2023"),
    (
        "mooncake_conversation.csv",
        "format = \"csv\"\ncolumns = { time = \"timestamp_ms\", time_unit = \"1ms\", input = \"input_tokens\", \
         output = \"output_tokens\", cached = \"cached_tokens\" }",
        "Mooncake conversation",
    ),
];

const MODEL: &str = "gpt-4.1";
const DEPTHS: [&str; 3] = ["60s", "10s", "1s"];
const MULTIPLES: [f64; 5] = [1.0, 1.25, 1.5, 2.0, 3.0];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args().nth(1).ok_or("give the folder with the traces")?;
    println!("| trace (mean PTU) | bucket | max_tokens | mean x1 | x1.25 | x1.5 | x2 | x3 |");
    println!("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |");
    for (file, format, title) in TRACES {
        let path = Path::new(&folder).join(file);
        if !path.exists() {
            continue;
        }
        let ask = |max_tokens: &str, depth: &str, ptus: u64| {
            Scenario::parse(&scenario(&path.display().to_string(), format, max_tokens, depth, ptus))
        };
        let mean = mean_ptus(&ask("\"exact\"", "1s", 1)?)?;
        for depth in DEPTHS {
            for max_tokens in ["\"exact\"", "4096"] {
                print!("| {title} ({mean:.0}) | {depth} | {} |", max_tokens.trim_matches('"'));
                for multiple in MULTIPLES {
                    let report = lb_sim::run(&ask(max_tokens, depth, round_up(mean * multiple))?)?;
                    print!(" {:.1} % |", report.application_429_share().mean() * 100.0);
                }
                println!();
            }
        }
    }
    Ok(())
}

fn scenario(file: &str, format: &str, max_tokens: &str, depth: &str, ptus: u64) -> String {
    format!(
        r#"
        [run]

        [clients]
        client = "direct"

        [[model]]
        name = "{MODEL}"
        ttft = {{ base = "250ms", per_1k_input = "60ms", sigma = 0.35 }}
        tpot = {{ mean = "13ms", sigma = 0.25 }}

        [[backend]]
        name = "ptu"
        model = "{MODEL}"
        preset = "azure-ptu"
        ptus = {ptus}
        burst = "{depth}"

        [[workload]]
        name = "trace"
        kind = "trace"
        file = "{file}"
        {format}
        max_tokens = {max_tokens}
        "#
    )
}

/// What the sizing formula gives for the trace's mean.
fn mean_ptus(scenario: &Scenario) -> Result<f64, Box<dyn Error>> {
    let trace = Trace::of(scenario, "trace")?;
    let model = PtuModel::named(MODEL).ok_or("the table has the model")?;
    // As the admission does it: a cache of fewer than 1,024 tokens saves nothing.
    let work = |row: &Row| {
        let cached = if row.cached >= 1_024 { row.cached } else { 0 };
        u64::from(row.input - cached) + model.output_ratio * u64::from(row.output)
    };
    let work: u64 = trace.rows().iter().map(work).sum();
    let minutes = trace.span() as f64 / 60e9;
    Ok(work as f64 / minutes / model.input_tpm_per_ptu as f64)
}

/// The next count for sale, in steps of 5.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of PTUs")]
fn round_up(ptus: f64) -> u64 {
    ((ptus / 5.0).ceil() * 5.0) as u64
}
