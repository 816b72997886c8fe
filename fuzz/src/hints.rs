//! Hints in response headers.

use std::{
    cell::Cell,
    time::{Duration, UNIX_EPOCH},
};

use http::{HeaderMap, HeaderName, HeaderValue};
use lb_core::{Hint, MAX_HINT, hint};

/// Any headers give a hint of whole milliseconds up to [`MAX_HINT`], or none; the same from lines and from a map, and in
/// any order of the lines.
///
/// The first line is the status and the wall clock in seconds, `429 1795348800`; each other is a header, `name: value`.
pub fn hints(input: &[u8]) {
    let mut lines = input.split(|b| *b == b'\n');
    let first = lines.next().and_then(|line| str::from_utf8(line).ok()).unwrap_or_default();
    let (status, wall) = first.split_once(' ').unwrap_or((first, ""));
    let (status, wall) = (status.parse().unwrap_or(429), wall.parse().unwrap_or(0_u32));
    let mut headers: Vec<(String, &[u8])> = lines
        .filter_map(|line| {
            let colon = line.iter().position(|b| *b == b':')?;
            let value = line[colon + 1..].strip_prefix(b" ").unwrap_or(&line[colon + 1..]);
            Some((String::from_utf8_lossy(&line[..colon]).into_owned(), value))
        })
        .collect();

    let reads = Cell::new(0);
    let wall = || {
        reads.set(reads.get() + 1);
        UNIX_EPOCH + Duration::from_secs(wall.into())
    };
    let read = hint(status, &headers[..], wall);
    assert!(reads.get() <= 1, "the wall clock is read once at most");
    assert!(read.is_none() || status == 429 || status >= 500, "{status} has no hint");
    if let Some(delay) = read.as_ref().map(Hint::delay) {
        assert!(delay <= MAX_HINT && delay.subsec_nanos().is_multiple_of(1_000_000), "{delay:?}");
    }
    if let Some(map) = header_map(&headers) {
        assert_eq!(hint(status, &map, wall), read, "a map and lines agree");
    }
    // Of two dates the first is the response's, and of more than 128 lines the last are not read.
    let dates = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("date")).count();
    if dates <= 1 && headers.len() <= 128 {
        headers.reverse();
        assert_eq!(hint(status, &headers[..], wall), read, "the order of lines says nothing");
    }
}

/// The same headers as a map; `None` if one of them cannot be in one.
fn header_map(headers: &[(String, &[u8])]) -> Option<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_bytes(value).ok()?);
    }
    Some(map)
}
