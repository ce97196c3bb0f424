//! What is learned of values while they are masked: raw and masked columns of every batch are seen side by side, once.
//!
//! ```text
//!  Proof ─ one per run ─► Watch ─ one per table ─► Unit ─ one per try of a unit of work ─► Seen ─ one per masked column
//!                                                   │ see(raw, masked), once per batch       │
//!                                                   └ keep(), once its rows are committed ───┴► added to those of Watch
//! ```
//!
//! The pipeline calls [`Unit::see`] in its hot path and [`Unit::keep`] when the rows are stored, so a unit that is tried
//! again counts once. Pure: knows Arrow and the masks, nothing of PostgreSQL. What is kept of a value is a 64-bit
//! fingerprint under a salt that is made for the run and never written, so nothing here can be turned into a value.
//!
//! Beside that, a uniform sample of rows is drawn for what a distribution looks like: [`crate::measure::rows`].
//! Another measure of columns is another field of [`Tally`], or of [`Seen`]: `column::observe` fills the one of a batch,
//! `Seen::add` joins two of them.
//!
//! Two questions are asked of it once the rows are loaded: whether masked columns hold more of the source than chance allows
//! ([`Watch::judge`]), and whether values of the source stand in a text ([`Sought`]).

mod cells;
mod codes;
mod column;
mod expect;
mod fingerprint;
mod form;
mod names;
mod sample;
mod search;

#[cfg(test)]
mod tests;

pub use expect::{Judged, Judgement};
pub use fingerprint::Salt;
pub use sample::{Counts, Sample};
pub use search::{Hits, Sought, Traces};

use crate::mask::{Condition, Kind, Params, Raw, Remains, Shape, TableSpec, kind};
use crate::measure::rows::{self, Rows};
use arrow_array::ArrayRef;
use form::Form;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Memory for the samples of a whole run. Samples of one try stand beside it, so twice this at the worst.
pub const BUDGET_BYTES: u64 = 12 << 20;
/// Memory for the sampled rows of a whole run.
const ROWS_BYTES: u64 = 16 << 20;
/// Fingerprints of one column at most. A hundred times more would see a leak of one value in a billion rows no more
/// often than one in a thousand times; the whole of a leaking column is seen with a handful.
const ENTRIES_MAX: usize = 1 << 15;
/// Fewest fingerprints a column gets, however many columns share the budget.
const ENTRIES_MIN: usize = 64;

/// What a run learns of its masked columns.
pub struct Proof {
    salt: Salt,
    tables: Vec<Arc<Watch>>,
}

impl Proof {
    /// Watches the masked columns of tables, each given with the number of its rows, which may be a guess.
    ///
    /// Memory: [`BUDGET_BYTES`] for all of them; columns of small tables need less, and large ones get what is left.
    pub fn new<'a>(salt: Salt, tables: impl IntoIterator<Item = (&'a TableSpec, u64)>) -> Self {
        let tables: Vec<(&TableSpec, u64)> = tables.into_iter().collect();
        let rows = tables.iter().flat_map(|(table, rows)| masked(table).map(|_| *rows)).collect::<Vec<_>>();
        let entries = share(&rows);
        let rows_max = within(&rows, ROWS_BYTES / rows::PAIR_BYTES as u64, (rows::ROWS_MIN, rows::ROWS_MAX));
        let watch = |(table, _): &(&TableSpec, u64)| Arc::new(Watch::new(salt, table, entries, rows_max));
        Self { salt, tables: tables.iter().map(watch).collect() }
    }

    /// The tables, in the order they were given.
    pub fn tables(&self) -> &[Arc<Watch>] {
        &self.tables
    }

    /// What to look for in texts of staging.
    pub fn sought(&self) -> Sought {
        Sought::new(self.salt, &self.tables)
    }
}

/// Masked columns that are written, as indexes into the columns of the table.
fn masked(table: &TableSpec) -> impl Iterator<Item = usize> + '_ {
    let columns = table.columns.iter().enumerate();
    columns.filter(|(index, column)| column.mask.is_some() && !table.unwritten.contains(index)).map(|(index, _)| index)
}

/// The largest number of entries per column with which columns of so many rows stay within the budget.
fn share(rows: &[u64]) -> usize {
    within(rows, BUDGET_BYTES / sample::ENTRY_BYTES, (ENTRIES_MIN, ENTRIES_MAX))
}

/// The largest number per column, within bounds, with which columns of so many rows hold no more than `all`.
fn within(rows: &[u64], all: u64, (least, most): (usize, usize)) -> usize {
    let fits = |entries: usize| rows.iter().map(|rows| (*rows).min(entries as u64)).sum::<u64>() <= all;
    let (mut low, mut high) = (least, most);
    while low < high {
        let middle = (low + high).div_ceil(2);
        if fits(middle) { low = middle } else { high = middle - 1 }
    }
    low
}

/// One masked column of a table, and where it stands in a batch.
pub struct Watched {
    /// `schema.table.column`.
    pub name: String,
    pub kind: &'static Kind,
    pub shape: Shape,
    pub remains: Remains,
    params: Params,
    /// Index into the raw columns.
    raw: usize,
    /// Index into the masked columns.
    masked: usize,
    /// Rows that are left out of the mask on purpose are not looked at.
    condition: Option<Condition>,
}

impl Watched {
    /// Its values tell who is meant wherever they stand, and no mask of it is one of them.
    fn is_sought(&self) -> bool {
        matches!(self.remains, Remains::Rare { .. } | Remains::Subscriber | Remains::Names | Remains::Foreign)
    }

    /// Its kind leaves the value as it is by design, so that this is no leak.
    fn keeps(&self, raw: Raw<'_>) -> bool {
        self.kind.keeps.hold(raw, &self.params)
    }

    /// What makes a value of this form tell who is meant. Words alone do only where they are names: another column's may be
    /// a phrase that everybody writes.
    fn tells(&self, form: Form) -> Form {
        match (form, self.remains) {
            (Form::Words, Remains::Rare { .. } | Remains::Subscriber | Remains::Foreign) => Form::Plain,
            _ => form,
        }
    }
}

/// Two columns that together are the name of a person: where they stand in the raw and in the masked columns.
struct People {
    /// `schema.table.(first, last)`.
    name: String,
    first: (usize, usize),
    last: (usize, usize),
}

/// The masked columns of a table, and what has been seen of them in rows that are stored.
pub struct Watch {
    salt: Salt,
    columns: Vec<Watched>,
    people: Vec<People>,
    entries: usize,
    /// Of each column, then of each pair of names.
    seen: Mutex<Vec<Seen>>,
    rows_max: usize,
    /// Rows of all tries: the tags of sampled rows are made of it.
    tagged: AtomicU64,
    rows: Mutex<Rows>,
}

impl Watch {
    fn new(salt: Salt, table: &TableSpec, entries: usize, rows_max: usize) -> Self {
        let watched = masked(table).enumerate().filter_map(|(masked, raw)| {
            let column = &table.columns[raw];
            let spec = column.mask.as_ref()?;
            let condition = table.conditions.iter().find(|condition| condition.column == raw).copied();
            let (name, shape) = (column.name.clone(), column.shape.clone());
            let kind = kind(&spec.kind)?;
            let remains = (kind.remains)(&spec.params);
            Some(Watched { name, kind, shape, remains, params: spec.params.clone(), raw, masked, condition })
        });
        let columns: Vec<Watched> = watched.collect();
        let people = people(table, &columns);
        let seen = (0..columns.len() + people.len()).map(|_| Seen::new(entries)).collect();
        let rows = Mutex::new(Rows::below(columns.len(), rows_max, u64::MAX));
        Self { salt, columns, people, entries, seen: Mutex::new(seen), rows_max, tagged: AtomicU64::new(0), rows }
    }

    /// Judges each column by what its kind promises.
    pub fn judge(&self) -> Vec<Judged> {
        self.seen(|seen| self.columns.iter().zip(seen).map(|(column, seen)| expect::judge(column, seen)).collect())
    }

    /// The sampled rows, their columns in the order of [`Watch::columns`].
    pub fn rows<T>(&self, look: impl FnOnce(&Rows) -> T) -> T {
        look(&self.rows.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn columns(&self) -> &[Watched] {
        &self.columns
    }

    /// What was seen of each column, in the order of [`Watch::columns`].
    pub fn seen<T>(&self, look: impl FnOnce(&[Seen]) -> T) -> T {
        look(&self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Starts one try of a unit of work.
    pub fn unit(self: &Arc<Self>) -> Arc<Unit> {
        // A sample that is already thin stays so: no use in filling another one with what it would not take.
        let limits = self.seen(|seen| seen.iter().map(|seen| seen.sample.limit()).collect::<Vec<_>>());
        let fresh = |limit| Seen { sample: Sample::below(self.entries, limit), ..Seen::new(self.entries) };
        let seen = limits.into_iter().map(fresh).collect();
        let sampled = Mutex::new(Rows::below(self.columns.len(), self.rows_max, self.rows(Rows::limit)));
        Arc::new(Unit { watch: Arc::clone(self), rows: AtomicU64::new(0), seen: Mutex::new(seen), sampled })
    }
}

/// What one try of a unit of work has seen; forgotten unless it is kept.
pub struct Unit {
    watch: Arc<Watch>,
    rows: AtomicU64,
    seen: Mutex<Vec<Seen>>,
    sampled: Mutex<Rows>,
}

impl Unit {
    /// Looks at a batch. `raw` and `masked` are the columns of the batch before and after the masks.
    ///
    /// Called by many threads, once per batch: the values are read without a lock, the few that are kept are added under
    /// a short one.
    pub fn see(&self, rows: usize, raw: &[ArrayRef], masked: &[ArrayRef]) {
        let lock = || self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let limits: Vec<u64> = lock().iter().map(|seen| seen.sample.limit()).collect();
        let (watch, salt) = (&self.watch, self.watch.salt);
        let (columns, people) = limits.split_at(watch.columns.len());
        let columns = watch.columns.iter().zip(columns);
        let columns = columns.map(|(column, limit)| column::observe(column, salt, *limit, raw, masked));
        let people = watch.people.iter().zip(people);
        let people = people.map(|(people, limit)| column::people(people, salt, *limit, raw, masked));
        let found: Vec<column::Found> = columns.chain(people).collect();
        for (seen, found) in lock().iter_mut().zip(found) {
            seen.take(found);
        }
        self.sample(rows, raw, masked);
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// Draws rows of a batch: a number per row, and a look at the few that are drawn.
    fn sample(&self, rows: usize, raw: &[ArrayRef], masked: &[ArrayRef]) {
        let lock = || self.sampled.lock().unwrap_or_else(PoisonError::into_inner);
        let (watch, limit) = (&self.watch, lock().limit());
        if watch.columns.is_empty() {
            return;
        }
        let first = watch.tagged.fetch_add(rows as u64, Ordering::Relaxed);
        let tag = |row: usize| watch.salt.number(first + row as u64);
        let drawn: Vec<usize> = (0..rows).filter(|row| tag(*row) < limit).collect();
        if drawn.is_empty() {
            return;
        }
        let columns: Vec<Vec<[rows::Cell; 2]>> =
            watch.columns.iter().map(|column| cells::read(column, watch.salt, &drawn, raw, masked)).collect();
        let mut sampled = lock();
        for (place, row) in drawn.into_iter().enumerate() {
            sampled.add(tag(row), columns.iter().map(|column| column[place]));
        }
    }

    /// Rows this try has seen.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// The rows of this try are stored: adds what it has seen to what is known of the table.
    pub fn keep(&self) {
        let mut own = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = self.watch.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (all, own) in all.iter_mut().zip(own.iter_mut()) {
            all.add(std::mem::replace(own, Seen::new(0)));
        }
        let sampled = self.sampled.lock().unwrap_or_else(PoisonError::into_inner);
        self.watch.rows.lock().unwrap_or_else(PoisonError::into_inner).join(&sampled);
    }
}

/// First and last names of one person each: by their subject, else the only ones of the table.
fn people(table: &TableSpec, columns: &[Watched]) -> Vec<People> {
    let subject = |watched: &Watched| table.columns[watched.raw].mask.as_ref().and_then(|spec| spec.subject);
    let of = |name: &'static str| {
        columns.iter().filter(move |column| {
            column.kind.name == name && column.condition.is_none() && matches!(column.shape, Shape::Text { .. })
        })
    };
    let mut found = Vec::new();
    for first in of("name.first") {
        let mut same = of("name.last").filter(|last| subject(last) == subject(first));
        if let Some(last) = same.next() {
            let bare = last.name.rsplit('.').next().unwrap_or_default();
            let name = format!("{} {bare}", first.name);
            found.push(People { name, first: (first.raw, first.masked), last: (last.raw, last.masked) });
        }
    }
    found
}

/// Counts of rows; of values, where the column holds containers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub values: u64,
    /// NULL at the source.
    pub nulls_in: u64,
    /// NULL in staging.
    pub nulls_out: u64,
    /// NULL at the source and not in staging.
    pub filled: u64,
    /// Without a letter or a digit at the source: every mask leaves them.
    pub blank: u64,
    /// The same in staging as at the source because the kind keeps them by design: the nil UUID, zero.
    pub kept: u64,
    /// The same in staging as at the source, those, blank ones and NULL left out.
    pub unchanged: u64,
    /// Those of them that name somebody by themselves.
    pub telling: u64,
}

impl Tally {
    fn add(&mut self, other: Tally) {
        self.values += other.values;
        self.nulls_in += other.nulls_in;
        self.nulls_out += other.nulls_out;
        self.filled += other.filled;
        self.blank += other.blank;
        self.kept += other.kept;
        self.unchanged += other.unchanged;
        self.telling += other.telling;
    }
}

/// What is known of one masked column.
pub struct Seen {
    pub tally: Tally,
    /// Which values occur, how often before and after, in a part of all values that is the same on both sides.
    pub sample: Sample,
}

impl Seen {
    fn new(entries: usize) -> Self {
        Self { tally: Tally::default(), sample: Sample::below(entries, u64::MAX) }
    }

    /// Adds what was seen of a batch.
    fn take(&mut self, found: column::Found) {
        self.tally.add(found.tally);
        for pair in found.pairs {
            self.sample.see(pair);
        }
    }

    /// Joins what was seen of two parts of a table.
    fn add(&mut self, other: Seen) {
        self.tally.add(other.tally);
        self.sample.add(other.sample);
    }
}
