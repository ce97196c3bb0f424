//! An order of rows that no collation, no setting and no place in the heap changes.

use crate::catalog::{Catalog, Oid, Table};
use crate::pg;

/// Types with an order of their own that no collation and no setting changes: numbers, `oid`, dates, times and `uuid`.
const ORDERED: [Oid; 10] = [20, 21, 23, 26, 700, 701, 1082, 1114, 1184, 2950];

/// One term of ORDER BY, without the name of its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// Quoted.
    column: String,
    cast: &'static str,
}

impl Term {
    /// A column by the order of its type.
    pub fn plain(column: &str) -> Self {
        Self { column: pg::quote_ident(column), cast: "" }
    }

    /// A column by its type if that has one order only, else by the bytes of its text.
    pub fn canonical(catalog: &Catalog, table: &Table, attnum: i16) -> Option<Self> {
        let column = table.column(attnum)?;
        let ordered = base(catalog, table, attnum).is_some_and(|base| ORDERED.contains(&base));
        let cast = if ordered { "" } else { "::pg_catalog.text COLLATE pg_catalog.\"C\"" };
        Some(Self { cast, ..Self::plain(&column.name) })
    }

    /// As SQL, of the table that is called so.
    pub fn of(&self, alias: &str) -> String {
        format!("{alias}.{}{}", self.column, self.cast)
    }
}

/// The type of a column below its domains.
pub fn base(catalog: &Catalog, table: &Table, attnum: i16) -> Option<Oid> {
    let mut oid = table.column(attnum)?.type_oid;
    while let Some(domain) = catalog.type_of(oid).filter(|r#type| r#type.kind == 'd') {
        oid = domain.base;
    }
    Some(oid)
}
