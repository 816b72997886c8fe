//! Files: what batches read and write.

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::{
    openai::unix_seconds,
    page::page,
    problem::Problem,
    received::Received,
    store::{File, Store},
    upload::Upload,
};

/// Files on a page, if the request does not say; the live service has up to 10,000 on one.
const PAGE: usize = 10_000;

/// Keeps an uploaded file, and tells about it as JSON.
pub(crate) async fn create(store: &Store, request: &Received) -> Result<Bytes, Problem> {
    let Upload { name, purpose, content } = Upload::read(&request.headers, request.body.clone()).await?;
    let file = File { name, purpose, created: unix_seconds(), content };
    let id = store.file_id(request.number, 0);
    let shown = show(&id, &file);
    store.with(|shelves| shelves.files.insert(id, file.content.len(), file));
    Ok(shown.to_string().into())
}

/// The latest files, as JSON; of one `purpose` if the query has that.
pub(crate) fn list(store: &Store, request: &Received) -> Bytes {
    let purpose = request.parameter("purpose");
    store.with(|shelves| {
        let files =
            shelves.files.newest_first().filter(|(_, file)| purpose.is_none_or(|wanted| file.purpose == wanted));
        page(files.map(|(id, file)| show(id, file)), request, PAGE).to_string().into()
    })
}

/// What a request for one file gets, as JSON.
pub(crate) fn answer(store: &Store, method: &Method, id: &str) -> Result<Bytes, Problem> {
    let shown = store.with(|shelves| match *method {
        Method::DELETE => {
            let deleted = || json!({ "id": id, "object": "file", "deleted": true });
            shelves.files.remove(id).then(deleted)
        }
        _ => shelves.files.get(id).map(|file| show(id, file)),
    });
    shown.map(|shown| shown.to_string().into()).ok_or_else(|| unknown(id))
}

/// The bytes of a file.
pub(crate) fn content(store: &Store, id: &str) -> Result<Bytes, Problem> {
    store.with(|shelves| shelves.files.get(id).map(|file| file.content.clone())).ok_or_else(|| unknown(id))
}

fn unknown(id: &str) -> Problem {
    Problem::unknown_object(&format!("The file '{id}' does not exist in this resource."))
}

fn show(id: &str, file: &File) -> Value {
    json!({
        "id": id,
        "object": "file",
        "bytes": file.content.len(),
        "created_at": file.created,
        "filename": file.name,
        "purpose": file.purpose,
        "status": "processed",
    })
}
