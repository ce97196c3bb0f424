//! The subset of a plan, and the path to a row.

use super::{Look, table, units};
use crate::outcome::{RowPath, SubsetView};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// References that the short form names; the rest brings few rows.
const REFERENCES_MAX: usize = 12;
/// Cuts that the short form shows.
const CUTS_MAX: usize = 3;

/// What brought how many rows in, most first.
pub(super) fn subset(view: &SubsetView, look: &Look) -> String {
    let head = format!(
        "{}  {} rows of {}, {}; {} seeds",
        look.strong("Subset"),
        units::count(view.rows),
        units::plural(view.tables, "table"),
        units::bytes(view.bytes),
        units::count(view.seeds)
    );
    let mut blocks = vec![head];
    if !view.references.is_empty() {
        let mut out = table::new(&[">rows", "of", "through", ""], look);
        let shown = if look.verbose > 0 { usize::MAX } else { REFERENCES_MAX };
        for pulled in view.references.iter().take(shown) {
            let way = if pulled.direction == "up" { "referred to" } else { "children" };
            out.add_row(vec![
                comfy_table::Cell::new(units::count(pulled.rows)),
                table::name(&pulled.table),
                table::dim(&pulled.reference),
                table::dim(way),
            ]);
        }
        blocks.push(table::text(&out));
    }
    if view.shown + view.absent.len() as u64 > 0 {
        let mut line = format!("cover  {} shown", units::count(view.shown));
        if !view.absent.is_empty() {
            let names: Vec<&str> =
                view.absent.iter().map(String::as_str).take(if look.verbose > 0 { usize::MAX } else { 3 }).collect();
            let _ = write!(
                line,
                "; the source has no row for {}: {}",
                units::count(view.absent.len() as u64),
                names.join(", ")
            );
            if names.len() < view.absent.len() {
                line.push_str(", …");
            }
        }
        blocks.push(look.dim(&line));
    }
    for dangling in view.dangling.iter().filter(|dangling| dangling.rows > 0) {
        let what = if dangling.nulled { "they become NULL" } else { "they are copied as they are" };
        blocks.push(format!(
            "{} {} points nowhere in {}; {what}",
            look.warn("!"),
            dangling.reference,
            units::plural(dangling.rows, "row")
        ));
    }
    // Apart from the rest, to be copied.
    blocks.extend(cuts(view, look).map(|cuts| format!("\n{cuts}")));
    blocks.join("\n")
}

/// The cuts that help most, as they are pasted into the configuration: its comments say what each is about.
fn cuts(view: &SubsetView, look: &Look) -> Option<String> {
    let shown = if look.verbose > 0 { usize::MAX } else { CUTS_MAX };
    // Several references can join the same columns: one cut names them all.
    let mut seen = BTreeSet::new();
    let cuts = view.references.iter().filter_map(|pulled| Some((pulled, pulled.cut.as_deref()?)));
    let lines = cuts.filter(|(_, cut)| seen.insert(*cut)).take(shown).enumerate().map(|(number, (pulled, cut))| {
        let rows = units::count(pulled.rows);
        let about = format!("# {}. {rows} rows of {} came through it", number + 1, pulled.table.replace('\n', " "));
        format!("{}\n{cut}", look.dim(&about))
    });
    let lines: Vec<String> = lines.collect();
    (!lines.is_empty()).then(|| {
        let head =
            "# To make it smaller, the cuts that help most; they go behind everything else in the configuration.";
        format!("{}\n{}", look.dim(head), lines.join("\n"))
    })
}

/// From the seed to the row.
pub(super) fn path(path: &RowPath, look: &Look) -> String {
    if path.steps.is_empty() {
        return format!("This row of {} is not in the subset.", path.table);
    }
    let line = |(number, step): (usize, &crate::outcome::PathStep)| {
        let arrow = if number == 0 { "  " } else { "→ " };
        format!("{arrow}{} {}  {}", look.strong(&step.table), step.ctid, look.dim(&step.because))
    };
    path.steps.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{PathStep, PulledView};

    #[test]
    fn references_stand_with_their_rows_and_the_first_cut_below() {
        let pulled = |table: &str, rows, cut: Option<&str>| PulledView {
            reference: format!("foreign key {table}_fkey"),
            direction: "down".into(),
            table: table.into(),
            rows,
            cut: cut.map(str::to_owned),
        };
        let view = SubsetView {
            counted: true,
            rows: 1200,
            tables: 3,
            bytes: 5 << 20,
            seeds: 10,
            references: vec![pulled("app.orders", 1000, None), pulled("app.items", 190, Some("a\nb"))],
            ..SubsetView::default()
        };
        let text = subset(&view, &Look::default());
        assert!(text.starts_with("Subset  1,200 rows of 3 tables"), "{text}");
        assert!(text.contains("1,000") && text.contains("foreign key app.items_fkey"), "{text}");
        assert!(text.ends_with("# 1. 190 rows of app.items came through it\na\nb"), "{text}");
    }

    #[test]
    fn a_path_is_told_from_the_seed_on() {
        let step = |table: &str, because: &str| PathStep {
            table: table.into(),
            ctid: "(0,1)".into(),
            because: because.into(),
        };
        let view = RowPath { table: "b".into(), steps: vec![step("a", "seed 1"), step("b", "it belongs to \"a\"")] };
        assert_eq!(path(&view, &Look::default()), "  a (0,1)  seed 1\n→ b (0,1)  it belongs to \"a\"");
        assert!(path(&RowPath::default(), &Look::default()).contains("is not in the subset"));
    }
}
