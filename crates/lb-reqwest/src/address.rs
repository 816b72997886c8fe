//! Addressing a reqwest request, which has a `Url` where `http::Request` has a `Uri`.

use lb_core::{AddressError, Target};
use reqwest::Url;

/// Points the URL at the target. Headers are addressed by [`Target::authenticate`].
pub(crate) fn address(url: &mut Url, target: &Target<'_>) -> Result<(), AddressError> {
    target.address_url(url)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use lb_core::{Backend, Pool, Step, ThreadRng};

    use super::*;

    fn addressed(backend: Backend, url: &str) -> Result<(String, HeaderMap), AddressError> {
        let pool = Pool::new([backend]).unwrap();
        let mut dispatch = pool.dispatch();
        let Step::Try(attempt) = dispatch.next(|| pool.now(), &ThreadRng) else { panic!("no target") };
        let target = pool.target(&attempt);
        let mut url: Url = url.parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("host", "caller.example".parse().unwrap());
        headers.insert("authorization", "Bearer caller".parse().unwrap());
        address(&mut url, &target)?;
        target.authenticate(&mut headers)?;
        Ok((url.into(), headers))
    }

    #[test]
    fn scheme_host_port_path_and_credential_are_the_backends() {
        let backend = Backend::builder("https://a.example:8443/p").deployment("mine").api_key("key").build().unwrap();
        let url = "http://user:secret@caller.example:81/openai/deployments/x/chat?api-version=1&q=a%20b";
        let (url, headers) = addressed(backend, url).unwrap();
        assert_eq!(url, "https://a.example:8443/p/openai/deployments/mine/chat?api-version=1&q=a%20b");
        assert_eq!(headers["api-key"], "key");
        assert_eq!(headers.len(), 1, "{headers:?}");
    }

    #[test]
    fn an_ipv6_host_and_a_default_port_are_kept() {
        let (url, _) = addressed(Backend::new("http://[::1]:8080", 1).unwrap(), "https://x/y").unwrap();
        assert_eq!(url, "http://[::1]:8080/y");
        let (url, _) = addressed(Backend::new("a.example", 1).unwrap(), "http://x:9/").unwrap();
        assert_eq!(url, "https://a.example/");
    }

    #[test]
    fn a_url_that_cannot_be_addressed_is_refused_without_its_text() {
        let long = format!("http://x/?q=CANARY{}", "x".repeat(65_535));
        for url in ["data:text/plain,CANARY", "ftp-like://x/CANARY", &long] {
            let error = addressed(Backend::new("a.example", 1).unwrap(), url).unwrap_err();
            assert!(!error.to_string().contains("CANARY"), "{error}");
        }
    }

    #[test]
    fn the_callers_credentials_leave_the_query_if_the_backend_has_its_own() {
        for (key, query) in [(None, "?KEY=caller&a=1&sig=caller"), (Some("own"), "?a=1")] {
            for endpoint in ["a.example", "a.example/p"] {
                let builder = Backend::builder(endpoint);
                let backend = key.map_or(builder, |key| Backend::builder(endpoint).api_key(key)).build().unwrap();
                let (url, _) = addressed(backend, "http://x/y?KEY=caller&a=1&sig=caller#key").unwrap();
                assert_eq!(url, format!("https://{endpoint}/y{query}#key"));
            }
        }
        let own = Backend::builder("a.example").api_key("own").build().unwrap();
        assert_eq!(addressed(own, "http://x?key=caller").unwrap().0, "https://a.example/");
    }

    #[test]
    fn the_path_that_reqwest_normalised_is_not_encoded_twice() {
        let backend = Backend::builder("a.example/p%20q").build().unwrap();
        let (url, _) = addressed(backend, "http://x/a%2Fb/\u{e9}?k=v#fragment").unwrap();
        assert_eq!(url, "https://a.example/p%20q/a%2Fb/%C3%A9?k=v#fragment");
    }
}
