//! The examples of every rule, and that each rule is needed for them.

use super::rules::Example;
use super::*;
use crate::detect::{self, Facts};
use crate::mask::Params;
use crate::mask::kind::Takes;
use serde_json::Value;

/// What an example says: its column, what that looks like, and its decision.
struct Case {
    table: String,
    column: String,
    category: Option<String>,
    kind: Option<String>,
    params: Params,
    keep: bool,
    terms: Terms,
}

fn case(example: &Example) -> Case {
    case_of(&example.column, &example.decision)
}

fn case_of(written: &str, decision: &str) -> Case {
    let (name, takes) = match written.split_once(':') {
        Some((name, "integer")) => (name, Takes::Integer),
        Some((name, "date" | "timestamp")) => (name, Takes::Date),
        Some((name, "boolean")) => (name, Takes::Bool),
        Some((name, "point")) => (name, Takes::Point),
        Some((_, other)) => panic!("type {other}"),
        None if written.contains("birth") => (written, Takes::Date),
        None if written.contains("coordinates") => (written, Takes::Point),
        None => (written, Takes::Text),
    };
    let (table, column) = name.split_once('.').expect("table.column");
    let findings = detect::by_name(&Facts { table, column, takes, domain: None, affix: None });
    let category = findings.iter().find(|finding| finding.found()).map(|finding| finding.category.name.clone());
    let document: toml::Table = format!("d = {decision}").parse().expect(decision);
    let mut fields = match &document["d"] {
        toml::Value::String(word) if word == "keep" => toml::Table::from_iter([("keep".to_owned(), "".into())]),
        toml::Value::String(word) => toml::Table::from_iter([("mask".to_owned(), word.as_str().into())]),
        toml::Value::Table(fields) => fields.clone(),
        other => panic!("{other}"),
    };
    let until = fields.remove("until").map(|date| date.to_string().parse().expect("a date"));
    let text = |value: Option<toml::Value>| value.and_then(|value| Some(value.as_str()?.to_owned()));
    let keep = fields.get("keep").is_some_and(toml::Value::is_str).then(|| fields.remove("keep")).and_then(text);
    let reason = text(fields.remove("reason")).or(keep.clone().filter(|reason| !reason.is_empty()));
    let kind = text(fields.remove("mask"));
    fields.remove("subject");
    let params = match serde_json::to_value(fields).expect("JSON") {
        Value::Object(params) => params,
        other => panic!("{other}"),
    };
    let terms = Terms { reason, until };
    Case { table: table.into(), column: column.into(), category, kind, params, keep: keep.is_some(), terms }
}

/// What a pack says about an example; `without` leaves one rule out.
fn judged(pack: &Pack, example: &Example, without: Option<&str>) -> Option<String> {
    let rules = pack.rule.iter().filter(|rule| Some(rule.id.as_str()) != without);
    // A table without a column: which of its rows are taken.
    if !example.column.contains('.') {
        let mut rules = rules.filter(|rule| rule.empty && rule.about_table(&example.column));
        return rules.next().map(|rule| rule.id.clone()).filter(|_| example.decision == "\"all\"");
    }
    judged_as(rules, &case(example))
}

fn judged_as<'r>(mut rules: impl Iterator<Item = &'r Rule>, case: &Case) -> Option<String> {
    let decided = match case.kind.as_deref() {
        Some("null" | "const") => return None,
        Some(kind) => Decided::Mask { kind, params: &case.params, looks: case.category.as_deref() },
        None => {
            assert!(case.keep);
            Decided::Keep
        }
    };
    rules.find_map(|rule| {
        let about = rule.about(&case.table, &case.column, case.category.as_deref());
        about.then(|| rule.judge(decided, &case.terms)).flatten().map(|_| rule.id.clone())
    })
}

#[test]
fn every_rule_refuses_and_accepts_its_examples() {
    for pack in PACKS.iter() {
        for rule in &pack.rule {
            for example in &rule.refused {
                assert!(judged(pack, example, None).is_some(), "{} {} accepts {example:?}", pack.name, rule.id);
            }
            for example in &rule.accepted {
                assert_eq!(judged(pack, example, None), None, "{} {} {example:?}", pack.name, rule.id);
            }
            assert!(!rule.refused.is_empty() || !rule.decides.is_empty(), "{} {} shows nothing", pack.name, rule.id);
        }
    }
}

#[test]
fn without_any_single_rule_an_example_of_it_would_pass() {
    for pack in PACKS.iter() {
        for rule in &pack.rule {
            for example in &rule.refused {
                let left = judged(pack, example, Some(&rule.id));
                assert_eq!(left, None, "{} {} is not needed for {example:?}", pack.name, rule.id);
            }
        }
    }
}

#[test]
fn every_category_of_a_rule_has_an_example_and_every_kind_and_parameter_exists() {
    for pack in PACKS.iter() {
        assert!(pack.summary.ends_with('.'), "{}", pack.name);
        for rule in &pack.rule {
            let columns = rule.refused.iter().filter(|example| example.column.contains('.'));
            let shown: Vec<String> = columns.filter_map(|example| case(example).category).collect();
            for category in &rule.categories {
                assert!(detect::categories().iter().any(|known| known.name == *category), "{category}");
                assert!(shown.contains(category), "{} {} shows no {category}: {shown:?}", pack.name, rule.id);
            }
            for kind in &rule.only {
                assert!(crate::mask::kind(kind).is_some(), "{kind}");
            }
            for demand in &rule.demand {
                let kind = crate::mask::kind(&demand.kind).expect("a kind");
                for param in [Some(&demand.param), demand.unless.as_ref()].into_iter().flatten() {
                    assert!(kind.params.iter().any(|known| known.name == *param), "{param}");
                }
            }
        }
    }
}

#[test]
fn what_opens_or_names_somebody_is_in_a_pack_that_is_told_or_always_holds() {
    let held: Vec<&String> = PACKS
        .iter()
        .filter(|pack| pack.hold != Hold::Listed)
        .flat_map(|pack| &pack.rule)
        .flat_map(|rule| &rule.categories)
        .collect();
    use detect::Class;
    for category in detect::categories() {
        let must = matches!(category.class, Class::Secret | Class::Direct | Class::Sensitive | Class::Text);
        // A number given to a customer says nothing outside of the company.
        if must && category.name != "customer_number" {
            assert!(held.contains(&&category.name), "{}", category.name);
        }
    }
}

/// A column of the fixture: its weak decision, and the rules that must refuse it.
struct Line {
    case: Case,
    refused_by: Vec<String>,
}

/// Reads `tests/packs/weak.sql`: one column per line, `name type, -- DECISION => pack.rule, pack.rule`.
fn fixture() -> Vec<Line> {
    let text = include_str!("../../../tests/packs/weak.sql");
    let mut table = String::new();
    let mut lines = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("CREATE TABLE ") {
            let name = rest.trim_end_matches(" (");
            table = name.split_once('.').map_or(name, |(_, table)| table).to_owned();
        }
        let Some((column, said)) = line.trim().split_once(" -- ") else { continue };
        let (name, type_name) = column.trim_end_matches(',').split_once(' ').expect("a name and a type");
        let written = match type_name.trim() {
            "text" => format!("{table}.{name}"),
            other => format!("{table}.{name}:{other}"),
        };
        let (decision, refused) = said.split_once(" => ").expect("a decision and rules");
        let refused_by = refused.split(", ").filter(|rule| *rule != "nothing").map(str::to_owned).collect();
        lines.push(Line { case: case_of(&written, decision), refused_by });
    }
    lines
}

/// The columns of the fixture that each pack does not decide as expected, with one rule taken out or none.
fn unexpected(lines: &[Line], without: Option<(&str, &str)>) -> Vec<String> {
    let mut wrong = Vec::new();
    for line in lines {
        for pack in PACKS.iter() {
            let left = |rule: &&Rule| without != Some((pack.name.as_str(), rule.id.as_str()));
            let found =
                judged_as(pack.rule.iter().filter(left), &line.case).map(|rule| format!("{}.{rule}", pack.name));
            let expected = line.refused_by.iter().find(|name| name.starts_with(&format!("{}.", pack.name)));
            if found.as_ref() != expected {
                wrong.push(format!("{}.{}: {found:?} is not {expected:?}", line.case.table, line.case.column));
            }
        }
    }
    wrong
}

#[test]
fn without_any_single_rule_a_column_of_the_fixture_is_decided_otherwise() {
    let lines = fixture();
    assert!(lines.len() > 60, "{}", lines.len());
    let none: Vec<String> = Vec::new();
    assert_eq!(unexpected(&lines, None), none);
    let shown: Vec<&String> = lines.iter().filter_map(|line| line.case.category.as_ref()).collect();
    for pack in PACKS.iter() {
        for rule in &pack.rule {
            for category in &rule.categories {
                assert!(shown.contains(&category), "the fixture has no {category}");
            }
            // What a rule decides, and which rows it leaves behind, is in the schemas of `tests/packs.rs`.
            if rule.keep != Keep::Any || !rule.only.is_empty() || !rule.demand.is_empty() {
                let wrong = unexpected(&lines, Some((&pack.name, &rule.id)));
                assert!(!wrong.is_empty(), "{} {} is needed for no column of the fixture", pack.name, rule.id);
            }
        }
    }
}
