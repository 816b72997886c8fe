//! What an error and its causes say, for people.

use std::{error::Error, iter::successors};

/// A line of a log is not a place for more.
const MAX_CHARS: usize = 300;

/// So much of a name from outside is shown.
const MAX_NAME: usize = 100;

/// More causes are nobody's, but an error can name itself as its cause.
const MAX_CAUSES: usize = 16;

/// What an error and its causes say, in one line of at most 300 characters, for
/// [`Transport::describe`](crate::Transport::describe): the texts are joined by colons, and URLs and paths with a
/// query, which can be secret, are left out.
///
/// ```
/// use std::io::Error;
///
/// let refused = Error::other("error sending request for url (https://a.example/?api-key=secret)");
/// assert_eq!(lb_core::causes(&refused), "error sending request for url (..)");
/// ```
#[must_use]
pub fn causes(error: &(dyn Error + 'static)) -> String {
    let mut line = String::new();
    for cause in successors(Some(error), |&cause| cause.source()).take(MAX_CAUSES) {
        let text = cause.to_string();
        // Many errors end with the text of their cause.
        if line.ends_with(&text) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        for (number, word) in text.split_whitespace().enumerate() {
            if number > 0 {
                line.push(' ');
            }
            let has_query = word.split_once('?').is_some_and(|(_, query)| query.contains('='));
            line.push_str(if has_query || word.contains("://") { "(..)" } else { word });
        }
    }
    if let Some((end, _)) = line.char_indices().nth(MAX_CHARS) {
        line.truncate(end);
    }
    // What a peer sent may be quoted, and a terminal may show it.
    if line.contains(char::is_control) { line.replace(char::is_control, " ") } else { line }
}

/// A name that somebody outside may have written, as errors show it: its beginning, in one line.
pub(crate) fn shown(name: &str) -> String {
    name.escape_debug().take(MAX_NAME).collect()
}

#[cfg(test)]
mod tests {
    use std::{fmt, io};

    use super::*;

    #[derive(Debug)]
    struct Outer(io::Error);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("no connection")
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn every_cause_speaks_once_on_one_line_without_urls() {
        let inner = io::Error::other("refused\nby http://user:CANARY@a.example/x?key=CANARY twice");
        assert_eq!(causes(&Outer(inner)), "no connection: refused by (..) twice");
        assert_eq!(causes(&Outer(io::Error::other("no connection"))), "no connection");
    }

    #[test]
    fn a_path_with_a_query_is_left_out_too() {
        let error = io::Error::other("no route for /openai/v1?api-key=CANARY; is it a typo? a=b");
        assert_eq!(causes(&error), "no route for (..) is it a typo? a=b");
    }

    #[test]
    fn what_would_steer_a_terminal_is_blank() {
        assert_eq!(causes(&io::Error::other("got \u{1b}[2J\0, not a head")), "got  [2J , not a head");
    }

    #[test]
    fn an_error_that_is_its_own_cause_ends() {
        #[derive(Debug)]
        struct Circle;
        impl fmt::Display for Circle {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("round")
            }
        }
        impl Error for Circle {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(self)
            }
        }
        assert_eq!(causes(&Circle), "round");
    }

    #[test]
    fn a_long_text_ends_at_a_character() {
        assert_eq!(causes(&io::Error::other("\u{e9}".repeat(1_000))).chars().count(), MAX_CHARS);
    }
}
