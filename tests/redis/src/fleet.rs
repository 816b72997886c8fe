//! Many processes of this program.

use std::{
    fs,
    process::{Output, Stdio},
};

use tokio::process::{Child, Command};

use crate::{Result, worker::Seen};

/// This program, as another process that ends with this one. Its standard input ends when it is waited for.
pub(crate) fn another(arguments: &[String]) -> Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    Ok(command.spawn()?)
}

/// Workers that run at the same time.
pub(crate) struct Fleet(Vec<Child>);

impl Fleet {
    /// So many workers; each gets a seed of its own.
    pub(crate) fn start(workers: u64, arguments: &[String]) -> Result<Self> {
        let worker = |seed: u64| {
            let own = ["worker".to_owned(), "--seed".to_owned(), seed.to_string()];
            another(&[&own[..], arguments].concat())
        };
        Ok(Self((1..=workers).map(worker).collect::<Result<_>>()?))
    }

    /// What each of them holds in memory now, in KiB.
    pub(crate) fn memory(&self) -> Result<Vec<u64>> {
        self.0.iter().map(|child| resident(child.id().ok_or("a worker ended early")?)).collect()
    }

    /// What each of them saw; an error if one did not end well.
    pub(crate) async fn ends(self) -> Result<Vec<Seen>> {
        let mut all = Vec::new();
        for child in self.0 {
            let Output { status, stdout, .. } = child.wait_with_output().await?;
            if !status.success() {
                return Err(format!("a worker ended with {status}").into());
            }
            all.push(serde_json::from_slice(&stdout)?);
        }
        Ok(all)
    }
}

/// The resident set of a process, in KiB (`VmRSS` of proc(5)).
fn resident(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("the system tells no memory")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
