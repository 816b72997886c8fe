//! A configuration: what is written, and the pools that it makes.

use std::{collections::BTreeMap, env, ffi::OsString, fmt, fs, io, path::Path as FilePath, sync::Arc};

use lb_core::{CredentialSource, PoolBuilder};
use serde::de::DeserializeOwned;

use crate::{
    backend::Surroundings,
    deserializer,
    error::ConfigError,
    json_text,
    node::{Node, Table, Value},
    place::{Path, Place, Source, Step},
    pool::{self, ConfiguredPool},
    secrets::{Environment, SecretFiles},
    settings::Settings,
    toml_text, variables,
};

/// A configuration: read, and not yet checked. [`pool`](Config::pool) and [`pools`](Config::pools) check all of it.
///
/// Clones share what is known of key files, for [`reload_keys`](Config::reload_keys). `Debug` shows where it is from, and
/// nothing that is in it.
#[derive(Clone)]
pub struct Config {
    root: Node,
    /// The names of tables that are the program's own.
    taken: Vec<String>,
    environment: Environment,
    files: SecretFiles,
    sources: BTreeMap<String, Arc<dyn CredentialSource>>,
}

impl Config {
    /// Reads a file: TOML if its name ends with `.toml`, JSON if with `.json`. A relative path to a key file in it begins at
    /// the file's folder.
    ///
    /// # Errors
    ///
    /// If it cannot be read, has another extension, or is no TOML or JSON.
    pub fn from_file(file: impl AsRef<FilePath>) -> Result<Self, ConfigError> {
        let file = file.as_ref();
        let name = file.display().to_string();
        let failed = |message: &str| ConfigError::of_file(&name, message);
        let extension = file.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase);
        let read: fn(&Arc<Source>, &str) -> Result<Node, ConfigError> = match extension.as_deref() {
            Some("toml") => toml_text::read,
            Some("json") => json_text::read,
            _ => return Err(failed("its name should end with .toml or .json, which says how it is read")),
        };
        let bytes = fs::read(file).map_err(|why| match why.kind() {
            io::ErrorKind::NotFound => {
                failed("there is no such file; check the path, which begins at the working directory")
            }
            io::ErrorKind::IsADirectory => failed("it is a folder; give the path of a file in it"),
            _ => failed(&format!("it cannot be read: {why}")),
        })?;
        let source = Arc::new(Source { name: name.clone(), folder: file.parent().map(FilePath::to_owned) });
        let text = String::from_utf8(bytes).map_err(|error| {
            let line =
                error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
            let place = Place::line(Arc::clone(&source), line);
            ConfigError::new(&place, &Path::default(), "this is not UTF-8; save the file as UTF-8")
        })?;
        Self::read(read, &source, &text)
    }

    /// Reads text in TOML. Errors call it `name`. A relative path to a key file begins at the working directory.
    ///
    /// # Errors
    ///
    /// If it is no TOML.
    pub fn from_toml(name: impl Into<String>, text: &str) -> Result<Self, ConfigError> {
        Self::read(toml_text::read, &Arc::new(Source { name: name.into(), folder: None }), text)
    }

    /// Reads text in JSON. Errors call it `name`. A relative path to a key file begins at the working directory.
    ///
    /// # Errors
    ///
    /// If it is no JSON object, or a name stands twice in one.
    pub fn from_json(name: impl Into<String>, text: &str) -> Result<Self, ConfigError> {
        Self::read(json_text::read, &Arc::new(Source { name: name.into(), folder: None }), text)
    }

    /// Reads the environment of this process: all variables whose names begin with `prefix` and `_`.
    ///
    /// # Errors
    ///
    /// As [`from_vars`](Config::from_vars).
    pub fn from_env(prefix: &str) -> Result<Self, ConfigError> {
        Self::nothing(prefix)?.with_env(prefix)
    }

    /// Reads the given variables, of which keys are taken too.
    ///
    /// # Errors
    ///
    /// If `prefix` is no word in capitals; if a variable that begins with it is empty, is not UTF-8, or gives a part and
    /// another the whole of one thing.
    pub fn from_vars<N: Into<OsString>, V: Into<OsString>>(
        prefix: &str,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, ConfigError> {
        Self::nothing(prefix)?.with_vars(prefix, variables)
    }

    /// This configuration, with the variables of this process over it: they override key by key, and add backends and pools.
    ///
    /// # Errors
    ///
    /// As [`from_vars`](Config::from_vars); also if two backends of the file are called the same in variables.
    pub fn with_env(mut self, prefix: &str) -> Result<Self, ConfigError> {
        self.put_over(prefix, env::vars_os())?;
        Ok(self)
    }

    /// The same with the given variables, of which keys are taken too, and not of the process.
    ///
    /// # Errors
    ///
    /// As [`with_env`](Config::with_env).
    pub fn with_vars<N: Into<OsString>, V: Into<OsString>>(
        mut self,
        prefix: &str,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, ConfigError> {
        let variables: Vec<_> = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        self.put_over(prefix, variables.iter().cloned())?;
        self.environment = Environment::Given(Arc::new(variables.into_iter().collect()));
        Ok(self)
    }

    /// This configuration with a source of credentials of the program's own, such as a cache of Entra ID tokens, for backends
    /// that say `credential_source = "NAME"`.
    #[must_use]
    pub fn with_source(mut self, name: impl Into<String>, source: impl CredentialSource + 'static) -> Self {
        self.sources.insert(name.into(), Arc::new(source));
        self
    }

    /// Reads a table of the program's own, such as `[server]`, which the pools are then not asked about. Variables with the
    /// prefix are in it too, and errors tell the place as for the pools. A table that is not there is `None` for an `Option`.
    ///
    /// ```
    /// #[derive(serde::Deserialize)]
    /// #[serde(deny_unknown_fields)]
    /// struct Server {
    ///     port: u16,
    /// }
    ///
    /// # fn main() -> Result<(), lb_config::ConfigError> {
    /// let text = "[server]\nport = 8080\n[[backends]]\nendpoint = 'ptu.openai.azure.com'";
    /// let mut config = lb_config::Config::from_toml("app.toml", text)?;
    /// let server: Server = config.take("server")?;
    /// assert_eq!(server.port, 8080);
    /// let pool = config.pool()?;
    /// # let _ = pool;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If it is missing, or not what `T` takes.
    pub fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, ConfigError> {
        self.taken.push(name.to_owned());
        let path = Path::default().to(name);
        match self.root.get(name) {
            Some(node) => deserializer::read(node, &path),
            None => {
                let nothing = Node::new(self.root.place.clone(), Value::Null);
                let missing = |_| ConfigError::new(&self.root.place, &path, "it is missing");
                deserializer::read(&nothing, &path).map_err(missing)
            }
        }
    }

    /// An error of the program's own, about the value at the end of `path`: names, and for a backend its name or its number. It
    /// has the value's place, or that of the table in which it is missing.
    #[must_use]
    pub fn error(&self, path: &[&str], message: impl fmt::Display) -> ConfigError {
        let mut steps = Path::default();
        for step in path {
            let list = match self.root.find(&steps).map(|node| &node.value) {
                Some(Value::List(list)) => &**list,
                _ => &[],
            };
            let is_named =
                |node: &Node| variables::level_of(node).is_some_and(|level| level == variables::as_level(step));
            let index =
                list.iter().position(is_named).or_else(|| step.parse().ok().filter(|index| *index < list.len()));
            steps = steps.to(index.map_or_else(|| Step::from(*step), Step::Index));
        }
        ConfigError::new(self.root.place_of(&steps), &steps, message)
    }

    /// The one pool, checked: to build it does not fail. Clock and observers can be added before.
    ///
    /// # Errors
    ///
    /// If anything that is written is unknown, of another type or out of range; if something is missing, or does not go
    /// together; if a key cannot be had; or if there are pools by model.
    pub fn pool(&self) -> Result<PoolBuilder, ConfigError> {
        self.checked(pool::one)
    }

    /// The pools by model, in the order of the file, checked as by [`pool`](Config::pool).
    ///
    /// # Errors
    ///
    /// As [`pool`](Config::pool); also if a pool has no models, if one model is in two, or if there is one pool for all models.
    pub fn pools(&self) -> Result<Vec<ConfiguredPool>, ConfigError> {
        self.checked(pool::several)
    }

    /// Reads all key files again that pools of this configuration were made with. Attempts that begin afterwards carry the new
    /// keys; pools and clients stay. Call it when a secret was rotated, or every minute; in async programs on a thread that may
    /// block, because it reads files.
    ///
    /// # Errors
    ///
    /// If one of them cannot be read or used: it keeps the key that it had, and all others have their new ones.
    pub fn reload_keys(&self) -> Result<(), ConfigError> {
        self.files.read_again()
    }

    fn read(
        read: fn(&Arc<Source>, &str) -> Result<Node, ConfigError>,
        source: &Arc<Source>,
        text: &str,
    ) -> Result<Self, ConfigError> {
        // Editors of another system write a mark of the byte order, which is no part of the text.
        let root = read(source, text.strip_prefix('\u{feff}').unwrap_or(text))?;
        Ok(Self::of(root))
    }

    fn nothing(prefix: &str) -> Result<Self, ConfigError> {
        variables::check_prefix(prefix)?;
        Ok(Self::of(Node::new(Place::Prefix(prefix.into()), Value::Table(Table::new()))))
    }

    fn of(root: Node) -> Self {
        Self {
            root,
            taken: Vec::new(),
            environment: Environment::Process,
            files: SecretFiles::default(),
            sources: BTreeMap::new(),
        }
    }

    fn put_over(
        &mut self,
        prefix: &str,
        variables: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<(), ConfigError> {
        variables::check_prefix(prefix)?;
        variables::put_over(&mut self.root, &prefix.into(), variables)
    }

    /// What `make` makes of the settings that are not the program's own.
    fn checked<T>(
        &self,
        make: impl FnOnce(&Settings, &Surroundings<'_>) -> Result<T, ConfigError>,
    ) -> Result<T, ConfigError> {
        let mut root = self.root.clone();
        self.taken.iter().for_each(|name| root.remove(name));
        let settings = deserializer::read(&root, &Path::default())?;
        let Self { environment, files, sources, .. } = self;
        make(&settings, &Surroundings { root: &root, environment, files, sources })
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = match &self.root.place {
            Place::Line { source, .. } => source.name.clone(),
            Place::Variable { prefix, .. } | Place::Prefix(prefix) => format!("{prefix}_*"),
        };
        f.debug_struct("Config").field("from", &from).finish_non_exhaustive()
    }
}
