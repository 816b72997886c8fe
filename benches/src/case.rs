//! A case: one thing that is measured, and the section of those that it is compared with.

use std::{
    fmt,
    hint::black_box,
    time::{Duration, Instant},
};

/// One thing that is measured.
pub struct Case {
    name: String,
    run: Box<dyn FnMut(u64) -> Option<Duration>>,
}

impl Case {
    /// A case that repeats `op` between two reads of the clock.
    pub fn new<T>(name: impl Into<String>, mut op: impl FnMut() -> T + 'static) -> Self {
        Self::timed(name, move |times| {
            let start = Instant::now();
            for _ in 0..times {
                black_box(op());
            }
            start.elapsed()
        })
    }

    /// A case that repeats itself the given number of times, and says how long that took without its preparations.
    pub fn timed(name: impl Into<String>, mut run: impl FnMut(u64) -> Duration + 'static) -> Self {
        Self::filtered(name, move |times| Some(run(times)))
    }

    /// A case like a [`timed`](Case::timed) one, that gives `None` for a run that does not count.
    pub fn filtered(name: impl Into<String>, run: impl FnMut(u64) -> Option<Duration> + 'static) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }

    /// The name within its section.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs it this many times, and says how long that took; `None` if it does not count.
    pub fn run(&mut self, times: u64) -> Option<Duration> {
        (self.run)(times)
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Cases that are compared with each other; the first is the base of the ratios.
#[derive(Debug)]
pub struct Section {
    /// What the cases have in common.
    pub name: String,
    /// The cases; the first is the base.
    pub cases: Vec<Case>,
}

impl Section {
    /// A section of these cases.
    pub fn new(name: impl fmt::Display, cases: impl IntoIterator<Item = Case>) -> Self {
        Self { name: name.to_string(), cases: cases.into_iter().collect() }
    }
}
