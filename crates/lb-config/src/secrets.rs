//! Keys and tokens: where they come from, and how they are read again.

use std::{
    collections::HashMap,
    env,
    ffi::OsString,
    fs::File,
    io::{self, Read},
    path::{Path as FilePath, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use lb_core::{BackendBuilder, Credential, CredentialError, RotatingCredential};

use crate::{
    error::ConfigError,
    place::{Path, Place},
};

/// No key and no token is longer; a device or a log has no end.
const LONGEST: u64 = 64 * 1024;

/// Where variables are looked up.
#[derive(Clone)]
pub(crate) enum Environment {
    Process,
    Given(Arc<HashMap<OsString, OsString>>),
}

impl Environment {
    fn get(&self, name: &str) -> Option<OsString> {
        match self {
            Self::Process => env::var_os(name),
            Self::Given(variables) => variables.get(&OsString::from(name)).cloned(),
        }
    }
}

/// What a secret is sent as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    ApiKey,
    BearerToken,
}

/// A secret that can be sent. It cannot be printed.
pub(crate) struct Secret {
    kind: Kind,
    text: String,
    credential: Credential,
}

impl Secret {
    fn new(kind: Kind, text: &str) -> Result<Self, CredentialError> {
        let credential = match kind {
            Kind::ApiKey => Credential::api_key(text)?,
            Kind::BearerToken => Credential::bearer_token(text)?,
        };
        Ok(Self { kind, text: text.to_owned(), credential })
    }

    /// A backend that gets it.
    pub(crate) fn put_into(&self, builder: BackendBuilder) -> BackendBuilder {
        match self.kind {
            Kind::ApiKey => builder.api_key(&self.text),
            Kind::BearerToken => builder.bearer_token(&self.text),
        }
    }
}

/// The secret in the variable that a value names; `place` and `path` are the value's.
pub(crate) fn in_variable(
    kind: Kind,
    name: &str,
    environment: &Environment,
    place: &Place,
    path: &Path,
) -> Result<Secret, ConfigError> {
    // Strict, and not quoted: somebody will write the key itself here.
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    if !name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_') || !name.chars().all(is_name) {
        let message =
            "it should be the name of an environment variable in capitals, such as \"PTU_KEY\", and not the secret";
        return Err(ConfigError::new(place, path, message));
    }
    // A variable that holds the key itself is the place already.
    let is_place = matches!(place, Place::Variable { name: written, .. } if **written == *name);
    let subject = if is_place { "it".to_owned() } else { format!("the environment variable {name}") };
    let error = |message: String| ConfigError::new(place, path, message).about_variable(name);
    let Some(value) = environment.get(name) else {
        return Err(error(format!("{subject} is not set; export it with the secret")));
    };
    let Ok(secret) = value.into_string() else {
        return Err(error(format!("{subject} is not UTF-8; export it anew")));
    };
    if secret.is_empty() {
        return Err(error(format!("{subject} is empty; export it with the secret")));
    }
    Secret::new(kind, &secret).map_err(|why| error(format!("{subject} cannot be used: {why}")))
}

/// All files with secrets that pools were made with. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct SecretFiles(Arc<Mutex<Vec<SecretFile>>>);

/// A file with a secret, as a value of the configuration names it.
#[derive(Clone)]
struct SecretFile {
    kind: Kind,
    file: PathBuf,
    place: Place,
    path: Path,
    credential: RotatingCredential,
}

impl SecretFiles {
    /// The secret in the file that a value names, now and as a source that is rotated. One file is one source.
    pub(crate) fn read(
        &self,
        kind: Kind,
        name: &str,
        place: &Place,
        path: &Path,
    ) -> Result<(Secret, RotatingCredential), ConfigError> {
        let folder = match place {
            Place::Line { source, .. } => source.folder.as_deref(),
            _ => None,
        };
        let file = folder.unwrap_or(FilePath::new("")).join(name);
        let now = read(kind, &file, place, path)?;
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = files.iter().find(|known| known.kind == kind && known.file == file);
        let credential = match known {
            Some(known) => {
                known.credential.rotate(now.credential.clone());
                known.credential.clone()
            }
            None => {
                let credential = RotatingCredential::new(now.credential.clone());
                let (place, path) = (place.clone(), path.clone());
                files.push(SecretFile { kind, file, place, path, credential: credential.clone() });
                credential
            }
        };
        Ok((now, credential))
    }

    /// Reads all of them again. Who cannot be read keeps what it had.
    pub(crate) fn read_again(&self) -> Result<(), ConfigError> {
        // Not under the lock: a file may be on a network.
        let files = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut first_error = Ok(());
        for SecretFile { kind, file, place, path, credential } in files {
            match read(kind, &file, &place, &path) {
                Ok(secret) => credential.rotate(secret.credential),
                Err(error) => first_error = first_error.and(Err(error)),
            }
        }
        first_error
    }
}

fn read(kind: Kind, file: &FilePath, place: &Place, path: &Path) -> Result<Secret, ConfigError> {
    // The secret itself, written here by mistake, is not printed: it hardly looks like a path.
    let printed = file.display().to_string();
    let name = if printed.contains(['/', '\\', '.']) { printed } else { "with this name".to_owned() };
    let error = |message: String| ConfigError::new(place, path, format_args!("the file {name} {message}"));
    let text = text_of(file).map_err(|why| match why.kind() {
        io::ErrorKind::NotFound => error("does not exist; write the secret into it".to_owned()),
        io::ErrorKind::IsADirectory => error("is a folder; name a file in it".to_owned()),
        io::ErrorKind::InvalidData => error("is not UTF-8, or too long for a secret".to_owned()),
        _ => error(format!("cannot be read: {why}")),
    })?;
    // Editors and `echo` end the last line.
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(error("is empty; write the secret into it".to_owned()));
    }
    Secret::new(kind, secret).map_err(|why| error(format!("cannot be used: {why}")))
}

fn text_of(file: &FilePath) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(file)?.take(LONGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData.into())
}
