//! The timeline as CSV.

use crate::report::{BackendReport, Report};

impl Report {
    /// The first run over time as CSV, tidy: a line per moment, thing and figure. Its columns are `start_seconds`
    /// and `bin_seconds` (the span of time), `kind` (`requests` or `backend`), `name` (of the backend; `all` for
    /// requests), `figure`, and `value`.
    ///
    /// Figures of requests are `offered`, `succeeded`, `application_429`, `failed` and `queued` (began to wait in their
    /// pool); of a backend `accepted`,
    /// `refused`, `failed`, `cooling_share` and `suspect_share` (the part of the span that it was, over all pools) and
    /// `utilisation` (the highest in the span; 1 is full). The warm-up is included.
    ///
    /// # Errors
    ///
    /// If a line cannot be written: into memory it always can.
    pub fn to_csv(&self) -> Result<String, csv::Error> {
        let mut out = csv::Writer::from_writer(Vec::new());
        out.write_record(["start_seconds", "bin_seconds", "kind", "name", "figure", "value"])?;
        let timeline = &self.timeline;
        let bin_seconds = timeline.bin as f64 / 1e9;
        let length = bin_seconds.to_string();
        for (index, bin) in timeline.requests().iter().enumerate() {
            let start = (index as f64 * bin_seconds).to_string();
            for (figure, value) in [
                ("offered", bin.offered),
                ("succeeded", bin.succeeded),
                ("application_429", bin.throttled),
                ("failed", bin.failed),
                ("queued", bin.queued),
            ] {
                out.write_record([&start, &length, "requests", "all", figure, &value.to_string()])?;
            }
        }
        for (backend, bins) in self.backends.iter().zip(&timeline.backends) {
            for (index, bin) in bins.iter().enumerate() {
                let start = (index as f64 * bin_seconds).to_string();
                for (figure, value) in [
                    ("accepted", bin.accepted as f64),
                    ("refused", bin.refused as f64),
                    ("failed", bin.failed as f64),
                    ("cooling_share", self.share_of_bin(backend, bin.cooling)),
                    ("suspect_share", self.share_of_bin(backend, bin.suspect)),
                    ("utilisation", bin.utilisation as f64 / 1e3),
                ] {
                    out.write_record([&start, &length, "backend", &backend.name, figure, &value.to_string()])?;
                }
            }
        }
        let bytes = out.into_inner().map_err(|error| error.into_error())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The part of a bin that a time of a backend in it is, over all pools that it is in.
    pub(crate) fn share_of_bin(&self, backend: &BackendReport, nanos: u64) -> f64 {
        let time = self.timeline.bin as f64 * f64::from(backend.pools);
        if time > 0.0 { (nanos as f64 / time).min(1.0) } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use crate::report::{
        Report,
        testing::{run, scenario},
    };

    #[test]
    fn the_series_has_a_line_per_moment_thing_and_figure() {
        let report = Report::new(&scenario(), &[run(0)]);
        let csv = report.to_csv().unwrap();
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let rows: Vec<(f64, f64, String, String, String, f64)> = reader.deserialize().map(Result::unwrap).collect();
        let bins = report.timeline().requests().len();
        assert_eq!(rows.len(), bins * (5 + 2 * 6));
        let offered: u64 = report.timeline().requests().iter().map(|bin| bin.offered).sum();
        let written: f64 = rows.iter().filter(|row| row.4 == "offered").map(|row| row.5).sum();
        assert!(written == offered as f64);
        // One of the two pools has the PTU out.
        let cooling = rows.iter().filter(|row| row.4 == "cooling_share").map(|row| row.5).fold(0.0, f64::max);
        assert!((cooling - 0.5).abs() < 1e-9, "{cooling}");
        let suspect: f64 = rows.iter().filter(|row| row.4 == "suspect_share").map(|row| row.5 * row.1).sum();
        assert!((suspect - 36.0).abs() < 1e-6, "72 s in one of two pools: {suspect}");
    }
}
