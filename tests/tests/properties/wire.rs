//! The wire: what each attempt carries, and what it does not.

use std::collections::BTreeSet;

use http::{HeaderMap, Request};
use proptest::prelude::*;

use crate::{
    case::{Ask, Spec, case},
    cases,
    world::request,
};

/// Everything of a request that goes over the wire.
fn bytes<B: AsRef<[u8]>>(request: &Request<B>) -> String {
    let mut all = request.uri().to_string().into_bytes();
    for (name, value) in request.headers() {
        all.extend([name.as_str().as_bytes(), value.as_bytes()].concat());
    }
    all.extend(request.body().as_ref());
    String::from_utf8_lossy(&all).into_owned()
}

/// The URI that a caller's path has at a backend: by splitting at every slash, unlike the code under test.
fn uri(ask: &Ask, index: usize, spec: &Spec) -> String {
    let path = ask.path.trim_start_matches("https://caller.example:81");
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let mut segments: Vec<&str> = path.split('/').collect();
    let named = segments.iter().position(|segment| *segment == "deployments").map(|mark| mark + 1);
    if let (Some(name), Some(segment)) = (spec.deployment, named.and_then(|named| segments.get_mut(named))) {
        *segment = name;
    }
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("https://b{index}.example{}{}{query}", spec.prefix, segments.join("/"))
}

fn lines(headers: &HeaderMap) -> BTreeSet<(String, Vec<u8>)> {
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect()
}

proptest! {
    #![proptest_config(cases(192))]

    #[test]
    fn a_credential_goes_to_its_own_backend_and_appears_nowhere_else(case in case()) {
        let history = case.play();
        for (_, pick) in history.picks() {
            let wire = bytes(&pick.sent);
            for (index, spec) in history.case.backends.iter().enumerate() {
                let Some(key) = &spec.key else { continue };
                prop_assert_eq!(wire.contains(key.as_str()), index == pick.backend, "{} in {}", key, wire);
            }
            let has_own = history.case.backends[pick.backend].key.is_some();
            prop_assert_eq!(wire.contains("CALLER-CANARY"), !has_own, "{}", wire);
        }
        let told = format!("{:?} {:?} {:#?}", history.log(), history.pool, history.pool.snapshot());
        prop_assert!(!told.contains("CANARY"), "{told}");
    }

    #[test]
    fn every_attempt_starts_from_the_callers_request_whatever_came_before(case in case()) {
        let history = case.play();
        for (_, pick) in history.picks() {
            let (ask, spec) = (&history.asks[pick.request], &history.case.backends[pick.backend]);
            let caller = request(ask, pick.request);
            prop_assert_eq!(pick.sent.uri().to_string(), uri(ask, pick.backend, spec));
            prop_assert_eq!((pick.sent.method(), pick.sent.version()), (caller.method(), caller.version()));
            let mut expected = lines(caller.headers());
            expected.retain(|(name, _)| name != "host");
            if let Some(key) = &spec.key {
                expected.retain(|(name, _)| name != "api-key" && name != "authorization");
                expected.insert(("api-key".to_owned(), key.clone().into_bytes()));
            }
            prop_assert_eq!(lines(pick.sent.headers()), expected);
            prop_assert_eq!(pick.sent.headers().len(), lines(pick.sent.headers()).len(), "no line is doubled");
        }
    }

    #[test]
    fn every_attempt_carries_exactly_the_callers_body(case in case()) {
        let history = case.play();
        for (_, pick) in history.picks() {
            let body = &history.asks[pick.request].body;
            prop_assert_eq!(pick.sent.body(), body);
            prop_assert_eq!(pick.sent.headers()["content-length"].to_str().unwrap(), body.len().to_string());
        }
    }

    #[test]
    fn requests_go_to_configured_origins_only(case in case()) {
        let history = case.play();
        for (_, pick) in history.picks() {
            prop_assert_eq!(pick.sent.uri().authority().unwrap().as_str(), format!("b{}.example", pick.backend));
            prop_assert_eq!(pick.sent.uri().scheme_str(), Some("https"));
            prop_assert!(pick.sent.headers().get("host").is_none(), "the stack sets it from the URI");
        }
    }
}
