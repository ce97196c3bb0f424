//! The values inside a value: leaves of JSON documents and of XML, each with its path.

use serde_json::Value;

/// Deepest nesting that is followed.
const DEPTH_MAX: usize = 32;
/// Most leaves of one document that are looked at: the longest that is read (a million characters) has hardly more.
const LEAVES_MAX: usize = 65_536;

/// A leaf: the path with `[*]` for any element, and the name of its last step.
pub(super) type Each<'a> = &'a mut dyn FnMut(&str, &str, &str);

/// Calls `each` with path, last name and value of every leaf; false if `text` is no document.
pub(super) fn leaves(text: &str, each: Each<'_>) -> bool {
    let text = text.trim_start();
    if text.starts_with(['{', '[']) {
        let Ok(document) = serde_json::from_str::<Value>(text) else { return false };
        let mut left = LEAVES_MAX;
        json(&document, "$", "", 0, &mut left, each);
        return true;
    }
    text.starts_with('<') && text.contains("</") && xml(text, each)
}

fn json(value: &Value, path: &str, name: &str, depth: usize, left: &mut usize, each: Each<'_>) {
    if depth > DEPTH_MAX || *left == 0 {
        return;
    }
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                json(value, &format!("{path}.{}", step(key)), key, depth + 1, left, each);
            }
        }
        Value::Array(items) => {
            for value in items {
                json(value, &format!("{path}[*]"), name, depth + 1, left, each);
            }
        }
        Value::Null => {}
        leaf => {
            *left -= 1;
            match leaf {
                Value::String(text) => each(path, name, text),
                other => each(path, name, &other.to_string()),
            }
        }
    }
}

/// Values and then keys of a JSON document, with blanks between them; none for what is none.
pub(super) fn words(text: &str) -> Option<String> {
    if !text.trim_start().starts_with(['{', '[', '"']) {
        return None;
    }
    // Deeper nesting than serde_json follows is read as it is written.
    let document = serde_json::from_str::<Value>(text).ok()?;
    let (mut values, mut keys) = (String::with_capacity(text.len()), String::new());
    gather(&document, &mut values, &mut keys);
    values.push_str(" | ");
    values.push_str(&keys);
    Some(values)
}

fn gather(value: &Value, values: &mut String, keys: &mut String) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                keys.push_str(key);
                keys.push_str(" | ");
                gather(value, values, keys);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, values, keys)),
        Value::String(text) => {
            values.push_str(text);
            values.push(' ');
        }
        Value::Null => {}
        other => {
            values.push_str(&other.to_string());
            values.push(' ');
        }
    }
}

/// A key as it may be shown: a key can be personal data itself, so only what looks like an identifier is.
fn step(key: &str) -> &str {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let digits = key.bytes().filter(u8::is_ascii_digit).count();
    let identifier = key.len() <= 40 && digits <= 4 && key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if identifier && key.chars().all(plain) { key } else { "*" }
}

/// Text and attributes by element; no more of XML than that.
fn xml(text: &str, each: Each<'_>) -> bool {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text;
    let mut left = LEAVES_MAX;
    while let Some(start) = rest.find('<') {
        let content = rest[..start].trim();
        if let Some(name) = open.last().filter(|_| !content.is_empty() && left > 0) {
            left -= 1;
            each(&path(&open), name, content);
        }
        let Some(end) = rest[start..].find('>') else { return true };
        let tag = &rest[start + 1..start + end];
        rest = &rest[start + end + 1..];
        if tag.starts_with('/') {
            open.pop();
        } else if !tag.starts_with(['?', '!']) {
            let name = tag.split(|c: char| c.is_whitespace() || c == '/').next().unwrap_or(tag);
            open.push(name.rsplit(':').next().unwrap_or(name));
            attributes(tag, &open, &mut left, each);
            if tag.ends_with('/') || open.len() > DEPTH_MAX {
                open.pop();
            }
        }
    }
    true
}

fn attributes(tag: &str, open: &[&str], left: &mut usize, each: Each<'_>) {
    let mut pieces = tag.split('"');
    while let (Some(before), Some(value)) = (pieces.next(), pieces.next()) {
        let name = before.trim().trim_end_matches('=').rsplit(char::is_whitespace).next().unwrap_or("").trim();
        if !name.is_empty() && *left > 0 {
            *left -= 1;
            each(&format!("{}@{}", path(open), step(name)), name, value);
        }
    }
}

fn path(open: &[&str]) -> String {
    open.iter().fold(String::from("$"), |path, name| format!("{path}.{}", step(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, String, String)> {
        let mut all = Vec::new();
        assert!(leaves(text, &mut |path, name, value| all.push((path.into(), name.into(), value.into()))));
        all
    }

    #[test]
    fn leaves_of_json_have_paths_without_values() {
        let all = found(r#"{"contact": {"email": "a@example.org", "tags": ["x", 3]}, "bob@example.org": 1}"#);
        let shown: Vec<String> = all.iter().map(|(path, name, value)| format!("{path} {name} {value}")).collect();
        assert_eq!(
            shown,
            [
                "$.* bob@example.org 1",
                "$.contact.email email a@example.org",
                "$.contact.tags[*] tags x",
                "$.contact.tags[*] tags 3"
            ]
        );
    }

    #[test]
    fn leaves_of_xml_are_text_and_attributes() {
        let all = found(r#"<?xml version="1.0"?><order><ns:email kind="home">a@example.org</ns:email><x/></order>"#);
        let shown: Vec<String> = all.iter().map(|(path, _, value)| format!("{path} {value}")).collect();
        assert_eq!(shown, ["$.order.email@kind home", "$.order.email a@example.org"]);
    }

    #[test]
    fn what_is_no_document_is_told() {
        for text in ["", "plain", "{broken", "<3 you"] {
            assert!(!leaves(text, &mut |_, _, _| panic!("no leaf")), "{text}");
        }
    }
}
