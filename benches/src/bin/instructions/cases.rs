//! What is counted.

use std::{hint::black_box, time::Duration};

use http::Request;
use lb_benches::{
    floor::Floor,
    state::{Shape, State, leaked, observed, pool, pool_in, pool_with_cooldown},
};
use lb_core::{
    Backend, Clock, Instant, Outcome, Pool, Pools, ReplaceablePool, SeededRng, Step, SystemClock, Target, ThreadRng,
    Wishes, requested_model,
};

/// The name by which callgrind finds [`counted_region`].
pub(crate) const REGION: &str = "counted_region";

/// The numbers of backends of the pools.
pub(crate) const SIZES: [usize; 5] = [1, 3, 8, 64, 1000];

/// One operation to repeat.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) run: Box<dyn FnMut(u64)>,
}

/// Repeats a case; callgrind collects while this function runs.
#[inline(never)]
pub(crate) fn counted_region(run: &mut dyn FnMut(u64), times: u64) {
    run(times);
    // No tail call, which would end the region at its beginning.
    black_box(());
}

impl Case {
    fn new<T>(name: impl Into<String>, mut operation: impl FnMut() -> T + 'static) -> Self {
        let run = move |times| {
            for _ in 0..times {
                black_box(operation());
            }
        };
        Self { name: name.into(), run: Box::new(run) }
    }
}

/// Every case, in the order in which they are printed.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = vec![Case::new("empty loop", || ())];
    cases.extend(SIZES.map(floor));
    let clock = SystemClock::new();
    cases.push(Case::new("a clock read, as valgrind sees it", move || black_box(&clock).now()));
    cases.extend(Shape::matrix().map(|shape| pick(&names::available(shape), pool_in(shape, State::None))));
    cases.push(pick_of_a_replaceable_pool());
    cases.push(pick_by_model());
    for shape in Shape::matrix().filter(|shape| shape.backends > shape.tiers) {
        let first_tier = (0..shape.backends).filter(|&slot| shape.priority(slot) == 1).count();
        // The best tier keeps one available.
        cases.push(pick(&names::one_cooling(shape), cooled(shape, |slot| slot == 0)));
        cases.push(pick(&names::half_cooling(shape), cooled(shape, |slot| slot.is_multiple_of(2))));
        cases.push(pick(&names::one_left(shape), cooled(shape, |slot| slot + 1 < first_tier)));
    }
    for shape in names::TIERED {
        for exhausted in 0..4 {
            let is_exhausted = |slot| shape.priority(slot) <= exhausted;
            cases.push(pick(&names::exhausted(shape, exhausted), cooled(shape, is_exhausted)));
        }
    }
    cases.extend(Shape::matrix().map(|shape| pick(&format!("pick, {shape}, all cooling"), pool_in(shape, State::All))));
    cases.extend(SIZES.map(mark_and_recover));
    cases.extend(SIZES.map(dispatch));
    cases.extend([3, 16, 64].map(keyed_dispatch));
    cases.extend([false, true].map(observed_dispatch));
    cases.push(address_again());
    cases.push(restore());
    cases.push(restore_and_address());
    cases.push(restore_and_address_by_hand());
    cases
}

/// The names of the cases that a gate looks at.
pub(crate) mod names {
    use super::Shape;

    /// The pools in which whole tiers are exhausted.
    pub(crate) const TIERED: [Shape; 2] = [Shape { backends: 8, tiers: 4 }, Shape { backends: 1000, tiers: 4 }];

    /// The pool in which it is counted what a pool pays that can be replaced, or is one for a model.
    pub(crate) const SERVING: Shape = Shape { backends: 3, tiers: 1 };
    pub(crate) const REPLACEABLE: &str = "pick, 3x1, of a pool that can be replaced";
    pub(crate) const BY_MODEL: &str = "pick, 3x1, by the deployment in the path";

    pub(crate) const ADDRESS_AGAIN: &str = "address, after another backend";
    pub(crate) const RESTORE: &str = "restore the caller's request";
    pub(crate) const RESTORE_AND_ADDRESS: &str = "restore and address";
    pub(crate) const RESTORE_AND_ADDRESS_BY_HAND: &str = "restore and address by hand";

    pub(crate) fn floor(backends: usize) -> String {
        format!("floor, {backends}")
    }

    pub(crate) fn available(shape: Shape) -> String {
        format!("pick, {shape}")
    }

    pub(crate) fn one_cooling(shape: Shape) -> String {
        format!("pick, {shape}, one cooling")
    }

    pub(crate) fn half_cooling(shape: Shape) -> String {
        format!("pick, {shape}, half cooling")
    }

    pub(crate) fn one_left(shape: Shape) -> String {
        format!("pick, {shape}, one of the tier left")
    }

    pub(crate) fn exhausted(shape: Shape, tiers: u32) -> String {
        format!("pick, {shape}, {tiers} exhausted")
    }

    pub(crate) fn mark_and_recover(backends: usize) -> String {
        format!("mark and recover, {backends}")
    }
}

/// A pool of this shape in which those are out that are meant.
fn cooled(shape: Shape, is_out: impl Fn(usize) -> bool) -> Pool {
    let pool = pool(shape);
    let mut dispatch = pool.dispatch();
    while let Step::Try(attempt) = dispatch.next(|| pool.now(), &ThreadRng) {
        let is_out = is_out(attempt.slot());
        let outcome = if is_out { Outcome::Answered { status: 429, hint: None } } else { Outcome::Cancelled };
        let _ = dispatch.settle(outcome, || pool.now());
    }
    drop(dispatch);
    pool
}

fn floor(backends: usize) -> Case {
    let shape = Shape { backends, tiers: 1 };
    let floor = Floor::new(leaked(pool(shape)), shape, State::None);
    Case::new(names::floor(backends), move || black_box(&floor).pick())
}

/// A pick as an application makes it: with the system's clock, known at compile time, and the thread's generator.
fn pick(name: &str, pool: Pool) -> Case {
    let (pool, clock) = (leaked(pool), SystemClock::new());
    Case::new(name, move || black_box(pool).pick(|| clock.now(), &ThreadRng))
}

/// The same where the pool can be replaced.
fn pick_of_a_replaceable_pool() -> Case {
    let (pools, clock) = (ReplaceablePool::from(pool(names::SERVING)), SystemClock::new());
    let pools = Pools::from(pools);
    Case::new(names::REPLACEABLE, move || {
        let pool = black_box(&pools).pool();
        pool.pick(|| clock.now(), &ThreadRng).is_some()
    })
}

/// The same where each of four models has a pool, and the path says which.
fn pick_by_model() -> Case {
    const PATH: &str = "/openai/deployments/gpt-4.1/chat/completions";
    let models = ["gpt-4.1", "gpt-4.1-mini", "o4-mini", "text-embedding-3-large"];
    let by_model = models.into_iter().fold(Pools::by_model(), |pools, model| pools.pool([model], pool(names::SERVING)));
    let Ok(pools) = by_model.build() else { unreachable!("they are four") };
    let clock = SystemClock::new();
    Case::new(names::BY_MODEL, move || {
        let model = requested_model(black_box(PATH), None, None);
        let pool = black_box(&pools).pool_for(model.as_deref());
        pool.is_ok_and(|pool| pool.pick(|| clock.now(), &ThreadRng).is_some())
    })
}

/// A request that one backend answers with 429, and a pick after that cooldown has expired.
fn mark_and_recover(backends: usize) -> Case {
    let cooldown = Duration::from_secs(1);
    let pool = leaked(pool_with_cooldown(Shape { backends, tiers: 1 }, cooldown));
    let rng = SeededRng::new(1);
    let mut now = Instant::from_nanos(0);
    Case::new(names::mark_and_recover(backends), move || {
        let mut dispatch = black_box(pool).dispatch();
        let is_open = matches!(dispatch.next(|| now, &rng), Step::Try(_));
        let verdict = dispatch.settle(Outcome::Answered { status: 429, hint: None }, || now);
        now = now.saturating_add(cooldown);
        (is_open, verdict, pool.pick(|| now, &rng))
    })
}

/// All that a request costs which succeeds at its first attempt, apart from addressing and sending.
fn dispatch(backends: usize) -> Case {
    let (pool, clock) = (leaked(pool(Shape { backends, tiers: 1 })), SystemClock::new());
    Case::new(format!("a request that succeeds, {backends}"), move || {
        let mut dispatch = black_box(pool).dispatch();
        let is_open = matches!(dispatch.next(|| clock.now(), &ThreadRng), Step::Try(_));
        (is_open, dispatch.settle(Outcome::Answered { status: 200, hint: None }, || clock.now()))
    })
}

/// The same where somebody is told of it, who does nothing with it.
fn observed_dispatch(wants_time: bool) -> Case {
    let (pool, clock) = (leaked(observed(Shape { backends: 3, tiers: 1 }, wants_time)), SystemClock::new());
    let with_time = if wants_time { ", who wants time" } else { "" };
    Case::new(format!("a request that succeeds before an observer{with_time}, 3"), move || {
        let mut dispatch = black_box(pool).dispatch();
        let is_open = matches!(dispatch.next(|| clock.now(), &ThreadRng), Step::Try(_));
        (is_open, dispatch.settle(Outcome::Answered { status: 200, hint: None }, || clock.now()))
    })
}

/// The same for a request with a key, whose walk has terms.
fn keyed_dispatch(backends: usize) -> Case {
    let (pool, clock, mut key) = (leaked(pool(Shape { backends, tiers: 1 })), SystemClock::new(), 0_u64);
    Case::new(format!("a request with a key that succeeds, {backends}"), move || {
        key += 1;
        let wishes = Wishes::new().affinity(key.to_le_bytes());
        let Ok(mut dispatch) = black_box(pool).dispatch_with(wishes) else { unreachable!("it is pinned to nobody") };
        let is_open = matches!(dispatch.next(|| clock.now(), &ThreadRng), Step::Try(_));
        (is_open, dispatch.settle(Outcome::Answered { status: 200, hint: None }, || clock.now()))
    })
}

/// The targets of two backends that differ in origin and key.
fn targets() -> [Target<'static>; 2] {
    ["a.openai.azure.com", "b.openai.azure.com"].map(|endpoint| {
        let backend = Backend::builder(endpoint).api_key(format!("key of {endpoint}")).build();
        let Ok(pool) = backend.and_then(|backend| Pool::new([backend])).map(leaked) else {
            unreachable!("{endpoint} is a valid endpoint")
        };
        match pool.dispatch().next(|| pool.now(), &ThreadRng) {
            Step::Try(attempt) => pool.target(&attempt),
            other => panic!("no target: {other:?}"),
        }
    })
}

fn caller_request() -> Request<()> {
    let mut request = Request::new(());
    *request.uri_mut() = http::Uri::from_static(
        "https://caller.example/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21",
    );
    let headers = request.headers_mut();
    headers.insert(http::header::HOST, http::HeaderValue::from_static("caller.example"));
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    headers.insert(http::header::ACCEPT, http::HeaderValue::from_static("application/json"));
    headers.insert(http::header::AUTHORIZATION, http::HeaderValue::from_static("Bearer of the caller"));
    request
}

/// A request that was addressed to one backend is addressed to another, as when it fails over.
fn address_again() -> Case {
    let (targets, mut request, mut turn) = (targets(), caller_request(), 0);
    Case::new(names::ADDRESS_AGAIN, move || {
        turn ^= 1;
        black_box(&targets[turn]).address(black_box(&mut request)).is_ok()
    })
}

/// Puts back what addressing changed, so that the caller's request can be addressed again.
fn restored(request: &mut Request<()>, original: &Request<()>) {
    request.uri_mut().clone_from(original.uri());
    for name in [http::header::HOST, http::header::AUTHORIZATION] {
        if let Some(value) = original.headers().get(&name) {
            request.headers_mut().insert(name, value.clone());
        }
    }
}

fn restore() -> Case {
    let (original, mut request) = (caller_request(), caller_request());
    Case::new(names::RESTORE, move || restored(black_box(&mut request), &original))
}

/// What addressing costs the first time is this without [`restore`].
fn restore_and_address() -> Case {
    let (targets, original, mut request, mut turn) = (targets(), caller_request(), caller_request(), 0);
    Case::new(names::RESTORE_AND_ADDRESS, move || {
        turn ^= 1;
        restored(black_box(&mut request), &original);
        black_box(&targets[turn]).address(&mut request).is_ok()
    })
}

/// The edits that addressing makes of this request, written down with `http`: what any code pays that makes them.
fn restore_and_address_by_hand() -> Case {
    let (targets, original, mut request, mut turn) = (targets(), caller_request(), caller_request(), 0);
    Case::new(names::RESTORE_AND_ADDRESS_BY_HAND, move || {
        turn ^= 1;
        restored(black_box(&mut request), &original);
        address_by_hand(&mut request, black_box(&targets[turn])).is_ok()
    })
}

fn address_by_hand(request: &mut Request<()>, target: &Target<'_>) -> Result<(), Box<dyn std::error::Error>> {
    let backend = target.backend();
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(backend.scheme().clone());
    parts.authority = Some(backend.authority().clone());
    *request.uri_mut() = http::Uri::from_parts(parts)?;
    let headers = request.headers_mut();
    headers.remove(http::header::HOST);
    headers.remove(http::header::AUTHORIZATION);
    if let Some(credential) = target.credential()? {
        headers.insert(credential.header().clone(), credential.value().clone());
    }
    Ok(())
}
