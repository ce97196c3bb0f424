//! Reads a few rows of each table, and asks the server whether columns that look like references are some.

use super::{DiscoverError, ReferenceFound, Samples, Settings};
use crate::catalog::{Catalog, TableKind};
use crate::detect::Sample;
use crate::mask::kind::Takes;
use crate::pg;
use crate::plan::draft::{Draft, DraftColumn, DraftLeaf, DraftTable, Standing};
use futures_util::TryStreamExt as _;
use std::collections::HashMap;
use std::time::Instant;
use tokio_postgres::Client;

/// Tables up to this size are read from their start; larger ones by so many blocks from all over.
const BLOCKS: u32 = 128;
/// Partitions that are looked at, largest first.
const LEAVES_MAX: usize = 3;
/// Characters of a value that reach us, and of a document (a cut one could not be read).
const TEXT_CHARS_MAX: u32 = 2000;
const DOCUMENT_CHARS_MAX: u32 = 65_536;
/// Different values that are looked up in the table a column may refer to, and how many have to be there.
const LOOKUPS: u32 = 200;
const LOOKUPS_MIN: i64 = 10;
/// Candidates for references that are tried at most.
const CANDIDATES_MAX: usize = 300;

/// Sets the limits of every statement of the transaction.
pub(super) async fn limits(client: &Client, settings: &Settings) -> Result<(), DiscoverError> {
    let sql = format!(
        "SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = '2s'; SET LOCAL row_security = off",
        settings.table_time.as_millis().max(1)
    );
    client.batch_execute(&sql).await.map_err(DiscoverError::sql("setting time limits"))
}

/// Empty samples, with the reason.
pub(super) fn none(draft: &Draft<'_>, table: &DraftTable, reason: String) -> Samples {
    Samples { columns: fresh(draft, table), rows: 0, bytes: 0, reason: Some(reason) }
}

fn fresh(draft: &Draft<'_>, table: &DraftTable) -> Vec<Sample> {
    table.columns.iter().map(|column| Sample::new(&draft.facts(table, column))).collect()
}

/// Samples the largest leaves of a table. An error of the server leaves the table to its names, and the transaction as it was.
pub(super) async fn table(
    client: &Client,
    draft: &Draft<'_>,
    table: &DraftTable,
    settings: &Settings,
) -> Result<Samples, DiscoverError> {
    let mut samples = Samples { columns: fresh(draft, table), rows: 0, bytes: 0, reason: None };
    let expressions: Vec<(usize, String)> =
        table.columns.iter().enumerate().filter_map(|(place, column)| Some((place, expression(column)?))).collect();
    if table.leaves.is_empty() {
        samples.reason = Some("the role cannot read it".to_owned());
        return Ok(samples);
    }
    if expressions.is_empty() {
        return Ok(samples);
    }
    let leaves = table.leaves.iter().take(LEAVES_MAX);
    let share = settings.rows.div_ceil(table.leaves.len().clamp(1, LEAVES_MAX) as u32);
    for leaf in leaves {
        client.batch_execute("SAVEPOINT look").await.map_err(DiscoverError::sql("sampling"))?;
        let sql = query(leaf, &expressions, share, settings.seed);
        match rows(client, &sql, &expressions, settings.bytes, &mut samples).await {
            Ok(()) => client.batch_execute("RELEASE look").await.map_err(DiscoverError::sql("sampling"))?,
            Err(error) => {
                let Some(code) = error.code() else { return Err(DiscoverError::sql("sampling")(error)) };
                samples.reason = Some(reason(code.code()));
                client.batch_execute("ROLLBACK TO look").await.map_err(DiscoverError::sql("sampling"))?;
            }
        }
    }
    Ok(samples)
}

/// The server's own words can quote values, so they are put in ours.
fn reason(code: &str) -> String {
    match code {
        "57014" => "the time limit of a table passed".to_owned(),
        "55P03" => "it is locked".to_owned(),
        "42501" => "the role cannot read it".to_owned(),
        code => format!("the server answered with SQLSTATE {code}"),
    }
}

async fn rows(
    client: &Client,
    sql: &str,
    expressions: &[(usize, String)],
    bytes_max: u64,
    samples: &mut Samples,
) -> Result<(), tokio_postgres::Error> {
    let stream = client.query_raw(sql, Vec::<String>::new()).await?;
    let mut stream = std::pin::pin!(stream);
    while let Some(row) = stream.try_next().await? {
        // What is left of the answer is read and thrown away.
        if samples.bytes >= bytes_max {
            break;
        }
        samples.rows += 1;
        for (index, (place, _)) in expressions.iter().enumerate() {
            let value = row.try_get::<_, Option<&str>>(index)?;
            samples.bytes += value.map_or(0, |value| value.len() as u64);
            samples.columns[*place].push(value);
        }
    }
    Ok(())
}

/// How a column's values come to us as text; none for those that say nothing.
fn expression(column: &DraftColumn) -> Option<String> {
    let name = pg::quote_ident(&column.name);
    let document =
        |text: String| format!("CASE WHEN pg_catalog.length({text}) <= {DOCUMENT_CHARS_MAX} THEN {text} END");
    match column.takes {
        Takes::Bytes => None,
        Takes::Json => Some(document(format!("{name}::pg_catalog.text"))),
        _ if column.nested => Some(document(format!("pg_catalog.to_json({name})::pg_catalog.text"))),
        _ => Some(format!("pg_catalog.left({name}::pg_catalog.text, {TEXT_CHARS_MAX})")),
    }
}

fn query(leaf: &DraftLeaf, expressions: &[(usize, String)], rows: u32, seed: u32) -> String {
    let list: Vec<&str> = expressions.iter().map(|(_, expression)| expression.as_str()).collect();
    let from = pg::quote_qualified(&leaf.schema, &leaf.name);
    // A percentage of blocks; REPEATABLE makes two runs see the same ones.
    let sampled = match leaf.blocks > BLOCKS {
        true => format!(
            " TABLESAMPLE SYSTEM ({:.6}) REPEATABLE ({seed})",
            f64::from(BLOCKS) * 100.0 / f64::from(leaf.blocks)
        ),
        false => String::new(),
    };
    // Blocks are spread, but the first of them would fill the limit: every so many rows of the sample, then.
    let limit = match leaf.blocks > BLOCKS && leaf.rows > 0 {
        true => {
            let sampled = leaf.rows as f64 * f64::from(BLOCKS) / f64::from(leaf.blocks);
            let keep = (f64::from(rows) / sampled).min(1.0);
            format!(" WHERE pg_catalog.hashtid(ctid) % 1000 < {} LIMIT {rows}", (keep * 1000.0).ceil() as i64)
        }
        false => format!(" LIMIT {rows}"),
    };
    format!("SELECT {} FROM ONLY {from}{sampled}{limit}", list.join(", "))
}

/// Columns that are called like a reference to a key of another table, and whose sampled values are all in it.
///
/// Values stay at the server: it looks them up and counts.
pub(super) async fn references(
    client: &Client,
    catalog: &Catalog,
    draft: &Draft<'_>,
    order: &[usize],
    started: Instant,
    settings: &Settings,
) -> Result<Vec<ReferenceFound>, DiscoverError> {
    let keys = keys(catalog);
    let mut found = Vec::new();
    let mut tried = 0;
    for table in order.iter().map(|number| &draft.tables[*number]) {
        for column in table.columns.iter().filter(|column| column.standing == Standing::Open && !table.empty) {
            let Some(stem) = column.name.to_lowercase().strip_suffix("_id").map(str::to_owned) else { continue };
            let candidates = [stem.clone(), format!("{stem}s"), format!("{stem}es"), plural_y(&stem)];
            let key = candidates.iter().filter_map(|name| keys.get(&(table.schema.as_str(), name.clone()))).next();
            let Some(key) = key.filter(|key| key.type_name == column.type_name) else { continue };
            let Some(leaf) = table.leaves.first() else { continue };
            tried += 1;
            if tried > CANDIDATES_MAX || started.elapsed() >= settings.time {
                return Ok(found);
            }
            let (from, to) = (pg::quote_ident(&column.name), pg::quote_ident(key.column));
            let sql = format!(
                "SELECT pg_catalog.count(*), pg_catalog.count(p.{to}) FROM (SELECT DISTINCT {from} AS value FROM \
                 (SELECT {from} FROM ONLY {} LIMIT 5000) AS s WHERE {from} IS NOT NULL LIMIT {LOOKUPS}) AS f \
                 LEFT JOIN {} AS p ON p.{to} = f.value",
                pg::quote_qualified(&leaf.schema, &leaf.name),
                pg::quote_qualified(&table.schema, key.table),
            );
            client.batch_execute("SAVEPOINT look").await.map_err(DiscoverError::sql("looking for references"))?;
            match client.query_one(&sql, &[]).await {
                Ok(row) => {
                    let (values, hits): (i64, i64) = (row.get(0), row.get(1));
                    if values >= LOOKUPS_MIN && values == hits {
                        found.push(ReferenceFound {
                            from: format!("{}.{}.{}", table.schema, table.name, column.name),
                            to: format!("{}.{}.{}", table.schema, key.table, key.column),
                            values,
                            found: hits,
                        });
                    }
                }
                Err(error) if error.code().is_none() => {
                    return Err(DiscoverError::sql("looking for references")(error));
                }
                Err(_) => {}
            }
            client.batch_execute("ROLLBACK TO look").await.map_err(DiscoverError::sql("looking for references"))?;
        }
    }
    Ok(found)
}

fn plural_y(stem: &str) -> String {
    stem.strip_suffix('y').map_or_else(String::new, |stem| format!("{stem}ies"))
}

/// A primary key of one column.
struct Key<'a> {
    table: &'a str,
    column: &'a str,
    type_name: &'a str,
}

/// Primary keys of one column by schema and lower-case name of the table.
fn keys(catalog: &Catalog) -> HashMap<(&str, String), Key<'_>> {
    let mut keys = HashMap::new();
    let tables: HashMap<u32, &crate::catalog::Table> = catalog.tables.iter().map(|table| (table.oid, table)).collect();
    for index in catalog.unique_indexes.iter().filter(|index| index.primary && index.columns.len() == 1) {
        let Some(table) = tables.get(&index.table).filter(|table| table.kind != TableKind::Foreign) else { continue };
        if let Some(column) = table.column(index.columns[0]) {
            let key = Key { table: &table.name, column: &column.name, type_name: &column.type_name };
            keys.insert((table.schema.as_str(), table.name.to_lowercase()), key);
        }
    }
    keys
}
