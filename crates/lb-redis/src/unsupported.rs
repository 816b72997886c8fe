use std::{error::Error as StdError, fmt};

/// A server that cooldowns cannot be shared over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unsupported {
    /// It is a node of a cluster.
    Cluster,
    /// It is older than Redis 7, which first can keep the longer one of two expiries.
    Version(String),
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster => f.write_str(
                "the server is a node of a Redis Cluster, which lb-redis does not speak to; take one that is not clustered",
            ),
            Self::Version(version) => write!(f, "the server is Redis {version}; lb-redis needs 7.0 or later"),
        }
    }
}

impl StdError for Unsupported {}
