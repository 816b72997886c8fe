//! A world: a pool, the behaviour of its backends, and the clock that events turn.

use std::{sync::Arc, time::Duration};

use lb_core::{Backend, Dispatch, Instant, MockClock, Outcome, Pool, PoolBuilder, SeededRng, Step, Verdict};

use crate::{
    behaviour::{Site, is_success},
    call::{Answer, Call},
    queue::{Event, Queue},
    referee::{Referee, Seen},
    rules::Standing,
    run::{Change, End, Run, Send, Story, Walk},
};

/// What there is before anything happens.
#[derive(Debug, Clone)]
pub(crate) struct World {
    /// By priority: a backend's index here is its slot.
    pub(crate) sites: Vec<Site>,
    pub(crate) seed: u64,
    /// How long the transport waits for a head.
    pub(crate) timeout: Duration,
    /// After so long the caller drops a request that has no head yet.
    pub(crate) gives_up: Option<Duration>,
    /// From when on a request that is dropped so speaks against the backend.
    pub(crate) stalled_after: Option<Duration>,
    pub(crate) fail_over_after_send: bool,
    pub(crate) drains: Vec<Drain>,
}

/// An operator takes a backend out for a while.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drain {
    pub(crate) slot: usize,
    pub(crate) from: Duration,
    pub(crate) until: Duration,
}

impl World {
    /// Backends with the default options, and clients that wait for a minute.
    pub(crate) fn new(sites: impl IntoIterator<Item = Site>) -> Self {
        let mut sites = Vec::from_iter(sites);
        sites.sort_by_key(|site| site.priority);
        Self {
            sites,
            seed: 1,
            timeout: Duration::from_secs(60),
            gives_up: None,
            stalled_after: None,
            fail_over_after_send: false,
            drains: Vec::new(),
        }
    }

    fn pool(&self) -> PoolBuilder {
        let backend = |(slot, site): (usize, &Site)| {
            // With a key of its own, so that a 401 is its own fault.
            Backend::builder(name(slot)).priority(site.priority).api_key("key").build().unwrap()
        };
        let pool = Pool::builder()
            .backends(self.sites.iter().enumerate().map(backend))
            .fail_over_after_send(self.fail_over_after_send);
        match self.stalled_after {
            Some(after) => pool.stalled_after(after),
            None => pool,
        }
    }

    /// Plays these calls to their end.
    pub(crate) fn play(&self, calls: Vec<Call>) -> Run {
        let mut queue = Queue::default();
        for &Drain { slot, from, until } in &self.drains {
            queue.push(from, Event::Drains { slot });
            queue.push(until, Event::Reopens { slot });
        }
        for (call, plan) in calls.iter().enumerate() {
            queue.push(plan.at, Event::Begins { call });
            if let Some(after) = plan.leaves {
                queue.push(plan.at + after, Event::Leaves { call });
            }
        }
        let priorities = self.sites.iter().map(|site| site.priority).collect();
        let clock = MockClock::new();
        let mut play = Play {
            world: self,
            pool: Arc::new(self.pool().clock(clock.clone()).build().unwrap()),
            rng: SeededRng::new(self.seed),
            queue,
            now: Duration::ZERO,
            walking: calls.iter().map(|_| None).collect(),
            told: calls.iter().map(|_| None).collect(),
            stories: calls.into_iter().map(|call| Story { call, walks: Vec::new(), end: None }).collect(),
            walks: 0,
            attempts: 0,
            touched: 0,
            changes: Vec::new(),
            referee: Referee::new(priorities, self.stalled_after),
        };
        while let Some((at, event)) = play.queue.pop() {
            play.now = at;
            clock.set(Instant::from_nanos(at.as_nanos().try_into().expect("a world ends before 584 years")));
            play.happen(event);
        }
        Run { stories: play.stories, changes: play.changes, breaches: play.referee.breaches }
    }
}

/// A world while it is played.
struct Play<'a> {
    world: &'a World,
    pool: Arc<Pool>,
    rng: SeededRng,
    queue: Queue,
    now: Duration,
    stories: Vec<Story>,
    /// Per call, its walk while it goes on.
    walking: Vec<Option<Walking>>,
    walks: u64,
    attempts: u64,
    /// How often the pool was told anything, or asked for a backend that it gave.
    touched: u64,
    /// Per call, when its last refusal told it to come back, and what `touched` was.
    told: Vec<Option<(Duration, u64)>>,
    changes: Vec<Change>,
    referee: Referee,
}

struct Walking {
    id: u64,
    dispatch: Dispatch<Arc<Pool>>,
    /// The attempt that is open: its number, and how it will end.
    open: Option<(u64, Outcome)>,
    /// What the last attempt that failed over got.
    last: Option<Outcome>,
}

impl Play<'_> {
    fn happen(&mut self, event: Event) {
        match event {
            Event::Begins { call } if self.stories[call].end.is_none() => {
                self.begin(call);
                self.next(call);
            }
            Event::Ends { call, attempt } => {
                let open = self.walking[call].as_ref().and_then(|walking| walking.open);
                if let Some((_, outcome)) = open.filter(|(number, _)| *number == attempt) {
                    self.end_attempt(call, outcome);
                }
            }
            Event::GivesUp { call, walk } if self.walking[call].as_ref().is_some_and(|walking| walking.id == walk) => {
                let _ = self.settle(call, Outcome::Cancelled);
                self.end_walk(call, Answer::GivenUp);
            }
            Event::Leaves { call } if self.stories[call].end.is_none() => {
                if self.walking[call].is_some() {
                    let _ = self.settle(call, Outcome::Cancelled);
                    self.walking[call] = None;
                }
                self.stories[call].end = Some(End::Left);
            }
            Event::Drains { slot } => {
                self.touched += 1;
                assert!(self.pool.drain(&name(slot)), "it was open");
                self.look();
            }
            Event::Reopens { slot } => {
                self.touched += 1;
                assert!(self.pool.reopen(&name(slot)), "it was drained");
                self.look();
            }
            _ => {}
        }
    }

    fn begin(&mut self, call: usize) {
        self.walks += 1;
        let dispatch = Dispatch::new(Arc::clone(&self.pool));
        self.walking[call] = Some(Walking { id: self.walks, dispatch, open: None, last: None });
        self.stories[call].walks.push(Walk { sends: Vec::new(), ended: None, refused: false });
        if let Some(after) = self.world.gives_up {
            self.queue.push(self.now + after, Event::GivesUp { call, walk: self.walks });
        }
    }

    /// Sends the request to where its walk goes next, or ends the walk.
    fn next(&mut self, call: usize) {
        self.look_for_the_cooled();
        let Self { world, pool, rng, now, .. } = self;
        let walking = self.walking[call].as_mut().unwrap();
        let attempts = walking.dispatch.attempts();
        match walking.dispatch.next(|| pool.now(), rng) {
            Step::Try(attempt) => {
                let (slot, poison) = (attempt.slot(), self.stories[call].call.poison);
                let ending = world.sites[slot].at(*now).meet(*now, poison, world.timeout);
                self.attempts += 1;
                self.touched += 1;
                walking.open = Some((self.attempts, ending.outcome));
                self.queue.push(*now + ending.after, Event::Ends { call, attempt: self.attempts });
                let (walk, standing) = (walking.id, self.referee.standings[slot]);
                let sends = &mut self.stories[call].walks.last_mut().unwrap().sends;
                self.referee.sent(*now, Seen { walk, slot, sends });
                sends.push(Send { number: self.attempts, slot, standing, begun: *now, ended: None });
            }
            Step::ReturnLast(_) => {
                let last = walking.last.expect("an answer to return");
                self.stories[call].walks.last_mut().unwrap().refused = true;
                self.end_walk(call, Answer::Given(last));
            }
            Step::Exhausted(exhausted) => {
                let is_first = attempts == 0;
                if is_first && self.told[call] == Some((*now, self.touched)) {
                    self.referee.refused_again(*now, &exhausted);
                }
                self.told[call] = exhausted.retry_after().map(|pause| (*now + pause, self.touched));
                self.stories[call].walks.last_mut().unwrap().refused = true;
                self.end_walk(call, Answer::Refused(exhausted.retry_after()));
            }
            Step::Wait(_) => unreachable!("nobody waits in these worlds"),
        }
    }

    fn end_attempt(&mut self, call: usize, outcome: Outcome) {
        match self.settle(call, outcome) {
            Verdict::Return => self.end_walk(call, Answer::Given(outcome)),
            Verdict::FailOver => {
                self.walking[call].as_mut().unwrap().last = Some(outcome);
                self.next(call);
            }
        }
    }

    /// Tells the core how the open attempt ended, and the referee what came of it.
    fn settle(&mut self, call: usize, outcome: Outcome) -> Verdict {
        self.look_for_the_cooled();
        let walking = self.walking[call].as_mut().unwrap();
        walking.open = None;
        self.touched += 1;
        let (walk, verdict) = (walking.id, walking.dispatch.settle(outcome, || self.pool.now()));
        // With nothing against anybody a success has nothing to change, and a look is what costs most here.
        let is_idle = self.referee.is_quiet() && is_success(&outcome);
        let standings = if is_idle { self.referee.standings.clone() } else { self.standings() };
        let sends = &mut self.stories[call].walks.last_mut().unwrap().sends;
        sends.last_mut().unwrap().ended = Some((self.now, outcome));
        let slot = sends.last().unwrap().slot;
        let changed = self.referee.settled(self.now, Seen { walk, slot, sends }, outcome, standings);
        self.note(changed);
        verdict
    }

    fn end_walk(&mut self, call: usize, answer: Answer) {
        self.walking[call] = None;
        let story = &mut self.stories[call];
        story.walks.last_mut().unwrap().ended = Some(self.now);
        if matches!(answer, Answer::Given(outcome) if is_success(&outcome)) {
            story.end = Some(End::Served(self.now));
        } else if let Some(pause) = story.call.retry.pause(story.walks.len() - 1, &answer) {
            self.queue.push(self.now + pause, Event::Begins { call });
        } else {
            let lost = self.is_lost(call);
            self.stories[call].end = Some(End::Failed { lost });
        }
    }

    /// Whether a backend that the call's last walk did not ask would have served it now.
    fn is_lost(&self, call: usize) -> bool {
        let story = &self.stories[call];
        let asked = &story.walks.last().unwrap().sends;
        let serves = |site: &Site| site.at(self.now).serves(self.now, self.world.timeout);
        let is_asked = |slot| asked.iter().any(|send| send.slot == slot);
        // One that said when it wants to be asked again, or was taken out, is not to be asked.
        let may_ask = |slot: usize| matches!(self.referee.standings[slot], Standing::Available | Standing::Suspect);
        let mut sites = (0..).zip(&self.world.sites);
        story.is_healthy() && sites.any(|(slot, site)| !is_asked(slot) && may_ask(slot) && serves(site))
    }

    /// Sees which cooldowns have ended: nothing else changes by time alone.
    fn look_for_the_cooled(&mut self) {
        if self.referee.standings.contains(&Standing::Cooling) {
            self.look();
        }
    }

    fn look(&mut self) {
        let standings = self.standings();
        let changed = self.referee.look(self.now, standings);
        self.note(changed);
    }

    fn note(&mut self, changed: Vec<usize>) {
        let change = |slot| Change { at: self.now, slot, to: self.referee.standings[slot] };
        self.changes.extend(changed.into_iter().map(change));
    }

    fn standings(&self) -> Vec<Standing> {
        let snapshot = self.pool.snapshot();
        snapshot.backends.iter().map(|backend| Standing::of(&backend.state)).collect()
    }
}

fn name(slot: usize) -> String {
    format!("b{slot}.example")
}
