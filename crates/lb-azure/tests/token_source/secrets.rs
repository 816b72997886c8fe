//! No token and no key is printed.

use crate::issuer::{Answer, Issuer, backend, clock, pool, source};

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
    let client = lb_azure::BalancedHttpClient::new(pool);
    printed += &format!("{source:?} {client:?} {:?}", lb_core::CredentialSource::credential(&source).await);
    assert!(!printed.contains("CANARY"), "{printed}");
    assert!(printed.contains("ptu") && printed.contains("a.example"), "{printed}");
}
