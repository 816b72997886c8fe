//! Faults, statuses that fail over by choice, and bodies that cannot be replayed.

use std::time::Duration;

use lb_core::{Counters, Error, Exhausted, Fault, Reason, Served, State, test_util::Reply, test_util::ScriptedFault};
use lb_tests::stage::{Answer, ask_once, on_every_drive, pool_of};

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
fn a_connect_fault_fails_over_and_cools_for_ten_seconds() {
    on_every_drive(two, |stage| {
        stage.transport.reply("a", Reply::fault(Fault::Connect));
        assert_eq!(stage.ask_whom(), "b");
        let State::Cooling { remaining, reason, hint, .. } = stage.pool.snapshot().backends[0].state else {
            panic!("it cools")
        };
        assert_eq!((remaining, reason, hint), (Duration::from_secs(10), Reason::Fault(Fault::Connect), None));
        stage.wait_secs(10);
        assert_eq!(stage.ask_whom(), "a");
    });
}

#[test]
fn a_timeout_or_reset_is_returned_because_the_request_may_have_been_billed() {
    for fault in [Fault::Timeout, Fault::Reset, Fault::Request] {
        on_every_drive(two, |stage| {
            stage.transport.reply("a", Reply::fault(fault));
            assert_eq!(fault_of(&stage.send(lb_tests::stage::ask())), Some(fault));
            assert_eq!(stage.asked(), ["a"]);
            assert_eq!(stage.cooling("a"), None, "{fault}");
            assert_eq!(stage.counters("a").faults, 1);
        });
    }
}

#[test]
fn a_timeout_or_reset_fails_over_where_the_pool_opted_in() {
    for fault in [Fault::Timeout, Fault::Reset] {
        on_every_drive(
            || two().fail_over_after_send(true).default_cooldown(Duration::from_secs(3)),
            |stage| {
                stage.transport.reply("a", Reply::fault(fault));
                assert_eq!(stage.ask_whom(), "b");
                assert_eq!(stage.cooling_secs(), [Some(3.0), None], "{fault}");
            },
        );
    }
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
fn added_statuses_fail_over_and_cool_for_the_default_whatever_their_headers_say() {
    for status in [400, 401, 403, 404, 408, 499] {
        on_every_drive(
            || two().fail_over_on([status, 401]),
            |stage| {
                stage.transport.reply("a", Reply::status(status).header("retry-after", "60"));
                assert_eq!(stage.ask_whom(), "b", "{status}");
                assert_eq!(stage.cooling_secs(), [Some(10.0), None], "{status}");
                assert_eq!(stage.counters("a").rejected, 1);
            },
        );
    }
}

#[test]
fn statuses_that_were_not_added_stay_with_the_caller() {
    on_every_drive(
        || two().fail_over_on([401, 403]),
        |stage| {
            for status in [400, 402, 404, 499] {
                stage.transport.reply("a", Reply::status(status));
                assert_eq!(stage.ask().status(), status);
            }
            assert_eq!(stage.asked(), ["a"; 4]);
        },
    );
}

#[test]
fn an_added_status_from_all_is_returned_as_the_final_answer() {
    on_every_drive(
        || two().fail_over_on([401]),
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
                    let cools = matches!(status, 429 | 500..);
                    assert_eq!(stage.cooling("a").is_some(), cools, "{status}: the backend is judged as ever");
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
