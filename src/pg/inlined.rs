//! SQL functions that the planner opens up, although nobody calls them.
//!
//! For every query on a table, the planner simplifies the expressions of its indexes and statistics, and replaces SQL
//! functions in them by their bodies. A body that names something without a schema (`SELECT unaccent($1)`) then fails
//! under `search_path = ''`, whatever the query reads. `COPY table TO` is not planned, so pg_dump does not meet it; but the
//! index cannot be built anew from what it writes.

use tokio_postgres::Client;

/// A function in an expression of an index or of a statistics object, which the planner may replace by its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inlined {
    /// OID of the table.
    pub table: u32,
    /// The index or the statistics object, as SQL names it.
    pub object: String,
    /// The function with its argument types, as SQL names it.
    pub function: String,
    /// Where its body would find names: its own schema, then those of extensions.
    pub schemas: Vec<String>,
}

impl Inlined {
    /// Reads those of a database, by table, index and function. The caller has set `search_path = ''`.
    ///
    /// Functions with a `search_path` of their own are never opened up, so they are not among them.
    ///
    /// # Errors
    /// The error of the server.
    pub async fn read(client: &Client) -> Result<Vec<Self>, tokio_postgres::Error> {
        let rows = client.query(include_str!("inlined.sql"), &[]).await?;
        let read = |row: &tokio_postgres::Row| Self {
            table: row.get(0),
            object: row.get(1),
            function: row.get(2),
            schemas: row.get(3),
        };
        Ok(rows.iter().map(read).collect())
    }
}
