use std::time::Duration;

/// No more lines of one header than this are read: real answers have one or two, and a hostile one could have
/// thousands.
const MAX_LINES: usize = 128;

/// No longer value than this is read: the longest real form has 40 bytes, and what a hostile one costs must end
/// somewhere.
const MAX_VALUE: usize = 1024;

/// Header values of a response by name, as bytes.
///
/// The core asks for values through this trait, so that it fits HTTP stacks with another version of `http` or a header
/// map of their own. It is dyn-safe.
///
/// # Contract
///
/// 1. `visit` calls back once for every value of the header, in order of arrival, and not at all if there is none.
/// 2. `name` is in lower case; the header is found however it was spelt on the wire.
/// 3. The callback may call `visit` for another name on the same headers.
///
/// # Example
///
/// ```
/// use lb_core::Headers;
///
/// /// A response that keeps its header lines as they came.
/// struct Lines(Vec<(String, Vec<u8>)>);
///
/// impl Headers for Lines {
///     fn visit(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
///         for (_, value) in self.0.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)) {
///             visit(value);
///         }
///     }
/// }
/// # let lines = Lines(vec![("Retry-After".into(), b"5".to_vec())]);
/// # let hint = lb_core::hint(503, &lines, || std::time::UNIX_EPOCH);
/// # assert_eq!(hint.unwrap().delay(), std::time::Duration::from_secs(5));
/// ```
pub trait Headers {
    /// Calls `visit` once for every value of the header `name` (lower case), in order of arrival.
    fn visit(&self, name: &str, visit: &mut dyn FnMut(&[u8]));
}

impl Headers for http::HeaderMap {
    fn visit(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        for value in self.get_all(name) {
            visit(value.as_bytes());
        }
    }
}

/// Lines as written by hand, for tests and small tools; names match in any case.
impl<N: AsRef<str>, V: AsRef<[u8]>> Headers for [(N, V)] {
    fn visit(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        for (_, value) in self.iter().filter(|(n, _)| n.as_ref().eq_ignore_ascii_case(name)) {
            visit(value.as_ref());
        }
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> Headers for Vec<(N, V)> {
    fn visit(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        self.as_slice().visit(name, visit);
    }
}

/// Calls `read` for every line of `name` within bounds, without the white space around it.
pub(super) fn usable(headers: &(impl Headers + ?Sized), name: &str, mut read: impl FnMut(&[u8])) {
    let mut left = MAX_LINES;
    headers.visit(name, &mut |value| {
        if let Some(fewer) = left.checked_sub(1) {
            left = fewer;
            if value.len() <= MAX_VALUE {
                read(trimmed(value));
            }
        }
    });
}

/// The longest delay that `read` finds among all lines of all `names`.
pub(super) fn longest(
    headers: &(impl Headers + ?Sized),
    names: &[&str],
    read: impl Fn(&[u8]) -> Option<Duration>,
) -> Option<Duration> {
    let mut longest = None;
    for name in names {
        // max: of repeated lines the larger decides, and None is the smallest.
        usable(headers, name, |text| longest = longest.max(read(text)));
    }
    longest
}

/// Without optional white space, which is spaces and tabs and nothing else (RFC 9110, 5.6.3).
pub(super) fn trimmed(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(headers: &(impl Headers + ?Sized), name: &str) -> usize {
        let mut count = 0;
        usable(headers, name, |_| count += 1);
        count
    }

    #[test]
    fn lines_beyond_the_bound_are_not_read() {
        let lines = vec![("retry-after", "1"); MAX_LINES + 1];
        assert_eq!(count(&lines[..], "retry-after"), MAX_LINES);
    }

    #[test]
    fn a_value_beyond_the_bound_is_not_read() {
        assert_eq!(count(&[("retry-after", vec![b'1'; MAX_VALUE])][..], "retry-after"), 1);
        assert_eq!(count(&[("retry-after", vec![b'1'; MAX_VALUE + 1])][..], "retry-after"), 0);
    }

    #[test]
    fn only_spaces_and_tabs_are_trimmed() {
        assert_eq!(trimmed(b" \t 5 6\t "), b"5 6");
        assert_eq!(trimmed(b"\n5\xa0"), b"\n5\xa0");
        assert_eq!(trimmed(b" \t "), b"");
    }

    #[test]
    fn any_header_map_can_be_asked_through_the_object() {
        let mut map = http::HeaderMap::new();
        map.append("Retry-After", http::HeaderValue::from_static("1"));
        map.append("retry-after", http::HeaderValue::from_static("2"));
        let headers: &dyn Headers = &map;

        let mut values = Vec::new();
        headers.visit("retry-after", &mut |value| values.push(value.to_vec()));
        assert_eq!(values, [b"1", b"2"]);
        assert_eq!(count(headers, "retry-after-ms"), 0);
    }
}
