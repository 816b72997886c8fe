//! A token that cannot be had is its backend's fault, and no other's.

use std::{
    error::Error as _,
    sync::{Arc, Mutex},
    time::Duration,
};

use lb_azure::{Error, Event, Fault, Observer, State};
use lb_core::Reason;
use tokio::time::timeout;

use crate::{
    issuer::{Answer, Bench, Issuer, LIFETIME, NANO, REFRESHED_AFTER, backend, clock, pool, settle, source},
    log,
};

const PAUSE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_failing_source_cools_only_its_backend() {
    let clock = clock();
    let (broken, sound) = (Issuer::new("broken", &clock), Issuer::new("sound", &clock));
    broken.always(Answer::Fail);
    let both = [backend("a", 1, &source(&broken).build()), backend("b", 2, &source(&sound).build())];
    let bench = Bench::new(&pool(&clock, both));
    for _ in 0..10 {
        assert_eq!(bench.send().await.unwrap().status(), 200);
    }
    assert_eq!(bench.tokens(), ["sound-1"; 10], "all requests failed over, and none was sent without a token");
    let snapshot = bench.balancer.pool().snapshot();
    let [a, b] = &snapshot.backends[..] else { panic!("two backends") };
    match &a.state {
        State::Suspect { remaining, reason, .. } => {
            assert_eq!((*remaining, *reason), (Duration::from_secs(10), Reason::Fault(Fault::Credential)));
        }
        other => panic!("the backend without a token is {other:?}"),
    }
    assert!(matches!(b.state, State::Available));
    assert_eq!((a.counters.faults, a.counters.attempts, b.counters.successes), (1, 1, 10));
}

#[tokio::test]
async fn the_reason_reaches_the_caller_who_has_no_other_backend() {
    let clock = clock();
    let issuer = Issuer::new("t", &clock);
    issuer.always(Answer::Fail);
    let bench = Bench::new(&pool(&clock, [backend("a", 1, &source(&issuer).build())]));
    let error = bench.send().await.unwrap_err();
    assert!(matches!(&error, Error::Credential { backend, .. } if backend == "a"), "{error:?}");
    let mut reasons = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        reasons.push(error.to_string());
        cause = error.source();
    }
    assert_eq!(reasons, ["the token credential failed: authentication failed", "AADSTS7000215: wrong secret"]);
}

#[tokio::test]
async fn a_failed_refresh_is_repeated_after_a_pause_and_not_by_each_request() {
    let clock = clock();
    let issuer = Issuer::new("t", &clock);
    issuer.then(Answer::Token(LIFETIME)).always(Answer::Fail);
    let bench = Bench::new(&pool(&clock, [backend("a", 1, &source(&issuer).build())]));
    bench.send().await.unwrap();
    clock.advance(REFRESHED_AFTER);
    for failures in 1..=5 {
        for _ in 0..20 {
            bench.send().await.unwrap();
            settle().await;
        }
        assert_eq!(issuer.asked(), 1 + failures);
        clock.advance(PAUSE - NANO);
        bench.send().await.unwrap();
        settle().await;
        assert_eq!(issuer.asked(), 1 + failures, "not before the pause is over");
        clock.advance(NANO);
    }
    assert!(bench.tokens().iter().all(|token| token == "t-1"), "the old token serves meanwhile");

    issuer.always(Answer::Token(LIFETIME));
    bench.send().await.unwrap();
    settle().await;
    bench.send().await.unwrap();
    assert_eq!(bench.last_token(), "t-7");
}

#[tokio::test]
async fn without_any_token_the_pause_spares_the_issuer_too() {
    let clock = clock();
    let issuer = Issuer::new("t", &clock);
    issuer.always(Answer::Fail);
    let source = source(&issuer).build();
    for _ in 0..20 {
        let error = source.warm_up().await.unwrap_err();
        assert!(error.to_string().contains("authentication failed"), "the reason is remembered: {error}");
    }
    assert_eq!(issuer.asked(), 1);
    clock.advance(PAUSE);
    issuer.always(Answer::Token(LIFETIME));
    source.warm_up().await.unwrap();
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test]
async fn the_request_after_the_cooldown_gets_the_backend_back() {
    let clock = clock();
    let issuer = Issuer::new("t", &clock);
    issuer.then(Answer::Fail);
    let bench = Bench::new(&pool(&clock, [backend("a", 1, &source(&issuer).build())]));
    bench.send().await.unwrap_err();
    clock.advance(PAUSE);
    assert_eq!(bench.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn whatever_is_wrong_with_a_token_is_a_reason_and_no_hang() {
    for (answer, expected) in [
        (Answer::Fail, "the token credential failed: authentication failed"),
        (Answer::Panic, "the task that fetched the token ended early"),
        (Answer::Stale(Duration::ZERO), "the token had expired when it came"),
        (Answer::Stale(LIFETIME), "the token had expired when it came"),
        (Answer::Garbage, "the token credential gave what is no token: the credential begins or ends with white space"),
    ] {
        let clock = clock();
        let issuer = Issuer::new("t", &clock);
        issuer.then(answer);
        let source = source(&issuer).build();
        let error = source.warm_up().await.unwrap_err();
        assert!(error.to_string().starts_with(expected), "{answer:?}: {error}");
        clock.advance(PAUSE);
        source.warm_up().await.unwrap();
    }
}

/// tokio's time jumps on when nothing else is left to do.
#[tokio::test(start_paused = true)]
async fn a_silent_issuer_holds_nobody_for_ever() {
    let clock = clock();
    let (silent, sound) = (Issuer::held("silent", &clock), Issuer::new("sound", &clock));
    let both = [backend("a", 1, &source(&silent).build()), backend("b", 2, &source(&sound).build())];
    let bench = Bench::new(&pool(&clock, both));
    let start = tokio::time::Instant::now();
    timeout(Duration::from_secs(3600), bench.send()).await.expect("it waits for ever").unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(30));
    assert_eq!(bench.tokens(), ["sound-1"]);

    let source = source(&silent).fetch_timeout(Duration::from_secs(2)).build();
    let error = source.warm_up().await.unwrap_err();
    assert_eq!(error.to_string(), "the token credential gave no answer for 2s");
    // What was dropped does not come back, and the next fetch is a new one.
    clock.advance(PAUSE);
    silent.release(1);
    source.warm_up().await.unwrap();
    assert_eq!(silent.asked(), 3);
}

#[tokio::test]
async fn observers_see_the_fault_of_the_backend() {
    struct Faults(Arc<Mutex<Vec<String>>>);
    impl Observer for Faults {
        fn on_event(&self, event: &Event<'_>) {
            if let Event::Suspected { backend, cause, .. } = event {
                self.0.lock().unwrap().push(format!("{} {cause}", backend.name()));
            }
        }
    }
    let clock = clock();
    let issuer = Issuer::new("t", &clock);
    issuer.always(Answer::Fail);
    let seen = Arc::default();
    let backend = backend("a", 1, &source(&issuer).build()).build().unwrap();
    let pool = lb_azure::Pool::builder().backend(backend).clock(clock).observer(Faults(Arc::clone(&seen))).build();
    let bench = Bench::new(&Arc::new(pool.unwrap()));
    bench.send().await.unwrap_err();
    assert_eq!(
        *seen.lock().unwrap(),
        ["a credential (the token credential failed: authentication failed: AADSTS7000215: wrong secret)"]
    );
}

#[tokio::test]
async fn events_tell_a_failed_refresh_from_a_missing_token_with_all_causes() {
    let clock = clock();
    let issuer = Issuer::new("CANARY", &clock);
    issuer.then(Answer::Token(LIFETIME)).always(Answer::Fail);
    let source = source(&issuer).name("ptu").build();
    for step in [Duration::ZERO, REFRESHED_AFTER, LIFETIME] {
        clock.advance(step);
        let _ = source.warm_up().await;
        settle().await;
    }
    let why = r#"source="ptu" error=the token credential failed: authentication failed: AADSTS7000215: wrong secret"#;
    // The runtime has no thread but this one.
    assert_eq!(
        log::lines(),
        [
            format!("WARN lb_azure: token not refreshed, the old one is kept {why}"),
            format!("WARN lb_azure: no token {why}")
        ]
    );
}
