//! Reads TOML.

use std::sync::Arc;

use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

use crate::{
    error::ConfigError,
    node::{Node, Table, Value},
    place::{Path, Place, Source, line_of},
};

/// The tree of a text in TOML.
pub(crate) fn read(source: &Arc<Source>, text: &str) -> Result<Node, ConfigError> {
    let reader = Reader { source, text };
    let table = DeTable::parse(text).map_err(|error| {
        let place = reader.place(error.span().map_or(0, |span| span.start));
        // The message alone: the error as a whole quotes the line, in which a key could be.
        ConfigError::new(&place, &Path::default(), format_args!("this is no TOML: {}", error.message().trim_end()))
    })?;
    Ok(Node::new(reader.place(0), Value::Table(reader.table(table.get_ref(), &Path::default())?)))
}

struct Reader<'a> {
    source: &'a Arc<Source>,
    text: &'a str,
}

impl Reader<'_> {
    fn place(&self, offset: usize) -> Place {
        Place::line(Arc::clone(self.source), line_of(self.text, offset))
    }

    fn table(&self, table: &DeTable<'_>, path: &Path) -> Result<Table, ConfigError> {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        let entry = |(name, value): (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)| {
            let text: &str = name.get_ref();
            // A value begins in the line of its name, and a table at the header that names it.
            let place = self.place(name.span().start);
            let value = self.value(value.get_ref(), &place, &path.to(text))?;
            Ok((text.to_owned(), Node::new(place, value)))
        };
        entries.into_iter().map(entry).collect()
    }

    fn value(&self, value: &DeValue<'_>, place: &Place, path: &Path) -> Result<Value, ConfigError> {
        let number = || ConfigError::new(place, path, "it is a number that is too large");
        Ok(match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Datetime(moment) => Value::Text(moment.to_string()),
            DeValue::Boolean(value) => Value::Bool(*value),
            DeValue::Integer(digits) => {
                Value::Integer(i128::from_str_radix(digits.as_str(), digits.radix()).map_err(|_| number())?)
            }
            DeValue::Float(digits) => Value::Float(digits.as_str().parse().map_err(|_| number())?),
            DeValue::Table(table) => Value::Table(self.table(table, path)?),
            DeValue::Array(list) => {
                let item = |(index, item): (usize, &Spanned<DeValue<'_>>)| {
                    let place = self.place(item.span().start);
                    let value = self.value(item.get_ref(), &place, &path.to(index))?;
                    Ok(Node::new(place, value))
                };
                Value::List(list.iter().enumerate().map(item).collect::<Result<_, _>>()?)
            }
        })
    }
}
