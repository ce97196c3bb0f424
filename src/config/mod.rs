//! Reads `restage.toml`: includes, variables, defaults, and errors with file, line and column.
//!
//! The text becomes a tree with a place for every key and value (`tree`), included files are merged into it
//! (`load`), and `sections` takes it apart by hand through a reader (`read`) that only knows the keys listed in
//! [`OPTIONS`]. So a key cannot be read without being documented, and every problem is reported at once.

mod files;
mod glob;
mod hash;
mod load;
pub mod options;
mod pending;
mod policy_test;
mod read;
mod scenario;
mod schema;
mod sections;
#[cfg(test)]
mod tests;
mod tree;
mod units;
mod variables;

use crate::error::{Diagnose, Exit, Report};
pub use files::read_lookup;
pub use glob::{Specificity, literal, matches, specificity};
pub use options::{ConfigOption, OPTIONS, options_markdown};
pub use pending::Pending;
pub use policy_test::{Expect, Given, PolicyTest, SameAs};
pub use scenario::{choose as choose_scenario, fixture_subset};
pub use schema::schema;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file that is read when neither `-c` nor `$RESTAGE_CONFIG` names one.
pub const FILE_NAME: &str = "restage.toml";

/// The environment variable that names the file.
pub const FILE_VARIABLE: &str = "RESTAGE_CONFIG";

/// The only value of `version` that this build reads.
pub const VERSION: i64 = 1;

/// What is true when the configuration was refused.
const STATE: &str = "Nothing was read from the source or written to the target.";

/// Every problem of a configuration, in the order of the files.
///
/// No report holds the value of an environment variable, nor the text of an option that may hold a password.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{} in the configuration", problems(.0.len()))]
pub struct ConfigErrors(pub Vec<Report>);

fn problems(count: usize) -> String {
    if count == 1 { "1 problem".to_owned() } else { format!("{count} problems") }
}

impl Diagnose for ConfigErrors {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn reports(&self) -> Vec<Report> {
        self.0.clone()
    }
}

/// Where something stands in the user's files, for errors and `explain`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    pub file: PathBuf,
    /// 1-based.
    pub line: u32,
    /// 1-based, in characters.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.strip_prefix("./").unwrap_or(&self.file);
        write!(f, "{}:{}:{}", file.display(), self.line, self.column)
    }
}

/// The whole configuration, checked for everything that needs no database.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file that was read, as it was named.
    ///
    /// Paths in the config are relative to the folder of the file they are written in and are absolute here, except
    /// the program of a command: commands run in the folder of this file.
    pub file: PathBuf,
    pub source: SourceConfig,
    pub target: Option<TargetConfig>,
    pub key: Option<KeyConfig>,
    pub policy: PolicyConfig,
    /// In file order.
    pub tables: Vec<TableRule>,
    pub references: Vec<ReferenceRule>,
    /// None: everything is copied.
    pub subset: Option<SubsetConfig>,
    /// In file order.
    pub scenarios: Vec<ScenarioConfig>,
    pub fixture: FixtureConfig,
    pub verify: VerifyConfig,
    pub publish: PublishConfig,
    /// Who signs manifests; none: nobody.
    pub sign: Option<SignConfig>,
    pub hooks: Vec<HookConfig>,
    /// None: `restage schedule` has nothing to do.
    pub schedule: Option<ScheduleConfig>,
    pub notify: Vec<NotifyConfig>,
    /// In file order.
    pub tests: Vec<PolicyTest>,
    /// What is written and not done by this build.
    pub pending: Vec<Pending>,
    /// BLAKE3 of the resolved configuration without secrets (URLs' passwords left out), hex.
    ///
    /// Values equal to their defaults count as not written, so neither comments, order, white space and spelling
    /// (`2h` or `120m`) nor a new release with one more option changes it.
    pub hash: String,
}

#[derive(Debug, Clone)]
pub struct SourceConfig {
    /// libpq URI or key=value string, variables resolved. Never logged: may hold a password.
    ///
    /// The text `env` means that the PG* environment variables were asked for: [`url_means_environment`].
    pub url: secrecy::SecretString,
    /// Parallel COPY streams. Default 2.
    pub workers: usize,
    /// Longest wait for one lock; never 0, which PostgreSQL takes as no limit. Default 5 s.
    pub lock_timeout: Duration,
    /// How long to keep retrying the table locks before giving up. Default 60 s.
    pub lock_wait_max: Duration,
    /// None: 2 h on a primary, no limit on a standby with paused replay.
    pub snapshot_max: Option<Duration>,
    /// Bytes per second over all workers.
    pub rate_max: Option<u64>,
    /// Chunk size in bytes, TOAST included. Default 256 MiB.
    pub chunk_bytes: u64,
    /// None: yield on a primary, hold on a standby.
    pub on_blocked_ddl: Option<OnBlockedDdl>,
    /// Default 10 s.
    pub ddl_grace: Duration,
    /// Pause replay of a dedicated standby while extracting. Default false.
    pub pause_replay: bool,
    /// Accept that functions, types or enums changed while extracting. Default false.
    pub allow_schema_drift: bool,
    /// Accept a source role that could write. Default false.
    pub allow_write_role: bool,
    /// The encoding of the text in a SQL_ASCII source.
    pub assume_encoding: Option<String>,
}

/// Says whether a `url` asks for the PG* environment variables instead of naming a server.
pub fn url_means_environment(url: &secrecy::SecretString) -> bool {
    secrecy::ExposeSecret::expose_secret(url) == "env"
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnBlockedDdl {
    Yield,
    Hold,
    Warn,
}

#[derive(Debug, Clone)]
pub struct TargetConfig {
    /// The database applications use; as [`SourceConfig::url`].
    pub url: secrecy::SecretString,
    /// Must equal the live database name; without it a terminal answer or `--yes` is required.
    pub confirm: Option<String>,
    /// Earlier releases kept for rollback. Default 1.
    pub keep: u32,
    /// The database to connect to for CREATE DATABASE and renames. Default `postgres`.
    pub maintenance_db: String,
    /// Accept a target on the cluster of the source. Default false.
    pub allow_same_cluster: bool,
    /// Names like `prod` and `live` in host or database need this.
    pub allow_prod_name: bool,
    /// Role that owns everything; default: the role of `url`.
    pub owner: Option<String>,
    /// Source role to target role, for grants.
    pub roles: BTreeMap<String, String>,
    pub missing_roles: MissingRoles,
    /// Extensions of the source that are not created.
    pub skip_extensions: Vec<String>,
    /// `durability = "unlogged"`: tables stay UNLOGGED, for throw-away databases. Default false.
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
    /// Name of the target environment; two realms are unlinkable. Default `default`.
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
    /// Rule packs; a pack is a floor. `secrets` holds in every list; without one, `pii` and `secrets` warn.
    pub packs: Vec<String>,
    /// Where each of them is written.
    pub pack_places: Vec<Place>,
    /// Files with rules in Rego, against the folder of the configuration.
    pub rego: Vec<PathBuf>,
    /// What happens to a column without a decision. Default refuse.
    pub undecided: Undecided,
    /// `ddl_literals = "accept"`: copy definitions (defaults, comments, functions, …) that hold what looks like personal
    /// data. Default false: the plan is refused.
    pub accept_literals: bool,
    /// Labels of definitions, or globs, that are accepted one by one.
    pub literals_allow: Vec<String>,
    /// Partitions that the lock file does not know. Default refuse.
    pub new_partitions: NewPartitions,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NewPartitions {
    #[default]
    Refuse,
    /// They are decided like the table they are part of, as always; the run goes on.
    Inherit,
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
    /// Where the table of columns stands, although it may be empty: a second one would be no TOML.
    pub columns_at: Option<Place>,
}

/// Which rows of a table are copied.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Rows {
    #[default]
    All,
    None,
    Where {
        condition: Option<String>,
        limit: Option<u64>,
    },
}

/// What happens to one column.
#[derive(Debug, Clone)]
pub struct Decision {
    pub place: Place,
    pub action: Action,
    pub terms: Terms,
}

/// Why a column is kept, or masked less than a rule pack wants, and for how long.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    pub reason: Option<String>,
    /// The last day on which the reason holds.
    pub until: Option<jiff::civil::Date>,
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
    /// Which rows it is for; none: all of them.
    pub when: Option<When>,
    /// All other keys.
    pub params: serde_json::Map<String, serde_json::Value>,
}

/// The rows a mask is for: all but those in which an SQL condition is false.
#[derive(Debug, Clone, PartialEq)]
pub struct When {
    /// SQL boolean; true and NULL mask.
    pub condition: String,
    /// The row it is about, if not the column's own: `customer_id -> public.customers.id`.
    pub path: Option<String>,
    /// Why the other rows keep their value; none: they become NULL.
    pub keep: Option<String>,
    /// Last day on which that reason holds.
    pub until: Option<jiff::civil::Date>,
}

/// A `[[references]]` entry: a foreign key the database does not declare.
#[derive(Debug, Clone)]
pub struct ReferenceRule {
    /// `schema.table.column`.
    pub from: String,
    pub to: String,
    /// Column of the same table and its value in rows that refer: one of several tables may be meant.
    pub r#type: Option<(String, String)>,
    /// Keys from the outside in to the id in a JSON column; `*` for every element of an array. Empty: the column itself.
    pub json: Vec<String>,
    pub place: Place,
}

/// `[subset]`: which rows are the seeds and how far children are followed.
#[derive(Debug, Clone)]
pub struct SubsetConfig {
    pub seed: Vec<SeedRule>,
    pub children: Children,
    /// Exceptions from `children`, per foreign key.
    pub edges: Vec<EdgeRule>,
    /// Tables (names or globs) that are copied whole.
    pub whole: Vec<String>,
    /// What the rows have to show.
    pub cover: Vec<Cover>,
    /// Columns of one table, with commas between, of which every combination is shown.
    pub tuples: Vec<String>,
    pub dangling: Dangling,
    /// Plans with more rows are refused.
    /// Rows of each table, the first by its key, without what belongs to them.
    pub rows_each: Option<u64>,
    pub rows_max: Option<u64>,
    /// Plans with more bytes are refused.
    pub bytes_max: Option<u64>,
    pub place: Place,
}

/// References of the source that point nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dangling {
    Keep,
    Null,
    Fail,
}

/// The row that a selected row refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parent {
    /// It is copied too.
    Follow,
    /// It stays behind, unless it is copied for another reason; then the reference becomes NULL.
    Null,
}

/// `[scenario.NAME]`: a subset with parameters.
#[derive(Debug, Clone)]
pub struct ScenarioConfig {
    pub name: String,
    pub params: Vec<String>,
    pub seed: Vec<SeedRule>,
    /// None: as `[subset]`.
    pub children: Option<Children>,
    pub place: Place,
}

/// A table whose chosen rows start the closure.
#[derive(Debug, Clone)]
pub struct SeedRule {
    /// `schema.table` or a glob.
    pub table: String,
    /// SQL condition on the table.
    pub condition: Option<String>,
    /// Above 0, at most 100.
    pub percent: Option<f64>,
    pub limit: Option<u64>,
    /// SQL expressions; none: the primary key.
    pub order: Option<String>,
    pub place: Place,
}

/// Which rows that point at a selected row are selected too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Children {
    All,
    None,
    /// So many per parent row.
    Max(u64),
}

/// `[[subset.edge]]`: the child rule of one foreign key.
#[derive(Debug, Clone)]
pub struct EdgeRule {
    /// `schema.table.column` of the child; several with commas between are all columns of a key.
    pub from: String,
    /// `schema.table.column` of the parent, or several; none: whatever `from` points at.
    pub to: Option<String>,
    /// None: as `[subset]`.
    pub children: Option<Children>,
    /// None: it is followed, unless another rule for the same reference says otherwise.
    pub parent: Option<Parent>,
    /// None: as `[subset]`.
    pub dangling: Option<Dangling>,
    pub place: Place,
}

/// `[fixture]`: what `restage fixture` writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixtureConfig {
    pub format: FixtureFormat,
    /// None: nothing is said.
    pub rows: Option<RowsEach>,
    /// Rows that show each of these are kept.
    pub cover: Vec<Cover>,
    /// As [`SubsetConfig::tuples`].
    pub tuples: Vec<String>,
    pub place: Place,
}

/// How many rows of each table are in a fixture, whatever else is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowsEach {
    All,
    Max(u64),
}

/// Rows of each table where nobody says which: enough to see what a table holds, few enough to read.
pub const ROWS_EACH: u64 = 50;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FixtureFormat {
    Sql,
    Parquet,
    Csv,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cover {
    /// Every label of an enum, and both truth values.
    Enum,
    /// A NULL in every nullable column that has one.
    Null,
    /// The smallest and the largest value, the shortest and the longest text.
    Boundary,
    /// Text outside ASCII.
    Unicode,
    /// Every partition that has rows.
    Partition,
    /// Every type of a reference to several tables.
    Type,
}

#[derive(Debug, Clone)]
pub struct VerifyConfig {
    pub leak: LeakConfig,
    /// Names or globs of gates whose failure is only told.
    pub warn: Vec<String>,
    /// How long after the swap a gate may still bring the release before back; zero: never. Default 10 min.
    pub rollback_within: Duration,
    /// Compare masked columns with the source. Default true.
    pub measure: bool,
    pub fidelity: FidelityConfig,
    pub anonymity: Vec<AnonymityRule>,
    pub candidates: CandidateConfig,
    pub sql: Vec<SqlGate>,
    pub commands: Vec<CommandGate>,
    pub queries: Vec<QueryGate>,
}

/// The search of the loaded database for values of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeakConfig {
    /// Default true.
    pub on: bool,
    /// Columns that may hold values of the source: names or globs, `schema.table.column`.
    pub allow: Vec<String>,
    /// Bytes of a table that are read; of larger ones a sample.
    pub bytes: u64,
}

impl LeakConfig {
    /// Whether values of the source may be in this column.
    pub fn allows(&self, name: &str) -> bool {
        self.allow.iter().any(|pattern| matches(pattern, name))
    }
}

/// What a gate that does not hold means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is published.
    #[default]
    Fail,
    /// It is told, and the release is published.
    Warn,
}

/// `[[verify.anonymity]]`: columns by which people could be looked up, and how far they have to be hidden among others.
#[derive(Debug, Clone, PartialEq)]
pub struct AnonymityRule {
    /// `schema.table`.
    pub table: String,
    /// Quasi-identifiers; at least one.
    pub columns: Vec<String>,
    pub sensitive: Vec<String>,
    /// Fewest rows of a class.
    pub k: u64,
    /// Fewest different values of a sensitive column in a class.
    pub l: Option<u64>,
    /// Least effective number of them: e to the entropy.
    pub l_entropy: Option<f64>,
    /// Largest distance of a class from the whole table, 0 to 1.
    pub t: Option<f64>,
    pub severity: Severity,
    pub place: Place,
}

/// `[verify.candidates]`: the search for sets of columns that nobody declared.
#[derive(Debug, Clone, PartialEq)]
pub struct CandidateConfig {
    /// Sets looked at; 0: no search.
    pub sets: u64,
    /// Rows of a table looked at; of larger ones a sample.
    pub rows: u64,
    /// Largest share of rows that may be alone with their values in such a set, 0 to 1; none: it is only told.
    pub unique_max: Option<f64>,
    pub severity: Severity,
}

/// How far statistics of staging may differ from the source's; none: not checked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FidelityConfig {
    /// Absolute difference of the share of NULLs, 0 to 1.
    pub null_fraction: Option<f64>,
    /// Relative difference of the number of distinct values, 0 to 1.
    pub distinct_ratio: Option<f64>,
    /// Largest difference of distribution functions, 0 to 1.
    pub ks: Option<f64>,
    /// Population stability index.
    pub psi: Option<f64>,
    /// Difference of rank correlations, 0 to 2.
    pub correlation: Option<f64>,
    /// Which columns are judged: names or globs; empty: every masked one.
    pub columns: Vec<String>,
    pub severity: Severity,
}

/// When a gate of the user is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GatePoint {
    /// In the loaded database, aside.
    #[default]
    BeforePublish,
    /// In the live database, after the swap and the hooks that follow it.
    AfterPublish,
}

/// A user's assertion, run in a read-only transaction.
#[derive(Debug, Clone)]
pub struct SqlGate {
    pub name: String,
    /// One statement that returns one integer.
    pub query: String,
    /// Default 0.
    pub equals: i64,
    pub severity: Severity,
    pub at: GatePoint,
    pub place: Place,
}

/// A user's program that judges the database; it holds if it ends with 0.
#[derive(Debug, Clone)]
pub struct CommandGate {
    pub name: String,
    /// A program and its arguments, no shell.
    pub command: Vec<String>,
    /// Default 10 min.
    pub timeout: Duration,
    pub severity: Severity,
    pub at: GatePoint,
    pub place: Place,
}

/// `[[verify.query]]`: a query that the planner is asked about at the source and in staging.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryGate {
    pub name: String,
    /// One statement; it is planned and never run.
    pub sql: String,
    /// How many times one estimate of its rows may be the other; none: it is only told.
    pub factor: Option<f64>,
    /// Whether the plan has to have the same shape.
    pub same_plan: bool,
    pub severity: Severity,
    pub place: Place,
}

/// Who signs manifests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignConfig {
    /// Private key in PEM.
    KeyFile(PathBuf),
    Command(Vec<String>),
}

#[derive(Debug, Clone)]
pub struct PublishConfig {
    pub mode: PublishMode,
    /// Databases to copy from the published one.
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
    /// Default 10 min.
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

/// `[schedule]`: when `restage schedule` runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleConfig {
    /// Five fields, as crontab(5); syntax and ranges checked.
    pub cron: String,
    /// IANA name. Default `UTC`. Not looked up here.
    pub time_zone: String,
}

/// `[[notify]]`: who is told.
#[derive(Debug, Clone)]
pub struct NotifyConfig {
    pub on: Vec<NotifyEvent>,
    /// Web hook; secret, because whoever knows it may post.
    pub url: secrecy::SecretString,
    pub place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotifyEvent {
    Failure,
    /// The first success after a failure.
    Recovered,
    Success,
}

impl Config {
    /// Names the configuration file: `cli`, else `$RESTAGE_CONFIG` if it is not empty, else `restage.toml`.
    pub fn find(cli: Option<PathBuf>, env: &dyn Fn(&str) -> Option<String>) -> PathBuf {
        let named = || env(FILE_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
        cli.or_else(named).unwrap_or_else(|| PathBuf::from(FILE_NAME))
    }

    /// Reads `path` and everything it includes. `env` answers with the value of an environment variable.
    ///
    /// # Errors
    /// [`ConfigErrors`] with every problem found; exit code 2.
    pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigErrors> {
        let loaded = load::load(path, env).map_err(ConfigErrors)?;
        sections::read(path, loaded).map_err(ConfigErrors)
    }

    /// Reads a file of `[[test]]` that stands beside the configuration.
    ///
    /// # Errors
    /// [`ConfigErrors`] with every problem found; exit code 2.
    pub fn load_tests(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Vec<PolicyTest>, ConfigErrors> {
        policy_test::read_file(path, env)
    }

    /// The entries whose pattern matches a table, most specific first; equal ones in file order.
    pub fn rules_for(&self, schema: &str, table: &str) -> Vec<&TableRule> {
        let name = format!("{schema}.{table}");
        let mut rules: Vec<&TableRule> = self.tables.iter().filter(|rule| matches(&rule.pattern, &name)).collect();
        rules.sort_by_key(|rule| std::cmp::Reverse(specificity(&rule.pattern)));
        rules
    }

    /// The entries that match a table and of which none is more specific than the other, in pairs.
    ///
    /// Which of the two wins is not defined, so a plan should refuse where they decide differently.
    pub fn ambiguous_rules(&self, schema: &str, table: &str) -> Vec<(&TableRule, &TableRule)> {
        let rules = self.rules_for(schema, table);
        let equal = |pair: &&[&TableRule]| specificity(&pair[0].pattern) == specificity(&pair[1].pattern);
        rules.windows(2).filter(equal).map(|pair| (pair[0], pair[1])).collect()
    }
}

impl TableRule {
    /// The listed decisions whose name or glob matches a column, most specific first; `default` is not among them.
    pub fn decisions_for(&self, column: &str) -> Vec<&(String, Decision)> {
        let mut decisions: Vec<_> = self.columns.iter().filter(|(pattern, _)| matches(pattern, column)).collect();
        decisions.sort_by_key(|(pattern, _)| std::cmp::Reverse(specificity(pattern)));
        decisions
    }
}
