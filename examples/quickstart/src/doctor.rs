//! A doctor: one request to each deployment alone, and what is wrong with it in words.

use std::{
    fmt,
    time::{Duration, Instant},
};

use lb_core::{Backend, BlockingLoadBalancer, Error, Exhausted, Fault, Pool, causes};
use lb_reqwest::{BlockingReqwestTransport, fault};
use reqwest::blocking::{Client, Response};
use serde_json::Value;

use crate::{BoxError, Config, Prompt, Workload};

/// What a deployment answered, or why it did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It serves; how long that took.
    Fine(Duration),
    /// It is there, and busy for so long.
    Throttled(Option<Duration>),
    /// Its name is not known.
    Dns(String),
    /// TLS failed: a certificate, a proxy that looks inside, or a port that speaks something else.
    Tls(String),
    /// Nobody takes a connection.
    Unreachable(String),
    /// No answer in time, or the connection broke.
    Silent(String),
    /// It does not take the key.
    Key(String),
    /// It has no such deployment, or no such path.
    Missing(String),
    /// The request could not be sent as it is, or it answered something else.
    Other(String),
}

impl Finding {
    /// Whether it would serve now, or later.
    #[must_use]
    pub const fn is_well(&self) -> bool {
        matches!(self, Self::Fine(_) | Self::Throttled(_))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fine(took) => write!(f, "fine, in {:.1} s", took.as_secs_f64()),
            Self::Throttled(Some(wait)) => {
                write!(f, "throttled for {} s; it is there, and the key is good", wait.as_secs())
            }
            Self::Throttled(None) => f.write_str("throttled; it is there, and the key is good"),
            Self::Dns(why) => write!(f, "DNS: check the host in endpoint ({why})"),
            Self::Tls(why) => write!(f, "TLS: check the port, and proxies and certificates on the way ({why})"),
            Self::Unreachable(why) => {
                write!(f, "no connection: check the port, firewalls and private endpoints ({why})")
            }
            Self::Silent(why) => write!(f, "no answer ({why})"),
            Self::Key(why) => {
                write!(
                    f,
                    "the key is not accepted: check where it comes from, and the resource's network rules ({why})"
                )
            }
            Self::Missing(why) => write!(f, "wrong deployment, path or API version ({why})"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

/// Sends the prompt of the configuration to each of its deployments alone.
///
/// # Errors
///
/// If reqwest cannot build a client, or a deployment is not valid.
pub fn examine(config: &Config) -> Result<Vec<(String, Finding)>, BoxError> {
    config.backends.iter().map(|one| Ok((one.name().to_owned(), examine_one(one, &config.prompt)?))).collect()
}

fn examine_one(backend: &Backend, prompt: &Prompt) -> Result<Finding, BoxError> {
    let client = Client::builder().connect_timeout(Workload::CONNECT_TIMEOUT).timeout(Workload::TIMEOUT);
    let transport = BlockingReqwestTransport::from_builder(client)?;
    let balancer = BlockingLoadBalancer::new(Pool::new([backend.clone()])?, transport);
    let request = balancer.transport().client().post(prompt.url());
    let request = request.header("content-type", "application/json").body(prompt.body.to_string()).build()?;
    let start = Instant::now();
    Ok(match balancer.try_send(request) {
        Ok(response) => answered(response, start.elapsed()),
        Err(Error::Exhausted(exhausted)) => refused(&exhausted),
        Err(Error::Transport(error)) => unanswered(&error),
        Err(error) => Finding::Other(error.to_string()),
    })
}

fn answered(response: Response, took: Duration) -> Finding {
    let status = response.status();
    if status.is_success() {
        return Finding::Fine(took);
    }
    // Azure says in the body which of several things it is.
    let body: Value = response.bytes().ok().and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default();
    let error = &body["error"];
    let said = [&error["code"], &error["message"]].map(|part| part.as_str().unwrap_or_default());
    let why = format!("{} {}", status.as_u16(), said.join(" "));
    let why = why.trim_end().to_owned();
    match status.as_u16() {
        401 | 403 => Finding::Key(why),
        404 => Finding::Missing(why),
        429 => Finding::Throttled(None),
        _ => Finding::Other(why),
    }
}

fn refused(exhausted: &Exhausted) -> Finding {
    if exhausted.status().as_u16() == 429 {
        return Finding::Throttled(exhausted.retry_after());
    }
    Finding::Other(exhausted.to_string())
}

fn unanswered(error: &reqwest::Error) -> Finding {
    let why = causes(error);
    match fault(error) {
        Fault::Connect if error.is_dns() || why.contains("dns error") => Finding::Dns(why),
        // rustls's own words; its error is private to reqwest.
        Fault::Connect if why.contains("certificate") || why.contains("InvalidContentType") => Finding::Tls(why),
        Fault::Connect | Fault::ConnectTimeout => Finding::Unreachable(why),
        Fault::Request => Finding::Other(why),
        _ => Finding::Silent(why),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use lb_emulator::{Emulator, Reply};

    use super::*;

    fn finding(endpoint: &str) -> Finding {
        let text = format!(
            "[request]\nprompt = 'Why?'\nmax_tokens = 16\napi_version = '2024-10-21'\n\
             [[backends]]\nname = 'ptu'\nendpoint = '{endpoint}'\ndeployment = 'gpt'\napi_key_env = 'PTU_KEY'"
        );
        let config = lb_config::Config::from_toml("my.toml", &text).unwrap();
        let config = config.with_vars("LB", [("PTU_KEY", "KEY-CANARY")]).unwrap();
        let mut found = examine(&Config::new(config).unwrap()).unwrap();
        let (name, finding) = found.remove(0);
        assert_eq!(name, "ptu");
        assert!(!format!("{finding} {finding:?}").contains("CANARY"), "{finding}");
        finding
    }

    fn answering(reply: Reply) -> Finding {
        let emulator = Emulator::start().unwrap();
        emulator.script(reply);
        finding(&emulator.url())
    }

    #[test]
    fn a_deployment_that_is_there_says_what_it_lacks() {
        let error = |status, code: &str| {
            Reply::status(status).body(format!(r#"{{"error":{{"code":"{code}","message":"said so"}}}}"#))
        };
        assert!(matches!(answering(Reply::status(200)), Finding::Fine(_)));
        assert_eq!(answering(error(401, "401")), Finding::Key("401 401 said so".to_owned()));
        assert_eq!(answering(error(403, "Forbidden")), Finding::Key("403 Forbidden said so".to_owned()));
        assert_eq!(
            answering(error(404, "DeploymentNotFound")),
            Finding::Missing("404 DeploymentNotFound said so".to_owned())
        );
        assert_eq!(answering(Reply::status(400)), Finding::Other("400".to_owned()));
        assert_eq!(answering(error(500, "")), Finding::Other("500  said so".to_owned()));
        let throttled = answering(Reply::throttled(Duration::from_secs(7)));
        assert!(throttled.is_well() && matches!(throttled, Finding::Throttled(Some(_))), "{throttled:?}");
        assert!(matches!(answering(Reply::reset()), Finding::Silent(_)));
    }

    #[test]
    fn one_that_is_not_there_says_why() {
        // The name is reserved (RFC 2606), and a resolver that is away itself takes its time.
        match finding("http://name.invalid") {
            Finding::Dns(_) => {}
            Finding::Unreachable(why) => assert!(why.contains("timed out"), "{why}"),
            other => panic!("{other:?}"),
        }
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let refused = finding(&format!("http://{nobody}"));
        assert!(matches!(refused, Finding::Unreachable(_)) && !refused.is_well(), "{refused:?}");
    }
}
