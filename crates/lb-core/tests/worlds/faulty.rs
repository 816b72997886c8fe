//! A backend that takes requests and fails them without a word, beside a healthy one.

use std::time::Duration;

use crate::{
    behaviour::{Behaviour, Poison, Site},
    call::{Call, steady},
    rules::Standing,
    world::World,
};

const HOUR: Duration = Duration::from_secs(3_600);
const FINE: Behaviour = Behaviour::Fine { head: Duration::from_millis(500) };

/// One call each so often.
const RATES: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(12), Duration::from_secs(60)];

/// An hour before a healthy backend, without any retries above.
fn hour(sick: Behaviour) -> World {
    World::new([Site::new(1, sick), Site::new(2, FINE)])
}

#[test]
fn a_backend_that_resets_fails_fifteen_calls_in_an_hour_at_any_rate() {
    for every in RATES {
        let run = hour(Behaviour::Resets { after: Duration::from_millis(50) }).play(steady(every, HOUR));
        println!("one each {every:?}: {} failed", run.failed());
        assert!(run.failed() <= 15, "one each {every:?}: {} failed", run.failed());
    }
}

/// At most fifteen calls fail, and those that had begun when it became suspect.
fn assert_few_stall(world: &World) {
    for every in RATES {
        let run = world.play(steady(every, HOUR));
        let suspect_at = run.first(0, Standing::Suspect).expect("it stalled more than twice");
        let in_flight = run.sends_to(0).filter(|send| send.is_open_at(suspect_at)).count();
        println!("one each {every:?}: {} failed, {in_flight} of them in flight when it was found out", run.failed());
        assert!(run.failed() <= 15 + in_flight, "one each {every:?}: {} failed, {in_flight} of them", run.failed());
    }
}

#[test]
fn a_backend_that_stalls_fails_as_many_and_those_that_were_in_flight() {
    assert_few_stall(&World { timeout: Duration::from_secs(20), ..hour(Behaviour::Stalls) });
}

#[test]
fn it_fails_as_many_where_callers_drop_what_takes_too_long() {
    let (gives_up, stalled_after) = (Some(Duration::from_secs(20)), Some(Duration::from_secs(15)));
    assert_few_stall(&World { timeout: HOUR, gives_up, stalled_after, ..hour(Behaviour::Stalls) });
}

#[test]
fn a_backend_that_stalls_for_half_of_the_time_is_trusted_less_and_less() {
    let mut site = Site::new(1, FINE);
    for spell in 0..600 {
        let at = Duration::from_secs(2 + 6 * spell);
        site = site.then(at, Behaviour::Stalls).then(at + Duration::from_secs(3), FINE);
    }
    let world = World { timeout: Duration::from_secs(5), ..World::new([site, Site::new(2, FINE)]) };
    let run = world.play(steady(Duration::from_secs(1), HOUR));
    let late = run.stories.iter().filter(|story| story.call.at >= HOUR / 2 && story.failed()).count();
    println!("{} failed, {late} of them in the second half hour", run.failed());
    assert!(late <= 45, "2.5 % of its calls: {late}");
}

#[test]
fn a_prompt_that_times_out_everywhere_makes_nobody_suspect() {
    let mut world = World::new([Site::new(1, FINE), Site::new(1, FINE), Site::new(2, FINE)]);
    world.fail_over_after_send = true;
    let slow = Call::at(Duration::from_secs(1)).poison(Poison::Endless);
    // Nobody else calls meanwhile, who would prove a backend alive.
    let run = world.play(vec![slow, Call::at(Duration::from_secs(200))]);
    assert_eq!(run.stories[0].sends().count(), 3, "it was sent to everybody");
    assert_eq!(run.changes, [], "and nobody is to blame");
    assert_eq!(run.failed(), 0);
}
