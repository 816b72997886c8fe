//! V16: retries against a failure probability.

use crate::case::{Case, Figure, Rule, replicate, seconds};

pub(crate) fn cases() -> Vec<Case> {
    [(0.1, 2), (0.5, 2), (0.5, 0), (0.6, 4)].into_iter().map(|(share, retries)| case(share, retries)).collect()
}

/// A request fails if all its attempts do: x^(N+1); it makes (1 - x^(N+1)) / (1 - x) of them.
fn case(share: f64, retries: i32) -> Case {
    let failed = share.powi(retries + 1);
    let attempts = (1.0 - failed) / (1.0 - share);
    Case {
        row: "V16",
        name: format!("{retries} retries of openai-python against {share} of 503; direct"),
        figures: vec![
            Figure::new("failed", failed, Rule::Exact(0.01 * failed)),
            Figure::new("attempts per request", attempts, Rule::Exact(0.01 * attempts)),
        ],
        long: if retries == 2 && share == 0.1 { 60_000_000 } else { 8_000_000 },
        short: 60_000,
        sample: Box::new(move |requests| {
            let scenario = format!(
                r#"
                [run]
                duration = "{}s"
                [clients]
                client = "direct"
                sdk = "openai-python-3.54"
                max_retries = {retries}
                [[backend]]
                name = "flaky"
                [[workload]]
                name = "calls"
                kind = "poisson"
                rate = 1
                input = 1
                output = 1
                [[fault]]
                backend = "flaky"
                kind = "status"
                at = "0s"
                share = {share}
                "#,
                seconds(requests, 1.0),
            );
            replicate(&scenario, |run| {
                let class = &run.classes[0];
                // Those that are still on their way at the end have neither failed nor succeeded.
                let over = (class.offered - class.in_flight) as f64;
                vec![(class.given_up.server_error as f64, over), (class.attempts as f64, class.offered as f64)]
            })
        }),
    }
}
