//! What a key or token cannot look like: mistakes of copying that would otherwise come back as a 401.

use crate::build_error::BackendProblem;

/// What surrounds a value that nobody filled in.
const PLACEHOLDERS: [(&str, &str); 3] = [("<", ">"), ("${", "}"), ("{{", "}}")];

/// Whether `secret` can be a key or a token, and if not, why.
pub(super) fn check(secret: &str) -> Result<(), BackendProblem> {
    if secret.trim().is_empty() {
        Err(BackendProblem::CredentialEmpty)
    } else if secret.trim() != secret {
        Err(BackendProblem::CredentialWhiteSpace)
    } else if ['"', '\''].iter().any(|quote| secret.starts_with(*quote) && secret.ends_with(*quote)) {
        Err(BackendProblem::CredentialQuotes)
    } else if secret.split(char::is_whitespace).next().is_some_and(|word| word.eq_ignore_ascii_case("bearer")) {
        Err(BackendProblem::CredentialScheme)
    } else if PLACEHOLDERS.iter().any(|(begin, end)| secret.starts_with(begin) && secret.ends_with(end)) {
        Err(BackendProblem::CredentialPlaceholder)
    } else if secret.contains(|c: char| c.is_ascii_control() || !c.is_ascii()) {
        // A header could carry more than ASCII, but no key has it: it is a byte order mark or a curly quote.
        Err(BackendProblem::CredentialCharacters)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mistake_is_told_by_its_name() {
        use BackendProblem as P;
        for (secret, problem) in [
            ("", P::CredentialEmpty),
            (" \n", P::CredentialEmpty),
            ("key\n", P::CredentialWhiteSpace),
            ("key\r\n", P::CredentialWhiteSpace),
            ("\tkey", P::CredentialWhiteSpace),
            ("key\u{a0}", P::CredentialWhiteSpace),
            ("Bearer ", P::CredentialWhiteSpace),
            ("\"key\"", P::CredentialQuotes),
            ("'key'", P::CredentialQuotes),
            ("Bearer key", P::CredentialScheme),
            ("bEARER\tkey", P::CredentialScheme),
            ("bearer", P::CredentialScheme),
            ("<your-key>", P::CredentialPlaceholder),
            ("${KEY}", P::CredentialPlaceholder),
            ("{{ key }}", P::CredentialPlaceholder),
            ("k\ney", P::CredentialCharacters),
            ("k\0ey", P::CredentialCharacters),
            ("k\tey", P::CredentialCharacters),
            ("\u{feff}key", P::CredentialCharacters),
            ("\u{201c}key\u{201d}", P::CredentialCharacters),
        ] {
            assert_eq!(check(secret), Err(problem), "{secret:?}");
        }
    }

    #[test]
    fn what_only_resembles_a_mistake_is_a_key() {
        for secret in
            ["k", "bearer-k", "Bearerk", "k Bearer k", "<k", "k>", "$k", "{k}", "it's", "a key", "k\"", "~!@#$%^&*"]
        {
            assert_eq!(check(secret), Ok(()), "{secret:?}");
        }
    }
}
