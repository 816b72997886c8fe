//! A whole transport for an HTTP client that has no adapter crate: ureq 3, in about 40 lines. Its body cannot be
//! made of bytes, so that `BlockingHttpTransport`, which takes two methods, does not fit.
//!
//! ```text
//! cargo run -p lb-examples --example custom_transport
//! ```

use std::{io, time::Duration};

use http::{Request, Response};
use lb_core::{
    Backend, BlockingLoadBalancer, BlockingTransport, Error, Exhausted, Fault, Head, Pool, Served, Target, causes,
};
use lb_emulator::{Emulator, Reply};
use lb_examples::ensure;
use lb_quickstart::BoxError;
use ureq::{Agent, Body, Timeout};

struct Ureq(Agent);

impl Ureq {
    fn new() -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false) // a 429 is an answer: its headers say when to come back
            .max_redirects(0) // a redirect would take a backend's key to wherever it points
            .timeout_connect(Some(Duration::from_secs(5))) // after that the request fails over
            .timeout_recv_response(Some(Duration::from_secs(60)))
            .proxy(None); // the emulators are on this machine
        Self(config.build().into())
    }
}

impl BlockingTransport for Ureq {
    type Request = Request<Vec<u8>>;
    type Response = Response<Body>;
    type Error = ureq::Error;

    fn replay(&self, original: &mut Request<Vec<u8>>) -> Option<Request<Vec<u8>>> {
        Some(original.clone())
    }

    fn send(&self, mut request: Request<Vec<u8>>, to: &Target<'_>) -> Result<Response<Body>, Error<ureq::Error>> {
        to.address(&mut request)?;
        self.0.run(request).map_err(Error::Transport)
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

fn main() -> Result<(), BoxError> {
    // Three resources: nobody listens at the first, the second refuses its first request, the third serves two.
    let [dead, busy, well] = ["dead", "busy", "well"].map(|name| Emulator::builder().name(name).start());
    let (dead, busy, well) = (dead?, busy?, well?);
    dead.refuse_connections(true)?;
    busy.script(Reply::throttled(Duration::from_secs(6)));
    well.script(Reply::serve());
    well.always(Reply::throttled(Duration::from_millis(2500)));

    let pool = Pool::new([
        Backend::builder(dead.url()).name("dead").build()?,
        Backend::builder(busy.url()).name("busy").priority(2).build()?,
        Backend::builder(well.url()).name("well").priority(3).build()?,
    ])?;
    let balancer = BlockingLoadBalancer::new(pool, Ureq::new());
    let request = || {
        Request::post("https://any.host/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21")
            .header("content-type", "application/json")
            .body(br#"{"messages":[{"role":"user","content":"Hello"}]}"#.to_vec())
    };

    let mut response = balancer.send(request()?)?;
    let served = response.extensions().get::<Served>().ok_or("no backend served the request")?.clone();
    println!("{} by {served}: {}", response.status(), response.body_mut().read_to_string()?);
    ensure(served.backend() == "well" && served.attempts() == 3, "the request did not fail over twice")?;

    let mut response = balancer.send(request()?)?;
    println!("{}: {}", response.status(), response.body_mut().read_to_string()?);
    let exhausted = response.extensions().get::<Exhausted>().ok_or("a backend was left")?;
    // The suspect was asked, because nothing else was left; in a second it can be asked again.
    ensure((exhausted.cooling(), exhausted.suspect()) == (2, 1), "a backend is not out")?;
    ensure(response.headers()["retry-after"] == "1", "the wait is not that of the soonest backend")
}
