//! What the examples share beside parts of the quickstart; the example programs are beside this crate's `Cargo.toml`.

mod sdk_stage;

use lb_quickstart::BoxError;

pub use sdk_stage::SdkStage;

/// An error that says `problem`, unless `holds`: an example exits non-zero if what it shows is not so.
///
/// # Errors
///
/// If it does not hold.
pub fn ensure(holds: bool, problem: &str) -> Result<(), BoxError> {
    if holds { Ok(()) } else { Err(problem.into()) }
}
