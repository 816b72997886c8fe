//! V18: nothing gets lost, and Little's law holds to the nanosecond.

use lb_sim::metrics::{Conservation, RunResult};

use crate::case::simulation;

/// Two tiers in overload, under everything that can happen to a request.
const BUSY: &str = r#"
[run]
duration = "10m"
warmup = "30s"
[clients]
workers = 5
sdk = "openai-python-3.54"
timeout = "20s"
[pool]
peek = false
fail_over_after_send = true
[[backend]]
name = "ptu"
model = "gpt-4.1"
preset = "azure-ptu"
ptus = 50
region = "north"
[[backend]]
name = "standard"
priority = 2
model = "gpt-4.1"
preset = "azure-standard"
tpm = 60000
foreign = { tpm = 10000 }
[[backend]]
name = "own"
priority = 3
region = "north"
concurrency = { max_inflight = 4, queue = 3 }
hints = { policy = "none" }
[[backend]]
name = "mute"
priority = 4
hints = { refuse_with_200 = true, policy = "ceiling" }
window = [{ unit = "tokens", limit = 9000, length = "10s", kind = "sliding" }]
[[workload]]
name = "chat"
kind = "gamma"
rate = 8
cv = 2.0
input = { mean = 900, sigma = 1.0 }
output = { mean = 200, sigma = 0.7 }
max_tokens = { factor = 2.0 }
cached_share = 0.2
deadline = "40s"
[[workload]]
name = "batch"
kind = "closed"
users = 20
think = "2s"
input = 3000
output = 50
max_tokens = 60
stream = false
[[fault]]
backend = "standard"
kind = "status"
share = 0.1
at = "1m"
[[fault]]
region = "north"
kind = "connect"
mean_between = "90s"
mean_duration = "10s"
[[fault]]
backend = "ptu"
kind = "hang"
share = 0.02
at = "0s"
[[fault]]
backend = "own"
kind = "slow"
factor = 5.0
at = "3m"
for = "2m"
"#;

#[test]
fn every_request_and_every_attempt_is_in_exactly_one_place() {
    let run = simulation(BUSY).run(0);
    assert!(run.conservation.holds());
    let given_up: u64 = run.classes.iter().map(|class| class.given_up.total()).sum();
    assert!(run.conservation.succeeded > 1_000 && given_up > 100, "{:?}", run.conservation);
    for class in &run.classes {
        assert_eq!(class.offered, class.succeeded + class.given_up.total() + class.in_flight);
        assert_eq!(class.total.count(), class.succeeded + class.given_up.total());
        assert_eq!(class.total.never(), class.given_up.total());
    }
    for backend in &run.backends {
        let refused = backend.throttles + backend.refusals_in_stream;
        assert_eq!(backend.attempts, backend.accepted + refused + backend.server_errors + backend.faults);
        assert!(backend.succeeded <= backend.accepted);
        assert!(backend.attempts > 0 && backend.samples > 0);
    }
    let sum = |of: fn(&RunResult) -> Vec<u64>| of(&run).iter().sum::<u64>();
    let attempts = sum(|run| run.backends.iter().map(|backend| backend.attempts).collect());
    assert_eq!(attempts, sum(|run| run.classes.iter().map(|class| class.attempts).collect()));
    assert_eq!(attempts, sum(|run| run.workers.iter().map(|worker| worker.attempts).collect()));
    let offered = sum(|run| run.classes.iter().map(|class| class.offered).collect());
    assert_eq!(offered, sum(|run| run.workers.iter().map(|worker| worker.offered).collect()));
    let succeeded = sum(|run| run.classes.iter().map(|class| class.succeeded).collect());
    assert_eq!(succeeded, sum(|run| run.workers.iter().map(|worker| worker.succeeded).collect()));
    assert_eq!(succeeded, sum(|run| run.backends.iter().map(|backend| backend.succeeded).collect()));
    // What a client never saw, because it had left or the run was over, a backend gave all the same.
    let given = sum(|run| run.backends.iter().map(|backend| backend.throttles).collect());
    let seen = sum(|run| run.classes.iter().map(|class| class.throttles).collect());
    assert!(seen <= given && given - seen < 20, "{seen} of {given}");
    // Timelines have the warm-up's too.
    let bins = run.timeline.requests();
    assert_eq!(bins.iter().map(|bin| bin.offered).sum::<u64>(), run.conservation.offered);
    assert_eq!(bins.iter().map(|bin| bin.succeeded).sum::<u64>(), run.conservation.succeeded);
    assert_eq!(bins.iter().map(|bin| bin.throttled + bin.failed).sum::<u64>(), run.conservation.given_up);
}

#[test]
fn tokens_are_estimated_used_and_wasted_as_they_should() {
    // What is being served when the run ends is estimated and not yet used.
    let run = simulation(BUSY).run(1);
    for backend in &run.backends {
        assert!(backend.used_tokens <= backend.estimated_tokens, "nobody asks for less than comes: {backend:?}");
        assert!(backend.wasted_tokens <= backend.estimated_tokens - backend.used_tokens);
        let open = backend.estimated_tokens - backend.used_tokens - backend.wasted_tokens;
        assert!(open * 20 < backend.estimated_tokens, "{open} of {backend:?}");
    }
}

#[test]
fn v18_littles_law_is_an_identity_of_integers_and_a_break_is_noticed() {
    let conservation = simulation(BUSY).run(2).conservation;
    assert!(conservation.holds());
    assert!(conservation.integral > 0);
    let breaks: [fn(&mut Conservation); 5] = [
        |books| books.succeeded += 1,
        |books| books.in_flight = books.in_flight.wrapping_sub(1),
        |books| books.offered += 1,
        |books| books.residence += 1,
        |books| books.integral -= 1,
    ];
    let broken = breaks.map(|change| {
        let mut books = conservation;
        change(&mut books);
        books
    });
    assert!(broken.iter().all(|broken| !broken.holds()));
}

#[test]
fn v18_the_integral_is_the_arrival_rate_times_the_mean_time() {
    // 2 requests per second of 3 s each: 6 at once, but for the first 3 s, which reach it step by step.
    let run = simulation(
        r#"
        [run]
        duration = "100s"
        [[model]]
        name = "steady"
        ttft = { base = "3s", per_1k_input = "0s", sigma = 0.0 }
        tpot = { mean = "0s", sigma = 0.0 }
        [[backend]]
        name = "one"
        model = "steady"
        [[workload]]
        name = "calls"
        kind = "constant"
        rate = 2
        input = 1
        output = 1
        "#,
    )
    .run(0);
    // 200 requests, of which the last six have 3, 2.5, 2, 1.5, 1 and 0.5 s.
    assert_eq!(run.conservation.integral, (194 * 3_000 + 10_500) * 1_000_000);
    // The one that arrived at 97 s ends at 100 s, when the run is over.
    assert_eq!((run.conservation.succeeded, run.conservation.in_flight), (194, 6));
    assert_eq!(run.backends[0].busy, run.conservation.integral);
}
