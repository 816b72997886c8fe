use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use lb_limits::{Unit, whole_seconds};
use serde_json::Value;

use crate::{
    config::Config,
    headers,
    openai::{self, Completion, Operation, Prompt},
    play::Step,
    quota::{Quota, Refused, Settlement},
    received::Received,
    reply::{Cut, CutAfter, Kind, Reply},
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
        let mut answer = Self::whole(status, body.to_string().into());
        let json = HeaderValue::from_static("application/json");
        answer.headers.insert(header::CONTENT_TYPE, json);
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
        let body = openai::throttled(operation, refused.unit, whole_seconds(refused.wait));
        let mut answer = Self::json(StatusCode::TOO_MANY_REQUESTS, &body);
        headers::write_hint(&mut answer.headers, config.hint, refused.wait);
        answer
    }

    /// The answer that the script or the service gives. `None`: there is no head to send.
    pub(crate) fn decide(request: &Received, reply: &Reply, config: &Config, quota: &Quota) -> Option<Self> {
        let mut answer = match &reply.kind {
            Kind::ResetBeforeHead | Kind::NoHead => return None,
            Kind::Serve => Self::served(request, config, quota),
            Kind::Status(status, body) => Self::whole(*status, body.clone()),
            Kind::Stream(events) => Self::events(events.clone()),
            Kind::Throttled(wait) => {
                let operation = config.route(request.path()).map_or(Operation::Chat, |route| route.operation);
                let refused = Refused { unit: Unit::Tokens, wait: *wait };
                let mut answer = Self::throttled(config, operation, &refused);
                headers::write_limits(&mut answer.headers, config.hint, &[], Some(&refused));
                answer
            }
            Kind::Invalid(reason) => Self::json(StatusCode::INTERNAL_SERVER_ERROR, &openai::invalid_script(reason)),
        };
        let bodiless = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED];
        if request.method == Method::HEAD || bodiless.contains(&answer.status) {
            answer.body = Content::Whole(Bytes::new());
        }
        Some(answer)
    }

    fn served(request: &Received, config: &Config, quota: &Quota) -> Self {
        let Some(route) = config.route(request.path()) else {
            return Self::json(StatusCode::NOT_FOUND, &openai::resource_not_found());
        };
        if request.method != Method::POST {
            let status = StatusCode::METHOD_NOT_ALLOWED;
            let mut answer = Self::json(status, &openai::method_not_allowed());
            let post = HeaderValue::from_static("POST");
            answer.headers.insert(header::ALLOW, post);
            return answer;
        }
        if !config.accepts(&request.headers) {
            return Self::json(StatusCode::UNAUTHORIZED, &openai::access_denied());
        }
        let unknown = || Self::json(StatusCode::NOT_FOUND, &openai::deployment_not_found());
        if route.deployment.is_some_and(|name| !config.has_deployment(name)) {
            return unknown();
        }
        let invalid = |reason| Self::json(StatusCode::BAD_REQUEST, &openai::invalid_request(reason));
        let prompt = match Prompt::parse(route.operation, &request.body) {
            Ok(prompt) => prompt,
            Err(reason) => return invalid(reason),
        };
        let Some(model) = route.deployment.or(prompt.model.as_deref()) else {
            return invalid("'model' is required.");
        };
        if !config.has_deployment(model) {
            return unknown();
        }
        Self::limited(request, config, quota, route.operation, &prompt, model)
    }

    fn limited(
        request: &Received,
        config: &Config,
        quota: &Quota,
        operation: Operation,
        prompt: &Prompt,
        model: &str,
    ) -> Self {
        let demand = prompt.demand(operation);
        let decision = quota.decide(&demand);
        let mut answer = if let Some(refused) = &decision.refused {
            Self::throttled(config, operation, refused)
        } else {
            let usage = prompt.usage(operation, config.completion_tokens);
            let completion =
                Completion { id: format!("{}-{}", config.name, request.number), name: &config.name, model, usage };
            let mut answer = match (operation, prompt.stream) {
                (Operation::Chat, true) => Self::events(completion.events(prompt)),
                (Operation::Chat, false) => Self::json(StatusCode::OK, &completion.chat()),
                (Operation::Embeddings, _) => Self::json(StatusCode::OK, &completion.embeddings(prompt)),
            };
            answer.latency = config.latency;
            answer.settlement = Some(Settlement { quota: quota.clone(), demand, usage });
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
        }));
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        (steps, (!chunked).then_some(length))
    }
}
