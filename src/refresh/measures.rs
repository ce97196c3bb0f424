//! What is measured between the load and the gates: what the rows tell of people, and how far they are like their source.

use super::at_source::AtSource;
use super::run::{Run, Shared};
use super::{Prepared, privacy};
use crate::catalog::{Catalog, ConstraintKind, Oid};
use crate::outcome::{FidelityView, Gate, PrivacyView};
use crate::pg::TargetSession;
use crate::plan::{Decided, Plan};
use crate::verify;
use crate::verify::fidelity::{Learned, MaskedReference};
use std::collections::BTreeMap;

/// Measures of one run.
#[derive(Default)]
pub(super) struct Measured {
    pub(super) privacy: Option<PrivacyView>,
    pub(super) fidelity: Option<FidelityView>,
}

impl Run {
    /// Measures the loaded database and judges it by the thresholds of the configuration.
    pub(super) async fn measure(
        &self,
        prepared: &Prepared,
        shared: &Shared,
        at_source: &AtSource,
        session: &TargetSession,
    ) -> (Vec<Gate>, Measured) {
        let (job, plan) = (&self.job, &prepared.plan);
        let stored = shared.loaded.lock().expect("no holder panics").stored.clone();
        let searched = privacy::searched(&prepared.catalog, plan, &stored);
        let (mut gates, privacy) = verify::privacy::measure(session, &job.anonymity, &job.candidates, &searched).await;
        let part = job.plan.subset.is_some();
        let (planned, queries) =
            verify::estimates::compare(session.client(), &job.queries, &at_source.estimates, part).await;
        gates.extend(planned);
        // Rows that were masked before were compared by the run that masked them, if at all.
        let Some(proof) = shared.proof.as_ref().filter(|_| job.measure) else {
            let fidelity = (!queries.is_empty()).then(|| FidelityView { queries, ..FidelityView::default() });
            return (gates, Measured { privacy, fidelity });
        };
        let kept = |table: &crate::plan::TablePlan| {
            table.columns.iter().filter(|column| matches!(column.decision, Decided::Keep { .. })).count() as u64
        };
        let tables: Vec<Learned<'_>> = plan
            .tables
            .iter()
            .zip(proof.tables())
            .map(|(table, watch)| Learned { table: table.full_name(), watch, kept: kept(table) })
            .collect();
        let references = references(&prepared.catalog, plan, &stored);
        let (compared, mut fidelity) = verify::fidelity::measure(&job.fidelity, &tables, &references);
        fidelity.queries = queries;
        gates.extend(compared);
        (gates, Measured { privacy, fidelity: Some(fidelity) })
    }
}

/// Foreign keys of one column that is masked.
fn references(catalog: &Catalog, plan: &Plan, stored: &BTreeMap<String, u64>) -> Vec<MaskedReference> {
    let roots = privacy::roots(catalog);
    // Of a table, and of all its partitions.
    let mut rows: BTreeMap<Oid, u64> = BTreeMap::new();
    for table in &plan.tables {
        let own = stored.get(&table.full_name()).copied().unwrap_or(0);
        for oid in [Some(&table.oid), roots.get(&table.oid)].into_iter().flatten() {
            *rows.entry(*oid).or_default() += own;
        }
    }
    let named = |oid| catalog.table(oid);
    let mut found: Vec<MaskedReference> = Vec::new();
    for table in &plan.tables {
        let root = roots.get(&table.oid).copied();
        let own = |constraint: &&crate::catalog::Constraint| {
            constraint.kind == ConstraintKind::Foreign
                && (constraint.table == table.oid || Some(constraint.table) == root)
                && constraint.columns.len() == 1
        };
        for constraint in catalog.constraints.iter().filter(own) {
            let from = named(constraint.table).and_then(|from| {
                from.columns.iter().find(|column| column.attnum == constraint.columns[0]).map(|column| &column.name)
            });
            let to = named(constraint.ref_table).and_then(|to| {
                let column = to.columns.iter().find(|column| Some(&column.attnum) == constraint.ref_columns.first())?;
                Some(format!("{}.{}", to.full_name(), column.name))
            });
            let (Some(column), Some(to)) = (from, to) else { continue };
            let masked = table
                .columns
                .iter()
                .any(|known| known.name == *column && matches!(known.decision, Decided::Mask { .. }));
            let parents = rows.get(&constraint.ref_table).copied().unwrap_or(0);
            let reference = MaskedReference { table: table.full_name(), column: column.clone(), to, parents };
            if masked && !found.contains(&reference) {
                found.push(reference);
            }
        }
    }
    found
}
