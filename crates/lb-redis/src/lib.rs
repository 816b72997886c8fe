//! Cooldowns shared between processes, over Redis.
//!
//! Each process learns of a backend's 429 by a request of its own. With many of them on the same deployments that is many
//! refusals for one piece of news. [`SharedCooldowns`] tells the others: an observer of the pool publishes each cooldown, and a
//! task applies those of others. The request's path never waits for it, and never notices that Redis is away.
//!
//! **You may not need it.** How much it saves, by the number of processes, is in `docs/policies.md`, from the simulator.
//!
//! ```no_run
//! use lb_core::{Backend, Pool};
//! use lb_redis::{Server, SharedCooldowns};
//! use std::sync::Arc;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let shared = SharedCooldowns::new(Server::from_url("redis://cache.example:6379")?, "chat")?;
//! let pool = Pool::builder()
//!     .backend(Backend::builder("ptu.openai.azure.com").name("ptu").build()?)
//!     .observer(shared.observer())
//!     .build()?;
//! let pool = Arc::new(pool);
//! tokio::spawn(shared.run(Arc::clone(&pool)));
//! // `pool` goes into a balancer, as without it.
//! # Ok(())
//! # }
//! ```
//!
//! # What is shared
//!
//! - **Cooldowns**, for as long as they last from now: no clock is compared with another. Of two the one that ends later holds,
//!   so that messages which are lost, come twice or in another order do no harm. A cooldown also stands in Redis as a key that
//!   expires with it, for processes that join, or come back: they read the keys of their backends once.
//! - Not what lasts less than [half a second](SHORTEST): it is over before it has helped anybody. No strike and no suspicion: a
//!   prompt that one process cannot get through must not take the backend from the others. Not what an operator
//!   [cools by hand](lb_core::Pool::cool).
//! - **Drains**, if you [say so](SharedCooldowns::with_drains): the last word holds, and stays in Redis.
//!
//! What arrives is capped by the `max_cooldown` of the pool that receives it, and never published again. Two processes mean
//! the same backend if the name of the pool and the name of the backend are the same: give names of your own, and the same ones
//! to the same deployments.
//!
//! # Who may write there
//!
//! Whoever can publish to the channel can take backends out of your pools, each for `max_cooldown` at a time and again and
//! again, and drain them where drains are shared; nothing else. No credential, address or request is ever in Redis: only names
//! of pools and backends, times and statuses. Use a user of its own:
//!
//! ```text
//! ACL SETUSER lb on >password resetkeys ~lb:* resetchannels &lb:* -@all +hello +ping +subscribe +publish +set +get +pexpire +pttl +hset +hgetall
//! ```
//!
//! # Requirements
//!
//! Redis 7 or later, one server or a replicated one behind one address. A cluster is refused, by an error that says so. The
//! future runs under tokio. A program without it gives it a thread: a runtime of one thread that blocks on
//! [`run`](SharedCooldowns::run).
#![cfg_attr(docsrs, feature(doc_cfg))]

mod cooldowns;
mod link;
mod message;
mod outbox;
mod publisher;
mod server;
mod shared;
mod status;
mod unsupported;

pub use cooldowns::{InvalidName, SharedCooldowns};
pub use message::SHORTEST;
pub use publisher::Publisher;
pub use server::{InvalidServer, Server};
pub use status::Status;
pub use unsupported::Unsupported;

/// The example of README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
