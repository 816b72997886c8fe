//! What the deserializer finds wrong, on its way up to where its place is known.

use std::fmt::{self, Display};

use serde::de::{Error, Expected, Unexpected};

use crate::{
    error::ConfigError,
    place::{Path, Place, Step},
    suggestion,
};

/// What is wrong with a value, and where. No text of the configuration is in it but names.
#[derive(Debug)]
pub(crate) struct Fault {
    problem: Problem,
    place: Option<Place>,
    /// The way to it, the last step first.
    back: Vec<Step>,
}

#[derive(Debug)]
enum Problem {
    Said(String),
    Missing,
    /// A name that does not exist, and those that do.
    Unknown {
        name: String,
        known: &'static [&'static str],
    },
}

impl Fault {
    fn said(message: impl Display) -> Self {
        Self { problem: Problem::Said(message.to_string()), place: None, back: Vec::new() }
    }

    /// The same, one step further from the root. The place is that of the innermost value.
    pub(crate) fn below(mut self, step: impl Into<Step>, place: &Place) -> Self {
        self.back.push(step.into());
        self.written_at(place)
    }

    /// The same, where no place is known yet.
    pub(crate) fn written_at(mut self, place: &Place) -> Self {
        self.place.get_or_insert_with(|| place.clone());
        self
    }

    /// The error, of a value at the end of `path`.
    pub(crate) fn into_error(self, path: &Path, place: &Place) -> ConfigError {
        let place = self.place.as_ref().unwrap_or(place);
        let mut path = path.clone();
        path.0.extend(self.back.into_iter().rev());
        match self.problem {
            Problem::Said(message) => ConfigError::new(place, &path, message),
            Problem::Missing => ConfigError::missing(place, &path, "it is missing; write it too"),
            Problem::Unknown { name, known } => {
                ConfigError::new(place, &path, suggestion::unknown(&name, known, place, &path))
            }
        }
    }
}

impl Error for Fault {
    fn custom<T: Display>(message: T) -> Self {
        Self::said(message)
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        // The kind alone: what was written here may be a key that belongs elsewhere.
        let found = match unexpected {
            Unexpected::Bool(_) => "true or false",
            Unexpected::Unsigned(_) | Unexpected::Signed(_) => "a whole number",
            Unexpected::Float(_) => "a number with a fraction",
            Unexpected::Str(_) | Unexpected::Char(_) => "text",
            Unexpected::Unit | Unexpected::Option => "null",
            Unexpected::Seq => "a list",
            Unexpected::Map => "a table",
            _ => "something else",
        };
        Self::said(format_args!("it is {found}, and should be {}", wanted(&expected.to_string())))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let wanted = wanted(&expected.to_string());
        match unexpected {
            Unexpected::Unsigned(number) => Self::said(format_args!("it is {number}, and should be {wanted}")),
            Unexpected::Signed(number) => Self::said(format_args!("it is {number}, and should be {wanted}")),
            _ => Self::said(format_args!("it should be {wanted}")),
        }
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        Self { problem: Problem::Unknown { name: field.to_owned(), known }, place: None, back: Vec::new() }
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        let known: Vec<_> = known.iter().map(|name| format!("{name:?}")).collect();
        let meant = suggestion::nearest(variant, known.iter().map(|name| name.trim_matches('"')));
        let meant = meant.map(|name| format!("did you mean {name:?}? ")).unwrap_or_default();
        Self::said(format_args!("{meant}it should be one of {}", known.join(", ")))
    }

    fn missing_field(field: &'static str) -> Self {
        Self { problem: Problem::Missing, place: None, back: vec![field.into()] }
    }
}

/// What serde's derived code wants, in words.
fn wanted(expected: &str) -> String {
    let up_to = |largest: u128| format!("a whole number from 0 to {largest}");
    match expected {
        "u8" => up_to(u8::MAX.into()),
        "u16" => up_to(u16::MAX.into()),
        "u32" => up_to(u32::MAX.into()),
        "u64" | "usize" => up_to(u64::MAX.into()),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a string" => "text in quotes".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "a table".to_owned(),
        _ if expected.starts_with("struct ") => "a table".to_owned(),
        _ => expected.to_owned(),
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            Problem::Said(message) => f.write_str(message),
            Problem::Missing => f.write_str("something is missing"),
            Problem::Unknown { .. } => f.write_str("unknown name"),
        }
    }
}

impl std::error::Error for Fault {}
