//! What is refused before a run rather than during it, and whether the lines to paste lead anywhere.

use crate::support::{Lab, Ran};

const KEEP: &str = "[tables.\"public.*\"]\ndefault = { keep = \"a test\" }\n";

/// Refusals of a command as (code, message, hint).
fn refusals(ran: &Ran) -> Vec<(String, String, String)> {
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
    let reports = document["error"].as_array().cloned().unwrap_or_default();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    reports.iter().map(|report| (text(&report["code"]), text(&report["message"]), text(&report["hint"]))).collect()
}

fn codes(ran: &Ran) -> Vec<String> {
    refusals(ran).into_iter().map(|(code, ..)| code).collect()
}

/// Replaces the source database by one in another encoding.
fn in_encoding(lab: &Lab<'_>, encoding: &str) {
    lab.source.sql("postgres", &format!("DROP DATABASE \"{}\"", lab.name));
    let sql = format!("CREATE DATABASE \"{}\" TEMPLATE template0 OWNER app ENCODING '{encoding}' LOCALE 'C'", lab.name);
    lab.source.sql("postgres", &sql);
}

#[test]
fn proposed_lines_can_be_pasted_and_keep_nothing_but_keys() {
    let lab = Lab::new("paste");
    lab.seed(
        "CREATE TABLE e (id int PRIMARY KEY, salary int, birth_year int NOT NULL, phone_number bigint, national_id bigint UNIQUE, \
         pin int, mail text, iban text, passwd text, token text, geburtsdatum date, \"Full Name\" text NOT NULL, \
         active boolean NOT NULL, rate numeric(4,2) NOT NULL, seen timestamptz NOT NULL, data jsonb NOT NULL, tags text[]);
         CREATE TABLE f (e_id int REFERENCES e, note text, PRIMARY KEY (e_id));
         INSERT INTO e VALUES (1, 100, 1990, 49, 7, 1, 'a@b.com', 'DE1', 'x', 'y', '1990-01-01', 'Ann', true, 1.5, now(), '{}', '{a}');
         INSERT INTO f VALUES (1, 'Ann');",
    );
    lab.config("");
    let plan = lab.restage(&["plan", "--json"]);
    assert_eq!(plan.code, 3, "{plan:?}");
    let mut pasted = String::new();
    for (code, _, hint) in refusals(&plan) {
        assert_eq!(code, "plan::undecided-column");
        pasted.push_str(hint.strip_prefix("Add\n").expect("a table of its own"));
        pasted.push('\n');
    }
    let kept: Vec<&str> = pasted.lines().filter(|line| line.contains("keep")).collect();
    assert_eq!(kept, ["id = { keep = \"technical key, names nobody outside\" }"], "{pasted}");
    lab.config(&pasted);
    lab.refresh();
    assert_eq!(lab.staging("SELECT count(*) FROM e JOIN f ON f.e_id = e.id"), "1");
    let explained = lab.restage(&["explain", "e.salary"]);
    assert!(explained.code == 0 && explained.stdout.contains("null"), "{explained:?}");
}

#[test]
fn refusal_of_a_column_among_others_can_be_explained() {
    let lab = Lab::new("explain");
    lab.seed(
        "CREATE TABLE t (id int PRIMARY KEY, a text, b text, twice int GENERATED ALWAYS AS (id * 2) STORED);
         CREATE MATERIALIZED VIEW sums AS SELECT count(*) AS n FROM t; CREATE VIEW shown AS SELECT id FROM t;",
    );
    lab.config("[tables.\"public.t\".columns]\nid = \"keep\"\n");
    let column = lab.restage(&["explain", "public.t.b"]);
    assert!(column.code == 3 && column.stderr.contains("2 columns of \"public.t\""), "{column:?}");
    lab.config(KEEP);
    for (name, reason) in [
        ("public.t.twice", "A generated column"),
        ("t.twice", "A generated column"),
        ("public.sums", "A materialized view"),
        ("sums.n", "A materialized view"),
        ("shown", "A view"),
    ] {
        let ran = lab.restage(&["explain", name]);
        assert!(ran.code == 2 && ran.stderr.contains(reason), "{name}: {ran:?}");
    }
}

#[test]
fn condition_that_the_source_cannot_read_is_refused_with_its_place() {
    let lab = Lab::new("where");
    lab.seed("CREATE TABLE t (id int, note text); INSERT INTO t SELECT i, 'x' FROM generate_series(1, 100) i;");
    for (condition, why) in [
        ("id <= 10) or (id > 90", "closes a parenthesis"),
        ("idd = 1", "42703"),
        ("id = ", "42601"),
        ("id", "42804"),
        ("id = $1", "parameter"),
        ("id = 1 -- one", "comment"),
    ] {
        lab.config(&format!(
            "[tables.\"public.t\"]\ndefault = {{ keep = \"a test\" }}\nrows = {{ where = \"{condition}\" }}\n"
        ));
        let ran = lab.restage(&["plan"]);
        assert_eq!(ran.code, 3, "{condition}: {ran:?}");
        assert_eq!(ran.stderr.matches("error[").count(), 1, "{}", ran.stderr);
        assert!(ran.stderr.contains("error[plan::rows-where]") && ran.stderr.contains(why), "{}", ran.stderr);
        assert!(ran.stderr.contains("restage.toml:"), "{}", ran.stderr);
    }
    lab.config(
        "[tables.\"public.t\"]\ndefault = { keep = \"a test\" }\nrows = { where = \"id <= 10 OR note = ')'\" }\n",
    );
    lab.refresh();
    assert_eq!(lab.staging("SELECT count(*) FROM t"), "10");
}

#[test]
fn spellings_that_masks_would_merge_are_counted_before_the_run() {
    let lab = Lab::new("spelled");
    lab.seed(
        "CREATE TABLE t (id int PRIMARY KEY, tenant int NOT NULL, mail text, UNIQUE (tenant, mail));
         INSERT INTO t SELECT i, i % 2, 'user' || i || '@x.com' FROM generate_series(1, 50) i;
         INSERT INTO t VALUES (100, 0, 'User2@x.com'), (101, 0, ' user2@x.com'), (102, 0, 'user4@x.com.'),
           (103, 1, 'User2@x.com'), (104, 0, 'Nobody'), (105, 0, 'nobody'), (106, 0, NULL), (107, 0, NULL);",
    );
    let policy =
        |mail: &str| format!("[tables.\"public.t\".columns]\nid = \"int\"\ntenant = \"keep\"\nmail = {mail}\n");
    lab.config(&policy("\"email\""));
    assert_eq!(lab.restage(&["plan"]).code, 0, "a plan reads no row");
    let ran = lab.restage(&["-q", "refresh", "--json"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    let found = refusals(&ran);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "plan::spellings-collide");
    assert!(found[0].1.starts_with("4 value(s) of \"public.t.mail\""), "{found:?}");
    assert_eq!(lab.databases(), std::slice::from_ref(&lab.name), "nothing was made");

    lab.config(&policy("\"pattern\""));
    lab.refresh();
    lab.source.sql_as("app", &lab.name, "DELETE FROM t WHERE id IN (101, 102)");
    lab.config(&policy("\"email\""));
    assert_eq!(codes(&lab.restage(&["-q", "refresh", "--json"])), ["plan::spellings-collide"]);
    lab.config(&policy("{ mask = \"email\", fold = false }"));
    lab.refresh();
    lab.source.sql_as("app", &lab.name, "DELETE FROM t WHERE id IN (100, 105)");
    lab.config(&policy("\"email\""));
    lab.refresh();
    assert_eq!(lab.staging("SELECT count(*) FROM t"), "54");
}

#[test]
fn case_that_masks_would_merge_is_counted_before_the_run() {
    let lab = Lab::new("cased");
    lab.seed(
        "CREATE TABLE t (id int PRIMARY KEY, mac text UNIQUE, hetu text UNIQUE, nir text UNIQUE, ric text UNIQUE, firm text UNIQUE);
         INSERT INTO t VALUES (1, '08:00:2B:01:02:03', '131052-308T', '253072A07300443', '11010519491231002X', 'Acme Ltd'),
           (2, '08:00:2b:01:02:03', '131052-308t', '253072a07300443', '11010519491231002x', E' acme\\t LTD'),
           (3, 'Nobody', 'Nobody', 'Nobody', 'Nobody', 'Nobody'), (4, 'nobody', 'nobody', 'nobody', 'nobody', 'nobody');",
    );
    lab.config(
        "[tables.\"public.t\".columns]\nid = \"int\"\nmac = \"mac\"\nhetu = \"fi.hetu\"\nnir = \"fr.nir\"\nric = \"cn.ric\"\n\
         firm = { mask = \"company\", unique = true }\n",
    );
    let ran = lab.restage(&["-q", "refresh", "--json"]);
    let found = refusals(&ran);
    assert_eq!(codes(&ran), ["plan::spellings-collide"; 5], "{found:?}");
    assert!(found.iter().all(|(_, message, _)| message.starts_with("2 value(s)")), "{found:?}");
    lab.source.sql_as("app", &lab.name, "DELETE FROM t WHERE id IN (2, 4)");
    lab.refresh();
    assert_eq!(lab.staging("SELECT count(*) FROM t"), "2");
}

#[test]
fn checks_that_masks_keep_refuse_nothing_and_those_they_break_do() {
    let lab = Lab::new("kept_checks");
    lab.seed(
        "CREATE DOMAIN cents AS numeric(12,2) CHECK (VALUE > 0);
         CREATE TABLE t (id int PRIMARY KEY, amt numeric(10,2) NOT NULL CHECK (amt >= 0), qty int CHECK (qty > 0), price cents,
           share numeric(5,2) CHECK (share BETWEEN 0 AND 100), ratio real CHECK (ratio BETWEEN 0 AND 1),
           born int CHECK (born > 1900), pw text CHECK (pw LIKE '$2%'), cc text CHECK (cc ~ '^[A-Z]{2}$'),
           span int4range CHECK (NOT isempty(span)));
         INSERT INTO t SELECT i, i * 12.5, i * 100, i * 3.99, i, i / 20.0, 1900 + i,
           '$2a$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW', 'DE', int4range(i * 100, i * 100 + 50)
           FROM generate_series(1, 20) i;",
    );
    let kept = "[tables.\"public.t\".columns]\nid = \"int\"\namt = { mask = \"num.noise\", subject = \"id\" }\n\
        qty = { mask = \"num.scale\", subject = \"id\" }\nprice = { mask = \"num.noise\", subject = \"id\" }\n\
        share = { mask = \"num.bucket\", width = 10 }\nratio = { mask = \"num.cap\", max = 1 }\n\
        born = { mask = \"age.cap\", of = \"year\", as_of = \"2026-01-01\" }\npw = \"secret.password\"\n\
        cc = { mask = \"address\", part = \"country\", subject = \"id\" }\n\
        span = { mask = \"num.scale\", subject = \"id\" }\n";
    lab.config(kept);
    lab.refresh();
    assert_eq!(lab.staging("SELECT count(*) FROM t WHERE pw LIKE '$2%' AND qty > 0 AND NOT isempty(span)"), "20");

    // The twin: masks that no value of the column would pass its check with.
    lab.source.sql_as(
        "app",
        &lab.name,
        "ALTER TABLE t ADD stars int CHECK (stars BETWEEN 1 AND 5), ADD status text CHECK (status IN ('open', 'paid'))",
    );
    lab.config(&format!("{kept}stars = {{ mask = \"const\", value = 7 }}\nstatus = \"pattern\"\n"));
    assert_eq!(codes(&lab.restage(&["plan", "--json"])), ["plan::check-violated"; 2]);
    lab.config(&format!(
        "{kept}stars = {{ mask = \"num.cap\", min = 7 }}\nstatus = {{ mask = \"choice\", values = [\"open\"] }}\n"
    ));
    assert_eq!(codes(&lab.restage(&["plan", "--json"])), ["plan::check-violated"]);
}

#[test]
fn checks_that_no_example_settles_are_told_and_those_of_elements_are_judged() {
    let lab = Lab::new("unsettled");
    lab.seed(
        "CREATE DOMAIN age AS int CHECK (VALUE BETWEEN 18 AND 120);
         CREATE TABLE t (id int PRIMARY KEY, a age, b text CHECK (b LIKE '%-%-%-%'), c age[]);
         INSERT INTO t SELECT i, 50 + i, 'a-1-b-' || i, ARRAY[50 + i]::age[] FROM generate_series(1, 20) i;",
    );
    let policy =
        "[tables.\"public.t\".columns]\nid = \"keep\"\na = { mask = \"num.bucket\", width = 50 }\nb = \"pattern\"\n";
    lab.config(&format!("{policy}c = {{ mask = \"num.cap\", max = 100 }}\n"));
    let ran = lab.refresh();
    for told in [
        "check \"age_check\" of \"public.t.a\" may not hold for masks of num.bucket/1: of 7 values that were tried it breaks with 5",
        "check \"t_b_check\" of \"public.t.b\" may not hold for masks of pattern/1: it takes none of the values that were tried",
    ] {
        assert_eq!(ran.stderr.matches(told).count(), 1, "{told}: {}", ran.stderr);
    }
    assert_eq!(ran.stderr.matches("may not hold").count(), 2, "{}", ran.stderr);
    lab.config(&format!("{policy}c = {{ mask = \"num.bucket\", width = 1000 }}\n"));
    assert_eq!(codes(&lab.restage(&["plan", "--json"])), ["plan::check-violated"]);
}

#[test]
fn what_needs_no_row_is_told_at_once() {
    let lab = Lab::new("at_once");
    lab.seed(
        "CREATE TYPE state AS ENUM ('new', 'paid');
         CREATE TABLE t (id int PRIMARY KEY, who text, s state, b boolean, n numeric(5,2), c text CHECK (c IS NOT NULL), d text);",
    );
    lab.config(
        "[tables.\"public.t\".columns]\nid = \"keep\"\nwho = \"name.first\"\n\
         s = { mask = \"choice\", values = [\"new\", \"void\"] }\nb = { mask = \"const\", value = \"maybe\" }\n\
         n = { mask = \"const\", value = \"1234.5\" }\nc = \"null\"\nd = { mask = \"command\", command = [\"./nope.py\"] }\n",
    );
    let ran = lab.restage(&["plan", "--json"]);
    let mut found = codes(&ran);
    found.sort();
    let violated = ["plan::check-violated"; 3].map(str::to_owned);
    let first = found.iter().filter(|code| !violated.contains(code) && *code != "plan::mask").count();
    assert_eq!((found.len(), first), (6, 1), "the missing subject, two masks and three values: {found:?}");
    assert_eq!(found.iter().filter(|code| *code == "plan::mask").count(), 2, "{found:?}");
}

#[test]
fn source_in_another_encoding_arrives_as_it_is() {
    let lab = Lab::new("latin1");
    in_encoding(&lab, "LATIN1");
    lab.seed(
        "SET client_encoding = 'UTF8'; CREATE TABLE \"café\" (id int PRIMARY KEY, \"straße\" text DEFAULT 'Köln', code text, CHECK (\"straße\" <> 'Nürnberg'));
         COMMENT ON TABLE \"café\" IS 'Übersicht';
         INSERT INTO \"café\" (id, code) SELECT i, 'Ä' || i || 'éßø' FROM generate_series(1, 200) i;",
    );
    lab.config(
        "[tables.\"public.café\".columns]\nid = \"keep\"\n\"straße\" = { keep = \"a test\" }\ncode = \"pattern\"\n",
    );
    lab.refresh();
    assert_eq!(
        lab.staging(
            "SET client_encoding = 'UTF8'; SELECT count(DISTINCT code) FROM \"café\" WHERE \"straße\" = 'Köln'"
        ),
        "200"
    );
    assert_eq!(lab.staging("SELECT getdatabaseencoding()"), "LATIN1");
}

#[test]
fn letters_that_masks_would_carry_out_of_the_encoding_are_refused_before_the_run() {
    let lab = Lab::new("win1252");
    in_encoding(&lab, "WIN1252");
    lab.seed(
        "SET client_encoding = 'UTF8'; CREATE TABLE t (id int PRIMARY KEY, code text, mail text);
         INSERT INTO t VALUES (1, 'AB-1', 'müller@x.com'), (2, 'CD-2', 'bob@x.com');",
    );
    lab.config("[tables.\"public.t\".columns]\nid = \"keep\"\ncode = \"pattern\"\nmail = \"email\"\n");
    let plan = lab.restage(&["plan"]);
    assert!(plan.code == 0 && plan.stdout.contains("encoding WIN1252"), "{plan:?}");
    lab.refresh();
    lab.source.sql_as("app", &lab.name, "SET client_encoding = 'UTF8'; INSERT INTO t VALUES (3, 'Šž', 'kein Müller')");
    let ran = lab.restage(&["-q", "refresh", "--json"]);
    assert_eq!((ran.code, codes(&ran)), (3, vec!["plan::leaves-encoding".to_owned(); 2]), "{ran:?}");
    lab.config(
        "[tables.\"public.t\".columns]\nid = \"keep\"\ncode = \"null\"\nmail = { mask = \"email\", on_invalid = \"null\" }\n",
    );
    lab.refresh();
    assert_eq!(lab.staging("SELECT count(*), count(mail) FROM t"), "3|2");
}

#[test]
fn names_of_locales_that_the_encoding_has_not_are_refused_before_the_run() {
    let lab = Lab::new("locales");
    in_encoding(&lab, "LATIN1");
    lab.seed(
        "CREATE TABLE t (id int PRIMARY KEY, country text, first text, mail text);
         INSERT INTO t VALUES (1, 'DE', 'Ann', 'ann@x.com'), (2, ' Poland ', NULL, NULL), (3, 'FR', 'Bob', 'bob@x.com');",
    );
    let policy = |first: &str| {
        format!(
            "[tables.\"public.t\".columns]\nid = \"keep\"\ncountry = {{ keep = \"a test\" }}\n\
             mail = {{ mask = \"email\", locale = \"ja_JP\" }}\nfirst = {{ mask = \"name.first\", subject = \"id\"{first} }}\n"
        )
    };
    lab.config(&policy(", locale = \"ja_JP\""));
    let plan = lab.restage(&["plan", "--json"]);
    let found = refusals(&plan);
    assert_eq!(codes(&plan), ["plan::leaves-encoding"], "{plan:?}");
    assert!(found[0].1.contains("\"public.t.first\"") && found[0].2.contains("`locale`"), "{found:?}");

    // Only rows that are there and have a value matter.
    lab.config(&policy(", locale = \"de_DE\", locale_from = \"country\""));
    lab.refresh();
    lab.source.sql_as("app", &lab.name, "UPDATE t SET first = 'Jan' WHERE id = 2");
    assert_eq!(lab.restage(&["plan"]).code, 0, "a plan reads no row");
    let ran = lab.restage(&["-q", "refresh", "--json"]);
    assert_eq!((ran.code, codes(&ran)), (3, vec!["plan::leaves-encoding".to_owned()]), "{ran:?}");
    assert!(refusals(&ran)[0].1.contains("pl_PL"), "{ran:?}");
    lab.config(&policy(", locale = \"de_DE\""));
    lab.refresh();
}

/// The oracle is the server: it converts what patterns of every letter of an encoding became.
#[test]
fn patterns_stay_in_the_encodings_that_the_plan_lets_them_into() {
    let lab = Lab::new("closed");
    let all = lab.target.sql("postgres", "SELECT pg_encoding_to_char(i) FROM generate_series(0, 41) i");
    let closed: Vec<&str> = all
        .lines()
        .filter(|name| restage::plan::letters_at_risk(name).is_some() && !matches!(*name, "UTF8" | "SQL_ASCII"))
        .collect();
    assert_eq!(closed.len(), 12, "{closed:?}");
    lab.target.sql("postgres", "CREATE OR REPLACE FUNCTION pg_temp.noop() RETURNS int LANGUAGE sql AS 'SELECT 1'");
    let letters = |encoding: &str| {
        let sql = format!(
            "CREATE TEMP TABLE letters (c text);
             DO $$ BEGIN FOR b IN 128..255 LOOP BEGIN
               INSERT INTO letters VALUES (convert_from(set_byte('\\x00', 0, b), '{encoding}'));
             EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; END $$;
             SELECT string_agg(c, '') FROM letters WHERE c !~ '[\\x01-\\x9f]'"
        );
        lab.target.sql("postgres", &sql)
    };
    for encoding in closed {
        let letters = letters(encoding);
        assert!(letters.chars().count() > 40, "{encoding}: {letters}");
        let mut masks = String::new();
        for letter in letters.chars() {
            // Long enough that every letter of its alphabet turns up.
            let at_risk = restage::plan::letters_at_risk(encoding).is_some_and(|known| known.contains(letter));
            for number in 0..if at_risk { 0 } else { 8 } {
                let value = format!("{}{number}", letter.to_string().repeat(12));
                masks.push_str(&pattern(&value));
            }
        }
        let written = lab.target.try_sql(
            "postgres",
            "postgres",
            &format!("SELECT length(convert_to('{}', '{encoding}'))", masks.replace('\'', "''")),
        );
        assert!(written.is_ok(), "{encoding}: {written:?}");
    }
}

fn pattern(value: &str) -> String {
    let key = restage::mask::MasterKey::test().realm("default");
    restage::mask::mask_value(&key, "pattern", "", serde_json::Map::new(), None, value)
        .expect("a pattern takes any text")
        .expect("and gives one")
}

#[test]
fn what_only_a_superuser_can_create_is_refused_by_plan_and_doctor() {
    let lab = Lab::new("untrusted");
    lab.seed("CREATE TABLE t (id int PRIMARY KEY)");
    lab.source.sql(&lab.name, "CREATE EXTENSION file_fdw; CREATE EXTENSION citext; CREATE TYPE later");
    lab.config(KEEP);
    let plan = lab.restage(&["plan", "--json"]);
    assert_eq!(codes(&plan), ["plan::untrusted-extension", "plan::superuser-objects"], "{plan:?}");
    let told = refusals(&plan);
    assert!(told[0].1.contains("file_fdw") && !told[0].1.contains("citext"), "{told:?}");
    assert!(told[1].1.contains("type public.later"), "{told:?}");
    let doctor = lab.restage(&["doctor"]);
    assert!(doctor.code != 0 && doctor.stdout.contains("file_fdw"), "{doctor:?}");
    lab.source.sql(&lab.name, "DROP EXTENSION file_fdw; DROP TYPE later");
    lab.refresh();
}

#[test]
fn doctor_and_plan_ask_for_the_same_rights() {
    let lab = Lab::new("rights");
    lab.seed(
        "CREATE TABLE t (id int PRIMARY KEY); CREATE SCHEMA closed; CREATE TABLE closed.u (id serial PRIMARY KEY);
         CREATE SCHEMA open; CREATE SEQUENCE open.s;",
    );
    lab.source.sql(
        &lab.name,
        "REVOKE ALL ON SCHEMA closed FROM reader; REVOKE ALL ON ALL TABLES IN SCHEMA closed FROM reader; \
        REVOKE ALL ON ALL SEQUENCES IN SCHEMA closed, open FROM reader",
    );
    lab.config("[tables.\"*.*\"]\ndefault = { keep = \"a test\" }\n");
    let plan = lab.restage(&["plan", "--json"]);
    let doctor = lab.restage(&["doctor"]);
    assert_eq!(codes(&plan), ["plan::unreadable"; 2], "{plan:?}");
    let grants: Vec<String> = refusals(&plan).into_iter().flat_map(|(.., hint)| lines(&hint)).collect();
    assert_eq!(grants.len(), 4, "{grants:?}");
    for grant in &grants {
        assert!(doctor.stdout.contains(grant.as_str()), "{grant} is not in:\n{}", doctor.stdout);
    }
    lab.source.sql(&lab.name, &grants.join("\n"));
    assert_eq!(lab.restage(&["plan"]).code, 0);
    assert_eq!(lab.restage(&["doctor"]).code, 0);
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

#[test]
fn doctor_fails_where_row_security_would_refuse_the_run() {
    let lab = Lab::new("rls");
    lab.seed("CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t ENABLE ROW LEVEL SECURITY");
    let role = format!("{}_bound", lab.name);
    lab.source.sql(&lab.name, &format!("CREATE ROLE \"{role}\" LOGIN IN ROLE reader"));
    lab.config(KEEP);
    let file = lab.path("restage.toml");
    let text =
        std::fs::read_to_string(&file).expect("configuration").replacen("user=reader", &format!("user={role}"), 1);
    std::fs::write(file, text).expect("written");
    let (plan, doctor) = (lab.restage(&["plan", "--json"]), lab.restage(&["doctor"]));
    assert_eq!(codes(&plan), ["plan::row-security"], "{plan:?}");
    assert!(doctor.code != 0 && !doctor.stdout.contains("Nothing keeps a run"), "{doctor:?}");
    assert!(doctor.stdout.contains(&format!("ALTER ROLE \"{role}\" BYPASSRLS;")), "{}", doctor.stdout);
    lab.source.sql(&lab.name, &format!("DROP ROLE \"{role}\""));
}

#[test]
fn as_many_guards_are_marked_as_errors_are_told() {
    let lab = Lab::new("guards_told");
    lab.seed("CREATE TABLE t (id int PRIMARY KEY)");
    lab.config(KEEP);
    let file = lab.path("restage.toml");
    let text = std::fs::read_to_string(&file).expect("configuration");
    let (from, to) = (lab.target.url("restage", &lab.name), lab.source.url("app", &lab.name));
    std::fs::write(file, text.replacen(&from, &to, 1)).expect("written");
    let plan = lab.restage(&["plan"]);
    assert_eq!(plan.code, 3, "{plan:?}");
    assert_eq!(
        plan.stdout.matches('✗').count(),
        plan.stderr.matches("error[").count(),
        "{}\n{}",
        plan.stdout,
        plan.stderr
    );
}

#[test]
fn row_that_cannot_be_masked_is_told_by_its_place_in_the_table() {
    let lab = Lab::new("place");
    lab.seed(
        "CREATE TABLE t (id int, mail text);
         INSERT INTO t SELECT i, repeat('x', 500) || i || '@x.com' FROM generate_series(1, 20000) i;
         UPDATE t SET mail = 'nobody' WHERE id = 15000;",
    );
    lab.source.sql(&lab.name, "VACUUM FULL t; ANALYZE t");
    lab.config_with(
        "chunk_bytes = \"4MiB\"",
        "",
        "[tables.\"public.t\".columns]\nid = \"keep\"\nmail = { mask = \"email\", on_invalid = \"fail\" }\n",
    );
    let ran = lab.restage(&["-q", "refresh", "--json"]);
    assert_eq!((ran.code, codes(&ran)), (4, vec!["source::mask".to_owned()]), "{ran:?}");
    let hint = &refusals(&ran)[0].2;
    let query = hint.lines().last().expect("a query");
    let ctid = lab.production(query);
    assert_eq!(lab.production(&format!("SELECT id FROM t WHERE ctid = '{ctid}'")), "15000", "{hint}");
    assert!(ran.stdout.contains(" of chunk ") && !ran.stdout.contains("of the batch"), "{}", ran.stdout);
}

#[test]
fn an_index_over_a_function_that_names_something_without_its_schema_is_refused_with_the_line_that_helps() {
    let lab = Lab::new("inlined");
    lab.seed(
        "CREATE FUNCTION bare(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN lower($1); END';
         CREATE FUNCTION plain(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT public.bare($1)';
         CREATE FUNCTION whole(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT public.bare($1)';
         CREATE TABLE t (id int PRIMARY KEY, n text); INSERT INTO t VALUES (1, 'X');
         CREATE INDEX t_plain ON t (plain(n)); CREATE INDEX t_whole ON t (whole(n));
         CREATE TABLE u (id int PRIMARY KEY, n text); CREATE INDEX u_whole ON u (whole(n));
         -- From 17 on an index over it as it is now could not be made.
         CREATE OR REPLACE FUNCTION plain(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT bare($1)'",
    );
    lab.config(KEEP);
    let plan = lab.restage(&["plan", "--json"]);
    assert_eq!(plan.code, 3, "{plan:?}");
    let found = refusals(&plan);
    let [(code, message, hint)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(code, "plan::index-function");
    assert!(message.contains("\"public.t\""), "{message}");
    assert!(plan.stdout.contains("public.t_plain calls public.plain(text)"), "{}", plan.stdout);
    let line = hint.lines().find(|line| line.contains("plain")).expect("a line to paste");
    assert!(line.starts_with("ALTER FUNCTION public.plain(text) SET search_path = \"public\";"), "{hint}");
    lab.source.sql_as("app", &lab.name, line);
    lab.refresh();
    assert_eq!(lab.staging("SELECT id, n FROM t WHERE plain(n) = 'x'"), "1|X");
}

#[test]
fn rows_of_the_source_that_break_its_own_constraints_are_counted_and_shown_by_a_query() {
    let lab = Lab::new("past_keys");
    lab.seed(
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int CONSTRAINT c_p REFERENCES p);
         INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1), (2, NULL);",
    );
    lab.source.sql(&lab.name, "SET session_replication_role = replica; INSERT INTO c VALUES (3, 8), (4, 9)");
    lab.config(KEEP);
    let ran = lab.restage(&["refresh", "--json"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    let found = refusals(&ran);
    let [(code, _, hint)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(code, "target::broken-constraint");
    assert!(ran.stdout.contains("2 rows break it"), "{}", ran.stdout);
    let look = hint.lines().find(|line| line.starts_with("SELECT")).expect("a query");
    assert_eq!(lab.source.sql(&lab.name, look).lines().count(), 2, "{look}");
    let repair: Vec<&str> = hint.lines().filter(|line| line.starts_with("ALTER")).collect();
    lab.source.sql_as("app", &lab.name, &repair.join("\n"));
    lab.refresh();
    assert_eq!(lab.staging("SELECT count(*) FROM c"), "4");
}

#[test]
fn a_check_that_the_source_breaks_itself_is_not_blamed_on_masks() {
    let lab = Lab::new("past_check");
    // A function whose answer changed since the rows were written.
    lab.seed(
        "CREATE FUNCTION fine(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN true; END';
         CREATE TABLE t (id int PRIMARY KEY, n int CONSTRAINT n_fine CHECK (fine(n)));
         INSERT INTO t SELECT i, i FROM generate_series(1, 9) i;
         CREATE OR REPLACE FUNCTION fine(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1 < 8; END';",
    );
    lab.config(KEEP);
    let ran = lab.restage(&["refresh", "--json"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    let found = refusals(&ran);
    let [(code, message, hint)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(code, "target::broken-constraint");
    assert!(message.contains("n_fine") && !ran.stdout.contains("masked value"), "{}", ran.stdout);
    let look = hint.lines().find(|line| line.starts_with("SELECT")).expect("a query");
    assert_eq!(lab.source.sql(&lab.name, look).lines().count(), 2, "{look}");
}

#[test]
fn an_extension_that_only_a_superuser_creates_can_be_left_out() {
    let lab = Lab::new("without");
    lab.source.sql(&lab.name, "CREATE EXTENSION amcheck");
    lab.seed("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    lab.config(KEEP);
    let plan = lab.restage(&["plan", "--json"]);
    assert_eq!(codes(&plan), ["plan::untrusted-extension"], "{plan:?}");
    let hint = refusals(&plan).remove(0).2;
    let line = hint.lines().find(|line| line.starts_with("skip_extensions = [\"amcheck\"]")).expect("a line to paste");
    let line = line.split(';').next().expect("a line");
    // A name that means nothing is told.
    lab.config_with("", &line.replace("\"amcheck\"", "\"amcheck\", \"amchek\""), KEEP);
    let plan = lab.restage(&["plan", "--json"]);
    let told = "which is no extension of the source: it has amcheck, plpgsql";
    assert!(plan.code == 0 && plan.stdout.contains(told) && plan.stdout.contains("amchek"), "{plan:?}");
    lab.config_with("", line, KEEP);
    assert!(!lab.restage(&["plan", "--json"]).stdout.contains("which is no extension"), "it is one");
    lab.refresh();
    assert_eq!(
        lab.staging("SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM pg_extension WHERE extname = 'amcheck')"),
        "1|0"
    );
}
