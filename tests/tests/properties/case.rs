//! A case: a pool with options, and a list of events.

use std::{collections::BTreeMap, time::Duration};

use lb_core::{Backend, Fault, Pool, PoolBuilder, StatusAction};
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::{Index, select},
};

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
    pub(crate) strikes: u32,
    pub(crate) probe_after: Duration,
    pub(crate) stalled_after: Option<Duration>,
    pub(crate) on_status: BTreeMap<u16, StatusAction>,
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
    /// Time passes until a cooling backend is back or a suspect's probe is due, or until so many nanoseconds before it.
    WaitUntilDeadline(Index, u64),
    /// An operator takes a backend out.
    Drain(Index),
    /// An operator puts a backend back.
    Reopen(Index),
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
        let options = &self.options;
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
            .default_cooldown(options.default_cooldown)
            .max_cooldown(options.max_cooldown)
            .strikes(options.strikes)
            .probe_after(options.probe_after)
            .fail_over_after_send(options.after_send)
            .always_synthesize(options.always_synthesize);
        let pool = options.stalled_after.into_iter().fold(pool, PoolBuilder::stalled_after);
        let pool = options.max_attempts.into_iter().fold(pool, PoolBuilder::max_attempts);
        options.on_status.iter().fold(pool, |pool, (status, action)| pool.on_status(*status, *action))
    }
}

/// What the answers of a case are like: each kind of failure has rules that only a row of its like shows.
#[derive(Debug, Clone, Copy)]
enum Weather {
    /// A bit of everything.
    Mixed,
    /// Mostly throttling and success.
    Throttled,
    /// Mostly failures without a word.
    Sick,
    /// Mostly refusals before anything was processed.
    Refusing,
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
    prop_oneof![
        3 => case_in(Weather::Mixed),
        3 => case_in(Weather::Throttled),
        6 => case_in(Weather::Sick),
        2 => case_in(Weather::Refusing),
    ]
}

fn case_in(weather: Weather) -> impl Strategy<Value = Case> {
    // Rows need few backends; walks need many.
    let (most, tiers) = match weather {
        Weather::Mixed | Weather::Throttled => (12, 3),
        Weather::Sick => (4, 2),
        Weather::Refusing => (2, 2),
    };
    let events = vec(event(weather), 1..80);
    (backends(most, tiers), options(), any::<u64>(), events).prop_map(|(backends, options, seed, events)| Case {
        backends,
        options,
        seed,
        events,
    })
}

fn backends(most: usize, tiers: u32) -> impl Strategy<Value = Vec<Spec>> {
    let spec = (
        1..=tiers,
        prop_oneof![3 => Just(1_u32), 2 => 1..=100_u32],
        select(vec!["", "/team-a", "/p/q%20r"]),
        option::weighted(0.3, select(vec!["gpt-x", "gpt.y~z"])),
        any::<bool>(),
    );
    (vec(spec, 1..=most), 0..3_u8).prop_map(|(specs, keyed)| {
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
    // A second is waited often.
    let stalled_after = prop_oneof![millis(1..10_000_u64), Just(Duration::from_secs(1))];
    let actions = vec![StatusAction::Return, StatusAction::FailOver, StatusAction::FailOverAndCool];
    (
        // Whole seconds at the most, so that hints are just as long.
        (millis(1..20_000_u64), (20..90_u64).prop_map(Duration::from_secs)),
        // Shorter and longer than the second for which a failure there closes the last way to a suspect.
        (1..=3_u32, millis(100..20_000_u64), option::weighted(0.5, stalled_after)),
        btree_map(select(vec![400, 401, 403, 404, 408, 499]), select(actions), 0..4),
        any::<bool>(),
        proptest::bool::weighted(0.2),
        option::weighted(0.3, 1..=13_u32),
    )
        .prop_map(|(cooldowns, suspects, on_status, after_send, always_synthesize, max_attempts)| Options {
            default_cooldown: cooldowns.0,
            max_cooldown: cooldowns.1,
            strikes: suspects.0,
            probe_after: suspects.1,
            stalled_after: suspects.2,
            on_status,
            after_send,
            always_synthesize,
            max_attempts,
        })
}

fn event(weather: Weather) -> impl Strategy<Value = Event> {
    const SECOND: u64 = 1_000_000_000;
    let nanos =
        prop_oneof![3 => 0..15 * SECOND, 2 => Just(SECOND), 2 => Just(SECOND - 1), 1 => 30 * SECOND..100 * SECOND];
    prop_oneof![
        10 => ask().prop_map(Event::Start),
        24 => (any::<Index>(), answer_in(weather)).prop_map(|(which, answer)| Event::Answer(which, answer)),
        2 => any::<Index>().prop_map(Event::Poll),
        2 => any::<Index>().prop_map(Event::Cancel),
        3 => nanos.prop_map(|nanos| Event::Wait(Duration::from_nanos(nanos))),
        5 => (any::<Index>(), 0..2_u64).prop_map(|(which, early)| Event::WaitUntilDeadline(which, early)),
        1 => any::<Index>().prop_map(Event::Drain),
        // More often than a drain, so that few are out for long.
        4 => any::<Index>().prop_map(Event::Reopen),
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

/// A bit of everything.
pub(crate) fn answer() -> impl Strategy<Value = Answer> {
    answer_in(Weather::Mixed)
}

fn answer_in(weather: Weather) -> impl Strategy<Value = Answer> {
    let (throttled, failed, fine, refused, faulted) = match weather {
        Weather::Mixed => (4, 4, 3, 3, 6),
        Weather::Throttled => (12, 1, 4, 2, 1),
        Weather::Sick => (1, 4, 3, 2, 10),
        Weather::Refusing => (1, 1, 1, 1, 36),
    };
    let status = prop_oneof![
        throttled => Just(429_u16),
        failed => select(vec![500_u16, 502, 503, 529, 599, 999]),
        fine => select(vec![200_u16, 200, 202, 302]),
        refused => select(vec![400_u16, 401, 401, 403, 404, 408, 408, 422, 428, 430, 499]),
    ];
    let hint = prop_oneof![
        4 => Just(Said::Nothing),
        3 => (0..100_u64).prop_map(Said::Seconds),
        3 => (0..30_000_u64).prop_map(Said::Millis),
        2 => Just(Said::Seconds(86_400)),
        1 => Just(Said::Seconds(0)),
        1 => vec(128..=255_u8, 0..9).prop_map(Said::Noise),
    ];
    let mut faults = vec![
        Fault::Connect,
        Fault::ConnectTimeout,
        Fault::Timeout,
        Fault::Timeout,
        Fault::Reset,
        Fault::Credential,
        Fault::Request,
        Fault::Unprocessed,
    ];
    if let Weather::Refusing = weather {
        faults = vec![Fault::Unprocessed];
    }
    let answered = throttled + failed + fine + refused;
    prop_oneof![
        answered => (status, hint, vec(any::<u8>(), 0..20))
            .prop_map(|(status, hint, body)| Answer::Status { status, hint, body }),
        faulted => select(faults).prop_map(Answer::Fault),
    ]
}
