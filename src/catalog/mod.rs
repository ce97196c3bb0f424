//! What the source looks like: tables, columns, types, constraints, sequences, rights. No row of data is read.

mod drift;
mod probe;
mod read;

pub use drift::{Change, Use, changes};
pub use probe::{ProbeError, probe_checks, try_stand_ins};
pub use read::{CatalogError, money_digits, read, read_definitions, read_server};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Object identifier of PostgreSQL.
pub type Oid = u32;

/// The source database as of one transaction.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Catalog {
    pub server: Server,
    /// Ordinary, partitioned and foreign tables outside the system schemas, by schema and name.
    pub tables: Vec<Table>,
    /// Primary keys, unique, check, foreign and exclusion constraints. Only top-level ones (`conparentid = 0`) for
    /// foreign keys; all for the rest.
    pub constraints: Vec<Constraint>,
    /// Unique indexes, those behind constraints included.
    pub unique_indexes: Vec<UniqueIndex>,
    pub sequences: Vec<Sequence>,
    /// Every type a column uses, and the types these are made of.
    pub types: Vec<Type>,
    pub extensions: Vec<String>,
    /// Objects outside of extensions that only a superuser may create, as SQL names them.
    pub privileged: Vec<String>,
    /// Views, whose rows staging computes from masked tables.
    pub views: Vec<View>,
    /// Large objects exist (they are excluded, with a warning).
    pub large_objects: u64,
    /// Tables and sequences of extensions that hold, or may hold, content of this database, as people read them:
    /// `public.spatial_ref_sys (postgis)`. They are excluded, with a warning.
    #[serde(default)]
    pub extension_rows: Vec<String>,
    /// Names in a schema `restage` that is not ours. They are excluded, with a warning: in staging the schema is ours.
    #[serde(default)]
    pub reserved: Vec<String>,
    /// All functions and types, an MD5 of the definition and the name in a line: nothing locks them during a run.
    pub functions: String,
    /// By table (the root of partitions) and attnum: what may stand in for the values of a column, as far as
    /// [`try_stand_ins`] asked. For proposals only.
    #[serde(skip)]
    pub stand_ins: BTreeMap<(Oid, i16), StandIn>,
}

/// What satisfies the type and the checks of a column alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StandIn {
    /// No check refuses NULL.
    pub null: bool,
    /// A value as text; none of those that were tried if there is none.
    pub constant: Option<String>,
}

/// Facts about the source server and the role we use there.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Server {
    /// `server_version_num`, 150018.
    pub version_num: u32,
    pub version: String,
    pub system_identifier: u64,
    /// `pg_database.oid`.
    #[serde(default)]
    pub database_oid: Oid,
    pub database: String,
    /// `UTF8`, `SQL_ASCII`, …
    pub encoding: String,
    /// `LC_COLLATE`, `LC_CTYPE`, provider `c`/`i`/`b`, ICU locale, as CREATE DATABASE needs them.
    pub collate: String,
    pub ctype: String,
    pub locale_provider: String,
    pub icu_locale: Option<String>,
    /// Rules of an ICU locale that the database adds to it (16).
    #[serde(default)]
    pub icu_rules: Option<String>,
    /// Fraction digits of `lc_monetary`; 2 for most.
    pub money_digits: u32,
    pub standby: bool,
    /// Comment of the database: a mark of ours in it tells a replica of the target from a copy of it.
    pub comment: String,
    pub role: String,
    pub role_superuser: bool,
    pub role_bypassrls: bool,
    /// Tables the role may INSERT, UPDATE, DELETE or TRUNCATE (at most 5 names), for the guard.
    pub role_writes: Vec<String>,
    pub max_locks_per_transaction: u32,
    pub max_connections: u32,
    pub max_prepared_transactions: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum TableKind {
    /// Stores rows: ordinary table, or a leaf partition when `partition_root` is set.
    #[default]
    Leaf,
    /// Partitioned table: stores none itself.
    Partitioned,
    /// Never copied.
    Foreign,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Table {
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    pub kind: TableKind,
    /// The topmost partitioned table above a partition.
    pub partition_root: Option<Oid>,
    /// Column names of the partition key (expression keys give all columns they use), for a partitioned table.
    pub partition_key: Vec<String>,
    /// `hash`, `list`, `range` for a partitioned table.
    pub partition_strategy: Option<String>,
    /// A partitioned table has a DEFAULT partition, so every key value finds a place.
    pub partition_default: bool,
    /// Parents by plain inheritance (not partitioning).
    pub inherits: Vec<Oid>,
    pub unlogged: bool,
    /// Heap access method: chunks by ctid are possible.
    pub heap: bool,
    /// Estimate of `pg_class.reltuples`, 0 if never analyzed.
    pub rows: u64,
    /// It holds rows and was never analyzed, so nobody knows how many.
    pub unanalyzed: bool,
    /// `pg_table_size`: heap and TOAST.
    pub bytes: u64,
    /// Heap blocks now.
    pub blocks: u32,
    /// `pg_class.relfilenode` under the snapshot of the catalog read.
    pub filenode: Oid,
    /// Extension that owns the table; such tables are not copied.
    pub extension: Option<String>,
    pub row_security: bool,
    /// Row security would filter what the role reads; with `row_security = off` reading fails.
    pub row_security_active: bool,
    /// The role has USAGE on the schema and SELECT on the table. LOCK TABLE needs both; column grants are not enough.
    pub readable: bool,
    /// The role has USAGE on the schema.
    pub schema_usable: bool,
    /// In attnum order, dropped ones left out.
    pub columns: Vec<Column>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Column {
    pub attnum: i16,
    pub name: String,
    pub type_oid: Oid,
    pub typmod: i32,
    /// `format_type(atttypid, atttypmod)`, schema-qualified where needed.
    pub type_name: String,
    pub not_null: bool,
    /// GENERATED ALWAYS AS (expression), stored or virtual: not copied.
    pub generated: bool,
    /// The expression of a generated column.
    pub generation: Option<String>,
    /// `a` or `d` for identity columns.
    pub identity: Option<char>,
    pub has_default: bool,
    /// The expression of a default that is written out, not that of an identity column.
    pub default: Option<String>,
    /// Name of the collation if it is not the type's default.
    pub collation: Option<String>,
    /// The collation calls different texts equal (nondeterministic ICU collation).
    pub folding_collation: bool,
}

/// A view or materialized view.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    pub schema: String,
    pub name: String,
    pub materialized: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ConstraintKind {
    #[default]
    Primary,
    Unique,
    Check,
    Foreign,
    Exclusion,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Constraint {
    pub oid: Oid,
    pub name: String,
    pub kind: ConstraintKind,
    pub table: Oid,
    /// Column numbers (`conkey`), in constraint order.
    pub columns: Vec<i16>,
    /// For foreign keys: the referenced table and columns.
    pub ref_table: Oid,
    pub ref_columns: Vec<i16>,
    pub validated: bool,
    /// False for NOT ENFORCED (18).
    pub enforced: bool,
    /// `pg_get_constraintdef`; for checks the expression is what stands in its outer parentheses.
    pub definition: String,
    pub expression: Option<String>,
    /// Operator names of an exclusion constraint, aligned with `columns` (0 there stands for an expression).
    pub operators: Vec<String>,
    /// How the server compares a foreign key, aligned with `columns`; the referenced column is on the left.
    pub equality: Vec<Equality>,
}

/// One comparison of a foreign key, as its triggers make it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Equality {
    /// `OPERATOR(pg_catalog.=)`.
    pub operator: String,
    /// SQL type the referenced column is cast to; empty: none.
    pub left_type: String,
    /// SQL type the referencing column is cast to; empty: none.
    pub right_type: String,
    /// `COLLATE …` of the referenced column, where the other has another one; else empty.
    pub collation: String,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct UniqueIndex {
    pub name: String,
    pub table: Oid,
    /// Key columns; 0 stands for an expression, as in `pg_index.indkey`.
    pub columns: Vec<i16>,
    /// Text of expressions in order of the zeros, e.g. `lower(email)`.
    pub expressions: Vec<String>,
    /// Column numbers used inside expressions and predicate.
    pub expression_columns: Vec<i16>,
    pub predicate: Option<String>,
    pub primary: bool,
    /// False for NULLS NOT DISTINCT (15).
    pub nulls_distinct: bool,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Sequence {
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    /// Table and column that own it (serial or identity).
    pub owner: Option<(Oid, i16)>,
    /// Columns whose default names it.
    pub users: Vec<(Oid, i16)>,
    pub readable: bool,
    pub extension: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Type {
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    /// As SQL names it, without typmod: `public.mood`, `character varying`.
    pub sql_name: String,
    /// `pg_type.typtype`: b c d e m p r.
    pub kind: char,
    /// Base type of a domain and its typmod.
    pub base: Oid,
    pub base_typmod: i32,
    /// Base type of a domain with typmod, as SQL names it.
    pub base_name: Option<String>,
    /// Element type of an array, subtype of a range or multirange.
    pub element: Oid,
    /// Attributes of a composite type.
    pub attributes: Vec<Oid>,
    /// Their names and typmods, in the same order.
    pub attribute_names: Vec<String>,
    pub attribute_typmods: Vec<i32>,
    /// Their numbers: dropped ones leave holes.
    #[serde(default)]
    pub attribute_numbers: Vec<i16>,
    /// Has `typsend` and `typreceive`.
    pub binary: bool,
    pub extension: Option<String>,
    /// CHECK constraints of a domain: name and `pg_get_constraintdef`.
    pub checks: Vec<(String, String)>,
    pub not_null: bool,
    /// The expression of the default of a domain.
    pub default: Option<String>,
    /// Labels of an enum in order.
    pub labels: Vec<String>,
}

impl Catalog {
    pub fn table(&self, oid: Oid) -> Option<&Table> {
        self.tables.iter().find(|table| table.oid == oid)
    }

    pub fn type_of(&self, oid: Oid) -> Option<&Type> {
        self.types.iter().find(|r#type| r#type.oid == oid)
    }
}

impl Table {
    /// Its rows are copied, or those below it; else at most its definition is.
    pub fn is_copied(&self) -> bool {
        self.kind != TableKind::Foreign && self.extension.is_none()
    }

    /// `schema.table`, as written in the policy.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    pub fn column(&self, attnum: i16) -> Option<&Column> {
        self.columns.iter().find(|column| column.attnum == attnum)
    }
}
