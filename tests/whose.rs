//! Whom a row belongs to, and whose values it holds: what `init` proposes, and what is in staging then.

use crate::discover::paste;
use crate::support::{KEY, Lab, Ran};

/// What a newcomer does: `init`, `plan` with all that it says pasted, `refresh`. Answers with the configuration.
#[track_caller]
fn newcomer(lab: &Lab<'_>) -> (String, Ran) {
    let path = lab.path("restage.toml");
    std::fs::remove_file(&path).expect("no configuration");
    let (from, to) = (lab.source.url("reader", &lab.name), lab.target.url("restage", &lab.name));
    let made = lab.restage(&["init", "--source", &from, "--target", &to, "--key-file", KEY]);
    assert_eq!(made.code, 0, "{made:?}");
    let marked = lab.restage(&["init-target", "--yes"]);
    assert_eq!(marked.code, 0, "{marked:?}");
    let mut text = std::fs::read_to_string(&path).expect("text");
    for _ in 0..2 {
        let plan = lab.restage(&["plan", "--json"]);
        if plan.code == 0 {
            break;
        }
        assert_eq!(plan.code, 3, "{plan:?}\n{text}");
        let plan: serde_json::Value = serde_json::from_str(&plan.stdout).expect("one document");
        for refusal in plan["error"].as_array().expect("refusals") {
            paste(&mut text, refusal);
        }
        std::fs::write(&path, &text).expect("write");
    }
    let ran = lab.restage(&["refresh", "--yes"]);
    assert_eq!(ran.code, 0, "{}\n{}\n{text}", ran.stdout, ran.stderr);
    (text, ran)
}

/// Last names that no list has, in a text about the customer of a row that says who wrote it.
const NOTES: &str = "
    CREATE TABLE customer (id serial PRIMARY KEY, first_name text, last_name text, email text);
    INSERT INTO customer (first_name, last_name, email) SELECT 'Anke',
        (ARRAY['Hinter', 'Schacht', 'Quand', 'Voss', 'Zwick', 'Ohlen', 'Plisch', 'Bier', 'Dorn', 'Ecken'])[1 + g % 10]
        || (ARRAY['huber', 'schneider', 'dorf', 'winkel', 'berger', 'mann', 'meier', 'hoff'])[1 + g / 10 % 8], 'c' || g || '@planted.test'
        FROM generate_series(0, 79) g;
    CREATE TABLE note (id serial PRIMARY KEY, customer_id int REFERENCES customer, body text, author text, agent_name text);
    INSERT INTO note (customer_id, body, author, agent_name)
        SELECT id, 'Frau ' || last_name || ' rief wegen der Lieferung an, sie ist ab morgen wieder da', 'hk', 'Berta Beispiel' FROM customer;
    ANALYZE;";

/// Notes in staging that still have the name of production.
fn named(lab: &Lab<'_>) -> usize {
    let names = lab.production("SELECT last_name FROM customer ORDER BY id");
    let notes = lab.staging("SELECT body FROM note ORDER BY id");
    assert_eq!(names.lines().count(), notes.lines().count());
    names.lines().zip(notes.lines()).filter(|(name, note)| note.contains(&format!(" {name} "))).count()
}

#[test]
fn a_text_speaks_of_the_person_of_its_foreign_key_whoever_wrote_it() {
    let lab = Lab::new("whose_text");
    lab.seed(NOTES);
    let (text, _) = newcomer(&lab);
    assert!(text.contains("body = { mask = \"text.spans\", subject = \"customer_id\" }"), "{text}");
    assert!(text.contains("a row belongs to the person of `customer_id`"), "{text}");
    // Names of others are masked by what they are: the person of the row is not called like them.
    assert!(text.contains("agent_name = \"name.value\""), "{text}");
    assert_eq!(named(&lab), 0, "{text}");
    let same = "SELECT count(*) FROM note JOIN customer c ON c.id = customer_id WHERE strpos(body, c.last_name) > 0";
    assert_eq!(lab.staging(same), "80", "the note shows the name that the customer has in staging");
}

#[test]
fn a_text_without_its_person_shows_names_that_no_list_has() {
    // The twin.
    let lab = Lab::new("whose_text_twin");
    lab.seed(NOTES);
    lab.config(
        "[verify]\nleak = false\n[tables.\"public.customer\".columns]\nid = \"keep\"\nemail = \"email\"\n\
         first_name = { mask = \"name.first\", subject = \"id\" }\nlast_name = { mask = \"name.last\", subject = \"id\" }\n\
         [tables.\"public.note\".columns]\nid = \"keep\"\nbody = \"text.spans\"\nauthor = \"name.value\"\nagent_name = \"name.value\"\n",
    );
    lab.refresh();
    assert_ne!(named(&lab), 0);
}

#[test]
fn a_text_that_names_a_person_who_has_a_key_is_offered_that_key() {
    let lab = Lab::new("whose_gate");
    lab.seed(
        "CREATE TABLE customer (id int PRIMARY KEY, full_name text);
         INSERT INTO customer SELECT g, 'Anke ' || chr(65 + g % 26) || 'quandt' || chr(97 + g / 26) FROM generate_series(1, 200) g;
         CREATE TABLE note (id int PRIMARY KEY, customer_id int REFERENCES customer, body text, author text);
         INSERT INTO note SELECT id, id, full_name || ' rief wegen der Lieferung an', 'hk' FROM customer; ANALYZE;",
    );
    let config = |body: &str| {
        lab.config(&format!(
            "[tables.\"public.customer\".columns]\nid = \"keep\"\nfull_name = {{ mask = \"name.full\", subject = \"id\" }}\n\
             [tables.\"public.note\".columns]\nid = \"keep\"\nauthor = \"name.value\"\nbody = {body}\n"
        ));
        lab.restage(&["refresh", "--yes", "--json"])
    };
    let line = "{ mask = \"text.spans\", subject = \"customer_id\" }";
    let ran = config("\"text.spans\"");
    assert_eq!(ran.code, 6, "{ran:?}");
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).expect("one document");
    let hint = told["error"][0]["hint"].as_str().expect("a hint");
    assert!(hint.contains(&format!("body = {line}")), "{hint}");
    let ran = config(line);
    assert_eq!(ran.code, 0, "what is offered passes: {ran:?}");
}

/// A team of five whose names stand all over the rows that one of them works on.
const TEAM: &str = "
    CREATE TABLE staff (id serial PRIMARY KEY, first_name text, last_name text);
    INSERT INTO staff (first_name, last_name) VALUES ('Anke', 'Quandt'), ('Torsten', 'Vosswinkel'), ('Heike', 'Zwickl'),
        ('Sabine', 'Ohlendorf'), ('Dieter', 'Plischke');
    CREATE TABLE ticket (id serial PRIMARY KEY, staff_id int REFERENCES staff, status_by text, shift_of text, greeting text,
        file text, mentions text, tags text[], state text, priority text);
    INSERT INTO ticket (staff_id, status_by, shift_of, greeting, file, mentions, tags, state, priority)
        SELECT s.id, first_name, last_name, 'Hallo ' || first_name || '!', 'Lebenslauf ' || last_name || '.pdf',
        '@' || lower(first_name), ARRAY[first_name, 'vip'], (ARRAY['offen', 'zu', 'wartet'])[1 + g % 3], (ARRAY['hoch', 'tief'])[1 + g % 2]
        FROM generate_series(1, 300) g JOIN staff s ON s.id = 1 + g % 5;
    CREATE TABLE shift (id serial PRIMARY KEY, lead text, backup text, place text);
    INSERT INTO shift (lead, backup, place) SELECT f.first_name, b.last_name, (ARRAY['Tor', 'Lager', 'Hof'])[1 + g % 3]
        FROM generate_series(1, 300) g JOIN staff f ON f.id = 1 + g % 5 JOIN staff b ON b.id = 1 + g % 4;
    ANALYZE;";

/// Columns of the team's tables in staging that hold a name of production.
fn telling(lab: &Lab<'_>) -> Vec<&'static str> {
    let columns = [
        ("ticket", "status_by"),
        ("ticket", "shift_of"),
        ("ticket", "greeting"),
        ("ticket", "file"),
        ("ticket", "mentions"),
        ("ticket", "tags"),
        ("shift", "lead"),
        ("shift", "backup"),
    ];
    let names = lab.production("SELECT string_agg(first_name || '|' || last_name, '|') FROM staff");
    let rows = |table: &str, column: &str| {
        // Masks draw from the same names: a row tells only what stood in it.
        let sql = format!("SELECT coalesce({column}::text, '') FROM {table} ORDER BY id");
        let (before, after) = (lab.production(&sql), lab.staging(&sql));
        let holds = |text: &str| names.split('|').find(|name| text.to_lowercase().contains(&name.to_lowercase()));
        let pairs = before.lines().zip(after.lines());
        pairs.filter(|(before, after)| holds(before).is_some() && holds(before) == holds(after)).count()
    };
    // One of five may be given a name that another one had, and very seldom its own.
    columns.into_iter().filter(|(table, column)| rows(table, column) > 100).map(|(_, column)| column).collect()
}

#[test]
fn values_that_are_names_of_a_masked_column_are_not_kept() {
    let lab = Lab::new("whose_team");
    lab.seed(TEAM);
    let (text, _) = newcomer(&lab);
    let read: toml::Table = text.parse().expect("TOML");
    for line in [
        "status_by = { mask = \"name.first\", subject = \"staff_id\" }",
        "shift_of = { mask = \"name.last\", subject = \"staff_id\" }",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    // The twin: few words that are nobody's name are kept.
    for (table, column) in [("public.ticket", "state"), ("public.ticket", "priority"), ("public.shift", "place")] {
        assert!(read["tables"][table]["columns"][column].get("keep").is_some(), "{table}.{column}: {text}");
    }
    assert_eq!(telling(&lab), [""; 0], "{text}");
    let same = "SELECT count(*) FROM ticket JOIN staff s ON s.id = staff_id WHERE status_by = first_name AND shift_of = last_name";
    assert_eq!(lab.staging(same), "300");
}

#[test]
fn names_that_are_kept_are_in_staging() {
    // The twin: what the other test does not find is there if somebody keeps it.
    let lab = Lab::new("whose_team_twin");
    lab.seed(TEAM);
    lab.config(
        "[verify]\nleak = false\n[tables.\"public.staff\".columns]\nid = \"keep\"\n\
         first_name = { mask = \"name.first\", subject = \"id\" }\nlast_name = { mask = \"name.last\", subject = \"id\" }\n\
         [tables.\"*\"]\ndefault = { keep = \"the twin\" }\n",
    );
    lab.refresh();
    assert_eq!(telling(&lab).len(), 8);
}

#[test]
fn copies_of_a_persons_name_and_address_are_masked_like_the_person() {
    let lab = Lab::new("whose_copy");
    lab.seed(
        "CREATE TABLE customer (id serial PRIMARY KEY, full_name text, email text, street text, postal_code text);
         INSERT INTO customer (full_name, email, street, postal_code)
             SELECT 'Anke ' || chr(65 + g % 26) || 'quandt' || chr(97 + g / 26), 'c' || g || '@planted.test', g || ' Main Street', 10000 + g FROM generate_series(1, 100) g;
         CREATE TABLE orders (id serial PRIMARY KEY, customer_id int NOT NULL REFERENCES customer, ship_name text, ship_street text,
             ship_postal_code text, bill_name text);
         INSERT INTO orders (customer_id, ship_name, ship_street, ship_postal_code, bill_name)
             SELECT c.id, full_name, street, postal_code, (ARRAY['Maria Schneider', 'Robert Miller', 'James Smith'])[g]
             FROM generate_series(1, 3) g, customer c;
         ANALYZE;",
    );
    let (text, _) = newcomer(&lab);
    assert!(text.contains("ship_name = { mask = \"name.full\", subject = \"customer_id\" }"), "{text}");
    // Not the customer's, says every row.
    assert!(text.contains("bill_name = \"name.value\""), "{text}");
    let equal = "SELECT count(*) FROM orders JOIN customer c ON c.id = customer_id WHERE ship_name = full_name AND ship_street = street";
    assert_eq!(lab.staging(equal), "300", "{text}");
    let count = "SELECT count(DISTINCT ship_postal_code) <= count(DISTINCT customer_id) FROM orders";
    assert_eq!(lab.staging(count), "t", "{text}");
}
