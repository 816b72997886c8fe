//! What clients must be: the scenario's, and those that a workload has for itself.

use super::{Checked, refuse, wrong};
use crate::scenario::{Client, Clients, Program, Scenario};

/// More workers than any run has memory for.
const MOST_WORKERS: u32 = 100_000;

impl Scenario {
    pub(super) fn check_clients(&self) -> Checked {
        self.check_table("clients", &self.clients)?;
        let shared = &self.clients;
        refuse(shared.connect_timeout.as_nanos() == 0, "clients.connect_timeout", "it must be more than zero")?;
        for workload in self.workloads.iter().filter(|workload| workload.is_apart()) {
            let key = |key: &str| format!("workload.{}.{key}", workload.name);
            let named = workload.backends.as_deref();
            refuse(named.is_some_and(<[_]>::is_empty), key("backends"), "it is empty; leave it out for all backends")?;
            let is_unknown = |name: &&String| !self.backends.iter().any(|backend| backend.name == **name);
            if let Some(name) = named.into_iter().flatten().find(is_unknown) {
                return wrong(key("backends"), format!("there is no backend `{name}`"));
            }
            let Some(clients) = &workload.clients else { continue };
            self.check_table(&key("clients"), clients)?;
            for (name, is_other) in [
                ("connect_timeout", clients.connect_timeout != shared.connect_timeout),
                ("connect_fault_latency", clients.connect_fault_latency != shared.connect_fault_latency),
                ("refusal_latency", clients.refusal_latency != shared.refusal_latency),
            ] {
                let problem = "it is the same for all; write it in `[clients]`";
                refuse(is_other, key(&format!("clients.{name}")), problem)?;
            }
        }
        let programs = self.programs();
        let workers = programs.iter().fold(0_u32, |sum, program| sum.saturating_add(program.clients.workers));
        refuse(workers > MOST_WORKERS, "clients.workers", "all together must be at most 100000")?;
        programs.iter().try_for_each(|program| self.check_program(program))?;
        self.workloads.iter().enumerate().try_for_each(|(number, workload)| {
            let is_direct = programs[self.program_of(number)].clients.client == Client::Direct;
            let key = format!("workload.{}.wishes", workload.name);
            refuse(is_direct && workload.wishes.is_some(), key, "only the balancer grants wishes")
        })
    }

    fn check_table(&self, table: &str, clients: &Clients) -> Checked {
        let key = |key: &str| format!("{table}.{key}");
        refuse(clients.workers == 0, key("workers"), "it must be at least 1")?;
        refuse(clients.timeout.as_nanos() == 0, key("timeout"), "it must be more than zero")?;
        match &clients.direct_to {
            Some(_) if clients.client == Client::Balancer => {
                wrong(key("direct_to"), "only `client = \"direct\"` sends to one backend")
            }
            Some(name) if !self.backends.iter().any(|backend| backend.name == *name) => {
                wrong(key("direct_to"), format!("there is no backend `{name}`"))
            }
            _ => Ok(()),
        }
    }

    /// A direct client sends to one of its program's backends.
    fn check_program(&self, program: &Program<'_>) -> Checked {
        let Some(workload) = program.owner else { return Ok(()) };
        let is_sent_to = |name: &String| {
            self.backends.iter().zip(&program.sends_to).any(|(backend, sends)| *sends && backend.name == *name)
        };
        refuse(
            program.clients.direct_to.as_ref().is_some_and(|name| !is_sent_to(name)),
            format!("workload.{}.clients.direct_to", workload.name),
            "it is none of its `backends`",
        )
    }
}
