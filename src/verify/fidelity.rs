//! How far staging is like its source: masked columns compared by what was learned of them on their way.
//!
//! Nothing is asked of a server. NULLs and different values were counted over all rows, distributions over a sample of
//! them. Columns that are kept pass as they are: there is nothing to compare.

use super::{gate, some_of};
use crate::config::{self, FidelityConfig};
use crate::measure::compared::{Compared, correlation};
use crate::measure::rows::Rows;
use crate::outcome::{ColumnFidelity, CorrelationView, FidelityView, Gate, PatternShare, ReferenceFidelity, SideView};
use crate::proof::{Seen, Watch};
use std::sync::Arc;
use std::time::Instant;

/// Columns with numbers of one table whose correlations are told.
const CORRELATED_MAX: usize = 6;
/// Rows below which a rank correlation says nothing.
const CORRELATED_ROWS_MIN: usize = 30;
/// How many standard errors an estimate may be beyond a threshold: chance does so once in 30 000 times.
const ERRORS: f64 = 4.0;

/// What was learned of a table while it was loaded.
pub struct Learned<'a> {
    /// `schema.table`.
    pub table: String,
    pub watch: &'a Arc<Watch>,
    /// Columns that pass as they are.
    pub kept: u64,
}

/// A foreign key with a masked column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskedReference {
    pub table: String,
    pub column: String,
    /// `schema.table.column`.
    pub to: String,
    /// Rows of the table it refers to.
    pub parents: u64,
}

/// Compares every masked column, and judges those that thresholds are for.
pub fn measure(
    config: &FidelityConfig,
    tables: &[Learned<'_>],
    references: &[MaskedReference],
) -> (Vec<Gate>, FidelityView) {
    let started = Instant::now();
    let mut view = FidelityView::default();
    for learned in tables {
        view.kept += learned.kept;
        let (table, columns) = (&learned.table, learned.watch.columns());
        learned.watch.seen(|seen| {
            learned.watch.rows(|rows| {
                for (number, (column, seen)) in columns.iter().zip(seen).enumerate() {
                    let name = column.name.strip_prefix(&format!("{table}.")).unwrap_or(&column.name).to_owned();
                    let found = compare(seen, rows, number);
                    view.columns.push(ColumnFidelity {
                        table: table.clone(),
                        column: name.clone(),
                        kind: column.kind.full_name(),
                        ..found
                    });
                    let to =
                        references.iter().filter(|reference| reference.table == *table && reference.column == name);
                    view.references.extend(to.filter_map(|reference| fan_out(reference, seen)));
                }
                let names: Vec<&str> =
                    columns.iter().map(|column| column.name.rsplit('.').next().unwrap_or("")).collect();
                view.correlations.extend(correlations(table, &names, rows));
            });
        });
    }
    let gates = judge(config, &view, started);
    (gates, view)
}

fn share(part: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { part as f64 / of as f64 }
}

fn compare(seen: &Seen, rows: &Rows, number: usize) -> ColumnFidelity {
    let compared = Compared::of(rows, number);
    let distinct = |side: fn(&crate::proof::Counts) -> u32| {
        let count = seen.sample.iter().filter(|(_, counts)| side(counts) > 0).count() as f64;
        let (share, whole) = (seen.sample.share(), seen.sample.share() >= 1.0);
        let error = if whole || count == 0.0 { 0.0 } else { ((1.0 - share) / count).sqrt() };
        (count / share, error)
    };
    let [before, after] = compared.sides;
    let side = |nulls: u64, (distinct, distinct_error): (f64, f64), side: crate::measure::compared::Side| SideView {
        null_fraction: share(nulls, seen.tally.values),
        distinct,
        distinct_error,
        top: side.top,
        histogram: side.histogram,
        lengths: side.lengths,
        patterns: side.patterns.into_iter().map(|(pattern, share)| PatternShare { pattern, share }).collect(),
    };
    ColumnFidelity {
        rows: seen.tally.values,
        sampled_rows: rows.len() as u64,
        source: side(seen.tally.nulls_in, distinct(|counts| counts.before), before),
        staging: side(seen.tally.nulls_out, distinct(|counts| counts.after), after),
        ks: compared.ks,
        psi: compared.psi,
        patterns: compared.patterns,
        lengths: compared.lengths,
        frequencies: compared.frequencies,
        ..ColumnFidelity::default()
    }
}

/// Rows with a reference, per key that is referred to.
fn fan_out(reference: &MaskedReference, seen: &Seen) -> Option<ReferenceFidelity> {
    let parents = |side: fn(&crate::proof::Counts) -> u32| {
        seen.sample.iter().filter(|(_, counts)| side(counts) > 0).count() as f64 / seen.sample.share()
    };
    let (source_parents, staging_parents) = (parents(|counts| counts.before), parents(|counts| counts.after));
    let per = |nulls: u64, parents: f64| (seen.tally.values.saturating_sub(nulls)) as f64 / parents;
    // Every row with a reference meets one key, of as many pairs as there are.
    let pairs = (seen.tally.values * reference.parents).max(1) as f64;
    let selective = |nulls: u64| seen.tally.values.saturating_sub(nulls) as f64 / pairs;
    (source_parents > 0.0 && staging_parents > 0.0).then(|| ReferenceFidelity {
        reference: format!("{}.{} -> {}", reference.table, reference.column, reference.to),
        source_parents,
        staging_parents,
        source_fan_out: per(seen.tally.nulls_in, source_parents),
        staging_fan_out: per(seen.tally.nulls_out, staging_parents),
        source_selectivity: selective(seen.tally.nulls_in),
        staging_selectivity: selective(seen.tally.nulls_out),
    })
}

/// Rank correlations between masked columns with numbers.
fn correlations(table: &str, names: &[&str], rows: &Rows) -> Vec<CorrelationView> {
    let numeric = |column: &usize| rows.column(*column).any(|pair| pair.iter().all(|cell| cell.number.is_some()));
    let columns: Vec<usize> = (0..names.len()).filter(numeric).take(CORRELATED_MAX).collect();
    let mut found = Vec::new();
    for (index, left) in columns.iter().enumerate() {
        for right in &columns[index + 1..] {
            let Some((count, source, staging)) = correlation(rows, *left, *right) else { continue };
            if count >= CORRELATED_ROWS_MIN {
                let columns = [names[*left].to_owned(), names[*right].to_owned()];
                found.push(CorrelationView { table: table.to_owned(), columns, rows: count as u64, source, staging });
            }
        }
    }
    found
}

/// One gate per threshold.
fn judge(config: &FidelityConfig, view: &FidelityView, started: Instant) -> Vec<Gate> {
    let chosen = |column: &&ColumnFidelity| {
        let name = format!("{}.{}", column.table, column.column);
        config.columns.is_empty() || config.columns.iter().any(|pattern| config::matches(pattern, &name))
    };
    let columns: Vec<&ColumnFidelity> = view.columns.iter().filter(chosen).filter(|column| column.rows > 0).collect();
    let mut gates = Vec::new();
    let mut one = |name: &str, most: Option<f64>, far: &dyn Fn(&ColumnFidelity) -> Option<(f64, f64)>| {
        let Some(most) = most else { return };
        let far: Vec<(&ColumnFidelity, f64, f64)> =
            columns.iter().filter_map(|column| far(column).map(|(far, error)| (*column, far, error))).collect();
        let over = far.iter().filter(|(_, far, error)| *far > most + ERRORS * error + 1e-12);
        let told = |(column, far, _): &(&ColumnFidelity, f64, f64)| {
            format!("{}.{}: {far:.4}, at most {most}", column.table, column.column)
        };
        let wrong: Vec<String> = over.map(told).collect();
        let largest = far.iter().map(|(_, far, _)| *far).fold(0.0, f64::max);
        let found = match wrong.is_empty() {
            true => Ok(format!("{} masked columns, at most {largest:.4}", far.len())),
            false => Err(some_of(wrong)),
        };
        gates.push(Gate { severity: config.severity, ..gate(&format!("fidelity: {name}"), started, found) });
    };
    one("null fraction", config.null_fraction, &|column| {
        Some(((column.source.null_fraction - column.staging.null_fraction).abs(), 0.0))
    });
    one("distinct values", config.distinct_ratio, &|column| {
        let (source, staging) = (&column.source, &column.staging);
        let error = source.distinct_error.hypot(staging.distinct_error);
        (source.distinct > 0.0).then(|| ((source.distinct - staging.distinct).abs() / source.distinct, error))
    });
    one("distribution (KS)", config.ks, &|column| Some((column.ks?, sampling_error(column))));
    one("distribution (PSI)", config.psi, &|column| Some((column.psi?, 0.0)));
    if let Some(most) = config.correlation {
        let far = |view: &&CorrelationView| (view.source - view.staging).abs() > most;
        let told = |view: &CorrelationView| {
            format!(
                "{} ({}): {:.3} at the source, {:.3} after masking",
                view.table,
                view.columns.join(", "),
                view.source,
                view.staging
            )
        };
        let wrong: Vec<String> = view.correlations.iter().filter(far).map(told).collect();
        let found = match wrong.is_empty() {
            true => Ok(format!("{} pairs of masked columns", view.correlations.len())),
            false => Err(some_of(wrong)),
        };
        gates.push(Gate { severity: config.severity, ..gate("fidelity: correlation", started, found) });
    }
    gates
}

/// Both sides were sampled in the same rows; taken for independent, the error of their difference is at most this.
fn sampling_error(column: &ColumnFidelity) -> f64 {
    let whole = column.sampled_rows >= column.rows;
    if whole || column.sampled_rows == 0 { 0.0 } else { (0.5 / column.sampled_rows as f64).sqrt() }
}
