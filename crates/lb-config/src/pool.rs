//! Makes pools of what is written about them.

use std::collections::HashMap;

use lb_core::{Backend, BuildError, Pool, PoolBuilder, PoolOptions};

use crate::{
    backend::{Made, Surroundings},
    deserializer,
    error::ConfigError,
    node::{Node, Table, Value},
    place::{Path, Place},
    settings::{BackendSettings, PoolSettings, Settings},
};

/// One of several pools: which models it serves, and what it is built of.
#[derive(Debug)]
#[non_exhaustive]
pub struct ConfiguredPool {
    /// The name in the configuration: `chat` of `[pools.chat]`.
    pub name: String,
    /// The names of the models as callers write them; at least one, and none is in another pool.
    pub models: Vec<String>,
    /// The pool, checked: [`build`](PoolBuilder::build) does not fail. Clock and observers can be added.
    pub builder: PoolBuilder,
}

/// The one pool for all requests.
pub(crate) fn one(settings: &Settings, around: &Surroundings<'_>) -> Result<PoolBuilder, ConfigError> {
    check_kind(settings, around)?;
    let whole = Path::default();
    if settings.pools.is_some() {
        let message = "there are pools by model here; this program has one pool: write [[backends]]";
        return Err(around.error(&whole.to("pools"), message));
    }
    pool(settings.backends.as_deref(), &whole, around)
}

/// The pools by model.
pub(crate) fn several(settings: &Settings, around: &Surroundings<'_>) -> Result<Vec<ConfiguredPool>, ConfigError> {
    check_kind(settings, around)?;
    let path = Path::default().to("pools");
    let Some(pools) = &settings.pools else {
        let message = "there is one pool for all models here; this program has pools by model: write [pools.NAME] with models, \
                       and [[pools.NAME.backends]]";
        return Err(around.error(&Path::default().to("backends"), message));
    };
    if pools.is_empty() {
        return Err(around.error(&path, "there is none; write [pools.NAME] with models, and [[pools.NAME.backends]]"));
    }
    // As they are written, and not by name.
    let written = around.root.get("pools").and_then(Node::table).into_iter().flatten();
    let mut models = HashMap::new();
    let pools = written.filter_map(|(name, _)| pools.get_key_value(name)).map(|(name, settings)| {
        let path = path.to(&**name);
        let names = check_models(settings, &path, around)?;
        for (index, model) in names.iter().enumerate() {
            if let Some(first) = models.insert(model.clone(), path.clone()) {
                let message = format!("{model:?} is among the models of {first} already; keep one of them");
                return Err(around.error(&path.to("models").to(index), message));
            }
        }
        let builder = pool(settings.backends.as_deref(), &path, around)?;
        Ok(ConfiguredPool { name: name.clone(), models: names, builder })
    });
    pools.collect()
}

/// Either one pool or several.
fn check_kind(settings: &Settings, around: &Surroundings<'_>) -> Result<(), ConfigError> {
    let whole = Path::default();
    match (&settings.backends, &settings.pools) {
        (Some(_), Some(_)) => {
            let message = "they stand beside [[backends]], which are one pool; move those into a pool of its own, or leave these out";
            Err(around.error(&whole.to("pools"), message))
        }
        (None, None) => {
            let message = match &around.root.place {
                Place::Line { .. } => {
                    "there is none; write [[backends]] with an endpoint, or [pools.NAME] with models and backends"
                        .to_owned()
                }
                Place::Variable { prefix, .. } | Place::Prefix(prefix) => {
                    format!(
                        "there is no backend; set {prefix}_BACKENDS__NAME__ENDPOINT, or {prefix}_POOLS__NAME__MODELS and so on"
                    )
                }
            };
            Err(around.missing(&whole.to("backends"), message))
        }
        _ => Ok(()),
    }
}

fn check_models(settings: &PoolSettings, path: &Path, around: &Surroundings<'_>) -> Result<Vec<String>, ConfigError> {
    let path = path.to("models");
    let models = settings.models.clone().unwrap_or_default();
    if models.is_empty() {
        let message = "there is none; write the names that callers write, such as models = [\"gpt-4.1\"]";
        return Err(around.missing(&path, message));
    }
    match models.iter().position(|model| model.trim().is_empty() || model.contains(char::is_control)) {
        Some(index) => {
            let message = "it is empty or has control characters; write the name that callers write";
            Err(around.error(&path.to(index), message))
        }
        None => Ok(models),
    }
}

/// The pool that is written at the end of `path`, which is the root or a pool.
fn pool(
    backends: Option<&[BackendSettings]>,
    path: &Path,
    around: &Surroundings<'_>,
) -> Result<PoolBuilder, ConfigError> {
    let options = options(path, around)?;
    let path = path.to("backends");
    let backends = backends.unwrap_or_default().iter().enumerate();
    let made: Vec<Made> =
        backends.map(|(index, one)| around.backend(one, &path.to(index))).collect::<Result<_, _>>()?;
    let builder = |backends: Vec<Backend>| Pool::builder().options(options.clone()).backends(backends);
    let (real, as_of_now) = made.into_iter().map(|made| (made.backend, made.as_of_now)).unzip();
    // The same checks as later; here their findings have a place.
    match builder(Vec::clone(&as_of_now)).build() {
        Ok(_) => Ok(builder(real)),
        Err(error) => Err(explain(&error, &as_of_now, &path, around)),
    }
}

/// The options at the end of `path`, over those for all pools.
fn options(path: &Path, around: &Surroundings<'_>) -> Result<PoolOptions, ConfigError> {
    let mut merged = Node::new(around.root.place.clone(), Value::Table(Table::new()));
    let own = path.to("options");
    for node in around.root.get("options").into_iter().chain(around.root.find(&own)) {
        merged.merge(node.clone());
    }
    deserializer::read(&merged, &own)
}

/// What the core says about a pool, where it is written.
fn explain(error: &BuildError, backends: &[Backend], path: &Path, around: &Surroundings<'_>) -> ConfigError {
    let last = |name: &str| {
        let index = backends.iter().rposition(|backend| backend.name() == name).unwrap_or_default();
        (index, path.to(index))
    };
    match error {
        BuildError::NoBackends => {
            let message =
                "there is none; write at least one with an endpoint, such as \"https://name.openai.azure.com\"";
            around.missing(path, message)
        }
        BuildError::DuplicateEndpoint { first, second } => {
            let (_, second) = last(second);
            let message = format!(
                "it has the same endpoint, deployment, models and credential as {first}; keep one of them and give it more \
                 weight, or give them different deployments, models or keys"
            );
            around.error(&second.to("endpoint"), message)
        }
        BuildError::DuplicateName { backend } => {
            let (index, twice) = last(backend);
            let first = backends.iter().position(|other| other.name() == backend).unwrap_or(index);
            let key = if around.root.find(&twice.to("name")).is_some() { "name" } else { "endpoint" };
            around.error(&twice.to(key), format_args!("{} has the same name; give each its own name", path.to(first)))
        }
        BuildError::MixedCredentials { backend } => {
            let (_, silent) = last(backend);
            let message = "it has no credential of its own while others have; write api_key_env or the like, or \
                           forward_caller_credential = true if the caller's key may go there";
            around.error(&silent, message)
        }
        BuildError::Option { option, problem } => explain_option(option, problem, path, around),
        other => around.error(path, other),
    }
}

/// What is wrong with an option: at the option, or at the one that it does not fit where it has its default.
fn explain_option(option: &str, problem: &str, backends: &Path, around: &Surroundings<'_>) -> ConfigError {
    let pool = Path(backends.0[..backends.0.len().saturating_sub(1)].to_vec());
    let tables = [pool.to("options"), Path::default().to("options")];
    let written = |name: &str| tables.iter().map(|table| table.to(name)).find(|path| around.root.find(path).is_some());
    if let Some(path) = written(option) {
        let is_common = path.0.len() < tables[0].0.len() + 1;
        let of = if is_common { format!("with the options of {pool}: ") } else { String::new() };
        return around.error(&path, format_args!("{of}{problem}"));
    }
    let mentioned = problem.split(|c: char| !c.is_ascii_lowercase() && c != '_');
    match mentioned.filter(|word| !word.is_empty()).find_map(written) {
        Some(path) => {
            around.error(&path, format_args!("it does not go with {option}, which has its default: {problem}"))
        }
        None => around.error(&tables[0].to(option), problem),
    }
}
