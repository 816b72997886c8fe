//! One connection, from its beginning to its end.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use lb_core::{Reason, ReplaceablePool};
use redis::{
    AsyncConnectionConfig, Client, Pipeline, PushInfo, PushKind, RedisError, Value, aio::MultiplexedConnection,
};
use tokio::{
    sync::mpsc::{self, Receiver},
    time::{self, Interval, MissedTickBehavior},
};

use crate::{
    message::{Cooling, LONGEST, LONGEST_NAME, Message, News, SHORTEST},
    shared::Shared,
    unsupported::Unsupported,
};

/// How long a connection, and the answer to a command, may take. A server that is not heard for twice as long is away.
const PATIENCE: Duration = Duration::from_secs(5);

/// Messages of others that wait to be applied. More are dropped, and the keys are read again instead.
const INBOX: usize = 1_024;

/// Answers of a server that cannot serve for now: another connection may find one that can.
const AWAY: [&str; 4] = ["READONLY", "LOADING", "MASTERDOWN", "NOAUTH"];

/// A connection that is subscribed.
pub(crate) struct Link<'a> {
    shared: &'a Shared,
    pool: &'a ReplaceablePool,
    connection: MultiplexedConnection,
    inbox: Receiver<Push>,
    /// Whether messages were dropped.
    overflown: Arc<AtomicBool>,
    /// When to see whether the server is still there.
    heartbeat: Interval,
}

enum Push {
    Message(Message),
    Disconnected,
}

/// Why there is no connection.
pub(crate) enum Lost {
    Away(String),
    Unsupported(Unsupported),
}

impl From<RedisError> for Lost {
    fn from(error: RedisError) -> Self {
        Self::Away(error.to_string())
    }
}

impl<'a> Link<'a> {
    /// Connects, subscribes, tells what is to be told and hears what stands in the keys: in this order, so that nothing is missed.
    pub(crate) async fn connect(shared: &'a Shared, pool: &'a ReplaceablePool) -> Result<Self, Lost> {
        let (sender, inbox) = mpsc::channel(INBOX);
        let overflown = Arc::new(AtomicBool::new(false));
        let push = {
            let (overflown, counts, process) = (Arc::clone(&overflown), Arc::clone(&shared.counts), shared.process);
            move |push: PushInfo| -> Result<(), Infallible> {
                // What is no message of ours is let go here, however much there is of it.
                let is_ignored = match read(&push) {
                    Heard::Nothing => false,
                    Heard::Garbage => true,
                    Heard::Push(Push::Message(message)) if message.is_from(process) => false,
                    Heard::Push(push) => {
                        let is_full = sender.try_send(push).is_err();
                        overflown.fetch_or(is_full, Relaxed);
                        is_full
                    }
                };
                counts.ignored.fetch_add(is_ignored.into(), Relaxed);
                Ok(())
            }
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            .set_push_sender(push);
        let server = shared.server.connection().await.map_err(|error| Lost::Away(error.to_string()))?;
        let client = Client::open(server)?;
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        refuse_unsupported(&mut connection).await?;
        connection.subscribe(shared.channel()).await?;
        let mut heartbeat = time::interval(PATIENCE);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut link = Self { shared, pool, connection, inbox, overflown, heartbeat };
        link.publish().await?;
        link.read_keys().await?;
        shared.counts.connected.store(true, Relaxed);
        shared.counts.connections.fetch_add(1, Relaxed);
        Ok(link)
    }

    /// Publishes and applies until the connection is lost.
    pub(crate) async fn serve(mut self) -> Lost {
        loop {
            let done = tokio::select! {
                push = self.inbox.recv() => match push {
                    Some(Push::Message(message)) => {
                        self.apply(&message.backend, message.news);
                        Ok(())
                    }
                    Some(Push::Disconnected) | None => Err(Lost::Away("the server closed the connection".to_owned())),
                },
                () = self.shared.outbox.changed() => self.publish().await,
                _ = self.heartbeat.tick() => self.ping().await,
            };
            let done = match done {
                Ok(()) if self.overflown.swap(false, Relaxed) => self.read_keys().await,
                done => done,
            };
            if let Err(lost) = done {
                return lost;
            }
        }
    }

    /// Tells what is new here.
    async fn publish(&mut self) -> Result<(), Lost> {
        let pool = self.pool.pool();
        let news = self.shared.outbox.take(&pool);
        if news.is_empty() {
            return Ok(());
        }
        let mut commands = Pipeline::new();
        for (backend, news) in &news {
            self.shared.tell(&mut commands, backend, *news);
        }
        match self.send(&commands).await {
            Ok(()) => {
                self.shared.counts.published.fetch_add(news.len() as u64, Relaxed);
                Ok(())
            }
            Err(lost) => {
                self.shared.outbox.put_back(news, pool.now());
                Err(lost)
            }
        }
    }

    /// Applies what stands in Redis.
    async fn read_keys(&mut self) -> Result<(), Lost> {
        let pool = self.pool.pool();
        let names: Vec<&str> =
            pool.backends().iter().map(lb_core::Backend::name).filter(|name| name.len() <= LONGEST_NAME).collect();
        let mut commands = Pipeline::new();
        for name in &names {
            let key = self.shared.cooling_key(name);
            commands.cmd("PTTL").arg(&key).cmd("GET").arg(&key);
        }
        let all: Option<Vec<(i64, Option<Vec<u8>>)>> =
            self.ask(commands.query_async(&mut self.connection.clone()).await)?;
        for (name, (left, status)) in names.iter().zip(all.into_iter().flatten()) {
            let status = status.as_deref().and_then(|status| std::str::from_utf8(status).ok()?.parse().ok());
            // Negative where there is no such key.
            if let (Ok(ms), Some(status)) = (u64::try_from(left), status) {
                self.apply(name, News::Cooling(Cooling { ms, status }));
            }
        }
        if self.shared.shares_drains {
            let mut command = redis::cmd("HGETALL");
            command.arg(self.shared.drains_key());
            let drains: Option<HashMap<Vec<u8>, Vec<u8>>> =
                self.ask(command.query_async(&mut self.connection.clone()).await)?;
            for name in names {
                match drains.as_ref().and_then(|drains| drains.get(name.as_bytes())).map(Vec::as_slice) {
                    Some(b"1") => self.apply(name, News::Drained(true)),
                    Some(b"0") => self.apply(name, News::Drained(false)),
                    // Nobody ever said anything, or Redis forgot it: who is drained stays so.
                    _ => {}
                }
            }
        }
        Ok(())
    }

    async fn ping(&mut self) -> Result<(), Lost> {
        let mut commands = Pipeline::new();
        commands.cmd("PING");
        self.send(&commands).await
    }

    async fn send(&mut self, commands: &Pipeline) -> Result<(), Lost> {
        let answers = commands.query_async::<Value>(&mut self.connection).await;
        self.ask(answers).map(drop)
    }

    /// An error that the server answered with does not end the connection, or one key that somebody spoiled would end them
    /// all: it is noted, and there is no answer.
    fn ask<T>(&self, answer: Result<T, RedisError>) -> Result<Option<T>, Lost> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.code().is_some_and(|code| !AWAY.contains(&code)) => {
                self.shared.counts.failed(error.to_string());
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn apply(&self, backend: &str, news: News) {
        let pool = self.pool.pool();
        let changed = match news {
            News::Cooling(Cooling { ms, status }) => {
                let left = Duration::from_millis(ms).min(pool.max_cooldown());
                left >= SHORTEST && pool.cool_because(backend, left, Reason::Status(status))
            }
            News::Drained(_) if !self.shared.shares_drains => false,
            News::Drained(drained) => {
                let agrees = self.shared.outbox.agrees(backend, drained);
                agrees && if drained { pool.drain(backend) } else { pool.reopen(backend) }
            }
        };
        let counts = &self.shared.counts;
        let count = if changed { &counts.applied } else { &counts.unneeded };
        count.fetch_add(1, Relaxed);
    }
}

impl Drop for Link<'_> {
    fn drop(&mut self) {
        self.shared.counts.connected.store(false, Relaxed);
    }
}

/// What a push of the server, or of the connection, was.
enum Heard {
    Push(Push),
    /// Something on the channel that is no message.
    Garbage,
    /// Nothing that was said on the channel.
    Nothing,
}

fn read(push: &PushInfo) -> Heard {
    match (&push.kind, push.data.as_slice()) {
        (PushKind::Disconnection, _) => Heard::Push(Push::Disconnected),
        (PushKind::Message, [_, Value::BulkString(payload)]) if payload.len() <= LONGEST => {
            Message::decode(payload).map_or(Heard::Garbage, |message| Heard::Push(Push::Message(message)))
        }
        (PushKind::Message, _) => Heard::Garbage,
        _ => Heard::Nothing,
    }
}

/// Asks what kind of server it is.
async fn refuse_unsupported(connection: &mut MultiplexedConnection) -> Result<(), Lost> {
    let hello: HashMap<String, Value> = redis::cmd("HELLO").query_async(connection).await?;
    let text = |key| hello.get(key).and_then(|value| redis::from_redis_value_ref::<String>(value).ok());
    if text("mode").as_deref() == Some("cluster") {
        return Err(Lost::Unsupported(Unsupported::Cluster));
    }
    match text("version") {
        Some(version)
            if version.split('.').next().and_then(|major| major.parse::<u32>().ok()).is_some_and(|major| major < 7) =>
        {
            Err(Lost::Unsupported(Unsupported::Version(version)))
        }
        _ => Ok(()),
    }
}
