//! What a span of `text.spans` says in a text that is no column of texts: in a value that stands alone, as the key of a
//! document or a word of a short list, and in a definition, as SQL writes it.
//!
//! The mask hides what may be personal, and nothing is lost if it was not. Here somebody is asked or stopped, so both
//! judge more strictly than the mask, each by what its text is full of.

use super::names::Names;
use super::spans::{Found, Span};
use super::{DETECTORS, net, nobody, slot};
use crate::mask::known;
use regex::Regex;
use std::ops::Range;
use std::sync::LazyLock;

/// How far before a value a word may stand that says what it is, in bytes.
const BEFORE_BYTES: usize = 96;
/// The same behind it.
const AFTER_BYTES: usize = 24;

const PHONE: &str = "phone number";
const IDENTIFIER: &str = "national identifier";
pub(in crate::mask) const SECRET: &str = "password or token";
const SSN: &str = "social security number";
const IN_URL: &str = "credentials in a URL";

/// A span where it stands.
struct Seen<'t> {
    text: &'t str,
    start: usize,
    end: usize,
    detector: &'static str,
    /// A check digit or the grammar of a URL confirms it.
    sure: bool,
}

impl<'t> Seen<'t> {
    fn value(&self) -> &'t str {
        &self.text[self.start..self.end]
    }

    fn before(&self) -> &'t str {
        &self.text[..self.start]
    }

    fn after(&self) -> &'t str {
        &self.text[self.end..]
    }

    fn is_sample(&self) -> bool {
        nobody::is_sample(self.detector, self.value())
    }
}

type Counts = fn(&Seen<'_>) -> bool;

/// When the spans of some detectors count.
struct Row {
    /// None: all others.
    detectors: &'static [&'static str],
    kind: &'static str,
    /// In a value that stands alone. Samples count: who types one into a form means a person.
    value: Counts,
    /// In the key of a document, which becomes a hash that nobody is asked about: also what signs tell together with its
    /// form or with check digits. None: as in a value.
    key: Option<Counts>,
    /// In a definition. Samples do not: who writes one there explains a form.
    definition: Counts,
}

/// The first row that names a detector counts.
const TABLE: &[Row] = &[
    // Definitions show addresses of nobody, of roles and of repositories, and put them together from parts.
    Row {
        detectors: &["email"],
        kind: "e-mail address",
        value: |_| true,
        key: None,
        definition: |seen| {
            !seen.value().starts_with('{')
                && !nobody::is_reserved(seen.value())
                && !nobody::is_role_of_many(seen.value())
                && !is_repository(seen)
        },
    },
    // One of ten numbers passes without the check digit; both ask for it.
    Row {
        detectors: &["card"],
        kind: "card number",
        value: |seen| seen.sure,
        key: None,
        definition: |seen| seen.sure && !seen.is_sample(),
    },
    Row { detectors: &["us.ssn"], kind: SSN, value: |_| true, key: None, definition: |seen| !seen.is_sample() },
    Row {
        detectors: &["iban"],
        kind: "bank account number",
        value: |_| true,
        key: None,
        definition: |seen| !seen.is_sample(),
    },
    // Values are full of codes that the mask takes for numbers, so only a sign tells. In definitions a number stands in
    // quotes, written as one dials it, and 555-0132 explains a form.
    Row {
        detectors: &["phone"],
        kind: PHONE,
        value: |seen| seen.value().starts_with(['+', '(']),
        key: Some(is_dialed_alone),
        definition: |seen| is_dialed(seen.value()) && !nobody::is_fictional(seen.value()),
    },
    // Bodies and comments have versions of four numbers, and the resolvers that everybody uses.
    Row {
        detectors: &["ip"],
        kind: "IP address",
        value: |seen| net::is_public(seen.value()),
        key: None,
        definition: |seen| {
            let address = seen.value();
            net::is_public(address) && !nobody::is_resolver(address) && !is_version(seen.before())
        },
    },
    // Bodies put addresses together from parts, and comments show how.
    Row { detectors: &["secret"], kind: IN_URL, value: |_| true, key: None, definition: is_secret },
    // `/users/bob` may be a route of the program, in both.
    Row {
        detectors: &["username"],
        kind: IN_URL,
        value: |seen| seen.before().ends_with("://"),
        key: None,
        definition: |seen| seen.before().ends_with("://") && !nobody::is_login(seen.value()),
    },
    // Without check digits, or with one that many numbers have: the word has to stand beside it, which no value has.
    Row {
        detectors: &["dk.cpr", "in.aadhaar", "za.id"],
        kind: IDENTIFIER,
        value: |_| false,
        key: None,
        definition: |seen| {
            let words = WORDS.iter().find(|(kind, _)| *kind == seen.detector).map_or(&[][..], |(_, words)| words);
            stands_beside(seen.text, seen.start, seen.end, words) && !seen.is_sample()
        },
    },
    // Letters and digits in an order that only these have, of which hardly one in thousand has the right check digits.
    Row {
        detectors: &["it.cf", "fi.hetu", "ch.ahv", "cn.ric"],
        kind: IDENTIFIER,
        value: |_| true,
        key: None,
        definition: |seen| !seen.is_sample(),
    },
    // Groups between signs that hardly a code has, and two check digits.
    Row {
        detectors: &["br.cpf", "br.cnpj", "be.nn", "fr.nir"],
        kind: IDENTIFIER,
        value: |_| false,
        key: Some(is_in_groups),
        definition: |seen| !seen.is_sample(),
    },
    // Codes of things are written like some of them, and one of eleven to thirty passes: lists of codes would be asked
    // about all day. A definition has few, and one is a leak.
    Row { detectors: &[], kind: IDENTIFIER, value: |_| false, key: None, definition: |seen| !seen.is_sample() },
];

fn row(detector: &str) -> &'static Row {
    let row = TABLE.iter().find(|row| row.detectors.is_empty() || row.detectors.contains(&detector));
    row.expect("the last row is for all others")
}

fn spans(text: &str) -> Vec<Seen<'_>> {
    let mut found = Found::default();
    found.find(text, &Names::default());
    let seen = |span: &Span| {
        let detector = DETECTORS[slot(span.detector)?].0;
        Some(Seen { text, start: span.start, end: span.end, detector, sure: span.sure })
    };
    found.spans.iter().filter_map(seen).collect()
}

/// Names the kinds of personal data in a value that stands alone: a label, a word of a short list. Names of persons are not
/// found.
pub fn personal_kinds(text: &str) -> Vec<&'static str> {
    alone(text, |row| row.value)
}

/// The same in the key of a document.
pub(in crate::mask) fn personal_in_key(key: &str) -> Vec<&'static str> {
    if uuid::Uuid::try_parse(key).is_ok() {
        // Drawn at random, its digits may be anything.
        return Vec::new();
    }
    alone(key, |row| row.key.unwrap_or(row.value))
}

fn alone(text: &str, counts: fn(&'static Row) -> Counts) -> Vec<&'static str> {
    look_through(text, |text| {
        let mut kinds = told(text, counts);
        if net::credentials(text).next().is_some() {
            kinds.push(SECRET);
        }
        kinds
    })
}

fn is_in_groups(seen: &Seen<'_>) -> bool {
    !seen.value().bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A telephone number as the whole of a key or beside words: not `v06.12.34.56.78`, nor `0428-8847-5888`, as codes are written.
fn is_dialed_alone(seen: &Seen<'_>) -> bool {
    let value = seen.value();
    if value.starts_with(['+', '(']) {
        return true;
    }
    let is_code = value.starts_with('0') && value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    !is_code && is_in_groups(seen) && !seen.before().ends_with(char::is_alphanumeric) && is_dialed(value)
}

/// Names the kinds of personal data in a definition, as SQL writes it. Names of persons are not found.
pub fn personal_in_definition(sql: &str) -> Vec<&'static str> {
    look_through(sql, |text| {
        let mut kinds = told(text, |row| row.definition);
        kinds.extend(numbers_beside_words(text));
        let nobodys = |value: &str| nobody::is_sample("secret", value) || nobody::is_placeholder(value);
        if net::credentials(text).any(|value| !nobodys(value)) {
            kinds.push(SECRET);
        }
        kinds
    })
}

fn told(text: &str, column: fn(&'static Row) -> Counts) -> Vec<&'static str> {
    let told = spans(text).into_iter().filter_map(|seen| {
        let row = row(seen.detector);
        column(row)(&seen).then_some(row.kind)
    });
    told.collect()
}

/// Shorter bytes hold nothing: `a@b.c`.
const BYTES_MIN: usize = 5;

/// Looks at a text, and at the bytes that stand in it.
fn look_through(text: &str, look: impl Fn(&str) -> Vec<&'static str>) -> Vec<&'static str> {
    let mut kinds = look(text);
    for bytes in super::hex_literals(text) {
        if let Some(text) = std::str::from_utf8(&bytes).ok().filter(|text| text.len() >= BYTES_MIN) {
            kinds.extend(look(text));
        }
    }
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// `git@github.com:org/repo`: an account of everybody, and a path behind the host.
fn is_repository(seen: &Seen<'_>) -> bool {
    let path =
        seen.after().strip_prefix([':', '/']).is_some_and(|path| path.starts_with(|c: char| c.is_alphanumeric()));
    path && seen.value().starts_with("git@")
}

/// Credentials in a URL that are somebody's: neither a template nor a word for itself on a host of nobody.
fn is_secret(seen: &Seen<'_>) -> bool {
    let value = seen.value();
    let host = || {
        let ends = |c: char| c.is_whitespace() || matches!(c, '/' | ':' | '?' | '#' | '\'' | '"');
        seen.after().strip_prefix('@')?.split(ends).next()
    };
    let word = nobody::is_word_for_it(value) && host().is_some_and(nobody::is_hosts_own);
    !(word || nobody::is_placeholder(value) || seen.is_sample())
}

/// What stands before four numbers makes them a version: `v`, or a word in the same line with nothing but SQL between.
fn is_version(before: &str) -> bool {
    static MARK: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r#"(?ix)(?:^|[^\p{L}\d]) (?: v
              | (?:versions?|ver|release|build|firmware|rev|revision) [\s.:='"_(-]*
              | (?:versions?|release|firmware) "? \)? (?: \s+(?:text|citext|varchar|character\s+varying)(?:\(\d+\))? )?
                (?: \s*::\s*text )? \s* (?: NOT\s+NULL\s+ )? (?: DEFAULT | [=<>]{1,2} ) \s* \(? '
              )$"#,
        )
    });
    let from = before.len().saturating_sub(BEFORE_BYTES);
    let line = before[before.floor_char_boundary(from)..].rsplit('\n').next().unwrap_or_default();
    MARK.is_match(line)
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("patterns of this file compile")
}

static DATE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^(?:(?:19|20)\d\d[-./]\d\d?[-./]\d\d?|\d\d?[-./]\d\d?[-./](?:(?:19|20)\d\d|\d\d))(?:[ T].*)?$")
});
/// A day and a time in one: 20231115103000.
static MOMENT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])[0-5]\d[0-5]\d$")
});
/// National numbers in groups: with a trunk zero, with an exit code, and those of North America.
static NATIONAL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:0[1-9]\d{1,3}[ /-]|0[1-9](?:[ .-]\d\d){4}$|00[1-9]\d{0,3}[ /.-]|[2-9]\d\d-[2-9]\d\d-\d{4}$|[2-9]\d\d\.[2-9]\d\d\.\d{4}$)",
    )
});

/// Whether a span that may be a phone number is written as one.
fn is_dialed(value: &str) -> bool {
    let count = nobody::digits(value).len();
    value.starts_with(['+', '(']) || (10..=15).contains(&count) && NATIONAL.is_match(value) && !DATE.is_match(value)
}

/// Words that say what a number is, by kind.
const WORDS: &[(&str, &[&str])] = &[
    ("us.ssn", &["ssn", "social"]),
    ("nl.bsn", &["bsn", "burgerservicenummer", "sofinummer"]),
    ("be.nn", &["insz", "niss", "rijksregisternummer", "rrn"]),
    ("fr.nir", &["nir", "insee", "secu"]),
    ("de.idnr", &["idnr", "steuerid", "steuernummer", "steuer", "tin", "tax"]),
    ("es.dni", &["dni", "nif"]),
    ("pl.pesel", &["pesel"]),
    ("br.cpf", &["cpf"]),
    ("br.cnpj", &["cnpj"]),
    ("in.aadhaar", &["aadhaar", "aadhar"]),
    ("gb.nhs", &["nhs"]),
    ("ca.sin", &["sin"]),
    ("au.tfn", &["tfn"]),
    ("dk.cpr", &["cpr"]),
    ("no.fnr", &["fnr", "fodselsnummer", "personnummer"]),
    ("se.pnr", &["personnummer", "personnr", "pnr"]),
    ("pt.nif", &["nif", "contribuinte"]),
    ("za.id", &["said", "identity", "national"]),
];
const PHONE_WORDS: &[&str] = &[
    "phone",
    "phones",
    "telephone",
    "tel",
    "telefon",
    "telefono",
    "teléfono",
    "telefone",
    "téléphone",
    "telefoon",
    "telefonnummer",
    "phonenumber",
    "mobile",
    "mobil",
    "mobiel",
    "móvil",
    "movil",
    "cell",
    "cellphone",
    "handy",
    "fax",
    "whatsapp",
    "sms",
    "msisdn",
    "gsm",
    "call",
];

static NUMBER: LazyLock<Regex> = LazyLock::new(|| pattern(r"\d(?:[ ./-]?\d){6,16}"));

/// Numbers that only a word in the same line gives away.
fn numbers_beside_words(text: &str) -> Vec<&'static str> {
    let mut kinds = Vec::new();
    for found in NUMBER.find_iter(text) {
        let (value, digits) = (found.as_str(), nobody::digits(found.as_str()));
        if !is_alone(text, found.start(), found.end()) {
            continue;
        }
        let beside = |words: &[&str]| stands_beside(text, found.start(), found.end(), words);
        let valid = |kind: &str| known::is_valid(kind, value) || known::is_valid(kind, &digits);
        let told = WORDS.iter().find(|(kind, words)| valid(kind) && beside(words));
        if let Some((kind, _)) = told.filter(|(kind, _)| !nobody::is_sample(kind, value)) {
            kinds.push(if *kind == "us.ssn" { SSN } else { IDENTIFIER });
        }
        // Seven digits in groups, nine without; no date, and no number that programs count to.
        let least = if digits.len() < value.len() { 7 } else { 9 };
        // Ten digits that begin with 1 are a time, and thirteen one with its milliseconds.
        let time = digits.len() == value.len() && digits.starts_with('1') && matches!(digits.len(), 10 | 13);
        let counted = time
            || MOMENT.is_match(value)
            || digits.ends_with("0000")
            || "01234567890123456789".contains(&digits)
            || digits == i32::MAX.to_string();
        let dialed = (least..=15).contains(&digits.len())
            && !counted
            && !DATE.is_match(value)
            && !is_kept_for_films(text, found.range());
        if dialed && beside(PHONE_WORDS) {
            kinds.push(PHONE);
        }
    }
    kinds
}

/// Whether a number is nobody's, with the sign and the area code before it: `+44 …`, `(555) 123-4567`.
fn is_kept_for_films(text: &str, place: Range<usize>) -> bool {
    let before = &text[..place.start];
    let code = before.trim_end_matches(' ').strip_suffix(')').and_then(|code| Some((code.rfind('(')?, code)));
    let code = code.filter(|(open, code)| code[open + 1..].bytes().all(|byte| byte.is_ascii_digit()));
    let start = match code {
        Some((open, _)) => open,
        None => place.start - usize::from(before.ends_with('+')),
    };
    nobody::is_fictional(&text[start..place.end])
}

/// No letter or digit touches what stands there, and it is no part of something longer.
fn is_alone(text: &str, start: usize, end: usize) -> bool {
    let joins = |c: char| matches!(c, '-' | '.' | '/' | '+' | ':' | ',');
    let touches = |next: Option<char>, after: Option<char>| match next {
        Some('#' | '$' | '€' | '£' | '_' | '%') => true,
        Some(c) if joins(c) => after.is_some_and(|c| c.is_ascii_digit()),
        Some(c) => c.is_alphanumeric(),
        None => false,
    };
    let (mut left, mut right) = (text[..start].chars().rev(), text[end..].chars());
    !touches(left.next(), left.next()) && !touches(right.next(), right.next())
}

/// Whether one of the words stands in the same line, before a value or shortly behind it: also as a part of a name.
fn stands_beside(text: &str, start: usize, end: usize, words: &[&str]) -> bool {
    let before = &text[text.floor_char_boundary(start.saturating_sub(BEFORE_BYTES))..start];
    let before = before.rsplit('\n').next().unwrap_or_default();
    let after = &text[end..text.ceil_char_boundary(end + AFTER_BYTES)];
    let after = after.split('\n').next().unwrap_or_default();
    let mut near = before.split(|c: char| !c.is_alphabetic()).chain(after.split(|c: char| !c.is_alphabetic()));
    near.any(|word| !word.is_empty() && words.contains(&word.to_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_definitions_differ_where_the_table_says() {
        for (text, value, definition) in [
            ("ann@nordwind-mail.com", true, true),
            ("ann@example.com", true, false),
            ("git@github.com:org/repo", true, false),
            ("support@nordwind-mail.com", true, false),
            ("mail@nordwind-mail.com", true, true),
            ("{login.name}@nordwind-mail.com", true, false),
            ("a.area @ b.outline", false, false),
            ("(000) 000-0000", true, false),
            ("000-00-0000", true, false),
            ("1.2.3.4", true, false),
            ("DE44500105175407324931", true, true),
            ("DE89370400440532013000", true, false),
            ("4539578763621486", true, true),
            ("4242424242424242", true, false),
            ("4539578763621487", false, false),
            ("536-71-8294", true, true),
            ("219-09-9999", true, false),
            ("+49 171 2345678", true, true),
            ("+1 555 223 4567", true, false),
            ("0171 2345678", false, true),
            ("81.2.69.142", true, true),
            ("8.8.8.8", true, false),
            ("10.1.2.3", false, false),
            ("https://shop:t0psecret@nordwind.de", true, true),
            ("https://app:{password}@nordwind.de", true, false),
            ("https://root@nordwind.de", true, false),
            ("RCCMNL83S18D969H", true, true),
            ("58273914X", false, true),
            ("12345678Z", false, false),
            ("AKIAQZ3VX7W2LKPD5N4T", true, true),
            ("AKIAIOSFODNN7EXAMPLE", true, false),
        ] {
            assert_eq!(!personal_kinds(text).is_empty(), value, "{text} as a value");
            assert_eq!(!personal_in_definition(text).is_empty(), definition, "{text} in a definition");
        }
    }

    #[test]
    fn every_detector_has_its_row_and_only_one() {
        for (detector, _) in DETECTORS {
            assert!(TABLE.iter().filter(|row| row.detectors.contains(&detector)).count() <= 1, "{detector}");
        }
        let named = TABLE.iter().flat_map(|row| row.detectors);
        assert!(named.clone().all(|name| DETECTORS.iter().any(|(known, _)| known == name)));
        assert!(TABLE.last().is_some_and(|row| row.detectors.is_empty()) && named.count() > 10);
    }
}
