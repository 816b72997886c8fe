//! Paths of the API.

use http::Method;

use crate::prompt::Operation;

/// Where a request wants to go.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Route<'a> {
    pub(crate) endpoint: Endpoint<'a>,
    /// `None`: the body's `model` says it.
    pub(crate) deployment: Option<&'a str>,
    /// Whether the query must name an `api-version`: everywhere but under `/openai/v1`.
    pub(crate) has_versions: bool,
}

/// What there is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint<'a> {
    /// A model is asked.
    Model(Operation),
    /// The response with this id.
    Response(&'a str),
    Models,
    /// The model with this name.
    OneModel(&'a str),
    Files,
    File(&'a str),
    FileContent(&'a str),
    Batches,
    Batch(&'a str),
    CancelBatch(&'a str),
}

impl<'a> Route<'a> {
    /// The route of a path; `None` if there is nothing.
    pub(crate) fn of(prefix: &str, path: &'a str) -> Option<Self> {
        let path = path.strip_prefix(prefix)?.strip_prefix("/openai/")?;
        if let Some(rest) = path.strip_prefix("deployments/") {
            let (deployment, rest) = rest.split_once('/')?;
            let endpoint = Endpoint::of_deployment(rest)?;
            return Some(Self { endpoint, deployment: Some(deployment), has_versions: true });
        }
        let (endpoint, has_versions) = match path.strip_prefix("v1/") {
            Some(rest) => (Endpoint::of_deployment(rest).or_else(|| Endpoint::of_resource(rest))?, false),
            None => (Endpoint::of_resource(path)?, true),
        };
        Some(Self { endpoint, deployment: None, has_versions })
    }

    /// The operation that a refusal of this path names; the service counts requests to models only.
    pub(crate) fn operation(&self) -> Operation {
        match self.endpoint {
            Endpoint::Model(operation) => operation,
            _ => Operation::Chat,
        }
    }
}

impl<'a> Endpoint<'a> {
    /// What there is of one deployment.
    fn of_deployment(path: &str) -> Option<Self> {
        match path {
            "chat/completions" => Some(Self::Model(Operation::Chat)),
            "embeddings" => Some(Self::Model(Operation::Embeddings)),
            _ => None,
        }
    }

    /// What there is of the whole resource.
    fn of_resource(path: &'a str) -> Option<Self> {
        let segments: Vec<_> = path.split('/').collect();
        match segments[..] {
            ["responses"] => Some(Self::Model(Operation::Responses)),
            ["responses", id] => Some(Self::Response(id)),
            ["files"] => Some(Self::Files),
            ["files", id] => Some(Self::File(id)),
            ["files", id, "content"] => Some(Self::FileContent(id)),
            ["batches"] => Some(Self::Batches),
            ["batches", id] => Some(Self::Batch(id)),
            ["batches", id, "cancel"] => Some(Self::CancelBatch(id)),
            ["models"] => Some(Self::Models),
            ["models", name] => Some(Self::OneModel(name)),
            _ => None,
        }
    }

    /// The methods that it has.
    pub(crate) fn methods(self) -> &'static [Method] {
        match self {
            Self::Model(_) | Self::CancelBatch(_) => &[Method::POST],
            Self::Files | Self::Batches => &[Method::GET, Method::POST],
            Self::Response(_) | Self::File(_) => &[Method::GET, Method::DELETE],
            Self::Models | Self::OneModel(_) | Self::FileContent(_) | Self::Batch(_) => &[Method::GET],
        }
    }
}
