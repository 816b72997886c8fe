//! In which order the loop calls a transport, and what it gives up when.

use bytes::Bytes;
use http::{Request, Response};
use lb_core::{
    BlockingLoadBalancer, BlockingTransport, Error, Exhausted, Fault, Head, Pool, PoolBuilder, SeededRng, Served,
    Target,
    test_util::{Reply, ScriptedFault, ScriptedTransport},
};
use lb_tests::{
    journal::Journal,
    stage::{ask, ask_once, on_every_drive, pool_of},
};

/// A scripted transport that notes every call which moves a request or a response.
struct Noted {
    inner: ScriptedTransport,
    journal: Journal,
}

impl BlockingTransport for Noted {
    type Request = Request<Bytes>;
    type Response = Response<Bytes>;
    type Error = ScriptedFault;

    fn prepare(&self, request: Request<Bytes>) -> Result<Request<Bytes>, ScriptedFault> {
        self.journal.note("prepare");
        BlockingTransport::prepare(&self.inner, request)
    }
    fn replay(&self, original: &mut Request<Bytes>) -> Option<Request<Bytes>> {
        let copy = BlockingTransport::replay(&self.inner, original);
        self.journal.note(if copy.is_some() { "replay" } else { "no replay" });
        copy
    }
    fn send(&self, request: Request<Bytes>, target: &Target<'_>) -> Result<Response<Bytes>, Error<ScriptedFault>> {
        self.journal.note(format!("send {}", target.backend().name()));
        BlockingTransport::send(&self.inner, request, target)
    }
    fn head<'r>(&self, response: &'r Response<Bytes>) -> Head<'r> {
        BlockingTransport::head(&self.inner, response)
    }
    fn fault(&self, error: &ScriptedFault) -> Fault {
        error.0
    }
    fn synthesize(&self, original: &Request<Bytes>, exhausted: &Exhausted) -> Response<Bytes> {
        self.journal.note("synthesize");
        BlockingTransport::synthesize(&self.inner, original, exhausted)
    }
    fn mark(&self, response: &mut Response<Bytes>, served: Served) {
        BlockingTransport::mark(&self.inner, response, served);
    }
    fn discard(&self, response: Response<Bytes>) {
        self.journal.note(format!("discard {}", response.status().as_u16()));
        BlockingTransport::discard(&self.inner, response);
    }
}

/// The calls of one request, with the decisions of the pool between them.
fn calls(pool: PoolBuilder, replies: &[(&str, Reply)], request: Request<Bytes>) -> Vec<String> {
    let journal = Journal::new();
    let inner = ScriptedTransport::new();
    for (backend, reply) in replies {
        inner.reply(backend, reply.clone());
    }
    let pool: Pool = pool.observer(journal.clone()).build().unwrap();
    let transport = Noted { inner, journal: journal.clone() };
    let _ = BlockingLoadBalancer::with_parts(pool, transport, SeededRng::new(1)).send(request);
    let is_call =
        |line: &String| !["settled", "cooling", "available", "finished"].iter().any(|word| line.starts_with(word));
    let short = |line: String| match line.split_once(" Answered") {
        Some((short, _)) => short.to_owned(),
        None => line,
    };
    journal.take().into_iter().filter(is_call).map(short).collect()
}

fn two() -> PoolBuilder {
    pool_of(&[("a", 1), ("b", 2)])
}

#[test]
fn an_answer_is_discarded_after_the_next_target_is_known_and_before_it_is_asked() {
    let replies = [("a", Reply::status(429)), ("b", Reply::status(200))];
    let expected = [
        "prepare",
        "sent a #1",
        "replay",
        "send a",
        "failed over a -> b",
        "sent b #2",
        "discard 429",
        "replay",
        "send b",
    ];
    assert_eq!(calls(two(), &replies, ask()), expected);
}

#[test]
fn the_final_answer_of_5xx_only_is_returned_and_not_discarded() {
    on_every_drive(two, |stage| {
        stage.transport.reply("a", Reply::status(500)).reply("b", Reply::status(503));
        assert_eq!(stage.ask().status(), 503);
        let discarded: Vec<_> = stage.transport.discarded().iter().map(|r| r.status().as_u16()).collect();
        assert_eq!(discarded, [500]);
    });
}

#[test]
fn every_answer_behind_a_synthesised_429_is_discarded_once_and_after_exhaustion() {
    let replies = [("a", Reply::status(500)), ("b", Reply::status(429))];
    let calls = calls(two(), &replies, ask());
    let exhausted = calls.iter().position(|line| line.starts_with("exhausted")).unwrap();
    assert_eq!(calls[exhausted + 1..], ["discard 429", "synthesize"]);
    assert_eq!(calls.iter().filter(|line| line.starts_with("discard")).count(), 2);
}

#[test]
fn a_success_is_not_discarded_and_nothing_else_happens_after_it() {
    let calls = calls(two(), &[], ask());
    assert_eq!(calls, ["prepare", "sent a #1", "replay", "send a"]);
}

#[test]
fn every_attempt_is_a_copy_also_the_last_possible_one() {
    assert_eq!(calls(pool_of(&[("a", 1)]), &[], ask()), ["prepare", "sent a #1", "replay", "send a"]);
    assert_eq!(calls(two().max_attempts(1), &[], ask()), ["prepare", "sent a #1", "replay", "send a"]);
}

#[test]
fn a_body_that_cannot_be_replayed_goes_into_its_one_attempt() {
    let replies = [("a", Reply::status(503))];
    assert_eq!(
        calls(two(), &replies, ask_once()),
        ["prepare", "sent a #1", "no replay", "send a", "struck a 1: 503", "not repeated a"]
    );
}

#[test]
fn a_refused_request_is_neither_copied_nor_sent() {
    on_every_drive(
        || pool_of(&[("a", 1)]),
        |stage| {
            stage.transport.reply("a", Reply::status(429));
            let _ = stage.ask();
            let before = (stage.transport.requests().len(), stage.transport.discarded().len());
            assert_eq!(stage.ask().status(), 429);
            assert_eq!((stage.transport.requests().len(), stage.transport.discarded().len()), before);
            assert_eq!(stage.counters("a").attempts, 1);
        },
    );
}
