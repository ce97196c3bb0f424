//! What the run writes into the database it is about to publish: who made it, when, from what, and what is in it.

use super::run::{Run, Shared};
use super::{Job, Prepared};
use crate::config::{HookPoint, Rows};
use crate::error::Failure;
use crate::load::LoadError;
use crate::outcome::RefreshOutcome;
use crate::pg::Conninfo;
use crate::verify::record::{self, Counted};
use std::collections::BTreeMap;

impl Run {
    /// Writes the run's row and what it has loaded, and shrinks our schema to that.
    pub(super) async fn record(
        &self,
        prepared: &Prepared,
        shared: &Shared,
        outcome: &RefreshOutcome,
    ) -> Result<(), Failure> {
        let job = &self.job;
        let session = shared.sessions.take().await?;
        self.note_contents(prepared, shared).await?;
        self.note_previous().await;
        let record = job.ledger.read();
        let (by, previous) = (record.by, record.previous);
        let gates = serde_json::to_string(&outcome.gates).unwrap_or_else(|_| "[]".to_owned());
        session
            .client()
            .execute(
                "INSERT INTO restage.run SELECT $1, $1, $2, $3, $4::text::timestamptz, $5, $6, $7, $8, $9, $10, $11, $12, \
                 now() - $13::bigint * interval '1 millisecond', now(), $14, $15, $16, $17::text::jsonb, $18, $19, $20, $21, $22",
                &[
                    &job.run.as_str(),
                    &prepared.source,
                    &outcome.snapshot_lsn,
                    &outcome.snapshot_time,
                    &job.key_id,
                    &job.realm,
                    &job.config_hash,
                    &prepared.plan.hash,
                    &(prepared.mask_version as i32),
                    &env!("CARGO_PKG_VERSION"),
                    &job.os_user,
                    &job.host,
                    &(outcome.totals.ms as i64),
                    &(outcome.totals.tables as i32),
                    &(outcome.totals.rows as i64),
                    &(outcome.totals.bytes as i64),
                    &gates,
                    &by.lock_hash,
                    &by.policy.as_ref().map(|policy| policy.commit.as_str()),
                    &by.policy.as_ref().map(|policy| policy.changed),
                    &previous.as_ref().map(|previous| previous.release.as_str()),
                    &previous.as_ref().and_then(|previous| previous.manifest.as_deref()),
                ],
            )
            .await
            .map_err(|error| LoadError::sql("recording the run", &error))?;
        record::write(&session, loaded(&self.job, prepared, shared)).await?;
        session
            .client()
            .batch_execute("DROP TABLE restage.chunk; SET synchronous_commit = on; SELECT pg_catalog.txid_current()")
            .await
            .map_err(|error| LoadError::sql("recording the run", &error))?;
        shared.sessions.give(session);
        Ok(())
    }

    /// Writes down again what the database holds, if there are hooks of this point that may have changed it.
    pub(super) async fn write_down_after(&self, point: HookPoint, info: &Conninfo) -> Result<(), Failure> {
        if !self.job.hooks.iter().any(|hook| hook.at == point) {
            return Ok(());
        }
        let session = self.session(info).await?;
        record::write(&session, None).await?;
        self.note_contents_again(&session).await?;
        session.close().await;
        Ok(())
    }
}

/// The rows of every table by the receipts; none if hooks were at work after the load.
fn loaded(job: &Job, prepared: &Prepared, shared: &Shared) -> Option<Vec<Counted>> {
    if job.hooks.iter().any(|hook| matches!(hook.at, HookPoint::BeforeLoad | HookPoint::AfterLoad)) {
        return None;
    }
    let loaded = shared.loaded.lock().expect("no holder panics");
    let mut tables: BTreeMap<(&str, &str), Counted> = BTreeMap::new();
    for table in &prepared.plan.tables {
        let tree = (&table.schema, &table.name) != (&table.target_schema, &table.target_name);
        let (schema, name) = (table.target_schema.as_str(), table.target_name.as_str());
        let counted = tables.entry((schema, name)).or_insert_with(|| Counted {
            schema: schema.to_owned(),
            name: name.to_owned(),
            rows: 0,
            tree,
        });
        if table.rows != Rows::None {
            counted.rows += loaded.stored.get(&table.full_name()).copied().unwrap_or(0) as i64;
        }
    }
    Some(tables.into_values().collect())
}
