use std::{io, time::Duration};

use clap::{Args, ValueEnum};
use lb_emulator::{Emulator, EmulatorBuilder, Reply, h2::Reason};

#[derive(Args)]
#[command(next_help_heading = "Faults of requests")]
pub(crate) struct Faults {
    /// Make every N-th request fail [default: each, with --fault]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    fail_every: Option<u64>,

    /// How a failing request fails [default: status]
    #[arg(long, value_enum)]
    fault: Option<Fault>,

    /// Status of a failing request [default: 500]; 429 comes with a hint
    #[arg(long, value_name = "STATUS", value_parser = clap::value_parser!(u16).range(200..=999))]
    fail_status: Option<u16>,

    /// Seconds that a failing 429, or a stream-error, hints at [default: 10]
    #[arg(long, value_name = "SECONDS")]
    fail_hint: Option<u64>,

    /// Header of a failing request's status; repeat for more
    #[arg(long = "fail-header", value_name = "NAME: VALUE", value_parser = header)]
    fail_headers: Vec<(String, String)>,

    /// Body of a failing request's status, which is not for 429 [default: an error in JSON]
    #[arg(long, value_name = "TEXT")]
    fail_body: Option<String>,

    /// Milliseconds that late-head and late-body are late [default: 1000]
    #[arg(long, value_name = "MS")]
    fault_delay_ms: Option<u64>,

    /// Events of a stream before the fault within an answer, which is one event without a stream [default: 0]
    #[arg(long, value_name = "EVENTS")]
    fault_after: Option<usize>,

    /// Bytes of the body before a stall, in place of events
    #[arg(long, value_name = "BYTES", conflicts_with = "fault_after")]
    fault_after_bytes: Option<usize>,

    /// Code of RST_STREAM and GOAWAY, by its name in RFC 9113 or as a number [default: CANCEL, and NO_ERROR for GOAWAY]
    #[arg(long, value_name = "CODE", value_parser = code)]
    fault_code: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Fault {
    /// --fail-status, at once
    Status,
    /// A 429 that hints at a day, as a prompt larger than the quota gets it
    Oversized,
    /// A 200 whose stream is a refusal
    StreamError,
    /// The answer, with a late head
    LateHead,
    /// The answer, with a late body
    LateBody,
    /// No answer; the connection stays open
    NoHead,
    /// No answer, and the connection is silent from then on
    Silence,
    /// The answer, until it stalls
    Stall,
    /// TCP reset instead of an answer
    Reset,
    /// TCP reset within the answer
    ResetWithin,
    /// HTTP/2: RST_STREAM with REFUSED_STREAM, before the request is processed
    RefuseStream,
    /// HTTP/2: RST_STREAM instead of an answer
    ResetStream,
    /// HTTP/2: RST_STREAM within the answer
    ResetStreamWithin,
    /// HTTP/2: GOAWAY that names the stream before the request's as the last
    GoAwayBefore,
    /// HTTP/2: GOAWAY that includes the request, and the connection's end
    GoAwayIncluding,
}

impl Faults {
    /// # Errors
    ///
    /// If an option was given that its fault has no use for.
    pub(crate) fn apply(&self, builder: EmulatorBuilder) -> Result<EmulatorBuilder, String> {
        if self.fault.is_none() && self.fail_every.is_none() {
            return match self.given().first() {
                Some(option) => Err(format!("{option} is for requests that fail; add --fail-every or --fault")),
                None => Ok(builder),
            };
        }
        let period = self.fail_every.unwrap_or(1);
        Ok(builder.fail_every(period, self.reply()?))
    }

    /// The options beside --fault that were given.
    fn given(&self) -> Vec<&'static str> {
        let options = [
            ("--fail-status", self.fail_status.is_some()),
            ("--fail-hint", self.fail_hint.is_some()),
            ("--fail-header", !self.fail_headers.is_empty()),
            ("--fail-body", self.fail_body.is_some()),
            ("--fault-delay-ms", self.fault_delay_ms.is_some()),
            ("--fault-after", self.fault_after.is_some()),
            ("--fault-after-bytes", self.fault_after_bytes.is_some()),
            ("--fault-code", self.fault_code.is_some()),
        ];
        options.into_iter().filter(|(_, given)| *given).map(|(option, _)| option).collect()
    }

    fn reply(&self) -> Result<Reply, String> {
        let fault = self.fault.unwrap_or(Fault::Status);
        let uses: &[&str] = match fault {
            Fault::Status if self.fail_status == Some(429) => &["--fail-status", "--fail-header", "--fail-hint"],
            Fault::Status => &["--fail-status", "--fail-header", "--fail-body"],
            Fault::StreamError => &["--fail-hint"],
            Fault::LateHead | Fault::LateBody => &["--fault-delay-ms"],
            Fault::Stall => &["--fault-after", "--fault-after-bytes"],
            Fault::ResetWithin => &["--fault-after"],
            Fault::ResetStreamWithin => &["--fault-after", "--fault-code"],
            Fault::ResetStream | Fault::GoAwayBefore | Fault::GoAwayIncluding => &["--fault-code"],
            Fault::Oversized | Fault::NoHead | Fault::Silence | Fault::Reset | Fault::RefuseStream => &[],
        };
        if let Some(option) = self.given().into_iter().find(|option| !uses.contains(option)) {
            return Err(format!("{option} has no meaning for this fault"));
        }
        let delay = Duration::from_millis(self.fault_delay_ms.unwrap_or(1_000));
        let events = self.fault_after.unwrap_or(0);
        let code = |default: Reason| self.fault_code.unwrap_or(default.into());
        Ok(match fault {
            Fault::Status => self.status(),
            Fault::Oversized => Reply::oversized(),
            Fault::StreamError => Reply::throttled_stream(self.hint()),
            Fault::LateHead => Reply::serve().head_delay(delay),
            Fault::LateBody => Reply::serve().body_delay(delay),
            Fault::NoHead => Reply::no_head(),
            Fault::Silence => Reply::silence(),
            Fault::Stall => match self.fault_after_bytes {
                Some(bytes) => Reply::serve().stall_after_bytes(bytes),
                None => Reply::serve().stall_after(events),
            },
            Fault::Reset => Reply::reset(),
            Fault::ResetWithin => Reply::serve().reset_after(events),
            Fault::RefuseStream => Reply::refuse_stream(),
            Fault::ResetStream => Reply::reset_stream(code(Reason::CANCEL)),
            Fault::ResetStreamWithin => Reply::serve().reset_stream_after(events, code(Reason::CANCEL)),
            Fault::GoAwayBefore => Reply::go_away_before(code(Reason::NO_ERROR)),
            Fault::GoAwayIncluding => Reply::go_away_including(code(Reason::NO_ERROR)),
        })
    }

    fn hint(&self) -> Duration {
        Duration::from_secs(self.fail_hint.unwrap_or(10))
    }

    fn status(&self) -> Reply {
        let status = self.fail_status.unwrap_or(500);
        let mut reply = if status == 429 {
            Reply::throttled(self.hint())
        } else if let Some(body) = &self.fail_body {
            Reply::status(status).body(body.clone())
        } else {
            let message = "The emulator was told to fail every so many requests.";
            let body = format!(r#"{{"error":{{"code":"{status}","message":"{message}"}}}}"#);
            Reply::status(status).header("content-type", "application/json").body(body)
        };
        for (name, value) in &self.fail_headers {
            reply = reply.header(name, value);
        }
        reply
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("a header is NAME: VALUE")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// A code of HTTP/2: `CANCEL`, `8` or `0x8`.
fn code(text: &str) -> Result<u32, String> {
    let mut named = (0..=0xd).map(Reason::from).filter(|reason| format!("{reason:?}").eq_ignore_ascii_case(text));
    let number = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    let code = named.next().map(u32::from).or(number.ok());
    code.ok_or_else(|| "neither a name of RFC 9113, section 7, such as CANCEL, nor a number".to_owned())
}

#[derive(Args)]
#[command(next_help_heading = "Faults of connections")]
pub(crate) struct Connections {
    /// Refuse all connections, and keep the port
    #[arg(long)]
    refuse_connections: bool,

    /// Accept connections and read, and never send a byte, not even of a TLS handshake
    #[arg(long)]
    silence_connections: bool,

    /// Switch the two above off after so many seconds, on again after as many, and so on
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    flap: Option<u64>,

    /// Close all connections every so many seconds, in the middle of answers too
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    close_connections_every: Option<u64>,

    /// HTTP/2: refuse streams beyond N at a time on a connection, and tell nobody before
    #[arg(long, value_name = "N")]
    refuse_streams_beyond: Option<usize>,

    /// HTTP/2: announce that a connection may have N streams at a time
    #[arg(long, value_name = "N")]
    max_concurrent_streams: Option<u32>,
}

impl Connections {
    /// # Errors
    ///
    /// If there is nothing to flap.
    pub(crate) fn apply(&self, builder: EmulatorBuilder) -> Result<EmulatorBuilder, String> {
        if self.flap.is_some() && !self.refuse_connections && !self.silence_connections {
            return Err("--flap needs --refuse-connections or --silence-connections".to_owned());
        }
        Ok(match self.max_concurrent_streams {
            Some(streams) => builder.max_concurrent_streams(streams),
            None => builder,
        })
    }

    /// Begins with the faults that are there from the start.
    pub(crate) fn start(&self, emulator: &Emulator) -> io::Result<()> {
        emulator.refuse_streams_beyond(self.refuse_streams_beyond);
        self.switch(emulator, true)
    }

    /// Plays those that come and go. It only ends with an error.
    pub(crate) async fn play(&self, emulator: &Emulator) -> io::Result<()> {
        let flaps = async {
            for on in [false, true].into_iter().cycle() {
                every(self.flap).await;
                self.switch(emulator, on)?;
            }
            Ok(())
        };
        let closings = async {
            loop {
                every(self.close_connections_every).await;
                emulator.close_connections();
            }
        };
        tokio::select! {
            failed = flaps => failed,
            () = closings => Ok(()),
        }
    }

    fn switch(&self, emulator: &Emulator, on: bool) -> io::Result<()> {
        emulator.silence_connections(on && self.silence_connections);
        emulator.refuse_connections(on && self.refuse_connections)
    }
}

/// Waits so many seconds; for ever without a number.
async fn every(seconds: Option<u64>) {
    match seconds {
        Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_a_name_or_a_number() {
        assert_eq!(code("ENHANCE_YOUR_CALM"), Ok(0xb));
        assert_eq!(code("cancel"), Ok(0x8));
        assert_eq!((code("0x1f"), code("17")), (Ok(0x1f), Ok(17)));
        assert!(code("CALM").is_err() && code("-1").is_err() && code("0x").is_err());
    }
}
