//! Pauses the WAL replay of a dedicated standby while it is read, and never leaves it paused.
//!
//! While replay stands still no vacuum can cancel our sessions. The server itself remembers the pause, so it is also the
//! journal: a run that was killed leaves a paused standby, and the next start finds it and resumes.

use super::ExtractError;
use crate::pg::{Conninfo, SourceSession};
use std::time::{Duration, Instant};

/// Replay stops between two records; this is how long we wait for it to say that it did.
const PAUSE_WAIT: Duration = Duration::from_secs(5);
/// Tries to resume: a standby that stays paused is worse than a run that ends a little later.
const RESUME_TRIES: u32 = 5;

/// No session of a run but `$1` is connected: nobody else needs the pause. Names of applications are visible to all roles.
const NOBODY_ELSE: &str = "NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity \
     WHERE application_name ~ '^restage/[0-9]{8}t' AND application_name <> $1)";

/// A pause of ours; it has to be resumed on every path, so it is held by the straight line of the run and not by a task.
#[must_use = "replay stays paused until `resume`"]
pub struct Pause {
    info: Conninfo,
    application: String,
}

/// Asks for the pause and waits until replay stands still.
///
/// # Errors
/// The error of the server; then nothing is paused by us.
pub async fn pause(info: &Conninfo, application: &str) -> Result<Pause, ExtractError> {
    let failed = |error| ExtractError::sql("pausing WAL replay", &error);
    let session = super::snapshot::connect(info, application).await?;
    session.client().batch_execute("SELECT pg_catalog.pg_wal_replay_pause()").await.map_err(failed)?;
    let pause = Pause { info: info.clone(), application: application.to_owned() };
    // Before 14 there is only the wish, not the state.
    let state = if session.version_num() >= 140_000 {
        "SELECT pg_catalog.pg_get_wal_replay_pause_state() = 'paused'"
    } else {
        "SELECT pg_catalog.pg_is_wal_replay_paused()"
    };
    let started = Instant::now();
    while started.elapsed() < PAUSE_WAIT {
        match session.client().query_one(state, &[]).await {
            Ok(row) if row.get(0) => break,
            Ok(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(error) => {
                pause.resume().await;
                return Err(failed(error));
            }
        }
    }
    Ok(pause)
}

impl Pause {
    /// Resumes replay, unless another run reads the standby now: that one resumes it. Returns whether that was done.
    pub async fn resume(self) -> bool {
        let mut wait = Duration::from_millis(100);
        for _ in 0..RESUME_TRIES {
            if let Ok(session) = SourceSession::connect(&self.info, &self.application).await
                && resume_unless_needed(&session, &self.application).await.is_ok()
            {
                return true;
            }
            tokio::time::sleep(wait).await;
            wait *= 3;
        }
        false
    }
}

/// Resumes replay if it is paused and no run is connected: whoever paused it is dead. Returns whether it was.
///
/// # Errors
/// The error of the server.
pub async fn resume_left_behind(session: &SourceSession, application: &str) -> Result<bool, ExtractError> {
    resume_unless_needed(session, application)
        .await
        .map_err(|error| ExtractError::sql("resuming WAL replay that an earlier run left paused", &error))
}

async fn resume_unless_needed(session: &SourceSession, application: &str) -> Result<bool, tokio_postgres::Error> {
    // The functions fail on a primary, so the question comes first, in a statement of its own.
    let standby = session.client().query_one("SELECT pg_catalog.pg_is_in_recovery()", &[]).await?;
    if !standby.get::<_, bool>(0) {
        return Ok(false);
    }
    let paused = format!("SELECT pg_catalog.pg_is_wal_replay_paused() AND {NOBODY_ELSE}");
    if !session.client().query_one(&paused, &[&application]).await?.get::<_, bool>(0) {
        return Ok(false);
    }
    session.client().batch_execute("SELECT pg_catalog.pg_wal_replay_resume()").await?;
    Ok(true)
}
