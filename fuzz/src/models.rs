//! Models in bodies.

use lb_core::{Backend, Pool, Step, ThreadRng, Unmapped};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Value, value::RawValue};

/// A body with one member `model` of text gets the backend's name there, and no other byte changes; any other body stays,
/// whatever its bytes are.
///
/// The first line is the backend's name for all models; the rest is the body.
pub fn models(input: &[u8]) {
    let mut parts = input.splitn(2, |b| *b == b'\n');
    let (name, body) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let Ok(name) = str::from_utf8(name) else { return };
    let Ok(backend) = Backend::builder("a.example").model(name).build() else { return };
    let pool = Pool::new([backend]).expect("one backend is a pool");
    let Step::Try(attempt) = pool.dispatch().next(|| pool.now(), &ThreadRng) else { unreachable!("it is available") };
    let target = pool.target(&attempt);
    let sent = target.body("/openai/v1/responses", Some(b"application/json"), body);
    let why = target.unmapped();
    assert!(sent.is_none() || why.is_none(), "it is replaced, and {why:?} is told");

    let Some(members) = members(body) else {
        // Who found two of them does not read on.
        let is_told = matches!(why, Some(Unmapped::NoObject | Unmapped::TwoModels));
        assert!(sent.is_none() && is_told != body.is_empty(), "{why:?} of {}", body.escape_ascii());
        return;
    };
    let models: Vec<_> = members.iter().filter(|(key, _)| key == "model").map(|(_, value)| value.get()).collect();
    let expected = match models[..] {
        [] | ["null"] => Err(Unmapped::NoModel),
        [model] => {
            serde_json::from_str::<String>(model).map(|callers| (model, callers)).map_err(|_| Unmapped::NoString)
        }
        _ => Err(Unmapped::TwoModels),
    };
    let (model, callers) = match expected {
        Ok(found) => found,
        Err(reason) => {
            assert_eq!((sent, why), (None, Some(reason)), "{}", body.escape_ascii());
            return;
        }
    };
    assert_eq!(why, None);
    assert_eq!(sent.is_none(), callers == name, "{}", body.escape_ascii());
    let Some(sent) = sent else { return };
    is_replaced(body, &sent, &members, model, &Value::from(name).to_string());
}

/// Checks that `sent` is `body` with `new` for `model`, at one place, and that this place is the member's.
fn is_replaced(body: &[u8], sent: &[u8], members: &[(String, Box<RawValue>)], model: &str, new: &str) {
    let (model, new) = (model.as_bytes(), new.as_bytes());
    let is_spliced = body
        .windows(model.len())
        .enumerate()
        .any(|(place, window)| window == model && sent == [&body[..place], new, &body[place + model.len()..]].concat());
    assert!(is_spliced, "{} became {}", body.escape_ascii(), sent.escape_ascii());
    let again = self::members(sent).expect("it is still an object");
    assert_eq!(again.len(), members.len());
    for ((key, value), (old_key, old_value)) in again.iter().zip(members) {
        assert_eq!(key, old_key);
        let expected = if key == "model" { new } else { old_value.get().as_bytes() };
        assert_eq!(value.get().as_bytes(), expected, "{key}");
    }
}

/// The members of an object in their order, twice those that are there twice; `None` if it is no object in UTF-8.
fn members(body: &[u8]) -> Option<Vec<(String, Box<RawValue>)>> {
    str::from_utf8(body).ok()?;
    serde_json::from_slice::<Members>(body).ok().map(|Members(members)| members)
}

struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}
