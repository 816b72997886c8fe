//! The backend that flaps: when it behaves how.

use std::time::{Duration, Instant};

use lb_core::{Pool, State};
use tokio::time::sleep;

use crate::{
    draw::Draw,
    server::{Behaviour, Server},
};

/// The longest that it waits to be asked, or to be believed well again: three times in a row at its callers' expense, and
/// a suspect is probed after 10, 20 and 40 s.
const PATIENCE: Duration = Duration::from_secs(45);

/// How often it looks whether it was asked.
const GLANCE: Duration = Duration::from_millis(20);

/// Turns a server well and sick, in turn, until `end`: each sickness once in a round, in an order of its own. It stays as
/// it is until requests came, and a while longer. Returns how often it was asked in which state.
pub(crate) async fn flap(server: &Server, pool: &Pool, name: &str, draw: &Draw, end: Instant) -> Vec<(Behaviour, u64)> {
    let mut met = Vec::new();
    let mut round = Vec::new();
    while Instant::now() < end {
        if round.is_empty() {
            round = sicknesses(draw);
        }
        for behaviour in [Some(Behaviour::Well), round.pop()].into_iter().flatten() {
            let asked_before = asked(pool, name);
            server.turn(behaviour);
            let patience = end.min(Instant::now() + PATIENCE);
            let is_done =
                || asked(pool, name) > asked_before && (behaviour != Behaviour::Well || is_available(pool, name));
            while Instant::now() < patience && !is_done() {
                sleep(GLANCE).await;
            }
            sleep(draw.milliseconds(200, 800).min(end.saturating_duration_since(Instant::now()))).await;
            met.push((behaviour, asked(pool, name) - asked_before));
        }
    }
    server.turn(Behaviour::Well);
    met
}

/// One round of sicknesses, the last one first: two that it is back from at once, and others that it is probed after. What
/// it fails at its callers' expense soon after a return, it is probed later for each time, so two of these come last.
fn sicknesses(draw: &Draw) -> Vec<Behaviour> {
    let mut quick = [Behaviour::ThrottlesFor(draw.milliseconds(200, 1500)), Behaviour::StallsBody];
    let mut slow = [Behaviour::Throttles, Behaviour::Fails, Behaviour::Refuses];
    let mut at_callers_expense = [Behaviour::Resets, Behaviour::NeverAnswers, Behaviour::Garbage];
    draw.shuffle(&mut quick);
    draw.shuffle(&mut slow);
    draw.shuffle(&mut at_callers_expense);
    let (last, first) = at_callers_expense.split_at(2);
    [last, &slow, first, &quick].concat()
}

/// How many attempts there were at a backend.
fn asked(pool: &Pool, name: &str) -> u64 {
    let snapshot = pool.snapshot();
    snapshot.backends.iter().filter(|entry| entry.backend.name() == name).map(|entry| entry.counters.attempts).sum()
}

fn is_available(pool: &Pool, name: &str) -> bool {
    let snapshot = pool.snapshot();
    snapshot.backends.iter().any(|entry| entry.backend.name() == name && entry.state == State::Available)
}
