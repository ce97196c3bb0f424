//! `discover` and `init` against real servers: what they find, what they write, and what they never tell.

use crate::support::{Cluster, KEY, Lab, Ran, clusters};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Marked values, one in every kind of column.
const CANARIES: &[&str] =
    &["qzcanary", "Vogelzqang", "536-71-8294", "+1-312-555-0186", "4539578763621486", "88442211.17", "1953-11-07"];

const SCHEMA: &str = "
    CREATE DOMAIN email_address AS text;
    CREATE TYPE person AS (full_name text, phone text);
    CREATE TABLE people (
        id int PRIMARY KEY, full_name text NOT NULL, mail email_address, contact text, ssn text, phone text, card_no text,
        born date, wage numeric, notes text, profile jsonb, tags text[], kin person, xmldoc xml, status text NOT NULL,
        is_email_verified boolean, \"user ID\" int, code text);
    CREATE TABLE orders (id int PRIMARY KEY, people_id int, total numeric NOT NULL, product_name text);
    CREATE TABLE empty (id int PRIMARY KEY, email text);
    INSERT INTO people SELECT n, 'Patricia Vogelzqang', 'qzcanary' || n || '@example.org', 'qzcanary' || n || '@example.com',
        '536-71-8294', '+1-312-555-0186', '4539578763621486', '1953-11-07', 88442211.17,
        'Patricia Vogelzqang called from +1-312-555-0186 about her order of last week',
        jsonb_build_object('contact', jsonb_build_object('email', 'qzcanary' || n || '@example.org'), 'qzcanary@example.org', 1),
        ARRAY['qzcanary' || n || '@example.net'], ROW('Patricia Vogelzqang'::text, '+1-312-555-0186'::text)::person,
        XMLPARSE(CONTENT '<a><email>qzcanary' || n || '@example.org</email></a>'), 'active', true, n,
        'qzcanary-' || n || '-' || md5(n::text) FROM generate_series(1, 200) AS n;
    INSERT INTO orders SELECT n, n, n * 1.5, 'Desk Lamp' FROM generate_series(1, 200) AS n;
    ANALYZE;";

fn lab(name: &str) -> Lab<'static> {
    let lab = Lab::new(name);
    lab.seed(SCHEMA);
    lab
}

fn canaries(text: &str) -> Vec<&'static str> {
    CANARIES.iter().copied().filter(|canary| text.to_lowercase().contains(&canary.to_lowercase())).collect()
}

#[track_caller]
fn done(ran: Ran) -> String {
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    format!("{}\n{}", ran.stdout, ran.stderr)
}

fn document(lab: &Lab<'_>, args: &[&str]) -> serde_json::Value {
    let ran = lab.restage(args);
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    serde_json::from_str(&ran.stdout).expect("one document")
}

/// Category of the best finding of each column of a table, by name.
fn found(document: &serde_json::Value, table: &str) -> Vec<(String, String)> {
    let tables = document["tables"].as_array().expect("tables");
    let table = tables.iter().find(|found| found["table"] == table).expect("the table");
    let columns = table["columns"].as_array().expect("columns");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
    columns.iter().map(|column| (text(&column["name"]), text(&column["findings"][0]["category"]))).collect()
}

#[test]
fn names_and_values_say_what_columns_hold() {
    let lab = lab("found");
    let document = document(&lab, &["discover", "--json"]);
    let people = found(&document, "public.people");
    let expected = [
        ("id", "-"),
        ("full_name", "full_name"),
        ("mail", "email"),
        ("contact", "email"),
        ("ssn", "national_id"),
        ("phone", "phone"),
        ("card_no", "credit_card"),
        ("born", "birth_date"),
        ("wage", "income"),
        ("notes", "free_text"),
        ("profile", "email"),
        ("tags", "email"),
        ("kin", "full_name"),
        ("xmldoc", "email"),
        ("status", "-"),
        ("is_email_verified", "-"),
        ("user ID", "-"),
        ("code", "-"),
    ];
    let expected: Vec<(String, String)> = expected.map(|(name, category)| (name.into(), category.into())).into();
    // Two findings of one composite can change places.
    let people: Vec<(String, String)> = people
        .into_iter()
        .map(
            |(name, category)| {
                if name == "kin" && category == "phone" { (name, "full_name".into()) } else { (name, category) }
            },
        )
        .collect();
    assert_eq!(people, expected);
    assert_eq!(document["references"][0]["from"], "public.orders.people_id");
    assert_eq!(document["references"][0]["to"], "public.people.id");
    assert_eq!(found(&document, "public.empty")[1].1, "email", "an empty table is judged by its names");
}

#[test]
fn no_value_of_the_source_is_told_or_written() {
    let lab = lab("untold");
    let dump = lab.source.dump(&lab.name);
    assert_eq!(canaries(&dump), CANARIES, "the search finds every canary where they are");
    let mut told = String::new();
    for args in [
        &["discover"][..],
        &["discover", "-vv"],
        &["discover", "--json"],
        &["discover", "--format", "sarif"],
        &["discover", "--format", "github"],
        &["discover", "--write", "-v", "--log-format", "json"],
    ] {
        told.push_str(&done(lab.restage(args)));
    }
    let source = lab.source.url("reader", &lab.name);
    told.push_str(&done(lab.restage(&["init", "--source", &source, "--out", "made.toml"])));
    for file in ["restage.toml", "made.toml", "restage.schema.json"] {
        told.push_str(&std::fs::read_to_string(lab.path(file)).expect(file));
    }
    assert!(told.len() > 20_000 && told.contains("public.people"), "something was told");
    assert_eq!(canaries(&told), [""; 0]);
}

#[test]
fn proposals_are_added_and_what_stands_there_stays() {
    let lab = lab("written");
    let before = "# by hand\n[tables.\"public.people\".columns]\n# nobody writes to these\nmail = \"null\"     # gone\nid = \"int\"\n";
    lab.config(before);
    done(lab.restage(&["discover", "--write"]));
    let text = std::fs::read_to_string(lab.path("restage.toml")).expect("text");
    assert!(text.contains(before), "{text}");
    assert!(text.contains("contact = \"email\"  # email 0.9"), "{text}");
    assert!(text.contains("full_name = { mask = \"name.full\", subject = \"id\" }"), "{text}");
    assert!(text.contains("[tables.\"public.empty\".columns]"), "{text}");
    done(lab.restage(&["discover", "--write"]));
    let again = std::fs::read_to_string(lab.path("restage.toml")).expect("text");
    assert_eq!(again, text, "a second time there is nothing to add");
    let plan = lab.restage(&["plan", "--json"]);
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout).expect("one document");
    let codes: Vec<&str> =
        plan["error"].as_array().expect("refusals").iter().filter_map(|one| one["code"].as_str()).collect();
    assert!(codes.iter().all(|code| *code == "plan::undecided-column"), "{codes:?}");
}

#[test]
fn what_tells_of_a_thing_is_kept_and_what_may_tell_of_a_person_is_asked() {
    let lab = Lab::new("things");
    lab.seed(
        "CREATE TABLE products (id int PRIMARY KEY, name text, story text, available tstzrange, monthly int[], labels text[]);
         CREATE TABLE devices (id int PRIMARY KEY, name text, customer_id int);
         CREATE TABLE brands (id int PRIMARY KEY, name text, owner_id int);
         INSERT INTO products SELECT n, 'Desk Lamp ' || n, 'made by hand in a small house by the sea ' || n, tstzrange(now(), NULL),
             ARRAY[n, 2], ARRAY['new', 'sale'] FROM generate_series(1, 200) AS n;
         INSERT INTO devices SELECT n, 'phone of Ada ' || n, n FROM generate_series(1, 200) AS n;
         INSERT INTO brands SELECT n, 'Desk Lamp ' || n, n FROM generate_series(1, 200) AS n;
         CREATE TABLE sales (id int PRIMARY KEY, invoice_no text, case_no text, deleted_at timestamptz);
         INSERT INTO sales SELECT n, 'RE-2024/' || n, 'RE-2024/' || n FROM generate_series(1, 200) AS n;
         CREATE TABLE tasks (id int PRIMARY KEY, created_at timestamptz, view_count int, done bool, d1 date, x1 int, born_at timestamptz);",
    );
    let document = document(&lab, &["discover", "--json"]);
    let proposed = |table: &str, column: &str| {
        let tables = document["tables"].as_array().expect("tables");
        let table = tables.iter().find(|found| found["table"] == table).expect("the table");
        let columns = table["columns"].as_array().expect("columns");
        let column = columns.iter().find(|found| found["name"] == column).expect("the column");
        (column["proposal"].as_str().unwrap_or("-").to_owned(), column["open"] == true)
    };
    for column in ["name", "available", "monthly", "labels"] {
        let (toml, open) = proposed("public.products", column);
        assert!(toml.starts_with("{ keep = ") && !open, "{column}: {toml}");
    }
    // What a program notes needs no values, and numbers of things that are codes are nobody's. The twins: names that do not say so.
    let noted = [("sales", "deleted_at"), ("tasks", "created_at"), ("tasks", "view_count"), ("tasks", "done")];
    for (table, column) in noted.into_iter().chain([("sales", "invoice_no")]) {
        let (toml, open) = proposed(&format!("public.{table}"), column);
        assert!(toml.contains("no sign of a person") && !open, "{table}.{column}: {toml}");
    }
    for (table, column) in [("sales", "case_no"), ("tasks", "d1"), ("tasks", "x1"), ("tasks", "born_at")] {
        let (toml, open) = proposed(&format!("public.{table}"), column);
        assert!(open || !toml.contains("keep"), "{table}.{column}: {toml}");
    }
    // Sentences, things of a person, and a catalog with an owner: only a person knows.
    for (table, column) in [("products", "story"), ("devices", "name"), ("brands", "name")] {
        let (toml, open) = proposed(&format!("public.{table}"), column);
        assert!(open || !toml.contains("keep"), "{table}.{column}: {toml}");
    }
}

/// The decision proposed for a column, and whether only a person can take it.
fn proposed(document: &serde_json::Value, table: &str, column: &str) -> (String, bool) {
    let tables = document["tables"].as_array().expect("tables");
    let table = tables.iter().find(|found| found["table"] == table).expect("the table");
    let columns = table["columns"].as_array().expect("columns");
    let column = columns.iter().find(|found| found["name"] == column).expect("the column");
    (column["proposal"].as_str().unwrap_or("-").to_owned(), column["open"] == true)
}

#[test]
fn few_values_are_no_reason_to_keep_persons_pay_health_places_or_secrets() {
    let lab = Lab::new("few");
    lab.seed(
        "CREATE TYPE impairment AS ENUM ('none', 'partial');
         CREATE TABLE cases (id int PRIMARY KEY, desk text, created_by text, assigned_to text, owner text, signed text, agent text,
             hint text, salary_amount numeric, wage money, has_disability boolean NOT NULL, disability_type impairment,
             latitude double precision, longitude real, sex smallint, krankenkasse text, party_membership text, fumeur boolean,
             poids_kg numeric, kuendigungsgrund text, color text, flag boolean, size int);
         INSERT INTO cases SELECT n, (ARRAY['Dr. Q', 'Dr. Z', 'front'])[1 + n % 3], (ARRAY['root', 'batch'])[1 + n % 2],
             (ARRAY['Team A', 'Team B'])[1 + n % 2], (ARRAY['x1', 'x2'])[1 + n % 2], (ARRAY['Maria Schneider', 'nobody'])[1 + n % 2],
             (ARRAY['jmiller', 'rsmith', 'm.schneider'])[1 + n % 3],
             (ARRAY['use AKIAIOSFODNN7EXAMPLE to log in', 'none'])[1 + n % 2], 2000 + n % 4, (2000 + n % 4)::money, n % 2 = 0, 'none',
             48 + n % 7 * 0.5, 11 + n % 5 * 0.25, 1 + n % 2, (ARRAY['AOK', 'TK'])[1 + n % 2], (ARRAY['left', 'right'])[1 + n % 2],
             n % 2 = 0, 60 + n % 9, (ARRAY['moved', 'late'])[1 + n % 2], (ARRAY['red', 'blue'])[1 + n % 2], true, n % 9
         FROM generate_series(1, 300) n; ANALYZE;",
    );
    let document = document(&lab, &["discover", "--json"]);
    let proposed = |column: &str| proposed(&document, "public.cases", column);
    for column in [
        "desk",
        "created_by",
        "assigned_to",
        "owner",
        "signed",
        "agent",
        "hint",
        "salary_amount",
        "wage",
        "has_disability",
        "disability_type",
        "latitude",
        "longitude",
        "sex",
        "krankenkasse",
        "party_membership",
        "fumeur",
        "poids_kg",
        "kuendigungsgrund",
    ] {
        let (toml, open) = proposed(column);
        assert!(open || !toml.contains("keep"), "{column}: {toml}");
    }
    assert_eq!(proposed("created_by"), ("\"username\"".to_owned(), false));
    for (column, axis) in [("latitude", "latitude"), ("longitude", "longitude")] {
        let expected = format!("{{ mask = \"geo.grid\", axis = \"{axis}\", subject = \"id\" }}");
        assert_eq!(proposed(column), (expected, false));
    }
    // The twin: what is of nobody is kept.
    for column in ["color", "flag", "size"] {
        let (toml, open) = proposed(column);
        assert!(!open && toml.contains("no sign of a person"), "{column}: {toml}");
    }
}

#[test]
fn what_init_writes_is_what_plan_takes() {
    let lab = Lab::new("fitting");
    lab.seed(
        "CREATE TYPE mood AS ENUM ('it''s \"fine\"', 'sad');
         CREATE DOMAIN state AS mood NOT NULL;
         CREATE TABLE patients (patient_id uuid PRIMARY KEY, full_name text NOT NULL, emergency_contact_name text, mother_first_name text,
             street text, house_number varchar(5), login varchar(8) NOT NULL, disability mood NOT NULL, lat numeric(9, 6), story text);
         CREATE TABLE visits (id int PRIMARY KEY, seen_for uuid, patient_uuid uuid, other uuid);
         INSERT INTO patients SELECT gen_random_uuid(), 'Patricia Miller', 'James Smith', 'Maria', 'Main Street', n % 90 || 'b', 'u' || n,
             'sad', 48.1 + n * 0.01, 'she came by on a sunny day and told us all about it ' || n FROM generate_series(1, 100) n;
         INSERT INTO visits SELECT row_number() OVER (), patient_id, patient_id, gen_random_uuid() FROM patients; ANALYZE;",
    );
    std::fs::remove_file(lab.path("restage.toml")).expect("no configuration");
    let (from, to) = (lab.source.url("reader", &lab.name), lab.target.url("restage", &lab.name));
    done(lab.restage(&["init", "--source", &from, "--target", &to, "--key-file", KEY]));
    let text = std::fs::read_to_string(lab.path("restage.toml")).expect("text");
    for line in [
        "patient_id = { keep = \"technical key, names nobody outside\" }",
        "full_name = { mask = \"name.full\", subject = \"patient_id\" }",
        "emergency_contact_name = \"name.value\"",
        "mother_first_name = { mask = \"name.value\", part = \"first\" }",
        "house_number = \"pattern\"",
        "login = \"pattern\"",
        "disability = { mask = \"const\", value = \"it's \\\"fine\\\"\" }",
        "from = \"public.visits.patient_uuid\"\nto   = \"public.patients.patient_id\"",
        "from = \"public.visits.seen_for\"\nto   = \"public.patients.patient_id\"",
        "axis = \"latitude\"",
        "# story = ",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    done(lab.restage(&["init-target", "--yes"]));
    assert!(
        !text.contains("from = \"public.patients.patient_id\"") && !text.contains("from = \"public.visits.other\""),
        "{text}"
    );
    let plan = lab.restage(&["plan", "--json"]);
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout).expect("one document");
    let mut text = text;
    for refusal in plan["error"].as_array().expect("refusals") {
        paste(&mut text, refusal);
    }
    std::fs::write(lab.path("restage.toml"), text).expect("write");
    done(lab.restage(&["plan"]));
}

#[test]
fn lines_to_add_go_under_the_header_that_exists() {
    let lab = Lab::new("headers");
    lab.seed("CREATE TABLE t (id int PRIMARY KEY, email text); INSERT INTO t VALUES (1, 'a@example.org');");
    lab.config("[tables.\"public.t\".columns]\n# id = { keep = \"…\" }\n");
    let refused = |args: &[&str]| {
        let plan = lab.restage(args);
        assert_eq!(plan.code, 3, "{plan:?}");
        let plan: serde_json::Value = serde_json::from_str(&plan.stdout).expect("one document");
        plan["error"][0]["hint"].as_str().expect("a hint").to_owned()
    };
    let hint = refused(&["plan", "--json"]);
    assert!(hint.starts_with("Add under [tables.\"public.t\".columns] ("), "{hint}");
    assert!(!hint.lines().any(|line| line.starts_with('[')), "a second header would be no TOML: {hint}");
    lab.config("[policy]\npacks = [\"pii\"]\n[tables.\"public.t\".columns]\nid = \"keep\"\nemail = \"keep\"\n");
    let hint = refused(&["plan", "--json"]);
    assert!(
        hint.starts_with("Under [tables.\"public.t\".columns] (") && !hint.lines().any(|line| line.starts_with('[')),
        "{hint}"
    );
    // A column that is not refused itself is explained although the plan is refused.
    let ran = lab.restage(&["explain", "public.t.id"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains("integer, kept, by ") && said.contains("restage plan"), "{said}");
    let ran = lab.restage(&["explain", "public.t.nothing"]);
    assert_eq!(ran.code, 2, "{ran:?}");
}

#[test]
fn texts_are_led_to_the_person_they_speak_of() {
    let lab = Lab::new("ways");
    lab.seed(
        "CREATE TABLE people (id int PRIMARY KEY, full_name text);
         CREATE TABLE tickets (id int PRIMARY KEY, assignee_id int REFERENCES people, customer_id int NOT NULL REFERENCES people);
         CREATE TABLE messages (id int PRIMARY KEY, ticket_id int REFERENCES tickets, body text);
         INSERT INTO people SELECT n, 'Ada Byron' FROM generate_series(1, 100) AS n;
         INSERT INTO tickets SELECT n, n, n FROM generate_series(1, 100) AS n;
         INSERT INTO messages SELECT n, n, 'Ada Byron wrote from ada' || n || '@example.org about the order' FROM generate_series(1, 100) AS n;",
    );
    done(lab.restage(&["discover", "--write"]));
    let text = std::fs::read_to_string(lab.path("restage.toml")).expect("text");
    // By two keys; and of two people of a ticket it is the one every ticket has.
    let way = "body = { mask = \"text.spans\", subject = \"ticket_id -> public.tickets.customer_id\" }";
    assert!(text.contains(way), "{text}");
}

#[test]
fn undeclared_references_are_looked_up_at_the_server() {
    let lab = Lab::new("refs");
    lab.seed(
        "CREATE TABLE users (id int PRIMARY KEY, email text);
         CREATE TABLE visits (id int PRIMARY KEY, user_id int, partner_id int);
         CREATE TABLE partners (id int PRIMARY KEY);
         INSERT INTO users SELECT n, 'a' || n || '@example.org' FROM generate_series(1, 100) AS n;
         INSERT INTO partners SELECT n FROM generate_series(1, 10) AS n;
         INSERT INTO visits SELECT n, n % 90 + 1, n FROM generate_series(1, 500) AS n;",
    );
    let document = document(&lab, &["discover", "--json"]);
    let references = document["references"].as_array().expect("references");
    assert_eq!(references.len(), 1, "{references:?}");
    assert_eq!(references[0]["from"], "public.visits.user_id");
    assert_eq!(references[0]["to"], "public.users.id");
    done(lab.restage(&["discover", "--write"]));
    let text = std::fs::read_to_string(lab.path("restage.toml")).expect("text");
    assert!(text.contains("from = \"public.visits.user_id\"\nto   = \"public.users.id\""), "{text}");
}

#[test]
fn findings_without_a_decision_are_annotations() {
    let lab = lab("formats");
    lab.config("[tables.\"public.people\".columns]\nmail = \"email\"\ncontact = \"keep\"\nphone = { keep = \"a call centre\" }\n");
    let github = lab.restage(&["discover", "--format", "github"]).stdout;
    assert!(github.lines().all(|line| line.starts_with("::warning file=")), "{github}");
    let about = |column: &str| github.lines().any(|line| line.contains(&format!("public.people.{column}\"")));
    // Where it is decided, under the lines that every configuration here begins with.
    let line = std::fs::read_to_string(lab.path("restage.toml")).expect("text");
    let line = line.lines().position(|line| line.starts_with("contact = ")).expect("the line") + 1;
    assert!(github.contains(&format!("line={line},title=email in public.people.contact")), "{github}");
    assert!(about("contact") && about("ssn") && !about("mail") && !about("phone") && !about("status"), "{github}");
    let sarif: serde_json::Value =
        serde_json::from_str(&lab.restage(&["discover", "--format", "sarif"]).stdout).expect("JSON");
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    assert_eq!(sarif["version"], "2.1.0");
    assert_eq!(results.len(), github.lines().count());
    assert!(results.iter().all(|result| result["locations"][0]["logicalLocations"][0]["kind"] == "column"));
}

#[test]
fn a_locked_table_is_judged_by_its_names() {
    let lab = lab("locked");
    let mut held = crate::support::live::Held::open(lab.source, "app", &lab.name);
    held.run("BEGIN");
    held.run("LOCK TABLE people IN ACCESS EXCLUSIVE MODE");
    let ran = lab.restage(&["discover", "--json"]);
    held.run("ROLLBACK");
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).expect("one document");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(document["unsampled"][0]["table"], "public.people");
    assert_eq!(found(&document, "public.people")[1].1, "full_name");
    assert_eq!(found(&document, "public.people")[3].1, "-", "only its values tell that `contact` is an address");
}

#[test]
fn fifteen_hundred_tables_take_less_than_a_minute_and_little_memory() {
    let lab = Lab::new("wide");
    lab.source.sql_as(
        "app",
        &lab.name,
        "DO $$ BEGIN FOR n IN 1..1500 LOOP EXECUTE format(
            'CREATE TABLE t%s (id int PRIMARY KEY, email text, first_name text, phone text, city text, notes text, amount numeric,
             created_at timestamptz, status text, payload jsonb, ip inet, code text)', n);
         EXECUTE format('INSERT INTO t%s SELECT g, ''a'' || g || ''@example.org'', ''Ann'', ''+1-312-555-01'' || g %% 90 + 10, ''Berlin'',
             ''she called about the parcel that never came to her door'', g, now(), ''active'', ''{\"a\": {\"b\": 1}}'', ''192.0.2.1'', md5(g::text)
             FROM generate_series(1, 200) AS g', n);
         IF n % 100 = 0 THEN COMMIT; END IF; END LOOP; END $$",
    );
    lab.grant();
    let started = Instant::now();
    let mut child =
        lab.command(&["discover", "--json"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("restage");
    let status = format!("/proc/{}/status", child.id());
    let (mut peak_kib, mut ticks) = (0u64, 0u64);
    while child.try_wait().expect("ours").is_none() {
        // Time on a processor, which other tests take less of than of the clock.
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        let field = |place: usize| fields.get(place).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        ticks = ticks.max(field(11) + field(12));
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
        peak_kib = peak_kib.max(line.trim().trim_end_matches(" kB").trim().parse().unwrap_or(0));
        std::thread::sleep(Duration::from_millis(20));
    }
    let took = started.elapsed();
    assert!(child.wait().expect("ours").success());
    let seconds = ticks as f64 / 100.0;
    println!(
        "1500 tables, 18000 columns, 300000 rows: {:.1} s, {seconds:.1} of a processor, {} MiB",
        took.as_secs_f64(),
        peak_kib >> 10
    );
    assert!(seconds > 0.0 && seconds < 60.0 && took < Duration::from_secs(240), "{seconds} s of {took:?}");
    assert!(peak_kib > 0 && peak_kib < 200 << 10, "{peak_kib} KiB");
}

#[test]
fn what_begins_late_in_a_table_is_found_with_and_without_statistics() {
    let lab = Lab::new("late");
    // One of 56 blocks, and one of more than are looked at; what is personal begins behind two thirds of the rows.
    let table = |name: &str, rows: u32| {
        format!(
            "CREATE TABLE {name} (id int PRIMARY KEY, t1 text, \"n\" text) WITH (autovacuum_enabled = off);
             INSERT INTO {name} SELECT g, CASE WHEN g <= {rows} * 2 / 3 THEN 'x' ELSE 'anke.' || g || '@example.org' END,
                 'constant padding text' FROM generate_series(1, {rows}) AS g;"
        )
    };
    lab.seed(&[table("small", 6_000), table("large", 60_000)].concat());
    let looked = || document(&lab, &["discover", "--json"]);
    let unanalyzed = looked();
    lab.source.sql(&lab.name, "ANALYZE");
    for document in [unanalyzed, looked(), looked()] {
        for table in ["public.small", "public.large"] {
            let (toml, open) = proposed(&document, table, "t1");
            assert!(open || !toml.contains("keep"), "{table}: {toml}");
            let tables = document["tables"].as_array().expect("tables");
            let sample = tables.iter().find(|found| found["table"] == table).expect("the table");
            assert_eq!(sample["rows"], 500, "{table}: {sample}");
            // The twin: what has no such values is kept.
            assert!(proposed(&document, table, "n").0.contains("keep"), "{table}");
        }
    }
    assert_eq!(looked()["tables"], looked()["tables"], "the same rows each time");
}

#[test]
fn a_standby_can_be_looked_at() {
    let primary = Cluster::start(&["wal_level = replica", "max_wal_senders = 4"]);
    primary.sql("postgres", "CREATE TABLE users (id int PRIMARY KEY, email text)");
    primary.sql("postgres", "INSERT INTO users VALUES (1, 'a@example.org')");
    let standby = Cluster::standby_of(&primary, &[]);
    let lab = Lab::new("standby_look");
    crate::support::live::until("the row is there", || {
        standby.try_sql("postgres", "postgres", "SELECT count(*) FROM users").is_ok_and(|count| count.trim() == "1")
    });
    let url = standby.url("postgres", "postgres");
    let made = done(lab.restage(&["init", "--source", &url, "--out", "standby.toml"]));
    let text = std::fs::read_to_string(lab.path("standby.toml")).expect("text");
    assert!(text.contains("email = \"email\""), "{made}\n{text}");
}

/// What a newcomer types, from nothing to a masked staging.
#[test]
fn from_nothing_to_a_masked_staging_by_init_plan_and_paste() {
    let started = Instant::now();
    let (source, target) = clusters();
    source.sql("postgres", "DROP ROLE IF EXISTS newcomer_owner; CREATE ROLE newcomer_owner LOGIN");
    let lab = Lab::new("newcomer");
    source.sql("postgres", &format!("ALTER DATABASE \"{}\" OWNER TO newcomer_owner", lab.name));
    source.sql_as("newcomer_owner", &lab.name, restage::demo::SCHEMA);
    let data = source
        .client("psql", "newcomer_owner", &lab.name)
        .args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-v", "scale=0.02", "-f"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/samples/shop/data.sql"))
        .stdout(Stdio::null())
        .status();
    assert!(data.expect("psql").success());
    lab.grant();
    std::fs::remove_file(lab.path("restage.toml")).expect("no configuration");
    let (from, to) = (source.url("reader", &lab.name), target.url("restage", &lab.name));
    let made = done(lab.restage(&["init", "--source", &from, "--target", &to, "--key-file", KEY]));
    assert!(made.contains("restage plan"), "{made}");
    let again = lab.restage(&["init", "--source", &from]);
    assert_eq!(again.code, 2, "a configuration is never replaced: {again:?}");

    done(lab.restage(&["init-target", "--yes"]));
    let path = lab.path("restage.toml");
    let mut pasted = 0;
    for _ in 0..3 {
        let plan = lab.restage(&["plan", "--json"]);
        if plan.code == 0 {
            break;
        }
        assert_eq!(plan.code, 3, "{}\n{}", plan.stdout, plan.stderr);
        let plan: serde_json::Value = serde_json::from_str(&plan.stdout).expect("one document");
        let mut text = std::fs::read_to_string(&path).expect("text");
        for refusal in plan["error"].as_array().expect("refusals") {
            pasted += paste(&mut text, refusal);
        }
        std::fs::write(&path, text).expect("write");
    }
    let plan = lab.restage(&["plan"]);
    assert_eq!(plan.code, 0, "{}\n{}", plan.stdout, plan.stderr);
    // Texts whose names stand in another table are led to it.
    let proposed = std::fs::read_to_string(&path).expect("text");
    // Of two persons of a ticket it is the one every ticket has.
    let way = "body = { mask = \"text.spans\", subject = \"customer_id\" }";
    assert_eq!(proposed.matches(way).count(), 3, "{proposed}");
    // Texts that hold more than their masks recognize are found before they are published, with the lines that help.
    let leaking = lab.restage(&["refresh", "--yes", "--json"]);
    let mut decided_anew = 0;
    if leaking.code != 0 {
        assert_eq!(leaking.code, 6, "{}\n{}", leaking.stdout, leaking.stderr);
        let told: serde_json::Value = serde_json::from_str(&leaking.stdout).expect("one document");
        let mut text = std::fs::read_to_string(&path).expect("text");
        for report in told["error"].as_array().expect("gates") {
            decided_anew += decide_anew(&mut text, report);
        }
        std::fs::write(&path, text).expect("write");
        done(lab.restage(&["refresh", "--yes"]));
    }
    let shared = source.sql(&lab.name, "SELECT count(*) FROM public.customers");
    assert_eq!(lab.staging("SELECT count(*) FROM public.customers"), shared);
    let mails = |text: String| text.lines().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
    let sql = "SELECT email FROM public.customers UNION SELECT work_email FROM public.employees";
    let (before, after) = (mails(lab.production(sql)), mails(lab.staging(sql)));
    assert!(before.len() > 50 && before.is_disjoint(&after), "no address of production is in staging");
    println!(
        "init to refresh, with {pasted} columns pasted and {decided_anew} decided anew: {:.1} s",
        started.elapsed().as_secs_f64()
    );
}

/// Replaces the decisions of columns by those that a gate proposes.
fn decide_anew(text: &mut String, report: &serde_json::Value) -> usize {
    assert!(report["message"].as_str().is_some_and(|message| message.contains("\"leak: texts\"")), "{report}");
    let (mut header, mut decided) = (String::new(), 0);
    for line in report["hint"].as_str().expect("a hint").lines().take_while(|line| !line.starts_with("If they may")) {
        if let Some(at) = line.find("[tables.") {
            header = format!("{}.columns]\n", line[at..].split(".columns]").next().expect("a header"));
        } else if let Some((column, _)) = line.split_once(" = ").filter(|_| !header.is_empty()) {
            let line = line.split("     #").next().expect("a decision");
            let table = text.find(&header).expect("the table has a section") + header.len();
            let start = table + text[table..].find(&format!("{column} = ")).expect("the column has a decision");
            let end = start + text[start..].find('\n').expect("a line");
            text.replace_range(start..end, line);
            decided += 1;
        }
    }
    assert!(decided > 0, "{report}");
    decided
}

/// The configuration of a plan that is refused, with all that it says pasted.
#[track_caller]
fn pasted(lab: &Lab<'_>) -> String {
    let plan = lab.restage(&["plan", "--json"]);
    assert_eq!(plan.code, 3, "{plan:?}");
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout).expect("one document");
    let mut text = std::fs::read_to_string(lab.path("restage.toml")).expect("text");
    for refusal in plan["error"].as_array().expect("refusals") {
        paste(&mut text, refusal);
    }
    text
}

/// Pastes the lines of a refusal where it says: under the table's header, or as text of their own.
pub fn paste(text: &mut String, refusal: &serde_json::Value) -> usize {
    let hint = refusal["hint"].as_str().unwrap_or_default();
    assert_eq!(refusal["code"], "plan::undecided-column", "{refusal}");
    let header = hint.lines().find_map(|line| {
        let start = line.find("[tables.")?;
        Some(line[start..].split(".columns]").next()?.to_owned() + ".columns]")
    });
    let header = header.expect("the hint names a header");
    let lines: String =
        hint.lines().skip_while(|line| !line.contains("[tables.")).skip(1).map(|line| format!("{line}\n")).collect();
    match text.find(&format!("{header}\n")) {
        Some(at) => text.insert_str(at + header.len() + 1, &lines),
        None => text.push_str(&format!("\n{header}\n{lines}")),
    }
    lines.lines().count()
}

#[test]
fn names_with_line_breaks_and_marks_of_globs_are_written_as_toml_reads_them() {
    let lab = Lab::new("line_breaks");
    lab.seed(
        "CREATE TABLE \"odd\nname\" (id int PRIMARY KEY, \"e\nmail\" text, \"so\tcalled\" text);
         INSERT INTO \"odd\nname\" SELECT n, 'u' || n || '@example.org', 'they said it was ' || n || ' or so'
         FROM generate_series(1, 50) n;
         CREATE TABLE \"st*r\\back\" (id int PRIMARY KEY, email text, \"*\" text);
         INSERT INTO \"st*r\\back\" SELECT n, 'u' || n || '@example.org', 'v' || n || '@example.org'
         FROM generate_series(1, 50) n; ANALYZE;",
    );
    std::fs::remove_file(lab.path("restage.toml")).expect("no configuration");
    let (from, to) = (lab.source.url("reader", &lab.name), lab.target.url("restage", &lab.name));
    done(lab.restage(&["init", "--source", &from, "--target", &to, "--key-file", KEY]));
    let text = std::fs::read_to_string(lab.path("restage.toml")).expect("text");
    let read: toml::Table = text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"));
    let columns = read["tables"]["public.odd\nname"]["columns"].as_table().expect("columns");
    assert_eq!(columns["e\nmail"].as_str(), Some("email"), "{text}");
    done(lab.restage(&["init-target", "--yes"]));
    let plan = lab.restage(&["plan", "--json"]);
    assert!(plan.code == 0 || plan.code == 3, "it is read: {plan:?}");
    // A name is no pattern: what is written for a table is about it.
    let starred = &read["tables"]["public.st\\*r\\\\back"]["columns"];
    assert_eq!(starred["email"].as_str(), Some("email"), "{text}");
    assert!(starred.get("*").is_none() && starred["\\*"].as_str() == Some("email"), "{text}");
    assert!(!plan.stdout.contains("plan::unknown-table"), "{plan:?}");
}

#[test]
fn what_is_told_of_people_at_work_and_in_care_is_not_kept_for_having_few_values() {
    let lab = Lab::new("work_and_care");
    lab.seed(
        "CREATE TABLE visits (id int PRIMARY KEY, reason text, medications text);
         INSERT INTO visits SELECT n, (ARRAY['fever', 'follow-up'])[1 + n % 2], 'insulin' FROM generate_series(1, 200) n;
         CREATE TABLE payroll (id int PRIMARY KEY, gross numeric, net numeric, tax numeric);
         INSERT INTO payroll SELECT n, 3000 + n, 2000 + n, 1000 FROM generate_series(1, 200) n;
         CREATE TABLE orders (id int PRIMARY KEY, reason text, net numeric);
         INSERT INTO orders SELECT n, (ARRAY['broken', 'late'])[1 + n % 2], n FROM generate_series(1, 200) n;
         CREATE TABLE firms (id int PRIMARY KEY, label text, reach text, ndc text, lagerort text, rechnr text);
         INSERT INTO firms SELECT n, (ARRAY['Ing.-Büro Steinmetz', 'Fr. Krüger', 'offen'])[1 + n % 3],
           CASE n % 2 WHEN 0 THEN 'u' || n || '@example.org' ELSE '+49 30 23125' || lpad(n::text, 3, '0') END,
           lpad(n::text, 5, '0') || '-' || 1000 + n || '-' || 10 + n % 80, 'R' || n % 5, 'A-' || n % 7
         FROM generate_series(1, 200) n;
         ANALYZE;",
    );
    std::fs::remove_file(lab.path("restage.toml")).expect("no configuration");
    let (from, to) = (lab.source.url("reader", &lab.name), lab.target.url("restage", &lab.name));
    done(lab.restage(&["init", "--source", &from, "--target", &to, "--key-file", KEY]));
    let text = std::fs::read_to_string(lab.path("restage.toml")).expect("text");
    let read: toml::Table = text.parse().expect("TOML");
    let kept = |table: &str, column: &str| {
        let decision = read["tables"][table]["columns"].get(column);
        decision.is_some_and(|decision| decision.get("keep").is_some() || decision.as_str() == Some("keep"))
    };
    for (table, columns) in [
        ("public.visits", &["reason", "medications"][..]),
        ("public.payroll", &["gross", "net", "tax"]),
        ("public.firms", &["label", "reach"]),
    ] {
        for column in columns {
            assert!(!kept(table, column), "{table}.{column}: {text}");
        }
    }
    // The twin: the same words of things, and codes that only look like something else.
    for (table, columns) in [("public.orders", &["reason", "net"][..]), ("public.firms", &["lagerort", "rechnr"])] {
        for column in columns {
            assert!(kept(table, column), "{table}.{column}: {text}");
        }
    }
    let columns = read["tables"]["public.firms"]["columns"].as_table().expect("columns");
    assert_eq!(columns.get("reach").and_then(toml::Value::as_str), Some("pattern"), "{text}");
    assert_ne!(columns.get("ndc").and_then(toml::Value::as_str), Some("phone"), "{text}");
}

#[test]
fn lines_that_init_and_plan_print_are_taken_by_plan() {
    let (source, _) = clusters();
    let lab = Lab::new("taken");
    source.sql(&lab.name, "CREATE EXTENSION citext; CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)");
    lab.seed(
        "CREATE TABLE c (email citext UNIQUE);
         CREATE TABLE o (email citext REFERENCES c (email));
         INSERT INTO c SELECT 'u' || n || '@planted.test' FROM generate_series(1, 50) n;
         INSERT INTO o SELECT email FROM c;
         CREATE TABLE mfa (id int PRIMARY KEY, user_id int NOT NULL, type varchar(20) NOT NULL, data jsonb NOT NULL);
         CREATE UNIQUE INDEX ON mfa (user_id, type) WHERE type IN ('totp', 'recovery_codes');
         CREATE TABLE words (a text COLLATE nocase UNIQUE);
         CREATE TABLE pnone (a int) PARTITION BY LIST (a);
         CREATE TABLE pnone_1 PARTITION OF pnone FOR VALUES IN (1);
         CREATE TABLE inv (no text PRIMARY KEY CHECK (no ~ '^INV-[0-9]{6}$'));
         INSERT INTO inv SELECT 'INV-' || 100000 + n FROM generate_series(1, 50) n;",
    );
    // Without `init`: the tables alone.
    lab.config("");
    let mut text = pasted(&lab);
    assert!(text.contains("\nemail = { mask = \"email\", on_invalid = \"fail\" }\n"), "{text}");
    assert!(text.contains("\na = \"username\"\n"), "{text}");
    // Where no mask can stand the answer is a person's, and the line says so instead of a mask.
    let asked: Vec<String> = text.lines().filter(|line| line.starts_with("# ")).map(str::to_owned).collect();
    for (column, why) in [("type", "unique index"), ("a", "partition"), ("no", "check")] {
        let line = format!("# {column} = {{ keep = \"…\" }}     # your reason: no mask fits");
        assert!(asked.iter().any(|asked| asked.starts_with(&line) && asked.contains(why)), "{column}: {text}");
    }
    // With these answers the plan holds.
    for line in asked.iter().filter(|line| line.contains("no mask fits")) {
        text = text.replace(line.as_str(), &line.trim_start_matches("# ").replace('…', "made up"));
    }
    std::fs::write(lab.path("restage.toml"), &text).expect("write");
    done(lab.restage(&["plan"]));
    std::fs::remove_file(lab.path("restage.toml")).expect("a configuration");
    let (from, to) = (lab.source.url("reader", &lab.name), lab.target.url("restage", &lab.name));
    done(lab.restage(&["init", "--source", &from, "--target", &to, "--key-file", KEY]));
    done(lab.restage(&["init-target", "--yes"]));
    let plan = lab.restage(&["plan", "--json"]);
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout).expect("one document");
    let refused = plan["error"].as_array().map_or(&[][..], Vec::as_slice);
    assert!(refused.iter().all(|one| one["code"] == "plan::undecided-column"), "{refused:?}");
}

/// Columns of rare types, with checks, in keys, and compared with each other: the declarations of a table, the rows by `n`,
/// and the line that `plan` prints for each column (a question begins with `#`).
const BOUND: &[(&str, &str, &str, &[&str])] = &[
    (
        "rare",
        "id int PRIMARY KEY, iv interval NOT NULL, r int4range NOT NULL, mo money NOT NULL, bi bit(3) NOT NULL, \
         vb bit varying(5) NOT NULL, pa pair NOT NULL, oi oid NOT NULL, ra bytea NOT NULL, ve tsvector NOT NULL, \
         bx box NOT NULL, ls lseg NOT NULL",
        "n, '3 days', int4range(n, n + 2), n, B'101', B'11', ROW(n, 'w')::pair, n, '\\x6162', 'word', \
         '(1,1),(0,0)', '[(0,0),(1,1)]'",
        &[
            "iv = { mask = \"const\", value = \"0\" }",
            "r = { mask = \"const\", value = \"empty\" }",
            "mo = { mask = \"const\", value = \"0\" }",
            "bi = { mask = \"const\", value = \"000\" }",
            "vb = { mask = \"const\", value = \"0\" }",
            "pa = { mask = \"const\", value = \"(\\\"0\\\",\\\"x\\\")\" }",
            "oi = { mask = \"const\", value = \"0\" }",
            "ra = { mask = \"const\", value = \"\\\\x\" }",
            "ve = { mask = \"const\", value = \"\" }",
            "bx = { mask = \"const\", value = \"(0,0),(0,0)\" }",
            "ls = { mask = \"const\", value = \"(0,0),(0,0)\" }",
        ],
    ),
    (
        "checked",
        "id int PRIMARY KEY, c int NOT NULL CHECK (c > 0), l int NOT NULL CHECK (l IN (7, 8)), d posint NOT NULL, \
         j jsonb NOT NULL CHECK (jsonb_typeof(j) = 'array'), a int[] NOT NULL CHECK (cardinality(a) > 0), \
         nn int CHECK (nn IS NOT NULL), da date NOT NULL CHECK (da >= '2150-02-03'), \
         co text NOT NULL CHECK (co = 'one' OR co = 'two'), im int NOT NULL CHECK (im % 1000 = 999 AND im > 5)",
        "n, n, 7, n, '[1]', ARRAY[n], n, '2150-02-03'::date + n, 'one', 999",
        &[
            "c = { mask = \"const\", value = 1 }",
            "l = { mask = \"const\", value = 7 }",
            "d = { mask = \"const\", value = 1 }",
            "j = { mask = \"const\", value = \"[]\" }",
            "a = { mask = \"const\", value = \"{\\\"0\\\"}\" }",
            "nn = { mask = \"const\", value = 0 }",
            "da = { mask = \"const\", value = \"2150-02-03\" }",
            "# co = a check asks for a form",
            "im = { mask = \"const\", value = 999 }",
        ],
    ),
    ("days", "d date UNIQUE NOT NULL", "'2015-01-01'::date + n * 31", &["d = \"date.within_year\""]),
    ("amounts", "x numeric UNIQUE NOT NULL", "n + 0.5", &["# x = masks of its type do not keep it unique"]),
    ("sometimes", "x numeric UNIQUE", "n + 0.5", &["x = \"null\""]),
    (
        "readings",
        "sensor int, t timestamptz, v numeric NOT NULL, PRIMARY KEY (sensor, t)",
        "n % 5, '2015-01-01'::timestamptz + n * interval '31 days', n",
        &["t = \"date.within_year\"", "v = { mask = \"const\", value = 0 }"],
    ),
    (
        "flags",
        "f boolean, d date, PRIMARY KEY (f, d)",
        "n % 2 = 0, '2015-01-01'::date + n * 31",
        &["d = \"date.within_year\""],
    ),
    ("states", "s mood, x int, PRIMARY KEY (s, x)", "'sad', n", &["s = \"enum.perm\""]),
    (
        "spans",
        "a1 int NOT NULL, a2 int NOT NULL, CHECK (a1 < a2)",
        "n, n + 1",
        &["# a1 = a check compares it with other columns", "# a2 = a check compares it with other columns"],
    ),
    (
        "either",
        "u1 int, u2 int, CHECK ((u1 IS NULL) <> (u2 IS NULL))",
        "CASE WHEN n % 2 = 0 THEN n END, CASE WHEN n % 2 = 1 THEN n END",
        &["u1 = { mask = \"const\", value = 0 }", "u2 = { mask = \"const\", value = 0 }"],
    ),
    ("ordered", "b1 int, b2 int, CHECK (b1 < b2)", "n, n + 1", &["b1 = \"null\"", "b2 = \"null\""]),
    (
        "booked",
        "du tsrange NOT NULL, EXCLUDE USING gist (du WITH &&)",
        "tsrange('2015-01-01'::timestamp + n * interval '1 day', '2015-01-02'::timestamp + n * interval '1 day')",
        &["# du = an exclusion constraint compares it"],
    ),
];

#[test]
fn what_plan_prints_for_rare_types_checks_and_keys_is_taken_and_loads() {
    let lab = Lab::new("bound");
    let mut sql = "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE pair AS (n int, w text);
         CREATE DOMAIN posint AS int CHECK (VALUE > 0);
         CREATE TABLE parted (id int, day date NOT NULL) PARTITION BY RANGE (day);
         CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2015-01-01') TO ('2016-01-01');
         INSERT INTO parted SELECT n, '2015-01-01'::date + n FROM generate_series(1, 40) n;\n"
        .to_owned();
    for (table, columns, values, _) in BOUND {
        sql.push_str(&format!("CREATE TABLE {table} ({columns});\n"));
        sql.push_str(&format!("INSERT INTO {table} SELECT {values} FROM generate_series(1, 40) n;\n"));
    }
    lab.seed(&sql);
    // Lines are what this is about; values of so few rows meet by chance.
    lab.config("[verify]\nleak = false\n");
    let text = pasted(&lab);
    let section = |table: &str| {
        let header = format!("[tables.\"public.{table}\".columns]\n");
        let start = text.find(&header).unwrap_or_else(|| panic!("{table}: {text}")) + header.len();
        text[start..].split("\n[").next().expect("lines").to_owned()
    };
    let parted: (&str, &str, &str, &[&str]) = ("parted", "", "", &["# day = it decides the partition of its row"]);
    for (table, _, _, expected) in BOUND.iter().chain([&parted]) {
        let lines = section(table);
        for line in *expected {
            let told = match line.strip_prefix("# ").and_then(|line| line.split_once(" = ")) {
                Some((column, why)) => lines.lines().any(|line| {
                    line.starts_with(&format!("# {column} = {{ keep = \"…\" }}     # your reason"))
                        && line.contains(why)
                }),
                None => lines.lines().any(|found| found == *line),
            };
            assert!(told, "{table}: {line}\n{lines}");
        }
    }
    // A person answers what is asked; everything else is as it was printed.
    let answer = |line: &str| match line.contains("no mask fits") {
        true => line.trim_start_matches("# ").replace('…', "made up"),
        false => line.to_owned(),
    };
    let answered: Vec<String> = text.lines().map(answer).collect();
    std::fs::write(lab.path("restage.toml"), answered.join("\n")).expect("write");
    done(lab.restage(&["plan"]));
    done(lab.restage(&["refresh", "--yes"]));
    for (table, ..) in BOUND.iter().chain([&parted]) {
        assert_eq!(lab.staging(&format!("SELECT count(*) FROM {table}")), "40", "{table}");
    }
}

#[test]
fn settings_in_a_text_are_no_address_and_links_are_no_names() {
    let lab = Lab::new("settings");
    lab.seed(
        "CREATE TABLE users (id int PRIMARY KEY, email text, settings text, profile text, also_known_as varchar[], nickname text);
         INSERT INTO users SELECT n, 'u' || n || '@planted.test', '{\"web.trends\":false,\"notification_emails.follow\":true}',
             '{\"contact\": {\"email\": \"u' || n || '@planted.test\"}}', ARRAY['https://social.planted.test/users/' || n], 'Anke'
         FROM generate_series(1, 100) n; ANALYZE;",
    );
    let document = document(&lab, &["discover", "--json"]);
    let (settings, _) = proposed(&document, "public.users", "settings");
    assert!(!settings.contains("email"), "{settings}");
    let (links, _) = proposed(&document, "public.users", "also_known_as");
    assert!(!links.contains("name."), "{links}");
    // The twins: an address in a document of a text is masked where it stands, and a name is one.
    let (profile, open) = proposed(&document, "public.users", "profile");
    assert!(
        !open && profile.starts_with("{ mask = \"json\"") && profile.contains("\"$.contact.email\" = \"email\""),
        "{profile}"
    );
    assert!(proposed(&document, "public.users", "nickname").0.contains("name."));
}

#[test]
fn names_of_fields_are_fields_whatever_they_are_called_and_the_structure_of_documents_stays() {
    let lab = Lab::new("document_fields");
    lab.seed(
        "CREATE TABLE sites (id int PRIMARY KEY, contacts jsonb, quote jsonb, texts jsonb, form jsonb, rare jsonb);
         INSERT INTO sites SELECT n,
             jsonb_build_object('sales', 'a' || n || '@example.com', 'press', 'b' || n || '@example.com', 'support', 'c' || n || '@example.com'),
             jsonb_build_object('Stock', n, 'Price', n * 2, 'Zone', 'A', 'Contact', jsonb_build_object('Email', 'd' || n || '@example.com')),
             jsonb_build_object('ja_JP', jsonb_build_object('author_email', 'e' || n || '@example.com'),
                 'en_US', jsonb_build_object('author_email', 'f' || n || '@example.com')),
             jsonb_build_object('Full name', 'Anna Schmidt', 'E-mail address', 'g' || n || '@example.com', 'Phone (home)', '+49 30 23125 ' || (100 + n)),
             CASE n WHEN 7 THEN jsonb_build_object('kontaktPerson', jsonb_build_object('email', 'anna@example.com')) ELSE jsonb_build_object('a', 1) END
         FROM generate_series(1, 60) n;
         CREATE TABLE settings (id int PRIMARY KEY, value jsonb);
         INSERT INTO settings VALUES (1, '{\"smtp\": {\"host\": \"a\"}, \"admin_email\": \"admin@example.com\"}'); ANALYZE;",
    );
    let found = document(&lab, &["discover", "--json"]);
    let site = |column: &str| proposed(&found, "public.sites", column).0;
    let email = |column: &str, paths: &[&str]| {
        let toml = site(column);
        let all = paths.iter().all(|path| toml.contains(&format!("\"{path}\" = \"email\"")));
        assert!(all && !toml.contains("keys = ") && toml.ends_with("rest = \"null\" }"), "{toml}");
    };
    email("contacts", &["$.press", "$.sales", "$.support"]);
    email("quote", &["$.Contact.Email"]);
    email("texts", &["$.en_US.author_email", "$.ja_JP.author_email"]);
    assert_eq!(site("rare"), "{ mask = \"json\", rest = \"null\" }");
    // No name of a field: the whole column goes.
    assert!(!site("form").contains("json"), "{}", site("form"));
    assert!(proposed(&found, "public.settings", "value").0.contains("\"$.admin_email\" = \"email\""), "{found}");
}

#[test]
fn keys_of_documents_that_are_tokens_or_persons_are_neither_told_nor_kept() {
    let lab = Lab::new("document_keys");
    lab.seed(
        "CREATE TABLE users (id int PRIMARY KEY, tokens jsonb, shares jsonb, accounts jsonb, profile jsonb);
         INSERT INTO users SELECT n,
             jsonb_build_object(md5(n::text),
                 jsonb_build_object('token', '$2a$10$' || left(encode(sha256((n + 1)::text::bytea), 'hex'), 53), 'size', 1)),
             jsonb_build_object((ARRAY['asanchez', 'bkim', 'okowalski', 'oivanova'])[1 + n % 4],
                 jsonb_build_object('email', 'f' || n || '@example.com')),
             jsonb_build_object((ARRAY['Sanchez', 'Kowalski', 'Linda Ivanov', 'b.kim'])[1 + n % 4], jsonb_build_object('email', 'g' || n || '@example.com')),
             jsonb_build_object('contact', jsonb_build_object('email', 'h' || n || '@example.com'),
                 'zq' || translate(n::text, '0123456789', 'abcdefghij'), jsonb_build_object('email', 'i' || n || '@example.com'))
         FROM generate_series(31, 70) n; ANALYZE;",
    );
    let keys = "SELECT DISTINCT k FROM public.users, unnest(ARRAY[tokens, shares, accounts, profile]) AS d, jsonb_object_keys(d) AS k \
                WHERE k <> 'contact'";
    let keys: Vec<String> = lab.production(keys).lines().map(str::to_owned).collect();
    assert_eq!(keys.len(), 40 + 4 + 4 + 40, "{keys:?}");
    let untold = |text: &str| keys.iter().find(|key| text.contains(key.as_str())).cloned();
    for args in [
        &["discover"][..],
        &["discover", "-v"],
        &["discover", "--json"],
        &["discover", "--format", "github"],
        &["discover", "--format", "sarif"],
    ] {
        assert_eq!(untold(&done(lab.restage(args))), None, "{args:?}");
    }
    let found = document(&lab, &["discover", "--json"]);
    let proposed = |column: &str| proposed(&found, "public.users", column).0;
    // One entry for all keys of a map, also for those that nobody has seen yet.
    let tokens = proposed("tokens");
    assert!(tokens.contains("\"$.*.token\" = ") && tokens.matches("$.").count() == 1, "{tokens}");
    let masked =
        "{ mask = \"json\", paths = { \"$.*.email\" = \"email\" }, keys = { \"$\" = \"username\" }, rest = \"null\" }";
    assert_eq!((proposed("shares").as_str(), proposed("accounts").as_str()), (masked, masked));
    // Among the names of fields, keys of one document each say nothing.
    let profile = proposed("profile");
    assert_eq!(profile, "{ mask = \"json\", paths = { \"$.contact.email\" = \"email\" }, rest = \"null\" }");

    done(lab.restage(&["discover", "--write"]));
    let written = std::fs::read_to_string(lab.path("restage.toml")).expect("a configuration");
    assert_eq!(untold(&written), None, "{written}");
    lab.refresh();
    let column = |column: &str| lab.staging(&format!("SELECT {column}::text FROM public.users"));
    let staged = format!("{}{}{}", column("tokens"), column("shares"), column("accounts"));
    assert_eq!(untold(&staged), None, "{staged}");
    assert!(!column("tokens").contains("\"token\": null"), "every token has a mask: {}", column("tokens"));
}

#[test]
fn what_is_too_narrow_for_its_mask_is_not_dropped() {
    let lab = Lab::new("narrow");
    lab.seed(
        "CREATE TABLE customers (id int PRIMARY KEY, full_name text, city varchar(8));
         INSERT INTO customers SELECT n, 'Patricia Miller', 'Berlin' FROM generate_series(1, 50) n;",
    );
    let document = document(&lab, &["discover", "--json"]);
    assert_eq!(proposed(&document, "public.customers", "city"), ("\"pattern\"".to_owned(), false));
    let told = done(lab.restage(&["discover"]));
    assert!(told.contains("(1 table, 50 rows seen"), "{told}");
}

#[test]
fn what_values_alone_may_tell_of_a_person_is_asked() {
    let lab = Lab::new("values_alone");
    lab.seed(
        "CREATE TABLE entries (id int PRIMARY KEY, d1 date, d2 bigint, d3 date, d4 date, x double precision, y double precision,
             kennz bigint, ref text, grund text, wahl text, dev text, status text);
         INSERT INTO entries SELECT n, day, to_char(day, 'YYYYMMDD')::bigint, date '1990-01-01' + n * 37 % 3650,
             date '2015-01-01' + n, 7.1 + n * 0.013791, 48.2 + n * 0.0093417, 4915100000000 + n::bigint * 61803399 % 100000000,
             lpad(n::text, 8, '0'), (ARRAY['Diabetes', 'Burnout', 'Schwangerschaft'])[1 + n % 3],
             (ARRAY['SPD', 'CDU'])[1 + n % 2], (ARRAY['iPhone von Torsten', 'Pixel'])[1 + n % 2],
             (ARRAY['open', 'closed'])[1 + n % 2]
         FROM generate_series(1, 300) n, LATERAL (SELECT date '1940-01-01' + n * 7919 % 23000) AS of (day); ANALYZE;",
    );
    let document = document(&lab, &["discover", "--json"]);
    let proposed = |column: &str| proposed(&document, "public.entries", column);
    for column in ["d1", "d2", "x", "y", "grund", "wahl", "dev"] {
        let (toml, open) = proposed(column);
        assert!(open, "{column}: {toml}");
    }
    assert!(!proposed("kennz").0.contains("keep"), "numbers of mobile phones");
    assert_ne!(proposed("ref").0, "\"phone\"");
    // The twins: dates of ten years, dates of today, and words that say nothing.
    for column in ["d3", "d4", "status"] {
        let (toml, open) = proposed(column);
        assert!(!open && toml.contains("no sign of a person"), "{column}: {toml}");
    }
}

#[test]
fn numbers_and_short_names_that_tell_of_a_person_are_not_kept() {
    let lab = Lab::new("told_shortly");
    lab.seed(
        "CREATE TABLE entries (id int PRIMARY KEY, x bigint, y bigint, tap bigint, ref bigint, hiv boolean, gravida smallint,
             rel char(2), gh text, bonus numeric, num_val numeric, herk text, art text, size numeric);
         INSERT INTO entries SELECT n, body * 10 + c, body * 10 + (c + 1) % 10,
             CASE n % 3 WHEN 0 THEN 49521000000 + n::bigint * 61803 % 1000000 WHEN 1 THEN 33600000000 + n::bigint * 61803399 % 100000000
               ELSE 447911000000 + n::bigint * 61803 % 1000000 END,
             4500000001 + n * 20011::bigint, n % 50 = 0, n % 4, (ARRAY['rk', 'ev'])[1 + n % 2], (ARRAY['GdB 50', 'GdB 80'])[1 + n % 2],
             n % 7 * 100, n % 5, (ARRAY['Sinti', 'Kurdin'])[1 + n % 2], (ARRAY['ev', 'bev', 'phev'])[1 + n % 3], n % 9
         FROM generate_series(1, 400) n, LATERAL (SELECT n::bigint * 618033988 % 1000000000) AS of (body),
           LATERAL (SELECT (11 - sum((11 - i) * substr(lpad(body::text, 9, '0'), i, 1)::int) % 11) % 11 FROM generate_series(1, 9) i)
             AS checked (c)
         WHERE c < 10;
         CREATE TABLE products (id int PRIMARY KEY, bonus numeric); INSERT INTO products SELECT n, n % 7 * 100 FROM generate_series(1, 400) n;
         ANALYZE;",
    );
    let document = document(&lab, &["discover", "--json"]);
    let (bonus, open) = proposed(&document, "public.products", "bonus");
    assert!(!open && bonus.contains("keep"), "what a product gives: {bonus}");
    let proposed = |column: &str| proposed(&document, "public.entries", column);
    for column in ["x", "tap", "hiv", "gravida", "rel", "gh", "bonus", "num_val", "herk"] {
        let (toml, open) = proposed(column);
        assert!(open || !toml.contains("keep"), "{column}: {toml}");
    }
    // The twins: another last digit, orders that are counted, cars, and a size.
    for column in ["y", "ref", "art", "size"] {
        let (toml, open) = proposed(column);
        assert!(!open && toml.contains("no sign of a person"), "{column}: {toml}");
    }
}

#[test]
fn names_in_other_scripts_say_what_columns_hold() {
    let lab = Lab::new("scripts");
    lab.seed(
        r#"CREATE TABLE "患者" (id int PRIMARY KEY, "姓名" text, "電話番号" text, "備考" text, "給与" int);
         INSERT INTO "患者" SELECT n, (ARRAY['甲野 乙', '丙田 丁'])[1 + n % 2], '090-1234-' || 1000 + n % 5, 'なし', 1000 * (n % 5)
         FROM generate_series(1, 200) n;
         CREATE TABLE "пациенты" (id int PRIMARY KEY, "имя" text, "отчество" text, "диагноз" text, "пол" text);
         INSERT INTO "пациенты" SELECT n, (ARRAY['Анна', 'Пётр'])[1 + n % 2], 'Петрович', 'ВИЧ', (ARRAY['м', 'ж'])[1 + n % 2]
         FROM generate_series(1, 200) n;
         CREATE TABLE "환자" (id int PRIMARY KEY, "이름" text, "전화번호유형" text);
         INSERT INTO "환자" SELECT n, (ARRAY['갑돌', '갑순'])[1 + n % 2], (ARRAY['가', '나'])[1 + n % 2] FROM generate_series(1, 200) n;
         CREATE TABLE "商品" (id int PRIMARY KEY, "商品名" text, "色" text);
         INSERT INTO "商品" SELECT n, (ARRAY['机', '椅子'])[1 + n % 2], (ARRAY['赤', '青'])[1 + n % 2] FROM generate_series(1, 200) n;
         ANALYZE;"#,
    );
    let document = document(&lab, &["discover", "--json"]);
    for (table, columns) in [
        ("public.患者", &["姓名", "電話番号", "備考", "給与"][..]),
        ("public.пациенты", &["имя", "отчество", "диагноз", "пол"]),
        ("public.환자", &["이름"]),
    ] {
        for column in columns {
            let (toml, open) = proposed(&document, table, column);
            assert!(open || !toml.contains("keep"), "{table}.{column}: {toml}");
        }
    }
    // The twins: names of things, and what sort of number it is.
    for (table, column) in [("public.商品", "商品名"), ("public.商品", "色"), ("public.환자", "전화번호유형")]
    {
        let (toml, open) = proposed(&document, table, column);
        assert!(!open && toml.contains("no sign of a person"), "{table}.{column}: {toml}");
    }
}

/// Texts that are written as names and values, and those of prose in tags; a person in each row.
const WRITTEN: &str = r#"
CREATE TABLE log (id int PRIMARY KEY, object text, change_message text, meta text, query text, visit text, hl text, long text,
    doc text, body text, remarks text);
INSERT INTO log SELECT n,
    E'---\nfirst_name: Katarzyna\nlast_name: Brzeczyk' || n || E'\nborn_on: 1971-02-03\nstreet: Lipowa ' || n || E'\nmail: u' || n || '@planted.test',
    '[{"changed": {"name": "client", "object": "Katarzyna Brzeczyk' || n || '"}}]',
    'a:2:{s:4:"name";s:18:"Katarzyna Brzeczyk";s:4:"note";s:30:"she called and wants it all back ' || n || ', u' || n || '@planted.test";}',
    'name=Katarzyna+Brzeczyk&street=Lipowa+' || n || '&note=she+called+back+and+wants+it',
    E'BEGIN:VCARD\nFN:Katarzyna Brzeczyk\nNOTE:she called back and wants it ' || n || E'\nEMAIL:u' || n || E'@planted.test\nEND:VCARD',
    E'MSH|^~\\&|LAB|A\rPID|1||' || n || '||Brzeczyk^Katarzyna||19710203',
    '{"name": "Katarzyna Brzeczyk", "note": "' || repeat('she called back and wants it all ', 150) || n || '"}',
    '<order><buyer><name>Katarzyna Brzeczyk</name></buyer><note>she called back and wants it all today ' || n || '</note></order>',
    '<p>Please call her back on Monday, she wants to know about order ' || n || '</p><p>Mail u' || n || '@planted.test</p>',
    'Please call her back on Monday: she wants to know about order ' || n
FROM generate_series(1, 120) n;
ANALYZE;
"#;

#[test]
fn texts_of_names_and_values_are_masked_whole_and_prose_in_tags_stays_readable() {
    let lab = Lab::new("written");
    lab.seed(WRITTEN);
    let found = document(&lab, &["discover", "--json"]);
    let hidden = ["object", "change_message", "meta", "query", "visit", "hl", "long", "doc"];
    let mut lines = String::new();
    for column in hidden.into_iter().chain(["body", "remarks"]) {
        let (toml, open) = proposed(&found, "public.log", column);
        assert!(!toml.contains("keep"), "{column}: {toml}");
        let prose = toml == "\"text.spans\"" || toml.starts_with("{ mask = \"text.spans\"");
        assert!(!prose || !hidden.contains(&column), "{column}: {toml}");
        // What is left to a person is NULL until one says more.
        lines.push_str(&format!("{column} = {}\n", if open { "\"null\"" } else { &toml }));
    }
    let json = |column: &str| proposed(&found, "public.log", column).0.starts_with("{ mask = \"json\"");
    assert!(json("change_message") && json("long"), "{lines}");
    for column in ["object", "meta", "visit"] {
        assert_eq!(proposed(&found, "public.log", column), ("\"pattern\"".to_owned(), false), "{column}");
    }
    assert!(["object", "meta", "doc", "body"].iter().all(|column| !json(column)), "{lines}");
    assert!(proposed(&found, "public.log", "body").0.contains("text.spans"), "{lines}");
    let config = |lines: &str| {
        lab.config(&format!("[verify]\nleak = false\n[tables.\"public.log\".columns]\nid = \"keep\"\n{lines}"));
        lab.refresh();
    };
    let people = "SELECT count(*) FROM log WHERE log::text ~* 'katarzyna|brzeczyk|lipowa|@planted'";
    config(&lines);
    assert_eq!(lab.staging(people), "0", "{lines}");
    assert_eq!(lab.staging("SELECT count(*) FROM log WHERE body LIKE '<p>Please call%</p><p>Mail %</p>'"), "120");
    // The twin: the mask of prose leaves what stands in fields.
    let spans: String = hidden.iter().map(|column| format!("{column} = \"text.spans\"\n")).collect();
    config(&format!("{spans}body = \"null\"\nremarks = \"null\"\n"));
    for column in hidden {
        let kept = format!("SELECT count(*) FROM log WHERE {column} ~* 'katarzyna'");
        assert_eq!(lab.staging(&kept), "120", "{column}");
    }
}

#[test]
fn names_of_settings_are_kept_and_logins_beside_a_value_are_not() {
    let lab = Lab::new("setting_names");
    let names = "('page.title_length'), ('mail.batch_size'), ('web.base.url'), ('invoice_due_days'), ('theme')";
    let logins = "('katarzyna.brzeczyk'), ('piotr.gzegz'), ('maria.wlazl'), ('jan_kowalski'), ('thomas.qvist')";
    lab.seed(&format!(
        "CREATE TABLE app_settings (id serial PRIMARY KEY, name text NOT NULL UNIQUE, value text);
         INSERT INTO app_settings (name, value) SELECT *, 'some text of it' FROM (VALUES {names}) AS n;
         CREATE TABLE profile_entries (id serial PRIMARY KEY, key text NOT NULL UNIQUE, value text);
         INSERT INTO profile_entries (key, value) SELECT *, 'some text of it' FROM (VALUES {logins}) AS n;
         CREATE TABLE site_settings (id serial PRIMARY KEY, name text NOT NULL, value text);
         INSERT INTO site_settings (name, value) SELECT *, 'some text of it' FROM (VALUES {names}) AS n;
         CREATE TABLE app_pages (id serial PRIMARY KEY, name text NOT NULL UNIQUE, body text);
         INSERT INTO app_pages (name) SELECT * FROM (VALUES {names}) AS n; ANALYZE;"
    ));
    let found = document(&lab, &["discover", "--json"]);
    let kept = "{ keep = \"names of settings, beside their values\" }".to_owned();
    for table in ["public.app_settings", "public.site_settings"] {
        assert_eq!(proposed(&found, table, "name"), (kept.clone(), false), "{table}");
    }
    let value = proposed(&found, "public.app_settings", "value").0;
    assert!(!value.contains("names of settings"), "{value}");
    // The twins: what may be logins, and the same names without values.
    for (table, column) in [("public.profile_entries", "key"), ("public.app_pages", "name")] {
        let (toml, _) = proposed(&found, table, column);
        assert!(!toml.contains("names of settings"), "{table}: {toml}");
    }
}

#[test]
fn names_that_may_mean_a_secret_or_somebody_are_asked_whatever_their_values() {
    let lab = Lab::new("asked");
    lab.seed(
        "CREATE TABLE conn (id int PRIMARY KEY, ldap_bind_pw text, keystore_pass text, enc_key text, totp text, cookie text, auth_data text,
             dbpwd text, usr_twofactorauthsecret text, door_code int, conf text, sort_key text, auth_type text, pass_count int, product_key int);
         INSERT INTO conn SELECT n, w, w, w, w, w, w, w, w, 1000 + n % 2,
           (ARRAY['k3VbT9xLmQ2wZs8HyRn4Pc', 'Zt5qWd7NfXa1uKe6GjBv0M'])[1 + n % 2], w, w, n, 1000 + n
           FROM generate_series(1, 200) n, LATERAL (SELECT (ARRAY['open', 'closed'])[1 + n % 2]) AS of (w);
         CREATE TABLE entries (id int PRIMARY KEY, mother text, client text, staff text, contact text[], person text, member text,
             student text, account_manager text, kunde text, initials text, client_nr int, createdby text, client_type text, guests int,
             contact_method text, patient text);
         INSERT INTO entries SELECT n, w, w, w, ARRAY[w], w, w, w, w, w, w, 1000 + n, w, w, n % 9, w, (n % 2)::text
           FROM generate_series(1, 200) n, LATERAL (SELECT (ARRAY['open', 'closed'])[1 + n % 2]) AS of (w);
         CREATE TABLE borrowers (id int PRIMARY KEY, telefone_empresa bigint, phone_company bigint, sus bigint, medical_record int,
             licence_no int, driver_no int, safe_combination int, shelf int);
         INSERT INTO borrowers SELECT n, v, v, v, v, v, v, v, 5000 + n
           FROM generate_series(1, 100) n, LATERAL (SELECT 20000000 + n * 7919) AS of (v);
         ANALYZE;",
    );
    let document = document(&lab, &["discover", "--json"]);
    let kept = |table: &str, column: &str| {
        let (toml, open) = proposed(&document, &format!("public.{table}"), column);
        (!open && toml.contains("no sign of a person"), toml)
    };
    for (table, columns) in [
        (
            "conn",
            &[
                "ldap_bind_pw",
                "keystore_pass",
                "enc_key",
                "totp",
                "cookie",
                "auth_data",
                "dbpwd",
                "usr_twofactorauthsecret",
                "door_code",
                "conf",
            ][..],
        ),
        (
            "entries",
            &[
                "mother",
                "client",
                "staff",
                "contact",
                "person",
                "member",
                "student",
                "account_manager",
                "kunde",
                "initials",
                "client_nr",
                "createdby",
            ],
        ),
        (
            "borrowers",
            &[
                "telefone_empresa",
                "phone_company",
                "sus",
                "medical_record",
                "licence_no",
                "driver_no",
                "safe_combination",
            ],
        ),
    ] {
        for column in columns {
            let (is_kept, toml) = kept(table, column);
            assert!(!is_kept, "{table}.{column}: {toml}");
        }
    }
    // The twins: other keys and properties, counts, and switches.
    for (table, columns) in [
        ("conn", &["sort_key", "auth_type", "pass_count", "product_key"][..]),
        ("entries", &["client_type", "guests", "contact_method", "patient"]),
        ("borrowers", &["shelf"]),
    ] {
        for column in columns {
            let (is_kept, toml) = kept(table, column);
            assert!(is_kept, "{table}.{column}: {toml}");
        }
    }
}

#[test]
fn secrets_and_persons_with_few_values_are_asked_and_measures_of_persons_are_kept() {
    let lab = Lab::new("asked_more");
    let secrets = [
        "enable_pw",
        "db_url",
        "webhook_url",
        "salt",
        "otp_key",
        "mnemonic",
        "safe_combo",
        "aws_sk",
        "zugangsdaten",
        "wpa2",
    ];
    let persons = ["judge", "dentist", "mum", "inhaber", "temoin", "sales_agent", "opiekun", "treasurer"];
    let numbers = ["home_no", "faxnr", "patnr", "card4", "plate", "gebjahr", "coach"];
    let words = ["parking_pass", "kafka_broker", "label_sk", "agent_version", "training_session"];
    let measures = ["discount_customer", "rating_seller", "points_member"];
    let texts = [&secrets[..], &persons, &words].concat();
    let figures = [&numbers[..], &measures].concat();
    let columns =
        texts.iter().map(|name| format!("{name} text")).chain(figures.iter().map(|name| format!("{name} int")));
    let values = texts.iter().map(|_| "w").chain(figures.iter().map(|_| "1000 + n % 7"));
    lab.seed(&format!(
        "CREATE TABLE entries (id int PRIMARY KEY, {});
         INSERT INTO entries SELECT n, {} FROM generate_series(1, 200) n,
             LATERAL (SELECT (ARRAY['open', 'closed'])[1 + n % 2]) AS of (w);
         ANALYZE;",
        columns.collect::<Vec<_>>().join(", "),
        values.collect::<Vec<_>>().join(", "),
    ));
    let document = document(&lab, &["discover", "--json"]);
    let kept = |column: &str| {
        let (toml, open) = proposed(&document, "public.entries", column);
        (!open && toml.contains("no sign of a person"), toml)
    };
    for column in secrets.iter().chain(&persons).chain(&numbers) {
        let (is_kept, toml) = kept(column);
        assert!(!is_kept, "{column}: {toml}");
    }
    // The twins: other passes, parts of programs, a language, and measures of somebody.
    for column in words.iter().chain(&measures) {
        let (is_kept, toml) = kept(column);
        assert!(is_kept, "{column}: {toml}");
    }
}

#[test]
fn what_all_columns_of_a_table_begin_with_says_nothing_of_them() {
    let lab = Lab::new("prefixed");
    lab.seed(
        "CREATE TABLE contacts (cp_id int PRIMARY KEY, cp_gender char(1), cp_email text, cp_phone1 text, cp_satphone text, cp_project text,
             cp_abteilung text, cp_position text);
         CREATE TABLE galette_logs (id_log int PRIMARY KEY, date_log date, ip_log text, action_log text);
         CREATE TABLE places (id int PRIMARY KEY, cp text);
         CREATE TABLE pin (pin_id int PRIMARY KEY, pin_door int, pin_gate int, pin_email text, pin_phone text);
         CREATE TABLE gehalt (gehalt_id int PRIMARY KEY, gehalt_basis int, gehalt_alt numeric, gehalt_email text, gehalt_telefon text);
         CREATE TABLE matches (id_hash text PRIMARY KEY, email_hash text, ssn_hash text, phone_hash text);
         INSERT INTO pin SELECT n, 1000 + n % 2, 2000 + n % 3, 'a' || n || '@example.com', '+49 30 23125 ' || n FROM generate_series(100, 199) n;",
    );
    let document = document(&lab, &["discover", "--json"]);
    for (table, columns) in [
        (
            "contacts",
            &[("cp_email", "email"), ("cp_satphone", "phone"), ("cp_project", "-"), ("cp_abteilung", "-")][..],
        ),
        ("galette_logs", &[("ip_log", "ip")]),
        // The twin: where it stands alone it is a postal code.
        ("places", &[("cp", "zip")]),
        // What the word says besides is not lost, and what is made of a value is not taken for it.
        ("pin", &[("pin_door", "password"), ("pin_gate", "password"), ("pin_email", "email")]),
        ("gehalt", &[("gehalt_basis", "income"), ("gehalt_alt", "income"), ("gehalt_telefon", "phone")]),
        ("matches", &[("email_hash", "-")]),
    ] {
        let found = found(&document, &format!("public.{table}"));
        for (column, category) in columns {
            let said = found.iter().find(|(name, _)| name == column).map(|(_, said)| said.as_str());
            assert_eq!(said, Some(*category), "{table}.{column}");
        }
    }
}
