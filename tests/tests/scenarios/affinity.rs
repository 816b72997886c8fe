//! Requests with a key, which stay where their prompt is in a cache.

use std::{collections::BTreeMap, time::Duration};

use lb_core::{Dispatch, Outcome, Pool, SeededRng, Step, Wishes, test_util::Reply};
use lb_tests::stage::{ask, host, on_every_drive};

/// A pool of backends of these names, priorities and weights.
fn pool(backends: &[(&str, u32, u32)]) -> Pool {
    Pool::new(backends.iter().map(|&(name, priority, weight)| host(name, priority).weight(weight).build().unwrap()))
        .unwrap()
}

fn begin<'p>(pool: &'p Pool, key: &str) -> Dispatch<&'p Pool> {
    pool.dispatch_with(Wishes::new().affinity(key)).unwrap()
}

fn next(pool: &Pool, dispatch: &mut Dispatch<&Pool>) -> String {
    let Step::Try(attempt) = dispatch.next(|| pool.now(), &SeededRng::new(1)) else { panic!("nobody is left") };
    pool.backends()[attempt.slot()].name().to_owned()
}

fn home(pool: &Pool, key: &str) -> String {
    let mut dispatch = begin(pool, key);
    let name = next(pool, &mut dispatch);
    let _ = dispatch.settle(Outcome::Answered { status: 200, hint: None }, || pool.now());
    name
}

fn keys(count: u32) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("user-{number}"))
}

/// Pearson's statistic of how many keys each backend has, against its share of the weights.
fn chi_square(backends: &[(&str, u32, u32)], count: u32) -> f64 {
    let pool = pool(backends);
    let mut homes: BTreeMap<String, u32> = BTreeMap::new();
    keys(count).for_each(|key| *homes.entry(home(&pool, &key)).or_default() += 1);
    let total: u32 = backends.iter().map(|(_, _, weight)| weight).sum();
    let term = |&(name, _, weight): &(&str, u32, u32)| {
        let expected = f64::from(count) * f64::from(weight) / f64::from(total);
        (f64::from(homes.get(name).copied().unwrap_or(0)) - expected).powi(2) / expected
    };
    backends.iter().map(term).sum()
}

#[test]
fn keys_are_spread_by_weight() {
    // The quantiles of 99.9 % at 3 and 7 degrees of freedom (NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.4).
    let four = [("a", 1, 1), ("b", 1, 1), ("c", 1, 1), ("d", 1, 1)];
    assert!(chi_square(&four, 20_000) < 16.266);
    let uneven = [("a", 1, 1), ("b", 1, 2), ("c", 1, 30), ("d", 1, 100)];
    assert!(chi_square(&uneven, 20_000) < 16.266);
    let eight = ["a", "b", "c", "d", "e", "f", "g", "h"].map(|name| (name, 1, 1));
    assert!(chi_square(&eight, 20_000) < 24.322);
}

#[test]
fn pools_agree_whatever_the_order_of_their_backends() {
    let one = pool(&[("a", 1, 2), ("b", 1, 1), ("c", 1, 1)]);
    let other = pool(&[("c", 1, 1), ("a", 1, 2), ("b", 1, 1)]);
    assert!(keys(1_000).all(|key| home(&one, &key) == home(&other, &key)));
}

#[test]
fn where_one_of_n_goes_only_its_keys_move_and_evenly() {
    for weights in [[1; 5], [1, 2, 3, 4, 5]] {
        let all: Vec<_> =
            ["a", "b", "c", "d", "e"].into_iter().zip(weights).map(|(name, weight)| (name, 1, weight)).collect();
        let (before, after) = (pool(&all), pool(&all[1..]));
        let (mut of_a, mut moved) = (0, BTreeMap::<String, u32>::new());
        for key in keys(10_000) {
            let (old, new) = (home(&before, &key), home(&after, &key));
            if old == "a" {
                of_a += 1;
                *moved.entry(new).or_default() += 1;
            } else {
                assert_eq!(old, new, "{key}");
            }
        }
        let share = 10_000 / weights.iter().sum::<u32>();
        assert!(of_a > share * 8 / 10 && of_a < share * 12 / 10, "{of_a}");
        assert_eq!(moved.len(), 4);
        for (name, count) in &moved {
            let weight = all.iter().find(|(other, ..)| other == name).unwrap().2;
            let expected = of_a * weight / weights[1..].iter().sum::<u32>();
            assert!(*count > expected / 2 && *count < expected * 3 / 2, "{moved:?}");
        }
    }
}

#[test]
fn a_key_yields_to_health_and_comes_back() {
    let backends = [("a", 1), ("b", 1), ("c", 1), ("d", 2)];
    on_every_drive(
        || Pool::builder().backends(backends.map(|(name, priority)| host(name, priority).build().unwrap())),
        |stage| {
            let send = || {
                let mut request = ask();
                request.extensions_mut().insert(Wishes::new().affinity("conversation"));
                let _ = stage.send(request).unwrap();
                stage.asked()
            };
            let home = send()[0].clone();
            assert!((0..20).all(|_| send() == [home.clone()]), "it stays");
            stage.transport.reply(&home, Reply::status(429).header("retry-after", "5"));
            let [first, second] = send().try_into().unwrap();
            assert!(first == home && second != home && second != "d");
            assert_eq!(send(), [second], "meanwhile it stays at the second of its order");
            stage.wait(Duration::from_secs(5));
            assert_eq!(send(), [home], "and comes back");
        },
    );
}

#[test]
fn a_better_priority_goes_before_a_key() {
    let pool = pool(&[("a", 1, 1), ("b", 2, 1), ("c", 2, 1)]);
    assert!(keys(50).all(|key| home(&pool, &key) == "a"));
}

#[test]
fn a_request_with_a_key_probes_a_suspect_that_is_due() {
    on_every_drive(
        || Pool::builder().backends([host("a", 1).build().unwrap(), host("b", 1).build().unwrap()]).strikes(1),
        |stage| {
            stage.transport.reply("a", Reply::status(500)).reply("b", Reply::status(200));
            while stage.strikes() == [0, 0] && stage.cooling("a").is_none() {
                let _ = stage.ask();
            }
            stage.wait_secs(10);
            let _ = stage.asked();
            let mut request = ask();
            request.extensions_mut().insert(Wishes::new().affinity("x"));
            let _ = stage.send(request).unwrap();
            assert_eq!(stage.asked(), ["a"]);
        },
    );
}
