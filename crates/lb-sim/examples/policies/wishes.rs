//! The tables of what requests may wish, and of what a pool lets them.

use std::error::Error;

use lb_sim::Scenario;

use crate::{
    measure::{Changes, Measured, changed, text},
    queue,
    tables::{add, header, percent},
};

/// A `[[backend]]` of pay-as-you-go behind the PTUs: 200 requests a minute.
const BEHIND: &str = r#"
[[backend]]
name = "standard"
priority = 2
model = "steady"
refusal_latency = "50ms"
window = [{ unit = "requests", limit = 200, length = "60s" }]
"#;

/// What stands in `waiting.toml` of the PTUs' limits.
const PTUS: &str = "preset = \"azure-ptu\"\nptus = 600\nburst = \"1s\"\n";

pub(crate) fn waiting() -> Result<String, Box<dyn Error>> {
    let base = text("waiting")?;
    let window = |window: &str| base.replace(PTUS, &format!("window = [{window}]\n"));
    let ten = window("{ unit = \"requests\", limit = 100, length = \"10s\" }");
    let minute = window("{ unit = \"requests\", limit = 530, length = \"60s\" }");
    let two = format!("{}{BEHIND}", base.replace("ptus = 600", "ptus = 400"));
    let mut out = header(&[
        "deployments",
        "workers",
        "served at once or not at all",
        "served, waiting up to 30 s",
        "waited",
        "on average",
        "p99 of all",
        "429s per request served",
    ]);
    for (words, text, workers) in [
        ("PTUs", &base, &["1", "16", "64"][..]),
        ("fewer PTUs, pay-as-you-go by the minute behind", &two, &["1", "16", "64"]),
        ("pay-as-you-go by ten seconds", &ten, &["1", "16"]),
        ("pay-as-you-go by the minute", &minute, &["1", "16"]),
    ] {
        for workers in workers {
            let changes: Changes<'_> = &[("clients.workers", workers)];
            let at_once = [changes, &[("workload.chat.wishes", "{ wait = false }")]].concat();
            let (without, with) = (run(text, &at_once)?, run(text, changes)?);
            add(
                &mut out,
                &[
                    words.into(),
                    (*workers).into(),
                    percent(without.all("success_share")),
                    percent(with.all("success_share")),
                    percent(with.all("waited") / with.all("offered")),
                    seconds(with.time("wait", "mean")),
                    seconds(with.time("added_wait", "p99")),
                    format!("{:.2}", with.all("backend_429s_per_success")),
                ],
            );
        }
    }
    let strict = strict_queue()?;
    let waited = strict.iter().filter(|&&wait| wait > 0).count() as f64;
    let mean = strict.iter().sum::<u64>() as f64 / waited / 1e9;
    let row = ["PTUs behind a strict queue that knows them", "-", "-", "100.00 %"].map(str::to_owned);
    let p99 = strict[strict.len() * 99 / 100] as f64 / 1e9;
    let waits = [percent(waited / strict.len() as f64), seconds(mean), seconds(p99), "0.00".to_owned()];
    add(&mut out, &[row, waits].concat());
    Ok(out)
}

/// How long the requests of the first line would wait in a strict queue.
fn strict_queue() -> Result<Vec<u64>, Box<dyn Error>> {
    let scenario = changed(&text("waiting")?, &[])?;
    let mut all = (0..5).map(|run| queue::waits(&scenario, run)).collect::<Result<Vec<_>, _>>()?.concat();
    all.sort_unstable();
    Ok(all)
}

fn run(text: &str, changes: Changes<'_>) -> Result<Measured, Box<dyn Error>> {
    Measured::run(&changed(text, changes)?)
}

/// One of the backends is ill, instead of the prompts.
fn with_one_ill() -> Result<Scenario, Box<dyn Error>> {
    let text = text("deadline")?;
    changed(&text.replace("workload = \"endless\"\nkind", "backend = \"one\"\nkind"), &[])
}

pub(crate) fn deadline() -> Result<String, Box<dyn Error>> {
    let mut out = header(&[
        "rules",
        "a prompt that fails everywhere: executed",
        "its caller knows after",
        "others served",
        "one backend ill: failed, of 1,000",
    ]);
    let ill = toml::to_string(with_one_ill()?.document())?;
    for (rules, changes) in [
        ("the default", &[][..]),
        ("`deadline = \"30s\"`", &[("pool.deadline", "'30s'")]),
        ("`fail_over_within = \"30s\"`", &[("pool.fail_over_within", "'30s'")]),
    ] {
        let (prompts, backend) = (Measured::of("deadline", changes)?, run(&ill, changes)?);
        let sends = prompts.class(1, "attempts_per_request");
        add(
            &mut out,
            &[
                rules.into(),
                format!("{sends:.1} times"),
                // Each attempt takes two minutes.
                format!("{:.0} s", sends * 120.0),
                percent(prompts.class(0, "success_share")),
                format!("{:.1}", backend.failed() / backend.all("offered") * 1_000.0),
            ],
        );
    }
    Ok(out)
}

pub(crate) fn head_timeout() -> Result<String, Box<dyn Error>> {
    let mut out = header(&["`head_timeout`", "failed, of 1,000", "first token p50", "p99", "executed, per request"]);
    for (rules, wishes) in [
        ("none, the client's timeout is 60 s", "{}"),
        ("10 s", "{ head_timeout = '10s' }"),
        ("5 s", "{ head_timeout = '5s' }"),
        ("2 s", "{ head_timeout = '2s' }"),
    ] {
        let measured = Measured::of("head_timeout", &[("workload.chat.wishes", wishes)])?;
        add(
            &mut out,
            &[
                rules.into(),
                format!("{:.1}", measured.failed() / measured.all("offered") * 1_000.0),
                seconds(measured.time("first_token", "p50")),
                seconds(measured.time("first_token", "p99")),
                format!("{:.3}", measured.all("attempts_per_request")),
            ],
        );
    }
    Ok(out)
}

pub(crate) fn affinity() -> Result<String, Box<dyn Error>> {
    let mut out = header(&[
        "PTU deployments",
        "workers",
        "tokens from caches, per prompt of 3,000: at random",
        "by key",
        "429s per 1,000 requests: at random",
        "by key",
        "served by pay-as-you-go: at random",
        "by key",
    ]);
    let tiers: Changes<'_> =
        &[("backend.ptu-c.priority", "2"), ("backend.ptu-d.priority", "2"), ("backend.standard.priority", "3")];
    for (words, changes) in [("four of one priority", &[][..]), ("two, and two behind them", tiers)] {
        for workers in ["1", "16", "64"] {
            let run = |affinity| {
                let here = [("workload.chat.wishes.affinity", affinity), ("clients.workers", workers)];
                Measured::of("affinity", &[changes, &here].concat())
            };
            let both = [run("false")?, run("true")?];
            let spilled = |one: &Measured| one.backend(4, "succeeded") / one.all("succeeded");
            let mut row = vec![words.to_owned(), workers.to_owned()];
            row.extend(both.iter().map(|one| format!("{:.0}", one.all("cached_share") * 3_000.0)));
            row.extend(both.iter().map(|one| format!("{:.0}", one.all("backend_429s") / one.all("offered") * 1_000.0)));
            row.extend(both.iter().map(|one| percent(spilled(one))));
            add(&mut out, &row);
        }
    }
    Ok(out)
}

pub(crate) fn peek() -> Result<String, Box<dyn Error>> {
    let mut out =
        header(&["rules", "a refusal in the caller's stream, of 1,000", "served", "refused attempts, of 1,000"]);
    for (rules, peek) in [("`peek = false`", "false"), ("`peek = true`, the default", "true")] {
        let measured = Measured::of("peek", &[("pool.peek", peek)])?;
        let per_1000 = |count: f64| format!("{:.0}", count / measured.all("offered") * 1_000.0);
        add(
            &mut out,
            &[
                rules.into(),
                per_1000(measured.failed()),
                percent(measured.all("success_share")),
                per_1000(measured.backends("refused_in_stream")),
            ],
        );
    }
    Ok(out)
}

fn seconds(seconds: f64) -> String {
    match seconds {
        _ if seconds.is_nan() => "-".to_owned(),
        f64::INFINITY => "never".to_owned(),
        _ => format!("{seconds:.2} s"),
    }
}
