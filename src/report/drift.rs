//! What changed since the last run that was published: the policy, the tables, rows, bytes and time.

use crate::outcome::{DecisionView, RefreshOutcome, RunRecord, RunTotals};
use crate::release::RunId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Earlier reports that are looked at: those of failed nights and of other targets are passed over.
const LOOK_BACK_MAX: usize = 60;

/// What is different from the last published run whose report is beside this one.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Drift {
    pub run: String,
    pub snapshot_time: Option<String>,
    pub before: Totals,
    pub now: Totals,
    /// Tables whose rows or bytes changed, those that changed most first.
    pub tables: Vec<TableChange>,
    /// Columns that came, went, or are decided otherwise.
    pub columns: Vec<ColumnChange>,
    /// Another key masked that run: no pseudonym is what it was.
    pub other_key: bool,
    pub other_config: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub tables: u64,
    pub rows: u64,
    pub bytes: u64,
    pub ms: u64,
}

impl From<RunTotals> for Totals {
    fn from(totals: RunTotals) -> Self {
        Self { tables: totals.tables, rows: totals.rows, bytes: totals.bytes, ms: totals.ms }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TableChange {
    pub name: String,
    /// None: it was not there.
    pub before: Option<Size>,
    /// None: it is gone.
    pub now: Option<Size>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Size {
    pub rows: u64,
    pub bytes: u64,
}

impl TableChange {
    fn rows(&self) -> u64 {
        let rows = |size: Option<Size>| size.unwrap_or_default().rows;
        rows(self.before).abs_diff(rows(self.now))
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ColumnChange {
    /// `schema.table.column`.
    pub name: String,
    /// `varchar(70), email/1`; none: it was not there.
    pub before: Option<String>,
    /// None: it is gone.
    pub now: Option<String>,
}

/// What is read of an earlier report; the rest of it may have any form.
#[derive(Deserialize)]
struct Earlier {
    document: String,
    run: String,
    target: String,
    published: Option<String>,
    snapshot_time: Option<String>,
    totals: Totals,
    tables: Vec<EarlierTable>,
    coverage: EarlierCoverage,
    by: EarlierBy,
}

#[derive(Deserialize)]
struct EarlierTable {
    name: String,
    rows: u64,
    bytes: u64,
}

#[derive(Deserialize)]
struct EarlierBy {
    key_id: String,
    config_hash: String,
}

#[derive(Deserialize)]
struct EarlierCoverage {
    tables: Vec<EarlierView>,
}

#[derive(Deserialize)]
struct EarlierView {
    name: String,
    columns: Vec<EarlierColumn>,
}

#[derive(Deserialize)]
struct EarlierColumn {
    name: String,
    #[serde(rename = "type")]
    type_name: String,
    decision: String,
    kind: Option<String>,
}

/// Compares a run with the last published one before it; none if there is no report of one.
pub(super) fn since(reports: &Path, record: &RunRecord, outcome: &RefreshOutcome) -> Option<Drift> {
    let earlier = find(reports, record)?;
    // A run that ended before it had loaded anything has no rows to compare.
    let comparable = outcome.exit == crate::error::Exit::Done || outcome.published.is_some();
    let mut tables = if comparable { tables(&earlier, outcome) } else { Vec::new() };
    tables.sort_by(|one, other| other.rows().cmp(&one.rows()).then_with(|| one.name.cmp(&other.name)));
    let columns = if record.tables.is_empty() { Vec::new() } else { columns(&earlier, record) };
    Some(Drift {
        snapshot_time: earlier.snapshot_time,
        before: earlier.totals,
        now: outcome.totals.into(),
        tables,
        columns,
        other_key: earlier.by.key_id != record.by.key_id,
        other_config: earlier.by.config_hash != record.by.config_hash,
        run: earlier.run,
    })
}

fn find(reports: &Path, record: &RunRecord) -> Option<Earlier> {
    // Ids tell seconds; two runs of one second are told apart by when their reports were written.
    let written = |name: &String| std::fs::metadata(reports.join(name).join("report.json")).ok()?.modified().ok();
    let names = std::fs::read_dir(reports).ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let others = names.filter(|name| RunId::parse(name).is_some() && *name != record.run);
    let mut runs: Vec<_> = others.filter_map(|name| Some((written(&name)?, name))).collect();
    runs.sort_unstable();
    runs.iter().rev().take(LOOK_BACK_MAX).find_map(|(_, run)| {
        let text = std::fs::read(reports.join(run).join("report.json")).ok()?;
        let earlier: Earlier = serde_json::from_slice(&text).ok()?;
        let fits = earlier.document == "report" && earlier.published.is_some() && earlier.target == record.target;
        fits.then_some(earlier)
    })
}

/// Pairs what was with what is, by name; equal ones are left out.
fn changed<T: PartialEq>(before: BTreeMap<String, T>, now: BTreeMap<String, T>) -> Vec<(String, Option<T>, Option<T>)> {
    let mut pairs: BTreeMap<String, (Option<T>, Option<T>)> = BTreeMap::new();
    for (name, value) in before {
        pairs.insert(name, (Some(value), None));
    }
    for (name, value) in now {
        pairs.entry(name).or_insert((None, None)).1 = Some(value);
    }
    pairs
        .into_iter()
        .filter(|(_, (before, now))| before != now)
        .map(|(name, (before, now))| (name, before, now))
        .collect()
}

fn tables(earlier: &Earlier, outcome: &RefreshOutcome) -> Vec<TableChange> {
    let before = earlier.tables.iter().map(|table| (table.name.clone(), Size { rows: table.rows, bytes: table.bytes }));
    let now = outcome.tables.iter().map(|table| (table.name.clone(), Size { rows: table.rows, bytes: table.bytes }));
    let changes = changed(before.collect(), now.collect()).into_iter();
    changes.map(|(name, before, now)| TableChange { name, before, now }).collect()
}

fn columns(earlier: &Earlier, record: &RunRecord) -> Vec<ColumnChange> {
    let told =
        |type_name: &str, decision: &str, kind: Option<&str>| format!("{type_name}, {}", kind.unwrap_or(decision));
    let before = earlier.coverage.tables.iter().flat_map(|table| {
        table.columns.iter().map(|column| {
            let told = told(&column.type_name, &column.decision, column.kind.as_deref());
            (format!("{}.{}", table.name, column.name), told)
        })
    });
    let now = record.tables.iter().flat_map(|table| {
        table.columns.iter().map(|column| {
            let told = told(&column.type_name, word(column.decision), column.kind.as_deref());
            (format!("{}.{}", table.name, column.name), told)
        })
    });
    let changes = changed(before.collect(), now.collect()).into_iter();
    changes.map(|(name, before, now)| ColumnChange { name, before, now }).collect()
}

/// As in the JSON.
fn word(decision: DecisionView) -> &'static str {
    match decision {
        DecisionView::Keep => "keep",
        DecisionView::Null => "null",
        DecisionView::Const => "const",
        DecisionView::Mask => "mask",
    }
}
