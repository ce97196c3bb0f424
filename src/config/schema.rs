//! The JSON Schema of `restage.toml` (draft 7), made of [`OPTIONS`]: editors check and complete with it.

use super::options::{ConfigOption, Kind, Need, OPTIONS};
use serde_json::{Map, Value, json};

/// The schema. Every option is in it, with its meaning, range and default; unknown keys are errors, as for the reader.
pub fn schema() -> Value {
    let mut root = object("restage.toml", &[]);
    for option in OPTIONS.iter().filter(|option| !option.path.starts_with("decision.")) {
        let steps: Vec<&str> = option.path.split('.').collect();
        insert(&mut root, &steps, option);
    }
    let decision = decision();
    root["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    root["definitions"] = json!({ "decision": decision });
    root
}

fn object(description: &str, required: &[&str]) -> Value {
    let mut value = json!({"type": "object", "properties": {}, "additionalProperties": false});
    if !description.is_empty() {
        value["description"] = json!(description);
    }
    if !required.is_empty() {
        value["required"] = json!(required);
    }
    value
}

/// Puts an option in its place below the tables before it.
fn insert(at: &mut Value, steps: &[&str], option: &ConfigOption) {
    // The table itself, inside an array of tables or beside a short form.
    let table = if at.get("items").is_some() {
        &mut at["items"]
    } else if at.get("oneOf").is_some() {
        let forms = at["oneOf"].as_array_mut().expect("oneOf is a list");
        forms.last_mut().expect("the table is the last form")
    } else {
        at
    };
    let [step, rest @ ..] = steps else { return };
    let place = if *step == "*" { &mut table["additionalProperties"] } else { &mut table["properties"][*step] };
    if rest.is_empty() {
        *place = shape(option);
        if option.need == Need::Required && *step != "*" {
            let entry = table.as_object_mut().expect("a table").entry("required").or_insert_with(|| json!([]));
            entry.as_array_mut().expect("a list").push(json!(step));
        }
        return;
    }
    if !place.is_object() {
        *place = object("", &[]);
    }
    insert(place, rest, option);
}

fn shape(option: &ConfigOption) -> Value {
    let text = || json!({"type": "string", "minLength": 1});
    // Any string may be a variable, so what is a number or a choice can be one too.
    let mut value = match option.kind {
        Kind::Text | Kind::Connection | Kind::WebHook | Kind::Path | Kind::Cron | Kind::ColumnName => text(),
        Kind::Name => json!({"type": "string", "minLength": 1, "maxLength": 63}),
        Kind::Boolean => json!({"type": "boolean"}),
        Kind::Integer { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
        Kind::RowsEach { max } => {
            json!({"oneOf": [{"enum": ["all"]}, {"type": "integer", "minimum": 1, "maximum": max}]})
        }
        Kind::Number { min, max } => json!({"type": "number", "minimum": min, "maximum": max}),
        Kind::Duration { .. } => json!({"type": "string", "pattern": r"^(\$\{.*|[0-9.]+ ?[a-z]+.*)$"}),
        Kind::Size { .. } | Kind::Rate { .. } => json!({"type": ["string", "integer"]}),
        Kind::OneOf(words) => json!({"anyOf": [{"enum": words}, {"type": "string", "pattern": r"\$\{"}]}),
        Kind::Texts | Kind::Names | Kind::Command => json!({"type": "array", "items": {"type": "string"}}),
        Kind::AnyOf(words) => json!({"type": "array", "items": {"enum": words}}),
        Kind::Table => object("", &[]),
        Kind::Tables => json!({"type": "array", "items": object("", &[])}),
        Kind::Map => json!({"type": "object", "additionalProperties": {"type": "string"}}),
        Kind::Values => json!({"type": "object"}),
        Kind::Rows | Kind::Children => json!({"oneOf": [{"enum": ["all", "none"]}, object("", &[])]}),
        // A date of TOML is told to editors as a string.
        Kind::Date => json!({"type": "string", "format": "date"}),
        Kind::Decision => json!({"$ref": "#/definitions/decision"}),
    };
    if let Kind::Decision = option.kind {
        return value;
    }
    let members = value.as_object_mut().expect("a schema is an object");
    describe(members, option);
    value
}

fn describe(members: &mut Map<String, Value>, option: &ConfigOption) {
    let absent = match option.need {
        Need::Absent(words) => format!(" Without it: {words}."),
        Need::Required | Need::Default(_) => String::new(),
    };
    members.insert("description".to_owned(), json!(format!("{}{absent}", option.meaning)));
    if let Need::Default(text) = option.need
        && let Ok(table) = format!("value = {text}").parse::<toml::Table>()
        && let Ok(default) = serde_json::to_value(&table["value"])
    {
        members.insert("default".to_owned(), default);
    }
}

/// `"keep"`, `"null"`, a kind, or a table: with `keep` alone, or with `mask` and the parameters of the kind.
fn decision() -> Value {
    let of = |path: &str| OPTIONS.iter().find(|option| option.path == path);
    let mut table = json!({"type": "object", "properties": {}, "additionalProperties": true, "anyOf": [
        {"required": ["mask"]}, {"required": ["keep"]},
    ]});
    for option in OPTIONS.iter().filter(|option| option.path.starts_with("decision.")) {
        let name = option.path.trim_start_matches("decision.");
        // Parts of an option that is a table itself are not listed: kinds check them.
        if !name.contains('.') {
            table["properties"][name] = of(option.path).map_or(Value::Null, shape);
        }
    }
    let kinds =
        json!({"type": "string", "minLength": 1, "description": "`keep`, `null` or a mask kind: see `restage kinds`."});
    json!({"oneOf": [kinds, table]})
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The part of the schema for a path.
    fn at<'a>(schema: &'a Value, path: &str) -> &'a Value {
        path.split('.').fold(schema, |value, step| {
            let value = value.get("items").unwrap_or(value);
            let value = value.get("oneOf").and_then(Value::as_array).and_then(|forms| forms.last()).unwrap_or(value);
            if step == "*" { &value["additionalProperties"] } else { &value["properties"][step] }
        })
    }

    #[test]
    fn every_option_is_in_the_schema_with_its_meaning() {
        let schema = schema();
        for option in OPTIONS.iter().filter(|option| !option.path.starts_with("decision.")) {
            let found = at(&schema, option.path);
            match option.kind {
                Kind::Decision => assert_eq!(found["$ref"], "#/definitions/decision", "{}", option.path),
                _ => {
                    let told = found["description"].as_str().unwrap_or_default();
                    assert!(told.starts_with(option.meaning), "{}: {found}", option.path);
                }
            }
        }
        assert_eq!(at(&schema, "source")["required"], json!(["url"]));
        assert_eq!(at(&schema, "source.workers")["default"], json!(2));
        assert_eq!(at(&schema, "source.workers")["maximum"], json!(64));
        assert_eq!(schema["required"], json!(["version", "source"]));
    }
}
