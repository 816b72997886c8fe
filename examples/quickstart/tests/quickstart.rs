//! The quickstart, with few requests: balanced approaches lose none, one deployment alone loses some.

use std::{collections::BTreeSet, io, time::Duration};

use lb_quickstart::{Approach, Decisions, Quickstart, RequestLog, Setup};
use serde_json::Value;

/// Without latency: more requests than the first two deployments can take at once, in no time, so that refusals are
/// certain on a slow machine too.
fn quickstart(approaches: &[Approach]) -> Quickstart {
    let setup = Setup::Emulated { latency: Duration::ZERO };
    Quickstart { setup, requests: 30, concurrency: 3, approaches: approaches.to_vec(), log: None, watchers: Vec::new() }
}

#[test]
fn every_balanced_request_succeeds_while_one_deployment_alone_refuses_some() {
    let report = quickstart(&Approach::ALL).run(&Decisions::new(io::sink())).unwrap();
    assert_eq!(report.verdict(), Ok(()));
    for row in &report.approaches {
        let served: usize = row.served.iter().map(|share| share.requests).sum();
        assert_eq!((row.succeeded + row.failed, served), (30, row.succeeded), "{row:?}");
        match row.approach {
            Approach::Direct => assert!(row.failed > 0, "{row:?}"),
            _ => assert!(row.failed == 0 && row.throttles_absorbed > 0, "{row:?}"),
        }
    }
}

#[test]
fn the_json_has_the_documented_fields() {
    let report = quickstart(&[Approach::Direct, Approach::ReqwestBlocking]).run(&Decisions::new(io::sink())).unwrap();
    let json: Value = serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
    assert_eq!(json["emulated"], true);
    let names: Vec<_> = json["approaches"].as_array().unwrap().iter().map(|row| &row["approach"]).collect();
    assert_eq!(names, ["direct", "reqwest-blocking"]);
    let [direct, balanced] = [0, 1].map(|index| &json["approaches"][index]);
    for field in ["requests", "succeeded", "failed", "throttles_absorbed"] {
        assert!(direct[field].is_u64() && balanced[field].is_u64(), "{field}");
    }
    assert!(balanced["seconds"].is_f64());
    let failed = direct["failures"]["status 429 from ptu"].as_u64();
    assert_eq!(failed, direct["failed"].as_u64());
    let backends: Vec<_> = balanced["served"].as_array().unwrap().iter().map(|share| &share["backend"]).collect();
    assert_eq!(backends, ["ptu", "standard", "overflow"]);
    assert!(balanced["served"][0]["requests"].is_u64() && balanced["served"][0]["percent"].is_f64());
}

#[test]
fn decisions_are_printed_and_keys_are_not() {
    let (mut reader, writer) = io::pipe().unwrap();
    let printing = std::thread::spawn(move || {
        let quickstart = quickstart(&[Approach::Reqwest]);
        let stage = format!("{:?}", quickstart.setup.open(1).unwrap());
        quickstart.run(&Decisions::new(writer)).unwrap();
        stage
    });
    let text = io::read_to_string(&mut reader).unwrap();
    let stage = printing.join().unwrap();
    for decision in ["sent         ptu (attempt 1)", "failed over  ptu -> standard (status 429)", "retry-after-ms)"] {
        assert!(text.contains(decision), "{decision}: {text}");
    }
    assert!(!text.contains("key 1") && !stage.contains("key 1") && stage.contains("redacted"), "{stage}");
}

#[test]
fn every_attempt_is_logged_with_its_tokens_or_its_hint() {
    for approach in [Approach::Direct, Approach::Reqwest, Approach::ReqwestStreaming, Approach::IsahcBlocking] {
        let (reader, writer) = io::pipe().unwrap();
        let log = RequestLog::new(writer).unwrap();
        let quickstart = Quickstart { log: Some(log), ..quickstart(&[approach]) };
        let report = quickstart.run(&Decisions::new(io::sink())).unwrap();
        // The last writer goes, and the pipe ends.
        drop(quickstart);
        let text = io::read_to_string(reader).unwrap();
        let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let header = lines.next().unwrap();
        assert_eq!(
            header.join(" "),
            "start end prompt_tokens cached_tokens max_tokens completion_tokens status hint_ms backend request"
        );
        let (mut served, mut refused) = (0, 0);
        let mut requests = BTreeSet::new();
        for line in lines {
            requests.insert(line[9].to_owned());
            let [start, end] = [0, 1].map(|column| line[column].parse::<f64>().unwrap());
            assert!(start <= end, "{line:?}");
            match line[6] {
                "200" => {
                    served += 1;
                    assert_eq!((line[4], line[5], line[7]), ("16", "4", ""), "{line:?}");
                    assert!(line[2].parse::<u64>().unwrap() > 0, "{line:?}");
                }
                status => {
                    refused += 1;
                    assert!(status == "429" && line[7].parse::<u64>().is_ok(), "{line:?}");
                }
            }
        }
        let row = &report.approaches[0];
        assert_eq!(served, row.succeeded, "{approach}: {text}");
        assert_eq!(refused, row.failed as u64 + row.throttles_absorbed, "{approach}: {text}");
        // Attempts of one request share its number; without a balancer there is none.
        assert_eq!(requests.len(), if approach.is_balanced() { 30 } else { 1 }, "{approach}: {text}");
    }
}
