//! How long it takes from a 429 in one process to the cooldown in others.

use std::{
    collections::HashMap,
    path::Path,
    process::Output,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use clap::Args;
use lb_core::{Backend, Dispatch, Event, Observer, Pool, PoolBuilder, SeededRng, Step};
use lb_redis::SharedCooldowns;
use tokio::time::sleep;

use crate::{Result, fleet::another, server::Server};

/// Cooldowns that are told, each of a backend of its own.
const NEWS: usize = 1_000;

/// Processes that hear.
const LISTENERS: usize = 3;

#[derive(Debug, Args)]
pub(crate) struct ListenerArgs {
    #[arg(long)]
    redis: String,
}

/// Tells of each cooldown that arrives, and when.
struct Told(Arc<AtomicUsize>);

impl Observer for Told {
    fn on_event(&self, event: &Event<'_>) {
        if let Event::CooledByHand { backend, .. } = event {
            println!("{} {}", backend.name(), wall_nanos());
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn wants_attempts(&self) -> bool {
        false
    }
}

pub(crate) async fn listen(arguments: ListenerArgs) -> Result<()> {
    let shared = SharedCooldowns::new(lb_redis::Server::from_url(&arguments.redis)?, "check")?;
    let told = Arc::new(AtomicUsize::new(0));
    let pool = Arc::new(pool()?.observer(Told(Arc::clone(&told))).build()?);
    tokio::spawn(shared.run(Arc::clone(&pool)));
    while told.load(Ordering::Relaxed) < NEWS {
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

pub(crate) async fn run(program: &Path) -> Result<()> {
    let server = Server::start(program).await?;
    let listeners: Vec<_> = (0..LISTENERS)
        .map(|_| another(&["listener".to_owned(), "--redis".to_owned(), server.url()]))
        .collect::<Result<_>>()?;
    let shared = SharedCooldowns::new(lb_redis::Server::from_url(&server.url())?, "check")?;
    let pool = Arc::new(pool()?.observer(shared.observer()).build()?);
    tokio::spawn(shared.run(Arc::clone(&pool)));
    sleep(Duration::from_secs(1)).await;

    let rng = SeededRng::new(1);
    let refusal = pool.outcome(429, [("retry-after".to_owned(), "60".to_owned())].as_slice());
    let mut sent = HashMap::new();
    for _ in 0..NEWS {
        let mut dispatch = Dispatch::new(&*pool);
        let Step::Try(attempt) = dispatch.next(|| pool.now(), &rng) else { return Err("no backend is left".into()) };
        sent.insert(pool.target(&attempt).backend().name().to_owned(), wall_nanos());
        let _ = dispatch.settle(refusal, || pool.now());
        sleep(Duration::from_millis(10)).await;
    }

    let mut delays = Vec::new();
    for listener in listeners {
        let Output { status, stdout, .. } = listener.wait_with_output().await?;
        if !status.success() {
            return Err(format!("a listener ended with {status}").into());
        }
        for line in String::from_utf8(stdout)?.lines() {
            let (backend, at) = line.split_once(' ').ok_or("a listener told something else")?;
            let told = sent.get(backend).ok_or("a listener heard of a backend that was not told of")?;
            delays.push(at.parse::<u128>()?.saturating_sub(*told));
        }
    }
    delays.sort_unstable();
    if delays.len() != NEWS * LISTENERS {
        return Err(format!("{} of {} news arrived", delays.len(), NEWS * LISTENERS).into());
    }
    for (name, quantile) in [("median", 50), ("p90", 90), ("p99", 99), ("longest", 100)] {
        let nanos = delays[(delays.len() * quantile / 100).min(delays.len() - 1)];
        println!("{name}: {:?}", Duration::from_nanos(u64::try_from(nanos)?));
    }
    Ok(())
}

/// Backends that are asked one after the other.
fn pool() -> Result<PoolBuilder> {
    let mut pool = Pool::builder();
    for number in 0..NEWS {
        let backend = Backend::builder(format!("{number}.example")).name(format!("backend-{number}"));
        pool = pool.backend(backend.priority(u32::try_from(number)? + 1).build()?);
    }
    Ok(pool)
}

fn wall_nanos() -> u128 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos())
}
