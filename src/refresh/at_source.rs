//! What the run reads of the source beside its rows: sequences, structure, and its definitions.

use super::Job;
use crate::catalog::{self, Catalog};
use crate::config::Rows;
use crate::error::Failure;
use crate::extract::ExtractError;
use crate::extract::snapshot::{self, Snapshot};
use crate::load::database::{self, SequenceValue};
use crate::mask::Shape;
use crate::outcome::EstimateView;
use crate::pg::{self, types};
use crate::plan::{self, Plan, equal_ids};
use crate::verify::{OrphanQuery, Referring, Structure, estimates};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the snapshot session reads once, before rows are copied.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct AtSource {
    pub sequences: BTreeMap<u32, SequenceValue>,
    pub structure: Structure,
    /// Materialized views that hold rows, in an order in which they can be refreshed.
    pub populated: Vec<(String, String)>,
    /// The declared references, and how many rows of each point nowhere among those that are copied.
    pub references: Vec<OrphanQuery>,
    pub orphans: Vec<i64>,
    /// What the planner expects of the queries of `[[verify.query]]`, by name.
    #[serde(default)]
    pub estimates: BTreeMap<String, EstimateView>,
}

impl AtSource {
    /// Reads it under the snapshot.
    pub(super) async fn read(job: &Job, plan: &Plan, catalog: &Catalog, snapshot: &Snapshot) -> Result<Self, Failure> {
        let reader = snapshot.ids().reader().await?;
        let session = reader.session();
        let reading = |error| ExtractError::sql("reading sequences and constraints", &error);
        let values = database::sequence_values(session.client(), &plan.sequences).await.map_err(reading)?;
        let sequences = plan.sequences.iter().map(|sequence| sequence.oid).zip(values).collect();
        let structure = Structure::read(session.client()).await.map_err(reading)?;
        // Views are created in an order in which each finds what it reads, so ids tell the order of refreshing.
        let populated = session
            .client()
            .query(
                "SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c \
                 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                 WHERE c.relkind = 'm' AND c.relispopulated AND n.nspname <> 'restage' ORDER BY c.oid",
                &[],
            )
            .await
            .map_err(reading)?
            .iter()
            .map(|row| (row.get(0), row.get(1)))
            .collect();
        let mut orphans = Vec::new();
        let mut references = Vec::new();
        for query in orphan_queries(job, catalog, plan) {
            let expected = match &plan.dangling {
                None => Some(query.count(session.client()).await.map_err(reading)?),
                // References that nothing followed say nothing.
                Some(dangling) => dangling.get(&format!("reference {}", query.name)).copied(),
            };
            if let Some(expected) = expected {
                references.push(query);
                orphans.push(expected);
            }
        }
        let mut estimates = BTreeMap::new();
        for query in &job.queries {
            session.client().batch_execute("SAVEPOINT restage_plan").await.map_err(reading)?;
            // What cannot be planned here is missing, and its gate says so.
            if let Ok(found) = estimates::plan(session.client(), &query.sql).await {
                estimates.insert(query.name.clone(), found);
            }
            session.client().batch_execute("ROLLBACK TO SAVEPOINT restage_plan").await.map_err(reading)?;
        }
        snapshot.ids().give(reader).await?;
        Ok(Self { sequences, structure, populated, references, orphans, estimates })
    }
}

fn orphan_queries(job: &Job, catalog: &Catalog, plan: &Plan) -> Vec<OrphanQuery> {
    let merges = |path: &str| {
        let table = plan.tables.iter().find(|table| path.starts_with(&format!("{}.", table.full_name())))?;
        let number =
            table.columns.iter().position(|column| path == format!("{}.{}", table.full_name(), column.name))?;
        plan::merges(table.mask_of(number)?)
    };
    let shape = |path: &str| {
        let table = catalog.tables.iter().find(|table| path.starts_with(&format!("{}.", table.full_name())));
        let column =
            table.and_then(|table| table.columns.iter().find(|column| path.ends_with(&format!(".{}", column.name))));
        column.and_then(|column| types::shape(catalog, column.type_oid, column.typmod))
    };
    let split = |path: &str| {
        let mut parts = path.splitn(3, '.');
        let (schema, table, column) = (parts.next()?, parts.next()?, parts.next()?);
        let named = catalog.tables.iter().find(|known| known.schema == schema && known.name == table);
        let part = named.and_then(|root| plan::copied_part(catalog, root));
        Some((part.unwrap_or_else(|| pg::quote_qualified(schema, table)), pg::quote_ident(column)))
    };
    let is_whole = |path: &str| {
        let root = catalog.tables.iter().find(|table| path.starts_with(&format!("{}.", table.full_name())))?;
        let inside = |oid| catalog.table(oid).is_some_and(|table| table.partition_root == Some(root.oid));
        let mut parts = plan.tables.iter().filter(|table| table.oid == root.oid || inside(table.oid));
        Some(parts.all(|part| part.rows == Rows::All))
    };
    job.references
        .iter()
        .filter(|reference| reference.json.is_empty())
        .filter_map(|reference| {
            // Whoever leaves out rows that are referred to, which the plan warns of, has orphans that the source has not.
            if plan.dangling.is_none() && !is_whole(&reference.to)? {
                return None;
            }
            let (from, to) = (split(&reference.from)?, split(&reference.to)?);
            let name = format!("{} -> {}", reference.from, reference.to);
            let of_type = reference.r#type.as_ref();
            let of_type = of_type.map(|(column, value)| {
                format!("f.{}::pg_catalog.text = {}", pg::quote_ident(column), pg::quote_literal(value))
            });
            let (referring, key) = (shape(&reference.from), shape(&reference.to));
            let (value, element, elements) = match &referring {
                Some(Shape::Array(inner)) => ("e.v".to_owned(), Some(&**inner), true),
                plain => (format!("f.{}", from.1), plain.as_ref(), false),
            };
            let equal = equal_ids((&format!("r.{}", to.1), key.as_ref()), (&value, element));
            let referring = Referring { table: &from.0, column: &from.1, elements, condition: of_type.as_deref() };
            let query = OrphanQuery::new(name, &referring, &to.0, &equal);
            // A column that is kept has the spelling it had, and joins nothing that is masked.
            let merges = merges(&reference.from).filter(|_| merges(&reference.to).is_some());
            let partly = plan.dangling.is_none() && !is_whole(&reference.from)?;
            Some(OrphanQuery { merges, partly, ..query })
        })
        .collect()
}

/// The definitions as they are now, outside of the snapshot.
pub(super) async fn definitions_now(job: &Job) -> Result<Catalog, Failure> {
    let session = snapshot::connect(&job.source, &job.application()).await?;
    snapshot::begin(&session, None).await?;
    Ok(catalog::read_definitions(session.client()).await?)
}
