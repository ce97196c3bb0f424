//! Watches what our locks and our snapshot do to the source, and lets go in time.

use super::{Settings, Stop, StopReason};
use crate::config::OnBlockedDdl;
use crate::event::Events;
use crate::pg::{Conninfo, SourceSession};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How often waiting statements are looked for.
const LOOK: Duration = Duration::from_secs(1);

/// Runs until it is dropped: ends the run when a statement has waited for our locks for the grace, or when the snapshot
/// is too old.
///
/// Only backends that wait for a lock are asked for their blockers: `pg_blocking_pids` takes every lock partition.
pub async fn watch(info: Conninfo, application: String, settings: Settings, stop: Stop, events: Events) {
    let started = Instant::now();
    let mut session: Option<SourceSession> = None;
    let mut waiting: BTreeMap<i32, Instant> = BTreeMap::new();
    let mut warned = false;
    loop {
        tokio::time::sleep(LOOK).await;
        if let Some(limit) = settings.snapshot_max
            && started.elapsed() >= limit
        {
            stop.stop(StopReason::SnapshotTooOld { limit_s: limit.as_secs() });
            return;
        }
        if session.as_ref().is_none_or(|session| session.is_closed()) {
            session = SourceSession::connect(&info, &application).await.ok();
        }
        let Some(open) = &session else { continue };
        let Ok(blocked) = blocked_by_us(open, &application).await else {
            session = None;
            continue;
        };
        waiting.retain(|pid, _| blocked.contains(pid));
        for pid in blocked {
            waiting.entry(pid).or_insert_with(Instant::now);
        }
        let Some(longest) = waiting.values().map(Instant::elapsed).max() else { continue };
        // A statement may have waited up to one look before it was first seen, and letting go takes a moment.
        let waited = longest + LOOK;
        if waited + LOOK / 2 < settings.ddl_grace {
            continue;
        }
        match settings.on_blocked_ddl {
            OnBlockedDdl::Yield => {
                stop.stop(StopReason::Yielded { waited_s: waited.as_secs() });
                return;
            }
            OnBlockedDdl::Hold => {}
            OnBlockedDdl::Warn if warned => {}
            OnBlockedDdl::Warn => {
                warned = true;
                events
                    .warn(format!("A statement on the source has waited {} s for our table locks.", waited.as_secs()));
            }
        }
    }
}

async fn blocked_by_us(session: &SourceSession, application: &str) -> Result<Vec<i32>, tokio_postgres::Error> {
    let rows = session
        .client()
        .query(
            "WITH ours AS (SELECT pg_catalog.array_agg(pid) AS pids FROM pg_catalog.pg_stat_activity \
             WHERE application_name = $1 AND usename = current_user), \
             waiting AS (SELECT DISTINCT pid FROM pg_catalog.pg_locks WHERE NOT granted AND locktype = 'relation') \
             SELECT w.pid FROM waiting w, ours WHERE NOT w.pid = ANY (ours.pids) \
             AND pg_catalog.pg_blocking_pids(w.pid) && ours.pids",
            &[&application],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
