//! The traffic in a log.

use std::{collections::BTreeMap, num::NonZeroU32};

use super::{AgainstError, Arriving};
use crate::{
    log::{Attempt, Log},
    random::{Draws, Purpose},
    scenario::Scenario,
    traffic::{Row, Trace},
};

/// The traffic in a log, in parts that are simulated each for itself.
#[derive(Debug)]
pub(super) struct LoggedArrivals {
    pub(super) arriving: Arriving,
    pub(super) parts: Vec<LoggedPart>,
}

#[derive(Debug)]
pub(super) struct LoggedPart {
    /// The backend that all of it goes to, without a balancer.
    pub(super) direct_to: Option<String>,
    pub(super) trace: Trace,
}

impl LoggedArrivals {
    pub(super) fn of(scenario: &Scenario, log: &Log) -> Result<Self, AgainstError> {
        if log.attempts().is_empty() {
            return Err(AgainstError::NoAttempts);
        }
        let is_known = |name: &&str| scenario.backends.iter().any(|backend| backend.name == **name);
        if let Some(name) = log.backends().into_iter().find(|name| !is_known(name)) {
            return Err(AgainstError::UnknownBackend(name.to_owned()));
        }
        if scenario.backends.len() > 1 && log.attempts().iter().any(|attempt| attempt.backend.is_none()) {
            return Err(AgainstError::UnnamedBackend);
        }
        let sizes = LoggedSizes::of(log);
        if sizes.accepted.is_empty() {
            return Err(AgainstError::NoSizes);
        }
        if lines(log).all(|line| line.request.is_some()) {
            let part = LoggedPart { direct_to: None, trace: sizes.requests(log) };
            return Ok(Self { arriving: Arriving::Requests, parts: vec![part] });
        }
        if !log.unsent().is_empty() {
            return Err(AgainstError::UnnumberedRequests);
        }
        let part = |name: &str| {
            let is_its = |attempt: &&Attempt| attempt.backend.as_deref().is_none_or(|backend| backend == name);
            let rows = log.attempts().iter().filter(is_its).zip(0..).map(|(attempt, n)| sizes.row(log, attempt, n));
            LoggedPart { direct_to: Some(name.to_owned()), trace: Trace::new(rows.collect()) }
        };
        let backends = scenario.backends.iter().map(|backend| part(&backend.name));
        let parts = backends.filter(|part| !part.trace.rows().is_empty()).collect();
        Ok(Self { arriving: Arriving::Attempts, parts })
    }
}

/// All lines of a log: its attempts, then the requests that no backend got.
pub(super) fn lines(log: &Log) -> impl Iterator<Item = &Attempt> {
    log.attempts().iter().chain(log.unsent())
}

/// What attempts in a log were like that say how large they were.
#[derive(Debug)]
struct LoggedSizes<'l> {
    accepted: Vec<&'l Attempt>,
}

impl<'l> LoggedSizes<'l> {
    fn of(log: &'l Log) -> Self {
        let tells = |attempt: &&Attempt| attempt.prompt_tokens.is_some() && attempt.completion_tokens.is_some();
        Self { accepted: log.attempts().iter().filter(|attempt| attempt.is_accepted()).filter(tells).collect() }
    }

    /// One row per request: when its first line begins, and the size that any of its attempts tells.
    fn requests(&self, log: &Log) -> Trace {
        let mut first = BTreeMap::new();
        let mut telling = BTreeMap::new();
        for line in lines(log) {
            let earliest = first.entry(&line.request).or_insert(line);
            if line.start < earliest.start {
                *earliest = line;
            }
        }
        for attempt in &self.accepted {
            telling.insert(&attempt.request, *attempt);
        }
        let rows = first.iter().zip(0..).map(|((request, attempt), number)| {
            let told = telling.get(request).copied().unwrap_or(attempt);
            Row { at: attempt.start - log.begin(), ..self.row(log, told, number) }
        });
        let mut rows: Vec<Row> = rows.collect();
        rows.sort_by_key(|row| row.at);
        Trace::new(rows)
    }

    /// The attempt as a row; what it does not tell is another's.
    fn row(&self, log: &Log, attempt: &Attempt, number: u64) -> Row {
        let bits = Draws::new(0).bits(Purpose::Sample, number, 1);
        let pick = usize::try_from(bits % self.accepted.len() as u64).unwrap_or(0);
        let other = self.accepted[pick];
        let tells = attempt.prompt_tokens.is_some();
        let (input, cached, max_tokens) = if tells {
            (attempt.prompt_tokens, attempt.cached_tokens, attempt.max_tokens)
        } else {
            (other.prompt_tokens, other.cached_tokens, other.max_tokens)
        };
        let output = attempt.completion_tokens.or(other.completion_tokens);
        let small = |tokens: u64| u32::try_from(tokens).unwrap_or(u32::MAX);
        Row {
            at: attempt.start - log.begin(),
            input: small(input.unwrap_or(0)),
            output: small(output.unwrap_or(0)),
            cached: small(cached),
            max_tokens: max_tokens.and_then(|tokens| NonZeroU32::new(small(tokens))),
        }
    }
}
