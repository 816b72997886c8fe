//! Requests addressed to backends.

use http::{Request, Uri};
use lb_core::{Backend, CALLER_CREDENTIAL_PARAMETERS, Pool, Step, Target, ThreadRng};
use url::Url;

/// The longest path and query that an `http::Uri` can hold, in bytes.
const MAX_URI: usize = u16::MAX as usize - 1;

/// Whatever a caller asks for, what is sent goes to the backend's origin and stays under its prefix on every server that we
/// can think of; the deployment's segment alone is replaced; the query keeps all but credentials.
///
/// Four lines: the endpoint, the deployment or nothing, the backend's own key or nothing, and the request's URI.
pub fn addressing(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let mut lines = text.splitn(4, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (endpoint, deployment, key, uri) = (line(), line(), line(), line());
    let mut builder = Backend::builder(endpoint);
    if !deployment.is_empty() {
        builder = builder.deployment(deployment);
    }
    if !key.is_empty() {
        builder = builder.api_key(key);
    }
    let (Ok(backend), Ok(uri)) = (builder.build(), uri.parse::<Uri>()) else { return };
    let pool = Pool::new([backend.clone()]).expect("one backend is a pool");
    let Step::Try(attempt) = pool.dispatch().next(|| pool.now(), &ThreadRng) else { unreachable!("it is available") };
    let target = pool.target(&attempt);
    check(&target, &backend, &uri);
    // From the text, whether or not it has an origin.
    let url = Url::parse("https://any.host").and_then(|base| base.join(&uri.to_string()));
    if let Ok(url) = url {
        check_url(&target, &backend, url);
    }
}

fn check(target: &Target<'_>, backend: &Backend, uri: &Uri) {
    let original = uri.path_and_query().map_or("/", |path_and_query| path_and_query.as_str());
    let mut request = Request::new(());
    request.uri_mut().clone_from(uri);
    let sent = target.uri(uri);
    assert_eq!(target.address(&mut request).is_ok(), sent.is_ok(), "{uri} in place");
    assert_eq!(target.path_and_query(original).is_ok(), sent.is_ok(), "{uri} as text");
    let sent = match sent {
        Ok(sent) => sent,
        Err(error) => {
            let has_something_to_leave = !backend.path_prefix().is_empty() || backend.deployment().is_some();
            assert!(has_something_to_leave || original.len() >= MAX_URI, "{uri}: {error}");
            return;
        }
    };
    assert_eq!(*request.uri(), sent);
    assert_eq!(sent.scheme(), Some(backend.scheme()));
    assert_eq!(sent.authority(), Some(backend.authority()));
    let sent_path = sent.path_and_query().expect("it has a path").as_str();
    let as_text = target.path_and_query(original).expect("as above");
    assert_eq!(as_text.trim_start_matches('/'), sent_path.trim_start_matches('/'));
    let (path, query) = original.split_once('?').map_or((original, None), |(path, query)| (path, Some(query)));
    assert_eq!(sent.path(), expected_path(backend, path), "{uri}");
    assert_eq!(sent.query(), expected_query(backend, query).as_deref(), "{uri}");
    assert_eq!(request.headers().len(), usize::from(backend.has_credential()));

    let url = Url::parse(&sent.to_string()).unwrap_or_else(|error| panic!("{sent}: {error}"));
    stays_at(backend, &url, sent.path());
}

/// Checks the same of the caller's URL as the `url` crate reads it, addressed in place.
fn check_url(target: &Target<'_>, backend: &Backend, mut url: Url) {
    let (is_web, caller) = (matches!(url.scheme(), "https" | "http"), url.clone());
    match target.address_url(&mut url) {
        Ok(()) => {
            assert!(is_web, "{caller}");
            assert!(url.username().is_empty() && url.password().is_none(), "{url}");
            assert_eq!(url.query(), expected_query(backend, caller.query()).as_deref(), "{caller}");
            let again = Url::parse(url.as_str()).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!(again, url);
            stays_at(backend, &url, url.path());
        }
        Err(error) => {
            let has_something_to_leave = !backend.path_prefix().is_empty() || backend.deployment().is_some();
            assert!(has_something_to_leave || !is_web || caller.as_str().len() >= MAX_URI / 2, "{caller}: {error}");
        }
    }
}

/// Checks that a request for `url`, which was sent with `path`, goes to the backend's origin and is served under its
/// prefix. The `url` crate escapes some characters of it that `http` leaves alone, so both are looked at as they are sent.
fn stays_at(backend: &Backend, url: &Url, path: &str) {
    let base = Url::parse(&format!("{}{}", backend.origin(), backend.path_prefix())).expect("endpoints checks it");
    assert_eq!(url.origin(), base.origin(), "{url}");
    if backend.path_prefix().is_empty() {
        return;
    }
    let prefix = format!("{}/", base.path());
    assert!(format!("{}/", url.path()).starts_with(&prefix), "{url} is not under {prefix}");
    let prefix = if path == url.path() { base.path() } else { backend.path_prefix() };
    for server in Server::all() {
        let (served, prefix) = (server.serves(path), server.serves(prefix));
        assert!(served.starts_with(&prefix), "{url} is served as {served:?}, not under {prefix:?}");
    }
}

/// The path with prefix and deployment: by splitting at every slash, unlike the code under test.
fn expected_path(backend: &Backend, path: &str) -> String {
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let mut segments: Vec<&str> = path.split('/').collect();
    let named = segments.iter().skip(1).position(|segment| *segment == "deployments").map(|mark| mark + 2);
    let segment = named.and_then(|named| segments.get_mut(named)).filter(|segment| !segment.is_empty());
    if let (Some(name), Some(segment)) = (backend.deployment(), segment) {
        *segment = name;
    }
    format!("{}{}", backend.path_prefix(), segments.join("/"))
}

/// The query without credentials: by names and values, unlike the code under test.
fn expected_query(backend: &Backend, query: Option<&str>) -> Option<String> {
    let query = query?;
    let is_credential = |parameter: &&str| {
        let name = parameter.split('=').next().unwrap_or_default().to_ascii_lowercase();
        CALLER_CREDENTIAL_PARAMETERS.contains(&name.as_str())
    };
    let parameters: Vec<&str> = query.split('&').collect();
    if !backend.has_credential() || !parameters.iter().any(is_credential) {
        return Some(query.to_owned());
    }
    let kept: Vec<&str> = parameters.into_iter().filter(|parameter| !is_credential(parameter)).collect();
    Some(kept.join("&")).filter(|kept| !kept.is_empty())
}

/// How a server reads paths.
struct Server {
    /// How often it takes percent-encoding off.
    decodes: u8,
    /// It reads `\` as `/`.
    reads_backslashes: bool,
    /// It cuts parameters off segments, and a query, a fragment or a NUL off the path, after it decoded.
    cuts: bool,
}

impl Server {
    fn all() -> impl Iterator<Item = Self> {
        (0..=3).flat_map(|decodes| {
            [(false, false), (false, true), (true, false), (true, true)].map(|(reads_backslashes, cuts)| Self {
                decodes,
                reads_backslashes,
                cuts,
            })
        })
    }

    /// The segments of what it serves for `path`.
    fn serves(&self, path: &str) -> Vec<Vec<u8>> {
        let mut path = path.as_bytes().to_vec();
        for _ in 0..self.decodes {
            path = decoded(&path);
        }
        if self.reads_backslashes {
            path.iter_mut().filter(|b| **b == b'\\').for_each(|b| *b = b'/');
        }
        if self.cuts {
            let end = path.iter().position(|b| matches!(b, b'?' | b'#' | 0)).unwrap_or(path.len());
            path.truncate(end);
        }
        let mut served: Vec<Vec<u8>> = Vec::new();
        for segment in path.split(|b| *b == b'/') {
            let end = segment.iter().position(|b| self.cuts && *b == b';').unwrap_or(segment.len());
            match &segment[..end] {
                b"" | b"." => {}
                b".." => drop(served.pop()),
                name => served.push(name.to_vec()),
            }
        }
        served
    }
}

/// `path` with its percent-encoding taken off once.
fn decoded(path: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let [byte, after @ ..] = rest {
        let digits = after.first_chunk::<2>().filter(|_| *byte == b'%').and_then(|digits| str::from_utf8(digits).ok());
        let escaped = digits.filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                rest = &after[2..];
            }
            None => {
                decoded.push(*byte);
                rest = after;
            }
        }
    }
    decoded
}
