//! Addressing an azure_core request, which has a `Url` and headers of its own kind.

use azure_core::http::{Request, Url, headers::Headers};
use lb_core::{AddressError, Target};

/// The longest URL that HTTP stacks on the `http` crate can send, in bytes.
const MAX_URL: usize = u16::MAX as usize - 1;

/// Points the request at the target, and puts the target's credential into its headers.
pub(crate) fn address(request: &mut Request, target: &Target<'_>) -> Result<(), AddressError> {
    *request.url_mut() = url(request.url(), target)?;
    authenticate(request.headers_mut(), target)
}

/// The URL at the target: its origin and path, and the caller's query. Nothing else is taken over: neither a fragment
/// nor a user name.
fn url(original: &Url, target: &Target<'_>) -> Result<Url, AddressError> {
    if original.cannot_be_a_base() {
        return Err(target.error("its URL has no path; build it from the endpoint of the service"));
    }
    let path_and_query = target.path_and_query(path_and_query(original))?;
    let backend = target.backend();
    let (scheme, authority) = (backend.scheme().as_str(), backend.authority().as_str());
    let length = scheme.len() + "://".len() + authority.len() + path_and_query.len();
    if length > MAX_URL {
        return Err(target.error("its URL is too long; send long input in the body"));
    }
    let mut url = String::with_capacity(length);
    for part in [scheme, "://", authority, &path_and_query] {
        url.push_str(part);
    }
    // The parse error is dropped: it says nothing that helps, and the URL must not be quoted.
    Url::parse(&url).map_err(|_| target.error("its URL is not valid"))
}

/// Path and query, as they stand side by side in the URL: all that is before the fragment, from the end.
fn path_and_query(url: &Url) -> &str {
    let length = |part: Option<&str>| part.map_or(0, |part| 1 + part.len());
    let end = url.as_str().len() - length(url.fragment());
    &url.as_str()[end - length(url.query()) - url.path().len()..end]
}

/// Removes `host`, and replaces the caller's credentials by the backend's if it has one.
fn authenticate(headers: &mut Headers, target: &Target<'_>) -> Result<(), AddressError> {
    let credential = target.credential()?;
    let names = headers.iter().map(|(name, _)| name);
    let removed: Vec<_> = names.filter(|name| target.removes_header(name.as_str())).cloned().collect();
    for name in removed {
        headers.remove(name);
    }
    let Some(credential) = credential else { return Ok(()) };
    let value = credential.value().to_str().map_err(|_| target.error("the backend's credential is not text"))?;
    headers.insert(credential.header().as_str().to_owned(), value.to_owned());
    Ok(())
}

#[cfg(test)]
mod tests {
    use azure_core::http::Method;
    use lb_core::{Backend, CALLER_CREDENTIALS, Pool, Step, ThreadRng};

    use super::*;

    fn addressed(backend: Backend, url: &str) -> Result<Request, AddressError> {
        let pool = Pool::new([backend]).unwrap();
        let mut dispatch = pool.dispatch();
        let Step::Try(attempt) = dispatch.next(|| pool.now(), &ThreadRng) else { panic!("no target") };
        let target = pool.target(&attempt);
        let mut request = Request::new(url.parse().unwrap(), Method::Post);
        for name in CALLER_CREDENTIALS.into_iter().chain(["host", "x-other"]) {
            request.insert_header(name, "caller");
        }
        address(&mut request, &target)?;
        Ok(request)
    }

    fn headers(request: &Request) -> Vec<(&str, &str)> {
        let mut headers: Vec<_> = request.headers().iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        headers.sort_unstable();
        headers
    }

    #[test]
    fn scheme_host_port_path_and_credential_are_the_backends() {
        let backend =
            Backend::builder("https://a.example:8443/p").deployment("mine").api_key("CANARY").build().unwrap();
        let url = "http://user:secret@caller.example:81/openai/deployments/x/chat?api-version=1&q=a%20b#fragment";
        let request = addressed(backend, url).unwrap();
        let expected = "https://a.example:8443/p/openai/deployments/mine/chat?api-version=1&q=a%20b";
        assert_eq!(request.url().as_str(), expected);
        assert_eq!(headers(&request), [("api-key", "CANARY"), ("x-other", "caller")]);
        assert!(!format!("{request:?}").contains("CANARY"), "azure_core redacts headers that it does not know");
    }

    #[test]
    fn the_callers_credentials_leave_the_query_if_the_backend_has_its_own() {
        for (builder, query) in [
            (Backend::builder("a.example"), "?KEY=caller&a=1&sig=caller"),
            (Backend::builder("a.example").api_key("own"), "?a=1"),
        ] {
            let request = addressed(builder.build().unwrap(), "https://x/y?KEY=caller&a=1&sig=caller#key").unwrap();
            assert_eq!(request.url().as_str(), format!("https://a.example/y{query}"));
        }
    }

    #[test]
    fn without_a_credential_of_the_backend_the_callers_stay() {
        let request = addressed(Backend::new("http://[::1]:8080", 1).unwrap(), "https://x/a%2Fb/\u{e9}").unwrap();
        assert_eq!(request.url().as_str(), "http://[::1]:8080/a%2Fb/%C3%A9");
        assert_eq!(headers(&request).len(), CALLER_CREDENTIALS.len() + 1, "all but host");
    }

    #[test]
    fn a_url_that_cannot_be_addressed_is_refused_without_its_text() {
        let long = format!("http://x/?q=CANARY{}", "x".repeat(MAX_URL));
        for url in ["data:text/plain,CANARY", &long] {
            let error = addressed(Backend::new("a.example", 1).unwrap(), url).unwrap_err();
            assert!(!error.to_string().contains("CANARY"), "{error}");
        }
    }
}
