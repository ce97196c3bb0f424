//! Reads the rows of a masked snapshot: Parquet in, COPY text out.

use super::postgres::{Deliver, WIRE_BYTES, Wire};
use super::{ExtractError, Stop};
use crate::artefact::columns::{self, Stored};
use crate::artefact::{ArtefactError, Part, TableEntry};
use crate::plan::{Chunk, TablePlan};
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int32Type, Int64Type};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

/// Rows that are decoded at once: about as many bytes as a wire, so that long values stay within the memory budget.
const BATCH_BYTES: usize = 1 << 20;
const BATCH_ROWS_MAX: usize = 8192;
/// Wires between the thread that decodes and the pipeline.
const WIRES_AHEAD: usize = 2;

/// Reads parts of tables, from any number of tasks. The folder was verified before.
pub struct Reader {
    folder: PathBuf,
    tables: BTreeMap<String, TableEntry>,
    stop: Stop,
}

impl Reader {
    pub fn new(folder: PathBuf, tables: &[TableEntry], stop: Stop) -> Self {
        let tables = tables.iter().map(|table| (table.full_name(), table.clone())).collect();
        Self { folder, tables, stop }
    }

    /// Reads one part, the one with the number of the chunk, and hands its rows, in order, to `deliver`.
    ///
    /// # Errors
    /// [`ExtractError::Artefact`] if the part does not hold what the manifest tells; errors of `deliver` pass through.
    pub async fn read<D: Deliver>(&self, table: &TablePlan, chunk: &Chunk, deliver: &mut D) -> Result<u64, D::Error> {
        let name = table.full_name();
        let Some(entry) = self.tables.get(&name) else {
            let error = ArtefactError::Rows { path: self.folder.clone(), detail: format!("It has no table {name}.") };
            return Err(ExtractError::Artefact(error).into());
        };
        if entry.columns.is_empty() {
            return self.empty_rows(entry.rows, deliver).await;
        }
        let Some(part) = entry.parts.get(chunk.number as usize).cloned() else { return Ok(0) };
        let stored: Vec<Stored> = entry.columns.iter().map(|column| column.stored.clone()).collect();
        let (sender, mut receiver) = mpsc::channel(WIRES_AHEAD);
        let (folder, expected) = (self.folder.clone(), part.rows);
        let reading = tokio::task::spawn_blocking(move || decode(&folder, &part, &stored, &sender));
        let mut rows = 0;
        while let Some(wire) = receiver.recv().await {
            if self.stop.is_stopped() {
                return Err(self.stop.error().into());
            }
            let wire: Wire = wire;
            rows += wire.rows;
            deliver.deliver(wire).await?;
        }
        match reading.await {
            Ok(Ok(())) if rows == expected => Ok(rows),
            Ok(Ok(())) => {
                let detail = format!("{rows} rows of {name} instead of {expected}.");
                Err(ExtractError::Artefact(ArtefactError::Rows { path: self.folder.clone(), detail }).into())
            }
            Ok(Err(error)) => Err(ExtractError::Artefact(error).into()),
            Err(_) => {
                let detail = format!("Reading {name} ended in a panic.");
                Err(ExtractError::Artefact(ArtefactError::Rows { path: self.folder.clone(), detail }).into())
            }
        }
    }

    /// A table without columns has rows all the same, and no file.
    async fn empty_rows<D: Deliver>(&self, rows: u64, deliver: &mut D) -> Result<u64, D::Error> {
        let mut left = rows;
        while left > 0 {
            let now = left.min(WIRE_BYTES as u64);
            deliver.deliver(Wire { rows: now, bytes: vec![b'\n'; now as usize].into() }).await?;
            left -= now;
        }
        Ok(rows)
    }
}

fn wrong(path: &Path) -> impl Fn(String) -> ArtefactError + '_ {
    move |detail| ArtefactError::Rows { path: path.to_owned(), detail }
}

/// Opens a file so that a batch of it is about [`BATCH_BYTES`].
fn open(path: &Path) -> Result<ParquetRecordBatchReader, ArtefactError> {
    let file = File::open(path).map_err(|source| ArtefactError::Read { path: path.to_owned(), source })?;
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(file).map_err(|_| wrong(path)("It is no Parquet file.".to_owned()))?;
    let groups = builder.metadata().row_groups();
    let sum = |of: fn(&parquet::file::metadata::RowGroupMetaData) -> i64| -> i64 { groups.iter().map(of).sum() };
    let (rows, bytes) = (sum(|group| group.num_rows()).max(1), sum(|group| group.total_byte_size()).max(1));
    let row_bytes = usize::try_from(bytes / rows).unwrap_or(0).max(1);
    let batch = (BATCH_BYTES / row_bytes).clamp(1, BATCH_ROWS_MAX);
    builder.with_batch_size(batch).build().map_err(|_| wrong(path)("It cannot be read as Parquet.".to_owned()))
}

/// Decodes a part and sends it as wires. Ends early if nobody takes them any more.
fn decode(folder: &Path, part: &Part, stored: &[Stored], sender: &mpsc::Sender<Wire>) -> Result<(), ArtefactError> {
    let path = folder.join(&part.file);
    let mut exceptions = Exceptions::open(folder, part)?;
    let mut first = 0;
    for batch in open(&path)? {
        // The text of the library may quote a value.
        let batch = batch.map_err(|_| wrong(&path)("A row group cannot be read.".to_owned()))?;
        let mut bytes = Vec::with_capacity(WIRE_BYTES);
        columns::put_rows(&batch, stored, first, |row, column| exceptions.take(row, column), &mut bytes)
            .map_err(|column| wrong(&path)(format!("Column {column} has another type.")))?;
        first += batch.num_rows() as u64;
        if let Some(error) = exceptions.error.take() {
            return Err(error);
        }
        if sender.blocking_send(Wire { rows: batch.num_rows() as u64, bytes: bytes.into() }).is_err() {
            return Ok(());
        }
    }
    exceptions.end()
}

/// The exceptions of a part, in the order of rows and columns.
struct Exceptions {
    path: PathBuf,
    reader: Option<ParquetRecordBatchReader>,
    batch: Option<RecordBatch>,
    at: usize,
    error: Option<ArtefactError>,
}

impl Exceptions {
    fn open(folder: &Path, part: &Part) -> Result<Self, ArtefactError> {
        let path = folder.join(part.exceptions.as_deref().unwrap_or_default());
        let reader = part.exceptions.as_ref().map(|_| open(&path)).transpose()?;
        Ok(Self { path, reader, batch: None, at: 0, error: None })
    }

    /// Loads the next batch if this one is used up.
    fn fill(&mut self) {
        while self.batch.as_ref().is_none_or(|batch| self.at >= batch.num_rows()) {
            let Some(next) = self.reader.as_mut().and_then(Iterator::next) else {
                self.batch = None;
                return;
            };
            let sound = |batch: &RecordBatch| {
                let types = ["Int64", "Int32", "Utf8"];
                batch.num_columns() == types.len()
                    && batch.columns().iter().zip(types).all(|(array, name)| array.data_type().to_string() == name)
            };
            match next {
                Ok(batch) if sound(&batch) => (self.batch, self.at) = (Some(batch), 0),
                _ => {
                    self.error = Some(wrong(&self.path)("Its exceptions cannot be read.".to_owned()));
                    (self.batch, self.reader) = (None, None);
                    return;
                }
            }
        }
    }

    fn take(&mut self, row: u64, column: u32) -> Option<String> {
        self.fill();
        let batch = self.batch.as_ref()?;
        let here = (
            batch.column(0).as_primitive::<Int64Type>().value(self.at) as u64,
            batch.column(1).as_primitive::<Int32Type>().value(self.at) as u32,
        );
        if here != (row, column) {
            return None;
        }
        let text = batch.column(2).as_string::<i32>().value(self.at).to_owned();
        self.at += 1;
        Some(text)
    }

    /// Every exception must have found its place.
    fn end(mut self) -> Result<(), ArtefactError> {
        self.fill();
        match (self.error, self.batch) {
            (Some(error), _) => Err(error),
            (None, Some(_)) => Err(wrong(&self.path)("It has exceptions for rows that are not there.".to_owned())),
            (None, None) => Ok(()),
        }
    }
}
