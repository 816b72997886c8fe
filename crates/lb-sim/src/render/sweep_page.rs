use maud::html;

use super::{
    html::{estimate, figure, page, table, text},
    run::assumptions,
    sweep::{Comparison, MEASURES},
};

impl Comparison {
    /// As one HTML file: figures as inline SVG, no script, nothing from the network.
    #[must_use]
    pub fn to_html(&self) -> String {
        let groups = self.groups();
        let measures = MEASURES.iter().map(|measure| measure.title);
        let head: Vec<&str> = self.parameters.iter().map(String::as_str).chain(measures).collect();
        let rows = self.runs.iter().map(|(values, report)| {
            let figures = MEASURES.iter().map(|measure| estimate(&(measure.of)(report), measure.form));
            values.iter().map(text).chain(figures).collect::<Vec<_>>()
        });
        let body = html! {
            h1 { (self.title()) }
            p.meta { (self.meta()) }
            @for sentence in self.sentences() { p { (sentence) } }
            @if groups.is_empty() {
                p.note { "No figures: nothing was varied, or too much for a page. The table has it all." }
            } @else {
                p.note { "Lines join the means; the pale bands are 95 % intervals. Figures that are zero everywhere are left out." }
            }
            @for group in &groups {
                @if !group.name.is_empty() { h2 { (group.name) } }
                @for (drawn, caption) in &group.figures {
                    h3 { (drawn.title) }
                    (figure(drawn, caption))
                }
            }
            h2 { "All points" }
            p.note { "429 seen: requests that ended with a 429 at the application. Spilled: successes from other than the best \
                priority. Never: more requests than the percentile leaves did not succeed." }
            (table(&head, self.parameters.len(), rows))
            h2 { "What this rests on" }
            (assumptions(&self.assumptions()))
            footer {
                p { "Hashes over every event, point by point: "
                    @for (_, report) in &self.runs { code { (report.hash()) } " " } }
            }
        };
        page(self.title(), &body)
    }
}
