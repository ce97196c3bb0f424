//! People: the persona of a subject, and the kinds that show one side of it: names, address, e-mail, user name.
//!
//! A persona is a function of (key, realm, label, subject). Each attribute has its own stream, so a new attribute never
//! changes another. Source: MASKING.md section 8.

use super::canon::{push_canonical, push_email};
use super::column::{ColumnMask, Compile, CompileError};
use super::dict::{FIRST_FEMALE, FIRST_MALE, LAST, PLACE, STREET_NAMES, STREET_SUFFIXES};
use super::key::{DomainKey, RealmKey};
use super::kind::{Domain, Param};
use super::lanes::{self, Block, LANES};
use super::leaf::{At, FOLD, ON_INVALID, TEXT, TextKind, TextMask};
use super::quantity::canonical_integer;
use super::recent::{self, Memory};
use super::token::{Perm, Purpose, below, push_b32, word};
use super::{Injective, KeyedOn, Kind, Params, Shape};
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::LazyLock;

const NAME: Kind = Kind { keyed_on: KeyedOn::Subject, injective: Injective::No, needs_subject: true, ..TEXT };

pub(super) static NAME_FIRST: Kind = Kind {
    name: "name.first",
    summary: "Gives the person a first name from the US census, as often as people have it",
    samples: &["Robert"],
    least: |_| vec![longest(&FIRST_FEMALE).max(longest(&FIRST_MALE))],
    compile: |compile| compile_name(compile, Part::First),
    ..NAME
};

pub(super) static NAME_LAST: Kind = Kind {
    name: "name.last",
    summary: "Gives the person a last name from the US census, as often as people have it",
    samples: &["Miller"],
    least: |_| vec![longest(&LAST)],
    compile: |compile| compile_name(compile, Part::Last),
    ..NAME
};

pub(super) static NAME_FULL: Kind = Kind {
    name: "name.full",
    summary: "Gives the person a first and a last name, the same as `name.first` and `name.last`",
    samples: &["Robert Miller"],
    least: |_| vec![longest(&FIRST_FEMALE).max(longest(&FIRST_MALE)) + 1 + longest(&LAST)],
    compile: |compile| compile_name(compile, Part::Full),
    ..NAME
};

pub(super) static ADDRESS: Kind = Kind {
    name: "address",
    summary: "Gives the person an address; street, city, region and ZIP code fit together",
    params: &[
        Param {
            name: "part",
            summary: "which part the column holds; without it: all but the country on one line",
            domain: Domain::OneOf(&["street", "city", "region", "zip", "country"]),
            default: "all",
        },
        Param {
            name: "country",
            summary: "for `part = \"country\"`: keep the country, or set it to that of the address",
            domain: Domain::OneOf(&["keep", "set"]),
            default: "keep",
        },
    ],
    samples: &["12 Main Street"],
    least: address_least,
    compile: compile_address,
    ..NAME
};

const BY: Param = Param {
    name: "by",
    summary: "\"value\": equal values get equal masks; \"subject\": the mask follows the person of the row",
    domain: Domain::OneOf(&["value", "subject"]),
    default: "value",
};

pub(super) static EMAIL: Kind = Kind {
    name: "email",
    summary: "Replaces e-mail addresses by undeliverable ones under `.example`; equal addresses stay equal",
    params: &[BY, FOLD, ON_INVALID],
    keyed_on: KeyedOn::Either,
    injective: Injective::Bits80,
    folds: true,
    lowercase: true,
    samples: &["bob@example.com", "Alice.Jones@gmail.com"],
    least: |_| vec![70, 40, 38, 26],
    compile: |compile| TextMask::boxed(compile, Email::new(compile)),
    ..TEXT
};

pub(super) static USERNAME: Kind = Kind {
    name: "username",
    summary: "Replaces user names by `first_<token>`; equal names stay equal",
    params: &[BY, FOLD],
    keyed_on: KeyedOn::Either,
    injective: Injective::Bits80,
    folds: true,
    lowercase: true,
    samples: &["bob", "alice_77"],
    least: |_| vec![32, 18, 16],
    compile: |compile| TextMask::boxed(compile, Username(Handle::new(compile, "username/1"))),
    ..TEXT
};

/// Characters of the longest entry of a list.
pub(super) fn longest(list: &super::dict::Dictionary) -> u32 {
    longest_of(list.values())
}

fn longest_of<'a>(values: impl Iterator<Item = &'a str>) -> u32 {
    values.map(|value| value.chars().count() as u32).max().unwrap_or(0)
}

/// The person a subject becomes.
pub struct Persona {
    key: DomainKey,
    /// First and last name of a subject are asked for by different columns of the same row.
    memory: Memory,
}

impl Persona {
    /// Returns the personas of a label.
    pub fn new(realm: &RealmKey, label: &str) -> Self {
        Self::keyed(realm.domain("persona/1", label))
    }

    /// Returns personas of another key.
    pub fn keyed(key: DomainKey) -> Self {
        let memory = Memory::new(&key, b"names");
        Self { key, memory }
    }

    /// First and last name together with the tag of `keyed` under another key: four hashes for little more than one.
    fn names_and_tag(&self, keyed: &str, tag_key: &DomainKey) -> Option<(Names, [u8; 32])> {
        let tag = Block::join(&[&[Purpose::Tag as u8], keyed.as_bytes()])?;
        let [sex, first, last] = self.blocks(keyed)?;
        let [sex, first, last, tag] =
            lanes::keyed([&self.key.0, &self.key.0, &self.key.0, &tag_key.0], &[sex, first, last, tag]);
        Some((chosen(&sex, &first, &last), tag))
    }

    fn draw(&self, subject: &str, attribute: &str) -> [u8; 32] {
        self.key.attribute(subject.as_bytes(), attribute)
    }

    /// First name, from the list of the persona's sex.
    pub fn first(&self, subject: &str) -> &'static str {
        self.names(subject).0
    }

    pub fn last(&self, subject: &str) -> &'static str {
        self.names(subject).1
    }

    /// First and last name.
    fn names(&self, subject: &str) -> Names {
        if let Some(names) = recent::recall_names(&self.memory, subject) {
            return names;
        }
        let names = match self.blocks(subject) {
            Some([sex, first, last]) => {
                let [sex, first, last, _] = lanes::keyed([&self.key.0; LANES], &[sex, first, last, last]);
                chosen(&sex, &first, &last)
            }
            None => {
                let draw = |attribute| self.draw(subject, attribute);
                chosen(&draw("sex"), &draw("first"), &draw("last"))
            }
        };
        recent::remember_names(&self.memory, subject, names);
        names
    }

    /// The inputs of the attribute streams for sex, first and last name; none for a subject too long for one block.
    fn blocks(&self, subject: &str) -> Option<[Block; 3]> {
        let length = (subject.len() as u64).to_le_bytes();
        let attribute = |name: &str| {
            let name_length = (name.len() as u64).to_le_bytes();
            Block::join(&[&[Purpose::Stream as u8], &length, subject.as_bytes(), &name_length, name.as_bytes()])
        };
        Some([attribute("sex")?, attribute("first")?, attribute("last")?])
    }

    /// Appends number, name and suffix of a street.
    pub fn push_street(&self, subject: &str, out: &mut String) {
        let stream = self.draw(subject, "street");
        let pick = |index: usize, list: &[&'static str]| list[below(word(&stream, index), list.len() as u64) as usize];
        let number = below(word(&stream, 0), STREET_NUMBERS) + 1;
        let _ = write!(out, "{number} {} {}", pick(1, STREET_NAMES), pick(2, STREET_SUFFIXES));
    }

    /// City, region and ZIP code that belong together.
    pub fn place(&self, subject: &str) -> Place {
        let stream = self.draw(subject, "place");
        let mut parts = PLACE.draw(word(&stream, 0)).split('|');
        let mut next = || parts.next().expect("a place is city, region and ZIP prefix");
        let (city, region, prefix) = (next(), next(), next());
        let zip: u64 = prefix.parse().expect("a ZIP prefix is a number");
        Place { city, region, zip: zip * 100 + below(word(&stream, 1), 100) }
    }
}

/// First and last name of a persona.
pub type Names = (&'static str, &'static str);

/// Draws the names that the streams of a persona choose.
fn chosen(sex: &[u8; 32], first: &[u8; 32], last: &[u8; 32]) -> Names {
    let list = if below(word(sex, 0), 2) == 0 { &FIRST_FEMALE } else { &FIRST_MALE };
    (list.draw(word(first, 0)), LAST.draw(word(last, 0)))
}

const STREET_NUMBERS: u64 = 9_999;

/// A city with its region and a ZIP code of the area.
pub struct Place {
    pub city: &'static str,
    pub region: &'static str,
    pub zip: u64,
}

/// Calls `then` with the subject of the row; a row without one is its own subject.
fn with_subject<R>(value: &str, at: At<'_>, slot: Option<usize>, then: impl FnOnce(&str) -> R) -> R {
    match at.subject(slot) {
        Some(subject) => then(subject),
        None => then(&super::canon::canonical(value, true)),
    }
}

enum Part {
    First,
    Last,
    Full,
    Street,
    City,
    Region,
    Zip,
    Line,
    /// The country as it is.
    KeepCountry,
    /// The country of every address of the locale.
    Country(&'static str),
}

/// One side of a persona.
struct Side {
    persona: Persona,
    part: Part,
    slot: Option<usize>,
}

fn compile_name(compile: &Compile<'_>, part: Part) -> Result<Box<dyn ColumnMask>, CompileError> {
    let persona = Persona::new(compile.realm, &compile.spec.label);
    TextMask::boxed(compile, Side { persona, part, slot: compile.subject })
}

fn compile_address(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let part = match compile.word("part") {
        Some("street") => Part::Street,
        Some("city") => Part::City,
        Some("region") => Part::Region,
        Some("zip") => Part::Zip,
        Some("country") if compile.word("country") != Some("set") => Part::KeepCountry,
        Some("country") => Part::Country(if compile.tier() == 0 { COUNTRY } else { COUNTRY_CODE }),
        _ => Part::Line,
    };
    compile_name(compile, part)
}

const COUNTRY: &str = "United States";
const COUNTRY_CODE: &str = "US";

fn address_least(params: &Params) -> Vec<u32> {
    static STREET: LazyLock<u32> = LazyLock::new(|| {
        4 + 1 + longest_of(STREET_NAMES.iter().copied()) + 1 + longest_of(STREET_SUFFIXES.iter().copied())
    });
    static CITY: LazyLock<u32> =
        LazyLock::new(|| longest_of(PLACE.values().filter_map(|place| place.split('|').next())));
    let word = |name: &str| params.get(name).and_then(|value| value.as_str());
    match word("part") {
        Some("street") => vec![*STREET],
        Some("city") => vec![*CITY],
        Some("region") => vec![2],
        Some("zip") => vec![5],
        Some("country") if word("country") == Some("set") => vec![COUNTRY.len() as u32, COUNTRY_CODE.len() as u32],
        Some("country") => Vec::new(),
        _ => vec![*STREET + 2 + *CITY + 2 + 2 + 1 + 5],
    }
}

impl TextKind for Side {
    type Scratch = ();

    fn mask(&self, value: &str, at: At<'_>, _scratch: &mut (), out: &mut String) -> bool {
        let persona = &self.persona;
        with_subject(value, at, self.slot, |subject| match self.part {
            Part::First => out.push_str(persona.first(subject)),
            Part::Last => out.push_str(persona.last(subject)),
            Part::Full => {
                out.push_str(persona.first(subject));
                out.push(' ');
                out.push_str(persona.last(subject));
            }
            Part::Street => persona.push_street(subject, out),
            Part::City => out.push_str(persona.place(subject).city),
            Part::Region => out.push_str(persona.place(subject).region),
            Part::Zip => {
                let _ = write!(out, "{:05}", persona.place(subject).zip);
            }
            Part::Line => {
                persona.push_street(subject, out);
                let place = persona.place(subject);
                let _ = write!(out, ", {}, {} {:05}", place.city, place.region, place.zip);
            }
            Part::KeepCountry => out.push_str(value),
            Part::Country(country) => out.push_str(country),
        });
        true
    }

    fn reads(&self, _value: &str, _scratch: &mut ()) -> bool {
        true
    }
}

/// Longest part of a name in an e-mail address or user name.
const SLUG_MAX: usize = 15;

/// Appends the ASCII letters and digits of a name in lowercase, `max` at most.
fn push_slug(name: &str, max: usize, out: &mut String) {
    let mut slug = [0; SLUG_MAX];
    let mut length = 0;
    for byte in name.bytes().filter(u8::is_ascii_alphanumeric).take(max.min(SLUG_MAX)) {
        slug[length] = byte.to_ascii_lowercase();
        length += 1;
    }
    out.push_str(std::str::from_utf8(&slug[..length]).expect("ASCII is text"));
}

/// Integer anchors below this have a suffix of 8 characters that cannot collide.
const UID_MAX: i64 = 1 << 40;

/// What e-mail addresses and user names share: a persona, and a token that makes them unique.
struct Handle {
    key: DomainKey,
    persona: Persona,
    uid: Perm,
    tier: u8,
    fold: bool,
    /// With `by = "subject"`.
    slot: Option<usize>,
    /// The anchor is an integer column.
    integer_anchor: bool,
}

impl Handle {
    fn new(compile: &Compile<'_>, kind: &str) -> Self {
        let label = &compile.spec.label;
        let by_subject = compile.word("by") == Some("subject");
        let anchor = compile.spec.subject.and_then(|column| compile.table.columns.get(column));
        let integer_anchor =
            anchor.is_some_and(|anchor| matches!(anchor.shape, Shape::Int2 | Shape::Int4 | Shape::Int8));
        Self {
            key: compile.realm.domain(kind, label),
            persona: Persona::new(compile.realm, label),
            uid: Perm::new(&compile.realm.domain("uid/1", label), 1 << 40, b"uid40"),
            tier: compile.tier(),
            fold: compile.flag("fold", true),
            slot: compile.subject.filter(|_| by_subject),
            integer_anchor,
        }
    }

    /// Appends what stands before the `@`: names as the tier allows, and the token.
    fn push_local(&self, keyed: &str, from_subject: bool, out: &mut String) {
        let together = match self.tier {
            0 if !from_subject => self.persona.names_and_tag(keyed, &self.key),
            _ => None,
        };
        if let Some(((first, last), tag)) = together {
            push_slug(first, SLUG_MAX, out);
            out.push('.');
            push_slug(last, SLUG_MAX, out);
            out.push('.');
            return push_b32(&tag[..10], out);
        }
        if self.tier <= 1 {
            push_slug(self.persona.first(keyed), if self.tier == 0 { SLUG_MAX } else { 1 }, out);
            out.push('.');
        }
        if self.tier == 0 {
            push_slug(self.persona.last(keyed), SLUG_MAX, out);
            out.push('.');
        }
        self.push_token(keyed, from_subject, out);
    }

    /// Appends the token of an integer anchor (8 characters) or of any other text (16 characters, 80 bits).
    fn push_token(&self, keyed: &str, from_subject: bool, out: &mut String) {
        let id = if from_subject && self.integer_anchor { canonical_integer(keyed) } else { None };
        match id.filter(|id| (0..UID_MAX).contains(id)) {
            Some(id) => push_b32(&(self.uid.apply(id as u128) as u64).to_be_bytes()[3..], out),
            None => push_b32(&self.key.hash(Purpose::Tag, keyed.as_bytes())[..10], out),
        }
    }
}

/// Public providers whose name stays, because it tells nothing about a person: domain and name.
const PROVIDERS: &[(&str, &str)] = &[
    ("aol.com", "aol"),
    ("comcast.net", "comcast"),
    ("fastmail.com", "fastmail"),
    ("gmail.com", "gmail"),
    ("gmx.at", "gmx"),
    ("gmx.com", "gmx"),
    ("gmx.de", "gmx"),
    ("gmx.net", "gmx"),
    ("googlemail.com", "gmail"),
    ("hotmail.co.uk", "hotmail"),
    ("hotmail.com", "hotmail"),
    ("hotmail.de", "hotmail"),
    ("hotmail.fr", "hotmail"),
    ("icloud.com", "icloud"),
    ("live.com", "live"),
    ("mac.com", "icloud"),
    ("mail.ru", "mailru"),
    ("me.com", "icloud"),
    ("msn.com", "msn"),
    ("orange.fr", "orange"),
    ("outlook.com", "outlook"),
    ("outlook.de", "outlook"),
    ("outlook.fr", "outlook"),
    ("proton.me", "proton"),
    ("protonmail.com", "proton"),
    ("qq.com", "qq"),
    ("t-online.de", "t-online"),
    ("web.de", "web"),
    ("yahoo.co.jp", "yahoo"),
    ("yahoo.co.uk", "yahoo"),
    ("yahoo.com", "yahoo"),
    ("yahoo.de", "yahoo"),
    ("yahoo.fr", "yahoo"),
    ("yandex.ru", "yandex"),
];

/// Domains remembered per worker; a full memory starts anew.
const DOMAINS_MAX: usize = 4_096;

struct Email {
    handle: Handle,
    domains: DomainKey,
    /// An address often stands several times in a row: in its column, in a JSON document, in a note.
    memory: Memory,
}

/// Buffers of one worker: the canonical address, and the pseudonyms of domains met.
#[derive(Default)]
struct EmailMemo {
    canonical: String,
    domains: HashMap<Box<str>, Box<str>, foldhash::fast::RandomState>,
}

impl Email {
    fn new(compile: &Compile<'_>) -> Self {
        // One pseudonym per domain in the whole realm, whatever the label.
        let handle = Handle::new(compile, "email/1");
        let memory = Memory::new(&handle.key, &[handle.tier, u8::from(handle.fold)]);
        Self { handle, domains: compile.realm.domain("emaildomain/1", ""), memory }
    }

    fn push_domain(
        &self,
        domain: &str,
        known: &mut HashMap<Box<str>, Box<str>, foldhash::fast::RandomState>,
        out: &mut String,
    ) {
        if self.handle.tier >= 3 {
            return out.push_str("x.example");
        }
        if let Some(masked) = known.get(domain) {
            return out.push_str(masked);
        }
        let start = out.len();
        match PROVIDERS.binary_search_by_key(&domain, |provider| provider.0) {
            Ok(index) => out.push_str(PROVIDERS[index].1),
            Err(_) => {
                out.push('d');
                push_b32(&self.domains.hash(Purpose::Tag, domain.as_bytes())[..10], out);
                out.truncate(start + 13);
            }
        }
        out.push_str(".example");
        if known.len() >= DOMAINS_MAX {
            known.clear();
        }
        known.insert(domain.into(), out[start..].into());
    }
}

impl TextKind for Email {
    type Scratch = EmailMemo;

    fn mask(&self, value: &str, at: At<'_>, memo: &mut EmailMemo, out: &mut String) -> bool {
        let subject = at.subject(self.handle.slot);
        if subject.is_none() && recent::recall(&self.memory, value, out) {
            return true;
        }
        let start = out.len();
        let EmailMemo { canonical, domains } = memo;
        canonical.clear();
        let Some(domain) = push_email(value, self.handle.fold, canonical) else { return false };
        let keyed = subject.unwrap_or(canonical);
        self.handle.push_local(keyed, subject.is_some(), out);
        out.push('@');
        self.push_domain(&canonical[domain..], domains, out);
        if subject.is_none() {
            recent::remember(&self.memory, value, &out[start..]);
        }
        true
    }

    fn reads(&self, value: &str, memo: &mut EmailMemo) -> bool {
        memo.canonical.clear();
        push_email(value, self.handle.fold, &mut memo.canonical).is_some()
    }
}

struct Username(Handle);

impl TextKind for Username {
    type Scratch = String;

    fn mask(&self, value: &str, at: At<'_>, canonical: &mut String, out: &mut String) -> bool {
        let subject = at.subject(self.0.slot);
        let keyed = match subject {
            Some(subject) => subject,
            None => {
                canonical.clear();
                push_canonical(value, self.0.fold, canonical);
                canonical
            }
        };
        if self.0.tier <= 1 {
            push_slug(self.0.persona.first(keyed), if self.0.tier == 0 { SLUG_MAX } else { 1 }, out);
            out.push('_');
        }
        self.0.push_token(keyed, subject.is_some(), out);
        true
    }

    fn reads(&self, _value: &str, _scratch: &mut String) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MasterKey;

    #[test]
    fn uid_matches_the_golden_vector() {
        let key = MasterKey::test().realm("default").domain("uid/1", "public.users.id");
        let perm = Perm::new(&key, 1 << 40, b"uid40");
        let mut out = String::new();
        push_b32(&(perm.apply(42) as u64).to_be_bytes()[3..], &mut out);
        assert_eq!(out, "mfcm94df");
    }

    #[test]
    fn providers_are_sorted_and_short() {
        assert!(PROVIDERS.is_sorted_by(|a, b| a.0 < b.0));
        assert!(PROVIDERS.iter().all(|provider| provider.1.len() <= 13));
    }

    #[test]
    fn a_persona_is_one_person() {
        let persona = Persona::new(&MasterKey::test().realm("default"), "");
        let (first, last, place) = (persona.first("42"), persona.last("42"), persona.place("42"));
        assert_eq!((first, last, place.zip), (persona.first("42"), persona.last("42"), persona.place("42").zip));
        let entry = format!("{}|{}|{:03}", place.city, place.region, place.zip / 100);
        assert!(PLACE.values().any(|value| value == entry));
        let women = (0..1_000)
            .filter(|i| {
                let name = persona.first(&i.to_string());
                FIRST_FEMALE.values().any(|value| value == name)
            })
            .count();
        assert!(women > 400, "{women}");
    }
}
