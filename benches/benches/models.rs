//! Models in bodies under criterion.

use lb_benches::{explore, groups::models};

fn main() {
    let mut criterion = explore::criterion();
    explore::explore(&mut criterion, "models", models::sections());
    criterion.final_summary();
}
