use std::{
    fmt,
    future::Future,
    io,
    net::SocketAddr,
    sync::{Arc, mpsc as blocking},
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{
    runtime::{self, Handle},
    sync::{mpsc, watch},
};

#[cfg(feature = "tls")]
use crate::tls::Tls;
use crate::{
    builder::EmulatorBuilder,
    config::Config,
    error::StartError,
    gate::StreamGate,
    log::{Counts, Log},
    port::Port,
    quota::Quota,
    received::Received,
    reply::Reply,
    script::Script,
    server::{Command, serve},
    service::Shared,
    store::Store,
};

/// A running emulator of one Azure OpenAI resource. Dropping it stops it and frees its port.
///
/// It serves from a thread of its own, so that it works for blocking clients, for every runtime, and without one. Its
/// methods may be called from threads and from tasks. Those that say so wait: in a test on a single-threaded runtime,
/// where the client is a task too, use their `_async` twins.
///
/// ```
/// use std::time::Duration;
/// use lb_emulator::{Emulator, Reply};
///
/// let emulator = Emulator::builder().name("ptu").key("k1").start()?;
/// emulator.script(Reply::throttled(Duration::from_secs(6)));
///
/// let client = reqwest::blocking::Client::new();
/// let url = format!("{}/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21", emulator.url());
/// let ask = || {
///     let body = r#"{"messages":[{"role":"user","content":"Hello"}]}"#;
///     client.post(&url).header("api-key", "k1").body(body).send()
/// };
/// assert_eq!(ask()?.headers()["retry-after"], "6");
/// assert_eq!(ask()?.status(), 200);
///
/// assert_eq!(emulator.requests()[1].header("api-key"), Some("k1"));
/// assert_eq!(emulator.connections(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Emulator {
    addr: SocketAddr,
    shared: Arc<Shared>,
    handle: Handle,
    /// `None` only while dropping: its end is what stops the thread.
    commands: Option<mpsc::UnboundedSender<Command>>,
    thread: Option<JoinHandle<()>>,
}

impl Emulator {
    /// An emulator with the defaults of [`EmulatorBuilder`].
    ///
    /// # Errors
    ///
    /// As [`EmulatorBuilder::start`].
    pub fn start() -> Result<Self, StartError> {
        Self::builder().start()
    }

    /// A builder with every option.
    pub fn builder() -> EmulatorBuilder {
        EmulatorBuilder::new()
    }

    pub(crate) fn launch(
        thread: thread::Builder,
        addr: SocketAddr,
        config: Config,
        quota: Quota,
        every: Option<(u64, Reply)>,
        keep: usize,
    ) -> Result<Self, StartError> {
        // Bound here, so that connections queue up from the moment this returns.
        let (port, listener) = Port::open(addr).map_err(|source| StartError::Listen { addr, source })?;
        let addr = port.addr();
        let shared = Arc::new(Shared {
            store: Store::new(&config.name, addr),
            config,
            quota,
            script: Script::new(every),
            log: Arc::new(Log::new(keep)),
            gate: Arc::default(),
            switches: Arc::default(),
        });
        let (commands, receiver) = mpsc::unbounded_channel();
        let (started, start) = blocking::channel();
        let for_thread = Arc::clone(&shared);
        // The runtime lives in the thread alone: dropping one inside another runtime panics.
        let run = move || {
            let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(started.send(Err(error))),
            };
            runtime.block_on(async move {
                match tokio::net::TcpListener::from_std(listener) {
                    Ok(listener) => {
                        let _ = started.send(Ok(Handle::current()));
                        serve(for_thread, port, listener, receiver).await;
                    }
                    Err(error) => drop(started.send(Err(error))),
                }
            });
        };
        let thread = thread.spawn(run).map_err(StartError::Thread)?;
        let handle = match start.recv() {
            Ok(result) => result.map_err(StartError::Thread)?,
            Err(_) => return Err(StartError::Thread(io::ErrorKind::BrokenPipe.into())),
        };
        Ok(Self { addr, shared, handle, commands: Some(commands), thread: Some(thread) })
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where clients find it: `http://127.0.0.1:PORT`, with the path prefix if there is one, and no slash at the end.
    /// With TLS it begins with `https`.
    pub fn url(&self) -> String {
        let config = &self.shared.config;
        format!("{}://{}{}", config.scheme(), self.addr, config.path_prefix)
    }

    /// The certificate that a client has to trust, as PEM; `None` without [TLS](EmulatorBuilder::tls). It is made anew at
    /// each start, and its key signs for this emulator and those that [share](EmulatorBuilder::tls_of) it alone.
    #[cfg(feature = "tls")]
    pub fn certificate_pem(&self) -> Option<&str> {
        self.tls().map(|tls| tls.pem.as_str())
    }

    /// The same certificate as DER.
    #[cfg(feature = "tls")]
    pub fn certificate_der(&self) -> Option<&[u8]> {
        self.tls().map(|tls| tls.der.as_slice())
    }

    #[cfg(feature = "tls")]
    pub(crate) fn tls(&self) -> Option<&Tls> {
        self.shared.config.tls.as_ref()
    }

    /// The name given to the builder.
    pub fn name(&self) -> &str {
        &self.shared.config.name
    }

    /// The limits and what they have counted.
    pub fn quota(&self) -> &Quota {
        &self.shared.quota
    }

    /// Appends a reply to the script: each is used for one request, in the order in which their heads arrive, before
    /// anything else is decided.
    pub fn script(&self, reply: Reply) {
        self.shared.script.push(reply);
    }

    /// Gives every request this reply, until [`clear_script`](Self::clear_script). Replies of [`script`](Self::script)
    /// come first.
    pub fn always(&self, reply: Reply) {
        self.shared.script.always(reply);
    }

    /// Forgets all scripted replies, so that requests are served again.
    pub fn clear_script(&self) {
        self.shared.script.clear();
    }

    /// Refuses connections, or accepts them again. While it refuses, nobody listens, the port stays reserved, and the
    /// connections there were are closed. Waits until that is so.
    ///
    /// # Errors
    ///
    /// If the operating system does not let it listen again.
    pub fn refuse_connections(&self, refuse: bool) -> io::Result<()> {
        self.command(|done| Command::Refuse(refuse, done))
    }

    /// Closes all connections, in the middle of answers too, and goes on accepting new ones. Waits until that is so.
    pub fn close_connections(&self) {
        // It fails only if the thread is gone, and the connections with it.
        let _ = self.command(Command::CloseConnections);
    }

    /// Refuses each stream of HTTP/2 that is opened while its connection has this many, as
    /// [`Reply::refuse_stream`] does; `None` serves all again. Nothing tells the clients of it before:
    /// `EmulatorBuilder::max_concurrent_streams` does. The script is not asked for a stream that is refused so.
    pub fn refuse_streams_beyond(&self, streams: Option<usize>) {
        self.shared.switches.set_streams(streams.unwrap_or(usize::MAX));
    }

    /// Makes all connections silent, those there are and those to come, or lets new ones speak again. What arrives on a
    /// silent connection is read, and nothing is sent: no answer, and nothing of a TLS handshake. One that had
    /// something to say meanwhile never speaks again.
    pub fn silence_connections(&self, silent: bool) {
        self.shared.switches.set_silent(silent);
    }

    /// Closes the gate for stream events, and gives it; see [`StreamGate`].
    pub fn hold_streams(&self) -> StreamGate {
        self.shared.gate.close()
    }

    /// All requests received so far, in order, as far as they are [remembered](EmulatorBuilder::remember). A copy;
    /// bodies are shared.
    pub fn requests(&self) -> Vec<Received> {
        self.shared.log.entries()
    }

    /// How many requests were received.
    pub fn request_count(&self) -> u64 {
        self.shared.log.counts().requests
    }

    /// How many TCP connections were accepted.
    pub fn connections(&self) -> u64 {
        self.shared.log.counts().connections
    }

    /// How many answers were sent to their last byte.
    pub fn bodies_sent(&self) -> u64 {
        self.shared.log.counts().bodies_sent
    }

    /// How many clients left before they had the whole answer.
    pub fn clients_left(&self) -> u64 {
        self.shared.log.counts().clients_left
    }

    /// How many requests were refused before they were processed, by the script or beyond a number of streams. They are
    /// not among those [received](Self::requests).
    pub fn refused_streams(&self) -> u64 {
        self.shared.log.counts().refused_streams
    }

    /// Waits until `count` requests were received in all; false if the time is over before.
    #[must_use]
    pub fn wait_for_requests(&self, count: u64, timeout: Duration) -> bool {
        self.wait(count, timeout, |counts| counts.requests)
    }

    /// Waits until `count` answers were sent in all, to the last byte; false if the time is over before.
    #[must_use]
    pub fn wait_until_bodies_sent(&self, count: u64, timeout: Duration) -> bool {
        self.wait(count, timeout, |counts| counts.bodies_sent)
    }

    /// Waits until `count` clients left early in all; false if the time is over before.
    #[must_use]
    pub fn wait_until_clients_left(&self, count: u64, timeout: Duration) -> bool {
        self.wait(count, timeout, |counts| counts.clients_left)
    }

    /// Waits until `count` answers came to an end in all: sent to the last byte, or left by the client before; false if the
    /// time is over before.
    #[must_use]
    pub fn wait_until_answers_ended(&self, count: u64, timeout: Duration) -> bool {
        self.wait(count, timeout, |counts| counts.bodies_sent + counts.clients_left)
    }

    /// [`wait_for_requests`](Self::wait_for_requests) as a future, on any runtime.
    pub fn wait_for_requests_async(&self, count: u64, timeout: Duration) -> impl Future<Output = bool> + Send + use<> {
        self.wait_async(count, timeout, |counts| counts.requests)
    }

    /// [`wait_until_bodies_sent`](Self::wait_until_bodies_sent) as a future, on any runtime.
    pub fn wait_until_bodies_sent_async(
        &self,
        count: u64,
        timeout: Duration,
    ) -> impl Future<Output = bool> + Send + use<> {
        self.wait_async(count, timeout, |counts| counts.bodies_sent)
    }

    /// [`wait_until_clients_left`](Self::wait_until_clients_left) as a future, on any runtime.
    pub fn wait_until_clients_left_async(
        &self,
        count: u64,
        timeout: Duration,
    ) -> impl Future<Output = bool> + Send + use<> {
        self.wait_async(count, timeout, |counts| counts.clients_left)
    }

    /// Stops it and frees its port, as dropping does. Waits until that is so.
    pub fn shutdown(self) {
        drop(self);
    }

    fn command(&self, command: impl FnOnce(blocking::Sender<io::Result<()>>) -> Command) -> io::Result<()> {
        let (done, answer) = blocking::channel();
        if let Some(commands) = &self.commands {
            let _ = commands.send(command(done));
        }
        answer.recv().unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn wait(&self, count: u64, timeout: Duration, of: fn(&Counts) -> u64) -> bool {
        // A channel of std, which may be waited for inside a runtime too.
        let (done, answer) = blocking::channel();
        let watch = self.shared.log.watch();
        self.handle.spawn(async move {
            let _ = done.send(wait(watch, count, timeout, of).await);
        });
        answer.recv().unwrap_or(false)
    }

    fn wait_async(
        &self,
        count: u64,
        timeout: Duration,
        of: fn(&Counts) -> u64,
    ) -> impl Future<Output = bool> + Send + use<> {
        // On the emulator's runtime, since the caller's may have no timer.
        let watch = self.shared.log.watch();
        let waiting = self.handle.spawn(wait(watch, count, timeout, of));
        async move { waiting.await.unwrap_or(false) }
    }
}

async fn wait(mut watch: watch::Receiver<Counts>, count: u64, timeout: Duration, of: fn(&Counts) -> u64) -> bool {
    let reached = watch.wait_for(|counts| of(counts) >= count);
    let waiting = tokio::time::timeout(timeout, reached);
    matches!(waiting.await, Ok(Ok(_)))
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            // It only fails if the thread panicked, which it has then said already.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator")
            .field("name", &self.name())
            .field("url", &self.url())
            .field("counts", &self.shared.log.counts())
            .finish_non_exhaustive()
    }
}
