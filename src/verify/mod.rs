//! The gates between a loaded database and the live name. A gate that does not hold publishes nothing.
//!
//! PostgreSQL is the judge where it can be: constraints and indexes are compared by its own catalog, definitions by its
//! own `pg_dump` on both sides.

pub mod content;
pub mod estimates;
pub mod fidelity;
pub mod leak;
pub mod privacy;
pub mod record;

use crate::config::{self, Severity, SqlGate};
use crate::error::{Diagnose, Exit, Failure, Report};
use crate::load::LoadError;
use crate::load::database::{self, SequenceValue};
use crate::load::objects::{Entry, Objects};
use crate::outcome::Gate;
use crate::outcome::units::{many, plural};
use crate::pg::{self, TargetSession};
use crate::plan::{Merges, Plan, SequencePlan};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl Diagnose for VerifyError {
    fn exit(&self) -> Exit {
        match self {
            // A check that could not be made is a failure of the server, not of the copy.
            VerifyError::Load(error) => error.exit(),
        }
    }

    fn reports(&self) -> Vec<Report> {
        match self {
            VerifyError::Load(error) => error.reports(),
        }
    }
}

/// How the evidence starts when a gate could not be asked.
const QUERY_FAILED: &str = "the query failed";

/// The report of a gate that does not hold.
pub fn report(gate: &Gate) -> Report {
    let report = Report::new("verify::gate", format!("gate \"{}\" does not hold", gate.name));
    let report = Report { place: gate.place.clone(), ..report.detail(gate.evidence.clone()) };
    if let Some(hint) = &gate.hint {
        return report.hint(hint.clone());
    }
    if gate.evidence.starts_with(QUERY_FAILED) {
        return report.hint("Correct its `query` under [[verify.sql]]; it must return one integer.");
    }
    report
}

/// Gates that say what the others are about: without them these judge nothing, so nothing makes warnings of them.
const FIRM: [&str; 1] = ["release"];
/// How the names of gates begin that look for values of the source in staging.
const LEAK: &str = "leak";

/// Whether a name or glob under `warn` is about a gate.
///
/// A leak is passed over by who says so: `*` does not mean it.
fn softens(pattern: &str, name: &str) -> bool {
    config::matches(pattern, name) && !FIRM.contains(&name) && (!name.starts_with(LEAK) || pattern.starts_with(LEAK))
}

/// Makes warnings of the gates that these names or globs are about.
pub fn soften(warn: &[String], gates: &mut [Gate]) {
    for gate in gates.iter_mut().filter(|gate| warn.iter().any(|pattern| softens(pattern, &gate.name))) {
        gate.severity = Severity::Warn;
    }
}

/// What to say of a name or glob under `warn` that is about none of these gates.
pub fn unheeded(warn: &[String], names: &[&str]) -> Vec<String> {
    let of_none = |pattern: &&String| !names.iter().any(|name| softens(pattern, name));
    let told = |pattern: &String| {
        let names = names.join("\", \"");
        format!("`warn` in [verify]: \"{pattern}\" is about no gate of this run; they are \"{names}\"")
    };
    warn.iter().filter(of_none).map(told).collect()
}

/// The failure that gates which do not hold are; none if all hold or only warn.
pub fn refusal(gates: &[Gate]) -> Option<Failure> {
    let reports: Vec<Report> = gates.iter().filter(|gate| gate.fails()).map(report).collect();
    (!reports.is_empty()).then_some(Failure { exit: Exit::Verify, reports })
}

/// Names and states of constraints and indexes, as the catalog tells them.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Structure {
    /// `schema.table constraint definition`; `NOT VALID` is part of the definition. Without expressions: PostgreSQL may
    /// print them differently once they were parsed again, and [`definitions`] compares them. Without those of partitions
    /// that a server derives from the parent's: it names them as it likes.
    pub constraints: BTreeSet<String>,
    /// `schema.index`, and whether it can be used.
    pub indexes: BTreeMap<String, bool>,
}

const CONSTRAINTS: &str = "SELECT n.nspname || '.' || c.relname || ' ' || k.conname || ' ' || CASE WHEN k.contype IN ('c', 'x') \
     THEN k.contype::text || CASE WHEN k.convalidated THEN '' ELSE ' NOT VALID' END ELSE pg_catalog.pg_get_constraintdef(k.oid) END \
     FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid \
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'restage') AND n.nspname !~ '^pg_(temp|toast)' AND k.contype <> 'n' AND k.conparentid = 0 \
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')";

const INDEXES: &str = "SELECT n.nspname || '.' || c.relname, i.indisvalid AND i.indisready AND i.indislive \
     FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'restage') AND n.nspname !~ '^pg_(temp|toast)' \
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = i.indrelid AND d.deptype = 'e')";

impl Structure {
    /// Reads constraints and indexes of one database.
    ///
    /// # Errors
    /// The error of the server.
    pub async fn read(client: &tokio_postgres::Client) -> Result<Self, tokio_postgres::Error> {
        // One after the other: the sessions of a source run one statement at a time.
        let constraints = client.query(CONSTRAINTS, &[]).await?;
        let indexes = client.query(INDEXES, &[]).await?;
        Ok(Self {
            constraints: constraints.iter().map(|row| row.get(0)).collect(),
            indexes: indexes.iter().map(|row| (row.get(0), row.get(1))).collect(),
        })
    }
}

/// Times a gate.
fn gate(name: &str, started: Instant, found: Result<String, String>) -> Gate {
    let ok = found.is_ok();
    let evidence = found.unwrap_or_else(|problem| problem);
    Gate { name: name.to_owned(), ok, evidence, ms: started.elapsed().as_millis() as u64, ..Gate::default() }
}

fn some_of<T: std::fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    let shown = items.iter().take(5).cloned().collect::<Vec<_>>().join("; ");
    if items.len() > 5 { format!("{shown}; and {} more", items.len() - 5) } else { shown }
}

/// Rows the source sent, receipts, and rows the target's COPY stored are the same, for every table.
pub fn row_counts(plan: &Plan, read: &BTreeMap<String, u64>, receipts: &BTreeMap<String, u64>) -> Gate {
    let started = Instant::now();
    let mut wrong = Vec::new();
    let mut total = 0;
    for table in &plan.tables {
        let name = table.full_name();
        let (sent, stored) = (read.get(&name).copied(), receipts.get(&name).copied());
        if table.rows != crate::config::Rows::None && (sent.is_none() || sent != stored) {
            wrong.push(format!("{name}: source {sent:?}, target {stored:?}"));
        }
        total += stored.unwrap_or(0);
    }
    let found = if wrong.is_empty() {
        Ok(format!("{}, {}: source, receipts and target agree", many(plan.tables.len(), "table"), plural(total, "row")))
    } else {
        Err(some_of(wrong))
    };
    gate("row counts", started, found)
}

/// The target has every constraint of the source, each as valid as there.
pub fn constraints(source: &Structure, target: &Structure) -> Gate {
    let started = Instant::now();
    let missing: Vec<_> = source.constraints.difference(&target.constraints).collect();
    let extra: Vec<_> = target.constraints.difference(&source.constraints).collect();
    let found = if missing.is_empty() && extra.is_empty() {
        let open = target.constraints.iter().filter(|text| text.ends_with("NOT VALID")).count();
        Ok(format!(
            "{}, {} of them validated",
            many(target.constraints.len(), "constraint"),
            target.constraints.len() - open
        ))
    } else {
        Err(format!("missing: {}; only in the target: {}", some_of(missing), some_of(extra)))
    };
    gate("constraints", started, found)
}

/// Every index of the source is there and can be used. One that the source itself cannot use (a `CREATE INDEX CONCURRENTLY`
/// that failed or still runs) may be missing: pg_dump leaves it out.
pub fn indexes(source: &Structure, target: &Structure) -> Gate {
    let started = Instant::now();
    let usable = source.indexes.iter().filter(|(_, valid)| **valid).map(|(name, _)| name);
    let missing: Vec<_> = usable.filter(|name| !target.indexes.contains_key(*name)).collect();
    let broken: Vec<_> = target
        .indexes
        .iter()
        .filter(|(name, valid)| !**valid && source.indexes.get(*name).copied().unwrap_or(true))
        .map(|(name, _)| name)
        .collect();
    let found = if missing.is_empty() && broken.is_empty() {
        Ok(many(target.indexes.len(), "index"))
    } else {
        Err(format!("missing: {}; not valid: {}", some_of(missing), some_of(broken)))
    };
    gate("indexes", started, found)
}

/// pg_dump prints the same definitions for both, apart from what is changed on purpose (foreign servers).
///
/// `same_major`: texts are compared only when both servers print alike; else the objects' names are.
pub fn definitions(source: &Objects, target: &Objects, same_major: bool) -> Gate {
    let started = Instant::now();
    let index = |objects: &Objects| -> BTreeMap<String, String> {
        objects
            .pre
            .iter()
            .chain(&objects.post)
            .chain(&objects.security)
            .filter(|entry| !is_changed_on_purpose(entry))
            .map(|entry| (entry.label(), if same_major { without_settings(&entry.sql) } else { String::new() }))
            .collect()
    };
    let (source, target) = (index(source), index(target));
    let mut wrong: Vec<&str> = Vec::new();
    for (label, sql) in &source {
        if target.get(label) != Some(sql) {
            wrong.push(label);
        }
    }
    wrong.extend(target.keys().filter(|label| !source.contains_key(*label)).map(String::as_str));
    let found = if wrong.is_empty() {
        Ok(format!("{} equal", many(source.len(), "definition")))
    } else {
        Err(format!("differ: {}", some_of(wrong)))
    };
    gate("definitions", started, found)
}

fn is_changed_on_purpose(entry: &Entry) -> bool {
    entry.kind == "SERVER" || (entry.kind == "SCHEMA" && entry.name == "public")
}

fn without_settings(sql: &str) -> String {
    sql.lines().filter(|line| !line.starts_with("SET default_")).collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// Every sequence stands where the source's stood, unless it feeds masked columns: then the next value of each is new.
///
/// # Errors
/// The error of the server.
pub async fn sequences(
    session: &TargetSession,
    plan: &Plan,
    expected: &BTreeMap<u32, SequenceValue>,
) -> Result<Gate, VerifyError> {
    let started = Instant::now();
    let mut wrong = Vec::new();
    let stand = database::sequence_values(session.client(), &plan.sequences).await;
    let stand = stand.map_err(|error| LoadError::sql("reading sequences", &error))?;
    for (sequence, stands) in plan.sequences.iter().zip(stand) {
        let Some(wanted) = expected.get(&sequence.oid) else { continue };
        let new = !sequence.masked.is_empty();
        if stands != *wanted && !(new && next_is_new(session, sequence, stands.last, stands.called).await?) {
            wrong.push(format!("{}.{}", sequence.schema, sequence.name));
        }
    }
    let found = if wrong.is_empty() { Ok(many(plan.sequences.len(), "sequence")) } else { Err(some_of(wrong)) };
    Ok(gate("sequences", started, found))
}

/// The next value of the sequence is in none of the columns it feeds, nor any after it; one that is used up gives none.
async fn next_is_new(
    session: &TargetSession,
    sequence: &SequencePlan,
    last: i64,
    called: bool,
) -> Result<bool, LoadError> {
    let name = pg::quote_qualified(&sequence.schema, &sequence.name);
    for fed in &sequence.masked {
        let (column, table) = (pg::quote_ident(&fed.column), fed.relation());
        let sql = format!(
            "SELECT NOT EXISTS (SELECT FROM {table} t WHERE CASE WHEN s.seqincrement > 0 \
             THEN t.{column} >= s.next AND s.next <= s.seqmax ELSE t.{column} <= s.next AND s.next >= s.seqmin END) \
             FROM (SELECT *, $1::bigint::numeric + CASE WHEN $2 THEN seqincrement ELSE 0 END AS next \
             FROM pg_catalog.pg_sequence WHERE seqrelid = $3::text::regclass) s"
        );
        let row = session.client().query_one(&sql, &[&last, &called, &name]).await;
        let row = row.map_err(|error| {
            LoadError::sql(format!("comparing sequence {name} with {}.{}", fed.schema, fed.table), &error)
        })?;
        if !row.get::<_, bool>(0) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// References that the configuration declares and the database does not: rows that point nowhere are counted, and there
/// are as many of them as at the source, or fewer where the mask makes one of several spellings or not all rows that refer
/// are copied.
///
/// # Errors
/// The error of the server.
pub async fn orphans(
    session: &TargetSession,
    references: &[OrphanQuery],
    at_source: &[i64],
) -> Result<Option<Gate>, VerifyError> {
    if references.is_empty() {
        return Ok(None);
    }
    let started = Instant::now();
    let (mut wrong, mut fewer) = (Vec::new(), Vec::new());
    let mut total = 0_usize;
    for (reference, expected) in references.iter().zip(at_source) {
        let found =
            reference.count(session.client()).await.map_err(|error| LoadError::sql("counting orphans", &error))?;
        total += usize::try_from(found).unwrap_or_default();
        let name = &reference.name;
        match reference.merges {
            _ if found == *expected || reference.partly && found < *expected => {}
            Some(merges) if found < *expected => {
                let apart = if merges == Merges::Unless { "; `fold = false` tells case apart" } else { "" };
                let joined = plural((expected - found).unsigned_abs(), "row");
                fewer.push(format!("{name}: {joined} found theirs as masks merge spellings{apart}"));
            }
            _ => wrong.push(format!("{name}: {expected} at the source, {found} after masking")),
        }
    }
    let found = if wrong.is_empty() {
        let counted = format!("{}, {}", many(references.len(), "declared reference"), many(total, "orphan"));
        let partly = references.iter().any(|reference| reference.partly);
        Ok(if fewer.is_empty() {
            format!("{counted}, {} at the source", if partly { "no more than" } else { "as many as" })
        } else {
            format!("{counted}; {}", some_of(fewer))
        })
    } else {
        Err(some_of(wrong))
    };
    Ok(Some(gate("orphans", started, found)))
}

/// Counts the rows of one declared reference that point nowhere.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct OrphanQuery {
    /// `from -> to`.
    pub name: String,
    pub sql: String,
    /// The mask of both ends makes one of several spellings, so that rows may find what they did not at the source.
    #[serde(default)]
    pub merges: Option<Merges>,
    /// Not all rows that refer are copied, so that there may be fewer orphans.
    #[serde(default)]
    pub partly: bool,
}

/// Rows that refer, everything quoted.
#[derive(Debug, Clone, Copy)]
pub struct Referring<'a> {
    /// `schema.table`.
    pub table: &'a str,
    pub column: &'a str,
    /// Each element of an array, `e.v`, is a reference.
    pub elements: bool,
    /// Over `f`: only rows that fulfill it refer at all.
    pub condition: Option<&'a str>,
}

impl OrphanQuery {
    /// Builds the query; `equal` compares the key in `r`, a row of the table `to`, with the column of `f`, or with `e.v`.
    pub fn new(name: String, from: &Referring<'_>, to: &str, equal: &str) -> Self {
        let Referring { table, column, elements, condition } = from;
        let (from_sql, value) = if *elements {
            (format!("{table} f, pg_catalog.unnest(f.{column}) AS e (v)"), "e.v".to_owned())
        } else {
            (format!("{table} f"), format!("f.{column}"))
        };
        let sql = format!(
            "SELECT count(*) FROM {from_sql} WHERE {value} IS NOT NULL{} AND NOT EXISTS (SELECT FROM {to} r WHERE {equal})",
            condition.map(|condition| format!(" AND {condition}")).unwrap_or_default(),
        );
        Self { name, sql, merges: None, partly: false }
    }

    /// # Errors
    /// The error of the server.
    pub async fn count(&self, client: &tokio_postgres::Client) -> Result<i64, tokio_postgres::Error> {
        Ok(client.query_one(self.sql.as_str(), &[]).await?.get(0))
    }
}

/// The gates that can be judged on a living staging database without the source: it is what its run has published, and
/// rows are counted.
///
/// # Errors
/// The error of the server.
pub async fn living(session: &TargetSession) -> Result<Vec<Gate>, VerifyError> {
    let started = Instant::now();
    let failed = |error| LoadError::sql("reading the run of the live database", &error);
    let known = "SELECT pg_catalog.to_regclass('restage.run') IS NOT NULL";
    let known: bool = session.client().query_one(known, &[]).await.map_err(failed)?.get(0);
    let recorded = match known {
        true => session.client().query_opt("SELECT release, rows FROM restage.run", &[]).await.map_err(failed)?,
        false => None,
    };
    let found = match recorded {
        Some(row) => {
            let rows = plural(row.get::<_, i64>(1).unsigned_abs(), "row");
            Ok(format!("release {}, {rows} loaded", row.get::<_, String>(0)))
        }
        None => Err("the live database does not say which run made it".to_owned()),
    };
    let mut gates = vec![gate("release", started, found)];
    gates.extend(record::compare(session).await?);
    Ok(gates)
}

/// The statement that asks a query for its one integer.
pub fn assertion_sql(query: &str) -> String {
    format!("SELECT ({})::bigint", query.trim_end().trim_end_matches(';'))
}

/// Asks one of the user's own assertions, in a read-only transaction. A query that fails is a gate that does not hold.
pub async fn assertion(session: &TargetSession, wanted: &SqlGate) -> Gate {
    let started = Instant::now();
    let asked = async {
        session.client().batch_execute("BEGIN READ ONLY").await?;
        let row = session.client().query_one(&assertion_sql(&wanted.query), &[]).await;
        session.client().batch_execute("ROLLBACK").await?;
        row.map(|row| row.get::<_, Option<i64>>(0))
    };
    let result = match asked.await {
        Ok(Some(value)) if value == wanted.equals => Ok(format!("{value}")),
        Ok(Some(value)) => Err(format!("{value}, expected {}", wanted.equals)),
        Ok(None) => Err(format!("NULL, expected {}", wanted.equals)),
        Err(error) => Err(format!("{QUERY_FAILED}: {}", pg::sql_error(&error))),
    };
    let place = Some(wanted.place.to_string());
    Gate { severity: wanted.severity, at: wanted.at, place, ..gate(&wanted.name, started, result) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraint_that_lost_its_validation_fails_the_gate() {
        let source = Structure {
            constraints: ["a.t fk FOREIGN KEY (x) REFERENCES a.u(id)".to_owned()].into(),
            ..Structure::default()
        };
        let target = Structure {
            constraints: ["a.t fk FOREIGN KEY (x) REFERENCES a.u(id) NOT VALID".to_owned()].into(),
            ..Structure::default()
        };
        assert!(!constraints(&source, &target).ok);
        assert!(constraints(&source, &source).ok);
    }

    #[test]
    fn names_and_globs_soften_gates_but_a_star_alone_no_leak() {
        let names = ["row counts", "leak: public.people.email", "release", "smoke test"];
        let softened = |warn: &[&str]| {
            let warn: Vec<String> = warn.iter().map(|name| (*name).to_owned()).collect();
            let mut gates = names.map(|name| Gate { name: name.into(), ..Gate::default() });
            soften(&warn, &mut gates);
            let of = gates.into_iter().filter(|gate| gate.severity == Severity::Warn).map(|gate| gate.name);
            (of.collect::<Vec<_>>(), unheeded(&warn, &names).len())
        };
        let some = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(softened(&[]), (some(&[]), 0));
        assert_eq!(softened(&["*"]), (some(&["row counts", "smoke test"]), 0));
        assert_eq!(softened(&["leak: *", "smoke*"]), (some(&["leak: public.people.email", "smoke test"]), 0));
        assert_eq!(softened(&["row count", "release", "*: *"]), (some(&[]), 3), "told, because they do nothing");
    }

    #[test]
    fn invalid_index_fails_the_gate() {
        let source = Structure { indexes: [("a.i".to_owned(), true)].into(), ..Structure::default() };
        let target = Structure { indexes: [("a.i".to_owned(), false)].into(), ..Structure::default() };
        assert!(!indexes(&source, &target).ok);
        assert!(!indexes(&source, &Structure::default()).ok);
        assert!(!indexes(&Structure::default(), &target).ok, "one that only the target has");
        assert!(indexes(&target, &target).ok && indexes(&target, &Structure::default()).ok, "as the source's own");
    }
}
