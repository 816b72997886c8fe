//! Sick backends and their neighbours: the real core in worlds of virtual time.
//!
//! A [`world`] is a pool, the [`behaviour`] of its backends as it changes, and [`call`]s: requests that overlap, each
//! with a timeout and perhaps an SDK above it that tries again. It is played over a queue of events against a
//! `Dispatch`, so that hours take milliseconds and a seed gives the same run on any machine. A [`run`] tells what became
//! of every call; a [`referee`] watches each step and knows the rules from the table of [`rules`], not from the core.
//!
//! The other files are the tests: one per kind of sickness, and random worlds of every kind at once.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

mod behaviour;
mod call;
mod draw;
mod queue;
mod random_world;
mod referee;
mod rules;
mod run;
mod world;

mod faulty;
mod hanging;
mod outage;
mod poison;
mod random;
mod recovery;
