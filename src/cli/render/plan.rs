//! The plan: what will happen to every table, and with `-v` to every column.

use super::{Look, facts, table, units};
use crate::lock::{Change, Sign};
use crate::outcome::{
    ColumnView, DecisionView, Explanation, FoundView, HeldView, LoadMode, LockView, PlanView, TableView,
};
use comfy_table::{Cell, Table};
use std::fmt::Write as _;

/// Without `-v`, tables past this number are added up in one line: the rest is small, tables are sorted by size.
const LINES_MAX: usize = 40;

/// Renders a plan. Its refusals are printed apart, as errors.
pub(super) fn plan(view: &PlanView, look: &Look) -> String {
    let mut blocks = vec![head(view, look)];
    if !view.tables.is_empty() {
        blocks.push(if look.verbose > 0 { columns(&view.tables, look) } else { tables(&view.tables, look) });
    }
    if let Some(subset) = view.subset.as_ref().filter(|subset| subset.counted) {
        blocks.push(super::subset::subset(subset, look));
    }
    if !view.skipped.is_empty() {
        blocks.push(skipped(view, look));
    }
    if !view.guards.is_empty() {
        let width = view.guards.iter().map(|guard| guard.name.chars().count()).max().unwrap_or(0);
        let lines = view.guards.iter().map(|guard| {
            let detail = look.dim(&super::hang(&guard.detail, width + 6));
            format!("  {} {:width$}  {detail}", look.tick(guard.ok), guard.name)
        });
        blocks.push(format!("{}\n{}", look.strong("Guards"), lines.map(trimmed).collect::<Vec<_>>().join("\n")));
    }
    if view.lock.all {
        blocks.push(changes(view, look));
    }
    if !view.warnings.is_empty() {
        let lines = view.warnings.iter().map(|text| format!("{} {}", look.warn("!"), super::hang(text, 2)));
        blocks.push(lines.collect::<Vec<_>>().join("\n"));
    }
    blocks.push(sum(view, look));
    blocks.join("\n\n")
}

/// Everything that differs from the lock file.
fn changes(view: &PlanView, look: &Look) -> String {
    let lock = &view.lock;
    if !lock.present {
        return format!("{}\n  there is no lock file yet", look.strong(&format!("Since {}", lock.file)));
    }
    let lines: Vec<String> = lock.changes.iter().map(|change| change_line(change, look)).collect();
    let body = match lines.is_empty() {
        true => format!("  {}", unchanged(view)),
        false => lines.join("\n"),
    };
    format!("{}\n{body}", look.strong(&format!("Since {}", lock.file)))
}

fn change_line(change: &Change, look: &Look) -> String {
    let line = super::hang(&change.line(), 4);
    let line = match change.change {
        Sign::Added => look.good(&line),
        Sign::Removed => look.bad(&line),
        Sign::Changed => look.warn(&line),
    };
    format!("  {line}{}", if change.refuses { "" } else { " (does not stop a refresh)" })
}

fn trimmed(line: String) -> String {
    line.trim_end().to_owned()
}

fn head(view: &PlanView, look: &Look) -> String {
    let target = view.target.clone().unwrap_or_default();
    facts(&[("from", view.source.clone()), ("to", target)], look)
}

/// A line per table; the leaves of a partitioned table share one.
fn tables(tables: &[TableView], look: &Look) -> String {
    let lines = grouped(tables);
    let mut out = table::new(&["table", ">rows", ">bytes", ">masked", ">null", ">kept", ">chunks", "load"], look);
    for line in lines.iter().take(LINES_MAX) {
        out.add_row(line.cells());
    }
    let mut text = table::text(&out);
    if let Some(rest) = lines.get(LINES_MAX..).filter(|rest| !rest.is_empty()) {
        let bytes = rest.iter().map(|line| line.bytes).sum();
        let more =
            format!("  and {} more, {} together; -v lists all", units::count(rest.len() as u64), units::bytes(bytes));
        let _ = write!(text, "\n{}", look.dim(&more));
    }
    text
}

/// One line of the short form.
struct Line<'a> {
    first: &'a TableView,
    leaves: u64,
    rows: u64,
    unanalyzed: bool,
    bytes: u64,
    chunks: u64,
}

/// Adds up tables with the same root, at the place of the largest leaf.
fn grouped(tables: &[TableView]) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for view in tables {
        let same = lines.iter_mut().find(|line| line.first.root.is_some() && line.first.root == view.root);
        match same {
            Some(line) => {
                line.leaves += 1;
                line.rows += view.rows;
                line.unanalyzed |= view.unanalyzed;
                line.bytes += view.bytes;
                line.chunks += view.chunks;
            }
            None => {
                let TableView { rows, unanalyzed, bytes, chunks, .. } = *view;
                lines.push(Line { first: view, leaves: 1, rows, unanalyzed, bytes, chunks });
            }
        }
    }
    lines.sort_by_key(|line| std::cmp::Reverse(line.bytes));
    lines
}

impl Line<'_> {
    fn cells(&self) -> Vec<Cell> {
        let name = match &self.first.root {
            Some(root) => format!("{root} ({})", units::plural(self.leaves, "partition")),
            None => self.first.name.clone(),
        };
        let number = |count: usize| if count == 0 { table::dim("·") } else { Cell::new(count) };
        let nulled = self.first.count(DecisionView::Null) + self.first.count(DecisionView::Const);
        let amounts = if self.first.load == LoadMode::Empty {
            [table::dim("·"), table::dim("·")]
        } else {
            [Cell::new(rows_text(self.rows, self.unanalyzed)), Cell::new(units::bytes(self.bytes))]
        };
        let [rows, bytes] = amounts;
        vec![
            table::name(name),
            rows,
            bytes,
            number(self.first.count(DecisionView::Mask)),
            number(nulled),
            number(self.first.count(DecisionView::Keep)),
            number(usize::try_from(self.chunks).unwrap_or(usize::MAX)),
            load_cell(self.first),
        ]
    }
}

/// `?` where nobody has counted: a guess would look like a number of the server.
fn rows_text(rows: u64, unanalyzed: bool) -> String {
    if unanalyzed { "?".to_owned() } else { units::estimate(rows) }
}

fn load_cell(view: &TableView) -> Cell {
    match (view.load, view.selection.as_str()) {
        (LoadMode::Empty, _) => table::dim("empty"),
        (_, "all" | "") => Cell::new(load_name(view.load)),
        // The condition stands in the long form; here it would push the names off the screen.
        (mode, _) => Cell::new(format!("{}, part", load_name(mode))),
    }
}

fn load_name(mode: LoadMode) -> &'static str {
    match mode {
        LoadMode::Freeze => "freeze",
        LoadMode::Copy => "copy",
        LoadMode::Empty => "empty",
    }
}

/// Every table with every column.
fn columns(tables: &[TableView], look: &Look) -> String {
    tables.iter().map(|view| one_table(view, look)).collect::<Vec<_>>().join("\n\n")
}

fn one_table(view: &TableView, look: &Look) -> String {
    let amount = match view.load {
        LoadMode::Empty => "structure only".to_owned(),
        _ => format!(
            "{} rows, {}, {}, {}",
            rows_text(view.rows, view.unanalyzed),
            units::bytes(view.bytes),
            units::plural(view.chunks, "chunk"),
            load_name(view.load)
        ),
    };
    let mut head = format!("{}  {amount}", look.strong(&view.name));
    if let Some(root) = &view.root {
        let _ = write!(head, ", partition of {root}");
    }
    if let Some(because) = &view.emptied {
        let _ = write!(head, " ({because})");
    }
    if !matches!(view.selection.as_str(), "all" | "none" | "") {
        let _ = write!(head, ", {}", view.selection);
    }
    if view.columns.is_empty() {
        return head;
    }
    format!("{head}\n{}", column_table(view, look))
}

fn column_table(view: &TableView, look: &Look) -> String {
    // The table's own entry needs no name.
    let own = format!(" [tables.\"{}\"]", view.name);
    let mut out: Table = table::new(&["column", "type", "decision", "because"], look);
    for column in &view.columns {
        out.add_row(vec![
            table::name(&column.name),
            table::dim(&column.type_name),
            decision_cell(column),
            table::dim(because(column).replace(&own, "")),
        ]);
    }
    table::text(&out)
}

fn decision_cell(column: &ColumnView) -> Cell {
    match column.decision {
        DecisionView::Mask => table::good(decision(column)),
        DecisionView::Null | DecisionView::Const => table::warn(decision(column)),
        DecisionView::Keep => Cell::new(decision(column)),
    }
}

/// `email/1 label crm, by id`, `null`, `keep`.
fn decision(column: &ColumnView) -> String {
    let mut text = match column.decision {
        DecisionView::Keep => "keep".to_owned(),
        DecisionView::Null => "null".to_owned(),
        DecisionView::Const => column.kind.clone().unwrap_or_else(|| "constant".to_owned()),
        DecisionView::Mask => column.kind.clone().unwrap_or_else(|| "mask".to_owned()),
    };
    if let Some(label) = &column.label {
        let _ = write!(text, " label {label}");
    }
    if let Some(subject) = &column.subject {
        let _ = write!(text, " by {subject}");
    }
    if let Some(when) = &column.when {
        let otherwise = if column.otherwise == Some(DecisionView::Keep) { "keep" } else { "null" };
        let when = when.split_whitespace().collect::<Vec<_>>().join(" ");
        let _ = write!(text, " when {when}, else {otherwise}");
    }
    text
}

fn because(column: &ColumnView) -> String {
    match &column.reason {
        Some(reason) => format!("“{reason}” {}", column.because).trim_end().to_owned(),
        None => column.because.clone(),
    }
}

fn skipped(view: &PlanView, look: &Look) -> String {
    let lines = view.skipped.iter().map(|skip| format!("  {}  {}", skip.table, look.dim(&skip.reason)));
    format!("{}\n{}", look.strong("Not copied"), lines.collect::<Vec<_>>().join("\n"))
}

fn sum(view: &PlanView, look: &Look) -> String {
    let totals = &view.totals;
    // A plan that was refused has no tables, which says nothing about the source.
    let known = |text: String| if is_refused(view) { String::new() } else { text };
    let amount = format!(
        "{}, {} rows, {} in {}",
        units::plural(totals.tables, "table"),
        units::estimate(totals.rows),
        units::bytes(totals.bytes),
        units::plural(totals.chunks, "chunk")
    );
    let columns = format!(
        "{}: {} masked, {} null or constant, {} kept",
        units::plural(totals.columns, "column"),
        units::count(totals.masked),
        units::count(totals.nulled),
        units::count(totals.kept)
    );
    let time = view.estimate.as_ref().map(|estimate| format!("{} ({})", units::about(estimate.ms), estimate.basis));
    let key = view.key_id.clone().unwrap_or_default();
    let list = [
        ("total", known(amount)),
        ("columns", known(columns)),
        ("time", time.unwrap_or_default()),
        ("plan", view.hash.get(..16).unwrap_or(&view.hash).to_owned()),
        ("key", key),
        ("lock", lock_line(view)),
    ];
    facts(&list, look)
}

/// There is no plan.
fn is_refused(view: &PlanView) -> bool {
    view.hash.is_empty()
}

/// No difference is known: there is none, or there is no plan to compare.
fn unchanged(view: &PlanView) -> &'static str {
    if is_refused(view) { "not compared: the plan is refused" } else { "nothing changed" }
}

/// What is true of the lock file; nothing where there is none, which a warning tells.
fn lock_line(view: &PlanView) -> String {
    let LockView { file, present, changes, .. } = &view.lock;
    match (&view.lock_written, present, changes.len()) {
        (Some(file), ..) => format!("written to {file}"),
        (None, false, _) => String::new(),
        (None, true, 0) => format!("{file}, {}", unchanged(view)),
        (None, true, count) => {
            format!("{file}, {} since: restage plan --diff", units::plural(count as u64, "change"))
        }
    }
}

/// Renders `explain`: the whole table, or one column with its kind.
pub(super) fn explanation(view: &Explanation, look: &Look) -> String {
    let Some(column) = view.column.as_ref().and_then(|_| view.table.columns.first()) else {
        return one_table(&view.table, look);
    };
    let head = look.strong(&format!("{}.{}", view.table.name, column.name));
    let mut list = vec![
        ("type", column.type_name.clone()),
        ("decision", decision(column)),
        ("because", column.because.clone()),
        ("reason", reason(column)),
        ("found", column.found.iter().map(found).collect::<Vec<_>>().join("\n")),
        ("floor", column.held.iter().map(held).collect::<Vec<_>>().join("\n")),
    ];
    if let Some(kind) = view.kinds.first() {
        list.push(("kind", format!("{}: {}", kind.name, kind.summary)));
        list.push(("guarantees", kind.guarantees.join("\n")));
    }
    list.push(("anchor", column.subject.clone().unwrap_or_default()));
    list.push(("joins", joins(&view.joins)));
    let apart = joins(&view.apart);
    list.push((
        "joins not",
        if apart.is_empty() { apart } else { format!("{apart}\nbecause their parameters differ") },
    ));
    list.push(("leaks", view.leaks.join("\n")));
    list.push(("lock", view.lock.join("\n")));
    format!("{head}\n{}", facts(&list, look))
}

fn reason(column: &ColumnView) -> String {
    let reason = column.reason.clone().unwrap_or_default();
    match &column.until {
        Some(day) => format!("{reason} (until {day})"),
        None => reason,
    }
}

/// `email 0.95: name email 0.95`.
fn found(found: &FoundView) -> String {
    format!("{} {:.2}: {}", found.category, found.score, found.evidence)
}

fn held(held: &HeldView) -> String {
    format!("pack {}, rule {}: {}. {}", held.pack, held.rule, held.wants, held.why)
}

/// The columns that join, the first few by name.
fn joins(names: &[String]) -> String {
    /// More are counted; `--json` lists all.
    const SHOWN_MAX: usize = 6;
    let shown = names.iter().take(SHOWN_MAX).cloned().collect::<Vec<_>>().join("\n");
    match names.len().saturating_sub(SHOWN_MAX) {
        0 => shown,
        more => format!("{shown}\nand {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Estimate, Guard, KindView, PlanTotals, Skipped};

    fn column(name: &str, type_name: &str, decision: DecisionView) -> ColumnView {
        let because = "restage.toml:40:1 [tables.\"public.customers\"]".into();
        ColumnView { name: name.into(), type_name: type_name.into(), decision, because, ..ColumnView::default() }
    }

    fn email() -> ColumnView {
        ColumnView {
            kind: Some("email/1".into()),
            label: Some("crm".into()),
            subject: Some("id".into()),
            ..column("email", "text", DecisionView::Mask)
        }
    }

    fn view() -> PlanView {
        let partition = |name: &str, rows| TableView {
            name: name.into(),
            root: Some("public.events".into()),
            rows,
            unanalyzed: false,
            bytes: rows * 100,
            chunks: 1,
            emptied: None,
            selection: "all".into(),
            load: LoadMode::Copy,
            columns: vec![column("id", "bigint", DecisionView::Keep)],
        };
        let tables = vec![
            partition("public.events_2026_09", 4_000_000),
            TableView {
                name: "public.customers".into(),
                rows: 1_203_311,
                bytes: 310_200_000,
                selection: "all".into(),
                chunks: 2,
                columns: vec![
                    ColumnView { reason: Some("no person".into()), ..column("id", "bigint", DecisionView::Keep) },
                    email(),
                    column("notes", "text", DecisionView::Null),
                ],
                ..TableView::default()
            },
            partition("public.events_2026_10", 1_000),
            TableView {
                name: "public.sessions".into(),
                selection: "none".into(),
                load: LoadMode::Empty,
                ..TableView::default()
            },
        ];
        PlanView {
            source: "shop on prod-replica:5432, PostgreSQL 15.18".into(),
            target: Some("shop on staging:5432, PostgreSQL 15.18".into()),
            totals: PlanTotals::of(&tables),
            tables,
            skipped: vec![Skipped { table: "public.remote".into(), reason: "foreign table".into() }],
            estimate: Some(Estimate { ms: 42_000, basis: "60 MB/s per worker".into() }),
            guards: vec![
                Guard { name: "target is marked".into(), ok: true, detail: "by dba at 2026-11-01".into() },
                Guard { name: "source role cannot write".into(), ok: false, detail: "can UPDATE public.orders".into() },
            ],
            warnings: vec!["2 large objects are not copied".into()],
            hash: "3f2a91c0d4e5b6a7ffff".into(),
            key_id: Some("da7ed64a2bd1b44b".into()),
            ..PlanView::default()
        }
    }

    #[test]
    fn a_plan_is_a_line_per_table_with_partitions_added_up() {
        insta::assert_snapshot!(plan(&view(), &Look::default()), @r#"
          from  shop on prod-replica:5432, PostgreSQL 15.18
          to    shop on staging:5432, PostgreSQL 15.18

          table                          rows   bytes  masked  null  kept  chunks  load
          public.events (2 partitions)  4.0 M  400 MB       ·     ·     1       2  copy
          public.customers              1.2 M  310 MB       1     1     1       2  freeze
          public.sessions                   ·       ·       ·     ·     ·       ·  empty

        Not copied
          public.remote  foreign table

        Guards
          ✓ target is marked          by dba at 2026-11-01
          ✗ source role cannot write  can UPDATE public.orders

        ! 2 large objects are not copied

          total    4 tables, 5.2 M rows, 710 MB in 4 chunks
          columns  5 columns: 1 masked, 1 null or constant, 3 kept
          time     about 42 s (60 MB/s per worker)
          plan     3f2a91c0d4e5b6a7
          key      da7ed64a2bd1b44b
        "#);
    }

    #[test]
    fn verbose_plans_show_every_column_and_why() {
        insta::assert_snapshot!(plan(&view(), &Look { verbose: 1, ..Look::default() }), @r#"
          from  shop on prod-replica:5432, PostgreSQL 15.18
          to    shop on staging:5432, PostgreSQL 15.18

        public.events_2026_09  4.0 M rows, 400 MB, 1 chunk, copy, partition of public.events
          column  type    decision  because
          id      bigint  keep      restage.toml:40:1 [tables."public.customers"]

        public.customers  1.2 M rows, 310 MB, 2 chunks, freeze
          column  type    decision                 because
          id      bigint  keep                     “no person” restage.toml:40:1
          email   text    email/1 label crm by id  restage.toml:40:1
          notes   text    null                     restage.toml:40:1

        public.events_2026_10  1,000 rows, 100 kB, 1 chunk, copy, partition of public.events
          column  type    decision  because
          id      bigint  keep      restage.toml:40:1 [tables."public.customers"]

        public.sessions  structure only

        Not copied
          public.remote  foreign table

        Guards
          ✓ target is marked          by dba at 2026-11-01
          ✗ source role cannot write  can UPDATE public.orders

        ! 2 large objects are not copied

          total    4 tables, 5.2 M rows, 710 MB in 4 chunks
          columns  5 columns: 1 masked, 1 null or constant, 3 kept
          time     about 42 s (60 MB/s per worker)
          plan     3f2a91c0d4e5b6a7
          key      da7ed64a2bd1b44b
        "#);
    }

    #[test]
    fn no_line_is_wider_than_a_narrow_terminal() {
        let text = columns(&view().tables[1..2], &Look { width: Some(60), verbose: 1, ..Look::default() });
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(60), "{widest:?}\n{text}");
    }

    #[test]
    fn a_plan_that_is_refused_counts_nothing() {
        let refused = PlanView { key_id: Some("da7ed64a2bd1b44b".into()), ..PlanView::default() };
        let text = sum(&refused, &Look::default());
        assert!(text.contains("da7ed64a2bd1b44b") && !text.contains("total") && !text.contains("0 "), "{text}");
        // The twin: an empty source that was planned.
        let text = sum(&PlanView { hash: "ab".into(), ..refused }, &Look::default());
        assert!(text.contains("total    0 tables") && text.contains("0 columns"), "{text}");
    }

    #[test]
    fn long_plans_end_with_the_sum_of_the_small_tables() {
        let tables: Vec<TableView> = (0..50)
            .map(|index| TableView { name: format!("public.t{index}"), bytes: 1000, ..TableView::default() })
            .collect();
        let text = super::tables(&tables, &Look::default());
        assert!(text.ends_with("  and 10 more, 10 kB together; -v lists all"), "{text}");
    }

    #[test]
    fn a_column_is_explained_with_its_kind() {
        let mut table = view().tables.swap_remove(1);
        table.columns = vec![email()];
        let kind = KindView {
            name: "email/1".into(),
            summary: "An address in a reserved domain".into(),
            guarantees: vec!["equal addresses stay equal".into(), "unique stays unique".into()],
            ..KindView::default()
        };
        let view = Explanation { table, column: Some("email".into()), kinds: vec![kind], ..Explanation::default() };
        insta::assert_snapshot!(explanation(&view, &Look::default()), @r#"
        public.customers.email
          type        text
          decision    email/1 label crm by id
          because     restage.toml:40:1 [tables."public.customers"]
          kind        email/1: An address in a reserved domain
          guarantees  equal addresses stay equal
                      unique stays unique
          anchor      id
        "#);
    }
}
