//! Picking a backend: the cases of [`selection`] under criterion.

use lb_benches::{explore, groups::selection};

fn main() {
    let mut criterion = explore::criterion();
    explore::explore(&mut criterion, "selection", selection::sections());
    criterion.final_summary();
}
