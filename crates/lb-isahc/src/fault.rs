//! What kind of fault an isahc error is.

use isahc::error::ErrorKind;
use lb_core::Fault;

use crate::mark::Mark;

/// See the table in the crate's documentation.
pub(crate) fn fault(error: &isahc::Error) -> Fault {
    // Asked first: isahc gives the error of a body the kind of its `io::Error`, such as `ConnectionFailed`.
    if let Some(fault) = Mark::fault_of(error) {
        return fault;
    }
    match error.kind() {
        ErrorKind::ConnectionFailed | ErrorKind::NameResolution | ErrorKind::BadServerCertificate => Fault::Connect,
        // No peer address: it was never connected.
        ErrorKind::Timeout if error.remote_addr().is_none() => Fault::ConnectTimeout,
        ErrorKind::Timeout => Fault::Timeout,
        ErrorKind::InvalidRequest
        | ErrorKind::ClientInitialization
        | ErrorKind::InvalidTlsConfiguration
        | ErrorKind::BadClientCertificate
        | ErrorKind::TlsEngine => Fault::Request,
        _ => Fault::Reset,
    }
}
