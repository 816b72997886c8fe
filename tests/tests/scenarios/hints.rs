//! What hints do to backends: beyond the credible, zero, in every header, and in dates.

use std::time::Duration;

use lb_core::{HintSource, Reason, State, test_util::Reply};
use lb_tests::stage::{Stage, ask, header, on_every_drive, pool_of};

const SECOND: Duration = Duration::from_secs(1);

fn one() -> lb_core::PoolBuilder {
    pool_of(&[("a", 1)])
}

fn cooled_by(stage: &Stage, reply: Reply) -> State {
    stage.transport.reply("a", reply);
    let _ = stage.send(ask());
    stage.pool.snapshot().backends[0].state
}

#[test]
fn without_a_hint_a_429_cools_for_ten_seconds_and_a_5xx_is_a_strike() {
    on_every_drive(one, |stage| {
        let State::Cooling { remaining, reason, hint, .. } = cooled_by(stage, Reply::status(429)) else {
            panic!("it cools")
        };
        assert_eq!((remaining, reason, hint), (Duration::from_secs(10), Reason::Status(429), None));
    });
    for status in [500, 502, 503, 504, 529, 599] {
        on_every_drive(one, |stage| {
            assert_eq!(cooled_by(stage, Reply::status(status)), State::Available);
            assert_eq!(stage.strikes(), [1]);
            assert!(matches!(cooled_by(stage, Reply::status(status)), State::Suspect { .. }), "{status}");
        });
    }
}

#[test]
fn each_hint_header_says_how_long_and_is_named() {
    for (name, value, ms, source) in [
        ("retry-after-ms", "250", 250, HintSource::RetryAfterMs),
        ("x-ms-retry-after-ms", "1500", 1500, HintSource::XMsRetryAfterMs),
        ("retry-after", "6", 6000, HintSource::RetryAfter),
        ("retry-after", "1.5", 1500, HintSource::RetryAfter),
        ("retry-after", "6m0s", 360_000, HintSource::RetryAfter),
        ("x-ratelimit-reset-requests", "1s", 1000, HintSource::RateLimitReset),
        ("x-ratelimit-reset-tokens", "33", 33_000, HintSource::RateLimitReset),
    ] {
        for status in [429, 503] {
            on_every_drive(one, |stage| {
                let state = cooled_by(stage, Reply::status(status).header(name, value));
                let State::Cooling { remaining, hint, .. } = state else { panic!("{name}: {value} cools") };
                assert_eq!((remaining, hint), (Duration::from_millis(ms), Some(source)), "{name}: {value}");
            });
        }
    }
}

#[test]
fn values_that_broke_the_python_package_fail_over_and_cool() {
    for value in ["", "1s", "soon", "99999999999999", "-5", "1_0", "NaN", "1e9", "\t"] {
        on_every_drive(
            || pool_of(&[("a", 1), ("b", 2)]),
            |stage| {
                stage.transport.reply("a", Reply::status(429).header("retry-after", value));
                assert_eq!(stage.ask_whom(), "b", "{value:?}");
                // What is no number says nothing; what is one, and not credible, is a strike.
                let is_struck = value.starts_with("9999");
                assert_eq!((stage.cooling("a").is_some(), stage.strikes()[0]), (!is_struck, u32::from(is_struck)));
                assert_eq!(stage.ask_whom(), if is_struck { "a" } else { "b" }, "{value:?}");
            },
        );
    }
}

#[test]
fn a_hint_above_the_maximum_is_not_credible_and_a_strike() {
    for status in [429, 503] {
        on_every_drive(one, |stage| {
            let state = cooled_by(stage, Reply::status(status).header("retry-after", "600"));
            assert_eq!(state.remaining(), Some(Duration::from_secs(600)));
        });
        for value in ["600.001", "86400"] {
            on_every_drive(one, |stage| {
                let state = cooled_by(stage, Reply::status(status).header("retry-after", value));
                assert_eq!((state, stage.strikes()), (State::Available, vec![1]), "{value}");
            });
        }
    }
}

#[test]
fn a_prompt_larger_than_the_quota_takes_nobody_out() {
    on_every_drive(
        || pool_of(&[("a", 1), ("b", 1)]),
        |stage| {
            for name in ["a", "b"] {
                stage.transport.reply(name, Reply::status(429).header("retry-after", "86400").body("Limit 30000"));
            }
            let response = stage.ask();
            assert_eq!(
                (header(&response, "retry-after"), response.body().as_ref()),
                ("86400".into(), &b"Limit 30000"[..])
            );
            assert_eq!(stage.ask().status(), 200);
        },
    );
}

#[test]
fn default_and_maximum_are_the_pools_to_choose() {
    on_every_drive(
        || one().default_cooldown(Duration::from_millis(1500)).max_cooldown(Duration::from_secs(5)).probe_after(SECOND),
        |stage| {
            for (reply, ms) in [
                (Reply::status(429), Some(1500)),
                (Reply::status(429).header("retry-after", "5"), Some(5000)),
                (Reply::status(429).header("retry-after", "6"), None),
            ] {
                let remaining = cooled_by(stage, reply).remaining();
                assert_eq!(remaining, ms.map(Duration::from_millis));
                stage.wait(remaining.unwrap_or_default());
            }
        },
    );
}

#[test]
fn a_hint_of_zero_excludes_the_backend_from_this_request_only() {
    on_every_drive(
        || pool_of(&[("a", 1), ("b", 2)]),
        |stage| {
            stage.transport.reply("a", Reply::status(429).header("retry-after", "0"));
            assert_eq!(stage.ask_whom(), "b");
            assert_eq!(stage.cooling("a"), None);
            assert_eq!(stage.ask_whom(), "a");
            assert_eq!(stage.asked(), ["a", "b", "a"]);
        },
    );
}

#[test]
fn hints_of_zero_from_all_end_the_request_and_cost_one_second() {
    on_every_drive(
        || pool_of(&[("a", 1), ("b", 1), ("c", 2)]),
        |stage| {
            for name in ["a", "b", "c"] {
                stage.transport.always(name, Reply::status(429).header("retry-after", "0"));
            }
            for _ in 0..3 {
                let response = stage.ask();
                assert_eq!((response.status().as_u16(), header(&response, "retry-after")), (429, "1".into()));
                assert_eq!(stage.asked().len(), 3, "each backend once");
            }
        },
    );
}

#[test]
fn a_date_is_measured_against_the_responses_own_and_else_against_the_wall_clock() {
    on_every_drive(one, |stage| {
        let dated = Reply::status(429)
            .header("date", "Sun, 22 Nov 2026 12:00:00 GMT")
            .header("retry-after", "Sun, 22 Nov 2026 12:00:30 GMT");
        let State::Cooling { remaining, .. } = cooled_by(stage, dated) else { panic!("it cools") };
        assert_eq!(remaining, Duration::from_secs(30));
        stage.wait_secs(30);
        // The mock clock's wall time began at the epoch and is half a minute later now.
        let undated = Reply::status(429).header("retry-after", "Thu, 01 Jan 1970 00:01:10 GMT");
        let State::Cooling { remaining, .. } = cooled_by(stage, undated) else { panic!("it cools") };
        assert_eq!(remaining, Duration::from_secs(40));
    });
}

#[test]
fn a_date_that_has_passed_is_a_hint_of_zero() {
    on_every_drive(
        || pool_of(&[("a", 1), ("b", 2)]),
        |stage| {
            let past = Reply::status(503)
                .header("date", "Sun, 22 Nov 2026 12:00:00 GMT")
                .header("retry-after", "Sun, 22 Nov 2026 11:00:00 GMT");
            stage.transport.reply("a", past);
            assert_eq!(stage.ask_whom(), "b");
            assert_eq!(stage.cooling("a"), None);
        },
    );
}

#[test]
fn a_hint_on_an_answer_that_is_no_refusal_is_ignored() {
    for status in [200, 202, 302, 400, 404] {
        on_every_drive(one, |stage| {
            let reply = Reply::status(status).header("retry-after", "60").header("retry-after-ms", "60000");
            assert_eq!(cooled_by(stage, reply), State::Available, "{status}");
        });
    }
}
