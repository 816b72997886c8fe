//! Addressing a URL of the `url` crate, which several HTTP stacks have where `http` has a `Uri`.

use url::{Position, Url};

use super::Target;
use crate::error::AddressError;

/// The longest URI that the `http` crate underneath such stacks can hold, in bytes.
const MAX_URI: usize = u16::MAX as usize - 1;

impl Target<'_> {
    /// Addresses a URL to this target: origin, path prefix, deployment, and the query as
    /// [`path_and_query`](Target::path_and_query) has it. A user name and a password are removed; a fragment, which is
    /// not sent, stays. Headers are addressed apart, by [`authenticate`](Target::authenticate).
    ///
    /// # Errors
    ///
    /// As [`path_and_query`](Target::path_and_query), if the scheme is neither `https` nor `http`, and if the URL is longer
    /// than 65,534 bytes. The error does not quote the URL, which may have changed in part.
    ///
    /// # Example
    ///
    /// ```
    /// use lb_core::{Backend, Pool, Step, ThreadRng};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = Pool::new([Backend::new("https://gateway.example/team-a", 1)?])?;
    /// let Step::Try(attempt) = pool.dispatch().next(|| pool.now(), &ThreadRng) else { unreachable!("it is available") };
    /// let mut url = "https://any.host/openai/v1/responses".parse()?;
    /// pool.target(&attempt).address_url(&mut url)?;
    /// assert_eq!(url.as_str(), "https://gateway.example/team-a/openai/v1/responses");
    /// # Ok(())
    /// # }
    /// ```
    pub fn address_url(&self, url: &mut Url) -> Result<(), AddressError> {
        let backend = self.backend();
        let rewritten = self.rewrite(url.path(), url.query())?;
        // Each of these writes the URL anew, so only those that change something are made. To put the text together and
        // parse it once takes twice as long as a new host, and longer than host, port and path.
        let scheme = backend.scheme().as_str();
        if url.scheme() != scheme {
            // `set_scheme` would make HTTP of a web socket and of a file transfer too.
            let is_http = matches!(url.scheme(), "https" | "http");
            if !is_http || url.set_scheme(scheme).is_err() {
                return Err(self.error("its scheme is neither https nor http"));
            }
        }
        let (host, port) = (backend.host(), backend.port());
        if url.host_str() != Some(host) {
            url.set_host(Some(host)).map_err(|_| self.error("the backend's host does not fit into its URL"))?;
        }
        if url.port() != port {
            url.set_port(port).map_err(|()| self.error("the backend's port does not fit into its URL"))?;
        }
        // They would not be sent, but an error would print them.
        if !url[Position::BeforeUsername..Position::BeforeHost].is_empty() {
            url.set_username("").map_err(|()| self.error("its URL cannot have a user name"))?;
            url.set_password(None).map_err(|()| self.error("its URL cannot have a password"))?;
        }
        if let Some(rewritten) = rewritten {
            let (path, query) = match rewritten.split_once('?') {
                Some((path, query)) => (path, Some(query)),
                None => (rewritten.as_str(), None),
            };
            if url.path() != path {
                url.set_path(path);
            }
            if url.query() != query {
                url.set_query(query);
            }
        }
        if url.as_str().len() > MAX_URI {
            return Err(self.error("its URL is too long; send long input in the body"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Backend, Pool, Step, ThreadRng};

    #[test]
    fn a_url_of_http_is_addressed_without_its_user_and_any_other_stays_as_it_came() {
        for endpoint in ["https://a.example", "http://a.example/team"] {
            let pool = Pool::new([Backend::new(endpoint, 1).unwrap()]).unwrap();
            let Step::Try(attempt) = pool.dispatch().next(|| pool.now(), &ThreadRng) else { panic!("it is available") };
            let addressed = |text: &str| {
                let mut url: Url = text.parse().unwrap();
                pool.target(&attempt).address_url(&mut url).map(|()| url.to_string()).map_err(|_| url.to_string())
            };
            for other in ["ws://any/x", "wss://any/x", "ftp://any/x", "file:///x", "data:,x", "mailto:a@any.host"] {
                assert_eq!(addressed(other), Err(other.to_owned()), "{endpoint}");
            }
            for own in ["https://any/x", "http://any/x", "https://user:secret@any/x", "https://user@any/x"] {
                assert_eq!(addressed(own), Ok(format!("{endpoint}/x")));
            }
        }
    }
}
