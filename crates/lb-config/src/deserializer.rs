//! Reads plain data out of a tree, with the place of whatever is wrong.

use std::{slice, vec};

use serde::{
    Deserialize,
    de::{
        DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
        VariantAccess, Visitor,
        value::{MapAccessDeserializer, StrDeserializer},
    },
    forward_to_deserialize_any,
};

use crate::{
    error::ConfigError,
    fault::Fault,
    node::{Node, Table, Value},
    place::Path,
};

/// The data that is written in `node`, at the end of `path`.
pub(crate) fn read<'de, T: Deserialize<'de>>(node: &Node, path: &Path) -> Result<T, ConfigError> {
    T::deserialize(node).map_err(|fault| fault.into_error(path, &node.place))
}

/// The parts of a variable's text that is a list.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

impl Node {
    fn unexpected(&self) -> Unexpected<'_> {
        match &self.value {
            Value::Null => Unexpected::Unit,
            Value::Bool(value) => Unexpected::Bool(*value),
            Value::Integer(number) => Unexpected::Signed(i64::try_from(*number).unwrap_or(i64::MAX)),
            Value::Float(number) => Unexpected::Float(*number),
            Value::Text(text) | Value::Variable(text) => Unexpected::Str(text),
            Value::List(_) => Unexpected::Seq,
            Value::Table(_) => Unexpected::Map,
        }
    }

    fn part(&self, text: &str) -> Self {
        Self::new(self.place.clone(), Value::Variable(text.to_owned()))
    }
}

/// The visitor's method for numbers that a variable has as text.
macro_rules! numbers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            match &self.value {
                Value::Variable(text) => match text.trim().parse::<i128>() {
                    Ok(number) => visit_integer(number, visitor),
                    Err(_) => Err(Fault::invalid_type(self.unexpected(), &visitor)),
                },
                _ => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for &Node {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Integer(number) => visit_integer(*number, visitor),
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Text(text) | Value::Variable(text) => visitor.visit_str(text),
            Value::List(list) => visitor.visit_seq(Items(list.iter().enumerate())),
            Value::Table(table) => visitor.visit_map(Entries::of(table)),
        }
    }

    numbers! { deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128 }
    numbers! { deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.value {
            Value::Variable(text) => match text.trim().parse() {
                Ok(number) => visitor.visit_f64(number),
                Err(_) => Err(Fault::invalid_type(self.unexpected(), &visitor)),
            },
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.value {
            Value::Variable(text) => match text.trim().parse() {
                Ok(value) => visitor.visit_bool(value),
                Err(_) => Err(Fault::invalid_type(self.unexpected(), &visitor)),
            },
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.value {
            Value::Variable(text) => {
                let list: Vec<_> = parts(text).map(|part| self.part(part)).collect();
                visitor.visit_seq(Items(list.iter().enumerate()))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Value::Variable(text) = &self.value else { return self.deserialize_any(visitor) };
        let pair = |part: &str| match part.split_once('=') {
            Some((name, value)) => Ok((name.trim().to_owned(), self.part(value.trim()))),
            None => Err(Fault::custom("it should be pairs: \"name=value, name=value\"")),
        };
        let table = parts(text).map(pair).collect::<Result<Table, _>>()?;
        visitor.visit_map(Entries::of(&table))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.value {
            Value::Table(_) => self.deserialize_any(visitor),
            // A sequence of values without names is what serde would take too.
            Value::Variable(_) => {
                let fields: Vec<_> = fields.iter().map(|field| format!("__{}", field.to_uppercase())).collect();
                Err(Fault::custom(format_args!("it is a table; append one of {}", fields.join(", "))))
            }
            _ => Err(Fault::invalid_type(self.unexpected(), &"a table")),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.value {
            Value::Text(text) | Value::Variable(text) => visitor.visit_enum(Variant(text)),
            Value::Table(table) => visitor.visit_enum(MapAccessDeserializer::new(Entries::of(table))),
            _ => Err(Fault::invalid_type(self.unexpected(), &"a string")),
        }
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

fn visit_integer<'de, V: Visitor<'de>>(number: i128, visitor: V) -> Result<V::Value, Fault> {
    if let Ok(number) = u64::try_from(number) {
        visitor.visit_u64(number)
    } else if let Ok(number) = i64::try_from(number) {
        visitor.visit_i64(number)
    } else {
        visitor.visit_i128(number)
    }
}

/// A variant without anything in it.
struct Variant<'a>(&'a str);

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), Fault> {
        let name: StrDeserializer<'_, Fault> = self.0.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Fault> {
        Err(Fault::invalid_type(Unexpected::Str(self.0), &"a table with this name in it"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Fault> {
        Err(Fault::invalid_type(Unexpected::Str(self.0), &"a table with this name in it"))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Fault> {
        Err(Fault::invalid_type(Unexpected::Str(self.0), &"a table with this name in it"))
    }
}

/// What is in a list.
struct Items<'a>(std::iter::Enumerate<slice::Iter<'a, Node>>);

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some((index, node)) = self.0.next() else { return Ok(None) };
        seed.deserialize(node).map(Some).map_err(|fault| fault.below(index, &node.place))
    }
}

/// What is in a table.
struct Entries<'a> {
    entries: vec::IntoIter<&'a (String, Node)>,
    value: Option<&'a (String, Node)>,
}

impl<'a> Entries<'a> {
    fn of(table: &'a Table) -> Self {
        Self { entries: table.iter().collect::<Vec<_>>().into_iter(), value: None }
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some(entry) = self.entries.next() else { return Ok(None) };
        self.value = Some(entry);
        let (name, node) = entry;
        let key: StrDeserializer<'_, Fault> = name.as_str().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|fault| fault.below(&**name, &node.place))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Fault> {
        let Some((name, node)) = self.value.take() else { return Err(Fault::custom("a value without a name")) };
        seed.deserialize(node).map_err(|fault| fault.below(&**name, &node.place))
    }
}
