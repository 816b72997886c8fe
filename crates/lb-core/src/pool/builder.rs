//! Builds a pool and checks everything.

use std::{collections::HashSet, fmt, num::NonZeroU32, time::Duration};

use super::{AllCounters, Cooldowns, Policy, Pool};
use crate::{
    backend::{Auth, Backend},
    build_error::BuildError,
    clock::{Clock, SystemClock},
    observe::Observer,
};

/// Builds a [`Pool`]; [`build`](PoolBuilder::build) checks everything.
#[derive(Default)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct PoolBuilder {
    backends: Vec<Backend>,
    policy: Policy,
    max_attempts: Option<u32>,
    not_a_client_error: bool,
    clock: Option<Box<dyn Clock>>,
    observer: Option<Box<dyn Observer>>,
}

impl PoolBuilder {
    /// Adds a backend.
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backends.push(backend);
        self
    }

    /// Adds backends.
    pub fn backends(mut self, backends: impl IntoIterator<Item = Backend>) -> Self {
        self.backends.extend(backends);
        self
    }

    /// How long a backend cools down when it gave no usable hint. Default: 10 s. More than zero, at most
    /// [`max_cooldown`](PoolBuilder::max_cooldown).
    pub fn default_cooldown(mut self, cooldown: Duration) -> Self {
        self.policy.default_cooldown = cooldown;
        self
    }

    /// The longest hint that is credible; above it the default cooldown applies. Default: 600 s.
    pub fn max_cooldown(mut self, cooldown: Duration) -> Self {
        self.policy.max_cooldown = cooldown;
        self
    }

    /// More statuses that fail over and cool the backend down, from 400 to 499: 401 and 403 where keys may be wrong,
    /// 404 where a deployment may be missing, 408. Default: none; 429 and 5xx always do.
    pub fn fail_over_on(mut self, statuses: impl IntoIterator<Item = u16>) -> Self {
        for status in statuses {
            self.not_a_client_error |= !self.policy.fail_over_on(status);
        }
        self
    }

    /// Whether a timeout or reset after the request went out fails over, and cools the backend down. Default: false,
    /// because the first backend may have executed and billed the request.
    pub fn fail_over_after_send(mut self, fail_over: bool) -> Self {
        self.policy.fail_over_after_send = fail_over;
        self
    }

    /// Whether exhaustion is always answered with a synthesised 429, as the Python package does. Default: false: if
    /// no 429 was among the answers of the request, the final attempt's own answer or error is returned.
    pub fn always_synthesize(mut self, always: bool) -> Self {
        self.policy.always_synthesize = always;
        self
    }

    /// How many backends one request may try, at least 1. Default: each of the pool once.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// Where the time comes from. Default: [`SystemClock`].
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Some(Box::new(clock));
        self
    }

    /// Who is told about every decision. Default: nobody, besides `tracing` subscribers.
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// The pool.
    ///
    /// # Errors
    ///
    /// If there is no backend, two have the same name, some have credentials and others do not say what they want, or
    /// an option is out of range. The error names the backend or the option and never prints a credential.
    pub fn build(mut self) -> Result<Pool, BuildError> {
        self.check_options()?;
        check_backends(&self.backends)?;
        if let Some(attempts) = self.max_attempts {
            self.policy.max_attempts = Some(
                NonZeroU32::new(attempts)
                    .ok_or(BuildError::Option { option: "max_attempts", problem: "it must be at least 1" })?,
            );
        }
        let mut backends = self.backends;
        backends.sort_by_key(Backend::priority);
        let same_priority = backends.chunk_by(|a, b| a.priority() == b.priority());
        let weights: Vec<Vec<u32>> = same_priority.map(|tier| tier.iter().map(Backend::weight).collect()).collect();
        Ok(Pool {
            counters: AllCounters::new(backends.len()),
            cooldowns: Cooldowns::new(&weights),
            backends: backends.into(),
            policy: self.policy,
            clock: self.clock.unwrap_or_else(|| Box::new(SystemClock::new())),
            observer: self.observer,
        })
    }

    fn check_options(&self) -> Result<(), BuildError> {
        let error = |option, problem| Err(BuildError::Option { option, problem });
        if self.policy.default_cooldown.is_zero() {
            return error(
                "default_cooldown",
                "it must be more than zero, else a failing backend is asked again at once",
            );
        }
        if self.policy.default_cooldown > self.policy.max_cooldown {
            return error("default_cooldown", "it is longer than max_cooldown; shorten it or raise max_cooldown");
        }
        if self.not_a_client_error {
            return error("fail_over_on", "every status must be from 400 to 499; 5xx always fail over");
        }
        Ok(())
    }
}

fn check_backends(backends: &[Backend]) -> Result<(), BuildError> {
    // Slots and sums of weights are 32 bits wide; no real pool comes near.
    if backends.len() > 10_000_000 {
        return Err(BuildError::Option { option: "backends", problem: "there are more than 10,000,000" });
    }
    if backends.is_empty() {
        return Err(BuildError::NoBackends);
    }
    let mut names = HashSet::with_capacity(backends.len());
    if let Some(twice) = backends.iter().find(|backend| !names.insert(backend.name())) {
        return Err(BuildError::DuplicateName { backend: twice.name().to_owned() });
    }
    if backends.iter().any(Backend::has_credential) {
        if let Some(silent) = backends.iter().find(|backend| matches!(backend.auth(), Auth::Unspecified)) {
            return Err(BuildError::MixedCredentials { backend: silent.name().to_owned() });
        }
    }
    Ok(())
}

impl fmt::Debug for PoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolBuilder")
            .field("backends", &self.backends)
            .field("policy", &self.policy)
            .field("max_attempts", &self.max_attempts)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(builder: PoolBuilder) -> String {
        builder.build().unwrap_err().to_string()
    }

    fn host(name: &str) -> Backend {
        Backend::new(name, 1).unwrap()
    }

    fn keyed(name: &str) -> Backend {
        Backend::builder(name).api_key("CANARY").build().unwrap()
    }

    #[test]
    fn a_pool_without_backends_is_refused() {
        assert_eq!(Pool::new([]).unwrap_err(), BuildError::NoBackends);
    }

    #[test]
    fn duplicate_names_are_refused_by_name() {
        let message = error(Pool::builder().backend(host("a.example")).backend(host("a.example")));
        assert!(message.contains("a.example") && message.contains("name(..)"), "{message}");
    }

    #[test]
    fn mixed_credentials_need_a_word_on_forwarding() {
        let message = error(Pool::builder().backend(keyed("a.example")).backend(host("b.example")));
        assert!(message.contains("b.example") && message.contains("forward_caller_credential"), "{message}");
        assert!(!message.contains("CANARY"));
        let forwarding = Backend::builder("b.example").forward_caller_credential().build().unwrap();
        assert!(Pool::new([keyed("a.example"), forwarding]).is_ok());
        assert!(Pool::new([keyed("a.example"), keyed("b.example")]).is_ok());
        assert!(Pool::new([host("a.example"), host("b.example")]).is_ok());
    }

    #[test]
    fn options_out_of_range_are_refused_by_name() {
        let pool = || Pool::builder().backend(host("a.example"));
        assert!(error(pool().default_cooldown(Duration::ZERO)).contains("default_cooldown"));
        assert!(error(pool().max_cooldown(Duration::from_secs(9))).contains("max_cooldown"));
        assert!(error(pool().max_attempts(0)).contains("max_attempts"));
        for status in [399, 500, 200, 0, u16::MAX] {
            assert!(error(pool().fail_over_on([401, status])).contains("fail_over_on"), "{status}");
        }
        assert!(pool().fail_over_on([400, 499]).max_attempts(1).build().is_ok());
    }
}
