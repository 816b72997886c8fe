//! What is known of a token: it, its end, the fetch under way, and the last failure. It reads no clock and does no I/O.

use std::{
    error::Error as StdError,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, SystemTime},
};

use futures::{
    FutureExt,
    channel::oneshot::{self, Receiver, Sender},
    future::Shared,
};
use lb_core::{Credential, CredentialError, Instant};

/// A moment on both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) instant: Instant,
    pub(super) wall: SystemTime,
}

/// A token, and when it ends.
#[derive(Debug, Clone)]
pub(super) struct Token {
    credential: Credential,
    /// The end as the issuer gave it: right also after a machine has slept.
    ends_wall: SystemTime,
    /// The same on the monotonic clock: right also after a clock was set back.
    ends: Instant,
    refresh_at: Instant,
}

impl Token {
    /// A token that came at `moment`; an error if it had expired by then.
    pub(super) fn new(
        credential: Credential,
        ends_wall: SystemTime,
        refresh_ahead: Duration,
        moment: Moment,
    ) -> Result<Self, Reason> {
        let left = ends_wall.duration_since(moment.wall).unwrap_or_default();
        if left.is_zero() {
            return Err(Reason::Expired);
        }
        // Half of what is left, at most: else each request would refresh a token that is short-lived.
        let until_refresh = left - refresh_ahead.min(left / 2);
        Ok(Self {
            credential,
            ends_wall,
            ends: moment.instant.saturating_add(left),
            refresh_at: moment.instant.saturating_add(until_refresh),
        })
    }

    /// The token, for a request at `moment`.
    pub(super) fn at(&self, moment: Moment) -> Result<Credential, Reason> {
        if self.has_expired(moment) { Err(Reason::Expired) } else { Ok(self.credential.clone()) }
    }

    fn has_expired(&self, moment: Moment) -> bool {
        moment.instant >= self.ends || moment.wall >= self.ends_wall
    }
}

/// Why there is no token. Shared by all who wait for it.
#[derive(Debug, Clone)]
pub(super) enum Reason {
    /// The credential gave none.
    Credential(Arc<azure_core::Error>),
    /// It gave none for this long.
    TimedOut(Duration),
    /// It gave one that cannot be a token.
    Unusable(Arc<CredentialError>),
    /// It gave one that had expired when it came, or when a request got to use it.
    Expired,
    /// The task of the fetch ended without a result: it panicked, or its runtime was shut down.
    Abandoned,
    /// There was nothing to run the fetch on.
    NoRuntime,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credential(error) => write!(f, "the token credential failed: {error}"),
            Self::TimedOut(limit) => write!(f, "the token credential gave no answer for {limit:?}"),
            Self::Unusable(error) => write!(f, "the token credential gave what is no token: {error}"),
            Self::Expired => f.write_str("the token had expired when it came; check the clock of this machine"),
            Self::Abandoned => f.write_str("the task that fetched the token ended early; its runtime may be shut down"),
            Self::NoRuntime => f.write_str(
                "no tokio runtime to fetch a token on; build or warm up the source in one, or give it a runtime",
            ),
        }
    }
}

impl StdError for Reason {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            // Its own text is in ours, so its cause is the next one.
            Self::Credential(error) => error.source(),
            _ => None,
        }
    }
}

/// How a fetch ended.
pub(super) type Landed = Result<Token, Reason>;

/// A fetch under way, to wait for.
#[derive(Debug, Clone)]
pub(super) struct Flight(Shared<Receiver<Landed>>);

impl Future for Flight {
    type Output = Landed;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Landed> {
        Poll::Ready(ready!(self.0.poll_unpin(context)).unwrap_or(Err(Reason::Abandoned)))
    }
}

/// Where the result of a fetch goes: to those who wait.
pub(super) type Landing = Sender<Landed>;

/// What a request finds.
#[derive(Debug)]
pub(super) enum Look {
    /// A token that has not expired.
    Token(Credential),
    /// None, but a fetch is under way.
    Wait(Flight),
    /// None, and none is fetched before the pause after a failure is over.
    Failed(Reason),
}

/// The token and the fetch of one source.
#[derive(Debug, Default)]
pub(super) struct Cache {
    token: Option<Token>,
    flight: Option<Flight>,
    /// The last failure, and until when no fetch is started after it.
    pause: Option<(Reason, Instant)>,
}

impl Cache {
    /// What a request at `moment` finds. With a landing, the caller must start a fetch that ends there.
    pub(super) fn look(&mut self, moment: Moment) -> (Look, Option<Landing>) {
        let token = self.token.as_ref().filter(|token| !token.has_expired(moment));
        let is_due = token.is_none_or(|token| moment.instant >= token.refresh_at);
        let token = token.map(|token| token.credential.clone());
        let pause = self.pause.as_ref().filter(|(_, until)| moment.instant < *until);
        let mut landing = None;
        let look = match (token, &self.flight, pause) {
            (Some(token), None, None) if is_due => {
                landing = Some(self.take_off().1);
                Look::Token(token)
            }
            (Some(token), ..) => Look::Token(token),
            (None, Some(flight), _) => Look::Wait(flight.clone()),
            (None, None, Some((reason, _))) => Look::Failed(reason.clone()),
            (None, None, None) => {
                let (flight, to_land) = self.take_off();
                landing = Some(to_land);
                Look::Wait(flight)
            }
        };
        (look, landing)
    }

    fn take_off(&mut self) -> (Flight, Landing) {
        let (landing, landed) = oneshot::channel();
        let flight = Flight(landed.shared());
        self.flight = Some(flight.clone());
        (flight, landing)
    }

    /// Takes note of how the fetch ended, and says whether there is a token now. After a failure the old one stays, and
    /// no fetch is started during the pause.
    pub(super) fn land(&mut self, landed: &Landed, pause: Duration, moment: Moment) -> bool {
        self.flight = None;
        match landed {
            Ok(token) => {
                self.token = Some(token.clone());
                self.pause = None;
            }
            Err(reason) => self.pause = Some((reason.clone(), moment.instant.saturating_add(pause))),
        }
        self.token.as_ref().is_some_and(|token| !token.has_expired(moment))
    }
}
