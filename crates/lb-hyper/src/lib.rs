//! What an error of [hyper], or of h2 under it, says about a request.
//!
//! A part of lb-reqwest and lb-tower, whose clients stand on hyper, and of use to a transport of yours that does:
//!
//! ```
//! use std::error::Error;
//!
//! use lb_core::Fault;
//! use lb_hyper::{causes, known};
//!
//! fn fault(error: &(dyn Error + 'static)) -> Fault {
//!     // When in doubt, the request may have gone out.
//!     causes(error).find_map(known).unwrap_or(Fault::Reset)
//! }
//! ```
//!
//! | the error | the fault | because |
//! | --- | --- | --- |
//! | h2: the server reset the stream with `REFUSED_STREAM` | `Unprocessed` | RFC 9113, 8.7: none of it was processed |
//! | h2: the server's `GOAWAY`, with a last stream below this one | `Unprocessed` | the same |
//! | hyper: `is_canceled` | `Unprocessed` | the connection closed before hyper took the request from its queue |
//! | hyper: `is_user` | `Request` | the request's body failed, or the request is not valid |
//! | hyper: `is_timeout` | `Timeout` | no answer to HTTP/2's pings, for one |
//! | `io::Error` | see [`Fault::of_io`] | |
//!
//! h2's errors are known with the feature `http2`.
//!
//! Minimum Rust version: 1.85.
#![cfg_attr(docsrs, feature(doc_cfg))]

use std::{error::Error, io, iter::successors};

use lb_core::Fault;

/// An error and its causes, from the outside in, also those that are inside of an [`io::Error`].
pub fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    successors(Some(error), |error| cause(*error))
}

fn cause<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    // An `io::Error` prints the error inside as its own, and gives that one's cause as its cause.
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inside) => Some(inside),
        None => error.source(),
    }
}

/// What this error says by itself, without its causes; `None` if it is not known, or leaves it to them.
#[must_use]
pub fn known(error: &(dyn Error + 'static)) -> Option<Fault> {
    #[cfg(feature = "http2")]
    if let Some(error) = error.downcast_ref::<h2::Error>() {
        return if is_unprocessed(error) { Some(Fault::Unprocessed) } else { error.get_io().and_then(Fault::of_io) };
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        return if error.is_canceled() {
            Some(Fault::Unprocessed)
        } else if error.is_user() {
            Some(Fault::Request)
        } else if error.is_timeout() {
            Some(Fault::Timeout)
        } else {
            None
        };
    }
    error.downcast_ref::<io::Error>().and_then(Fault::of_io)
}

/// Whether the server says that it did not process the stream.
#[cfg(feature = "http2")]
fn is_unprocessed(error: &h2::Error) -> bool {
    // h2 gives the server's GOAWAY to the streams above its last one, and to those that were not opened any more.
    let is_refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
    error.is_remote() && (is_refused || error.is_go_away())
}

/// The example of README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
