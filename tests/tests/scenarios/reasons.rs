//! Every caller learns why: the first one, and those who find that nobody is left.

use std::sync::{Arc, Mutex};

use lb_core::{Event, Exhausted, Fault, Observer, Pool, PoolBuilder, StatusAction, test_util::Reply};
use lb_tests::stage::{Stage, ask, host, on_every_drive, pool_of};
use serde_json::Value;

/// Sends until it is refused without an attempt; gives that refusal and its body's message and code.
fn refusal(stage: &Stage) -> (u16, String, String) {
    for _ in 0..5 {
        let _ = stage.asked();
        let Ok(response) = stage.send(ask()) else { continue };
        if stage.asked().is_empty() {
            let body: Value = serde_json::from_slice(response.body()).unwrap();
            let text = |name: &str| body["error"][name].as_str().unwrap().to_owned();
            assert!(response.extensions().get::<Exhausted>().is_some());
            return (response.status().as_u16(), text("message"), text("code"));
        }
    }
    panic!("it asks for ever")
}

fn own_keys() -> PoolBuilder {
    Pool::builder()
        .backends([("a", 1), ("b", 2)].map(|(name, priority)| host(name, priority).api_key("CANARY").build().unwrap()))
}

fn two() -> PoolBuilder {
    pool_of(&[("a", 1), ("b", 2)])
}

#[test]
fn those_who_are_refused_without_an_attempt_hear_the_reason() {
    let cool = |status| two().on_status(status, StatusAction::FailOverAndCool);
    for (pool, reply, words) in [
        (&(|| own_keys()) as &dyn Fn() -> PoolBuilder, Reply::status(401), "suspect after status 401"),
        (&own_keys, Reply::status(403), "suspect after status 403"),
        (&(|| cool(404)), Reply::status(404), "cooling after status 404"),
        (&two, Reply::status(503), "suspect after status 503"),
        (&two, Reply::status(503).header("retry-after", "9"), "cooling after status 503"),
        (&two, Reply::fault(Fault::Connect), "suspect after connect fault"),
        (&two, Reply::fault(Fault::ConnectTimeout), "suspect after connect timeout fault"),
    ] {
        on_every_drive(pool, |stage| {
            stage.transport.always("a", reply.clone()).always("b", reply.clone());
            let (status, message, code) = refusal(stage);
            assert_eq!((status, code.as_str()), (503, "service_unavailable"), "{message}");
            assert!(message.ends_with(&format!("{words} (a, b)")), "{message}");
            assert!(!message.contains("CANARY"));
        });
    }
}

#[test]
fn a_429_at_one_and_a_403_at_the_other_are_both_named_and_make_a_429() {
    on_every_drive(own_keys, |stage| {
        stage.transport.always("a", Reply::status(429).header("retry-after", "60")).always("b", Reply::status(403));
        let first = stage.ask();
        assert_eq!(first.status(), 429);
        let message = first.extensions().get::<Exhausted>().unwrap().to_string();
        assert!(message.ends_with("cooling after status 429 (a), failed with status 403 (b)"), "{message}");
        let (status, message, code) = refusal(stage);
        assert_eq!((status, code.as_str()), (429, "rate_limit_exceeded"));
        assert!(message.ends_with("cooling after status 429 (a), suspect after status 403 (b)"), "{message}");
    });
}

#[test]
fn a_large_pool_names_some_and_counts_the_rest() {
    let names: Vec<_> = (0..40).map(|number| format!("b{number}")).collect();
    let backends: Vec<_> = names.iter().map(|name| (name.as_str(), 1)).collect();
    on_every_drive(
        || pool_of(&backends),
        |stage| {
            for name in &names {
                stage.transport.always(name, Reply::status(429));
            }
            let message = stage.ask().extensions().get::<Exhausted>().unwrap().to_string();
            let expected = "no backend available for 10 s: cooling after status 429 (b0, b1, b2, b3 and 28 more), and 8 more backends";
            assert_eq!(message, expected);
        },
    );
}

#[test]
fn a_name_with_quotes_leaves_the_body_readable() {
    let pool = || Pool::builder().backend(host("a", 1).name(r#"the "big\one""#).build().unwrap());
    on_every_drive(pool, |stage| {
        stage.transport.always(r#"the "big\one""#, Reply::status(429));
        let (_, message, _) = refusal(stage);
        assert!(message.ends_with(r#"(the "big\one")"#), "{message}");
    });
}

/// What events say of causes.
#[derive(Clone, Default)]
struct Causes(Arc<Mutex<Vec<String>>>);

impl Observer for Causes {
    fn on_event(&self, event: &Event<'_>) {
        let line = match event {
            Event::Struck { cause, strikes, .. } => format!("struck {strikes}: {cause}"),
            Event::Suspected { cause, .. } => format!("suspect: {cause}"),
            Event::Cooling { cause, .. } => format!("cooling: {cause}"),
            Event::FailedOver { cause, .. } => format!("failed over: {cause}"),
            _ => return,
        };
        self.0.lock().unwrap().push(line);
    }
}

#[test]
fn causes_and_request_ids_are_in_events_snapshot_and_refusal() {
    let causes = Causes::default();
    on_every_drive(
        || two().observer(causes.clone()),
        |stage| {
            stage
                .transport
                .reply("a", Reply::status(503).header("apim-request-id", "id-1").header("x-request-id", "no"));
            stage.transport.reply("a", Reply::fault(Fault::Connect));
            let _ = (stage.ask(), stage.ask());
            stage.transport.reply("b", Reply::status(429).header("x-request-id", "id-2"));
            stage.transport.reply("a", Reply::fault(Fault::Reset));
            let _ = stage.send(ask());
            let lines = std::mem::take(&mut *causes.0.lock().unwrap());
            assert_eq!(
                lines,
                [
                    "struck 1: 503 (request id id-1)",
                    "failed over: 503 (request id id-1)",
                    "suspect: connect (scripted connect fault)",
                    "failed over: connect (scripted connect fault)",
                    "cooling: 429 (request id id-2)",
                    "failed over: 429 (request id id-2)",
                    "struck 0: reset (scripted reset fault)",
                ]
            );
            let snapshot = stage.pool.snapshot();
            let last: Vec<_> = snapshot.backends.iter().map(|backend| backend.last_failure.clone().unwrap()).collect();
            assert_eq!(last[0].text(), Some("scripted reset fault"));
            assert_eq!((last[1].request_id(), last[1].text()), (Some("id-2"), None));
            let exhausted = stage.ask().extensions().get::<Exhausted>().unwrap().clone();
            let told: Vec<_> = exhausted.unavailable().iter().map(|one| (one.backend(), one.cause())).collect();
            assert_eq!(told, [("a", Some(&last[0])), ("b", Some(&last[1]))]);
        },
    );
}

#[test]
fn an_observer_that_panics_harms_no_request() {
    struct Panics;
    impl Observer for Panics {
        fn on_event(&self, event: &Event<'_>) {
            panic!("on purpose, at {event:?}");
        }
    }
    on_every_drive(
        || two().observer(Panics),
        |stage| {
            stage.transport.reply("a", Reply::status(429));
            assert_eq!(stage.ask_whom(), "b");
            let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let mut dispatch = stage.pool.dispatch();
                let _ = dispatch.next(|| stage.pool.now(), &lb_core::SeededRng::new(1));
                panic!("with an attempt open");
            }));
            assert!(unwound.is_err(), "and the process lives");
            assert_eq!(stage.counters("b").cancelled, 1);
        },
    );
}
