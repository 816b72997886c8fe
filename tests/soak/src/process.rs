//! What this process holds, as the system counts it.

use std::fs;

/// How many file descriptors are open; `None` where the system does not say.
pub(crate) fn descriptors() -> Option<usize> {
    // One of them is that of the listing itself, each time.
    Some(fs::read_dir("/proc/self/fd").ok()?.count())
}

/// Resident memory in KiB; `None` where the system does not say.
pub(crate) fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
