use super::*;
use crate::catalog::{Column, Constraint, ConstraintKind, Sequence, Server, Table, Type, UniqueIndex};
use crate::config::{Action, Decision, MaskRule, Terms};
use crate::pg::types::Field;
use serde_json::json;

mod conditions;
mod keys;
mod names;
mod packs;
mod proposals;
mod source;

const BOOL: Oid = 16;
const TIMESTAMP: Oid = 1114;
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
            base(BOOL, "boolean"),
            base(TIMESTAMP, "timestamp"),
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
        let header = at.clone();
        self.rules.push(TableRule {
            pattern: pattern.into(),
            place: at,
            rows: None,
            default: None,
            columns,
            columns_at: Some(header),
        });
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
        self.build_above(open())
    }

    fn build_above(&self, floor: Floor<'_>) -> Result<Plan, Refusals> {
        let policy = Policy { rules: &self.rules, references: &self.references, undecided: self.undecided, floor };
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
        "boolean" => (BOOL, -1),
        "timestamp" => (TIMESTAMP, -1),
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
        let path = text(params.remove("when_at"));
        let keep = params.remove("otherwise").and_then(|value| value["keep"].as_str().map(str::to_owned));
        let when = text(params.remove("when")).map(|condition| When { condition, path, keep, until: None });
        Action::Mask(MaskRule { kind: kind.into(), label, subject, when, params })
    };
    let action = match value {
        serde_json::Value::String(word) if word == "keep" => Action::Keep { reason: None },
        serde_json::Value::String(word) if word == "null" => Action::Null,
        serde_json::Value::String(word) => mask(word, serde_json::Map::new()),
        value if value["keep"].is_string() => Action::Keep { reason: value["keep"].as_str().map(str::to_owned) },
        value => {
            let mut fields = value.as_object().expect("an object").clone();
            let kind = fields.remove("mask").expect("a mask");
            mask(kind.as_str().expect("a string"), fields)
        }
    };
    Decision { place: at.clone(), action, terms: Terms::default() }
}

/// The floor is tested beside it.
fn open() -> Floor<'static> {
    Floor { open: true, ..Floor::default() }
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
fn what_may_be_the_name_of_a_setting_is_said_beside_its_line() {
    let said = |columns: &[&str]| {
        let world = World::new().table("params", columns).unique("params", &["key"], |_| ());
        world
            .refusal()
            .hint
            .expect("lines")
            .contains("key = \"pattern\"     # or { keep = \"…\" }, if these are names of settings")
    };
    assert!(said(&["key text!", "value text"]));
    assert!(!said(&["key text!", "body text"]), "no value stands beside it");
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
    assert_eq!(
        report.hint.as_deref(),
        Some("Did you mean [tables.\"public.people\"]? If the table was dropped, remove this entry.")
    );
    // A short name in the same schema is another name.
    let world = World::new().table("docs", &["a text"]).rule("public.docs", json!({"a": "keep"}));
    let report = world.rule("public.gone", json!({})).refusal();
    assert_eq!(report.hint.as_deref(), Some("If the table was dropped, remove this entry. Else correct its name."));
}

#[test]
fn a_rule_for_all_tables_is_none_of_an_unknown_one() {
    assert!(World::new().rule("*", json!({})).plan().tables.is_empty());
    assert!(World::new().rule("*.*", json!({})).plan().tables.is_empty());
    assert_eq!(World::new().rule("audit.*", json!({})).refusal().code, "plan::unknown-table");
}

#[test]
fn an_unknown_column_names_the_nearest_one() {
    let world = World::new().table("people", &["email text"]);
    let report = world.rule("public.people", json!({"email": "keep", "emial": "email"})).refusal();
    assert_eq!(report.code, "plan::unknown-column");
    let hint = "Did you mean \"email\"? If the column was dropped, remove this line.";
    assert_eq!(report.hint.as_deref(), Some(hint));
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
    let expected =
        Decided::Mask { kind: "int/1".into(), label: "public.customers.id".into(), subject: None, when: None };
    assert_eq!(decided(&plan, "customers", "id"), expected);
    assert_eq!(decided(&plan, "orders", "customer_id"), expected);
    let orders = plan.tables.iter().find(|table| table.name == "orders").expect("planned");
    assert_eq!(orders.columns[1].because, "foreign key orders_customer_id_fkey, as \"public.customers.id\"");
}

#[test]
fn keys_that_children_have_by_inheritance_follow_and_say_so_where_they_may_not() {
    let world = |more: serde_json::Value| {
        let mut world = World::new()
            .table("class", &["id int"])
            .table("note", &["class int", "body text"])
            .table("own", &["class int", "body text", "x int"])
            .foreign_key(("note", "class"), ("class", "id"));
        let parent = world.oid("note");
        world.catalog.tables.last_mut().expect("a table").inherits = vec![parent];
        let world = world.rule("public.class", json!({"id": "int"})).rule("public.note", json!({"body": "keep"}));
        world.rule("public.own", more).default(json!("keep"))
    };
    let plan = world(json!({})).plan();
    let key = Decided::Mask { kind: "int/1".into(), label: "public.class.id".into(), subject: None, when: None };
    assert_eq!(decided(&plan, "own", "class"), key);
    assert!(matches!(decided(&plan, "own", "body"), Decided::Keep { .. }), "no key");
    let own = plan.tables.iter().find(|table| table.name == "own").expect("planned");
    assert_eq!(own.columns[0].because, "inheritance, as \"public.class.id\"");
    let told = |plan: &Plan| plan.warnings.iter().filter(|line| line.contains("by inheritance")).count();
    assert_eq!(told(&plan), 0);
    // What is written for it stands, and is told where it joins nothing.
    let plan = world(json!({"class": "keep"})).plan();
    assert!(matches!(decided(&plan, "own", "class"), Decided::Keep { .. }));
    assert_eq!(told(&plan), 1);
    assert_eq!(told(&world(json!({"class": "int"})).plan()), 0);
    // A key that is kept says nothing about values that no foreign key checks; and the parent follows its child.
    let of = |child: &str| {
        let tables =
            World::new().table("class", &["id int"]).table("note", &["class int"]).table("own", &["class int"]);
        let mut world = tables.foreign_key((child, "class"), ("class", "id"));
        let parent = world.oid("note");
        world.catalog.tables.last_mut().expect("a table").inherits = vec![parent];
        world
    };
    assert_eq!(of("note").rule("public.class", json!({"id": "keep"})).codes(), ["plan::undecided-column"]);
    assert_eq!(decided(&of("own").rule("public.class", json!({"id": "int"})).plan(), "note", "class"), key);
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
fn columns_that_are_decided_differently_are_brought_together_by_hiding_more() {
    let conflict = |id: &str, customer: serde_json::Value| {
        let world = shop().rule("public.customers", json!({"id": id, "email": "email", "born": "null"}));
        let report =
            world.rule("public.orders", json!({"id": "keep", "total": "keep", "customer_id": customer})).refusal();
        assert_eq!(report.code, "plan::domain-conflict");
        report.hint.expect("a hint")
    };
    let hint = conflict("keep", json!("int"));
    let lines = "under [tables.\"public.customers\".columns] (restage.toml:1:1):\nid = { mask = \"int\" }";
    assert!(hint.ends_with(lines), "{hint}");
    assert!(!hint.contains("Remove the line"), "the reference would be kept then: {hint}");
    assert!(conflict("int", json!("keep")).contains("Remove the line for \"public.orders.customer_id\""));
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
fn a_reason_to_keep_holds_along_keys_that_are_checked_for_every_value() {
    let because = || Decided::Keep { reason: Some("our own".to_owned()) };
    let none = || Decided::Keep { reason: None };
    let world = World::new()
        .table("a", &["x text!"])
        .table("b", &["x text!"])
        .table("c", &["x text"])
        .foreign_key(("b", "x"), ("a", "x"))
        .foreign_key(("c", "x"), ("b", "x"))
        .rule("public.a", json!({"x": {"keep": "our own"}}));
    let plan = world.clone().plan();
    assert_eq!((decided(&plan, "b", "x"), decided(&plan, "c", "x")), (because(), because()));
    // The twin: the first of two keys was not checked.
    let mut unchecked = world;
    unchecked.catalog.constraints[0].validated = false;
    let plan = unchecked.plan();
    assert_eq!((decided(&plan, "b", "x"), decided(&plan, "c", "x")), (none(), none()));
    // Of several columns one may hold anything where another is NULL.
    let several = World::new()
        .table("a", &["x text!", "y text!"])
        .table("b", &["x text", "y text"])
        .unique("a", &["x", "y"], |_| ())
        .foreign_key(("b", "x,y"), ("a", "x,y"))
        .rule("public.a", json!({"x": {"keep": "our own"}, "y": {"keep": "our own"}}));
    assert_eq!(decided(&several.plan(), "b", "x"), none());
}

#[test]
fn a_declared_reference_joins_like_a_foreign_key() {
    let mut world = World::new()
        .table("users", &["id int!"])
        .table("events", &["user_id int"])
        .rule("public.users", json!({"id": "int"}));
    let place = Place::default();
    world.references.push(ReferenceRule {
        from: "public.events.user_id".into(),
        to: "public.users.id".into(),
        r#type: None,
        json: Vec::new(),
        place,
    });
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
    let hint = report.hint.expect("a hint");
    assert!(
        hint.contains("int")
            && hint.contains("\nOr hide it, in place of the line there:\n")
            && hint.ends_with("\nx = \"null\""),
        "{hint}"
    );
    let strict = World::new().table("a", &["x int!"]).rule("public.a", json!({"x": "email"}));
    let constant = strict.refusal().hint.expect("a hint");
    assert!(constant.ends_with("\nx = { mask = \"const\", value = 0 }"), "{constant}");
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
fn all_paths_of_a_document_are_corrected_by_one_line() {
    let world = |doc: serde_json::Value| {
        let mut world = World::new()
            .table("users", &["id int!"])
            .table("q", &["id int!", "doc text"])
            .rule("public.users", json!({ "id": "int" }))
            .rule("public.q", json!({ "id": "keep", "doc": doc }));
        for (line, path) in [(7, vec!["list", "*"]), (9, vec!["pid"])] {
            world.references.push(ReferenceRule {
                from: "public.q.doc".into(),
                to: "public.users.id".into(),
                r#type: None,
                json: path.into_iter().map(str::to_owned).collect(),
                place: Place { file: "restage.toml".into(), line, column: 1 },
            });
        }
        world
    };
    let paths = json!({ "$.pid": "int", "$.list[*]": "int", "$.mail": "email" });
    for doc in [json!("keep"), json!({ "mask": "json", "paths": paths, "rest": "keep" })] {
        let report = world(doc).refusal();
        assert_eq!((report.code, report.place.as_deref()), ("plan::domain-conflict", Some("restage.toml:7:1")));
        let detail = report.detail.expect("both places");
        assert!(detail.contains("ids at $.list[*]") && detail.contains("ids at $.pid"), "{detail}");
        assert!(detail.contains("restage.toml:9:1"), "{detail}");
        let hint = report.hint.expect("a hint");
        let line = hint.lines().find_map(|line| line.strip_prefix("doc = ")).expect("a line");
        let line: toml::Table = format!("doc = {line}").parse().expect("TOML");
        let decision = serde_json::to_value(&line["doc"]).expect("JSON");
        world(decision).plan();
    }
}

#[test]
fn ids_in_documents_become_what_the_key_they_refer_to_becomes() {
    let world = |id: serde_json::Value, body: serde_json::Value| {
        let mut world = World::new()
            .table("users", &["id int!"])
            .table("events", &["id int!", "body text"])
            .rule("public.users", json!({ "id": id }))
            .rule("public.events", json!({ "id": "keep", "body": body }));
        world.references.push(ReferenceRule {
            from: "public.events.body".into(),
            to: "public.users.id".into(),
            r#type: None,
            json: vec!["seen".into(), "*".into(), "by id".into()],
            place: Place { file: "restage.toml".into(), line: 9, column: 1 },
        });
        world
    };
    let path = "$.seen[*][\"by id\"]";
    let mask = json!({ "mask": "int", "label": "public.users.id" });
    // Nothing is masked, nothing is left, or the id is masked as the key is.
    world(json!("keep"), json!("keep")).plan();
    world(json!("int"), json!("null")).plan();
    world(json!("int"), json!("pattern")).plan();
    world(json!("int"), json!({ "mask": "json", "rest": "null" })).plan();
    world(json!("int"), json!({ "mask": "json", "rest": "keep", "paths": { path: mask } })).plan();
    world(json!("int"), json!({ "mask": "json", "rest": "keep", "paths": { "$.seen": mask, "$.seen.x": "email" } }))
        .plan();
    for (body, told) in [
        (json!("keep"), "and are kept"),
        (json!({ "mask": "json", "rest": "keep" }), "and are kept"),
        (json!({ "mask": "json", "rest": "pattern" }), "are masked in another way"),
        (json!({ "mask": "json", "rest": "keep", "paths": { path: "int" } }), "are masked in another way"),
    ] {
        let report = world(json!("int"), body).refusal();
        assert_eq!((report.code, report.place.as_deref()), ("plan::domain-conflict", Some("restage.toml:9:1")));
        assert!(report.message.contains(told), "{}", report.message);
        // The whole line: one that stands on one line cannot be added to.
        let hint = report.hint.expect("a hint");
        let (under, line) = hint.split_once('\n').expect("two lines");
        assert_eq!(under, "under [tables.\"public.events\".columns] (restage.toml:2:1):");
        let decision = line.strip_prefix("body = ").and_then(|line| line.split("     # in place of").next());
        let decision: toml::Table = format!("body = {}", decision.expect("a decision")).parse().expect("TOML");
        let decision = serde_json::to_value(&decision["body"]).expect("JSON");
        assert_eq!(decision["paths"][path], mask, "{line}");
        world(json!("int"), decision).plan();
    }
}
