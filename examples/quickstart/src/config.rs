//! The configuration file of the quickstart: real deployments instead of emulated ones.

use std::{fmt, path::Path};

use lb_config::ConfigError;
use lb_core::{Backend, PoolBuilder};
use serde::Deserialize;
use serde_json::Value;

use crate::{BoxError, Prompt};

/// A pool and the request to send it: a file as `lb-config` reads it, with a table `[request]`; `quickstart.toml` beside this
/// crate is one with comments.
#[derive(Debug, Clone)]
pub struct Config {
    /// What is sent.
    pub prompt: Prompt,
    /// The deployments, by priority.
    pub backends: Vec<Backend>,
    balancer: lb_config::Config,
}

/// The table `[request]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    api_version: Option<String>,
    path: Option<String>,
    prompt: Option<String>,
    max_tokens: Option<u32>,
    body: Option<String>,
}

impl Config {
    /// Reads the file, and the keys from where it says.
    ///
    /// # Errors
    ///
    /// If anything is wrong with it; the error says where and what to do, and prints no key.
    pub fn load(path: &Path) -> Result<Self, BoxError> {
        Ok(Self::new(lb_config::Config::from_file(path)?)?)
    }

    /// The same for what was read already.
    ///
    /// # Errors
    ///
    /// If the pool cannot be made, or `[request]` is missing or does not go with it.
    pub fn new(mut balancer: lb_config::Config) -> Result<Self, ConfigError> {
        let request: Request = balancer.take("request")?;
        // A pool that is checked is one that can be built.
        let pool = balancer.pool()?.build().map_err(|error| balancer.error(&["backends"], error))?;
        let backends = pool.backends().to_vec();
        let prompt = request.prompt(&balancer, &backends)?;
        Ok(Self { prompt, backends, balancer })
    }

    /// The pool, for observers to be added.
    ///
    /// # Errors
    ///
    /// If a key that was there is not there any more.
    pub fn pool(&self) -> Result<PoolBuilder, ConfigError> {
        self.balancer.pool()
    }
}

impl Request {
    fn prompt(&self, balancer: &lb_config::Config, backends: &[Backend]) -> Result<Prompt, ConfigError> {
        let error = |key, problem: &str| Err(balancer.error(&["request", key], problem));
        let path = match (&self.path, &self.api_version) {
            (Some(path), None) if path.starts_with('/') => fitting(path, balancer, backends)?,
            (Some(_), None) => return error("path", "it must begin with /"),
            (None, Some(version)) => deployments_path(version, balancer, backends)?,
            _ => return error("path", "give either api_version (for /openai/deployments/...) or path, not both"),
        };
        match (&self.body, &self.prompt) {
            (Some(_), None) if self.max_tokens.is_some() => {
                error("max_tokens", "it goes with prompt; with body, write it into the body")
            }
            (Some(body), None) => match serde_json::from_str(body) {
                Ok(body @ Value::Object(_)) => Ok(Prompt { path, body }),
                _ => error("body", "it must be a JSON object, in the quotes ''' of a TOML string"),
            },
            (None, Some(prompt)) => match self.max_tokens {
                Some(max_tokens) => Ok(Prompt::chat(path, prompt, max_tokens)),
                None => error("max_tokens", "it is missing; it bounds what a run costs"),
            },
            _ => error("prompt", "give either prompt and max_tokens, or body with the whole JSON"),
        }
    }
}

/// The path, if it has the deployment of the most preferred backend, which is asked without a balancer too.
fn fitting(path: &str, balancer: &lb_config::Config, backends: &[Backend]) -> Result<String, ConfigError> {
    match backends.first().and_then(Backend::deployment) {
        Some(own) if !path.contains(&format!("/deployments/{own}/")) => {
            let problem =
                format!("it must have the first backend's deployment as /deployments/{own}/; or leave that out");
            Err(balancer.error(&["request", "path"], problem))
        }
        _ => Ok(path.to_owned()),
    }
}

/// The path with the deployment of the most preferred backend; the balancer puts in those of the others.
fn deployments_path(version: &str, balancer: &lb_config::Config, backends: &[Backend]) -> Result<String, ConfigError> {
    if let Some(backend) = backends.iter().find(|backend| backend.deployment().is_none()) {
        let problem = "it is missing; api_version needs one per backend";
        return Err(balancer.error(&["backends", backend.name(), "deployment"], problem));
    }
    let deployment = backends.first().and_then(Backend::deployment).unwrap_or_default();
    Ok(format!("/openai/deployments/{deployment}/chat/completions?api-version={version}"))
}

/// The deployments, in words.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Configured deployments, asked for {}:", self.prompt.path)?;
        for backend in &self.backends {
            let (name, priority, weight) = (backend.name(), backend.priority(), backend.weight());
            let endpoint = format!("{}{}", backend.origin(), backend.path_prefix());
            let key = if backend.has_credential() { "with a key" } else { "without a key" };
            write!(f, "\n  {name}  priority {priority}  weight {weight}  {endpoint}  {key}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../quickstart.toml");

    /// Every variable is set to something that must not be printed.
    fn parse(text: &str) -> Result<Config, String> {
        let keys = ["PTU_KEY", "STANDARD_KEY", "OVERFLOW_KEY"].map(|name| (name, format!("CANARY {name}")));
        let balancer = lb_config::Config::from_toml("my.toml", text).and_then(|read| read.with_vars("LB", keys));
        let config = balancer.and_then(Config::new).map_err(|error| error.to_string());
        let printed = format!("{config:?}");
        assert!(!printed.contains("CANARY"), "{printed}");
        config
    }

    #[test]
    fn the_sample_is_valid() {
        let config = parse(SAMPLE).unwrap();
        assert!(config.backends.iter().all(Backend::has_credential));
        assert_eq!(config.backends[1].weight(), 3);
        assert_eq!(config.prompt.path, "/openai/deployments/gpt-4.1-ptu/chat/completions?api-version=2024-10-21");
        assert_eq!(config.prompt.body["max_tokens"], 16);
        let told = config.to_string();
        assert!(told.contains("ptu  priority 1  weight 1  https://my-ptu.openai.azure.com  with a key"), "{told}");
    }

    #[test]
    fn the_lines_that_the_sample_comments_out_are_valid_too() {
        let replaced = ["api_version", "prompt", "max_tokens"];
        let used = SAMPLE.lines().filter(|line| !replaced.iter().any(|name| line.starts_with(name)));
        // In the v1 API the body names the deployment.
        let used = used.filter(|line| !line.starts_with("deployment"));
        // "#name = value" is a setting, "# Text" a comment.
        let is_setting = |line: &&str| line[1..].starts_with(|c: char| c.is_ascii_lowercase());
        let used = used.map(|line| if line.starts_with('#') && is_setting(&line) { &line[1..] } else { line });
        let config = parse(&used.collect::<Vec<_>>().join("\n")).unwrap();
        assert_eq!(config.prompt.path, "/openai/v1/chat/completions");
        assert_eq!(config.prompt.body["model"], "gpt-5-mini");
        assert!(format!("{:?}", config.pool().unwrap()).contains("max_cooldown: 120s"));
    }

    #[test]
    fn what_does_not_go_together_is_refused_with_its_line() {
        let line = |text: &str, what: &str| text.lines().position(|line| line.starts_with(what)).unwrap() + 1;
        let refusals = [
            ("api_version = \"2024-10-21\"", "", "[request]", "request.path: give either api_version"),
            ("api_version = \"2024-10-21\"", "path = \"openai/v1\"", "path", "request.path: it must begin with /"),
            (
                "api_version = \"2024-10-21\"",
                "path = \"/openai/v1/chat\"",
                "path",
                "request.path: it must have the first backend's deployment",
            ),
            ("deployment = \"gpt-4.1-ptu\"", "", "[[backends]]", "backends[0].deployment: it is missing"),
            ("max_tokens = 16", "", "[request]", "request.max_tokens: it is missing"),
            ("max_tokens = 16", "max_tokens = 16\nbody = '{}'", "prompt", "request.prompt: give either prompt and"),
            ("prompt = ", "prompts = ", "prompts", "request.prompts: there is no such name here; did you mean prompt?"),
        ];
        for (from, to, at, expected) in refusals {
            let text = SAMPLE.replace(from, to);
            assert_ne!(text, SAMPLE, "{from}");
            let error = parse(&text).unwrap_err();
            assert!(error.starts_with(&format!("my.toml:{}: {expected}", line(&text, at))), "{error}");
        }
    }
}
