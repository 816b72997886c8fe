//! The report on a terminal of 100 columns: the decision first, then what it rests on.

use std::fmt::{self, Display, Formatter};

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets};

use crate::{
    number::{count, dollars, load, mean, per_second, percent, ratio, seconds, thousands, with_interval},
    report::{BackendReport, ClassReport, Estimate, Report, Source},
};

/// Columns of the terminal.
const WIDTH: u16 = 100;

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.heading(f)?;
        self.answer(f)?;
        self.backends(f)?;
        self.classes(f)?;
        self.workers(f)?;
        self.cost(f)?;
        self.rests_on(f)?;
        self.books(f)
    }
}

impl Report {
    fn heading(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.title.is_empty() {
            writeln!(f, "{}", self.title)?;
        }
        let runs = if self.replications == 1 {
            "1 run, no intervals".to_owned()
        } else {
            format!("{} runs, ± is the 95 % interval", self.replications)
        };
        let warmup = if self.warmup > 0.0 { format!(", warm-up {}", seconds(self.warmup)) } else { String::new() };
        writeln!(f, "{} simulated{warmup}, {runs}, seed {}", mean(&self.duration, seconds), self.seed)
    }

    fn answer(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nANSWER")?;
        for sentence in self.sentences() {
            for line in wrap(&sentence, usize::from(WIDTH) - 2) {
                writeln!(f, "  {line}")?;
            }
        }
        Ok(())
    }

    fn backends(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nBACKENDS (per run)")?;
        let head = ["name", "prio", "limits", "of successes", "attempts", "200", "429", "5xx", "no answer", "cooling"];
        let rows = self.backends.iter().map(|backend| {
            vec![
                backend.name.clone(),
                backend.priority.to_string(),
                backend.kind.clone(),
                mean(&backend.share, percent),
                mean(&backend.attempts, count),
                mean(&backend.accepted, count),
                mean(&backend.throttled, count),
                mean(&backend.server_errors, count),
                mean(&backend.faults, count),
                mean(&backend.cooling_share, percent),
            ]
        });
        table(f, &head, &[0, 2], rows)?;
        let refused = |backend: &BackendReport| backend.refused_in_stream.mean() > 0.0;
        for backend in self.backends.iter().filter(|backend| refused(backend)) {
            writeln!(f, "  {}: {} refusals came inside a 200", backend.name, mean(&backend.refused_in_stream, count))?;
        }
        writeln!(f)?;
        let head = ["name", "mean load", "p50", "p95", "max", "tokens reserved", "used", "not needed", "", "unit"];
        let rows = self.backends.iter().map(|backend| {
            let full = &backend.utilisation;
            vec![
                backend.name.clone(),
                mean(&full.mean, load),
                mean(&full.p50, load),
                mean(&full.p95, load),
                mean(&full.max, load),
                mean(&backend.estimated_tokens, count),
                mean(&backend.used_tokens, count),
                mean(&backend.wasted_tokens, count),
                mean(&backend.wasted_share, percent),
                backend.token_unit.to_owned(),
            ]
        });
        table(f, &head, &[0, 9], rows)
    }

    fn classes(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nREQUESTS (per run, after the warm-up)")?;
        let head =
            ["class", "offered", "succeeded", "429 seen", "attempts each", "SDK retries", "spilled", "late", "goodput"];
        let rows = self.every_class().map(|class| {
            vec![
                class.name.clone(),
                mean(&class.offered, count),
                mean(&class.success_share, percent),
                mean(&class.application_429_share, percent),
                mean(&class.attempts_per_request, ratio),
                mean(&class.sdk_retries, count),
                mean(&class.spill_share, percent),
                mean(&class.deadline_misses, count),
                mean(&class.goodput, per_second),
            ]
        });
        table(f, &head, &[0], rows)?;
        writeln!(f)?;
        let head =
            ["class", "added wait p50", "p95", "p99", "first token p50", "p95", "p99", "total p50", "p95", "p99"];
        let rows = self.every_class().map(|class| {
            let times = [class.added_wait, class.first_token, class.total];
            let times = times.iter().flat_map(|time| [time.p50, time.p95, time.p99]);
            [class.name.clone()].into_iter().chain(times.map(|time| mean(&time, seconds))).collect()
        });
        table(f, &head, &[0], rows)?;
        let all = &self.all.given_up;
        let reasons = [
            ("a 429", all.throttled),
            ("a 5xx", all.server_error),
            ("no answer", all.fault),
            ("a refusal inside a 200", all.refused_in_stream),
            ("the deadline", all.deadline),
        ];
        let reasons: Vec<String> = reasons
            .iter()
            .filter(|(_, number)| number.mean() > 0.0)
            .map(|(reason, number)| format!("{reason} {}", mean(number, count)))
            .collect();
        if !reasons.is_empty() {
            writeln!(f, "  ended without success, by what the application saw last: {}", reasons.join(", "))?;
        }
        Ok(())
    }

    fn workers(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let workers = &self.workers;
        if workers.count < 2 {
            return Ok(());
        }
        writeln!(f, "\nWORKERS ({})", thousands(workers.count as f64))?;
        let head = ["evenness of", "Jain's index", "by chance", "variation", "by chance"];
        let rows =
            [("successes", workers.successes), ("429s of backends", workers.backend_429s)].map(|(name, spread)| {
                vec![
                    name.to_owned(),
                    mean(&spread.jain, jain),
                    mean(&spread.jain_by_chance, jain),
                    mean(&spread.cv, percent),
                    mean(&spread.cv_by_chance, percent),
                ]
            });
        table(f, &head, &[0], rows)?;
        writeln!(
            f,
            "  the worst: {} of a worker's requests succeeded; {} of a worker's ended with a 429",
            mean(&workers.worst_success_share, percent),
            mean(&workers.worst_application_429_share, percent)
        )
    }

    fn cost(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\nCOST PER MONTH (730 h; the measured time goes into it {} times)",
            mean(&self.cost.month_factor, ratio)
        )?;
        let part =
            |cost: &Option<Estimate>| cost.as_ref().map_or_else(|| "no price".to_owned(), |cost| mean(cost, dollars));
        let head = ["backend", "PTUs", "input", "cached input", "output", "total"];
        let rows = self.cost.backends.iter().map(|backend| {
            let parts = [&backend.ptus, &backend.input, &backend.cached_input, &backend.output, &backend.total];
            [backend.name.clone()].into_iter().chain(parts.map(part)).collect()
        });
        let total = vec![
            "all".to_owned(),
            String::new(),
            String::new(),
            String::new(),
            String::new(),
            part(&self.cost.per_month),
        ];
        table(f, &head, &[0], rows.chain([total]))?;
        for key in &self.cost.missing_prices {
            writeln!(f, "  no price given: {key}")?;
        }
        Ok(())
    }

    fn rests_on(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nRESTS ON (what is documented, and references: in the JSON and the HTML)")?;
        let shown = |source| matches!(source, Source::Assumed | Source::Observed);
        let rows = self.assumptions.iter().filter(|assumption| shown(assumption.source));
        table(
            f,
            &[],
            &[0, 1, 2],
            rows.map(|one| vec![one.source.word().to_owned(), one.what.clone(), one.value.clone()]),
        )
    }

    fn books(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let books = &self.conservation;
        let number = |number: u64| thousands(number as f64);
        writeln!(
            f,
            "\n{} offered = {} succeeded + {} given up + {} in flight, over all runs{}; hash {}",
            number(books.offered),
            number(books.succeeded),
            number(books.given_up),
            number(books.in_flight),
            if books.holds() { "" } else { " DOES NOT HOLD" },
            self.hash
        )
    }

    pub(crate) fn every_class(&self) -> impl Iterator<Item = &ClassReport> {
        // One class is all there is.
        let all = (self.classes.len() != 1).then_some(&self.all);
        self.classes.iter().chain(all)
    }

    /// The decision in sentences.
    pub(crate) fn sentences(&self) -> Vec<String> {
        let all = &self.all;
        if all.offered.mean() == 0.0 || !all.offered.is_some() {
            return vec!["No request arrived after the warm-up: there is nothing to answer.".to_owned()];
        }
        let mut sentences = vec![
            format!(
                "{} of the requests succeeded; {} ended with a 429 at the application.",
                with_interval(&all.success_share, percent),
                with_interval(&all.application_429_share, percent)
            ),
            if all.backend_429s.mean() > 0.0 {
                format!(
                    "Backends refused {} attempts with a 429 ({}) per run, and {} of them came through to the application.",
                    mean(&all.backend_429s, count),
                    mean(&all.backend_429_share, percent),
                    if all.application_429s.mean() > 0.0 {
                        mean(&all.application_429s, count)
                    } else {
                        "none".to_owned()
                    }
                )
            } else {
                "No backend refused an attempt with a 429.".to_owned()
            },
            format!(
                "Added wait: p50 {}, p95 {}, p99 {}. {} of the successes came from other than the best priority.",
                mean(&all.added_wait.p50, seconds),
                with_interval(&all.added_wait.p95, seconds),
                with_interval(&all.added_wait.p99, seconds),
                with_interval(&all.spill_share, percent)
            ),
        ];
        sentences.push(match (self.cost.per_month, self.cost.per_1000_successes) {
            (Some(month), Some(per_1000)) if per_1000.is_some() => format!(
                "A month costs {}: {} per 1,000 successful requests.",
                with_interval(&month, dollars),
                mean(&per_1000, dollars)
            ),
            (Some(month), _) => format!("A month costs {}.", with_interval(&month, dollars)),
            (None, _) => {
                format!("What it costs is not known; no price given: {}.", self.cost.missing_prices.join(", "))
            }
        });
        sentences
    }
}

/// Jain's index is near 1 where it is interesting.
fn jain(index: f64) -> String {
    format!("{index:.4}")
}

/// A table without lines: figures to the right, the columns in `left` to the left.
pub(crate) fn table(
    f: &mut Formatter<'_>,
    head: &[&str],
    left: &[usize],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> fmt::Result {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH - 1);
    if !head.is_empty() {
        table.set_header(head);
    }
    table.add_rows(rows);
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if index == 0 { 2 } else { 1 }, 1));
        // Titles are broken between words only.
        let longest = head.get(index).and_then(|title| title.split(' ').map(|word| word.chars().count()).max());
        let least =
            longest.and_then(|longest| u16::try_from(longest).ok()).unwrap_or(0) + if index == 0 { 3 } else { 2 };
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
        column.set_cell_alignment(if left.contains(&index) { CellAlignment::Left } else { CellAlignment::Right });
    }
    table.lines().try_for_each(|line| writeln!(f, "{}", line.trim_end()))
}

/// Lines of at most `width` letters, broken between words.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}
