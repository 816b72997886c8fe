//! Requests that are refused for what they are: status and body.
//!
//! Texts are those of the live service, as quoted in Microsoft Learn and in public issues.

use http::{Method, StatusCode};
use lb_limits::Unit;
use serde_json::{Value, json};

use crate::prompt::Operation;

/// A refusal that is written as status and JSON.
#[derive(Debug, PartialEq)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
    /// What would have been allowed, where the method is not.
    pub(crate) allow: Option<String>,
}

impl Problem {
    /// As the gateway in front of the models writes it.
    fn gateway(status: StatusCode, code: &str, message: &str) -> Self {
        Self { status, body: json!({ "error": { "code": code, "message": message } }), allow: None }
    }

    /// As the models' own front writes it.
    pub(crate) fn invalid(message: &str, param: Option<&str>, code: Option<&str>) -> Self {
        let error = json!({ "message": message, "type": "invalid_request_error", "param": param, "code": code });
        Self { status: StatusCode::BAD_REQUEST, body: json!({ "error": error }), allow: None }
    }

    /// Something with an id is not here: it never was, was made elsewhere, or is forgotten.
    pub(crate) fn not_found(message: &str) -> Self {
        Self { status: StatusCode::NOT_FOUND, ..Self::invalid(message, None, None) }
    }

    /// A file or a batch is not here; `notFound` is the documented code.
    pub(crate) fn unknown_object(message: &str) -> Self {
        Self::gateway(StatusCode::NOT_FOUND, "notFound", message)
    }

    /// What is asked for does not go together with how things stand.
    pub(crate) fn conflict(message: &str) -> Self {
        Self::gateway(StatusCode::CONFLICT, "conflict", message)
    }

    pub(crate) fn message(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap_or_default()
    }

    pub(crate) fn access_denied() -> Self {
        Self::gateway(
            StatusCode::UNAUTHORIZED,
            "401",
            "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key \
             for an active subscription and use a correct regional API endpoint for your resource.",
        )
    }

    pub(crate) fn deployment_not_found() -> Self {
        Self::gateway(
            StatusCode::NOT_FOUND,
            "DeploymentNotFound",
            "The API deployment for this resource does not exist. If you created the deployment within the last 5 \
             minutes, please wait a moment and try again.",
        )
    }

    pub(crate) fn resource_not_found() -> Self {
        Self::gateway(StatusCode::NOT_FOUND, "404", "Resource not found")
    }

    pub(crate) fn method_not_allowed(methods: &[Method]) -> Self {
        let allow = methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
        let message = format!("The method is not allowed here; use {allow}.");
        Self { allow: Some(allow), ..Self::gateway(StatusCode::METHOD_NOT_ALLOWED, "405", &message) }
    }

    pub(crate) fn too_large() -> Self {
        let message = "The request body is larger than the emulator reads.";
        Self::gateway(StatusCode::PAYLOAD_TOO_LARGE, "413", message)
    }

    pub(crate) fn invalid_script(reason: &str) -> Self {
        let message = format!("The scripted reply is not valid: {reason}.");
        Self::gateway(StatusCode::INTERNAL_SERVER_ERROR, "500", &message)
    }

    /// A 429; `seconds` as in the hint, rounded up.
    pub(crate) fn throttled(operation: Operation, unit: Unit, seconds: u64) -> Self {
        let operation = operation.name();
        let limit = match unit {
            Unit::Requests => "call",
            Unit::Tokens => "token",
        };
        let message = format!(
            "Requests to the {operation} Operation under Azure OpenAI API have exceeded {limit} rate limit of your \
             current OpenAI S0 pricing tier. Please retry after {seconds} seconds. Please go here: \
             https://aka.ms/oai/quotaincrease if you would like to further increase the default rate limit."
        );
        Self::gateway(StatusCode::TOO_MANY_REQUESTS, "429", &message)
    }
}
