//! Masked snapshots of an earlier day: what they show is compared with what the policy hides today.

use crate::support::{KEY, Lab, done};
use std::fs;

const PEOPLE: &str = "
CREATE TABLE people (id int PRIMARY KEY, email text, phone text, note text);
INSERT INTO people SELECT i, 'anna' || i || '@corp.example', '+49 30 55512' || i, 'likes tea ' || i FROM generate_series(10, 60) i;
";

/// A policy that keeps phones and notes, with some decisions in the place of others.
fn policy(changes: &[(&str, &str)]) -> String {
    let columns = [
        ("id", "\"keep\""),
        ("email", "\"email\""),
        ("phone", "{ keep = \"a test\" }"),
        ("note", "{ keep = \"a test\" }"),
    ];
    let line = |(name, decision): &(&str, &str)| {
        let changed = changes.iter().find(|(other, _)| other == name);
        format!("{name} = {}\n", changed.map_or(*decision, |(_, decision)| decision))
    };
    format!("[tables.\"public.people\".columns]\n{}", columns.iter().map(line).collect::<String>())
}

/// A lab whose snapshot `old` was made when phones and notes were kept.
fn lab(name: &str) -> Lab<'static> {
    let lab = Lab::new(name);
    lab.seed(PEOPLE);
    lab.config(&policy(&[]));
    done(lab.restage(&["snapshot", "--out", "old"]));
    lab
}

/// Loads the old snapshot, and expects that it is refused and nothing changes.
#[track_caller]
fn refused(lab: &Lab<'_>, parts: &[&str]) {
    let before = lab.databases();
    let ran = lab.restage(&["load", "old"]);
    assert_eq!(ran.code, 3, "{}\n{}", ran.stdout, ran.stderr);
    for part in ["error[artefact::policy]", "or written to the target.", "load old --accept-policy"] {
        assert!(ran.stderr.contains(part), "{part}\n{}", ran.stderr);
    }
    for part in parts {
        assert!(ran.stderr.contains(part), "{part}\n{}", ran.stderr);
    }
    assert!(!ran.stderr.contains("55512") && !ran.stderr.contains("likes tea"), "{}", ran.stderr);
    assert_eq!(lab.databases(), before);
}

const PLAIN: &str = "SELECT count(*) FROM people WHERE phone LIKE '%55512%' OR note LIKE 'likes tea%'";

#[test]
fn a_snapshot_that_shows_what_the_policy_hides_today_is_refused_with_the_columns_or_accepted_by_name() {
    let lab = lab("past_policy");
    lab.config(&policy(&[("phone", "\"phone\""), ("note", "\"null\"")]));
    refused(
        &lab,
        &[
            "column public.people.phone: keep in the snapshot, phone/1 in the configuration",
            "column public.people.note: keep in the snapshot, null in the configuration",
            "restage snapshot --out DIR",
        ],
    );
    // A new one is what a refresh would make.
    done(lab.restage(&["snapshot", "--out", "new"]));
    let ran = done(lab.restage(&["load", "new"]));
    assert!(!ran.stderr.contains("accepted"), "{}", ran.stderr);
    assert_eq!(lab.staging(PLAIN), "0");
    // Whoever wants it has to say so, and is told what comes.
    let ran = done(lab.restage(&["load", "old", "--accept-policy"]));
    assert!(ran.stderr.contains("accepted: column public.people.phone: keep in the snapshot"), "{}", ran.stderr);
    assert_eq!(lab.staging(PLAIN), "51");
    // The other way round nothing is refused: what is hidden more than today shows nothing more.
    lab.config(&policy(&[]));
    done(lab.restage(&["load", "new"]));
    assert_eq!(lab.staging(PLAIN), "0");
}

#[test]
fn masks_rows_packs_and_open_columns_are_compared_too() {
    let lab = lab("past_compared");
    lab.config(&policy(&[("email", "\"hash\"")]));
    refused(&lab, &["column public.people.email: email/1 in the snapshot, hash/1 in the configuration"]);
    lab.config(&format!("[tables.\"public.people\"]\nrows = \"none\"\n{}", policy(&[])));
    refused(&lab, &["table public.people: its rows are in the snapshot, and the configuration leaves them out"]);
    lab.config(&format!("[policy]\npacks = [\"pii\"]\n{}", policy(&[("phone", "\"keep\"")])));
    refused(&lab, &["public.people.phone"]);
    lab.config(&policy(&[]).replace("note = ", "# note = "));
    refused(&lab, &["public.people"]);
    // A rule for a table that came later says nothing of the snapshot.
    lab.config(&format!("{}[tables.\"public.later\".columns]\nname = \"null\"\n", policy(&[])));
    done(lab.restage(&["load", "old"]));
}

#[test]
fn a_policy_that_cannot_be_resolved_hides_no_other_difference() {
    let lab = lab("past_unresolved");
    // The first decision is none that the schema allows.
    lab.config(&policy(&[("id", "\"null\""), ("phone", "\"phone\"")]));
    refused(&lab, &["NOT NULL", "column public.people.phone: keep in the snapshot, hidden by the configuration"]);
    let ran = done(lab.restage(&["load", "old", "--accept-policy"]));
    assert!(ran.stderr.contains("accepted: column public.people.phone: keep in the snapshot"), "{}", ran.stderr);
}

#[test]
fn a_column_that_was_renamed_since_is_not_let_through_by_a_default() {
    let lab = Lab::new("past_renamed");
    lab.seed(PEOPLE);
    let open = |column: &str| {
        format!(
            "[tables.\"public.people\"]\ndefault = {{ keep = \"a test\" }}\n[tables.\"public.people\".columns]\n{column} = \"email\"\n"
        )
    };
    lab.config(&open("email").replace("email = \"email\"", "id = \"keep\""));
    done(lab.restage(&["snapshot", "--out", "old"]));
    lab.config(&open("mail"));
    refused(
        &lab,
        &["column public.people.mail: hidden by the configuration and not in the snapshot, which keeps email"],
    );
}

#[test]
fn a_snapshot_is_compared_with_the_reviewed_plan_as_well() {
    let lab = lab("past_reviewed");
    lab.config(&policy(&[("phone", "\"phone\"")]));
    done(lab.restage(&["plan", "--write-lock"]));
    // Somebody took the decision back, and nobody reviewed it: a refresh is refused, and so is this.
    lab.config(&policy(&[]));
    assert_eq!(lab.restage(&["refresh"]).code, 3);
    refused(&lab, &["column public.people.phone: keep in the snapshot, phone/1 in restage.lock"]);
    fs::remove_file(lab.path("restage.lock")).expect("it is there");
    done(lab.restage(&["load", "old"]));
}

#[test]
fn a_snapshot_of_another_key_is_refused_and_one_that_cannot_be_compared_is_told() {
    let lab = lab("past_key");
    let text = fs::read_to_string(lab.path("restage.toml")).expect("config");
    let named = |key: &str| fs::write(lab.path("restage.toml"), text.replace(KEY, key)).expect("write");
    done(lab.restage(&["key", "new", "--out", "other.key"]));
    named("other.key");
    refused(&lab, &["key: ", "it joins with nothing made with that"]);
    let ran = done(lab.restage(&["load", "old", "--accept-policy"]));
    assert!(ran.stderr.contains("accepted: key: "), "{}", ran.stderr);
    // Whoever loads may have no key at all.
    named("nowhere.key");
    let ran = done(lab.restage(&["load", "old"]));
    assert!(ran.stderr.contains("the key of the configuration is not known here"), "{}", ran.stderr);
    named(KEY);
    let ran = done(lab.restage(&["load", "old"]));
    assert!(!ran.stderr.contains("key of the configuration") && !ran.stderr.contains("accepted"), "{}", ran.stderr);
}

#[test]
fn a_configuration_with_a_target_alone_loads_and_says_that_nothing_was_compared() {
    let lab = lab("past_laptop");
    let laptop = format!("{}_laptop", lab.name);
    let text = format!(
        "version = 1\n[source]\nurl = \"{}\"\n[target]\nurl = \"{}\"\nconfirm = \"{laptop}\"\n",
        lab.source.url("reader", &lab.name),
        lab.target.url("restage", &laptop)
    );
    fs::write(lab.path("restage.toml"), text).expect("write");
    done(lab.restage(&["init-target", "--yes"]));
    let ran = done(lab.restage(&["load", "old"]));
    for part in ["has no policy to compare the snapshot with", "3 columns as they are in production", "names no [key]"]
    {
        assert!(ran.stderr.contains(part), "{part}\n{}", ran.stderr);
    }
    assert_eq!(lab.target.sql(&laptop, "SELECT count(*) FROM people"), "51");
}

#[test]
fn a_snapshot_of_a_version_that_wrote_no_policy_down_is_refused_where_there_is_one() {
    let lab = lab("past_version");
    let folder = lab.path("old");
    let path = folder.join("manifest.json");
    let text = fs::read_to_string(&path).expect("a manifest");
    let mut manifest: serde_json::Value = serde_json::from_str(&text).expect("a document");
    for name in ["policy.lock", "catalog.json"] {
        fs::remove_file(folder.join(name)).expect("it is there");
        manifest["files"].as_object_mut().expect("files").remove(name).expect("it is named");
    }
    let text = serde_json::to_string_pretty(&manifest).expect("a document");
    fs::write(&path, &text).expect("write");
    fs::write(folder.join("manifest.b3"), restage::artefact::seal_of(text.as_bytes())).expect("write");
    refused(&lab, &["the snapshot does not say under which policy it was made"]);
    let ran = done(lab.restage(&["load", "old", "--accept-policy"]));
    assert!(ran.stderr.contains("accepted: the snapshot does not say"), "{}", ran.stderr);
}

#[test]
fn the_policy_of_a_snapshot_is_in_it_column_by_column() {
    let lab = lab("past_written");
    let text = fs::read_to_string(lab.path("old/policy.lock")).expect("the policy");
    for part in [
        "email = { type = \"text\", at = 2, decision = \"email/1\" }",
        "phone = { type = \"text\", at = 3, decision = \"keep\" }",
        "realm = \"test\"",
        "key_id = ",
        "mask_spec = ",
        "policy = ",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    // It tells what was decided, and nothing of what a policy or a value holds.
    for file in ["policy.lock", "catalog.json", "schema.json", "manifest.json"] {
        let text = fs::read_to_string(lab.path("old").join(file)).expect("a file");
        assert!(!text.contains("55512") && !text.contains("likes tea") && !text.contains("a test"), "{file}");
    }
}
