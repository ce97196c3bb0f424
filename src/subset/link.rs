//! The queries that follow references: `c` refers to `p`.

use crate::config::Children;
use crate::plan::{SubsetEdge, SubsetLeaf, SubsetPlan};
use crate::rowset::{RowId, among_sql};

/// One side of a join: an item of FROM, and the condition that its rows are of one leaf where the item holds more.
fn leaf_side(part: Option<&String>, leaf: &SubsetLeaf, alias: &str) -> (String, String) {
    match part {
        None => (leaf.relation.clone(), String::new()),
        // A part of a partition tree that may or may not hold the leaf.
        Some(part) => (part.clone(), format!(" AND {alias}.tableoid = {}::pg_catalog.oid", leaf.oid)),
    }
}

/// Rows that refer, and the rows they refer to: `c.ctid, p.tableoid, p.ctid`. With `missing`, what points nowhere comes
/// with NULLs. Without `rows` it is the whole leaf.
pub(super) fn up(
    plan: &SubsetPlan,
    edge: &SubsetEdge,
    leaf: &SubsetLeaf,
    rows: Option<&[RowId]>,
    missing: bool,
) -> String {
    let (child, of_leaf) = leaf_side(edge.child_part.as_ref(), leaf, "c");
    let parent = edge.parent_part.clone().unwrap_or_else(|| plan.nodes[edge.parent].joined());
    let among = rows.map(|rows| format!(" AND {}", among_sql("c", rows))).unwrap_or_default();
    let (expand, on, refers) = (&edge.expand, &edge.on, &edge.refers);
    if missing {
        return format!(
            "SELECT c.ctid, p.tableoid, p.ctid FROM {child} AS c{expand} LEFT JOIN {parent} AS p ON {on} \
             WHERE {refers}{of_leaf}{among}"
        );
    }
    format!(
        "SELECT c.ctid, p.tableoid, p.ctid FROM {child} AS c{expand} CROSS JOIN {parent} AS p \
         WHERE {on} AND {refers}{of_leaf}{among}"
    )
}

/// Rows that are referred to, and those that refer to them: `p.ctid, c.tableoid, c.ctid`.
pub(super) fn down(plan: &SubsetPlan, edge: &SubsetEdge, leaf: &SubsetLeaf, rows: Option<&[RowId]>) -> String {
    let (parent, of_leaf) = leaf_side(edge.parent_part.as_ref(), leaf, "p");
    let child = edge.child_part.clone().unwrap_or_else(|| plan.nodes[edge.child].joined());
    let among = rows.map(|rows| format!(" AND {}", among_sql("p", rows))).unwrap_or_default();
    let (expand, on, refers) = (&edge.expand, &edge.on, &edge.refers);
    let from = format!("FROM {parent} AS p CROSS JOIN {child} AS c{expand} WHERE {on} AND {refers}{of_leaf}{among}");
    let Children::Max(max) = edge.children else {
        return format!("SELECT p.ctid, c.tableoid, c.ctid {from}");
    };
    let key = plan.nodes[edge.child].order.iter().map(|term| term.of("c") + ", ");
    // A row that refers twice, from inside of a column, is one child: its two places in the list are equal.
    format!(
        "SELECT s.p, s.t, s.c FROM (SELECT p.ctid AS p, c.tableoid AS t, c.ctid AS c, pg_catalog.dense_rank() OVER \
         (PARTITION BY p.ctid ORDER BY {}c.tableoid, c.ctid) AS place {from}) AS s WHERE s.place <= {max}",
        key.collect::<String>()
    )
}
