//! Builds a pool and checks everything.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use super::{Audience, Policy, Pool, PoolOptions, States, StatusAction};
use crate::{
    backend::{Auth, Backend, Destination},
    build_error::BuildError,
    clock::{Clock, SystemClock},
    observe::Observer,
    pool::waiting::{Wait, Waiting},
};

impl Pool {
    /// A pool of `backends` with the default options.
    ///
    /// # Errors
    ///
    /// If there is no backend, two have the same name or are one endpoint, or some have credentials and others do not say
    /// what they want.
    pub fn new(backends: impl IntoIterator<Item = Backend>) -> Result<Self, BuildError> {
        Self::builder().backends(backends).build()
    }

    /// A pool with every option.
    pub fn builder() -> PoolBuilder {
        PoolBuilder::default()
    }
}

/// Builds a [`Pool`]; [`build`](PoolBuilder::build) checks everything.
#[derive(Default)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct PoolBuilder {
    backends: Vec<Backend>,
    options: PoolOptions,
    clock: Option<Arc<dyn Clock>>,
    observers: Vec<Box<dyn Observer>>,
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

    /// All options at once, in place of those set before. Default: [`PoolOptions::default`].
    pub fn options(mut self, options: PoolOptions) -> Self {
        self.options = options;
        self
    }

    /// How long a backend cools down after a 429 without a hint. Default: 10 s. More than zero, at most
    /// [`max_cooldown`](PoolBuilder::max_cooldown).
    pub fn default_cooldown(mut self, cooldown: Duration) -> Self {
        self.options.default_cooldown = cooldown;
        self
    }

    /// The longest hint that is credible; a 429 with a longer one is a strike. Also the longest time between two probes
    /// of a suspect. Default: 600 s.
    pub fn max_cooldown(mut self, cooldown: Duration) -> Self {
        self.options.max_cooldown = cooldown;
        self
    }

    /// How many requests in a row must strike a backend to make it suspect, at least 1. Default: 2, so that one bad prompt
    /// takes nobody out.
    pub fn strikes(mut self, strikes: u32) -> Self {
        self.options.strikes = strikes;
        self
    }

    /// How long after its last failure one request asks a suspect before any other of its priority, to see whether it is
    /// back. Default: 10 s. More than zero, at most [`max_cooldown`](PoolBuilder::max_cooldown).
    pub fn probe_after(mut self, after: Duration) -> Self {
        self.options.probe_after = after;
        self
    }

    /// From when on an attempt that its caller drops is a strike, if no head has come. Default: never, because a dropped
    /// future says nothing by itself. Set it somewhat below your timeout where that is a timer around the future, such as
    /// `tokio::time::timeout` or tower's: a backend that never answers is noticed by nothing else then.
    pub fn stalled_after(mut self, after: Duration) -> Self {
        self.options.stalled_after = Some(after);
        self
    }

    /// What is done about a status from 400 to 499 other than 429. Default: 401 and 403 fail over where the backend has a
    /// credential of its own, and all others are returned.
    ///
    /// ```
    /// use lb_core::{Pool, StatusAction};
    ///
    /// let pool = Pool::builder()
    ///     // A deployment that is not there yet in one region.
    ///     .on_status(404, StatusAction::FailOver)
    ///     // The token quota of API Management, which says how long.
    ///     .on_status(403, StatusAction::FailOverAndCool);
    /// # let _ = pool;
    /// ```
    pub fn on_status(mut self, status: u16, action: StatusAction) -> Self {
        self.options.on_status.insert(status, action);
        self
    }

    /// Whether a timeout or reset after the request went out fails over, and so does a 408. Default: false, because the
    /// first backend may have executed and billed the request. It is a strike either way.
    pub fn fail_over_after_send(mut self, fail_over: bool) -> Self {
        self.options.fail_over_after_send = fail_over;
        self
    }

    /// Whether a 2xx whose `content-type` is `text/html` fails over, and is a strike: no API of models answers so, but a
    /// captive portal, a proxy's login and the host of a domain that has lapsed do. Default: false: it is a success.
    pub fn reject_html(mut self, rejects: bool) -> Self {
        self.options.reject_html = rejects;
        self
    }

    /// Whether a 200 stream whose head [announces](crate::announces_refusal) a refusal is held until its first real event, for
    /// two seconds at most, so that a refusal in it fails over as a 429 does. Default: true. Streams that announce nothing
    /// are not touched either way.
    pub fn peek(mut self, peeks: bool) -> Self {
        self.options.peek = peeks;
        self
    }

    /// Lets a request wait where it would be refused because backends are cooling: until the first of them is back, and behind
    /// those that wait already. Default: it is refused at once, which is what interactive callers and the retries of SDKs
    /// want to hear.
    ///
    /// Who waits asks again at a moment that depends on how many older ones wait, so that a backend which comes back is asked
    /// by one, then by two, by four, and not by all. Order is by age in tendency: who comes anew while others wait goes
    /// behind them, unless it may not wait. Refused at once, with a `Retry-After` that counts those who wait, is who would wait beyond
    /// [`longest`](Wait::longest) or its own [deadline](crate::Wishes::within), who finds the queue full, and who wishes
    /// [not to wait](crate::Wishes::wait). After a wait the request may ask every backend once more;
    /// [`max_attempts`](PoolBuilder::max_attempts) counts over all rounds. Nobody waits for a suspect.
    ///
    /// ```
    /// use lb_core::{Pool, Wait};
    /// use std::time::Duration;
    ///
    /// let pool = Pool::builder().wait(Wait { longest: Duration::from_secs(20), queue: 500 });
    /// # let _ = pool;
    /// ```
    pub fn wait(mut self, wait: Wait) -> Self {
        self.options.wait = Some(wait);
        self
    }

    /// No attempt of a request begins later than so long after the balancer got it, and no wait ends later, as by
    /// [`Wishes::within`](crate::Wishes::within); the earlier of both counts. Default: never too late.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.options.deadline = Some(deadline);
        self
    }

    /// A failure that comes later than so long after its attempt began is returned, if the request may have been
    /// executed: a 5xx, an HTML page, and where they fail over at all a timeout, a reset and a 408. A 504 after two minutes is not
    /// tried for two minutes at each backend. Default: it fails over however late it is.
    pub fn fail_over_within(mut self, within: Duration) -> Self {
        self.options.fail_over_within = Some(within);
        self
    }

    /// Whether a request whose path names something that is stored at one resource stays where it was sent: it gets that
    /// backend's answer or error, whatever it is. Default: false: it fails over, and the next resource answers 404.
    ///
    /// Such are all paths with a segment after `assistants`, `batches`, `containers`, `conversations`, `evals`, `files`,
    /// `fine_tuning`, `responses`, `threads`, `uploads`, `vector_stores` or `videos`. What names its state in the body
    /// (`previous_response_id`) is not seen. Better than the guard is a [pin](crate::Wishes::pin_resource): a request with one is
    /// sent to the right resource in the first place.
    pub fn guard_stateful_paths(mut self, guard: bool) -> Self {
        self.options.guard_stateful_paths = guard;
        self
    }

    /// Whether exhaustion is always answered with a synthesised 429, as the Python package does. Default: false: if no 429
    /// was among the answers of the request, or every one was a strike, the final attempt's own answer or error is
    /// returned; and where no backend is out for a 429, what is synthesised is a 503.
    pub fn always_synthesize(mut self, always: bool) -> Self {
        self.options.always_synthesize = always;
        self
    }

    /// How many attempts one request may make, at least 1. Default: each backend of the pool once.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.options.max_attempts = Some(attempts);
        self
    }

    /// Where the time comes from. Default: [`SystemClock`].
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Adds one who is told about every decision, after those added before. Default: nobody, besides `tracing`
    /// subscribers.
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observers.push(Box::new(observer));
        self
    }

    /// The pool.
    ///
    /// # Errors
    ///
    /// If there is no backend, two have the same name or are one endpoint (origin, path prefix, deployment and
    /// credential), some have credentials and others do not say what they want, or an option is out of range. The error
    /// names the backends or the option and never prints a credential.
    pub fn build(self) -> Result<Pool, BuildError> {
        self.check()?;
        let (backends, weights) = tiers(self.backends);
        let audience = Audience::new(self.observers);
        Ok(Pool {
            states: States::new(&weights),
            waiting: Arc::new(Waiting::new()),
            backends,
            policy: Policy::new(&self.options).with_time(audience.wants_time()),
            clock: self.clock.unwrap_or_else(|| Arc::new(SystemClock::new())),
            audience,
            numbered: Arc::default(),
        })
    }

    /// The pool that takes the place of `old`, with what is known about the backends that both have.
    pub(crate) fn build_in_place_of(self, old: &Pool) -> Result<Pool, BuildError> {
        self.check()?;
        if self.clock.is_some() {
            let problem = "a pool that replaces another goes on by its clock; leave the option out";
            return Err(BuildError::Option { option: "clock", problem });
        }
        let (backends, weights) = tiers(self.backends);
        let known: HashMap<_, _> = old.backends.iter().zip(0..).map(|(backend, slot)| (backend.name(), slot)).collect();
        let kept = |slot: usize| {
            let before = known.get(backends[slot].name()).copied();
            before.filter(|&before: &usize| old.backends[before].shares_endpoint_with(&backends[slot]))
        };
        let is_old = self.observers.is_empty();
        let audience = if is_old { old.audience.clone() } else { Audience::new(self.observers) };
        Ok(Pool {
            states: old.states.replaced(&weights, kept),
            waiting: Arc::clone(&old.waiting),
            policy: Policy::new(&self.options).with_time(audience.wants_time()),
            clock: Arc::clone(&old.clock),
            audience,
            numbered: Arc::clone(&old.numbered),
            backends,
        })
    }

    fn check(&self) -> Result<(), BuildError> {
        self.options.check()?;
        check_backends(&self.backends)
    }
}

/// The backends by priority, and the weights of each priority's.
fn tiers(mut backends: Vec<Backend>) -> (Box<[Backend]>, Vec<Vec<u32>>) {
    backends.sort_by_key(Backend::priority);
    let same_priority = backends.chunk_by(|a, b| a.priority() == b.priority());
    let weights = same_priority.map(|tier| tier.iter().map(Backend::weight).collect()).collect();
    (backends.into(), weights)
}

fn check_backends(backends: &[Backend]) -> Result<(), BuildError> {
    // Slots and sums of weights are 32 bits wide; no real pool comes near.
    if backends.len() > 10_000_000 {
        return Err(BuildError::Option { option: "backends", problem: "there are more than 10,000,000" });
    }
    if backends.is_empty() {
        return Err(BuildError::NoBackends);
    }
    // Before the names: another name would not help those who wrote the same backend twice.
    let mut destinations = HashMap::with_capacity(backends.len());
    for backend in backends {
        if let Some(first) = destinations.insert(Destination::of(backend), backend.name()) {
            let (first, second) = (first.to_owned(), backend.name().to_owned());
            return Err(BuildError::DuplicateEndpoint { first, second });
        }
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
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::BackendBuilder;

    fn error(builder: PoolBuilder) -> String {
        builder.build().unwrap_err().to_string()
    }

    fn host(name: &str) -> Backend {
        Backend::new(name, 1).unwrap()
    }

    fn keyed(name: &str) -> Backend {
        Backend::builder(name).api_key("CANARY").build().unwrap()
    }

    fn other_key(name: &str) -> Backend {
        Backend::builder(name).api_key("CANARY-2").build().unwrap()
    }

    #[test]
    fn a_pool_without_backends_is_refused() {
        assert_eq!(Pool::new([]).unwrap_err(), BuildError::NoBackends);
    }

    #[test]
    fn duplicate_names_are_refused_by_name() {
        let message = error(Pool::builder().backend(keyed("a.example")).backend(other_key("a.example")));
        assert!(message.contains("a.example") && message.contains("name(..)"), "{message}");
    }

    #[test]
    fn one_endpoint_under_two_names_is_refused_by_both() {
        let twice = |builder: fn() -> BackendBuilder| {
            let [first, second] = ["first", "second"].map(|name| builder().name(name).build().unwrap());
            Pool::new([host("b.example"), first, host("c.example"), second]).unwrap_err()
        };
        let error = BuildError::DuplicateEndpoint { first: "first".to_owned(), second: "second".to_owned() };
        assert_eq!(twice(|| Backend::builder("a.example").deployment("d")), error);
        assert_eq!(twice(|| Backend::builder("a.example").api_key("CANARY")), error);
        let message = format!("{error} {error:?}");
        assert!(message.contains("more weight") && !message.contains("CANARY"), "{message}");
    }

    #[test]
    fn the_same_backend_twice_is_no_matter_of_its_name() {
        let message = error(Pool::builder().backend(host("a.example")).backend(host("a.example")));
        assert!(message.contains("a.example") && message.contains("more weight"), "{message}");
    }

    #[test]
    fn one_endpoint_may_have_many_keys() {
        let keyed =
            |key: u32| Backend::builder("a.example").name(format!("key {key}")).api_key(format!("{key}")).build();
        let pool = |keys: &[u32]| Pool::new(keys.iter().map(|key| keyed(*key).unwrap()));
        let keys: Vec<u32> = (0..10_000).collect();
        assert_eq!(pool(&keys).unwrap().backends().len(), 10_000);
        let error = pool(&[keys, vec![7_000]].concat()).unwrap_err();
        assert!(matches!(&error, BuildError::DuplicateEndpoint { first, .. } if first == "key 7000"), "{error}");
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
        assert!(error(pool().strikes(0)).contains("strikes"));
        assert!(error(pool().probe_after(Duration::ZERO)).contains("probe_after"));
        assert!(error(pool().probe_after(Duration::from_secs(601))).contains("probe_after"));
        assert!(error(pool().stalled_after(Duration::ZERO)).contains("stalled_after"));
        assert!(error(pool().wait(Wait { longest: Duration::ZERO, queue: 1 })).contains("wait"));
        assert!(error(pool().wait(Wait { longest: Duration::from_secs(1), queue: 0 })).contains("wait"));
        assert!(error(pool().deadline(Duration::ZERO)).contains("deadline"));
        assert!(error(pool().fail_over_within(Duration::ZERO)).contains("fail_over_within"));
        for status in [399, 429, 500, 200, 0, u16::MAX] {
            let pool = pool().on_status(401, StatusAction::FailOver).on_status(status, StatusAction::Return);
            assert!(error(pool).contains("on_status"), "{status}");
        }
        let pool = pool().on_status(400, StatusAction::FailOver).on_status(499, StatusAction::Return);
        assert!(pool.max_attempts(1).strikes(1).build().is_ok());
    }

    #[test]
    fn an_observer_that_does_not_want_attempts_is_told_what_changes_alone() {
        use crate::{Event, Fault, MockClock, Outcome, SeededRng, Step};
        use std::sync::Mutex;

        struct Names(Arc<Mutex<Vec<&'static str>>>, bool);
        impl Observer for Names {
            fn on_event(&self, event: &Event<'_>) {
                self.0.lock().unwrap().push(match event {
                    Event::Sent { .. } => "sent",
                    Event::Settled { .. } => "settled",
                    Event::Suspected { .. } => "suspected",
                    _ => "other",
                });
            }
            fn wants_attempts(&self) -> bool {
                self.1
            }
        }
        let told = |wants: &[bool]| {
            let names = Arc::default();
            let mut builder = Pool::builder().backend(host("a.example")).clock(MockClock::new());
            for &wants in wants {
                builder = builder.observer(Arc::new(Names(Arc::clone(&names), wants)));
            }
            let pool = builder.build().unwrap();
            let mut dispatch = pool.dispatch();
            assert!(matches!(dispatch.next(|| pool.now(), &SeededRng::new(1)), Step::Try(_)));
            let _ = dispatch.settle(Outcome::Faulted(Fault::Connect), || pool.now());
            names.lock().unwrap().clone()
        };
        assert_eq!(told(&[true]), ["sent", "settled", "suspected"]);
        assert_eq!(told(&[false]), ["suspected"]);
        assert_eq!(told(&[false, true]), ["sent", "sent", "settled", "settled", "suspected", "suspected"]);
    }
}
