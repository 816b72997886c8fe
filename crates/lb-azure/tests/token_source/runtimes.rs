//! Where a fetch runs.

use std::{future::pending, sync::Arc, thread};

use azure_core::{
    async_runtime::{AbortableTask, AsyncRuntime, SpawnedTask, TaskFuture},
    time::Duration,
};
use futures::executor::block_on;
use lb_core::CredentialSource;

use crate::issuer::{Issuer, clock, source};

/// A thread per task, and no tokio anywhere.
struct Threads;

struct Detached;

impl Future for Detached {
    type Output = Result<(), Box<dyn std::error::Error + Send>>;

    fn poll(self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        std::task::Poll::Ready(Ok(()))
    }
}

impl AbortableTask for Detached {
    fn abort(&self) {
        panic!("a fetch is not aborted");
    }
}

impl AsyncRuntime for Threads {
    fn spawn(&self, task: TaskFuture) -> SpawnedTask {
        thread::spawn(|| block_on(task));
        Box::pin(Detached)
    }

    fn sleep(&self, _: Duration) -> TaskFuture {
        Box::pin(pending())
    }

    fn yield_now(&self) -> TaskFuture {
        unreachable!("a source never yields")
    }
}

#[test]
fn a_runtime_of_the_users_runs_it() {
    let issuer = Issuer::new("t", &clock());
    let source = source(&issuer).runtime(Arc::new(Threads)).build();
    assert_eq!(block_on(source.credential()).unwrap().value(), "Bearer t-1");
}

#[test]
fn without_any_runtime_that_is_the_reason_until_there_is_one() {
    let issuer = Issuer::new("t", &clock());
    let source = source(&issuer).build();
    let error = block_on(source.warm_up()).unwrap_err();
    assert!(error.to_string().starts_with("no tokio runtime"), "{error}");
    assert_eq!(issuer.asked(), 0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(source.warm_up()).unwrap();
    assert_eq!(issuer.asked(), 1);
}

#[test]
fn a_runtime_that_is_shut_down_during_a_fetch_leaves_nobody_waiting() {
    let clock = clock();
    let issuer = Issuer::held("t", &clock);
    let source = source(&issuer).build();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    let mut waiting = source.credential();
    runtime.block_on(async { assert!(futures::poll!(&mut waiting).is_pending()) });
    drop(runtime);
    let error = block_on(waiting).unwrap_err();
    assert!(error.to_string().contains("its runtime may be shut down"), "{error}");

    clock.advance(std::time::Duration::from_secs(10));
    issuer.release(1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    assert_eq!(runtime.block_on(source.credential()).unwrap().value(), "Bearer t-2");
}
