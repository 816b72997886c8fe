//! A million requests while a pool is replaced a thousand times: none is lost, none is sent to a backend that is known to be
//! out, and the counters are right at rest. One history on the mock clock, step by step, and one with threads.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use lb_core::{
    Backend, Counters, Dispatch, Hint, HintSource, Instant, MockClock, Outcome, Pool, PoolBuilder, ReplaceablePool,
    Rng, SeededRng, Step, Verdict,
};
use lb_tests::stage::host;

const REQUESTS: u64 = 1_000_000;
const REPLACEMENTS: u64 = 1_000;
const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const SERVED: Outcome = Outcome::Answered { status: 200, hint: None };

/// Draws pools. A backend that is there anew, or at another endpoint, has a number that none had before it: it is its
/// deployment, by which tests know it.
struct Pools {
    rng: SeededRng,
    numbers: HashMap<&'static str, usize>,
    next: usize,
}

impl Pools {
    fn new(seed: u64) -> Self {
        Self { rng: SeededRng::new(seed), numbers: HashMap::new(), next: 0 }
    }

    fn draw(&self, below: usize) -> usize {
        usize::try_from(self.rng.next_u64() >> 1).unwrap() % below
    }

    fn builder(&mut self) -> PoolBuilder {
        let chosen: Vec<_> = NAMES.into_iter().filter(|_| self.draw(3) > 0).collect();
        let chosen = if chosen.is_empty() { vec![NAMES[0]] } else { chosen };
        let before = std::mem::take(&mut self.numbers);
        let mut builder = Pool::builder();
        for name in chosen {
            let kept = before.get(name).copied().filter(|_| self.draw(5) > 0);
            let number = kept.unwrap_or_else(|| {
                self.next += 1;
                self.next
            });
            self.numbers.insert(name, number);
            let [priority, weight] = [self.draw(3), self.draw(2)].map(|drawn| u32::try_from(drawn).unwrap() + 1);
            builder =
                builder.backend(host(name, priority).weight(weight).deployment(number.to_string()).build().unwrap());
        }
        builder
    }
}

fn number(backend: &Backend) -> usize {
    backend.deployment().unwrap().parse().unwrap()
}

fn micros(micros: usize) -> Duration {
    Duration::from_micros(micros as u64)
}

fn throttled(hint: Duration) -> Outcome {
    Outcome::Answered { status: 429, hint: Some(Hint::new(hint, HintSource::RetryAfterMs)) }
}

/// Both sums, and that nothing is under way.
fn check_at_rest(counters: Counters, attempts: u64, throttles: u64, cancelled: u64) {
    assert_eq!((counters.attempts, counters.in_flight), (attempts, 0));
    let successes = attempts - throttles - cancelled;
    assert_eq!((counters.throttles, counters.cancelled, counters.successes), (throttles, cancelled, successes));
}

/// One request, under way on some pool.
struct Walk {
    dispatch: Dispatch<Arc<Pool>>,
    /// Where its attempt is, and where it has been.
    at: usize,
    tried: HashSet<usize>,
}

/// What is known in the history that is told step by step: until when each backend is out.
#[derive(Default)]
struct Known {
    until: HashMap<usize, Instant>,
    drained: HashSet<usize>,
    counts: HashMap<usize, u64>,
    attempts: u64,
    refused: u64,
}

impl Known {
    fn is_out(&self, number: usize, now: Instant) -> bool {
        self.drained.contains(&number) || self.until.get(&number).is_some_and(|until| *until > now)
    }

    /// The next attempt of a walk, if it has one; checks that it goes where it may, and is not refused where it could go.
    fn go_on(&mut self, mut walk: Walk, now: Instant, rng: &SeededRng) -> Option<Walk> {
        let pool = Arc::clone(walk.dispatch.pool());
        match walk.dispatch.next(|| now, rng) {
            Step::Try(attempt) => {
                walk.at = number(pool.target(&attempt).backend());
                assert!(!self.is_out(walk.at, now), "it is out");
                assert!(walk.tried.insert(walk.at), "it has been there");
                *self.counts.entry(walk.at).or_default() += 1;
                self.attempts += 1;
                Some(walk)
            }
            Step::Exhausted(_) | Step::ReturnLast(_) => {
                let mut numbers = pool.backends().iter().map(number);
                assert!(numbers.all(|number| walk.tried.contains(&number) || self.is_out(number, now)), "it is lost");
                self.refused += 1;
                None
            }
            Step::Wait(_) => panic!("nobody waits in these pools"),
        }
    }
}

#[test]
fn on_the_mock_clock() {
    let mut pools = Pools::new(7);
    let clock = MockClock::new();
    let pool = ReplaceablePool::from(pools.builder().clock(clock.clone()).build().unwrap());
    let rng = SeededRng::new(8);
    let mut known = Known::default();
    let (mut open, mut throttles, mut cancelled): (Vec<Walk>, u64, u64) = (Vec::new(), 0, 0);
    for request in 0..REQUESTS {
        if request % (REQUESTS / REPLACEMENTS) == 0 {
            let before = pools.numbers.clone();
            let _ = pool.replace(pools.builder()).unwrap();
            for (name, number) in before {
                if pools.numbers.get(name) != Some(&number) && known.drained.contains(&number) {
                    // It stays out for those who are on the old pool.
                    assert!(!pool.pool().backends().iter().any(|backend| self::number(backend) == number));
                }
            }
        }
        clock.advance(micros(pools.draw(50)));
        let now = lb_core::Clock::now(&clock);
        if pools.draw(500) == 0 {
            let (name, number) = pools.numbers.iter().map(|(name, number)| (*name, *number)).min().unwrap();
            if known.drained.remove(&number) {
                assert!(pool.pool().reopen(name));
            } else {
                known.drained.insert(number);
                assert!(pool.pool().drain(name));
            }
        }
        let walk = Walk { dispatch: Dispatch::new(pool.pool()), at: 0, tried: HashSet::new() };
        open.extend(known.go_on(walk, now, &rng));
        // Some end late, on a pool that has been replaced long since.
        while open.len() > pools.draw(64) {
            let place = pools.draw(open.len());
            let mut walk = open.swap_remove(place);
            match pools.draw(10) {
                0 => cancelled += 1,
                1..=3 => {
                    let hint = micros(1 + pools.draw(150));
                    assert_eq!(walk.dispatch.settle(throttled(hint), || now), Verdict::FailOver);
                    throttles += 1;
                    let until = known.until.entry(walk.at).or_insert(now);
                    *until = now.saturating_add(hint).max(*until);
                    open.extend(known.go_on(walk, now, &rng));
                }
                _ => assert_eq!(walk.dispatch.settle(SERVED, || now), Verdict::Return),
            }
        }
    }
    cancelled += open.len() as u64;
    drop(open);
    let snapshot = pool.pool().snapshot();
    for backend in &snapshot.backends {
        assert_eq!(backend.counters.attempts, known.counts.get(&number(&backend.backend)).copied().unwrap_or_default());
    }
    check_at_rest(snapshot.counters(), known.attempts, throttles, cancelled);
    let Known { attempts, refused, .. } = known;
    let was_put_to_the_test = attempts > REQUESTS && throttles > REQUESTS / 20 && refused > 1_000 && pools.next > 1_000;
    assert!(was_put_to_the_test, "{attempts} {throttles} {cancelled} {refused} {}", pools.next);
}

#[test]
fn on_threads() {
    const THREADS: u64 = 4;
    let mut pools = Pools::new(9);
    let clock = MockClock::new();
    let pool = ReplaceablePool::from(pools.builder().clock(clock.clone()).build().unwrap());
    // Until when each is out, by the words of attempts that have been settled.
    let until: Vec<_> = (0..REPLACEMENTS * 6).map(|_| AtomicU64::new(0)).collect();
    let [begun, attempts, throttles] = [(); 3].map(|()| AtomicU64::new(0));
    let request = |rng: &SeededRng| {
        let mut dispatch = Dispatch::new(pool.pool());
        let pool = Arc::clone(dispatch.pool());
        loop {
            // What is known before it chooses holds for it, as long as the clock has not moved on by then.
            let known: Vec<_> =
                pool.backends().iter().map(|backend| until[number(backend)].load(Ordering::SeqCst)).collect();
            let Step::Try(attempt) = dispatch.next(|| pool.now(), rng) else { return };
            let sent_to = number(pool.target(&attempt).backend());
            let slot = pool.backends().iter().position(|backend| number(backend) == sent_to).unwrap();
            assert!(known[slot] <= pool.now().as_nanos(), "it is out");
            attempts.fetch_add(1, Ordering::Relaxed);
            if rng.next_u64() & 3 > 0 {
                assert_eq!(dispatch.settle(SERVED, || pool.now()), Verdict::Return);
                return;
            }
            throttles.fetch_add(1, Ordering::Relaxed);
            let (hint, now) = (Duration::from_micros(1 + rng.next_u64() % 500), pool.now());
            assert_eq!(dispatch.settle(throttled(hint), || now), Verdict::FailOver);
            let out_until = now.saturating_add(hint).as_nanos();
            until[sent_to].fetch_max(out_until, Ordering::SeqCst);
        }
    };
    thread::scope(|scope| {
        let (begun, clock, request) = (&begun, &clock, &request);
        let callers = (0..THREADS).map(|thread| {
            scope.spawn(move || {
                let rng = SeededRng::new(100 + thread);
                while begun.fetch_add(1, Ordering::Relaxed) < REQUESTS {
                    request(&rng);
                    clock.advance(Duration::from_micros(20));
                }
            })
        });
        let callers: Vec<_> = callers.collect();
        for replacement in 1..=REPLACEMENTS {
            let is_early = || begun.load(Ordering::Relaxed) < replacement * (REQUESTS / REPLACEMENTS);
            while is_early() && !callers.iter().any(|caller| caller.is_finished()) {
                thread::yield_now();
            }
            let _ = pool.replace(pools.builder()).unwrap();
        }
    });
    let [attempts, throttles] = [&attempts, &throttles].map(|count| count.load(Ordering::Relaxed));
    check_at_rest(pool.pool().snapshot().counters(), attempts, throttles, 0);
    assert!(attempts > REQUESTS / 2 && throttles > REQUESTS / 10);
}
