//! Folders of masked rows: what is in them, and how to know that they are whole.
//!
//! ```text
//!  DIR/manifest.json      what is in the folder: tables, columns, decisions, files with their BLAKE3
//!  DIR/manifest.b3        BLAKE3 of manifest.json, as b3sum prints it
//!  DIR/schema.json        definitions and sequences (snapshots only)
//!  DIR/policy.lock        what the policy did to every column, in the form of restage.lock (snapshots only)
//!  DIR/catalog.json       what policies are resolved against: names, types, keys (snapshots only)
//!  DIR/tables/…           rows
//! ```
//!
//! A folder is made beside its place as `DIR.partial` and renamed when it is whole, so whatever has the name is finished.

pub mod columns;
mod list;

use crate::error::{Diagnose, Exit, Report};
use columns::Stored;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

pub const MANIFEST: &str = "manifest.json";
pub const SEAL: &str = "manifest.b3";
pub const SCHEMA: &str = "schema.json";
pub const POLICY: &str = "policy.lock";
pub const CATALOG: &str = "catalog.json";

/// Form of the folder. A reader refuses what it does not know. 2: arrays are lists; else as 1, which is read too.
pub const VERSION: u32 = 2;
const VERSION_OLDEST: u32 = 1;

/// Bytes that are hashed at once.
const PIECE_BYTES: usize = 256 * 1024;

/// What a folder was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// A masked snapshot, to be loaded.
    Snapshot,
    /// Masked rows in canonical order, to be committed and compared.
    Fixture,
}

/// Form of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    Sql,
    Parquet,
    Csv,
}

impl Form {
    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Form::Sql => "sql",
            Form::Parquet => "parquet",
            Form::Csv => "csv",
        }
    }
}

/// What is in a folder. No field can hold a value of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`VERSION`].
    pub restage_artefact: u32,
    pub purpose: Purpose,
    pub form: Form,
    /// Where and when the rows were read; none for fixtures, which are the same wherever and whenever they are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<Taken>,
    pub realm: String,
    pub key_id: String,
    pub mask_version: u32,
    /// BLAKE3 over every decision.
    pub plan: String,
    /// Major version of the server whose definitions these are.
    pub server_major: u32,
    pub tables: Vec<TableEntry>,
    /// Definitions by their names, with the BLAKE3 of their text.
    pub definitions: BTreeMap<String, String>,
    /// Every file but the manifest and its seal, by its path below the folder.
    pub files: BTreeMap<String, FileEntry>,
}

/// The snapshot behind a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taken {
    /// Without secrets: `shop on prod-replica:5432`.
    pub source: String,
    pub lsn: String,
    /// RFC 3339.
    pub at: String,
    pub run: String,
    pub tool: String,
    pub config: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableEntry {
    pub schema: String,
    pub name: String,
    pub rows: u64,
    pub columns: Vec<ColumnEntry>,
    /// Files with rows, in order; for SQL none, because all rows are in one file.
    pub parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnEntry {
    pub name: String,
    #[serde(rename = "type")]
    pub type_name: String,
    /// How Parquet holds it.
    pub stored: Stored,
    /// `keep`, `null`, `constant` or the mask with its version.
    pub decision: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    pub file: String,
    pub rows: u64,
    /// File with the values that the type of their column cannot hold: they are NULL in `file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exceptions: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    pub bytes: u64,
    /// Hex.
    pub blake3: String,
}

impl TableEntry {
    /// `schema.table`.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ArtefactError {
    #[error("{} is no folder with a restage manifest", .0.display())]
    NoManifest(PathBuf),
    #[error("{} was not finished", .0.display())]
    Unfinished(PathBuf),
    #[error("{} has a form this build does not know: version {found}, known is {VERSION}", .folder.display())]
    Version { folder: PathBuf, found: u64 },
    #[error("{} is not what restage wrote", .folder.display())]
    Damaged { folder: PathBuf, faults: Vec<String> },
    #[error("{} holds {found}, and {wanted} is wanted", .folder.display())]
    Foreign { folder: PathBuf, found: String, wanted: String },
    #[error("{} cannot be read", .path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{} does not hold the rows its manifest tells of", .path.display())]
    Rows { path: PathBuf, detail: String },
}

impl Diagnose for ArtefactError {
    fn exit(&self) -> Exit {
        Exit::Source
    }

    fn reports(&self) -> Vec<Report> {
        let message = self.to_string();
        let report = match self {
            ArtefactError::NoManifest(_) => Report::new("artefact::none", message)
                .hint("Name the folder that `restage snapshot --out DIR` has made."),
            ArtefactError::Unfinished(_) => Report::new("artefact::unfinished", message)
                .detail("A run that was stopped left it; the next run to the same place removes it.")
                .hint("Make it again with `restage snapshot --out DIR`."),
            ArtefactError::Version { .. } => Report::new("artefact::version", message)
                .hint("Load it with the version of restage that made it, which `taken.tool` in its manifest names."),
            ArtefactError::Damaged { faults, .. } => {
                let more = faults.len().saturating_sub(10);
                let mut detail = faults.iter().take(10).cloned().collect::<Vec<_>>().join("\n");
                if more > 0 {
                    detail.push_str(&format!("\nand {more} more"));
                }
                Report::new("artefact::damaged", message)
                    .detail(detail)
                    .hint("Copy it again from where it was made, or make it again. Nothing of it can be trusted.")
            }
            ArtefactError::Foreign { .. } => Report::new("artefact::foreign", message),
            ArtefactError::Read { source, .. } => Report::new("artefact::read", message).detail(format!("{source}.")),
            ArtefactError::Rows { detail, .. } => Report::new("artefact::rows", message).detail(detail.clone()),
        };
        vec![report]
    }
}

fn reading(path: &Path) -> impl FnOnce(std::io::Error) -> ArtefactError + '_ {
    move |source| ArtefactError::Read { path: path.to_owned(), source }
}

/// Reads the manifest of a folder and compares every file with it: none may be missing, none changed, none more.
///
/// Time: reads every byte once.
///
/// # Errors
/// [`ArtefactError`]; what is wrong with files is told for all of them at once.
pub fn verify(folder: &Path) -> Result<Manifest, ArtefactError> {
    let manifest = open(folder)?;
    let mut found = BTreeMap::new();
    list(folder, "", &mut found)?;
    let mut faults = Vec::new();
    for (name, entry) in &manifest.files {
        match found.remove(name) {
            Some(Entry::File) => {}
            Some(Entry::Other) => {
                faults.push(format!("{name} is no ordinary file"));
                continue;
            }
            Some(Entry::Folder) | None => {
                faults.push(format!("{name} is missing"));
                continue;
            }
        }
        let path = folder.join(name);
        let (bytes, digest) = digest_of(&path)?;
        if bytes != entry.bytes {
            faults.push(format!("{name} has {bytes} bytes instead of {}", entry.bytes));
        } else if digest != entry.blake3 {
            faults.push(format!("{name} was changed"));
        }
    }
    found.remove(MANIFEST);
    found.remove(SEAL);
    faults.extend(found.into_iter().map(|(name, entry)| match entry {
        Entry::Folder => format!("{name} is an empty folder, and not in the manifest"),
        Entry::File => format!("{name} is not in the manifest"),
        Entry::Other => format!("{name} is no ordinary file, and not in the manifest"),
    }));
    if faults.is_empty() { Ok(manifest) } else { Err(ArtefactError::Damaged { folder: folder.to_owned(), faults }) }
}

/// Reads the manifest and compares it with its seal; looks at no other file.
///
/// # Errors
/// [`ArtefactError`].
pub fn open(folder: &Path) -> Result<Manifest, ArtefactError> {
    if folder.extension().is_some_and(|extension| extension == "partial") {
        return Err(ArtefactError::Unfinished(folder.to_owned()));
    }
    open_any(folder)
}

/// As [`open`], whatever the folder is called.
///
/// # Errors
/// [`ArtefactError`].
pub fn open_any(folder: &Path) -> Result<Manifest, ArtefactError> {
    let path = folder.join(MANIFEST);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(ArtefactError::NoManifest(folder.to_owned()));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
            return Err(ArtefactError::NoManifest(folder.to_owned()));
        }
        Err(error) => return Err(reading(&path)(error)),
    };
    let damaged = |fault: &str| ArtefactError::Damaged { folder: folder.to_owned(), faults: vec![fault.to_owned()] };
    let seal = std::fs::read(folder.join(SEAL)).map_err(|_| damaged("manifest.b3 is missing"))?;
    if seal != seal_of(&text).as_bytes() {
        return Err(damaged("manifest.json does not match its seal, manifest.b3"));
    }
    let value: serde_json::Value =
        serde_json::from_slice(&text).map_err(|_| damaged("manifest.json is not a JSON document"))?;
    let found = value.get("restage_artefact").and_then(serde_json::Value::as_u64);
    let found = found.ok_or_else(|| ArtefactError::NoManifest(folder.to_owned()))?;
    if !(u64::from(VERSION_OLDEST)..=u64::from(VERSION)).contains(&found) {
        return Err(ArtefactError::Version { folder: folder.to_owned(), found });
    }
    serde_json::from_value(value).map_err(|_| damaged("manifest.json lacks a part, or has one more"))
}

/// What is below a folder and its manifest does not name.
///
/// # Errors
/// [`ArtefactError::Read`].
pub fn strangers(folder: &Path, manifest: &Manifest) -> Result<Vec<String>, ArtefactError> {
    let mut found = BTreeMap::new();
    list(folder, "", &mut found)?;
    let known = |name: &String| manifest.files.contains_key(name) || name == MANIFEST || name == SEAL;
    let strange = |(name, entry): &(String, Entry)| *entry != Entry::File || !known(name);
    Ok(found.into_iter().filter(strange).map(|(name, _)| name).collect())
}

/// The text of the seal of a manifest.
pub fn seal_of(manifest: &[u8]) -> String {
    format!("{}  {MANIFEST}\n", blake3::hash(manifest).to_hex())
}

/// Size and BLAKE3 of a file.
///
/// # Errors
/// [`ArtefactError::Read`].
pub fn digest_of(path: &Path) -> Result<(u64, String), ArtefactError> {
    let mut file = std::fs::File::open(path).map_err(reading(path))?;
    let mut hasher = blake3::Hasher::new();
    let mut piece = vec![0; PIECE_BYTES];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut piece).map_err(reading(path))?;
        if read == 0 {
            return Ok((bytes, hasher.finalize().to_hex().to_string()));
        }
        bytes += read as u64;
        hasher.update(&piece[..read]);
    }
}

/// What stands below a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    File,
    /// With nothing in it: a folder with files is told by these.
    Folder,
    Other,
}

/// Lists what is below a folder by its paths; those of folders end in `/`.
fn list(folder: &Path, prefix: &str, found: &mut BTreeMap<String, Entry>) -> Result<(), ArtefactError> {
    let mut empty = true;
    for entry in std::fs::read_dir(folder).map_err(reading(folder))? {
        let entry = entry.map_err(reading(folder))?;
        let kind = entry.file_type().map_err(reading(folder))?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        empty = false;
        if kind.is_dir() {
            list(&entry.path(), &format!("{name}/"), found)?;
        } else {
            found.insert(name, if kind.is_file() { Entry::File } else { Entry::Other });
        }
    }
    if empty {
        found.insert(prefix.to_owned(), Entry::Folder);
    }
    Ok(())
}

/// A file name for a table: the same on every file system, and different for every table.
pub fn file_stem(schema: &str, name: &str) -> String {
    /// Room for a suffix and an extension within the 255 bytes of a name.
    const LENGTH_MAX: usize = 120;
    let full = format!("{schema}.{name}");
    let plain = |symbol: char| symbol.is_ascii_lowercase() || symbol.is_ascii_digit() || symbol == '_';
    let simple = |part: &str| !part.is_empty() && part.chars().all(plain);
    if simple(schema) && simple(name) && full.len() <= LENGTH_MAX {
        return full;
    }
    // Case folds on some file systems, and a dot may stand in a name: the hash tells such names apart.
    let mut safe: String =
        full.chars().map(|symbol| if plain(symbol) || symbol == '.' { symbol } else { '-' }).collect();
    safe.truncate(LENGTH_MAX);
    let both = format!("{}\0{name}", schema);
    format!("{safe}~{}", &blake3::hash(both.as_bytes()).to_hex()[..8])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn file_names_are_plain_and_tell_tables_apart() {
        assert_eq!(file_stem("public", "orders_2026"), "public.orders_2026");
        let odd =
            [("public", "Orders"), ("public", "orders!"), ("a.b", "c"), ("a", "b.c"), ("public", "../x"), ("", "x")];
        let names: BTreeSet<String> = odd.iter().map(|(schema, name)| file_stem(schema, name)).collect();
        assert_eq!(names.len(), odd.len());
        for name in names {
            assert!(name.contains('~') && !name.contains('/') && name.len() < 140, "{name}");
        }
        assert!(file_stem(&"x".repeat(63), &"é".repeat(31)).len() < 140);
    }
}
