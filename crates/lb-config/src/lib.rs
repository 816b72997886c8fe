//! Pools and options from TOML, JSON and environment variables.
//!
//! A [`Config`] is read from a file, from text or from variables, and makes the [`PoolBuilder`](lb_core::PoolBuilder) of the
//! one pool, or one for each of several [`pools`](Config::pools) by model. Whatever is wrong with it is found then, and the
//! [`ConfigError`] says where it is written and what to do:
//!
//! ```text
//! balancer.toml:7: backends[1].endpont: there is no such name here; did you mean endpoint?
//! balancer.toml:4: backends[0].api_key_env: the environment variable PTU_KEY is not set; export it with the secret
//! environment variable LB_OPTIONS__MAX_COOLDWN: it means nothing; did you mean LB_OPTIONS__MAX_COOLDOWN?
//! ```
//!
//! ```
//! use lb_config::Config;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let text = r#"
//!     [options]
//!     max_cooldown = "2m"
//!
//!     [[backends]]
//!     endpoint = "https://ptu.openai.azure.com"
//!     name = "ptu"
//!     api_key_env = "PTU_KEY"
//!
//!     [[backends]]
//!     endpoint = "https://eu.openai.azure.com"
//!     priority = 2
//!     api_key_env = "EU_KEY"
//! "#;
//! // In a program: Config::from_file("balancer.toml")?.with_env("LB")?
//! let variables = [("PTU_KEY", "an example"), ("EU_KEY", "another"), ("LB_BACKENDS__PTU__WEIGHT", "3")];
//! let config = Config::from_toml("balancer.toml", text)?.with_vars("LB", variables)?;
//! // A builder, to which observers and a clock can be added.
//! let pool = config.pool()?.build()?;
//! assert_eq!(pool.backends()[0].weight(), 3);
//! # Ok(())
//! # }
//! ```
//!
//! # What a file says
//!
//! `examples/balancer.toml` beside this crate has every key with a comment. JSON has the same names.
//!
//! | key | is |
//! | --- | --- |
//! | `[options]` | [`PoolOptions`](lb_core::PoolOptions), by the names of its fields; spans of time are text, `"250ms"` or `"1h 30m"` |
//! | `[[backends]]` | the backends of the one pool; see below |
//! | `[pools.NAME]` | in place of them, one of several pools |
//! | `models` | of a pool: the names that callers write, which [`ConfiguredPool::models`] hands on |
//! | `[pools.NAME.options]` | options of this pool, which go before those for all, key by key |
//! | `[[pools.NAME.backends]]` | its backends |
//!
//! | key of a backend | is |
//! | --- | --- |
//! | `endpoint` | host, `host:port` or URL with path prefix, as in [`Backend`](lb_core::Backend); the only one that is needed |
//! | `name` | for logs, metrics and variables; by default the endpoint without its scheme |
//! | `priority`, `weight` | from 1, lower is preferred; from 1 to 100. By default 1 |
//! | `deployment` | its name for the deployment in paths |
//! | `model`, `models` | its names for models in bodies: one for all, or `{ "callers" = "its own" }`. They take the feature `json` here and of the adapter |
//! | `api_key_env`, `bearer_token_env` | the name of the environment variable, in capitals, that has the key or token |
//! | `api_key_file`, `bearer_token_file` | the file that has it; line ends at its end are cut |
//! | `credential_source` | the name of a source that the program has: [`Config::with_source`] |
//! | `forward_caller_credential` | `true`: the caller's credential goes there |
//! | `caller_credential_headers`, `caller_credential_parameters` | lists of where else callers send credentials |
//!
//! At most one of the credential's keys is given. A key that is written into the file itself is refused.
//!
//! # What variables say
//!
//! Every key has a variable: the prefix that the program chose (`LB` here) and `_`, and then the levels in capitals with two
//! underscores between. Backends and pools go by their names, with one underscore for whatever is no letter or digit; a name
//! that the file does not have makes a new one. Variables go before the file, key by key.
//!
//! | variable | is |
//! | --- | --- |
//! | `LB_OPTIONS__MAX_COOLDOWN=2m` | `max_cooldown` of `[options]` |
//! | `LB_OPTIONS__WAIT__LONGEST=20s` | `longest` of the option `wait` |
//! | `LB_OPTIONS__ON_STATUS__404=fail-over` | one status of `on_status` |
//! | `LB_BACKENDS__PTU_EAST__ENDPOINT=https://..` | the endpoint of the backend `ptu-east`, or of a new one, `ptu_east` |
//! | `LB_BACKENDS__PTU__API_KEY_ENV=PTU_KEY` | the variable that has the key of `ptu`, in place of any source that the file gives |
//! | `LB_BACKENDS__PTU__API_KEY=..`, `..__BEARER_TOKEN=..` | the key or the token itself |
//! | `LB_BACKENDS__EU__MODELS=gpt-4.1=gpt-4.1-eu,mini=mini-eu` | tables: pairs, with commas between |
//! | `LB_BACKENDS__EU__CALLER_CREDENTIAL_HEADERS=x-team,x-key` | lists: with commas between |
//! | `LB_POOLS__CHAT__MODELS=gpt-4.1,gpt-4.1-mini` | the models of the pool `chat` |
//! | `LB_POOLS__CHAT__BACKENDS__PTU__ENDPOINT=https://..` | a backend of it |
//! | `LB_POOLS__CHAT__OPTIONS__STRIKES=1` | an option of it |
//!
//! A variable that begins with the prefix and means nothing is an error, unless an `.._env` key names it. So is an empty one.
//!
//! # Keys that change
//!
//! Where keys are files, such as a secret that Kubernetes mounts, [`Config::reload_keys`] reads them again, and every attempt
//! that begins afterwards carries the new one: no pool and no client is made anew. What a variable says does not change while
//! a process runs. For anything else there is [`Config::with_source`] with a
//! [`RotatingCredential`](lb_core::RotatingCredential) of the program's.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = lb_config::Config::from_file("balancer.toml")?;
//! let pool = config.pool()?.build()?;
//! std::thread::spawn(move || {
//!     loop {
//!         std::thread::sleep(std::time::Duration::from_secs(60));
//!         if let Err(error) = config.reload_keys() {
//!             eprintln!("{error}"); // the backend keeps the key that it had
//!         }
//!     }
//! });
//! # Ok(())
//! # }
//! ```
//!
//! # Several pools
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let text = r#"
//!     [pools.chat]
//!     models = ["gpt-4.1", "gpt-4.1-mini"]
//!     [[pools.chat.backends]]
//!     endpoint = "ptu.openai.azure.com"
//!
//!     [pools.embeddings]
//!     models = ["text-embedding-3-large"]
//!     [[pools.embeddings.backends]]
//!     endpoint = "eu.openai.azure.com"
//! "#;
//! let mut by_model = lb_core::Pools::by_model();
//! for pool in lb_config::Config::from_toml("balancer.toml", text)?.pools()? {
//!     by_model = by_model.pool(pool.models, pool.builder.build()?);
//! }
//! let pools = by_model.build()?; // what one balancer, or one client of an SDK, is made of
//! assert_eq!(pools.pool_for(Some("gpt-4.1-mini"))?.backends()[0].name(), "ptu.openai.azure.com");
//! # Ok(())
//! # }
//! ```
//!
//! # A file that changes
//!
//! To watch a file is the program's business. What it says now goes in the place of what it said before: requests go on, and
//! what is known stays with the backends that stay.
//!
//! ```no_run
//! use lb_config::Config;
//! use lb_core::ReplaceablePool;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = ReplaceablePool::from(Config::from_file("balancer.toml")?.pool()?.build()?);
//! // Whenever the program is told to, such as by a signal; with an error nothing changes.
//! let replaced = pool.replace(Config::from_file("balancer.toml")?.pool()?)?;
//! println!("{replaced}");
//! # Ok(())
//! # }
//! ```
//!
//! # A program's own part
//!
//! [`Config::take`] reads a table of the program's own from the same file, with errors of the same kind. Without it, an
//! unknown table is an error.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod config;

mod backend;
mod pool;
mod secrets;
mod settings;

mod json_text;
mod toml_text;
mod variables;

mod deserializer;
mod fault;
mod node;
mod place;
mod suggestion;

mod error;

pub use config::Config;
pub use error::ConfigError;
pub use pool::ConfiguredPool;

/// The example of README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
