//! What kind of fault a reqwest error is.

use lb_core::Fault;
use lb_hyper::{causes, known};

/// What kind of fault an error of reqwest is; the [crate's documentation](crate#what-counts-as-which-fault) has the table.
///
/// For transports over reqwest that are none of this crate's.
#[must_use]
pub fn fault(error: &reqwest::Error) -> Fault {
    if error.is_builder() {
        Fault::Request
    } else if error.is_connect() || error.is_dns() {
        // Asked before `is_timeout` alone: a connect timeout is both.
        if error.is_timeout() { Fault::ConnectTimeout } else { Fault::Connect }
    } else if let Some(fault) = causes(error).find_map(known) {
        fault
    } else if error.is_timeout() {
        Fault::Timeout
    } else if error.is_body() {
        Fault::Request
    } else {
        Fault::Reset
    }
}

/// The error without the query of its URL, which can be secret.
pub(crate) fn without_query(mut error: reqwest::Error) -> reqwest::Error {
    remove_query(&mut error);
    error
}

/// Takes the query out of the URL of an error, where it has one: it can be secret.
pub fn remove_query(error: &mut reqwest::Error) {
    if let Some(url) = error.url_mut() {
        url.set_query(None);
        url.set_fragment(None);
    }
}
