//! The worklist: waves of new rows, each followed along every reference, until none is new.
//!
//! All answers of a wave are joined before the next begins, in the order of the plan's references. So it is well defined
//! which reference reached a row first, whatever the batches and however many sessions ask.

use super::cover::{self, Coverage};
use super::error::SubsetError;
use super::growth;
use super::result::{Dangled, Direction, Pulled, SelectedTable, Selection, share};
use super::sessions::Sessions;
use super::{Request, link, seed, wire};
use crate::catalog::Oid;
use crate::config::{Children, Dangling, Parent};
use crate::extract::ExtractError;
use crate::plan::{SubsetEdge, SubsetLeaf, SubsetPlan};
use crate::rowset::{Picked, RowId, RowSet};
use futures_util::future::try_join_all;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Above this share of a table, reading all of it costs less than looking its rows up (POSTGRES section 12).
const STREAM_PERCENT: u64 = 15;
/// Queries that read a whole table for want of an index, after which one that reads both tables whole costs less.
const SCANS_MAX: u64 = 3;
/// Rows that answers bring between two looks at the limits.
const LOOK_ROWS: u64 = 1_000_000;

/// Finds the rows of a subset.
///
/// Memory: bitmaps of the rows, of those new in a wave and of its answers; no row is held otherwise.
///
/// # Errors
/// [`SubsetError`]: too many rows, dangling references that must not be, nothing selected, or the source failed.
pub async fn select(sessions: &Sessions<'_>, request: &Request<'_>) -> Result<Selection, SubsetError> {
    let mut closure = Closure::begin(sessions, request).await?;
    match closure.run().await {
        Err(SubsetError::TooLarge(large)) => Err(growth::explain(&closure, large).await?),
        Err(error) => Err(error),
        Ok(()) => closure.finish().await,
    }
}

/// The rows of a wave, by leaf.
#[derive(Debug, Clone, Default)]
pub(super) struct Wave {
    /// Not in the set before.
    pub entered: Vec<RowSet>,
    /// Not selected before.
    pub selected: Vec<RowSet>,
}

impl Wave {
    pub fn new(leaves: usize) -> Self {
        Self { entered: vec![RowSet::default(); leaves], selected: vec![RowSet::default(); leaves] }
    }

    fn is_empty(&self) -> bool {
        self.entered.iter().chain(&self.selected).all(RowSet::is_empty)
    }
}

/// References of the source that point nowhere, found so far.
#[derive(Debug, Clone, Default)]
struct Missing {
    rows: BTreeMap<usize, RowSet>,
    /// References, of which a row can hold several.
    count: u64,
}

pub(super) struct Closure<'a> {
    pub sessions: &'a Sessions<'a>,
    pub request: &'a Request<'a>,
    pub plan: &'a SubsetPlan,
    /// Node and leaf.
    pub leaves: Vec<(usize, &'a SubsetLeaf)>,
    pub number: HashMap<Oid, usize>,
    /// References whose children an index finds.
    indexed: HashSet<usize>,
    pub first: Wave,
    pub all: Vec<RowSet>,
    selected: Vec<RowSet>,
    /// By reference: rows that came up and down through it.
    pub pulled: Vec<[u64; 2]>,
    missing: Vec<Missing>,
    /// Every wave, where somebody asked for the path to a row.
    pub waves: Option<Vec<Wave>>,
    pub coverage: Coverage,
    /// Rows that were added for what they show.
    pub covering: u64,
    /// References that are not followed, to see what would be left.
    pub without: Vec<(usize, Direction)>,
}

/// References of one leaf's rows to follow.
#[derive(Debug, Clone, Copy)]
struct Task {
    edge: usize,
    direction: Direction,
    leaf: usize,
    /// The leaf is read whole.
    whole: bool,
}

/// Why references are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// To find more rows.
    Close,
    /// To see which references lead out of the set.
    Cut,
}

/// What the answers to one task said.
#[derive(Debug, Default)]
struct Found {
    targets: BTreeMap<Oid, RowSet>,
    missing: RowSet,
    missing_count: u64,
    /// Rows that refer to anything, and those that refer to a row of the set.
    referring: RowSet,
    kept: RowSet,
}

impl<'a> Closure<'a> {
    /// Finds the seeds.
    pub async fn begin(sessions: &'a Sessions<'a>, request: &'a Request<'a>) -> Result<Self, SubsetError> {
        let plan: &SubsetPlan = request.plan;
        let nodes = plan.nodes.iter().enumerate().filter(|(_, node)| node.copied);
        let leaves: Vec<_> =
            nodes.flat_map(|(number, node)| node.leaves.iter().map(move |leaf| (number, leaf))).collect();
        let number: HashMap<Oid, usize> =
            leaves.iter().enumerate().map(|(number, (_, leaf))| (leaf.oid, number)).collect();
        let indexed = indexed(sessions, plan).await?;
        let mut first = Wave::new(leaves.len());
        for seed in &plan.seeds {
            for (leaf, rows) in seed::find(sessions, request, seed).await? {
                let Some(&leaf) = number.get(&leaf) else { continue };
                first.entered[leaf].extend(&rows);
                if seed.children {
                    first.selected[leaf].extend(&rows);
                }
            }
        }
        // A number of rows of every table asks for nothing that has to be there: of an empty database, an empty fixture.
        let chosen = plan.seeds.iter().find(|seed| seed.number > 0);
        let nothing = first.is_empty() && plan.whole.is_empty() && plan.cover.is_empty() && request.required.is_empty();
        if let Some(seed) = chosen.filter(|_| nothing) {
            return Err(SubsetError::Empty { place: seed.place.to_string() });
        }
        for (number, (node, leaf)) in leaves.iter().enumerate() {
            if plan.whole.contains(node) {
                first.entered[number].extend(&every_row(sessions, leaf, &plan.nodes[*node].condition(None)).await?);
            }
        }
        for (leaf, rows) in &request.required {
            if let Some(&leaf) = number.get(leaf) {
                first.entered[leaf].extend(rows);
            }
        }
        let count = leaves.len();
        Ok(Self {
            sessions,
            request,
            plan,
            leaves,
            number,
            indexed,
            first,
            all: vec![RowSet::default(); count],
            selected: vec![RowSet::default(); count],
            pulled: vec![[0; 2]; plan.edges.len()],
            missing: vec![Missing::default(); plan.edges.len()],
            waves: None,
            coverage: Coverage::default(),
            covering: 0,
            without: Vec::new(),
        })
    }

    /// The same beginning, with some references not followed.
    pub fn again_without(&self, without: Vec<(usize, Direction)>) -> Self {
        let count = self.leaves.len();
        Self {
            sessions: self.sessions,
            request: self.request,
            plan: self.plan,
            leaves: self.leaves.clone(),
            number: self.number.clone(),
            indexed: self.indexed.clone(),
            first: self.first.clone(),
            all: vec![RowSet::default(); count],
            selected: vec![RowSet::default(); count],
            pulled: vec![[0; 2]; self.plan.edges.len()],
            missing: vec![Missing::default(); self.plan.edges.len()],
            waves: None,
            coverage: Coverage::default(),
            covering: 0,
            without,
        }
    }

    /// Closes the beginning, and adds what shows something that is not shown yet.
    pub async fn run(&mut self) -> Result<(), SubsetError> {
        self.advance(self.first.clone()).await?;
        self.coverage = cover::add(self).await?;
        Ok(())
    }

    /// Adds rows and follows references until nothing is new, or the limit is passed.
    pub async fn advance(&mut self, mut wave: Wave) -> Result<(), SubsetError> {
        for leaf in 0..self.leaves.len() {
            self.all[leaf].extend(&wave.entered[leaf]);
            self.selected[leaf].extend(&wave.selected[leaf]);
        }
        loop {
            growth::check(self.plan, &self.sizes())?;
            if let Some(waves) = &mut self.waves {
                waves.push(wave.clone());
            }
            if wave.is_empty() {
                return Ok(());
            }
            let tasks = self.tasks(&wave);
            let found = self.follow(&tasks, &wave, Pass::Close).await?;
            wave = self.join(&tasks, found);
        }
    }

    /// Rows and bytes of every leaf.
    pub fn sizes(&self) -> Vec<(u64, u64)> {
        let size = |(rows, (_, leaf)): (&RowSet, &(usize, &SubsetLeaf))| {
            (rows.len(), share(leaf.bytes, rows.len(), leaf.rows.max(1)))
        };
        self.all.iter().zip(&self.leaves).map(size).collect()
    }

    /// Whether rows of both ends can be in the set.
    pub fn followed(&self, edge: &SubsetEdge) -> bool {
        self.plan.nodes[edge.child].copied && self.plan.nodes[edge.parent].copied
    }

    /// What a wave asks for, in the order in which its answers count.
    fn tasks(&self, wave: &Wave) -> Vec<Task> {
        let mut tasks = Vec::new();
        for (number, edge) in self.plan.edges.iter().enumerate().filter(|(_, edge)| self.followed(edge)) {
            let all_there = edge.checked && self.plan.whole.contains(&edge.parent);
            let up = edge.up == Parent::Follow && !edge.nulled && !all_there;
            let down = edge.children != Children::None;
            let sides =
                [(up, Direction::Up, edge.child, &wave.entered), (down, Direction::Down, edge.parent, &wave.selected)];
            for (wanted, direction, node, rows) in sides {
                if !wanted || self.without.contains(&(number, direction)) {
                    continue;
                }
                for leaf in
                    (0..self.leaves.len()).filter(|leaf| self.leaves[*leaf].0 == node && !rows[*leaf].is_empty())
                {
                    let whole = self.read_whole(number, direction, leaf, rows[leaf].len());
                    tasks.push(Task { edge: number, direction, leaf, whole });
                }
            }
        }
        tasks
    }

    /// Whether one query over the whole table costs less than one per batch.
    fn read_whole(&self, edge: usize, direction: Direction, leaf: usize, rows: u64) -> bool {
        let batches = rows.div_ceil(self.request.batch_rows.max(1) as u64);
        let large = rows * 100 > self.leaves[leaf].1.rows * STREAM_PERCENT;
        // The row referred to has a unique index, unless it is declared that it is referred to.
        let index = match direction {
            Direction::Up => self.plan.edges[edge].checked,
            Direction::Down => self.indexed.contains(&edge),
        };
        batches > 1 && (large || (!index && batches > SCANS_MAX))
    }

    /// Asks all questions, with as many sessions as there are workers.
    async fn follow(&self, tasks: &[Task], wave: &Wave, pass: Pass) -> Result<Vec<Found>, SubsetError> {
        let rows = |task: &Task| match (pass, task.direction) {
            (Pass::Cut, _) => &self.all[task.leaf],
            (Pass::Close, Direction::Up) => &wave.entered[task.leaf],
            (Pass::Close, Direction::Down) => &wave.selected[task.leaf],
        };
        let batch_rows = self.request.batch_rows;
        // Lists of row ids are made when they are asked for: those of a whole wave would be larger than its bitmaps.
        let jobs = tasks.iter().enumerate().flat_map(|(number, task)| {
            let rows = rows(task);
            let whole = task.whole.then_some((number, None));
            let batches = (!task.whole).then(|| rows.batches(batch_rows).map(move |batch| (number, Some(batch))));
            whole.into_iter().chain(batches.into_iter().flatten())
        });
        let jobs = Mutex::new(jobs);
        let found: Mutex<Vec<Found>> = Mutex::new(tasks.iter().map(|_| Found::default()).collect());
        let answered = Mutex::new((0, LOOK_ROWS));
        let enough = AtomicBool::new(false);
        let work = async || {
            loop {
                let next = jobs.lock().expect("no holder panics").next();
                let Some((number, batch)) = next.filter(|_| !enough.load(Ordering::Relaxed)) else {
                    return Ok::<(), SubsetError>(());
                };
                let (answer, rows_read) =
                    self.ask(&tasks[number], batch.as_deref(), rows(&tasks[number]), pass).await?;
                let mut found = found.lock().expect("no holder panics");
                found[number].add(answer);
                let mut answered = answered.lock().expect("no holder panics");
                answered.0 += rows_read;
                if pass == Pass::Close && answered.0 >= answered.1 {
                    answered.1 = answered.0 + LOOK_ROWS;
                    // The limit is told of when the answers are joined: then it is known what they came through.
                    enough.fetch_or(growth::check(self.plan, &self.sizes_with(&found)).is_err(), Ordering::Relaxed);
                }
            }
        };
        try_join_all((0..self.sessions.width(self.request.workers)).map(|_| work())).await?;
        Ok(found.into_inner().expect("no holder panics"))
    }

    /// Rows and bytes of every leaf, the answers of a wave that is not at its end included.
    fn sizes_with(&self, found: &[Found]) -> Vec<(u64, u64)> {
        let mut sizes = self.sizes();
        for (leaf, size) in sizes.iter_mut().enumerate() {
            let (_, about) = self.leaves[leaf];
            let mut new = RowSet::default();
            for targets in found.iter().filter_map(|found| found.targets.get(&about.oid)) {
                new.extend(targets);
            }
            let rows = self.all[leaf].len() + new.without(&self.all[leaf]).len();
            *size = (rows, share(about.bytes, rows, about.rows.max(1)));
        }
        sizes
    }

    async fn ask(
        &self,
        task: &Task,
        batch: Option<&[RowId]>,
        of: &RowSet,
        pass: Pass,
    ) -> Result<(Found, u64), SubsetError> {
        let edge = &self.plan.edges[task.edge];
        let (_, leaf) = self.leaves[task.leaf];
        let missing = pass == Pass::Cut || !edge.checked;
        let sql = match task.direction {
            Direction::Up => link::up(self.plan, edge, leaf, batch, missing),
            Direction::Down => link::down(self.plan, edge, leaf, batch),
        };
        let what = format!("following {} of {}", edge.name, self.plan.nodes[edge.child].name);
        let all_asked = batch.is_some();
        let asked = self.sessions.run(async |session| {
            let mut found = Found::default();
            let mut read = 0;
            wire::rows(session, &what, &sql, |fields| {
                read += 1;
                let Some(source) = fields.row() else { return };
                if !all_asked && !of.contains(source) {
                    return;
                }
                let target = fields.oid().zip(fields.row());
                match pass {
                    Pass::Close => found.close(source, target),
                    Pass::Cut => {
                        found.referring.insert(source);
                        if target.is_some_and(|(leaf, row)| self.holds(leaf, row)) {
                            found.kept.insert(source);
                        }
                    }
                }
            })
            .await?;
            Ok::<_, ExtractError>((found, read))
        });
        Ok(asked.await?)
    }

    pub fn holds(&self, leaf: Oid, row: RowId) -> bool {
        self.number.get(&leaf).is_some_and(|leaf| self.all[*leaf].contains(row))
    }

    /// Adds the answers of a wave and returns what was new in them.
    fn join(&mut self, tasks: &[Task], found: Vec<Found>) -> Wave {
        let mut next = Wave::new(self.leaves.len());
        for (task, found) in tasks.iter().zip(found) {
            for (leaf, targets) in &found.targets {
                let Some(&leaf) = self.number.get(leaf) else { continue };
                let entered = targets.without(&self.all[leaf]);
                self.pulled[task.edge][task.direction as usize] += entered.len();
                self.all[leaf].extend(&entered);
                next.entered[leaf].extend(&entered);
                if task.direction == Direction::Down {
                    let selected = targets.without(&self.selected[leaf]);
                    self.selected[leaf].extend(&selected);
                    next.selected[leaf].extend(&selected);
                }
            }
            if found.missing_count > 0 {
                let missing = &mut self.missing[task.edge];
                missing.count += found.missing_count;
                missing.rows.entry(task.leaf).or_default().extend(&found.missing);
            }
        }
        next
    }

    /// Turns the closed set into what is copied.
    async fn finish(self) -> Result<Selection, SubsetError> {
        let edges = self.plan.edges.iter().zip(&self.missing);
        if let Some((edge, missing)) =
            edges.clone().find(|(edge, missing)| edge.dangling == Dangling::Fail && missing.count > 0)
        {
            return Err(SubsetError::Dangling {
                edge: edge.name.clone(),
                from: edge.from.clone(),
                to: edge.to.clone(),
                rows: missing.count,
                fixed: edge.fixed.is_some(),
            });
        }
        let nulls = self.nulls().await?;
        let mut picked = BTreeMap::new();
        let mut tables = Vec::new();
        let mut memory = 0;
        for (number, (_, leaf)) in self.leaves.iter().enumerate() {
            let (rows, bytes) = self.sizes()[number];
            tables.push(SelectedTable { table: leaf.name.clone(), rows, bytes });
            memory += self.all[number].bytes();
            let empty = Vec::new();
            let parts = parts(&self.all[number], nulls.get(&number).unwrap_or(&empty));
            picked.insert(leaf.oid, Arc::new(Picked { parts, of_rows: leaf.rows }));
        }
        tables.sort_by(|a, b| a.table.cmp(&b.table));
        let dangling = edges
            .filter(|(edge, _)| !edge.checked && self.followed(edge) && edge.up == Parent::Follow && !edge.nulled)
            .map(|(edge, missing)| Dangled {
                reference: edge.name.clone(),
                rows: missing.count,
                nulled: edge.dangling == Dangling::Null && !edge.null_columns.is_empty(),
            })
            .collect();
        let seeded = self.first.entered.iter().map(RowSet::len).sum::<u64>() + self.covering;
        let pulled = self.pulled();
        Ok(Selection { tables, seeded, pulled, dangling, coverage: self.coverage, picked, memory })
    }

    /// Which reference pulled how many rows, most first.
    pub fn pulled(&self) -> Vec<Pulled> {
        let mut pulled = Vec::new();
        for (number, (edge, rows)) in self.plan.edges.iter().zip(&self.pulled).enumerate() {
            for (direction, node) in [(Direction::Up, edge.parent), (Direction::Down, edge.child)] {
                let rows = rows[direction as usize];
                if rows > 0 {
                    let cut = growth::cut(self.plan, number, direction).map(|cut| cut.lines);
                    let table = self.plan.nodes[node].name.clone();
                    pulled.push(Pulled { reference: edge.name.clone(), direction, table, rows, cut });
                }
            }
        }
        pulled.sort_by(|a, b| b.rows.cmp(&a.rows).then_with(|| a.reference.cmp(&b.reference)));
        pulled
    }

    /// Rows whose references become NULL, by leaf, with the columns.
    async fn nulls(&self) -> Result<BTreeMap<usize, Vec<(RowSet, Vec<String>)>>, SubsetError> {
        let mut nulls: BTreeMap<usize, Vec<(RowSet, Vec<String>)>> = BTreeMap::new();
        let cut = |edge: &SubsetEdge| edge.up == Parent::Null && !edge.nulled && !edge.null_columns.is_empty();
        for (edge, missing) in self.plan.edges.iter().zip(&self.missing) {
            if edge.dangling == Dangling::Null && !edge.null_columns.is_empty() && !cut(edge) {
                for (leaf, rows) in &missing.rows {
                    nulls.entry(*leaf).or_default().push((rows.clone(), edge.null_columns.clone()));
                }
            }
        }
        let mut tasks = Vec::new();
        for (number, edge) in self.plan.edges.iter().enumerate().filter(|(_, edge)| cut(edge)) {
            for leaf in (0..self.leaves.len()).filter(|leaf| self.leaves[*leaf].0 == edge.child) {
                let whole = self.read_whole(number, Direction::Up, leaf, self.all[leaf].len());
                tasks.push(Task { edge: number, direction: Direction::Up, leaf, whole });
            }
        }
        let found = self.follow(&tasks, &Wave::default(), Pass::Cut).await?;
        for (task, found) in tasks.iter().zip(found) {
            let columns = self.plan.edges[task.edge].null_columns.clone();
            nulls.entry(task.leaf).or_default().push((found.referring.without(&found.kept), columns));
        }
        Ok(nulls)
    }
}

impl Found {
    fn close(&mut self, source: RowId, target: Option<(Oid, RowId)>) {
        match target {
            Some((leaf, row)) => {
                self.targets.entry(leaf).or_default().insert(row);
            }
            None => {
                self.missing.insert(source);
                self.missing_count += 1;
            }
        }
    }

    fn add(&mut self, other: Found) {
        for (leaf, rows) in other.targets {
            self.targets.entry(leaf).or_default().extend(&rows);
        }
        self.missing.extend(&other.missing);
        self.missing_count += other.missing_count;
        self.referring.extend(&other.referring);
        self.kept.extend(&other.kept);
    }
}

/// Splits rows by the columns that are NULL in the copy.
fn parts(rows: &RowSet, nulls: &[(RowSet, Vec<String>)]) -> Vec<(RowSet, Vec<String>)> {
    let mut parts = vec![(rows.clone(), Vec::new())];
    for (set, columns) in nulls {
        let split = |(rows, known): (RowSet, Vec<String>)| {
            let more: Vec<String> = columns.iter().filter(|column| !known.contains(column)).cloned().collect();
            let both = rows.both(set);
            [(rows.without(set), known.clone()), (both, [known, more].concat())]
        };
        parts = parts.into_iter().flat_map(split).filter(|(rows, _)| !rows.is_empty()).collect();
    }
    parts.retain(|(rows, _)| !rows.is_empty());
    parts
}

async fn every_row(sessions: &Sessions<'_>, leaf: &SubsetLeaf, condition: &str) -> Result<RowSet, ExtractError> {
    let sql = format!("SELECT t.ctid FROM {} AS t{condition}", leaf.relation);
    let what = format!("counting {}", leaf.name);
    let read = async |session: &crate::pg::SourceSession| {
        let mut rows = RowSet::default();
        wire::rows(session, &what, &sql, |fields| {
            rows.extend(&fields.row().into_iter().collect());
        })
        .await?;
        Ok(rows)
    };
    sessions.run(read).await
}

/// References whose children can be found by an index: one begins with all of their columns.
async fn indexed(sessions: &Sessions<'_>, plan: &SubsetPlan) -> Result<HashSet<usize>, ExtractError> {
    let tables: Vec<Oid> = plan.edges.iter().filter_map(|edge| Some(edge.columns.as_ref()?.0)).collect();
    let sql = "SELECT i.indrelid, i.indkey::pg_catalog.int2[] FROM pg_catalog.pg_index AS i \
               JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid WHERE i.indrelid = ANY ($1) AND i.indpred IS NULL \
               AND (i.indisvalid OR c.relkind = 'I')";
    let read = async |session: &crate::pg::SourceSession| {
        let failed = |error: tokio_postgres::Error| ExtractError::sql("reading the indexes of the source", &error);
        session.client().query(sql, &[&tables]).await.map_err(failed)
    };
    let rows = sessions.run(read).await?;
    let mut indexes: HashMap<Oid, Vec<Vec<i16>>> = HashMap::new();
    for row in &rows {
        indexes.entry(row.get(0)).or_default().push(row.get(1));
    }
    let serves = |columns: &[i16], index: &Vec<i16>| {
        index.get(..columns.len()).is_some_and(|start| columns.iter().all(|column| start.contains(column)))
    };
    let found = plan.edges.iter().enumerate().filter(|(_, edge)| {
        let Some((table, columns)) = &edge.columns else { return false };
        indexes.get(table).is_some_and(|known| known.iter().any(|index| serves(columns, index)))
    });
    Ok(found.map(|(number, _)| number).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(rows: &[u16]) -> RowSet {
        rows.iter().map(|row| RowId::new(0, *row)).collect()
    }

    #[test]
    fn parts_are_disjoint_and_name_every_column_that_becomes_null() {
        let a = (set(&[1, 2]), vec!["a".to_owned()]);
        let b = (set(&[2, 3]), vec!["b".to_owned(), "a".to_owned()]);
        let mut parts = parts(&set(&[1, 2, 3, 4]), &[a, b]);
        parts.sort_by_key(|(rows, _)| rows.nth(0));
        let text = |part: &(RowSet, Vec<String>)| (part.0.clone(), part.1.join(","));
        let expected = [(set(&[1]), "a"), (set(&[2]), "a,b"), (set(&[3]), "b,a"), (set(&[4]), "")];
        assert_eq!(parts.iter().map(text).collect::<Vec<_>>(), expected.map(|(rows, text)| (rows, text.to_owned())));
    }
}
