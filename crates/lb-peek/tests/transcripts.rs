//! Streams as services write them, each in a file of `tests/data`, split in every way.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::{collections::BTreeMap, convert::Infallible, fs, future::pending, path::Path, time::Duration};

use bytes::Bytes;
use futures::executor::block_on;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use lb_core::Refusal;
use lb_peek::{Classifier, Verdict, peek};
use proptest::prelude::*;

/// The refusals that are no bare 429.
const OTHERS: [(&str, Refusal); 4] = [
    ("refused-unavailable-chat", Refusal::new(503)),
    ("refused-responses-overloaded", Refusal::new(503)),
    ("refused-responses-name-only", Refusal::new(429).with_retry_after(Duration::from_secs(7))),
    ("refused-chat-after-preamble", Refusal::new(429).with_retry_after(Duration::from_millis(250))),
];

/// All of them by name: with the line ends of the file, and with the two others that events may have.
fn transcripts() -> BTreeMap<String, Vec<u8>> {
    let mut transcripts = BTreeMap::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        transcripts.insert(format!("{name} CRLF"), text.replace('\n', "\r\n").into_bytes());
        transcripts.insert(format!("{name} CR"), text.replace('\n', "\r").into_bytes());
        transcripts.insert(format!("{name} BOM"), format!("\u{feff}{text}").into_bytes());
        transcripts.insert(name.to_owned(), text.into_bytes());
    }
    assert!(transcripts.len() > 100, "the transcripts are here");
    transcripts
}

/// What the name of a transcript says of it.
fn expected(name: &str) -> Option<Refusal> {
    let name = name.split(' ').next().unwrap();
    let other = OTHERS.iter().find(|(other, _)| *other == name).map(|(_, refusal)| *refusal);
    other.or_else(|| name.starts_with("refused-").then_some(Refusal::new(429)))
}

/// What a classifier says of these pieces of a stream.
fn classify<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> Option<Refusal> {
    let mut classifier = Classifier::new();
    let decided = pieces.into_iter().map(|piece| classifier.feed(piece)).find(|said| *said != Verdict::Undecided);
    match decided.unwrap_or_else(|| classifier.end()) {
        Verdict::Refused(refusal) => Some(refusal),
        Verdict::Commit => None,
        Verdict::Undecided => panic!("an end is a verdict"),
    }
}

/// What is said of a body of these pieces, and what is handed on.
fn handed_on(pieces: &[&[u8]]) -> (Option<Refusal>, Bytes) {
    let frames: Vec<_> =
        pieces.iter().map(|piece| Ok::<_, Infallible>(Frame::data(Bytes::copy_from_slice(piece)))).collect();
    let body = StreamBody::new(futures::stream::iter(frames));
    block_on(async {
        let (body, refusal) = peek(body, pending()).await;
        (refusal, body.collect().await.unwrap().to_bytes())
    })
}

#[test]
fn each_transcript_is_what_its_name_says() {
    for (name, bytes) in transcripts() {
        assert_eq!(classify([&bytes[..]]), expected(&name), "{name}");
    }
}

#[test]
fn a_transcript_may_be_split_at_every_byte() {
    for (name, bytes) in transcripts() {
        assert_eq!(classify(bytes.chunks(1)), expected(&name), "{name}");
        // A line end of two bytes is what can be split.
        let cuts = if name.ends_with("CRLF") { 0..=bytes.len() } else { 0..=0 };
        for at in cuts {
            let (head, tail) = bytes.split_at(at);
            assert_eq!(classify([head, tail]), expected(&name), "{name} at {at}");
        }
    }
}

#[test]
fn every_byte_of_a_transcript_is_handed_on() {
    for (name, bytes) in transcripts() {
        for size in [1, 2, 7, 100, usize::MAX] {
            let pieces: Vec<_> = bytes.chunks(size).collect();
            assert_eq!(handed_on(&pieces), (expected(&name), Bytes::from(bytes.clone())), "{name} by {size}");
        }
    }
}

/// What streams are made of, and what they are not.
fn token() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        "data: ",
        "data:",
        "event: ",
        "id: ",
        ": ",
        "\n",
        "\n\n",
        "\r\n",
        "\r",
        "\r\n\r\n",
        "[DONE]",
        "error",
        "response.failed",
        r#"{"type":"response.created"}"#,
        r#"{"choices":[]}"#,
        r#"{"error":{"code":"429"}}"#,
        r#"{"type":"response.failed"}"#,
        r#"{"choices":[{"delta":{"role":"assistant"}}]}"#,
        "{",
        "}",
        "\"",
        "\u{feff}",
    ];
    prop_oneof![
        8 => prop::sample::select(known.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..8),
        1 => (0_usize..40_000).prop_map(|length| vec![b'x'; length]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn however_a_stream_is_split_the_verdict_and_the_bytes_are_the_same(
        tokens in prop::collection::vec(token(), 0..24),
        mut cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let bytes = tokens.concat();
        cuts.sort_by_key(|cut| cut.index(bytes.len() + 1));
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts {
            let to = cut.index(bytes.len() + 1);
            pieces.push(&bytes[from..to]);
            from = to;
        }
        pieces.push(&bytes[from..]);
        let whole = classify([&bytes[..]]);
        prop_assert_eq!(handed_on(&pieces), (whole, Bytes::from(bytes.clone())));
        if bytes.len() < 4_096 {
            prop_assert_eq!(classify(bytes.chunks(1)), whole);
        }
    }
}
