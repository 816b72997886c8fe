//! An approach: one way to send a workload.

mod direct;
#[cfg(feature = "isahc")]
mod over_isahc;
mod over_reqwest;

use std::{fmt, sync::Arc};

#[cfg(feature = "isahc")]
use futures_lite::future::block_on;
use lb_core::{Backend, Pool};
use serde::Serialize;

use crate::{Answer, BoxError, Feature, Workload};

/// One way to send a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Approach {
    /// To one deployment, without a balancer: what the others are compared with.
    Direct,
    /// Balanced, over reqwest.
    Reqwest,
    /// Balanced, over reqwest's blocking client, from threads.
    ReqwestBlocking,
    /// Balanced, over reqwest, with answers that stream.
    ReqwestStreaming,
    /// Balanced, over isahc.
    Isahc,
    /// Balanced, over isahc's blocking methods, from threads.
    IsahcBlocking,
    /// Balanced, over isahc, with answers that stream.
    IsahcStreaming,
}

impl Approach {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 7] = [
        Self::Direct,
        Self::Reqwest,
        Self::ReqwestBlocking,
        Self::ReqwestStreaming,
        Self::Isahc,
        Self::IsahcBlocking,
        Self::IsahcStreaming,
    ];

    /// The name in reports and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Reqwest => "reqwest",
            Self::ReqwestBlocking => "reqwest-blocking",
            Self::ReqwestStreaming => "reqwest-streaming",
            Self::Isahc => "isahc",
            Self::IsahcBlocking => "isahc-blocking",
            Self::IsahcStreaming => "isahc-streaming",
        }
    }

    /// Whether a balancer is used.
    #[must_use]
    pub const fn is_balanced(self) -> bool {
        !matches!(self, Self::Direct)
    }

    /// The feature that it is behind.
    #[must_use]
    pub const fn feature(self) -> Option<Feature> {
        match self {
            Self::Direct | Self::Reqwest | Self::ReqwestBlocking | Self::ReqwestStreaming => None,
            Self::Isahc | Self::IsahcBlocking | Self::IsahcStreaming => Some(Feature::Isahc),
        }
    }

    /// Whether it is compiled in.
    #[must_use]
    pub fn is_on(self) -> bool {
        self.feature().is_none_or(Feature::is_on)
    }

    /// Sends the workload through `pool`, or to `first` alone, and waits for all answers.
    ///
    /// Not to be called from an async task: it blocks, as some of the approaches do by nature.
    ///
    /// # Errors
    ///
    /// If it is not compiled in, or a client cannot be made. Requests that fail are answers.
    pub fn run(self, work: Workload, pool: Arc<Pool>, first: &Backend) -> Result<Vec<Answer>, BoxError> {
        match self {
            Self::Direct => runtime()?.block_on(direct::send_all(&work, first)),
            Self::Reqwest => runtime()?.block_on(over_reqwest::send_all(&work, pool)),
            Self::ReqwestBlocking => over_reqwest::send_all_blocking(&work, pool),
            Self::ReqwestStreaming => runtime()?.block_on(over_reqwest::send_all_streaming(&work.streaming(), pool)),
            // isahc needs no runtime: any executor will do.
            #[cfg(feature = "isahc")]
            Self::Isahc => block_on(over_isahc::send_all(&work, pool)),
            #[cfg(feature = "isahc")]
            Self::IsahcBlocking => over_isahc::send_all_blocking(&work, pool),
            #[cfg(feature = "isahc")]
            Self::IsahcStreaming => block_on(over_isahc::send_all_streaming(&work.streaming(), pool)),
            #[cfg(not(feature = "isahc"))]
            Self::Isahc | Self::IsahcBlocking | Self::IsahcStreaming => {
                Err(format!("{self} is not compiled in").into())
            }
        }
    }
}

impl fmt::Display for Approach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
