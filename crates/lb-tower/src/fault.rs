//! What kind of fault an error of a service is.

use std::{error::Error, sync::Arc};

use lb_core::Fault;
use lb_hyper::causes;

/// Says what kind of fault an error is.
pub(crate) type Faults = Arc<dyn Fn(&(dyn Error + 'static)) -> Fault + Send + Sync>;

/// What kind of fault an error is: what the first of it and its causes says that is known, else [`Fault::Reset`].
///
/// See the table in the crate's documentation. It is the default, and what a function of yours can fall back on:
///
/// ```
/// use lb_tower::{Fault, fault};
///
/// fn ours(error: &(dyn std::error::Error + 'static)) -> Fault {
///     if error.to_string() == "circuit open" { Fault::Connect } else { fault(error) }
/// }
/// assert_eq!(ours(&std::io::Error::from(std::io::ErrorKind::TimedOut)), Fault::Timeout);
/// ```
#[must_use]
pub fn fault(error: &(dyn Error + 'static)) -> Fault {
    // When in doubt, the request may have gone out.
    causes(error).find_map(known).unwrap_or(Fault::Reset)
}

fn known(error: &(dyn Error + 'static)) -> Option<Fault> {
    #[cfg(feature = "hyper-util")]
    if let Some(client) = error.downcast_ref::<hyper_util::client::legacy::Error>() {
        return client.is_connect().then(|| match causes(error).skip(1).find_map(known) {
            Some(Fault::Timeout) => Fault::ConnectTimeout,
            _ => Fault::Connect,
        });
    }
    #[cfg(feature = "tower")]
    if error.is::<tower::timeout::error::Elapsed>() {
        return Some(Fault::Timeout);
    }
    #[cfg(feature = "tower")]
    if error.is::<tower::load_shed::error::Overloaded>() {
        return Some(Fault::Request);
    }
    lb_hyper::known(error)
}

#[cfg(test)]
mod tests {
    use std::{fmt, io};

    use super::*;

    #[derive(Debug)]
    struct Wrapped(Box<dyn Error + Send + Sync>);

    impl fmt::Display for Wrapped {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("wrapped")
        }
    }

    impl Error for Wrapped {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(self.0.as_ref())
        }
    }

    fn wrapped(error: impl Into<Box<dyn Error + Send + Sync>>) -> Wrapped {
        Wrapped(Box::new(Wrapped(error.into())))
    }

    #[test]
    fn io_errors_are_found_among_the_causes() {
        for (kind, expected) in [
            (io::ErrorKind::ConnectionRefused, Fault::Connect),
            (io::ErrorKind::TimedOut, Fault::Timeout),
            (io::ErrorKind::ConnectionReset, Fault::Reset),
            (io::ErrorKind::HostUnreachable, Fault::Reset),
        ] {
            assert_eq!(fault(&wrapped(io::Error::from(kind))), expected, "{kind}");
            assert_eq!(fault(&io::Error::other(wrapped(io::Error::from(kind)))), expected, "{kind}");
        }
    }

    #[test]
    fn an_error_that_is_not_known_may_have_come_after_the_request_went_out() {
        assert_eq!(fault(&wrapped("something")), Fault::Reset);
    }

    #[cfg(feature = "tower")]
    #[test]
    fn towers_own_errors_are_known_also_inside_an_io_error() {
        use tower::{load_shed::error::Overloaded, timeout::error::Elapsed};
        assert_eq!(fault(&wrapped(Elapsed::new())), Fault::Timeout);
        assert_eq!(fault(&io::Error::other(Elapsed::new())), Fault::Timeout);
        assert_eq!(fault(&wrapped(Overloaded::new())), Fault::Request);
    }
}
