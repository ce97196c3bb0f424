//! Writes the target: a new database beside the live one, schema first, rows by COPY, then indexes and keys; or a folder of
//! files.
//!
//! Nothing here touches the live database. Triggers and foreign keys do not exist while rows are loaded, so nothing ever
//! has to be disabled and a plain owner role is enough.

pub mod database;
pub mod fixture;
pub mod folder;
pub mod objects;
pub mod parquet;
pub mod post;
pub mod postgres;
pub mod roles;

use crate::artefact::columns::Fault;
use crate::error::{Diagnose, Exit, Report};
use crate::pg::{Side, SqlProblem};
use std::path::PathBuf;

/// Takes the masked rows of one table, in order.
///
/// Called by one task at a time, once per unit. It may wait: that is what slows the source down. After an error no more
/// units come, and what was written does not count.
pub trait Sink: Send {
    fn write(&mut self, unit: postgres::Unit) -> impl Future<Output = Result<(), LoadError>> + Send;
}

#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("the target refused a connection")]
    Connect(Box<Report>),
    #[error("the target failed while {what}")]
    Sql { what: String, problem: SqlProblem },
    #[error("the target failed while {what}: rows of the source break {constraint}")]
    Broken {
        what: String,
        table: String,
        constraint: String,
        /// How many; none if they could not be counted.
        rows: Option<i64>,
        /// Shows them at the source.
        look: String,
        /// Makes the constraint one that was never checked, which the copy then has too.
        repair: String,
        problem: SqlProblem,
    },
    #[error("row counts of {table} differ: the source sent {source_rows}, the target stored {target_rows}")]
    Counts { table: String, source_rows: u64, target_rows: u64 },
    #[error("another run refreshes \"{database}\" now")]
    Busy { database: String },
    #[error("the session that held the lock of \"{database}\" ended")]
    LockLost { database: String },
    #[error("hook {what} failed")]
    Hook { what: String, detail: String },
    #[error("the database names made from \"{database}\" would be too long")]
    NameTooLong { database: String, max: usize },
    #[error("the target does not have {} roles that grants and policies of the source name", roles.len())]
    MissingRoles { roles: Vec<String> },
    #[error("{} cannot be written", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("{} is there already", place.display())]
    Exists { place: PathBuf, detail: String },
    #[error("another run writes to {} now", place.display())]
    Writing { place: PathBuf },
    #[error("the rows of {table} cannot be written")]
    Fault { table: String, column: Option<String>, fault: Fault },
    #[error("{table} is too large for a fixture")]
    TooLarge { table: String, budget_bytes: u64 },
}

impl LoadError {
    pub fn sql(what: impl Into<String>, error: &tokio_postgres::Error) -> Self {
        Self::Sql { what: what.into(), problem: crate::pg::sql_error(error) }
    }

    /// The unit may be written again: the connection died or the server restarted.
    pub fn is_transient(&self) -> bool {
        matches!(self, LoadError::Sql { problem, .. } if problem.is_transient())
    }
}

impl Diagnose for LoadError {
    fn exit(&self) -> Exit {
        match self {
            LoadError::Busy { .. } | LoadError::Writing { .. } => Exit::Busy,
            LoadError::Exists { .. } => Exit::Usage,
            LoadError::TooLarge { .. } => Exit::Refused,
            LoadError::Fault { .. } => Exit::Source,
            LoadError::NameTooLong { .. } | LoadError::MissingRoles { .. } => Exit::Refused,
            _ => Exit::Target,
        }
    }

    fn reports(&self) -> Vec<Report> {
        let message = self.to_string();
        let report = match self {
            LoadError::Connect(report) => (**report).clone(),
            LoadError::Sql { problem, .. } => {
                let mut report = problem.report(Side::Target, message);
                if let Some(hint) = hint(problem) {
                    report = report.hint(hint);
                }
                report
            }
            LoadError::Broken { table, constraint, rows, look, repair, problem, .. } => {
                let rows = match rows {
                    Some(1) => "1 row breaks it".to_owned(),
                    Some(rows) => format!("{rows} rows break it"),
                    None => "Rows break it".to_owned(),
                };
                Report::new("target::broken-constraint", message)
                    .detail(format!(
                        "{problem}\n{rows}. \"{table}\" has it, but its rows were written past it (session_replication_role, disabled triggers), or its columns are not what it compares now."
                    ))
                    .hint(format!(
                        "See them at the source, and repair them there:\n{look}\nOr make {constraint} one that old rows need not keep; the copy takes it over:\n{repair}"
                    ))
            }
            LoadError::Counts { .. } => Report::new("target::row-count", message)
                .hint("A rule or trigger on the target table, or a damaged connection. Nothing was published."),
            LoadError::Busy { .. } => Report::new("target::busy", message)
                .state("Nothing was read from the source or written to the target.")
                .hint("Wait for it to end. The lock goes with its session: `SELECT pid FROM pg_locks WHERE locktype = 'advisory'` in the maintenance database names it."),
            LoadError::LockLost { .. } => Report::new("target::connection-lost", message)
                .detail("The target server restarted, or somebody ended our sessions.")
                .hint("Run again when the target is back."),
            LoadError::Hook { detail, .. } => Report::new("target::hook", message)
                .detail(detail.clone())
                .hint("Correct it under [[hook]] and run again; what a program printed stands above."),
            LoadError::NameTooLong { max, .. } => Report::new("plan::name-too-long", message)
                .detail(format!("PostgreSQL cuts names at {} bytes; the longest name with room for a run id has {max}.", crate::release::NAME_MAX))
                .hint("Give the live database a shorter name."),
            LoadError::MissingRoles { roles } => {
                let create: Vec<String> =
                    roles.iter().map(|role| format!("CREATE ROLE {} NOLOGIN;", crate::pg::quote_ident(role))).collect();
                Report::new("plan::missing-roles", message).hint(format!(
                    "{}\nOr map them under [target.roles], or set `missing_roles = \"skip\"` under [target].",
                    create.join("\n")
                ))
            }
            LoadError::File { source, .. } => Report::new("files::write", message).detail(format!("{source}.")),
            LoadError::Exists { detail, .. } => {
                Report::new("files::exists", message).detail(detail.clone()).hint("Name another folder, or move this one away.")
            }
            LoadError::Writing { .. } => Report::new("files::busy", message).hint("Wait for it to end."),
            LoadError::Fault { column, fault, .. } => {
                let place = column.as_ref().map(|column| format!("Column \"{column}\": ")).unwrap_or_default();
                Report::new("files::row", message)
                    .detail(format!("{place}{fault}."))
                    .hint("Set `assume_encoding` under [source] if the source database is SQL_ASCII.")
            }
            LoadError::TooLarge { budget_bytes, .. } => Report::new("files::too-large", message)
                .detail(format!(
                    "Its masked rows take more than the {} MiB that --memory leaves for them: a fixture is sorted in memory, and meant to be small.",
                    budget_bytes >> 20
                ))
                .hint("Leave rows out:\n[tables.\"schema.table\"]\nrows = { limit = 50 }\nor write everything with `restage snapshot --out DIR`, which needs no order."),
        };
        vec![report]
    }
}

fn hint(problem: &SqlProblem) -> Option<String> {
    // What restage notes there is its own, and no mask is in it.
    if problem.schema.as_deref() == Some("restage") {
        return None;
    }
    Some(match problem.sqlstate.as_str() {
        "53100" => "The target's disk is full. Free space (a previous release: `restage releases`) and run again.".into(),
        "23505" => "Two masked values are equal. Under `email`, `username`, `uuid`, `ip` or `mac` the source holds spellings of one value (case, spaces around it, a dot at its end, full-width letters): make them one at the source, or decide `pattern`, which gives every spelling its own mask; for case alone `fold = false` is enough. Under `pattern` the index is over an expression, such as lower(), that makes different masks equal: choose a kind whose masks are lower case, such as `email` or `hash`.".into(),
        // A violated CHECK is named; what fits no partition has a table only.
        "23514" if problem.constraint.is_none() && problem.table.is_some() => "A masked partition key fits no partition. Keep the column, or add a DEFAULT partition at the source.".into(),
        "23514" => "A masked value breaks the CHECK constraint. Choose a kind that fits it; `restage explain` shows the column's decision.".into(),
        "25006" => "The target is read-only: a standby, or `default_transaction_read_only = on`. Point [target] at the primary.".into(),
        "42501" => "The target role lacks a right. `restage doctor` prints the GRANT to paste.".into(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_restage_notes_itself_is_not_called_a_mask() {
        let of = |schema: &str| SqlProblem {
            sqlstate: "23505".to_owned(),
            schema: Some(schema.to_owned()),
            table: Some("chunk".to_owned()),
            ..SqlProblem::default()
        };
        assert_eq!(hint(&of("restage")), None);
        assert!(hint(&of("public")).is_some_and(|hint| hint.starts_with("Two masked values are equal")));
    }
}
