//! A connection of HTTP/1.1, as the server has it.

use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::server::{Behaviour, HUGE, Shared};

/// Serves a connection of which these bytes were read already.
pub async fn serve(mut stream: TcpStream, mut bytes: Vec<u8>, shared: &Shared) -> io::Result<()> {
    while let Some(id) = read_request(&mut stream, &mut bytes).await? {
        // Before it counts as received: who waits for it may tell the server to turn.
        let behaviour = shared.behaviour();
        shared.note(id);
        match behaviour {
            Behaviour::Serves => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await?,
            Behaviour::ClosesAtOnce | Behaviour::ClosesAfterReading => return Ok(()),
            Behaviour::ResetsAtOnce | Behaviour::ResetsAfterReading => return stream.set_zero_linger(),
            Behaviour::AnswersGarbage => return stream.write_all(b"220 mail.example ESMTP\r\n\r\n").await,
            Behaviour::AnswersTooLargeAHead => {
                let head = format!("HTTP/1.1 200 OK\r\nx-huge: {}\r\ncontent-length: 0\r\n\r\n", "x".repeat(HUGE));
                return stream.write_all(head.as_bytes()).await;
            }
            // Until the client leaves.
            Behaviour::NeverAnswers => while stream.read_buf(&mut bytes).await? > 0 {},
            other => unreachable!("{other:?} is of HTTP/2"),
        }
    }
    Ok(())
}

/// Reads a request whole, and gives its id; `None` if the client is done. `bytes` is what was read beyond the last one.
async fn read_request(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> io::Result<Option<String>> {
    loop {
        if let Some((id, length)) = parse(bytes) {
            bytes.drain(..length);
            return Ok(Some(id));
        }
        if stream.read_buf(bytes).await? == 0 {
            return Ok(None);
        }
    }
}

/// The id and the length of the request at the beginning, if it is whole.
fn parse(bytes: &[u8]) -> Option<(String, usize)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..end]);
    let header = |name: &str| {
        head.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|h| h.1.trim())
    };
    assert_eq!(header("transfer-encoding"), None, "the tests' bodies have a length");
    let length = header("content-length").map_or(0, |length| length.parse().unwrap());
    let body = bytes.get(end..end + length)?;
    Some((String::from_utf8_lossy(body).into_owned(), end + length))
}
