use serde_json::{Map, Value};

use super::{Attempt, LogError};
use crate::time;

/// The columns that a CSV must have, besides the times.
const REQUIRED: [&str; 6] = ["prompt_tokens", "cached_tokens", "max_tokens", "completion_tokens", "status", "hint_ms"];

/// The attempts in a text, in its order.
pub(super) fn attempts(text: &str) -> Result<Vec<Attempt>, LogError> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('{') { from_json_lines(text) } else { from_csv(text) }
}

fn from_csv(text: &str) -> Result<Vec<Attempt>, LogError> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let broken = |error: &csv::Error| LogError::at(error.position().map_or(1, csv::Position::line), error.to_string());
    let header = reader.headers().map_err(|error| broken(&error))?.clone();
    let has = |name: &str| header.iter().any(|column| column == name);
    let mut missing: Vec<&str> = REQUIRED.into_iter().filter(|name| !has(name)).collect();
    missing
        .extend([("start", "start_ns"), ("end", "end_ns")].iter().filter(|(s, ns)| !has(s) && !has(ns)).map(|t| t.0));
    if !missing.is_empty() {
        let names = missing.join("`, `");
        return Err(LogError::at(1, format!("missing columns: `{names}`; the header line must name them")));
    }
    let mut attempts = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| broken(&error))?;
        let line = record.position().map_or(0, csv::Position::line);
        let value = |name: &str| {
            let index = header.iter().position(|column| column == name)?;
            Some(record.get(index)?.to_owned()).filter(|text| !text.is_empty())
        };
        attempts.push(attempt(line, value)?);
    }
    Ok(attempts)
}

fn from_json_lines(text: &str) -> Result<Vec<Attempt>, LogError> {
    let mut attempts = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        if text.trim().is_empty() {
            continue;
        }
        let object: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| LogError::at(line, format!("it is no JSON object: {error}")))?;
        let value = |name: &str| match object.get(name)? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
            other => Some(other.to_string()),
        };
        attempts.push(attempt(line, value)?);
    }
    Ok(attempts)
}

fn attempt(line: u64, value: impl Fn(&str) -> Option<String>) -> Result<Attempt, LogError> {
    let wrong = |name: &str, text: &str, what: &str| LogError::at(line, format!("{name}: `{text}` is no {what}"));
    let count = |name: &str| match value(name) {
        None => Ok(None),
        // A spreadsheet or a data frame with gaps writes whole numbers as `12.0`.
        Some(text) => match text.strip_suffix(".0").unwrap_or(&text).parse() {
            Ok(count) => Ok(Some(count)),
            Err(_) => Err(wrong(name, &text, "whole number from 0 on")),
        },
    };
    let moment = |name: &str| {
        let nanos = format!("{name}_ns");
        if let Some(moment) = count(&nanos)? {
            return Ok(Some(moment));
        }
        match value(name) {
            None => Ok(None),
            Some(text) => match time::seconds(&text) {
                Some(moment) => Ok(Some(moment)),
                None => Err(wrong(name, &text, "time: write seconds, or a date as 2026-01-31T12:00:00.5Z")),
            },
        }
    };
    let missing = |name: &str| LogError::at(line, format!("{name}: it is missing"));
    let start = moment("start")?.ok_or_else(|| missing("start"))?;
    let status = count("status")?.ok_or_else(|| missing("status"))?;
    let mut attempt = Attempt {
        start,
        end: start,
        prompt_tokens: count("prompt_tokens")?,
        cached_tokens: count("cached_tokens")?.unwrap_or(0),
        max_tokens: count("max_tokens")?,
        completion_tokens: count("completion_tokens")?,
        status: u16::try_from(status).map_err(|_| wrong("status", &status.to_string(), "HTTP status"))?,
        hint_ms: count("hint_ms")?,
        backend: value("backend"),
        request: value("request"),
    };
    match moment("end")? {
        Some(end) if end < start => return Err(LogError::at(line, "end: it is before start; are the clocks one?")),
        Some(end) => attempt.end = end,
        None if attempt.is_accepted() => return Err(missing("end")),
        None => {}
    }
    Ok(attempt)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "start,end,prompt_tokens,cached_tokens,max_tokens,completion_tokens,status,hint_ms";

    fn error(text: &str) -> String {
        attempts(text).unwrap_err().to_string()
    }

    #[test]
    fn columns_are_found_by_name_and_others_ignored() {
        let text = "colour,hint_ms,status,completion_tokens,max_tokens,cached_tokens,prompt_tokens,end_ns,start,backend\n\
                    red,,200,50,,1024,2000,7000000000,1970-01-01T00:00:05Z,ptu\n";
        let expected = Attempt {
            start: 5_000_000_000,
            end: 7_000_000_000,
            prompt_tokens: Some(2_000),
            cached_tokens: 1_024,
            completion_tokens: Some(50),
            status: 200,
            backend: Some("ptu".to_owned()),
            ..Attempt::default()
        };
        assert_eq!(attempts(text), Ok(vec![expected.clone()]));
        let json = serde_json::to_string(&expected).unwrap();
        assert_eq!(attempts(&json), Ok(vec![expected]));
    }

    #[test]
    fn missing_columns_are_named_together() {
        assert_eq!(
            error("start,prompt_tokens,max_tokens,completion_tokens,status,hint_ms\n"),
            "line 1: missing columns: `cached_tokens`, `end`; the header line must name them"
        );
    }

    #[test]
    fn a_wrong_value_is_named_by_line_and_column() {
        assert_eq!(
            error(&format!("{HEADER}\n0,1,5,0,,5,200,\n1,2,many,0,,5,200,\n")),
            "line 3: prompt_tokens: `many` is no whole number from 0 on"
        );
        assert_eq!(error(&format!("{HEADER}\n0,1,5,0,,5,,\n")), "line 2: status: it is missing");
        assert_eq!(error(&format!("{HEADER}\n0,,5,0,,5,200,\n")), "line 2: end: it is missing");
        assert_eq!(
            error(&format!("{HEADER}\n2,1,5,0,,5,200,\n")),
            "line 2: end: it is before start; are the clocks one?"
        );
        assert!(error(&format!("{HEADER}\nnow,1,5,0,,5,200,\n")).starts_with("line 2: start: `now` is no time"));
        assert!(error("{\"start\": 0, \"status\": 429}\n{\"start\": ").starts_with("line 2: it is no JSON object"));
        assert!(error(&format!("{HEADER}\n0,1\n")).starts_with("line 2: "));
    }

    #[test]
    fn a_refused_attempt_needs_only_a_start_and_a_status() {
        let refused = attempts("\n{\"start\": 1.5, \"status\": 429, \"hint_ms\": 40}\n\n").unwrap();
        assert_eq!((refused[0].start, refused[0].end, refused[0].hint_ms), (1_500_000_000, 1_500_000_000, Some(40)));
    }
}
