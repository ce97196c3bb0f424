//! Joins read, mask and write of one unit of work. The only bridge between tokio and rayon.
//!
//! ```text
//!  tokio: Reader ──Wire──► budget permit ──► rayon: decode → mask → encode ──oneshot──► tokio: Writer ──► receipt
//!                             │                  one job = one batch, no .await             in order
//!                             └──────────────── permit travels with the batch ────────────────────┘
//! ```
//!
//! Batches are masked in parallel and written in the order they were read. Every queue is bounded, and the bytes of all
//! batches in flight stay within the budget: a permit is taken before a job is spawned and given back when its bytes have
//! left for the target.

use crate::buffers::Buffers;
use crate::error::{Diagnose, Exit, Report};
use crate::event::Events;
use crate::extract::postgres::{Deliver, Wire, row_sql};
use crate::extract::{ExtractError, Source, Stop};
use crate::load::postgres::{Load, Receipt, Sessions, Unit};
use crate::load::{LoadError, Sink};
use crate::mask::{MaskError, Masker};
use crate::pg::decode::{self, DecodeError};
use crate::pg::encode::{self, EncodeError};
use crate::pg::rowsum::{RowHasher, RowSum};
use crate::plan::{Chunk, TablePlan};
use crate::proof::{self, Watch};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// Batches of one table between its reader and its writer: enough to keep two cores busy, few enough that a slow target
/// stops the reader at once.
const BATCHES_IN_FLIGHT: usize = 4;
/// Memory of a batch in flight per byte of wire: the wire, the decoded and masked columns, the encoded rows.
const BUDGET_PER_WIRE_BYTE: usize = 3;
/// Tries of one unit before the run gives up.
const ATTEMPTS: u32 = 5;

#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    #[error(transparent)]
    Extract(#[from] ExtractError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("a row of {table} could not be decoded")]
    Decode { table: String, at: Box<RowPlace>, source: DecodeError },
    #[error("a row of {table} could not be masked")]
    Mask { table: String, at: Box<RowPlace>, source: MaskError },
    #[error("a row of {table} could not be encoded")]
    Encode { table: String, at: Box<RowPlace>, source: EncodeError },
    #[error("a masking job of {table} panicked")]
    Panic { table: String },
    #[error("row counts of {table} differ: {read} read, {written} written")]
    Lost { table: String, read: u64, written: u64 },
}

/// Where a row stands in its table: batches mean nothing to a person.
#[derive(Debug)]
pub struct RowPlace {
    chunk: u32,
    chunks: usize,
    /// 1-based row of the chunk.
    row: u64,
    /// The query that finds the row at the source.
    look: String,
}

impl RowPlace {
    fn report(&self, code: &'static str, message: String, why: &str) -> Report {
        let RowPlace { chunk, chunks, row, look } = self;
        let of = if *chunks > 1 { format!(" of chunk {} of {chunks}", chunk + 1) } else { String::new() };
        Report::new(code, message)
            .detail(format!("{why}. It is row {row}{of}."))
            .hint(format!("Find the row at the source, if it has not moved since the snapshot:\n{look}"))
    }
}

/// The rows of a chunk that came before a batch.
#[derive(Clone, Copy)]
struct Origin {
    chunk: Chunk,
    before: u64,
}

impl Origin {
    fn place(self, table: &TablePlan, row: usize) -> Box<RowPlace> {
        let row = self.before + row as u64;
        let look = row_sql(table, &self.chunk, row);
        Box::new(RowPlace { chunk: self.chunk.number, chunks: table.chunks.len(), row: row + 1, look })
    }
}

impl PipelineError {
    fn is_transient(&self) -> bool {
        match self {
            PipelineError::Extract(error) => error.is_transient(),
            PipelineError::Load(error) => error.is_transient(),
            _ => false,
        }
    }
}

impl Diagnose for PipelineError {
    fn exit(&self) -> Exit {
        match self {
            PipelineError::Extract(error) => error.exit(),
            PipelineError::Load(error) => error.exit(),
            PipelineError::Decode { .. } => Exit::Source,
            PipelineError::Mask { .. } | PipelineError::Encode { .. } => Exit::Source,
            PipelineError::Panic { .. } | PipelineError::Lost { .. } => Exit::Internal,
        }
    }

    fn reports(&self) -> Vec<Report> {
        let message = self.to_string();
        let report = match self {
            PipelineError::Extract(error) => return error.reports(),
            PipelineError::Load(error) => return error.reports(),
            PipelineError::Decode { at, source, .. } => {
                let field = source.field.map(|field| format!(", field {}", field + 1)).unwrap_or_default();
                at.report("source::decode", message, &format!("As it came from the server{field}: {}", source.kind))
            }
            PipelineError::Mask { at, source, .. } => {
                at.report("source::mask", message, &format!("Column \"{}\": {}", source.column, source.reason))
            }
            PipelineError::Encode { at, source, .. } => {
                let why = match source {
                    EncodeError::Range { .. } => "A mask is outside what PostgreSQL can store".to_owned(),
                    other => other.to_string(),
                };
                at.report("source::encode", message, &why)
            }
            PipelineError::Panic { .. } => Report::new("internal::panic", message)
                .hint("This is a defect of restage. The place is in the log; the value is not."),
            PipelineError::Lost { .. } => Report::new("internal::row-count", message),
        };
        vec![report]
    }
}

/// Bytes that all batches in flight may hold, in KiB permits.
#[derive(Clone)]
pub struct Budget {
    permits: Arc<Semaphore>,
    total_kib: u32,
}

impl Budget {
    /// `bytes` is the memory for batches; half of `--memory` is left to connections, indexes and the rest.
    pub fn new(bytes: u64) -> Self {
        let total_kib =
            u32::try_from(bytes / 1024).unwrap_or(u32::MAX).clamp(1024, (Semaphore::MAX_PERMITS >> 4) as u32);
        Self { permits: Arc::new(Semaphore::new(total_kib as usize)), total_kib }
    }

    /// Waits until `wire` bytes fit. One batch larger than everything takes everything: it runs alone.
    async fn take(&self, wire: usize) -> OwnedSemaphorePermit {
        let kib = u32::try_from(wire.saturating_mul(BUDGET_PER_WIRE_BYTE) / 1024 + 1).unwrap_or(u32::MAX);
        Arc::clone(&self.permits)
            .acquire_many_owned(kib.min(self.total_kib))
            .await
            .expect("the semaphore is never closed")
    }
}

/// What every unit of a run shares.
pub struct Pipeline {
    pub pool: rayon::ThreadPool,
    pub budget: Budget,
    pub buffers: Buffers,
    pub events: Events,
    pub stop: Stop,
    pub run: String,
}

/// One unit of work: chunks that are committed together.
pub struct Work<'a> {
    pub table: &'a Arc<TablePlan>,
    pub masker: &'a Arc<Masker>,
    pub chunks: &'a [Chunk],
    /// Receipt number.
    pub number: i32,
    pub freeze: bool,
    /// What is to be learned of the values; none: nothing.
    pub watch: Option<&'a Arc<Watch>>,
    /// Hash the rows on their way.
    pub hash: bool,
}

impl Pipeline {
    /// Copies the chunks of `work` in one target transaction; tries again when a connection or server went away.
    ///
    /// Returns the rows the source sent and the receipt of what the target stored.
    ///
    /// # Errors
    /// The first error that is not transient, or the last of five tries.
    pub async fn copy(
        &self,
        work: &Work<'_>,
        source: &Source,
        sessions: &Sessions,
    ) -> Result<(u64, Receipt), PipelineError> {
        let mut tries = Tries::default();
        let mut before: Option<Arc<proof::Unit>> = None;
        loop {
            let progress = Progress::start(&self.events);
            let seen = work.watch.map(Watch::unit);
            match self.stop.race(self.load(work, source, sessions, &progress, seen.as_ref())).await {
                Ok(done) => {
                    progress.keep();
                    // A try that found the receipt of the one before it has read nothing itself.
                    let stored = [seen, before].into_iter().flatten().find(|seen| seen.rows() == done.0);
                    if let Some(stored) = stored {
                        stored.keep();
                    }
                    return Ok(done);
                }
                Err(error) => tries.again(self, work, error).await?,
            }
            before = seen;
        }
    }

    async fn load(
        &self,
        work: &Work<'_>,
        source: &Source,
        sessions: &Sessions,
        progress: &Progress<'_>,
        seen: Option<&Arc<proof::Unit>>,
    ) -> Result<(u64, Receipt), PipelineError> {
        let table = work.table;
        let load = Load { table, run: &self.run, chunk: work.number, freeze: work.freeze };
        let session = sessions.take().await?;
        // A COMMIT whose answer was lost left its receipt; rows then were counted by the server already.
        if let Some(receipt) = load.receipt(&session).await? {
            sessions.give(session);
            return Ok((receipt.rows, receipt));
        }
        let writer = load.begin(session).await?;
        let (read, _, writer) = self.stream(work, source, progress, seen, writer).await?;
        let (session, receipt) = writer.commit().await?;
        sessions.give(session);
        if receipt.rows != read {
            return Err(PipelineError::Lost { table: table.full_name(), read, written: receipt.rows });
        }
        Ok((read, receipt))
    }

    /// Copies the chunks of `work` into a sink, which `open` makes anew for every try. Returns the rows and the sink.
    ///
    /// # Errors
    /// As [`Pipeline::copy`].
    pub async fn export<S: Sink>(
        &self,
        work: &Work<'_>,
        source: &Source,
        open: impl Fn() -> Result<S, LoadError> + Send + Sync,
    ) -> Result<(u64, S), PipelineError> {
        let mut tries = Tries::default();
        loop {
            let progress = Progress::start(&self.events);
            let seen = work.watch.map(Watch::unit);
            let streamed = async { self.stream(work, source, &progress, seen.as_ref(), open()?).await };
            match self.stop.race(streamed).await {
                Ok((read, written, sink)) if read == written => {
                    progress.keep();
                    if let Some(seen) = seen {
                        seen.keep();
                    }
                    return Ok((read, sink));
                }
                Ok((read, written, _)) => {
                    return Err(PipelineError::Lost { table: work.table.full_name(), read, written });
                }
                Err(error) => tries.again(self, work, error).await?,
            }
        }
    }

    /// Reads, masks and writes; returns the rows read, the rows written, and the sink.
    async fn stream<S: Sink>(
        &self,
        work: &Work<'_>,
        source: &Source,
        progress: &Progress<'_>,
        seen: Option<&Arc<proof::Unit>>,
        mut sink: S,
    ) -> Result<(u64, u64, S), PipelineError> {
        let table = work.table;
        let (sender, mut receiver) = mpsc::channel::<Pending>(BATCHES_IN_FLIGHT);
        // Set anew before each chunk.
        let nowhere = Chunk { number: 0, start: None, end: None, bytes: 0 };
        let mut feed = Feed { pipeline: self, work, sender, seen, origin: Origin { chunk: nowhere, before: 0 } };
        let reading = async move {
            let mut read = 0;
            for chunk in work.chunks {
                feed.origin = Origin { chunk: *chunk, before: 0 };
                read += source.read(table, chunk, &mut feed).await?;
            }
            Ok::<u64, PipelineError>(read)
        };
        let writing = async {
            let mut written = 0;
            while let Some(pending) = receiver.recv().await {
                let unit = pending.await.map_err(|_| PipelineError::Panic { table: table.full_name() })??;
                progress.add(unit.rows, unit.bytes.len() as u64);
                written += unit.rows;
                sink.write(unit).await?;
            }
            Ok::<_, PipelineError>((written, sink))
        };
        tokio::pin!(reading, writing);
        // The writer's error wins: the reader only sees that nobody takes its batches any more.
        let (read, (written, sink)) = tokio::select! {
            biased;
            written = &mut writing => { let written = written?; (reading.await?, written) }
            read = &mut reading => { let read = read?; (read, writing.await?) }
        };
        Ok((read, written, sink))
    }

    /// Hands one batch to the pool; a table without masks is passed on as it came.
    async fn spawn(&self, work: &Work<'_>, seen: Option<&Arc<proof::Unit>>, origin: Origin, wire: Wire) -> Pending {
        let permit = self.budget.take(wire.bytes.len()).await;
        let (sender, receiver) = oneshot::channel();
        if work.table.layout.opaque() && !work.hash {
            let unit = Unit { rows: wire.rows, bytes: wire.bytes, sum: None, permit: Some(permit) };
            let _ = sender.send(Ok(unit));
            return receiver;
        }
        let hash = work.hash;
        let (table, masker, buffers) = (Arc::clone(work.table), Arc::clone(work.masker), self.buffers.clone());
        let seen = seen.cloned();
        self.pool.spawn(move || {
            // A panic must not take the process down with a half-written message; its payload may hold a value and is
            // dropped. The closed channel tells the writer.
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let (rows, bytes) = match table.layout.opaque() {
                    true => (wire.rows, wire.bytes),
                    false => mask(&table, &masker, seen.as_deref(), &buffers, origin, wire)?,
                };
                let sum = if hash && !masker.moves_keys() { sum(&table, &bytes) } else { None };
                Ok((rows, bytes, sum))
            }));
            if let Ok(done) = done {
                let unit = |(rows, bytes, sum)| Unit { rows, bytes, sum, permit: Some(permit) };
                let _ = sender.send(done.map(unit));
            }
        });
        receiver
    }
}

/// Counts the tries of one unit and the pause before the next.
struct Tries {
    number: u32,
    pause: std::time::Duration,
}

impl Default for Tries {
    fn default() -> Self {
        Self { number: 1, pause: std::time::Duration::from_millis(200) }
    }
}

impl Tries {
    /// Waits for the next try, if the error is transient and there is one left.
    async fn again(&mut self, pipeline: &Pipeline, work: &Work<'_>, error: PipelineError) -> Result<(), PipelineError> {
        if !error.is_transient() || self.number >= ATTEMPTS {
            return Err(error);
        }
        pipeline.events.note(format!("{}: trying again ({error})", work.table.full_name()));
        tokio::select! {
            error = pipeline.stop.stopped() => return Err(error.into()),
            () = tokio::time::sleep(self.pause) => {}
        }
        self.pause = (self.pause * 3).min(std::time::Duration::from_secs(10));
        self.number += 1;
        Ok(())
    }
}

/// Hands wires to the pool and their results, in order, to the writer.
struct Feed<'a> {
    pipeline: &'a Pipeline,
    work: &'a Work<'a>,
    sender: mpsc::Sender<Pending>,
    seen: Option<&'a Arc<proof::Unit>>,
    origin: Origin,
}

impl Deliver for Feed<'_> {
    type Error = PipelineError;

    async fn deliver(&mut self, wire: Wire) -> Result<(), PipelineError> {
        let rows = wire.rows;
        let pending = self.pipeline.spawn(self.work, self.seen, self.origin, wire).await;
        self.origin.before += rows;
        // A closed channel means the writer failed; its error is the one that is told.
        self.sender.send(pending).await.map_err(|_| self.pipeline.stop.error().into())
    }
}

type Pending = oneshot::Receiver<Result<Unit, PipelineError>>;

/// Hashes the rows of a batch; none if they are no rows, which the target will say.
fn sum(table: &TablePlan, bytes: &[u8]) -> Option<RowSum> {
    let columns = table.columns.iter().map(|column| column.name.as_str());
    RowHasher::new(&table.target_schema, &table.target_name, columns, table.format).rows(bytes)
}

/// The hot path: wire bytes in, masked wire bytes out. No I/O, no await; no lock but the short one of what was seen.
fn mask(
    table: &TablePlan,
    masker: &Masker,
    seen: Option<&proof::Unit>,
    buffers: &Buffers,
    origin: Origin,
    wire: Wire,
) -> Result<(u64, Bytes), PipelineError> {
    let rows = wire.rows;
    let at = |row: usize| (table.full_name(), origin.place(table, row));
    // Masks are about as long as values; a little more room than the wire saves the copy of growing.
    let mut out = buffers.take(wire.bytes.len() + wire.bytes.len() / 8);
    let raw = decode::decode(table.format, &table.layout, wire.bytes).map_err(|source| {
        let (table, at) = at(source.row);
        PipelineError::Decode { table, at, source }
    })?;
    let before = seen.map(|seen| (seen, raw.columns.clone()));
    let masked = masker.apply(raw).map_err(|source| {
        let (table, at) = at(source.row);
        PipelineError::Mask { table, at, source }
    })?;
    if let Some((seen, before)) = before {
        seen.see(masked.rows(), &before, masked.columns());
    }
    encode::encode(table.format, &table.layout, &masked, &mut out).map_err(|source| {
        let row = if let EncodeError::Range { row, .. } = source { row } else { 0 };
        let (table, at) = at(row);
        PipelineError::Encode { table, at, source }
    })?;
    Ok((rows, buffers.share(out)))
}

/// Counts of one attempt; taken back if it fails, so that the bar never shows rows that are not there.
struct Progress<'a> {
    events: &'a Events,
    rows: AtomicU64,
    bytes: AtomicU64,
    kept: AtomicBool,
}

impl<'a> Progress<'a> {
    fn start(events: &'a Events) -> Self {
        Self { events, rows: AtomicU64::new(0), bytes: AtomicU64::new(0), kept: AtomicBool::new(false) }
    }

    fn add(&self, rows: u64, bytes: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.events.counters().add(rows, bytes);
    }

    fn keep(&self) {
        self.kept.store(true, Ordering::Relaxed);
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if !self.kept.load(Ordering::Relaxed) {
            let (rows, bytes) = (self.rows.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed));
            self.events.counters().add(rows.wrapping_neg(), bytes.wrapping_neg());
        }
    }
}
