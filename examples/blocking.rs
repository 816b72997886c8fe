//! The smallest blocking program: two backends, a 429 from the first, and an answer all the same.
//!
//! ```text
//! cargo run -p lb-examples --example blocking
//! ```

use std::time::Duration;

use lb_emulator::{Emulator, Reply};
use lb_examples::ensure;
use lb_quickstart::BoxError;
use lb_reqwest::{Backend, BlockingLoadBalancer, BlockingReqwestTransport, CONNECT_TIMEOUT, Pool, Served};
use reqwest::blocking::Client;

fn main() -> Result<(), BoxError> {
    // Two resources on this machine; the first refuses its first request.
    let ptu = Emulator::builder().name("ptu").key("key of ptu").start()?;
    let standard = Emulator::builder().name("standard").key("key of standard").start()?;
    ptu.script(Reply::throttled(Duration::from_secs(6)));

    let pool = Pool::new([
        Backend::builder(ptu.url()).name("ptu").api_key("key of ptu").build()?,
        Backend::builder(standard.url()).name("standard").priority(2).api_key("key of standard").build()?,
    ])?;
    // No proxy: the emulators are on this machine.
    let transport =
        BlockingReqwestTransport::from_builder(Client::builder().connect_timeout(CONNECT_TIMEOUT).no_proxy())?;
    let balancer = BlockingLoadBalancer::new(pool, transport);

    let url = "https://any.host/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21";
    let body = r#"{"messages":[{"role":"user","content":"Hello"}]}"#;
    let request = balancer.transport().client().post(url).header("content-type", "application/json").body(body);

    let response = balancer.send(request.build()?)?;
    let served = response.extensions().get::<Served>().ok_or("no backend served the request")?.clone();
    println!("{} by {served}: {}", response.status(), response.text()?);
    ensure(served.backend() == "standard" && served.attempts() == 2, "the request did not fail over to standard")
}
