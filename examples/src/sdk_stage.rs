//! The stage of the SDK examples: deployments in trouble, or those of a configuration file.

use std::{env, io, path::Path, sync::Arc, time::Duration};

use lb_core::{Backend, Pool, PoolBuilder};
use lb_emulator::{Emulator, Reply};
use lb_quickstart::{BoxError, Config, Decisions};
use reqwest::{Client, ClientBuilder};

/// What an SDK example runs on: a pool that prints what it decides, and what to ask.
#[derive(Debug)]
pub struct SdkStage {
    /// The deployments.
    pub pool: Arc<Pool>,
    /// What is asked.
    pub question: String,
    /// How long an answer may be.
    pub max_tokens: u32,
    /// The version of Azure's API.
    pub api_version: String,
    /// The deployment that serves, if it is emulated; the others are in trouble.
    pub healthy: Option<Emulator>,
    /// In trouble as long as they are here.
    #[expect(dead_code, reason = "held, not used")]
    troubled: Vec<Emulator>,
}

impl SdkStage {
    /// The stage of the configuration file that is the program's argument, in the format of `quickstart.toml`; without
    /// an argument, an emulated one.
    ///
    /// # Errors
    ///
    /// If the file is not valid, or an emulator cannot start.
    pub fn from_args() -> Result<Self, BoxError> {
        match env::args_os().nth(1) {
            Some(file) => Self::configured(&Config::load(Path::new(&file))?),
            None => Self::emulated(),
        }
    }

    /// Three deployments: `ptu` always refuses, nobody listens at `eu`, and `standard` serves.
    fn emulated() -> Result<Self, BoxError> {
        let start = |name| Emulator::builder().name(name).key(format!("key of {name}")).start();
        let (ptu, eu, standard) = (start("ptu")?, start("eu")?, start("standard")?);
        // A hint of zero: it is asked again by the next request.
        ptu.always(Reply::status(429).header("retry-after", "0"));
        eu.refuse_connections(true)?;
        let backends = [&ptu, &eu, &standard].into_iter().zip(1..).map(|(emulator, priority)| {
            let name = emulator.name();
            Backend::builder(emulator.url()).name(name).priority(priority).api_key(format!("key of {name}")).build()
        });
        Ok(Self {
            pool: pool(Pool::builder().backends(backends.collect::<Result<Vec<_>, _>>()?))?,
            question: "Hello".to_owned(),
            max_tokens: 16,
            api_version: "2024-10-21".to_owned(),
            healthy: Some(standard),
            troubled: vec![ptu, eu],
        })
    }

    fn configured(config: &Config) -> Result<Self, BoxError> {
        let unfit = "an SDK makes path and body itself: give api_version, prompt and max_tokens, not path or body";
        let (_, api_version) = config.prompt.path.split_once("?api-version=").ok_or(unfit)?;
        let body = &config.prompt.body;
        let question = body["messages"][0]["content"].as_str().ok_or(unfit)?;
        let max_tokens = body["max_tokens"].as_u64().ok_or(unfit)?.try_into()?;
        Ok(Self {
            pool: pool(config.pool()?)?,
            question: question.to_owned(),
            max_tokens,
            api_version: api_version.to_owned(),
            healthy: None,
            troubled: Vec::new(),
        })
    }

    /// The HTTP client to send with: without a proxy if the deployments are on this machine.
    pub fn client(&self) -> ClientBuilder {
        // Who does not answer the call has no connection: the request goes to the next one.
        let client = Client::builder().connect_timeout(Duration::from_secs(5));
        if self.healthy.is_some() { client.no_proxy() } else { client }
    }
}

fn pool(builder: PoolBuilder) -> Result<Arc<Pool>, BoxError> {
    Ok(Arc::new(builder.observer(Decisions::new(io::stdout())).build()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(request: &str) -> Result<SdkStage, BoxError> {
        let text = format!(
            "[request]\n{request}\nprompt = 'Why?'\nmax_tokens = 16\n\
             [[backends]]\nendpoint = 'ptu.openai.azure.com'\ndeployment = 'gpt-4.1-ptu'\napi_key_env = 'PTU_KEY'"
        );
        let config = lb_config::Config::from_toml("my.toml", &text)?.with_vars("LB", [("PTU_KEY", "key")])?;
        SdkStage::configured(&Config::new(config)?)
    }

    #[test]
    fn a_configuration_says_what_to_ask_and_whom() {
        let stage = stage("api_version = '2024-10-21'").unwrap();
        assert_eq!((&*stage.question, stage.max_tokens, &*stage.api_version), ("Why?", 16, "2024-10-21"));
        assert_eq!(stage.pool.snapshot().backends[0].backend.deployment(), Some("gpt-4.1-ptu"));
        assert!(stage.healthy.is_none());
    }

    #[test]
    fn a_path_of_its_own_is_refused() {
        let error = stage("path = '/openai/deployments/gpt-4.1-ptu/chat/completions'").unwrap_err();
        assert!(error.to_string().contains("give api_version"), "{error}");
    }
}
