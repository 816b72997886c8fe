//! Calibration against synthetic logs of deployments whose depth is known.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

mod coverage;

use crate::{
    Scenario,
    backtest::{self, AgainstError, Arriving},
    calibrate::{CalibrateError, Calibration, HintUnit, Reason, Verdict, calibrate},
    log::{Attempt, Log},
    random::{Draws, Purpose},
};
use lb_limits::{Demand, Ptu, SECOND, Usage, azure_ptu};

/// A deployment, its traffic, and how well it is observed.
#[derive(Debug, Clone, Copy)]
struct Case {
    depth: f64,
    /// Mean demand over what drains.
    load: f64,
    max_tokens: SaidMaxTokens,
    /// What the service reserves, over the estimate.
    bias: f64,
    /// What the service assumes without `max_tokens`.
    default_max_tokens: u64,
    hints: Told,
    /// Half the range of the error of logged times, in seconds.
    jitter: f64,
    /// Share of decisions that are wrong.
    wrong: f64,
    requests: u64,
    seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum SaidMaxTokens {
    Exact,
    Twice,
    Constant(u64),
    Absent,
    /// Every other request says nothing, the rest twice what they need.
    Mixed,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Told {
    Nothing,
    Milliseconds,
    Seconds,
    AtMost(u64),
    Always(u64),
}

const PLAIN: Case = Case {
    depth: 10.0,
    load: 1.2,
    max_tokens: SaidMaxTokens::Twice,
    bias: 1.0,
    default_max_tokens: 500,
    hints: Told::Milliseconds,
    jitter: 0.0,
    wrong: 0.0,
    requests: 2_500,
    seed: 1,
};

const REAL: Case = Case { jitter: 0.05, wrong: 0.03, ..PLAIN };

/// 200 PTUs of gpt-4.1: 10,000 tokens drain per second.
fn ptu() -> Ptu {
    Ptu::new(200, 3_000).output_ratio(4)
}

/// Tokens of input and output that cost 1,800 on average, 0.18 s of drain.
fn size(draws: Draws, number: u64) -> (u64, u64) {
    let input = 200 + draws.bits(Purpose::Input, number, 0) % 1_600;
    // A few long ones among many short ones.
    let long = draws.bits(Purpose::Output, number, 1).is_multiple_of(10);
    (input, 20 + draws.bits(Purpose::Output, number, 0) % if long { 1_600 } else { 200 })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and not negative")]
fn nanos(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}

impl Case {
    /// The log of this deployment: Poisson arrivals whose rate swings around the load, each tried once.
    fn log(&self) -> Log {
        let draws = Draws::new(self.seed);
        let ptu = ptu().burst_ns(u64::MAX);
        let mut bucket = azure_ptu(ptu);
        let mut ends: Vec<(u64, Demand, Usage)> = Vec::new();
        let mut attempts = Vec::new();
        let mut now = 60.0;
        let jitter =
            |number: u64, which: u64| self.jitter * (2.0 * draws.uniform(Purpose::Sample, number, which) - 1.0);
        // Rush and calm take turns, and a rush lasts until the bucket can be full: a constant load above 1 would only
        // ever see the limit.
        let turn = nanos(6.0 * self.depth.max(4.0));
        for number in 0..self.requests {
            let swing = if (nanos(now) / turn).is_multiple_of(2) { 1.6 } else { 0.4 };
            now -= draws.uniform(Purpose::Gap, number, 0).ln() * 0.18 / (self.load * swing);
            let at = nanos(now);
            ends.sort_by_key(|(end, ..)| *end);
            while ends.first().is_some_and(|(end, ..)| *end <= at) {
                let (end, demand, usage) = ends.remove(0);
                bucket.correct(end, &demand, &usage);
            }
            let (input, output) = size(draws, number);
            let max_tokens = match self.max_tokens {
                SaidMaxTokens::Exact => Some(output),
                SaidMaxTokens::Twice => Some(2 * output),
                SaidMaxTokens::Constant(most) => Some(most),
                SaidMaxTokens::Absent => None,
                SaidMaxTokens::Mixed => (number % 2 == 0).then_some(2 * output),
            };
            let estimate = input + 4 * max_tokens.unwrap_or(self.default_max_tokens);
            let demand = Demand::tokens(nanos(estimate as f64 * self.bias / 1e9));
            let usage = Usage { input_tokens: input, cached_tokens: 0, output_tokens: output };
            let level = (bucket.limits()[0].resets_at(at).unwrap() - at) as f64 / 1e9;
            let refused = (level > self.depth) != (draws.uniform(Purpose::Hit, number, 0) < self.wrong);
            let mut attempt = Attempt {
                start: nanos(now + jitter(number, 0)),
                prompt_tokens: Some(input),
                max_tokens,
                ..Attempt::default()
            };
            if refused {
                let hint = nanos((level - self.depth).max(0.0)).div_ceil(1_000_000);
                attempt.status = 429;
                attempt.end = attempt.start;
                attempt.hint_ms = match self.hints {
                    Told::Nothing => None,
                    Told::Milliseconds => Some(hint),
                    Told::Seconds => Some(hint.div_ceil(1_000) * 1_000),
                    Told::AtMost(most) => Some(hint.min(most)),
                    Told::Always(ms) => Some(ms),
                };
            } else {
                assert!(bucket.admit(at, &demand).is_ok());
                let end = now + 0.25 + 0.013 * output as f64;
                ends.push((nanos(end), demand, usage));
                attempt.status = 200;
                attempt.completion_tokens = Some(output);
                attempt.end = nanos(end + jitter(number, 1)).max(attempt.start);
            }
            attempts.push(attempt);
        }
        Log::new(attempts)
    }

    fn calibrate(&self) -> Calibration {
        calibrate(&self.log(), &ptu()).unwrap()
    }

    /// Asserts that the depth is found within 20 %, and that the interval holds it.
    fn is_recovered(&self) {
        let calibration = self.calibrate();
        let burst = calibration.burst.unwrap();
        let off = burst.value / self.depth - 1.0;
        println!(
            "{:>4} s  load {:.1}  {:?}  {:?}  -> {:.3} ({:.3} to {:.3}), off {:+.1} %, {:?}",
            self.depth,
            self.load,
            self.max_tokens,
            self.hints,
            burst.value,
            burst.low,
            burst.high,
            100.0 * off,
            calibration.verdict,
        );
        assert_eq!(calibration.verdict, Verdict::Identified, "{self:?}\n{calibration}");
        assert!(off.abs() < 0.2, "{self:?}\n{calibration}");
    }
}

/// Why the log does not tell.
fn is_not_identifiable(calibration: &Calibration) -> &Reason {
    match &calibration.verdict {
        Verdict::NotIdentifiable(reason) => reason,
        Verdict::Identified => panic!("{calibration}"),
    }
}

#[test]
fn depths_from_a_second_to_a_minute_are_recovered_with_hints() {
    for depth in [1.0, 5.0, 10.0, 30.0, 60.0] {
        Case { depth, ..REAL }.is_recovered();
    }
}

#[test]
fn depths_from_a_second_to_a_minute_are_recovered_without_hints() {
    for depth in [1.0, 5.0, 10.0, 30.0, 60.0] {
        Case { depth, hints: Told::Nothing, ..REAL }.is_recovered();
    }
}

#[test]
fn the_load_does_not_matter_if_it_reaches_the_limit() {
    for (load, depth) in [(0.8, 5.0), (2.0, 30.0)] {
        Case { load, depth, ..REAL }.is_recovered();
        Case { load, depth, hints: Told::Nothing, ..REAL }.is_recovered();
    }
}

#[test]
fn what_callers_say_as_max_tokens_does_not_matter() {
    Case { max_tokens: SaidMaxTokens::Exact, ..REAL }.is_recovered();
    Case { max_tokens: SaidMaxTokens::Constant(1_600), ..REAL }.is_recovered();
    Case { max_tokens: SaidMaxTokens::Constant(1_600), hints: Told::Nothing, ..REAL }.is_recovered();
}

#[test]
fn without_max_tokens_the_services_default_is_fitted_too() {
    let case = Case { max_tokens: SaidMaxTokens::Absent, ..REAL };
    case.is_recovered();
    let calibration = case.calibrate();
    let default = calibration.default_max_tokens.unwrap();
    assert!((default.value / 500.0 - 1.0).abs() < 0.2, "{calibration}");
    assert_eq!(calibration.bias, None);
}

#[test]
fn a_mix_of_requests_with_and_without_max_tokens_is_fitted() {
    Case { max_tokens: SaidMaxTokens::Mixed, requests: 1_500, ..REAL }.is_recovered();
}

#[test]
fn a_service_that_reserves_more_than_the_estimate_is_found_out() {
    let case = Case { bias: 1.5, ..REAL };
    case.is_recovered();
    let calibration = case.calibrate();
    let bias = calibration.bias.unwrap();
    assert!((bias.value / 1.5 - 1.0).abs() < 0.1 && bias.low > 1.0, "{calibration}");
    assert!(calibration.to_string().contains("which will refuse too little"), "{calibration}");
}

#[test]
fn a_bias_between_two_points_of_the_grid_shifts_no_depth() {
    for hints in [Told::Nothing, Told::Milliseconds] {
        let calibration = Case { depth: 5.0, bias: 1.37, hints, ..PLAIN }.calibrate();
        let (burst, bias) = (calibration.burst.unwrap(), calibration.bias.unwrap());
        assert!((burst.low..=burst.high).contains(&5.0) && burst.high / burst.low < 1.01, "{burst:?}");
        assert!((bias.low..=bias.high).contains(&1.37) && bias.high / bias.low < 1.01, "{bias:?}");
    }
}

#[test]
fn hints_in_whole_seconds_are_read_as_rounded_up() {
    // Reservations of about 3 s, so that hints are of one to three seconds.
    let case = Case { hints: Told::Seconds, depth: 30.0, max_tokens: SaidMaxTokens::Constant(8_000), ..REAL };
    case.is_recovered();
    assert_eq!(case.calibrate().hints, HintUnit::Seconds);
}

#[test]
fn hints_that_say_nothing_do_no_harm() {
    let constant = Case { hints: Told::Always(1_000), ..REAL };
    constant.is_recovered();
    assert_eq!(constant.calibrate().hints, HintUnit::Constant(1_000));
    Case { hints: Told::AtMost(300), ..REAL }.is_recovered();
}

#[test]
fn a_scenario_takes_the_answer_as_it_is_printed() {
    let calibration = PLAIN.calibrate();
    let text = calibration.to_string();
    let line = text.lines().find(|line| line.trim_start().starts_with("burst = ")).unwrap();
    let scenario = format!(
        "[run]\nduration = \"1m\"\n[[backend]]\nname = \"ptu\"\npreset = \"azure-ptu\"\nmodel = \"gpt-4.1\"\nptus = \
         200\n{line}\n[[workload]]\nname = \"w\"\nkind = \"poisson\"\nrate = 1\ninput = 1\noutput = 1\n"
    );
    let burst = Scenario::parse(&scenario).unwrap().backends[0].burst.unwrap();
    assert!((burst.as_secs_f64() / 10.0 - 1.0).abs() < 0.05, "{text}");
    let json = serde_json::to_value(&calibration).unwrap();
    assert_eq!(json["verdict"], "identified");
    assert!(json["burst"]["low"].as_f64() < json["burst"]["high"].as_f64());
}

#[test]
fn a_log_without_refusals_gives_a_lower_bound() {
    let calibration = Case { load: 0.2, depth: 60.0, requests: 500, wrong: 0.0, ..REAL }.calibrate();
    let Reason::NoRefusals { at_least } = is_not_identifiable(&calibration) else { panic!("{calibration}") };
    assert!(*at_least > 0.2 && *at_least < 60.0, "{calibration}");
    assert_eq!(calibration.burst, None);
}

#[test]
fn refusals_that_are_all_wrong_tell_nothing() {
    let calibration = Case { load: 0.5, depth: 60.0, hints: Told::Nothing, ..REAL }.calibrate();
    is_not_identifiable(&calibration);
}

#[test]
fn a_log_of_refusals_alone_tells_nothing() {
    let refused = PLAIN.log().attempts().iter().filter(|attempt| attempt.is_refused()).cloned().collect::<Vec<_>>();
    let calibration = calibrate(&Log::new(refused), &ptu()).unwrap();
    assert_eq!(is_not_identifiable(&calibration), &Reason::NoAcceptances);
}

#[test]
fn a_few_decisions_tell_nothing() {
    let few = Log::new(PLAIN.log().attempts().iter().take(20).cloned());
    let reason = calibrate(&few, &ptu()).unwrap();
    assert!(matches!(is_not_identifiable(&reason), Reason::TooFewDecisions { decisions: 20, .. }));
}

#[test]
fn requests_without_tokens_tell_nothing() {
    let untold = |attempt: &Attempt| Attempt { completion_tokens: None, ..attempt.clone() };
    let log = Log::new(PLAIN.log().attempts().iter().map(untold));
    assert_eq!(is_not_identifiable(&calibrate(&log, &ptu()).unwrap()), &Reason::NoTokens { share: 1.0 });
}

#[test]
fn without_acceptances_near_the_limit_every_depth_between_is_as_good() {
    // Bursts that fill the bucket at once: nothing is ever decided between 0.3 s and 9 s.
    let mut attempts = Vec::new();
    for burst in 0..40_u64 {
        let attempt = |offset: u64, status: u16, prompt_tokens: u64| Attempt {
            start: burst * 100 * SECOND + offset,
            end: burst * 100 * SECOND + offset + SECOND / 10,
            prompt_tokens: Some(prompt_tokens),
            max_tokens: Some(1),
            completion_tokens: Some(1),
            status,
            ..Attempt::default()
        };
        attempts.extend([attempt(0, 200, 2_000), attempt(1, 200, 150_000)]);
        attempts.extend((2..6).map(|offset| attempt(offset * SECOND, 429, 500)));
    }
    let calibration = calibrate(&Log::new(attempts), &ptu()).unwrap();
    let Reason::NothingNearTheLimit { accepted_up_to, refused_from } = is_not_identifiable(&calibration) else {
        panic!("{calibration}")
    };
    assert!(*accepted_up_to < 0.5 && *refused_from > 9.0, "{calibration}");
    let burst = calibration.burst.unwrap();
    assert!(burst.low < 1.0 && burst.high > 8.0, "{burst:?}");
}

#[test]
fn traffic_that_is_missing_in_the_log_is_noticed() {
    let half = |load: f64| {
        let log = Case { load, wrong: 0.0, hints: Told::Nothing, ..REAL }.log();
        Log::new(log.attempts().iter().enumerate().filter(|(index, _)| index % 2 == 0).map(|(_, a)| a.clone()))
    };
    for load in [1.2, 2.0] {
        is_not_identifiable(&calibrate(&half(load), &ptu()).unwrap());
    }
}

#[test]
fn a_log_of_several_backends_is_refused() {
    let mut attempts = PLAIN.log().attempts().to_vec();
    for (index, attempt) in attempts.iter_mut().enumerate() {
        attempt.backend = Some(if index % 2 == 0 { "ptu" } else { "standard" }.to_owned());
    }
    let log = Log::new(attempts);
    let error = calibrate(&log, &ptu()).unwrap_err();
    assert_eq!(error, CalibrateError::SeveralBackends(vec!["ptu".to_owned(), "standard".to_owned()]));
    assert!(calibrate(&log.of_backend("ptu"), &ptu()).is_ok());
    assert_eq!(calibrate(&PLAIN.log(), &Ptu::new(0, 3_000)).unwrap_err(), CalibrateError::NoThroughput);
}

/// The deployment of the synthetic logs, as a scenario, with a pay-as-you-go deployment behind it.
fn scenario(burst: &str) -> Scenario {
    Scenario::parse(&format!(
        r#"
        run = {{ duration = "1m", replications = 5 }}
        model = [{{ name = "gpt-4.1", ttft = {{ base = "250ms", per_1k_input = "0ms" }}, tpot = {{ mean = "13ms" }} }}]
        backend = [
            {{ name = "ptu", preset = "azure-ptu", model = "gpt-4.1", ptus = 200, burst = "{burst}" }},
            {{ name = "standard", priority = 2, preset = "azure-standard", model = "gpt-4.1", tpm = 9_000_000 }},
        ]
        workload = [{{ name = "chat", kind = "poisson", rate = 1, input = 1, output = 1 }}]
        "#
    ))
    .unwrap()
}

fn named(log: &Log, request: impl Fn(usize) -> Option<String>) -> Log {
    let attempts = log.attempts().iter().enumerate();
    let named = |(index, attempt): (usize, &Attempt)| Attempt {
        backend: Some("ptu".to_owned()),
        request: request(index),
        ..attempt.clone()
    };
    Log::new(attempts.map(named))
}

#[test]
fn the_429s_of_a_simulated_past_are_those_observed_at_the_right_depth_only() {
    let log = named(&Case { jitter: 0.0, ..PLAIN }.log(), |_| None);
    let right = backtest::compare(&scenario("10s"), &log).unwrap();
    let wrong = backtest::compare(&scenario("1s"), &log).unwrap();
    assert_eq!(right.arriving, Arriving::Attempts);
    let observed = log.attempts().iter().filter(|attempt| attempt.is_refused()).count() as f64;
    let throttles = right.total.throttles;
    assert!((throttles.simulated / observed - 1.0).abs() < 0.03, "{right}");
    assert_eq!((throttles.observed, right.total.attempts.simulated), (observed, 2_500.0), "{right}");
    assert_eq!(wrong.total.throttles.agrees(), Some(false), "{wrong}");
    assert!((right.success_share.simulated - right.success_share.observed).abs() < 0.01, "{right}");
    // Over time they are there where they were, minute by minute.
    let ptu = &right.backends[0];
    let sum = |of: fn(&backtest::Compared) -> f64| ptu.throttles.iter().map(of).sum::<f64>();
    assert_eq!(sum(|minute| minute.observed), observed);
    assert!((sum(|minute| minute.simulated) - throttles.simulated).abs() < 1e-6, "{right}");
    let apart: f64 = ptu.throttles.iter().map(|minute| (minute.observed - minute.simulated).abs()).sum();
    assert!(apart < 0.2 * observed, "{right}");
    assert!(right.to_string().contains("429s of ptu per 1m"), "{right}");
}

#[test]
fn attempts_of_one_request_are_one_arrival_at_the_scenarios_clients() {
    let log = named(&PLAIN.log(), |index| Some((index / 2).to_string()));
    let against = backtest::compare(&scenario("10s"), &log).unwrap();
    assert_eq!(against.arriving, Arriving::Requests);
    // Every second attempt was the first of its request; what the PTU refuses goes on to the standard deployment.
    let [ptu, standard] = [0, 1].map(|index| against.backends[index].counts);
    assert_eq!(ptu.throttles.simulated + ptu.accepted.simulated, ptu.attempts.simulated);
    assert_eq!(ptu.accepted.simulated + standard.accepted.simulated, 1_250.0, "{against}");
    assert_eq!(against.success_share.simulated, 1.0, "{against}");
}

#[test]
fn a_log_that_does_not_fit_the_scenario_is_refused() {
    let compare = |log: &Log| backtest::compare(&scenario("10s"), log).unwrap_err();
    assert_eq!(compare(&Log::default()), AgainstError::NoAttempts);
    assert_eq!(compare(&PLAIN.log()), AgainstError::UnnamedBackend);
    let mut attempts = named(&PLAIN.log(), |_| None).attempts().to_vec();
    attempts[7].backend = Some("other".to_owned());
    assert_eq!(compare(&Log::new(attempts)), AgainstError::UnknownBackend("other".to_owned()));
    let refused =
        named(&PLAIN.log(), |_| None).attempts().iter().filter(|a| a.is_refused()).cloned().collect::<Vec<_>>();
    assert_eq!(compare(&Log::new(refused)), AgainstError::NoSizes);
}
