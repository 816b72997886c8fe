//! A case: a pool with options, and a list of events.

use std::time::Duration;

use lb_core::{Backend, Fault, Pool, PoolBuilder};
use proptest::{collection::vec, option, prelude::*, sample::Index, sample::select};

/// Everything that a run depends on.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) backends: Vec<Spec>,
    pub(crate) options: Options,
    pub(crate) seed: u64,
    pub(crate) events: Vec<Event>,
}

/// One backend; its name is `b` and its index.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub(crate) priority: u32,
    pub(crate) weight: u32,
    pub(crate) prefix: &'static str,
    pub(crate) deployment: Option<&'static str>,
    /// `None` sends the caller's.
    pub(crate) key: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) default_cooldown: Duration,
    pub(crate) max_cooldown: Duration,
    pub(crate) extra_statuses: Vec<u16>,
    pub(crate) after_send: bool,
    pub(crate) always_synthesize: bool,
    pub(crate) max_attempts: Option<u32>,
}

#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// A request begins.
    Start(Ask),
    /// The open attempt of one of the running requests ends.
    Answer(Index, Answer),
    /// One of the running requests is polled for nothing.
    Poll(Index),
    /// The caller of one of the running requests gives up.
    Cancel(Index),
    /// Time passes.
    Wait(Duration),
    /// Time passes until the deadline of a cooling backend, or until so many nanoseconds before it.
    WaitUntilDeadline(Index, u64),
}

#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) typed: bool,
    pub(crate) one_shot: bool,
    pub(crate) path: &'static str,
    pub(crate) body: Vec<u8>,
}

#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Status { status: u16, hint: Said, body: Vec<u8> },
    Fault(Fault),
}

/// What an answer says about when to come back.
#[derive(Debug, Clone)]
pub(crate) enum Said {
    Nothing,
    Seconds(u64),
    Millis(u64),
    /// Bytes that no reader can take for a delay.
    Noise(Vec<u8>),
}

impl Said {
    pub(crate) fn header(&self) -> Option<(&'static str, Vec<u8>)> {
        match self {
            Self::Nothing => None,
            Self::Seconds(secs) => Some(("retry-after", secs.to_string().into_bytes())),
            Self::Millis(millis) => Some(("retry-after-ms", millis.to_string().into_bytes())),
            Self::Noise(bytes) => Some(("retry-after", [b"!", bytes.as_slice()].concat())),
        }
    }

    pub(crate) fn delay(&self) -> Option<Duration> {
        match self {
            Self::Nothing | Self::Noise(_) => None,
            Self::Seconds(secs) => Some(Duration::from_secs(*secs)),
            Self::Millis(millis) => Some(Duration::from_millis(*millis)),
        }
    }
}

impl Case {
    pub(crate) fn pool(&self) -> PoolBuilder {
        let Options { default_cooldown, max_cooldown, extra_statuses, after_send, always_synthesize, max_attempts } =
            self.options.clone();
        let has_keys = self.backends.iter().any(|spec| spec.key.is_some());
        let backends = self.backends.iter().enumerate().map(|(index, spec)| {
            let backend = Backend::builder(format!("https://b{index}.example{}", spec.prefix))
                .name(format!("b{index}"))
                .priority(spec.priority)
                .weight(spec.weight);
            let backend = spec.deployment.into_iter().fold(backend, |backend, name| backend.deployment(name));
            let backend = match &spec.key {
                Some(key) => backend.api_key(key),
                None if has_keys => backend.forward_caller_credential(),
                None => backend,
            };
            backend.build().unwrap()
        });
        let pool = Pool::builder()
            .backends(backends)
            .default_cooldown(default_cooldown)
            .max_cooldown(max_cooldown)
            .fail_over_on(extra_statuses)
            .fail_over_after_send(after_send)
            .always_synthesize(always_synthesize);
        max_attempts.into_iter().fold(pool, PoolBuilder::max_attempts)
    }
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
    (backends(), options(), any::<u64>(), vec(event(), 1..70)).prop_map(|(backends, options, seed, events)| Case {
        backends,
        options,
        seed,
        events,
    })
}

fn backends() -> impl Strategy<Value = Vec<Spec>> {
    let spec = (
        1..=3_u32,
        prop_oneof![3 => Just(1_u32), 2 => 1..=100_u32],
        select(vec!["", "/team-a", "/p/q%20r"]),
        option::weighted(0.3, select(vec!["gpt-x", "gpt.y~z"])),
        any::<bool>(),
    );
    (vec(spec, 1..=12), 0..3_u8).prop_map(|(specs, keyed)| {
        let spec = |(index, (priority, weight, prefix, deployment, coin)): (usize, _)| {
            // No keys, keys everywhere, or keys here and there.
            let key = (keyed == 1 || (keyed == 2 && coin)).then(|| format!("KEY-{index}-CANARY"));
            Spec { priority, weight, prefix, deployment, key }
        };
        specs.into_iter().enumerate().map(spec).collect()
    })
}

fn options() -> impl Strategy<Value = Options> {
    let millis = |range| proptest::strategy::Strategy::prop_map(range, Duration::from_millis);
    (
        millis(1..20_000_u64),
        millis(20_000..90_000_u64),
        prop_oneof![Just(vec![]), vec(select(vec![400, 401, 403, 404, 408, 499]), 1..3)],
        any::<bool>(),
        proptest::bool::weighted(0.2),
        option::weighted(0.4, 1..=13_u32),
    )
        .prop_map(
            |(default_cooldown, max_cooldown, extra_statuses, after_send, always_synthesize, max_attempts)| Options {
                default_cooldown,
                max_cooldown,
                extra_statuses,
                after_send,
                always_synthesize,
                max_attempts,
            },
        )
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        5 => ask().prop_map(Event::Start),
        12 => (any::<Index>(), answer()).prop_map(|(which, answer)| Event::Answer(which, answer)),
        1 => any::<Index>().prop_map(Event::Poll),
        1 => any::<Index>().prop_map(Event::Cancel),
        1 => (0..15_000_000_000_u64).prop_map(|nanos| Event::Wait(Duration::from_nanos(nanos))),
        2 => (any::<Index>(), 0..2_u64).prop_map(|(which, early)| Event::WaitUntilDeadline(which, early)),
    ]
}

fn ask() -> impl Strategy<Value = Ask> {
    let paths = vec![
        "/openai/deployments/gpt/chat/completions?api-version=1&x=%2f",
        "https://caller.example:81/v1/responses",
        "/",
        "/deployments/a/deployments/b?q=/deployments/c",
    ];
    (any::<bool>(), proptest::bool::weighted(0.1), select(paths), vec(any::<u8>(), 0..40))
        .prop_map(|(typed, one_shot, path, body)| Ask { typed, one_shot, path, body })
}

pub(crate) fn answer() -> impl Strategy<Value = Answer> {
    let status = prop_oneof![
        4 => Just(429_u16),
        3 => select(vec![500_u16, 502, 503, 529, 599, 999]),
        3 => Just(200_u16),
        2 => select(vec![202_u16, 302, 400, 401, 403, 404, 408, 422, 428, 430, 499]),
    ];
    let hint = prop_oneof![
        2 => Just(Said::Nothing),
        3 => (0..100_u64).prop_map(Said::Seconds),
        3 => (0..30_000_u64).prop_map(Said::Millis),
        1 => Just(Said::Seconds(86_400)),
        1 => Just(Said::Seconds(0)),
        1 => vec(128..=255_u8, 0..9).prop_map(Said::Noise),
    ];
    let faults = vec![Fault::Connect, Fault::Connect, Fault::Timeout, Fault::Reset, Fault::Request];
    prop_oneof![
        8 => (status, hint, vec(any::<u8>(), 0..20))
            .prop_map(|(status, hint, body)| Answer::Status { status, hint, body }),
        2 => select(faults).prop_map(Answer::Fault),
    ]
}
