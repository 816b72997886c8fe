//! The page that has the tables: each stands between two comments that name it.

use std::{error::Error, fs, path::PathBuf, process::ExitCode};

use crate::tables::TABLES;

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/policies.md")
}

/// Puts all tables in.
pub(crate) fn write() -> Result<(), Box<dyn Error>> {
    Ok(fs::write(file(), current(&fs::read_to_string(file())?)?)?)
}

/// Whether the tables are those that the scenarios give now.
pub(crate) fn check() -> Result<ExitCode, Box<dyn Error>> {
    let text = fs::read_to_string(file())?;
    let now = current(&text)?;
    if now == text {
        println!("the tables of docs/policies.md are current");
        return Ok(ExitCode::SUCCESS);
    }
    for (was, is) in text.lines().zip(now.lines()).filter(|(was, is)| was != is) {
        eprintln!("- {was}\n+ {is}");
    }
    eprintln!("docs/policies.md has old tables; --write puts the new ones in");
    Ok(ExitCode::FAILURE)
}

/// The page with the tables as they are now.
fn current(text: &str) -> Result<String, Box<dyn Error>> {
    TABLES.iter().try_fold(text.to_owned(), |text, (name, table)| {
        let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
        let place = text.split_once(&begin).and_then(|(before, rest)| {
            let (_, after) = rest.split_once(&end)?;
            Some((before, after))
        });
        let (before, after) = place.ok_or_else(|| format!("docs/policies.md has no place for the table `{name}`"))?;
        Ok(format!("{before}{begin}{}{end}{after}", table()?))
    })
}
