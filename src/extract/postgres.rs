//! Reads chunks by COPY: one worker, one chunk, one savepoint of a transaction that sees the snapshot.

use super::snapshot::SnapshotIds;
use super::{BadBytes, ExtractError, Stop};
use crate::buffers::Buffers;
use crate::config::Rows;
use crate::pg::types::Format;
use crate::pg::{CopyError, SourceSession, decode};
use crate::plan::{Chunk, TablePlan};
use crate::rowset::{Picked, RowId, RowSet, among_sql};
use futures_util::{StreamExt, pin_mut};
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

/// Reads chunks under the snapshot, from any number of tasks, with the sessions of the snapshot.
pub struct Reader {
    snapshot: SnapshotIds,
    throttle: Throttle,
    buffers: Buffers,
    stop: Stop,
}

impl Reader {
    pub fn new(snapshot: SnapshotIds, rate_max: Option<u64>, buffers: Buffers, stop: Stop) -> Self {
        Self { snapshot, throttle: Throttle::new(rate_max), buffers, stop }
    }

    /// Closes all sessions that are not reading.
    pub fn close(&self) {
        self.snapshot.close();
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
        let reader = self.snapshot.reader().await?;
        let session = reader.session();
        let rows = match &table.picked {
            None => self.stream(session, table, &copy_sql(table, chunk), chunk, Position::Chunk, deliver).await?,
            Some(picked) => self.read_picked(session, table, chunk, picked, deliver).await?,
        };
        self.snapshot.give(reader).await?;
        Ok(rows)
    }

    /// Reads the rows of a subset that lie in a chunk, each part with its own columns that become NULL.
    async fn read_picked<D: Deliver>(
        &self,
        session: &SourceSession,
        table: &TablePlan,
        chunk: &Chunk,
        picked: &Picked,
        deliver: &mut D,
    ) -> Result<u64, D::Error> {
        let (mut total, mut expected) = (0, 0);
        for (rows, nulled) in &picked.parts {
            let rows = rows.blocks(chunk.start.unwrap_or(0), chunk.end);
            expected += rows.len();
            for query in picked_queries(table, chunk, &rows, nulled, picked.of_rows) {
                total += match &query {
                    PickedQuery::Batch(sql) => {
                        self.stream(session, table, sql, chunk, Position::Picked(total), deliver).await?
                    }
                    PickedQuery::Whole(sql) => self.stream_among(session, table, sql, chunk, &rows, deliver).await?,
                };
            }
        }
        if total != expected {
            let table = table.full_name();
            return Err(ExtractError::RowsMissing { table, expected, found: total }.into());
        }
        Ok(total)
    }

    /// Reads the answer of one COPY, all of whose rows are wanted.
    async fn stream<D: Deliver>(
        &self,
        session: &SourceSession,
        table: &TablePlan,
        sql: &str,
        chunk: &Chunk,
        position: Position,
        deliver: &mut D,
    ) -> Result<u64, D::Error> {
        let reading = || format!("reading {}", table.full_name());
        let copy = session.copy_out(sql, table.format, WIRE_BYTES, &self.buffers).await;
        let mut copy = copy.map_err(|error| ExtractError::sql(reading(), &error))?;
        let mut total = 0;
        loop {
            let wire = match copy.next().await {
                Ok(Some(wire)) => wire,
                Ok(None) => return Ok(total),
                Err(CopyError::Broken) => return Err(ExtractError::Truncated { table: table.full_name() }.into()),
                Err(CopyError::Server { error, rows }) => {
                    let error = ExtractError::sql(reading(), &error);
                    let next = position.next_sql(table, chunk, total + rows);
                    return Err(self.locate(table, &next, error).await.into());
                }
            };
            total += wire.rows;
            self.throttle.take(wire.bytes.len(), &self.stop).await?;
            deliver.deliver(wire).await?;
        }
    }

    /// Reads the answer of one COPY that holds more rows than are wanted; each ends in its place.
    async fn stream_among<D: Deliver>(
        &self,
        session: &SourceSession,
        table: &TablePlan,
        sql: &str,
        chunk: &Chunk,
        wanted: &RowSet,
        deliver: &mut D,
    ) -> Result<u64, D::Error> {
        let reading = || format!("reading {}", table.full_name());
        let torn = || ExtractError::Truncated { table: table.full_name() };
        let stream = session.client().copy_out(sql).await.map_err(|error| ExtractError::sql(reading(), &error))?;
        pin_mut!(stream);
        let binary = table.format == Format::Binary;
        let mut gather = Gather { buffers: &self.buffers, buffer: Vec::new(), rows: 0 };
        let (mut total, mut last) = (0, None);
        let (mut started, mut ended) = (false, !binary);
        while let Some(message) = stream.next().await {
            let mut message = match message {
                Ok(message) => message,
                Err(error) => {
                    let error = ExtractError::sql(reading(), &error);
                    let next = Position::Among(last).next_sql(table, chunk, total);
                    return Err(self.locate(table, &next, error).await.into());
                }
            };
            if binary && !started {
                started = true;
                let header = decode::strip_header(&message).map_err(|_| torn())?;
                message = message.slice(header..);
                if message.is_empty() {
                    continue;
                }
            }
            if binary && decode::is_trailer(&message) {
                ended = true;
                continue;
            }
            let (row, head, body) = strip_place(&message, table.format).ok_or_else(torn)?;
            last = Some(row);
            if !wanted.contains(row) {
                continue;
            }
            total += 1;
            if let Some(wire) = gather.add(&head, body) {
                self.throttle.take(wire.bytes.len(), &self.stop).await?;
                deliver.deliver(wire).await?;
            }
        }
        if !ended {
            return Err(torn().into());
        }
        if let Some(wire) = gather.take() {
            self.throttle.take(wire.bytes.len(), &self.stop).await?;
            deliver.deliver(wire).await?;
        }
        Ok(total)
    }
}

/// SQLSTATEs of bytes that are no text in their encoding, or have no counterpart in ours.
const BAD_BYTES: [&str; 2] = ["22021", "22P05"];

impl Reader {
    /// Finds the row and the column that stopped a COPY; `sql` asks for the place of the row after those that came. Any
    /// other error stays as it is.
    ///
    /// Scans are neither parallel nor synchronized with others in our sessions, so the row after those that came is the
    /// one that failed.
    async fn locate(&self, table: &TablePlan, sql: &str, error: ExtractError) -> ExtractError {
        let ExtractError::Sql { problem, .. } = &error else { return error };
        if !BAD_BYTES.contains(&problem.sqlstate.as_str()) {
            return error;
        }
        match self.find_row(table, sql).await {
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

    async fn find_row(&self, table: &TablePlan, sql: &str) -> Option<(String, Option<String>)> {
        let session = self.snapshot.session().await.ok()?;
        let ctid: String = session.client().query_opt(sql, &[]).await.ok()??.get(0);
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

/// Collects the rows of a wire; the protocol promises one row per message.
struct Gather<'a> {
    buffers: &'a Buffers,
    buffer: Vec<u8>,
    rows: u64,
}

impl Gather<'_> {
    /// A row in two pieces.
    fn add(&mut self, head: &[u8], body: &[u8]) -> Option<Wire> {
        self.rows += 1;
        if self.buffer.is_empty() {
            self.buffer = self.buffers.take(WIRE_BYTES + 32 * 1024);
        }
        self.buffer.extend_from_slice(head);
        self.buffer.extend_from_slice(body);
        if self.buffer.len() >= WIRE_BYTES { self.take() } else { None }
    }

    fn take(&mut self) -> Option<Wire> {
        if self.rows == 0 {
            return None;
        }
        Some(Wire { rows: std::mem::take(&mut self.rows), bytes: self.buffers.share(std::mem::take(&mut self.buffer)) })
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

/// Where in a table a COPY stands.
enum Position {
    /// It reads the chunk.
    Chunk,
    /// It reads rows of a subset by place; so many of the chunk came before.
    Picked(u64),
    /// It reads the chunk and takes the rows of a set; this was the last it has seen.
    Among(Option<RowId>),
}

impl Position {
    /// The query for the place of the row after the `taken` ones.
    fn next_sql(&self, table: &TablePlan, chunk: &Chunk, taken: u64) -> String {
        match self {
            Position::Chunk => format!("{} OFFSET {taken} LIMIT 1", rows_sql("t.ctid::text", table, chunk, "")),
            Position::Picked(before) => row_sql(table, chunk, before + taken).replacen("t.ctid", "t.ctid::text", 1),
            Position::Among(last) => {
                let mut conditions = blocks_sql(chunk);
                conditions.extend(last.map(|last| format!("t.ctid > '{last}'::pg_catalog.tid")));
                let condition = if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") };
                format!("SELECT t.ctid::text FROM {} WHERE {condition} ORDER BY t.ctid LIMIT 1", table.from)
            }
        }
    }
}

/// Rows of one query by place (POSTGRES section 12).
const PICKED_ROWS: usize = 10_000;
/// Above this share of a chunk, reading all of it costs less than looking its rows up.
const WHOLE_PERCENT: u64 = 15;

/// A COPY of rows of a subset.
enum PickedQuery {
    /// Exactly the rows.
    Batch(String),
    /// More than the rows; each ends in its place.
    Whole(String),
}

/// The statements that read some rows of a chunk, in order of their place either way.
fn picked_queries<'a>(
    table: &'a TablePlan,
    chunk: &'a Chunk,
    rows: &'a RowSet,
    nulled: &[String],
    of_rows: u64,
) -> Box<dyn Iterator<Item = PickedQuery> + Send + 'a> {
    let select: Vec<String> = table
        .select
        .iter()
        .enumerate()
        .map(|(number, sql)| match table.columns.get(number) {
            Some(column) if nulled.contains(&column.name) => format!("NULL::{}", column.type_name),
            _ => sql.clone(),
        })
        .collect();
    let format = match table.format {
        Format::Binary => "binary",
        Format::Text => "text",
    };
    let of_chunk = of_rows / table.chunks.len().max(1) as u64;
    let copy = move |select: &str, condition: &str| {
        let condition = if condition.is_empty() { String::new() } else { format!(" WHERE {condition}") };
        format!("COPY (SELECT {select} FROM {}{condition}) TO STDOUT (FORMAT {format})", table.from)
    };
    if rows.len() > PICKED_ROWS as u64 && rows.len() * 100 > of_chunk * WHOLE_PERCENT {
        let select = select.iter().map(String::as_str).chain(["t.ctid"]).collect::<Vec<_>>().join(", ");
        return Box::new(std::iter::once(PickedQuery::Whole(copy(&select, &blocks_sql(chunk).join(" AND ")))));
    }
    let select = select.join(", ");
    Box::new(rows.batches(PICKED_ROWS).map(move |batch| PickedQuery::Batch(copy(&select, &among_sql("t", &batch)))))
}

/// Splits a row off its place, its last field: the row's head, which says how many fields there are, and the rest.
fn strip_place(message: &[u8], format: Format) -> Option<(RowId, Vec<u8>, &[u8])> {
    match format {
        // Field count, then fields with their lengths; the place is a length and six bytes.
        Format::Binary => {
            let end = message.len().checked_sub(10).filter(|end| *end >= 2)?;
            let count = i16::from_be_bytes([message[0], message[1]]) - 1;
            Some((RowId::from_wire(&message[end + 4..])?, count.to_be_bytes().to_vec(), &message[2..end]))
        }
        // Nothing in a place is escaped.
        Format::Text => {
            let line = message.strip_suffix(b"\n")?;
            let (body, place) = match line.iter().rposition(|byte| *byte == b'\t') {
                Some(tab) => (&line[..tab], &line[tab + 1..]),
                None => (&line[..0], line),
            };
            let row = RowId::from_text(std::str::from_utf8(place).ok()?)?;
            Some((row, [body, &b"\n"[..]].concat(), &line[..0]))
        }
    }
}

/// The query that finds one row of a chunk, counted from 0 in the order in which chunks are read.
pub fn row_sql(table: &TablePlan, chunk: &Chunk, row: u64) -> String {
    if let Some(picked) = &table.picked {
        let mut left = row;
        for (rows, _) in &picked.parts {
            let rows = rows.blocks(chunk.start.unwrap_or(0), chunk.end);
            match rows.nth(left) {
                Some(place) => return format!("SELECT t.ctid FROM {} WHERE t.ctid = '{place}';", table.from),
                None => left -= rows.len(),
            }
        }
    }
    format!("{} OFFSET {row} LIMIT 1;", rows_sql("t.ctid", table, chunk, ""))
}

/// The conditions that a row lies in a chunk.
fn blocks_sql(chunk: &Chunk) -> Vec<String> {
    let start = chunk.start.map(|start| format!("t.ctid >= '({start},0)'::pg_catalog.tid"));
    let end = chunk.end.map(|end| format!("t.ctid < '({end},0)'::pg_catalog.tid"));
    start.into_iter().chain(end).collect()
}

/// The query of one chunk.
fn rows_sql(select: &str, table: &TablePlan, chunk: &Chunk, limit: &str) -> String {
    let mut sql = format!("SELECT {select} FROM {}", table.from);
    let mut conditions = blocks_sql(chunk);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gather_keeps_row_counts_and_order() {
        let buffers = Buffers::default();
        let mut gather = Gather { buffers: &buffers, buffer: Vec::new(), rows: 0 };
        assert!(gather.add(b"a", b"b").is_none());
        assert!(gather.add(b"", b"c").is_none());
        let wire = gather.take().expect("two rows are there");
        assert_eq!((wire.rows, wire.bytes.as_ref()), (2, b"abc".as_ref()));
        assert!(gather.take().is_none());
    }
}
