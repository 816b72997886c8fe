//! TLS: a server whose certificate the system trusts is spoken to, and one whose certificate it does not is not.

use std::{path::Path, process::Output, time::Duration};

use clap::Args;
use lb_core::{Backend, Pool};
use lb_redis::SharedCooldowns;
use tokio::{process::Command, time::sleep};

use crate::{Result, server::Server};

#[derive(Debug, Args)]
pub(crate) struct ConnectArgs {
    #[arg(long)]
    redis: String,
}

/// Connects, or says what is in the way.
pub(crate) async fn connect(arguments: ConnectArgs) -> Result<()> {
    let shared = SharedCooldowns::new(lb_redis::Server::from_url(&arguments.redis)?, "check")?;
    tokio::spawn(
        shared.run(Pool::builder().backend(Backend::new("a.example", 1)?).observer(shared.observer()).build()?),
    );
    loop {
        let status = shared.status();
        if status.connected {
            return Ok(());
        }
        if let Some(error) = status.last_error {
            return Err(error.into());
        }
        sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) async fn run(program: &Path) -> Result<()> {
    let server = Server::start(program).await?;
    let trusting = |trusts| {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["connect", "--redis", &server.tls_url()]).kill_on_drop(true);
        // The system's certificates, as rustls-native-certs reads them.
        if trusts {
            command.env("SSL_CERT_FILE", server.certificate());
        }
        Ok::<_, std::io::Error>(command)
    };
    let Output { status, stderr, .. } = trusting(true)?.output().await?;
    if !status.success() {
        return Err(format!("no connection over TLS: {}", String::from_utf8_lossy(&stderr)).into());
    }
    let Output { status, stderr, .. } = trusting(false)?.output().await?;
    let error = String::from_utf8_lossy(&stderr);
    if status.success() || !error.contains("certificate") || error.contains("password") {
        return Err(format!("a certificate that nobody vouches for: {status}, {error}").into());
    }
    println!("TLS: connected where the certificate is trusted; where it is not: {}", error.trim());
    Ok(())
}
