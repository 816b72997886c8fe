//! What sixteen processes at one full backend save by the sharing, and what the simulator says of it.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use lb_emulator::Emulator;
use lb_sim::{Scenario, Simulation};

use crate::{Result, fleet::Fleet, server::Server};

const WORKERS: u64 = 16;

/// Requests per second that all of them send together, and that the backend serves: it counts them per 10 s.
const SENT: u32 = 20;
const SERVED: u32 = 10;

/// How long they send.
const SECONDS: u64 = 60;

/// Runs of the simulator.
const RUNS: u32 = 200;

pub(crate) async fn run(program: &Path) -> Result<()> {
    let server = Server::start(program).await?;
    println!("{:<10}{:>10}{:>10}{:>24}{:>28}", "sharing", "served", "429s", "429s per served", "the simulator says");
    for (name, redis, pools) in [("off", None, "private"), ("on", Some(server.url()), "gossip")] {
        let (served, throttles) = measure(redis)?.await?;
        let (mean, deviation) = simulate(pools)?;
        let found = throttles / served;
        println!("{name:<10}{served:>10}{throttles:>10}{found:>24.4}{:>28}", format!("{mean:.4} (sd {deviation:.4})"));
        if (found - mean).abs() > 3.0 * deviation {
            return Err("it is not within three standard deviations of what the simulator says".into());
        }
    }
    Ok(())
}

/// What was served, and what was refused by the backend.
fn measure(redis: Option<String>) -> Result<impl Future<Output = Result<(f64, f64)>>> {
    let backend = Emulator::builder().name("full").standard(1_000_000_000, u64::from(SERVED) * 60).start()?;
    // Its windows begin when it does; the processes need a while to start, and begin with one of them.
    let begin = SystemTime::now() + Duration::from_secs(10);
    let begin = begin.duration_since(SystemTime::UNIX_EPOCH)?.as_millis();
    let redis = redis.map(|url| ["--redis".to_owned(), url]);
    let own = [
        ["--backend".to_owned(), backend.url()],
        ["--rate".to_owned(), (f64::from(SENT) / 16.0).to_string()],
        ["--begin".to_owned(), begin.to_string()],
        ["--seconds".to_owned(), SECONDS.to_string()],
    ];
    let arguments: Vec<String> = redis.into_iter().chain(own).flatten().collect();
    let fleet = Fleet::start(WORKERS, &arguments)?;
    Ok(async move {
        let all = fleet.ends().await?;
        drop(backend);
        if all.iter().any(|seen| seen.failed > 0) {
            return Err("a request was neither served nor refused".into());
        }
        let sum = |of: fn(&crate::worker::Seen) -> u64| {
            let sum = all.iter().map(of).sum::<u64>();
            u32::try_from(sum).map(f64::from)
        };
        Ok((sum(|seen| seen.served)?, sum(|seen| seen.throttles)?))
    })
}

/// The mean of 429s per served request, and its standard deviation from run to run.
fn simulate(pools: &str) -> Result<(f64, f64)> {
    let scenario = Scenario::parse(&format!(
        r#"
        run = {{ duration = "{SECONDS}s" }}
        clients = {{ workers = {WORKERS}, pools = "{pools}", gossip_delay = "2ms", refusal_latency = "2ms" }}
        model = [{{ name = "quick", ttft = {{ base = "2ms", per_1k_input = "0s" }}, tpot = {{ mean = "0.1ms" }} }}]
        workload = [{{ name = "calls", kind = "poisson", rate = {SENT}, input = 2, output = 10, max_tokens = 10 }}]
        [[backend]]
        name = "full"
        model = "quick"
        preset = "azure-standard"
        tpm = 1_000_000_000
        rpm = {}
        phase = "0s"
        "#,
        SERVED * 60
    ))?;
    let simulation = Simulation::new(&scenario)?;
    let mut ratios = Vec::new();
    for run in 0..RUNS {
        let result = simulation.run(run.into());
        let (served, throttles) = (result.backends[0].accepted, result.backends[0].throttles);
        ratios.push(f64::from(u32::try_from(throttles)?) / f64::from(u32::try_from(served)?));
    }
    let mean = ratios.iter().sum::<f64>() / f64::from(RUNS);
    let squares = ratios.iter().map(|ratio| (ratio - mean).powi(2)).sum::<f64>();
    Ok((mean, (squares / f64::from(RUNS - 1)).sqrt()))
}
