//! A sample of distinct values that is the same before and after the masks, in bounded memory.
//!
//! A fingerprint is in the sample if it is below a limit; the limit is halved whenever there are too many. Whether a
//! value is in depends on its fingerprint alone: not on order, on how often it occurs, or on which side it was seen. So
//! what holds of the values in the sample, overlap above all, is exact for them, and an estimate for all others.

use super::column::Pair;
use super::form::Form;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Memory of an entry: the fingerprint, three counts and a form, and the room a hash table keeps free.
pub(super) const ENTRY_BYTES: u64 = 40;

/// How often one value was seen. Saturating: no column has that many rows of one value worth telling apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// At the source.
    pub before: u32,
    /// In staging.
    pub after: u32,
    /// On both sides of one row.
    pub stayed: u32,
    /// What it looks like at the source, where that is of interest.
    pub form: Form,
}

/// Distinct values below a limit, by fingerprint.
pub struct Sample {
    entries_max: usize,
    limit: u64,
    entries: HashMap<u64, Counts, BuildHasherDefault<Spread>>,
}

impl Sample {
    /// An empty sample of fingerprints below `limit`, which never holds more than `entries_max`.
    pub(super) fn below(entries_max: usize, limit: u64) -> Self {
        Self { entries_max, limit, entries: HashMap::default() }
    }

    /// Fingerprints from here on are not in the sample.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// The share of all values that is in the sample: 1 where it holds every one.
    pub fn share(&self) -> f64 {
        if self.limit == u64::MAX { 1.0 } else { self.limit as f64 / u64::MAX as f64 }
    }

    /// Notes one row by the fingerprints of its value before and after the mask, and what it looks like before.
    pub(super) fn see(&mut self, (before, after, form): Pair) {
        let stayed = u32::from(before.is_some() && before == after);
        if let Some(before) = before {
            self.note(before, Counts { before: 1, after: stayed, stayed, form });
        }
        if let Some(after) = after.filter(|_| stayed == 0) {
            self.note(after, Counts { after: 1, ..Counts::default() });
        }
    }

    /// Joins another sample; values beyond the lower of both limits are dropped.
    pub(super) fn add(&mut self, other: Sample) {
        self.lower(other.limit);
        for (value, counts) in other.entries {
            self.note(value, counts);
        }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Every value of the sample, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, Counts)> + '_ {
        self.entries.iter().map(|(value, counts)| (*value, *counts))
    }

    fn note(&mut self, value: u64, counts: Counts) {
        if value >= self.limit {
            return;
        }
        let entry = self.entries.entry(value).or_default();
        entry.before = entry.before.saturating_add(counts.before);
        entry.after = entry.after.saturating_add(counts.after);
        entry.stayed = entry.stayed.saturating_add(counts.stayed);
        entry.form = entry.form.max(counts.form);
        while self.entries.len() > self.entries_max && self.limit > 1 {
            self.lower(self.limit / 2);
        }
    }

    fn lower(&mut self, limit: u64) {
        if limit < self.limit {
            self.limit = limit;
            self.entries.retain(|value, _| *value < limit);
        }
    }
}

/// Fingerprints are random already, but those of a sample share their high bits, which the table looks at first.
#[derive(Default)]
pub(super) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only fingerprints are hashed");
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
}
