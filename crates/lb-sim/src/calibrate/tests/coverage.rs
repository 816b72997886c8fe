//! How often the interval of a calibration holds the depth: by hand, in release mode.

use super::*;

#[test]
#[ignore = "minutes: scripts/release-check coverage"]
fn the_interval_holds_the_depth_in_92_to_98_of_100_logs() {
    const LOGS: u64 = 400;
    for hints in [Told::Milliseconds, Told::Seconds, Told::Nothing] {
        for depth in [3.0, 17.0] {
            let holds = |seed: &u64| {
                let case = Case { depth, hints, seed: 100 + seed, requests: 1_500, ..REAL };
                case.calibrate().burst.is_some_and(|burst| (burst.low..=burst.high).contains(&depth))
            };
            let share = (0..LOGS).filter(holds).count() as f64 / LOGS as f64;
            println!("{hints:?}, depth {depth} s: {:.1} % of {LOGS}", 100.0 * share);
        }
    }
}
