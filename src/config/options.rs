//! Every option of `restage.toml` as data: the reader takes its types, ranges and defaults from here, errors their
//! examples, and the reference page is printed from it. A key that is not in [`OPTIONS`] cannot be read.

use super::units::{show_duration, show_size};
use std::fmt::Write as _;
use std::time::Duration;

/// One key that may stand in the configuration.
#[derive(Debug)]
pub struct ConfigOption {
    /// Dotted; `*` stands for any name. Keys inside arrays of tables and inline tables follow the array's name.
    pub path: &'static str,
    pub kind: Kind,
    pub need: Need,
    /// A value as it stands in the file, ready to paste.
    pub example: &'static str,
    pub meaning: &'static str,
}

/// What happens when the key is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    Required,
    /// The value that then counts, as TOML.
    Default(&'static str),
    /// In words.
    Absent(&'static str),
}

/// What a key may hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Text that is not empty.
    Text,
    /// A name of a PostgreSQL object: 1 to 63 bytes.
    Name,
    /// libpq URI, key=value string or `env`; may hold a password, so it is never shown.
    Connection,
    /// `http://…` or `https://…`; secret, so it is never shown.
    WebHook,
    /// Relative to the folder of the file.
    Path,
    Boolean,
    Integer {
        min: i64,
        max: i64,
    },
    /// A number of rows from 1 on, or `"all"`.
    RowsEach {
        max: i64,
    },
    Number {
        min: f64,
        max: f64,
    },
    /// Milliseconds.
    Duration {
        min_ms: u64,
        max_ms: u64,
    },
    /// Bytes.
    Size {
        min: u64,
        max: u64,
    },
    /// Bytes per second.
    Rate {
        min: u64,
        max: u64,
    },
    OneOf(&'static [&'static str]),
    Texts,
    Names,
    /// A list of these.
    AnyOf(&'static [&'static str]),
    /// A program and its arguments.
    Command,
    Cron,
    /// A day, written as TOML writes it or as a string.
    Date,
    /// `schema.table.column`.
    ColumnName,
    Table,
    /// An array of tables; files that are merged append to it.
    Tables,
    /// Names chosen by the user, text values.
    Map,
    /// Columns and their values.
    Values,
    /// `"all"`, `"none"` or a table.
    Rows,
    /// `"all"`, `"none"` or a table with `max`.
    Children,
    Decision,
}

const SECOND: u64 = 1000;
const HOUR: u64 = 3600 * SECOND;
const DAY: u64 = 24 * HOUR;
const MIB: u64 = 1 << 20;
/// The largest count an option takes; nothing we count comes near it, and it fits TOML's integers.
const COUNT_MAX: i64 = i64::MAX;

const fn option(
    path: &'static str,
    kind: Kind,
    need: Need,
    example: &'static str,
    meaning: &'static str,
) -> ConfigOption {
    ConfigOption { path, kind, need, example, meaning }
}

/// What rows can show.
const COVER: &[&str] = &["enum", "null", "boundary", "unicode", "partition", "type"];

/// What a gate that does not hold means.
const SEVERITY: &[&str] = &["fail", "warn"];

/// When a gate of the user is asked.
const GATE_POINTS: &[&str] = &["before-publish", "after-publish"];

use Kind::{
    AnyOf, Boolean, Children, ColumnName, Command, Connection, Cron, Decision, Integer, Map, Name, Names, Number,
    OneOf, Path, Rate, Rows, Size, Table, Tables, Text, Texts, Values, WebHook,
};
use Need::{Absent, Default, Required};

/// Every option, in the order of the reference page; a table stands before its keys.
#[rustfmt::skip]
pub const OPTIONS: &[ConfigOption] = &[
    option("version", Integer { min: 1, max: 1 }, Required, "1", "Version of this format."),
    option("include", Texts, Default("[]"), "[\"policy/*.toml\"]",
        "Files merged into this one, relative to it, sorted by name; `*` and `?` are wildcards. A pattern that matches no file is an error."),

    option("source", Table, Required, "", "The production database."),
    option("source.url", Connection, Required, "\"postgres://restage_ro@prod-replica/shop?sslmode=verify-full\"",
        "libpq URI or key=value string; `\"env\"` uses the PG* environment variables."),
    option("source.workers", Integer { min: 1, max: 64 }, Default("2"), "2", "Parallel COPY streams."),
    option("source.lock_timeout", Kind::Duration { min_ms: 1, max_ms: HOUR }, Default("\"5s\""), "\"5s\"",
        "Longest wait for a lock, so that we never queue in front of production."),
    option("source.lock_wait_max", Kind::Duration { min_ms: 0, max_ms: DAY }, Default("\"60s\""), "\"60s\"",
        "How long to keep retrying the table locks before giving up."),
    option("source.snapshot_max", Kind::Duration { min_ms: SECOND, max_ms: 30 * DAY },
        Absent("2h on a primary, no limit on a standby with paused replay"), "\"2h\"", "Longest time to hold the snapshot."),
    option("source.rate_max", Rate { min: 1024, max: 1 << 50 }, Absent("no brake"), "\"200MiB/s\"",
        "Bytes per second over all workers."),
    option("source.chunk_bytes", Size { min: MIB, max: 1 << 40 }, Default("\"256MiB\""), "\"256MiB\"",
        "Size of the piece of a table that is read, retried and resumed as one, TOAST included."),
    option("source.on_blocked_ddl", OneOf(&["yield", "hold", "warn"]),
        Absent("yield on a primary, hold on a standby"), "\"yield\"",
        "What to do about a DDL statement that waits for our locks: `yield` ends the run once it has waited `ddl_grace` (reading \
         goes on until then), `hold` lets it wait until the last row is read, `warn` does so and says it."),
    option("source.ddl_grace", Kind::Duration { min_ms: 0, max_ms: HOUR }, Default("\"10s\""), "\"10s\"",
        "How long a DDL statement may wait for us before `on_blocked_ddl` acts. Every query on its table waits behind it."),
    option("source.pause_replay", Boolean, Default("false"), "true", "Pause replay of a dedicated standby while extracting."),
    option("source.allow_schema_drift", Boolean, Default("false"), "true",
        "Accept that functions, types or enums change while extracting."),
    option("source.allow_write_role", Boolean, Default("false"), "true", "Accept a source role that could write."),
    option("source.assume_encoding", Text, Absent("a SQL_ASCII source is refused"), "\"UTF8\"",
        "Encoding of the text in a SQL_ASCII source; this build reads UTF8 only."),

    option("target", Table, Absent("commands that need a target refuse"), "", "The staging database."),
    option("target.url", Connection, Required, "\"postgres://restage@staging/shop\"",
        "The database applications use; the load happens in another one beside it."),
    option("target.confirm", Name, Absent("asks on a terminal, else needs `--yes`"), "\"shop\"",
        "Must equal the name of the live database."),
    option("target.keep", Integer { min: 0, max: 100 }, Default("1"), "1", "Earlier releases kept for rollback."),
    option("target.maintenance_db", Name, Default("\"postgres\""), "\"postgres\"",
        "Database to connect to for creating and renaming databases."),
    option("target.allow_same_cluster", Boolean, Default("false"), "true", "Accept a target on the cluster of the source."),
    option("target.allow_prod_name", Boolean, Default("false"), "true",
        "Accept a host or database with a name like `prod` or `live`."),
    option("target.owner", Name, Absent("the role of `url`"), "\"shop_owner\"", "Role that owns everything."),
    option("target.roles", Map, Default("{}"), "{ app_prod = \"app_staging\" }", "Source role to target role, for grants."),
    option("target.missing_roles", OneOf(&["skip", "refuse", "create"]), Default("\"skip\""), "\"create\"",
        "Grants to and policies for roles the target lacks: leave out with a warning, refuse, or create the role without login."),
    option("target.skip_extensions", Texts, Default("[]"), "[\"pg_stat_statements\", \"amcheck\"]",
        "Extensions of the source, by name, that staging does without: tools that only a superuser may create. Nothing else may use them."),
    option("target.durability", OneOf(&["logged", "unlogged"]), Default("\"logged\""), "\"unlogged\"",
        "`unlogged` loads faster; a crash of the server empties the database."),
    option("target.jobs", Integer { min: 1, max: 64 }, Absent("the number of cores, at most 8"), "4",
        "Parallel heavy backends on the target."),
    option("target.bin_dir", Path, Absent("found by version"), "\"/usr/lib/postgresql/17/bin\"", "Folder of pg_dump and pg_restore."),

    option("key", Table, Absent("commands that mask refuse"), "", "The master key; exactly one of `file`, `env`, `command`, `fd`, `ephemeral`."),
    option("key.file", Path, Absent("another source"), "\"/run/secrets/restage.key\"", "A file only its owner can read."),
    option("key.env", Text, Absent("another source"), "\"RESTAGE_KEY\"", "Name of an environment variable."),
    option("key.command", Command, Absent("another source"), "[\"vault\", \"kv\", \"get\", \"-field=key\", \"restage\"]",
        "Program that prints the key; no shell."),
    option("key.fd", Integer { min: 3, max: 1023 }, Absent("another source"), "3", "Number of an open file descriptor."),
    option("key.ephemeral", Boolean, Default("false"), "true", "A fresh key for each run, never stored; nothing is stable between runs."),
    option("key.realm", Text, Default("\"default\""), "\"staging\"", "Name of the target environment; two realms cannot be linked."),

    option("policy", Table, Default("{}"), "", "What holds for every table."),
    option("policy.packs", Texts, Default("[]"), "[\"pii\", \"secrets\", \"pci\"]",
        "Rule packs: what must be done at least with what looks personal: pii, secrets, pci, hipaa, gdpr, dora. `secrets` holds in every list; what `pii` would refuse is a warning where it is not listed. Without a list both warn."),
    option("policy.rego", Texts, Default("[]"), "[\"policy/*.rego\"]",
        "Files with rules in Rego that are evaluated over the plan: every text of a rule `deny` refuses it. Globs, against the folder of the file."),
    option("policy.undecided", OneOf(&["refuse", "null"]), Default("\"refuse\""), "\"refuse\"",
        "Columns without a decision: refuse the plan, or make every one of them NULL."),
    option("policy.ddl_literals", OneOf(&["refuse", "accept"]), Default("\"refuse\""), "\"refuse\"",
        "Defaults, comments, checks, views and functions that hold what looks like personal data: refuse the plan, or copy them as they are."),
    option("policy.ddl_literals_allow", Texts, Default("[]"), "[\"COMMENT public.TABLE notes\"]",
        "Definitions that may hold it all the same: labels as the refusal names them, or globs. `restage.lock` pins what they were."),
    option("policy.new_partitions", OneOf(&["refuse", "inherit"]), Default("\"refuse\""), "\"inherit\"",
        "Partitions that `restage.lock` does not know: refuse the plan, or go on. They are always decided like the table they are part of."),

    option("tables", Table, Default("{}"), "", "Rules per table."),
    option("tables.*", Table, Absent("columns are undecided"), "",
        "`schema.table` or a glob with `*` and `?`, names as stored; the most specific entry wins."),
    option("tables.*.rows", Rows, Absent("all rows"), "\"none\"", "`\"all\"`, `\"none\"` or `{ where = \"…\", limit = 1000 }`."),
    option("tables.*.rows.where", Text, Absent("no condition"), "\"created_at > now() - interval '1 year'\"", "SQL condition on the table, which is called t in it."),
    option("tables.*.rows.limit", Integer { min: 1, max: COUNT_MAX }, Absent("no limit"), "1000", "Most rows copied."),
    option("tables.*.default", Decision, Absent("columns not listed are undecided"), "\"keep\"", "Decision for columns not listed."),
    option("tables.*.columns", Table, Default("{}"), "", "Decision per column."),
    option("tables.*.columns.*", Decision, Absent("`default` decides"), "{ mask = \"email\" }",
        "Column name or glob: `\"keep\"`, `{ keep = \"reason\" }`, `\"null\"`, a mask kind, or `{ mask = \"kind\", … }`."),
    option("decision.keep", Text, Absent("the column is masked"), "\"product data, no person\"", "Keep the column, for this reason."),
    option("decision.mask", Text, Absent("the column is kept"), "\"email\"",
        "Mask kind, with or without version; every key not listed here is a parameter of the kind."),
    option("decision.reason", Text, Absent("a mask that does less than a rule pack wants is refused"), "\"the test of the issuer needs it\"",
        "Why a mask may do less than a rule pack wants."),
    option("decision.until", Kind::Date, Absent("the reason does not end"), "2027-01-31",
        "Last day on which the reason of `keep` or `reason` holds; after it the plan is refused."),
    option("decision.label", Text, Absent("joins with all columns of the kind"), "\"customer\"", "The joining set of the column; columns of one kind and label join where their parameters are the same."),
    option("decision.subject", Text, Absent("the column's own value"), "\"id\"",
        "Anchor of the person the row belongs to: a column, or a path through foreign keys: `order_id -> public.orders.customer_id`."),

    option("decision.when", Text, Absent("every row is masked"), "\"kind = 'email'\"",
        "SQL condition, evaluated by the source: the rows that are masked. A row is left out only where it is false; true and NULL mask."),
    option("decision.when_at", Text, Absent("the row itself"), "\"customer_id -> public.customers.id\"",
        "The row that `when` is about, reached through foreign keys as a `subject` is."),
    option("decision.otherwise", Decision, Absent("they become NULL"), "{ keep = \"staff accounts\" }",
        "The rows for which `when` is false: `\"null\"`, or `{ keep = \"reason\" }`."),

    option("references", Tables, Default("[]"), "", "Foreign keys the database does not declare."),
    option("references.from", ColumnName, Required, "\"public.events.user_id\"", "The column that refers."),
    option("references.to", ColumnName, Required, "\"public.customers.id\"", "The column it refers to."),
    option("references.type_column", Text, Absent("every row refers"), "\"subject_type\"",
        "For references to several tables: the column of the same table that says which one; only rows with `type_value` in it refer."),
    option("references.type_value", Text, Absent("every row refers"), "\"Customer\"", "What `type_column` holds in rows that refer to `to`."),
    option("references.json", Texts, Absent("the column is the reference"), "[\"order\", \"customer_id\"]",
        "Where the id stands in a json or jsonb column: keys from the outside in, `*` for every element of an array. Followed by subsets only."),

    option("subset", Table, Absent("every row is copied"), "", "Copies only some rows, with everything they refer to."),
    option("subset.seed", Tables, Default("[]"), "[{ table = \"public.customers\", percent = 5 }]", "The rows to start from."),
    option("subset.seed.table", Text, Required, "\"public.customers\"", "`schema.table` or a glob."),
    option("subset.seed.where", Text, Absent("no condition"), "\"country = 'DE'\"", "SQL condition on the table, which is called t in it."),
    option("subset.seed.percent", Number { min: 0.000_001, max: 100.0 }, Absent("all of them"), "5", "Share of these rows, in percent."),
    option("subset.seed.limit", Integer { min: 1, max: COUNT_MAX }, Absent("no limit"), "1000", "Most seed rows of the table."),
    option("subset.seed.order", Text, Absent("the primary key"), "\"created_at DESC\"",
        "SQL expressions that say which rows `limit` takes first, without which it is refused; ends in the primary key, so that the choice is one."),
    option("subset.children", Children, Default("\"all\""), "\"all\"",
        "Rows that refer to a selected row: `\"all\"`, `\"none\"` or `{ max = 50 }` per parent row."),
    option("subset.children.max", Integer { min: 1, max: COUNT_MAX }, Required, "50", "Most child rows per parent row."),
    option("subset.edge", Tables, Default("[]"), "", "Another rule for one foreign key. Where several name the same, what a later one says goes before what an earlier one says."),
    option("subset.edge.from", ColumnName, Required, "\"public.orders.customer_id\"",
        "The column that refers, one of several, or all columns of the key with commas between: `\"public.items.tenant, public.items.order_id\"`."),
    option("subset.edge.to", ColumnName, Absent("whatever `from` refers to"), "\"public.customers.id\"", "The column it refers to, or all of them."),
    option("subset.edge.children", Children, Absent("as `children` of `[subset]`"), "{ max = 50 }", "As `children` of `[subset]`."),
    option("subset.edge.children.max", Integer { min: 1, max: COUNT_MAX }, Required, "50", "Most child rows per parent row."),
    option("subset.edge.parent", OneOf(&["follow", "null"]), Absent("`\"follow\"`"), "\"null\"",
        "The row referred to: copy it too, or leave it and make the reference NULL where the row is not copied for another reason."),
    option("subset.edge.dangling", OneOf(&["keep", "null", "fail"]), Absent("as `dangling` of `[subset]`"), "\"null\"",
        "As `dangling` of `[subset]`."),
    option("subset.whole", Texts, Default("[]"), "[\"public.countries\", \"ref.*\"]",
        "Tables (names or globs) of which every row is copied; their children are not followed."),
    option("subset.cover", AnyOf(COVER), Default("[]"), "[\"enum\", \"null\", \"boundary\", \"unicode\", \"partition\", \"type\"]",
        "Add the few rows that show every enum label and truth value, a NULL and a value in each nullable column, the smallest and largest value and the shortest and longest text, text outside ASCII, every partition, every type of `[[references]]`. Reads every table once."),
    option("subset.tuples", Texts, Default("[]"), "[\"public.orders.status, public.orders.paid\"]", "Add rows that show every combination of these columns' values."),
    option("subset.dangling", OneOf(&["keep", "null", "fail"]), Default("\"keep\""), "\"null\"",
        "References of the source that point nowhere: copy them as they are, make them NULL, or refuse. They are counted in any case."),
    option("subset.rows_max", Integer { min: 1, max: COUNT_MAX }, Absent("no limit"), "1_000_000",
        "Refuse larger plans, naming the foreign key that causes the growth."),
    option("subset.bytes_max", Size { min: 1, max: u64::MAX >> 1 }, Absent("no limit"), "\"5GiB\"",
        "Refuse larger plans; bytes are the selected share of each table's size."),

    option("scenario", Table, Default("{}"), "", "Named subsets, for `--scenario NAME --set PARAM=VALUE`; they take the place of the seeds of `[subset]`."),
    option("scenario.*", Table, Absent("no scenario"), "", "A subset with parameters."),
    option("scenario.*.params", Names, Default("[]"), "[\"id\"]", "Parameters: `:id` in the conditions of its seeds, outside of quotes, stands for the value as SQL literal."),
    option("scenario.*.children", Children, Absent("as `children` of `[subset]`"), "\"all\"", "As `children` of `[subset]`."),
    option("scenario.*.children.max", Integer { min: 1, max: COUNT_MAX }, Required, "50", "Most child rows per parent row."),
    option("scenario.*.seed", Tables, Required, "[{ table = \"public.tenants\", where = \"id = :id\" }]", "The rows to start from, as in `[subset]`."),
    option("scenario.*.seed.table", Text, Required, "\"public.tenants\"", "`schema.table` or a glob."),
    option("scenario.*.seed.where", Text, Absent("no condition"), "\"id = :id\"", "SQL condition on the table, which is called t in it."),
    option("scenario.*.seed.percent", Number { min: 0.000_001, max: 100.0 }, Absent("all of them"), "5", "Share of these rows, in percent."),
    option("scenario.*.seed.limit", Integer { min: 1, max: COUNT_MAX }, Absent("no limit"), "1000", "Most seed rows of the table."),
    option("scenario.*.seed.order", Text, Absent("the primary key"), "\"created_at DESC\"", "Which rows `limit` takes first."),

    option("fixture", Table, Default("{}"), "", "What `restage fixture` writes."),
    option("fixture.format", OneOf(&["sql", "parquet", "csv"]), Default("\"sql\""), "\"sql\"", "Form of the files."),
    option("fixture.rows", Kind::RowsEach { max: COUNT_MAX }, Absent("50, where nothing else chooses rows"), "50",
        "Rows of each table, the first by its key, or `\"all\"`; what they refer to comes too. Added to those of `[subset]` and `cover`."),
    option("fixture.cover", AnyOf(COVER), Default("[]"), "[\"enum\", \"null\", \"boundary\", \"unicode\"]", "As `cover` of `[subset]`."),
    option("fixture.tuples", Texts, Default("[]"), "[\"public.orders.status, public.orders.paid\"]", "As `tuples` of `[subset]`."),

    option("verify", Table, Default("{}"), "", "Gates: what must hold before staging is published, and after."),
    option("verify.leak", Boolean, Default("true"), "true", "No masked column of staging holds a source value more often than chance allows, and nothing else holds one at all."),
    option("verify.leak_allow", Texts, Default("[]"), "[\"public.invites.email\"]", "Columns that may hold values of the source: names or globs."),
    option("verify.leak_bytes", Size { min: MIB, max: 1 << 40 }, Default("\"32MiB\""), "\"32MiB\"", "How much of a table is searched; of larger ones a sample of their blocks."),
    option("verify.measure", Boolean, Default("true"), "true", "Compare masked columns with the source while they pass (fidelity); without it and without `leak`, values are not looked at."),
    option("verify.warn", Texts, Default("[]"), "[\"row counts\", \"leak: *\"]",
        "Names or globs of gates, built in or your own, whose failure is a warning and does not stop publishing. Gates whose name begins with `leak` are reached only by a pattern that begins so too."),
    option("verify.rollback_within", Kind::Duration { min_ms: 0, max_ms: DAY }, Default("\"10m\""), "\"15m\"",
        "How long after the swap a gate `at = \"after-publish\"` that fails brings the release before back; `\"0s\"` never does."),
    option("verify.fidelity", Table, Default("{}"), "{ null_fraction = 0.0, distinct_ratio = 0.02 }", "How far statistics of masked columns may differ from the source's."),
    option("verify.fidelity.null_fraction", Number { min: 0.0, max: 1.0 }, Absent("not checked"), "0.0",
        "Difference of the share of NULLs, absolute."),
    option("verify.fidelity.distinct_ratio", Number { min: 0.0, max: 1.0 }, Absent("not checked"), "0.02",
        "Difference of the number of distinct values, relative."),
    option("verify.fidelity.ks", Number { min: 0.0, max: 1.0 }, Absent("not checked"), "0.1",
        "Largest difference of the distributions of numbers and times (Kolmogorov and Smirnov)."),
    option("verify.fidelity.psi", Number { min: 0.0, max: 100.0 }, Absent("not checked"), "0.2",
        "Population stability index of numbers and times over ten bins of the source; below 0.1 is usually called stable, above 0.25 changed."),
    option("verify.fidelity.correlation", Number { min: 0.0, max: 2.0 }, Absent("not checked"), "0.1",
        "Difference of the rank correlation of two masked columns with numbers of one table, absolute."),
    option("verify.fidelity.columns", Texts, Default("[]"), "[\"public.orders.total\", \"public.*.*_at\"]",
        "Columns that are judged, as `schema.table.column` or globs; without it every masked column. Columns that are kept cannot differ."),
    option("verify.fidelity.severity", OneOf(SEVERITY), Default("\"fail\""), "\"warn\"", "As `severity` of `[[verify.anonymity]]`."),
    option("verify.anonymity", Tables, Default("[]"), "", "Columns by which people could be looked up, and among how many rows they must be hidden."),
    option("verify.anonymity.table", Text, Required, "\"public.patients\"", "`schema.table`."),
    option("verify.anonymity.columns", Names, Required, "[\"born_on\", \"zip\", \"sex\"]",
        "Quasi-identifiers: what others may know of a person. Rows that agree in all of them are a class; NULL agrees with NULL."),
    option("verify.anonymity.sensitive", Names, Default("[]"), "[\"diagnosis\"]", "What must not be learned of a person: `l`, `l_entropy` and `t` are about these."),
    option("verify.anonymity.k", Integer { min: 1, max: COUNT_MAX }, Default("5"), "5", "Fewest rows of a class (k-anonymity)."),
    option("verify.anonymity.l", Integer { min: 1, max: COUNT_MAX }, Absent("not checked"), "2", "Fewest different values of a sensitive column in a class (distinct l-diversity)."),
    option("verify.anonymity.l_entropy", Number { min: 1.0, max: 1e9 }, Absent("not checked"), "1.5",
        "Least effective number of values of a sensitive column in a class, e to the power of their entropy (entropy l-diversity)."),
    option("verify.anonymity.t", Number { min: 0.0, max: 1.0 }, Absent("not checked"), "0.3",
        "Largest distance of a sensitive column in a class from that of the whole table: earth mover's over ranks for numbers and times, total variation for others (t-closeness)."),
    option("verify.anonymity.severity", OneOf(SEVERITY), Default("\"fail\""), "\"warn\"", "`fail` publishes nothing if a threshold is missed, `warn` tells it."),
    option("verify.candidates", Table, Default("{}"), "", "The search for sets of columns by which people could be looked up, though nobody declared them."),
    option("verify.candidates.sets", Integer { min: 0, max: 10_000 }, Default("24"), "24", "Sets of columns looked at; 0 searches nothing."),
    option("verify.candidates.rows", Integer { min: 100, max: COUNT_MAX }, Default("10_000"), "1_000_000",
        "Rows of each table looked at; of larger tables a sample of pages, in which more rows are alone than in the table."),
    option("verify.candidates.unique_max", Number { min: 0.0, max: 1.0 }, Absent("only told"), "0.01",
        "Largest share of rows that may be alone with their values in a set, the columns that are kept included."),
    option("verify.candidates.severity", OneOf(SEVERITY), Default("\"fail\""), "\"warn\"", "As `severity` of `[[verify.anonymity]]`."),
    option("verify.query", Tables, Default("[]"), "", "Queries that the planner is asked about at the source and in staging; they are not run."),
    option("verify.query.name", Text, Required, "\"orders of a country\"", "Name in reports."),
    option("verify.query.sql", Text, Required, "\"SELECT * FROM public.orders o JOIN public.customers c ON c.id = o.customer_id WHERE c.country = 'DE'\"",
        "One statement, every table with its schema."),
    option("verify.query.factor", Number { min: 1.0, max: 1e9 }, Absent("only told"), "2.0", "How many times one estimate of its rows may be the other."),
    option("verify.query.same_plan", Boolean, Default("false"), "true", "The plan must have the same nodes, tables and indexes."),
    option("verify.query.severity", OneOf(&["fail", "warn"]), Default("\"fail\""), "\"warn\"", "What an estimate beyond it means."),
    option("verify.sql", Tables, Default("[]"), "", "Queries whose answer must be right."),
    option("verify.sql.name", Text, Required, "\"orders have customers\"", "Name in reports."),
    option("verify.sql.query", Text, Required, "\"SELECT count(*) FROM public.orders WHERE customer_id IS NULL\"",
        "One statement that returns one integer."),
    option("verify.sql.equals", Integer { min: i64::MIN, max: i64::MAX }, Default("0"), "0", "The answer that passes."),
    option("verify.sql.severity", OneOf(SEVERITY), Default("\"fail\""), "\"warn\"",
        "`fail` publishes nothing, or brings the release before back, if the gate does not hold; `warn` tells it."),
    option("verify.sql.at", OneOf(GATE_POINTS), Default("\"before-publish\""), "\"after-publish\"",
        "Asked in the loaded database before it is published, or in the live one after the swap and the hooks that follow it."),
    option("verify.command", Tables, Default("[]"), "", "Programs that judge staging."),
    option("verify.command.name", Text, Required, "\"smoke test\"", "Name in reports."),
    option("verify.command.command", Command, Required, "[\"./smoke.sh\"]",
        "Program and arguments; no shell; runs as those of hooks do, with the connection in the PG* variables, and holds if it ends with 0. The end of what it prints is the evidence, so it must print no secrets; rows it must leave as they are."),
    option("verify.command.timeout", Kind::Duration { min_ms: SECOND, max_ms: DAY }, Default("\"10m\""), "\"10m\"",
        "Longest time it may take; then it is ended, with everything it started, and the gate does not hold."),
    option("verify.command.severity", OneOf(SEVERITY), Default("\"fail\""), "\"warn\"", "As `severity` of `[[verify.sql]]`."),
    option("verify.command.at", OneOf(GATE_POINTS), Default("\"before-publish\""), "\"after-publish\"", "As `at` of `[[verify.sql]]`."),

    option("publish", Table, Default("{}"), "", "How staging goes live."),
    option("publish.mode", OneOf(&["swap", "none"]), Default("\"swap\""), "\"swap\"",
        "`swap` exchanges the databases; `none` leaves the loaded database aside."),
    option("publish.clones", Names, Default("[]"), "[\"shop_branch_a\"]", "Copies to make after publishing."),

    option("report", Table, Default("{}"), "", "What a run leaves beside staging."),
    option("report.sign", Table, Absent("manifests are not signed"), "", "Who signs `manifest.json`, with Ed25519; exactly one of these."),
    option("report.sign.key_file", Path, Absent("another source"), "\"sign.pem\"",
        "Private key in PEM: `openssl genpkey -algorithm ed25519 -out sign.pem`."),
    option("report.sign.command", Command, Absent("another source"), "[\"./sign\"]",
        "Program that reads the manifest and prints its signature: 64 bytes, or base64 or hexadecimal digits of them."),

    option("hook", Tables, Default("[]"), "", "SQL or a program at a point of the run."),
    option("hook.at", OneOf(&["before-load", "after-load", "before-publish", "after-publish"]), Required, "\"after-load\"", "When it runs."),
    option("hook.sql", Path, Absent("`command` runs"), "\"overlay/test-accounts.sql\"", "File of SQL statements, run in the loaded database."),
    option("hook.command", Command, Absent("`sql` runs"), "[\"./migrate.sh\"]", "Program and arguments; no shell; runs in the folder of the configuration."),
    option("hook.timeout", Kind::Duration { min_ms: SECOND, max_ms: DAY }, Default("\"10m\""), "\"10m\"", "Longest time it may take."),

    option("schedule", Table, Absent("`restage schedule` refuses"), "", "When `restage schedule` runs."),
    option("schedule.cron", Cron, Required, "\"30 2 * * *\"", "Minute, hour, day of the month, month, day of the week."),
    option("schedule.time_zone", Text, Default("\"UTC\""), "\"Europe/Berlin\"", "IANA name of the time zone of `cron`."),

    option("notify", Tables, Default("[]"), "", "Who is told how a run ended."),
    option("notify.on", AnyOf(&["failure", "recovered", "success"]), Required, "[\"failure\", \"recovered\"]",
        "What is told; `recovered` is the first success after a failure."),
    option("notify.url", WebHook, Required, "\"${SLACK_WEBHOOK}\"", "Web hook that receives a POST."),

    option("test", Tables, Default("[]"), "", "A row and what masks must make of it, for `restage test`."),
    option("test.name", Text, Absent("the table names it"), "\"mail follows the person\"", "Name in output, and for `same_as`."),
    option("test.table", Text, Required, "\"public.users\"", "Table the row is of, as `schema.table`."),
    option("test.when", Values, Absent("a test of a column with a condition is refused"), "{ email = false }",
        "Whether the `when` of a column's mask holds for the row: only a source can evaluate it."),
    option("test.given", Values, Required, "{ id = 7, email = \"Bob@X.com\" }", "The row, column by column; `{ null = true }` is NULL."),
    option("test.expect", Values, Required, "{ email = { valid = \"email\", differs = true } }",
        "What columns must become: a value, or a table of `matches`, `valid`, `differs`, `same_as`, `null`, `length`, `max_length`, `equals`."),
    option("test.type", Values, Default("{}"), "{ email = \"varchar(40)\" }", "PostgreSQL types of columns whose value does not say enough."),
];

/// Finds the option of a path.
pub(super) fn find(path: &str) -> Option<&'static ConfigOption> {
    OPTIONS.iter().find(|option| option.path == path)
}

/// The options directly inside a table; the top level for an empty path.
pub(super) fn children(path: &str) -> impl Iterator<Item = &'static ConfigOption> {
    OPTIONS.iter().filter(move |option| option.parent() == path && option.key() != "*")
}

impl ConfigOption {
    /// The last part of the path.
    pub fn key(&self) -> &'static str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }

    /// The path without its last part; `decision` is the inside of every column decision.
    pub fn parent(&self) -> &'static str {
        self.path.rsplit_once('.').map_or("", |(parent, _)| parent)
    }

    /// The line to paste; for a table its header.
    pub(super) fn line(&self) -> String {
        match self.kind {
            Kind::Tables if self.example.is_empty() => format!("[[{}]]", self.path),
            Kind::Table if self.example.is_empty() => format!("[{}]", self.path),
            _ => format!("{} = {}", self.key(), self.example),
        }
    }
}

impl Kind {
    /// What a value must be, to follow "must be".
    pub(super) fn expected(&self) -> &'static str {
        match self {
            Text | Name | Path | OneOf(_) | Cron | ColumnName => "a string",
            Kind::Date => "a day",
            Connection => "a string with a libpq URI or key=value pairs",
            WebHook => "a string with a URL",
            Boolean => "true or false",
            Integer { .. } => "an integer",
            Kind::RowsEach { .. } => "a number of rows or \"all\"",
            Number { .. } => "a number",
            Kind::Duration { .. } => "a duration in quotes, such as \"5s\"",
            Size { .. } => "a size in quotes, such as \"256MiB\"",
            Rate { .. } => "a rate in quotes, such as \"200MiB/s\"",
            Texts | Names | AnyOf(_) => "a list of strings",
            Command => "a list of strings: the program and its arguments",
            Table | Map | Values => "a table",
            Tables => "a list of tables",
            Rows => "\"all\", \"none\" or a table",
            Children => "\"all\", \"none\" or a table",
            Decision => "a string or a table",
        }
    }

    /// The type column of the reference.
    fn name(&self) -> &'static str {
        match self {
            Text | ColumnName | OneOf(_) => "string",
            Name => "name",
            Connection => "connection string",
            WebHook => "URL",
            Path => "path",
            Boolean => "boolean",
            Integer { .. } => "integer",
            Kind::RowsEach { .. } => "rows or all",
            Number { .. } => "number",
            Kind::Duration { .. } => "duration",
            Size { .. } => "size",
            Rate { .. } => "rate",
            Texts | Names | AnyOf(_) | Command => "list of strings",
            Cron => "cron line",
            Kind::Date => "date",
            Table => "table",
            Tables => "list of tables",
            Map => "table of strings",
            Values => "table of columns",
            Rows | Children => "string or table",
            Decision => "decision",
        }
    }

    /// Which values are allowed, in words; empty where the type says it all.
    pub(super) fn range(&self) -> String {
        let quoted = |values: &[&str]| values.iter().map(|value| format!("\"{value}\"")).collect::<Vec<_>>().join(", ");
        let time = |ms: u64| show_duration(Duration::from_millis(ms));
        match *self {
            Integer { min: i64::MIN, max: i64::MAX } => String::new(),
            Kind::RowsEach { .. } => "1 or more".to_owned(),
            Integer { min, max } if min == max => format!("{min}"),
            Integer { min, max: COUNT_MAX } => format!("{min} or more"),
            Integer { min, max } => format!("{min} to {max}"),
            Number { min, max } if min > 0.0 => format!("above 0 to {max}"),
            Number { min, max } => format!("{min} to {max}"),
            Kind::Duration { min_ms, max_ms } => format!("{} to {}", time(min_ms), time(max_ms)),
            Size { min, max } => format!("{} to {}", show_size(min), show_size(max)),
            Rate { min, max } => format!("{}/s to {}/s", show_size(min), show_size(max)),
            OneOf(values) | AnyOf(values) => quoted(values),
            Name | Names => "1 to 63 bytes".to_owned(),
            ColumnName => "schema.table.column".to_owned(),
            Command => "at least the program".to_owned(),
            _ => String::new(),
        }
    }

    /// The unit column of the reference.
    fn unit(&self) -> &'static str {
        match self {
            Kind::Duration { .. } => "ms, s, m, h, d",
            Size { .. } => "B, kB … TB, KiB … TiB",
            Rate { .. } => "size per second",
            _ => "",
        }
    }
}

/// Prints the reference of every option as Markdown.
pub fn options_markdown() -> String {
    let mut text = String::from(
        "Any string may use `${VAR}`, `${VAR:-default}`, `${VAR:?message}`; `$${` is a literal `${`. \
         Integers, numbers and booleans may be written as a string with a variable: `workers = \"${WORKERS:-2}\"`.\n\n\
         | Key | Type | Unit | Allowed | Default | Meaning |\n|---|---|---|---|---|---|\n",
    );
    let escape = |text: &str| text.replace('|', "\\|");
    for option in OPTIONS {
        let default = match option.need {
            Required => "required".to_owned(),
            Default("{}" | "[]") => "empty".to_owned(),
            Default(value) => format!("`{value}`"),
            Absent(words) => words.to_owned(),
        };
        let (kind, unit, range) = (option.kind.name(), option.kind.unit(), option.kind.range());
        let (default, meaning) = (escape(&default), escape(option.meaning));
        // Writing into a String cannot fail.
        let _ = writeln!(text, "| `{}` | {kind} | {unit} | {range} | {default} | {meaning} |", option.path);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn paths_are_unique_and_parents_exist() {
        let paths: BTreeSet<&str> = OPTIONS.iter().map(|option| option.path).collect();
        assert_eq!(paths.len(), OPTIONS.len());
        for option in OPTIONS {
            let parent = option.parent();
            assert!(parent.is_empty() || parent == "decision" || paths.contains(parent), "{}", option.path);
        }
    }

    #[test]
    fn every_option_is_explained() {
        for option in OPTIONS {
            assert!(option.meaning.ends_with('.'), "{}", option.path);
            assert!(!option.meaning.is_empty());
            assert!(!option.example.is_empty() || matches!(option.kind, Table | Tables), "{}", option.path);
        }
    }

    #[test]
    fn the_reference_has_a_row_for_every_option() {
        let text = options_markdown();
        for option in OPTIONS {
            let row = text.lines().find(|line| line.starts_with(&format!("| `{}` |", option.path)));
            assert_eq!(row.expect(option.path).replace("\\|", "").matches('|').count(), 7, "{}", option.path);
        }
    }
}
