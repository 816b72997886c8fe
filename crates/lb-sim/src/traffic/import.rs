//! Traffic that was recorded: traces by request, and exports of Azure Monitor by minute.

mod azure_monitor;
pub(super) mod formats;
mod json_lines;
mod litellm;
mod otel;
mod steps;
mod table;
mod trace;

pub(crate) use self::azure_monitor::{Minute, Minutes};
pub use self::trace::{Row, Trace};
pub(super) use self::{azure_monitor::MOST, table::DataTable};
