//! Prints the counts and the gates.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::{callgrind::Counts, gates::Gate};

/// Two tables: the counts, and the gates.
pub(crate) fn markdown(counts: &Counts, gates: &[Gate]) -> String {
    let mut text = String::from("| case | instructions |\n| --- | ---: |\n");
    for (name, count) in counts.iter() {
        let _ = writeln!(text, "| {name} | {count:.1} |");
    }
    text.push_str("\n| goal | what | counted | at most | worst case | |\n| --- | --- | ---: | ---: | --- | --- |\n");
    for gate in gates {
        let (case, value) = &gate.worst;
        let verdict = match (gate.holds(), gate.is_enforced) {
            (true, _) => "holds",
            (false, true) => "FAILS",
            (false, false) => "not met",
        };
        let Gate { number, what, limit, .. } = gate;
        let _ = writeln!(text, "| {number} | {what} | {value:.1} | {limit:.0} | {case} | {verdict} |");
    }
    text
}

/// The same for machines.
pub(crate) fn json(counts: &Counts, gates: &[Gate]) -> serde_json::Result<String> {
    let cases: serde_json::Map<_, _> = counts.iter().map(|(name, count)| (name.to_owned(), count.into())).collect();
    let gate = |gate: &Gate| -> Value {
        let (case, value) = &gate.worst;
        json!({
            "goal": gate.number, "what": gate.what, "counted": value, "at_most": gate.limit,
            "worst_case": case, "holds": gate.holds(), "is_enforced": gate.is_enforced,
        })
    };
    let gates: Vec<_> = gates.iter().map(gate).collect();
    serde_json::to_string_pretty(&json!({ "instructions_per_operation": cases, "gates": gates }))
}
