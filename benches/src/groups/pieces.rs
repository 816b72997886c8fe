//! What a pick is made of: reads of a clock, and random numbers.

use std::{
    hint::black_box,
    time::{Instant, SystemTime},
};

use chrono::Utc;
use lb_core::{Clock, Rng, SystemClock, ThreadRng};
use rand::RngExt;

use crate::{
    case::{Case, Section},
    state::{self, Shape},
};

/// A section for clocks and one for generators.
#[must_use]
pub fn sections() -> Vec<Section> {
    let clock = SystemClock::new();
    let pool = state::pool(Shape { backends: 3, tiers: 1 });
    vec![
        Section::new(
            "clock",
            [
                Case::new("Instant::now", Instant::now),
                Case::new("SystemClock::now", move || clock.now()),
                Case::new("Pool::now", move || pool.now()),
                Case::new("SystemTime::now", SystemTime::now),
                Case::new("chrono::Utc::now", Utc::now),
            ],
        ),
        Section::new(
            "random number",
            [
                Case::new("ThreadRng", || ThreadRng.next_u64()),
                Case::new("rand::rng, below 8", || rand::rng().random_range(0..black_box(8_u32))),
            ],
        ),
    ]
}
