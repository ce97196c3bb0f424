//! Ids inside documents that refer to a masked key: kept, they are the key as production knows it, and point nowhere.

use super::domain::{Choice, Domains, Mask, words};
use super::graph::Graph;
use super::toml_key;
use crate::config::ReferenceRule;
use crate::error::Report;
use crate::mask::{self, json};
use serde_json::Value;

/// Refuses documents whose ids would not become what the key they refer to becomes.
pub(super) fn check(graph: &Graph<'_>, references: &[ReferenceRule], domains: &Domains, reports: &mut Vec<Report>) {
    for rule in references.iter().filter(|rule| !rule.json.is_empty()) {
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
        let line = format!("{} = {}", toml_string(&path), written(key));
        let hint = match &document.choice {
            Choice::Mask(_) => format!("Write under `paths` of \"{name}\":\n{line}"),
            _ => {
                let column = toml_key(&graph.nodes[from].column.name);
                format!(
                    "Decide \"{name}\" so:\n{column} = {{ mask = \"json\", rest = \"keep\", paths = {{ {line} }} }}"
                )
            }
        };
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

/// The mask of a key as it is written for a part of a document.
fn written(key: &Mask) -> String {
    let params = params(&key.params);
    let label = match key.label.is_empty() {
        true => String::new(),
        false => format!(", label = {}", toml_string(&key.label)),
    };
    format!("{{ mask = {}{label}{params} }}", toml_string(key.kind.name))
}

/// Parameters as they stand behind the name of a mask: `, values = ["a", "b"]`.
pub(super) fn params(params: &mask::Params) -> String {
    params.iter().map(|(name, value)| format!(", {} = {}", toml_key(name), toml_value(value))).collect()
}

fn toml_string(text: &str) -> String {
    format!("\"{}\"", super::escape(text))
}

/// JSON and TOML write numbers, texts and lists alike; tables they do not.
fn toml_value(value: &Value) -> String {
    match value {
        Value::String(text) => toml_string(text),
        Value::Array(items) => format!("[{}]", items.iter().map(toml_value).collect::<Vec<_>>().join(", ")),
        Value::Object(table) => {
            let entries = table.iter().map(|(name, value)| format!("{} = {}", toml_key(name), toml_value(value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}
