use std::{error::Error, fmt};

/// What ends a request in place of the rest of its answer, by its code (RFC 9113, section 7).
///
/// It is the error of services and bodies. HTTP/1.1 has no such thing: there hyper closes the connection.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Broken {
    /// RST_STREAM.
    Stream(u32),
    /// GOAWAY, and with it all requests of the connection.
    Connection(u32),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(code) => write!(f, "the script resets the stream with code {code:#x}"),
            Self::Connection(code) => write!(f, "the script ends the connection with code {code:#x}"),
        }
    }
}

impl Error for Broken {}
