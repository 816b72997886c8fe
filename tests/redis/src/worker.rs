//! A process that sends requests over a pool, and shares its cooldowns or does not.

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use clap::Args;
use lb_core::{Backend, LoadBalancer, Pool, Rng, SeededRng};
use lb_redis::{Server, SharedCooldowns, Status};
use lb_reqwest::ReqwestTransport;
use serde::{Deserialize, Serialize};
use tokio::{
    io,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use crate::Result;

#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    /// Where cooldowns are shared; nowhere if it is not given
    #[arg(long)]
    redis: Option<String>,

    /// A backend's origin; the first is asked first
    #[arg(long = "backend")]
    backends: Vec<String>,

    /// Requests per second, at random moments
    #[arg(long)]
    rate: f64,

    /// When it begins, in milliseconds since 1970; at once without it
    #[arg(long)]
    begin: Option<u64>,

    /// How long it sends; without it until its standard input ends
    #[arg(long)]
    seconds: Option<f64>,

    /// Decides the moments
    #[arg(long)]
    seed: u64,
}

/// What a process saw.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) requests: u64,
    pub(crate) served: u64,
    /// Refused by the balancer, with nothing left.
    pub(crate) refused: u64,
    /// Any other end.
    pub(crate) failed: u64,
    /// 429s of the backends.
    pub(crate) throttles: u64,
    pub(crate) connections: u64,
    pub(crate) connected: bool,
    pub(crate) published: u64,
    pub(crate) applied: u64,
    pub(crate) ignored: u64,
}

enum Ending {
    Served,
    Refused,
    Failed,
}

pub(crate) async fn run(arguments: WorkerArgs) -> Result<()> {
    let shared = match &arguments.redis {
        Some(url) => Some(SharedCooldowns::new(Server::from_url(url)?, "check")?),
        None => None,
    };
    let mut pool = Pool::builder();
    for (number, origin) in arguments.backends.iter().enumerate() {
        let priority = u32::try_from(number)? + 1;
        pool = pool.backend(Backend::builder(origin).name(format!("backend-{number}")).priority(priority).build()?);
    }
    if let Some(shared) = &shared {
        pool = pool.observer(shared.observer());
    }
    let pool = Arc::new(pool.build()?);
    if let Some(shared) = &shared {
        tokio::spawn(shared.run(Arc::clone(&pool)));
    }
    let mut seen = send_all(&arguments, Arc::clone(&pool)).await?;
    seen.throttles = pool.snapshot().counters().throttles;
    if let Some(Status { connections, connected, published, applied, ignored, .. }) =
        shared.map(|shared| shared.status())
    {
        seen = Seen { connections, connected, published, applied, ignored, ..seen };
    }
    println!("{}", serde_json::to_string(&seen)?);
    Ok(())
}

async fn send_all(arguments: &WorkerArgs, pool: Arc<Pool>) -> Result<Seen> {
    let balancer = Arc::new(LoadBalancer::new(pool, ReqwestTransport::new()?));
    let rng = SeededRng::new(arguments.seed);
    if let Some(begin) = arguments.begin {
        let begin = SystemTime::UNIX_EPOCH + Duration::from_millis(begin);
        sleep(begin.duration_since(SystemTime::now()).unwrap_or_default()).await;
    }
    let mut at = Instant::now();
    let seconds = arguments.seconds.map(Duration::from_secs_f64);
    let mut end = pin!(async move {
        match seconds {
            Some(seconds) => sleep(seconds).await,
            // What is written there does not matter.
            None => drop(io::copy(&mut io::stdin(), &mut io::sink()).await),
        }
    });
    let mut sent = JoinSet::new();
    let mut seen = Seen::default();
    loop {
        at += Duration::from_secs_f64(-(1.0 - uniform(&rng)).ln() / arguments.rate);
        tokio::select! {
            () = &mut end => break,
            () = sleep_until(at) => {}
        }
        let balancer = Arc::clone(&balancer);
        sent.spawn(async move { send(&balancer).await });
        seen.requests += 1;
    }
    while let Some(ending) = sent.join_next().await {
        match ending? {
            Ending::Served => seen.served += 1,
            Ending::Refused => seen.refused += 1,
            Ending::Failed => seen.failed += 1,
        }
    }
    // Where it was away at the end, it may come back.
    sleep(Duration::from_millis(100)).await;
    Ok(seen)
}

async fn send(balancer: &LoadBalancer<ReqwestTransport>) -> Ending {
    let url = "http://any.example/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21";
    let body = r#"{"messages":[{"role":"user","content":"Hello"}],"max_tokens":10}"#;
    let request = balancer.transport().client().post(url).header("content-type", "application/json").body(body).build();
    let Ok(request) = request else { return Ending::Failed };
    match balancer.send(request).await {
        Ok(response) if response.status() == 200 => match response.bytes().await {
            Ok(_) => Ending::Served,
            Err(_) => Ending::Failed,
        },
        Ok(response) if response.status() == 429 => Ending::Refused,
        Ok(_) | Err(_) => Ending::Failed,
    }
}

/// From 0 up to 1.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
fn uniform(rng: &SeededRng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}
