/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(rename_all = "kebab-case"))]
#[expect(clippy::exhaustive_enums, reason = "every name of a header depends on it: a third unit is another protocol")]
pub enum Unit {
    /// Every request counts 1.
    Requests,
    /// A request counts its [`Demand::tokens`](crate::Demand::tokens).
    Tokens,
}

/// How a window forgets what it has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(rename_all = "kebab-case"))]
#[expect(clippy::exhaustive_enums, reason = "who explains a window to users must explain every kind")]
pub enum Kind {
    /// The count is reset to zero at [`phase_ns`](Window::phase_ns), `phase_ns + length_ns`, and so on, and also before
    /// `phase_ns` at the same distances.
    #[default]
    Fixed,
    /// A charge counts for exactly `length_ns`; at that age it is gone. Keeps every charge of the last `length_ns` in
    /// memory.
    Sliding,
    /// Refills continuously, `limit` units per `length_ns`, up to a burst of `limit`: the generic cell rate algorithm,
    /// which is a leaky bucket used as a meter.
    Gcra,
}

/// When a window lets a request in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(rename_all = "snake_case"))]
#[expect(clippy::exhaustive_enums, reason = "a last request overshoots or it does not")]
pub enum Admit {
    /// If the count with this request stays within the limit.
    #[default]
    Fits,
    /// If the count without this request is below the limit; the last one may overshoot.
    UntilReached,
}

/// The rules of one rate limit: `limit` units in `length_ns`.
///
/// ```
/// use lb_limits::{Admit, Kind, SECOND, Unit, Window};
///
/// let window = Window::new(Unit::Requests, 10, 10 * SECOND)
///     .kind(Kind::Sliding)
///     .counts_refused(true);
/// assert_eq!(window.admit, Admit::Fits);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Window {
    /// What is counted.
    pub unit: Unit,
    /// Units in one length. Zero admits nothing that counts.
    pub limit: u64,
    /// Length in nanoseconds. Zero reads as 1.
    pub length_ns: u64,
    /// How the count is forgotten. Default: fixed.
    pub kind: Kind,
    /// A moment at which a fixed window is reset. Default: 0.
    pub phase_ns: u64,
    /// When a request is let in. Default: if it fits.
    pub admit: Admit,
    /// Whether a request that the chain refused is charged here all the same. Default: no.
    ///
    /// Microsoft Learn says so of the per-minute limits: "Unsuccessful requests still count".
    pub counts_refused: bool,
}

impl Window {
    /// A fixed window with phase 0, which admits what fits and does not count refused requests.
    pub fn new(unit: Unit, limit: u64, length_ns: u64) -> Self {
        Self {
            unit,
            limit,
            length_ns,
            kind: Kind::default(),
            phase_ns: 0,
            admit: Admit::default(),
            counts_refused: false,
        }
    }

    /// Sets how the count is forgotten; default: fixed.
    #[must_use]
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Sets a moment at which a fixed window is reset; default: 0.
    #[must_use]
    pub fn phase_ns(mut self, phase_ns: u64) -> Self {
        self.phase_ns = phase_ns;
        self
    }

    /// Sets when a request is let in; default: [`Admit::Fits`].
    #[must_use]
    pub fn admit(mut self, admit: Admit) -> Self {
        self.admit = admit;
        self
    }

    /// Sets whether refused requests are charged; default: no.
    #[must_use]
    pub fn counts_refused(mut self, counts: bool) -> Self {
        self.counts_refused = counts;
        self
    }
}
