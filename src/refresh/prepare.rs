//! Everything that can be refused is refused here, before a row is read: policy, rights, versions, guards.

use super::artefact::Opened;
use super::past::Today;
use super::{Job, json_keys, literals, locales, preflight, privacy, samples, target};
use crate::catalog::{self, Catalog, ProbeError};
use crate::config::{HookAction, HookConfig};
use crate::error::{Diagnose, Exit, Failure, Report};
use crate::event::Events;
use crate::extract::ExtractError;
use crate::extract::{replay, snapshot};
use crate::guard::{self, Check, TargetFacts};
use crate::load::objects::{Objects, Tools};
use crate::lock::{self, Change, Lock};
use crate::mask::{CompileError, Masker};
use crate::outcome::{Skipped, TableView};
use crate::pg::{Side, SourceSession};
use crate::plan::{self, CheckProbe, Decided, Plan, TablePlan};
use crate::publish::Admin;
use crate::rego;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A plan that nothing refuses, and the open door to the target.
pub struct Prepared {
    pub catalog: Catalog,
    pub plan: Plan,
    /// One per table of the plan.
    pub maskers: Vec<Arc<Masker>>,
    /// The definitions that were judged; none of a masked snapshot, which was judged when it was made.
    pub judged: Objects,
    pub checks: Vec<Check>,
    pub target: TargetFacts,
    pub tools: Tools,
    pub admin: Admin,
    /// Where the rows come from, without secrets.
    pub source: String,
    /// Version of the masks that made them.
    pub mask_version: u32,
}

/// What could be found out, refused or not.
pub struct Inspected {
    pub catalog: Catalog,
    pub plan: Option<Plan>,
    pub maskers: Vec<Arc<Masker>>,
    /// The definitions, if they could be read.
    pub judged: Option<Objects>,
    pub checks: Vec<Check>,
    pub target: TargetFacts,
    pub tools: Option<Tools>,
    pub admin: Option<Admin>,
    /// What the plan pins, for `plan --write-lock`.
    pub lock: Option<Lock>,
    /// How it differs from the lock file, if there is one.
    pub changes: Vec<Change>,
    /// Every reason not to run.
    pub refusals: Vec<Report>,
}

pub(super) const NOTHING: &str = "Nothing was read from the source or written to the target.";

/// What the source and the policy say, before anything is asked of a target.
struct Looked {
    session: SourceSession,
    catalog: Catalog,
    plan: Option<Plan>,
    maskers: Vec<Arc<Masker>>,
    /// The plan as a lock, before the reviewed one narrowed it.
    lock: Option<Lock>,
    refusals: Vec<Report>,
}

/// Reads the catalog and resolves the plan; collects every refusal.
async fn look(job: &Job) -> Result<Looked, Failure> {
    let (session, mut catalog) = read_catalog(job).await.map_err(|failure| failure.with_state(NOTHING))?;
    let mut refusals = job.refused.clone();
    if job.extract.pause_replay {
        refusals.extend(cannot_pause(&session, &catalog).await?);
    }
    let mut built = plan::build(&catalog, &job.policy(), &job.plan);
    if built.is_err() {
        // Only a refusal proposes lines, and these are to be taken when they are pasted.
        let tried = catalog::try_stand_ins(session.client(), &mut catalog).await;
        tried.map_err(|error| Failure::from(error).with_state(NOTHING))?;
        built = plan::build(&catalog, &job.policy(), &job.plan);
    }
    let mut plan = match built {
        Ok(mut plan) => {
            plan.warnings.extend(target::left_out(&session).await.map_err(|failure| failure.with_state(NOTHING))?);
            Some(plan)
        }
        Err(plan::Refusals(reports)) => {
            let (checks, conditions) = plan::plain_probes(&catalog, &job.policy(), &reports);
            let (checks, _) = violated(catalog::probe_checks(session.client(), &checks, |_, _| None).await)?;
            refusals.extend(job.lock.iter().flat_map(|lock| lock.renamed(&catalog, &job.rules)));
            refusals.extend([reports, checks, preflight::conditions(&session, &conditions).await?].concat());
            None
        }
    };
    if let Some(plan) = plan.as_ref().filter(|_| !job.rego.is_empty()) {
        refusals.extend(rego::judge(&job.rego, &plan::summary_json(plan)));
    }
    let lock = plan.as_ref().map(|plan| Lock::of(&catalog, plan, &job.lock_facts()));
    if let (Some(lock), Some(plan)) = (&job.lock, &mut plan) {
        lock.pin(&catalog, plan);
    }
    if let Some(plan) = &mut plan {
        refusals.extend(locales::judge(&session, &catalog.server.encoding, plan).await?);
    }
    let mut maskers = Vec::new();
    if let Some(plan) = &mut plan {
        let mask = |probe: &CheckProbe, value: &str| samples::mask(&job.key, probe, value);
        let (reports, warnings) = violated(catalog::probe_checks(session.client(), &plan.probes, mask).await)?;
        refusals.extend(reports);
        plan.warnings.extend(warnings);
        refusals.extend(preflight::inlined(&session, plan).await?);
        refusals.extend(preflight::conditions(&session, &plan.condition_probes).await?);
        refusals.extend(preflight::subset(&session, plan).await?);
        maskers = compile(job, plan, &mut refusals);
    }
    Ok(Looked { session, catalog, plan, maskers, lock, refusals })
}

/// The refusals and warnings that the server's answers come to.
fn violated(asked: Result<Vec<String>, ProbeError>) -> Result<(Vec<Report>, Vec<String>), Failure> {
    match asked {
        Ok(warnings) => Ok((Vec::new(), warnings)),
        Err(ProbeError::Violated(reports)) => Ok((reports, Vec::new())),
        Err(error) => Err(Failure::from(error).with_state(NOTHING)),
    }
}

/// Reads the catalog, resolves the plan and judges the guards; collects every refusal.
///
/// # Errors
/// Only what makes looking impossible: the source or the target cannot be reached.
pub async fn inspect(job: &Job) -> Result<Inspected, Failure> {
    let Looked { session, catalog, mut plan, maskers, mut lock, mut refusals } = look(job).await?;
    if let Some(plan) = &mut plan {
        plan.warnings.extend(preflight::not_skipped(&catalog, &job.skip_extensions));
    }
    refusals.extend(missing_hooks(job));
    refusals.extend(job.gates.missing_programs(&job.folder));
    refusals.extend(target::assertions(&session, job).await.map_err(|failure| failure.with_state(NOTHING))?);
    refusals.extend(privacy::refusals(&catalog, job));
    let door = door(job, &catalog, &mut refusals).await?;
    if let Some(plan) = &mut plan {
        plan.warnings.extend(target::in_the_way(job, &door.admin, &door.facts));
    }
    let refused = !refusals.is_empty();
    let judged = match (&door.tools, door.maker) {
        (Some(tools), true) => definitions(job, tools, refused).await?,
        _ => None,
    };
    if let Some(objects) = &judged {
        refusals.extend(literals::judge(job, objects, lock.as_mut()));
        if !refused {
            refusals.extend(target::missing_roles(job, &door.admin, objects).await?);
        }
    }
    refusals.extend(preflight::target_lacks(&catalog, &door.admin, job.owner.as_deref(), &job.skip_extensions).await?);
    let changes = changes(job, lock.as_ref(), &mut refusals);
    if let Some(plan) = &mut plan {
        plan.warnings.extend(lock::warnings(&changes));
    }
    let Door { admin, checks, facts, tools, .. } = door;
    let (target, admin) = (facts, Some(admin));
    Ok(Inspected { catalog, plan, maskers, judged, checks, target, tools, admin, lock, changes, refusals })
}

/// The definitions of the source, also of a plan that is refused: one look tells everything. What keeps them from being
/// read may be what is refused, and is no failure of its own then.
async fn definitions(job: &Job, tools: &Tools, refused: bool) -> Result<Option<Objects>, Failure> {
    match tools.read(&job.source.child_environment_named(&job.application()), None).await {
        Ok(objects) => Ok(Some(objects)),
        Err(_) if refused => Ok(None),
        Err(error) => Err(Failure::from(error).with_state(NOTHING)),
    }
}

/// What of the plan differs from the reviewed one, which refuses the run.
fn changes(job: &Job, lock: Option<&Lock>, refusals: &mut Vec<Report>) -> Vec<Change> {
    let changes = match (&job.lock, lock) {
        (Some(old), Some(new)) => lock::diff(old, new, job.new_partitions),
        _ => Vec::new(),
    };
    refusals.extend(lock::refusal(&changes, &job.lock_file, &job.rules));
    changes
}

/// Looks whether values fit their masks and keys of documents are known. Returns refusals and warnings.
async fn look_through(job: &Job, catalog: &Catalog, plan: &Plan) -> Result<(Vec<Report>, Vec<String>), Failure> {
    let (mut refusals, mut warnings) = preflight::values(job, plan).await?;
    if job.lock.is_some() {
        let seen = json_keys::survey(job, catalog, plan, json_keys::Purpose::Compare).await?;
        refusals.extend(json_keys::unknown(job, catalog, plan, &seen));
        warnings.extend(json_keys::unread(&seen));
    }
    Ok((refusals, warnings))
}

/// The target, looked at.
struct Door {
    admin: Admin,
    checks: Vec<Check>,
    facts: TargetFacts,
    tools: Option<Tools>,
    /// There is a role that can own the copy.
    maker: bool,
}

/// Connects to the target and judges the guards.
async fn door(job: &Job, catalog: &Catalog, refusals: &mut Vec<Report>) -> Result<Door, Failure> {
    let admin = Admin::connect(job.target(), &job.maintenance_db, &job.application())
        .await
        .map_err(|error| Failure::from(error).with_state(NOTHING))?;
    let source_bytes = catalog.tables.iter().map(|table| table.bytes).sum();
    let (checks, facts) = guard::check_all(&job.guard, &catalog.server, &job.source, &admin, source_bytes)
        .await
        .map_err(|error| Failure::from(error).with_state(NOTHING))?;
    refusals.extend(guard::refused(&checks).iter().map(guard::report));
    let old = checks.iter().any(|check| check.name == "version" && !check.ok);
    let tools = match Tools::find(job.bin_dir.as_deref(), admin.session.version_num() / 10_000).await {
        Ok(tools) => Some(tools),
        // The tools of a server that cannot be used are nothing to look for.
        Err(_) if old => None,
        Err(error) => {
            refusals.extend(error.reports());
            None
        }
    };
    let maker = match target::maker(&admin, job.owner.as_deref()).await? {
        Ok(_) => true,
        Err(report) => {
            refusals.push(report);
            false
        }
    };
    Ok(Door { admin, checks, facts, tools, maker })
}

/// What a run that writes files needs: no target is asked.
pub(super) struct Ready {
    pub catalog: Catalog,
    pub plan: Plan,
    pub maskers: Vec<Arc<Masker>>,
    /// The definitions that were judged.
    pub judged: Objects,
    pub tools: Tools,
    /// What the policy does to every column.
    pub policy: Lock,
}

/// As [`prepare`], without a target.
///
/// # Errors
/// Every refusal at once, or what made looking impossible.
pub(super) async fn prepare_files(job: &Job) -> Result<Ready, Failure> {
    let Looked { session, catalog, plan, maskers, mut lock, mut refusals } = look(job).await?;
    drop(session);
    refusals.extend(guard::refused(&[guard::source_role(&job.guard, &catalog.server)]).iter().map(guard::report));
    let tools = match Tools::find(job.bin_dir.as_deref(), catalog.server.version_num / 10_000).await {
        Ok(tools) => Some(tools),
        Err(error) => {
            refusals.extend(error.reports());
            None
        }
    };
    let judged = match &tools {
        Some(tools) => definitions(job, tools, !refusals.is_empty()).await?,
        None => None,
    };
    if let Some(objects) = &judged {
        refusals.extend(literals::judge(job, objects, lock.as_mut()));
    }
    let changes = changes(job, lock.as_ref(), &mut refusals);
    let policy = lock.map(|lock| lock.with_reviewed(job.lock.as_ref()));
    let complete = (plan, judged, tools, policy, refusals.is_empty());
    let (Some(mut plan), Some(judged), Some(tools), Some(policy), true) = complete else {
        return Err(Failure { exit: Exit::Refused, reports: refusals }.with_state(NOTHING));
    };
    let looked = look_through(job, &catalog, &plan).await;
    let (refusals, warnings) = looked.map_err(|failure| failure.with_state(NOTHING))?;
    if !refusals.is_empty() {
        let state = "The values were only looked through at the source; no file was written.";
        return Err(Failure { exit: Exit::Refused, reports: refusals }.with_state(state));
    }
    plan.warnings.extend(lock::warnings(&changes).chain(warnings));
    Ok(Ready { catalog, plan, maskers, judged, tools, policy })
}

/// The door to the target for rows that come from a masked snapshot.
///
/// # Errors
/// Every refusal at once, or what made looking impossible.
pub(super) async fn prepare_load(
    job: &Job,
    opened: &Opened,
    today: &Today,
    events: &Events,
) -> Result<Prepared, Failure> {
    let mut refusals = job.refused.clone();
    refusals.extend(today.judge(job, opened, events));
    refusals.extend(missing_hooks(job));
    refusals.extend(job.gates.missing_programs(&job.folder));
    let catalog = opened.catalog();
    let door = door(job, &catalog, &mut refusals).await?;
    if refusals.is_empty() {
        refusals.extend(target::missing_roles(job, &door.admin, opened.objects()).await?);
    }
    refusals.extend(preflight::target_lacks(&catalog, &door.admin, job.owner.as_deref(), &job.skip_extensions).await?);
    let Door { admin, checks, facts, tools: Some(tools), maker: true } = door else {
        return Err(Failure { exit: Exit::Refused, reports: refusals }.with_state(NOTHING));
    };
    if !refusals.is_empty() {
        return Err(Failure { exit: Exit::Refused, reports: refusals }.with_state(NOTHING));
    }
    let plan = opened.plan();
    note_plan(job, &catalog, Some(&plan));
    let maskers = plan.tables.iter().map(|_| Arc::new(Masker::none())).collect();
    let (source, mask_version) = (opened.source(), opened.manifest.mask_version);
    let (judged, target) = (Objects::default(), facts);
    Ok(Prepared { catalog, plan, maskers, judged, checks, target, tools, admin, source, mask_version })
}

/// Writes the decisions of a plan down for the report.
fn note_plan(job: &Job, catalog: &Catalog, plan: Option<&Plan>) {
    let Some(plan) = plan else { return };
    let tables = plan.tables.iter().map(|table| {
        let root = catalog.table(table.oid).and_then(|own| catalog.table(own.partition_root?));
        TableView::new(table, root.map(crate::catalog::Table::full_name))
    });
    let tables = tables.collect();
    let skipped = plan.skipped.iter();
    let skipped = skipped.map(|(table, reason)| Skipped { table: table.clone(), reason: reason.clone() }).collect();
    job.ledger.note(|record| {
        record.tables = tables;
        record.skipped = skipped;
        record.plan_hash = Some(plan.hash.clone());
    });
}

/// As [`inspect`], but any refusal is a failure; also looks whether values fit their masks, which reads rows.
///
/// # Errors
/// Every refusal at once, or what made looking impossible.
pub async fn prepare(job: &Job) -> Result<Prepared, Failure> {
    let found = inspect(job).await?;
    note_plan(job, &found.catalog, found.plan.as_ref());
    job.ledger.note(|record| record.lock_changes.clone_from(&found.changes));
    if !found.refusals.is_empty() {
        return Err(Failure { exit: Exit::Refused, reports: found.refusals }.with_state(NOTHING));
    }
    match (found.plan, found.judged, found.tools, found.admin) {
        (Some(mut plan), Some(judged), Some(tools), Some(admin)) => {
            let looked = look_through(job, &found.catalog, &plan).await;
            let (refusals, warnings) = looked.map_err(|failure| failure.with_state(NOTHING))?;
            if !refusals.is_empty() {
                let state = "The values were only looked through at the source; nothing was written to the target.";
                return Err(Failure { exit: Exit::Refused, reports: refusals }.with_state(state));
            }
            plan.warnings.extend(warnings);
            Ok(Prepared {
                catalog: found.catalog,
                plan,
                maskers: found.maskers,
                judged,
                checks: found.checks,
                target: found.target,
                tools,
                admin,
                source: job.source.describe(),
                mask_version: crate::mask::VERSION,
            })
        }
        _ => Err(Failure::new(Exit::Internal, Report::new("internal::plan", "a plan without refusals is incomplete"))),
    }
}

/// Chooses the source server once: a second session may not land on another host of the list. Also resumes replay that a
/// killed run left paused.
pub(super) async fn pin_source(job: Job, events: &Events) -> Result<Job, Failure> {
    let session = connect_source(&job).await?;
    if job.extract.pause_replay && replay::resume_left_behind(&session, &job.application()).await? {
        events.warn("WAL replay of the source stood paused and no run was connected; it was resumed.");
    }
    let source = job.source.pin(session.host_index());
    session.close().await;
    Ok(Job { source, ..job })
}

/// Reads the catalog; while DDL holds a table it waits as the snapshot would, in short attempts that nobody queues behind.
async fn read_catalog(job: &Job) -> Result<(SourceSession, Catalog), Failure> {
    let started = Instant::now();
    let mut pause = Duration::from_millis(100);
    loop {
        let session = connect_source(job).await?;
        snapshot::begin(&session, None).await?;
        match catalog::read(session.client()).await {
            Ok(catalog) => return Ok((session, catalog)),
            Err(error) if !error.is_locked() => return Err(error.into()),
            Err(_) => {}
        }
        drop(session);
        if started.elapsed() + pause > job.extract.lock_wait_max {
            let blockers = snapshot::blockers(&job.source, &job.application()).await;
            return Err(ExtractError::LockWait { waited_s: started.elapsed().as_secs(), blockers }.into());
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

/// Why `pause_replay` cannot work here; found out before anything is read.
async fn cannot_pause(session: &SourceSession, catalog: &Catalog) -> Result<Option<Report>, Failure> {
    if !catalog.server.standby {
        let report = Report::new("plan::pause-replay", "`pause_replay` is set, but the source is not a standby");
        return Ok(Some(report.hint("pause_replay = false     # under [source]")));
    }
    let row = session
        .client()
        .query_one(
            "SELECT pg_catalog.has_function_privilege('pg_catalog.pg_wal_replay_pause()', 'EXECUTE') \
             AND pg_catalog.has_function_privilege('pg_catalog.pg_wal_replay_resume()', 'EXECUTE')",
            &[],
        )
        .await
        .map_err(|error| ExtractError::sql("asking for the right to pause WAL replay", &error))?;
    if row.get(0) {
        return Ok(None);
    }
    let role = crate::pg::quote_ident(&catalog.server.role);
    let report = Report::new("plan::pause-replay", format!("role {role} may not pause WAL replay"));
    Ok(Some(report.hint(format!(
        "GRANT EXECUTE ON FUNCTION pg_wal_replay_pause(), pg_wal_replay_resume() TO {role};     -- on the primary, in this database"
    ))))
}

pub(super) async fn connect_source(job: &Job) -> Result<SourceSession, Failure> {
    SourceSession::connect(&job.source, &job.application()).await.map_err(|error| {
        Failure::from(ExtractError::Connect(Box::new(error.error.report(Side::Source)))).with_state(NOTHING)
    })
}

/// Hooks whose file cannot be read: better known now than after the rows were copied.
fn missing_hooks(job: &Job) -> Vec<Report> {
    let unreadable = |hook: &HookConfig| {
        let HookAction::Sql(file) = &hook.action else { return None };
        let error = std::fs::File::open(file).err()?;
        let report =
            Report::new("plan::hook-file", format!("the SQL file {} of a hook cannot be read", file.display()));
        let report = report.place(hook.place.to_string()).detail(format!("{error}."));
        Some(report.hint(format!("ls -l {}     # paths are relative to the configuration", file.display())))
    };
    job.hooks.iter().filter_map(unreadable).collect()
}

fn compile(job: &Job, plan: &Plan, refusals: &mut Vec<Report>) -> Vec<Arc<Masker>> {
    let mut maskers = Vec::with_capacity(plan.tables.len());
    for table in &plan.tables {
        match Masker::compile(&job.key, &table.mask) {
            Ok(masker) => maskers.push(Arc::new(masker)),
            Err(errors) => {
                refusals.extend(errors.iter().map(|error| cannot_mask(table, error)));
            }
        }
    }
    maskers
}

fn cannot_mask(table: &TablePlan, error: &CompileError) -> Report {
    let column = table.columns.iter().find(|column| error.column == format!("{}.{}", table.full_name(), column.name));
    let Some(column) = column else { return Report::new("plan::mask", error.to_string()) };
    let report = match &column.decision {
        Decided::Mask { kind, .. } => plan::cannot_mask(error, kind),
        _ => Report::new("plan::mask", error.to_string()),
    };
    Report { place: column.place.as_ref().map(ToString::to_string), ..report }
}
