//! Bodies that are in memory, and into which a backend's name for the model can be put.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;

use crate::replay::{MakeBody, Replay};

/// Every body is in memory and made of bytes, as a `Full<Bytes>` is: copied by its `Clone`, and with the backend's name for
/// the model in it, where the backend has [one](lb_core::BackendBuilder::model).
///
/// A body that has to be waited for is copied, and sent with the caller's name.
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use lb_tower::{Backend, BalanceLayer, InMemory, Pool};
/// use std::convert::Infallible;
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
/// # use http_body_util::BodyExt;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// # futures::executor::block_on(async {
/// let pool = Pool::new([Backend::builder("eu.openai.azure.com").model("gpt-4.1-eu").build()?])?;
/// // A client that answers with what it was sent.
/// let client = service_fn(|request: Request<Full<Bytes>>| async move {
///     Ok::<_, Infallible>(Response::new(request.into_body()))
/// });
/// let service = ServiceBuilder::new().layer(BalanceLayer::new(pool).replay_with(InMemory)).service(client);
///
/// let request = Request::post("https://any.host/openai/v1/responses").header("content-type", "application/json");
/// let response = service.oneshot(request.body(Full::from(r#"{"model":"gpt-4.1"}"#))?).await?;
/// assert_eq!(response.into_body().collect().await?.to_bytes(), r#"{"model":"gpt-4.1-eu"}"#);
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "a choice, which has no parts")]
pub struct InMemory;

impl<B: Body<Data = Bytes> + From<Bytes> + Clone> Replay<B> for InMemory {
    fn replay(&self, body: &B) -> Option<B> {
        Some(body.clone())
    }

    fn bytes(&self, body: &B) -> Option<(Bytes, MakeBody<B>)> {
        let collected = match pin!(body.clone().collect()).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(collected) => collected.ok()?,
            Poll::Pending => return None,
        };
        // Bytes alone cannot have them.
        collected.trailers().is_none().then(|| (collected.to_bytes(), B::from as MakeBody<B>))
    }
}
