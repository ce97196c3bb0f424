//! The catalog read and the plan against a real server, which this module starts in a folder of its own.

use crate::support::{bin, is_root};
use restage::catalog::{self, Catalog, Change, ConstraintKind, TableKind};
use restage::config::{Action, Decision, MaskRule, Place, TableRule, Terms, Undecided};
use restage::plan::{self, Floor, Policy, Settings};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tokio_postgres::{Client, NoTls};

/// A throw-away server on a unix socket; stopped when dropped.
struct Cluster {
    folder: tempfile::TempDir,
    bin: PathBuf,
}

impl Cluster {
    fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("restage-catalog").tempdir().expect("a temporary folder");
        let cluster = Self { folder, bin: bin() };
        if is_root() {
            let chown = Command::new("chown").arg("postgres").arg(cluster.folder.path()).status();
            assert!(chown.is_ok_and(|status| status.success()), "the server's user owns the folder");
        }
        let data = cluster.data();
        cluster.run("initdb", &["-D", &data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-N"]);
        let path = cluster.folder.path().display();
        let options = format!("-k {path} -c listen_addresses= -c fsync=off -c max_locks_per_transaction=512");
        let log = format!("{path}/log");
        cluster.run("pg_ctl", &["-D", &data, "-o", &options, "-l", &log, "-w", "start"]);
        cluster
    }

    fn data(&self) -> String {
        self.folder.path().join("data").display().to_string()
    }

    /// Runs a server program, as user postgres if we are root: it refuses to run as root.
    fn run(&self, program: &str, arguments: &[&str]) {
        let program = self.bin.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(&program);
            command
        } else {
            Command::new(&program)
        };
        let status = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/").status();
        assert!(status.is_ok_and(|status| status.success()), "{} runs", program.display());
    }

    async fn connect(&self, database: &str, user: &str) -> Client {
        let mut config = tokio_postgres::Config::new();
        config.host_path(self.folder.path()).user(user).dbname(database);
        let (client, connection) = config.connect(NoTls).await.expect("the server answers");
        tokio::spawn(connection);
        client
    }

    /// Reads the catalog the way a refresh does.
    async fn read(&self, database: &str, user: &str) -> (Client, Catalog) {
        let client = self.connect(database, user).await;
        let begin =
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path = ''; SET LOCAL lc_monetary = 'C'";
        client.batch_execute(begin).await.expect("a transaction begins");
        let catalog = catalog::read(&client).await.expect("the catalog is read");
        (client, catalog)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let data = self.data();
        if Path::new(&data).join("postmaster.pid").exists() {
            self.run("pg_ctl", &["-D", &data, "-m", "immediate", "-w", "stop"]);
        }
    }
}

const SCHEMA: &str = r#"
CREATE EXTENSION citext;
CREATE SCHEMA audit;
CREATE SCHEMA restage;
CREATE TABLE restage.run (id int);
CREATE TYPE public.mood AS ENUM ('sad', 'ok');
CREATE TYPE public.pair AS (a int, b public.mood);
CREATE DOMAIN public.short AS varchar(10) NOT NULL CHECK (VALUE <> 'x''VALUE');
CREATE DOMAIN public.code AS public.short CHECK (length(VALUE) > 2);
CREATE TABLE public.customers (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    gone int,
    email public.citext UNIQUE,
    code public.code,
    moods public.mood[],
    pair public.pair,
    valid int4range,
    price money,
    lowered text GENERATED ALWAYS AS (lower(code::text)) STORED,
    "Odd ""Name" text CHECK ("Odd ""Name" <> ''),
    rel regclass,
    seen timestamptz,
    EXCLUDE USING gist (valid WITH &&)
);
ALTER TABLE public.customers DROP COLUMN gone;
CREATE UNIQUE INDEX customers_lower ON public.customers (lower(code::text), id) INCLUDE (email) WHERE seen IS NULL;
CREATE TABLE public.orders (
    id bigserial PRIMARY KEY,
    customer_id int NOT NULL REFERENCES public.customers,
    parent_id bigint REFERENCES public.orders
) ;
CREATE TABLE public.events (at date NOT NULL, who text, order_id bigint REFERENCES public.orders)
    PARTITION BY RANGE (at);
CREATE TABLE public.events_2024 (who text, order_id bigint, gone int, at date NOT NULL);
ALTER TABLE public.events_2024 DROP COLUMN gone;
ALTER TABLE public.events ATTACH PARTITION public.events_2024 FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE public.events_rest PARTITION OF public.events DEFAULT PARTITION BY HASH (lower(who));
CREATE TABLE public.events_rest_0 PARTITION OF public.events_rest FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TABLE audit.log (note text) INHERITS (public.orders);
CREATE UNLOGGED TABLE audit.cache (v int);
CREATE TABLE audit.hidden (v int);
ALTER TABLE audit.hidden ENABLE ROW LEVEL SECURITY;
CREATE TEMP TABLE temporary (v int);
CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE ROLE reader LOGIN;
GRANT USAGE ON SCHEMA public TO reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO reader;
GRANT INSERT ON audit.cache TO reader;
"#;

#[test]
fn catalog_and_plan_of_a_rich_schema() {
    let cluster = Cluster::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let admin = cluster.connect("postgres", "postgres").await;
        admin.batch_execute(SCHEMA).await.expect("the schema is created");
        tables_and_columns_are_read(&cluster).await;
        constraints_and_types_are_read(&cluster).await;
        rights_are_those_of_the_role(&cluster).await;
        changes_follow_definitions(&cluster, &admin).await;
        probes_find_violated_checks(&cluster).await;
        queries_of_the_plan_run(&cluster).await;
    });
}

async fn tables_and_columns_are_read(cluster: &Cluster) {
    let (_, catalog) = cluster.read("postgres", "postgres").await;
    let names: Vec<String> = catalog.tables.iter().map(|table| table.full_name()).collect();
    let expected = [
        "audit.cache",
        "audit.hidden",
        "audit.log",
        "public.customers",
        "public.events",
        "public.events_2024",
        "public.events_rest",
        "public.events_rest_0",
        "public.orders",
    ];
    assert_eq!(names, expected);
    let table = |name: &str| catalog.tables.iter().find(|table| table.full_name() == name).expect("table is read");
    let events = table("public.events");
    assert_eq!((events.kind, events.partition_key.as_slice()), (TableKind::Partitioned, ["at".to_owned()].as_slice()));
    assert!(events.partition_default && events.partition_root.is_none());
    assert_eq!(table("public.events_rest").partition_key, ["who"]);
    assert_eq!(table("public.events_rest").partition_strategy.as_deref(), Some("hash"));
    assert_eq!(table("public.events_rest_0").partition_root, Some(events.oid));
    assert_eq!(table("audit.log").inherits, [table("public.orders").oid]);
    assert!(table("audit.cache").unlogged && table("audit.hidden").row_security);
    let customers = table("public.customers");
    assert!(customers.heap && customers.readable && customers.filenode != 0);
    let column = |name: &str| customers.columns.iter().find(|column| column.name == name).expect("column is read");
    assert_eq!(column("id").identity, Some('a'));
    assert_eq!(column("email").attnum, 3);
    assert_eq!(column("email").type_name, "public.citext");
    assert!(column("lowered").generated && column("lowered").generation.is_some());
    assert!(customers.columns.iter().any(|column| column.name == "Odd \"Name"));
    assert_eq!(catalog.server.money_digits, 2);
    assert!(catalog.server.system_identifier > 0 && !catalog.server.standby);
    assert!(catalog.extensions.contains(&"citext".to_owned()));
    let sequence =
        catalog.sequences.iter().find(|sequence| sequence.name == "orders_id_seq").expect("sequence is read");
    assert_eq!(sequence.owner, Some((table("public.orders").oid, 1)));
}

async fn constraints_and_types_are_read(cluster: &Cluster) {
    let (_, catalog) = cluster.read("postgres", "postgres").await;
    let foreign = catalog.constraints.iter().filter(|known| known.kind == ConstraintKind::Foreign);
    let names: Vec<&str> = foreign.map(|known| known.name.as_str()).collect();
    assert_eq!(names, ["events_order_id_fkey", "orders_customer_id_fkey", "orders_parent_id_fkey"]);
    let exclusion = catalog.constraints.iter().find(|known| known.kind == ConstraintKind::Exclusion).expect("is read");
    assert_eq!(exclusion.operators, ["&&"]);
    let index = catalog.unique_indexes.iter().find(|index| index.name == "customers_lower").expect("index is read");
    assert_eq!(index.columns, [0, 1]);
    assert_eq!(index.expressions, ["lower(code::text)"]);
    assert_eq!(index.predicate.as_deref(), Some("(seen IS NULL)"));
    let r#type = |name: &str| catalog.types.iter().find(|r#type| r#type.name == name).expect("type is read");
    assert_eq!(r#type("mood").labels, ["sad", "ok"]);
    assert_eq!(r#type("_mood").element, r#type("mood").oid);
    assert_eq!(r#type("pair").attributes, [23, r#type("mood").oid]);
    assert_eq!(r#type("int4range").element, 23);
    assert_eq!((r#type("code").base, r#type("short").base), (r#type("short").oid, 1043));
    assert_eq!(r#type("short").base_name.as_deref(), Some("character varying(10)"));
    assert!(r#type("short").not_null && !r#type("short").checks.is_empty());
    assert_eq!(r#type("citext").extension.as_deref(), Some("citext"));
}

async fn rights_are_those_of_the_role(cluster: &Cluster) {
    let (_, catalog) = cluster.read("postgres", "reader").await;
    assert!(!catalog.server.role_superuser);
    assert_eq!(catalog.server.role_writes, ["audit.cache"]);
    let unreadable: Vec<String> =
        catalog.tables.iter().filter(|table| !table.readable).map(|table| table.full_name()).collect();
    assert_eq!(unreadable, ["audit.cache", "audit.hidden", "audit.log"]);
    assert!(catalog.tables.iter().any(|table| table.name == "hidden" && table.row_security_active));
}

async fn changes_follow_definitions(cluster: &Cluster, admin: &Client) {
    let read = async || cluster.read("postgres", "postgres").await.1;
    let told = |old: &Catalog, new: &Catalog| {
        let line = |change: Change| format!("{}{}", if change.stops { "! " } else { "" }, change.what);
        catalog::changes(old, new, &catalog::Use::default()).into_iter().map(line).collect::<Vec<_>>()
    };
    let first = read().await;
    for sql in ["INSERT INTO audit.cache SELECT 1", "VACUUM FULL audit.cache", "ANALYZE"] {
        admin.batch_execute(sql).await.expect("runs");
    }
    assert_eq!(told(&first, &read().await), [""; 0]);
    assert_eq!(told(&first, &cluster.read("postgres", "reader").await.1), [""; 0]);
    admin.batch_execute("ALTER TYPE public.mood ADD VALUE 'happy'").await.expect("runs");
    let second = read().await;
    let changed = ["! type public.mood was changed", "! type public.mood of a column was changed"];
    assert_eq!(told(&first, &second), changed);
    let replace = "CREATE OR REPLACE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 2'";
    admin.batch_execute(replace).await.expect("runs");
    let third = read().await;
    assert_eq!(told(&second, &third), ["function public.f() was changed"]);
    let parsed = |number: u8| {
        format!("CREATE OR REPLACE FUNCTION public.f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT {number}; END")
    };
    for number in [2, 3] {
        let before = read().await;
        admin.batch_execute(&parsed(number)).await.expect("runs");
        assert_eq!(told(&before, &read().await), ["function public.f() was changed"]);
    }
}

fn rule(pattern: &str, default: Action, columns: &[(&str, Action)]) -> TableRule {
    let decision =
        |action: &Action| Decision { place: Place::default(), action: action.clone(), terms: Terms::default() };
    TableRule {
        pattern: pattern.into(),
        place: Place::default(),
        rows: None,
        default: Some(decision(&default)),
        columns: columns.iter().map(|(name, action)| ((*name).to_owned(), decision(action))).collect(),
        columns_at: None,
    }
}

fn mask(kind: &str, subject: Option<&str>, value: Option<&str>) -> Action {
    let mut params = serde_json::Map::new();
    params.extend(value.map(|value| ("value".to_owned(), value.into())));
    Action::Mask(MaskRule { kind: kind.into(), label: None, subject: subject.map(str::to_owned), when: None, params })
}

fn build(catalog: &Catalog, rules: &[TableRule]) -> plan::Plan {
    let policy = Policy {
        rules,
        references: &[],
        undecided: Undecided::Refuse,
        floor: Floor { open: true, ..Floor::default() },
    };
    let settings = Settings { allow_write_role: true, ..Settings::default() };
    plan::build(catalog, &policy, &settings).unwrap_or_else(|refusals| {
        panic!("{}", refusals.0.iter().map(|report| format!("{report}\n")).collect::<String>())
    })
}

async fn probes_find_violated_checks(cluster: &Cluster) {
    let (client, catalog) = cluster.read("postgres", "postgres").await;
    let keep = Action::Keep { reason: None };
    let columns = [
        ("Odd \"Name", mask("const", None, Some(""))),
        ("code", mask("pattern", None, None)),
        ("seen", mask("const", None, Some("never"))),
    ];
    // A masked column in a unique expression would be refused before a probe is asked.
    let mut catalog = catalog;
    catalog.unique_indexes.retain(|index| index.name != "customers_lower");
    let plan =
        build(&catalog, &[rule("*", keep, &[]), rule("public.customers", Action::Keep { reason: None }, &columns)]);
    // Of the examples of `pattern` two fit the column.
    let mask = |_: &plan::CheckProbe, value: &str| {
        Some(if value.starts_with("AB") { "q".to_owned() } else { "x'VALUE".to_owned() })
    };
    let error = catalog::probe_checks(&client, &plan.probes, mask).await.expect_err("checks are violated");
    let reports = restage::error::Diagnose::reports(&error);
    let violated: Vec<String> = reports.iter().map(|report| report.message.clone()).collect();
    let expected = [
        "mask pattern/1 for column \"public.customers.code\" violates \"code_check\"",
        "mask pattern/1 for column \"public.customers.code\" violates \"short_check\"",
        "the constant for column \"public.customers.Odd \"Name\" violates \"customers_Odd \"Name_check\"",
        "the constant for column \"public.customers.seen\" violates \"its type\"",
    ];
    assert_eq!(violated, expected);
    assert_eq!(reports[0].detail.as_deref(), Some("It is false for 1 of 2 sample values."));
    client.batch_execute("SELECT 1").await.expect("the transaction goes on");
}

async fn queries_of_the_plan_run(cluster: &Cluster) {
    let (client, catalog) = cluster.read("postgres", "postgres").await;
    let keep = || Action::Keep { reason: None };
    let path = "order_id -> public.orders.customer_id -> public.customers.email";
    let rules = [
        rule("*", keep(), &[]),
        rule("public.customers", keep(), &[("id", mask("int", None, None)), ("moods", Action::Null)]),
        rule("public.events", keep(), &[("who", mask("name.first", Some(path), None)), ("at", keep())]),
    ];
    let plan = build(&catalog, &rules);
    for table in plan.tables.iter() {
        let sql = format!("SELECT {} FROM {}", table.select.join(", "), table.from);
        client.query(&sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    let events = plan.tables.iter().find(|table| table.name == "events_2024").expect("is planned");
    assert_eq!((events.target_name.as_str(), events.layout.written), ("events", 3));
    assert!(events.from.contains("LEFT JOIN ONLY \"public\".\"orders\""));
}
