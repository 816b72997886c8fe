use std::sync::Arc;

use super::{
    Arrival, Loaded, Row, Size,
    cached::CacheHits,
    closed::Closed,
    gap::Gaps,
    length,
    length::LengthDraw,
    nanos,
    quantile::QuantileTable,
    rates::{Rate, Stretched},
    replay,
    replay::Replay,
    scaled,
    sizes::{Record, SizePart, Sizes},
    spread::Spread,
};
use crate::{
    random::{Draws, Purpose},
    scenario::{self, Kind, MaxTokens, NamedMaxTokens, ScenarioError, Workload},
};

/// The requests of one workload.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    workload: u32,
    process: Process,
    sizes: Sizes,
    thin: f64,
    /// Requests that were drawn ahead, and which of them is next.
    block: Vec<Arrival>,
    next: usize,
    span: Option<u64>,
    /// How much later all of it is, in nanoseconds; what is then before the begin is left out.
    offset: i64,
}

/// How many requests are drawn at once: in one loop they cost about half of what they do one by one. What a closed loop
/// sends depends on how its requests end, so nothing is drawn ahead for it.
const BLOCK: usize = 64;

/// When requests arrive.
#[derive(Debug, Clone)]
enum Process {
    Constant { rate: f64, number: u64 },
    Renewal(Renewal),
    Stretched(Box<Stretched>),
    Closed(Closed),
    Replay(Replay),
    Spread(Spread),
}

/// Independent gaps with one mean.
#[derive(Debug, Clone)]
struct Renewal {
    gaps: Gaps,
    mean: f64,
    at: u64,
    /// What is left of a nanosecond, so that rounding does not change the rate.
    fraction: f64,
    number: u64,
}

impl Renewal {
    #[inline]
    fn next(&mut self, draws: Draws, workload: u64) -> (u64, u64) {
        let number = self.number;
        self.number += 1;
        let gap = if number == 0 { self.gaps.first(draws, workload) } else { self.gaps.draw(draws, workload, number) };
        let whole = if self.gaps == Gaps::Exponential {
            // Rounding an exponential gap leaves its mean as it is.
            length::tokens(gap * self.mean)
        } else {
            let step = gap * self.mean + self.fraction;
            let whole = nanos(step);
            self.fraction = step - whole as f64;
            whole
        };
        self.at = self.at.saturating_add(whole);
        (self.at, number)
    }
}

impl Stream {
    /// The requests of a workload, on a clock that begins at `origin`, in nanoseconds since 1970, for files with dates.
    pub(super) fn new(
        workload: u32,
        spec: &Workload,
        loaded: &Loaded,
        origin: u64,
        growth: f64,
        draws: Draws,
    ) -> Result<Self, ScenarioError> {
        let builder = Builder { spec, loaded, growth, draws, key: u64::from(workload) };
        let (process, record, span) = builder.process()?;
        let sizes = builder.sizes(record)?;
        // A replay thins its copies itself.
        let thin = if spec.kind == Kind::Trace { 1.0 } else { spec.thin };
        let late = loaded.moment(spec).map_or(0, |moment| moment.saturating_sub(origin));
        let offset = late.cast_signed().saturating_add(spec.offset.as_nanos());
        let span = span.map(|span| span.saturating_add_signed(offset));
        Ok(Self { workload, process, sizes, thin, block: Vec::new(), next: 0, span, offset })
    }

    /// When what is replayed once ends.
    pub(super) const fn span(&self) -> Option<u64> {
        self.span
    }

    /// Goes on to the next request and tells when it arrives; `u64::MAX` if none comes before `until`.
    #[inline]
    pub(super) fn advance(&mut self, draws: Draws, until: u64) -> u64 {
        self.next += 1;
        match self.block.get(self.next) {
            Some(arrival) => arrival.at,
            None => self.fill(draws, until),
        }
    }

    /// Draws the next block, and tells when the first of it arrives.
    #[inline(never)]
    fn fill(&mut self, draws: Draws, until: u64) -> u64 {
        self.block.clear();
        self.next = 0;
        let most = if matches!(self.process, Process::Closed(_)) { 1 } else { BLOCK };
        let (workload, key) = (self.workload, u64::from(self.workload));
        let is_drawn = self.sizes.is_drawn();
        // On the clock of the process, which the offset moves.
        let end = until.saturating_add_signed(self.offset.saturating_neg());
        while self.block.len() < most {
            let next = match &mut self.process {
                Process::Constant { rate, number } => {
                    // From the number, so that no error adds up.
                    let at = length::tokens(*number as f64 * 1e9 / *rate);
                    *number += 1;
                    Some((at, *number - 1, 0))
                }
                Process::Renewal(renewal) => {
                    let (at, number) = renewal.next(draws, key);
                    Some((at, number, 0))
                }
                Process::Stretched(stretched) => stretched.next(draws, key, end).map(|(at, number)| (at, number, 0)),
                Process::Closed(closed) => closed.peek().map(|(at, number)| (at, number, 0)),
                Process::Replay(replay) => replay.next(draws, key, end),
                Process::Spread(spread) => spread.next(draws, key, end),
            };
            let Some((at, number, row)) = next.filter(|(at, ..)| *at < end) else { break };
            // Before the begin it wraps, to what is after every end.
            let at = at.wrapping_add_signed(self.offset);
            if at >= until {
                continue;
            }
            if self.thin < 1.0 && draws.uniform(Purpose::Thin, key, number) >= self.thin {
                continue;
            }
            let size = if is_drawn { Size::default() } else { self.sizes.draw(draws, key, number, row) };
            self.block.push(Arrival { at, workload, number, size });
        }
        if is_drawn {
            self.sizes.draw_all(draws, key, &mut self.block);
        }
        self.block.first().map_or(u64::MAX, |arrival| arrival.at)
    }

    /// The request that [`advance`](Stream::advance) went on to, if there was one.
    #[inline]
    pub(super) fn take(&mut self) -> Option<Arrival> {
        if let Process::Closed(closed) = &mut self.process {
            closed.send();
        }
        self.block.get(self.next).copied()
    }

    /// A request has ended; tells whether another one comes because of that.
    pub(super) fn finished(&mut self, number: u64, now: u64, draws: Draws) -> bool {
        match &mut self.process {
            Process::Closed(closed) => {
                closed.finished(number, now, draws, u64::from(self.workload));
                true
            }
            _ => false,
        }
    }
}

/// How lengths spread around the mean that an export has for a minute, as the sigma of a lognormal distribution: what
/// the conversations have that AzureLLMInferenceTrace recorded in 2023 (coefficients of variation of 0.96 and 0.77).
pub(crate) const INPUT_SPREAD: f64 = 0.81;
/// The same for completions.
pub(crate) const OUTPUT_SPREAD: f64 = 0.68;
/// A mean at which rounding to whole tokens does not show.
const WIDE: f64 = 1e6;

struct Builder<'a> {
    spec: &'a Workload,
    loaded: &'a Loaded,
    growth: f64,
    draws: Draws,
    key: u64,
}

impl Builder<'_> {
    fn wrong(&self, key: &str, problem: impl Into<String>) -> ScenarioError {
        ScenarioError::new(format!("workload.{}.{key}", self.spec.name), problem)
    }

    fn given<T>(&self, key: &str, value: Option<T>) -> Result<T, ScenarioError> {
        value.ok_or_else(|| self.wrong(key, format!("it is missing for {:?} arrivals", self.spec.kind)))
    }

    fn rate(&self) -> Result<f64, ScenarioError> {
        let rate = self.given("rate", self.spec.rate)? * self.growth;
        if rate > 0.0 && rate.is_finite() { Ok(rate) } else { Err(self.wrong("rate", "it must be more than zero")) }
    }

    fn renewal(&self, cv: f64) -> Result<Process, ScenarioError> {
        let (gaps, mean) = (Gaps::new(cv), 1e9 / self.rate()?);
        Ok(Process::Renewal(Renewal { gaps, mean, at: 0, fraction: 0.0, number: 0 }))
    }

    fn stretched(&self, rate: Rate, cv: f64) -> Process {
        Process::Stretched(Box::new(Stretched::new(rate, Gaps::new(cv), self.draws, self.key)))
    }

    /// The keys that only some kinds have.
    fn check(&self) -> Result<(), ScenarioError> {
        let spec = self.spec;
        if spec.copies != 1 && spec.kind != Kind::Trace {
            return Err(self.wrong("copies", "only a trace has copies; a higher rate does the same"));
        }
        if spec.speed != 1.0 && !matches!(spec.kind, Kind::Trace | Kind::AzureMonitor | Kind::RateTable) {
            return Err(self.wrong("speed", "only what is replayed has a speed; a higher rate does the same"));
        }
        if (spec.offset.as_nanos() != 0 || spec.time_zone.is_some())
            && !matches!(spec.kind, Kind::Trace | Kind::AzureMonitor | Kind::RateTable)
        {
            let key = if spec.time_zone.is_some() { "time_zone" } else { "offset" };
            return Err(self.wrong(key, "only what is replayed has a time at which it begins"));
        }
        if spec.thin != 1.0 && spec.kind == Kind::Closed {
            return Err(self.wrong("thin", "a closed loop cannot be thinned; take fewer `users`"));
        }
        if spec.repeat && !matches!(spec.kind, Kind::Trace | Kind::AzureMonitor) {
            return Err(self.wrong("loop", "only a trace or an export ends and can start over"));
        }
        Ok(())
    }

    /// What starts over must last for a while: a run would go round and round in no time.
    fn check_cycle(&self, key: &str, nanos: u64) -> Result<(), ScenarioError> {
        if nanos >= lb_limits::MILLISECOND {
            return Ok(());
        }
        Err(self.wrong(key, "what starts over must last for 1 ms at least, at the workload's `speed`"))
    }

    /// When requests arrive, what is replayed, and how long that is.
    fn process(&self) -> Result<(Process, Record, Option<u64>), ScenarioError> {
        self.check()?;
        let spec = self.spec;
        let cv = spec.cv.unwrap_or(1.0);
        let generated = |process| Ok((process, Record::None, None));
        match spec.kind {
            Kind::Poisson => generated(self.renewal(1.0)?),
            Kind::Constant => generated(Process::Constant { rate: self.rate()?, number: 0 }),
            Kind::Gamma => generated(self.renewal(self.given("cv", spec.cv)?)?),
            Kind::Bursts => {
                let bursts = self.given("bursts", spec.bursts)?;
                let rate = Rate::bursts(self.rate()?, bursts, self.draws, self.key);
                generated(self.stretched(rate, 1.0))
            }
            Kind::RateTable => {
                let (key, points) = match self.loaded.rates(spec) {
                    Some(points) => ("file", points),
                    None => ("rates", spec.rates.as_slice()),
                };
                let rate = Rate::cycle(points, spec.interpolate, self.growth, spec.speed).ok_or_else(|| {
                    self.wrong(key, "it needs two points or more, and a rate above zero at one of them")
                })?;
                let last = points.last().map_or(0, |point| point.at.as_nanos());
                self.check_cycle(key, scaled(last, spec.speed))?;
                generated(self.stretched(rate, cv))
            }
            Kind::Closed => {
                let users = length::tokens(f64::from(self.given("users", spec.users)?) * self.growth);
                let users = u32::try_from(users).unwrap_or(u32::MAX);
                if users > 1 << 24 {
                    return Err(self.wrong("users", "there can be at most 16777216, with growth"));
                }
                let think = spec.think.unwrap_or_default();
                generated(Process::Closed(Closed::new(users, think, self.draws, self.key)))
            }
            Kind::Trace => {
                let trace =
                    self.loaded.trace(spec).ok_or_else(|| self.wrong("file", "it is missing, or was not read"))?;
                let copies = f64::from(spec.copies) * self.growth;
                if copies > replay::MOST_COPIES {
                    return Err(self.wrong("copies", "there can be at most 65535, with growth"));
                }
                let period = scaled(trace.period(), spec.speed);
                let span = (!spec.repeat).then_some(period);
                if spec.repeat {
                    self.check_cycle("loop", period)?;
                }
                let record = Record::Trace(Arc::clone(&trace));
                let replay = Replay::new(trace, copies, spec.thin, spec.speed, spec.repeat, self.draws, self.key);
                Ok((Process::Replay(replay), record, span))
            }
            Kind::AzureMonitor => {
                let minutes =
                    self.loaded.minutes(spec).ok_or_else(|| self.wrong("file", "it is missing, or was not read"))?;
                let period = scaled(minutes.span(), spec.speed);
                let span = (!spec.repeat).then_some(period);
                if spec.repeat {
                    self.check_cycle("loop", period)?;
                }
                let record = Record::Minutes(Arc::clone(&minutes));
                let spread = Spread::new(minutes, Gaps::new(cv), self.growth, spec.speed, spec.repeat);
                Ok((Process::Spread(spread), record, span))
            }
        }
    }

    fn sizes(&self, record: Record) -> Result<Sizes, ScenarioError> {
        let spec = self.spec;
        let is_joint = match (&spec.input, &spec.output) {
            (Some(scenario::Length::Resampled(input)), Some(scenario::Length::Resampled(output))) => input == output,
            _ => false,
        };
        let input = self.part("input", spec.input.as_ref(), &record, |row| row.input)?;
        let output = self.part("output", spec.output.as_ref(), &record, |row| row.output)?;
        if matches!(spec.max_tokens, MaxTokens::Named(NamedMaxTokens::Trace)) {
            let has_it = match (&record, &input) {
                (Record::Trace(trace), _) | (_, SizePart::Drawn(LengthDraw::Resampled(trace))) => {
                    trace.has_max_tokens()
                }
                _ => false,
            };
            if !has_it {
                return Err(self.wrong("max_tokens", "there is no trace that says it; name its column `max_tokens`"));
            }
        }
        let hits = self.hits(&input, &record);
        let (cached_share, max_tokens) = (spec.cached_share, spec.max_tokens);
        Ok(Sizes { input, output, is_joint, cached_share, hits, max_tokens, record })
    }

    /// Which prompts are cached; `None` if none is, or each of the trace says so itself.
    fn hits(&self, input: &SizePart, record: &Record) -> Option<CacheHits> {
        let has_share = match record {
            _ if self.spec.cached_share.is_some() => self.spec.cached_share > Some(0.0),
            Record::Minutes(minutes) => minutes.minutes().iter().any(|minute| minute.cached_share > 0.0),
            _ => false,
        };
        has_share.then(|| match (input, record) {
            (SizePart::Recorded, Record::Trace(trace)) => {
                CacheHits::among(trace.rows().iter().map(|row| u64::from(row.input)).collect())
            }
            (SizePart::Drawn(length) | SizePart::Scaled(length, _), _) => CacheHits::of(length),
            // Only traces are taken as they are.
            (SizePart::Recorded, _) => CacheHits::among(Vec::new()),
        })
    }

    fn part(
        &self,
        key: &str,
        spec: Option<&scenario::Length>,
        record: &Record,
        of: fn(&Row) -> u32,
    ) -> Result<SizePart, ScenarioError> {
        let Some(spec) = spec else {
            return match record {
                Record::None => Err(self.wrong(key, format!("it is missing for {:?} arrivals", self.spec.kind))),
                Record::Minutes(minutes) if !minutes.has(key) => {
                    Err(self.wrong(key, "it is missing, and the export does not say it either"))
                }
                Record::Trace(_) => Ok(SizePart::Recorded),
                Record::Minutes(_) => {
                    let spread = if key == "input" { INPUT_SPREAD } else { OUTPUT_SPREAD };
                    let lognormal = scenario::Lognormal { mean: WIDE, sigma: spread, max: None };
                    Ok(SizePart::Scaled(LengthDraw::Lognormal(length::LognormalDraw::new(lognormal)), 1.0 / WIDE))
                }
            };
        };
        let length = match spec {
            scenario::Length::Constant(length) => LengthDraw::Constant(*length),
            scenario::Length::Lognormal(lognormal) => LengthDraw::Lognormal(length::LognormalDraw::new(*lognormal)),
            scenario::Length::Named(scenario::NamedLength { mean, law: scenario::Law::Exponential }) => {
                LengthDraw::Exponential(*mean)
            }
            scenario::Length::Quantiles(quantiles) => LengthDraw::Quantiles(
                QuantileTable::new(quantiles.quantiles.clone())
                    .ok_or_else(|| self.wrong(key, "it needs two quantiles or more"))?,
            ),
            scenario::Length::Resampled(resampled) => LengthDraw::Resampled(
                self.loaded.resampled_trace(resampled).ok_or_else(|| self.wrong(key, "its file was not read"))?,
            ),
        };
        match record {
            // What an export knows is the mean; what is given is how it spreads.
            Record::Minutes(minutes) if minutes.has(key) => {
                let mean = length.mean(of);
                if mean > 0.0 {
                    Ok(SizePart::Scaled(length, 1.0 / mean))
                } else {
                    Err(self.wrong(key, "its mean is zero"))
                }
            }
            _ => Ok(SizePart::Drawn(length)),
        }
    }
}
