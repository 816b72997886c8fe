//! Runs of a few requests, each event computed by hand.

use crate::scene::Scene;

/// Requests every 10 s, each of 10 tokens in and 11 out: 1 s to the head, 1 s more to the end.
pub(crate) fn every_ten_seconds(run: &str, clients: &str, backends: &str, workload: &str, rest: &str) -> Scene {
    Scene::of(&format!(
        r#"
        [run]
        {run}
        [clients]
        {clients}
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

pub(crate) const ONE: &str = r#"
[[backend]]
name = "one"
model = "steady"
"#;

/// `two` stands behind `one`.
pub(crate) const TWO: &str = r#"
[[backend]]
name = "two"
priority = 2
model = "steady"
"#;

#[test]
fn an_outage_is_noticed_avoided_and_recovered_from() {
    let outage = "[[fault]]\nbackend = \"one\"\nkind = \"status\"\nstatus = 500\nat = \"5s\"\nfor = \"20s\"";
    let scene = every_ten_seconds("duration = \"51s\"", "", &format!("{ONE}{TWO}"), "", outage);
    assert_eq!(
        scene.all(),
        [
            "0 arrived #0",
            "0 sent one #0",
            "1000 answered one 200 #0",
            "2000 succeeded one #0",
            "10000 arrived #1",
            "10000 sent one #1",
            // It may be the request's doing.
            "10030 answered one 500 #1",
            "10030 sent two #1",
            "11030 answered two 200 #1",
            "12030 succeeded two #1",
            "20000 arrived #2",
            "20000 sent one #2",
            "20030 answered one 500 #2",
            "20030 suspected one, first again at 30030 #2",
            "20030 sent two #2",
            "21030 answered two 200 #2",
            "22030 succeeded two #2",
            // Thirty milliseconds too early.
            "30000 arrived #3",
            "30000 sent two #3",
            "31000 answered two 200 #3",
            "32000 succeeded two #3",
            "40000 arrived #4",
            "40000 sent one #4",
            "41000 answered one 200 #4",
            "41000 available one #4",
            "42000 succeeded one #4",
            "50000 arrived #5",
            "50000 sent one #5",
        ]
    );
    let (one, two) = (&scene.run.backends[0], &scene.run.backends[1]);
    assert_eq!((one.attempts, one.accepted, one.server_errors, one.succeeded), (5, 3, 2, 2));
    assert_eq!((two.attempts, two.accepted, two.succeeded), (3, 3, 3));
    assert_eq!((one.cooling, one.suspect, two.suspect), (0, 20_970_000_000, 0));
    // Two whole services of 2 s and the first second of another.
    assert_eq!((one.busy, two.busy), (5_000_000_000, 6_000_000_000));
    let class = &scene.run.classes[0];
    assert_eq!((class.offered, class.succeeded, class.in_flight, class.spilled), (6, 5, 1, 3));
    assert_eq!((class.attempts, class.server_errors, class.throttles), (8, 2, 0));
    assert_eq!((class.input_tokens, class.output_tokens), (50, 55));
    let residence = 2_000 + 2 * 2_030 + 2 * 2_000 + 1_000;
    assert_eq!(scene.run.conservation.residence, residence * 1_000_000);
    assert_eq!(class.added_wait.quantile(1.0).map(|wait| (wait * 1e3).round()), Some(30.0));
    let bins: u64 = scene.run.timeline.backends[0].iter().map(|bin| bin.suspect).sum();
    assert_eq!(bins, 20_970_000_000);
}

#[test]
fn cooling_is_counted_per_pool_and_cut_off_at_warm_up_and_end() {
    let full = "[[fault]]\nbackend = 'one'\nkind = 'status'\nstatus = 429\nhint = '10s'\nafter = '10ms'\nat = '0s'";
    let backends = format!("{ONE}{TWO}");
    let run = |clients: &str| every_ten_seconds("duration = \"25s\"", clients, &backends, "", full).run;
    // It refuses after 10 ms and cools for 10 s: at 10 s it is still out, at 20 s it refuses again.
    let one = run("workers = 1").backends[0];
    assert_eq!(one.cooling, (10_000 + 25_000 - 20_010) * 1_000_000);
    assert_eq!((one.attempts, one.throttles), (2, 2));
    // Two workers in turn: the first is refused at 0 and 20 s, the second at 10 s.
    let two = run("workers = 2\nassignment = \"round-robin\"").backends[0];
    assert_eq!(two.cooling, (10_000 + 10_000 + 25_000 - 20_010) * 1_000_000);
    let shared = run("workers = 2\nassignment = \"round-robin\"\npools = \"shared\"").backends[0];
    assert_eq!(shared.cooling, one.cooling);
    let warm = every_ten_seconds("duration = \"25s\"\nwarmup = \"5s\"", "", &backends, "", full).run.backends[0];
    assert_eq!(warm.cooling, one.cooling - 4_990 * 1_000_000, "what lies before the warm-up's end does not count");
}

#[test]
fn a_cooldown_that_is_extended_counts_once() {
    let scene = Scene::of(&format!(
        r#"
        [run]
        duration = "5s"
        {ONE}refusal_latency = "1s"
        {TWO}
        [[workload]]
        name = "calls"
        kind = "constant"
        rate = 2
        input = 10
        output = 11
        [[fault]]
        backend = "one"
        kind = "status"
        status = 429
        hint = "3s"
        at = "0s"
        "#
    ));
    let cooling: Vec<String> = scene.all().into_iter().filter(|line| line.contains("cooling")).collect();
    assert_eq!(cooling, ["1000 cooling one until 4000 #0", "1500 cooling one until 4500 #1"]);
    assert_eq!(scene.run.backends[0].cooling, 3_500_000_000);
    let bins: u64 = scene.run.timeline.backends[0].iter().map(|bin| bin.cooling).sum();
    assert_eq!(bins, 3_500_000_000);
}

#[test]
fn a_warm_up_counts_by_arrival_and_conservation_counts_all() {
    let scene = Scene::of(&format!(
        r#"
        [run]
        duration = "60s"
        warmup = "25s"
        {ONE}
        [[workload]]
        name = "calls"
        kind = "constant"
        rate = 0.1
        input = 10
        output = 81
        "#
    ));
    // Arrivals at 0, 10, ..., 50 s; 9 s each: the one at 20 s ends after the warm-up, and does not count.
    assert_eq!(scene.run.conservation.offered, 6);
    assert_eq!(scene.run.conservation.succeeded, 6);
    let (class, backend) = (&scene.run.classes[0], &scene.run.backends[0]);
    assert_eq!((class.offered, class.succeeded, backend.accepted, backend.succeeded), (3, 3, 3, 3));
    assert_eq!(scene.run.workers[0].offered, 3);
    // Time counts from the warm-up's end, whoever is served: 4 s of the one that began at 20 s, and three whole ones.
    assert_eq!(backend.busy, 31_000_000_000);
}

#[test]
fn a_wait_for_a_place_ends_when_the_one_before_is_done() {
    let queue = format!(
        "{ONE}concurrency = {{ max_inflight = 1, queue = 1 }}\nhints = {{ constant = \"2s\", policy = \"constant\" }}"
    );
    let scene = Scene::of(&format!(
        r#"
        [run]
        duration = "3s"
        {queue}
        [[workload]]
        name = "calls"
        kind = "constant"
        rate = 2
        input = 10
        output = 11
        "#
    ));
    // At 0 served until 2 s, at 0.5 queued, at 1 and 1.5 s refused or not sent, at 2 s the queue is free again.
    assert_eq!(
        scene.all(),
        [
            "0 arrived #0",
            "0 sent one #0",
            "500 arrived #1",
            "500 sent one #1",
            "1000 answered one 200 #0",
            "1000 arrived #2",
            "1000 sent one #2",
            "1030 answered one 429 #2",
            "1030 cooling one until 3030 #2",
            "1030 exhausted for 2000 #2",
            "1030 gave up 429 #2",
            "1500 arrived #3",
            "1500 exhausted for 1530 #3",
            "1500 gave up 429 #3",
            "2000 succeeded one #0",
            "2000 arrived #4",
            "2000 exhausted for 1030 #4",
            "2000 gave up 429 #4",
            "2500 arrived #5",
            "2500 exhausted for 530 #5",
            "2500 gave up 429 #5",
        ]
    );
    assert_eq!(scene.run.conservation.in_flight, 1);
}

#[test]
fn deployments_of_one_quota_use_each_others_tokens() {
    let quota = |extra: &str| {
        format!(
            r#"
            [[backend]]
            name = "one"
            model = "steady"
            preset = "azure-standard"
            tpm = 100
            rpm = 1000000
            phase = "0s"
            {extra}
            [[backend]]
            name = "two"
            priority = 2
            model = "steady"
            {}
            "#,
            if extra.is_empty() {
                "preset = \"azure-standard\"\ntpm = 100\nrpm = 1000000\nphase = \"0s\""
            } else {
                extra
            }
        )
    };
    let accepted = |backends: &str| {
        let run = every_ten_seconds("duration = \"60s\"", "", backends, "max_tokens = 30", "").run;
        [run.backends[0].accepted, run.backends[1].accepted]
    };
    // 40 of 100 tokens each: two a minute fit, and four at two deployments.
    assert_eq!(accepted(&quota("")), [2, 2]);
    assert_eq!(accepted(&quota("quota = \"shared\"")), [2, 0]);
}

#[test]
fn somebody_elses_load_takes_its_part_of_the_quota() {
    let backend = |foreign: &str| {
        format!(
            "[[backend]]\nname = \"one\"\nmodel = \"steady\"\npreset = \"azure-standard\"\ntpm = 60000\n\
             rpm = 100000000\n\
             phase = \"0s\"\nrefusal_latency = \"0s\"\n{foreign}"
        )
    };
    let accepted = |foreign: &str| {
        let scene = Scene::of(&format!(
            r#"
            [run]
            duration = "2h"
            [clients]
            client = "direct"
            {}
            [[workload]]
            name = "calls"
            kind = "poisson"
            rate = 20
            input = 100
            output = 1
            max_tokens = 0
            "#,
            backend(foreign)
        ));
        assert_eq!(scene.run.backends[0].estimated_tokens, 100 * scene.run.backends[0].accepted);
        scene.run.backends[0].accepted as f64 / 120.0
    };
    assert_eq!(accepted(""), 600.0);
    // Half of the demand is theirs, so half of what is let in is: both offer 120,000 tokens to 60,000 a minute.
    let ours = accepted("foreign = { tpm = 120000.0, tokens = 100 }");
    // Hypergeometric per minute: a variance of 600 / 4 * 1/2 at least, over 120 minutes.
    assert!((ours - 300.0).abs() < 4.0 * (150.0_f64 / 120.0).sqrt(), "{ours}");
}

#[test]
fn the_head_of_an_answer_that_is_not_streamed_comes_last() {
    let scene = every_ten_seconds("duration = \"9s\"", "", ONE, "stream = false", "");
    assert_eq!(scene.of_request(0), ["0 arrived", "0 sent one", "2000 answered one 200", "2000 succeeded one"]);
    let class = &scene.run.classes[0];
    assert_eq!(class.first_token.quantile(1.0), class.total.quantile(1.0));
}

#[test]
fn users_of_a_closed_loop_are_as_many_as_ever() {
    let scene = Scene::of(&format!(
        r#"
        [run]
        duration = "1h"
        {ONE}
        [[workload]]
        name = "users"
        kind = "closed"
        users = 7
        think = "3s"
        input = 10
        output = 11
        "#
    ));
    let (mut inside, mut most, mut arrived) = (0_i64, 0, 0_u64);
    for event in scene.events() {
        match event.as_str() {
            "arrived" => (inside, arrived) = (inside + 1, arrived + 1),
            "succeeded" | "gave_up" => inside -= 1,
            _ => {}
        }
        most = most.max(inside);
    }
    assert_eq!(most, 7, "never more than there are users, and at times all");
    assert!(inside <= 7);
    // Each cycle takes 2 s of service and 3 s of thought on average; a renewal process of 3 s deviation.
    let expected = 7.0 * 3_600.0 / 5.0;
    let deviation = (7.0 * 3_600.0 * 9.0 / 125.0_f64).sqrt();
    assert!((arrived as f64 - expected).abs() < 4.0 * deviation + 7.0, "{arrived}");
}

#[test]
fn a_ptu_bucket_is_corrected_at_the_last_token() {
    // 60 tokens drain per second; a depth of 1 s is 60 tokens. A request of 10 tokens that says 100 and has 11 is
    // estimated at 10 + 4 * 100 = 410 and costs 10 + 4 * 11 = 54.
    let scene = Scene::of(
        r#"
        [run]
        duration = "3s"
        [clients]
        client = "direct"
        [[backend]]
        name = "ptu"
        model = "ptu-steady"
        preset = "azure-ptu"
        ptus = 1
        burst = "1s"
        refusal_latency = "0s"
        [[model]]
        name = "ptu-steady"
        input_tpm_per_ptu = 3600
        output_ratio = 4
        ttft = { base = "1s", per_1k_input = "0s", sigma = 0.0 }
        tpot = { mean = "100ms", sigma = 0.0 }
        [[workload]]
        name = "calls"
        kind = "constant"
        rate = 4
        input = 10
        output = 11
        max_tokens = 100
        "#,
    );
    // The level is 410 at 0 s, 410 - 2 * 60 = 290 just before 2 s, and 290 - 356 < 0 after the correction: the request
    // at 2 s is let in again, which without the correction would be at 350 / 60 = 5.8 s.
    let accepted: Vec<u64> =
        (0..12).filter(|&number| !scene.of_request(number).iter().any(|line| line.contains("429"))).collect();
    assert_eq!(accepted, [0, 8]);
    let ptu = &scene.run.backends[0];
    assert_eq!((ptu.attempts, ptu.accepted, ptu.throttles), (12, 2, 10));
    assert_eq!((ptu.estimated_tokens, ptu.used_tokens, ptu.wasted_tokens), (820, 54, 356));
    assert_eq!((ptu.billed_input, ptu.billed_output), (10, 11), "what was served is counted on PTUs too");
}

#[test]
fn bills_are_for_what_was_served_uncached_and_cached_apart() {
    // Prompts are in the cache whole, or not at all: of these four one is.
    let run = every_ten_seconds("duration = \"39s\"", "", ONE, "cached_share = 0.3\nmax_tokens = 20", "").run;
    let one = &run.backends[0];
    assert_eq!((one.billed_input, one.billed_cached, one.billed_output), (30, 10, 4 * 11));
    // The estimate is the characters by four and `max_tokens`.
    assert_eq!((one.estimated_tokens, one.used_tokens, one.wasted_tokens), (4 * 30, 4 * 21, 4 * 9));
}

/// How many of seven requests, one every 10 s, a backend with this window takes.
fn accepted_under(window: &str) -> u64 {
    let backend = format!("{ONE}window = [{{ {window} }}]\n");
    let clients = "client = \"direct\"";
    every_ten_seconds("duration = \"61s\"", clients, &backend, "max_tokens = 30", "").run.backends[0].accepted
}

#[test]
fn a_window_that_admits_until_it_is_reached_overshoots_by_one_request() {
    let tokens = "unit = \"tokens\", limit = 100, length = \"60s\", phase = \"0s\"";
    // 40 tokens each: two fit, and one more fits in the second minute.
    assert_eq!(accepted_under(tokens), 3);
    assert_eq!(accepted_under(&format!("{tokens}, admit = \"until_reached\"")), 4);
}

#[test]
fn refusals_that_count_keep_a_sliding_window_full() {
    let window = "unit = \"requests\", limit = 1, length = \"15s\", kind = \"sliding\"";
    assert_eq!(accepted_under(window), 4, "every other one");
    assert_eq!(accepted_under(&format!("{window}, counts_refused = true")), 1, "the first, and never again");
    // A fixed window is immune: it forgets refusals with the rest.
    let fixed = window.replace("sliding", "fixed\", phase = \"0s");
    assert_eq!(accepted_under(&format!("{fixed}, counts_refused = true")), accepted_under(&fixed));
}

#[test]
fn places_are_taken_in_the_order_of_the_queue() {
    let scene = Scene::of(&format!(
        r#"
        [run]
        duration = "7s"
        [clients]
        client = "direct"
        {ONE}concurrency = {{ max_inflight = 1, queue = 9 }}
        [[workload]]
        name = "calls"
        kind = "constant"
        rate = 2
        input = 10
        output = 11
        "#
    ));
    // Two seconds each, one after the other.
    let ended: Vec<String> = scene.all().into_iter().filter(|line| line.contains("succeeded")).collect();
    assert_eq!(ended, ["2000 succeeded one #0", "4000 succeeded one #1", "6000 succeeded one #2"]);
    // Of 14 requests one is served, nine wait, and each that ends makes room; the rest are refused.
    let one = &scene.run.backends[0];
    assert_eq!((one.attempts, one.accepted, one.throttles), (14, 13, 1));
}
