//! Two processes that share their cooldowns over Redis: what one is refused, the other does not ask.
//!
//! ```text
//! redis-server --port 6379 --save ""
//! cargo run -p lb-example-share-cooldowns -- redis://127.0.0.1:6379
//! ```

use std::{
    env,
    error::Error,
    io::{BufRead, BufReader, Write},
    process::{self, ChildStdin, ChildStdout, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use lb_core::{Backend, Pool};
use lb_emulator::{Emulator, Reply};
use lb_redis::{Server, SharedCooldowns};
use lb_reqwest::{CONNECT_TIMEOUT, LoadBalancer, ReqwestTransport, Served};
use tokio::time::sleep;

type BoxError = Box<dyn Error + Send + Sync>;

const URL: &str = "https://any.host/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21";
const BODY: &str = r#"{"messages":[{"role":"user","content":"Hello"}]}"#;

/// A process: its balancer, and what it shares.
struct Sharing {
    balancer: LoadBalancer<ReqwestTransport>,
    shared: SharedCooldowns,
}

impl Sharing {
    /// The lines that an application has too: `shared` has an end in the pool, and one that runs.
    async fn start(redis: &str, name: &str, origins: [&str; 2]) -> Result<Self, BoxError> {
        let shared = SharedCooldowns::new(Server::from_url(redis)?, name)?;
        let pool = Pool::builder()
            .backend(Backend::builder(origins[0]).name("ptu").build()?)
            .backend(Backend::builder(origins[1]).name("standard").priority(2).build()?)
            .observer(shared.observer())
            .build()?;
        let pool = Arc::new(pool);
        tokio::spawn(shared.run(Arc::clone(&pool)));

        // No proxy: the emulators are on this machine.
        let client = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).no_proxy();
        let balancer = LoadBalancer::new(pool, ReqwestTransport::from_builder(client)?);
        let sharing = Self { balancer, shared };
        sharing.wait("a connection to Redis", |sharing| sharing.shared.status().connected).await?;
        Ok(sharing)
    }

    async fn send(&self) -> Result<Served, BoxError> {
        let request =
            self.balancer.transport().client().post(URL).header("content-type", "application/json").body(BODY);
        let response = self.balancer.send(request.build()?).await?;
        Ok(response.extensions().get::<Served>().ok_or("no backend was left")?.clone())
    }

    /// Applications have no need to wait; an example that has to come out in the same way each time has.
    async fn wait(&self, what: &str, is_so: impl Fn(&Self) -> bool) -> Result<(), BoxError> {
        for _ in 0..1_000 {
            if is_so(self) {
                return Ok(());
            }
            sleep(Duration::from_millis(10)).await;
        }
        let why = self.shared.status().last_error.unwrap_or_default();
        Err(format!("waited in vain for {what}: {why}").into())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => first("redis://127.0.0.1:6379").await,
        [redis] => first(redis).await,
        [redis, name, ptu, standard] => second(redis, name, [ptu, standard]).await,
        _ => Err("expected the URL of a Redis server".into()),
    }
}

/// Meets the 429.
async fn first(redis: &str) -> Result<(), BoxError> {
    let ptu = Emulator::builder().name("ptu").start()?;
    let standard = Emulator::builder().name("standard").start()?;
    ptu.script(Reply::throttled(Duration::from_secs(60)));

    // A name of its own, so that no other run is meant.
    let (name, origins) = (format!("example-{}", process::id()), [ptu.url(), standard.url()]);
    let sharing = Sharing::start(redis, &name, origins.each_ref().map(String::as_str)).await?;
    let mut other = Command::new(env::current_exe()?)
        .args([redis, &name, &origins[0], &origins[1]])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let pipes = other.stdin.take().zip(other.stdout.take());
    let (mut input, mut output): (ChildStdin, _) =
        pipes.map(|(input, output)| (input, lines(output))).ok_or("no pipes")?;
    output()?;

    let served = sharing.send().await?;
    println!("first process:  served by {served}");
    ensure(served.attempts() == 2, "the first request was not refused first")?;
    input.write_all(b"now\n")?;
    println!("second process: {}", output()?);
    ensure(other.wait()?.success(), "the second process asked ptu all the same")?;
    ensure(ptu.request_count() == 1, "ptu was asked again while it cooled down")
}

/// Knows of it.
async fn second(redis: &str, name: &str, origins: [&str; 2]) -> Result<(), BoxError> {
    let sharing = Sharing::start(redis, name, origins).await?;
    println!("ready");
    std::io::stdin().lock().read_line(&mut String::new())?;
    sharing.wait("the news", |sharing| sharing.shared.status().applied > 0).await?;
    let served = sharing.send().await?;
    println!("served by {served}, without asking ptu");
    ensure(served.attempts() == 1, "it asked ptu")
}

/// The next line of the other process, each time.
fn lines(output: ChildStdout) -> impl FnMut() -> Result<String, BoxError> {
    let mut lines = BufReader::new(output).lines();
    move || Ok(lines.next().ok_or("the other process ended early")??)
}

fn ensure(holds: bool, problem: &str) -> Result<(), BoxError> {
    if holds { Ok(()) } else { Err(problem.into()) }
}
