//! Makes a backend of what is written about it.

use std::{collections::BTreeMap, sync::Arc};

use lb_core::{Backend, BackendBuilder, BackendProblem, BuildError, CredentialSource, RotatingCredential};

use crate::{
    error::ConfigError,
    node::{Node, Value},
    place::{Path, Place},
    secrets::{self, Environment, Kind, Secret, SecretFiles},
    settings::{BackendSettings, CREDENTIALS},
};

/// What else a configuration has for its backends.
pub(crate) struct Surroundings<'a> {
    pub(crate) root: &'a Node,
    pub(crate) environment: &'a Environment,
    pub(crate) files: &'a SecretFiles,
    pub(crate) sources: &'a BTreeMap<String, Arc<dyn CredentialSource>>,
}

/// A backend twice: as requests use it, and with the secret of now, by which a pool sees that two are the same.
pub(crate) struct Made {
    pub(crate) backend: Backend,
    pub(crate) as_of_now: Backend,
}

/// What it is authenticated with.
enum Auth {
    Unsaid,
    Caller,
    Fixed(Secret),
    File(Secret, RotatingCredential),
    Source(Arc<dyn CredentialSource>),
}

impl Surroundings<'_> {
    /// An error about the value at the end of `path`.
    pub(crate) fn error(&self, path: &Path, message: impl std::fmt::Display) -> ConfigError {
        ConfigError::new(self.root.place_of(path), path, message)
    }

    /// An error about a value that is missing at the end of `path`.
    pub(crate) fn missing(&self, path: &Path, message: impl std::fmt::Display) -> ConfigError {
        ConfigError::missing(self.root.place_of(path), path, message)
    }

    /// What to do besides, where a variable made a backend of its own: its name may be that of no other by mistake.
    fn others(&self, path: &Path) -> String {
        let list = Path(path.0[..path.0.len() - 1].to_vec());
        let Some(Node { value: Value::List(backends), .. }) = self.root.find(&list) else { return String::new() };
        if !matches!(self.root.place_of(path), Place::Variable { .. }) {
            return String::new();
        }
        let others = backends.iter().filter(|backend| backend.get("endpoint").is_some());
        let names: Vec<_> = others.filter_map(|backend| backend.get("name").and_then(Node::text)).collect();
        if names.is_empty() { String::new() } else { format!("; or name one of these: {}", names.join(", ")) }
    }

    /// The backend that is written at the end of `path`.
    pub(crate) fn backend(&self, settings: &BackendSettings, path: &Path) -> Result<Made, ConfigError> {
        let Some(endpoint) = &settings.endpoint else {
            let message = "it is missing; write the resource's address, such as \"https://name.openai.azure.com\"";
            return Err(self.missing(&path.to("endpoint"), format_args!("{message}{}", self.others(path))));
        };
        let auth = self.auth(settings, path)?;
        let build = |is_now: bool| {
            let mut builder = Backend::builder(endpoint.as_str());
            if let Some(name) = &settings.name {
                builder = builder.name(name);
            }
            if let Some(priority) = settings.priority {
                builder = builder.priority(priority);
            }
            if let Some(weight) = settings.weight {
                builder = builder.weight(weight);
            }
            if let Some(deployment) = &settings.deployment {
                builder = builder.deployment(deployment);
            }
            builder = self.with_models(builder, settings, path)?;
            builder = settings.caller_credential_headers.iter().fold(builder, BackendBuilder::caller_credential_header);
            let parameters = settings.caller_credential_parameters.iter();
            builder = parameters.fold(builder, BackendBuilder::caller_credential_parameter);
            builder = match &auth {
                Auth::Unsaid => builder,
                Auth::Caller => builder.forward_caller_credential(),
                Auth::Fixed(secret) => secret.put_into(builder),
                Auth::File(now, _) if is_now => now.put_into(builder),
                Auth::File(_, source) => builder.credential_source(source.clone()),
                Auth::Source(source) => builder.credential_source(Arc::clone(source)),
            };
            builder.build().map_err(|error| self.explain(&error, path))
        };
        Ok(Made { backend: build(false)?, as_of_now: build(true)? })
    }

    #[cfg(feature = "json")]
    fn with_models(
        &self,
        mut builder: BackendBuilder,
        settings: &BackendSettings,
        _: &Path,
    ) -> Result<BackendBuilder, ConfigError> {
        if let Some(model) = &settings.model {
            builder = builder.model(model);
        }
        Ok(settings.models.iter().fold(builder, |builder, (callers, own)| builder.model_for(callers, own)))
    }

    #[cfg(not(feature = "json"))]
    fn with_models(
        &self,
        builder: BackendBuilder,
        settings: &BackendSettings,
        path: &Path,
    ) -> Result<BackendBuilder, ConfigError> {
        let said = if settings.model.is_some() { Some("model") } else { None };
        match said.or((!settings.models.is_empty()).then_some("models")) {
            None => Ok(builder),
            Some(key) => {
                let message = "this program does not put models into bodies; compile it with the feature `json` of lb-config and of \
                               the adapter";
                Err(self.error(&path.to(key), message))
            }
        }
    }

    fn auth(&self, settings: &BackendSettings, path: &Path) -> Result<Auth, ConfigError> {
        let said = [
            settings.api_key_env.is_some(),
            settings.api_key_file.is_some(),
            settings.bearer_token_env.is_some(),
            settings.bearer_token_file.is_some(),
            settings.credential_source.is_some(),
            settings.forward_caller_credential,
        ];
        let mut said = CREDENTIALS.iter().zip(said).filter(|(_, said)| *said).map(|(name, _)| *name);
        let Some(first) = said.next() else { return Ok(Auth::Unsaid) };
        if let Some(second) = said.next() {
            return Err(self.error(&path.to(second), format_args!("it stands beside {first}; keep one of them")));
        }
        let path = &path.to(first);
        let place = self.root.place_of(path);
        let variable =
            |kind, name: &str| secrets::in_variable(kind, name, self.environment, place, path).map(Auth::Fixed);
        let file =
            |kind, name: &str| self.files.read(kind, name, place, path).map(|(now, source)| Auth::File(now, source));
        match settings {
            BackendSettings { api_key_env: Some(name), .. } => variable(Kind::ApiKey, name),
            BackendSettings { bearer_token_env: Some(name), .. } => variable(Kind::BearerToken, name),
            BackendSettings { api_key_file: Some(name), .. } => file(Kind::ApiKey, name),
            BackendSettings { bearer_token_file: Some(name), .. } => file(Kind::BearerToken, name),
            BackendSettings { credential_source: Some(name), .. } => match self.sources.get(name) {
                Some(source) => Ok(Auth::Source(Arc::clone(source))),
                None => {
                    let known: Vec<_> = self.sources.keys().map(String::as_str).collect();
                    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                    Err(self.error(path, format_args!("this program has no source with that name; it has {known}")))
                }
            },
            _ => Ok(Auth::Caller),
        }
    }

    /// What the core says about a backend, at the key that it is about.
    fn explain(&self, error: &BuildError, path: &Path) -> ConfigError {
        use BackendProblem as P;

        let BuildError::Backend { problem, .. } = error else { return self.error(path, error) };
        // Its sentences are for those who call it: two of them name what to call.
        let message = match problem {
            P::UserInfo => "the endpoint has a user name or password; leave them out and write api_key_env".to_owned(),
            P::CallerHeader => "one of them is no name of a header; write it without its value".to_owned(),
            P::CallerParameter => {
                "one of them is no name of a query parameter; write it without = and its value".to_owned()
            }
            P::Priority | P::Weight => format!("{problem}; correct it"),
            P::Deployment => format!("{problem}; write the name that the portal shows"),
            P::Name | P::Model | P::CallersModel => format!("{problem}; write another, or leave it out"),
            other => other.to_string(),
        };
        let key = match problem {
            P::Priority => "priority",
            P::Weight => "weight",
            P::Name => "name",
            P::Deployment => "deployment",
            P::CallersModel => "models",
            // One sentence for both: it is about the one that is no name.
            P::Model if self.root.find(&path.to("model")).and_then(Node::text).is_some_and(is_no_name) => "model",
            P::Model => "models",
            P::CallerHeader => "caller_credential_headers",
            P::CallerParameter => "caller_credential_parameters",
            _ => "endpoint",
        };
        self.error(&path.to(key), message)
    }
}

fn is_no_name(name: &str) -> bool {
    name.trim().is_empty() || name.contains(char::is_control)
}
