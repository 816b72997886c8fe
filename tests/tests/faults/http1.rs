//! A connection of HTTP/1.1, as the server has it.

use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::sleep,
};

use crate::{
    answer::{Answer, End, Framing},
    server::{Behaviour, Connection, HUGE, Shared},
};

/// Serves a connection of which these bytes were read already.
pub async fn serve(
    mut stream: impl Connection,
    mut bytes: Vec<u8>,
    connection: usize,
    shared: &Shared,
) -> io::Result<()> {
    while let Some(id) = read_request(&mut stream, &mut bytes, shared).await? {
        // Before it counts as received: who waits for it may tell the server to turn.
        let behaviour = shared.behaviour_on(connection);
        shared.note(id);
        match behaviour {
            Behaviour::Serves => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await?,
            Behaviour::ClosesAtOnce | Behaviour::ClosesAfterReading => return Ok(()),
            Behaviour::ResetsAtOnce | Behaviour::ResetsAfterReading => return stream.set_zero_linger(),
            Behaviour::Answers(answer) => {
                write(&mut stream, answer, shared).await.inspect_err(|_| shared.note_left())?;
                match answer.end {
                    End::Keeps => {}
                    End::Closes => return Ok(()),
                    End::Resets => return stream.set_zero_linger(),
                }
            }
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
async fn read_request(
    stream: &mut impl Connection,
    bytes: &mut Vec<u8>,
    shared: &Shared,
) -> io::Result<Option<String>> {
    loop {
        if let Some((id, length)) = parse(bytes) {
            bytes.drain(..length);
            return Ok(Some(id));
        }
        let before = bytes.len();
        if stream.read_buf(bytes).await? == 0 {
            return Ok(None);
        }
        shared.note_read(&bytes[before..]);
    }
}

async fn write(stream: &mut impl Connection, answer: &Answer, shared: &Shared) -> io::Result<()> {
    let (code, times) = answer.before;
    for _ in 0..times {
        stream.write_all(format!("HTTP/1.1 {code} Told\r\n\r\n").as_bytes()).await?;
    }
    let mut head = [format!("HTTP/1.1 {} ", answer.status).as_bytes(), answer.reason, b"\r\n"].concat();
    for (name, value) in std::iter::repeat_n(answer.headers, answer.times).flatten() {
        head.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    let is_chunked = matches!(answer.framing, Framing::Chunks | Framing::Broken | Framing::Both);
    if is_chunked {
        head.extend_from_slice(b"transfer-encoding: chunked\r\n");
    }
    if let Some(length) = answer.content_length().filter(|_| answer.framing != Framing::Broken) {
        head.extend_from_slice(format!("content-length: {length}\r\n").as_bytes());
    }
    stream.write_all(&[&head, b"\r\n".as_slice()].concat()).await?;
    let (piece, times) = answer.body;
    let written = match is_chunked {
        true => [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat(),
        false => piece.to_vec(),
    };
    for _ in 0..times {
        stream.write_all(&written).await?;
        shared.note_written(piece.len());
        if !answer.pause.is_zero() {
            sleep(answer.pause).await;
        }
    }
    match answer.framing {
        Framing::Broken => stream.write_all(b"no number\r\n").await,
        _ if is_chunked && answer.end == End::Keeps => stream.write_all(b"0\r\n\r\n").await,
        _ => Ok(()),
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
