//! What HTTP/2 says of a stream, and what becomes of the request.

use std::{sync::Arc, time::Duration};

use lb_core::{Fault, Pool, Reason};

use crate::{
    pool::{PROBE_AFTER, counters, is_available, pool, snapshot, suspect},
    server::{Behaviour, Server},
    stack::{AsyncStack, Failure, LATE, Settings, Stack, with_timeouts},
};

/// A server that behaves like this, of priority 1, and one that serves.
fn two<S: Stack>(behaviour: Behaviour) -> (Server, Server, Arc<Pool>) {
    let (b1, b2) = (Server::start(S::PROTOCOL, behaviour), Server::start(S::PROTOCOL, Behaviour::Serves));
    let (pool, _) = pool([("b1", b1.url(), 1), ("b2", b2.url(), 2)], |options| options);
    (b1, b2, pool)
}

/// How many strikes stand against `b1`, which has to be available.
fn strikes(pool: &Pool) -> u32 {
    assert!(is_available(pool, "b1"), "{:?}", pool.snapshot());
    snapshot(pool, "b1").strikes
}

/// Sends so many requests one after the other, all of which have to be served.
fn all_are_served<S: Stack>(stack: &S, pool: &Arc<Pool>, requests: usize) {
    for number in 1..=requests {
        let result = stack.send(pool, &format!("request {number}"));
        assert_eq!(result.unwrap(), 200, "{number} of {requests}: {:?}", pool.snapshot());
    }
}

pub fn one_refused_stream_goes_to_the_next_backend_and_blames_nobody<S: Stack>() {
    let (b1, b2, pool) = two::<S>(Behaviour::RefusesOneStream);
    all_are_served(&S::new(Settings::patient(S::PROTOCOL)), &pool, 10);
    assert_eq!((b1.refused(), b1.received(), b2.received()), (1, 9, 1));
    assert_eq!(strikes(&pool), 0);
}

pub fn a_connection_that_goes_away_before_a_stream_blames_nobody<S: Stack>() {
    let (b1, b2, pool) = two::<S>(Behaviour::GoesAwayOnce);
    all_are_served(&S::new(Settings::patient(S::PROTOCOL)), &pool, 10);
    assert_eq!((b1.refused(), b1.received(), b2.received()), (1, 9, 1));
    assert_eq!(strikes(&pool), 0);
}

pub fn a_backend_that_refuses_every_stream_is_suspect_after_sixteen<S: Stack>() {
    for behaviour in [Behaviour::RefusesStreams, Behaviour::GoesAway] {
        let (b1, b2, pool) = two::<S>(behaviour);
        all_are_served(&S::new(Settings::patient(S::PROTOCOL)), &pool, 100);
        // Eight in a row are a strike.
        assert_eq!((b1.refused(), b1.received(), b2.received()), (16, 0, 100), "{behaviour:?}");
        assert_eq!(suspect(&pool, "b1"), Some(Reason::Fault(Fault::Unprocessed)));
    }
}

pub fn the_only_backend_is_asked_once_more<S: Stack>() {
    for behaviour in [Behaviour::RefusesOneStream, Behaviour::GoesAwayOnce] {
        let b1 = Server::start(S::PROTOCOL, behaviour);
        let (pool, _) = pool([("b1", b1.url(), 1)], |options| options);
        all_are_served(&S::new(Settings::patient(S::PROTOCOL)), &pool, 1);
        assert_eq!((b1.refused(), b1.received(), strikes(&pool)), (1, 1, 0), "{behaviour:?}");
    }
}

pub fn what_may_have_been_processed_is_sent_once<S: Stack>() {
    const NO_ERROR: u32 = 0x0;
    const INTERNAL_ERROR: u32 = 0x2;
    const CANCEL: u32 = 0x8;
    const ENHANCE_YOUR_CALM: u32 = 0xb;
    for behaviour in [
        Behaviour::ResetsStreams(NO_ERROR),
        Behaviour::ResetsStreams(INTERNAL_ERROR),
        Behaviour::ResetsStreams(CANCEL),
        Behaviour::ResetsStreams(ENHANCE_YOUR_CALM),
        Behaviour::GoesAwayAfterReading,
    ] {
        let (b1, b2, pool) = two::<S>(behaviour);
        let found = S::new(Settings::patient(S::PROTOCOL)).send(&pool, "a request");
        assert!(matches!(found, Err(Failure::Transport(Fault::Reset))), "{behaviour:?}: {found:?}");
        assert_eq!((b1.received(), b2.received()), (1, 0), "{behaviour:?}");
        assert_eq!(strikes(&pool), 1, "{behaviour:?}");
    }
}

/// So many at once.
const CALLERS: usize = 100;

pub fn a_backend_that_limits_its_streams_fails_nobody<S: AsyncStack>() {
    for limit in [1, 4, 16] {
        let (b1, b2, pool) = two::<S>(Behaviour::Limits(limit));
        let stack = <S as AsyncStack>::new(Settings::patient(<S as AsyncStack>::PROTOCOL));
        let sending = (0..CALLERS).map(|number| stack.sending(&pool, &format!("request {number}")));
        for result in crate::RUNTIME.block_on(futures::future::join_all(sending)) {
            assert_eq!(result.unwrap().status, 200, "{limit} at a time: {:?}", pool.snapshot());
        }
        assert_eq!(b1.received() + b2.received(), CALLERS, "{limit} at a time");
        assert_eq!((b1.repeated(), b2.repeated()), (0, 0), "{limit} at a time");
        for name in ["b1", "b2"] {
            assert_eq!(
                (counters(&pool, name).faults, counters(&pool, name).in_flight),
                (
                    match name {
                        "b1" => b1.refused() as u64,
                        _ => 0,
                    },
                    0
                ),
                "{limit} at a time"
            );
        }
    }
}

pub fn a_connection_that_falls_silent_is_given_up<S: Stack>() {
    with_timeouts(|answer| {
        let stack = S::new(Settings { answer, ..Settings::patient(S::PROTOCOL) });
        let (b1, b2) =
            (Server::start(S::PROTOCOL, Behaviour::FallsSilent), Server::start(S::PROTOCOL, Behaviour::Serves));
        let (pool, clock) = pool([("b1", b1.url(), 1), ("b2", b2.url(), 2)], |options| options);
        let failed = (1..=10).filter(|number| stack.send(&pool, &format!("request {number}")).is_err()).count();
        if counters(&pool, "b2").faults > 0 {
            return None;
        }
        assert!(failed <= 2, "{failed} of 10 failed");
        assert_eq!(suspect(&pool, "b1"), Some(Reason::Fault(Fault::Timeout)));

        // It is well on new connections. The silent one has to be found out first.
        b1.turn(Behaviour::Serves);
        let probes = (1..=4).find(|probe| {
            clock.advance(PROBE_AFTER * 8);
            let _ = stack.send(&pool, &format!("probe {probe}"));
            is_available(&pool, "b1")
        });
        (answer < LATE || probes.is_some()).then(|| assert!(probes.is_some(), "{:?}", pool.snapshot()))
    });
}

/// Pings of a client whose requests wait for so long: a connection is found out before the second of them ends.
pub fn pings(answer: Duration) -> (Duration, Duration) {
    (answer / 4, answer / 4)
}
