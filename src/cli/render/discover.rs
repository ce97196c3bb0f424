//! What `discover` found and `init` wrote.

use super::{Look, table, units};
use crate::discover::{ColumnFound, Discovery};
use crate::outcome::Initialized;
use std::fmt::Write as _;

/// Findings as a table, then what is left to do. With `-v` every column is listed.
pub(super) fn discovery(found: &Discovery, look: &Look) -> String {
    let mut listed = table::new(&["column", "found", "evidence", "decision"], look);
    let mut rows = 0;
    for table in &found.tables {
        for column in &table.columns {
            if column.findings.is_empty() && look.verbose == 0 {
                continue;
            }
            let said = column.findings.first();
            let (category, evidence) = match said {
                Some(said) => (
                    format!("{} {:.2}", said.category, said.score),
                    said.told().split_once(": ").map_or_else(String::new, |(_, rest)| rest.to_owned()),
                ),
                None => ("-".to_owned(), String::new()),
            };
            rows += 1;
            listed.add_row([
                table::name(format!("{}.{}", table.table, column.name)),
                if said.is_some() { table::strong(category) } else { table::dim(category) },
                table::dim(evidence),
                decision(column),
            ]);
            for (path, said) in &column.paths {
                listed.add_row([
                    table::dim(format!("  {path}")),
                    table::strong(format!("{} {:.2}", said.category, said.score)),
                    table::dim(""),
                    table::dim(""),
                ]);
            }
        }
    }
    let mut text = if rows == 0 { String::new() } else { format!("{}\n\n", table::text(&listed)) };
    for reference in &found.references {
        let _ = writeln!(
            text,
            "reference {} -> {}: {} of {} sampled values are there",
            reference.from, reference.to, reference.found, reference.values
        );
    }
    for one in &found.packs {
        let _ = writeln!(text, "pack \"{}\" is not listed in [policy] packs: {}", one.pack, one.told());
    }
    for unsampled in &found.unsampled {
        let _ = writeln!(
            text,
            "{} {} was judged by its names alone: {}",
            look.warn("!"),
            unsampled.table,
            unsampled.reason
        );
    }
    let totals = &found.totals;
    let _ = writeln!(
        text,
        "{} {} of {} look personal ({}, {} seen, {})",
        look.good("✓"),
        totals.personal,
        units::plural(totals.columns as u64, "column"),
        units::plural(totals.tables as u64, "table"),
        units::plural(totals.rows, "row"),
        units::duration(found.ms)
    );
    let away = found.tables.iter().flat_map(|table| &table.columns).filter(|column| column.looks_away).count();
    if away > 0 {
        let _ = writeln!(text, "  {away} of them are kept without a reason: write one, or a mask");
    }
    match &found.written {
        Some(file) => {
            let _ = writeln!(
                text,
                "  written  {} decisions to {file}; {} are left to you",
                totals.proposed,
                totals.undecided - totals.proposed
            );
        }
        None if totals.undecided > 0 && totals.proposed == 0 => {
            let _ = writeln!(text, "  undecided  {} columns, all of them yours to answer", totals.undecided);
        }
        None if totals.undecided > 0 => {
            let _ = writeln!(
                text,
                "  undecided  {} columns; restage discover --write adds {} decisions to the configuration",
                totals.undecided, totals.proposed
            );
        }
        None => {}
    }
    text
}

fn decision(column: &ColumnFound) -> comfy_table::Cell {
    match (&column.proposal, &column.because) {
        (Some(_), _) if column.open => table::warn("undecided: yours to answer"),
        (Some(toml), _) => table::good(toml),
        (None, Some(because)) if column.looks_away => table::warn(format!("kept without a reason: {because}")),
        (None, Some(because)) => table::dim(because),
        (None, None) => table::dim(column.standing),
    }
}

/// Where the configuration is and what comes next, ready to paste.
pub(super) fn initialized(done: &Initialized, look: &Look) -> String {
    let mut text = format!(
        "{} {} is written: {}, {}, {} look personal ({})\n",
        look.good("✓"),
        look.strong(&done.file),
        units::plural(done.tables as u64, "table"),
        units::plural(done.columns as u64, "column"),
        done.personal,
        units::duration(done.ms)
    );
    if done.open > 0 {
        let _ = writeln!(
            text,
            "  yours    {} only a person can decide, behind a # in the file",
            units::plural(done.open as u64, "column")
        );
    }
    if done.unsampled > 0 {
        let _ = writeln!(
            text,
            "  {} {} judged by names alone; the file says why",
            look.warn("!"),
            units::plural(done.unsampled as u64, "table")
        );
    }
    for (index, line) in done.next.iter().enumerate() {
        let title = if index == 0 { "next" } else { "" };
        let _ = writeln!(text, "  {title:<8} {line}");
    }
    text
}
