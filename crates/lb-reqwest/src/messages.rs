//! What the transports of this crate have in common: their requests and responses are reqwest's, async or blocking.

/// By default a body that streams is read into memory up to so many bytes. Audio files may have 25 MB
/// (<https://platform.openai.com/docs/guides/speech-to-text>).
pub(crate) const MAX_BUFFERED: u64 = 32 << 20;

/// The part of a transport that is the same wherever `Request` and `Response` are reqwest's.
macro_rules! messages_of_reqwest {
    () => {
        type Request = Request;
        type Response = Response;

        fn replay(&self, original: &mut Request) -> Option<Request> {
            original.try_clone()
        }

        fn head<'r>(&self, response: &'r Response) -> lb_core::Head<'r> {
            lb_core::Head::new(response.status().as_u16(), response.headers())
        }

        fn synthesize(&self, original: &Request, exhausted: &lb_core::Exhausted) -> Response {
            crate::synthesize::synthesize(original.url(), exhausted).into()
        }

        fn mark(&self, response: &mut Response, served: lb_core::Served) {
            response.extensions_mut().insert(served);
        }
    };
}

/// The model of a request, for the async transports.
macro_rules! model_of_reqwest {
    () => {
        fn model<'r>(
            &'r self,
            original: &'r mut Request,
        ) -> impl Future<Output = Option<std::borrow::Cow<'r, str>>> + Send {
            let body = original.body().and_then(reqwest::Body::as_bytes);
            std::future::ready(crate::model::requested_model(original.url(), original.headers(), body))
        }
    };
}

pub(crate) use {messages_of_reqwest, model_of_reqwest};
