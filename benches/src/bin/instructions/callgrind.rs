//! Runs the cases under callgrind.

use std::{
    env,
    error::Error,
    fs,
    path::Path,
    process::{self, Command},
};

use crate::cases::REGION;

/// How often a case is repeated; an odd branch in one of so many operations does not show in the rounded count.
const TIMES: u64 = 2000;

/// The instructions of one operation, by case, in the order of the cases.
#[derive(Debug)]
pub(crate) struct Counts(Vec<(String, f64)>);

impl Counts {
    /// The count of this case.
    pub(crate) fn of(&self, name: &str) -> Option<f64> {
        self.iter().find_map(|(other, count)| (other == name).then_some(count))
    }

    /// Every case and its count.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, count)| (name.as_str(), *count))
    }
}

/// Counts the cases of these names, which are all that the program runs.
pub(crate) fn count(names: Vec<String>) -> Result<Counts, Box<dyn Error>> {
    // Beside the program, so that nothing is written outside of the target directory; of this process, because
    // callgrind appends to a file that another one writes.
    let folder = env::current_exe()?.with_file_name(format!("callgrind-{}", process::id()));
    fs::create_dir_all(&folder)?;
    let both = totals(&folder.join("once.out"), TIMES)
        .and_then(|once| Ok((once, totals(&folder.join("twice.out"), 2 * TIMES)?)));
    fs::remove_dir_all(&folder)?;
    let (once, twice) = both?;
    if once.len() != names.len() || twice.len() != names.len() {
        let found = format!("{} and {} dumps of {} cases", once.len(), twice.len(), names.len());
        return Err(format!("callgrind made {found}: was `{REGION}` inlined?").into());
    }
    let differences = once.into_iter().zip(twice).map(|(once, twice)| per_operation(twice.saturating_sub(once)));
    Ok(Counts(names.into_iter().zip(differences).collect()))
}

/// Rounded to a tenth: what is finer comes from the random numbers.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn per_operation(instructions: u64) -> f64 {
    (instructions as f64 / TIMES as f64 * 10.0).round() / 10.0
}

/// Runs this program's cases under callgrind, and gives the instructions inside of each case's region.
fn totals(file: &Path, times: u64) -> Result<Vec<u64>, Box<dyn Error>> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no", "--combine-dumps=yes"])
        // Two patterns for one function: of two options with the same pattern, callgrind 3.19 follows only the first.
        .arg(format!("--toggle-collect=*{REGION}*"))
        .arg(format!("--dump-after=*::{REGION}*"))
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(env::current_exe()?)
        .args(["--run", &times.to_string()])
        .output()
        .map_err(|error| format!("valgrind cannot be run ({error}); install it"))?;
    if !output.status.success() {
        return Err(format!("valgrind failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    parse(&fs::read_to_string(file)?)
}

/// The totals of the dumps that callgrind made at the end of a region.
fn parse(dumps: &str) -> Result<Vec<u64>, Box<dyn Error>> {
    let mut totals = Vec::new();
    let mut at_end_of_region = false;
    for line in dumps.lines() {
        if let Some(trigger) = line.strip_prefix("desc: Trigger: ") {
            at_end_of_region = trigger.contains("--dump-after");
        }
        let total = line.strip_prefix("totals: ").filter(|_| at_end_of_region);
        if let Some(total) = total {
            totals.push(total.trim().parse()?);
        }
    }
    Ok(totals)
}

#[cfg(test)]
impl Counts {
    /// Made-up counts.
    pub(crate) fn made_up(counts: impl IntoIterator<Item = (String, f64)>) -> Self {
        Self(counts.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_dumps_at_the_end_of_a_region_are_counted() {
        let dumps = "desc: Trigger: --dump-after=x\nsummary: 12\ntotals: 12\n\
            desc: Trigger: --dump-after=x\ntotals: 30\ndesc: Trigger: Program termination\ntotals: 7\n";
        assert_eq!(parse(dumps).unwrap(), [12, 30]);
        assert!(parse("desc: Trigger: --dump-after=x\ntotals: many\n").is_err());
    }

    #[test]
    fn what_one_operation_takes_is_rounded_to_a_tenth() {
        assert_eq!(per_operation(TIMES * 31), 31.0);
        assert_eq!(per_operation(TIMES * 31 + 3), 31.0);
        assert_eq!(per_operation(TIMES * 31 + TIMES / 2), 31.5);
    }
}
