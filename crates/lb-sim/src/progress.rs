//! How far many runs are.

/// Is told how far many runs are; from any thread.
pub trait Progress: Sync {
    /// So many runs more are to come.
    fn expect(&self, runs: u64);
    /// So many of them are done.
    fn advance(&self, runs: u64);
}

/// Nobody looks.
impl Progress for () {
    fn expect(&self, _: u64) {}
    fn advance(&self, _: u64) {}
}
