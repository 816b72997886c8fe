//! Everybody is out, for long or for a moment.

use std::time::Duration;

use crate::{
    behaviour::{Behaviour, Site},
    call::steady,
    rules::{CLOSED, Standing},
    world::World,
};

const EVERY: Duration = Duration::from_millis(100);

#[test]
fn a_total_outage_costs_less_than_a_send_per_request() {
    let broken = Behaviour::Answers { status: 500, after: Duration::from_millis(100), hint: None };
    for priorities in [[1, 1, 1], [1, 2, 3]] {
        let world = World::new(priorities.map(|priority| Site::new(priority, broken)));
        let run = world.play(steady(EVERY, Duration::from_secs(600)));
        let per_request = run.sends().count() as f64 / run.stories.len() as f64;
        println!("priorities {priorities:?}: {per_request:.2} sends per request");
        assert!(per_request <= 0.7, "{priorities:?}: {per_request:.2} sends per request");
    }
}

#[test]
fn a_suspect_that_answered_is_failed_at_most_one_wave_a_second() {
    let broken = Behaviour::Answers { status: 500, after: Duration::from_millis(100), hint: None };
    let world = World::new([1, 1, 2].map(|priority| Site::new(priority, broken)));
    let run = world.play(steady(EVERY, Duration::from_secs(600)));
    let mut waves = 0;
    for slot in 0..3 {
        let mut begun: Vec<Duration> = run.sends_to(slot).map(|send| send.begun).collect();
        begun.sort();
        // A failure closes the way if its request had failed nowhere before.
        let first_failures = run.stories.iter().filter_map(|story| {
            let send = story.sends().next().filter(|send| send.slot == slot && send.standing == Standing::Suspect)?;
            send.failed_at()
        });
        for failed_at in first_failures {
            let next = begun.get(begun.partition_point(|at| *at <= failed_at));
            assert!(
                next.is_none_or(|next| *next >= failed_at + CLOSED),
                "backend {slot} failed at {failed_at:?} and was asked again at {next:?}"
            );
            waves += 1;
        }
    }
    assert!(waves > 300, "it was asked again and again: {waves}");
}

/// Three backends refuse connections for 0.2 s, beginning at every phase of ten calls a second.
fn blips(head: Duration, priorities: [u32; 3]) {
    let fine = Behaviour::Fine { head };
    for phase in 0..5 {
        let begins = Duration::from_secs(30) + phase * EVERY / 5;
        let ends = begins + Duration::from_millis(200);
        let site = |priority| Site::new(priority, fine).then(begins, Behaviour::Refuses).then(ends, fine);
        let run = World::new(priorities.map(site)).play(steady(EVERY, Duration::from_secs(90)));

        let first =
            run.sends().filter(|send| send.begun >= begins && send.failed_at().is_none()).map(|send| send.begun);
        let first = first.min().expect("somebody is served in the end");
        println!("blip at {begins:?}, heads of {head:?}: {} failed, back at {first:?}", run.failed());
        assert!(first <= ends + CLOSED + EVERY, "blip at {begins:?}, heads of {head:?}: back at {first:?}");
        assert!(run.failed() <= 10, "blip at {begins:?}, heads of {head:?}: {} failed", run.failed());
    }
}

#[test]
fn a_blip_costs_a_second_at_most() {
    for priorities in [[1, 1, 1], [1, 2, 3]] {
        blips(Duration::from_millis(100), priorities);
    }
}

#[test]
fn a_blip_costs_no_more_where_heads_take_eight() {
    for priorities in [[1, 1, 1], [1, 2, 3]] {
        blips(Duration::from_secs(8), priorities);
    }
}
