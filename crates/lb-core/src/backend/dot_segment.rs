//! Segments that lead out of a path, in every spelling that some server takes for one.

use std::borrow::Cow;

/// Whether `path` has a `.` or `..` segment for a server that decodes it once or more often before it routes, reads `\`
/// as `/`, or cuts parameters, a query or white space off a segment.
///
/// One path in many spellings: `..`, `%2e%2E`, `%252e.`, `..;x=y`, `..%2fadmin`, `..%5Cadmin`, `..%3f`, `..%00`.
pub(crate) fn has_dot_segment(path: &str) -> bool {
    can_have_one(path.as_bytes()) && has_one(path)
}

/// Whether a second look is needed, in a few instructions for each 16 bytes: hardly any path has an escape, or a segment
/// that begins with a dot.
fn can_have_one(path: &[u8]) -> bool {
    let Some((first, rest)) = path.split_first() else { return false };
    let pairs = path.iter().zip(rest);
    let found = pairs
        .fold(false, |found, (before, b)| found | (*b == b'%') | (*b == b'\\') | ((*before == b'/') & (*b == b'.')));
    found | matches!(first, b'%' | b'\\' | b'.')
}

fn has_one(path: &str) -> bool {
    let decoded = if path.contains('%') { Cow::Owned(decoded(path)) } else { Cow::Borrowed(path.as_bytes()) };
    decoded.split(|b| matches!(b, b'/' | b'\\')).any(is_dot_segment)
}

fn is_dot_segment(segment: &[u8]) -> bool {
    let dots = segment.iter().take_while(|b| **b == b'.').count();
    // What follows the dots must be part of a name: `.well-known` is an ordinary segment.
    let is_cut_off = |b: &u8| matches!(b, 0..=b' ' | b';' | b'?' | b'#' | 0x7f);
    matches!(dots, 1 | 2) && segment.get(dots).is_none_or(is_cut_off)
}

/// `path` with its percent-encoding taken off until none is left: `%252e` is `%2e` is `.`.
fn decoded(path: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(path.len());
    for byte in path.bytes() {
        decoded.push(byte);
        // A byte that was just decoded may be the last of another escape. Each turn takes two bytes away, so that a path
        // of nothing but `%25` takes no longer than another.
        while let [.., b'%', high, low] = decoded[..] {
            let Some(byte) = hex(high).zip(hex(low)).map(|(high, low)| high << 4 | low) else { break };
            decoded.truncate(decoded.len() - 3);
            decoded.push(byte);
        }
    }
    decoded
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_segment_is_found_in_every_spelling() {
        for path in [
            "..",
            ".",
            ".%2e",
            "%2e%2e/x",
            "\\..%2f",
            "/..",
            "/./x",
            "/a/../b",
            "/a/..",
            "/%2e%2E/x",
            "/.%2e",
            "/%252e%252E/x",
            "/%25252e/x",
            "/%25%32%65%%32e/x",
            "/..\\admin",
            "\\..",
            "/a\\.\\b",
            "/..%2fadmin",
            "/..%2Fadmin",
            "/..%5cadmin",
            "/a%5C..",
            "/a%2f..%2fb",
            "/..%252fadmin",
            "/..;/admin",
            "/..;x=y/admin",
            "/..%3b/admin",
            "/.;/x",
            "/..%3fx",
            "/..%23",
            "/..%00",
            "/..%20/x",
            "/..%7f",
        ] {
            assert!(has_dot_segment(path), "{path}");
        }
    }

    #[test]
    fn what_only_resembles_a_dot_segment_is_an_ordinary_name() {
        for path in [
            "",
            "/",
            "//",
            "/...",
            "/..a",
            "/.well-known/x",
            "/a..",
            "/a.",
            "/..-/x",
            "/a%2Fb",
            "/models/meta%2Fllama-3.1",
            "/file%20name.txt",
            "/a;b/..c",
            "/%",
            "/%2",
            "/%zz..",
            "/..%e9",
            "/100%25",
            "/%2e%2e%2e",
            "/\u{e9}..",
        ] {
            assert!(!has_dot_segment(path), "{path}");
        }
    }

    #[test]
    fn a_path_of_nothing_but_escapes_takes_no_longer_than_another() {
        // Of the order of the square of its length this would not end.
        let path = format!("/%{}2e", "25".repeat(500_000));
        assert!(has_dot_segment(&path));
    }
}
