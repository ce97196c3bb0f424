//! What comes after a run, whatever came of it: the report, and the manifest of what was published.

use super::Context;
use crate::error::{Exit, Failure};
use crate::manifest::sign::Signer;
use crate::manifest::{self, FileHash, Manifest, ManifestError};
use crate::outcome::{Ledger, RefreshOutcome, RunRecord};
use crate::refresh::{Job, Sealing};
use crate::report;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What is kept of a job until its run is over.
pub(super) struct AfterRun {
    pub ledger: Ledger,
    /// Told before the run.
    pub warnings: Vec<String>,
    /// None: no report is written.
    pub report_dir: Option<PathBuf>,
    pub sealing: Option<Sealing>,
    pub signer: Option<Signer>,
}

impl AfterRun {
    pub fn of(job: &Job, warnings: Vec<String>) -> Self {
        let sealing = job.target.as_ref().map(|target| Sealing {
            info: target.clone(),
            application: job.application(),
            owner: job.owner.clone(),
        });
        let (ledger, report_dir) = (job.ledger.clone(), job.report_dir.clone());
        Self { ledger, warnings, report_dir, sealing, signer: job.signer.clone() }
    }

    /// Adds what was told before the run, and writes the report: of a success, a refusal and a failure alike; and the
    /// manifest, if there is a database it describes.
    ///
    /// # Errors
    /// The failure of the run, as it was given. A report that cannot be written is a warning.
    pub async fn report(
        self,
        context: &Context,
        result: Result<RefreshOutcome, Failure>,
    ) -> Result<RefreshOutcome, Failure> {
        let record = self.ledger.read();
        match result {
            Ok(mut outcome) => {
                outcome.warnings.splice(0..0, self.warnings.iter().cloned());
                let Some(folder) = self.report_dir.clone() else { return Ok(outcome) };
                outcome.report_dir = Some(folder.display().to_string());
                if let Err(error) = report::write(&folder, &record, &outcome, self.ledger.elapsed_ms()) {
                    outcome.report_dir = None;
                    outcome.warnings.push(unwritable(&folder, &error));
                    return Ok(outcome);
                }
                self.seal(&folder, &record, &mut outcome).await;
                Ok(outcome)
            }
            // The run that holds the lock writes one.
            Err(failure) if failure.exit == Exit::Busy => Err(failure),
            Err(failure) => {
                let Some(folder) = self.report_dir else { return Err(failure) };
                let mut outcome = report::failed(&record, &failure);
                outcome.warnings = self.warnings;
                outcome.warnings.extend(context.events.take_warnings());
                outcome.report_dir = Some(folder.display().to_string());
                match report::write(&folder, &record, &outcome, self.ledger.elapsed_ms()) {
                    Ok(()) => context.events.note(format!("the report is in {}", folder.display())),
                    Err(error) => context.events.warn(unwritable(&folder, &error)),
                }
                Err(failure)
            }
        }
    }

    /// Writes the manifest of the database that was loaded, and tells it to the database. What fails is told, and the run
    /// then ends as one that was published and not all done.
    async fn seal(&self, folder: &Path, record: &RunRecord, outcome: &mut RefreshOutcome) {
        let database = outcome.published.clone().or_else(|| outcome.aside.clone());
        let (Some(database), Some(sealing)) = (database, &self.sealing) else { return };
        let sealed = async {
            let manifest = Manifest { signed: self.signer.is_some(), ..manifest_of(folder, record, outcome)? };
            let bytes = manifest.to_bytes();
            let signature = match self.signer.clone() {
                Some(signer) => {
                    let message = bytes.clone();
                    // A program may take its time.
                    let signed = tokio::task::spawn_blocking(move || signer.sign(&message)).await;
                    let stopped = |_| ManifestError::Sign { detail: "Signing was stopped.".to_owned() };
                    Some(signed.map_err(stopped)??)
                }
                None => None,
            };
            let hash = manifest::write(folder, signature.as_deref(), &bytes)?;
            sealing.tell(&database, &hash).await?;
            Ok::<(), Failure>(())
        };
        let Err(failure) = sealed.await else { return };
        let state = format!("\"{database}\" is whole; it has no manifest.");
        outcome.problems.extend(failure.with_state(&state).reports);
        if outcome.exit == Exit::Done {
            outcome.exit = Exit::AfterPublish;
        }
        if let Err(error) = report::write(folder, record, outcome, self.ledger.elapsed_ms()) {
            outcome.warnings.push(unwritable(folder, &error));
        }
    }
}

fn unwritable(folder: &Path, error: &std::io::Error) -> String {
    format!("The report could not be written to {}: {error}", folder.display())
}

fn manifest_of(folder: &Path, record: &RunRecord, outcome: &RefreshOutcome) -> Result<Manifest, ManifestError> {
    let mut files = BTreeMap::new();
    for name in report::FILES {
        let path = folder.join(name);
        let bytes = std::fs::read(&path).map_err(|source| ManifestError::Read { path, source })?;
        files.insert(name.to_owned(), FileHash::of(&bytes));
    }
    Ok(Manifest {
        restage_manifest: manifest::VERSION,
        run: outcome.run.clone(),
        release: outcome.release.clone(),
        source: outcome.source.clone(),
        target: outcome.target.clone(),
        snapshot_lsn: outcome.snapshot_lsn.clone(),
        snapshot_time: outcome.snapshot_time.clone(),
        tool: record.by.tool_version.clone(),
        mask_version: record.by.mask_version,
        realm: record.by.realm.clone(),
        key_id: record.by.key_id.clone(),
        config: record.by.config_hash.clone(),
        lock: record.by.lock_hash.clone(),
        plan: record.plan_hash.clone(),
        server_major: record.server_major,
        previous: record.previous.clone(),
        signed: false,
        tables: record.contents.clone(),
        files,
    })
}
