//! The journal of a run: every event in order, as a hash and, if wanted, as lines.

use std::io::{self, Write};

use lb_core::{Fault, SeededRng};

use crate::{scenario::Scenario, traffic::Arrival};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Entry {
    /// A request arrived at a worker (`detail`).
    Arrived = 1,
    /// An attempt went to a backend.
    Sent = 2,
    /// The backend answered with a status (`detail`).
    Answered = 3,
    /// The attempt brought no answer: see [`of_fault`](Entry::of_fault) (`detail`).
    Faulted = 4,
    /// A pool has the backend out until a moment (`detail`, nanoseconds).
    Cooling = 5,
    /// No backend was left; the soonest is back after a delay (`detail`, nanoseconds).
    Exhausted = 6,
    /// The SDK waits until a moment (`detail`, nanoseconds) and sends again.
    Waits = 7,
    /// The last token came.
    Succeeded = 8,
    /// The request ended without success: the status that the application saw, 0 for none, 1 for its deadline
    /// (`detail`).
    GaveUp = 9,
    /// The backend is done with a request whose caller has left.
    Orphaned = 10,
    /// A pool suspects the backend, and asks it first from a moment on (`detail`, nanoseconds).
    Suspected = 11,
    /// A pool suspects the backend no more: an attempt succeeded there.
    Available = 12,
    /// The balancer lets the request wait until a moment (`detail`, nanoseconds), and is asked again then.
    Queued = 13,
}

impl Entry {
    /// What [`Faulted`](Entry::Faulted) notes of a fault.
    pub(crate) const fn of_fault(fault: Fault) -> u64 {
        match fault {
            Fault::Connect => 1,
            Fault::Timeout => 2,
            Fault::Reset => 3,
            Fault::ConnectTimeout => 4,
            _ => 0,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Arrived => "arrived",
            Self::Sent => "sent",
            Self::Answered => "answered",
            Self::Faulted => "faulted",
            Self::Cooling => "cooling",
            Self::Exhausted => "exhausted",
            Self::Waits => "waits",
            Self::Succeeded => "succeeded",
            Self::GaveUp => "gave_up",
            Self::Orphaned => "orphaned",
            Self::Suspected => "suspected",
            Self::Available => "available",
            Self::Queued => "queued",
        }
    }
}

/// The journal of one run.
pub(crate) struct Journal<'a> {
    hash: u64,
    lines: Option<Lines<'a>>,
}

struct Lines<'a> {
    writer: &'a mut dyn Write,
    /// It has the names of what is numbered in entries.
    scenario: &'a Scenario,
    error: Option<io::Error>,
}

/// Any odd number.
const ODD: u64 = 0xd6e8_feb8_6659_fd93;

/// Mixes two words into one by the halves of their product, as wyhash does (Wang Yi, "Modern non-cryptographic hash function
/// and pseudorandom number generator").
#[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
const fn folded(one: u64, other: u64) -> u64 {
    let product = one as u128 * other as u128;
    product as u64 ^ (product >> 64) as u64
}

/// No backend is concerned.
pub(crate) const NO_BACKEND: usize = 0xffff;

impl<'a> Journal<'a> {
    /// A journal that keeps the hash only.
    pub(crate) const fn hash_only() -> Self {
        Self { hash: 0, lines: None }
    }

    /// A journal that writes a CSV line per entry too.
    pub(crate) fn with_lines(writer: &'a mut dyn Write, scenario: &'a Scenario) -> Self {
        let error = writeln!(writer, "time_ns,event,workload,request,attempt,backend,detail").err();
        Self { hash: 0, lines: Some(Lines { writer, scenario, error }) }
    }

    /// Notes an entry.
    #[inline(always)]
    pub(crate) fn note(&mut self, at: u64, entry: Entry, request: &Arrival, attempt: u32, backend: usize, detail: u64) {
        let place = (entry as u64) << 56 | (backend as u64) << 40 | u64::from(attempt);
        let request_word = request.number ^ u64::from(request.workload) << 56;
        let hash = folded(self.hash ^ at, place ^ SeededRng::GAMMA);
        self.hash = folded(hash ^ request_word, detail ^ ODD);
        if let Some(lines) = &mut self.lines {
            lines.write(at, entry, request, attempt, backend, detail);
        }
    }

    /// The hash over all entries.
    pub(crate) fn finish(self) -> io::Result<u64> {
        match self.lines {
            Some(Lines { error: Some(error), .. }) => Err(error),
            Some(lines) => lines.writer.flush().map(|()| self.hash),
            None => Ok(self.hash),
        }
    }
}

impl Lines<'_> {
    #[cold]
    #[inline(never)]
    fn write(&mut self, at: u64, entry: Entry, request: &Arrival, attempt: u32, backend: usize, detail: u64) {
        if self.error.is_some() {
            return;
        }
        let (workload, number) = (request.workload as usize, request.number);
        let workload = self.scenario.workloads.get(workload).map_or("", |workload| &workload.name);
        let backend = self.scenario.backends.get(backend).map_or("", |backend| &backend.name);
        self.error =
            writeln!(self.writer, "{at},{},{workload},{number},{attempt},{backend},{detail}", entry.as_str()).err();
    }
}
