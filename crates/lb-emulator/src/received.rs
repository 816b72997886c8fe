use std::{fmt, time::Instant};

use bytes::Bytes;
use http::{HeaderMap, Method, Uri, Version};

/// Headers that carry secrets; [`Received`] never prints their values.
const SECRET: [&str; 6] =
    ["api-key", "authorization", "cookie", "ocp-apim-subscription-key", "proxy-authorization", "x-api-key"];

/// A request as the emulator received it, and how its answer went.
///
/// Recorded when its body has arrived whole, in that order. `Debug` shows neither credentials nor the query nor the
/// body.
#[derive(Clone)]
pub struct Received {
    pub(crate) number: u64,
    pub(crate) connection: u64,
    pub(crate) arrived: Instant,
    pub(crate) version: Version,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) status: Option<u16>,
    pub(crate) body_sent: Option<Instant>,
    pub(crate) client_left: bool,
}

impl Received {
    /// The request's number, from 1, in the order of arrival.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The number of the TCP connection it came on, from 1, in the order of acceptance.
    pub fn connection(&self) -> u64 {
        self.connection
    }

    /// When the request's head had arrived.
    pub fn arrived(&self) -> Instant {
        self.arrived
    }

    /// The version of HTTP: 1.0, 1.1 or 2.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The host and port that the request names: `:authority` in HTTP/2, `Host` before.
    pub fn authority(&self) -> Option<&str> {
        self.uri.authority().map(http::uri::Authority::as_str).or_else(|| self.header("host"))
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path, without the query, as it was sent.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// The query, without the question mark.
    pub fn query(&self) -> Option<&str> {
        self.uri.query()
    }

    /// The value of the first query parameter of that name, as it was sent.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let pairs = self.query()?.split('&').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find_map(|(key, value)| (key == name).then_some(value))
    }

    /// Path and query as they were sent.
    pub fn path_and_query(&self) -> &str {
        self.uri.path_and_query().map_or("", http::uri::PathAndQuery::as_str)
    }

    /// All headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The first value of a header; `None` if there is none or it is not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body's bytes.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The status that was answered; `None` if no head was sent (yet).
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// When the last byte of the answer was handed to the operating system; `None` if it was not (yet).
    pub fn body_sent(&self) -> Option<Instant> {
        self.body_sent
    }

    /// Whether the client closed the connection, or reset the stream, before it had the whole answer.
    pub fn client_left(&self) -> bool {
        self.client_left
    }
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("number", &self.number)
            .field("connection", &self.connection)
            .field("version", &self.version)
            .field("method", &self.method)
            .field("path", &self.path())
            .field("headers", &Redacted(&self.headers))
            .field("body_bytes", &self.body.len())
            .field("status", &self.status)
            .field("body_sent", &self.body_sent.is_some())
            .field("client_left", &self.client_left)
            .finish_non_exhaustive()
    }
}

struct Redacted<'a>(&'a HeaderMap);

impl fmt::Debug for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (name, value) in self.0 {
            if SECRET.contains(&name.as_str()) {
                map.entry(name, &"redacted");
            } else {
                map.entry(name, value);
            }
        }
        map.finish()
    }
}
