//! Masks for some rows only (`when`), through real servers.

use crate::support::Lab;

/// Staff and customers in one table; contacts of several kinds in one column; notes whose person is two tables away.
/// `forms` is as `contacts`, with a column that forces the text format; `visits` is partitioned.
const PEOPLE: &str = r#"
CREATE TABLE people (id int PRIMARY KEY, is_staff bool, email text UNIQUE, name text, tags text[], salary numeric);
INSERT INTO people SELECT g, CASE WHEN g % 4 = 0 THEN true WHEN g % 4 = 1 THEN NULL ELSE false END,
    'user' || g || '@canary.example.com', 'Canary Person' || g, array['canary' || g, NULL], g * 1.5 FROM generate_series(1, 400) g;
CREATE TABLE contacts (id int PRIMARY KEY, kind text NOT NULL, value text, person_id int REFERENCES people);
INSERT INTO contacts SELECT g, (array['email', 'phone', 'web'])[1 + g % 3],
    (array['user' || g || '@canary.example.com', '+1 212 555 01' || lpad((g % 100)::text, 2, '0'), 'https://canary' || g])[1 + g % 3],
    1 + g % 400 FROM generate_series(1, 900) g;
CREATE TABLE forms AS SELECT *, 'pg_class'::regclass AS class FROM contacts;
ALTER TABLE forms ADD PRIMARY KEY (id), ADD FOREIGN KEY (person_id) REFERENCES people;
CREATE TABLE notes (id int PRIMARY KEY, contact_id int REFERENCES contacts, kind text, text text);
INSERT INTO notes SELECT g, CASE WHEN g % 10 > 0 THEN g END, 'note', 'a canary note ' || g FROM generate_series(1, 800) g;
CREATE TABLE visits (id int, at date, host text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE visits_1 PARTITION OF visits FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE visits_2 PARTITION OF visits FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
INSERT INTO visits SELECT g, date '2020-01-01' + g, 'canary-host-' || g FROM generate_series(1, 700) g;
"#;

/// `OTHERWISE` stands for what becomes of contacts that are no addresses.
const POLICY: &str = r#"
[tables."public.people".columns]
id       = "keep"
is_staff = "keep"
email    = { mask = "email", when = "NOT is_staff", otherwise = { keep = "staff sign in to staging" } }
name     = { mask = "name.full", subject = "id", when = "NOT is_staff", otherwise = { keep = "staff" } }
tags     = { mask = "pattern", when = "NOT is_staff", otherwise = { keep = "staff" } }
salary   = { mask = "num.noise", subject = "id", when = "NOT is_staff" }

[tables."public.contacts".columns]
id        = "keep"
kind      = "keep"
value     = { mask = "email", on_invalid = "fail", when = "kind = 'email'", OTHERWISE }
person_id = "keep"

[tables."public.forms".columns]
id        = "keep"
kind      = "keep"
value     = { mask = "email", on_invalid = "fail", when = "kind = 'email'", OTHERWISE }
person_id = "keep"
class     = { keep = "a catalog name" }

[tables."public.notes".columns]
id         = "keep"
contact_id = "keep"
kind       = "keep"
text       = { mask = "pattern", when = "NOT is_staff", when_at = "contact_id -> public.contacts.person_id -> public.people.id", otherwise = { keep = "staff" } }

[tables."public.visits".columns]
id   = "keep"
at   = "keep"
host = { mask = "pattern", when = "at < '2020-06-01'" }
"#;

fn lab(name: &str, otherwise: &str) -> Lab<'static> {
    let lab = Lab::new(name);
    lab.seed(PEOPLE);
    lab.config(&POLICY.replace("OTHERWISE", otherwise));
    lab.refresh();
    lab
}

#[test]
fn rows_are_masked_unless_their_condition_is_false() {
    let lab = lab("when_rows", "otherwise = \"null\"");
    let staging = |sql: &str| lab.staging(sql);
    assert_eq!(lab.production("SELECT count(*) FROM people WHERE is_staff"), "100");
    // Staff keep everything but the salary, which becomes NULL; a row that does not say is no staff.
    let kept = "email = 'user' || id || '@canary.example.com' AND name = 'Canary Person' || id AND tags = array['canary' || id, NULL]";
    assert_eq!(staging(&format!("SELECT count(*) FROM people WHERE is_staff AND {kept} AND salary IS NULL")), "100");
    let masked = "email LIKE '%.example' AND email NOT LIKE '%canary%' AND name NOT LIKE '%Canary%' AND tags[1] !~ 'canary' \
                  AND tags[2] IS NULL AND salary IS NOT NULL";
    assert_eq!(staging(&format!("SELECT count(*) FROM people WHERE is_staff IS NOT TRUE AND {masked}")), "300");
    for table in ["contacts", "forms"] {
        let addresses = format!("SELECT count(*) FROM {table} WHERE kind = 'email' AND value LIKE '%.example'");
        assert_eq!(staging(&addresses), "300", "{table}");
        let others = format!("SELECT count(*), count(value) FROM {table} WHERE kind <> 'email'");
        assert_eq!(staging(&others), "600|0", "{table}");
    }
    // The person of a note is two tables away, both of which have columns of the names in the condition.
    let person =
        "FROM notes AS n LEFT JOIN contacts AS c ON c.id = n.contact_id LEFT JOIN people AS p ON p.id = c.person_id";
    let staff = format!("SELECT count(*) {person} WHERE p.is_staff");
    let same = format!("SELECT count(*) {person} WHERE n.text = 'a canary note ' || n.id");
    assert_eq!(staging(&same), lab.production(&staff));
    assert_ne!(staging(&same), "0");
    assert_eq!(
        staging("SELECT count(*) FROM notes WHERE contact_id IS NULL AND text = 'a canary note ' || id"),
        "0",
        "a note of nobody is masked"
    );
    assert_eq!(staging("SELECT count(*) FROM notes"), "800");
    assert_eq!(staging("SELECT count(*), count(host) FROM visits"), "700|151");
    assert_eq!(staging("SELECT count(*) FROM visits WHERE host = 'canary-host-' || id"), "0");
}

#[test]
fn only_rows_that_are_kept_with_a_reason_keep_their_value() {
    // The twin: what the other test does not find is there as soon as the policy keeps it.
    let lab = lab("when_kept", "otherwise = { keep = \"public numbers and pages\" }");
    for table in ["contacts", "forms"] {
        assert_eq!(lab.staging(&format!("SELECT count(*) FROM {table} WHERE value LIKE '%canary%'")), "300", "{table}");
        assert_eq!(lab.staging(&format!("SELECT count(*) FROM {table} WHERE value LIKE '+1 212%'")), "300", "{table}");
    }
}

#[test]
fn a_condition_that_the_source_cannot_read_is_refused_before_a_row_is_read() {
    let lab = Lab::new("when_bad");
    lab.seed(
        "CREATE TYPE mood AS ENUM ('calm');
         CREATE TABLE t (id int PRIMARY KEY, x text, mood mood, at date); INSERT INTO t VALUES (1, 'a', 'calm', '2024-12-31');",
    );
    let (names, literal) = ("Names of columns are as in the table", "not of the type that it is compared with");
    for (bad, says, hint) in [
        ("y > 7", "42703", names),
        ("s.id > 7", "42P01", "is called t, not by its name"),
        ("id", "42804", "true or false for each row"),
        ("count(*) > 1", "42803", "about one row, of which there is no aggregate"),
        ("generate_series(1, 2) = 1", "42804", "no function that returns several rows"),
        ("id = 'qzvalue'", "22P02", literal),
        ("mood = 'qzvalue'", "22P02", literal),
        ("at > 'qzvalue'", "22007", "compared with a date or time and is none"),
        ("at > '2024-12-47'", "22008", "Write the year first"),
        ("id = $1", "parameter", names),
    ] {
        let decisions = "default = \"keep\"\n[tables.\"public.t\".columns]\nx";
        lab.config(&format!("[tables.\"public.t\"]\n{decisions} = {{ mask = \"pattern\", when = \"{bad}\" }}\n"));
        let ran = lab.restage(&["plan"]);
        assert_eq!(ran.code, 3, "{bad}: {}", ran.stderr);
        for told in ["plan::when", says, hint] {
            assert!(ran.stderr.contains(told), "{bad}: {told}: {}", ran.stderr);
        }
        // Values of conditions are often those of rows.
        assert!(!ran.stderr.contains("qzvalue") && !ran.stderr.contains("12-47"), "{bad}: {}", ran.stderr);
    }
    // With what else is refused, not after it.
    lab.config(
        "[policy]\nundecided = \"refuse\"\n[tables.\"public.t\"]\nrows = { where = \"z > 7\" }\n\
         [tables.\"public.t\".columns]\nx = { mask = \"pattern\", when = \"y > 7\" }\n",
    );
    let ran = lab.restage(&["plan"]);
    for code in ["plan::undecided-column", "plan::when", "plan::rows-where"] {
        assert_eq!((ran.code, ran.stderr.matches(code).count()), (3, 1), "{code}: {}", ran.stderr);
    }
}
