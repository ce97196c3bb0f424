//! Writes masked rows as Parquet: typed columns, zstd, row groups of bounded size.

use super::folder::{Folder, Hashed};
use super::postgres::Unit;
use super::{LoadError, Sink};
use crate::artefact::columns::{Columns, Exception, Fault};
use crate::artefact::{Part, TableEntry};
use arrow_array::{Int32Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use std::sync::Arc;

/// A row group ends with the first of these. The open group of every table that is written is in memory; 100 000 rows are
/// what readers like to work on at once.
const GROUP_BYTES: usize = 16 << 20;
const GROUP_ROWS: usize = 131_072;
/// Level 3 is zstd's own default: twice as fast as 6, and within a few percent of its size on rows.
const ZSTD_LEVEL: i32 = 3;

/// One file of rows in the making, and the file of its exceptions if there are any.
pub struct Writer {
    folder: Arc<Folder>,
    table: String,
    column_names: Vec<String>,
    name: String,
    columns: Columns,
    file: ArrowWriter<Hashed>,
    rows: u64,
    bytes: u64,
    exceptions: Option<ArrowWriter<Hashed>>,
}

fn properties() -> WriterProperties {
    let level = ZstdLevel::try_new(ZSTD_LEVEL).expect("zstd knows its default level");
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_max_row_group_bytes(Some(GROUP_BYTES))
        // The version of the library has no place in files that are compared byte by byte.
        .set_created_by("restage".to_owned())
        .build()
}

/// Columns of a file of exceptions.
pub fn exception_schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![
        Field::new("row", DataType::Int64, false),
        Field::new("column", DataType::Int32, false),
        Field::new("text", DataType::Utf8, false),
    ]))
}

impl Writer {
    /// Opens `<stem>.parquet` for the rows of a table.
    ///
    /// # Errors
    /// [`LoadError::File`].
    pub fn open(folder: &Arc<Folder>, table: &TableEntry, stem: &str) -> Result<Self, LoadError> {
        let columns =
            Columns::new(table.columns.iter().map(|column| (&*column.name, &*column.type_name, &column.stored)));
        let name = format!("tables/{stem}.parquet");
        let file = ArrowWriter::try_new(folder.file(&name)?, columns.schema(), Some(properties()));
        let file = file.map_err(|error| writing(&name, &error))?;
        Ok(Self {
            folder: Arc::clone(folder),
            table: table.full_name(),
            column_names: table.columns.iter().map(|column| column.name.clone()).collect(),
            name,
            columns,
            file,
            rows: 0,
            bytes: 0,
            exceptions: None,
        })
    }

    /// Adds whole rows of COPY text.
    ///
    /// # Errors
    /// [`LoadError::Fault`] for bytes that are no text, [`LoadError::File`].
    pub fn add(&mut self, rows: &[u8]) -> Result<(), LoadError> {
        let mut exceptions = Vec::new();
        let added = self.columns.add(rows, self.rows, &mut exceptions);
        added.map_err(|fault| self.fault(fault))?;
        let count = self.columns.rows() as u64;
        let batch = self.columns.finish();
        self.file.write(&batch).map_err(|error| writing(&self.name, &error))?;
        self.rows += count;
        self.bytes += rows.len() as u64;
        if !exceptions.is_empty() {
            self.except(&exceptions)?;
        }
        Ok(())
    }

    fn fault(&self, fault: Fault) -> LoadError {
        let column = match fault {
            Fault::Fields => None,
            Fault::Escape { column } | Fault::Encoding { column } => self.column_names.get(column).cloned(),
        };
        LoadError::Fault { table: self.table.clone(), column, fault }
    }

    fn exceptions_name(&self) -> String {
        format!("{}.exceptions.parquet", self.name.trim_end_matches(".parquet"))
    }

    fn except(&mut self, exceptions: &[Exception]) -> Result<(), LoadError> {
        let name = self.exceptions_name();
        let file = match &mut self.exceptions {
            Some(file) => file,
            none => {
                let file = ArrowWriter::try_new(self.folder.file(&name)?, exception_schema(), Some(properties()));
                none.insert(file.map_err(|error| writing(&name, &error))?)
            }
        };
        let rows: Int64Array = exceptions.iter().map(|exception| Some(exception.row as i64)).collect();
        let columns: Int32Array = exceptions.iter().map(|exception| Some(exception.column as i32)).collect();
        let texts: StringArray = exceptions.iter().map(|exception| Some(exception.text.as_str())).collect();
        let arrays: Vec<arrow_array::ArrayRef> = vec![Arc::new(rows), Arc::new(columns), Arc::new(texts)];
        let batch = RecordBatch::try_new(exception_schema(), arrays).expect("the arrays are those of the schema");
        file.write(&batch).map_err(|error| writing(&name, &error))
    }

    /// As [`Writer::end`], while other tasks move to other threads.
    ///
    /// # Errors
    /// [`LoadError::File`].
    pub fn close(self) -> Result<(Part, u64), LoadError> {
        aside(|| self.end())
    }

    /// Ends the file; returns its entry and the bytes of the rows as text.
    ///
    /// # Errors
    /// [`LoadError::File`].
    pub fn end(self) -> Result<(Part, u64), LoadError> {
        let exceptions = self.exceptions.is_some().then(|| self.exceptions_name());
        let file = self.file.into_inner().map_err(|error| writing(&self.name, &error))?;
        self.folder.end(&self.name, file)?;
        if let (Some(file), Some(name)) = (self.exceptions, &exceptions) {
            let file = file.into_inner().map_err(|error| writing(name, &error))?;
            self.folder.end(name, file)?;
        }
        Ok((Part { file: self.name, rows: self.rows, exceptions }, self.bytes))
    }
}

/// Runs work on a file while other tasks move to other threads: milliseconds for a unit, more where a row group ends.
#[expect(
    clippy::disallowed_methods,
    reason = "a file is written in order and waits for the disk: no work for the pool"
)]
fn aside<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

/// The library tells of the file, never of a value: it is only writing.
fn writing(name: &str, error: &ParquetError) -> LoadError {
    LoadError::File { path: name.into(), source: std::io::Error::other(error.to_string()) }
}

impl Sink for Writer {
    async fn write(&mut self, unit: Unit) -> Result<(), LoadError> {
        aside(|| self.add(&unit.bytes))
    }
}
