//! Files of JSON lines.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
};

use serde::de::DeserializeOwned;

/// Reads a file line by line as `read` does; errors begin with its name.
pub(super) fn in_file<T>(
    path: &Path,
    read: impl FnOnce(&str, Box<dyn Read>) -> Result<T, String>,
) -> Result<T, String> {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let file = File::open(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    read(&name, Box::new(file))
}

/// Hands every line that is not blank to `take`, with its place in the file for errors: `name:number`.
pub(super) fn each<L: DeserializeOwned>(
    name: &str,
    from: impl Read,
    mut take: impl FnMut(&str, L) -> Result<(), String>,
) -> Result<(), String> {
    for (line, number) in BufReader::new(from).lines().zip(1..) {
        let place = format!("{name}:{number}");
        let line = line.map_err(|error| format!("{place}: {error}"))?;
        if line.trim().is_empty() {
            continue;
        }
        let read = serde_json::from_str(&line)
            .map_err(|error| format!("{place}, column {}: {}", error.column(), without_place(&error)))?;
        take(&place, read)?;
    }
    Ok(())
}

/// The message of a JSON error without its place, which counts inside one line.
fn without_place(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.rfind(" at line ") {
        Some(end) => message[..end].to_owned(),
        None => message,
    }
}
