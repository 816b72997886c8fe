//! A backend, as Python builds it.

use std::collections::BTreeMap;

use lb_core::{Backend as CoreBackend, BackendBuilder, BoxFuture, Credential, CredentialError, CredentialSource};
use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    prelude::*,
};

/// One deployment that can serve requests: where it lives, how much it is preferred, and which credential it takes.
///
/// The first four arguments are those of `openai_priority_loadbalancer`:
///
/// - `host`: a host (`name.openai.azure.com`), a `host:port`, or a URL with a scheme and a path; without a scheme it is https;
/// - `priority`: from 1; lower is preferred;
/// - `path`: what is put before the path of every request;
/// - `api_key`: sent to this backend only, as `api-key`, in place of the caller's credential.
///
/// By name only:
///
/// - `name`: for logs and snapshots, unique in the pool; by default the host and the path;
/// - `weight`: the share of requests among backends of the same priority, from 1 to 100; by default 1;
/// - `deployment`: replaces the segment after `/deployments/` in the path;
/// - `model`: replaces the model in JSON bodies, where the path has no deployment, as with `/openai/v1`;
/// - `models`: the same for single names: a dictionary of the caller's name to the backend's;
/// - `bearer_token`: sent as `authorization: Bearer ...`, in place of the caller's credential;
/// - `token_provider`: called before each attempt for a bearer token; it gives text, or under `AsyncLoadBalancer` also
///   something to await. It should answer from a cache, as those of azure-identity do;
/// - `forward_caller_credential`: gets the caller's credential, though other backends have their own;
/// - `caller_credential_headers`, `caller_credential_parameters`: names of headers and of query parameters that carry the
///   caller's credential, beside the usual ones: removed where the backend has a credential of its own.
///
/// Raises `ValueError` with what is wrong, and never with a key.
#[pyclass(frozen, module = "lb_python")]
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) backend: CoreBackend,
    pub(crate) provider: Option<Py<PyAny>>,
}

#[pymethods]
impl Backend {
    #[new]
    #[pyo3(signature = (
        host, priority, path=None, api_key=None, *, name=None, weight=1, deployment=None, model=None, models=None,
        bearer_token=None, token_provider=None, forward_caller_credential=false,
        caller_credential_headers=Vec::new(), caller_credential_parameters=Vec::new(),
    ))]
    #[expect(clippy::too_many_arguments, reason = "Python names them")]
    fn new(
        host: &str,
        priority: u32,
        path: Option<&str>,
        api_key: Option<&str>,
        name: Option<String>,
        weight: u32,
        deployment: Option<String>,
        model: Option<String>,
        models: Option<BTreeMap<String, String>>,
        bearer_token: Option<&str>,
        token_provider: Option<Bound<'_, PyAny>>,
        forward_caller_credential: bool,
        caller_credential_headers: Vec<String>,
        caller_credential_parameters: Vec<String>,
    ) -> PyResult<Self> {
        let credentials =
            [api_key.is_some(), bearer_token.is_some(), token_provider.is_some(), forward_caller_credential];
        if credentials.into_iter().filter(|&is_given| is_given).count() > 1 {
            return Err(PyValueError::new_err(
                "a backend has one credential: api_key, bearer_token, token_provider, or forward_caller_credential",
            ));
        }
        let endpoint = match path.map(|path| path.trim_matches('/')).filter(|path| !path.is_empty()) {
            Some(path) => format!("{}/{path}", host.trim_end_matches('/')),
            None => host.to_owned(),
        };
        let mut builder = CoreBackend::builder(endpoint).priority(priority).weight(weight);
        builder = given(builder, name, BackendBuilder::name);
        builder = given(builder, deployment, BackendBuilder::deployment);
        builder = given(builder, model, BackendBuilder::model);
        builder = given(builder, api_key, BackendBuilder::api_key);
        builder = given(builder, bearer_token, BackendBuilder::bearer_token);
        for (callers, backends) in models.into_iter().flatten() {
            builder = builder.model_for(callers, backends);
        }
        if let Some(provider) = &token_provider {
            if !provider.is_callable() {
                return Err(PyTypeError::new_err(
                    "token_provider must be callable, such as a function that gives a token",
                ));
            }
            builder = builder.credential_source(Provider(provider.as_ptr().addr()));
        }
        if forward_caller_credential {
            builder = builder.forward_caller_credential();
        }
        builder = caller_credential_headers.iter().fold(builder, BackendBuilder::caller_credential_header);
        builder = caller_credential_parameters.iter().fold(builder, BackendBuilder::caller_credential_parameter);
        let backend = builder.build().map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(Self { backend, provider: token_provider.map(Bound::unbind) })
    }

    /// The name for logs and snapshots.
    #[getter]
    fn name(&self) -> &str {
        self.backend.name()
    }

    /// Host and port, as in the `Host` header.
    #[getter]
    pub(crate) fn host(&self) -> &str {
        self.backend.authority().as_str()
    }

    /// Scheme, host and port.
    #[getter]
    fn origin(&self) -> String {
        self.backend.origin()
    }

    /// What is put before the path of every request: empty, or `/` and segments.
    #[getter]
    fn path(&self) -> &str {
        self.backend.path_prefix()
    }

    /// The priority from 1; lower is preferred.
    #[getter]
    fn priority(&self) -> u32 {
        self.backend.priority()
    }

    /// The weight among the backends of the same priority.
    #[getter]
    fn weight(&self) -> u32 {
        self.backend.weight()
    }

    /// The deployment name that replaces the one in the request's path.
    #[getter]
    fn deployment(&self) -> Option<&str> {
        self.backend.deployment()
    }

    /// What is called for a token before each attempt.
    #[getter]
    fn token_provider(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.provider.as_ref().map(|provider| provider.clone_ref(py))
    }

    /// Whether it has names of its own for models, which go into bodies.
    #[getter]
    fn has_models(&self) -> bool {
        self.backend.has_models()
    }

    fn __repr__(&self) -> String {
        let (name, origin) = (self.backend.name(), self.backend.origin());
        let (path, priority) = (self.backend.path_prefix(), self.backend.priority());
        format!("<Backend {name}: {origin}{path}, priority {priority}>")
    }
}

fn given<T>(
    builder: BackendBuilder,
    value: Option<T>,
    set: impl FnOnce(BackendBuilder, T) -> BackendBuilder,
) -> BackendBuilder {
    match value {
        Some(value) => set(builder, value),
        None => builder,
    }
}

/// Says that a backend has a credential of its own, and which Python object it comes from. The Python side calls it, because
/// only that can await what it gives.
struct Provider(usize);

impl CredentialSource for Provider {
    fn credential(&self) -> BoxFuture<'_, Result<Credential, CredentialError>> {
        Box::pin(std::future::ready(Err(CredentialError::new("its token provider is called by the transport"))))
    }

    fn identity(&self) -> Option<usize> {
        Some(self.0)
    }
}
