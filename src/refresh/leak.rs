//! What the search for leaks has to know of a plan.

use super::run::{Run, Shared};
use super::{Job, Prepared, privacy};
use crate::catalog::Catalog;
use crate::config::Severity;
use crate::error::Failure;
use crate::load::objects::Objects;
use crate::mask::kind::Takes;
use crate::mask::{self, Remains};
use crate::outcome::Gate;
use crate::plan::{ColumnPlan, Decided, Plan, TablePlan};
use crate::proof::Proof;
use crate::verify::leak::{Choice, Declared, Known, Leak};
use std::collections::BTreeMap;

impl Run {
    /// Judges masked columns, and searches the loaded database for their values. Nothing if it is not wanted, or if the rows
    /// were masked by another run.
    pub(super) async fn leaks(&self, prepared: &Prepared, shared: &Shared) -> Result<Vec<Gate>, Failure> {
        let job = &self.job;
        let Some(proof) = shared.proof.as_ref().filter(|_| job.leak.on) else { return Ok(Vec::new()) };
        leak(job, &prepared.catalog, &prepared.plan, proof, &shared.objects).gates(&shared.sessions).await
    }
}

/// The search for values of one run.
pub(super) fn leak<'a>(
    job: &'a Job,
    catalog: &Catalog,
    plan: &Plan,
    proof: &'a Proof,
    objects: &'a Objects,
) -> Leak<'a> {
    let columns = plan.tables.iter().flat_map(|table| {
        let root = catalog.table(table.oid).and_then(|own| catalog.table(own.partition_root?));
        let root = root.map_or_else(|| table.full_name(), |root| root.full_name());
        table.columns.iter().flat_map(move |column| {
            let [own, top] = [&table.full_name(), &root].map(|table| format!("{table}.{}", column.name));
            let declared = Declared { table: root.clone(), column: column.name.clone() };
            let known = Known { choice: choice(table, column), declared, proposal: proposal(&column.type_name) };
            [(own, known.clone()), (top, known)]
        })
    });
    Leak {
        config: &job.leak,
        proof,
        columns: columns.collect::<BTreeMap<_, _>>(),
        detected: if job.packs.is_empty() { Severity::Warn } else { Severity::Fail },
        objects,
        jobs: job.jobs,
    }
}

fn choice(table: &TablePlan, column: &ColumnPlan) -> Choice {
    match &column.decision {
        Decided::Null | Decided::Const => Choice::Replaced,
        Decided::Keep { reason } => Choice::Kept { open: reason.is_none(), takes: privacy::takes(&column.type_name) },
        Decided::Mask { when: Some(when), .. } if when.keep.is_some() => Choice::Allowed,
        Decided::Mask { kind, .. } => {
            let full = format!("{}.{}", table.full_name(), column.name);
            let spec = table.mask.columns.iter().find(|spec| spec.name == full).and_then(|spec| spec.mask.as_ref());
            debug_assert!(spec.is_some(), "{full} is masked");
            let remains = mask::kind(kind).zip(spec).map(|(kind, spec)| (kind.remains)(&spec.params));
            match remains {
                Some(Remains::Part) | None => Choice::Masked,
                Some(_) => Choice::Replaced,
            }
        }
    }
}

/// A mask that takes whatever a column of this type holds.
fn proposal(type_name: &str) -> Option<&'static str> {
    match privacy::takes(type_name) {
        Takes::Text if !type_name.ends_with("[]") => Some("\"pattern\""),
        Takes::Opaque if matches!(type_name, "json" | "jsonb") => Some("{ mask = \"json\", rest = \"pattern\" }"),
        _ => None,
    }
}
