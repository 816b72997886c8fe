//! The parameters of a JSON body, and how the live service refuses them.

use std::fmt::Display;

use serde_json::{Map, Value};

use crate::problem::Problem;

/// A request's JSON object. A parameter that is `null` counts as absent.
#[derive(Debug, PartialEq)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Problem> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(other) => Err(wrong_type("body", "an object", &other)),
            Err(_) => Err(Problem::invalid("We could not parse the JSON body of your request.", None, None)),
        }
    }

    /// The object that is the parameter `name` of another.
    pub(crate) fn of(name: &str, value: &Value) -> Result<Self, Problem> {
        match value {
            Value::Object(fields) => Ok(Self(fields.clone())),
            other => Err(wrong_type(name, "an object", other)),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn required(&self, name: &str) -> Result<&Value, Problem> {
        self.get(name).ok_or_else(|| missing(name))
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, Problem> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong_type(name, "a string", other)),
        }
    }

    pub(crate) fn required_text(&self, name: &str) -> Result<&str, Problem> {
        self.text(name)?.ok_or_else(|| missing(name))
    }

    /// `false` if it is absent.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(wrong_type(name, "a boolean", other)),
        }
    }

    /// A whole number of at least `min`.
    pub(crate) fn integer(&self, name: &str, min: u64) -> Result<Option<u64>, Problem> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.as_u64() {
            Some(number) if number >= min => Ok(Some(number)),
            Some(_) => Err(out_of_range(name, "integer", false, min, value)),
            None if value.is_i64() => Err(out_of_range(name, "integer", false, min, value)),
            None => Err(wrong_type(name, "an integer", value)),
        }
    }

    /// Checks a number that changes nothing in the emulator.
    pub(crate) fn decimal(&self, name: &str, min: f64, max: f64) -> Result<(), Problem> {
        let Some(value) = self.get(name) else { return Ok(()) };
        match value.as_f64() {
            Some(number) if number < min => Err(out_of_range(name, "decimal", false, min, value)),
            Some(number) if number > max => Err(out_of_range(name, "decimal", true, max, value)),
            Some(_) => Ok(()),
            None => Err(wrong_type(name, "a decimal", value)),
        }
    }

    /// A list that is not empty.
    pub(crate) fn list(&self, name: &str) -> Result<&[Value], Problem> {
        match self.required(name)? {
            Value::Array(list) if list.is_empty() => {
                let message = format!(
                    "Invalid '{name}': empty array. Expected an array with minimum length 1, but got an empty array \
                     instead."
                );
                Err(Problem::invalid(&message, Some(name), Some("empty_array")))
            }
            Value::Array(list) => Ok(list),
            other => Err(wrong_type(name, "an array", other)),
        }
    }
}

/// The parameter is not there.
pub(crate) fn missing(name: &str) -> Problem {
    let message = format!("Missing required parameter: '{name}'.");
    Problem::invalid(&message, Some(name), Some("missing_required_parameter"))
}

/// The parameter's value is of another type.
pub(crate) fn wrong_type(name: &str, expected: &str, value: &Value) -> Problem {
    let message = format!("Invalid type for '{name}': expected {expected}, but got {} instead.", kind(value));
    Problem::invalid(&message, Some(name), Some("invalid_type"))
}

/// The parameter's value is none of those that there are.
pub(crate) fn unknown_value(name: &str, value: &str, supported: &str) -> Problem {
    let message = format!("Invalid value: '{value}'. Supported values are: {supported}.");
    Problem::invalid(&message, Some(name), Some("invalid_value"))
}

fn out_of_range(name: &str, kind: &str, above: bool, limit: impl Display, value: &Value) -> Problem {
    let (side, relation, code) =
        if above { ("above maximum", "<=", "above_max") } else { ("below minimum", ">=", "below_min") };
    let message =
        format!("Invalid '{name}': {kind} {side} value. Expected a value {relation} {limit}, but got {value} instead.");
    Problem::invalid(&message, Some(name), Some(&format!("{kind}_{code}_value")))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a decimal number",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Fields {
        Fields::parse(value.to_string().as_bytes()).unwrap()
    }

    fn code<T: std::fmt::Debug>(result: Result<T, Problem>) -> (String, String) {
        let error = &result.unwrap_err().body["error"];
        assert_eq!((&error["type"], &error["param"]), (&json!("invalid_request_error"), &json!("x")));
        (error["code"].as_str().unwrap().to_owned(), error["message"].as_str().unwrap().to_owned())
    }

    #[test]
    fn whole_numbers_have_a_minimum_and_no_fraction() {
        let read = |value: Value| fields(json!({ "x": value })).integer("x", 1);
        assert_eq!(read(json!(1)), Ok(Some(1)));
        assert_eq!(read(json!(null)), Ok(None));
        for low in [0, -1] {
            let (code, message) = code(read(json!(low)));
            assert_eq!(code, "integer_below_min_value");
            assert_eq!(
                message,
                format!("Invalid 'x': integer below minimum value. Expected a value >= 1, but got {low} instead.")
            );
        }
        for (odd, kind) in [(json!("x"), "a string"), (json!(1.5), "a decimal number"), (json!([1]), "an array")] {
            let (code, message) = code(read(odd));
            assert_eq!(code, "invalid_type");
            assert_eq!(message, format!("Invalid type for 'x': expected an integer, but got {kind} instead."));
        }
    }

    #[test]
    fn decimals_have_a_range_that_includes_its_ends() {
        let check = |value: Value| fields(json!({ "x": value })).decimal("x", 0.0, 2.0);
        for good in [json!(0), json!(2), json!(1.5), json!(null)] {
            assert_eq!(check(good), Ok(()));
        }
        assert_eq!(code(check(json!(-0.1))).0, "decimal_below_min_value");
        let (above, message) = code(check(json!(2.1)));
        assert_eq!(above, "decimal_above_max_value");
        assert_eq!(message, "Invalid 'x': decimal above maximum value. Expected a value <= 2, but got 2.1 instead.");
        assert_eq!(code(check(json!("hot"))).0, "invalid_type");
    }

    #[test]
    fn lists_are_not_empty_and_what_is_required_is_there() {
        assert_eq!(code(fields(json!({ "x": [] })).list("x")).0, "empty_array");
        assert_eq!(code(fields(json!({ "x": {} })).list("x")).0, "invalid_type");
        assert_eq!(code(fields(json!({ "x": null })).list("x")).0, "missing_required_parameter");
        assert_eq!(fields(json!({ "x": [1] })).list("x"), Ok(&[json!(1)][..]));
    }

    #[test]
    fn texts_and_flags_are_nothing_else() {
        assert_eq!(code(fields(json!({ "x": 1 })).text("x")).0, "invalid_type");
        assert_eq!(code(fields(json!({ "x": "true" })).flag("x")).0, "invalid_type");
        assert_eq!(fields(json!({ "x": "a" })).text("x"), Ok(Some("a")));
        assert_eq!((fields(json!({ "x": true })).flag("x"), fields(json!({})).flag("x")), (Ok(true), Ok(false)));
    }
}
