//! `restage.lock`: what changed since the review stops a run before a row is read, and says so.

use crate::support::{Lab, Ran};

const SHOP: &str = "
CREATE TYPE plan AS ENUM ('free', 'gold');
CREATE TABLE people (id int PRIMARY KEY, email text NOT NULL, plan plan NOT NULL DEFAULT 'free', note text DEFAULT '-');
INSERT INTO people SELECT i, 'user' || i || '@example.com' FROM generate_series(1, 20) i;
CREATE TABLE events (id bigint NOT NULL, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
INSERT INTO events SELECT i, '2026-01-02' FROM generate_series(1, 5) i;
";

const POLICY: &str = r#"
[tables."public.*"]
default = { keep = "a test" }

[tables."public.people".columns]
email = "email"
"#;

fn locked(name: &str) -> Lab<'static> {
    let lab = Lab::new(name);
    lab.seed(SHOP);
    lab.config(POLICY);
    write_lock(&lab);
    lab
}

#[track_caller]
pub fn write_lock(lab: &Lab<'_>) {
    let ran = lab.restage(&["plan", "--write-lock"]);
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("written to"), "{}", ran.stdout);
}

pub fn lock_text(lab: &Lab<'_>) -> String {
    std::fs::read_to_string(lab.path("restage.lock")).expect("a lock file")
}

/// Runs a migration, expects that the next refresh is refused before it reads, and returns what it said.
#[track_caller]
pub fn stopped_by(lab: &Lab<'_>, migration: &str) -> Ran {
    let before = lab.databases();
    lab.source.sql_as("app", &lab.name, migration);
    lab.grant();
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 3, "{migration}: {}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("Nothing was read from the source or written to the target."), "{}", ran.stderr);
    assert_eq!(lab.databases(), before);
    ran
}

#[test]
fn a_refresh_without_a_lock_says_how_to_make_one_and_writes_none() {
    let lab = Lab::new("lock_none");
    lab.seed(SHOP);
    lab.config(POLICY);
    let ran = lab.refresh();
    assert_eq!(format!("{}{}", ran.stdout, ran.stderr).matches("plan --write-lock").count(), 1, "{ran:?}");
    lab.restage(&["plan"]);
    lab.restage(&["plan", "--diff"]);
    assert!(!lab.path("restage.lock").exists());
    let cron = lab.restage(&["refresh", "--cron"]);
    assert!(cron.code == 0 && cron.stdout.is_empty() && cron.stderr.is_empty(), "{cron:?}");
    write_lock(&lab);
    let ran = lab.refresh();
    assert!(!ran.stderr.contains("--write-lock") && !ran.stdout.contains("--write-lock"), "{ran:?}");
}

#[test]
fn the_lock_is_the_same_whoever_writes_it_and_however_often() {
    let lab = locked("lock_same");
    let first = lock_text(&lab);
    write_lock(&lab);
    assert_eq!(lock_text(&lab), first);
    assert!(first.contains("email = { type = \"text\", at = 2, decision = \"email/1\" }"), "{first}");
    assert!(first.contains("\"public.plan\" = [\n  \"free\",\n  \"gold\",\n]"), "{first}");
    let ran = lab.restage(&["plan", "--diff"]);
    assert!(ran.code == 0 && ran.stdout.contains("nothing changed"), "{ran:?}");
    lab.refresh();
}

#[test]
fn each_migration_stops_the_next_run_with_the_lines_to_paste_and_goes_on_once_accepted() {
    let lab = locked("lock_migrations");
    lab.refresh();
    for (migration, told, patch) in [
        ("ALTER TABLE people ADD COLUMN phone text", "+ column public.people.phone: text, keep", "phone = \"phone\""),
        (
            "CREATE TABLE addresses (id int PRIMARY KEY, street text)",
            "+ table public.addresses",
            "[tables.\"public.addresses\".columns]",
        ),
        ("ALTER TYPE plan ADD VALUE 'platinum'", "+ label \"platinum\" of public.plan", "restage plan --write-lock"),
        (
            "ALTER TABLE people ALTER COLUMN id TYPE bigint",
            "~ column public.people.id: type integer → bigint",
            "--write-lock",
        ),
        (
            "CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')",
            "+ partition public.events_2",
            "--write-lock",
        ),
        (
            "ALTER TABLE people ALTER COLUMN note SET DEFAULT 'as agreed'",
            "another default that holds text",
            "--write-lock",
        ),
        ("ALTER TABLE people DROP COLUMN note", "- column public.people.note", "--write-lock"),
    ] {
        let ran = stopped_by(&lab, migration);
        assert!(ran.stderr.contains("error[plan::lock]"), "{}", ran.stderr);
        assert!(ran.stderr.contains(told) && ran.stderr.contains(patch), "{migration}: {}", ran.stderr);
        let plan = lab.restage(&["plan", "--diff", "--json"]);
        let document: serde_json::Value = serde_json::from_str(&plan.stdout).expect("one document");
        assert_eq!(plan.code, 3);
        assert!(document["lock"]["changes"].as_array().is_some_and(|changes| !changes.is_empty()), "{document}");
        write_lock(&lab);
        lab.refresh();
    }
}

#[test]
fn a_kept_column_that_takes_the_place_of_a_masked_one_stops_the_next_run() {
    let exchange = "ALTER TABLE people RENAME email TO old; ALTER TABLE people RENAME note TO email; \
                    ALTER TABLE people RENAME old TO note";
    let told = "~ column public.people.note: changed places with email, email/1: are their names exchanged?";
    let lab = locked("lock_exchange");
    let ran = stopped_by(&lab, exchange);
    assert!(ran.stderr.contains("error[plan::lock]") && ran.stderr.contains(told), "{}", ran.stderr);
    // The line that is offered hides what stands under the kept name now.
    let line = "note = { mask = \"email\" }";
    assert!(ran.stderr.contains(line), "{}", ran.stderr);
    lab.config(&format!("{POLICY}{line}\n"));
    write_lock(&lab);
    lab.refresh();
    assert_eq!(lab.staging("SELECT count(*) FROM people WHERE note LIKE 'user%'"), "0");
    assert_eq!(lab.staging("SELECT count(*) FROM people WHERE note LIKE '%@%'"), "20");
    // Whoever takes out the line of a column that is gone is told where its values may be now.
    let lab = locked("lock_replace");
    lab.config("[tables.\"public.*\"]\ndefault = { keep = \"a test\" }\n");
    let told = "- column public.people.email: not copied any more; in its place stands note, keep: was it renamed?";
    let ran = stopped_by(&lab, "ALTER TABLE people DROP COLUMN note; ALTER TABLE people RENAME email TO note");
    assert!(ran.stderr.contains("error[plan::lock]") && ran.stderr.contains(told), "{}", ran.stderr);
    assert!(ran.stderr.contains(line), "{}", ran.stderr);
    // Where there is no plan nobody has compared anything.
    lab.config("[tables.\"public.people\".columns]\nnobody = \"keep\"\n");
    for arguments in [&["plan"][..], &["plan", "--diff"]] {
        let ran = lab.restage(arguments);
        assert!(ran.code == 3 && ran.stdout.contains("not compared: the plan is refused"), "{ran:?}");
        assert!(!ran.stdout.contains("nothing changed"), "{ran:?}");
    }
    // Twin: a lock that does not know the places lets the values through.
    let lab = locked("lock_places");
    let text = lock_text(&lab);
    let stripped: String = text
        .split_inclusive(", at = ")
        .enumerate()
        .map(|(part, text)| {
            let text = text.strip_suffix(", at = ").unwrap_or(text);
            if part == 0 { text } else { text.trim_start_matches(|c: char| c.is_ascii_digit()) }
        })
        .collect();
    assert!(stripped.len() < text.len());
    std::fs::write(lab.path("restage.lock"), stripped).expect("write");
    lab.source.sql_as("app", &lab.name, exchange);
    let ran = lab.restage(&["plan", "--diff"]);
    assert!(!ran.stdout.contains("changed places") && !ran.stderr.contains("changed places"), "{ran:?}");
}

#[test]
fn a_table_that_was_made_anew_under_its_name_is_told_and_stops_no_run() {
    let lab = Lab::new("lock_anew");
    lab.seed(
        "CREATE TABLE customers (id int PRIMARY KEY, last_name text, phone text);
         CREATE TABLE products (id int PRIMARY KEY, article text, price text);
         INSERT INTO customers SELECT n, 'Quillfeather', '+1-823-555-0109' FROM generate_series(1, 20) n;
         INSERT INTO products SELECT n, 'lamp', '7.50' FROM generate_series(1, 20) n;",
    );
    lab.config(
        "[tables.\"public.customers\".columns]\nid = \"keep\"\nlast_name = \"pattern\"\nphone = \"phone\"\n\
         [tables.\"public.products\".columns]\nid = \"keep\"\narticle = { keep = \"a test\" }\nprice = { keep = \"a test\" }\n",
    );
    write_lock(&lab);
    lab.refresh();
    let anew = "CREATE TABLE anew (id int PRIMARY KEY, article text, price text);
         INSERT INTO anew SELECT id, article, price FROM products;
         DROP TABLE products; ALTER TABLE anew RENAME TO products";
    let told = |text: &str| {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        text.contains("was dropped and made anew: what its 3 kept columns hold now was not reviewed")
    };
    // Every night.
    for _ in 0..2 {
        lab.source.sql_as("app", &lab.name, anew);
        lab.grant();
        for arguments in [&["plan"][..], &["plan", "--diff"], &["refresh"]] {
            let ran = lab.restage(arguments);
            assert!(ran.code == 0 && told(&format!("{}\n{}", ran.stdout, ran.stderr)), "{arguments:?}: {ran:?}");
        }
    }
    write_lock(&lab);
    let ran = lab.restage(&["plan", "--diff"]);
    assert!(ran.code == 0 && ran.stdout.contains("nothing changed") && !told(&ran.stdout), "{ran:?}");
    // The twin: another type stops the run.
    let ran = stopped_by(&lab, &anew.replace("price text", "price varchar"));
    assert!(ran.stderr.contains("column public.products.price: type text"), "{}", ran.stderr);
}

#[test]
fn a_partition_whose_columns_stand_in_another_order_has_the_places_of_its_root() {
    let lab = Lab::new("lock_order");
    lab.seed(
        "CREATE TABLE e (id int, note text, who text) PARTITION BY RANGE (id);
         CREATE TABLE e_1 (who text, note text, id int);
         ALTER TABLE e ATTACH PARTITION e_1 FOR VALUES FROM (0) TO (100);
         INSERT INTO e SELECT i, 'n', 'w' || i FROM generate_series(1, 9) i;",
    );
    lab.config("[tables.\"public.e\".columns]\nid = \"keep\"\nnote = { keep = \"a test\" }\nwho = \"pattern\"\n");
    write_lock(&lab);
    let text = lock_text(&lab);
    assert!(
        text.contains("note = { type = \"text\", at = 2,") && text.contains("who = { type = \"text\", at = 3,"),
        "{text}"
    );
    let rest = "CREATE TABLE e_2 PARTITION OF e FOR VALUES FROM (100) TO (200)";
    let ran = stopped_by(&lab, rest);
    assert!(ran.stderr.contains("+ partition public.e_2") && !ran.stderr.contains("changed places"), "{}", ran.stderr);
}

#[test]
fn a_new_column_that_nobody_decided_arrives_as_null_under_a_lock() {
    let lab = Lab::new("lock_null");
    lab.seed("CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'x')");
    lab.config("[policy]\nundecided = \"null\"\n[tables.\"public.t\".columns]\nid = \"keep\"\na = \"pattern\"\n");
    write_lock(&lab);
    lab.source.sql_as("app", &lab.name, "ALTER TABLE t ADD COLUMN phone text; UPDATE t SET phone = '+1-823-555-0109'");
    lab.refresh();
    assert_eq!(lab.staging("SELECT id, phone IS NULL FROM t"), "1|t");
    let plan = lab.restage(&["plan", "--diff"]);
    assert!(plan.code == 0 && plan.stdout.contains("does not stop a refresh"), "{plan:?}");
    // The values are NULL, but a default is copied as it is.
    let ran = stopped_by(&lab, "ALTER TABLE t ADD COLUMN owner text DEFAULT 'Quillfeather'");
    assert!(ran.stderr.contains("+ column public.t.owner: text, null"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("with a default that holds text") && ran.stderr.contains("in 1 place"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("Quillfeather"), "{}", ran.stderr);
    write_lock(&lab);
    lab.source.sql_as("app", &lab.name, "ALTER TABLE t ADD COLUMN note text DEFAULT ''");
    lab.refresh();
}

#[test]
fn a_policy_that_is_turned_looser_stops_the_next_run_and_a_stricter_one_does_not() {
    let lab = locked("lock_settings");
    lab.config(&format!("[policy]\nddl_literals = \"accept\"\n{POLICY}\n[verify]\nleak = false\n"));
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("~ setting ddl_literals: refuse → accept"), "{}", ran.stderr);
    assert!(ran.stderr.contains("~ setting leak: true → false"), "{}", ran.stderr);
    assert!(ran.stderr.contains("in 2 places") && ran.stderr.contains("restage plan --write-lock"), "{}", ran.stderr);
    write_lock(&lab);
    lab.refresh();
    lab.config(POLICY);
    lab.refresh();
}

#[test]
fn partitions_pass_where_the_policy_lets_them_inherit() {
    let lab = Lab::new("lock_inherit");
    lab.seed(SHOP);
    lab.config(&format!("[policy]\nnew_partitions = \"inherit\"\n{POLICY}"));
    write_lock(&lab);
    lab.source.sql_as(
        "app",
        &lab.name,
        "CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
         INSERT INTO events VALUES (9, '2026-02-02')",
    );
    lab.grant();
    lab.refresh();
    assert_eq!(lab.staging("SELECT count(*) FROM events_2"), "1");
}

#[test]
fn another_key_is_told_and_stops_the_run() {
    let lab = locked("lock_key");
    std::fs::remove_file(lab.path(crate::support::KEY)).expect("removed");
    let made = lab.restage(&["key", "new", "--out", crate::support::KEY]);
    assert_eq!(made.code, 0, "{made:?}");
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("~ key: ") && ran.stderr.contains("rebuilds all of staging"), "{}", ran.stderr);
    assert!(ran.stderr.contains("in 1 place"), "only the key differs: {}", ran.stderr);
}

#[test]
fn a_refused_plan_writes_no_lock_and_a_damaged_lock_is_not_taken_for_none() {
    let lab = Lab::new("lock_refused");
    lab.seed(SHOP);
    lab.config("[tables.\"public.people\".columns]\nemail = \"email\"\n");
    let ran = lab.restage(&["plan", "--write-lock"]);
    assert!(ran.code == 3 && !lab.path("restage.lock").exists(), "{ran:?}");
    std::fs::write(lab.path("restage.lock"), "version = 1\n<<<<<<< HEAD\n").expect("written");
    lab.config(POLICY);
    let ran = lab.restage(&["refresh"]);
    assert!(ran.code == 2 && ran.stderr.contains("error[lock::file]"), "{ran:?}");
}

#[test]
fn no_text_of_the_schema_that_looks_personal_is_in_the_lock() {
    /// Where a canary may stand in a schema that the policy accepts.
    const CANARY: &str = "canary.8842@example.com";
    let lab = Lab::new("lock_canary");
    lab.seed(&format!(
        "CREATE TYPE who AS ENUM ('nobody', '{CANARY}');
         CREATE TABLE t (id int PRIMARY KEY, who who DEFAULT '{CANARY}', mail text DEFAULT '{CANARY}');
         INSERT INTO t VALUES (1, DEFAULT, DEFAULT);"
    ));
    let rest = format!(
        "[policy]\nddl_literals = \"accept\"\n[tables.\"public.t\"]\ndefault = {{ keep = \"a test\" }}\nrows = {{ where = \"mail = '{CANARY}'\" }}\n"
    );
    lab.config(&rest);
    write_lock(&lab);
    let text = lock_text(&lab);
    assert!(!text.contains("canary") && !text.contains("8842"), "{text}");
    // The twin: what is no canary is readable, so the search above could have found one.
    assert!(text.contains("nobody"), "{text}");
    lab.refresh();
}

const PROFILES: &str = r#"
CREATE TABLE p (id int PRIMARY KEY, doc jsonb, docs jsonb[], note text);
INSERT INTO p SELECT i, jsonb_build_object('plan', i, 'contact', jsonb_build_object('email', 'u' || i || '@example.com', 'fax', null)),
  ARRAY['{"tag": 1}'::jsonb], '{"seen": true}' FROM generate_series(1, 30) i;
"#;

fn profiles(doc: &str) -> String {
    format!(
        "[tables.\"public.p\".columns]\nid = \"keep\"\ndoc = {{ mask = \"json\", rest = \"keep\", {doc}paths = {{ \"$.contact.email\" = \"email\" }} }}\n\
         docs = {{ mask = \"json\", rest = \"keep\" }}\nnote = {{ mask = \"json\", rest = \"keep\" }}\n"
    )
}

#[test]
fn a_new_json_key_stops_the_next_run_with_the_patch_until_it_is_masked_or_accepted() {
    let lab = Lab::new("lock_json");
    lab.seed(PROFILES);
    lab.config(&profiles(""));
    write_lock(&lab);
    let text = lock_text(&lab);
    assert!(text.contains("doc = [\n  \"$.contact.fax: null\",\n  \"$.plan: number\",\n]"), "{text}");
    assert!(
        text.contains("docs = [\n  \"$.tag: number\",\n]") && text.contains("note = [\n  \"$.seen: boolean\",\n]"),
        "{text}"
    );
    lab.refresh();
    let key = "UPDATE p SET doc = doc || '{\"nickname\": \"canary8842\"}' WHERE id IN (7, 8)";
    lab.source.sql_as("app", &lab.name, key);
    let before = lab.databases();
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(
        ran.stderr.contains("error[plan::json-keys]") && ran.stderr.contains("\"$.nickname\" = "),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("canary"), "{}", ran.stderr);
    assert_eq!(lab.databases(), before);
    write_lock(&lab);
    lab.refresh();
    assert_eq!(lab.staging("SELECT count(*) FROM p WHERE doc ? 'nickname'"), "2");
    // What was accepted stays accepted when no document has it for a while.
    lab.source.sql_as("app", &lab.name, "UPDATE p SET doc = doc - 'nickname'");
    write_lock(&lab);
    lab.source.sql_as("app", &lab.name, key);
    lab.refresh();
}

#[test]
fn a_json_key_the_sample_does_not_show_stops_the_load_or_becomes_null() {
    let lab = Lab::new("lock_json_deep");
    lab.seed(PROFILES);
    // Longer than what is sampled, so only the mask sees it.
    let hidden = "UPDATE p SET doc = doc || jsonb_build_object('hidden', (SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 3000))) WHERE id = 9";
    lab.config(&profiles(""));
    write_lock(&lab);
    lab.source.sql_as("app", &lab.name, hidden);
    let before = lab.databases();
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(ran.stderr.contains("JSON key") && ran.stderr.contains("--write-lock"), "{}", ran.stderr);
    assert_eq!(lab.databases(), before);
    lab.config(&profiles("unknown_keys = \"null\", "));
    write_lock(&lab);
    lab.refresh();
    assert_eq!(lab.staging("SELECT count(*), min(doc ->> 'plan') FROM p WHERE doc -> 'hidden' = 'null'"), "1|9");
    // The twin: without a lock nothing pins the paths, and the value passes.
    std::fs::remove_file(lab.path("restage.lock")).expect("removed");
    lab.refresh();
    assert_eq!(lab.staging("SELECT length(doc ->> 'hidden') FROM p WHERE id = 9"), "96000");
}

#[test]
fn keys_that_are_personal_are_in_no_lock_and_no_error() {
    let lab = Lab::new("lock_json_keys");
    lab.seed(
        "CREATE TABLE p (id int PRIMARY KEY, doc jsonb);
         INSERT INTO p SELECT i, jsonb_build_object('canary8842@example.com', 1, 'canary', 1, 'plan', jsonb_build_object('canary-maria', i))
         FROM generate_series(1, 1) i;
         INSERT INTO p SELECT i, jsonb_build_object('plan', jsonb_build_object('level', i), 'by', jsonb_build_object('canary' || i || '@example.com', i))
         FROM generate_series(2, 40) i;",
    );
    lab.config("[tables.\"public.p\".columns]\nid = \"keep\"\ndoc = { mask = \"json\", rest = \"keep\" }\n");
    write_lock(&lab);
    let text = lock_text(&lab);
    assert!(!text.contains("canary") && !text.contains("8842"), "{text}");
    assert!(
        text.contains("\"$.plan.level: number\"")
            && text.contains(r##""$.by[\"#e-mail address\"]: number""##)
            && text.contains("[\\\"#"),
        "{text}"
    );
    lab.refresh();
    lab.source.sql_as("app", &lab.name, "INSERT INTO p VALUES (50, '{\"canary9913@example.com\": 1}')");
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("plan::json-keys") && !format!("{ran:?}").contains("canary"), "{ran:?}");
}

#[test]
fn what_a_path_keeps_is_pinned_with_all_that_is_below_it() {
    let lab = Lab::new("lock_json_paths");
    lab.seed(
        "CREATE TABLE p (id int PRIMARY KEY, doc jsonb);
         INSERT INTO p SELECT i, jsonb_build_object('limits', jsonb_build_object('cpu', i), 'name', 'u' || i)
         FROM generate_series(1, 30) i;",
    );
    lab.config(
        "[tables.\"public.p\".columns]\nid = \"keep\"\n\
         doc = { mask = \"json\", rest = \"null\", paths = { \"$.limits\" = \"keep\" } }\n",
    );
    write_lock(&lab);
    assert!(lock_text(&lab).contains("doc = [\n  \"$.limits.cpu: number\",\n]"), "{}", lock_text(&lab));
    lab.refresh();
    for (change, told) in [
        (
            "UPDATE p SET doc = jsonb_set(doc, '{limits,owner}', '\"canary8842\"') WHERE id IN (7, 8)",
            "\"$.limits.owner\" = \"null\"",
        ),
        (
            "UPDATE p SET doc = jsonb_set(doc, '{limits,cpu}', '\"canary8842\"') WHERE id = 9",
            "$.limits.cpu: string (it was number)",
        ),
        (
            "UPDATE p SET doc = jsonb_set(doc, '{limits}', '\"canary8842\"') WHERE id IN (10, 11)",
            "\"$.limits\" = \"null\"",
        ),
    ] {
        lab.source.sql_as("app", &lab.name, change);
        let ran = lab.restage(&["refresh"]);
        assert_eq!(ran.code, 3, "{change}: {ran:?}");
        let said = &ran.stderr;
        assert!(
            said.contains("plan::json-keys") && said.contains(told) && !said.contains("canary"),
            "{change}: {said}"
        );
        write_lock(&lab);
        lab.refresh();
    }
    // Longer than what is sampled, so only the mask sees it: it goes with the rest.
    let hidden = "UPDATE p SET doc = jsonb_set(doc, '{limits,hidden}', to_jsonb((SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 3000)))) WHERE id = 5";
    lab.source.sql_as("app", &lab.name, hidden);
    lab.refresh();
    assert_eq!(lab.staging("SELECT doc -> 'limits' FROM p WHERE id = 5"), "{\"cpu\": 5, \"hidden\": null}");
    // The line that hides what is new goes on hiding it when the lock is written anew.
    lab.config(
        "[tables.\"public.p\".columns]\nid = \"keep\"\n\
         doc = { mask = \"json\", rest = \"null\", unknown_keys = \"null\", paths = { \"$.limits\" = \"keep\" } }\n",
    );
    lab.source.sql_as("app", &lab.name, "UPDATE p SET doc = jsonb_set(doc, '{limits,late}', '\"canary8842\"')");
    write_lock(&lab);
    assert!(!lock_text(&lab).contains("late"), "{}", lock_text(&lab));
    lab.refresh();
    assert_eq!(lab.staging("SELECT doc -> 'limits' -> 'late' FROM p WHERE id = 5"), "null");
    assert_eq!(lab.staging("SELECT count(doc ->> 'name') FROM p"), "0", "the twin: nothing keeps it");
    // A path that is kept since is let through by the lock that is written for it, and nothing else is.
    lab.config(
        "[tables.\"public.p\".columns]\nid = \"keep\"\n\
         doc = { mask = \"json\", rest = \"null\", unknown_keys = \"null\", paths = { \"$.limits\" = \"keep\", \"$.name\" = \"keep\" } }\n",
    );
    assert_eq!(lab.restage(&["refresh"]).code, 3, "the lock was written without it");
    write_lock(&lab);
    let text = lock_text(&lab);
    assert!(text.contains("\"$.name: string\"") && !text.contains("late"), "{text}");
    lab.refresh();
    assert_eq!(lab.staging("SELECT count(doc ->> 'name'), count(doc #>> '{limits,late}') FROM p"), "30|0");
    // The twin: without a lock nothing pins what is below.
    lab.config(
        "[tables.\"public.p\".columns]\nid = \"keep\"\n\
         doc = { mask = \"json\", rest = \"null\", paths = { \"$.limits\" = \"keep\" } }\n",
    );
    std::fs::remove_file(lab.path("restage.lock")).expect("removed");
    lab.refresh();
    assert_eq!(lab.staging("SELECT length(doc #>> '{limits,hidden}') FROM p WHERE id = 5"), "96000");
}

const REVIEWED: &str = r#"
[tables."public.p".columns]
id = "keep"
plan = { keep = "product data, no person" }
doc = { keep = "settings, no person" }
docs = { keep = "settings, no person" }
mood = "keep"
"#;

/// A schema whose columns are all kept, most of them for a reason.
fn reviewed(name: &str) -> Lab<'static> {
    let lab = Lab::new(name);
    lab.seed(
        "CREATE TYPE plan AS ENUM ('free', 'gold');
         CREATE TYPE mood AS ENUM ('fine');
         CREATE DOMAIN settings AS jsonb;
         CREATE TABLE p (id int PRIMARY KEY, plan plan, doc settings, docs json[], mood mood);
         INSERT INTO p SELECT i, 'free', jsonb_build_object('size', i, 'seen', null), ARRAY['{\"tag\": 1}'::json], 'fine'
         FROM generate_series(1, 30) i;",
    );
    lab.config(REVIEWED);
    lab
}

#[test]
fn a_reason_to_keep_holds_for_the_labels_and_keys_it_was_written_for() {
    let lab = reviewed("lock_reason");
    write_lock(&lab);
    let text = lock_text(&lab);
    assert!(text.contains("doc = [\n  \"$.seen: null\",\n  \"$.size: number\",\n]"), "{text}");
    assert!(text.contains("docs = [\n  \"$.tag: number\",\n]"), "{text}");
    lab.refresh();
    for (migration, code, told) in [
        ("ALTER TYPE plan ADD VALUE 'platinum'", "plan::lock", "+ label \"platinum\" of public.plan"),
        ("ALTER TYPE mood ADD VALUE 'sick'", "plan::lock", "+ label \"sick\" of public.mood"),
        (
            "UPDATE p SET doc = doc || '{\"nickname\": \"canary8842\"}' WHERE id IN (7, 8)",
            "plan::json-keys",
            "doc = { mask = \"json\", paths = { \"$.nickname\" = \"null\" }, rest = \"keep\" }",
        ),
        (
            "UPDATE p SET doc = jsonb_set(doc, '{size}', '\"canary8842\"') WHERE id = 9",
            "plan::json-keys",
            "$.size: string (it was number)",
        ),
        (
            "UPDATE p SET doc = jsonb_set(doc, '{seen}', '\"canary8842\"') WHERE id = 9",
            "plan::json-keys",
            "$.seen: string (it was null)",
        ),
        ("UPDATE p SET docs = ARRAY['{\"who\": 1}'::json] WHERE id < 4", "plan::json-keys", "$.who: number"),
    ] {
        let before = lab.databases();
        lab.source.sql_as("app", &lab.name, migration);
        let diff = lab.restage(&["plan", "--diff"]);
        for ran in [lab.restage(&["refresh"]), diff] {
            let said = format!("{}{}", ran.stdout, ran.stderr);
            assert_eq!(ran.code, 3, "{migration}: {said}");
            assert!(said.contains(code) && said.contains(told), "{migration}: {said}");
            assert!(!said.contains("nothing changed"), "{migration}: {said}");
            assert!(!said.contains("canary"), "{said}");
        }
        assert_eq!(lab.databases(), before);
        write_lock(&lab);
        lab.refresh();
    }
    let text = lock_text(&lab);
    assert!(text.contains("\"$.size: number|string\"") && text.contains("\"$.seen: string\""), "{text}");
}

#[test]
fn new_keys_in_the_last_rows_and_in_the_middle_of_a_large_table_stop_the_next_run() {
    let lab = Lab::new("lock_json_large");
    let rows = |from: u32, to: u32, more: &str| {
        format!(
            "INSERT INTO t SELECT g, jsonb_build_object('plan', 'pro', 'n', g{more}) FROM generate_series({from}, {to}) AS g;"
        )
    };
    let who = ", 'who', 'canary8842'";
    // Many times the blocks that are looked at.
    lab.seed(&format!("CREATE TABLE t (id int PRIMARY KEY, j jsonb); {}", rows(1, 60_000, "")));
    lab.config("[tables.\"public.t\".columns]\nid = \"keep\"\nj = { keep = \"settings of the app\" }\n");
    write_lock(&lab);
    lab.refresh();
    let refused = |what: &str| {
        let ran = lab.restage(&["refresh"]);
        assert_eq!(ran.code, 3, "{what}: {ran:?}");
        assert!(ran.stderr.contains("plan::json-keys") && ran.stderr.contains("$.who"), "{what}: {ran:?}");
        assert!(!ran.stderr.contains("canary"), "{what}: {ran:?}");
    };
    lab.seed(&rows(60_001, 62_000, who));
    refused("the last rows");
    lab.seed(&format!("TRUNCATE t; {}{}{}", rows(1, 20_000, ""), rows(20_001, 30_000, who), rows(30_001, 60_000, "")));
    refused("the middle");
    // The twin: the same rows without the key.
    lab.seed(&format!("TRUNCATE t; {}", rows(1, 62_000, "")));
    lab.refresh();
}

#[test]
fn a_key_of_a_kept_column_that_no_sample_shows_is_found_in_what_was_loaded() {
    let lab = reviewed("lock_loaded");
    write_lock(&lab);
    lab.refresh();
    // Longer than what is sampled.
    let hidden = "UPDATE p SET doc = doc || jsonb_build_object('hidden', 'canary8842' || (SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 3000))) WHERE id IN (9, 10)";
    lab.source.sql_as("app", &lab.name, hidden);
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 6, "{ran:?}");
    for told in [
        "gate \"leak: keys of documents\" does not hold",
        "public.p.doc: 2 documents with values",
        "$.hidden: string",
        "doc = { mask = \"json\", paths = { \"$.hidden\" = \"null\" }, rest = \"keep\" }",
        "leak_allow = [\"public.p.doc\"]",
        "Nothing was published",
    ] {
        assert!(ran.stderr.contains(told), "{told}: {ran:?}");
    }
    assert!(!ran.stderr.contains("canary"), "{ran:?}");
    assert_eq!(lab.staging("SELECT count(*) FROM p WHERE doc ? 'hidden'"), "0");
    // A lock that is written anew knows it: it reads all documents.
    write_lock(&lab);
    assert!(lock_text(&lab).contains("\"$.hidden: string\""), "{}", lock_text(&lab));
    lab.refresh();
    // The twin: with the gate off a later one passes.
    lab.config(&format!("{REVIEWED}\n[verify]\nleak = false\n"));
    write_lock(&lab);
    lab.source.sql_as("app", &lab.name, &hidden.replace("'hidden'", "'later'"));
    lab.refresh();
    assert_eq!(lab.staging("SELECT count(*) FROM p WHERE doc ? 'later'"), "2");
}

#[test]
fn a_lock_of_before_labels_and_keys_of_kept_columns_were_pinned_stops_nothing_by_itself() {
    let lab = reviewed("lock_old");
    write_lock(&lab);
    let text = lock_text(&lab);
    // As an earlier build wrote it. Its hash would tell that it was edited, so it is left to a refresh to say only that.
    let enums = text.find("\n[enums]").expect("labels");
    let tables = text.find("\n[tables.").expect("tables");
    let json = text.find("\n[tables.\"public.p\".json]").expect("paths");
    std::fs::write(lab.path("restage.lock"), format!("{}{}", &text[..enums], &text[tables..json + 1]))
        .expect("written");
    lab.source.sql_as("app", &lab.name, "ALTER TYPE plan ADD VALUE 'platinum'; UPDATE p SET doc = '{\"new\": 1}'");
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("in 1 place") && ran.stderr.contains("edited by hand"), "{}", ran.stderr);
    write_lock(&lab);
    assert!(lock_text(&lab).contains("\"$.new: number\"") && lock_text(&lab).contains("platinum"));
    lab.refresh();
}

#[test]
fn paths_without_types_get_theirs_when_the_lock_is_written_anew() {
    let lab = Lab::new("lock_json_types");
    lab.seed(PROFILES);
    lab.config(&profiles(""));
    write_lock(&lab);
    let typed = lock_text(&lab);
    let untyped = typed.replace(": number\"", "\"").replace(": null\"", "\"").replace(": boolean\"", "\"");
    std::fs::write(lab.path("restage.lock"), untyped).expect("written");
    write_lock(&lab);
    assert_eq!(lock_text(&lab), typed);
    // The mask itself refuses another type in a document that no sample shows.
    lab.source.sql_as(
        "app",
        &lab.name,
        "UPDATE p SET doc = jsonb_set(doc, '{plan}', to_jsonb((SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 3000)))) WHERE id = 9",
    );
    let ran = lab.restage(&["refresh"]);
    assert!(ran.code == 4 && ran.stderr.contains("a type of value under one"), "{ran:?}");
}
