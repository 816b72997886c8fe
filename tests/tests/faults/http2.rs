//! A connection of HTTP/2, as the server has it: frames, so that it can refuse and break what a library would not.
//!
//! Numbers are those of RFC 9113, 6 and 7.

use std::{collections::BTreeMap, io};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::sleep,
};

use crate::{
    answer::{Answer, End},
    server::{Behaviour, Connection, HUGE, Shared},
    stack::LATE,
};

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0x0;
const HEADERS: u8 = 0x1;
const RST_STREAM: u8 = 0x3;
const SETTINGS: u8 = 0x4;
const PING: u8 = 0x6;
const GOAWAY: u8 = 0x7;
const WINDOW_UPDATE: u8 = 0x8;
const CONTINUATION: u8 = 0x9;

const END_STREAM: u8 = 0x1;
const ACK: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

const NO_ERROR: u32 = 0x0;
const INTERNAL_ERROR: u32 = 0x2;
const REFUSED_STREAM: u32 = 0x7;

/// `:status: 200`, by its number in HPACK's static table.
const STATUS_200: u8 = 0x88;

/// What a frame may carry unless agreed otherwise.
const MAX_PAYLOAD: usize = 16_384;

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Frame {
    fn new(kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        Self { kind, flags, stream, payload: payload.into() }
    }

    /// The frame at the beginning, if it is whole.
    fn take(bytes: &mut Vec<u8>) -> Option<Self> {
        let (head, _) = bytes.split_first_chunk::<9>()?;
        let [l1, l2, l3, kind, flags, s1, s2, s3, s4] = *head;
        let length = usize::try_from(u32::from_be_bytes([0, l1, l2, l3])).unwrap();
        if bytes.len() < 9 + length {
            return None;
        }
        let stream = u32::from_be_bytes([s1, s2, s3, s4]);
        let payload = bytes.drain(..9 + length).skip(9).collect();
        Some(Self { kind, flags, stream, payload })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&u32::try_from(self.payload.len()).unwrap().to_be_bytes()[1..]);
        out.extend_from_slice(&[self.kind, self.flags]);
        out.extend_from_slice(&self.stream.to_be_bytes());
        out.extend_from_slice(&self.payload);
    }
}

fn reset(stream: u32, code: u32) -> Frame {
    Frame::new(RST_STREAM, 0, stream, code.to_be_bytes())
}

fn go_away(last_stream: u32) -> Frame {
    Frame::new(GOAWAY, 0, 0, [last_stream.to_be_bytes(), NO_ERROR.to_be_bytes()].concat())
}

/// A header, as HPACK writes one that is in no table (RFC 7541, 6.2.2).
fn header(block: &mut Vec<u8>, name: &str, value: &[u8]) {
    block.push(0x0);
    for text in [name.as_bytes(), value] {
        // A length, as HPACK writes integers (RFC 7541, 5.1).
        match text.len().checked_sub(0x7f) {
            None => block.push(u8::try_from(text.len()).unwrap()),
            Some(mut length) => {
                block.push(0x7f);
                while length >= 0x80 {
                    block.push(u8::try_from(length % 0x80).unwrap() | 0x80);
                    length /= 0x80;
                }
                block.push(u8::try_from(length).unwrap());
            }
        }
        block.extend_from_slice(text);
    }
}

/// The frames of a head.
fn head(stream: u32, block: &[u8], flags: u8) -> Vec<Frame> {
    let mut frames: Vec<_> = block.chunks(MAX_PAYLOAD).map(|part| Frame::new(CONTINUATION, 0, stream, part)).collect();
    (frames[0].kind, frames[0].flags) = (HEADERS, flags);
    frames.last_mut().unwrap().flags |= END_HEADERS;
    frames
}

/// A head that is too large to take.
fn too_large_a_head(stream: u32) -> Vec<Frame> {
    let mut block = vec![STATUS_200];
    header(&mut block, "x-huge", &vec![b'x'; HUGE]);
    head(stream, &block, END_STREAM)
}

fn status(code: u16) -> Vec<u8> {
    // `:status` with a value that is in no table, by its number.
    [&[0x8, 3], code.to_string().as_bytes()].concat()
}

/// What a client takes of a body without a word: the first window (RFC 9113, 6.9.2).
const WINDOW: usize = 65_535;

/// The frames of an answer, without its end; and how much of its body they are. One that comes in pieces with pauses is
/// its first piece here.
fn answered(stream: u32, answer: &Answer) -> (Vec<Frame>, usize) {
    let (code, times) = answer.before;
    let mut frames: Vec<_> = (0..times).flat_map(|_| head(stream, &status(code), 0)).collect();
    let mut block = status(answer.status);
    for (name, value) in std::iter::repeat_n(answer.headers, answer.times).flatten() {
        header(&mut block, name, value);
    }
    if let Some(length) = answer.content_length() {
        header(&mut block, "content-length", length.to_string().as_bytes());
    }
    frames.append(&mut head(stream, &block, 0));
    let (piece, times) = answer.body;
    let times = if answer.pause.is_zero() { times.min(WINDOW / piece.len().max(1)) } else { 1 };
    frames.extend((0..times).map(|_| Frame::new(DATA, 0, stream, piece)));
    (frames, times * piece.len())
}

/// Serves a connection of which the preface, and then these bytes, were read already.
pub async fn serve(
    mut stream: impl Connection,
    mut bytes: Vec<u8>,
    connection: usize,
    shared: &Shared,
) -> io::Result<()> {
    // The bodies of the streams that are open.
    let mut open = BTreeMap::<u32, Vec<u8>>::new();
    let mut whole = Vec::new();
    // The stream that gets its body piece by piece.
    let mut dripping: Option<(u32, &Answer)> = None;
    let mut out = Vec::new();
    let limit = match shared.behaviour() {
        Behaviour::Limits(limit) => limit,
        _ => usize::MAX,
    };
    let settings = match u32::try_from(limit) {
        Ok(limit) => [&[0x0, 0x3], limit.to_be_bytes().as_slice()].concat(),
        Err(_) => Vec::new(),
    };
    Frame::new(SETTINGS, 0, 0, settings).write(&mut out);
    loop {
        while let Some(frame) = Frame::take(&mut bytes) {
            let Frame { kind, flags, stream: id, payload } = frame;
            match kind {
                SETTINGS if flags & ACK == 0 => Frame::new(SETTINGS, ACK, 0, []).write(&mut out),
                PING if flags & ACK == 0 => Frame::new(PING, ACK, 0, payload).write(&mut out),
                HEADERS => match shared.begin() {
                    Behaviour::RefusesStreams | Behaviour::RefusesOneStream => {
                        reset(id, REFUSED_STREAM).write(&mut out)
                    }
                    Behaviour::GoesAway | Behaviour::GoesAwayOnce => {
                        go_away(0).write(&mut out);
                        stream.write_all(&out).await?;
                        // Until the client leaves.
                        while stream.read_buf(&mut bytes).await? > 0 {}
                        return Ok(());
                    }
                    _ if open.len() >= limit => {
                        shared.note_refused();
                        reset(id, REFUSED_STREAM).write(&mut out);
                    }
                    _ => {
                        open.insert(id, Vec::new());
                    }
                },
                DATA => {
                    if !payload.is_empty() {
                        let length = u32::try_from(payload.len()).unwrap();
                        Frame::new(WINDOW_UPDATE, 0, 0, length.to_be_bytes()).write(&mut out);
                    }
                    if let Some(body) = open.get_mut(&id) {
                        body.extend_from_slice(&payload);
                    }
                }
                RST_STREAM => {
                    shared.note_left();
                    open.remove(&id);
                    dripping = dripping.filter(|(dripping, _)| *dripping != id);
                }
                _ => {}
            }
            if matches!(kind, HEADERS | DATA) && flags & END_STREAM != 0 && open.contains_key(&id) {
                whole.push(id);
            }
        }
        // All that was there at once is read: those that it took are answered.
        for id in whole.drain(..) {
            let Some(body) = open.get(&id) else { continue };
            // Before it counts as received: who waits for it may tell the server to turn.
            let behaviour = shared.behaviour_on(connection);
            shared.note(String::from_utf8_lossy(body).into_owned());
            match behaviour {
                Behaviour::ClosesAtOnce | Behaviour::ClosesAfterReading => return Ok(()),
                Behaviour::ResetsAtOnce | Behaviour::ResetsAfterReading => return stream.set_zero_linger(),
                Behaviour::AnswersGarbage => return stream.write_all(b"220 mail.example ESMTP\r\n\r\n").await,
                Behaviour::AnswersTooLargeAHead => {
                    too_large_a_head(id).iter().for_each(|frame| frame.write(&mut out));
                }
                Behaviour::NeverAnswers => continue,
                Behaviour::FallsSilent => {
                    while stream.read_buf(&mut bytes).await? > 0 {}
                    return Ok(());
                }
                Behaviour::ResetsStreams(code) => reset(id, code).write(&mut out),
                Behaviour::Answers(answer) => {
                    let (frames, length) = answered(id, answer);
                    for frame in frames {
                        frame.write(&mut out);
                    }
                    shared.note_written(length);
                    match answer.end {
                        End::Resets => reset(id, INTERNAL_ERROR).write(&mut out),
                        End::Closes => return stream.write_all(&out).await,
                        End::Keeps if !answer.pause.is_zero() => dripping = Some((id, answer)),
                        End::Keeps if length == answer.body.0.len() * answer.body.1 => {
                            Frame::new(DATA, END_STREAM, id, []).write(&mut out);
                        }
                        // It waits for a window.
                        End::Keeps => {}
                    }
                }
                Behaviour::GoesAwayAfterReading => {
                    go_away(id).write(&mut out);
                    return stream.write_all(&out).await;
                }
                _ => Frame::new(HEADERS, END_HEADERS | END_STREAM, id, [STATUS_200]).write(&mut out),
            }
            open.remove(&id);
        }
        stream.write_all(&out).await?;
        out.clear();
        let before = bytes.len();
        let pause = dripping.map_or(LATE, |(_, answer)| answer.pause);
        tokio::select! {
            read = stream.read_buf(&mut bytes) => if read? == 0 { return Ok(()) },
            () = sleep(pause) => if let Some((id, answer)) = dripping {
                Frame::new(DATA, 0, id, answer.body.0).write(&mut out);
            },
        }
        shared.note_read(&bytes[before..]);
    }
}
