//! Personal data in the definitions of a schema: defaults, comments, checks, labels, bounds, bodies of views and functions.
//!
//! A definition is copied as it is, and one value in it is a leak. So a value counts that is written as hardly anything else
//! is, or that stands beside a word which says what it is, in the same line: `phone text DEFAULT '0612345678'`. What is
//! nobody's does not count: reserved domains (RFC 2606), numbers for films (555-01xx), samples of manuals and standards,
//! placeholders ([`nobody`]).
//!
//! What the mask for free text finds too, and when it counts here, is told by the table in `mask/text/personal.rs`.

use super::content::pattern;
use super::prose;
use crate::mask::text::{self, nobody};
use regex::Regex;
use std::sync::LazyLock;

/// Shorter bytes hold nothing: `a@b.c`.
const BYTES_MIN: usize = 5;

/// Names the kinds of personal data in a definition, as SQL writes it.
pub fn personal_in_definition(sql: &str) -> Vec<&'static str> {
    look_through(sql, &literals(sql))
}

/// The same for a text of its own: a label, a comment.
pub fn personal_in_text(text: &str) -> Vec<&'static str> {
    look_through(text, &[text])
}

fn look_through(text: &str, literals: &[&str]) -> Vec<&'static str> {
    let mut kinds = look(text, literals);
    for bytes in text::hex_literals(text) {
        if let Some(text) = std::str::from_utf8(&bytes).ok().filter(|text| text.len() >= BYTES_MIN) {
            kinds.extend(look(text, &[text]));
        }
    }
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

fn look(text: &str, literals: &[&str]) -> Vec<&'static str> {
    let mut kinds = text::personal_in_definition(text);
    kinds.extend(FORMS.iter().filter(|form| form.is_in(text)).map(|form| form.kind));
    if holds_password(text) {
        kinds.push(SECRET);
    }
    if prose::names_in_definition(text) || literals.iter().any(|literal| prose::is_name(literal)) {
        kinds.push("name of a person");
    }
    if literals.iter().any(|literal| DIALED.is_match(literal) && !nobody::is_fictional(literal)) {
        kinds.push(PHONE);
    }
    kinds
}

const PHONE: &str = "phone number";
const SECRET: &str = "password or token";

/// Literals that are a phone number and nothing else, in groups that amounts have too.
static DIALED: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^\s*(?:[5-8]\d\d[ -]\d{3}[ -]\d{3}|[2-9]\d\d [2-9]\d\d \d{4})\s*$"));

static ASSIGNED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?i)(?:^|[^\p{L}\d])(?:password|passwort|passwd|passphrase|kennwort|pwd|pw|pass|secret|token|api[_-]?key)"?(?::[ ]?|=)"?([^\s'"`;,:=()|]{5,})"#,
    )
});

/// `password: sha256` says how.
static ALGORITHM: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)^(?:sha|md5|bcrypt|argon|scrypt|pbkdf|base|scram|uuid|utf|aes|hmac)[-_]?\d*\w{0,4}$")
});

/// `password: hunter2!x`, `pw=hunter2`: a word and what it opens, side by side. A value has a digit or a sign, and a letter:
/// `password: required` and `token=new_token` are none.
fn holds_password(text: &str) -> bool {
    ASSIGNED.captures_iter(text).any(|found| {
        let value = &found[1];
        let letter = value.chars().any(char::is_alphabetic);
        let odd =
            value.chars().any(|c| c.is_ascii_digit() || matches!(c, '!' | '@' | '#' | '^' | '&' | '*' | '~' | '?'));
        let identifier = value.contains('_')
            && value.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let sample = nobody::is_sample("secret", value);
        let template = value.contains(['%', '$', '{', '<', '[']);
        letter && odd && !identifier && !template && !sample && !ALGORITHM.is_match(value)
    })
}

/// Something with a form of its own.
struct Form {
    kind: &'static str,
    pattern: &'static LazyLock<Regex>,
    /// What passes the pattern and is nobody's.
    but: fn(&str) -> bool,
}

impl Form {
    fn is_in(&self, text: &str) -> bool {
        self.pattern.captures_iter(text).any(|found| {
            // The first group is the value, where the pattern needs to see what is around it.
            let value = found.iter().skip(1).flatten().next().or_else(|| found.get(0));
            let value = value.map_or("", |value| value.as_str());
            !(self.but)(value)
        })
    }
}

static FORMS: &[Form] = &[
    Form { kind: "e-mail address", pattern: &SPELLED, but: |_| false },
    Form { kind: "hardware address", pattern: &HARDWARE, but: is_no_hardware },
    Form { kind: "date of birth", pattern: &BORN, but: |_| false },
    Form { kind: "profile of a person", pattern: &PROFILE, but: nobody::is_placeholder },
    Form { kind: SECRET, pattern: &TOKEN, but: |_| false },
    Form { kind: SECRET, pattern: &HEADER, but: |value| is_plain_word(value) || nobody::is_placeholder(value) },
    Form { kind: "postal address", pattern: &STREET, but: |_| false },
];

/// `bob (at) example.org`, `bob [at] example [dot] org`: who hides an address has one, so no domain is let off.
static SPELLED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)[a-z0-9][a-z0-9._+-]*\s?[(\[{]\s?(?:at|@|ät)\s?[)\]}]\s?[a-z0-9-]+\s?(?:\.|[(\[{]\s?(?:dot|punkt|punto|point|\.)\s?[)\]}]| dot )\s?[a-z]{2,}",
    )
});
static HARDWARE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?:^|[^0-9A-Za-z:._-])([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5})(?:$|[^0-9A-Za-z:_-])",
    )
});

/// Addresses of everybody and of nobody, those for manuals (RFC 7042), and days and times.
fn is_no_hardware(value: &str) -> bool {
    let small = value.to_ascii_lowercase();
    let plain = small.bytes().filter(|byte| byte.is_ascii_hexdigit()).all(|byte| matches!(byte, b'0' | b'f'));
    let counted = value.contains('-') && small.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit());
    plain || counted || small.starts_with("00:00:5e:00:53")
}

static BORN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)(?:^|[^\p{L}_])(?:born|geb\.|geboren|né|née|nacid[oa]|nat[oa]|urodzon[ya]|date of birth|birth ?date|birthday|dob|d\.o\.b\.)(?: on| am| op| le| el| il)?:? ?(?:\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|(?:18|19|20)\d\d-\d\d-\d\d|\d{1,2}\.? \p{L}{3,9}\.? (?:18|19|20)\d\d|\p{L}{3,9} \d{1,2}, (?:18|19|20)\d\d)",
    )
});
static PROFILE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)(?:linkedin\.com/in|xing\.com/profile)/([^\s/'<>]{2,})"));
static TOKEN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"hooks\.slack\.com/services/\w{6,}/\w{6,}/\w{8,}|discord(?:app)?\.com/api/webhooks/\d{6,}/[\w-]{20,}|\$2[abxy]\$\d\d\$[./A-Za-z0-9]{22,}|\$argon2(?:id|i|d)\$v=\d+\$[^\s']{20,}|\$[156y]\$[^$\s']{1,40}\$[./A-Za-z0-9]{20,}|SCRAM-SHA-256\$\d+:[A-Za-z0-9+/=]{8,}|-----BEGIN [A-Z ]{0,24}PRIVATE KEY",
    )
});
static HEADER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?:^|[^\p{L}])(?:[Bb]asic ([A-Za-z0-9+/]{12,}={0,2})|[Bb]earer ([A-Za-z0-9._~+/-]{12,}={0,2}))")
});

/// `Basic internationalization`: words have few capitals, and hardly a digit.
fn is_plain_word(value: &str) -> bool {
    let count = |is: fn(&u8) -> bool| value.bytes().filter(is).count();
    let (digits, capitals) = (count(u8::is_ascii_digit), count(u8::is_ascii_uppercase));
    !value.ends_with('=') && if digits == 0 { capitals <= 2 } else { digits == 1 && capitals == 0 }
}

/// A house number and a street, as countries write them. Words of streets that stand in other words too (`Spring 4`,
/// `Arbeitsplatz 12`) count with a blank before them only.
static STREET: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"(?:^|[^\p{L}\p{N}_.-])(?:",
        // 221B Baker Street; 1600 Pennsylvania Avenue
        r"\d{1,5}[A-Za-z]?,? (?:\p{Lu}[\p{L}.’'-]* ){1,4}(?:(?:Street|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Court|Square|Boulevard|Blvd|Terrace|Parkway|Highway|Hwy|Crescent|Gardens|Grove|Mews|Close|Way)\b|(?:St|Dr)\.|St(?:$|[,']))",
        // Hauptstr. 12; Goethestr. 5a; Berliner Straße 5; Am Alten Markt 3, 10115 Berlin
        r"|\p{Lu}[\p{L}-]{2,}(?:straße|strasse|str\.|gasse|allee|weg|damm) ?\d{1,4}(?:$|[^\p{N}\p{L}]| ?[a-z]\b)",
        r"|\p{Lu}[\p{L}-]{2,} (?:Straße|Strasse|Str\.|Gasse|Allee|Weg|Damm|Platz|Ring|Ufer) \d{1,4}(?:$|[^\p{N}\p{L}]| ?[a-z]\b)",
        r"|\p{Lu}[\p{L}.-]+ (?:\p{L}[\p{L}.-]* ){0,3}\d{1,4} ?[a-z]?, (?:(?:A-|CH-)\d{4}|(?:D-)?\d{5}) \p{Lu}\p{L}+",
        // 12 rue de la Paix
        r"|\d{1,4}(?: bis| ter)?,? (?:[Rr]ue|[Aa]venue|[Bb]oulevard|[Bb]d|[Ii]mpasse|[Cc]hemin|[Qq]uai|[Aa]llée) (?:(?:de|du|des|la|le|les) |[dl]['’]{1,2})*\p{Lu}",
        r"|\d{1,4}(?: bis| ter)?,? (?:[Pp]lace|[Cc]ours|[Rr]oute|[Ss]quare) (?:de la|du|des|de) \p{Lu}",
        // Calle Mayor 5; Via Roma 12; Rua Augusta, 100
        r"|(?:[Cc]alle|C/|Avenida|Avda\.?|Paseo|Carrer|Rua|Via|Viale|Piazza|Corso) (?:(?:de|del|la|las|los|da|do|dos|dei|della|delle) )*\p{Lu}\p{Ll}[\p{L}’'-]+(?: \p{Lu}\p{Ll}[\p{L}’'-]+){0,3},? (?:n[.º°] ?)?\d{1,4}\b",
        // ul. Marszałkowska 10
        r"|(?:ul\.|ulica|aleja|osiedle) ?\p{Lu}[\p{L}.-]+ (?:\p{L}[\p{L}.-]* ){0,3}\d{1,4}",
        // Keizersgracht 123; Storgatan 5
        r"|\p{Lu}[\p{L}-]{2,}(?:straat|laan|plein|gracht|kade|dijk|singel|steeg|dreef|gatan|vägen|gränd) \d{1,4}(?:$|[^\p{N}\p{L}]| ?[a-zA-Z]\b)",
        r")"
    ))
});

/// Whether a text may be somebody's. Stricter than where a definition is refused: for what is only compared.
pub fn may_be_personal(text: &str) -> bool {
    !text::personal_kinds(text).is_empty() || prose::names_somebody(text) || !personal_in_text(text).is_empty()
}

/// What a definition says: its literals, and of the comments inside it those that may tell of somebody. Programmers write
/// comments anew all the time, and most of them say how a function works.
pub fn said(sql: &str) -> Vec<&str> {
    let tells = |text: &str| may_be_personal(text) || has_proper_noun(text);
    pieces(sql).into_iter().filter(|(comment, text)| !comment || tells(text)).map(|(_, text)| text).collect()
}

/// Whether a word inside a sentence has a capital, as names have: most last names are in no list.
fn has_proper_noun(text: &str) -> bool {
    let mut begins = true;
    for word in text.split_whitespace() {
        let letters = word.trim_matches(|c: char| !c.is_alphanumeric());
        if letters.is_empty() {
            continue;
        }
        let mut chars = letters.chars();
        if !begins && chars.next().is_some_and(char::is_uppercase) && chars.next().is_some_and(char::is_lowercase) {
            return true;
        }
        begins = word.ends_with(['.', '!', '?', ':']);
    }
    false
}

/// The literals and comments of a piece of SQL, also of those inside bodies: what stands between quotes, and behind `--`.
fn literals(sql: &str) -> Vec<&str> {
    pieces(sql).into_iter().map(|(_, text)| text).collect()
}

/// The same, each with whether it is a comment.
fn pieces(sql: &str) -> Vec<(bool, &str)> {
    let bytes = sql.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &sql[at..];
        match bytes[at] {
            b'\'' => {
                let end = quote_end(bytes, at + 1);
                found.push((false, &sql[at + 1..end]));
                at = end + 1;
            }
            b'-' if rest.starts_with("--") => {
                let end = rest.find('\n').map_or(sql.len(), |length| at + length);
                found.push((true, &sql[at + 2..end]));
                at = end + 1;
            }
            b'/' if rest.starts_with("/*") => {
                let end = rest.find("*/").map_or(sql.len(), |length| at + length);
                found.push((true, sql.get(at + 2..end).unwrap_or_default()));
                at = end + 2;
            }
            _ => {
                at += 1;
                while !sql.is_char_boundary(at) {
                    at += 1;
                }
            }
        }
    }
    found
}

/// Where a literal ends; two quotes are one inside of it.
fn quote_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        if bytes[at] == b'\'' {
            if bytes.get(at + 1) != Some(&b'\'') {
                return at;
            }
            at += 1;
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTIFIER: &str = "national identifier";
    const SSN: &str = "social security number";

    /// A kind, what is found as it, and what looks like it and is not.
    const TABLE: &[(&str, &[&str], &[&str])] = &[
        (
            PHONE,
            &[
                "DEFAULT '415-555-2671'",
                "DEFAULT '415.555.2671'",
                "DEFAULT '0171/2345678'",
                "DEFAULT '0171 2345678'",
                "DEFAULT '030-12345678'",
                "DEFAULT '06 12 34 56 78'",
                "DEFAULT '06.12.34.56.78'",
                "phone character varying(20) DEFAULT '0612345678'::character varying",
                "IS 'tel 612 345 678'",
                "DEFAULT '601 234 567'",
                "DEFAULT '07700 900123'",
                "IS 'call 0049 171 2345678'",
                "DEFAULT '+49 171 2345678'",
                "CHECK ((mobile <> '4915112345678'::text))",
                "IS 'phone: (415) 223-4567'",
                "DEFAULT '555 223 4567'",
                "IS 'phone 20231115993142'",
                "DEFAULT '+44 7700 800123'",
            ],
            &[
                "IS 'phone: (555) 123-4567'",
                "IS 'phone: (555) 223-4567'",
                "DEFAULT '555-223-4567'",
                "DEFAULT '212 555 0123'",
                "IS 'phone of the call 20231115103000'",
                "IS 'phone: +44 7700 900123'",
                "DEFAULT '415-555-0132'",
                "DEFAULT '(000) 000-0000'",
                "IS 'call 0800 1234567'",
                "IS 'phone 1-800-223-4567'",
                "DEFAULT '(415) 555-0132'",
                "DEFAULT '+1 555 0100'",
                "DEFAULT '+1-212-555-0100'",
                "DEFAULT '2024-01-31'",
                "phone_seen timestamp DEFAULT '2024-01-31 00:00:00'",
                "CHECK (phone_id <= 2147483647)",
                "call_id bigint DEFAULT '1700000000'",
                "COMMENT 'phone: digits like 123456789'",
                "CHECK (amount < 612345678)",
                "SELECT 601 234 567 AS x",
                "CREATE INDEX phone_20240131 ON t (a)",
                "'0612345678'",
                "'01/2024-2025'",
            ],
        ),
        (
            IDENTIFIER,
            &[
                "DEFAULT '58273914X'",
                "pesel character varying(11) DEFAULT '85120312343'::character varying",
                "IS 'NIR 1 84 12 76 451 089 46'",
                "bsn text DEFAULT '273465193'",
                "IS 'the CPF 52998224725 is wrong'",
                "DEFAULT '529.982.247-25'",
                "DEFAULT 'AB123456C'",
                "IS '85120312343 (PESEL)'",
            ],
            &[
                "DEFAULT '85120312343'",
                "DEFAULT '273465193'",
                "bsn text DEFAULT '273465194'",
                "DEFAULT '58273914A'",
                "pesel text DEFAULT '44051401359'",
                "IS 'a CPF: 111.444.777-35'",
                "IS 'DNI, like 12345678Z'",
            ],
        ),
        (
            SSN,
            &["ssn character varying(11) DEFAULT '536718294'", "IS 'my SSN is 536718294'", "DEFAULT '536-71-8294'"],
            &[
                "DEFAULT '536718294'",
                "assn text DEFAULT '536718294'",
                "IS 'SSN, as 123-45-6789'",
                "ssn text DEFAULT '078051120'",
                "DEFAULT '219-09-9999'",
                "DEFAULT '000-00-0000'",
            ],
        ),
        (
            "postal address",
            &[
                "IS '221B Baker Street'",
                "DEFAULT '1600 Pennsylvania Avenue'",
                "DEFAULT '10 Main St.'",
                "DEFAULT 'Hauptstr. 12, 10115 Berlin'",
                "DEFAULT 'Goethestr. 5a'",
                "DEFAULT 'Unter den Linden 3, 10117 Berlin'",
                "DEFAULT 'Berliner Straße 5'",
                "DEFAULT '12 rue de la Paix'",
                "DEFAULT 'Calle Mayor 5'",
                "DEFAULT 'ul. Marszałkowska 10'",
                "DEFAULT 'Keizersgracht 123'",
            ],
            &[
                "IS 'Spring 2024'",
                "IS 'Arbeitsplatz 12'",
                "IS 'String 12, Monitoring 3'",
                "IS '3 way merge of 4 street lists'",
                "IS 'Street 5'",
                "IS 'Table 12, 2024 Edition'",
                "IS 'via port 8080'",
                "IS 'rue de la Paix'",
                "street_number integer DEFAULT 12",
            ],
        ),
        (
            SECRET,
            &[
                "IS 'password: hunter2!x'",
                "IS 'pw=hunter2'",
                "IS 'pwd: Sup3rS3cret'",
                "DEFAULT '{\"password\": \"hunter2\"}'",
                "DEFAULT 'Basic dXNlcjpwYXNzd29yZA=='",
                "DEFAULT 'Bearer 0123abcd4567efgh'",
                "DEFAULT 'https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXX'",
                "DEFAULT '$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW'",
                "DEFAULT '$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b'",
                "IS '-----BEGIN RSA PRIVATE KEY-----'",
                "IS 'Authorization: Bearer YOUR_ACCESS_TOKEN2'",
                "IS 'AKIAIOSFODNN7EXAMPL5'",
                "IS 'host=db password=hunter2hunter'",
            ],
            &[
                "IS 'password: required'",
                "IS 'password: sha256'",
                "token=new_token2",
                "(password)::text",
                "pw := crypt(new.pw, salt1)",
                "IS 'pw=%s and token={token1}'",
                "IS 'Basic internationalization'",
                "IS 'Bearer authentication'",
                "CHECK ((hash ~~ '$2b$12$%'::text))",
                "IS 'see hooks.slack.com/services'",
                "IS 'Authorization: Bearer YOUR_ACCESS_TOKEN'",
                "IS 'the key AKIAIOSFODNN7EXAMPLE of the manual'",
                "IS 'secret=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'",
                "IS 'host=db password=YOUR_PASSWORD'",
            ],
        ),
        (
            "e-mail address",
            &[
                "DEFAULT 'bob@nordwind-mail.com'",
                "IS 'bob (at) example.com'",
                "IS 'bob [at] nordwind [dot] com'",
                "DEFAULT 'bob@notexample.com'",
                "DEFAULT 'bob@example.com.nordwind-mail.de'",
                "IS 'mail@nordwind-mail.com'",
                "IS 'support.miller@nordwind-mail.com'",
            ],
            &[
                "IS 'git@nordwind-mail.com'",
                "DEFAULT 'no-reply@nordwind-mail.com'",
                "IS 'write to support@nordwind-mail.com'",
                "IS 'git@github.com:org/repo.git'",
                "IS 'git@git.nordwind-mail.com:org/repo'",
                "DEFAULT 'user@example.com'",
                "DEFAULT 'user@mail.example.org'",
                "DEFAULT 'noreply@shop.example'",
                "DEFAULT 'jane.roe@corp.test'",
                "IS 'prices (at) cost'",
                "SELECT places[at] FROM x.y",
            ],
        ),
        (
            "IP address",
            &[
                "DEFAULT '81.2.69.142'",
                "IS 'prev 81.2.69.142'",
                "IS 'conversion 81.2.69.142'",
                "IS 'a version for 81.2.69.142'",
                "version text, address text DEFAULT '81.2.69.142'",
            ],
            &[
                "app_version character varying(20) DEFAULT '1.14.2.7'::character varying",
                "CHECK (((min_version)::text <> '1.14.2.7'::text))",
                "IS 'v1.2.3.4'",
                "IS 'version 1.2.3.4'",
                "IS 'Version: 1.2.3.4'",
                "DEFAULT '8.8.8.8'",
                "DEFAULT '1.2.3.4'",
                "DEFAULT '10.20.30.40'",
                "DEFAULT '203.0.113.7'",
            ],
        ),
        (
            "credentials in a URL",
            &[
                "IS 'https://nordwind.de/?token=abc'",
                "IS 'redis://:secret@db.nordwind.de'",
                "IS 'https://$ecret@nordwind.de'",
                "IS 'postgres://user:hunter2@localhost/db'",
                "IS 'https://bob@nordwind.de'",
            ],
            &[
                "IS 'https://${TOKEN}@example.com'",
                "IS 'https://YOUR_TOKEN@nordwind.de'",
                "IS 'https://<token>@nordwind.de'",
                "IS 'https://nordwind.de/?api_key=YOUR_API_KEY'",
                "IS 'postgres://user:password@localhost/db'",
                "IS 'postgres://postgres:postgres@localhost:5432/db'",
                "IS 'ssh://git@github.com/org/repo'",
                "IS 'https://nordwind.de/?token={token}'",
                "IS 'https://nordwind.de/?token=$1'",
                "IS 'https://nordwind.de/?token=%s'",
            ],
        ),
        (
            "bank account number",
            &["DEFAULT 'DE44500105175407324931'", "IS 'IBAN DE44 5001 0517 5407 3249 31'"],
            &["DEFAULT 'DE89370400440532013000'", "IS 'as GB82 WEST 1234 5698 7654 32'"],
        ),
        (
            "card number",
            &["DEFAULT '4539578763621486'"],
            &["DEFAULT '4242424242424242'", "DEFAULT '4111 1111 1111 1111'"],
        ),
        (
            "hardware address",
            &["DEFAULT '00:1A:2B:3C:4D:5E'", "DEFAULT '00-1a-2b-3c-4d-5e'"],
            &[
                "DEFAULT '00:00:00:00:00:00'",
                "DEFAULT 'ff:ff:ff:ff:ff:ff'",
                "DEFAULT '00:00:5E:00:53:01'",
                "DEFAULT '01-02-03-04-05-06'",
            ],
        ),
        (
            "date of birth",
            &["IS 'born 12.03.1984'", "IS 'geb. 12.03.1984'", "IS 'born on 12 March 1984'"],
            &["birth_date date DEFAULT '1900-01-01'", "IS 'newborn 12'", "CHECK ((dob > '1900-01-01'::date))"],
        ),
        (
            "profile of a person",
            &["IS 'https://www.linkedin.com/in/robert-miller-1234'"],
            &["IS 'https://www.linkedin.com/company/acme'", "IS 'https://www.linkedin.com/in/{slug}'"],
        ),
        (
            "name of a person",
            &[
                "DEFAULT 'robert miller'",
                "DEFAULT 'ROBERT MILLER'",
                "IN ('nobody', 'robert.miller')",
                "IS 'ask Miller, Robert'",
                "IS 'ask John Miller'",
                "IS 'John Doe Miller'",
                "IS 'ask Jean Dupont'",
                "IS 'ask Dr. Vlokkb'",
                "DEFAULT 'Paul Smith'",
            ],
            &[
                "DEFAULT 'Dr. Oetker'",
                "IS 'like Mr. Clean or Dr. Pepper'",
                "DEFAULT 'Prof. Services'",
                "IN ('Alice Springs', 'Lincoln Park', 'Winston Salem')",
                "IN ('Giorgio Armani', 'Leroy Merlin', 'Robert Bosch')",
                "IS 'Albert Einstein Schule'",
                "DEFAULT 'harry potter'",
                "DEFAULT 'John Doe'",
                "IS 'for Max Mustermann or Dr. Jane Roe'",
                "DEFAULT 'john.doe'",
                "DEFAULT 'DOE, JANE'",
                "DEFAULT 'nobody at all'",
                "SELECT robert.miller FROM robert",
                "IS 'Grant Select to the readers. Order Status.'",
            ],
        ),
    ];

    #[test]
    fn what_is_hardly_anything_else_is_found_and_what_is_nobodys_is_not() {
        let mut wrong = Vec::new();
        for (kind, examples, counters) in TABLE {
            let finds = |text: &&&str| personal_in_definition(text).contains(kind);
            wrong.extend(examples.iter().filter(|text| !finds(text)).map(|text| format!("{kind} in {text}")));
            wrong.extend(counters.iter().filter(|text| finds(text)).map(|text| format!("no {kind} in {text}")));
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn texts_of_their_own_and_bytes_are_looked_through_too() {
        assert_eq!(personal_in_text("robert miller"), ["name of a person"]);
        assert_eq!(personal_in_text("gold"), Vec::<&str>::new());
        // bob@nordwind-mail.com
        let bytes = "DEFAULT '\\x626f62406e6f726477696e642d6d61696c2e636f6d'::bytea";
        assert_eq!(personal_in_definition(bytes), ["e-mail address"]);
    }

    #[test]
    fn literals_and_comments_are_cut_out_of_bodies() {
        let sql = "SELECT 'a''b', $$ 'c' -- don't\n/* it's */ 'd' $$, 'é'";
        assert_eq!(literals(sql), ["a''b", "c", " don't", " it's ", "d", "é"]);
        assert_eq!(literals("'open"), ["open"]);
        assert_eq!(literals("/*/ x"), [""]);
    }

    #[test]
    fn a_comment_inside_a_definition_says_something_if_it_may_tell_of_somebody() {
        for silent in ["-- loop over the rows", "/* Sums up. Then the rest: All of it */", "-- see: ISO 8601"] {
            assert_eq!(said(silent), Vec::<&str>::new(), "{silent}");
        }
        for telling in ["-- asked for by Quillfeather", "/* mail\n * r.miller@planted.org */", "-- dr. Robert Miller"] {
            assert_eq!(said(telling).len(), 1, "{telling}");
        }
        assert_eq!(said("SELECT 'loop' -- loop over the rows"), ["loop"], "a literal always does");
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

        /// A panic would quote the value.
        #[test]
        fn any_text_can_be_looked_through(text in "(\\PC|['/*\n-]|\\\\x[0-9a-f]{0,6}|[0-9 .-]{0,12}|tel|@|é){0,40}") {
            personal_in_definition(&text);
            personal_in_text(&text);
        }
    }

    #[test]
    fn the_definitions_of_the_shop_hold_nobody() {
        let schema = include_str!("../../samples/shop/schema.sql");
        let told: Vec<&str> = schema.split(';').filter(|sql| !personal_in_definition(sql).is_empty()).collect();
        assert_eq!(told, Vec::<&str>::new());
    }
}
