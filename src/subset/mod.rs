//! Finds the rows of a subset: what the seeds choose, what belongs to them, and what all of these refer to.
//!
//! The server joins, with the operators of its own constraints; the client keeps rows as `(leaf, ctid)` in bitmaps and sees
//! no value, except the keys that a percentage is drawn from. Nothing is written at the source, so a standby serves as well.
//!
//! A row is *required* when a row of the subset refers to it, and *selected* when a seed chose it or it is the child of a
//! selected row. The rows that required rows refer to are required too; only selected rows have their children followed.
//! The result is the least set closed under these rules: it depends on the snapshot, the plan and the key, and on neither
//! batches nor workers nor order.

mod closure;
mod cover;
mod error;
mod growth;
mod link;
mod result;
mod seed;
mod sessions;
mod trace;
mod wire;

pub use closure::select;
pub use cover::Coverage;
pub use error::{ROW_FORM, SubsetError, TooLarge};
pub use growth::Cut;
pub use result::{Dangled, Direction, Pulled, SelectedTable, Selection};
pub use sessions::Sessions;
pub use trace::{Step, path};

use crate::mask::RealmKey;
use crate::plan::SubsetPlan;
use std::sync::Arc;

/// Rows of one query (POSTGRES section 12).
pub const BATCH_ROWS: usize = 10_000;

/// A statement that the server has to understand before a subset can be found.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The `where` of seed 1; the reference.
    pub what: String,
    pub place: Option<String>,
    pub sql: String,
}

/// The statements that what the user wrote becomes, to be prepared and not run.
pub fn probes(plan: &SubsetPlan) -> Vec<Probe> {
    let seeds = plan.seeds.iter().filter(|seed| seed.number > 0).map(|seed| Probe {
        what: format!("seed {} of \"{}\"", seed.number, plan.nodes[seed.node].name),
        place: Some(seed.place.to_string()),
        sql: seed::query(&plan.nodes[seed.node], seed),
    });
    let declared = plan.edges.iter().filter(|edge| edge.declared);
    let references = declared.filter_map(|edge| {
        let leaf = plan.nodes[edge.child].leaves.first()?;
        Some(Probe { what: edge.name.clone(), place: None, sql: link::up(plan, edge, leaf, None, true) })
    });
    seeds.chain(references).collect()
}

/// What to close, and how.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    pub plan: &'a Arc<SubsetPlan>,
    /// Draws percentages.
    pub key: &'a RealmKey,
    /// Sessions that ask at the same time; 1 or more.
    pub workers: usize,
    /// Rows of one query; [`BATCH_ROWS`] but for tests.
    pub batch_rows: usize,
    /// Rows that are needed for another reason, by leaf: the closure contains them and what they refer to.
    pub required: Vec<(crate::catalog::Oid, crate::rowset::RowSet)>,
}
