//! What fuzzing looks for: one function for each target, which panics where a promise does not hold.
//!
//! They are fed by `cargo fuzz` from `targets`, and by `tests/tests/corpus.rs` with the inputs saved in `corpus`. Inputs
//! are lines of text, so that one can be written, read and shortened by hand.

mod addressing;
mod configuration;
mod endpoints;
mod hints;
mod models;

pub use addressing::addressing;
pub use configuration::configuration;
pub use endpoints::endpoints;
pub use hints::hints;
pub use models::models;
