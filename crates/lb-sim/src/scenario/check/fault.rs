//! What a fault must be.

use super::{Checked, in_range, refuse, wrong};
use crate::scenario::{Fault, FaultKind, Scenario};

impl Scenario {
    pub(super) fn check_fault(&self, key: &str, fault: &Fault) -> Checked {
        self.check_place(key, fault)?;
        check_time(key, fault)?;
        let key = |name: &str| format!("{key}.{name}");
        let only_of = |name: &str, is_there: bool, kinds: &[FaultKind], problem: &str| {
            refuse(is_there && !kinds.contains(&fault.kind), key(name), problem)
        };
        let status = "only `kind = \"status\"` has it";
        only_of("status", fault.status.is_some(), &[FaultKind::Status], status)?;
        only_of("hint", fault.hint.is_some(), &[FaultKind::Status], status)?;
        let late = "only `kind = \"status\"` and `kind = \"reset\"` have it";
        only_of("after", fault.after.is_some(), &[FaultKind::Status, FaultKind::Reset], late)?;
        only_of("factor", fault.factor.is_some(), &[FaultKind::Slow], "only `kind = \"slow\"` has it")?;
        let is_failure = fault.status.is_none_or(|status| status == 429 || (500..=599).contains(&status));
        refuse(!is_failure, key("status"), "it must be 429, or from 500 to 599")?;
        in_range(&key("factor"), fault.factor, 1e-3, 1e6)?;
        in_range(&key("share"), Some(fault.share), 0.0, 1.0)
    }

    fn check_place(&self, key: &str, fault: &Fault) -> Checked {
        match (&fault.backend, &fault.region, &fault.workload) {
            (Some(name), None, None) => refuse(
                !self.backends.iter().any(|backend| backend.name == *name),
                format!("{key}.backend"),
                format!("there is no backend `{name}`"),
            ),
            (None, Some(region), None) => refuse(
                !self.backends.iter().any(|backend| backend.region.as_ref() == Some(region)),
                format!("{key}.region"),
                format!("no backend is in the region `{region}`"),
            ),
            (None, None, Some(name)) => {
                refuse(
                    !self.workloads.iter().any(|workload| workload.name == *name),
                    format!("{key}.workload"),
                    format!("there is no workload `{name}`"),
                )?;
                refuse(
                    fault.kind.is_of_connecting(),
                    format!("{key}.kind"),
                    "a connection does not depend on the request: a `workload` has none of this kind",
                )
            }
            _ => wrong(key, "a fault hits a `backend`, a `region` or the requests of a `workload`: name one"),
        }
    }
}

fn check_time(key: &str, fault: &Fault) -> Checked {
    match (fault.at, fault.mean_between) {
        (Some(_), None) if fault.mean_duration.is_none() => Ok(()),
        (None, Some(between)) if fault.lasts.is_none() => {
            refuse(between.as_nanos() == 0, format!("{key}.mean_between"), "it must be more than zero")?;
            refuse(
                fault.mean_duration.is_none_or(|mean| mean.as_nanos() == 0),
                key,
                "a random fault needs a `mean_duration` of more than zero",
            )
        }
        _ => wrong(key, "a fault comes `at` a time `for` a span, or at random with `mean_between` and `mean_duration`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(fault: &str) -> String {
        let scenario = format!(
            r#"
            run = {{ duration = "1m" }}
            backend = [{{ name = "one" }}]
            workload = [{{ name = "chat", kind = "constant", rate = 1, input = 1, output = 1 }}]
            [[fault]]
            {fault}
            "#
        );
        Scenario::parse(&scenario).unwrap_err().to_string()
    }

    #[test]
    fn a_fault_hits_one_kind_of_thing_that_is_there() {
        let names = "line 5: fault.0: a fault hits a `backend`, a `region` or the requests of a `workload`: name one";
        assert_eq!(error("kind = 'hang'\nat = '0s'"), names);
        assert_eq!(error("backend = 'one'\nworkload = 'chat'\nkind = 'hang'\nat = '0s'"), names);
        assert_eq!(
            error("workload = 'chats'\nkind = 'status'\nat = '0s'"),
            "line 6: fault.0.workload: there is no workload `chats`"
        );
        assert_eq!(
            error("workload = 'chat'\nkind = 'connect-timeout'\nat = '0s'"),
            "line 7: fault.0.kind: a connection does not depend on the request: a `workload` has none of this kind"
        );
    }

    #[test]
    fn keys_of_another_kind_are_refused() {
        assert_eq!(
            error("backend = 'one'\nkind = 'reset'\nat = '0s'\nhint = '1s'"),
            "line 9: fault.0.hint: only `kind = \"status\"` has it"
        );
        assert_eq!(
            error("backend = 'one'\nkind = 'hang'\nat = '0s'\nafter = '1s'"),
            "line 9: fault.0.after: only `kind = \"status\"` and `kind = \"reset\"` have it"
        );
        assert_eq!(
            error("backend = 'one'\nkind = 'status'\nat = '0s'\nfactor = 2"),
            "line 9: fault.0.factor: only `kind = \"slow\"` has it"
        );
    }

    #[test]
    fn a_status_is_one_that_fails_over() {
        for status in [400, 404, 428, 499, 600] {
            assert_eq!(
                error(&format!("backend = 'one'\nkind = 'status'\nat = '0s'\nstatus = {status}")),
                "line 9: fault.0.status: it must be 429, or from 500 to 599"
            );
        }
    }
}
