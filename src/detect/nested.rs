//! The values inside a value: leaves of JSON documents and of XML, each with its path; and what a text is written as.

use super::content;
use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt::{Display, Write as _};
use std::hash::BuildHasher as _;

/// Deepest nesting that is followed.
const DEPTH_MAX: usize = 32;
/// Most leaves of one document that are looked at: the longest that is read (a million characters) has hardly more.
const LEAVES_MAX: usize = 65_536;

/// Elements that texts with tags begin with, where people write them.
const HTML: &[&str] = &[
    "!doctype",
    "a",
    "article",
    "b",
    "blockquote",
    "body",
    "br",
    "center",
    "code",
    "div",
    "em",
    "figure",
    "font",
    "footer",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hr",
    "html",
    "i",
    "img",
    "li",
    "main",
    "meta",
    "ol",
    "p",
    "pre",
    "section",
    "small",
    "span",
    "strong",
    "style",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tr",
    "u",
    "ul",
];
/// Fewest lines or pairs that are fields: one alone is a remark with a colon.
const FIELDS_MIN: usize = 2;

/// What texts are written as that are more than words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Documents {
    Json,
    Xml,
    /// Prose in tags.
    Html,
    /// Names and values in another form: YAML, serialized PHP, `key=value`, HL7, vCard, what Ruby and Python print.
    Fields,
}

/// What a text is written as; none for words. Its end may be cut off.
pub(super) fn form(text: &str) -> Option<Documents> {
    let text = text.trim();
    let opens = |signs: &[char]| text[1..].trim_start().starts_with(signs);
    match text.as_bytes().first()? {
        b'{' | b'[' if is_json(text) => Some(Documents::Json),
        b'{' if opens(&['"', '}']) => Some(Documents::Json),
        b'[' if opens(&['"', '{', '[', ']']) => Some(Documents::Json),
        // `{:name=>"x"}`, `{'name': 'x'}`.
        b'{' if text.contains("=>") || text.contains("': ") => Some(Documents::Fields),
        b'[' if text.contains("{:") || text.contains("{'") => Some(Documents::Fields),
        // `#<User id: 1>`.
        b'#' if text.starts_with("#<") && text.contains(": ") => Some(Documents::Fields),
        b'<' => markup(text),
        _ if is_serialized(text) || is_message(text) || is_fields(text) => Some(Documents::Fields),
        _ => None,
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

fn markup(text: &str) -> Option<Documents> {
    let name: String =
        text[1..].chars().take_while(|c| c.is_alphanumeric() || matches!(c, '!' | '?' | '-' | '_' | ':')).collect();
    let name = name.to_lowercase();
    let closed = text.contains("</") || text.contains("/>");
    match name.as_str() {
        "" => None,
        "!--" => Some(Documents::Html),
        // It says what it is; what it is can still be a page.
        "?xml" => Some(if text.to_lowercase().contains("<html") { Documents::Html } else { Documents::Xml }),
        name if HTML.contains(&name) => Some(Documents::Html),
        name if closed && name.starts_with(char::is_alphabetic) => Some(Documents::Xml),
        _ => None,
    }
}

/// What PHP writes: `a:1:{s:4:"name";s:3:"Ann";}`.
fn is_serialized(text: &str) -> bool {
    let mut pieces = text.splitn(3, ':');
    let (Some(kind), Some(count), Some(rest)) = (pieces.next(), pieces.next(), pieces.next()) else { return false };
    let counted = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
    counted && (kind == "a" && rest.starts_with('{') || matches!(kind, "s" | "O" | "C") && rest.starts_with('"'))
}

/// Messages and cards, which say so at their beginning.
fn is_message(text: &str) -> bool {
    ["BEGIN:V", "MSH|", "UNA:", "UNB+", "ISA*"].iter().any(|begin| text.starts_with(begin))
}

/// Lines of `key: value` or `key=value`, or pairs side by side.
fn is_fields(text: &str) -> bool {
    if text == "---" || ["---\n", "---\r\n", "--- \n", "--- !"].iter().any(|begin| text.starts_with(begin)) {
        return true;
    }
    let most = |count: usize, of: usize| count >= FIELDS_MIN && count * 10 >= of * 8;
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    // `  - Ann` is an element of what stands above it.
    let fields = lines().filter(|line| is_field(line, &[':', '='])).count();
    let all = lines().filter(|line| !line.starts_with("- ")).count();
    if most(fields, all) {
        return true;
    }
    let pairs = |separator: fn(char) -> bool| {
        let pieces = || text.split(separator).map(str::trim).filter(|piece| !piece.is_empty());
        most(pieces().filter(|piece| is_field(piece, &['='])).count(), pieces().count())
    };
    pairs(|c| c == '&') || pairs(|c| c == ';') || pairs(char::is_whitespace)
}

/// Whether a name of few words, without the marks of sentences, stands before one of the signs, and not the rest of a URL or a time.
fn is_field(text: &str, signs: &[char]) -> bool {
    /// Longest name of a field, in bytes.
    const NAME_MAX: usize = 40;
    let text = text.strip_prefix("- ").unwrap_or(text);
    let Some((name, value)) = text.split_once(signs) else { return false };
    let name = name.trim().trim_matches(['"', '\'', ':']);
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ' | '[' | ']' | '%' | '@');
    let named =
        name.len() <= NAME_MAX && name.starts_with(|c: char| c.is_alphabetic() || c == '_') && name.chars().all(plain);
    named && name.split_whitespace().count() <= 2 && !value.starts_with("//")
}

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

/// Stands for a key, and before the hash of one that does not even look like an identifier; what follows where it may be the
/// name of a person.
pub(super) const NO_NAME: &str = "*";
pub(super) const PERSON: &str = "n";

/// A key as it is told apart: one that is no identifier by a hash. Those that are may be personal data as well, so no path
/// is shown before all documents are read (see [`super::paths`]).
fn step(key: &str) -> Cow<'_, str> {
    /// Equal in all runs, as the order of paths is.
    const SEED: u64 = 0;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let digits = key.bytes().filter(u8::is_ascii_digit).count();
    let identifier = key.len() <= 40 && digits <= 4 && key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if identifier && key.chars().all(plain) {
        return Cow::Borrowed(key);
    }
    let hash = foldhash::quality::FixedState::with_seed(SEED).hash_one(key);
    let person = if content::may_name_somebody(key) { PERSON } else { "" };
    Cow::Owned(format!("{NO_NAME}{person}{hash:016x}"))
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
        let told = |(path, name, value): &(String, String, String)| {
            // The rest is a hash.
            let path = if path.starts_with("$.*") { "$.*" } else { path };
            format!("{path} {name} {value}")
        };
        let shown: Vec<String> = all.iter().map(told).collect();
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
    fn texts_of_names_and_values_are_told_from_words() {
        for (text, expected) in [
            (r#"{"a": 1}"#, Some(Documents::Json)),
            (r#"[{"changed": {"name": "client"}}]"#, Some(Documents::Json)),
            ("[]", Some(Documents::Json)),
            (r#"{"cut": "off"#, Some(Documents::Json)),
            ("<p>Hello</p><p>there</p>", Some(Documents::Html)),
            ("<!DOCTYPE html><html><body>x</body></html>", Some(Documents::Html)),
            (r#"<div class="trix-content">x</div>"#, Some(Documents::Html)),
            ("<order><name>Ann</name></order>", Some(Documents::Xml)),
            ("<?xml version=\"1.0\"?><order/>", Some(Documents::Xml)),
            ("---\nfirst_name: Ann\nborn_on: 1990-01-01\n", Some(Documents::Fields)),
            ("--- !ruby/object:User\nname: Ann", Some(Documents::Fields)),
            ("first_name: Ann\ntags:\n- a\n- b\nborn_on: 1990-01-01", Some(Documents::Fields)),
            ("name = Ann\nstreet = Hill Road 1", Some(Documents::Fields)),
            ("name=Ann&street=Hill+Road+1", Some(Documents::Fields)),
            ("user=ann ip=10.0.0.1 level=warn", Some(Documents::Fields)),
            (r#"a:1:{s:4:"name";s:3:"Ann";}"#, Some(Documents::Fields)),
            (r#"O:8:"stdClass":0:{}"#, Some(Documents::Fields)),
            (r#"{:name=>"Ann"}"#, Some(Documents::Fields)),
            ("{'name': 'Ann'}", Some(Documents::Fields)),
            ("#<User id: 1, name: \"Ann\">", Some(Documents::Fields)),
            ("BEGIN:VCARD\nN:Miller;Ann", Some(Documents::Fields)),
            ("MSH|^~\\&|LAB\rPID|1||Miller^Ann", Some(Documents::Fields)),
            // Words.
            ("", None),
            ("Called back: she will come on Monday.", None),
            ("Called back at 10:30.\nShe said: yes, at 11:00 in front of the house.\nNothing else.", None),
            ("see https://shop.example/a?b=c&d=e for more", None),
            ("https://shop.example/a", None),
            ("<3 you", None),
            ("[call] back", None),
            ("{{ name }}, your order is on its way", None),
            ("a: b", None),
            ("--- forwarded ---", None),
        ] {
            assert_eq!(form(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_document_is_told() {
        for text in ["", "plain", "{broken", "[12] call back", r#"{"a": "b", "c"}"#, "<3 you"] {
            assert!(!leaves(text, &mut |_, _, _| panic!("no leaf")), "{text}");
        }
    }
}
