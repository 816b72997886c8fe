//! Why no response head came.

use std::{fmt, io};

/// Why no response head came, as the transport sees it.
///
/// What counts is whether the backend may have executed the request, and whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// No connection: DNS, connect or TLS failed. Nothing was sent: it is safe to fail over.
    Connect,
    /// No connection in time. Nothing was sent: it is safe to fail over, and whoever asks next waits as long.
    ConnectTimeout,
    /// No response head in time, after the request went out or may have. It may have been executed and billed.
    Timeout,
    /// The connection broke after the request went out or may have. It may have been executed and billed.
    Reset,
    /// The backend refused the request before it processed any of it, and said so: a stream that HTTP/2 refused
    /// (`REFUSED_STREAM`, or a `GOAWAY` before it; RFC 9113, 8.7), or a kept connection that had closed before a byte of
    /// the request was written. It is safe to send it again, also there.
    Unprocessed,
    /// The backend's credential could not be had. Nothing was sent: it is safe to fail over.
    Credential,
    /// The request's own fault: it could not be built, or its body failed. No backend is to blame.
    Request,
}

impl Fault {
    /// What an error of a socket says by itself; `None` if it may have come at any moment.
    ///
    /// For transports over sockets that do not know better. A transport that knows that it was still resolving or
    /// connecting says [`Connect`](Fault::Connect) whatever the error, or [`ConnectTimeout`](Fault::ConnectTimeout) if it
    /// waited too long. Where this says nothing, the request may have gone out: [`Reset`](Fault::Reset).
    ///
    /// | the error | the fault |
    /// | --- | --- |
    /// | connection refused; a name that was not resolved | `Connect` |
    /// | timed out | `Timeout` |
    /// | anything else | `None` |
    ///
    /// ```
    /// use std::io::{Error, ErrorKind};
    /// use lb_core::Fault;
    ///
    /// let fault = |error: &Error| Fault::of_io(error).unwrap_or(Fault::Reset);
    /// assert_eq!(fault(&ErrorKind::ConnectionRefused.into()), Fault::Connect);
    /// assert_eq!(fault(&ErrorKind::BrokenPipe.into()), Fault::Reset);
    /// ```
    #[must_use]
    pub fn of_io(error: &io::Error) -> Option<Self> {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Some(Self::Connect),
            io::ErrorKind::TimedOut => Some(Self::Timeout),
            _ if is_of_name_resolution(error) => Some(Self::Connect),
            _ => None,
        }
    }

    /// The fault in a word or two, for logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::ConnectTimeout => "connect timeout",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Unprocessed => "unprocessed",
            Self::Credential => "credential",
            Self::Request => "request",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether std could not resolve a name. Its error has no kind for that: on Unix it is known by its text only, on Windows by
/// its number (`WSAHOST_NOT_FOUND` to `WSANO_DATA`).
fn is_of_name_resolution(error: &io::Error) -> bool {
    match error.raw_os_error() {
        Some(number) => cfg!(windows) && (11_001..=11_004).contains(&number),
        None => error.to_string().starts_with("failed to lookup address information"),
    }
}

#[cfg(test)]
mod tests {
    use std::net::ToSocketAddrs;

    use super::*;

    #[test]
    fn what_a_socket_says_by_itself() {
        for (kind, expected) in [
            (io::ErrorKind::ConnectionRefused, Some(Fault::Connect)),
            (io::ErrorKind::TimedOut, Some(Fault::Timeout)),
            // An unreachable network can be told of a connection that there was.
            (io::ErrorKind::HostUnreachable, None),
            (io::ErrorKind::ConnectionReset, None),
            (io::ErrorKind::BrokenPipe, None),
            (io::ErrorKind::Other, None),
        ] {
            assert_eq!(Fault::of_io(&kind.into()), expected, "{kind}");
        }
    }

    #[test]
    fn a_name_that_std_cannot_resolve_is_a_connect_fault() {
        // Longer than a name can be, so that nobody is asked.
        let name = format!("{}.invalid", "x".repeat(64));
        let error = (name.as_str(), 80).to_socket_addrs().unwrap_err();
        assert_eq!(Fault::of_io(&error), Some(Fault::Connect), "{error:?}");
    }
}
