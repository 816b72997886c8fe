//! What a response tells of the attempts before the one that served.

use std::time::Duration;

use lb_core::{
    Fault, Reason, Served, ServedBy, Wait, Wishes,
    test_util::{Reply, ScriptedTransport},
};
use lb_tests::stage::{Drive, Stage, ask, on_every_drive, pool_of};

fn words(served: &Served) -> Vec<String> {
    served.trail().iter().map(ToString::to_string).collect()
}

fn served(response: &http::Response<bytes::Bytes>) -> Served {
    response.extensions().get::<Served>().unwrap().clone()
}

#[test]
fn a_response_names_who_was_asked_before_and_why_not_they() {
    on_every_drive(
        || pool_of(&[("a", 1), ("b", 2), ("c", 3)]),
        |stage| {
            assert_eq!(words(&served(&stage.ask())), [""; 0]);
            stage.transport.reply("a", Reply::status(429)).reply("b", Reply::fault(Fault::Connect));
            let served_by = ServedBy::new();
            let mut request = ask();
            request.extensions_mut().insert(Wishes::new().tell(&served_by));
            let served = served(&stage.send(request).unwrap());
            assert_eq!(words(&served), ["a: 429", "b: connect"]);
            assert_eq!((served.trail()[0].backend(), served.trail()[0].reason()), ("a", Reason::Status(429)));
            assert_eq!((served.backend(), served.attempts()), ("c", 3));
            assert_eq!(served_by.get(), Some(served));
        },
    );
}

#[test]
fn the_last_answer_of_an_exhausted_pool_names_those_before_it_and_not_itself() {
    on_every_drive(
        || pool_of(&[("a", 1), ("b", 2)]),
        |stage| {
            stage.transport.reply("a", Reply::status(500)).reply("b", Reply::status(503));
            let response = stage.ask();
            assert_eq!((response.status().as_u16(), words(&served(&response))), (503, vec!["a: 500".to_owned()]));
        },
    );
}

#[test]
fn a_trail_goes_on_over_a_wait() {
    // Blocking: a sleep on the mock clock moves it.
    let wait = Wait { longest: Duration::from_secs(60), queue: 9 };
    let stage = Stage::new(Drive::Blocking, pool_of(&[("a", 1)]).wait(wait));
    stage.transport.reply("a", Reply::status(429).header("retry-after", "5"));
    assert_eq!(words(&served(&stage.ask())), ["a: 429"]);
}

#[test]
fn a_long_trail_keeps_its_first_eight() {
    let names: Vec<_> = (0..10).map(|number| format!("{number}")).collect();
    let backends: Vec<_> = (1..).zip(&names).map(|(priority, name)| (name.as_str(), priority)).collect();
    on_every_drive(
        || pool_of(&backends),
        |stage| {
            let refuse = |transport: &ScriptedTransport, name: &str| {
                transport.reply(name, Reply::status(429));
            };
            names[..9].iter().for_each(|name| refuse(&stage.transport, name));
            let served = served(&stage.ask());
            let tried: Vec<_> = served.trail().iter().map(|failed| failed.backend().to_owned()).collect();
            assert_eq!((served.attempts(), tried.as_slice()), (10, &names[..8]));
        },
    );
}
