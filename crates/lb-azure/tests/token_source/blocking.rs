//! Under a blocking balancer, which does not wait for tokens.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use lb_core::{BlockingLoadBalancer, test_util::ScriptedTransport};

use crate::issuer::{Issuer, LIFETIME, REFRESHED_AFTER, backend, clock, pool, source};

/// How long a test waits for something that happens at once unless it is broken.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_token_that_is_not_here_is_a_fault_and_a_warmed_up_source_is_none() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    let clock = clock();
    let issuer = Issuer::held("t", &clock);
    let source = {
        let _inside = runtime.enter();
        source(&issuer).build()
    };
    let pool = pool(&clock, [backend("a", 1, &source)]);
    let balancer = BlockingLoadBalancer::new(Arc::clone(&pool), ScriptedTransport::new());
    let send = || balancer.send(http::Request::new(Bytes::new()));

    send().unwrap_err();
    assert_eq!(pool.snapshot().backends[0].counters.faults, 1);
    // The fetch goes on, on the runtime in which the source was built.
    issuer.release(1);
    runtime.block_on(source.warm_up()).unwrap();
    assert_eq!(issuer.asked(), 1);
    clock.advance(Duration::from_secs(10));
    assert_eq!(send().unwrap().status(), 200);

    // A refresh that is due starts there too, and nobody waits for it.
    clock.advance(REFRESHED_AFTER);
    assert_eq!(send().unwrap().status(), 200);
    let start = Instant::now();
    while issuer.asked() < 2 {
        assert!(start.elapsed() < PATIENCE, "no refresh was started");
        thread::yield_now();
    }
    issuer.release(1);
    clock.advance(LIFETIME - REFRESHED_AFTER);
    runtime.block_on(source.warm_up()).unwrap();
    assert_eq!(send().unwrap().status(), 200, "by now the old token has expired");
    assert_eq!(issuer.asked(), 2);
}
