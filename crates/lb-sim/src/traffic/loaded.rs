use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Minutes, Trace,
    import::formats,
    rates::{self, RateFile},
};
use crate::{
    number,
    scenario::{Columns, Kind, Length, Offset, RatePoint, Resampled, ScenarioError, TraceFormat, Workload},
};

/// The files that workloads name, read once: replications and the runs of a sweep share them.
///
/// A clone is cheap and shares what was read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Loaded {
    folder: PathBuf,
    files: Vec<(FileSource, Data)>,
    /// Of the files with dates that say when requests arrive: the name, and when it begins.
    dated: Vec<(String, u64)>,
}

/// A file, and how it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FileSource {
    path: PathBuf,
    what: What,
    format: Option<TraceFormat>,
    columns: Option<Columns>,
    /// How far the clocks of its dates are ahead of UTC, where they do not say; nanoseconds.
    ahead: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Trace,
    Minutes,
    Rates,
}

#[derive(Debug, Clone)]
enum Data {
    Trace(Arc<Trace>),
    Minutes(Arc<Minutes>),
    Rates(Arc<RateFile>),
}

impl Loaded {
    /// Nothing yet; file names will be relative to `folder`.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), ..Self::default() }
    }

    /// Reads the files that these workloads name, unless they have been read before.
    pub(crate) fn read(&mut self, workloads: &[Workload]) -> Result<(), ScenarioError> {
        for workload in workloads {
            for (key, source) in self.sources(workload) {
                if self.files.iter().any(|(known, _)| *known == source) {
                    continue;
                }
                let data = source
                    .read()
                    .map_err(|problem| ScenarioError::new(format!("workload.{}.{key}", workload.name), problem))?;
                let name = source.name();
                self.files.push((source, data));
                if let Some(moment) = self.moment(workload).filter(|_| key == "file") {
                    self.dated.push((name, moment));
                }
            }
        }
        Ok(())
    }

    /// Takes this trace for the file of a workload, which is then not read. Without a file of its own the workload does
    /// not change.
    #[cfg(any(feature = "cli", test))]
    pub(crate) fn insert(&mut self, workload: &Workload, trace: Trace) {
        if let Some(source) = self.main(workload) {
            self.files.retain(|(known, _)| *known != source);
            self.files.push((source, Data::Trace(Arc::new(trace))));
        }
    }

    /// What a reader of a report should know about how the files were read, each with the file's name.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for (source, data) in &self.files {
            let name = source.name();
            let of_file = match data {
                Data::Trace(trace) => trace.notes(),
                Data::Minutes(minutes) => minutes.notes(),
                Data::Rates(rates) => &rates.notes,
            };
            notes.extend(of_file.iter().map(|note| format!("{name}: {note}")));
        }
        let first = self.dated.iter().map(|(_, moment)| *moment).min().unwrap_or(0);
        notes.extend(self.dated.iter().filter(|(_, moment)| *moment > first).map(|(name, moment)| {
            let later = number::seconds((moment - first) as f64 / 1e9);
            format!("{name}: it begins {later} after the earliest of the files with dates, and so does its traffic")
        }));
        notes
    }

    /// What the file that says when a workload's requests arrive holds, in words; `None` if it has none.
    #[cfg(any(feature = "cli", test))]
    pub(crate) fn contents(&self, workload: &Workload) -> Option<String> {
        let source = self.main(workload)?;
        let (rows, span) = match self.find(&source)? {
            Data::Trace(trace) => (trace.rows().len(), trace.span()),
            Data::Minutes(minutes) => (minutes.minutes().len(), minutes.span()),
            Data::Rates(rates) => (rates.points.len(), rates.points.last().map_or(0, |point| point.at.as_nanos())),
        };
        let (rows, span) = (number::thousands(rows as f64), number::seconds(span as f64 / 1e9));
        Some(format!("{}: {rows} rows over {span}", source.name()))
    }

    /// The keys of a workload that name files.
    fn sources(&self, workload: &Workload) -> Vec<(&'static str, FileSource)> {
        let mut sources = Vec::new();
        sources.extend(self.main(workload).map(|source| ("file", source)));
        for (key, length) in [("input.from", &workload.input), ("output.from", &workload.output)] {
            if let Some(Length::Resampled(resampled)) = length {
                sources.push((key, self.resampled(resampled)));
            }
        }
        sources
    }

    /// The file that says when requests arrive.
    fn main(&self, workload: &Workload) -> Option<FileSource> {
        let what = match workload.kind {
            Kind::Trace => What::Trace,
            Kind::AzureMonitor => What::Minutes,
            Kind::RateTable => What::Rates,
            _ => return None,
        };
        let ahead = workload.time_zone.map_or(0, Offset::as_nanos);
        let path = self.folder.join(workload.file.as_ref()?);
        Some(FileSource { path, what, format: workload.format, columns: workload.columns.clone(), ahead })
    }

    fn resampled(&self, spec: &Resampled) -> FileSource {
        let path = self.folder.join(&spec.from);
        FileSource { path, what: What::Trace, format: spec.format, columns: spec.columns.clone(), ahead: 0 }
    }

    fn find(&self, source: &FileSource) -> Option<&Data> {
        self.files.iter().find_map(|(known, data)| (known == source).then_some(data))
    }

    /// The trace that the workload replays.
    pub(super) fn trace(&self, workload: &Workload) -> Option<Arc<Trace>> {
        self.find(&self.main(workload)?).and_then(Data::trace)
    }

    /// The trace that lengths are drawn from.
    pub(super) fn resampled_trace(&self, spec: &Resampled) -> Option<Arc<Trace>> {
        self.find(&self.resampled(spec)).and_then(Data::trace)
    }

    /// The export that the workload replays.
    pub(super) fn minutes(&self, workload: &Workload) -> Option<Arc<Minutes>> {
        match self.find(&self.main(workload)?)? {
            Data::Minutes(minutes) => Some(Arc::clone(minutes)),
            Data::Trace(_) | Data::Rates(_) => None,
        }
    }

    /// When the file of a workload begins, in nanoseconds since 1970; `None` if it has no dates, or there is none.
    pub(super) fn moment(&self, workload: &Workload) -> Option<u64> {
        match self.find(&self.main(workload)?)? {
            Data::Trace(trace) => trace.moment(),
            Data::Minutes(minutes) => minutes.moment(),
            Data::Rates(rates) => rates.moment,
        }
    }

    /// When the earliest of the files with dates begins, in nanoseconds since 1970: with it begins the clock of a run.
    pub(crate) fn begin(&self, workloads: &[Workload]) -> Option<u64> {
        workloads.iter().filter_map(|workload| self.moment(workload)).min()
    }

    /// The points of the workload's rate table, if they are in a file.
    pub(super) fn rates(&self, workload: &Workload) -> Option<&[RatePoint]> {
        match self.find(&self.main(workload)?)? {
            Data::Rates(rates) => Some(&rates.points),
            Data::Trace(_) | Data::Minutes(_) => None,
        }
    }
}

impl FileSource {
    /// The file's name without its folder.
    fn name(&self) -> String {
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned()
    }

    fn read(&self) -> Result<Data, String> {
        let columns = self.columns.as_ref();
        match self.what {
            What::Trace => {
                formats::read(&self.path, self.format, columns, self.ahead).map(|trace| Data::Trace(Arc::new(trace)))
            }
            What::Minutes => {
                Minutes::read(&self.path, columns, self.ahead).map(|minutes| Data::Minutes(Arc::new(minutes)))
            }
            What::Rates => rates::read(&self.path, columns, self.ahead).map(|rates| Data::Rates(Arc::new(rates))),
        }
    }
}

impl Data {
    fn trace(&self) -> Option<Arc<Trace>> {
        match self {
            Self::Trace(trace) => Some(Arc::clone(trace)),
            Self::Minutes(_) | Self::Rates(_) => None,
        }
    }
}
