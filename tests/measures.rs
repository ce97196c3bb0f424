//! What is measured of a loaded database: how far it hides people, and how far it is like its source. Planted rows, so that
//! every number is known by hand.

use crate::support::{Lab, Ran};
use serde_json::Value;

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
        for value in ["476", "479", "gastr", "11000", "Qanna"] {
            assert!(!ran.stderr.contains(value) && !ran.stdout.contains(value), "{value}: {ran:?}");
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
