//! The same requests to one deployment alone, and then balanced over three, by every HTTP stack.
//!
//! ```text
//! cargo run
//! cargo run -- --quiet --requests 120
//! cargo run -- --json
//! cargo run --features isahc
//! cargo run --features metrics,otel -- --metrics 127.0.0.1:9464
//! cargo run --features tls -- --config my.toml --doctor
//! cargo run --features tls -- --config my.toml
//! ```
//!
//! It exits with 1 if a balanced request failed, or if the emulated deployment alone refused none.

#[cfg(any(feature = "metrics", feature = "otel"))]
use std::net::SocketAddr;
use std::{
    env,
    fs::File,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    thread,
    time::Duration,
};

use clap::{Parser, builder::PossibleValuesParser};
#[cfg(any(feature = "metrics", feature = "otel"))]
use lb_quickstart::Exposition;
use lb_quickstart::{Approach, BoxError, Config, Decisions, Feature, Quickstart, RequestLog, Setup, Watcher, examine};

/// The same requests to one deployment alone, and then balanced over three, by every HTTP stack.
#[derive(Parser)]
#[command(name = "quickstart")]
struct Cli {
    /// Requests per approach
    #[arg(long, value_name = "N", default_value_t = 60)]
    requests: usize,

    /// Requests at a time
    #[arg(long, value_name = "N", default_value_t = 3)]
    concurrency: usize,

    /// Run only this approach; repeat for more; those over isahc take the feature isahc
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(Approach::ALL.map(Approach::name)))]
    approach: Vec<String>,

    /// Use the deployments of this TOML file instead of emulated ones; examples/quickstart/quickstart.toml is a sample
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Send one request to each deployment of the configuration alone, and say what is wrong with it
    #[arg(long, requires = "config")]
    doctor: bool,

    /// Print one JSON document instead of the table; decisions go to standard error
    #[arg(long)]
    json: bool,

    /// Write a line per attempt to this file, as CSV that lb-sim reads; best with one --approach
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,

    /// Serve metrics for Prometheus at this address, also after the report, until it is interrupted; port 0 is any free one
    #[cfg(any(feature = "metrics", feature = "otel"))]
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<SocketAddr>,

    /// Do not print decisions
    #[arg(long)]
    quiet: bool,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<(), BoxError> {
    let setup = match &cli.config {
        Some(file) => Setup::Configured(Box::new(Config::load(file)?)),
        // What a short completion takes, more or less.
        None => Setup::Emulated { latency: Duration::from_millis(100) },
    };
    let is_chosen = |approach: &Approach| match &*cli.approach {
        [] => approach.is_on(),
        names => names.iter().any(|name| name == approach.name()),
    };
    let approaches: Vec<_> = Approach::ALL.into_iter().filter(is_chosen).collect();
    let needed = Feature::needed(&setup, &approaches);
    if let Some(missing) = needed.iter().find(|feature| !feature.is_on()) {
        let arguments = env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
        let (missing, command) = (missing.name(), Feature::command(&needed, arguments));
        return Err(format!("the feature {missing} is not compiled in; run\n\n    {command}\n").into());
    }
    if let (true, Setup::Configured(config)) = (cli.doctor, &setup) {
        return doctor(config);
    }
    let decisions = match (cli.quiet, cli.json) {
        (true, _) => Decisions::new(io::sink()),
        (_, true) => Decisions::new(io::stderr()),
        _ => Decisions::new(io::stdout()),
    };

    let mut out = io::stdout();
    if !cli.json {
        let (requests, concurrency, runs) = (cli.requests, cli.concurrency, approaches.len());
        writeln!(out, "{}", setup.description())?;
        writeln!(out, "Approaches: {runs}. Requests per approach: {requests}, {concurrency} at a time.")?;
    }
    let (watchers, served) = watchers(cli)?;
    let log = cli.log.as_ref().map(|file| RequestLog::new(File::create(file)?)).transpose()?;
    let quickstart =
        Quickstart { setup, requests: cli.requests, concurrency: cli.concurrency, approaches, log, watchers };
    let report = quickstart.run(&decisions)?;
    if cli.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        writeln!(out, "\n{report}")?;
    }
    match (report.verdict(), served) {
        (verdict, false) => Ok(verdict?),
        (verdict, true) => {
            if let Err(error) = verdict {
                eprintln!("error: {error}");
            }
            out.flush()?;
            loop {
                thread::park();
            }
        }
    }
}

/// Who else wants to know the pools, and whether that is somebody who comes from outside.
#[cfg(any(feature = "metrics", feature = "otel"))]
fn watchers(cli: &Cli) -> Result<(Vec<Box<dyn Watcher>>, bool), BoxError> {
    let Some(address) = cli.metrics else { return Ok((Vec::new(), false)) };
    let exposition = Exposition::serve(address)?;
    for url in exposition.urls() {
        eprintln!("metrics at {url}");
    }
    Ok((exposition.into_watchers(), true))
}

/// Nobody, without the features.
#[cfg(not(any(feature = "metrics", feature = "otel")))]
#[expect(clippy::unnecessary_wraps, reason = "as with the features")]
fn watchers(_: &Cli) -> Result<(Vec<Box<dyn Watcher>>, bool), BoxError> {
    Ok((Vec::new(), false))
}

/// A line per deployment; an error if one is not well.
fn doctor(config: &Config) -> Result<(), BoxError> {
    let found = examine(config)?;
    for (name, finding) in &found {
        println!("{name}: {finding}");
    }
    match found.iter().filter(|(_, finding)| !finding.is_well()).count() {
        0 => Ok(()),
        unwell => Err(format!("{unwell} of {} deployments would not serve", found.len()).into()),
    }
}
