//! What to do about keys that nobody has reviewed: lines that hide them when they are pasted, and where they are.

use super::Job;
use crate::config::{Action, MaskRule, Terms};
use crate::mask::json::path_of;
use crate::mask::{MaskSpec, Params, Shape};
use crate::pg::quote_ident;
use crate::plan::{self, TablePlan, toml_key};
use serde_json::json;
use std::collections::BTreeSet;

/// Paths that a line names; where there are more, it hides whatever is not known.
const NAMED_MAX: usize = 10;
/// Objects that a hint tells how to look into.
const QUERIES_MAX: usize = 3;

/// A column whose documents hold what nobody has reviewed.
pub(super) struct Asked<'a> {
    pub job: &'a Job,
    pub table: &'a TablePlan,
    /// The table, or the root of its partition tree.
    pub name: &'a str,
    pub column: &'a str,
    /// None: the column is kept as it is.
    pub mask: Option<&'a MaskSpec>,
    /// What is new, as a survey writes it.
    pub paths: &'a BTreeSet<String>,
    pub known: Option<&'a BTreeSet<String>>,
    /// It holds an hstore, which has a mask of its own.
    pub hstore: bool,
}

pub(super) fn hint(asked: &Asked<'_>) -> String {
    let mut hint = "If they say nothing about a person:\nrestage plan --write-lock".to_owned();
    let rules = &asked.job.rules;
    let instead = plan::listed(rules, asked.name, asked.column)
        .map_or_else(String::new, |decision| format!(", in place of what decides the column at {}", decision.place));
    hint.push_str(&format!(
        "\nElse hide them{instead}, and then: restage plan --write-lock\n{}\n{} = {}",
        plan::under(rules, asked.name),
        toml_key(asked.column),
        line(asked)
    ));
    if asked.mask.is_some() && !asked.hstore && !has_sealed(asked.paths) {
        hint.push_str("\nOr let unknown keys become null: unknown_keys = \"null\"");
    }
    let queries = queries(asked);
    if !queries.is_empty() {
        hint.push_str("\nKeys that may be somebody's are told as hashes. They are among these, on the source:");
    }
    for query in queries {
        hint.push_str(&format!("\n{query}"));
    }
    hint
}

/// A path with a key that is not written down.
fn is_sealed(path: &str) -> bool {
    path.contains("[\"#")
}

fn has_sealed(paths: &BTreeSet<String>) -> bool {
    paths.iter().any(|path| is_sealed(path))
}

/// The decision that hides what is new. A key that cannot be named is hidden with whatever else is not known.
fn line(asked: &Asked<'_>) -> String {
    if asked.hstore {
        return hstore_line(asked);
    }
    let (mut rule, terms) = decided(asked);
    let named = asked.paths.iter().map(|entry| path_of(entry)).filter(|path| !is_sealed(path));
    let named: Vec<&str> = named.collect();
    let all = !has_sealed(asked.paths) && named.len() <= NAMED_MAX;
    let paths = rule.params.entry("paths").or_insert_with(|| json!({}));
    if let Some(paths) = paths.as_object_mut() {
        for path in named.into_iter().take(NAMED_MAX) {
            let decided = paths.entry(path).or_insert_with(|| json!("null"));
            // What stands there is of another type than was reviewed: the path itself goes.
            if decided == "keep" {
                *decided = json!("null");
            }
        }
        if paths.is_empty() {
            rule.params.remove("paths");
        }
    }
    if !all {
        rule.params.insert("unknown_keys".to_owned(), json!("null"));
    }
    plan::mask_line(&rule, &terms)
}

/// The decision that keeps the keys of an hstore that were reviewed, and no others.
fn hstore_line(asked: &Asked<'_>) -> String {
    let new: BTreeSet<&str> = asked.paths.iter().map(|entry| path_of(entry)).collect();
    let known = asked.known.into_iter().flatten().map(|entry| path_of(entry)).filter(|path| !new.contains(path));
    let (mut rule, terms) = decided(asked);
    "hstore".clone_into(&mut rule.kind);
    let fields = rule.params.get("fields").and_then(serde_json::Value::as_object);
    let mut fields: Params = fields.cloned().unwrap_or_default();
    for key in known.filter_map(|path| member(path, "$")) {
        fields.entry(key).or_insert_with(|| json!("keep"));
    }
    rule.params = Params::from_iter([("fields".to_owned(), json!(fields)), ("rest".to_owned(), json!("null"))]);
    plan::mask_line(&rule, &terms)
}

/// The mask of the column as it is written, or one that keeps everything.
fn decided(asked: &Asked<'_>) -> (MaskRule, Terms) {
    let planned = asked.table.columns.iter().find(|column| column.name == asked.column);
    let decision = planned.and_then(|column| plan::decision_of(&asked.job.rules, column));
    if let (Some(_), Some(decision)) = (asked.mask, decision)
        && let Action::Mask(rule) = &decision.action
    {
        return (rule.clone(), decision.terms.clone());
    }
    let mut params = asked.mask.map(|mask| mask.params.clone()).unwrap_or_default();
    params.remove("known");
    params.entry("rest").or_insert_with(|| json!("keep"));
    let label = asked.mask.map(|mask| mask.label.clone()).filter(|label| !label.is_empty());
    (MaskRule { kind: "json".to_owned(), label, subject: None, when: None, params }, Terms::default())
}

/// Queries that list rows and the keys in them that no reviewed path names: no value is in their answers.
fn queries(asked: &Asked<'_>) -> Vec<String> {
    let sealed = asked.paths.iter().map(|entry| path_of(entry)).filter_map(|path| path.split_once("[\"#"));
    let objects: BTreeSet<&str> = sealed.map(|(object, _)| object).collect();
    let written = asked.mask.and_then(|mask| mask.params.get("paths")?.as_object());
    let written = written.into_iter().flatten().map(|(path, _)| path.as_str());
    let entries = asked.known.into_iter().flatten().chain(asked.paths).map(|entry| path_of(entry));
    let paths: Vec<&str> = entries.chain(written).collect();
    let spec = asked.table.mask.columns.iter().find(|spec| {
        spec.name.strip_prefix(&asked.table.full_name()).and_then(|rest| rest.strip_prefix('.')) == Some(asked.column)
    });
    let planned = asked.table.columns.iter().find(|column| column.name == asked.column);
    let array = match spec {
        Some(spec) => matches!(spec.shape, Shape::Array(_)),
        None => planned.is_some_and(|column| column.type_name.ends_with("[]")),
    };
    let column = format!("t.{}", quote_ident(asked.column));
    let (document, more) = match array {
        true => ("d".to_owned(), format!("unnest({column}) AS d, ")),
        false => (column, String::new()),
    };
    // The new key may be in any partition of a table.
    let own = (asked.table.schema.as_str(), asked.table.name.as_str());
    let root = asked.name.split_once('.').filter(|_| asked.name != asked.table.full_name());
    let (schema, table) = root.unwrap_or(own);
    let table = format!("{}.{}", quote_ident(schema), quote_ident(table));
    let query = |object: &str| {
        let known: BTreeSet<&str> = paths.iter().filter_map(|path| member(path, object)).collect();
        let known: Vec<String> = known.into_iter().map(|key| format!("'{}'", key.replace('\'', "''"))).collect();
        let others =
            if known.is_empty() { String::new() } else { format!(" WHERE k <> ALL (ARRAY[{}])", known.join(", ")) };
        format!(
            "SELECT t.tableoid::regclass, t.ctid, k FROM {table} AS t, {more}jsonb_path_query({document}::jsonb, '{}') AS o, \
             jsonb_object_keys(CASE jsonb_typeof(o) WHEN 'object' THEN o ELSE '{{}}' END) AS k{others} LIMIT 100;",
            json_path(object)
        )
    };
    objects.into_iter().take(QUERIES_MAX).map(query).collect()
}

/// The key that a path takes below an object.
fn member<'p>(path: &'p str, object: &str) -> Option<&'p str> {
    let below = path.strip_prefix(object)?.strip_prefix('.')?;
    let key = below.split(['.', '[']).next()?;
    (!key.is_empty() && key != "*").then_some(key)
}

/// A path as SQL/JSON writes it: `$.users.*[*]` is `$."users".*[*]`.
fn json_path(path: &str) -> String {
    let mut out = String::new();
    for (at, piece) in path.split('.').enumerate() {
        let (key, elements) = piece.split_at(piece.find('[').unwrap_or(piece.len()));
        match key {
            _ if at == 0 => out.push_str(key),
            "*" => out.push_str(".*"),
            key => out.push_str(&format!(".\"{key}\"")),
        }
        out.push_str(elements);
    }
    out.replace('\'', "''")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_written_as_sql_reads_them() {
        assert_eq!(json_path("$"), "$");
        assert_eq!(json_path("$.users.*.x-y[*]"), "$.\"users\".*.\"x-y\"[*]");
        assert_eq!(json_path("$[*].a"), "$[*].\"a\"");
    }

    #[test]
    fn keys_of_an_object_are_those_one_step_below() {
        assert_eq!(member("$.plan.level", "$"), Some("plan"));
        assert_eq!(member("$.plan.level", "$.plan"), Some("level"));
        assert_eq!(member("$.planning", "$.plan"), None);
        assert_eq!(member("$.tags[*].x", "$"), Some("tags"));
        assert_eq!(member("$.*", "$"), None);
        assert_eq!(member("$..phone", "$"), None);
    }
}
