//! Pools by model.

use std::{collections::HashSet, error::Error as StdError, fmt, sync::Arc};

use super::{Kind, Pools};
use crate::{build_error::BuildError, causes::shown};

/// Builds [`Pools`] of which each serves some models, because quotas, and so cooldowns, are a deployment's: where one
/// client chats and embeds, a 429 of the embeddings must not take the chat's backends out.
///
/// A request's model is the deployment in its path (`/deployments/gpt-4.1/..`), else, with the feature `json`, the `model`
/// of its JSON body: as the caller writes it. It is compared exactly. Give each pool the backends that have the model, with
/// their own names for it: [`deployment`](crate::BackendBuilder::deployment), or `model` for Azure's `/openai/v1/`.
///
/// ```
/// use lb_core::{Backend, Pool, Pools};
///
/// # fn main() -> Result<(), lb_core::BuildError> {
/// let at = |host: &str, deployment: &str| Backend::builder(host).deployment(deployment).build();
/// let chat = Pool::new([at("ptu.openai.azure.com", "chat-ptu")?, at("eu.openai.azure.com", "chat")?])?;
/// let embeddings = Pool::new([at("eu.openai.azure.com", "embed")?])?;
/// let pools = Pools::by_model().pool(["gpt-4.1", "gpt-4o"], chat).pool(["embed-3"], embeddings).build()?;
///
/// assert_eq!(pools.pool_for(Some("embed-3")).unwrap().backends().len(), 1);
/// let error = pools.pool_for(Some("gpt-5")).unwrap_err();
/// assert!(error.to_string().contains("no pool serves the model gpt-5"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct PoolsByModel {
    pools: Vec<(Vec<Box<str>>, Pools)>,
    without_model: Option<Pools>,
}

#[derive(Debug)]
pub(super) struct ByModel {
    /// They are few: to look at the length of each costs less than any index of them.
    models: Box<[(Box<str>, usize)]>,
    pools: Box<[Pools]>,
    without_model: Option<Pools>,
}

impl PoolsByModel {
    /// Requests for these models are served by this pool: a [`Pool`](crate::Pool), an `Arc<Pool>`, or a
    /// [`ReplaceablePool`](crate::ReplaceablePool).
    pub fn pool<S: Into<Box<str>>>(mut self, models: impl IntoIterator<Item = S>, pool: impl Into<Pools>) -> Self {
        self.pools.push((models.into_iter().map(Into::into).collect(), pool.into()));
        self
    }

    /// Requests that name no model are served by this pool, such as those for files, and for the list of models. Default:
    /// they are an error.
    pub fn without_model(mut self, pool: impl Into<Pools>) -> Self {
        self.without_model = Some(pool.into());
        self
    }

    /// The pools.
    ///
    /// # Errors
    ///
    /// If there is no pool, one has no model or an empty one, two have the same, or one is by model itself.
    pub fn build(self) -> Result<Pools, BuildError> {
        let error = |problem| Err(BuildError::Option { option: "by_model", problem });
        if self.pools.is_empty() {
            return error("there is no pool; add one with pool(..)");
        }
        if self.pools.iter().any(|(models, _)| models.is_empty() || models.iter().any(|model| model.is_empty())) {
            return error("every pool must have models, and each a name, as callers write it");
        }
        if self.pools.iter().map(|(_, pool)| pool).chain(&self.without_model).any(Pools::are_by_model) {
            return error("a pool of it is by model itself; give all models to one");
        }
        let models = self.pools.iter().zip(0..);
        let models: Box<[(Box<str>, usize)]> =
            models.flat_map(|((models, _), number)| models.iter().map(move |model| (model.clone(), number))).collect();
        let mut names = HashSet::with_capacity(models.len());
        if !models.iter().all(|(model, _)| names.insert(&**model)) {
            return error("a model is named twice; each is served by one pool");
        }
        let pools = self.pools.into_iter().map(|(_, pool)| pool).collect();
        Ok(Pools(Kind::ByModel(Arc::new(ByModel { models, pools, without_model: self.without_model }))))
    }
}

impl ByModel {
    pub(super) fn first(&self) -> &Pools {
        // There is one, by construction.
        &self.pools[0]
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Pools> {
        self.pools.iter().chain(&self.without_model)
    }

    #[inline]
    pub(super) fn of(&self, model: Option<&str>) -> Result<&Pools, NoPool> {
        let found = match model {
            None => self.without_model.as_ref(),
            Some(model) => {
                let found = self.models.iter().find(|(name, _)| **name == *model);
                found.map(|(_, number)| &self.pools[*number])
            }
        };
        found.ok_or_else(|| self.no_pool(model))
    }

    #[cold]
    fn no_pool(&self, model: Option<&str>) -> NoPool {
        let mut names: Vec<_> = self.models.iter().map(|(name, _)| name.clone()).collect();
        names.sort_unstable();
        NoPool { model: model.map(|model| shown(model).into()), models: names.into() }
    }
}

/// That no pool serves a request's model: nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoPool {
    model: Option<Box<str>>,
    models: Box<[Box<str>]>,
}

impl NoPool {
    /// The model that the request names, if it names one; the beginning of one that is long.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }
}

impl fmt::Display for NoPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.model {
            Some(model) => write!(f, "no pool serves the model {model}")?,
            None => {
                f.write_str("the request names no model, neither in its path nor in a JSON body that can be read")?
            }
        }
        write!(f, "; there are pools for {}", self.models.join(", "))?;
        if self.model.is_none() {
            f.write_str(", and `without_model` names one for such requests")?;
        }
        Ok(())
    }
}

impl StdError for NoPool {}
