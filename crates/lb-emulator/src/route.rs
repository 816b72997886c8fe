//! Paths of the API.

use http::Method;

use crate::prompt::Operation;

/// Where a request wants to go.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Route<'a> {
    pub(crate) endpoint: Endpoint,
    /// `None`: the body's `model` says it.
    pub(crate) deployment: Option<&'a str>,
    /// Whether the query must name an `api-version`: everywhere but under `/openai/v1`.
    pub(crate) has_versions: bool,
}

/// What there is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// A model is asked.
    Model(Operation),
}

impl<'a> Route<'a> {
    /// The route of a path; `None` if there is nothing.
    pub(crate) fn of(prefix: &str, path: &'a str) -> Option<Self> {
        let path = path.strip_prefix(prefix)?.strip_prefix("/openai/")?;
        let (deployment, rest) = match path.strip_prefix("deployments/") {
            Some(rest) => {
                let (deployment, rest) = rest.split_once('/')?;
                (Some(deployment), rest)
            }
            None => (None, path.strip_prefix("v1/")?),
        };
        let endpoint = match rest {
            "chat/completions" => Endpoint::Model(Operation::Chat),
            "embeddings" => Endpoint::Model(Operation::Embeddings),
            _ => return None,
        };
        Some(Self { endpoint, deployment, has_versions: deployment.is_some() })
    }

    /// The operation that a refusal of this path names.
    pub(crate) fn operation(&self) -> Operation {
        match self.endpoint {
            Endpoint::Model(operation) => operation,
        }
    }
}

impl Endpoint {
    /// The methods that it has.
    pub(crate) fn methods(self) -> &'static [Method] {
        match self {
            Self::Model(_) => &[Method::POST],
        }
    }
}
