//! The books: what callers began and got, and what servers received, held against each other.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// So long after a request ended nothing is heard of it.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(5);

/// As many violations are told in words.
const TOLD: usize = 10;

/// Everything that happened, and whether it was allowed. Times are arguments, in the order in which things happened to
/// whoever tells them: a server tells before it writes, a caller after it has read.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Books>);

#[derive(Debug, Default)]
struct Books {
    requests: HashMap<u64, Request>,
    cooldowns: Vec<Cooldown>,
    /// When a server closed its port. What waited in its queue was cut unseen.
    closed: Vec<Instant>,
    counts: Counts,
    told: Vec<String>,
}

/// How many requests came to what, and how many violations there were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// A 200 came.
    pub(crate) served: u64,
    /// After another backend had been asked.
    pub(crate) failed_over: u64,
    /// Their callers left before an answer.
    pub(crate) dropped: u64,
    /// The backend cut them, or let them hang, after they had gone out: errors by the rules.
    pub(crate) cut: u64,
    /// Received while a cooldown was under way that was not known when they were begun.
    pub(crate) in_flight: u64,
    /// Failed while a healthy backend had not been asked.
    pub(crate) lost: u64,
    /// Received again, though what was received before may have been executed.
    pub(crate) sent_twice: u64,
    /// Received by a backend within its cooldown.
    pub(crate) early: u64,
}

#[derive(Debug)]
struct Request {
    began: Instant,
    ended: Option<Instant>,
    /// It ended with an error that nobody has explained yet: a server that closes may read it later.
    is_unexplained: bool,
    arrivals: Vec<Arrival>,
}

#[derive(Debug, Clone, Copy)]
struct Arrival {
    backend: usize,
    fate: Fate,
}

#[derive(Debug, Clone, Copy)]
enum Fate {
    Open,
    /// The server wrote this status, from then on.
    Answered(u16, Instant),
    /// The server broke it off, or lets it hang.
    Cut,
}

#[derive(Debug)]
struct Cooldown {
    backend: usize,
    /// The request that was told.
    request: u64,
    /// Since when the balancer knows at the latest.
    known: Option<Instant>,
    until: Instant,
}

/// How a request ended for its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Status(u16),
    /// An error of the transport: it went out, and may have been executed.
    AfterSending,
    /// Any other error.
    Failed,
    Dropped,
}

impl Fate {
    /// Whether the same request may go on to another backend.
    fn lets_go_on(self) -> bool {
        matches!(self, Self::Answered(429 | 500.., _))
    }
}

impl Ledger {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn counts(&self) -> Counts {
        self.books().counts
    }

    /// The first violations, in words.
    pub(crate) fn told(&self) -> Vec<String> {
        self.books().told.clone()
    }

    /// A caller begins a request.
    pub(crate) fn began(&self, id: u64, now: Instant) {
        self.books()
            .requests
            .insert(id, Request { began: now, ended: None, is_unexplained: false, arrivals: Vec::new() });
    }

    /// A server has received a request whole.
    pub(crate) fn arrived(&self, id: u64, backend: usize, now: Instant) {
        let mut books = self.books();
        let books = &mut *books;
        let Some(request) = books.requests.get_mut(&id) else {
            books.counts.sent_twice += 1;
            return tell(&mut books.told, format!("request {id} came to backend {backend} long after its end"));
        };
        // The balancer cannot have picked this backend before: not before it began, nor before the last one answered.
        let mut picked_after = request.began;
        if let Some(last) = request.arrivals.last() {
            let was_there = request.arrivals.iter().any(|arrival| arrival.backend == backend);
            if was_there || !last.fate.lets_go_on() {
                books.counts.sent_twice += 1;
                tell(&mut books.told, format!("request {id} came to backend {backend} after {:?}", request.arrivals));
            }
            if let Fate::Answered(_, at) = last.fate {
                picked_after = at;
            }
        }
        request.arrivals.push(Arrival { backend, fate: Fate::Open });
        learn(&mut books.cooldowns, id, now);
        let mut under_way = books.cooldowns.iter().filter(|c| c.backend == backend && now < c.until).peekable();
        if under_way.peek().is_some() {
            match under_way.find(|cooldown| cooldown.known.is_some_and(|known| known < picked_after)) {
                Some(cooldown) => {
                    let left = cooldown.until - now;
                    books.counts.early += 1;
                    tell(&mut books.told, format!("request {id} came to backend {backend} {left:?} early"));
                }
                None => books.counts.in_flight += 1,
            }
        }
    }

    /// A server is about to write an answer, which tells it to stay away for `cooldown`, if it does.
    pub(crate) fn answers(&self, id: u64, status: u16, cooldown: Option<Duration>, now: Instant) {
        let mut books = self.books();
        let Some(backend) = books.set_fate(id, Fate::Answered(status, now)) else { return };
        if let Some(cooldown) = cooldown {
            books.cooldowns.push(Cooldown { backend, request: id, known: None, until: now + cooldown });
        }
    }

    /// A server is about to break a request off, or lets it hang.
    pub(crate) fn cuts(&self, id: u64) {
        self.books().set_fate(id, Fate::Cut);
    }

    /// A server is about to close its port.
    pub(crate) fn closes(&self, now: Instant) {
        self.books().closed.push(now);
    }

    /// A caller has its answer, its error, or is about to leave. The first call counts.
    pub(crate) fn ended(&self, id: u64, ending: Ending, now: Instant) {
        let mut books = self.books();
        let books = &mut *books;
        let Some(request) = books.requests.get_mut(&id).filter(|request| request.ended.is_none()) else { return };
        request.ended = Some(now);
        if ending != Ending::Dropped {
            learn(&mut books.cooldowns, id, now);
        }
        let counts = &mut books.counts;
        match ending {
            Ending::Status(200) => {
                counts.served += 1;
                counts.failed_over += u64::from(request.arrivals.len() > 1);
            }
            Ending::Dropped => counts.dropped += 1,
            Ending::AfterSending => request.is_unexplained = true,
            Ending::Status(_) | Ending::Failed => {
                counts.lost += 1;
                tell(&mut books.told, format!("request {id} was lost: {ending:?} after {:?}", request.arrivals));
            }
        }
    }

    /// Forgets what is long over.
    pub(crate) fn sweep(&self, now: Instant) {
        let is_recent = |then: Instant| now.duration_since(then) < FORGOTTEN_AFTER;
        let mut books = self.books();
        books.forget(is_recent);
        books.cooldowns.retain(|cooldown| now < cooldown.until || is_recent(cooldown.until));
        // A request may have begun long ago.
        books.closed.retain(|&closed| now.duration_since(closed) < 10 * FORGOTTEN_AFTER);
    }

    /// Nothing follows: decides what is still open.
    pub(crate) fn close(&self) {
        self.books().forget(|_| false);
    }
}

impl Books {
    /// Forgets the requests that did not end recently, and decides about their errors.
    fn forget(&mut self, is_recent: impl Fn(Instant) -> bool) {
        let Self { requests, closed, counts, told, .. } = self;
        requests.retain(|id, request| {
            let Some(ended) = request.ended.filter(|&ended| !is_recent(ended)) else { return true };
            if request.is_unexplained {
                let was_cut = match request.arrivals.last() {
                    Some(last) if !last.fate.lets_go_on() => true,
                    _ => closed.iter().any(|&closed| request.began <= closed && closed <= ended),
                };
                if was_cut {
                    counts.cut += 1;
                } else {
                    counts.lost += 1;
                    tell(told, format!("request {id} was lost after {:?}", request.arrivals));
                }
            }
            false
        });
    }

    /// Notes what becomes of a request at the backend that it came to last, which is returned.
    fn set_fate(&mut self, id: u64, fate: Fate) -> Option<usize> {
        let last = self.requests.get_mut(&id)?.arrivals.last_mut()?;
        last.fate = fate;
        Some(last.backend)
    }
}

/// The balancer has settled what this request was told: it went on, or returned.
fn learn(cooldowns: &mut [Cooldown], request: u64, now: Instant) {
    for cooldown in cooldowns.iter_mut().filter(|cooldown| cooldown.request == request) {
        cooldown.known.get_or_insert(now);
    }
}

fn tell(told: &mut Vec<String>, violation: String) {
    if told.len() < TOLD {
        told.push(violation);
    }
}

impl Counts {
    /// How often a rule was broken.
    pub(crate) fn violations(&self) -> u64 {
        self.lost + self.sent_twice + self.early
    }

    pub(crate) fn requests(&self) -> u64 {
        self.served + self.dropped + self.cut + self.lost
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "requests                  {:>9}", self.requests())?;
        writeln!(f, "  served                  {:>9}", self.served)?;
        writeln!(f, "    after a failover      {:>9}", self.failed_over)?;
        writeln!(f, "  dropped by the caller   {:>9}", self.dropped)?;
        writeln!(f, "  cut after they went out {:>9}", self.cut)?;
        writeln!(f, "in flight at a cooldown   {:>9}", self.in_flight)?;
        writeln!(f, "lost                      {:>9}", self.lost)?;
        writeln!(f, "sent twice                {:>9}", self.sent_twice)?;
        write!(f, "early                     {:>9}", self.early)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ledger and moments of it, in milliseconds.
    struct Scene(Ledger, Instant);

    impl Scene {
        fn new() -> Self {
            Self(Ledger::default(), Instant::now())
        }

        fn at(&self, milliseconds: u64) -> Instant {
            self.1 + Duration::from_millis(milliseconds)
        }

        /// A request that is throttled at backend 0 until 100, and of which the balancer knows from 20 on.
        fn throttled() -> Self {
            let scene = Self::new();
            scene.0.began(1, scene.at(0));
            scene.0.arrived(1, 0, scene.at(5));
            scene.0.answers(1, 429, Some(Duration::from_millis(90)), scene.at(10));
            scene.0.arrived(1, 1, scene.at(20));
            scene.0.answers(1, 200, None, scene.at(21));
            scene.0.ended(1, Ending::Status(200), scene.at(22));
            scene
        }
    }

    #[test]
    fn a_request_may_go_on_after_an_answer() {
        let counts = Scene::throttled().0.counts();
        assert_eq!(counts, Counts { served: 1, failed_over: 1, ..Counts::default() });
    }

    #[test]
    fn a_request_that_goes_on_after_a_cut_was_sent_twice() {
        for cut in [true, false] {
            let scene = Scene::new();
            scene.0.began(1, scene.at(0));
            scene.0.arrived(1, 0, scene.at(1));
            if cut {
                scene.0.cuts(1);
            }
            scene.0.arrived(1, 1, scene.at(2));
            assert_eq!((scene.0.counts().sent_twice, scene.0.told().len()), (1, 1));
        }
    }

    #[test]
    fn a_request_that_comes_to_the_same_backend_was_sent_twice_whatever_was_answered() {
        let scene = Scene::throttled();
        scene.0.arrived(1, 0, scene.at(300));
        assert_eq!(scene.0.counts().sent_twice, 1);
    }

    #[test]
    fn a_request_within_a_known_cooldown_is_early() {
        for (began, came, early, in_flight) in [(21, 99, 1, 0), (21, 100, 0, 0), (19, 99, 0, 1)] {
            let scene = Scene::throttled();
            scene.0.began(2, scene.at(began));
            scene.0.arrived(2, 0, scene.at(came));
            let counts = scene.0.counts();
            assert_eq!((counts.early, counts.in_flight), (early, in_flight), "{began}, {came}");
            assert_eq!(scene.0.told().len() as u64, early);
        }
    }

    #[test]
    fn a_failover_is_picked_after_the_answer_before_it() {
        for (answered, early) in [(19, 0), (21, 1)] {
            let scene = Scene::throttled();
            scene.0.began(2, scene.at(0));
            scene.0.arrived(2, 1, scene.at(18));
            scene.0.answers(2, 500, None, scene.at(answered));
            scene.0.arrived(2, 0, scene.at(50));
            assert_eq!(scene.0.counts().early, early);
        }
    }

    #[test]
    fn an_error_is_lost_unless_the_request_was_cut() {
        let cut = Counts { cut: 1, ..Counts::default() };
        let lost = Counts { lost: 1, ..Counts::default() };
        let after_an_answer = |status| Scene::after(move |ledger, now| ledger.answers(1, status, None, now));
        for (scene, ending, expected) in [
            (Scene::after(|ledger, _| ledger.cuts(1)), Ending::AfterSending, cut),
            (Scene::after(|_, _| {}), Ending::AfterSending, cut),
            (after_an_answer(200), Ending::AfterSending, cut),
            (after_an_answer(429), Ending::AfterSending, lost),
            (after_an_answer(500), Ending::AfterSending, lost),
            (after_an_answer(429), Ending::Status(429), lost),
            (Scene::after(|ledger, _| ledger.cuts(1)), Ending::Failed, lost),
        ] {
            scene.0.ended(1, ending, scene.at(3));
            scene.0.close();
            assert_eq!(scene.0.counts(), expected, "{ending:?}");
        }
    }

    impl Scene {
        fn after(fate: impl FnOnce(&Ledger, Instant)) -> Self {
            let scene = Self::new();
            scene.0.began(1, scene.at(0));
            scene.0.arrived(1, 0, scene.at(1));
            fate(&scene.0, scene.at(2));
            scene
        }
    }

    #[test]
    fn what_waited_at_a_port_that_was_closed_was_cut_unseen() {
        for (closed, lost) in [(0, 1), (2, 0), (4, 1)] {
            let scene = Scene::new();
            scene.0.began(1, scene.at(1));
            scene.0.closes(scene.at(closed));
            scene.0.ended(1, Ending::AfterSending, scene.at(3));
            scene.0.close();
            assert_eq!(scene.0.counts().lost, lost, "{closed}");
        }
    }

    #[test]
    fn a_server_that_closes_may_read_what_it_cut_after_its_caller_has_heard() {
        for (is_read, lost) in [(true, 0), (false, 1)] {
            let scene = Scene::new();
            scene.0.began(1, scene.at(0));
            scene.0.ended(1, Ending::AfterSending, scene.at(1));
            scene.0.sweep(scene.at(2));
            if is_read {
                scene.0.arrived(1, 0, scene.at(3));
                scene.0.cuts(1);
            }
            scene.0.sweep(scene.at(1) + FORGOTTEN_AFTER);
            assert_eq!(scene.0.counts(), Counts { lost, cut: 1 - lost, ..Counts::default() });
        }
    }

    #[test]
    fn what_is_over_is_forgotten_and_its_ghost_is_not() {
        let scene = Scene::throttled();
        scene.0.sweep(scene.at(22) + FORGOTTEN_AFTER);
        scene.0.arrived(1, 1, scene.at(6_000));
        assert_eq!(scene.0.counts().sent_twice, 1);
    }
}
