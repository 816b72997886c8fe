//! A stage: the deployments of one approach, fresh, so that approaches compare.

use std::{sync::Arc, time::Duration};

use http::uri::Scheme;
use lb_core::{Backend, Observer, Pool};
use lb_emulator::{
    Emulator,
    lb_limits::{Ptu, RequestPeriod, SECOND, azure_standard_with_period},
};

use crate::{BoxError, Config, Prompt};

/// What the emulated deployments are, in words.
const EMULATED: &str = "\
Three emulated deployments, each with a key of its own:
  ptu       priority 1  6 PTUs of gpt-4.1 with a burst of 1 s: about 7 requests per second
  standard  priority 2  360 requests per minute, evaluated per second: 6 in each
  overflow  priority 3  as many requests in each second as the whole run has: it takes what is left, at the highest price
Quotas are small and periods short, so that refusals and recoveries happen within a few seconds.";

/// Where the deployments come from.
#[derive(Debug)]
pub enum Setup {
    /// Emulated in this process.
    Emulated {
        /// How long a request takes that is served.
        latency: Duration,
    },
    /// Real ones, or emulators of another process.
    Configured(Box<Config>),
}

impl Setup {
    /// The deployments for a run of so many requests, untouched if they are emulated.
    ///
    /// # Errors
    ///
    /// If an emulator cannot start.
    pub fn open(&self, requests: usize) -> Result<Stage, BoxError> {
        match self {
            Self::Emulated { latency } => Stage::emulated(*latency, requests),
            Self::Configured(config) => Ok(Stage {
                backends: config.backends.clone(),
                prompt: config.prompt.clone(),
                is_local: false,
                config: Some(config.clone()),
                emulators: Vec::new(),
            }),
        }
    }

    /// Whether any of them is reached over TLS.
    #[must_use]
    pub fn has_tls(&self) -> bool {
        match self {
            Self::Emulated { .. } => false,
            Self::Configured(config) => config.backends.iter().any(|backend| *backend.scheme() == Scheme::HTTPS),
        }
    }

    /// What it is, in words.
    #[must_use]
    pub fn description(&self) -> String {
        match self {
            Self::Emulated { .. } => EMULATED.to_owned(),
            Self::Configured(config) => config.to_string(),
        }
    }
}

/// Deployments that can be sent to, until this is dropped.
#[derive(Debug)]
pub struct Stage {
    /// The deployments, by priority.
    pub backends: Vec<Backend>,
    /// What is sent to them.
    pub prompt: Prompt,
    /// Whether they are on this machine.
    pub is_local: bool,
    /// Where they are from, if they are not emulated.
    config: Option<Box<Config>>,
    /// Serving as long as they are here.
    #[expect(dead_code, reason = "held, not used")]
    emulators: Vec<Emulator>,
}

impl Stage {
    fn emulated(latency: Duration, requests: usize) -> Result<Self, BoxError> {
        let per_second = |requests: u64| {
            let (tpm, rpm) = (requests.saturating_mul(60_000), requests.saturating_mul(60));
            azure_standard_with_period(tpm, rpm, 0, RequestPeriod::OneSecond)
        };
        let whole_run = requests.try_into().unwrap_or(u64::MAX);
        let builders = [
            Emulator::builder().name("ptu").ptu(Ptu::new(6, 3_000).burst_ns(SECOND)),
            Emulator::builder().name("standard").limits(per_second(6)),
            Emulator::builder().name("overflow").limits(per_second(whole_run)),
        ];
        let mut backends = Vec::new();
        let mut emulators = Vec::new();
        for (builder, priority) in builders.into_iter().zip(1..) {
            let key = format!("key {priority}");
            let emulator = builder.key(&key).latency(latency).start()?;
            let backend = Backend::builder(emulator.url()).name(emulator.name()).priority(priority);
            backends.push(backend.api_key(key).build()?);
            emulators.push(emulator);
        }
        let path = "/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21";
        let prompt = Prompt::chat(path, "What does a load balancer with priorities do? Answer in a sentence.", 16);
        Ok(Self { backends, prompt, is_local: true, config: None, emulators })
    }

    /// A pool of these deployments that tells `observer` what it decides.
    ///
    /// # Errors
    ///
    /// If a key that was there is not there any more.
    pub fn pool(&self, observer: impl Observer + 'static) -> Result<Arc<Pool>, BoxError> {
        let builder = match &self.config {
            Some(config) => config.pool()?,
            None => Pool::builder().backends(self.backends.iter().cloned()),
        };
        Ok(Arc::new(builder.observer(observer).build()?))
    }
}
