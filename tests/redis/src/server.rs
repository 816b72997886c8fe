//! A Redis server as a child process, on a port and in a folder of its own.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::time::sleep;

use crate::Result;

/// The user that the documentation of lb-redis gives: what it may do has to be enough.
fn documented_user() -> Result<&'static str> {
    let documentation = include_str!("../../../crates/lb-redis/src/lib.rs");
    let user = documentation.lines().find_map(|line| line.strip_prefix("//! ACL SETUSER "));
    Ok(user.ok_or("the documentation of lb-redis no longer says which user to make")?)
}

const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

#[derive(Debug)]
pub(crate) struct Server {
    program: PathBuf,
    folder: PathBuf,
    port: u16,
    tls_port: u16,
    child: Option<Child>,
}

impl Server {
    pub(crate) async fn start(program: &Path) -> Result<Self> {
        let (port, tls_port) = (free_port()?, free_port()?);
        let folder = std::env::temp_dir().join(format!("lb-redis-{port}"));
        fs::create_dir_all(&folder)?;
        let settings = format!(
            "bind 127.0.0.1\nport {port}\nsave \"\"\nappendonly no\ndir {}\nuser default on nopass ~* &* +@all\nuser {}\n\
             tls-port {tls_port}\ntls-cert-file {}\ntls-key-file {}\ntls-auth-clients no\n",
            folder.display(),
            documented_user()?,
            folder.join(CERTIFICATE).display(),
            folder.join(KEY).display(),
        );
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        fs::write(folder.join(CERTIFICATE), own.cert.pem())?;
        fs::write(folder.join(KEY), own.signing_key.serialize_pem())?;
        fs::write(folder.join("redis.conf"), settings)?;
        let mut server = Self { program: program.to_owned(), folder, port, tls_port, child: None };
        server.restart().await?;
        Ok(server)
    }

    /// How a process logs in, as the documented user.
    pub(crate) fn url(&self) -> String {
        format!("redis://lb:password@127.0.0.1:{}", self.port)
    }

    /// The same over TLS, with its [certificate](Server::certificate).
    pub(crate) fn tls_url(&self) -> String {
        format!("rediss://lb:password@127.0.0.1:{}", self.tls_port)
    }

    /// Its certificate, which it signed itself.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.join(CERTIFICATE)
    }

    /// As somebody who may do everything.
    pub(crate) async fn connect(&self) -> Result<redis::aio::MultiplexedConnection> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port))?;
        Ok(client.get_multiplexed_async_connection().await?)
    }

    pub(crate) async fn restart(&mut self) -> Result<()> {
        let log = fs::File::create(self.folder.join("redis.log"))?;
        let mut command = Command::new(&self.program);
        command.arg(self.folder.join("redis.conf")).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.child = Some(command.spawn().map_err(|error| format!("{}: {error}", self.program.display()))?);
        for _ in 0..200 {
            if self.connect().await.is_ok() {
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
        let log = fs::read_to_string(self.folder.join("redis.log")).unwrap_or_default();
        Err(format!("redis-server does not answer:\n{log}").into())
    }

    pub(crate) fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// `STOP`: it keeps its connections, and answers nobody, as behind a network that is cut. `CONT`: it goes on.
    pub(crate) fn signal(&self, signal: &str) -> Result<()> {
        let child = self.child.as_ref().ok_or("the server does not run")?;
        let done = Command::new("kill").arg(format!("-{signal}")).arg(child.id().to_string()).status()?;
        done.success().then_some(()).ok_or_else(|| format!("kill -{signal}: {done}").into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Also one that is stopped ends by this.
        let _ = self.kill();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
