//! What kind of fault a reqwest error is.

use lb_core::Fault;

/// See the table in the crate's documentation.
pub(crate) fn fault(error: &reqwest::Error) -> Fault {
    if error.is_builder() || error.is_body() {
        Fault::Request
    } else if error.is_connect() || error.is_dns() {
        // Asked before `is_timeout`: a connect timeout is both.
        Fault::Connect
    } else if error.is_timeout() {
        Fault::Timeout
    } else {
        Fault::Reset
    }
}

/// The error without the query of its URL, which can be secret.
pub(crate) fn without_query(mut error: reqwest::Error) -> reqwest::Error {
    if let Some(url) = error.url_mut() {
        url.set_query(None);
        url.set_fragment(None);
    }
    error
}
