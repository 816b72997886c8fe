//! The saved inputs of the fuzzing targets, through the same functions as under `cargo fuzz`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

#[path = "../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "a library there, a module here")]
mod fuzz;

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

/// Runs `target` over its inputs, of which there are at least so many, and names those at which it panics.
fn run(name: &str, at_least: usize, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name);
    let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= at_least, "{} inputs in {}", files.len(), folder.display());
    let panics = |file: &&std::path::PathBuf| {
        let input = fs::read(file).unwrap();
        catch_unwind(AssertUnwindSafe(|| target(&input))).is_err()
    };
    let failed: Vec<_> = files.iter().filter(panics).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn hints() {
    run("hints", 100, fuzz::hints);
}

#[test]
fn addressing() {
    run("addressing", 30, fuzz::addressing);
}

#[test]
fn configuration() {
    run("configuration", 50, fuzz::configuration);
}

#[test]
fn models() {
    run("models", 30, fuzz::models);
}

#[test]
fn endpoints() {
    run("endpoints", 30, fuzz::endpoints);
}
