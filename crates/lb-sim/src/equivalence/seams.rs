//! What the async balancer plugs into: the simulator's servers as a transport, its draws, tokio's clock, the log.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, atomic::Ordering},
    time::{Duration, SystemTime},
};

use crate::{
    deployment::{Advice, Answer, Call, HeaderLines},
    journal::Entry,
    random::Purpose,
    traffic::Arrival,
};
use lb_core::{
    Clock, Error, Event, Exhausted, Fault, Head, Instant, Observer, Rng, SeededRng, Served, Target, Transport,
};
use tokio::{
    sync::oneshot,
    time::{sleep_until, timeout_at},
};

use super::live::{CALL, LiveWork, Servers, World};

/// An answer: of a service with what tells its end.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) lines: HeaderLines,
    pub(crate) done: Option<oneshot::Receiver<()>>,
}

/// A transport that asks the servers of the simulator.
pub(crate) struct Direct(pub(crate) Arc<World>);

impl Direct {
    /// What a server has to say, and how long that takes.
    async fn ask(&self, arrival: Arrival, backend: usize, attempt: u32) -> Result<Reply, Fault> {
        let world = &self.0;
        let call = Call {
            workload: 0,
            size: arrival.size,
            milli_chars_per_token: 4_000,
            stream: true,
            key: arrival.number,
            attempt: attempt.into(),
        };
        let (answer, ticket, refusal) = {
            let mut guard = world.servers();
            let Servers { servers, quotas, outages, tickets, .. } = &mut *guard;
            *tickets += 1;
            let server = &mut servers[backend];
            let answer = server.offer(world.now(), &call, *tickets, world.draws, quotas, outages);
            (answer, *tickets, server.refusal_latency())
        };
        let (done, over) = oneshot::channel();
        let work = |service, done| LiveWork { context: CALL.with(Arc::clone), backend, attempt, service, done };
        let answered = |status, advice| Ok(Reply { status, lines: HeaderLines::new(advice), done: None });
        let (answer, delay) = match answer {
            Answer::Served(service) => {
                sleep_until(world.start(work(service, done))).await;
                return Ok(Reply { status: 200, lines: HeaderLines::new(Advice::default()), done: Some(over) });
            }
            Answer::Queued(service) => {
                let (begin, begun) = oneshot::channel();
                world.servers().queued.insert(ticket, (begin, work(service, done)));
                begun.await.unwrap();
                sleep_until(tokio::time::Instant::now() + Duration::from_nanos(service.first)).await;
                return Ok(Reply { status: 200, lines: HeaderLines::new(Advice::default()), done: Some(over) });
            }
            Answer::Refused { advice, in_stream: false } => (answered(429, advice), refusal),
            Answer::Refused { advice, in_stream: true } => (answered(200, advice), refusal),
            Answer::Broken { status, advice, after } => (answered(status, advice), after),
            Answer::Faulted { fault, after } => (Err(fault), after),
            Answer::Hangs => std::future::pending().await,
        };
        if delay > 0 {
            tokio::time::sleep(Duration::from_nanos(delay)).await;
        }
        answer
    }
}

impl Transport for Direct {
    type Request = Arrival;
    type Response = Reply;
    type Error = Fault;

    fn replay(&self, original: &mut Arrival) -> Option<Arrival> {
        Some(*original)
    }

    async fn send(&self, arrival: Arrival, target: &Target<'_>) -> Result<Reply, Error<Fault>> {
        let context = CALL.with(Arc::clone);
        let name = target.backend().name();
        let backend = self.0.names.iter().position(|other| other == name).unwrap();
        let attempt = context.attempts.fetch_add(1, Ordering::SeqCst);
        context.note("sent", attempt, name, 0);
        let end = tokio::time::Instant::now() + self.0.timeout;
        let answer = timeout_at(end, self.ask(arrival, backend, attempt)).await.unwrap_or(Err(Fault::Timeout));
        match &answer {
            Ok(reply) => context.note("answered", attempt, name, reply.status.into()),
            Err(fault) => context.note("faulted", attempt, name, Entry::of_fault(*fault)),
        }
        answer.map_err(Error::Transport)
    }

    fn head<'r>(&self, response: &'r Reply) -> Head<'r> {
        Head::new(response.status, &response.lines)
    }

    fn fault(&self, error: &Fault) -> Fault {
        *error
    }

    fn synthesize(&self, _: &Arrival, exhausted: &Exhausted) -> Reply {
        Reply { status: exhausted.status().as_u16(), lines: HeaderLines::new(Advice::default()), done: None }
    }

    fn mark(&self, _: &mut Reply, _: Served) {}
}

/// The engine's draws: another generator for every request and attempt.
#[derive(Default)]
pub(crate) struct Keyed {
    /// The request, the attempt, and its generator.
    last: Mutex<Option<(u64, u32, SeededRng)>>,
}

impl Rng for Keyed {
    fn next_u64(&self) -> u64 {
        let (draws, number, attempts) =
            CALL.with(|call| (call.world.draws, call.arrival.number, call.attempts.load(Ordering::SeqCst)));
        let mut last = self.last.lock().unwrap();
        if !matches!(&*last, Some((of, at, _)) if (*of, *at) == (number, attempts)) {
            *last = Some((number, attempts, draws.rng(Purpose::Choice, number, attempts.into())));
        }
        last.as_ref().map(|(_, _, rng)| rng.next_u64()).unwrap()
    }
}

/// tokio's clock as a pool's.
pub(crate) struct Paused(pub(crate) tokio::time::Instant);

impl Clock for Paused {
    fn now(&self) -> Instant {
        Instant::from_nanos(u64::try_from(self.0.elapsed().as_nanos()).unwrap())
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }
}

/// Writes what the pool decides into the log.
#[derive(Default)]
pub(crate) struct Noting {
    suspects: Mutex<BTreeSet<String>>,
}

impl Observer for Noting {
    fn on_event(&self, event: &Event<'_>) {
        let note = |event: &str, before: u32, backend: &str, detail: u64| {
            CALL.with(|call| call.note(event, call.attempts.load(Ordering::SeqCst) - before, backend, detail));
        };
        let mut suspects = self.suspects.lock().unwrap();
        match event {
            Event::Cooling { backend, until, .. } => {
                suspects.remove(backend.name());
                note("cooling", 1, backend.name(), until.as_nanos());
            }
            Event::Suspected { backend, probe_at, .. } => {
                suspects.insert(backend.name().to_owned());
                note("suspected", 1, backend.name(), probe_at.as_nanos());
            }
            // The end of a cooldown is found when somebody looks.
            Event::Available { backend } if suspects.remove(backend.name()) => note("available", 1, backend.name(), 0),
            Event::Exhausted { exhausted, synthesized: true, .. } => {
                note("exhausted", 0, "", u64::try_from(exhausted.retry_after().unwrap().as_nanos()).unwrap());
            }
            _ => {}
        }
    }
}
