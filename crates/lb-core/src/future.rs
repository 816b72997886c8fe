//! Futures of an erased type.

use std::{future::Future, pin::Pin};

/// A boxed future, as traits that are used as `dyn` return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
