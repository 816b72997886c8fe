//! What requests wish, each event computed by hand.

use crate::scene::Scene;

/// A request every 10 s to `one`, behind which `two` stands.
fn scene(pool: &str, two: &str, workload: &str, rest: &str) -> Scene {
    Scene::of(&format!(
        r#"
        [run]
        duration = "199s"
        [pool]
        {pool}
        [[backend]]
        name = "one"
        model = "steady"
        [[backend]]
        name = "two"
        model = "steady"
        {two}
        [[workload]]
        name = "calls"
        kind = "constant"
        rate = 0.1
        input = 3000
        output = 11
        {workload}
        {rest}
        "#
    ))
}

const BEHIND: &str = "priority = 2";

fn fault(of: &str) -> String {
    format!("[[fault]]\nbackend = \"one\"\n{of}\nat = \"5s\"")
}

#[test]
fn an_attempt_without_a_head_is_given_up_after_the_head_timeout() {
    let hangs = fault("kind = \"hang\"");
    let wishes = "wishes = { head_timeout = \"3s\" }";
    let scene = scene("fail_over_after_send = true", BEHIND, wishes, &hangs);
    let expected =
        ["10000 arrived", "10000 sent one", "13000 faulted one 2", "13000 sent two", "14000 answered two 200"];
    assert_eq!(scene.of_request(1)[..5], expected);
    assert_eq!(scene.of_request(0), ["0 arrived", "0 sent one", "1000 answered one 200", "2000 succeeded one"]);
}

#[test]
fn no_attempt_begins_later_than_the_request_wishes() {
    let slow = fault("kind = \"status\"\nstatus = 504\nafter = \"2s\"");
    let late = scene("", BEHIND, "wishes = { within = \"2s\" }", &slow);
    let expected = ["10000 arrived", "10000 sent one", "12000 answered one 504", "12000 gave up 504"];
    assert_eq!(late.of_request(1), expected);
    let in_time = scene("", BEHIND, "wishes = { within = \"2001ms\" }", &slow);
    assert_eq!(in_time.of_request(1)[3..4], ["12000 sent two"]);
}

#[test]
fn a_pinned_request_goes_on_where_the_last_one_was_served_or_nowhere() {
    let refuses = fault("kind = \"status\"\nstatus = 429\nhint = \"1s\"");
    let pinned = scene("", BEHIND, "wishes = { pin = 1.0 }", &refuses);
    let expected = ["10000 arrived", "10000 sent one", "10030 answered one 429", "10030 cooling one until 11030"];
    assert_eq!(pinned.of_request(1), [&expected[..], &["10030 gave up 429"]].concat());
    assert_eq!(pinned.run.backends[1].attempts, 0);
    let free = scene("", BEHIND, "", &refuses);
    assert_eq!(free.of_request(1)[4..5], ["10030 sent two"]);
    // Some go on, and some begin something new.
    let half = scene("", BEHIND, "wishes = { pin = 0.5 }", &refuses).run.classes[0].given_up.throttled;
    assert!((1..19).contains(&half), "{half}");
}

#[test]
fn requests_of_a_conversation_stay_at_one_backend_and_find_their_prompt_there() {
    let keys = |ttl: &str, wishes: &str| {
        let workload = format!("keys = {{ count = 1, cached = 0.5, ttl = \"{ttl}\" }}\n{wishes}");
        scene("", "", &workload, "").run
    };
    let by_key = keys("30s", "wishes = { affinity = true }");
    let attempts = by_key.backends.iter().map(|backend| backend.attempts);
    assert_eq!(attempts.clone().max(), Some(20));
    assert_eq!(attempts.min(), Some(0));
    // All but the first: the last one ends before the run does.
    assert_eq!((by_key.classes[0].succeeded, by_key.classes[0].cached_tokens), (20, 19 * 1_500));
    assert_eq!(keys("9s", "wishes = { affinity = true }").classes[0].cached_tokens, 0, "10 s later it is forgotten");
    let at_random = keys("30s", "");
    assert!(at_random.backends.iter().all(|backend| backend.attempts > 0));
    assert!(at_random.classes[0].cached_tokens < 19 * 1_500);
}
