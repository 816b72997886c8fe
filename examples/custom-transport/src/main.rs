//! A whole transport for an HTTP client that has no adapter crate: ureq 3, in about 40 lines. Its body cannot be made of
//! bytes, so that `BlockingHttpTransport`, which takes two methods, does not fit.
//!
//! ```text
//! cargo run -p lb-example-custom-transport
//! ```

use std::{error::Error, io, time::Duration};

use http::{Request, Response};
use lb_core::{
    Backend, BlockingLoadBalancer, BlockingTransport, Error as Failed, Exhausted, Fault, Head, Pool, Served, Target,
    causes,
};
use lb_emulator::{Emulator, Reply};
use ureq::{Agent, Body, Timeout};

fn main() -> Result<(), Box<dyn Error>> {
    // Two deployments on this machine. The first refuses what it is asked first.
    let ptu = Emulator::builder().name("ptu").key("key of ptu").start()?;
    let standard = Emulator::builder().name("standard").key("key of standard").start()?;
    ptu.script(Reply::throttled(Duration::from_secs(6)));

    let config = Agent::config_builder()
        .http_status_as_error(false) // a 429 is an answer: its headers say when to come back
        .max_redirects(0) // a redirect would take a backend's key to wherever it points
        .timeout_connect(Some(Duration::from_secs(5))) // after that the request fails over
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .proxy(None); // the emulators are on this machine
    let agent = Agent::from(config.build());
    let first = Backend::builder(ptu.url()).api_key("key of ptu").build()?;
    let second = Backend::builder(standard.url()).priority(2).api_key("key of standard").build()?;
    let balancer = BlockingLoadBalancer::new(Pool::new([first, second])?, Ureq(agent));

    let url = format!("{}/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21", ptu.url());
    let body = r#"{"messages":[{"role":"user","content":"Hello"}]}"#;
    let request = Request::post(url).header("api-key", "key of ptu").header("content-type", "application/json");
    let request = request.body(body.as_bytes().to_vec())?;

    let mut response = balancer.send(request)?;
    println!("{}: {}", response.status(), response.body_mut().read_to_string()?);
    println!("asked: ptu {}, standard {}", ptu.request_count(), standard.request_count());
    if response.status().is_success() { Ok(()) } else { Err(response.status().to_string().into()) }
}

struct Ureq(Agent);

impl BlockingTransport for Ureq {
    type Request = Request<Vec<u8>>;
    type Response = Response<Body>;
    type Error = ureq::Error;

    fn replay(&self, original: &mut Request<Vec<u8>>) -> Option<Request<Vec<u8>>> {
        Some(original.clone())
    }

    fn send(&self, mut request: Request<Vec<u8>>, to: &Target<'_>) -> Result<Response<Body>, Failed<ureq::Error>> {
        to.address(&mut request)?;
        self.0.run(request).map_err(Failed::Transport)
    }

    fn head<'r>(&self, response: &'r Response<Body>) -> Head<'r> {
        Head::new(response.status().as_u16(), response.headers())
    }

    fn fault(&self, error: &ureq::Error) -> Fault {
        match error {
            // Nothing was sent: safe to ask the next backend.
            ureq::Error::HostNotFound | ureq::Error::ConnectionFailed | ureq::Error::Tls(_) => Fault::Connect,
            ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => Fault::ConnectTimeout,
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => Fault::Connect,
            ureq::Error::Http(_) | ureq::Error::BadUri(_) => Fault::Request,
            // It may have been executed, and billed.
            ureq::Error::Timeout(_) => Fault::Timeout,
            _ => Fault::Reset,
        }
    }

    fn describe(&self, error: &ureq::Error) -> String {
        causes(error)
    }

    fn synthesize(&self, _: &Request<Vec<u8>>, exhausted: &Exhausted) -> Response<Body> {
        exhausted.to_response().map(|json| Body::builder().mime_type("application/json").data(json))
    }

    fn mark(&self, response: &mut Response<Body>, served: Served) {
        response.extensions_mut().insert(served);
    }

    // `discard` drops what is not returned, and with it the connection: that is fine for an answer that was refused.
}
