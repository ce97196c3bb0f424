//! The snapshot: two keepers hold it and the table locks, so that the death of one loses nothing.

use super::readers::{self, Lease, Readers};
use super::watch::Watcher;
use super::{ExtractError, Settings, Stop, StopReason};
use crate::pg::{self, Conninfo, SourceSession};
use crate::plan::Plan;
use futures_util::future::join_all;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// How often a keeper proves that it is alive; below common idle limits of firewalls.
const KEEPER_PING: Duration = Duration::from_secs(15);
/// How often a keeper looks whether its connection is gone.
const KEEPER_LOOK: Duration = Duration::from_millis(250);
/// How often a worker looks for a living keeper: 10 s, longer than replacing one takes.
const IMPORT_TRIES: u32 = 40;
/// Tables locked by one statement (POSTGRES section 3).
const LOCK_BATCH: usize = 500;
/// `lock_timeout` of one attempt, so that we never queue long in front of production.
const LOCK_ATTEMPT: Duration = Duration::from_secs(2);
/// Shortest and longest pause between attempts.
const LOCK_PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// What workers need of a snapshot: sessions that read under it, and an id to import. Cheap to clone.
#[derive(Clone)]
pub struct SnapshotIds(Arc<Shared>);

impl SnapshotIds {
    /// An id that can be imported now; none when both keepers are gone.
    pub fn get(&self) -> Option<String> {
        self.0.ids.lock().expect("no holder panics").iter().flatten().next().cloned()
    }

    /// Waits for a session that reads: it sees the snapshot and holds its locks. What succeeded gives it back with
    /// [`SnapshotIds::give`]; after a failure it is dropped.
    ///
    /// # Errors
    /// The error of the server, or [`ExtractError::SnapshotLost`].
    pub async fn reader(&self) -> Result<Lease, ExtractError> {
        self.0.readers().take(self.session()).await
    }

    /// Gives a session back whose work succeeded.
    ///
    /// # Errors
    /// The error of the server: the session is gone.
    pub async fn give(&self, reader: Lease) -> Result<(), ExtractError> {
        self.0.readers().give(reader).await
    }

    /// Opens one more session whose transaction sees the snapshot; it holds no locks.
    ///
    /// # Errors
    /// The error of the server, or [`ExtractError::SnapshotLost`].
    pub async fn session(&self) -> Result<SourceSession, ExtractError> {
        let session = open(&self.0).await?;
        self.begin(&session).await?;
        Ok(session)
    }

    /// Ends the sessions that read, as soon as nobody uses them.
    pub fn close(&self) {
        self.0.readers().close();
    }

    /// Starts a transaction of `session` that sees the snapshot.
    ///
    /// # Errors
    /// [`ExtractError::SnapshotLost`] without a living keeper, else the error of the server.
    async fn begin(&self, session: &SourceSession) -> Result<(), ExtractError> {
        let mut tries = 0;
        loop {
            let id = self.get().ok_or(ExtractError::SnapshotLost)?;
            match self.0.import(session, &id).await {
                // The keeper of this id died a moment ago; its survivor or replacement has another one.
                Err(error) if is_unknown_id(&error) && tries < IMPORT_TRIES => tries += 1,
                Err(error) if is_unknown_id(&error) => return Err(ExtractError::SnapshotLost),
                done => return done,
            }
            session
                .client()
                .batch_execute("ROLLBACK")
                .await
                .map_err(|error| ExtractError::sql("opening the snapshot", &error))?;
            tokio::time::sleep(KEEPER_LOOK).await;
        }
    }
}

/// A snapshot that workers can import as long as one keeper lives.
pub struct Snapshot {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
    watcher: Option<Watcher>,
    /// WAL position when it was taken: current on a primary, replayed on a standby.
    pub lsn: String,
    /// Server clock when it was taken, ISO 8601 in UTC.
    pub taken_at: String,
}

struct Shared {
    info: Conninfo,
    application: String,
    settings: Settings,
    tables: Vec<String>,
    /// Exported ids of the live keepers.
    ids: Mutex<[Option<String>; 2]>,
    /// What the snapshot sees, as the server writes it: `xmin:xmax:list of running`.
    sight: OnceLock<String>,
    /// Set before anybody else has the snapshot.
    readers: OnceLock<Readers>,
    stop: Stop,
}

impl Snapshot {
    /// Exports a snapshot and locks every table of the plan that is read, in the keepers and in every session that is to read.
    ///
    /// Locks and proof are the caller's next steps: [`Snapshot::changed_tables`] tells which tables were truncated or
    /// rewritten between the export and the lock.
    ///
    /// # Errors
    /// [`ExtractError::LockWait`] naming the blockers, or the error of the server.
    pub async fn take(
        info: &Conninfo,
        application: &str,
        settings: &Settings,
        plan: &Plan,
        stop: &Stop,
    ) -> Result<Self, ExtractError> {
        let leaves = plan.read().map(|table| pg::quote_qualified(&table.schema, &table.name));
        let parents = plan.parents.iter().map(|(schema, name)| pg::quote_qualified(schema, name));
        let tables: Vec<String> = leaves.chain(parents).collect();
        // More sessions than there are pieces to read would have nothing to do.
        let pieces = plan.tables.iter().map(|table| table.chunks.len().max(1)).sum::<usize>();
        let started = Instant::now();
        let mut pause = LOCK_PAUSE.0;
        loop {
            let shared = Arc::new(Shared {
                info: info.clone(),
                application: application.to_owned(),
                settings: Settings { readers: settings.readers.min(pieces), ..settings.clone() },
                tables: tables.clone(),
                ids: Mutex::default(),
                sight: OnceLock::new(),
                readers: OnceLock::new(),
                stop: stop.clone(),
            });
            if let Some(snapshot) = Self::attempt(shared).await? {
                return Ok(snapshot);
            }
            // A statement came between our sessions: it waits for those that have their locks, and the others wait for it.
            // All are gone now, so that it can go on.
            if stop.is_stopped() {
                return Err(stop.error());
            }
            if started.elapsed() + pause > settings.lock_wait_max {
                let blockers = blockers(info, application).await;
                return Err(ExtractError::LockWait { waited_s: started.elapsed().as_secs(), blockers });
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOCK_PAUSE.1);
        }
    }

    /// One attempt; none if a statement queued up for a table before all sessions had their locks.
    async fn attempt(shared: Arc<Shared>) -> Result<Option<Self>, ExtractError> {
        let first = open(&shared).await?;
        begin(&first, None).await?;
        let (lsn, taken_at) = facts(&first).await?;
        let _ = shared.sight.set(sight(&first).await?);
        let born = Instant::now();
        let first_id = export(&first).await?;
        let second = open(&shared).await?;
        shared.import(&second, &first_id).await?;
        let second_id = export(&second).await?;
        shared.lock_tables(&first).await?;
        let wanted = readers::fitting(shared.settings.readers, shared.tables.len(), slots(&first).await?);
        let reading = join_all((0..wanted).map(|_| shared.open_reader(&first_id)));
        let (second_locked, reading) = tokio::join!(shared.lock_tables_at_once(&second), reading);
        let mut overtaken = !second_locked?;
        let (mut sessions, mut refused) = (Vec::new(), None);
        for opened in reading {
            match opened {
                Ok(Some(session)) => sessions.push(session),
                Ok(None) => overtaken = true,
                // A role may have fewer connections than the run would use: it goes on with those it got.
                Err(error @ ExtractError::Connect(_)) => refused = Some(error),
                Err(error) => return Err(error),
            }
        }
        if overtaken {
            return Ok(None);
        }
        if let Some(error) = refused.filter(|_| sessions.is_empty()) {
            return Err(error);
        }
        let _ = shared.readers.set(Readers::new(sessions).await?);
        *shared.ids.lock().expect("no holder panics") = [Some(first_id), Some(second_id)];
        let mut tasks =
            vec![tokio::spawn(keep(Arc::clone(&shared), 0, first)), tokio::spawn(keep(Arc::clone(&shared), 1, second))];
        if let Some(limit) = shared.settings.snapshot_max {
            tasks.push(tokio::spawn(end_of_age(born, limit, shared.stop.clone())));
        }
        Ok(Some(Self { shared, tasks, watcher: None, lsn, taken_at }))
    }

    /// The handle that workers import from.
    pub fn ids(&self) -> SnapshotIds {
        SnapshotIds(Arc::clone(&self.shared))
    }

    /// Names of planned tables whose storage is not the one the snapshot knows.
    ///
    /// Reads `pg_class` as the snapshot shows it and compares with the storage the server would read now
    /// (POSTGRES section 3, item 2).
    ///
    /// # Errors
    /// The error of the server.
    pub async fn changed_tables(&self, plan: &Plan) -> Result<Vec<String>, ExtractError> {
        let session = self.ids().session().await?;
        let oids: Vec<u32> = plan.tables.iter().map(|table| table.oid).collect();
        let same: Vec<u32> = session
            .client()
            .query(
                "SELECT c.oid FROM pg_catalog.pg_class c WHERE c.oid = ANY ($1) \
                 AND (c.relfilenode = 0 OR c.relfilenode = pg_catalog.pg_relation_filenode(c.oid))",
                &[&oids],
            )
            .await
            .map_err(|error| ExtractError::sql("comparing the storage of the tables with the snapshot", &error))?
            .iter()
            .map(|row| row.get(0))
            .collect();
        let same: std::collections::BTreeSet<u32> = same.into_iter().collect();
        Ok(plan.read().filter(|table| !same.contains(&table.oid)).map(|table| table.full_name()).collect())
    }

    /// Ties a watcher to the snapshot: it ends with the keepers, because then there is nothing left to let go.
    pub fn watch(&mut self, watcher: Watcher) {
        self.watcher = Some(watcher);
    }

    /// Ends the keepers at once: the last row was read. [`Snapshot::release`] still has to be called.
    pub fn let_go(&self) {
        if let Some(watcher) = &self.watcher {
            watcher.end();
        }
        self.shared.readers().close();
        for task in &self.tasks {
            task.abort();
        }
    }

    /// Lets the snapshot and all locks go.
    pub async fn release(mut self) {
        self.shared.readers().close();
        for task in self.tasks.drain(..) {
            task.abort();
            let _ = task.await;
        }
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.shared.readers().close();
        // Aborted tasks drop their sessions, which ends the transactions at the server.
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Ends the run when the snapshot reaches its age limit: a snapshot keeps vacuum from cleaning up.
async fn end_of_age(born: Instant, limit: Duration, stop: Stop) {
    tokio::time::sleep_until((born + limit).into()).await;
    stop.stop(StopReason::SnapshotTooOld { limit_s: limit.as_secs() });
}

impl Shared {
    /// Imports an exported snapshot and proves that it is ours: ids are small numbers that start again after a crash of
    /// the server, so an id that died with our keepers may come back as that of another session.
    async fn import(&self, session: &SourceSession, id: &str) -> Result<(), ExtractError> {
        begin(session, Some(id)).await?;
        let seen = sight(session).await?;
        if self.sight.get().is_some_and(|ours| *ours != seen) {
            return Err(ExtractError::SnapshotLost);
        }
        Ok(())
    }

    fn readers(&self) -> &Readers {
        self.readers.get().expect("a snapshot is handed out with its readers")
    }

    /// Opens a session under the snapshot and locks all tables in it; none if a statement queues up for one of them.
    async fn open_reader(&self, id: &str) -> Result<Option<SourceSession>, ExtractError> {
        let session = open(self).await?;
        self.import(&session, id).await?;
        Ok(self.lock_tables_at_once(&session).await?.then_some(session))
    }

    /// Takes ACCESS SHARE on all tables; waits for those who hold them.
    async fn lock_tables(&self, session: &SourceSession) -> Result<(), ExtractError> {
        let started = Instant::now();
        let mut pause = LOCK_PAUSE.0;
        for batch in self.tables.chunks(LOCK_BATCH) {
            while !self.lock(session, batch).await? {
                let blockers = blockers(&self.info, &self.application).await;
                if started.elapsed() + pause > self.settings.lock_wait_max {
                    return Err(ExtractError::LockWait { waited_s: started.elapsed().as_secs(), blockers });
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LOCK_PAUSE.1);
            }
        }
        Ok(())
    }

    /// Takes the locks that another session of ours has. Whoever is in the way waits for that one, so there is nothing to
    /// wait for: false.
    async fn lock_tables_at_once(&self, session: &SourceSession) -> Result<bool, ExtractError> {
        for batch in self.tables.chunks(LOCK_BATCH) {
            if !self.lock(session, batch).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// One attempt, short and under a savepoint, so that the snapshot survives it; false if somebody was in the way.
    async fn lock(&self, session: &SourceSession, tables: &[String]) -> Result<bool, ExtractError> {
        if self.stop.is_stopped() {
            return Err(self.stop.error());
        }
        let list: Vec<String> = tables.iter().map(|table| format!("ONLY {table}")).collect();
        let lock = format!(
            "SAVEPOINT restage_lock; SET LOCAL lock_timeout = {}; LOCK TABLE {} IN ACCESS SHARE MODE; \
             RELEASE SAVEPOINT restage_lock",
            LOCK_ATTEMPT.min(self.settings.lock_timeout).as_millis().max(1),
            list.join(", ")
        );
        let Err(error) = session.client().batch_execute(&lock).await else { return Ok(true) };
        if pg::sql_error(&error).sqlstate != "55P03" {
            return Err(ExtractError::sql("locking the tables", &error));
        }
        session
            .client()
            .batch_execute("ROLLBACK TO SAVEPOINT restage_lock")
            .await
            .map_err(|error| ExtractError::sql("locking the tables", &error))?;
        Ok(false)
    }
}

/// Who holds a lock that excludes ours, or waits for one in front of us, as far as the role may see it. Never the text of
/// a statement.
pub async fn blockers(info: &Conninfo, application: &str) -> Vec<String> {
    let Ok(session) = SourceSession::connect(info, application).await else { return Vec::new() };
    // A prepared transaction has no process. Its locks share the virtual number it had then, and one is on its number.
    let rows = session
        .client()
        .query(
            "SELECT CASE WHEN l.pid IS NOT NULL THEN pg_catalog.format('backend %s (user %s, application %s)', l.pid, \
             coalesce(a.usename::text, '?'), coalesce(a.application_name, '?')) \
             ELSE pg_catalog.format('prepared transaction %L (user %s, since %s)', coalesce(x.gid, '?'), \
             coalesce(x.owner::text, '?'), coalesce(pg_catalog.date_trunc('second', x.prepared)::text, '?')) END, \
             c.relname::text, l.granted, x.gid::text \
             FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation \
             LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
             LEFT JOIN pg_catalog.pg_locks t ON l.pid IS NULL AND t.pid IS NULL AND t.locktype = 'transactionid' \
             AND t.virtualtransaction = l.virtualtransaction \
             LEFT JOIN pg_catalog.pg_prepared_xacts x ON x.transaction = t.transactionid \
             WHERE l.mode = 'AccessExclusiveLock' AND c.relkind IN ('r', 'p') AND l.database = \
             (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) \
             ORDER BY NOT l.granted, l.pid LIMIT 5",
            &[],
        )
        .await
        .unwrap_or_default();
    rows.iter()
        .map(|row| {
            let (who, table, gid): (String, String, Option<String>) = (row.get(0), row.get(1), row.get(3));
            let verb = if row.get(2) { "holds" } else { "waits for" };
            let ends = gid.map(|gid| {
                let gid = pg::quote_literal(&gid);
                format!(" until its owner says COMMIT PREPARED {gid} or ROLLBACK PREPARED {gid}")
            });
            format!("{who} {verb} ACCESS EXCLUSIVE on {table}{}", ends.unwrap_or_default())
        })
        .collect()
}

/// Keeps one session of the snapshot alive and replaces it from the survivor when it dies.
async fn keep(shared: Arc<Shared>, slot: usize, first: SourceSession) {
    let mut session = first;
    let mut pinged = Instant::now();
    loop {
        tokio::time::sleep(KEEPER_LOOK).await;
        if shared.stop.is_stopped() {
            // Whoever stopped the run wants the source to be free.
            return;
        }
        let mut dead = session.is_closed();
        if !dead && pinged.elapsed() >= KEEPER_PING {
            dead = session.client().batch_execute("SELECT 1").await.is_err();
            pinged = Instant::now();
        }
        if !dead {
            continue;
        }
        shared.ids.lock().expect("no holder panics")[slot] = None;
        match replace(&shared, slot).await {
            Some(replacement) => session = replacement,
            None => {
                shared.stop.stop(StopReason::SnapshotLost);
                return;
            }
        }
    }
}

/// Opens a new keeper with the survivor's snapshot; none when there is no survivor.
async fn replace(shared: &Arc<Shared>, slot: usize) -> Option<SourceSession> {
    for attempt in 0..5u32 {
        let survivor = shared.ids.lock().expect("no holder panics")[1 - slot].clone()?;
        let opened = async {
            let session = open(shared).await?;
            shared.import(&session, &survivor).await?;
            let id = export(&session).await?;
            shared.lock_tables(&session).await?;
            Ok::<_, ExtractError>((session, id))
        };
        if let Ok((session, id)) = opened.await {
            shared.ids.lock().expect("no holder panics")[slot] = Some(id);
            return Some(session);
        }
        tokio::time::sleep(Duration::from_millis(200) * 2u32.pow(attempt)).await;
    }
    None
}

async fn open(shared: &Shared) -> Result<SourceSession, ExtractError> {
    connect(&shared.info, &shared.application).await
}

/// Opens a session with the source.
///
/// # Errors
/// [`ExtractError::Connect`].
pub async fn connect(info: &Conninfo, application: &str) -> Result<SourceSession, ExtractError> {
    SourceSession::connect(info, application)
        .await
        .map_err(|error| ExtractError::Connect(Box::new(error.error.report(pg::Side::Source))))
}

/// Starts a read-only transaction with the settings of POSTGRES section 2, under `snapshot` if one is given.
///
/// # Errors
/// The error of the server; an unknown snapshot id says 22023 or 42704.
pub async fn begin(session: &SourceSession, snapshot: Option<&str>) -> Result<(), ExtractError> {
    let mut sql = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY".to_owned();
    if let Some(id) = snapshot {
        // Ids are hexadecimal digits and dashes; quoted all the same.
        sql.push_str(&format!("; SET TRANSACTION SNAPSHOT {}", pg::quote_literal(id)));
    }
    session.client().batch_execute(&sql).await.map_err(|error| ExtractError::sql("opening the snapshot", &error))?;
    let settings = pg::local_settings(session.version_num(), LOCK_ATTEMPT.as_millis() as u64);
    session.client().batch_execute(&settings).await.map_err(|error| ExtractError::sql("opening the snapshot", &error))
}

/// The session that exported the id is gone (PostgreSQL 14 to 18 say it in three ways).
fn is_unknown_id(error: &ExtractError) -> bool {
    matches!(error, ExtractError::Sql { problem, .. } if matches!(problem.sqlstate.as_str(), "22023" | "42704" | "55000"))
}

async fn export(session: &SourceSession) -> Result<String, ExtractError> {
    query_text(session, "SELECT pg_catalog.pg_export_snapshot()", "exporting the snapshot").await
}

async fn sight(session: &SourceSession) -> Result<String, ExtractError> {
    query_text(session, "SELECT pg_catalog.pg_current_snapshot()::text", "reading the snapshot").await
}

async fn facts(session: &SourceSession) -> Result<(String, String), ExtractError> {
    let row = session
        .client()
        .query_one(
            "SELECT (CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() \
             ELSE pg_catalog.pg_current_wal_lsn() END)::text, \
             pg_catalog.to_char(pg_catalog.now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')",
            &[],
        )
        .await
        .map_err(|error| ExtractError::sql("taking the snapshot", &error))?;
    Ok((row.get::<_, Option<String>>(0).unwrap_or_default(), row.get(1)))
}

/// How many locks the server has room for.
async fn slots(session: &SourceSession) -> Result<u64, ExtractError> {
    let sql = "SELECT (pg_catalog.current_setting('max_locks_per_transaction')::pg_catalog.int8 * \
               (pg_catalog.current_setting('max_connections')::pg_catalog.int8 \
               + pg_catalog.current_setting('max_prepared_transactions')::pg_catalog.int8))::pg_catalog.text";
    Ok(query_text(session, sql, "reading the size of the lock table").await?.parse().unwrap_or(u64::MAX))
}

async fn query_text(session: &SourceSession, sql: &str, what: &str) -> Result<String, ExtractError> {
    let row = session.client().query_one(sql, &[]).await.map_err(|error| ExtractError::sql(what, &error))?;
    Ok(row.try_get(0).unwrap_or_default())
}
