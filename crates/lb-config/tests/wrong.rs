//! Wrong configurations: `data/wrong.txt` has each, and what is said about it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::BTreeMap;

use lb_config::{Config, ConfigError};

const CASES: &str = include_str!("data/wrong.txt");

/// The environment of every case, besides its own variables.
const KEYS: [(&str, &str); 5] = [
    ("PTU_KEY", "CANARY-A"),
    ("EU_KEY", "CANARY-B"),
    ("TOKEN", "CANARY-C"),
    ("PADDED_KEY", "CANARY-D "),
    ("EMPTY_KEY", ""),
];

/// A configuration in one format.
#[derive(Default)]
struct Case {
    name: &'static str,
    /// `toml`, `json` or `variables`, and how it is meant.
    words: Vec<&'static str>,
    text: String,
    variables: Vec<(&'static str, &'static str)>,
    expected: &'static str,
}

impl Case {
    fn error(&self) -> Result<(), ConfigError> {
        let mut text = self.text.clone();
        if self.words.contains(&"crlf") {
            text = text.replace('\n', "\r\n");
        }
        if self.words.contains(&"bom") {
            text.insert(0, '\u{feff}');
        }
        let config = match self.words[0] {
            "toml" => Config::from_toml("balancer.toml", &text)?,
            "json" => Config::from_json("balancer.json", &text)?,
            _ => Config::from_vars("LB", [("", ""); 0])?,
        };
        let config = config.with_vars("LB", KEYS.iter().chain(&self.variables).copied())?;
        if self.words.contains(&"pools") { config.pools().map(drop) } else { config.pool().map(drop) }
    }
}

fn cases() -> Vec<Case> {
    let (mut cases, mut case, mut name) = (Vec::new(), Case::default(), "");
    for line in CASES.lines().skip_while(|line| !line.starts_with("##")) {
        if let Some(title) = line.strip_prefix("## ") {
            name = title;
        } else if line == "-- and variables" {
            case.words.push("variables");
        } else if let Some(words) = line.strip_prefix("-- ") {
            case = Case { name, words: words.split(' ').collect(), ..Case::default() };
        } else if let Some(expected) = line.strip_prefix("=> ") {
            case.expected = expected;
            cases.push(std::mem::take(&mut case));
        } else if case.words.contains(&"variables") {
            case.variables.push(line.split_once('=').unwrap());
        } else {
            case.text.push_str(line);
            case.text.push('\n');
        }
    }
    cases
}

#[test]
fn every_mistake_is_told_with_its_place_and_what_to_do() {
    let mut wrong = Vec::new();
    let mut by_format = BTreeMap::new();
    for case in cases() {
        let Err(error) = case.error() else { panic!("{} ({}) is not refused", case.name, case.words.join(" ")) };
        let told = error.to_string();
        if told != case.expected {
            wrong.push(format!(
                "{} ({})\n  expected {}\n  told     {told}",
                case.name,
                case.words.join(" "),
                case.expected
            ));
        }
        *by_format.entry(case.words[0]).or_insert(0) += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(by_format.values().all(|count| *count >= 30), "{by_format:?}");
    assert_eq!(by_format.len(), 3);
}

#[test]
fn every_place_is_told_as_data_too() {
    for case in cases() {
        let error = case.error().unwrap_err();
        let told = error.to_string();
        if let Some(file) = error.file() {
            let line = error.line().unwrap();
            assert!(line <= case.text.lines().count().max(1), "{told}");
            let place = match error.key() {
                Some(key) => format!("{file}:{line}: {key}: "),
                None => format!("{file}:{line}: "),
            };
            assert!(told.starts_with(&place), "{place} {told}");
        } else if let Some(variable) = error.variable() {
            assert!(
                told.starts_with(&format!("environment variable {variable}: "))
                    || told.contains(&format!(" {variable} ")),
                "{told}"
            );
        } else {
            assert!(told.starts_with("environment variables LB_*: "), "{told}");
        }
    }
}

#[test]
fn no_secret_is_told() {
    for case in cases() {
        let error = case.error().unwrap_err();
        let told = format!("{error} {error:?} {error:#?}");
        assert!(!told.contains("CANARY") && !told.contains("c4n4ry"), "{}: {told}", case.name);
    }
}
