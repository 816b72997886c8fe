//! What the caller gets when no backend is left, in every mixture of answers.

use std::time::Duration;

use lb_core::{Error, Exhausted, Fault, Served, test_util::Reply, test_util::ScriptedFault};
use lb_tests::stage::{Answer, Stage, ask, header, on_every_drive, pool_of};

const SECOND: Duration = Duration::from_secs(1);

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

fn is_synthesised(answer: &Answer, status: u16, secs: u64) {
    let response = answer.as_ref().unwrap();
    assert_eq!(response.status(), status);
    assert_eq!(header(response, "retry-after"), secs.to_string());
    assert!(response.headers().get("x-from").is_none(), "nothing of a backend is mixed in");
    let exhausted = response.extensions().get::<Exhausted>().unwrap();
    assert_eq!(response.body(), &exhausted.body());
    assert!(!exhausted.is_late());
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
            assert_eq!((stage.cooling_secs(), stage.strikes()), (vec![None, None], vec![1, 1]));
        },
    );
}

#[test]
fn a_429_anywhere_among_the_answers_makes_it_a_synthesised_429() {
    // One that was struck is available on, and counts as a second.
    for (first, second, secs) in
        [(broken(500), throttled(), 1), (throttled(), broken(500), 1), (throttled(), throttled(), 7)]
    {
        each_way(
            two,
            |stage| {
                stage.transport.reply("a", first.clone()).reply("b", second.clone());
            },
            |stage, is_typed, answer| {
                assert_eq!(stage.asked(), ["a", "b"]);
                if is_typed {
                    assert_eq!(is_exhausted(answer).retry_after(), Some(Duration::from_secs(secs)));
                } else {
                    is_synthesised(answer, 429, secs);
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
                let exhausted = is_exhausted(answer);
                assert_eq!((exhausted.cooling(), exhausted.suspect()), (1, 1));
            } else {
                // The suspect was tried by this request; another one can go there in a second.
                is_synthesised(answer, 429, 1);
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
            assert_eq!(stage.cooling_secs(), [Some(10.0), Some(10.0)], "suspect, and asked first in ten seconds");
        },
    );
}

#[test]
fn when_nothing_could_be_tried_it_is_a_429_only_where_somebody_is_throttled() {
    let cool = |status| Reply::status(status).header("retry-after", "7");
    for (first, second, status, message) in [
        (cool(429), cool(429), 429, "no backend available for 7 s: cooling after status 429 (a, b)"),
        (
            cool(503),
            cool(429),
            429,
            "no backend available for 7 s: cooling after status 503 (a), cooling after status 429 (b)",
        ),
        (cool(503), cool(503), 503, "no backend available for 7 s: cooling after status 503 (a, b)"),
    ] {
        each_way(
            two,
            |stage| {
                stage.transport.reply("a", first.clone()).reply("b", second.clone());
                let _ = stage.send(ask());
                let _ = stage.asked();
            },
            |stage, is_typed, answer| {
                assert_eq!(stage.asked(), [""; 0]);
                if is_typed {
                    let exhausted = is_exhausted(answer);
                    assert_eq!((exhausted.status().as_u16(), exhausted.retry_after()), (status, Some(7 * SECOND)));
                    assert_eq!((exhausted.cooling(), exhausted.backends()), (2, 2));
                    assert_eq!(answer.as_ref().unwrap_err().to_string(), message);
                } else {
                    is_synthesised(answer, status, 7);
                }
            },
        );
    }
}

#[test]
fn suspects_that_just_failed_are_closed_for_a_second_and_the_refusal_says_so() {
    each_way(
        two,
        |stage| {
            stage.transport.always("a", Reply::fault(Fault::Connect)).always("b", Reply::fault(Fault::Connect));
            // The first makes them suspect; those after it find nothing else, and close one each.
            let _ = (stage.send(ask()), stage.send(ask()), stage.send(ask()));
            assert_eq!(stage.asked(), ["a", "b", "a", "b", "b"]);
        },
        |stage, is_typed, answer| {
            assert_eq!(stage.asked(), [""; 0]);
            if is_typed {
                let exhausted = is_exhausted(answer);
                assert_eq!((exhausted.suspect(), exhausted.retry_after()), (2, Some(SECOND)));
                assert_eq!(exhausted.to_string(), "no backend available for 1 s: suspect after connect fault (a, b)");
            } else {
                is_synthesised(answer, 503, 1);
            }
        },
    );
}

#[test]
fn answers_that_were_all_strikes_come_back_as_the_last_came_also_a_429() {
    each_way(
        two,
        |stage| {
            let too_large = Reply::status(429).header("x-from", "upstream").header("x-hint", "86400").body("error 429");
            let too_large = too_large.header("retry-after-ms", "86400000");
            stage.transport.reply("a", broken(500)).reply("b", too_large);
        },
        |stage, _, answer| {
            is_answer_of(answer, "b", 2, 429);
            assert_eq!((stage.cooling_secs(), stage.strikes()), (vec![None, None], vec![1, 1]));
        },
    );
}

#[test]
fn with_all_drained_there_is_no_time_to_come_back() {
    each_way(
        two,
        |stage| assert!(stage.pool.drain("a") && stage.pool.drain("b") && !stage.pool.drain("c")),
        |stage, is_typed, answer| {
            if is_typed {
                let exhausted = is_exhausted(answer);
                assert_eq!((exhausted.drained(), exhausted.retry_after()), (2, None));
                assert_eq!(exhausted.to_string(), "no backend available until one is reopened: drained (a, b)");
            } else {
                let response = answer.as_ref().unwrap();
                assert_eq!(response.status(), 503);
                assert!(response.headers().get("retry-after").is_none());
                assert!(response.headers().get("retry-after-ms").is_none());
            }
            assert_eq!(stage.asked(), [""; 0]);
            assert!(stage.pool.reopen("b") && !stage.pool.reopen("b"));
            assert_eq!(stage.ask_whom(), "b");
        },
    );
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
                    assert_eq!(is_exhausted(answer).retry_after_secs(), Some(1));
                } else {
                    is_synthesised(answer, 429, 1);
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
                assert_eq!((exhausted.retry_after(), exhausted.cooling()), (Some(SECOND), 1));
            } else {
                is_synthesised(answer, 429, 1);
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
            is_synthesised(&stage.send(ask()), 429, 3);
            assert_eq!(stage.asked(), ["a", "b", "b", "c"]);
        },
    );
}

#[test]
fn a_caller_that_waits_exactly_as_told_is_served() {
    on_every_drive(two, |stage| {
        stage.transport.reply("a", throttled()).reply("b", Reply::status(429).header("retry-after", "6.001"));
        let Err(Error::Exhausted(exhausted)) = stage.try_send(ask()) else { panic!("both are throttled") };
        stage.wait(exhausted.retry_after().unwrap() - Duration::from_nanos(1));
        assert!(matches!(stage.try_send(ask()), Err(Error::Exhausted(_))));
        stage.wait(Duration::from_nanos(1));
        assert_eq!(stage.ask_whom(), "b");
    });
}

#[test]
fn the_error_of_a_suspect_is_not_what_a_throttled_caller_hears() {
    on_every_drive(two, |stage| {
        stage.transport.reply("a", Reply::status(429).header("retry-after", "60"));
        stage.transport.always("b", Reply::fault(Fault::Connect));
        is_synthesised(&stage.send(ask()), 429, 1);
        let _ = stage.asked();
        is_synthesised(&stage.send(ask()), 429, 1);
        assert_eq!(stage.asked(), ["b"], "it was asked for want of others");
        is_synthesised(&stage.send(ask()), 429, 1);
        assert_eq!(stage.asked(), [""; 0]);
    });
}
