//! Hostile surroundings: any bytes in headers, and a clock that jumps.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use lb_core::{Instant, LoadBalancer, MockClock, SeededRng, State, Step};
use lb_tests::{
    gate::{Gate, RequestId},
    stage::{ask, pool_of},
};
use proptest::{collection::vec, prelude::*, sample::select};

use crate::{
    case::{Answer, answer},
    cases,
    world::response,
};

const NAMES: [&str; 10] = [
    "retry-after",
    "retry-after-ms",
    "x-ms-retry-after-ms",
    "date",
    "x-ratelimit-reset-requests",
    "x-ratelimit-reset-tokens",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-limit-tokens",
    "x-rate-limit-reset-tokens",
    "location",
];

/// Any bytes that a header can carry, often such as delays and dates are made of.
fn value() -> impl Strategy<Value = HeaderValue> {
    let bytes = prop_oneof![
        vec(any::<u8>(), 0..40),
        vec(select(b"0123456789.,:+- smhdGMTSunNovZ".to_vec()), 0..30),
        "[0-9]{1,25}".prop_map(String::into_bytes),
        "(Sun|Mon), [0-9]{2} Nov [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT".prop_map(String::into_bytes),
    ];
    bytes.prop_filter_map("a header cannot carry it", |bytes| HeaderValue::from_bytes(&bytes).ok())
}

fn headers() -> impl Strategy<Value = HeaderMap> {
    vec((select(NAMES.to_vec()), value()), 0..8).prop_map(|lines| {
        lines.into_iter().map(|(name, value)| (HeaderName::from_static(name), value)).fold(
            HeaderMap::new(),
            |mut headers, (name, value)| {
                headers.append(name, value);
                headers
            },
        )
    })
}

fn answered(status: u16, headers: &HeaderMap) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(b"body"));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
    *response.headers_mut() = headers.clone();
    response
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn any_bytes_in_headers_fail_over_cool_by_a_credible_hint_and_come_back_unchanged(
        refused in headers(),
        accepted in headers(),
        status in select(vec![429_u16, 500, 503, 599, 999]),
        wall in 0..4_000_000_000_u64,
    ) {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(wall);
        let (clock, gate) = (MockClock::starting_at(wall), Gate::new());
        let pool = pool_of(&[("a", 1), ("b", 2)]).clock(clock).build().unwrap();
        let balancer = LoadBalancer::with_parts(pool, gate.clone(), SeededRng::new(0));
        let mut request = ask();
        request.extensions_mut().insert(RequestId(0));
        let mut asking = pin!(balancer.send(request));
        let context = &mut Context::from_waker(Waker::noop());

        prop_assert!(asking.as_mut().poll(context).is_pending());
        gate.answer(RequestId(0), Ok(answered(status, &refused)));
        prop_assert!(asking.as_mut().poll(context).is_pending());
        prop_assert_eq!(gate.waiting(RequestId(0)).unwrap().backend, "b");
        let cooled = balancer.pool().snapshot().backends[0].state.remaining().unwrap_or_default();
        // The parser has its own tests; here its result arrives where it should.
        let hint = lb_core::hint(status, &refused, || wall).map(|hint| hint.delay());
        let (default, most) = (Duration::from_secs(10), Duration::from_secs(600));
        let expected = match hint {
            Some(hint) if hint <= most => hint,
            None if status == 429 => default,
            // A strike.
            _ => Duration::ZERO,
        };
        prop_assert_eq!(cooled, expected);

        gate.answer(RequestId(0), Ok(answered(200, &accepted)));
        let Poll::Ready(Ok(delivered)) = asking.as_mut().poll(context) else { panic!("it was answered") };
        prop_assert_eq!(delivered.headers(), &accepted);
        prop_assert_eq!(delivered.body(), "body");
    }

    #[test]
    fn a_clock_that_jumps_panics_nowhere_and_keeps_nobody_out_beyond_the_maximum(
        steps in vec((prop_oneof![0..100_000_000_000_u64, any::<u64>()], answer()), 1..30),
    ) {
        let clock = MockClock::new();
        let pool = pool_of(&[("a", 1), ("b", 1), ("c", 2)]).clock(clock.clone()).build().unwrap();
        let rng = SeededRng::new(1);
        let most = 600_000_000_000_u64;
        let mut latest = 0;
        for (now, answer) in steps {
            clock.set(Instant::from_nanos(now));
            latest = latest.max(now);
            let (mut dispatch, mut attempts) = (pool.dispatch(), 0);
            while let Step::Try(_) = dispatch.next(|| pool.now(), &rng) {
                attempts += 1;
                prop_assert!(attempts <= 4, "each once, and one that refused without processing twice");
                prop_assert_eq!(dispatch.attempts(), attempts);
                let _ = dispatch.settle(outcome(&answer), || pool.now());
            }
            for backend in pool.snapshot().backends {
                if let State::Cooling { until, .. } | State::Suspect { probe_at: until, .. } = backend.state {
                    prop_assert!(until.as_nanos() <= latest.saturating_add(most));
                }
            }
        }
        clock.set(Instant::from_nanos(latest.saturating_add(most)));
        prop_assert!(matches!(pool.dispatch().next(|| pool.now(), &rng), Step::Try(_)));
        let is_back = |state| matches!(state, State::Available | State::Suspect { .. });
        prop_assert!(pool.snapshot().backends.iter().all(|backend| is_back(backend.state)));
    }
}

pub(crate) fn outcome(answer: &Answer) -> lb_core::Outcome {
    match response(answer) {
        Ok(response) => {
            lb_core::Outcome::answered(response.status().as_u16(), response.headers(), || SystemTime::UNIX_EPOCH)
        }
        Err(fault) => lb_core::Outcome::Faulted(fault),
    }
}
