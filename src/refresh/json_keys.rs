//! Which keys the documents of JSON columns have: looked at before a run, and when a lock is written. A bounded sample.

use super::preflight::{PROBE_MAX, PROBES_MAX, under_savepoint};
use super::prepare::connect_source;
use super::{Job, json_hint};
use crate::catalog::Catalog;
use crate::config::Rows;
use crate::error::{Failure, Report};
use crate::extract::{ExtractError, snapshot};
use crate::load::LoadError;
use crate::load::postgres::Sessions;
use crate::lock::{Change, Documents, Lock, Sign, Surveyed, kept_documents, locked_name, pins_paths};
use crate::mask::json::{Survey, keeps_rest, names_kept, newly_kept, path_of, path_to, types_of};
use crate::mask::{ColumnSpec, MaskSpec, Params, Shape};
use crate::outcome::Gate;
use crate::outcome::units::{many, plural};
use crate::pg::{self, SourceSession, quote_ident};
use crate::plan::{self, Plan, TablePlan};
use crate::verify::leak;
use futures_util::TryStreamExt as _;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;
use tokio_postgres::Client;

/// Documents of one table that are looked at, from all over it and once more from its end, where new ones are.
const DOCUMENTS_MAX: u32 = 5_000;
/// Documents of a small table that are looked at: as good as all of them, so that a new one is seen wherever it lies.
const DOCUMENTS_SMALL_MAX: u32 = 10_000;
/// Stored size of a document that is looked at; longer ones are checked while they are masked.
const DOCUMENT_BYTES_MAX: u32 = 16 << 10;
/// Tables up to so many blocks are read whole; of others that many blocks are sampled.
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
    let mut surveys: BTreeMap<(String, String), (Survey, Params, Option<Survey>)> = BTreeMap::new();
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
    for Target { table, column, documents, params } in &targets {
        let Some(fresh) = Survey::new(&job.key, params) else { continue };
        let whole = Survey::new(&job.key, params).filter(|_| purpose == Purpose::Review);
        let place = (locked_name(catalog, table), (*column).to_owned());
        let (survey, ..) = surveys.entry(place).or_insert_with(|| (fresh, params.clone(), whole));
        if !read_in_time(&session, &query(catalog, table, column, *documents), survey, started).await? {
            unread.insert(format!("\"{}.{column}\"", table.full_name()));
        }
    }
    // What is rare is to be known to a lock, or none would ever let it through: all documents, if there is time for them.
    for Target { table, column, documents, .. } in &targets {
        let place = (locked_name(catalog, table), (*column).to_owned());
        let Some((_, _, whole)) = surveys.get_mut(&place) else { continue };
        if let Some(all) = whole
            && !read_in_time(&session, &select(table, column, *documents, "", ""), all, started).await?
        {
            *whole = None;
        }
    }
    session.close().await;
    let surveyed = surveys.into_iter();
    let surveyed = surveyed.map(|((table, column), (sampled, params, whole))| {
        let survey = whole.unwrap_or(sampled);
        let (paths, closed) = (survey.paths(), is_closed(&params));
        let known = lock.and_then(|lock| lock.paths(&table, &column)).filter(|_| closed);
        let named = known.map(|known| newly_kept(&job.key, &params, known, &paths)).unwrap_or_default();
        Surveyed { table, column, by_rule: survey.keeps_by_rule(), paths, closed, named }
    });
    Ok(Found { surveyed: surveyed.collect(), unread: unread.into_iter().collect() })
}

/// Reads documents of one column; whether there was time for it.
async fn read_in_time(
    session: &SourceSession,
    sql: &str,
    survey: &mut Survey,
    started: Instant,
) -> Result<bool, Failure> {
    let left = PROBES_MAX.saturating_sub(started.elapsed()).min(PROBE_MAX);
    if left.is_zero() {
        return Ok(false);
    }
    let limit = format!("SET LOCAL statement_timeout = {}", left.as_millis());
    let set = session.client().batch_execute(&limit).await;
    set.map_err(|error| ExtractError::sql("limiting the time of a question", &error))?;
    Ok(under_savepoint(session, read(session, sql, survey)).await?.is_ok())
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
        Some(Target { table, column: &column.name, documents, params: kept_params(known) })
    });
    masked.chain(pairs).chain(kept).collect::<Vec<_>>().into_iter()
}

/// What a survey of a column that is kept as it is leaves out.
fn kept_params(known: Option<&BTreeSet<String>>) -> Params {
    let mut params = Params::from_iter([("rest".to_owned(), "keep".into())]);
    params.extend(known.map(|known| ("known".to_owned(), serde_json::json!(known))));
    params
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

/// Selects documents as text: of small tables all, of others some from all over and the last ones.
fn query(catalog: &Catalog, table: &TablePlan, column: &str, documents: Documents) -> String {
    let sample = |sample: &str, condition: &str, order: &str, most: u32| {
        let long = format!("pg_catalog.pg_column_size(t.{}) <= {DOCUMENT_BYTES_MAX}", quote_ident(column));
        let rest = format!("AND {long}{condition} ORDER BY {order} LIMIT {most}");
        select(table, column, documents, sample, &rest)
    };
    // A limit alone would take the first ones. The same every time: what was accepted yesterday is not found missing today.
    let spread = "pg_catalog.hashtid(t.ctid), t.ctid";
    let source = catalog.table(table.oid);
    let blocks = source.filter(|source| source.heap).map_or(0, |source| source.blocks);
    if blocks <= BLOCKS_MAX {
        return sample("", "", spread, DOCUMENTS_SMALL_MAX);
    }
    let percent = f64::from(BLOCKS_MAX) * 100.0 / f64::from(blocks);
    let tablesample = format!("TABLESAMPLE SYSTEM ({percent:.6}) REPEATABLE (1)");
    if catalog.server.version_num < READS_BLOCK_RANGES {
        return sample(&tablesample, "", spread, DOCUMENTS_MAX);
    }
    let from = blocks - BLOCKS_MAX / 4;
    let [before, last] = ["<", ">="].map(|is| format!(" AND t.ctid {is} '({from},0)'::pg_catalog.tid"));
    // No document twice: a key that one alone has is not written down.
    let all_over = sample(&tablesample, &before, spread, DOCUMENTS_MAX);
    // Backwards: the newest rows are the last of the last blocks.
    format!("({all_over}) UNION ALL ({})", sample("", &last, "t.ctid DESC", DOCUMENTS_MAX))
}

/// Selects documents of a table as text. They are made texts behind `rest`, its conditions and its limit, so that long ones
/// of other rows are not fetched.
fn select(table: &TablePlan, column: &str, documents: Documents, sample: &str, rest: &str) -> String {
    let name = format!("{}.{}", quote_ident(&table.schema), quote_ident(&table.name));
    let column = quote_ident(column);
    let (value, more) = match documents {
        Documents::Array => ("e.x", ", pg_catalog.unnest(s.v) AS e (x)"),
        Documents::One => ("s.v", ""),
        Documents::Hstore => ("s.v::pg_catalog.jsonb", ""),
    };
    format!(
        "SELECT {value}::pg_catalog.text FROM (SELECT t.{column} AS v FROM ONLY {name} AS t {sample} \
         WHERE t.{column} IS NOT NULL {rest}) AS s{more} WHERE {value} IS NOT NULL"
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
            warns: false,
            patches: Vec::new(),
            statement: None,
            accepted: None,
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
            "the keys of {columns} could not be looked at in time; a `json` mask lets no new one pass while it masks, and of \
             a column that is kept they are looked at before staging is published"
        )
    })
}

/// Whether the documents of columns that are kept as they are hold nothing, in the loaded database, that the lock does not
/// know: all of them, because no mask has read them. None without such columns.
///
/// # Errors
/// The error of the server.
pub(super) async fn loaded(
    job: &Job,
    catalog: &Catalog,
    plan: &Plan,
    sessions: &Sessions,
) -> Result<Option<Gate>, Failure> {
    let started = Instant::now();
    let Some(lock) = job.lock.as_ref().filter(|_| job.leak.on) else { return Ok(None) };
    let (mut columns, mut documents, mut hidden) = (BTreeSet::new(), 0, Vec::new());
    let mut new: BTreeMap<(String, String), (Survey, Unknown)> = BTreeMap::new();
    for table in &plan.tables {
        let name = locked_name(catalog, table);
        for column in &table.columns {
            let (Some(kind), Some(known)) = (kept_documents(catalog, table, column), lock.paths(&name, &column.name))
            else {
                continue;
            };
            let called = [format!("{name}.{}", column.name), format!("{}.{}", table.full_name(), column.name)];
            if called.iter().any(|name| job.leak.allows(name)) {
                continue;
            }
            let Some(fresh) = Survey::new(&job.key, &kept_params(Some(known))) else { continue };
            let place = (name.clone(), column.name.clone());
            columns.insert(place.clone());
            let (survey, unknown) = new.entry(place).or_insert((fresh, Unknown::default()));
            let session = sessions.take().await?;
            let sql = select(table, &column.name, kind, "", "");
            let from = pg::quote_qualified(&table.schema, &table.name);
            match read_loaded(session.client(), &from, &sql, survey, unknown).await {
                Ok(Some(read)) => documents += read,
                Ok(None) => hidden.push(called[1].clone()),
                Err(error) => return Err(LoadError::sql(format!("reading documents of {from}"), &error).into()),
            }
            sessions.give(session);
        }
    }
    if columns.is_empty() {
        return Ok(None);
    }
    new.retain(|_, (_, unknown)| unknown.new + unknown.unreadable > 0);
    let mut told: Vec<String> = hidden.iter().map(|column| format!("{column}: its rows are hidden from us")).collect();
    let mut hints = Vec::new();
    for ((name, column), (survey, unknown)) in &new {
        if unknown.unreadable > 0 {
            let documents = plural(unknown.unreadable, "document");
            told.push(format!("{name}.{column}: {documents} cannot be read, so what they hold is not known"));
        }
        if unknown.new == 0 {
            continue;
        }
        let (table, column, paths) = (name.clone(), column.clone(), survey.paths());
        let shown = paths.iter().take(SHOWN_MAX).cloned().collect::<Vec<_>>().join(", ");
        let documents = plural(unknown.new, "document");
        told.push(format!(
            "{table}.{column}: {documents} with values at paths, or of types, that nobody has reviewed: {shown}"
        ));
        let (closed, named) = (false, BTreeSet::new());
        let surveyed = Surveyed { table, column, by_rule: false, paths, closed, named };
        hints.extend(refusal(job, catalog, plan, &surveyed).and_then(|report| report.hint));
    }
    let allowed: Vec<String> = new.keys().map(|(table, column)| format!("{table}.{column}")).collect();
    if !allowed.is_empty() {
        let line = plan::list_line("leak_allow", "verify", &job.leak.allow, allowed.iter());
        hints.push(format!("Or, where documents may hold whatever they like:\n{line}"));
    }
    let ok = told.is_empty();
    let fine = || {
        let of = plural(columns.len() as u64, "kept column");
        format!(
            "{of} of documents, {} read: no path and no type that the lock does not know",
            many(documents, "document")
        )
    };
    let gate = Gate {
        name: "leak: keys of documents".to_owned(),
        ok,
        evidence: if ok { fine() } else { told.join("; ") },
        ms: started.elapsed().as_millis() as u64,
        hint: (!hints.is_empty()).then(|| hints.join("\n")),
        ..Gate::default()
    };
    Ok(Some(gate))
}

/// Documents of a column that the lock does not vouch for.
#[derive(Default)]
struct Unknown {
    /// They hold something new.
    new: u64,
    /// They are no JSON that we can read (a half of a pair of surrogates, a number beyond all bounds), so they may.
    unreadable: u64,
}

/// Reads the documents of one loaded column: how many, or none where they are hidden from us.
async fn read_loaded(
    client: &Client,
    from: &str,
    sql: &str,
    survey: &mut Survey,
    unknown: &mut Unknown,
) -> Result<Option<usize>, tokio_postgres::Error> {
    if !leak::begin_look(client, from).await? {
        return Ok(Some(0));
    }
    let none: [&str; 0] = [];
    let mut read = 0;
    let stream = client.query_raw(sql, none).await;
    let found = match stream {
        Ok(rows) => {
            let mut rows = Box::pin(rows);
            while let Some(row) = rows.try_next().await? {
                read += 1;
                let new = survey.read_if_new(row.try_get(0)?);
                unknown.new += u64::from(new == Some(true));
                unknown.unreadable += u64::from(new.is_none());
            }
            Some(read)
        }
        Err(error) => match error.code().map(tokio_postgres::error::SqlState::code) {
            Some("42501") => None,
            // A hook took the column away.
            Some("42703") => Some(0),
            _ => return Err(error),
        },
    };
    client.batch_execute("ROLLBACK").await?;
    Ok(found)
}

fn mask_of<'a>(table: &'a TablePlan, column: &str) -> Option<&'a MaskSpec> {
    let spec = table.mask.columns.iter().find(|spec| column_name(table, spec) == column && spec.mask.is_some())?;
    spec.mask.as_ref()
}
