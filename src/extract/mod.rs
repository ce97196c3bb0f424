//! Reads the source: one snapshot, held by two keepers, read by any number of workers.
//!
//! A worker reads one chunk after the other under the exported snapshot; any error costs its session and that chunk only.
//! Keepers and workers hold the snapshot and an ACCESS SHARE lock on every planned table: the keepers because a snapshot
//! alone does not protect against TRUNCATE or a rewriting ALTER (such a table would read as empty without an error), the
//! workers because they could not get it any more once such a statement waits for the keepers.

pub mod artefact;
pub mod postgres;
pub mod readers;
pub mod replay;
pub mod snapshot;
pub mod watch;

use crate::artefact::ArtefactError;
use crate::config::OnBlockedDdl;
use crate::error::{Diagnose, Exit, Report};
use crate::pg::{Side, SqlProblem};
use crate::plan::{Chunk, TablePlan};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Where rows come from.
pub enum Source {
    /// A server, under a snapshot.
    Server(Box<postgres::Reader>),
    /// The files of a masked snapshot.
    Artefact(artefact::Reader),
}

impl Source {
    /// Reads one chunk and hands its rows, in order, to `deliver`; returns their number.
    ///
    /// # Errors
    /// As [`postgres::Reader::read`] and [`artefact::Reader::read`].
    pub async fn read<D: postgres::Deliver>(
        &self,
        table: &TablePlan,
        chunk: &Chunk,
        deliver: &mut D,
    ) -> Result<u64, D::Error> {
        match self {
            Source::Server(reader) => reader.read(table, chunk, deliver).await,
            Source::Artefact(reader) => reader.read(table, chunk, deliver).await,
        }
    }

    /// Lets go of everything that is not being read.
    pub fn close(&self) {
        if let Source::Server(reader) = self {
            reader.close();
        }
    }
}

/// How gently the source is treated. Defaults are those of the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `lock_timeout` of every source transaction.
    pub lock_timeout: Duration,
    /// How long the table locks are retried before the run gives up.
    pub lock_wait_max: Duration,
    /// Longest life of the snapshot; none: no limit (a paused standby).
    pub snapshot_max: Option<Duration>,
    /// Bytes per second over all workers.
    pub rate_max: Option<u64>,
    /// None: yield on a primary, hold on a standby.
    pub on_blocked_ddl: Option<OnBlockedDdl>,
    pub ddl_grace: Duration,
    /// Sessions that read side by side; each locks every table when the snapshot is taken.
    pub readers: usize,
    /// Pause WAL replay of a dedicated replica while the snapshot is held.
    pub pause_replay: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    #[error("the source refused a connection")]
    Connect(Box<Report>),
    #[error("the source failed while {what}")]
    Sql { what: String, problem: SqlProblem },
    #[error("could not lock the tables of the source within {waited_s} s")]
    LockWait { waited_s: u64, blockers: Vec<String> },
    #[error("the source kept changing while the snapshot was taken")]
    Changed { changes: Vec<String> },
    #[error("the snapshot was lost: both sessions that held it ended")]
    SnapshotLost,
    #[error("the snapshot reached its age limit of {limit_s} s")]
    SnapshotTooOld { limit_s: u64 },
    #[error("the source was let go because a statement waited for our lock")]
    Yielded { waited_s: u64, who: Arc<str> },
    #[error("the definitions of the source changed during the run")]
    SchemaDrift { changes: Vec<String> },
    #[error("a value of {} is not text in the encoding of the source", .0.place())]
    BadBytes(Box<BadBytes>),
    #[error("COPY of {table} ended without its trailer")]
    Truncated { table: String },
    #[error("{table} gave {found} of the {expected} rows of the subset")]
    RowsMissing { table: String, expected: u64, found: u64 },
    #[error("stopped by a signal")]
    Interrupted { signal: i32 },
    #[error(transparent)]
    Artefact(#[from] ArtefactError),
}

/// Where the bytes stand that stopped a COPY; never what they are.
#[derive(Debug)]
pub struct BadBytes {
    /// `schema.table`.
    pub table: String,
    pub column: Option<String>,
    pub ctid: String,
    /// The query that shows them to whoever may see them.
    pub look: String,
    pub problem: SqlProblem,
}

impl BadBytes {
    fn place(&self) -> String {
        match &self.column {
            Some(column) => format!("column \"{}.{column}\"", self.table),
            None => format!("table \"{}\"", self.table),
        }
    }
}

impl ExtractError {
    pub fn sql(what: impl Into<String>, error: &tokio_postgres::Error) -> Self {
        Self::Sql { what: what.into(), problem: crate::pg::sql_error(error) }
    }

    /// A table, or its schema, is not there under this name.
    pub fn is_missing(&self) -> bool {
        matches!(self, ExtractError::Sql { problem, .. } if matches!(problem.sqlstate.as_str(), "42P01" | "3F000"))
    }

    /// A chunk that failed with this may be read again: the connection died, or a standby cancelled us.
    pub fn is_transient(&self) -> bool {
        match self {
            // 55P03: a statement that waits for our locks stands in front of ours; it may give up.
            ExtractError::Sql { problem, .. } => problem.is_transient() || problem.sqlstate == "55P03",
            ExtractError::Truncated { .. } | ExtractError::Connect(_) => true,
            _ => false,
        }
    }
}

/// At most ten, then how many more.
fn some(changes: &[String]) -> String {
    let shown = changes.iter().take(10).cloned().collect::<Vec<_>>().join("\n");
    match changes.len().saturating_sub(10) {
        0 => shown,
        more => format!("{shown}\nand {more} more"),
    }
}

impl Diagnose for ExtractError {
    fn exit(&self) -> Exit {
        match self {
            ExtractError::Interrupted { signal: 15 } => Exit::Terminated,
            ExtractError::Interrupted { .. } => Exit::Interrupted,
            _ => Exit::Source,
        }
    }

    fn reports(&self) -> Vec<Report> {
        let message = self.to_string();
        let report = match self {
            ExtractError::Connect(report) => (**report).clone(),
            ExtractError::Sql { problem, .. } => problem.report(Side::Source, message),
            ExtractError::BadBytes(bad) => Report::new("source::bytes", message)
                .detail(format!("{}, in the row with ctid {}", bad.problem, bad.ctid))
                .hint(format!("Look at it and correct it at the source, or decide \"null\" for the column:\n{}", bad.look)),
            ExtractError::LockWait { blockers, .. } => Report::new("source::lock-wait", message)
                .detail(if blockers.is_empty() { "The blocker is gone by now.".to_owned() } else { blockers.join("\n") })
                .hint("Wait for the statement to finish, or raise `lock_wait_max` under [source]."),
            ExtractError::Changed { changes } => Report::new("source::changed", message)
                .detail(if changes.is_empty() {
                    "Three times in a row, a statement waited for a table before everything was locked.".to_owned()
                } else {
                    format!("Three times in a row it was no more what it was when it was judged; at last:\n{}", some(changes))
                })
                .hint("Run again when the migration is done."),
            ExtractError::SnapshotLost => Report::new("source::snapshot-lost", message)
                .hint("Run again. On a standby, `hot_standby_feedback = on` or a larger `max_standby_streaming_delay` keeps sessions alive."),
            ExtractError::SnapshotTooOld { .. } => Report::new("source::snapshot-age", message)
                .hint("Raise `snapshot_max` under [source], add `workers`, or read from a replica."),
            ExtractError::Yielded { waited_s, who } => Report::new("source::yielded", message)
                .detail(format!("It waited {waited_s} s behind our ACCESS SHARE lock, and every later query behind it: {who}."))
                .hint("Run again after the migration, or set `on_blocked_ddl = \"hold\"` under [source]."),
            ExtractError::SchemaDrift { changes } => Report::new("source::schema-drift", message)
                .detail(format!("What rows are read of or by, while they were read:\n{}", some(changes)))
                .hint("Run again, or accept it with `allow_schema_drift = true` under [source]."),
            ExtractError::Truncated { .. } => Report::new("source::truncated", message),
            ExtractError::RowsMissing { .. } => Report::new("source::rows-missing", message)
                .detail("The rows were found under the same snapshot, so something removed or hid them.")
                .hint("Run again; if it stays, this is a defect of restage or of the server."),
            ExtractError::Interrupted { .. } => Report::new("run::interrupted", message),
            ExtractError::Artefact(error) => return error.reports(),
        };
        vec![report]
    }
}

/// Why everything has to stop; set once, read by every task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    /// Signal number: 2 or 15.
    Signal(i32),
    Yielded {
        waited_s: u64,
        /// Who waited, and for which table; never its statement.
        who: Arc<str>,
    },
    SnapshotLost,
    SnapshotTooOld {
        limit_s: u64,
    },
}

/// The one switch that ends a run from outside of its straight line.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    token: CancellationToken,
    reason: Arc<OnceLock<StopReason>>,
}

impl Stop {
    /// Stops the run; the first reason wins.
    pub fn stop(&self, reason: StopReason) {
        self.announce(reason);
        self.token.cancel();
    }

    /// Sets the reason before what it makes fail: from here on every error of [`Stop::race`] is told as that reason.
    pub fn announce(&self, reason: StopReason) {
        let _ = self.reason.set(reason);
    }

    /// Resolves when the run has to stop.
    pub async fn stopped(&self) -> ExtractError {
        self.token.cancelled().await;
        self.error()
    }

    /// What is cancelled when the run has to stop, for those who know nothing of runs.
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    pub fn is_stopped(&self) -> bool {
        self.reason.get().is_some()
    }

    /// The error that goes with the reason.
    pub fn error(&self) -> ExtractError {
        match self.reason.get() {
            Some(StopReason::Yielded { waited_s, who }) => {
                ExtractError::Yielded { waited_s: *waited_s, who: who.clone() }
            }
            Some(StopReason::SnapshotLost) => ExtractError::SnapshotLost,
            Some(StopReason::SnapshotTooOld { limit_s }) => ExtractError::SnapshotTooOld { limit_s: *limit_s },
            Some(StopReason::Signal(signal)) => ExtractError::Interrupted { signal: *signal },
            None => ExtractError::Interrupted { signal: 2 },
        }
    }

    /// Runs `work` until it is done or the run has to stop.
    ///
    /// # Errors
    /// The stop reason, or the error of `work`.
    pub async fn race<T, E: From<ExtractError>>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        tokio::select! {
            biased;
            error = self.stopped() => Err(error.into()),
            done = work => match done {
                Err(_) if self.is_stopped() => Err(self.error().into()),
                done => done,
            },
        }
    }
}
