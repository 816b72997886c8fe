//! The scripted transport, async and blocking.

use std::sync::Arc;

use bytes::Bytes;
use futures::executor::block_on;
use lb_core::{
    BlockingLoadBalancer, Error, Fault, LoadBalancer, Pool, Pools,
    test_util::{OneShot, Reply as Scripted, ScriptedFault, ScriptedTransport},
};

use crate::{
    protocol::Protocol,
    stack::{Body, Call, Failure, Reply, Stack},
    upstream::{Answer, Received, Upstream},
};

type Outcome = Result<http::Response<Bytes>, Error<ScriptedFault>>;

pub struct ScriptedUpstream {
    name: String,
    transport: ScriptedTransport,
}

impl ScriptedUpstream {
    fn new(name: &str, transport: &ScriptedTransport) -> Self {
        let upstream = Self { name: name.to_owned(), transport: transport.clone() };
        upstream.always(Answer::status(200).body(name));
        upstream
    }
}

impl Upstream for ScriptedUpstream {
    fn name(&self) -> &str {
        &self.name
    }

    fn endpoint(&self) -> String {
        format!("http://{}.example", self.name)
    }

    fn script(&self, answer: Answer) {
        self.transport.reply(&self.name, scripted(&answer));
    }

    fn always(&self, answer: Answer) {
        self.transport.always(&self.name, scripted(&answer));
    }

    fn refuse_connections(&self) {
        self.transport.always(&self.name, Scripted::fault(Fault::Connect));
    }

    fn received(&self) -> Vec<Received> {
        let at_this_one = self.transport.requests().into_iter().filter(|sent| sent.backend == self.name);
        let received = at_this_one.map(|sent| Received {
            method: sent.request.method().clone(),
            authority: sent.request.uri().authority().map(ToString::to_string),
            path_and_query: sent.request.uri().path_and_query().unwrap().to_string(),
            headers: sent.request.headers().clone(),
            body: sent.request.body().to_vec(),
        });
        received.collect()
    }
}

fn scripted(answer: &Answer) -> Scripted {
    let reply = Scripted::status(answer.status).body(answer.body.clone());
    answer.headers.iter().fold(reply, |reply, (name, value)| reply.header(name, value))
}

fn request(call: Call) -> http::Request<Bytes> {
    let mut request = http::Request::builder().method(call.method.clone()).uri(call.url());
    for (name, value) in &call.headers {
        request = request.header(*name, value);
    }
    request = request.extension(call.wishes);
    match call.body {
        Body::Bytes(body) => request.body(body.into()),
        Body::OneShot(body) => request.extension(OneShot).body(body.into()),
    }
    .unwrap()
}

fn reply(outcome: Outcome) -> Result<Reply, Failure> {
    let (parts, body) = outcome.map_err(|error| Failure::with(&error, |fault| fault.0))?.into_parts();
    let mut chunk = Some(body.to_vec());
    Ok(Reply {
        status: parts.status.as_u16(),
        headers: parts.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect(),
        served: parts.extensions.get().cloned(),
        exhausted: parts.extensions.get().cloned(),
        url: None,
        next_chunk: Box::new(move || Ok(chunk.take())),
    })
}

pub struct Async(ScriptedTransport);

impl Stack for Async {
    type Upstream = ScriptedUpstream;

    fn new(_: Protocol) -> Self {
        Self(ScriptedTransport::new())
    }

    fn upstream(&self, name: &str) -> ScriptedUpstream {
        ScriptedUpstream::new(name, &self.0)
    }

    fn send_over(&self, pools: &Pools, call: Call) -> Result<Reply, Failure> {
        reply(block_on(LoadBalancer::new(pools, self.0.clone()).send(request(call))))
    }

    fn try_send(&self, pool: &Arc<Pool>, call: Call) -> Result<Reply, Failure> {
        reply(block_on(LoadBalancer::new(Arc::clone(pool), self.0.clone()).try_send(request(call))))
    }
}

pub struct Blocking(ScriptedTransport);

impl Stack for Blocking {
    type Upstream = ScriptedUpstream;

    fn new(_: Protocol) -> Self {
        Self(ScriptedTransport::new())
    }

    fn upstream(&self, name: &str) -> ScriptedUpstream {
        ScriptedUpstream::new(name, &self.0)
    }

    fn send_over(&self, pools: &Pools, call: Call) -> Result<Reply, Failure> {
        reply(BlockingLoadBalancer::new(pools, self.0.clone()).send(request(call)))
    }

    fn try_send(&self, pool: &Arc<Pool>, call: Call) -> Result<Reply, Failure> {
        reply(BlockingLoadBalancer::new(Arc::clone(pool), self.0.clone()).try_send(request(call)))
    }
}

// Which protocol does not matter: there is no wire.
mod asynchronous {
    crate::failover::failover!(super::Async, crate::protocol::Protocol::Http1);
    crate::wire::wire!(super::Async, crate::protocol::Protocol::Http1);
    crate::wishes::wishes!(super::Async, crate::protocol::Protocol::Http1);
    crate::apart::apart!(super::Async, crate::protocol::Protocol::Http1);
    crate::models::models!(super::Async, crate::protocol::Protocol::Http1);
}

mod blocking {
    crate::failover::failover!(super::Blocking, crate::protocol::Protocol::Http1);
    crate::wire::wire!(super::Blocking, crate::protocol::Protocol::Http1);
    crate::wishes::wishes!(super::Blocking, crate::protocol::Protocol::Http1);
    crate::apart::apart!(super::Blocking, crate::protocol::Protocol::Http1);
    crate::models::models!(super::Blocking, crate::protocol::Protocol::Http1);
}
