//! An emulator of Azure OpenAI's rate limits, as a library and as a binary.
mod answer;
mod builder;
mod config;
mod emulator;
mod error;
mod gate;
mod hint;
mod log;
mod openai;
mod play;
mod port;
mod quota;
mod received;
mod reply;
mod script;
mod server;
mod service;
mod wire;

pub use builder::EmulatorBuilder;
pub use emulator::Emulator;
pub use error::StartError;
pub use gate::StreamGate;
pub use hint::HintForm;
pub use quota::Quota;
pub use received::Received;
pub use reply::Reply;

pub use lb_limits;
