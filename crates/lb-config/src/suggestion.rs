//! What somebody meant who wrote a name that does not exist.

use crate::place::{Path, Place};

/// What is offered for keys of all kinds, and never listed: in a file they are refused.
const HIDDEN: [&str; 2] = ["api_key", "bearer_token"];

/// The known name that is nearest, if one is near.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |name: &str| name.to_lowercase().replace(['-', ' '], "_");
    let name = plain(name);
    let near = known.filter_map(|known| {
        let other = plain(known);
        // A part of a name, such as `key_env`, is far from it by letters.
        let is_part = name.len() > 3 && other.contains(&name) || other.len() > 3 && name.contains(&other);
        let distance = strsim::damerau_levenshtein(&name, &other);
        let limit = name.chars().count().max(3) / 3;
        (distance <= limit || is_part).then_some((distance, known))
    });
    near.min_by_key(|(distance, _)| *distance).map(|(_, known)| known)
}

/// That `name`, at the end of `path`, does not exist, and what does.
pub(crate) fn unknown(name: &str, known: &[&str], place: &Place, path: &Path) -> String {
    let offered = || known.iter().copied().filter(|name| !HIDDEN.contains(name));
    let Place::Variable { prefix, name: variable } = place else {
        return match nearest(name, offered()) {
            Some(meant) => format!("there is no such name here; did you mean {meant}?"),
            None => format!("there is no such name here; known are {}", offered().collect::<Vec<_>>().join(", ")),
        };
    };
    let levels: Vec<&str> = variable[prefix.len() + 1..].split("__").collect();
    let wrong = path.0.len().saturating_sub(1).min(levels.len() - 1);
    let with = |level: &str| {
        let levels = [&levels[..wrong], &[level], &levels[wrong + 1..]].concat();
        format!("{prefix}_{}", levels.join("__"))
    };
    // One underscore where two separate the levels.
    let split = offered().find_map(|known| name.strip_prefix(known)?.strip_prefix('_').map(|rest| (known, rest)));
    let meant = match split {
        Some((known, rest)) => Some(with(&format!("{known}__{rest}").to_uppercase())),
        None => nearest(name, known.iter().copied()).map(|known| with(&known.to_uppercase())),
    };
    match meant {
        Some(meant) => format!("it means nothing; did you mean {meant}?"),
        None => {
            let known: Vec<_> = known.iter().map(|name| name.to_uppercase()).collect();
            format!("it means nothing; known in place of {} are {}", levels[wrong], known.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_meant_and_none_that_is_far() {
        let known = ["endpoint", "priority", "api_key_env", "weight"];
        let nearest = |name| nearest(name, known.into_iter());
        assert_eq!(nearest("endpont"), Some("endpoint"));
        assert_eq!(nearest("Endpoint"), Some("endpoint"));
        assert_eq!(nearest("key_env"), Some("api_key_env"));
        assert_eq!(nearest("api-key-env"), Some("api_key_env"));
        assert_eq!(nearest("wieght"), Some("weight"));
        assert_eq!(nearest("timeout"), None);
        assert_eq!(nearest(""), None);
    }
}
