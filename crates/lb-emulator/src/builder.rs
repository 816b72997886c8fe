use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    thread,
    time::Duration,
};

use lb_limits::{Chain, HintForm, Ptu, azure_ptu, azure_standard};

#[cfg(feature = "tls")]
use crate::tls::Tls;
use crate::{config::Config, emulator::Emulator, error::StartError, quota::Quota, reply::Reply};

/// How an emulator is to be; from [`Emulator::builder`].
///
/// Without any call: a free port on 127.0.0.1, no limits, every key and every deployment accepted, answers at once.
///
/// ```
/// use std::time::Duration;
/// use lb_emulator::{Emulator, HintForm};
///
/// let emulator = Emulator::builder()
///     .name("payg-eastus")
///     .standard(10_000, 60)
///     .key("k1")
///     .deployment("gpt-4o")
///     .latency(Duration::from_millis(20))
///     .hint(HintForm::Millis)
///     .start()?;
/// # Ok::<(), lb_emulator::StartError>(())
/// ```
#[must_use]
pub struct EmulatorBuilder {
    listen: SocketAddr,
    config: Config,
    limits: Limits,
    hint: Option<HintForm>,
    every: Option<(u64, Reply)>,
    keep: usize,
    #[cfg(feature = "tls")]
    tls: bool,
}

enum Limits {
    Own(Chain),
    Shared(Quota),
}

impl EmulatorBuilder {
    /// The [name](Self::name) of an emulator that is given none.
    pub const DEFAULT_NAME: &str = "emulator";

    /// The [region](Self::region) of an emulator that is given none.
    pub const DEFAULT_REGION: &str = "East US";

    pub(crate) fn new() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            config: Config {
                name: Self::DEFAULT_NAME.to_owned(),
                region: Self::DEFAULT_REGION.to_owned(),
                path_prefix: String::new(),
                keys: Default::default(),
                deployments: Default::default(),
                latency: Duration::ZERO,
                event_interval: Duration::ZERO,
                hint: HintForm::default(),
                completion_tokens: 4,
                content_filter: false,
                #[cfg(feature = "http2")]
                max_concurrent_streams: None,
                http1_only: false,
                #[cfg(feature = "tls")]
                tls: None,
            },
            limits: Limits::Own(Chain::unlimited()),
            hint: None,
            every: None,
            keep: 100_000,
            #[cfg(feature = "tls")]
            tls: false,
        }
    }

    /// Sets the name, which is the first word of every completion; default: `emulator`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.config.name = name.into();
        self
    }

    /// Sets the address to listen on; default: `127.0.0.1:0`, a free port.
    pub fn listen(mut self, addr: impl Into<SocketAddr>) -> Self {
        self.listen = addr.into();
        self
    }

    /// Sets a path in front of `/openai`, such as `/team-a`; default: none. A trailing slash is dropped.
    pub fn path_prefix(mut self, prefix: impl Into<String>) -> Self {
        let prefix = prefix.into();
        self.config.path_prefix = prefix.trim_end_matches('/').to_owned();
        self
    }

    /// Limits like those of a standard deployment: `tpm` tokens in a minute and `rpm / 6` requests in ten seconds,
    /// counted from the start. See [`lb_limits::azure_standard`].
    pub fn standard(self, tpm: u64, rpm: u64) -> Self {
        self.limits(azure_standard(tpm, rpm, 0))
    }

    /// Limits like those of a provisioned deployment. Its 429s tell milliseconds, unless [`hint`](Self::hint) says
    /// otherwise.
    pub fn ptu(self, ptu: Ptu) -> Self {
        self.limits(azure_ptu(ptu))
    }

    /// Any limits; default: none.
    pub fn limits(mut self, chain: Chain) -> Self {
        self.limits = Limits::Own(chain);
        self
    }

    /// Limits shared with every emulator that is given the same quota.
    pub fn quota(mut self, quota: &Quota) -> Self {
        self.limits = Limits::Shared(quota.clone());
        self
    }

    /// Accepts this key, as `api-key` or as `Authorization: Bearer`; may be called again for more. Default: everything
    /// is accepted, no credential too.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.config.keys.insert(key.into());
        self
    }

    /// Has this deployment; may be called again for more. Default: has whichever is asked for.
    pub fn deployment(mut self, name: impl Into<String>) -> Self {
        self.config.deployments.insert(name.into());
        self
    }

    /// Sets the region told in `x-ms-region`; default: `East US`.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.config.region = region.into();
        self
    }

    /// Sets how long an admitted request waits for its head; default: none. Refusals come at once.
    pub fn latency(mut self, latency: Duration) -> Self {
        self.config.latency = latency;
        self
    }

    /// Sets the time between two events of a stream; default: none.
    pub fn event_interval(mut self, interval: Duration) -> Self {
        self.config.event_interval = interval;
        self
    }

    /// Sets the tokens of a completion, at most the request's `max_tokens`; default: 4. A stream has one event per
    /// token, then the finish reason, then the usage if asked for, then `[DONE]`.
    pub fn completion_tokens(mut self, tokens: u32) -> Self {
        self.config.completion_tokens = tokens.into();
        self
    }

    /// Sets whether chat completions carry the annotations of Azure's content filter, which finds nothing here:
    /// `content_filter_results`, `prompt_filter_results`, and in streams a first chunk without choices, as the live
    /// service sends it. Default: no, so that a stream has an event per token.
    pub fn content_filter(mut self, annotates: bool) -> Self {
        self.config.content_filter = annotates;
        self
    }

    /// Sets in which headers a 429 tells how long to wait; default: as the limits' kind does.
    pub fn hint(mut self, form: HintForm) -> Self {
        self.hint = Some(form);
        self
    }

    /// Answers each `period`-th request, that nothing else is scripted for, with this reply; default: none. A period of
    /// 0 is none.
    pub fn fail_every(mut self, period: u64, reply: Reply) -> Self {
        self.every = Some((period, reply));
        self
    }

    /// Speaks TLS, with a certificate made at the start for `localhost`, 127.0.0.1, ::1 and the address listened on; the
    /// version of HTTP is agreed on by ALPN. Default: plain text. Clients have to trust
    /// [`Emulator::certificate_pem`].
    #[cfg(feature = "tls")]
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Speaks TLS with the certificate of another emulator, for the names that this has, so that a client which trusts
    /// one of them trusts both. Without TLS if that one has none.
    #[cfg(feature = "tls")]
    pub fn tls_of(mut self, other: &Emulator) -> Self {
        self.config.tls = other.tls().cloned();
        self
    }

    /// Speaks no HTTP/2, as without the feature `http2`: it is neither offered by ALPN nor understood. Default: both
    /// versions.
    pub fn http1_only(mut self) -> Self {
        self.config.http1_only = true;
        self
    }

    /// Announces to clients of HTTP/2 that a connection may have this many streams at a time
    /// (`SETTINGS_MAX_CONCURRENT_STREAMS`), and refuses those beyond, which a client may open before it has read this.
    /// Default: no limit. Streams refused so are neither recorded nor counted.
    #[cfg(feature = "http2")]
    pub fn max_concurrent_streams(mut self, streams: u32) -> Self {
        self.config.max_concurrent_streams = Some(streams);
        self
    }

    /// Sets how many requests are remembered, bodies included; older ones are forgotten, but still counted. Default:
    /// 100,000.
    pub fn remember(mut self, requests: usize) -> Self {
        self.keep = requests;
        self
    }

    /// Listens, and serves from a thread of its own until the [`Emulator`] is dropped.
    ///
    /// Needs no runtime, and may be called inside of one. When it returns, connections are accepted.
    ///
    /// # Errors
    ///
    /// If the address cannot be listened on, if the path prefix is none, if no certificate can be made, or if the
    /// operating system gives no thread.
    pub fn start(self) -> Result<Emulator, StartError> {
        let mut config = self.config;
        let prefix = &config.path_prefix;
        let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#');
        if !prefix.is_empty() && (!prefix.starts_with('/') || prefix.contains(odd)) {
            return Err(StartError::PathPrefix(config.path_prefix));
        }
        #[cfg(feature = "tls")]
        {
            let protocols: &[&str] = if config.speaks_http2() { &["h2", "http/1.1"] } else { &["http/1.1"] };
            config.tls = match config.tls {
                Some(shared) => Some(shared.offering(protocols)),
                None if self.tls => Some(Tls::new(self.listen.ip(), protocols).map_err(StartError::Tls)?),
                None => None,
            };
        }
        let quota = match self.limits {
            Limits::Own(chain) => Quota::new(chain),
            Limits::Shared(quota) => quota,
        };
        config.hint = self.hint.unwrap_or_else(|| {
            let (chain, _) = quota.snapshot();
            if chain.limits().iter().any(|limit| limit.ptu().is_some()) { HintForm::Millis } else { HintForm::Seconds }
        });
        let thread = thread::Builder::new().name(format!("lb-emulator {}", config.name));
        Emulator::launch(thread, self.listen, config, quota, self.every, self.keep)
    }
}

impl fmt::Debug for EmulatorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the keys.
        f.debug_struct("EmulatorBuilder")
            .field("name", &self.config.name)
            .field("listen", &self.listen)
            .field("path_prefix", &self.config.path_prefix)
            .field("keys", &self.config.keys.len())
            .field("deployments", &self.config.deployments)
            .finish_non_exhaustive()
    }
}
