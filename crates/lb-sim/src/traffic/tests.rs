//! Arrivals and sizes as a run meets them: against closed forms, and as files and scenarios say them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "windows and minutes are few")]

mod clock;

use std::{collections::BTreeSet, fs, path::Path};

use super::{Arrival, Stream, Traffic};
use crate::{
    random::Draws,
    scenario::{ScenarioError, Workload},
};

const SECOND: u64 = 1_000_000_000;
const SIZES: &str = "input = { mean = 1000, sigma = 0.8 }\noutput = { quantiles = [1, 50, 400] }";

fn workload(text: &str) -> Workload {
    toml::from_str(&format!("name = \"w\"\n{text}")).unwrap()
}

fn sized(text: &str) -> Workload {
    workload(&format!("{SIZES}\n{text}"))
}

fn traffic(workloads: &[Workload], growth: f64, seed: u64, seconds: u64) -> Traffic {
    Traffic::new(workloads, Path::new(""), growth, Draws::new(seed), Some(seconds * SECOND)).unwrap()
}

fn all(mut traffic: Traffic) -> Vec<Arrival> {
    std::iter::from_fn(|| traffic.next()).collect()
}

fn arrivals(workloads: &[Workload], growth: f64, seed: u64, seconds: u64) -> Vec<Arrival> {
    all(traffic(workloads, growth, seed, seconds))
}

fn error(workload: Workload) -> ScenarioError {
    Traffic::new(&[workload], Path::new(""), 1.0, Draws::new(1), Some(SECOND)).unwrap_err()
}

/// Mean and variance.
fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / n)
}

fn gap_cv(arrivals: &[Arrival]) -> f64 {
    let gaps: Vec<f64> = arrivals.windows(2).map(|pair| (pair[1].at - pair[0].at) as f64).collect();
    let (mean, variance) = moments(&gaps);
    variance.sqrt() / mean
}

/// Variance over mean of the counts per window.
fn dispersion(arrivals: &[Arrival], window: f64, seconds: u64) -> f64 {
    let mut counts = vec![0.0; (seconds as f64 / window) as usize];
    for arrival in arrivals {
        if let Some(count) = counts.get_mut((arrival.at as f64 / 1e9 / window) as usize) {
            *count += 1.0;
        }
    }
    let (mean, variance) = moments(&counts);
    variance / mean
}

fn near(found: f64, expected: f64, bound: f64, what: &str) {
    assert!((found / expected - 1.0).abs() < bound, "{what}: {found} instead of {expected}");
}

#[test]
fn gamma_gaps_have_the_cv_and_the_dispersion_of_theory() {
    for (cv, bound) in [(0.5, 0.01), (1.0, 0.01), (2.0, 0.01), (5.0, 0.02)] {
        let found = arrivals(&[sized(&format!("kind = \"gamma\"\nrate = 10\ncv = {cv}"))], 1.0, 2, 100_000);
        near(found.len() as f64, 1e6, 4.0 * cv / 1e3, "requests");
        near(gap_cv(&found), cv, bound, "cv of gaps");
        // Variance of a stationary renewal process's counts (Cox, "Renewal Theory", 1962), with gamma's third moment.
        let window = 2.5 * cv.max(1.0);
        let expected = cv * cv + (1.0 - cv.powi(4)) / (6.0 * 10.0 * window);
        near(dispersion(&found, window, 100_000), expected, 0.02, &format!("dispersion at cv {cv}"));
    }
}

#[test]
fn bursts_have_the_rate_the_cv_and_the_dispersion_of_theory() {
    let (rate, factor, burst, calm, seconds) = (10.0, 8.0, 1.0, 4.0, 150_000);
    let text =
        format!("kind = \"bursts\"\nrate = {rate}\nbursts = {{ factor = {factor}, burst = \"1s\", calm = \"4s\" }}");
    let found = arrivals(&[sized(&text)], 1.0, 3, seconds);
    // The formulas of Fischer and Meier-Hellstern's cookbook of Markov-modulated Poisson processes (1993).
    let (out, into) = (1.0 / burst, 1.0 / calm);
    let low = rate * (out + into) / (out + factor * into);
    let high = low * factor;
    let both: f64 = out + into;
    let spread = 2.0 * out * into * (high - low) * (high - low) / (both * both);
    near(found.len() as f64, rate * seconds as f64, 0.01, "requests");
    let square: f64 = 1.0 + spread / (high * low + high * into + low * out);
    near(gap_cv(&found), square.sqrt(), 0.01, "cv of gaps");
    for window in [0.5, 2.0, 10.0] {
        let forgotten = (1.0 - (-both * window).exp()) / (both * window);
        let expected = 1.0 + spread / (high * into + low * out) * (1.0 - forgotten);
        near(dispersion(&found, window, seconds), expected, 0.02, &format!("dispersion over {window} s"));
    }
}

#[test]
fn a_constant_rate_is_exact_over_any_time() {
    let found = arrivals(&[sized("kind = \"constant\"\nrate = 3")], 1.0, 1, 60_000);
    assert_eq!(found.len(), 180_000);
    assert_eq!(found[3].at, SECOND);
    assert_eq!(found[179_997].at, 59_999 * SECOND);
}

#[test]
fn a_poisson_process_counts_as_poisson() {
    let found = arrivals(&[sized("kind = \"poisson\"\nrate = 20")], 1.0, 5, 50_000);
    near(found.len() as f64, 1e6, 0.004, "requests");
    near(gap_cv(&found), 1.0, 0.01, "cv of gaps");
    near(dispersion(&found, 1.0, 50_000), 1.0, 0.02, "dispersion");
    assert_eq!(found.last().unwrap().number, found.len() as u64 - 1);
}

/// One workload of every kind that needs no file.
fn every_kind() -> Vec<Workload> {
    [
        "kind = \"poisson\"\nrate = 5",
        "kind = \"gamma\"\nrate = 5\ncv = 3",
        "kind = \"constant\"\nrate = 2",
        "kind = \"bursts\"\nrate = 5\nbursts = { factor = 10, burst = \"2s\", calm = \"20s\" }",
        "kind = \"rate_table\"\ncv = 2\nrates = [{ at = \"0s\", rate = 1 }, { at = \"30s\", rate = 9 }]\nthin = 0.5",
        "kind = \"closed\"\nusers = 20\nthink = \"10s\"",
    ]
    .map(sized)
    .to_vec()
}

#[test]
fn the_same_seed_gives_the_same_requests_and_another_one_others() {
    let first = arrivals(&every_kind(), 1.0, 7, 600);
    assert_eq!(first, arrivals(&every_kind(), 1.0, 7, 600));
    assert_ne!(first, arrivals(&every_kind(), 1.0, 8, 600));
    assert!(first.is_sorted_by_key(|arrival| (arrival.at, arrival.workload)));
    let keys: BTreeSet<_> = first.iter().map(|arrival| (arrival.workload, arrival.number)).collect();
    assert_eq!(keys.len(), first.len(), "numbers are unique");
    let workloads: BTreeSet<_> = first.iter().map(|arrival| arrival.workload).collect();
    assert_eq!(workloads.len(), 6);
}

#[test]
fn a_longer_run_begins_like_a_shorter_one() {
    let long = arrivals(&every_kind(), 1.0, 7, 900);
    let short = arrivals(&every_kind(), 1.0, 7, 300);
    assert!(long.len() > 2 * short.len() && short.len() > 1_000);
    assert_eq!(long[..short.len()], short);
}

#[test]
fn a_workload_that_changes_leaves_the_others_as_they_were() {
    let others = |changed: &str| {
        let mut workloads = every_kind();
        workloads[1] = sized(changed);
        let mut found = arrivals(&workloads, 1.0, 7, 300);
        found.retain(|arrival| arrival.workload != 1);
        found
    };
    assert_eq!(others("kind = \"gamma\"\nrate = 5\ncv = 3"), others("kind = \"poisson\"\nrate = 50\nthin = 0.3"));
}

#[test]
fn workloads_that_read_alike_are_independent() {
    let second = Workload { name: "v".to_owned(), ..sized("kind = \"poisson\"\nrate = 10") };
    let both = arrivals(&[sized("kind = \"poisson\"\nrate = 10"), second], 1.0, 1, 4_000);
    let inputs =
        |number| both.iter().filter(move |arrival| arrival.workload == number).map(|arrival| arrival.size.input);
    let alike = inputs(0).zip(inputs(1)).filter(|(a, b)| a == b).count();
    assert!(alike < 400, "{alike} of about 40,000 pairs have the same input");
    // Independent counts add their variances: together they are as dispersed as each; in step they would be twice.
    near(dispersion(&both, 1.0, 4_000), 1.0, 0.1, "dispersion of both");
}

#[test]
fn a_higher_rate_brings_the_same_requests_sooner() {
    let poisson = |rate: u64| arrivals(&[sized(&format!("kind = \"poisson\"\nrate = {rate}"))], 1.0, 7, 300);
    let (slow, fast) = (poisson(10), poisson(20));
    for (slow, fast) in slow.iter().zip(&fast) {
        assert_eq!(slow.size, fast.size);
        assert!((slow.at / 2).abs_diff(fast.at) <= slow.number + 1, "{} {}", slow.at, fast.at);
    }
}

#[test]
fn growth_multiplies_every_kind() {
    let counts = |growth: f64| {
        let mut counts = [0.0; 6];
        let mut traffic = traffic(&every_kind(), growth, 7, 20_000);
        while let Some(arrival) = traffic.next() {
            counts[arrival.workload as usize] += 1.0;
            traffic.finished(arrival.workload, arrival.number, arrival.at);
        }
        counts
    };
    let (base, grown) = (counts(1.0), counts(1.5));
    for (kind, (base, grown)) in base.into_iter().zip(grown).enumerate() {
        near(grown / base, 1.5, 0.06, &format!("growth of workload {kind}"));
    }
}

#[test]
fn users_of_a_closed_loop_wait_for_the_answer_and_then_think() {
    let closed = [sized("kind = \"closed\"\nusers = 50\nthink = \"4s\"")];
    let mut unanswered = traffic(&closed, 1.0, 1, 1_000);
    assert_eq!(std::iter::from_fn(|| unanswered.next()).count(), 50, "without an answer nobody sends again");
    // With 1 s per answer, each user sends every 5 s.
    let (mut traffic, mut sent, mut waiting) = (traffic(&closed, 1.0, 1, 20_000), 0.0, Vec::new());
    loop {
        let answered = waiting.first().map_or(u64::MAX, |&(at, _)| at);
        match traffic.peek() {
            at if at < answered => {
                let arrival = traffic.next().unwrap();
                waiting.push((arrival.at + SECOND, arrival.number));
                sent += 1.0;
            }
            _ if waiting.is_empty() => break,
            _ => {
                let (at, number) = waiting.remove(0);
                traffic.finished(0, number, at);
            }
        }
        assert!(waiting.len() <= 50);
    }
    near(sent, 50.0 * 20_000.0 / 5.0, 0.01, "requests");
}

#[test]
fn max_tokens_follow_the_policy() {
    let said = |policy: &str| {
        let found = arrivals(&[sized(&format!("kind = \"poisson\"\nrate = 50\nmax_tokens = {policy}"))], 1.0, 1, 20);
        found.into_iter().map(|arrival| (arrival.size.output, arrival.size.max_tokens)).collect::<Vec<_>>()
    };
    assert!(said("\"none\"").iter().all(|(_, said)| said.is_none()));
    assert!(said("4096").iter().all(|(_, said)| *said == Some(4096)));
    assert!(said("\"exact\"").iter().all(|(output, said)| *said == Some(*output)));
    let factor = said("{ factor = 2.0, min = 100, max = 600 }");
    assert!(factor.iter().all(|(output, said)| *said == Some((2 * output).clamp(100, 600))));
    assert!(factor.iter().any(|(_, said)| *said == Some(100)) && factor.iter().any(|(_, said)| *said == Some(600)));
}

#[test]
fn lengths_have_the_distribution_that_is_named() {
    let text = "input = { mean = 1000, sigma = 1.0, max = 8000 }\noutput = { quantiles = [10, 20, 100] }\n\
                cached_share = 0.25\nkind = \"poisson\"\nrate = 100";
    let found = arrivals(&[workload(text)], 1.0, 4, 2_000);
    let mean = |of: fn(&Arrival) -> u64| found.iter().map(|a| of(a) as f64).sum::<f64>() / found.len() as f64;
    let mut inputs: Vec<u64> = found.iter().map(|arrival| arrival.size.input).collect();
    inputs.sort_unstable();
    near(inputs[inputs.len() / 2] as f64, 1000.0 * (-0.5_f64).exp(), 0.02, "median of the input");
    assert_eq!(inputs.last(), Some(&8000));
    near(mean(|arrival| arrival.size.output), 37.5, 0.01, "mean of the output");
    near(mean(|arrival| arrival.size.cached), 0.25 * mean(|arrival| arrival.size.input), 0.03, "cached tokens");
    // A PTU deducts what is cached from 1,024 tokens on: such prompts hit the cache, each as a whole.
    assert!(found.iter().all(|a| a.size.cached == 0 || a.size.cached == a.size.input && a.size.input >= 1_024));
}

#[test]
fn a_poisson_workload_has_its_rate_and_its_sizes() {
    let chat = "name = \"chat\"\nkind = \"poisson\"\nrate = 5\ninput = { mean = 1200, sigma = 0.8 }\noutput = 200";
    let chat: Workload = toml::from_str(chat).unwrap();
    let mut traffic = Traffic::new(&[chat], Path::new("."), 1.0, Draws::new(7), Some(3_600 * SECOND)).unwrap();
    let mut arrivals = 0;
    while let Some(arrival) = traffic.next() {
        assert!(arrival.at < 3_600 * SECOND && arrival.size.output == 200);
        arrivals += 1;
    }
    assert!((17_500..18_500).contains(&arrivals));
}

/// A folder with these files.
fn folder(name: &str, files: &[(&str, &str)]) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("lb-sim-traffic-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    for (file, text) in files {
        fs::write(folder.join(file), text).unwrap();
    }
    folder
}

const TRACE: &str = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:00:00.0000000,100,10\n\
                     2023-11-16 18:00:01.5000000,200,20\n2023-11-16 18:00:03.0000000,300,30";

#[test]
fn a_trace_is_replayed_and_gives_the_run_its_length() {
    let folder = folder("replay", &[("t.csv", TRACE)]);
    let load = |text: &str| Traffic::new(&[workload(text)], &folder, 1.0, Draws::new(1), None);
    let once = load("kind = \"trace\"\nfile = \"t.csv\"").unwrap();
    let span = once.streams.iter().filter_map(Stream::span).max();
    assert_eq!((span, once.until()), (Some(4_500_000_000), 4_500_000_000));
    let found: Vec<_> = all(once).iter().map(|a| (a.at / 1_000_000, a.size.input, a.size.output)).collect();
    assert_eq!(found, [(0, 100, 10), (1_500, 200, 20), (3_000, 300, 30)]);
    let endless = load("kind = \"trace\"\nfile = \"t.csv\"\nloop = true").unwrap_err();
    assert_eq!(endless.key(), "run.duration");
    let replaced = load("kind = \"trace\"\nfile = \"t.csv\"\ninput = 7\nmax_tokens = \"exact\"").unwrap();
    assert!(all(replaced).iter().all(|a| a.size.input == 7 && a.size.max_tokens == Some(a.size.output)));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn lengths_of_one_file_are_drawn_together() {
    let folder = folder("resample", &[("t.csv", TRACE), ("u.csv", TRACE)]);
    let draw = |output: &str| {
        let text = format!(
            "kind = \"poisson\"\nrate = 100\ninput = {{ from = \"t.csv\" }}\noutput = {{ from = \"{output}\" }}"
        );
        all(Traffic::new(&[workload(&text)], &folder, 1.0, Draws::new(1), Some(30 * SECOND)).unwrap())
    };
    let (joint, apart) = (draw("t.csv"), draw("u.csv"));
    assert!(joint.iter().all(|arrival| arrival.size.input == 10 * arrival.size.output));
    assert!(apart.iter().any(|arrival| arrival.size.input != 10 * arrival.size.output));
    let longest = joint.iter().filter(|arrival| arrival.size.input == 300).count() as f64;
    near(longest / joint.len() as f64, 1.0 / 3.0, 0.1, "share of a line");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn files_are_read_once_and_shared() {
    let folder = folder("shared", &[("t.csv", TRACE)]);
    let replay = [workload("kind = \"trace\"\nfile = \"t.csv\"")];
    let mut loaded = Traffic::load(&replay, &folder).unwrap();
    fs::remove_dir_all(folder).unwrap();
    loaded.read(&replay).unwrap();
    let with = |growth| all(Traffic::with(&replay, &loaded, growth, Draws::new(1), None).unwrap()).len();
    assert_eq!((with(1.0), with(3.0)), (3, 9));
    let other = workload("kind = \"trace\"\nfile = \"other.csv\"");
    let error = Traffic::with(std::slice::from_ref(&other), &loaded, 1.0, Draws::new(1), None).unwrap_err();
    assert_eq!(error.key(), "workload.w.file");
    let error = loaded.read(&[other]).unwrap_err();
    assert!(error.key() == "workload.w.file" && error.to_string().contains("other.csv cannot be read"), "{error}");
}

const EXPORT: &str = "TimeGenerated,AzureOpenAIRequests,ProcessedPromptTokens,GeneratedTokens\n\
                      2024-05-01T10:00:00Z,600,600000,30000\n2024-05-01T10:01:00Z,,,\n2024-05-01T10:02:00Z,40,8000,4000\n";

#[test]
fn an_export_s_minutes_have_the_requests_and_the_tokens_it_says() {
    let folder = folder("export", &[("m.csv", EXPORT)]);
    for (cv, lengths) in
        [(0.5, ""), (1.0, ""), (6.0, "input = { mean = 5, sigma = 1.0 }\noutput = { quantiles = [0, 2] }")]
    {
        let text = format!("kind = \"azure_monitor\"\nfile = \"m.csv\"\ncv = {cv}\nloop = true\n{lengths}");
        let rounds = 50;
        let traffic = Traffic::new(&[workload(&text)], &folder, 1.0, Draws::new(1), Some(rounds * 180 * SECOND));
        let (mut counts, mut input, mut output) = ([0; 3], [0.0; 3], [0.0; 3]);
        for arrival in all(traffic.unwrap()) {
            let minute = (arrival.at / (60 * SECOND) % 3) as usize;
            counts[minute] += 1;
            input[minute] += arrival.size.input as f64;
            output[minute] += arrival.size.output as f64;
        }
        assert_eq!(counts, [600 * rounds, 0, 40 * rounds]);
        for (minute, expected) in [(0, (600_000.0, 30_000.0)), (2, (8_000.0, 4_000.0))] {
            near(input[minute] / rounds as f64, expected.0, 0.1, "input");
            near(output[minute] / rounds as f64, expected.1, 0.05, "output");
        }
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn an_export_s_cache_rate_is_that_of_its_prompts_and_sizes_spread_around_the_minute_s_mean() {
    let text = "time,requests,input_tokens,output_tokens,PromptTokenCacheMatchRate\n\
                2024-05-01T10:00:00Z,2000,2000000,100000,30\n2024-05-01T10:01:00Z,2000,800000,400000,10\n";
    let folder = folder("cache", &[("m.csv", text)]);
    let workload = workload("kind = \"azure_monitor\"\nfile = \"m.csv\"\nloop = true");
    let traffic = Traffic::new(&[workload], &folder, 1.0, Draws::new(1), Some(20 * 120 * SECOND)).unwrap();
    let (mut input, mut cached, mut output) = ([0.0; 2], [0.0; 2], [Vec::new(), Vec::new()]);
    for arrival in all(traffic) {
        let (minute, size) = ((arrival.at / (60 * SECOND) % 2) as usize, arrival.size);
        assert!(size.cached == 0 || size.cached >= 1_024, "a PTU would deduct nothing: {size:?}");
        input[minute] += size.input as f64;
        cached[minute] += size.cached as f64;
        output[minute].push(size.output as f64);
    }
    near(input[0] / 40_000.0, 1_000.0, 0.02, "input of a request");
    near(cached[0] / input[0], 0.3, 0.03, "cache rate");
    near(cached[1] / input[1], 0.1, 0.1, "cache rate of short prompts");
    let (mean, variance) = moments(&output[1]);
    near(mean, 200.0, 0.02, "output of a request");
    near(variance.sqrt() / mean, ((0.68_f64 * 0.68).exp() - 1.0).sqrt(), 0.05, "spread of the output");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn cv_spreads_an_export_s_requests_inside_the_minute() {
    let text = "time,requests,input_tokens,output_tokens\n2024-05-01T10:00:00Z,120,1,1\n2024-05-01T10:01:00Z,120,1,1\n";
    let folder = folder("clumps", &[("m.csv", text)]);
    let index = |cv: f64| {
        let text = format!("kind = \"azure_monitor\"\nfile = \"m.csv\"\ncv = {cv}\nloop = true");
        let traffic = Traffic::new(&[workload(&text)], &folder, 1.0, Draws::new(1), Some(60_000 * SECOND)).unwrap();
        dispersion(&all(traffic), 1.0, 60_000)
    };
    // With a fixed count of n in 60 s, uniform places give each second a binomial count: 1 - 1/60.
    near(index(1.0), 59.0 / 60.0, 0.02, "dispersion at cv 1");
    assert!(index(0.3) < 0.4);
    assert!(index(5.0) > 5.0);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_a_workload_cannot_be_is_named_by_its_key() {
    for (text, key) in [
        ("kind = \"poisson\"\nrate = 1\noutput = 1", "workload.w.input"),
        ("kind = \"poisson\"\ninput = 1\noutput = 1", "workload.w.rate"),
        ("kind = \"poisson\"\nrate = 0\ninput = 1\noutput = 1", "workload.w.rate"),
        ("kind = \"poisson\"\nrate = 1\ninput = 1\noutput = 1\ncopies = 2", "workload.w.copies"),
        ("kind = \"poisson\"\nrate = 1\ninput = 1\noutput = 1\nspeed = 2.0", "workload.w.speed"),
        ("kind = \"poisson\"\nrate = 1\ninput = 1\noutput = 1\nloop = true", "workload.w.loop"),
        ("kind = \"poisson\"\nrate = 1\ninput = 1\noutput = 1\nmax_tokens = \"trace\"", "workload.w.max_tokens"),
        ("kind = \"closed\"\nusers = 3\ninput = 1\noutput = 1\nthin = 0.5", "workload.w.thin"),
        ("kind = \"rate_table\"\ninput = 1\noutput = 1", "workload.w.rates"),
        ("kind = \"trace\"", "workload.w.file"),
        ("kind = \"poisson\"\nrate = 1\ninput = { from = \"none.csv\" }\noutput = 1", "workload.w.input.from"),
    ] {
        assert_eq!(error(workload(text)).key(), key, "{text}");
    }
}

#[test]
fn a_bad_line_of_a_trace_is_named_by_key_file_line_and_column() {
    let folder = folder("bad", &[("t.csv", "time,input,output\n1,2,3\n2,x,3\n")]);
    let trace = workload("kind = \"trace\"\nfile = \"t.csv\"");
    let error = Traffic::new(&[trace], &folder, 1.0, Draws::new(1), None).unwrap_err();
    assert_eq!(error.to_string(), "workload.w.file: t.csv:3, column input: `x` is not a whole number of tokens");
    fs::remove_dir_all(folder).unwrap();
}
