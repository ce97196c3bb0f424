//! Canaries: values put everywhere into a source, and looked for everywhere they must not be.
//!
//! Each search has a twin with the protection off that finds them, because a search that cannot find proves nothing.

use crate::support::{Cluster, KEY, Lab, Ran, clusters};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// What is looked for, without regard to case, as bytes: words of names (that no dictionary has), addresses and secrets; a social security number,
/// a card, a phone, an address, a date and an amount; and the ASCII bytes that stand inside a uuid and an IPv6 address,
/// where they are stored in binary form.
pub const CANARIES: &[&str] = &[
    "qzkanari",
    "vogelzqang",
    "kanariZQ",
    "6b616e61",
    "6b61:6e61",
    "536-71-8294",
    "312 867 5318",
    "3128675318",
    "4539 5787 6362 1486",
    "4539578763621486",
    "1953-11-07",
    "88442211.17",
];

/// A target that is searched as a whole: nothing unmasked may ever reach it. It logs all it can.
fn quiet() -> &'static Cluster {
    static QUIET: OnceLock<Cluster> = OnceLock::new();
    QUIET.get_or_init(|| {
        let cluster = Cluster::start(&[
            "log_statement = all",
            "log_error_verbosity = verbose",
            "log_min_duration_statement = 0",
            "log_parameter_max_length_on_error = -1",
            "log_connections = on",
            "log_temp_files = 0",
        ]);
        cluster.sql("postgres", "CREATE ROLE restage LOGIN CREATEDB; GRANT pg_signal_backend TO restage");
        cluster
    })
}

fn lab(name: &str) -> Lab<'static> {
    Lab::on(&clusters().0, quiet(), name)
}

pub fn found_in(text: &str) -> Vec<&'static str> {
    let text = text.to_lowercase();
    CANARIES.iter().copied().filter(|canary| text.contains(&canary.to_lowercase())).collect()
}

/// `file:match` of every canary in a folder; files may come and go meanwhile.
fn found_under(folder: &Path) -> Vec<String> {
    let output = Command::new("grep")
        .env("LC_ALL", "C")
        .args(["-r", "-a", "-i", "-o", "-F"])
        .args(CANARIES.iter().flat_map(|canary| ["-e", canary]))
        .arg(folder)
        .output()
        .expect("grep");
    let mut found: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Everything a run leaves behind on the target and beside its configuration, and what it said.
#[track_caller]
fn assert_silent(lab: &Lab<'_>, ran: &Ran) {
    for (place, text) in [("stdout", &ran.stdout), ("stderr", &ran.stderr), ("server log", &lab.target.log())] {
        assert!(found_in(text).is_empty(), "{place} holds {:?}:\n{text}", found_in(text));
    }
    lab.target.sql("postgres", "CHECKPOINT");
    for folder in [lab.target.folder(), lab.path("").as_path()] {
        let found = found_under(folder);
        assert!(found.is_empty(), "{found:#?}");
    }
}

/// Runs with temporary files in the lab's folder, and tells as much as the program can.
fn refresh_aloud(lab: &Lab<'_>) -> Ran {
    let tmp = lab.path("tmp");
    fs::create_dir_all(&tmp).expect("mkdir");
    let output = lab
        .command(&["refresh", "-vv", "--log-format", "json", "--json"])
        .env("TMPDIR", tmp)
        .env("RUST_LOG", "trace")
        .env("RUST_BACKTRACE", "full")
        .output()
        .expect("restage runs");
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

pub const BIRDS: &str = r#"
CREATE EXTENSION citext;
CREATE EXTENSION hstore;
CREATE DOMAIN mail AS text CHECK (VALUE LIKE '%@%');
CREATE TYPE holder AS (name text, card text);
CREATE SEQUENCE bird_no;
CREATE TABLE bird (
    id int PRIMARY KEY,
    email text NOT NULL UNIQUE,
    login varchar(40) UNIQUE,
    full_name varchar(60),
    ssn char(11),
    ci citext,
    dom mail,
    phone text,
    card text,
    street text,
    token text,
    title name,
    j json,
    jb jsonb,
    strict jsonb,
    note text,
    ip inet,
    ip4 inet,
    u uuid,
    born date,
    seen timestamptz,
    tags text[],
    who holder,
    people holder[],
    raw bytea,
    doc xml,
    words tsvector,
    pairs hstore,
    amount numeric,
    days daterange,
    search tsvector GENERATED ALWAYS AS (to_tsvector('simple'::regconfig, note)) STORED,
    mirror text GENERATED ALWAYS AS (upper(email)) STORED
);
INSERT INTO bird (id, email, login, full_name, ssn, ci, dom, phone, card, street, token, title, j, jb, strict, note, ip, ip4, u, born, seen, tags,
    who, people, raw, doc, words, pairs, amount, days)
SELECT i, 'qzkanari.' || i || '@qzkanari-post.test', 'qzkanari_' || i, 'Qzkanari Vogelzqang', '536-71-8294', 'QzKanari.Ci@post.test',
    'qzkanari.dom@post.test', '+1 312 867 5318', '4539 5787 6362 1486', '17 Qzkanari Lane', 'Qzkanari-Token-' || i, 'qzkanari_title',
    E'{"e\\u006dail": "qzkanari.json@post.test", "email": "Qzk\\u0061nari twice", "deep": ["Qzkanari Vogelzqang", {"phone": "+1 312 867 5318"}], "n": 4539578763621486}'::json,
    jsonb_build_object('mail', jsonb_build_object('to', 'qzkanari.jsonb@post.test', 'cc', jsonb_build_array('qzkanari.cc@post.test')), 'free', 'Qzkanari', 'qzkanari_key', 1),
    '{"a": {"b": ["Qzkanari", 88442211.17, {"c": "qzkanari"}]}, "ok": true}',
    'Qzkanari Vogelzqang (qzkanari.note@post.test, tel +1 312 867 5318) gave SSN 536-71-8294 and card 4539 5787 6362 1486 from 2001:db8:6b61:6e61:7269:5a51:1:1; '
        'Mr VOGELZQANG, Q. Vogelzqang; see https://bob:qzkanariPW@host.test/x?user=qzkanari.q%40post.test',
    '2001:db8:6b61:6e61:7269:5a51:1:1', '2001:db8:6b61:6e61:7269:5a51:1:2', '6b616e61-7269-5a51-8c4d-7176776f6765', '1953-11-07', '1953-11-07 10:00+00',
    ARRAY['qzkanari'], ROW('Qzkanari', '4539578763621486')::holder, ARRAY[ROW('Qzkanari', '4539578763621486')::holder], 'qzkanari blob', '<a>qzkanari</a>', 'qzkanari vogelzqang', 'qzkanari => vogelzqang',
    88442211.17, daterange('1953-11-07', '1953-11-08')
FROM generate_series(1, 300) i;
CREATE INDEX bird_lower ON bird (lower(email));
CREATE INDEX bird_search ON bird USING gin (search);
CREATE STATISTICS bird_common (mcv) ON full_name, street FROM bird;
CREATE VIEW bird_names AS SELECT id, full_name FROM bird;
CREATE MATERIALIZED VIEW bird_mails AS SELECT email, full_name, note, jb FROM bird;

-- Without a key, in partitions, inherited, unlogged, and one whose rows stay at home.
CREATE TABLE letter (at date NOT NULL, body text) PARTITION BY RANGE (at);
CREATE TABLE letter_old PARTITION OF letter FOR VALUES FROM (MINVALUE) TO ('2000-01-01');
CREATE TABLE letter_new PARTITION OF letter DEFAULT;
INSERT INTO letter SELECT date '1999-12-01' + i, 'qzkanari' FROM generate_series(1, 90) i;
CREATE TABLE cage (id int, label text);
CREATE UNLOGGED TABLE big_cage (size int) INHERITS (cage);
INSERT INTO cage VALUES (1, 'qzkanari');
INSERT INTO big_cage VALUES (2, 'qzkanari', 9);
CREATE TABLE session (token text);
INSERT INTO session VALUES ('qzkanari');
-- Text format on the wire: regclass has no meaning on another server.
CREATE TABLE change (relation regclass, old jsonb, who text);
INSERT INTO change VALUES ('bird', '{"email": "qzkanari@post.test"}', E'Qzkanari\t\\Vogelzqang\n');
SELECT lo_from_bytea(0, 'qzkanari in a large object');
ANALYZE;
"#;

pub const BIRD_POLICY: &str = r#"
[tables."public.bird".columns]
id = "int"
email = "email"
login = "username"
full_name = { mask = "name.full", subject = "id" }
ssn = "us.ssn"
ci = "email"
dom = "email"
phone = "phone"
card = "card"
street = { mask = "address", part = "street", subject = "id" }
token = "pattern"
title = "pattern"
j = { mask = "json", paths = { "$.email" = "email", "$.n" = "card", "$.deep" = "null" }, rest = "null" }
jb = { mask = "json", paths = { "$.mail" = "email" }, keys = { "$" = "pattern" }, rest = "pattern" }
strict = { mask = "json", rest = "null" }
note = { mask = "text.spans", subject = "id" }
ip = "ip"
ip4 = "ip"
u = "uuid"
born = { mask = "date.shift", subject = "id" }
seen = { mask = "date.shift", subject = "id" }
tags = "null"
who = "null"
people = "null"
raw = "null"
doc = "null"
words = "null"
pairs = "null"
amount = "null"
days = "null"

[tables."public.letter".columns]
at = "keep"
body = "pattern"

[tables."public.cage".columns]
id = "keep"
label = "pattern"

[tables."public.big_cage".columns]
id = "keep"
label = { mask = "const", value = "a cage" }
size = "keep"

[tables."public.session"]
rows = "none"

[tables."public.change".columns]
relation = "keep"
old = "null"
who = "pattern"
"#;

/// What does not belong to the application's owner: settings, a comment on the database, a subscription with a password.
pub fn beside(lab: &Lab<'_>) {
    lab.source.sql(
        &lab.name,
        &format!(
            "COMMENT ON DATABASE \"{name}\" IS 'qzkanari'; ALTER DATABASE \"{name}\" SET app.secret = 'qzkanari'; \
             CREATE PUBLICATION all_birds FOR ALL TABLES; \
             CREATE SUBSCRIPTION \"sub_{name}\" CONNECTION 'host=qzkanari.test password=qzkanari' PUBLICATION p \
             WITH (connect = false, enabled = false, create_slot = false, slot_name = NONE)",
            name = lab.name
        ),
    );
}

#[test]
fn no_canary_of_any_column_reaches_staging_its_files_logs_or_reports() {
    let lab = lab("canary");
    lab.seed(BIRDS);
    beside(&lab);
    lab.config(BIRD_POLICY);
    for command in [&["plan", "-v"][..], &["plan", "--json"], &["explain", "public.bird"], &["doctor"]] {
        let ran = lab.restage(command);
        assert!(ran.code == 0 || command == ["doctor"], "{ran:?}");
        assert_silent(&lab, &ran);
    }
    let ran = refresh_aloud(&lab);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        lab.staging("SELECT count(*), count(DISTINCT email), count(note), count(search) FROM bird"),
        "300|300|300|300"
    );
    assert_eq!(lab.staging("SELECT count(*) FROM pg_largeobject_metadata"), "0");
    // Databases of other tests of the server come and go meanwhile.
    let dumped = || lab.target.client("pg_dumpall", "postgres", "postgres").output().expect("pg_dumpall");
    let everything = (0..10).map(|_| dumped()).find(|dumped| dumped.status.success()).expect("a dump of all databases");
    let dump = String::from_utf8_lossy(&everything.stdout);
    assert!(dump.contains("CREATE TABLE public.bird") && found_in(&dump).is_empty(), "{:?}", found_in(&dump));
    assert_eq!(
        lab.staging(
            "SELECT count(*) FROM pg_stats WHERE schemaname = 'public' AND tablename = 'bird' AND attname = 'ssn'"
        ),
        "1"
    );
    assert_silent(&lab, &ran);
    assert!(lab.path("restage-report").exists());
    assert_eq!(fs::read_dir(lab.path("tmp")).expect("tmp").count(), 0, "no temporary file is left");

    // A second release, a rollback and a dry run leave as little.
    for command in
        [&["refresh"][..], &["rollback", "--yes"], &["refresh", "--dry-run"], &["verify"], &["releases", "--json"]]
    {
        let ran = lab.restage(command);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_silent(&lab, &ran);
    }
}

#[test]
fn unmasked_twin_shows_every_canary() {
    // On the shared target: the quiet one must never hold any.
    let lab = Lab::new("canary_twin");
    lab.seed(BIRDS);
    lab.config("[tables.\"public.*\"]\ndefault = { keep = \"a test\" }\n");
    lab.refresh();
    let dump = lab.target.dump(&lab.name);
    // A dump writes uuid and IPv6 as hexadecimal; their bytes stand in the files.
    for canary in CANARIES.iter().filter(|canary| !["kanariZQ", "3128675318"].contains(canary)) {
        assert!(found_in(&dump).contains(canary), "{canary} is in the dump");
    }
    lab.target.sql("postgres", "CHECKPOINT");
    let files = found_under(&lab.target.data()).join("\n");
    for canary in ["qzkanari", "vogelzqang", "kanariZQ", "536-71-8294", "312 867 5318"] {
        assert!(files.to_lowercase().contains(&format!(":{}", canary.to_lowercase())), "{canary} is in the files");
    }
    assert!(files.contains("pg_wal"), "the search reads the write-ahead log");
}

/// A definition of each kind of object, with an address in it, and the label a refusal has to name.
const DEFINITIONS: &[(&str, &str)] = &[
    ("CREATE TABLE d1 (a text DEFAULT 'ann@qzddl.dev')", "public.d1"),
    ("CREATE TABLE d2 (a text CONSTRAINT d2_check CHECK (a <> 'ann@qzddl.dev'))", "public.d2"),
    ("CREATE DOMAIN d3 AS text CHECK (VALUE <> 'ann@qzddl.dev')", "DOMAIN public.d3"),
    ("CREATE TYPE d4 AS ENUM ('ann@qzddl.dev')", "TYPE public.d4"),
    ("CREATE VIEW d5 AS SELECT 'ann@qzddl.dev'::text AS a", "VIEW public.d5"),
    ("CREATE MATERIALIZED VIEW d6 AS SELECT 'ann@qzddl.dev'::text AS a", "MATERIALIZED VIEW public.d6"),
    ("CREATE FUNCTION d7() RETURNS text LANGUAGE sql AS $$ SELECT 'ann@qzddl.dev' $$", "FUNCTION public.d7()"),
    (
        "CREATE FUNCTION d8(a text DEFAULT 'ann@qzddl.dev') RETURNS text LANGUAGE sql AS $$ SELECT a $$",
        "FUNCTION public.d8(text)",
    ),
    ("CREATE PROCEDURE d9() LANGUAGE plpgsql AS $$ BEGIN PERFORM 'ann@qzddl.dev'; END $$", "PROCEDURE public.d9()"),
    (
        "CREATE TABLE d10 (a text); CREATE INDEX d10_index ON d10 (a) WHERE a = 'ann@qzddl.dev'",
        "INDEX public.d10_index",
    ),
    ("CREATE TABLE d11 (a text, b text GENERATED ALWAYS AS (coalesce(a, 'ann@qzddl.dev')) STORED)", "public.d11"),
    (
        "CREATE TABLE d12 (a text); CREATE POLICY d12_policy ON d12 USING (a = 'ann@qzddl.dev')",
        "POLICY public.d12 d12_policy",
    ),
    (
        "CREATE TABLE d13 (a text); CREATE RULE d13_rule AS ON DELETE TO d13 WHERE old.a = 'ann@qzddl.dev' DO INSTEAD NOTHING",
        "RULE public.d13 d13_rule",
    ),
    (
        "CREATE TABLE d14 (a text); CREATE FUNCTION d14_f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$; \
         CREATE TRIGGER d14_trigger BEFORE INSERT ON d14 FOR EACH ROW EXECUTE FUNCTION d14_f('ann@qzddl.dev')",
        "TRIGGER public.d14 d14_trigger",
    ),
    ("CREATE TABLE d15 (a text); COMMENT ON TABLE d15 IS 'ask ann@qzddl.dev'", "COMMENT public.TABLE d15"),
    ("CREATE TABLE d16 (a text); COMMENT ON COLUMN d16.a IS 'ask ann@qzddl.dev'", "COMMENT public.COLUMN d16.a"),
    ("CREATE SCHEMA d17; COMMENT ON SCHEMA d17 IS 'ask ann@qzddl.dev'", "COMMENT SCHEMA d17"),
    (
        "CREATE TABLE d18 (a text) PARTITION BY LIST (a); CREATE TABLE d18_ann PARTITION OF d18 FOR VALUES IN ('ann@qzddl.dev')",
        "public.d18_ann",
    ),
    ("CREATE TABLE d19 (a text, EXCLUDE (a WITH =) WHERE (a <> 'ann@qzddl.dev'))", "CONSTRAINT public.d19 d19_a_excl"),
    (
        "CREATE AGGREGATE d20(text) (SFUNC = textcat, STYPE = text, INITCOND = 'ann@qzddl.dev')",
        "AGGREGATE public.d20(text)",
    ),
    (
        "CREATE TABLE d21 (a text); CREATE STATISTICS d21_s ON (a || 'ann@qzddl.dev') FROM d21",
        "STATISTICS public.d21_s",
    ),
    ("CREATE TABLE d22 (a text); CREATE INDEX d22_index ON d22 ((a || 'ann@qzddl.dev'))", "INDEX public.d22_index"),
    ("CREATE DOMAIN d23 AS text DEFAULT 'ann@qzddl.dev'", "DOMAIN public.d23"),
    ("CREATE SEQUENCE d24; COMMENT ON SEQUENCE d24 IS 'ask ann@qzddl.dev'", "COMMENT public.SEQUENCE d24"),
    (
        "CREATE TABLE d25 (a text); CREATE INDEX d25_index ON d25 (a); COMMENT ON INDEX d25_index IS 'ask ann@qzddl.dev'",
        "COMMENT public.INDEX d25_index",
    ),
    (
        "CREATE TABLE d26 (a text); CREATE VIEW d26_view AS SELECT a FROM d26 WHERE a = E'ann\\x40qzddl.dev'",
        "VIEW public.d26_view",
    ),
    ("CREATE FUNCTION d27() RETURNS text LANGUAGE sql AS $$ SELECT '536-71-8294' $$", "FUNCTION public.d27()"),
    (
        "CREATE FUNCTION d28() RETURNS text LANGUAGE sql AS $$ SELECT 'postgres://ann:geheim77@db.test/x' $$",
        "FUNCTION public.d28()",
    ),
];

#[test]
fn definitions_that_name_people_are_refused_whatever_object_holds_them() {
    let lab = lab("literals");
    let definitions: Vec<&str> = DEFINITIONS.iter().map(|(sql, _)| *sql).collect();
    lab.seed(&(definitions.join(";\n") + ";\nCREATE TABLE fine (a text DEFAULT 'nobody at all');"));
    // Foreign servers and tables need a superuser to make; they are refused like the rest.
    lab.production(
        "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER d30 FOREIGN DATA WRAPPER w OPTIONS (owner 'ann@qzddl.dev'); \
         CREATE FOREIGN TABLE d31 (a text) SERVER d30 OPTIONS (path '/home/ann@qzddl.dev')",
    );
    lab.grant();
    lab.config("[tables.\"*\"]\ndefault = { keep = \"a test\" }\n");
    let ran = lab.restage(&["refresh", "--json"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).expect("one JSON document");
    let refused: Vec<&str> = document["error"]
        .as_array()
        .expect("reports")
        .iter()
        .filter(|report| report["code"] == "plan::personal-literal")
        .filter_map(|report| report["message"].as_str())
        .collect();
    let labels = DEFINITIONS.iter().map(|(_, label)| *label).chain(["SERVER d30", "FOREIGN TABLE public.d31"]);
    let missing: Vec<&str> = labels.filter(|label| !refused.iter().any(|message| message.contains(label))).collect();
    assert!(missing.is_empty(), "not refused: {missing:?}\nrefused: {refused:#?}");
    assert!(!refused.iter().any(|message| message.contains("fine")), "{refused:#?}");
    for text in [&ran.stdout, &ran.stderr, &lab.target.log()] {
        assert!(!text.contains("qzddl"), "a refusal names the object and not its content: {text}");
    }
    assert_eq!(lab.databases(), std::slice::from_ref(&lab.name), "nothing was made on the target");
}

/// Definitions that name a person in words, and the label a refusal has to name.
const NAMED: &[(&str, &str)] = &[
    (
        "CREATE FUNCTION n1() RETURNS int LANGUAGE sql AS 'SELECT 1'; COMMENT ON FUNCTION n1() IS 'ask Maria Schneider'",
        "COMMENT public.FUNCTION n1()",
    ),
    ("CREATE DOMAIN n2 AS text CONSTRAINT n2_check CHECK (VALUE <> 'Robert Miller')", "DOMAIN public.n2"),
    (
        "COMMENT ON CONSTRAINT n2_check ON DOMAIN n2 IS 'wanted by Dr. Qzvogel'",
        "COMMENT public.CONSTRAINT n2_check ON DOMAIN n2",
    ),
    (
        "CREATE FUNCTION n3(a text DEFAULT 'Maria J. Schneider') RETURNS text LANGUAGE sql AS 'SELECT a'",
        "FUNCTION public.n3(text)",
    ),
    (
        "CREATE FUNCTION n4() RETURNS int LANGUAGE plpgsql AS $$ BEGIN /* by Robert Miller */ RETURN 1; END $$",
        "FUNCTION public.n4()",
    ),
    ("CREATE TYPE n5 AS ENUM ('nobody', 'Maria Schneider')", "TYPE public.n5"),
    (
        "CREATE TABLE n6 (a text) PARTITION BY LIST (a); CREATE TABLE n6_1 PARTITION OF n6 FOR VALUES IN ('Robert Miller')",
        "public.n6_1",
    ),
    ("CREATE TYPE n7 AS (a int); COMMENT ON TYPE n7 IS 'Frau Schmidt'", "COMMENT public.TYPE n7"),
];

/// Values that no sign gives away, each with the label a refusal has to name.
const UNSIGNED: &[(&str, &str)] = &[
    ("CREATE TABLE u1 (phone varchar(20) DEFAULT '0612345678')", "TABLE public.u1"),
    ("CREATE TABLE u2 (a text DEFAULT '0171 2345678')", "TABLE public.u2"),
    ("CREATE TABLE u3 (ssn varchar(11) DEFAULT '536718294')", "TABLE public.u3"),
    ("CREATE DOMAIN u4 AS text CHECK (VALUE <> 'Hauptstr. 12, 10115 Berlin')", "DOMAIN public.u4"),
    ("CREATE TYPE u5 AS ENUM ('nobody', 'robert.miller')", "TYPE public.u5"),
    (
        "CREATE FUNCTION u6() RETURNS int LANGUAGE plpgsql AS $$ BEGIN -- password: hunter2!x\n RETURN 1; END $$",
        "FUNCTION public.u6()",
    ),
    ("CREATE VIEW u7 AS SELECT 'MILLER, ROBERT'::text AS a", "VIEW public.u7"),
    ("CREATE TABLE u8 (a text DEFAULT 'DE44500105175407324931')", "TABLE public.u8"),
];

#[test]
fn definitions_are_searched_for_values_without_a_sign_and_let_pass_what_is_nobodys() {
    let lab = Lab::new("literal_forms");
    let definitions: Vec<&str> = UNSIGNED.iter().map(|(sql, _)| *sql).collect();
    lab.seed(
        &(definitions.join(";\n")
            + ";\nCREATE TABLE fine (a text DEFAULT 'user@example.com', b text DEFAULT '+1 555 0100', c text DEFAULT '4242424242424242', \
               d text DEFAULT 'DE89370400440532013000', e text DEFAULT '123-45-6789', f text DEFAULT 'John Doe', \
               g text DEFAULT 'postgres://user:password@localhost/db', app_version varchar(20) DEFAULT '1.14.2.7'); \
               COMMENT ON TABLE fine IS 'since version 1.2.3.4, see https://shop.example/?token={token} and 8.8.8.8, \
               git@github.com:org/repo, https://YOUR_TOKEN@nordwind.de, AKIAIOSFODNN7EXAMPLE, phone (555) 223-4567';"),
    );
    lab.config("[tables.\"*\"]\ndefault = { keep = \"a test\" }\n");
    let ran = lab.restage(&["plan"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    let said = format!("{}{}", ran.stdout, ran.stderr);
    for (_, label) in UNSIGNED {
        assert!(said.contains(&format!("{label} holds what looks like personal data")), "{label}: {said}");
    }
    assert!(!said.contains("public.fine holds"), "{said}");
    for canary in ["0612345678", "2345678", "536718294", "Hauptstr", "hunter2", "DE4450"] {
        assert!(!said.contains(canary), "{canary}: {said}");
    }
    // A plan that is refused for another reason tells them too.
    lab.config("[tables.\"public.fine\".columns]\na = \"keep\"\n");
    let ran = lab.restage(&["plan"]);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(ran.code == 3 && said.contains("plan::undecided-column"), "{ran:?}");
    assert_eq!(said.matches("holds what looks like personal data").count(), UNSIGNED.len(), "{said}");
}

#[test]
fn definitions_that_name_people_in_words_are_refused_and_accepted_one_by_one() {
    let lab = Lab::new("literal_names");
    let definitions: Vec<&str> = NAMED.iter().map(|(sql, _)| *sql).collect();
    lab.seed(&(definitions.join(";\n") + ";\nCREATE TABLE fine (a text DEFAULT 'nobody at all'); COMMENT ON TABLE fine IS 'Grant Select to the readers. Order Status.';"));
    let config = |allow: &str| {
        format!("[policy]\nddl_literals_allow = [{allow}]\n[tables.\"*\"]\ndefault = {{ keep = \"a test\" }}\n")
    };
    lab.config(&config(""));
    let ran = lab.restage(&["plan"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    let said = format!("{}{}", ran.stdout, ran.stderr);
    for (_, label) in NAMED {
        assert!(said.contains(&format!("{label} holds what looks like personal data")), "{label}: {said}");
        assert!(said.contains(&format!("{label}\"")), "{label}: {said}");
    }
    assert!(!ran.stderr.contains("fine") && !said.contains("Schneider") && !said.contains("Miller"), "{said}");
    // One line accepts all of them: a second one would be no configuration.
    let line = said.lines().find_map(|line| line.trim().strip_prefix("ddl_literals_allow = ")).expect("a line");
    assert_eq!(said.matches("ddl_literals_allow = ").count(), 1, "{said}");
    lab.config(&config("").replace("ddl_literals_allow = []", &format!("ddl_literals_allow = {line}")));
    let ran = lab.restage(&["plan"]);
    assert!(ran.code == 0 && !format!("{ran:?}").contains("personal-literal"), "{line}: {ran:?}");
    // What is in the file already stays in the line.
    lab.config(&config("\"*n1()\", \"nothing?\""));
    let ran = lab.restage(&["plan"]);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains("ddl_literals_allow = [\"*n1()\", \"nothing?\", "), "{said}");
    assert!(said.contains("# under [policy], instead of the one there"), "{said}");
    // The twin: all but one of them are accepted by their labels.
    lab.config(&config("\"*n1()\", \"*n2\", \"FUNCTION public.n?(*\", \"TYPE public.n5\", \"*n6_1\""));
    let ran = lab.restage(&["plan"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert_eq!(said.matches("holds what looks like personal data").count(), 1, "{said}");
    assert!(said.contains("COMMENT public.TYPE n7"), "{said}");
    lab.config(&config("\"*\""));
    lab.refresh();
    assert_eq!(lab.staging("SELECT obj_description('n7'::regtype, 'pg_type')"), "Frau Schmidt");
}

#[test]
fn accepted_definitions_come_along_as_they_are() {
    let lab = Lab::new("literals_twin");
    let definitions: Vec<&str> = DEFINITIONS.iter().map(|(sql, _)| *sql).collect();
    lab.seed(&(definitions.join(";\n") + ";"));
    lab.config("[policy]\nddl_literals = \"accept\"\n\n[tables.\"*\"]\ndefault = { keep = \"a test\" }\n");
    lab.refresh();
    let dump = lab.target.dump(&lab.name);
    assert!(dump.matches("ann@qzddl.dev").count() >= 26, "{}", dump.matches("ann@qzddl.dev").count());
}

/// A refresh that must fail with this code and exit, and say nothing of any row.
#[track_caller]
fn assert_fails_silently(lab: &Lab<'_>, exit: i32, code: &str) -> Ran {
    let ran = refresh_aloud(lab);
    assert_eq!(ran.code, exit, "{ran:?}");
    assert!(ran.stdout.contains(code), "{code}: {ran:?}");
    assert_silent(lab, &ran);
    let text = lab.restage(&["refresh", "--cron"]);
    assert_eq!(text.code, exit, "{text:?}");
    assert_silent(lab, &text);
    assert_eq!(lab.databases(), std::slice::from_ref(&lab.name), "nothing is left on the target");
    ran
}

#[test]
fn constraints_that_masks_break_are_told_without_the_row() {
    let lab = lab("check");
    lab.seed(
        "CREATE TABLE t (id int PRIMARY KEY, host text, email text, CONSTRAINT agree CHECK (host = split_part(email, '@', 2)));
         INSERT INTO t SELECT i, 'post.test', 'qzkanari' || i || '@post.test' FROM generate_series(1, 50) i;",
    );
    lab.config("[tables.\"public.t\".columns]\nid = \"keep\"\nhost = \"keep\"\nemail = \"email\"\n");
    let ran = assert_fails_silently(&lab, 5, "target::sql");
    assert!(ran.stdout.contains("23514") && ran.stdout.contains("agree"), "{}", ran.stdout);
    // The server quotes the failing row; neither the mask nor what was kept of the row is repeated.
    assert!(!ran.stdout.contains("post.test") && !ran.stdout.contains(".example"), "{}", ran.stdout);
}

#[test]
fn spellings_of_one_address_collide_without_being_told() {
    let lab = lab("unique");
    lab.seed(
        "CREATE TABLE t (id int PRIMARY KEY, email text UNIQUE); \
         INSERT INTO t VALUES (1, 'QZKANARI@post.test'), (2, 'qzkanari@post.test');",
    );
    lab.config("[tables.\"public.t\".columns]\nid = \"keep\"\nemail = \"email\"\n");
    assert_fails_silently(&lab, 3, "plan::spellings-collide");
    // Full-width letters are one spelling that SQL cannot tell: the load finds it.
    let rename = |from: &str, to: &str| {
        lab.source.sql_as(
            "app",
            &lab.name,
            &format!("UPDATE t SET email = '{to}@post.test' WHERE email = '{from}@post.test'"),
        );
    };
    rename("QZKANARI", "ｑzkanari");
    let ran = assert_fails_silently(&lab, 5, "target::sql");
    assert!(ran.stdout.contains("23505") && !ran.stdout.contains(".example"), "{}", ran.stdout);
    rename("ｑzkanari", "QZKANARI");
    lab.config("[tables.\"public.t\".columns]\nid = \"keep\"\nemail = { mask = \"email\", fold = false }\n");
    lab.refresh();
    assert_eq!(lab.staging("SELECT count(DISTINCT email) FROM t"), "2");
}

#[test]
fn functions_that_raise_values_are_not_quoted() {
    let lab = lab("raise");
    lab.seed(
        "CREATE FUNCTION checked(v text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN \
           IF v NOT LIKE 'qz%' THEN RAISE EXCEPTION 'strange bird %', v USING ERRCODE = '42501', TABLE = v, COLUMN = v, HINT = v; END IF; \
           RETURN v; END $$; \
         CREATE TABLE t (id int PRIMARY KEY, email text, twin text GENERATED ALWAYS AS (public.checked(email)) STORED); \
         INSERT INTO t (id, email) VALUES (1, 'qzkanari@post.test');",
    );
    lab.config("[tables.\"public.t\".columns]\nid = \"keep\"\nemail = \"email\"\n");
    let ran = assert_fails_silently(&lab, 5, "target::sql");
    assert!(!ran.stdout.contains("strange bird") && !ran.stdout.contains(".example"), "{}", ran.stdout);
}

#[test]
fn conditions_that_fail_on_a_row_do_not_quote_it() {
    let lab = lab("condition");
    lab.seed(
        "CREATE TABLE t (id int PRIMARY KEY, email text); INSERT INTO t VALUES (1, '7'), (2, 'qzkanari@post.test');",
    );
    lab.config(
        "[tables.\"public.t\"]\nrows = { where = \"email::int > 0\" }\n\n[tables.\"public.t\".columns]\nid = \"keep\"\nemail = \"email\"\n",
    );
    let ran = assert_fails_silently(&lab, 4, "source::");
    assert!(ran.stdout.contains("22P02"), "{}", ran.stdout);
}

#[test]
fn values_a_mask_refuses_are_told_by_place() {
    let lab = lab("refused_value");
    lab.seed(
        "CREATE TABLE t (id int PRIMARY KEY, email text); \
         INSERT INTO t SELECT i, CASE i WHEN 7 THEN 'Qzkanari, no address' ELSE 'qzkanari' || i || '@post.test' END FROM generate_series(1, 9) i;",
    );
    lab.config("[tables.\"public.t\".columns]\nid = \"keep\"\nemail = { mask = \"email\", on_invalid = \"fail\" }\n");
    let ran = assert_fails_silently(&lab, 4, "source::mask");
    assert!(ran.stdout.contains("public.t") && ran.stdout.contains("email"), "{}", ran.stdout);
}

#[test]
fn bytes_that_are_no_text_are_told_by_place() {
    let lab = lab("no_text");
    lab.source.sql(
        "postgres",
        &format!(
            "DROP DATABASE \"{name}\"; CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING SQL_ASCII OWNER app",
            name = lab.name
        ),
    );
    lab.seed(
        "CREATE TABLE t (id int PRIMARY KEY, email text, note text); \
         INSERT INTO t VALUES (1, 'qzkanari@post.test', 'a'), (2, E'qzkanari\\xff@post.test', 'b');",
    );
    lab.config_with(
        "assume_encoding = \"UTF8\"",
        "",
        "[tables.\"public.t\".columns]\nid = \"keep\"\nemail = \"email\"\nnote = { keep = \"a test\" }\n",
    );
    let ran = assert_fails_silently(&lab, 4, "source::bytes");
    assert!(ran.stdout.contains("public.t") && ran.stdout.contains("22021"), "{}", ran.stdout);
}

#[test]
fn paths_that_are_none_are_refused_before_a_row_is_read() {
    let lab = lab("path");
    lab.seed("CREATE TABLE t (id int PRIMARY KEY, j jsonb); INSERT INTO t VALUES (1, '{\"a\": \"qzkanari\"}');");
    for path in ["$.a[", "a", "$..", "$[x]"] {
        lab.config(&format!(
            "[tables.\"public.t\".columns]\nid = \"keep\"\nj = {{ mask = \"json\", paths = {{ \"{path}\" = \"email\" }}, rest = \"keep\" }}\n"
        ));
        assert_fails_silently(&lab, 3, "plan::");
    }
}

/// Many rows in a table that takes a while, and the policy for it.
fn flock(lab: &Lab<'_>, hook: &str) {
    lab.seed(
        "CREATE TABLE flock (id int PRIMARY KEY, email text, note text); \
         INSERT INTO flock SELECT i, 'qzkanari' || i || '@post.test', 'tel +1 312 867 5318, SSN 536-71-8294' FROM generate_series(1, 40000) i;",
    );
    lab.config(&format!(
        "[tables.\"public.flock\".columns]\nid = \"int\"\nemail = \"email\"\nnote = \"text.spans\"\n\n{hook}"
    ));
}

#[track_caller]
fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what} did not happen");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn killed_backends_leave_no_canary_in_errors_or_files() {
    let lab = lab("killed_backends");
    flock(&lab, "");
    for (victim, cluster) in [("source", lab.source), ("target", lab.target)] {
        let child = lab
            .command(&["refresh", "-vv", "--log-format", "json", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("restage starts");
        let copying = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'restage/%' \
                       AND state = 'active' AND query LIKE 'COPY %'";
        let in_lab = if victim == "source" {
            format!("{copying} AND datname = '{}'", lab.name)
        } else {
            format!("{copying} AND datname LIKE '{}\\_\\_%'", lab.name)
        };
        wait_for("a COPY", || cluster.sql("postgres", &in_lab) != "0");
        let output = child.wait_with_output().expect("restage ends");
        let ran = Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        assert_eq!(ran.code, 0, "a unit whose {victim} backend died is copied again: {ran:?}");
        assert_silent(&lab, &ran);
    }
    assert_eq!(lab.staging("SELECT count(*), count(DISTINCT email) FROM flock"), "40000|40000");
}

#[test]
fn process_killed_with_rows_loaded_leaves_no_canary_and_no_file() {
    let lab = lab("killed");
    flock(
        &lab,
        "[[hook]]\nat = \"after-load\"\ncommand = [\"sh\", \"-c\", \"touch $HOME/loaded; while test ! -e $HOME/go; do sleep 0.02; done\"]\n",
    );
    let tmp = lab.path("tmp");
    fs::create_dir(&tmp).expect("mkdir");
    let mut child = lab
        .command(&["refresh", "-vv"])
        .env("TMPDIR", &tmp)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("restage starts");
    wait_for("the load", || lab.path("loaded").exists());
    child.kill().expect("SIGKILL");
    // The hook outlives the program and holds its pipes.
    fs::write(lab.path("go"), "").expect("write");
    let output = child.wait_with_output().expect("restage ends");
    let ran = Ran {
        code: -1,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    assert_eq!(lab.databases().len(), 2, "the loaded database is still aside");
    assert_eq!(fs::read_dir(&tmp).expect("tmp").count(), 0);
    assert_silent(&lab, &ran);
    let ran = refresh_aloud(&lab);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(lab.databases(), std::slice::from_ref(&lab.name));
    assert_silent(&lab, &ran);
}

/// Whether a file of a folder holds these bytes. Not `grep`: they may hold a line feed.
fn holds(folder: &Path, needle: &[u8]) -> bool {
    fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return holds(&path, needle);
        }
        // Files of a living server come and go.
        let Ok(bytes) = fs::read(&path) else { return false };
        let mut rest = bytes.as_slice();
        while let Some(at) = rest.iter().position(|byte| *byte == needle[0]) {
            if rest[at..].starts_with(needle) {
                return true;
            }
            rest = &rest[at + 1..];
        }
        false
    })
}

#[test]
fn key_is_nowhere_but_in_its_place_and_the_process_writes_no_core() {
    let lab = lab("key");
    let hook = "[[hook]]\nat = \"after-load\"\ncommand = [\"sh\", \"-c\", \"env > $HOME/hook.env; touch $HOME/loaded; while test ! -e $HOME/go; do sleep 0.02; done\"]\n";
    lab.seed("CREATE TABLE t (id int PRIMARY KEY, email text); INSERT INTO t VALUES (1, 'ann@post.test');");
    lab.config(&format!("[tables.\"public.t\".columns]\nid = \"int\"\nemail = \"email\"\n\n{hook}"));
    let text = fs::read_to_string(lab.path(KEY)).expect("key").trim().to_owned();
    let hex = text[4..68].to_owned();
    // Given by the environment, where it is easiest to pass on by mistake; the file goes away.
    fs::remove_file(lab.path(KEY)).expect("rm");
    let config = fs::read_to_string(lab.path("restage.toml")).expect("config");
    fs::write(lab.path("restage.toml"), config.replace(&format!("file = \"{KEY}\""), "env = \"RESTAGE_KEY\""))
        .expect("write");
    let child = lab
        .command(&["refresh", "-vv", "--log-format", "json", "--json"])
        .env("RESTAGE_KEY", &text)
        .env("RUST_LOG", "trace")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("restage starts");
    wait_for("the load", || lab.path("loaded").exists());
    let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).expect("limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("core limit");
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    let arguments = fs::read(format!("/proc/{}/cmdline", child.id())).expect("cmdline");
    assert!(!String::from_utf8_lossy(&arguments).contains(&hex));
    fs::write(lab.path("go"), "").expect("write");
    let output = child.wait_with_output().expect("restage ends");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains(&hex) && !said.contains(&text[69..]), "{said}");
    lab.target.sql("postgres", "CHECKPOINT");
    let bytes: Vec<u8> =
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect();
    for folder in [lab.target.folder(), lab.path("").as_path()] {
        assert!(!holds(folder, hex.as_bytes()), "{}", folder.display());
        assert!(!holds(folder, &bytes), "{}", folder.display());
    }
    // The twin of both searches.
    fs::write(lab.path("twin"), &text).expect("write");
    assert!(holds(&lab.path(""), hex.as_bytes()));
    fs::write(lab.path("twin"), &bytes).expect("write");
    assert!(holds(&lab.path(""), &bytes));
}

#[test]
fn wrong_keys_are_not_repeated() {
    let lab = lab("wrong_key");
    lab.seed("CREATE TABLE t (id int PRIMARY KEY);");
    lab.config("[tables.\"public.t\"]\ndefault = { keep = \"a test\" }\n");
    let text = fs::read_to_string(lab.path(KEY)).expect("key").trim().to_owned();
    for wrong in [text[..76].to_owned(), text.to_uppercase(), format!("{}x", &text[..76]), format!("key={text}")] {
        fs::write(lab.path(KEY), &wrong).expect("write");
        let ran = refresh_aloud(&lab);
        assert_eq!(ran.code, 2, "{ran:?}");
        for part in [&wrong[10..30], &wrong[40..60]] {
            assert!(!ran.stdout.contains(part) && !ran.stderr.contains(part), "{ran:?}");
        }
    }
}

#[test]
fn undecided_null_empties_what_nobody_decided() {
    let lab = lab("undecided_null");
    let policy = "[policy]\nundecided = \"null\"\n\n[tables.\"public.t\".columns]\nid = \"keep\"\nemail = \"email\"\n";
    lab.seed(
        "CREATE TABLE t (id int PRIMARY KEY, email text); INSERT INTO t VALUES (1, 'qzkanari@post.test'); \
         ALTER TABLE t ADD COLUMN phone text DEFAULT 'none given'; UPDATE t SET phone = '+1 312 867 5318'; \
         CREATE TABLE diary (at date, note text, tags text[]); INSERT INTO diary VALUES ('1953-11-07', 'qzkanari', '{qzkanari}'), (NULL, 'qzkanari', NULL); \
         ALTER TABLE t ADD COLUMN twin text GENERATED ALWAYS AS (upper(phone)) STORED;",
    );
    lab.config(policy);
    let ran = refresh_aloud(&lab);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(lab.staging("SELECT count(*), count(email), count(phone), count(twin) FROM t"), "1|1|0|0");
    assert_eq!(lab.staging("SELECT count(*), count(at), count(note), count(tags) FROM diary"), "2|0|0|0");
    assert_silent(&lab, &ran);
    // What cannot become NULL still has to be decided.
    lab.source.sql_as("app", &lab.name, "ALTER TABLE t ADD COLUMN token text NOT NULL DEFAULT 'qzkanari'");
    let ran = refresh_aloud(&lab);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stdout.contains("plan::") && ran.stdout.contains("public.t.token"), "{}", ran.stdout);
    assert_silent(&lab, &ran);
    // The twin: kept, it is there. Somewhere else than on the quiet target.
    let twin = Lab::new("undecided_twin");
    twin.seed("CREATE TABLE diary (note text); INSERT INTO diary VALUES ('qzkanari');");
    twin.config("[tables.\"public.diary\"]\ndefault = { keep = \"a test\" }\n");
    twin.refresh();
    assert_eq!(found_in(&twin.target.dump(&twin.name)), ["qzkanari"]);
}
