//! Why an attempt got no response, and what the SDK's caller sees of it.

use std::{error::Error as StdError, fmt};

use async_openai::error::OpenAIError;
use lb_core::Error;

/// Why an attempt got no response head.
#[derive(Debug)]
#[non_exhaustive]
pub enum AttemptError {
    /// The request could not be built: an argument is not valid, or a file cannot be read. No backend is to blame.
    Build(OpenAIError),
    /// The request could not be sent, or was not answered.
    Send(reqwest::Error),
}

impl fmt::Display for AttemptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Build(error) => error.fmt(f),
            Self::Send(error) => error.fmt(f),
        }
    }
}

impl StdError for AttemptError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // Transparent: the text is the error's own, so its cause is the next one.
        match self {
            Self::Build(error) => error.source(),
            Self::Send(error) => error.source(),
        }
    }
}

/// The error as the SDK returns it: of the kind that the same problem has without a balancer. What only a balancer
/// knows is an `OpenAIError::Boxed` that can be downcast to [`Error`]`<`[`Infallible`](std::convert::Infallible)`>`.
pub(crate) fn openai_error(error: Error<AttemptError>) -> OpenAIError {
    match error.into_transport() {
        Ok(AttemptError::Build(error)) => error,
        Ok(AttemptError::Send(error)) => OpenAIError::Reqwest(error),
        Err(error) => OpenAIError::Boxed(Box::new(error)),
    }
}
