//! What each adapter adds to its bare client, per request: nanoseconds and allocations, as a Markdown table.
//!
//! All sides run in turn for many rounds, and what is added is the median over the rounds of the difference within one.
//! Allocations are counted, and are the same in every run. The counting allocator is in place while times are taken; it
//! costs about a nanosecond per allocation.
//!
//! ```text
//! cargo run --release -p lb-benches --bin adapters
//! ```

use std::time::Duration;

use lb_benches::{
    case::Case,
    groups::adapters,
    overlap,
    rounds::{self, Effort},
};

const EFFORT: Effort = Effort { rounds: 101, batch: Duration::from_micros(500) };

/// Enough that an allocation of every few requests is seen.
const COUNTED: u64 = 1000;

fn main() {
    overlap::pin_to_first_core();
    // Cases run when they are counted, and so are warm.
    let allocations: Vec<Vec<f64>> = adapters::sections()
        .into_iter()
        .map(|section| section.cases.into_iter().map(allocations_of).collect())
        .collect();
    println!("| adapter | bare client | balanced | added | allocations, bare | balanced | added |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for (measured, allocations) in rounds::run(adapters::sections(), EFFORT).iter().zip(allocations) {
        let [bare, balanced, ..] = &measured.cases[..] else { continue };
        let (bare_count, balanced_count) = (allocations[0], allocations[1]);
        println!(
            "| {} | {:.0} ns | {:.0} ns | **{:.0} ns** | {bare_count} | {balanced_count} | **{}** |",
            measured.section,
            bare.nanos().median,
            balanced.nanos().median,
            balanced.more_than(bare).median,
            balanced_count - bare_count,
        );
    }
}

/// How often a case allocates or reallocates, per run.
fn allocations_of(mut case: Case) -> f64 {
    case.run(COUNTED);
    let counted = allocation_counter::measure(|| {
        case.run(COUNTED);
    });
    counted.count_total as f64 / COUNTED as f64
}
