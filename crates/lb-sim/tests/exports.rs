//! What a planner reads off an Azure Monitor export, beside Azure's own figures.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

use std::{fmt::Write, fs, path::PathBuf};

use lb_sim::{Scenario, Simulation, plan::plan};

/// A folder of a test with an export in it: so many minutes of 600 requests, 1,000 input tokens and 200 output tokens each
/// on average, 30 % of the input from the cache.
fn folder(test: &str, minutes: u32) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("exports-{test}"));
    fs::create_dir_all(&folder).unwrap();
    let mut text = "TimeGenerated,ModelRequests,InputTokens,OutputTokens,PromptTokenCacheMatchRate\n".to_owned();
    for minute in 0..minutes {
        writeln!(text, "2026-05-04T{:02}:{:02}:00Z,600,600000,120000,30", 9 + minute / 60, minute % 60).unwrap();
    }
    fs::write(folder.join("export.csv"), text).unwrap();
    folder
}

#[test]
fn the_mean_need_is_azure_s_figure_where_prompts_are_cached() {
    let folder = folder("need", 60);
    let file = folder.join("plan.toml");
    let text = r#"
        run = {}
        plan = { backend = "ptu", max_ptus = 15, bursts = ["10s"], replications = 4 }
        model = [{ name = "gpt-4.1", price_input = 2.0, price_output = 8.0 }]
        backend = [{ name = "ptu", model = "gpt-4.1", preset = "azure-ptu", ptus = 15, price_ptu_month = 260 }]
        workload = [{ name = "chat", kind = "azure_monitor", file = "export.csv" }]
    "#;
    fs::write(&file, text).unwrap();
    let need = plan(&Scenario::read(&file).unwrap(), &()).unwrap().mean_need.mean();
    // Microsoft Learn, Provisioned throughput sizing: uncached input and 4 x output, over 3,000 a minute and PTU.
    let azure = (600_000.0 * 0.7 + 4.0 * 120_000.0) / 3_000.0;
    assert!((need / azure - 1.0).abs() < 0.01, "{need} PTUs beside {azure}");
}

#[test]
fn a_run_begins_at_the_time_of_day_that_its_export_does() {
    let folder = folder("clock", 60);
    let file = folder.join("run.toml");
    let text = r#"
        run = {}
        backend = [{ name = "eu", model = "gpt-4.1", preset = "azure-standard", tpm = 1_000_000 }]
        workload = [{ name = "chat", kind = "azure_monitor", file = "export.csv" }]
    "#;
    fs::write(&file, text).unwrap();
    let run = Simulation::new(&Scenario::read(&file).unwrap()).unwrap().run(0);
    assert_eq!(run.timeline.begin, Some(1_777_885_200_000_000_000));
}
