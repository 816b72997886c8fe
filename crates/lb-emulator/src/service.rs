use std::{error::Error, future, sync::Arc, time::Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body;

use crate::{
    answer::Answer,
    broken::Broken,
    play::Play,
    problem::Problem,
    received::Received,
    reply::{Headless, Kind, Reply},
    wire::Link,
};

pub(crate) use crate::shared::Shared;

/// The largest request body that is read; the live service accepts less.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// One request, a straight line: read it, record it, decide the answer, wait, send. `reply` is what the script has for
/// it, taken when its head was here.
pub(crate) async fn handle<B>(
    shared: Arc<Shared>,
    link: Arc<Link>,
    request: Request<B>,
    reply: Reply,
) -> Result<Response<Play>, Broken>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let arrived = Instant::now();
    let (parts, body) = request.into_parts();
    let (body, too_large) = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => (body.to_bytes(), false),
        Err(error) if error.is::<LengthLimitError>() => (Bytes::new(), true),
        // The client broke off: nobody reads an answer, and the HTTP layer is about to end this.
        Err(_) => return future::pending().await,
    };
    let mut received = Received {
        number: 0,
        connection: link.number(),
        arrived,
        version: parts.version,
        method: parts.method,
        uri: parts.uri,
        headers: parts.headers,
        body,
        status: None,
        body_sent: None,
        client_left: false,
    };
    let exchange = shared.log.record(received.clone(), &link);
    received.number = exchange.number();

    let reply = if too_large { Reply::serve() } else { reply };
    let answer =
        if too_large { Some(Problem::too_large().into()) } else { Answer::decide(&received, &reply, &shared).await };
    let name = &shared.config.name;
    let status = answer.as_ref().map(|answer| answer.status.as_u16());
    tracing::info!(
        emulator = name,
        request = exchange.number(),
        method = %received.method,
        path = received.path(),
        status,
        "request"
    );

    let latency = answer.as_ref().map(|answer| answer.latency);
    let wait = reply.head_delay.saturating_add(latency.unwrap_or_default());
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    let Some(mut answer) = answer else {
        match reply.kind {
            Kind::Headless(Headless::Reset) => link.reset(),
            Kind::Headless(Headless::Silence) => link.silence(),
            Kind::Headless(Headless::Broken(broken)) => {
                exchange.broken_off();
                return Err(broken);
            }
            _ => {}
        }
        return future::pending().await;
    };
    answer.finish_headers(&shared.config, exchange.number(), &reply);
    exchange.answered(answer.status.as_u16());
    Ok(respond(&shared, link, answer, exchange, &reply))
}

fn respond(
    shared: &Shared,
    link: Arc<Link>,
    mut answer: Answer,
    exchange: crate::log::Exchange,
    reply: &Reply,
) -> Response<Play> {
    let status = answer.status;
    let headers = std::mem::take(&mut answer.headers);
    let settlement = answer.settlement.take();
    let (steps, length) = answer.into_steps(reply, &shared.config);
    let gate = Arc::clone(&shared.gate);
    let play = Play::new(steps, length, gate, link, exchange, settlement);
    let mut response = Response::new(play);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
