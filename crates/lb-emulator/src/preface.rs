use std::io::{self, Cursor};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

/// What a client of HTTP/2 sends first (RFC 9113, section 3.4). No request of HTTP/1.1 begins so.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Whether a connection begins with the preface of HTTP/2, and the connection, with everything still to be read.
///
/// # Errors
///
/// If the connection cannot be read.
pub(crate) async fn is_http2<S>(mut io: S) -> io::Result<(bool, impl AsyncRead + AsyncWrite + Unpin)>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut start = Vec::with_capacity(PREFACE.len());
    // At the first byte that differs it is decided, and that byte comes early: a short request is not waited for.
    while start.len() < PREFACE.len() && PREFACE.starts_with(&start) {
        let room = PREFACE.len() - start.len();
        if (&mut io).take(room as u64).read_buf(&mut start).await? == 0 {
            break;
        }
    }
    let http2 = start == PREFACE;
    let (read, write) = tokio::io::split(io);
    Ok((http2, tokio::io::join(Cursor::new(start).chain(read), write)))
}
