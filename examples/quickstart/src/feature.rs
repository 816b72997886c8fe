//! A feature of this package: what its default build leaves out, since it takes a C compiler.

use std::collections::BTreeSet;

use crate::{Approach, Setup};

/// What the default build leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// The approaches over isahc.
    Isahc,
    /// Deployments whose endpoints are `https`.
    Tls,
}

impl Feature {
    /// The name in `Cargo.toml`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Isahc => "isahc",
            Self::Tls => "tls",
        }
    }

    /// Whether it is compiled in.
    #[must_use]
    pub const fn is_on(self) -> bool {
        match self {
            Self::Isahc => cfg!(feature = "isahc"),
            Self::Tls => cfg!(feature = "tls"),
        }
    }

    /// What these approaches take on these deployments.
    #[must_use]
    pub fn needed(setup: &Setup, approaches: &[Approach]) -> BTreeSet<Self> {
        let tls = setup.has_tls().then_some(Self::Tls);
        approaches.iter().filter_map(|approach| approach.feature()).chain(tls).collect()
    }

    /// The command that runs the quickstart with these features and arguments.
    #[must_use]
    pub fn command(needed: &BTreeSet<Self>, arguments: impl IntoIterator<Item = String>) -> String {
        let names = needed.iter().map(|feature| feature.name()).collect::<Vec<_>>().join(",");
        let mut command = format!("cargo run --features {names} --");
        for argument in arguments {
            command.push(' ');
            // A shell would take it apart.
            let quoted = argument.contains(char::is_whitespace);
            command.push_str(&if quoted { format!("\"{argument}\"") } else { argument });
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Config;

    fn configured(endpoint: &str) -> Setup {
        let text = format!("request = {{ path = '/', body = '{{}}' }}\nbackends = [{{ endpoint = '{endpoint}' }}]");
        Setup::Configured(Box::new(Config::new(lb_config::Config::from_toml("my.toml", &text).unwrap()).unwrap()))
    }

    #[test]
    fn only_isahc_and_https_are_features() {
        let approaches = [Approach::Direct, Approach::ReqwestBlocking];
        let needed = |endpoint| Feature::needed(&configured(endpoint), &approaches);
        assert_eq!(needed("https://ptu.openai.azure.com"), [Feature::Tls].into());
        assert_eq!(needed("ptu.openai.azure.com"), [Feature::Tls].into(), "https is the default");
        assert_eq!(needed("http://127.0.0.1:8081"), [].into());
        let emulated = Setup::Emulated { latency: Duration::ZERO };
        assert_eq!(Feature::needed(&emulated, &Approach::ALL), [Feature::Isahc].into());
    }

    #[test]
    fn the_command_has_all_features_and_the_arguments_as_they_were() {
        let needed = Feature::needed(&configured("ptu.openai.azure.com"), &[Approach::Isahc]);
        let arguments = ["--approach", "isahc", "--config", "my file.toml"].map(str::to_owned);
        let expected = "cargo run --features isahc,tls -- --approach isahc --config \"my file.toml\"";
        assert_eq!(Feature::command(&needed, arguments), expected);
    }
}
