//! What every run does that reads a source: the clock, the snapshot, definitions, the pipeline.

use super::Job;
use super::at_source::definitions_now;
use crate::buffers::Buffers;
use crate::catalog::{self, Catalog, Change, Use};
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

/// The source as it was judged, and the tools that read its definitions.
pub(super) struct Judged<'a> {
    pub catalog: &'a Catalog,
    pub plan: &'a Plan,
    pub objects: &'a Objects,
    pub tools: &'a Tools,
}

/// Fails if anything that rows are read of or by changed since it was judged, and tells what else did. See
/// [`catalog::changes`].
pub(super) async fn no_drift(job: &Job, read: &Catalog, plan: &Plan, events: &Events) -> Result<(), Failure> {
    if job.allow_schema_drift {
        return Ok(());
    }
    let now = definitions_now(job).await?;
    let (stops, rest): (Vec<Change>, Vec<Change>) =
        catalog::changes(read, &now, &plan.uses()).into_iter().partition(|change| change.stops);
    if !stops.is_empty() {
        return Err(ExtractError::SchemaDrift { changes: names(stops) }.into());
    }
    for change in names(rest) {
        events.note(format!("{change} at the source meanwhile; the copy is as of the snapshot"));
    }
    Ok(())
}

fn names(changes: Vec<Change>) -> Vec<String> {
    changes.into_iter().map(|change| change.what).collect()
}

/// Takes a snapshot under which everything is what it was when it was judged, and reads the definitions that it shows; else
/// says what is not, if anything.
///
/// Definitions are read twice: as they are, to be judged, and under the snapshot, to be copied. What pg_dump prints is only
/// in part what the snapshot shows, the rest is what is there at that moment. So the two texts are compared, whatever the
/// catalog says: what was not judged, down to a comment, is not copied. Rows are read by what is there as well; their
/// tables are locked by now, and the catalog, read after that, has to say that they are still the ones that were judged.
/// From here on only what [`catalog::changes`] calls a reason to stop can make a difference: all definitions that will be
/// copied are here.
///
/// pg_dump locks all tables like we do, so it runs at once: later, a statement that waits for our locks may stand in its way.
pub(super) async fn take_snapshot(
    job: &Job,
    judged: Judged<'_>,
    stop: &Stop,
) -> Result<Result<(Snapshot, Objects), Vec<String>>, Failure> {
    let Judged { catalog: read, plan, objects: known, tools } = judged;
    let snapshot = match Snapshot::take(&job.source, &job.application(), &job.extract, plan, stop).await {
        Err(error) if error.is_missing() => {
            return Ok(Err(names(catalog::changes(read, &definitions_now(job).await?, &plan.uses()))));
        }
        taken => taken?,
    };
    let id = snapshot.ids().get().ok_or(ExtractError::SnapshotLost)?;
    let environment = job.source.child_environment_named(&job.application());
    let (changed, now, objects) =
        tokio::join!(snapshot.changed_tables(plan), definitions_now(job), tools.read(&environment, Some(&id)));
    let rewritten = changed?.into_iter().map(|table| format!("table {table} was truncated or rewritten"));
    let redefined = catalog::changes(read, &now?, &plan.uses()).into_iter().filter(|change| change.stops);
    let mut changes: Vec<String> = rewritten.chain(names(redefined.collect())).collect();
    match objects {
        Ok(objects) => {
            let otherwise = known.differences(&objects);
            changes.extend(otherwise.into_iter().map(|label| format!("{label} is defined otherwise")));
            if changes.is_empty() {
                return Ok(Ok((snapshot, objects)));
            }
        }
        // Whoever is in its way waits for us; and what was dropped under its hands makes it fail.
        Err(error) if error.is_locked() || !changes.is_empty() => {}
        Err(error) => {
            let later = catalog::changes(read, &definitions_now(job).await?, &Use { asked: true, ..Use::default() });
            if later.is_empty() {
                return Err(error.into());
            }
            changes = names(later);
        }
    }
    snapshot.release().await;
    Ok(Err(changes))
}

pub(super) fn now_text() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
