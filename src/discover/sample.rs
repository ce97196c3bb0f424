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

/// Tables up to this size are looked at whole; of larger ones so many blocks from all over.
const BLOCKS: u32 = 128;
/// Partitions that are looked at: the largest, and others down to the smallest.
const LEAVES_MAX: usize = 8;
/// Characters of a value that reach us, and of a document (a cut one could not be read).
const TEXT_CHARS_MAX: u32 = 2000;
const DOCUMENT_CHARS_MAX: u32 = 65_536;
/// Different values that are looked up in the table a column may refer to, and how many have to be there.
const LOOKUPS: u32 = 200;
const LOOKUPS_MIN: i64 = 10;
/// The same for UUIDs, of which a few say enough; and how many keys that are called otherwise one is tried against.
const UUIDS_MIN: i64 = 3;
const OTHERS_MAX: usize = 20;
/// Candidates for references that are tried at most.
const CANDIDATES_MAX: usize = 300;

/// Sets the limits of every statement of the transaction.
pub(super) async fn limits(client: &Client, settings: &Settings) -> Result<(), DiscoverError> {
    // Rows are counted as they come (see `spread`): in the order of the heap, so that two looks choose the same ones.
    let sql = format!(
        "SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = '2s'; SET LOCAL row_security = off; \
         SET LOCAL synchronize_seqscans = off; SET LOCAL max_parallel_workers_per_gather = 0",
        settings.table_time.as_millis().max(1)
    );
    client.batch_execute(&sql).await.map_err(DiscoverError::sql("setting time limits"))
}

/// Empty samples, with the reason.
pub(super) fn none(draft: &Draft<'_>, table: &DraftTable, reason: String) -> Samples {
    Samples { reason: Some(reason), ..empty(draft, table) }
}

fn empty(draft: &Draft<'_>, table: &DraftTable) -> Samples {
    let columns = table.columns.iter().map(|column| Sample::new(&draft.facts(table, column)));
    Samples { columns: columns.collect(), rows: 0, bytes: 0, reason: None, beside: HashMap::new() }
}

/// Samples leaves of a table, among them the largest. An error of the server leaves the table to its names, and the transaction as it was.
pub(super) async fn table(
    client: &Client,
    draft: &Draft<'_>,
    table: &DraftTable,
    settings: &Settings,
) -> Result<Samples, DiscoverError> {
    let mut samples = empty(draft, table);
    let says = |column: &DraftColumn| !matches!(column.takes, Takes::Bytes);
    let places: Vec<usize> = (0..table.columns.len()).filter(|place| says(&table.columns[*place])).collect();
    if table.leaves.is_empty() {
        samples.reason = Some("the role cannot read it".to_owned());
        return Ok(samples);
    }
    if places.is_empty() {
        return Ok(samples);
    }
    let columns: Vec<&DraftColumn> = places.iter().map(|place| &table.columns[*place]).collect();
    let count = table.leaves.len().clamp(1, LEAVES_MAX);
    // They stand by size, and the newest of them, which may be like no other, is seldom among the largest.
    let leaves = (0..count).filter_map(|n| table.leaves.get(n * table.leaves.len() / count));
    let share = settings.rows.div_ceil(count as u32);
    for leaf in leaves {
        client.batch_execute("SAVEPOINT look").await.map_err(DiscoverError::sql("sampling"))?;
        let sql = query(leaf, &columns, share, settings.seed);
        match rows(client, &sql, &places, settings.bytes, &mut samples).await {
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
    places: &[usize],
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
        for (index, place) in places.iter().enumerate() {
            let value = row.try_get::<_, Option<&str>>(index)?;
            samples.bytes += value.map_or(0, |value| value.len() as u64);
            samples.columns[*place].push(value);
        }
    }
    Ok(())
}

/// How a column's values come to us as text.
fn expression(column: &DraftColumn) -> String {
    let name = pg::quote_ident(&column.name);
    let document =
        |text: String| format!("CASE WHEN pg_catalog.length({text}) <= {DOCUMENT_CHARS_MAX} THEN {text} END");
    match column.takes {
        Takes::Json => document(format!("{name}::pg_catalog.text")),
        _ if column.nested => document(format!("pg_catalog.to_json({name})::pg_catalog.text")),
        // A text that begins as a document may be one.
        Takes::Text => format!(
            "pg_catalog.left({name}::pg_catalog.text, CASE WHEN pg_catalog.left({name}::pg_catalog.text, 1) IN ('{{', '[') \
             THEN {DOCUMENT_CHARS_MAX} ELSE {TEXT_CHARS_MAX} END)"
        ),
        _ => format!("pg_catalog.left({name}::pg_catalog.text, {TEXT_CHARS_MAX})"),
    }
}

/// Texts of the values of some columns, in rows from all over a leaf. They are made behind the limit, so that long values of
/// other rows are not even fetched.
fn query(leaf: &DraftLeaf, columns: &[&DraftColumn], rows: u32, seed: u32) -> String {
    let texts: Vec<String> = columns.iter().map(|column| expression(column)).collect();
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    format!("SELECT {} FROM {} AS spread", texts.join(", "), spread(leaf, &names, "true", rows, seed))
}

/// A subquery for rows from all over a leaf, whatever its statistics say: of all its blocks, or of so many that are spread,
/// those rows whose place has the lowest hashes. `names`: the columns it has, each once.
///
/// A limit alone would take the first rows, and these are the oldest. Rows are told apart by counting them: their `ctid` may
/// not be read by a role that may read some columns.
pub(super) fn spread(leaf: &DraftLeaf, names: &[&str], condition: &str, rows: u32, seed: u32) -> String {
    let mut place = "n".to_owned();
    while names.contains(&place.as_str()) {
        place.push('n');
    }
    let names: Vec<String> = names.iter().map(|name| pg::quote_ident(name)).collect();
    let names = names.join(", ");
    let from = pg::quote_qualified(&leaf.schema, &leaf.name);
    // A percentage of blocks; REPEATABLE makes two runs see the same ones.
    let sampled = match leaf.blocks > BLOCKS {
        true => format!(
            " TABLESAMPLE SYSTEM ({:.6}) REPEATABLE ({seed})",
            f64::from(BLOCKS) * 100.0 / f64::from(leaf.blocks)
        ),
        false => String::new(),
    };
    format!(
        "(SELECT {names} FROM (SELECT {names}, pg_catalog.row_number() OVER () AS {place} FROM ONLY {from}{sampled} \
         WHERE {condition}) AS counted ORDER BY pg_catalog.hashint8extended({place}, {seed}), {place} LIMIT {rows})"
    )
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
            let Some(leaf) = table.leaves.first() else { continue };
            for key in candidates(&keys, table, column) {
                tried += 1;
                if tried > CANDIDATES_MAX || started.elapsed() >= settings.time {
                    return Ok(found);
                }
                if let Some((values, hits)) = lookup(client, leaf, &column.name, key).await? {
                    // UUIDs are in a table by chance as good as never.
                    let least = if column.takes == Takes::Uuid { UUIDS_MIN } else { LOOKUPS_MIN };
                    if values >= least && values == hits {
                        found.push(ReferenceFound {
                            from: format!("{}.{}.{}", table.schema, table.name, column.name),
                            to: format!("{}.{}.{}", key.schema, key.table, key.column),
                            values,
                            found: hits,
                        });
                        break;
                    }
                }
            }
        }
    }
    Ok(found)
}

/// Counts different values of a column, and those of them that a key has; none if the server would not say.
async fn lookup(
    client: &Client,
    leaf: &DraftLeaf,
    column: &str,
    key: &Key<'_>,
) -> Result<Option<(i64, i64)>, DiscoverError> {
    let (from, to) = (pg::quote_ident(column), pg::quote_ident(key.column));
    let sql = format!(
        "SELECT pg_catalog.count(*), pg_catalog.count(p.{to}) FROM (SELECT DISTINCT {from} AS value FROM \
         (SELECT {from} FROM ONLY {} LIMIT 5000) AS s WHERE {from} IS NOT NULL LIMIT {LOOKUPS}) AS f \
         LEFT JOIN {} AS p ON p.{to} = f.value",
        pg::quote_qualified(&leaf.schema, &leaf.name),
        pg::quote_qualified(key.schema, key.table),
    );
    client.batch_execute("SAVEPOINT look").await.map_err(DiscoverError::sql("looking for references"))?;
    let answer = match client.query_one(&sql, &[]).await {
        Ok(row) => Some((row.get(0), row.get(1))),
        Err(error) if error.code().is_none() => return Err(DiscoverError::sql("looking for references")(error)),
        Err(_) => None,
    };
    client.batch_execute("ROLLBACK TO look").await.map_err(DiscoverError::sql("looking for references"))?;
    Ok(answer)
}

/// Keys that a column may refer to: those its name speaks of, and for UUIDs, which meet nowhere by chance, any other.
fn candidates<'k, 'a>(keys: &'k [Key<'a>], table: &DraftTable, column: &DraftColumn) -> Vec<&'k Key<'a>> {
    let name = column.name.to_lowercase();
    let stem = ["_id", "_uuid", "_guid"].iter().find_map(|end| name.strip_suffix(end));
    let tables = stem.map(|stem| [stem.to_owned(), format!("{stem}s"), format!("{stem}es"), plural_y(stem)]);
    let uuid = column.takes == Takes::Uuid;
    if tables.is_none() && !uuid {
        return Vec::new();
    }
    let fits = |key: &&Key<'_>| key.type_name == column.type_name && !is_itself(key, table, column);
    let named = |key: &&Key<'_>| {
        key.schema == table.schema && tables.iter().flatten().any(|name| !name.is_empty() && *name == key.called)
    };
    let mut chosen: Vec<&Key<'_>> = keys.iter().filter(fits).filter(named).collect();
    // The primary key of a table goes before its other keys; one of an integer is the only one to try.
    chosen.sort_by_key(|key| !key.primary);
    if uuid && !is_key(keys, table, column) {
        let others = keys.iter().filter(fits).filter(|key| key.primary && !named(key));
        chosen.extend(others.take(OTHERS_MAX));
    } else {
        chosen.retain(|key| key.primary);
    }
    chosen
}

/// A key does not refer to itself.
fn is_itself(key: &Key<'_>, table: &DraftTable, column: &DraftColumn) -> bool {
    (key.schema, key.table, key.column) == (table.schema.as_str(), table.name.as_str(), column.name.as_str())
}

/// Whether a column is the key of its own table.
fn is_key(keys: &[Key<'_>], table: &DraftTable, column: &DraftColumn) -> bool {
    keys.iter().any(|key| key.primary && is_itself(key, table, column))
}

fn plural_y(stem: &str) -> String {
    stem.strip_suffix('y').map_or_else(String::new, |stem| format!("{stem}ies"))
}

/// A unique index over one column, for all rows.
struct Key<'a> {
    /// Name of the table in lower case.
    called: String,
    schema: &'a str,
    table: &'a str,
    column: &'a str,
    type_name: &'a str,
    primary: bool,
}

/// Keys of one column, by schema and table.
fn keys(catalog: &Catalog) -> Vec<Key<'_>> {
    let tables: HashMap<u32, &crate::catalog::Table> = catalog.tables.iter().map(|table| (table.oid, table)).collect();
    let whole = catalog.unique_indexes.iter().filter(|index| index.columns.len() == 1 && index.predicate.is_none());
    let keys = whole.filter_map(|index| {
        let table = tables.get(&index.table)?;
        // A partition has its rows from the table it is part of.
        if table.kind == TableKind::Foreign || table.partition_root.is_some() {
            return None;
        }
        let column = table.column(index.columns[0])?;
        Some(Key {
            called: table.name.to_lowercase(),
            schema: &table.schema,
            table: &table.name,
            column: &column.name,
            type_name: &column.type_name,
            primary: index.primary,
        })
    });
    let mut keys: Vec<Key<'_>> = keys.collect();
    keys.sort_by_key(|key| (key.schema, key.table, !key.primary, key.column));
    keys
}
