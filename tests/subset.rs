//! Subsets: which rows are chosen, and that staging holds them and nothing else.

mod random;
mod references;
mod rules;

use crate::support::Lab;
use random::World;
use restage::catalog;
use restage::config::Config;
use restage::extract::snapshot::{Snapshot, begin, connect};
use restage::extract::{self, Stop};
use restage::mask::MasterKey;
use restage::pg::{Conninfo, Environment};
use restage::plan::{self, Floor, Plan, Policy, Settings};
use restage::subset::{self, Request, Selection, Sessions, SubsetError};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What the configuration of a lab selects, found without the program around it.
struct Asked {
    plan: Plan,
    snapshot: Snapshot,
}

impl Asked {
    async fn new(lab: &Lab<'_>) -> Self {
        let config = Config::load(&lab.path("restage.toml"), &|_| None).expect("the configuration is sound");
        let url = lab.source.url("reader", &lab.name);
        let info = Conninfo::parse(&url, &Environment::from_process()).expect("a URL");
        let session = connect(&info, "restage/test").await.expect("the source answers");
        begin(&session, None).await.expect("a transaction");
        let catalog = catalog::read(session.client()).await.expect("the catalog is read");
        session.close().await;
        let floor = Floor { open: true, ..Floor::default() };
        let undecided = config.policy.undecided;
        let policy = Policy { rules: &config.tables, references: &config.references, undecided, floor };
        let settings = Settings { allow_write_role: true, subset: config.subset.clone(), ..Settings::default() };
        let plan = plan::build(&catalog, &policy, &settings).unwrap_or_else(|refusals| panic!("{:#?}", refusals.0));
        let settings = extract::Settings {
            lock_timeout: Duration::from_secs(5),
            lock_wait_max: Duration::from_secs(60),
            snapshot_max: None,
            rate_max: None,
            on_blocked_ddl: None,
            ddl_grace: Duration::from_secs(10),
            readers: 8,
            pause_replay: false,
        };
        let taken = Snapshot::take(&info, "restage/test", &settings, &plan, &Stop::default()).await;
        Self { plan, snapshot: taken.expect("a snapshot") }
    }

    async fn select(&self, workers: usize, batch_rows: usize) -> Result<Selection, SubsetError> {
        let key = MasterKey::test().realm("test");
        let plan = self.plan.subset.as_ref().expect("a subset is configured");
        let request = Request { plan, key: &key, workers, batch_rows, required: Vec::new() };
        subset::select(&Sessions::under(&self.snapshot), &request).await
    }
}

/// Rows by table, each by its number.
type Numbers = BTreeMap<String, BTreeSet<i64>>;

/// Reads the numbers of the selected rows.
fn numbers(lab: &Lab<'_>, plan: &Plan, selection: &Selection) -> Numbers {
    let mut found = Numbers::new();
    for table in &plan.tables {
        let rows = selection.rows_of(table.oid);
        let sql = format!("SELECT ctid, rid FROM ONLY {}.{}", table.schema, table.name);
        let root = table.name.split("_p").next().expect("a name").to_owned();
        let entry = found.entry(root).or_default();
        for line in lab.production(&sql).lines() {
            let (place, number) = line.split_once('|').expect("two columns");
            let row = restage::rowset::RowId::from_text(place).expect("a ctid");
            if rows.contains(row) {
                entry.insert(number.parse().expect("a number"));
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn closure_is_closed_minimal_and_the_same_for_all_workers_and_batches() {
    let lab = Lab::new("closure");
    let mut chosen = 0;
    for seed in 0..40 {
        let world = World::new(seed);
        lab.source.sql_as("app", &lab.name, "DROP SCHEMA IF EXISTS g CASCADE; CREATE SCHEMA g");
        lab.seed(&world.sql());
        let config = world.config();
        lab.config(&config);
        let expected = world.closure(&lab);
        let asked = Asked::new(&lab).await;
        for (workers, batch_rows) in [(1, 10_000), (8, 3), (2, 1)] {
            let selection = match asked.select(workers, batch_rows).await {
                Ok(selection) => selection,
                Err(SubsetError::Empty { .. }) if expected.values().all(BTreeSet::is_empty) => continue,
                Err(error) => panic!("{seed}: {error}"),
            };
            let found = numbers(&lab, &asked.plan, &selection);
            assert_eq!(
                found,
                expected,
                "seed {seed}, {workers} workers, batches of {batch_rows}\n{config}\n{}",
                world.sql()
            );
            assert_eq!(selection.rows(), expected.values().map(|rows| rows.len() as u64).sum::<u64>());
        }
        chosen += usize::from(expected.values().any(|rows| !rows.is_empty()));
        asked.snapshot.release().await;
    }
    assert!(chosen > 30, "most worlds select something: {chosen}");
}

/// The rows of a foreign table are in no copy: nothing asks its server for them, and nothing counts them.
#[test]
fn foreign_partitions_are_neither_asked_nor_counted() {
    let lab = Lab::new("subset_foreign");
    lab.source.sql(
        &lab.name,
        "CREATE EXTENSION postgres_fdw; CREATE SERVER nowhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '/nowhere', dbname 'none');
         CREATE USER MAPPING FOR PUBLIC SERVER nowhere; GRANT USAGE ON FOREIGN SERVER nowhere TO app",
    );
    lab.seed(
        "CREATE TABLE part (a int, b text, n int, k serial) PARTITION BY LIST (a); CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
         CREATE FOREIGN TABLE part_2 PARTITION OF part FOR VALUES IN (2) SERVER nowhere; CREATE TABLE part_3 PARTITION OF part FOR VALUES IN (3);
         INSERT INTO part (a, b, n) SELECT 1 + 2 * (i % 2), 'x' || i, i FROM generate_series(1, 40) i;
         CREATE TABLE talk (id int PRIMARY KEY, n int); INSERT INTO talk SELECT i, i FROM generate_series(1, 60) i;",
    );
    let refers = "[[references]]\nfrom = \"public.talk.n\"\nto = \"public.part.n\"\n";
    let keeps = "[tables.\"public.*\"]\ndefault = { keep = \"a test\" }\n";
    let first = "[tables.\"public.part\"]\nrows = { where = \"n > 4\", limit = 7 }\ndefault = { keep = \"a test\" }\n";
    let masked = "[tables.\"public.part\"]\ndefault = { keep = \"a test\" }\ncolumns.k = \"int\"\n";
    let seed = "[subset]\nseed = [{ table = \"public.part\", where = \"n <= 10\" }, { table = \"public.part\", percent = 0.000001 }]\n";
    let filter = "[tables.\"public.part\"]\nrows = { where = \"n > 4\" }\ndefault = { keep = \"a test\" }\n";
    for (config, expected) in [
        // The sequence is set past the masks.
        (format!("{keeps}{masked}"), "40|60"),
        // Of 60 rows that refer, 20 point nowhere on both sides.
        (format!("{keeps}{refers}"), "40|60"),
        (format!("{keeps}{first}"), "7|60"),
        (format!("{keeps}{refers}{seed}"), "10|10"),
        (format!("{keeps}{filter}{refers}{seed}"), "6|6"),
    ] {
        lab.config(&config);
        // Only a superuser may create the extension.
        let text = std::fs::read_to_string(lab.path("restage.toml")).expect("read");
        let text = text.replace(&lab.target.url("restage", &lab.name), &lab.target.url("postgres", &lab.name));
        std::fs::write(lab.path("restage.toml"), text).expect("write");
        lab.refresh();
        let counts =
            "SELECT (SELECT count(*) FROM part_1) + (SELECT count(*) FROM part_3), (SELECT count(*) FROM talk)";
        assert_eq!(lab.staging(counts), expected, "{config}");
    }
}

#[test]
fn loaded_subset_has_no_orphan_and_nothing_unasked() {
    for seed in [3, 7, 11, 19] {
        let lab = Lab::new("subset_loaded");
        let world = World::new(seed);
        lab.source.sql_as("app", &lab.name, "CREATE SCHEMA g");
        lab.seed(&world.sql());
        lab.config(&world.config());
        let expected = world.closure(&lab);
        // Every foreign key of the source stands and is valid: the gates compare them, PostgreSQL checks them.
        lab.refresh();
        for (table, rows) in world.rows_of(&expected) {
            let loaded = lab.staging(&world.row_query(&table));
            assert_eq!(loaded, rows, "{seed}: {table}");
        }
    }
}
