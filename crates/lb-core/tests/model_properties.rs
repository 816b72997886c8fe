//! What holds of every body, whatever a caller writes: the backend's name for the model in place of the caller's and not a
//! byte else, or nothing.

#![cfg(feature = "json")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

use lb_core::{Backend, Pool, Step, ThreadRng, Unmapped};
use proptest::{
    collection::vec, option, prelude::*, sample::Index, sample::select, test_runner::FileFailurePersistence,
};
use serde_json::Value;

/// A body, by where its model stands.
#[derive(Debug, Clone)]
struct Document {
    before: String,
    /// The value of the member `model`, as JSON.
    value: String,
    after: String,
}

impl Document {
    fn with(&self, value: &str) -> String {
        format!("{}{value}{}", self.before, self.after)
    }

    fn text(&self) -> String {
        self.with(&self.value)
    }
}

fn space() -> impl Strategy<Value = &'static str> {
    select(vec!["", "", " ", "\t", "\r\n ", "\n\n"])
}

/// A string of JSON without its quotes, with every kind of escape, and with what could mislead.
fn characters() -> impl Strategy<Value = String> {
    let pieces = vec![
        "a",
        "gpt-4.1",
        "model",
        "\\\"",
        "\\\\",
        "\\/",
        "\\n",
        "\\b",
        "\\u0041",
        "\\u00e9",
        "\\ud83d\\ude00",
        "\\u0000",
        "\u{e9}",
        "\u{1f600}",
        "\u{7f}",
        "{",
        "}",
        "[",
        ":",
        ",",
        "\\\"model\\\":\\\"x\\\"",
        "//",
        "'",
    ];
    vec(select(pieces), 0..6).prop_map(|pieces| pieces.concat())
}

fn string() -> impl Strategy<Value = String> {
    characters().prop_map(|characters| format!("\"{characters}\""))
}

/// The key in its spellings.
fn model() -> impl Strategy<Value = String> {
    let spellings = vec![r#""model""#, r#""mod\u0065l""#, r#""\u006dodel""#, r#""\u006D\u006f\u0064\u0065\u006C""#];
    select(spellings).prop_map(str::to_owned)
}

/// Any other key.
fn other() -> impl Strategy<Value = String> {
    prop_oneof![
        characters().prop_map(|characters| format!("\"k{characters}\"")),
        select(vec!["\"Model\"", "\"models\"", "\"model \"", "\"\"", "\"mode\"", "\"model\\u0000\""])
            .prop_map(str::to_owned),
    ]
}

fn joined(items: Vec<String>, open: char, close: char) -> String {
    format!("{open}{}{close}", items.join(","))
}

fn member(key: impl Strategy<Value = String>, value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    (space(), key, space(), space(), value, space())
        .prop_map(|(a, key, b, c, value, d)| format!("{a}{key}{b}:{c}{value}{d}"))
}

/// Any value, with members `model` in its depths.
fn value() -> impl Strategy<Value = String> {
    let words = vec!["null", "true", "false", "0", "-1.50e+3", "12345678901234567890", "[]", "{}", "[ \n]"];
    let leaf = prop_oneof![string(), select(words).prop_map(str::to_owned)];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let key = prop_oneof![model(), other()];
        prop_oneof![
            vec((space(), inner.clone()).prop_map(|(space, value)| format!("{space}{value}{space}")), 0..4)
                .prop_map(|items| joined(items, '[', ']')),
            vec(member(key, inner), 0..4).prop_map(|items| joined(items, '{', '}')),
        ]
    })
}

/// An object with one member `model`, whose value is text.
fn document() -> impl Strategy<Value = Document> {
    let others = || vec(member(other(), value()), 0..4);
    let place = (space(), model(), space(), space());
    (space(), others(), place, string(), space(), others(), space()).prop_map(
        |(start, before, (a, key, b, c), value, d, after, end)| {
            let before: String = before.into_iter().map(|member| member + ",").collect();
            let after: String = after.into_iter().map(|member| format!(",{member}")).collect();
            Document { before: format!("{start}{{{before}{a}{key}{b}:{c}"), value, after: format!("{d}{after}}}{end}") }
        },
    )
}

/// What a backend with this name for all models gets of a body, and why it stays.
fn sent(name: &str, body: &[u8]) -> (Option<Vec<u8>>, Option<Unmapped>) {
    let pool = Pool::new([Backend::builder("a.example").model(name).build().unwrap()]).unwrap();
    let Step::Try(attempt) = pool.dispatch().next(|| pool.now(), &ThreadRng) else { panic!("it is available") };
    let target = pool.target(&attempt);
    let body = target.body("/openai/v1/responses", Some(b"application/json"), body);
    (body, target.unmapped())
}

/// What `Value` makes of a body; `None` if it is no JSON.
fn read(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body).ok()
}

fn names() -> impl Strategy<Value = String> {
    prop_oneof![select(vec!["gpt-4.1", "a", "\u{e9}", "a \"b\" \\"]).prop_map(str::to_owned), "[!-~]{1,20}"]
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("proptest-regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_value_of_the_model_is_replaced_and_not_a_byte_else(document in document(), name in names()) {
        let (body, why) = sent(&name, document.text().as_bytes());
        prop_assert_eq!(why, None);
        let written = Value::from(name.as_str()).to_string();
        let is_named_so = serde_json::from_str::<Value>(&document.value).unwrap() == name.as_str();
        let expected = if is_named_so { document.text() } else { document.with(&written) };
        prop_assert_eq!(body.is_none(), is_named_so);
        let body = body.unwrap_or_else(|| document.text().into_bytes());
        prop_assert_eq!(String::from_utf8(body.clone()).unwrap(), expected);

        // And as another reader sees it.
        let mut original = read(document.text().as_bytes()).unwrap();
        original["model"] = name.into();
        prop_assert_eq!(read(&body).unwrap(), original);
    }

    #[test]
    fn a_body_without_one_model_of_text_stays(
        others in vec(member(other(), value()), 0..4),
        models in vec(member(model(), value()), 0..3),
        ends in (space(), space()),
    ) {
        let is_text = models.first().is_some_and(|model| model.trim_end().ends_with('"'));
        prop_assume!(models.len() != 1 || !is_text);
        let (count, mut members) = (models.len(), others);
        members.extend(models);
        members.rotate_left(count / 2);
        let body = format!("{}{}{}", ends.0, joined(members, '{', '}'), ends.1);
        prop_assert!(read(body.as_bytes()).is_some_and(|value| value.is_object()), "{}", body);
        let (sent, why) = sent("mine", body.as_bytes());
        prop_assert_eq!(sent, None);
        let allowed = match count {
            0 => [Unmapped::NoModel; 2],
            1 => [Unmapped::NoModel, Unmapped::NoString],
            _ => [Unmapped::TwoModels; 2],
        };
        prop_assert!(why.is_some_and(|why| allowed.contains(&why)), "{:?}: {}", why, body);
    }

    #[test]
    fn a_body_that_is_cut_or_spoiled_is_read_as_another_reader_does(
        document in document(),
        cut in option::of(any::<Index>()),
        spoil in option::of((any::<Index>(), any::<u8>())),
        more in vec(any::<u8>(), 0..3),
    ) {
        let mut body = document.text().into_bytes();
        if let Some((place, byte)) = spoil {
            let place = place.index(body.len());
            body[place] = byte;
        }
        if let Some(cut) = cut {
            body.truncate(cut.index(body.len()));
        }
        body.extend(more);
        let (sent, why) = sent("mine", &body);
        match (read(&body), &sent) {
            (Some(mut value), Some(sent)) => {
                value["model"] = "mine".into();
                prop_assert_eq!(read(sent), Some(value));
            }
            (Some(value), None) if value.is_object() => {
                // Also two of them, which `Value` does not see.
                prop_assert!(why.is_some() || value["model"] == "mine" || body.is_empty(), "{}", body.escape_ascii());
            }
            (Some(_), None) => prop_assert_eq!(why, Some(Unmapped::NoObject)),
            (None, None) => prop_assert!(why.is_some() || body.is_empty()),
            // `Value` has to know what strings and numbers mean; who passes them on need not.
            (None, Some(_)) => {
                prop_assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_ok());
            }
        }
    }

    #[test]
    fn bytes_that_are_no_json_stay(body in vec(any::<u8>(), 0..64)) {
        prop_assume!(read(&body).is_none());
        let (sent, why) = sent("mine", &body);
        prop_assert_eq!(sent, None);
        prop_assert_eq!(why, (!body.is_empty()).then_some(Unmapped::NoObject));
    }
}
