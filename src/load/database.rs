//! The database that is loaded aside: made from template0, marked, given its schema, sequences and grants.

use super::objects::{Entry, Objects, statements};
use super::{LoadError, roles};
use crate::catalog::Server;
use crate::config::MissingRoles;
use crate::event::Events;
use crate::pg::{self, Conninfo, TargetSession};
use crate::plan::{Plan, SequencePlan};
use crate::release::Mark;
use std::collections::{BTreeMap, BTreeSet};

/// Opens a session on the target with the settings every load session uses; it acts as `owner` if there is one, so that
/// all it creates belongs to that role.
///
/// # Errors
/// [`LoadError::Connect`], or the server's refusal of a setting or of the role.
pub async fn open(info: &Conninfo, application: &str, owner: Option<&str>) -> Result<TargetSession, LoadError> {
    let session = TargetSession::connect(info, application)
        .await
        .map_err(|error| LoadError::Connect(Box::new(error.error.report(pg::Side::Target))))?;
    // The copy can be made again at any time, so no commit has to wait for the disk. Index builds get memory by the size
    // the server was given, because the memory of its machine cannot be asked for. What is live may be read-only for its
    // users, and is told its manifest and gates all the same.
    let settings = "SET synchronous_commit = off; SET statement_timeout = 0; SET lock_timeout = 0; \
         SET idle_in_transaction_session_timeout = 0; SET client_min_messages = warning; SET row_security = off; \
         SET check_function_bodies = false; SET default_transaction_read_only = off; SET xmloption = content; SET DateStyle = 'ISO, YMD'; \
         SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; SET extra_float_digits = 3; SET bytea_output = hex; \
         SET lc_monetary = 'C'; SET standard_conforming_strings = on; SET client_encoding = 'UTF8'; \
         SET max_parallel_maintenance_workers = 0; SET jit = off; \
         SELECT pg_catalog.set_config('search_path', '', false); \
         SELECT pg_catalog.set_config('maintenance_work_mem', \
           greatest(pg_catalog.pg_size_bytes(pg_catalog.current_setting('maintenance_work_mem')), \
             least(pg_catalog.pg_size_bytes(pg_catalog.current_setting('shared_buffers')) / 4, 1073741824)) / 1024 || 'kB', \
           false)";
    session.client().batch_execute(settings).await.map_err(|error| LoadError::sql("preparing a session", &error))?;
    if let Some(owner) = owner {
        let sql = format!("SET ROLE {}", pg::quote_ident(owner));
        session.client().batch_execute(&sql).await.map_err(|error| LoadError::sql("acting as the owner", &error))?;
    }
    Ok(session)
}

/// Creates the database aside with the locale of the source, and marks it before anything else is done in it.
///
/// # Errors
/// The error of the server: no CREATEDB right, a locale it does not have, no disk.
pub async fn create(
    admin: &TargetSession,
    name: &str,
    source: &Server,
    tablespace: Option<&str>,
    mark: &Mark,
) -> Result<(), LoadError> {
    // Closed until it is marked: a run that dies in between leaves a database that is provably empty, and
    // `Admin::drop_aside` may drop it without a mark.
    let mut sql = format!(
        "CREATE DATABASE {} TEMPLATE template0 ALLOW_CONNECTIONS false CONNECTION LIMIT 0",
        pg::quote_ident(name)
    );
    if let Some(tablespace) = tablespace {
        sql.push_str(&format!(" TABLESPACE {}", pg::quote_ident(tablespace)));
    }
    sql.push_str(&format!(" ENCODING {}", pg::quote_literal(&source.encoding)));
    sql.push_str(&format!(
        " LC_COLLATE {} LC_CTYPE {}",
        pg::quote_literal(&source.collate),
        pg::quote_literal(&source.ctype)
    ));
    if admin.version_num() >= 150_000 {
        match source.locale_provider.as_str() {
            "i" => {
                let locale = source.icu_locale.as_deref().unwrap_or("und");
                sql.push_str(&format!(" LOCALE_PROVIDER icu ICU_LOCALE {}", pg::quote_literal(locale)));
                if let Some(rules) = &source.icu_rules {
                    sql.push_str(&format!(" ICU_RULES {}", pg::quote_literal(rules)));
                }
            }
            "b" => {
                let locale = source.icu_locale.as_deref().unwrap_or("C.UTF-8");
                sql.push_str(&format!(" LOCALE_PROVIDER builtin BUILTIN_LOCALE {}", pg::quote_literal(locale)));
            }
            _ => sql.push_str(" LOCALE_PROVIDER libc"),
        }
    }
    let what = format!("creating database \"{name}\"");
    admin.client().batch_execute(&sql).await.map_err(|error| LoadError::sql(&what, &error))?;
    let comment = mark.comment("being loaded by restage; not published");
    // One message, so one transaction.
    let sql = format!(
        "COMMENT ON DATABASE {name} IS {}; ALTER DATABASE {name} ALLOW_CONNECTIONS true CONNECTION LIMIT -1",
        pg::quote_literal(&comment),
        name = pg::quote_ident(name)
    );
    admin.client().batch_execute(&sql).await.map_err(|error| LoadError::sql(&what, &error))
}

/// Makes our schema in the loaded database: the run and the receipts.
///
/// # Errors
/// The error of the server.
pub async fn create_receipts(session: &TargetSession, unlogged: bool) -> Result<(), LoadError> {
    let persistence = if unlogged { "UNLOGGED " } else { "" };
    let sql = format!(
        "CREATE SCHEMA restage; \
         COMMENT ON SCHEMA restage IS 'what restage knows about this copy; safe to read, not part of the application'; \
         CREATE TABLE restage.run (run text PRIMARY KEY, release text NOT NULL, source text NOT NULL, \
           snapshot_lsn text NOT NULL, snapshot_at timestamptz NOT NULL, key_id text NOT NULL, realm text NOT NULL, \
           config_hash text NOT NULL, plan_hash text NOT NULL, mask_version int NOT NULL, tool_version text NOT NULL, \
           os_user text NOT NULL, host text NOT NULL, started_at timestamptz NOT NULL, finished_at timestamptz, \
           tables int, rows bigint, bytes bigint, gates jsonb, lock_hash text, policy_commit text, policy_changed bool, \
           previous_release text, previous_manifest text, manifest text); \
         CREATE {persistence}TABLE restage.chunk (run text NOT NULL, \"table\" text NOT NULL, chunk int NOT NULL, \
           rows bigint NOT NULL, bytes bigint NOT NULL, sum bytea, committed_at timestamptz NOT NULL DEFAULT now(), \
           PRIMARY KEY (run, \"table\", chunk))"
    );
    session.client().batch_execute(&sql).await.map_err(|error| LoadError::sql("creating the run's receipts", &error))
}

/// Runs the pre-data section in order; every foreign server is pointed at nowhere in the same breath.
///
/// # Errors
/// The error of the server, naming the object.
pub async fn apply_pre(session: &TargetSession, objects: &Objects) -> Result<(), LoadError> {
    for entry in &objects.pre {
        // template0 has a public schema already; its comment and owner differ by version only.
        if entry.kind == "SCHEMA" && entry.name == "public" {
            let _ = session.client().batch_execute("CREATE SCHEMA IF NOT EXISTS public").await;
            continue;
        }
        run_entry(session, entry).await?;
        if entry.kind == "SERVER" {
            neutralize(session, &entry.name).await?;
        }
    }
    Ok(())
}

/// Makes every planned table UNLOGGED while it is empty: for copies that a crash of the server may empty.
///
/// # Errors
/// The error of the server.
pub async fn make_unlogged(session: &TargetSession, plan: &Plan) -> Result<(), LoadError> {
    for table in &plan.tables {
        let name = pg::quote_qualified(&table.schema, &table.name);
        session
            .client()
            .batch_execute(&format!("ALTER TABLE ONLY {name} SET UNLOGGED"))
            .await
            .map_err(|error| LoadError::sql(format!("making {name} unlogged"), &error))?;
    }
    Ok(())
}

/// Runs the SQL of one entry.
///
/// # Errors
/// The error of the server, naming the object.
pub async fn run_entry(session: &TargetSession, entry: &Entry) -> Result<(), LoadError> {
    if entry.sql.is_empty() {
        return Ok(());
    }
    session
        .client()
        .batch_execute(&entry.sql)
        .await
        .map_err(|error| LoadError::sql(format!("creating {}", entry.label()), &error))
}

/// Points a foreign server at a closed port of this machine, so that nothing in staging reaches what production reaches.
async fn neutralize(session: &TargetSession, server: &str) -> Result<(), LoadError> {
    let what = || format!("neutralizing foreign server {server}");
    let options: Vec<String> = session
        .client()
        .query_one("SELECT coalesce(srvoptions, '{}') FROM pg_catalog.pg_foreign_server WHERE srvname = $1", &[&server])
        .await
        .map_err(|error| LoadError::sql(what(), &error))?
        .get(0);
    let names: Vec<&str> = options.iter().filter_map(|option| option.split_once('=').map(|(name, _)| name)).collect();
    for (option, value) in [("host", "127.0.0.1"), ("hostaddr", "127.0.0.1"), ("port", "1")] {
        let verb = match (names.contains(&option), option) {
            (true, _) => "SET",
            (false, "hostaddr") => continue,
            (false, _) => "ADD",
        };
        let sql =
            format!("ALTER SERVER {} OPTIONS ({verb} {option} {})", pg::quote_ident(server), pg::quote_literal(value));
        if let Err(error) = session.client().batch_execute(&sql).await {
            // A wrapper that knows no host (file_fdw) refuses the option: it reaches no other machine by it.
            if pg::sql_error(&error).sqlstate != "HV00D" || verb == "SET" {
                return Err(LoadError::sql(what(), &error));
            }
        }
    }
    Ok(())
}

/// Fits grants and policies to the roles of the target, and creates roles that are to be created.
///
/// # Errors
/// [`LoadError::MissingRoles`] if missing roles are refused, else the error of the server.
pub async fn settle_roles(
    admin: &TargetSession,
    objects: &mut Objects,
    mapping: &BTreeMap<String, String>,
    reader: &str,
    rule: MissingRoles,
    events: &Events,
) -> Result<(), LoadError> {
    let known = admin
        .client()
        .query("SELECT rolname::text FROM pg_catalog.pg_roles", &[])
        .await
        .map_err(|error| LoadError::sql("listing the target's roles", &error))?;
    let known = known.iter().map(|row| row.get(0)).collect();
    let settled = roles::settle(objects, mapping, &known, reader, rule);
    if settled.missing.is_empty() {
        return Ok(());
    }
    let missing: Vec<String> = settled.missing.into_iter().collect();
    match rule {
        MissingRoles::Refuse => return Err(LoadError::MissingRoles { roles: missing }),
        MissingRoles::Create => {
            for role in &missing {
                // Without a login: it only carries rights.
                let sql = format!("CREATE ROLE {} NOLOGIN", pg::quote_ident(role));
                let Err(error) = admin.client().batch_execute(&sql).await else { continue };
                // duplicate_object: somebody created it since.
                if pg::sql_error(&error).sqlstate != "42710" {
                    return Err(LoadError::sql(format!("creating role \"{role}\""), &error));
                }
            }
        }
        MissingRoles::Skip => events.warn(format!(
            "grants ({}) and policies ({}) were left out because the target does not have the roles {}; map them under [target.roles] or create them.",
            settled.grants,
            settled.policies.len(),
            missing.join(", ")
        )),
    }
    Ok(())
}

/// Replays grants. One that the target role may not give is left out with a warning.
///
/// # Errors
/// The error of the server for any other reason.
pub async fn apply_grants(session: &TargetSession, objects: &Objects, events: &Events) -> Result<(), LoadError> {
    let mut refused = BTreeSet::new();
    for entry in &objects.grants {
        for statement in statements(&entry.sql) {
            let Err(error) = session.client().batch_execute(&statement).await else { continue };
            match pg::sql_error(&error).sqlstate.as_str() {
                // Only a superuser can grant in another role's name; the grant that follows is then ours.
                "42501" if statement.starts_with("SET SESSION ") => false,
                // invalid_grant_operation, insufficient_privilege: a grantor we are not.
                "0LP01" | "42501" => refused.insert(entry.label()),
                _ => return Err(LoadError::sql(format!("granting {}", entry.label()), &error)),
            };
        }
    }
    if let Some(first) = refused.first() {
        let more = match refused.len() {
            1 => String::new(),
            number => format!(" and {} more", number - 1),
        };
        events.warn(format!("grants were left out because the target role may not give them: on {first}{more}"));
    }
    Ok(())
}

/// Value of a sequence as the snapshot shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SequenceValue {
    pub last: i64,
    pub called: bool,
}

/// Sequences that one statement reads or sets: asked for one by one, they would take as many round trips.
const SEQUENCES_AT_ONCE: usize = 200;

/// Reads where sequences stand, in their order.
///
/// # Errors
/// The error of the server, which names the sequence.
pub async fn sequence_values(
    client: &tokio_postgres::Client,
    sequences: &[SequencePlan],
) -> Result<Vec<SequenceValue>, tokio_postgres::Error> {
    let mut values = Vec::with_capacity(sequences.len());
    for batch in sequences.chunks(SEQUENCES_AT_ONCE) {
        let one = |(place, sequence): (usize, &SequencePlan)| {
            let name = pg::quote_qualified(&sequence.schema, &sequence.name);
            format!("SELECT {place} AS place, last_value, is_called FROM {name}")
        };
        let each: Vec<String> = batch.iter().enumerate().map(one).collect();
        let sql = format!("{} ORDER BY place", each.join(" UNION ALL "));
        let rows = client.query(&sql, &[]).await?;
        values.extend(rows.iter().map(|row| SequenceValue { last: row.get(1), called: row.get(2) }));
    }
    Ok(values)
}

/// A sequence with less than this part of its values left is told of.
const HEADROOM: f64 = 0.1;

/// Sets every sequence to its value at the source; where it feeds masked columns, past every value they hold. Returns what
/// to know about those that are nearly used up by that.
///
/// # Errors
/// The error of the server.
pub async fn set_sequences(
    session: &TargetSession,
    plan: &Plan,
    values: &BTreeMap<u32, SequenceValue>,
) -> Result<Vec<String>, LoadError> {
    let known = plan.sequences.iter().filter_map(|sequence| Some((sequence, *values.get(&sequence.oid)?)));
    let known: Vec<(&SequencePlan, SequenceValue)> = known.collect();
    for batch in known.chunks(SEQUENCES_AT_ONCE) {
        let one = |(sequence, value): &(&SequencePlan, SequenceValue)| {
            let name = pg::quote_literal(&pg::quote_qualified(&sequence.schema, &sequence.name));
            format!("pg_catalog.setval({name}::regclass, {}, {})", value.last, value.called)
        };
        let each: Vec<String> = batch.iter().map(one).collect();
        let done = session.client().batch_execute(&format!("SELECT {}", each.join(", "))).await;
        done.map_err(|error| LoadError::sql("setting sequences", &error))?;
    }
    let mut close = Vec::new();
    for (sequence, value) in known.into_iter().filter(|(sequence, _)| !sequence.masked.is_empty()) {
        let failed = |error| LoadError::sql(format!("setting sequence {}.{}", sequence.schema, sequence.name), &error);
        close.extend(past_masks(session, sequence, value).await.map_err(failed)?);
    }
    Ok(close)
}

/// Moves a sequence past the values of the columns it feeds: above the largest, or below the smallest if it counts down.
async fn past_masks(
    session: &TargetSession,
    sequence: &SequencePlan,
    value: SequenceValue,
) -> Result<Option<String>, tokio_postgres::Error> {
    let client = session.client();
    let name = pg::quote_qualified(&sequence.schema, &sequence.name);
    let row = client
        .query_one(
            "SELECT seqincrement, seqmin, seqmax FROM pg_catalog.pg_sequence WHERE seqrelid = $1::text::regclass",
            &[&name],
        )
        .await?;
    let (step, min, max): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
    let up = step > 0;
    let mut last = value.last;
    let mut called = value.called;
    // What the narrowest of the columns can hold.
    let mut end = if up { max } else { min };
    for fed in &sequence.masked {
        let column = pg::quote_ident(&fed.column);
        let (outermost, table) = (if up { "max" } else { "min" }, fed.relation());
        // A numeric column may hold more than any sequence.
        let sql = format!(
            "SELECT (CASE WHEN {up} THEN least(pg_catalog.ceil({outermost}({column})::numeric), $1::bigint) \
             ELSE greatest(pg_catalog.floor({outermost}({column})::numeric), $2::bigint) END)::bigint FROM {table} AS t"
        );
        let Some(found) = client.query_one(&sql, &[&max, &min]).await?.get::<_, Option<i64>>(0) else { continue };
        if (up && found >= last) || (!up && found <= last) {
            (last, called) = (found, true);
        }
        end = if up { end.min(fed.high) } else { end.max(-fed.high - 1) };
    }
    if (last, called) != (value.last, value.called) {
        client.execute("SELECT pg_catalog.setval($1::text::regclass, $2, $3)", &[&name, &last, &called]).await?;
    }
    let left = (i128::from(end) - i128::from(last)) / i128::from(step);
    let all = (i128::from(end) - i128::from(if up { min } else { max })) / i128::from(step) + 1;
    if (left as f64) >= HEADROOM * all as f64 {
        return Ok(None);
    }
    let columns: Vec<String> =
        sequence.masked.iter().map(|fed| format!("{}.{}.{}", fed.schema, fed.table, fed.column)).collect();
    Ok(Some(format!(
        "sequence {}.{} stands at {last}, past the masked values of {}: {} more inserts fit before {end}. Keep the column, or give it a wider type.",
        sequence.schema,
        sequence.name,
        columns.join(", "),
        left.max(0)
    )))
}
