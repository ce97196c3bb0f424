//! The rows of a database as hashes: read for the manifest where they did not pass by, and read again to compare.

use super::{gate, some_of};
use crate::load::LoadError;
use crate::manifest::{Form, Opened, TableContent};
use crate::outcome::Gate;
use crate::outcome::units::plural;
use crate::pg::rowsum::{RowHasher, RowSum};
use crate::pg::types::Format;
use crate::pg::{self, TargetSession, decode};
use futures_util::{StreamExt as _, pin_mut};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;
use tokio_postgres::Client;

/// A table of the database that stores rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub schema: String,
    pub name: String,
    /// The partitioned table it belongs to, at the top.
    pub root: Option<(String, String)>,
    /// Without those the server computes.
    pub columns: Vec<String>,
}

/// Everything that decides how a value is written as text or sent in binary form.
const SETTINGS: &str = "BEGIN READ ONLY; SET LOCAL search_path = ''; SET LOCAL DateStyle = 'ISO, YMD'; \
     SET LOCAL IntervalStyle = 'postgres'; SET LOCAL TimeZone = 'UTC'; SET LOCAL extra_float_digits = 3; \
     SET LOCAL bytea_output = hex; SET LOCAL xmloption = content; SET LOCAL lc_monetary = 'C'; \
     SET LOCAL client_encoding = 'UTF8'; SET LOCAL row_security = off; SET LOCAL statement_timeout = 0; \
     SET LOCAL jit = off";

/// Lists the ordinary tables of the database, but for ours and those of extensions, by name.
///
/// # Errors
/// The error of the server.
pub async fn tables(client: &Client) -> Result<Vec<Stored>, tokio_postgres::Error> {
    let sql = format!(
        "SELECT n.nspname::text, c.relname::text, rn.nspname::text, r.relname::text, \
         ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 \
           AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum) \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN pg_catalog.pg_class r ON c.relispartition AND r.oid = pg_catalog.pg_partition_root(c.oid) \
         LEFT JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace \
         WHERE c.relkind = 'r' AND {} AND {} ORDER BY 1, 2",
        super::record::OURS,
        super::record::OWN
    );
    let rows = client.query(&sql, &[]).await?;
    let stored = rows.iter().map(|row| Stored {
        schema: row.get(0),
        name: row.get(1),
        root: row.get::<_, Option<String>>(2).zip(row.get(3)),
        columns: row.get(4),
    });
    Ok(stored.collect())
}

/// Reads and hashes the rows of one table, as text: it means the same in another database.
///
/// # Errors
/// The error of the server.
pub async fn read(session: &TargetSession, stored: &Stored) -> Result<TableContent, LoadError> {
    let mut content = TableContent {
        schema: stored.schema.clone(),
        name: stored.name.clone(),
        rows: 0,
        tree: false,
        form: Form::Text,
        columns: stored.columns.clone(),
        blake3: None,
    };
    let what = || format!("hashing {}.{}", stored.schema, stored.name);
    match hash(session.client(), &content).await {
        Ok((rows, sum)) => {
            content.rows = rows;
            content.blake3 = Some(sum.finish(rows));
            Ok(content)
        }
        Err(error) if super::record::is_hidden(&error) => Ok(content),
        Err(error) => Err(LoadError::sql(what(), &error)),
    }
}

/// Hashes the rows of a table as its entry says.
async fn hash(client: &Client, table: &TableContent) -> Result<(u64, RowSum), tokio_postgres::Error> {
    client.batch_execute(SETTINGS).await?;
    let done = hash_in_transaction(client, table).await;
    client.batch_execute("ROLLBACK").await?;
    done
}

async fn hash_in_transaction(client: &Client, table: &TableContent) -> Result<(u64, RowSum), tokio_postgres::Error> {
    let columns: Vec<String> = table.columns.iter().map(|column| pg::quote_ident(column)).collect();
    let (format, name) = match table.form {
        Form::Binary => (Format::Binary, "binary"),
        Form::Text => (Format::Text, "text"),
    };
    let only = if table.tree { "" } else { "ONLY " };
    let from = pg::quote_qualified(&table.schema, &table.name);
    let sql = format!("COPY (SELECT {} FROM {only}{from}) TO STDOUT (FORMAT {name})", columns.join(", "));
    let mut hasher = RowHasher::new(&table.schema, &table.name, table.columns.iter().map(String::as_str), format);
    let (mut rows, mut sum, mut started) = (0, RowSum::default(), format == Format::Text);
    let stream = client.copy_out(&sql).await?;
    pin_mut!(stream);
    while let Some(message) = stream.next().await {
        let mut message = message?;
        if !started {
            started = true;
            // A stream that does not begin with the header is hashed as it is, and differs.
            message = message.slice(decode::strip_header(&message).unwrap_or(0)..);
        }
        if message.is_empty() || (format == Format::Binary && decode::is_trailer(&message)) {
            continue;
        }
        hasher.row(&message, &mut sum);
        rows += 1;
    }
    Ok((rows, sum))
}

/// Compares a living database with a manifest: that it is the release, that the files beside the manifest are whole, that
/// the signature is of this key if one is given, and that every table holds the rows it held.
///
/// # Errors
/// The error of the server; a public key that cannot be read.
pub async fn against(
    session: &TargetSession,
    opened: &Opened,
    public_key: Option<&Path>,
) -> Result<Vec<Gate>, crate::error::Failure> {
    let started = Instant::now();
    let mut gates = Vec::new();
    let signature = match public_key {
        Some(key) => Some(opened.signature(key)?),
        None => opened.unchecked_signature(),
    };
    gates.extend(signature.map(|found| gate("signature", started, found)));
    let files = opened.files().map(|count| format!("{count} files as written")).map_err(some_of);
    gates.push(gate("report files", started, files));
    let started = Instant::now();
    gates.push(gate("manifest", started, recorded(session.client(), opened).await?));
    gates.push(contents(session, opened).await?);
    Ok(gates)
}

/// What the release itself says about its manifest.
async fn recorded(client: &Client, opened: &Opened) -> Result<Result<String, String>, LoadError> {
    let failed = |error| LoadError::sql("reading the run of the live database", &error);
    let known = "SELECT count(*) = 1 FROM pg_catalog.pg_attribute WHERE attrelid = pg_catalog.to_regclass('restage.run') AND attname = 'manifest'";
    if !client.query_one(known, &[]).await.map_err(failed)?.get::<_, bool>(0) {
        return Ok(Err("the database does not say which release it is".to_owned()));
    }
    let row = client.query_opt("SELECT release, manifest FROM restage.run", &[]).await.map_err(failed)?;
    let Some(row) = row else { return Ok(Err("the database does not say which release it is".to_owned())) };
    let (release, manifest): (String, Option<String>) = (row.get(0), row.get(1));
    let wanted = &opened.manifest.release;
    Ok(match manifest {
        _ if release != *wanted => Err(format!("the database is release {release}, the manifest is of {wanted}")),
        None => Err(format!("release {release} was never told its manifest")),
        Some(hash) if hash != opened.hash => Err("the file is not the manifest that this release was given".to_owned()),
        Some(_) => Ok(match &opened.manifest.previous {
            Some(previous) => format!("release {release}, after {}", previous.release),
            None => format!("release {release}, the first of its chain"),
        }),
    })
}

/// Reads every table again.
async fn contents(session: &TargetSession, opened: &Opened) -> Result<Gate, LoadError> {
    let started = Instant::now();
    let client = session.client();
    let mut wrong = Vec::new();
    let (mut tables, mut rows) = (0_u64, 0);
    let mut hidden = 0_u64;
    for table in &opened.manifest.tables {
        let Some(expected) = &table.blake3 else {
            hidden += 1;
            continue;
        };
        match hash(client, table).await {
            Ok((found, sum)) if sum.finish(found) == *expected => {
                tables += 1;
                rows += found;
            }
            Ok((found, _)) if found != table.rows => {
                wrong.push(format!("{}: {} rows, {found} now", table.full_name(), table.rows));
            }
            Ok(_) => wrong.push(format!("{}: other values", table.full_name())),
            Err(error) if super::record::is_hidden(&error) => hidden += 1,
            Err(error) => wrong.push(format!("{}: {}", table.full_name(), pg::sql_error(&error))),
        }
    }
    let known: BTreeMap<(&str, &str), &TableContent> =
        opened.manifest.tables.iter().map(|table| ((table.schema.as_str(), table.name.as_str()), table)).collect();
    let trees: BTreeSet<(&str, &str)> = known.iter().filter(|(_, table)| table.tree).map(|(name, _)| *name).collect();
    let stored = self::tables(client).await.map_err(|error| LoadError::sql("listing tables", &error))?;
    for table in &stored {
        let own = (table.schema.as_str(), table.name.as_str());
        let in_tree =
            table.root.as_ref().is_some_and(|(schema, name)| trees.contains(&(schema.as_str(), name.as_str())));
        match known.get(&own) {
            None if !in_tree => wrong.push(format!("{}.{}: not in the manifest", table.schema, table.name)),
            Some(entry) if !entry.tree && !same_names(&entry.columns, &table.columns) => {
                wrong.push(format!("{}: other columns", entry.full_name()));
            }
            _ => {}
        }
    }
    let found = match wrong.as_slice() {
        [] if hidden > 0 => Ok(format!(
            "{tables} tables, {rows} rows read again: as published; {hidden} not read, because their rows are hidden from us"
        )),
        [] => Ok(format!("{}, {} read again: as published", plural(tables, "table"), plural(rows, "row"))),
        wrong => Err(some_of(wrong)),
    };
    Ok(gate("contents", started, found))
}

fn same_names(one: &[String], other: &[String]) -> bool {
    one.iter().collect::<BTreeSet<_>>() == other.iter().collect::<BTreeSet<_>>()
}
