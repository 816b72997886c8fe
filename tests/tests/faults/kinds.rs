//! Which fault an adapter makes of what a backend does.

use lb_core::{Fault, Reason};

use crate::{
    pool::{counters, pool, suspect},
    server::{Behaviour, Server},
    stack::{Failure, Settings, Stack, with_timeouts},
    unreachable::Unreachable,
};

/// What a request to the only backend ends with.
fn outcome<S: Stack>(stack: &S, url: String) -> Result<u16, Fault> {
    let (pool, _) = pool([("only", url, 1)], |options| options);
    stack.send(&pool, "a request").map_err(|failure| match failure {
        Failure::Transport(fault) => fault,
        Failure::Balancer(error) => panic!("expected an error of the stack's: {error}"),
    })
}

pub fn each_way_to_fail_is_the_fault_that_it_is<S: Stack>() {
    // The end of a connection can come before its client knows that it had one, or before it has written anything.
    const AT_ONCE: &[Fault] = &[Fault::Connect, Fault::Reset, Fault::Unprocessed];
    let patient = S::new(Settings::patient(S::PROTOCOL));
    for (behaviour, expected) in [
        (Behaviour::ClosesAtOnce, AT_ONCE),
        (Behaviour::ResetsAtOnce, AT_ONCE),
        (Behaviour::ClosesAfterReading, &[Fault::Reset]),
        (Behaviour::ResetsAfterReading, &[Fault::Reset]),
        (Behaviour::AnswersGarbage, &[Fault::Reset]),
        (Behaviour::AnswersTooLargeAHead, &[Fault::Reset]),
    ] {
        let found = outcome(&patient, Server::start(S::PROTOCOL, behaviour).url());
        assert!(matches!(found, Err(fault) if expected.contains(&fault)), "{behaviour:?}: {found:?}");
    }
    assert_eq!(outcome(&patient, Server::start(S::PROTOCOL, Behaviour::Serves).url()), Ok(200));
    with_timeouts(|answer| {
        let server = Server::start(S::PROTOCOL, Behaviour::NeverAnswers);
        let found = outcome(&S::new(Settings { answer, ..Settings::patient(S::PROTOCOL) }), server.url());
        (server.received() > 0).then(|| assert_eq!(found, Err(Fault::Timeout)))
    });
}

pub fn a_connect_that_hangs_is_told_from_one_that_is_refused<S: Stack>() {
    let patient = S::new(Settings::patient(S::PROTOCOL));
    expect_failover(&patient, Unreachable::refusing().url(), Fault::Connect).unwrap();
    with_timeouts(|connect| {
        let hasty = S::new(Settings { connect, ..Settings::patient(S::PROTOCOL) });
        expect_failover(&hasty, Unreachable::hanging().url(), Fault::ConnectTimeout)
    });
}

/// Expects this fault of `b1`, and that a healthy backend serves: nothing was sent. `None` if that one was too slow.
fn expect_failover<S: Stack>(stack: &S, b1: String, fault: Fault) -> Option<()> {
    assert_eq!(outcome(stack, b1.clone()), Err(fault));
    let b2 = Server::start(S::PROTOCOL, Behaviour::Serves);
    let (pool, _) = pool([("b1", b1, 1), ("b2", b2.url(), 2)], |options| options);
    let found = stack.send(&pool, "a request");
    assert_eq!(suspect(&pool, "b1"), Some(Reason::Fault(fault)));
    (counters(&pool, "b2").faults == 0).then(|| assert_eq!(found.unwrap(), 200))
}

pub fn a_tls_handshake_that_hangs_fails_over<S: Stack>() {
    if !S::HAS_TLS {
        let stack = S::new(Settings::patient(S::PROTOCOL));
        let refused =
            stack.send(&pool([("only", Unreachable::silent().tls_url(), 1)], |options| options).0, "a request");
        assert!(refused.is_err(), "it speaks TLS: let HAS_TLS say so");
        return;
    }
    with_timeouts(|connect| {
        let hasty = S::new(Settings { connect, ..Settings::patient(S::PROTOCOL) });
        expect_failover(&hasty, Unreachable::silent().tls_url(), Fault::ConnectTimeout)
    });
}

pub fn a_timeout_before_anything_was_sent_fails_over_where_that_is_known<S: Stack>() {
    with_timeouts(|answer| {
        let hasty = S::new(Settings { answer, ..Settings::patient(S::PROTOCOL) });
        let b2 = Server::start(S::PROTOCOL, Behaviour::Serves);
        let b1 = Unreachable::hanging().url();
        let (pool, _) = pool([("b1", b1, 1), ("b2", b2.url(), 2)], |options| options.strikes(1));
        let found = hasty.send(&pool, "a request");
        let expected = if S::TELLS_UNSENT { Fault::ConnectTimeout } else { Fault::Timeout };
        assert_eq!(suspect(&pool, "b1"), Some(Reason::Fault(expected)));
        if S::TELLS_UNSENT {
            return (counters(&pool, "b2").faults == 0).then(|| assert_eq!(found.unwrap(), 200));
        }
        assert!(matches!(found, Err(Failure::Transport(Fault::Timeout))), "{found:?}");
        assert_eq!(b2.received(), 0);
        Some(())
    });
}
