//! What whoever drives a dispatch by hand has to know, as the balancers' loop does.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use lb_core::{Backend, Pool, Step, ThreadRng};

/// Whether a request with this path stays where it was sent.
fn is_guarded(pool: &Pool, path: &str) -> bool {
    let mut dispatch = pool.dispatch();
    let Step::Try(attempt) = dispatch.next(|| pool.now(), &ThreadRng) else { panic!("it is available") };
    let target = pool.target(&attempt);
    assert_eq!(target.path_and_query(path).unwrap(), path);
    target.is_guarded()
}

#[test]
fn a_target_says_whether_the_path_holds_the_request_there() {
    let pool = |guards| {
        let builder = Pool::builder().backend(Backend::new("a.example", 1).unwrap());
        builder.guard_stateful_paths(guards).build().unwrap()
    };
    assert!(is_guarded(&pool(true), "/openai/v1/files/file-1"));
    assert!(!is_guarded(&pool(true), "/openai/v1/files"));
    assert!(!is_guarded(&pool(false), "/openai/v1/files/file-1"));
}
