use std::{error::Error, fmt, io, net::SocketAddr};

/// Why an emulator did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be listened on: in use, or not of this machine.
    Listen {
        /// The address asked for.
        addr: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The operating system gave no thread or no event queue for the emulator.
    Thread(io::Error),
    /// No certificate could be made for [`EmulatorBuilder::tls`](crate::EmulatorBuilder::tls).
    #[cfg(feature = "tls")]
    Tls(Box<dyn Error + Send + Sync>),
    /// The path prefix is not a path: it must start with `/` and must not hold `?`, `#` or spaces.
    PathPrefix(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { addr, source } => write!(f, "cannot listen on {addr}: {source}; port 0 picks a free one"),
            Self::Thread(source) => write!(f, "cannot start the emulator's thread: {source}"),
            #[cfg(feature = "tls")]
            Self::Tls(source) => write!(f, "cannot make a certificate: {source}"),
            Self::PathPrefix(prefix) => {
                write!(f, "path prefix {prefix:?} is not a path such as `/team-a`")
            }
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Listen { source, .. } | Self::Thread(source) => Some(source),
            #[cfg(feature = "tls")]
            Self::Tls(source) => Some(&**source),
            Self::PathPrefix(_) => None,
        }
    }
}
