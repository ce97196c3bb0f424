//! Bank account numbers and national identifiers in a text.
//!
//! A number counts when it is valid and written in a way that hardly anything else is. Where a bare number of its length is
//! common, one of the words people put before it has to stand there too.

use super::numbers::wide_separator;
use super::spans::Detector;
use crate::mask::{iban, national};
use std::cell::OnceCell;

/// The kinds found, in the order of [`Detector::Id`].
pub(super) const KINDS: [&str; 25] = [
    "iban",
    "be.nn",
    "nl.bsn",
    "fr.nir",
    "de.idnr",
    "es.dni",
    "es.nie",
    "it.cf",
    "pl.pesel",
    "se.pnr",
    "br.cpf",
    "br.cnpj",
    "in.aadhaar",
    "us.ein",
    "gb.nhs",
    "gb.nino",
    "ca.sin",
    "au.tfn",
    "fi.hetu",
    "no.fnr",
    "dk.cpr",
    "ch.ahv",
    "pt.nif",
    "cn.ric",
    "za.id",
];

/// One way of writing numbers of a kind.
struct Layout {
    kind: &'static str,
    /// `#` is a digit, `@` a letter, `?` either, `*` either or a sign; all else stands for itself.
    form: &'static [u8],
    /// Characters before the first digit.
    before: usize,
    /// Digits that begin there, and whether what follows them may be a digit too.
    digits: usize,
    open: bool,
    /// Words of which one has to stand before the number; none: it needs none.
    words: &'static [&'static str],
}

const fn layout(kind: &'static str, form: &'static str, words: &'static [&'static str]) -> Layout {
    let form = form.as_bytes();
    let mut before = 0;
    while !matches!(form[before], b'#' | b'?') {
        before += 1;
    }
    let mut digits = 0;
    while before + digits < form.len() && form[before + digits] == b'#' {
        digits += 1;
    }
    let open = before + digits < form.len() && matches!(form[before + digits], b'?' | b'*');
    Layout { kind, form, before, digits, open, words }
}

const LAYOUTS: &[Layout] = &[
    layout("be.nn", "##.##.##-###.##", &[]),
    layout("be.nn", "##.##.##-###-##", &[]),
    layout("be.nn", "###########", &["rijksregister", "registre national", "insz", "niss", "rrn"]),
    layout("nl.bsn", "#########", &["bsn", "burgerservice", "sofi"]),
    layout("nl.bsn", "####.##.###", &["bsn", "burgerservice", "sofi"]),
    layout("nl.bsn", "###.###.###", &["bsn", "burgerservice", "sofi"]),
    layout("nl.bsn", "### ### ###", &["bsn", "burgerservice", "sofi"]),
    layout("fr.nir", "# ## ## ?? ### ### ##", &[]),
    layout("fr.nir", "#####??########", &[]),
    layout("de.idnr", "## ### ### ###", &[]),
    layout("de.idnr", "###########", &["idnr", "steuer", "tax"]),
    layout("es.dni", "########@", &[]),
    layout("es.dni", "########-@", &[]),
    layout("es.dni", "##.###.###@", &[]),
    layout("es.dni", "##.###.###-@", &[]),
    layout("es.nie", "@#######@", &[]),
    layout("es.nie", "@-#######-@", &[]),
    layout("es.nie", "@-#######@", &[]),
    layout("it.cf", "@@@@@@??@??@???@", &[]),
    layout("pl.pesel", "###########", &["pesel"]),
    layout("fi.hetu", "######*###?", &[]),
    layout("se.pnr", "######-####", &[]),
    layout("se.pnr", "######+####", &[]),
    layout("se.pnr", "########-####", &[]),
    layout("se.pnr", "##########", &["personnummer", "personnr", "pnr"]),
    layout("se.pnr", "############", &["personnummer", "personnr", "pnr"]),
    layout("dk.cpr", "######-####", &[]),
    layout("dk.cpr", "##########", &["cpr"]),
    layout("br.cpf", "###.###.###-##", &[]),
    layout("br.cpf", "###########", &["cpf"]),
    layout("br.cnpj", "##.???.???/????-##", &[]),
    layout("br.cnpj", "##############", &["cnpj"]),
    layout("in.aadhaar", "#### #### ####", &[]),
    layout("in.aadhaar", "############", &["aadhaar", "aadhar", "uid"]),
    layout("us.ein", "##-#######", &["ein", "tax id", "employer id"]),
    layout("gb.nhs", "### ### ####", &["nhs"]),
    layout("gb.nhs", "###-###-####", &["nhs"]),
    layout("gb.nhs", "##########", &["nhs"]),
    layout("gb.nino", "@@######@", &[]),
    layout("gb.nino", "@@ ## ## ## @", &[]),
    layout("ca.sin", "### ### ###", &["sin", "social insurance"]),
    layout("ca.sin", "###-###-###", &["sin", "social insurance"]),
    layout("ca.sin", "#########", &["sin", "social insurance"]),
    layout("au.tfn", "### ### ###", &["tfn", "tax file"]),
    layout("au.tfn", "#########", &["tfn", "tax file"]),
    layout("no.fnr", "###########", &[]),
    layout("no.fnr", "###### #####", &[]),
    layout("ch.ahv", "###.####.####.##", &[]),
    layout("ch.ahv", "#############", &[]),
    layout("pt.nif", "#########", &["nif", "contribuinte"]),
    layout("pt.nif", "### ### ###", &["nif", "contribuinte"]),
    layout("cn.ric", "#################?", &[]),
    layout("za.id", "#############", &[]),
    layout("za.id", "###### #### ## #", &[]),
];

/// A number found in a text.
pub(super) struct Id {
    pub start: usize,
    pub end: usize,
    pub detector: Detector,
}

/// Identifiers in digits alone of which hardly one number in fifty is one: they tell a day of birth, or have several check
/// digits or another rule beside it.
const STRONG: &[&str] = &["be.nn", "pl.pesel", "br.cpf", "no.fnr"];
const STRONG_DIGITS: usize = 11;

/// The place of a kind in [`KINDS`].
fn place(kind: &str) -> Option<u8> {
    KINDS.iter().position(|known| *known == kind).map(|place| place as u8)
}

/// Kinds of [`KINDS`], a bit for each.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Kinds(u32);

impl Kinds {
    pub(super) fn add(&mut self, kind: &str) {
        self.0 |= place(kind.split('/').next().unwrap_or(kind)).map_or(0, |bit| 1 << bit);
    }

    fn has(self, kind: u8) -> bool {
        self.0 & 1 << kind != 0
    }
}

/// Looks at what is written around the first digit at `at`, before which there is none. The columns beside the text tell what
/// its numbers are as a word does.
pub(super) fn find(text: &str, at: usize, columns: Kinds) -> Option<Id> {
    let bytes = text.as_bytes();
    let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    if let Some((start, end)) = account(text, at) {
        return Some(Id { start, end, detector: Detector::Id(0) });
    }
    // Numbers with letters or signs before their first digit need no word.
    let head = OnceCell::new();
    let told = |words: &[&str]| {
        let near = |start: usize| words.iter().any(|word| stands_before(bytes, start, word));
        near(at) || !words.is_empty() && head.get_or_init(|| list_head(text, at)).is_some_and(near)
    };
    let begins = |layout: &&Layout| layout.digits == digits || layout.open && layout.digits < digits;
    let hits = LAYOUTS.iter().filter(begins).filter_map(|layout| {
        let start = at.checked_sub(layout.before)?;
        let end = start + layout.form.len();
        let fits = |(byte, form): (&u8, &u8)| match form {
            b'#' => byte.is_ascii_digit(),
            b'@' => byte.is_ascii_alphabetic(),
            b'?' => byte.is_ascii_alphanumeric(),
            b'*' => byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'+'),
            form => byte == form,
        };
        let written = bytes.get(start..end)?;
        if !written.iter().zip(layout.form).all(fits) {
            return None;
        }
        let kind = place(layout.kind)?;
        let (word, column) = (told(layout.words), columns.has(kind));
        let counts = layout.words.is_empty() || word || column;
        let apart = stands_alone(text, start, end) || (word || column) && is_marked_off(text, start, end, word);
        let valid = counts && apart && national::is_valid(layout.kind, &text[start..end]);
        valid.then_some((layout.kind, kind, Id { start, end, detector: Detector::Id(kind) }))
    });
    // One in thirty Danish numbers is a Finnish one too: the word before it tells, or what the columns are.
    let named = |kind: &str| LAYOUTS.iter().any(|layout| layout.kind == kind && told(layout.words));
    let (.., id) = hits.min_by_key(|(name, kind, _)| (!named(name), !columns.has(*kind)))?;
    Some(id)
}

/// A number of so many digits that is nothing else, where no telephone number may stand: in names of files and paths, beside
/// signs and words. Of kinds with one check digit every tenth number would be one.
pub(super) fn find_strong(text: &str, start: usize, end: usize) -> Option<Id> {
    if end - start != STRONG_DIGITS || !is_marked_off(text, start, end, false) {
        return None;
    }
    STRONG.iter().find_map(|kind| of_kind(kind, text, start, end))
}

/// An identifier behind a word for things, where no more of them stand by chance than matters.
pub(super) fn find_of_thing(text: &str, start: usize, end: usize) -> Option<Id> {
    let kind = match end - start {
        10 => "se.pnr",
        STRONG_DIGITS => "de.idnr",
        _ => return None,
    };
    find_strong(text, start, end).or_else(|| of_kind(kind, text, start, end))
}

/// The number, if it is a valid one of this kind.
fn of_kind(kind: &str, text: &str, start: usize, end: usize) -> Option<Id> {
    let detector = Detector::Id(place(kind)?);
    national::is_valid(kind, &text[start..end]).then_some(Id { start, end, detector })
}

/// Separators that may stand between two characters of an account number.
const SEPARATORS_MAX: usize = 3;

/// An account number whose check digits begin at `at`, with separators between any two characters.
fn account(text: &str, at: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    // `DE 12 5001 …` is written as well; `no` and `is` are words.
    let apart = text[..at].strip_suffix([' ', '\u{a0}']);
    let country = |byte: &u8| if apart.is_some() { byte.is_ascii_uppercase() } else { byte.is_ascii_alphabetic() };
    let end = apart.map_or(at, str::len);
    let start = end.checked_sub(2).filter(|start| bytes[*start..end].iter().all(country))?;
    let country = [bytes[start].to_ascii_uppercase(), bytes[start + 1].to_ascii_uppercase()];
    let mut missing = iban::length(&country)? - 2;
    let mut end = at;
    let mut separators = SEPARATORS_MAX;
    while missing > 0 {
        let byte = *bytes.get(end)?;
        if byte.is_ascii_alphanumeric() {
            missing -= 1;
            separators = 0;
            end += 1;
            continue;
        }
        end += match byte {
            _ if separators == SEPARATORS_MAX => return None,
            // The check digits tell, so a line may end anywhere, also one of a mail that is quoted.
            b' ' | b'-' | b'.' | b'/' | b'_' | b'\n' | b'\r' | b'\t' => 1,
            b'>' if bytes[end - 1] == b'\n' => 1,
            _ => wide_separator(&bytes[end..])?,
        };
        separators += 1;
    }
    // The length and the check digits tell as well what is glued to it; `DE 12 …` begins as a word does.
    let begins = apart.is_none() || !text[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    let ends = !bytes.get(end).is_some_and(u8::is_ascii_digit);
    (begins && ends && iban::is_iban(&text[start..end])).then_some((start, end))
}

/// No letter or digit touches the number, and it is no part of a longer one.
fn stands_alone(text: &str, start: usize, end: usize) -> bool {
    let joins = |c: char| matches!(c, '-' | '.' | '/' | '+');
    let touches = |next: Option<char>, after: Option<char>| match next {
        Some(c) if joins(c) => after.is_some_and(|c| c.is_ascii_digit()),
        Some(c) => c.is_alphanumeric() || c == '_',
        None => false,
    };
    let (mut left, mut right) = (text[..start].chars().rev(), text[end..].chars());
    !touches(left.next(), left.next()) && !touches(right.next(), right.next())
}

/// Nothing touches the number but signs, and no decimals; behind a word, its letters too.
fn is_marked_off(text: &str, start: usize, end: usize, word: bool) -> bool {
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let (mut left, mut right) = (text[..start].chars().rev(), text[end..].chars());
    let before = match left.next() {
        Some('.') => !digit(left.next()),
        Some(c) => c != '+' && !c.is_ascii_digit() && (word || !c.is_alphanumeric()),
        None => true,
    };
    before
        && match right.next() {
            Some('.') => !digit(right.next()),
            Some(c) => !c.is_alphanumeric(),
            None => true,
        }
}

/// How far before a number a word may stand, in bytes.
const WORD_BYTES: usize = 32;

/// How far before a number the list it is in may begin, in bytes.
const LIST_BYTES: usize = 256;
/// What stands before the last number of a list.
const AND: &[&str] = &["and", "or", "und", "oder", "et", "ou", "y", "e", "en", "i", "og", "och", "ja"];
/// Digits that a number of a list has at least.
const LISTED_MIN: usize = 6;

/// Returns where the first number of the list begins that the number at `start` is in: `111222333, 123456782 and …`; none
/// if it is in no list.
pub(super) fn list_head(text: &str, start: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let floor = start.saturating_sub(LIST_BYTES);
    let mut head = None;
    let mut end = start;
    loop {
        // A separator, with a short word where people write `and`.
        let mut at = end;
        while at > floor
            && end - at < 8
            && (bytes[at - 1].is_ascii_alphabetic() || b" ,;/&+\n\r\t".contains(&bytes[at - 1]))
        {
            at -= 1;
        }
        let between = &text[at..end];
        let word = between.trim_matches(|c: char| !c.is_ascii_alphabetic());
        let joins = AND.iter().any(|and| word.eq_ignore_ascii_case(and));
        if !(joins || word.is_empty() && between.contains([',', ';', '/', '&', '+', '\n'])) {
            return head;
        }
        let (mut first, mut digits) = (at, 0);
        while first > floor && (bytes[first - 1].is_ascii_digit() || b"-. ".contains(&bytes[first - 1])) {
            first -= 1;
            digits += usize::from(bytes[first].is_ascii_digit());
        }
        if digits < LISTED_MIN || first == floor && floor > 0 {
            return head;
        }
        first += bytes[first..at].iter().take_while(|byte| !byte.is_ascii_digit()).count();
        head = Some(first);
        end = first;
    }
}

/// A word stands shortly before the number, not inside another word, with no digit between.
fn stands_before(bytes: &[u8], start: usize, word: &str) -> bool {
    let near = &bytes[start.saturating_sub(WORD_BYTES)..start];
    let from = near.iter().rposition(u8::is_ascii_digit).map_or(0, |at| at + 1);
    let near = &near[from..];
    near.windows(word.len()).enumerate().any(|(at, part)| {
        part.eq_ignore_ascii_case(word.as_bytes()) && (at == 0 || !near[at - 1].is_ascii_alphabetic())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::{Params, RealmKey, kind, mask_value};

    fn masked(realm: &RealmKey, kind: &str, value: &str) -> String {
        mask_value(realm, kind, "", Params::new(), None, value).expect("a mask").expect("text")
    }

    #[test]
    fn every_kind_is_found_and_gets_the_mask_of_its_column() {
        let realm = crate::mask::MasterKey::test().realm("default");
        for name in KINDS {
            let words = LAYOUTS.iter().filter(|layout| layout.kind == name).find_map(|layout| layout.words.first());
            let word = words.copied().unwrap_or("is");
            let sample = kind(name).expect("a kind").samples[0];
            let text = |number: &str| format!("It {word} {number}, as told.");
            assert_eq!(masked(&realm, "text.spans", &text(sample)), text(&masked(&realm, name, sample)), "{name}");
        }
    }

    #[test]
    fn many_numbers_of_every_kind_get_the_mask_of_their_column() {
        let realm = crate::mask::MasterKey::test().realm("default");
        for name in KINDS {
            let words = LAYOUTS.iter().filter(|layout| layout.kind == name).find_map(|layout| layout.words.first());
            let word = words.copied().unwrap_or("is");
            // Masks of a valid number are valid numbers in its layout, one after the other.
            let mut number = kind(name).expect("a kind").samples[0].to_owned();
            for step in 0..100 {
                let mask = masked(&realm, name, &number);
                let text = |number: &str| format!("Case {step}: it {word} {number}; as told, twice.");
                assert_eq!(masked(&realm, "text.spans", &text(&number)), text(&mask), "{name} {number}");
                number = mask;
            }
        }
    }

    #[test]
    fn layouts_name_kinds_and_begin_where_their_digits_do() {
        for layout in LAYOUTS {
            assert!(KINDS.contains(&layout.kind));
            assert!(layout.form[..layout.before].iter().all(|form| matches!(form, b'@' | b'-' | b' ')));
        }
    }
}
