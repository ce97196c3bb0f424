//! What is measured of a loaded database: how far it hides people, and how far it is like its source. Planted rows, so that
//! every number is known by hand.

use crate::support::{Lab, Ran};
use restage::measure::rows::{Cell, ROWS_MAX, Rows, Shape};
use serde_json::Value;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// The example of Li, Li and Venkatasubramanian, "t-Closeness" (2007), table 3: three classes of three.
const PATIENTS: &str = "
CREATE TABLE patients (id int PRIMARY KEY, name text, zip text, age int, salary int, disease text, note json);
INSERT INTO patients VALUES
  (1, 'Qanna', '476', 2, 3000, 'gastric ulcer'), (2, 'Qben', '476', 2, 4000, 'gastritis'),
  (3, 'Qcarl', '476', 2, 5000, 'stomach cancer'), (4, 'Qdora', '479', 4, 6000, 'gastritis'),
  (5, 'Qemil', '479', 4, 11000, 'flu'), (6, 'Qfay', '479', 4, 8000, 'bronchitis'),
  (7, 'Qgus', '476', 3, 7000, 'bronchitis'), (8, 'Qhana', '476', 3, 9000, 'pneumonia'),
  (9, 'Qivo', '476', 3, 10000, 'stomach cancer');
";

const POLICY: &str = "[tables.\"public.*\"]\ndefault = { keep = \"a test\" }\n\n[tables.\"public.patients\".columns]\n\
                      name = { mask = \"name.first\", subject = \"id\" }\n";

fn rule(columns: &str, rest: &str) -> String {
    format!("\n[[verify.anonymity]]\ntable = \"public.patients\"\ncolumns = {columns}\n{rest}\n")
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

fn near(value: &Value, expected: f64) -> bool {
    value.as_f64().is_some_and(|value| (value - expected).abs() < 1e-9)
}

#[test]
fn classes_and_what_they_tell_are_counted_as_in_the_literature() {
    let lab = Lab::new("anonymity");
    lab.seed(PATIENTS);
    let asked = "sensitive = [\"salary\", \"disease\"]\nk = 3\nl = 3\nl_entropy = 3\nt = 0.45";
    lab.config(&format!("{POLICY}{}", rule("[\"zip\", \"age\"]", asked)));
    let ran = lab.restage(&["refresh", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let found = &json(&ran)["privacy"]["anonymity"][0];
    assert_eq!((&found["rows"], &found["classes"], &found["smallest"]), (&9.into(), &3.into(), &3.into()), "{found}");
    assert_eq!((&found["unique_rows"], &found["rows_under_k"], &found["ok"]), (&0.into(), &0.into(), &true.into()));
    assert_eq!(found["sizes"], serde_json::json!([0, 0, 3]));
    let (salary, disease) = (&found["sensitive"][0], &found["sensitive"][1]);
    assert_eq!((&salary["distinct_min"], &salary["ordered"]), (&3.into(), &true.into()));
    assert!(near(&salary["entropy_min"], 3.0) && near(&salary["distance_max"], 0.375), "{salary}");
    assert!(near(&disease["distance_max"], 4.0 / 9.0) && disease["ordered"] == false, "{disease}");

    // The living staging is measured alike.
    let verified = lab.restage(&["verify", "--json"]);
    assert_eq!(json(&verified)["privacy"]["anonymity"][0], *found);
}

#[test]
fn every_threshold_that_is_missed_publishes_nothing_and_tells_counts_only() {
    let lab = Lab::new("thresholds");
    lab.seed(PATIENTS);
    let sensitive = "sensitive = [\"salary\"]";
    for (columns, rest, told) in [
        ("[\"zip\", \"age\"]", "k = 4", "9 rows in 3 of 3 classes with fewer than 4 rows, the smallest has 3"),
        ("[\"zip\"]", "k = 4", "3 rows in 1 of 2 classes with fewer than 4 rows, the smallest has 3"),
        (
            "[\"zip\", \"age\"]",
            &format!("{sensitive}\nk = 2\nl = 4"),
            "9 rows in classes with fewer than 4 values of salary",
        ),
        (
            "[\"zip\", \"age\"]",
            &format!("{sensitive}\nk = 2\nl_entropy = 3.1"),
            "fewer than 3.1 effective values of salary",
        ),
        (
            "[\"zip\", \"age\"]",
            &format!("{sensitive}\nk = 2\nt = 0.3"),
            "3 rows in classes with a distance above 0.3 (up to 0.375) of salary",
        ),
    ] {
        lab.config(&format!("{POLICY}{}", rule(columns, rest)));
        let ran = lab.restage(&["refresh"]);
        assert_eq!(ran.code, 6, "{rest}: {ran:?}");
        assert!(ran.stderr.contains(told), "{rest}: {ran:?}");
        assert!(ran.stderr.contains("Nothing was published"), "{ran:?}");
        // Where the log of the source stands is a number of its own, and so is the name of the run.
        let lines = ran.stderr.lines().filter(|line| !line.contains(" snapshot  "));
        let lines: Vec<&str> = lines.map(|line| line.split("__20").next().unwrap_or_default()).collect();
        for value in ["476", "479", "gastr", "11000", "Qanna"] {
            assert!(lines.iter().all(|line| !line.contains(value)) && !ran.stdout.contains(value), "{value}: {ran:?}");
        }
        // The twin: what is only told is published.
        lab.config(&format!("{POLICY}{}severity = \"warn\"\n", rule(columns, rest)));
        let ran = lab.restage(&["refresh"]);
        assert_eq!(ran.code, 0, "{rest}: {ran:?}");
        assert!(format!("{}{}", ran.stdout, ran.stderr).contains(told), "{rest}: {ran:?}");
    }
}

#[test]
fn sets_that_staging_cannot_have_are_refused_before_a_row_is_read() {
    let lab = Lab::new("sets");
    lab.seed(PATIENTS);
    let wrong = "\n[[verify.anonymity]]\ntable = \"public.patient\"\ncolumns = [\"zip\"]\n";
    lab.config(&format!("{POLICY}{}{wrong}", rule("[\"zip\", \"agee\"]", "")));
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    for told in ["\"public.patients.agee\", which does not exist", "\"public.patient\", which does not exist"] {
        assert!(ran.stderr.contains(told), "{told}: {ran:?}");
    }
}

/// 100 people: 40 share their birth date and postal code in pairs, 60 are alone; by sex nobody is.
const PEOPLE: &str = "
CREATE TABLE people (id int PRIMARY KEY, last_name text, birth_date date, zip text, gender text, note text);
INSERT INTO people SELECT i, 'Qname' || i, date '1980-01-01' + CASE WHEN i <= 40 THEN i / 2 ELSE i END, '1000' || i % 1,
  CASE WHEN i % 2 = 0 THEN 'f' ELSE 'm' END, 'note' FROM generate_series(2, 101) i;
";

#[test]
fn people_who_are_alone_with_what_staging_shows_of_them_are_found() {
    let lab = Lab::new("alone");
    lab.seed(PEOPLE);
    let policy = "[tables.\"public.*\"]\ndefault = { keep = \"a test\" }\n\n[tables.\"public.people\".columns]\n\
                  id = \"int\"\nlast_name = \"name.value\"\nnote = \"null\"\n";
    let masked = "birth_date = { mask = \"date.trunc\", unit = \"decade\" }\n";
    lab.config(policy);
    let ran = lab.restage(&["refresh", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let alone =
        lab.staging("SELECT count(*) FROM (SELECT FROM people GROUP BY birth_date, gender HAVING count(*) = 1) a");
    let found = json(&ran);
    let candidates = found["privacy"]["candidates"].as_array().expect("candidates");
    let set = |columns: &[&str]| {
        let columns: Vec<Value> = columns.iter().map(|name| Value::from(*name)).collect();
        candidates.iter().find(|view| view["columns"] == Value::from(columns.clone())).expect("looked at")
    };
    assert_eq!(set(&["birth_date", "gender"])["unique_rows"].to_string(), alone);
    assert_eq!(set(&["birth_date"])["unique_rows"], 62);
    assert_eq!(set(&["gender"])["unique_rows"], 0);
    let kept = candidates.iter().find(|view| view["kept"] == true).expect("kept columns");
    assert_eq!(kept["unique_rows"].to_string(), alone);
    assert!(!ran.stdout.contains("1980-"), "{ran:?}");

    lab.config(&format!("{policy}\n[verify.candidates]\nunique_max = 0.0\n"));
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.stderr.contains("public.people (") && ran.stderr.contains("of 100 rows"), "{ran:?}");
    // Nobody is alone once birth dates are coarse.
    lab.config(&format!("{policy}{masked}\n[verify.candidates]\nunique_max = 0.0\n"));
    assert_eq!(lab.restage(&["refresh"]).code, 0);
}

/// A foreign partition of staging answers nobody, as its user mapping is not copied: what was loaded is measured without it.
#[test]
fn rows_are_counted_beside_a_foreign_partition() {
    let lab = Lab::new("alone_foreign");
    let server = "CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing; \
                  GRANT USAGE ON FOREIGN SERVER nowhere TO app";
    lab.source.sql(&lab.name, server);
    // Two have each birth date, and are alike in all that is kept.
    lab.seed(
        "CREATE TABLE people (last_name text, birth_date date, gender text, land text) PARTITION BY LIST (land);
         CREATE TABLE people_de PARTITION OF people FOR VALUES IN ('de');
         CREATE TABLE \"People fr\" (land text, gender text, birth_date date, last_name text);
         ALTER TABLE people ATTACH PARTITION \"People fr\" FOR VALUES IN ('fr');
         INSERT INTO people SELECT 'Qname' || i, date '1980-01-01' + i / 2, CASE WHEN i / 2 % 2 = 0 THEN 'f' ELSE 'm' END,
           CASE WHEN i < 300 THEN 'de' ELSE 'fr' END FROM generate_series(0, 399) i;
         CREATE FOREIGN TABLE people_us PARTITION OF people FOR VALUES IN ('us') SERVER nowhere;",
    );
    let policy = "[tables.\"public.*\"]\ndefault = { keep = \"a test\" }\n\n[tables.\"public.people\".columns]\n\
                  last_name = \"name.value\"\n\n[[verify.anonymity]]\ntable = \"public.people\"\ncolumns = [\"birth_date\"]\n\
                  sensitive = [\"gender\"]\nk = 2\nt = 0.9\n\n[verify.candidates]\n";
    let refreshed = |candidates: &str| {
        lab.config(&format!("{policy}{candidates}\n"));
        // Only a superuser may create a wrapper.
        let text = std::fs::read_to_string(lab.path("restage.toml")).expect("read");
        let text = text.replace(&lab.target.url("restage", &lab.name), &lab.target.url("postgres", &lab.name));
        std::fs::write(lab.path("restage.toml"), text).expect("write");
        let ran = lab.restage(&["refresh", "--json"]);
        assert_eq!(ran.code, 0, "{candidates}: {ran:?}");
        json(&ran)
    };
    let found = refreshed("unique_max = 0.0");
    let declared = &found["privacy"]["anonymity"][0];
    assert_eq!((&declared["rows"], &declared["classes"], &declared["smallest"]), (&400.into(), &200.into(), &2.into()));
    let candidates = found["privacy"]["candidates"].as_array().expect("candidates");
    let kept = candidates.iter().find(|view| view["kept"] == true).expect("kept columns");
    assert_eq!((&kept["rows"], &kept["classes"], &kept["unique_rows"]), (&400.into(), &200.into(), &0.into()));
    let verified = lab.restage(&["verify", "--json"]);
    assert_eq!(json(&verified)["privacy"]["anonymity"][0], *declared);
    // A sample has pages of every partition.
    refreshed("unique_max = 1.0\nrows = 100");
}

/// Orders whose total is scaled noise away from the source's and whose birthdays are shifted; codes keep their form.
const ORDERS: &str = "
CREATE TABLE people (id int PRIMARY KEY, code text);
INSERT INTO people SELECT i, CASE WHEN i % 4 = 0 THEN NULL ELSE 'AB-' || (1000 + i) END FROM generate_series(1, 500) i;
CREATE TABLE orders (id int PRIMARY KEY, person int REFERENCES people, total numeric(12, 2), weight double precision, paid_on date);
INSERT INTO orders SELECT i, CASE WHEN i % 10 = 0 THEN NULL ELSE 1 + (i * i) % 400 END, (i * 7919 % 3000) / 10.0,
  (i * 7919 % 3000) / 3.0 + i % 7 + i / 100000.0, CASE WHEN i % 5 <> 0 THEN date '2020-01-01' + i % 365 END FROM generate_series(1, 2000) i;
";

const ORDERS_POLICY: &str = "[tables.\"public.*\"]\ndefault = \"keep\"\n\n[tables.\"public.people\".columns]\nid = \"int\"\n\
     code = \"pattern\"\n\n[tables.\"public.orders\".columns]\ntotal = { mask = \"num.noise\", subject = \"id\", ratio_ppm = 100000 }\n\
     weight = { mask = \"num.noise\", subject = \"id\", ratio_ppm = 100000 }\npaid_on = { mask = \"date.shift\", subject = \"id\", days_max = 20 }\n";

fn numbers(text: &str) -> Vec<f64> {
    text.lines().map(|line| line.parse().expect("a number")).collect()
}

/// The largest difference of two distribution functions, by its definition.
fn ks_by_definition(left: &[f64], right: &[f64]) -> f64 {
    let share = |sample: &[f64], value: f64| {
        sample.iter().filter(|other| **other <= value).count() as f64 / sample.len() as f64
    };
    left.iter().chain(right).map(|value| (share(left, *value) - share(right, *value)).abs()).fold(0.0, f64::max)
}

fn column<'v>(found: &'v Value, name: &str) -> &'v Value {
    let columns = found["fidelity"]["columns"].as_array().expect("columns");
    columns.iter().find(|column| column["column"] == name).unwrap_or_else(|| panic!("{name}: {columns:?}"))
}

#[test]
fn masked_columns_are_compared_as_postgresql_counts_them() {
    let lab = Lab::new("fidelity");
    lab.seed(ORDERS);
    lab.config(&format!("{ORDERS_POLICY}\n[verify]\nfidelity = {{ null_fraction = 0.0, distinct_ratio = 0.0, columns = [\"public.people.*\"] }}\n"));
    let ran = lab.restage(&["refresh", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let found = json(&ran);
    let both = |sql: &str| (numbers(&lab.production(sql)), numbers(&lab.staging(sql)));
    for (table, name) in
        [("people", "code"), ("orders", "total"), ("orders", "weight"), ("orders", "paid_on"), ("orders", "person")]
    {
        let column = column(&found, name);
        let nulls = format!("SELECT avg(({name} IS NULL)::int)::float8 FROM {table}");
        let distinct = format!("SELECT count(DISTINCT {name}) FROM {table}");
        let ((null_in, null_out), (distinct_in, distinct_out)) = (both(&nulls), both(&distinct));
        assert!(near(&column["source"]["null_fraction"], null_in[0]), "{name}: {column}");
        assert!(near(&column["staging"]["null_fraction"], null_out[0]), "{name}: {column}");
        assert!(near(&column["source"]["distinct"], distinct_in[0]), "{name}: {column}");
        assert!(near(&column["staging"]["distinct"], distinct_out[0]), "{name}: {column}");
        let sum: f64 = column["source"]["histogram"].as_array().into_iter().flatten().filter_map(Value::as_f64).sum();
        assert!(name == "code" || (sum - 1.0).abs() < 1e-9, "{name}: {column}");
    }
    let mut asked = Vec::new();
    for (name, sql) in [
        ("total", "SELECT total::float8 FROM orders ORDER BY id"),
        ("weight", "SELECT weight FROM orders ORDER BY id"),
        ("paid_on", "SELECT (paid_on - date '2000-01-01')::float8 FROM orders WHERE paid_on IS NOT NULL ORDER BY id"),
    ] {
        let (source, staging) = both(sql);
        let column = column(&found, name);
        let ks = column["ks"].as_f64().expect("numbers");
        assert!((ks - ks_by_definition(&source, &staging)).abs() < 1e-9, "{name}: {ks}");
        asked.push((serde_json::json!({ "ks": [source, staging] }), ks));
        asked.push((serde_json::json!({ "psi": [source, staging] }), column["psi"].as_f64().expect("numbers")));
    }
    let correlation = found["fidelity"]["correlations"]
        .as_array()
        .expect("correlations")
        .iter()
        .find(|found| found["columns"] == serde_json::json!(["total", "weight"]))
        .expect("both are masked")
        .clone();
    let pair = |side: &dyn Fn(&str) -> String| {
        [
            numbers(&side("SELECT total::float8 FROM orders ORDER BY id")),
            numbers(&side("SELECT weight FROM orders ORDER BY id")),
        ]
    };
    for (side, pair) in [("source", pair(&|sql| lab.production(sql))), ("staging", pair(&|sql| lab.staging(sql)))] {
        asked.push((serde_json::json!({ "spearman": pair }), correlation[side].as_f64().expect("a number")));
    }
    // Shapes: codes are two letters, a dash and digits on both sides, and no code is told.
    let code = column(&found, "code");
    for side in ["source", "staging"] {
        assert_eq!(code[side]["patterns"][0]["pattern"], "A-9", "{code}");
        assert!(near(&code[side]["patterns"][0]["share"], 1.0) && near(&code[side]["lengths"][7], 1.0), "{code}");
    }
    assert!(!ran.stdout.contains("AB-1"), "a value was told");
    // Fan-out of the masked key.
    let reference = &found["fidelity"]["references"][0];
    assert_eq!(reference["reference"], "public.orders.person -> public.people.id");
    let fan_out = numbers(&lab.production("SELECT count(person)::float8 / count(DISTINCT person) FROM orders"));
    assert!(
        near(&reference["source_fan_out"], fan_out[0]) && near(&reference["staging_fan_out"], fan_out[0]),
        "{reference}"
    );
    asked.extend([
        (serde_json::json!({ "ordered": [[1, 1, 1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0, 0, 0, 0]] }), 0.375),
        (serde_json::json!({ "equal": [[1, 2, 2, 1, 2, 1], [1, 1, 1, 0, 0, 0]] }), 4.0 / 9.0),
        (serde_json::json!({ "effective": [2, 2, 2] }), 3.0),
    ]);
    judged_by_scipy(&asked);
}

/// What numpy and scipy compute for the same values; without them the test says so.
fn judged_by_scipy(asked: &[(Value, f64)]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let lines: String = asked.iter().map(|(line, _)| format!("{line}\n")).collect();
    for python in [root.join("target/venv/bin/python"), "python3".into()] {
        let mut command = Command::new(python);
        command.arg(root.join("scripts/measures.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let Ok(mut child) = command.spawn() else { continue };
        // A script that has ended already does not read.
        let _ = child.stdin.take().expect("piped").write_all(lines.as_bytes());
        let output = child.wait_with_output().expect("ended");
        if output.status.code() == Some(3) {
            continue;
        }
        assert!(output.status.success(), "{output:?}");
        let answers = numbers(&String::from_utf8_lossy(&output.stdout));
        assert_eq!(answers.len(), asked.len());
        for ((line, ours), theirs) in asked.iter().zip(answers) {
            let name = line.as_object().and_then(|asked| asked.keys().next().cloned()).unwrap_or_default();
            assert!((ours - theirs).abs() < 1e-6, "{name}: {ours} here, {theirs} by scipy");
        }
        return;
    }
    writeln!(std::io::stderr(), "left out: no python3 with scipy; scripts/test installs it").expect("told");
}

#[test]
fn a_distribution_that_moved_publishes_nothing_where_it_is_judged() {
    let lab = Lab::new("moved");
    lab.seed(ORDERS);
    let moved = ORDERS_POLICY.replace(
        "total = { mask = \"num.noise\", subject = \"id\", ratio_ppm = 100000 }",
        "total = { mask = \"num.cap\", max = 20 }",
    );
    let gates = [
        ("ks = 0.1", "fidelity: distribution (KS)"),
        ("psi = 0.2", "fidelity: distribution (PSI)"),
        ("distinct_ratio = 0.02", "fidelity: distinct values"),
        ("correlation = 0.1", "fidelity: correlation"),
    ];
    for (threshold, gate) in gates {
        let verify = |columns: &str| format!("\n[verify]\nfidelity = {{ {threshold}, columns = [\"{columns}\"] }}\n");
        lab.config(&format!("{moved}{}", verify("public.orders.total")));
        let ran = lab.restage(&["refresh"]);
        assert_eq!(ran.code, 6, "{threshold}: {ran:?}");
        assert!(ran.stderr.contains(gate) && ran.stderr.contains("public.orders"), "{ran:?}");
        // Twins: another mask of the same column, and another column.
        lab.config(&format!("{ORDERS_POLICY}{}", verify("public.orders.weight")));
        let ran = lab.restage(&["refresh"]);
        assert_eq!(ran.code, 0, "{threshold}: {ran:?}");
    }
}

#[test]
fn sampled_rows_are_a_fair_sample_in_bounded_memory() {
    let few = sampled(300_000);
    assert!(few.len() <= ROWS_MAX && few.len() > ROWS_MAX / 3, "{}", few.len());
    let mean = few.column(0).filter_map(|pair| pair[0].number).sum::<f64>() / few.len() as f64;
    // Uniform from 0 to 1: the mean of so many is within six standard errors, but once in a thousand million runs.
    assert!((mean - 0.5).abs() < 6.0 / (12.0 * few.len() as f64).sqrt(), "{mean}");
}

/// In a process of its own: other tests take memory too.
#[test]
fn a_hundred_million_rows_pass_in_bounded_memory() {
    const ALONE: &str = "RESTAGE_TEST_SAMPLES";
    if std::env::var_os(ALONE).is_none() {
        let mut child = Command::new(std::env::current_exe().expect("its path"));
        child.args(["--exact", "measures::a_hundred_million_rows_pass_in_bounded_memory", "--nocapture"]);
        let ran = child.env(ALONE, "1").output().expect("it starts");
        let told = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.status.success() && told.contains("rows sampled"), "{told}");
        return;
    }
    let resident = || -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").expect("linux");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it says so");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
    };
    let before = resident();
    let rows = sampled(100_000_000);
    let grown = resident().saturating_sub(before);
    writeln!(std::io::stderr(), "{} rows sampled, {grown} KiB more resident", rows.len()).expect("told");
    assert!(rows.len() <= ROWS_MAX && grown < 8 << 10, "{grown} KiB");
}

fn sampled(count: u64) -> Rows {
    let mut rows = Rows::below(1, ROWS_MAX, u64::MAX);
    // Weyl's sequence through a mixer: different, and spread evenly.
    let tag = |number: u64| {
        let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ (mixed >> 27)
    };
    for number in 0..count {
        let cell = Cell { print: number + 1, number: Some(number as f64 / count as f64), text: None };
        rows.add(tag(number), std::iter::once([cell; 2]));
    }
    rows
}

#[test]
fn texts_have_the_pattern_of_their_runs() {
    for (text, pattern, length) in [
        ("AB-1234", "A-9", 7),
        ("anna.k@example.com", "a.a@a.a", 18),
        ("Zoë Müller", "Aa Aa", 10),
        ("", "", 0),
        ("#7!", "_9_", 3),
    ] {
        let shape = Shape::of(text);
        assert_eq!((shape.pattern().as_str(), shape.length), (pattern, length), "{text}");
    }
    assert_eq!(Shape::of(&"a1".repeat(40)).pattern().len(), 32);
}

/// What EXPLAIN of a server says of a query.
fn estimate(text: &str) -> f64 {
    let plan: Value = serde_json::from_str(text).expect("a plan");
    plan[0]["Plan"]["Plan Rows"].as_f64().expect("rows")
}

#[test]
fn what_the_planner_expects_is_compared_and_no_query_is_run() {
    let lab = Lab::new("planner");
    lab.seed(ORDERS);
    lab.seed("ANALYZE");
    // One statement that would fail if it was run.
    let sql = "SELECT * FROM public.orders WHERE person = 7 AND 1 / (id - id) > 0";
    let join = "SELECT * FROM public.orders o JOIN public.people p ON p.id = o.person WHERE o.total < 20";
    let masked = |kind: &str| {
        format!(
            "[tables.\"public.people\".columns]\nid = \"keep\"\ncode = \"pattern\"\n[tables.\"public.orders\".columns]\nid = \"keep\"\n\
             person = \"keep\"\ntotal = {kind}\nweight = \"keep\"\npaid_on = \"keep\"\n"
        )
    };
    let query =
        |name: &str, sql: &str, rest: &str| format!("\n[[verify.query]]\nname = \"{name}\"\nsql = \"{sql}\"\n{rest}\n");
    lab.config(&format!(
        "{}{}{}",
        masked("\"keep\""),
        query("of a person", sql, "factor = 1.5\nsame_plan = true"),
        query("cheap ones", join, "")
    ));
    let ran = lab.restage(&["refresh", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let queries = &json(&ran)["fidelity"]["queries"];
    for (place, sql) in [(0, sql), (1, join)] {
        let explain = format!("EXPLAIN (FORMAT JSON) {sql}");
        assert_eq!(queries[place]["source"]["rows"], estimate(&lab.production(&explain)), "{queries}");
        assert_eq!(queries[place]["staging"]["rows"], estimate(&lab.staging(&explain)), "{queries}");
        assert_eq!(queries[place]["same_plan"], true, "{queries}");
    }
    assert!(queries[1]["source"]["plan"].as_str().is_some_and(|plan| plan.contains("orders") && !plan.contains("20")));

    // A mask that makes all totals one: other rows are expected.
    let constant = masked("{ mask = \"const\", value = 10 }");
    lab.config(&format!("{constant}{}", query("cheap ones", join, "factor = 2.0")));
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.stderr.contains("gate \"estimate: cheap ones\" does not hold"), "{ran:?}");
    assert!(ran.stderr.contains("rows expected at the source") && ran.stderr.contains("restage.toml:"), "{ran:?}");
    lab.config(&format!("{constant}{}", query("cheap ones", join, "factor = 2.0\nseverity = \"warn\"")));
    assert_eq!(lab.restage(&["refresh"]).code, 0);
    // Another shape of plan: staging seeks where production scans.
    let index = "CREATE INDEX here ON public.orders (weight);\nANALYZE public.orders;\n";
    std::fs::write(lab.path("index.sql"), index).expect("write");
    let seek = query("light ones", "SELECT * FROM public.orders WHERE weight < 0.5", "same_plan = true");
    let hook = "\n[[hook]]\nat = \"after-load\"\nsql = \"index.sql\"\n";
    lab.config(&format!("{}{seek}{hook}", masked("\"keep\"")));
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.stderr.contains("another plan"), "{ran:?}");
    // A subset has fewer rows on purpose: it is only told.
    let part = "\n[subset]\nseed = [{ table = \"public.people\", limit = 5 }]\n";
    lab.config(&format!("{}{}{part}", masked("\"keep\""), query("cheap ones", join, "factor = 2.0")));
    let ran = lab.restage(&["refresh", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(json(&ran)["fidelity"]["queries"][0]["factor"].as_f64().is_some_and(|factor| factor > 2.0), "{ran:?}");
    // Nothing is looked at where nobody wants to know, and nothing can be judged.
    lab.config(&format!("{}\n[verify]\nleak = false\nmeasure = false\n", masked("\"keep\"")));
    let ran = lab.restage(&["refresh", "--json"]);
    assert!(ran.code == 0 && json(&ran)["fidelity"].is_null(), "{ran:?}");
    lab.config(&format!("{}\n[verify]\nmeasure = false\nfidelity = {{ ks = 0.1 }}\n", masked("\"keep\"")));
    let ran = lab.restage(&["refresh"]);
    assert!(ran.code == 2 && ran.stderr.contains("config::conflict"), "{ran:?}");
    // What cannot be planned is refused before a row is read.
    lab.config(&format!("{constant}{}", query("wrong", "SELECT nothing FROM public.orders", "")));
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("the query of check \"wrong\" cannot be run"), "{ran:?}");
}
