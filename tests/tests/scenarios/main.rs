//! What one balancer does, told step by step on a mock clock: async and blocking alike.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

mod affinity;
mod by_hand;
mod by_model;
mod credentials;
mod discards;
mod dispatch;
mod endings;
mod exhaustion;
mod faults;
mod hints;
mod large;
mod models;
mod panics;
mod reads;
mod reasons;
mod replaced;
mod seed;
mod stragglers;
mod suspects;
mod trails;
mod waiting;
mod wire;
mod wishes;
