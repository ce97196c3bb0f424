//! Which keys the documents of JSON columns have: looked at before a run, and when a lock is written. A bounded sample.

use super::Job;
use super::preflight::{PROBE_MAX, PROBES_MAX, under_savepoint};
use super::prepare::connect_source;
use crate::catalog::Catalog;
use crate::error::{Failure, Report};
use crate::extract::{ExtractError, snapshot};
use crate::lock::{Surveyed, locked_name, pins_paths};
use crate::mask::json::Survey;
use crate::mask::{ColumnSpec, MaskSpec, Shape};
use crate::pg::{SourceSession, quote_ident};
use crate::plan::{Plan, TablePlan, toml_key};
use futures_util::TryStreamExt as _;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// Documents of one table that are looked at, from all over it and once more from its end, where new ones are.
const DOCUMENTS_MAX: u32 = 500;
/// Stored size of a document that is looked at; longer ones are checked while they are masked.
const DOCUMENT_BYTES_MAX: u32 = 16 << 10;
/// Tables up to so many blocks are read from their beginning; of others that many blocks are sampled.
const BLOCKS_MAX: u32 = 128;
/// The first major that reads a range of blocks without reading the table.
const READS_BLOCK_RANGES: u32 = 140_000;
/// Paths an error lists.
const SHOWN_MAX: usize = 10;

/// What a look at the documents found.
#[derive(Debug, Default)]
pub struct Found {
    /// A column each, with the paths that are not known yet.
    pub surveyed: Vec<Surveyed>,
    /// Columns that could not be looked at in time.
    pub unread: Vec<String>,
}

/// Samples the JSON columns of a plan whose masks keep by `rest`.
///
/// # Errors
/// The source cannot be reached.
pub async fn survey(job: &Job, catalog: &Catalog, plan: &Plan) -> Result<Found, Failure> {
    let mut surveys: BTreeMap<(String, String), Survey> = BTreeMap::new();
    let mut unread = BTreeSet::new();
    let columns = plan.tables.iter().flat_map(|table| table.mask.columns.iter().map(move |spec| (table, spec)));
    let mut pinned =
        columns.filter_map(|(table, spec)| Some((table, spec, spec.mask.as_ref().filter(|m| pins_paths(m))?)));
    let mut next = pinned.next();
    if next.is_none() {
        return Ok(Found::default());
    }
    let session = connect_source(job).await?;
    snapshot::begin(&session, None).await?;
    let started = Instant::now();
    while let Some((table, spec, mask)) = next {
        next = pinned.next();
        let column = column_name(table, spec);
        let Some(fresh) = Survey::new(&job.key, &mask.params) else { continue };
        let survey = surveys.entry((locked_name(catalog, table), column.to_owned())).or_insert(fresh);
        let left = PROBES_MAX.saturating_sub(started.elapsed()).min(PROBE_MAX);
        let done = !left.is_zero() && {
            let limit = format!("SET LOCAL statement_timeout = {}", left.as_millis());
            let set = session.client().batch_execute(&limit).await;
            set.map_err(|error| ExtractError::sql("limiting the time of a question", &error))?;
            under_savepoint(&session, read(&session, &query(catalog, table, spec), survey)).await?.is_ok()
        };
        if !done {
            unread.insert(format!("\"{}.{column}\"", table.full_name()));
        }
    }
    session.close().await;
    let surveyed = surveys.into_iter();
    let surveyed = surveyed.map(|((table, column), survey)| Surveyed { table, column, paths: survey.paths() });
    Ok(Found { surveyed: surveyed.collect(), unread: unread.into_iter().collect() })
}

fn column_name<'a>(table: &TablePlan, spec: &'a ColumnSpec) -> &'a str {
    spec.name.strip_prefix(&table.full_name()).and_then(|rest| rest.strip_prefix('.')).unwrap_or(&spec.name)
}

async fn read(session: &SourceSession, sql: &str, survey: &mut Survey) -> Result<(), tokio_postgres::Error> {
    let none: [&str; 0] = [];
    let mut rows = std::pin::pin!(session.client().query_raw(sql, none).await?);
    while let Some(row) = rows.try_next().await? {
        if let Ok(document) = row.try_get::<_, &str>(0) {
            survey.read(document);
        }
    }
    Ok(())
}

/// Selects documents as text.
fn query(catalog: &Catalog, table: &TablePlan, spec: &ColumnSpec) -> String {
    let name = format!("{}.{}", quote_ident(&table.schema), quote_ident(&table.name));
    let column = format!("t.{}", quote_ident(column_name(table, spec)));
    let (value, more) = match spec.shape {
        Shape::Array(_) => ("v.x".to_owned(), format!(", pg_catalog.unnest({column}) AS v (x)")),
        _ => (column.clone(), String::new()),
    };
    let select = |sample: &str, condition: &str| {
        format!(
            "(SELECT {value}::pg_catalog.text FROM ONLY {name} AS t {sample}{more} WHERE {value} IS NOT NULL \
             AND pg_catalog.pg_column_size({column}) <= {DOCUMENT_BYTES_MAX}{condition} LIMIT {DOCUMENTS_MAX})"
        )
    };
    let source = catalog.table(table.oid);
    let blocks = source.filter(|source| source.heap).map_or(0, |source| source.blocks);
    if blocks <= BLOCKS_MAX {
        return select("", "");
    }
    let percent = f64::from(BLOCKS_MAX) * 100.0 / f64::from(blocks);
    // The same blocks every time: what was accepted yesterday is not found missing today.
    let all_over = select(&format!("TABLESAMPLE SYSTEM ({percent:.6}) REPEATABLE (1)"), "");
    if catalog.server.version_num < READS_BLOCK_RANGES {
        return all_over;
    }
    let from = blocks - BLOCKS_MAX / 4;
    format!("{all_over} UNION ALL {}", select("", &format!(" AND t.ctid >= '({from},0)'::pg_catalog.tid")))
}

/// The refusals for keys that nobody has reviewed, with the lines to paste; masks with `unknown_keys = "null"` need none.
pub(super) fn unknown(catalog: &Catalog, plan: &Plan, found: &Found) -> Vec<Report> {
    let refused = found.surveyed.iter().filter(|surveyed| !surveyed.paths.is_empty());
    refused
        .filter_map(|surveyed| {
            let (table, spec, mask) = mask_of(catalog, plan, surveyed)?;
            if mask.params.get("unknown_keys").and_then(serde_json::Value::as_str) == Some("null") {
                return None;
            }
            let Surveyed { table: name, column, paths } = surveyed;
            let mut shown: Vec<&str> = paths.iter().map(String::as_str).take(SHOWN_MAX).collect();
            if paths.len() > SHOWN_MAX {
                shown.push("…");
            }
            let lines: Vec<String> = paths
                .iter()
                .filter(|path| !path.contains("[\"#"))
                .take(SHOWN_MAX)
                .map(|path| format!("{path:?} = \"…\""))
                .collect();
            let mut hint = "If they say nothing about a person:\nrestage plan --write-lock".to_owned();
            if !lines.is_empty() {
                hint.push_str(&format!(
                    "\nElse mask them:\n[tables.\"{}\".columns.{}.paths]\n{}",
                    crate::plan::escape(name),
                    toml_key(column),
                    lines.join("\n")
                ));
            }
            hint.push_str("\nOr let unknown keys become null: unknown_keys = \"null\"");
            let message = match paths.len() {
                1 => format!("documents in \"{name}.{column}\" hold values at a path that nobody has reviewed"),
                count => {
                    format!("documents in \"{name}.{column}\" hold values at {count} paths that nobody has reviewed")
                }
            };
            let mut report = Report::new("plan::json-keys", message)
                .detail(format!("`rest = \"keep\"` would keep them: {}", shown.join(", ")))
                .hint(hint);
            let planned = table.columns.iter().find(|known| known.name == column_name(table, spec));
            report.place = planned.and_then(|planned| Some(planned.place.as_ref()?.to_string()));
            Some(report)
        })
        .collect()
}

/// What the run says about columns it could not look at.
pub(super) fn unread(found: &Found) -> Option<String> {
    let columns = found.unread.join(", ");
    (!columns.is_empty()).then(|| {
        format!("the keys of {columns} could not be looked at in time; a document with a new key stops the load there")
    })
}

fn mask_of<'a>(
    catalog: &Catalog,
    plan: &'a Plan,
    surveyed: &Surveyed,
) -> Option<(&'a TablePlan, &'a ColumnSpec, &'a MaskSpec)> {
    let table = plan.tables.iter().find(|table| locked_name(catalog, table) == surveyed.table)?;
    let spec =
        table.mask.columns.iter().find(|spec| column_name(table, spec) == surveyed.column && spec.mask.is_some())?;
    Some((table, spec, spec.mask.as_ref()?))
}
