//! The headers of a request at a backend.

use http::{HeaderMap, HeaderName};

use crate::{
    backend::{Backend, CALLER_CREDENTIALS},
    credential::Credential,
};

/// What is removed, in lower case.
const NAMES: [&str; 8] = {
    let [a, b, c, d, e, f, g] = CALLER_CREDENTIALS;
    ["host", a, b, c, d, e, f, g]
};

/// The same, parsed: so that addressing a request does not parse them each time.
static PARSED: [HeaderName; NAMES.len()] = [
    HeaderName::from_static(NAMES[0]),
    HeaderName::from_static(NAMES[1]),
    HeaderName::from_static(NAMES[2]),
    HeaderName::from_static(NAMES[3]),
    HeaderName::from_static(NAMES[4]),
    HeaderName::from_static(NAMES[5]),
    HeaderName::from_static(NAMES[6]),
    HeaderName::from_static(NAMES[7]),
];

/// Removes `host` and the caller's credentials, and sets the backend's.
pub(super) fn replace(headers: &mut HeaderMap, backend: &Backend, credential: &Credential) {
    // One look at the names that are there: hashing those that are mostly absent costs several times as much.
    let mut found = 0_u32;
    for key in headers.keys() {
        if let Some(position) = position(key) {
            found |= 1 << position;
        }
    }
    while found != 0 {
        let name = &PARSED[found.trailing_zeros() as usize];
        found &= found - 1;
        // The backend's own replaces every value of its name.
        if name != credential.header() {
            headers.remove(name);
        }
    }
    for name in backend.caller_credentials().other_headers() {
        headers.remove(name);
    }
    headers.insert(credential.header().clone(), credential.value().clone());
}

/// Where in [`NAMES`] a name is.
#[inline]
fn position(name: &HeaderName) -> Option<usize> {
    let position = *BY_LENGTH.get(name.as_str().len())?;
    // As parsed names: of those that are standard only a number is compared.
    (PARSED.get(position)? == name).then_some(position)
}

/// Where in [`NAMES`] the one of a length is: no two have the same, so that a name is compared with one at most. Where
/// there is none, a position beyond the end.
static BY_LENGTH: [usize; 32] = {
    let mut positions = [NAMES.len(); 32];
    let mut index = 0;
    while index < NAMES.len() {
        assert!(positions[NAMES[index].len()] == NAMES.len(), "two names have the same length");
        positions[NAMES[index].len()] = index;
        index += 1;
    }
    positions
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_found_in_its_place() {
        for (index, name) in PARSED.iter().enumerate() {
            assert_eq!((position(name), NAMES[index]), (Some(index), name.as_str()));
        }
        for name in ["content-type", "accept", "hostx", "a-name-that-is-longer-than-any-that-is-known"] {
            assert_eq!(position(&HeaderName::from_static(name)), None);
        }
    }
}
