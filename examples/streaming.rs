//! Server-sent events after a failover, each printed before the server sends the next.
//!
//! ```text
//! cargo run -p lb-examples --example streaming
//! ```

use std::time::Duration;

use lb_emulator::{Emulator, Reply};
use lb_examples::ensure;
use lb_quickstart::{BoxError, Events};
use lb_reqwest::{Backend, CONNECT_TIMEOUT, LoadBalancer, Pool, ReqwestTransport, Served};
use reqwest::{Client, Response};
use serde_json::Value;
use tokio::time::timeout;

/// Something is buffered if an event that was sent is not here after this long.
const PATIENCE: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let ptu = Emulator::builder().name("ptu").key("key of ptu").start()?;
    let standard = Emulator::builder().name("standard").key("key of standard").completion_tokens(4).start()?;
    ptu.script(Reply::throttled(Duration::from_secs(6)));
    // Every event of a stream waits here until it is let go.
    let gate = standard.hold_streams();

    let pool = Pool::new([
        Backend::builder(ptu.url()).name("ptu").api_key("key of ptu").build()?,
        Backend::builder(standard.url()).name("standard").priority(2).api_key("key of standard").build()?,
    ])?;
    // No proxy: the emulators are on this machine.
    let transport = ReqwestTransport::from_builder(Client::builder().connect_timeout(CONNECT_TIMEOUT).no_proxy())?;
    let balancer = LoadBalancer::new(pool, transport);

    let url = "https://any.host/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21";
    let body = r#"{"messages":[{"role":"user","content":"Hello"}],"stream":true}"#;
    let request = balancer.transport().client().post(url).header("content-type", "application/json").body(body);

    let mut response = timeout(PATIENCE, balancer.send(request.build()?)).await??;
    let served = response.extensions().get::<Served>().ok_or("no backend served the request")?.clone();
    println!("{} by {served}, before any event", response.status());
    ensure(served.backend() == "standard" && served.attempts() == 2, "the request did not fail over to standard")?;

    let mut events = Events::default();
    let mut sent = 0;
    while !events.is_complete() {
        gate.release_one();
        sent += 1;
        let event = timeout(PATIENCE, next(&mut response, &mut events)).await;
        let event = event.map_err(|_| format!("event {sent} was sent, and did not arrive"))??;
        println!("event {sent} sent and arrived: {}", delta(&event));
    }
    ensure(sent == 6, "a stream of four words has six events: the words, the finish reason and [DONE]")
}

/// Waits for the next event, which is the only one that was let go.
async fn next(response: &mut Response, events: &mut Events) -> Result<String, BoxError> {
    loop {
        let chunk = response.chunk().await?.ok_or("the stream ended early")?;
        if let Some(event) = events.push(&chunk).pop() {
            return Ok(event);
        }
    }
}

/// What is new in an event.
fn delta(event: &str) -> String {
    match serde_json::from_str::<Value>(event) {
        Ok(event) => event["choices"][0]["delta"].to_string(),
        Err(_) => event.to_owned(),
    }
}
