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
