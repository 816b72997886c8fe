//! Credential sources: rotation, errors, waiting, and what is left when no credential can be had.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::Poll,
    time::Duration,
};

use lb_core::{
    BoxFuture, Credential, CredentialError, CredentialSource, Error, Exhausted, Fault, Pool, PoolBuilder, Reason,
    State, test_util::Reply,
};
use lb_tests::stage::{Drive, Stage, ask, ask_once, header, host, on_every_drive};
use mockall::mock;

mock! {
    Source {}
    impl CredentialSource for Source {
        fn credential(&self) -> BoxFuture<'static, Result<Credential, CredentialError>>;
    }
}

/// A key that is another one at each attempt: `ROTATED-1`, `ROTATED-2` and so on.
#[derive(Default)]
struct Rotating(AtomicU32);

impl CredentialSource for Rotating {
    fn credential(&self) -> BoxFuture<'_, Result<Credential, CredentialError>> {
        let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        Box::pin(std::future::ready(Credential::api_key(format!("ROTATED-{number}"))))
    }
}

/// A key that is fetched: the future is pending so many times before it is ready.
struct Slow(u32);

impl CredentialSource for Slow {
    fn credential(&self) -> BoxFuture<'_, Result<Credential, CredentialError>> {
        let mut left = self.0;
        Box::pin(std::future::poll_fn(move |context| {
            if left == 0 {
                return Poll::Ready(Credential::bearer_token("FETCHED"));
            }
            left -= 1;
            context.waker().wake_by_ref();
            Poll::Pending
        }))
    }
}

fn broken() -> MockSource {
    sealed(1)
}

/// A source that is asked so often, in vain.
fn sealed(times: usize) -> MockSource {
    let mut source = MockSource::new();
    source
        .expect_credential()
        .times(times)
        .returning(|| Box::pin(std::future::ready(Err(CredentialError::new("the vault is sealed")))));
    source
}

fn first_with(source: impl CredentialSource + 'static) -> PoolBuilder {
    let first = host("a", 1).credential_source(source).build().unwrap();
    Pool::builder().backend(first).backend(host("b", 2).api_key("KEY-B").build().unwrap())
}

#[test]
fn a_source_is_asked_once_per_attempt_so_that_keys_can_rotate() {
    let keys = Arc::new(Rotating::default());
    let pool = || {
        keys.0.store(0, Ordering::Relaxed);
        let backend = |name, priority| host(name, priority).credential_source(Arc::clone(&keys)).build().unwrap();
        Pool::builder().backend(backend("a", 1)).backend(backend("b", 2))
    };
    on_every_drive(pool, |stage| {
        stage.transport.reply("a", Reply::status(503).header("retry-after", "0"));
        assert_eq!(stage.ask_whom(), "b");
        assert_eq!(stage.ask_whom(), "a");
        let keys: Vec<_> = stage.arrived().iter().map(|sent| sent.request.headers()["api-key"].clone()).collect();
        assert_eq!(keys, ["ROTATED-1", "ROTATED-2", "ROTATED-3"]);
    });
}

#[test]
fn a_source_that_fails_sends_the_request_on_and_makes_its_backend_suspect() {
    on_every_drive(
        || first_with(broken()),
        |stage| {
            assert_eq!(stage.ask_whom(), "b");
            assert_eq!(stage.asked(), ["b"], "nothing was sent to a");
            let State::Suspect { remaining, reason, .. } = stage.state("a") else { panic!("it is suspect") };
            assert_eq!((remaining, reason), (Duration::from_secs(10), Reason::Fault(Fault::Credential)));
            assert_eq!(stage.counters("a").faults, 1);
            assert_eq!(stage.ask_whom(), "b", "and the source is not asked for a suspect");
        },
    );
}

#[test]
fn a_source_is_not_asked_for_a_backend_that_is_not_tried() {
    let idle = || {
        let mut source = MockSource::new();
        source.expect_credential().never();
        Pool::builder()
            .backend(host("a", 1).api_key("KEY-A").build().unwrap())
            .backend(host("b", 2).credential_source(source).build().unwrap())
    };
    on_every_drive(idle, |stage| assert_eq!(stage.ask_whom(), "a"));
}

#[test]
fn a_source_that_is_not_ready_is_waited_for_by_async_and_is_a_fault_under_blocking() {
    on_every_drive(
        || first_with(Slow(3)),
        |stage| {
            if stage.drive == Drive::Blocking {
                assert_eq!(stage.ask_whom(), "b");
                assert_eq!(stage.cooling_secs(), [Some(10.0), None]);
                assert_eq!(stage.counters("a").faults, 1);
            } else {
                assert_eq!(stage.ask_whom(), "a");
                assert_eq!(stage.arrived()[0].request.headers()["authorization"], "Bearer FETCHED");
                assert_eq!(stage.cooling_secs(), [None, None]);
            }
        },
    );
}

#[test]
fn a_source_that_is_never_ready_is_an_error_and_no_panic_where_no_other_backend_is_left() {
    let pool = Pool::builder().backend(host("a", 1).credential_source(Slow(u32::MAX)).build().unwrap());
    let stage = Stage::new(Drive::Blocking, pool);
    let error = stage.send(ask()).unwrap_err();
    assert!(matches!(&error, Error::Credential { backend, .. } if backend == "a"), "{error:?}");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("not ready"), "{cause}");
}

#[test]
fn a_credential_error_is_the_callers_when_no_other_backend_is_left() {
    let pool = || Pool::builder().backend(host("a", 1).credential_source(sealed(2)).build().unwrap());
    on_every_drive(pool, |stage| {
        let error = stage.send(ask()).unwrap_err();
        assert_eq!(error.to_string(), "no credential for backend a; check its credential source");
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "the vault is sealed");
        // The only one there is, so it is asked again, and then not for a second.
        assert!(matches!(stage.try_send(ask()), Err(Error::Credential { .. })));
        let Err(Error::Exhausted(exhausted)) = stage.try_send(ask()) else { panic!("nobody is left") };
        assert_eq!(exhausted.to_string(), "no backend available for 1 s: suspect after credential fault (a)");
        let cause = exhausted.unavailable()[0].cause().unwrap();
        assert_eq!(cause.text(), Some("the vault is sealed"));
    });
}

#[test]
fn a_credential_error_after_a_5xx_is_the_final_attempts_error() {
    let pool = || {
        Pool::builder()
            .backend(host("a", 1).api_key("KEY-A").build().unwrap())
            .backend(host("b", 2).credential_source(broken()).build().unwrap())
    };
    on_every_drive(pool, |stage| {
        stage.transport.reply("a", Reply::status(503));
        assert!(matches!(stage.send(ask()), Err(Error::Credential { backend, .. }) if backend == "b"));
    });
}

#[test]
fn a_credential_error_after_a_429_is_part_of_a_synthesised_429() {
    let pool = || {
        Pool::builder()
            .backend(host("a", 1).api_key("KEY-A").build().unwrap())
            .backend(host("b", 2).credential_source(broken()).build().unwrap())
    };
    on_every_drive(pool, |stage| {
        stage.transport.reply("a", Reply::status(429).header("retry-after", "3"));
        // The other can be asked again by the next request.
        assert_eq!(header(&stage.ask(), "retry-after"), "1");
    });
}

#[test]
fn a_body_that_cannot_be_replayed_survives_a_missing_credential_because_nothing_was_sent() {
    on_every_drive(
        || first_with(broken()),
        |stage| {
            let response = stage.send(ask_once()).unwrap();
            assert_eq!(response.status(), 200);
            let sent = stage.arrived();
            assert_eq!(
                (sent.len(), sent[0].backend.as_str(), sent[0].request.body().as_ref()),
                (1, "b", b"{}".as_ref())
            );
            assert!(response.extensions().get::<Exhausted>().is_none());
        },
    );
}

#[test]
fn a_body_that_cannot_be_replayed_gets_its_real_answer_also_after_a_missing_credential() {
    on_every_drive(
        || first_with(broken()),
        |stage| {
            stage.transport.reply("b", Reply::status(429).header("retry-after", "5").body("real"));
            let response = stage.send(ask_once()).unwrap();
            assert_eq!((response.status().as_u16(), response.body().as_ref()), (429, b"real".as_ref()));
            assert!(response.extensions().get::<Exhausted>().is_none());
        },
    );
}
