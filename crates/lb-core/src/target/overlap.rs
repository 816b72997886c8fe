//! A path that the endpoint and the request both have, and that the backend gets twice.

use crate::{
    backend::Backend,
    level::{Level, is_traced},
};

/// Warns, once for each backend, if its path prefix and the path of a request seem to be parts of one path.
///
/// An endpoint is often copied with `/openai/v1` at its end, while the SDK puts the same before its own paths; then every
/// caller gets a 404. There are gateways where it is right, so it is no error.
pub(super) fn warn(backend: &Backend, original: &str) {
    // Before the comparison, which costs more than the question.
    if !is_traced(Level::Warn) {
        return;
    }
    let Some(segment) = overlap(backend.path_prefix(), original) else { return };
    if backend.is_first_overlap() {
        trace(backend, segment);
    }
}

#[cfg(not(feature = "tracing"))]
const fn trace(_backend: &Backend, _segment: &str) {}

#[cfg(feature = "tracing")]
fn trace(backend: &Backend, segment: &str) {
    tracing::warn!(
        target: "lb_core",
        backend = backend.name(),
        prefix = backend.path_prefix(),
        segment,
        "the endpoint's path is put before the request's, which begins with a segment of it; if the backend answers 404, \
         leave the path out of the endpoint"
    );
}

/// The first segment of a path, if the prefix has it too.
fn overlap<'a>(prefix: &str, original: &'a str) -> Option<&'a str> {
    let first = original.strip_prefix('/').unwrap_or(original).split(['/', '?']).next()?;
    (!first.is_empty() && prefix.split('/').any(|segment| segment == first)).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_begins_with_a_part_of_the_prefix_overlaps() {
        for (prefix, original) in [
            ("/openai", "/openai/deployments/d/chat/completions?api-version=1"),
            ("/openai/v1", "/openai/v1/chat/completions"),
            ("/openai/deployments/d/chat/completions", "/openai/deployments/d/chat/completions"),
            ("/openai/deployments/d", "/openai/v1/responses"),
            ("/team-a/openai", "/openai/v1/responses"),
            ("/v1", "v1?x=y"),
        ] {
            assert!(overlap(prefix, original).is_some(), "{prefix} {original}");
        }
    }

    #[test]
    fn paths_that_belong_together_do_not_overlap() {
        for (prefix, original) in [
            ("", "/openai/v1/responses"),
            ("/team-a", "/openai/v1/responses"),
            ("/openai/v1", "/chat/completions"),
            ("/openai", "/openai-2/v1"),
            ("/openai", "/v1/openai"),
            ("/openai", "/?next=/openai"),
            ("/openai", "/"),
            ("/openai", "//openai"),
        ] {
            assert_eq!(overlap(prefix, original), None, "{prefix} {original}");
        }
    }
}
