use std::collections::BTreeMap;

use serde::Serialize;

use super::{Axis, SweepResult};
use crate::{render::Comparison, report::Estimate};

/// How a point differs from the base, in a file.
#[derive(Serialize)]
struct Differences {
    values: Vec<String>,
    differences: BTreeMap<&'static str, Estimate>,
}

impl SweepResult {
    /// The reports of all points, side by side.
    #[must_use]
    pub fn comparison(&self) -> Comparison {
        let runs = self.points.iter().map(|point| (point.values(), point.report.clone()));
        Comparison::new(self.parameters(), runs.collect())
    }

    /// The comparison as JSON, with the differences from the point with the number `base` (from 0) beside it.
    ///
    /// # Errors
    ///
    /// If it cannot be written: it holds nothing that JSON has no form for.
    pub fn to_json(&self, base: usize) -> Result<String, serde_json::Error> {
        let mut json: serde_json::Value = serde_json::from_str(&self.comparison().to_json()?)?;
        let differences: Vec<Differences> = self
            .points
            .iter()
            .zip(self.differences(base))
            .map(|(point, differences)| Differences {
                values: point.values(),
                differences: differences.iter().map(|one| (one.figure.key(), one.difference)).collect(),
            })
            .collect();
        json["base"] = serde_json::to_value(self.points.get(base).map(super::Point::values))?;
        json["differences_from_base"] = serde_json::to_value(differences)?;
        serde_json::to_string_pretty(&json)
    }

    /// The differences from the point with the number `base` (from 0) as CSV, tidy: a line per point and figure, with a
    /// column per parameter and then `figure`, `mean`, `low`, `high` (empty: no interval) and `runs`. Empty: one of the
    /// two was infinite or missing.
    ///
    /// # Errors
    ///
    /// If a line cannot be written: into memory it always can.
    pub fn differences_csv(&self, base: usize) -> Result<String, csv::Error> {
        let mut out = csv::Writer::from_writer(Vec::new());
        let parameters = self.parameters();
        out.write_record(parameters.iter().map(String::as_str).chain(["figure", "mean", "low", "high", "runs"]))?;
        for (point, differences) in self.points.iter().zip(self.differences(base)) {
            for one in differences {
                let difference = one.difference;
                let number = |number: f64| if difference.is_some() { number.to_string() } else { String::new() };
                let bound = |bound: f64| difference.half_width().map_or_else(String::new, |_| bound.to_string());
                let cells = [
                    one.figure.key().to_owned(),
                    number(difference.mean()),
                    bound(difference.low()),
                    bound(difference.high()),
                    difference.runs().to_string(),
                ];
                out.write_record(point.values().into_iter().chain(cells))?;
            }
        }
        let bytes = out.into_inner().map_err(|error| error.into_error())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn parameters(&self) -> Vec<String> {
        self.grid.axes().iter().map(|Axis { path, .. }| path.to_string()).collect()
    }
}
