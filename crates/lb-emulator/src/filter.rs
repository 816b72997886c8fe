//! What Azure's content filter adds to answers, where it finds nothing.

use serde_json::{Value, json};

/// The results for a part of an answer.
pub(crate) fn results() -> Value {
    let safe = json!({ "filtered": false, "severity": "safe" });
    json!({ "hate": safe, "self_harm": safe, "sexual": safe, "violence": safe })
}

/// The results for the prompt.
pub(crate) fn prompt_results() -> Value {
    let mut results = results();
    results["jailbreak"] = json!({ "filtered": false, "detected": false });
    json!([{ "prompt_index": 0, "content_filter_results": results }])
}
