//! Every scenario that ships is read, and runs; and every kind of traffic has one.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use lb_sim::{Scenario, metrics::RunResult, simulate};

/// The scenarios in a folder and those below it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|end| end == "toml") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The scenario in a file; a workload alone gets a deployment.
fn read(file: &Path) -> Scenario {
    let text = fs::read_to_string(file).unwrap();
    if text.contains("[[backend]]") {
        return Scenario::read(file).unwrap();
    }
    Scenario::parse(&format!("title = \"alone\"\nrun = {{ duration = \"1m\" }}\n{text}\n[[backend]]\nname = \"all\"\n"))
        .unwrap()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

/// One run, cut short.
fn short(scenario: &Scenario, duration: &str) -> RunResult {
    let cut = [("run.duration", duration.into()), ("run.warmup", "0s".into()), ("run.replications", 1.into())];
    let cut = cut.map(|(key, value): (&str, toml::Value)| (key.parse().unwrap(), value));
    simulate(&scenario.with(&cut).unwrap()).unwrap().remove(0)
}

#[test]
fn every_scenario_runs() {
    let all = files(&folder());
    assert!(all.len() >= 30, "{all:?}");
    for file in all {
        let scenario = read(&file);
        assert!(!scenario.title.is_empty(), "{}", file.display());
        let run = short(&scenario, "2m");
        assert!(run.conservation.succeeded > 0, "{}: {:?}", file.display(), run.conservation);
    }
}

#[test]
fn every_kind_of_traffic_has_a_scenario() {
    let mut kinds = BTreeSet::new();
    for file in files(&folder()) {
        let scenario = read(&file);
        for workload in scenario.document()["workload"].as_array().unwrap() {
            kinds.insert(workload["kind"].as_str().unwrap().to_owned());
        }
    }
    // As the keys' reference lists them: a new kind needs a scenario.
    let keys = include_str!("../src/scenario/keys.md").split_once("## `[[workload]]`").unwrap().1;
    let table = keys.split_once("| value of `kind` | what |\n| --- | --- |\n").unwrap().1.split("\n\n").next().unwrap();
    let described: BTreeSet<String> = table.lines().map(|row| row.split('`').nth(1).unwrap().to_owned()).collect();
    assert!(described.len() >= 8);
    assert_eq!(kinds, described);
}

#[test]
fn what_was_recorded_comes_when_the_export_has_that_hour() {
    let scenario = Scenario::read(folder().join("kinds/azure_monitor.toml")).unwrap();
    let before = short(&scenario, "8h");
    let with = short(&scenario, "8h 10m");
    // Ten o'clock at +02:00 is eight o'clock of the export.
    assert_eq!(before.classes[1].offered, 0);
    assert_eq!(with.classes[1].offered, 350);
}

#[test]
fn a_batch_takes_what_two_products_leave_of_their_quota() {
    let scenario = Scenario::read(folder().join("two_products.toml")).unwrap();
    let run = short(&scenario, "30m");
    let [chat, search, batch] = run.classes.as_slice() else { panic!() };
    assert!(chat.sdk_retries > 0 && search.sdk_retries == 0, "{chat:?} {search:?}");
    assert!(batch.sdk_retries > 0, "{batch:?}");
    assert_eq!(batch.succeeded + batch.in_flight, batch.offered, "it gives nothing up");
    assert_eq!(run.workers.len(), 4 + 8 + 1);
}
