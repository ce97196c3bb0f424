//! What a release is, in a file that can be checked later: the hash of every table and of every report, chained to the
//! release before it, signed if there is a key.
//!
//! ```text
//!  manifest.json   tables, reports, snapshot, plan, and the hash of the manifest before this one
//!  manifest.sig    Ed25519 over the bytes of manifest.json (64 bytes), with `[report] sign`
//! ```
//!
//! The BLAKE3 of the file is written into the release too, as `manifest` in `restage.run`, so neither can be exchanged
//! without the other being missed. The first manifest of a staging has no predecessor: the chain starts there.

pub mod sign;

use crate::error::{Diagnose, Exit, Report};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

pub const FILE: &str = "manifest.json";
pub const SIGNATURE: &str = "manifest.sig";

/// Form of the file. A reader refuses what it does not know.
pub const VERSION: u32 = 1;

/// A release. No field can hold a value of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`VERSION`].
    pub restage_manifest: u32,
    pub run: String,
    pub release: String,
    /// Without secrets: `shop on prod-replica:5432`.
    pub source: String,
    pub target: String,
    pub snapshot_lsn: Option<String>,
    /// RFC 3339.
    pub snapshot_time: Option<String>,
    pub tool: String,
    pub mask_version: u32,
    pub realm: String,
    pub key_id: String,
    pub config: String,
    pub lock: Option<String>,
    pub plan: Option<String>,
    /// Major version of the server whose rows these are: rows are hashed as it sends them.
    pub server_major: u32,
    pub previous: Option<Previous>,
    /// There is a signature beside it, so that one taken away is missed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub signed: bool,
    pub tables: Vec<TableContent>,
    /// The files beside this one, by name.
    pub files: BTreeMap<String, FileHash>,
}

/// The release that was live before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Previous {
    pub release: String,
    /// BLAKE3 of its manifest, hex; none if it has none.
    pub manifest: Option<String>,
}

/// One table as it was hashed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableContent {
    pub schema: String,
    pub name: String,
    pub rows: u64,
    /// With the rows of its partitions, which are not listed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tree: bool,
    pub form: Form,
    /// In the order in which they are hashed.
    pub columns: Vec<String>,
    /// Hex; the same for any order of the rows. None: row security hid them from the role of the run.
    pub blake3: Option<String>,
}

impl TableContent {
    /// `schema.table`.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

/// The COPY format whose rows were hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    Binary,
    Text,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileHash {
    pub bytes: u64,
    /// Hex.
    pub blake3: String,
}

#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("{} cannot be read", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{} cannot be written", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{} is no manifest of a release", .0.display())]
    Foreign(PathBuf),
    #[error("{} has a form this build does not know: version {found}, known is {VERSION}", .path.display())]
    Version { path: PathBuf, found: u64 },
    #[error("the manifest could not be signed")]
    Sign { detail: String },
    #[error("{} is no public key of Ed25519", .0.display())]
    PublicKey(PathBuf),
}

impl Diagnose for ManifestError {
    fn exit(&self) -> Exit {
        match self {
            ManifestError::Sign { .. } | ManifestError::Write { .. } => Exit::AfterPublish,
            _ => Exit::Usage,
        }
    }

    fn reports(&self) -> Vec<Report> {
        let message = self.to_string();
        let report = match self {
            ManifestError::Read { path, source } => {
                Report::new("manifest::read", message).detail(format!("{source}.")).hint(format!(
                    "ls -l {}     # it has to be there, and this user has to be able to read it",
                    path.display()
                ))
            }
            ManifestError::Write { source, .. } => Report::new("manifest::write", message).detail(format!("{source}.")),
            ManifestError::Foreign(_) => Report::new("manifest::foreign", message)
                .hint("Name the manifest.json of a run: restage-report/RUN/manifest.json"),
            ManifestError::Version { .. } => Report::new("manifest::version", message)
                .hint("Use the version of restage that wrote it, which `tool` in it names."),
            ManifestError::Sign { detail } => Report::new("manifest::sign", message)
                .detail(detail.clone())
                .hint("openssl genpkey -algorithm ed25519 -out sign.pem     # makes a key for `sign` under [report]"),
            ManifestError::PublicKey(_) => Report::new("manifest::public-key", message)
                .hint("openssl pkey -in sign.pem -pubout -out sign.pub.pem     # makes it from the private one"),
        };
        vec![report]
    }
}

/// A manifest that was read, with the hash of its bytes.
#[derive(Debug)]
pub struct Opened {
    pub manifest: Manifest,
    /// BLAKE3 of the file, hex.
    pub hash: String,
    bytes: Vec<u8>,
    path: PathBuf,
}

impl Opened {
    /// Reads a manifest.
    ///
    /// # Errors
    /// [`ManifestError`] if there is none of a form that is known.
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        let bytes = std::fs::read(path).map_err(|source| ManifestError::Read { path: path.to_owned(), source })?;
        let foreign = || ManifestError::Foreign(path.to_owned());
        let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|_| foreign())?;
        let found = value.get("restage_manifest").and_then(serde_json::Value::as_u64).ok_or_else(foreign)?;
        if found != u64::from(VERSION) {
            return Err(ManifestError::Version { path: path.to_owned(), found });
        }
        let manifest = serde_json::from_value(value).map_err(|_| foreign())?;
        let hash = blake3::hash(&bytes).to_hex().to_string();
        Ok(Self { manifest, hash, bytes, path: path.to_owned() })
    }

    /// Compares the files beside it with what it says; returns how many there are, or what differs.
    pub fn files(&self) -> Result<usize, Vec<String>> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let wrong = self.manifest.files.iter().filter_map(|(name, expected)| {
            // A name is no path: nothing outside of the folder is read.
            if name.contains(['/', '\\']) || name == ".." {
                return Some(format!("{name:?} is no name of a file"));
            }
            match std::fs::read(folder.join(name)) {
                Err(_) => Some(format!("{name} is missing")),
                Ok(bytes) if FileHash::of(&bytes) != *expected => Some(format!("{name} was changed")),
                Ok(_) => None,
            }
        });
        let wrong: Vec<String> = wrong.collect();
        if wrong.is_empty() { Ok(self.manifest.files.len()) } else { Err(wrong) }
    }

    /// Whether there is a signature as the manifest says, where no key is at hand to check it; none if there is none to be.
    pub fn unchecked_signature(&self) -> Option<Result<String, String>> {
        let path = self.path.with_file_name(SIGNATURE);
        match std::fs::read(&path) {
            Ok(bytes) if bytes.len() == sign::SIGNATURE_BYTES => {
                Some(Ok("there is one, and nobody looked at whose it is: --public-key FILE does".to_owned()))
            }
            Ok(bytes) => Some(Err(format!("{} is none of Ed25519: {} bytes", path.display(), bytes.len()))),
            Err(_) if self.manifest.signed => {
                Some(Err(format!("{} is missing, though the manifest was signed", path.display())))
            }
            Err(_) => None,
        }
    }

    /// Whether the signature beside it is of this key: what was found, or what is wrong.
    ///
    /// # Errors
    /// [`ManifestError::PublicKey`] if the key cannot be read; the inner error is that of a signature that does not fit.
    pub fn signature(&self, public_key: &Path) -> Result<Result<String, String>, ManifestError> {
        let key = sign::PublicKey::read(public_key)?;
        let path = self.path.with_file_name(SIGNATURE);
        let Ok(signature) = std::fs::read(&path) else {
            return Ok(Err(format!("{} is missing: the manifest was not signed", path.display())));
        };
        Ok(match key.verify(&self.bytes, &signature) {
            true => Ok(format!("Ed25519, key {}", key.id())),
            false => Err(format!("the signature is not of this manifest by key {}", key.id())),
        })
    }
}

impl FileHash {
    pub fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.len() as u64, blake3: blake3::hash(bytes).to_hex().to_string() }
    }
}

/// Writes a manifest, and its signature first; returns the BLAKE3 of its bytes, hex.
///
/// # Errors
/// [`ManifestError::Write`].
pub fn write(folder: &Path, signature: Option<&[u8]>, bytes: &[u8]) -> Result<String, ManifestError> {
    let put = |name: &str, bytes: &[u8]| {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(folder.join(name)).map_err(|error| error.error)?;
        Ok(())
    };
    for (name, bytes) in signature.map(|signature| (SIGNATURE, signature)).into_iter().chain([(FILE, bytes)]) {
        put(name, bytes).map_err(|source| ManifestError::Write { path: folder.join(name), source })?;
    }
    Ok(blake3::hash(bytes).to_hex().to_string())
}

impl Manifest {
    /// The bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes =
            serde_json::to_vec_pretty(self).expect("a manifest is made of strings, numbers, lists and maps");
        bytes.push(b'\n');
        bytes
    }
}
