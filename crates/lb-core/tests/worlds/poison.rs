//! Prompts that no backend can serve, among ordinary ones.

use std::time::Duration;

use crate::{
    behaviour::{BREAKING, Behaviour, OVERSIZED, Poison, Site},
    call::{Call, Retry, steady},
    world::World,
};

const SPAN: Duration = Duration::from_secs(360);

/// How the sender of a poison prompt sends it.
#[derive(Debug, Clone, Copy)]
enum Manner {
    Alone,
    RetriedTwice,
    ThreeAtOnce,
}

fn poisoned(poison: Poison, each: Duration, manner: Manner) -> impl Iterator<Item = Call> {
    let retry = match manner {
        Manner::RetriedTwice => Retry::Fixed { retries: 2, pause: Duration::from_millis(500) },
        Manner::Alone | Manner::ThreeAtOnce => Retry::Never,
    };
    let copies = if matches!(manner, Manner::ThreeAtOnce) { 3 } else { 1 };
    // Not at a moment at which others begin.
    let call = move |at| Call::at(at + Duration::from_millis(5_030)).poison(poison).retry(retry);
    steady(each, SPAN - each).into_iter().flat_map(move |plan| std::iter::repeat_n(call(plan.at), copies))
}

fn layouts(head: Duration) -> [(&'static str, Vec<Site>); 3] {
    let fine = Behaviour::Fine { head };
    let ptu = Behaviour::Quota { head, open: Duration::from_millis(500), window: Duration::from_secs(2) };
    [
        ("equal", vec![Site::new(1, fine); 3]),
        ("tiers", [1, 2, 3].map(|priority| Site::new(priority, fine)).to_vec()),
        ("a throttled PTU in front", vec![Site::new(1, ptu), Site::new(2, fine), Site::new(2, fine)]),
    ]
}

/// The cells of a poison's grid in which too few of the others are served.
fn bad_cells(poison: Poison) -> Vec<String> {
    let (mut bad, mut worst) = (Vec::new(), 1.0_f64);
    for head in [Duration::from_millis(500), Duration::from_secs(8)] {
        for (layout, sites) in layouts(head) {
            for every in [Duration::from_secs(1), Duration::from_millis(100)] {
                for each in [Duration::from_secs(60), Duration::from_secs(10)] {
                    for manner in [Manner::Alone, Manner::RetriedTwice, Manner::ThreeAtOnce] {
                        let calls = steady(every, SPAN).into_iter().chain(poisoned(poison, each, manner)).collect();
                        let served = World::new(sites.clone()).play(calls).served_share();
                        worst = worst.min(served);
                        if served < 0.995 {
                            bad.push(format!(
                                "{layout}, heads of {head:?}, a call each {every:?}, poison each {each:?} {manner:?}: {served:.4}"
                            ));
                        }
                    }
                }
            }
        }
    }
    println!("{poison:?}: {:.2} % of the others served in the worst cell", 100.0 * worst);
    bad
}

#[test]
fn prompts_that_break_every_backend_cost_nobody_but_their_sender() {
    assert_eq!(bad_cells(BREAKING), Vec::<String>::new());
}

#[test]
fn prompts_larger_than_every_quota_cost_nobody_but_their_sender() {
    assert_eq!(bad_cells(OVERSIZED), Vec::<String>::new());
}
