use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::SystemTime,
};

use bytes::Bytes;
use h2::{
    Reason, RecvStream, SendStream,
    server::{Builder, SendResponse},
};
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::{Body, Frame};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinSet,
};

use crate::{
    broken::Broken,
    goaway::{GoAway, WithGoAway},
    play::Play,
    reply::Reply,
    service::{Shared, handle},
    wire::Link,
};

/// Bytes that a client may send ahead, on a stream and on the connection. So large that no upload waits for another's
/// turn: who is slow is to be decided by the script alone.
const WINDOW: u32 = 16 * 1024 * 1024;

/// Headers of HTTP/1.1's connections, which no message of HTTP/2 may have (RFC 9113, section 8.2.2).
const OF_CONNECTIONS: [&str; 5] = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/// Serves one connection until it ends.
pub(crate) async fn serve<S>(shared: &Arc<Shared>, io: S, link: &Arc<Link>) -> Result<(), h2::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut builder = Builder::new();
    builder.initial_window_size(WINDOW).initial_connection_window_size(WINDOW);
    if let Some(streams) = shared.config.max_concurrent_streams {
        builder.max_concurrent_streams(streams);
    }
    let go_away = GoAway::default();
    let mut connection = builder.handshake(WithGoAway::new(io, go_away.clone())).await?;
    // Dropped with the connection, and with them the exchanges, which notice.
    let mut streams = JoinSet::new();
    let mut last_stream = 0;
    // The streams behind a GOAWAY, which are kept open and get no answer. It is the client that closes the connection:
    // if it were closed with a body on its way, the reset of that could overtake the GOAWAY.
    let mut ignored = Vec::new();
    loop {
        tokio::select! {
            // Ended streams first: those that are left are the open ones.
            biased;
            Some(ended) = streams.join_next() => if let Ok(Err(code)) = ended {
                link.ends();
                connection.abrupt_shutdown(code);
            },
            accepted = connection.accept() => {
                let Some(accepted) = accepted else { return Ok(()) };
                let (request, mut respond) = accepted?;
                if !ignored.is_empty() {
                    shared.log.refused();
                    ignored.push((request, respond));
                    continue;
                }
                let before = std::mem::replace(&mut last_stream, respond.stream_id().as_u32());
                let room = streams.len() < shared.switches.streams();
                let reply = if room { shared.script.next() } else { Reply::refuse_stream() };
                match reply.refusal() {
                    Some(Broken::Stream(code)) => {
                        shared.log.refused();
                        respond.send_reset(code.into());
                    }
                    Some(Broken::Connection(code)) => {
                        shared.log.refused();
                        go_away.send(before, code);
                        ignored.push((request, respond));
                    }
                    None => {
                        streams.spawn(answer(Arc::clone(shared), Arc::clone(link), request, respond, reply));
                    }
                }
            }
        }
    }
}

/// Answers the request of one stream. An error is the code with which the connection is to go away.
async fn answer(
    shared: Arc<Shared>,
    link: Arc<Link>,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    reply: Reply,
) -> Result<(), Reason> {
    let number = link.number();
    let response = tokio::select! {
        response = handle(shared, link, request.map(Upload), reply) => response,
        // The client gave this stream up.
        _ = poll_fn(|cx| respond.poll_reset(cx)) => return Ok(()),
    };
    let response = match response {
        Ok(response) => response,
        Err(Broken::Stream(code)) => {
            respond.send_reset(code.into());
            return Ok(());
        }
        Err(Broken::Connection(code)) => return Err(code.into()),
    };
    let (mut head, body) = response.into_parts();
    for name in OF_CONNECTIONS {
        head.headers.remove(name);
    }
    // What hyper adds on HTTP/1.1.
    let bodiless = matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if let (Some(length), false) = (body.size_hint().exact(), bodiless) {
        head.headers.insert(header::CONTENT_LENGTH, length.into());
    }
    if let Ok(date) = HeaderValue::try_from(httpdate::fmt_http_date(SystemTime::now())) {
        head.headers.entry(header::DATE).or_insert(date);
    }
    let end = body.is_end_stream();
    let sent = match respond.send_response(Response::from_parts(head, ()), end) {
        Ok(_) if end => Ok(()),
        Ok(stream) => send(body.without_length(), stream).await,
        Err(error) => Err(error),
    };
    if let Err(error) = sent {
        tracing::debug!(connection = number, %error, "stream ended");
    }
    Ok(())
}

/// Sends a body in DATA frames, at least one for each part that it gives, as far as the client's window allows.
async fn send(mut body: Play, mut stream: SendStream<Bytes>) -> Result<(), h2::Error> {
    loop {
        let part = poll_fn(|cx| match stream.poll_reset(cx) {
            // The client gave this stream up.
            Poll::Ready(reason) => Poll::Ready(Err(reason)),
            Poll::Pending => Pin::new(&mut body).poll_frame(cx).map(Ok),
        });
        let mut data = match part.await {
            Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
            Ok(Some(Err(Broken::Stream(code) | Broken::Connection(code)))) => {
                // The connection sends first what it has of this stream: a reset drops that.
                tokio::task::yield_now().await;
                stream.send_reset(code.into());
                return Ok(());
            }
            Ok(None) => return stream.send_data(Bytes::new(), true),
            Err(reason) => return reason.map(drop),
        };
        while !data.is_empty() {
            stream.reserve_capacity(data.len());
            let Some(capacity) = poll_fn(|cx| stream.poll_capacity(cx)).await else { return Ok(()) };
            stream.send_data(data.split_to(capacity?.min(data.len())), false)?;
        }
    }
}

/// The body of a request, which the client may go on sending as it is read.
struct Upload(RecvStream);

impl Body for Upload {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let data = ready!(self.0.poll_data(cx));
        if let Some(Ok(data)) = &data {
            self.0.flow_control().release_capacity(data.len())?;
        }
        Poll::Ready(data.map(|data| data.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }
}
