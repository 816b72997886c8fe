//! A backend that fails without a word: strikes, who asks a suspect, and what brings it back.

use std::time::Duration;

use lb_core::{Dispatch, Fault, Outcome, Pool, PoolBuilder, Reason, SeededRng, State, Step, test_util::Reply};
use lb_tests::stage::{Stage, ask, on_every_drive, pool_of};

const SECOND: Duration = Duration::from_secs(1);
const NANO: Duration = Duration::from_nanos(1);

fn one() -> PoolBuilder {
    pool_of(&[("a", 1)])
}

fn two() -> PoolBuilder {
    pool_of(&[("a", 1), ("b", 2)])
}

fn status(status: u16) -> Outcome {
    Outcome::Answered { status, hint: None }
}

/// A request driven by hand, at its first attempt.
fn begin(stage: &Stage) -> Dispatch<&Pool> {
    let mut dispatch = stage.pool.dispatch();
    let Step::Try(_) = next(stage, &mut dispatch) else { panic!("nobody is left") };
    dispatch
}

fn next(stage: &Stage, dispatch: &mut Dispatch<&Pool>) -> Step {
    dispatch.next(|| stage.pool.now(), &SeededRng::new(1))
}

/// The backend that it goes to next, if one is left.
fn next_slot(stage: &Stage, dispatch: &mut Dispatch<&Pool>) -> Option<usize> {
    match next(stage, dispatch) {
        Step::Try(attempt) => Some(attempt.slot()),
        _ => None,
    }
}

fn end(stage: &Stage, dispatch: &mut Dispatch<&Pool>, outcome: Outcome) {
    let _ = dispatch.settle(outcome, || stage.pool.now());
}

fn probe_in(stage: &Stage, name: &str) -> Option<Duration> {
    match stage.state(name) {
        State::Suspect { remaining, .. } => Some(remaining),
        _ => None,
    }
}

/// Fails two requests at `a`, which is suspect then.
fn make_suspect(stage: &Stage, reply: &Reply) {
    for _ in 0..2 {
        stage.transport.reply("a", reply.clone());
        let _ = stage.send(ask());
    }
    assert!(probe_in(stage, "a").is_some(), "a is suspect");
    let _ = stage.asked();
}

#[test]
fn a_success_between_two_strikes_forgets_the_first() {
    on_every_drive(two, |stage| {
        for _ in 0..5 {
            stage.transport.reply("a", Reply::status(500)).reply("a", Reply::status(200));
            assert_eq!(stage.ask_whom(), "b");
            assert_eq!(stage.strikes(), [1, 0]);
            assert_eq!(stage.ask_whom(), "a");
            assert_eq!(stage.strikes(), [0, 0]);
        }
        stage.transport.reply("a", Reply::status(500)).reply("a", Reply::status(500));
        assert_eq!(stage.ask_whom(), "b");
        stage.wait_secs(86_400);
        assert_eq!(stage.ask_whom(), "b");
        assert!(probe_in(stage, "a").is_some());
    });
}

#[test]
fn any_answer_that_is_no_failure_proves_a_backend_alive() {
    for alive in [200, 307, 400, 404] {
        on_every_drive(two, |stage| {
            stage.transport.reply("a", Reply::status(500)).reply("a", Reply::status(alive));
            let _ = (stage.ask(), stage.ask());
            assert_eq!(stage.strikes(), [0, 0], "{alive}");
        });
    }
}

#[test]
fn with_one_strike_the_first_failure_makes_suspect_and_with_three_the_third() {
    for strikes in 1..=3 {
        on_every_drive(
            || two().strikes(strikes),
            |stage| {
                for count in 1..=strikes {
                    assert_eq!(probe_in(stage, "a"), None);
                    stage.transport.reply("a", Reply::status(500));
                    assert_eq!(stage.ask_whom(), "b");
                    assert_eq!(stage.strikes()[0], count % strikes);
                }
                assert_eq!(probe_in(stage, "a"), Some(10 * SECOND));
            },
        );
    }
}

#[test]
fn a_suspect_is_asked_first_by_one_request_when_its_probe_is_due() {
    on_every_drive(two, |stage| {
        make_suspect(stage, &Reply::status(500));
        assert_eq!((stage.ask_whom(), stage.ask_whom()), ("b".into(), "b".into()));
        stage.wait(10 * SECOND);
        let _ = stage.asked();
        let mut probe = begin(stage);
        assert_eq!(stage.ask_whom(), "b", "others go where it is healthy");
        end(stage, &mut probe, status(500));
        assert_eq!(probe_in(stage, "a"), Some(10 * SECOND), "and the next comes after as long");
        stage.wait(10 * SECOND - NANO);
        assert_eq!(stage.ask_whom(), "b");
        stage.wait(NANO);
        assert_eq!(stage.ask_whom(), "a");
        assert_eq!(stage.state("a"), State::Available);
        assert_eq!(stage.asked(), ["b", "b", "a"]);
    });
}

#[test]
fn a_suspect_of_a_lower_priority_is_probed_by_a_request_that_comes_to_it() {
    on_every_drive(
        || pool_of(&[("a", 1), ("b", 2), ("c", 2)]),
        |stage| {
            stage.transport.always("b", Reply::fault(Fault::ConnectTimeout)).always("c", Reply::status(200));
            while probe_in(stage, "b").is_none() {
                stage.transport.reply("a", Reply::status(429).header("retry-after", "1"));
                let _ = stage.ask();
                stage.wait_secs(1);
            }
            stage.wait_secs(60);
            let _ = stage.asked();
            assert!(
                (0..10).all(|_| stage.ask_whom() == "a"),
                "its probe is due, and nobody who is served is sent there"
            );
            stage.transport.reply("a", Reply::status(429).header("retry-after", "9"));
            assert_eq!(stage.ask_whom(), "c", "who fails over is not sent there either");
            stage.transport.reply("b", Reply::status(200));
            let _ = stage.asked();
            assert_eq!(stage.ask_whom(), "b");
            assert_eq!(stage.asked(), ["b"], "who begins there sees how it is");
        },
    );
}

#[test]
fn a_probe_that_is_lost_heals() {
    on_every_drive(two, |stage| {
        make_suspect(stage, &Reply::status(500));
        stage.wait(10 * SECOND);
        drop(begin(stage));
        assert_eq!(stage.ask_whom(), "b", "a dropped future says nothing");
        stage.wait(10 * SECOND);
        assert_eq!(stage.ask_whom(), "a");
    });
}

#[test]
fn any_success_that_began_since_brings_a_suspect_back_and_no_older_one() {
    on_every_drive(two, |stage| {
        let mut old = begin(stage);
        make_suspect(stage, &Reply::status(500));
        end(stage, &mut old, status(200));
        assert!(probe_in(stage, "a").is_some(), "it began before");
        stage.wait(10 * SECOND);
        let mut first = begin(stage);
        stage.wait(10 * SECOND);
        let mut second = begin(stage);
        stage.wait(100 * SECOND);
        end(stage, &mut first, status(200));
        assert_eq!(stage.state("a"), State::Available, "its claim has lapsed, and that does not matter");
        end(stage, &mut second, status(500));
        assert_eq!(stage.strikes(), [0, 0], "old news");
    });
}

#[test]
fn failures_that_began_before_the_last_change_of_state_change_nothing() {
    on_every_drive(two, |stage| {
        let mut under_way: Vec<_> = (0..10).map(|_| begin(stage)).collect();
        for dispatch in under_way.iter_mut().take(2) {
            end(stage, dispatch, Outcome::Faulted(Fault::Reset));
        }
        stage.wait(3 * SECOND);
        for dispatch in under_way.iter_mut().skip(2) {
            end(stage, dispatch, Outcome::Faulted(Fault::Reset));
        }
        assert_eq!(probe_in(stage, "a"), Some(7 * SECOND), "what happened before it became suspect is one failure");
    });
}

#[test]
fn a_429_makes_a_suspect_cool_and_then_it_is_back_whole() {
    on_every_drive(two, |stage| {
        make_suspect(stage, &Reply::status(500));
        stage.wait(10 * SECOND);
        stage.transport.reply("a", Reply::status(429).header("retry-after", "3"));
        assert_eq!(stage.ask_whom(), "b");
        assert!(matches!(stage.state("a"), State::Cooling { remaining, .. } if remaining == 3 * SECOND));
        stage.wait(3 * SECOND);
        assert_eq!((stage.ask_whom(), stage.state("a"), stage.strikes()[0]), ("a".into(), State::Available, 0));
    });
}

#[test]
fn probes_at_the_expense_of_callers_come_after_twice_as_long_each_time() {
    for fault in [Fault::Timeout, Fault::Reset] {
        on_every_drive(
            || two().max_cooldown(50 * SECOND),
            |stage| {
                stage.transport.always("a", Reply::fault(fault));
                let mut waits = Vec::new();
                for _ in 0..2 + 4 {
                    let _ = stage.send(ask());
                    let wait = probe_in(stage, "a").unwrap_or_default();
                    waits.push(wait.as_secs());
                    stage.wait(wait);
                }
                assert_eq!(waits, [0, 10, 20, 40, 50, 50], "{fault}");
            },
        );
    }
    // Where the request goes on, nobody is harmed.
    for reply in [Reply::status(503), Reply::fault(Fault::Connect), Reply::fault(Fault::ConnectTimeout)] {
        on_every_drive(two, |stage| {
            stage.transport.always("a", reply.clone());
            let _ = (stage.ask(), stage.ask());
            for _ in 0..3 {
                stage.wait(probe_in(stage, "a").unwrap());
                assert_eq!(stage.ask_whom(), "b");
                assert_eq!(probe_in(stage, "a"), Some(10 * SECOND));
            }
        });
    }
}

#[test]
fn a_backend_that_fails_again_soon_after_its_return_goes_on_from_there() {
    for (after, wait) in [(60, 40), (61, 10)] {
        on_every_drive(two, |stage| {
            make_suspect(stage, &Reply::fault(Fault::Reset));
            stage.wait(10 * SECOND);
            stage.transport.reply("a", Reply::fault(Fault::Reset));
            let _ = stage.send(ask());
            stage.wait(20 * SECOND);
            assert_eq!(stage.ask_whom(), "a");
            stage.wait_secs(after);
            make_suspect(stage, &Reply::fault(Fault::Reset));
            assert_eq!(probe_in(stage, "a"), Some(wait * SECOND), "{after} s");
        });
    }
}

#[test]
fn a_probe_of_a_backend_that_hangs_makes_the_next_wait_twice_as_long() {
    on_every_drive(two, |stage| {
        make_suspect(stage, &Reply::fault(Fault::Timeout));
        stage.wait(10 * SECOND);
        let _hanging = begin(stage);
        stage.wait(20 * SECOND - NANO);
        assert_eq!(stage.ask_whom(), "b", "its claim has lapsed, as after a timeout");
        stage.wait(NANO);
        assert_eq!(stage.ask_whom(), "a");
    });
}

#[test]
fn with_nothing_else_left_suspects_are_asked_and_a_failure_there_closes_them_for_a_second() {
    on_every_drive(one, |stage| {
        make_suspect(stage, &Reply::fault(Fault::Reset));
        stage.transport.always("a", Reply::fault(Fault::Reset));
        for _ in 0..3 {
            let _ = stage.send(ask());
            assert_eq!(stage.asked(), ["a"]);
            assert!(stage.try_send(ask()).is_err());
            stage.wait(SECOND - NANO);
            assert!(stage.try_send(ask()).is_err());
            assert_eq!(stage.asked(), [""; 0]);
            stage.wait(NANO);
        }
        stage.transport.always("a", Reply::status(200));
        assert_eq!(stage.ask_whom(), "a");
        assert_eq!(stage.state("a"), State::Available);
    });
}

#[test]
fn of_suspects_those_that_had_answered_are_asked_before_better_ones_that_had_not() {
    on_every_drive(
        || pool_of(&[("a", 1), ("b", 2), ("c", 3)]),
        |stage| {
            stage.transport.reply("a", Reply::fault(Fault::Connect)).reply("a", Reply::fault(Fault::Connect));
            for name in ["b", "c"] {
                stage.transport.reply(name, Reply::status(500)).reply(name, Reply::status(500));
            }
            let _ = (stage.ask(), stage.send(ask()));
            assert_eq!(stage.asked(), ["a", "b", "c", "b", "c", "a"]);
            stage.wait_secs(1);
            for name in ["a", "b", "c"] {
                stage.transport.reply(name, Reply::fault(Fault::Connect));
            }
            let _ = stage.send(ask());
            assert_eq!(stage.asked(), ["b", "c", "a"]);
        },
    );
}

#[test]
fn one_request_at_a_time_asks_a_suspect_that_hangs() {
    for fault in [Fault::Timeout, Fault::ConnectTimeout] {
        on_every_drive(one, |stage| {
            make_suspect(stage, &Reply::fault(fault));
            stage.wait(SECOND);
            let mut hanging = begin(stage);
            assert_eq!(next_slot(stage, &mut stage.pool.dispatch()), None, "{fault}");
            stage.wait(4 * SECOND);
            end(stage, &mut hanging, Outcome::Faulted(fault));
            assert_eq!(next_slot(stage, &mut stage.pool.dispatch()), None, "closed for a second");
            stage.wait(SECOND);
            let _lost = begin(stage);
            stage.wait(10 * SECOND - NANO);
            assert_eq!(next_slot(stage, &mut stage.pool.dispatch()), None);
            stage.wait(NANO);
            assert_eq!(next_slot(stage, &mut stage.pool.dispatch()), Some(0), "a claim lapses");
        });
    }
    on_every_drive(one, |stage| {
        make_suspect(stage, &Reply::fault(Fault::Reset));
        let _all = [(); 5].map(|()| begin(stage)); // any number where it does not hang
    });
}

#[test]
fn a_request_that_failed_elsewhere_says_nothing_about_a_suspect() {
    on_every_drive(
        || pool_of(&[("a", 1), ("b", 2)]),
        |stage| {
            for name in ["a", "b"] {
                stage.transport.reply(name, Reply::status(500)).reply(name, Reply::status(500));
            }
            let _ = (stage.ask(), stage.ask());
            stage.wait(4 * SECOND);
            let mut poison = begin(stage);
            end(stage, &mut poison, status(500));
            assert_eq!(probe_in(stage, "a"), Some(10 * SECOND));
            assert_eq!(next_slot(stage, &mut poison), Some(1));
            end(stage, &mut poison, status(500));
            assert_eq!(probe_in(stage, "b"), Some(6 * SECOND), "unchanged");
            let _ = stage.asked();
            assert_eq!(stage.ask_whom(), "b", "and not closed");
        },
    );
}

#[test]
fn a_dropped_attempt_is_a_strike_from_stalled_after_on() {
    let after = |secs| two().stalled_after(Duration::from_secs(secs));
    on_every_drive(
        || after(30),
        |stage| {
            for strikes in [1, 0] {
                let brief = begin(stage);
                stage.wait(30 * SECOND - NANO);
                drop(brief);
                assert_eq!(stage.strikes()[0], 1 - strikes);
                let stalled = begin(stage);
                stage.wait(30 * SECOND);
                drop(stalled);
                assert_eq!(stage.strikes()[0], strikes);
            }
            assert!(matches!(stage.state("a"), State::Suspect { reason: Reason::Stalled, .. }));
            assert_eq!(stage.counters("a").cancelled, 4);
        },
    );
    on_every_drive(two, |stage| {
        for _ in 0..3 {
            let stalled = begin(stage);
            stage.wait(86_400 * SECOND);
            drop(stalled);
        }
        assert_eq!((stage.strikes()[0], stage.state("a")), (0, State::Available), "off by default");
    });
}

#[test]
fn one_bad_prompt_takes_nobody_out() {
    on_every_drive(
        || pool_of(&[("a", 1), ("b", 1), ("c", 2)]),
        |stage| {
            for reply in [Reply::status(500), Reply::status(429).header("retry-after", "86400")] {
                for name in ["a", "b", "c"] {
                    stage.transport.reply(name, reply.clone());
                }
                let _ = stage.ask();
                assert_eq!((stage.strikes(), stage.asked().len()), (vec![1, 1, 1], 3));
                while stage.strikes() != [0, 0, 1] {
                    assert_eq!(stage.ask().status(), 200);
                }
                stage.pool.drain("a");
                stage.pool.drain("b");
                assert_eq!(stage.ask().status(), 200);
                stage.pool.reopen("a");
                stage.pool.reopen("b");
                let _ = stage.asked();
            }
        },
    );
}

#[test]
fn a_blip_costs_those_who_met_it() {
    on_every_drive(two, |stage| {
        for name in ["a", "b"] {
            stage.transport.reply(name, Reply::fault(Fault::Connect)).reply(name, Reply::fault(Fault::Connect));
        }
        let mut failed = 0;
        while !stage.send(ask()).is_ok_and(|answer| answer.status() == 200) {
            failed += 1;
            stage.wait(Duration::from_millis(100));
        }
        assert_eq!(failed, 2, "a request closes the first suspect that it fails at, and no other");
    });
}

#[test]
fn a_drained_backend_is_not_asked_whatever_its_state() {
    on_every_drive(two, |stage| {
        make_suspect(stage, &Reply::status(500));
        assert!(stage.pool.drain("a"));
        stage.transport.always("b", Reply::fault(Fault::Connect));
        for _ in 0..3 {
            stage.wait(600 * SECOND);
            let _ = stage.send(ask());
        }
        assert!(stage.asked().iter().all(|name| name == "b"));
        assert!(stage.pool.reopen("a"));
        assert!(probe_in(stage, "a").is_some(), "it is what it was");
    });
}
