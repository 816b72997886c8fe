//! What a backend must be.

use super::{Checked, in_range, not_negative, positive, refuse, tokens, wrong};
use crate::scenario::{Backend, Preset, Scenario, Window};

impl Scenario {
    pub(super) fn check_backend(&self, backend: &Backend) -> Checked {
        let key = |key: &str| format!("backend.{}.{key}", backend.name);
        refuse(!(1..=100).contains(&backend.weight), key("weight"), "it must be from 1 to 100")?;
        self.check_preset(backend)?;
        tokens(&key("default_max_tokens"), backend.default_max_tokens)?;
        for (index, window) in backend.windows.iter().enumerate() {
            check_window(&key(&format!("window.{index}")), window)?;
        }
        positive(&key("concurrency.max_inflight"), backend.concurrency.map(|limit| limit.max_inflight))?;
        if let Some(foreign) = backend.foreign {
            in_range(&key("foreign.tpm"), Some(foreign.tpm), 0.0, 1e15)?;
            positive(&key("foreign.tokens"), Some(foreign.tokens))?;
            tokens(&key("foreign.tokens"), Some(foreign.tokens))?;
        }
        not_negative(&key("price_ptu_hour"), backend.price_ptu_hour)?;
        not_negative(&key("price_ptu_month"), backend.price_ptu_month)?;
        not_negative(&key("price_ptu_year"), backend.price_ptu_year)?;
        in_range(&key("latency_factor"), Some(backend.latency_factor), 1e-3, 1e3)?;
        self.check_quota(backend)
    }

    /// The keys of a preset stand with that preset only.
    fn check_preset(&self, backend: &Backend) -> Checked {
        let key = |key: &str| format!("backend.{}.{key}", backend.name);
        let of_ptu = [
            ("ptus", backend.ptus.is_some()),
            ("burst", backend.burst.is_some()),
            ("cache_min", backend.cache_min.is_some()),
            ("price_ptu_hour", backend.price_ptu_hour.is_some()),
            ("price_ptu_month", backend.price_ptu_month.is_some()),
            ("price_ptu_year", backend.price_ptu_year.is_some()),
        ];
        let of_standard = [
            ("tpm", backend.tpm.is_some()),
            ("rpm", backend.rpm.is_some()),
            ("rpm_per_1k_tpm", backend.rpm_per_1k_tpm.is_some()),
            ("counts_refused", backend.counts_refused),
        ];
        for (preset, keys, problem) in [
            (Preset::AzurePtu, &of_ptu[..], "only `preset = \"azure-ptu\"` has it"),
            (Preset::AzureStandard, &of_standard[..], "only `preset = \"azure-standard\"` has it"),
        ] {
            let misplaced = keys.iter().find(|(_, is_set)| *is_set).filter(|_| backend.preset != preset);
            if let Some((name, _)) = misplaced {
                return wrong(key(name), problem);
            }
        }
        let shares = self.owner_of_quota(backend).is_some_and(|owner| owner.name != backend.name);
        match backend.preset {
            Preset::AzurePtu if shares => wrong(key("quota"), "a provisioned deployment has its capacity to itself"),
            Preset::AzurePtu => {
                refuse(backend.ptus.is_none(), key("ptus"), "it is missing: how many PTUs does the deployment have?")?;
                if self.model(&backend.model).input_tpm_per_ptu().is_none() {
                    return wrong(
                        key("model"),
                        format!(
                            "what a PTU of `{}` is worth is not known; add a `[[model]]` with `input_tpm_per_ptu`",
                            backend.model
                        ),
                    );
                }
                refuse(
                    backend.burst.is_some_and(|burst| burst.as_nanos() == 0),
                    key("burst"),
                    "it must be more than zero",
                )?;
                Ok(())
            }
            Preset::AzureStandard if backend.tpm.is_none() && !shares => {
                wrong(key("tpm"), "it is missing: how many tokens per minute does the deployment have?")
            }
            Preset::AzureStandard if backend.rpm.is_some() && backend.rpm_per_1k_tpm.is_some() => {
                wrong(key("rpm_per_1k_tpm"), "`rpm` says it already")
            }
            Preset::AzureStandard => in_range(&key("rpm_per_1k_tpm"), backend.rpm_per_1k_tpm, 0.0, 1e9),
            Preset::None => Ok(()),
        }
    }

    /// Only the first backend of a quota gives its limits.
    fn check_quota(&self, backend: &Backend) -> Checked {
        let Some(owner) = self.owner_of_quota(backend) else { return Ok(()) };
        if owner.model != backend.model && !owner.model.is_empty() && !backend.model.is_empty() {
            return wrong(
                format!("backend.{}.quota", backend.name),
                format!("`{}` has `{}` on this quota: Azure has one for each model", owner.name, owner.model),
            );
        }
        let gives =
            backend.tpm.is_some() || backend.rpm.is_some() || !backend.windows.is_empty() || backend.foreign.is_some();
        if owner.name != backend.name && gives {
            return wrong(
                format!("backend.{}.quota", backend.name),
                format!("the limits of this quota are those of `{}`: give none here", owner.name),
            );
        }
        Ok(())
    }

    /// The backend that gives the limits of this backend's quota; `None` if the quota has no name.
    pub(crate) fn owner_of_quota(&self, backend: &Backend) -> Option<&Backend> {
        let quota = backend.quota.as_ref()?;
        self.backends.iter().find(|other| other.quota.as_ref() == Some(quota))
    }
}

fn check_window(key: &str, window: &Window) -> Checked {
    refuse(window.length.as_nanos() == 0, format!("{key}.length"), "it must be more than zero")?;
    Ok(())
}
