//! Configuration files and variables.

use lb_config::{Config, ConfigError};

/// Whatever stands in a file or a variable, it is read or refused: in one line, and without what stands behind `CANARY`.
///
/// The input is a file in TOML and one in JSON; and a variable in each line that has a `=`.
pub fn configuration(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let variables = || text.lines().filter_map(|line| line.split_once('='));
    let keys = [("PTU_KEY", "CANARY-KEY")];
    check(Config::from_toml("fuzz.toml", text).and_then(|config| config.with_vars("LB", keys)));
    check(Config::from_json("fuzz.json", text).and_then(|config| config.with_vars("LB", keys)));
    check(Config::from_vars("LB", variables().chain(keys)));
}

fn check(config: Result<Config, ConfigError>) {
    let errors = match config {
        Err(error) => vec![error],
        Ok(config) => [config.pool().err(), config.pools().err()].into_iter().flatten().collect(),
    };
    // One pool or several: one of the two is always wrong.
    assert!(!errors.is_empty());
    for error in errors {
        let told = error.to_string();
        assert!(!told.contains(char::is_control), "{told:?}");
        assert!(!told.contains("CANARY-KEY"), "{told:?}");
    }
}
