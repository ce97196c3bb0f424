//! What packs decide where the policy is silent, and that the policy goes before them.

use super::super::packs;
use super::*;
use crate::config::Rows;

/// The plan of one table under one pack, with NULL for what nobody decides.
fn planned(world: World, pack: &str) -> Plan {
    let world = World { undecided: Undecided::Null, ..world };
    let names = [pack.to_owned()];
    let floor = Floor { packs: &names, ..Floor::default() };
    world.build_above(floor).unwrap_or_else(|refusals| panic!("{pack}: {:#?}", refusals.0))
}

/// The decision of a column as it is written, and who made it.
fn decided(plan: &Plan, column: &str) -> (String, String) {
    let column = plan.tables[0].columns.iter().find(|known| known.name == column).expect("the column");
    let decision = match &column.decision {
        Decided::Keep { .. } => "keep".to_owned(),
        Decided::Null => "null".to_owned(),
        Decided::Const => "const".to_owned(),
        Decided::Mask { kind, .. } => kind.split('/').next().unwrap_or_default().to_owned(),
    };
    (decision, column.because.clone())
}

/// The first word of a decision in TOML that says what happens.
fn word(decision: &str) -> String {
    let document: toml::Table = format!("d = {decision}").parse().expect("TOML");
    match &document["d"] {
        toml::Value::String(word) => word.clone(),
        toml::Value::Table(fields) if fields.contains_key("keep") && !fields.contains_key("mask") => "keep".to_owned(),
        other => other["mask"].as_str().expect("a mask").to_owned(),
    }
}

#[test]
fn each_rule_decides_its_examples_and_nobody_does_without_its_pack() {
    let examples = packs::examples();
    assert!(examples.len() > 60, "{}", examples.len());
    for (pack, rule, written, decision) in examples {
        let (name, type_name) = written.split_once(':').unwrap_or((written, "text"));
        let (table, column) = name.split_once('.').expect("table.column");
        let beside = ["key text", "name text", "option_name text"].into_iter();
        let columns = ["id int".to_owned(), format!("{column} {type_name}")].into_iter();
        let beside = beside.filter(|one| !one.starts_with(&format!("{column} "))).map(str::to_owned);
        let columns: Vec<String> = columns.chain(beside).collect();
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let world = World::new().table(table, &columns).rule("*", json!({"id": "keep"}));
        let (found, because) = decided(&planned(world.clone(), pack), column);
        assert_eq!((found, because), (word(decision), format!("pack {pack}, rule {rule}")), "{written}");
        let (found, because) = decided(&planned(world, "gdpr"), column);
        assert!(found == "null" && !because.starts_with("pack"), "{written}: {found} {because}");
    }
}

#[test]
fn a_pack_leaves_rows_behind_where_the_policy_does_not_take_them() {
    let world = World::new().table("django_session", &["id int", "session_data text"]).rule("*", json!({"id": "keep"}));
    let plan = planned(world.clone(), "django");
    assert_eq!(plan.tables[0].rows, Rows::None);
    assert_eq!(plan.emptied[&plan.tables[0].oid], "pack django, rule sessions");
    let plan = planned(world.clone().rows(Rows::All), "django");
    assert_eq!((&plan.tables[0].rows, plan.emptied.len()), (&Rows::All, 0));
    assert_eq!(planned(world, "gdpr").tables[0].rows, Rows::All);
}

#[test]
fn the_policy_goes_before_a_pack_and_a_foreign_key_too() {
    let world = World::new()
        .table("auth_user", &["id int", "email text", "first_name text"])
        .rule("public.auth_user", json!({"id": "keep", "email": "null"}));
    let plan = planned(world, "django");
    assert_eq!(decided(&plan, "email"), ("null".into(), "restage.toml:1:1 [tables.\"public.auth_user\"]".into()));
    assert_eq!(decided(&plan, "first_name").0, "name.first");
    let world = World::new()
        .table("auth_permission", &["id int", "content_type_id int"])
        .table("types", &["id int"])
        .foreign_key(("auth_permission", "content_type_id"), ("types", "id"))
        .rule("public.types", json!({"id": "int"}));
    let plan = planned(world, "django");
    let table = plan.tables.iter().find(|table| table.name == "auth_permission").expect("planned");
    let column = table.columns.iter().find(|column| column.name == "content_type_id").expect("planned");
    assert!(matches!(&column.decision, Decided::Mask { kind, .. } if kind == "int/1"), "{column:?}");
}

#[test]
fn what_a_pack_decides_fits_the_column_or_stays_open() {
    // NOT NULL takes the constant, a unique column neither.
    let world = World::new().table("hooks", &["id int", "webhook_url text!"]).rule("*", json!({"id": "keep"}));
    assert_eq!(decided(&planned(world.clone(), "neutralize"), "webhook_url").0, "const");
    let world = world.unique("hooks", &["webhook_url"], |_| {});
    let names = ["neutralize".to_owned()];
    let refused = world.build_above(Floor { packs: &names, ..Floor::default() }).expect_err("undecided");
    assert_eq!(refused.0.iter().map(|report| report.code).collect::<Vec<_>>(), ["plan::undecided-column"]);
}
