//! What a text looks like, as far as it matters for finding it again: whether it names somebody by itself, and what its
//! words are.
//!
//! A value is compared from its first to its last letter or digit; what stands around them is how somebody wrote it down.

use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// Digits of a number that is somebody's; shorter ones stand everywhere.
const DIGITS_MIN: usize = 7;
/// Different digits of it: `0000000` is a placeholder.
const DIFFERENT_MIN: u32 = 3;
/// Bytes of an address or a name.
const ADDRESS_MIN: usize = 6;
/// Bytes of several words, or of letters and digits together.
const MIXED_MIN: usize = 8;
/// Letters and digits of the latter: fewer have fewer than 2^19 masks.
const SYMBOLS_MIN: usize = 6;
/// Most digits that are counted: longer numbers are never met by chance.
pub(super) const DIGITS_MAX: usize = 24;

/// What makes a text tell who is meant, by itself, wherever it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub enum Form {
    /// Too little: a word, a short number.
    #[default]
    Plain,
    /// Words without digits: a name.
    Words,
    /// An address, or letters and digits in one.
    Mixed,
    /// Nothing but so many digits and what separates them: a number that another may be equal to by chance.
    Digits(u8),
}

/// What was counted of a text.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counted {
    letters: usize,
    digits: usize,
    /// A bit for each digit that occurs.
    different: u16,
    words: usize,
    bytes: usize,
    at: bool,
}

impl Counted {
    /// The counts of one word, which must have no separators.
    pub(super) fn word(word: &str) -> Self {
        let mut counted = Self { words: 1, bytes: word.len(), ..Self::default() };
        for byte in word.bytes() {
            if byte.is_ascii_digit() {
                counted.digits += 1;
                counted.different |= 1 << (byte - b'0');
            } else {
                counted.letters += 1;
            }
        }
        counted
    }

    /// The counts of two texts and what is between them.
    pub(super) fn join(self, between: &str, other: Self) -> Self {
        Self {
            letters: self.letters + other.letters,
            digits: self.digits + other.digits,
            different: self.different | other.different,
            words: self.words + other.words,
            bytes: self.bytes + between.len() + other.bytes,
            at: self.at || other.at || between == "@",
        }
    }

    pub(super) fn has_digits(self) -> bool {
        self.digits > 0 || self.at
    }

    /// The form of the text these are the counts of.
    pub(super) fn form_of(self, text: &str) -> Form {
        match self.form() {
            Form::Digits(digits) if is_abroad(text, digits.into()) => Form::Digits(digits - ABROAD.len() as u8),
            other => other,
        }
    }

    pub(super) fn form(self) -> Form {
        match self {
            Self { at: true, bytes, .. } if bytes >= ADDRESS_MIN => Form::Mixed,
            Self { letters: 0, digits, different, .. }
                if digits >= DIGITS_MIN && different.count_ones() >= DIFFERENT_MIN =>
            {
                Form::Digits(digits.min(DIGITS_MAX) as u8)
            }
            Self { letters: letters @ 1.., digits: digits @ 1.., bytes, .. }
                if bytes >= MIXED_MIN && letters + digits >= SYMBOLS_MIN =>
            {
                Form::Mixed
            }
            Self { digits: 0, words: 2.., bytes, .. } if bytes >= MIXED_MIN => Form::Words,
            _ => Form::Plain,
        }
    }
}

/// What a number of another country begins with where `+` is not written.
pub(super) const ABROAD: &[u8] = b"00";

/// Whether a text of so many digits begins with [`ABROAD`] and is a number without it.
pub(super) fn is_abroad(text: &str, digits: usize) -> bool {
    digits >= DIGITS_MIN + ABROAD.len() && text.as_bytes().starts_with(ABROAD)
}

/// Upper and lower case are the same; fingerprints see to that for ASCII. So are lines and blanks: an address of two lines
/// stands in a text as one.
#[inline]
pub(super) fn folded(text: &str) -> Cow<'_, str> {
    let text = in_one_line(text);
    if text.is_ascii() { text } else { Cow::Owned(lowered(&text)) }
}

/// One blank instead of ends of lines, tabs and more blanks.
fn in_one_line(text: &str) -> Cow<'_, str> {
    // Blocks of bytes compare side by side.
    let ends = |byte: u8| matches!(byte, b'\n' | b'\r' | b'\t');
    let lines = text.as_bytes().chunks(64).any(|block| block.iter().fold(false, |any, byte| any | ends(*byte)));
    if lines || text.contains("  ") { Cow::Owned(with_single_blanks(text)) } else { Cow::Borrowed(text) }
}

fn with_single_blanks(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split_ascii_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// Other letters than those of ASCII in lower case, one by one, wherever they stand in a word.
fn lowered(text: &str) -> String {
    let mut lowered = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(place) = rest.bytes().position(|byte| !byte.is_ascii()) {
        let (ascii, other) = rest.split_at(place);
        lowered.push_str(ascii);
        let mut symbols = other.chars();
        match symbols.next() {
            // Western letters, which are most of them, without a look at the tables.
            Some(small @ 'ß'..='ÿ') => lowered.push(small),
            // Where the word ends is no difference.
            Some('ς') => lowered.push('σ'),
            Some(symbol) => lowered.extend(symbol.to_lowercase()),
            None => {}
        }
        rest = symbols.as_str();
    }
    lowered.push_str(rest);
    lowered
}

/// From the first to the last letter or digit.
#[inline]
pub(super) fn core(text: &str) -> &str {
    match text.as_bytes() {
        [only] if only.is_ascii_alphanumeric() => text,
        [first, .., last] if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() => text,
        _ => text.trim_matches(|symbol: char| !symbol.is_alphanumeric()),
    }
}

/// The words of a text, each with where it begins and ends.
pub(super) fn words(text: &str) -> impl Iterator<Item = (usize, usize)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = next(text, at, true);
        if start == text.len() {
            return None;
        }
        at = next(text, start, false);
        Some((start, at))
    })
}

/// Where the next letter or digit is, or the next that is none; the end if there is none.
#[inline]
fn next(text: &str, mut at: usize, wanted: bool) -> usize {
    while let Some(byte) = text.as_bytes().get(at) {
        let (is, length) = match byte.is_ascii() {
            true => (byte.is_ascii_alphanumeric(), 1),
            false => match text[at..].chars().next() {
                Some(symbol) => (symbol.is_alphanumeric(), symbol.len_utf8()),
                None => return text.len(),
            },
        };
        if is == wanted {
            return at;
        }
        at += length;
    }
    text.len()
}

/// Longest text of [`hexadecimal`].
const HEXADECIMAL_MAX: usize = 48;

/// Bytes as PostgreSQL writes them: sixteen are a UUID in groups with hyphens, fewer an address of a network card with
/// colons. The text, and how long it is.
#[inline]
pub(super) fn hexadecimal(bytes: &[u8]) -> ([u8; HEXADECIMAL_MAX], usize) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let uuid = bytes.len() == 16;
    let (mut text, mut length) = ([0; HEXADECIMAL_MAX], 0);
    for (place, byte) in bytes.iter().take(16).enumerate() {
        let mark = match place {
            4 | 6 | 8 | 10 if uuid => Some(b'-'),
            1.. if !uuid => Some(b':'),
            _ => None,
        };
        if let Some(mark) = mark {
            text[length] = mark;
            length += 1;
        }
        text[length] = DIGITS[usize::from(byte >> 4)];
        text[length + 1] = DIGITS[usize::from(byte & 15)];
        length += 2;
    }
    (text, length)
}

/// A text without what programs write around and instead of its symbols: tags and entities of HTML, `%40` of addresses, and
/// quotes of SQL that stand twice. None if it holds nothing of these.
pub(super) fn bare(text: &str) -> Option<String> {
    if !text.bytes().any(|byte| matches!(byte, b'<' | b'&' | b'%' | b'\'')) {
        return None;
    }
    let mut bare = text.replace("''", "'");
    if bare.contains('<') {
        bare = without_tags(&bare);
    }
    if bare.contains('&') {
        bare = without_entities(&bare);
    }
    if bare.contains('%') {
        // In queries `+` is a blank; a URL inside of another one is encoded twice.
        let twice = bare.contains("%25");
        bare = decoded(&bare.replace('+', " "));
        if twice {
            bare = decoded(&bare);
        }
    }
    (bare != text).then_some(bare)
}

/// Percent signs decoded; bytes that are no UTF-8 are Latin-1.
fn decoded(text: &str) -> String {
    let bytes: Vec<u8> = percent_decode_str(text).collect();
    let mut decoded = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        decoded.push_str(chunk.valid());
        decoded.extend(chunk.invalid().iter().map(|byte| char::from(*byte)));
    }
    decoded
}

/// Bytes between `&` and `;`.
const ENTITY_MAX: usize = 10;
/// Entities of marks that stand in and around names and addresses; those of letters are read by their parts.
const ENTITIES: [(&str, char); 23] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", ' '),
    ("ensp", ' '),
    ("emsp", ' '),
    ("thinsp", ' '),
    ("commat", '@'),
    ("period", '.'),
    ("szlig", 'ß'),
    ("aelig", 'æ'),
    ("AElig", 'Æ'),
    ("oslash", 'ø'),
    ("Oslash", 'Ø'),
    ("ndash", '-'),
    ("hyphen", '-'),
    ("dash", '-'),
    ("sol", '/'),
    ("lpar", '('),
    ("rpar", ')'),
    ("colon", ':'),
];
/// What stands above or below a letter, as entities name it, and the letters that have it in Latin-1, each with what it is.
const ACCENTS: [(&str, &str, &str); 7] = [
    ("uml", "aeiouyAEIOU", "äëïöüÿÄËÏÖÜ"),
    ("acute", "aeiouyAEIOUY", "áéíóúýÁÉÍÓÚÝ"),
    ("grave", "aeiouAEIOU", "àèìòùÀÈÌÒÙ"),
    ("circ", "aeiouAEIOU", "âêîôûÂÊÎÔÛ"),
    ("tilde", "anoANO", "ãñõÃÑÕ"),
    ("ring", "aA", "åÅ"),
    ("cedil", "cC", "çÇ"),
];

/// The symbols that entities of HTML stand for.
fn without_entities(text: &str) -> String {
    let (mut plain, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(start) = rest.find('&') {
        plain.push_str(&rest[..start]);
        let after = &rest[start + 1..];
        let end = after.bytes().take(ENTITY_MAX).position(|byte| byte == b';');
        match end.and_then(|end| Some((end, entity(after.get(..end)?)?))) {
            Some((end, symbol)) => {
                plain.push(symbol);
                rest = &after[end + 1..];
            }
            None => {
                plain.push('&');
                rest = after;
            }
        }
    }
    plain + rest
}

fn entity(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code);
    }
    let accented = || {
        let letter = name.chars().next()?;
        let (_, plain, accented) = ACCENTS.iter().find(|(accent, ..)| *accent == &name[letter.len_utf8()..])?;
        accented.chars().nth(plain.chars().position(|one| one == letter)?)
    };
    ENTITIES.iter().find(|(known, _)| *known == name).map(|(_, symbol)| *symbol).or_else(accented)
}

/// Longest tag that is taken away.
const TAG_MAX: usize = 400;

/// A blank instead of each tag.
fn without_tags(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let (before, tag) = rest.split_at(start);
        plain.push_str(before);
        let named = tag[1..].starts_with(|symbol: char| symbol.is_ascii_alphabetic() || matches!(symbol, '/' | '!'));
        let end = tag.bytes().take(TAG_MAX).position(|byte| byte == b'>');
        // An address in angle brackets is no tag.
        let end = end.filter(|end| named && !tag[..*end].contains('@'));
        rest = match end {
            Some(end) => {
                plain.push(' ');
                &tag[end + 1..]
            }
            None => {
                plain.push('<');
                &tag[1..]
            }
        };
    }
    plain + rest
}

/// The form of a value that has no blanks or marks around it.
pub(super) fn of(core: &str) -> Form {
    let mut all: Option<(Counted, usize)> = None;
    for (start, end) in words(core) {
        let word = Counted::word(&core[start..end]);
        all = Some(match all {
            None => (word, end),
            Some((counted, before)) => (counted.join(&core[before..start], word), end),
        });
    }
    all.map_or(Form::Plain, |(counted, _)| counted.form_of(core))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_blanks_in_values_and_in_texts_with_tags() {
        let value = folded("Calle Mayor 10\n21265 BOLOGNA");
        for text in [
            "Calle Mayor 10\r\n\t21265 BOLOGNA",
            "Calle Mayor 10<br>21265 BOLOGNA",
            "Calle Mayor 10</p>\n<p>21265 BOLOGNA",
        ] {
            let bare = bare(text);
            assert_eq!(folded(bare.as_deref().unwrap_or(text)), value, "{text}");
        }
        // However many there are, and wherever else lines end.
        assert_eq!(folded("Calle  Mayor 10"), folded("Calle Mayor\t10"));
        assert!(matches!(folded("one line"), Cow::Borrowed("one line")));
    }

    #[test]
    fn forms_tell_names_numbers_and_addresses_from_words() {
        let form = |text: &str| of(core(text));
        assert_eq!(form(" <Ann.Miller@acme.test>, "), Form::Mixed);
        assert_eq!(form("Ann Miller"), Form::Words);
        assert_eq!(form("Łukasz\u{a0}Żak"), Form::Words);
        assert_eq!(form("12 Main Street"), Form::Mixed);
        assert_eq!(form("078-05-1120"), Form::Digits(9));
        assert_eq!(form("+49 30 1234567"), Form::Digits(11));
        assert_eq!(form("550e8400-e29b-41d4-a716-446655440000"), Form::Mixed);
        for plain in [
            "",
            "-",
            "Ann",
            "pending",
            "42",
            "123456",
            "n/a",
            "x y",
            "a@b",
            "0000000000",
            "€ 12.34",
            "★★★ 8",
            "B - 0001",
        ] {
            assert_eq!(form(plain), Form::Plain, "{plain}");
        }
    }

    #[test]
    fn bytes_are_written_as_the_server_writes_them() {
        let written = |bytes: &[u8]| {
            let (text, length) = hexadecimal(bytes);
            String::from_utf8(text[..length].to_vec()).expect("ASCII")
        };
        assert_eq!(written(&[0x08, 0, 0x2b, 0x01, 0x02, 0xff]), "08:00:2b:01:02:ff");
        assert_eq!(written(&[8, 0, 0x2b, 0xff, 0xfe, 1, 2, 3]), "08:00:2b:ff:fe:01:02:03");
        let uuid = 0x550e_8400_e29b_41d4_a716_4466_5544_0000_u128.to_be_bytes();
        assert_eq!(written(&uuid), "550e8400-e29b-41d4-a716-446655440000");
    }

    #[test]
    fn marks_around_a_value_are_no_part_of_it_in_any_script() {
        for text in ["“zed@acme.test”", "zed@acme.test—", "：zed@acme.test，", "«zed@acme.test»"] {
            assert_eq!(core(text), "zed@acme.test");
        }
        let of = |text: &'static str| words(text).map(|(start, end)| &text[start..end]).collect::<Vec<_>>();
        assert_eq!(of("“Ann” O'Neil—Łukasz"), ["Ann", "O", "Neil", "Łukasz"]);
    }
}
