//! What the search for leaks has to know of a plan.

use super::run::{Run, Shared};
use super::{Job, Prepared, privacy};
use crate::catalog::Catalog;
use crate::config::Severity;
use crate::error::Failure;
use crate::load::objects::Objects;
use crate::mask::Remains;
use crate::mask::json::named_tokens;
use crate::mask::kind::Takes;
use crate::outcome::Gate;
use crate::plan::{
    ColumnPlan, Decided, Plan, TablePlan, escape, is_looked_at, is_own_reason, leaves_out, text_subjects,
};
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
    let remains: BTreeMap<&str, Remains> = proof
        .tables()
        .iter()
        .flat_map(|watch| watch.columns().iter().map(|column| (column.name.as_str(), column.remains)))
        .collect();
    let mut columns = BTreeMap::new();
    let subjects = text_subjects(catalog);
    for table in &plan.tables {
        let root = catalog.table(table.oid).and_then(|own| catalog.table(own.partition_root?));
        let root = root.map_or_else(|| table.full_name(), |root| root.full_name());
        for column in &table.columns {
            let [own, top] = [&table.full_name(), &root].map(|table| format!("{table}.{}", column.name));
            let choice = choice(column, remains.get(own.as_str()).copied());
            let declared = Declared { table: root.clone(), column: column.name.clone() };
            let keys_max = keys_max(table, column, &choice);
            let known = Known { choice, declared, keys_max, proposal: proposal(column, subjects.get(&root)) };
            columns.insert(top, known.clone());
            columns.insert(own, known);
        }
    }
    Leak {
        config: &job.leak,
        rules: &job.rules,
        proof,
        columns,
        locked: job.lock.is_some(),
        detected: if job.packs.is_empty() { Severity::Warn } else { Severity::Fail },
        objects,
        accepted: &job.literals_allow,
        jobs: job.jobs,
    }
}

/// `remains`: what the mask of the column leaves, if it has one.
fn choice(column: &ColumnPlan, remains: Option<Remains>) -> Choice {
    match &column.decision {
        Decided::Null | Decided::Const => Choice::Replaced,
        Decided::Keep { reason } => {
            // What `init` wrote by itself holds for what it saw that day.
            let open = reason.as_deref().is_none_or(|reason| is_own_reason(reason) || is_looked_at(reason));
            Choice::Kept { open, takes: privacy::takes(&column.type_name) }
        }
        Decided::Mask { when: Some(when), .. } if when.keep.is_some() => match leaves_out(when) {
            true => Choice::Others { condition: when.condition.clone(), takes: privacy::takes(&column.type_name) },
            false => Choice::Allowed,
        },
        Decided::Mask { .. } => match remains {
            // A program may write something around its value.
            Some(Remains::Part | Remains::Open | Remains::Foreign) | None => Choice::Masked,
            Some(_) => Choice::Replaced,
        },
    }
}

/// Different keys of documents that may be personal data by themselves: those tokens that a mask names where it hides the others, a few that may be
/// somebody's slip where nobody gave a reason to keep them, and any where somebody decided about them.
fn keys_max(table: &TablePlan, column: &ColumnPlan, choice: &Choice) -> Option<usize> {
    /// Fewer are a slip, or of a service.
    const FEW: usize = 4;
    match choice {
        Choice::Kept { open: true, .. } | Choice::Others { .. } => Some(FEW),
        Choice::Masked => {
            let name = format!("{}.{}", table.full_name(), column.name);
            let spec = table.mask.columns.iter().find(|spec| spec.name == name)?.mask.as_ref()?;
            let hides = spec.kind.starts_with("json/") || spec.kind.starts_with("hstore/");
            (hides && !spec.params.contains_key("keys")).then(|| named_tokens(&spec.params))
        }
        _ => None,
    }
}

/// A mask that takes whatever a column of this type holds; of a text whose mask does not know the person that a foreign key
/// leads to, the same mask with that person.
fn proposal(column: &ColumnPlan, person: Option<&String>) -> Option<String> {
    let type_name = column.type_name.as_str();
    let stranger = |person: &&String| {
        let Decided::Mask { kind, subject, .. } = &column.decision else { return false };
        kind.starts_with("text.spans/") && subject.as_ref() != Some(person)
    };
    match privacy::takes(type_name) {
        Takes::Text if !type_name.ends_with("[]") => Some(match person.filter(stranger) {
            Some(person) => format!("{{ mask = \"text.spans\", subject = \"{}\" }}", escape(person)),
            None => "\"pattern\"".to_owned(),
        }),
        Takes::Opaque if matches!(type_name, "json" | "jsonb") => {
            Some("{ mask = \"json\", rest = \"pattern\" }".to_owned())
        }
        _ => None,
    }
}
