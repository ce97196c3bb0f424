//! Masks inside XML: `xml/1`.
//!
//! The text is read once, token by token; what no rule masks is copied byte by byte. Paths are those of `json/1`, with
//! the names of elements as they are written (prefix included) and attributes as `@name`: `$.order.customer.email`,
//! `$..@phone`, `$["ns:order"].*`. A path names an element with its attributes and all below it; elements of one name
//! beside each other cannot be told apart.
//!
//! | place | what happens |
//! |---|---|
//! | text, CDATA and attributes on a path | masked; white space around a text stays; empty under `"null"` |
//! | everything else | `rest`: `"keep"`, `"null"`, or a mask. It must be written, as for `json/1` |
//! | comments, processing instructions, a DOCTYPE without declarations | stay where the element around them is kept, else go |
//! | an XML declaration | stays if it says nothing but version, encoding and standalone; else as a comment |
//! | `xmlns` attributes | stay if they are `urn:`, `http:` or `https:` names without user and query; else as other attributes, `urn:null` under `"null"` |
//! | names | stay |
//! | what is not well-formed, has declarations of its own, or an entity in a masked text that XML does not define | `on_invalid` |
//!
//! Nothing is expanded but `&lt; &gt; &amp; &quot; &apos;` and numbers of characters, so a document cannot grow, and an
//! entity cannot carry a value past its mask. The pieces of a text between comments, CDATA sections and elements are
//! masked one by one. A document may have several elements at the top, as PostgreSQL's `xml` content may. A mask that
//! no longer fits `varchar(n)` goes to `on_invalid` too. In a column of type `xml`, where a pattern would be no XML, what
//! `on_invalid` makes a pattern of elsewhere becomes empty content.

use super::canon::is_white_space;
use super::column::{ColumnMask, Compile, CompileError, MaskError, Rows};
use super::json::path::{Action, Automaton, Types};
use super::json::rules;
use super::kind::{Domain, Param};
use super::leaf::{At, ON_INVALID, TEXT};
use super::row::{Otherwise, RowKind, RowMask};
use super::{Injective, KeyedOn, Kind, Shape, Takes, chars};

pub(super) static XML: Kind = Kind {
    name: "xml",
    remains: |_| super::Remains::Open,
    summary: "Masks texts and attributes inside XML by path; all other bytes stay as they are",
    params: &[
        Param {
            name: "paths",
            summary: "mask, \"keep\" or \"null\" per path: $.a.b, $.a.*, $..b, $.a.@id, $[\"ns:a\"]",
            domain: Domain::Any,
            default: "none",
        },
        Param {
            name: "rest",
            summary: "what happens to texts and attributes on no path: \"keep\", \"null\" or a mask",
            domain: Domain::Any,
            default: "must be given",
        },
        ON_INVALID,
    ],
    accepts: &[Takes::Text, Takes::Xml],
    keyed_on: KeyedOn::Either,
    injective: Injective::No,
    samples: &["<order id=\"7\"><email>bob@example.com</email><plan>3</plan></order>"],
    compile,
    ..TEXT
};

struct Xml {
    automaton: Automaton,
    masks: Vec<Box<dyn ColumnMask>>,
    /// None: empty content.
    otherwise: Option<Otherwise>,
    chars_max: Option<u32>,
}

fn compile(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let (automaton, masks) = rules(compile)?;
    let (otherwise, chars_max) = match compile.shape {
        Shape::Text { chars_max, .. } => (Some(Otherwise::on_invalid(compile)?), chars_max),
        Shape::Xml if matches!(compile.word("on_invalid"), Some("null" | "fail")) => {
            (Some(Otherwise::on_invalid(compile)?), None)
        }
        Shape::Xml => (None, None),
        _ => return Err(compile.wrong_shape()),
    };
    Ok(RowMask::boxed(compile, Xml { automaton, masks, otherwise, chars_max }))
}

/// Tells whether a text may stand in a column of type `xml`: elements, or text without mark-up.
pub(super) fn is_content(text: &str) -> bool {
    if !text.contains(['<', '&']) {
        return true;
    }
    let Ok(automaton) = Automaton::build(&[], &[], Action::Keep, None) else { return false };
    let xml = Xml { automaton, masks: Vec::new(), otherwise: None, chars_max: None };
    let rows = Rows { len: 1, subjects: &[], raw: &[], masked: &[], origin: None };
    let (at, mut out) = (At { row: 0, rows: &rows }, String::new());
    Walk { xml: &xml, at, rest: text, open: Vec::new(), begun: false, out: &mut out }.document().is_ok()
}

/// Why a document was left: it is not well-formed, or a mask failed.
enum Stop {
    Malformed,
    Mask(MaskError),
}

impl From<MaskError> for Stop {
    fn from(error: MaskError) -> Self {
        Stop::Mask(error)
    }
}

/// Where a masked text stands, which decides what has to be escaped.
#[derive(Clone, Copy, PartialEq)]
enum Inside {
    Text,
    Data,
    /// The quote around the attribute.
    Attribute(char),
}

/// A document on its way from `rest` to `out`.
struct Walk<'a> {
    xml: &'a Xml,
    at: At<'a>,
    rest: &'a str,
    /// Names of the open elements, and the state of each.
    open: Vec<(&'a str, u32)>,
    /// An element was read.
    begun: bool,
    out: &'a mut String,
}

impl<'a> Walk<'a> {
    fn document(&mut self) -> Result<(), Stop> {
        if let Some(end) = self.rest.strip_prefix("<?xml").filter(|rest| rest.starts_with([' ', '\t', '\r', '\n'])) {
            let length = end.find("?>").ok_or(Stop::Malformed)?;
            let stays = self.action(0) == Action::Keep || is_declaration(&end[..length]);
            self.keep_if(stays, length + "<?xml?>".len());
        }
        while !self.rest.is_empty() {
            match self.rest.strip_prefix('<') {
                None => self.text()?,
                Some(tag) if tag.starts_with("!--") => self.aside("-->", 4)?,
                Some(tag) if tag.starts_with('?') => self.aside("?>", 2)?,
                Some(tag) if tag.starts_with("![CDATA[") => self.data()?,
                Some(tag) if tag.starts_with("!DOCTYPE") && !self.begun => self.doctype()?,
                Some(tag) if tag.starts_with('/') => self.close()?,
                Some(_) => self.element()?,
            }
        }
        if self.begun && self.open.is_empty() { Ok(()) } else { Err(Stop::Malformed) }
    }

    /// Copies the next bytes.
    fn keep(&mut self, length: usize) {
        let (kept, rest) = self.rest.split_at(length);
        self.out.push_str(kept);
        self.rest = rest;
    }

    /// Copies the next bytes, or leaves them out.
    fn keep_if(&mut self, kept: bool, length: usize) {
        if kept { self.keep(length) } else { self.rest = &self.rest[length..] }
    }

    fn state(&self) -> u32 {
        self.open.last().map_or(0, |(_, state)| *state)
    }

    fn action(&self, state: u32) -> Action {
        // XML knows texts only.
        self.xml.automaton.states[state as usize].action(Types::STRING)
    }

    fn text(&mut self) -> Result<(), Stop> {
        let end = self.rest.find('<').unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        if self.open.is_empty() && !text.chars().all(is_white_space) {
            return Err(Stop::Malformed);
        }
        self.value(text, self.action(self.state()), Inside::Text)?;
        self.rest = rest;
        Ok(())
    }

    /// A comment or a processing instruction.
    fn aside(&mut self, end: &str, from: usize) -> Result<(), Stop> {
        let length = self.rest.get(from..).and_then(|rest| rest.find(end)).ok_or(Stop::Malformed)? + from + end.len();
        self.keep_if(self.action(self.state()) == Action::Keep, length);
        Ok(())
    }

    fn data(&mut self) -> Result<(), Stop> {
        let from = "<![CDATA[".len();
        let length = self.rest[from..].find("]]>").ok_or(Stop::Malformed)?;
        if self.open.is_empty() {
            return Err(Stop::Malformed);
        }
        let text = &self.rest[from..from + length];
        self.keep(from);
        self.value(text, self.action(self.state()), Inside::Data)?;
        self.rest = &self.rest[length..];
        self.keep(3);
        Ok(())
    }

    fn doctype(&mut self) -> Result<(), Stop> {
        let mut quote = None;
        for (at, c) in self.rest.char_indices() {
            match (quote, c) {
                (Some(open), _) if open == c => quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') => quote = Some(c),
                // Declarations can hold values, under names that only a full parser resolves.
                (None, '[') => return Err(Stop::Malformed),
                (None, '>') => {
                    // An address of a definition can hold user and password.
                    self.keep_if(self.action(self.state()) == Action::Keep, at + 1);
                    return Ok(());
                }
                _ => {}
            }
        }
        Err(Stop::Malformed)
    }

    fn close(&mut self) -> Result<(), Stop> {
        let name = name(&self.rest[2..]).ok_or(Stop::Malformed)?;
        let after = &self.rest[2 + name.len()..];
        let space = after.len() - after.trim_start_matches(SPACE).len();
        let matches = self.open.pop().is_some_and(|(open, _)| open == name);
        if !matches || !after[space..].starts_with('>') {
            return Err(Stop::Malformed);
        }
        self.keep(2 + name.len() + space + 1);
        Ok(())
    }

    fn element(&mut self) -> Result<(), Stop> {
        let name = name(&self.rest[1..]).ok_or(Stop::Malformed)?;
        let state = self.xml.automaton.states[self.state() as usize].member(name.as_bytes());
        self.begun = true;
        self.keep(1 + name.len());
        loop {
            let space = self.rest.len() - self.rest.trim_start_matches(SPACE).len();
            self.keep(space);
            if self.rest.starts_with("/>") {
                self.keep(2);
                return Ok(());
            }
            if self.rest.starts_with('>') {
                self.keep(1);
                self.open.push((name, state));
                return Ok(());
            }
            if space == 0 {
                return Err(Stop::Malformed);
            }
            self.attribute(state)?;
        }
    }

    fn attribute(&mut self, element: u32) -> Result<(), Stop> {
        let name = name(self.rest).ok_or(Stop::Malformed)?;
        let after = self.rest[name.len()..].trim_start_matches(SPACE);
        let after = after.strip_prefix('=').ok_or(Stop::Malformed)?.trim_start_matches(SPACE);
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\'')).ok_or(Stop::Malformed)?;
        let value = &after[1..];
        let length = value.find(quote).ok_or(Stop::Malformed)?;
        let value = &value[..length];
        if value.contains('<') {
            return Err(Stop::Malformed);
        }
        self.keep(self.rest.len() - after.len() + 1);
        let state = self.xml.automaton.states[element as usize].member(format!("@{name}").as_bytes());
        let prefixed = name.starts_with("xmlns:");
        match self.action(state) {
            _ if (prefixed || name == "xmlns") && names_space(value) => self.out.push_str(value),
            // A prefix cannot stand for an empty name.
            Action::Null | Action::Refuse if prefixed => self.out.push_str("urn:null"),
            action => self.value(value, action, Inside::Attribute(quote))?,
        }
        self.rest = &self.rest[length..];
        self.keep(1);
        Ok(())
    }

    /// Appends a text as its action wants it; `rest` is moved on by the caller.
    fn value(&mut self, raw: &str, action: Action, inside: Inside) -> Result<(), Stop> {
        let core = raw.trim_matches(SPACE);
        let mask = match action {
            Action::Mask(mask) if !core.is_empty() => mask,
            Action::Null | Action::Refuse if !core.is_empty() => {
                self.out.push_str(&raw[..raw.len() - raw.trim_start_matches(SPACE).len()]);
                self.out.push_str(&raw[raw.trim_end_matches(SPACE).len()..]);
                return Ok(());
            }
            _ => {
                self.out.push_str(raw);
                return Ok(());
            }
        };
        let decoded = if inside == Inside::Data { core.to_owned() } else { decode(core).ok_or(Stop::Malformed)? };
        let mut masked = String::with_capacity(decoded.len());
        self.xml.masks[usize::from(mask)].text(&decoded, self.at.row, self.at.rows, &mut masked)?;
        self.out.push_str(&raw[..raw.len() - raw.trim_start_matches(SPACE).len()]);
        push_escaped(&masked, inside, self.out);
        self.out.push_str(&raw[raw.trim_end_matches(SPACE).len()..]);
        Ok(())
    }
}

/// White space of XML.
const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

/// Tells whether a value is the name of a vocabulary: no user, no query, and nothing written with escapes.
fn names_space(value: &str) -> bool {
    ["http://", "https://", "urn:"].iter().any(|scheme| value.starts_with(scheme))
        && !value.contains(['@', '?', '&', '%', ' '])
}

/// Tells whether the inside of an XML declaration says what such a declaration may say. Source: XML 1.0, production 23.
fn is_declaration(mut text: &str) -> bool {
    loop {
        text = text.trim_start_matches(SPACE);
        if text.is_empty() {
            return true;
        }
        let Some((name, after)) = text.split_once('=') else { return false };
        let after = after.trim_start_matches(SPACE);
        let Some(quote) = after.chars().next().filter(|c| matches!(c, '"' | '\'')) else { return false };
        let Some((value, rest)) = after[1..].split_once(quote) else { return false };
        let fits = match name.trim_end_matches(SPACE) {
            "version" => matches!(value, "1.0" | "1.1"),
            "standalone" => matches!(value, "yes" | "no"),
            // `windows-1252`, `ISO-8859-15`, `Shift_JIS`.
            "encoding" => {
                value.len() <= 16 && value.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.'))
            }
            _ => false,
        };
        if !fits {
            return false;
        }
        text = rest;
    }
}

/// The name a text begins with. Source: XML 1.0, production 5; letters beyond ASCII are not told apart.
fn name(text: &str) -> Option<&str> {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':' || !c.is_ascii();
    let other = |c: char| first(c) || c.is_ascii_digit() || c == '-' || c == '.';
    let end = text.find(|c| !other(c)).unwrap_or(text.len());
    text[..end].starts_with(first).then_some(&text[..end])
}

/// Resolves the references every document may use; none for others, and for a stray `&`.
fn decode(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let (reference, after) = after.split_once(';')?;
        out.push(match reference {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            _ => {
                let number = reference.strip_prefix('#')?;
                let (digits, radix) = number.strip_prefix('x').map_or((number, 10), |hex| (hex, 16));
                let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                let code = u32::from_str_radix(digits, radix).ok().filter(|_| plain)?;
                char::from_u32(code).filter(|c| is_char(*c))?
            }
        });
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

/// Source: XML 1.0, production 2.
fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn push_escaped(text: &str, inside: Inside, out: &mut String) {
    if inside == Inside::Data {
        // The only thing a CDATA section cannot hold is its own end.
        return out.push_str(&text.replace("]]>", "]]]]><![CDATA[>"));
    }
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#13;"),
            '"' if inside == Inside::Attribute('"') => out.push_str("&quot;"),
            '\'' if inside == Inside::Attribute('\'') => out.push_str("&apos;"),
            '\n' if inside != Inside::Text => out.push_str("&#10;"),
            '\t' if inside != Inside::Text => out.push_str("&#9;"),
            // A constant of the user could hold it; no document can.
            c if !is_char(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}

impl RowKind for Xml {
    fn mask(&self, value: &str, at: At<'_>, out: &mut String) -> Result<bool, MaskError> {
        let start = out.len();
        let mut walk = Walk { xml: self, at, rest: value, open: Vec::new(), begun: false, out };
        let done = match walk.document() {
            Ok(()) => self.chars_max.is_none_or(|max| chars(&out[start..]) <= max),
            Err(Stop::Malformed) => false,
            Err(Stop::Mask(error)) => return Err(error),
        };
        if done {
            return Ok(true);
        }
        out.truncate(start);
        self.otherwise.as_ref().map_or(Ok(true), |otherwise| otherwise.mask(value, at, out))
    }

    fn after(&self) -> Vec<usize> {
        let otherwise = self.otherwise.iter().flat_map(Otherwise::after);
        self.masks.iter().flat_map(|mask| mask.after()).chain(otherwise).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::mask::{MasterKey, Params, ValueError, mask_value};

    fn tried(json: &str, value: &str) -> Result<Option<String>, ValueError> {
        mask_value(&MasterKey::test().realm("default"), "xml", "", serde_json::from_str(json).unwrap(), None, value)
    }

    fn one(json: &str, value: &str) -> String {
        tried(json, value).unwrap().unwrap()
    }

    fn mask(kind: &str, value: &str) -> String {
        mask_value(&MasterKey::test().realm("default"), kind, "", Params::new(), None, value).unwrap().unwrap()
    }

    const PATHS: &str = r#"{"rest":"keep","paths":{"$.order.email":"email","$..@phone":"pattern","$.order.note":"null","$..secret":"pattern"}}"#;

    #[test]
    fn texts_and_attributes_on_paths_are_masked_and_all_else_is_byte_identical() {
        let document = |email: &str, phone: &str, note: &str, secret: &str| {
            format!(
                "<?xml version='1.0'?>\r\n<!DOCTYPE order SYSTEM \"a>b\">\n<order  id = \"7\" xmlns:x='u'>\n <!-- kept -->\
                 <email\t>\n  {email} </email ><x:who phone='{phone}' n=\"&e;\"/>&unknown;<?pi x?>\
                 <note a='{note}'>{note}<b>{note}</b></note><secret><![CDATA[{secret}]]></secret></order>\n"
            )
        };
        let want =
            document(&mask("email", "bob@example.com"), &mask("pattern", "555-0123"), "", &mask("pattern", "a<b"));
        assert_eq!(one(PATHS, &document("bob@example.com", "555-0123", "Bob", "a<b")), want);
        let want =
            document(&mask("email", "bob@example.com"), &mask("pattern", "555-0123"), "", &mask("pattern", "a<b"));
        assert_eq!(one(PATHS, &document("b&#111;b&#x40;example.com", "555-&#48;123", "Bob", "a<b")), want);
    }

    #[test]
    fn masked_texts_are_escaped_where_they_stand() {
        let rest = r#"{"rest":{"mask":"const","value":"a<b>&\"'\r\n]]>"}}"#;
        let masked = one(rest, "<a b='x' c=\"x\">x<![CDATA[x]]></a>");
        let want = "<a b='a&lt;b&gt;&amp;\"&apos;&#13;&#10;]]&gt;' c=\"a&lt;b&gt;&amp;&quot;'&#13;&#10;]]&gt;\">\
                    a&lt;b&gt;&amp;\"'&#13;\n]]&gt;<![CDATA[a<b>&\"'\r\n]]]]><![CDATA[>]]></a>";
        assert_eq!(masked, want);
    }

    #[test]
    fn asides_go_where_the_element_around_them_is_not_kept() {
        let rest = r#"{"rest":"pattern","paths":{"$.a.k":"keep"}}"#;
        assert_eq!(one(rest, "<!--Bob--><a><?Bob?><!--Bob--><k><!--x--></k></a>"), "<a><k><!--x--></k></a>");
        assert_eq!(one(r#"{"rest":"null"}"#, "<a p='Bob'> Bob <b/></a><c/>"), "<a p=''>  <b/></a><c/>");
    }

    #[test]
    fn what_stands_around_the_elements_carries_nothing_past_the_mask() {
        let null = r#"{"rest":"null"}"#;
        for (value, want) in [
            ("<!DOCTYPE o SYSTEM \"http://bob:pw@x.com/d.dtd\"><o/>", "<o/>"),
            ("<!DOCTYPE o PUBLIC '-//bob//>' \"x\">\n<o/>", "\n<o/>"),
            ("<?xml version=\"1.0\" encoding='UTF-8' standalone = 'yes' ?><o/>", ""),
            ("<?xml version='1.0' owner='bob'?><o/>", "<o/>"),
            ("<?xml version='bob'?><o/>", "<o/>"),
            ("<?xml bob?><o/>", "<o/>"),
            ("<o xmlns=\"http://bob@example.com/\"/>", "<o xmlns=\"\"/>"),
            ("<o xmlns:a='http://x.com/?who=bob' xmlns:b='bob'/>", "<o xmlns:a='urn:null' xmlns:b='urn:null'/>"),
            ("<o xmlns:a='urn:bob&#64;x.com'/>", "<o xmlns:a='urn:null'/>"),
            ("<o xmlns='http://www.w3.org/1999/xhtml' xmlns:a=\"urn:x:y\" xmlns:b='https://x.com/b#1'/>", ""),
            ("<o xmlns=''/>", ""),
        ] {
            assert_eq!(one(null, value), if want.is_empty() { value } else { want }, "{value}");
            assert_eq!(one(r#"{"rest":"keep"}"#, value), value);
        }
        let space = mask("pattern", "http://bob@example.com/");
        let pattern = r#"{"rest":"pattern"}"#;
        assert_eq!(one(pattern, "<o xmlns='http://bob@example.com/'/>"), format!("<o xmlns='{space}'/>"));
        let named = r#"{"rest":"keep","paths":{"$.o.@xmlns":"null"}}"#;
        assert_eq!(one(named, "<o xmlns='bob' a='x'/>"), "<o xmlns='' a='x'/>");
    }

    #[test]
    fn a_column_of_type_xml_gets_nothing_but_xml() {
        use crate::mask::batch::RawBatch;
        use crate::mask::{ColumnSpec, MaskSpec, Masker, Shape, TableSpec};
        use arrow_array::cast::AsArray;
        use arrow_array::{ArrayRef, StringViewArray};
        let masked = |kind: &str, json: &str, text: &str| {
            let params = serde_json::from_str(json).unwrap();
            let mask = Some(MaskSpec { kind: kind.to_owned(), label: String::new(), params, subject: None });
            let columns = vec![ColumnSpec { name: "t.x".to_owned(), shape: Shape::Xml, mask }];
            let table = TableSpec { columns, ..TableSpec::default() };
            let masker = Masker::compile(&MasterKey::test().realm("default"), &table).ok()?;
            let columns: Vec<ArrayRef> = vec![std::sync::Arc::new(StringViewArray::from(vec![text]))];
            let raw = RawBatch { rows: 1, wire: bytes::Bytes::new(), gaps: Vec::new(), columns };
            let masked = masker.apply(raw).ok()?;
            masked.columns()[0].as_string::<i32>().iter().next().flatten().map(str::to_owned)
        };
        let rest = r#"{"rest":"pattern"}"#;
        assert_eq!(masked("xml/1", rest, "<a>Bob</a>"), Some(format!("<a>{}</a>", mask("pattern", "Bob"))));
        for text in ["Bob", "<!DOCTYPE a [<!ENTITY e 'Bob'>]><a>&e;</a>", "<a>Bob &e;</a>", "<a>Bob</b>"] {
            assert_eq!(masked("xml/1", rest, text).as_deref(), Some(""), "{text}: a pattern of it would be no XML");
            assert_eq!(masked("xml/1", r#"{"rest":"pattern","on_invalid":"null"}"#, text), None);
        }
        assert_eq!(masked("pattern/1", "{}", "<a>Bob</a>"), None, "refused");
        for (value, fits) in [("", true), ("none", true), ("<a/>", true), ("<a>", false), ("a & b", false)] {
            let constant = serde_json::json!({ "value": value }).to_string();
            assert_eq!(masked("const/1", &constant, "<a>Bob</a>").as_deref(), fits.then_some(value), "{value}");
        }
    }

    #[test]
    fn what_is_not_well_formed_goes_to_on_invalid() {
        let keep = r#"{"rest":"keep"}"#;
        for bad in [
            "Bob",
            "<a>Bob</b>",
            "<a>Bob",
            "<a>Bob</a></a>",
            "<a b=Bob/>",
            "<a b='Bob/>",
            "<a b='<'/>",
            "<a b='x'c='Bob'/>",
            "<a/>Bob",
            "<!-- Bob",
            "<!-->Bob",
            "<!DOCTYPE a [<!ENTITY e 'Bob'>]><a>&e;</a>",
            "<a><![CDATA[Bob]]</a>",
            "<![CDATA[Bob]]><a/>",
            "<1>Bob</1>",
            "< a>Bob</a>",
            "<?xml Bob",
            "<!-- Bob -->",
        ] {
            let masked = one(keep, bad);
            assert!(!masked.contains("Bob") && masked == mask("pattern", bad), "{bad} became {masked}");
        }
        let bad = "<a>&custom;</a>";
        assert_eq!(one(keep, bad), bad);
        assert_eq!(one(r#"{"rest":"pattern"}"#, bad), mask("pattern", bad));
        assert_eq!(tried(r#"{"rest":"pattern","on_invalid":"null"}"#, "<a>&#0;</a>"), Ok(None));
        assert!(matches!(tried(r#"{"rest":"pattern","on_invalid":"fail"}"#, "<a>"), Err(ValueError::Mask(_))));
        assert!(matches!(tried("{}", "<a/>"), Err(ValueError::Compile(_))));
    }
}
