//! The scenarios of the Python package `openai_priority_loadbalancer`: its tests, and the log in its README.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use lb_core::{Exhausted, Reason, Served, State, test_util::Reply};
use lb_tests::stage::{Stage, ask, header, on_every_drive, pool_of};

fn three_of_one_priority() -> lb_core::PoolBuilder {
    pool_of(&[("a", 1), ("b", 1), ("c", 1)])
}

fn throttled(secs: u64) -> Reply {
    Reply::status(429).header("retry-after", &secs.to_string())
}

fn share(stage: &Stage, requests: u32) -> BTreeMap<String, u32> {
    (0..requests).fold(BTreeMap::new(), |mut share, _| {
        *share.entry(stage.ask_whom()).or_default() += 1;
        share
    })
}

#[test]
fn backends_of_one_priority_share_the_load() {
    on_every_drive(three_of_one_priority, |stage| {
        let share = share(stage, 300);
        // 5 sigma of a binomial with n = 300 and p = 1/3 is 40.8.
        assert!(share.len() == 3 && share.values().all(|&n| (60..=140).contains(&n)), "{share:?}");
    });
}

#[test]
fn a_lower_tier_is_not_asked_while_the_first_is_available() {
    on_every_drive(
        || pool_of(&[("a", 3), ("b", 1), ("c", 1), ("d", 2)]),
        |stage| {
            let share = share(stage, 100);
            assert_eq!(share.keys().collect::<Vec<_>>(), ["b", "c"], "{share:?}");
        },
    );
}

#[test]
fn each_tier_takes_over_when_the_one_before_it_is_throttled() {
    on_every_drive(
        || pool_of(&[("first", 1), ("second", 2), ("third", 3)]),
        |stage| {
            stage.transport.reply("first", throttled(20)).reply("second", throttled(10));
            assert_eq!(stage.ask_whom(), "third");
            assert_eq!(stage.asked(), ["first", "second", "third"]);
            stage.wait_secs(10);
            assert_eq!(stage.ask_whom(), "second");
            stage.wait_secs(10);
            assert_eq!(stage.ask_whom(), "first");
            assert_eq!(stage.asked(), ["second", "first"], "cooling backends are not asked");
        },
    );
}

#[test]
fn with_two_of_three_throttled_the_third_takes_everything() {
    on_every_drive(three_of_one_priority, |stage| {
        stage.transport.always("a", throttled(60)).always("b", throttled(60));
        assert!((0..50).all(|_| stage.ask_whom() == "c"));
        let asked = stage.asked();
        assert_eq!(asked.iter().filter(|name| *name != "c").count(), 2, "each was asked once: {asked:?}");
    });
}

#[test]
fn all_throttled_means_a_429_until_the_reset() {
    on_every_drive(three_of_one_priority, |stage| {
        for name in ["a", "b", "c"] {
            stage.transport.reply(name, throttled(5));
        }
        assert_eq!(stage.ask().status(), 429);
        assert_eq!(stage.asked().len(), 3);
        stage.wait_secs(4);
        let refused = stage.ask();
        assert_eq!((refused.status().as_u16(), header(&refused, "retry-after")), (429, "1".into()));
        assert_eq!(stage.asked(), [""; 0], "nothing was available, so nobody was asked");
        stage.wait_secs(1);
        assert_eq!(stage.ask().status(), 200);
        assert_eq!(stage.cooling_secs(), [None; 3]);
    });
}

#[test]
fn a_429_is_answered_with_the_200_of_the_next_backend() {
    on_every_drive(
        || pool_of(&[("a", 1), ("b", 2)]),
        |stage| {
            stage.transport.reply("a", throttled(30)).reply("b", Reply::status(200).body("hello"));
            let response = stage.ask();
            assert_eq!((response.status().as_u16(), response.body().as_ref()), (200, b"hello".as_ref()));
            let served = response.extensions().get::<Served>().unwrap();
            assert_eq!((served.backend(), served.attempts()), ("b", 2));
            assert_eq!(stage.cooling_secs(), [Some(30.0), None]);
        },
    );
}

#[test]
fn a_success_comes_back_whole_and_changes_no_state() {
    on_every_drive(
        || pool_of(&[("a", 1), ("b", 2)]),
        |stage| {
            let reply = Reply::status(201).header("x-request-id", "7").header("retry-after", "9").body("made");
            stage.transport.reply("a", reply);
            let response = stage.ask();
            assert_eq!(response.status(), 201);
            assert_eq!((header(&response, "x-request-id"), header(&response, "retry-after")), ("7".into(), "9".into()));
            assert_eq!(response.body(), &Bytes::from("made"));
            assert_eq!(response.extensions().get::<Served>().map(Served::attempts), Some(1));
            assert!(response.extensions().get::<Exhausted>().is_none());
            assert_eq!(stage.cooling_secs(), [None, None]);
            assert_eq!(stage.counters("a").successes, 1);
        },
    );
}

#[test]
fn a_429_from_all_is_one_429_with_the_soonest_retry_after_and_a_body_sdks_can_read() {
    on_every_drive(three_of_one_priority, |stage| {
        stage.transport.reply("a", throttled(9)).reply("b", throttled(3)).reply("c", throttled(6));
        let response = stage.ask();
        assert_eq!(response.status(), 429);
        assert_eq!(header(&response, "retry-after"), "3");
        assert_eq!(header(&response, "retry-after-ms"), "3000");
        assert_eq!(header(&response, "content-type"), "application/json");
        let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(body["error"]["code"], "rate_limit_exceeded");
        assert_eq!(body["error"]["type"], "rate_limit_error");
        assert!(body["error"]["message"].as_str().unwrap().contains("cooling after status 429 (a, b, c)"), "{body}");
        let exhausted = response.extensions().get::<Exhausted>().unwrap();
        assert_eq!((exhausted.cooling(), exhausted.backends()), (3, 3));
        assert!(response.extensions().get::<Served>().is_none(), "no backend served it");
    });
}

#[test]
fn a_400_is_returned_untouched_and_cools_nobody() {
    on_every_drive(three_of_one_priority, |stage| {
        for status in [400, 401, 403, 404, 409, 413, 422, 424, 428, 430, 499] {
            for name in ["a", "b", "c"] {
                let reply = Reply::status(status).header("retry-after", "60").header("x-own", "1").body("why");
                stage.transport.always(name, reply);
            }
            let response = stage.ask();
            assert_eq!(response.status(), status);
            assert_eq!((header(&response, "x-own"), response.body().as_ref()), ("1".into(), b"why".as_ref()));
            assert_eq!(stage.asked().len(), 1, "{status} was not sent on");
            assert_eq!(stage.cooling_secs(), [None; 3]);
        }
        let rejected: u64 = ["a", "b", "c"].map(|name| stage.counters(name).rejected).iter().sum();
        assert_eq!(rejected, 11);
    });
}

#[test]
fn a_redirect_is_the_callers_to_see() {
    on_every_drive(three_of_one_priority, |stage| {
        for name in ["a", "b", "c"] {
            stage.transport.always(name, Reply::status(307).header("location", "https://elsewhere.example/"));
        }
        assert_eq!(header(&stage.ask(), "location"), "https://elsewhere.example/");
        assert_eq!(stage.asked().len(), 1);
    });
}

#[test]
fn three_429s_with_44_4_and_7_seconds_make_the_caller_wait_4() {
    on_every_drive(three_of_one_priority, |stage| {
        stage.transport.reply("a", throttled(44)).reply("b", throttled(4)).reply("c", throttled(7));
        let response = stage.ask();
        assert_eq!((response.status().as_u16(), header(&response, "retry-after")), (429, "4".into()));
        assert_eq!(stage.asked().len(), 3);
        assert_eq!(stage.cooling_secs(), [Some(44.0), Some(4.0), Some(7.0)]);

        stage.wait(Duration::from_nanos(3_999_999_999));
        let response = stage.ask();
        assert_eq!((response.status().as_u16(), header(&response, "retry-after")), (429, "1".into()));
        assert_eq!(header(&response, "retry-after-ms"), "1");
        assert_eq!(stage.asked(), [""; 0]);

        stage.wait(Duration::from_nanos(1));
        assert_eq!(stage.ask_whom(), "b");
        assert_eq!(stage.cooling_secs(), [Some(40.0), None, Some(3.0)]);
    });
}

#[test]
fn a_later_5xx_without_a_hint_does_not_shorten_a_cooldown_of_60_seconds() {
    on_every_drive(
        || pool_of(&[("a", 1)]),
        |stage| {
            let rng = lb_core::SeededRng::new(1);
            let mut straggler = stage.pool.dispatch();
            assert!(matches!(straggler.next(|| stage.pool.now(), &rng), lb_core::Step::Try(_)));
            stage.transport.reply("a", throttled(60));
            assert_eq!(stage.send(ask()).unwrap().status(), 429);
            let late = lb_core::Outcome::answered(500, &http::HeaderMap::new(), || stage.pool.wall());
            let _ = straggler.settle(late, || stage.pool.now());
            let snapshot = stage.pool.snapshot();
            let State::Cooling { remaining, reason, .. } = snapshot.backends[0].state else { panic!("it cools") };
            assert_eq!((remaining, reason), (Duration::from_secs(60), Reason::Status(429)));
        },
    );
}
