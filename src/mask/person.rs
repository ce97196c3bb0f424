//! People: the persona of a subject, and the kinds that show one side of it: names, address, e-mail, user name.
//!
//! A persona is a function of (key, realm, label, subject). Each attribute has its own stream, so a new attribute never
//! changes another. Source: MASKING.md section 8.

use super::canon::{push_canonical, push_email};
use super::column::{ColumnMask, Compile, CompileError};
use super::dict::Dictionary;
use super::key::{DomainKey, RealmKey};
use super::kind::{Domain, Param};
use super::lanes::Queue;
use super::leaf::{Asks, At, FOLD, ON_INVALID, TEXT, TextMask};
use super::locale::{Chosen, LOCALE, LOCALE_FROM, LOCALES, Locale, longest_of};
use super::pattern::Pattern;
use super::quantity::canonical_integer;
use super::sex::{self, SEX_FROM, Sex, Told};
use super::token::{Perm, Purpose, push_b32};
use super::{Injective, KeyedOn, Kind, Params, Shape};
use std::collections::HashMap;

const NAME: Kind = Kind {
    keyed_on: KeyedOn::Subject,
    injective: Injective::No,
    needs_subject: true,
    params: &[LOCALE, LOCALE_FROM, SEX_FROM],
    columns: sex::columns,
    ..TEXT
};

pub(super) static NAME_FIRST: Kind = Kind {
    name: "name.first",
    summary: "Gives the person a first name of the country, in the US as often as people have it",
    samples: &["Robert"],
    least: |params| vec![longest_of(params, Locale::first_longest)],
    compile: |compile| compile_name(compile, Part::First),
    ..NAME
};

pub(super) static NAME_LAST: Kind = Kind {
    name: "name.last",
    summary: "Gives the person a last name of the country, in the US as often as people have it",
    samples: &["Miller"],
    least: |params| vec![longest_of(params, Locale::last_longest)],
    compile: |compile| compile_name(compile, Part::Last),
    ..NAME
};

pub(super) static NAME_FULL: Kind = Kind {
    name: "name.full",
    remains: |_| super::Remains::Names,
    summary: "Gives the person a first and a last name, the same as `name.first` and `name.last`",
    samples: &["Robert Miller"],
    least: |params| vec![longest_of(params, |locale| locale.first_longest() + 1 + locale.last_longest())],
    compile: |compile| compile_name(compile, Part::Full),
    ..NAME
};

pub(super) static ADDRESS: Kind = Kind {
    name: "address",
    remains: address_remains,
    summary: "Gives the person an address; street, city, region and postal code fit together",
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
        LOCALE,
        LOCALE_FROM,
    ],
    samples: &["12 Main Street"],
    least: address_least,
    compile: compile_address,
    ..NAME
};

/// Streets are people's; cities and countries stand everywhere.
fn address_remains(params: &Params) -> super::Remains {
    match params.get("part").and_then(|part| part.as_str()) {
        None | Some("street") => super::Remains::Names,
        Some("country") => super::Remains::Open,
        Some(_) => super::Remains::Chance,
    }
}

pub(super) const BY: Param = Param {
    name: "by",
    summary: "\"value\": equal values get equal masks; \"subject\": the mask follows the person of the row",
    domain: Domain::OneOf(&["value", "subject"]),
    default: "value",
};

pub(super) static EMAIL: Kind = Kind {
    name: "email",
    remains: |_| super::Remains::Rare { bits: 60 },
    summary: "Replaces e-mail addresses, also in angle brackets behind a name, by undeliverable ones under `.example`; equal addresses stay equal",
    params: &[BY, FOLD, ON_INVALID, LOCALE, LOCALE_FROM, SEX_FROM],
    columns: sex::columns,
    keyed_on: KeyedOn::Either,
    injective: Injective::Bits80,
    folds: true,
    lowercase: true,
    samples: &["bob@example.com", "Alice.Jones@gmail.com"],
    least: |_| EMAIL_LEAST.to_vec(),
    compile: |compile| TextMask::boxed(compile, Email::new(compile)?),
    ..TEXT
};

pub(super) static USERNAME: Kind = Kind {
    name: "username",
    remains: |_| super::Remains::Rare { bits: 40 },
    summary: "Replaces user names by `first_<token>`; equal names stay equal",
    params: &[BY, FOLD, LOCALE, LOCALE_FROM, SEX_FROM],
    columns: sex::columns,
    keyed_on: KeyedOn::Either,
    injective: Injective::Bits80,
    folds: true,
    lowercase: true,
    samples: &["bob", "alice_77"],
    least: |_| vec![32, 18, 16],
    compile: |compile| TextMask::boxed(compile, Username(Handle::new(compile, "username/1")?)),
    ..TEXT
};

/// The person a subject becomes.
///
/// Attributes are asked for and drawn in two steps, so that the hashes of many people are computed side by side.
pub struct Persona {
    key: DomainKey,
}

impl Persona {
    /// Returns the personas of a label.
    pub fn new(realm: &RealmKey, label: &str) -> Self {
        Self::keyed(realm.domain("persona/1", label))
    }

    /// Returns personas of another key.
    pub fn keyed(key: DomainKey) -> Self {
        Self { key }
    }

    /// Asks for the first name, from the list of the sex that is told, else of the persona's own: one draw.
    pub(super) fn ask_first(&self, locale: &Locale, subject: &str, sex: Option<Sex>, queue: &mut Queue) {
        self.ask_either(locale.first(), "first", subject, sex, queue);
    }

    fn ask_either(
        &self,
        lists: [&'static Dictionary; 2],
        name: &str,
        subject: &str,
        sex: Option<Sex>,
        queue: &mut Queue,
    ) {
        match sex {
            Some(sex) => attribute(subject, name, |parts| queue.draw(lists[sex as usize], &self.key, parts)),
            None => attribute(subject, "sex", |sex| {
                attribute(subject, name, |parts| queue.draw_either(lists, &self.key, sex, parts));
            }),
        }
    }

    /// Asks for the last name, as the first: one draw.
    pub(super) fn ask_last(&self, locale: &Locale, subject: &str, sex: Option<Sex>, queue: &mut Queue) {
        match locale.last() {
            Ok(list) => attribute(subject, "last", |parts| queue.draw(list, &self.key, parts)),
            Err(lists) => self.ask_either(lists, "last", subject, sex, queue),
        }
    }

    /// Asks for the stream of another attribute, `street` or `place`: one hash.
    pub(super) fn ask(&self, subject: &str, name: &str, queue: &mut Queue) {
        attribute(subject, name, |parts| queue.hash(&self.key, parts));
    }

    /// Appends an attribute by name; false for a name that is none.
    pub fn push(&self, name: &str, subject: &str, out: &mut String) -> bool {
        let mut queue = Queue::default();
        let locale = &LOCALES[0];
        match name {
            "first" => self.ask_first(locale, subject, None, &mut queue),
            "last" => self.ask_last(locale, subject, None, &mut queue),
            "street" => self.ask(subject, "street", &mut queue),
            "city" | "region" | "zip" => self.ask(subject, "place", &mut queue),
            _ => return false,
        }
        queue.run();
        match name {
            "street" => locale.push_street(queue.next_hash(), out),
            "city" => out.push_str(locale.place(queue.next_hash()).city),
            "region" => out.push_str(locale.place(queue.next_hash()).region),
            "zip" => locale.place(queue.next_hash()).push_zip(out),
            _ => out.push_str(queue.next_drawn()),
        }
        true
    }
}

/// Calls `then` with the parts of the input of an attribute stream: purpose and frame (MASKING.md section 3).
fn attribute(subject: &str, name: &str, then: impl FnOnce(&[&[u8]])) {
    let (length, name_length) = ((subject.len() as u64).to_le_bytes(), (name.len() as u64).to_le_bytes());
    then(&[&[Purpose::Stream as u8], &length, subject.as_bytes(), &name_length, name.as_bytes()]);
}

/// Longest text of an attribute that [`Persona::push`] knows.
pub(super) fn attribute_longest(attribute: &str) -> u32 {
    let locale = &LOCALES[0];
    match attribute {
        "first" => locale.first_longest(),
        "last" => locale.last_longest(),
        part => address_least(&Params::from_iter([("part".to_owned(), part.into())]))[0],
    }
}

/// Calls `then` with the subject of the row; a row without one is its own subject.
pub(super) fn with_subject<R>(value: &str, at: At<'_>, slot: Option<usize>, then: impl FnOnce(&str) -> R) -> R {
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
    /// The country of the locale, by name or by code.
    Country,
    CountryCode,
}

/// One side of a persona.
struct Side {
    persona: Persona,
    part: Part,
    slot: Option<usize>,
    locale: Chosen,
    sex: Told,
}

fn compile_name(compile: &Compile<'_>, part: Part) -> Result<Box<dyn ColumnMask>, CompileError> {
    let persona = Persona::new(compile.realm, &compile.spec.label);
    let (locale, sex) = (Chosen::new(compile)?, Told::new(compile)?);
    TextMask::boxed(compile, Side { persona, part, slot: compile.subject, locale, sex })
}

fn compile_address(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let part = match compile.word("part") {
        Some("street") => Part::Street,
        Some("city") => Part::City,
        Some("region") => Part::Region,
        Some("zip") => Part::Zip,
        Some("country") if compile.word("country") != Some("set") => Part::KeepCountry,
        Some("country") if compile.tier() == 0 => Part::Country,
        Some("country") => Part::CountryCode,
        _ => Part::Line,
    };
    compile_name(compile, part)
}

fn address_least(params: &Params) -> Vec<u32> {
    let word = |name: &str| params.get(name).and_then(|value| value.as_str());
    let longest = |of: fn(&Locale) -> u32| vec![longest_of(params, of)];
    match word("part") {
        Some("street") => longest(Locale::street_longest),
        Some("city") => longest(Locale::city_longest),
        Some("region") => longest(Locale::region_longest),
        Some("zip") => longest(Locale::zip_longest),
        Some("country") if word("country") == Some("set") => {
            vec![longest_of(params, |locale| locale.country.len() as u32), 2]
        }
        Some("country") => Vec::new(),
        _ => longest(Locale::line_longest),
    }
}

impl Asks for Side {
    type Scratch = ();
    type Note = &'static Locale;

    fn ask(&self, value: &str, at: At<'_>, _scratch: &mut (), queue: &mut Queue) -> Option<&'static Locale> {
        let persona = &self.persona;
        let (locale, sex) = (self.locale.of(at), self.sex.of(at));
        with_subject(value, at, self.slot, |subject| match self.part {
            Part::First => persona.ask_first(locale, subject, sex, queue),
            Part::Last => persona.ask_last(locale, subject, sex, queue),
            Part::Full => {
                persona.ask_first(locale, subject, sex, queue);
                persona.ask_last(locale, subject, sex, queue);
            }
            Part::Street => persona.ask(subject, "street", queue),
            Part::City | Part::Region | Part::Zip => persona.ask(subject, "place", queue),
            Part::Line => {
                persona.ask(subject, "street", queue);
                persona.ask(subject, "place", queue);
            }
            Part::KeepCountry | Part::Country | Part::CountryCode => {}
        });
        Some(locale)
    }

    fn answer(
        &self,
        value: &str,
        locale: &'static Locale,
        _at: At<'_>,
        _scratch: &mut (),
        queue: &mut Queue,
        out: &mut String,
    ) {
        match self.part {
            Part::First | Part::Last => out.push_str(queue.next_drawn()),
            Part::Full => {
                let (first, last) = (queue.next_drawn(), queue.next_drawn());
                let (before, after) = if locale.family_first { (last, first) } else { (first, last) };
                out.push_str(before);
                out.push(' ');
                out.push_str(after);
            }
            Part::Street => locale.push_street(queue.next_hash(), out),
            Part::City => out.push_str(locale.place(queue.next_hash()).city),
            Part::Region => out.push_str(locale.place(queue.next_hash()).region),
            Part::Zip => locale.place(queue.next_hash()).push_zip(out),
            Part::Line => {
                let street = *queue.next_hash();
                locale.push_line(&street, queue.next_hash(), out);
            }
            Part::KeepCountry => out.push_str(value),
            Part::Country => out.push_str(locale.country),
            Part::CountryCode => out.push_str(locale.code),
        }
    }

    fn reads(&self, _value: &str, _scratch: &mut ()) -> bool {
        true
    }

    fn after(&self) -> Vec<usize> {
        self.sex.after()
    }
}

/// Longest part of a name in an e-mail address or user name.
const SLUG_MAX: usize = 15;

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
    locale: Chosen,
    sex: Told,
}

impl Handle {
    fn new(compile: &Compile<'_>, kind: &str) -> Result<Self, CompileError> {
        let label = &compile.spec.label;
        let by_subject = compile.word("by") == Some("subject");
        // Equal values in rows of two countries, or of two sexes, would get two masks.
        let of_row = ["locale_from", SEX_FROM.name].into_iter().find(|param| compile.word(param).is_some());
        if let Some(param) = of_row.filter(|_| !by_subject) {
            return Err(compile.bad_param(param, "used together with `by = \"subject\"`"));
        }
        let anchor = compile.spec.subject.and_then(|column| compile.table.columns.get(column));
        let integer_anchor =
            anchor.is_some_and(|anchor| matches!(anchor.shape, Shape::Int2 | Shape::Int4 | Shape::Int8));
        Ok(Self {
            key: compile.realm.domain(kind, label),
            persona: Persona::new(compile.realm, label),
            uid: Perm::new(&compile.realm.domain("uid/1", label), 1 << 40, b"uid40"),
            tier: compile.tier(),
            fold: compile.flag("fold", true),
            slot: compile.subject.filter(|_| by_subject),
            integer_anchor,
            locale: Chosen::new(compile)?,
            sex: Told::new(compile)?,
        })
    }

    /// Asks for the names that the tier shows, the last one if `with_last`, and for the token.
    fn ask(&self, keyed: &str, at: At<'_>, from_subject: bool, with_last: bool, queue: &mut Queue) -> Token {
        let (locale, sex) = (self.locale.of(at), self.sex.of(at));
        if self.tier <= 1 {
            self.persona.ask_first(locale, keyed, sex, queue);
        }
        if self.tier == 0 && with_last {
            self.persona.ask_last(locale, keyed, sex, queue);
        }
        let id = if from_subject && self.integer_anchor { canonical_integer(keyed) } else { None };
        match id.filter(|id| (0..UID_MAX).contains(id)) {
            Some(id) => {
                queue.permute(&self.uid, id as u128);
                Token::Uid
            }
            None => {
                queue.hash(&self.key, &[&[Purpose::Tag as u8], keyed.as_bytes()]);
                Token::Tag
            }
        }
    }

    /// Appends the first name, or its first letter, as the tier allows, and what separates it from the rest.
    fn push_first(&self, locale: &Locale, separator: char, queue: &mut Queue, out: &mut String) {
        push_slug(locale, queue.next_drawn(), if self.tier == 0 { SLUG_MAX } else { 1 }, separator, out);
    }
}

/// Appends a name in ASCII and the separator; neither for a name in another script.
fn push_slug(locale: &Locale, name: &str, max: usize, separator: char, out: &mut String) {
    let start = out.len();
    locale.push_slug(name, max, out);
    if out.len() > start {
        out.push(separator);
    }
}

/// What makes an address or a user name unique.
#[derive(Clone, Copy)]
enum Token {
    /// Of an integer anchor: 8 characters that cannot collide.
    Uid,
    /// Of any other text: 16 characters, 80 bits.
    Tag,
}

impl Token {
    fn push(self, queue: &mut Queue, out: &mut String) {
        match self {
            Token::Uid => push_b32(&(queue.next_permuted() as u64).to_be_bytes()[3..], out),
            Token::Tag => push_b32(&queue.next_hash()[..10], out),
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

/// Appends the pseudonym of a canonical domain: a provider's name or a tag, under `.example`. `key` is that of
/// `emaildomain/1` without label.
pub(super) fn push_email_domain(key: &DomainKey, domain: &str, out: &mut String) {
    let start = out.len();
    match PROVIDERS.binary_search_by_key(&domain, |provider| provider.0) {
        Ok(index) => out.push_str(PROVIDERS[index].1),
        Err(_) => {
            out.push('d');
            push_b32(&key.hash(Purpose::Tag, domain.as_bytes())[..10], out);
            out.truncate(start + 13);
        }
    }
    out.push_str(".example");
}

/// Domains remembered per worker; a full memory starts anew.
const DOMAINS_MAX: usize = 4_096;

/// Characters of an address by tier.
const EMAIL_LEAST: [u32; 4] = [70, 40, 38, 26];
/// Characters between and around the name and the address of a mailbox: ` <>`.
const MAILBOX_SIGNS: usize = 3;

struct Email {
    handle: Handle,
    domains: DomainKey,
    /// What has an `@` and is no address (two of them, one inside a sentence) becomes a token that is none either: as a
    /// pattern it could be delivered to somebody. In a mailbox, `Bob <bob@x.com>`, the address becomes what it does alone.
    adopts: bool,
    /// Masks the names of mailboxes.
    names: Pattern,
    chars_max: Option<u32>,
}

/// Buffers of one worker: the canonical addresses that wait for their answer, and the pseudonyms of domains met.
#[derive(Default)]
struct EmailMemo {
    canonical: String,
    domains: HashMap<Box<str>, Box<str>, foldhash::fast::RandomState>,
}

/// An address that waits for its answer.
struct EmailNote {
    /// Where its domain stands in [`EmailMemo::canonical`]; none for what is adopted.
    domain: Option<(usize, usize)>,
    /// The mask of the name of a mailbox, which may be empty; none for an address alone.
    name: Option<String>,
    token: Token,
    locale: &'static Locale,
}

impl Email {
    fn new(compile: &Compile<'_>) -> Result<Self, CompileError> {
        // One pseudonym per domain in the whole realm, whatever the label.
        let adopts = compile.word("on_invalid").is_none_or(|word| word == "pattern");
        let handle = Handle::new(compile, "email/1")?;
        let chars_max = if let Shape::Text { chars_max, .. } = compile.shape { chars_max } else { None };
        let names = Pattern::new(compile.realm, &compile.spec.label);
        Ok(Self { handle, domains: compile.realm.domain("emaildomain/1", ""), adopts, names, chars_max })
    }

    /// Reads what is no address by itself: the mask of its name, and where the domain of its address stands in what was
    /// appended to `canonical`. None, with `canonical` unchanged, where nothing is the address or the mask would not fit.
    #[cold]
    fn read_mailbox(&self, value: &str, canonical: &mut String) -> Option<(String, usize)> {
        let fold = self.handle.fold;
        let plain = super::canon::canonical(value, fold);
        let (name, address) = plain.strip_suffix('>')?.rsplit_once('<')?;
        let name = name.trim_end_matches(' ');
        let longest = name.chars().count() + MAILBOX_SIGNS + EMAIL_LEAST[usize::from(self.handle.tier)] as usize;
        if name.contains(['@', '<', '>']) || self.chars_max.is_some_and(|max| longest > max as usize) {
            return None;
        }
        let domain = push_email(address, fold, canonical)?;
        let mut masked = String::with_capacity(name.len());
        if !name.is_empty() && !self.names.push_permuted(name, &mut Default::default(), &mut masked) {
            self.names.push_tag(name, &mut masked);
        }
        Some((masked, domain))
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
        push_email_domain(&self.domains, domain, out);
        if known.len() >= DOMAINS_MAX {
            known.clear();
        }
        known.insert(domain.into(), out[start..].into());
    }
}

impl Asks for Email {
    type Scratch = EmailMemo;
    type Note = EmailNote;

    fn ask(&self, value: &str, at: At<'_>, memo: &mut EmailMemo, queue: &mut Queue) -> Option<EmailNote> {
        let start = memo.canonical.len();
        let (name, domain) = match push_email(value, self.handle.fold, &mut memo.canonical) {
            Some(domain) => (None, domain),
            None if !self.adopts || !value.contains(['@', '\u{fe6b}', '\u{ff20}']) => return None,
            None => match self.read_mailbox(value, &mut memo.canonical) {
                Some((name, domain)) => (Some(name), domain),
                None => {
                    push_canonical(value, self.handle.fold, &mut memo.canonical);
                    queue.hash(&self.handle.key, &[&[Purpose::Tag as u8], &memo.canonical.as_bytes()[start..]]);
                    return Some(EmailNote { domain: None, name: None, token: Token::Tag, locale: &LOCALES[0] });
                }
            },
        };
        let subject = at.subject(self.handle.slot);
        let keyed = subject.unwrap_or(&memo.canonical[start..]);
        let locale = self.handle.locale.of(at);
        let token = self.handle.ask(keyed, at, subject.is_some(), true, queue);
        Some(EmailNote { domain: Some((start + domain, memo.canonical.len())), name, token, locale })
    }

    fn answer(
        &self,
        _value: &str,
        note: EmailNote,
        _at: At<'_>,
        memo: &mut EmailMemo,
        queue: &mut Queue,
        out: &mut String,
    ) {
        let Some((domain, domain_end)) = note.domain else {
            note.token.push(queue, out);
            return out.push_str("@.example");
        };
        if let Some(name) = &note.name {
            out.push_str(name);
            out.push_str(if name.is_empty() { "<" } else { " <" });
        }
        if self.handle.tier <= 1 {
            self.handle.push_first(note.locale, '.', queue, out);
        }
        if self.handle.tier == 0 {
            push_slug(note.locale, queue.next_drawn(), SLUG_MAX, '.', out);
        }
        note.token.push(queue, out);
        out.push('@');
        let EmailMemo { canonical, domains } = memo;
        self.push_domain(&canonical[domain..domain_end], domains, out);
        if note.name.is_some() {
            out.push('>');
        }
    }

    fn forget(memo: &mut EmailMemo) {
        memo.canonical.clear();
    }

    fn reads(&self, value: &str, memo: &mut EmailMemo) -> bool {
        let before = memo.canonical.len();
        let read = push_email(value, self.handle.fold, &mut memo.canonical).is_some();
        memo.canonical.truncate(before);
        read
    }

    fn after(&self) -> Vec<usize> {
        self.handle.sex.after()
    }
}

struct Username(Handle);

impl Asks for Username {
    type Scratch = String;
    type Note = (Token, &'static Locale);

    fn ask(&self, value: &str, at: At<'_>, canonical: &mut String, queue: &mut Queue) -> Option<Self::Note> {
        let subject = at.subject(self.0.slot);
        let keyed = match subject {
            Some(subject) => subject,
            None => {
                canonical.clear();
                push_canonical(value, self.0.fold, canonical);
                canonical
            }
        };
        let locale = self.0.locale.of(at);
        Some((self.0.ask(keyed, at, subject.is_some(), false, queue), locale))
    }

    fn answer(
        &self,
        _value: &str,
        (token, locale): Self::Note,
        _at: At<'_>,
        _canonical: &mut String,
        queue: &mut Queue,
        out: &mut String,
    ) {
        if self.0.tier <= 1 {
            self.0.push_first(locale, '_', queue, out);
        }
        token.push(queue, out);
    }

    fn reads(&self, _value: &str, _scratch: &mut String) -> bool {
        true
    }

    fn after(&self) -> Vec<usize> {
        self.0.sex.after()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MasterKey;
    use crate::mask::dict::{FIRST_FEMALE, PLACE};
    use crate::mask::locale::LOCALES;

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
        let locale = &LOCALES[0];
        let person = |subject: &str| {
            let mut queue = Queue::default();
            persona.ask_first(locale, subject, None, &mut queue);
            persona.ask_last(locale, subject, None, &mut queue);
            persona.ask(subject, "place", &mut queue);
            queue.run();
            let mut zip = String::new();
            let place = locale.place(queue.next_hash());
            place.push_zip(&mut zip);
            (queue.next_drawn(), queue.next_drawn(), format!("{}|{}|{}", place.city, place.region, &zip[..3]), zip)
        };
        let first = person("42");
        assert_eq!(first, person("42"));
        assert_eq!(first.3.len(), 5);
        assert!(PLACE.values().any(|value| value == first.2));
        let women = (0..1_000)
            .filter(|i| {
                let name = person(&i.to_string()).0;
                FIRST_FEMALE.values().any(|value| value == name)
            })
            .count();
        assert!(women > 400, "{women}");
    }
}
