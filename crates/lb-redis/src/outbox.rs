//! News that are to be published: the last of each backend, until the task takes them.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lb_core::{Instant, Pool};
use tokio::sync::Notify;

use crate::message::{Cooling, LONGEST_NAME, News, SHORTEST};

/// What the observer leaves and the task takes. It holds at most one cooldown and one drain per backend, however long Redis is
/// away: what lasts longest, and the last word.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    entries: Mutex<HashMap<String, Entry>>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Entry {
    /// The cooldown to tell of: until when on the pool's clock, and the status that the backend gave.
    cooling: Option<(Instant, u16)>,
    /// What was last said or heard of a drain.
    drained: Option<bool>,
    /// Whether that is to be told.
    tells_drain: bool,
}

impl Outbox {
    /// A backend said that it is out until then.
    pub(crate) fn cooling(&self, backend: &str, until: Instant, status: u16) {
        self.note(backend, |entry| {
            entry.cooling = entry.cooling.max(Some((until, status)));
            true
        });
    }

    /// A backend of the pool was drained, or reopened: to be told, unless it is what another process said.
    pub(crate) fn drained(&self, backend: &str, drained: bool) {
        self.note(backend, |entry| {
            let is_new = entry.drained != Some(drained);
            entry.drained = Some(drained);
            entry.tells_drain |= is_new;
            is_new
        });
    }

    /// Another process says so: what the pool tells when it follows is no news. False if this process has a word of its own
    /// that it has not told yet: that one is later.
    pub(crate) fn agrees(&self, backend: &str, drained: bool) -> bool {
        let mut agrees = false;
        self.note(backend, |entry| {
            agrees = !entry.tells_drain;
            if agrees {
                entry.drained = Some(drained);
            }
            false
        });
        agrees
    }

    fn note(&self, backend: &str, change: impl FnOnce(&mut Entry) -> bool) {
        if backend.len() > LONGEST_NAME {
            return;
        }
        let mut entries = self.lock();
        let is_news = match entries.get_mut(backend) {
            // Known ones cost no allocation.
            Some(entry) => change(entry),
            None => change(entries.entry(backend.to_owned()).or_default()),
        };
        drop(entries);
        if is_news {
            self.changed.notify_one();
        }
    }

    /// When there may be news.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// All news, with what is left of the cooldowns.
    pub(crate) fn take(&self, pool: &Pool) -> Vec<(String, News)> {
        let now = pool.now();
        let mut entries = self.lock();
        // Backends that are gone from the pool concern nobody, and would pile up.
        entries.retain(|name, _| pool.backends().iter().any(|backend| backend.name() == name));
        let mut news = Vec::new();
        for (backend, entry) in entries.iter_mut() {
            if let Some((until, status)) = entry.cooling.take() {
                let left = until.saturating_since(now);
                if left >= SHORTEST {
                    news.push((backend.clone(), News::Cooling(Cooling { ms: millis(left), status })));
                }
            }
            if std::mem::take(&mut entry.tells_drain) {
                news.extend(entry.drained.map(|drained| (backend.clone(), News::Drained(drained))));
            }
        }
        news
    }

    /// What was taken and could not be told: it is news again, unless there is something newer.
    pub(crate) fn put_back(&self, news: Vec<(String, News)>, now: Instant) {
        for (backend, news) in news {
            match news {
                News::Cooling(Cooling { ms, status }) => {
                    self.cooling(&backend, now.saturating_add(Duration::from_millis(ms)), status);
                }
                News::Drained(drained) => self.note(&backend, |entry| {
                    entry.tells_drain = true;
                    entry.drained.get_or_insert(drained);
                    true
                }),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
