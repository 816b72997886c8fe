//! Addressing an azure_core request, which has a `Url` and headers of its own kind.

use azure_core::http::{Request, headers::Headers};
use lb_core::{AddressError, Target};

/// Points the request at the target, and puts the target's credential into its headers.
pub(crate) fn address(request: &mut Request, target: &Target<'_>) -> Result<(), AddressError> {
    target.address_url(request.url_mut())?;
    authenticate(request.headers_mut(), target)
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
        let url = "http://user:secret@caller.example:81/openai/deployments/x/chat?api-version=1&q=a%20b";
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
            assert_eq!(request.url().as_str(), format!("https://a.example/y{query}#key"));
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
        let long = format!("http://x/?q=CANARY{}", "x".repeat(65_535));
        for url in ["data:text/plain,CANARY", &long] {
            let error = addressed(Backend::new("a.example", 1).unwrap(), url).unwrap_err();
            assert!(!error.to_string().contains("CANARY"), "{error}");
        }
    }
}
