//! Addressing and copying requests: the cases of [`request`] under criterion.

use lb_benches::{explore, groups::request};

fn main() {
    let mut criterion = explore::criterion();
    explore::explore(&mut criterion, "request", request::sections());
    criterion.final_summary();
}
