//! Deadlines and timeouts, in every place where a request can be when its time is up.

use crate::scene::Scene;

fn scene(clients: &str, pool: &str, backends: &str, workload: &str, rest: &str) -> Scene {
    Scene::of(&format!(
        r#"
        [run]
        duration = "9s"
        [clients]
        {clients}
        [pool]
        {pool}
        {backends}
        [[workload]]
        name = "calls"
        kind = "constant"
        rate = 0.1
        input = 10
        output = 11
        {workload}
        {rest}
        "#
    ))
}

const ONE: &str = "[[backend]]\nname = \"one\"\nmodel = \"steady\"\n";
const TWO: &str = "[[backend]]\nname = \"two\"\npriority = 2\nmodel = \"steady\"\n";
const HANG: &str = "[[fault]]\nbackend = \"one\"\nkind = \"hang\"\nat = \"0s\"";

#[test]
fn a_deadline_before_the_head_ends_the_request_and_not_the_service() {
    let scene = scene("", "", ONE, "deadline = \"500ms\"", "");
    assert_eq!(scene.of_request(0), ["0 arrived", "0 sent one", "500 gave up 1", "2000 orphaned one"]);
    let (class, one) = (&scene.run.classes[0], &scene.run.backends[0]);
    assert_eq!((class.given_up.deadline, class.given_up.total(), class.succeeded), (1, 1, 0));
    // It is charged and billed all the same.
    assert_eq!((one.accepted, one.succeeded, one.busy), (1, 0, 2_000_000_000));
    assert_eq!((one.billed_input, one.billed_output), (10, 11));
    assert_eq!(class.total.quantile(0.5), Some(f64::INFINITY));
}

#[test]
fn a_deadline_during_the_stream_ends_it() {
    let scene = scene("", "", ONE, "deadline = \"1500ms\"", "");
    assert_eq!(
        scene.of_request(0),
        ["0 arrived", "0 sent one", "1000 answered one 200", "1500 gave up 1", "2000 orphaned one"]
    );
    assert_eq!(scene.run.classes[0].given_up.deadline, 1);
}

#[test]
fn an_answer_that_ends_at_the_deadline_is_in_time() {
    let scene = scene("", "", ONE, "deadline = \"2s\"", "");
    assert_eq!(scene.of_request(0), ["0 arrived", "0 sent one", "1000 answered one 200", "2000 succeeded one"]);
}

#[test]
fn a_deadline_in_a_queue_leaves_a_service_that_nobody_waits_for() {
    let queue = format!("{ONE}concurrency = {{ max_inflight = 1, queue = 5 }}\n");
    let scene = Scene::of(&format!(
        r#"
        [run]
        duration = "7s"
        {queue}
        [[workload]]
        name = "calls"
        kind = "constant"
        rate = 2
        input = 10
        output = 11
        deadline = "2500ms"
        thin = 1.0
        [[fault]]
        backend = "one"
        kind = "status"
        at = "900ms"
        "#
    ));
    assert_eq!(
        scene.of_request(1),
        [
            "500 arrived",
            "500 sent one",
            // Its service began at 2 s: the head would come at 3 s, which is when its patience ends.
            "3000 answered one 200",
            "3000 gave up 1",
            "4000 orphaned one",
        ]
    );
}

#[test]
fn a_deadline_that_ends_in_the_queue_comes_before_the_service() {
    let queue = format!("{ONE}concurrency = {{ max_inflight = 1, queue = 5 }}\n");
    let scene = Scene::of(&format!(
        r#"
        [run]
        duration = "900ms"
        {queue}
        [[workload]]
        name = "calls"
        kind = "constant"
        rate = 5
        input = 10
        output = 11
        deadline = "650ms"
        "#
    ));
    assert_eq!(scene.of_request(1), ["200 arrived", "200 sent one", "850 gave up 1"]);
    assert_eq!(scene.run.backends[0].accepted, 5);
}

#[test]
fn a_deadline_during_the_sdks_wait_ends_the_request_there() {
    let refusing = format!(
        "{ONE}hints = {{ policy = \"constant\", constant = \"3s\" }}\n\
         window = [{{ unit = \"requests\", limit = 0, length = \"1s\" }}]\n"
    );
    let scene = scene("sdk = \"openai-python-3.54\"", "", &refusing, "deadline = \"2s\"", "");
    assert_eq!(
        scene.of_request(0),
        [
            "0 arrived",
            "0 sent one",
            "30 answered one 429",
            "30 cooling one until 3030",
            "30 exhausted for 3000",
            "30 waits until 3030",
            "2000 gave up 1",
        ]
    );
    assert_eq!(scene.run.classes[0].given_up.deadline, 1);
    assert_eq!(scene.run.classes[0].given_up.throttled, 0);
}

#[test]
fn a_timeout_is_returned_unless_the_pool_fails_over_after_sending() {
    let backends = format!("{ONE}{TWO}");
    let timeout = "timeout = \"4s\"";
    let returned = scene(timeout, "", &backends, "", HANG);
    assert_eq!(returned.of_request(0), ["0 arrived", "0 sent one", "4000 faulted one 2", "4000 gave up 0"]);
    assert_eq!(returned.run.classes[0].given_up.fault, 1);
    assert_eq!(returned.run.backends[0].cooling, 0);

    let failed_over = scene(timeout, "fail_over_after_send = true", &backends, "", HANG);
    assert_eq!(
        failed_over.of_request(0),
        [
            "0 arrived",
            "0 sent one",
            "4000 faulted one 2",
            "4000 sent two",
            "5000 answered two 200",
            "6000 succeeded two",
        ]
    );
}

#[test]
fn a_slow_answer_times_out_and_is_served_for_nobody() {
    let slow = "[[fault]]\nbackend = \"one\"\nkind = \"slow\"\nfactor = 3.5\nat = \"0s\"";
    let scene = scene("timeout = \"3s\"", "fail_over_after_send = true", &format!("{ONE}{TWO}"), "", slow);
    assert_eq!(
        scene.of_request(0),
        [
            "0 arrived",
            "0 sent one",
            "3000 faulted one 2",
            "3000 sent two",
            "4000 answered two 200",
            "5000 succeeded two",
            "7000 orphaned one",
        ]
    );
    assert_eq!((scene.run.backends[0].accepted, scene.run.backends[0].succeeded), (1, 0));
    assert_eq!(scene.run.classes[0].faults, 1);
}

#[test]
fn the_sdk_sends_again_after_a_timeout() {
    let scene = scene("timeout = \"2s\"\nsdk = \"openai-python-3.54\"\nmax_retries = 1", "", ONE, "", HANG);
    let waits = scene.sdk_waits(0);
    assert!(waits.len() == 1 && (375_000_001..=500_000_000).contains(&waits[0]), "{waits:?}");
    assert_eq!((scene.run.classes[0].attempts, scene.run.classes[0].given_up.fault), (2, 1));
}

/// A backend that takes one request in 4 s, and says when it takes the next.
const ONE_IN_FOUR: &str =
    "window = [{ unit = \"requests\", limit = 1, length = \"4s\", phase = \"0s\" }]\nrefusal_latency = \"0s\"\n";

fn waiting(wait: &str, clients: &str, workload: &str) -> Scene {
    Scene::of(&format!(
        r#"
        [run]
        duration = "9s"
        [clients]
        {clients}
        [pool]
        wait = {wait}
        {ONE}{ONE_IN_FOUR}
        [[workload]]
        name = "calls"
        kind = "constant"
        rate = 1
        input = 10
        output = 11
        {workload}
        "#
    ))
}

#[test]
fn who_finds_no_backend_waits_in_order_of_age() {
    let scene = waiting("{ longest = \"5s\", queue = 2 }", "", "thin = 1.0");
    assert_eq!(
        scene.of_request(1),
        [
            "1000 arrived",
            "1000 sent one",
            "1000 answered one 429",
            "1000 cooling one until 4000",
            "1000 queued until 4000",
            "4000 sent one",
            "5000 answered one 200",
            "6000 succeeded one",
        ]
    );
    // It goes a step later, when the older one has the only place in the window.
    assert_eq!(
        scene.of_request(2),
        [
            "2000 arrived",
            "2000 queued until 4100",
            "4100 sent one",
            "4100 answered one 429",
            "4100 cooling one until 8000",
            // By then it would have waited for more than 5 s.
            "4100 exhausted for 4000",
            "4100 gave up 429",
        ]
    );
    // Two wait already.
    assert_eq!(scene.of_request(3), ["3000 arrived", "3000 exhausted for 1100", "3000 gave up 429"]);
    // The backend was back when it came, but one was older.
    assert_eq!(scene.of_request(4)[..3], ["4000 arrived", "4000 queued until 4100", "4100 queued until 8000"]);
}

#[test]
fn a_wait_is_counted_when_the_request_has_ended() {
    let scene = waiting("{ longest = \"5s\", queue = 2 }", "", "");
    let class = &scene.run.classes[0];
    // Those of the requests 1, 2 and 5; 4 was sent, and 8 waits.
    let waits = class.waits.as_ref().unwrap();
    assert_eq!(waits.count(), 3);
    let times = [0.0, 1.0].map(|q| (waits.quantile(q).unwrap() * 100.0).round() / 100.0);
    assert_eq!(times, [2.1, 3.1]);
    assert_eq!((class.in_flight, class.given_up.throttled), (2, 5));
}

#[test]
fn a_deadline_during_a_wait_ends_the_request_and_frees_its_place() {
    let scene = waiting("{ longest = \"5s\", queue = 1 }", "", "deadline = \"1500ms\"");
    assert_eq!(scene.of_request(1)[4..], ["1000 queued until 4000", "2500 gave up 1"]);
    // Its place was taken until then.
    assert_eq!(scene.of_request(2)[1..], ["2000 exhausted for 2100", "2000 gave up 429"]);
    assert_eq!(scene.of_request(3)[1..3], ["3000 queued until 4000", "4000 sent one"]);
}

#[test]
fn a_client_that_times_out_counts_from_the_sending_and_not_the_wait() {
    let scene = waiting("{ longest = \"5s\", queue = 1 }", "timeout = \"1500ms\"", "");
    assert_eq!(
        scene.of_request(1)[4..],
        ["1000 queued until 4000", "4000 sent one", "5000 answered one 200", "6000 succeeded one"]
    );
}
