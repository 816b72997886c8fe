//! V19 and V20: what stands above the balancer.

use std::time::Duration;

use lb_core::{Backend, MockClock, Outcome, Pool, SeededRng, Step};

use crate::scene::Scene;

/// The log in the README of `openai_priority_loadbalancer`, by lb-core alone.
#[test]
fn v19_the_readme_log_is_answered_with_retry_after_4() {
    let clock = MockClock::new();
    let pool = Pool::builder()
        .clock(clock.clone())
        .backends([("uksouth", 1), ("eastus", 2), ("francecentral", 3)].map(|(name, priority)| {
            Backend::builder(format!("{name}.example")).name(name).priority(priority).build().unwrap()
        }))
        .build()
        .unwrap();
    let mut dispatch = pool.dispatch();
    let rng = SeededRng::new(1);
    for (name, wait, until_the_next) in [("uksouth", "44", 96), ("eastus", "4", 58), ("francecentral", "7", 0)] {
        let Step::Try(attempt) = dispatch.next(|| pool.now(), &rng) else { panic!("{name} is left") };
        assert_eq!(pool.backends()[attempt.slot()].name(), name);
        let outcome = Outcome::answered(429, [("retry-after", wait)].as_slice(), || pool.wall());
        let _ = dispatch.settle(outcome, || pool.now());
        clock.advance(Duration::from_millis(until_the_next));
    }
    let Step::Exhausted(exhausted) = dispatch.next(|| pool.now(), &rng) else { panic!("all are out") };
    assert_eq!(exhausted.retry_after(), Some(Duration::from_millis(3_942)));
    assert_eq!(exhausted.retry_after_secs(), Some(4));

    clock.advance(Duration::from_secs(4));
    let mut later = pool.dispatch();
    let Step::Try(attempt) = later.next(|| pool.now(), &rng) else { panic!("eastus is back") };
    assert_eq!(pool.backends()[attempt.slot()].name(), "eastus");
}

/// The same in the simulator: three workers have used the windows up, the fourth runs into them.
#[test]
fn v19_the_readme_log_comes_out_of_a_scenario() {
    let scene = Scene::of(
        r#"
        [run]
        duration = "39s"
        [clients]
        workers = 4
        assignment = "round-robin"
        sdk = "openai-python-3.54"
        [[backend]]
        name = "uksouth"
        model = "steady"
        hints = { policy = "constant", constant = "44s" }
        refusal_latency = "0s"
        window = [{ unit = "requests", limit = 1, length = "1h", phase = "0s" }]
        [[backend]]
        name = "eastus"
        priority = 2
        model = "steady"
        hints = { policy = "constant", constant = "4s" }
        refusal_latency = "96ms"
        window = [{ unit = "requests", limit = 1, length = "1h", phase = "32s" }]
        [[backend]]
        name = "francecentral"
        priority = 3
        model = "steady"
        hints = { policy = "constant", constant = "7s" }
        refusal_latency = "58ms"
        window = [{ unit = "requests", limit = 1, length = "1h", phase = "0s" }]
        [[workload]]
        name = "calls"
        kind = "constant"
        rate = 0.1
        input = 10
        output = 1
        "#,
    );
    assert_eq!(
        scene.of_request(3),
        [
            "30000 arrived",
            "30000 sent uksouth",
            "30000 answered uksouth 429",
            "30000 cooling uksouth until 74000",
            "30000 sent eastus",
            "30096 answered eastus 429",
            "30096 cooling eastus until 34096",
            "30096 sent francecentral",
            "30154 answered francecentral 429",
            "30154 cooling francecentral until 37154",
            "30154 exhausted for 3942",
            // openai-python reads `retry-after-ms` before `retry-after: 4`.
            "30154 waits until 34096",
            "34096 sent eastus",
            "35096 answered eastus 200",
            "35096 succeeded eastus",
        ]
    );
}

/// One request to a backend that fails in this way, at an SDK of this kind.
fn failing(sdk: &str, max_retries: u32, backend: &str, rest: &str) -> Scene {
    Scene::of(&format!(
        r#"
        [run]
        duration = "3600s"
        [clients]
        client = "direct"
        sdk = "{sdk}"
        max_retries = {max_retries}
        [[backend]]
        name = "failing"
        model = "steady"
        refusal_latency = "0s"
        {backend}
        [[workload]]
        name = "calls"
        kind = "constant"
        rate = 0.01
        input = 10
        output = 1
        {rest}
        "#
    ))
}

#[test]
fn v20_without_a_hint_openai_python_doubles_its_wait_up_to_8_s_less_a_quarter_at_most() {
    let fault = "[[fault]]\nbackend = \"failing\"\nkind = \"status\"\nat = \"0s\"";
    for sdk in ["openai-python-3.54", "openai-python-60s"] {
        let scene = failing(sdk, 7, "", fault);
        let mut shares = Vec::new();
        for request in 0..30 {
            let waits = scene.sdk_waits(request);
            assert_eq!(waits.len(), 7, "as many as retries");
            for (wait, most) in waits.into_iter().zip([500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000]) {
                let most = most * 1_000_000;
                assert!(wait > most / 4 * 3 && wait <= most, "{wait} of {most}");
                shares.push(wait as f64 / most as f64);
            }
        }
        // Uniform over the last quarter: the mean of 210 is 0.875 with a standard error of 0.25 / sqrt(12 * 210).
        let mean = shares.iter().sum::<f64>() / shares.len() as f64;
        assert!((mean - 0.875).abs() < 4.0 * 0.25 / (12.0 * 210.0_f64).sqrt(), "{mean}");
        assert_eq!(scene.run.classes[0].attempts, 8 * scene.run.classes[0].offered);
    }
}

#[test]
fn v20_a_hint_is_waited_for_up_to_its_limit_and_not_longer() {
    let hint = |seconds: &str, form: &str| {
        format!(
            "hints = {{ policy = \"constant\", constant = \"{seconds}\", form = \"{form}\" }}\n\
             window = [{{ unit = \"requests\", limit = 0, length = \"1s\" }}]"
        )
    };
    let waits = |sdk, seconds, form| failing(sdk, 2, &hint(seconds, form), "").sdk_waits(0);
    let second = 1_000_000_000;
    assert_eq!(waits("openai-python-3.54", "1500ms", "both"), [second * 3 / 2; 2]);
    assert_eq!(waits("openai-python-3.54", "1500ms", "seconds"), [2 * second; 2]);
    assert_eq!(waits("openai-python-3.54", "120s", "both"), [120 * second; 2]);
    assert_eq!(waits("openai-python-3.54", "120001ms", "ms"), [0; 0], "a longer one ends the retries");
    assert_eq!(waits("openai-python-60s", "60s", "both"), [60 * second; 2]);
    let backed_off = waits("openai-python-60s", "61s", "both");
    assert!(backed_off.len() == 2 && backed_off[0] <= second / 2 && backed_off[1] <= second, "{backed_off:?}");
    assert_eq!(waits("none", "1s", "both"), [0; 0]);
}
