//! Which keys the documents of JSON columns have: looked at before a run, and when a lock is written. A bounded sample.

use super::preflight::{PROBE_MAX, PROBES_MAX, under_savepoint};
use super::prepare::connect_source;
use super::{Job, json_hint};
use crate::catalog::Catalog;
use crate::config::Rows;
use crate::error::{Failure, Report};
use crate::extract::{ExtractError, snapshot};
use crate::lock::{Change, Documents, Lock, Sign, Surveyed, kept_documents, locked_name, pins_paths};
use crate::mask::json::{Survey, keeps_rest, names_kept, newly_kept, path_of, path_to, types_of};
use crate::mask::{ColumnSpec, MaskSpec, Params, Shape};
use crate::pg::{SourceSession, quote_ident};
use crate::plan::{Plan, TablePlan};
use futures_util::TryStreamExt as _;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// Documents of one table that are looked at, from all over it and once more from its end, where new ones are.
const DOCUMENTS_MAX: u32 = 500;
/// Documents of a small table that are looked at: as good as all of them, so that a new one is seen wherever it lies.
const DOCUMENTS_SMALL_MAX: u32 = 10_000;
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

/// How a survey treats what the lock knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// For a run, and `plan --diff`: only what a lock pins, and of that only what it does not know.
    Compare,
    /// For a lock that is written anew: also what the one before did not pin.
    Review,
}

/// A column whose documents are looked at.
struct Target<'a> {
    table: &'a TablePlan,
    column: &'a str,
    documents: Documents,
    /// What the survey leaves out: what rules of a mask decide, and what is known.
    params: Params,
}

/// Samples the JSON columns of a plan that are kept, by `rest` or paths of their masks, or as they are.
///
/// # Errors
/// The source cannot be reached.
pub async fn survey(job: &Job, catalog: &Catalog, plan: &Plan, purpose: Purpose) -> Result<Found, Failure> {
    let mut surveys: BTreeMap<(String, String), (Survey, Params)> = BTreeMap::new();
    let mut unread = BTreeSet::new();
    let lock = job.lock.as_ref();
    let targets: Vec<Target<'_>> =
        plan.tables.iter().flat_map(|table| targets(catalog, table, lock, purpose)).collect();
    if targets.is_empty() {
        return Ok(Found::default());
    }
    let session = connect_source(job).await?;
    snapshot::begin(&session, None).await?;
    let started = Instant::now();
    for Target { table, column, documents, params } in targets {
        let Some(fresh) = Survey::new(&job.key, &params) else { continue };
        let place = (locked_name(catalog, table), column.to_owned());
        let (survey, _) = surveys.entry(place).or_insert_with(|| (fresh, params.clone()));
        let left = PROBES_MAX.saturating_sub(started.elapsed()).min(PROBE_MAX);
        let done = !left.is_zero() && {
            let limit = format!("SET LOCAL statement_timeout = {}", left.as_millis());
            let set = session.client().batch_execute(&limit).await;
            set.map_err(|error| ExtractError::sql("limiting the time of a question", &error))?;
            under_savepoint(&session, read(&session, &query(catalog, table, column, documents), survey)).await?.is_ok()
        };
        if !done {
            unread.insert(format!("\"{}.{column}\"", table.full_name()));
        }
    }
    session.close().await;
    let surveyed = surveys.into_iter();
    let surveyed = surveyed.map(|((table, column), (survey, params))| {
        let (paths, closed) = (survey.paths(), is_closed(&params));
        let known = lock.and_then(|lock| lock.paths(&table, &column)).filter(|_| closed);
        let named = known.map(|known| newly_kept(&job.key, &params, known, &paths)).unwrap_or_default();
        Surveyed { table, column, by_rule: survey.keeps_by_rule(), paths, closed, named }
    });
    Ok(Found { surveyed: surveyed.collect(), unread: unread.into_iter().collect() })
}

/// The columns of a table whose documents are to be looked at.
fn targets<'a>(
    catalog: &Catalog,
    table: &'a TablePlan,
    lock: Option<&Lock>,
    purpose: Purpose,
) -> impl Iterator<Item = Target<'a>> {
    let name = locked_name(catalog, table);
    let known = |column: &str| {
        let known = lock.and_then(|lock| lock.paths(&name, column));
        // Paths of a lock of before types were written down get theirs when it is written anew.
        known.filter(|paths| purpose == Purpose::Compare || paths.iter().all(|path| types_of(path).is_some()))
    };
    let specs = table.mask.columns.iter().filter(|_| table.rows != Rows::None);
    let masked = specs.filter_map(|spec| {
        let mask = spec.mask.as_ref().filter(|mask| pins_paths(mask))?;
        let (column, mut params) = (column_name(table, spec), mask.params.clone());
        match (purpose, known(column).is_none()) {
            // A lock of before paths that are kept were pinned: what is below them was not compared.
            (Purpose::Compare, true) if !keeps_rest(&params) => return None,
            (Purpose::Compare, _) => {}
            (Purpose::Review, unknown) if unknown || names_kept(&params) => drop(params.remove("known")),
            (Purpose::Review, _) => {}
        }
        let documents = if matches!(spec.shape, Shape::Array(_)) { Documents::Array } else { Documents::One };
        Some(Target { table, column, documents, params })
    });
    let pairs = table.mask.columns.iter().filter(|_| table.rows != Rows::None).filter_map(|spec| {
        let mask = spec.mask.as_ref().filter(|mask| keeps_pairs(mask) && matches!(spec.shape, Shape::Hstore))?;
        let column = column_name(table, spec);
        let known = known(column);
        if known.is_none() && purpose == Purpose::Compare {
            return None;
        }
        let fields = mask.params.get("fields").and_then(serde_json::Value::as_object).into_iter().flatten();
        let decided: Params = fields.map(|(key, _)| (path_to(std::slice::from_ref(key)), "null".into())).collect();
        let mut params = Params::from_iter([("rest".to_owned(), "keep".into()), ("paths".to_owned(), decided.into())]);
        params.extend(known.map(|known| ("known".to_owned(), serde_json::json!(known))));
        Some(Target { table, column, documents: Documents::Hstore, params })
    });
    let kept = table.columns.iter().filter_map(|column| {
        let documents = kept_documents(catalog, table, column)?;
        let known = known(&column.name);
        if known.is_none() && purpose == Purpose::Compare {
            return None;
        }
        let mut params = Params::from_iter([("rest".to_owned(), "keep".into())]);
        params.extend(known.map(|known| ("known".to_owned(), serde_json::json!(known))));
        Some(Target { table, column: &column.name, documents, params })
    });
    masked.chain(pairs).chain(kept).collect::<Vec<_>>().into_iter()
}

/// Whether a mask of an hstore keeps what none of its fields names: it is looked at as a column that is kept.
fn keeps_pairs(mask: &MaskSpec) -> bool {
    mask.kind.starts_with("hstore/") && keeps_rest(&mask.params)
}

/// Whether a mask makes null of what is not known.
fn is_closed(params: &Params) -> bool {
    params.get("unknown_keys").and_then(serde_json::Value::as_str) == Some("null")
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
fn query(catalog: &Catalog, table: &TablePlan, column: &str, documents: Documents) -> String {
    let name = format!("{}.{}", quote_ident(&table.schema), quote_ident(&table.name));
    let column = format!("t.{}", quote_ident(column));
    let (value, more) = match documents {
        Documents::Array => ("v.x".to_owned(), format!(", pg_catalog.unnest({column}) AS v (x)")),
        Documents::One => (column.clone(), String::new()),
        Documents::Hstore => (format!("{column}::pg_catalog.jsonb"), String::new()),
    };
    let select = |sample: &str, condition: &str, most: u32| {
        format!(
            "(SELECT {value}::pg_catalog.text FROM ONLY {name} AS t {sample}{more} WHERE {value} IS NOT NULL \
             AND pg_catalog.pg_column_size({column}) <= {DOCUMENT_BYTES_MAX}{condition} LIMIT {most})"
        )
    };
    let source = catalog.table(table.oid);
    let blocks = source.filter(|source| source.heap).map_or(0, |source| source.blocks);
    if blocks <= BLOCKS_MAX {
        return select("", "", DOCUMENTS_SMALL_MAX);
    }
    let percent = f64::from(BLOCKS_MAX) * 100.0 / f64::from(blocks);
    // The same blocks every time: what was accepted yesterday is not found missing today.
    let all_over = select(&format!("TABLESAMPLE SYSTEM ({percent:.6}) REPEATABLE (1)"), "", DOCUMENTS_MAX);
    if catalog.server.version_num < READS_BLOCK_RANGES {
        return all_over;
    }
    let from = blocks - BLOCKS_MAX / 4;
    format!(
        "{all_over} UNION ALL {}",
        select("", &format!(" AND t.ctid >= '({from},0)'::pg_catalog.tid"), DOCUMENTS_MAX)
    )
}

/// The refusals for keys that nobody has reviewed, with the lines to paste; masks with `unknown_keys = "null"` need none.
pub fn unknown(job: &Job, catalog: &Catalog, plan: &Plan, found: &Found) -> Vec<Report> {
    let refused = found.surveyed.iter().filter(|surveyed| !surveyed.paths.is_empty());
    refused.filter_map(|surveyed| refusal(job, catalog, plan, surveyed)).collect()
}

/// The same as differences from the lock, for `plan --diff`.
pub fn changes(job: &Job, catalog: &Catalog, plan: &Plan, found: &Found) -> Vec<Change> {
    let new = found.surveyed.iter().filter(|surveyed| !surveyed.paths.is_empty());
    let new = new.filter(|surveyed| refusal(job, catalog, plan, surveyed).is_some());
    let change = |surveyed: &Surveyed| {
        let mut shown: Vec<&str> = surveyed.paths.iter().take(SHOWN_MAX).map(String::as_str).collect();
        if surveyed.paths.len() > SHOWN_MAX {
            shown.push("…");
        }
        Change {
            change: Sign::Added,
            what: format!("values in documents of {}.{}", surveyed.table, surveyed.column),
            detail: shown.join(", "),
            refuses: true,
            patch: None,
        }
    };
    new.map(change).collect()
}

fn refusal(job: &Job, catalog: &Catalog, plan: &Plan, surveyed: &Surveyed) -> Option<Report> {
    let Surveyed { table: name, column, paths, by_rule, .. } = surveyed;
    let table = plan.tables.iter().find(|table| locked_name(catalog, table) == *name)?;
    let mask = mask_of(table, column);
    if mask.is_some_and(|mask| is_closed(&mask.params)) {
        return None;
    }
    let known = job.lock.as_ref().and_then(|lock| lock.paths(name, column));
    let told = |entry: &String| {
        let mut known = known.into_iter().flatten();
        let before = known.find(|known| path_of(known) == path_of(entry)).and_then(|known| types_of(known));
        match before {
            Some(before) => format!("{entry} (it was {before})"),
            None => entry.clone(),
        }
    };
    let mut shown: Vec<String> = paths.iter().take(SHOWN_MAX).map(told).collect();
    if paths.len() > SHOWN_MAX {
        shown.push("…".to_owned());
    }
    let planned = table.columns.iter().find(|known| known.name == *column);
    let hstore = mask.is_some_and(keeps_pairs)
        || planned.and_then(|planned| kept_documents(catalog, table, planned)) == Some(Documents::Hstore);
    let hint = json_hint::hint(&json_hint::Asked { job, table, name, column, mask, paths, known, hstore });
    let what = match paths.len() {
        1 => "at a path, or of a type, that nobody has reviewed".to_owned(),
        count => format!("at {count} paths, or of types, that nobody has reviewed"),
    };
    let message = format!("documents in \"{name}.{column}\" hold values {what}");
    let keeps = match mask {
        Some(_) if *by_rule => "A path that is kept has them below it, or `rest` would keep them",
        Some(_) => "`rest = \"keep\"` would keep them",
        None => "The column is kept with them",
    };
    let report = Report::new("plan::json-keys", message).detail(format!("{keeps}: {}", shown.join(", "))).hint(hint);
    Some(Report { place: planned.and_then(|planned| Some(planned.place.as_ref()?.to_string())), ..report })
}

/// What the run says about columns it could not look at.
pub fn unread(found: &Found) -> Option<String> {
    let columns = found.unread.join(", ");
    (!columns.is_empty()).then(|| {
        format!(
            "the keys of {columns} could not be looked at in time; a `json` mask lets no new one pass while it masks, a \
             column that is kept does"
        )
    })
}

fn mask_of<'a>(table: &'a TablePlan, column: &str) -> Option<&'a MaskSpec> {
    let spec = table.mask.columns.iter().find(|spec| column_name(table, spec) == column && spec.mask.is_some())?;
    spec.mask.as_ref()
}
