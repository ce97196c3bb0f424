//! Masked rows as files: a snapshot to be loaded later, or fixtures to be committed.
//!
//! No target is asked and none is written to. The folder gets its name when every file is in it.

use super::artefact::Origin;
use super::at_source::AtSource;
use super::prepare::{NOTHING, Ready, pin_source, prepare_files};
use super::reading::{Clock, Judged, SNAPSHOT_TRIES, no_drift, pipeline, server, take_snapshot};
use super::{Job, gates, leak, order, past, privacy, proof, subset};
use crate::artefact::columns::Stored;
use crate::artefact::{self, ColumnEntry, Form, Manifest, Part, Purpose, TableEntry, Taken};
use crate::catalog::Catalog;
use crate::config::{MissingRoles, Rows};
use crate::error::{Exit, Failure, Report};
use crate::event::{Event, Events, Phase, Unit};
use crate::extract::snapshot::Snapshot;
use crate::extract::watch::Watcher;
use crate::extract::{ExtractError, Source, Stop, replay};
use crate::load::fixture::{self, Collector};
use crate::load::folder::Folder;
use crate::load::objects::Objects;
use crate::load::{LoadError, parquet, roles};
use crate::mask::Masker;
use crate::mask::kind::Takes;
use crate::outcome::units::{many, plural};
use crate::outcome::{ExportOutcome, Gate, MaskCounts, RunTotals, TableLoaded};
use crate::pipeline::{Pipeline, PipelineError, Work};
use crate::plan::{Chunk, ColumnPlan, Decided, Plan, TablePlan};
use crate::proof::Proof;
use crate::verify;
use crate::verify::leak::{FileColumn, FileRows};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// A table up to this size is one file; larger ones have a file for each chunk, written and loaded side by side.
const WHOLE_BYTES: u64 = 1 << 30;
/// Longest that a run that failed waits for its folder to be gone.
const SETTLE_MAX: Duration = Duration::from_secs(10);
/// Rows that are handed to a Parquet file at once.
const PIECE_BYTES: usize = 384 * 1024;

/// What is wanted as files.
#[derive(Debug, Clone)]
pub enum Wish {
    Snapshot { out: PathBuf },
    Fixture { out: PathBuf, form: Form },
}

impl Wish {
    fn out(&self) -> &Path {
        match self {
            Wish::Snapshot { out } | Wish::Fixture { out, .. } => out,
        }
    }

    fn replace(&self) -> bool {
        matches!(self, Wish::Fixture { .. })
    }
}

/// Writes masked rows as files.
///
/// # Errors
/// Every failure says what is true now: up to the last step that is that no folder has the name.
pub async fn export(job: Job, wish: &Wish, events: &Events, stop: &Stop) -> Result<ExportOutcome, Failure> {
    let started = Instant::now();
    events.take_warnings();
    events.started(Phase::Plan, None, Unit::Items);
    Folder::may_be_made(wish.out(), wish.replace()).map_err(|error| Failure::from(error).with_state(NOTHING))?;
    let job = stop.race(pin_source(job, events)).await.map_err(|failure| failure.with_state(NOTHING))?;
    let watcher = Watcher::start(&job.source, job.application(), &job.extract, stop, events);
    let ready = stop.race(prepare_files(&job)).await.map_err(|failure| failure.with_state(NOTHING))?;
    let mut clock = Clock::new(events.clone(), job.ledger.clone(), started);
    clock.done(Phase::Plan, many(ready.plan.tables.len(), "table"));
    let paused = match job.extract.pause_replay {
        true => Some(replay::pause(&job.source, &job.application()).await),
        false => None,
    };
    let paused = paused.transpose().map_err(|error| Failure::from(error).with_state(NOTHING))?;
    let run = Run { job: Arc::new(job), events: events.clone(), stop: stop.clone(), settled: Mutex::default() };
    let written = run.read(ready, watcher, wish, &mut clock).await;
    if written.is_err() {
        let settled = run.settled.lock().expect("no holder panics").take();
        if let Some(settled) = settled {
            // Tasks that were told to end hold the folder until they do. It ends without a message.
            let _ = tokio::time::timeout(SETTLE_MAX, settled).await;
        }
    }
    if let Some(paused) = paused
        && !paused.resume().await
    {
        events.warn("WAL replay of the source could not be resumed; the next start tries again.");
    }
    let state = format!("{} was not written; there is nothing in its place that looks finished.", wish.out().display());
    let mut outcome = written.map_err(|failure| failure.with_state(&state))?;
    outcome.totals.ms = clock.began.elapsed().as_millis() as u64;
    outcome.phases = std::mem::take(&mut clock.times);
    outcome.warnings.extend(events.take_warnings());
    Ok(outcome)
}

struct Run {
    job: Arc<Job>,
    events: Events,
    stop: Stop,
    /// Hears when the folder has its name or is gone, once there is one.
    settled: Mutex<Option<oneshot::Receiver<()>>>,
}

/// What tasks that write tables share.
struct Shared {
    pipeline: Pipeline,
    source: Source,
    folder: Arc<Folder>,
    proof: Proof,
    /// Rows that are looked at before the files get their name: those of fixtures, which are few.
    rows: Mutex<Vec<FileRows>>,
}

/// One file of a table: which table, its number among the files of the table, the chunks in it.
struct Piece {
    table: usize,
    number: Option<u32>,
    chunks: Vec<Chunk>,
}

impl Run {
    async fn read(
        &self,
        mut ready: Ready,
        watcher: Watcher,
        wish: &Wish,
        clock: &mut Clock,
    ) -> Result<ExportOutcome, Failure> {
        self.events.started(Phase::Snapshot, None, Unit::Items);
        let (mut snapshot, objects) = self.stop.race(self.snapshot(&mut ready)).await?;
        snapshot.watch(watcher);
        clock.done(Phase::Snapshot, format!("as of {} ({})", snapshot.taken_at, snapshot.lsn));
        let narrowed = subset::narrow(&self.job, &mut ready.plan, &snapshot, &self.events, clock);
        if let Err(failure) = self.stop.race(narrowed).await {
            snapshot.release().await;
            return Err(failure);
        }
        let written = self.stop.race(self.write(&mut ready, (&snapshot, objects), wish, clock)).await;
        snapshot.release().await;
        written
    }

    async fn snapshot(&self, ready: &mut Ready) -> Result<(Snapshot, Objects), Failure> {
        let mut changed = Vec::new();
        for _ in 0..SNAPSHOT_TRIES {
            let Ready { catalog, plan, judged: objects, tools, .. } = &*ready;
            match take_snapshot(&self.job, Judged { catalog, plan, objects, tools }, &self.stop).await? {
                Ok(taken) => return Ok(taken),
                Err(changes) => changed = changes,
            }
            self.events.note("the source changed while the snapshot was taken; starting again");
            *ready = prepare_files(&self.job).await?;
        }
        Err(ExtractError::Changed { changes: changed }.into())
    }

    async fn write(
        &self,
        ready: &mut Ready,
        (snapshot, mut objects): (&Snapshot, Objects),
        wish: &Wish,
        clock: &mut Clock,
    ) -> Result<ExportOutcome, Failure> {
        let job = &self.job;
        if matches!(wish, Wish::Fixture { .. }) {
            order::settle_limits(&ready.catalog, &mut ready.plan);
        }
        let Ready { catalog, plan, maskers, policy, .. } = ready;
        self.events.started(Phase::Schema, None, Unit::Items);
        let at_source = AtSource::read(job, plan, catalog, snapshot).await?;
        if matches!(wish, Wish::Fixture { .. }) {
            for_anybody(&mut objects, &self.events);
        }
        clock.done(Phase::Schema, many(objects.pre.len() + objects.post.len(), "object"));
        let (folder, settled) = Folder::create(wish.out(), wish.replace())?;
        let folder = Arc::new(folder);
        *self.settled.lock().expect("no holder panics") = Some(settled);
        let pipeline = pipeline(job, &self.events, &self.stop)?;
        let source = server(job, &pipeline, snapshot);
        let (proof, rows) = (proof::watch(plan)?, Mutex::default());
        let shared = Arc::new(Shared { pipeline, source, folder, proof, rows });
        let bytes = plan.tables.iter().map(|table| table.bytes).sum();
        self.events.started(Phase::Write, Some(bytes), Unit::Bytes);
        let (tables, loaded) = match wish {
            Wish::Snapshot { .. } => self.write_tables(catalog, plan, maskers, &shared).await?,
            Wish::Fixture { form, .. } => {
                let fixture = Fixture { catalog, plan, maskers, objects: &objects, at_source: &at_source, form: *form };
                self.write_fixture(&fixture, &shared).await?
            }
        };
        shared.source.close();
        no_drift(job, catalog, plan, &self.events).await?;
        snapshot.let_go();
        let gates = self.judge(catalog, plan, &objects, &shared)?;
        let definitions = definitions(&objects);
        let mut manifest = Manifest {
            restage_artefact: artefact::VERSION,
            purpose: Purpose::Fixture,
            form: Form::Parquet,
            taken: None,
            realm: job.realm.clone(),
            key_id: job.key_id.clone(),
            mask_version: crate::mask::VERSION,
            plan: plan.hash.clone(),
            server_major: catalog.server.version_num / 10_000,
            tables,
            definitions,
            files: BTreeMap::new(),
        };
        match wish {
            Wish::Fixture { form, .. } => manifest.form = *form,
            Wish::Snapshot { .. } => {
                manifest.purpose = Purpose::Snapshot;
                manifest.taken = Some(self.taken(snapshot));
                let origin = Origin::new(catalog, plan, objects, at_source);
                origin.write(&shared.folder)?;
                past::write(&shared.folder, catalog, policy)?;
            }
        }
        let mut outcome = self.outcome(plan, snapshot, wish, loaded);
        outcome.gates = gates;
        let Some(Shared { folder, .. }) = Arc::into_inner(shared) else {
            return Err(Failure::new(Exit::Internal, Report::new("internal::files", "a task outlived its run")));
        };
        let folder = Arc::into_inner(folder)
            .ok_or_else(|| Failure::new(Exit::Internal, Report::new("internal::files", "a file outlived its run")))?;
        outcome.files = folder.finish(manifest)? as u64;
        clock
            .done(Phase::Write, format!("{} in {}", plural(outcome.totals.rows, "row"), plural(outcome.files, "file")));
        Ok(outcome)
    }

    /// Holds what was written to the promises of the masks: files that leak get no name.
    fn judge(&self, catalog: &Catalog, plan: &Plan, objects: &Objects, shared: &Shared) -> Result<Vec<Gate>, Failure> {
        if !self.job.leak.on {
            return Ok(Vec::new());
        }
        let rows = std::mem::take(&mut *shared.rows.lock().expect("no holder panics"));
        let mut gates = leak::leak(&self.job, catalog, plan, &shared.proof, objects).files(&rows);
        verify::soften(&self.job.gates.warn, &mut gates);
        gates::tell_soft(&self.events, &gates);
        verify::refusal(&gates).map_or(Ok(gates), Err)
    }

    fn taken(&self, snapshot: &Snapshot) -> Taken {
        Taken {
            source: self.job.source.describe(),
            lsn: snapshot.lsn.clone(),
            at: snapshot.taken_at.clone(),
            run: self.job.run.to_string(),
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            config: self.job.config_hash.clone(),
        }
    }

    fn outcome(&self, plan: &Plan, snapshot: &Snapshot, wish: &Wish, tables: Vec<TableLoaded>) -> ExportOutcome {
        let mut masks = MaskCounts::default();
        for table in &plan.tables {
            let masked = table.columns.iter().filter(|column| !matches!(column.decision, Decided::Keep { .. })).count();
            let rows = tables.iter().find(|loaded| loaded.name == table.full_name()).map_or(0, |loaded| loaded.rows);
            masks.columns += masked as u64;
            masks.values += masked as u64 * rows;
        }
        let (purpose, form) = match wish {
            Wish::Snapshot { .. } => (Purpose::Snapshot, Form::Parquet),
            Wish::Fixture { form, .. } => (Purpose::Fixture, *form),
        };
        ExportOutcome {
            purpose,
            form,
            out: wish.out().display().to_string(),
            source: self.job.source.describe(),
            snapshot_lsn: snapshot.lsn.clone(),
            snapshot_time: snapshot.taken_at.clone(),
            totals: RunTotals::of(&tables),
            tables,
            masks,
            key_id: self.job.key_id.clone(),
            warnings: plan.warnings.clone(),
            cover: plan.covered.clone(),
            files: 0,
            phases: Vec::new(),
            gates: Vec::new(),
        }
    }

    /// Writes all tables as Parquet, several at a time, largest first.
    async fn write_tables(
        &self,
        catalog: &Catalog,
        plan: &Plan,
        maskers: &[Arc<Masker>],
        shared: &Arc<Shared>,
    ) -> Result<(Vec<TableEntry>, Vec<TableLoaded>), Failure> {
        let mut entries: Vec<TableEntry> = plan.tables.iter().map(|table| entry(catalog, table)).collect();
        let mut waiting = pieces(plan).into_iter();
        let mut running: JoinSet<Result<Written, PipelineError>> = JoinSet::new();
        let mut loaded: BTreeMap<usize, TableLoaded> = BTreeMap::new();
        let mut parts: BTreeMap<(usize, Option<u32>), Part> = BTreeMap::new();
        loop {
            while running.len() < self.job.plan.workers.max(1)
                && let Some(piece) = waiting.next()
            {
                let table = Arc::new(plan.tables[piece.table].clone());
                let (shared, masker) = (Arc::clone(shared), Arc::clone(&maskers[piece.table]));
                let entry = entries[piece.table].clone();
                running.spawn(async move { shared.write_piece(piece, table, masker, entry).await });
            }
            let Some(done) = running.join_next().await else { break };
            let done = done.map_err(|_| {
                Failure::new(Exit::Internal, Report::new("internal::panic", "a task that writes rows panicked"))
            })?;
            let Written { table, number, rows, bytes, ms, part } = done?;
            let name = plan.tables[table].full_name();
            let sum = loaded.entry(table).or_insert_with(|| TableLoaded { name, ..TableLoaded::default() });
            (sum.rows, sum.bytes, sum.ms) = (sum.rows + rows, sum.bytes + bytes, sum.ms + ms);
            entries[table].rows += rows;
            if let Some(part) = part {
                parts.insert((table, number), part);
            }
        }
        for ((table, _), part) in parts {
            entries[table].parts.push(part);
        }
        Ok((entries, loaded.into_values().collect()))
    }

    /// Writes fixtures, table by table in the order of their names: the files are read by people too.
    async fn write_fixture(
        &self,
        fixture: &Fixture<'_>,
        shared: &Arc<Shared>,
    ) -> Result<(Vec<TableEntry>, Vec<TableLoaded>), Failure> {
        let Fixture { catalog, plan, objects, at_source, form, .. } = fixture;
        let mut numbers: Vec<usize> = (0..plan.tables.len()).collect();
        numbers.sort_by_key(|number| (&plan.tables[*number].schema, &plan.tables[*number].name));
        let script = fixture::script(*form);
        let failed = |source: io::Error| LoadError::File { path: shared.folder.path(script), source };
        let mut out = BufWriter::new(shared.folder.file(script)?);
        fixture::put_start(objects, *form, &mut out).map_err(failed)?;
        let (mut entries, mut loaded) = (Vec::new(), Vec::new());
        for number in numbers {
            let table = &plan.tables[number];
            let mut entry = entry(catalog, table);
            if table.rows != Rows::None {
                let began = Instant::now();
                let rows = self.rows(fixture, number, shared).await?;
                let bytes = rows.iter().map(|row| row.len() as u64).sum();
                entry.rows = rows.len() as u64;
                match form {
                    Form::Sql => fixture::put_copy(table, &rows, &mut out).map_err(failed)?,
                    Form::Csv => entry.parts.extend(put_csv(table, &rows, &shared.folder, &mut out)?),
                    Form::Parquet => entry.parts.extend(put_parquet(&entry, &rows, &shared.folder)?),
                }
                let name = table.full_name();
                let columns = table.columns.iter().map(file_column).collect();
                shared.rows.lock().expect("no holder panics").push(FileRows { name: name.clone(), columns, rows });
                self.events.send(Event::TableLoaded { table: name.clone(), rows: entry.rows, bytes });
                loaded.push(TableLoaded { name, rows: entry.rows, bytes, ms: began.elapsed().as_millis() as u64 });
            }
            entries.push(entry);
        }
        let loose = |sequence: &crate::plan::SequencePlan| {
            at_source.sequences.get(&sequence.oid).map(|value| (value.last, value.called))
        };
        fixture::put_end(plan, objects, &at_source.populated, loose, &mut out).map_err(failed)?;
        let out = out.into_inner().map_err(|error| failed(error.into_error()))?;
        shared.folder.end(script, out)?;
        Ok((entries, loaded))
    }

    /// The masked rows of a table in canonical order.
    async fn rows(&self, fixture: &Fixture<'_>, number: usize, shared: &Shared) -> Result<Vec<Bytes>, Failure> {
        let table = Arc::new(fixture.plan.tables[number].clone());
        let work = Work {
            table: &table,
            masker: &fixture.maskers[number],
            chunks: &table.chunks,
            number: 0,
            freeze: false,
            watch: Some(&shared.proof.tables()[number]),
            hash: false,
        };
        let open = || Ok(Collector::new(&table, self.job.budget_bytes));
        let (_, collector) = shared.pipeline.export(&work, &shared.source, open).await?;
        Ok(collector.sorted(&order::key(fixture.catalog, &table))?)
    }
}

/// What a fixture is made from.
struct Fixture<'a> {
    catalog: &'a Catalog,
    plan: &'a Plan,
    maskers: &'a [Arc<Masker>],
    objects: &'a Objects,
    at_source: &'a AtSource,
    form: Form,
}

/// What became of a piece.
struct Written {
    table: usize,
    number: Option<u32>,
    rows: u64,
    bytes: u64,
    ms: u64,
    part: Option<Part>,
}

impl Shared {
    async fn write_piece(
        &self,
        piece: Piece,
        table: Arc<TablePlan>,
        masker: Arc<Masker>,
        entry: TableEntry,
    ) -> Result<Written, PipelineError> {
        let began = Instant::now();
        let work = Work {
            table: &table,
            masker: &masker,
            chunks: &piece.chunks,
            number: 0,
            freeze: false,
            watch: Some(&self.proof.tables()[piece.table]),
            hash: false,
        };
        let stem = artefact::file_stem(&entry.schema, &entry.name);
        let stem = piece.number.map_or(stem.clone(), |number| format!("{stem}.{number:05}"));
        let (rows, bytes, part) = if entry.columns.is_empty() {
            // Parquet knows no rows without columns; their number is in the manifest.
            let open = || Ok(Collector::new(&table, u64::MAX));
            let (rows, _) = self.pipeline.export(&work, &self.source, open).await?;
            (rows, rows, None)
        } else {
            let open = || parquet::Writer::open(&self.folder, &entry, &stem);
            let (rows, writer) = self.pipeline.export(&work, &self.source, open).await?;
            let (part, bytes) = writer.close()?;
            (rows, bytes, Some(part))
        };
        let name = table.full_name();
        self.pipeline.events.send(Event::TableLoaded { table: name, rows, bytes });
        let ms = began.elapsed().as_millis() as u64;
        Ok(Written { table: piece.table, number: piece.number, rows, bytes, ms, part })
    }
}

/// Cuts the work into files.
fn pieces(plan: &Plan) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (number, table) in plan.tables.iter().enumerate().filter(|(_, table)| table.rows != Rows::None) {
        if table.bytes <= WHOLE_BYTES || table.chunks.len() < 2 || table.columns.is_empty() {
            pieces.push(Piece { table: number, number: None, chunks: table.chunks.clone() });
            continue;
        }
        let part = |chunk: &Chunk| Piece { table: number, number: Some(chunk.number), chunks: vec![*chunk] };
        pieces.extend(table.chunks.iter().map(part));
    }
    pieces
}

fn entry(catalog: &Catalog, table: &TablePlan) -> TableEntry {
    let columns = table.columns.iter().map(|column| {
        let known = catalog.table(table.oid).and_then(|table| table.column(column.attnum));
        ColumnEntry {
            name: column.name.clone(),
            type_name: column.type_name.clone(),
            stored: known.map_or(Stored::Text, |known| Stored::of(catalog, known.type_oid, known.typmod)),
            decision: decision(&column.decision),
        }
    });
    TableEntry {
        schema: table.schema.clone(),
        name: table.name.clone(),
        rows: 0,
        columns: columns.collect(),
        parts: Vec::new(),
    }
}

fn file_column(column: &ColumnPlan) -> FileColumn {
    let container = column.type_name.ends_with("[]") || privacy::takes(&column.type_name) == Takes::Enum;
    FileColumn { name: column.name.clone(), container }
}

pub(super) fn decision(decided: &Decided) -> String {
    match decided {
        Decided::Keep { .. } => "keep".to_owned(),
        Decided::Null => "null".to_owned(),
        Decided::Const => "constant".to_owned(),
        Decided::Mask { kind, .. } => kind.clone(),
    }
}

/// Writes the rows of a table as CSV, and the line that loads them.
fn put_csv(
    table: &TablePlan,
    rows: &[Bytes],
    folder: &Folder,
    script: &mut impl Write,
) -> Result<Option<Part>, LoadError> {
    if rows.is_empty() {
        return Ok(None);
    }
    let name = format!("tables/{}.csv", artefact::file_stem(&table.schema, &table.name));
    let failed = |source| LoadError::File { path: folder.path(&name), source };
    let mut file = folder.file(&name)?;
    fixture::put_csv(table, rows, &mut file).map_err(failed)?;
    folder.end(&name, file)?;
    // Rows that no psql could load from the file stand in the script too.
    if !fixture::loads_by_file(table, rows) {
        fixture::put_copy(table, rows, script).map_err(failed)?;
        return Ok(Some(Part { file: name, rows: rows.len() as u64, exceptions: None }));
    }
    let copy = format!("\\copy {} FROM '{name}' (FORMAT csv, HEADER true, ENCODING 'UTF8')", fixture::target(table));
    writeln!(script, "{copy}\n").map_err(failed)?;
    Ok(Some(Part { file: name, rows: rows.len() as u64, exceptions: None }))
}

fn put_parquet(entry: &TableEntry, rows: &[Bytes], folder: &Arc<Folder>) -> Result<Option<Part>, LoadError> {
    if entry.columns.is_empty() {
        return Ok(None);
    }
    let mut writer = parquet::Writer::open(folder, entry, &artefact::file_stem(&entry.schema, &entry.name))?;
    let mut piece = Vec::new();
    for row in rows {
        piece.extend_from_slice(row);
        if piece.len() >= PIECE_BYTES {
            writer.add(&piece)?;
            piece.clear();
        }
    }
    writer.add(&piece)?;
    Ok(Some(writer.end()?.0))
}

/// Makes definitions that can be created where no role of production is: without grants, and without policies for roles.
pub(super) fn for_anybody(objects: &mut Objects, events: &Events) {
    let settled = roles::settle(objects, &BTreeMap::new(), &BTreeSet::new(), "", MissingRoles::Skip);
    objects.grants.clear();
    // By which index somebody sorted a table once is about its file in production.
    for entry in objects.post.iter_mut().filter(|entry| matches!(entry.kind.as_str(), "INDEX" | "CONSTRAINT")) {
        let clustered = |line: &&str| line.starts_with("ALTER TABLE ") && line.contains(" CLUSTER ON ");
        if entry.sql.contains(" CLUSTER ON ") {
            let lines: Vec<&str> = entry.sql.lines().filter(|line| !clustered(line)).collect();
            entry.sql = lines.join("\n").trim_end().to_owned();
        }
    }
    if !settled.policies.is_empty() {
        events.warn(format!(
            "left out, because a fixture has no roles: {} policies that are for roles only",
            settled.policies.len()
        ));
    }
}

/// Digest of every definition by its name.
pub(super) fn definitions(objects: &Objects) -> BTreeMap<String, String> {
    let mut hashers: BTreeMap<String, blake3::Hasher> = BTreeMap::new();
    let entries = objects.pre.iter().chain(&objects.post).chain(&objects.security).chain(&objects.grants);
    for entry in entries {
        hashers.entry(entry.label()).or_default().update(entry.sql.as_bytes());
    }
    hashers.into_iter().map(|(label, hasher)| (label, hasher.finalize().to_hex().to_string())).collect()
}
