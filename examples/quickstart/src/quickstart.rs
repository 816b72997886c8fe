//! The quickstart: the same requests by every approach.

use std::time::Instant;

use lb_core::Observer;

use crate::{Approach, BoxError, Decisions, Report, RequestLog, Row, Setup, Watcher, Workload, watcher::Observers};

/// The same requests by every approach, each on fresh deployments and a fresh pool.
#[derive(Debug)]
pub struct Quickstart {
    /// Where the deployments come from.
    pub setup: Setup,
    /// Requests per approach.
    pub requests: usize,
    /// How many of them at a time.
    pub concurrency: usize,
    /// The approaches to run, in order.
    pub approaches: Vec<Approach>,
    /// Where every attempt is logged, and every request that no backend got.
    pub log: Option<RequestLog>,
    /// Who else wants to know the pools.
    pub watchers: Vec<Box<dyn Watcher>>,
}

impl Quickstart {
    /// Runs all approaches, one after the other, and tells `decisions` what the pools decide. It blocks.
    ///
    /// # Errors
    ///
    /// If an emulator, a pool or a client cannot be made. Requests that fail are in the report.
    pub fn run(&self, decisions: &Decisions) -> Result<Report, BoxError> {
        let rows = self.approaches.iter().map(|approach| self.run_one(*approach, decisions));
        let emulated = matches!(self.setup, Setup::Emulated { .. });
        Ok(Report { emulated, approaches: rows.collect::<Result<_, _>>()? })
    }

    fn run_one(&self, approach: Approach, decisions: &Decisions) -> Result<Row, BoxError> {
        let stage = self.setup.open(self.requests)?;
        let first = stage.backends.first().ok_or("there is no deployment; name at least one")?;
        decisions.headline(&match approach {
            Approach::Direct => format!("{approach}: {} alone, without a balancer", first.name()),
            _ => approach.to_string(),
        });
        let mut observers: Vec<Box<dyn Observer>> = vec![Box::new(decisions.restarted())];
        let log = self.log.as_ref().map(|log| log.of_pool(approach.name()));
        observers.extend(log.clone().map(|log| Box::new(log) as Box<dyn Observer>));
        let mut watches = Vec::new();
        for watching in self.watchers.iter().map(|watcher| watcher.begin(approach.name())) {
            observers.push(watching.observer);
            watches.push(watching.watch);
        }
        let pool = stage.pool(Observers(observers))?;
        watches.into_iter().for_each(|watch| watch(&pool));
        let work = Workload {
            requests: self.requests,
            concurrency: self.concurrency,
            prompt: stage.prompt.clone(),
            is_local: stage.is_local,
            log,
        };
        let begin = Instant::now();
        let answers = approach.run(work, pool.clone(), first)?;
        Ok(Row::new(approach, &answers, &pool, begin.elapsed()))
    }
}
