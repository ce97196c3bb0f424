//! Watches what our locks do to the source, and lets go in time.

use super::{Settings, Stop, StopReason};
use crate::config::OnBlockedDdl;
use crate::event::Events;
use crate::pg::{Conninfo, SourceSession};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// How often waiting statements are looked for.
const LOOK: Duration = Duration::from_secs(1);
/// And how often once one waits: at the next look after this one the grace must not be over.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// The watcher, running; dropping it ends it.
pub struct Watcher(JoinHandle<()>);

impl Watcher {
    pub fn start(info: &Conninfo, application: String, settings: &Settings, stop: &Stop, events: &Events) -> Self {
        Self(tokio::spawn(watch(info.clone(), application, settings.clone(), stop.clone(), events.clone())))
    }

    /// Ends it although it is still owned.
    pub fn end(&self) {
        self.0.abort();
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.end();
    }
}

/// Runs until it is dropped: ends the run when a statement has waited for our locks for the grace.
///
/// Only backends that wait for a lock are asked for their blockers: `pg_blocking_pids` takes every lock partition.
async fn watch(info: Conninfo, application: String, settings: Settings, stop: Stop, events: Events) {
    let mut session: Option<SourceSession> = None;
    let mut waiting: BTreeMap<i32, (Instant, String)> = BTreeMap::new();
    let mut warned = false;
    loop {
        tokio::time::sleep(if waiting.is_empty() { LOOK } else { LOOK_AGAIN }).await;
        if session.as_ref().is_none_or(|session| session.is_closed()) {
            session = SourceSession::connect(&info, &application).await.ok();
        }
        let Some(open) = &session else { continue };
        let Ok(blocked) = blocked_by_us(open, &application).await else {
            session = None;
            continue;
        };
        waiting.retain(|pid, _| blocked.iter().any(|(blocked, _)| blocked == pid));
        for (pid, who) in blocked {
            waiting.entry(pid).or_insert_with(|| (Instant::now(), who));
        }
        let Some((since, who)) = waiting.values().min_by_key(|(since, _)| *since) else { continue };
        // A statement may have waited up to one look before it was first seen, and letting go takes a moment.
        let waited = since.elapsed() + LOOK;
        if waited + LOOK / 2 < settings.ddl_grace {
            continue;
        }
        // On a standby the one that waits is replay itself, which ends our sessions in its own time.
        let default = if open.in_recovery() { OnBlockedDdl::Hold } else { OnBlockedDdl::Yield };
        match settings.on_blocked_ddl.unwrap_or(default) {
            OnBlockedDdl::Yield => {
                // The run ends when it is stopped, and this task with it, so the sessions go first.
                let reason = StopReason::Yielded { waited_s: waited.as_secs(), who: who.as_str().into() };
                stop.announce(reason.clone());
                end_ours(open, &application).await;
                stop.stop(reason);
                return;
            }
            OnBlockedDdl::Hold => {}
            OnBlockedDdl::Warn if warned => {}
            OnBlockedDdl::Warn => {
                warned = true;
                let waited = waited.as_secs();
                events.warn(format!("A statement on the source has waited {waited} s for our table locks: {who}."));
            }
        }
    }
}

/// Ends all other sessions of the run on the source at once, pg_dump's too: a backend that sends nothing would notice only
/// after `client_connection_check_interval` that nobody listens any more.
async fn end_ours(session: &SourceSession, application: &str) {
    let _ = session
        .client()
        .query(
            "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity \
             WHERE application_name = $1 AND usename = current_user AND datname = pg_catalog.current_database() \
             AND pid <> pg_catalog.pg_backend_pid()",
            &[&application],
        )
        .await;
}

/// Backends that wait for us, and who each is, as far as everybody may see it: never its statement.
async fn blocked_by_us(
    session: &SourceSession,
    application: &str,
) -> Result<Vec<(i32, String)>, tokio_postgres::Error> {
    let rows = session
        .client()
        .query(
            "WITH ours AS (SELECT pg_catalog.array_agg(pid) AS pids FROM pg_catalog.pg_stat_activity \
             WHERE application_name = $1 AND usename = current_user), \
             waiting AS (SELECT DISTINCT ON (pid) pid, relation FROM pg_catalog.pg_locks WHERE NOT granted AND \
             locktype = 'relation') \
             SELECT w.pid, pg_catalog.format('backend %s (user %s, application %s) for %s', w.pid, \
             coalesce(a.usename::text, '?'), coalesce(nullif(a.application_name, ''), '?'), \
             coalesce(c.relname::text, '?')) \
             FROM ours, waiting w LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = w.pid \
             LEFT JOIN pg_catalog.pg_class c ON c.oid = w.relation \
             WHERE NOT w.pid = ANY (ours.pids) AND pg_catalog.pg_blocking_pids(w.pid) && ours.pids",
            &[&application],
        )
        .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}
