//! Where commands meet the engine: the configuration becomes a [`Job`], results become what is rendered.

use super::after::AfterRun;
use super::args::{
    DemoArgs, DoctorArgs, InitTargetArgs, PlanArgs, RefreshArgs, ReleasesArgs, RollbackArgs, ScenarioChoice,
};
use super::context::Consent;
use super::{Context, doctor as checkup, key, provenance};
use crate::catalog::Catalog;
use crate::config::{Config, KeySource, MissingRoles, SignConfig, TargetConfig};
use crate::demo::Playground;
use crate::error::{Exit, Failure, Report};
use crate::extract::{self, Stop, StopReason};
use crate::guard;
use crate::load::LoadError;
use crate::lock;
use crate::manifest::sign::Signer;
use crate::mask::RealmKey;
use crate::outcome::{
    DanglingView, DemoOutcome, DemoSample, DoctorReport, Estimate, Guard, InitTargetOutcome, Ledger, LockView,
    PathStep, PlanTotals, PlanView, PulledView, RefreshOutcome, Release, ReleaseState, Releases, RollbackOutcome,
    RowPath, Skipped, SubsetView, TableView,
};
use crate::pg::{self, Conninfo, Environment, TargetSession};
use crate::plan::draft::{Draft, Standing};
use crate::publish::Admin;
use crate::refresh::{self, Counted, GateSettings, Inspected, Job};
use crate::release::{LIVE_NAME_MAX, RunId, State};
use crate::subset::{Direction, Selection};
use secrecy::ExposeSecret;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Snapshot age limit where the configuration names none (POSTGRES section 3).
const SNAPSHOT_MAX: Duration = Duration::from_secs(2 * 60 * 60);
/// Bytes of source heap that one worker moves per second, for the estimate of a first run; PERFORMANCE.md's floor.
const BYTES_PER_WORKER_SECOND: u64 = 36 << 20;

const NOTHING: &str = "Nothing was read from the source or written to the target.";

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

pub(super) fn load(context: &Context) -> Result<Config, Failure> {
    Ok(Config::load(&context.config, &variable)?)
}

/// The connection of a section; an error says which one, because its own text shows none of the URL.
pub(super) fn conninfo(config: &Config, section: &str, url: &secrecy::SecretString) -> Result<Conninfo, Failure> {
    Conninfo::parse(url.expose_secret(), &Environment::from_process()).map_err(|error| {
        let mut failure = Failure::from(error);
        for report in &mut failure.reports {
            report.place.get_or_insert_with(|| format!("{}: `url` in [{section}]", config.file.display()));
        }
        failure
    })
}

pub(super) fn target_of(config: &Config) -> Result<&TargetConfig, Failure> {
    config.target.as_ref().ok_or_else(|| {
        let report = Report::new("config::missing", format!("{} has no [target]", config.file.display()));
        Failure::new(
            Exit::Usage,
            report.hint("[target]\nurl = \"postgres://restage@staging/shop\"\nconfirm = \"shop\""),
        )
    })
}

async fn realm_key(config: &Config) -> Result<(RealmKey, String, String, Vec<String>), Failure> {
    let Some(chosen) = &config.key else {
        let report = Report::new("key::none", format!("{} has no [key]", config.file.display())).state(NOTHING);
        let hint = "Make one and name it:\nrestage key new --out restage.key\n[key]\nfile = \"restage.key\"";
        return Err(Failure::new(Exit::Usage, report.hint(hint)));
    };
    let loaded = key::load(&chosen.source, false).await?;
    let mut warnings = loaded.warnings;
    if matches!(chosen.source, KeySource::Ephemeral) {
        warnings.push("The key is ephemeral: pseudonyms of this run will never come again.".to_owned());
    }
    Ok((loaded.key.realm(&chosen.realm), loaded.key.id(), chosen.realm.clone(), warnings))
}

/// A key, its id and its realm.
pub(super) type ChosenKey = (RealmKey, String, String);

/// What the command line adds to the configuration.
#[derive(Default)]
pub(super) struct Wish {
    /// Files are written; no target is needed.
    pub files: bool,
    /// The key, where it is not that of the configuration.
    pub key: Option<ChosenKey>,
    pub dry_run: bool,
    pub yes: bool,
    pub plan_only: bool,
    /// The name was typed, or nothing had to be.
    pub confirmed: bool,
}

/// What the configuration allows, for the guards; `confirmed` and `yes` are what the command line adds.
pub(super) fn guard_settings(config: &Config, target: &TargetConfig, confirmed: bool, yes: bool) -> guard::Settings {
    guard::Settings {
        confirm: target.confirm.clone(),
        realm: config.key.as_ref().map_or_else(|| "default".to_owned(), |key| key.realm.clone()),
        allow_same_cluster: target.allow_same_cluster,
        allow_prod_name: target.allow_prod_name,
        allow_write_role: config.source.allow_write_role,
        confirmed,
        yes,
        plan_only: false,
    }
}

/// Guards of a run that writes files: only the role that reads is judged.
fn no_target(config: &Config) -> guard::Settings {
    guard::Settings {
        confirm: None,
        realm: config.key.as_ref().map_or_else(|| "default".to_owned(), |key| key.realm.clone()),
        allow_same_cluster: false,
        allow_prod_name: false,
        allow_write_role: config.source.allow_write_role,
        confirmed: false,
        yes: false,
        plan_only: false,
    }
}

pub(super) async fn job(context: &Context, config: Config, wish: Wish) -> Result<(Job, Vec<String>), Failure> {
    let target = match (&config.target, wish.files) {
        (None, true) => None,
        _ => Some(target_of(&config)?.clone()),
    };
    let (refused, silent): (Vec<_>, Vec<_>) = config.pending.iter().partition(|pending| pending.refuses());
    let mut refused: Vec<Report> = refused.iter().map(|pending| pending.report()).collect();
    // A lock is compared under the key of the configuration: hashes in it are keyed.
    let own_key = wish.key.is_none();
    let (key, key_id, realm, mut warnings) = match wish.key {
        Some((key, id, realm)) => (key, id, realm, Vec::new()),
        None => realm_key(&config).await?,
    };
    let source = conninfo(&config, "source", &config.source.url)?;
    warnings.extend(source.warnings().iter().cloned());
    let target_info = match &target {
        Some(target) if !wish.files => Some(conninfo(&config, "target", &target.url)?),
        _ => None,
    };
    warnings.extend(target_info.iter().flat_map(Conninfo::warnings).cloned());
    warnings.extend(silent.iter().map(|pending| pending.warning()));
    let lock_file = lock::path_beside(&config.file);
    let folder = config.file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let signer = config.sign.as_ref().map(|sign| match sign {
        SignConfig::KeyFile(path) => Signer::KeyFile(path.clone()),
        SignConfig::Command(program) => {
            Signer::Command { program: program.clone(), folder: folder.unwrap_or(Path::new(".")).to_owned() }
        }
    });
    refused.extend(signer.as_ref().and_then(Signer::refusal));
    let run = RunId::new(jiff::Timestamp::now(), random());
    let threads = threads();
    let report_dir = context.report_dir.clone().unwrap_or_else(|| PathBuf::from("restage-report")).join(run.as_str());
    let config_source = &config.source;
    let jobs = target.as_ref().map_or(1, |target| target.jobs).max(config_source.workers).max(1);
    let job = Job {
        extract: extract::Settings {
            lock_timeout: config_source.lock_timeout,
            lock_wait_max: config_source.lock_wait_max,
            snapshot_max: config_source.snapshot_max.or((!config_source.pause_replay).then_some(SNAPSHOT_MAX)),
            rate_max: config_source.rate_max,
            on_blocked_ddl: config_source.on_blocked_ddl,
            ddl_grace: config_source.ddl_grace,
            readers: if wish.files { config_source.workers } else { jobs },
            pause_replay: config_source.pause_replay,
        },
        plan: crate::plan::Settings {
            workers: config_source.workers,
            chunk_bytes: config_source.chunk_bytes,
            // The guard on the source role judges this with every other guard.
            allow_write_role: true,
            assume_encoding: config_source.assume_encoding.clone(),
            target: None,
            text: wish.files,
            subset: config.subset.clone(),
        },
        undecided: config.policy.undecided,
        packs: config.policy.packs.clone(),
        pack_places: config.policy.pack_places.clone(),
        rego: config.policy.rego.clone(),
        today: jiff::Zoned::now().date(),
        accept_literals: config.policy.accept_literals,
        literals_allow: config.policy.literals_allow.clone(),
        allow_schema_drift: config_source.allow_schema_drift,
        guard: match &target {
            Some(target) => guard::Settings {
                plan_only: wish.plan_only,
                ..guard_settings(&config, target, wish.confirmed, wish.yes)
            },
            None => no_target(&config),
        },
        source,
        target: target_info,
        maintenance_db: target.as_ref().map(|target| target.maintenance_db.clone()).unwrap_or_default(),
        rules: config.tables,
        references: config.references,
        key,
        key_id,
        realm,
        ephemeral: own_key && config.key.as_ref().is_some_and(|key| matches!(key.source, KeySource::Ephemeral)),
        lock: if own_key { lock::read(&lock_file)? } else { None },
        lock_file,
        new_partitions: config.policy.new_partitions,
        refused,
        folder: folder.unwrap_or(Path::new(".")).to_owned(),
        publish: config.publish.mode,
        keep: target.as_ref().map_or(0, |target| target.keep),
        hooks: config.hooks,
        leak: config.verify.leak,
        queries: config.verify.queries,
        gates: GateSettings {
            sql: config.verify.sql,
            commands: config.verify.commands,
            warn: config.verify.warn,
            rollback_within: config.verify.rollback_within,
        },
        anonymity: config.verify.anonymity,
        candidates: config.verify.candidates,
        measure: config.verify.measure,
        fidelity: config.verify.fidelity,
        jobs,
        missing_roles: target.as_ref().map_or(MissingRoles::Skip, |target| target.missing_roles),
        skip_extensions: target.as_ref().map_or_else(Vec::new, |target| target.skip_extensions.clone()),
        unlogged: target.as_ref().is_some_and(|target| target.unlogged),
        bin_dir: target.as_ref().and_then(|target| target.bin_dir.clone()),
        owner: target.as_ref().and_then(|target| target.owner.clone()),
        roles: target.map(|target| target.roles).unwrap_or_default(),
        threads,
        budget_bytes: context.memory / 2,
        config_hash: config.hash,
        run,
        os_user: os_user(),
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        report_dir: Some(report_dir),
        dry_run: wish.dry_run,
        signer,
        ledger: Ledger::default(),
    };
    let ledger = Ledger::new(provenance::begin(&job, &config.file).await);
    Ok((Job { ledger, ..job }, warnings))
}

/// Who runs this: what the shell says, else the name of our user id, else the id.
fn os_user() -> String {
    let said = variable("USER").or_else(|| variable("LOGNAME")).filter(|name| !name.is_empty());
    said.unwrap_or_else(|| {
        let id = rustix::process::getuid().as_raw();
        crate::demo::user_name(id).unwrap_or_else(|| format!("uid {id}"))
    })
}

/// Threads that mask: as many as the machine has, or as `RAYON_NUM_THREADS` says, which other programs heed too.
fn threads() -> usize {
    let asked = variable("RAYON_NUM_THREADS").and_then(|text| text.parse().ok()).filter(|count| *count > 0);
    asked.unwrap_or_else(|| std::thread::available_parallelism().map_or(2, usize::from))
}

fn random() -> u16 {
    let mut bytes = [0; 2];
    // Without randomness the id still differs by its second; two runs of one second meet at the lock.
    let _ = getrandom::fill(&mut bytes);
    u16::from_le_bytes(bytes)
}

/// Ends the run when the process is asked to.
pub(super) fn stop_on_cancel(context: &Context) -> Stop {
    let stop = Stop::default();
    let (token, copy) = (context.cancel.clone(), stop.clone());
    tokio::spawn(async move {
        token.cancelled().await;
        copy.stop(StopReason::Signal(2));
    });
    stop
}

/// The configuration with the subset that the command line asks for.
pub(super) fn load_scenario(context: &Context, choice: &ScenarioChoice) -> Result<Config, Failure> {
    let mut config = load(context)?;
    crate::config::choose_scenario(&mut config, choice.scenario.as_deref(), &choice.set)
        .map_err(|failure| failure.with_state(NOTHING))?;
    Ok(config)
}

/// Tells how a row got into the subset: `key` is a text for each column of the key of its table.
pub(super) async fn row_path(
    context: &Context,
    table: String,
    key: &[String],
    choice: &ScenarioChoice,
) -> Result<RowPath, Failure> {
    let config = load_scenario(context, choice)?;
    let wish = Wish { yes: true, ..Wish::default() };
    let (job, _) = job(context, config, wish).await.map_err(|failure| failure.with_state(NOTHING))?;
    let stop = stop_on_cancel(context);
    let found = stop.race(async { refresh::inspect(&job).await }).await?;
    let Some(plan) = found.plan else {
        return Err(Failure { exit: Exit::Refused, reports: found.refusals }.with_state(NOTHING));
    };
    let steps = stop.race(refresh::trace_row(&job, &plan, &table, key)).await?.unwrap_or_default();
    let steps = steps.into_iter().map(|step| PathStep { table: step.table, ctid: step.row, because: step.because });
    Ok(RowPath { table, steps: steps.collect() })
}

/// Counts the subset of a plan that nothing refuses, and narrows the plan to it.
async fn count_subset(job: &Job, found: &mut Inspected) -> Result<Option<SubsetView>, Failure> {
    let Some(plan) = found.plan.as_mut().filter(|plan| plan.subset.is_some()) else { return Ok(None) };
    if !found.refusals.is_empty() {
        return Ok(Some(SubsetView::default()));
    }
    match refresh::count_subset(job, plan).await? {
        Counted::Everything => Ok(None),
        Counted::Refused(reports) => {
            found.refusals.extend(reports);
            Ok(Some(SubsetView::default()))
        }
        Counted::OutOfTime => {
            let seconds = refresh::COUNT_MAX.as_secs();
            plan.warnings.push(format!(
                "the subset could not be counted within {seconds} s: rows and bytes are those of whole tables"
            ));
            Ok(Some(SubsetView::default()))
        }
        Counted::Rows(selection) => {
            selection.apply(plan);
            Ok(Some(subset_view(&selection)))
        }
    }
}

fn subset_view(selection: &Selection) -> SubsetView {
    let direction = |direction: Direction| if direction == Direction::Up { "up" } else { "down" }.to_owned();
    let references = selection.pulled.iter().map(|pulled| PulledView {
        reference: pulled.reference.clone(),
        direction: direction(pulled.direction),
        table: pulled.table.clone(),
        rows: pulled.rows,
        cut: pulled.cut.clone(),
    });
    let dangling = selection.dangling.iter().map(|dangled| DanglingView {
        reference: dangled.reference.clone(),
        rows: dangled.rows,
        nulled: dangled.nulled,
    });
    SubsetView {
        counted: true,
        rows: selection.rows(),
        tables: selection.tables.iter().filter(|table| table.rows > 0).count() as u64,
        bytes: selection.bytes(),
        seeds: selection.seeded,
        references: references.collect(),
        shown: selection.coverage.shown.len() as u64,
        absent: selection.coverage.absent.clone(),
        dangling: dangling.collect(),
    }
}

pub(super) async fn plan(context: &Context, args: PlanArgs) -> Result<PlanView, Failure> {
    let config = load_scenario(context, &args.scenario)?;
    let wish = Wish { yes: true, plan_only: true, ..Wish::default() };
    let (job, warnings) = job(context, config, wish).await.map_err(|failure| failure.with_state(NOTHING))?;
    let stop = stop_on_cancel(context);
    let mut found = stop.race(async { refresh::inspect(&job).await }).await?;
    if args.write_lock {
        found.refusals.retain(|report| report.code != lock::REFUSAL);
    }
    let mut new = found.lock.take();
    if let (true, Some(plan), Some(lock)) = (args.write_lock && found.refusals.is_empty(), &found.plan, new.take()) {
        let seen = stop.race(refresh::survey(&job, &found.catalog, plan, refresh::Purpose::Review)).await?;
        new = Some(lock.with_json(job.lock.as_ref(), seen.surveyed));
    }
    if let (true, Some(plan)) = (args.diff && !args.write_lock && job.lock.is_some(), found.plan.as_mut()) {
        let seen = stop.race(refresh::survey(&job, &found.catalog, plan, refresh::Purpose::Compare)).await?;
        found.changes.extend(refresh::key_changes(&job, &found.catalog, plan, &seen));
        found.refusals.extend(refresh::unknown_keys(&job, &found.catalog, plan, &seen));
        plan.warnings.extend(refresh::unread_keys(&seen));
    }
    let subset = stop.race(count_subset(&job, &mut found)).await?;
    let mut view = view(&job, found, warnings);
    view.subset = subset;
    view.lock.all = args.diff;
    if args.write_lock {
        // A plan that is refused is no reviewed plan.
        if let Some(new) = new.filter(|_| view.refusals.is_empty()) {
            lock::write(&job.lock_file, &new)?;
            view.lock_written = Some(job.lock_file.display().to_string());
        }
    } else if job.lock.is_none() {
        view.warnings.push(no_lock(&job));
    }
    Ok(view)
}

/// Said on every run, and nothing is ever written because of it: the lock is what a person has reviewed.
fn no_lock(job: &Job) -> String {
    let file = job.lock_file.display();
    format!("there is no {file}, so nothing tells what changed since a review: restage plan --write-lock makes it")
}

/// What can be said of every table and column although the plan is refused: who decides it, and what it looks like.
fn drafted(job: &Job, catalog: &Catalog) -> Vec<Skipped> {
    let draft = Draft::new(catalog, &job.policy());
    let mut all = Vec::new();
    for table in &draft.tables {
        let name = format!("{}.{}", table.schema, table.name);
        let mut lines = Vec::new();
        for column in &table.columns {
            let decided = match &column.standing {
                _ if table.empty => "its rows are not copied".to_owned(),
                Standing::Open => "nobody decides it".to_owned(),
                Standing::Generated => "staging computes it again".to_owned(),
                Standing::Follows => "it follows the column it references".to_owned(),
                Standing::Decided { because, keeps: true, .. } => format!("kept, by {because}"),
                Standing::Decided { because, .. } => format!("decided by {because}"),
            };
            let found = crate::detect::by_name(&draft.facts(table, column)).into_iter().find(|finding| finding.found());
            let looks = found.map_or_else(String::new, |found| format!("; looks like {}", found.category.name));
            let said = format!("{}, {decided}{looks}", column.type_name);
            lines.push(format!("{}: {said}", column.name));
            all.push(Skipped { table: format!("{name}.{}", column.name), reason: said });
        }
        all.push(Skipped { table: name, reason: lines.join("\n") });
    }
    all
}

fn view(job: &Job, found: Inspected, warnings: Vec<String>) -> PlanView {
    let server = &found.catalog.server;
    let mut view = PlanView {
        source: format!("{} (PostgreSQL {})", job.source.describe(), server.version),
        target: job.target.as_ref().map(Conninfo::describe),
        // As many ✗ as errors: what only follows from another one is not shown.
        guards: guard::decisive(&found.checks)
            .map(|check| Guard { name: check.name.to_owned(), ok: check.ok, detail: check.detail.clone() })
            .collect(),
        warnings,
        refusals: found.refusals,
        key_id: Some(job.key_id.clone()),
        lock: LockView {
            file: job.lock_file.display().to_string(),
            present: job.lock.is_some(),
            changes: found.changes,
            all: false,
        },
        derived: derived(&found.catalog),
        ..PlanView::default()
    };
    if found.plan.is_none() {
        view.drafted = drafted(job, &found.catalog);
    }
    if let Some(plan) = found.plan {
        let root = |oid| {
            let table = found.catalog.table(oid)?;
            found.catalog.table(table.partition_root?).map(|root| root.full_name())
        };
        view.tables = plan.tables.iter().map(|table| TableView::new(table, root(table.oid))).collect();
        for (table, view) in plan.tables.iter().zip(&mut view.tables) {
            view.emptied = plan.emptied.get(&table.oid).cloned();
            for (column, view) in table.columns.iter().zip(&mut view.columns) {
                plan.about.get(&(table.oid, column.attnum)).into_iter().for_each(|about| view.describe(about));
            }
        }
        view.skipped = plan
            .skipped
            .iter()
            .map(|(table, reason)| Skipped { table: table.clone(), reason: reason.clone() })
            .collect();
        view.warnings.extend(plan.warnings);
        view.totals = PlanTotals::of(&view.tables);
        view.estimate = Some(Estimate {
            ms: view.totals.bytes * 1000 / (BYTES_PER_WORKER_SECOND * job.plan.workers.max(1) as u64) + 2000,
            basis: format!("{} MiB/s per worker", BYTES_PER_WORKER_SECOND >> 20),
        });
        view.hash = plan.hash;
    }
    view
}

/// What staging computes by itself: views and generated columns, and why they are not in the plan.
fn derived(catalog: &Catalog) -> Vec<Skipped> {
    let views = catalog.views.iter().map(|view| {
        let reason = if view.materialized {
            "A materialized view: staging fills it from masked tables."
        } else {
            "A view: staging has its definition, which reads masked tables."
        };
        Skipped { table: format!("{}.{}", view.schema, view.name), reason: reason.to_owned() }
    });
    let generated = catalog.tables.iter().flat_map(|table| {
        let columns = table.columns.iter().filter(|column| column.generated);
        columns.map(|column| Skipped {
            table: format!("{}.{}", table.full_name(), column.name),
            reason: "A generated column: staging computes it from masked columns.".to_owned(),
        })
    });
    views.chain(generated).collect()
}

pub(super) async fn refresh(context: &Context, args: RefreshArgs) -> Result<RefreshOutcome, Failure> {
    refresh_with(context, args).await.map_err(|failure| failure.with_state(NOTHING))
}

async fn refresh_with(context: &Context, args: RefreshArgs) -> Result<RefreshOutcome, Failure> {
    let config = load_scenario(context, &args.scenario)?;
    let consent = Consent::of(args.yes || args.dry_run, target_of(&config)?.confirm.as_deref());
    let target = conninfo(&config, "target", &target_of(&config)?.url)?;
    let question = format!("This replaces database \"{}\" on {}.", target.database, target.describe());
    context.confirm(&question, &target.database, consent).await.map_err(|failure| failure.with_state(NOTHING))?;
    let wish = Wish { dry_run: args.dry_run, yes: args.yes, confirmed: true, ..Wish::default() };
    let (job, mut warnings) = job(context, config, wish).await?;
    warnings.extend(job.lock.is_none().then(|| no_lock(&job)));
    for warning in &warnings {
        context.events.warn(warning.clone());
    }
    let stop = stop_on_cancel(context);
    if args.if_newer
        && let Some(reason) = unchanged(&job).await?
    {
        let (source, target) = (job.source.describe(), job.target().describe());
        return Ok(RefreshOutcome { source, target, unchanged: Some(reason), warnings, ..RefreshOutcome::default() });
    }
    let after = AfterRun::of(&job, warnings);
    let result = refresh::refresh(job, &context.events, &stop).await;
    after.report(context, result).await
}

/// Says why there is nothing to do: nothing was written at the source since the snapshot of the live release.
async fn unchanged(job: &Job) -> Result<Option<String>, Failure> {
    let admin = Admin::connect(job.target(), &job.maintenance_db, &job.application()).await?;
    let live = admin.releases().await?.into_iter().find(|release| release.kind == State::Live);
    if live.and_then(|live| live.release).is_none() {
        return Ok(None);
    }
    let session = TargetSession::connect(job.target(), &job.application()).await?;
    let row =
        session.client().query_opt("SELECT snapshot_lsn, plan_hash FROM restage.run", &[]).await.unwrap_or_default();
    let Some(lsn) = row.and_then(|row| row.try_get::<_, String>(0).ok()) else { return Ok(None) };
    let source = pg::SourceSession::connect(&job.source, &job.application()).await?;
    let now: String = source
        .client()
        .query_one(
            "SELECT (CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() \
             ELSE pg_catalog.pg_current_wal_lsn() END)::text",
            &[],
        )
        .await
        .map_err(|error| extract::ExtractError::sql("asking for the write-ahead log position", &error))?
        .get(0);
    Ok((now == lsn).then(|| format!("the source stands at {lsn}, as when the live release was read")))
}

pub(super) async fn admin(context: &Context) -> Result<(Config, Admin, Conninfo), Failure> {
    let config = load(context)?;
    let target = target_of(&config)?;
    let info = conninfo(&config, "target", &target.url)?;
    let admin = Admin::connect(&info, &target.maintenance_db, "restage").await?;
    Ok((config, admin, info))
}

pub(super) async fn releases(context: &Context, _: ReleasesArgs) -> Result<Releases, Failure> {
    let (_, admin, info) = admin(context).await?;
    let releases = admin.releases().await?;
    let releases = releases
        .into_iter()
        .filter(|release| release.mark.is_some())
        .map(|release| Release {
            name: match &release.kind {
                State::Previous(run) | State::Aside(run) => run.to_string(),
                State::Live => release.release.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
            },
            state: match release.kind {
                State::Live => ReleaseState::Live,
                State::Previous(_) => ReleaseState::Previous,
                State::Aside(_) => ReleaseState::Aside,
            },
            as_of: release.as_of,
            run: release.release.map(|release| release.to_string()),
            bytes: release.bytes,
            database: release.database,
        })
        .collect();
    Ok(Releases { target: info.describe(), releases })
}

pub(super) async fn rollback(context: &Context, args: RollbackArgs) -> Result<RollbackOutcome, Failure> {
    let started = Instant::now();
    let (config, admin, info) = admin(context).await?;
    let target = target_of(&config)?;
    let question =
        format!("This replaces database \"{}\" on {} by an earlier release.", info.database, info.describe());
    let consent = Consent::of(args.yes, target.confirm.as_deref());
    context.confirm(&question, &info.database, consent).await?;
    admin.lock().await?;
    let published = admin.rollback(args.to.as_deref(), jiff::Timestamp::now(), &context.cancel).await?;
    let now = admin.releases().await?;
    let live = now.iter().find(|release| release.kind == State::Live);
    let live_name = live.and_then(|live| live.release.as_ref()).map_or_else(|| "-".to_owned(), ToString::to_string);
    let replaced =
        now.iter().find(|release| Some(&release.database) == published.previous.as_ref()).and_then(|release| {
            match &release.kind {
                State::Previous(run) => Some(run.to_string()),
                _ => None,
            }
        });
    Ok(RollbackOutcome {
        database: published.database,
        live: live_name,
        as_of: live.and_then(|live| live.as_of.clone()),
        // Where the live database was missing, none was replaced, and there is nothing to go back to.
        go_back: replaced.as_ref().map(|replaced| format!("restage rollback --to {replaced}")),
        replaced: replaced.unwrap_or_default(),
        ms: started.elapsed().as_millis() as u64,
    })
}

pub(super) async fn init_target(context: &Context, args: InitTargetArgs) -> Result<InitTargetOutcome, Failure> {
    let (config, admin, info) = admin(context).await?;
    let realm = config.key.as_ref().map_or("default", |key| key.realm.as_str());
    let live = admin.releases().await?.into_iter().find(|release| release.kind == State::Live);
    let already = live.as_ref().is_some_and(|live| live.mark.is_some());
    let facts = guard::target_facts(&admin).await?;
    if info.database.len() > LIVE_NAME_MAX {
        // The server would cut the name without an error, and mark another database than the one that was named.
        let error = LoadError::NameTooLong { database: info.database, max: LIVE_NAME_MAX };
        return Err(Failure::from(error).with_state(NOT_MARKED));
    }
    not_the_source(&config, &admin, &facts, args.trust_target).await?;
    let what =
        if live.is_some() { "may be replaced by masked copies" } else { "does not exist and will be created empty" };
    let question = format!("Database \"{}\" on {} {what}.", info.database, info.describe());
    // Not the configuration's name: this is the one time a person has to say it.
    context.confirm(&question, &info.database, Consent::by_person(args.yes)).await?;
    admin.lock().await?;
    let mark = guard::init_target(&admin, realm, jiff::Timestamp::now()).await?;
    Ok(InitTargetOutcome {
        server: info.hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        database: info.database,
        realm: mark.realm,
        system_identifier: facts.system_identifier.to_string(),
        already,
    })
}

const NOT_MARKED: &str = "Nothing was marked.";

/// Refuses to mark production: the mark is what every later refresh trusts. So the source has to say that it is another
/// server, unless `trusted`: then a source that cannot be asked, and a standby that cannot tell, are passed over.
async fn not_the_source(
    config: &Config,
    admin: &Admin,
    facts: &guard::TargetFacts,
    trusted: bool,
) -> Result<(), Failure> {
    let asked = async {
        let info = conninfo(config, "source", &config.source.url)?;
        let session = pg::SourceSession::connect(&info, "restage").await?;
        let server = crate::catalog::read_server(session.client()).await?;
        Ok::<_, Failure>((info, server))
    };
    let (info, server) = match asked.await {
        Ok(asked) => asked,
        Err(_) if trusted => return Ok(()),
        Err(mut failure) => {
            for report in &mut failure.reports {
                let first = report.hint.take().map(|hint| format!("{hint}\n")).unwrap_or_default();
                report.hint = Some(format!(
                    "{first}Or, if you are sure that the target is not production: restage init-target --trust-target"
                ));
            }
            let state = "Nothing was marked: without the source nothing tells whether the target is production itself.";
            return Err(failure.with_state(state));
        }
    };
    let settings = guard_settings(config, target_of(config)?, false, false);
    let mut refused = guard::refused(&guard::check_mark(&settings, &server, &info, admin, facts).await?);
    if trusted && server.standby {
        refused.retain(|check| check.name != "other database");
    }
    if refused.is_empty() {
        return Ok(());
    }
    let reports = refused.iter().map(|check| guard::report(check).state(NOT_MARKED)).collect();
    Err(Failure { exit: Exit::Refused, reports })
}

pub(super) async fn doctor(context: &Context, _: DoctorArgs) -> Result<DoctorReport, Failure> {
    let config = load(context)?;
    Ok(checkup::run(&config).await)
}

/// Columns whose values the demo shows on both sides: made-up people, masked. The row is found by what is kept.
const SHOWN: [(&str, &str); 7] = [
    ("customers.first_name", "first_name"),
    ("customers.last_name", "last_name"),
    ("customers.email", "email"),
    ("customers.phone", "phone"),
    ("customers.ssn", "ssn"),
    ("customers.born_on", "born_on"),
    ("addresses.delivery_note", "delivery_note"),
];

pub(super) async fn demo(context: &Context, args: DemoArgs) -> Result<DemoOutcome, Failure> {
    let kept = args.keep.is_some();
    let (playground, prod, staging) = tokio::task::spawn_blocking(move || {
        let mut playground = Playground::new(args.keep.as_deref())?;
        let prod = playground.start("production")?;
        let staging = playground.start("staging")?;
        playground.fill(&prod, &staging, args.rows)?;
        Ok::<_, crate::demo::DemoError>((playground, prod, staging))
    })
    .await
    .map_err(|_| Failure::new(Exit::Internal, super::log::panic_report()))??;
    let source_url = format!("postgresql:///shop?host={}&user=restage_ro", prod.display());
    let target_url = format!("postgresql:///shop?host={}&user=restage", staging.display());
    let key = key::generate()?;
    let key_file = playground.folder().join("restage.key");
    crate::secret::write_new(&key_file, &format!("{}\n", key.to_text().as_str()))?;
    let policy = crate::demo::POLICY
        .replace("${RESTAGE_SOURCE}", &source_url)
        .replace("${RESTAGE_TARGET}", &target_url)
        .replace("env = \"RESTAGE_KEY\"", &format!("file = \"{}\"", key_file.display()));
    let file = playground.folder().join("restage.toml");
    std::fs::write(&file, policy).map_err(crate::demo::DemoError::from)?;
    let config = || Ok::<_, Failure>(Config::load(&file, &variable)?);

    let parsed = config()?;
    let admin = Admin::connect(&conninfo(&parsed, "target", &target_of(&parsed)?.url)?, "postgres", "restage").await?;
    guard::init_target(&admin, "staging", jiff::Timestamp::now()).await?;
    drop(admin);
    let stop = stop_on_cancel(context);
    let wish = || Wish { yes: true, ..Wish::default() };
    // Two refreshes, so that there is an earlier release to go back to; the second one is shown.
    let silent = crate::event::Events::silent();
    let (first, _) = job(context, config()?, wish()).await?;
    refresh::refresh(first, &silent, &stop).await?;
    let (second, warnings) = job(context, config()?, wish()).await?;
    let (source_info, target_info) = (second.source.clone(), second.target().clone());
    let report_dir = kept.then(|| playground.folder().join("restage-report").join(second.run.as_str()));
    let after = AfterRun { report_dir, ..AfterRun::of(&second, warnings) };
    let result = refresh::refresh(second, &context.events.without_warnings(), &stop).await;
    let outcome = after.report(context, result).await?;
    let samples = samples(&source_info, &target_info).await?;
    let rolled_back = prove_rollback(context, &target_info, &outcome.release).await?;
    let mut look = vec![("rollback".to_owned(), rolled_back)];
    if kept {
        look.push(("production".to_owned(), format!("psql '{source_url}'")));
        look.push(("staging".to_owned(), format!("psql '{target_url}'")));
        look.push(("again".to_owned(), format!("restage -c {} refresh", file.display())));
        look.push(("stop".to_owned(), playground.stop_line()));
    }
    tokio::task::spawn_blocking(move || drop(playground))
        .await
        .map_err(|_| Failure::new(Exit::Internal, super::log::panic_report()))?;
    Ok(DemoOutcome { samples, refresh: outcome, look })
}

/// One customer on both sides: the one whose kept columns are equal.
async fn samples(source: &Conninfo, target: &Conninfo) -> Result<Vec<DemoSample>, Failure> {
    let columns: Vec<String> = SHOWN.iter().map(|(_, column)| format!("{column}::text")).collect();
    let sql = format!(
        "SELECT {} FROM public.customers JOIN (SELECT DISTINCT ON (customer_id) customer_id, delivery_note FROM public.addresses \
         WHERE delivery_note IS NOT NULL ORDER BY customer_id, kind, is_default) AS note ON note.customer_id = customers.id \
         WHERE phone IS NOT NULL AND ssn IS NOT NULL \
         ORDER BY tenant_id, credit_limit DESC NULLS LAST, loyalty_points DESC, country LIMIT 1",
        columns.join(", ")
    );
    let failed = |error| extract::ExtractError::sql("reading a sample row", &error);
    let before = pg::SourceSession::connect(source, "restage/demo").await?;
    let before = before.client().query_opt(&sql, &[]).await.map_err(failed)?;
    let after = TargetSession::connect(target, "restage/demo").await?;
    let after = after.client().query_opt(&sql, &[]).await.map_err(failed)?;
    let (Some(before), Some(after)) = (before, after) else { return Ok(Vec::new()) };
    let sample = |(index, (column, _)): (usize, &(&str, &str))| DemoSample {
        column: (*column).to_owned(),
        source: before.get(index),
        staging: after.get(index),
    };
    Ok(SHOWN.iter().enumerate().map(sample).collect())
}

/// Goes back to the earlier release and forward again, and says what that took.
async fn prove_rollback(context: &Context, target: &Conninfo, release: &str) -> Result<String, Failure> {
    let admin = Admin::connect(target, "postgres", "restage").await?;
    let started = Instant::now();
    admin.rollback(None, jiff::Timestamp::now(), &context.cancel).await?;
    let back_ms = started.elapsed().as_millis();
    let live = admin.releases().await?.into_iter().find(|release| release.kind == State::Live);
    let earlier = live.and_then(|live| live.release).map_or_else(|| "?".to_owned(), |release| release.to_string());
    let started = Instant::now();
    admin.rollback(Some(release), jiff::Timestamp::now(), &context.cancel).await?;
    let forward_ms = started.elapsed().as_millis();
    Ok(format!("went back to {earlier} in {back_ms} ms and forward to {release} in {forward_ms} ms"))
}
