use std::sync::Arc;

use crate::{
    config::Config, gate::Gatekeeper, log::Log, quota::Quota, script::Script, store::Store, switches::Switches,
};

/// Everything that the requests of an emulator share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) quota: Quota,
    pub(crate) script: Script,
    pub(crate) store: Store,
    pub(crate) log: Arc<Log>,
    pub(crate) gate: Arc<Gatekeeper>,
    pub(crate) switches: Arc<Switches>,
}
