//! Reads chunks by COPY: one worker, one chunk, one transaction.

use super::snapshot::SnapshotIds;
use super::{BadBytes, ExtractError, Stop};
use crate::buffers::Buffers;
use crate::config::Rows;
use crate::pg::types::Format;
use crate::pg::{Conninfo, CopyError, SourceSession};
use crate::plan::{Chunk, TablePlan};
use std::sync::Mutex;
use std::time::{Duration, Instant};

pub use crate::pg::Wire;

/// Bytes gathered before they leave the task. One batch of CPU work: large enough that handing it over costs nothing,
/// small enough that a batch is still in the near caches when it leaves, and that those in flight stay far below the
/// memory budget.
pub const WIRE_BYTES: usize = 128 * 1024;

/// Takes the rows of a chunk as they arrive.
pub trait Deliver: Send {
    type Error: From<ExtractError>;

    /// Takes one wire; called in row order, one at a time. Waits while the pipeline is full: that is what slows the
    /// source down. After an error no more wires come.
    fn deliver(&mut self, wire: Wire) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Reads chunks under the snapshot, from any number of tasks. Sessions are reused, and made anew after any error.
pub struct Reader {
    info: Conninfo,
    application: String,
    snapshot: SnapshotIds,
    throttle: Throttle,
    buffers: Buffers,
    stop: Stop,
    idle: Mutex<Vec<SourceSession>>,
}

impl Reader {
    pub fn new(
        info: Conninfo,
        application: String,
        snapshot: SnapshotIds,
        rate_max: Option<u64>,
        buffers: Buffers,
        stop: Stop,
    ) -> Self {
        Self { info, application, snapshot, throttle: Throttle::new(rate_max), buffers, stop, idle: Mutex::default() }
    }

    /// Closes all sessions that are not reading.
    pub fn close(&self) {
        self.idle.lock().expect("no holder panics").clear();
    }

    async fn session(&self) -> Result<SourceSession, ExtractError> {
        loop {
            let idle = self.idle.lock().expect("no holder panics").pop();
            match idle {
                Some(session) if !session.is_closed() => return Ok(session),
                Some(_) => {}
                None => {
                    return SourceSession::connect(&self.info, &self.application)
                        .await
                        .map_err(|error| ExtractError::Connect(Box::new(error.error.report(crate::pg::Side::Source))));
                }
            }
        }
    }

    /// Reads one chunk and hands its rows, in order, to `deliver`.
    ///
    /// Returns the number of rows the server sent. After an error nothing of the chunk may be used: the caller rolls the
    /// target back and may call again.
    ///
    /// # Errors
    /// [`ExtractError`]; `is_transient` tells whether a second try makes sense. Errors of `deliver` pass through.
    pub async fn read<D: Deliver>(&self, table: &TablePlan, chunk: &Chunk, deliver: &mut D) -> Result<u64, D::Error> {
        // An error anywhere drops the session, and with it the transaction and the stream.
        let session = self.session().await?;
        self.snapshot.begin(&session).await?;
        let rows = self.stream(&session, table, chunk, deliver).await?;
        session
            .client()
            .batch_execute("COMMIT")
            .await
            .map_err(|error| ExtractError::sql(format!("reading {}", table.full_name()), &error))?;
        self.idle.lock().expect("no holder panics").push(session);
        Ok(rows)
    }

    async fn stream<D: Deliver>(
        &self,
        session: &SourceSession,
        table: &TablePlan,
        chunk: &Chunk,
        deliver: &mut D,
    ) -> Result<u64, D::Error> {
        let reading = || format!("reading {}", table.full_name());
        let mut copy = session
            .copy_out(&copy_sql(table, chunk), table.format, WIRE_BYTES, &self.buffers)
            .await
            .map_err(|error| ExtractError::sql(reading(), &error))?;
        let mut total = 0;
        loop {
            let wire = match copy.next().await {
                Ok(Some(wire)) => wire,
                Ok(None) => return Ok(total),
                Err(CopyError::Broken) => return Err(ExtractError::Truncated { table: table.full_name() }.into()),
                Err(CopyError::Server { error, rows }) => {
                    let error = ExtractError::sql(reading(), &error);
                    return Err(self.locate(table, chunk, total + rows, error).await.into());
                }
            };
            total += wire.rows;
            self.throttle.take(wire.bytes.len(), &self.stop).await?;
            deliver.deliver(wire).await?;
        }
    }
}

/// SQLSTATEs of bytes that are no text in their encoding, or have no counterpart in ours.
const BAD_BYTES: [&str; 2] = ["22021", "22P05"];

impl Reader {
    /// Finds the row and the column that stopped a COPY; `rows` came before it. Any other error stays as it is.
    ///
    /// Scans are neither parallel nor synchronized with others in our sessions, so the row after those that came is the
    /// one that failed.
    async fn locate(&self, table: &TablePlan, chunk: &Chunk, rows: u64, error: ExtractError) -> ExtractError {
        let ExtractError::Sql { problem, .. } = &error else { return error };
        if !BAD_BYTES.contains(&problem.sqlstate.as_str()) {
            return error;
        }
        match self.find_row(table, chunk, rows).await {
            Some((ctid, column)) => {
                let name = crate::pg::quote_qualified(&table.schema, &table.name);
                let shown = match &column {
                    Some(column) => format!("pg_catalog.textsend({}::text)", crate::pg::quote_ident(column)),
                    None => "*".to_owned(),
                };
                let look = format!("SELECT {shown} FROM {name} WHERE ctid = '{ctid}';");
                let (table, problem) = (table.full_name(), problem.clone());
                ExtractError::BadBytes(Box::new(BadBytes { table, column, ctid, look, problem }))
            }
            None => error,
        }
    }

    async fn find_row(&self, table: &TablePlan, chunk: &Chunk, rows: u64) -> Option<(String, Option<String>)> {
        let session = self.session().await.ok()?;
        self.snapshot.begin(&session).await.ok()?;
        let sql = format!("{} OFFSET {rows} LIMIT 1", rows_sql("t.ctid::text", table, chunk, ""));
        let ctid: String = session.client().query_opt(&sql, &[]).await.ok()??.get(0);
        for (column, select) in table.columns.iter().zip(&table.select) {
            let one = format!("SELECT {select} FROM {} WHERE t.ctid = '{ctid}'::pg_catalog.tid", table.from);
            session.client().batch_execute("SAVEPOINT column_check").await.ok()?;
            if session.client().simple_query(&one).await.is_err() {
                return Some((ctid, Some(column.name.clone())));
            }
        }
        Some((ctid, None))
    }
}

/// The statement that reads one chunk. Every name in it was quoted by the plan.
pub fn copy_sql(table: &TablePlan, chunk: &Chunk) -> String {
    let mut limit = String::new();
    if let (Rows::Where { limit: Some(max), .. }, None) = (&table.rows, &table.share) {
        limit = format!(" LIMIT {max}");
    }
    let rows = rows_sql(&table.select.join(", "), table, chunk, &limit);
    match table.format {
        Format::Binary => format!("COPY ({rows}) TO STDOUT (FORMAT binary)"),
        Format::Text => format!("COPY ({rows}) TO STDOUT (FORMAT text)"),
    }
}

/// The query that finds one row of a chunk, counted from 0 in the order in which chunks are read.
pub fn row_sql(table: &TablePlan, chunk: &Chunk, row: u64) -> String {
    format!("{} OFFSET {row} LIMIT 1;", rows_sql("t.ctid", table, chunk, ""))
}

/// The query of one chunk.
fn rows_sql(select: &str, table: &TablePlan, chunk: &Chunk, limit: &str) -> String {
    let mut sql = format!("SELECT {select} FROM {}", table.from);
    let mut conditions = Vec::new();
    if let Some(start) = chunk.start {
        conditions.push(format!("t.ctid >= '({start},0)'::pg_catalog.tid"));
    }
    if let Some(end) = chunk.end {
        conditions.push(format!("t.ctid < '({end},0)'::pg_catalog.tid"));
    }
    match (&table.rows, &table.share) {
        (Rows::All, _) => {}
        (Rows::None, _) => conditions.push("false".to_owned()),
        (Rows::Where { .. }, Some(share)) => conditions.push(share.clone()),
        (Rows::Where { condition, .. }, None) => {
            conditions.extend(condition.as_ref().map(|condition| format!("({condition})")));
        }
    }
    if !conditions.is_empty() {
        sql.push_str(" WHERE ");
        sql.push_str(&conditions.join(" AND "));
    }
    sql.push_str(limit);
    sql
}

/// Limits bytes per second over all workers by making them wait before they read on.
#[derive(Debug, Default)]
pub struct Throttle {
    rate_max: Option<u64>,
    /// When the bytes read so far will have been paid for.
    paid_until: Mutex<Option<Instant>>,
}

impl Throttle {
    pub fn new(rate_max: Option<u64>) -> Self {
        Self { rate_max, paid_until: Mutex::new(None) }
    }

    async fn take(&self, bytes: usize, stop: &Stop) -> Result<(), ExtractError> {
        let Some(rate) = self.rate_max.filter(|rate| *rate > 0) else { return Ok(()) };
        let now = Instant::now();
        let until = {
            let mut paid = self.paid_until.lock().expect("no holder panics");
            let from = paid.filter(|paid| *paid > now).unwrap_or(now);
            let until = from + Duration::from_secs_f64(bytes as f64 / rate as f64);
            *paid = Some(until);
            until
        };
        tokio::select! {
            error = stop.stopped() => Err(error),
            () = tokio::time::sleep_until(until.into()) => Ok(()),
        }
    }
}
