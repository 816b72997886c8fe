//! What happens to a request and to a backend: the cases of [`lifecycle`] under criterion.

use lb_benches::{explore, groups::lifecycle};

fn main() {
    let mut criterion = explore::criterion();
    explore::explore(&mut criterion, "lifecycle", lifecycle::sections());
    criterion.final_summary();
}
