//! Processes that share their cooldowns over a server: here several pools in one process, and a server beside them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod fake;

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use fake::Fake;
use lb_core::{
    Backend, Dispatch, Event, Fault, MockClock, Observer, Outcome, Pool, PoolBuilder, Reason, ReplaceablePool,
    SeededRng, State, Step,
};
use lb_redis::{Server, SharedCooldowns, Unsupported};
use tokio::{task::JoinHandle, time};

const CHANNEL: &str = "lb:{chat}";

/// One process: a pool of `ptu` and `paygo` on a clock that stands still, and its end of the sharing.
struct Process {
    pool: Arc<Pool>,
    clock: MockClock,
    shared: SharedCooldowns,
    running: JoinHandle<Unsupported>,
}

impl Process {
    async fn start(fake: &Fake) -> Self {
        Self::with(fake, |shared| shared, |pool| pool).await
    }

    async fn with_drains(fake: &Fake) -> Self {
        Self::with(fake, SharedCooldowns::with_drains, |pool| pool).await
    }

    async fn with(
        fake: &Fake,
        share: impl FnOnce(SharedCooldowns) -> SharedCooldowns,
        options: impl FnOnce(PoolBuilder) -> PoolBuilder,
    ) -> Self {
        let process = Self::begin(share(shared(fake)), options);
        until("it is connected", || process.shared.status().connected).await;
        process
    }

    fn begin(shared: SharedCooldowns, options: impl FnOnce(PoolBuilder) -> PoolBuilder) -> Self {
        let clock = MockClock::new();
        let pool = Pool::builder()
            .backend(Backend::builder("a.example").name("ptu").build().unwrap())
            .backend(Backend::builder("b.example").name("paygo").priority(2).build().unwrap())
            .clock(clock.clone())
            .observer(shared.observer());
        let pool = Arc::new(options(pool).build().unwrap());
        let running = tokio::spawn(shared.run(Arc::clone(&pool)));
        Self { pool, clock, shared, running }
    }

    /// A request whose first attempt ends so.
    fn hear(&self, outcome: Outcome) {
        let mut dispatch = Dispatch::new(&*self.pool);
        let Step::Try(_) = dispatch.next(|| self.pool.now(), &SeededRng::new(1)) else { panic!("nobody is left") };
        let _ = dispatch.settle(outcome, || self.pool.now());
    }

    /// A 429 that says how long, at the best backend that is left.
    fn throttled(&self, millis: u64) {
        let headers = [("retry-after-ms".to_owned(), millis.to_string())];
        self.hear(self.pool.outcome(429, headers.as_slice()));
    }

    /// How long a backend is still out.
    fn left(&self, backend: &str) -> Option<Duration> {
        match self.state(backend) {
            // Whoever said so: an answer of the backend.
            State::Cooling { remaining, reason: Reason::Status(429), .. } => Some(remaining),
            _ => None,
        }
    }

    fn state(&self, backend: &str) -> State {
        let backends = self.pool.snapshot().backends;
        backends.iter().find(|one| one.backend.name() == backend).unwrap().state
    }

    /// How many messages of others it has dealt with.
    fn heard(&self) -> u64 {
        let status = self.shared.status();
        status.applied + status.unneeded + status.ignored
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.running.abort();
    }
}

fn shared(fake: &Fake) -> SharedCooldowns {
    SharedCooldowns::new(Server::from_url(&fake.url()).unwrap(), "chat").unwrap()
}

/// Waits until something is so; it panics if that never comes.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..6_000 {
        if is_so() {
            return;
        }
        time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never: {what}");
}

fn cooling(backend: &str, millis: u64) -> String {
    format!(r#"{{"v":1,"from":1,"backend":"{backend}","cooling":{{"ms":{millis},"status":429}}}}"#)
}

fn drained(backend: &str, drained: bool) -> String {
    format!(r#"{{"v":1,"from":1,"backend":"{backend}","drained":{drained}}}"#)
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_429_in_one_process_takes_the_backend_out_in_the_others() {
    let fake = Fake::start().await;
    let (first, second, third) =
        (Process::start(&fake).await, Process::start(&fake).await, Process::start(&fake).await);
    first.throttled(30_000);
    until("the others know", || second.left("ptu").is_some() && third.left("ptu").is_some()).await;
    assert_eq!((second.left("ptu"), third.left("ptu")), (Some(30 * SECOND), Some(30 * SECOND)));
    assert_eq!(second.left("paygo"), None);
    assert_eq!(first.shared.status().published, 1);
    // What arrived was not told again, and one's own message is none of another.
    third.throttled(20_000);
    until("a later message is there", || second.left("paygo").is_some()).await;
    assert_eq!(fake.messages().len(), 2, "{:?}", fake.messages());
    assert_eq!((first.shared.status().applied, first.heard()), (1, 1));
}

#[tokio::test]
async fn what_the_others_would_not_profit_from_is_not_told() {
    let fake = Fake::start().await;
    let process = Process::start(&fake).await;
    process.throttled(499);
    process.clock.advance(SECOND);
    // A strike, then another: a suspect. A connection that fails: another one.
    process.hear(Outcome::Answered { status: 500, hint: None });
    process.hear(Outcome::Answered { status: 500, hint: None });
    assert!(matches!(process.state("ptu"), State::Suspect { .. }));
    process.hear(Outcome::Faulted(Fault::Connect));
    assert!(matches!(process.state("paygo"), State::Suspect { .. }));
    // By hand.
    process.pool.cool("paygo", 30 * SECOND);
    process.pool.end_cooldown("paygo");
    process.pool.drain("ptu");
    process.throttled(500);
    until("the last one was told", || process.shared.status().published > 0).await;
    let own = fake.messages();
    assert!(own.len() == 1 && own[0].contains(r#""backend":"paygo","cooling":{"ms":500,"status":429}}"#), "{own:?}");
}

#[tokio::test]
async fn the_longest_wins_in_any_order_and_however_often() {
    let fake = Fake::start().await;
    let process = Process::start(&fake).await;
    for millis in [20_000, 40_000, 10_000, 40_000, 499, 0] {
        fake.publish(CHANNEL, cooling("ptu", millis));
    }
    until("all were heard", || process.heard() == 6).await;
    assert_eq!(process.left("ptu"), Some(40 * SECOND));
    assert_eq!((process.shared.status().applied, process.shared.status().unneeded), (2, 4));
}

#[tokio::test]
async fn who_receives_says_how_long_at_most() {
    let fake = Fake::start().await;
    let process = Process::with(&fake, |shared| shared, |pool| pool.max_cooldown(45 * SECOND)).await;
    fake.publish(CHANNEL, cooling("ptu", u64::MAX));
    until("it was heard", || process.heard() == 1).await;
    assert_eq!(process.left("ptu"), Some(45 * SECOND));
    fake.set("lb:{chat}:cooling:ptu", 1_000_000 * SECOND);
    let joiner = Process::start(&fake).await;
    assert_eq!(joiner.left("ptu"), Some(600 * SECOND));
}

#[tokio::test]
async fn who_joins_reads_what_stands() {
    let fake = Fake::start().await;
    let process = Process::start(&fake).await;
    process.throttled(40_000);
    until("it was told", || fake.left("lb:{chat}:cooling:ptu").is_some()).await;
    let joiner = Process::start(&fake).await;
    let left = joiner.left("ptu").unwrap();
    assert!(left <= 40 * SECOND && left > 10 * SECOND, "{left:?}");
    assert_eq!(joiner.left("paygo"), None);
    // A shorter one of another process does not shorten what stands, a longer one adds to it.
    joiner.throttled(5_000);
    until("it was told", || fake.left("lb:{chat}:cooling:paygo").is_some()).await;
    let other = Process::start(&fake).await;
    other.pool.end_cooldown("ptu");
    other.throttled(1_000);
    until("it was told", || other.shared.status().published == 1).await;
    assert!(fake.left("lb:{chat}:cooling:ptu").unwrap() > 2 * SECOND);
    other.clock.advance(5 * SECOND);
    other.throttled(90_000);
    until("it was told", || other.shared.status().published == 2).await;
    assert!(fake.left("lb:{chat}:cooling:ptu").unwrap() > 60 * SECOND);
}

#[tokio::test]
async fn nobody_waits_for_a_server_that_is_away_and_what_still_holds_is_told_later() {
    let fake = Fake::start().await;
    let (first, second) = (Process::start(&fake).await, Process::start(&fake).await);
    fake.go_away();
    until("they noticed", || !first.shared.status().connected && !second.shared.status().connected).await;
    assert!(first.shared.status().last_error.is_some());
    first.throttled(20_000);
    assert_eq!(first.left("ptu"), Some(20 * SECOND));
    first.throttled(3_000);
    // Meanwhile the second of these is over, and there are 12 s left of the first.
    first.clock.advance(8 * SECOND);
    fake.come_back();
    until("the other knows", || second.left("ptu").is_some()).await;
    until("both are back", || first.shared.status().connections == 2).await;
    let left = second.left("ptu").unwrap();
    assert!(left <= 12 * SECOND && left > SECOND, "{left:?}");
    assert_eq!((second.left("paygo"), fake.left("lb:{chat}:cooling:paygo")), (None, None));
}

#[tokio::test]
async fn garbage_changes_nothing() {
    let fake = Fake::start().await;
    let process = Process::start(&fake).await;
    for number in 0..10_000_u32 {
        match number % 5 {
            0 => fake.publish(CHANNEL, vec![0xff; 64]),
            1 => fake.publish(CHANNEL, vec![b'['; 4_096]),
            2 => fake.publish(CHANNEL, "{\"v\":2}"),
            3 => fake.publish(CHANNEL, ""),
            _ => fake.publish(CHANNEL, cooling("ptu", 5_000).replace("ptu", &"x".repeat(3_000))),
        }
    }
    until("all was heard", || process.heard() == 10_000).await;
    assert_eq!(process.shared.status().ignored, 10_000);
    fake.publish(CHANNEL, cooling("nobody", 5_000));
    fake.publish(CHANNEL, drained("ptu", true));
    fake.publish("lb:{other}", cooling("ptu", 5_000));
    until("the rest was heard", || process.heard() == 10_002).await;
    assert_eq!((process.state("ptu"), process.state("paygo")), (State::Available, State::Available));
    assert_eq!(process.shared.status().unneeded, 2);
}

/// An observer that holds whoever tells it of a cooldown by hand, until it is let go.
#[derive(Default)]
struct Gate(Mutex<()>);

impl Observer for &'static Gate {
    fn on_event(&self, event: &Event<'_>) {
        if matches!(event, Event::CooledByHand { .. }) {
            // The other tasks of this worker thread go on elsewhere meanwhile.
            tokio::task::block_in_place(|| drop(self.0.lock().unwrap_or_else(PoisonError::into_inner)));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_cannot_follow_reads_the_keys_again() {
    static GATE: Gate = Gate(Mutex::new(()));
    let fake = Fake::start().await;
    let process = Process::with(&fake, |shared| shared, |pool| pool.observer(&GATE)).await;
    fake.set("lb:{chat}:cooling:paygo", 60 * SECOND);
    let held = GATE.0.lock().unwrap();
    for _ in 0..3_000 {
        fake.publish(CHANNEL, cooling("ptu", 5_000));
    }
    let shared = process.shared.clone();
    let waiting = until("messages were dropped", move || shared.status().ignored > 0);
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(waiting));
    drop(held);
    until("the keys were read", || process.left("paygo").is_some()).await;
    assert_eq!(process.left("ptu"), Some(5 * SECOND));
}

#[tokio::test]
async fn a_server_that_cannot_do_it_is_refused() {
    for (mode, version, expected) in [
        ("cluster", "7.2.0", "node of a Redis Cluster"),
        ("standalone", "6.2.14", "is Redis 6.2.14; lb-redis needs 7.0 or later"),
    ] {
        let fake = Fake::with_kind(mode, version).await;
        let process = Process::begin(shared(&fake), |pool| pool);
        until("it ended", || process.running.is_finished()).await;
        let status = process.shared.status();
        assert!(!status.connected && status.last_error.unwrap().contains(expected));
    }
}

#[tokio::test]
async fn a_rotated_password_is_found() {
    let fake = Fake::start().await;
    fake.require_password("second");
    let password = Arc::new(Mutex::new("hunter2"));
    let source = Arc::clone(&password);
    let server = Server::from_url(&fake.url()).unwrap().password_from(move || {
        let password = (*source.lock().unwrap()).to_owned();
        async move { Ok::<_, std::io::Error>(password) }
    });
    let process = Process::begin(SharedCooldowns::new(server, "chat").unwrap(), |pool| pool);
    until("it was refused", || process.shared.status().last_error.is_some()).await;
    let error = process.shared.status().last_error.unwrap();
    assert!(error.contains("WRONGPASS") && !error.contains("hunter2"), "{error}");
    *password.lock().unwrap() = "second";
    until("it is connected", || process.shared.status().connected).await;
}

#[tokio::test]
async fn drains_are_shared_by_choice_and_stay() {
    let fake = Fake::start().await;
    let (first, second) = (Process::with_drains(&fake).await, Process::with_drains(&fake).await);
    let alone = Process::start(&fake).await;
    first.pool.drain("ptu");
    until("the other knows", || second.state("ptu") == State::Drained).await;
    until("the third has heard", || alone.heard() == 1).await;
    assert_eq!(alone.state("ptu"), State::Available);
    let joiner = Process::with_drains(&fake).await;
    assert_eq!((joiner.state("ptu"), joiner.state("paygo")), (State::Drained, State::Available));
    // The last word holds, whoever says it; and what was heard is not said again.
    joiner.pool.reopen("ptu");
    until("all know", || first.state("ptu") == State::Available && second.state("ptu") == State::Available).await;
    assert_eq!(fake.messages().len(), 2, "{:?}", fake.messages());
    assert_eq!(fake.hash("lb:{chat}:drained")["ptu"], "0");
    first.pool.drain("ptu");
    until("the other knows", || second.state("ptu") == State::Drained).await;
    assert_eq!(fake.messages().len(), 3);
}

#[tokio::test]
async fn a_drain_that_redis_forgot_stays_and_one_that_was_taken_back_meanwhile_ends() {
    let fake = Fake::start().await;
    let (first, second) = (Process::with_drains(&fake).await, Process::with_drains(&fake).await);
    first.pool.drain("ptu");
    second.pool.drain("paygo");
    until("both know", || first.state("paygo") == State::Drained && second.state("ptu") == State::Drained).await;
    fake.go_away();
    until("they noticed", || !first.shared.status().connected && !second.shared.status().connected).await;
    fake.forget();
    first.pool.reopen("ptu");
    fake.come_back();
    until("the other knows", || second.state("ptu") == State::Available).await;
    until("both are back", || first.shared.status().connected && second.shared.status().connected).await;
    assert_eq!((first.state("paygo"), second.state("paygo")), (State::Drained, State::Drained));
}

#[tokio::test]
async fn a_key_that_somebody_spoiled_does_not_end_the_sharing() {
    let fake = Fake::start().await;
    fake.set("lb:{chat}:drained", 60 * SECOND);
    fake.spoil("lb:{chat}:cooling:ptu", "never");
    let (first, second) = (Process::with_drains(&fake).await, Process::with_drains(&fake).await);
    assert!(first.shared.status().last_error.unwrap().contains("WRONGTYPE"));
    assert_eq!(first.state("ptu"), State::Available);
    first.throttled(30_000);
    until("the other knows", || second.left("ptu").is_some()).await;
}

#[tokio::test]
async fn the_pool_that_took_its_place_hears_it() {
    let fake = Fake::start().await;
    let sharing = shared(&fake);
    let backend = |name| Backend::builder(format!("{name}.example")).name(name).build().unwrap();
    let pool = ReplaceablePool::from(
        Pool::builder().backend(backend("old")).clock(MockClock::new()).observer(sharing.observer()).build().unwrap(),
    );
    let running = tokio::spawn(sharing.run(pool.clone()));
    until("it is connected", || sharing.status().connected).await;
    pool.replace(Pool::builder().backend(backend("new"))).unwrap();
    fake.publish(CHANNEL, cooling("new", 30_000));
    until("it was heard", || sharing.status().applied == 1).await;
    assert_eq!(pool.pool().snapshot().backends[0].state.as_str(), "cooling");
    running.abort();
}

#[test]
fn the_future_can_be_spawned() {
    fn spawned(future: impl Future<Output = Unsupported> + Send + 'static) {
        drop(future);
    }
    let shared = SharedCooldowns::new(Server::from_url("redis://cache.example").unwrap(), "chat").unwrap();
    spawned(shared.run(Pool::new([Backend::new("a.example", 1).unwrap()]).unwrap()));
}
