//! What a configuration may say, as plain data.

use std::collections::BTreeMap;

use lb_core::PoolOptions;
use serde::{Deserialize, Deserializer, de::Error};

/// All keys of a backend that say what it is authenticated with.
pub(crate) const CREDENTIALS: [&str; 6] = [
    "api_key_env",
    "api_key_file",
    "bearer_token_env",
    "bearer_token_file",
    "credential_source",
    "forward_caller_credential",
];

/// A whole configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Read from the tree again, where those of a pool are put over them.
    #[serde(rename = "options")]
    _options: Option<PoolOptions>,
    pub(crate) backends: Option<Vec<BackendSettings>>,
    pub(crate) pools: Option<BTreeMap<String, PoolSettings>>,
}

/// One of several pools.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PoolSettings {
    pub(crate) models: Option<Vec<String>>,
    #[serde(rename = "options")]
    _options: Option<PoolOptions>,
    pub(crate) backends: Option<Vec<BackendSettings>>,
}

/// One backend.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackendSettings {
    pub(crate) endpoint: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) priority: Option<u32>,
    pub(crate) weight: Option<u32>,
    pub(crate) deployment: Option<String>,
    pub(crate) model: Option<String>,
    #[serde(default)]
    pub(crate) models: BTreeMap<String, String>,
    pub(crate) api_key_env: Option<String>,
    pub(crate) api_key_file: Option<String>,
    pub(crate) bearer_token_env: Option<String>,
    pub(crate) bearer_token_file: Option<String>,
    pub(crate) credential_source: Option<String>,
    #[serde(default)]
    pub(crate) forward_caller_credential: bool,
    #[serde(default)]
    pub(crate) caller_credential_headers: Vec<String>,
    #[serde(default)]
    pub(crate) caller_credential_parameters: Vec<String>,
    #[serde(rename = "api_key", alias = "key", default, deserialize_with = "no_key")]
    _api_key: (),
    #[serde(rename = "bearer_token", alias = "token", default, deserialize_with = "no_token")]
    _bearer_token: (),
}

fn no_key<'de, D: Deserializer<'de>>(_: D) -> Result<(), D::Error> {
    Err(D::Error::custom(
        "a key does not belong into this file; put it into an environment variable and write api_key_env = \"ITS_NAME\", or \
         into a file of its own and write api_key_file = \"its/path\"",
    ))
}

fn no_token<'de, D: Deserializer<'de>>(_: D) -> Result<(), D::Error> {
    Err(D::Error::custom(
        "a token does not belong into this file; put it into an environment variable and write bearer_token_env = \
         \"ITS_NAME\", or into a file of its own and write bearer_token_file = \"its/path\"",
    ))
}
