//! What a report says.

use std::fmt;

use super::{
    document::{Block, Cell, Document, Table, Words},
    rests_on::{add_assumptions, add_notes},
};
use crate::{
    number::{Form, count, dollars, load, mean, per_second, percent, ratio, seconds, thousands, with_interval},
    report::{ClassReport, Estimate, Quantiles, Report},
};

/// A figure of a class.
type OfClass<T> = fn(&ClassReport) -> T;

/// The summary for a terminal of 100 columns, the answer first.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.document().fmt(f)
    }
}

impl Report {
    /// The report as one HTML file: figures as inline SVG, no script, nothing from the network.
    #[must_use]
    pub fn to_html(&self) -> String {
        self.document().to_html()
    }

    fn document(&self) -> Document {
        let mut document = Document::new(&self.title, "Simulation");
        document.meta(self.meta());
        document.add(Block::Cards(self.cards()));
        document.heading(Words::on_terminal("ANSWER"));
        document.sentences(self.sentences());
        add_notes(&mut document, &self.notes);
        self.add_figures(&mut document);
        self.add_backends(&mut document);
        self.add_classes(&mut document);
        self.add_workers(&mut document);
        self.add_cost(&mut document);
        let heading = "RESTS ON (what is documented, and references: in the JSON and the HTML)";
        add_assumptions(&mut document, Words::two(heading, "What this rests on"), &self.assumptions);
        self.add_books(&mut document);
        document
    }

    fn meta(&self) -> String {
        let runs = match self.replications {
            1 => "1 run, no intervals".to_owned(),
            runs => format!("{runs} runs, ± is the 95 % interval"),
        };
        let warmup = if self.warmup > 0.0 { format!(", warm-up {}", seconds(self.warmup)) } else { String::new() };
        format!("{} simulated{warmup}, {runs}, seed {}", mean(&self.duration, seconds), self.seed)
    }

    fn add_figures(&self, document: &mut Document) {
        self.add_over_time(document);
        document.heading(Words::on_page("Backends over time"));
        document.note(
            "The first run. A pool that got a refusal has the backend out until the hint's time: that is cooling. One that \
             saw it fail without a word asks it last until it succeeds: it is suspect.",
        );
        for (index, backend) in self.backends.iter().enumerate() {
            document.figure(&backend.name, self.backend_figure(index), "");
        }
        document.heading(Words::on_page("Added wait"));
        let caption = "From the arrival of a request to the sending of the attempt that succeeded, over all runs. Read: \
                       that share of the requests waited longer than that time. A line that ends level is the share \
                       that never succeeded.";
        match self.wait_figure() {
            Some(waits) => document.figure("", waits, caption),
            None => document.sentence(Words::on_page("No request waited.")),
        }
    }

    fn add_backends(&self, document: &mut Document) {
        document.heading(Words::two("BACKENDS (per run)", "Backends"));
        document.note(
            "Per run, after the warm-up. Cooling: the part of the time that pools had it out, over all pools. Suspect: the \
             part that pools asked it last, because it had failed. Load is how full the fullest limit is, over time: of PTUs \
             the bucket. Beside it is what was used of the PTUs, as Azure Monitor shows it. On a PTU everything is counted as \
             input tokens.",
        );
        document.table(
            Table::of(&self.backends)
                .text("name", |backend| backend.name.clone())
                .number("prio", |backend| backend.priority.to_string())
                .text("limits", |backend| backend.kind.clone())
                .mean("of successes", percent, |backend| backend.share)
                .mean("attempts", count, |backend| backend.attempts)
                .mean("200", count, |backend| backend.accepted)
                .mean("429", count, |backend| backend.throttled)
                .mean(Words::on_page("429s per attempt"), percent, |backend| backend.throttled_share)
                .mean(Words::on_page("in a 200"), count, |backend| backend.refused_in_stream)
                .mean("5xx", count, |backend| backend.server_errors)
                .mean("no answer", count, |backend| backend.faults)
                .mean("cooling", percent, |backend| backend.cooling_share)
                .mean(Words::on_page("suspect"), percent, |backend| backend.suspect_share)
                .done(),
        );
        for backend in self.backends.iter().filter(|backend| backend.refused_in_stream.mean() > 0.0) {
            let refused = mean(&backend.refused_in_stream, count);
            document.sentence(format!("{}: {refused} refusals came inside a 200", backend.name));
        }
        for backend in self.backends.iter().filter(|backend| backend.suspect_share.mean() > 0.0) {
            let suspect = mean(&backend.suspect_share, percent);
            document.sentence(Words::on_terminal(format!("{}: suspect {suspect} of the time", backend.name)));
        }
        document.table(
            Table::of(&self.backends)
                .text("name", |backend| backend.name.clone())
                .mean(Words::on_page("of its PTUs used"), percent, |backend| backend.capacity_used)
                .mean("mean load", load, |backend| backend.utilisation.mean)
                .mean("p50", load, |backend| backend.utilisation.p50)
                .mean("p95", load, |backend| backend.utilisation.p95)
                .mean("max", load, |backend| backend.utilisation.max)
                .mean("tokens reserved", count, |backend| backend.estimated_tokens)
                .mean("used", count, |backend| backend.used_tokens)
                .mean("not needed", count, |backend| backend.wasted_tokens)
                .mean("", percent, |backend| backend.wasted_share)
                .text("unit", |backend| backend.token_unit.to_owned())
                .done(),
        );
        for backend in self.backends.iter().filter(|backend| backend.capacity_used.is_some()) {
            let used = mean(&backend.capacity_used, percent);
            let words = format!("{}: {used} of its PTUs was used, as Azure Monitor shows utilization", backend.name);
            document.sentence(Words::on_terminal(words));
        }
    }

    fn add_classes(&self, document: &mut Document) {
        document.heading(Words::two("REQUESTS (per run, after the warm-up)", "Requests"));
        document.note(
            "Per run, of the requests that arrived after the warm-up. Shares are of the requests that ended; spilled: \
             served by other than the best priority; late: past the caller's deadline.",
        );
        document.table(
            Table::of(self.every_class())
                .text("class", |class| class.name.clone())
                .mean("offered", count, |class| class.offered)
                .mean("succeeded", percent, |class| class.success_share)
                .mean("429 seen", percent, |class| class.application_429_share)
                .mean(Words::on_page("backends' 429s"), count, |class| class.backend_429s)
                .mean("attempts each", ratio, |class| class.attempts_per_request)
                .mean("SDK retries", count, |class| class.sdk_retries)
                .mean("spilled", percent, |class| class.spill_share)
                .mean("late", count, |class| class.deadline_misses)
                .mean("goodput", per_second, |class| class.goodput)
                .done(),
        );
        document.note(
            "Times from the arrival on; total: to the last token. A request that never succeeds counts as infinite: \
             \u{201c}never\u{201d}.",
        );
        let times: [(&str, OfClass<Quantiles>); 3] = [
            ("added wait", |class| class.added_wait),
            ("first token", |class| class.first_token),
            ("total", |class| class.total),
        ];
        let table = Table::of(self.every_class()).text("class", |class| class.name.clone());
        let table = times.into_iter().fold(table, |table, (name, time)| {
            table
                .mean(format!("{name} p50"), seconds, |class| time(class).p50)
                .mean("p95", seconds, |class| time(class).p95)
                .mean("p99", seconds, |class| time(class).p99)
        });
        document.table(table.done());
        self.add_waits(document);
        if self.all.cached_share.mean() > 0.0 {
            let cached = mean(&self.all.cached_share, percent);
            document.sentence(format!("{cached} of the prompts' tokens came from a cache"));
        }
        self.add_reasons(document);
    }

    /// How long requests waited in their pools, if any did.
    fn add_waits(&self, document: &mut Document) {
        let waits = |class: &&ClassReport| class.waited.mean() > 0.0;
        if !waits(&&self.all) {
            return;
        }
        document.note("Waits in a pool whose backends are all cooling, of the requests that waited and have ended.");
        document.table(
            Table::of(self.every_class().filter(waits))
                .text("class", |class| class.name.clone())
                .mean("waited", count, |class| class.waited)
                .mean("for, on average", seconds, |class| class.wait.mean)
                .mean("p50", seconds, |class| class.wait.p50)
                .mean("p99", seconds, |class| class.wait.p99)
                .mean("429s per success", ratio, |class| class.backend_429s_per_success)
                .done(),
        );
    }

    /// What ended without success.
    fn add_reasons(&self, document: &mut Document) {
        let reasons: [(&str, OfClass<Estimate>); 5] = [
            ("a 429", |class| class.given_up.throttled),
            ("a 5xx", |class| class.given_up.server_error),
            ("no answer", |class| class.given_up.fault),
            ("a refusal inside a 200", |class| class.given_up.refused_in_stream),
            ("the deadline", |class| class.given_up.deadline),
        ];
        let seen = reasons.iter().map(|(reason, number)| (reason, number(&self.all)));
        let seen = seen.filter(|(_, number)| number.mean() > 0.0);
        let texts: Vec<String> = seen.map(|(reason, number)| format!("{reason} {}", mean(&number, count))).collect();
        if !texts.is_empty() {
            let what = "ended without success, by what the application saw last";
            document.sentence(format!("{what}: {}", texts.join(", ")));
        }
        let table = Table::of(self.every_class()).text(Words::on_page("class"), |class| class.name.clone());
        let table = table.mean(Words::on_page("without success"), count, |class| class.given_up.total);
        let table = reasons
            .into_iter()
            .fold(table, |table, (reason, number)| table.mean(Words::on_page(reason), count, |class| number(class)));
        document.table(table.mean(Words::on_page("in flight at the end"), count, |class| class.in_flight).done());
    }

    fn add_workers(&self, document: &mut Document) {
        let workers = &self.workers;
        if workers.count < 2 {
            return;
        }
        let number = thousands(workers.count as f64);
        document.heading(Words::two(format!("WORKERS ({number})"), format!("{number} workers")));
        document.note("By chance: what giving each to a random worker would show. 1 is even, variation 0 is even.");
        let jain = |index: f64| format!("{index:.4}");
        document.table(
            Table::of([("successes", workers.successes), ("429s of backends", workers.backend_429s)])
                .text("evenness of", |(name, _)| (*name).to_owned())
                .mean("Jain's index", jain, |(_, spread)| spread.jain)
                .mean("by chance", jain, |(_, spread)| spread.jain_by_chance)
                .mean("variation", percent, |(_, spread)| spread.cv)
                .mean("by chance", percent, |(_, spread)| spread.cv_by_chance)
                .done(),
        );
        let worst = |form: fn(&Estimate, Form) -> String| {
            let (succeeded, throttled) = (workers.worst_success_share, workers.worst_application_429_share);
            format!(
                "the worst: {} of a worker's requests succeeded; {} of a worker's ended with a 429",
                form(&succeeded, percent),
                form(&throttled, percent)
            )
        };
        document.sentence(Words::two(worst(mean), worst(with_interval)));
    }

    fn add_cost(&self, document: &mut Document) {
        let cost = &self.cost;
        let times = mean(&cost.month_factor, ratio);
        let heading = format!("COST PER MONTH (730 h; the measured time goes into it {times} times)");
        document.heading(Words::two(heading, "Cost per month"));
        document.note(format!(
            "Dollars for 730 hours at the scenario's prices. The measured time goes into a month {times} times. PTUs are \
             paid used or not, and their tokens are free."
        ));
        let part = |cost: &Option<Estimate>| match cost {
            Some(cost) => Cell::Mean(*cost, dollars),
            None => Cell::Text("no price".to_owned()),
        };
        let nothing = || Cell::Text(String::new());
        let all = [nothing(), nothing(), nothing(), nothing(), part(&cost.per_month)];
        let backends = cost.backends.iter().map(|one| {
            let parts = [&one.ptus, &one.input, &one.cached_input, &one.output, &one.total];
            (one.name.as_str(), parts.map(part))
        });
        let table = Table::of(backends.chain([("all", all)])).text("backend", |(name, _)| (*name).to_owned());
        let parts = ["PTUs", "input", "cached input", "output", "total"].into_iter().enumerate();
        let table =
            parts.fold(table, |table, (index, title)| table.column(title, false, |(_, parts)| parts[index].clone()));
        document.table(table.done());
        cost.missing_prices
            .iter()
            .for_each(|key| document.add(Block::Warning(format!("no price given: {key}").into())));
        if let Some(per_1000) = cost.per_1000_successes.filter(Estimate::is_some) {
            document.sentence(Words::on_page(format!(
                "{} per 1,000 successful requests, of which there are {} in a month.",
                with_interval(&per_1000, dollars),
                mean(&cost.successes_per_month, count)
            )));
        }
    }

    fn add_books(&self, document: &mut Document) {
        let books = &self.conservation;
        let [offered, succeeded, given_up, in_flight] =
            [books.offered, books.succeeded, books.given_up, books.in_flight].map(|number| thousands(number as f64));
        let (shout, warning) = match books.holds() {
            true => ("", ""),
            false => (" DOES NOT HOLD", " This does not hold: do not use the report."),
        };
        document.add(Block::Footer(Words::two(
            format!(
                "{offered} offered = {succeeded} succeeded + {given_up} given up + {in_flight} in flight, over all \
                 runs{shout}; hash {}",
                self.hash
            ),
            format!(
                "Every request of every run, the warm-up's included: {offered} arrived = {succeeded} succeeded + \
                 {given_up} given up + {in_flight} in flight at the end.{warning} Hash over every event: {}. The same \
                 scenario gives the same hash on any machine.",
                self.hash
            ),
        )));
    }

    pub(crate) fn every_class(&self) -> impl Iterator<Item = &ClassReport> {
        // One class is all there is.
        let all = (self.classes.len() != 1).then_some(&self.all);
        self.classes.iter().chain(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Scenario,
        report::testing::{empty_run, run, scenario},
    };

    #[test]
    fn the_summary_is_as_it_was_when_somebody_last_looked() {
        let report = Report::new(&scenario(), &[run(0), run(1)]);
        let seen = include_str!("../report/testing/summary.txt");
        assert_eq!(report.to_string(), seen, "if the change is meant, replace report/testing/summary.txt");
        assert!(report.to_string().lines().all(|line| line.chars().count() <= 100));
    }

    #[test]
    fn requests_that_never_succeed_waited_for_ever() {
        let mut run = run(0);
        let p95 = Report::new(&scenario(), &[run.clone()]).added_wait_p95();
        assert!((p95.mean() - 1.95).abs() < 0.01, "{p95}");
        (0..100).for_each(|_| run.classes[0].added_wait.record_never());
        let report = Report::new(&scenario(), &[run]);
        assert_eq!(report.added_wait_p95().mean(), f64::INFINITY);
        assert!(report.to_string().contains("p95 never"));
        assert!((report.all.never_share - 110.0 / 1_100.0).abs() < 1e-9);
    }

    #[test]
    fn without_a_price_the_cost_is_unknown_and_the_key_is_named() {
        let text = toml::to_string(scenario().document()).unwrap();
        let scenario = Scenario::parse(&text.replace("price_output = 8.0", "")).unwrap();
        let report = Report::new(&scenario, &[run(0)]);
        assert_eq!(report.cost_per_month(), None);
        assert_eq!(report.cost.missing_prices, ["model.\"gpt-4.1\".price_output"]);
        assert!(report.to_string().contains("no price given: model.\"gpt-4.1\".price_output"));
    }

    #[test]
    fn nothing_to_measure_is_a_dash_and_not_zero() {
        let report = Report::new(&scenario(), &[empty_run()]);
        assert!(!report.success_share().is_some());
        assert!(report.to_string().contains("No request arrived after the warm-up"));
        let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
        assert!(json["all"]["success_share"]["mean"].is_null());
        let none = Report::new(&scenario(), &[]);
        assert_eq!((none.replications, none.success_share().is_some()), (0, false));
        assert!(none.to_string().contains("ANSWER"));
    }

    #[test]
    fn the_books_are_summed_over_all_runs_and_said_not_to_hold_if_they_do_not() {
        let mut runs = [run(0), run(1)];
        let report = Report::new(&scenario(), &runs);
        assert_eq!(report.conservation.offered, 2_032);
        assert!(!report.to_string().contains("DOES NOT HOLD"));
        runs[1].conservation.succeeded -= 1;
        assert!(Report::new(&scenario(), &runs).to_string().contains("DOES NOT HOLD"));
    }

    #[test]
    fn the_page_is_whole_and_asks_the_network_for_nothing() {
        let html = Report::new(&scenario(), &[run(0), run(1)]).to_html().replace('\u{a0}', " ");
        for text in ["<!DOCTYPE html>", "99.0 %", "$73,196", "bucket depth of ptu", "2,032 arrived", "</html>"] {
            assert!(html.contains(text), "{text} is missing");
        }
        // Requests and latencies over time, one per backend, one of waits; the rest are swatches.
        assert_eq!(html.matches("role=\"img\"").count(), 5 * 2, "each for screens and for telephones");
        assert!(html.len() < 300_000, "{} bytes", html.len());
        let without_namespaces = html.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        for reach in ["http", "<link", "<img", "src=", "url(", "@import", "fetch(", "import("] {
            assert!(!without_namespaces.contains(reach), "{reach} is on the page");
        }
    }

    #[test]
    fn names_that_look_like_markup_are_text() {
        let text = toml::to_string(scenario().document()).unwrap();
        let text = text
            .replace("A PTU before a standard deployment", "<script>alert(1)</script> & more")
            .replace("gpt-4.1", "<b>gpt</b>")
            .replace("ptus = 100", "ptus = 100\nburst = \"10s\"");
        let entry = "[[model]]\nname = \"<b>gpt</b>\"\n";
        let scenario = Scenario::parse(&text.replace(entry, &format!("{entry}input_tpm_per_ptu = 3000\n")));
        let html = Report::new(&scenario.unwrap(), &[run(0)]).to_html();
        assert_eq!(html.matches("<script>").count(), 1, "the page's own");
        assert!(!html.contains("<b>"));
        assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; more"));
        assert!(html.contains("&lt;b&gt;gpt&lt;/b&gt;"));
    }

    #[test]
    fn a_page_about_nothing_says_so() {
        for runs in [&[empty_run()][..], &[]] {
            let html = Report::new(&scenario(), runs).to_html();
            assert!(html.contains("No request arrived after the warm-up"));
            assert!(html.contains("No request waited."));
            assert!(!html.contains("NaN"));
        }
    }

    #[test]
    fn requests_that_never_succeed_are_in_the_legend_of_waits() {
        let report = Report::new(&scenario(), &[run(0)]);
        assert!(report.to_html().contains("chat (1.0 % never succeeded)"));
        let figure = report.wait_figure().unwrap();
        let points = &figure.panels[0].series[0].points;
        assert!((points.last().unwrap().1 - 0.01).abs() < 1e-9, "the line ends at those that never succeeded");
    }

    #[test]
    fn books_that_do_not_balance_are_shouted_about() {
        let mut run = run(0);
        assert!(!Report::new(&scenario(), &[run.clone()]).to_html().contains("This does not hold"));
        run.conservation.given_up += 1;
        assert!(Report::new(&scenario(), &[run]).to_html().contains("This does not hold"));
    }
}
