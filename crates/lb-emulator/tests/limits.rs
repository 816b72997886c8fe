//! Limits hit and recovered, in wall time. The windows are short, and no assertion depends on how fast anything is: a
//! limit that recovers by itself is waited for by its own hint.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod support;

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use lb_emulator::{
    Emulator, EmulatorBuilder, HintForm, Quota,
    lb_limits::{Chain, Kind, Ptu, SECOND, Unit, Window, azure_standard},
};
use reqwest::blocking::Response;
use support::{CHAT, ask, header, post};

/// A length that no test lives to see the end of.
const HOUR: u64 = 3_600 * SECOND;

fn sliding(unit: Unit, limit: u64, length_ns: u64) -> Chain {
    Chain::new([Window::new(unit, limit, length_ns).kind(Kind::Sliding).into()])
}

/// One request per hour.
fn hourly() -> EmulatorBuilder {
    Emulator::builder().limits(sliding(Unit::Requests, 1, HOUR))
}

/// The refusal that the second request gets.
fn refusal(builder: EmulatorBuilder) -> Response {
    let emulator = builder.start().unwrap();
    assert_eq!(ask(&emulator).status(), 200);
    let refused = ask(&emulator);
    assert_eq!(refused.status(), 429);
    refused
}

fn number(response: &Response, name: &str) -> u64 {
    header(response, name).expect(name).parse().unwrap()
}

#[test]
fn a_limit_that_was_hit_recovers_after_its_hint() {
    let emulator =
        Emulator::builder().limits(sliding(Unit::Requests, 2, SECOND / 2)).hint(HintForm::Millis).start().unwrap();
    let (mut answers, end) = (Vec::new(), Instant::now() + support::PATIENCE);
    // Enough requests in a row to hit it, however slow the machine: three within half a second.
    let refused = loop {
        assert!(Instant::now() < end, "never refused: {answers:?}");
        let response = ask(&emulator);
        answers.push(response.status().as_u16());
        if response.status() == 429 {
            break response;
        }
    };
    let wait = Duration::from_millis(number(&refused, "retry-after-ms"));
    assert!(!wait.is_zero() && wait <= Duration::from_millis(500), "{wait:?}");
    sleep(wait);
    assert_eq!(ask(&emulator).status(), 200);
}

#[test]
fn a_success_tells_limits_and_what_remains_of_them() {
    let limits = Chain::new([
        Window::new(Unit::Tokens, 1_000, HOUR).kind(Kind::Sliding).into(),
        Window::new(Unit::Requests, 10, HOUR).kind(Kind::Sliding).into(),
    ]);
    let emulator = Emulator::builder().limits(limits).start().unwrap();
    // 11 characters are 3 tokens, and 16 are reserved if max_tokens is absent.
    let response = ask(&emulator);
    assert_eq!(number(&response, "x-ratelimit-limit-tokens"), 1_000);
    assert_eq!(number(&response, "x-ratelimit-remaining-tokens"), 981);
    assert_eq!(number(&response, "x-ratelimit-limit-requests"), 10);
    assert_eq!(number(&response, "x-ratelimit-remaining-requests"), 9);
    // Rounded up, from less than an hour.
    assert_eq!(number(&response, "x-ratelimit-reset-tokens"), 3_600);

    let body = r#"{"messages":[{"role":"user","content":[{"type":"text","text":"abcd"}]}],"max_tokens":100}"#;
    let response = post(&emulator, CHAT, body);
    assert_eq!(number(&response, "x-ratelimit-remaining-tokens"), 880);
}

#[test]
fn seconds_are_the_standard_deployments_hint() {
    let refused = refusal(hourly());
    let seconds = number(&refused, "retry-after");
    assert!((3_500..=3_600).contains(&seconds), "{seconds}");
    assert_eq!(header(&refused, "retry-after-ms"), None);
    assert_eq!(number(&refused, "x-ratelimit-limit-requests"), 1);
    assert_eq!(number(&refused, "x-ratelimit-remaining-requests"), 0);
    assert_eq!(number(&refused, "x-ratelimit-reset-requests"), seconds);

    let body: serde_json::Value = refused.json().unwrap();
    assert_eq!(body["error"]["code"], "429");
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.contains("have exceeded call rate limit"), "{message}");
    let retry = format!("Please retry after {seconds} seconds.");
    assert!(message.contains(&retry), "{message}");
}

#[test]
fn milliseconds_come_with_seconds_beside_them() {
    let refused = refusal(hourly().hint(HintForm::Millis));
    let millis = number(&refused, "retry-after-ms");
    assert!((3_500_000..=3_600_000).contains(&millis), "{millis}");
    assert_eq!(number(&refused, "retry-after"), millis.div_ceil(1_000));
}

#[test]
fn a_date_is_relative_to_the_date_header() {
    let refused = refusal(hourly().hint(HintForm::Date));
    let date = |name| httpdate::parse_http_date(header(&refused, name).unwrap()).unwrap();
    let wait = date("retry-after").duration_since(date("date")).unwrap();
    let seconds = wait.as_secs();
    assert!((3_500..=3_601).contains(&seconds), "{seconds}");
}

#[test]
fn the_reset_form_has_no_retry_after() {
    let refused = refusal(hourly().hint(HintForm::Reset));
    assert_eq!(header(&refused, "retry-after"), None);
    assert_eq!(header(&refused, "retry-after-ms"), None);
    assert_eq!(number(&refused, "x-ratelimit-remaining-requests"), 0);
    let seconds = number(&refused, "x-ratelimit-reset-requests");
    assert!((3_500..=3_600).contains(&seconds), "{seconds}");
}

#[test]
fn the_none_form_tells_nothing() {
    let refused = refusal(hourly().hint(HintForm::None));
    let telling = |name: &str| name.starts_with("x-ratelimit") || name.starts_with("retry-after");
    let names: Vec<_> = refused.headers().keys().map(|name| name.as_str()).collect();
    assert!(!names.iter().any(|name| telling(name)), "{names:?}");
}

#[test]
fn a_prompt_larger_than_the_quota_is_told_to_wait_a_day() {
    let emulator = Emulator::builder().standard(18, 600).start().unwrap();
    let refused = ask(&emulator);
    assert_eq!((refused.status().as_u16(), number(&refused, "retry-after")), (429, 86_400));
    assert!(refused.text().unwrap().contains("have exceeded token rate limit"));
}

#[test]
fn a_provisioned_deployment_tells_utilisation_and_the_milliseconds_until_it_falls() {
    // 600 tokens a minute are 10 a second; the depth is 100 tokens.
    let ptu = Ptu::new(1, 600).burst_ns(10 * SECOND);
    let emulator = Emulator::builder().ptu(ptu).completion_tokens(1_000_000).start().unwrap();
    // No prompt to speak of: 1 + 4 x 1,000 tokens, in the estimate and in the end.
    let body = r#"{"messages":[{"role":"user","content":"abc"}],"max_tokens":1000}"#;
    let accepted = post(&emulator, CHAT, body);
    assert_eq!(accepted.status(), 200);
    assert_eq!(header(&accepted, "x-ratelimit-remaining-tokens"), None);
    let used = header(&accepted, "azure-openai-deployment-utilization").unwrap();
    assert_eq!(used, "4001.0%", "4,001 tokens of 100");

    let refused = post(&emulator, CHAT, body);
    assert_eq!(refused.status(), 429);
    // 3,901 tokens above at 10 a second.
    let millis = number(&refused, "retry-after-ms");
    assert!((360_000..=390_100).contains(&millis), "{millis}");
    assert_eq!(number(&refused, "retry-after"), millis.div_ceil(1_000));
}

#[test]
fn a_provisioned_deployment_is_corrected_to_what_was_used() {
    let ptu = Ptu::new(1, 600).burst_ns(10 * SECOND);
    let emulator = Emulator::builder().ptu(ptu).completion_tokens(2).start().unwrap();
    let body = r#"{"messages":[{"role":"user","content":"abc"}],"max_tokens":1000}"#;
    for _ in 0..5 {
        assert_eq!(post(&emulator, CHAT, body).status(), 200);
        let sent = emulator.request_count();
        assert!(emulator.wait_until_bodies_sent(sent, support::PATIENCE));
    }
}

#[test]
fn two_emulators_on_one_quota_share_its_limit() {
    let quota = Quota::new(sliding(Unit::Requests, 1, HOUR));
    let first = Emulator::builder().quota(&quota).start().unwrap();
    let second = Emulator::builder().quota(&quota).start().unwrap();
    assert_eq!(ask(&first).status(), 200);
    assert_eq!(ask(&second).status(), 429);
}

#[test]
fn only_a_request_that_would_be_served_is_charged() {
    let quota = Quota::new(azure_standard(1_000, 600, 0));
    let emulator = Emulator::builder().quota(&quota).key("k").start().unwrap();
    assert_eq!(ask(&emulator).status(), 401);
    let (chain, _) = quota.snapshot();
    assert_eq!(chain.limits()[0].remaining(0), 1_000);
}

#[test]
fn latency_delays_what_is_served_by_at_least_that() {
    let latency = Duration::from_millis(30);
    let emulator = Emulator::builder().latency(latency).start().unwrap();
    let started = Instant::now();
    assert_eq!(ask(&emulator).status(), 200);
    assert!(started.elapsed() >= latency);
}
