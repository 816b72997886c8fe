//! Batches: files of requests, answered into other files.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::{
    batch::{Batch, BatchStatus},
    config::Config,
    fields::{Fields, unknown_value},
    openai::{Completion, unix_seconds},
    page::page,
    problem::Problem,
    prompt::{Operation, Prompt},
    received::Received,
    responses,
    store::{File, Shelf, Shelves, Store},
};

/// Batches on a page, if the request does not say.
const PAGE: usize = 20;

/// Requests of a batch at most, as documented.
const MOST_REQUESTS: usize = 100_000;

/// Bytes of answers at most: what one file may be.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// Begins a batch, and tells about it as JSON.
pub(crate) fn create(store: &Store, request: &Received) -> Result<Bytes, Problem> {
    let fields = Fields::parse(&request.body)?;
    let input = fields.required_text("input_file_id")?.to_owned();
    let endpoint = fields.required_text("endpoint")?.to_owned();
    if operation(&endpoint).is_none() {
        let supported = "'/chat/completions', '/embeddings', '/responses' and the same after '/v1'";
        return Err(unknown_value("endpoint", &endpoint, supported));
    }
    let window = fields.required_text("completion_window")?;
    if window != "24h" {
        return Err(unknown_value("completion_window", window, "'24h'"));
    }
    let id = store.uuid("batch_", request.number);
    let metadata = fields.get("metadata").cloned().unwrap_or_default();
    store.with(|shelves| {
        if shelves.files.get(&input).is_none() {
            let message = format!("The input file '{input}' does not exist in this resource.");
            return Err(Problem::invalid(&message, Some("input_file_id"), Some("invalid_value")));
        }
        let batch = Batch::new(input, endpoint, metadata, unix_seconds());
        let shown = batch.show(&id);
        shelves.batches.insert(id, request.body.len(), batch);
        Ok(shown.to_string().into())
    })
}

/// The latest batches, as JSON.
pub(crate) fn list(store: &Store, request: &Received) -> Bytes {
    store.with(|shelves| {
        let batches = shelves.batches.newest_first().map(|(id, batch)| batch.show(id));
        page(batches, request, PAGE).to_string().into()
    })
}

/// What a request for one batch gets, as JSON. Each takes the batch a step further, so that its course depends on how
/// often it is looked at and not on time.
pub(crate) fn step(store: &Store, config: &Config, request: &Received, id: &str) -> Result<Bytes, Problem> {
    store.with(|Shelves { batches, files, .. }| {
        let batch = batches.get_mut(id).ok_or_else(|| unknown(id))?;
        match batch.status() {
            BatchStatus::Validating => batch.advance(BatchStatus::InProgress, unix_seconds()),
            BatchStatus::InProgress => {
                let ids = [0, 1].map(|index| store.file_id(request.number, index));
                finish(batch, files, config, request.number, ids);
            }
            BatchStatus::Cancelling => batch.advance(BatchStatus::Cancelled, unix_seconds()),
            BatchStatus::Completed | BatchStatus::Failed | BatchStatus::Cancelled => {}
        }
        Ok(batch.show(id).to_string().into())
    })
}

/// Cancels a batch that is not done.
pub(crate) fn cancel(store: &Store, id: &str) -> Result<Bytes, Problem> {
    store.with(|shelves| {
        let batch = shelves.batches.get_mut(id).ok_or_else(|| unknown(id))?;
        if !batch.status().is_open() {
            let message = format!("Cannot cancel a batch with status '{}'.", batch.status().name());
            return Err(Problem::conflict(&message));
        }
        batch.advance(BatchStatus::Cancelling, unix_seconds());
        Ok(batch.show(id).to_string().into())
    })
}

fn unknown(id: &str) -> Problem {
    Problem::unknown_object(&format!("The batch '{id}' does not exist in this resource."))
}

/// What the requests of a batch to this endpoint ask for.
fn operation(endpoint: &str) -> Option<Operation> {
    match endpoint.strip_prefix("/v1").unwrap_or(endpoint) {
        "/chat/completions" => Some(Operation::Chat),
        "/embeddings" => Some(Operation::Embeddings),
        "/responses" => Some(Operation::Responses),
        _ => None,
    }
}

fn finish(batch: &mut Batch, files: &mut Shelf<File>, config: &Config, number: u64, ids: [String; 2]) {
    let input = files.get(&batch.input).map(|file| file.content.clone());
    let answers = match &input {
        Some(input) => Answers::to(input, &batch.endpoint, config, number),
        None => Err(error("invalid_request", "The input file does not exist any more.", None)),
    };
    let answers = match answers {
        Ok(answers) => answers,
        Err(error) => {
            batch.failure = Some(error);
            return batch.advance(BatchStatus::Failed, unix_seconds());
        }
    };
    (batch.completed, batch.failed) = (answers.completed, answers.failed);
    let [output, errors] = ids;
    let mut write = |id: String, name: &str, lines: Vec<u8>| {
        if lines.is_empty() {
            return None;
        }
        let content = Bytes::from(lines);
        let file = File { name: name.to_owned(), purpose: "batch_output".to_owned(), created: unix_seconds(), content };
        files.insert(id.clone(), file.content.len(), file);
        Some(id)
    };
    batch.output = write(output, "output.jsonl", answers.output);
    batch.errors = write(errors, "error.jsonl", answers.errors);
    batch.advance(BatchStatus::Completed, unix_seconds());
}

/// The lines that a batch writes.
struct Answers {
    most_bytes: usize,
    output: Vec<u8>,
    errors: Vec<u8>,
    completed: u64,
    failed: u64,
}

impl Answers {
    fn new(most_bytes: usize) -> Self {
        Self { most_bytes, output: Vec::new(), errors: Vec::new(), completed: 0, failed: 0 }
    }

    /// Answers each line of `input`, or says why the batch fails as a whole.
    fn to(input: &[u8], endpoint: &str, config: &Config, number: u64) -> Result<Self, Value> {
        let lines = input.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
        if lines.clone().nth(MOST_REQUESTS).is_some() {
            return Err(error("too_many_tasks", "The batch has more than 100,000 requests.", None));
        }
        let mut answers = Self::new(MOST_BYTES);
        for (index, line) in lines.enumerate() {
            let at = Some(index + 1);
            let request = Fields::parse(line)
                .map_err(|_| error("invalid_json_line", "A line is not valid JSON of a request.", at))?;
            let id = format!("{}-{number}-{}", config.name, index + 1);
            let (status, body) = match answer(&request, endpoint, config, id) {
                Ok(body) => (200, body),
                Err(problem) => (problem.status.as_u16(), problem.body),
            };
            answers.push(&request, status, &body, format!("{number}-{}", index + 1))?;
        }
        if answers.completed + answers.failed == 0 {
            return Err(error("empty_batch", "The input file has no requests.", None));
        }
        Ok(answers)
    }

    /// Adds an answer, unless there is no room for it.
    fn push(&mut self, request: &Fields, status: u16, body: &Value, id: String) -> Result<(), Value> {
        let line = json!({
            "custom_id": request.get("custom_id"),
            "response": { "status_code": status, "request_id": id, "body": body },
            "error": null,
        });
        let (file, count) = match status {
            200 => (&mut self.output, &mut self.completed),
            _ => (&mut self.errors, &mut self.failed),
        };
        file.extend_from_slice(line.to_string().as_bytes());
        file.push(b'\n');
        *count += 1;
        if self.output.len() + self.errors.len() > self.most_bytes {
            return Err(error("token_limit_exceeded", "The answers are larger than the emulator keeps.", None));
        }
        Ok(())
    }
}

/// The body that a request of a batch is answered with.
fn answer(request: &Fields, endpoint: &str, config: &Config, id: String) -> Result<Value, Problem> {
    let url = request.required_text("url")?;
    let operation = operation(url).ok_or_else(|| unknown_value("url", url, endpoint))?;
    if Some(operation) != self::operation(endpoint) {
        return Err(unknown_value("url", url, endpoint));
    }
    let fields = Fields::of("body", request.required("body")?)?;
    let prompt = Prompt::read(operation, &fields)?;
    let model = fields.required_text("model")?;
    if !config.has_deployment(model) {
        return Err(Problem::deployment_not_found());
    }
    let ids = ["resp_", "msg_"].map(|prefix| format!("{prefix}{id}"));
    let completion = Completion::new(config, id, model, &prompt);
    Ok(match operation {
        Operation::Chat => completion.chat(),
        Operation::Embeddings => completion.embeddings(&prompt),
        Operation::Responses => responses::response(&completion, &fields, ids),
    })
}

fn error(code: &str, message: &str, line: Option<usize>) -> Value {
    json!({ "code": code, "message": message, "line": line, "param": null })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_and_refusals_have_to_fit_together() {
        let request = Fields::parse(br#"{"custom_id":"a"}"#).unwrap();
        let mut answers = Answers::new(200);
        assert_eq!(answers.push(&request, 200, &Value::Null, "1".to_owned()), Ok(()));
        assert_eq!(answers.push(&request, 400, &Value::Null, "2".to_owned()), Ok(()));
        assert_eq!((answers.completed, answers.failed), (1, 1));
        let refused = answers.push(&request, 400, &Value::Null, "3".to_owned()).unwrap_err();
        assert_eq!(refused["code"], "token_limit_exceeded");
    }
}
