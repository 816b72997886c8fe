//! Reads JSON.
//!
//! serde_json tells no positions of values, but hands out slices of the text: where one begins is its position.

use std::{collections::HashMap, fmt, sync::Arc};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{
    error::ConfigError,
    node::{Node, Table, Value},
    place::{Path, Place, Source, line_of},
};

/// Each level is read anew, so that their number is bounded; a configuration has six.
const MAX_DEPTH: usize = 32;

/// The tree of a text in JSON.
pub(crate) fn read(source: &Arc<Source>, text: &str) -> Result<Node, ConfigError> {
    let reader = Reader { source, text };
    let whole = Path::default();
    let raw: &RawValue = serde_json::from_str(text).map_err(|error| reader.error(1, &whole, &error))?;
    let place = reader.place(raw);
    let value = reader.value(raw, &place, &whole)?;
    match value {
        Value::Table(_) => Ok(Node::new(place, value)),
        _ => Err(ConfigError::new(&place, &whole, r#"it is no object; write { "backends": [..] }"#)),
    }
}

struct Reader<'a> {
    source: &'a Arc<Source>,
    text: &'a str,
}

impl<'a> Reader<'a> {
    fn line(&self, raw: &RawValue) -> usize {
        line_of(self.text, raw.get().as_ptr().addr() - self.text.as_ptr().addr())
    }

    fn place(&self, raw: &RawValue) -> Place {
        Place::line(Arc::clone(self.source), self.line(raw))
    }

    /// What is wrong in a part of the text that begins in `line`.
    fn error(&self, line: usize, path: &Path, error: &serde_json::Error) -> ConfigError {
        let place = Place::line(Arc::clone(self.source), line + error.line().max(1) - 1);
        let text = error.to_string();
        let message = text.split(" at line ").next().unwrap_or_default();
        ConfigError::new(&place, path, format_args!("this is no JSON: {message}"))
    }

    fn parse<T: Deserialize<'a>>(&self, raw: &'a RawValue, path: &Path) -> Result<T, ConfigError> {
        serde_json::from_str(raw.get()).map_err(|error| self.error(self.line(raw), path, &error))
    }

    fn value(&self, raw: &'a RawValue, place: &Place, path: &Path) -> Result<Value, ConfigError> {
        if path.0.len() > MAX_DEPTH {
            return Err(ConfigError::new(place, path, "it is nested too deeply"));
        }
        Ok(match raw.get().as_bytes().first() {
            Some(b'{') => Value::Table(self.table(raw, path)?),
            Some(b'[') => {
                let items: Vec<&RawValue> = self.parse(raw, path)?;
                let item = |(index, item): (usize, &'a RawValue)| {
                    let place = self.place(item);
                    let value = self.value(item, &place, &path.to(index))?;
                    Ok(Node::new(place, value))
                };
                Value::List(items.into_iter().enumerate().map(item).collect::<Result<_, _>>()?)
            }
            Some(b'"') => Value::Text(self.parse(raw, path)?),
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'n') => Value::Null,
            _ => match raw.get().parse() {
                Ok(number) => Value::Integer(number),
                Err(_) => Value::Float(self.parse(raw, path)?),
            },
        })
    }

    fn table(&self, raw: &'a RawValue, path: &Path) -> Result<Table, ConfigError> {
        let members: Members<'a> = self.parse(raw, path)?;
        let mut table = Table::with_capacity(members.0.len());
        let mut lines = HashMap::with_capacity(members.0.len());
        for (name, value) in members.0 {
            let place = self.place(name);
            let text: String = self.parse(name, path)?;
            let path = path.to(&*text);
            if let Some(first) = lines.insert(text.clone(), self.line(name)) {
                return Err(ConfigError::new(
                    &place,
                    &path,
                    format_args!("it stands in line {first} too; keep one of them"),
                ));
            }
            let value = self.value(value, &place, &path)?;
            table.push((text, Node::new(place, value)));
        }
        Ok(table)
    }
}

/// The members of an object, as slices of the text.
struct Members<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Slices;

        impl<'de> Visitor<'de> for Slices {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Slices)
    }
}
