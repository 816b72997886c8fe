//! Server-sent events, taken apart as their bytes arrive.

/// The last event of a chat completion's stream.
const DONE: &str = "[DONE]";

/// Finds the `data` of server-sent events in bytes that arrive in pieces of any size.
///
/// ```
/// let mut events = lb_quickstart::Events::default();
/// assert!(events.push(b"data: {\"a\":").is_empty());
/// assert_eq!(events.push(b"1}\n\ndata: [DONE]\n\n"), [r#"{"a":1}"#, "[DONE]"]);
/// assert!(events.is_complete());
/// ```
#[derive(Debug, Default)]
pub struct Events {
    line: Vec<u8>,
    complete: bool,
}

impl Events {
    /// Takes the bytes that arrived; gives the events that are whole now.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        for &byte in bytes {
            if byte != b'\n' {
                self.line.push(byte);
                continue;
            }
            let line = String::from_utf8_lossy(&self.line).into_owned();
            self.line.clear();
            if let Some(data) = line.strip_prefix("data:") {
                let data = data.trim();
                self.complete |= data == DONE;
                found.push(data.to_owned());
            }
        }
        found
    }

    /// Whether the stream came to its end, which is `[DONE]`.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.complete
    }
}
