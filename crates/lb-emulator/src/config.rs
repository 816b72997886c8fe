use std::{collections::BTreeSet, time::Duration};

use http::HeaderMap;
use lb_limits::HintForm;

use crate::openai::Operation;

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
}

/// Where a request wants to go.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Route<'a> {
    pub(crate) operation: Operation,
    /// `None`: the body's `model` says it.
    pub(crate) deployment: Option<&'a str>,
}

impl Config {
    /// The route of a path; `None` if there is nothing.
    pub(crate) fn route<'a>(&self, path: &'a str) -> Option<Route<'a>> {
        let path = path.strip_prefix(self.path_prefix.as_str())?;
        let path = path.strip_prefix("/openai/")?;
        let (deployment, operation) = match path.strip_prefix("deployments/") {
            Some(rest) => {
                let (deployment, operation) = rest.split_once('/')?;
                (Some(deployment), operation)
            }
            None => (None, path.strip_prefix("v1/")?),
        };
        let operation = match operation {
            "chat/completions" => Operation::Chat,
            "embeddings" => Operation::Embeddings,
            _ => return None,
        };
        Some(Route { operation, deployment })
    }

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
}
