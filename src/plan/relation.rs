//! The rows of a table that are copied, as an item of FROM.

use crate::catalog::{Catalog, Table, TableKind};
use crate::pg::{quote_ident, quote_qualified};

/// All rows of a table, or of a partition tree, that are copied; those of plain inheritance children are not its own.
pub fn relation(catalog: &Catalog, table: &Table) -> String {
    let only = if table.kind == TableKind::Partitioned { "" } else { "ONLY " };
    copied_part(catalog, table).unwrap_or_else(|| format!("{only}{}", quote_qualified(&table.schema, &table.name)))
}

/// What is copied of a partition tree that has other leaves too; none of any other table. Its rows carry `tableoid` and
/// `ctid`. To read such a tree as a whole would ask the servers of its foreign tables, and count what no copy holds.
pub fn copied_part(catalog: &Catalog, root: &Table) -> Option<String> {
    if root.kind != TableKind::Partitioned {
        return None;
    }
    let parts: Vec<&Table> = catalog.tables.iter().filter(|part| part.partition_root == Some(root.oid)).collect();
    if parts.iter().all(|part| part.is_copied()) {
        return None;
    }
    let columns = root.columns.iter().map(|column| quote_ident(&column.name));
    let columns: Vec<String> = ["tableoid".to_owned(), "ctid".to_owned()].into_iter().chain(columns).collect();
    let rows = |table: &Table| {
        format!("SELECT {} FROM ONLY {}", columns.join(", "), quote_qualified(&table.schema, &table.name))
    };
    let leaves = parts.iter().filter(|part| part.kind == TableKind::Leaf && part.is_copied());
    let mut queries: Vec<String> = leaves.map(|leaf| rows(leaf)).collect();
    if queries.is_empty() {
        // The root itself stores no row, and has the columns.
        queries.push(rows(root));
    }
    Some(format!("({})", queries.join(" UNION ALL ")))
}
