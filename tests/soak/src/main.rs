//! A soak: many callers, one backend that flaps, and books that must balance. See `tests/README.md`.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on should stop"))]

mod caller;
mod draw;
mod flapping;
mod ledger;
mod memory;
mod process;
mod server;

use std::{
    collections::HashSet,
    error::Error,
    mem,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Parser;
use lb_core::{Backend, Pool, SeededRng};
use lb_reqwest::ReqwestTransport;
use tokio::{task::JoinSet, time::sleep};

use caller::{Balancer, Callers};
use draw::Draw;
use ledger::Ledger;
use memory::Memory;
use process::descriptors;
use server::{Behaviour, Server};

/// The flapping one is asked first; the others are well.
const BACKENDS: [(&str, u32); 3] = [("flapping", 1), ("second", 2), ("third", 2)];

/// How long connections may take to close once nobody uses them.
const CLOSED_WITHIN: Duration = Duration::from_secs(20);

/// Many callers over lb-reqwest, with the defaults of a pool, beside one backend that flaps: is a request lost, sent
/// twice, sent into a cooldown, or does anything leak? Ends with 1 if so.
#[derive(Debug, Parser)]
struct Arguments {
    /// How long it sends
    #[arg(default_value_t = 10)]
    seconds: u64,

    /// Decides what is left to chance: who leaves when, and in which order the sicknesses come
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// How many callers there are, each with one request at a time
    #[arg(long, default_value_t = 128)]
    tasks: u64,

    /// Opts in to sending again what may have been executed: the soak has to find it
    #[arg(long)]
    send_again: bool,
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = Arguments::parse();
    let ledger = Arc::new(Ledger::default());
    let mut servers = Vec::new();
    for number in 0..BACKENDS.len() {
        servers.push(Server::start(number, Arc::clone(&ledger))?);
    }
    let descriptors_before = descriptors();

    let backends = BACKENDS
        .iter()
        .zip(&servers)
        .map(|((name, priority), server)| Backend::builder(server.url()).name(*name).priority(*priority).build());
    let backends = backends.collect::<Result<Vec<_>, _>>()?;
    let pool = Pool::builder().backends(backends).fail_over_after_send(arguments.send_again).build()?;
    let transport = ReqwestTransport::from_builder(reqwest::Client::builder().no_proxy())?;
    let balancer = Arc::new(Balancer::with_parts(pool, transport, SeededRng::new(arguments.seed)));
    let pool = balancer.pool();

    let end = Instant::now() + Duration::from_secs(arguments.seconds);
    let callers = Callers { balancer, ledger: Arc::clone(&ledger), next_id: Arc::default(), end };
    let mut calling = JoinSet::new();
    for task in 0..arguments.tasks {
        calling.spawn(callers.clone().call(Draw::new(arguments.seed, 1 + task)));
    }
    drop(callers);
    let sweeping = async {
        while Instant::now() < end {
            sleep(Duration::from_secs(1)).await;
            ledger.sweep(Instant::now());
        }
    };
    let flap_draw = Draw::new(arguments.seed, 0);
    let flapping = flapping::flap(&servers[0], &pool, BACKENDS[0].0, &flap_draw, end);
    let (met, memory, ()) = tokio::join!(flapping, Memory::watch(end), sweeping);
    while let Some(ended) = calling.join_next().await {
        ended?;
    }
    // The balancer is gone with its callers, and its connections go with it.
    let descriptors_after = at_rest(descriptors_before).await;
    ledger.close();

    println!("the flapping backend, and how often it was asked:");
    for (behaviour, times) in &met {
        println!("  {:<24} {times:>9}", format!("{behaviour:?}"));
    }
    let is_met = |(behaviour, times): &&(Behaviour, u64)| *behaviour != Behaviour::Well && *times > 0;
    let kinds: HashSet<_> = met.iter().filter(is_met).map(|(behaviour, _)| mem::discriminant(behaviour)).collect();
    println!("sicknesses that were met  {:>9} of 8", kinds.len());
    println!("{}", ledger.counts());
    let mut is_well = ledger.counts().violations() == 0;
    for violation in ledger.told() {
        println!("  {violation}");
    }
    let mut leaked = 0;
    for entry in pool.snapshot().backends {
        let c = entry.counters;
        println!("{:<24} {c:?}", entry.backend.name());
        let settled = c.successes + c.throttles + c.server_errors + c.faults + c.rejected + c.cancelled;
        leaked += c.in_flight + c.attempts.abs_diff(settled);
    }
    println!("attempts that never ended {leaked:>9}");
    is_well &= leaked == 0;
    if let (Some(before), Some(after)) = (descriptors_before, descriptors_after) {
        println!("descriptors               {before:>9} before, {after} at rest");
        is_well &= before == after;
    }
    if let Some(memory) = memory {
        let [first, middle, last] = memory.thirds();
        println!("resident, KiB by third    {first:>9.0}, {middle:.0}, {last:.0}: x {:.3}", memory.growth());
        is_well &= !memory.grows();
    }
    println!("{}", if is_well { "well" } else { "NOT WELL" });
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The number of open descriptors, once it is what it was before, or when that takes too long.
async fn at_rest(before: Option<usize>) -> Option<usize> {
    let late = Instant::now() + CLOSED_WITHIN;
    while descriptors() != before && Instant::now() < late {
        sleep(Duration::from_millis(50)).await;
    }
    descriptors()
}
