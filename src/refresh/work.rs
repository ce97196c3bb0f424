//! One task of the work graph: rows of a table, an index, a key, statistics.

use super::graph::Work;
use super::run::Shared;
use crate::event::Event;
use crate::load::LoadError;
use crate::load::database;
use crate::outcome::{Labor, TableLoaded};
use crate::pg;
use crate::pg::rowsum::RowSum;
use crate::pipeline::PipelineError;
use std::time::Instant;

/// Makes the server read both sides of a foreign key from their indexes. It knows nothing of the tables yet, and its guess
/// is to look each key up. Holds for the statements it is sent with.
const IN_ORDER: &str =
    "SET LOCAL enable_hashjoin = off; SET LOCAL enable_nestloop = off; SET LOCAL random_page_cost = 1";

impl Shared {
    /// What a piece of work is, for the timeline.
    pub(super) fn called(&self, work: &Work) -> (Labor, String) {
        match work {
            Work::Load { table, .. } => (Labor::Load, self.tables[*table].full_name()),
            Work::Entry(index) | Work::AddForeignKey { entry: index, .. } => {
                (Labor::Build, self.objects.post[*index].label())
            }
            Work::Validate { label, .. } => (Labor::Build, label.clone()),
            // As it is told everywhere else: without quotes.
            Work::Analyze { table } => {
                let name = table.trim_matches('"').replace("\".\"", ".").replace("\"\"", "\"");
                (Labor::Analyze, name)
            }
        }
    }

    pub(super) async fn run(&self, work: Work, unlogged: bool) -> Result<(), PipelineError> {
        match work {
            Work::Load { table, first, last, number, freeze } => {
                self.load(table, first..=last, number, freeze && !unlogged).await
            }
            Work::Entry(index) => {
                let session = self.sessions.take().await?;
                database::run_entry(&session, &self.objects.post[index]).await?;
                self.sessions.give(session);
                Ok(())
            }
            Work::AddForeignKey { entry, sql } => {
                self.statement(&self.objects.post[entry].label(), "creating", &sql).await
            }
            // Rows of unlogged tables are not frozen, so their indexes do not say enough.
            Work::Validate { label, sql, ordered } if ordered && !unlogged => {
                self.statement(&label, "validating", &format!("{IN_ORDER}; {sql}")).await
            }
            Work::Validate { label, sql, .. } => self.statement(&label, "validating", &sql).await,
            Work::Analyze { table } => self.analyze(&table).await,
        }
    }

    /// Statistics can be made at any time later, and those of a table with a foreign one below it need the foreign server.
    async fn analyze(&self, table: &str) -> Result<(), PipelineError> {
        let session = self.sessions.take().await?;
        if let Err(error) = session.client().batch_execute(&format!("ANALYZE {table}")).await {
            let problem = pg::sql_error(&error);
            if session.is_closed() || problem.sqlstate.starts_with("57") {
                return Err(LoadError::sql(format!("analyzing {table}"), &error).into());
            }
            self.pipeline.events.warn(format!("table {table} could not be analyzed ({problem}); ANALYZE it later"));
        }
        self.sessions.give(session);
        Ok(())
    }

    async fn statement(&self, label: &str, verb: &str, sql: &str) -> Result<(), PipelineError> {
        let session = self.sessions.take().await?;
        let done = session.client().batch_execute(sql).await;
        done.map_err(|error| LoadError::sql(format!("{verb} {label}"), &error))?;
        self.sessions.give(session);
        Ok(())
    }

    async fn load(
        &self,
        index: usize,
        chunks: std::ops::RangeInclusive<usize>,
        number: i32,
        freeze: bool,
    ) -> Result<(), PipelineError> {
        let table = &self.tables[index];
        let began = Instant::now();
        let work = crate::pipeline::Work {
            table,
            masker: &self.maskers[index],
            chunks: table.chunks.get(chunks).unwrap_or_default(),
            number,
            freeze,
            hash: self.hashed[index],
            watch: self.proof.as_ref().map(|proof| &proof.tables()[index]),
        };
        let (read, receipt) = self.pipeline.copy(&work, &self.source, &self.sessions).await?;
        let name = table.full_name();
        let mut loaded = self.loaded.lock().expect("no holder panics");
        *loaded.read.entry(name.clone()).or_default() += read;
        *loaded.stored.entry(name.clone()).or_default() += receipt.rows;
        let sum = loaded.sums.entry(name.clone()).or_insert(Some(RowSum::default()));
        *sum = sum.zip(receipt.sum).map(|(mut all, more)| {
            all.add(&more);
            all
        });
        let entry = loaded
            .tables
            .entry(name.clone())
            .or_insert_with(|| TableLoaded { name: name.clone(), ..TableLoaded::default() });
        entry.rows += receipt.rows;
        entry.bytes += receipt.bytes;
        entry.ms += began.elapsed().as_millis() as u64;
        self.pipeline.events.send(Event::TableLoaded { table: name, rows: receipt.rows, bytes: receipt.bytes });
        Ok(())
    }
}
