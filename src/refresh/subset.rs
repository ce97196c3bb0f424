//! Where the run meets the subset: which rows, before any of them is read.

use super::Job;
use super::prepare::{NOTHING, connect_source};
use super::reading::Clock;
use crate::error::{Diagnose as _, Failure, Report};
use crate::event::{Events, Phase, Unit};
use crate::extract::ExtractError;
use crate::extract::snapshot::{self, Snapshot};
use crate::outcome::units::{many, plural};
use crate::pg::SourceSession;
use crate::plan::Plan;
use crate::subset::{self, BATCH_ROWS, Request, Selection, Sessions, Step, SubsetError};
use std::time::Duration;

/// Longest that `plan` counts a subset.
pub const COUNT_MAX: Duration = Duration::from_secs(60);

/// Finds the rows of the plan's subset under the snapshot; none without `[subset]`.
///
/// # Errors
/// The subset is refused, or the source failed.
async fn select(job: &Job, plan: &Plan, snapshot: &Snapshot) -> Result<Option<Selection>, Failure> {
    let Some(chosen) = &plan.subset else { return Ok(None) };
    let sessions = Sessions::under(snapshot);
    let request = Request {
        plan: chosen,
        key: &job.key,
        workers: job.plan.workers,
        batch_rows: BATCH_ROWS,
        required: Vec::new(),
    };
    let selection = subset::select(&sessions, &request).await.map_err(failure);
    sessions.close();
    Ok(Some(selection?))
}

/// Narrows a plan to the rows of its subset, if it has one.
///
/// # Errors
/// As [`select`].
pub(super) async fn narrow(
    job: &Job,
    plan: &mut Plan,
    snapshot: &Snapshot,
    events: &Events,
    clock: &mut Clock,
) -> Result<(), Failure> {
    if plan.subset.is_none() {
        return Ok(());
    }
    events.started(Phase::Subset, None, Unit::Items);
    let Some(selection) = select(job, plan, snapshot).await? else { return Ok(()) };
    selection.apply(plan);
    for dangled in selection.dangling.iter().filter(|dangled| dangled.rows > 0) {
        let what = if dangled.nulled { "they are NULL in the copy" } else { "they are copied as they are" };
        events.warn(format!("{} points nowhere in {}; {what}", dangled.reference, plural(dangled.rows, "row")));
    }
    for absent in &selection.coverage.absent {
        events.note(format!("no row of the source shows {absent}"));
    }
    let tables = selection.tables.iter().filter(|table| table.rows > 0).count();
    clock.done(
        Phase::Subset,
        format!("{} of {}, {} of them seeds", plural(selection.rows(), "row"), many(tables, "table"), selection.seeded),
    );
    Ok(())
}

fn failure(error: SubsetError) -> Failure {
    Failure { exit: error.exit(), reports: error.reports() }
}

/// What counting a subset for `plan` came to.
pub enum Counted {
    /// There is no `[subset]`.
    Everything,
    Rows(Box<Selection>),
    Refused(Vec<Report>),
    /// It would take longer than [`COUNT_MAX`].
    OutOfTime,
}

/// Counts the rows of a subset as of now, in one session and for a limited time.
///
/// # Errors
/// The source cannot be reached, or failed.
pub async fn count(job: &Job, plan: &Plan) -> Result<Counted, Failure> {
    let Some(chosen) = &plan.subset else { return Ok(Counted::Everything) };
    let sessions = Sessions::alone(limited_session(job).await?);
    let request = Request { plan: chosen, key: &job.key, workers: 1, batch_rows: BATCH_ROWS, required: Vec::new() };
    let counted = tokio::time::timeout(COUNT_MAX, subset::select(&sessions, &request)).await;
    sessions.close();
    match counted {
        Err(_) => Ok(Counted::OutOfTime),
        Ok(Err(error)) if is_out_of_time(&error) => Ok(Counted::OutOfTime),
        Ok(Err(SubsetError::Extract(error))) => Err(Failure::from(error).with_state(NOTHING)),
        Ok(Err(error)) => Ok(Counted::Refused(failure(error).with_state(COUNTED).reports)),
        Ok(Ok(selection)) => Ok(Counted::Rows(Box::new(selection))),
    }
}

const COUNTED: &str = "Rows were only counted at the source; nothing was written to the target.";

/// Tells why a row is in the subset.
///
/// # Errors
/// There is no subset or no such row, or the source failed.
pub async fn trace(job: &Job, plan: &Plan, table: &str, key: &[String]) -> Result<Option<Vec<Step>>, Failure> {
    let Some(chosen) = &plan.subset else {
        let report = Report::new("usage::no-subset", "the configuration has no [subset]: every row is copied");
        return Err(Failure::new(crate::error::Exit::Usage, report));
    };
    let sessions = Sessions::alone(limited_session(job).await?);
    let request = Request { plan: chosen, key: &job.key, workers: 1, batch_rows: BATCH_ROWS, required: Vec::new() };
    let path = subset::path(&sessions, &request, table, key).await;
    sessions.close();
    path.map_err(|error| failure(error).with_state(COUNTED))
}

/// A session whose statements end before a person gives up waiting.
async fn limited_session(job: &Job) -> Result<SourceSession, Failure> {
    let session = connect_source(job).await?;
    snapshot::begin(&session, None).await?;
    let limit = format!("SET LOCAL statement_timeout = {}", COUNT_MAX.as_millis());
    let set = session.client().batch_execute(&limit).await;
    set.map_err(|error| ExtractError::sql("limiting the time of a question", &error))?;
    Ok(session)
}

/// The server ended a statement for its time.
fn is_out_of_time(error: &SubsetError) -> bool {
    matches!(error, SubsetError::Extract(ExtractError::Sql { problem, .. }) if problem.sqlstate == "57014")
}
