//! A Redis server in this process: the commands that lb-redis sends, over a socket, and what tests do to a server.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{broadcast, mpsc, watch},
};

pub(crate) struct Fake {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    data: Mutex<Data>,
    /// What is published, with its channel.
    published: broadcast::Sender<(String, Vec<u8>)>,
    /// How often all connections were cut; those that come while it is odd are turned away.
    cuts: watch::Sender<u64>,
}

#[derive(Default)]
struct Data {
    mode: &'static str,
    version: &'static str,
    password: Option<String>,
    /// When each key expires, and what it holds.
    keys: HashMap<String, (Instant, String)>,
    hashes: HashMap<String, HashMap<String, String>>,
    /// Every message that a client published.
    messages: Vec<String>,
}

impl Fake {
    pub(crate) async fn start() -> Self {
        Self::with_kind("standalone", "7.0.15").await
    }

    pub(crate) async fn with_kind(mode: &'static str, version: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let data = Mutex::new(Data { mode, version, ..Data::default() });
        let state = Arc::new(State { data, published: broadcast::Sender::new(1 << 14), cuts: watch::Sender::new(0) });
        let accepting = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&accepting).serve(stream));
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://lb:first@{}", self.address)
    }

    pub(crate) fn require_password(&self, password: &str) {
        self.state.lock().password = Some(password.to_owned());
    }

    /// Cuts all connections, and turns new ones away until it is [back](Fake::come_back).
    pub(crate) fn go_away(&self) {
        self.state.cuts.send_modify(|cuts| *cuts += 1);
    }

    pub(crate) fn come_back(&self) {
        self.state.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// As some other process publishes it.
    pub(crate) fn publish(&self, channel: &str, payload: impl Into<Vec<u8>>) {
        let _ = self.state.published.send((channel.to_owned(), payload.into()));
    }

    pub(crate) fn set(&self, key: &str, left: Duration) {
        self.state.lock().keys.insert(key.to_owned(), (Instant::now() + left, "429".to_owned()));
    }

    /// A key that none of us wrote.
    pub(crate) fn spoil(&self, key: &str, value: &str) {
        let until = Instant::now() + Duration::from_secs(60);
        self.state.lock().keys.insert(key.to_owned(), (until, value.to_owned()));
    }

    /// As a server that kept nothing on disk, and was started again.
    pub(crate) fn forget(&self) {
        let mut data = self.state.lock();
        data.keys.clear();
        data.hashes.clear();
    }

    /// How long a key still stands.
    pub(crate) fn left(&self, key: &str) -> Option<Duration> {
        self.state.lock().keys.get(key).map(|(until, _)| until.saturating_duration_since(Instant::now()))
    }

    pub(crate) fn hash(&self, key: &str) -> HashMap<String, String> {
        self.state.lock().hashes.get(key).cloned().unwrap_or_default()
    }

    /// What clients have published so far.
    pub(crate) fn messages(&self) -> Vec<String> {
        self.state.lock().messages.clone()
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Data> {
        self.data.lock().unwrap()
    }

    async fn serve(self: Arc<Self>, stream: TcpStream) {
        let mut cuts = self.cuts.subscribe();
        if *cuts.borrow_and_update() % 2 == 1 {
            return;
        }
        let (reader, writer) = stream.into_split();
        let (answers, queue) = mpsc::unbounded_channel();
        tokio::select! {
            _ = cuts.changed() => {}
            _ = write(writer, queue) => {}
            _ = self.answer_all(BufReader::new(reader), &answers) => {}
        }
    }

    async fn answer_all(
        &self,
        mut reader: BufReader<OwnedReadHalf>,
        answers: &mpsc::UnboundedSender<Vec<u8>>,
    ) -> io::Result<()> {
        let mut is_in = false;
        let mut subscription = None;
        loop {
            let command = command(&mut reader).await?;
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            let answer = match words.as_slice() {
                ["HELLO", "3", "AUTH", _, password]
                    if self.lock().password.as_ref().is_some_and(|known| known != password) =>
                {
                    "-WRONGPASS invalid username-password pair or user is disabled.\r\n".to_owned()
                }
                ["HELLO", ..] => {
                    is_in = true;
                    let data = self.lock();
                    format!("%2\r\n+mode\r\n+{}\r\n+version\r\n+{}\r\n", data.mode, data.version)
                }
                _ if !is_in => "-NOAUTH HELLO must be called\r\n".to_owned(),
                ["SUBSCRIBE", channel] => {
                    subscription = Some(self.subscribe(channel, answers.clone()));
                    format!(">3\r\n+subscribe\r\n{}:1\r\n", bulk(channel.as_bytes()))
                }
                words => self.lock().answer(words, &self.published),
            };
            if answers.send(answer.into_bytes()).is_err() {
                return Ok(());
            }
            let _ = &subscription;
        }
    }

    fn subscribe(&self, channel: &str, answers: mpsc::UnboundedSender<Vec<u8>>) -> tokio::task::JoinHandle<()> {
        let mut published = self.published.subscribe();
        let channel = channel.to_owned();
        tokio::spawn(async move {
            while let Ok((to, payload)) = published.recv().await {
                let mut push = format!(">3\r\n+message\r\n{}", bulk(to.as_bytes())).into_bytes();
                push.extend(format!("${}\r\n", payload.len()).into_bytes());
                push.extend(payload);
                push.extend(b"\r\n");
                if to == channel && answers.send(push).is_err() {
                    return;
                }
            }
        })
    }
}

impl Data {
    fn answer(&mut self, words: &[&str], published: &broadcast::Sender<(String, Vec<u8>)>) -> String {
        let now = Instant::now();
        self.keys.retain(|_, (until, _)| *until > now);
        match words {
            ["PING"] => "+PONG\r\n".to_owned(),
            ["SET", key, value, "NX", "PX", left] => {
                if self.keys.contains_key(*key) {
                    return "_\r\n".to_owned();
                }
                self.keys.insert((*key).to_owned(), (now + millis(left), (*value).to_owned()));
                "+OK\r\n".to_owned()
            }
            ["PEXPIRE", key, left, "GT"] => match self.keys.get_mut(*key) {
                Some((until, _)) if *until < now + millis(left) => {
                    *until = now + millis(left);
                    ":1\r\n".to_owned()
                }
                _ => ":0\r\n".to_owned(),
            },
            ["PTTL", key] => {
                let left =
                    self.keys.get(*key).map_or(-2, |(until, _)| i64::try_from((*until - now).as_millis()).unwrap());
                format!(":{left}\r\n")
            }
            ["GET", key] => self.keys.get(*key).map_or_else(|| "_\r\n".to_owned(), |(_, value)| bulk(value.as_bytes())),
            ["HSET", key, field, value] => {
                self.hashes.entry((*key).to_owned()).or_default().insert((*field).to_owned(), (*value).to_owned());
                ":1\r\n".to_owned()
            }
            ["HGETALL", key] if self.keys.contains_key(*key) => {
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n".to_owned()
            }
            ["HGETALL", key] => {
                let hash = self.hashes.get(*key).cloned().unwrap_or_default();
                let fields: String =
                    hash.iter().map(|(field, value)| bulk(field.as_bytes()) + &bulk(value.as_bytes())).collect();
                format!("%{}\r\n{fields}", hash.len())
            }
            ["PUBLISH", channel, payload] => {
                self.messages.push((*payload).to_owned());
                let _ = published.send(((*channel).to_owned(), payload.as_bytes().to_vec()));
                ":1\r\n".to_owned()
            }
            other => format!("-ERR unknown command {other:?}\r\n"),
        }
    }
}

async fn write(mut writer: OwnedWriteHalf, mut queue: mpsc::UnboundedReceiver<Vec<u8>>) -> io::Result<()> {
    while let Some(bytes) = queue.recv().await {
        writer.write_all(&bytes).await?;
    }
    Ok(())
}

/// A command: an array of bulk strings.
async fn command(reader: &mut BufReader<OwnedReadHalf>) -> io::Result<Vec<String>> {
    let mut words = Vec::new();
    for _ in 0..number(reader, '*').await? {
        let length = number(reader, '$').await?;
        let mut word = vec![0; length + 2];
        reader.read_exact(&mut word).await?;
        word.truncate(length);
        words.push(String::from_utf8(word).map_err(io::Error::other)?);
    }
    Ok(words)
}

async fn number(reader: &mut BufReader<OwnedReadHalf>, mark: char) -> io::Result<usize> {
    let mut line = String::new();
    reader.read_line(&mut line).await?;
    let number = line.strip_prefix(mark).and_then(|number| number.trim_end().parse().ok());
    number.ok_or_else(|| io::Error::other(format!("expected {mark}, got {line:?}")))
}

fn bulk(bytes: &[u8]) -> String {
    format!("${}\r\n{}\r\n", bytes.len(), String::from_utf8_lossy(bytes))
}

fn millis(text: &str) -> Duration {
    Duration::from_millis(text.parse().unwrap())
}
