//! Threads that run at the same time, or a round that does not count.
//!
//! Each thread is pinned to a core of its own, warms up, and waits for the others by spinning: threads that are woken
//! one after another, or share a core, run one after another, and a lock between them would look free. What is left of
//! that, because the machine has other work too, is filtered: a round counts only if all ran together for most of it.

use std::{
    hint::spin_loop,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use core_affinity::CoreId;

/// The share of a round in which all threads must have run.
const OVERLAP: f64 = 0.85;

/// The cores of this process, as it started: a thread that is pinned would see only its own.
fn all_cores() -> &'static [CoreId] {
    static CORES: OnceLock<Vec<CoreId>> = OnceLock::new();
    CORES.get_or_init(|| core_affinity::get_core_ids().unwrap_or_default())
}

/// How many threads can run at the same time.
#[must_use]
pub fn cores() -> usize {
    all_cores().len().max(1)
}

/// Pins the calling thread, and those that it starts, to the first core.
pub fn pin_to_first_core() {
    all_cores().first().copied().map(core_affinity::set_for_current);
}

/// Pins the calling thread, and those that it starts, to the last core.
pub fn pin_to_last_core() {
    all_cores().last().copied().map(core_affinity::set_for_current);
}

/// Runs `op` on each of this many threads, and gives the mean time of a thread; `None` if they did not run together.
///
/// `op` is told how often to repeat itself.
pub fn run(threads: usize, times: u64, op: &(impl Fn(u64) + Sync + ?Sized)) -> Option<Duration> {
    let cores = all_cores();
    let waiting = AtomicUsize::new(threads);
    let spans: Vec<(Instant, Instant)> = thread::scope(|scope| {
        let threads = cores.iter().take(threads).map(|&core| {
            let waiting = &waiting;
            scope.spawn(move || {
                let pinned = core_affinity::set_for_current(core);
                op(times.div_ceil(16));
                waiting.fetch_sub(1, Ordering::AcqRel);
                while waiting.load(Ordering::Acquire) > 0 {
                    spin_loop();
                }
                let start = Instant::now();
                op(times);
                pinned.then(|| (start, Instant::now()))
            })
        });
        // Collected first: all threads must have started before one is waited for.
        let threads: Vec<_> = threads.collect();
        threads.into_iter().map(|thread| thread.join().ok().flatten()).collect::<Option<_>>()
    })?;
    if overlap(&spans)? < OVERLAP {
        return None;
    }
    let total: Duration = spans.iter().map(|(start, end)| *end - *start).sum();
    Some(total / u32::try_from(threads).ok()?)
}

/// The share of the time from the first start to the last end in which all ran.
fn overlap(spans: &[(Instant, Instant)]) -> Option<f64> {
    let starts = || spans.iter().map(|span| span.0);
    let ends = || spans.iter().map(|span| span.1);
    let together = ends().min()?.saturating_duration_since(starts().max()?);
    let whole = ends().max()?.saturating_duration_since(starts().min()?);
    Some(together.as_secs_f64() / whole.as_secs_f64().max(1e-9))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_ran_one_after_another_did_not_overlap() {
        let start = Instant::now();
        let span = |from, to| (start + Duration::from_millis(from), start + Duration::from_millis(to));
        let share = |spans: &[_]| overlap(spans).unwrap();
        assert!((share(&[span(0, 10), span(0, 10)]) - 1.0).abs() < 1e-9);
        assert!((share(&[span(0, 10), span(5, 10)]) - 0.5).abs() < 1e-9);
        assert!(share(&[span(0, 10), span(10, 20)]).abs() < 1e-9);
        assert!(share(&[span(0, 10), span(11, 20)]).abs() < 1e-9);
    }

    #[test]
    fn every_thread_runs_its_times_and_its_warm_up() {
        let ran = std::sync::atomic::AtomicU64::new(0);
        run(1, 160, &|times| {
            ran.fetch_add(times, Ordering::Relaxed);
        });
        assert_eq!(ran.into_inner(), 170);
    }
}
