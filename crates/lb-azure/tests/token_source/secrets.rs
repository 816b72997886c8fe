//! No token and no key is printed.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use azure_core::http::{AsyncRawResponse, HttpClient, Request};
use lb_azure::BalancedHttpClient;

use crate::issuer::{Answer, Issuer, backend, clock, pool, source};

/// A client that prints what it should not, as one with default headers does.
struct Talkative;

impl fmt::Debug for Talkative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CANARY")
    }
}

#[async_trait]
impl HttpClient for Talkative {
    async fn execute_request(&self, _: &Request) -> azure_core::Result<AsyncRawResponse> {
        unreachable!("nothing is sent")
    }
}

#[tokio::test]
async fn neither_debug_nor_an_error_shows_a_token() {
    let clock = clock();
    let issuer = Issuer::new("CANARY", &clock);
    issuer.then(Answer::Garbage);
    let builder = source(&issuer);
    let mut printed = format!("{builder:?}");
    let source = builder.name("ptu").build();
    let error = source.warm_up().await.unwrap_err();
    printed += &format!("{error} {error:?}");
    clock.advance(std::time::Duration::from_secs(10));
    source.warm_up().await.unwrap();
    let pool = pool(&clock, [backend("a", 1, &source)]);
    let client = BalancedHttpClient::with_client_that_follows_no_redirects(pool, Arc::new(Talkative));
    printed += &format!("{source:?} {client:?} {:?}", lb_core::CredentialSource::credential(&source).await);
    assert!(!printed.contains("CANARY"), "{printed}");
    assert!(printed.contains("ptu") && printed.contains("a.example"), "{printed}");
}
