//! Whole requests over loopback: the cases of [`overhead`] under criterion.

use std::error::Error;

use lb_benches::{explore, groups::overhead};

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = explore::criterion();
    explore::explore(&mut criterion, "overhead", overhead::sections()?);
    criterion.final_summary();
    Ok(())
}
