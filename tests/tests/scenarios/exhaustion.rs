//! What the caller gets when no backend is left, in every mixture of answers.

use std::time::Duration;

use lb_core::{Error, Exhausted, Fault, Served, test_util::Reply, test_util::ScriptedFault};
use lb_tests::stage::{Answer, Stage, ask, header, on_every_drive, pool_of};

fn two() -> lb_core::PoolBuilder {
    pool_of(&[("a", 1), ("b", 2)])
}

fn broken(status: u16) -> Reply {
    Reply::status(status).header("x-from", "upstream").body(format!("error {status}"))
}

fn throttled() -> Reply {
    Reply::status(429).header("retry-after", "7").body("slow down")
}

/// The caller has a backend's own answer, untouched.
fn is_answer_of(answer: &Answer, backend: &str, attempts: u32, status: u16) {
    let response = answer.as_ref().unwrap();
    assert_eq!(response.status(), status);
    assert_eq!(header(response, "x-from"), "upstream");
    assert_eq!(response.body(), &format!("error {status}"));
    let served = response.extensions().get::<Served>().unwrap();
    assert_eq!((served.backend(), served.attempts()), (backend, attempts));
    assert!(response.extensions().get::<Exhausted>().is_none());
    assert!(response.headers().get("retry-after").is_none(), "nothing synthetic is mixed in");
}

fn is_synthesised(answer: &Answer, secs: u64) {
    let response = answer.as_ref().unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(header(response, "retry-after"), secs.to_string());
    assert!(response.headers().get("x-from").is_none(), "nothing of a backend is mixed in");
    let exhausted = response.extensions().get::<Exhausted>().unwrap();
    assert_eq!(response.body(), &exhausted.body());
    assert!(response.extensions().get::<Served>().is_none());
}

fn is_exhausted(answer: &Answer) -> Exhausted {
    match answer {
        Err(Error::Exhausted(exhausted)) => exhausted.clone(),
        other => panic!("expected exhaustion, got {other:?}"),
    }
}

/// Sends with `send` on one stage and `try_send` on another, after the same script.
fn each_way(pool: impl Fn() -> lb_core::PoolBuilder, script: impl Fn(&Stage), check: impl Fn(&Stage, bool, &Answer)) {
    on_every_drive(&pool, |stage| {
        script(stage);
        check(stage, false, &stage.send(ask()));
        let typed = Stage::new(stage.drive, pool());
        script(&typed);
        check(&typed, true, &typed.try_send(ask()));
    });
}

#[test]
fn after_5xx_only_the_final_answer_comes_back_as_it_came() {
    each_way(
        two,
        |stage| {
            stage.transport.reply("a", broken(500)).reply("b", broken(503));
        },
        |stage, _, answer| {
            is_answer_of(answer, "b", 2, 503);
            assert_eq!(stage.asked(), ["a", "b"]);
            assert_eq!(stage.cooling_secs(), [Some(10.0), Some(10.0)]);
        },
    );
}

#[test]
fn a_429_anywhere_among_the_answers_makes_it_a_synthesised_429() {
    for (first, second) in [(broken(500), throttled()), (throttled(), broken(500)), (throttled(), throttled())] {
        each_way(
            two,
            |stage| {
                stage.transport.reply("a", first.clone()).reply("b", second.clone());
            },
            |stage, is_typed, answer| {
                assert_eq!(stage.asked(), ["a", "b"]);
                if is_typed {
                    assert_eq!(is_exhausted(answer).retry_after(), Duration::from_secs(7));
                } else {
                    is_synthesised(answer, 7);
                }
            },
        );
    }
}

#[test]
fn a_429_then_a_connect_fault_is_a_synthesised_429_too() {
    each_way(
        two,
        |stage| {
            stage.transport.reply("a", throttled()).reply("b", Reply::fault(Fault::Connect));
        },
        |_, is_typed, answer| {
            if is_typed {
                assert_eq!(is_exhausted(answer).cooling(), 2);
            } else {
                is_synthesised(answer, 7);
            }
        },
    );
}

#[test]
fn a_connect_fault_in_the_final_attempt_is_its_error_and_no_older_answer_is_brought_back() {
    each_way(
        two,
        |stage| {
            stage.transport.reply("a", broken(503)).reply("b", Reply::fault(Fault::Connect));
        },
        |stage, _, answer| {
            assert!(matches!(answer, Err(Error::Transport(ScriptedFault(Fault::Connect)))), "{answer:?}");
            assert_eq!(stage.transport.discarded().len(), 1, "the 503 was given up when b was asked");
        },
    );
}

#[test]
fn a_5xx_after_a_connect_fault_comes_back_as_it_came() {
    each_way(
        two,
        |stage| {
            stage.transport.reply("a", Reply::fault(Fault::Connect)).reply("b", broken(502));
        },
        |_, _, answer| is_answer_of(answer, "b", 2, 502),
    );
}

#[test]
fn connect_faults_only_end_in_the_transports_error() {
    each_way(
        two,
        |stage| {
            stage.transport.always("a", Reply::fault(Fault::Connect)).always("b", Reply::fault(Fault::Connect));
        },
        |stage, _, answer| {
            assert!(matches!(answer, Err(Error::Transport(ScriptedFault(Fault::Connect)))), "{answer:?}");
            assert_eq!(answer.as_ref().unwrap_err().to_string(), "scripted connect fault");
            assert_eq!(stage.cooling_secs(), [Some(10.0), Some(10.0)]);
        },
    );
}

#[test]
fn when_nothing_could_be_tried_it_is_a_synthesised_429_whatever_the_reason_of_the_cooldowns() {
    for (reply, secs) in [(broken(500), 10), (Reply::fault(Fault::Connect), 10), (throttled(), 7)] {
        each_way(
            two,
            |stage| {
                stage.transport.reply("a", reply.clone()).reply("b", reply.clone());
                let _ = stage.send(ask());
                let _ = stage.asked();
            },
            |stage, is_typed, answer| {
                assert_eq!(stage.asked(), [""; 0]);
                if is_typed {
                    let exhausted = is_exhausted(answer);
                    assert_eq!(exhausted.retry_after(), Duration::from_secs(secs));
                    assert_eq!((exhausted.cooling(), exhausted.backends()), (2, 2));
                    let text = answer.as_ref().unwrap_err().to_string();
                    assert_eq!(text, format!("no backend available for {secs} s (2 of 2 cooling down)"));
                } else {
                    is_synthesised(answer, secs);
                }
            },
        );
    }
}

#[test]
fn a_pool_that_always_synthesises_hides_5xx_and_faults() {
    for (first, second) in [
        (broken(500), broken(503)),
        (broken(500), Reply::fault(Fault::Connect)),
        (Reply::fault(Fault::Connect), Reply::fault(Fault::Connect)),
    ] {
        each_way(
            || two().always_synthesize(true),
            |stage| {
                stage.transport.reply("a", first.clone()).reply("b", second.clone());
            },
            |_, is_typed, answer| {
                if is_typed {
                    assert_eq!(is_exhausted(answer).retry_after_secs(), 10);
                } else {
                    is_synthesised(answer, 10);
                }
            },
        );
    }
}

#[test]
fn a_pool_that_always_synthesises_still_returns_what_does_not_fail_over() {
    on_every_drive(
        || two().always_synthesize(true),
        |stage| {
            stage.transport.reply("a", broken(404)).reply("a", Reply::fault(Fault::Timeout));
            is_answer_of(&stage.send(ask()), "a", 1, 404);
            assert!(matches!(stage.send(ask()), Err(Error::Transport(ScriptedFault(Fault::Timeout)))));
        },
    );
}

#[test]
fn max_attempts_bounds_the_walk_exactly() {
    for attempts in 1..=4 {
        on_every_drive(
            || pool_of(&[("a", 1), ("b", 2), ("c", 3)]).max_attempts(attempts),
            |stage| {
                for name in ["a", "b", "c"] {
                    stage.transport.always(name, broken(503));
                }
                let made = attempts.min(3);
                let last = ["a", "b", "c"][made as usize - 1];
                is_answer_of(&stage.send(ask()), last, made, 503);
                assert_eq!(stage.asked().len(), made as usize);
            },
        );
    }
}

#[test]
fn a_healthy_backend_beyond_max_attempts_counts_as_one_second() {
    each_way(
        || pool_of(&[("a", 1), ("b", 2)]).max_attempts(1),
        |stage| {
            stage.transport.reply("a", throttled());
        },
        |stage, is_typed, answer| {
            assert_eq!(stage.asked(), ["a"]);
            if is_typed {
                let exhausted = is_exhausted(answer);
                assert_eq!((exhausted.retry_after(), exhausted.cooling()), (Duration::from_secs(1), 1));
            } else {
                is_synthesised(answer, 1);
            }
            assert_eq!(stage.ask_whom(), "b", "the next request goes on where this one stopped");
        },
    );
}

#[test]
fn retry_after_is_rounded_up_and_at_least_one_second() {
    for (ms, secs) in [(1, "1"), (999, "1"), (1000, "1"), (1001, "2"), (59_999, "60"), (60_000, "60")] {
        on_every_drive(
            || pool_of(&[("a", 1)]),
            |stage| {
                let millis = ms.to_string();
                stage.transport.reply("a", Reply::status(429).header("retry-after-ms", &millis));
                let response = stage.ask();
                assert_eq!(header(&response, "retry-after"), secs, "{ms}");
                assert_eq!(header(&response, "retry-after-ms"), millis, "{ms}");
            },
        );
    }
}

#[test]
fn the_soonest_backend_of_the_whole_pool_decides_also_one_that_this_request_did_not_try() {
    on_every_drive(
        || pool_of(&[("a", 1), ("b", 2), ("c", 3)]),
        |stage| {
            stage.transport.reply("a", Reply::status(429).header("retry-after", "3"));
            assert_eq!(stage.ask_whom(), "b");
            stage.transport.reply("b", throttled()).reply("c", throttled());
            is_synthesised(&stage.send(ask()), 3);
            assert_eq!(stage.asked(), ["a", "b", "b", "c"]);
        },
    );
}

#[test]
fn a_caller_that_waits_exactly_as_told_is_served() {
    on_every_drive(two, |stage| {
        stage.transport.reply("a", throttled()).reply("b", Reply::status(429).header("retry-after", "6.001"));
        let Err(Error::Exhausted(exhausted)) = stage.try_send(ask()) else { panic!("both are throttled") };
        stage.wait(exhausted.retry_after() - Duration::from_nanos(1));
        assert!(matches!(stage.try_send(ask()), Err(Error::Exhausted(_))));
        stage.wait(Duration::from_nanos(1));
        assert_eq!(stage.ask_whom(), "b");
    });
}
