//! Runs sections of cases under criterion.

use std::time::Duration;

use criterion::{Criterion, SamplingMode};

use crate::case::Section;

/// criterion with short settings, so that all benchmarks end in a few minutes; the command line overrides them.
#[must_use]
pub fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(50))
        .measurement_time(Duration::from_millis(200))
        .without_plots()
        .configure_from_args()
}

/// Runs every case of every section; a section is a criterion group.
pub fn explore(criterion: &mut Criterion, group: &str, sections: Vec<Section>) {
    for section in sections {
        let mut benchmarks = criterion.benchmark_group(format!("{group}/{}", section.name));
        benchmarks.sampling_mode(SamplingMode::Flat);
        for mut case in section.cases {
            let name = case.name().to_owned();
            benchmarks.bench_function(name, |bencher| {
                // Runs that do not count are repeated; a machine on which none counts shows zero instead of hanging.
                bencher.iter_custom(|times| (0..100).find_map(|_| case.run(times)).unwrap_or_default());
            });
        }
        benchmarks.finish();
    }
}
