//! The models of a resource.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::{config::Config, openai::unix_seconds, problem::Problem};

/// All models, as JSON: one for each deployment that was given.
pub(crate) fn list(config: &Config) -> Bytes {
    let models: Vec<Value> = config.deployments.iter().map(|name| model(name)).collect();
    json!({ "object": "list", "data": models }).to_string().into()
}

/// One model, as JSON.
pub(crate) fn find(config: &Config, name: &str) -> Result<Bytes, Problem> {
    if config.has_deployment(name) {
        Ok(model(name).to_string().into())
    } else {
        Err(Problem::not_found(&format!("The model '{name}' does not exist.")))
    }
}

/// With the fields of `/openai/models` and of `/openai/v1/models`: each client looks at its own.
fn model(name: &str) -> Value {
    let now = unix_seconds();
    json!({
        "id": name,
        "object": "model",
        "created": now,
        "created_at": now,
        "owned_by": "system",
        "status": "succeeded",
        "lifecycle_status": "generally-available",
        "capabilities": {
            "chat_completion": true,
            "completion": false,
            "embeddings": true,
            "fine_tune": false,
            "inference": true,
        },
    })
}
