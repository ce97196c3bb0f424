//! What the types of columns are made of: a type that is made anew under its name is another one.
//!
//! A column names its type, and the type names others: the base of a domain, the values of a range, the attributes of a
//! composite type. A column that is copied holds all of them, so each is written down under its own name.

use super::diff::hidden;
use super::{Column, Lock, Seal};
use crate::catalog::{Catalog, Oid, Type};
use crate::config::{MaskRule, Terms};
use crate::mask::Params;
use crate::plan;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Types nest a few levels at most; the bound ends a catalog that contradicts itself.
const DEPTH_MAX: usize = 16;

/// A composite type, domain or enum somewhere in the values of a column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    pub type_name: String,
    /// The attributes that lead to it; none: the column itself holds it, or an array of it.
    pub way: Vec<String>,
}

impl Part {
    /// The attributes that lead to one of its own.
    pub(super) fn to(&self, attribute: &str) -> Vec<String> {
        self.way.iter().cloned().chain([attribute.to_owned()]).collect()
    }
}

impl Lock {
    /// Writes down what a type is made of. Returns the composite types, domains and enums in it.
    pub(super) fn pin_type(&mut self, catalog: &Catalog, oid: Oid, seal: &Seal<'_>) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut open = vec![(oid, Vec::new(), 0)];
        while let Some((oid, way, depth)) = open.pop() {
            let Some(known) = catalog.type_of(oid).filter(|_| depth < DEPTH_MAX) else { continue };
            let name = known.sql_name.clone();
            match known.kind {
                'e' => {
                    self.enums.insert(name.clone(), known.labels.iter().map(|label| seal.label(label)).collect());
                    parts.push(Part { type_name: name, way });
                }
                'd' => {
                    let base = known.base_name.clone().unwrap_or_else(|| name_of(catalog, known.base));
                    self.pin_domain(known, seal);
                    self.types.insert(name.clone(), format!("domain over {base}"));
                    parts.push(Part { type_name: name, way: way.clone() });
                    open.push((known.base, way, depth + 1));
                }
                'c' => {
                    self.composites.insert(name.clone(), attributes(catalog, known));
                    self.orders.insert(name.clone(), super::numbers::placed(known));
                    for (attribute, oid) in known.attribute_names.iter().zip(&known.attributes) {
                        let way = way.iter().chain([attribute]).cloned().collect();
                        open.push((*oid, way, depth + 1));
                    }
                    parts.push(Part { type_name: name, way });
                }
                'r' | 'm' => {
                    // Those of the server itself are what they are.
                    if known.schema != "pg_catalog" {
                        let kind = if known.kind == 'r' { "range" } else { "multirange" };
                        self.types.insert(name, format!("{kind} of {}", name_of(catalog, known.element)));
                    }
                    open.push((known.element, way, depth + 1));
                }
                _ if known.element != 0 => open.push((known.element, way, depth + 1)),
                _ => {}
            }
        }
        parts
    }

    /// The lines that hide what columns show of a type: those that are kept, and the parts that a mask keeps.
    pub(super) fn hiding_lines(&self, type_name: &str) -> Vec<(String, String)> {
        let mut lines = Vec::new();
        for (table, known) in self.tables.iter().filter(|(_, known)| known.rows != "none") {
            for (name, column) in &known.columns {
                let of_type = column.parts.iter().filter(|part| part.type_name == type_name);
                let ways: Vec<Vec<String>> = of_type.map(|part| part.way.clone()).collect();
                let line = match ways.iter().any(Vec::is_empty) {
                    true if column.decision == "keep" => hidden(name, column),
                    true => None,
                    false => hiding(column, &ways).map(|decision| format!("{} = {decision}", plan::toml_key(name))),
                };
                lines.extend(line.map(|line| (table.clone(), line)));
            }
        }
        lines
    }

    /// What sort of type stands under a name; none if nothing is written down about it.
    pub(super) fn made_of(&self, name: &str) -> Option<&str> {
        let composite = || self.composites.contains_key(name).then_some("composite type");
        let of_labels = || self.enums.contains_key(name).then_some("enum");
        self.types.get(name).map(String::as_str).or_else(composite).or_else(of_labels)
    }
}

fn name_of(catalog: &Catalog, oid: Oid) -> String {
    catalog.type_of(oid).map_or_else(|| oid.to_string(), |known| known.sql_name.clone())
}

fn attributes(catalog: &Catalog, composite: &Type) -> BTreeMap<String, String> {
    let types = composite.attributes.iter().map(|oid| name_of(catalog, *oid));
    composite.attribute_names.iter().cloned().zip(types).collect()
}

/// The mask that a column of a composite type could have in place of being kept.
pub(super) fn composite_mask() -> MaskRule {
    let params = Params::from_iter([("rest".to_owned(), json!("keep"))]);
    MaskRule { kind: "composite".to_owned(), label: None, subject: None, when: None, params }
}

/// The decision for a column that hides these attributes too; none where its mask hides them, or is no mask of parts.
pub(super) fn hiding(column: &Column, ways: &[Vec<String>]) -> Option<String> {
    let mut rule = column.parts_mask.clone()?;
    // Each of them: a mask that hides one of two keeps the other.
    let hidden = ways.iter().filter(|way| hide(&mut rule.params, way)).count();
    (hidden > 0).then(|| plan::mask_line(&rule, &Terms::default()))
}

/// Makes the parameters of a `composite` mask hide an attribute. Returns whether they did not before.
fn hide(params: &mut Params, way: &[String]) -> bool {
    let Some((first, below)) = way.split_first() else { return false };
    let keeps = |value: Option<&Value>| value.and_then(Value::as_str) == Some("keep");
    let rest_keeps = keeps(params.get("rest"));
    let fields = params.entry("fields").or_insert_with(|| json!({}));
    let Some(fields) = fields.as_object_mut() else { return false };
    let named = fields.get(first);
    let open = if named.is_some() { keeps(named) } else { rest_keeps };
    if below.is_empty() {
        if open {
            fields.insert(first.clone(), json!("null"));
        }
        return open;
    }
    if open {
        fields.insert(first.clone(), json!({ "mask": "composite", "rest": "keep" }));
    }
    match fields.get_mut(first).and_then(Value::as_object_mut) {
        Some(inner) if inner.get("mask").and_then(Value::as_str).is_some_and(|kind| kind.starts_with("composite")) => {
            hide(inner, below)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(params: Value, ways: &[&[&str]]) -> Option<String> {
        let params = params.as_object().expect("a table").clone();
        let rule = MaskRule { kind: "composite".into(), label: None, subject: None, when: None, params };
        let column = Column { parts_mask: Some(rule), ..Column::default() };
        let ways: Vec<Vec<String>> =
            ways.iter().map(|way| way.iter().map(|step| (*step).to_owned()).collect()).collect();
        hiding(&column, &ways)
    }

    #[test]
    fn attributes_that_would_be_kept_are_hidden_and_no_others() {
        let keep = || json!({ "rest": "keep" });
        let told = hidden(keep(), &[&["owner name"], &["w"]]).expect("a line");
        for part in ["mask = \"composite\"", "rest = \"keep\"", "\"owner name\" = \"null\"", "w = \"null\""] {
            assert!(told.contains(part), "{told}");
        }
        let inner = hidden(keep(), &[&["size", "owner"]]).expect("a line");
        let document: toml::Table = format!("d = {inner}").parse().expect("TOML");
        assert_eq!(document["d"]["fields"]["size"]["fields"]["owner"].as_str(), Some("null"), "{inner}");
        assert_eq!(document["d"]["fields"]["size"]["rest"].as_str(), Some("keep"), "{inner}");
        // What is masked already, by name or by the rest, needs no line.
        assert_eq!(hidden(json!({ "rest": "null" }), &[&["owner"]]), None);
        assert_eq!(hidden(json!({ "rest": "keep", "fields": { "owner": "email" } }), &[&["owner"]]), None);
        assert_eq!(hidden(json!({ "rest": "null", "fields": { "w": "keep" } }), &[&["size", "owner"]]), None);
    }
}
