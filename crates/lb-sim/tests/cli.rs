//! The binary, run on small scenarios.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

const SCENARIO: &str = r#"title = "A small one"
[run]
duration = "4m"
replications = 2

[[model]]
name = "gpt-4.1"
price_input = 2.0
price_output = 8.0

[[backend]]
name = "ptu"
model = "gpt-4.1"
preset = "azure-ptu"
ptus = 15
price_ptu_month = 260

[[backend]]
name = "eu"
priority = 2
model = "gpt-4.1"
preset = "azure-standard"
tpm = 500_000

[[workload]]
name = "chat"
kind = "poisson"
rate = 3
input = 500
output = 50

[sweep]
"backend.ptu.ptus" = [0, 15]

[plan]
backend = "ptu"
max_ptus = 40
bursts = ["10s", "60s"]
replications = 2
[plan.limits]
spill_share = 0.5
application_429_share = 0.05
"#;

/// A folder of a test, with the scenario in it.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("cli-{test}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("small.toml"), SCENARIO).unwrap();
        Self(folder)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lb-sim"));
        command.current_dir(&self.0).args(arguments).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Standard output of a command that ends with this code.
    fn out(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The line on standard error of a command that ends with this code.
    fn error(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
        assert!(output.stdout.is_empty());
        errors
    }

    fn read(&self, file: impl AsRef<Path>) -> String {
        fs::read_to_string(self.0.join(file)).unwrap()
    }
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn run_prints_a_summary_and_writes_every_form() {
    let folder = Folder::new("run");
    let out = folder.out(
        0,
        &["run", "small.toml", "--json", "a.json", "--html", "a.html", "--csv", "series", "--trace-log", "log.csv"],
    );
    assert!(out.starts_with("A small one\n"), "{out}");
    let report = json(&folder.read("a.json"));
    let conservation = &report["conservation"];
    let count = |key: &str| conservation[key].as_u64().unwrap();
    assert!(count("offered") > 1_000);
    assert_eq!(count("offered"), count("succeeded") + count("given_up") + count("in_flight"));
    assert!(folder.read("a.html").contains("<svg"));
    assert!(folder.read("series/timeline.csv").starts_with("start_seconds,"));
    assert!(folder.read("log.csv").lines().count() > 1_000);
}

#[test]
fn run_takes_other_values_seeds_and_replications() {
    let folder = Folder::new("set");
    let report =
        |arguments: &[&str]| json(&folder.out(0, &[&["run", "small.toml", "--json", "-"], arguments].concat()));
    let plain = report(&[]);
    assert_eq!(plain["replications"], 2);
    assert_eq!(plain, report(&["--threads", "1"]));
    assert_ne!(plain["hash"], report(&["--seed", "99"])["hash"]);
    assert_eq!(report(&["--replications", "3"])["replications"], 3);
    let without = report(&["--set", "backend.ptu.ptus=0"]);
    assert_eq!(without["backends"][0]["attempts"]["mean"], 0.0);
    assert_eq!(report(&["--set", "run.duration=2m"])["duration"]["mean"], 120.0);
}

#[test]
fn sweep_gives_the_same_on_one_thread_and_on_two() {
    let folder = Folder::new("sweep");
    let sweep = |threads: &str| {
        let set = "backend.ptu.burst=1s,60s";
        folder.out(0, &["sweep", "small.toml", "--set", set, "--threads", threads, "--json", "-"])
    };
    let one = sweep("1");
    assert_eq!(one, sweep("2"));
    let one = json(&one);
    assert_eq!(one["runs"][1]["values"], serde_json::json!(["0", "60s"]));
    assert_eq!(one["runs"].as_array().unwrap().len(), 4);
    assert_eq!(one["differences_from_base"][0]["differences"]["cost_per_month"]["mean"], 0.0);
    assert!(one["differences_from_base"][2]["differences"]["cost_per_month"]["mean"].as_f64().unwrap() > 0.0);

    let text = folder.out(0, &["sweep", "small.toml", "--base", "2", "--csv", "csv", "--html", "sweep.html"]);
    assert!(text.contains("DIFFERENCE FROM backend.ptu.ptus = 15"), "{text}");
    assert!(folder.read("sweep.html").contains("<svg"));
    assert!(folder.read("csv/points.csv").starts_with("backend.ptu.ptus,figure,"));
    assert!(folder.read("csv/differences.csv").starts_with("backend.ptu.ptus,figure,"));
}

#[test]
fn plan_opens_with_the_decision_and_its_exit_code_says_whether_there_is_one() {
    let folder = Folder::new("plan");
    let text = folder.out(0, &["plan", "small.toml"]);
    let answer = text.split("ANSWER\n").nth(1).unwrap();
    assert!(answer.trim_start().starts_with("Buy "), "{text}");

    let arguments = ["plan", "small.toml", "--burst", "7500ms", "--json", "-", "--html", "plan.html"];
    let plan = json(&folder.out(0, &arguments));
    assert!(folder.read("plan.html").contains("<svg"));
    assert_eq!(plan["depths"].as_array().unwrap().len(), 1);
    assert_eq!(plan["depths"][0]["burst_seconds"], 7.5);
    let counts: Vec<_> = plan["depths"][0]["steps"].as_array().unwrap().iter().map(|step| &step["ptus"]).collect();
    assert_eq!(counts, [0, 15, 20, 25, 30, 35, 40]);
    let checks = |ptus: usize| &plan["depths"][0]["steps"][ptus]["checks"];
    assert_eq!(checks(0)[0]["value"]["mean"], 1.0);
    assert_eq!(checks(0)[0]["is_met"], false);
    // 240,000 tokens a minute are to be had elsewhere: zero PTUs serve all of 90,000 (3 x 60 x 500) and the answers.
    assert_eq!(checks(0)[1]["value"]["mean"], 0.0);

    let limit = "plan.limits.spill_share=0";
    let text = folder.out(1, &["plan", "small.toml", "--set", limit, "--threads", "1"]);
    assert!(text.contains("No count up to 40 PTUs, the end of the range, meets every limit"), "{text}");
    assert_eq!(text, folder.out(1, &["plan", "small.toml", "--set", limit, "--threads", "2"]));
}

#[test]
fn a_run_that_misses_a_limit_says_so_and_fails() {
    let folder = Folder::new("run-limits");
    let limited = SCENARIO.replacen("[run]", "[run]\nlimits = { application_429_share = 0.9 }", 1);
    fs::write(folder.0.join("small.toml"), limited).unwrap();
    let text = folder.out(0, &["run", "small.toml"]);
    assert!(text.contains("application_429_share <= 90.0 % is met:"), "{text}");
    let text = folder.out(1, &["run", "small.toml", "--set", "run.limits.failed_share=0", "--html", "r.html"]);
    assert!(text.contains("failed_share <= 0 % IS NOT MET:"), "{text}");
    assert!(folder.read("r.html").contains("IS NOT MET"));
}

#[test]
fn how_files_were_read_is_said_by_every_command_and_page() {
    let folder = Folder::new("notes");
    let export = "time,requests,input_tokens,output_tokens\n2026-05-04 09:00:00,60,60000,6000\n\
                  2026-05-04 09:01:00,60,60000,6000\n2026-05-04 09:01:07,5,5000,500\n2026-05-04 09:02:00,60,60000,6000\n";
    fs::write(folder.0.join("export.csv"), export).unwrap();
    let (before, after) = SCENARIO.split_once("kind = \"poisson\"").unwrap();
    let (_, after) = after.split_once("output = 50").unwrap();
    let scenario = format!("{before}kind = \"azure_monitor\"\nfile = \"export.csv\"{after}");
    fs::write(
        folder.0.join("export.toml"),
        scenario.replace("duration = \"4m\"", "").replace("= 2\n[plan.limits]", "= 4\n[plan.limits]"),
    )
    .unwrap();
    for command in ["run", "check", "sweep", "plan"] {
        let page: &[&str] = if command == "check" { &[] } else { &["--html", "page.html"] };
        let arguments = [&[command, "export.toml"], page];
        let text = folder.out(0, &arguments.concat());
        assert!(text.contains("export.csv: 1 value is not at the steps of 60 s"), "{command}: {text}");
        if command != "check" {
            // On a page a number stays on a line with what follows.
            let page = folder.read("page.html").replace('\u{a0}', " ");
            assert!(page.contains("export.csv: 1 value is not at the steps"), "{command}");
        }
    }
}

#[test]
fn check_says_what_a_scenario_holds() {
    let folder = Folder::new("check");
    let out = folder.out(0, &["check", "small.toml"]);
    for begin in [
        "backend ptu: priority 1, gpt-4.1, 15 PTUs",
        "workload chat: Poisson arrivals",
        "  requests per minute: mean 1",
        "  tokens per minute: mean 9",
        // 3 x 60 requests a minute, of 500 + 4 x 50 input tokens, at 3,000 a minute for each PTU.
        "  PTUs of gpt-4.1, by Azure's formula: mean 4",
        "run: 2 runs of about 1,4",
        "sweep: 2 points, 4 runs of about 2,8",
        // Six counts at two depths, and those without and with plenty, twice each.
        "plan: PTUs of ptu, at most 28 runs of about 19,",
    ] {
        assert!(out.lines().any(|line| line.starts_with(begin)), "{begin}: {out}");
    }
    assert!(out.contains("under a second"), "{out}");
    assert!(!out.contains("warning"), "{out}");
    let set = |setting: &str| folder.out(0, &["check", "small.toml", "--set", setting]);
    assert!(set("backend.ptu.ptus=17").contains("warning: backend.ptu.ptus: 17 PTUs are not for sale, but 20"));
    let unknown = set("backend.eu.model=gpt-nine");
    assert!(unknown.contains("warning: backend.eu.model: `gpt-nine` is in no table"), "{unknown}");
    let scenario = SCENARIO.replace("\"backend.ptu.ptus\" = [0, 15]", "\"backend.other.ptus\" = [0, 15]");
    fs::write(folder.0.join("sweep.toml"), scenario).unwrap();
    let error = folder.error(2, &["check", "sweep.toml"]);
    assert!(error.contains("sweep.toml: ") && error.contains("no `backend` named `other`"), "{error}");
}

#[test]
fn check_says_who_shares_a_quota_and_what_a_file_holds() {
    let folder = Folder::new("profile");
    let rows: String = (0..600).map(|second| format!("{second},100,10\n")).collect();
    fs::write(folder.0.join("trace.csv"), format!("time,input,output\n{rows}")).unwrap();
    let scenario = r#"
        run = {}
        [[backend]]
        name = "a"
        preset = "azure-standard"
        tpm = 1_000
        quota = "eu"
        [[backend]]
        name = "b"
        preset = "azure-standard"
        quota = "eu"
        [[workload]]
        name = "one"
        kind = "trace"
        file = "trace.csv"
        [[workload]]
        name = "two"
        kind = "constant"
        rate = 0.5
        input = 1
        output = 1
        backends = ["b"]
    "#;
    fs::write(folder.0.join("shared.toml"), scenario).unwrap();
    let out = folder.out(0, &["check", "shared.toml"]);
    for line in [
        "workers: 1",
        "workers of two: 1, to b",
        "quota eu: a, b share the limits of a",
        "workload one: a trace, trace.csv: 600 rows over 9.98 min",
        "all workloads",
        "  900 requests in 10 min",
        "  requests per minute: mean 90, 95th percentile 90, peak 90 (after 0 s)",
    ] {
        assert!(out.lines().any(|other| other == line), "{line}: {out}");
    }
}

#[test]
fn what_takes_minutes_says_so_before_it_begins() {
    let folder = Folder::new("long");
    // Twenty years are not waited for.
    let mut child = folder
        .command(&["run", "small.toml", "--set", "run.duration=20years", "--set", "workload.chat.rate=50"])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.starts_with("2 runs of about 6") && line.contains("requests together: about "), "{line}");
}

#[test]
fn fit_prints_a_workload_that_a_scenario_can_hold() {
    let folder = Folder::new("fit");
    let rows: String = (0..2_000).map(|i| format!("{},{},{}\n", f64::from(i) * 0.5, 100 + i % 7, 20 + i % 5)).collect();
    fs::write(folder.0.join("trace.csv"), format!("t,in,out\n{rows}")).unwrap();
    let columns = ["--time", "t", "--input", "in", "--output", "out"];
    let fitted = folder.out(0, &[&["fit", "trace.csv", "--name", "mine"], columns.as_slice()].concat());
    let (before, _) = SCENARIO.split_once("[[workload]]").unwrap();
    fs::write(folder.0.join("fitted.toml"), format!("{before}{fitted}")).unwrap();
    assert!(folder.out(0, &["check", "fitted.toml"]).contains("workload mine: "));
    assert!(folder.error(2, &["fit", "absent.csv"]).contains("absent.csv"));
}

/// One attempt a second at a backend, refused in the middle third.
fn log(backend: &str) -> String {
    let line = |i: u32| {
        let answer = if (20..40).contains(&i) { "429,2000" } else { "200," };
        format!("{i},{},500,0,50,50,{answer},{backend}\n", f64::from(i) + 0.5)
    };
    let head = "start,end,prompt_tokens,cached_tokens,max_tokens,completion_tokens,status,hint_ms,backend\n";
    head.to_owned() + &(0..60).map(line).collect::<String>()
}

#[test]
fn calibrate_says_when_a_log_cannot_tell() {
    let folder = Folder::new("calibrate");
    fs::write(folder.0.join("log.csv"), log("ptu")).unwrap();
    let arguments = ["calibrate", "log.csv", "--model", "gpt-4.1", "--ptus", "50"];
    let calibration = json(&folder.out(1, &[arguments.as_slice(), &["--json", "-"]].concat()));
    assert!(calibration["verdict"]["not_identifiable"].is_object(), "{calibration}");
    assert_eq!(calibration["counts"]["refused"], 20);
    assert!(folder.out(1, &arguments).contains("not identifiable"));
    assert!(folder.error(2, &[&arguments[..], &["--backend", "eu"]].concat()).contains("no backend `eu`"));
    let unknown = ["calibrate", "log.csv", "--model", "gpt-9", "--ptus", "50"];
    assert!(folder.error(2, &unknown).contains("--input-tpm-per-ptu"));
    fs::write(folder.0.join("bad.csv"), "start,status\n0,200\nsoon,200\n").unwrap();
    let bad = folder.error(2, &["calibrate", "bad.csv", "--model", "gpt-4.1", "--ptus", "50"]);
    assert!(bad.starts_with("error: bad.csv"), "{bad}");
}

#[test]
fn run_against_a_log_shows_both_sides() {
    let folder = Folder::new("against");
    fs::write(folder.0.join("log.csv"), log("ptu")).unwrap();
    let against = json(&folder.out(0, &["run", "small.toml", "--against", "log.csv", "--json", "-"]));
    assert_eq!(against["backends"][0]["counts"]["throttles"]["observed"], 20.0);
    assert_eq!(against["replications"], 2);
    assert!(folder.out(0, &["run", "small.toml", "--against", "log.csv"]).contains("ptu"));
    fs::write(folder.0.join("other.csv"), log("elsewhere")).unwrap();
    let error = folder.error(2, &["run", "small.toml", "--against", "other.csv"]);
    assert!(error.starts_with("error: other.csv: ") && error.contains("elsewhere"), "{error}");
    let both = ["run", "small.toml", "--against", "log.csv", "--html", "a.html"];
    assert_eq!(folder.run(&both).status.code(), Some(2));
}

#[test]
fn errors_name_file_line_and_key() {
    let folder = Folder::new("errors");
    fs::write(folder.0.join("wrong.toml"), SCENARIO.replace("ptus = 15", "ptus = 15\nburst = \"0s\"")).unwrap();
    let error = folder.error(2, &["run", "wrong.toml"]);
    assert_eq!(error, "error: wrong.toml:16: backend.ptu.burst: it must be more than zero\n");
    let error = folder.error(2, &["run", "small.toml", "--set", "clients.workers=0"]);
    assert_eq!(error, "error: small.toml: clients.workers: it must be at least 1\n");
    let error = folder.error(2, &["sweep", "small.toml", "--set", "backend.ptu.colour=1,2"]);
    assert!(error.starts_with("error: small.toml: ") && error.contains("colour"), "{error}");
    assert!(folder.error(2, &["plan", "absent.toml"]).starts_with("error: absent.toml: it cannot be read"));
    fs::write(folder.0.join("none.toml"), SCENARIO.split("[plan]").next().unwrap()).unwrap();
    assert!(folder.error(2, &["plan", "none.toml"]).starts_with("error: none.toml: plan: it is missing"));
    let error = folder.error(2, &["plan", "small.toml", "--set", "plan.max_ptus=10"]);
    assert!(error.starts_with("error: small.toml: plan.max_ptus: "), "{error}");
}

#[test]
fn a_wrong_command_line_ends_with_two() {
    let folder = Folder::new("usage");
    for arguments in [
        &["run"][..],
        &["walk", "small.toml"],
        &["run", "small.toml", "--threads", "0"],
        &["run", "small.toml", "--set", "clients.workers"],
        &["run", "small.toml", "--set", "clients.workers=1,2"],
        &["run", "small.toml", "--json", "-", "--html", "-"],
        &["sweep", "small.toml", "--base", "3"],
        &["plan", "small.toml", "--burst", "deep"],
        &["plan", "small.toml", "--replications", "1"],
    ] {
        let output = folder.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: "), "{arguments:?}");
    }
}

#[test]
fn what_cannot_be_written_ends_with_one() {
    let folder = Folder::new("unwritable");
    fs::write(folder.0.join("file"), "").unwrap();
    let output = folder.run(&["run", "small.toml", "--json", "file/a.json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot be written"));
}

#[test]
fn a_reader_who_leaves_early_is_no_error() {
    let folder = Folder::new("pipe");
    for arguments in [&["run", "small.toml"][..], &["run", "small.toml", "--trace-log", "-"]] {
        let mut child = folder.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn help_has_examples() {
    let folder = Folder::new("help");
    for command in ["run", "sweep", "plan", "calibrate", "fit", "check"] {
        let out = folder.out(0, &[command, "--help"]);
        assert!(out.contains(&format!("Examples:\n  lb-sim {command} ")), "{out}");
    }
    assert!(folder.out(0, &["--help"]).contains("Exit codes: "));
}
