//! What a request pays for the sharing: nothing, whatever the server does.

use std::{path::Path, sync::Arc, time::Duration};

use lb_core::{Backend, Dispatch, Outcome, Pool, SeededRng, Step};
use lb_redis::SharedCooldowns;
use tokio::time::{Instant, sleep};

use crate::{Result, server::Server};

/// Requests per measurement, and measurements of each kind, which take turns.
const REQUESTS: u32 = 20_000;
const ROUNDS: usize = 31;

/// A pool, with the sharing or without.
struct Kind {
    name: &'static str,
    pool: Arc<Pool>,
    /// Nanoseconds per request, of each round: a success; and a 429 that fails over.
    times: [Vec<f64>; 2],
}

impl Kind {
    fn new(name: &'static str, server: Option<String>) -> Result<Self> {
        let mut pool = Pool::builder().max_cooldown(Duration::from_secs(3_600));
        for priority in 1..=2 {
            pool = pool.backend(Backend::builder(format!("{priority}.example")).priority(priority).build()?);
        }
        let Some(url) = server else {
            return Ok(Self { name, pool: Arc::new(pool.build()?), times: Default::default() });
        };
        let shared = SharedCooldowns::new(lb_redis::Server::from_url(&url)?, name)?;
        let pool = Arc::new(pool.observer(shared.observer()).build()?);
        tokio::spawn(shared.run(Arc::clone(&pool)));
        Ok(Self { name, pool, times: Default::default() })
    }

    fn measure(&mut self, rng: &SeededRng) {
        for (fails_over, times) in [false, true].into_iter().zip(&mut self.times) {
            let start = Instant::now();
            for _ in 0..REQUESTS {
                request(&self.pool, rng, fails_over);
            }
            times.push(start.elapsed().as_secs_f64() * 1e9 / f64::from(REQUESTS));
        }
    }

    fn allocations(&self, rng: &SeededRng) -> [u64; 2] {
        [false, true].map(|fails_over| {
            let run = || (0..1_000).for_each(|_| request(&self.pool, rng, fails_over));
            run();
            allocation_counter::measure(run).count_total
        })
    }
}

/// One that succeeds at once, or one whose first backend says that it is out for a second, and which the second serves.
fn request(pool: &Pool, rng: &SeededRng, fails_over: bool) {
    let mut dispatch = Dispatch::new(pool);
    if fails_over {
        let Step::Try(_) = dispatch.next(|| pool.now(), rng) else { return };
        let told = [("retry-after", "1")];
        let _ = dispatch.settle(pool.outcome(429, told.as_slice()), || pool.now());
    }
    if let Step::Try(_) = dispatch.next(|| pool.now(), rng) {
        let _ = dispatch.settle(Outcome::Answered { status: 200, hint: None }, || pool.now());
    }
    drop(dispatch);
    if fails_over {
        pool.end_cooldown("1.example");
    }
}

pub(crate) async fn run(program: &Path) -> Result<()> {
    let (up, stopped) = (Server::start(program).await?, Server::start(program).await?);
    let mut kinds = [
        Kind::new("without", None)?,
        Kind::new("up", Some(up.url()))?,
        // Nobody listens on the discard port.
        Kind::new("down", Some("redis://127.0.0.1:9".to_owned()))?,
        Kind::new("stopped", Some(stopped.url()))?,
    ];
    sleep(Duration::from_secs(1)).await;
    stopped.signal("STOP")?;
    let rng = SeededRng::new(1);
    for _ in 0..ROUNDS {
        for kind in &mut kinds {
            kind.measure(&rng);
        }
    }
    println!("{:<10}{:>14}{:>14}{:>20}{:>20}", "server", "success, ns", "429, ns", "success, allocs", "429, allocs");
    for kind in &mut kinds {
        let allocations = kind.allocations(&rng);
        let [success, throttled] = &mut kind.times;
        println!(
            "{:<10}{:>14.0}{:>14.0}{:>20}{:>20}",
            kind.name,
            median(success),
            median(throttled),
            per_request(allocations[0]),
            per_request(allocations[1])
        );
    }
    Ok(())
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn per_request(allocations: u64) -> f64 {
    allocations as f64 / 1_000.0
}
