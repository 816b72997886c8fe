//! The model that a JSON body names, and the body with another in its place.

use std::{ops::Range, str};

use http::{
    HeaderValue, Request,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use serde::Deserialize;
use serde_json::{Value, error::Category, value::RawValue};

use super::Target;
use crate::{backend::Models, unmapped::Unmapped};

impl Target<'_> {
    /// For transports: puts this backend's name for the model into the body of `request`, and its new length into
    /// `content-length` where the caller wrote one. Whatever [`body`](Target::body) leaves alone stays as it is.
    ///
    /// # Example
    ///
    /// A transport whose bodies are bytes calls it before it sends:
    ///
    /// ```
    /// # use std::{io::Error, pin::pin, task::{Context, Poll, Waker}};
    /// use bytes::Bytes;
    /// use http::{Request, Response};
    /// use lb_core::{Backend, Fault, HttpTransport, LoadBalancer, Pool, Target};
    ///
    /// struct Echo;
    ///
    /// impl HttpTransport for Echo {
    ///     type RequestBody = Bytes;
    ///     type ResponseBody = Bytes;
    ///     type Error = Error;
    ///
    ///     async fn send(&self, mut request: Request<Bytes>, target: &Target<'_>) -> Result<Response<Bytes>, Error> {
    ///         target.address_body(&mut request);
    ///         Ok(Response::new(request.into_body())) // here a real client sends the request
    ///     }
    ///
    ///     fn fault(&self, _: &Error) -> Fault {
    ///         Fault::Reset
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = Pool::new([Backend::builder("eu.openai.azure.com").model("gpt-4.1-eu").build()?])?;
    /// let balancer = LoadBalancer::new(pool, Echo);
    /// let request = Request::post("https://any.host/openai/v1/responses").header("content-type", "application/json");
    /// let sent = balancer.send(request.body(Bytes::from(r#"{"model": "gpt-4.1", "input": "Hello"}"#))?);
    /// # let mut context = Context::from_waker(Waker::noop());
    /// # let Poll::Ready(response) = std::future::Future::poll(pin!(sent), &mut context) else { panic!() };
    /// # let response = response?;
    /// // let response = sent.await?;
    /// assert_eq!(response.body(), r#"{"model": "gpt-4.1-eu", "input": "Hello"}"#);
    /// # Ok(())
    /// # }
    /// ```
    pub fn address_body<B: AsRef<[u8]> + From<Vec<u8>>>(&self, request: &mut Request<B>) {
        let content_type = request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        let Some(body) = self.body(request.uri().path(), content_type, request.body().as_ref()) else { return };
        if let Some(length) = request.headers_mut().get_mut(CONTENT_LENGTH) {
            *length = body.len().into();
        }
        *request.body_mut() = body.into();
    }

    /// For transports: the body of a request with this backend's name for the model in place of the caller's; `None` if it is
    /// sent as it is. `path` and `content_type` are those of the request, addressed or not; a request without a body has an
    /// empty one.
    ///
    /// It is the value of the top-level member `model` that is replaced, and nothing else: every other byte stays. That is
    /// done where the backend has [names](crate::BackendBuilder::model) for models, the path has no `/deployments/`, and
    /// the content type is `application/json` or `application/..+json`. A body that is no JSON object with one such member
    /// of text is left alone, and [`Event::Unmapped`](crate::Event::Unmapped) says why. Time and memory are
    /// linear in the length of the body; without names for models it is one comparison.
    ///
    /// Give it the caller's own body for each attempt, never one that was replaced. Where it is not called because the body
    /// cannot be read, [`Unmapped::NotRead`] is told.
    ///
    /// ```
    /// use lb_core::{Backend, Pool, Step, ThreadRng, Unmapped};
    ///
    /// # fn main() -> Result<(), lb_core::BuildError> {
    /// let backend = Backend::builder("eu.openai.azure.com").model_for("gpt-4.1", "eu").build()?;
    /// let pool = Pool::new([backend])?;
    /// let Step::Try(attempt) = pool.dispatch().next(|| pool.now(), &ThreadRng) else { unreachable!("it is available") };
    /// let target = pool.target(&attempt);
    ///
    /// let body = target.body("/openai/v1/responses", Some(b"application/json"), br#"{"input":"Hi","model":"gpt-4.1"}"#);
    /// assert_eq!(body.as_deref(), Some(br#"{"input":"Hi","model":"eu"}"#.as_slice()));
    /// assert_eq!(target.unmapped(), None);
    ///
    /// let target = pool.target(&attempt);
    /// assert_eq!(target.body("/openai/v1/responses", Some(b"application/json"), br#"{"input":"Hi"}"#), None);
    /// assert_eq!(target.unmapped(), Some(Unmapped::NoModel));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn body(&self, path: &str, content_type: Option<&[u8]>, body: &[u8]) -> Option<Vec<u8>> {
        if !self.backend.has_models() {
            return None;
        }
        let replaced = if body.is_empty() || names_deployment(path) {
            Ok(None)
        } else if content_type.is_some_and(is_json) {
            replaced(self.backend.models(), body)
        } else {
            Err(Unmapped::ContentType)
        };
        let _ = self.unmapped.set(replaced.as_ref().err().copied());
        replaced.ok().flatten()
    }

    /// Why the request goes out with the caller's model, if this backend has names for models; `None` if it has none, or if
    /// the request's is right.
    ///
    /// The balancers' loop tells it as an event. Ask for it after sending, if you drive a [`Dispatch`](crate::Dispatch) by
    /// hand.
    #[must_use]
    pub fn unmapped(&self) -> Option<Unmapped> {
        if !self.backend.has_models() {
            return None;
        }
        self.unmapped.get().copied().unwrap_or(Some(Unmapped::NotRead))
    }

    /// Takes note of a path in which the model is named: there it does not matter whether anybody reads the body.
    pub(super) fn note_path(&self, path: &str) {
        if self.backend.has_models() && names_deployment(path) {
            let _ = self.unmapped.set(None);
        }
    }
}

fn names_deployment(path: &str) -> bool {
    path.contains("/deployments/")
}

/// Whether a content type is `application/json` or `application/..+json`, whatever parameters it has.
fn is_json(content_type: &[u8]) -> bool {
    let end = content_type.iter().position(|b| *b == b';').unwrap_or(content_type.len());
    let essence = content_type[..end].trim_ascii().to_ascii_lowercase();
    essence.strip_prefix(b"application/").is_some_and(|subtype| subtype == b"json" || subtype.ends_with(b"+json"))
}

/// The model that a body of this content type names; `None` if it is no JSON object with one.
pub(crate) fn model_of_body(content_type: &[u8], body: &[u8]) -> Option<String> {
    Some(is_json(content_type).then(|| model(body).ok())??.0)
}

/// The body with the backend's name for its model; `None` if it has that name already.
fn replaced(models: &Models, body: &[u8]) -> Result<Option<Vec<u8>>, Unmapped> {
    let (callers, place) = model(body)?;
    let Some(name) = models.at_backend(&callers).filter(|name| *name != callers) else { return Ok(None) };
    let name = Value::from(name).to_string();
    let mut replaced = Vec::with_capacity(body.len() - place.len() + name.len());
    replaced.extend_from_slice(&body[..place.start]);
    replaced.extend_from_slice(name.as_bytes());
    replaced.extend_from_slice(&body[place.end..]);
    Ok(Some(replaced))
}

/// What is read of a body: all else is skipped, and checked to be JSON.
#[derive(Deserialize)]
struct Document<'b> {
    #[serde(borrow, default)]
    model: Option<&'b RawValue>,
}

/// The model that a body names, and where its value stands, quotes included.
fn model(body: &[u8]) -> Result<(String, Range<usize>), Unmapped> {
    let text = str::from_utf8(body).map_err(|_| Unmapped::NoObject)?;
    // A struct can be written as an array too, and then its first element would be the model.
    if !text.trim_ascii_start().starts_with('{') {
        return Err(Unmapped::NoObject);
    }
    let document: Document<'_> = serde_json::from_str(text).map_err(|error| match error.classify() {
        // In an object with one known member of any kind, nothing else can be wrong.
        Category::Data => Unmapped::TwoModels,
        Category::Io | Category::Syntax | Category::Eof => Unmapped::NoObject,
    })?;
    let value = document.model.ok_or(Unmapped::NoModel)?.get();
    let name = serde_json::from_str(value).map_err(|_| Unmapped::NoString)?;
    // It is borrowed from the body, so that where it is says which part of it.
    let start = value.as_ptr().addr() - text.as_ptr().addr();
    Ok((name, start..start + value.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{Backend, BackendBuilder};

    const PATH: &str = "/openai/v1/chat/completions";

    fn at(
        builder: BackendBuilder,
        path: &str,
        content_type: Option<&str>,
        body: &[u8],
    ) -> Result<Vec<u8>, Option<Unmapped>> {
        let backend = builder.build().unwrap();
        let target = Target::new(&backend, 1);
        target.body(path, content_type.map(str::as_bytes), body).ok_or_else(|| target.unmapped())
    }

    fn mine(body: &str) -> Result<String, Option<Unmapped>> {
        let mine = Backend::builder("a.example").model("mine");
        at(mine, PATH, Some("application/json"), body.as_bytes()).map(|body| String::from_utf8(body).unwrap())
    }

    #[test]
    fn exactly_the_value_of_the_model_changes() {
        for (body, expected) in [
            (r#"{"model":"gpt"}"#, r#"{"model":"mine"}"#),
            (
                "\t{ \"a\" : [ 1.0e5 ],\r\n\"model\" :\t\"gpt\" , \"b\":{} }\n",
                "\t{ \"a\" : [ 1.0e5 ],\r\n\"model\" :\t\"mine\" , \"b\":{} }\n",
            ),
            (
                r#"{"messages":[{"model":"x"}],"model":"","z":{"model":null}}"#,
                r#"{"messages":[{"model":"x"}],"model":"mine","z":{"model":null}}"#,
            ),
            (
                r#"{"mod\u0065l":"g\u0070t\"","n":12345678901234567890123}"#,
                r#"{"mod\u0065l":"mine","n":12345678901234567890123}"#,
            ),
            (
                r#"{"Model":"a","model ":"b","model":"c","a":"\ud800"}"#,
                r#"{"Model":"a","model ":"b","model":"mine","a":"\ud800"}"#,
            ),
            (r#"{"a":1,"a":2,"model":"c"}"#, r#"{"a":1,"a":2,"model":"mine"}"#),
        ] {
            assert_eq!(mine(body).as_deref(), Ok(expected), "{body}");
        }
        let deep = |model: &str| format!(r#"{{"a":{}1{},"model":"{model}"}}"#, "[".repeat(9_999), "]".repeat(9_999));
        assert_eq!(mine(&deep("x")), Ok(deep("mine")), "no depth is too deep");
    }

    #[test]
    fn a_name_is_written_as_json() {
        let odd = Backend::builder("a.example").model("a\"\\\u{e9}");
        let body = at(odd, PATH, Some("application/json"), br#"{"model":"gpt"}"#).unwrap();
        assert_eq!(String::from_utf8(body).unwrap(), "{\"model\":\"a\\\"\\\\\u{e9}\"}");
    }

    #[test]
    fn an_odd_body_stays_and_it_is_said_why() {
        for (body, why) in [
            ("not json", Unmapped::NoObject),
            ("[\"gpt\"]", Unmapped::NoObject),
            ("\"model\"", Unmapped::NoObject),
            (r#"{"model":"gpt"} x"#, Unmapped::NoObject),
            (r#"{"model":"gpt"}{}"#, Unmapped::NoObject),
            (r#"{"model":"gpt""#, Unmapped::NoObject),
            (r#"{"model":"gpt","a":tru}"#, Unmapped::NoObject),
            (r#"{"model":"gpt",}"#, Unmapped::NoObject),
            ("\u{feff}{\"model\":\"gpt\"}", Unmapped::NoObject),
            (" ", Unmapped::NoObject),
            ("{}", Unmapped::NoModel),
            (r#"{"a":{"model":"gpt"}}"#, Unmapped::NoModel),
            (r#"{"model":null}"#, Unmapped::NoModel),
            (r#"{"model":"a","model":"a"}"#, Unmapped::TwoModels),
            (r#"{"model":null,"mod\u0065l":"a"}"#, Unmapped::TwoModels),
            (r#"{"model":1}"#, Unmapped::NoString),
            (r#"{"model":["gpt"]}"#, Unmapped::NoString),
            (r#"{"model":"\ud800"}"#, Unmapped::NoString),
        ] {
            assert_eq!(mine(body), Err(Some(why)), "{body}");
        }
        let invalid = b"{\"a\":\"\xff\",\"model\":\"gpt\"}";
        let mine = Backend::builder("a.example").model("mine");
        assert_eq!(at(mine, PATH, Some("application/json"), invalid), Err(Some(Unmapped::NoObject)));
    }

    #[test]
    fn the_exact_name_goes_before_the_general_one_and_other_names_stay() {
        let exact = || Backend::builder("a.example").model_for("gpt", "exact").model_for("same", "same");
        let sent = |builder: BackendBuilder, model: &str| {
            at(builder, PATH, Some("application/json"), format!(r#"{{"model":"{model}"}}"#).as_bytes())
                .map(|body| String::from_utf8(body).unwrap())
        };
        assert_eq!(sent(exact().model("general"), "gpt").as_deref(), Ok(r#"{"model":"exact"}"#));
        assert_eq!(sent(exact().model("general"), "g\\u0070t").as_deref(), Ok(r#"{"model":"exact"}"#));
        assert_eq!(sent(exact().model("general"), "other").as_deref(), Ok(r#"{"model":"general"}"#));
        // Nothing to tell: these names are the backend's.
        assert_eq!(sent(exact(), "other"), Err(None));
        assert_eq!(sent(exact().model("general"), "same"), Err(None));
        assert_eq!(sent(exact().model("general"), "general"), Err(None));
    }

    #[test]
    fn only_json_is_read_and_only_where_the_path_has_no_deployment() {
        let body = br#"{"model":"gpt"}"#;
        let mine = || Backend::builder("a.example").model("mine");
        for content_type in [
            "application/json",
            "application/json; charset=utf-8",
            "Application/JSON ;v=1",
            " application/json",
            "application/merge-patch+json",
            "application/vnd.x+JSON;a=b",
        ] {
            assert!(at(mine(), PATH, Some(content_type), body).is_ok(), "{content_type}");
        }
        for content_type in ["text/json", "application/jsonl", "application/x-ndjson", "json", "application/", ""] {
            let why = Err(Some(Unmapped::ContentType));
            assert_eq!(at(mine(), PATH, Some(content_type), body), why, "{content_type}");
        }
        assert_eq!(at(mine(), PATH, None, body), Err(Some(Unmapped::ContentType)));
        assert_eq!(at(mine(), PATH, None, b""), Err(None), "there is nothing in which a model could be");
        for path in ["/openai/deployments/d/chat/completions", "/p/deployments/"] {
            assert_eq!(at(mine(), path, Some("application/json"), body), Err(None), "{path}");
        }
        assert!(at(mine(), "/openai/my-deployments/d", Some("application/json"), body).is_ok());
        assert_eq!(at(Backend::builder("a.example"), PATH, Some("application/json"), body), Err(None));
    }

    #[test]
    fn who_does_not_look_is_told_of_where_it_matters() {
        let unseen = |builder: BackendBuilder, path: &str| {
            let backend = builder.build().unwrap();
            let target = Target::new(&backend, 1);
            target.path_and_query(path).unwrap();
            target.unmapped()
        };
        let mine = || Backend::builder("a.example").model("mine");
        assert_eq!(unseen(mine(), PATH), Some(Unmapped::NotRead));
        assert_eq!(unseen(mine(), "/x?next=/deployments/a"), Some(Unmapped::NotRead));
        assert_eq!(unseen(mine(), "/openai/deployments/d/audio/transcriptions"), None);
        assert_eq!(unseen(Backend::builder("a.example"), PATH), None);
    }

    #[test]
    fn the_length_fits_the_new_body_where_the_caller_wrote_one() {
        let backend = Backend::builder("a.example").model("a longer name").build().unwrap();
        let request = || Request::post(PATH).header("content-type", "application/json");
        let body = || br#"{"model":"gpt"}"#.to_vec();
        let addressed = |mut request: Request<Vec<u8>>| {
            Target::new(&backend, 1).address_body(&mut request);
            let length = request.headers().get("content-length").map(|length| length.to_str().unwrap().to_owned());
            (String::from_utf8(request.into_body()).unwrap(), length)
        };
        let expected = r#"{"model":"a longer name"}"#.to_owned();
        let with_length = request().header("content-length", "15").body(body()).unwrap();
        assert_eq!(addressed(with_length), (expected.clone(), Some("25".to_owned())));
        assert_eq!(addressed(request().body(body()).unwrap()), (expected, None));
    }
}
