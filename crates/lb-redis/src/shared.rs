//! What the ends of the sharing have in common, and how it is laid out in Redis.

use std::sync::Arc;

use redis::Pipeline;

use crate::{
    message::{Cooling, Message, News},
    outbox::Outbox,
    server::Server,
    status::Counts,
};

/// What the two ends have in common.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) server: Server,
    /// The name of the pool.
    pub(crate) name: String,
    /// A number by which this process knows its own messages.
    pub(crate) process: u64,
    pub(crate) shares_drains: bool,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) counts: Arc<Counts>,
}

impl Shared {
    /// The braces are a hash tag: all that belongs to a pool is in one slot, wherever somebody moves it.
    pub(crate) fn channel(&self) -> String {
        format!("lb:{{{}}}", self.name)
    }

    pub(crate) fn cooling_key(&self, backend: &str) -> String {
        format!("lb:{{{}}}:cooling:{backend}", self.name)
    }

    pub(crate) fn drains_key(&self) -> String {
        format!("lb:{{{}}}:drained", self.name)
    }

    /// The commands that tell something: to those who listen, and to those who come later.
    pub(crate) fn tell(&self, commands: &mut Pipeline, backend: &str, news: News) {
        match news {
            // The key is there until the last of its cooldowns ends, whoever wrote it first.
            News::Cooling(Cooling { ms, status }) => {
                let key = self.cooling_key(backend);
                commands.cmd("SET").arg(&key).arg(status).arg("NX").arg("PX").arg(ms).ignore();
                commands.cmd("PEXPIRE").arg(&key).arg(ms).arg("GT").ignore();
            }
            News::Drained(drained) => {
                commands.cmd("HSET").arg(self.drains_key()).arg(backend).arg(u8::from(drained)).ignore();
            }
        }
        commands.cmd("PUBLISH").arg(self.channel()).arg(Message::new(self.process, backend, news).encode()).ignore();
    }
}
