//! What a scenario must be for a run to make sense: names exist and are unique, numbers are in range.

mod backend;
mod clients;
mod fault;
mod workload;

use std::collections::BTreeSet;

use super::{Client, Kind, Limits, Preset, Scenario, ScenarioError};

/// How many backends a scenario can have: what the keys of draws and the journal have bits for is far more.
const MOST_BACKENDS: usize = 10_000;

/// More tokens than any request has: sums of them stay exact.
const MOST_TOKENS: f64 = 1e12;

/// A hundred years: times stay far from where nanoseconds end, after 584.
pub(crate) const MOST_NANOS: u64 = 100 * 365 * 86_400 * lb_limits::SECOND;

type Checked = Result<(), ScenarioError>;

fn wrong(key: impl Into<String>, problem: impl Into<String>) -> Checked {
    Err(ScenarioError::new(key, problem))
}

/// Refuses the scenario if something is so.
fn refuse(is_so: bool, key: impl Into<String>, problem: impl Into<String>) -> Checked {
    if is_so { wrong(key, problem) } else { Ok(()) }
}

impl Scenario {
    pub(super) fn check(&self) -> Checked {
        self.check_run()?;
        self.check_clients()?;
        self.check_names()?;
        for model in &self.models {
            let key = |key: &str| format!("model.\"{}\".{key}", model.name);
            positive(&key("input_tpm_per_ptu"), model.input_tpm_per_ptu)?;
            positive(&key("ptu_step"), model.ptu_step)?;
            positive(&key("regional_ptu_step"), model.regional_ptu_step)?;
            for (name, price) in [
                ("price_input", model.price_input),
                ("price_cached_input", model.price_cached_input),
                ("price_output", model.price_output),
            ] {
                not_negative(&key(name), price)?;
            }
            in_range(&key("ttft.sigma"), Some(model.ttft.sigma), 0.0, 5.0)?;
            in_range(&key("tpot.sigma"), Some(model.tpot.sigma), 0.0, 5.0)?;
        }
        for backend in &self.backends {
            self.check_backend(backend)?;
        }
        for workload in &self.workloads {
            workload::check(workload)?;
            // Refused users would come again at the same moment, without end.
            let client = workload.clients.as_ref().unwrap_or(&self.clients).client;
            let latencies = self.backends.iter().map(|backend| self.refusal_latency(backend).as_nanos());
            let at_once = client == Client::Balancer || latencies.min() == Some(0);
            refuse(
                at_once && workload.think.is_some_and(|think| think.as_nanos() < lb_limits::MILLISECOND),
                format!("workload.{}.think", workload.name),
                "it must be 1 ms or longer: a balancer whose backends are all cooling refuses at once, as does a \
                 backend with a `refusal_latency` of zero",
            )?;
        }
        for (index, fault) in self.faults.iter().enumerate() {
            self.check_fault(&format!("fault.{index}"), fault)?;
        }
        check_limits("run", &self.run.limits)?;
        self.check_plan()
    }

    fn check_run(&self) -> Checked {
        let run = &self.run;
        refuse(run.replications == 0, "run.replications", "it must be at least 1")?;
        in_range("run.growth", Some(run.growth), 1e-6, 1e6)?;
        refuse(run.represents.is_some_and(|span| span.as_nanos() == 0), "run.represents", "it must be more than zero")?;
        refuse(
            run.duration.is_some_and(|duration| duration.as_nanos() > MOST_NANOS),
            "run.duration",
            "it must be at most a hundred years",
        )?;
        match run.duration {
            Some(duration) if duration.as_nanos() == 0 => wrong("run.duration", "it must be more than zero"),
            Some(duration) if run.warmup >= duration => {
                wrong("run.warmup", format!("it must be shorter than the duration ({duration})"))
            }
            None if !self.workloads.iter().any(|w| matches!(w.kind, Kind::Trace | Kind::AzureMonitor) && !w.repeat) => {
                wrong("run", "`duration` is missing; only a trace or an export that does not loop ends by itself")
            }
            _ => Ok(()),
        }
    }

    fn check_names(&self) -> Checked {
        refuse(self.backends.is_empty(), "", "there is no `[[backend]]`")?;
        refuse(self.workloads.is_empty(), "", "there is no `[[workload]]`")?;
        refuse(self.backends.len() > MOST_BACKENDS, "backend", format!("there are more than {MOST_BACKENDS}"))?;
        check_names("backend", self.backends.iter().map(|backend| backend.name.as_str()))?;
        check_names("workload", self.workloads.iter().map(|workload| workload.name.as_str()))?;
        let mut models = BTreeSet::new();
        match self.models.iter().find(|model| !models.insert(&model.name)) {
            Some(twice) => wrong("model", format!("the name `{}` is used twice", twice.name)),
            None => Ok(()),
        }
    }

    fn check_plan(&self) -> Checked {
        let Some(plan) = &self.plan else { return Ok(()) };
        match self.backends.iter().find(|backend| backend.name == plan.backend) {
            None => return wrong("plan.backend", format!("there is no backend `{}`", plan.backend)),
            Some(backend) if backend.preset != Preset::AzurePtu => {
                return wrong("plan.backend", format!("`{}` has no PTUs to vary", plan.backend));
            }
            Some(_) => {}
        }
        refuse(plan.bursts.iter().any(|burst| burst.as_nanos() == 0), "plan.bursts", "each must be more than zero")?;
        refuse(plan.replications < 2, "plan.replications", "an interval needs at least 2")?;
        if let Some(quotas) = &plan.quotas {
            let backend = self.backends.iter().find(|backend| backend.name == quotas.backend);
            let problem = format!("there is no backend `{}` with `tpm`", quotas.backend);
            refuse(backend.is_none_or(|backend| backend.tpm.is_none()), "plan.quotas.backend", problem)?;
            refuse(quotas.tpm.is_empty(), "plan.quotas.tpm", "there must be one at least")?;
        }
        check_limits("plan", &plan.limits)
    }
}

fn check_limits(table: &str, limits: &Limits) -> Checked {
    for (name, share) in [
        ("spill_share", limits.spill_share),
        ("application_429_share", limits.application_429_share),
        ("failed_share", limits.failed_share),
    ] {
        in_range(&format!("{table}.limits.{name}"), share, 0.0, 1.0)?;
    }
    Ok(())
}

fn check_names<'a>(table: &str, names: impl Iterator<Item = &'a str>) -> Checked {
    let mut seen = BTreeSet::new();
    for name in names {
        let is_plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        refuse(!is_plain, table, unfit(table, name))?;
        refuse(!seen.insert(name), format!("{table}.{name}"), "the name is used twice")?;
    }
    Ok(())
}

/// Why a name is none, and one that would be.
fn unfit(table: &str, name: &str) -> String {
    let fit: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    let fit = if fit.is_empty() { "eu" } else { fit.as_str() };
    format!(
        "`{name}` is no name: it stands in key paths such as `{table}.{fit}.name`, where dots and spaces separate; use \
         letters, digits, `-` and `_`, such as `{fit}`"
    )
}

/// A number of tokens that a request can have.
fn tokens(key: &str, value: Option<u64>) -> Checked {
    in_range(key, value.map(|tokens| tokens as f64), 0.0, MOST_TOKENS)
}

fn positive(key: &str, value: Option<u64>) -> Checked {
    if value == Some(0) { wrong(key, "it must be at least 1") } else { Ok(()) }
}

fn not_negative(key: &str, value: Option<f64>) -> Checked {
    in_range(key, value, 0.0, 1e12)
}

fn in_range(key: &str, value: Option<f64>, least: f64, most: f64) -> Checked {
    match value {
        Some(value) if !(least..=most).contains(&value) => wrong(key, format!("it must be from {least} to {most}")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCENARIO: &str = r#"
[run]
duration = "10m"

[[backend]]
name = "ptu"
model = "gpt-4.1"
preset = "azure-ptu"
ptus = 50

[[workload]]
name = "chat"
kind = "poisson"
rate = 5
input = 1000
output = 200
"#;

    fn error(change: (&str, &str)) -> String {
        assert!(SCENARIO.contains(change.0));
        Scenario::parse(&SCENARIO.replacen(change.0, change.1, 1)).unwrap_err().to_string()
    }

    #[test]
    fn a_wrong_value_is_named_by_line_and_key() {
        assert_eq!(
            error(("ptus = 50", "ptus = 50\nburst = \"0s\"")),
            "line 10: backend.ptu.burst: it must be more than zero"
        );
        assert_eq!(
            error(("rate = 5", "rate = -1")),
            "line 14: workload.chat.rate: it must be from 0.000000001 to 1000000000"
        );
        assert_eq!(
            error(("gpt-4.1", "gpt-9")),
            "line 7: backend.ptu.model: what a PTU of `gpt-9` is worth is not known; add a `[[model]]` with \
             `input_tpm_per_ptu`"
        );
    }

    #[test]
    fn a_missing_value_is_named_at_its_table() {
        assert_eq!(
            error(("ptus = 50\n", "")),
            "line 5: backend.ptu.ptus: it is missing: how many PTUs does the deployment have?"
        );
    }

    #[test]
    fn unknown_keys_are_refused_with_their_line() {
        let message = error(("ptus = 50", "ptuss = 50"));
        assert!(message.starts_with("line 9: ") && message.contains("ptuss"), "{message}");
    }

    #[test]
    fn a_value_of_another_type_is_named_by_line_and_key() {
        let rate = error(("rate = 5", "rate = \"5\""));
        assert_eq!(rate, "line 14: workload.chat.rate: invalid type: string \"5\", expected a number");
        let ptus = error(("ptus = 50", "ptus = -50"));
        assert!(
            ptus.starts_with("line 9: backend.ptu.ptus: ") && ptus.contains("a whole number of 0 or more"),
            "{ptus}"
        );
        let span = error(("\"10m\"", "10"));
        assert!(span.starts_with("line 3: run.duration: "), "{span}");
        let nested = error(("output = 200", "output = 200\nretry = { times = 1.5, wait = \"1s\" }"));
        assert!(nested.starts_with("line 17: workload.chat.retry.times: "), "{nested}");
        let scenario = Scenario::parse(SCENARIO).unwrap();
        let set = scenario.with(&[("workload.chat.rate".parse().unwrap(), "five".into())]).unwrap_err();
        assert_eq!(set.to_string(), "workload.chat.rate: invalid type: string \"five\", expected a number");
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        assert!(
            error(("output = 200", "output = 200\nmax_tokens = { factor = 2.0, min = 10, max = 5 }"))
                .contains("workload.chat.max_tokens.max: it must be at least `min`")
        );
        assert!(
            error(("output = 200", "output = 200\ndeadline = \"0s\""))
                .contains("workload.chat.deadline: it must be more than zero")
        );
        let second = "quota = \"q\"\n[[backend]]\nname = \"b\"\npreset = \"azure-standard\"\nquota = \"q\"\n";
        let quota = |model: &str| {
            let first = format!(
                "[[backend]]\nname = \"a\"\npreset = \"azure-standard\"\ntpm = 1000\nmodel = \"gpt-4.1\"\n{second}model = \
                 \"{model}\"\n\n[[workload]]"
            );
            Scenario::parse(&SCENARIO.replacen("[[workload]]", &first, 1))
        };
        assert!(quota("gpt-4.1").is_ok());
        let two_models = quota("gpt-5").unwrap_err().to_string();
        assert!(two_models.contains("backend.b.quota: `a` has `gpt-4.1` on this quota"), "{two_models}");
    }

    #[test]
    fn what_would_never_end_is_refused() {
        assert!(error(("\"10m\"", "\"200 years\"")).contains("run.duration: it must be at most"));
        let closed = "kind = \"closed\"\nusers = 2\nthink = \"0s\"";
        let scenario = SCENARIO.replace("kind = \"poisson\"\nrate = 5", closed);
        let direct = format!("{scenario}\n[clients]\nclient = \"direct\"\n");
        assert!(Scenario::parse(&direct).is_ok());
        let at_once = direct.replace("ptus = 50", "ptus = 50\nrefusal_latency = \"0s\"");
        for at_once in [scenario, at_once] {
            let error = Scenario::parse(&at_once).unwrap_err().to_string();
            assert!(error.contains("workload.chat.think: it must be 1 ms or longer"), "{error}");
        }
        for retry in ["{ wait = \"0s\" }", "{ times = 1_001, wait = \"999us\" }"] {
            let error = error(("output = 200", &format!("output = 200\nretry = {retry}")));
            assert!(error.contains("line 17: workload.chat.retry.wait: it must be 1 ms or longer"), "{error}");
        }
        let rates = "kind = \"rate_table\"\nrates = [{ at = \"0s\", rate = 1 }, { at = \"1ns\", rate = 1 }]";
        let error = Scenario::parse(&SCENARIO.replace("kind = \"poisson\"\nrate = 5", rates)).unwrap_err().to_string();
        assert!(error.contains("workload.chat.rates: they must last for 1 ms at least"), "{error}");
    }

    #[test]
    fn keys_of_another_preset_are_refused() {
        assert_eq!(
            error(("ptus = 50", "ptus = 50\ntpm = 1")),
            "line 10: backend.ptu.tpm: only `preset = \"azure-standard\"` has it"
        );
    }

    #[test]
    fn a_span_that_is_none_says_how_to_write_one() {
        let message = error(("\"10m\"", "\"soon\""));
        assert!(message.starts_with("line 3: ") && message.contains("250ms"), "{message}");
    }

    #[test]
    fn numbers_of_tokens_that_no_request_has_are_refused() {
        let huge = "9000000000000000000";
        for (change, key) in [
            (("input = 1000", format!("input = {huge}")), "workload.chat.input"),
            (("output = 200", format!("output = 200\nmax_tokens = {huge}")), "workload.chat.max_tokens"),
            (("ptus = 50", format!("ptus = 50\ndefault_max_tokens = {huge}")), "backend.ptu.default_max_tokens"),
        ] {
            let message = error((change.0, &change.1));
            assert!(message.contains(key) && message.contains("1000000000000"), "{message}");
        }
    }

    #[test]
    fn names_have_no_dots() {
        assert_eq!(
            error(("name = \"ptu\"", "name = \"gpt-4.1 eu\"")),
            "line 5: backend: `gpt-4.1 eu` is no name: it stands in key paths such as `backend.gpt-4-1-eu.name`, where dots \
             and spaces separate; use letters, digits, `-` and `_`, such as `gpt-4-1-eu`"
        );
    }

    #[test]
    fn a_changed_scenario_is_checked_again() {
        let scenario = Scenario::parse(SCENARIO).unwrap();
        let change = |path: &str, value: toml::Value| scenario.with(&[(path.parse().unwrap(), value)]);
        assert_eq!(change("backend.ptu.ptus", 15.into()).unwrap().backends[0].ptus, Some(15));
        assert_eq!(change("clients.workers", 4.into()).unwrap().clients.workers, 4);
        assert!(change("clients.workers", 0.into()).unwrap_err().to_string().contains("at least 1"));
        assert!(
            change("backend.other.ptus", 15.into()).unwrap_err().to_string().contains("no `backend` named `other`")
        );
        assert!(change("backend.ptu.colour", 15.into()).unwrap_err().to_string().contains("colour"));
        // A table that is not there is made.
        assert_eq!(change("run.limits.spill_share", 0.5.into()).unwrap().run.limits.spill_share, Some(0.5));
        assert!(change("run.limts.spill_share", 0.5.into()).unwrap_err().to_string().contains("limts"));
    }
}
