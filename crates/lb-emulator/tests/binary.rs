//! The `lb-emulator` command, run as a user runs it.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod support;

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use support::{CHAT, HELLO, PATIENCE, client};

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lb-emulator"));
    command.env_remove("LB_EMULATOR_KEYS").env("RUST_LOG", "off");
    command
}

/// Starts it on a free port, and gives the URL it prints.
fn start(command: &mut Command) -> (Running, String) {
    let command = command.args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped());
    let mut child = Running(command.spawn().unwrap());
    let mut line = String::new();
    let stdout = child.0.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
    (child, url)
}

fn run(arguments: &[&str]) -> Output {
    let mut command = command();
    let command = command.args(arguments).stderr(Stdio::piped());
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    // Should it run on, it is stopped, and its output says nothing of an error.
    let end = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() && Instant::now() < end {
        sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    child.wait_with_output().unwrap()
}

#[test]
fn it_prints_its_url_and_serves_with_the_limits_and_keys_it_was_given() {
    let mut command = command();
    let command = command.env("LB_EMULATOR_KEYS", "k1,k2");
    let (_running, url) = start(command.args(["--tpm", "18", "--hint", "date"]));
    let ask = |key: &str| {
        let request = client().post(format!("{url}{CHAT}")).header("api-key", key);
        request.body(HELLO).send().unwrap()
    };
    assert_eq!(ask("k0").status(), 401);
    // 3 tokens and the 16 reserved without max_tokens are more than 18.
    let refused = ask("k2");
    assert_eq!(refused.status(), 429);
    assert!(refused.headers()["retry-after"].to_str().unwrap().ends_with(" GMT"));
}

#[test]
fn it_can_fail_every_so_often() {
    let mut command = command();
    let faults = ["--fail-every", "2", "--fail-status", "503", "--ptus", "15"];
    let (_running, url) = start(command.args(faults));
    let statuses = [(); 4].map(|()| {
        let request = client().post(format!("{url}{CHAT}")).body(HELLO);
        request.send().unwrap().status().as_u16()
    });
    assert_eq!(statuses, [200, 503, 200, 503]);
}

#[test]
fn it_annotates_as_azures_content_filter_does_unless_told_otherwise() {
    let body = |arguments: &[&str]| {
        let mut command = command();
        let (_running, url) = start(command.args(arguments));
        client().post(format!("{url}{CHAT}")).body(HELLO).send().unwrap().text().unwrap()
    };
    assert!(body(&[]).contains("content_filter_results"));
    assert!(!body(&["--no-content-filter"]).contains("filter"));
}

#[test]
fn its_help_explains_every_option_and_shows_no_key() {
    let output = command().env("LB_EMULATOR_KEYS", "very-secret").arg("--help").output().unwrap();
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    for option in ["--listen", "--tpm", "--rpm", "--ptus", "--key", "LB_EMULATOR_KEYS", "--fail-every"] {
        assert!(help.contains(option), "{option}: {help}");
    }
    assert!(!help.contains("very-secret"));
}

#[test]
fn what_it_cannot_do_is_an_error_and_not_a_panic() {
    let taken = lb_emulator::Emulator::start().unwrap();
    let addr = taken.addr().to_string();
    for (arguments, says) in [
        (&["--listen", &addr][..], "cannot listen on"),
        (&["--path-prefix", "team"], "is not a path"),
        (&["--tpm", "1", "--ptus", "1"], "cannot be used with"),
        (&["--rpm", "1"], "--tpm"),
        (&["--fail-every", "2", "--fail-status", "99"], "99"),
    ] {
        let output = run(arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        assert!(error.contains(says) && !error.contains("panicked"), "{error}");
    }
}
