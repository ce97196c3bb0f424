//! Rows in canonical order, as SQL and CSV: the same bytes for the same rows, on every machine.
//!
//! Rows are sorted after they were masked. Sorted at the source, the order of masked keys would tell the order of the keys
//! they stand for.

use super::objects::{Entry, Objects};
use super::postgres::Unit;
use super::{LoadError, Sink};
use crate::artefact::Form;
use crate::artefact::columns::Fault;
use crate::pg::{self, text};
use crate::plan::{Plan, SequencePlan, TablePlan};
use bytes::Bytes;
use std::io::{self, Write};

/// How a key column is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// As a whole number.
    Number,
    /// Byte by byte.
    Text,
}

/// Collects the rows of a table; memory is that of the rows, up to a budget.
pub struct Collector {
    table: String,
    budget_bytes: u64,
    held: u64,
    units: Vec<Bytes>,
}

impl Collector {
    pub fn new(table: &TablePlan, budget_bytes: u64) -> Self {
        Self { table: table.full_name(), budget_bytes, held: 0, units: Vec::new() }
    }

    /// The rows of COPY text in canonical order, each with its newline: by `key` (number of the column, and how it is
    /// compared), then by all bytes.
    ///
    /// # Errors
    /// [`LoadError::Fault`] if a row lacks a column of the key.
    pub fn sorted(self, key: &[(usize, By)]) -> Result<Vec<Bytes>, LoadError> {
        let mut rows: Vec<(Vec<Key>, Bytes)> = Vec::new();
        for unit in self.units {
            let mut start = 0;
            for (at, _) in unit.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
                let row = unit.slice(start..=at);
                start = at + 1;
                let key = key.iter().map(|(column, by)| Key::of(&row, *column, *by)).collect::<Option<Vec<Key>>>();
                let fault = || LoadError::Fault { table: self.table.clone(), column: None, fault: Fault::Fields };
                rows.push((key.ok_or_else(fault)?, row));
            }
        }
        rows.sort_unstable();
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }
}

impl Sink for Collector {
    async fn write(&mut self, unit: Unit) -> Result<(), LoadError> {
        self.held += unit.bytes.len() as u64;
        if self.held > self.budget_bytes {
            return Err(LoadError::TooLarge { table: self.table.clone(), budget_bytes: self.budget_bytes });
        }
        self.units.push(unit.bytes);
        Ok(())
    }
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Number(i64),
    Text(Bytes),
}

impl Key {
    fn of(row: &Bytes, column: usize, by: By) -> Option<Self> {
        let field = row.strip_suffix(b"\n")?.split(|byte| *byte == b'\t').nth(column)?;
        let number = || std::str::from_utf8(field).ok()?.parse().ok();
        Some(match by {
            By::Number => number().map_or_else(|| Self::Text(row.slice_ref(field)), Self::Number),
            By::Text => Self::Text(row.slice_ref(field)),
        })
    }
}

/// What stands before everything else in a script: nothing of the session it runs in may change what it says.
const SETTINGS: &str = "\\set ON_ERROR_STOP on\n\
SET client_encoding = 'UTF8';\n\
SET standard_conforming_strings = on;\n\
SET check_function_bodies = false;\n\
SET client_min_messages = warning;\n\
SET row_security = off;\n\
SET xmloption = content;\n\
SET DateStyle = 'ISO, YMD';\n\
SET IntervalStyle = 'postgres';\n\
SET TimeZone = 'UTC';\n\
SET lc_monetary = 'C';\n\
SELECT pg_catalog.set_config('search_path', '', false) \\g /dev/null\n";

/// Writes the start of a script: settings, then all definitions that must be there before rows are.
///
/// # Errors
/// The error of the writer.
pub fn put_start(objects: &Objects, form: Form, out: &mut impl Write) -> io::Result<()> {
    let what = match form {
        Form::Parquet => "Definitions of masked rows, which are in tables/*.parquet",
        Form::Sql | Form::Csv => "Masked rows",
    };
    // Paths in the script are against the folder it is in, which is where psql has to be.
    let script = script(form);
    writeln!(
        out,
        "-- {what}, made by restage. For an empty database, in the folder of this file: psql -X -f {script}\n"
    )?;
    writeln!(out, "{SETTINGS}")?;
    for entry in &objects.pre {
        if entry.kind == "SCHEMA" && entry.name == "public" {
            writeln!(out, "CREATE SCHEMA IF NOT EXISTS public;\n")?;
            continue;
        }
        put_entry(entry, out)?;
        if entry.kind == "SERVER" {
            put_nowhere(&entry.name, out)?;
        }
    }
    Ok(())
}

/// The name of the script of a fixture.
pub fn script(form: Form) -> &'static str {
    match form {
        Form::Sql => "fixture.sql",
        Form::Csv => "load.sql",
        Form::Parquet => "schema.sql",
    }
}

fn put_entry(entry: &Entry, out: &mut impl Write) -> io::Result<()> {
    if entry.sql.is_empty() { Ok(()) } else { writeln!(out, "{}\n", entry.sql) }
}

/// Points a foreign server at a closed port of its own machine, as a refresh does.
fn put_nowhere(server: &str, out: &mut impl Write) -> io::Result<()> {
    let name = pg::quote_literal(server);
    writeln!(
        out,
        "DO $restage$\nDECLARE known text[]; wanted text[];\nBEGIN\n  \
         SELECT coalesce(srvoptions, '{{}}') INTO known FROM pg_catalog.pg_foreign_server WHERE srvname = {name};\n  \
         FOREACH wanted SLICE 1 IN ARRAY ARRAY[['host', '127.0.0.1'], ['hostaddr', '127.0.0.1'], ['port', '1']] LOOP\n    \
         BEGIN\n      \
         IF EXISTS (SELECT FROM pg_catalog.unnest(known) AS o WHERE pg_catalog.starts_with(o, wanted[1] || '=')) THEN\n        \
         EXECUTE pg_catalog.format('ALTER SERVER %I OPTIONS (SET %I %L)', {name}, wanted[1], wanted[2]);\n      \
         ELSIF wanted[1] <> 'hostaddr' THEN\n        \
         EXECUTE pg_catalog.format('ALTER SERVER %I OPTIONS (ADD %I %L)', {name}, wanted[1], wanted[2]);\n      \
         END IF;\n    \
         EXCEPTION WHEN fdw_invalid_option_name THEN NULL;\n    \
         END;\n  \
         END LOOP;\nEND $restage$;\n"
    )
}

/// `"schema"."table" ("a", "b")`, where rows of a table go.
pub fn target(table: &TablePlan) -> String {
    let mut name = pg::quote_qualified(&table.target_schema, &table.target_name);
    if !table.columns.is_empty() {
        let columns: Vec<String> = table.columns.iter().map(|column| pg::quote_ident(&column.name)).collect();
        name.push_str(&format!(" ({})", columns.join(", ")));
    }
    name
}

/// Writes the rows of a table as a COPY block.
///
/// # Errors
/// The error of the writer.
pub fn put_copy(table: &TablePlan, rows: &[Bytes], out: &mut impl Write) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "COPY {} FROM stdin;", target(table))?;
    for row in rows {
        out.write_all(row)?;
    }
    writeln!(out, "\\.\n")
}

/// Writes what comes after the rows: sequences, keys, indexes, foreign keys, materialized views, row security.
///
/// `populated`: materialized views that hold rows, in an order in which they can be filled. `loose`: values of sequences
/// that no column owns.
///
/// # Errors
/// The error of the writer.
pub fn put_end(
    plan: &Plan,
    objects: &Objects,
    populated: &[(String, String)],
    loose: impl Fn(&SequencePlan) -> Option<(i64, bool)>,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut sequences: Vec<&SequencePlan> = plan.sequences.iter().collect();
    sequences.sort_by(|a, b| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
    for sequence in sequences {
        put_sequence(sequence, loose(sequence), out)?;
    }
    writeln!(out)?;
    for entry in &objects.post {
        put_entry(entry, out)?;
    }
    for (schema, name) in populated {
        put_refresh(&pg::quote_qualified(schema, name), out)?;
    }
    for entry in &objects.security {
        put_entry(entry, out)?;
    }
    writeln!(out, "{ANALYZE}")
}

/// Analyzes what the database holds itself. ANALYZE of a table with a foreign one below it asks the foreign server, which is
/// nowhere, and fails.
const ANALYZE: &str = "SELECT pg_catalog.format('ANALYZE %I.%I', n.nspname, c.relname)
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm') AND pg_catalog.left(n.nspname::text, 3) <> 'pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (
    WITH RECURSIVE below (oid) AS (
      SELECT c.oid UNION
      SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i JOIN below AS b ON b.oid = i.inhparent
    )
    SELECT FROM below AS b JOIN pg_catalog.pg_class AS f ON f.oid = b.oid WHERE f.relkind = 'f')
ORDER BY n.nspname::text COLLATE \"C\", c.relname::text COLLATE \"C\" \\gexec";

/// Fills a materialized view. One that cannot be filled is told and stays empty, as in a refresh.
fn put_refresh(view: &str, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "DO $restage$\nBEGIN\n  REFRESH MATERIALIZED VIEW {view};\nEXCEPTION WHEN OTHERS THEN\n  \
         RAISE WARNING 'materialized view % could not be filled (SQLSTATE %); it is empty', {}, SQLSTATE;\nEND $restage$;\n",
        pg::quote_literal(view)
    )
}

/// Sets a sequence behind the rows that are there. Where it stands at the source says how much production has seen, and
/// would change the file every night.
fn put_sequence(sequence: &SequencePlan, loose: Option<(i64, bool)>, out: &mut impl Write) -> io::Result<()> {
    let name = pg::quote_literal(&pg::quote_qualified(&sequence.schema, &sequence.name));
    let from = |part: Option<&String>, schema: &str, table: &str| match part {
        Some(part) => format!("{part} AS t"),
        None => pg::quote_qualified(schema, table),
    };
    let mut columns: Vec<(String, String)> = sequence
        .owner
        .iter()
        .map(|(schema, table, column)| (from(sequence.owner_part.as_ref(), schema, table), pg::quote_ident(column)))
        .chain(
            sequence
                .masked
                .iter()
                .map(|fed| (from(fed.part.as_ref(), &fed.schema, &fed.table), pg::quote_ident(&fed.column))),
        )
        .collect();
    columns.sort();
    columns.dedup();
    if columns.is_empty() {
        let Some((last, called)) = loose else { return Ok(()) };
        return writeln!(out, "SELECT pg_catalog.setval({name}::regclass, {last}, {called}) \\g /dev/null");
    }
    let values: Vec<String> =
        columns.iter().map(|(table, column)| format!("SELECT {column}::numeric AS v FROM {table}")).collect();
    writeln!(
        out,
        "SELECT pg_catalog.setval({name}::regclass, CASE WHEN s.seqincrement > 0 \
         THEN greatest(least(max(r.v), s.seqmax), s.seqmin) ELSE least(greatest(min(r.v), s.seqmin), s.seqmax) END::bigint) \
         FROM ({}) AS r CROSS JOIN pg_catalog.pg_sequence AS s WHERE s.seqrelid = {name}::regclass AND r.v IS NOT NULL \
         GROUP BY s.seqincrement, s.seqmin, s.seqmax \\g /dev/null",
        values.join(" UNION ALL ")
    )
}

/// Writes rows of COPY text as CSV with a header. NULL is nothing, an empty text is `""`.
///
/// # Errors
/// The error of the writer; a row that is no COPY text is [`io::ErrorKind::InvalidData`].
pub fn put_csv(table: &TablePlan, rows: &[Bytes], out: &mut impl Write) -> io::Result<()> {
    let names: Vec<String> = table.columns.iter().map(|column| csv_text(&column.name)).collect();
    writeln!(out, "{}", names.join(","))?;
    let mut plain = Vec::new();
    for row in rows {
        let row = row.strip_suffix(b"\n").unwrap_or(row);
        for (number, field) in row.split(|byte| *byte == b'\t').enumerate() {
            if number > 0 {
                out.write_all(b",")?;
            }
            if field == b"\\N" {
                continue;
            }
            plain.clear();
            text::unescape(field, &mut plain).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
            // A table without columns has empty lines.
            if !table.columns.is_empty() {
                put_csv_value(&plain, out)?;
            }
        }
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Whether psql finds its way through a CSV file of these rows and the line that names it. Before version 18 its `\copy`
/// ends at a line `\.` in a quoted text, and in none does a backslash command go on in another line.
pub fn loads_by_file(table: &TablePlan, rows: &[Bytes]) -> bool {
    let odd = |name: &str| name.contains(['\n', '\r']);
    let names =
        [&table.target_schema, &table.target_name].into_iter().chain(table.columns.iter().map(|column| &column.name));
    // As COPY text writes them; a text that only looks like one is loaded as well either way.
    let ends = [br"\n\\.\n".as_slice(), br"\n\\.\r\n".as_slice()];
    let holds = |row: &Bytes| ends.iter().any(|end| row.windows(end.len()).any(|part| part == *end));
    !names.into_iter().any(|name| odd(name)) && !rows.iter().any(holds)
}

fn csv_text(text: &str) -> String {
    let mut out = Vec::new();
    put_csv_value(text.as_bytes(), &mut out).expect("a vector takes every write");
    String::from_utf8(out).expect("quotes are added to a text")
}

/// Quotes what needs it: separators, quotes, line ends, what is empty, blanks at the ends, and the mark of the end of data.
fn put_csv_value(value: &[u8], out: &mut impl Write) -> io::Result<()> {
    let special = |byte: &u8| matches!(byte, b',' | b'"' | b'\n' | b'\r' | b'\\');
    let blank = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_whitespace);
    if !value.iter().any(special) && !blank(value.first()) && !blank(value.last()) {
        return out.write_all(value);
    }
    out.write_all(b"\"")?;
    for part in value.split_inclusive(|byte| *byte == b'"') {
        out.write_all(part)?;
        if part.ends_with(b"\"") {
            out.write_all(b"\"")?;
        }
    }
    out.write_all(b"\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{ColumnPlan, Decided};

    fn table(columns: &[&str]) -> TablePlan {
        let column = |name: &&str| ColumnPlan {
            attnum: 1,
            name: (*name).to_owned(),
            type_name: "text".into(),
            decision: Decided::Keep { reason: None },
            because: String::new(),
            place: None,
            undecided: false,
            proposal: None,
            hiding: None,
        };
        TablePlan { columns: columns.iter().map(column).collect(), ..TablePlan::default() }
    }

    fn collected(units: &[&'static str]) -> Collector {
        let units = units.iter().map(|unit| Bytes::from_static(unit.as_bytes())).collect();
        Collector { table: "t".into(), budget_bytes: 100, held: 0, units }
    }

    fn joined(rows: &[Bytes]) -> String {
        rows.iter().map(|row| String::from_utf8_lossy(row).into_owned()).collect()
    }

    #[test]
    fn rows_are_sorted_by_number_by_text_and_by_everything() {
        let rows = collected(&["x\t10\nb\t9\n", "a\t-1\n"]).sorted(&[(1, By::Number)]).expect("they have a key");
        assert_eq!(joined(&rows), "a\t-1\nb\t9\nx\t10\n");
        let rows = collected(&["x\t10\nb\t9\n", "a\t-1\n"]).sorted(&[(1, By::Text)]).expect("they have a key");
        assert_eq!(joined(&rows), "a\t-1\nx\t10\nb\t9\n");
        let rows = collected(&["b\t2\nb\t10\n", "a\t3\n"]).sorted(&[]).expect("they need no key");
        assert_eq!(joined(&rows), "a\t3\nb\t10\nb\t2\n");
        assert!(collected(&["a\n"]).sorted(&[(1, By::Text)]).is_err());
    }

    #[test]
    fn csv_tells_null_from_empty_and_quotes_what_it_must() {
        let mut out = Vec::new();
        let rows = [
            Bytes::from_static(b"\\N\t\ta,b\n"),
            Bytes::from_static(b"say \"x\"\tl1\\nl2\t\\\\.\n"),
            Bytes::from_static(b" x\tplain\t\xc3\xa9\n"),
        ];
        put_csv(&table(&["a", "B \"q\"", "c"]), &rows, &mut out).expect("written");
        let expected = "a,\"B \"\"q\"\"\",c\n,\"\",\"a,b\"\n\"say \"\"x\"\"\",\"l1\nl2\",\"\\.\"\n\" x\",plain,é\n";
        assert_eq!(String::from_utf8(out).expect("text"), expected);
        // What psql would take for the end of the file is no file's to load.
        assert!(loads_by_file(&table(&["a", "B \"q\"", "c"]), &rows));
        for (row, loads) in [
            (r"x\n\\.\ny", false),
            (r"x\n\\.\r\ny", false),
            (r"\\.\ny", true),
            (r"x\n\\.", true),
            (r"x\n\\. \ny", true),
        ] {
            assert_eq!(loads_by_file(&table(&["a"]), &[Bytes::from_static(row.as_bytes())]), loads, "{row}");
        }
        assert!(!loads_by_file(&table(&["two\nlines"]), &[]));
        let mut out = Vec::new();
        put_csv(&table(&[]), &[Bytes::from_static(b"\n")], &mut out).expect("written");
        assert_eq!(out, b"\n\n");
    }
}
