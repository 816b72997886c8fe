//! A report: what came of every approach, as a table and as JSON.

use std::{collections::BTreeMap, fmt, time::Duration};

use lb_core::{Counters, Pool};
use serde::Serialize;

use crate::{Answer, Approach};

/// What came of every approach.
///
/// As JSON:
///
/// | field | what |
/// | --- | --- |
/// | `emulated` | whether the deployments were emulated |
/// | `approaches` | one object per approach, in order |
/// | `approaches[].approach` | its name, `direct` being the one without a balancer |
/// | `approaches[].requests`, `.succeeded`, `.failed` | how many |
/// | `approaches[].counters` | what the pool counted: attempts, and how they ended |
/// | `approaches[].throttles_absorbed` | 429s that no caller saw, because the request went on to another backend |
/// | `approaches[].served` | per backend its `backend`, `requests` and `percent` of all requests |
/// | `approaches[].failures` | reasons of failed requests, each with how many |
/// | `approaches[].seconds` | how long it took |
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Whether the deployments were emulated.
    pub emulated: bool,
    /// One row per approach, in the order in which they ran.
    pub approaches: Vec<Row>,
}

/// What came of one approach.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The approach.
    pub approach: Approach,
    /// Requests of the caller.
    pub requests: usize,
    /// Those with a whole, good answer.
    pub succeeded: usize,
    /// Those without.
    pub failed: usize,
    /// 429s that no caller saw, because the request went on to another backend.
    pub throttles_absorbed: u64,
    /// What the pool counted, all backends together.
    pub counters: Counters,
    /// Who served how many, one entry per backend of the pool.
    pub served: Vec<Share>,
    /// Why requests failed, and how many for each reason.
    pub failures: BTreeMap<String, usize>,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// How much of an approach one backend served.
#[derive(Debug, Clone, Serialize)]
pub struct Share {
    /// The backend's name.
    pub backend: String,
    /// Requests it served.
    pub requests: usize,
    /// Percent of all requests.
    pub percent: f64,
}

impl Row {
    /// Counts the answers; the 429s are counted by the pool that they went through.
    #[must_use]
    pub fn new(approach: Approach, answers: &[Answer], pool: &Pool, took: Duration) -> Self {
        let mut failures = BTreeMap::new();
        for answer in answers {
            if let Answer::Failed(reason) = answer {
                *failures.entry(reason.clone()).or_insert(0) += 1;
            }
        }
        let failed = failures.values().sum();
        let share = |backend: &lb_core::Backend| {
            let is_its =
                |answer: &&Answer| matches!(answer, Answer::Served { backend: name, .. } if name == backend.name());
            let requests = answers.iter().filter(is_its).count();
            Share { backend: backend.name().to_owned(), requests, percent: percent(requests, answers.len()) }
        };
        let counters = pool.snapshot().counters();
        Self {
            approach,
            requests: answers.len(),
            succeeded: answers.len() - failed,
            failed,
            throttles_absorbed: counters.throttles,
            counters,
            served: pool.backends().iter().map(share).collect(),
            failures,
            seconds: took.as_secs_f64(),
        }
    }
}

impl Report {
    /// Whether it shows what it is to show: no balanced request failed, and, if the deployments were emulated, some
    /// requests to one deployment alone did.
    ///
    /// # Errors
    ///
    /// What does not hold, and what to do.
    pub fn verdict(&self) -> Result<(), String> {
        for row in &self.approaches {
            let name = row.approach;
            if row.approach.is_balanced() && row.failed > 0 {
                let (failed, requests) = (row.failed, row.requests);
                return Err(format!("{name}: {failed} of {requests} requests failed; the reasons are in the report"));
            }
            if self.emulated && !row.approach.is_balanced() && row.failed == 0 {
                return Err(format!("{name}: no request was refused, so nothing is shown; send more with --requests"));
            }
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.approaches.first() else { return Ok(()) };
        write!(f, "{:<18} {:>8} {:>9} {:>6} {:>13}", "approach", "requests", "succeeded", "failed", "429s absorbed")?;
        for share in &first.served {
            write!(f, " {:>1$}", share.backend, width(share))?;
        }
        writeln!(f, " {:>8}", "duration")?;
        for row in &self.approaches {
            let Row { approach, requests, succeeded, failed, served, seconds, .. } = row;
            let absorbed = if approach.is_balanced() { row.throttles_absorbed.to_string() } else { "-".to_owned() };
            write!(f, "{approach:<18} {requests:>8} {succeeded:>9} {failed:>6} {absorbed:>13}")?;
            for share in served {
                write!(f, " {:>1$}", format!("{:.1} %", share.percent), width(share))?;
            }
            writeln!(f, " {:>8}", format!("{seconds:.2} s"))?;
        }
        for row in &self.approaches {
            for (reason, count) in &row.failures {
                writeln!(f, "{}: {count} x {reason}", row.approach)?;
            }
        }
        Ok(())
    }
}

/// The width of a backend's column.
fn width(share: &Share) -> usize {
    share.backend.len().max("100.0 %".len())
}

fn percent(part: usize, whole: usize) -> f64 {
    // Exact below 2^53 requests.
    if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 }
}
