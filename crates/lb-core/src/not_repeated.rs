//! Why a request that would fail over is not sent again.

use std::fmt;

/// Why a request that would fail over is not sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotRepeated {
    /// Its body could be sent once only.
    BodySpent,
    /// The failure came later than [`fail_over_within`](crate::PoolBuilder::fail_over_within).
    TooLate,
    /// Its path names what is stored at one resource, and the pool [guards](crate::PoolBuilder::guard_stateful_paths) such.
    StatefulPath,
}

impl fmt::Display for NotRepeated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BodySpent => "the body could be sent once only",
            Self::TooLate => "the failure came too late",
            Self::StatefulPath => "its path names what is stored at one resource",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::NotRepeated;

    #[test]
    fn each_reason_is_told_from_the_others() {
        let all = [NotRepeated::BodySpent, NotRepeated::TooLate, NotRepeated::StatefulPath].map(|why| why.to_string());
        assert!(all.iter().all(|told| !told.is_empty()));
        assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2], "{all:?}");
    }
}
