//! An operator at work on the pool of a client that is in use: from another thread, and without touching the client.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::future::join_all;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use lb_core::{Backend, Pool};
use lb_emulator::Emulator;
use lb_tower::BalanceLayer;
use tower::{ServiceBuilder, ServiceExt};

use crate::deployments::{healthy, key};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Two deployments, the first of which is preferred.
#[derive(Debug)]
pub struct Pair {
    emulators: [Emulator; 2],
    pool: Arc<Pool>,
}

impl Pair {
    pub fn start() -> Self {
        // The SDKs' programs name this one.
        let emulators = [1, 2].map(|_| healthy("healthy"));
        let backend = |(emulator, priority): (&Emulator, u32)| {
            let backend = Backend::builder(emulator.url()).name(format!("number {priority}")).priority(priority);
            backend.api_key(key("healthy")).build().unwrap()
        };
        let pool = Pool::new(emulators.iter().zip(1..).map(backend)).unwrap();
        Self { pool: Arc::new(pool), emulators }
    }

    pub fn pool(&self) -> Arc<Pool> {
        Arc::clone(&self.pool)
    }

    /// Keeps four callers asking, each of whom has to be served, while an operator takes the first backend out and puts it
    /// back: by a drain, and by a cooldown.
    pub async fn operate(&self, ask: impl AsyncFn()) {
        let is_over = AtomicBool::new(false);
        let caller = async || {
            while !is_over.load(Ordering::Relaxed) {
                ask().await;
                tokio::task::yield_now().await;
            }
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                self.take_out_and_put_back();
                is_over.store(true, Ordering::Relaxed);
            });
            tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(join_all((0..4).map(|_| caller())));
            });
        });
    }

    fn take_out_and_put_back(&self) {
        let pool = &self.pool;
        self.serves(0);
        assert!(pool.drain("number 1"));
        self.serves_alone(1);
        assert!(pool.reopen("number 1"));
        self.serves(0);
        assert!(pool.cool("number 1", Duration::from_secs(3_600)));
        self.serves_alone(1);
        assert!(pool.end_cooldown("number 1"));
        self.serves(0);
    }

    /// Waits until this one has served some more.
    fn serves(&self, number: usize) {
        let (begin, before) = (Instant::now(), self.emulators[number].request_count());
        while self.emulators[number].request_count() < before + 10 {
            assert!(begin.elapsed() < PATIENCE, "number {} serves nobody", number + 1);
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Once what was under way has ended, nobody comes to the other one.
    fn serves_alone(&self, number: usize) {
        self.serves(number);
        let other = &self.emulators[1 - number];
        let before = other.request_count();
        self.serves(number);
        assert_eq!(other.request_count(), before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_works_on_the_pool_of_a_tower_service_in_use() {
    let pair = Pair::start();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let service = ServiceBuilder::new().layer(BalanceLayer::new(pair.pool())).service(client);
    pair.operate(async || {
        let body = Full::<Bytes>::from(r#"{"messages":[{"role":"user","content":"Hello"}]}"#);
        let url = "http://any.host/openai/deployments/healthy/chat/completions?api-version=2024-10-21";
        let response = service.clone().oneshot(Request::post(url).body(body).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
        let _ = response.into_body().collect().await.unwrap();
    })
    .await;
}
