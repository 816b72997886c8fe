//! Fairness: shares by weight inside a tier, within five standard deviations, in every state of the tier.

use std::time::Duration;

use lb_core::{Backend, Fault, Hint, HintSource, MockClock, Outcome, Pool, SeededRng, Step};

const PICKS: u32 = 20_000;

struct Tier {
    pool: Pool,
    clock: MockClock,
    weights: Vec<u32>,
}

impl Tier {
    fn new(weights: &[u32]) -> Self {
        let clock = MockClock::new();
        let backend = |(index, weight): (usize, &u32)| {
            Backend::builder(format!("b{index}.example")).name(index.to_string()).weight(*weight).build().unwrap()
        };
        let pool = Pool::builder().backends(weights.iter().enumerate().map(backend)).clock(clock.clone());
        Self { pool: pool.build().unwrap(), clock, weights: weights.to_vec() }
    }

    /// Takes these backends out for so many seconds.
    fn cool(&self, indices: &[usize], secs: u64) {
        let rng = SeededRng::new(9);
        let mut dispatch = self.pool.dispatch();
        while let Step::Try(attempt) = dispatch.next(|| self.pool.now(), &rng) {
            let backend = &self.pool.backends()[attempt.slot()];
            let is_meant = indices.iter().any(|index| backend.name() == index.to_string());
            let delay = Duration::from_secs(if is_meant { secs } else { 0 });
            let outcome = Outcome::Answered { status: 429, hint: Some(Hint::new(delay, HintSource::RetryAfter)) };
            let _ = dispatch.settle(outcome, || self.pool.now());
        }
    }

    /// The pick after so many others of the same request that failed over with a hint of zero; the last says nothing.
    fn pick_nth(&self, n: usize, rng: &SeededRng) -> Vec<usize> {
        let mut dispatch = self.pool.dispatch();
        let mut picked = Vec::new();
        let again = Outcome::Answered { status: 503, hint: Some(Hint::new(Duration::ZERO, HintSource::RetryAfter)) };
        for number in 0..=n {
            if number > 0 {
                let _ = dispatch.settle(again, || self.pool.now());
            }
            let Step::Try(attempt) = dispatch.next(|| self.pool.now(), rng) else { panic!("one is there") };
            picked.push(self.pool.backends()[attempt.slot()].name().parse().unwrap());
        }
        picked
    }

    /// The shares of first picks must be those of the weights of `among`.
    fn is_fair_among(&self, among: &[usize]) {
        let rng = SeededRng::new(7);
        let mut counts = vec![0_u32; self.weights.len()];
        for _ in 0..PICKS {
            counts[self.pick_nth(0, &rng)[0]] += 1;
        }
        let total: u32 = among.iter().map(|index| self.weights[*index]).sum();
        for (index, &count) in counts.iter().enumerate() {
            let share = if among.contains(&index) { f64::from(self.weights[index]) / f64::from(total) } else { 0.0 };
            is_within_five_sigma(count, share, &format!("b{index} of {counts:?}"));
        }
    }
}

fn is_within_five_sigma(count: u32, share: f64, of: &str) {
    let expected = f64::from(PICKS) * share;
    let sigma = (expected * (1.0 - share)).sqrt();
    assert!((f64::from(count) - expected).abs() <= 5.0 * sigma, "{count} instead of {expected:.0} for {of}");
}

#[test]
fn equals_get_equal_shares() {
    for count in [1, 2, 3, 5, 12] {
        let tier = Tier::new(&vec![1; count]);
        tier.is_fair_among(&(0..count).collect::<Vec<_>>());
    }
    // All equal is the same as all one.
    Tier::new(&[40, 40, 40]).is_fair_among(&[0, 1, 2]);
}

#[test]
fn shares_follow_the_weights() {
    Tier::new(&[1, 2, 3, 4]).is_fair_among(&[0, 1, 2, 3]);
    Tier::new(&[100, 1]).is_fair_among(&[0, 1]);
    Tier::new(&[1, 100, 7]).is_fair_among(&[0, 1, 2]);
}

#[test]
fn shares_follow_the_weights_of_the_rest_while_some_cool() {
    for weights in [[1, 1, 1, 1, 1], [1, 2, 3, 4, 5], [50, 1, 9, 9, 31]] {
        for cooling in [[0].as_slice(), &[4], &[1, 3], &[0, 1, 2], &[0, 2, 3, 4]] {
            let tier = Tier::new(&weights);
            tier.cool(cooling, 60);
            let rest: Vec<_> = (0..5).filter(|index| !cooling.contains(index)).collect();
            tier.is_fair_among(&rest);
        }
    }
}

#[test]
fn shares_are_those_of_the_start_once_the_cooldowns_have_passed() {
    let tier = Tier::new(&[1, 2, 3]);
    tier.cool(&[0, 2], 60);
    tier.clock.advance(Duration::from_secs(60));
    tier.is_fair_among(&[0, 1, 2]);
}

#[test]
fn with_nothing_else_left_suspects_are_asked_by_weight() {
    let tier = Tier::new(&[1, 2, 3, 4]);
    let mut dispatch = tier.pool.dispatch();
    for _ in 0..4 {
        assert!(matches!(dispatch.next(|| tier.pool.now(), &SeededRng::new(2)), Step::Try(_)));
        let _ = dispatch.settle(Outcome::Faulted(Fault::Connect), || tier.pool.now());
    }
    tier.is_fair_among(&[0, 1, 2, 3]);
}

#[test]
fn the_second_choice_follows_the_weights_of_those_that_were_not_tried() {
    for cooling in [[].as_slice(), &[3]] {
        let tier = Tier::new(&[1, 2, 3, 4]);
        tier.cool(cooling, 60);
        let rng = SeededRng::new(3);
        let (mut first, mut then) = ([0_u32; 4], [[0_u32; 4]; 4]);
        for _ in 0..PICKS {
            let picked = tier.pick_nth(1, &rng);
            first[picked[0]] += 1;
            then[picked[0]][picked[1]] += 1;
        }
        for (one, &times) in first.iter().enumerate().filter(|(one, _)| !cooling.contains(one)) {
            let rest = || (0..4_usize).filter(|other| *other != one && !cooling.contains(other));
            let total: usize = rest().map(|other| other + 1).sum();
            for other in rest() {
                let share = f64::from(u32::try_from(other + 1).unwrap()) / f64::from(u32::try_from(total).unwrap());
                let (n, got) = (f64::from(times), f64::from(then[one][other]));
                let sigma = (n * share * (1.0 - share)).sqrt();
                assert!((got - n * share).abs() <= 5.0 * sigma, "{one} then {other}: {got} of {n}");
            }
        }
    }
}
