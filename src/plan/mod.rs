//! Policy + catalog → plan, or every refusal at once. Pure: no server is asked here.

use crate::catalog::Oid;
use crate::config::{Place, Rows};
use crate::error::Report;
use crate::mask::TableSpec;
use crate::pg::types::{Format, Layout};

/// Everything a refresh will do, decided before a row is read.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Every table that stores rows, largest first; those with `rows = "none"` included.
    pub tables: Vec<TablePlan>,
    /// Sequences to set after loading.
    pub sequences: Vec<SequencePlan>,
    /// Tables that are not copied at all, with the reason (foreign, extension member).
    pub skipped: Vec<(String, String)>,
    pub warnings: Vec<String>,
    /// BLAKE3 over every decision, hex: equal plans mask equally.
    pub hash: String,
}

/// One leaf table.
#[derive(Debug, Clone)]
pub struct TablePlan {
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    /// The table the rows are loaded into: the leaf itself, or its partition root when a key column is masked.
    pub target_schema: String,
    pub target_name: String,
    /// The columns that are copied, in attnum order. May be empty: a table without columns has rows too.
    pub columns: Vec<ColumnPlan>,
    /// SQL select list: one expression per copied column, then the anchor columns that are not written.
    pub select: Vec<String>,
    /// FROM clause for COPY: `ONLY "s"."t" AS t`, with joins when a subject is reached through foreign keys.
    pub from: String,
    pub rows: Rows,
    pub format: Format,
    /// How the decoder cuts a row; one field per entry of `select`.
    pub layout: Layout,
    /// The masks; `columns` lists exactly the fields of `layout` that are decoded.
    pub mask: TableSpec,
    pub rows_estimate: u64,
    pub bytes: u64,
    pub chunks: Vec<Chunk>,
    pub filenode: Oid,
    /// FREEZE is possible: loaded whole, into an ordinary leaf.
    pub freeze: bool,
}

/// `[start, end)` heap blocks of a leaf; no end: to the last block. `None` for both: the whole table without ctid range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    pub number: u32,
    pub start: Option<u32>,
    pub end: Option<u32>,
    /// Share of the table's bytes, for scheduling and progress.
    pub bytes: u64,
}

#[derive(Debug, Clone)]
pub struct ColumnPlan {
    pub attnum: i16,
    pub name: String,
    pub type_name: String,
    pub decision: Decided,
    /// Which rule decided: `restage.toml:40:1 [tables."public.customers"]`, or `foreign key orders_customer_fkey`.
    pub because: String,
    pub place: Option<Place>,
}

/// The resolved decision of one column.
#[derive(Debug, Clone, PartialEq)]
pub enum Decided {
    Keep {
        reason: Option<String>,
    },
    /// `NULL` in the select list: the value never leaves the source.
    Null,
    /// A constant in the select list, NULL stays NULL: the value never leaves the source.
    Const,
    Mask {
        kind: String,
        label: String,
        subject: Option<String>,
    },
}

#[derive(Debug, Clone)]
pub struct SequencePlan {
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    /// Owning table and column in the target; the value is not set below its maximum.
    pub owner: Option<(String, String, String)>,
}

/// All reasons why a plan was refused.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{} refusals", .0.len())]
pub struct Refusals(pub Vec<Report>);

impl TablePlan {
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}
