//! Texts that name a person whose names stand in another table, through real servers.

use crate::support::Lab;

/// `orders` names the customer one table away, `parcels` two, `letters` beside conditions whose columns the joined tables
/// have too, `forms` in the text format, and `people` names the manager, who is a row of the same table.
const SCHEMA: &str = r#"
CREATE TABLE people (id int PRIMARY KEY, first_name text, last_name varchar(60), country text, login varchar(80) UNIQUE,
    manager_id int REFERENCES people, note text);
INSERT INTO people SELECT g, 'Canary' || chr(97 + g % 26) || chr(97 + g / 26), 'Qzvogel' || chr(97 + g / 26) || chr(97 + g % 26),
    (array['DE', 'US', NULL])[1 + g % 3], 'zqlogin' || g FROM generate_series(1, 300) g;
UPDATE people AS p SET manager_id = m.id, note = 'reports to ' || m.first_name || ' ' || m.last_name || ' since May'
    FROM people AS m WHERE m.id = (p.id + 1) / 2 AND p.id % 5 > 0;
CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES people, note text);
INSERT INTO orders SELECT g, p.id, p.first_name || ' ' || p.last_name || ' (' || p.login || ') called; ask for ' || p.last_name
    FROM generate_series(1, 900) g LEFT JOIN people p ON p.id = 1 + g % 310;
UPDATE orders SET note = 'nobody called' WHERE customer_id IS NULL;
CREATE TABLE parcels (id int PRIMARY KEY, order_id int REFERENCES orders, label json);
INSERT INTO parcels SELECT o.id, o.id, json_build_object('to', 'c/o ' || p.first_name || ' ' || p.last_name, 'kg', 'three')
    FROM orders o JOIN people p ON p.id = o.customer_id;
CREATE TABLE letters (id int PRIMARY KEY, country text, order_id int REFERENCES orders, body text);
INSERT INTO letters SELECT o.id, 'DE', o.id, 'Dear ' || p.first_name || ' ' || p.last_name || ', thank you.'
    FROM orders o JOIN people p ON p.id = o.customer_id;
CREATE TABLE forms (id int PRIMARY KEY, customer_id int REFERENCES people, class regclass, remark text);
INSERT INTO forms SELECT id, id, 'pg_class', last_name || ', ' || first_name || ' signed' FROM people;
"#;

const POLICY: &str = r#"
[tables."public.people".columns]
id         = "keep"
first_name = { mask = "name.first", subject = "id", locale_from = "country" }
last_name  = { mask = "name.last", subject = "id", locale_from = "country" }
country    = "keep"
login      = { mask = "template", text = "{last_name|slug:9}.{b32:16}", subject = "id" }
manager_id = "keep"
note       = { mask = "text.spans", subject = "manager_id" }

[tables."public.orders".columns]
id          = "keep"
customer_id = "keep"
note        = { mask = "text.spans", subject = "customer_id" }

[tables."public.parcels".columns]
id       = "keep"
order_id = "keep"
label    = { mask = "json", subject = "order_id -> public.orders.customer_id", rest = "text.spans" }

[tables."public.letters"]
rows = { where = "country = 'DE' AND id > 10" }

[tables."public.letters".columns]
id       = "keep"
country  = "keep"
order_id = "keep"
body     = { mask = "text.spans", subject = "order_id -> public.orders.customer_id -> public.people.id", when = "country IS NOT NULL" }

[tables."public.forms".columns]
id          = "keep"
customer_id = "keep"
class       = { keep = "a catalog name" }
remark      = { mask = "text.spans", subject = "customer_id" }
"#;

const TEXTS: [(&str, &str); 5] =
    [("people", "note"), ("orders", "note"), ("parcels", "label"), ("letters", "body"), ("forms", "remark")];

fn lab(name: &str, policy: &str) -> Lab<'static> {
    let lab = Lab::new(name);
    lab.seed(SCHEMA);
    lab.config(policy);
    lab.refresh();
    lab
}

/// Texts of a table of staging that hold a name, or a part of one, of production.
fn named(lab: &Lab<'_>, (table, column): (&str, &str)) -> usize {
    let found = lab.staging(&format!("SELECT count(*) FROM {table} WHERE {column}::text ~* 'canary|qzvogel|zqlogin'"));
    found.parse().expect("a count")
}

#[test]
fn texts_name_the_masked_person_of_another_table() {
    let lab = lab("mentions", POLICY);
    for text in TEXTS {
        assert_eq!(named(&lab, text), 0, "{text:?}");
    }
    let differs = |select: &str| lab.staging(&format!("SELECT count(*) FROM {select}"));
    let full = "p.first_name || ' ' || p.last_name";
    for (select, rows) in [
        ("people AS n JOIN people AS p ON p.id = n.manager_id WHERE n.note ", "'reports to ' || FULL || ' since May'"),
        (
            "orders AS n JOIN people AS p ON p.id = n.customer_id WHERE n.note ",
            "FULL || ' (' || p.login || ') called; ask for ' || p.last_name",
        ),
        (
            "parcels AS n JOIN orders AS o ON o.id = n.order_id JOIN people AS p ON p.id = o.customer_id WHERE n.label ->> 'to' ",
            "'c/o ' || FULL",
        ),
        (
            "letters AS n JOIN orders AS o ON o.id = n.order_id JOIN people AS p ON p.id = o.customer_id WHERE n.body ",
            "'Dear ' || FULL || ', thank you.'",
        ),
        (
            "forms AS n JOIN people AS p ON p.id = n.customer_id WHERE n.remark ",
            "p.last_name || ', ' || p.first_name || ' signed'",
        ),
    ] {
        let rows = rows.replace("FULL", full);
        assert_eq!(differs(&format!("{select} <> {rows}")), "0", "{select}");
        assert_ne!(differs(&format!("{select} = {rows}")), "0", "{select}");
    }
    // A text of nobody stays, and no row is lost or doubled by a join.
    assert_eq!(differs("orders WHERE note = 'nobody called' AND customer_id IS NULL"), {
        lab.production("SELECT count(*) FROM orders WHERE customer_id IS NULL")
    });
    for (table, _) in TEXTS.iter().filter(|(table, _)| *table != "letters") {
        let count = format!("SELECT count(*) FROM {table}");
        assert_eq!(lab.staging(&count), lab.production(&count), "{table}");
    }
    assert_eq!(
        lab.staging("SELECT count(*) FROM letters"),
        lab.production("SELECT count(*) FROM letters WHERE id > 10")
    );
    assert_eq!(lab.staging("SELECT count(DISTINCT label ->> 'kg') FROM parcels"), "1");
}

#[test]
fn texts_without_a_subject_show_the_names_of_other_tables() {
    // The twin: what the other test does not find is there as soon as no subject leads to the person.
    let without = |line: &str| match line.split_once(", subject = \"") {
        Some((start, rest)) if line.contains("text.spans") => {
            format!("{start}{}\n", rest.split_once('"').map_or("", |(_, rest)| rest))
        }
        _ => format!("{line}\n"),
    };
    let policy = POLICY.lines().map(without).collect::<String>();
    let lab = lab("mentions_twin", &format!("{policy}\n[verify]\nleak = false\n"));
    for text in TEXTS {
        assert_ne!(named(&lab, text), 0, "{text:?}");
    }
}

#[test]
fn texts_name_nobody_whose_rows_stay_behind() {
    let lab = Lab::new("mentions_behind");
    lab.seed(
        "CREATE TABLE people (id int PRIMARY KEY, region text, name text) PARTITION BY RANGE (id);
         CREATE TABLE people_1 PARTITION OF people FOR VALUES FROM (0) TO (50);
         CREATE TABLE people_2 PARTITION OF people FOR VALUES FROM (50) TO (1000);
         INSERT INTO people SELECT g, 'eu', 'Canary' || chr(97 + g % 26) || ' Qzvogel' || chr(97 + g / 26) FROM generate_series(1, 100) g;
         CREATE TABLE staff (id int PRIMARY KEY, last_name text);
         INSERT INTO staff SELECT g, 'Qzvogel' || chr(97 + g) FROM generate_series(1, 20) g;
         CREATE TABLE notes (id int PRIMARY KEY, people_id int, staff_id int, note text, reply text);
         INSERT INTO notes SELECT p.id, p.id, s.id, p.name || ' called again', 'answered by ' || s.last_name
             FROM people p JOIN staff s ON s.id = 1 + p.id % 20;",
    );
    lab.config(
        r#"
[[references]]
from = "public.notes.people_id"
to   = "public.people.id"

[[references]]
from = "public.notes.staff_id"
to   = "public.staff.id"

[tables."public.people"]
rows         = "none"
columns.name = { mask = "name.full", subject = "id" }

[tables."public.staff"]
rows = "none"

[tables."public.notes".columns]
id        = "keep"
people_id = "keep"
staff_id  = "keep"
note      = { mask = "text.spans", subject = "people_id" }
reply     = { mask = "text.spans", subject = "staff_id" }
"#,
    );
    lab.refresh();
    assert_eq!(lab.staging("SELECT (SELECT count(*) FROM people), (SELECT count(*) FROM staff)"), "0|0");
    for column in ["note", "reply"] {
        assert_eq!(named(&lab, ("notes", column)), 0, "{column}");
    }
    let rest = "SELECT count(*) FROM notes WHERE note LIKE '%_ called again' AND reply LIKE 'answered by _%'";
    assert_eq!(lab.staging(rest), "100");
}
