//! A deployment as the simulation has it: limits, places, latency, faults, headers.

mod fault;
mod headers;
mod latency;

use std::collections::VecDeque;

use lb_core::Fault;
use lb_limits::{
    CHARS_PER_TOKEN, Chain, Demand, Limit, MINUTE, Ptu, QuotaId, Quotas, SECOND, STANDARD_MAX_TOKENS, Usage, Window,
    azure_standard_windows, standard_estimate,
};

use crate::{
    random::{Draws, Purpose},
    scenario::{self, FaultKind, Phase, Preset, Scenario},
    traffic::Size,
};

use fault::Effect;
pub(crate) use fault::Outages;
pub(crate) use headers::{Advice, HeaderLines};
pub(crate) use latency::Latency;

/// A deployment.
#[derive(Debug)]
pub(crate) struct Server {
    /// Its place among the backends of the scenario, part of the key of its draws.
    index: usize,
    quota: QuotaId,
    /// The rules of its bucket, if it is provisioned: they say what a request counts.
    ptu: Option<Ptu>,
    /// What a request without `max_tokens` is taken to ask for.
    default_max_tokens: u64,
    places: Option<Places>,
    latency: Latency,
    refusal_latency: u64,
    connect_fault_latency: u64,
    connect_timeout: u64,
    hints: scenario::Hints,
    /// Which of the scenario's faults hit it.
    faults: Vec<usize>,
    /// Which of them hit the requests of each workload, wherever they go.
    poison: Vec<Vec<usize>>,
}

/// The places of a backend that serves so many at once.
#[derive(Debug)]
struct Places {
    limit: u64,
    taken: u64,
    queue: VecDeque<u32>,
    queue_limit: u64,
}

/// What a request is to a deployment: its size, and the keys of its draws.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    /// The workload that it is of.
    pub(crate) workload: usize,
    /// How large it is.
    pub(crate) size: Size,
    /// Characters of a token, in thousandths.
    pub(crate) milli_chars_per_token: u64,
    /// Whether the head of its answer comes with the first token.
    pub(crate) stream: bool,
    /// The request's key in the draws.
    pub(crate) key: u64,
    /// The attempt's number within the request, from 0.
    pub(crate) attempt: u64,
}

/// What a deployment does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is let in and served; the first token comes after `first`, the last after `last` (nanoseconds from the
    /// start of its service).
    Served(Service),
    /// It is let in and waits for a place.
    Queued(Service),
    /// It is refused: with a 429, or inside a 200 whose headers alone say so.
    Refused {
        /// How long it should wait.
        advice: Advice,
        /// Whether the refusal is inside a 200.
        in_stream: bool,
    },
    /// A fault answers with a status.
    Broken {
        /// The status: 429, or a 5xx.
        status: u16,
        /// What it says of the wait.
        advice: Advice,
        /// When it comes, in nanoseconds from the sending on.
        after: u64,
    },
    /// No connection comes about, or it breaks.
    Faulted {
        /// As the client sees it.
        fault: Fault,
        /// When, in nanoseconds from the sending on.
        after: u64,
    },
    /// There will be no answer.
    Hangs,
}

/// What serving a request takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Service {
    /// From the start of the service to the first token, in nanoseconds.
    pub(crate) first: u64,
    /// From the start of the service to the last token, in nanoseconds.
    pub(crate) last: u64,
    /// What the limits were asked for.
    pub(crate) demand: Demand,
    /// What admission reserved, in the limit's unit.
    pub(crate) estimated: u64,
}

impl Server {
    /// The deployments of a scenario, with their quotas.
    pub(crate) fn all(scenario: &Scenario, draws: Draws) -> (Vec<Self>, Quotas) {
        let mut quotas = Quotas::default();
        let servers = scenario.backends.iter().enumerate();
        let servers = servers.map(|(index, backend)| Self::new(index, backend, scenario, draws, &mut quotas)).collect();
        (servers, quotas)
    }

    fn new(index: usize, backend: &scenario::Backend, scenario: &Scenario, draws: Draws, quotas: &mut Quotas) -> Self {
        let model = scenario.model(&backend.model);
        let ptu = ptu(backend, &model);
        // A name that no scenario can give: a quota of its own.
        let name = backend.quota.as_ref().map_or_else(|| format!(".{}", backend.name), Clone::clone);
        let quota = quotas.id(&name).unwrap_or_else(|| quotas.add(name, chain(index, backend, ptu, draws)));
        let hit_by = |fault: &scenario::Fault| {
            fault.backend.as_ref().is_some_and(|name| *name == backend.name)
                || fault.region.is_some() && fault.region == backend.region
        };
        Self {
            index,
            quota,
            ptu,
            default_max_tokens: backend.default_max_tokens.unwrap_or(STANDARD_MAX_TOKENS),
            places: backend.concurrency.map(|limit| Places {
                limit: limit.max_inflight,
                taken: 0,
                queue: VecDeque::new(),
                queue_limit: limit.queue,
            }),
            latency: Latency::new(&model, backend.latency_factor),
            refusal_latency: scenario.refusal_latency(backend).as_nanos(),
            connect_fault_latency: scenario.clients.connect_fault_latency.as_nanos(),
            connect_timeout: scenario.clients.connect_timeout.as_nanos(),
            hints: backend.hints,
            faults: (0..scenario.faults.len()).filter(|&fault| hit_by(&scenario.faults[fault])).collect(),
            poison: poison(scenario),
        }
    }

    /// Takes a request in, or not. A request that is queued is `waiting`: the number by which
    /// [`leave`](Server::leave) names it when its turn comes.
    #[inline]
    pub(crate) fn offer(
        &mut self,
        now: u64,
        call: &Call,
        waiting: u32,
        draws: Draws,
        quotas: &mut Quotas,
        outages: &mut Outages,
    ) -> Answer {
        let mut slower = 1.0;
        for &fault in &self.faults {
            let Some(effect) = outages.hits(fault, now, self.key(call), draws) else { continue };
            match self.broken(&effect) {
                Some(answer) => return answer,
                None => slower *= effect.factor,
            }
        }
        let has_place = self.places.as_ref().is_none_or(|places| places.taken < places.limit);
        if !has_place && self.places.as_ref().is_some_and(|places| places.queue.len() as u64 >= places.queue_limit) {
            // When a place will be free nobody can say: the constant is the answer.
            return self.refused(now, Some(self.constant_hint()), quotas);
        }
        let demand = self.demand(call);
        if let Err(refusal) = quotas.admit(self.quota, now, &demand) {
            return self.refused(now, refusal.hint_ns(), quotas);
        }
        for &fault in self.poison.get(call.workload).into_iter().flatten() {
            // By the request alone: each of its attempts meets the same.
            let Some(effect) = outages.hits(fault, now, (call.key, 0), draws) else { continue };
            match self.broken(&effect) {
                Some(answer) => {
                    let size = Size { output: 0, ..call.size };
                    self.correct(now, &demand, &size, quotas);
                    return answer;
                }
                None => slower *= effect.factor,
            }
        }
        let service = self.service(call, demand, slower, draws);
        match &mut self.places {
            None => Answer::Served(service),
            Some(places) if has_place => {
                places.taken += 1;
                Answer::Served(service)
            }
            Some(places) => {
                places.queue.push_back(waiting);
                Answer::Queued(service)
            }
        }
    }

    /// A request leaves its place: it has had its last token. Gives the queued request that takes the place.
    pub(crate) fn leave(&mut self) -> Option<u32> {
        let places = self.places.as_mut()?;
        let next = places.queue.pop_front();
        if next.is_none() {
            places.taken = places.taken.saturating_sub(1);
        }
        next
    }

    /// Corrects the estimate of a served request to what it needed; gives that, in the limit's unit.
    pub(crate) fn correct(&self, now: u64, demand: &Demand, size: &Size, quotas: &mut Quotas) -> u64 {
        let usage = Usage { input_tokens: size.input, cached_tokens: size.cached, output_tokens: size.output };
        match &self.ptu {
            Some(ptu) => {
                quotas.correct(self.quota, now, demand, &usage);
                ptu.cost(&usage)
            }
            None => size.input.saturating_add(size.output),
        }
    }

    /// Somebody else's request on the same quota; it is over at once, and costs what it asks for.
    pub(crate) fn foreign(&self, now: u64, tokens: u64, quotas: &mut Quotas) {
        let _ = quotas.admit(self.quota, now, &Demand::tokens(tokens));
    }

    /// How full the fullest limit is, in thousandths.
    pub(crate) fn utilisation(&self, now: u64, quotas: &Quotas) -> u64 {
        let limits = quotas.chain(self.quota).map_or(&[][..], Chain::limits);
        let fullest = limits.iter().map(|limit| limit.used_per_mille(now)).max().unwrap_or(0);
        let places = self.places.as_ref().map_or(0, |places| places.taken.saturating_mul(1_000) / places.limit);
        fullest.max(places)
    }

    /// Time until the head of a refusal is back, in nanoseconds.
    pub(crate) const fn refusal_latency(&self) -> u64 {
        self.refusal_latency
    }

    /// What comes of a request that this hits; `None`: an answer that is slow.
    #[inline(never)]
    fn broken(&self, effect: &Effect) -> Option<Answer> {
        let after = effect.after.unwrap_or(self.refusal_latency);
        Some(match effect.kind {
            FaultKind::Status => {
                let advice = effect.hint.map(|wait| Advice::saying(&self.hints, wait.as_duration()));
                Answer::Broken { status: effect.status, advice: advice.unwrap_or_default(), after }
            }
            FaultKind::Connect => Answer::Faulted { fault: Fault::Connect, after: self.connect_fault_latency },
            FaultKind::ConnectTimeout => Answer::Faulted { fault: Fault::ConnectTimeout, after: self.connect_timeout },
            FaultKind::Reset => Answer::Faulted { fault: Fault::Reset, after },
            FaultKind::Hang => Answer::Hangs,
            FaultKind::Slow => return None,
        })
    }

    #[inline(never)]
    fn refused(&self, now: u64, hint: Option<u64>, quotas: &Quotas) -> Answer {
        let mut advice = Advice::new(&self.hints, self.constant_hint(), hint);
        if let Some(chain) = quotas.chain(self.quota) {
            advice = advice.with_counters(self.hints.remaining, chain, now);
        }
        Answer::Refused { advice, in_stream: self.hints.refuse_with_200 }
    }

    fn constant_hint(&self) -> u64 {
        self.hints.constant.map_or(SECOND, scenario::Span::as_nanos)
    }

    #[inline]
    fn demand(&self, call: &Call) -> Demand {
        let size = &call.size;
        let chars = match call.milli_chars_per_token {
            MILLI_CHARS_PER_TOKEN => size.input.saturating_mul(CHARS_PER_TOKEN),
            milli => size.input.saturating_mul(milli) / 1_000,
        };
        Demand {
            tokens: standard_estimate(chars, size.max_tokens.unwrap_or(self.default_max_tokens), 1),
            input_tokens: size.input,
            cached_tokens: size.cached,
            max_tokens: size.max_tokens,
        }
    }

    #[inline]
    fn service(&self, call: &Call, demand: Demand, slower: f64, draws: Draws) -> Service {
        let (first, last) = self.latency.draw(&call.size, self.key(call), slower, draws);
        let estimated = self.ptu.as_ref().map_or(demand.tokens, |ptu| ptu.estimate(&demand));
        Service { first: if call.stream { first } else { last }, last, demand, estimated }
    }

    /// The keys of the draws for one attempt at this deployment.
    const fn key(&self, call: &Call) -> (u64, u64) {
        (call.key, call.attempt << 16 | self.index as u64)
    }
}

/// The usual [`Call::milli_chars_per_token`], for which no division is needed.
const MILLI_CHARS_PER_TOKEN: u64 = 1_000 * CHARS_PER_TOKEN;

/// Which of the scenario's faults hit the requests of each workload; empty if there are no such faults.
fn poison(scenario: &Scenario) -> Vec<Vec<usize>> {
    if scenario.faults.iter().all(|fault| fault.workload.is_none()) {
        return Vec::new();
    }
    let of = |workload: &scenario::Workload| {
        let hits = |&fault: &usize| scenario.faults[fault].workload.as_ref() == Some(&workload.name);
        (0..scenario.faults.len()).filter(hits).collect()
    };
    scenario.workloads.iter().map(of).collect()
}

fn ptu(backend: &scenario::Backend, model: &scenario::Model) -> Option<Ptu> {
    if backend.preset != Preset::AzurePtu {
        return None;
    }
    let mut ptu =
        Ptu::new(backend.ptus.unwrap_or(0), model.input_tpm_per_ptu().unwrap_or(0)).output_ratio(model.output_ratio());
    if let Some(burst) = backend.burst {
        ptu = ptu.burst_ns(burst.as_nanos());
    }
    if let Some(tokens) = backend.default_max_tokens {
        ptu = ptu.default_max_tokens(tokens);
    }
    if let Some(tokens) = backend.cache_min {
        ptu = ptu.cache_min(tokens);
    }
    Some(ptu)
}

fn chain(index: usize, backend: &scenario::Backend, ptu: Option<Ptu>, draws: Draws) -> Chain {
    let mut limits: Vec<Limit> = ptu.map(Limit::from).into_iter().collect();
    let phase = |phase: Phase, length: u64, window: usize| match phase {
        Phase::At(span) => span.as_nanos(),
        Phase::Random => draws.bits(Purpose::Phase, index as u64, window as u64) % length.max(1),
    };
    if backend.preset == Preset::AzureStandard {
        let tpm = backend.tpm.unwrap_or(0);
        let phase = phase(backend.phase, MINUTE, 0);
        let windows = azure_standard_windows(tpm, rpm(backend, tpm), phase, backend.request_period);
        limits.extend(windows.map(|window| window.counts_refused(backend.counts_refused).into()));
    }
    for (number, rules) in backend.windows.iter().enumerate() {
        let length = rules.length.as_nanos();
        let window = Window::new(rules.unit, rules.limit, length)
            .kind(rules.kind)
            .phase_ns(phase(rules.phase, length, number + 1))
            .admit(rules.admit)
            .counts_refused(rules.counts_refused);
        limits.push(window.into());
    }
    Chain::new(limits)
}

fn rpm(backend: &scenario::Backend, tpm: u64) -> u64 {
    let per_1k = backend.rpm_per_1k_tpm.unwrap_or_else(|| scenario::RequestQuota::of(&backend.model).per_1k_tpm);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be from 0 to 1e9; saturates"
    )]
    let derived = (tpm as f64 / 1_000.0 * per_1k) as u64;
    backend.rpm.unwrap_or(derived)
}
