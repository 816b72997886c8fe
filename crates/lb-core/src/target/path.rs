//! The path and query of a request at a backend.

use std::borrow::Cow;

use crate::backend::{Backend, has_dot_segment};

/// The longest path and query that an `http::Uri` can hold, in bytes.
const MAX_PATH_AND_QUERY: usize = u16::MAX as usize - 1;

/// The prefix, the path with the backend's deployment name, and the query as it was; or why that cannot be.
#[inline]
pub(super) fn rewrite<'a>(backend: &Backend, original: &'a str) -> Result<Cow<'a, str>, &'static str> {
    let (prefix, deployment) = (backend.path_prefix(), backend.deployment());
    if prefix.is_empty() && deployment.is_none() && original.starts_with('/') {
        return Ok(Cow::Borrowed(original));
    }
    rewritten(prefix, deployment, original).map(Cow::Owned)
}

fn rewritten(prefix: &str, deployment: Option<&str>, original: &str) -> Result<String, &'static str> {
    let (path, query) = original.find('?').map_or((original, ""), |mark| original.split_at(mark));
    if !prefix.is_empty() || deployment.is_some() {
        check(path)?;
    }
    let mut rewritten = String::with_capacity(prefix.len() + original.len() + deployment.map_or(1, str::len));
    rewritten.push_str(prefix);
    if !path.starts_with('/') {
        rewritten.push('/');
    }
    match deployment.and_then(|name| Some((name, deployment_segment(path)?))) {
        Some((name, (before, after))) => {
            rewritten.push_str(before);
            rewritten.push_str(name);
            rewritten.push_str(after);
        }
        None => rewritten.push_str(path),
    }
    rewritten.push_str(query);
    if rewritten.len() > MAX_PATH_AND_QUERY {
        return Err("its path and query are too long; send long input in the body");
    }
    Ok(rewritten)
}

/// Whether no server can read `path` as one that leads out of a prefix, or around a deployment's name.
fn check(path: &str) -> Result<(), &'static str> {
    if path.contains('\\') {
        return Err("its path has a backslash; write / if that is meant, else %5C");
    }
    if has_dot_segment(path) {
        return Err("its path has . or .. segments, plain or encoded; resolve them first");
    }
    Ok(())
}

/// What is before and after the segment that follows the first `/deployments/` of a path.
fn deployment_segment(path: &str) -> Option<(&str, &str)> {
    const MARK: &str = "/deployments/";
    let start = path.find(MARK)? + MARK.len();
    let (before, rest) = path.split_at(start);
    let end = rest.find('/').unwrap_or(rest.len());
    (end > 0).then(|| (before, &rest[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::BackendBuilder;

    fn path(builder: BackendBuilder, original: &str) -> Result<String, &'static str> {
        rewrite(&builder.build().unwrap(), original).map(Cow::into_owned)
    }

    #[test]
    fn exactly_the_segment_after_deployments_is_rewritten() {
        for (original, expected) in [
            ("/openai/deployments/chat/chat/completions?v=1", "/openai/deployments/mine/chat/completions?v=1"),
            ("/openai/deployments/chat", "/openai/deployments/mine"),
            ("/openai/deployments/a/deployments/b", "/openai/deployments/mine/deployments/b"),
            ("/openai/deployments/", "/openai/deployments/"),
            ("/openai/deployments", "/openai/deployments"),
            ("/openai/my-deployments/a", "/openai/my-deployments/a"),
            ("/openai/v1/chat/completions", "/openai/v1/chat/completions"),
            ("/x?next=/deployments/a", "/x?next=/deployments/a"),
            ("/", "/"),
        ] {
            let backend = Backend::builder("a.example").deployment("mine");
            assert_eq!(path(backend, original).unwrap(), expected, "{original}");
        }
    }

    #[test]
    fn a_path_that_would_escape_the_prefix_is_refused() {
        for original in ["/../x", "/a/%2e%2E/x", "/a/..", "/./x", "..", "/..%2fx", "/..%5cx", "/..;/x", "/%252e%252e/x"]
        {
            assert!(path(Backend::builder("https://a.example/p"), original).is_err(), "{original}");
            assert!(path(Backend::builder("a.example").deployment("mine"), original).is_err(), "{original}");
            assert_eq!(
                path(Backend::builder("a.example"), original).unwrap().trim_start_matches('/'),
                original.trim_start_matches('/')
            );
        }
    }

    #[test]
    fn a_backslash_is_refused_where_there_is_something_to_leave() {
        for original in ["/..\\admin", "/a\\b", "/openai/deployments\\x/chat", "\\"] {
            assert!(path(Backend::builder("https://a.example/p"), original).unwrap_err().contains("backslash"));
            assert!(path(Backend::builder("a.example").deployment("mine"), original).is_err(), "{original}");
        }
        assert_eq!(path(Backend::builder("a.example"), "/..\\admin").unwrap(), "/..\\admin");
    }

    #[test]
    fn an_encoded_slash_and_a_query_with_dots_are_left_alone() {
        for original in ["/files/a%2Fb", "/a%5Cb", "/.well-known/...", "/x?next=/../..\\", "/\u{e9}%25"] {
            let expected = format!("/p{original}");
            assert_eq!(path(Backend::builder("https://a.example/p"), original).unwrap(), expected);
        }
    }

    #[test]
    fn the_prefix_goes_before_the_path_and_the_query_stays() {
        let backend = || Backend::builder("https://a.example/p/q/");
        assert_eq!(path(backend(), "/x?a=/b?c").unwrap(), "/p/q/x?a=/b?c");
        assert_eq!(path(backend(), "/").unwrap(), "/p/q/");
    }
}
