//! Builds a backend, and checks everything.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicBool},
};

#[cfg(feature = "json")]
use super::Models;
use super::{Auth, Backend, CallerCredentials, Parts, endpoint};
use crate::{
    build_error::{BackendProblem, BuildError},
    credential::{Credential, CredentialSource},
    rng::SeededRng,
    wishes::Affinity,
};
use endpoint::Endpoint;

impl Backend {
    /// A backend at `endpoint` with a priority from 1 (lower is preferred), weight 1, and no credential of its own.
    ///
    /// # Errors
    ///
    /// If anything is invalid; the error names the backend and says what.
    pub fn new(endpoint: impl Into<String>, priority: u32) -> Result<Self, BuildError> {
        Self::builder(endpoint).priority(priority).build()
    }

    /// A backend at `endpoint` with every option.
    pub fn builder(endpoint: impl Into<String>) -> BackendBuilder {
        BackendBuilder {
            endpoint: endpoint.into(),
            name: None,
            priority: 1,
            weight: 1,
            deployment: None,
            #[cfg(feature = "json")]
            models: Models::default(),
            auth: Auth::Unspecified,
            caller_credentials: CallerCredentials::default(),
            problem: None,
        }
    }
}

/// Builds a [`Backend`]; [`build`](BackendBuilder::build) checks everything.
#[must_use = "a builder does nothing until `build` is called"]
pub struct BackendBuilder {
    endpoint: String,
    name: Option<String>,
    priority: u32,
    weight: u32,
    deployment: Option<String>,
    #[cfg(feature = "json")]
    models: Models,
    auth: Auth,
    caller_credentials: CallerCredentials,
    problem: Option<BackendProblem>,
}

impl BackendBuilder {
    /// The name for logs and metrics, unique in the pool. Default: the endpoint without its scheme.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The priority from 1; lower is preferred. Default: 1.
    pub fn priority(mut self, priority: u32) -> Self {
        self.priority = priority;
        self
    }

    /// The share of requests among backends of the same priority, from 1 to 100. Default: 1.
    pub fn weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// The deployment name that replaces the path segment after `/deployments/`. Default: the request's own.
    pub fn deployment(mut self, deployment: impl Into<String>) -> Self {
        self.deployment = Some(deployment.into());
        self
    }

    /// This backend's name for the model, which replaces the one in a JSON body where the path has no deployment, as with
    /// Azure's `/openai/v1/..`. Default: the request's own. [`Backend`] says what is replaced, and when.
    ///
    /// ```
    /// use lb_core::Backend;
    ///
    /// # fn main() -> Result<(), lb_core::BuildError> {
    /// let backend = Backend::builder("eu.openai.azure.com").model("chat-eu").model_for("gpt-4.1-mini", "mini-eu").build()?;
    /// assert_eq!(backend.model_for("gpt-4.1-mini"), Some("mini-eu"));
    /// assert_eq!(backend.model_for("gpt-4.1"), Some("chat-eu"));
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "json")]
    pub fn model(mut self, name: impl Into<String>) -> Self {
        self.models.set_general(name.into());
        self
    }

    /// The same for one name of callers, which goes before [`model`](BackendBuilder::model): where a caller writes `callers`,
    /// it becomes `backends`. Call it once for each name. A name that is not among them stays, unless there is a `model`.
    #[cfg(feature = "json")]
    pub fn model_for(mut self, callers: impl Into<String>, backends: impl Into<String>) -> Self {
        if !self.models.add_exact(callers.into(), backends.into()) {
            self.problem = Some(BackendProblem::ModelConflict);
        }
        self
    }

    #[cfg(feature = "json")]
    fn problem_of_models(&self) -> Option<BackendProblem> {
        self.models.problem()
    }

    #[cfg(not(feature = "json"))]
    const fn problem_of_models(&self) -> Option<BackendProblem> {
        None
    }

    /// An Azure OpenAI key: sent as `api-key`, to this backend only, in place of the caller's credential.
    pub fn api_key(self, key: impl AsRef<str>) -> Self {
        self.fixed(Credential::checked_key(key.as_ref()))
    }

    /// A bearer token: sent as `authorization: Bearer ..`, to this backend only, in place of the caller's credential.
    pub fn bearer_token(self, token: impl AsRef<str>) -> Self {
        self.fixed(Credential::checked_token(token.as_ref()))
    }

    /// A source that is asked for the credential before each attempt; sent to this backend only, in place of the
    /// caller's credential. A [`RotatingCredential`](crate::RotatingCredential) is one for keys that change.
    pub fn credential_source(self, source: impl CredentialSource + 'static) -> Self {
        self.auth(Auth::Source(Arc::new(source)))
    }

    /// Requests to this backend carry the caller's credential. It must be said where other backends of the pool have
    /// credentials of their own; if none has, it is the default.
    pub fn forward_caller_credential(self) -> Self {
        self.auth(Auth::Caller)
    }

    /// Names one more header in which callers send a credential, beside [`CALLER_CREDENTIALS`](crate::CALLER_CREDENTIALS):
    /// it is removed from requests to this backend if that has a credential of its own. Case does not matter.
    pub fn caller_credential_header(mut self, name: impl AsRef<str>) -> Self {
        if !self.caller_credentials.add_header(name.as_ref()) {
            self.problem = Some(BackendProblem::CallerHeader);
        }
        self
    }

    /// Names one more query parameter in which callers send a credential, beside
    /// [`CALLER_CREDENTIAL_PARAMETERS`](crate::CALLER_CREDENTIAL_PARAMETERS): it is removed from requests to this backend
    /// if that has a credential of its own. It is compared with what stands in the query, percent-encoding and all,
    /// without regard to case.
    pub fn caller_credential_parameter(mut self, name: impl AsRef<str>) -> Self {
        if !self.caller_credentials.add_parameter(name.as_ref()) {
            self.problem = Some(BackendProblem::CallerParameter);
        }
        self
    }

    fn fixed(mut self, credential: Result<Credential, BackendProblem>) -> Self {
        match credential {
            Ok(credential) => self.auth(Auth::Fixed(credential)),
            Err(problem) => {
                self.problem = Some(problem);
                self
            }
        }
    }

    fn auth(mut self, auth: Auth) -> Self {
        if !matches!(self.auth, Auth::Unspecified) {
            self.problem = Some(BackendProblem::CredentialConflict);
        }
        self.auth = auth;
        self
    }

    /// The backend.
    ///
    /// # Errors
    ///
    /// [`BuildError::Backend`] if anything is invalid, see [`BackendProblem`]; the error never prints a credential.
    pub fn build(self) -> Result<Backend, BuildError> {
        let endpoint = Endpoint::parse(&self.endpoint);
        let problem = if let Some(problem) = self.problem {
            Some(problem)
        } else if self.priority < 1 {
            Some(BackendProblem::Priority)
        } else if !(1..=100).contains(&self.weight) {
            Some(BackendProblem::Weight)
        } else if self.name.as_deref().is_some_and(|name| name.trim().is_empty() || name.contains(char::is_control)) {
            Some(BackendProblem::Name)
        } else if self.deployment.as_deref().is_some_and(|name| !is_path_segment(name)) {
            Some(BackendProblem::Deployment)
        } else {
            self.problem_of_models()
        };
        match (endpoint, problem) {
            (Ok(endpoint), None) => {
                let name = self.name.unwrap_or_else(|| endpoint.name());
                Ok(Backend(Arc::new(Parts {
                    name_hash: SeededRng::first(Affinity::of(name.as_bytes()).0),
                    name: name.into(),
                    priority: self.priority,
                    weight: self.weight,
                    endpoint,
                    deployment: self.deployment,
                    #[cfg(feature = "json")]
                    models: self.models,
                    auth: self.auth,
                    caller_credentials: self.caller_credentials,
                    overlap_is_told: AtomicBool::new(false),
                })))
            }
            (Err(problem), _) | (_, Some(problem)) => {
                let name = self.name.filter(|name| !name.trim().is_empty());
                let backend = name.map_or_else(|| endpoint::printable(&self.endpoint), |name| printable_name(&name));
                Err(BuildError::Backend { backend, problem })
            }
        }
    }
}

impl fmt::Debug for BackendBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("BackendBuilder");
        debug
            .field("endpoint", &endpoint::printable(&self.endpoint))
            .field("name", &self.name)
            .field("priority", &self.priority)
            .field("weight", &self.weight)
            .field("deployment", &self.deployment);
        #[cfg(feature = "json")]
        debug.field("models", &self.models);
        debug.field("auth", &self.auth).finish_non_exhaustive()
    }
}

/// Whether `name` is one path segment that needs no escaping (RFC 3986, unreserved characters) and is no dot segment.
fn is_path_segment(name: &str) -> bool {
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    !name.is_empty() && name.bytes().all(unreserved) && name != "." && name != ".."
}

fn printable_name(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(builder: BackendBuilder) -> BackendProblem {
        match builder.build() {
            Err(BuildError::Backend { problem, .. }) => problem,
            other => panic!("expected a problem, got {other:?}"),
        }
    }

    #[test]
    fn everything_out_of_range_is_refused() {
        let host = || Backend::builder("a.example");
        assert_eq!(problem(host().priority(0)), BackendProblem::Priority);
        assert_eq!(problem(host().weight(0)), BackendProblem::Weight);
        assert_eq!(problem(host().weight(101)), BackendProblem::Weight);
        assert_eq!(problem(host().name(" ")), BackendProblem::Name);
        assert_eq!(problem(host().name("a\nb")), BackendProblem::Name);
        for deployment in ["", "a/b", "..", "a b", "a%2fb", "a?b", "gpt\u{e9}"] {
            assert_eq!(problem(host().deployment(deployment)), BackendProblem::Deployment, "{deployment:?}");
        }
        #[cfg(feature = "json")]
        for name in ["", " ", "a\nb"] {
            assert_eq!(problem(host().model(name)), BackendProblem::Model, "{name:?}");
            assert_eq!(problem(host().model_for("a", name)), BackendProblem::Model, "{name:?}");
            assert_eq!(problem(host().model("a").model_for(name, "a")), BackendProblem::CallersModel, "{name:?}");
            let twice = host().model_for("a", "b").model_for("a", "b");
            assert_eq!(problem(twice), BackendProblem::ModelConflict);
        }
        for (key, expected) in [
            ("", BackendProblem::CredentialEmpty),
            ("line\nbreak", BackendProblem::CredentialCharacters),
            ("k\n", BackendProblem::CredentialWhiteSpace),
            ("Bearer k", BackendProblem::CredentialScheme),
        ] {
            assert_eq!(problem(host().api_key(key)), expected, "{key:?}");
            assert_eq!(problem(host().bearer_token(key)), expected, "{key:?}");
        }
        assert_eq!(problem(host().caller_credential_header("a b")), BackendProblem::CallerHeader);
        assert_eq!(problem(host().caller_credential_parameter("a=b")), BackendProblem::CallerParameter);
        assert_eq!(problem(host().api_key("a").bearer_token("b")), BackendProblem::CredentialConflict);
        assert_eq!(problem(host().api_key("a").forward_caller_credential()), BackendProblem::CredentialConflict);
    }

    #[test]
    fn the_bounds_themselves_are_accepted() {
        assert!(Backend::builder("a.example").weight(1).build().is_ok());
        assert!(Backend::builder("a.example").weight(100).priority(u32::MAX).build().is_ok());
    }

    #[test]
    fn neither_debug_nor_an_error_shows_a_secret() {
        let good = Backend::builder("a.example").api_key("CANARY").build().unwrap();
        let bad = Backend::builder("https://user:CANARY@a.example/?key=CANARY#CANARY").api_key("CANARY\n");
        let builder = format!("{:?}", Backend::builder("b.example").api_key("CANARY"));
        assert!(builder.contains("b.example") && !builder.contains("CANARY"), "{builder}");
        let printed = format!("{good:?} {good:#?} {bad:?} {bad:#?}");
        let error = bad.build().unwrap_err();
        let printed = format!("{printed} {error} {error:?}");
        assert!(!printed.contains("CANARY"), "{printed}");
        assert!(printed.contains("a.example"));
    }

    #[test]
    fn an_error_names_the_backend() {
        let error = |builder: BackendBuilder| builder.priority(0).build().unwrap_err().to_string();
        assert!(error(Backend::builder("a.example")).contains("a.example"));
        assert!(error(Backend::builder("a.example").name("ptu")).contains("ptu"));
        assert!(error(Backend::builder("a.example").name("two\nlines")).contains("two?lines"));
    }

    #[cfg(feature = "json")]
    #[test]
    fn a_model_for_all_is_that_of_every_caller() {
        let backend = Backend::builder("a.example").model("m").model_for("x", "y").build().unwrap();
        assert_eq!(
            (backend.model(), backend.model_for("x"), backend.model_for("z")),
            (Some("m"), Some("y"), Some("m"))
        );
        let plain = Backend::new("a.example", 1).unwrap();
        assert_eq!((plain.model(), plain.model_for("z")), (None, None));
    }

    #[test]
    fn the_name_is_the_endpoint_unless_given() {
        let name = |endpoint: &str| Backend::new(endpoint, 1).unwrap().name().to_owned();
        assert_eq!(name("A.example"), "a.example");
        assert_eq!(name("http://a.example:81/x/y/"), "a.example:81/x/y");
        assert_eq!(Backend::builder("a.example").name("n").build().unwrap().name(), "n");
    }
}
