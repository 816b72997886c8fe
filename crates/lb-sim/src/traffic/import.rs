//! Traffic that was recorded: traces by request, and exports of Azure Monitor by minute.

mod azure_monitor;
pub(super) mod formats;
mod table;
mod trace;

pub(super) use self::{azure_monitor::MOST, table::Table};
pub use self::{
    azure_monitor::{Minute, Minutes},
    trace::{Row, Trace},
};
