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
        orders: BTreeMap::from([("public.dims".into(), vec!["w".into(), "h 2".into()])]),
        texts: Some(BTreeMap::from([
            ("public.dom".into(), BTreeMap::from([("check dom_check".into(), "aa".into())])),
            ("public.e".into(), BTreeMap::from([("check \"a b\"".into(), "bb".into())])),
        ])),
        checks: Some(BTreeMap::from([("public.e".into(), BTreeMap::from([("check mail".into(), "cc".into())]))])),
        expressions: Some(BTreeMap::from([(
            "public.e_1".into(),
            BTreeMap::from([("default of id".into(), "aa".into())]),
        )])),
        switches: BTreeMap::from([
            ("ddl_literals".into(), "refuse".into()),
            ("leak_allow".into(), String::new()),
            ("packs".into(), "pii, secrets".into()),
        ]),
        definitions: Some(BTreeMap::from([("COMMENT public.TABLE \"a b\"".into(), "aa".into())])),
        literals: Some(BTreeMap::from([("VIEW public.v".into(), "aaaaaaaa bbbbbbbb".into())])),
        database: Some("7/16384".into()),
        oids: None,
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
    A label that is accepted comes with its type, and with the rows that have it where their column is kept.
    Else decide what is new first, and then: restage plan --write-lock
    [tables."public.e".columns]
    "nick name" = "pattern"
    "#);
}

#[test]
fn checks_are_compared_whether_their_columns_are_kept_or_not() {
    let check = |map: &mut Option<BTreeMap<String, BTreeMap<String, String>>>, hash: Option<&str>| {
        let texts = map.as_mut().unwrap().get_mut("public.e").unwrap();
        texts.remove("check mail");
        texts.extend(hash.map(|hash| ("check mail".to_owned(), hash.to_owned())));
    };
    let changed = |change: &dyn Fn(&mut Lock)| {
        let mut new = lock();
        change(&mut new);
        hashed(new)
    };
    let other = changed(&|lock| check(&mut lock.checks, Some("dd")));
    assert_eq!(lines(&lock(), &other).len(), 1);
    // Its column is kept now: the check is the same.
    let kept = changed(&|lock| {
        check(&mut lock.checks, None);
        check(&mut lock.texts, Some("cc"));
    });
    assert!(lines(&lock(), &kept).is_empty() && lines(&kept, &lock()).is_empty());
    // Locks of before have none.
    let before = changed(&|lock| lock.checks = None);
    assert!(lines(&before, &other).is_empty());
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
    // The note stands where it stood, and is not blamed.
    insta::assert_snapshot!(told(&under).join("\n"), @"- column public.e.name: not copied any more; in its place stands product, keep: was it renamed?");
    // Nor is a kept column between two that exchange their names, or a masked one that comes first by its name.
    let four = [("a", "email/1", 1), ("k", "keep", 2), ("m", "null", 3), ("product", "keep", 5)];
    let crossed = [("a", "email/1", 1), ("k", "keep", 2), ("m", "null", 5), ("product", "keep", 3)];
    let around = [("a", "email/1", 5), ("k", "keep", 2), ("m", "null", 3), ("product", "keep", 1)];
    let four = placed(&four);
    for (now, told) in [(crossed, "changed places with m, null"), (around, "changed places with a, email/1")] {
        let told_now = lines(&four, &placed(&now));
        assert!(told_now.len() == 1 && told_now[0].contains(told) && told_now[0].contains(".product:"), "{told_now:?}");
    }
    // A copy of the database numbers columns anew.
    let copied = [("a", "email/1", 1), ("k", "keep", 2), ("m", "null", 3), ("product", "keep", 4)];
    assert!(lines(&four, &placed(&copied)).is_empty());
    // Values of another type would not have gone unseen.
    let dated = |columns: &[(&str, &str, i16)]| {
        let mut lock = placed(columns);
        lock.tables.get_mut("public.e").unwrap().columns.get_mut("name").unwrap().type_name = "date".into();
        hashed(lock)
    };
    let start = [("id", "keep", 1), ("name", "name.full/1", 2), ("product", "keep", 5)];
    assert!(
        lines(&dated(&start), &dated(&[("id", "keep", 1), ("name", "name.full/1", 5), ("product", "keep", 2)]))
            .is_empty()
    );
    // A restored copy has no holes; and of columns that are masked both nothing gets out.
    assert!(
        told(&[("id", "keep", 1), ("name", "name.full/1", 2), ("note", "null", 3), ("product", "keep", 4)]).is_empty()
    );
    assert!(
        told(&[("id", "keep", 1), ("name", "name.full/1", 4), ("note", "null", 2), ("product", "keep", 5)]).is_empty()
    );
}

#[test]
fn attributes_that_exchange_their_names_are_found() {
    let with = |attributes: &[&str]| {
        let mut lock = lock();
        let attributes = attributes.iter().map(|name| (*name).to_owned()).collect();
        lock.orders.insert("public.dims".into(), attributes);
        hashed(lock)
    };
    let before = with(&["line", "town", "code"]);
    let moved =
        |old: &Lock, attributes: &[&str]| super::numbers::moved(old, &with(attributes), "public.dims").join(", ");
    assert_eq!(moved(&before, &["town", "line", "code"]), "line, town");
    // What came and went is told where its type is.
    assert_eq!(moved(&before, &["line", "code"]) + &moved(&before, &["line", "town", "code", "new"]), "");
    let mut old = before.clone();
    old.orders.clear();
    assert_eq!(moved(&hashed(old), &["town", "line"]), "", "an older lock is not compared");
}

#[test]
fn texts_behind_a_decision_are_compared() {
    let mut new = lock();
    let texts = new.texts.as_mut().unwrap();
    texts.get_mut("public.dom").unwrap().insert("default".into(), "cc".into());
    texts.get_mut("public.e").unwrap().clear();
    texts.insert("public.late".into(), BTreeMap::from([("check late".into(), "dd".into())]));
    insta::assert_snapshot!(lines(&lock(), &hashed(new.clone())).join("\n"), @r#"
    + default of public.dom: new: a definition is copied as it is, so look whether it names a person
    - check "a b" of public.e: columns were reviewed with it
    "#);
    let mut changed = lock();
    changed.texts.as_mut().unwrap().get_mut("public.dom").unwrap().insert("check dom_check".into(), "zz".into());
    insta::assert_snapshot!(lines(&lock(), &hashed(changed.clone())).join("\n"), @"~ check dom_check of public.dom: another text: a definition is copied as it is, so look whether it names a person");
    // With another key the hashes say nothing, and an older lock has none.
    changed.key_id = "ffff".into();
    assert_eq!(lines(&lock(), &hashed(changed)).len(), 1);
    let mut old = lock();
    old.texts = None;
    assert!(lines(&hashed(old), &hashed(new)).is_empty());
}

#[test]
fn a_policy_that_is_turned_looser_is_told_and_a_stricter_one_is_not() {
    let with = |switches: &[(&str, &str)]| {
        let mut lock = lock();
        let switches = switches.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        lock.switches.extend(switches);
        hashed(lock)
    };
    let loose = [("ddl_literals", "accept"), ("packs", ""), ("leak_allow", "public.e.*")];
    insta::assert_snapshot!(lines(&lock(), &with(&loose)).join("\n"), @r"
    ~ setting ddl_literals: refuse → accept; the policy hides less than was reviewed
    ~ setting leak_allow: none → public.e.*; the policy hides less than was reviewed
    ~ setting packs: pii, secrets → none; the policy hides less than was reviewed
    ");
    assert!(lines(&with(&loose), &lock()).is_empty());
    let mut old = lock();
    old.switches.clear();
    assert!(lines(&hashed(old), &with(&loose)).is_empty(), "an older lock is not compared");
}

#[test]
fn a_default_of_text_on_a_new_column_stops_a_run_whoever_decided_it() {
    let with = |speaks: bool| {
        let mut new = lock();
        let late = Column { undecided: true, default_speaks: speaks, ..column("null") };
        new.tables.get_mut("public.e").unwrap().columns.insert("late".into(), late.clone());
        let table = Table { rows: "all".into(), columns: [("late".into(), late)].into(), ..Table::default() };
        new.tables.insert("public.fresh".into(), table);
        let changes = diff(&lock(), &hashed(new), NewPartitions::Refuse);
        changes.iter().filter(|change| change.refuses).map(Change::line).collect::<Vec<_>>()
    };
    let told = with(true);
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(
        told[0].starts_with("+ column public.e.late: ") && told[0].contains("a default that holds text"),
        "{told:?}"
    );
    assert!(told[1].starts_with("+ table public.fresh: ") && told[2].starts_with("+ column public.fresh.late: "));
    assert_eq!(with(false), Vec::<String>::new());
}

#[test]
fn a_kept_column_of_another_type_is_told_with_the_line_that_hides_it() {
    let hint = |decision: &str| {
        let mut new = lock();
        let id = new.tables.get_mut("public.e").unwrap().columns.get_mut("id").unwrap();
        *id = Column { type_name: "bigint".into(), proposal: Some("\"pattern\"".into()), ..column(decision) };
        let changes = diff(&lock(), &hashed(new), NewPartitions::Refuse);
        refusal(&changes, std::path::Path::new("restage.lock"), &[]).unwrap().hint.unwrap()
    };
    assert!(hint("keep").ends_with("[tables.\"public.e\".columns]\nid = \"pattern\""), "{}", hint("keep"));
    assert!(!hint("pattern/1").contains("id = "), "it is hidden already: {}", hint("pattern/1"));
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

/// Name and oid of a table; name, decision and number of its columns.
type Numbered<'a> = (&'a str, u32, &'a [(&'a str, &'a str, i16)]);

/// A lock of these tables, of one database.
fn numbered(database: &str, tables: &[Numbered<'_>]) -> Lock {
    let mut lock = lock();
    lock.tables.clear();
    lock.database = Some(database.into());
    lock.oids = Some(tables.iter().map(|(name, oid, _)| ((*name).to_owned(), *oid)).collect());
    for (name, _, columns) in tables {
        let columns = columns
            .iter()
            .map(|(name, decision, at)| ((*name).to_owned(), Column { at: Some(*at), ..column(decision) }));
        let table = Table { rows: "all".into(), columns: columns.collect(), ..Table::default() };
        lock.tables.insert((*name).to_owned(), table);
    }
    hashed(lock)
}

#[test]
fn a_column_of_another_number_is_another_column_whatever_its_rank() {
    let with = |columns| numbered("7/5", &[("public.p", 100, columns)]);
    let before = with(&[("id", "keep", 1), ("plan", "keep", 2), ("tag", "keep", 3), ("last", "name.last/1", 4)]);
    let told = |columns| lines(&before, &with(columns));
    // The plan was dropped, the last name got its name, and a new one was added: each has the rank it had.
    let replaced = told(&[("id", "keep", 1), ("tag", "keep", 3), ("plan", "keep", 4), ("last", "name.last/1", 5)]);
    insta::assert_snapshot!(replaced.join("\n"), @"~ column public.p.plan: is the column that was last, name.last/1: are their names exchanged?");
    let anew = told(&[("id", "keep", 1), ("tag", "keep", 3), ("plan", "keep", 9), ("last", "name.last/1", 4)]);
    insta::assert_snapshot!(anew.join("\n"), @"~ column public.p.plan: was dropped and made anew: what it holds now was not reviewed");
    // Both are kept, so nothing more is shown.
    let kept = told(&[("id", "keep", 1), ("tag", "keep", 2), ("plan", "keep", 3), ("last", "name.last/1", 4)]);
    assert!(kept.is_empty(), "{kept:?}");
    // A restored copy numbers everything anew, and is compared by the order of columns.
    let columns: &[(&str, &str, i16)] =
        &[("id", "keep", 1), ("plan", "keep", 2), ("tag", "keep", 3), ("last", "name.last/1", 5)];
    let restored = numbered("8/6", &[("public.p", 555, columns)]);
    assert!(lines(&before, &restored).is_empty());
    // A lock of before numbers of tables were pinned, too.
    let mut old = before.clone();
    (old.oids, old.database) = (None, None);
    let replaced: &[(&str, &str, i16)] =
        &[("id", "keep", 1), ("plan", "keep", 4), ("tag", "keep", 5), ("last", "name.last/1", 6)];
    assert!(lines(&hashed(old), &with(replaced)).is_empty());
}

#[test]
fn attributes_are_told_by_their_numbers() {
    let with = |attributes: &[&str]| {
        let mut lock = numbered("7/5", &[]);
        lock.orders.insert("public.dims".into(), attributes.iter().map(|name| (*name).to_owned()).collect());
        hashed(lock)
    };
    let before = with(&["first", "plan", "last"]);
    let told = |attributes: &[&str]| super::numbers::moved(&before, &with(attributes), "public.dims").join(", ");
    assert_eq!(told(&["first", "", "plan", "last"]), "plan, last");
    assert_eq!(told(&["first", "", "last", "plan"]), "plan");
    assert_eq!(told(&["first", "", "last"]) + &told(&["first", "plan", "last", "new"]), "");
}

#[test]
fn a_table_under_the_name_of_another_is_told_where_it_shows_more() {
    let a: &[(&str, &str, i16)] = &[("id", "keep", 1), ("label", "keep", 2)];
    let b: &[(&str, &str, i16)] = &[("id", "keep", 1), ("label", "name.full/1", 2)];
    let before = numbered("7/5", &[("public.a", 100, a), ("public.b", 200, b)]);
    let exchanged = lines(&before, &numbered("7/5", &[("public.a", 200, a), ("public.b", 100, b)]));
    insta::assert_snapshot!(exchanged.join("\n"), @"~ column public.a.label: public.a was public.b when this was reviewed, name.full/1: are their names exchanged?");
    // A table that was made anew under its name has a number of its own, and a restored database has others.
    let anew = lines(&before, &numbered("7/5", &[("public.a", 300, a), ("public.b", 200, b)]));
    insta::assert_snapshot!(anew.join("\n"), @"~ table public.a: was dropped and made anew: what its 2 kept columns hold now was not reviewed");
    let now = numbered("7/5", &[("public.a", 300, a), ("public.b", 200, b)]);
    let changes = diff(&before, &now, NewPartitions::Refuse);
    assert!(changes.len() == 1 && !changes[0].refuses, "{changes:?}");
    assert_eq!(super::warnings(&changes).count(), 1);
    assert!(
        lines(&before, &numbered("7/5", &[("public.a", 300, a), ("public.b", 400, b)])).is_empty(),
        "restored in place"
    );
    assert!(lines(&before, &numbered("8/6", &[("public.a", 300, a), ("public.b", 400, b)])).is_empty());
    assert!(lines(&before, &numbered("8/6", &[("public.a", 200, a), ("public.b", 100, b)])).is_empty());
    // pg_upgrade keeps the numbers in a cluster of another identity: most tables say so.
    let more: &[Numbered<'_>] =
        &[("public.a", 100, a), ("public.b", 200, b), ("public.c", 1, a), ("public.d", 2, a), ("public.e", 3, a)];
    let mut upgraded = more.to_vec();
    (upgraded[0].1, upgraded[1].1) = (200, 100);
    assert_eq!(lines(&numbered("7/5", more), &numbered("9/5", &upgraded)).len(), 1);
    // A table of which no row was copied.
    let mut none = before.clone();
    none.tables.get_mut("public.b").unwrap().rows = "none".into();
    let mut now = numbered("7/5", &[("public.a", 200, a), ("public.b", 100, b)]);
    now.tables.get_mut("public.b").unwrap().rows = "none".into();
    let told = lines(&hashed(none), &hashed(now));
    assert!(told.iter().any(|line| line.starts_with("~ table public.a: it was public.b")), "{told:?}");
}

#[test]
fn numbers_are_read_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("restage.lock");
    let lock = numbered("7/5", &[("public.\"a b\"", 100, &[("id", "keep", 1)])]);
    write(&path, &lock).unwrap();
    assert_eq!(read(&path).unwrap(), Some(lock));
}

#[test]
fn expressions_of_reviewed_tables_and_their_partitions_are_compared() {
    let with = |owner: &str, label: &str, hash: &str| {
        let mut new = lock();
        new.tables.get_mut("public.e").unwrap().partitions.insert("public.e_3".into());
        let texts = new.expressions.as_mut().unwrap().entry(owner.to_owned()).or_default();
        texts.insert(label.to_owned(), hash.to_owned());
        new
    };
    let told = |new: Lock| {
        let changes = diff(&lock(), &hashed(new), NewPartitions::Inherit);
        changes.iter().filter(|change| change.refuses).map(Change::line).collect::<Vec<_>>()
    };
    assert!(told(with("public.e_1", "default of id", "zz"))[0].starts_with("~ default of id of public.e_1: another"));
    assert!(told(with("public.e", "generated g", "bb"))[0].starts_with("+ generated g of public.e: new"));
    // A partition that inherits its decisions has a default nobody reviewed.
    assert!(told(with("public.e_3", "default of id", "bb"))[0].starts_with("+ default of id of public.e_3: new"));
    let mut late = with("public.late", "generated g", "bb");
    late.tables.insert("public.late".into(), Table { rows: "none".into(), ..Table::default() });
    assert!(told(late).is_empty(), "its table is told");
    let mut gone = lock();
    gone.expressions = Some(BTreeMap::new());
    assert!(told(gone).is_empty(), "what is gone shows nothing");
    let mut old = lock();
    old.expressions = None;
    assert!(lines(&hashed(old), &hashed(with("public.e_1", "default of id", "zz"))).len() == 1, "the partition alone");
}

#[test]
fn bodies_that_say_something_new_are_told_and_others_are_not() {
    let with = |bodies: &[(&str, &str)]| {
        let mut lock = lock();
        let bodies = bodies.iter().map(|(label, hashes)| ((*label).to_owned(), (*hashes).to_owned()));
        lock.literals = Some(bodies.collect());
        hashed(lock)
    };
    let told = |bodies: &[(&str, &str)]| lines(&lock(), &with(bodies));
    insta::assert_snapshot!(told(&[("COMMENT public.TABLE t", "cccccccc"), ("VIEW public.v", "aaaaaaaa dddddddd eeeeeeee")]).join("\n"), @r"
    + definition COMMENT public.TABLE t: 1 text in it that no definition held: it is copied as it is, so look whether it names a person
    ~ definition VIEW public.v: 2 texts in it that no definition held: it is copied as it is, so look whether it names a person
    ");
    assert!(told(&[("VIEW public.v", "bbbbbbbb"), ("VIEW public.w", "aaaaaaaa")]).is_empty());
    // The labels of a type that a column holds are told one by one, those of another with the type.
    assert!(told(&[("TYPE public.mood", "dddddddd"), ("DOMAIN public.dom", "eeeeeeee")]).is_empty());
    assert_eq!(told(&[("TYPE public.moods", "dddddddd"), ("DOMAIN public.d", "eeeeeeee")]).len(), 2);
    assert!(told(&[]).is_empty());
    let mut old = lock();
    old.literals = None;
    assert!(lines(&hashed(old), &with(&[("VIEW public.v", "dddddddd")])).is_empty(), "an older lock is not compared");
}

#[test]
fn what_cannot_be_decided_is_told_with_the_statement_that_undoes_it() {
    let mut new = lock();
    let texts = new.texts.as_mut().unwrap();
    texts.get_mut("public.dom").unwrap().insert("default".into(), "cc".into());
    texts.get_mut("public.e").unwrap().insert("check \"a b\"".into(), "zz".into());
    new.expressions.as_mut().unwrap().get_mut("public.e_1").unwrap().insert("generated g".into(), "zz".into());
    let id = new.tables.get_mut("public.e").unwrap().columns.get_mut("id").unwrap();
    let of_domain = vec![Part { type_name: "public.dom".into(), way: Vec::new() }];
    *id = Column { hiding: Some("\"null\"".into()), parts: of_domain, ..column("keep") };
    let changes = diff(&lock(), &hashed(new), NewPartitions::Refuse);
    insta::assert_snapshot!(refusal(&changes, std::path::Path::new("restage.lock"), &[]).unwrap().hint.unwrap(), @r#"
    If this is right, accept it, and commit restage.lock:
    restage plan --write-lock
    A definition that is accepted comes as it is, with whatever it says.
    Else decide what is new first, and then: restage plan --write-lock
    [tables."public.e".columns]
    id = "null"
    Else change the definitions on the source: no line of the configuration hides what they say.
    ALTER DOMAIN public.dom DROP DEFAULT;     -- at the source
    ALTER TABLE "public"."e" DROP CONSTRAINT """a b""";     -- at the source
    ALTER TABLE "public"."e_1" ALTER COLUMN "g" DROP EXPRESSION;     -- at the source
    "#);
}

#[test]
fn a_column_under_a_new_name_is_told_as_one_with_its_decision() {
    let with = |columns| numbered("7/5", &[("public.p", 100, columns)]);
    let before = with(&[("id", "keep", 1), ("plan", "keep", 2), ("mail", "email/1", 3)]);
    let mut after = with(&[("id", "keep", 1), ("tariff", "keep", 2), ("contact", "keep", 3)]);
    for column in after.tables.get_mut("public.p").unwrap().columns.values_mut() {
        (column.because, column.written) = ("restage.toml:3:1".into(), Some("{ keep = \"a test\" }".into()));
    }
    let changes = diff(&before, &hashed(after), NewPartitions::Refuse);
    insta::assert_snapshot!(changes.iter().map(Change::line).collect::<Vec<_>>().join("\n"), @r"
    ~ column public.p.mail: is now called contact; email/1 → keep, by restage.toml:3:1
    ~ column public.p.plan: is now called tariff; keep, by restage.toml:3:1
    ");
    let pasted: Vec<&str> = changes.iter().flat_map(|change| &change.patches).map(|(_, line)| line.as_str()).collect();
    assert_eq!(pasted, ["contact = { mask = \"email\" }", "tariff = { keep = \"a test\" }"]);
    assert!(changes.iter().all(|change| change.refuses));
    // A name that is known is no new one, and a restored database has other numbers.
    let heir = lines(&before, &with(&[("id", "keep", 1), ("plan", "keep", 3)]));
    assert!(heir[0].contains("in its place stands plan, keep: was it renamed?"), "{heir:?}");
    let restored =
        numbered("8/6", &[("public.p", 555, &[("id", "keep", 1), ("tariff", "keep", 2), ("mail", "email/1", 3)])]);
    assert_eq!(lines(&before, &restored).len(), 2, "one is gone and one is new");
}

#[test]
fn masked_columns_that_exchange_their_names_are_told_with_the_masks_exchanged() {
    let with = |columns: &[(&str, &str, i16)]| {
        let mut lock = numbered("7/5", &[("public.p", 100, columns)]);
        for column in lock.tables.get_mut("public.p").unwrap().columns.values_mut() {
            column.written = Some(format!("{{ mask = \"{}\", n = 1 }}", column.decision.trim_end_matches("/1")));
        }
        hashed(lock)
    };
    let before = with(&[("a", "email/1", 1), ("b", "phone/1", 2), ("c", "null", 3), ("d", "phone/1", 4)]);
    let exchanged = with(&[("a", "email/1", 2), ("b", "phone/1", 1), ("c", "null", 3), ("d", "phone/1", 4)]);
    let changes = diff(&before, &exchanged, NewPartitions::Refuse);
    insta::assert_snapshot!(changes.iter().map(Change::line).collect::<Vec<_>>().join("\n"), @r"
    ~ column public.p.a: is the column that was b, phone/1, and gets email/1: are their names exchanged?
    ~ column public.p.b: is the column that was a, email/1, and gets phone/1: are their names exchanged?
    ");
    let pasted: Vec<&str> = changes.iter().flat_map(|change| &change.patches).map(|(_, line)| line.as_str()).collect();
    assert_eq!(pasted, ["a = { mask = \"phone\", n = 1 }", "b = { mask = \"email\", n = 1 }"]);
    // One mask for both, and a column that is NULL, show nothing of the other; a mask on what was NULL may.
    let alike = with(&[("a", "email/1", 1), ("b", "phone/1", 4), ("c", "null", 3), ("d", "phone/1", 2)]);
    assert!(lines(&before, &alike).is_empty());
    let nulled = with(&[("a", "email/1", 3), ("b", "phone/1", 2), ("c", "null", 1), ("d", "phone/1", 4)]);
    assert!(
        lines(&before, &nulled).len() == 1 && lines(&before, &nulled)[0].contains(".a: is the column that was c, null")
    );
}
