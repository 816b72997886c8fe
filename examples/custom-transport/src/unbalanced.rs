//! The same without a balancer, to compare with. It ends with the error of the 429.
//!
//! ```text
//! cargo run -p lb-example-custom-transport --bin custom-transport-unbalanced
//! ```

use std::{error::Error, time::Duration};

use http::Request;
use lb_emulator::{Emulator, Reply};
use ureq::Agent;

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

    let url = format!("{}/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21", ptu.url());
    let body = r#"{"messages":[{"role":"user","content":"Hello"}]}"#;
    let request = Request::post(url).header("api-key", "key of ptu").header("content-type", "application/json");
    let request = request.body(body.as_bytes().to_vec())?;

    let mut response = agent.run(request)?;
    println!("{}: {}", response.status(), response.body_mut().read_to_string()?);
    println!("asked: ptu {}, standard {}", ptu.request_count(), standard.request_count());
    if response.status().is_success() { Ok(()) } else { Err(response.status().to_string().into()) }
}
