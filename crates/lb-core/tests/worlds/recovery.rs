//! A backend that was sick comes back, though heads take longer than the pause between probes.

use std::time::Duration;

use crate::{
    behaviour::{Behaviour, Site},
    call::{Call, steady},
    rules::{PROBE_AFTER, Standing},
    run::Run,
    world::World,
};

const EVERY: Duration = Duration::from_millis(500);
const HEADS: [Duration; 2] = [Duration::from_secs(12), Duration::from_secs(30)];
const SICK: [Duration; 3] = [Duration::from_secs(45), Duration::from_secs(100), Duration::from_secs(500)];
const FROM: Duration = Duration::from_secs(60);
const MINUTE: Duration = Duration::from_secs(60);

/// The first backend is sick for so long; gives when it was available for good.
fn back_after(sick: Behaviour, spell: Duration, head: Duration, timeout: Duration) -> Option<Duration> {
    let recovers = FROM + spell;
    let fine = Behaviour::Fine { head };
    let first = Site::new(1, fine).then(FROM, sick).then(recovers, fine);
    let world = World { timeout, ..World::new([first, Site::new(2, fine)]) };
    let run: Run = world.play(steady(EVERY, recovers + 3 * spell + 10 * MINUTE));
    assert!(run.first(0, Standing::Suspect).is_some(), "{sick:?} for {spell:?} is noticed");
    let last = run.last_change(0).filter(|change| change.to == Standing::Available)?;
    Some(last.at.saturating_sub(recovers))
}

#[test]
fn after_answers_and_connect_faults_it_is_back_within_two_heads() {
    for head in HEADS {
        let kinds = [
            Behaviour::Answers { status: 500, after: Duration::from_millis(100), hint: None },
            Behaviour::Answers { status: 503, after: head, hint: None },
            Behaviour::Answers { status: 401, after: Duration::from_millis(100), hint: None },
            Behaviour::Refuses,
            Behaviour::HangsInConnect { after: Duration::from_secs(5) },
        ];
        for (sick, spell) in kinds.into_iter().flat_map(|sick| SICK.map(|spell| (sick, spell))) {
            let back = back_after(sick, spell, head, 2 * MINUTE);
            let back = back.unwrap_or_else(|| panic!("{sick:?} for {spell:?}, heads of {head:?}: never back"));
            println!("{sick:?} for {spell:?}, heads of {head:?}: back after {back:?}");
            assert!(back <= 2 * head, "{sick:?} for {spell:?}, heads of {head:?}: back after {back:?}");
        }
    }
}

#[test]
fn after_resets_and_stalls_it_is_back_about_as_long_again_as_it_was_sick() {
    for head in HEADS {
        let timeout = head + Duration::from_secs(15);
        for sick in [Behaviour::Resets { after: Duration::from_secs(1) }, Behaviour::Stalls] {
            for spell in SICK {
                let back = back_after(sick, spell, head, timeout);
                let back = back.unwrap_or_else(|| panic!("{sick:?} for {spell:?}, heads of {head:?}: never back"));
                println!("{sick:?} for {spell:?}, heads of {head:?}: back after {back:?}");
                // The pause doubles, so that the last one is about as long as all before it.
                let most = spell + PROBE_AFTER + timeout + head;
                assert!(back <= most, "{sick:?} for {spell:?}, heads of {head:?}: back after {back:?}, not {most:?}");
            }
        }
    }
}

#[test]
fn a_probe_whose_caller_goes_away_is_followed_by_another() {
    let fine = Behaviour::Fine { head: Duration::from_secs(4) };
    let first = Site::new(1, fine).then(FROM, Behaviour::Refuses).then(FROM + MINUTE, fine);
    let world = World::new([first, Site::new(2, fine)]);
    let mut calls = steady(EVERY, FROM + 3 * MINUTE);
    // Whoever probes in the first half of a minute after it recovered goes away before the head.
    let leaves = |call: &Call| (FROM + MINUTE..FROM + MINUTE + Duration::from_secs(30)).contains(&call.at);
    for call in calls.iter_mut().filter(|call| leaves(call)) {
        call.leaves = Some(Duration::from_secs(2));
    }
    let run = world.play(calls);
    let left =
        run.stories.iter().filter(|story| story.sends().any(|send| send.slot == 0) && leaves(&story.call)).count();
    assert!((1..=4).contains(&left), "some probes were dropped, and one at a time: {left}");
    let back = run.last_change(0).filter(|change| change.to == Standing::Available).expect("it is back").at;
    let last_drop = FROM + MINUTE + Duration::from_secs(32);
    assert!(back <= last_drop + PROBE_AFTER + Duration::from_secs(4), "back at {back:?}");
}
