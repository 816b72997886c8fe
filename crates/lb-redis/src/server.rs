use std::{error::Error as StdError, fmt, future::Future, pin::Pin, sync::Arc};

use redis::{ConnectionInfo, IntoConnectionInfo, ProtocolVersion};

type Failure = Box<dyn StdError + Send + Sync>;
type Password = Pin<Box<dyn Future<Output = Result<String, Failure>> + Send>>;

/// A Redis server, and how to log in to it. `Debug` shows its address, and nothing else.
#[derive(Clone)]
pub struct Server {
    connection: ConnectionInfo,
    password: Option<Arc<dyn Fn() -> Password + Send + Sync>>,
}

/// A URL that is no address of a Redis server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidServer {
    why: String,
}

impl Server {
    /// A server by its URL: `redis://[user:password@]host[:port][/database]`, `rediss://` for TLS (feature `rustls` or
    /// `native-tls`), `unix:///path` for a socket. What is special in a URL is percent-encoded, also in the password.
    ///
    /// ```
    /// use lb_redis::Server;
    ///
    /// let server = Server::from_url("redis://lb:secret@cache.example:6379/2").unwrap();
    /// assert_eq!(format!("{server:?}"), "Server(cache.example:6379)");
    /// ```
    ///
    /// # Errors
    ///
    /// If the URL is none, has another scheme, or asks for TLS without a feature for it. The error does not quote it.
    pub fn from_url(url: &str) -> Result<Self, InvalidServer> {
        let invalid = |why: &str| InvalidServer { why: why.to_owned() };
        if url.starts_with("rediss:") && !cfg!(any(feature = "rustls", feature = "native-tls")) {
            return Err(invalid("it asks for TLS; switch the feature `rustls` or `native-tls` of lb-redis on"));
        }
        // What redis says of it may quote parts of the URL, and one of them is a password.
        let connection = url.into_connection_info().map_err(|_| {
            invalid("expected redis://[user:password@]host[:port][/database], with special characters percent-encoded")
        })?;
        let login = connection.redis_settings().clone().set_protocol(ProtocolVersion::RESP3).set_skip_set_lib_name();
        Ok(Self { connection: connection.set_redis_settings(login), password: None })
    }

    /// Asks for the password before every connection: for one that is rotated, or a token of Entra ID. What the URL says of it
    /// no longer holds; the user does.
    ///
    /// An error, and a password that the server refuses, is tried again after a while, as if the server were away. An error's
    /// text must not contain the secret.
    ///
    /// ```
    /// use lb_redis::Server;
    ///
    /// let server = Server::from_url("redis://lb@cache.example").unwrap();
    /// let server = server.password_from(|| async { std::fs::read_to_string("/run/secrets/redis") });
    /// ```
    #[must_use]
    pub fn password_from<F, E>(mut self, source: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<String, E>> + Send + 'static,
        E: Into<Failure>,
    {
        self.password = Some(Arc::new(move || {
            let password = source();
            Box::pin(async { password.await.map_err(Into::into) })
        }));
        self
    }

    /// How to connect now.
    pub(crate) async fn connection(&self) -> Result<ConnectionInfo, Failure> {
        // rustls would panic without one.
        #[cfg(feature = "rustls")]
        if matches!(self.connection.addr(), redis::ConnectionAddr::TcpTls { .. })
            && rustls::crypto::CryptoProvider::get_default().is_none()
        {
            return Err("TLS by rustls needs a crypto provider; install one first thing in `main`, such as \
                        `rustls::crypto::aws_lc_rs::default_provider().install_default()`"
                .into());
        }
        let connection = self.connection.clone();
        let Some(source) = &self.password else { return Ok(connection) };
        let password = source().await.map_err(|error| format!("no password: {error}"))?;
        // Files of secrets often end with a line break.
        let login = connection.redis_settings().clone().set_password(password.trim_end_matches(['\r', '\n']));
        Ok(connection.set_redis_settings(login))
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.connection.addr())
    }
}

impl fmt::Display for InvalidServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this is no URL of a Redis server: {}", self.why)
    }
}

impl StdError for InvalidServer {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown() {
        let server = Server::from_url("redis://lb:hunter2@cache.example/1").unwrap();
        let server = server.password_from(|| async { Ok::<_, InvalidServer>("hunter2".to_owned()) });
        assert_eq!(format!("{server:?}"), "Server(cache.example:6379)");
    }

    #[test]
    fn a_wrong_url_is_not_quoted() {
        for url in [
            "",
            "hunter2",
            "http://lb:hunter2@cache.example",
            "redis://lb:hunter2@",
            "redis://lb:hunter2@cache.example/x",
        ] {
            let error = Server::from_url(url).unwrap_err().to_string();
            assert!(error.contains("redis://") && !error.contains("hunter2"), "{url}: {error}");
        }
    }

    #[cfg(not(any(feature = "rustls", feature = "native-tls")))]
    #[test]
    fn tls_without_a_feature_is_refused() {
        let error = Server::from_url("rediss://lb:hunter2@cache.example").unwrap_err().to_string();
        assert!(error.contains("`rustls` or `native-tls`"), "{error}");
    }

    #[cfg(feature = "rustls")]
    #[tokio::test]
    async fn tls_without_a_crypto_provider_is_an_error() {
        let error = Server::from_url("rediss://cache.example").unwrap().connection().await.unwrap_err().to_string();
        assert!(error.contains("crypto provider"), "{error}");
    }

    #[tokio::test]
    async fn the_password_is_asked_for_each_time() {
        let number = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let server = Server::from_url("redis://lb:old@cache.example").unwrap().password_from(move || {
            let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            async move { Ok::<_, InvalidServer>(format!("secret {number}\n")) }
        });
        for expected in ["secret 0", "secret 1"] {
            let connection = server.connection().await.unwrap();
            let login = connection.redis_settings();
            assert_eq!((login.username(), login.password()), (Some("lb"), Some(expected)));
        }
    }
}
