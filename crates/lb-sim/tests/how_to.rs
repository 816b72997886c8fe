//! The page from an Azure Monitor export to a decision: its commands run, and print what it says.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A copy of the page's files: commands write pages beside them.
fn folder() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("how-to");
    fs::create_dir_all(&folder).unwrap();
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/azure-monitor");
    for file in fs::read_dir(files).unwrap().map(|file| file.unwrap()) {
        fs::copy(file.path(), folder.join(file.file_name())).unwrap();
    }
    folder
}

/// The answer in what a command printed.
fn answer(printed: &str) -> String {
    let (_, after) = printed.split_once("ANSWER\n").unwrap_or_else(|| panic!("no answer in {printed}"));
    format!("ANSWER\n{}\n", after.split("\n\n").next().unwrap().trim_end())
}

/// With `LB_WRITE=1` the page's answers are made anew.
#[test]
fn every_command_of_the_page_runs_and_answers_as_the_page_says() {
    let folder = folder();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/from-azure-monitor.md");
    let page = fs::read_to_string(&file).unwrap();
    let (mut printed, mut commands, mut answers) = (String::new(), 0, 0);
    let mut made = page.clone();
    for block in page.split("```").skip(1).step_by(2) {
        let (language, text) = block.split_once('\n').unwrap();
        if language == "text" {
            made = made.replacen(text, &answer(&printed), 1);
            answers += 1;
        }
        for line in text.lines().filter_map(|line| line.strip_prefix("lb-sim ")) {
            let mut command = Command::new(env!("CARGO_BIN_EXE_lb-sim"));
            let output = command.current_dir(&folder).args(line.split_whitespace()).output().unwrap();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{line}: {errors}");
            printed = String::from_utf8(output.stdout).unwrap();
            commands += 1;
        }
    }
    assert_eq!((commands, answers), (4, 3));
    for written in ["run.html", "plan.html"] {
        assert!(fs::read_to_string(folder.join(written)).unwrap().contains("<svg"), "{written}");
    }
    if std::env::var_os("LB_WRITE").is_some() {
        fs::write(&file, made).unwrap();
    } else {
        let differs = made.lines().zip(page.lines()).find(|(made, page)| made != page);
        assert_eq!(
            differs, None,
            "printed, and on the page; make it anew: LB_WRITE=1 cargo test -p lb-sim --test how_to"
        );
        assert_eq!(made.lines().count(), page.lines().count());
    }
}
