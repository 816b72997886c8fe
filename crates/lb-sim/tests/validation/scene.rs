//! Small scenarios whose every event can be written down, and the lines that a run of them logs.

use lb_sim::{Scenario, Simulation, metrics::RunResult};

/// A run of a scenario, with its log.
pub(crate) struct Scene {
    pub(crate) run: RunResult,
    log: String,
}

/// A model whose first token comes 1 s after the start, and each further one 100 ms later.
pub(crate) const MODEL: &str = r#"
[[model]]
name = "steady"
ttft = { base = "1s", per_1k_input = "0s", sigma = 0.0 }
tpot = { mean = "100ms", sigma = 0.0 }
"#;

impl Scene {
    /// Runs the scenario; the model `steady` is there.
    pub(crate) fn of(scenario: &str) -> Self {
        let scenario = format!("{scenario}\n{MODEL}");
        let parsed = Scenario::parse(&scenario).unwrap_or_else(|error| panic!("{error} in {scenario}"));
        let mut log = Vec::new();
        let run = Simulation::new(&parsed).unwrap().run_logged(0, &mut log).unwrap();
        Self { run, log: String::from_utf8(log).unwrap() }
    }

    /// What happened to one request of the first workload, as `time in ms, event, backend or detail`.
    pub(crate) fn of_request(&self, number: u64) -> Vec<String> {
        let wanted = number.to_string();
        self.rows().filter(|row| row[3] == wanted).map(|row| tell(&row)).collect()
    }

    /// All that happened, as `time in ms, event, request, backend or detail`.
    pub(crate) fn all(&self) -> Vec<String> {
        self.rows().map(|row| format!("{} #{}", tell(&row), row[3])).collect()
    }

    /// The waits of the SDK, in nanoseconds, in the order in which they began.
    pub(crate) fn sdk_waits(&self, number: u64) -> Vec<u64> {
        let wanted = number.to_string();
        self.rows()
            .filter(|row| row[1] == "waits" && row[3] == wanted)
            .map(|row| row[6].parse::<u64>().unwrap() - row[0].parse::<u64>().unwrap())
            .collect()
    }

    /// The events' names, in order.
    pub(crate) fn events(&self) -> impl Iterator<Item = String> {
        self.rows().map(|row| row[1].to_owned())
    }

    fn rows(&self) -> impl Iterator<Item = Vec<&str>> {
        self.log.lines().skip(1).map(|line| line.split(',').collect())
    }
}

fn tell(row: &[&str]) -> String {
    let [at, event, _, _, _, backend, detail] = row[..] else { panic!("{row:?}") };
    let ms = |nanos: &str| {
        let nanos: u64 = nanos.parse().unwrap();
        assert_eq!(nanos % 1_000_000, 0, "{row:?} is not at a whole millisecond");
        nanos / 1_000_000
    };
    let at = ms(at);
    match event {
        "arrived" => format!("{at} arrived"),
        "sent" | "succeeded" | "orphaned" | "available" => format!("{at} {event} {backend}"),
        "cooling" => format!("{at} cooling {backend} until {}", ms(detail)),
        "suspected" => format!("{at} suspected {backend}, first again at {}", ms(detail)),
        "exhausted" => format!("{at} exhausted for {}", ms(detail)),
        "waits" => format!("{at} waits until {}", ms(detail)),
        "queued" => format!("{at} queued until {}", ms(detail)),
        "gave_up" => format!("{at} gave up {detail}"),
        _ => format!("{at} {event} {backend} {detail}"),
    }
}
