//! Reads the catalog: one query per `.sql` file, whatever the number of tables.

use super::{
    Catalog, Column, Constraint, ConstraintKind, Equality, Oid, Sequence, Server, Table, TableKind, Type, UniqueIndex,
    View,
};
use crate::error::{Diagnose, Exit, Report};
use std::collections::HashMap;
use tokio_postgres::{Client, Row};

/// OID of `money`.
const MONEY: Oid = 790;
/// Oldest major that has every catalog column the queries name.
const VERSION_MIN: u32 = 120_000;

/// Type names must come out qualified, and compiling the queries would take longer than running them (2 s against 10 ms).
const SETTINGS: &str = "SET LOCAL search_path = ''; SET LOCAL jit = off";

/// Why the catalog could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    #[error("cannot read {what} of the source catalog")]
    Query {
        what: &'static str,
        #[source]
        source: tokio_postgres::Error,
    },
    #[error("PostgreSQL {version} is too old: 12 is the oldest supported major")]
    Version { version: String },
}

impl CatalogError {
    /// A table is locked by DDL: the same query may succeed a little later.
    pub fn is_locked(&self) -> bool {
        matches!(self, CatalogError::Query { source, .. } if source.code().is_some_and(|code| code.code() == "55P03"))
    }
}

impl Diagnose for CatalogError {
    fn exit(&self) -> Exit {
        Exit::Source
    }

    fn reports(&self) -> Vec<Report> {
        vec![match self {
            CatalogError::Query { source, .. } => {
                let mut report = Report::new("catalog::query", self.to_string());
                // Catalog texts can quote constants of the schema, so only the SQLSTATE is told.
                if let Some(code) = source.code() {
                    report = report.detail(format!("The server answered with SQLSTATE {}.", code.code()));
                    if code.code() == "55P03" {
                        report = report.hint("A table is locked by DDL; try again when it has ended.");
                    }
                } else {
                    report = report.detail("The connection to the source was lost.");
                }
                report
            }
            CatalogError::Version { .. } => Report::new("catalog::version", self.to_string()),
        }]
    }
}

/// Reads tables, columns, types, constraints, sequences and rights of the database `client` is connected to.
///
/// The caller has begun a read-only transaction; `search_path` is empty and `jit` off from here to its end. Works under
/// an imported snapshot too, except that sizes are those of now. Order: everything by schema and name, so two
/// reads of an unchanged database are equal. About a dozen queries, and one for each table of an extension that is there to
/// be filled.
///
/// # Errors
/// [`CatalogError::Query`] if a query fails, [`CatalogError::Version`] below PostgreSQL 12.
pub async fn read(client: &Client) -> Result<Catalog, CatalogError> {
    let mut catalog = definitions(client).await?;
    catalog.extension_rows = extension_rows(client).await?;
    Ok(catalog)
}

/// Reads everything but whether tables of extensions hold rows, which is no definition.
async fn definitions(client: &Client) -> Result<Catalog, CatalogError> {
    let mut server_rows =
        rows(client, "version", "SELECT pg_catalog.current_setting('server_version_num')::int4").await?;
    let version = server_rows.pop().map_or(0, |row| row.get::<_, i32>(0)).unsigned_abs();
    if version < VERSION_MIN {
        return Err(CatalogError::Version { version: (version / 10_000).to_string() });
    }
    client.batch_execute(SETTINGS).await.map_err(|source| CatalogError::Query { what: "settings", source })?;
    let (mut server, large_objects) = server(client).await?;
    let mut catalog = Catalog { large_objects, ..Catalog::default() };
    server.role_writes = names(client, "rights", include_str!("role_writes.sql")).await?;
    catalog.tables = read_tables(client).await?;
    catalog.types = rows(client, "types", include_str!("types.sql")).await?.iter().map(r#type).collect();
    catalog.constraints =
        rows(client, "constraints", include_str!("constraints.sql")).await?.iter().filter_map(constraint).collect();
    catalog.unique_indexes =
        rows(client, "indexes", include_str!("unique_indexes.sql")).await?.iter().map(unique_index).collect();
    catalog.sequences = rows(client, "sequences", include_str!("sequences.sql")).await?.iter().map(sequence).collect();
    catalog.extensions = names(client, "extensions", include_str!("extensions.sql")).await?;
    catalog.privileged = names(client, "objects of superusers", include_str!("privileged.sql")).await?;
    catalog.reserved = names(client, "schema restage", include_str!("reserved.sql")).await?;
    catalog.views = rows(client, "views", include_str!("views.sql")).await?.iter().map(view).collect();
    catalog.functions = names(client, "functions", include_str!("functions.sql")).await?.pop().unwrap_or_default();
    if catalog.types.iter().any(|r#type| r#type.oid == MONEY) {
        server.money_digits = money_digits(client).await?;
    }
    catalog.server = server;
    Ok(catalog)
}

/// As [`read`], without sizes and rows of extensions. Waits for no table lock, whatever DDL holds or awaits.
///
/// # Errors
/// As [`read`].
pub async fn read_definitions(client: &Client) -> Result<Catalog, CatalogError> {
    client
        .batch_execute("SET LOCAL restage.sizes = off")
        .await
        .map_err(|source| CatalogError::Query { what: "settings", source })?;
    definitions(client).await
}

/// How long a table of an extension is searched for one row that is the database's own. They are small.
const EXTENSION_ROWS_WAIT: &str = "5s";

/// Tables and sequences of extensions that hold content of this database. Whatever cannot be asked may hold some.
async fn extension_rows(client: &Client) -> Result<Vec<String>, CatalogError> {
    const WHAT: &str = "tables of extensions";
    let failed = |source| CatalogError::Query { what: WHAT, source };
    let mut found = Vec::new();
    for row in &rows(client, WHAT, include_str!("extension_rows.sql")).await? {
        let text = |name: &str| row.get::<_, &str>(name);
        let (schema, name, extension, quoted) = (text("schema"), text("name"), text("extension"), text("quoted"));
        let question = match row.get("sequence") {
            true => format!("SELECT is_called FROM {quoted}"),
            false => format!("SELECT EXISTS (SELECT FROM {quoted} {})", text("condition")),
        };
        let held = if row.get("readable") {
            // The condition is a text of the extension's: a failure of it must not end the caller's transaction.
            let begin = format!("SAVEPOINT extension_rows; SET LOCAL statement_timeout = '{EXTENSION_ROWS_WAIT}'");
            client.batch_execute(&begin).await.map_err(failed)?;
            let held = client.query_one(&question, &[]).await.map(|row| row.get::<_, bool>(0)).ok();
            let end = "ROLLBACK TO SAVEPOINT extension_rows; RELEASE SAVEPOINT extension_rows";
            client.batch_execute(end).await.map_err(failed)?;
            held
        } else {
            None
        };
        match held {
            Some(false) => {}
            Some(true) => found.push(format!("{schema}.{name} ({extension})")),
            None => found.push(format!("{schema}.{name} ({extension}; it could not be read)")),
        }
    }
    Ok(found)
}

/// Reads the fraction digits of `money` under the session's default `lc_monetary` (2 for most, 0 for yen).
///
/// Sets `lc_monetary` for the two statements it needs and puts it back; must run inside a transaction.
///
/// # Errors
/// [`CatalogError::Query`] if a query fails.
pub async fn money_digits(client: &Client) -> Result<u32, CatalogError> {
    // The binary form of money is an integer of the smallest unit, so one unit shows the power of ten.
    const SET: &str = "SELECT pg_catalog.current_setting('lc_monetary'), \
        (SELECT pg_catalog.set_config('lc_monetary', s.reset_val, true) FROM pg_catalog.pg_settings AS s \
         WHERE s.name = 'lc_monetary')";
    const ONE: &str = "SELECT pg_catalog.cash_send(1::pg_catalog.int4::pg_catalog.money)";
    let error = |source| CatalogError::Query { what: "lc_monetary", source };
    let before: String = client.query_one(SET, &[]).await.map_err(error)?.get(0);
    let one: Vec<u8> = client.query_one(ONE, &[]).await.map_err(error)?.get(0);
    client.query_one("SELECT pg_catalog.set_config('lc_monetary', $1, true)", &[&before]).await.map_err(error)?;
    let unit = one.try_into().map_or(100, i64::from_be_bytes);
    Ok(unit.unsigned_abs().checked_ilog10().unwrap_or(2))
}

async fn rows(client: &Client, what: &'static str, sql: &str) -> Result<Vec<Row>, CatalogError> {
    client.query(sql, &[]).await.map_err(|source| CatalogError::Query { what, source })
}

async fn names(client: &Client, what: &'static str, sql: &str) -> Result<Vec<String>, CatalogError> {
    Ok(rows(client, what, sql).await?.iter().map(|row| row.get(0)).collect())
}

/// Reads the facts about the server and our role alone, without what the role may write; needs no transaction.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn read_server(client: &Client) -> Result<Server, CatalogError> {
    Ok(server(client).await?.0)
}

/// The server, and its number of large objects.
async fn server(client: &Client) -> Result<(Server, u64), CatalogError> {
    let row = client
        .query_one(include_str!("server.sql"), &[])
        .await
        .map_err(|source| CatalogError::Query { what: "the server's settings", source })?;
    let count = |name: &str| row.get::<_, i32>(name).unsigned_abs();
    let server = Server {
        version_num: count("version_num"),
        version: row.get("version"),
        system_identifier: row.get::<_, i64>("system_identifier") as u64,
        database_oid: row.get("database_oid"),
        database: row.get("database"),
        encoding: row.get("encoding"),
        collate: row.get("lc_collate"),
        ctype: row.get("lc_ctype"),
        locale_provider: row.get("locale_provider"),
        icu_locale: row.get("icu_locale"),
        icu_rules: row.get("icu_rules"),
        money_digits: 2,
        standby: row.get("standby"),
        comment: row.get("comment"),
        role: row.get("role"),
        role_superuser: row.get("role_superuser"),
        role_bypassrls: row.get("role_bypassrls"),
        role_writes: Vec::new(),
        max_locks_per_transaction: count("max_locks_per_transaction"),
        max_connections: count("max_connections"),
        max_prepared_transactions: count("max_prepared_transactions"),
    };
    Ok((server, unsigned(row.get("large_objects"))))
}

async fn read_tables(client: &Client) -> Result<Vec<Table>, CatalogError> {
    let table_rows = rows(client, "tables", include_str!("tables.sql")).await?;
    let column_rows = rows(client, "columns", include_str!("columns.sql")).await?;
    let mut columns: HashMap<Oid, Vec<Column>> = HashMap::with_capacity(table_rows.len());
    for row in &column_rows {
        columns.entry(row.get("table")).or_default().push(column(row));
    }
    let parent: HashMap<Oid, Oid> = table_rows
        .iter()
        .filter(|row| row.get("is_partition"))
        .filter_map(|row| Some((row.get("oid"), *list::<Oid>(row, "parents").first()?)))
        .collect();
    Ok(table_rows
        .iter()
        .map(|row| {
            let oid = row.get("oid");
            let mut table = table(row);
            table.partition_root = partition_root(&parent, oid);
            table.columns = columns.remove(&oid).unwrap_or_default();
            table
        })
        .collect())
}

/// Climbs to the topmost partitioned table; none if `oid` is not a partition.
fn partition_root(parent: &HashMap<Oid, Oid>, oid: Oid) -> Option<Oid> {
    let mut root = *parent.get(&oid)?;
    while let Some(&above) = parent.get(&root) {
        root = above;
    }
    Some(root)
}

fn table(row: &Row) -> Table {
    let partition: bool = row.get("is_partition");
    let schema_usable: bool = row.get("schema_usable");
    Table {
        oid: row.get("oid"),
        schema: row.get("schema"),
        name: row.get("name"),
        kind: match letter(row, "kind") {
            Some('p') => TableKind::Partitioned,
            Some('f') => TableKind::Foreign,
            _ => TableKind::Leaf,
        },
        partition_root: None,
        partition_key: list(row, "partition_key"),
        partition_strategy: letter(row, "strategy").map(|strategy| {
            match strategy {
                'h' => "hash",
                'l' => "list",
                _ => "range",
            }
            .to_owned()
        }),
        partition_default: row.get("has_default_partition"),
        inherits: if partition { Vec::new() } else { list(row, "parents") },
        unlogged: row.get("unlogged"),
        heap: row.get("heap"),
        rows: row.get::<_, f64>("rows") as u64,
        unanalyzed: row.get::<_, bool>("unanalyzed") && row.get::<_, i64>("blocks") > 0,
        bytes: unsigned(row.get("bytes")),
        blocks: u32::try_from(row.get::<_, i64>("blocks")).unwrap_or(u32::MAX),
        filenode: row.get("filenode"),
        extension: row.get("extension"),
        row_security: row.get("row_security"),
        row_security_active: row.get("row_security_active"),
        readable: schema_usable && row.get("selectable"),
        schema_usable,
        columns: Vec::new(),
    }
}

fn column(row: &Row) -> Column {
    Column {
        attnum: row.get("attnum"),
        name: row.get("name"),
        type_oid: row.get("type_oid"),
        typmod: row.get("typmod"),
        type_name: row.get("type_name"),
        not_null: row.get("not_null"),
        generated: row.get("generated"),
        generation: row.get("generation"),
        identity: letter(row, "identity"),
        has_default: row.get("has_default"),
        default: row.get("default_expression"),
        collation: row.get("collation"),
        folding_collation: !row.get::<_, bool>("deterministic"),
    }
}

fn constraint(row: &Row) -> Option<Constraint> {
    let kind = match letter(row, "kind")? {
        'p' => ConstraintKind::Primary,
        'u' => ConstraintKind::Unique,
        'c' => ConstraintKind::Check,
        'f' => ConstraintKind::Foreign,
        'x' => ConstraintKind::Exclusion,
        _ => return None,
    };
    let definition: String = row.get("definition");
    Some(Constraint {
        oid: row.get("oid"),
        name: row.get("name"),
        kind,
        table: row.get("table"),
        columns: row.get("columns"),
        ref_table: row.get("ref_table"),
        ref_columns: row.get("ref_columns"),
        validated: row.get("validated"),
        enforced: row.get("enforced"),
        expression: (kind == ConstraintKind::Check).then(|| condition(&definition)).flatten(),
        definition,
        operators: list(row, "operators"),
        equality: equality(row),
    })
}

fn equality(row: &Row) -> Vec<Equality> {
    let operators: Vec<String> = list(row, "equal_operators");
    let types = list(row, "equal_left_types").into_iter().zip(list(row, "equal_right_types"));
    let sides = types.zip(list(row, "equal_collations"));
    let joined = operators.into_iter().zip(sides);
    joined
        .map(|(operator, ((left_type, right_type), collation))| Equality { operator, left_type, right_type, collation })
        .collect()
}

fn unique_index(row: &Row) -> UniqueIndex {
    UniqueIndex {
        name: row.get("name"),
        table: row.get("table"),
        columns: list(row, "columns"),
        expressions: list(row, "expressions"),
        expression_columns: list(row, "expression_columns"),
        predicate: row.get("predicate"),
        primary: row.get("primary"),
        nulls_distinct: row.get("nulls_distinct"),
    }
}

fn view(row: &Row) -> View {
    View { schema: row.get("schema"), name: row.get("name"), materialized: row.get("materialized") }
}

fn sequence(row: &Row) -> Sequence {
    let table: Option<Oid> = row.get("owner_table");
    Sequence {
        oid: row.get("oid"),
        schema: row.get("schema"),
        name: row.get("name"),
        owner: table.zip(row.get("owner_column")),
        users: list::<Oid>(row, "user_tables").into_iter().zip(list(row, "user_columns")).collect(),
        readable: row.get("readable"),
        extension: row.get("extension"),
    }
}

fn r#type(row: &Row) -> Type {
    let names: Vec<String> = list(row, "check_names");
    Type {
        oid: row.get("oid"),
        schema: row.get("schema"),
        name: row.get("name"),
        sql_name: row.get("sql_name"),
        kind: letter(row, "kind").unwrap_or('b'),
        base: row.get("base"),
        base_typmod: row.get("base_typmod"),
        base_name: row.get("base_name"),
        element: row.get::<_, Option<Oid>>("element").unwrap_or(0),
        attributes: list(row, "attributes"),
        attribute_names: list(row, "attribute_names"),
        attribute_typmods: list(row, "attribute_typmods"),
        attribute_numbers: list(row, "attribute_numbers"),
        binary: row.get("binary"),
        extension: row.get("extension"),
        checks: names.into_iter().zip(list(row, "checks")).collect(),
        not_null: row.get("not_null"),
        default: row.get("default_expression"),
        labels: list(row, "labels"),
    }
}

/// The condition of `CHECK (…) NO INHERIT NOT VALID`, whose last parenthesis is its own. The server is not asked for it a
/// second time: to print one expression it compares every name of a column of the table with every other.
fn condition(definition: &str) -> Option<String> {
    let inner = definition.strip_prefix("CHECK (")?;
    Some(inner[..inner.rfind(')')?].to_owned())
}

/// An array column; NULL is the empty list.
fn list<'a, T: tokio_postgres::types::FromSql<'a>>(row: &'a Row, name: &str) -> Vec<T> {
    row.get::<_, Option<Vec<T>>>(name).unwrap_or_default()
}

/// A `"char"` column.
fn letter(row: &Row, name: &str) -> Option<char> {
    row.get::<_, Option<i8>>(name).map(|letter| char::from(letter.unsigned_abs()))
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::condition;

    #[test]
    fn conditions_are_cut_out_of_definitions() {
        let cut = |definition: &str| condition(definition).expect("a check");
        assert_eq!(cut("CHECK ((x > 0))"), "(x > 0)");
        assert_eq!(
            cut("CHECK (((x)::text <> ') NOT VALID'::text)) NO INHERIT NOT VALID"),
            "((x)::text <> ') NOT VALID'::text)"
        );
        assert_eq!(cut("CHECK (b)"), "b");
        assert_eq!(condition("UNIQUE (b)"), None);
    }
}
