//! What commands return: plain data that the terminal, `--json` and the report files are made of.
//!
//! No type here can hold a source value: names, counts, times, hashes and decisions only. [`DemoSample`] and
//! [`Difference`] are the exceptions, and they show made-up people: those of the demo, and of the user's policy tests.

mod column;
mod gate;
mod measures;
mod record;
pub mod units;

pub use column::{Explanation, FoundView, HeldView};
pub use gate::Gate;
pub use measures::{
    AnonymityView, CandidateView, ColumnFidelity, CorrelationView, EstimateView, FidelityView, PatternShare,
    PrivacyView, QueryFidelity, ReferenceFidelity, SensitiveView, SideView,
};
pub use record::{Labor, Ledger, PolicyCommit, Provenance, RunRecord, Span};

use crate::artefact::{Form, Purpose};
use crate::error::{Exit, Report};
use crate::event::Phase;
use crate::lock::Change;
use crate::plan::{Covered, Decided, TablePlan};
use serde::Serialize;

/// Version of every JSON document. Fields may be added under the same number; a rename or removal raises it.
pub const SCHEMA: u32 = 1;

/// The envelope of every JSON document: `{"schema":1,"document":"plan","exit":0,…fields of the body…}`.
#[derive(Debug, Serialize)]
pub struct Document<'a, T: Serialize> {
    pub schema: u32,
    /// What the body is: `plan`, `refresh`, …
    pub document: &'static str,
    /// The exit code of the command.
    pub exit: u8,
    #[serde(flatten)]
    pub body: &'a T,
}

impl<'a, T: Serialize> Document<'a, T> {
    pub fn new(document: &'static str, exit: Exit, body: &'a T) -> Self {
        Self { schema: SCHEMA, document, exit: exit.code(), body }
    }
}

/// A resolved plan as a person reads it; see [`crate::plan::Plan`] for the one that runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct PlanView {
    /// Where rows come from, without secrets: `shop on prod-replica:5432, PostgreSQL 15.18`.
    pub source: String,
    /// Where they go; none without `[target]`.
    pub target: Option<String>,
    /// Largest first, as in the plan.
    pub tables: Vec<TableView>,
    pub skipped: Vec<Skipped>,
    /// What staging computes by itself, for `explain`: views and generated columns.
    #[serde(skip)]
    pub derived: Vec<Skipped>,
    /// Tables and columns of a refused plan, and who decides them; for `explain`.
    #[serde(skip)]
    pub drafted: Vec<Skipped>,
    pub totals: PlanTotals,
    pub estimate: Option<Estimate>,
    /// What must hold before the first write.
    pub guards: Vec<Guard>,
    pub warnings: Vec<String>,
    /// Every reason not to run; `error` in JSON, as for all failures.
    #[serde(rename = "error", skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<Report>,
    /// BLAKE3 over every decision, hex.
    pub hash: String,
    pub key_id: Option<String>,
    /// None: every row is copied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subset: Option<SubsetView>,
    pub lock: LockView,
    /// The lock file written by `plan --write-lock`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock_written: Option<String>,
}

/// The lock file beside the configuration, and how the plan differs from it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LockView {
    pub file: String,
    pub present: bool,
    pub changes: Vec<Change>,
    /// Show all of them.
    #[serde(skip)]
    pub all: bool,
}

impl PlanView {
    pub fn exit(&self) -> Exit {
        if self.refusals.is_empty() { Exit::Done } else { Exit::Refused }
    }
}

/// A subset as it was counted: which rows, and what brought them in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SubsetView {
    /// False: it would have taken too long, or the plan was refused before; every number is 0.
    pub counted: bool,
    pub rows: u64,
    /// Tables with at least one row.
    pub tables: u64,
    pub bytes: u64,
    /// Rows chosen by seeds, and by whole tables.
    pub seeds: u64,
    /// Most rows first: the cuts that help most stand on top.
    pub references: Vec<PulledView>,
    /// How many things `cover` shows, and what no row of the source shows.
    pub shown: u64,
    pub absent: Vec<String>,
    pub dangling: Vec<DanglingView>,
}

/// How many rows a reference brought in that nothing before it had reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PulledView {
    pub reference: String,
    /// `up` to a row that is referred to, `down` to rows that refer.
    pub direction: String,
    /// The table whose rows came.
    pub table: String,
    pub rows: u64,
    /// The lines that stop it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<String>,
}

/// References of the subset that point nowhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DanglingView {
    pub reference: String,
    pub rows: u64,
    /// They are NULL in the copy.
    pub nulled: bool,
}

/// How a row got into the subset, from a seed on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RowPath {
    /// As it was asked for.
    pub table: String,
    /// Empty: it is not in the subset.
    pub steps: Vec<PathStep>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PathStep {
    pub table: String,
    /// The place of the row in its table, which is no value of it.
    pub ctid: String,
    pub because: String,
}

/// One table that is copied.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TableView {
    /// `schema.table`.
    pub name: String,
    /// The partitioned table it belongs to. The short form of a plan adds up leaves with the same root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// Estimate of the server; for `rows = "none"` still that of the source.
    pub rows: u64,
    /// The server was never asked to count: `rows` is a guess by bytes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unanalyzed: bool,
    /// Heap and TOAST of the source.
    pub bytes: u64,
    /// Which rows: `all`, `none`, or the condition and limit.
    pub selection: String,
    /// The pack that leaves them behind, where the policy does not say which to take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emptied: Option<String>,
    pub load: LoadMode,
    pub chunks: u64,
    pub columns: Vec<ColumnView>,
}

/// How a table's rows reach the target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoadMode {
    /// COPY with FREEZE, whole chunks.
    #[default]
    Freeze,
    /// Plain COPY.
    Copy,
    /// Structure only: `rows = "none"`.
    Empty,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ColumnView {
    pub name: String,
    #[serde(rename = "type")]
    pub type_name: String,
    pub decision: DecisionView,
    /// `email/1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The parameters of its mask in canonical order: columns of one label join only where these are equal.
    #[serde(skip)]
    pub params: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The SQL condition of the rows that are masked; none: all rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// What becomes of the other rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<DecisionView>,
    /// Why the policy keeps it, in the words of its author.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The last day on which the reason holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Which rule decided.
    pub because: String,
    /// What its name, table and type suggest, best first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<FoundView>,
    /// Rules of packs that it falls under.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<HeldView>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecisionView {
    #[default]
    Keep,
    Null,
    Const,
    Mask,
}

impl TableView {
    /// Describes a planned table; `root` is named when the rows go to another table than the leaf, or given by the
    /// caller, who knows the catalog.
    pub fn new(table: &TablePlan, root: Option<String>) -> Self {
        use crate::config::Rows;
        let moved = (&table.target_schema, &table.target_name) != (&table.schema, &table.name);
        let selection = match &table.rows {
            Rows::All => "all".to_owned(),
            Rows::None => "none".to_owned(),
            Rows::Where { condition, limit } => {
                let condition = condition.as_ref().map(|text| format!("where {text}"));
                let limit = limit.map(|count| format!("limit {count}"));
                condition.into_iter().chain(limit).collect::<Vec<_>>().join(" ")
            }
        };
        let load = match (&table.rows, table.freeze) {
            (Rows::None, _) => LoadMode::Empty,
            (_, true) => LoadMode::Freeze,
            (_, false) => LoadMode::Copy,
        };
        let view = |(number, column)| ColumnView { params: column::params(table, number), ..ColumnView::new(column) };
        let columns = table.columns.iter().enumerate().map(view).collect();
        Self {
            name: table.full_name(),
            root: root.or_else(|| moved.then(|| format!("{}.{}", table.target_schema, table.target_name))),
            emptied: None,
            rows: table.rows_estimate,
            unanalyzed: table.unanalyzed,
            bytes: table.bytes,
            selection,
            load,
            chunks: table.chunks.len() as u64,
            columns,
        }
    }

    /// Number of columns with this decision.
    pub fn count(&self, decision: DecisionView) -> usize {
        self.columns.iter().filter(|column| column.decision == decision).count()
    }
}

impl ColumnView {
    fn new(column: &crate::plan::ColumnPlan) -> Self {
        let mut view = Self {
            name: column.name.clone(),
            type_name: column.type_name.clone(),
            because: column.because.clone(),
            ..Self::default()
        };
        match &column.decision {
            Decided::Keep { reason } => view.reason.clone_from(reason),
            Decided::Null => view.decision = DecisionView::Null,
            Decided::Const => view.decision = DecisionView::Const,
            Decided::Mask { kind, label, subject, when } => {
                view.decision = DecisionView::Mask;
                view.kind = Some(kind.clone());
                view.label = (!label.is_empty()).then(|| label.clone());
                view.subject.clone_from(subject);
                if let Some(when) = when {
                    view.when = Some(match &when.path {
                        Some(path) => format!("{} (at {path})", when.condition),
                        None => when.condition.clone(),
                    });
                    view.otherwise = Some(if when.keep.is_some() { DecisionView::Keep } else { DecisionView::Null });
                    view.reason.clone_from(&when.keep);
                }
            }
        }
        view
    }
}

/// A table, view or column that is not copied, by its full name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Skipped {
    pub table: String,
    pub reason: String,
}

/// Sums over the tables whose rows are copied; `tables` and the column counts are over all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PlanTotals {
    pub tables: u64,
    pub rows: u64,
    pub bytes: u64,
    pub chunks: u64,
    pub columns: u64,
    pub masked: u64,
    pub nulled: u64,
    pub kept: u64,
}

impl PlanTotals {
    pub fn of(tables: &[TableView]) -> Self {
        let mut totals = Self { tables: tables.len() as u64, ..Self::default() };
        for table in tables {
            if table.load != LoadMode::Empty {
                totals.rows += table.rows;
                totals.bytes += table.bytes;
                totals.chunks += table.chunks;
            }
            totals.columns += table.columns.len() as u64;
            totals.masked += table.count(DecisionView::Mask) as u64;
            totals.nulled += (table.count(DecisionView::Null) + table.count(DecisionView::Const)) as u64;
            totals.kept += table.count(DecisionView::Keep) as u64;
        }
        totals
    }
}

/// How long a refresh should take, and what that is based on: `last run` or `64 MB/s per worker`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Estimate {
    pub ms: u64,
    pub basis: String,
}

/// One condition of POSTGRES section 11.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Guard {
    pub name: String,
    pub ok: bool,
    /// What was found.
    pub detail: String,
}

/// What `refresh` did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RefreshOutcome {
    pub run: String,
    pub release: String,
    /// Without secrets: `shop on prod-replica:5432`.
    pub source: String,
    /// `shop on staging:5432`.
    pub target: String,
    pub snapshot_lsn: Option<String>,
    /// RFC 3339.
    pub snapshot_time: Option<String>,
    pub tables: Vec<TableLoaded>,
    pub totals: RunTotals,
    /// What the rows show, where `cover` chose them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cover: Option<Covered>,
    pub phases: Vec<PhaseTime>,
    pub masks: MaskCounts,
    pub key_id: Option<String>,
    pub gates: Vec<Gate>,
    /// What the rows tell of people; none if nothing was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privacy: Option<PrivacyView>,
    /// How far staging is like its source; none if nothing was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fidelity: Option<FidelityView>,
    /// The name under which the release is live now; none for `--dry-run`, `mode = "none"` and failed
    /// gates.
    pub published: Option<String>,
    /// The database that holds the rows while it is not published.
    pub aside: Option<String>,
    /// The database of the release that was live before, if it is kept.
    pub previous: Option<String>,
    /// The database of this run's release, if a gate refused it while it was live and the one before serves again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rolled_back: Option<String>,
    pub report_dir: Option<String>,
    pub warnings: Vec<String>,
    /// Those of the warnings that only the run could find: what was left out or did not work. They break the silence of
    /// `--cron`.
    #[serde(skip)]
    pub found: Vec<String>,
    /// The command that undoes this, ready to paste.
    pub go_back: Option<String>,
    /// Why nothing was done: `--if-newer` and an unchanged source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unchanged: Option<String>,
    /// What went wrong although there is an outcome: failed gates, a hook after publishing.
    #[serde(rename = "error", skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Report>,
    /// [`Exit::Done`], or what `problems` mean: [`Exit::Verify`], [`Exit::AfterPublish`].
    #[serde(skip)]
    pub exit: Exit,
}

/// What `snapshot` or `fixture` wrote.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExportOutcome {
    pub purpose: Purpose,
    pub form: Form,
    /// The folder.
    pub out: String,
    /// Without secrets: `shop on prod-replica:5432`.
    pub source: String,
    pub snapshot_lsn: String,
    /// RFC 3339.
    pub snapshot_time: String,
    pub tables: Vec<TableLoaded>,
    pub totals: RunTotals,
    pub files: u64,
    pub phases: Vec<PhaseTime>,
    pub masks: MaskCounts,
    pub key_id: String,
    /// What the files were held to before they got their name.
    pub gates: Vec<Gate>,
    /// What the rows show, where `cover` chose them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cover: Option<Covered>,
    pub warnings: Vec<String>,
}

/// What `fixture --check` found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FixtureCheck {
    /// The folder.
    pub out: String,
    pub source: String,
    pub tables: u64,
    pub definitions: u64,
    /// What does not match, by name; never a value.
    pub differences: Vec<String>,
    pub notes: Vec<String>,
    /// The form of the files in the folder.
    pub form: Option<Form>,
    /// The command that makes the fixtures anew, for a shell.
    pub next: String,
}

impl FixtureCheck {
    pub fn exit(&self) -> Exit {
        if self.differences.is_empty() { Exit::Done } else { Exit::Verify }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TableLoaded {
    pub name: String,
    pub rows: u64,
    pub bytes: u64,
    /// From the first byte read to the last receipt; tables overlap.
    pub ms: u64,
}

/// Sums of a run; `ms` is wall time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RunTotals {
    pub tables: u64,
    pub rows: u64,
    pub bytes: u64,
    pub ms: u64,
}

impl RunTotals {
    /// Sums of the tables of a run that is not over: without its time.
    pub fn of(tables: &[TableLoaded]) -> Self {
        let sum = |field: fn(&TableLoaded) -> u64| tables.iter().map(field).sum();
        Self { tables: tables.len() as u64, rows: sum(|table| table.rows), bytes: sum(|table| table.bytes), ms: 0 }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PhaseTime {
    pub phase: Phase,
    pub ms: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct MaskCounts {
    pub columns: u64,
    pub values: u64,
}

/// What `demo` did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct DemoOutcome {
    /// Some columns before and after.
    pub samples: Vec<DemoSample>,
    pub refresh: RefreshOutcome,
    /// What can be looked at afterwards, with `--keep`: label and the line to paste.
    pub look: Vec<(String, String)>,
}

/// One made-up value and its mask.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DemoSample {
    pub column: String,
    pub source: Option<String>,
    pub staging: Option<String>,
}

/// What `verify` found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct VerifyOutcome {
    pub database: String,
    pub release: Option<String>,
    pub gates: Vec<Gate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privacy: Option<PrivacyView>,
    pub ms: u64,
}

impl VerifyOutcome {
    pub fn exit(&self) -> Exit {
        if !self.gates.iter().any(Gate::fails) { Exit::Done } else { Exit::Verify }
    }
}

/// The releases of a target, live one first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Releases {
    pub target: String,
    pub releases: Vec<Release>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Release {
    pub name: String,
    pub database: String,
    pub state: ReleaseState,
    /// RFC 3339 time of the source snapshot.
    pub as_of: Option<String>,
    pub run: Option<String>,
    pub bytes: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseState {
    /// Applications use it.
    Live,
    /// Was live; can be rolled back to.
    Previous,
    /// Loaded, never published.
    #[default]
    Aside,
}

/// What `rollback` did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RollbackOutcome {
    /// The database name applications use.
    pub database: String,
    /// The release that is live now.
    pub live: String,
    pub as_of: Option<String>,
    /// The release that was live, and is kept.
    pub replaced: String,
    pub ms: u64,
    /// The command that undoes this.
    pub go_back: Option<String>,
}

/// What `init-target` did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct InitTargetOutcome {
    /// `staging:5432`.
    pub server: String,
    pub database: String,
    pub realm: String,
    pub system_identifier: String,
    /// It carried our mark before.
    pub already: bool,
}

/// What `doctor` found, in the order of the checks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DoctorReport {
    pub checks: Vec<Check>,
}

impl DoctorReport {
    /// The exit code of the first failed check.
    pub fn exit(&self) -> Exit {
        self.checks.iter().find(|check| check.status == Status::Fail).map_or(Exit::Done, |check| check.group.exit())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    pub group: Group,
    pub name: String,
    pub status: Status,
    /// What was found.
    pub detail: String,
    /// What to do, ready to paste.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    Config,
    Key,
    Machine,
    Source,
    Target,
}

impl Group {
    pub fn name(self) -> &'static str {
        match self {
            Group::Config => "config",
            Group::Key => "key",
            Group::Machine => "this machine",
            Group::Source => "source",
            Group::Target => "target",
        }
    }

    fn exit(self) -> Exit {
        match self {
            Group::Config | Group::Key | Group::Machine => Exit::Usage,
            Group::Source => Exit::Source,
            Group::Target => Exit::Target,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    Ok,
    Warn,
    Fail,
}

/// A key as it may be shown: everything but the key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct KeyInfo {
    pub id: String,
    /// Where it was read from or written to: `file /run/secrets/restage.key`.
    pub source: String,
    pub realm: Option<String>,
    pub warnings: Vec<String>,
    /// `key check` and not just `key id`: tell everything.
    #[serde(skip)]
    pub checked: bool,
    /// It was made just now.
    #[serde(skip)]
    pub made: bool,
}

/// What values become under a mask, in the order they were given. The values themselves are not repeated.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct MaskResult {
    /// With version.
    pub kind: String,
    pub label: String,
    pub realm: String,
    pub key_id: String,
    /// None is SQL NULL.
    pub values: Vec<Option<String>>,
}

/// What policy unit tests came to. Values are those that the tests give and what masks made of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TestOutcome {
    pub tests: Vec<TestView>,
    pub passed: usize,
    pub failed: usize,
    pub key_id: String,
    pub realm: String,
}

impl TestOutcome {
    pub fn exit(&self) -> Exit {
        if self.failed == 0 { Exit::Done } else { Exit::Verify }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TestView {
    /// As written, else the table.
    pub name: String,
    pub table: String,
    /// `restage.toml:12:1`.
    pub place: String,
    pub ok: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
}

/// An expectation that did not hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub column: String,
    pub expected: String,
    /// None is SQL NULL.
    pub got: Option<String>,
}

/// The catalogue of mask kinds, or one of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Kinds {
    pub kinds: Vec<KindView>,
    /// One kind was asked for: describe it in full.
    #[serde(skip)]
    pub one: bool,
    /// As the reference page.
    #[serde(skip)]
    pub markdown: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct KindView {
    /// With version.
    pub name: String,
    pub summary: String,
    /// What columns it takes, in PostgreSQL's words.
    pub accepts: Vec<String>,
    pub guarantees: Vec<String>,
    pub needs_subject: bool,
    /// Inputs that show what it does.
    pub samples: Vec<String>,
    pub params: Vec<ParamView>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ParamView {
    pub name: String,
    pub summary: String,
    /// What it may be, with unit and range; empty where the summary says it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub takes: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// A configuration that `init` wrote.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Initialized {
    pub file: String,
    pub tables: usize,
    pub columns: usize,
    /// Columns that look personal.
    pub personal: usize,
    /// Columns that only a person can decide.
    pub open: usize,
    /// Tables that were judged by their names alone.
    pub unsampled: usize,
    /// What comes next, ready to paste.
    pub next: Vec<String>,
    pub ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_carry_schema_name_and_exit_code_beside_the_body() {
        let outcome = VerifyOutcome {
            database: "shop".into(),
            gates: vec![Gate { name: "rows".into(), ok: false, evidence: "9 of 10".into(), ms: 3, ..Gate::default() }],
            ..VerifyOutcome::default()
        };
        let json = serde_json::to_value(Document::new("verify", outcome.exit(), &outcome)).unwrap();
        assert_eq!(json["schema"], 1);
        assert_eq!(json["document"], "verify");
        assert_eq!(json["exit"], 6);
        assert_eq!(json["gates"][0]["evidence"], "9 of 10");
    }

    #[test]
    fn a_refused_plan_lists_its_reasons_under_error() {
        let mut view = PlanView::default();
        assert_eq!(view.exit(), Exit::Done);
        assert!(serde_json::to_value(&view).unwrap().get("error").is_none());
        view.refusals.push(Report::new("plan::undecided-column", "column has no masking decision"));
        assert_eq!(view.exit(), Exit::Refused);
        assert_eq!(serde_json::to_value(&view).unwrap()["error"][0]["code"], "plan::undecided-column");
    }

    #[test]
    fn doctor_exits_as_its_first_failed_check_says() {
        let check = |group, status| Check { group, name: "x".into(), status, detail: String::new(), fix: None };
        let mut report = DoctorReport { checks: vec![check(Group::Source, Status::Warn)] };
        assert_eq!(report.exit(), Exit::Done);
        report.checks.extend([check(Group::Target, Status::Fail), check(Group::Source, Status::Fail)]);
        assert_eq!(report.exit(), Exit::Target);
    }

    #[test]
    fn totals_leave_out_the_rows_of_tables_that_stay_empty() {
        let column = |decision| ColumnView { decision, ..ColumnView::default() };
        let tables = [
            TableView {
                rows: 10,
                bytes: 100,
                chunks: 1,
                columns: vec![column(DecisionView::Mask), column(DecisionView::Const)],
                ..TableView::default()
            },
            TableView { rows: 5, bytes: 50, load: LoadMode::Empty, ..TableView::default() },
        ];
        let totals = PlanTotals::of(&tables);
        assert_eq!((totals.tables, totals.rows, totals.bytes), (2, 10, 100));
        assert_eq!((totals.masked, totals.nulled, totals.kept), (1, 1, 0));
    }
}
