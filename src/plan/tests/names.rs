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

#[test]
fn names_that_their_column_drops_are_read_for_texts_that_may_mention_them() {
    let world = |note: serde_json::Value| {
        World::new()
            .table(
                "people",
                &["id int!", "first_name text", "last_name text", "nicknames text[]", "city text", "note text"],
            )
            .rule(
                "public.people",
                json!({
                    "id": "keep",
                    "first_name": "null",
                    "last_name": {"mask": "const", "value": "X"},
                    "nicknames": "null",
                    "city": "null",
                    "note": note,
                }),
            )
    };
    let table = world(json!("text.spans")).plan().tables.remove(0);
    assert_eq!(table.select[1], "NULL::text");
    assert_eq!(table.select[6..], ["t.\"first_name\"", "t.\"last_name\"", "t.\"nicknames\""]);
    assert_eq!((table.layout.written, table.layout.masked()), (6, 1));
    let kinds: Vec<&str> = table.mask.unwritten.iter().map(|index| &*table.mask.named[index]).collect();
    assert_eq!(kinds, ["name.first", "name.last", "name.first"]);
    for index in &table.mask.unwritten {
        assert_eq!(table.mask.columns[*index].mask.as_ref().expect("masked").kind, "pattern/1");
    }
    // The twin: no text of the row looks for names, so nothing that is dropped leaves the source.
    let table = world(json!("pattern")).plan().tables.remove(0);
    assert_eq!((table.select.len(), table.mask.named.len(), table.mask.unwritten.len()), (6, 0, 0));
}

#[test]
fn names_of_another_table_count_whatever_masks_them_there() {
    let orders = |name: serde_json::Value| {
        let mut world = orders(json!({"mask": "text.spans", "subject": "person_id"}));
        world.rules.remove(0);
        planned(world.rule("public.people", json!({"id": "keep", "city": "keep", "name": name})))
    };
    for (name, kind) in [(json!("hash"), "hash/1"), (json!("null"), "pattern/1")] {
        let table = orders(name);
        assert_eq!(table.select[3..], ["s1.\"name\""]);
        let read = &table.mask.columns[2];
        assert_eq!(read.mask.as_ref().expect("masked").kind, kind);
        assert_eq!((table.mask.named[&2], &table.mask.unwritten[..]), ("name.full", &[2][..]));
    }
    assert_eq!(orders(json!({"keep": "stage names"})).select.len(), 3);
}

#[test]
fn names_of_a_table_without_rows_are_read_whether_it_is_decided_or_not() {
    let orders = |people: serde_json::Value| {
        let mut world = orders(json!({"mask": "text.spans", "subject": "person_id"}));
        world.rules.remove(0);
        // A key that is not checked may lead to rows that are left out.
        world.catalog.constraints[0].validated = false;
        planned(world.rule("public.people", people).rows(Rows::None))
    };
    let called = ("s1.\"name\"", "name.full");
    for (people, (read, kind)) in [
        (json!({}), called),
        (json!({"name": "null"}), called),
        (json!({"name": "hash"}), called),
        (json!({"name": {"mask": "name.full", "subject": "id"}}), called),
        (json!({"name": "no such kind"}), called),
        (json!({"name": "keep", "city": {"mask": "name.last", "subject": "id"}}), ("s1.\"city\"", "name.last")),
    ] {
        let table = orders(people.clone());
        assert_eq!(table.select[3..], [read], "{people}");
        assert_eq!((table.mask.named[&2], &table.mask.unwritten[..]), (kind, &[2][..]), "{people}");
        assert_eq!(table.mask.columns[2].mask.as_ref().expect("masked").kind, "pattern/1", "{people}");
    }
    assert_eq!(orders(json!({"name": {"keep": "stage names"}})).select.len(), 3);
}

#[test]
fn spellings_that_one_mask_joins_and_a_path_does_not_are_told() {
    let told = |of: &str, mask: serde_json::Value, declared: bool| {
        let mut world = World::new()
            .table("people", &["id int!", &format!("email {of}!"), "name text"])
            .unique("people", &["email"], |_| ())
            .table("notes", &["id int!", &format!("who {of}"), "note text"])
            .rule(
                "public.people",
                json!({"id": "keep", "email": mask, "name": {"mask": "name.full", "subject": "email"}}),
            )
            .rule(
                "public.notes",
                json!({"id": "keep", "note": {"mask": "text.spans", "subject": "who -> public.people.email"}}),
            );
        let (from, to) = ("public.notes.who".to_owned(), "public.people.email".to_owned());
        let place = Place { file: "restage.toml".into(), line: 9, column: 1 };
        match declared {
            true => world.references.push(ReferenceRule { from, to, r#type: None, json: Vec::new(), place }),
            false => world = world.foreign_key(("notes", "who"), ("people", "email")),
        }
        world.plan().warnings.iter().filter(|line| line.contains("is spelled otherwise than")).count()
    };
    assert_eq!(told("text", json!("email"), true), 1);
    // The twins: case is told apart, it is not by the server either, or the key is checked.
    assert_eq!(told("text", json!({"mask": "email", "fold": false}), true), 0);
    assert_eq!(told("citext", json!({"mask": "email", "on_invalid": "fail"}), true), 0);
    assert_eq!(told("text", json!("email"), false), 0);
}
