//! The report as a page.

use maud::{Markup, html};

use super::html::{card, estimate, figure, page, table, text};
use crate::{
    number::{count, dollars, load, mean, per_second, percent, ratio, seconds, thousands, with_interval},
    report::{Assumption, Estimate, Report, Source},
};

impl Report {
    /// The report as one HTML file: figures as inline SVG, no script, nothing from the network.
    #[must_use]
    pub fn to_html(&self) -> String {
        let title = if self.title.is_empty() { "Simulation" } else { &self.title };
        let body = html! {
            h1 { (title) }
            p.meta { (self.meta()) }
            (self.answers())
            h2 { "Requests over time" }
            (figure(&self.requests_figure(), "The first run, the warm-up included. Successes stand where they ended."))
            h2 { "Backends over time" }
            p.note { "The first run. A pool that got a refusal has the backend out until the hint's time: that is cooling." }
            @for (index, backend) in self.backends.iter().enumerate() {
                h3 { (backend.name) " " small { (backend.kind) ", priority " (backend.priority) } }
                (figure(&self.backend_figure(index), ""))
            }
            h2 { "Added wait" }
            (self.waits())
            h2 { "Requests" }
            (self.class_tables())
            h2 { "Backends" }
            (self.backend_tables())
            (self.workers_table())
            h2 { "Cost per month" }
            (self.cost_table())
            h2 { "What this rests on" }
            (assumptions(&self.assumptions))
            (self.footer())
        };
        page(title, &body)
    }

    fn meta(&self) -> String {
        let runs = match self.replications {
            1 => "1 run, so no intervals".to_owned(),
            runs => format!("{runs} runs; ± is half the 95 % interval"),
        };
        let warmup =
            if self.warmup > 0.0 { format!(", of which {} warm-up", seconds(self.warmup)) } else { String::new() };
        format!("{} simulated{warmup}; {runs}; seed {}", mean(&self.duration, seconds), self.seed)
    }

    fn answers(&self) -> Markup {
        let half = |estimate: &Estimate, form: fn(f64) -> String| {
            estimate.half_width().map_or_else(String::new, |half| format!("± {}", form(half)))
        };
        let all = &self.all;
        html! {
            div.cards {
                (card("Requests that succeeded", &mean(&all.success_share, percent), &half(&all.success_share, percent)))
                (card(
                    "429s at the application",
                    &mean(&all.application_429_share, percent),
                    &format!("of requests {}", half(&all.application_429_share, percent)),
                ))
                (card("Added wait, 95th percentile", &mean(&all.added_wait.p95, seconds), &half(&all.added_wait.p95, seconds)))
                @match &self.cost.per_month {
                    Some(cost) => (card("Cost per month", &mean(cost, dollars), &half(cost, dollars))),
                    None => (card("Cost per month", "not known", "no price given")),
                }
            }
            @for sentence in self.sentences() { p { (sentence) } }
        }
    }

    fn waits(&self) -> Markup {
        let caption = "From the arrival of a request to the sending of the attempt that succeeded, over all runs. Read: \
                       that share of the requests waited longer than that time. A line that ends level is the share \
                       that never succeeded.";
        match self.wait_figure() {
            Some(waits) => figure(&waits, caption),
            None => html! { p { "No request waited." } },
        }
    }

    fn class_tables(&self) -> Markup {
        let head = [
            "class",
            "arrived",
            "succeeded",
            "429 seen",
            "backends' 429s",
            "attempts each",
            "SDK retries",
            "spilled",
            "late",
            "goodput",
        ];
        let rows = self.every_class().map(|class| {
            [
                text(&class.name),
                estimate(&class.offered, count),
                estimate(&class.success_share, percent),
                estimate(&class.application_429_share, percent),
                estimate(&class.backend_429s, count),
                estimate(&class.attempts_per_request, ratio),
                estimate(&class.sdk_retries, count),
                estimate(&class.spill_share, percent),
                estimate(&class.deadline_misses, count),
                estimate(&class.goodput, per_second),
            ]
        });
        let times =
            ["class", "added wait p50", "p95", "p99", "first token p50", "p95", "p99", "last token p50", "p95", "p99"];
        let time_rows = self.every_class().map(|class| {
            let times = [class.added_wait, class.first_token, class.total];
            let times = times.into_iter().flat_map(|time| [time.p50, time.p95, time.p99]);
            std::iter::once(text(&class.name)).chain(times.map(|time| estimate(&time, seconds)))
        });
        let reasons = [
            "class",
            "without success",
            "a 429",
            "a 5xx",
            "no answer",
            "a refusal inside a 200",
            "the deadline",
            "in flight at the end",
        ];
        let reason_rows = self.every_class().map(|class| {
            let up = &class.given_up;
            let counts =
                [up.total, up.throttled, up.server_error, up.fault, up.refused_in_stream, up.deadline, class.in_flight];
            std::iter::once(text(&class.name)).chain(counts.map(|number| estimate(&number, count)))
        });
        html! {
            p.note { "Per run, of the requests that arrived after the warm-up. Shares are of the requests that ended; spilled: \
                served by other than the best priority; late: past the caller's deadline." }
            (table(&head, 1, rows))
            h3 { "Times from the arrival on" }
            p.note { "A request that never succeeds counts as infinite: \u{201c}never\u{201d}." }
            (table(&times, 1, time_rows))
            h3 { "Ended without success, by what the application saw last" }
            (table(&reasons, 1, reason_rows))
        }
    }

    fn backend_tables(&self) -> Markup {
        let head = [
            "backend",
            "of all successes",
            "attempts",
            "200",
            "429",
            "429s per attempt",
            "in a 200",
            "5xx",
            "no answer",
            "cooling",
        ];
        let rows = self.backends.iter().map(|backend| {
            [
                text(&backend.name),
                estimate(&backend.share, percent),
                estimate(&backend.attempts, count),
                estimate(&backend.accepted, count),
                estimate(&backend.throttled, count),
                estimate(&backend.throttled_share, percent),
                estimate(&backend.refused_in_stream, count),
                estimate(&backend.server_errors, count),
                estimate(&backend.faults, count),
                estimate(&backend.cooling_share, percent),
            ]
        });
        let loads = [
            "backend",
            "counted as",
            "load: mean",
            "p50",
            "p95",
            "max",
            "tokens reserved",
            "used",
            "not needed",
            "of reserved",
        ];
        let load_rows = self.backends.iter().map(|backend| {
            let full = &backend.utilisation;
            [
                text(&backend.name),
                text(backend.token_unit),
                estimate(&full.mean, load),
                estimate(&full.p50, load),
                estimate(&full.p95, load),
                estimate(&full.max, load),
                estimate(&backend.estimated_tokens, count),
                estimate(&backend.used_tokens, count),
                estimate(&backend.wasted_tokens, count),
                estimate(&backend.wasted_share, percent),
            ]
        });
        html! {
            p.note { "Per run, after the warm-up. Cooling: the part of the time that pools had it out, over all pools." }
            (table(&head, 1, rows))
            h3 { "Load and tokens" }
            p.note { "Load is how full the fullest limit is, over time. On a PTU everything is counted as input tokens." }
            (table(&loads, 2, load_rows))
        }
    }

    fn workers_table(&self) -> Markup {
        let workers = &self.workers;
        if workers.count < 2 {
            return html! {};
        }
        let head = ["evenness of", "Jain's index", "by chance", "coefficient of variation", "by chance"];
        let jain = |index: f64| format!("{index:.4}");
        let rows =
            [("successes", workers.successes), ("429s of backends", workers.backend_429s)].map(|(name, spread)| {
                [
                    text(name),
                    estimate(&spread.jain, jain),
                    estimate(&spread.jain_by_chance, jain),
                    estimate(&spread.cv, percent),
                    estimate(&spread.cv_by_chance, percent),
                ]
            });
        html! {
            h2 { (thousands(workers.count as f64)) " workers" }
            p.note { "By chance: what giving each to a random worker would show. 1 is even, variation 0 is even." }
            (table(&head, 1, rows))
            p {
                "The worst: " (with_interval(&workers.worst_success_share, percent)) " of a worker's requests succeeded; "
                (with_interval(&workers.worst_application_429_share, percent)) " of a worker's ended with a 429."
            }
        }
    }

    fn cost_table(&self) -> Markup {
        let part = |cost: &Option<Estimate>| match cost {
            Some(cost) => estimate(cost, dollars),
            None => html! { "no price given" },
        };
        let head = ["backend", "PTUs", "input", "cached input", "output", "total"];
        let rows = self.cost.backends.iter().map(|backend| {
            let parts = [&backend.ptus, &backend.input, &backend.cached_input, &backend.output, &backend.total];
            std::iter::once(text(&backend.name)).chain(parts.map(part)).collect::<Vec<_>>()
        });
        let nothing = || text("");
        let sum = vec![text("all"), nothing(), nothing(), nothing(), nothing(), part(&self.cost.per_month)];
        html! {
            p.note {
                "Dollars for 730 hours at the scenario's prices. The measured time goes into a month "
                (mean(&self.cost.month_factor, ratio)) " times. PTUs are paid used or not, and their tokens are free."
            }
            (table(&head, 1, rows.chain([sum])))
            @for key in &self.cost.missing_prices { p.warn { "No price given: " code { (key) } } }
            @if let Some(per_1000) = self.cost.per_1000_successes.filter(Estimate::is_some) {
                p { (with_interval(&per_1000, dollars)) " per 1,000 successful requests, of which there are "
                    (mean(&self.cost.successes_per_month, count)) " in a month." }
            }
        }
    }

    fn footer(&self) -> Markup {
        let books = &self.conservation;
        let number = |number: u64| thousands(number as f64);
        html! {
            footer {
                p {
                    "Every request of every run, the warm-up's included: " (number(books.offered)) " arrived = "
                    (number(books.succeeded)) " succeeded + " (number(books.given_up)) " given up + " (number(books.in_flight))
                    " in flight at the end."
                    @if !books.holds() { strong { " This does not hold: do not use the report." } }
                }
                p { "Hash over every event: " code { (self.hash) } ". The same scenario gives the same hash on any machine." }
            }
        }
    }
}

/// The assumptions, the weakest first.
pub(crate) fn assumptions(assumptions: &[Assumption]) -> Markup {
    let rows = assumptions.iter().map(|one| {
        let word = one.source.word();
        [html! { span.tag.(word) { (word) } }, text(&one.what), text(&one.value), text(&one.reference)]
    });
    let weak = assumptions.iter().filter(|one| matches!(one.source, Source::Assumed | Source::Observed)).count();
    html! {
        p.note { (weak) " of these are assumed, or only seen on single deployments: where one of them decides, vary it." }
        (table(&["source", "what", "here", "reference"], 4, rows))
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
    fn the_page_is_whole_and_asks_the_network_for_nothing() {
        let html = Report::new(&scenario(), &[run(0), run(1)]).to_html();
        for text in ["<!DOCTYPE html>", "99.0 %", "$73,196", "bucket depth of ptu", "2,032 arrived", "</html>"] {
            assert!(html.contains(text), "{text} is missing");
        }
        // One over time, one per backend, one of waits; the rest are swatches.
        assert_eq!(html.matches("role=\"img\"").count(), 4);
        assert!(html.len() < 300_000, "{} bytes", html.len());
        let without_namespaces = html.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        for reach in ["http", "<script", "<link", "<img", "src=", "url(", "@import"] {
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
        assert!(!html.contains("<script>") && !html.contains("<b>"));
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
