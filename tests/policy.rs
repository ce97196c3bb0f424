//! `restage test`: policy unit tests as a shell sees them. Needs no server.

use serde_json::Value;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

const POLICY: &str = r#"version = 1

[source]
url = "postgres://nobody@127.0.0.1:1/shop"

[key]
file = "test.key"

[[references]]
from = "public.orders.customer_id"
to   = "public.customers.id"

[tables."public.customers".columns]
id         = "int"
email      = "email"
contact    = { mask = "email", by = "subject", subject = "id" }
first_name = { mask = "name.first", subject = "id", locale = "en_GB", locale_from = "country" }
address    = { mask = "address", subject = "id", locale_from = "country" }
country    = "keep"
born_on    = { mask = "date.shift", subject = "id", days_max = 30 }
card       = "card"
notes      = "null"
source     = { mask = "const", value = "staging" }
profile    = { mask = "json", paths = { "$.email" = "email" }, rest = "keep" }
token      = "uuid"
never_given = "phone"

[tables."public.orders".columns]
id = "int"

[tables."public.contacts".columns]
id    = "keep"
value = { mask = "email", when = "kind = 'email'", when_at = "id -> public.kinds.id", otherwise = { keep = "numbers of shops" } }

[tables."public.prices".columns]
amt   = { mask = "num.bucket", width = 10 }
rate  = { mask = "num.cap", max = 1 }
share = { mask = "num.cap", max = "0.5" }
paid  = { mask = "choice", values = ["false"] }
old   = { keep = "a switch" }

[tables."public.unrelated".columns]
id = "int"
"#;

/// A folder with a configuration that ends in these tests, and the published key.
fn folder(tests: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let digits: String = (0..32).map(|byte| format!("{byte:02x}")).collect();
    let key = dir.path().join("test.key");
    let mut file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(key).expect("a new file");
    file.write_all(format!("mk1-{digits}-4a78b3a6\n").as_bytes()).expect("written");
    std::fs::write(dir.path().join("restage.toml"), format!("{POLICY}\n{tests}")).expect("written");
    dir
}

fn run(dir: &Path, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_restage"));
    for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "RESTAGE_CONFIG", "RESTAGE_KEY"] {
        command.env_remove(variable);
    }
    let output = command.arg("test").args(args).arg("--allow-test-key").current_dir(dir).stdin(Stdio::null()).output();
    let output = output.expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("output is UTF-8");
    (output.status.code().expect("the program exits"), text(&output.stdout), text(&output.stderr))
}

#[test]
fn properties_that_hold_pass() {
    let dir = folder(
        r#"
[[test]]
name = "a customer"
table = "public.customers"
given = { id = 7, email = "Bob@X.com", contact = "bob@x.com", first_name = "Bob", address = "x", country = "DE", born_on = 1990-07-15, card = "4111 1111 1111 1111", notes = "secret", source = "import", profile = { email = "bob@x.com", plan = 3 }, token = "550e8400-e29b-41d4-a716-446655440000" }
type = { id = "int", email = "varchar(70)", token = "uuid" }

[test.expect]
id = { differs = true, valid = "int" }
email = { matches = '^[a-z]+\.[a-z]+\.[a-z0-9]{16}@[a-z0-9]+\.example$', valid = "email", differs = true, max_length = 70 }
contact = { matches = '@[a-z0-9]+\.example$', differs = true }
first_name = { differs = true, null = false }
address = { matches = ', \d{5} ' }
country = "DE"
born_on = { valid = "date", differs = true }
card = { valid = "card", differs = true, length = 19, matches = '^4111|^4\d{3} ' }
notes = { null = true }
source = "staging"
profile = { valid = "json", differs = true, matches = '"plan":3' }
token = { valid = "uuid", differs = true }

[[test]]
name = "spelled otherwise"
table = "public.customers"
given = { id = 8, email = " bob@x.COM " }
expect = { email = { same_as = { test = "a customer", column = "email" } } }

[[test]]
name = "an order of the customer"
table = "public.orders"
given = { id = 1, customer_id = 7 }
expect = { customer_id = { same_as = { test = "a customer", column = "id" } }, id = { differs = true } }

[[test]]
table = "public.customers"
given = { id = { null = true }, email = { null = true }, source = { null = true } }
expect = { id = { null = true }, email = { null = true }, source = { null = true } }
"#,
    );
    let (code, out, err) = run(dir.path(), &[]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.last(), Some(&"4 passed, 0 failed"));
    assert!(lines[0].starts_with("✓ a customer  restage.toml:"), "{out}");
    assert_eq!(lines.len(), 5);
}

#[test]
fn dates_that_stand_for_never_are_dates() {
    let dir = folder(
        r#"
[[test]]
table = "public.customers"
given = { id = 7, born_on = 9999-12-31 }
expect = { born_on = { differs = true, null = false } }

[[test]]
table = "public.customers"
given = { id = 7, born_on = "9999-12-31" }
type = { born_on = "date" }
expect = { born_on = { differs = true, null = false } }

[[test]]
table = "public.customers"
given = { id = 7, born_on = "infinity" }
type = { born_on = "date" }
expect = { born_on = "infinity" }
"#,
    );
    let (code, out, err) = run(dir.path(), &[]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
}

#[test]
fn numbers_and_switches_are_held_in_every_type_that_is_told() {
    let dir = folder(
        r#"
[[test]]
table = "public.prices"
given = { amt = 19.5, rate = 2.5, share = 0.75, paid = true, old = true }
type = { amt = "numeric(8,2)", rate = "real" }
expect = { amt = { equals = 10, matches = '^10\.00$', differs = true }, rate = 1, share = 0.5, paid = false, old = true }

[[test]]
table = "public.prices"
given = { amt = "1250.00", rate = { null = true }, paid = { null = true } }
type = { amt = "numeric(8,2)" }
expect = { amt = "1250.00", rate = { null = true }, paid = { null = true } }
"#,
    );
    let (code, out, err) = run(dir.path(), &[]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    // Zeros behind the decimal point are no other number.
    let unscaled = |equals: &str| {
        folder(&format!(
            "[[test]]\ntable = \"public.prices\"\ngiven = {{ amt = 12.5 }}\ntype = {{ amt = \"numeric\" }}\nexpect = {{ amt = {equals} }}\n"
        ))
    };
    for (equals, code) in [("10.0", 0), ("10", 0), ("\"10.00\"", 0), ("100", 6), ("1", 6)] {
        assert_eq!(run(unscaled(equals).path(), &[]).0, code, "{equals}");
    }
    // Nor does a value differ by them: 10 in steps of ten stays.
    let stays = "[[test]]\ntable = \"public.prices\"\ngiven = { amt = \"10.00\" }\ntype = { amt = \"numeric\" }\nexpect = { amt = { differs = true } }\n";
    assert_eq!(run(folder(stays).path(), &[]).0, 6);
}

#[test]
fn the_locale_follows_the_country_of_the_row() {
    let given = |country: &str| {
        format!(
            "[[test]]\ntable = \"public.customers\"\ngiven = {{ id = 42, first_name = \"x\", address = \"x\", country = \"{country}\" }}\n"
        )
    };
    let dir = folder(&format!(
        "{}expect = {{ first_name = \"Berndt\", address = \"Buchenweg 84, 66168 Saarbrücken\" }}\n{}expect = {{ first_name = \"優斗\" }}\n{}expect = {{ first_name = \"Bradley\", address = \"5562 D'Amore Lodge, Seattle, WA 98168\" }}\n",
        given("Germany"),
        given("JP"),
        given("Atlantis")
    ));
    let (code, out, err) = run(dir.path(), &[]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
}

#[test]
fn failures_are_told_with_what_came_and_end_with_6() {
    let dir = folder("");
    let tests = r#"
[[test]]
name = "wrong"
table = "public.customers"
given = { id = 7, email = "bob@x.com", notes = "x", card = "no card" }
[test.expect]
id = 8
email = { matches = "^bob", valid = "card", length = 3, same_as = "notes" }
notes = "x"
card = { valid = "card" }
"#;
    std::fs::write(dir.path().join("tests.toml"), tests).expect("written");
    let (code, out, err) = run(dir.path(), &["--file", "tests.toml"]);
    assert_eq!((code, err.as_str()), (6, ""), "{out}");
    for line in ["✗ wrong  tests.toml:2:1", "expected matches ^bob", "expected valid card", "expected 3 characters"] {
        assert!(out.contains(line), "{line} is missing in {out}");
    }
    assert!(out.contains("expected \"8\"") && out.contains("got      NULL"), "{out}");
    assert!(out.ends_with("0 passed, 1 failed\n"), "{out}");

    let (code, out, _) = run(dir.path(), &["--file", "tests.toml", "--json"]);
    let json: Value = serde_json::from_str(&out).expect("one document");
    assert_eq!((code, &json["document"], &json["exit"]), (6, &Value::from("test"), &Value::from(6)));
    assert_eq!(json["tests"][0]["differences"].as_array().map(Vec::len), Some(7), "{json}");
    assert_eq!(json["key_id"], "da7ed64a2bd1b44b");
}

#[test]
fn what_a_plan_refuses_is_refused() {
    let refused = |tests: &str, expected: &str| {
        let dir = folder(tests);
        let (code, out, err) = run(dir.path(), &[]);
        assert_eq!((code, out.as_str()), (3, ""), "{err}");
        assert!(err.contains(expected), "{expected} is missing in {err}");
    };
    let test = |row: &str| format!("[[test]]\ntable = \"public.customers\"\n{row}\nexpect = {{}}\n");
    refused(&test("given = { id = 1, nickname = \"x\" }"), "error[plan::undecided-column]");
    refused(&test("given = { born_on = 1990-01-01 }"), "error[plan::bad-subject]");
    refused(&test("given = { email = \"a@b.c\" }\ntype = { email = \"varchar(10)\" }"), "error[plan::too-narrow]");
    refused(&test("given = { card = 5 }"), "error[plan::wrong-type]");
    refused(&test("given = { id = 1, first_name = \"x\" }"), "error[plan::bad-column]");
}

#[test]
fn mistakes_in_a_test_are_told_with_their_place() {
    let refused = |tests: &str, expected: &str| {
        let dir = folder(tests);
        let (code, out, err) = run(dir.path(), &[]);
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert!(err.contains(expected) && err.contains("restage.toml:"), "{expected} is missing in {err}");
    };
    let test = |rest: &str| format!("[[test]]\ntable = \"public.customers\"\n{rest}\n");
    refused(&test("given = { id = 1 }\nexpect = { id = { difers = true } }"), "Did you mean `differs`?");
    refused(&test("given = { id = 1 }\nexpect = { email = { null = true } }"), "which `given` does not");
    refused(&test("given = { id = 1 }\ntype = { id = \"money\" }\nexpect = {}"), "Known: text, varchar");
    refused(
        &test("given = { id = 1000 }\ntype = { id = \"numeric(3)\" }\nexpect = {}"),
        "is not a number that its type holds",
    );
    refused(&test("given = { token = \"x\" }\ntype = { token = \"uuid\" }\nexpect = {}"), "is not a UUID");
    refused(&test("given = { id = 1 }\nexpect = { id = { length = \"x\" } }"), "must be a number of characters");
    refused("[[test]]\ntable = \"customers\"\ngiven = {}\nexpect = {}\n", "Write `table = \"public.customers\"`");
    let (code, _, err) = run(folder("").path(), &[]);
    assert!(code == 2 && err.contains("restage.toml has no [[test]]"), "{err}");
}

#[test]
fn tests_do_not_change_the_hash_of_a_configuration() {
    let hash = |tests: &str| {
        let dir = folder(tests);
        let config = restage::config::Config::load(&dir.path().join("restage.toml"), &|_| None);
        config.expect("a configuration").hash
    };
    let with = hash("[[test]]\ntable = \"public.customers\"\ngiven = { id = 1 }\nexpect = { id = 3 }\n");
    assert_eq!(with, hash(""));
}

#[test]
fn a_test_says_whether_a_condition_holds() {
    let test = |when: &str, expect: &str| {
        format!(
            "[[test]]\ntable = \"public.contacts\"\n{when}\ngiven = {{ id = 1, value = \"bob@x.com\" }}\nexpect = {{ value = {expect} }}\n"
        )
    };
    let holds = test("when = { value = true }", "{ differs = true, valid = \"email\" }");
    let does_not = test("when = { value = false }", "\"bob@x.com\"");
    let dir = folder(&format!("{holds}\n{does_not}"));
    let (code, out, err) = run(dir.path(), &[]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let dir = folder(&test("", "{ differs = true }"));
    let (code, _, err) = run(dir.path(), &[]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("test::when") && err.contains("when = { value = true }"), "{err}");
}
