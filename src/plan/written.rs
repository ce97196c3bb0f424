//! Lines of a configuration that are to be pasted: decisions on one line, where they belong, and lists with what is there.

use super::ColumnPlan;
use super::propose::{escape, key};
use crate::config::{Action, Decision, MaskRule, TableRule, Terms, literal};
use serde_json::Value;

/// The header under which the columns of a table stand, and where it does: a second one in a file would be no TOML.
pub fn header(rules: &[TableRule], table: &str) -> (String, Option<String>) {
    let pattern = literal(table);
    let rule = rules.iter().find(|rule| rule.pattern == pattern);
    let at = rule.and_then(|rule| rule.columns_at.as_ref()).map(super::place);
    (format!("[tables.\"{}\".columns]", escape(&pattern)), at)
}

/// The line above lines for a table: that they go under the header that is there, or the header itself.
pub fn under(rules: &[TableRule], table: &str) -> String {
    match header(rules, table) {
        (header, Some(at)) => format!("under {header} ({at}):"),
        (header, None) => header,
    }
}

/// The decision that stands there for a column, by the names of both: a new one goes in its place.
pub fn listed<'a>(rules: &'a [TableRule], table: &str, column: &str) -> Option<&'a Decision> {
    let (pattern, name) = (literal(table), literal(column));
    let own = rules.iter().filter(|rule| rule.pattern == pattern).flat_map(|rule| &rule.columns);
    own.into_iter().find(|(pattern, _)| *pattern == name).map(|(_, decision)| decision)
}

/// An option that lists globs, with names beside those that are there: one line, because a second one would be no TOML.
pub fn list_line<'n>(option: &str, section: &str, there: &[String], names: impl Iterator<Item = &'n String>) -> String {
    let mut list = there.to_vec();
    for pattern in names.map(|name| literal(name)) {
        if !list.contains(&pattern) {
            list.push(pattern);
        }
    }
    let list: Vec<String> = list.iter().map(|pattern| format!("\"{}\"", escape(pattern))).collect();
    let instead = if there.is_empty() { "" } else { ", instead of the one there" };
    format!("{option} = [{}]     # under [{section}]{instead}", list.join(", "))
}

/// The statement that gives a function a `search_path` of its own, in which its body finds what it names.
pub fn with_path(function: &str, schemas: &[String]) -> String {
    let schemas: Vec<String> = schemas.iter().map(|schema| crate::pg::quote_ident(schema)).collect();
    format!("ALTER FUNCTION {function} SET search_path = {};     -- at the source", schemas.join(", "))
}

/// The statement that gives a table a name without dots.
pub fn without_dots(schema: &str, name: &str) -> String {
    let (table, new) = (crate::pg::quote_qualified(schema, name), crate::pg::quote_ident(&name.replace('.', "_")));
    format!("ALTER TABLE {table} RENAME TO {new};     -- at the source")
}

/// The statement that takes a text out of a table or domain, as the lock calls it: `default of note`, `check positive`.
/// None if it calls it otherwise.
pub fn without_text(owner: &str, domain: bool, text: &str) -> Option<String> {
    let quoted = match owner.split_once('.') {
        Some((schema, table)) if !domain => crate::pg::quote_qualified(schema, table),
        // The name of a type is written as SQL writes it.
        _ => owner.to_owned(),
    };
    let what = if domain { "DOMAIN" } else { "TABLE" };
    let (kind, name) = text.split_once(' ').map_or((text, ""), |(kind, name)| (kind, name));
    let column = |name: &str| format!("ALTER COLUMN {}", crate::pg::quote_ident(name));
    let clause = match kind {
        "default" if domain => "DROP DEFAULT".to_owned(),
        "default" => format!("{} DROP DEFAULT", column(name.strip_prefix("of ")?)),
        "check" => format!("DROP CONSTRAINT {}", crate::pg::quote_ident(name)),
        "generated" => format!("{} DROP EXPRESSION", column(name)),
        _ => return None,
    };
    Some(format!("ALTER {what} {quoted} {clause};     -- at the source"))
}

/// The decision of a rule that a column got; none if a pack, a foreign key or nobody decided it.
pub fn decision_of<'a>(rules: &'a [TableRule], column: &ColumnPlan) -> Option<&'a Decision> {
    let place = column.place.as_ref()?;
    let decisions =
        rules.iter().flat_map(|rule| rule.columns.iter().map(|(_, decision)| decision).chain(&rule.default));
    decisions.into_iter().find(|decision| decision.place == *place)
}

/// `{ keep = "why", until = "2030-01-01" }`.
pub fn keep_line(reason: Option<&str>, until: Option<jiff::civil::Date>) -> String {
    let Some(why) = reason else { return "\"keep\"".to_owned() };
    let until = until.map_or_else(String::new, |day| format!(", until = \"{day}\""));
    format!("{{ keep = \"{}\"{until} }}", escape(why))
}

/// A decision as it is written in one line.
pub fn decision_line(decision: &Decision) -> String {
    match &decision.action {
        Action::Keep { reason } => keep_line(reason.as_deref(), decision.terms.until),
        Action::Null => "\"null\"".to_owned(),
        Action::Mask(rule) => mask_line(rule, &decision.terms),
    }
}

/// `{ mask = "json", paths = { "$.a" = "email" }, rest = "keep" }`.
pub fn mask_line(rule: &MaskRule, terms: &Terms) -> String {
    let text = |text: &str| format!("\"{}\"", escape(text));
    let mut fields = vec![format!("mask = {}", text(&rule.kind))];
    for (name, value) in [("label", &rule.label), ("subject", &rule.subject)] {
        fields.extend(value.iter().map(|value| format!("{name} = {}", text(value))));
    }
    if let Some(when) = &rule.when {
        fields.push(format!("when = {}", text(&when.condition)));
        fields.extend(when.path.iter().map(|path| format!("when_at = {}", text(path))));
        let until = when.until.map_or_else(String::new, |day| format!(", until = \"{day}\""));
        fields.extend(when.keep.iter().map(|why| format!("otherwise = {{ keep = {}{until} }}", text(why))));
    }
    fields.extend(rule.params.iter().map(|(name, value)| format!("{} = {}", key(name), toml_value(value))));
    fields.extend(terms.reason.iter().map(|why| format!("reason = {}", text(why))));
    fields.extend(terms.until.iter().map(|day| format!("until = \"{day}\"")));
    format!("{{ {} }}", fields.join(", "))
}

/// A value of a parameter in TOML; it has no null, and parameters hold none.
fn toml_value(value: &Value) -> String {
    match value {
        Value::String(text) => format!("\"{}\"", escape(text)),
        Value::Array(items) => format!("[{}]", items.iter().map(toml_value).collect::<Vec<_>>().join(", ")),
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| format!("{} = {}", key(name), toml_value(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        scalar => scalar.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_line_reads_as_the_decision_it_was_made_of() {
        let params = json!({ "paths": { "$.a \"b\"\n": "email", "$.n": { "mask": "int", "min": 1 } }, "rest": "keep" });
        let rule = MaskRule {
            kind: "json".into(),
            label: Some("crm".into()),
            subject: None,
            when: None,
            params: params.as_object().expect("a table").clone(),
        };
        let terms = Terms { reason: Some("why".into()), until: None };
        let line = mask_line(&rule, &terms);
        assert!(!line.contains('\n'), "{line}");
        let read: toml::Table = format!("c = {line}").parse().expect("TOML");
        let read = serde_json::to_value(&read["c"]).expect("JSON");
        let mut expected = params;
        for (name, text) in [("mask", "json"), ("label", "crm"), ("reason", "why")] {
            expected[name] = json!(text);
        }
        assert_eq!(read, expected, "{line}");
    }
}
