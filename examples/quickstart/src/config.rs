//! The configuration file of the quickstart: real deployments instead of emulated ones.

use std::{env, error::Error, fmt, fs, path::Path};

use lb_core::Pool;
use serde::Deserialize;
use serde_json::Value;

use crate::{Deployment, Key, Prompt};

/// Deployments and the request to send them, from a TOML file; `quickstart.toml` beside this crate is one with comments.
#[derive(Debug, Clone)]
pub struct Config {
    /// The deployments, in the order of the file.
    pub deployments: Vec<Deployment>,
    /// What is sent to them.
    pub prompt: Prompt,
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    api_version: Option<String>,
    path: Option<String>,
    prompt: Option<String>,
    max_tokens: Option<u32>,
    body: Option<String>,
    backends: Vec<Entry>,
}

/// A `[[backends]]` of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    endpoint: String,
    #[serde(default = "one")]
    priority: u32,
    #[serde(default = "one")]
    weight: u32,
    deployment: Option<String>,
    key_env: Option<String>,
}

const fn one() -> u32 {
    1
}

impl Config {
    /// Reads the file, and the keys from the environment variables that it names.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or is not valid, or a key is not there. The error says where and what to do, and
    /// prints no key.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let failed = |problem| ConfigError { file: path.display().to_string(), problem };
        let text = fs::read_to_string(path).map_err(|error| failed(format!("cannot be read: {error}")))?;
        Self::parse(&text, |name| env::var(name).ok()).map_err(failed)
    }

    /// Reads the text of a file, and the keys from `variable`.
    fn parse(text: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| {
            // Not the error's own text: it quotes the line, and that could hold a key.
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            format!("line {line}: {}", error.message().trim_end())
        })?;
        let prompt = file.prompt()?;
        let deployments = file.backends.into_iter().map(|entry| entry.deployment(&variable));
        let deployments = deployments.collect::<Result<Vec<_>, _>>()?;
        if let (Some(without), true) =
            (deployments.iter().find(|d| d.key.is_none()), deployments.iter().any(|d| d.key.is_some()))
        {
            return Err(format!("backend {}: key_env is missing; either all have one or none", without.name));
        }
        let backends = deployments.iter().map(Deployment::backend).collect::<Result<Vec<_>, _>>();
        // Everything else that a pool can refuse, before anything is sent.
        backends.and_then(Pool::new).map_err(|error| error.to_string())?;
        Ok(Self { deployments, prompt })
    }
}

impl File {
    fn prompt(&self) -> Result<Prompt, String> {
        let path = match (&self.path, &self.api_version) {
            (Some(path), None) if path.starts_with('/') => self.fitting(path)?,
            (Some(_), None) => return Err("path: it must begin with /".to_owned()),
            (None, Some(version)) => self.deployments_path(version)?,
            _ => return Err("give either api_version (for /openai/deployments/...) or path, not both".to_owned()),
        };
        match (&self.body, &self.prompt) {
            (Some(_), None) if self.max_tokens.is_some() => {
                Err("max_tokens: it goes with prompt; with body, write it into the body".to_owned())
            }
            (Some(body), None) => match serde_json::from_str(body) {
                Ok(body @ Value::Object(_)) => Ok(Prompt { path, body }),
                _ => Err("body: it must be a JSON object, in the quotes ''' of a TOML string".to_owned()),
            },
            (None, Some(prompt)) => {
                let max_tokens = self.max_tokens.ok_or("max_tokens: it is missing; it bounds what a run costs")?;
                Ok(Prompt::chat(path, prompt, max_tokens))
            }
            _ => Err("give either prompt and max_tokens, or body with the whole JSON".to_owned()),
        }
    }

    /// The path, if it has the deployment of the most preferred backend, which is asked without a balancer too.
    fn fitting(&self, path: &str) -> Result<String, String> {
        match self.first() {
            Some(Entry { name, deployment: Some(own), .. }) if !path.contains(&format!("/deployments/{own}/")) => {
                Err(format!("backend {name}: path must have its deployment as /deployments/{own}/; or leave it out"))
            }
            _ => Ok(path.to_owned()),
        }
    }

    /// The most preferred backend.
    fn first(&self) -> Option<&Entry> {
        self.backends.iter().min_by_key(|entry| entry.priority)
    }

    /// The path with the deployment of the most preferred backend; the balancer puts in those of the others.
    fn deployments_path(&self, version: &str) -> Result<String, String> {
        if let Some(entry) = self.backends.iter().find(|entry| entry.deployment.is_none()) {
            return Err(format!("backend {}: deployment is missing; api_version needs one per backend", entry.name));
        }
        let deployment = self.first().and_then(|entry| entry.deployment.as_deref()).unwrap_or_default();
        Ok(format!("/openai/deployments/{deployment}/chat/completions?api-version={version}"))
    }
}

impl Entry {
    fn deployment(self, variable: impl Fn(&str) -> Option<String>) -> Result<Deployment, String> {
        let Self { name, endpoint, priority, weight, deployment, key_env } = self;
        let key = match key_env {
            None => None,
            Some(variable_name) => Some(key(&name, &variable_name, variable)?),
        };
        Ok(Deployment { name, endpoint, priority, weight, deployment, key })
    }
}

fn key(backend: &str, name: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Key, String> {
    // Strict, and not quoted below: somebody will write the key itself here.
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    if !name.starts_with(|c: char| c.is_ascii_uppercase()) || !name.chars().all(is_name) {
        return Err(format!(
            "backend {backend}: key_env must be the name of an environment variable in capitals, such as PTU_KEY, \
             and not the key"
        ));
    }
    match variable(name).map(|value| value.trim().to_owned()) {
        Some(value) if !value.is_empty() => Ok(Key::new(value)),
        _ => Err(format!("backend {backend}: the environment variable {name} is not set; export it with the key")),
    }
}

/// The deployments, in words.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Configured deployments, asked for {}:", self.prompt.path)?;
        for Deployment { name, endpoint, priority, weight, key, .. } in &self.deployments {
            let key = if key.is_some() { "with a key" } else { "without a key" };
            write!(f, "\n  {name}  priority {priority}  weight {weight}  {endpoint}  {key}")?;
        }
        Ok(())
    }
}

/// Why a configuration cannot be used.
#[derive(Debug)]
pub struct ConfigError {
    file: String,
    problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.problem)
    }
}

impl Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../quickstart.toml");

    /// Every variable is set to something that must not be printed.
    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, |_| Some("CANARY".to_owned()))
    }

    #[test]
    fn the_sample_is_valid_and_its_keys_come_from_the_environment() {
        let config = Config::parse(SAMPLE, |name| Some(format!("value of {name}\n"))).unwrap();
        let keys: Vec<_> = config.deployments.iter().map(|d| d.key.as_ref().unwrap().reveal()).collect();
        assert_eq!(keys, ["value of PTU_KEY", "value of STANDARD_KEY", "value of OVERFLOW_KEY"]);
        assert_eq!(config.deployments[1].weight, 3);
        assert_eq!(config.prompt.path, "/openai/deployments/gpt-4.1-ptu/chat/completions?api-version=2024-10-21");
        assert_eq!(config.prompt.body["max_tokens"], 16);
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
    }

    #[test]
    fn an_error_names_the_line_and_the_key_and_quotes_no_secret() {
        let error = parse(&SAMPLE.replace("key_env = \"PTU_KEY\"", "key = \"CANARY\"")).unwrap_err();
        let line = SAMPLE.lines().position(|line| line == "key_env = \"PTU_KEY\"").unwrap() + 1;
        assert!(error.starts_with(&format!("line {line}: unknown field `key`")), "{error}");
        assert!(error.contains("key_env") && !error.contains("CANARY"), "{error}");
        let error = parse(&SAMPLE.replace("\"PTU_KEY\"", "\"c4n4ryCANARY\"")).unwrap_err();
        assert!(error.starts_with("backend ptu: key_env must be the name") && !error.contains("CANARY"), "{error}");
        let error = parse(&SAMPLE.replace("priority = 1", "priority = 0")).unwrap_err();
        assert!(error.contains("ptu") && !error.contains("CANARY"), "{error}");
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        for value in [None, Some("  ".to_owned())] {
            let error = Config::parse(SAMPLE, |name| if name == "PTU_KEY" { value.clone() } else { Some("k".into()) });
            let expected = "backend ptu: the environment variable PTU_KEY is not set; export it with the key";
            assert_eq!(error.unwrap_err(), expected);
        }
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let refusals = [
            ("api_version = \"2024-10-21\"", "", "api_version"),
            ("api_version = \"2024-10-21\"", "path = \"openai/v1\"", "path: it must begin with /"),
            (
                "api_version = \"2024-10-21\"",
                "path = \"/openai/v1/chat\"",
                "backend ptu: path must have its deployment",
            ),
            ("deployment = \"gpt-4.1-ptu\"", "", "backend ptu: deployment is missing"),
            ("max_tokens = 16", "", "max_tokens: it is missing"),
            ("max_tokens = 16", "max_tokens = 16\nbody = '{}'", "either prompt and max_tokens, or body"),
            ("name = \"standard\"", "name = \"ptu\"", "backend ptu: another one has the same name"),
            ("https://my-ptu", "ftp://my-ptu", "backend ptu: "),
            ("\nkey_env = \"OVERFLOW_KEY\"", "", "backend overflow: key_env is missing"),
        ];
        for (from, to, expected) in refusals {
            let text = SAMPLE.replace(from, to);
            assert_ne!(text, SAMPLE, "{from}");
            let error = parse(&text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        let (request, _) = SAMPLE.split_once("[[backends]]").unwrap();
        for text in [request.to_owned(), format!("{request}\nbackends = []")] {
            let error = parse(&text).unwrap_err();
            assert!(error.contains("backend"), "{error}");
        }
    }
}
