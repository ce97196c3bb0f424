//! Which rows are in a fixture: a number of each table, those that show everything, and never the people in them.

use crate::identity::{self, seed_file};
use crate::leak::{BIRD_POLICY, BIRDS, CANARIES, found_in};
use crate::support::Lab;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

#[track_caller]
fn fixture(lab: &Lab<'_>, args: &[&str]) -> String {
    let ran = lab.restage(&[&["fixture", "--out", "fix"], args].concat());
    assert_eq!(ran.code, 0, "{args:?}\n{}\n{}", ran.stdout, ran.stderr);
    fs::read_to_string(lab.path("fix/fixture.sql")).expect("a fixture")
}

/// Loads the fixture into a new database of the target and returns its name.
#[track_caller]
fn loaded(lab: &Lab<'_>) -> String {
    let name = format!("{}_copy", lab.name);
    lab.target.sql("postgres", &format!("DROP DATABASE IF EXISTS \"{name}\""));
    lab.target.sql("postgres", &format!("CREATE DATABASE \"{name}\" TEMPLATE template0"));
    lab.target.run_file("postgres", &name, &lab.path("fix/fixture.sql"), &[]);
    name
}

/// Columns of plain tables and partition roots: schema, table, column, type, whether NULL is allowed.
const COLUMNS: &str = "SELECT n.nspname, c.relname, a.attname, t.typname, NOT a.attnotnull AND t.typtype <> 'd', t.typtype = 'e', \
     t.typname IN ('int2', 'int4', 'int8', 'numeric', 'float4', 'float8', 'date', 'timestamp', 'timestamptz') \
     AND a.attidentity = '' AND COALESCE(pg_get_expr(d.adbin, d.adrelid) NOT LIKE 'nextval(%', true) \
     AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.contype = 'f' AND k.conrelid = c.oid AND a.attnum = ANY (k.conkey)) \
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
     JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum \
     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' \
     AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND NOT EXISTS (SELECT FROM pg_depend x WHERE x.objid = c.oid AND x.deptype = 'e') \
     ORDER BY 1, 2, a.attnum";

/// The columns that the plan keeps, of tables whose rows are all copied, as `schema.table.column`.
fn kept(lab: &Lab<'_>) -> BTreeSet<String> {
    let plan = lab.restage(&["plan", "--json"]);
    let plan: Value = serde_json::from_str(&plan.stdout).expect("a plan");
    let mut kept = BTreeSet::new();
    for table in plan["tables"].as_array().expect("tables").iter().filter(|table| table["selection"] == "all") {
        let name = table["root"].as_str().or(table["name"].as_str()).expect("a name");
        let columns = table["columns"].as_array().expect("columns").iter();
        let columns = columns.filter(|column| column["decision"] == "keep");
        kept.extend(columns.map(|column| format!("{name}.{}", column["name"].as_str().expect("a name"))));
    }
    kept
}

#[test]
fn coverage_of_the_shop_fits_in_300_rows_and_shows_every_label_null_and_limit() {
    let lab = identity::lab("fixture_cover");
    seed_file(&lab, "samples/shop/schema.sql", &[]);
    seed_file(&lab, "samples/shop/data.sql", &[("scale", "0.05")]);
    let policy = restage::demo::POLICY;
    let tables = &policy[policy.find("[policy]").expect("a policy")..];
    let tables = tables.split("[publish]").next().expect("tables");
    lab.config(&format!(
        "{tables}\n[fixture]\ncover = [\"enum\", \"null\", \"boundary\", \"unicode\", \"partition\"]\n"
    ));
    fixture(&lab, &[]);
    let copy = loaded(&lab);
    let ours = |sql: &str| lab.target.sql(&copy, sql);
    let kept = kept(&lab);
    let mut rows = 0;
    let mut seen = (0, 0, 0);
    let mut counted = BTreeSet::new();
    for line in lab.production(COLUMNS).lines() {
        let fields: Vec<&str> = line.split('|').collect();
        let [schema, table, column, _, nullable, label, limits] = fields.as_slice() else { panic!("{line}") };
        let name = format!("{schema}.{table}.{column}");
        let relation = format!("\"{schema}\".\"{table}\"");
        let only = format!(
            "{} {relation}",
            if lab.production(&format!("SELECT relkind FROM pg_class WHERE oid = '{relation}'::regclass")) == "p" {
                ""
            } else {
                "ONLY"
            }
        );
        if counted.insert(relation) {
            rows += ours(&format!("SELECT count(*) FROM {only}")).parse::<u64>().expect("a count");
        }
        if !kept.contains(&name) {
            continue;
        }
        let same = |sql: String| assert_eq!(ours(&sql), lab.production(&sql), "{name}");
        if *nullable == "t" {
            same(format!("SELECT DISTINCT \"{column}\" IS NULL FROM {only} ORDER BY 1"));
            seen.0 += 1;
        }
        if *label == "t" {
            same(format!("SELECT DISTINCT \"{column}\" FROM {only} ORDER BY 1"));
            seen.1 += 1;
        }
        if *limits == "t" {
            same(format!("SELECT min(\"{column}\"), max(\"{column}\") FROM {only}"));
            seen.2 += 1;
        }
    }
    assert!(seen.0 > 20 && seen.1 > 2 && seen.2 > 40, "NULLs, labels and limits were compared: {seen:?}");
    assert!((150..300).contains(&rows), "{rows} rows");
    // One psql run loaded it with every constraint; those of the source that hold there hold here.
    let invalid = "SELECT conname FROM pg_constraint WHERE NOT convalidated ORDER BY 1";
    assert_eq!(ours(invalid), lab.production(invalid));
}

/// What cannot be asked of a foreign server that points at nowhere, and a view that cannot be filled, are no reason for half
/// a database.
#[test]
fn foreign_partitions_and_views_that_cannot_be_filled_stop_no_script() {
    let lab = Lab::new("fixture_foreign");
    // A wrapper without a handler: the server of every test has it, and it answers nothing.
    lab.source.sql(&lab.name, "CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing; GRANT USAGE ON FOREIGN SERVER nowhere TO app");
    lab.seed(
        "CREATE TABLE part (a int, k serial) PARTITION BY LIST (a); CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
         INSERT INTO part VALUES (1); CREATE FOREIGN TABLE part_2 PARTITION OF part FOR VALUES IN (2) SERVER nowhere;
         CREATE TABLE heir (a int); INSERT INTO heir VALUES (1); CREATE FOREIGN TABLE heir_2 () INHERITS (heir) SERVER nowhere;
         CREATE FUNCTION ones() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM part_1';
         CREATE MATERIALIZED VIEW \"it's 100%\" AS SELECT ones() AS n; CREATE MATERIALIZED VIEW well AS SELECT a FROM part_1;",
    );
    lab.config(identity::KEEP_ALL);
    // Few rows of each table are chosen by queries, which leave such a partition out.
    fixture(&lab, &["--rows", "7"]);
    assert_eq!(lab.target.sql(&loaded(&lab), "SELECT count(*) FROM part_1"), "1");
    fixture(&lab, &["--rows", "all"]);
    let copy = loaded(&lab);
    let ours = |sql: &str| lab.target.sql(&copy, sql);
    assert_eq!(ours("SELECT relname FROM pg_class WHERE relkind = 'm' AND NOT relispopulated"), "it's 100%");
    let analyzed = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'm') \
                    AND reltuples = 1 ORDER BY 1";
    assert_eq!(ours(analyzed), "part_1\nwell");

    // A refresh tells both, and publishes. Only a superuser may create a wrapper.
    let text = fs::read_to_string(lab.path("restage.toml")).expect("read");
    let text = text.replace(&lab.target.url("restage", &lab.name), &lab.target.url("postgres", &lab.name));
    fs::write(lab.path("restage.toml"), text).expect("write");
    let ran = lab.restage(&["refresh", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let told: Value = serde_json::from_str(&ran.stdout).expect("a document");
    let told = told["warnings"].to_string();
    for what in ["it's 100%\\\" could not be filled", "heir\\\" could not be analyzed"] {
        assert!(told.contains(what), "{what}: {told}");
    }
    assert_eq!(lab.staging("SELECT a FROM ONLY heir"), "1");
}

/// Teams, and people who refer to them: none of the first fifty to the first team.
const TEAMS: &str = "CREATE TABLE team (id int PRIMARY KEY, name text);
     CREATE TABLE person (id int PRIMARY KEY, team int REFERENCES team, mail text);
     CREATE TABLE log (at int, what text); CREATE TABLE few (id int PRIMARY KEY);
     INSERT INTO team SELECT i, 'team ' || i FROM generate_series(1, 400) i;
     INSERT INTO person SELECT i, 400 - i % 100, 'p' || i || '@corp.test' FROM generate_series(1, 4000) i;
     INSERT INTO log SELECT i, md5(i::text) FROM generate_series(1, 500) i; INSERT INTO few VALUES (1), (2);";
const TEAM_POLICY: &str = "[tables.\"public.*\"]\ndefault = { keep = \"a test\" }\n[tables.\"public.person\"]\ndefault = { keep = \"a test\" }\n\
     [tables.\"public.person\".columns]\nmail = \"email\"\n";

/// Rows per table: teams, people, log, few.
fn counts(lab: &Lab<'_>) -> String {
    let copy = loaded(lab);
    lab.target.sql(
        &copy,
        "SELECT (SELECT count(*) FROM team), (SELECT count(*) FROM person), (SELECT count(*) FROM log), (SELECT count(*) FROM few)",
    )
}

#[test]
fn a_number_of_rows_of_each_table_comes_with_what_it_refers_to() {
    let lab = Lab::new("fixture_rows");
    lab.seed(TEAMS);
    lab.config(TEAM_POLICY);
    let text = fixture(&lab, &[]);
    assert_eq!(counts(&lab), "100|50|50|2", "fifty of each, and the teams of the fifty people");
    assert!(!text.contains("corp.test"));
    fixture(&lab, &["--rows", "7"]);
    assert_eq!(counts(&lab), "14|7|7|2");
    let copy = loaded(&lab);
    assert_eq!(lab.target.sql(&copy, "SELECT min(id), max(id), count(DISTINCT team) FROM person"), "1|7|7");
    fixture(&lab, &["--rows", "all"]);
    assert_eq!(counts(&lab), "400|4000|500|2");

    // What the configuration says about one table says more than a number for all, and the command line more than the file.
    lab.config(&format!("{TEAM_POLICY}[tables.\"public.log\"]\ndefault = {{ keep = \"a test\" }}\nrows = {{ where = \"at > 100\", limit = 9 }}\n[fixture]\nrows = 3\n"));
    fixture(&lab, &[]);
    assert_eq!(counts(&lab), "6|3|9|2");
    let copy = loaded(&lab);
    assert_eq!(lab.target.sql(&copy, "SELECT min(at) > 100 FROM log"), "t");
    fixture(&lab, &["--rows", "4"]);
    assert_eq!(counts(&lab), "8|4|9|2");

    // A subset chooses its own rows; a number adds to them.
    let seed = "[subset]\nseed = [{ table = \"public.person\", where = \"id = 4000\" }]\n";
    lab.config(&format!("{TEAM_POLICY}{seed}"));
    fixture(&lab, &[]);
    assert_eq!(counts(&lab), "1|1|0|0");
    fixture(&lab, &["--rows", "2"]);
    assert_eq!(counts(&lab), "5|3|2|2");
    for bad in ["0", "-1", "some"] {
        assert_eq!(lab.restage(&["fixture", "--out", "fix", &format!("--rows={bad}")]).code, 2, "{bad}");
    }
}

/// The ways in which rows of a subset are chosen, counted, told and written.
fn subset_answers(lab: &Lab<'_>) -> String {
    let mut told = String::new();
    let commands: [&[&str]; 6] = [
        &["plan", "--json"],
        &["plan", "-v"],
        &["explain", "--row", "public.bird 1"],
        &["fixture", "--out", "fix"],
        &["fixture", "--out", "fix", "--rows", "5"],
        &["refresh", "--json"],
    ];
    for args in commands {
        let output = lab
            .command(&[args, &["-vv", "--log-format", "json"]].concat())
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "full")
            .output()
            .expect("restage runs");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        told += &String::from_utf8_lossy(&output.stdout);
        told += &String::from_utf8_lossy(&output.stderr);
        if args[0] == "fixture" {
            told += &fs::read_to_string(lab.path("fix/fixture.sql")).expect("a fixture");
        }
    }
    told + &lab.target.dump(&lab.name)
}

const SUBSET: &str = "[subset]\nseed = [{ table = \"public.bird\", percent = 50, limit = 40 }, { table = \"public.bird\", where = \"id = 1\" }]\n\
     [fixture]\ncover = [\"enum\", \"null\", \"boundary\", \"unicode\"]\n";

#[test]
fn no_canary_is_in_a_subset_a_coverage_fixture_or_what_is_told_of_them() {
    let lab = Lab::new("fixture_canary");
    lab.seed(BIRDS);
    lab.config(&format!("{BIRD_POLICY}\n{SUBSET}"));
    let told = subset_answers(&lab);
    assert!(told.contains("bird") && told.len() > 20_000, "there is something to search: {}", told.len());
    assert!(found_in(&told).is_empty(), "{:?}", found_in(&told));
}

#[test]
fn unmasked_twin_of_a_subset_shows_the_canaries() {
    let lab = Lab::new("fixture_canary_twin");
    lab.seed(BIRDS);
    lab.config(&format!(
        "[policy]\nddl_literals = \"accept\"\n[tables.\"public.*\"]\ndefault = {{ keep = \"a test\" }}\n{SUBSET}"
    ));
    let found = found_in(&subset_answers(&lab));
    for canary in ["qzkanari", "vogelzqang", "536-71-8294", "312 867 5318", "88442211.17"] {
        assert!(CANARIES.contains(&canary) && found.contains(&canary), "{canary}");
    }
}
