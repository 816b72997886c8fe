//! Who is suspect, since when and until when.

use crate::scene::Scene;

/// Two backends of which the second takes what the first cannot, these requests, and these faults.
fn scene(run: &str, clients: &str, rate: f64, faults: &str) -> Scene {
    Scene::of(&format!(
        r#"
        [run]
        {run}
        [clients]
        {clients}
        [[backend]]
        name = "one"
        model = "steady"
        [[backend]]
        name = "two"
        priority = 2
        model = "steady"
        [[workload]]
        name = "calls"
        kind = "constant"
        rate = {rate}
        input = 10
        output = 11
        {faults}
        "#
    ))
}

#[test]
fn suspicion_is_counted_per_pool_and_cut_off_at_warm_up_and_end() {
    let down = "[[fault]]\nbackend = 'one'\nkind = 'connect'\nat = '0s'";
    let run = |run: &str, clients: &str| {
        let scene = scene(&format!("duration = '25s'\n{run}"), clients, 0.1, down);
        let one = scene.run.backends[0];
        (one.attempts, one.suspect / 1_000_000)
    };
    // A connection fails after 10 ms. At 10 s nobody asks it, at 20 s the first probe fails.
    assert_eq!(run("", "workers = 1"), (2, 24_990));
    // Two workers in turn: the first suspects it from 10 ms on, the second from 10,010 ms on.
    assert_eq!(run("", "workers = 2\nassignment = 'round-robin'"), (3, 24_990 + 14_990));
    assert_eq!(run("", "workers = 2\nassignment = 'round-robin'\npools = 'shared'"), (2, 24_990));
    assert_eq!(run("warmup = '5s'", "").1, 20_000);
}

#[test]
fn a_429_ends_suspicion_and_a_success_ends_it_too() {
    let down = "[[fault]]\nbackend = 'one'\nkind = 'connect'\nat = '0s'\nfor = '5s'\n";
    let full = "[[fault]]\nbackend = 'one'\nkind = 'status'\nstatus = 429\nhint = '3s'\nat = '5s'";
    let scene = scene("duration = '20s'", "", 1.0, &format!("{down}{full}"));
    assert_eq!(scene.of_request(0)[2..4], ["10 faulted one 1", "10 suspected one, first again at 10010"]);
    assert_eq!(scene.of_request(11)[2..4], ["11030 answered one 429", "11030 cooling one until 14030"]);
    let (one, bins) = (scene.run.backends[0], &scene.run.timeline.backends[0]);
    // Out again from 15,030 ms to 18,030 ms, and from 19,030 ms to the end.
    assert_eq!((one.suspect, one.cooling), (11_020_000_000, (3_000 + 3_000 + 970) * 1_000_000));
    assert_eq!(bins.iter().map(|bin| bin.suspect).sum::<u64>(), 11_020_000_000);

    let scene = self::scene("duration = '20s'", "", 1.0, down);
    assert_eq!(scene.of_request(11)[2..4], ["12000 answered one 200", "12000 available one"]);
    assert_eq!(scene.run.backends[0].suspect, 11_990_000_000);
}

/// A request a second of which the preferred backend answers none.
fn nobody_answers(pool: &str, workload: &str) -> Scene {
    Scene::of(&format!(
        r#"
        [run]
        duration = "9s"
        [clients]
        timeout = "2s"
        [pool]
        {pool}
        [[backend]]
        name = "one"
        model = "steady"
        [[backend]]
        name = "two"
        priority = 2
        model = "steady"
        [[workload]]
        name = "calls"
        kind = "constant"
        rate = 1
        input = 10
        output = 1
        {workload}
        [[fault]]
        backend = "one"
        kind = "hang"
        at = "0s"
        "#
    ))
}

#[test]
fn two_requests_that_time_out_make_a_backend_suspect() {
    let scene = nobody_answers("", "");
    assert_eq!(scene.of_request(0), ["0 arrived", "0 sent one", "2000 faulted one 2", "2000 gave up 0"]);
    let second = ["1000 arrived", "1000 sent one", "3000 faulted one 2"];
    let suspected = ["3000 suspected one, first again at 13000", "3000 gave up 0"];
    assert_eq!(scene.of_request(1), [&second[..], &suspected[..]].concat());
    // It had begun before, and is old news.
    assert_eq!(scene.of_request(2), ["2000 arrived", "2000 sent one", "4000 faulted one 2", "4000 gave up 0"]);
    assert_eq!(scene.of_request(3)[1], "3000 sent two");
    assert_eq!(scene.run.classes[0].given_up.fault, 3);
}

#[test]
fn a_request_that_is_dropped_late_is_a_strike_if_the_pool_says_so() {
    let deadline = "deadline = \"1500ms\"";
    let unnoticed = nobody_answers("", deadline);
    assert_eq!(unnoticed.run.backends[0].attempts, 9);
    let early = nobody_answers("stalled_after = \"1600ms\"", deadline);
    assert_eq!(early.run.backends[0].attempts, 9);
    let noticed = nobody_answers("stalled_after = \"1500ms\"", deadline);
    let suspected = ["2500 suspected one, first again at 12500", "2500 gave up 1"];
    assert_eq!(noticed.of_request(1), [&["1000 arrived", "1000 sent one"][..], &suspected[..]].concat());
    assert_eq!((noticed.run.backends[0].attempts, noticed.run.classes[0].given_up.deadline), (3, 3));
}
