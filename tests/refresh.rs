//! The main job against real servers.

use crate::identity::KEEP_ALL;
use crate::support::live::{Held, until};
use crate::support::{Cluster, Lab, clusters, run};

const PEOPLE: &str = "
CREATE TABLE people (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL UNIQUE, name text, born date);
INSERT INTO people (email, name, born) SELECT 'user' || i || '@example.com', 'Name ' || i, date '1980-01-01' + i FROM generate_series(1, 500) i;
CREATE TABLE orders (id serial PRIMARY KEY, person bigint NOT NULL REFERENCES people, email text NOT NULL);
INSERT INTO orders (person, email) SELECT 1 + i % 500, 'user' || 1 + i % 500 || '@example.com' FROM generate_series(1, 2000) i;
";

const POLICY: &str = r#"
[tables."public.people".columns]
id = "int"
email = "email"
name = { mask = "name.full", subject = "id" }
born = { mask = "date.shift", subject = "id" }

[tables."public.orders".columns]
id = "keep"
email = "email"
"#;

#[test]
fn masked_copy_keeps_keys_and_joins_and_can_be_rolled_back() {
    let lab = Lab::new("main_job");
    lab.seed(PEOPLE);
    lab.config(POLICY);
    lab.refresh();
    assert_eq!(lab.staging("SELECT count(*), count(DISTINCT email), count(DISTINCT id) FROM people"), "500|500|500");
    assert_eq!(
        lab.staging("SELECT count(*) FROM orders o JOIN people p ON p.id = o.person AND p.email = o.email"),
        "2000"
    );
    assert_eq!(lab.staging("SELECT count(*) FROM people WHERE email LIKE '%@example.com'"), "0");
    assert_eq!(
        lab.databases(),
        std::slice::from_ref(&lab.name),
        "the empty database of init-target is no release to keep"
    );

    lab.source.sql_as("app", &lab.name, "INSERT INTO people (email) VALUES ('late@example.com')");
    lab.refresh();
    assert_eq!(lab.staging("SELECT count(*) FROM people"), "501");
    let back = lab.restage(&["rollback", "--yes"]);
    assert_eq!(back.code, 0, "{back:?}");
    assert_eq!(lab.staging("SELECT count(*) FROM people"), "500");
    let comment = lab.target.sql(
        "postgres",
        &format!("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '{}'", lab.name),
    );
    assert!(comment.starts_with(&format!("masked copy of {} as of ", lab.name)), "{comment}");
}

#[test]
fn run_is_recorded_with_its_time_and_the_user_who_ran_it() {
    let lab = Lab::new("recorded");
    lab.seed(PEOPLE);
    lab.config(POLICY);
    lab.refresh();
    assert_eq!(lab.staging("SELECT started_at < finished_at, os_user FROM restage.run"), "t|t3ster");
    let ran = lab.command(&["refresh"]).env_remove("USER").output().expect("restage runs");
    assert!(ran.status.success(), "{ran:?}");
    let me = std::process::Command::new("id").arg("-un").output().expect("id");
    let me = String::from_utf8_lossy(&me.stdout).trim_end().to_owned();
    assert_eq!(lab.staging("SELECT os_user FROM restage.run"), me);
}

#[test]
fn undecided_column_is_refused_before_a_row_is_read() {
    let lab = Lab::new("undecided");
    lab.seed(PEOPLE);
    lab.config(POLICY);
    lab.source.sql_as("app", &lab.name, "ALTER TABLE people ADD COLUMN phone text");
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("plan::undecided-column") && ran.stderr.contains("phone"), "{}", ran.stderr);
    assert_eq!(lab.databases(), std::slice::from_ref(&lab.name));
}

#[test]
fn a_result_that_cannot_be_written_after_publishing_has_the_code_for_that() {
    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else { return };
    let lab = Lab::new("full_output");
    lab.seed(PEOPLE);
    lab.config(POLICY);
    for (args, code) in [(&["refresh"][..], 8), (&["refresh", "--json"], 8), (&["refresh", "--dry-run"], 1)] {
        let full = full.try_clone().expect("a file");
        let output = lab.command(args).stdout(full).output().expect("restage runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {told}");
        assert!(told.contains("error[internal::output]"), "{told}");
        assert_eq!(told.contains("The new release is live."), code == 8, "{told}");
    }
    assert_eq!(lab.staging("SELECT count(*) FROM people"), "500");
}

#[test]
fn a_database_without_tables_is_refreshed_under_a_rule_for_all_of_them() {
    let lab = Lab::new("no_tables");
    lab.seed("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 7'");
    lab.config(KEEP_ALL);
    lab.refresh();
    assert_eq!(lab.staging("SELECT f(), (SELECT tables FROM restage.run)"), "7|0");
    // A rule for some tables that are not there may be misspelled.
    lab.config("[tables.\"public.*\"]\ndefault = { keep = \"a test\" }\n");
    let ran = lab.restage(&["refresh"]);
    assert!(ran.code == 3 && ran.stderr.contains("plan::unknown-table"), "{ran:?}");
}

#[test]
fn what_the_plan_warns_of_is_told_once_before_the_work_begins() {
    let lab = Lab::new("plan_warns");
    lab.seed(PEOPLE);
    lab.config_with("", "skip_extensions = [\"no_such_thing\"]", POLICY);
    let ran = lab.refresh();
    let lines: Vec<&str> = ran.stderr.lines().collect();
    let told: Vec<usize> = (0..lines.len()).filter(|line| lines[*line].contains("no_such_thing")).collect();
    let snapshot = lines.iter().position(|line| line.contains(" snapshot "));
    assert!(told.len() == 1 && Some(told[0]) < snapshot, "{}", ran.stderr);
    let quiet = lab.restage(&["refresh", "--quiet"]);
    assert!(quiet.code == 0 && !quiet.stderr.contains("no_such_thing"), "{quiet:?}");
    let cron = lab.restage(&["refresh", "--cron"]);
    assert!(cron.code == 0 && cron.stderr.is_empty(), "{cron:?}");
    let ran = lab.restage(&["refresh", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).expect("a document");
    assert_eq!(document["warnings"].to_string().matches("no_such_thing").count(), 1, "{document}");
}

/// A server that went away and is not back yet says no more than that: why stands in its log.
#[test]
fn a_server_that_takes_no_connections_is_told_with_where_to_look() {
    let target = Cluster::start(&[]);
    target.sql("postgres", "CREATE ROLE restage LOGIN CREATEDB; GRANT pg_signal_backend TO restage");
    let lab = Lab::on(&clusters().0, &target, "stopping");
    let mut held = Held::open(&target, "postgres", "postgres");
    held.run("SELECT 1");
    // As long as the session lives, the server waits for it and takes no other.
    run(target.server("pg_ctl").arg("-D").arg(target.data()).args(["-m", "smart", "-W", "stop"]));
    let mut told = String::new();
    until("the server takes no more connections", || {
        let ran = lab.restage(&["releases"]);
        told = ran.stderr;
        ran.code == 5
    });
    assert!(told.contains("57P03") && told.contains("its log says why") && told.contains("pg_wal"), "{told}");
    drop(held);
}

/// Sequences are read and set many at a time, each with its own value.
#[test]
fn every_sequence_of_hundreds_stands_where_it_stood() {
    let lab = Lab::new("many_sequences");
    lab.seed(
        "SELECT format('CREATE SEQUENCE \"s %1$s\" MINVALUE -9 START %1$s; SELECT setval(''\"s %1$s\"'', %1$s * 7, %1$s %% 2 = 0)', i)
         FROM generate_series(1, 450) i \\gexec",
    );
    lab.config(KEEP_ALL);
    lab.refresh();
    let stand = "SELECT format('SELECT %L, last_value, is_called FROM %I', relname, relname) FROM pg_class WHERE relkind = 'S' ORDER BY 1 \\gexec";
    assert_eq!(lab.production(stand).lines().count(), 450);
    assert_eq!(lab.staging(stand), lab.production(stand));
}

#[test]
fn one_is_told_as_one() {
    let lab = Lab::new("one");
    lab.seed("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    lab.config("[tables.\"public.t\".columns]\nid = \"int\"\n");
    let refreshed = lab.refresh();
    let verified = lab.restage(&["verify"]);
    assert_eq!(verified.code, 0, "{verified:?}");
    let told = [refreshed.stdout, refreshed.stderr, verified.stdout].concat();
    assert!(told.contains("1 table, 1 row, "), "{told}");
    let words: Vec<&str> = told.split_whitespace().collect();
    // A word of two letters is a unit, "has" none of what is counted.
    let several = |pair: &&[&str]| {
        pair[0] == "1" && pair[1].len() > 3 && pair[1].trim_end_matches([',', ';', ':', ')']).ends_with('s')
    };
    let wrong: Vec<&[&str]> = words.windows(2).filter(several).collect();
    assert!(wrong.is_empty(), "{wrong:?}\n{told}");
}

/// A foreign key is not inherited, and a query of a table reads its children too.
#[test]
fn keys_of_children_by_inheritance_join_what_they_joined() {
    let lab = Lab::new("inheritance");
    lab.seed(
        "CREATE TABLE class (id int PRIMARY KEY, name text); INSERT INTO class VALUES (1, 'a'), (2, 'b'), (3, 'c');
         CREATE TABLE note (id int, class int REFERENCES class); CREATE TABLE letter (pages int) INHERITS (note);
         CREATE TABLE express () INHERITS (letter);
         INSERT INTO note VALUES (1, 1), (2, 2); INSERT INTO letter VALUES (3, 3, 0), (4, 1, 0); INSERT INTO express VALUES (5, 2, 1)",
    );
    let joined =
        "SELECT n.tableoid::regclass::text, count(*) FROM note n JOIN class c ON c.id = n.class GROUP BY 1 ORDER BY 1";
    let policy = |more: &str| {
        lab.config(&format!(
            "[tables.\"public.*\"]\ndefault = {{ keep = \"a test\" }}\n[tables.\"public.class\".columns]\nid = \"int\"\n{more}"
        ));
        lab.refresh()
    };
    policy("");
    assert_eq!(lab.staging(joined), lab.production(joined));
    assert_eq!(lab.staging("SELECT count(*) FROM note WHERE class IN (1, 2, 3)"), "0", "they are masks");
    // The twin: what is written for it stands.
    let ran = policy("[tables.\"public.letter\".columns]\nclass = { keep = \"a test\" }\n");
    assert!(ran.stderr.contains("\"public.letter.class\" (keep) is a column of its table by inheritance"), "{ran:?}");
    assert_eq!(lab.staging(joined).lines().count(), 2);
}
