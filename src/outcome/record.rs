//! What a run knows about itself while it goes on: who runs it, what was decided, what took how long.
//!
//! It is shared between the run and whoever writes the report, so that a run that is refused or fails leaves one too.

use super::{FidelityView, Gate, PrivacyView, Skipped, TableLoaded, TableView};
use crate::event::Phase;
use crate::lock::Change;
use crate::manifest::{Previous, TableContent};
use serde::Serialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Who runs what, by which rules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Provenance {
    pub os_user: String,
    pub host: String,
    pub tool_version: String,
    pub mask_version: u32,
    pub config_file: String,
    /// BLAKE3 over the configuration without its secrets, hex.
    pub config_hash: String,
    /// BLAKE3 of the lock file, hex; none: there is none.
    pub lock_hash: Option<String>,
    pub key_id: String,
    pub realm: String,
    /// The version of the policy's folder in git; none: it is in no repository, or git is not here.
    pub policy: Option<PolicyCommit>,
}

/// The commit a policy was at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PolicyCommit {
    pub commit: String,
    /// The configuration, or another file that git knows in its folder, differs from that commit.
    pub changed: bool,
}

/// What a stretch of time was used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Labor {
    Phase,
    /// Rows of a table, or of a chunk of it.
    Load,
    /// An index, key or constraint.
    Build,
    /// Statistics.
    Analyze,
}

/// A stretch of time, in milliseconds since the run began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Span {
    pub labor: Labor,
    /// The phase, the table, or the object that was built.
    pub name: String,
    pub from_ms: u64,
    pub to_ms: u64,
}

/// What is known of a run so far.
#[derive(Debug, Clone, Default)]
pub struct RunRecord {
    pub run: String,
    /// Without secrets.
    pub source: String,
    pub target: String,
    pub dry_run: bool,
    pub by: Provenance,
    /// RFC 3339.
    pub started_at: String,
    pub snapshot_lsn: Option<String>,
    pub snapshot_time: Option<String>,
    /// BLAKE3 over every decision, hex.
    pub plan_hash: Option<String>,
    /// Every table and column with its decision; empty if the plan could not be made.
    pub tables: Vec<TableView>,
    pub skipped: Vec<Skipped>,
    /// How the plan differs from the lock file.
    pub lock_changes: Vec<Change>,
    pub loaded: Vec<TableLoaded>,
    pub gates: Vec<Gate>,
    pub privacy: Option<PrivacyView>,
    pub fidelity: Option<FidelityView>,
    pub timeline: Vec<Span>,
    /// Major version of the target.
    pub server_major: u32,
    /// Every table of the loaded database, hashed; empty if it was not reached.
    pub contents: Vec<TableContent>,
    /// The release that was live before.
    pub previous: Option<Previous>,
}

/// The shared record of one run. Cheap to clone; touched per phase and per table, never per row.
#[derive(Debug, Clone)]
pub struct Ledger {
    began: Instant,
    record: Arc<Mutex<RunRecord>>,
}

impl Ledger {
    /// Starts the clock of a run.
    pub fn new(record: RunRecord) -> Self {
        Self { began: Instant::now(), record: Arc::new(Mutex::new(record)) }
    }

    /// Changes what is known. Do not wait inside.
    pub fn note(&self, change: impl FnOnce(&mut RunRecord)) {
        change(&mut self.lock());
    }

    /// A copy of what is known.
    pub fn read(&self) -> RunRecord {
        self.lock().clone()
    }

    /// Milliseconds since the run began.
    pub fn elapsed_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    /// Notes that something that began at `from` ended now.
    pub fn span(&self, labor: Labor, name: impl Into<String>, from: Instant) {
        let from_ms = from.saturating_duration_since(self.began).as_millis() as u64;
        let span = Span { labor, name: name.into(), from_ms, to_ms: self.elapsed_ms() };
        self.lock().timeline.push(span);
    }

    /// Notes the end of a phase.
    pub fn phase(&self, phase: Phase, from: Instant) {
        self.span(Labor::Phase, phase.name(), from);
    }

    fn lock(&self) -> MutexGuard<'_, RunRecord> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new(RunRecord::default())
    }
}
