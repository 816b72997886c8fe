//! `lb-emulator`: an Azure OpenAI resource on this machine, with the limits you would buy.

mod faults;

use std::{
    error::Error,
    fs,
    io::{self, Write},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::{Args, Parser, ValueEnum, builder::PossibleValuesParser};
use lb_emulator::{
    Emulator, EmulatorBuilder, HintForm,
    lb_limits::{MILLISECOND, PTU_MODELS, Ptu, PtuModel, RPM_PER_1000_TPM},
};
use tracing_subscriber::EnvFilter;

use faults::{Connections, Faults};

/// An Azure OpenAI resource on this machine: its API, its errors and its rate limits.
///
/// Without a limit option every request is served. It logs one line per request to standard error; RUST_LOG=off
/// silences it. Ctrl-C stops it.
#[derive(Parser)]
#[command(name = "lb-emulator", version, after_help = EXAMPLES)]
struct Cli {
    /// Address to listen on; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,

    /// Name: the first word of every completion
    #[arg(long, default_value = EmulatorBuilder::DEFAULT_NAME)]
    name: String,

    /// Path in front of /openai
    #[arg(long, value_name = "PATH", default_value = "", hide_default_value = true)]
    path_prefix: String,

    /// Region told in x-ms-region
    #[arg(long, default_value = EmulatorBuilder::DEFAULT_REGION)]
    region: String,

    /// Accepted key, as api-key or bearer token; repeat for more. None: all are accepted. The environment variable
    /// takes several with commas, and keeps them out of the process list
    #[arg(long = "key", env = "LB_EMULATOR_KEYS", hide_env_values = true, value_delimiter = ',')]
    keys: Vec<String>,

    /// Existing deployment; repeat for more. None: all exist
    #[arg(long = "deployment", value_name = "NAME")]
    deployments: Vec<String>,

    #[command(flatten)]
    limits: Limits,

    #[command(flatten)]
    answers: Answers,

    #[command(flatten)]
    wire: Wire,

    #[command(flatten)]
    faults: Faults,

    #[command(flatten)]
    connections: Connections,
}

#[derive(Args)]
#[command(next_help_heading = "Limits")]
struct Limits {
    /// Standard deployment: tokens per minute
    #[arg(long, value_name = "TOKENS", conflicts_with = "ptus")]
    tpm: Option<u64>,

    /// Standard deployment: requests per minute, counted per 10 s [default: 6 per 1,000 TPM]
    #[arg(long, value_name = "REQUESTS", requires = "tpm")]
    rpm: Option<u64>,

    /// Provisioned deployment: number of PTUs
    #[arg(long)]
    ptus: Option<u64>,

    /// Provisioned deployment: the model, which decides what a PTU is worth
    #[arg(
        long,
        value_name = "MODEL",
        default_value = "gpt-4.1",
        value_parser = PossibleValuesParser::new(PTU_MODELS.iter().map(|model| model.name))
    )]
    ptu_model: String,

    /// Provisioned deployment: depth of the bucket, in milliseconds of drain
    #[arg(long, value_name = "MS", default_value_t = Ptu::DEFAULT_BURST_NS / MILLISECOND)]
    burst_ms: u64,
}

#[derive(Args)]
#[command(next_help_heading = "Answers")]
struct Answers {
    /// Milliseconds until the head of an admitted request
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency_ms: u64,

    /// Milliseconds between two events of a stream
    #[arg(long, value_name = "MS", default_value_t = 0)]
    event_interval_ms: u64,

    /// Tokens of a completion, at most the request's max_tokens
    #[arg(long, value_name = "TOKENS", default_value_t = 20)]
    completion_tokens: u32,

    /// Leave out what Azure's content filter adds to chat completions, such as a stream's first chunk without choices
    #[arg(long)]
    no_content_filter: bool,

    /// How a 429 tells when to come back [default: millis with --ptus, else seconds]
    #[arg(long, value_enum)]
    hint: Option<Hint>,
}

#[derive(Args)]
#[command(next_help_heading = "Wire")]
struct Wire {
    /// Speak TLS, with a certificate made for this run; the one that clients have to trust is written to FILE as PEM
    #[arg(long, value_name = "FILE")]
    tls: Option<PathBuf>,

    /// Speak HTTP/1.1 only; else HTTP/2 too, with prior knowledge or as agreed on by ALPN
    #[arg(long)]
    http1_only: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Hint {
    /// Retry-After in seconds
    Seconds,
    /// retry-after-ms, and Retry-After
    Millis,
    /// Retry-After as an HTTP date
    Date,
    /// x-ratelimit-reset-* only
    Reset,
    /// No hint
    None,
}

const EXAMPLES: &str = "\
Examples:
  lb-emulator --tpm 10000 --rpm 60
  lb-emulator --name ptu --ptus 15 --ptu-model gpt-4.1 --listen 127.0.0.1:8081
  LB_EMULATOR_KEYS=k1,k2 lb-emulator --deployment gpt-4o --fail-every 10 --fail-status 503
  lb-emulator --fail-every 3 --fault reset-within --fault-after 2
  lb-emulator --tls emulator.pem --fault go-away-before
  lb-emulator --silence-connections --flap 30";

fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "lb-emulator: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<(), Box<dyn Error>> {
    let builder = cli.connections.apply(cli.faults.apply(builder(cli)?)?)?;
    let emulator = builder.start()?;
    if let (Some(file), Some(pem)) = (&cli.wire.tls, emulator.certificate_pem()) {
        fs::write(file, pem).map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    cli.connections.start(&emulator)?;
    // A closed standard output is no reason to stop.
    let _ = writeln!(io::stdout(), "listening on {}", emulator.url());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            stop = tokio::signal::ctrl_c() => stop,
            failed = cli.connections.play(&emulator) => failed,
        }
    })?;
    emulator.shutdown();
    Ok(())
}

fn builder(cli: &Cli) -> Result<EmulatorBuilder, Box<dyn Error>> {
    let (limits, answers) = (&cli.limits, &cli.answers);
    let mut builder = Emulator::builder()
        .listen(cli.listen)
        .name(&cli.name)
        .path_prefix(&cli.path_prefix)
        .region(&cli.region)
        .latency(Duration::from_millis(answers.latency_ms))
        .event_interval(Duration::from_millis(answers.event_interval_ms))
        .completion_tokens(answers.completion_tokens)
        .content_filter(!answers.no_content_filter)
        // Nobody asks for them here, and a long run would fill the memory.
        .remember(0);
    for key in cli.keys.iter().filter(|key| !key.is_empty()) {
        builder = builder.key(key);
    }
    for deployment in &cli.deployments {
        builder = builder.deployment(deployment);
    }
    if let Some(tpm) = limits.tpm {
        let derived = (tpm / 1_000).saturating_mul(RPM_PER_1000_TPM.into());
        builder = builder.standard(tpm, limits.rpm.unwrap_or(derived.max(1)));
    }
    if let Some(ptus) = limits.ptus {
        let model = PtuModel::named(&limits.ptu_model).ok_or("unknown PTU model")?;
        let burst_ns = limits.burst_ms.saturating_mul(MILLISECOND);
        builder = builder.ptu(model.ptu(ptus).burst_ns(burst_ns));
    }
    if let Some(hint) = answers.hint {
        builder = builder.hint(match hint {
            Hint::Seconds => HintForm::Seconds,
            Hint::Millis => HintForm::Millis,
            Hint::Date => HintForm::Date,
            Hint::Reset => HintForm::Reset,
            Hint::None => HintForm::None,
        });
    }
    if cli.wire.tls.is_some() {
        builder = builder.tls();
    }
    if cli.wire.http1_only {
        builder = builder.http1_only();
    }
    Ok(builder)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
