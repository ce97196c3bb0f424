//! Whether committed fixtures still match schema and policy: what `restage fixture --check` says in CI.
//!
//! No rows are compared: the source may be an empty database that migrations have made.

use super::Job;
use super::export::{decision, definitions, for_anybody};
use super::prepare::{pin_source, prepare_files};
use crate::artefact::{self, ArtefactError, Form, Manifest, Purpose};
use crate::error::Failure;
use crate::event::{Events, Phase, Unit};
use crate::extract::Stop;
use crate::outcome::FixtureCheck;
use crate::outcome::units::plural;
use crate::plan::{Plan, TablePlan};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const NOTHING: &str = "No file was changed.";

/// Compares a folder of fixtures with the definitions of the source and the decisions of the policy; with `form`, its files
/// have to be of that form.
///
/// # Errors
/// The source cannot be read, the plan is refused, or the folder holds no fixtures. What differs is no error.
pub async fn check(
    job: Job,
    folder: &Path,
    form: Option<Form>,
    events: &Events,
    stop: &Stop,
) -> Result<FixtureCheck, Failure> {
    events.started(Phase::Verify, None, Unit::Items);
    let found = stop.race(compare(job, folder, form, events)).await.map_err(|failure| failure.with_state(NOTHING))?;
    events
        .done(Phase::Verify, format!("{}, {}", plural(found.tables, "table"), plural(found.definitions, "definition")));
    Ok(found)
}

async fn compare(job: Job, folder: &Path, form: Option<Form>, events: &Events) -> Result<FixtureCheck, Failure> {
    let manifest = artefact::open(folder)?;
    if manifest.purpose != Purpose::Fixture {
        let (found, wanted) = ("a snapshot".to_owned(), "a fixture".to_owned());
        return Err(ArtefactError::Foreign { folder: folder.to_owned(), found, wanted }.into());
    }
    let mut check =
        FixtureCheck { out: folder.display().to_string(), form: Some(manifest.form), ..FixtureCheck::default() };
    match artefact::verify(folder) {
        Ok(_) => {}
        Err(ArtefactError::Damaged { faults, .. }) => check.differences.extend(faults),
        Err(error) => return Err(error.into()),
    }
    let job = pin_source(job, events).await?;
    let ready = prepare_files(&job).await?;
    let environment = job.source.child_environment_named(&job.application());
    let mut objects = ready.tools.read(&environment, None).await?;
    for_anybody(&mut objects, &Events::silent());
    let now = definitions(&objects);
    check.source = job.source.describe();
    check.tables = ready.plan.tables.len() as u64;
    check.definitions = now.len() as u64;
    let major = ready.catalog.server.version_num / 10_000;
    let same_major = major == manifest.server_major;
    if !same_major {
        check.notes.push(format!(
            "the fixtures were made from PostgreSQL {}, this is {major}: definitions are compared by name only",
            manifest.server_major
        ));
    }
    check.differences.extend(of_definitions(&manifest.definitions, &now, same_major));
    check.differences.extend(of_decisions(&manifest, &ready.plan));
    if manifest.plan != ready.plan.hash && check.differences.is_empty() {
        check.differences.push("the plan differs: rows, labels or parameters of masks".to_owned());
    }
    check.differences.extend(of_key(&manifest, &job));
    if let Some(form) = form.filter(|form| *form != manifest.form) {
        check.differences.push(format!("format: is {}, {} is asked for", manifest.form.name(), form.name()));
    }
    Ok(check)
}

fn of_key(manifest: &Manifest, job: &Job) -> Vec<String> {
    let mut differences = Vec::new();
    let mut differ = |what: &str, then: &str, now: &str| {
        if then != now {
            differences.push(format!("{what}: was {then}, is {now}"));
        }
    };
    differ("key", &manifest.key_id, &job.key_id);
    differ("realm", &manifest.realm, &job.realm);
    differ("version of the masks", &manifest.mask_version.to_string(), &crate::mask::VERSION.to_string());
    differences
}

fn of_definitions(then: &BTreeMap<String, String>, now: &BTreeMap<String, String>, texts: bool) -> Vec<String> {
    let labels: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    let difference = |label: &&String| match (then.get(*label), now.get(*label)) {
        (Some(_), None) => Some(format!("{label}: is gone")),
        (None, Some(_)) => Some(format!("{label}: is new")),
        (then, now) if texts && then != now => Some(format!("{label}: its definition changed")),
        _ => None,
    };
    labels.iter().filter_map(difference).collect()
}

fn of_decisions(manifest: &Manifest, plan: &Plan) -> Vec<String> {
    let now: BTreeMap<String, &TablePlan> = plan.tables.iter().map(|table| (table.full_name(), table)).collect();
    let mut differences = Vec::new();
    for then in &manifest.tables {
        // A table that is gone or new is told with the definitions.
        let Some(now) = now.get(&then.full_name()) else { continue };
        for column in &now.columns {
            let decided = decision(&column.decision);
            let Some(then) = then.columns.iter().find(|then| then.name == column.name) else { continue };
            if then.decision != decided {
                let name = format!("{}.{}", now.full_name(), column.name);
                differences.push(format!("{name}: was {}, is {decided}", then.decision));
            }
        }
    }
    differences
}
