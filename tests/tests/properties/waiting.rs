//! What holds of every pool whose requests wait, whatever happens and in which order.

use std::time::Duration;

use lb_core::{
    Backend, Dispatch, Hint, HintSource, Instant, MockClock, Outcome, Pool, SeededRng, State, Step, Verdict, Wait,
    Wishes,
};
use proptest::prelude::*;

use crate::cases;

/// What happens next, to whichever request the number falls on.
#[derive(Debug, Clone)]
enum Act {
    Begin(Wish),
    Ask(usize),
    Settle(usize, u16, u64),
    Drop(usize),
    Pass(u64),
    Drain(usize),
    Reopen(usize),
}

#[derive(Debug, Clone, Copy)]
enum Wish {
    Nothing,
    Within(u64),
    Pin(usize),
    NoWait,
    Key(u8),
}

fn act() -> impl Strategy<Value = Act> {
    let millis = prop_oneof![1..300_u64, 300..8_000_u64];
    let wish = prop_oneof![
        4 => Just(Wish::Nothing),
        2 => millis.clone().prop_map(Wish::Within),
        1 => (0..3_usize).prop_map(Wish::Pin),
        1 => Just(Wish::NoWait),
        1 => (0..4_u8).prop_map(Wish::Key),
    ];
    let status = prop_oneof![6 => Just(429_u16), 2 => Just(200), 1 => Just(500), 1 => Just(404)];
    prop_oneof![
        4 => wish.prop_map(Act::Begin),
        8 => any::<usize>().prop_map(Act::Ask),
        6 => (any::<usize>(), status, millis.clone()).prop_map(|(who, status, hint)| Act::Settle(who, status, hint)),
        1 => any::<usize>().prop_map(Act::Drop),
        4 => millis.prop_map(Act::Pass),
        1 => (0..3_usize).prop_map(Act::Drain),
        2 => (0..3_usize).prop_map(Act::Reopen),
    ]
}

/// A request under way, and what is known of it.
struct Walk<'p> {
    dispatch: Dispatch<&'p Pool>,
    wish: Wish,
    begun: Instant,
    /// When it first waited.
    waited: Option<Instant>,
    waits: bool,
    open: bool,
    has_left: bool,
}

struct World<'p> {
    pool: &'p Pool,
    clock: MockClock,
    wait: Wait,
    rng: SeededRng,
    walks: Vec<Walk<'p>>,
}

impl<'p> World<'p> {
    fn begin(&mut self, wish: Wish) {
        let wishes = match wish {
            Wish::Nothing => Wishes::new(),
            Wish::Within(millis) => Wishes::new().within(Duration::from_millis(millis)),
            Wish::Pin(slot) => Wishes::new().pin(self.pool.backends()[slot].name()),
            Wish::NoWait => Wishes::new().wait(false),
            Wish::Key(key) => Wishes::new().affinity([key]),
        };
        let dispatch = self.pool.dispatch_with(wishes).unwrap();
        let begun = self.pool.now();
        self.walks.push(Walk { dispatch, wish, begun, waited: None, waits: false, open: false, has_left: false });
        self.ask(self.walks.len() - 1);
    }

    fn waiting(&self) -> usize {
        self.walks.iter().filter(|walk| walk.waits).count()
    }

    fn ask(&mut self, who: usize) {
        let (now, before, wait) = (self.pool.now(), self.waiting(), self.wait);
        let states: Vec<_> = self.pool.snapshot().backends.into_iter().map(|backend| backend.state).collect();
        let Some(walk) = self.walks.get_mut(who).filter(|walk| !walk.open) else { return };
        let step = walk.dispatch.next(|| now, &self.rng);
        walk.waits = matches!(step, Step::Wait(_));
        match step {
            Step::Try(attempt) => {
                let out = matches!(states[attempt.slot()], State::Cooling { .. } | State::Drained);
                assert!(!out, "sent to {:?}", states[attempt.slot()]);
                assert!(!matches!(walk.wish, Wish::Pin(slot) if slot != attempt.slot()));
                if let Wish::Within(millis) = walk.wish {
                    assert!(now < walk.begun.saturating_add(Duration::from_millis(millis)));
                }
                (walk.open, walk.has_left) = (true, true);
            }
            Step::Wait(until) => {
                let is_new = walk.waited.is_none();
                let first = *walk.waited.get_or_insert(now);
                assert!(until >= now && until <= first.saturating_add(wait.longest), "beyond its patience");
                assert!(!matches!(walk.wish, Wish::NoWait));
                if let Wish::Within(millis) = walk.wish {
                    assert!(until <= walk.begun.saturating_add(Duration::from_millis(millis)), "beyond its deadline");
                }
                assert!(!is_new || before < wait.queue, "let in where the queue is full");
                // As soon as whatever it can go to is back, never before; what is back is its turn later.
                let soonest = states.iter().enumerate().filter_map(|(slot, state)| match (walk.wish, state) {
                    (Wish::Pin(pinned), _) if pinned != slot => None,
                    (_, State::Cooling { until, .. }) => Some(*until),
                    (_, State::Available) => Some(now),
                    _ => None,
                });
                assert!(until >= soonest.min().unwrap());
            }
            Step::Exhausted(_) | Step::ReturnLast(_) => drop(self.walks.swap_remove(who)),
        }
    }

    fn settle(&mut self, who: usize, status: u16, hint: u64) {
        let now = self.pool.now();
        let Some(walk) = self.walks.get_mut(who).filter(|walk| walk.open) else { return };
        let hint = (status == 429).then(|| Hint::new(Duration::from_millis(hint), HintSource::RetryAfterMs));
        walk.open = false;
        match walk.dispatch.settle(Outcome::Answered { status, hint }, || now) {
            Verdict::Return => drop(self.walks.swap_remove(who)),
            Verdict::FailOver => self.ask(who),
        }
    }

    fn play(&mut self, act: Act) {
        let who = |who: usize| who % self.walks.len().max(1);
        let name = |slot: usize| self.pool.backends()[slot].name();
        match act {
            Act::Begin(wish) => self.begin(wish),
            Act::Ask(number) => self.ask(who(number)),
            Act::Settle(number, status, hint) => self.settle(who(number), status, hint),
            Act::Drop(number) if !self.walks.is_empty() => drop(self.walks.swap_remove(who(number))),
            Act::Drop(_) => {}
            Act::Pass(millis) => self.clock.advance(Duration::from_millis(millis)),
            Act::Drain(slot) => drop(self.pool.drain(name(slot))),
            Act::Reopen(slot) => drop(self.pool.reopen(name(slot))),
        }
        let waits = self.pool.snapshot().waits;
        assert_eq!(waits.waiting, self.waiting(), "who waits is who has a place");
        // Those that were let in again beside a full queue had been sent from it.
        let returned = self.walks.iter().filter(|walk| walk.waits && walk.has_left).count();
        assert!(waits.waiting <= self.wait.queue + returned);
    }
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn nobody_is_sent_early_waits_too_long_or_leaves_a_place_behind(
        acts in prop::collection::vec(act(), 1..120),
        longest in 200..10_000_u64,
        queue in 1..6_usize,
    ) {
        let clock = MockClock::new();
        let wait = Wait { longest: Duration::from_millis(longest), queue };
        let backend = |(name, priority)| Backend::builder(format!("{name}.example")).name(name).priority(priority).build().unwrap();
        let backends = [("a", 1), ("b", 1), ("c", 2)].map(backend);
        let pool = Pool::builder().backends(backends).wait(wait).clock(clock.clone()).build().unwrap();
        let mut world = World { pool: &pool, clock, wait, rng: SeededRng::new(7), walks: Vec::new() };
        for act in acts {
            world.play(act);
        }
        world.walks.clear();
        let snapshot = pool.snapshot();
        prop_assert_eq!(snapshot.waits.waiting, 0);
        prop_assert!(snapshot.backends.iter().all(|backend| backend.counters.in_flight == 0));
    }
}
