//! Faults, statuses that fail over by choice, and bodies that cannot be replayed.

use std::time::Duration;

use lb_core::{
    Counters, Dispatch, Error, Exhausted, Fault, MockClock, Outcome, Pool, Reason, SeededRng, Served, State,
    StatusAction, Step,
    test_util::{Reply, ScriptedFault},
};
use lb_tests::stage::{Answer, ask_once, host, on_every_drive, pool_of};

fn two() -> lb_core::PoolBuilder {
    pool_of(&[("a", 1), ("b", 2)])
}

fn fault_of(answer: &Answer) -> Option<Fault> {
    match answer {
        Err(Error::Transport(ScriptedFault(fault))) => Some(*fault),
        _ => None,
    }
}

#[test]
fn a_backend_without_connection_or_credential_is_suspect_at_once() {
    for fault in [Fault::Connect, Fault::ConnectTimeout, Fault::Credential] {
        on_every_drive(two, |stage| {
            stage.transport.reply("a", Reply::fault(fault));
            assert_eq!(stage.ask_whom(), "b");
            let State::Suspect { remaining, reason, .. } = stage.state("a") else { panic!("it is suspect") };
            assert_eq!((remaining, reason), (Duration::from_secs(10), Reason::Fault(fault)));
            stage.wait(Duration::from_nanos(9_999_999_999));
            assert_eq!(stage.ask_whom(), "b");
            stage.wait(Duration::from_nanos(1));
            assert_eq!(stage.ask_whom(), "a");
            assert_eq!(stage.state("a"), State::Available);
        });
    }
}

#[test]
fn a_timeout_or_reset_is_returned_because_the_request_may_have_been_billed() {
    for fault in [Fault::Timeout, Fault::Reset] {
        on_every_drive(two, |stage| {
            for count in 1..=2 {
                stage.transport.reply("a", Reply::fault(fault));
                assert_eq!(fault_of(&stage.send(lb_tests::stage::ask())), Some(fault));
                assert_eq!((stage.asked(), stage.counters("a").faults), (vec!["a".to_owned()], count));
            }
            assert_eq!(stage.ask_whom(), "b", "whether the next request begins there is another question");
            assert_eq!(stage.cooling_secs(), [Some(10.0), None], "{fault}");
        });
    }
}

#[test]
fn a_timeout_or_reset_fails_over_where_the_pool_opted_in_and_is_a_strike_all_the_same() {
    for fault in [Fault::Timeout, Fault::Reset] {
        on_every_drive(
            || two().fail_over_after_send(true).probe_after(Duration::from_secs(3)),
            |stage| {
                for _ in 0..2 {
                    stage.transport.reply("a", Reply::fault(fault));
                    assert_eq!(stage.cooling_secs(), [None, None], "{fault}");
                    assert_eq!(stage.ask_whom(), "b");
                }
                assert_eq!(stage.cooling_secs(), [Some(3.0), None], "{fault}");
            },
        );
    }
}

#[test]
fn a_request_that_was_refused_unprocessed_goes_on_and_comes_back_once_if_all_others_fail() {
    on_every_drive(two, |stage| {
        stage.transport.reply("a", Reply::fault(Fault::Unprocessed));
        assert_eq!(stage.ask_whom(), "b");
        assert_eq!((stage.strikes(), stage.state("a")), (vec![0, 0], State::Available));
        let _ = stage.asked();
        stage.transport.reply("a", Reply::fault(Fault::Unprocessed)).reply("b", Reply::status(500));
        assert_eq!(stage.ask_whom(), "a");
        assert_eq!(stage.asked(), ["a", "b", "a"]);
        stage.transport.always("a", Reply::fault(Fault::Unprocessed)).always("b", Reply::fault(Fault::Unprocessed));
        assert_eq!(fault_of(&stage.send(lb_tests::stage::ask())), Some(Fault::Unprocessed));
        assert_eq!(stage.asked(), ["a", "b", "a"], "once more at one of them, and no further");
    });
}

#[test]
fn eight_refusals_unprocessed_in_a_row_are_a_strike() {
    on_every_drive(two, |stage| {
        stage.transport.always("a", Reply::fault(Fault::Unprocessed));
        for strikes in [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1] {
            assert_eq!(stage.ask_whom(), "b");
            assert_eq!(stage.strikes(), [strikes, 0]);
        }
        assert_eq!(stage.ask_whom(), "b");
        assert!(matches!(stage.state("a"), State::Suspect { .. }), "sixteen are two");
    });
}

#[test]
fn a_request_that_is_the_eighth_to_be_refused_twice_strikes_once() {
    let (pool, rng) = (pool_of(&[("a", 1)]).clock(MockClock::new()).build().unwrap(), SeededRng::new(1));
    let refuse = |dispatch: &mut Dispatch<&Pool>| {
        assert!(matches!(dispatch.next(|| pool.now(), &rng), Step::Try(_)));
        let _ = dispatch.settle(Outcome::Faulted(Fault::Unprocessed), || pool.now());
    };
    let mut twice = pool.dispatch();
    for _ in 0..2 {
        (0..7).for_each(|_| refuse(&mut pool.dispatch()));
        refuse(&mut twice);
        let backend = &pool.snapshot().backends[0];
        assert_eq!((backend.state, backend.strikes), (State::Available, 1));
    }
}

#[test]
fn a_request_strikes_a_backend_once_also_if_it_comes_back() {
    on_every_drive(
        || pool_of(&[("a", 1)]),
        |stage| {
            for _ in 0..7 {
                stage.transport.reply("a", Reply::fault(Fault::Unprocessed));
                assert_eq!(stage.ask_whom(), "a", "the repeat is served, and a success forgets the refusal");
            }
            // Seven refusals that no success forgets: each request is refused once and then rejects itself.
            for _ in 0..3 {
                stage
                    .transport
                    .reply("a", Reply::fault(Fault::Unprocessed))
                    .reply("a", Reply::fault(Fault::Unprocessed));
                let _ = stage.send(lb_tests::stage::ask());
            }
            stage.transport.reply("a", Reply::fault(Fault::Unprocessed)).reply("a", Reply::fault(Fault::Request));
            let _ = stage.send(lb_tests::stage::ask());
            assert_eq!(stage.strikes(), [0]);
            stage.transport.reply("a", Reply::fault(Fault::Unprocessed)).reply("a", Reply::status(500));
            assert_eq!(stage.ask().status(), 500);
            assert_eq!((stage.strikes(), stage.state("a")), (vec![1], State::Available));
        },
    );
}

#[test]
fn a_fault_of_the_request_says_nothing_about_the_backend() {
    on_every_drive(two, |stage| {
        stage.transport.always("a", Reply::fault(Fault::Request));
        for _ in 0..3 {
            assert_eq!(fault_of(&stage.send(lb_tests::stage::ask())), Some(Fault::Request));
        }
        assert_eq!((stage.asked().len(), stage.strikes(), stage.state("a")), (3, vec![0, 0], State::Available));
    });
}

#[test]
fn a_fault_of_the_request_itself_never_fails_over() {
    on_every_drive(
        || two().fail_over_after_send(true).always_synthesize(true),
        |stage| {
            stage.transport.reply("a", Reply::fault(Fault::Request));
            assert_eq!(fault_of(&stage.send(lb_tests::stage::ask())), Some(Fault::Request));
            assert_eq!((stage.asked(), stage.cooling("a")), (vec!["a".to_owned()], None));
        },
    );
}

#[test]
fn a_status_fails_over_and_cools_for_its_hint_if_the_pool_says_so() {
    for status in [400, 401, 403, 404, 408, 499] {
        on_every_drive(
            || two().on_status(status, StatusAction::FailOverAndCool).on_status(401, StatusAction::FailOverAndCool),
            |stage| {
                stage.transport.reply("a", Reply::status(status).header("retry-after", "300"));
                assert_eq!(stage.ask_whom(), "b", "{status}");
                assert_eq!(stage.cooling_secs(), [Some(300.0), None], "{status}");
                stage.wait_secs(300);
                stage.transport.reply("a", Reply::status(status));
                assert_eq!(stage.ask_whom(), "b", "{status}");
                assert_eq!(stage.cooling_secs(), [Some(10.0), None], "{status}");
                assert_eq!(stage.counters("a").rejected, 2);
            },
        );
    }
}

#[test]
fn a_status_fails_over_and_blames_nobody_if_the_pool_says_so() {
    on_every_drive(
        || two().on_status(400, StatusAction::FailOver),
        |stage| {
            stage.transport.always("a", Reply::status(400).header("retry-after", "300"));
            for _ in 0..20 {
                assert_eq!(stage.ask_whom(), "b");
            }
            assert_eq!(stage.asked().len(), 40, "a is asked each time");
            assert_eq!(stage.cooling_secs(), [None, None]);
        },
    );
}

#[test]
fn a_backends_own_key_that_is_refused_harms_one_caller_of_ten() {
    let keyed = || {
        let backends = [("a", 1), ("b", 2)].map(|(name, priority)| host(name, priority).api_key("k").build().unwrap());
        Pool::builder().backends(backends)
    };
    for status in [401, 403] {
        on_every_drive(keyed, |stage| {
            stage.transport.always("a", Reply::status(status));
            for _ in 0..10 {
                assert_eq!(stage.ask_whom(), "b", "{status}");
            }
            assert_eq!(stage.asked().iter().filter(|name| *name == "a").count(), 2, "then it is suspect");
            assert!(matches!(stage.state("a"), State::Suspect { reason: Reason::Status(s), .. } if s == status));
        });
        on_every_drive(
            || keyed().on_status(status, StatusAction::Return),
            |stage| {
                stage.transport.always("a", Reply::status(status));
                assert_eq!(stage.ask().status(), status);
                assert_eq!(stage.state("a"), State::Available);
            },
        );
    }
}

#[test]
fn an_operation_timeout_is_as_a_timeout() {
    on_every_drive(two, |stage| {
        stage.transport.always("a", Reply::status(408));
        assert_eq!((stage.ask().status().as_u16(), stage.ask().status().as_u16()), (408, 408));
        assert_eq!(stage.ask_whom(), "b", "two in a row");
        assert!(matches!(stage.state("a"), State::Suspect { .. }));
    });
    on_every_drive(
        || two().fail_over_after_send(true),
        |stage| {
            stage.transport.reply("a", Reply::status(408));
            assert_eq!(stage.ask_whom(), "b");
            assert_eq!(stage.strikes(), [1, 0]);
        },
    );
}

#[test]
fn statuses_that_were_not_added_stay_with_the_caller() {
    on_every_drive(
        || two().on_status(401, StatusAction::FailOver).on_status(403, StatusAction::FailOverAndCool),
        |stage| {
            for status in [400, 402, 404, 421, 424, 499] {
                stage.transport.reply("a", Reply::status(status));
                assert_eq!(stage.ask().status(), status);
            }
            assert_eq!(stage.asked(), ["a"; 6]);
        },
    );
}

#[test]
fn an_added_status_from_all_is_returned_as_the_final_answer() {
    on_every_drive(
        || two().on_status(401, StatusAction::FailOver),
        |stage| {
            stage.transport.reply("a", Reply::status(401)).reply("b", Reply::status(401).body("key of b"));
            let response = stage.ask();
            assert_eq!((response.status().as_u16(), response.body().as_ref()), (401, b"key of b".as_ref()));
        },
    );
}

#[test]
fn a_body_that_cannot_be_replayed_is_sent_once_and_its_answer_returned_whatever_it_is() {
    for pool in [[("a", 1), ("b", 2)].as_slice(), [("a", 1)].as_slice()] {
        for status in [200, 400, 429, 500, 503] {
            on_every_drive(
                || pool_of(pool).always_synthesize(true),
                |stage| {
                    stage.transport.reply("a", Reply::status(status).header("retry-after", "5").body("real"));
                    let response = stage.send(ask_once()).unwrap();
                    assert_eq!((response.status().as_u16(), response.body().as_ref()), (status, b"real".as_ref()));
                    assert_eq!(response.extensions().get::<Served>().map(Served::attempts), Some(1));
                    assert_eq!(stage.asked(), ["a"], "{status}");
                    let is_out = matches!(status, 429 | 500..);
                    assert_eq!(stage.cooling("a").is_some(), is_out, "{status}: the backend is judged as ever");
                },
            );
        }
    }
}

#[test]
fn a_body_that_cannot_be_replayed_gets_the_fault_of_its_one_attempt() {
    for pool in [[("a", 1), ("b", 2)].as_slice(), [("a", 1)].as_slice()] {
        on_every_drive(
            || pool_of(pool),
            |stage| {
                stage.transport.reply("a", Reply::fault(Fault::Connect));
                assert_eq!(fault_of(&stage.send(ask_once())), Some(Fault::Connect));
                assert_eq!(stage.asked(), ["a"]);
                assert_eq!(stage.cooling_secs()[0], Some(10.0));
            },
        );
    }
}

#[test]
fn a_body_that_cannot_be_replayed_is_still_routed_and_refused_like_any_other() {
    on_every_drive(two, |stage| {
        stage.transport.reply("a", Reply::status(429)).reply("b", Reply::status(429));
        assert_eq!(stage.send(ask_once()).unwrap().extensions().get::<Served>().map(Served::backend), Some("a"));
        assert_eq!(stage.send(ask_once()).unwrap().extensions().get::<Served>().map(Served::backend), Some("b"));
        let refused = stage.send(ask_once()).unwrap();
        assert!(refused.extensions().get::<Exhausted>().is_some(), "nothing was sent");
        assert_eq!(stage.asked(), ["a", "b"]);
    });
}

#[test]
fn with_max_attempts_of_one_a_replayable_429_is_synthesised_and_an_unreplayable_one_returned() {
    on_every_drive(
        || two().max_attempts(1),
        |stage| {
            stage.transport.reply("a", Reply::status(429).header("retry-after", "0"));
            assert!(stage.ask().extensions().get::<Exhausted>().is_some());
            stage.transport.reply("a", Reply::status(429).header("retry-after", "0").body("real"));
            assert_eq!(stage.send(ask_once()).unwrap().body(), "real");
        },
    );
}

#[test]
fn every_way_an_attempt_can_end_is_counted_once() {
    on_every_drive(
        || pool_of(&[("a", 1)]),
        |stage| {
            for reply in [
                Reply::status(200),
                Reply::status(302),
                Reply::status(404),
                Reply::status(429).header("retry-after", "0"),
                Reply::status(500).header("retry-after", "0"),
                Reply::status(999).header("retry-after", "0"),
                Reply::fault(Fault::Timeout),
                Reply::fault(Fault::Reset),
            ] {
                stage.transport.reply("a", reply);
                let _ = stage.send(lb_tests::stage::ask());
            }
            let Counters {
                attempts, successes, throttles, server_errors, faults, rejected, cancelled, in_flight, ..
            } = stage.counters("a");
            assert_eq!((attempts, successes, throttles, server_errors), (8, 2, 1, 2));
            assert_eq!((faults, rejected, cancelled, in_flight), (2, 1, 0, 0));
        },
    );
}

#[test]
fn a_page_where_an_api_should_be_fails_over_by_choice() {
    let page = |kind: &str| Reply::status(200).header("content-type", kind).body("<html>Log in</html>");
    for (rejects, kind, served) in [
        (false, "text/html", "a"),
        (true, "text/html", "b"),
        (true, "Text/HTML ; charset=utf-8", "b"),
        (true, "application/xhtml+xml", "b"),
        (true, "text/html-fragment", "a"),
        (true, "application/json", "a"),
        (true, "text/event-stream", "a"),
    ] {
        on_every_drive(
            || two().reject_html(rejects),
            |stage| {
                stage.transport.always("a", page(kind));
                assert_eq!(stage.ask_whom(), served, "{kind}");
                assert_eq!(stage.strikes(), [u32::from(served == "b"), 0], "{kind}");
            },
        );
    }
    on_every_drive(
        || two().reject_html(true),
        |stage| {
            stage.transport.always("a", page("text/html")).always("b", page("text/html"));
            assert_eq!(stage.ask().status(), 200, "nobody has anything else");
            // A redirect to a page, and an error with one, are what they are without it.
            stage.transport.always("a", Reply::status(404).header("content-type", "text/html"));
            assert_eq!(stage.ask().status(), 404);
            assert_eq!(
                stage.pool.snapshot().backends[0].last_failure.as_ref().map(lb_core::Cause::reason),
                Some(Reason::Html)
            );
        },
    );
}
