use std::collections::BTreeMap;

use crate::{
    chain::{Chain, Refusal},
    demand::{Demand, Usage},
};

/// Quotas by name, so that several deployments draw on one.
///
/// Azure OpenAI grants quota per subscription, region, model and deployment type, and all deployments of that
/// combination share it. Names are looked up once, for a [`QuotaId`]; admitting by id is an index into a vector.
///
/// ```
/// use lb_limits::{Demand, Quotas, azure_standard};
///
/// let mut quotas = Quotas::default();
/// let first = quotas.add("eastus/gpt-4o", azure_standard(1_000, 60, 0));
/// let second = quotas.id("eastus/gpt-4o").ok_or("no such quota")?; // another deployment
///
/// assert!(quotas.admit(first, 0, &Demand::tokens(700)).is_ok());
/// assert!(quotas.admit(second, 0, &Demand::tokens(700)).is_err());
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Quotas {
    names: BTreeMap<String, QuotaId>,
    chains: Vec<Chain>,
}

/// A quota of the [`Quotas`] that gave this id. In another registry it means another quota or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QuotaId(usize);

impl Quotas {
    /// Adds a quota. A name that exists already gets the new chain and keeps its id.
    pub fn add(&mut self, name: impl Into<String>, chain: Chain) -> QuotaId {
        let next = QuotaId(self.chains.len());
        let id = *self.names.entry(name.into()).or_insert(next);
        match self.chains.get_mut(id.0) {
            Some(existing) => *existing = chain,
            None => self.chains.push(chain),
        }
        id
    }

    /// The id of the quota with this name.
    pub fn id(&self, name: &str) -> Option<QuotaId> {
        self.names.get(name).copied()
    }

    /// The quota's chain; `None` if the id is of another registry.
    pub fn chain(&self, id: QuotaId) -> Option<&Chain> {
        self.chains.get(id.0)
    }

    /// Admits the demand against this quota at `now`, or refuses it; see [`Chain::admit`]. An id of another registry,
    /// if it names nothing here, admits.
    ///
    /// # Errors
    ///
    /// The [`Refusal`], if a limit of the quota does not let the demand in.
    #[inline]
    pub fn admit(&mut self, id: QuotaId, now: u64, demand: &Demand) -> Result<(), Refusal> {
        match self.chains.get_mut(id.0) {
            Some(chain) => chain.admit(now, demand),
            None => Ok(()),
        }
    }

    /// Corrects an admitted demand at its completion; see [`Chain::correct`].
    #[inline]
    pub fn correct(&mut self, id: QuotaId, now: u64, demand: &Demand, usage: &Usage) {
        if let Some(chain) = self.chains.get_mut(id.0) {
            chain.correct(now, demand, usage);
        }
    }
}
