//! Whether anything that was masked is in the loaded database all the same.
//!
//! Masked columns are judged by what was seen of them on their way ([`crate::proof`]); nothing is read for that. Everything
//! else that can hold words is read from the loaded database and searched for values of the source: columns that are kept or
//! masked in part, definitions with their defaults, comments and bodies, and the statistics of the planner. Kept columns are
//! looked at by the detectors of personal data, too: what somebody decided to keep may have become something else.
//!
//! Evidence names columns and counts; no value leaves this module.

mod detected;
mod files;

use super::record::{OURS, OWN};
use super::{gate, some_of};
use crate::config::{LeakConfig, Severity, TableRule, matches};
use crate::detect::{self, Facts};
use crate::error::{Exit, Failure, Report};
use crate::load::LoadError;
use crate::load::objects::Objects;
use crate::load::postgres::Sessions;
use crate::mask::kind::Takes;
use crate::outcome::Gate;
use crate::outcome::units::{many, plural};
use crate::pg;
use crate::plan::{items, list_line, listed, toml_key, under};
use crate::proof::{Hits, Judged, Judgement, Proof, Sought};
use detected::{Detected, Keys, Seen};
pub use files::{FileColumn, FileRows};
use futures_util::TryStreamExt as _;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::Arc;
use std::time::Instant;
use tokio::task::JoinSet;
use tokio_postgres::Client;

/// Characters of a value that are read.
const CHARS_MAX: u32 = 1_000_000;

/// What was decided for a column, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Its values never came here, or were judged on their way.
    Replaced,
    /// Something of its values stays on purpose.
    Masked,
    /// It is kept; `open`: no person gave a reason.
    Kept { open: bool, takes: Takes },
    /// Some of its rows are kept, for a reason.
    Allowed,
    /// Some of its rows are kept, those where the condition of a rule pack is false: nobody looked at their values.
    Others { condition: String, takes: Takes },
}

impl Choice {
    const UNKNOWN: Self = Self::Kept { open: false, takes: Takes::Opaque };
}

/// A column as the policy names it: of the table at the top, not of a partition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Declared {
    /// `schema.table`.
    pub table: String,
    pub column: String,
}

impl std::fmt::Display for Declared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.table, self.column)
    }
}

/// A column of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub choice: Choice,
    pub declared: Declared,
    /// Different keys of documents that may be personal data by themselves; none: they are not looked at.
    pub keys_max: Option<usize>,
    /// A mask for texts, or one for documents, can stand for it: what is proposed if it leaks.
    pub proposal: Option<String>,
}

/// What the search has to know of a run.
pub struct Leak<'a> {
    pub config: &'a LeakConfig,
    /// What the configuration says of tables, and where.
    pub rules: &'a [TableRule],
    pub proof: &'a Proof,
    /// By `schema.table.column`, of leaves and roots alike.
    pub columns: BTreeMap<String, Known>,
    /// There is a lock, which a changed policy differs from.
    pub locked: bool,
    /// What detectors find in a kept column without a person's reason: a failure where the policy lists packs.
    pub detected: Severity,
    pub objects: &'a Objects,
    /// Labels of definitions, or globs, that may name somebody: `ddl_literals_allow`.
    pub accepted: &'a [String],
    /// Tables that are read at once.
    pub jobs: usize,
}

impl Leak<'_> {
    /// Judges masked columns and searches everything else.
    ///
    /// # Errors
    /// The error of the server.
    pub async fn gates(self, sessions: &Sessions) -> Result<Vec<Gate>, Failure> {
        let masked = self.masked();
        let started = Instant::now();
        let sought = Arc::new(self.proof.sought());
        let read = self.read(sessions, &sought).await?;
        let texts = self.texts(&sought, &read, started);
        let detected = self.detected(&read, started);
        let definitions = self.definitions(&sought);
        let session = sessions.take().await?;
        let statistics = self.statistics(session.client(), &sought, &read).await?;
        sessions.give(session);
        Ok(self.told([masked, texts, detected, definitions, statistics]))
    }

    /// The gates, with one line that lets through all that they found: whoever pastes it pastes it once. Under a lock every
    /// line is a change that has to be accepted.
    fn told(&self, found: impl IntoIterator<Item = Found>) -> Vec<Gate> {
        let found: Vec<Found> = found.into_iter().collect();
        let all: BTreeSet<&String> = found.iter().flat_map(|found| &found.names).collect();
        let line = list_line("leak_allow", "verify", &self.config.allow, all.into_iter());
        let hint = |found: &Found| match found.names.is_empty() {
            true => found.gate.hint.clone(),
            false => Some(format!("{}\n{line}", found.hint)),
        };
        // Advice without a line changes no policy.
        let pastes = |hint: &str| self.locked && hint.contains('\n');
        let then = |hint: String| match pastes(&hint) {
            true => format!("{hint}\nThen accept the policy anew: restage plan --write-lock"),
            false => hint,
        };
        let gate = |found: Found| Gate { hint: hint(&found).map(then), ..found.gate };
        found.into_iter().map(gate).collect()
    }

    fn known(&self, table: &str, column: &str) -> Option<&Known> {
        self.columns.get(&format!("{table}.{column}"))
    }

    /// What was decided for a column that is to be looked at; none for those that are not. What the plan does not know was
    /// made by a hook.
    fn looked_at(&self, table: &str, column: &str) -> Option<Choice> {
        let choice = self.known(table, column).map_or(Choice::UNKNOWN, |known| known.choice.clone());
        let skipped = matches!(choice, Choice::Replaced | Choice::Allowed);
        (!skipped && !self.allows(&format!("{table}.{column}"))).then_some(choice)
    }

    fn declared(&self, table: &str, column: &str) -> Declared {
        let own = || Declared { table: table.to_owned(), column: column.to_owned() };
        self.known(table, column).map_or_else(own, |known| known.declared.clone())
    }

    /// Whether values of the source may be in a column, by its own name or as the policy names it.
    fn allows(&self, name: &str) -> bool {
        let declared = self.columns.get(name).map(|known| known.declared.to_string());
        self.config.allows(name) || declared.is_some_and(|declared| self.config.allows(&declared))
    }

    fn masked(&self) -> Found {
        let started = Instant::now();
        let judged: Vec<_> = self.proof.tables().iter().flat_map(|watch| watch.judge()).collect();
        let leaks = |judged: &&Judged| matches!(judged.judgement, Judgement::Stays | Judgement::Elsewhere);
        let leaking: Vec<&Judged> = judged.iter().filter(leaks).filter(|judged| !self.allows(&judged.name)).collect();
        let wrong = leaking.iter().map(|judged| {
            let place = if judged.judgement == Judgement::Stays { "in their rows" } else { "in other rows" };
            let expected = match judged.expected {
                few if few < 0.05 => "none".to_owned(),
                some => format!("{some:.1}"),
            };
            let (name, found, of) = (&judged.name, judged.found, judged.of);
            format!("{name}: {found} of {of} different values of the source are in staging {place}; chance would leave {expected}")
        });
        let wrong: Vec<String> = wrong.collect();
        let open = judged.iter().filter(|judged| judged.judgement == Judgement::Open).count();
        let found = match wrong.is_empty() {
            true => Ok(format!(
                "{} masked columns hold no more of the source than chance allows; {open} keep something on purpose or have too few values to tell",
                judged.len() - open
            )),
            false => Err(some_of(wrong)),
        };
        let declared = |judged: &&Judged| self.columns.get(&judged.name).map(|known| known.declared.to_string());
        let names: BTreeSet<String> =
            leaking.iter().map(|judged| declared(judged).unwrap_or_else(|| judged.name.clone())).collect();
        let hint = "Give these columns another mask. If their values may stay:".to_owned();
        Found { gate: gate("leak: masked columns", started, found), names, hint }
    }

    /// Reads the text of every table, or a sample of it.
    async fn read(&self, sessions: &Sessions, sought: &Arc<Sought>) -> Result<Read, Failure> {
        let session = sessions.take().await?;
        let tables = tables(session.client()).await;
        sessions.give(session);
        let tables = tables.map_err(|error| LoadError::sql("listing columns", &error))?;
        let mut left = tables.into_iter().filter_map(|table| self.search(table, sought));
        let mut read = Read::default();
        let mut running = JoinSet::new();
        loop {
            while running.len() < self.jobs.max(1)
                && let Some(search) = left.next()
            {
                let session = sessions.take().await?;
                running.spawn(async move { (search.run(session.client()).await, session) });
            }
            let Some(done) = running.join_next().await else { return Ok(read) };
            let (found, session) = done.map_err(|_| {
                Failure::new(Exit::Internal, Report::new("internal::panic", "a search of staging panicked"))
            })?;
            // After an error its transaction is still open: it is not given back.
            let found = found.map_err(|(table, error)| LoadError::sql(format!("searching {table}"), &error))?;
            sessions.give(session);
            read.add(found);
        }
    }

    /// What there is to search in a table; none if nothing.
    fn search(&self, table: Table, sought: &Arc<Sought>) -> Option<Search> {
        let name = format!("{}.{}", table.schema, table.name);
        let columns: Vec<Looked> = table
            .columns
            .iter()
            .filter_map(|column| {
                let choice = self.looked_at(&name, &column.name)?;
                Some(Looked {
                    name: format!("{name}.{}", column.name),
                    declared: self.declared(&name, &column.name),
                    sql: match &choice {
                        Choice::Others { condition, .. } => {
                            format!("CASE WHEN (\n{condition}\n) IS FALSE THEN {} END", column.sql())
                        }
                        _ => column.sql(),
                    },
                    nested: column.nested,
                    masked: choice == Choice::Masked || column.computed,
                    takes: match choice {
                        Choice::Kept { open: true, takes } | Choice::Others { takes, .. } => Some(takes),
                        _ => None,
                    },
                    keys_max: self.known(&name, &column.name).and_then(|known| known.keys_max),
                })
            })
            .collect();
        let share = match table.bytes > self.config.bytes {
            true => Some(self.config.bytes as f64 / table.bytes as f64),
            false => None,
        };
        (!columns.is_empty()).then(|| Search {
            table,
            columns,
            share,
            bytes_max: self.config.bytes.saturating_mul(2),
            sought: Arc::clone(sought),
        })
    }

    fn texts(&self, sought: &Sought, read: &Read, started: Instant) -> Found {
        let wrong = read.leaking.iter().map(|(column, leaking)| leaking.told(column));
        let hidden = read.hidden.iter().map(|table| format!("{table}: its rows are hidden from us by row security"));
        let wrong: Vec<String> = wrong.chain(hidden).collect();
        let found = match wrong.is_empty() {
            true => Ok(format!(
                "{} with text, {} read{}: no value of {} masked columns{}",
                plural(read.columns, "column"),
                plural(read.rows, "row"),
                match read.sampled {
                    0 => String::new(),
                    tables => format!(" (of {tables} large tables a sample)"),
                },
                sought.columns(),
                match sought.partly() {
                    Some((columns, least)) =>
                        format!(" (of {columns} of them a share of the values, {:.2} % at least)", least * 100.0),
                    None => String::new(),
                }
            )),
            false => Err(some_of(wrong)),
        };
        let names: BTreeSet<String> = read.leaking.values().map(|leaking| leaking.declared.to_string()).collect();
        let proposals: BTreeMap<&Declared, &str> = read
            .leaking
            .keys()
            .filter_map(|name| self.columns.get(name))
            .filter_map(|known| Some((&known.declared, known.proposal.as_deref()?)))
            .collect();
        let lines = decide(self.rules, proposals.into_iter());
        let lines = match lines.is_empty() {
            true => String::new(),
            false => format!(
                "Decide these columns anew. What a mask recognizes it takes away, with a `subject` the names of that person too, \
                 `pattern` takes everything:\n{lines}\n"
            ),
        };
        Found {
            gate: gate("leak: texts", started, found),
            names,
            hint: format!("{lines}If they may hold such values:"),
        }
    }

    fn detected(&self, read: &Read, started: Instant) -> Found {
        let found = match read.detected.is_empty() {
            true => {
                Ok(format!("{} kept columns without a person's reason: nothing personal was detected", read.looked))
            }
            false => Err(some_of(read.detected.iter().map(|(column, found)| format!("{column}: {}", found.what)))),
        };
        let known = |declared: &Declared| self.columns.get(&declared.to_string());
        // A pack decides some rows: a reason for the whole column would keep those, too.
        let others =
            |declared: &Declared| known(declared).is_some_and(|known| matches!(known.choice, Choice::Others { .. }));
        let mask = |declared: &Declared, found: &Detected| {
            let proposal = known(declared).and_then(|known| known.proposal.clone());
            let mask = found.mask.clone().filter(|_| !others(declared));
            mask.or(proposal).unwrap_or_else(|| "\"null\"".to_owned())
        };
        // A mask that hides keys is there: nothing that could be pasted is better.
        let masked = |declared: &Declared| known(declared).is_some_and(|known| known.choice == Choice::Masked);
        let kept = || read.detected.iter().filter(|(declared, _)| !masked(declared));
        let masks = decide(self.rules, kept().map(|(declared, found)| (declared, mask(declared, found))));
        let whole = kept().filter(|(declared, _)| !others(declared));
        let reasons = decide(self.rules, whole.map(|(declared, _)| (declared, "{ keep = \"why\" }")));
        let hint = match kept().next() {
            Some(_) if reasons.is_empty() => format!("Mask these columns in all rows:\n{masks}"),
            Some(_) => format!("Mask these columns:\n{masks}\nOr, where their values may stay, say why:\n{reasons}"),
            None => "Masks hide such keys: look for a hook that writes them.".to_owned(),
        };
        let hint = (!read.detected.is_empty()).then_some(hint);
        let gate = Gate { severity: self.detected, hint, ..gate("leak: detectors", started, found) };
        Found { gate, names: BTreeSet::new(), hint: String::new() }
    }

    /// Definitions as they were given to the database: defaults, checks, comments, bodies, labels, bounds.
    fn definitions(&self, sought: &Sought) -> Found {
        let started = Instant::now();
        let objects = self.objects;
        let all = || objects.pre.iter().chain(&objects.post).chain(&objects.security);
        let hits = |sql: &str| {
            let mut traces = sought.traces(false);
            sought.read(sql, &mut traces);
            sought.judge(&traces)
        };
        let mut wrong: BTreeMap<String, String> = BTreeMap::new();
        let accepted = |label: &str| self.accepted.iter().any(|pattern| matches(pattern, label));
        let may = |label: &str| self.config.allows(label) || accepted(label);
        for entry in all().filter(|entry| !may(&entry.label())) {
            let found = hits(&entry.sql);
            if found.is_empty() {
                continue;
            }
            // A table is long: by what its list defines, columns and constraints.
            let parts = if entry.kind.ends_with("TABLE") { items(&entry.sql) } else { Vec::new() };
            let named = parts.iter().filter(|part| !hits(part).is_empty()).filter_map(|part| defined(part));
            let table = format!("{}.{}", entry.schema, entry.name);
            let known = |(name, constraint): &(String, bool)| *constraint || self.known(&table, name).is_some();
            let parts: BTreeSet<String> = named.filter(known).map(|(name, _)| name).collect();
            let within = match parts.is_empty() {
                true => String::new(),
                false => format!(" (in {})", some_of(parts)),
            };
            let columns = found.iter().map(|hits| format!("a value of {}{within}", hits.column));
            wrong.insert(entry.label(), some_of(columns));
        }
        let found = match wrong.is_empty() {
            true => {
                Ok(format!("{}: no value of {} masked columns", many(all().count(), "definition"), sought.columns()))
            }
            false => Err(some_of(wrong.iter().map(|(label, columns)| format!("{label}: {columns}")))),
        };
        let names: BTreeSet<String> = wrong.into_keys().collect();
        let hint = "Take the values out of the definitions in production. If they may stand there:".to_owned();
        Found { gate: gate("leak: definitions", started, found), names, hint }
    }

    /// What the planner remembers of values: it may outlive the rows.
    async fn statistics(&self, client: &Client, sought: &Sought, read: &Read) -> Result<Found, LoadError> {
        let started = Instant::now();
        // One value at a time: neighbours of a list have nothing to do with each other.
        let sql = format!(
            "SELECT n.nspname || '.' || c.relname || '.' || a.attname, {COMPUTED}, \
             ARRAY(SELECT pg_catalog.unnest(s.most_common_vals::text::text[]) UNION ALL \
             SELECT pg_catalog.unnest(s.histogram_bounds::text::text[]) UNION ALL \
             SELECT pg_catalog.unnest(s.most_common_elems::text::text[])) \
             FROM pg_catalog.pg_stats s JOIN pg_catalog.pg_namespace n ON n.nspname = s.schemaname \
             JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = s.tablename \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = s.attname \
             JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
             WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'restage') AND t.typcategory IN ('S', 'A', 'C', 'U') \
             UNION ALL SELECT s.schemaname || '.' || s.tablename || '.' || s.statistics_name, false, ARRAY(SELECT pg_catalog.unnest(s.most_common_vals)) \
             FROM pg_catalog.pg_stats_ext s WHERE s.most_common_vals IS NOT NULL ORDER BY 1"
        );
        let failed = |error| LoadError::sql("reading statistics", &error);
        let none: [&(dyn tokio_postgres::types::ToSql + Sync); 0] = [];
        let rows = client.query_raw(&sql, none).await.map_err(failed)?;
        let mut rows = std::pin::pin!(rows);
        let (mut wrong, mut columns) = (BTreeMap::new(), 0_u64);
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            let (name, computed, texts): (String, bool, Vec<Option<String>>) = (row.get(0), row.get(1), row.get(2));
            // What a column is known to hold is told once.
            let allowed = self.columns.get(&name).is_some_and(|known| known.choice == Choice::Allowed);
            let told = read.leaking.contains_key(&name)
                || read.leaking.values().any(|leaking| leaking.declared.to_string() == name);
            if allowed || told || self.allows(&name) {
                continue;
            }
            columns += 1;
            let known = self.columns.get(&name).map(|known| &known.choice);
            let mut traces = sought.traces(computed || !matches!(known, Some(Choice::Kept { .. }) | None));
            for text in texts.iter().flatten() {
                match known {
                    // Masks hold names and words of their own.
                    Some(Choice::Replaced) => sought.read_whole(text, &mut traces),
                    _ => sought.read(text, &mut traces),
                }
            }
            let hits = sought.judge(&traces);
            if !hits.is_empty() {
                let columns: Vec<String> = hits.iter().map(|hits| format!("values of {}", hits.column)).collect();
                wrong.insert(name, some_of(columns));
            }
        }
        let found = match wrong.is_empty() {
            true => Ok(format!("statistics of {columns} columns: no value of {} masked columns", sought.columns())),
            false => Err(some_of(wrong.iter().map(|(name, columns)| format!("{name}: {columns}")))),
        };
        let names: BTreeSet<String> = wrong.keys().cloned().collect();
        let hint = "Statistics are of rows that are there or were: look for a hook that writes values of the source. If they may hold them:";
        Ok(Found { gate: gate("leak: statistics", started, found), names, hint: hint.to_owned() })
    }
}

/// A gate, what it found, and what can be done about it beside letting it through.
struct Found {
    gate: Gate,
    names: BTreeSet<String>,
    hint: String,
}

/// The name of the column or constraint that a part of CREATE TABLE defines, and whether it is a constraint.
fn defined(part: &str) -> Option<(String, bool)> {
    let part = part.trim_start();
    let (name, constraint) = match part.strip_prefix("CONSTRAINT ") {
        Some(name) => (name, true),
        None => (part, false),
    };
    let name = match name.strip_prefix('"') {
        // A quote in a name stands twice.
        Some(quoted) => quoted.replace("\"\"", "\u{0}").split_once('"')?.0.replace('\u{0}', "\""),
        None => name.split_once(char::is_whitespace)?.0.to_owned(),
    };
    Some((name, constraint))
}

/// The leaves of a document side by side, as they are looked at; none for what is none. Takes in its keys.
fn words(text: &str, keys: &mut Option<Keys>) -> Option<String> {
    detect::words(text, &mut |key| keys.iter_mut().for_each(|keys| keys.see(key)))
}

/// What was read of some tables.
#[derive(Default)]
struct Read {
    columns: u64,
    rows: u64,
    /// Tables of which a sample was read.
    sampled: u64,
    /// By column.
    leaking: BTreeMap<String, Leaking>,
    /// Tables whose rows the server does not show us.
    hidden: Vec<String>,
    /// Columns the detectors looked at.
    looked: u64,
    /// What detectors found, by column.
    detected: BTreeMap<Declared, Detected>,
}

impl Read {
    fn add(&mut self, other: Read) {
        self.columns += other.columns;
        self.rows += other.rows;
        self.sampled += other.sampled;
        self.leaking.extend(other.leaking);
        self.hidden.extend(other.hidden);
        self.looked += other.looked;
        self.detected.extend(other.detected);
    }
}

/// A column that holds values of masked ones.
struct Leaking {
    hits: Vec<Hits>,
    /// Texts that were read.
    of: u64,
    declared: Declared,
}

impl Leaking {
    fn told(&self, column: &str) -> String {
        let told = self.hits.iter().map(|hits| format!("values of {} in {}", hits.column, hits.texts));
        format!("{column}: {} of {} rows read", some_of(told), self.of)
    }
}

/// A table with columns that can hold words.
struct Table {
    schema: String,
    name: String,
    bytes: u64,
    columns: Vec<Column>,
}

struct Column {
    name: String,
    /// Its text can be a document.
    nested: bool,
    /// It is an array, a row or an hstore, which are written as JSON to be read.
    container: bool,
    /// The server makes it of other columns, so masks stand in it.
    computed: bool,
}

impl Column {
    /// It as text.
    fn sql(&self) -> String {
        let name = pg::quote_ident(&self.name);
        match self.container {
            true => format!("pg_catalog.to_json({name})::pg_catalog.text"),
            false => format!("{name}::pg_catalog.text"),
        }
    }
}

/// Begins a transaction that reads all rows of a table, named as SQL has it, whatever row security says, and is not to be
/// kept. Whether there is such a table.
pub(crate) async fn begin_look(client: &Client, from: &str) -> Result<bool, tokio_postgres::Error> {
    client.batch_execute("BEGIN; SET LOCAL row_security = off; SET LOCAL statement_timeout = 0").await?;
    let forced = "SELECT relforcerowsecurity FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass($1)";
    let Some(row) = client.query_opt(forced, &[&from]).await? else {
        client.batch_execute("ROLLBACK").await?;
        return Ok(false);
    };
    // Forced on owners, it is taken away for the time.
    if row.get(0) {
        client.batch_execute("SAVEPOINT restage_look").await?;
        let lifted = client.batch_execute(&format!("ALTER TABLE {from} NO FORCE ROW LEVEL SECURITY")).await;
        if lifted.is_err() {
            client.batch_execute("ROLLBACK TO SAVEPOINT restage_look").await?;
        }
    }
    client.batch_execute("SET TRANSACTION READ ONLY").await?;
    Ok(true)
}

/// Whether a column `a` of a relation `c` is computed from others.
const COMPUTED: &str = "a.attgenerated <> '' OR c.relkind = 'm'";

/// Types that hold words, by their category; numbers, times, labels and bytes do not.
async fn tables(client: &Client) -> Result<Vec<Table>, tokio_postgres::Error> {
    let sql = format!(
        "SELECT n.nspname::text, c.relname::text, pg_catalog.pg_table_size(c.oid), a.attname::text, \
         t.typcategory::text IN ('A', 'C') OR b.typname = 'hstore', b.typname IN ('json', 'jsonb', 'xml', 'hstore') OR t.typcategory IN ('A', 'C', 'S'), {COMPUTED} \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
         JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
         JOIN pg_catalog.pg_type b ON b.oid = CASE WHEN t.typbasetype <> 0 THEN t.typbasetype ELSE t.oid END \
         LEFT JOIN pg_catalog.pg_type e ON e.oid = b.typelem \
         WHERE c.relkind IN ('r', 'm') AND c.relispopulated AND c.relpersistence <> 't' AND {OURS} AND {OWN} \
         AND (t.typcategory IN ('S', 'C') OR (t.typcategory = 'U' AND b.typname NOT IN ('bytea', 'pg_lsn', 'txid_snapshot', 'pg_snapshot')) \
           OR (t.typcategory = 'A' AND e.typcategory IN ('S', 'C', 'U') AND e.typname <> 'bytea')) \
         ORDER BY 3 DESC, 1, 2, a.attnum"
    );
    let mut tables: Vec<Table> = Vec::new();
    for row in client.query(&sql, &[]).await? {
        let (schema, name): (String, String) = (row.get(0), row.get(1));
        if tables.last().is_none_or(|table| (&table.schema, &table.name) != (&schema, &name)) {
            let bytes = row.get::<_, i64>(2).unsigned_abs();
            tables.push(Table { schema, name, bytes, columns: Vec::new() });
        }
        let column = Column { name: row.get(3), container: row.get(4), nested: row.get(5), computed: row.get(6) };
        tables.last_mut().expect("pushed above").columns.push(column);
    }
    Ok(tables)
}

/// A column that is read.
struct Looked {
    /// `schema.table.column`.
    name: String,
    declared: Declared,
    sql: String,
    nested: bool,
    /// Masked in part, or made of what is: names that are masks stand in it.
    masked: bool,
    /// What it holds, where detectors are to look.
    takes: Option<Takes>,
    keys_max: Option<usize>,
}

/// One table to read.
struct Search {
    table: Table,
    columns: Vec<Looked>,
    /// The share of its blocks that is read; none: all of them.
    share: Option<f64>,
    /// Bytes of text after which no more is read: on disk they may be far fewer.
    bytes_max: u64,
    sought: Arc<Sought>,
}

impl Search {
    async fn run(self, client: &Client) -> Result<Read, (String, tokio_postgres::Error)> {
        let name = format!("{}.{}", self.table.schema, self.table.name);
        self.rows(client).await.map_err(|error| (name, error))
    }

    async fn rows(&self, client: &Client) -> Result<Read, tokio_postgres::Error> {
        let texts = self.columns.iter().enumerate().map(|(place, column)| format!("{} AS t{place}", column.sql));
        // Characters are counted only where there may be too many: the length in bytes is known.
        let cut = |text: String| {
            format!(
                "CASE WHEN pg_catalog.octet_length({text}) <= {CHARS_MAX} THEN {text} ELSE pg_catalog.left({text}, {CHARS_MAX}) END"
            )
        };
        let list: Vec<String> = (0..self.columns.len()).map(|place| cut(format!("t{place}"))).collect();
        let sampled =
            self.share.map_or_else(String::new, |share| format!(" TABLESAMPLE SYSTEM ({:.6})", share * 100.0));
        let from = pg::quote_qualified(&self.table.schema, &self.table.name);
        // Behind OFFSET each value is written as text once.
        let sql = format!(
            "SELECT {} FROM (SELECT {} FROM ONLY {from}{sampled} OFFSET 0) r",
            list.join(", "),
            texts.collect::<Vec<_>>().join(", ")
        );
        begin_look(client, &from).await?;
        let mut traces: Vec<_> = self.columns.iter().map(|column| self.sought.traces(column.masked)).collect();
        let mut seen: Vec<Option<Seen<'_>>> =
            self.columns.iter().map(|column| self.facts(column).map(Seen::new)).collect();
        let looked_into = |column: &Looked| column.keys_max.filter(|_| column.nested).map(|_| Keys::default());
        let mut keys: Vec<Option<Keys>> = self.columns.iter().map(looked_into).collect();
        let nothing = self.sought.is_empty();
        let mut read =
            Read { columns: self.columns.len() as u64, sampled: self.share.is_some().into(), ..Read::default() };
        let none: [&(dyn tokio_postgres::types::ToSql + Sync); 0] = [];
        let stream = client.query_raw(&sql, none).await;
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) if super::record::is_hidden(&error) => {
                client.batch_execute("ROLLBACK").await?;
                let hidden = vec![format!("{}.{}", self.table.schema, self.table.name)];
                return Ok(Read { hidden, ..Read::default() });
            }
            Err(error) => return Err(error),
        };
        let mut stream = Box::pin(stream);
        let mut looked = 0;
        while let Some(row) = stream.try_next().await? {
            if looked >= self.bytes_max {
                // What is left of the answer is thrown away.
                read.sampled = 1;
                break;
            }
            read.rows += 1;
            for (place, column) in self.columns.iter().enumerate() {
                let value: Option<&str> = row.try_get(place)?;
                if let Some(seen) = &mut seen[place] {
                    seen.push(value);
                }
                looked += value.map_or(0, |value| value.len() as u64);
                let Some(value) = value.filter(|_| !nothing || keys[place].is_some()) else { continue };
                let words = if column.nested { words(value, &mut keys[place]) } else { None };
                if !nothing {
                    self.sought.read(words.as_deref().unwrap_or(value), &mut traces[place]);
                }
            }
        }
        // A stream that is there and not read holds back every later answer of its session.
        drop(stream);
        client.batch_execute("ROLLBACK").await?;
        for ((column, traces), seen) in self.columns.iter().zip(&traces).zip(&seen) {
            let hits = self.sought.judge(traces);
            if !hits.is_empty() {
                let leaking = Leaking { hits, of: traces.texts(), declared: column.declared.clone() };
                read.leaking.insert(column.name.clone(), leaking);
            }
            if let Some(seen) = seen {
                read.looked += 1;
                read.detected.extend(seen.found().map(|found| (column.declared.clone(), found)));
            }
        }
        for (column, keys) in self.columns.iter().zip(keys) {
            if let Some(found) = keys.and_then(|keys| keys.found(column.keys_max?)) {
                read.detected.entry(column.declared.clone()).or_insert(found);
            }
        }
        Ok(read)
    }

    fn facts<'s>(&'s self, column: &'s Looked) -> Option<Facts<'s>> {
        // A type of the user's own that is read here is a domain over text, or is written as text.
        let takes = column.takes.map(|takes| if takes == Takes::Enum { Takes::Text } else { takes })?;
        Some(Facts { table: &self.table.name, column: &column.declared.column, takes, domain: None, affix: None })
    }
}

/// The lines that decide columns anew, under the headers that stand there: neither those nor keys may be there twice.
fn decide<'n, D: Display>(rules: &[TableRule], columns: impl Iterator<Item = (&'n Declared, D)>) -> String {
    let mut tables: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (declared, decision) in columns {
        let there = listed(rules, &declared.table, &declared.column);
        let instead = there.map_or_else(String::new, |there| format!("     # in place of {}", there.place));
        let line = format!("{} = {decision}{instead}", toml_key(&declared.column));
        tables.entry(&declared.table).or_default().push(line);
    }
    let tables = tables.into_iter().map(|(table, lines)| format!("{}\n{}", under(rules, table), lines.join("\n")));
    tables.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_table_are_named_and_what_literals_hold_is_not() {
        let sql = "CREATE TABLE public.x (\n    a text DEFAULT 'Badge:\nQB-100259, (front),\nb integer ''no'' x',\n    \
                   \"b \"\"c\" text GENERATED ALWAYS AS (CASE\nWHEN true THEN 'x, y'::text END) STORED,\n    \
                   CONSTRAINT \"k, 1\" CHECK ((a <> ')'::text))\n)\nWITH (fillfactor='70');\n";
        let names: Vec<_> = items(sql).into_iter().filter_map(defined).collect();
        let name = |name: &str, constraint| (name.to_owned(), constraint);
        assert_eq!(names, [name("a", false), name("b \"c", false), name("k, 1", true)]);
    }
}
