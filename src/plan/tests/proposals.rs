//! Templates, promises of parameters, and the lines that are proposed.

use super::*;

/// The codes of all refusals; none for a plan.
fn codes(world: &World) -> Vec<&'static str> {
    world.build().err().map_or(Vec::new(), |refusals| refusals.0.iter().map(|report| report.code).collect())
}

/// A table whose column `login` is a template of others.
fn template(text: &str, more: serde_json::Value) -> World {
    let columns = ["id int!", "login text", "last varchar", "note text", "total interval"];
    let columns = columns.map(|column| column.replace("varchar", "40"));
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let mut rules = json!({
        "id": "keep",
        "login": {"mask": "template", "text": text, "subject": "id"},
        "last": {"mask": "name.last", "subject": "id"},
        "note": "null",
        "total": "keep",
    });
    for (column, rule) in more.as_object().expect("an object") {
        rules[column] = rule.clone();
    }
    World::new().table("a", &columns).rule("public.a", rules)
}

#[test]
fn a_template_reads_kept_columns_and_runs_after_masked_ones() {
    let plan = template("{last}-{id}-{\"last\"}", json!({})).plan();
    let table = &plan.tables[0];
    let decoded: Vec<&str> = table.mask.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(decoded, ["public.a.id", "public.a.login", "public.a.last"]);
    assert!(matches!(table.layout.fields[0], Field::Read(_)) && table.select.len() == 5);
    let nested =
        json!({"login": {"mask": "replace", "map": {"x": "y"}, "else": {"mask": "template", "text": "u{id}"}}});
    let plan = template("x", nested).plan();
    assert!(matches!(plan.tables[0].layout.fields[0], Field::Read(_)));
    let plan = template("x{b32:16}", json!({})).plan();
    assert!(matches!(plan.tables[0].layout.fields[3], Field::Keep));
}

#[test]
fn a_template_of_columns_that_cannot_be_read_is_refused() {
    let refused = |text: &str| {
        let report = template(text, json!({})).refusal();
        assert_eq!(report.code, "plan::bad-column", "{text}");
        (report.detail.unwrap_or_default(), report.hint.unwrap_or_default())
    };
    assert_eq!(refused("{lost}").1, "Did you mean \"last\"?");
    assert!(refused("{note}").0.contains("\"null\""));
    assert!(refused("{total}").0.contains("interval"));
    let missing = template("x", json!({"login": {"mask": "template", "text": "{first}"}})).refusal();
    assert_eq!(missing.code, "plan::missing-subject");
    assert!(missing.hint.is_some_and(|hint| hint.contains("text = \"{first}\"")), "what is written stays in the line");
    assert!(template("x", json!({"login": {"mask": "template", "text": "{id}"}})).build().is_ok());
}

#[test]
fn parameters_decide_whether_a_kind_fits_a_key() {
    let unique = |how: serde_json::Value| {
        let world = World::new().table("a", &["id int!", "x text"]).unique("a", &["x"], |_| ());
        codes(&world.rule("public.a", json!({"id": "keep", "x": how})))
    };
    for good in [
        json!("hash"),
        json!({"mask": "hash", "length": 20}),
        json!({"mask": "partial", "keep_last": 4}),
        json!({"mask": "template", "text": "{id}-{b32:16}"}),
        json!({"mask": "template", "text": "{first}-{b32:16}", "subject": "id"}),
        json!("secret.token"),
    ] {
        assert_eq!(unique(good.clone()), [""; 0], "{good}");
    }
    for bad in [
        json!({"mask": "hash", "length": 19}),
        json!({"mask": "partial", "keep_last": 4, "fill": "*"}),
        json!({"mask": "template", "text": "{id}-{b32:15}"}),
        json!({"mask": "replace", "map": {"a": "b"}}),
        json!("ua"),
        json!("text.lorem"),
    ] {
        assert_eq!(unique(bad.clone()), ["plan::unique-column"], "{bad}");
    }
    let world = World::new().table("a", &["x text"]).unique("a", &["x"], |_| ());
    let report = world.rule("public.a", json!({"x": {"mask": "regex", "generate": "[A-Z]{3}-\\d{2}"}})).refusal();
    let told = format!("{:?} {:?}", report.detail, report.hint);
    assert!(told.contains("1757600"), "{told}");
}

#[test]
fn a_reference_to_a_column_made_of_its_row_is_refused() {
    let build = |text: &str| {
        World::new()
            .table("a", &["id int!", "code text"])
            .table("b", &["code text"])
            .foreign_key(("b", "code"), ("a", "code"))
            .rule("public.a", json!({"id": "keep", "code": {"mask": "template", "text": text}}))
    };
    assert!(codes(&build("{id}-{b32:16}")).contains(&"plan::row-keyed-reference"));
    assert_eq!(codes(&build("c-{b32:16}")), [""; 0]);
}

/// The decision that is proposed for each column of a table nobody decided.
fn proposals(world: &World, table: &str) -> Vec<String> {
    let reports = world.build().expect_err("the plan is refused").0;
    let header = format!("[tables.\"public.{table}\".columns]");
    let hint = reports.iter().filter_map(|report| report.hint.as_deref()).find(|hint| hint.contains(&header));
    hint.expect("a hint for the table").lines().skip(2).map(str::to_owned).collect()
}

#[test]
fn no_proposal_keeps_what_is_not_a_key() {
    let columns = [
        "id int!",
        "salary int",
        "birth_year int!",
        "phone_number numeric",
        "pin int!",
        "mail text",
        "iban text",
        "passwd text",
        "token text",
        "geburtsdatum date",
        "e_mail text",
        "homephone text",
        "last_login date",
        "status text!",
        "amount numeric!",
        "person int",
    ];
    let world =
        World::new().table("people", &["id int!"]).table("e", &columns).foreign_key(("e", "person"), ("people", "id"));
    assert_eq!(
        proposals(&world, "e"),
        [
            "id = { keep = \"technical key, names nobody outside\" }",
            "salary = \"null\"",
            "birth_year = { mask = \"const\", value = 0 }",
            "phone_number = \"null\"",
            "pin = { mask = \"const\", value = 0 }",
            "mail = \"email\"",
            "iban = \"iban\"",
            "passwd = \"secret.password\"",
            "token = \"secret.token\"",
            "geburtsdatum = { mask = \"date.shift\", subject = \"id\" }",
            "e_mail = \"email\"",
            "homephone = \"phone\"",
            "last_login = \"null\"",
            "status = \"pattern\"",
            "amount = { mask = \"const\", value = 0 }",
        ],
        "the foreign key follows its own"
    );
    assert_eq!(proposals(&world, "people"), ["id = { keep = \"technical key, names nobody outside\" }"]);
}

#[test]
fn a_personal_key_is_masked_and_a_unique_name_gets_no_name_of_a_person() {
    let world = World::new()
        .table("a", &["phone_number int!", "full_name text"])
        .unique("a", &["phone_number"], |index| index.primary = true)
        .unique("a", &["full_name"], |_| ());
    assert_eq!(proposals(&world, "a"), ["phone_number = \"int\"", "full_name = \"pattern\""]);
}

#[test]
fn a_unique_column_is_offered_kinds_that_it_takes_and_that_are_not_refused() {
    let hint = |world: World| world.refusal().hint.expect("a hint");
    let table = || World::new().table("a", &["id int!", "code text", "born date", "ci citext"]);
    let keep = json!({"id": "keep", "code": "keep", "born": "keep", "ci": "keep"});
    let with = |column: &str, how: serde_json::Value| {
        let mut rule = keep.clone();
        rule[column] = how;
        rule
    };
    let lower = |index: &mut UniqueIndex| {
        index.columns = vec![0];
        index.expressions = vec!["lower(code)".into()];
        index.expression_columns = vec![2];
    };
    let folding = hint(table().unique("a", &["code"], lower).rule("public.a", with("code", json!("pattern"))));
    assert!(folding.contains("(uuid, email, username, "), "{folding}");
    let world = table().unique("a", &["ci"], |_| ()).rule("public.a", with("ci", json!("pattern")));
    assert!(hint(world).contains("in lower case"));
    let world = table().unique("a", &["born"], |_| ());
    let date = hint(world.rule("public.a", with("born", json!({"mask": "date.shift", "subject": "id"}))));
    assert!(date.contains("(date.within_year)"), "{date}");
}

#[test]
fn a_referenced_key_of_a_type_without_masks_is_not_offered_null() {
    let world = World::new()
        .table("a", &["code interval"])
        .table("b", &["a_code interval"])
        .foreign_key(("b", "a_code"), ("a", "code"))
        .rule("public.a", json!({"code": "int"}));
    let reports = world.build().expect_err("refused").0;
    let hint = reports[0].hint.as_deref().expect("a hint");
    assert_eq!(reports[0].code, "plan::unmaskable-type");
    assert!(!hint.contains("\"null\"") && hint.starts_with("Keep it"), "{hint}");
}

/// It was told that `after` names no masked column, as long as anything else was wrong.
#[test]
fn what_after_names_is_no_question_while_something_else_is_wrong() {
    let ordered = json!({"mask": "date.trunc", "unit": "month"});
    let shipped = json!({"mask": "date.trunc", "unit": "month", "after": "ordered"});
    let born = json!({"mask": "date.shift", "subject": "id", "days_max": 1_000_000});
    let world = World::new().table("a", &["ordered date", "shipped date"]).table("b", &["id int!", "born date"]);
    let world = world.rule("public.a", json!({"ordered": ordered, "shipped": shipped}));
    assert_eq!(world.rule("public.b", json!({"id": "keep", "born": born})).codes(), ["plan::bad-parameter"]);
}

#[test]
fn a_wrong_parameter_is_told_with_its_range() {
    let born = json!({"mask": "date.shift", "subject": "id", "days_max": 1_000_000});
    let world =
        World::new().table("a", &["id int!", "born date"]).rule("public.a", json!({"id": "keep", "born": born}));
    let report = world.refusal();
    assert_eq!(report.code, "plan::bad-parameter");
    let detail = report.detail.expect("a detail");
    assert!(detail.starts_with("It takes a whole number of days from 1 to "), "{detail}");
    assert_eq!(report.hint.as_deref(), Some("restage kinds date.shift     # tells all parameters"));
}

#[test]
fn a_case_insensitive_reference_needs_a_decision_for_what_is_no_address() {
    let world = World::new()
        .table("a", &["mail citext"])
        .table("b", &["mail citext"])
        .foreign_key(("b", "mail"), ("a", "mail"));
    let report = world.clone().rule("public.a", json!({"mail": "email"})).refusal();
    assert_eq!(report.code, "plan::case-insensitive-reference");
    assert!(report.hint.expect("a hint").starts_with("mail = { mask = \"email\", on_invalid = \"fail\" }"));
    world.clone().rule("public.a", json!({"mail": "username"})).plan();
    world.clone().rule("public.a", json!({"mail": {"mask": "email", "on_invalid": "fail"}})).plan();
    assert_eq!(world.rule("public.a", json!({"mail": "pattern"})).refusal().code, "plan::case-insensitive-reference");
}

#[test]
fn unlogged_tables_cannot_be_read_on_a_standby() {
    let mut world = World::new()
        .table("jobs", &["a text"])
        .edit("jobs", |table| table.unlogged = true)
        .rule("public.jobs", json!({"a": "keep"}));
    world.plan();
    world.catalog.server.standby = true;
    let report = world.refusal();
    assert_eq!(report.code, "plan::unlogged-on-standby");
    assert_eq!(report.hint.as_deref(), Some("[tables.\"public.jobs\"]\nrows = \"none\""));
    world.rows(Rows::None).plan();
}

#[test]
fn a_condition_that_leaves_its_parentheses_is_refused_at_its_place() {
    let world = World::new().table("t", &["id int!"]).rule("public.t", json!({"id": "keep"}));
    let chosen = |text: &str| Rows::Where { condition: Some(text.into()), limit: None };
    world.clone().rows(chosen("id <= 10 AND (id > 5)")).plan();
    let report = world.rows(chosen("id <= 10) or (id > 99990")).refusal();
    assert_eq!((report.code, report.place.as_deref()), ("plan::rows-where", Some("restage.toml:1:1")));
}

#[test]
fn only_folding_masks_of_unique_text_ask_about_spellings() {
    let world = World::new().table("a", &["id int!", "mail text", "other text", "ci citext"]);
    let world = ["mail", "ci"].iter().fold(world, |world, column| world.unique("a", &[column], |_| ()));
    let asked = |mail: serde_json::Value| {
        let rule = json!({"id": "int", "mail": mail, "other": "email", "ci": "email"});
        let plan = world.clone().rule("public.a", rule).plan();
        plan.value_probes.into_iter().map(|probe| probe.column).collect::<Vec<_>>()
    };
    assert_eq!(asked(json!("email")), ["public.a.mail"]);
    assert_eq!(asked(json!("username")), ["public.a.mail"]);
    assert_eq!(asked(json!("pattern")), [""; 0]);
    assert_eq!(asked(json!("keep")), [""; 0]);
}

#[test]
fn only_masks_that_draw_letters_ask_about_an_encoding() {
    let mut world = World::new().table("a", &["id int!", "code text", "mail text", "nick text", "safe text"]).rule(
        "public.a",
        json!({"id": "int", "code": "pattern", "mail": "email", "nick": "username",
               "safe": {"mask": "phone", "on_invalid": "null"}}),
    );
    let asked = |world: &World| world.plan().value_probes.into_iter().map(|probe| probe.column).collect::<Vec<_>>();
    for encoding in ["UTF8", "LATIN1", "ISO_8859_5"] {
        world.catalog.server.encoding = encoding.into();
        assert_eq!(asked(&world), [""; 0], "{encoding}");
    }
    // Most letters of these have company there, and few have not.
    for (encoding, letters) in [("WIN1251", "[µҐґ]"), ("KOI8R", "[²Ёё]")] {
        world.catalog.server.encoding = encoding.into();
        assert_eq!(asked(&world), ["public.a.code", "public.a.mail"], "{encoding}");
        assert!(world.plan().value_probes.iter().all(|probe| probe.any_sql.contains(letters)), "{encoding}");
    }
    world.catalog.server.encoding = "WIN1252".into();
    assert_eq!(asked(&world), ["public.a.code", "public.a.mail"]);
    assert!(world.plan().warnings[0].contains("\"public.a.code\", \"public.a.mail\""));
}

/// A check over columns of the first table.
fn checked(mut world: World, columns: &[i16], expression: &str) -> World {
    world.catalog.constraints.push(Constraint {
        name: "c_check".into(),
        kind: ConstraintKind::Check,
        table: 100,
        columns: columns.to_vec(),
        definition: format!("CHECK ({expression})"),
        expression: Some(expression.into()),
        validated: true,
        enforced: true,
        ..Constraint::default()
    });
    world
}

#[test]
fn a_constant_for_a_check_is_one_that_the_server_took() {
    let mut world = checked(World::new().table("a", &["n int!", "m int!"]), &[1], "(n > 5)");
    let asked = trials(&world.catalog);
    assert_eq!(asked.len(), 1, "of the other column everything is known");
    assert_eq!((asked[0].table, asked[0].attnum, asked[0].type_name.as_str()), (100, 1, "int"));
    assert_eq!(asked[0].candidates, ["0", "1", "5", "6", "4"]);
    let other = "m = { mask = \"const\", value = 0 }";
    let told = proposals(&world, "a");
    assert!(told[0].starts_with("# n = { keep = \"…\" }") && told[1] == other, "{told:?}");
    let known = crate::catalog::StandIn { null: true, constant: Some("6".into()) };
    world.catalog.stand_ins.insert((100, 1), known);
    assert_eq!(proposals(&world, "a"), ["n = { mask = \"const\", value = 6 }", other]);
}

#[test]
fn columns_that_a_check_compares_get_no_constant_and_null_only_where_it_passes() {
    let compared = |columns: &[&str], expression: &str| {
        proposals(&checked(World::new().table("a", columns), &[1, 2], expression), "a")
    };
    let told = compared(&["k1 int!", "k2 int!"], "(k1 < k2)");
    assert!(
        told.iter().all(|line| line.starts_with("# ") && line.contains("compares it with other columns")),
        "{told:?}"
    );
    assert_eq!(compared(&["k1 int", "k2 int"], "(k1 < k2)"), ["k1 = \"null\"", "k2 = \"null\""]);
    // Whether it is NULL is asked: then everything but NULL will do.
    let told = compared(&["k1 int", "k2 text"], "((k1 IS NULL) <> (k2 IS NULL))");
    assert_eq!(told, ["k1 = { mask = \"const\", value = 0 }", "k2 = \"pattern\""]);
}

#[test]
fn keys_get_masks_that_keep_them_unique() {
    let world = World::new()
        .table("a", &["d date!", "t timestamp!", "m mood!", "n numeric!", "o numeric"])
        .unique("a", &["d"], |_| ())
        .unique("a", &["t", "m", "n"], |index| index.primary = true)
        .unique("a", &["o"], |_| ());
    let told = proposals(&world, "a");
    assert_eq!(told[..3], ["d = \"date.within_year\"", "t = \"date.within_year\"", "m = \"enum.perm\""]);
    assert!(told[3].starts_with("# n = ") && told[3].contains("do not keep it unique"), "{told:?}");
    assert_eq!(told[4], "o = \"null\"", "NULLs are distinct");
}

#[test]
fn what_an_exclusion_constraint_compares_is_asked_or_becomes_null() {
    let mut world = World::new().table("a", &["r daterange!", "s daterange"]);
    for column in [1, 2] {
        world.catalog.constraints.push(Constraint {
            name: "a_excl".into(),
            kind: ConstraintKind::Exclusion,
            table: 100,
            columns: vec![column],
            operators: vec!["&&".into()],
            definition: "EXCLUDE USING gist (… WITH &&)".into(),
            ..Constraint::default()
        });
    }
    let told = proposals(&world, "a");
    assert!(told[0].starts_with("# r = ") && told[0].contains("exclusion constraint"), "{told:?}");
    assert_eq!(told[1], "s = \"null\"");
}
