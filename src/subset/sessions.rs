//! Sessions of the source that see one snapshot, for questions asked side by side.

use crate::extract::ExtractError;
use crate::extract::snapshot::Snapshot;
use crate::pg::SourceSession;
use std::sync::Mutex;

/// Tries of one question before it is given up.
const ATTEMPTS: u32 = 5;

/// Sessions in a transaction of one snapshot.
pub struct Sessions<'a> {
    /// None: there is one session, and what it fails at has failed.
    snapshot: Option<&'a Snapshot>,
    idle: Mutex<Vec<SourceSession>>,
}

impl<'a> Sessions<'a> {
    /// As many as are asked for, under a snapshot that others share.
    pub fn under(snapshot: &'a Snapshot) -> Self {
        Self { snapshot: Some(snapshot), idle: Mutex::default() }
    }

    /// The one session given, whose transaction is the snapshot.
    pub fn alone(session: SourceSession) -> Self {
        Self { snapshot: None, idle: Mutex::new(vec![session]) }
    }

    /// How many questions can be asked side by side, of those wanted.
    pub(super) fn width(&self, wanted: usize) -> usize {
        if self.snapshot.is_some() { wanted.max(1) } else { 1 }
    }

    async fn ask_once<T, F>(&self, ask: &F) -> Result<T, ExtractError>
    where
        F: AsyncFn(&SourceSession) -> Result<T, ExtractError>,
    {
        let Some(snapshot) = self.snapshot else {
            let idle = self.idle.lock().expect("no holder panics").pop();
            let session = idle.filter(|session| !session.is_closed()).ok_or(ExtractError::SnapshotLost)?;
            let answer = ask(&session).await?;
            self.idle.lock().expect("no holder panics").push(session);
            return Ok(answer);
        };
        // They hold their locks already: a statement that waits for one of the tables does not stop the questions.
        let reader = snapshot.ids().reader().await?;
        let answer = ask(reader.session()).await?;
        snapshot.ids().give(reader).await?;
        Ok(answer)
    }

    /// Runs `ask` with a session; again with a new one while the failure is one that passes.
    ///
    /// # Errors
    /// That of `ask`, or of opening a session.
    pub(super) async fn run<T, F>(&self, ask: F) -> Result<T, ExtractError>
    where
        F: AsyncFn(&SourceSession) -> Result<T, ExtractError>,
    {
        let mut attempt = 1;
        loop {
            match self.ask_once(&ask).await {
                // The session goes with its failed transaction.
                Err(error) if self.snapshot.is_some() && error.is_transient() && attempt < ATTEMPTS => {
                    tokio::time::sleep(std::time::Duration::from_millis(200) * 3u32.pow(attempt - 1)).await;
                    attempt += 1;
                }
                done => return done,
            }
        }
    }

    /// Gives up all sessions.
    pub fn close(&self) {
        self.idle.lock().expect("no holder panics").clear();
    }
}
