//! What each kind of fault is to a request, event by event.

use crate::scene::Scene;

/// Two backends of which the second takes what the first cannot, one request, and these faults.
fn scene(clients: &str, pool: &str, workload: &str, faults: &str) -> Scene {
    Scene::of(&format!(
        r#"
        [run]
        duration = "9s"
        [clients]
        {clients}
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
        rate = 0.1
        input = 10
        output = 11
        {workload}
        {faults}
        "#
    ))
}

/// A scene whose timeouts and resets are sent again.
fn sent_again(fault: &str) -> Scene {
    scene("connect_timeout = \"5s\"", "fail_over_after_send = true", "", fault)
}

#[test]
fn an_answer_of_a_fault_comes_when_it_says_with_the_hint_that_it_says() {
    let scene = scene(
        "",
        "",
        "",
        "[[fault]]\nbackend = 'one'\nkind = 'status'\nstatus = 500\nhint = '4s'\nafter = '100ms'\nat = '0s'",
    );
    assert_eq!(
        scene.of_request(0),
        [
            "0 arrived",
            "0 sent one",
            "100 answered one 500",
            "100 cooling one until 4100",
            "100 sent two",
            "1100 answered two 200",
            "2100 succeeded two",
        ]
    );
    let one = &scene.run.backends[0];
    assert_eq!((one.attempts, one.accepted, one.server_errors, one.throttles), (1, 0, 1, 0));
}

#[test]
fn a_429_of_a_fault_counts_as_a_429() {
    let scene = scene("", "", "", "[[fault]]\nbackend = 'one'\nkind = 'status'\nstatus = 429\nhint = '4s'\nat = '0s'");
    assert_eq!(
        scene.of_request(0)[..4],
        ["0 arrived", "0 sent one", "30 answered one 429", "30 cooling one until 4030"]
    );
    let one = &scene.run.backends[0];
    assert_eq!((one.attempts, one.server_errors, one.throttles), (1, 0, 1));
    assert_eq!(scene.run.classes[0].throttles, 1);
}

#[test]
fn a_connection_breaks_after_the_request_was_sent() {
    let reset = "[[fault]]\nbackend = 'one'\nkind = 'reset'\nafter = '700ms'\nat = '0s'";
    let returned = scene("", "", "", reset);
    assert_eq!(returned.of_request(0), ["0 arrived", "0 sent one", "700 faulted one 3", "700 gave up 0"]);
    assert_eq!(returned.run.backends[0].faults, 1);
    let again = sent_again(reset).of_request(0);
    assert_eq!(again[2], "700 faulted one 3");
    assert_eq!(again[again.len() - 2..], ["1700 answered two 200", "2700 succeeded two"]);
}

#[test]
fn a_connection_that_does_not_come_about_takes_the_connect_timeout() {
    let refused = sent_again("[[fault]]\nbackend = 'one'\nkind = 'connect'\nat = '0s'").of_request(0);
    assert_eq!(refused[2], "10 faulted one 1");
    let hangs = sent_again("[[fault]]\nbackend = 'one'\nkind = 'connect-timeout'\nat = '0s'").of_request(0);
    assert_eq!(hangs[2], "5000 faulted one 4");
    assert_eq!(hangs[hangs.len() - 2..], ["6000 answered two 200", "7000 succeeded two"]);
}

#[test]
fn a_poison_prompt_fails_at_every_backend_that_lets_it_in() {
    let poison = "[[fault]]\nworkload = 'calls'\nkind = 'status'\nstatus = 500\nafter = '200ms'\nat = '0s'";
    let scene = scene("", "", "", poison);
    let way = scene.of_request(0);
    let answers: Vec<&String> = way.iter().filter(|line| line.contains("answered")).collect();
    assert_eq!(answers, ["200 answered one 500", "400 answered two 500"]);
    assert_eq!(way.last().map(String::as_str), Some("400 gave up 500"));
}

#[test]
fn a_backend_that_is_full_refuses_a_poison_prompt_like_any_other() {
    // One request an hour: the second of the two that arrive together is refused.
    let scene = Scene::of(
        r#"
        [run]
        duration = "9s"
        [[backend]]
        name = "full"
        model = "steady"
        window = [{ unit = "requests", limit = 1, length = "1h", phase = "0s" }]
        [[workload]]
        name = "calls"
        kind = "constant"
        rate = 0.1
        input = 10
        output = 11
        [[workload]]
        name = "poison"
        kind = "constant"
        rate = 0.1
        input = 10
        output = 11
        [[fault]]
        workload = "poison"
        kind = "status"
        status = 500
        at = "0s"
        "#,
    );
    assert_eq!(scene.run.classes[1].throttles, 1);
    assert_eq!((scene.run.classes[0].succeeded, scene.run.classes[1].server_errors), (1, 0));
}

#[test]
fn a_poison_prompt_is_charged_for_its_prompt_alone() {
    let spent = |fault: &str| {
        let scene = Scene::of(&format!(
            r#"
            [run]
            duration = "10m"
            [clients]
            client = "direct"
            [[backend]]
            name = "ptu"
            model = "sized"
            preset = "azure-ptu"
            ptus = 1
            burst = "1m"
            [[model]]
            name = "sized"
            input_tpm_per_ptu = 1000
            output_ratio = 1
            [[workload]]
            name = "calls"
            kind = "constant"
            rate = 1
            input = 10
            output = 90
            max_tokens = 90
            {fault}
            "#
        ));
        scene.run.backends[0].attempts - scene.run.backends[0].throttles
    };
    // A bucket of 1,000 tokens and 10 minutes of 1,000 each: 110 requests of 100 tokens, or all 600 of 10.
    let served = spent("");
    assert!((105..=115).contains(&served), "{served}");
    let poison = "[[fault]]\nworkload = 'calls'\nkind = 'reset'\nat = '0s'";
    assert_eq!(spent(poison), 600);
}

#[test]
fn a_share_of_poison_is_a_share_of_the_requests_and_not_of_their_attempts() {
    let run = Scene::of(
        r#"
        [run]
        duration = "2000s"
        [pool]
        default_cooldown = "1ms"
        [[backend]]
        name = "one"
        model = "steady"
        [[backend]]
        name = "two"
        model = "steady"
        [[workload]]
        name = "calls"
        kind = "constant"
        rate = 1
        input = 10
        output = 11
        [[fault]]
        workload = "calls"
        kind = "status"
        share = 0.25
        at = "0s"
        "#,
    )
    .run;
    let class = &run.classes[0];
    // Every request that one backend fails the other fails too: none is served after a failure.
    assert_eq!(class.server_errors, 2 * class.given_up.server_error);
    // Five standard deviations of 2,000 draws are 97.
    assert!(class.given_up.server_error.abs_diff(500) < 97, "{}", class.given_up.server_error);
}

#[test]
fn an_application_that_sends_again_by_itself_waits_as_it_says() {
    let scene = scene(
        "sdk = \"openai-python-3.54\"",
        "",
        "retry = { times = 2, wait = \"500ms\" }",
        "[[fault]]\nworkload = 'calls'\nkind = 'status'\nstatus = 429\nhint = '1d'\nafter = '0s'\nat = '0s'",
    );
    let waits: Vec<String> =
        scene.of_request(0).into_iter().filter(|line| line.contains("waits") || line.contains("gave up")).collect();
    assert_eq!(waits, ["0 waits until 500", "500 waits until 1000", "1000 gave up 429"]);
    assert_eq!(scene.run.classes[0].sdk_retries, 2);
}

#[test]
fn an_sdk_waits_as_long_as_a_503_says() {
    let fault = "[[fault]]\nworkload = 'calls'\nkind = 'status'\nhint = '2s'\nafter = '0s'\nat = '0s'\nfor = '1s'";
    let scene = scene("client = \"direct\"\nsdk = \"openai-python-3.54\"", "", "", fault);
    assert_eq!(
        scene.of_request(0),
        [
            "0 arrived",
            "0 sent one",
            "0 answered one 503",
            "0 waits until 2000",
            "2000 sent one",
            "3000 answered one 200",
            "4000 succeeded one",
        ]
    );
}

#[test]
fn a_request_that_nobody_can_take_ends_with_a_503_if_nobody_is_throttled() {
    let scene = Scene::of(
        r#"
        [run]
        duration = "2s"
        [[backend]]
        name = "one"
        model = "steady"
        [[workload]]
        name = "calls"
        kind = "constant"
        rate = 2
        input = 10
        output = 11
        [[fault]]
        backend = "one"
        kind = "connect"
        at = "0s"
        "#,
    );
    assert_eq!(scene.of_request(1)[2..], ["510 faulted one 1", "510 gave up 0"]);
    // It is closed for a second after that.
    assert_eq!(scene.of_request(2), ["1000 arrived", "1000 exhausted for 510", "1000 gave up 503"]);
    assert_eq!(scene.run.classes[0].given_up.server_error, 2);
    assert_eq!(scene.run.classes[0].given_up.throttled, 0);
}
