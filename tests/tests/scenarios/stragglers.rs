//! Requests that overlap: late answers, late successes, and recoveries while a request is under way.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use http::Response;
use lb_core::test_util::ScriptedFault;
use lb_core::{Error, Exhausted, Fault, LoadBalancer, MockClock, Pool, PoolBuilder, SeededRng, Served, State};
use lb_tests::{
    gate::{Gate, RequestId},
    journal::Journal,
    stage::{ask, header, pool_of},
};

type Answer = Result<Response<Bytes>, Error<ScriptedFault>>;
type Asking<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

struct Scene {
    clock: MockClock,
    gate: Gate,
    journal: Journal,
    balancer: LoadBalancer<Gate, SeededRng>,
}

impl Scene {
    fn new(pool: PoolBuilder) -> Self {
        let (clock, gate, journal) = (MockClock::new(), Gate::new(), Journal::new());
        let pool: Arc<Pool> = Arc::new(pool.clock(clock.clone()).observer(journal.clone()).build().unwrap());
        let balancer = LoadBalancer::with_parts(pool, gate.clone(), SeededRng::new(1));
        Self { clock, gate, journal, balancer }
    }

    /// Starts a request; it must stand before the gate then.
    fn start(&self, id: u64, backend: &str) -> Asking<'_> {
        let mut request = ask();
        request.extensions_mut().insert(RequestId(id));
        let mut asking: Asking<'_> = Box::pin(self.balancer.send(request));
        assert!(poll(&mut asking).is_none());
        self.stands(id, backend);
        asking
    }

    fn stands(&self, id: u64, backend: &str) {
        assert_eq!(self.gate.waiting(RequestId(id)).map(|attempt| attempt.backend).as_deref(), Some(backend));
    }

    fn answer(&self, id: u64, asking: &mut Asking<'_>, status: u16, retry_after: &str) -> Option<Answer> {
        let response = Response::builder().status(status).header("retry-after", retry_after).body(Bytes::new());
        self.gate.answer(RequestId(id), Ok(response.unwrap()));
        poll(asking)
    }

    fn until(&self, slot: usize) -> Option<u64> {
        match self.balancer.pool().snapshot().backends[slot].state {
            State::Cooling { until, .. } | State::Suspect { probe_at: until, .. } => {
                Some(until.as_nanos() / 1_000_000_000)
            }
            _ => None,
        }
    }
}

fn poll(asking: &mut Asking<'_>) -> Option<Answer> {
    match asking.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

fn retry_after(answer: Option<Answer>) -> String {
    let response = answer.expect("a head").unwrap();
    assert!(response.extensions().get::<Exhausted>().is_some(), "synthesised");
    header(&response, "retry-after")
}

#[test]
fn a_straggler_on_the_only_cooling_backend_moves_retry_after() {
    let scene = Scene::new(pool_of(&[("a", 1)]));
    let (mut first, mut straggler) = (scene.start(1, "a"), scene.start(2, "a"));
    assert_eq!(retry_after(scene.answer(1, &mut first, 429, "4")), "4");
    assert_eq!(retry_after(scene.answer(2, &mut straggler, 429, "44")), "44");
    let mut request = ask();
    request.extensions_mut().insert(RequestId(3));
    let mut third: Asking<'_> = Box::pin(scene.balancer.send(request));
    assert_eq!(retry_after(poll(&mut third)), "44", "the first verdict of 4 s must not be remembered");
}

#[test]
fn a_straggling_shorter_429_never_shortens_a_cooldown() {
    let scene = Scene::new(pool_of(&[("a", 1)]));
    let (mut first, mut straggler) = (scene.start(1, "a"), scene.start(2, "a"));
    assert_eq!(retry_after(scene.answer(1, &mut first, 429, "44")), "44");
    assert_eq!(retry_after(scene.answer(2, &mut straggler, 429, "4")), "44");
    assert_eq!(scene.until(0), Some(44));
    let cooling: Vec<_> = scene.journal.lines().into_iter().filter(|line| line.starts_with("cooling")).collect();
    assert_eq!(cooling, ["cooling a 44s until 44000000000 ns: 429, retry-after"], "told once");
}

#[test]
fn a_late_success_ends_no_cooldown() {
    let scene = Scene::new(pool_of(&[("a", 1), ("b", 2)]));
    let (mut first, mut late) = (scene.start(1, "a"), scene.start(2, "a"));
    assert!(scene.answer(1, &mut first, 429, "20").is_none());
    scene.stands(1, "b");
    scene.clock.advance(Duration::from_secs(1));
    assert_eq!(scene.answer(2, &mut late, 200, "0").unwrap().unwrap().status(), 200);
    assert_eq!(scene.until(0), Some(20));
    drop(scene.start(3, "b"));
}

#[test]
fn a_backend_that_recovers_while_another_is_slow_is_noticed_within_the_request() {
    // The Python package looked for recovered backends only when a request began.
    let scene = Scene::new(pool_of(&[("a", 1), ("b", 2), ("c", 3)]));
    let mut first = scene.start(1, "a");
    assert!(scene.answer(1, &mut first, 429, "5").is_none());
    scene.stands(1, "b");
    let mut second = scene.start(2, "b");
    scene.clock.advance(Duration::from_secs(5));
    assert!(scene.answer(2, &mut second, 503, "60").is_none());
    scene.stands(2, "a");
    assert!(scene.answer(1, &mut first, 503, "60").is_none());
    scene.stands(1, "c");
}

#[test]
fn requests_that_were_under_way_do_not_pull_new_ones_back_to_a_throttled_backend() {
    let scene = Scene::new(pool_of(&[("a", 1), ("b", 2)]));
    let mut under_way: Vec<_> = (1..=5).map(|id| scene.start(id, "a")).collect();
    assert!(scene.answer(1, &mut under_way[0], 429, "30").is_none());
    drop(scene.start(6, "b"));
    for (id, asking) in (2..=5).zip(&mut under_way[1..]) {
        assert!(scene.answer(id, asking, 200, "0").is_some());
    }
    drop(scene.start(7, "b"));
    assert_eq!(scene.balancer.pool().snapshot().backends[0].counters.successes, 4);
}

#[test]
fn a_late_connect_fault_counts_from_the_moment_it_is_known() {
    let scene = Scene::new(pool_of(&[("a", 1), ("b", 2)]));
    let mut asking = scene.start(1, "a");
    scene.clock.advance(Duration::from_secs(7));
    scene.gate.answer(RequestId(1), Err(Fault::Connect));
    assert!(poll(&mut asking).is_none());
    assert_eq!(scene.until(0), Some(17));
    let answer = scene.answer(1, &mut asking, 200, "0").unwrap().unwrap();
    assert_eq!(answer.extensions().get::<Served>().map(|served| (served.backend(), served.attempts())), Some(("b", 2)));
}

#[test]
fn a_refusal_without_processing_that_comes_after_a_cooldown_is_no_strike() {
    let scene = Scene::new(pool_of(&[("a", 1), ("b", 2)]));
    let (mut slow, mut quick) = (scene.start(0, "a"), scene.start(1, "a"));
    assert!(scene.answer(1, &mut quick, 429, "1").is_none());
    scene.gate.answer(RequestId(1), Err(Fault::Connect));
    assert!(poll(&mut quick).is_some());
    assert_eq!(scene.until(1), Some(10), "b is suspect");

    scene.clock.advance(Duration::from_secs(5));
    scene.gate.answer(RequestId(0), Err(Fault::Unprocessed));
    assert!(poll(&mut slow).is_none());
    scene.stands(0, "b");
    // The first to see that a is back has struck nobody, so that its failure at a suspect counts.
    scene.gate.answer(RequestId(0), Err(Fault::Connect));
    assert!(poll(&mut slow).is_none());
    assert_eq!(scene.until(1), Some(15));
}

#[test]
fn a_re_marked_backend_is_told_as_cooling_for_longer_and_as_available_once() {
    let scene = Scene::new(pool_of(&[("a", 1)]));
    let (mut first, mut second) = (scene.start(1, "a"), scene.start(2, "a"));
    let _ = scene.answer(1, &mut first, 429, "4");
    let _ = scene.answer(2, &mut second, 429, "9");
    scene.clock.advance(Duration::from_secs(9));
    drop((scene.start(3, "a"), scene.start(4, "a")));
    let lines = scene.journal.lines();
    let count = |word| lines.iter().filter(|line| line.starts_with(word)).count();
    assert_eq!((count("cooling"), count("available")), (2, 1), "{lines:#?}");
}
