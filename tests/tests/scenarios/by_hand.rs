//! What an operator does to a pool while requests run: cooldowns that are set and ended by hand.

use std::time::Duration;

use lb_core::{PoolBuilder, Reason, State, Step, Wait, test_util::Reply};
use lb_tests::{
    journal::Journal,
    stage::{Drive, Stage, header, on_every_drive, pool_of},
};

const SECOND: Duration = Duration::from_secs(1);

fn two() -> PoolBuilder {
    pool_of(&[("a", 1), ("b", 2)])
}

#[test]
fn a_cooldown_by_hand_is_as_one_that_the_backend_asked_for() {
    on_every_drive(two, |stage| {
        assert!(stage.pool.cool("a", 5 * SECOND));
        assert!(matches!(stage.state("a"), State::Cooling { reason: Reason::ByHand, .. }));
        assert_eq!(stage.ask_whom(), "b");
        stage.wait(5 * SECOND);
        assert_eq!(stage.ask_whom(), "a");
    });
}

#[test]
fn the_longest_cooldown_wins_and_one_that_was_ended_is_over() {
    on_every_drive(two, |stage| {
        stage.transport.reply("a", Reply::status(429).header("retry-after", "9"));
        let _ = stage.ask();
        assert!(!stage.pool.cool("a", 8 * SECOND));
        assert!(stage.pool.cool("a", 10 * SECOND));
        assert_eq!(stage.cooling("a"), Some(10 * SECOND));
        assert!(stage.pool.end_cooldown("a") && !stage.pool.end_cooldown("a"));
        assert_eq!(stage.ask_whom(), "a");
        assert!(stage.pool.cool("a", SECOND));
        assert_eq!(stage.cooling("a"), Some(SECOND));
    });
}

#[test]
fn nothing_is_done_to_whom_the_pool_does_not_know_nor_for_no_time() {
    on_every_drive(two, |stage| {
        assert!(!stage.pool.cool("c", SECOND) && !stage.pool.end_cooldown("c"));
        assert!(!stage.pool.cool("a", Duration::ZERO));
        assert_eq!(stage.cooling_secs(), [None, None]);
    });
}

#[test]
fn with_all_out_by_hand_the_refusal_is_a_503_that_says_when() {
    on_every_drive(two, |stage| {
        assert!(stage.pool.cool("a", 5 * SECOND) && stage.pool.cool("b", 3 * SECOND));
        let refusal = stage.ask();
        assert_eq!((refusal.status().as_u16(), header(&refusal, "retry-after").as_str()), (503, "3"));
        assert!(String::from_utf8_lossy(refusal.body()).contains("a word from an operator"));
    });
}

#[test]
fn a_cooldown_of_which_the_reason_is_known_is_told_by_it() {
    on_every_drive(two, |stage| {
        assert!(stage.pool.cool("a", 5 * SECOND));
        assert!(stage.pool.cool_because("b", 3 * SECOND, Reason::Status(429)));
        let refusal = stage.ask();
        assert_eq!((refusal.status().as_u16(), header(&refusal, "retry-after").as_str()), (429, "3"));
        let body = String::from_utf8_lossy(refusal.body()).into_owned();
        assert!(body.contains("status 429") && body.contains("a word from an operator"), "{body}");
    });
}

#[test]
fn a_suspect_that_is_cooled_is_back_whole_and_a_drained_one_stays_out() {
    on_every_drive(two, |stage| {
        for _ in 0..2 {
            stage.transport.reply("a", Reply::status(500));
            let _ = stage.ask();
        }
        assert!(matches!(stage.state("a"), State::Suspect { .. }));
        assert!(stage.pool.cool("a", SECOND));
        stage.wait(SECOND);
        assert_eq!(stage.state("a"), State::Available);
        assert!(stage.pool.drain("a") && stage.pool.cool("a", SECOND) && stage.pool.end_cooldown("a"));
        assert_eq!(stage.state("a"), State::Drained);
    });
}

#[test]
fn observers_are_told() {
    let journal = Journal::new();
    let stage = Stage::new(Drive::Blocking, two().observer(journal.clone()));
    assert!(stage.pool.cool("a", SECOND) && stage.pool.end_cooldown("a"));
    assert_eq!(journal.take(), ["cooled by hand a 1s", "available a"]);
}

#[test]
fn where_a_cooldown_is_ended_newcomers_go_at_once_and_who_waits_at_its_moment() {
    let stage = Stage::new(Drive::Blocking, pool_of(&[("a", 1)]).wait(Wait { longest: 60 * SECOND, queue: 9 }));
    assert!(stage.pool.cool("a", 30 * SECOND));
    let rng = lb_core::SeededRng::new(1);
    let mut waiter = stage.pool.dispatch();
    assert!(matches!(waiter.next(|| stage.pool.now(), &rng), Step::Wait(_)));
    assert!(stage.pool.end_cooldown("a"));
    assert!(matches!(waiter.next(|| stage.pool.now(), &rng), Step::Try(_)), "it may ask earlier");
    assert_eq!(stage.ask_whom(), "a");
}
