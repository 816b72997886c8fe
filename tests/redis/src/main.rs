//! lb-redis at a real Redis, by processes of its own. See `tests/README.md`.

mod cost;
mod delay;
mod faults;
mod fleet;
mod gain;
mod server;
mod tls;
mod worker;

use std::{
    error::Error,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// lb-redis at a real Redis: ends with 1 if something is lost, or not as it should be.
#[derive(Debug, Parser)]
struct Arguments {
    /// The program `redis-server`
    #[arg(long, default_value = "redis-server")]
    server: PathBuf,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Eight processes under load, while the server is killed, started again, stopped and flooded
    Faults,
    /// How long it takes from a 429 in one process to the cooldown in another
    Delay,
    /// What a request pays for it, with the server up, down and stopped
    Cost,
    /// What sixteen processes at one full backend save, and what the simulator says of it
    Gain,
    /// Whether certificates are looked at
    Tls,
    /// A program that takes the URL of a server, at one
    Example {
        /// The program
        program: PathBuf,
    },
    /// A process that connects
    #[command(hide = true)]
    Connect(tls::ConnectArgs),
    /// One of the processes
    #[command(hide = true)]
    Worker(worker::WorkerArgs),
    /// A process that hears
    #[command(hide = true)]
    Listener(delay::ListenerArgs),
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { server, command } = Arguments::parse();
    // TLS of lb-redis takes the provider of the process.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let done = match command {
        Command::Faults => faults::run(&server).await,
        Command::Delay => delay::run(&server).await,
        Command::Cost => cost::run(&server).await,
        Command::Gain => gain::run(&server).await,
        Command::Tls => tls::run(&server).await,
        Command::Connect(arguments) => tls::connect(arguments).await,
        Command::Example { program } => example(&server, program).await,
        Command::Worker(arguments) => worker::run(arguments).await,
        Command::Listener(arguments) => delay::listen(arguments).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn example(server: &Path, program: PathBuf) -> Result<()> {
    let server = server::Server::start(server).await?;
    let status = tokio::process::Command::new(program).arg(server.url()).status().await?;
    status.success().then_some(()).ok_or_else(|| format!("the example ended with {status}").into())
}
