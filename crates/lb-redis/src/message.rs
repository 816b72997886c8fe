//! What one process tells the others.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Cooldowns shorter than this are not shared.
pub const SHORTEST: Duration = Duration::from_millis(500);

/// The version of the messages. Those of another are ignored.
const VERSION: u32 = 1;

/// No message of ours is longer: names have at most [`LONGEST_NAME`] bytes, which JSON writes with at most six each.
pub(crate) const LONGEST: usize = 2_048;

/// Backends with longer names are not shared.
pub(crate) const LONGEST_NAME: usize = 256;

/// News of one backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Message {
    v: u32,
    /// Which process says it; its own messages come back to it.
    from: u64,
    pub(crate) backend: String,
    #[serde(flatten)]
    pub(crate) news: News,
}

/// What is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum News {
    /// It is out, from now.
    Cooling(Cooling),
    /// An operator took it out, or put it back.
    Drained(bool),
}

/// A cooldown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cooling {
    /// What is left of it, in milliseconds.
    pub(crate) ms: u64,
    /// The status that the backend gave with it.
    pub(crate) status: u16,
}

impl Message {
    pub(crate) fn new(from: u64, backend: &str, news: News) -> Self {
        Self { v: VERSION, from, backend: backend.to_owned(), news }
    }

    /// As it is published.
    pub(crate) fn encode(&self) -> String {
        // Numbers, a name and a word: there is nothing in it that JSON cannot say.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// A message of another process; `None` if it is no message of this version.
    pub(crate) fn decode(payload: &[u8]) -> Option<Self> {
        let message: Self = serde_json::from_slice(payload).ok()?;
        (message.v == VERSION).then_some(message)
    }

    pub(crate) const fn is_from(&self, process: u64) -> bool {
        self.from == process
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for news in [News::Cooling(Cooling { ms: 1_500, status: 429 }), News::Drained(true)] {
            let message = Message::new(7, "east \"ptu\"", news);
            assert_eq!(Message::decode(message.encode().as_bytes()), Some(message));
        }
        assert_eq!(
            Message::new(7, "ptu", News::Cooling(Cooling { ms: 1_500, status: 429 })).encode(),
            r#"{"v":1,"from":7,"backend":"ptu","cooling":{"ms":1500,"status":429}}"#
        );
    }

    #[test]
    fn what_later_versions_add_is_ignored() {
        let more = br#"{"v":1,"from":7,"backend":"ptu","cooling":{"ms":1500,"status":429},"region":"east"}"#;
        assert!(Message::decode(more).is_some());
    }

    #[test]
    fn what_is_no_message_is_none() {
        for payload in [
            "",
            "1",
            "{}",
            "\u{0}\u{1}",
            r#"{"v":2,"from":7,"backend":"ptu","cooling":{"ms":1500,"status":429}}"#,
            r#"{"v":1,"from":7,"backend":"ptu"}"#,
            r#"{"v":1,"from":7,"backend":"ptu","cooling":{"ms":-1,"status":429}}"#,
            r#"{"v":1,"from":7,"backend":"ptu","cooling":{"ms":1e99,"status":429}}"#,
            r#"{"v":1,"from":7,"backend":"ptu","suspect":true}"#,
            r#"{"v":1,"from":7,"backend":"ptu","cooling":{"ms":1500}}"#,
        ] {
            assert_eq!(Message::decode(payload.as_bytes()), None, "{payload}");
        }
        assert_eq!(Message::decode(&[0xff; 64]), None);
    }

    #[test]
    fn the_longest_name_fits() {
        let message = Message::new(
            u64::MAX,
            &"\u{1}".repeat(LONGEST_NAME),
            News::Cooling(Cooling { ms: u64::MAX, status: u16::MAX }),
        );
        assert!(message.encode().len() <= LONGEST);
    }
}
