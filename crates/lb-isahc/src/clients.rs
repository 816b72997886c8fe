//! The client that requests go over: one that holds too many abandoned transfers makes way for a new one.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use isahc::HttpClient;

use crate::transfer::Abandoned;

type Make = dyn Fn() -> Result<HttpClient, isahc::Error> + Send + Sync;

/// Lends the client of the day.
///
/// Nothing but the end of a client ends a transfer that its caller left and its backend stalls. A client that has been
/// replaced ends with the last of its requests and answers that are in use.
pub(crate) struct Clients {
    make: Option<Box<Make>>,
    current: Mutex<Client>,
}

/// A client, and what was abandoned over it. Clones share both.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) http: HttpClient,
    pub(crate) abandoned: Arc<Abandoned>,
}

impl Clients {
    /// Always this one.
    pub(crate) fn fixed(http: HttpClient) -> Self {
        Self { make: None, current: Mutex::new(Client::new(http)) }
    }

    /// Those that `make` makes, one after the other.
    pub(crate) fn made_by(
        make: impl Fn() -> Result<HttpClient, isahc::Error> + Send + Sync + 'static,
    ) -> Result<Self, isahc::Error> {
        let current = Mutex::new(Client::new(make()?));
        Ok(Self { make: Some(Box::new(make)), current })
    }

    /// The client for one request.
    pub(crate) fn lend(&self) -> Client {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let mut replaced = None;
        if let (true, Some(make)) = (current.abandoned.is_full(), &self.make) {
            // A system that has no thread to give goes on with the old one.
            if let Ok(http) = make() {
                replaced = Some(mem::replace(&mut *current, Client::new(http)));
            }
        }
        let client = current.clone();
        drop(current);
        // Outside of the lock: it may be the end of a thread.
        drop(replaced);
        client
    }
}

impl Client {
    fn new(http: HttpClient) -> Self {
        Self { http, abandoned: Arc::default() }
    }
}
