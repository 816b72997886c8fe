use serde_json::{Map, Value, json};

use super::{Parameter, Point, SweepResult};
use crate::{metric::Metric, report::Estimate};

impl SweepResult {
    /// The points and their differences from the one with the number `base` (from 0) as JSON, indented: `parameters`,
    /// per point its `values` in their order, the figures and the hash.
    ///
    /// # Errors
    ///
    /// If it cannot be written: it holds nothing that JSON has no form for.
    pub fn to_json(&self, base: usize) -> Result<String, serde_json::Error> {
        let figures = |figures: Vec<(Metric, Estimate)>| -> Result<Map<String, Value>, serde_json::Error> {
            figures.into_iter().map(|(metric, value)| Ok((metric.file_key(), serde_json::to_value(value)?))).collect()
        };
        let mut runs = Vec::new();
        let mut differences = Vec::new();
        for point in &self.points {
            let mut run = figures(point.figures())?;
            run.insert("values".to_owned(), json!(point.values()));
            run.insert("hash".to_owned(), json!(point.report.hash()));
            runs.push(run);
        }
        for (point, of_point) in self.points.iter().zip(self.differences(base)) {
            differences.push(json!({ "values": point.values(), "differences": figures(of_point)? }));
        }
        serde_json::to_string_pretty(&json!({
            "parameters": self.parameters(),
            "runs": runs,
            "base": self.points.get(base).map(Point::values),
            "differences_from_base": differences,
        }))
    }

    /// The points as CSV, tidy: a line per point and figure, with a column per parameter and then `figure`, `mean`,
    /// `low`, `high` (empty: no interval) and `runs`. A time that requests never came to is `never`.
    ///
    /// # Errors
    ///
    /// If a line cannot be written: into memory it always can.
    pub fn to_csv(&self) -> Result<String, csv::Error> {
        self.tidy(self.points.iter().map(Point::figures))
    }

    /// The differences from the point with the number `base` (from 0), in the same form. Empty: one of the two was
    /// infinite or missing.
    ///
    /// # Errors
    ///
    /// If a line cannot be written: into memory it always can.
    pub fn differences_csv(&self, base: usize) -> Result<String, csv::Error> {
        self.tidy(self.differences(base))
    }

    fn tidy(&self, figures: impl IntoIterator<Item = Vec<(Metric, Estimate)>>) -> Result<String, csv::Error> {
        let mut out = csv::Writer::from_writer(Vec::new());
        let head = ["figure", "mean", "low", "high", "runs"].map(str::to_owned);
        out.write_record(self.parameters().into_iter().chain(head))?;
        for (point, figures) in self.points.iter().zip(figures) {
            for (metric, estimate) in figures {
                let bound = |bound: f64| estimate.half_width().map_or_else(String::new, |_| bound.to_string());
                let mean = match estimate.mean() {
                    mean if mean.is_infinite() => "never".to_owned(),
                    mean if mean.is_nan() => String::new(),
                    mean => mean.to_string(),
                };
                let (low, high) = (bound(estimate.low()), bound(estimate.high()));
                let cells = [metric.file_key(), mean, low, high, estimate.runs().to_string()];
                out.write_record(point.values().into_iter().chain(cells))?;
            }
        }
        let bytes = out.into_inner().map_err(|error| error.into_error())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The keys that are varied.
    pub(crate) fn parameters(&self) -> Vec<String> {
        self.grid.axes().iter().map(|Parameter { path, .. }| path.to_string()).collect()
    }
}
