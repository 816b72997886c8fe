use std::{
    error::Error,
    io,
    sync::{Arc, mpsc as blocking},
    time::Duration,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};

#[cfg(feature = "http2")]
use crate::{http2, preface};
use crate::{
    port::Port,
    service::{Shared, handle},
    switches::Switches,
    wire::{Link, Wire},
};

/// What the handle asks of the server's thread; it answers when it is done.
#[derive(Debug)]
pub(crate) enum Command {
    Refuse(bool, blocking::Sender<io::Result<()>>),
    CloseConnections(blocking::Sender<io::Result<()>>),
}

/// How long to wait after a failed accept: out of file descriptors, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Serves until the sender of commands is dropped; then every connection is closed and the port free.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    port: Port,
    listener: TcpListener,
    mut commands: mpsc::UnboundedReceiver<Command>,
) {
    let switches = Arc::clone(&shared.switches);
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = accept(listener.as_ref()) => match accepted {
                Ok(stream) => {
                    let number = shared.log.connected();
                    let link = Link::new(number, Arc::clone(&switches));
                    connections.spawn(connection(Arc::clone(&shared), stream, link));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            command = commands.recv() => match command {
                Some(Command::Refuse(refuse, done)) => {
                    let result = if refuse {
                        listener = None;
                        close(&mut connections, &switches).await;
                        Ok(())
                    } else if listener.is_none() {
                        listen(&port).map(|fresh| listener = Some(fresh))
                    } else {
                        Ok(())
                    };
                    let _ = done.send(result);
                }
                Some(Command::CloseConnections(done)) => {
                    close(&mut connections, &switches).await;
                    let _ = done.send(Ok(()));
                }
                None => break,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    close(&mut connections, &switches).await;
}

fn listen(port: &Port) -> io::Result<TcpListener> {
    TcpListener::from_std(port.listen()?)
}

async fn accept(listener: Option<&TcpListener>) -> io::Result<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

async fn close(connections: &mut JoinSet<()>, switches: &Switches) {
    switches.set_closing(true);
    connections.shutdown().await;
    switches.set_closing(false);
}

async fn connection(shared: Arc<Shared>, stream: TcpStream, link: Arc<Link>) {
    // Events are to arrive when they are sent, not when a segment is full.
    let _ = stream.set_nodelay(true);
    let wire = Wire::new(stream, Arc::clone(&link));
    tokio::select! {
        // The connection first: what it has written is flushed before it is cut.
        biased;
        result = open(&shared, wire, &link) => if let Err(error) = result {
            tracing::debug!(connection = link.number(), error, "connection ended");
        },
        () = link.cut() => {}
    }
}

/// Shakes hands, if there is TLS.
async fn open(shared: &Arc<Shared>, wire: Wire, link: &Arc<Link>) -> Result<(), Box<dyn Error + Send + Sync>> {
    #[cfg(feature = "tls")]
    if let Some(tls) = &shared.config.tls {
        let io = tls.acceptor.accept(wire).await?;
        return speak(shared, io, link).await;
    }
    speak(shared, wire, link).await
}

/// Speaks the client's version of HTTP.
async fn speak<S>(shared: &Arc<Shared>, io: S, link: &Arc<Link>) -> Result<(), Box<dyn Error + Send + Sync>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    #[cfg(feature = "http2")]
    if shared.config.speaks_http2() {
        let (http2, io) = preface::is_http2(io).await?;
        if http2 {
            return Ok(http2::serve(shared, io, link).await?);
        }
        return speak_http1(shared, io, link).await;
    }
    speak_http1(shared, io, link).await
}

async fn speak_http1<S>(shared: &Arc<Shared>, io: S, link: &Arc<Link>) -> Result<(), Box<dyn Error + Send + Sync>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let service = service_fn(|request| {
        let reply = shared.script.next();
        let (shared, link) = (Arc::clone(shared), Arc::clone(link));
        async move {
            if let Some(refusal) = reply.refusal() {
                shared.log.refused();
                return Err(refusal);
            }
            handle(shared, link, request, reply).await
        }
    });
    Ok(http1::Builder::new().serve_connection(TokioIo::new(io), service).await?)
}
