use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
};

use super::Failure;

/// A file to write to, or `-` for standard output.
pub(super) fn is_stdout(file: &Path) -> bool {
    file == Path::new("-")
}

/// Standard output holds one thing: at most one of these is `-`. Whether one is: then no summary is printed.
pub(super) fn claims_stdout<'a>(files: impl IntoIterator<Item = Option<&'a Path>>) -> Result<bool, Failure> {
    match files.into_iter().flatten().filter(|file| is_stdout(file)).count() {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Failure::Usage("only one output can be `-`".to_owned())),
    }
}

/// Writes a text to a file or to standard output.
pub(super) fn write(file: &Path, text: &str) -> Result<(), Failure> {
    if is_stdout(file) {
        return print(text);
    }
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    }
    fs::write(file, text).map_err(|error| unwritable(file, &error))
}

/// Prints to standard output, with a newline at the end. A reader who has gone (`| head`) has read enough.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let newline = if text.ends_with('\n') { "" } else { "\n" };
    let written = write!(stdout, "{text}{newline}").and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(unwritable(Path::new("standard output"), &error))
        }
        _ => Ok(()),
    }
}

/// Lets this write to a file or to standard output, through a buffer.
pub(super) fn stream(file: &Path, body: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let target: Box<dyn Write> = if is_stdout(file) {
        Box::new(io::stdout().lock())
    } else {
        Box::new(File::create(file).map_err(|error| unwritable(file, &error))?)
    };
    let mut writer = BufWriter::new(target);
    match body(&mut writer).and_then(|()| writer.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(unwritable(file, &error)),
        _ => Ok(()),
    }
}

fn unwritable(file: &Path, error: &io::Error) -> Failure {
    Failure::Failed(format!("{} cannot be written: {error}", file.display()))
}

/// One line on standard error.
pub(super) fn error_line(problem: &str) {
    note_line(&format!("error: {problem}"));
}

/// One line on standard error that is no error.
pub(super) fn note_line(note: &str) {
    // Nobody is left to tell if that fails.
    let _ = writeln!(io::stderr(), "{}", note.replace('\n', " "));
}
