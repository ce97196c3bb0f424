//! The manifest of a release: what it proves, and that every change is found.

use crate::report::{folders, last};
use crate::support::{Lab, Ran};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Tables whose rows pass by as they come back, and tables for which they do not: types that hold the number of another
/// type, documents that the server writes anew, a partitioned table that is loaded through its root, and odd ones.
const KINDS: &str = r#"
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE pair AS (a int, b text);
CREATE EXTENSION hstore;
CREATE EXTENSION citext;
CREATE TABLE plain (id int PRIMARY KEY, email text, n numeric(12, 3), f float8, at timestamptz, j jsonb, jt json, m mood, tags text[],
    raw bytea, ip inet, r int4range, c char(8), i interval, ci citext, h hstore, doubled int GENERATED ALWAYS AS (id * 2) STORED);
INSERT INTO plain (id, email, n, f, at, j, jt, m, tags, raw, ip, r, c, i, ci, h)
SELECT i, 'p' || i || '@post.test', i * 1.10, 'NaN', '2026-01-01 10:00+00', '{"b": "x@y.test", "a": [1.50, "q\b\f\n\u0001\"\\"], "aa": null}',
    '{ "c":1, "b" : "x@y.test" }', 'ok', '[0:1]={a,NULL}', '\x00ff', ('{10.0.0.0/8,192.168.1.20,2001:db8::1/64,::ffff:1.2.3.4,0.0.0.0/0}'::inet[])[1 + i % 5], '[1,5)', 'ab', '1 mon 2 days', 'Q' || i, 'a=>1, b=>NULL'
FROM generate_series(1, 300) i;
CREATE TABLE odd (id int PRIMARY KEY, moods mood[], p pair, x xml, name bpchar(10), amount numeric(10, 2), rel regclass);
INSERT INTO odd SELECT i, '{sad,ok}', ROW(i, 'z'::text)::pair, '<?xml version="1.0"?><a>b</a>', 'Ann', i * 1.5, 'plain' FROM generate_series(1, 50) i;
CREATE TABLE letter (at date NOT NULL, body text, n int) PARTITION BY RANGE (at);
CREATE TABLE letter_old PARTITION OF letter FOR VALUES FROM (MINVALUE) TO ('2000-01-01');
CREATE TABLE letter_new PARTITION OF letter DEFAULT;
INSERT INTO letter SELECT date '1999-12-01' + i, 'dear ' || i, i FROM generate_series(1, 90) i;
CREATE TABLE parcel (at date NOT NULL, body text) PARTITION BY RANGE (at);
CREATE TABLE parcel_all PARTITION OF parcel DEFAULT;
INSERT INTO parcel SELECT '2026-01-01', 'box ' || i FROM generate_series(1, 20) i;
CREATE TABLE cage (id int, label text);
CREATE TABLE big_cage (size int) INHERITS (cage);
INSERT INTO cage VALUES (1, 'a');
INSERT INTO big_cage VALUES (2, 'b', 9);
CREATE TABLE bare ();
INSERT INTO bare DEFAULT VALUES;
INSERT INTO bare DEFAULT VALUES;
CREATE TABLE session (token text);
INSERT INTO session VALUES ('t');
CREATE TABLE "Odd ""name""" ("a b" int PRIMARY KEY);
INSERT INTO "Odd ""name""" VALUES (1), (2);
"#;

const KINDS_POLICY: &str = r#"
[tables."public.*"]
default = "keep"
[tables."public.plain".columns]
email = "email"
j = { mask = "json", paths = { "$.b" = "email", "$.a" = "pattern" }, rest = "keep" }
jt = { mask = "json", paths = { "$.b" = "email" }, rest = "keep" }
at = { mask = "date.shift", subject = "id" }
ip = "ip"
[tables."public.odd".columns]
name = "pattern"
amount = { mask = "num.noise", subject = "id" }
[tables."public.letter".columns]
at = { mask = "date.shift", subject = "n" }
body = "pattern"
[tables."public.session"]
rows = "none"
"#;

#[test]
fn manifest_holds_where_a_mask_hides_keys_by_which_documents_are_sorted() {
    let lab = Lab::new("manifest_keys");
    lab.seed(
        "CREATE TABLE k (id int PRIMARY KEY, j jsonb);
         INSERT INTO k SELECT i, jsonb_build_object('p' || i || '@post.test', i, 'fourteen_bytes', 1) FROM generate_series(1, 30) i;",
    );
    lab.config("[tables.\"public.k\".columns]\nid = \"keep\"\nj = { mask = \"json\", rest = \"keep\" }\n");
    lab.refresh();
    assert_eq!(lab.staging("SELECT count(*) FROM k WHERE j::text LIKE '%post.test%'"), "0");
    let ran = verify(&lab, &manifest(&lab), &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    lab.target.sql(&lab.name, "UPDATE k SET j = '{}' WHERE id = 7");
    assert_finds(&verify(&lab, &manifest(&lab), &[]), "public.k: other values");
}

fn manifest(lab: &Lab<'_>) -> PathBuf {
    folders(lab).pop().expect("a report").join("manifest.json")
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("a manifest")).expect("a document")
}

fn verify(lab: &Lab<'_>, manifest: &Path, more: &[&str]) -> Ran {
    let path = manifest.display().to_string();
    lab.restage(&[&["verify", "--manifest", &path], more].concat())
}

#[track_caller]
fn assert_finds(ran: &Ran, what: &str) {
    assert_eq!(ran.code, 6, "{what}: {ran:?}");
    assert!(ran.stdout.contains(what), "{what}: {}", ran.stdout);
}

#[test]
fn manifest_proves_a_release_whatever_its_types_and_finds_a_change_in_any_table() {
    let lab = Lab::new("manifest");
    lab.seed(KINDS);
    lab.config(KINDS_POLICY);
    lab.refresh();
    let path = manifest(&lab);
    let ran = verify(&lab, &path, &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("read again: as published"), "{}", ran.stdout);

    // Both ways of hashing were at work, and the tables that could be hashed on their way were.
    let document = read(&path);
    let tables = document["tables"].as_array().expect("tables");
    let form = |name: &str| {
        let found = tables
            .iter()
            .find(|table| table["name"] == name)
            .unwrap_or_else(|| panic!("{name} is listed: {tables:#?}"));
        found["form"].as_str().expect("a form").to_owned()
    };
    for (name, expected) in [
        ("plain", "binary"),
        ("odd", "text"),
        ("letter", "binary"),
        ("parcel_all", "binary"),
        ("cage", "binary"),
        ("bare", "binary"),
        ("session", "text"),
    ] {
        assert_eq!(form(name), expected, "{name}");
    }
    assert!(!tables.iter().any(|table| table["name"] == "letter_old"), "its rows are those of the root");
    let text = std::fs::read_to_string(&path).expect("text");
    assert!(!text.contains("post.test"), "no value is in it");

    // The same rows in another order are the same table.
    for table in ["plain", "odd", "letter", "parcel", "cage", "big_cage"] {
        lab.staging(&format!(
            "UPDATE ONLY {} SET {}",
            table,
            match table {
                "plain" => "ip = ip",
                "odd" => "p = p",
                "letter" | "parcel" => "body = body",
                _ => "label = label",
            }
        ));
    }
    lab.staging("UPDATE letter SET body = body WHERE n % 2 = 0; UPDATE plain SET ip = ip WHERE id % 3 = 0");
    assert_eq!(verify(&lab, &path, &[]).code, 0);

    let changes = [
        (
            "UPDATE plain SET email = email || 'x' WHERE id = 7",
            "public.plain: other values",
            "UPDATE plain SET email = left(email, -1) WHERE id = 7",
        ),
        (
            "UPDATE plain SET j = j || '{\"aa\": 1}' WHERE id = 1",
            "public.plain: other values",
            "UPDATE plain SET j = j || '{\"aa\": null}' WHERE id = 1",
        ),
        (
            "UPDATE plain SET n = n + 0.001 WHERE id = 3",
            "public.plain: other values",
            "UPDATE plain SET n = n - 0.001 WHERE id = 3",
        ),
        (
            "UPDATE odd SET moods = '{ok,sad}' WHERE id = 2",
            "public.odd: other values",
            "UPDATE odd SET moods = '{sad,ok}' WHERE id = 2",
        ),
        ("UPDATE letter SET n = -n WHERE n = 5", "public.letter: other values", "UPDATE letter SET n = 5 WHERE n = -5"),
        (
            "UPDATE parcel_all SET body = 'x' WHERE body = 'box 3'",
            "public.parcel_all: other values",
            "UPDATE parcel SET body = 'box 3' WHERE body = 'x'",
        ),
        ("UPDATE ONLY cage SET label = NULL", "public.cage: other values", "UPDATE ONLY cage SET label = 'a'"),
        (
            "INSERT INTO bare DEFAULT VALUES",
            "public.bare: 2 rows, 3 now",
            "DELETE FROM bare WHERE ctid = (SELECT max(ctid) FROM bare)",
        ),
        ("INSERT INTO session VALUES ('x')", "public.session: 0 rows, 1 now", "TRUNCATE session"),
        (
            "DELETE FROM \"Odd \"\"name\"\"\" WHERE \"a b\" = 1",
            "public.Odd \"name\": 2 rows, 1 now",
            "INSERT INTO \"Odd \"\"name\"\"\" VALUES (1)",
        ),
        ("CREATE TABLE extra (id int)", "public.extra: not in the manifest", "DROP TABLE extra"),
        ("ALTER TABLE cage ADD more int", "public.cage: other columns", "ALTER TABLE cage DROP more"),
    ];
    for (damage, told, repair) in changes {
        lab.staging(damage);
        let ran = verify(&lab, &path, &["--json"]);
        assert_eq!(ran.code, 6, "{damage}: {ran:?}");
        let document: Value = serde_json::from_str(&ran.stdout).expect("a document");
        let gates = document["gates"].as_array().expect("gates");
        let gate = gates.iter().find(|gate| gate["name"] == "contents" && gate["ok"] == false);
        let evidence = gate.and_then(|gate| gate["evidence"].as_str()).unwrap_or_default();
        assert!(evidence.contains(told), "{damage}: {gates:#?}");
        lab.staging(repair);
    }
    let ran = verify(&lab, &path, &["--json"]);
    let document: Value = serde_json::from_str(&ran.stdout).expect("a document");
    let gates = document["gates"].as_array().expect("gates");
    assert!(gates.iter().all(|gate| gate["name"] != "contents" || gate["ok"] == true), "{gates:#?}");
}

#[test]
fn a_changed_byte_of_a_file_is_found_and_releases_are_chained() {
    let lab = Lab::new("manifest_files");
    lab.seed("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b')");
    lab.config("[tables.\"*\"]\ndefault = \"keep\"\n");
    lab.refresh();
    let first = manifest(&lab);
    let first_bytes = std::fs::read(&first).expect("a manifest");
    assert_eq!(read(&first)["previous"], Value::Null, "the chain starts here");
    assert_eq!(lab.staging("SELECT manifest FROM restage.run"), blake3::hash(&first_bytes).to_hex().as_str());

    for name in ["report.json", "report.html"] {
        let file = first.with_file_name(name);
        let bytes = std::fs::read(&file).expect("a report");
        let mut changed = bytes.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        std::fs::write(&file, changed).expect("written");
        assert_finds(&verify(&lab, &first, &[]), &format!("{name} was changed"));
        std::fs::remove_file(&file).expect("removed");
        assert_finds(&verify(&lab, &first, &[]), &format!("{name} is missing"));
        std::fs::write(&file, bytes).expect("written");
    }
    let spot = first_bytes.windows(7).position(|bytes| bytes == b"\"realm\"").expect("a field") + 10;
    let mut changed = first_bytes.clone();
    changed[spot] ^= 1;
    std::fs::write(&first, changed).expect("written");
    assert_finds(&verify(&lab, &first, &[]), "not the manifest that this release was given");
    std::fs::write(&first, &first_bytes[..40]).expect("written");
    let ran = verify(&lab, &first, &[]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("manifest::foreign"), "{}", ran.stderr);
    std::fs::write(&first, &first_bytes).expect("written");
    assert_eq!(verify(&lab, &first, &[]).code, 0);

    // The next release is chained to this one; each manifest fits its own release only.
    lab.refresh();
    let second = manifest(&lab);
    let previous = &read(&second)["previous"];
    assert_eq!(previous["release"], read(&first)["release"]);
    assert_eq!(previous["manifest"], blake3::hash(&first_bytes).to_hex().as_str());
    assert_eq!(last(&lab)["previous"], *previous);
    assert_finds(&verify(&lab, &first, &[]), "the manifest is of ");
    assert_eq!(verify(&lab, &second, &[]).code, 0);
    assert_eq!(lab.restage(&["rollback", "--yes"]).code, 0);
    assert_eq!(verify(&lab, &first, &[]).code, 0);
    assert_finds(&verify(&lab, &second, &[]), "the manifest is of ");
}

#[test]
fn rows_that_hooks_change_are_hashed_as_they_were_published() {
    let lab = Lab::new("manifest_hooks");
    lab.seed("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b')");
    for at in ["after-load", "before-publish", "after-publish"] {
        std::fs::write(
            lab.path("hook.sql"),
            "UPDATE public.t SET v = v || 'x'; CREATE TABLE public.accounts AS SELECT 1 AS id;",
        )
        .expect("written");
        lab.config(&format!("[tables.\"*\"]\ndefault = \"keep\"\n[[hook]]\nat = \"{at}\"\nsql = \"hook.sql\"\n"));
        lab.refresh();
        let path = manifest(&lab);
        let ran = verify(&lab, &path, &[]);
        assert_eq!(ran.code, 0, "{at}: {ran:?}");
        assert_eq!(read(&path)["tables"].as_array().map(Vec::len), Some(2), "{at}");
        lab.staging("UPDATE accounts SET id = 2");
        assert_finds(&verify(&lab, &path, &[]), "public.accounts: other values");
    }
}

#[test]
fn objects_without_rows_are_compared_as_well() {
    let lab = Lab::new("manifest_objects");
    lab.seed("CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE t (id int PRIMARY KEY, m mood); INSERT INTO t VALUES (1, 'sad')");
    lab.config("[tables.\"*\"]\ndefault = \"keep\"\n");
    lab.refresh();
    let path = manifest(&lab);
    for (change, back, told) in [
        ("CREATE TYPE ee AS ENUM ('a')", "DROP TYPE ee", "new: type public.ee"),
        ("CREATE DOMAIN dd AS text CHECK (VALUE <> 'a')", "DROP DOMAIN dd", "new: type public.dd"),
        ("CREATE SCHEMA elsewhere", "DROP SCHEMA elsewhere", "new: schema elsewhere"),
        ("CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING", "DROP RULE r ON t", "new: rule public.t r"),
        ("SELECT lo_create(4242)", "SELECT lo_unlink(4242)", "new: large object 4242"),
        ("ALTER TYPE mood ADD VALUE 'glad'", "", "changed: type public.mood"),
    ] {
        assert_eq!(verify(&lab, &path, &[]).code, 0, "before {change}");
        lab.staging(change);
        assert_finds(&verify(&lab, &path, &[]), told);
        if !back.is_empty() {
            lab.staging(back);
        }
    }
}

fn openssl(lab: &Lab<'_>, args: &[&str]) -> bool {
    let output = Command::new("openssl").current_dir(lab.path("")).args(args).output();
    output.expect("openssl").status.success()
}

#[test]
fn signature_is_that_of_openssl_and_another_key_is_refused() {
    let lab = Lab::new("manifest_signed");
    lab.seed("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    for name in ["sign", "other"] {
        assert!(openssl(&lab, &["genpkey", "-algorithm", "ed25519", "-out", &format!("{name}.pem")]));
        assert!(openssl(&lab, &["pkey", "-in", &format!("{name}.pem"), "-pubout", "-out", &format!("{name}.pub.pem")]));
    }
    let policy = "[tables.\"*\"]\ndefault = \"keep\"\n";
    lab.config(policy);
    lab.refresh();
    let ran = verify(&lab, &manifest(&lab), &["--public-key", "sign.pub.pem"]);
    assert_finds(&ran, "was not signed");

    std::fs::write(
        lab.path("sign.sh"),
        "#!/bin/sh\ncat > message && openssl pkeyutl -sign -inkey sign.pem -rawin -in message | base64\n",
    )
    .expect("written");
    for sign in ["sign = { key_file = \"sign.pem\" }", "sign = { command = [\"sh\", \"sign.sh\"] }"] {
        lab.config(&format!("{policy}[report]\n{sign}\n"));
        lab.refresh();
        let path = manifest(&lab);
        let ran = verify(&lab, &path, &["--public-key", "sign.pub.pem"]);
        assert_eq!(ran.code, 0, "{sign}: {ran:?}");
        assert!(ran.stdout.contains("Ed25519, key "), "{}", ran.stdout);
        let (message, signature) =
            (path.display().to_string(), path.with_file_name("manifest.sig").display().to_string());
        let judge = [
            "pkeyutl",
            "-verify",
            "-pubin",
            "-inkey",
            "sign.pub.pem",
            "-rawin",
            "-in",
            &message,
            "-sigfile",
            &signature,
        ];
        assert!(openssl(&lab, &judge), "{sign}: openssl agrees");
        assert_finds(&verify(&lab, &path, &["--public-key", "other.pub.pem"]), "the signature is not of this manifest");
        // A manifest that somebody changed and told the database about is still missed by the signature.
        let changed =
            std::fs::read_to_string(&path).expect("text").replace("\"realm\": \"test\"", "\"realm\": \"tess\"");
        std::fs::write(&path, &changed).expect("written");
        lab.staging(&format!("UPDATE restage.run SET manifest = '{}'", blake3::hash(changed.as_bytes()).to_hex()));
        assert_finds(&verify(&lab, &path, &["--public-key", "sign.pub.pem"]), "the signature is not of this manifest");
        assert_eq!(verify(&lab, &path, &[]).code, 0, "twin: without the key nothing tells");
        // That there is none needs no key.
        std::fs::write(path.with_file_name("manifest.sig"), "short").expect("written");
        assert_finds(&verify(&lab, &path, &[]), "is none of Ed25519");
        std::fs::remove_file(path.with_file_name("manifest.sig")).expect("removed");
        assert_finds(&verify(&lab, &path, &[]), "is missing, though the manifest was signed");
    }
    let ran = verify(&lab, &manifest(&lab), &["--public-key", "sign.pem"]);
    assert_eq!(ran.code, 2, "{ran:?}");

    // A key that cannot sign is refused before anything is read; a program that fails, after publishing.
    std::fs::write(lab.path("bad.pem"), "no key").expect("written");
    lab.config(&format!("{policy}[report]\nsign = {{ key_file = \"bad.pem\" }}\n"));
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("manifest::sign") && ran.stderr.contains("Nothing was read"), "{}", ran.stderr);
    lab.config(&format!("{policy}[report]\nsign = {{ command = [\"false\"] }}\n"));
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 8, "{ran:?}");
    assert!(ran.stderr.contains("manifest::sign"), "{}", ran.stderr);
    assert_eq!(last(&lab)["verdict"], "published-with-problems");
}
