//! What every run does that reads a source: the clock, the snapshot, definitions, the pipeline.

use super::Job;
use super::at_source::definitions_now;
use crate::buffers::Buffers;
use crate::catalog::{self, Catalog};
use crate::error::{Exit, Failure, Report};
use crate::event::{Events, Phase};
use crate::extract::postgres::Reader;
use crate::extract::snapshot::Snapshot;
use crate::extract::{ExtractError, Source, Stop};
use crate::load::objects::{Objects, Tools};
use crate::outcome::{Ledger, PhaseTime};
use crate::pipeline::{Budget, Pipeline};
use crate::plan::Plan;
use std::time::Instant;

/// How often a snapshot is taken anew because tables were truncated or rewritten under it.
pub(super) const SNAPSHOT_TRIES: usize = 3;

/// Times phases and tells their end.
pub(super) struct Clock {
    events: Events,
    ledger: Ledger,
    pub began: Instant,
    last: Instant,
    pub times: Vec<PhaseTime>,
}

impl Clock {
    pub fn new(events: Events, ledger: Ledger, began: Instant) -> Self {
        Self { events, ledger, began, last: began, times: Vec::new() }
    }

    /// Leaves the time since the last phase to none.
    pub fn skip(&mut self) {
        self.last = Instant::now();
    }

    pub fn done(&mut self, phase: Phase, note: impl Into<String>) {
        self.times.push(PhaseTime { phase, ms: self.last.elapsed().as_millis() as u64 });
        self.ledger.phase(phase, self.last);
        self.last = Instant::now();
        self.events.done(phase, note);
    }
}

/// What masks rows and moves them.
pub(super) fn pipeline(job: &Job, events: &Events, stop: &Stop) -> Result<Pipeline, Failure> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(job.threads)
        .thread_name(|index| format!("mask-{index}"))
        .build()
        .map_err(|error| Failure::new(Exit::Internal, Report::new("internal::threads", error.to_string())))?;
    Ok(Pipeline {
        pool,
        buffers: Buffers::default(),
        budget: Budget::new(job.budget_bytes),
        events: events.clone(),
        stop: stop.clone(),
        run: job.run.to_string(),
    })
}

/// The source server under a snapshot.
pub(super) fn server(job: &Job, pipeline: &Pipeline, snapshot: &Snapshot) -> Source {
    let (buffers, stop) = (pipeline.buffers.clone(), pipeline.stop.clone());
    Source::Server(Box::new(Reader::new(snapshot.ids(), job.extract.rate_max, buffers, stop)))
}

/// Fails if a definition changed since the catalog was read.
pub(super) async fn no_drift(job: &Job, read: &Catalog) -> Result<(), Failure> {
    if job.allow_schema_drift {
        return Ok(());
    }
    let now = definitions_now(job).await?;
    if now.digest != read.digest {
        return Err(ExtractError::SchemaDrift { changes: catalog::changes(read, &now) }.into());
    }
    Ok(())
}

/// Takes a snapshot under which every planned table is what it was when it was planned, and reads the definitions that it
/// shows; else says which tables are not, if any.
///
/// pg_dump locks all tables like we do, so it runs at once: later, a statement that waits for our locks may stand in its way.
pub(super) async fn take_snapshot(
    job: &Job,
    (plan, tools): (&Plan, &Tools),
    digest: &str,
    stop: &Stop,
) -> Result<Result<(Snapshot, Objects), Vec<String>>, Failure> {
    let snapshot = Snapshot::take(&job.source, &job.application(), &job.extract, plan, stop).await?;
    let id = snapshot.ids().get().ok_or(ExtractError::SnapshotLost)?;
    let environment = job.source.child_environment_named(&job.application());
    let (changed, now, objects) =
        tokio::join!(snapshot.changed_tables(plan), definitions_now(job), tools.read(&environment, Some(&id)));
    let changed = changed?;
    if changed.is_empty() && now?.digest == digest {
        match objects {
            Ok(objects) => return Ok(Ok((snapshot, objects))),
            // Whoever is in its way waits for us.
            Err(error) if error.is_locked() => {}
            Err(error) => return Err(error.into()),
        }
    }
    snapshot.release().await;
    Ok(Err(changed))
}

pub(super) fn now_text() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
