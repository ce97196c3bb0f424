//! The run itself: every stage takes what the stage before it made.

use super::artefact::Opened;
use super::at_source::AtSource;
use super::graph::{self, Work};
use super::measures::Measured;
use super::past::Today;
use super::prepare::{NOTHING, pin_source, prepare, prepare_load};
use super::reading::{Clock, Judged, SNAPSHOT_TRIES, no_drift, now_text, pipeline, server, take_snapshot};
use super::{Job, Prepared, broken, content, gates, hooks, json_keys, proof, subset, target};
use crate::config::HookPoint;
use crate::error::{Exit, Failure, Report};
use crate::event::{Events, Phase, Unit};
use crate::extract::snapshot::Snapshot;
use crate::extract::watch::Watcher;
use crate::extract::{ExtractError, Source, Stop, replay};
use crate::load::LoadError;
use crate::load::database;
use crate::load::objects::{Objects, ObjectsError};
use crate::load::post::Queue;
use crate::load::postgres::Sessions;
use crate::outcome::units::{many, plural};
use crate::outcome::{Gate, MaskCounts, RefreshOutcome, RunTotals, TableLoaded};
use crate::pg::rowsum::RowSum;
use crate::pg::{self, Conninfo};
use crate::pipeline::{Pipeline, PipelineError};
use crate::plan::{Decided, TablePlan};
use crate::proof::Proof;
use crate::publish::Swept;
use crate::release::{self, Mark};
use crate::verify::{self, Structure};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::task::JoinSet;

/// Refreshes staging.
///
/// # Errors
/// Every failure says what is true now; up to the swap that is: the old database serves.
pub async fn refresh(job: Job, events: &Events, stop: &Stop) -> Result<RefreshOutcome, Failure> {
    let started = Instant::now();
    // What was told before the run is the caller's.
    events.take_warnings();
    events.started(Phase::Plan, None, Unit::Items);
    let job = stop.race(pin_source(job, events)).await.map_err(|failure| failure.with_state(NOTHING))?;
    // From here to the last row: our catalog queries, pg_dump and the keepers all hold locks that DDL may wait for.
    let watcher = Watcher::start(&job.source, job.application(), &job.extract, stop, events);
    let prepared = stop.race(prepare(&job)).await.map_err(|failure| failure.with_state(NOTHING))?;
    prepared.admin.lock().await.map_err(|error| Failure::from(error).with_state(NOTHING))?;
    let job = pin_target(job, &prepared);
    let mut clock = Clock::new(events.clone(), job.ledger.clone(), started);
    let plan = &prepared.plan;
    clock.done(
        Phase::Plan,
        format!("{}, {} masked", many(plan.tables.len(), "table"), many(masked_columns(&prepared), "column")),
    );
    // Who will be in the way is looked at and told once more, when the work begins.
    let in_the_way = target::in_the_way(&job, &prepared.admin, &prepared.target);
    for text in plan.warnings.iter().filter(|text| !in_the_way.contains(text)) {
        events.tell(text.clone());
    }

    let run = Run { job: Arc::clone(&job), events: events.clone(), stop: stop.clone() };
    // Commits are asynchronous and files are the server's: there is nothing of ours to clean up on this machine.
    let outcome = run.through(prepared, Origin::Server(watcher), &mut clock).await?;
    Ok(with_warnings(outcome, events))
}

/// Loads a masked snapshot into staging: everything a refresh does, but for reading and masking.
///
/// # Errors
/// As [`refresh`]; a folder that is not what restage wrote, was made for something else, or hides less than the policy of
/// today, is refused first.
pub async fn load(
    job: Job,
    folder: &Path,
    today: &Today,
    events: &Events,
    stop: &Stop,
) -> Result<RefreshOutcome, Failure> {
    let started = Instant::now();
    events.take_warnings();
    events.started(Phase::Plan, None, Unit::Items);
    let opened = Opened::open(folder, &job, today).await.map_err(|failure| failure.with_state(NOTHING_LOADED))?;
    let (manifest, taken) = (&opened.manifest, &opened.taken);
    let job = Job { key_id: manifest.key_id.clone(), config_hash: taken.config.clone(), ..job };
    job.ledger.note(|record| {
        record.source.clone_from(&taken.source);
        record.by.key_id.clone_from(&job.key_id);
        record.by.config_hash.clone_from(&job.config_hash);
    });
    let prepared = stop.race(prepare_load(&job, &opened, today, events)).await;
    let prepared = prepared.map_err(|failure| failure.with_state(NOTHING_LOADED))?;
    prepared.admin.lock().await.map_err(|error| Failure::from(error).with_state(NOTHING_LOADED))?;
    let job = pin_target(job, &prepared);
    let mut clock = Clock::new(events.clone(), job.ledger.clone(), started);
    let files = many(opened.manifest.files.len(), "file");
    clock.done(Phase::Plan, format!("{}; {files} as they were written", many(prepared.plan.tables.len(), "table")));
    let run = Run { job, events: events.clone(), stop: stop.clone() };
    let outcome = run.through(prepared, Origin::Artefact(Box::new(opened)), &mut clock).await?;
    Ok(with_warnings(outcome, events))
}

const NOTHING_LOADED: &str = "Nothing was written to the target.";

/// Chooses the target server once: a second session may not land on another host of the list.
fn pin_target(job: Job, prepared: &Prepared) -> Arc<Job> {
    let target = job.target().pin(prepared.admin.session.host_index());
    Arc::new(Job { target: Some(target), ..job })
}

fn with_warnings(mut outcome: RefreshOutcome, events: &Events) -> RefreshOutcome {
    outcome.found = events.take_warnings();
    // What the plan warned of and the run told again is told once.
    outcome.warnings.retain(|told| !outcome.found.contains(told));
    outcome.warnings.extend(outcome.found.iter().cloned());
    outcome
}

/// Where the rows of a run come from.
enum Origin {
    /// The source server, whose locks are watched.
    Server(Watcher),
    Artefact(Box<Opened>),
}

/// What stands still while rows are read.
enum Still<'a> {
    Snapshot(&'a Snapshot, &'a Objects),
    Artefact(&'a Opened),
}

fn masked_columns(prepared: &Prepared) -> usize {
    let masked = |table: &TablePlan| {
        table.columns.iter().filter(|column| !matches!(column.decision, Decided::Keep { .. })).count()
    };
    prepared.plan.tables.iter().map(masked).sum()
}

/// Rows and bytes by table, filled while loading.
#[derive(Default)]
pub(super) struct Loaded {
    pub(super) read: BTreeMap<String, u64>,
    pub(super) stored: BTreeMap<String, u64>,
    /// None: not all of its rows were hashed.
    pub(super) sums: BTreeMap<String, Option<RowSum>>,
    pub(super) tables: BTreeMap<String, TableLoaded>,
}

/// What loading leaves: the shared state, what the snapshot said, the loaded database, position and time of the snapshot.
type LoadedDatabase = (Arc<Shared>, AtSource, Conninfo, (String, String));

pub(super) struct Run {
    pub(super) job: Arc<Job>,
    pub(super) events: Events,
    pub(super) stop: Stop,
}

/// Everything the tasks of the work graph share.
pub(super) struct Shared {
    pub(super) pipeline: Pipeline,
    pub(super) sessions: Sessions,
    pub(super) source: Source,
    pub(super) tables: Vec<Arc<TablePlan>>,
    pub(super) maskers: Vec<Arc<crate::mask::Masker>>,
    /// What is learned of the values on their way; nothing of rows that were masked before.
    pub(super) proof: Option<Proof>,
    pub(super) objects: Objects,
    /// By table: its rows are hashed on their way.
    pub(super) hashed: Vec<bool>,
    pub(super) loaded: Mutex<Loaded>,
}

impl Run {
    async fn through(
        &self,
        mut prepared: Prepared,
        origin: Origin,
        clock: &mut Clock,
    ) -> Result<RefreshOutcome, Failure> {
        let swept = prepared.admin.drop_aside(None).await;
        let swept = swept.map_err(|error| Failure::from(error).with_state(NOTHING))?;
        for name in &swept.dropped {
            self.events.note(format!("dropped {name}, which an earlier run did not publish"));
        }
        self.warn_left(&swept);
        // Told now, while there is time to act until the swap.
        let in_the_way = target::in_the_way(&self.job, &prepared.admin, &prepared.target);
        in_the_way.into_iter().for_each(|told| self.events.warn(told));
        self.events.started(Phase::Snapshot, None, Unit::Items);
        let name = release::staging_name(&prepared.admin.live, &self.job.run);
        let loaded = match origin {
            Origin::Server(watcher) => self.read_paused(&mut prepared, watcher, &name, clock).await?,
            Origin::Artefact(opened) => {
                self.note_snapshot(&opened.taken.lsn, &opened.taken.at);
                clock.done(Phase::Snapshot, format!("as of {} ({})", opened.taken.at, opened.taken.lsn));
                self.stop.race(self.load(&prepared, &Still::Artefact(&opened), &name, clock)).await
            }
        };
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(failure) => return Err(self.give_up(&prepared, failure, false).await),
        };
        let (shared, at_source, sessions_info, snapshot_facts) = loaded;
        self.events.started(Phase::Verify, None, Unit::Items);
        let verified = self
            .stop
            .race(self.verify(&prepared, &shared, &at_source, &sessions_info))
            .await
            .and_then(|found| prepared.admin.lock_lost().map_or(Ok(found), |error| Err(error.into())));
        let (mut gates, measured) = match verified {
            Ok(found) => found,
            Err(failure) => return Err(self.give_up(&prepared, failure, false).await),
        };
        self.soften(&mut gates);
        self.job.ledger.note(|record| {
            record.gates.clone_from(&gates);
            record.privacy.clone_from(&measured.privacy);
            record.fidelity.clone_from(&measured.fidelity);
        });
        gates::tell_soft(&self.events, &gates);
        if let Some(failure) = verify::refusal(&gates) {
            shared.sessions.close().await;
            return Err(failure.with_state(&format!(
                "Nothing was published: \"{}\" serves as before. The loaded database is kept as \"{name}\" until the next run.",
                prepared.admin.live
            )));
        }
        let mut outcome = self.outcome(&prepared, &shared, gates, &snapshot_facts);
        (outcome.privacy, outcome.fidelity) = (measured.privacy, measured.fidelity);
        self.publish(&prepared, &shared, &sessions_info, clock, &mut outcome).await?;
        outcome.totals.ms = clock.began.elapsed().as_millis() as u64;
        outcome.phases = std::mem::take(&mut clock.times);
        Ok(outcome)
    }

    /// Reads the source, with WAL replay paused if that is wanted. The outer error: nothing was begun.
    async fn read_paused(
        &self,
        prepared: &mut Prepared,
        watcher: Watcher,
        name: &str,
        clock: &mut Clock,
    ) -> Result<Result<LoadedDatabase, Failure>, Failure> {
        let job = &self.job;
        // The pause is not part of what a stop interrupts: every path below has to come past its end.
        let paused = match job.extract.pause_replay {
            true => Some(replay::pause(&job.source, &job.application()).await),
            false => None,
        };
        let paused = paused.transpose().map_err(|error| Failure::from(error).with_state(NOTHING))?;
        let loaded = self.read_source(prepared, watcher, name, clock).await;
        if let Some(paused) = paused
            && !paused.resume().await
        {
            self.events.warn("WAL replay of the source could not be resumed; the next start tries again.");
        }
        Ok(loaded)
    }

    /// Everything that needs the snapshot; it is let go before this returns.
    async fn read_source(
        &self,
        prepared: &mut Prepared,
        watcher: Watcher,
        name: &str,
        clock: &mut Clock,
    ) -> Result<LoadedDatabase, Failure> {
        let live = prepared.admin.live.clone();
        let snapshot = self.stop.race(self.snapshot(prepared)).await;
        let (mut snapshot, objects) = snapshot.map_err(|failure| {
            failure.with_state(&format!("Nothing was loaded and nothing was published: \"{live}\" serves as before."))
        })?;
        snapshot.watch(watcher);
        self.note_snapshot(&snapshot.lsn, &snapshot.taken_at);
        clock.done(Phase::Snapshot, format!("as of {} ({})", snapshot.taken_at, snapshot.lsn));
        let narrowed = subset::narrow(&self.job, &mut prepared.plan, &snapshot, &self.events, clock);
        if let Err(failure) = self.stop.race(narrowed).await {
            snapshot.release().await;
            return Err(failure);
        }
        let loaded = self.stop.race(self.load(prepared, &Still::Snapshot(&snapshot, &objects), name, clock)).await;
        snapshot.release().await;
        loaded
    }

    fn note_snapshot(&self, lsn: &str, taken_at: &str) {
        self.job.ledger.note(|record| {
            record.snapshot_lsn = Some(lsn.to_owned());
            record.snapshot_time = Some(taken_at.to_owned());
        });
    }

    fn note_loaded(&self, shared: &Shared) {
        let tables = shared.loaded.lock().expect("no holder panics").tables.values().cloned().collect();
        self.job.ledger.note(|record| record.loaded = tables);
    }

    /// Drops what was loaded and says what is true now.
    pub(super) async fn give_up(&self, prepared: &Prepared, failure: Failure, keep: bool) -> Failure {
        let live = &prepared.admin.live;
        let name = release::staging_name(live, &self.job.run);
        let gone = |mut swept: Swept| swept.take_left(&name).is_none();
        let dropped = !keep && prepared.admin.drop_aside(None).await.is_ok_and(gone);
        let aside = if dropped {
            "What was loaded aside was dropped.".to_owned()
        } else {
            format!("What was loaded aside is in \"{name}\"; the next run drops it.")
        };
        failure.with_state(&format!("Nothing was published: \"{live}\" serves as before. {aside}"))
    }

    /// Takes a snapshot under which every planned table is what it was when it was planned.
    async fn snapshot(&self, prepared: &mut Prepared) -> Result<(Snapshot, Objects), Failure> {
        let job = &self.job;
        let mut changed = Vec::new();
        for _ in 0..SNAPSHOT_TRIES {
            let Prepared { catalog, plan, judged: objects, tools, .. } = &*prepared;
            match take_snapshot(job, Judged { catalog, plan, objects, tools }, &self.stop).await? {
                Ok(taken) => return Ok(taken),
                Err(changes) => changed = changes,
            }
            self.events.note("the source changed while the snapshot was taken; starting again");
            let fresh = prepare(job).await?;
            prepared.catalog = fresh.catalog;
            prepared.plan = fresh.plan;
            prepared.maskers = fresh.maskers;
            prepared.judged = fresh.judged;
        }
        Err(ExtractError::Changed { changes: changed }.into())
    }

    async fn load(
        &self,
        prepared: &Prepared,
        still: &Still<'_>,
        name: &str,
        clock: &mut Clock,
    ) -> Result<LoadedDatabase, Failure> {
        let job = &self.job;
        self.events.started(Phase::Schema, None, Unit::Items);
        let (mut objects, at_source) = match still {
            Still::Snapshot(snapshot, objects) => {
                ((*objects).clone(), AtSource::read(job, &prepared.plan, &prepared.catalog, snapshot).await?)
            }
            Still::Artefact(opened) => (opened.objects().clone(), opened.at_source().clone()),
        };
        objects.leave_out_extensions(&job.skip_extensions);
        let admin = &prepared.admin.session;
        let reader = &prepared.catalog.server.role;
        database::settle_roles(admin, &mut objects, &job.roles, reader, job.missing_roles, &self.events).await?;
        let info = self.create(prepared, &objects, name).await?;
        hooks::run(job, HookPoint::BeforeLoad, &info, &self.events).await?;
        clock.done(Phase::Schema, many(objects.pre.len(), "object"));

        let shared = Arc::new(self.shared(prepared, still, objects, info.clone())?);
        self.work(prepared, still, &shared, clock).await?;
        self.finish(prepared, &shared, &at_source, &info).await?;
        clock.done(
            Phase::Index,
            match shared.objects.post.len() {
                1 => "1 index, key or constraint".to_owned(),
                number => format!("{number} indexes, keys and constraints"),
            },
        );
        let facts = match still {
            Still::Snapshot(snapshot, _) => (snapshot.lsn.clone(), snapshot.taken_at.clone()),
            Still::Artefact(opened) => (opened.taken.lsn.clone(), opened.taken.at.clone()),
        };
        Ok((shared, at_source, info, facts))
    }

    fn shared(
        &self,
        prepared: &Prepared,
        still: &Still<'_>,
        objects: Objects,
        info: Conninfo,
    ) -> Result<Shared, Failure> {
        let job = &self.job;
        let pipeline = pipeline(job, &self.events, &self.stop)?;
        Ok(Shared {
            source: match still {
                Still::Snapshot(snapshot, _) => server(job, &pipeline, snapshot),
                Still::Artefact(opened) => opened.reader(&self.stop),
            },
            pipeline,
            sessions: Sessions::new(info, job.application(), job.owner.clone()),
            tables: prepared.plan.tables.iter().cloned().map(Arc::new).collect(),
            maskers: prepared.maskers.clone(),
            proof: match still {
                Still::Snapshot(..) if job.leak.on || job.measure => Some(proof::watch(&prepared.plan)?),
                _ => None,
            },
            objects,
            hashed: content::hashable(&prepared.catalog, &prepared.plan),
            loaded: Mutex::default(),
        })
    }

    /// Makes the database aside with its schema; an error drops it at once.
    async fn create(&self, prepared: &Prepared, objects: &Objects, name: &str) -> Result<Conninfo, Failure> {
        let job = &self.job;
        let info = self.database(prepared, name).await?;
        let session = self.session(&info).await?;
        database::create_receipts(&session, job.unlogged).await?;
        database::apply_pre(&session, objects).await?;
        if job.unlogged {
            database::make_unlogged(&session, &prepared.plan).await?;
        }
        session.close().await;
        Ok(info)
    }

    /// Makes an empty, marked database that belongs to the owner.
    async fn database(&self, prepared: &Prepared, name: &str) -> Result<Conninfo, Failure> {
        let admin = &prepared.admin.session;
        let tablespace = prepared.admin.tablespace().await;
        let mark = self.mark(prepared, None);
        database::create(admin, name, &prepared.catalog.server, tablespace.as_deref(), &mark).await?;
        if let Some(owner) = &self.job.owner {
            let sql = format!("ALTER DATABASE {} OWNER TO {}", pg::quote_ident(name), pg::quote_ident(owner));
            let done = admin.client().batch_execute(&sql).await;
            done.map_err(|error| LoadError::sql("handing over to the owner", &error))?;
        }
        Ok(self.job.target().with_database(name))
    }

    /// A session that creates objects as the role that is to own them.
    pub(super) async fn session(&self, info: &Conninfo) -> Result<pg::TargetSession, LoadError> {
        database::open(info, &self.job.application(), self.job.owner.as_deref()).await
    }

    pub(super) fn mark(&self, prepared: &Prepared, as_of: Option<&str>) -> Mark {
        let job = &self.job;
        Mark {
            tool: "restage".to_owned(),
            role: "target".to_owned(),
            realm: job.realm.clone(),
            system_identifier: prepared.target.system_identifier.to_string(),
            marked_by: format!("{}@{}", job.os_user, job.host),
            at: now_text(),
            release: Some(job.run.clone()),
            key_id: Some(job.key_id.clone()),
            as_of: as_of.map(str::to_owned),
            left: None,
            empty: false,
        }
    }

    /// Runs the work graph: loads, indexes, keys, foreign keys, statistics.
    async fn work(
        &self,
        prepared: &Prepared,
        still: &Still<'_>,
        shared: &Arc<Shared>,
        clock: &mut Clock,
    ) -> Result<(), Failure> {
        let tasks = graph::build(&prepared.plan, &shared.objects);
        let mut loads_left = tasks.iter().filter(|task| matches!(task.work, Work::Load { .. })).count();
        let bytes = prepared.plan.tables.iter().map(|table| table.bytes).sum();
        self.events.started(Phase::Load, Some(bytes), Unit::Bytes);
        let mut queue = Queue::new(tasks);
        let mut running: JoinSet<(usize, Result<(), PipelineError>)> = JoinSet::new();
        if loads_left == 0 {
            self.loaded(prepared, still, shared, clock).await?;
        }
        loop {
            while running.len() < self.job.jobs
                && let Some(index) = queue.start_next()
            {
                let work = queue.task(index).work.clone();
                let (shared, unlogged) = (Arc::clone(shared), self.job.unlogged);
                let ledger = self.job.ledger.clone();
                running.spawn(async move {
                    let (began, (labor, name)) = (Instant::now(), shared.called(&work));
                    let done = shared.run(work, unlogged).await;
                    ledger.span(labor, name, began);
                    (index, done)
                });
            }
            let Some(done) = running.join_next().await else { break };
            let (index, result) = done.map_err(|_| {
                Failure::new(Exit::Internal, Report::new("internal::panic", "a task of the load panicked"))
            })?;
            if let Err(error) = result {
                self.note_loaded(shared);
                let known = (&prepared.catalog, &prepared.plan);
                return Err(broken::explain(known, &shared.sessions, error).await.into());
            }
            if let Some(error) = prepared.admin.lock_lost() {
                return Err(error.into());
            }
            if matches!(queue.task(index).work, Work::Load { .. }) {
                loads_left -= 1;
                if loads_left == 0 {
                    // The source is let go as soon as its last row is here.
                    self.loaded(prepared, still, shared, clock).await?;
                }
            } else if loads_left == 0 {
                self.events.counters().items.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
            queue.done(index);
        }
        debug_assert_eq!(queue.left(), 0, "every task becomes ready");
        Ok(())
    }

    /// The last row is in: checks that nothing it was read by changed meanwhile, and starts the next progress line.
    async fn loaded(
        &self,
        prepared: &Prepared,
        still: &Still<'_>,
        shared: &Shared,
        clock: &mut Clock,
    ) -> Result<(), Failure> {
        shared.source.close();
        self.note_loaded(shared);
        if let Still::Snapshot(snapshot, _) = still {
            no_drift(&self.job, &prepared.catalog, &prepared.plan, &self.events).await?;
            snapshot.let_go();
        }
        let (rows, bytes) = {
            let loaded = shared.loaded.lock().expect("no holder panics");
            let sum = |field: fn(&TableLoaded) -> u64| loaded.tables.values().map(field).sum::<u64>();
            (sum(|table| table.rows), sum(|table| table.bytes))
        };
        clock.done(Phase::Load, format!("{}, {} MiB", plural(rows, "row"), bytes >> 20));
        self.events.started(Phase::Index, Some(shared.objects.post.len() as u64), Unit::Items);
        Ok(())
    }

    /// What comes after the last index: sequences, grants, materialized views, the user's hooks.
    async fn finish(
        &self,
        prepared: &Prepared,
        shared: &Shared,
        at_source: &AtSource,
        info: &Conninfo,
    ) -> Result<(), Failure> {
        let session = shared.sessions.take().await?;
        for close in database::set_sequences(&session, &prepared.plan, &at_source.sequences).await? {
            self.events.warn(close);
        }
        database::apply_grants(&session, &shared.objects, &self.events).await?;
        for (schema, name) in &at_source.populated {
            let view = pg::quote_qualified(schema, name);
            if let Err(error) = session.client().batch_execute(&format!("REFRESH MATERIALIZED VIEW {view}")).await {
                self.events.warn(format!(
                    "materialized view {view} could not be filled ({}); it is empty in staging",
                    pg::sql_error(&error)
                ));
            }
        }
        for entry in &shared.objects.security {
            database::run_entry(&session, entry).await?;
        }
        shared.sessions.give(session);
        hooks::run(&self.job, HookPoint::AfterLoad, info, &self.events).await?;
        Ok(())
    }

    async fn verify(
        &self,
        prepared: &Prepared,
        shared: &Shared,
        at_source: &AtSource,
        info: &Conninfo,
    ) -> Result<(Vec<Gate>, Measured), Failure> {
        let session = shared.sessions.take().await?;
        let structure =
            Structure::read(session.client()).await.map_err(|error| LoadError::sql("reading constraints", &error))?;
        let same_major = prepared.catalog.server.version_num / 10_000 == session.version_num() / 10_000;
        let environment = info.child_environment_named(&self.job.application());
        let definitions = async {
            let started = Instant::now();
            let target = prepared.tools.read(&environment, None).await.map_err(ObjectsError::at_target)?;
            let mut gate = verify::definitions(&shared.objects, &target, same_major);
            if !gate.ok && verify::definitions(&shared.objects, &target, false).ok {
                let expected = self.replayed(prepared, &shared.objects).await?;
                gate = verify::definitions(&expected, &target, same_major);
            }
            gate.ms = started.elapsed().as_millis() as u64;
            Ok::<_, Failure>(gate)
        };
        let rest = async {
            let mut gates = Vec::new();
            {
                let loaded = shared.loaded.lock().expect("no holder panics");
                gates.push(verify::row_counts(&prepared.plan, &loaded.read, &loaded.stored));
            }
            gates.push(verify::constraints(&at_source.structure, &structure));
            gates.push(verify::indexes(&at_source.structure, &structure));
            gates.push(verify::sequences(&session, &prepared.plan, &at_source.sequences).await?);
            gates.extend(verify::orphans(&session, &at_source.references, &at_source.orphans).await?);
            gates.extend(self.judge_loaded(&session, info).await);
            gates.extend(self.leaks(prepared, shared).await?);
            gates.extend(json_keys::loaded(&self.job, &prepared.catalog, &prepared.plan, &shared.sessions).await?);
            let (found, measured) = self.measure(prepared, shared, at_source, &session).await;
            gates.extend(found);
            Ok::<_, Failure>((gates, measured))
        };
        // After-load hooks may change definitions on purpose (migrations), so definitions are compared only without them.
        let hooked = self.job.hooks.iter().any(|hook| matches!(hook.at, HookPoint::BeforeLoad | HookPoint::AfterLoad));
        let found = if hooked || self.job.unlogged {
            rest.await?
        } else {
            let (definitions, rest) = tokio::join!(definitions, rest);
            let (mut gates, measured) = rest?;
            gates.insert(3, definitions?);
            (gates, measured)
        };
        shared.sessions.give(session);
        Ok(found)
    }

    /// Definitions of the source as they read after one trip through a server, from a database that is made for this.
    ///
    /// PostgreSQL prints some expressions differently once they were parsed again: `CHECK (kind IN ('a', 'b'))` on a
    /// varchar column moves its casts. So a text that differs from the source's is no difference yet.
    async fn replayed(&self, prepared: &Prepared, objects: &Objects) -> Result<Objects, Failure> {
        let name = release::staging_name(&prepared.admin.live, &self.job.run.twin());
        let info = self.database(prepared, &name).await?;
        let session = self.session(&info).await?;
        database::apply_pre(&session, objects).await?;
        for entry in objects.post.iter().chain(&objects.security) {
            database::run_entry(&session, entry).await?;
        }
        session.close().await;
        let environment = info.child_environment_named(&self.job.application());
        let replayed = prepared.tools.read(&environment, None).await?;
        self.warn_left(&prepared.admin.drop_aside(Some(&self.job.run)).await?);
        Ok(replayed)
    }

    /// Databases that could not be dropped cost disk, and no run its end.
    pub(super) fn warn_left(&self, swept: &Swept) {
        swept.left.iter().for_each(|left| self.events.warn(left.left_over()));
    }

    fn outcome(
        &self,
        prepared: &Prepared,
        shared: &Shared,
        gates: Vec<Gate>,
        (lsn, taken_at): &(String, String),
    ) -> RefreshOutcome {
        let loaded = shared.loaded.lock().expect("no holder panics");
        let tables: Vec<TableLoaded> = loaded.tables.values().cloned().collect();
        let mut masks = MaskCounts::default();
        for table in &prepared.plan.tables {
            let columns =
                table.columns.iter().filter(|column| !matches!(column.decision, Decided::Keep { .. })).count();
            masks.columns += columns as u64;
            masks.values += columns as u64 * loaded.stored.get(&table.full_name()).copied().unwrap_or(0);
        }
        RefreshOutcome {
            run: self.job.run.to_string(),
            release: self.job.run.to_string(),
            source: prepared.source.clone(),
            target: self.job.target().describe(),
            snapshot_lsn: Some(lsn.clone()),
            snapshot_time: Some(taken_at.clone()),
            totals: RunTotals::of(&tables),
            tables,
            masks,
            key_id: Some(self.job.key_id.clone()),
            gates,
            warnings: prepared.plan.warnings.clone(),
            cover: prepared.plan.covered.clone(),
            ..RefreshOutcome::default()
        }
    }
}
