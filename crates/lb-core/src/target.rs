//! A target: the backend of one attempt, with its credential, and how a request is addressed to it.

mod headers;
#[cfg(feature = "json")]
mod model;
mod overlap;
mod path;
#[cfg(feature = "url")]
mod url;

#[cfg(feature = "json")]
pub(crate) use model::model_of_body;
pub(crate) use path::deployment as deployment_of_path;

use std::{
    borrow::Cow,
    fmt,
    future::Future,
    pin::pin,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use http::{HeaderMap, Uri, header::HOST, uri::PathAndQuery};

#[cfg(feature = "json")]
use crate::unmapped::Unmapped;
use crate::{
    attempt::Attempt,
    backend::{Auth, Backend, CALLER_CREDENTIALS},
    credential::{Credential, CredentialError, CredentialSource},
    error::AddressError,
    fault::Fault,
    pool::Pool,
};

/// Where one attempt goes: a backend, and the credential that was obtained for this attempt.
///
/// [`Pool::target`] makes it of an [`Attempt`]; a transport addresses its request to it, with
/// [`address`](Target::address) for an `http::Request`, or piece by piece for other request types.
///
/// What addressing does, always from the caller's unchanged request, never from an earlier attempt's:
/// - scheme and authority become the backend's, its path prefix is put before the path, and its deployment name
///   replaces the segment after `/deployments/`;
/// - with the feature `json` its name for the model replaces the one in a JSON body, if the transport puts it there
///   (`Target::address_body`);
/// - `host` is removed, so that the HTTP stack sets it from the URI;
/// - if the backend has a credential of its own, the caller's are removed from headers and query, and the backend's is
///   set; [`Backend`] has the list. Otherwise the caller's headers and query stay as they are.
pub struct Target<'p> {
    backend: &'p Backend,
    attempt: u32,
    auth: TargetAuth<'p>,
    /// What the transport knows of the attempt's end.
    fault: OnceLock<Fault>,
    /// Whether the request's path names what is stored at one resource, where the pool looks at that.
    stateful: Option<AtomicBool>,
    /// Whether the caller's model went out, and why; nothing as long as nobody looked.
    #[cfg(feature = "json")]
    unmapped: OnceLock<Option<Unmapped>>,
}

enum TargetAuth<'p> {
    /// The caller's credential stays on the request.
    Caller,
    /// The backend's credential replaces the caller's.
    Own(Cow<'p, Credential>),
    /// The backend's credential has not been obtained yet: the request cannot be addressed.
    Pending(&'p dyn CredentialSource),
}

impl Pool {
    /// Where an attempt goes.
    ///
    /// # Panics
    ///
    /// If the attempt is of a dispatch over another pool, which has more backends.
    #[must_use]
    pub fn target(&self, attempt: &Attempt) -> Target<'_> {
        let stateful = self.policy.guards_stateful_paths.then(AtomicBool::default);
        Target { stateful, ..Target::new(&self.backends()[attempt.slot()], attempt.number()) }
    }
}

impl<'p> Target<'p> {
    fn new(backend: &'p Backend, attempt: u32) -> Self {
        let auth = match backend.auth() {
            Auth::Unspecified | Auth::Caller => TargetAuth::Caller,
            Auth::Fixed(credential) => TargetAuth::Own(Cow::Borrowed(credential)),
            Auth::Source(source) => TargetAuth::Pending(source.as_ref()),
        };
        Self {
            backend,
            attempt,
            auth,
            fault: OnceLock::new(),
            stateful: None,
            #[cfg(feature = "json")]
            unmapped: OnceLock::new(),
        }
    }

    /// The backend of this attempt.
    #[must_use]
    pub const fn backend(&self) -> &'p Backend {
        self.backend
    }

    /// Which attempt of the request this is, from 1.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Obtains the credential, if the backend has a [`CredentialSource`]; a fixed key is ready at once.
    ///
    /// The balancers' loop calls it before every attempt. Call it yourself only if you drive a
    /// [`Dispatch`](crate::Dispatch) by hand.
    ///
    /// # Errors
    ///
    /// What the source says. Settle the attempt with [`Fault::Credential`](crate::Fault::Credential).
    pub async fn obtain_credential(&mut self) -> Result<(), CredentialError> {
        if let TargetAuth::Pending(source) = self.auth {
            self.auth = TargetAuth::Own(Cow::Owned(source.credential().await?));
        }
        Ok(())
    }

    /// Obtains the credential like [`obtain_credential`](Target::obtain_credential), without waiting for it.
    ///
    /// # Errors
    ///
    /// What the source says, or that it is not ready.
    pub fn obtain_credential_now(&mut self) -> Result<(), CredentialError> {
        match pin!(self.obtain_credential()).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(CredentialError::new("its source was not ready, and a blocking call does not wait")),
        }
    }

    /// The credential that replaces the caller's; `None` if the caller's stays.
    ///
    /// # Errors
    ///
    /// If the backend has a credential source and nothing was obtained from it.
    pub fn credential(&self) -> Result<Option<&Credential>, AddressError> {
        match &self.auth {
            TargetAuth::Caller => Ok(None),
            TargetAuth::Own(credential) => Ok(Some(credential)),
            TargetAuth::Pending(_) => Err(self.error("its credential was not obtained")),
        }
    }

    /// Addresses `request` to this target: URI and headers. It allocates nothing where the backend has neither a path
    /// prefix nor a deployment of its own, and the query no credential that is removed.
    ///
    /// # Errors
    ///
    /// If the path cannot be addressed, see [`path_and_query`](Target::path_and_query).
    pub fn address<B>(&self, request: &mut http::Request<B>) -> Result<(), AddressError> {
        self.address_uri(request.uri_mut())?;
        self.authenticate(request.headers_mut())
    }

    /// The URI at this target for a caller's `original`, whose scheme and authority do not matter.
    ///
    /// # Errors
    ///
    /// As [`path_and_query`](Target::path_and_query).
    pub fn uri(&self, original: &Uri) -> Result<Uri, AddressError> {
        let mut uri = original.clone();
        self.address_uri(&mut uri)?;
        Ok(uri)
    }

    fn address_uri(&self, uri: &mut Uri) -> Result<(), AddressError> {
        let path = if uri.path().is_empty() { "/" } else { uri.path() };
        let rewritten = self.rewrite(path, uri.query())?;
        // Taken and not cloned: the parts of a URI share an allocation, and a clone would count it up and down.
        let mut parts = std::mem::take(uri).into_parts();
        parts.scheme = Some(self.backend.scheme().clone());
        parts.authority = Some(self.backend.authority().clone());
        if let Some(rewritten) = rewritten {
            let parsed = PathAndQuery::from_maybe_shared(rewritten);
            parts.path_and_query = Some(parsed.map_err(|_| self.error("its path is not valid"))?);
        } else if parts.path_and_query.is_none() {
            parts.path_and_query = Some(PathAndQuery::from_static("/"));
        }
        *uri = Uri::from_parts(parts).map_err(|_| self.error("its URI is not valid"))?;
        Ok(())
    }

    /// The path and query at this target: prefix, path with the backend's deployment name, and the query, if the backend
    /// has a credential of its own without the caller's.
    ///
    /// # Errors
    ///
    /// If the result is longer than a URI can be. And, where the backend has a path prefix or a deployment, if the path
    /// could lead out of them on some server:
    ///
    /// | refused | because there are servers that |
    /// | --- | --- |
    /// | `.` and `..` segments | resolve them |
    /// | the same percent-encoded, once or more often: `%2e%2e`, `%252e%252e` | decode before they route |
    /// | the same beside an encoded `/` or `\`: `..%2f`, `..%5c` | likewise |
    /// | the same before `;`, or before an encoded `;`, `?`, `#`, space or control character: `..;`, `..%3b` | cut those off |
    /// | `\` | read it as `/` |
    ///
    /// All else passes as it is: `%2F` in a file's id or a model's name, and names that begin with dots. A backend with
    /// neither prefix nor deployment has nothing to lead out of, and gets the path as the caller wrote it. A stack whose
    /// URLs are the `url` crate's resolves plain and encoded-once dot segments, and `\`, before a request comes here.
    pub fn path_and_query<'a>(&self, original: &'a str) -> Result<Cow<'a, str>, AddressError> {
        let (path, query) = match original.find('?') {
            Some(mark) => (&original[..mark], Some(&original[mark + 1..])),
            None => (original, None),
        };
        Ok(self.rewrite(path, query)?.map_or(Cow::Borrowed(original), Cow::Owned))
    }

    #[inline]
    fn rewrite(&self, path: &str, query: Option<&str>) -> Result<Option<String>, AddressError> {
        if let Some(stateful) = &self.stateful {
            stateful.store(path::is_stateful(path), Ordering::Relaxed);
        }
        #[cfg(feature = "json")]
        self.note_path(path);
        let rewritten = path::rewrite(self.backend, path, query).map_err(|problem| self.error(problem))?;
        if rewritten.is_some() {
            overlap::warn(self.backend, path);
        }
        Ok(rewritten)
    }

    /// Removes `host`, and replaces the caller's credentials in the headers by the backend's if it has one.
    ///
    /// # Errors
    ///
    /// As [`credential`](Target::credential).
    pub fn authenticate(&self, headers: &mut HeaderMap) -> Result<(), AddressError> {
        let Some(credential) = self.credential()? else {
            headers.remove(HOST);
            return Ok(());
        };
        headers::replace(headers, self.backend, credential);
        Ok(())
    }

    /// For transports: what kind of fault the error of this attempt is, where they know better than the error tells. Such
    /// as that no byte of the request was sent when its timeout came. Only the first word counts.
    ///
    /// [`Transport::fault`](crate::Transport::fault) is not asked then.
    pub fn tell_fault(&self, fault: Fault) {
        let _ = self.fault.set(fault);
    }

    /// Whether the request stays at this backend because its path, which was addressed to this target, names what is stored at
    /// one resource, and the pool [guards](crate::PoolBuilder::guard_stateful_paths) such.
    ///
    /// The balancers' loop asks for it. If you drive a [`Dispatch`](crate::Dispatch) by hand, ask for it where an attempt would
    /// fail over: without a pin its answer is the caller's. [`cannot_repeat`](crate::Dispatch::cannot_repeat) tells so.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        self.stateful.as_ref().is_some_and(|stateful| stateful.load(Ordering::Relaxed))
    }

    pub(crate) fn told_fault(&self) -> Option<Fault> {
        self.fault.get().copied()
    }

    /// Whether [`authenticate`](Target::authenticate) removes the caller's header of this name, which is in lower case:
    /// `host`, and if the backend has a credential of its own the caller's.
    ///
    /// For stacks whose headers are not an [`http::HeaderMap`].
    #[must_use]
    pub fn removes_header(&self, name: &str) -> bool {
        let is_credential = || {
            let others = self.backend.caller_credentials().other_headers();
            CALLER_CREDENTIALS.contains(&name) || others.iter().any(|other| other == name)
        };
        name == "host" || (self.backend.has_credential() && is_credential())
    }

    /// An error that says why a request cannot be addressed to this target; `problem` must not quote the request.
    #[must_use]
    pub fn error(&self, problem: &'static str) -> AddressError {
        AddressError::new(self.backend.name(), problem)
    }
}

impl fmt::Debug for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("backend", &self.backend.name()).field("attempt", &self.attempt).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_is_the_backends_whatever_origin_the_caller_wrote() {
        let backend = Backend::new("https://a.example/p/q/", 1).unwrap();
        let uri = Target::new(&backend, 1).uri(&Uri::from_static("http://caller.example:81")).unwrap();
        assert_eq!(uri, "https://a.example/p/q/");
    }

    #[test]
    fn a_path_that_gets_too_long_is_refused_instead_of_sent() {
        let backend = Backend::new("https://a.example/prefix", 1).unwrap();
        let uri: Uri = format!("/{}", "x".repeat(65_530)).parse().unwrap();
        let error = Target::new(&backend, 1).uri(&uri).unwrap_err();
        assert!(error.to_string().contains("a.example/prefix") && error.to_string().contains("too long"), "{error}");
    }

    #[test]
    fn a_header_that_must_not_go_out_is_removed_also_if_it_is_the_only_one() {
        for backend in [
            Backend::builder("a.example").api_key("OWN").build().unwrap(),
            Backend::builder("a.example").bearer_token("OWN").build().unwrap(),
        ] {
            for name in CALLER_CREDENTIALS.iter().copied().chain(["host"]) {
                let mut request = http::Request::get("/x").header(name, "CALLER").body(()).unwrap();
                Target::new(&backend, 1).address(&mut request).unwrap();
                let headers: Vec<_> = request.headers().values().map(|value| value.to_str().unwrap()).collect();
                assert!(matches!(headers[..], ["OWN" | "Bearer OWN"]), "{name}: {headers:?}");
            }
        }
        let forwarding = Backend::new("a.example", 1).unwrap();
        let mut request = http::Request::get("/x").header("host", "CALLER").body(()).unwrap();
        Target::new(&forwarding, 1).address(&mut request).unwrap();
        assert!(request.headers().is_empty());
    }

    #[test]
    fn debug_names_the_backend_and_no_secret() {
        let backend = Backend::builder("a.example").name("ptu").api_key("CANARY").build().unwrap();
        let text = format!("{:?}", Target::new(&backend, 3));
        assert!(text.contains("ptu") && text.contains('3') && !text.contains("CANARY"), "{text}");
    }

    #[test]
    fn a_backend_with_a_key_never_sees_the_callers_credential() {
        let backend = Backend::builder("http://a.example:81").api_key("OWN").build().unwrap();
        let mut request = http::Request::post("https://user:CALLER@caller.example/x?q=1").header("host", "caller");
        for name in CALLER_CREDENTIALS {
            request = request.header(name, "CALLER").header(name, "CALLER2");
        }
        let mut request = request.header("x-other", "kept").body(()).unwrap();
        Target::new(&backend, 1).address(&mut request).unwrap();
        assert_eq!(request.uri(), "http://a.example:81/x?q=1");
        let headers: Vec<_> = request.headers().iter().map(|(n, v)| (n.as_str(), v.to_str().unwrap())).collect();
        assert_eq!(headers, [("x-other", "kept"), ("api-key", "OWN")]);
        assert!(!format!("{request:?}").contains("OWN"));
    }

    #[test]
    fn every_place_that_the_documentation_names_is_emptied() {
        let uri = "/x?api-key=C&api_key=C&subscription-key=C&key=C&access_token=C&sig=C&api-version=1";
        let mut request = http::Request::get(uri);
        for name in ["Api-Key", "Authorization", "X-Api-Key", "X-Goog-Api-Key", "Ocp-Apim-Subscription-Key"] {
            request = request.header(name, "CALLER");
        }
        let request =
            request.header("Proxy-Authorization", "CALLER").header("Cookie", "CALLER").header("Cookie", "CALLER");
        let mut request = request.body(()).unwrap();
        let backend = Backend::builder("a.example").bearer_token("OWN").build().unwrap();
        Target::new(&backend, 1).address(&mut request).unwrap();
        assert_eq!(request.uri(), "https://a.example/x?api-version=1");
        assert_eq!((request.headers().len(), &request.headers()["authorization"]), (1, &"Bearer OWN".parse().unwrap()));
    }

    #[test]
    fn what_the_user_names_is_removed_beside_what_is_known() {
        let backend = || {
            Backend::builder("a.example").caller_credential_header("X-Tenant-Key").caller_credential_parameter("tenant")
        };
        let request = || {
            let uri = "https://caller.example/x?Tenant=CALLER&a=1&KEY=CALLER";
            http::Request::get(uri).header("x-tenant-key", "CALLER").header("x-tenant-key", "CALLER").body(()).unwrap()
        };
        let mut own = request();
        Target::new(&backend().api_key("OWN").build().unwrap(), 1).address(&mut own).unwrap();
        assert_eq!((own.uri().to_string().as_str(), own.headers().len()), ("https://a.example/x?a=1", 1));

        let mut callers = request();
        Target::new(&backend().build().unwrap(), 1).address(&mut callers).unwrap();
        assert_eq!((callers.uri().query(), callers.headers().len()), (request().uri().query(), 2));
    }

    #[test]
    fn what_is_said_to_be_removed_is_what_is_removed() {
        let backend = || Backend::builder("a.example").caller_credential_header("x-tenant-key");
        let names = CALLER_CREDENTIALS.into_iter().chain(["host", "x-tenant-key", "x-own", "content-type"]);
        for backend in [backend().build().unwrap(), backend().bearer_token("OWN").build().unwrap()] {
            let target = Target::new(&backend, 1);
            for name in names.clone() {
                let mut request = http::Request::get("/").header(name, "CALLER").body(()).unwrap();
                target.address(&mut request).unwrap();
                let is_removed = request.headers().values().all(|value| value != "CALLER");
                assert_eq!(target.removes_header(name), is_removed, "{name}");
            }
        }
    }

    #[test]
    fn addressing_in_place_and_making_a_uri_agree() {
        for endpoint in ["a.example", "http://a.example:81/p"] {
            let backend = Backend::new(endpoint, 1).unwrap();
            let target = Target::new(&backend, 1);
            for uri in ["https://caller.example/x?y=z", "/x?y=z", "*", "https://caller.example"] {
                let mut request = http::Request::new(());
                *request.uri_mut() = uri.parse().unwrap();
                target.address(&mut request).unwrap();
                assert_eq!(Ok(request.uri()), target.uri(&uri.parse().unwrap()).as_ref(), "{uri}");
            }
        }
    }

    #[test]
    fn a_backend_without_a_key_gets_the_callers_credential_unchanged() {
        let backend = Backend::new("a.example", 1).unwrap();
        let mut request = http::Request::get("/x").header("authorization", "Bearer t").body(()).unwrap();
        Target::new(&backend, 1).address(&mut request).unwrap();
        assert_eq!(request.headers()["authorization"], "Bearer t");
    }

    #[test]
    fn a_target_whose_credential_was_not_obtained_cannot_be_addressed() {
        struct Never;
        impl CredentialSource for Never {
            fn credential(&self) -> crate::BoxFuture<'_, Result<Credential, CredentialError>> {
                Box::pin(std::future::pending())
            }
        }
        let backend = Backend::builder("a.example").credential_source(Never).build().unwrap();
        let mut target = Target::new(&backend, 1);
        assert!(target.address(&mut http::Request::new(())).is_err());
        assert!(target.obtain_credential_now().unwrap_err().to_string().contains("not ready"));
        assert!(target.address(&mut http::Request::new(())).is_err());
    }
}
