//! The world: plays a case against a balancer, and writes down what happened.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use lb_core::{
    BackendSnapshot, Clock, Error, Event, LoadBalancer, MockClock, Observer, Pool, Rng, SeededRng, State,
    test_util::{OneShot, ScriptedFault},
};
use lb_tests::{
    gate::{Gate, RequestId},
    journal::Journal,
};

use crate::{
    case::{self, Answer, Ask, Case},
    history::{Delivered, End, History, Pick, Seen, What},
};

type Asking = Pin<Box<dyn Future<Output = Result<Response<Bytes>, Error<ScriptedFault>>> + Send>>;

/// Counts what it draws.
#[derive(Debug)]
struct CountingRng {
    inner: SeededRng,
    draws: Arc<AtomicU64>,
}

impl Rng for CountingRng {
    fn next_u64(&self) -> u64 {
        self.draws.fetch_add(1, Ordering::Relaxed);
        self.inner.next_u64()
    }
}

/// Remembers whether the last attempt was a probe.
#[derive(Clone, Default)]
struct Probing(Arc<AtomicBool>);

impl Observer for Probing {
    fn on_event(&self, event: &Event<'_>) {
        if let Event::Sent { is_probe, .. } = event {
            self.0.store(*is_probe, Ordering::Relaxed);
        }
    }
}

struct Running {
    id: usize,
    asking: Asking,
    /// The number of the attempt that is open.
    attempt: u32,
    backend: usize,
}

struct World {
    clock: MockClock,
    gate: Gate,
    journal: Journal,
    pool: Arc<Pool>,
    balancer: Arc<LoadBalancer<Gate, CountingRng>>,
    draws: Arc<AtomicU64>,
    probing: Probing,
    running: Vec<Running>,
    history: History,
}

impl Case {
    /// Plays the case; the wall clock starts at the epoch.
    pub(crate) fn play(&self) -> History {
        self.play_at(SystemTime::UNIX_EPOCH)
    }

    pub(crate) fn play_at(&self, wall: SystemTime) -> History {
        let (clock, gate, journal) = (MockClock::starting_at(wall), Gate::new(), Journal::new());
        let draws = Arc::new(AtomicU64::new(0));
        let rng = CountingRng { inner: SeededRng::new(self.seed), draws: Arc::clone(&draws) };
        let probing = Probing::default();
        let pool = self.pool().clock(clock.clone()).observer(journal.clone()).observer(probing.clone());
        let pool = Arc::new(pool.build().unwrap());
        let balancer = Arc::new(LoadBalancer::with_parts(Arc::clone(&pool), gate.clone(), rng));
        let history = History::new(self.clone(), Arc::clone(&pool), clock.clone());
        let mut world = World { clock, gate, journal, pool, balancer, draws, probing, running: Vec::new(), history };
        for event in &self.events {
            world.play(event);
        }
        // At rest: whoever still waits gives up.
        while let Some(running) = world.running.pop() {
            world.drop_running(running);
        }
        world.history
    }
}

impl World {
    fn play(&mut self, event: &case::Event) {
        use case::Event;
        match event {
            Event::Start(ask) => self.start(ask),
            Event::Answer(which, answer) if !self.running.is_empty() => {
                let mut running = self.running.swap_remove(which.index(self.running.len()));
                self.gate.answer(RequestId(running.id as u64), response(answer));
                let (request, backend) = (running.id, running.backend);
                self.note(What::Settled { request, backend, answer: answer.clone() });
                let answered = running.attempt;
                if !self.poll(&mut running) {
                    assert_ne!(running.attempt, answered, "an answer ends the request, or it goes on");
                    self.running.push(running);
                }
            }
            Event::Poll(which) if !self.running.is_empty() => {
                let mut running = self.running.swap_remove(which.index(self.running.len()));
                assert!(!self.poll(&mut running), "nothing was answered");
                self.running.push(running);
            }
            Event::Cancel(which) if !self.running.is_empty() => {
                let running = self.running.swap_remove(which.index(self.running.len()));
                self.drop_running(running);
            }
            Event::Wait(duration) => self.clock.advance(*duration),
            Event::WaitUntilDeadline(which, early) => {
                let snapshot = self.pool.snapshot();
                let left: Vec<_> = snapshot.backends.iter().filter_map(|backend| backend.state.remaining()).collect();
                if !left.is_empty() {
                    self.clock.advance(left[which.index(left.len())].saturating_sub(Duration::from_nanos(*early)));
                }
            }
            Event::Drain(which) => self.drain(which.index(self.pool.backends().len()), true),
            Event::Reopen(which) => self.drain(which.index(self.pool.backends().len()), false),
            Event::Answer(..) | Event::Poll(_) | Event::Cancel(_) => {}
        }
        self.look();
    }

    fn start(&mut self, ask: &Ask) {
        let id = self.history.asks.len();
        self.history.asks.push(ask.clone());
        let request = request(ask, id);
        let (balancer, typed) = (Arc::clone(&self.balancer), ask.typed);
        let asking: Asking =
            Box::pin(
                async move { if typed { balancer.try_send(request).await } else { balancer.send(request).await } },
            );
        let mut running = Running { id, asking, attempt: 0, backend: usize::MAX };
        if !self.poll(&mut running) {
            self.running.push(running);
        }
    }

    /// Polls a request, and notes its next attempt or its end; true if it ended.
    fn poll(&mut self, running: &mut Running) -> bool {
        let request = running.id;
        let (before, sent) = (self.draws.load(Ordering::Relaxed), self.gate.sent());
        let polled = running.asking.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let draws = self.draws.load(Ordering::Relaxed) - before;
        if let Poll::Ready(result) = polled {
            assert_eq!(self.gate.sent(), sent, "the end of a request sends nothing");
            let result = match result {
                Ok(response) => Delivered::Response(response),
                Err(Error::Transport(ScriptedFault(fault))) => Delivered::Fault(fault),
                Err(Error::Exhausted(exhausted)) => Delivered::Exhausted(exhausted),
                Err(other) => panic!("nothing here gives {other:?}"),
            };
            self.note(What::Delivered(End { request, result, draws }));
            return true;
        }
        let attempt = self.gate.waiting(RequestId(request as u64)).expect("a pending request waits at the gate");
        if attempt.number != running.attempt {
            running.attempt = attempt.number;
            running.backend = attempt.backend[1..].parse().unwrap();
            let (backend, number) = (running.backend, attempt.number);
            assert_eq!(self.gate.sent(), sent + 1, "one attempt at a time");
            let is_probe = self.probing.0.load(Ordering::Relaxed);
            self.note(What::Picked(Pick { request, backend, number, is_probe, sent: attempt.request, draws }));
        }
        false
    }

    fn drop_running(&mut self, running: Running) {
        let (request, backend) = (running.id, running.backend);
        drop(running);
        self.note(What::Dropped { request, backend });
        self.look();
    }

    fn drain(&mut self, backend: usize, is_out: bool) {
        let name = format!("b{backend}");
        let backends = self.pool.snapshot().backends;
        let was_out = backends.iter().any(|seen| seen.backend.name() == name && seen.state == State::Drained);
        let has_changed = if is_out { self.pool.drain(&name) } else { self.pool.reopen(&name) };
        assert_eq!(has_changed, was_out != is_out);
        self.note(What::Drained { backend, is_out });
    }

    /// Notes what was told, and the state of every backend.
    fn look(&mut self) {
        for line in self.journal.take() {
            self.note(What::Told(line));
        }
        let snapshot = self.pool.snapshot();
        let seen = |backend: &BackendSnapshot| {
            let index: usize = backend.backend.name()[1..].parse().unwrap();
            let seen = Seen { state: backend.state.into(), strikes: backend.strikes, counters: backend.counters };
            (index, seen)
        };
        let mut seen: Vec<_> = snapshot.backends.iter().map(seen).collect();
        seen.sort_by_key(|(index, _)| *index);
        self.note(What::Looked(seen.into_iter().map(|(_, seen)| seen).collect()));
    }

    fn note(&mut self, what: What) {
        self.history.records.push((self.clock.now().as_nanos(), what));
    }
}

/// The caller's request, before any balancing.
pub(crate) fn request(ask: &Ask, id: usize) -> Request<Bytes> {
    let mut request = Request::post(ask.path)
        .header("api-key", "CALLER-CANARY")
        .header("authorization", "Bearer CALLER-CANARY")
        .header("content-length", ask.body.len())
        .header("host", "caller.example")
        .header("x-id", id)
        .body(Bytes::from(ask.body.clone()))
        .unwrap();
    request.extensions_mut().insert(RequestId(id as u64));
    if ask.one_shot {
        request.extensions_mut().insert(OneShot);
    }
    request
}

/// The answer as it comes from a backend.
pub(crate) fn response(answer: &Answer) -> Result<Response<Bytes>, lb_core::Fault> {
    match answer {
        Answer::Fault(fault) => Err(*fault),
        Answer::Status { status, hint, body } => {
            let mut response = Response::new(Bytes::from(body.clone()));
            *response.status_mut() = http::StatusCode::from_u16(*status).unwrap();
            if let Some((name, value)) = hint.header() {
                response.headers_mut().insert(name, HeaderValue::from_bytes(&value).unwrap());
            }
            Ok(response)
        }
    }
}
