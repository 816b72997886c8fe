//! The options of a pool, by the names that Python calls them.

use std::collections::BTreeMap;

use lb_core::{Pool, PoolBuilder, PoolOptions, StatusAction, Wait};
use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    prelude::*,
    types::PyDict,
};

use crate::seconds::Seconds;

/// A builder with these options, which are those of [`PoolOptions`] by name; `wait` is a pair of the longest wait and the
/// queue. `None` is the default.
pub(crate) fn builder(options: Option<&Bound<'_, PyDict>>) -> PyResult<PoolBuilder> {
    let mut read = PoolOptions::default();
    for (name, value) in options.into_iter().flatten() {
        if value.is_none() {
            continue;
        }
        let name: String = name.extract()?;
        set(&mut read, &name, &value)?;
    }
    Ok(Pool::builder().options(read))
}

fn set(options: &mut PoolOptions, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
    let span = || value.extract::<Seconds>().map(|Seconds(span)| span).map_err(|error| named(name, &error));
    let flag = || value.extract::<bool>().map_err(|error| named(name, &error));
    let count = || value.extract::<u32>().map_err(|error| named(name, &error));
    match name {
        "default_cooldown" => options.default_cooldown = span()?,
        "max_cooldown" => options.max_cooldown = span()?,
        "strikes" => options.strikes = count()?,
        "probe_after" => options.probe_after = span()?,
        "stalled_after" => options.stalled_after = Some(span()?),
        "on_status" => options.on_status = actions(value)?,
        "fail_over_after_send" => options.fail_over_after_send = flag()?,
        "reject_html" => options.reject_html = flag()?,
        "peek" => options.peek = flag()?,
        "wait" => {
            let (Seconds(longest), queue) = value.extract().map_err(|error| named(name, &error))?;
            options.wait = Some(Wait { longest, queue });
        }
        "deadline" => options.deadline = Some(span()?),
        "fail_over_within" => options.fail_over_within = Some(span()?),
        "guard_stateful_paths" => options.guard_stateful_paths = flag()?,
        "always_synthesize" => options.always_synthesize = flag()?,
        "max_attempts" => options.max_attempts = Some(count()?),
        _ => return Err(PyTypeError::new_err(format!("no such option: {name}"))),
    }
    Ok(())
}

fn named(name: &str, error: &PyErr) -> PyErr {
    PyValueError::new_err(format!("{name}: {error}"))
}

fn actions(value: &Bound<'_, PyAny>) -> PyResult<BTreeMap<u16, StatusAction>> {
    let named: BTreeMap<u16, String> = value.extract().map_err(|error| self::named("on_status", &error))?;
    let action = |(status, action): (u16, String)| match action.as_str() {
        "return" => Ok((status, StatusAction::Return)),
        "fail-over" => Ok((status, StatusAction::FailOver)),
        "fail-over-and-cool" => Ok((status, StatusAction::FailOverAndCool)),
        _ => Err(PyValueError::new_err("on_status: an action is 'return', 'fail-over' or 'fail-over-and-cool'")),
    };
    named.into_iter().map(action).collect()
}
