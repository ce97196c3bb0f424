//! Tests of single values: what a pattern cannot say.

use super::prose;
use super::rules::RULES;
use super::token;
use crate::mask::known;
use crate::mask::text::{nobody, personal_kinds};
use regex::Regex;
use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::LazyLock;

/// Longest value that is looked at; of longer ones the beginning.
pub(super) const VALUE_BYTES_MAX: usize = 4096;

/// Tells whether a value passes a test named in the rules; a mask kind asks for its valid values.
pub(super) fn is_valid(test: &str, value: &str) -> bool {
    match test {
        "email-address" => email(value),
        "phone-form" => phone(value),
        "phone-digits" => (9..=15).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit()),
        "phone-mobile" => MOBILE.is_match(value),
        "phone-international" => MOBILE.is_match(value) || LANDLINE.is_match(value),
        // As all numbers had it that were given out before 2007.
        "cpr-checked" => known::is_valid("dk.cpr", value) && has_check_of_cpr(value),
        "past-date" => year(value).is_some_and(|year| (1900..=2030).contains(&year)),
        "coordinates" => coordinates(value),
        "coordinate" => coordinate(value),
        // Codes are written in capitals: `no` and `is` are words.
        "country" => {
            (value.len() > 3 || value.bytes().all(|byte| byte.is_ascii_uppercase()))
                && COUNTRIES.contains(value.to_lowercase().as_str())
        }
        "ip" => ip(value),
        "iban" => iban(value),
        // These are enough alone, so what manuals print and addresses of roles and of nobody are none.
        // Before the sign of a URL stands whom it lets in, which has a test of its own.
        "email-of-somebody" => {
            email(value) && !value.contains("://") && !nobody::is_reserved(value) && !nobody::is_role(value)
        }
        "iban-of-somebody" => known::is_valid("iban", value) && !nobody::is_sample("iban", value),
        "card-of-somebody" => known::is_valid("card", value) && !nobody::is_sample("card", value),
        "token-of-somebody" => !nobody::is_sample("secret", value),
        "credentials-of-somebody" => credentials(value),
        "name-of-somebody" => person(value),
        "imei" => value.len() == 15 && value.bytes().all(|byte| byte.is_ascii_digit()) && known::has_luhn(value),
        "street-form" => street(value),
        "address-form" => address(value),
        "random-token" => random(value),
        "prose" => prose(value),
        "prose-personal" => words(value) >= 4 && value.len() >= 24 && PERSONAL.is_match(value),
        kind => known::is_valid(kind, value),
    }
}

/// Tells whether a value stands in a word list.
pub(super) fn is_listed(list: &str, value: &str) -> bool {
    match list {
        "first_names" => name_like(value) && value.split(['-', ' ']).all(|part| FIRST.contains(fold(part).as_str())),
        "last_names" => {
            name_like(value)
                && (LAST.contains(fold(value).as_str())
                    || value.contains(['-', ' '])
                        && value.split(['-', ' ']).all(|part| LAST.contains(fold(part).as_str())))
        }
        "full_names" => full_name(value),
        "cities" => city(value),
        "health" => HEALTH.has(value),
        "belief" => BELIEF.has(value),
        "ethnicity" => ETHNICITY.has(value),
        "kinship" => KINSHIP.has(value),
        "gender" => GENDER.is(value),
        other => panic!("rules name the word list {other}"),
    }
}

/// A city, alone or with its country: `Germany, Bielefeld`.
fn city(value: &str) -> bool {
    let known = |part: &str| CITIES.contains(fold(part.trim()).as_str());
    let country = |part: &str| is_country(&fold(part.trim()));
    known(value) || value.split_once(',').is_some_and(|(a, b)| known(a) && country(b) || country(a) && known(b))
}

fn set(values: impl Iterator<Item = &'static str>) -> HashSet<String> {
    values.map(fold).collect()
}

fn fold(text: &str) -> String {
    text.trim_matches(['.', ',']).to_lowercase()
}

pub(super) static FIRST: LazyLock<HashSet<String>> = LazyLock::new(|| set(known::first_names()));
pub(super) static LAST: LazyLock<HashSet<String>> = LazyLock::new(|| set(known::last_names()));
pub(super) static CITIES: LazyLock<HashSet<String>> = LazyLock::new(|| set(known::cities()));
static COUNTRIES: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("../../rules/detect/countries.txt").lines().collect());

/// Values that say one thing, as a file of `rules/detect/words` has them: without accents, as many write them.
struct Said {
    whole: HashSet<String>,
    /// `*itis`: a word ends so.
    ends: Vec<String>,
    /// `dolor *`, `* pain`: the words before others, and behind others.
    before: Vec<String>,
    behind: Vec<String>,
}

impl Said {
    fn read(text: &str) -> Self {
        let mut said = Self { whole: HashSet::new(), ends: Vec::new(), before: Vec::new(), behind: Vec::new() };
        for line in text.lines() {
            // Umlauts are spelled out, or lose their dots.
            for line in [true, false].map(|german| token::bare(line, german)) {
                match line.strip_prefix('*') {
                    Some(behind) if behind.starts_with(' ') => said.behind.push(behind.to_owned()),
                    Some(end) => said.ends.push(end.to_owned()),
                    None => match line.strip_suffix('*') {
                        Some(before) => said.before.push(before.to_owned()),
                        None => _ = said.whole.insert(line),
                    },
                }
            }
        }
        // Most lines have no umlaut, and are the same twice.
        [&mut said.ends, &mut said.before, &mut said.behind].into_iter().for_each(Vec::dedup);
        said
    }

    /// Whether a value is one of the list.
    fn is(&self, value: &str) -> bool {
        self.whole.contains(&token::bare(value.trim_matches(['.', ',']), false))
    }

    /// Whether a value is one of the list, or has a long word of it, or such a beginning or end: `Diabetes mellitus Typ 2`.
    fn has(&self, value: &str) -> bool {
        let small = token::bare(value.trim_matches(['.', ',']), false);
        if self.whole.contains(&small) {
            return true;
        }
        let words = || small.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let says = |word: &str| {
            word.chars().count() >= SAID_LETTERS_MIN && self.whole.contains(word)
                || self.ends.iter().any(|end| word.ends_with(end.as_str()))
        };
        words().count() <= SAID_WORDS_MAX
            && (words().any(says)
                || self.before.iter().any(|before| small.starts_with(before.as_str()))
                || self.behind.iter().any(|behind| small.ends_with(behind.as_str())))
    }
}

static HEALTH: LazyLock<Said> = LazyLock::new(|| Said::read(include_str!("../../rules/detect/words/health.txt")));
static BELIEF: LazyLock<Said> = LazyLock::new(|| Said::read(include_str!("../../rules/detect/words/belief.txt")));
static ETHNICITY: LazyLock<Said> = LazyLock::new(|| Said::read(include_str!("../../rules/detect/words/ethnicity.txt")));
static KINSHIP: LazyLock<Said> = LazyLock::new(|| Said::read(include_str!("../../rules/detect/words/kinship.txt")));
static GENDER: LazyLock<Said> = LazyLock::new(|| Said::read(include_str!("../../rules/detect/words/gender.txt")));

/// Whether a value is written as a name in a program is: `web.base.url`, `posts_per_page`. Digits are few, or it is a number
/// of something, and no part is what somebody is called, or it may be a login.
pub(super) fn is_identifier(value: &str) -> bool {
    /// Longest such name, and most digits in it.
    const NAME_MAX: usize = 100;
    const DIGITS_MAX: usize = 4;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b':' | b'/');
    let called = |part: &str| {
        let part = part.to_lowercase();
        FIRST.contains(part.as_str()) && !prose::is_word(&part)
    };
    value.len() <= NAME_MAX
        && value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && value.bytes().all(plain)
        && value.bytes().filter(u8::is_ascii_digit).count() <= DIGITS_MAX
        && !value.split(['_', '.', '-', ':', '/']).any(called)
}

/// Most words of a value that says one thing, and fewest letters of a word that says it among others: short ones are parts of
/// other things (`VOX Cinema`).
const SAID_WORDS_MAX: usize = 5;
const SAID_LETTERS_MIN: usize = 6;

/// Whether a value is a number with few letters: too few for a name.
pub(super) fn is_code(value: &str) -> bool {
    const CODE_MAX: usize = 24;
    const LETTERS_MAX: usize = 4;
    value.len() <= CODE_MAX
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_/. #".contains(&byte))
        && value.bytes().any(|byte| byte.is_ascii_digit())
        && value.bytes().filter(u8::is_ascii_alphabetic).count() <= LETTERS_MAX
}

/// Letters, and what joins names; begins in upper case, or in a script without cases.
fn name_like(value: &str) -> bool {
    let joins = |c: char| matches!(c, ' ' | '-' | '\'' | '’' | '.');
    value.chars().count() >= 2
        && value.chars().next().is_some_and(|c| c.is_alphabetic() && !c.is_lowercase())
        && value.chars().all(|c| c.is_alphabetic() || joins(c))
}

/// Words before and after a name that are none of it.
const TITLES: &[&str] = &[
    "mr",
    "mrs",
    "ms",
    "miss",
    "mx",
    "dr",
    "prof",
    "herr",
    "frau",
    "sir",
    "jr",
    "sr",
    "ii",
    "iii",
    "iv",
    "md",
    "phd",
    "dds",
    "dvm",
    "m",
    "mme",
    "mlle",
    "sig",
    "sig.ra",
    "dott",
    "dipl.-ing",
    "ing",
    "dhr",
    "mevr",
    "pan",
    "pani",
    "sra",
    "don",
    "doña",
    "lic",
    "hr",
    "fru",
    "b.sc",
    "b.a",
    "b.eng",
    "mba",
    "univ.prof",
];
/// Words inside of names.
const PARTICLES: &[&str] = &[
    "de", "da", "do", "dos", "das", "del", "della", "van", "von", "der", "den", "la", "le", "di", "y", "e", "ter",
    "ten", "zu", "du", "af", "los", "las", "het", "op", "'t",
];

/// Two to six words, a first name at one end and a last name at the other. `SMITH, JAMES` counts.
fn full_name(value: &str) -> bool {
    if value.chars().any(|c| c.is_ascii_digit()) || value.len() > 80 {
        return false;
    }
    let all: Vec<String> = value.split([' ', ',']).filter(|word| !word.is_empty()).map(fold).collect();
    let words: Vec<&str> =
        all.iter().map(String::as_str).filter(|word| !TITLES.contains(word) && !PARTICLES.contains(word)).collect();
    let [first, .., last] = words[..] else { return false };
    let upper = value.chars().next().is_some_and(|c| !c.is_lowercase());
    let part = |set: &HashSet<String>, word: &str| {
        set.contains(word) || word.contains('-') && word.split('-').all(|part| set.contains(part))
    };
    let pair = |first: &str, last: &str| part(&FIRST, first) && part(&LAST, last);
    upper && words.len() <= 5 && (pair(first, last) || pair(last, first))
}

/// What a short value says of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Somebody {
    /// It names one, or holds what identifies one or opens something.
    Named,
    /// It may be the login of one: `jsmith`.
    Login,
    No,
}

/// Looks for a person in a value of a column that seems to hold a few words. Stricter tests judge whole columns; here one
/// value is enough to ask.
pub(super) fn somebody(value: &str) -> Somebody {
    // `Rose Gold` is a color: words that are more than names do not make one.
    let words = || value.split([' ', ',', '-']).any(|word| prose::is_word(&fold(word)));
    // Most values are one word, or have no capital: they name nobody in any of these ways.
    let several = value.contains([' ', ',']) && value.chars().any(char::is_uppercase);
    let named = several
        && (TITLE.is_match(value)
            || addressed(value)
            || booked(value)
            || owned(value)
            || prose::names_somebody(value)
            || full_name(value) && !words() && !prose::is_made_up(value));
    if named || !personal_kinds(value).is_empty() {
        return Somebody::Named;
    }
    let small = value.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte));
    let body = value.trim_end_matches(|c: char| c.is_ascii_digit());
    if !small || body.len() < 4 {
        return Somebody::No;
    }
    match body.split_once(['.', '_', '-']) {
        // `maria.schneider`, `m.schneider`: words of schemas are no names.
        Some((first, last)) => {
            let first_fits = first.len() == 1 || FIRST.contains(first) && !prose::is_word(first);
            if first_fits && LAST.contains(last) && !prose::is_word(last) { Somebody::Named } else { Somebody::No }
        }
        None => {
            let last = &body[1..];
            if last.len() >= 4 && LAST.contains(last) && !prose::is_word(body) { Somebody::Login } else { Somebody::No }
        }
    }
}

/// Whether a word is a last name, and none of schemas and sentences.
pub(super) fn is_last_name(word: &str) -> bool {
    let small = fold(word);
    LAST.contains(&small) && !prose::is_word(&small)
}

/// Whether a word in small letters is a first or a last name, and none that names of columns are made of.
pub(super) fn is_name_of_person(small: &str) -> bool {
    (FIRST.contains(small) || LAST.contains(small)) && !prose::is_word(small) && !RULES.apart.contains(small)
}

/// Whether a text that is no identifier may name somebody: in another script, or in a few words that begin with capitals.
pub(super) fn may_name_somebody(text: &str) -> bool {
    /// Longest name, in bytes.
    const NAME_MAX: usize = 60;
    let letters = |word: &str| word.chars().all(|c| c.is_alphabetic() || matches!(c, '\'' | '’' | '-' | '.'));
    let mut words = text.split(' ');
    let capitals = || words.clone().count() > 1 && words.clone().all(|word| word.starts_with(char::is_uppercase));
    let other = || !text.is_ascii() && text.chars().all(|c| c.is_alphabetic() || c == ' ');
    // Names have none of these, and hosts, dates and addresses do.
    let plain = text.len() <= NAME_MAX && !text.contains(|c: char| c.is_ascii_digit() || "@/:".contains(c));
    plain && (other() || capitals() && words.all(letters) || somebody(text) != Somebody::No)
}

static TITLE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(Dr|Prof|Mr|Mrs|Ms|Herr|Frau|Mme|Mlle|Sir|Dott|Dra|Sra|Sr|Ing)\.? \p{Lu}"));

static ADDRESSED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?:^|[ (,/])(?:Fr|Hr|Frl|Fam|Familie|Kanzlei|Praxis|Consult|Consulting|Consultant|(?:Ing\.?-?)?Büro|Ing\.-Büro|Ingenieurbüro|Architekturbüro|Atty|Attorney|RA|RAin|StB|Notar|Nurse|Schwester|Pfleger)\.?:? (\p{Lu}[\p{L}'’-]+)",
    )
});

/// A last name behind a word that comes before one: `Fr. Krüger`, `Ing.-Büro Steinmetz`, `Consult Abernathy`.
fn addressed(value: &str) -> bool {
    let names = ADDRESSED.captures_iter(value).filter_map(|found| found.get(1)).map(|name| fold(name.as_str()));
    // Offices stand in cities, and `Praxis Management` names nobody.
    let mut names = names.filter(|name| LAST.contains(name.as_str()) || LAST.contains(plain(name).as_str()));
    names.any(|name| !CITIES.contains(name.as_str()) && !prose::is_word(&name))
}

static BOOKED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?:^|[ ,;])(\p{Lu}[\p{L}'’-]+)/(\p{Lu}[\p{L}'’-]+)(?: \p{L}\.?)?(?: ?(?P<title>MR|MRS|MS|MISS|MSTR|DR|CHD|INF|Mr|Mrs|Ms|Miss|Mstr|Dr|Herr|Frau|Mme|M)\.?)?$",
    )
});

/// A name as carriers write it: `Vosswinkel/Torsten Mr`.
fn booked(value: &str) -> bool {
    BOOKED.captures(value).is_some_and(|found| {
        let (last, first) = (fold(&found[1]), fold(&found[2]));
        let known = FIRST.contains(first.as_str()) && !prose::is_word(&first);
        known && (found.name("title").is_some() || LAST.contains(last.as_str()) && !prose::is_word(&last))
    })
}

static OWNED: LazyLock<Regex> = LazyLock::new(|| {
    const DEVICE: &str = r"(?:iPhone|iPad|iPod|MacBook|iMac|Mac|AirPods|Apple Watch|Galaxy|Pixel|Handy|Laptop|Notebook|PC|Tablet|Phone|phone|laptop|Watch)";
    pattern(&format!(
        r"(?:{DEVICE}[ \p{{L}}\d]{{0,20}} (?:von|of|de|di|van|do|da|d'|för|av)|\p{{L}}+ von) (?P<a>\p{{Lu}}\p{{L}}+)$|^(?P<b>\p{{Lu}}\p{{L}}+?)['’]?s? {DEVICE}"
    ))
});

/// Whose a thing is, as telephones call themselves: `iPhone von Torsten`, `Torstens iPad`.
fn owned(value: &str) -> bool {
    OWNED.captures(value).and_then(|found| found.name("a").or_else(|| found.name("b"))).is_some_and(|name| {
        let small = fold(name.as_str());
        FIRST.contains(small.as_str())
            && !prose::is_word(&small)
            && !CITIES.contains(small.as_str())
            && !is_country(&small)
    })
}

/// Umlauts spelled out, as some lists have them.
pub(super) fn plain(name: &str) -> String {
    name.replace('ä', "ae").replace('ö', "oe").replace('ü', "ue").replace('ß', "ss")
}

pub(super) fn is_country(small: &str) -> bool {
    COUNTRIES.contains(small)
}

static EMAIL: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(?:[^<>@]*<)?[^@\s<>]+@[^@\s<>:/]+\.\p{L}[\w-]+>?$"));

fn email(value: &str) -> bool {
    value.len() <= 320 && EMAIL.is_match(value)
}

/// A URL with a password that is neither a template nor a word for itself.
fn credentials(value: &str) -> bool {
    let after = value.split_once("://").and_then(|(_, after)| after.split_once('@'));
    let Some(((_, password), host)) = after.and_then(|(user, host)| Some((user.split_once(':')?, host))) else {
        return false;
    };
    let host = host.split(['/', ':', '?', '#']).next().unwrap_or_default();
    let word = nobody::is_word_for_it(password) && nobody::is_hosts_own(host);
    !word && !nobody::is_placeholder(password)
}

/// First and last name, none of them a word of schemas or a place: two are enough to ask.
fn person(value: &str) -> bool {
    let place = |word: &str| {
        let small = fold(word);
        CITIES.contains(&small) || is_country(&small)
    };
    value.contains(' ')
        && full_name(value)
        && prose::names_somebody(value)
        && !place(value)
        && !value.split([' ', ',', '-']).any(|word| prose::is_word(&fold(word)) || is_country(&fold(word)))
}

pub(super) fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("patterns of this file compile")
}

static DATE_LIKE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})(?:[ T].*)?$|^\d{1,2}:\d{2}")
});
/// What is written in blocks like a phone number and is none: cards, SSN, IP addresses, amounts, ranges of years, postal codes,
/// codes of drugs (NDC), numbers of books (ISBN) and of papers (DOI).
static NO_PHONE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:\d{4}[ -]\d{4}[ -]\d{4}[ -]\d{4}|\d{4}[ -]\d{6}[ -]\d{5}|\d{3}-\d{2}-\d{4}|\d{1,3}(?:\.\d{1,3}){3}|-?\d+\.\d+|\d{1,3}(?:[. ]\d{3})+|\d{4}-\d{4}|\d{5}-\d{3,4}|\d{3}\.\d{3}\.\d{3}-\d{2}|\d{4}-\d{4}-\d{2}|\d{5}-\d{3}-\d{2}|\d{5}-\d{4}-\d{1,2}|-\d.*|97[89](?:[- ]\d{1,7}){3}[- ][\dX]|10\.\d{4,9}/.*)$",
    )
});

/// Fewest digits of a number with `00` and the code of a country.
const INTERNATIONAL_MIN: usize = 11;

fn phone(value: &str) -> bool {
    let value = value.trim();
    let body = value.split(['x', '#', 'e']).next().unwrap_or(value).trim();
    let digits = body.bytes().filter(u8::is_ascii_digit).count();
    let allowed = body.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '(' | ')' | '-' | '.' | '/' | ' '));
    let plus = body.starts_with('+') || body.starts_with("(+");
    // Codes that are filled up with zeros begin like it.
    let zeros = body.bytes().take_while(|byte| *byte == b'0').count();
    let international = plus || zeros == 2 && digits >= INTERNATIONAL_MIN;
    let blocks = body.split(|c: char| !c.is_ascii_digit()).filter(|block| !block.is_empty()).count();
    let local = zeros == 1 && digits >= 9 && !routing(body);
    allowed
        && (7..=15).contains(&digits)
        && (international || blocks >= 2 || local)
        && !DATE_LIKE.is_match(value)
        && (plus || !NO_PHONE.is_match(body))
}

/// Numbers of mobile phones, and all of North America, as E.164 has them without the sign: country code, first digits and
/// length. Numbers of things pass too, a tenth of those with eleven digits.
static MOBILE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"^(?:1[2-9]\d\d[2-9]\d{6}|79\d{9}|234[789]\d{9}|254[17]\d{8}|27[678]\d{8}|3069\d{8}|316\d{8}|324\d{8}|33[67]\d{8}",
        r"|34[67]\d{8}|3519\d{8}|3538\d{8}|36[2357]0\d{7}|380(?:39|50|6[3678]|9\d)\d{7}|393\d{8,9}|407\d{8}|417[5-9]\d{7}",
        r"|420[67]\d{8}|436\d{8,11}|447[1-9]\d{8}|467\d{8}|48[4-8]\d{8}|491[567]\d{8,9}|55[1-9][1-9]9\d{8}|614\d{8}",
        r"|628\d{8,10}|639\d{9}|66[689]\d{8}|81[789]0\d{8}|84[35789]\d{8}|861[3-9]\d{9}|905\d{9}|91[6-9]\d{9}|9665\d{8}",
        r"|9715\d{8}|9725\d{8})$",
    ))
});

/// Numbers of other phones in the same form, of countries where they can be told from codes: a tenth more of the numbers with
/// eleven digits. What counts from a round number on (`4900000001`) is none, nor is what is printed on goods.
static LANDLINE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"^(?:302\d{9}|31[1-8]\d{8}|32[1-9]\d{7}|33[1-59]\d{8}|34[89]\d{8}|351[2-3]\d{8}|3531\d{7}|358[1-9]\d{6,8}|390\d{7,9}",
        r"|41[2-6]\d{8}|420[2-5]\d{8}|43[1-57]\d{6,9}|44[1-3]\d{9}|45[2-9]\d{7}|46[1-9]\d{7,8}|47[2-9]\d{7}|48[1-3]\d{8}",
        r"|49[2-9]\d{8,9}|55[1-9][1-9][2-5]\d{7}|61[2378]\d{8}|81[1-9]\d{8}|9[02][1-9]\d{9}|9722\d{7})$",
    ))
});

/// Weights of the ten digits of a Danish number; the sum is divisible by eleven.
const CPR: [u32; 10] = [4, 3, 2, 7, 6, 5, 4, 3, 2, 1];

fn has_check_of_cpr(value: &str) -> bool {
    let digits = value.bytes().filter(u8::is_ascii_digit).map(|byte| u32::from(byte - b'0'));
    digits.zip(CPR).map(|(digit, weight)| digit * weight).sum::<u32>().is_multiple_of(11)
}

/// A routing number of a bank in the United States: nine digits, the last of which checks the others.
fn routing(value: &str) -> bool {
    let weights = [3, 7, 1].into_iter().cycle();
    let sum: u32 = value.bytes().zip(weights).map(|(digit, weight)| u32::from(digit.wrapping_sub(b'0')) * weight).sum();
    value.len() == 9 && value.bytes().all(|byte| byte.is_ascii_digit()) && sum.is_multiple_of(10)
}

/// The year of a date as people and databases write them.
fn year(value: &str) -> Option<i32> {
    // Whole bytes are cut below.
    let value = value.split([' ', 'T']).next().filter(|value| value.is_ascii())?;
    let parts: Vec<&str> = value.split(['-', '/', '.']).collect();
    let number = |text: &str| text.parse::<i32>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    match parts[..] {
        [whole] if whole.len() == 8 => {
            let (year, month, day) = (number(&whole[..4])?, number(whole.get(4..6)?)?, number(whole.get(6..)?)?);
            (1..=12).contains(&month).then_some(())?;
            (1..=31).contains(&day).then_some(year)
        }
        [whole] if whole.len() == 4 => number(whole),
        [year, month, day] if year.len() == 4 => {
            (number(month)? <= 12 && number(day)? <= 31).then(|| number(year)).flatten()
        }
        [a, b, year] if year.len() == 4 => (number(a)? <= 31 && number(b)? <= 31).then(|| number(year)).flatten(),
        _ => None,
    }
}

/// A date without a time of day, or a year alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Day {
    pub year: i32,
    /// Of the month.
    pub day: Option<u32>,
    /// A Saturday or a Sunday, of a date that begins with its year.
    pub weekend: bool,
}

/// Reads a date without a time of day, or a year alone. Only years that people of today, or dates that stand for none, have.
pub(super) fn date(value: &str) -> Option<Day> {
    let (date, time) = value.split_once([' ', 'T']).unwrap_or((value, "00:00"));
    let year = year(date).filter(|year| (1880..=9999).contains(year))?;
    let (month, day) = match date.split(['-', '/', '.']).collect::<Vec<_>>()[..] {
        [whole] => (whole.get(4..6), whole.get(6..8)),
        [first, month, last] if first.len() == 4 => (Some(month), Some(last)),
        [first, _, _] => (None, Some(first)),
        _ => (None, None),
    };
    let day = day.and_then(|day| day.parse().ok()).filter(|day| (1..=31).contains(day));
    let month = month.and_then(|month| month.parse().ok());
    let weekend = month.zip(day).is_some_and(|(month, day)| is_weekend(year, month, day));
    time.starts_with("00:00").then_some(Day { year, day, weekend })
}

/// Whether a day is a Saturday or a Sunday (Sakamoto, 1992).
fn is_weekend(year: i32, month: usize, day: u32) -> bool {
    const MONTHS: [i32; 12] = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4];
    let Some(shift) = month.checked_sub(1).and_then(|month| MONTHS.get(month)) else { return false };
    let year = if month < 3 { year - 1 } else { year };
    matches!((year + year / 4 - year / 100 + year / 400 + shift + day as i32) % 7, 0 | 6)
}

/// Whether a number has as many decimal places as a place of a house; and whether it may be a latitude, or a share of 1.
pub(super) fn place(value: &str) -> Option<Place> {
    let decimals = value.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let number = value.parse::<f64>().ok().filter(|number| number.abs() <= 180.0)?;
    (decimals >= DECIMALS_MIN).then_some(Place { latitude: number.abs() <= 90.0, share: number.abs() <= 1.0 })
}

/// Eleven meters.
const DECIMALS_MIN: usize = 4;

/// A number that may be one half of a place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub latitude: bool,
    pub share: bool,
}

/// A number with decimal places that can be a latitude or longitude. How many says little: a float leaves off zeros.
fn coordinate(value: &str) -> bool {
    value.contains('.') && value.parse::<f64>().is_ok_and(|number| number.abs() <= 180.0)
}

fn coordinates(value: &str) -> bool {
    let body = value.trim();
    let body = body.strip_prefix("POINT").unwrap_or(body).trim().trim_matches(['(', ')', '[', ']']);
    let mut numbers = body.split([',', ' ', ';']).filter(|part| !part.is_empty()).map(str::parse::<f64>);
    let decimal = body.matches('.').count() == 2;
    match (numbers.next(), numbers.next(), numbers.next()) {
        (Some(Ok(a)), Some(Ok(b)), None) => decimal && a.abs() <= 180.0 && b.abs() <= 180.0,
        _ => false,
    }
}

fn ip(value: &str) -> bool {
    let (address, length) = value.split_once('/').map_or((value, None), |(address, length)| (address, Some(length)));
    let length_fits = length.is_none_or(|length| length.parse::<u8>().is_ok_and(|length| length <= 128));
    length_fits && address.len() >= 3 && address.parse::<IpAddr>().is_ok()
}

/// An account number by its form and the check digits of the whole. Those inside of some countries' numbers are not asked
/// for: what has the outer ones right is an account number, even where a bank or a test made the inner ones up.
fn iban(value: &str) -> bool {
    let symbols: Vec<u8> = value.bytes().filter(|byte| *byte != b' ').collect();
    let alphanumeric = symbols.iter().all(u8::is_ascii_alphanumeric);
    if !(15..=34).contains(&symbols.len()) || !alphanumeric || !symbols[..2].iter().all(u8::is_ascii_uppercase) {
        return false;
    }
    let digits = symbols[2..4].iter().all(u8::is_ascii_digit);
    let rest = symbols[4..].iter().chain(&symbols[..4]).fold(0u64, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u64::from(byte - b'0')) % 97,
        letter => (rest * 100 + u64::from(letter.to_ascii_uppercase() - b'A') + 10) % 97,
    });
    digits && rest == 1
}

/// How streets are written where; the name is never looked at.
static STREETS: LazyLock<regex::RegexSet> = LazyLock::new(|| {
    regex::RegexSet::new([
        r"(?i)^\d{1,6}[a-z]?,? ([\w.'-]+ ){0,5}(street|st|avenue|ave|road|rd|lane|ln|drive|dr|court|ct|place|pl|square|sq|boulevard|blvd|way|terrace|parkway|pkwy|circle|cir|highway|hwy|close|crescent|gardens|grove|row|mews|trail|loop|alley|plaza|ridge|run|path|pike|walk)\b",
        r"^\d{1,6} [A-Z][a-z]+ [A-Z][a-z]+(,? (Apt|Suite|Unit|Flat|Studio)\.? ?\w+)?$",
        r"(?i)^(Flat|Studio|Apt\.?|Unit|Suite) \w+,?\s",
        r"(?i)^\p{L}[\p{L} .-]*(straße|strasse|str\.|weg|platz|allee|gasse|ring|ufer|damm|chaussee|stieg) ?\d+ ?[a-z]?(/\d+)?$",
        r"(?i)^\d{1,4},?( bis| ter)?,? ?(rue|avenue|av\.?|boulevard|bd|place|chemin|impasse|allée|route|quai|cours|passage|square) ",
        r"(?i)^(rue|boulevard|chemin|impasse) (de|du|des|la|le)\b",
        r"(?i)^(calle|c/|avenida|avda\.?|av\.|plaza|paseo|camino|ronda|vía|cuesta|glorieta|pasadizo|callejón|acceso|urbanización|alameda|cañada|rambla|pasaje|carrer|rua|travessa|praça|estrada|rodovia|largo|viela|via|viale|piazza|corso|vicolo|strada|contrada|canale|rotonda|borgo|incrocio|stretto|piazzetta|ul\.|ulica|aleja|al\.|plac|pl\.|os\.|osiedle|rondo|skwer) ?\p{L}",
        r"(?i)^\p{L}[\p{L} .'-]*(straat|laan|weg|plein|gracht|kade|dijk|singel|hof|pad|baan|steeg|dreef|boulevard|ring) ?\d+",
        r"(?i)^\p{L}[\p{L} ]*(gatan|vägen|gränd|torget|gata|stigen|backen|gränden|allén|väg) ?\d+",
        r"(?i)^p\.? ?o\.? box \d+",
    ])
    .expect("patterns of this file compile")
});

fn street(value: &str) -> bool {
    value.len() <= 100 && value.bytes().any(|byte| byte.is_ascii_digit() || byte == b' ') && STREETS.is_match(value)
}

static POSTAL: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)\b(\d{4,6}|\d{5}-\d{3,4}|\d{2}-\d{3}|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2})\b"));

/// A street, then, after a comma or a line, a postal code.
fn address(value: &str) -> bool {
    let Some((first, rest)) = value.split_once(['\n', ',']) else { return false };
    let street = street(first.trim()) || first.chars().any(|c| c.is_ascii_digit()) && words(first) >= 2;
    value.len() <= 300 && street && rest.split_whitespace().count() >= 2 && POSTAL.is_match(rest) && words(value) <= 25
}

/// What a payment service calls prices, promotions, taxes and ways of shipping by: random, nobody's, and no secret.
const SERVICE_PREFIXES: &[&str] = &["price_1", "promo_1", "txr_1", "shr_1"];
/// How many letters and digits follow.
const SERVICE_LEN: usize = 23;

fn is_of_service(value: &str) -> bool {
    let rest = SERVICE_PREFIXES.iter().find_map(|prefix| value.strip_prefix(prefix));
    rest.is_some_and(|rest| rest.len() == SERVICE_LEN && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Letters of both cases and digits in an order that no language has.
fn random(value: &str) -> bool {
    if is_of_service(value) {
        return false;
    }
    let (mut upper, mut lower, mut digits) = (0usize, 0usize, 0usize);
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' => upper += 1,
            b'a'..=b'z' => lower += 1,
            b'0'..=b'9' => digits += 1,
            b'-' | b'_' | b'+' | b'/' | b'=' | b'.' => {}
            _ => return false,
        }
    }
    (20..=512).contains(&value.len()) && upper >= 3 && lower >= 3 && digits >= 2 && entropy(value) >= 3.6
}

/// Bits per byte.
fn entropy(value: &str) -> f64 {
    let mut counts = [0u32; 256];
    for byte in value.bytes() {
        counts[usize::from(byte)] += 1;
    }
    let all = value.len() as f64;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / all)
        .map(|share| -share * share.log2())
        .sum()
}

fn words(value: &str) -> usize {
    value.split_whitespace().filter(|word| word.chars().any(char::is_alphabetic)).count()
}

/// Sentences: several words, most of them in lower case.
fn prose(value: &str) -> bool {
    let lower = value.split_whitespace().filter(|word| word.chars().next().is_some_and(char::is_lowercase)).count();
    let words = words(value);
    words >= 5 && value.len() >= 25 && lower * 2 >= words
}

/// What can be told from text alone: addresses, phone numbers with a sign, accounts, social security numbers.
static PERSONAL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)[a-z0-9._%+-]+@[a-z0-9-]+(\.[a-z0-9-]+)+|\+\d[\d ()./-]{7,16}\d|\(\d{3}\) ?\d{3}-\d{4}|\b\d{3}-\d{3}-\d{4}\b|\b\d{3}-\d{2}-\d{4}\b|\b[A-Z]{2}\d{2}[ ]?([A-Z0-9]{4} ?){3,7}\b",
    )
});
