//! V10, V11 and V12: what workers that know nothing of each other choose and find out.

use lb_core::{Backend, MockClock, Pool, Step};
use lb_sim::random::{Draws, Purpose};
use rayon::prelude::*;

use crate::{
    case::{Case, Figure, REPLICATIONS, Ratio, Rule, replicate, seconds, simulation},
    theory,
};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (workers, arrivals) in [(1, 20), (4, 20), (16, 20), (64, 20), (64, 200)] {
        cases.push(outage(workers, arrivals));
    }
    cases.extend([1, 4, 16].map(full_window));
    cases.extend([[1, 1, 1], [1, 2, 5]].map(split));
    cases.extend([first_choices(), first_choices_of_dispatches()]);
    cases
}

/// V10: an outage that every worker has to notice by itself; a refusal takes the backend out for as long as it lasts.
fn outage(workers: u32, arrivals: u32) -> Case {
    let expected = theory::discoveries(workers, f64::from(arrivals));
    Case {
        row: "V10",
        name: format!("{workers} private workers, {arrivals} requests per outage of 1 s; balancer, no refusal latency"),
        figures: vec![Figure::new("refusals per outage", expected, Rule::Exact(0.003 * expected))],
        // Three seconds per outage. Every request at the best backend asks every outage whether it is on.
        long: if arrivals > 100 { 6_000 } else { 30_000 } * 3 * u64::from(arrivals),
        short: 600 * 3 * u64::from(arrivals),
        sample: Box::new(move |requests| {
            let outages = seconds(requests, 3.0 * f64::from(arrivals));
            let faults: String = (0..outages)
                .map(|n| {
                    format!(
                        "[[fault]]\nbackend = \"best\"\nkind = \"status\"\nhint = \"1s\"\nat = \"{}s\"\nfor = \"1s\"\n",
                        3 * n + 1
                    )
                })
                .collect();
            let scenario = format!(
                r#"
                [run]
                duration = "{}s"
                [clients]
                workers = {workers}
                [[backend]]
                name = "best"
                refusal_latency = "0s"
                [[backend]]
                name = "next"
                priority = 2
                [[workload]]
                name = "calls"
                kind = "poisson"
                rate = {arrivals}
                input = 1
                output = 1
                {faults}
                "#,
                3 * outages + 1,
            );
            replicate(&scenario, |run| vec![(run.backends[0].server_errors as f64, outages as f64)])
        }),
    }
}

/// V10 with a window of one request as what throttles, and exact hints.
fn full_window(workers: u32) -> Case {
    let expected = theory::discoveries_after_the_first(workers, 20.0);
    Case {
        row: "V10",
        name: format!("{workers} private workers, 20 requests per window of 1; balancer, no refusal latency"),
        figures: vec![Figure::new("429s per window", expected, Rule::Exact(0.003 * expected))],
        long: 4_000_000,
        short: 30_000,
        sample: Box::new(move |requests| {
            // A long window, because hints are whole milliseconds.
            let windows = seconds(requests, 20.0);
            let scenario = format!(
                r#"
                [run]
                duration = "{}s"
                [clients]
                workers = {workers}
                [[backend]]
                name = "best"
                refusal_latency = "0s"
                window = [{{ unit = "requests", limit = 1, length = "200s", phase = "0s" }}]
                [[backend]]
                name = "next"
                priority = 2
                [[workload]]
                name = "calls"
                kind = "poisson"
                rate = 0.1
                input = 1
                output = 1
                "#,
                200 * windows,
            );
            replicate(&scenario, |run| vec![(run.backends[0].throttles as f64, windows as f64)])
        }),
    }
}

/// V11: a random split over three backends of one priority.
fn split(weights: [u32; 3]) -> Case {
    let total = f64::from(weights.iter().sum::<u32>());
    let shares = weights.map(|weight| f64::from(weight) / total);
    Case {
        row: "V11",
        name: format!("random split over three backends of weights {weights:?}; balancer"),
        figures: vec![
            // The mean of chi-square over its degrees of freedom; with equal weights it is the squared CV of the counts
            // over (K - 1) / n.
            Figure::new("variance of the counts over a multinomial's", 1.0, Rule::Exact(1.0)),
            Figure::new("p of chi-square over all", 1.0, Rule::AtLeast(1e-4)),
        ],
        long: 12_000_000,
        short: 60_000,
        sample: Box::new(move |requests| {
            let backends: String = weights
                .iter()
                .enumerate()
                .map(|(number, weight)| format!("[[backend]]\nname = \"b{number}\"\nweight = {weight}\n"))
                .collect();
            let scenario = format!(
                r#"
                [run]
                duration = "{}s"
                {backends}
                [[workload]]
                name = "calls"
                kind = "constant"
                rate = 1000
                input = 1
                output = 1
                "#,
                seconds(requests, 1_000.0),
            );
            let counts =
                replicate(&scenario, |run| run.backends.iter().map(|backend| (backend.attempts as f64, 1.0)).collect());
            let whole = |counts: &[Ratio]| counts.iter().map(|(count, _)| *count as u64).collect::<Vec<u64>>();
            let mut sums = vec![0; 3];
            for counts in &counts {
                sums.iter_mut().zip(whole(counts)).for_each(|(sum, count)| *sum += count);
            }
            let p = theory::chi_square_tail_of_two(theory::chi_square(&sums, &shares));
            counts.iter().map(|counts| vec![(theory::chi_square(&whole(counts), &shares), 2.0), (p, 1.0)]).collect()
        }),
    }
}

/// How many of four workers' choices among three are the same, and how many backends are chosen.
fn figures(bound: f64) -> Vec<Figure> {
    let distinct = 3.0 * (1.0 - (2.0_f64 / 3.0).powi(4));
    vec![
        Figure::new("all on one", 1.0 / 27.0, Rule::Exact(bound / 27.0)),
        Figure::new("distinct backends", distinct, Rule::Exact(bound * distinct)),
    ]
}

fn tell(chosen: [u64; 3]) -> (u64, u64) {
    (u64::from(chosen.contains(&4)), chosen.iter().filter(|&&n| n > 0).count() as u64)
}

/// V12: the first choices of four new workers, each replication of a run of four requests.
fn first_choices() -> Case {
    Case {
        row: "V12",
        name: "first choices of 4 workers among 3 backends; balancer".to_owned(),
        // A run for every sample costs too much for one per cent.
        figures: figures(0.15),
        long: 30_000,
        short: 1_500,
        sample: Box::new(|runs| {
            let simulation = simulation(
                r#"
                [run]
                duration = "4s"
                [clients]
                workers = 4
                assignment = "round-robin"
                [[backend]]
                name = "a"
                [[backend]]
                name = "b"
                [[backend]]
                name = "c"
                [[workload]]
                name = "calls"
                kind = "constant"
                rate = 1
                input = 1
                output = 1
                "#,
            );
            let each = runs / REPLICATIONS;
            let batch = |batch| {
                let (mut same, mut distinct) = (0, 0);
                for replication in batch * each..(batch + 1) * each {
                    let run = simulation.run(replication);
                    assert!(run.workers.iter().all(|worker| worker.offered == 1));
                    let told = tell([0, 1, 2].map(|backend: usize| run.backends[backend].attempts));
                    (same, distinct) = (same + told.0, distinct + told.1);
                }
                vec![(same as f64, each as f64), (distinct as f64, each as f64)]
            };
            (0..REPLICATIONS).into_par_iter().map(batch).collect()
        }),
    }
}

/// V12 with the balancer's walks alone, as the engine drives them: enough of them for one per cent.
fn first_choices_of_dispatches() -> Case {
    Case {
        row: "V12",
        name: "the same by lb-core's Dispatch under the keyed draws".to_owned(),
        figures: figures(0.01),
        long: 12_000_000,
        short: 60_000,
        sample: Box::new(|blocks| {
            let backend = |name: &str| Backend::builder(format!("{name}.example")).name(name).build().unwrap();
            let each = blocks / REPLICATIONS;
            let batch = |batch| {
                let pool = Pool::builder().clock(MockClock::new()).backends(["a", "b", "c"].map(backend)).build();
                let pool = pool.unwrap();
                let draws = Draws::new(batch);
                let (mut same, mut distinct) = (0, 0);
                for block in 0..each {
                    let mut chosen = [0; 3];
                    for worker in 0..4 {
                        let mut dispatch = pool.dispatch();
                        let rng = draws.rng(Purpose::Choice, 4 * block + worker, 0);
                        let Step::Try(attempt) = dispatch.next(|| pool.now(), &rng) else { panic!("nothing cools") };
                        chosen[attempt.slot()] += 1;
                    }
                    let told = tell(chosen);
                    (same, distinct) = (same + told.0, distinct + told.1);
                }
                vec![(same as f64, each as f64), (distinct as f64, each as f64)]
            };
            (0..REPLICATIONS).into_par_iter().map(batch).collect()
        }),
    }
}
