//! What kind of fault an error of an HTTP client is.

use std::{error::Error as StdError, io::Error as IoError, iter::successors};

use azure_core::{Error as AzureError, error::ErrorKind};
use lb_core::Fault;

/// What kind of fault an error of an [`HttpClient`](azure_core::http::HttpClient) is, as the balancer sees it; the table in
/// the [crate's documentation](crate#what-counts-as-which-fault) says which.
#[must_use]
pub fn fault(error: &AzureError) -> Fault {
    let first: Option<&(dyn StdError + 'static)> = error.source();
    let cause = successors(first, |&cause| cause.source()).find_map(of_cause);
    match (error.kind(), cause) {
        (ErrorKind::Connection, Some(Fault::ConnectTimeout | Fault::Timeout)) => Fault::ConnectTimeout,
        (ErrorKind::Connection, _) => Fault::Connect,
        (_, cause) => cause.unwrap_or(Fault::Reset),
    }
}

/// What one cause says; `None` if it is of no known kind.
fn of_cause(cause: &(dyn StdError + 'static)) -> Option<Fault> {
    #[cfg(feature = "reqwest")]
    if let Some(error) = cause.downcast_ref::<reqwest::Error>() {
        return Some(lb_reqwest::fault(error));
    }
    cause.downcast_ref::<IoError>().and_then(Fault::of_io)
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind as IoErrorKind;

    use super::*;

    #[test]
    fn the_kind_and_then_the_causes_tell_what_happened() {
        let io = |kind: IoErrorKind| AzureError::new(ErrorKind::Io, IoError::from(kind));
        for (error, expected) in [
            (AzureError::with_message(ErrorKind::Connection, "refused"), Fault::Connect),
            (AzureError::new(ErrorKind::Connection, IoError::from(IoErrorKind::ConnectionReset)), Fault::Connect),
            (AzureError::new(ErrorKind::Connection, IoError::from(IoErrorKind::TimedOut)), Fault::ConnectTimeout),
            (io(IoErrorKind::ConnectionRefused), Fault::Connect),
            (io(IoErrorKind::TimedOut), Fault::Timeout),
            (io(IoErrorKind::TimedOut).with_context("while waiting"), Fault::Timeout),
            (io(IoErrorKind::ConnectionReset), Fault::Reset),
            (AzureError::with_message(ErrorKind::Io, "nobody knows"), Fault::Reset),
            (AzureError::with_message(ErrorKind::Other, "nobody knows"), Fault::Reset),
        ] {
            assert_eq!(fault(&error), expected, "{error:?}");
        }
    }
}
