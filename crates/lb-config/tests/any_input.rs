//! No input makes a reader panic, and what cannot be read is told in one line without what is secret.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use lb_config::{Config, ConfigError};
use proptest::{collection::vec, prelude::*, sample::select};

/// Pieces of which sound and unsound configurations are made.
const PIECES: [&str; 40] = [
    "[[backends]]",
    "[options]",
    "[pools.chat]",
    "[[pools.chat.backends]]",
    "[",
    "]",
    "{",
    "}",
    "=",
    ":",
    ",",
    ".",
    "\"",
    "'",
    "\n",
    "\r\n",
    "\\",
    "\\ud800",
    "\u{feff}",
    "#",
    "\0",
    "endpoint",
    "backends",
    "pools",
    "options",
    "models",
    "strikes",
    "on_status",
    "wait",
    "name = 'ptu'\n",
    "endpoint = 'ptu.openai.azure.com'\n",
    "api_key = 'CANARY'\n",
    "api_key_env = 'CANARYc'\n",
    "\"api_key\": \"CANARY\"",
    "\"backends\": [{\"endpoint\": \"a.example\"}]",
    "-1",
    "1e400",
    "99999999999999999999999999999999999999999",
    "null",
    "true",
];

fn pieces() -> impl Strategy<Value = String> {
    vec(prop_oneof![8 => select(&PIECES[..]).prop_map(str::to_owned), 1 => any::<String>()], 0..24)
        .prop_map(|pieces| pieces.concat())
}

/// Reads it whole, and says what is wrong with it.
fn errors(config: Result<Config, ConfigError>) -> Vec<ConfigError> {
    match config {
        Err(error) => vec![error],
        Ok(config) => [config.pool().err(), config.pools().err()].into_iter().flatten().collect(),
    }
}

fn check(errors: Vec<ConfigError>) {
    // One pool or several: one of the two is always wrong.
    assert!(!errors.is_empty());
    for error in errors {
        let told = error.to_string();
        assert!(!told.contains(char::is_control), "{told:?}");
        assert!(told.len() > 10, "{told:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_text_is_read_or_refused(text in pieces()) {
        check(errors(Config::from_toml("any.toml", &text)));
        check(errors(Config::from_json("any.json", &text)));
    }

    #[test]
    fn any_variables_are_read_or_refused(
        variables in vec((vec(select(&["LB", "_", "__", "OPTIONS", "BACKENDS", "POOLS", "A", "ENDPOINT", "API_KEY", "STRIKES", "WAIT",
            "MODELS", "ON_STATUS", "a", "\n", "\u{e9}"][..]), 0..9), any::<String>()), 0..9)
    ) {
        let variables = variables.into_iter().map(|(name, value)| (name.concat(), value));
        check(errors(Config::from_vars("LB", variables)));
    }
}

#[test]
fn a_name_with_control_characters_is_told_in_one_line() {
    check(errors(Config::from_file("there is\nno such\0file.toml")));
    check(errors(Config::from_toml("two\nlines.toml", "strikes")));
    check(errors(Config::from_json("two\nlines.json", "{\"str\\nikes\": 1}")));
    check(errors(Config::from_vars("LB", [("LB_OPTIONS__A\nB", "1")])));
    check(errors(Config::from_vars("LB", [("LB_BACKENDS__A__API_KEY_ENV", "PTU\nKEY")])));
    check(errors(Config::from_vars("L\nB", [("A", "1")])));
}

#[test]
fn a_secret_in_any_value_is_not_told() {
    let sample = "
        [options]
        strikes = 2
        peek = true
        deadline = '1s'
        [options.on_status]
        404 = 'fail-over'
        [[backends]]
        endpoint = 'https://ptu.openai.azure.com'
        name = 'ptu'
        priority = 1
        weight = 1
        deployment = 'gpt'
        api_key_env = 'PTU_KEY'
        caller_credential_headers = ['x-a']
        forward_caller_credential = false
        [pools]";
    let keys = [("PTU_KEY", "CANARY-KEY")];
    let mut wrong = 0;
    for line in sample.lines().filter(|line| line.contains('=')) {
        let (name, _) = line.split_once('=').unwrap();
        for value in ["'CANARY sk'", "['CANARY sk']", "{ a = 'CANARY sk' }", "CANARY", "'CANARY"] {
            let text = sample.replace(line, &format!("{name}= {value}"));
            for error in errors(Config::from_toml("x.toml", &text).and_then(|config| config.with_vars("LB", keys))) {
                let told = format!("{error} {error:?}");
                assert!(!told.contains("CANARY"), "{text}\n{told}");
                wrong += 1;
            }
        }
    }
    assert!(wrong > 50, "{wrong}");
}

#[test]
fn what_is_nested_without_an_end_is_refused() {
    let error = Config::from_vars("LB", [("LB".to_owned() + &"_A_".repeat(100_000), "x")]).unwrap_err();
    assert!(error.to_string().contains("it means nothing"));
    for text in
        ["[".repeat(100_000), "{\"a\":".repeat(100_000), format!("{{\"a\":{}1{}}}", "[".repeat(5000), "]".repeat(5000))]
    {
        assert!(Config::from_json("deep.json", &text).is_err());
    }
    for text in ["a=[".repeat(100_000), format!("a={}", "[".repeat(100_000)), format!("a={}", "{a=".repeat(100_000))] {
        assert!(Config::from_toml("deep.toml", &text).is_err());
    }
}

#[cfg(unix)]
#[test]
fn variables_that_are_not_utf_8_are_told_where_they_matter() {
    use std::{ffi::OsString, os::unix::ffi::OsStringExt};

    let raw = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let pair = |name: &[u8], value: &[u8]| (raw(name), raw(value));
    let backend = pair(b"LB_BACKENDS__PTU__ENDPOINT", b"a.example");
    let config = Config::from_vars("LB", [backend.clone(), pair(b"OTHER\xff", b"\xff")]).unwrap();
    assert!(config.pool().is_ok());
    let error = Config::from_vars("LB", [pair(b"LB_BACKENDS__PTU__API_KEY", b"CANARY\xff")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "environment variable LB_BACKENDS__PTU__API_KEY: its value is not UTF-8; set it anew"
    );
    let error = Config::from_vars("LB", [pair(b"LB_\xff", b"CANARY")]).unwrap_err();
    assert!(error.to_string().contains("it means nothing"), "{error}");
    let named = [backend, pair(b"LB_BACKENDS__PTU__API_KEY_ENV", b"PTU_KEY"), pair(b"PTU_KEY", b"CANARY\xff")];
    let error = Config::from_vars("LB", named).unwrap().pool().unwrap_err();
    assert_eq!(error.variable(), Some("PTU_KEY"));
    assert!(error.to_string().ends_with("PTU_KEY is not UTF-8; export it anew"), "{error}");
}
