//! Lists that are given page by page.

use serde_json::{Value, json};

use crate::received::Received;

/// The page of a list that the query's `after` and `limit` ask for. `items` have ids, newest first; `most` is the page
/// that is given without a limit.
pub(crate) fn page(items: impl Iterator<Item = Value>, request: &Received, most: usize) -> Value {
    let limit = request.parameter("limit").and_then(|limit| limit.parse().ok()).unwrap_or(most);
    let mut rest: Box<dyn Iterator<Item = Value>> = Box::new(items);
    if let Some(after) = request.parameter("after") {
        rest = Box::new(rest.skip_while(move |item| item["id"] != *after).skip(1));
    }
    let data: Vec<Value> = rest.by_ref().take(limit).collect();
    let id = |item: Option<&Value>| item.map_or(Value::Null, |item| item["id"].clone());
    json!({
        "object": "list",
        "first_id": id(data.first()),
        "last_id": id(data.last()),
        "has_more": rest.next().is_some(),
        "data": data,
    })
}
