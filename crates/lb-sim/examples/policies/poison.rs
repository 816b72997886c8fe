//! The grid of poison prompts: who sends what how often, on what, and whether the others are served.

use std::fmt;

use lb_sim::{
    Scenario, Simulation,
    scenario::{KeyPath, ScenarioError},
};
use rayon::prelude::*;

/// What every backend answers to the prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A 500 at once.
    Error,
    /// A 500 when an answer would have come.
    LateError,
    /// What Azure says of a prompt that is larger than the quota: a 429 that asks for a day.
    Oversized,
}

/// How its sender sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sending {
    /// Once.
    Alone,
    /// And twice again, each 0.5 s after the failure.
    RetriedTwice,
    /// Three prompts at the same moment.
    ThreeAtOnce,
}

/// What the pool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Three backends of one priority.
    Equals,
    /// Three backends, each of a priority of its own.
    Tiers,
    /// A PTU deployment that gets 1.5 times what it can serve, in front of the three.
    PtuAndThree,
    /// The same in front of two.
    PtuAndTwo,
}

/// A cell of the grid.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell {
    pub(crate) answer: Answer,
    pub(crate) sending: Sending,
    /// Seconds between two of them.
    pub(crate) every: u32,
    pub(crate) shape: Shape,
    /// How long answers take to their head.
    head: &'static str,
    /// How many requests the others send a second.
    rate: u32,
    /// How many minutes are simulated at one request a second; a sixth of them at ten.
    minutes: u32,
}

/// All cells, of so many minutes.
pub(crate) fn cells(minutes: u32) -> Vec<Cell> {
    let mut cells = Vec::new();
    for answer in [Answer::Error, Answer::LateError, Answer::Oversized] {
        for sending in [Sending::Alone, Sending::RetriedTwice, Sending::ThreeAtOnce] {
            for every in [60, 10] {
                for shape in [Shape::Equals, Shape::Tiers, Shape::PtuAndThree, Shape::PtuAndTwo] {
                    for head in ["500ms", "8s"] {
                        let cell = |rate| Cell { answer, sending, every, shape, head, rate, minutes };
                        cells.extend([1, 10].map(cell));
                    }
                }
            }
        }
    }
    cells
}

/// A cell, and what it gave.
pub(crate) struct Found {
    pub(crate) cell: Cell,
    /// The part of the others' requests that were served.
    pub(crate) served: f64,
    /// How often a poison prompt was sent to a backend, its sender's retries included.
    pub(crate) sends: f64,
}

/// What these cells give under the rules that `changes` make of the default ones.
pub(crate) fn run(cells: &[Cell], base: &str, changes: &[(&str, &str)]) -> Result<Vec<Found>, ScenarioError> {
    cells.par_iter().map(|cell| cell.run(base, changes)).collect()
}

impl Cell {
    fn run(&self, base: &str, changes: &[(&str, &str)]) -> Result<Found, ScenarioError> {
        let scenario = self.scenario(base, changes)?;
        let run = Simulation::new(&scenario)?.run(0);
        let (chat, poison) = (&run.classes[0], &run.classes[1..]);
        let ended = chat.succeeded + chat.given_up.total();
        let (sends, prompts) = poison.iter().fold((0, 0), |(a, b), class| (a + class.attempts, b + class.offered));
        Ok(Found { cell: *self, served: chat.succeeded as f64 / ended as f64, sends: sends as f64 / prompts as f64 })
    }

    /// The scenario of `base` with everything as this cell has it.
    fn scenario(&self, base: &str, changes: &[(&str, &str)]) -> Result<Scenario, ScenarioError> {
        let mut text = base.to_owned();
        let mut poison = vec!["poison"];
        if self.sending == Sending::ThreeAtOnce {
            let begin = base.find("[[workload]]\nname = \"poison\"").unwrap_or(base.len());
            let tables = base[begin..].split("[sweep]").next().unwrap_or_default();
            for name in ["second", "third"] {
                text = format!("{text}\n{}", tables.replace("\"poison\"", &format!("\"{name}\"")));
                poison.push(name);
            }
        }
        let set = |path: &str, value: &str| -> Result<(KeyPath, toml::Value), ScenarioError> {
            let table: toml::Table = toml::from_str(&format!("value = {value}"))
                .map_err(|error| ScenarioError::new(path, error.to_string()))?;
            Ok((path.parse()?, table["value"].clone()))
        };
        let mut all: Vec<(String, String)> = vec![
            ("run.duration".into(), format!("'{}m'", if self.rate == 1 { self.minutes } else { self.minutes / 6 })),
            ("model.steady.ttft.base".into(), format!("'{}'", self.head)),
            ("workload.chat.rate".into(), self.rate.to_string()),
        ];
        for (number, name) in poison.iter().enumerate() {
            let fault = |key: &str| format!("fault.{number}.{key}");
            let workload = |key: &str| format!("workload.{name}.{key}");
            all.push((workload("rate"), (1.0 / f64::from(self.every)).to_string()));
            if self.sending == Sending::RetriedTwice {
                all.push((workload("retry"), "{ times = 2, wait = '500ms' }".into()));
            }
            match self.answer {
                Answer::Error => {}
                Answer::LateError => all.push((fault("after"), format!("'{}'", self.head))),
                Answer::Oversized => {
                    all.extend([(fault("status"), "429".into()), (fault("hint"), "'1 day'".into())]);
                }
            }
        }
        let priorities = match self.shape {
            Shape::Equals => [1, 1, 1],
            Shape::Tiers => [1, 2, 3],
            Shape::PtuAndThree => [2, 2, 2],
            Shape::PtuAndTwo => [1, 2, 2],
        };
        for (name, priority) in ["one", "two", "three"].into_iter().zip(priorities) {
            all.push((format!("backend.{name}.priority"), priority.to_string()));
        }
        // Requests of 1,000 tokens: it can serve two of three.
        let ptu =
            [("preset", "'azure-ptu'".to_owned()), ("ptus", (40 * self.rate).to_string()), ("burst", "'1s'".into())];
        match self.shape {
            Shape::Equals | Shape::Tiers => {}
            Shape::PtuAndThree => {
                text.push_str("\n[[backend]]\nname = \"ptu\"\nmodel = \"steady\"\n");
                for (key, value) in &ptu {
                    text.push_str(&format!("{key} = {value}\n"));
                }
            }
            Shape::PtuAndTwo => all.extend(ptu.map(|(key, value)| (format!("backend.one.{key}"), value))),
        }
        all.extend(changes.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())));
        let all: Vec<_> = all.iter().map(|(path, value)| set(path, value)).collect::<Result<_, _>>()?;
        Scenario::parse(&text)?.with(&all)
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { answer, sending, every, shape, head, rate, .. } = self;
        write!(f, "{answer:?}, {sending:?} every {every} s, {shape:?}, heads of {head}, {rate} rps")
    }
}
