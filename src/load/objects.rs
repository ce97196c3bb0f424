//! The schema of the copy: `pg_dump --schema-only` of the source's snapshot, cut into entries, filtered, and run by us.
//!
//! There is no DDL generator of our own. `pg_dump -Fc` writes an archive to a pipe (it never touches a disk: defaults and
//! comments may name people), `pg_restore -v -f -` prints it as SQL with a header per entry, and this module cuts the
//! text at those headers. The cut is checked against `pg_restore -l`: the same entries in the same order, or the archive
//! is refused, so that a function body that looks like a header cannot shift statements.
//!
//! What is never taken over: publications and subscriptions (they hold passwords, and dropping a copied one would drop the
//! slot on production), user mappings, event triggers, security labels. Foreign servers are pointed at nowhere.

use crate::error::{Diagnose, Exit, Report};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    #[error("{tool} {major} was not found")]
    ToolMissing { tool: &'static str, major: u32, looked: Vec<PathBuf> },
    #[error("{tool} failed")]
    Tool { tool: &'static str, stderr: String },
    #[error("{tool} could not read the loaded database")]
    Target { tool: &'static str, stderr: String },
    #[error("{tool} was ended by signal {signal}")]
    Ended { tool: &'static str, signal: i32 },
    #[error("{tool} could not be run")]
    Spawn { tool: &'static str, source: std::io::Error },
    #[error("the schema archive has an entry of kind `{0}`, which is not known")]
    UnknownKind(String),
    #[error("the schema archive could not be cut into entries")]
    Cut,
}

impl ObjectsError {
    /// A statement that holds or waits for a table stood in the way of pg_dump, which then tells its own statement.
    pub fn is_locked(&self) -> bool {
        matches!(self, ObjectsError::Tool { tool: "pg_dump", stderr } if stderr.contains("LOCK TABLE") && !is_lost(stderr))
    }

    /// The same error when it was the loaded database that was read.
    #[must_use]
    pub fn at_target(self) -> Self {
        match self {
            ObjectsError::Tool { tool, stderr } => ObjectsError::Target { tool, stderr },
            other => other,
        }
    }
}

impl Diagnose for ObjectsError {
    fn exit(&self) -> Exit {
        match self {
            ObjectsError::ToolMissing { .. } | ObjectsError::UnknownKind(_) => Exit::Refused,
            ObjectsError::Tool { tool: "pg_dump", .. } | ObjectsError::Ended { tool: "pg_dump", .. } => Exit::Source,
            ObjectsError::Tool { .. }
            | ObjectsError::Ended { .. }
            | ObjectsError::Target { .. }
            | ObjectsError::Spawn { .. }
            | ObjectsError::Cut => Exit::Target,
        }
    }

    fn reports(&self) -> Vec<Report> {
        let report = match self {
            ObjectsError::ToolMissing { tool, major, looked } => Report::new("plan::tool-missing", self.to_string()).detail(looked_in(looked)).hint(format!(
                "Install the client tools of the target's version (`apt-get install postgresql-client-{major}`), or set \
                 `bin_dir` under [target] to the folder that holds {tool}."
            )),
            ObjectsError::Tool { stderr, tool } => {
                let hint = if is_lost(stderr) {
                    lost("source")
                } else {
                    format!(
                        "{tool} reads the definitions of all objects: the source role needs USAGE on every schema and \
                         SELECT on every table and sequence. `restage doctor` prints the missing GRANT."
                    )
                };
                Report::new("source::schema-dump", self.to_string()).detail(told(stderr)).hint(hint)
            }
            ObjectsError::Target { stderr, .. } => {
                let report = Report::new("target::schema-dump", self.to_string()).detail(told(stderr));
                if is_lost(stderr) { report.hint(lost("target")) } else { report }
            }
            ObjectsError::Ended { .. } => Report::new("source::schema-dump", self.to_string()).hint(
                "Somebody or the system ended it on the machine restage runs on; if it was short of memory, its kernel log \
                 says so (`dmesg`). Run it again.",
            ),
            ObjectsError::Spawn { source, .. } => {
                Report::new("target::tool-spawn", self.to_string()).detail(source.to_string())
            }
            ObjectsError::UnknownKind(_) => Report::new("plan::unknown-object-kind", self.to_string())
                .hint("This kind of object may carry data or reach out of staging, so it is refused until restage knows it. Drop it on the source or report it."),
            ObjectsError::Cut => Report::new("target::schema-cut", self.to_string())
                .hint("An object of the source has a line in its definition that imitates a pg_dump header."),
        };
        vec![report]
    }
}

fn looked_in(folders: &[PathBuf]) -> String {
    let folders: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    format!("Looked in {}.", folders.join(", "))
}

/// What a tool says of its failure, without the query that failed: its own, of the catalog, and pages long. What libpq
/// guesses in indented lines is left out too.
fn told(stderr: &str) -> String {
    let query = |line: &&str| !["query was:", "Query was:", "Command was:"].iter().any(|start| line.contains(start));
    let lines = stderr.lines().take_while(query).filter(|line| !line.trim().is_empty() && !line.starts_with('\t'));
    lines.take(4).collect::<Vec<_>>().join("\n")
}

/// The connection of a tool broke or did not come about. The words are those of libpq, which are not translated here; a
/// server that ends a session adds its own.
fn is_lost(stderr: &str) -> bool {
    const WORDS: [&str; 7] = [
        "server closed the connection",
        "connection to server",
        "no connection to the server",
        "could not receive data from server",
        "could not send data to server",
        "SSL connection has been closed",
        "SSL SYSCALL error",
    ];
    WORDS.iter().any(|words| stderr.contains(words))
}

fn lost(side: &str) -> String {
    format!(
        "The connection to the {side} broke or was refused, as the detail says: run it again. If that does not help, the \
         logs of its server and of what stands in between say more."
    )
}

/// What we do with an entry of the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Handling {
    Take,
    Drop,
    /// Grants: run statement by statement, roles may be missing.
    Grant,
}

/// Every kind pg_dump 14 to 18 can print with `--schema-only`, and what we do with it.
///
/// Source: `pg_dump.c` (the `description` of each `ArchiveEntry`).
const KINDS: &[(&str, Handling)] = &[
    ("ACCESS METHOD", Handling::Take),
    ("ACL", Handling::Grant),
    ("AGGREGATE", Handling::Take),
    ("CAST", Handling::Take),
    ("CHECK CONSTRAINT", Handling::Take),
    ("COLLATION", Handling::Take),
    ("COMMENT", Handling::Take),
    ("CONSTRAINT", Handling::Take),
    ("CONVERSION", Handling::Take),
    ("DATABASE", Handling::Drop),
    ("DATABASE PROPERTIES", Handling::Drop),
    ("DEFAULT", Handling::Take),
    ("DEFAULT ACL", Handling::Grant),
    ("DOMAIN", Handling::Take),
    ("EVENT TRIGGER", Handling::Drop),
    ("EXTENSION", Handling::Take),
    ("FK CONSTRAINT", Handling::Take),
    ("FOREIGN DATA WRAPPER", Handling::Take),
    ("FOREIGN TABLE", Handling::Take),
    ("FUNCTION", Handling::Take),
    ("INDEX", Handling::Take),
    ("INDEX ATTACH", Handling::Take),
    ("MATERIALIZED VIEW", Handling::Take),
    ("OPERATOR", Handling::Take),
    ("OPERATOR CLASS", Handling::Take),
    ("OPERATOR FAMILY", Handling::Take),
    ("POLICY", Handling::Take),
    ("PROCEDURE", Handling::Take),
    ("PROCEDURAL LANGUAGE", Handling::Take),
    ("PUBLICATION", Handling::Drop),
    ("PUBLICATION TABLE", Handling::Drop),
    ("PUBLICATION TABLES IN SCHEMA", Handling::Drop),
    ("ROW SECURITY", Handling::Take),
    ("RULE", Handling::Take),
    ("SCHEMA", Handling::Take),
    ("SECURITY LABEL", Handling::Drop),
    ("SEQUENCE", Handling::Take),
    ("SEQUENCE OWNED BY", Handling::Take),
    ("SERVER", Handling::Take),
    ("SHELL TYPE", Handling::Take),
    ("STATISTICS", Handling::Take),
    ("STATISTICS DATA", Handling::Drop),
    ("SUBSCRIPTION", Handling::Drop),
    ("SUBSCRIPTION TABLE", Handling::Drop),
    ("TABLE", Handling::Take),
    ("TABLE ATTACH", Handling::Take),
    ("TEXT SEARCH CONFIGURATION", Handling::Take),
    ("TEXT SEARCH DICTIONARY", Handling::Take),
    ("TEXT SEARCH PARSER", Handling::Take),
    ("TEXT SEARCH TEMPLATE", Handling::Take),
    ("TRANSFORM", Handling::Take),
    ("TRIGGER", Handling::Take),
    ("TYPE", Handling::Take),
    ("USER MAPPING", Handling::Drop),
    ("VIEW", Handling::Take),
];

/// One entry of the archive.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Entry {
    pub id: u32,
    pub oid: u32,
    /// Ids of entries this one needs.
    pub needs: Vec<u32>,
    /// As in the header: `c c_pkey`, `f()`.
    pub name: String,
    pub kind: String,
    pub schema: String,
    /// SQL, one or more statements.
    pub sql: String,
}

impl Entry {
    /// `TABLE app.customers`, for messages.
    pub fn label(&self) -> String {
        if self.schema == "-" {
            format!("{} {}", self.kind, self.name)
        } else {
            format!("{} {}.{}", self.kind, self.schema, self.name)
        }
    }
}

/// The schema, cut and filtered.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct Objects {
    /// Run in order on one session before any row is loaded.
    pub pre: Vec<Entry>,
    /// Keys, indexes, foreign keys, triggers, rules, policies: order is by `needs`.
    pub post: Vec<Entry>,
    /// Row security is turned on last of all: where it is forced, the owner falls under it too, and could neither
    /// validate its own foreign keys nor fill its own materialized views.
    pub security: Vec<Entry>,
    /// GRANT and REVOKE statements of both sections.
    pub grants: Vec<Entry>,
    /// Labels of what was left out on purpose.
    pub dropped: Vec<String>,
}

impl Objects {
    /// Leaves out that extensions are created. Their members are no entries; what else needs them will fail by name.
    pub fn leave_out_extensions(&mut self, names: &[String]) {
        // The comment of an extension is an entry of its own, and quotes its name where SQL does.
        let commented = |entry: &Entry| entry.name.strip_prefix("EXTENSION ").map(|name| name.replace('"', ""));
        let skipped = |entry: &Entry| match entry.kind.as_str() {
            "EXTENSION" => names.contains(&entry.name),
            "COMMENT" => commented(entry).is_some_and(|name| names.contains(&name)),
            _ => false,
        };
        self.dropped.extend(self.pre.iter().filter(|entry| skipped(entry)).map(Entry::label));
        self.pre.retain(|entry| !skipped(entry));
    }

    /// Names what two readings of a schema define differently. Grants say nothing about rows, and count for nothing.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let definitions = |objects: &Self| -> BTreeSet<(String, String)> {
            let all = objects.pre.iter().chain(&objects.post).chain(&objects.security);
            all.map(|entry| (entry.label(), entry.sql.clone())).collect()
        };
        let (ours, others) = (definitions(self), definitions(other));
        let mut labels: Vec<String> = ours.symmetric_difference(&others).map(|(label, _)| label.clone()).collect();
        labels.dedup();
        labels
    }
}

/// The client tools of one PostgreSQL major version.
#[derive(Debug, Clone)]
pub struct Tools {
    pub dump: PathBuf,
    pub restore: PathBuf,
    /// Whole environment of the children: connection variables and nothing else.
    pub major: u32,
}

impl Tools {
    /// Finds pg_dump and pg_restore of `major`: `bin_dir`, the usual folders of packages, then PATH.
    ///
    /// # Errors
    /// [`ObjectsError::ToolMissing`] if none of that major version is there.
    pub async fn find(bin_dir: Option<&Path>, major: u32) -> Result<Self, ObjectsError> {
        let mut folders: Vec<PathBuf> = bin_dir.map(Path::to_path_buf).into_iter().collect();
        if folders.is_empty() {
            folders.push(format!("/usr/lib/postgresql/{major}/bin").into());
            folders.push(format!("/usr/pgsql-{major}/bin").into());
            folders.push(format!("/opt/homebrew/opt/postgresql@{major}/bin").into());
            folders.push(format!("/usr/local/opt/postgresql@{major}/bin").into());
            folders.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
        }
        for folder in &folders {
            let tools = Self { dump: folder.join("pg_dump"), restore: folder.join("pg_restore"), major };
            if major_of(&tools.dump).await == Some(major) && major_of(&tools.restore).await == Some(major) {
                return Ok(tools);
            }
        }
        Err(ObjectsError::ToolMissing { tool: "pg_dump", major, looked: folders })
    }

    /// Reads the schema of `database` as the snapshot shows it and cuts it into entries.
    ///
    /// # Errors
    /// Any of [`ObjectsError`]; stderr of pg_dump is kept (it names objects, not rows).
    pub async fn read(
        &self,
        environment: &[(OsString, OsString)],
        snapshot: Option<&str>,
    ) -> Result<Objects, ObjectsError> {
        let archive = self.dump(environment, snapshot).await?;
        let list = self.restore(&archive, &["-l"]).await?;
        let pre = self.script(&archive, "--section=pre-data").await?;
        let post = self.script(&archive, "--section=post-data").await?;
        cut(&list, &pre, &post)
    }

    async fn dump(
        &self,
        environment: &[(OsString, OsString)],
        snapshot: Option<&str>,
    ) -> Result<Vec<u8>, ObjectsError> {
        let mut command = Command::new(&self.dump);
        command.args([
            "-Fc",
            "-Z0",
            "--schema-only",
            "--no-security-labels",
            "--no-publications",
            "--no-subscriptions",
            "--exclude-schema=restage",
            // The text is cut as UTF-8, whatever the database is in.
            "--encoding=UTF8",
        ]);
        // Under a snapshot the keepers have these locks: whoever is in the way waits for them, and waiting helps nobody.
        let wait_ms = if snapshot.is_some() { 2_000 } else { 10_000 };
        command.arg(format!("--lock-wait-timeout={wait_ms}"));
        if self.major >= 18 {
            // Statistics hold most common values: raw ones.
            command.arg("--no-statistics");
        }
        if let Some(snapshot) = snapshot {
            command.arg(format!("--snapshot={snapshot}"));
        }
        command.env_clear().envs(environment.iter().map(|(k, v)| (k, v))).env("LC_ALL", "C");
        command.env("PGCLIENTENCODING", "UTF8").env("PGOPTIONS", DUMP_OPTIONS);
        run("pg_dump", command, None).await
    }

    /// One section as SQL. An archive holds owners and tablespaces whatever pg_dump is told; the SQL is what leaves them out.
    async fn script(&self, archive: &[u8], section: &str) -> Result<String, ObjectsError> {
        self.restore(archive, &["-v", "-f", "-", section, "--no-owner", "--no-tablespaces"]).await
    }

    async fn restore(&self, archive: &[u8], args: &[&str]) -> Result<String, ObjectsError> {
        let mut command = Command::new(&self.restore);
        command.args(args).env_clear().env("LC_ALL", "C");
        let out = run("pg_restore", command, Some(archive)).await?;
        String::from_utf8(out).map_err(|_| ObjectsError::Cut)
    }
}

async fn major_of(tool: &Path) -> Option<u32> {
    if !tool.is_file() {
        return None;
    }
    let out = Command::new(tool).arg("--version").env_clear().output().await.ok()?;
    let text = String::from_utf8(out.stdout).ok()?;
    let version = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

async fn run(tool: &'static str, mut command: Command, input: Option<&[u8]>) -> Result<Vec<u8>, ObjectsError> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut child = command.spawn().map_err(|source| ObjectsError::Spawn { tool, source })?;
    let stdin = child.stdin.take();
    let feed = async {
        if let (Some(mut stdin), Some(input)) = (stdin, input) {
            // A tool that stops reading tells why on stderr; the broken pipe itself says nothing.
            let _ = stdin.write_all(input).await;
        }
    };
    let (output, ()) = tokio::join!(child.wait_with_output(), feed);
    let output = output.map_err(|source| ObjectsError::Spawn { tool, source })?;
    if output.status.success() {
        Ok(output.stdout)
    } else if let Some(signal) = output.status.signal() {
        Err(ObjectsError::Ended { tool, signal })
    } else {
        Err(ObjectsError::Tool { tool, stderr: String::from_utf8_lossy(&output.stderr).into_owned() })
    }
}

/// What the server, the database or the role may set otherwise, and what would then print other definitions on one side, or
/// the same ones with another meaning: with `standard_conforming_strings = off` every backslash comes out twice, and a
/// default or the bound of a partition of type `timestamptz` is printed in the zone of the session, which pg_dump leaves as
/// it is. The values are those of every session of ours, which read the definitions again.
const DUMP_OPTIONS: &str = "-c standard_conforming_strings=on -c quote_all_identifiers=off -c array_nulls=on \
                            -c transform_null_equals=off -c TimeZone=UTC -c DateStyle=ISO,YMD \
                            -c IntervalStyle=postgres -c extra_float_digits=3 -c bytea_output=hex \
                            -c xmloption=content -c lc_monetary=C";

const HEADER: &str = "--\n-- TOC entry ";

/// Cuts the two section scripts and checks them against the list.
fn cut(list: &str, pre: &str, post: &str) -> Result<Objects, ObjectsError> {
    let listed: Vec<u32> = list
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()))
        .filter_map(|line| line.split(';').next()?.parse().ok())
        .collect();
    let pre = entries(pre)?;
    let post = entries(post)?;
    check_against_list(&listed, &pre, &post)?;
    let mut objects = Objects::default();
    for (section, is_pre) in [(pre, true), (post, false)] {
        for entry in section {
            let handling = KINDS
                .iter()
                .find(|(kind, _)| *kind == entry.kind)
                .map(|(_, handling)| *handling)
                .ok_or_else(|| ObjectsError::UnknownKind(entry.kind.clone()))?;
            let about_dropped = entry.kind == "COMMENT"
                && ["EVENT TRIGGER ", "PUBLICATION ", "SUBSCRIPTION ", "DATABASE "]
                    .iter()
                    .any(|prefix| entry.name.starts_with(prefix));
            match handling {
                Handling::Drop => objects.dropped.push(entry.label()),
                Handling::Take if about_dropped => objects.dropped.push(entry.label()),
                Handling::Take if is_pre => objects.pre.push(entry),
                Handling::Take if entry.kind == "ROW SECURITY" => objects.security.push(entry),
                Handling::Take => objects.post.push(entry),
                Handling::Grant => objects.grants.push(entry),
            }
        }
    }
    Ok(objects)
}

/// The entries found in the scripts must be a subsequence of the list that misses none which prints SQL.
fn check_against_list(listed: &[u32], pre: &[Entry], post: &[Entry]) -> Result<(), ObjectsError> {
    let mut position = BTreeMap::new();
    for (index, id) in listed.iter().enumerate() {
        position.insert(*id, index);
    }
    let mut seen = 0;
    for section in [pre, post] {
        // pg_restore prints grants in a pass of their own, after everything else of the section.
        let mut last = [None; 2];
        for entry in section {
            let at = *position.get(&entry.id).ok_or(ObjectsError::Cut)?;
            let last = &mut last[usize::from(matches!(entry.kind.as_str(), "ACL" | "DEFAULT ACL"))];
            if last.is_some_and(|last| at <= last) {
                return Err(ObjectsError::Cut);
            }
            *last = Some(at);
            seen += 1;
        }
    }
    if seen == listed.len() { Ok(()) } else { Err(ObjectsError::Cut) }
}

/// Cuts one script at its headers.
fn entries(script: &str) -> Result<Vec<Entry>, ObjectsError> {
    let mut starts: Vec<usize> = script.match_indices(HEADER).map(|(at, _)| at).collect();
    let end = script.rfind("-- Completed on").unwrap_or(script.len());
    starts.push(end);
    let mut found = Vec::new();
    // The setting that pg_restore prints before a header holds from the entry after it on.
    let mut carried = String::new();
    for pair in starts.windows(2) {
        let mut entry = parse_entry(&script[pair[0]..pair[1]])?;
        let (body, setting) = split_setting(&entry.sql);
        let sql = format!("{carried}{body}");
        if let Some(setting) = setting {
            carried = format!("{setting}\n");
        }
        entry.sql = sql;
        found.push(entry);
    }
    Ok(found)
}

/// Splits a `SET default_table_access_method` line off the end of an entry's text.
fn split_setting(sql: &str) -> (&str, Option<&str>) {
    let sql = sql.trim_end();
    let line_start = sql.rfind('\n').map_or(0, |at| at + 1);
    let line = &sql[line_start..];
    if line.starts_with("SET default_table_access_method = ") && line.ends_with(';') {
        (sql[..line_start].trim_end(), Some(line))
    } else {
        (sql, None)
    }
}

fn parse_entry(text: &str) -> Result<Entry, ObjectsError> {
    let mut entry = Entry {
        id: 0,
        oid: 0,
        needs: Vec::new(),
        name: String::new(),
        kind: String::new(),
        schema: String::new(),
        sql: String::new(),
    };
    let mut rest = text.strip_prefix("--\n").ok_or(ObjectsError::Cut)?;
    loop {
        let (line, after) = rest.split_once('\n').ok_or(ObjectsError::Cut)?;
        rest = after;
        if line == "--" {
            break;
        } else if let Some(head) = line.strip_prefix("-- TOC entry ") {
            let number = |text: &str| text.trim_end_matches(')').parse().ok();
            let words: Vec<&str> = head.split(' ').collect();
            entry.id = words.first().and_then(|word| number(word)).ok_or(ObjectsError::Cut)?;
            entry.oid = words.last().and_then(|word| number(word)).ok_or(ObjectsError::Cut)?;
        } else if let Some(needs) = line.strip_prefix("-- Dependencies: ") {
            entry.needs = needs.split(' ').filter_map(|word| word.parse().ok()).collect();
            entry.needs.sort_unstable();
            entry.needs.dedup();
        } else if let Some(head) = line.strip_prefix("-- Name: ") {
            let (name, kind, schema) = split_name(head).ok_or(ObjectsError::Cut)?;
            entry.name = name.to_owned();
            entry.kind = kind.to_owned();
            entry.schema = schema.to_owned();
        }
    }
    entry.sql = rest.trim().to_owned();
    Ok(entry)
}

/// Splits `NAME; Type: KIND; Schema: SCHEMA; Owner: -` from the right: a name may hold anything but a line break.
fn split_name(head: &str) -> Option<(&str, &str, &str)> {
    let head = head.rsplit_once("; Owner: ")?.0;
    let (head, schema) = head.rsplit_once("; Schema: ")?;
    let (name, kind) = head.rsplit_once("; Type: ")?;
    Some((name, kind, schema))
}

/// Splits a grants entry into its statements; quoted names may hold anything, so quotes are followed.
pub fn statements(sql: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut quote: Option<char> = None;
    for (at, c) in sql.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c == ';' => {
                let statement = sql[start..at].trim();
                if !statement.is_empty() {
                    found.push(statement.to_owned());
                }
                start = at + 1;
            }
            None => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = ";\n; Archive\n;\n7; 2615 16491 SCHEMA - app postgres\n217; 1259 16493 TABLE app c postgres\n";
    const SCRIPT: &str = "--\n-- PostgreSQL database dump\n--\n\nSET x = 0;\n\n--\n-- TOC entry 7 (class 2615 OID 16491)\n-- Name: app; Type: SCHEMA; Schema: -; Owner: -\n-- Data Pos: 0\n--\n\nCREATE SCHEMA app;\n\n\nSET default_table_access_method = heap;\n\n--\n-- TOC entry 217 (class 1259 OID 16493)\n-- Dependencies: 7 2 2\n-- Name: a; Type: b; Type: TABLE; Schema: app; Owner: -\n-- Data Pos: 0\n--\n\nCREATE TABLE app.c ();\n\n\n-- Completed on 2026\n\n--\n-- PostgreSQL database dump complete\n--\n";

    #[test]
    fn entries_keep_names_needs_and_settings() {
        let objects = cut(LIST, SCRIPT, "").expect("the script is well formed");
        assert_eq!(objects.pre.len(), 2);
        assert_eq!(objects.pre[0].sql, "CREATE SCHEMA app;");
        let table = &objects.pre[1];
        assert_eq!((table.name.as_str(), table.kind.as_str(), table.schema.as_str()), ("a; Type: b", "TABLE", "app"));
        assert_eq!(table.needs, [2, 7]);
        assert_eq!(table.sql, "SET default_table_access_method = heap;\nCREATE TABLE app.c ();");
    }

    #[test]
    fn what_is_defined_otherwise_is_named_once() {
        let objects = |script: &str| cut(LIST, script, "").expect("the script is well formed");
        let old = objects(SCRIPT);
        assert_eq!(old.differences(&objects(SCRIPT)), [""; 0]);
        let new = objects(&SCRIPT.replace("TABLE app.c ()", "TABLE app.c (id integer)"));
        assert_eq!(old.differences(&new), ["TABLE app.a; Type: b"]);
        assert_eq!(old.differences(&Objects::default()).len(), 2);
    }

    #[test]
    fn failure_of_a_tool_is_told_without_its_query_and_with_what_helps() {
        let report = |stderr: &str| {
            let error = ObjectsError::Tool { tool: "pg_dump", stderr: stderr.to_owned() };
            (error.is_locked(), error.reports().remove(0))
        };
        let (locked, cut) = report(
            "pg_dump: error: query failed: server closed the connection unexpectedly\n\tThis probably means the server \
             terminated abnormally\n\tbefore or while processing the request.\npg_dump: detail: Query was: SELECT\n\
             a.attnum\nFROM pg_catalog.pg_attribute a\n",
        );
        let said = "pg_dump: error: query failed: server closed the connection unexpectedly";
        assert_eq!((locked, cut.detail.as_deref()), (false, Some(said)));
        assert!(
            cut.hint.as_ref().is_some_and(|hint| hint.contains("run it again") && !hint.contains("GRANT")),
            "{cut}"
        );
        let (locked, denied) = report(
            "pg_dump: error: query failed: ERROR:  permission denied for table t\n\
             pg_dump: error: query was: LOCK TABLE public.t IN ACCESS SHARE MODE\n",
        );
        let said = "pg_dump: error: query failed: ERROR:  permission denied for table t";
        assert_eq!((locked, denied.detail.as_deref()), (true, Some(said)));
        assert!(denied.hint.as_ref().is_some_and(|hint| hint.contains("GRANT")), "{denied}");
        let ended = "pg_dump: error: query failed: FATAL:  terminating connection due to administrator command\n\
                     server closed the connection unexpectedly\n\
                     pg_dump: detail: Query was: LOCK TABLE public.t IN ACCESS SHARE MODE\n";
        assert!(!report(ended).0, "a session that was ended waits for no lock");
    }

    #[test]
    fn tool_that_was_killed_is_told_as_such() {
        let mut command = Command::new("sh");
        command.args(["-c", "kill -9 $$"]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let error = runtime.block_on(run("pg_dump", command, None)).expect_err("it is killed");
        let report = error.reports().remove(0);
        assert_eq!((error.to_string().as_str(), error.exit()), ("pg_dump was ended by signal 9", Exit::Source));
        assert!(report.hint.is_some_and(|hint| !hint.contains("GRANT")));
    }

    #[test]
    fn imitated_header_is_refused() {
        let script = SCRIPT.replace("CREATE SCHEMA app;", "CREATE SCHEMA app; $$\n--\n-- TOC entry 9 (class 1 OID 2)\n-- Name: x; Type: TABLE; Schema: a; Owner: -\n--\n$$");
        assert!(matches!(cut(LIST, &script, ""), Err(ObjectsError::Cut)));
    }

    #[test]
    fn unknown_kind_is_refused() {
        let script = SCRIPT.replace("Type: TABLE;", "Type: HOLOGRAM;");
        assert!(matches!(cut(LIST, &script, ""), Err(ObjectsError::UnknownKind(kind)) if kind == "HOLOGRAM"));
    }

    #[test]
    fn grants_split_at_semicolons_outside_quotes() {
        assert_eq!(statements("GRANT a ON \"x;y\" TO r;\nREVOKE b;"), ["GRANT a ON \"x;y\" TO r", "REVOKE b"]);
    }
}
