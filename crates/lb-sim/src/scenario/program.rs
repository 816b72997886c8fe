use lb_core::PoolOptions;
use serde::Deserialize;

use super::{Backend, Client, Clients, PoolSharing, Preset, Scenario, ScenarioError, Workload};

/// Processes of one kind: who sends, over which pools of which backends.
///
/// Workloads without clients, backends or a pool of their own share one; every other workload has one for itself.
#[derive(Debug, Clone)]
pub(crate) struct Program<'s> {
    /// The workload that has it for itself; `None`: it is everybody else's.
    pub(crate) owner: Option<&'s Workload>,
    /// Its clients.
    pub(crate) clients: &'s Clients,
    /// The options of its pools.
    pub(crate) pool: &'s PoolOptions,
    /// Whether it sends to each of the scenario's backends.
    pub(crate) sends_to: Vec<bool>,
}

impl Program<'_> {
    /// How many pools it has; none without a balancer.
    pub(crate) const fn pools(&self) -> u32 {
        match (self.clients.client, self.clients.pools) {
            (Client::Direct, _) => 0,
            (Client::Balancer, PoolSharing::Shared) => 1,
            (Client::Balancer, PoolSharing::Private | PoolSharing::Gossip) => self.clients.workers,
        }
    }

    /// The backend of a direct client, of those that are `there`.
    pub(crate) fn direct(&self, backends: &[Backend], is_there: impl Fn(usize) -> bool) -> Option<usize> {
        if self.clients.client != Client::Direct {
            return None;
        }
        let there = (0..backends.len()).filter(|&index| self.sends_to[index] && is_there(index));
        match &self.clients.direct_to {
            Some(name) => there.into_iter().find(|&index| backends[index].name == *name),
            None => there.min_by_key(|&index| backends[index].priority),
        }
    }
}

impl Workload {
    /// Whether it has a program for itself.
    pub(crate) const fn is_apart(&self) -> bool {
        self.clients.is_some() || self.pool.is_some() || self.backends.is_some()
    }
}

impl Scenario {
    /// The programs of the scenario: the shared one first, if there is one, then those of workloads in their order.
    pub(crate) fn programs(&self) -> Vec<Program<'_>> {
        let shared = (!self.workloads.iter().all(Workload::is_apart)).then(|| Program {
            owner: None,
            clients: &self.clients,
            pool: &self.pool,
            sends_to: vec![true; self.backends.len()],
        });
        let own = self.workloads.iter().filter(|workload| workload.is_apart()).map(|workload| {
            let named = workload.backends.as_ref();
            Program {
                owner: Some(workload),
                clients: workload.clients.as_ref().unwrap_or(&self.clients),
                pool: workload.pool.as_ref().unwrap_or(&self.pool),
                sends_to: self
                    .backends
                    .iter()
                    .map(|backend| named.is_none_or(|named| named.contains(&backend.name)))
                    .collect(),
            }
        });
        shared.into_iter().chain(own).collect()
    }

    /// The program of a workload, by its place among the [`programs`](Self::programs).
    pub(crate) fn program_of(&self, workload: usize) -> usize {
        let Some(is_apart) = self.workloads.get(workload).map(Workload::is_apart) else { return 0 };
        let before = self.workloads[..workload].iter().filter(|other| other.is_apart()).count();
        let shared = usize::from(!self.workloads.iter().all(Workload::is_apart));
        if is_apart { shared + before } else { 0 }
    }

    /// Whether its requests are sent to a backend, once that is bought: per workload.
    pub(crate) fn reaching(&self, backend: usize) -> Vec<bool> {
        let programs = self.programs();
        let reaches = |workload| {
            let program = &programs[self.program_of(workload)];
            match program.clients.client {
                Client::Balancer => program.sends_to[backend],
                Client::Direct => program.direct(&self.backends, |_| true) == Some(backend),
            }
        };
        (0..self.workloads.len()).map(reaches).collect()
    }

    /// Whether a backend was bought: one of zero PTUs was not.
    pub(crate) fn is_there(&self, backend: usize) -> bool {
        let backend = &self.backends[backend];
        backend.preset != Preset::AzurePtu || backend.ptus != Some(0)
    }

    /// Completes the tables that workloads have of their own with what the scenario's say.
    pub(super) fn inherit(&mut self) -> Result<(), ScenarioError> {
        let Some(tables) = self.document.get("workload").and_then(toml::Value::as_array) else { return Ok(()) };
        for (workload, table) in self.workloads.iter_mut().zip(tables) {
            let name = &workload.name;
            if workload.clients.is_some() {
                workload.clients = Some(completed(&self.document, table, "clients", name)?);
            }
            if workload.pool.is_some() {
                workload.pool = Some(completed(&self.document, table, "pool", name)?);
            }
        }
        Ok(())
    }
}

/// A table of a workload, with the keys that it lacks from the table of the same name at the top.
fn completed<T: for<'de> Deserialize<'de>>(
    document: &toml::Table,
    workload: &toml::Value,
    key: &str,
    name: &str,
) -> Result<T, ScenarioError> {
    let table = |value: Option<&toml::Value>| value.and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let mut whole = table(document.get(key));
    whole.extend(table(workload.get(key)));
    whole.try_into().map_err(|error| ScenarioError::new(format!("workload.{name}.{key}"), error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Sdk;

    const SCENARIO: &str = r#"
        run = { duration = "1m" }
        clients = { workers = 4, sdk = "openai-python-3.54", max_retries = 3 }
        pool = { strikes = 3, wait = { longest = "1s", queue = 5 } }
        backend = [{ name = "a" }, { name = "b", priority = 2 }]
        [[workload]]
        name = "chat"
        kind = "poisson"
        rate = 1
        input = 1
        output = 1
        [[workload]]
        name = "batch"
        kind = "poisson"
        rate = 1
        input = 1
        output = 1
        backends = ["b"]
        clients = { workers = 2, sdk = "none" }
        pool = { strikes = 1 }
    "#;

    #[test]
    fn a_workload_of_its_own_says_what_differs_and_the_rest_is_everybodys() {
        let scenario = Scenario::parse(SCENARIO).unwrap();
        let programs = scenario.programs();
        let [shared, batch] = programs.as_slice() else { panic!("{programs:?}") };
        assert_eq!((shared.clients.workers, shared.pools(), shared.sends_to.as_slice()), (4, 4, &[true, true][..]));
        assert_eq!((batch.clients.workers, batch.pools(), batch.sends_to.as_slice()), (2, 2, &[false, true][..]));
        assert_eq!((batch.clients.sdk, batch.clients.max_retries), (Sdk::None, 3));
        assert_eq!((batch.pool.strikes, &batch.pool.wait), (1, &scenario.pool.wait));
        assert_eq!([0, 1].map(|workload| scenario.program_of(workload)), [0, 1]);
    }

    #[test]
    fn where_each_workload_has_its_own_nothing_is_shared() {
        let scenario = Scenario::parse(&SCENARIO.replacen("output = 1", "output = 1\nbackends = [\"a\"]", 1)).unwrap();
        let owners: Vec<_> = scenario.programs().iter().map(|program| program.owner.unwrap().name.clone()).collect();
        assert_eq!(owners, ["chat", "batch"]);
        assert_eq!([0, 1].map(|workload| scenario.program_of(workload)), [0, 1]);
    }

    #[test]
    fn a_backend_is_reached_by_those_that_send_to_it() {
        let reaching = |batch: &str| {
            let scenario = Scenario::parse(&SCENARIO.replace("workers = 2, sdk = \"none\"", batch)).unwrap();
            [0, 1].map(|backend| scenario.reaching(backend))
        };
        assert_eq!(reaching("workers = 2"), [[true, false], [true, true]]);
        assert_eq!(reaching("client = \"direct\""), [[true, false], [true, true]]);
        // A client without a balancer goes to one: the best priority, or that which it names.
        let both = |batch: &str| {
            let text = SCENARIO.replace("[\"b\"]", "[\"a\", \"b\"]").replace("workers = 2, sdk = \"none\"", batch);
            let scenario = Scenario::parse(&text).unwrap();
            [0, 1].map(|backend| scenario.reaching(backend))
        };
        assert_eq!(both("client = \"direct\""), [[true, true], [true, false]]);
        assert_eq!(both("client = \"direct\", direct_to = \"b\""), [[true, false], [true, true]]);
    }

    #[test]
    fn what_a_workload_of_its_own_cannot_have_is_refused() {
        let error = |from: &str, to: &str| Scenario::parse(&SCENARIO.replace(from, to)).unwrap_err().to_string();
        assert_eq!(error("[\"b\"]", "[\"c\"]"), "line 18: workload.batch.backends: there is no backend `c`");
        assert_eq!(
            error("[\"b\"]", "[]"),
            "line 18: workload.batch.backends: it is empty; leave it out for all backends"
        );
        assert_eq!(
            error("sdk = \"none\"", "client = \"direct\", direct_to = \"a\""),
            "line 19: workload.batch.clients.direct_to: it is none of its `backends`"
        );
        assert_eq!(
            error("sdk = \"none\"", "connect_timeout = \"1s\""),
            "line 19: workload.batch.clients.connect_timeout: it is the same for all; write it in `[clients]`"
        );
        assert_eq!(
            error("workers = 2", "workers = 0"),
            "line 19: workload.batch.clients.workers: it must be at least 1"
        );
        let error = error("workers = 2", "worker = 2");
        assert!(error.starts_with("line 19: workload.batch.clients") && error.contains("worker"), "{error}");
    }
}
