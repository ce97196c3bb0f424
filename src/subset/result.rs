//! What a closure found.

use super::cover::Coverage;
use crate::catalog::Oid;
use crate::plan::{Covered, Plan};
use crate::rowset::{Picked, RowSet};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Which way a reference was followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// From a row to the row it refers to.
    Up,
    /// From a row to those that refer to it.
    Down,
}

/// The chosen rows of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SelectedTable {
    /// `schema.table`.
    pub table: String,
    pub rows: u64,
    /// The rows' share of the table's bytes.
    pub bytes: u64,
}

/// How many rows came through a reference that nothing before it had reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pulled {
    pub reference: String,
    pub direction: Direction,
    /// The table whose rows came.
    pub table: String,
    pub rows: u64,
    /// The lines that stop it, if they are possible.
    pub cut: Option<String>,
}

/// References that point nowhere at the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dangled {
    pub reference: String,
    pub rows: u64,
    /// They are NULL in the copy.
    pub nulled: bool,
}

/// The rows of a subset.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Every table that is copied, by name; those without a row too.
    pub tables: Vec<SelectedTable>,
    /// Rows chosen by seeds, and by whole tables.
    pub seeded: u64,
    /// Most rows first.
    pub pulled: Vec<Pulled>,
    /// References that the database does not hold, in the order of the plan.
    pub dangling: Vec<Dangled>,
    /// What the rows show of what was asked for.
    pub coverage: Coverage,
    /// By leaf.
    pub picked: BTreeMap<Oid, Arc<Picked>>,
    /// Bytes that the bitmaps take.
    pub memory: u64,
}

impl Selection {
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    pub fn bytes(&self) -> u64 {
        self.tables.iter().map(|table| table.bytes).sum()
    }

    /// Narrows a plan to the chosen rows: its tables are read by them from now on.
    pub fn apply(&self, plan: &mut Plan) {
        for table in &mut plan.tables {
            let Some(picked) = self.picked.get(&table.oid) else { continue };
            let rows = picked.len();
            table.bytes = share(table.bytes, rows, table.rows_estimate);
            table.rows_estimate = rows;
            table.unanalyzed = false;
            for chunk in &mut table.chunks {
                chunk.bytes = chunk.bytes.min(table.bytes);
            }
            table.picked = Some(Arc::clone(picked));
        }
        let Coverage { shown, absent } = self.coverage.clone();
        plan.covered = (!shown.is_empty() || !absent.is_empty()).then_some(Covered { shown, absent });
        let left = |dangled: &Dangled| if dangled.nulled { 0 } else { i64::try_from(dangled.rows).unwrap_or(i64::MAX) };
        plan.dangling = Some(self.dangling.iter().map(|dangled| (dangled.reference.clone(), left(dangled))).collect());
    }

    /// Rows of a leaf in the order of their place.
    pub fn rows_of(&self, leaf: Oid) -> RowSet {
        let mut all = RowSet::default();
        for (rows, _) in self.picked.get(&leaf).iter().flat_map(|picked| &picked.parts) {
            all.extend(rows);
        }
        all
    }
}

/// The bytes of some rows of a table.
pub(super) fn share(bytes: u64, rows: u64, of: u64) -> u64 {
    if of == 0 {
        return if rows == 0 { 0 } else { bytes };
    }
    (u128::from(bytes) * u128::from(rows) / u128::from(of)).min(u128::from(bytes)) as u64
}
