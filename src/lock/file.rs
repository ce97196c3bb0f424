//! The file: written whole, sorted and one line per thing, or not at all.

use super::{Column, Lock, Table, VERSION};
use crate::error::{Diagnose, Exit, Report};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

const HEAD: &str = "\
# What the policy does to every column, as it was reviewed. Written by `restage plan --write-lock`: commit it, do not
# edit it. A refresh whose plan does something else stops before it reads a row; `restage plan --diff` says what changed.
";

/// Why there is no lock to compare with, although there is a file.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("{} cannot be read", .path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{} is no lock file", .path.display())]
    Form { path: PathBuf, line: Option<usize> },
    #[error("{} has version {found}; this build reads version {VERSION}", .path.display())]
    Version { path: PathBuf, found: i64 },
    #[error("{} cannot be written", .path.display())]
    Write { path: PathBuf, source: std::io::Error },
}

impl Diagnose for LockError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn reports(&self) -> Vec<Report> {
        let report = Report::new("lock::file", self.to_string());
        vec![match self {
            LockError::Read { source, .. } | LockError::Write { source, .. } => report.detail(format!("{source}.")),
            LockError::Form { path, line } => {
                let report = match line {
                    Some(line) => report.place(format!("{}:{line}", path.display())),
                    None => report,
                };
                report.hint(format!(
                    "git checkout -- {}     # the file as it was reviewed\nOr remove it, look at `restage plan -v`, and write it anew: restage plan --write-lock",
                    path.display()
                ))
            }
            LockError::Version { .. } => {
                report.hint("Use a build of restage that reads it, or write it anew: restage plan --write-lock")
            }
        }]
    }
}

/// The lock file of a configuration: `restage.lock` beside `restage.toml`.
pub fn path_beside(config: &Path) -> PathBuf {
    config.with_extension("lock")
}

/// Reads a lock file; none if there is no such file.
///
/// # Errors
/// [`LockError`]: a file that is there and cannot be trusted is never taken for none.
pub fn read(path: &Path) -> Result<Option<Lock>, LockError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(LockError::Read { path: path.to_owned(), source }),
    };
    let form = |line| LockError::Form { path: path.to_owned(), line };
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| form(line_of(&text, &error)))?;
    match table.get("version").and_then(toml::Value::as_integer) {
        Some(found) if found == i64::from(VERSION) => {}
        Some(found) => return Err(LockError::Version { path: path.to_owned(), found }),
        None => return Err(form(None)),
    }
    toml::from_str(&text).map(Some).map_err(|error| form(line_of(&text, &error)))
}

/// The 1-based line of an error; its text is not shown, because it would quote the file.
fn line_of(text: &str, error: &toml::de::Error) -> Option<usize> {
    let start = error.span()?.start;
    Some(text.get(..start)?.matches('\n').count() + 1)
}

/// Writes a lock file so that it is there whole or as it was before.
///
/// # Errors
/// [`LockError::Write`].
pub fn write(path: &Path, lock: &Lock) -> Result<(), LockError> {
    let failed = |source| LockError::Write { path: path.to_owned(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".restage-lock-").tempfile_in(folder).map_err(failed)?;
    write!(file, "{HEAD}{}", render(lock)).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    // A file for git: readable like its neighbors, where a temporary file is its owner's alone.
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path).map_or(0o644, |known| known.permissions().mode() & 0o777);
    file.as_file().set_permissions(std::fs::Permissions::from_mode(mode)).map_err(failed)?;
    file.persist(path).map(drop).map_err(|error| failed(error.error))
}

/// The text of a lock, without its head.
pub fn render(lock: &Lock) -> String {
    let mut out = String::new();
    for (name, number) in [("version", lock.version), ("mask_spec", lock.mask_spec)] {
        let _ = writeln!(out, "{name} = {number}");
    }
    for (name, text) in
        [("unicode", &lock.unicode), ("key_id", &lock.key_id), ("realm", &lock.realm), ("policy", &lock.policy)]
    {
        let _ = writeln!(out, "{name} = {}", string(text));
    }
    if let Some(database) = &lock.database {
        let _ = writeln!(out, "database = {}", string(database));
    }
    if !lock.dictionaries.is_empty() {
        out.push_str("\n[dictionaries]\n");
        for (name, hash) in &lock.dictionaries {
            let _ = writeln!(out, "{} = {}", string(name), string(hash));
        }
    }
    if !lock.enums.is_empty() {
        out.push_str("\n[enums]\n");
        for (name, labels) in &lock.enums {
            list(&mut out, &string(name), labels);
        }
    }
    if !lock.types.is_empty() {
        out.push_str("\n[types]\n");
        for (name, made_of) in &lock.types {
            let _ = writeln!(out, "{} = {}", string(name), string(made_of));
        }
    }
    for (name, attributes) in &lock.composites {
        let _ = writeln!(out, "\n[composites.{}]", string(name));
        for (attribute, type_name) in attributes {
            let _ = writeln!(out, "{} = {}", key(attribute), string(type_name));
        }
    }
    if !lock.orders.is_empty() {
        out.push_str("\n[orders]\n");
        for (name, attributes) in &lock.orders {
            list(&mut out, &string(name), attributes);
        }
    }
    for (section, texts) in [("texts", &lock.texts), ("checks", &lock.checks), ("expressions", &lock.expressions)] {
        let Some(texts) = texts else { continue };
        let _ = writeln!(out, "\n[{section}]");
        for (owner, texts) in texts {
            let _ = writeln!(out, "\n[{section}.{}]", string(owner));
            for (text, hash) in texts {
                let _ = writeln!(out, "{} = {}", string(text), string(hash));
            }
        }
    }
    if !lock.switches.is_empty() {
        out.push_str("\n[switches]\n");
        for (name, value) in &lock.switches {
            let _ = writeln!(out, "{} = {}", key(name), string(value));
        }
    }
    for (section, hashes) in [("definitions", &lock.definitions), ("literals", &lock.literals)] {
        let Some(hashes) = hashes else { continue };
        let _ = writeln!(out, "\n[{section}]");
        for (label, hash) in hashes {
            let _ = writeln!(out, "{} = {}", string(label), string(hash));
        }
    }
    if let Some(oids) = &lock.oids {
        out.push_str("\n[oids]\n");
        for (name, oid) in oids {
            let _ = writeln!(out, "{} = {oid}", string(name));
        }
    }
    for (name, table) in &lock.tables {
        render_table(&mut out, name, table);
    }
    out
}

fn render_table(out: &mut String, name: &str, table: &Table) {
    let _ = writeln!(out, "\n[tables.{}]\nrows = {}", string(name), string(&table.rows));
    if let Some(joins) = &table.joins {
        let _ = writeln!(out, "joins = {}", string(joins));
    }
    if !table.partitions.is_empty() {
        list(out, "partitions", &table.partitions);
    }
    if !table.columns.is_empty() {
        let _ = writeln!(out, "[tables.{}.columns]", string(name));
    }
    for (name, column) in &table.columns {
        let _ = writeln!(out, "{} = {{ {} }}", key(name), fields(column));
    }
    if !table.json.is_empty() {
        let _ = writeln!(out, "[tables.{}.json]", string(name));
    }
    for (column, paths) in &table.json {
        list(out, &key(column), paths);
    }
}

fn fields(column: &Column) -> String {
    let mut fields = vec![("type", string(&column.type_name))];
    fields.extend(column.at.map(|at| ("at", at.to_string())));
    fields.push(("decision", string(&column.decision)));
    let texts = [
        ("label", &column.label),
        ("subject", &column.subject),
        ("when", &column.when),
        ("params", &column.params),
        ("default", &column.default),
    ];
    fields.extend(texts.into_iter().filter_map(|(name, text)| Some((name, string(text.as_ref()?)))));
    fields.extend(column.tier.map(|tier| ("tier", tier.to_string())));
    fields.iter().map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join(", ")
}

/// A list, one entry per line, so that a new one is a new line.
fn list<'a>(out: &mut String, name: &str, entries: impl IntoIterator<Item = &'a String>) {
    let _ = writeln!(out, "{name} = [");
    for entry in entries {
        let _ = writeln!(out, "  {},", string(entry));
    }
    out.push_str("]\n");
}

/// A column name: in quotes where TOML wants them.
fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { string(name) }
}

/// A text or key as TOML writes it on one line.
fn string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
