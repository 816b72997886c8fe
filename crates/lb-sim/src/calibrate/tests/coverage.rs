//! How often the interval holds the depth, and how seldom a wrong model is identified.
//!
//! ```sh
//! LB_SEEDS=80 cargo test --release -p lb-sim --lib calibrate::tests::coverage -- --nocapture
//! ```

use lb_limits::Ptu;
use rayon::prelude::*;

use super::{Case, PLAIN, REAL, Told};
use crate::calibrate::{Calibration, Verdict, calibrate};

/// How many logs of each kind are made: a few, so that nobody waits for it, or as many as the environment says.
fn seeds() -> u64 {
    std::env::var("LB_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(6)
}

fn calibrations(case: Case) -> Vec<Calibration> {
    (1..=seeds()).into_par_iter().map(|seed| Case { seed, ..case }.calibrate()).collect()
}

#[test]
fn the_interval_holds_the_depth() {
    let (mut all, mut held) = (0, 0);
    for (what, case) in [
        ("1 s, hints in ms", Case { depth: 1.0, ..REAL }),
        ("17 s, hints in ms", Case { depth: 17.0, ..REAL }),
        ("17 s, hints in ms, exact times, bias 1.37", Case { depth: 17.0, bias: 1.37, ..PLAIN }),
        ("17 s, no hints", Case { depth: 17.0, hints: Told::Nothing, ..REAL }),
        ("5 s, no hints, bias 1.37", Case { depth: 5.0, bias: 1.37, hints: Told::Nothing, ..REAL }),
    ] {
        let found = calibrations(case);
        let fitted: Vec<_> = found.iter().filter_map(|found| found.burst).collect();
        let holds = fitted.iter().filter(|burst| (burst.low..=burst.high).contains(&case.depth)).count();
        let identified = found.iter().filter(|found| found.verdict == Verdict::Identified).count();
        let width = fitted.iter().map(|burst| (burst.high - burst.low) / burst.value).sum::<f64>();
        println!(
            "{what}: {holds} of {} hold it, {identified} identified, {:.2} % wide",
            found.len(),
            100.0 * width / fitted.len() as f64
        );
        (all, held) = (all + found.len(), held + holds);
    }
    println!("{held} of {all}: {:.1} %", 100.0 * held as f64 / all as f64);
    assert!(held as f64 >= 0.92 * all as f64, "{held} of {all}");
}

#[test]
fn a_wrong_number_of_ptus_is_not_identified() {
    for hints in [Told::Nothing, Told::Milliseconds] {
        // As 5, 8, 10 and 13 are to 15; and the right one.
        for ptus in [67, 107, 133, 173, 200] {
            let identified = (1..=seeds().div_ceil(3)).into_par_iter().filter(|seed| {
                let log = Case { depth: 3.0, hints, seed: *seed, ..PLAIN }.log();
                let found = calibrate(&log, &Ptu::new(ptus, 3_000).output_ratio(4)).unwrap();
                found.verdict == Verdict::Identified
            });
            let expected = if ptus == 200 { seeds().div_ceil(3) } else { 0 };
            assert_eq!(identified.count() as u64, expected, "{ptus} PTUs, {hints:?}");
        }
    }
}
