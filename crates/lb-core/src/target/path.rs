//! The path and query of a request at a backend.

use crate::backend::{Backend, has_dot_segment};

/// The longest path and query that an `http::Uri` can hold, in bytes.
const MAX_PATH_AND_QUERY: usize = u16::MAX as usize - 1;

/// The prefix, the path with the backend's deployment name, and the query without the caller's credentials if the backend
/// has its own; `None` if that is what the caller wrote; or why it cannot be.
///
/// `query` is without its `?`.
#[inline]
pub(super) fn rewrite(backend: &Backend, path: &str, query: Option<&str>) -> Result<Option<String>, &'static str> {
    let has_secret = backend.has_credential() && query.is_some_and(|query| has_credential(backend, query));
    if !has_secret && backend.path_prefix().is_empty() && backend.deployment().is_none() && path.starts_with('/') {
        return Ok(None);
    }
    let kept = query.filter(|_| has_secret).map(|query| without_credentials(backend, query));
    let query = if has_secret { kept.as_deref().filter(|kept| !kept.is_empty()) } else { query };
    rewritten(backend.path_prefix(), backend.deployment(), path, query).map(Some)
}

fn rewritten(prefix: &str, deployment: Option<&str>, path: &str, query: Option<&str>) -> Result<String, &'static str> {
    if !prefix.is_empty() || deployment.is_some() {
        check(path)?;
    }
    let length = prefix.len() + path.len() + query.map_or(0, |query| 1 + query.len()) + deployment.map_or(1, str::len);
    let mut rewritten = String::with_capacity(length);
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
    if let Some(query) = query {
        rewritten.push('?');
        rewritten.push_str(query);
    }
    if rewritten.len() > MAX_PATH_AND_QUERY {
        return Err("its path and query are too long; send long input in the body");
    }
    Ok(rewritten)
}

/// The collections whose members exist at one resource only.
///
/// OpenAI's API reference (<https://platform.openai.com/docs/api-reference>) and Azure's
/// (<https://learn.microsoft.com/azure/ai-foundry/openai/latest>) have them under these names.
const STATEFUL: [&str; 12] = [
    "assistants",
    "batches",
    "containers",
    "conversations",
    "evals",
    "files",
    "fine_tuning",
    "responses",
    "threads",
    "uploads",
    "vector_stores",
    "videos",
];

/// Whether a path names a member of such a collection: has a segment after one of their names, which is not a deployment's.
#[cold]
pub(super) fn is_stateful(path: &str) -> bool {
    let segments: Vec<_> = path.split('/').collect();
    let is_member = |three: &[&str]| three[0] != "deployments" && STATEFUL.contains(&three[1]) && !three[2].is_empty();
    segments.windows(3).any(is_member)
}

/// Whether a query has parameters in which callers send credentials.
fn has_credential(backend: &Backend, query: &str) -> bool {
    let has_one = |parameter: &[u8]| backend.caller_credentials().has_parameter(parameter);
    let query = query.as_bytes();
    // Most queries are one parameter. A look at all bytes without a way out takes few instructions for each 16 of them,
    // which the search for the first does not.
    if !query.iter().fold(false, |found, b| found | (*b == b'&')) {
        return has_one(query);
    }
    query.split(|b| *b == b'&').any(has_one)
}

/// A query without them; empty if nothing is left.
#[cold]
fn without_credentials(backend: &Backend, query: &str) -> String {
    let kept = query.split('&').filter(|parameter| !has_credential(backend, parameter));
    kept.collect::<Vec<_>>().join("&")
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

/// The deployment that a path names.
#[inline]
pub(crate) fn deployment(path: &str) -> Option<&str> {
    let after = path.strip_prefix("/openai/deployments/").or_else(|| after_deployments(path))?;
    let end = segment_end(after);
    (end > 0).then(|| &after[..end])
}

/// What is before and after the segment that follows the first `/deployments/` of a path.
fn deployment_segment(path: &str) -> Option<(&str, &str)> {
    let after = after_deployments(path)?;
    let end = segment_end(after);
    (end > 0).then(|| (&path[..path.len() - after.len()], &after[end..]))
}

/// What follows the first `/deployments/` of a path.
fn after_deployments(path: &str) -> Option<&str> {
    // A comparison of 13 bytes at each place: `str::find` prepares itself for longer.
    const MARK: &[u8; 13] = b"/deployments/";
    let start = path.as_bytes().windows(MARK.len()).position(|window| window == MARK)? + MARK.len();
    Some(&path[start..])
}

/// Where the first segment of a path ends that begins with one.
#[inline]
fn segment_end(path: &str) -> usize {
    path.as_bytes().iter().position(|b| *b == b'/').unwrap_or(path.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::BackendBuilder;

    fn path(builder: BackendBuilder, original: &str) -> Result<String, &'static str> {
        let (path, query) = original.split_once('?').map_or((original, None), |(path, query)| (path, Some(query)));
        rewrite(&builder.build().unwrap(), path, query)
            .map(|rewritten| rewritten.unwrap_or_else(|| original.to_owned()))
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
    fn the_deployment_is_the_same_segment_that_is_rewritten() {
        for (path, expected) in [
            ("/openai/deployments/chat/chat/completions", Some("chat")),
            ("/openai/deployments/chat", Some("chat")),
            ("/openai/deployments/", None),
            ("/openai/deployments//x", None),
            ("/p/openai/deployments/a/deployments/b", Some("a")),
            ("/deployments/a", Some("a")),
            ("/openai/my-deployments/a", None),
            ("/openai/v1/responses", None),
            ("", None),
        ] {
            assert_eq!(deployment(path), expected, "{path}");
            assert_eq!(deployment_segment(path).is_some(), expected.is_some(), "{path}");
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
    fn the_callers_credentials_leave_the_query_and_all_else_stays_in_its_order() {
        let own = || Backend::builder("a.example").api_key("own");
        for (original, expected) in [
            ("/x?api-version=1&subscription-key=K&b=%20", "/x?api-version=1&b=%20"),
            ("/x?subscription-key=K&api-version=1", "/x?api-version=1"),
            ("/x?api-version=1&KEY=K", "/x?api-version=1"),
            ("/x?key=K", "/x"),
            ("/x?key", "/x"),
            ("/x?key=K&sig=S&access_token=T&api_key=K&api-key=K=K", "/x"),
            ("/x?a=1&&key=K&b", "/x?a=1&&b"),
            ("/x?keys=1&monkey=2&a=key=K", "/x?keys=1&monkey=2&a=key=K"),
            ("/x?", "/x?"),
            ("/x?&", "/x?&"),
            ("/key=K?a", "/key=K?a"),
        ] {
            assert_eq!(path(own(), original).unwrap(), expected, "{original}");
            let [moved, expected] = [original, expected].map(|path| format!("/p{path}"));
            assert_eq!(path(Backend::builder("a.example/p").api_key("own"), original).unwrap(), expected, "{original}");
            assert_eq!(path(Backend::builder("a.example/p"), original).unwrap(), moved, "the caller's own stay");
            assert_eq!(path(Backend::builder("a.example"), original).unwrap(), original, "the caller's own stay");
        }
    }

    #[test]
    fn a_query_without_credentials_is_not_copied() {
        let backend = Backend::builder("a.example").api_key("own").build().unwrap();
        for query in [None, Some(""), Some("api-version=1&a=b")] {
            assert_eq!(rewrite(&backend, "/x", query), Ok(None));
        }
    }

    #[test]
    fn the_prefix_goes_before_the_path_and_the_query_stays() {
        let backend = || Backend::builder("https://a.example/p/q/");
        assert_eq!(path(backend(), "/x?a=/b?c").unwrap(), "/p/q/x?a=/b?c");
        assert_eq!(path(backend(), "/").unwrap(), "/p/q/");
    }
}
