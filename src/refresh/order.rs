//! The canonical order of rows, and which rows a limit leaves: the same whatever the heap looks like.

use crate::catalog::{Catalog, ConstraintKind, Oid, Table};
use crate::config::Rows;
use crate::load::fixture::By;
use crate::plan::order::{Term, base};
use crate::plan::{Plan, TablePlan, relation};

/// Whole numbers are compared as such.
const NUMBERS: [Oid; 3] = [20, 21, 23];
/// The primary key of a table: numbers of its columns among those that are copied, and how they are compared. Empty without
/// a key: then rows are compared as a whole.
pub(super) fn key(catalog: &Catalog, plan: &TablePlan) -> Vec<(usize, By)> {
    let Some(table) = catalog.table(plan.oid) else { return Vec::new() };
    let place = |attnum: &i16| {
        let at = plan.columns.iter().position(|column| column.attnum == *attnum)?;
        let number = NUMBERS.contains(&base(catalog, table, *attnum)?);
        Some((at, if number { By::Number } else { By::Text }))
    };
    primary(catalog, table).iter().map(place).collect::<Option<Vec<_>>>().unwrap_or_default()
}

fn primary<'c>(catalog: &'c Catalog, table: &Table) -> &'c [i16] {
    let found = catalog
        .constraints
        .iter()
        .find(|constraint| constraint.table == table.oid && constraint.kind == ConstraintKind::Primary);
    found.map_or(&[], |constraint| &constraint.columns)
}

/// Makes each limit take the first rows by their key, else by all their columns: without an order the server takes those
/// that come first in the heap.
pub(super) fn settle_limits(catalog: &Catalog, plan: &mut Plan) {
    for table in &mut plan.tables {
        let Rows::Where { condition, limit: Some(limit) } = &table.rows else { continue };
        let Some(leaf) = catalog.table(table.oid) else { continue };
        let root = leaf.partition_root.and_then(|root| catalog.table(root));
        let whole = root.unwrap_or(leaf);
        let condition = condition.as_ref().map(|text| format!(" WHERE (\n{text}\n)")).unwrap_or_default();
        table.share = Some(format!(
            "(t.tableoid, t.ctid) IN (SELECT t.tableoid, t.ctid FROM {} AS t{condition} ORDER BY {} LIMIT {limit})",
            relation(catalog, whole),
            by(catalog, whole)
        ));
    }
}

/// The order of the rows of a table, as SQL.
fn by(catalog: &Catalog, table: &Table) -> String {
    let every = || table.columns.iter().map(|column| column.attnum).collect::<Vec<i16>>();
    let key = primary(catalog, table).to_vec();
    let columns = if key.is_empty() { every() } else { key };
    let term = |attnum| Some(Term::canonical(catalog, table, attnum)?.of("t"));
    let terms: Vec<String> = columns.into_iter().filter_map(term).collect();
    if terms.is_empty() { "true".to_owned() } else { terms.join(", ") }
}
