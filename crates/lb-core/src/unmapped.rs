//! Why a request went out with the caller's model.

use std::fmt;

/// Why a body went to a backend as the caller wrote it, though that backend has names of its own for models. It is never an
/// error: what the backend says of the caller's name is the answer.
///
/// What needs no name is not among these: a path with a deployment in it, a request without a body, and a caller's name for
/// which the backend has no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unmapped {
    /// The transport did not look into the body: it is a stream or a reader, or the transport cannot, or was built without
    /// its feature `json`.
    NotRead,
    /// The content type is not JSON, as that of a multipart form, which has the model in a part; or there is none.
    ContentType,
    /// The body is no JSON object in UTF-8, or has something behind it.
    NoObject,
    /// The object has no member `model`, or it is null.
    NoModel,
    /// The object has more than one member `model`.
    TwoModels,
    /// The member `model` is no string.
    NoString,
}

impl fmt::Display for Unmapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotRead => "the body is a stream, or the transport does not read bodies",
            Self::ContentType => "the content type is not JSON",
            Self::NoObject => "the body is no JSON object",
            Self::NoModel => "the body has no model",
            Self::TwoModels => "the body has more than one model",
            Self::NoString => "the body's model is no string",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Unmapped;

    #[test]
    fn each_reason_is_told_from_the_others() {
        let all = [
            Unmapped::NotRead,
            Unmapped::ContentType,
            Unmapped::NoObject,
            Unmapped::NoModel,
            Unmapped::TwoModels,
            Unmapped::NoString,
        ];
        let told: std::collections::BTreeSet<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), all.len());
        assert!(told.iter().all(|reason| reason.starts_with("the ")), "{told:?}");
    }
}
