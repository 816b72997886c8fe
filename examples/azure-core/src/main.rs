//! The Azure SDK: a client on azure_core gets another transport, and no call changes.
//!
//! ```text
//! cargo run -p lb-example-azure-core
//! ```

use std::{error::Error, sync::Arc, time::Duration};

use azure_core::http::{ClientOptions, Context, Method, Pipeline, Request, RetryOptions, Transport};
use lb_azure::{Backend, BalancedHttpClient, Pool};
use lb_emulator::{Emulator, Reply};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Two deployments on this machine. The first refuses what it is asked first.
    let ptu = Emulator::builder().name("ptu").key("key of ptu").start()?;
    let standard = Emulator::builder().name("standard").key("key of standard").start()?;
    ptu.script(Reply::throttled(Duration::from_secs(6)));

    // No redirects: one would take a backend's key to another host. No proxy: the emulators are on this machine.
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
    let http = Arc::new(http.connect_timeout(Duration::from_secs(10)).build()?);
    let first = Backend::builder(ptu.url()).api_key("key of ptu").build()?;
    let second = Backend::builder(standard.url()).priority(2).api_key("key of standard").build()?;
    let http = BalancedHttpClient::with_client_that_follows_no_redirects(Pool::new([first, second])?, http);
    let http = Arc::new(http);
    let options = ClientOptions {
        transport: Some(Transport::new(http)),
        // Who retries above a balancer asks backends again that have just refused.
        retry: RetryOptions::none(),
        ..ClientOptions::default()
    };
    // What a service client of the SDK has inside.
    let pipeline = Pipeline::new(None, None, options, Vec::new(), Vec::new(), None);

    let url = format!("{}/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21", ptu.url());
    let mut request = Request::new(url.parse()?, Method::Post);
    request.insert_header("api-key", "key of ptu");
    request.insert_header("content-type", "application/json");
    request.set_body(r#"{"messages":[{"role":"user","content":"Hello"}]}"#);

    let response = pipeline.send(&Context::new(), &mut request, None).await?;
    println!("{}: {}", response.status(), response.into_body().into_string()?);
    println!("asked: ptu {}, standard {}", ptu.request_count(), standard.request_count());
    Ok(())
}
