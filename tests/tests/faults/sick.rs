//! One backend is sick, another is healthy: how many requests fail, and for how long.

use std::{sync::Arc, thread, time::Duration};

use lb_core::{MockClock, Pool};

use crate::{
    pool::{PROBE_AFTER, canary, counters, is_available, pool, suspect},
    server::{Behaviour, Server},
    stack::{LATE, Protocol, Settings, Stack, with_timeouts},
};

/// One after the other.
const REQUESTS: usize = 100;

/// Requests of a default pool that find out that a backend is sick: two strikes.
const HARMED: usize = 2;

/// How the two backends stand to each other.
#[derive(Debug, Clone, Copy)]
struct Case {
    /// That of the sick one is 1.
    b2_priority: u32,
    /// It served, and fell sick with a connection to it open.
    keeps_connections: bool,
    /// What failed after it went out is sent to the next backend.
    sends_again: bool,
}

/// Each two of the three in all four ways.
const CASES: [Case; 4] = [
    Case { b2_priority: 2, keeps_connections: false, sends_again: false },
    Case { b2_priority: 1, keeps_connections: true, sends_again: false },
    Case { b2_priority: 2, keeps_connections: true, sends_again: true },
    Case { b2_priority: 1, keeps_connections: false, sends_again: true },
];

pub fn a_backend_that_closes_at_once_harms_two_requests<S: Stack>() {
    in_all_cases::<S>(Behaviour::ClosesAtOnce);
}

pub fn a_backend_that_resets_at_once_harms_two_requests<S: Stack>() {
    in_all_cases::<S>(Behaviour::ResetsAtOnce);
}

pub fn a_backend_that_closes_after_reading_harms_two_requests<S: Stack>() {
    in_all_cases::<S>(Behaviour::ClosesAfterReading);
}

pub fn a_backend_that_resets_after_reading_harms_two_requests<S: Stack>() {
    in_all_cases::<S>(Behaviour::ResetsAfterReading);
}

pub fn a_backend_that_answers_garbage_harms_two_requests<S: Stack>() {
    in_all_cases::<S>(Behaviour::AnswersGarbage);
}

pub fn a_backend_that_answers_too_large_a_head_harms_two_requests<S: Stack>() {
    in_all_cases::<S>(Behaviour::AnswersTooLargeAHead);
}

pub fn a_backend_that_never_answers_harms_two_requests<S: Stack>() {
    in_all_cases::<S>(Behaviour::NeverAnswers);
}

/// At the same time: most of it is waiting.
fn in_all_cases<S: Stack>(sickness: Behaviour) {
    thread::scope(|scope| {
        for case in CASES {
            scope.spawn(move || match sickness {
                Behaviour::NeverAnswers => with_timeouts(|answer| Scene::<S>::new(case, sickness, answer).play()),
                _ => Scene::<S>::new(case, sickness, LATE).play().unwrap(),
            });
        }
    });
}

struct Scene<S> {
    case: Case,
    sickness: Behaviour,
    is_sick: bool,
    stack: S,
    b1: Server,
    b2: Server,
    pool: Arc<Pool>,
    clock: MockClock,
    /// How many requests there were: each has its own id.
    sent: usize,
}

impl<S: Stack> Scene<S> {
    fn new(case: Case, sickness: Behaviour, answer: Duration) -> Self {
        let stack = S::new(Settings { answer, ..Settings::patient(S::PROTOCOL) });
        let (b1, b2) = (Server::start(S::PROTOCOL, Behaviour::Serves), Server::start(S::PROTOCOL, Behaviour::Serves));
        let (pool, clock) = pool([("b1", b1.url(), 1), ("b2", b2.url(), case.b2_priority)], |options| {
            options.fail_over_after_send(case.sends_again)
        });
        Self { case, sickness, is_sick: false, stack, b1, b2, pool, clock, sent: 0 }
    }

    /// `None` if a backend that was well did not answer in time.
    fn play(mut self) -> Option<()> {
        let told = format!("{:?}, {:?}", self.sickness, self.case);
        while self.case.keeps_connections && self.b1.received() == 0 {
            assert_eq!(self.failures(1)?, 0, "{told}");
        }
        self.b1.turn(self.sickness);
        self.is_sick = true;
        let failed = self.failures(REQUESTS)?;
        assert!(failed <= self.harmed(HARMED), "{failed} of {REQUESTS} failed: {told}");
        assert!(suspect(&self.pool, "b1").is_some(), "{told}: {:?}", self.pool.snapshot());

        self.clock.advance(PROBE_AFTER);
        let attempts = counters(&self.pool, "b1").attempts;
        let failed = self.failures(REQUESTS / 10)?;
        assert!(failed <= self.harmed(1), "{failed} failed at a probe: {told}");
        assert_eq!(counters(&self.pool, "b1").attempts, attempts + 1, "one probe came due: {told}");
        assert!(suspect(&self.pool, "b1").is_some(), "{told}: {:?}", self.pool.snapshot());

        self.b1.turn(Behaviour::Serves);
        self.is_sick = false;
        // After a failed probe it may be twice as long.
        self.clock.advance(2 * PROBE_AFTER);
        let failed = match self.failures(1) {
            _ if !S::DROPS_WHAT_BROKE && suspect(&self.pool, "b1").is_some() => {
                // It went over a connection that was broken before, and the wait has doubled again.
                self.clock.advance(4 * PROBE_AFTER);
                self.failures(1)?
            }
            failed => failed?,
        };
        assert_eq!(failed, 0, "{told}");
        assert!(is_available(&self.pool, "b1") && is_available(&self.pool, "b2"), "{told}: {:?}", self.pool.snapshot());
        self.check_books(&told);
        Some(())
    }

    /// How many of so many requests fail; `None` if one failed at a backend that was well.
    fn failures(&mut self, requests: usize) -> Option<usize> {
        let faults_of_b1 = counters(&self.pool, "b1").faults;
        let mut failed = 0;
        for _ in 0..requests {
            self.sent += 1;
            let result = self.stack.send(&self.pool, &format!("request {}", self.sent));
            failed += usize::from(!matches!(result, Ok(200)));
        }
        let is_b1_excused = self.is_sick || counters(&self.pool, "b1").faults == faults_of_b1;
        (is_b1_excused && counters(&self.pool, "b2").faults == 0).then_some(failed)
    }

    /// How many requests may fail where so many do by default.
    fn harmed(&self, requests: usize) -> usize {
        if self.case.sends_again { 0 } else { requests }
    }

    /// Checks what the pool counted, and what the servers received, against each other.
    fn check_books(&self, told: &str) {
        let (b1, b2) = (counters(&self.pool, "b1"), counters(&self.pool, "b2"));
        assert_eq!((b1.attempts, b1.in_flight), (b1.successes + b1.faults, 0), "{told}: {b1:?}");
        assert_eq!((b2.attempts, b2.in_flight), (b2.successes, 0), "{told}: {b2:?}");
        assert_eq!(b2.successes, self.b2.received() as u64, "{told}");
        assert_eq!((self.b1.repeated(), self.b2.repeated()), (0, 0), "{told}");
        for (own, other, server) in [("b1", "b2", &self.b1), ("b2", "b1", &self.b2)] {
            assert!(server.has_seen(canary(own)) && !server.has_seen(canary(other)), "{told}");
        }
        let shares_one = S::PROTOCOL != Protocol::Http1 && S::SPEAKS_HTTP2 && self.sickness == Behaviour::NeverAnswers;
        if !self.case.keeps_connections && !shares_one {
            // Else the client may use a kept one.
            let connections = self.b1.connections() as u64;
            let may_be_fewer = !S::DROPS_WHAT_BROKE && connections < b1.attempts;
            assert!(connections == b1.attempts || may_be_fewer, "{connections} connections: {told}: {b1:?}");
        }
    }
}
