//! The tables: what is varied, and what is told of it.

use std::{error::Error, fmt::Write as _, path::Path};

use crate::{
    measure::{Changes, Measured, changed, text},
    poison::{self, Sending, Shape},
    wishes,
};

type Table = fn() -> Result<String, Box<dyn Error>>;

/// The tables of the page, by name.
pub(crate) const TABLES: [(&str, Table); 13] = [
    ("poison", poison_table),
    ("outage", outage),
    ("blip", blip),
    ("hanging-region", hanging_region),
    ("resets", resets),
    ("stalls", stalls),
    ("ptu-429s", ptu_429s),
    ("waiting", wishes::waiting),
    ("deadline", wishes::deadline),
    ("head-timeout", wishes::head_timeout),
    ("affinity", wishes::affinity),
    ("peek", wishes::peek),
    ("sharing", sharing),
];

/// How many requests in a row must strike a backend.
const STRIKES: [(&str, Changes<'static>); 3] = [
    ("`strikes = 1`", &[("pool.strikes", "1")]),
    ("`strikes = 2`, the default", &[]),
    ("`strikes = 3`", &[("pool.strikes", "3")]),
];

/// How long after its last failure a suspect is asked first.
const PROBES: [(&str, Changes<'static>); 3] = [
    ("`probe_after = \"5s\"`", &[("pool.probe_after", "'5s'")]),
    ("`probe_after = \"10s\"`, the default", &[]),
    ("`probe_after = \"30s\"`", &[("pool.probe_after", "'30s'")]),
];

const RATES: [&str; 4] = ["10", "1", "0.08333333333333333", "0.016666666666666666"];

fn poison_table() -> Result<String, Box<dyn Error>> {
    let (cells, base) = (poison::cells(60), text("poison")?);
    let mut out = header(&[
        "a prompt",
        "sent",
        "`strikes = 1`",
        "2, the default",
        "3",
        "2, but for a PTU in front of two",
        "sends per prompt",
    ]);
    let strikes = STRIKES.iter().map(|(_, changes)| poison::run(&cells, &base, changes));
    let [one, two, three] = &strikes.collect::<Result<Vec<_>, _>>()?[..] else { unreachable!("three rules") };
    for (every, often) in [(60, "a minute"), (10, "per 10 s")] {
        for (sending, words) in [
            (Sending::Alone, "once"),
            (Sending::RetriedTwice, "and twice again, 0.5 s apart"),
            (Sending::ThreeAtOnce, "three at once"),
        ] {
            let of_row = |found: &&poison::Found| (found.cell.every, found.cell.sending) == (every, sending);
            let worst = |found: &[poison::Found], counts: fn(Shape) -> bool| {
                let cells = found.iter().filter(of_row).filter(|found| counts(found.cell.shape));
                percent(cells.map(|found| found.served).fold(1.0, f64::min))
            };
            let sends = two.iter().filter(of_row).map(|found| found.sends).fold(0.0, f64::max);
            let mut served: Vec<String> = [one, two, three].map(|found| worst(found, |_| true)).into();
            served.push(worst(two, |shape| shape != Shape::PtuAndTwo));
            add(&mut out, &[&[often.into(), words.into()], &served[..], &[format!("{sends:.1}")]].concat());
        }
    }
    Ok(out)
}

/// Every cell of the grid under the default rules, the worst first.
pub(crate) fn poison_cells() -> Result<String, Box<dyn Error>> {
    let mut found = poison::run(&poison::cells(60), &text("poison")?, &[])?;
    found.sort_by(|a, b| a.served.total_cmp(&b.served));
    let mut out = header(&["cell", "others served", "sends per prompt"]);
    for poison::Found { cell, served, sends } in found {
        add(&mut out, &[cell.to_string(), percent(served), format!("{sends:.1}")]);
    }
    Ok(out)
}

fn outage() -> Result<String, Box<dyn Error>> {
    let mut out = header(&["rules", "sends per request", "failed", "under an SDK: sends per call", "failed"]);
    for (rules, changes) in STRIKES {
        let mut row = vec![rules.to_owned()];
        for sdk in [&[][..], SDK] {
            let measured = Measured::of("outage", &[changes, sdk].concat())?;
            row.extend([sends(&measured), format!("{:.0} of 600", measured.failed())]);
        }
        add(&mut out, &row);
    }
    Ok(out)
}

const SDK: Changes<'static> = &[("clients.sdk", "'openai-python-3.54'")];

fn sends_per_request(outage: &Measured) -> f64 {
    // Those 600 arrive during the outage.
    outage.backends("server_errors") / 600.0
}

/// Refusals per 1,000 requests, by how many workers there are and how they know of each other's.
fn sharing() -> Result<String, Box<dyn Error>> {
    let mut out = header(&["workers", "each for itself", "told after 5 ms", "50 ms", "500 ms", "one pool"]);
    for workers in ["1", "4", "16", "64", "256"] {
        let mut row = vec![workers.to_owned()];
        for (pools, delay) in
            [("private", "0s"), ("gossip", "5ms"), ("gossip", "50ms"), ("gossip", "500ms"), ("shared", "0s")]
        {
            let (pools, delay) = (format!("'{pools}'"), format!("'{delay}'"));
            let measured = Measured::of(
                "sharing",
                &[("clients.workers", workers), ("clients.pools", &pools), ("clients.gossip_delay", &delay)],
            )?;
            row.push(format!("{:.1}", measured.backends("throttled") / measured.all("offered") * 1e3));
        }
        add(&mut out, &row);
    }
    Ok(out)
}

fn blip() -> Result<String, Box<dyn Error>> {
    let mut out = header(&["for 0.2 s", "heads of", "failed, `strikes = 1`", "2, the default", "3"]);
    for (words, kind) in [("connections are refused", "'connect'"), ("the answer is a 503", "'status'")] {
        for head in ["0.5 s", "8 s"] {
            let mut row = vec![words.to_owned(), head.to_owned()];
            let head = format!("'{head}'");
            for (_, changes) in STRIKES {
                let here = [("fault.0.kind", kind), ("model.steady.ttft.base", &head), ("run.replications", "20")];
                row.push(format!("{:.1}", Measured::of("blip", &[changes, &here].concat())?.failed()));
            }
            add(&mut out, &row);
        }
    }
    Ok(out)
}

fn hanging_region() -> Result<String, Box<dyn Error>> {
    let mut out = header(&["rules", "hung, per 1,000 requests", "with 16 workers", "back after it was well"]);
    for (rules, changes) in PROBES {
        let changes = [changes, &[("run.replications", "10")]].concat();
        let one = Measured::of("hanging_region", &changes)?;
        let many = Measured::of("hanging_region", &[&changes[..], &[("clients.workers", "16")]].concat())?;
        // It is suspect from the first connect timeout on, five seconds after the fault began.
        let back = one.backend(0, "suspect_share") * 600.0 - 55.0;
        let hung = [hung_per_1000(&one), hung_per_1000(&many)].map(|hung| format!("{hung:.1}"));
        add(&mut out, &[&[rules.to_owned()], &hung[..], &[format!("{back:.0} s")]].concat());
    }
    Ok(out)
}

fn hung_per_1000(measured: &Measured) -> f64 {
    measured.backends("faults") / measured.all("offered") * 1_000.0
}

fn resets() -> Result<String, Box<dyn Error>> {
    let mut out = header(&["rules", "failed in an hour: 10 a second", "one a second", "one in 12 s", "one a minute"]);
    let again: (&str, Changes<'_>) = ("`fail_over_after_send = true`", &[("pool.fail_over_after_send", "true")]);
    let others = STRIKES.into_iter().chain(PROBES).filter(|(_, changes)| !changes.is_empty());
    for (rules, changes) in [("the default", &[][..])].into_iter().chain(others).chain([again]) {
        add(&mut out, &failed_by_rate("resets", rules, changes)?);
    }
    Ok(out)
}

fn stalls() -> Result<String, Box<dyn Error>> {
    let mut out = header(&["callers", "failed in an hour: 10 a second", "one a second", "one in 12 s", "one a minute"]);
    let dropped: Changes<'_> = &[("workload.chat.deadline", "'10s'"), ("clients.timeout", "'600s'")];
    let noticed = [dropped, &[("pool.stalled_after", "'5s'")]].concat();
    for (rules, changes) in [
        ("the client's timeout of 10 s", &[][..]),
        ("drop it after 10 s", dropped),
        ("drop it after 10 s, `stalled_after = \"5s\"`", &noticed),
    ] {
        add(&mut out, &failed_by_rate("stalls", rules, changes)?);
    }
    Ok(out)
}

fn failed_by_rate(name: &str, rules: &str, changes: Changes<'_>) -> Result<Vec<String>, Box<dyn Error>> {
    let mut row = vec![rules.to_owned()];
    for rate in RATES {
        let changes = [changes, &[("workload.chat.rate", rate)]].concat();
        let measured = Measured::of(name, &changes)?;
        row.push(format!("{:.0} of {:.0}", measured.failed(), measured.all("offered")));
    }
    Ok(row)
}

fn ptu_429s() -> Result<String, Box<dyn Error>> {
    let mut out = header(&["a 429 says", "used of the PTUs, heads of 0.4 s", "2 s", "8 s", "429s per 1,000 requests"]);
    for (words, policy) in
        [("how long, in milliseconds", "exact"), ("how long, in whole seconds", "ceiling"), ("nothing", "none")]
    {
        let hints = format!("{{ policy = '{policy}' }}");
        let (mut row, mut refused) = (vec![words.to_owned()], 0.0);
        for head in ["'400ms'", "'2s'", "'8s'"] {
            let changes = [("backend.ptu.hints", hints.as_str()), ("model.steady.ttft.base", head)];
            let measured = Measured::of("ptu_429s", &changes)?;
            row.push(percent(used(&measured)));
            refused = measured.backend(0, "throttled") / measured.all("offered") * 1_000.0;
        }
        row.push(format!("{refused:.0}"));
        add(&mut out, &row);
    }
    Ok(out)
}

/// The part of what the PTUs could serve that they served.
fn used(measured: &Measured) -> f64 {
    // 400,000 tokens a minute, in the 59 minutes after the warm-up.
    measured.backend(0, "used_tokens") / (400_000.0 * 59.0)
}

/// A figure, its scenario, how another version of the simulator is told of it, how this one is, and how it is written.
type Figure = (&'static str, &'static str, Changes<'static>, Changes<'static>, fn(&Measured) -> String);

const TWENTY: Changes<'static> = &[("run.replications", "20")];
const TWENTY_SLOW: Changes<'static> = &[("run.replications", "20"), ("model.steady.ttft.base", "'8s'")];

/// Connections that fail late, where a version has none that time out.
const HANGS: Changes<'static> =
    &[("fault.0.kind", "'connect'"), ("clients.connect_fault_latency", "'5s'"), ("run.replications", "20")];

const TWO_SECONDS: Changes<'static> = &[("model.steady.ttft.base", "'2s'")];
const EIGHT_SECONDS: Changes<'static> = &[("model.steady.ttft.base", "'8s'")];

const FIGURES: [Figure; 11] = [
    ("a prompt larger than the quota once a minute: others served", "oversized", &[], &[], |run| {
        percent(run.class(0, "success_share"))
    }),
    ("a total outage: sends per request", "outage", &[], &[], sends),
    ("failed, of 600", "outage", &[], &[], failed),
    ("under an SDK: sends per call", "outage", SDK, SDK, sends),
    ("a blip of 0.2 s: failed", "blip", TWENTY, TWENTY, failed),
    ("with heads of 8 s", "blip", TWENTY_SLOW, TWENTY_SLOW, failed),
    ("a region that hangs: hung, per 1,000 requests", "hanging_region", HANGS, TWENTY, |run| {
        format!("{:.1}", hung_per_1000(run))
    }),
    ("a backend that never answers: failed, of 3,600", "stalls", &[], &[], failed),
    ("PTUs under 429s: used, heads of 0.4 s", "ptu_429s", &[], &[], |run| percent(used(run))),
    ("heads of 2 s", "ptu_429s", TWO_SECONDS, TWO_SECONDS, |run| percent(used(run))),
    ("heads of 8 s", "ptu_429s", EIGHT_SECONDS, EIGHT_SECONDS, |run| percent(used(run))),
];

fn sends(outage: &Measured) -> String {
    format!("{:.2}", sends_per_request(outage))
}

fn failed(measured: &Measured) -> String {
    format!("{:.0}", measured.failed())
}

/// The same scenarios by another version of the simulator, where it can read them.
pub(crate) fn before(binary: &Path) -> Result<String, Box<dyn Error>> {
    let mut out = header(&["", "before", "now"]);
    for (words, name, theirs, ours, figure) in FIGURES {
        // Without a key that the other version does not know, and what is varied.
        let text = text(name)?;
        let readable = text.replace("connect_timeout = \"5s\"\n", "");
        let readable = readable.split("[sweep]").next().unwrap_or_default();
        let before = Measured::by(binary, &changed(readable, theirs)?)?;
        let now = Measured::of(name, ours)?;
        add(&mut out, &[words.to_owned(), figure(&before), figure(&now)]);
    }
    Ok(out)
}

pub(crate) fn header(columns: &[&str]) -> String {
    let rule: String = columns.iter().enumerate().map(|(at, _)| if at == 0 { " --- |" } else { " ---: |" }).collect();
    format!("| {} |\n|{rule}\n", columns.join(" | "))
}

pub(crate) fn add(out: &mut String, cells: &[String]) {
    let _ = writeln!(out, "| {} |", cells.join(" | "));
}

pub(crate) fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}
