//! Names of other tables that texts mention.

use super::*;

fn orders(note: serde_json::Value) -> World {
    World::new()
        .table("people", &["id int!", "name text", "city text"])
        .table("orders", &["id int!", "person_id int", "note text"])
        .foreign_key(("orders", "person_id"), ("people", "id"))
        .rule("public.people", json!({"id": "keep", "city": "keep", "name": {"mask": "name.full", "subject": "id"}}))
        .rule("public.orders", json!({"id": "keep", "person_id": "keep", "note": note}))
}

fn planned(world: World) -> TablePlan {
    world.plan().tables.into_iter().find(|table| table.name == "orders").expect("planned")
}

#[test]
fn names_of_the_person_are_read_and_masked_but_not_written() {
    let table = planned(orders(json!({"mask": "text.spans", "subject": "person_id"})));
    assert_eq!(table.select[3..], ["s1.\"name\"", "s1.\"id\""]);
    assert_eq!(
        table.from,
        "ONLY \"public\".\"orders\" AS t LEFT JOIN ONLY \"public\".\"people\" AS s1 ON t.\"person_id\" = s1.\"id\""
    );
    assert_eq!((table.layout.written, table.layout.masked()), (3, 1));
    let names: Vec<&str> = table.mask.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "public.orders.person_id",
            "public.orders.note",
            "person_id -> public.people.name",
            "person_id -> public.people.id"
        ]
    );
    let mask = table.mask.columns[2].mask.as_ref().expect("masked");
    assert_eq!((mask.kind.as_str(), mask.subject), ("name.full/1", Some(3)));
    assert_eq!(table.mask.unwritten, [2]);
}

#[test]
fn joined_names_stay_out_of_the_way_of_conditions() {
    let rows = Rows::Where { condition: Some("name <> ''".into()), limit: None };
    let table = planned(orders(json!({"mask": "text.spans", "subject": "person_id"})).rows(rows));
    assert_eq!(table.select[3..], ["n1.\"restage 1\"", "n1.\"restage 0\""]);
    assert_eq!(
        table.from,
        "ONLY \"public\".\"orders\" AS t LEFT JOIN (SELECT t.\"id\" AS \"restage 0\", t.\"name\" AS \"restage 1\" FROM \
         ONLY \"public\".\"people\" AS t) AS n1 ON t.\"person_id\" = n1.\"restage 0\""
    );
}

#[test]
fn texts_without_a_subject_join_nothing() {
    let table = planned(orders(json!("text.spans")));
    assert_eq!((table.select.len(), table.from.as_str()), (3, "ONLY \"public\".\"orders\" AS t"));
    assert!(table.mask.unwritten.is_empty());
}
