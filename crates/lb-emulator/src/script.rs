use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use crate::reply::Reply;

/// What is to be answered instead of serving.
#[derive(Debug)]
pub(crate) struct Script(Mutex<Queue>);

#[derive(Debug)]
struct Queue {
    once: VecDeque<Reply>,
    always: Option<Reply>,
    every: Option<(u64, Reply)>,
    requests: u64,
}

impl Script {
    /// `every`: a reply for each n-th request.
    pub(crate) fn new(every: Option<(u64, Reply)>) -> Self {
        Self(Mutex::new(Queue { once: VecDeque::new(), always: None, every, requests: 0 }))
    }

    pub(crate) fn push(&self, reply: Reply) {
        self.with(|queue| queue.once.push_back(reply));
    }

    pub(crate) fn always(&self, reply: Reply) {
        self.with(|queue| queue.always = Some(reply));
    }

    pub(crate) fn clear(&self) {
        self.with(|queue| {
            queue.once.clear();
            queue.always = None;
        });
    }

    /// The reply for the request whose head is here now.
    pub(crate) fn next(&self) -> Reply {
        self.with(|queue| {
            queue.requests += 1;
            if let Some(reply) = queue.once.pop_front() {
                return reply;
            }
            if let Some(reply) = &queue.always {
                return reply.clone();
            }
            match &queue.every {
                // A period of 0 is no period.
                Some((period, reply)) if queue.requests.checked_rem(*period) == Some(0) => reply.clone(),
                _ => Reply::serve(),
            }
        })
    }

    fn with<T>(&self, run: impl FnOnce(&mut Queue) -> T) -> T {
        run(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
