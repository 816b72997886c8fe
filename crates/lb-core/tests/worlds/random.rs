//! What holds in thousands of worlds of every kind of sickness at once.
//!
//! `LB_WORLDS=5000 cargo test --release -p lb-core --test worlds random -- --nocapture` plays more of them than the
//! default run, and says more of what it saw.

use std::{num::NonZero, sync::LazyLock, thread, time::Duration};

use crate::{
    random_world::RandomWorld,
    referee::{Breach, Rule},
    rules::{CLOSED, Standing},
    run::{Run, Send},
};

/// What is kept of one world.
struct Played {
    seed: u64,
    lost: f64,
    breaches: Vec<Breach>,
    /// When healthy requests were refused without cause.
    refused: Vec<Duration>,
}

/// The worlds are played once, and every test looks at all of them.
static WORLDS: LazyLock<Vec<Played>> = LazyLock::new(|| {
    let count = std::env::var("LB_WORLDS").map_or(200, |count| count.parse().expect("LB_WORLDS is a number"));
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let share = |first| move || (0..count).skip(first).step_by(threads).map(play).collect::<Vec<_>>();
    let players: Vec<_> = (0..threads).map(|first| thread::spawn(share(first))).collect();
    players.into_iter().flat_map(|player| player.join().unwrap()).collect()
});

fn play(seed: u64) -> Played {
    let RandomWorld { world, calls, good } = RandomWorld::new(seed);
    let run = world.play(calls);
    let refused = good.map_or(Vec::new(), |good| refused_without_cause(&run, good));
    Played { seed, lost: run.lost_share(), breaches: run.breaches, refused }
}

/// When healthy requests were refused that had not asked the good backend, though nobody had failed there for a second
/// while it was suspect.
fn refused_without_cause(run: &Run, good: usize) -> Vec<Duration> {
    let to_suspect = run.sends_to(good).filter(|send| send.standing == Standing::Suspect);
    let failed_at: Vec<Duration> = to_suspect.filter_map(Send::failed_at).collect();
    let has_cause = |at: Duration| failed_at.iter().any(|&failed| failed <= at && at <= failed + CLOSED);
    let walks = run.healthy().flat_map(|story| &story.walks);
    let refused = walks.filter(|walk| walk.refused && walk.sends.iter().all(|send| send.slot != good));
    refused.filter_map(|walk| walk.ended).filter(|&at| !has_cause(at)).collect()
}

fn assert_kept(rule: Rule) {
    let broken = WORLDS.iter().filter_map(|world| {
        let first = world.breaches.iter().find(|breach| breach.rule == rule)?;
        Some(format!("world {}: {first}", world.seed))
    });
    let broken: Vec<String> = broken.collect();
    assert!(
        broken.is_empty(),
        "in {} of {} worlds, such as\n{}",
        broken.len(),
        WORLDS.len(),
        broken[..broken.len().min(5)].join("\n")
    );
}

#[test]
fn two_calls_in_a_thousand_are_lost_on_the_mean() {
    let mut lost: Vec<(f64, u64)> = WORLDS.iter().map(|world| (world.lost, world.seed)).collect();
    lost.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mean = lost.iter().map(|(lost, _)| lost).sum::<f64>() / lost.len() as f64;
    let worst = &lost[..lost.len().min(5)];
    println!(
        "lost {:.3} % on the mean over {} worlds, p99 {:.3} %; the worst: {worst:.4?}",
        100.0 * mean,
        lost.len(),
        100.0 * lost[lost.len() / 100].0
    );
    assert!(mean <= 0.002, "{:.3} %; the worst: {worst:.4?}", 100.0 * mean);
}

#[test]
fn cooling_and_drained_backends_are_never_asked() {
    assert_kept(Rule::LeaveTheCoolingAlone);
}

#[test]
fn a_better_priority_comes_first() {
    assert_kept(Rule::BetterFirst);
}

#[test]
fn a_suspect_has_one_probe_at_a_time() {
    assert_kept(Rule::OneProbe);
}

#[test]
fn a_suspect_that_failed_somebody_is_left_alone_for_a_second() {
    assert_kept(Rule::CloseAfterFailure);
}

#[test]
fn a_request_asks_a_backend_once() {
    assert_kept(Rule::AskOnce);
}

#[test]
fn a_backend_is_suspect_when_a_second_request_strikes_it() {
    assert_kept(Rule::SecondStrike);
}

#[test]
fn old_news_changes_nothing() {
    assert_kept(Rule::OldNews);
}

#[test]
fn a_success_since_makes_a_suspect_available() {
    assert_kept(Rule::SuccessHeals);
}

#[test]
fn an_outcome_changes_no_other_backend() {
    assert_kept(Rule::NobodyElse);
}

#[test]
fn who_comes_back_when_told_finds_somebody_to_ask() {
    assert_kept(Rule::HonestHint);
}

#[test]
fn a_healthy_request_is_refused_for_a_second_at_most_while_somebody_answers() {
    let refused = WORLDS.iter().filter(|world| !world.refused.is_empty());
    let refused: Vec<String> =
        refused.map(|world| format!("world {}: at {:?}", world.seed, world.refused[0])).collect();
    assert!(refused.is_empty(), "in {} worlds, such as {:?}", refused.len(), &refused[..refused.len().min(5)]);
}
