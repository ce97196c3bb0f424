//! Decisions as a configuration writes them, on one line, so that it can be pasted in place of the one that is there.

use super::ColumnPlan;
use super::propose::{escape, key};
use crate::config::{Decision, MaskRule, TableRule, Terms};
use serde_json::Value;

/// The decision of a rule that a column got; none if a pack, a foreign key or nobody decided it.
pub fn decision_of<'a>(rules: &'a [TableRule], column: &ColumnPlan) -> Option<&'a Decision> {
    let place = column.place.as_ref()?;
    let decisions =
        rules.iter().flat_map(|rule| rule.columns.iter().map(|(_, decision)| decision).chain(&rule.default));
    decisions.into_iter().find(|decision| decision.place == *place)
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
