use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use lb_limits::{Chain, Counter, Demand, Limit, NEVER_NS, Unit, Usage};

/// A [`Chain`] of limits in wall time, shared by every clone of this value.
///
/// Several emulators that are given the same quota draw on it together, as deployments do that share the quota of a
/// subscription and region. Nanosecond 0 of the chain is the moment of [`Quota::new`].
///
/// ```
/// use lb_emulator::{Emulator, Quota};
/// use lb_limits::azure_standard;
///
/// let quota = Quota::new(azure_standard(10_000, 60, 0));
/// let first = Emulator::builder().quota(&quota).start()?;
/// let second = Emulator::builder().quota(&quota).start()?;
/// # Ok::<(), lb_emulator::StartError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Quota(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    epoch: Instant,
    chain: Mutex<Chain>,
}

/// The chain's verdict on one request, with what the headers tell.
#[derive(Debug)]
pub(crate) struct Decision {
    pub(crate) refused: Option<Refused>,
    pub(crate) limits: Vec<View>,
}

#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) unit: Unit,
    pub(crate) wait: Duration,
}

/// One limit, as it stands after the verdict.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) unit: Unit,
    pub(crate) counter: Counter,
    /// Thousandths of a PTU bucket's depth; `None` for windows.
    pub(crate) utilisation: Option<u64>,
}

impl Quota {
    /// A quota of these limits, starting now.
    pub fn new(chain: Chain) -> Self {
        Self(Arc::new(Inner { epoch: Instant::now(), chain: Mutex::new(chain) }))
    }

    /// A copy of the limits as they stand, and the time they stand at, in nanoseconds.
    pub fn snapshot(&self) -> (Chain, u64) {
        self.with(|chain, now| (chain.clone(), now))
    }

    pub(crate) fn decide(&self, demand: &Demand) -> Decision {
        self.with(|chain, now| {
            let refusal = chain.admit(now, demand).err();
            let limits = chain.limits();
            let refused = refusal.map(|refusal| Refused {
                unit: limits.get(refusal.limit()).map_or(Unit::Requests, Limit::unit),
                wait: Duration::from_nanos(refusal.hint_ns().unwrap_or(NEVER_NS)),
            });
            let view = |limit: &Limit| View {
                unit: limit.unit(),
                counter: Counter::of(limit, now),
                utilisation: limit.ptu().map(|_| limit.used_per_mille(now)),
            };
            Decision { refused, limits: limits.iter().map(view).collect() }
        })
    }

    fn with<T>(&self, run: impl FnOnce(&mut Chain, u64) -> T) -> T {
        let mut chain = self.0.chain.lock().unwrap_or_else(PoisonError::into_inner);
        // Read under the lock, so that the chain's time never goes back.
        let now = u64::try_from(self.0.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX);
        run(&mut chain, now)
    }
}

/// An admitted request whose estimate is corrected when it ends, however it ends: the service finishes, and charges
/// for, what a caller abandoned.
#[derive(Debug)]
pub(crate) struct Settlement {
    pub(crate) quota: Quota,
    pub(crate) demand: Demand,
    pub(crate) usage: Usage,
}

impl Drop for Settlement {
    fn drop(&mut self) {
        self.quota.with(|chain, now| chain.correct(now, &self.demand, &self.usage));
    }
}
