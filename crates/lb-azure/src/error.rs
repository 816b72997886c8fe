//! Errors in azure_core's form.

use azure_core::{Error as AzureError, error::ErrorKind};
use lb_core::Error;

/// The client's own error as it came; the balancer's as the source of one whose kind azure_core's retry policy leaves
/// alone.
pub(crate) fn into_azure(error: Error<AzureError>) -> AzureError {
    match error.into_transport() {
        Ok(error) => error,
        Err(error @ Error::Credential { .. }) => {
            let message = error.to_string();
            AzureError::with_error(ErrorKind::Credential, error, message)
        }
        Err(error) => {
            let message = error.to_string();
            AzureError::with_error(ErrorKind::Other, error, message)
        }
    }
}

/// The error without the query of its URL, which can be secret.
pub(crate) fn without_query(mut error: AzureError) -> AzureError {
    strip_query(&mut error);
    error
}

/// A `reqwest::Error` is in there at whatever depth; the errors of other clients cannot be changed.
#[cfg(feature = "reqwest")]
fn strip_query(error: &mut AzureError) {
    if let Some(error) = error.downcast_mut::<reqwest::Error>() {
        lb_reqwest::remove_query(error);
    } else if let Some(inner) = error.downcast_mut::<AzureError>() {
        strip_query(inner);
    }
}

#[cfg(not(feature = "reqwest"))]
const fn strip_query(_: &mut AzureError) {}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use lb_core::{AddressError, CredentialError};

    use super::*;

    #[test]
    fn the_balancers_errors_are_of_kinds_that_are_not_retried_and_have_their_reasons() {
        let address = Error::Address(AddressError::new("a", "its URL is not valid"));
        let source = CredentialError::new("nobody is signed in");
        let credential = Error::Credential { backend: "a".to_owned(), source };
        for (error, kind, reason) in [
            (address, ErrorKind::Other, "its URL is not valid"),
            (credential, ErrorKind::Credential, "nobody is signed in"),
        ] {
            let text = error.to_string();
            let error = into_azure(error);
            assert_eq!((error.kind(), error.to_string()), (&kind, text));
            let balancers = error.source().unwrap();
            let said = [Some(balancers), balancers.source()].into_iter().flatten().map(ToString::to_string);
            assert!(said.collect::<Vec<_>>().concat().contains(reason), "{error:?}");
        }
    }

    #[test]
    fn the_clients_own_error_stays_as_it_came() {
        let error = into_azure(Error::Transport(AzureError::with_message(ErrorKind::Io, "broken pipe")));
        assert_eq!((error.kind(), error.to_string().as_str()), (&ErrorKind::Io, "broken pipe"));
        assert!(error.source().is_none());
    }
}
