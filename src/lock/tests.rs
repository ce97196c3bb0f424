//! The file and its comparison; how plans become locks is tested with real servers.

use super::*;
use crate::config::NewPartitions;
use crate::error::Diagnose as _;
use crate::mask::MasterKey;

fn column(decision: &str) -> Column {
    Column { type_name: "text".into(), decision: decision.into(), ..Column::default() }
}

fn lock() -> Lock {
    let mut lock = Lock {
        version: VERSION,
        mask_spec: 1,
        unicode: "16.0".into(),
        key_id: "da7ed64a2bd1b44b".into(),
        realm: "staging".into(),
        policy: String::new(),
        dictionaries: BTreeMap::from([("v1/en_US/last.tsv".into(), "aa".into())]),
        enums: BTreeMap::from([("public.mood".into(), vec!["sad".into(), "it's \"ok\"\n".into()])]),
        types: BTreeMap::from([("public.dom".into(), "domain over integer".into())]),
        composites: BTreeMap::from([(
            "public.dims".into(),
            BTreeMap::from([("w".into(), "integer".into()), ("h 2".into(), "public.dom".into())]),
        )]),
        definitions: Some(BTreeMap::from([("COMMENT public.TABLE \"a b\"".into(), "aa".into())])),
        tables: BTreeMap::new(),
    };
    let email = Column { label: Some("crm".into()), tier: Some(2), subject: Some("id".into()), ..column("email/1") };
    let columns = BTreeMap::from([("e mail\"".into(), email), ("plan".into(), column("keep"))]);
    let table = Table { rows: "all".into(), columns, ..Table::default() };
    lock.tables.insert("public.Order \"Lines\"".into(), table);
    let parts = BTreeSet::from(["public.e_1".to_owned(), "public.e_2".to_owned()]);
    let columns = BTreeMap::from([("id".into(), column("keep"))]);
    lock.tables.insert(
        "public.e".into(),
        Table { rows: "part 00".into(), partitions: parts, columns, joins: Some("bb".into()), ..Table::default() },
    );
    lock.policy = lock.content_hash();
    lock
}

/// As it is after a change of its content by us.
fn hashed(mut lock: Lock) -> Lock {
    lock.policy = lock.content_hash();
    lock
}

fn lines(old: &Lock, new: &Lock) -> Vec<String> {
    diff(old, new, NewPartitions::Refuse).iter().map(Change::line).collect()
}

#[test]
fn a_lock_is_read_as_it_was_written_and_written_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("restage.lock");
    assert_eq!(read(&path).unwrap(), None);
    write(&path, &lock()).unwrap();
    assert_eq!(read(&path).unwrap(), Some(lock()));
    let first = std::fs::read_to_string(&path).unwrap();
    write(&path, &lock()).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), first);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    assert!(lines(&lock(), &lock()).is_empty());
}

#[test]
fn a_file_that_cannot_be_trusted_is_not_taken_for_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("restage.lock");
    for (text, what) in [
        ("", "is no lock file"),
        ("version = 2\n", "has version 2"),
        ("version = 1\nSECRET = 1\n", "is no lock file"),
        ("version = 1\n<<<<<<< SECRET\n", "is no lock file"),
    ] {
        std::fs::write(&path, text).unwrap();
        let error = read(&path).unwrap_err();
        let shown = format!("{error} {:?}", error.reports());
        assert!(shown.contains(what) && !shown.contains("SECRET"), "{shown}");
    }
}

#[test]
fn every_difference_is_told_in_words() {
    let mut new = lock();
    new.key_id = "ffff".into();
    new.dictionaries.insert("v1/en_US/last.tsv".into(), "other".into());
    new.dictionaries.insert("v1/new".into(), "a list that no mask used".into());
    new.enums.get_mut("public.mood").unwrap().push("new".into());
    let e = new.tables.get_mut("public.e").unwrap();
    e.rows = "all".into();
    e.joins = None;
    e.partitions.insert("public.e_3".into());
    e.columns.get_mut("id").unwrap().type_name = "bigint".into();
    let added = Column { because: "restage.toml:3:1".into(), proposal: Some("\"pattern\"".into()), ..column("keep") };
    e.columns.insert("nick name".into(), added);
    let lines_table = new.tables.get_mut("public.Order \"Lines\"").unwrap();
    let email = lines_table.columns.get_mut("e mail\"").unwrap();
    (email.label, email.because) = (None, "restage.toml:9:1".into());
    lines_table.columns.remove("plan");
    new.tables.insert("public.new".into(), Table { rows: "none".into(), ..Table::default() });
    let changes = diff(&lock(), &hashed(new), NewPartitions::Refuse);
    let told: Vec<String> = changes.iter().map(Change::line).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    ~ key: da7ed64a2bd1b44b → ffff; a refresh rebuilds all of staging, so it stays whole, but no pseudonym is what it was
    ~ word list v1/en_US/last.tsv: its words are others
    + label "new" of public.mood: a new label of columns that are masked, or were kept for the labels there were
    ~ column public.Order "Lines".e mail": email/1 label crm by id → email/1 by id, by restage.toml:9:1
    - column public.Order "Lines".plan: not copied any more
    ~ rows of public.e: part 00 → all
    ~ subjects of public.e: they are found by other joins
    + partition public.e_3: its columns are decided as those of public.e
    ~ column public.e.id: type text → bigint
    + column public.e.nick name: text, keep, by restage.toml:3:1
    + table public.new: a new table; only its structure is copied
    "#);
    let harmless: Vec<&str> = changes.iter().filter(|change| !change.refuses).map(|c| c.what.as_str()).collect();
    assert_eq!(harmless, ["table public.new"]);
    let refused = refusal(&changes, std::path::Path::new("policy/restage.lock"), &[]).unwrap();
    assert_eq!(refused.message, "the plan differs from restage.lock in 10 places");
    insta::assert_snapshot!(refused.hint.unwrap(), @r#"
    If this is right, accept it, and commit restage.lock:
    restage plan --write-lock
    Else decide what is new first:
    [tables."public.e".columns]
    "nick name" = "pattern"
    "#);
}

#[test]
fn a_column_nobody_decided_arrives_as_null_and_stops_nothing() {
    let mut new = lock();
    let table = new.tables.get_mut("public.e").unwrap();
    table.columns.insert("late".into(), Column { undecided: true, ..column("null") });
    let changes = diff(&lock(), &hashed(new), NewPartitions::Refuse);
    assert_eq!(changes.len(), 1);
    assert!(refusal(&changes, std::path::Path::new("restage.lock"), &[]).is_none());
}

#[test]
fn new_partitions_stop_a_run_only_where_the_policy_does_not_let_them_inherit() {
    let mut new = lock();
    new.tables.get_mut("public.e").unwrap().partitions.insert("public.e_9".into());
    let new = hashed(new);
    let stops = |partitions| refusal(&diff(&lock(), &new, partitions), std::path::Path::new("l"), &[]).is_some();
    assert!(stops(NewPartitions::Refuse));
    assert!(!stops(NewPartitions::Inherit));
}

#[test]
fn columns_that_exchange_their_names_are_told() {
    let placed = |columns: &[(&str, &str, i16)]| {
        let columns = columns
            .iter()
            .map(|(name, decision, at)| ((*name).to_owned(), Column { at: Some(*at), ..column(decision) }));
        let mut lock = lock();
        lock.tables.get_mut("public.e").unwrap().columns = columns.collect();
        hashed(lock)
    };
    let before = placed(&[("id", "keep", 1), ("name", "name.full/1", 2), ("note", "null", 4), ("product", "keep", 5)]);
    let told = |columns: &[(&str, &str, i16)]| lines(&before, &placed(columns));
    let exchanged = [("id", "keep", 1), ("name", "name.full/1", 5), ("note", "null", 4), ("product", "keep", 2)];
    insta::assert_snapshot!(told(&exchanged).join("\n"), @"~ column public.e.product: changed places with name, name.full/1: are their names exchanged?");
    let under = [("id", "keep", 1), ("note", "null", 4), ("product", "keep", 2)];
    insta::assert_snapshot!(told(&under).join("\n"), @r"
    - column public.e.name: not copied any more; in its place stands product, keep: was it renamed?
    ~ column public.e.product: changed places with note, null: are their names exchanged?
    ");
    // A restored copy has no holes; and of columns that are masked both nothing gets out.
    assert!(
        told(&[("id", "keep", 1), ("name", "name.full/1", 2), ("note", "null", 3), ("product", "keep", 4)]).is_empty()
    );
    assert!(
        told(&[("id", "keep", 1), ("name", "name.full/1", 4), ("note", "null", 2), ("product", "keep", 5)]).is_empty()
    );
}

#[test]
fn a_hand_edited_lock_is_told() {
    let mut edited = lock();
    edited.tables.get_mut("public.e").unwrap().columns.get_mut("id").unwrap().decision = "null".into();
    let told = lines(&edited, &lock());
    assert!(told[0].contains("edited by hand"), "{told:?}");
    assert_eq!(told.len(), 2);
}

#[test]
fn texts_that_look_personal_are_sealed_with_the_key() {
    let key = MasterKey::test().realm("default");
    let seal = Seal { key: &key, ephemeral: false };
    assert_eq!(seal.label("gold"), "gold");
    let sealed = seal.label("bob@example.com");
    assert!(sealed.starts_with('#') && !sealed.contains("bob"), "{sealed}");
    let other = MasterKey::test().realm("other");
    assert_ne!(Seal { key: &other, ephemeral: false }.label("bob@example.com"), sealed);
    assert_eq!(Seal { key: &key, ephemeral: true }.label("bob@example.com"), "#ephemeral");
}
