//! How fast the simulator is: two weeks of 10 requests per second, 12 million requests, on one thread.
//!
//! ```sh
//! cargo run --release -p lb-sim --example speed
//! cargo run --release -p lb-sim --example speed -- few 12h # one run of the first row, of 12 hours
//! ```
//!
//! Four backends, 16 workers with a pool each, a table of latencies, all metrics, the hash over every event. The time is
//! the best of three runs; machines differ and are shared, so nothing is asserted about it. One run by itself is for
//! callgrind, whose counts of instructions depend on nothing else: those of 12 hours less those of 6, by the requests of
//! those (`benches/count-instructions-sim`).

use std::{error::Error, time::Instant};

use lb_sim::{Scenario, Simulation};

fn main() -> Result<(), Box<dyn Error>> {
    let scenario = Scenario::parse(include_str!("../scenarios/speed.toml"))?;
    // Fewer PTUs: about one request in five meets a 429 on its way.
    let throttled = scenario.with(&[("backend.ptu.ptus".parse()?, 355.into())])?;
    let rows = [("few", scenario), ("many", throttled)];
    let mut arguments = std::env::args().skip(1);
    if let Some(row) = arguments.next() {
        let duration = arguments.next().unwrap_or_else(|| "14 days".to_owned());
        let (_, scenario) = rows.iter().find(|(name, _)| *name == row).ok_or("the rows are `few` and `many`")?;
        let scenario = scenario.with(&[("run.duration".parse()?, duration.into())])?;
        let result = Simulation::new(&scenario)?.run(0);
        println!("{} requests   hash {:016x}", result.conservation.offered, result.hash);
        return Ok(());
    }
    println!("{:<22} {:>10} {:>12} {:>9} {:>14}", "429s", "requests", "429s/request", "seconds", "requests/s");
    for (name, scenario) in &rows {
        let simulation = Simulation::new(scenario)?;
        let mut best = f64::INFINITY;
        let mut result = None;
        for _ in 0..3 {
            let start = Instant::now();
            result = Some(simulation.run(0));
            best = best.min(start.elapsed().as_secs_f64());
        }
        let result = result.ok_or("three runs")?;
        let offered = result.conservation.offered;
        let refused: u64 = result.backends.iter().map(|backend| backend.throttles).sum();
        println!(
            "{name:<22} {offered:>10} {:>12.3} {best:>9.2} {:>14.0}   hash {:016x}",
            refused as f64 / offered as f64,
            offered as f64 / best,
            result.hash
        );
    }
    Ok(())
}
