//! The values inside a value: leaves of JSON documents and of XML, each with its path.

use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt::{Display, Write as _};

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
        return json(text, &mut Leaves { path: "$".to_owned(), open: Vec::new(), left: LEAVES_MAX, each });
    }
    text.starts_with('<') && text.contains("</") && xml(text, each)
}

/// Values and then keys of a JSON document, with blanks between them; none for what is none. Calls `each` with every key.
pub(super) fn words(text: &str, each: &mut dyn FnMut(&str)) -> Option<String> {
    // Deeper nesting than serde_json follows is read as it is written.
    let begins = text.trim_start().starts_with(['{', '[', '"']);
    let mut words = Words { values: String::new(), keys: String::new(), each };
    (begins && json(text, &mut words)).then(|| {
        words.values.push_str(" | ");
        words.values + &words.keys
    })
}

/// What a JSON document holds, in the order in which it is written. No tree is made of it: these are read by the million.
trait Reader {
    /// The value of a key comes next, and is done.
    fn enter(&mut self, key: &str);
    fn leave(&mut self);
    /// The elements of an array come next, and are done.
    fn enter_array(&mut self) {}
    fn leave_array(&mut self) {}
    fn text(&mut self, text: &str);
    fn other(&mut self, value: &dyn Display);
}

/// Reads a whole document; of what is none, nothing.
fn json(text: &str, reader: &mut impl Reader) -> bool {
    let is_document = serde_json::from_str::<IgnoredAny>(text).is_ok();
    // What was read once is read twice, except for numbers that no float holds.
    is_document && Walk(reader).deserialize(&mut serde_json::Deserializer::from_str(text)).is_ok()
}

struct Walk<'r, R>(&'r mut R);

impl<'de, R: Reader> DeserializeSeed<'de> for Walk<'_, R> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, R: Reader> Visitor<'de> for Walk<'_, R> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_key_seed(Key(&mut *self.0))?.is_some() {
            map.next_value_seed(Walk(&mut *self.0))?;
            self.0.leave();
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.0.enter_array();
        while seq.next_element_seed(Walk(&mut *self.0))?.is_some() {}
        self.0.leave_array();
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.text(text);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.0.other(&value);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.0.other(&value);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.0.other(&value);
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.0.other(&serde_json::Value::from(value));
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

struct Key<'r, R>(&'r mut R);

impl<'de, R: Reader> DeserializeSeed<'de> for Key<'_, R> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<R: Reader> Visitor<'_> for Key<'_, R> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<(), E> {
        self.0.enter(key);
        Ok(())
    }
}

struct Leaves<'e> {
    path: String,
    /// Of each step that is open: the length of the path before it, and the name behind it.
    open: Vec<(usize, String)>,
    left: usize,
    each: Each<'e>,
}

impl Leaves<'_> {
    fn step(&mut self, step: &str, name: String) {
        self.open.push((self.path.len(), name));
        self.path.push_str(step);
    }

    fn back(&mut self) {
        self.path.truncate(self.open.pop().map_or(0, |open| open.0));
    }
}

impl Reader for Leaves<'_> {
    fn enter(&mut self, key: &str) {
        self.step(&format!(".{}", step(key)), key.to_owned());
    }

    fn leave(&mut self) {
        self.back();
    }

    fn enter_array(&mut self) {
        let name = self.open.last().map_or_else(String::new, |open| open.1.clone());
        self.step("[*]", name);
    }

    fn leave_array(&mut self) {
        self.back();
    }

    fn text(&mut self, text: &str) {
        if self.open.len() <= DEPTH_MAX && self.left > 0 {
            self.left -= 1;
            (self.each)(&self.path, self.open.last().map_or("", |open| &open.1), text);
        }
    }

    fn other(&mut self, value: &dyn Display) {
        self.text(&value.to_string());
    }
}

struct Words<'e> {
    values: String,
    keys: String,
    each: &'e mut dyn FnMut(&str),
}

impl Reader for Words<'_> {
    fn enter(&mut self, key: &str) {
        (self.each)(key);
        self.keys.push_str(key);
        self.keys.push_str(" | ");
    }

    fn leave(&mut self) {}

    fn text(&mut self, text: &str) {
        self.values.push_str(text);
        self.values.push(' ');
    }

    fn other(&mut self, value: &dyn Display) {
        // Writing to a string does not fail.
        let _ = write!(self.values, "{value} ");
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
                "$.contact.email email a@example.org",
                "$.contact.tags[*] tags x",
                "$.contact.tags[*] tags 3",
                "$.* bob@example.org 1"
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
