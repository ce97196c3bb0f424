//! Unique columns, references, widths and constants.

use super::*;

#[test]
fn columns_that_share_a_label_and_not_its_parameters_are_told() {
    let told = |other: serde_json::Value| {
        let columns = json!({"a": {"mask": "card", "label": "c"}, "b": other});
        let plan = World::new().table("p", &["a text", "b text"]).rule("public.p", columns).plan();
        plan.warnings.into_iter().filter(|warning| warning.contains("share label")).collect::<Vec<_>>()
    };
    let warnings = told(json!({"mask": "card", "label": "c", "keep_last4": true}));
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    for line in [
        "\"public.p.a\" (a = { mask = \"card\", label = \"c\" })",
        "\"public.p.b\" (b = { mask = \"card\", label = \"c\", keep_last4 = true })",
    ] {
        assert!(warnings[0].contains(line), "{warnings:?}");
    }
    // What is the default anyway is no other parameter.
    for same in [json!({"mask": "card", "label": "c"}), json!({"mask": "card", "label": "c", "keep_last4": false})] {
        assert_eq!(told(same), [""; 0]);
    }
    assert_eq!(told(json!({"mask": "card", "label": "d", "keep_last4": true})), [""; 0]);
}

#[test]
fn unique_columns_need_an_injective_kind() {
    let build = |how: serde_json::Value| {
        let world = World::new().table("a", &["who int", "x text"]).unique("a", &["x"], |_| ());
        world.rule("public.a", json!({ "who": "keep", "x": how }))
    };
    let first_name = json!({"mask": "name.first", "subject": "who"});
    assert_eq!(build(first_name).refusal().code, "plan::unique-column");
    assert_eq!(
        build(json!({"mask": "email", "by": "subject", "subject": "who"})).refusal().code,
        "plan::unique-column"
    );
    assert_eq!(build(json!({"mask": "const", "value": "v"})).refusal().code, "plan::unique-column");
    assert!(build(json!("pattern")).build().is_ok());
    assert!(build(json!("null")).build().is_ok());
    // What the same kind can do is said first.
    let hint = |how| build(how).refusal().hint.unwrap_or_default();
    assert!(hint(json!("company")).starts_with("x = { mask = \"company\", unique = true }\nOr: "));
    assert!(build(json!({"mask": "company", "unique": true})).build().is_ok());
    assert!(hint(json!({"mask": "name.value"})).starts_with("Choose a kind"));
}

#[test]
fn tags_of_80_bits_are_refused_where_two_could_meet() {
    // n² / 2^81 is a millionth at 1.55 thousand million rows.
    let build = |rows: u64, how: &str| {
        let mut world = World::new().table("a", &["x text"]).unique("a", &["x"], |_| ());
        world.catalog.tables[0].rows = rows;
        world.rule("public.a", json!({ "x": how }))
    };
    assert!(build(1_554_944_255, "email").build().is_ok());
    assert_eq!(build(1_554_944_256, "email").refusal().code, "plan::unique-column");
    assert!(build(1_554_944_256, "pattern").build().is_ok());
}

#[test]
fn a_mask_by_subject_is_unique_where_the_subject_is() {
    let world = World::new().table("a", &["id int!", "x text"]).unique("a", &["x"], |_| ());
    let mask = json!({"id": "keep", "x": {"mask": "email", "by": "subject", "subject": "id"}});
    assert!(world.rule("public.a", mask).build().is_ok());
}

#[test]
fn nulls_not_distinct_refuses_null() {
    let world = World::new().table("a", &["x text"]).unique("a", &["x"], |index| index.nulls_distinct = false);
    assert_eq!(world.rule("public.a", json!({"x": "null"})).refusal().code, "plan::unique-column");
}

#[test]
fn a_key_that_is_unique_without_the_masked_column_stays_so() {
    let world = World::new().table("a", &["id int!", "x text"]).unique("a", &["id", "x"], |_| ());
    assert!(world.rule("public.a", json!({"id": "int", "x": {"mask": "name.first", "subject": "id"}})).build().is_ok());
}

#[test]
fn lower_and_upper_of_a_column_need_masks_in_lower_case() {
    for expression in ["lower(email)", "upper((email)::text)"] {
        let build = |how: serde_json::Value| over(expression, true).rule("public.a", json!({ "email": how }));
        for kind in ["email", "username", "hash"] {
            assert!(build(json!(kind)).build().is_ok(), "{expression} {kind}");
        }
        assert_eq!(build(json!("pattern")).refusal().code, "plan::unique-column");
        // What is not an address goes through `pattern`, which then tells case apart.
        assert_eq!(build(json!({"mask": "email", "fold": false})).refusal().code, "plan::unique-column");
        assert_eq!(build(json!({"mask": "hash", "length": 12})).refusal().code, "plan::unique-column");
    }
    assert_eq!(
        over("md5(email)", true).rule("public.a", json!({"email": "hash"})).refusal().code,
        "plan::unique-column"
    );
}

/// A table with a unique index over an expression of its column.
fn over(expression: &str, nulls_distinct: bool) -> World {
    World::new().table("a", &["email text"]).unique("a", &[], |index| {
        index.columns = vec![0];
        index.expressions = vec![expression.into()];
        index.expression_columns = vec![1];
        index.nulls_distinct = nulls_distinct;
    })
}

#[test]
fn null_collides_in_no_expression_that_passes_it_on() {
    let build = |expression, distinct| over(expression, distinct).rule("public.a", json!({ "email": "null" })).build();
    for strict in ["upper((email)::text)", "lower(email)", "(email ->> 'ref'::text)"] {
        assert!(build(strict, true).is_ok(), "{strict}");
        assert!(build(strict, false).is_err(), "{strict}: NULLS NOT DISTINCT");
    }
    for answers in ["COALESCE(email, ''::text)", "public.f(email)", "(email IS NULL)"] {
        assert!(build(answers, true).is_err(), "{answers}");
    }
}

#[test]
fn citext_keys_need_masks_in_lower_case() {
    let build = |kind: &str| {
        let world = World::new().table("a", &["x citext"]).unique("a", &["x"], |_| ());
        world.rule("public.a", json!({ "x": kind }))
    };
    assert!(build("email").build().is_ok());
    assert!(build("hash").build().is_ok());
    assert_eq!(build("pattern").refusal().code, "plan::unique-column");
}

#[test]
fn a_masked_column_in_an_index_condition_may_only_be_tested_for_null() {
    let build = |predicate: &str| {
        World::new()
            .table("a", &["x text", "d text"])
            .unique("a", &["x"], |index| {
                index.predicate = Some(predicate.into());
                index.expression_columns = vec![1, 2];
            })
            .rule("public.a", json!({"x": "pattern", "d": "pattern"}))
    };
    assert!(build("(d IS NULL)").build().is_ok());
    assert_eq!(build("(d = 'open'::text)").refusal().code, "plan::unique-column");
}

#[test]
fn exclusion_constraints_allow_masks_under_equality_only() {
    let build = |operator: &str| {
        let mut world = World::new().table("a", &["x text"]).rule("public.a", json!({"x": "pattern"}));
        world.catalog.constraints.push(Constraint {
            name: "a_excl".into(),
            kind: ConstraintKind::Exclusion,
            table: world.oid("a"),
            columns: vec![1],
            operators: vec![operator.into()],
            definition: format!("EXCLUDE USING gist (x WITH {operator})"),
            ..Constraint::default()
        });
        world
    };
    assert!(build("=").build().is_ok());
    assert_eq!(build("&&").refusal().code, "plan::unique-column");
}

#[test]
fn the_narrowest_column_decides_the_form_of_a_label() {
    let world = World::new().table("a", &["x text"]).table("b", &["y 38"]);
    let world = world.rule("public.a", json!({"x": "email"})).rule("public.b", json!({"y": "email"}));
    for table in &world.plan().tables {
        assert_eq!(table.mask.tiers.get(&("email/1".to_owned(), String::new())), Some(&2));
    }
}

#[test]
fn leaves_of_texts_have_the_form_of_columns_in_other_tables() {
    let world = World::new().table("a", &["note text"]).table("b", &["y 38"]);
    let world = world.rule("public.a", json!({"note": "text.spans"})).rule("public.b", json!({"y": "email"}));
    for table in &world.plan().tables {
        assert_eq!(table.mask.tiers.get(&("email/1".to_owned(), String::new())), Some(&2), "{}", table.full_name());
    }
}

#[test]
fn width_is_measured_among_columns_with_equal_parameters() {
    let part = |part: &str| json!({"mask": "address", "part": part, "subject": "id"});
    let world = World::new().table("a", &["id int!", "street text", "zip 10"]);
    assert!(
        world.rule("public.a", json!({"id": "keep", "street": part("street"), "zip": part("zip")})).build().is_ok()
    );
}

#[test]
fn a_column_too_narrow_for_every_form_is_refused() {
    let world = World::new().table("a", &["x 20"]).rule("public.a", json!({"x": "email"}));
    let report = world.refusal();
    assert_eq!(report.code, "plan::too-narrow");
    assert!(report.message.contains("needs 26 characters"));
}

#[test]
fn constants_are_written_into_the_query_and_never_decoded() {
    let world = World::new().table("a", &["x text"]);
    let plan = world.rule("public.a", json!({"x": {"mask": "const", "value": "it's \\ here"}})).plan();
    assert_eq!(plan.tables[0].select, ["CASE WHEN t.\"x\" IS NULL THEN NULL ELSE E'it''s \\\\ here'::text END"]);
    assert!(plan.tables[0].layout.opaque());
}

#[test]
fn a_constant_that_is_too_long_is_refused() {
    let world = World::new().table("a", &["x 3"]).rule("public.a", json!({"x": {"mask": "const", "value": "abcd"}}));
    assert_eq!(world.refusal().code, "plan::bad-constant");
}

#[test]
fn masks_that_cannot_be_built_are_told_with_all_other_refusals() {
    let world = World::new()
        .table("a", &["x text"])
        .table("b", &["n int"])
        .table("c", &["n int"])
        .rule("public.a", json!({"x": {"mask": "pattern", "nope": 1}}))
        .rule("public.b", json!({"n": {"mask": "num.bucket"}}))
        .rule("public.c", json!({"n": {"mask": "num.bucket", "width": 10}}));
    let codes: Vec<&str> = world.build().expect_err("refused").0.iter().map(|report| report.code).collect();
    assert_eq!(codes, ["plan::unknown-parameter", "plan::mask"]);
}
