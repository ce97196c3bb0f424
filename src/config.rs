//! Reads `restage.toml`: includes, variables, defaults, and errors with file, line and column.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Where something stands in the user's files, for errors and `explain`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    pub file: PathBuf,
    /// 1-based.
    pub line: u32,
    /// 1-based, in characters.
    pub column: u32,
}

/// The whole configuration, checked for everything that needs no database.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file that was read; relative paths in the config are relative to its folder.
    pub file: PathBuf,
    pub source: SourceConfig,
    pub target: Option<TargetConfig>,
    pub key: Option<KeyConfig>,
    pub policy: PolicyConfig,
    /// In file order.
    pub tables: Vec<TableRule>,
    pub references: Vec<ReferenceRule>,
    pub verify: VerifyConfig,
    pub publish: PublishConfig,
    pub hooks: Vec<HookConfig>,
    /// BLAKE3 of the resolved configuration without secrets (URLs' passwords left out), hex.
    pub hash: String,
}

#[derive(Debug, Clone)]
pub struct SourceConfig {
    /// libpq URI or key=value string, variables resolved. Never logged: may hold a password.
    pub url: secrecy::SecretString,
    pub workers: usize,
    pub lock_timeout: Duration,
    /// How long to keep retrying the table locks before giving up. Default 60 s.
    pub lock_wait_max: Duration,
    pub snapshot_max: Option<Duration>,
    /// Bytes per second over all workers.
    pub rate_max: Option<u64>,
    /// Chunk size in bytes, TOAST included. Default 256 MiB.
    pub chunk_bytes: u64,
    pub on_blocked_ddl: Option<OnBlockedDdl>,
    /// Default 10 s.
    pub ddl_grace: Duration,
    pub pause_replay: bool,
    pub allow_schema_drift: bool,
    /// Accept a source role that could write. Default false.
    pub allow_write_role: bool,
    pub assume_encoding: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnBlockedDdl {
    Yield,
    Hold,
    Warn,
}

#[derive(Debug, Clone)]
pub struct TargetConfig {
    pub url: secrecy::SecretString,
    /// Must equal the live database name; without it a terminal answer or `--yes` is required.
    pub confirm: Option<String>,
    pub keep: u32,
    /// The database to connect to for CREATE DATABASE and renames. Default `postgres`.
    pub maintenance_db: String,
    pub allow_same_cluster: bool,
    /// Names like `prod` and `live` in host or database need this.
    pub allow_prod_name: bool,
    /// Role that owns everything; default: the role of `url`.
    pub owner: Option<String>,
    pub roles: BTreeMap<String, String>,
    pub missing_roles: MissingRoles,
    pub unlogged: bool,
    /// Parallel heavy backends on the target. Default: number of cores of this machine, at most 8.
    pub jobs: usize,
    /// Directory of pg_dump, pg_restore. Default: found by version.
    pub bin_dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingRoles {
    /// Grants to roles that the target does not have are left out, with a warning.
    Skip,
    Refuse,
    Create,
}

#[derive(Debug, Clone)]
pub struct KeyConfig {
    pub source: KeySource,
    pub realm: String,
}

#[derive(Debug, Clone)]
pub enum KeySource {
    File(PathBuf),
    Env(String),
    Command(Vec<String>),
    Fd(i32),
    Ephemeral,
}

#[derive(Debug, Clone)]
pub struct PolicyConfig {
    pub packs: Vec<String>,
    pub undecided: Undecided,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undecided {
    Refuse,
    Null,
}

/// One `[tables."…"]` entry.
#[derive(Debug, Clone)]
pub struct TableRule {
    /// `schema.table` or a glob with `*` and `?`, as written. Names are as stored (no SQL quoting): `public.Order Lines`.
    pub pattern: String,
    pub place: Place,
    pub rows: Option<Rows>,
    /// Decision for columns not listed.
    pub default: Option<Decision>,
    /// By column name or glob, in file order.
    pub columns: Vec<(String, Decision)>,
}

/// Which rows of a table are copied.
#[derive(Debug, Clone, PartialEq)]
pub enum Rows {
    All,
    None,
    Where { condition: Option<String>, limit: Option<u64> },
}

/// What happens to one column.
#[derive(Debug, Clone)]
pub struct Decision {
    pub place: Place,
    pub action: Action,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    Keep { reason: Option<String> },
    Null,
    Mask(MaskRule),
}

/// A mask as written: kind with or without version, and its parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct MaskRule {
    pub kind: String,
    pub label: Option<String>,
    /// `id`, or `order_id -> public.orders.customer_id`.
    pub subject: Option<String>,
    /// All other keys.
    pub params: serde_json::Map<String, serde_json::Value>,
}

/// A `[[references]]` entry: a foreign key the database does not declare.
#[derive(Debug, Clone)]
pub struct ReferenceRule {
    /// `schema.table.column`.
    pub from: String,
    pub to: String,
    pub place: Place,
}

#[derive(Debug, Clone)]
pub struct VerifyConfig {
    pub sql: Vec<SqlGate>,
}

/// A user's assertion, run on the loaded database before it is published.
#[derive(Debug, Clone)]
pub struct SqlGate {
    pub name: String,
    pub query: String,
    pub equals: i64,
}

#[derive(Debug, Clone)]
pub struct PublishConfig {
    pub mode: PublishMode,
    pub clones: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublishMode {
    Swap,
    None,
}

#[derive(Debug, Clone)]
pub struct HookConfig {
    pub at: HookPoint,
    pub action: HookAction,
    pub timeout: Duration,
    pub place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookPoint {
    BeforeLoad,
    AfterLoad,
    BeforePublish,
    AfterPublish,
}

#[derive(Debug, Clone)]
pub enum HookAction {
    /// A file of SQL statements, run in the loaded database.
    Sql(PathBuf),
    /// A program and its arguments, no shell.
    Command(Vec<String>),
}
