//! The `lb-emulator` command, run as a user runs it.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod support;

use std::{
    env,
    error::Error,
    fs,
    io::{self, BufRead, BufReader},
    iter::successors,
    process::{self, Child, Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use lb_emulator::h2::{self, Reason};
use reqwest::{
    Version,
    blocking::{Client, ClientBuilder, Response},
};
use support::{CHAT, HELLO, PATIENCE, STREAM, client};

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

/// Starts it with faults and other options.
fn start_with(options: &[&str]) -> (Running, String) {
    start(command().args(options))
}

fn builder() -> ClientBuilder {
    let builder = Client::builder().redirect(reqwest::redirect::Policy::none());
    builder.no_proxy().retry(reqwest::retry::never()).timeout(PATIENCE)
}

/// A client that waits for nothing that does not come.
fn impatient() -> Client {
    builder().timeout(Duration::from_millis(100)).build().unwrap()
}

fn post(client: &Client, url: &str, body: &'static str) -> reqwest::Result<Response> {
    client.post(format!("{url}{CHAT}")).body(body).send()
}

/// The first cause of this type.
fn cause<E: Error + 'static>(error: &reqwest::Error) -> Option<&E> {
    successors(error.source(), |error| (*error).source()).find_map(|error| error.downcast_ref())
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
    let usual = ["--listen", "--tpm", "--rpm", "--ptus", "--key", "LB_EMULATOR_KEYS", "--fail-every", "--tls"];
    let faults = ["--fault", "--refuse-connections", "--flap", "no-head: ", "go-away-before: ", "reset-within: "];
    for option in usual.into_iter().chain(faults) {
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
        (&["--fail-every", "0"], "0"),
        (&["--fail-status", "503"], "--fail-every or --fault"),
        (&["--fault", "reset", "--fault-code", "8"], "--fault-code has no meaning"),
        (&["--fault", "reset-stream", "--fault-code", "CALM"], "such as CANCEL"),
        (&["--fault", "status", "--fail-status", "429", "--fail-body", "x"], "--fail-body has no meaning"),
        (&["--flap", "1"], "--flap needs"),
        (&["--listen", "127.0.0.1:0", "--tls", "/no/such/folder/x.pem"], "cannot write"),
    ] {
        let output = run(arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        assert!(error.contains(says) && !error.contains("panicked"), "{error}");
    }
}

#[test]
fn a_failing_request_can_get_any_status_with_headers_and_a_body() {
    let answer = ["--fail-status", "307", "--fail-header", "location: http://a/b", "--fail-header", "x-a:b"];
    let (_running, url) = start_with(&[&answer[..], &["--fault", "status", "--fail-body", "moved"]].concat());
    let response = post(&client(), &url, HELLO).unwrap();
    assert_eq!(response.status(), 307);
    assert_eq!(response.headers()["location"], "http://a/b");
    assert_eq!(response.headers()["x-a"], "b");
    assert_eq!(response.text().unwrap(), "moved");

    let (_running, url) = start_with(&["--fail-every", "1", "--fail-status", "429", "--fail-hint", "7"]);
    assert_eq!(post(&client(), &url, HELLO).unwrap().headers()["retry-after"], "7");
    let (_running, url) = start_with(&["--fault", "oversized"]);
    assert_eq!(post(&client(), &url, HELLO).unwrap().headers()["retry-after"], "86400");
    let (_running, url) = start_with(&["--fault", "stream-error", "--fail-hint", "7"]);
    let response = post(&client(), &url, STREAM).unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (200, &"7".parse().unwrap()));
    assert!(response.text().unwrap().contains(r#""code":"429""#));
}

#[test]
fn a_failing_request_can_be_late_or_hang() {
    for fault in ["late-head", "late-body"] {
        let (_running, url) = start_with(&["--fault", fault, "--fault-delay-ms", "30"]);
        let started = Instant::now();
        assert!(post(&client(), &url, HELLO).unwrap().text().unwrap().contains("emulator"));
        assert!(started.elapsed() >= Duration::from_millis(30), "{fault}");
    }
    for fault in ["no-head", "silence"] {
        let (_running, url) = start_with(&["--fault", fault, "--fail-every", "2"]);
        assert_eq!(post(&client(), &url, HELLO).unwrap().status(), 200);
        assert!(post(&impatient(), &url, HELLO).unwrap_err().is_timeout(), "{fault}");
    }
}

#[test]
fn an_answer_can_stall_where_it_is_told_to() {
    let patient = builder().build().unwrap();
    for (options, read) in [(&["--fault-after", "1"][..], "data: "), (&["--fault-after-bytes", "3"], "dat"), (&[], "")]
    {
        let (_running, url) = start_with(&[&["--fault", "stall"], options].concat());
        let mut response = post(&patient, &url, STREAM).unwrap();
        assert_eq!(response.status(), 200);
        let mut begin = vec![0; read.len()];
        io::Read::read_exact(&mut response, &mut begin).unwrap();
        assert_eq!(begin, read.as_bytes());
        drop(response);
        let stalled = post(&impatient(), &url, STREAM).and_then(Response::text).unwrap_err();
        assert!(stalled.is_timeout(), "{stalled:?}");
    }
}

#[test]
fn a_connection_can_be_reset_before_and_within_an_answer() {
    let (_running, url) = start_with(&["--fault", "reset"]);
    let error = post(&builder().build().unwrap(), &url, HELLO).unwrap_err();
    let reset = |error: &reqwest::Error| {
        cause::<io::Error>(error).is_some_and(|io| io.kind() == io::ErrorKind::ConnectionReset)
    };
    assert!(reset(&error), "{error:?}");
    let (_running, url) = start_with(&["--fault", "reset-within", "--fault-after", "1"]);
    let response = post(&builder().build().unwrap(), &url, STREAM).unwrap();
    let error = response.text().unwrap_err();
    assert!(reset(&error), "{error:?}");
}

#[test]
fn it_has_the_faults_of_http2() {
    let client = builder().http2_prior_knowledge().build().unwrap();
    for (options, reason, goes_away) in [
        (&["--fault", "refuse-stream"][..], Reason::REFUSED_STREAM, false),
        (&["--refuse-streams-beyond", "0"], Reason::REFUSED_STREAM, false),
        (&["--fault", "reset-stream"], Reason::CANCEL, false),
        (&["--fault", "reset-stream", "--fault-code", "INTERNAL_ERROR"], Reason::INTERNAL_ERROR, false),
        (
            &["--fault", "reset-stream-within", "--fault-after", "2", "--fault-code", "0xb"],
            Reason::ENHANCE_YOUR_CALM,
            false,
        ),
        (&["--fault", "go-away-before"], Reason::NO_ERROR, true),
    ] {
        let (_running, url) = start_with(options);
        let error = post(&client, &url, STREAM).and_then(Response::text).unwrap_err();
        let h2: &h2::Error = cause(&error).unwrap();
        assert_eq!((h2.reason(), h2.is_go_away(), h2.is_remote()), (Some(reason), goes_away, true), "{options:?}");
    }
    let (_running, url) = start_with(&["--fault", "go-away-including"]);
    let error = post(&client, &url, HELLO).unwrap_err();
    assert!(cause::<h2::Error>(&error).is_none_or(h2::Error::is_io), "{error:?}");
}

#[tokio::test]
async fn it_announces_how_many_streams_it_takes() {
    let (_running, url) = start_with(&["--max-concurrent-streams", "3"]);
    let stream = tokio::net::TcpStream::connect(url.strip_prefix("http://").unwrap()).await.unwrap();
    let (mut send, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let (response, _) = send.send_request(http::Request::get(&url).body(()).unwrap(), true).unwrap();
    assert_eq!(response.await.unwrap().status(), 404);
    assert_eq!(send.current_max_send_streams(), 3);
    connection.abort();
}

#[test]
fn it_speaks_tls_with_a_certificate_that_it_writes() {
    let file = env::temp_dir().join(format!("lb-emulator-{}.pem", process::id()));
    let path = file.to_str().unwrap();
    for (options, version) in
        [(&["--tls", path][..], Version::HTTP_2), (&["--tls", path, "--http1-only"], Version::HTTP_11)]
    {
        let (_running, url) = start_with(options);
        assert!(url.starts_with("https://"));
        let certificate = reqwest::Certificate::from_pem(&fs::read(&file).unwrap()).unwrap();
        let client = builder().tls_certs_only([certificate]).build().unwrap();
        let response = post(&client, &url, HELLO).unwrap();
        assert_eq!((response.status().as_u16(), response.version()), (200, version));
    }
    fs::remove_file(file).unwrap();
}

#[test]
fn it_can_refuse_connections_or_be_silent_for_a_while() {
    let client = builder().build().unwrap();
    let (_running, url) = start_with(&["--refuse-connections"]);
    let error = post(&client, &url, HELLO).unwrap_err();
    assert!(cause::<io::Error>(&error).is_some_and(|io| io.kind() == io::ErrorKind::ConnectionRefused), "{error:?}");
    let (_running, url) = start_with(&["--silence-connections"]);
    assert!(post(&impatient(), &url, HELLO).unwrap_err().is_timeout());

    let (_running, url) = start_with(&["--refuse-connections", "--flap", "1"]);
    let end = Instant::now() + PATIENCE;
    for served in [false, true, false] {
        while post(&client, &url, HELLO).is_ok() != served {
            assert!(Instant::now() < end, "it does not change");
            sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn it_can_close_all_connections_now_and_then() {
    let (_running, url) = start_with(&["--fault", "no-head", "--close-connections-every", "1"]);
    let error = post(&builder().build().unwrap(), &url, HELLO).unwrap_err();
    assert!(!error.is_timeout() && !error.is_connect(), "{error:?}");
}
