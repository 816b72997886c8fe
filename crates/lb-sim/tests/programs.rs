//! Workloads with clients, backends and pools of their own, and requests that are sent until they are served.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

use lb_sim::{Scenario, metrics::RunResult, simulate};

fn run(text: &str) -> RunResult {
    simulate(&Scenario::parse(text).unwrap()).unwrap().remove(0)
}

/// Two products that send a request a second each, over a deployment each; both deployments are on one quota of 60 requests
/// a minute. Times are apart, so that neither is always first.
fn products(of_chat: &str, of_search: &str) -> RunResult {
    run(&format!(
        r#"
        run = {{ duration = "1h" }}
        pool = {{ default_cooldown = "5s" }}
        [[backend]]
        name = "chat-eu"
        quota = "eu"
        window = [{{ unit = "requests", limit = 60, length = "60s", phase = "0s" }}]
        [[backend]]
        name = "search-eu"
        quota = "eu"
        [[backend]]
        name = "search-us"
        priority = 2
        [[workload]]
        name = "chat"
        kind = "poisson"
        rate = 1
        input = 1
        output = 1
        {of_chat}
        [[workload]]
        name = "search"
        kind = "poisson"
        rate = 1
        input = 1
        output = 1
        {of_search}
        "#
    ))
}

#[test]
fn two_products_share_a_quota_over_deployments_of_their_own() {
    let run = products("backends = ['chat-eu']", "backends = ['search-eu', 'search-us']");
    let [chat, search] = run.classes.as_slice() else { panic!() };
    let [chat_eu, search_eu, search_us] = run.backends.as_slice() else { panic!() };
    // No request of one is sent to what is the other's.
    assert_eq!(chat.attempts, chat_eu.attempts);
    assert_eq!(search.attempts, search_eu.attempts + search_us.attempts);
    // Each minute of the quota is used up, by both together.
    assert!((60 * 59..=60 * 60).contains(&(chat_eu.accepted + search_eu.accepted)), "{chat_eu:?} {search_eu:?}");
    assert!(chat_eu.accepted > 1_000 && search_eu.accepted > 1_000, "{chat_eu:?} {search_eu:?}");
    // Search has another region, chat has not.
    assert!(search.given_up.throttled == 0 && chat.given_up.throttled > 500, "{chat:?} {search:?}");
    // Best is what is best of a workload's own backends.
    assert_eq!((chat.spilled, search.spilled), (0, search_us.succeeded));
}

#[test]
fn a_pool_of_its_own_does_not_know_what_others_were_told() {
    // One pool learns of a full window with one refusal, and tells the other workload: then nobody asks until it is over.
    let together = products("", "");
    let apart = products("pool = {}", "pool = {}");
    let refused = |run: &RunResult| run.backends.iter().map(|backend| backend.throttles).sum::<u64>();
    assert!(refused(&apart) > refused(&together), "{} and {}", refused(&apart), refused(&together));
    assert_eq!((together.workers.len(), apart.workers.len()), (1, 2));
}

#[test]
fn a_workload_has_an_sdk_workers_and_a_timeout_of_its_own() {
    let run =
        products("backends = ['chat-eu']\nclients = { sdk = 'openai-python-3.54', max_retries = 4, workers = 3 }", "");
    let [chat, search] = run.classes.as_slice() else { panic!() };
    assert!(chat.sdk_retries > 100 && search.sdk_retries == 0, "{chat:?} {search:?}");
    assert_eq!(run.workers.len(), 4);
    let sent: Vec<u64> = run.workers.iter().map(|worker| worker.offered).collect();
    // Those that are shared come first.
    assert_eq!((sent[0], sent[1..].iter().sum()), (search.offered, chat.offered));
    assert!(sent[1..].iter().all(|&of_worker| of_worker > 1_000), "{sent:?}");

    let slow = "clients = { client = 'direct', direct_to = 'search-us', timeout = '1ms' }";
    let run = products("backends = ['chat-eu']", slow);
    assert_eq!(
        (run.classes[1].faults, run.classes[1].given_up.fault),
        (run.classes[1].attempts, run.classes[1].offered)
    );
    assert_eq!(run.classes[0].faults, 0);
    assert_eq!(run.backends[2].attempts, run.classes[1].attempts);
}

/// A request every 667 ms for an hour, on 60 a minute.
fn batch(refusal: &str, retry: &str) -> RunResult {
    run(&format!(
        r#"
        run = {{ duration = "1h" }}
        pool = {{ peek = false }}
        [[backend]]
        name = "eu"
        window = [{{ unit = "requests", limit = 60, length = "60s", phase = "0s" }}]
        {refusal}
        [[workload]]
        name = "batch"
        kind = "constant"
        rate = 1.5
        input = 1
        output = 1
        {retry}
        "#
    ))
}

#[test]
fn a_batch_that_retries_until_it_is_served_gives_nothing_up_and_uses_all_of_the_quota() {
    for refusal in ["", "hints = { refuse_with_200 = true }"] {
        let run = batch(refusal, "retry = { wait = '5s' }");
        assert_eq!(run.conservation.offered, 5_400);
        assert_eq!(run.conservation.given_up, 0, "{:?}", run.classes);
        // 60 in each of the 60 minutes; the rest is still under way.
        assert!((3_590..=3_600).contains(&run.conservation.succeeded), "{:?}", run.conservation);
        assert!(run.classes[0].sdk_retries > 10_000, "{:?}", run.classes);
    }
}

#[test]
fn a_deadline_ends_what_would_be_sent_until_it_is_served() {
    let run = batch("", "retry = { wait = '5s' }\ndeadline = '90s'");
    assert!(run.conservation.given_up > 1_000, "{:?}", run.conservation);
    assert_eq!(run.classes[0].given_up.deadline, run.conservation.given_up);
}
