//! A backend to which connections do not come about.

use std::time::Duration;

use crate::{
    behaviour::{Behaviour, Site},
    call::steady,
    rules::Standing,
    world::World,
};

const EVERY: Duration = Duration::from_millis(100);
const FINE: Behaviour = Behaviour::Fine { head: Duration::from_millis(100) };
const HANGS: Behaviour = Behaviour::HangsInConnect { after: Duration::from_secs(5) };

/// It is well, hangs for a minute from here on, and is well again.
const FROM: Duration = Duration::from_secs(30);
const MINUTE: Duration = Duration::from_secs(60);

fn hanging() -> Site {
    Site::new(1, FINE).then(FROM, HANGS).then(FROM + MINUTE, FINE)
}

#[test]
fn hanging_connects_delay_ten_calls_in_a_thousand() {
    let world = World::new([hanging(), Site::new(2, FINE)]);
    let run = world.play(steady(EVERY, Duration::from_secs(600)));
    assert_eq!(run.failed(), 0);
    let latencies = run.stories.iter().filter_map(|story| story.latency());
    let delayed = latencies.filter(|latency| *latency > Duration::from_secs(1)).count();
    let per_thousand = 1_000.0 * delayed as f64 / run.stories.len() as f64;
    println!("{per_thousand:.1} of 1,000 calls waited for a second");
    assert!(per_thousand <= 10.0, "{per_thousand:.1} of 1,000 calls waited for a second");
}

#[test]
fn one_call_at_a_time_hangs_at_a_suspect_while_everybody_else_cools() {
    let throttled = Behaviour::Answers { status: 429, after: Duration::from_millis(10), hint: Some(MINUTE) };
    for others in 1..=2 {
        // They are throttled once everybody who hung at first is back.
        let cools_from = FROM + Duration::from_secs(12);
        let others = (0..others).map(|_| Site::new(2, FINE).then(cools_from, throttled));
        let world = World::new([hanging()].into_iter().chain(others));
        let run = world.play(steady(EVERY, FROM + MINUTE));

        let suspect_at = run.first(0, Standing::Suspect).expect("it hung");
        assert!(suspect_at < cools_from);
        let cooling_at = run.first(1, Standing::Cooling).expect("it was throttled");
        let most = run.most_at_once(0, suspect_at, Duration::MAX);
        assert_eq!(most, 1, "so many hung at once; the others cool since {cooling_at:?}");
        let alone = run.sends_to(0).filter(|send| send.begun > cooling_at).count();
        assert!(alone >= 4, "it is asked while nothing else is left: {alone}");
    }
}
