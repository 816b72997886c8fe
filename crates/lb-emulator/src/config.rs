use std::{collections::BTreeSet, time::Duration};

use http::HeaderMap;
use lb_limits::HintForm;

#[cfg(feature = "tls")]
use crate::tls::Tls;

/// What an emulator is, fixed at its start.
pub(crate) struct Config {
    pub(crate) name: String,
    pub(crate) region: String,
    /// Empty, or starts with `/` and does not end with it.
    pub(crate) path_prefix: String,
    /// Empty: all are accepted.
    pub(crate) keys: BTreeSet<String>,
    /// Empty: all exist.
    pub(crate) deployments: BTreeSet<String>,
    pub(crate) latency: Duration,
    pub(crate) event_interval: Duration,
    pub(crate) hint: HintForm,
    pub(crate) completion_tokens: u64,
    pub(crate) content_filter: bool,
    /// What HTTP/2's settings announce; `None`: no limit.
    #[cfg(feature = "http2")]
    pub(crate) max_concurrent_streams: Option<u32>,
    pub(crate) http1_only: bool,
    /// `None`: plain text.
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Tls>,
}

impl Config {
    /// Whether the request carries an accepted key, as `api-key` or as a bearer token.
    pub(crate) fn accepts(&self, headers: &HeaderMap) -> bool {
        if self.keys.is_empty() {
            return true;
        }
        let text = |name| headers.get(name)?.to_str().ok();
        let bearer = text("authorization").and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token)
        });
        [text("api-key"), bearer].into_iter().flatten().any(|key| self.keys.contains(key))
    }

    pub(crate) fn has_deployment(&self, name: &str) -> bool {
        self.deployments.is_empty() || self.deployments.contains(name)
    }

    /// Whether HTTP/2 is spoken beside HTTP/1.1.
    #[cfg(any(feature = "http2", feature = "tls"))]
    pub(crate) fn speaks_http2(&self) -> bool {
        cfg!(feature = "http2") && !self.http1_only
    }

    /// `http` or `https`.
    pub(crate) fn scheme(&self) -> &'static str {
        #[cfg(feature = "tls")]
        if self.tls.is_some() {
            return "https";
        }
        "http"
    }
}
