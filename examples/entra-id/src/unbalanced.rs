//! The same without a balancer, to compare with. It ends with the error of the 429.
//!
//! ```text
//! cargo run -p lb-example-entra-id --bin entra-id-unbalanced
//! ```

use std::{error::Error, sync::Arc, time::Duration};

use async_trait::async_trait;
use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    time::OffsetDateTime,
};
use lb_emulator::{Emulator, Reply};
use reqwest::Client;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Two deployments on this machine, which take a token each. The first refuses what it is asked first.
    let ptu = Emulator::builder().name("ptu").key("token of east").start()?;
    let standard = Emulator::builder().name("standard").key("token of west").start()?;
    ptu.script(Reply::throttled(Duration::from_secs(6)));

    // In a real program: `azure_identity::DeveloperToolsCredential::new(None)?`, or a managed identity.
    let [east, west] = ["east", "west"].map(|tenant| Arc::new(Identity(tenant)));
    println!("nobody asks {west:?}");

    // No proxy: the emulators are on this machine.
    let http = Client::builder().connect_timeout(Duration::from_secs(10)).no_proxy();
    let client = http.build()?;

    let url = format!("{}/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21", ptu.url());
    let body = r#"{"messages":[{"role":"user","content":"Hello"}]}"#;
    let request = client.post(url).header("content-type", "application/json").body(body);
    let token = east.get_token(&["https://cognitiveservices.azure.com/.default"], None).await?;
    let request = request.bearer_auth(token.token.secret());

    let response = client.execute(request.build()?).await?.error_for_status()?;
    println!("{}: {}", response.status(), response.text().await?);
    println!("asked: ptu {}, standard {}", ptu.request_count(), standard.request_count());
    Ok(())
}

/// An identity that is signed in to a tenant.
#[derive(Debug)]
struct Identity(&'static str);

#[async_trait]
impl TokenCredential for Identity {
    async fn get_token(&self, _: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        Ok(AccessToken::new(format!("token of {}", self.0), OffsetDateTime::now_utc() + Duration::from_secs(3600)))
    }
}
