//! Picking from several threads at once: the cases of [`threads`] under criterion.

use lb_benches::{explore, groups::threads};

fn main() {
    let mut criterion = explore::criterion();
    explore::explore(&mut criterion, "threads", threads::sections());
    criterion.final_summary();
}
