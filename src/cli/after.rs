//! What comes after a run, whatever came of it: the report.

use super::Context;
use crate::error::{Exit, Failure};
use crate::outcome::{Ledger, RefreshOutcome};
use crate::refresh::Job;
use crate::report;
use std::path::PathBuf;

/// What is kept of a job until its run is over.
pub(super) struct AfterRun {
    pub ledger: Ledger,
    /// Told before the run.
    pub warnings: Vec<String>,
    /// None: no report is written.
    pub report_dir: Option<PathBuf>,
}

impl AfterRun {
    pub fn of(job: &Job, warnings: Vec<String>) -> Self {
        Self { ledger: job.ledger.clone(), warnings, report_dir: job.report_dir.clone() }
    }

    /// Adds what was told before the run, and writes the report: of a success, a refusal and a failure alike.
    ///
    /// # Errors
    /// The failure of the run, as it was given. A report that cannot be written is a warning.
    pub fn report(self, context: &Context, result: Result<RefreshOutcome, Failure>) -> Result<RefreshOutcome, Failure> {
        let Self { ledger, warnings, report_dir } = self;
        let record = ledger.read();
        match result {
            Ok(mut outcome) => {
                outcome.warnings.splice(0..0, warnings);
                let Some(folder) = report_dir else { return Ok(outcome) };
                outcome.report_dir = Some(folder.display().to_string());
                if let Err(error) = report::write(&folder, &record, &outcome, ledger.elapsed_ms()) {
                    outcome.report_dir = None;
                    outcome.warnings.push(format!("The report could not be written to {}: {error}", folder.display()));
                }
                Ok(outcome)
            }
            // The run that holds the lock writes one.
            Err(failure) if failure.exit == Exit::Busy => Err(failure),
            Err(failure) => {
                let Some(folder) = report_dir else { return Err(failure) };
                let mut outcome = report::failed(&record, &failure);
                outcome.warnings = warnings;
                outcome.warnings.extend(context.events.take_warnings());
                outcome.report_dir = Some(folder.display().to_string());
                match report::write(&folder, &record, &outcome, ledger.elapsed_ms()) {
                    Ok(()) => context.events.note(format!("the report is in {}", folder.display())),
                    Err(error) => {
                        context
                            .events
                            .warn(format!("The report could not be written to {}: {error}", folder.display()));
                    }
                }
                Err(failure)
            }
        }
    }
}
