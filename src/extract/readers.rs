//! The sessions that read: each holds the snapshot and the lock on every table from the start.
//!
//! A statement that waits for ACCESS EXCLUSIVE on a table blocks every later query on it, also ours, and it waits for our
//! keepers: a session that asked for its lock only when it reads would wait for the statement, and both for ever. Whoever
//! holds a lock already is not queued. So the sessions that will read lock everything before anything can queue, and keep
//! their transaction while they go from chunk to chunk; what a chunk locks beside (indexes) goes with its savepoint.

use super::ExtractError;
use crate::pg::SourceSession;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Opens what is undone after each use: locks on indexes, and settings.
const OPEN: &str = "SAVEPOINT restage_chunk";
const UNDO: &str = "ROLLBACK TO SAVEPOINT restage_chunk";
/// Sessions that hold locks beside the readers: two keepers and pg_dump.
const OTHERS: u64 = 3;

/// How many sessions may lock all of `tables` (POSTGRES section 3): the server has room for `slots` locks and for twice as
/// many holders, and half of that is left to production. At least one.
pub(super) fn fitting(wanted: usize, tables: usize, slots: u64) -> usize {
    let sessions = slots / (tables as u64).max(1);
    let room = usize::try_from(sessions.saturating_sub(OTHERS)).unwrap_or(usize::MAX);
    wanted.min(room).max(1)
}

/// Reading sessions of one snapshot that nobody uses now.
pub(super) struct Readers {
    /// None: the source was let go.
    idle: Mutex<Option<VecDeque<SourceSession>>>,
    room: Arc<Semaphore>,
}

/// A session in use; its place is free for another one when this is dropped.
pub struct Lease {
    session: SourceSession,
    _place: OwnedSemaphorePermit,
}

impl Lease {
    pub fn session(&self) -> &SourceSession {
        &self.session
    }
}

impl Readers {
    /// Takes sessions that hold the snapshot and their locks; as many may be in use at a time, one at least.
    ///
    /// # Errors
    /// The error of the server.
    pub(super) async fn new(sessions: Vec<SourceSession>) -> Result<Self, ExtractError> {
        let room = Arc::new(Semaphore::new(sessions.len().max(1)));
        for session in &sessions {
            run(session, OPEN).await?;
        }
        Ok(Self { idle: Mutex::new(Some(sessions.into())), room })
    }

    /// Waits for a session that is free. `open` makes another one in place of one that died: it has the snapshot, but its
    /// locks it takes when it reads.
    ///
    /// # Errors
    /// That of `open`.
    pub(super) async fn take(
        &self,
        open: impl Future<Output = Result<SourceSession, ExtractError>>,
    ) -> Result<Lease, ExtractError> {
        let place = Arc::clone(&self.room).acquire_owned().await.expect("nobody closes the semaphore");
        // Those that rested longest come first, so that none is silent for so long that a firewall forgets it.
        while let Some(session) = self.next() {
            if !session.is_closed() {
                return Ok(Lease { session, _place: place });
            }
        }
        let session = open.await?;
        run(&session, OPEN).await?;
        Ok(Lease { session, _place: place })
    }

    fn next(&self) -> Option<SourceSession> {
        self.idle.lock().expect("no holder panics").as_mut()?.pop_front()
    }

    /// Gives a session back whose work succeeded; any other one is to be dropped.
    ///
    /// # Errors
    /// The error of the server: the session is gone.
    pub(super) async fn give(&self, lease: Lease) -> Result<(), ExtractError> {
        run(&lease.session, UNDO).await?;
        if let Some(idle) = self.idle.lock().expect("no holder panics").as_mut() {
            idle.push_back(lease.session);
        }
        Ok(())
    }

    /// Ends all sessions that are not in use, and those in use when they come back.
    pub(super) fn close(&self) {
        *self.idle.lock().expect("no holder panics") = None;
    }
}

async fn run(session: &SourceSession, sql: &str) -> Result<(), ExtractError> {
    session.client().batch_execute(sql).await.map_err(|error| ExtractError::sql("reading under the snapshot", &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_are_as_many_as_the_lock_table_holds_and_one_at_least() {
        // The default of PostgreSQL: 64 locks for each of 100 sessions.
        assert_eq!(fitting(8, 10, 6400), 8);
        assert_eq!(fitting(8, 600, 6400), 7);
        assert_eq!(fitting(8, 1066, 6400), 3);
        assert_eq!(fitting(8, 5000, 6400), 1);
        assert_eq!(fitting(2, 0, 6400), 2);
    }
}
