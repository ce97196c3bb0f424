//! Masked rows as files: what `snapshot`, `load` and `fixture` promise, with PostgreSQL as the judge.

use crate::identity::{self, KEEP_ALL, assert_same, seed_file};
use crate::leak::{BIRD_POLICY, BIRDS, CANARIES, beside, found_in};
use crate::support::live::Running;
use crate::support::{KEY, Lab, Ran};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

#[track_caller]
fn run(lab: &Lab<'_>, args: &[&str]) -> Ran {
    let ran = lab.restage(args);
    assert_eq!(ran.code, 0, "{args:?}\n{}\n{}", ran.stdout, ran.stderr);
    ran
}

/// Every file below a folder by its path.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(folder: &Path, prefix: &str, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                walk(&entry.path(), &format!("{name}/"), found);
            } else {
                found.insert(name, fs::read(entry.path()).expect("a file"));
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(folder, "", &mut found);
    found
}

/// A refresh, and a snapshot that is loaded, make the same database.
#[track_caller]
fn assert_loads_as_refreshed(lab: &Lab<'_>) {
    lab.refresh();
    let refreshed = lab.target.dump(&lab.name);
    run(lab, &["snapshot", "--out", "snap"]);
    run(lab, &["load", "snap"]);
    assert_same(&lab.target.dump(&lab.name), &refreshed);
    assert_eq!(lab.staging("SELECT count(*) FROM restage.run WHERE snapshot_lsn <> ''"), "1");
    assert!(!lab.path("snap.partial").exists());
}

#[test]
fn snapshot_of_the_shop_loads_as_a_refresh_would_have() {
    let lab = identity::lab("files_shop");
    seed_file(&lab, "samples/shop/schema.sql", &[]);
    seed_file(&lab, "samples/shop/data.sql", &[("scale", "0.01")]);
    lab.config(KEEP_ALL);
    assert_loads_as_refreshed(&lab);
    // What refuses a refresh refuses a load.
    let again = lab.restage(&["snapshot", "--out", "snap"]);
    assert_eq!(again.code, 2, "{again:?}");
    assert!(again.stderr.contains("files::exists"), "{}", again.stderr);
    assert_eq!(run(&lab, &["load", "snap", "--dry-run"]).code, 0);
    lab.target.sql("postgres", &format!("COMMENT ON DATABASE \"{}\" IS NULL", lab.name));
    let refused = lab.restage(&["load", "snap"]);
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.stderr.contains("guard::marker"), "{}", refused.stderr);
}

#[test]
fn snapshot_of_every_type_loads_as_a_refresh_would_have() {
    let lab = identity::lab("files_types");
    seed_file(&lab, "tests/identity/types.sql", &[]);
    lab.config(KEEP_ALL);
    assert_loads_as_refreshed(&lab);
    let exceptions = files(&lab.path("snap")).into_keys().filter(|name| name.contains(".exceptions.")).count();
    assert!(exceptions >= 2, "infinity and NaN are beside their columns: {exceptions}");
}

#[test]
fn snapshot_of_every_object_loads_as_a_refresh_would_have() {
    let lab = identity::lab("files_objects");
    seed_file(&lab, "tests/identity/objects.sql", &[]);
    lab.config(KEEP_ALL);
    assert_loads_as_refreshed(&lab);
}

/// Masked once and kept, production is no longer asked: other teams get another realm, and less of it.
#[test]
fn an_artefact_is_a_source_of_its_own_with_another_realm_and_a_subset() {
    let lab = Lab::new("again");
    lab.seed(
        "CREATE TABLE people (id int PRIMARY KEY, email text UNIQUE);
         CREATE TABLE orders (id int PRIMARY KEY, person_id int NOT NULL REFERENCES people, note text);
         INSERT INTO people SELECT n, 'person' || n || '@corp.example' FROM generate_series(1, 200) n;
         INSERT INTO orders SELECT n, n % 200 + 1, 'parcel' FROM generate_series(1, 1000) n;",
    );
    let policy = "[tables.\"public.people\".columns]\nid = \"keep\"\nemail = \"email\"\n\
                  [tables.\"public.orders\".columns]\nid = \"keep\"\nperson_id = \"keep\"\nnote = \"keep\"\n";
    lab.target.sql("postgres", "CREATE ROLE again_reader LOGIN");
    // A database that only holds what is kept.
    let base = format!("{}_base", lab.name);
    let config = |file: &str, source: &str, target: &str, realm: &str, rest: &str| {
        let url = lab.target.url("restage", target);
        let text = format!(
            "version = 1\n[source]\nurl = \"{source}\"\n[target]\nurl = \"{url}\"\nconfirm = \"{target}\"\n\
             allow_same_cluster = true\nallow_prod_name = true\n[key]\nfile = \"{KEY}\"\nrealm = \"{realm}\"\n{policy}{rest}"
        );
        fs::write(lab.path(file), text).expect("write");
    };
    config("base.toml", &lab.source.url("reader", &lab.name), &base, "base", "");
    run(&lab, &["--config", "base.toml", "snapshot", "--out", "snap"]);
    run(&lab, &["--config", "base.toml", "init-target", "--yes"]);
    run(&lab, &["--config", "base.toml", "load", "snap"]);
    lab.source.sql("postgres", &format!("DROP DATABASE \"{}\"", lab.name));
    let grant =
        "GRANT USAGE ON SCHEMA public TO again_reader; GRANT SELECT ON ALL TABLES IN SCHEMA public TO again_reader";
    lab.target.sql(&base, grant);
    let tenth = "[subset]\nseed = [{ table = \"public.people\", percent = 10 }]\n";
    config("team.toml", &lab.target.url("again_reader", &base), &lab.name, "test", tenth);
    run(&lab, &["--config", "team.toml", "refresh", "--yes"]);
    let people: usize = lab.staging("SELECT count(*) FROM people").parse().expect("a number");
    assert!((5..50).contains(&people), "{people}");
    assert_eq!(
        lab.staging("SELECT count(*) FROM orders o LEFT JOIN people p ON p.id = person_id WHERE p.id IS NULL"),
        "0"
    );
    assert_eq!(lab.staging("SELECT count(*) FROM orders"), (people * 5).to_string());
    let emails = |database: &str, ids: &str| {
        lab.target.sql(database, &format!("SELECT email FROM people WHERE id IN ({ids}) ORDER BY id"))
    };
    let ids = lab.staging("SELECT string_agg(id::text, ',') FROM people");
    let (once, twice) = (emails(&base, &ids), emails(&lab.name, &ids));
    assert!(once.lines().zip(twice.lines()).all(|(once, twice)| once != twice), "{once}\n{twice}");
}

/// What pyarrow and DuckDB say of a snapshot; none if they are not there.
fn read_by_others(folder: &Path) -> Option<String> {
    const NOT_INSTALLED: i32 = 3;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for python in [root.join("target/venv/bin/python"), "python3".into()] {
        let mut command = std::process::Command::new(python);
        let Ok(output) = command.arg(root.join("scripts/parquet.py")).arg(folder).output() else { continue };
        if output.status.code() == Some(NOT_INSTALLED) {
            continue;
        }
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
        return Some(told);
    }
    use std::io::Write as _;
    writeln!(std::io::stderr(), "left out: no python3 with pyarrow and duckdb; scripts/test installs them")
        .expect("told");
    None
}

#[test]
fn pyarrow_and_duckdb_read_the_types_and_counts_of_a_snapshot() {
    let lab = identity::lab("files_readers_types");
    seed_file(&lab, "tests/identity/types.sql", &[]);
    lab.config(KEEP_ALL);
    run(&lab, &["snapshot", "--out", "snap"]);
    if let Some(told) = read_by_others(&lab.path("snap")) {
        assert!(
            told.contains("t.numbers\ti8\tbigint\tint64\tBIGINT\t3\t-9223372036854775808\t9223372036854775807"),
            "{told}"
        );
    }
    let lab = identity::lab("files_readers_shop");
    seed_file(&lab, "samples/shop/schema.sql", &[]);
    seed_file(&lab, "samples/shop/data.sql", &[("scale", "0.01")]);
    lab.config(KEEP_ALL);
    run(&lab, &["snapshot", "--out", "snap"]);
    let Some(told) = read_by_others(&lab.path("snap")) else { return };
    let rows: Vec<Vec<&str>> = told.lines().map(|line| line.split('\t').collect()).collect();
    assert!(rows.len() > 300, "{}", rows.len());
    // Counts, least and greatest as the source sees them, for types that print alike on both sides.
    let mut compared = 0;
    for row in &rows {
        let (table, column, r#type) = (row[0], row[1], row[2]);
        let (schema, name) = table.split_once('.').expect("schema and table");
        if !["integer", "bigint", "smallint", "numeric(12,2)", "uuid"].contains(&r#type) {
            continue;
        }
        let least = if r#type == "uuid" { "NULL, NULL" } else { "min(c), max(c)" };
        let seen = lab.production(&format!(
            "SELECT count(c), {least} FROM (SELECT \"{column}\" AS c FROM ONLY \"{schema}\".\"{name}\") t"
        ));
        let seen: Vec<&str> = seen.split('|').collect();
        assert_eq!(row[5], seen[0], "{table}.{column}");
        if r#type != "uuid" && seen[0] != "0" {
            assert_eq!((row[6], row[7]), (seen[1], seen[2]), "{table}.{column}");
        }
        compared += 1;
    }
    assert!(compared > 90, "{compared}");
}

/// A small database with what a damaged copy may lose.
fn small(lab: &Lab<'_>) {
    lab.seed(
        "CREATE TABLE team (id serial PRIMARY KEY, name text);
         CREATE TABLE player (id int PRIMARY KEY, team int REFERENCES team, since date, mail text UNIQUE, n numeric(6, 2));
         CREATE TABLE nothing ();
         INSERT INTO nothing DEFAULT VALUES; INSERT INTO nothing DEFAULT VALUES;
         INSERT INTO team (name) SELECT 'Team ' || i FROM generate_series(1, 20) i;
         INSERT INTO player SELECT i, 1 + i % 20, CASE i WHEN 7 THEN 'infinity' ELSE date '2026-01-01' + i END, 'p' || i || '@corp.test',
           CASE i WHEN 9 THEN 'NaN' ELSE i / 4.0 END FROM generate_series(1, 200) i;",
    );
    lab.config(
        "[tables.\"public.*\"]\ndefault = { keep = \"a test\" }\n[tables.\"public.player\"]\ndefault = { keep = \"a test\" }\n\
         [tables.\"public.player\".columns]\nmail = \"email\"\n",
    );
}

#[test]
fn a_snapshot_that_was_touched_is_refused_before_anything_is_written() {
    let lab = Lab::new("files_damaged");
    small(&lab);
    run(&lab, &["snapshot", "--out", "snap"]);
    let whole = files(&lab.path("snap"));
    assert!(whole.len() >= 6, "{:?}", whole.keys());
    let copy = lab.path("copy");
    let put = |name: &str, content: &[u8]| {
        let path = copy.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("mkdir");
        fs::write(path, content).expect("write");
    };
    let fresh = || {
        let _ = fs::remove_dir_all(&copy);
        whole.iter().for_each(|(name, content)| put(name, content));
    };
    let databases = lab.databases();
    let refused = |what: &str, code: &str| {
        let ran = lab.restage(&["load", "copy"]);
        assert_eq!(ran.code, 4, "{what}: {ran:?}");
        assert!(ran.stderr.contains(code), "{what}: {}", ran.stderr);
        assert!(ran.stderr.contains("Nothing was written to the target."), "{what}: {}", ran.stderr);
        assert_eq!(lab.databases(), databases, "{what}");
    };
    for (name, content) in &whole {
        fresh();
        let mut flipped = content.clone();
        flipped[content.len() / 2] ^= 1;
        put(name, &flipped);
        refused(&format!("a bit of {name}"), "artefact::damaged");
        fresh();
        put(name, &content[..content.len() - 1]);
        refused(&format!("the end of {name}"), "artefact::damaged");
        fresh();
        fs::remove_file(copy.join(name)).expect("it is there");
        refused(
            &format!("{name} missing"),
            if name == "manifest.json" { "artefact::none" } else { "artefact::damaged" },
        );
    }
    fresh();
    put("tables/more.parquet", b"PAR1");
    refused("one file more", "is not in the manifest");
    fresh();
    fs::create_dir_all(copy.join("tables/more/of")).expect("mkdir");
    refused("one folder more", "tables/more/of/ is an empty folder, and not in the manifest");
    fresh();
    fs::remove_file(copy.join("schema.json")).expect("it is there");
    std::os::unix::fs::symlink(lab.path("snap/schema.json"), copy.join("schema.json")).expect("link");
    refused("a link", "is no ordinary file");
    let _ = fs::remove_dir_all(&copy);
    refused("no folder", "artefact::none");

    // Whole, but made for something else.
    fresh();
    let text = fs::read_to_string(lab.path("restage.toml")).expect("config");
    fs::write(lab.path("restage.toml"), text.replace("realm = \"test\"", "realm = \"other\"")).expect("write");
    refused("another realm", "artefact::foreign");
    let other = text.replace(&format!("/{}?host", lab.name), "/somewhere?host");
    let other = other.replacen("/somewhere?host", &format!("/{}_else?host", lab.name), 1);
    fs::write(lab.path("restage.toml"), other.replacen("/somewhere?host", &format!("/{}?host", lab.name), 1))
        .expect("write");
    refused("another database", "artefact::foreign");
    fs::write(lab.path("restage.toml"), text).expect("write");
    run(&lab, &["load", "copy"]);
    assert_eq!(lab.staging("SELECT count(*), count(mail), count(n) FROM player"), "200|200|200");
    assert_eq!(
        lab.staging("SELECT (SELECT since FROM player WHERE id = 7), (SELECT n FROM player WHERE id = 9)"),
        "infinity|NaN"
    );
    assert_eq!(lab.staging("SELECT count(*) FROM nothing"), "2");
}

#[test]
fn a_run_that_is_killed_leaves_nothing_that_looks_finished() {
    let lab = Lab::new("files_killed");
    lab.seed("CREATE TABLE big AS SELECT i AS id, repeat(md5(i::text), 20) AS t FROM generate_series(1, 40000) i");
    let slow = |rate: &str| lab.config_with(rate, "", "[tables.\"public.*\"]\ndefault = \"keep\"\n");
    for args in [&["snapshot", "--out", "out"][..], &["fixture", "--out", "out", "--rows", "all"]] {
        slow("rate_max = \"2MiB/s\"");
        let mut running = Running::start(&lab, args);
        running.until("files are written", || lab.path("out.partial").exists());
        std::thread::sleep(std::time::Duration::from_millis(300));
        let beside = lab.restage(args);
        assert_eq!(beside.code, 7, "two runs to one place: {beside:?}");
        running.signal("KILL");
        running.wait();
        assert!(lab.path("out.partial").exists() && !lab.path("out").exists());
        let ran = lab.restage(&["load", "out.partial"]);
        assert!(ran.code == 4 && ran.stderr.contains("artefact::unfinished"), "{ran:?}");
        slow("");
        run(&lab, args);
        assert!(lab.path("out").exists() && !lab.path("out.partial").exists());
        fs::remove_dir_all(lab.path("out")).expect("it is there");
    }
    // An interrupt leaves nothing at all.
    slow("rate_max = \"2MiB/s\"");
    let mut running = Running::start(&lab, &["snapshot", "--out", "out"]);
    running.until("files are written", || lab.path("out.partial").exists());
    running.signal("INT");
    let ran = running.wait();
    assert_eq!(ran.code, 130, "{ran:?}");
    assert!(!lab.path("out.partial").exists() && !lab.path("out").exists());
    // What restage did not make is not removed.
    fs::create_dir(lab.path("out.partial")).expect("mkdir");
    fs::write(lab.path("out.partial/mine"), "mine").expect("write");
    let ran = lab.restage(&["snapshot", "--out", "out"]);
    assert!(ran.code == 2 && lab.path("out.partial/mine").exists(), "{ran:?}");
}

/// All values of a Parquet file as text.
fn parquet_text(path: &Path) -> String {
    let file = fs::File::open(path).expect("a file");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet").build().expect("Parquet");
    let mut text = String::new();
    for batch in reader {
        for column in batch.expect("a batch").columns() {
            match column.data_type().to_string().as_str() {
                "Utf8" => {
                    let texts = column.as_any().downcast_ref::<arrow_array::StringArray>().expect("texts");
                    texts.iter().flatten().for_each(|value| writeln!(text, "{value}").expect("written"));
                }
                "Binary" => {
                    let bytes = column.as_any().downcast_ref::<arrow_array::BinaryArray>().expect("bytes");
                    bytes.iter().flatten().for_each(|value| {
                        writeln!(text, "{}", String::from_utf8_lossy(value)).expect("written");
                    });
                }
                _ => {
                    for row in 0..column.len() {
                        writeln!(text, "{:?}", column.slice(row, 1)).expect("written");
                    }
                }
            }
        }
    }
    text
}

/// What is in the files of a folder, and what its files are called.
fn said(folder: &Path) -> String {
    let mut text = String::new();
    for (name, content) in files(folder) {
        writeln!(text, "{name}").expect("written");
        if name.ends_with(".parquet") {
            text.push_str(&parquet_text(&folder.join(name)));
        } else {
            text.push_str(&String::from_utf8_lossy(&content));
        }
    }
    text
}

const FORMS: [&[&str]; 4] = [
    &["snapshot", "--out", "out"],
    &["fixture", "--out", "out", "--rows", "all", "--format", "sql"],
    &["fixture", "--out", "out", "--rows", "all", "--format", "csv"],
    &["fixture", "--out", "out", "--rows", "all", "--format", "parquet"],
];

#[test]
fn no_canary_is_in_any_file_log_or_answer() {
    let lab = Lab::new("files_canary");
    lab.seed(BIRDS);
    beside(&lab);
    lab.config(BIRD_POLICY);
    for form in FORMS {
        let output = lab
            .command(&[form, &["-vv", "--json", "--log-format", "json"]].concat())
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "full")
            .output()
            .expect("restage runs");
        let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        assert!(found_in(&told).is_empty(), "{form:?}: {:?}", found_in(&told));
        let text = said(&lab.path("out"));
        assert!(text.contains("bird") && text.len() > 100_000, "{form:?}: the rows are there: {}", text.len());
        assert!(found_in(&text).is_empty(), "{form:?}: {:?}", found_in(&text));
        fs::remove_dir_all(lab.path("out")).expect("it is there");
    }
}

#[test]
fn unmasked_twin_shows_the_canaries_in_every_form() {
    let lab = Lab::new("files_canary_twin");
    lab.seed(BIRDS);
    lab.config("[policy]\nddl_literals = \"accept\"\n[tables.\"public.*\"]\ndefault = { keep = \"a test\" }\n");
    for form in FORMS {
        run(&lab, form);
        let text = said(&lab.path("out"));
        for canary in ["qzkanari", "vogelzqang", "536-71-8294", "312 867 5318", "4539 5787 6362 1486", "88442211.17"] {
            assert!(CANARIES.contains(&canary) && found_in(&text).contains(&canary), "{form:?}: {canary}");
        }
        fs::remove_dir_all(lab.path("out")).expect("it is there");
    }
}

/// Runs a script into a new, empty database of the target.
#[track_caller]
fn load_script(lab: &Lab<'_>, name: &str, folder: &Path, file: &str) {
    lab.target.sql("postgres", &format!("CREATE DATABASE \"{name}\" TEMPLATE template0"));
    let output = lab
        .target
        .client("psql", "postgres", name)
        .current_dir(folder)
        .args(["-X", "-q", "-f", file])
        .output()
        .expect("psql");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && output.stdout.is_empty(), "{told}\n{}", String::from_utf8_lossy(&output.stdout));
}

/// A dump without what fixtures leave out on purpose: grants, and where sequences stand.
#[track_caller]
fn plain_dump(lab: &Lab<'_>, name: &str) -> String {
    let output = lab
        .target
        .client("pg_dump", "postgres", name)
        .args(["--exclude-schema=restage", "--no-privileges", "--no-owner"])
        .output()
        .expect("pg_dump");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = crate::support::normalize_dump(&String::from_utf8_lossy(&output.stdout));
    text.lines().filter(|line| !line.contains("pg_catalog.setval(")).collect::<Vec<_>>().join("\n")
}

#[test]
fn fixtures_of_the_shop_load_into_an_empty_database_with_everything_in_it() {
    let lab = identity::lab("files_fixture_shop");
    seed_file(&lab, "samples/shop/schema.sql", &[]);
    seed_file(&lab, "samples/shop/data.sql", &[("scale", "0.01")]);
    lab.config(KEEP_ALL);
    lab.refresh();
    let refreshed = plain_dump(&lab, &lab.name);
    for (form, script) in [("sql", "fixture.sql"), ("csv", "load.sql")] {
        run(&lab, &["fixture", "--out", form, "--rows", "all", "--format", form]);
        let text = fs::read_to_string(lab.path(form).join(script)).expect("a script");
        let head = text.lines().next().expect("a line");
        assert!(head.ends_with(&format!("in the folder of this file: psql -X -f {script}")), "{head}");
        let name = format!("{}_{form}", lab.name);
        load_script(&lab, &name, &lab.path(form), script);
        assert_same(&plain_dump(&lab, &name), &refreshed);
        // The next value of every sequence is new.
        let next = "INSERT INTO tenants (name, slug) SELECT 'n', 'n-' || i FROM generate_series(1, 3) i";
        let _ = lab.target.try_sql("postgres", &name, next);
        lab.target.sql("postgres", &format!("DROP DATABASE \"{name}\""));
    }
}

#[test]
fn fixtures_of_every_type_and_object_load_into_an_empty_database() {
    for (name, file) in [("files_fixture_types", "types"), ("files_fixture_objects", "objects")] {
        let lab = identity::lab(name);
        seed_file(&lab, &format!("tests/identity/{file}.sql"), &[]);
        lab.config(KEEP_ALL);
        lab.refresh();
        if file == "objects" {
            // For a role, and a fixture knows none; and by which index production sorted its file is nobody's business.
            lab.staging("DROP POLICY \"P Reader\" ON o.child; ALTER TABLE o.parent SET WITHOUT CLUSTER");
        }
        let refreshed = plain_dump(&lab, &lab.name);
        for (form, script) in [("sql", "fixture.sql"), ("csv", "load.sql")] {
            run(&lab, &["fixture", "--out", form, "--rows", "all", "--format", form]);
            let copy = format!("{}_{form}", lab.name);
            load_script(&lab, &copy, &lab.path(form), script);
            assert_same(&plain_dump(&lab, &copy), &refreshed);
            lab.target.sql("postgres", &format!("DROP DATABASE \"{copy}\""));
        }
    }
}

#[test]
fn fixtures_load_with_texts_and_names_that_a_line_of_psql_cannot_hold() {
    let lab = Lab::new("files_lines");
    lab.seed(
        "CREATE TABLE mail (id int PRIMARY KEY, body text);
         INSERT INTO mail VALUES (1, E'a\\n\\\\.\\nb'), (2, E'a\\n\\\\.\\r\\nb'), (3, E'\\\\.'), (4, E'\\\\.\\n\\\\.');
         CREATE TABLE odd (id int PRIMARY KEY, \"two\nlines\" text);
         INSERT INTO odd VALUES (1, 'x');
         CREATE TABLE plain (id int PRIMARY KEY);
         INSERT INTO plain VALUES (1);",
    );
    lab.config(KEEP_ALL);
    let all = "SELECT string_agg(id || ' ' || encode(convert_to(body, 'UTF8'), 'hex'), ',' ORDER BY id) FROM mail";
    let production = lab.production(all);
    for (form, script) in [("sql", "fixture.sql"), ("csv", "load.sql")] {
        run(&lab, &["fixture", "--out", form, "--rows", "all", "--format", form]);
        let name = format!("{}_{form}", lab.name);
        load_script(&lab, &name, &lab.path(form), script);
        assert_eq!(lab.target.sql(&name, all), production, "{form}");
        assert_eq!(lab.target.sql(&name, "SELECT count(*) FROM odd JOIN plain USING (id)"), "1", "{form}");
        lab.target.sql("postgres", &format!("DROP DATABASE \"{name}\""));
    }
    // The files are whole all the same, and whatever psql can load it loads from them.
    assert!(fs::read_to_string(lab.path("csv/tables/public.mail.csv")).expect("rows").contains("\n\\.\n"));
    let script = fs::read_to_string(lab.path("csv/load.sql")).expect("a script");
    assert!(script.contains("FROM 'tables/public.plain.csv'") && !script.contains("public.mail.csv"), "{script}");
}

/// People and what belongs to them: a masked key, a table without one, a limit, a partition.
fn town(lab: &Lab<'_>) {
    lab.seed(
        "CREATE TABLE town (mail text PRIMARY KEY, age int, note text);
         CREATE TABLE visit (at timestamptz, who text REFERENCES town, what text);
         CREATE TABLE log (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
         CREATE TABLE log_old PARTITION OF log FOR VALUES FROM ('2020-01-01') TO ('2026-01-01');
         CREATE TABLE log_new PARTITION OF log FOR VALUES FROM ('2026-01-01') TO ('2030-01-01');
         CREATE TABLE heap (v text);
         INSERT INTO town SELECT 'person' || i || '@corp.test', i % 90, 'note ' || i FROM generate_series(1, 3000) i;
         INSERT INTO visit SELECT '2026-01-01'::timestamptz + i * interval '1 hour', 'person' || 1 + i % 3000 || '@corp.test', 'visit ' || i % 50 FROM generate_series(1, 5000) i;
         INSERT INTO log SELECT i, date '2024-01-01' + i FROM generate_series(1, 1200) i;
         INSERT INTO heap SELECT md5(i::text) FROM generate_series(1, 500) i;",
    );
}

const TOWN: &str = "[tables.\"public.*\"]\ndefault = { keep = \"a test\" }\n\
    [tables.\"public.town\"]\ndefault = { keep = \"a test\" }\n[tables.\"public.town\".columns]\nmail = \"email\"\n\
    [tables.\"public.log\"]\ndefault = { keep = \"a test\" }\nrows = { limit = 40 }\n\
    [tables.\"public.heap\"]\ndefault = { keep = \"a test\" }\nrows = { where = \"v > '3'\", limit = 30 }\n";

#[test]
fn fixtures_are_the_same_bytes_whatever_threads_and_heap() {
    let lab = Lab::new("files_same");
    town(&lab);
    for form in ["sql", "csv", "parquet"] {
        let make = |out: &str, threads: &str, source: &str, memory: &str| {
            lab.config_with(source, "", TOWN);
            let args = ["fixture", "--out", out, "--rows", "all", "--format", form, "--memory", memory];
            let output = lab.command(&args).env("RAYON_NUM_THREADS", threads).output().expect("restage runs");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            files(&lab.path(out))
        };
        let one = make("one", "1", "workers = 1", "64MiB");
        lab.source.sql(
            &lab.name,
            "UPDATE town SET age = age; DELETE FROM log WHERE false; UPDATE heap SET v = v WHERE v < '8'; VACUUM FULL;
             CLUSTER town USING town_pkey; CLUSTER log_old USING log_old_pkey",
        );
        let many = make("many", "16", "workers = 16", "512MiB");
        assert!(one.keys().eq(many.keys()), "{form}: {:?} {:?}", one.keys(), many.keys());
        for (name, content) in &one {
            assert!(*content == many[name], "{form}: {name} differs");
        }
        let text = said(&lab.path("one"));
        for private in [lab.name.as_str(), "0/", "corp.test", "t3ster", env!("CARGO_PKG_VERSION")] {
            assert!(form == "parquet" && private == "0/" || !text.contains(private), "{form}: {private}");
        }
    }
}

#[test]
fn one_changed_row_changes_only_its_lines() {
    let lab = Lab::new("files_one_row");
    town(&lab);
    lab.config(TOWN);
    for (form, file) in [("sql", "fixture.sql"), ("csv", "tables/public.town.csv")] {
        run(&lab, &["fixture", "--out", "fix", "--rows", "all", "--format", form]);
        let before = files(&lab.path("fix"));
        lab.source.sql(&lab.name, "UPDATE town SET note = note || ' changed' WHERE mail = 'person77@corp.test'");
        run(&lab, &["fixture", "--out", "fix", "--rows", "all", "--format", form]);
        let after = files(&lab.path("fix"));
        let changed: Vec<&String> = after.keys().filter(|name| before.get(*name) != after.get(*name)).collect();
        assert!(changed.len() == 3 && changed.contains(&&file.to_owned()), "{form}: {changed:?}");
        let lines = |files: &BTreeMap<String, Vec<u8>>| -> Vec<String> {
            String::from_utf8_lossy(&files[file]).lines().map(str::to_owned).collect()
        };
        let (before, after) = (lines(&before), lines(&after));
        assert_eq!(before.len(), after.len());
        let differ: Vec<(&String, &String)> = before.iter().zip(&after).filter(|(a, b)| a != b).collect();
        assert!(matches!(differ.as_slice(), [(_, after)] if after.contains("changed")), "{form}: {differ:?}");
        lab.source.sql(&lab.name, "UPDATE town SET note = replace(note, ' changed', '')");
        fs::remove_dir_all(lab.path("fix")).expect("it is there");
    }
}

#[test]
fn fixtures_replace_fixtures_and_nothing_else() {
    let lab = Lab::new("files_replace");
    small(&lab);
    fs::create_dir(lab.path("fix")).expect("mkdir");
    run(&lab, &["fixture", "--out", "fix"]);
    run(&lab, &["fixture", "--out", "fix", "--format", "csv"]);
    assert!(lab.path("fix/load.sql").exists() && !lab.path("fix/fixture.sql").exists());
    fs::write(lab.path("fix/mine.txt"), "mine").expect("write");
    let ran = lab.restage(&["fixture", "--out", "fix"]);
    assert!(ran.code == 2 && ran.stderr.contains("mine.txt"), "{ran:?}");
    assert!(lab.path("fix/mine.txt").exists() && lab.path("fix/load.sql").exists());
    run(&lab, &["snapshot", "--out", "snap"]);
    let ran = lab.restage(&["fixture", "--out", "snap"]);
    assert!(ran.code == 2 && ran.stderr.contains("holds a snapshot"), "{ran:?}");
    let ran = lab.restage(&["load", "fix"]);
    assert!(ran.code == 4, "{ran:?}");
}

#[test]
fn fixture_check_tells_what_no_longer_matches_without_rows() {
    let lab = Lab::new("files_check");
    small(&lab);
    let policy = fs::read_to_string(lab.path("restage.toml")).expect("config");
    run(&lab, &["fixture", "--out", "fix"]);
    let check = || lab.restage(&["fixture", "--out", "fix", "--check"]);
    let ran = check();
    assert!(ran.code == 0 && ran.stdout.contains("matches"), "{ran:?}");
    // CI has a database that migrations made, and no rows.
    lab.source.sql(&lab.name, "TRUNCATE player, team, nothing");
    assert_eq!(check().code, 0);

    lab.source.sql_as(
        "app",
        &lab.name,
        "ALTER TABLE player ADD COLUMN nick text; CREATE INDEX player_since ON player (since)",
    );
    let ran = check();
    assert_eq!(ran.code, 6, "{ran:?}");
    for told in ["TABLE public.player: its definition changed", "INDEX public.player_since: is new", "2 differences"] {
        assert!(ran.stdout.contains(told), "{told}: {}", ran.stdout);
    }
    lab.source.sql_as("app", &lab.name, "ALTER TABLE player DROP COLUMN nick; DROP INDEX player_since");
    assert_eq!(check().code, 0);

    fs::write(lab.path("restage.toml"), policy.replace("mail = \"email\"", "mail = \"pattern\"")).expect("write");
    let ran = check();
    assert!(ran.code == 6 && ran.stdout.contains("public.player.mail: was email/1, is pattern/1"), "{ran:?}");
    fs::write(lab.path("restage.toml"), policy.replace("realm = \"test\"", "realm = \"ci\"")).expect("write");
    let ran = check();
    assert!(ran.code == 6 && ran.stdout.contains("realm: was test, is ci"), "{ran:?}");
    fs::write(lab.path("restage.toml"), &policy).expect("write");

    let path: PathBuf = lab.path("fix/fixture.sql");
    let text = fs::read_to_string(&path).expect("fixture");
    fs::write(&path, text.replacen("Team 3", "Team 4", 1)).expect("write");
    let ran = check();
    assert!(ran.code == 6 && ran.stdout.contains("fixture.sql was changed"), "{ran:?}");
    let json = lab.restage(&["fixture", "--out", "fix", "--check", "--json"]);
    assert!(json.code == 6 && json.stdout.contains("\"differences\""), "{json:?}");
}

#[test]
fn fixture_check_tells_the_whole_command_that_makes_the_fixtures_anew() {
    let lab = Lab::new("files_command");
    small(&lab);
    let scenario = "[scenario.team]\nparams = [\"id\"]\nseed = [{ table = \"public.team\", where = \"id = :id\" }]\n";
    let policy = fs::read_to_string(lab.path("restage.toml")).expect("config");
    fs::write(lab.path("it's mine.toml"), format!("{policy}{scenario}")).expect("write");
    let of = |rest: &[&str]| {
        let base = ["-c", "it's mine.toml", "fixture", "--out", "my fix", "--scenario", "team", "--set", "id=7"];
        [&base[..], rest].concat().into_iter().map(str::to_owned).collect::<Vec<String>>()
    };
    let restage = |args: &[String]| lab.restage(&args.iter().map(String::as_str).collect::<Vec<_>>());
    let command = r"restage -c 'it'\''s mine.toml' fixture --out 'my fix' --format csv --scenario team --set id=7";
    // No fixtures yet: how they are made, and not how a snapshot is.
    let ran = restage(&of(&["--format", "csv", "--check"]));
    assert!(ran.code == 4 && ran.stderr.contains("artefact::none"), "{ran:?}");
    assert!(ran.stderr.contains(command) && !ran.stderr.contains("snapshot"), "{}", ran.stderr);
    let made = restage(&of(&["--format", "csv"]));
    assert_eq!(made.code, 0, "{made:?}");
    assert!(made.stdout.contains("cd 'my fix' && psql -X -f load.sql EMPTY_DATABASE"), "{}", made.stdout);
    assert_eq!(restage(&of(&["--format", "csv", "--check"])).code, 0);
    assert_eq!(restage(&of(&["--check"])).code, 0, "the form they have is right where none is asked for");
    // Another form is no match, and the command is the one that was meant.
    let ran = restage(&of(&["--format", "sql", "--check"]));
    assert!(ran.code == 6 && ran.stdout.contains("format: is csv, sql is asked for"), "{ran:?}");
    assert!(ran.stdout.contains(&command.replace("csv", "sql")), "{}", ran.stdout);

    // The command as it is told, run by a shell, makes the same fixtures of what is there now.
    lab.source.sql_as("app", &lab.name, "CREATE INDEX player_since ON player (since)");
    let ran = restage(&of(&["--check"]));
    assert!(ran.code == 6 && ran.stdout.contains(command), "{ran:?}");
    let json = restage(&of(&["--check", "--json"]));
    let json: serde_json::Value = serde_json::from_str(&json.stdout).expect("a document");
    let next = json["next"].as_str().expect("a command").replacen("restage", env!("CARGO_BIN_EXE_restage"), 1);
    let shell = std::process::Command::new("sh").current_dir(lab.path(".")).args(["-c", &next]).output().expect("sh");
    assert!(shell.status.success(), "{next}: {}", String::from_utf8_lossy(&shell.stderr));
    assert_eq!(restage(&of(&["--check"])).code, 0);
    let rows = fs::read_to_string(lab.path("my fix/tables/public.team.csv")).expect("rows");
    assert_eq!(rows.lines().count(), 2, "a head, and the team of the scenario: {rows}");

    run(&lab, &["fixture", "--out", "plain", "--rows", "5"]);
    lab.source.sql_as("app", &lab.name, "DROP INDEX player_since");
    let ran = lab.restage(&["fixture", "--out", "plain", "--rows", "5", "--check"]);
    assert!(ran.code == 6 && ran.stdout.contains("restage fixture --out plain --rows 5"), "{ran:?}");
    assert!(!ran.stdout.contains("--format"), "{}", ran.stdout);
}

#[test]
fn a_database_without_rows_gives_a_fixture_with_definitions_only() {
    let lab = Lab::new("files_no_rows");
    small(&lab);
    lab.source.sql(&lab.name, "TRUNCATE player, team, nothing");
    for (form, script) in [("sql", "fixture.sql"), ("csv", "load.sql"), ("parquet", "schema.sql")] {
        run(&lab, &["fixture", "--out", form, "--format", form]);
        run(&lab, &["fixture", "--out", form, "--format", form, "--check"]);
        if form != "parquet" {
            let copy = format!("{}_{form}", lab.name);
            load_script(&lab, &copy, &lab.path(form), script);
            assert_eq!(lab.target.sql(&copy, "SELECT count(*) FROM player"), "0");
            lab.target.sql("postgres", &format!("DROP DATABASE \"{copy}\""));
        }
    }
    run(&lab, &["fixture", "--out", "three", "--rows", "3"]);
    // Twin: seeds that somebody wrote have to find something, and the place is theirs.
    let policy = fs::read_to_string(lab.path("restage.toml")).expect("config");
    let seed = "[subset]\nseed = [{ table = \"public.team\" }]\n";
    fs::write(lab.path("restage.toml"), format!("{policy}{seed}")).expect("write");
    let ran = lab.restage(&["fixture", "--out", "sql"]);
    assert!(ran.code == 3 && ran.stderr.contains("error[plan::subset-empty]"), "{ran:?}");
    assert!(ran.stderr.contains("restage.toml:") && !ran.stderr.contains(":0:0"), "{}", ran.stderr);
}

#[test]
fn a_combination_that_is_none_is_told_once_and_at_its_place() {
    let lab = Lab::new("files_tuples");
    small(&lab);
    let policy = fs::read_to_string(lab.path("restage.toml")).expect("config");
    fs::write(
        lab.path("restage.toml"),
        format!("{policy}[fixture]\ntuples = [\"public.player.nobody, public.player.team\"]\n"),
    )
    .expect("write");
    let ran = lab.restage(&["fixture", "--out", "fix"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert_eq!(ran.stderr.matches("error[").count(), 1, "{}", ran.stderr);
    let line = policy.lines().count() + 1;
    assert!(
        ran.stderr.contains(&format!("restage.toml:{line}:")) && !ran.stderr.contains("[subset]"),
        "{}",
        ran.stderr
    );
}

#[test]
fn fixtures_need_no_target_and_take_a_test_key() {
    let lab = Lab::new("files_no_target");
    small(&lab);
    let text = fs::read_to_string(lab.path("restage.toml")).expect("config");
    let (head, rest) = text.split_once("[target]").expect("a target");
    let (_, rest) = rest.split_once("[key]").expect("a key");
    fs::write(lab.path("restage.toml"), format!("{head}[key]{rest}")).expect("write");
    run(&lab, &["fixture", "--out", "fix"]);
    run(&lab, &["snapshot", "--out", "snap"]);
    let ran = lab.restage(&["load", "snap"]);
    assert!(ran.code == 2 && ran.stderr.contains("has no [target]"), "{ran:?}");
    // Another key gives other pseudonyms.
    run(&lab, &["key", "new", "--out", "ci.key"]);
    run(&lab, &["fixture", "--out", "ci", "--key-file", "ci.key"]);
    let (ours, theirs) = (files(&lab.path("fix")), files(&lab.path("ci")));
    assert!(ours["fixture.sql"] != theirs["fixture.sql"]);
}

/// Definitions that a server prints as the session wants its values: a zone, forms of dates, of intervals and of bytes.
const MOMENTS: &str = "
    CREATE TABLE moment (id int PRIMARY KEY, at timestamptz DEFAULT '2024-01-01 00:00:00+00', day date DEFAULT '2024-02-03',
      span interval DEFAULT '1 day 02:03', raw bytea DEFAULT '\\x00ff', CHECK (at > '2000-06-01 12:00:00+00'));
    CREATE TABLE span (at timestamptz NOT NULL, v int) PARTITION BY RANGE (at);
    CREATE TABLE span_old PARTITION OF span FOR VALUES FROM ('2020-01-01 00:00:00+00') TO ('2024-01-01 00:00:00+00');
    CREATE TABLE span_new PARTITION OF span FOR VALUES FROM ('2024-01-01 00:00:00+00') TO ('2030-01-01 00:00:00+00');
    CREATE VIEW recent AS SELECT * FROM moment WHERE at >= '2025-06-01 00:00:00+00'::timestamptz;
    INSERT INTO moment (id) VALUES (1), (2); INSERT INTO span VALUES ('2023-12-31 23:30:00+00', 1), ('2024-01-01 00:30:00+00', 2);";

#[test]
fn definitions_are_the_same_bytes_whatever_zone_and_forms_the_source_is_set_to() {
    let lab = Lab::new("files_zone");
    lab.seed(MOMENTS);
    lab.config(KEEP_ALL);
    let make = |out: &str| {
        let mut made = BTreeMap::new();
        for form in ["sql", "csv", "parquet"] {
            let folder = format!("{out}_{form}");
            run(&lab, &["fixture", "--out", &folder, "--format", form]);
            made.extend(files(&lab.path(&folder)).into_iter().map(|(name, bytes)| (format!("{form}/{name}"), bytes)));
        }
        made
    };
    // The names and digests of a snapshot's definitions: the rest of its manifest says when it was taken.
    let definitions = |out: &str| {
        run(&lab, &["snapshot", "--out", out]);
        let manifest = fs::read(lab.path(out).join("manifest.json")).expect("a manifest");
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("a document");
        manifest["definitions"].clone()
    };
    let printed = "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef ORDER BY adrelid, adnum";
    let as_reader = || lab.source.sql_as("reader", &lab.name, printed);
    let (told, plain, taken) = (as_reader(), make("plain"), definitions("snap"));
    lab.refresh();
    let staged = lab.target.dump(&lab.name);
    for (name, value) in [
        ("TimeZone", "Europe/Berlin"),
        ("DateStyle", "German"),
        ("IntervalStyle", "iso_8601"),
        ("bytea_output", "escape"),
        ("extra_float_digits", "-5"),
    ] {
        let role = format!("ALTER ROLE reader IN DATABASE \"{}\" SET {name} = '{value}'", lab.name);
        lab.source.sql("postgres", &role);
    }
    assert_ne!(as_reader(), told, "the server prints other definitions to a session that does not say how");
    let (set, taken_then) = (make("set"), definitions("snap_set"));
    assert!(plain.keys().eq(set.keys()), "{:?} {:?}", plain.keys(), set.keys());
    for (name, content) in &plain {
        assert!(*content == set[name], "{name} differs");
    }
    assert!(String::from_utf8_lossy(&plain["sql/fixture.sql"]).contains("'2024-01-01 00:00:00+00'"));
    assert_eq!(taken, taken_then);
    run(&lab, &["fixture", "--out", "plain_sql", "--check"]);
    lab.refresh();
    assert_same(&lab.target.dump(&lab.name), &staged);
}
