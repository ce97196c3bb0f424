//! Generated columns, partitions, rights of the source, types, checks, and the plan as a whole.

use super::*;

#[test]
fn generated_columns_need_no_decision_and_take_none() {
    let world = World::new().table("a", &["x text", "y text"]).edit("a", |table| {
        table.columns[1].generated = true;
        table.columns[1].generation = Some("lower(x)".into());
    });
    let plan = world.clone().rule("public.a", json!({"x": "email"})).plan();
    assert_eq!(plan.tables[0].columns.len(), 1);
    // A unique generated column is as unique as its expression.
    let unique = world.clone().unique("a", &["y"], |_| ());
    assert!(unique.clone().rule("public.a", json!({"x": "email"})).build().is_ok());
    let refusal = unique.rule("public.a", json!({"x": "pattern"})).refusal();
    assert_eq!(refusal.code, "plan::unique-column");
    // There is nothing to decide on a generated column.
    assert!(refusal.hint.is_some_and(|hint| hint.contains("Keep \"public.a.x\" with a reason")));
}

fn partitioned(key: &str, strategy: &str) -> World {
    World::new()
        .table("p", &["id int!", "day date!", "who text"])
        .table("p1", &["who text", "id int!", "day date!"])
        .table("p2", &["id int!", "day date!", "who text"])
        .edit("p", |table| {
            table.kind = TableKind::Partitioned;
            table.partition_key = vec![key.to_owned()];
            table.partition_strategy = Some(strategy.to_owned());
        })
        .edit("p1", |table| table.partition_root = Some(100))
        .edit("p2", |table| table.partition_root = Some(100))
}

#[test]
fn partitions_follow_their_root_by_column_name() {
    let plan =
        partitioned("id", "range").rule("public.p", json!({"id": "keep", "day": "keep", "who": "pattern"})).plan();
    assert_eq!(plan.tables.len(), 2);
    let p1 = plan.tables.iter().find(|table| table.name == "p1").expect("planned");
    assert_eq!(p1.select, ["t.\"who\"", "t.\"id\"", "t.\"day\""]);
    assert!(matches!(p1.columns[0].decision, Decided::Mask { .. }));
    assert_eq!((p1.target_name.as_str(), p1.freeze), ("p1", true));
}

#[test]
fn tables_without_rows_are_read_where_a_path_leads_through_them() {
    let unread = |note: serde_json::Value| {
        let mut world = partitioned("id", "range")
            .table("logs", &["id int"])
            .table("msg", &["p_id int", "note text"])
            .rule("public.p", json!({"id": "keep", "day": "keep", "who": "keep"}))
            .rows(Rows::None)
            .rule("public.logs", json!({"id": "keep"}))
            .rows(Rows::None)
            .rule("public.msg", json!({"p_id": "keep", "note": note}));
        world.references.push(ReferenceRule {
            from: "public.msg.p_id".into(),
            to: "public.p.id".into(),
            r#type: None,
            json: Vec::new(),
            place: Place { file: "restage.toml".into(), line: 1, column: 1 },
        });
        let plan = world.plan();
        let of = |oid: &Oid| plan.tables.iter().find(|table| table.oid == *oid).map(|table| table.name.clone());
        plan.uses().unread.iter().filter_map(of).collect::<Vec<_>>()
    };
    assert_eq!(unread(json!("keep")), ["p1", "p2", "logs"]);
    // The path names the table that the partitions belong to.
    assert_eq!(unread(json!({"mask": "name.first", "subject": "p_id -> public.p.who"})), ["logs"]);
    // A condition may read any table.
    assert_eq!(unread(json!({"mask": "name.first", "subject": "p_id", "when": "note <> ''"})), [""; 0]);
}

#[test]
fn partitions_that_are_decided_differently_are_refused() {
    let world = partitioned("id", "range").rule("public.p", json!({"id": "keep", "day": "keep", "who": "pattern"}));
    assert_eq!(world.rule("public.p2", json!({"who": "keep"})).refusal().code, "plan::partition-conflict");
}

#[test]
fn a_masked_partition_key_loads_through_the_root() {
    let world = partitioned("id", "range").rule("public.p", json!({"id": "int", "day": "keep", "who": "keep"}));
    let plan = world.plan();
    assert!(plan.tables.iter().all(|table| table.target_name == "p" && !table.freeze));
    assert!(plan.warnings.iter().any(|warning| warning.contains("DEFAULT partition")));
}

#[test]
fn a_hash_on_text_loads_through_the_root() {
    let world = partitioned("who", "hash").rule("public.p", json!({})).default(json!("keep"));
    assert!(world.plan().tables.iter().all(|table| table.target_name == "p"));
}

#[test]
fn a_masked_list_key_without_default_partition_is_refused() {
    let world = partitioned("who", "list").rule("public.p", json!({"who": "pattern"})).default(json!("keep"));
    assert_eq!(world.clone().refusal().code, "plan::masked-partition-key");
    assert!(world.edit("p", |table| table.partition_default = true).build().is_ok());
}

#[test]
fn rows_that_others_point_to_cannot_be_left_out() {
    let world = || shop().rule("public.*", json!({})).default(json!("keep"));
    let some = || Rows::Where { condition: None, limit: Some(10) };
    for rows in [Rows::None, some()] {
        let report = world().rule("public.customers", json!({})).rows(rows).refusal();
        assert_eq!(report.code, "plan::rows-referenced");
        assert!(report.hint.expect("a hint").contains("decide \"null\" for \"public.orders.customer_id\""));
    }
    let cut = world().rule("public.customers", json!({})).rows(Rows::None);
    assert!(cut.rule("public.orders", json!({"customer_id": "null"})).build().is_ok());
    assert!(world().rule("public.orders", json!({})).rows(some()).build().is_ok());
}

#[test]
fn unreadable_tables_come_with_the_grants_to_paste() {
    let mut world = World::new().table("a", &["x text"]).rule("public.a", json!({"x": "keep"})).edit("a", |table| {
        table.readable = false;
        table.schema_usable = false;
    });
    world.catalog.sequences.push(Sequence { schema: "public".into(), name: "s".into(), ..Sequence::default() });
    let report = world.refusal();
    assert_eq!(report.code, "plan::unreadable");
    assert_eq!(
        report.hint.as_deref(),
        Some(
            "GRANT USAGE ON SCHEMA \"public\" TO \"reader\";\nGRANT SELECT ON TABLE \"public\".\"a\" TO \"reader\";\n\
             GRANT SELECT ON SEQUENCE \"public\".\"s\" TO \"reader\";"
        )
    );
}

#[test]
fn tables_that_only_a_dot_tells_apart_are_refused() {
    let world = |schema: &str, name: &str| {
        let (schema, renamed) = (schema.to_owned(), name.to_owned());
        World::new()
            .table("b.c", &["x text"])
            .edit("b.c", |table| table.schema = "a".into())
            .table("other", &["x text"])
            .edit("other", |table| {
                table.schema = schema;
                table.name = renamed;
            })
            .rule("*.*", json!({}))
            .default(json!("keep"))
    };
    let report = world("a.b", "c").refusal();
    assert_eq!(report.code, "plan::same-name");
    assert_eq!(
        report.hint.as_deref(),
        Some("ALTER TABLE \"a\".\"b.c\" RENAME TO \"b_c\";     -- at the source"),
        "{report:?}"
    );
    assert!(report.detail.as_deref().is_some_and(|detail| detail.contains("\"a.b\".\"c\"")), "{report:?}");
    // Dots alone are no problem.
    assert!(world("a.b", "d").build().is_ok());
    assert!(world("a", "c").build().is_ok());
}

#[test]
fn row_security_that_filters_is_refused() {
    let world = World::new().table("a", &["x text"]).rule("public.a", json!({"x": "keep"}));
    assert_eq!(world.edit("a", |table| table.row_security_active = true).refusal().code, "plan::row-security");
}

#[test]
fn a_source_role_that_writes_is_refused_unless_accepted() {
    let mut world = World::new().table("a", &["x text"]).rule("public.a", json!({"x": "keep"}));
    world.catalog.server.role_writes = vec!["public.a".into()];
    assert_eq!(world.refusal().code, "plan::source-role-writes");
    world.settings.allow_write_role = true;
    assert!(world.build().is_ok());
}

#[test]
fn a_full_lock_table_is_refused() {
    let mut world = World::new().table("a", &["x text"]).rule("public.a", json!({"x": "keep"}));
    world.catalog.server.max_locks_per_transaction = 1;
    world.catalog.server.max_connections = 5;
    assert_eq!(world.refusal().code, "plan::lock-table");
    world.catalog.server.max_connections = 6;
    assert!(world.build().is_ok());
}

#[test]
fn an_older_target_and_other_money_digits_are_refused() {
    let mut world = World::new().table("a", &["x text"]).rule("public.a", json!({"x": "keep"}));
    world.catalog.types.push(base(790, "money"));
    world.catalog.tables[0].columns[0].type_oid = 790;
    world.settings.target = Some(TargetFacts { version_num: 140_000, money_digits: Some(0), encoding: None });
    assert_eq!(world.codes(), ["plan::target-older", "plan::money-digits"]);
}

#[test]
fn sql_ascii_needs_an_encoding() {
    let mut world = World::new().table("a", &["x text"]).rule("public.a", json!({"x": "keep"}));
    world.catalog.server.encoding = "SQL_ASCII".into();
    assert_eq!(world.refusal().code, "plan::sql-ascii");
    world.settings.assume_encoding = Some("LATIN1".into());
    assert_eq!(world.refusal().code, "plan::sql-ascii");
    world.settings.assume_encoding = Some("UTF8".into());
    assert!(world.build().is_ok());
}

#[test]
fn types_without_input_are_refused() {
    let world = World::new().table("a", &["x text"]).rule("public.a", json!({"x": "keep"}));
    let world = world.edit("a", |table| table.columns[0].type_oid = 3361);
    assert_eq!(world.refusal().code, "plan::type-without-input");
}

#[test]
fn one_text_only_type_makes_the_whole_table_text() {
    let mut world =
        World::new().table("a", &["x text", "y text"]).rule("public.a", json!({"x": "keep", "y": "pattern"}));
    world.catalog.types.push(base(2205, "regclass"));
    let plan = world.edit("a", |table| table.columns[0].type_oid = 2205).plan();
    assert_eq!(plan.tables[0].format, Format::Text);
}

#[test]
fn foreign_and_extension_tables_are_skipped() {
    let world = World::new().table("f", &["x text"]).table("e", &["x text"]);
    let world = world.edit("f", |table| table.kind = TableKind::Foreign);
    let plan = world.edit("e", |table| table.extension = Some("postgis".into())).plan();
    assert!(plan.tables.is_empty());
    assert_eq!(plan.skipped.len(), 2);
}

#[test]
fn checks_on_changed_columns_become_probes() {
    let mut world = World::new().table("a", &["x text", "y text"]);
    let domain = Type {
        oid: 20_100,
        kind: 'd',
        base: TEXT,
        base_typmod: -1,
        base_name: Some("text".into()),
        checks: vec![("ok".into(), "CHECK ((VALUE ~ 'x'::text))".into())],
        ..base(20_100, "code")
    };
    world.catalog.types.push(domain);
    world.catalog.constraints.push(Constraint {
        name: "x_check".into(),
        kind: ConstraintKind::Check,
        table: 100,
        columns: vec![1],
        expression: Some("(x <> ''::text)".into()),
        validated: true,
        enforced: true,
        ..Constraint::default()
    });
    let world = world.edit("a", |table| table.columns[1].type_oid = 20_100);
    let plan = world.rule("public.a", json!({"x": "pattern", "y": "pattern"})).plan();
    let seen: Vec<_> = plan.probes.iter().map(|probe| (probe.expression.as_str(), probe.sees.as_str())).collect();
    assert_eq!(seen, [("(x <> ''::text)", "x"), ("(VALUE ~ 'x'::text)", "value")]);
}

#[test]
fn a_column_that_a_mask_names_is_read_and_kept() {
    let world = World::new().table("a", &["id int!", "country text", "name text", "total interval"]);
    let name = |column: &str| json!({"mask": "name.first", "subject": "id", "locale_from": column});
    let rule = |column: &str, country: &str| {
        world.clone().rule("public.a", json!({"id": "keep", "country": country, "name": name(column), "total": "keep"}))
    };
    let plan = rule("country", "keep").plan();
    let text = Shape::Text { chars_max: None, padded: false };
    let fields = [Field::Read(Shape::Int4), Field::Read(text.clone()), Field::Mask(text.clone()), Field::Keep];
    assert_eq!(plan.tables[0].layout.fields, fields);
    assert_eq!(rule("country", "pattern").plan().tables[0].layout.fields[1], Field::Mask(text.clone()));

    let sex = json!({"mask": "name.first", "subject": "id", "sex_from": "country"});
    let told = world.clone().rule("public.a", json!({"id": "keep", "country": "keep", "name": sex, "total": "keep"}));
    assert_eq!(told.plan().tables[0].layout.fields[1], Field::Read(text.clone()), "whatever it is called");

    assert!(rule("land", "keep").refusal().to_string().contains("has no such column"));
    assert!(rule("country", "null").refusal().to_string().contains("never leaves the source"));
    assert!(rule("total", "keep").refusal().to_string().contains("It has type interval"));
    assert_eq!(rule("contry", "keep").refusal().hint.as_deref(), Some("Did you mean \"country\"?"));
}

#[test]
fn the_hash_follows_decisions_and_nothing_else() {
    let world = || World::new().table("a", &["x text"]);
    let first = world().rule("public.a", json!({"x": "pattern"})).plan();
    let moved = world().rule("public.*", json!({})).rule("public.a", json!({"x": "pattern"}));
    let moved = moved.edit("a", |table| table.bytes = 1 << 30).plan();
    assert_eq!(first.hash, moved.hash);
    let other = world().rule("public.a", json!({"x": {"mask": "pattern", "label": "l"}})).plan();
    assert_ne!(first.hash, other.hash);
}

#[test]
fn tables_come_largest_first() {
    let world = World::new().table("a", &["x text"]).table("b", &["x text"]).edit("b", |table| table.bytes = 9);
    let plan = world.rule("public.*", json!({})).default(json!("keep")).plan();
    assert_eq!(plan.tables.iter().map(|table| table.name.as_str()).collect::<Vec<_>>(), ["b", "a"]);
    assert_eq!(summary_json(&plan)["tables"][0]["table"], "public.b");
}

#[test]
fn a_thousand_tables_are_planned_quickly() {
    let mut world = World::new();
    world.catalog.server.max_locks_per_transaction = 1000;
    for number in 0..2000 {
        let columns = ["id int!", "prev int", "email text", "name text", "note text", "born date", "total numeric"];
        world = world.table(&format!("t{number}"), &columns);
    }
    for number in 1..2000 {
        world = world.foreign_key((&format!("t{number}"), "prev"), (&format!("t{}", number - 1), "id"));
    }
    let mask = json!({"id": "int", "email": "email", "born": {"mask": "date.shift", "subject": "id"}});
    let world = world.rule("public.*", mask).default(json!("keep"));
    let started = std::time::Instant::now();
    let plan = world.plan();
    assert_eq!(plan.tables.len(), 2000);
    assert!(started.elapsed() < std::time::Duration::from_secs(5), "{:?}", started.elapsed());
}
