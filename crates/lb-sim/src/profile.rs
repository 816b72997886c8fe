//! What the traffic of a scenario is, and how much there is to simulate, before anything is.

use std::{collections::BTreeMap, fmt};

use lb_limits::{MINUTE, Ptu, Usage};

use crate::{
    Simulation, number,
    scenario::{Client, Kind, Model, Scenario},
    traffic::Arrival,
};

/// The requests of a scenario's first run, counted by the minute.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    /// Per workload, in the scenario's order.
    pub(crate) workloads: Vec<Load>,
    /// All workloads together, if there are several.
    pub(crate) all: Option<Load>,
    /// How long a run is, in nanoseconds.
    pub(crate) end: u64,
    /// How much of it was looked at; all of it, unless that is too much.
    pub(crate) seen: u64,
}

/// The requests of a workload, or of all.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    /// What it is called, and where it comes from.
    pub(crate) title: String,
    /// Requests in what was looked at.
    pub(crate) requests: u64,
    /// Requests per minute.
    pub(crate) per_minute: Series,
    /// Their tokens per minute, prompts and completions.
    pub(crate) tokens: Series,
    /// PTUs that the tokens of a minute need, by model.
    pub(crate) ptus: Vec<(String, Series)>,
}

/// A figure of each minute.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Series {
    pub(crate) mean: f64,
    /// In 95 of 100 minutes it is at most this.
    pub(crate) p95: f64,
    pub(crate) peak: f64,
    /// The minute of the peak, from 0.
    pub(crate) peak_minute: usize,
}

/// More requests than that are not looked at: they take a second or two.
const MOST_REQUESTS: u64 = 20_000_000;

/// Nor are more minutes: a year and a month.
const MOST_MINUTES: u64 = 396 * 24 * 60;

/// How long a caller in a closed loop is taken to wait for its answer.
const CLOSED_ANSWER: u64 = lb_limits::SECOND;

/// What a workload brings in each minute.
#[derive(Debug, Clone, Default)]
struct Minutes {
    requests: Vec<f64>,
    tokens: Vec<f64>,
    /// Work in input tokens, by the model that does it.
    work: BTreeMap<String, Vec<f64>>,
}

impl Profile {
    /// The profile of a scenario that is ready to run.
    pub(crate) fn of(simulation: &Simulation) -> Self {
        Self::up_to(simulation, MOST_REQUESTS)
    }

    /// The same of its first requests, so many at most.
    fn up_to(simulation: &Simulation, most: u64) -> Self {
        let scenario = simulation.scenario();
        let (end, longest) = (simulation.end(), MOST_MINUTES * MINUTE);
        let models: Vec<Vec<(String, Ptu)>> =
            (0..scenario.workloads.len()).map(|workload| models(scenario, workload)).collect();
        let mut minutes = vec![Minutes::default(); scenario.workloads.len()];
        let mut traffic = simulation.traffic(0);
        let (mut seen, mut count) = (end.min(longest), 0);
        while let Some(arrival) = traffic.next() {
            if count == most || arrival.at >= longest {
                seen = arrival.at;
                break;
            }
            count += 1;
            let workload = arrival.workload as usize;
            minutes[workload].add(&arrival, &models[workload]);
            traffic.finished(arrival.workload, arrival.number, arrival.at.saturating_add(CLOSED_ANSWER));
        }
        let loads = scenario.workloads.iter().zip(&minutes).map(|(workload, minutes)| {
            let file = simulation.file_of(workload).map_or_else(String::new, |file| format!(", {file}"));
            let kind = kind(workload.kind);
            minutes.load(format!("workload {}: {kind}{file}", workload.name), seen, scenario)
        });
        let workloads: Vec<Load> = loads.collect();
        let all = (workloads.len() > 1).then(|| {
            let mut all = Minutes::default();
            minutes.iter().for_each(|minutes| all.add_all(minutes));
            all.load("all workloads".to_owned(), seen, scenario)
        });
        Self { workloads, all, end, seen }
    }

    /// All workloads together.
    pub(crate) fn total(&self) -> &Load {
        self.all.as_ref().unwrap_or(&self.workloads[0])
    }

    /// About how many requests a run has.
    pub(crate) fn requests_per_run(&self) -> f64 {
        self.total().requests as f64 * (self.end as f64 / self.seen.max(1) as f64)
    }
}

/// About how many requests a run of a scenario has: from its first half a million.
pub(crate) fn requests_per_run(simulation: &Simulation) -> f64 {
    Profile::up_to(simulation, 500_000).requests_per_run()
}

impl Minutes {
    fn add(&mut self, arrival: &Arrival, models: &[(String, Ptu)]) {
        let (minute, size) = (usize::try_from(arrival.at / MINUTE).unwrap_or(usize::MAX), arrival.size);
        *place(&mut self.requests, minute) += 1.0;
        *place(&mut self.tokens, minute) += size.input.saturating_add(size.output) as f64;
        let usage = Usage { input_tokens: size.input, cached_tokens: size.cached, output_tokens: size.output };
        for (model, ptu) in models {
            let work = match self.work.get_mut(model) {
                Some(work) => work,
                None => self.work.entry(model.clone()).or_default(),
            };
            *place(work, minute) += ptu.cost(&usage) as f64;
        }
    }

    fn add_all(&mut self, other: &Self) {
        let add = |into: &mut Vec<f64>, from: &[f64]| {
            from.iter().enumerate().for_each(|(minute, value)| *place(into, minute) += value);
        };
        add(&mut self.requests, &other.requests);
        add(&mut self.tokens, &other.tokens);
        for (model, work) in &other.work {
            add(self.work.entry(model.clone()).or_default(), work);
        }
    }

    fn load(&self, title: String, seen: u64, scenario: &Scenario) -> Load {
        let per_ptu = |model: &String| scenario.model(model).input_tpm_per_ptu().unwrap_or(1) as f64;
        let ptus = self.work.iter().map(|(model, work)| (model.clone(), Series::of(work, seen, per_ptu(model))));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a sum of counts")]
        let requests = self.requests.iter().sum::<f64>() as u64;
        Load {
            title,
            requests,
            per_minute: Series::of(&self.requests, seen, 1.0),
            tokens: Series::of(&self.tokens, seen, 1.0),
            ptus: ptus.collect(),
        }
    }
}

/// The value of a minute, which is there from then on.
fn place(values: &mut Vec<f64>, minute: usize) -> &mut f64 {
    if values.len() <= minute {
        values.resize(minute + 1, 0.0);
    }
    &mut values[minute]
}

impl Series {
    /// Of the values of the minutes until `seen`, in units of so much.
    fn of(values: &[f64], seen: u64, unit: f64) -> Self {
        let minutes = usize::try_from(seen.div_ceil(MINUTE)).unwrap_or(usize::MAX).max(values.len());
        if minutes == 0 || seen == 0 {
            return Self::default();
        }
        let mut sorted = values.to_vec();
        // Minutes without any request after the last one with some.
        sorted.resize(minutes, 0.0);
        sorted.sort_by(f64::total_cmp);
        let rank = (minutes * 95).div_ceil(100).max(1);
        let peak = sorted[minutes - 1];
        Self {
            mean: values.iter().sum::<f64>() / (seen as f64 / MINUTE as f64) / unit,
            p95: sorted[rank - 1] / unit,
            peak: peak / unit,
            peak_minute: values.iter().position(|&value| value >= peak).unwrap_or(0),
        }
    }
}

/// The models that can serve a workload with PTUs, each with what a request costs there.
fn models(scenario: &Scenario, workload: usize) -> Vec<(String, Ptu)> {
    let programs = scenario.programs();
    let program = &programs[scenario.program_of(workload)];
    let direct = program.clients.direct_to.as_ref().filter(|_| program.clients.client == Client::Direct);
    let mut models: Vec<(String, Ptu)> = Vec::new();
    for (backend, sends) in scenario.backends.iter().zip(&program.sends_to) {
        let is_sent_to = *sends && direct.is_none_or(|name| backend.name == *name);
        if is_sent_to && !models.iter().any(|(name, _)| *name == backend.model) {
            let model: Model = scenario.model(&backend.model);
            let of_model = model.input_tpm_per_ptu().map(|tpm| Ptu::new(1, tpm).output_ratio(model.output_ratio()));
            models.extend(of_model.map(|ptu| (backend.model.clone(), ptu)));
        }
    }
    models
}

const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Poisson => "Poisson arrivals",
        Kind::Constant => "arrivals at equal distances",
        Kind::Gamma => "gamma arrivals",
        Kind::Bursts => "arrivals in bursts",
        Kind::RateTable => "a rate table",
        Kind::Closed => "a closed loop, as if each answer took a second",
        Kind::Trace => "a trace",
        Kind::AzureMonitor => "an Azure Monitor export",
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = |nanos: u64| number::seconds(nanos as f64 / 1e9);
        if self.seen < self.end {
            writeln!(f, "traffic: of the first {} of {}", span(self.seen), span(self.end))?;
        }
        for load in self.workloads.iter().chain(&self.all) {
            writeln!(f, "{}", load.title)?;
            writeln!(f, "  {} requests in {}", number::thousands(load.requests as f64), span(self.seen))?;
            writeln!(f, "  requests per minute: {}", load.per_minute)?;
            writeln!(f, "  tokens per minute: {}", load.tokens)?;
            for (model, ptus) in &load.ptus {
                writeln!(f, "  PTUs of {model}, by Azure's formula: {ptus}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [mean, p95, peak] = [self.mean, self.p95, self.peak].map(figure);
        let at = number::seconds(self.peak_minute as f64 * 60.0);
        write!(f, "mean {mean}, 95th percentile {p95}, peak {peak} (after {at})")
    }
}

/// Three digits at least, and all before the point.
fn figure(value: f64) -> String {
    if value < 100.0 { number::significant(value) } else { number::thousands(value) }
}

/// How much there is to simulate, and about how long that takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Effort {
    /// Runs.
    pub(crate) runs: u64,
    /// Requests of all of them.
    pub(crate) requests: f64,
    /// Threads that share them.
    pub(crate) threads: usize,
}

/// Seconds that a request takes on one core: `examples/speed` on a machine of 2024 whose cores are all busy takes 0.35 µs
/// where few requests are refused, and 0.55 µs where many are.
const SECONDS_PER_REQUEST: f64 = 0.4e-6;

impl Effort {
    /// About how long it takes, in seconds.
    pub(crate) fn seconds(&self) -> f64 {
        // A run has one thread.
        let at_once = (self.threads.max(1) as u64).min(self.runs.max(1));
        self.requests * SECONDS_PER_REQUEST / at_once as f64
    }
}

impl fmt::Display for Effort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (runs, requests) = (number::thousands(self.runs as f64), number::count(self.requests.round()));
        let word = if self.runs == 1 { "run" } else { "runs" };
        let threads = if self.threads == 1 { "thread" } else { "threads" };
        let time = if self.seconds() < 1.0 {
            "under a second".to_owned()
        } else {
            format!("about {}", number::seconds(self.seconds()))
        };
        write!(f, "{runs} {word} of about {requests} requests together: {time} on {} {threads}", self.threads)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(text: &str) -> Profile {
        Profile::of(&Simulation::new(&Scenario::parse(text).unwrap()).unwrap())
    }

    const CONSTANT: &str = r#"
        run = { duration = "100m" }
        backend = [{ name = "ptu", model = "gpt-4.1", preset = "azure-ptu", ptus = 50 }]
        [[workload]]
        name = "chat"
        kind = "rate_table"
        interpolate = "steps"
        cv = 1e-3
        rates = [{ at = "0m", rate = 1 }, { at = "90m", rate = 5 }, { at = "100m", rate = 0 }]
        input = 2048
        output = 100
        cached_share = 0.5
    "#;

    #[test]
    fn minutes_are_counted_and_ptus_are_those_of_azures_formula() {
        let profile = profile(CONSTANT);
        let load = profile.total();
        assert!((load.requests as f64 - (90.0 * 60.0 + 10.0 * 300.0)).abs() <= 1.0, "{load:?}");
        let near =
            |value: f64, expected: f64| assert!((value / expected - 1.0).abs() < 0.02, "{value}, not {expected}");
        near(load.per_minute.mean, 84.0);
        // 90 minutes of 100 have 60, so the 95th percentile is that of the other ten.
        near(load.per_minute.p95, 300.0);
        near(load.per_minute.peak, 300.0);
        assert!((90..100).contains(&load.per_minute.peak_minute));
        near(load.tokens.peak, 300.0 * 2_148.0);
        let [(model, ptus)] = load.ptus.as_slice() else { panic!("{load:?}") };
        assert_eq!(model, "gpt-4.1");
        // Half of the prompts are cached as a whole: half of the input is paid for, and 4 for each token of output.
        near(ptus.mean, 84.0 * (1_024.0 + 400.0) / 3_000.0);
        assert!((profile.requests_per_run() - load.requests as f64).abs() < 1e-6);
    }

    #[test]
    fn workloads_are_added_up_where_they_meet() {
        let two = format!(
            "{CONSTANT}\n[[workload]]\nname = \"batch\"\nkind = \"constant\"\nrate = 1\ninput = 100\noutput = 0\n"
        );
        let profile = profile(&two);
        let [chat, batch] = profile.workloads.as_slice() else { panic!() };
        let all = profile.all.as_ref().unwrap();
        assert_eq!(all.requests, chat.requests + batch.requests);
        assert!((all.tokens.mean - chat.tokens.mean - batch.tokens.mean).abs() < 1e-6);
        assert!((all.ptus[0].1.mean - chat.ptus[0].1.mean - 60.0 * 100.0 / 3_000.0).abs() < 1e-6);
    }

    #[test]
    fn what_is_too_much_is_looked_at_in_part() {
        let scenario = Scenario::parse(&CONSTANT.replace("100m\" }", "1000m\" }")).unwrap();
        let simulation = Simulation::new(&scenario).unwrap();
        let part = Profile::up_to(&simulation, 8_400);
        assert!((part.seen as f64 / (100.0 * 60e9) - 1.0).abs() < 0.01, "{part:?}");
        let whole = Profile::of(&simulation).requests_per_run();
        assert!((part.requests_per_run() / whole - 1.0).abs() < 0.01);
        assert!(part.to_string().starts_with("traffic: of the first "), "{part}");
    }

    #[test]
    fn users_of_a_closed_loop_come_again() {
        let closed = CONSTANT.split("kind =").next().unwrap().to_owned();
        let closed = profile(&(closed + "kind = \"closed\"\nusers = 30\nthink = \"2s\"\ninput = 1\noutput = 1\n"));
        // 30 users, each once in three seconds.
        assert!((closed.total().per_minute.mean / 600.0 - 1.0).abs() < 0.05, "{closed:?}");
    }

    #[test]
    fn runs_share_the_threads_that_there_are() {
        let effort = Effort { runs: 8, requests: 1e9, threads: 2 };
        assert!((effort.seconds() - 200.0).abs() < 1e-9);
        assert!((Effort { runs: 1, ..effort }.seconds() - 400.0).abs() < 1e-9);
        assert_eq!(effort.to_string(), "8 runs of about 1 G requests together: about 3.33 min on 2 threads");
    }
}
