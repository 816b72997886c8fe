//! Azure Monitor's metrics of a deployment, minute by minute.
//!
//! # What is read
//!
//! | metric | its names (REST name, portal name) | aggregation |
//! | --- | --- | --- |
//! | requests | `AzureOpenAIRequests`, "Azure OpenAI Requests"; `ModelRequests`, "Model Requests" | total, else count |
//! | input tokens | `ProcessedPromptTokens`, "Processed Prompt Tokens"; `InputTokens`, "Input Tokens" | total |
//! | output tokens | `GeneratedTokens`, "Generated Completion Tokens"; `OutputTokens`, "Output Tokens" | total |
//! | cache rate, percent | `AzureOpenAIContextTokensCacheMatchRate`, "Prompt Token Cache Match Rate" | average |
//!
//! in any of these forms; names are compared without case, spaces and punctuation:
//! - JSON of `az monitor metrics list --interval PT1M --aggregation Total` (the REST API's `Metrics - List`), as printed;
//! - JSON lines of a diagnostic setting that archives to a storage account (`time`, `metricName`, `total`, `average`);
//! - CSV with a line per metric and minute, as Log Analytics exports the tables `AzureMetrics` and `AzureMetricsV2`
//!   (`TimeGenerated`, `MetricName`, `Total`, `Average`);
//! - CSV with a line per minute and a column per metric, such as a pivoted query or a saved sheet of the metrics explorer;
//!   the columns can be named in the scenario.
//!
//! Series of the same metric, split by a dimension, are added up. The requests metric counts refused calls as well, each
//! retry anew: filter it by `StatusCode` (2xx) if many were refused.

use std::{collections::BTreeMap, fs, path::Path};

use lb_limits::{MINUTE, SECOND};
use serde_json::Value;

use super::{
    steps::on_steps,
    table::{DataColumn, DataTable, excerpt, plain},
};
use crate::{scenario::Columns, time};

/// Requests and tokens per minute, from the first minute on.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Minutes {
    minutes: Vec<Minute>,
    step: u64,
    notes: Vec<String>,
    has_input: bool,
    has_output: bool,
    moment: Option<u64>,
}

/// What an Azure Monitor export says of one minute.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Minute {
    /// When it begins, in nanoseconds from the first.
    pub(crate) at: u64,
    /// Requests.
    pub(crate) requests: f64,
    /// Tokens of all prompts.
    pub(crate) input: f64,
    /// Tokens of all completions.
    pub(crate) output: f64,
    /// The share of the prompts' tokens that was cached, from 0 to 1.
    pub(crate) cached_share: f64,
}

/// The most requests of a minute.
pub(in crate::traffic) const MOST: f64 = 16_777_215.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MonitorMetric {
    Requests,
    Input,
    Output,
    CacheRate,
}

const REQUESTS: &[&str] = &["AzureOpenAIRequests", "ModelRequests", "Requests"];
const INPUT: &[&str] = &["ProcessedPromptTokens", "InputTokens"];
const OUTPUT: &[&str] = &["GeneratedTokens", "GeneratedCompletionTokens", "OutputTokens"];
const CACHE_RATE: &[&str] = &["AzureOpenAIContextTokensCacheMatchRate", "PromptTokenCacheMatchRate"];
const TIMES: &[&str] = &[
    "TimeGenerated",
    "TimeGenerated [UTC]",
    "Timestamp",
    "Timestamp (UTC)",
    "time",
    "timeStamp",
    "minute",
    "TimeStamp [UTC]",
];

impl MonitorMetric {
    fn named(name: &str) -> Option<Self> {
        let is = |names: &[&str]| names.iter().any(|known| plain(known) == plain(name));
        [(Self::Requests, REQUESTS), (Self::Input, INPUT), (Self::Output, OUTPUT), (Self::CacheRate, CACHE_RATE)]
            .into_iter()
            .find_map(|(metric, names)| is(names).then_some(metric))
    }
}

/// Whether a table has the columns of an export, and not those of a trace.
pub(super) fn is_export(table: &DataTable) -> bool {
    let is_long = table.find(&["MetricName"]).is_some() && table.find(&["Total", "Sum"]).is_some();
    is_long || table.find(&REQUESTS[..2]).is_some()
}

impl Minutes {
    /// The export in a file.
    pub(in crate::traffic) fn read(path: &Path, columns: Option<&Columns>, ahead: i64) -> Result<Self, String> {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let text = fs::read_to_string(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
        Self::parse(name, text, columns, ahead)
    }

    fn parse(name: String, text: String, columns: Option<&Columns>, ahead: i64) -> Result<Self, String> {
        let begin = text.trim_start_matches('\u{feff}').trim_start();
        let mut points = Points { ahead, ..Points::default() };
        if begin.starts_with(['{', '[']) {
            points.read_json(&name, begin)?;
        } else {
            let table = DataTable::read(name.clone(), Box::new(std::io::Cursor::new(text.into_bytes())))?;
            points.read_csv(table.ahead(ahead), columns)?;
        }
        points.finish(&name)
    }

    /// The minutes that the export has; one without any request may be missing.
    pub(crate) fn minutes(&self) -> &[Minute] {
        &self.minutes
    }

    /// Length of a minute, in nanoseconds: 60 s, unless the export has other steps.
    pub(crate) const fn step(&self) -> u64 {
        self.step
    }

    /// From the start of the first minute to the end of the last, in nanoseconds.
    pub(crate) fn span(&self) -> u64 {
        self.minutes.last().map_or(0, |minute| minute.at.saturating_add(self.step))
    }

    /// When the first minute begins, in nanoseconds since 1970, if the export has dates.
    pub(in crate::traffic) const fn moment(&self) -> Option<u64> {
        self.moment
    }

    /// Whether the export says how many tokens of this kind, `input` or `output`, were used.
    pub(in crate::traffic) fn has(&self, kind: &str) -> bool {
        if kind == "input" { self.has_input } else { self.has_output }
    }

    /// What a reader of figures made from the export should know about how it was read.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }
}

/// Values by time and metric.
#[derive(Default)]
struct Points {
    at: BTreeMap<u64, Minute>,
    has: [bool; 4],
    /// The time of the series' last count of requests.
    last: u64,
    unsorted: bool,
    /// How far the clocks of times without an offset are ahead of UTC, in nanoseconds.
    ahead: i64,
}

impl Points {
    fn add(&mut self, at: u64, metric: MonitorMetric, value: f64) {
        if metric == MonitorMetric::Requests {
            self.unsorted |= at < self.last;
            self.last = at;
        }
        self.has[metric as usize] = true;
        let minute = self.at.entry(at).or_default();
        match metric {
            MonitorMetric::Requests => minute.requests += value,
            MonitorMetric::Input => minute.input += value,
            MonitorMetric::Output => minute.output += value,
            MonitorMetric::CacheRate => minute.cached_share = value / 100.0,
        }
    }

    fn read_csv(&mut self, mut table: DataTable, columns: Option<&Columns>) -> Result<(), String> {
        let time = match columns {
            Some(columns) => table.column(&[&columns.time])?,
            None => table.column(TIMES)?,
        };
        let unit = columns.and_then(|columns| columns.time_unit).map_or(SECOND, |unit| unit.as_nanos());
        let when = |table: &DataTable| table.time(time, unit);
        let number = |table: &DataTable, column: DataColumn| {
            if table.text(column)?.is_empty() {
                Ok(None)
            } else {
                table.value(column, "a number of 0 or more", count).map(Some)
            }
        };
        if let (None, Some(name)) = (columns, table.find(&["MetricName", "Metric", "Name"])) {
            let (total, average) = (table.column(&["Total", "Sum"])?, table.find(&["Average"]));
            while table.advance()? {
                let Some(metric) = MonitorMetric::named(table.text(name)?) else { continue };
                let column = if metric == MonitorMetric::CacheRate { average.unwrap_or(total) } else { total };
                let (at, value) = (when(&table)?, number(&table, column)?);
                self.add(at, metric, value.unwrap_or(0.0));
            }
            return Ok(());
        }
        let named = |name: Option<&String>, usual: &[&str]| match name {
            Some(name) => table.column(&[name]).map(Some),
            None => Ok(table.find(usual)),
        };
        let requests = match columns.and_then(|columns| columns.requests.as_ref()) {
            Some(name) => table.column(&[name])?,
            None => table.column(REQUESTS)?,
        };
        let of = [
            (MonitorMetric::Requests, Some(requests)),
            (MonitorMetric::Input, named(columns.and_then(|columns| columns.input.as_ref()), INPUT)?),
            (MonitorMetric::Output, named(columns.and_then(|columns| columns.output.as_ref()), OUTPUT)?),
            (MonitorMetric::CacheRate, named(columns.and_then(|columns| columns.cached.as_ref()), CACHE_RATE)?),
        ];
        while table.advance()? {
            let at = when(&table)?;
            for (metric, column) in of {
                if let Some(column) = column {
                    let value = number(&table, column)?;
                    self.add(at, metric, value.unwrap_or(0.0));
                }
            }
        }
        Ok(())
    }

    fn read_json(&mut self, name: &str, text: &str) -> Result<(), String> {
        for document in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
            let document = document.map_err(|error| {
                let message = error.to_string();
                let problem = message.find(" at line ").map_or(message.as_str(), |end| &message[..end]);
                format!("{name}:{}, column {}: {problem}", error.line(), error.column())
            })?;
            self.read_document(name, &document)?;
        }
        Ok(())
    }

    /// A response of `Metrics - List`, a line of a diagnostic setting, or a list of either.
    fn read_document(&mut self, name: &str, document: &Value) -> Result<(), String> {
        if let Some(list) = document.as_array() {
            return list.iter().try_for_each(|document| self.read_document(name, document));
        }
        if let Some(metrics) = document.get("value").and_then(Value::as_array) {
            return metrics.iter().try_for_each(|metric| self.read_metric(name, metric));
        }
        if document.get("timeseries").is_some() {
            return self.read_metric(name, document);
        }
        let Some(metric) = document.get("metricName").and_then(Value::as_str) else { return Ok(()) };
        match MonitorMetric::named(metric) {
            Some(kind) => self.read_point(name, metric, kind, document),
            None => Ok(()),
        }
    }

    fn read_metric(&mut self, name: &str, metric: &Value) -> Result<(), String> {
        let title = metric.pointer("/name/value").or_else(|| metric.get("name")).and_then(Value::as_str).unwrap_or("");
        let Some(kind) = MonitorMetric::named(title) else { return Ok(()) };
        for series in metric.get("timeseries").and_then(Value::as_array).into_iter().flatten() {
            self.last = 0;
            for point in series.get("data").and_then(Value::as_array).into_iter().flatten() {
                self.read_point(name, title, kind, point)?;
            }
        }
        Ok(())
    }

    fn read_point(&mut self, name: &str, metric: &str, kind: MonitorMetric, point: &Value) -> Result<(), String> {
        let time = ["timeStamp", "timestamp", "time"].iter().find_map(|key| point.get(key)?.as_str()).unwrap_or("");
        let at = time::nanos(time, SECOND, self.ahead)
            .ok_or_else(|| format!("{name}, {metric}: `{}` is not a time", excerpt(time)))?;
        let keys: &[&str] = match kind {
            MonitorMetric::CacheRate => &["average"],
            MonitorMetric::Requests => &["total", "count"],
            _ => &["total"],
        };
        let value = keys.iter().find_map(|key| point.get(key).filter(|value| !value.is_null()));
        // Azure Monitor leaves out what did not happen.
        let Some(value) = value else { return Ok(()) };
        let value = value.as_f64().filter(|value| (0.0..=1e15).contains(value));
        let value = value.ok_or_else(|| format!("{name}, {metric} at {time}: it is not a number of 0 or more"))?;
        self.add(at, kind, value);
        Ok(())
    }

    fn finish(self, name: &str) -> Result<Minutes, String> {
        if !self.has[MonitorMetric::Requests as usize] {
            return Err(format!("{name} has no metric of requests: it must be one of {}", REQUESTS.join(", ")));
        }
        let mut notes = Vec::new();
        if self.unsorted {
            notes.push("the minutes of the export were not in order; they were sorted".to_owned());
        }
        let (step, begin, strays, at) = on_steps(self.at);
        if let Some(stray) = strays.first() {
            let (rows, counts) = if strays.len() == 1 { ("value is", "counts") } else { ("values are", "count") };
            notes.push(format!(
                "{} {rows} not at the steps of {} s that the others have, the first {} s after the begin; each {counts} in the \
                 step that it falls in",
                strays.len(),
                step as f64 / 1e9,
                (*stray as f64 - begin as f64) / 1e9
            ));
        }
        let mut minutes: Vec<Minute> = at.into_iter().map(|(at, minute)| Minute { at, ..minute }).collect();
        for minute in &mut minutes {
            minute.at -= begin;
            minute.cached_share = minute.cached_share.min(1.0);
            if minute.requests > MOST {
                return Err(format!("{name} has a minute of more than {MOST} requests"));
            }
        }
        if minutes.iter().all(|minute| minute.requests == 0.0) {
            return Err(format!("{name} has no requests"));
        }
        let tokens_alone =
            minutes.iter().filter(|minute| minute.requests == 0.0 && minute.input + minute.output > 0.0).count();
        if tokens_alone > 0 {
            notes.push(format!("{tokens_alone} minutes have tokens but no request; their tokens are left out"));
        }
        if step != MINUTE {
            notes.push(format!("the export has a value every {} s instead of every 60 s", step as f64 / 1e9));
        }
        let [_, has_input, has_output, _] = self.has;
        Ok(Minutes { minutes, step, notes, has_input, has_output, moment: time::moment(begin) })
    }
}

fn count(text: &str) -> Option<f64> {
    text.parse().ok().filter(|value| (0.0..=1e15).contains(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Minutes, String> {
        Minutes::parse("m".to_owned(), text.to_owned(), None, 0)
    }

    fn minute(at: u64, requests: f64, input: f64, output: f64, cached_share: f64) -> Minute {
        Minute { at: at * MINUTE, requests, input, output, cached_share }
    }

    #[test]
    fn the_rest_api_s_json_is_read_and_split_series_are_added_up() {
        let text = r#"{"cost": 59, "interval": "PT1M", "value": [
          {"name": {"localizedValue": "Azure OpenAI Requests", "value": "AzureOpenAIRequests"}, "unit": "Count", "timeseries": [
            {"metadatavalues": [], "data": [{"timeStamp": "2024-05-01T10:00:00Z", "total": 10.0},
                                            {"timeStamp": "2024-05-01T10:01:00Z", "total": null},
                                            {"timeStamp": "2024-05-01T10:02:00Z", "total": 4.0}]},
            {"metadatavalues": [], "data": [{"timeStamp": "2024-05-01T10:00:00Z", "total": 2.0}]}]},
          {"name": {"value": "ProcessedPromptTokens"}, "timeseries": [{"data": [{"timeStamp": "2024-05-01T10:00:00Z", "total": 1200}]}]},
          {"name": {"value": "GeneratedTokens"}, "timeseries": [{"data": [{"timeStamp": "2024-05-01T10:02:00Z", "total": 88}]}]},
          {"name": {"value": "AzureOpenAIContextTokensCacheMatchRate"}, "timeseries": [{"data": [{"timeStamp": "2024-05-01T10:02:00Z", "average": 25}]}]},
          {"name": {"value": "Latency"}, "timeseries": [{"data": [{"timeStamp": "never", "total": "much"}]}]}]}"#;
        let read = parse(text).unwrap();
        assert_eq!(read.minutes(), [minute(0, 12.0, 1200.0, 0.0, 0.0), minute(2, 4.0, 0.0, 88.0, 0.25)]);
        assert_eq!(read.notes(), ["the export has a value every 120 s instead of every 60 s"]);
    }

    #[test]
    fn lines_of_a_diagnostic_setting_are_read() {
        let text = r#"{"count": 3, "total": 30, "time": "2024-05-01T10:00:00.0000000Z", "metricName": "AzureOpenAIRequests", "timeGrain": "PT1M"}
{"count": 3, "total": 900, "time": "2024-05-01T10:00:00.0000000Z", "metricName": "ProcessedPromptTokens", "timeGrain": "PT1M"}
{"count": 3, "total": 20, "time": "2024-05-01T10:01:00.0000000Z", "metricName": "AzureOpenAIRequests", "timeGrain": "PT1M"}"#;
        let read = parse(text).unwrap();
        assert_eq!(read.minutes(), [minute(0, 30.0, 900.0, 0.0, 0.0), minute(1, 20.0, 0.0, 0.0, 0.0)]);
        assert_eq!((read.step(), read.span()), (MINUTE, 2 * MINUTE));
        assert!(read.notes().is_empty());
    }

    #[test]
    fn a_line_per_metric_and_a_column_per_metric_say_the_same() {
        let long = "TimeGenerated [UTC],ResourceId,MetricName,Total,Average,TimeGrain\n\
            \"5/1/2024, 10:00:00.000 AM\",r,AzureOpenAIRequests,30,1,PT1M\n\
            \"5/1/2024, 10:00:00.000 AM\",r,GeneratedTokens,600,20,PT1M\n\
            \"5/1/2024, 10:01:00.000 AM\",r,Processed Prompt Tokens,,,PT1M\n\
            \"5/1/2024, 10:00:00.000 AM\",r,Prompt Token Cache Match Rate,900,50,PT1M\n\
            \"5/1/2024, 10:01:00.000 AM\",r,AzureOpenAIRequests,20,1,PT1M\n";
        let wide = "Timestamp (UTC),Azure OpenAI Requests,Processed Prompt Tokens,Generated Completion Tokens,Prompt Token Cache Match Rate\n\
            2024-05-01 10:01:00,20,,,\n2024-05-01 10:00:00,30,,600,50\n";
        let (long, wide) = (parse(long).unwrap(), parse(wide).unwrap());
        assert_eq!(long.minutes(), [minute(0, 30.0, 0.0, 600.0, 0.5), minute(1, 20.0, 0.0, 0.0, 0.0)]);
        assert_eq!(long.minutes(), wide.minutes());
        assert_eq!(wide.notes(), ["the minutes of the export were not in order; they were sorted"]);
    }

    #[test]
    fn one_stray_value_does_not_squeeze_the_steps() {
        let text = "time,requests\n2024-05-01 10:00:00,60\n2024-05-01 10:01:00,60\n2024-05-01 10:01:07,5\n\
                    2024-05-01 10:02:00,60\n2024-05-01 10:03:00,60\n";
        let read = parse(text).unwrap();
        assert_eq!((read.step(), read.span()), (MINUTE, 4 * MINUTE));
        let requests: Vec<f64> = read.minutes().iter().map(|minute| minute.requests).collect();
        assert_eq!(requests, [60.0, 65.0, 60.0, 60.0]);
        assert_eq!(
            read.notes(),
            [
                "1 value is not at the steps of 60 s that the others have, the first 67 s after the begin; each counts in the \
              step that it falls in"
            ]
        );
    }

    #[test]
    fn a_stray_value_at_the_begin_falls_into_the_step_before() {
        let text = "time,requests\n2024-05-01 10:00:07,5\n2024-05-01 10:01:00,60\n2024-05-01 10:02:00,60\n\
                    2024-05-01 10:03:00,60\n";
        let read = parse(text).unwrap();
        assert_eq!(
            (read.minutes()[0], read.minutes()[1].at, read.step()),
            (minute(0, 5.0, 0.0, 0.0, 0.0), MINUTE, MINUTE)
        );
    }

    #[test]
    fn what_is_wrong_with_an_export_is_named() {
        let wrong = |text| parse(text).unwrap_err();
        assert_eq!(
            wrong("time,requests\n2024-05-01 10:00:00,-1\n"),
            "m:2, column requests: `-1` is not a number of 0 or more"
        );
        assert_eq!(wrong("{\"value\": [\n  3,\n}"), "m:3, column 1: expected value");
        assert_eq!(
            wrong("{}"),
            "m has no metric of requests: it must be one of AzureOpenAIRequests, ModelRequests, Requests"
        );
        assert_eq!(wrong("time,requests\n2024-05-01 10:00:00,0\n"), "m has no requests");
        assert!(wrong("time,tokens\n").starts_with("m:1: there is no column `AzureOpenAIRequests`"));
        let point = r#"{"metricName": "ModelRequests", "time": "2024-05-01T10:00:00Z", "total": "many"}"#;
        assert_eq!(wrong(point), "m, ModelRequests at 2024-05-01T10:00:00Z: it is not a number of 0 or more");
    }
}
