//! Random worlds: every kind of sickness at once, coming and going.

use std::time::Duration;

use crate::{
    behaviour::{BREAKING, Behaviour, OVERSIZED, Poison, Site},
    call::{Call, Retry},
    draw::Draw,
    world::{Drain, World},
};

/// A world, and who calls in it.
#[derive(Debug)]
pub(crate) struct RandomWorld {
    pub(crate) world: World,
    pub(crate) calls: Vec<Call>,
    /// A backend that answers everybody but poison, all the time.
    pub(crate) good: Option<usize>,
}

impl RandomWorld {
    pub(crate) fn new(seed: u64) -> Self {
        let draw = Draw::new(seed);
        let per_second = draw.scale(0.02, 50.0);
        // Enough calls to count, and enough time for suspects to be probed.
        let lasts = Duration::from_secs_f64((800.0 / per_second).max(240.0));
        let head = draw.scale(0.1, 15.0);
        let tiers = draw.of(&[1, 2, 3]);
        let backends = draw.of(&[2, 3, 4, 5, 6]);
        let mut sites: Vec<Site> = (0..backends).map(|_| site(&draw, tiers, head, lasts)).collect();
        sites.sort_by_key(|site| site.priority);
        let good = draw.chance(0.5).then(|| draw.of(&Vec::from_iter(0..backends)));
        if let Some(good) = good {
            sites[good] = Site::new(sites[good].priority, fine(&draw, head));
        }

        let mut world = World::new(sites);
        world.seed = seed;
        // Heads are at most twice the usual one: who waits so long is served by every backend that is well.
        world.timeout = draw.span(3.0 * head, 200.0_f64.max(4.0 * head));
        world.fail_over_after_send = draw.chance(0.25);
        if draw.chance(0.25) {
            // Rust's timeouts: the caller drops what takes too long.
            world.gives_up = Some(world.timeout);
            world.stalled_after = Some(world.timeout * 3 / 4);
        }
        if draw.chance(0.2) {
            let from = lasts.mul_f64(draw.unit());
            let until = from + draw.span(1.0, lasts.as_secs_f64());
            let slots = Vec::from_iter((0..backends).filter(|&slot| good != Some(slot)));
            world.drains.push(Drain { slot: draw.of(&slots), from, until });
        }
        let calls = calls(&draw, per_second, lasts, head);
        Self { world, calls, good }
    }
}

fn calls(draw: &Draw, per_second: f64, lasts: Duration, head: f64) -> Vec<Call> {
    let poisoned = if draw.chance(0.5) { draw.scale(0.001, 0.03) } else { 0.0 };
    let poison: Poison = draw.of(&[BREAKING, OVERSIZED]);
    let leaving = if draw.chance(0.25) { 0.03 } else { 0.0 };
    let mut calls = Vec::new();
    let mut at = draw.gap(per_second);
    while at < lasts {
        calls.push(Call {
            at,
            poison: draw.chance(poisoned).then_some(poison),
            retry: Retry::OpenAi,
            leaves: draw.chance(leaving).then(|| Duration::from_secs_f64(head * draw.unit())),
        });
        at += draw.gap(per_second);
    }
    calls
}

/// A backend that is well for most of the time.
fn site(draw: &Draw, tiers: u32, head: f64, lasts: Duration) -> Site {
    let priority = draw.of(&Vec::from_iter(1..=tiers));
    let behaviour = |is_sick| if is_sick { sick(draw, head) } else { fine(draw, head) };
    let mut is_sick = draw.chance(0.25);
    let mut site = Site::new(priority, behaviour(is_sick));
    let mut at = Duration::ZERO;
    loop {
        let longest = lasts.as_secs_f64() / 2.0;
        at += if is_sick { draw.span(0.2, longest) } else { draw.span(5.0, longest) };
        if at >= lasts {
            return site;
        }
        is_sick = !is_sick;
        site = site.then(at, behaviour(is_sick));
    }
}

fn fine(draw: &Draw, head: f64) -> Behaviour {
    Behaviour::Fine { head: Duration::from_secs_f64(head * (0.5 + 1.5 * draw.unit())) }
}

fn sick(draw: &Draw, head: f64) -> Behaviour {
    let soon = draw.span(0.01, 1.0);
    let late = draw.span(0.01, 1.0 + head);
    draw.of(&[
        Behaviour::Answers { status: 429, after: soon, hint: Some(draw.span(0.1, 60.0)) },
        Behaviour::Answers { status: 429, after: soon, hint: None },
        Behaviour::Answers { status: 500, after: late, hint: None },
        Behaviour::Answers { status: 503, after: soon, hint: Some(draw.span(0.5, 60.0)) },
        Behaviour::Answers { status: 401, after: soon, hint: None },
        Behaviour::Resets { after: late },
        Behaviour::Stalls,
        Behaviour::Refuses,
        Behaviour::HangsInConnect { after: Duration::from_secs(5) },
    ])
}
