//! Ids inside documents that refer to a masked key: kept, they are the key as production knows it, and point nowhere.

use super::domain::{Choice, Domains, Mask, words};
use super::graph::Graph;
use super::written::{listed, mask_line, under};
use super::{Policy, toml_key};
use crate::config::{MaskRule, Terms};
use crate::error::Report;
use crate::mask::{self, json};
use serde_json::{Value, json};

/// Refuses documents whose ids would not become what the key they refer to becomes.
pub(super) fn check(graph: &Graph<'_>, policy: &Policy<'_>, domains: &Domains, reports: &mut Vec<Report>) {
    let rules = policy.rules;
    for rule in policy.references.iter().filter(|rule| !rule.json.is_empty()) {
        let Ok(edge) = graph.reference(rule) else { continue };
        let (from, to) = edge.pairs[0];
        let (Some(document), Some(key)) = (&domains.resolved[from], &domains.resolved[to]) else { continue };
        let Choice::Mask(key) = &key.choice else { continue };
        let decided = match &document.choice {
            Choice::Keep { .. } => "are kept",
            Choice::Mask(mask) if mask.kind.name == json::JSON.name => match json::rule_at(&mask.params, &rule.json) {
                Some(Value::String(word)) if word == "keep" => "are kept",
                Some(Value::String(word)) if word == "null" => continue,
                Some(written) if is(written, key) => continue,
                Some(_) => "are masked in another way",
                None => continue,
            },
            // Nothing of the document is left that could be an id.
            Choice::Mask(_) | Choice::Null | Choice::Const(_) => continue,
        };
        let (name, path, target) = (graph.name(from), json::path_to(&rule.json), graph.name(to));
        let message = format!(
            "ids at {path} of \"{name}\" refer to \"{target}\" ({}) and {decided}",
            words(&Choice::Mask(key.clone()))
        );
        let (masked, terms) = match &document.choice {
            Choice::Mask(mask) => (masking(mask, &path, key), document.terms.clone()),
            _ => (masking(&keeping(), &path, key), Terms::default()),
        };
        let table = graph.groups[graph.nodes[from].group].root.full_name();
        let column = &graph.nodes[from].column.name;
        let instead = listed(rules, &table, column)
            .map_or_else(String::new, |there| format!("     # in place of {}", there.place));
        let hint = format!("{}\n{} = {}{instead}", under(rules, &table), toml_key(column), mask_line(&masked, &terms));
        reports.push(Report::new("plan::domain-conflict", message).place(super::place(&rule.place)).hint(hint));
    }
}

/// Whether a mask of a part of a document is the mask of a key.
fn is(written: &Value, key: &Mask) -> bool {
    let none = mask::Params::new();
    let (kind, label, params) = match written {
        Value::String(kind) => (Some(kind.as_str()), "", none),
        Value::Object(table) => {
            let mut params = table.clone();
            let kind = table.get("mask").and_then(Value::as_str);
            let label = table.get("label").and_then(Value::as_str).unwrap_or_default();
            params.retain(|name, _| name != "mask" && name != "label");
            (kind, label, params)
        }
        _ => (None, "", none),
    };
    let kind = kind.and_then(mask::kind);
    kind.is_some_and(|kind| kind.full_name() == key.kind.full_name()) && label == key.label && params == key.params
}

/// The mask that changes nothing.
fn keeping() -> Mask {
    let params = mask::Params::from_iter([("rest".to_owned(), json!("keep"))]);
    Mask { kind: &json::JSON, label: String::new(), params, subject: None, when: None, labelled: false }
}

/// The mask of a document that does at this path what is done to a key.
fn masking(document: &Mask, path: &str, key: &Mask) -> MaskRule {
    let mut part = key.params.clone();
    part.insert("mask".to_owned(), json!(key.kind.name));
    if !key.label.is_empty() {
        part.insert("label".to_owned(), json!(key.label));
    }
    let mut rule = document.rule();
    // Which paths are known stands in the lock.
    rule.params.remove("known");
    if let Some(paths) = rule.params.entry("paths").or_insert_with(|| json!({})).as_object_mut() {
        paths.insert(path.to_owned(), Value::Object(part));
    }
    rule
}
