//! A CSV file with a header, whose errors name line and column.

use std::{
    fmt::Display,
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use csv::{Position, Reader, ReaderBuilder, StringRecord};
use lb_limits::SECOND;

use crate::time;

/// Reads a CSV file line by line.
pub(in crate::traffic) struct DataTable {
    name: String,
    reader: Reader<Box<dyn std::io::Read>>,
    headers: Vec<String>,
    record: StringRecord,
    /// How far the clocks of dates without an offset are ahead of UTC, in nanoseconds.
    ahead: i64,
}

/// A column of a [`DataTable`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::traffic) struct DataColumn(usize);

impl DataTable {
    pub(in crate::traffic) fn open(path: &Path) -> Result<Self, String> {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let file = File::open(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
        Self::read(name, Box::new(file))
    }

    pub(in crate::traffic) fn read(name: String, from: Box<dyn std::io::Read>) -> Result<Self, String> {
        let mut from = BufReader::new(from);
        // An unreadable file is told of when its header is read.
        let delimiter = from.fill_buf().map_or(b',', delimiter);
        let from: Box<dyn std::io::Read> = Box::new(from);
        let mut reader =
            ReaderBuilder::new().flexible(true).delimiter(delimiter).trim(csv::Trim::All).from_reader(from);
        let headers = reader.headers().map_err(|error| unreadable(&name, &error))?;
        let headers = headers.iter().map(str::to_owned).collect();
        Ok(Self { name, reader, headers, record: StringRecord::new(), ahead: 0 })
    }

    /// The same, with dates of clocks that are so many nanoseconds ahead of UTC, where a date does not say.
    pub(in crate::traffic) fn ahead(self, ahead: i64) -> Self {
        Self { ahead, ..self }
    }

    /// The column with one of these names, in this order of preference; case, spaces and punctuation do not matter.
    pub(in crate::traffic) fn find(&self, names: &[&str]) -> Option<DataColumn> {
        names
            .iter()
            .find_map(|name| self.headers.iter().position(|header| plain(header) == plain(name)).map(DataColumn))
    }

    /// The column with one of these names, which must be there.
    pub(in crate::traffic) fn column(&self, names: &[&str]) -> Result<DataColumn, String> {
        self.find(names).ok_or_else(|| {
            let wanted = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ");
            format!("{}:1: there is no column {wanted}; the header has: {}", self.name, self.headers.join(", "))
        })
    }

    /// A problem with the file as its header shows it.
    pub(in crate::traffic) fn refused(&self, problem: impl Display) -> String {
        format!("{}:1: {problem}", self.name)
    }

    /// Goes on to the next line; false after the last.
    pub(in crate::traffic) fn advance(&mut self) -> Result<bool, String> {
        self.reader.read_record(&mut self.record).map_err(|error| unreadable(&self.name, &error))
    }

    /// The value of this line in a column; an error if the line is too short.
    pub(in crate::traffic) fn text(&self, column: DataColumn) -> Result<&str, String> {
        self.record.get(column.0).ok_or_else(|| self.wrong(column, "the line ends before it"))
    }

    /// A value that `parse` understands.
    pub(in crate::traffic) fn value<T>(
        &self,
        column: DataColumn,
        what: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, String> {
        let text = self.text(column)?;
        parse(text).ok_or_else(|| match text {
            "" => self.wrong(column, format!("it is empty, not {what}")),
            text => self.wrong(column, format!("`{}` is not {what}", excerpt(text))),
        })
    }

    /// A time: a number of `unit`s, or a date.
    pub(in crate::traffic) fn time(&self, column: DataColumn, unit: u64) -> Result<u64, String> {
        let is_huge = |text: &str| text.len() >= 12 && text.bytes().all(|digit| digit.is_ascii_digit());
        let what = match self.text(column) {
            Ok(text) if unit == SECOND && is_huge(text) => {
                "a time in seconds; if it counts milliseconds, give `columns` with `time_unit = \"1ms\"`"
            }
            _ => "a time",
        };
        self.value(column, what, |text| time::nanos(text, unit, self.ahead))
    }

    fn wrong(&self, column: DataColumn, problem: impl Display) -> String {
        let line = self.record.position().map_or(0, Position::line);
        format!("{}:{line}, column {}: {problem}", self.name, self.headers[column.0])
    }
}

/// What separates the columns of a header: a semicolon or a tab if it has no comma.
fn delimiter(begin: &[u8]) -> u8 {
    let header = begin.split(|&byte| byte == b'\n').next().unwrap_or(begin);
    let has = |byte: u8| header.contains(&byte);
    match (has(b','), has(b';'), has(b'\t')) {
        (false, true, _) => b';',
        (false, false, true) => b'\t',
        _ => b',',
    }
}

/// What names are compared by.
pub(in crate::traffic) fn plain(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// A value from outside, short enough for an error.
pub(in crate::traffic) fn excerpt(text: &str) -> String {
    if text.chars().count() <= 40 {
        text.escape_debug().collect()
    } else {
        text.chars().take(37).flat_map(char::escape_debug).chain("...".chars()).collect()
    }
}

fn unreadable(name: &str, error: &csv::Error) -> String {
    let line = error.position().map_or(1, Position::line);
    match error.kind() {
        csv::ErrorKind::Utf8 { err, .. } => format!("{name}:{line}: column {} is not UTF-8", err.field() + 1),
        csv::ErrorKind::Io(error) => format!("{name} cannot be read: {error}"),
        _ => format!("{name}:{line}: {error}"),
    }
}
