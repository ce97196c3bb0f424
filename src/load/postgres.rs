//! Writes units into the loaded database: COPY and receipt in one transaction.

use super::{LoadError, Sink, database};
use crate::pg::rowsum::RowSum;
use crate::pg::types::Format;
use crate::pg::{self, Conninfo, TargetSession};
use crate::plan::TablePlan;
use bytes::Bytes;
use futures_util::SinkExt;
use std::pin::Pin;
use tokio_postgres::CopyInSink;

/// One piece of encoded, masked rows on its way to the target.
pub struct Unit {
    pub rows: u64,
    pub bytes: Bytes,
    /// The rows hashed, if they were.
    pub sum: Option<RowSum>,
    /// Memory of the batch; given back when the unit has left.
    pub permit: Option<tokio::sync::OwnedSemaphorePermit>,
}

/// What a committed unit of work left in the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    pub rows: u64,
    pub bytes: u64,
    /// None: some of the rows were not hashed.
    pub sum: Option<RowSum>,
}

/// A load that is one transaction: all chunks of a table, or one of them.
pub struct Load<'a> {
    pub table: &'a TablePlan,
    pub run: &'a str,
    /// Receipt number: the chunk's, or 0 for a whole table.
    pub chunk: i32,
    /// Truncate first and freeze the rows: only for a whole table that nothing else writes to.
    pub freeze: bool,
}

/// An open COPY into the target.
pub struct Writer<'a> {
    load: &'a Load<'a>,
    session: TargetSession,
    sink: Pin<Box<CopyInSink<Bytes>>>,
    sent_rows: u64,
    sent_bytes: u64,
    sum: Option<RowSum>,
}

impl Load<'_> {
    fn what(&self) -> String {
        format!("loading {}", self.table.full_name())
    }

    /// The receipt of an earlier, committed attempt.
    ///
    /// # Errors
    /// The error of the server.
    pub async fn receipt(&self, session: &TargetSession) -> Result<Option<Receipt>, LoadError> {
        let row = session
            .client()
            .query_opt(
                "SELECT rows, bytes, sum FROM restage.chunk WHERE run = $1 AND \"table\" = $2 AND chunk = $3",
                &[&self.run, &self.table.full_name(), &self.chunk],
            )
            .await
            .map_err(|error| LoadError::sql(self.what(), &error))?;
        Ok(row.map(|row| Receipt {
            rows: row.get::<_, i64>(0) as u64,
            bytes: row.get::<_, i64>(1) as u64,
            sum: row.get::<_, Option<&[u8]>>(2).and_then(RowSum::from_bytes),
        }))
    }

    /// Opens the transaction and the COPY.
    ///
    /// # Errors
    /// The error of the server; the session is given up with it.
    pub async fn begin<'a>(&'a self, session: TargetSession) -> Result<Writer<'a>, LoadError> {
        let table = self.table;
        let name = pg::quote_qualified(&table.target_schema, &table.target_name);
        let begin = if self.freeze { format!("BEGIN; TRUNCATE ONLY {name}") } else { "BEGIN".to_owned() };
        session.client().batch_execute(&begin).await.map_err(|error| LoadError::sql(self.what(), &error))?;
        let mut copy = format!("COPY {name}");
        if !table.columns.is_empty() {
            let columns: Vec<String> = table.columns.iter().map(|column| pg::quote_ident(&column.name)).collect();
            copy.push_str(&format!(" ({})", columns.join(", ")));
        }
        copy.push_str(" FROM STDIN (FORMAT ");
        copy.push_str(if table.format == Format::Binary { "binary" } else { "text" });
        copy.push_str(if self.freeze { ", FREEZE)" } else { ")" });
        let sink = session.client().copy_in(&copy).await.map_err(|error| LoadError::sql(self.what(), &error))?;
        let mut writer = Writer {
            load: self,
            session,
            sink: Box::pin(sink),
            sent_rows: 0,
            sent_bytes: 0,
            sum: Some(RowSum::default()),
        };
        if table.format == Format::Binary {
            writer.send(Bytes::from_static(&pg::decode::HEADER)).await?;
        }
        Ok(writer)
    }
}

/// Largest piece handed to the connection at once (DEPENDENCIES: 64–512 KiB).
const PIECE_BYTES: usize = 512 * 1024;

impl Writer<'_> {
    async fn send(&mut self, bytes: Bytes) -> Result<(), LoadError> {
        self.sink.send(bytes).await.map_err(|error| LoadError::sql(self.load.what(), &error))
    }

    /// Ends the COPY, writes the receipt and commits. Returns the session for the next load.
    ///
    /// # Errors
    /// [`LoadError::Counts`] if the target stored another number of rows than was sent, else the error of the server.
    pub async fn commit(mut self) -> Result<(TargetSession, Receipt), LoadError> {
        if self.load.table.format == Format::Binary {
            self.send(Bytes::from_static(&pg::decode::TRAILER)).await?;
        }
        let what = self.load.what();
        let stored = self.sink.as_mut().finish().await.map_err(|error| LoadError::sql(&what, &error))?;
        if stored != self.sent_rows {
            return Err(LoadError::Counts {
                table: self.load.table.full_name(),
                source_rows: self.sent_rows,
                target_rows: stored,
            });
        }
        let receipt = Receipt { rows: self.sent_rows, bytes: self.sent_bytes, sum: self.sum };
        let client = self.session.client();
        let written = async {
            client
                .execute(
                    "INSERT INTO restage.chunk (run, \"table\", chunk, rows, bytes, sum) VALUES ($1, $2, $3, $4, $5, $6)",
                    &[
                        &self.load.run,
                        &self.load.table.full_name(),
                        &self.load.chunk,
                        &(receipt.rows as i64),
                        &(receipt.bytes as i64),
                        &receipt.sum.map(|sum| sum.to_bytes().to_vec()),
                    ],
                )
                .await?;
            client.batch_execute("COMMIT").await
        };
        written.await.map_err(|error| LoadError::sql(&what, &error))?;
        Ok((self.session, receipt))
    }
}

impl Sink for Writer<'_> {
    async fn write(&mut self, unit: Unit) -> Result<(), LoadError> {
        let Unit { rows, mut bytes, sum, permit } = unit;
        self.sent_rows += rows;
        self.sent_bytes += bytes.len() as u64;
        self.sum = self.sum.zip(sum).map(|(mut all, more)| {
            all.add(&more);
            all
        });
        while bytes.len() > PIECE_BYTES {
            let piece = bytes.split_to(PIECE_BYTES);
            self.send(piece).await?;
        }
        if !bytes.is_empty() {
            self.send(bytes).await?;
        }
        drop(permit);
        Ok(())
    }
}

/// A handful of sessions on the loaded database, reused between tasks.
pub struct Sessions {
    info: Conninfo,
    application: String,
    owner: Option<String>,
    idle: std::sync::Mutex<Vec<TargetSession>>,
}

impl Sessions {
    /// `owner`: the role the sessions act as, if it is not their own.
    pub fn new(info: Conninfo, application: String, owner: Option<String>) -> Self {
        Self { info, application, owner, idle: std::sync::Mutex::default() }
    }

    /// A session without an open transaction.
    ///
    /// # Errors
    /// As [`database::open`].
    pub async fn take(&self) -> Result<TargetSession, LoadError> {
        loop {
            let idle = self.idle.lock().expect("no holder panics").pop();
            match idle {
                Some(session) if !session.is_closed() => return Ok(session),
                Some(_) => {}
                None => return database::open(&self.info, &self.application, self.owner.as_deref()).await,
            }
        }
    }

    /// Gives a session back. One that failed is dropped instead: its transaction ends with it.
    pub fn give(&self, session: TargetSession) {
        self.idle.lock().expect("no holder panics").push(session);
    }

    /// Closes all idle sessions and waits until the server has let them go, because a rename waits for nobody.
    pub async fn close(&self) {
        let idle = std::mem::take(&mut *self.idle.lock().expect("no holder panics"));
        for session in idle {
            session.close().await;
        }
    }
}
