use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use lb_limits::{Unit, whole_seconds};
use serde_json::Value;

use crate::{
    batches,
    config::Config,
    fields::{Fields, missing},
    files, headers, models,
    openai::{self, Completion},
    play::Step,
    problem::Problem,
    prompt::{Operation, Prompt},
    quota::{Refused, Settlement},
    received::Received,
    reply::{Cut, CutAfter, Kind, Reply},
    responses,
    route::{Endpoint, Route},
    shared::Shared,
};

/// What is to be sent for one request, before it is sent.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: Content,
    /// How long the service works on it.
    pub(crate) latency: Duration,
    pub(crate) settlement: Option<Settlement>,
}

#[derive(Debug)]
enum Content {
    Whole(Bytes),
    Events(Vec<Bytes>),
}

impl Answer {
    fn whole(status: StatusCode, body: Bytes) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: Content::Whole(body),
            latency: Duration::ZERO,
            settlement: None,
        }
    }

    pub(crate) fn json(status: StatusCode, body: &Value) -> Self {
        Self { status, ..Self::json_text(body.to_string().into()) }
    }

    /// JSON that is written already.
    pub(crate) fn json_text(body: Bytes) -> Self {
        let mut answer = Self::whole(StatusCode::OK, body);
        let json = HeaderValue::from_static("application/json");
        answer.headers.insert(header::CONTENT_TYPE, json);
        answer
    }

    /// The content of a file.
    fn binary(body: Bytes) -> Self {
        let mut answer = Self::whole(StatusCode::OK, body);
        let binary = HeaderValue::from_static("application/octet-stream");
        answer.headers.insert(header::CONTENT_TYPE, binary);
        answer
    }

    fn events(events: Vec<Bytes>) -> Self {
        let mut answer = Self::whole(StatusCode::OK, Bytes::new());
        let stream = HeaderValue::from_static("text/event-stream; charset=utf-8");
        answer.headers.insert(header::CONTENT_TYPE, stream);
        answer.body = Content::Events(events);
        answer
    }

    fn throttled(config: &Config, operation: Operation, refused: &Refused) -> Self {
        let mut answer = Self::from(Problem::throttled(operation, refused.unit, whole_seconds(refused.wait)));
        headers::write_hint(&mut answer.headers, config.hint, refused.wait);
        answer
    }

    /// The answer that the script or the service gives. `None`: there is no head to send.
    pub(crate) async fn decide(request: &Received, reply: &Reply, shared: &Shared) -> Option<Self> {
        let config = &shared.config;
        let mut answer = match &reply.kind {
            Kind::Headless(_) | Kind::Refused(_) => return None,
            Kind::Serve => Self::served(request, shared).await.unwrap_or_else(Self::from),
            Kind::Status(status, body) => Self::whole(*status, body.clone()),
            Kind::Stream(events) => Self::events(events.clone()),
            Kind::Throttled(wait) => {
                let route = Route::of(&config.path_prefix, request.path());
                let operation = route.map_or(Operation::Chat, |route| route.operation());
                let refused = Refused { unit: Unit::Tokens, wait: *wait };
                let mut answer = Self::throttled(config, operation, &refused);
                headers::write_limits(&mut answer.headers, config.hint, &[], Some(&refused));
                answer
            }
            Kind::ThrottledStream(wait) => {
                let operation = Route::of(&config.path_prefix, request.path()).map(|route| route.operation());
                let events = match operation {
                    Some(operation @ Operation::Chat) => {
                        openai::refused(&Problem::throttled(operation, Unit::Tokens, whole_seconds(*wait)))
                    }
                    _ => {
                        let problem = Problem::throttled(Operation::Responses, Unit::Tokens, whole_seconds(*wait));
                        let id = shared.store.long_id("resp_", request.number);
                        responses::refused(&id, problem.message())
                    }
                };
                let mut answer = Self::events(events);
                headers::write_hint(&mut answer.headers, config.hint, *wait);
                answer
            }
            Kind::Invalid(reason) => Problem::invalid_script(reason).into(),
        };
        let bodiless = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED];
        if request.method == Method::HEAD || bodiless.contains(&answer.status) {
            answer.body = Content::Whole(Bytes::new());
        }
        Some(answer)
    }

    async fn served(request: &Received, shared: &Shared) -> Result<Self, Problem> {
        let config = &shared.config;
        let route = Route::of(&config.path_prefix, request.path()).ok_or_else(Problem::resource_not_found)?;
        if route.has_versions && request.parameter("api-version").is_none_or(str::is_empty) {
            // The gateway looks for the version's own description of the path, and there is none.
            return Err(Problem::resource_not_found());
        }
        let methods = route.endpoint.methods();
        if !methods.contains(&request.method) {
            return Err(Problem::method_not_allowed(methods));
        }
        if !config.accepts(&request.headers) {
            return Err(Problem::access_denied());
        }
        if route.deployment.is_some_and(|name| !config.has_deployment(name)) {
            return Err(Problem::deployment_not_found());
        }
        match route.endpoint {
            Endpoint::Model(operation) => Self::asked(request, shared, operation, route.deployment),
            Endpoint::Models => Ok(Self::json_text(models::list(config))),
            Endpoint::OneModel(name) => models::find(config, name).map(Self::json_text),
            Endpoint::Files if request.method == Method::POST => {
                let created = Self::json_text(files::create(&shared.store, request).await?);
                // As documented for each of the two.
                Ok(if route.has_versions { Self { status: StatusCode::CREATED, ..created } } else { created })
            }
            Endpoint::Files => Ok(Self::json_text(files::list(&shared.store, request))),
            Endpoint::File(id) => files::answer(&shared.store, &request.method, id).map(Self::json_text),
            Endpoint::FileContent(id) => files::content(&shared.store, id).map(Self::binary),
            Endpoint::Batches if request.method == Method::POST => {
                batches::create(&shared.store, request).map(Self::json_text)
            }
            Endpoint::Batches => Ok(Self::json_text(batches::list(&shared.store, request))),
            Endpoint::Batch(id) => batches::step(&shared.store, config, request, id).map(Self::json_text),
            Endpoint::CancelBatch(id) => batches::cancel(&shared.store, id).map(Self::json_text),
            Endpoint::Response(id) => responses::answer(&shared.store, &request.method, id).map(Self::json_text),
        }
    }

    /// A model is asked.
    fn asked(
        request: &Received,
        shared: &Shared,
        operation: Operation,
        deployment: Option<&str>,
    ) -> Result<Self, Problem> {
        let config = &shared.config;
        let fields = Fields::parse(&request.body)?;
        let mut prompt = Prompt::read(operation, &fields)?;
        let model = match (deployment, &prompt.model) {
            (Some(deployment), _) => deployment,
            (None, Some(model)) => model,
            (None, None) => return Err(missing("model")),
        };
        if !config.has_deployment(model) {
            return Err(Problem::deployment_not_found());
        }
        if let Some(previous) = &prompt.previous {
            let before = responses::conversation(&shared.store, previous)?;
            prompt.chars = prompt.chars.saturating_add(before);
        }
        Ok(Self::limited(request, shared, &fields, &prompt, model))
    }

    fn limited(request: &Received, shared: &Shared, fields: &Fields, prompt: &Prompt, model: &str) -> Self {
        let config = &shared.config;
        let demand = prompt.demand();
        let decision = shared.quota.decide(&demand);
        let mut answer = if let Some(refused) = &decision.refused {
            Self::throttled(config, prompt.operation, refused)
        } else {
            let id = format!("{}-{}", config.name, request.number);
            let completion = Completion::new(config, id, model, prompt);
            let usage = completion.usage;
            let mut answer = match (prompt.operation, prompt.stream) {
                (Operation::Chat, true) => Self::events(completion.events(prompt)),
                (Operation::Chat, false) => Self::json(StatusCode::OK, &completion.chat()),
                (Operation::Embeddings, _) => Self::json(StatusCode::OK, &completion.embeddings(prompt)),
                (Operation::Responses, stream) => {
                    let ids = ["resp_", "msg_"].map(|prefix| shared.store.long_id(prefix, request.number));
                    let response = responses::response(&completion, fields, ids);
                    if prompt.store {
                        responses::keep(&shared.store, &response, prompt.chars);
                    }
                    if stream {
                        Self::events(responses::events(&response, completion.words()))
                    } else {
                        Self::json(StatusCode::OK, &response)
                    }
                }
            };
            answer.latency = config.latency;
            answer.settlement = Some(Settlement { quota: shared.quota.clone(), demand, usage });
            answer
        };
        let refused = decision.refused.as_ref();
        headers::write_limits(&mut answer.headers, config.hint, &decision.limits, refused);
        answer
    }

    /// The headers that every answer of the service has, and those of the script.
    pub(crate) fn finish_headers(&mut self, config: &Config, number: u64, reply: &Reply) {
        // The gateway and the model's front each count for themselves.
        for (name, variant) in [("apim-request-id", 8), ("x-request-id", 9)] {
            headers::insert(&mut self.headers, name, format!("00000000-0000-4000-{variant}000-{number:012x}"));
        }
        headers::insert(&mut self.headers, "x-ms-region", &config.region);
        for name in reply.headers.keys() {
            self.headers.remove(name);
        }
        self.headers.extend(reply.headers.clone());
    }

    /// The steps that send the body, and its `Content-Length` if it has one.
    pub(crate) fn into_steps(self, reply: &Reply, config: &Config) -> (Vec<Step>, Option<u64>) {
        let mut steps = Vec::new();
        if !reply.body_delay.is_zero() {
            steps.push(Step::Wait(reply.body_delay));
        }
        let (parts, stream) = match self.body {
            Content::Events(events) => (events, true),
            Content::Whole(body) if body.is_empty() => (Vec::new(), false),
            Content::Whole(body) => (vec![body], false),
        };
        let length = parts.iter().map(Bytes::len).sum::<usize>();
        // A body that is to stall must be announced, even if it is empty.
        let chunked = stream || (length == 0 && !(reply.cut.is_none() && steps.is_empty()));

        let (mut events, mut bytes) = (usize::MAX, usize::MAX);
        match reply.cut {
            Some((CutAfter::Events(after), _)) => events = after,
            Some((CutAfter::Bytes(after), _)) => bytes = after,
            None => {}
        }
        for (index, mut part) in parts.into_iter().take(events).enumerate() {
            part.truncate(bytes);
            bytes -= part.len();
            if part.is_empty() {
                break;
            }
            if stream {
                if index > 0 && !config.event_interval.is_zero() {
                    steps.push(Step::Wait(config.event_interval));
                }
                steps.push(Step::Gate);
            }
            steps.push(Step::Send(part));
        }
        steps.extend(reply.cut.map(|(_, cut)| match cut {
            Cut::Reset => Step::Reset,
            Cut::Stall => Step::Stall,
            Cut::Broken(broken) => Step::Break(broken),
        }));
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        (steps, (!chunked).then_some(length))
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        let mut answer = Self::json(problem.status, &problem.body);
        if let Some(allow) = problem.allow {
            headers::insert(&mut answer.headers, "allow", allow);
        }
        answer
    }
}
