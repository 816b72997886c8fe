//! Observing: what `tracing` and an observer are told, and what they may do while they are told.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fmt::Debug,
    rc::Rc,
    sync::{
        Arc, LazyLock, Mutex, OnceLock, Weak,
        atomic::{AtomicBool, AtomicU32, Ordering},
        mpsc,
    },
    time::{Duration, SystemTime},
};

use lb_core::{
    BlockingLoadBalancer, BoxFuture, Clock, Credential, CredentialError, CredentialSource, Event, Fault, Instant,
    MockClock, Observer, Outcome, Pool, SeededRng, Step,
    test_util::{Reply, ScriptedTransport},
};
use lb_tests::{
    journal::Journal,
    stage::{ask, ask_once, host, pool_of},
};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// One event as a subscriber sees it.
#[derive(Debug, Clone, Default, PartialEq)]
struct Told {
    level: String,
    target: String,
    fields: BTreeMap<String, String>,
}

impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.insert(field.name().to_owned(), format!("{value:?}"));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name().to_owned(), value.to_owned());
    }
}

type Hook = Rc<dyn Fn(Told)>;

thread_local! {
    /// Who listens on this thread.
    static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
}

/// Hands every event to the hook of its thread.
struct PerThread;

impl<S: tracing::Subscriber> Layer<S> for PerThread {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let Some(hook) = HOOK.with_borrow(Clone::clone) else { return };
        let (level, target) = (event.metadata().level().to_string(), event.metadata().target().to_owned());
        let mut told = Told { level, target, ..Told::default() };
        event.record(&mut told);
        hook(told);
    }
}

/// The subscriber is global and there before the first event: `tracing` remembers of each event whether anybody was
/// interested when it first came up.
fn install() {
    static INSTALLED: LazyLock<()> = LazyLock::new(|| {
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(PerThread)).unwrap();
    });
    LazyLock::force(&INSTALLED);
}

/// Calls `hook` with every event of this thread while `run` runs.
fn listen(hook: impl Fn(Told) + 'static, run: impl FnOnce()) {
    HOOK.set(Some(Rc::new(hook)));
    run();
    HOOK.set(None);
}

/// Every event of this thread while `run` runs.
fn keep(run: impl FnOnce()) -> Vec<Told> {
    let told = Rc::new(RefCell::new(Vec::new()));
    let into = Rc::clone(&told);
    listen(move |event| into.borrow_mut().push(event), run);
    told.take()
}

/// A request that fails over, one that is refused, and one after the reset.
fn three_requests(balancer: &BlockingLoadBalancer<ScriptedTransport, SeededRng>, clock: &MockClock) {
    assert_eq!(balancer.send(ask()).unwrap().status(), 429);
    assert_eq!(balancer.send(ask()).unwrap().status(), 429);
    clock.advance(Duration::from_secs(4));
    assert_eq!(balancer.send(ask()).unwrap().status(), 200);
}

fn scripted() -> ScriptedTransport {
    install();
    let transport = ScriptedTransport::new();
    transport
        .reply("a", Reply::status(429).header("retry-after", "4"))
        .reply("b", Reply::status(503).header("retry-after", "9").header("x-request-id", "id"));
    transport
}

#[test]
fn tracing_events_carry_level_target_and_fields() {
    let clock = MockClock::new();
    let pool = pool_of(&[("a", 1), ("b", 2)]).clock(clock.clone()).build().unwrap();
    let balancer = BlockingLoadBalancer::with_parts(pool, scripted(), SeededRng::new(1));
    let told = keep(|| three_requests(&balancer, &clock));
    assert!(told.iter().all(|told| told.target == "lb_core"));

    let line = |told: &Told| {
        let mut told = told.clone();
        if let Some(why) = told.fields.remove("why") {
            let words = "no backend available for 4 s: cooling after status 429 (a), cooling after status 503 (b)";
            assert_eq!(why, words);
        }
        line(&told)
    };
    let why = "backends=2 cooling=2 drained=0 ";
    let expected = [
        "DEBUG sent: attempt=1 backend=a is_probe=false priority=1 request=1",
        "TRACE settled: attempt=1 backend=a outcome=status 429 request=1",
        "WARN cooling: backend=a duration_ms=4000 hint=retry-after reason=429 request=1 until_ns=4000000000",
        "INFO failed over: from=a outcome=status 429 request=1 to=b",
        "DEBUG sent: attempt=2 backend=b is_probe=false priority=2 request=1",
        "TRACE settled: attempt=2 backend=b outcome=status 503 request=1 request_id=id",
        "WARN cooling: backend=b duration_ms=9000 hint=retry-after reason=503 request=1 request_id=id until_ns=9000000000",
        &format!("WARN exhausted: attempts=2 {why}request=1 retry_after_ms=4000 status=429 suspect=0 synthesized=true"),
        "DEBUG finished: attempts=2 ending=exhausted request=1 waited_ms=0",
        &format!("WARN exhausted: attempts=0 {why}request=2 retry_after_ms=4000 status=429 suspect=0 synthesized=true"),
        "DEBUG finished: attempts=0 ending=exhausted request=2 waited_ms=0",
        "INFO available again: backend=a",
        "DEBUG sent: attempt=1 backend=a is_probe=false priority=1 request=3",
        "TRACE settled: attempt=1 backend=a outcome=status 200 request=3",
        "DEBUG finished: attempts=1 backend=a ending=served request=3 waited_ms=0",
    ];
    assert_eq!(told.iter().map(line).collect::<Vec<_>>(), expected);
}

/// An event on a line, with its fields in alphabetical order.
fn line(told: &Told) -> String {
    let mut fields = told.fields.clone();
    let message = fields.remove("message").unwrap();
    let fields: Vec<_> = fields.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{} {message}: {}", told.level, fields.join(" "))
}

#[test]
fn a_backend_that_falls_ill_is_told_above_trace_with_the_cause() {
    install();
    let (clock, transport) = (MockClock::new(), ScriptedTransport::new());
    let pool = Arc::new(pool_of(&[("a", 1)]).clock(clock.clone()).build().unwrap());
    let balancer = BlockingLoadBalancer::with_parts(Arc::clone(&pool), transport.clone(), SeededRng::new(1));
    let told = keep(|| {
        for fault in [Fault::Timeout, Fault::Reset, Fault::Reset] {
            transport.reply("a", Reply::fault(fault));
            let _ = balancer.send(ask());
        }
        clock.advance(Duration::from_secs(10));
        let _ = balancer.send(ask());
        assert!(pool.drain("a") && pool.reopen("a"));
        transport.reply("a", Reply::status(503));
        let _ = balancer.send(ask_once());
    });
    let is_meant = |told: &&Told| told.level != "TRACE" && told.fields["message"] != "finished";
    let above_trace = told.iter().filter(is_meant).map(line);
    assert_eq!(
        above_trace.collect::<Vec<_>>(),
        [
            "DEBUG sent: attempt=1 backend=a is_probe=false priority=1 request=1",
            "INFO struck: backend=a cause=scripted timeout fault reason=timeout request=1 strikes=1",
            "DEBUG sent: attempt=1 backend=a is_probe=false priority=1 request=2",
            "WARN suspect: after_ms=10000 backend=a cause=scripted reset fault probe_at_ns=10000000000 reason=reset request=2",
            "DEBUG sent: attempt=1 backend=a is_probe=false priority=1 request=3",
            "INFO struck: backend=a cause=scripted reset fault reason=reset request=3 strikes=0",
            "DEBUG sent: attempt=1 backend=a is_probe=true priority=1 request=4",
            "INFO available again: backend=a",
            "INFO drained: backend=a",
            "INFO reopened: backend=a",
            "DEBUG sent: attempt=1 backend=a is_probe=false priority=1 request=5",
            "INFO struck: backend=a reason=503 request=5 strikes=1",
            "INFO not repeated: backend=a outcome=status 503 request=5 why=the body could be sent once only",
        ]
    );
}

#[test]
fn every_observer_is_told_everything_in_the_order_in_which_they_were_added() {
    struct Named(&'static str, Journal);
    impl Observer for Named {
        fn on_event(&self, event: &Event<'_>) {
            if let Event::Sent { request, .. } = event {
                self.1.note(format!("{} {request}", self.0));
            }
        }
    }
    let journal = Journal::new();
    let named = |name| Named(name, journal.clone());
    let pool = pool_of(&[("a", 1)]).observer(named("first")).observer(named("second")).build().unwrap();
    let balancer = BlockingLoadBalancer::new(pool, ScriptedTransport::new());
    for _ in 0..2 {
        balancer.send(ask()).unwrap();
    }
    assert_eq!(journal.lines(), ["first 1", "second 1", "first 2", "second 2"]);
}

#[test]
fn only_requests_that_tell_something_are_numbered() {
    let (clock, told) = (MockClock::new(), Arc::new(Mutex::new(Vec::new())));
    let pool = pool_of(&[("a", 1)]).clock(clock).build().unwrap();
    let balancer = BlockingLoadBalancer::with_parts(pool, scripted(), SeededRng::new(1));
    let numbers = Arc::clone(&told);
    // Whoever listens to warnings only is told of the refusals, and of no sending.
    let warnings =
        tracing_subscriber::registry().with(tracing::level_filters::LevelFilter::WARN).with(Numbers(numbers));
    tracing::subscriber::with_default(warnings, || {
        for _ in 0..3 {
            let _ = balancer.try_send(ask());
        }
    });
    // The first was throttled and then refused; the others were refused without an attempt.
    assert_eq!(*told.lock().unwrap(), [1, 1, 2, 3]);
}

/// Keeps the numbers of the requests that events carry.
struct Numbers(Arc<Mutex<Vec<u64>>>);

impl<S: tracing::Subscriber> Layer<S> for Numbers {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        struct Number(Option<u64>);
        impl Visit for Number {
            fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
            fn record_u64(&mut self, field: &Field, value: u64) {
                if field.name() == "request" {
                    self.0 = Some(value);
                }
            }
        }
        let mut number = Number(None);
        event.record(&mut number);
        self.0.lock().unwrap().extend(number.0);
    }
}

#[test]
fn an_observer_is_told_the_same_in_the_same_order() {
    let (clock, journal) = (MockClock::new(), Journal::new());
    let pool = pool_of(&[("a", 1), ("b", 2)]).clock(clock.clone()).observer(Arc::new(journal.clone()));
    let balancer = BlockingLoadBalancer::with_parts(pool.build().unwrap(), scripted(), SeededRng::new(1));
    let told = keep(|| three_requests(&balancer, &clock));
    let words = |line: &str| {
        ["sent", "settled", "cooling", "failed over", "available", "exhausted", "finished"]
            .into_iter()
            .find(|word| line.starts_with(word))
            .unwrap()
            .to_owned()
    };
    let observed: Vec<_> = journal.lines().iter().map(|line| words(line)).collect();
    let traced: Vec<_> = told.iter().map(|told| words(&told.fields["message"])).collect();
    assert_eq!(observed, traced);
}

/// Everything that may be done with a pool from within a call of it.
fn meddle(pool: &Pool) {
    let rng = SeededRng::new(5);
    let at = Instant::from_nanos(1);
    assert_eq!(pool.snapshot_at(at).backends.len(), pool.backends().len());
    let mut dispatch = pool.dispatch();
    while let Step::Try(_) = dispatch.next(|| at, &rng) {
        let _ = dispatch.settle(Outcome::answered(503, &http::HeaderMap::new(), || SystemTime::UNIX_EPOCH), || at);
    }
    assert!(!format!("{pool:?}").is_empty());
}

/// Meddles with the pool whenever it is called, but not while it is called by its own meddling.
#[derive(Clone, Default)]
struct Meddler(Arc<Inner>);

#[derive(Default)]
struct Inner {
    pool: OnceLock<Weak<Pool>>,
    busy: AtomicBool,
    times: AtomicU32,
}

impl Meddler {
    fn act(&self) {
        let Some(pool) = self.0.pool.get().and_then(Weak::upgrade) else { return };
        if !self.0.busy.swap(true, Ordering::SeqCst) {
            meddle(&pool);
            self.0.times.fetch_add(1, Ordering::SeqCst);
            self.0.busy.store(false, Ordering::SeqCst);
        }
    }
}

impl Observer for Meddler {
    fn on_event(&self, _: &Event<'_>) {
        self.act();
    }
}

impl Clock for Meddler {
    fn now(&self) -> Instant {
        self.act();
        Instant::from_nanos(1)
    }
    fn wall(&self) -> SystemTime {
        self.act();
        SystemTime::UNIX_EPOCH
    }
}

impl CredentialSource for Meddler {
    fn credential(&self) -> BoxFuture<'_, Result<Credential, CredentialError>> {
        self.act();
        Box::pin(std::future::ready(Credential::api_key("KEY")))
    }
}

/// Runs `scenario` on a thread of its own, so that a deadlock is a failure instead of a hang.
fn without_deadlock<T: Send + 'static>(scenario: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, is_done) = mpsc::channel();
    let thread = std::thread::spawn(move || done.send(scenario()));
    match is_done.recv_timeout(Duration::from_secs(30)) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("the pool held a lock while it called"),
        Err(mpsc::RecvTimeoutError::Disconnected) => std::panic::resume_unwind(thread.join().unwrap_err()),
    }
}

/// Runs requests on a pool that `build` makes with a meddler; gives how often it meddled.
fn meddled(build: impl FnOnce(Meddler) -> Pool + Send + 'static, through_tracing: bool) -> u32 {
    without_deadlock(move || {
        let meddler = Meddler::default();
        let pool = Arc::new(build(meddler.clone()));
        meddler.0.pool.set(Arc::downgrade(&pool)).unwrap();
        let transport = scripted();
        transport.reply("a", Reply::status(429).header("retry-after", "Thu, 01 Jan 1970 00:00:05 GMT"));
        let balancer = BlockingLoadBalancer::with_parts(pool, transport, SeededRng::new(1));
        let requests = || (0..5).for_each(|_| drop(balancer.send(ask())));
        if through_tracing {
            let traced = meddler.clone();
            listen(move |_| traced.act(), requests);
        } else {
            requests();
        }
        meddler.0.times.load(Ordering::SeqCst)
    })
}

fn two() -> lb_core::PoolBuilder {
    pool_of(&[("a", 1), ("b", 2)])
}

#[test]
fn an_observer_may_use_the_pool_from_within_an_event() {
    assert!(meddled(|meddler| two().clock(MockClock::new()).observer(meddler).build().unwrap(), false) >= 3);
}

#[test]
fn a_tracing_layer_may_use_the_pool_from_within_an_event() {
    assert!(meddled(|_| two().clock(MockClock::new()).build().unwrap(), true) >= 3);
}

#[test]
fn a_clock_may_look_at_the_pool_while_it_is_read() {
    assert!(meddled(|meddler| two().clock(meddler).build().unwrap(), false) >= 3);
}

#[test]
fn a_credential_source_may_use_the_pool_while_it_is_asked() {
    let build = |meddler: Meddler| {
        let backend = |name, priority| host(name, priority).credential_source(meddler.clone()).build().unwrap();
        Pool::builder().backends([backend("a", 1), backend("b", 2)]).clock(MockClock::new()).build().unwrap()
    };
    assert!(meddled(build, false) >= 1);
}

#[test]
fn a_recovery_is_told_after_it_took_effect_and_a_cooldown_too() {
    struct Check(OnceLock<Weak<Pool>>, Mutex<Vec<String>>);
    impl Observer for Check {
        fn on_event(&self, event: &Event<'_>) {
            let Some(pool) = self.0.get().and_then(Weak::upgrade) else { return };
            let (Event::Cooling { backend, .. } | Event::Available { backend }) = event else { return };
            let snapshot = pool.snapshot();
            let seen = snapshot.backends.iter().find(|seen| seen.backend.name() == backend.name()).unwrap();
            let state = if seen.state == lb_core::State::Available { "available" } else { "out" };
            self.1.lock().unwrap().push(format!("{} is {state}", backend.name()));
        }
    }
    let seen = without_deadlock(|| {
        let (clock, check) = (MockClock::new(), Arc::new(Check(OnceLock::new(), Mutex::default())));
        let pool = Arc::new(two().clock(clock.clone()).observer(Arc::clone(&check)).build().unwrap());
        check.0.set(Arc::downgrade(&pool)).unwrap();
        let balancer = BlockingLoadBalancer::with_parts(pool, scripted(), SeededRng::new(1));
        three_requests(&balancer, &clock);
        check.1.lock().unwrap().clone()
    });
    assert_eq!(seen, ["a is out", "b is out", "a is available"]);
}

#[test]
fn a_cooldown_that_is_over_is_told_before_the_verdict_that_nothing_is_left() {
    let (clock, journal, transport) = (MockClock::new(), Journal::new(), ScriptedTransport::new());
    let pool = two().max_attempts(1).clock(clock.clone()).observer(journal.clone()).build().unwrap();
    let balancer = BlockingLoadBalancer::with_parts(pool, transport.clone(), SeededRng::new(1));
    for name in ["a", "b"] {
        transport.always(name, Reply::status(429).header("retry-after", "4"));
        assert_eq!(balancer.send(ask()).unwrap().status(), 429);
    }
    clock.advance(Duration::from_secs(4));
    let _ = journal.take();
    // Only `a` is looked at for a target; that `b` is back too is seen when none is found.
    assert_eq!(balancer.send(ask()).unwrap().status(), 429);
    let lines = journal.take();
    let place = |line: &str| lines.iter().position(|told| told.starts_with(line));
    assert!(place("available b") < place("exhausted") && place("available b").is_some(), "{lines:#?}");
}
