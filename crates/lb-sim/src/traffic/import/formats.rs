//! Readers of traces: Azure's, BurstGPT's and any other CSV, and JSON lines of Mooncake, OpenTelemetry and LiteLLM.

use std::{collections::BTreeSet, io::Read, num::NonZeroU32, path::Path};

use lb_limits::{MILLISECOND, SECOND};
use serde::Deserialize;

use super::{
    Row, Trace,
    azure_monitor::is_export,
    json_lines, litellm, otel,
    table::{DataColumn, DataTable, excerpt},
};
use crate::{
    scenario::{Columns, TraceFormat},
    time,
};

/// The trace in a file.
pub(in crate::traffic) fn read(
    path: &Path,
    format: Option<TraceFormat>,
    columns: Option<&Columns>,
    ahead: i64,
) -> Result<Trace, String> {
    let is_json = path.extension().is_some_and(|end| end == "jsonl" || end == "json");
    let trace = match format {
        Some(TraceFormat::Otel) => json_lines::in_file(path, otel::trace),
        Some(TraceFormat::Litellm) => json_lines::in_file(path, |name, from| litellm::trace(name, from, ahead)),
        Some(TraceFormat::Mooncake) => json_lines::in_file(path, mooncake_lines),
        None if is_json => json_lines::in_file(path, mooncake_lines),
        _ => Csv::of(DataTable::open(path)?.ahead(ahead), format, columns)?.rows(),
    }?;
    if trace.rows().is_empty() {
        return Err(format!("{} has no requests", path.display()));
    }
    Ok(trace)
}

/// Names of columns by which traces are recognised, best first.
const TIMES: &[&str] = &["timestamp", "time", "arrival", "arrival_time", "start", "start_time"];
const TIMES_IN_SECONDS: &[&str] = &["timestamp_s", "time_s", "arrival_s", "start_s"];
const TIMES_IN_MILLISECONDS: &[&str] = &["timestamp_ms", "time_ms", "arrival_ms", "start_ms"];
const INPUTS: &[&str] =
    &["ContextTokens", "Request tokens", "input_tokens", "prompt_tokens", "input_length", "input", "prompt"];
const OUTPUTS: &[&str] = &[
    "GeneratedTokens",
    "Response tokens",
    "output_tokens",
    "completion_tokens",
    "output_length",
    "output",
    "completion",
];
const CACHED: &[&str] = &["cached_tokens", "cached", "cached_input_tokens"];
const MAX_TOKENS: &[&str] = &["max_tokens", "max_completion_tokens", "max_output_tokens"];

struct Csv {
    table: DataTable,
    time: DataColumn,
    unit: u64,
    input: Option<DataColumn>,
    output: Option<DataColumn>,
    cached: Option<DataColumn>,
    max_tokens: Option<DataColumn>,
    zero_is_failure: bool,
}

impl Csv {
    fn of(table: DataTable, format: Option<TraceFormat>, columns: Option<&Columns>) -> Result<Self, String> {
        if let Some(columns) = columns {
            let named = |name: &Option<String>| name.as_ref().map(|name| table.column(&[name])).transpose();
            return Ok(Self {
                time: table.column(&[&columns.time])?,
                unit: columns.time_unit.map_or(SECOND, |unit| unit.as_nanos()),
                input: named(&columns.input)?,
                output: named(&columns.output)?,
                cached: named(&columns.cached)?,
                max_tokens: named(&columns.max_tokens)?,
                zero_is_failure: false,
                table,
            });
        }
        // Its lines would be taken for a request each.
        if is_export(&table) {
            let problem = "it counts requests per minute, so it is an Azure Monitor export and no trace";
            return Err(table.refused(format!("{problem}; replay it with `kind = \"azure_monitor\"`")));
        }
        let of_burstgpt = table.find(&["Response tokens"]).is_some();
        let (time, unit) = match (table.find(TIMES_IN_SECONDS), table.find(TIMES_IN_MILLISECONDS)) {
            (Some(column), _) => (column, SECOND),
            (None, Some(column)) => (column, MILLISECOND),
            (None, None) => (table.column(TIMES)?, SECOND),
        };
        let (input, output) = match format {
            // A format that is named must be what the file has.
            Some(TraceFormat::Azure) => {
                (Some(table.column(&["ContextTokens"])?), Some(table.column(&["GeneratedTokens"])?))
            }
            Some(TraceFormat::Burstgpt) => {
                (Some(table.column(&["Request tokens"])?), Some(table.column(&["Response tokens"])?))
            }
            _ => (table.find(INPUTS), table.find(OUTPUTS)),
        };
        let (cached, max_tokens) = (table.find(CACHED), table.find(MAX_TOKENS));
        Ok(Self { time, unit, input, output, cached, max_tokens, zero_is_failure: of_burstgpt, table })
    }

    fn rows(mut self) -> Result<Trace, String> {
        let mut rows = Vec::new();
        while self.table.advance()? {
            let tokens = |column: Option<DataColumn>| match column {
                Some(column) => self.table.value(column, "a whole number of tokens", whole),
                None => Ok(0),
            };
            rows.push(Row {
                at: self.table.time(self.time, self.unit)?,
                input: tokens(self.input)?,
                output: tokens(self.output)?,
                cached: tokens(self.cached)?,
                max_tokens: match self.max_tokens {
                    Some(column) if !self.table.text(column)?.is_empty() => {
                        Some(self.table.value(column, "a whole number of tokens of at least 1, or empty", |text| {
                            whole(text).and_then(NonZeroU32::new)
                        })?)
                    }
                    _ => None,
                },
            });
        }
        let failed = rows.iter().filter(|row| self.zero_is_failure && row.output == 0).count();
        let note = format!(
            "{failed} of {} requests failed when they were recorded; they arrive with 0 output tokens",
            rows.len()
        );
        let mut trace = Trace::new(rows);
        for (column, what) in [(self.input, "input"), (self.output, "output")] {
            if column.is_none() {
                trace = trace.with_note(format!("it has no column of {what} tokens; they count as 0"));
            }
        }
        Ok(if failed > 0 { trace.with_note(note) } else { trace })
    }
}

/// A whole number; `12.0`, as tables with gaps are written by some tools, is one too.
fn whole(text: &str) -> Option<u32> {
    let text = text.split_once('.').map_or(text, |(whole, fraction)| {
        if !fraction.is_empty() && fraction.bytes().all(|digit| digit == b'0') { whole } else { text }
    });
    // Rust's parser would take a sign.
    if text.bytes().all(|digit| digit.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// A line of Mooncake's traces.
#[derive(Deserialize)]
struct MooncakeLine {
    timestamp: serde_json::Number,
    input_length: u32,
    output_length: u32,
    #[serde(default)]
    hash_ids: Vec<u64>,
}

/// Tokens of a block that Mooncake hashes.
const BLOCK: u32 = 512;

/// Cached tokens are what an infinite prefix cache would save: 512 for each leading block seen earlier in the file, at
/// most the input.
fn mooncake_lines(name: &str, from: impl Read) -> Result<Trace, String> {
    let mut rows = Vec::new();
    let mut seen = BTreeSet::new();
    json_lines::each(name, from, |place, line: MooncakeLine| {
        let time = line.timestamp.to_string();
        let at = time::nanos(&time, MILLISECOND, 0)
            .ok_or_else(|| format!("{place}, timestamp: `{}` is not a time", excerpt(&time)))?;
        let blocks = line.hash_ids.iter().take_while(|id| seen.contains(*id)).count();
        seen.extend(line.hash_ids);
        let cached = u32::try_from(blocks).unwrap_or(u32::MAX).saturating_mul(BLOCK);
        rows.push(Row {
            at,
            input: line.input_length,
            output: line.output_length,
            cached: cached.min(line.input_length),
            max_tokens: None,
        });
        Ok(())
    })?;
    Ok(Trace::new(rows))
}

/// A workload goes to one model; a file may be of several.
pub(super) fn with_models(trace: Trace, models: &BTreeSet<String>) -> Trace {
    if models.len() < 2 {
        return trace;
    }
    let names = models.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    trace.with_note(format!("it is of several models ({names}), all of whose requests arrive here"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Draws, Purpose};

    fn csv(text: &str) -> Result<Trace, String> {
        csv_as(text, None, None)
    }

    fn csv_as(text: &str, format: Option<TraceFormat>, columns: Option<&Columns>) -> Result<Trace, String> {
        let table = DataTable::read("t.csv".to_owned(), Box::new(std::io::Cursor::new(text.as_bytes().to_vec())))?;
        Csv::of(table, format, columns)?.rows()
    }

    fn row(at: u64, input: u32, output: u32) -> Row {
        Row { at, input, output, ..Row::default() }
    }

    #[test]
    fn azure_traces_start_at_zero_and_need_no_last_newline() {
        let text = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n\
                    2023-11-16 18:15:50.9951690,396,109";
        let expected = [row(0, 374, 44), row(4_314_579_000, 396, 109)];
        assert_eq!(csv(text).unwrap().rows(), expected);
        assert_eq!(csv_as(text, Some(TraceFormat::Azure), None).unwrap().rows(), expected);
        let of_2024 = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2024-05-10 00:00:00.009930+00:00,2162,5\r\n";
        assert_eq!(csv(of_2024).unwrap().rows(), [row(0, 2162, 5)]);
    }

    #[test]
    fn burstgpt_counts_seconds_and_its_failures_are_noted() {
        let text = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n\
                    5,ChatGPT,472,18,490,Conversation log\n45.5,GPT-4,1087,0,1087,API log\n";
        let trace = csv_as(text, Some(TraceFormat::Burstgpt), None).unwrap();
        assert_eq!(trace.rows(), [row(0, 472, 18), row(40_500_000_000, 1087, 0)]);
        assert_eq!(trace.notes(), ["1 of 2 requests failed when they were recorded; they arrive with 0 output tokens"]);
    }

    #[test]
    fn a_csv_is_read_by_the_usual_names_or_by_those_given() {
        let text = "timestamp_ms,input_tokens,output_tokens,cached_tokens,max_tokens\n7,10,2,4,\n9,20,3,0,64\n";
        let rows = csv(text).unwrap();
        assert_eq!(rows.rows()[0], Row { cached: 4, ..row(0, 10, 2) });
        assert_eq!(rows.rows()[1], Row { max_tokens: NonZeroU32::new(64), ..row(2_000_000, 20, 3) });
        let columns = Columns {
            time: "When".to_owned(),
            time_unit: Some(crate::scenario::Span::from_millis(1)),
            input: Some("in".to_owned()),
            output: None,
            cached: None,
            max_tokens: None,
            requests: None,
            rate: None,
        };
        let trace = csv_as("in,when\n5,1.5\n6,2\n", None, Some(&columns)).unwrap();
        assert_eq!(trace.rows(), [row(0, 5, 0), row(500_000, 6, 0)]);
    }

    #[test]
    fn what_is_wrong_is_named_by_line_and_column() {
        let wrong = |text| csv(text).unwrap_err();
        assert_eq!(wrong("time,input\n1,2\n2,-3\n"), "t.csv:3, column input: `-3` is not a whole number of tokens");
        assert_eq!(wrong("time,input\n1,2\n2,\n"), "t.csv:3, column input: it is empty, not a whole number of tokens");
        assert_eq!(wrong("time,input\n1,2\n2\n"), "t.csv:3, column input: the line ends before it");
        assert_eq!(wrong("time,input\nsoon,2\n"), "t.csv:2, column time: `soon` is not a time");
        assert_eq!(wrong("time,input\n-4,2\n"), "t.csv:2, column time: `-4` is not a time");
        assert_eq!(wrong("a,b\n1,2\n").split(';').next_back().unwrap(), " the header has: a, b");
        assert_eq!(wrong("time,max_tokens\n1,0\n").split(':').nth(1).unwrap(), "2, column max_tokens");
    }

    #[test]
    fn a_format_that_is_named_must_be_the_file_s() {
        let error = csv_as("time,input,output\n1,2,3\n", Some(TraceFormat::Azure), None).unwrap_err();
        assert!(error.starts_with("t.csv:1: there is no column `ContextTokens`"), "{error}");
    }

    #[test]
    fn columns_may_be_separated_by_semicolons_or_tabs() {
        for separator in [";", "\t"] {
            let text = "time,input,output\n1,10,2\n3,20,4\n".replace(',', separator);
            assert_eq!(csv(&text).unwrap().rows(), [row(0, 10, 2), row(2 * SECOND, 20, 4)]);
        }
    }

    #[test]
    fn milliseconds_since_1970_are_told_how_to_be_read() {
        let error = csv("time,input\n1700158623979,2\n").unwrap_err();
        assert!(error.starts_with("t.csv:2, column time: ") && error.contains("time_unit = \"1ms\""), "{error}");
    }

    #[test]
    fn an_export_is_no_trace() {
        for header in ["time,AzureOpenAIRequests,ProcessedPromptTokens", "TimeGenerated,MetricName,Total"] {
            let error = csv(&format!("{header}\n2024-05-01T10:00:00Z,600,6000\n")).unwrap_err();
            assert!(error.starts_with("t.csv:1: ") && error.contains("azure_monitor"), "{error}");
        }
    }

    #[test]
    fn leading_blocks_that_were_seen_are_cached() {
        let text = r#"{"timestamp": 0, "input_length": 1500, "output_length": 5, "hash_ids": [1, 2, 3]}
{"timestamp": 27, "input_length": 900, "output_length": 6, "hash_ids": [1, 2]}

{"timestamp": 27, "input_length": 2000, "output_length": 7, "hash_ids": [1, 9, 3, 4]}"#;
        let trace = mooncake_lines("m", text.as_bytes()).unwrap();
        let cached: Vec<_> = trace.rows().iter().map(|row| (row.at, row.cached)).collect();
        assert_eq!(cached, [(0, 0), (27_000_000, 900), (27_000_000, 512)]);
        let error = mooncake_lines("m", "{\"timestamp\": 1, \"input_length\": -2}".as_bytes()).unwrap_err();
        assert!(error.starts_with("m:1, column 35: invalid value"), "{error}");
    }

    #[test]
    fn numbers_with_a_sign_or_a_fraction_are_no_counts() {
        assert_eq!(whole("12.0"), Some(12));
        for text in ["", "+1", "-1", "1.5", "1.", "1e3", "99999999999", "0x1", "١"] {
            assert_eq!(whole(text), None, "{text}");
        }
    }

    /// Texts of pieces that CSV, JSON, dates and numbers trip over.
    fn hostile(number: u64) -> String {
        const PIECES: [&str; 32] = [
            ",",
            "\n",
            "\r\n",
            "\"",
            "\"\"",
            "time",
            "input",
            "output",
            "1",
            "-1",
            "0",
            "99999999999999999999",
            "1e308",
            ".",
            "NaN",
            " ",
            "\t",
            "é",
            "\u{0}",
            "\u{feff}",
            "2023-11-16 18:17:03",
            "2023-99-99T99:99:99Z",
            "11/16/2023, 6:17 PM",
            "/",
            ":",
            "+",
            "{\"timestamp\": 1",
            "\"hash_ids\": [1, 2]",
            "}",
            "[",
            ";",
            "timestamp_ms,max_tokens\n",
        ];
        let draws = Draws::new(number);
        let length = draws.bits(Purpose::Sample, 0, 0) % 24;
        (1..=length).map(|at| PIECES[(draws.bits(Purpose::Sample, 0, at) % 32) as usize]).collect()
    }

    #[test]
    fn a_hostile_line_gives_an_error_with_its_line_and_never_a_panic() {
        let mut errors = 0;
        for number in 0..20_000 {
            let line = hostile(number).replace(['\n', '\r', '"'], "");
            // The line after it is sound, so what is wrong is in line 2 or in nothing.
            if let Err(error) = csv(&format!("time,input,output\n{line}\n3,4,5\n")) {
                assert!(error.starts_with("t.csv:2"), "{line:?}: {error}");
                errors += 1;
            }
        }
        assert!(errors > 10_000, "most of these lines are wrong: {errors}");
    }

    #[test]
    fn a_hostile_file_gives_an_error_with_a_line_and_never_a_panic() {
        for number in 0..20_000 {
            let mut bytes = hostile(number).into_bytes();
            if number % 3 == 0 {
                bytes.insert(bytes.len() / 2, 0xff);
            }
            let table = DataTable::read("t.csv".to_owned(), Box::new(std::io::Cursor::new(bytes.clone())));
            if let Err(error) = table.and_then(|table| Csv::of(table, None, None)).and_then(Csv::rows) {
                assert!(error.starts_with("t.csv:"), "{error}");
            }
            let lines = [mooncake_lines("m.jsonl", bytes.as_slice()), otel::trace("m.jsonl", bytes.as_slice())];
            for read in lines.into_iter().chain([litellm::trace("m.jsonl", bytes.as_slice(), 0)]) {
                if let Err(error) = read {
                    assert!(error.starts_with("m.jsonl:"), "{error}");
                }
            }
        }
    }
}
