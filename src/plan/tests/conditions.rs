//! Masks for some rows only.

use super::*;

fn people(how: serde_json::Value) -> World {
    World::new()
        .table("people", &["id int!", "kind text", "contact text"])
        .rule("public.people", json!({"id": "keep", "kind": "keep", "contact": how}))
}

#[test]
fn the_source_evaluates_a_condition_as_one_more_column() {
    let plan = people(json!({"mask": "email", "when": "kind = 'email'"})).plan();
    let table = &plan.tables[0];
    assert_eq!(
        table.select,
        ["t.\"id\"", "t.\"kind\"", "t.\"contact\"", "CASE WHEN (\nkind = 'email'\n) IS FALSE THEN false ELSE true END"]
    );
    assert_eq!(table.layout.written, 3);
    assert_eq!(table.mask.conditions, [crate::mask::Condition { column: 0, flag: 1, keep: false }]);
    assert_eq!(table.mask.columns[1].shape, Shape::Bool);
    let conditions = table.conditions();
    assert_eq!(conditions.len(), 1);
    assert_eq!((conditions[0].0.name.as_str(), conditions[0].1), ("contact", table.select[3].as_str()));
}

#[test]
fn columns_of_one_condition_share_its_column() {
    let world = World::new().table("a", &["id int!", "x text", "y text"]).rule(
        "public.a",
        json!({"id": "keep", "x": {"mask": "pattern", "when": "id > 7"},
               "y": {"mask": "email", "when": "id > 7", "otherwise": {"keep": "test data"}}}),
    );
    let plan = world.plan();
    assert_eq!(plan.tables[0].select.len(), 4);
    let conditions: Vec<(usize, usize, bool)> =
        plan.tables[0].mask.conditions.iter().map(|known| (known.column, known.flag, known.keep)).collect();
    assert_eq!(conditions, [(0, 2, false), (1, 2, true)]);
}

#[test]
fn a_condition_can_be_about_a_row_that_foreign_keys_lead_to() {
    let world = World::new()
        .table("customers", &["id int!", "country text"])
        .table("orders", &["id int!", "customer_id int"])
        .table("items", &["id int!", "order_id int", "note text"])
        .foreign_key(("orders", "customer_id"), ("customers", "id"))
        .foreign_key(("items", "order_id"), ("orders", "id"))
        .rule("public.*", json!({}))
        .default(json!("keep"))
        .rule(
            "public.items",
            json!({"note": {"mask": "pattern", "when": "country = 'DE'",
                            "when_at": "order_id -> public.orders.customer_id -> public.customers.id"}}),
        );
    let plan = world.plan();
    let items = plan.tables.iter().find(|table| table.name == "items").expect("planned");
    assert_eq!(items.select.last().map(String::as_str), Some("(w1.\"restage holds\" IS NOT FALSE)"));
    assert_eq!(
        items.from,
        "ONLY \"public\".\"items\" AS t LEFT JOIN (SELECT t.\"id\" AS \"restage key 0\", u.\"restage holds\" FROM ONLY \
         \"public\".\"orders\" AS t LEFT JOIN (SELECT t.\"id\" AS \"restage key 0\", CASE WHEN (\ncountry = 'DE'\n) IS \
         FALSE THEN false ELSE true END AS \"restage holds\" FROM ONLY \"public\".\"customers\" AS t) AS u ON \
         t.\"customer_id\" = u.\"restage key 0\") AS w1 ON t.\"order_id\" = w1.\"restage key 0\""
    );
}

#[test]
fn subjects_are_subqueries_beside_a_condition() {
    // Joined tables would make the names in a condition ambiguous.
    let world = World::new()
        .table("customers", &["id int!", "name text"])
        .table("orders", &["id int!", "customer_id int", "name text"])
        .foreign_key(("orders", "customer_id"), ("customers", "id"))
        .rule("public.customers", json!({"id": "keep", "name": "keep"}))
        .rule(
            "public.orders",
            json!({"id": "keep", "customer_id": "keep", "name":
                {"mask": "name.full", "subject": "customer_id -> public.customers.id", "when": "name <> ''"}}),
        );
    let plan = world.plan();
    let orders = plan.tables.iter().find(|table| table.name == "orders").expect("planned");
    assert_eq!(orders.from, "ONLY \"public\".\"orders\" AS t");
    assert!(orders.select[3].starts_with("(SELECT s1.\"id\" FROM "), "{:?}", orders.select);
}

#[test]
fn what_is_no_condition_is_refused() {
    for bad in ["", "true) OR (true", "id > 1;", "'open", "id > 1 -- why"] {
        let report = people(json!({"mask": "email", "when": bad})).refusal();
        assert_eq!(report.code, "plan::when", "{bad}");
        assert_eq!(report.place.as_deref(), Some("restage.toml:1:1"));
    }
    for bad in ["id", "kind -> public.people.id", "nothing -> public.people.id"] {
        let report = people(json!({"mask": "email", "when": "true", "when_at": bad})).refusal();
        assert_eq!(report.code, "plan::when-at", "{bad}");
    }
}

#[test]
fn rows_of_a_not_null_column_do_not_become_null() {
    let build =
        |how| World::new().table("a", &["id int!", "x text!"]).rule("public.a", json!({"id": "keep", "x": how}));
    assert_eq!(build(json!({"mask": "email", "when": "id > 7"})).refusal().code, "plan::when-not-null");
    assert_eq!(
        build(json!({"mask": "null", "when": "id > 7", "otherwise": {"keep": "r"}})).refusal().code,
        "plan::when-not-null"
    );
    build(json!({"mask": "email", "when": "id > 7", "otherwise": {"keep": "staff"}})).plan();
}

#[test]
fn references_are_masked_in_every_row() {
    let how = json!({"mask": "int", "when": "id > 7", "otherwise": {"keep": "staff"}});
    let codes = shop()
        .rule("public.customers", json!({"id": how, "email": "null", "born": "null"}))
        .rule("public.orders", json!({"id": "keep", "total": "keep"}))
        .codes();
    assert_eq!(codes, ["plan::conditional-reference", "plan::unique-column"]);
    let report = shop()
        .rule("public.customers", json!({"id": "int", "email": "null", "born": "null"}))
        .rule("public.orders", json!({"id": "keep", "total": "keep", "customer_id": {"mask": "int", "when": "id > 7"}}))
        .refusal();
    assert_eq!(report.code, "plan::domain-conflict");
}

#[test]
fn rows_that_keep_their_value_meet_no_mask_in_a_unique_column() {
    let build = |how: serde_json::Value, nulls_distinct: bool| {
        let world = World::new()
            .table("a", &["id int!", "x text"])
            .unique("a", &["x"], |index| index.nulls_distinct = nulls_distinct);
        world.rule("public.a", json!({ "id": "keep", "x": how }))
    };
    let keep = |kind: &str| json!({"mask": kind, "when": "id > 7", "otherwise": {"keep": "staff"}});
    assert_eq!(build(keep("pattern"), true).refusal().code, "plan::unique-column");
    build(keep("email"), true).plan();
    let null = json!({"mask": "pattern", "when": "id > 7"});
    build(null.clone(), true).plan();
    assert_eq!(build(null, false).refusal().code, "plan::unique-column");
}

#[test]
fn a_condition_is_part_of_the_hash_and_its_reason_is_not() {
    let hash = |how| people(how).plan().hash;
    let kept = |reason: &str| json!({"mask": "email", "when": "id > 7", "otherwise": {"keep": reason}});
    assert_eq!(hash(kept("one")), hash(kept("two")));
    assert_ne!(hash(kept("one")), hash(json!({"mask": "email", "when": "id > 7"})));
    assert_ne!(hash(json!({"mask": "email"})), hash(json!({"mask": "email", "when": "id > 7"})));
}
