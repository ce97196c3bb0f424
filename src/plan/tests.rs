use super::*;
use crate::catalog::{Column, Constraint, ConstraintKind, Sequence, Server, Table, Type, UniqueIndex};
use crate::config::{Action, Decision, MaskRule};
use crate::pg::types::Field;
use serde_json::json;

const INT4: Oid = 23;
const TEXT: Oid = 25;
const VARCHAR: Oid = 1043;
const DATE: Oid = 1082;
const INTERVAL: Oid = 1186;
const NUMERIC: Oid = 1700;
const TEXTS: Oid = 1009;
const DATERANGE: Oid = 3912;
const MOOD: Oid = 20_001;
const CITEXT: Oid = 20_000;

fn base(oid: Oid, name: &str) -> Type {
    Type { oid, name: name.into(), sql_name: name.into(), kind: 'b', binary: true, ..Type::default() }
}

/// A source under construction.
#[derive(Clone)]
struct World {
    catalog: Catalog,
    rules: Vec<TableRule>,
    references: Vec<ReferenceRule>,
    undecided: Undecided,
    settings: Settings,
}

impl World {
    fn new() -> Self {
        let citext = Type { extension: Some("citext".into()), ..base(CITEXT, "citext") };
        let types = vec![
            base(INT4, "integer"),
            base(TEXT, "text"),
            base(VARCHAR, "varchar"),
            base(DATE, "date"),
            base(INTERVAL, "interval"),
            base(NUMERIC, "numeric"),
            Type { element: TEXT, ..base(TEXTS, "_text") },
            Type { kind: 'r', element: DATE, ..base(DATERANGE, "daterange") },
            Type { kind: 'e', labels: vec!["sad".into(), "ok".into()], ..base(MOOD, "mood") },
            citext,
        ];
        let server = Server {
            version_num: 150_000,
            encoding: "UTF8".into(),
            role: "reader".into(),
            max_locks_per_transaction: 64,
            max_connections: 100,
            money_digits: 2,
            ..Server::default()
        };
        Self {
            catalog: Catalog { server, types, ..Catalog::default() },
            rules: Vec::new(),
            references: Vec::new(),
            undecided: Undecided::Refuse,
            settings: Settings::default(),
        }
    }

    /// Adds `public.name`; a column is `name type`, with `!` for NOT NULL. `id` becomes the primary key.
    fn table(mut self, name: &str, columns: &[&str]) -> Self {
        let oid = 100 + self.catalog.tables.len() as Oid;
        let columns: Vec<Column> = columns.iter().enumerate().map(|(number, text)| column(number, text)).collect();
        if let Some(id) = columns.iter().find(|column| column.name == "id") {
            self.catalog.unique_indexes.push(UniqueIndex {
                name: format!("{name}_pkey"),
                table: oid,
                columns: vec![id.attnum],
                primary: true,
                nulls_distinct: true,
                ..UniqueIndex::default()
            });
        }
        self.catalog.tables.push(Table {
            oid,
            schema: "public".into(),
            name: name.into(),
            heap: true,
            readable: true,
            schema_usable: true,
            columns,
            ..Table::default()
        });
        self
    }

    fn oid(&self, table: &str) -> Oid {
        self.catalog.tables.iter().find(|known| known.name == table).expect("table exists").oid
    }

    fn attnum(&self, table: &str, column: &str) -> i16 {
        let table = self.catalog.tables.iter().find(|known| known.name == table).expect("table exists");
        table.columns.iter().find(|known| known.name == column).expect("column exists").attnum
    }

    fn edit(mut self, table: &str, change: impl FnOnce(&mut Table)) -> Self {
        change(self.catalog.tables.iter_mut().find(|known| known.name == table).expect("table exists"));
        self
    }

    fn foreign_key(mut self, from: (&str, &str), to: (&str, &str)) -> Self {
        let constraint = Constraint {
            name: format!("{}_{}_fkey", from.0, from.1),
            kind: ConstraintKind::Foreign,
            table: self.oid(from.0),
            columns: from.1.split(',').map(|column| self.attnum(from.0, column)).collect(),
            ref_table: self.oid(to.0),
            ref_columns: to.1.split(',').map(|column| self.attnum(to.0, column)).collect(),
            validated: true,
            enforced: true,
            ..Constraint::default()
        };
        self.catalog.constraints.push(constraint);
        self
    }

    fn unique(mut self, table: &str, columns: &[&str], change: impl FnOnce(&mut UniqueIndex)) -> Self {
        let mut index = UniqueIndex {
            name: format!("{table}_{}_key", columns.join("_")),
            table: self.oid(table),
            columns: columns.iter().map(|column| self.attnum(table, column)).collect(),
            nulls_distinct: true,
            ..UniqueIndex::default()
        };
        change(&mut index);
        self.catalog.unique_indexes.push(index);
        self
    }

    /// Adds a rule from JSON: `{"id": "keep", "email": {"mask": "email"}}`.
    fn rule(mut self, pattern: &str, columns: serde_json::Value) -> Self {
        let line = self.rules.len() as u32 + 1;
        let at = Place { file: "restage.toml".into(), line, column: 1 };
        let columns = columns.as_object().expect("an object").iter();
        let columns = columns.map(|(name, value)| (name.clone(), decision(value, &at))).collect();
        self.rules.push(TableRule { pattern: pattern.into(), place: at, rows: None, default: None, columns });
        self
    }

    fn default(mut self, value: serde_json::Value) -> Self {
        let rule = self.rules.last_mut().expect("a rule");
        rule.default = Some(decision(&value, &rule.place.clone()));
        self
    }

    fn rows(mut self, rows: Rows) -> Self {
        self.rules.last_mut().expect("a rule").rows = Some(rows);
        self
    }

    fn build(&self) -> Result<Plan, Refusals> {
        let policy = Policy { rules: &self.rules, references: &self.references, undecided: self.undecided };
        build(&self.catalog, &policy, &self.settings)
    }

    fn plan(&self) -> Plan {
        self.build().unwrap_or_else(|refusals| {
            panic!("refused: {}", refusals.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        })
    }

    /// The codes of all refusals.
    fn codes(&self) -> Vec<&'static str> {
        self.build().expect_err("the plan is refused").0.iter().map(|report| report.code).collect()
    }

    fn refusal(&self) -> Report {
        let reports = self.build().expect_err("the plan is refused").0;
        assert_eq!(reports.len(), 1, "{reports:#?}");
        reports[0].clone()
    }
}

fn column(number: usize, text: &str) -> Column {
    let (name, type_name) = text.split_once(' ').expect("name and type");
    let not_null = type_name.ends_with('!') || name == "id";
    let type_name = type_name.trim_end_matches('!');
    let (type_oid, typmod) = match type_name {
        "int" => (INT4, -1),
        "text" => (TEXT, -1),
        "date" => (DATE, -1),
        "interval" => (INTERVAL, -1),
        "numeric" => (NUMERIC, -1),
        "text[]" => (TEXTS, -1),
        "daterange" => (DATERANGE, -1),
        "mood" => (MOOD, -1),
        "citext" => (CITEXT, -1),
        sized => (VARCHAR, sized.parse::<i32>().expect("a length") + 4),
    };
    Column {
        attnum: number as i16 + 1,
        name: name.into(),
        type_oid,
        typmod,
        type_name: type_name.into(),
        not_null,
        ..Column::default()
    }
}

fn decision(value: &serde_json::Value, at: &Place) -> Decision {
    let mask = |kind: &str, fields: serde_json::Map<String, serde_json::Value>| {
        let mut params = fields;
        let text = |value: Option<serde_json::Value>| value.and_then(|value| value.as_str().map(str::to_owned));
        let (label, subject) = (text(params.remove("label")), text(params.remove("subject")));
        Action::Mask(MaskRule { kind: kind.into(), label, subject, params })
    };
    let action = match value {
        serde_json::Value::String(word) if word == "keep" => Action::Keep { reason: None },
        serde_json::Value::String(word) if word == "null" => Action::Null,
        serde_json::Value::String(word) => mask(word, serde_json::Map::new()),
        value => {
            let mut fields = value.as_object().expect("an object").clone();
            let kind = fields.remove("mask").expect("a mask");
            mask(kind.as_str().expect("a string"), fields)
        }
    };
    Decision { place: at.clone(), action }
}

fn shop() -> World {
    World::new()
        .table("customers", &["id int!", "email text", "born date"])
        .table("orders", &["id int!", "customer_id int", "total numeric"])
        .foreign_key(("orders", "customer_id"), ("customers", "id"))
}

fn decided(plan: &Plan, table: &str, column: &str) -> Decided {
    let table = plan.tables.iter().find(|known| known.name == table).expect("table is planned");
    table.columns.iter().find(|known| known.name == column).expect("column is planned").decision.clone()
}

#[test]
fn an_undecided_column_is_refused_with_the_line_to_paste() {
    let world = World::new().table("people", &["id int!", "email text"]).rule("public.people", json!({"id": "keep"}));
    let report = world.refusal();
    assert_eq!(report.code, "plan::undecided-column");
    assert_eq!(
        report.hint.as_deref(),
        Some("Add under [tables.\"public.people\".columns] (restage.toml:1:1):\nemail = \"email\"")
    );
}

#[test]
fn all_undecided_columns_are_told_at_once() {
    let world = World::new().table("people", &["a text", "b text", "c text!"]).table("more", &["email text"]);
    assert_eq!(world.codes(), ["plan::undecided-column"; 2], "one per table, so that its lines share one header");
    let report = &world.build().expect_err("refused").0[0];
    assert_eq!(report.message, "3 columns of \"public.people\" have no masking decision");
    assert_eq!(
        report.hint.as_deref(),
        Some("Add\n[tables.\"public.people\".columns]\na = \"null\"\nb = \"null\"\nc = \"pattern\"")
    );
}

#[test]
fn undecided_null_makes_nullable_columns_null_and_refuses_the_rest() {
    let mut world = World::new().table("people", &["a text"]);
    world.undecided = Undecided::Null;
    assert_eq!(decided(&world.plan(), "people", "a"), Decided::Null);
    let mut world = World::new().table("people", &["a text!"]);
    world.undecided = Undecided::Null;
    assert_eq!(world.refusal().code, "plan::undecided-column");
}

#[test]
fn an_unknown_table_names_the_nearest_one() {
    let world = World::new().table("people", &["a text"]).rule("public.people", json!({"a": "keep"}));
    let report = world.rule("public.poeple", json!({})).refusal();
    assert_eq!(report.code, "plan::unknown-table");
    assert_eq!(report.hint.as_deref(), Some("Did you mean [tables.\"public.people\"]?"));
}

#[test]
fn an_unknown_column_names_the_nearest_one() {
    let world = World::new().table("people", &["email text"]);
    let report = world.rule("public.people", json!({"email": "keep", "emial": "email"})).refusal();
    assert_eq!((report.code, report.hint.as_deref()), ("plan::unknown-column", Some("Did you mean \"email\"?")));
}

#[test]
fn an_unknown_kind_names_the_nearest_one() {
    let world = World::new().table("people", &["a text"]).rule("public.people", json!({"a": "emial"}));
    let report = world.refusal();
    assert_eq!(report.code, "plan::unknown-kind");
    assert!(report.hint.expect("a hint").contains("\"email\""));
}

#[test]
fn an_exact_rule_goes_before_a_glob_and_a_listed_column_before_the_default() {
    let world = World::new().table("people", &["a text", "b text", "c text"]);
    let world = world.rule("public.*", json!({"c": "null"})).default(json!("pattern"));
    let plan = world.rule("public.people", json!({"a": "keep"})).plan();
    assert_eq!(decided(&plan, "people", "a"), Decided::Keep { reason: None });
    assert!(matches!(decided(&plan, "people", "b"), Decided::Mask { .. }));
    assert_eq!(decided(&plan, "people", "c"), Decided::Null);
    assert_eq!(plan.tables[0].columns[1].because, "restage.toml:1:1 [tables.\"public.*\"] default");
}

#[test]
fn rules_of_equal_rank_that_differ_are_refused() {
    let world = World::new().table("people", &["a text"]).rule("public.peopl*", json!({"a": "keep"}));
    assert!(world.clone().rule("*ublic.people", json!({"a": "keep"})).build().is_ok());
    assert_eq!(world.rule("*ublic.people", json!({"a": "null"})).refusal().code, "plan::ambiguous-rule");
}

#[test]
fn rows_none_needs_no_decisions() {
    let plan = World::new().table("people", &["a text"]).rule("public.people", json!({})).rows(Rows::None).plan();
    assert!(plan.tables[0].columns.is_empty() && plan.tables[0].chunks.is_empty());
}

#[test]
fn a_referencing_column_inherits_mask_and_label() {
    let world = shop().rule("public.customers", json!({"id": "int", "email": "email", "born": "null"}));
    let plan = world.rule("public.orders", json!({"id": "keep", "total": "keep"})).plan();
    let expected = Decided::Mask { kind: "int/1".into(), label: "public.customers.id".into(), subject: None };
    assert_eq!(decided(&plan, "customers", "id"), expected);
    assert_eq!(decided(&plan, "orders", "customer_id"), expected);
    let orders = plan.tables.iter().find(|table| table.name == "orders").expect("planned");
    assert_eq!(orders.columns[1].because, "foreign key orders_customer_id_fkey, as \"public.customers.id\"");
}

#[test]
fn lone_int_columns_get_labels_of_their_own() {
    let world = World::new().table("a", &["x int", "y int"]).rule("public.a", json!({"x": "int", "y": "int"}));
    let plan = world.plan();
    assert!(matches!(decided(&plan, "a", "x"), Decided::Mask { label, .. } if label == "public.a.x"));
    assert!(matches!(decided(&plan, "a", "y"), Decided::Mask { label, .. } if label == "public.a.y"));
}

#[test]
fn a_default_does_not_stand_against_a_foreign_key_but_a_listed_column_does() {
    let rules = |world: World| world.rule("public.customers", json!({"id": "int", "email": "email", "born": "null"}));
    let plan = rules(shop()).rule("public.orders", json!({})).default(json!("keep")).plan();
    assert!(matches!(decided(&plan, "orders", "customer_id"), Decided::Mask { .. }));
    let world = rules(shop()).rule("public.orders", json!({"customer_id": "keep"})).default(json!("keep"));
    let report = world.refusal();
    assert_eq!(report.code, "plan::domain-conflict");
    assert!(report.message.contains("public.orders.customer_id") && report.message.contains("public.customers.id"));
}

#[test]
fn only_the_referenced_column_is_reported_as_undecided() {
    let world = shop().rule("public.customers", json!({"email": "email", "born": "null"}));
    let report = world.rule("public.orders", json!({"id": "keep", "total": "keep"})).refusal();
    assert_eq!(report.message, "column \"public.customers.id\" has no masking decision");
}

#[test]
fn a_null_reference_leaves_the_domain() {
    let world = shop().rule("public.customers", json!({"id": "keep", "email": "email", "born": "null"}));
    let plan = world.rule("public.orders", json!({"id": "keep", "total": "keep", "customer_id": "null"})).plan();
    assert_eq!(decided(&plan, "orders", "customer_id"), Decided::Null);
    assert!(plan.tables.iter().any(|table| table.select.contains(&"NULL::int".to_owned())));
}

#[test]
fn self_references_and_cycles_share_one_domain() {
    let world = World::new()
        .table("a", &["id int!", "parent int"])
        .table("b", &["id int!"])
        .foreign_key(("a", "parent"), ("a", "id"))
        .foreign_key(("a", "id"), ("b", "id"))
        .foreign_key(("b", "id"), ("a", "id"));
    let plan = world.rule("public.a", json!({"id": "int"})).plan();
    let label = |table, column| match decided(&plan, table, column) {
        Decided::Mask { label, .. } => label,
        other => panic!("{other:?}"),
    };
    assert_eq!(label("a", "parent"), "public.a.id");
    assert_eq!(label("b", "id"), "public.a.id");
}

#[test]
fn composite_keys_join_column_by_column() {
    let world = World::new()
        .table("a", &["x int!", "y text!"])
        .table("b", &["p int", "q text"])
        .unique("a", &["x", "y"], |_| ())
        .foreign_key(("b", "p,q"), ("a", "x,y"));
    let plan = world.rule("public.a", json!({"x": "int", "y": "pattern"})).plan();
    assert!(matches!(decided(&plan, "b", "p"), Decided::Mask { kind, .. } if kind == "int/1"));
    assert!(matches!(decided(&plan, "b", "q"), Decided::Mask { kind, .. } if kind == "pattern/1"));
}

#[test]
fn a_declared_reference_joins_like_a_foreign_key() {
    let mut world = World::new()
        .table("users", &["id int!"])
        .table("events", &["user_id int"])
        .rule("public.users", json!({"id": "int"}));
    let place = Place::default();
    world.references.push(ReferenceRule { from: "public.events.user_id".into(), to: "public.users.id".into(), place });
    assert!(matches!(decided(&world.plan(), "events", "user_id"), Decided::Mask { .. }));
    world.references[0].to = "public.users.idd".into();
    assert!(world.codes().contains(&"plan::unknown-column"));
}

#[test]
fn referenced_columns_cannot_be_null_or_constant() {
    for how in [json!("null"), json!({"mask": "const", "value": "7"})] {
        let world = World::new()
            .table("a", &["code text"])
            .table("b", &["code text"])
            .foreign_key(("b", "code"), ("a", "code"))
            .rule("public.a", json!({ "code": how }));
        assert_eq!(world.refusal().code, "plan::referenced-constant");
    }
}

#[test]
fn a_reference_needs_a_mask_of_the_value() {
    let world = World::new()
        .table("a", &["id int!", "code text"])
        .table("b", &["code text"])
        .foreign_key(("b", "code"), ("a", "code"))
        .rule("public.a", json!({"id": "keep", "code": {"mask": "name.first", "subject": "id"}}));
    assert!(world.codes().contains(&"plan::subject-keyed-reference"));
}

#[test]
fn a_masked_reference_from_an_unmaskable_type_is_refused() {
    let world = World::new()
        .table("a", &["id int!"])
        .table("b", &["a_id interval"])
        .foreign_key(("b", "a_id"), ("a", "id"))
        .rule("public.a", json!({"id": "int"}));
    let report = world.refusal();
    assert_eq!(report.code, "plan::unmaskable-type");
    assert!(report.detail.expect("a detail").contains("foreign key b_a_id_fkey"));
}

#[test]
fn a_kind_that_does_not_take_the_type_is_refused() {
    let world = World::new().table("a", &["x int"]).rule("public.a", json!({"x": "email"}));
    let report = world.refusal();
    assert_eq!(report.code, "plan::wrong-type");
    assert!(report.hint.expect("a hint").contains("int"));
}

#[test]
fn containers_take_the_kinds_of_their_leaves() {
    let world = World::new().table("a", &["id int!", "emails text[]", "stay daterange"]);
    let rules = |stay| json!({"id": "keep", "emails": "email", "stay": {"mask": stay, "subject": "id"}});
    let plan = world.clone().rule("public.a", rules("date.shift")).plan();
    let array = Shape::Array(std::sync::Arc::new(Shape::TEXT));
    let range = Shape::Range(std::sync::Arc::new(Shape::Date));
    assert_eq!(plan.tables[0].layout.fields[1..], [Field::Mask(array), Field::Mask(range)]);
    let report = world.rule("public.a", rules("date.within_year")).refusal();
    assert_eq!(report.code, "plan::wrong-type");
    let hint = report.hint.expect("a hint");
    assert!(hint.contains("date.shift") && !hint.contains("date.within_year"), "{hint}");
}

#[test]
fn arrays_name_no_subject() {
    let world = World::new().table("a", &["ids text[]", "born date"]);
    let report =
        world.rule("public.a", json!({"ids": "keep", "born": {"mask": "date.shift", "subject": "ids"}})).refusal();
    assert_eq!(report.code, "plan::bad-subject");
}

#[test]
fn labels_of_an_enum_are_part_of_the_hash() {
    let world = World::new().table("a", &["m mood"]).rule("public.a", json!({"m": "enum.perm"}));
    let before = world.clone().plan();
    let labels = |plan: &Plan| match &plan.tables[0].mask.columns[0].shape {
        Shape::Enum(labels) => labels.to_vec(),
        other => panic!("{other:?}"),
    };
    assert_eq!(labels(&before), ["sad", "ok"]);
    let mut after = world;
    let mood = after.catalog.types.iter_mut().find(|known| known.oid == MOOD).expect("the enum");
    mood.labels = vec!["sad".into(), "ok".into(), "wild".into()];
    assert_ne!(after.plan().hash, before.hash);
}

#[test]
fn parameters_are_checked() {
    let build =
        |mask| World::new().table("a", &["id int!", "d date"]).rule("public.a", json!({"id": "keep", "d": mask}));
    let unknown = build(json!({"mask": "date.shift", "subject": "id", "day_max": 3})).refusal();
    assert_eq!(
        (unknown.code, unknown.hint.as_deref()),
        ("plan::unknown-parameter", Some("Did you mean \"days_max\"?"))
    );
    assert_eq!(
        build(json!({"mask": "date.shift", "subject": "id", "days_max": 0})).refusal().code,
        "plan::bad-parameter"
    );
}

#[test]
fn null_on_not_null_is_refused() {
    let world = World::new().table("a", &["x text!"]).rule("public.a", json!({"x": "null"}));
    assert_eq!(world.refusal().code, "plan::null-not-null");
}

#[test]
fn a_subject_is_required_and_must_exist() {
    let build =
        |mask| World::new().table("a", &["id int!", "x text"]).rule("public.a", json!({"id": "keep", "x": mask}));
    let missing = build(json!("name.first")).refusal();
    assert_eq!(missing.code, "plan::missing-subject");
    assert_eq!(missing.hint.as_deref(), Some("x = { mask = \"name.first\", subject = \"id\" }"));
    assert_eq!(build(json!({"mask": "name.first", "subject": "idd"})).refusal().code, "plan::bad-subject");
}

#[test]
fn a_null_column_cannot_be_a_subject() {
    let world = World::new().table("a", &["who text", "x text"]);
    let world = world.rule("public.a", json!({"who": "null", "x": {"mask": "name.first", "subject": "who"}}));
    assert_eq!(world.refusal().code, "plan::bad-subject");
}

#[test]
fn a_kept_subject_is_read_and_a_masked_one_used_as_it_is() {
    let world = World::new().table("a", &["id int!", "x text"]);
    let plan = world.rule("public.a", json!({"id": "keep", "x": {"mask": "name.first", "subject": "id"}})).plan();
    let text = Shape::Text { chars_max: None, padded: false };
    assert_eq!(plan.tables[0].layout.fields, [Field::Read(Shape::Int4), Field::Mask(text)]);
    assert_eq!(plan.tables[0].mask.columns[1].mask.as_ref().and_then(|mask| mask.subject), Some(0));
    assert_eq!(plan.tables[0].layout.written, 2);
}

#[test]
fn a_subject_path_is_joined_and_appended() {
    let world = shop()
        .table("items", &["id int!", "order_id int", "note text", "gift date"])
        .foreign_key(("items", "order_id"), ("orders", "id"))
        .rule("public.*", json!({}))
        .default(json!("keep"));
    let path = "order_id -> public.orders.customer_id -> public.customers.email";
    let mask =
        json!({"note": {"mask": "name.first", "subject": path}, "gift": {"mask": "date.shift", "subject": path}});
    let plan = world.clone().rule("public.items", mask.clone()).plan();
    let items = plan.tables.iter().find(|table| table.name == "items").expect("planned");
    assert_eq!(
        items.from,
        "ONLY \"public\".\"items\" AS t LEFT JOIN ONLY \"public\".\"orders\" AS s1 ON t.\"order_id\" = s1.\"id\" \
         LEFT JOIN ONLY \"public\".\"customers\" AS s2 ON s1.\"customer_id\" = s2.\"id\""
    );
    assert_eq!((items.select.len(), items.layout.written), (5, 4));
    assert_eq!(items.select[4], "s2.\"email\"");
    assert_eq!(items.mask.columns.len(), 3);
    assert!(items.mask.columns[..2].iter().all(|column| column.mask.as_ref().and_then(|mask| mask.subject) == Some(2)));
    let plan =
        world.rule("public.items", mask).rows(Rows::Where { condition: Some("id > 3".into()), limit: None }).plan();
    let items = plan.tables.iter().find(|table| table.name == "items").expect("planned");
    assert_eq!(items.from, "ONLY \"public\".\"items\" AS t");
    assert!(items.select[4].starts_with("(SELECT s2.\"email\" FROM ONLY \"public\".\"orders\" AS s1 LEFT JOIN"));
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
fn lower_of_a_column_needs_a_folding_kind() {
    let build = |kind: &str| {
        World::new()
            .table("a", &["email text"])
            .unique("a", &[], |index| {
                index.columns = vec![0];
                index.expressions = vec!["lower(email)".into()];
                index.expression_columns = vec![1];
            })
            .rule("public.a", json!({ "email": kind }))
    };
    assert!(build("email").build().is_ok());
    assert_eq!(build("pattern").refusal().code, "plan::unique-column");
}

#[test]
fn citext_keys_need_a_folding_kind() {
    let build = |kind: &str| {
        let world = World::new().table("a", &["x citext"]).unique("a", &["x"], |_| ());
        world.rule("public.a", json!({ "x": kind }))
    };
    assert!(build("email").build().is_ok());
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
    assert_eq!(unique.rule("public.a", json!({"x": "pattern"})).refusal().code, "plan::unique-column");
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
    let world = World::new().table("a", &["id int!", "country text", "name text", "total numeric"]);
    let name = |column: &str| json!({"mask": "name.first", "subject": "id", "locale_from": column});
    let rule = |column: &str, country: &str| {
        world.clone().rule("public.a", json!({"id": "keep", "country": country, "name": name(column), "total": "keep"}))
    };
    let plan = rule("country", "keep").plan();
    let text = Shape::Text { chars_max: None, padded: false };
    let fields = [Field::Read(Shape::Int4), Field::Read(text.clone()), Field::Mask(text.clone()), Field::Keep];
    assert_eq!(plan.tables[0].layout.fields, fields);
    assert_eq!(rule("country", "pattern").plan().tables[0].layout.fields[1], Field::Mask(text));

    assert!(rule("land", "keep").refusal().to_string().contains("has no such column"));
    assert!(rule("country", "null").refusal().to_string().contains("never leaves the source"));
    assert!(rule("total", "keep").refusal().to_string().contains("It has type numeric"));
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

/// The codes of all refusals; none for a plan.
fn codes(world: &World) -> Vec<&'static str> {
    world.build().err().map_or(Vec::new(), |refusals| refusals.0.iter().map(|report| report.code).collect())
}

/// A table whose column `login` is a template of others.
fn template(text: &str, more: serde_json::Value) -> World {
    let columns = ["id int!", "login text", "last varchar", "note text", "total numeric"];
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
    assert!(refused("{total}").0.contains("numeric"));
    let missing = template("x", json!({"login": {"mask": "template", "text": "{first}"}})).refusal();
    assert_eq!(missing.code, "plan::missing-subject");
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
            "iban = \"pattern\"",
            "passwd = \"null\"",
            "token = \"null\"",
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
    assert!(folding.contains("(uuid, email, username, ip)"), "{folding}");
    let world = table().unique("a", &["ci"], |_| ()).rule("public.a", with("ci", json!("pattern")));
    assert!(hint(world).contains("ignores case"));
    let world = table().unique("a", &["born"], |_| ());
    let date = hint(world.rule("public.a", with("born", json!({"mask": "date.shift", "subject": "id"}))));
    assert!(date.starts_with("No mask keeps it unique"), "{date}");
}

#[test]
fn a_referenced_key_of_a_type_without_masks_is_not_offered_null() {
    let world = World::new()
        .table("a", &["code numeric"])
        .table("b", &["a_code numeric"])
        .foreign_key(("b", "a_code"), ("a", "code"))
        .rule("public.a", json!({"code": "int"}));
    let reports = world.build().expect_err("refused").0;
    let hint = reports[0].hint.as_deref().expect("a hint");
    assert_eq!(reports[0].code, "plan::unmaskable-type");
    assert!(!hint.contains("\"null\"") && hint.starts_with("Keep it"), "{hint}");
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
    for encoding in ["UTF8", "LATIN1", "KOI8R"] {
        world.catalog.server.encoding = encoding.into();
        assert_eq!(asked(&world), [""; 0], "{encoding}");
    }
    world.catalog.server.encoding = "WIN1252".into();
    assert_eq!(asked(&world), ["public.a.code", "public.a.mail"]);
    assert!(world.plan().warnings[0].contains("\"public.a.code\", \"public.a.mail\""));
}
