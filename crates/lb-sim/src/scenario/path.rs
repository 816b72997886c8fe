use std::{fmt, str::FromStr};

use toml::{Table, Value, de::DeTable, de::DeValue};

use super::ScenarioError;

/// A path to a value in a scenario: `run.seed`, `backend.ptu.burst`, `model."gpt-4.1".price_input`.
///
/// In a list of tables the name picks the table; faults and windows, which have none, are counted from 0.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyPath(Vec<String>);

impl FromStr for KeyPath {
    type Err = ScenarioError;

    fn from_str(text: &str) -> Result<Self, ScenarioError> {
        let wrong = || ScenarioError::new(text, "it is no key path; write `backend.NAME.KEY`");
        let document = format!("{text} = 0").parse::<Table>().map_err(|_| wrong())?;
        let mut segments = Vec::new();
        let mut table = &document;
        loop {
            let Some((key, value)) = table.iter().next() else { return Err(wrong()) };
            segments.push(key.clone());
            match value {
                Value::Table(inner) => table = inner,
                _ => return Ok(Self(segments)),
            }
        }
    }
}

impl KeyPath {
    /// The path of these segments.
    pub fn new<S: Into<String>>(segments: impl IntoIterator<Item = S>) -> Self {
        Self(segments.into_iter().map(Into::into).collect())
    }

    /// The last segment: the key itself.
    #[must_use]
    pub fn key(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }

    /// Puts a value where the path leads. A table on the way that is not there is made (`run.limits`); in a list it must be
    /// there.
    pub(super) fn set(&self, document: &mut Table, value: Value) -> Result<(), ScenarioError> {
        let Some((key, way)) = self.0.split_last() else {
            return Err(ScenarioError::new("", "the key path is empty"));
        };
        let mut table = document;
        let mut way = way.iter();
        while let Some(segment) = way.next() {
            table = match table.entry(segment.clone()).or_insert_with(|| Value::Table(Table::new())) {
                Value::Table(inner) => inner,
                Value::Array(list) => {
                    let name = way.next().ok_or_else(|| self.wrong(format!("which `{segment}`? Write its name")))?;
                    element(list, name).ok_or_else(|| self.wrong(format!("there is no `{segment}` named `{name}`")))?
                }
                _ => return Err(self.wrong(format!("there is no table `{segment}`"))),
            };
        }
        table.insert(key.clone(), value);
        Ok(())
    }

    fn wrong(&self, problem: String) -> ScenarioError {
        ScenarioError::new(self.to_string(), problem)
    }
}

/// The table of a list that has this name, or, among tables without names, this index.
fn element<'a>(list: &'a mut [Value], name: &str) -> Option<&'a mut Table> {
    let named = |value: &Value| value.get("name").and_then(Value::as_str) == Some(name);
    let index = match list.iter().position(named) {
        Some(index) => index,
        None => name
            .parse()
            .ok()
            .filter(|&index: &usize| list.get(index).is_some_and(|value| value.get("name").is_none()))?,
    };
    list.get_mut(index)?.as_table_mut()
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.0.iter().enumerate() {
            let dot = if index == 0 { "" } else { "." };
            let is_bare = segment.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
            if is_bare && !segment.is_empty() {
                write!(f, "{dot}{segment}")?;
            } else {
                write!(f, "{dot}\"{segment}\"")?;
            }
        }
        Ok(())
    }
}

/// The dotted path of the key or value that stands at a place in the text; `None` if the text is no TOML, or nothing stands
/// there.
pub(super) fn at(text: &str, offset: usize) -> Option<String> {
    let document = DeTable::parse(text).ok()?;
    let mut path = Vec::new();
    let mut table = document.get_ref();
    'tables: loop {
        for (key, value) in table {
            if key.span().contains(&offset) {
                path.push(key.get_ref().to_string());
                break 'tables;
            }
            let holds = |value: &toml::Spanned<DeValue<'_>>| match value.get_ref() {
                // The span of `[table]` is that of its header: its values are looked at one by one.
                DeValue::Table(inner) => value.span().contains(&offset) || table_holds(inner, offset),
                _ => value.span().contains(&offset),
            };
            let element = match value.get_ref() {
                DeValue::Array(list) => list.iter().enumerate().find(|(_, element)| holds(element)),
                _ => None,
            };
            if let Some((index, element)) = element {
                path.push(key.get_ref().to_string());
                let DeValue::Table(inner) = element.get_ref() else { break 'tables };
                let name = inner.get("name").and_then(|name| name.get_ref().as_str());
                path.push(name.map_or_else(|| index.to_string(), str::to_owned));
                table = inner;
                continue 'tables;
            }
            if holds(value) {
                path.push(key.get_ref().to_string());
                let DeValue::Table(inner) = value.get_ref() else { break 'tables };
                table = inner;
                continue 'tables;
            }
        }
        break;
    }
    (!path.is_empty()).then(|| KeyPath::new(path).to_string())
}

/// Whether a key or a value of the table stands at a place in the text.
fn table_holds(table: &DeTable<'_>, offset: usize) -> bool {
    table.iter().any(|(key, value)| {
        key.span().contains(&offset)
            || value.span().contains(&offset)
            || match value.get_ref() {
                DeValue::Table(inner) => table_holds(inner, offset),
                DeValue::Array(list) => list.iter().any(|element| {
                    element.span().contains(&offset)
                        || element.get_ref().as_table().is_some_and(|inner| table_holds(inner, offset))
                }),
                _ => false,
            }
    })
}

/// Where in the text the value at a dotted path stands, or as much of the path as the text has.
pub(super) fn offset(text: &str, path: &str) -> Option<usize> {
    let path: KeyPath = path.parse().ok()?;
    let document = DeTable::parse(text).ok()?;
    let mut found = None;
    let mut table = document.get_ref();
    let mut segments = path.0.iter();
    while let Some(segment) = segments.next() {
        let Some((key, value)) = table.get_key_value(segment.as_str()) else { return found };
        found = Some(key.span().start);
        table = match value.get_ref() {
            DeValue::Table(inner) => inner,
            DeValue::Array(list) => {
                let Some(name) = segments.next() else { return found };
                let named = |value: &DeValue<'_>| {
                    value.get("name").and_then(|name| name.get_ref().as_str()) == Some(name.as_str())
                };
                let element = list
                    .iter()
                    .find(|element| named(element.get_ref()))
                    .or_else(|| list.get(name.parse::<usize>().ok()?));
                let Some(element) = element else { return found };
                found = Some(element.span().start);
                match element.get_ref() {
                    DeValue::Table(inner) => inner,
                    _ => return found,
                }
            }
            _ => return found,
        };
    }
    found
}
