//! One pool under an async and a blocking balancer: a 429 that one sees is respected by the other.
//!
//! ```text
//! cargo run -p lb-examples --example share_a_pool
//! ```

use std::{sync::Arc, thread, time::Duration};

use futures::future::try_join_all;
use lb_emulator::{Emulator, Reply};
use lb_examples::ensure;
use lb_quickstart::BoxError;
use lb_reqwest::{
    Backend, BlockingLoadBalancer, BlockingReqwestTransport, CONNECT_TIMEOUT, LoadBalancer, Pool, ReqwestTransport,
    Served, lb_core::State,
};

const URL: &str = "https://any.host/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21";
const BODY: &str = r#"{"messages":[{"role":"user","content":"Hello"}]}"#;

fn main() -> Result<(), BoxError> {
    let ptu = Emulator::builder().name("ptu").key("key of ptu").start()?;
    let standard = Emulator::builder().name("standard").key("key of standard").start()?;
    ptu.script(Reply::throttled(Duration::from_secs(60)));

    let pool = Arc::new(Pool::new([
        Backend::builder(ptu.url()).name("ptu").api_key("key of ptu").build()?,
        Backend::builder(standard.url()).name("standard").priority(2).api_key("key of standard").build()?,
    ])?);
    // No proxy: the emulators are on this machine.
    let transport =
        ReqwestTransport::from_builder(reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).no_proxy())?;
    let balancer = LoadBalancer::new(Arc::clone(&pool), transport);
    let transport = BlockingReqwestTransport::from_builder(
        reqwest::blocking::Client::builder().connect_timeout(CONNECT_TIMEOUT).no_proxy(),
    )?;
    let blocking = BlockingLoadBalancer::new(Arc::clone(&pool), transport);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let served = runtime.block_on(send(&balancer))?;
    println!("async:    served by {served}");
    ensure(served.attempts() == 2, "the async request was not refused first")?;
    let served = send_blocking(&blocking)?;
    println!("blocking: served by {served}, without asking ptu");
    ensure(served.attempts() == 1, "the blocking balancer does not know of the 429")?;

    // Both at once: ten requests from tasks, ten from threads.
    let answers = thread::scope(|scope| {
        let threads: Vec<_> = (0..10).map(|_| scope.spawn(|| send_blocking(&blocking))).collect();
        let mut served = runtime.block_on(try_join_all((0..10).map(|_| send(&balancer))))?;
        for thread in threads {
            served.push(thread.join().map_err(|_| "a thread panicked")??);
        }
        Ok::<_, BoxError>(served)
    })?;
    println!("both:     {} more, all by {}", answers.len(), answers[0].backend());
    ensure(answers.iter().all(|served| served.backend() == "standard"), "one was not served by standard")?;
    ensure(ptu.request_count() == 1, "ptu was asked again while it cooled down")?;

    println!("\n{:<9} {:>8} {:>8} {:>9} {:>9}  state", "backend", "priority", "attempts", "successes", "throttles");
    for entry in pool.snapshot().backends {
        let (backend, counters) = (entry.backend, entry.counters);
        let state = match entry.state {
            State::Available => "available".to_owned(),
            State::Cooling { remaining, reason, .. } => {
                format!("cooling for {:.0} s ({reason})", remaining.as_secs_f64())
            }
            other => format!("{other:?}"),
        };
        let (name, priority) = (backend.name(), backend.priority());
        let (attempts, successes, throttles) = (counters.attempts, counters.successes, counters.throttles);
        println!("{name:<9} {priority:>8} {attempts:>8} {successes:>9} {throttles:>9}  {state}");
    }
    Ok(())
}

async fn send(balancer: &LoadBalancer<ReqwestTransport>) -> Result<Served, BoxError> {
    let request = balancer.transport().client().post(URL).header("content-type", "application/json").body(BODY);
    let response = balancer.send(request.build()?).await?;
    Ok(response.extensions().get::<Served>().ok_or("no backend was left")?.clone())
}

fn send_blocking(balancer: &BlockingLoadBalancer<BlockingReqwestTransport>) -> Result<Served, BoxError> {
    let request = balancer.transport().client().post(URL).header("content-type", "application/json").body(BODY);
    let response = balancer.send(request.build()?)?;
    Ok(response.extensions().get::<Served>().ok_or("no backend was left")?.clone())
}
