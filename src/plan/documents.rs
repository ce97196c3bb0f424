//! Ids inside documents that refer to a masked key: kept, they are the key as production knows it, and point nowhere.

use super::domain::{Choice, Domains, Mask, Resolved, words};
use super::graph::{Graph, Node};
use super::written::{listed, mask_line, under};
use super::{Policy, toml_key};
use crate::config::{MaskRule, ReferenceRule, Terms};
use crate::error::Report;
use crate::mask::{self, json};
use serde_json::{Value, json};

/// An id in a document that would not become what the key it refers to becomes.
struct Stray<'a> {
    rule: &'a ReferenceRule,
    path: String,
    key: &'a Mask,
    /// What is told of it.
    why: String,
}

/// Refuses documents whose ids would not become what the key they refer to becomes: one report for each, because its line
/// can be written once only.
pub(super) fn check(graph: &Graph<'_>, policy: &Policy<'_>, domains: &Domains, reports: &mut Vec<Report>) {
    let mut documents: Vec<(Node, Vec<Stray<'_>>)> = Vec::new();
    for rule in policy.references.iter().filter(|rule| !rule.json.is_empty()) {
        let Ok(edge) = graph.reference(rule) else { continue };
        let (from, to) = edge.pairs[0];
        let Some(stray) = stray(graph, rule, (from, to), domains) else { continue };
        match documents.iter_mut().find(|(document, _)| *document == from) {
            Some((_, strays)) => strays.push(stray),
            None => documents.push((from, vec![stray])),
        }
    }
    for (document, strays) in &documents {
        let Some(decided) = &domains.resolved[*document] else { continue };
        reports.push(refusal(graph, policy, *document, decided, strays));
    }
}

fn stray<'a>(
    graph: &Graph<'_>,
    rule: &'a ReferenceRule,
    (from, to): (Node, Node),
    domains: &'a Domains,
) -> Option<Stray<'a>> {
    let (document, key) = (domains.resolved[from].as_ref()?, domains.resolved[to].as_ref()?);
    let Choice::Mask(key) = &key.choice else { return None };
    let decided = match &document.choice {
        Choice::Keep { .. } => "are kept",
        Choice::Mask(mask) if mask.kind.name == json::JSON.name => match json::rule_at(&mask.params, &rule.json)? {
            Value::String(word) if word == "keep" => "are kept",
            Value::String(word) if word == "null" => return None,
            written if is(written, key) => return None,
            _ => "are masked in another way",
        },
        // Nothing of the document is left that could be an id.
        Choice::Mask(_) | Choice::Null | Choice::Const(_) => return None,
    };
    let (name, path, target) = (graph.name(from), json::path_to(&rule.json), graph.name(to));
    let kind = words(&Choice::Mask(key.clone()));
    let why = format!("ids at {path} of \"{name}\" refer to \"{target}\" ({kind}) and {decided}");
    Some(Stray { rule, path, key, why })
}

fn refusal(graph: &Graph<'_>, policy: &Policy<'_>, node: Node, decided: &Resolved, strays: &[Stray<'_>]) -> Report {
    let (rules, first) = (policy.rules, &strays[0]);
    let (masked, terms) = match &decided.choice {
        Choice::Mask(mask) => (masking(mask, strays), decided.terms.clone()),
        _ => (masking(&keeping(), strays), Terms::default()),
    };
    let table = graph.groups[graph.nodes[node].group].root.full_name();
    let column = &graph.nodes[node].column.name;
    let instead =
        listed(rules, &table, column).map_or_else(String::new, |there| format!("     # in place of {}", there.place));
    let hint = format!("{}\n{} = {}{instead}", under(rules, &table), toml_key(column), mask_line(&masked, &terms));
    let report = match strays {
        [one] => Report::new("plan::domain-conflict", one.why.clone()),
        several => {
            let message = format!(
                "ids at {} places of \"{}\" refer to keys that become something else",
                several.len(),
                graph.name(node)
            );
            let lines = several.iter().map(|stray| format!("{} ({})", stray.why, super::place(&stray.rule.place)));
            Report::new("plan::domain-conflict", message).detail(lines.collect::<Vec<_>>().join("\n"))
        }
    };
    report.place(super::place(&first.rule.place)).hint(hint)
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

/// The mask of a document that does at these paths what is done to the keys.
fn masking(document: &Mask, strays: &[Stray<'_>]) -> MaskRule {
    let mut rule = document.rule();
    // Which paths are known stands in the lock.
    rule.params.remove("known");
    if let Some(paths) = rule.params.entry("paths").or_insert_with(|| json!({})).as_object_mut() {
        for Stray { path, key, .. } in strays {
            let mut part = key.params.clone();
            part.insert("mask".to_owned(), json!(key.kind.name));
            if !key.label.is_empty() {
                part.insert("label".to_owned(), json!(key.label));
            }
            paths.insert(path.clone(), Value::Object(part));
        }
    }
    rule
}
