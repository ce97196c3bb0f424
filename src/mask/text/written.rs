//! Texts in which letters are written as something else: entities of HTML, percent- and quoted-printable escapes, full-width
//! forms, and words with invisible characters, tags or the end of a line inside; and texts with the escapes of JSON, of bytes
//! and of terminals, which are documents and lines of logs.
//!
//! Those escapes are read first, and what a program reads there is searched in place of the text. Names and addresses are
//! looked for a second time, as a reader sees the rest. A text without any of that is not copied.

use super::net::{WIDE_ATS, encoded, is_in_encoded_word};
use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use unicode_normalization::UnicodeNormalization as _;

/// A piece that is written otherwise: where it stands in the plain text, and where in the original.
#[derive(Clone, Copy)]
struct Piece {
    plain: (usize, usize),
    text: (usize, usize),
}

/// A text as a reader sees it. Reused from text to text.
#[derive(Default)]
pub(super) struct Plain {
    pub text: String,
    pieces: Vec<Piece>,
    /// Colors of terminals stand inside of words.
    pub colored: bool,
}

/// How lines end in quoted-printable that go on in the next one.
const SOFT_BREAKS: [&str; 2] = ["=\n", "=\r\n"];
/// Longest entity, with its ends.
const ENTITY_MAX: usize = 12;

/// Some byte of a text is one of those; blocks of bytes compare side by side.
fn holds(text: &str, counts: impl Fn(u8) -> bool) -> bool {
    text.as_bytes().chunks(64).any(|block| block.iter().fold(false, |any, byte| any | counts(*byte)))
}

/// Bytes that such a piece begins with. Most texts have some, and no piece.
fn may_be_escaped(text: &str) -> bool {
    holds(text, |byte| matches!(byte, b'&' | b'<' | b'=' | b'%' | b'-' | 0xc2 | 0xe2 | 0xef))
}

/// A line goes on behind its end, as quoted-printable breaks lines.
pub(super) fn has_soft_break(text: &str) -> bool {
    SOFT_BREAKS.iter().any(|end| text.contains(end))
}

impl Plain {
    /// Reads a text; false if it is plain already. Tags stay, or are nothing where they stand inside of words and those are to
    /// be joined, except in the places that are `taken`, which are in order.
    pub(super) fn read(&mut self, text: &str, taken: Option<&[(usize, usize)]>) -> bool {
        let soft_breaks = OnceCell::new();
        let printable = |at| *soft_breaks.get_or_init(|| has_soft_break(text)) || is_in_encoded_word(text, at);
        self.read_with(text, taken, printable)
    }

    /// As [`Plain::read`], where it is known what is quoted-printable.
    fn read_with(&mut self, text: &str, taken: Option<&[(usize, usize)]>, printable: impl Fn(usize) -> bool) -> bool {
        self.text.clear();
        self.pieces.clear();
        if !may_be_escaped(text) {
            return false;
        }
        self.copy(text, |at| {
            if let Some(piece) = taken_at(taken, at) {
                return Ok(piece);
            }
            let piece = match text.as_bytes()[at] {
                b'&' => entity(&text[at..]),
                b'<' if taken.is_some() => tags(text, at),
                b'=' | b'%' => escape(text, at, &printable),
                b'+' => plus(text, at),
                b'-' => broken(text, at),
                0xc2 | 0xe2 | 0xef => character(&text[at..]),
                _ => None,
            };
            piece.ok_or(1)
        })
    }

    /// Reads the escapes of JSON in a text, and the colors of terminals; false if it has none. Colors are blanks, or nothing
    /// where they stand inside of words and those are to be joined, except in the places that are `taken`.
    pub(super) fn read_escapes(&mut self, text: &str, taken: Option<&[(usize, usize)]>) -> bool {
        self.text.clear();
        self.pieces.clear();
        self.colored = false;
        if !holds(text, |byte| matches!(byte, b'\\' | 0x1b)) {
            return false;
        }
        let colored = Cell::new(false);
        let colors = |at: usize| {
            let len = colors(&text[at..]);
            let inside = inside(text, at, len);
            colored.set(colored.get() || inside);
            (len, if inside && taken.is_some() { String::new() } else { " ".to_owned() })
        };
        let some = self.copy(text, |at| {
            if let Some(piece) = taken_at(taken, at) {
                return Ok(piece);
            }
            match text.as_bytes()[at] {
                b'\\' => match backslash(&text[at..]) {
                    Ok((_, seen)) if seen.starts_with(ESCAPE) => Ok(colors(at)),
                    other => other,
                },
                0x1b => Ok(colors(at)),
                _ => Err(1),
            }
        });
        self.colored = colored.get();
        some
    }

    /// Copies a text with its pieces replaced. `piece` is asked at every byte, and otherwise says how many it passes over.
    fn copy(&mut self, text: &str, piece: impl Fn(usize) -> Result<(usize, String), usize>) -> bool {
        let (mut copied, mut at) = (0, 0);
        while at < text.len() {
            let (len, seen) = match piece(at) {
                Ok(piece) => piece,
                Err(passed) => {
                    at += passed;
                    continue;
                }
            };
            self.text.push_str(&text[copied..at]);
            let start = self.text.len();
            self.text.push_str(&seen);
            self.pieces.push(Piece { plain: (start, self.text.len()), text: (at, at + len) });
            at += len;
            copied = at;
        }
        self.text.push_str(&text[copied..]);
        !self.pieces.is_empty()
    }

    /// The place in the original of a place in the plain text.
    pub(super) fn place(&self, start: usize, end: usize) -> (usize, usize) {
        let first = self.pieces[..self.pieces.partition_point(|piece| piece.plain.0 <= start)].last();
        let start = match first {
            Some(piece) if piece.plain.1 > start => piece.text.0,
            Some(piece) => piece.text.1 + (start - piece.plain.1),
            None => start,
        };
        let last = self.pieces[..self.pieces.partition_point(|piece| piece.plain.0 < end)].last();
        let end = match last {
            Some(piece) => piece.text.1 + end.saturating_sub(piece.plain.1),
            None => end,
        };
        (start, end)
    }

    /// What of the original is nothing in the plain text.
    fn dropped(&self) -> impl Iterator<Item = &Piece> {
        self.pieces.iter().filter(|piece| piece.plain.0 == piece.plain.1)
    }

    /// Something of the original stands inside of that place and is nothing in the plain text.
    pub(super) fn is_joined(&self, start: usize, end: usize) -> bool {
        let first = self.pieces.partition_point(|piece| piece.plain.0 <= start);
        self.pieces[first..].iter().take_while(|piece| piece.plain.0 < end).any(|piece| piece.plain.0 == piece.plain.1)
    }

    /// A mask of the plain text with the pieces of the original that it leaves as they are; none if it has another length.
    fn rewritten(&self, text: &str, masked: &str) -> Option<String> {
        if masked.len() != self.text.len() {
            return None;
        }
        let mut written = String::with_capacity(text.len());
        let mut copied = 0;
        for piece in &self.pieces {
            let (start, end) = piece.plain;
            let kept = masked.get(start..end)? == &self.text[start..end];
            written.push_str(masked.get(copied..start)?);
            written.push_str(if kept { &text[piece.text.0..piece.text.1] } else { masked.get(start..end)? });
            copied = end;
        }
        written.push_str(masked.get(copied..)?);
        Some(written)
    }

    /// Where words begin in the original whose first letter was read as part of an escape, as in `C:\nora`.
    pub(super) fn words_in_escapes(&self, text: &str) -> impl Iterator<Item = usize> {
        let bytes = text.as_bytes();
        let letters = self.pieces.iter().map(|piece| piece.text.1 - 1);
        letters.filter(|at| bytes[*at].is_ascii_lowercase() && bytes[at - 1] == b'\\')
    }

    /// As [`Plain::place`], the other way round and without the pieces that the ends stand in.
    pub(super) fn place_seen(&self, start: usize, end: usize) -> (usize, usize) {
        let behind = |at: usize, pieces: usize| match self.pieces[..pieces].last() {
            Some(piece) => piece.plain.1 + at.saturating_sub(piece.text.1),
            None => at,
        };
        (
            behind(start, self.pieces.partition_point(|piece| piece.text.0 <= start)),
            behind(end, self.pieces.partition_point(|piece| piece.text.0 < end)),
        )
    }
}

/// What is read in a place that is taken: the end of a word, and of what a name of several words may go on behind.
const TAKEN: &str = "|";

fn taken_at(taken: Option<&[(usize, usize)]>, at: usize) -> Option<(usize, String)> {
    let taken = taken?;
    let (start, end) = *taken.get(taken.partition_point(|(start, _)| *start < at))?;
    (start == at && end > at).then(|| (end - at, TAKEN.to_owned()))
}

/// Longest tag.
const TAG_MAX: usize = 256;

/// The length of a tag of HTML that begins a text.
pub(super) fn tag(text: &str) -> Option<usize> {
    let name = text.strip_prefix('<')?;
    let name = name.strip_prefix('/').unwrap_or(name);
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let end = text.bytes().skip(1).take(TAG_MAX).position(|byte| matches!(byte, b'<' | b'>'))? + 1;
    (text.as_bytes()[end] == b'>').then_some(end + 1)
}

/// The length of a tag of HTML that ends a text.
pub(super) fn tag_before(text: &str) -> Option<usize> {
    if !text.ends_with('>') {
        return None;
    }
    let last = text.bytes().rev().take(TAG_MAX).position(|byte| byte == b'<')? + 1;
    tag(&text[text.len() - last..]).filter(|len| *len == last)
}

/// What the colors of terminals begin with.
const ESCAPE: char = '\u{1b}';

/// The length of what stands behind an escape character and tells a terminal how to go on: `[1;31m`.
fn color(text: &str) -> usize {
    let Some(rest) = text.strip_prefix('[') else { return 0 };
    let parameters = rest.bytes().take_while(|byte| matches!(byte, 0x20..=0x3f)).count();
    match rest.as_bytes().get(parameters) {
        Some(0x40..=0x7e) => 1 + parameters + 1,
        _ => 0,
    }
}

/// The length of all colors with which a text begins.
fn colors(text: &str) -> usize {
    let mut len = 0;
    loop {
        let rest = &text[len..];
        match rest.as_bytes().first() {
            Some(0x1b) => len += 1 + color(&rest[1..]),
            Some(b'\\') => match backslash(rest) {
                Ok((more, seen)) if seen.starts_with(ESCAPE) => len += more,
                _ => return len,
            },
            _ => return len,
        }
    }
}

/// What stands there is inside of a word.
fn inside(text: &str, at: usize, len: usize) -> bool {
    let joins = |c: char| c.is_alphanumeric() || matches!(c, '\'' | '’');
    text[..at].ends_with(joins) && text[at + len..].starts_with(joins)
}

/// Tags that change how a part of a word looks.
const INLINE: &[&str] =
    &["b", "i", "u", "s", "em", "strong", "span", "font", "mark", "wbr", "small", "big", "ins", "del", "tt"];

/// All such tags, one after the other, inside of a word.
fn tags(text: &str, at: usize) -> Seen {
    let inline = |tag: &str| {
        let name = tag[1..].trim_start_matches('/');
        let name = &name[..name.bytes().take_while(u8::is_ascii_alphabetic).count()];
        INLINE.iter().any(|known| name.eq_ignore_ascii_case(known))
    };
    // Behind another tag they were looked at with it.
    if text[..at].ends_with('>') {
        return None;
    }
    let mut len = 0;
    while let Some(more) = tag(&text[at + len..]).filter(|more| inline(&text[at + len..at + len + more])) {
        len += more;
    }
    (len > 0 && inside(text, at, len)).then(|| (len, String::new()))
}

/// Bytes as programs write what is not ASCII, behind the first backslash: `xc3\xa9`, `303\251`; how long that is, and the
/// character. Octal ones only if they are UTF-8: three digits are more often a number.
fn bytes(text: &str) -> Option<(usize, char)> {
    let one = |text: &str| {
        let (digits, base, len) = match text.strip_prefix('x') {
            Some(digits) => (digits.get(..2)?, 16, 3),
            None => (text.get(..3)?, 8, 3),
        };
        u8::from_str_radix(digits, base)
            .ok()
            .filter(|_| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .map(|byte| (byte, len))
    };
    let (first, mut len) = one(text)?;
    let mut found = [first, 0, 0, 0];
    let count = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    for place in &mut found[1..count] {
        let tail = text[len..].trim_start_matches('\\');
        let more = one(tail).filter(|_| tail.len() < text.len() - len);
        let Some((byte, more)) = more else { break };
        *place = byte;
        len = text.len() - tail.len() + more;
    }
    match std::str::from_utf8(&found[..count]).ok().and_then(|one| one.chars().next()) {
        Some(c) if count > 1 || text.starts_with('x') || c == ESCAPE && color(&text[len..]) > 0 => Some((len, c)),
        // Latin-1.
        _ if text.starts_with('x') => Some((3, char::from(first))),
        _ => None,
    }
}

/// Backslashes that one escape has at most: documents inside of documents double them.
const BACKSLASHES_MAX: usize = 64;

/// `\n`, `\"`, `\u00fc`, `\xc3\xbc`, `\e[1m`, with as many backslashes as documents inside of documents have; else how many there are.
fn backslash(text: &str) -> Result<(usize, String), usize> {
    let count = text.bytes().take_while(|byte| *byte == b'\\').count();
    let rest = &text[count..];
    let unit = |text: &str| {
        let digits = text.get(..4).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        u16::from_str_radix(digits, 16).ok()
    };
    let (len, c) = match rest.bytes().next().filter(|_| count <= BACKSLASHES_MAX).ok_or(count)? {
        b'n' => (1, '\n'),
        b'r' => (1, '\r'),
        b't' => (1, '\t'),
        b'b' | b'f' => (1, ' '),
        quote @ (b'"' | b'/' | b'\'') => (1, char::from(quote)),
        b'e' if color(&rest[1..]) > 0 => (1, ESCAPE),
        b'x' | b'0'..=b'3' => bytes(rest).ok_or(count)?,
        b'u' => {
            let first = unit(&rest[1..]).ok_or(count)?;
            // A character beyond the first plane takes two of them; half of one is none.
            let tail = rest[5..].trim_start_matches('\\');
            let second = tail.strip_prefix('u').filter(|_| tail.len() < rest.len() - 5).and_then(unit);
            let mut units = char::decode_utf16([Some(first), second].into_iter().flatten());
            let c = units.next().and_then(Result::ok).unwrap_or(char::REPLACEMENT_CHARACTER);
            (if c.len_utf16() == 2 { rest.len() - tail.len() + 5 } else { 5 }, c)
        }
        _ => return Err(count),
    };
    if c == ESCAPE {
        return Ok((count + len + color(&rest[len..]), c.to_string()));
    }
    let seen = if is_invisible(c) { String::new() } else { c.to_string() };
    Ok((count + len, seen))
}

/// Entities and percent- and quoted-printable escapes may begin here: what numbers are written with otherwise.
pub(super) fn may_begin(text: &[u8]) -> bool {
    match *text {
        [b'&', next, ..] => next == b'#' || next.is_ascii_alphabetic(),
        [b'=', b'\n' | b'\r', ..] => true,
        [b'=' | b'%', high, low, ..] => high.is_ascii_hexdigit() && low.is_ascii_hexdigit(),
        _ => false,
    }
}

/// Where the percent-escape at `at` ends: its digits are no digits of a number. None if there is none, and in `'%20…'`, which
/// is rather a pattern of SQL.
pub(super) fn escape_end(text: &str, at: usize) -> Option<usize> {
    let quoted = text[..at].chars().next_back().is_none_or(|c| c.is_whitespace() || matches!(c, '\'' | '"'));
    let (len, _) = escape(text, at, |_| false).filter(|_| !quoted)?;
    Some(at + len)
}

/// Masks what a reader sees in a span; what stands between its letters and digits stays as it is written. None if that is
/// plain.
pub(super) fn masked<E>(span: &str, mask: impl FnOnce(&str) -> Result<String, E>) -> Result<Option<String>, E> {
    let mut plain = Plain::default();
    // The span was found in a text that said so, if it has such escapes.
    if !plain.read_with(span, None, |_| true) {
        return Ok(None);
    }
    let masked = mask(&plain.text)?;
    Ok(Some(match plain.rewritten(span, &masked) {
        Some(written) => written,
        None if span.contains('%') => encoded(&masked),
        None => masked,
    }))
}

/// What a span of a text says: without the escapes of JSON, and where it is an address without entities and with a plain `@`.
pub(super) fn seen(span: &str, escaped: bool, address: bool) -> Cow<'_, str> {
    let mut plain = Plain::default();
    let mut seen = Cow::Borrowed(span);
    if escaped && plain.read_escapes(span, None) {
        seen = std::mem::take(&mut plain.text).into();
    }
    if address && seen.contains('&') && plain.read(&seen, None) {
        seen = plain.text.into();
    }
    if address && let Some(sign) = WIDE_ATS.iter().find(|sign| seen.contains(**sign)) {
        seen = seen.replacen(sign, "@", 1).into();
    }
    seen
}

/// What a name in a text says, and the tags and colors inside of it, which stand behind its mask: what is opened there is
/// closed elsewhere.
pub(super) fn name(span: &str, escaped: bool) -> (Cow<'_, str>, String) {
    let (mut colored, mut tagged) = (Plain::default(), Plain::default());
    let (mut seen, mut marks) = (Cow::Borrowed(span), Vec::new());
    if escaped && colored.read_escapes(span, Some(&[])) {
        let dropped = colored.dropped().map(|piece| piece.text);
        marks.extend(dropped.filter(|(start, _)| colors(&span[*start..]) > 0));
        seen = colored.text.clone().into();
    }
    if seen.contains('<') && tagged.read(&seen, Some(&[])) {
        let tags = tagged.dropped().map(|piece| piece.text).filter(|(start, _)| seen[*start..].starts_with('<'));
        marks.extend(tags.map(|(start, end)| colored.place(start, end)));
        seen = tagged.text.into();
    }
    marks.sort_unstable();
    (seen, marks.into_iter().map(|(start, end)| &span[start..end]).collect())
}

/// A mask that stands in a text with escapes of JSON: nothing in it needs one.
pub(super) fn unquoted(mask: &str) -> Cow<'_, str> {
    if !mask.contains(needs_escape) {
        return mask.into();
    }
    let safe = |c| match c {
        '"' => '\'',
        '\\' => '/',
        c if needs_escape(c) => ' ',
        c => c,
    };
    mask.chars().map(safe).collect::<String>().into()
}

fn needs_escape(c: char) -> bool {
    matches!(c, '"' | '\\' | '\0'..='\x1f')
}

/// What a piece is long, and what a reader sees in its place.
type Seen = Option<(usize, String)>;

/// `&uuml;`, `&#39;`. Accents do not matter to names, so a letter stands for all its forms.
fn entity(text: &str) -> Seen {
    const MARKS: &[&str] = &[
        "acute", "grave", "circ", "uml", "tilde", "ring", "cedil", "slash", "caron", "strok", "dot", "ogon", "macr",
        "breve", "dblac",
    ];
    const NAMES: &[(&str, &str)] = &[
        ("apos", "'"),
        ("rsquo", "'"),
        ("lsquo", "'"),
        ("nbsp", " "),
        ("ensp", " "),
        ("emsp", " "),
        ("thinsp", " "),
        ("Tab", " "),
        ("NewLine", " "),
        ("shy", ""),
        ("zwj", ""),
        ("zwnj", ""),
        ("hyphen", "-"),
        ("dash", "-"),
        ("plus", "+"),
        ("lpar", "("),
        ("rpar", ")"),
        ("sol", "/"),
        ("colon", ":"),
        ("commat", "@"),
        ("period", "."),
        ("ndash", "-"),
        ("szlig", "ss"),
        ("aelig", "ae"),
        ("AElig", "AE"),
        ("oelig", "oe"),
        ("OElig", "OE"),
        ("eth", "d"),
        ("ETH", "D"),
        ("thorn", "th"),
        ("THORN", "TH"),
    ];
    let end = text.bytes().take(ENTITY_MAX).position(|byte| byte == b';')?;
    let name = &text[1..end];
    let seen = if let Some(number) = name.strip_prefix('#') {
        let hex = number.strip_prefix(['x', 'X']);
        let code = hex.map_or_else(|| number.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok())?;
        let c = char::from_u32(code)?;
        if is_invisible(c) { String::new() } else { c.to_string() }
    } else if let Some((_, seen)) = NAMES.iter().find(|(known, _)| *known == name) {
        (*seen).to_owned()
    } else {
        let letter = name.chars().next().filter(char::is_ascii_alphabetic)?;
        MARKS.contains(&&name[1..]).then(|| letter.to_string())?
    };
    Some((end + 1, seen))
}

/// `=C3=BC`, `%C3%BC`, `%FC`, `%27`: letters beyond ASCII and what stands inside of names and numbers; `=` at the end of a
/// line.
fn escape(text: &str, at: usize, printable: impl Fn(usize) -> bool) -> Seen {
    let (len, seen) = escaped(&text[at..])?;
    let before_digit = text[at + len..].starts_with(|c: char| c.is_ascii_digit());
    // Elsewhere than in mail it rather begins a value: `tel=2012345678`, `iban=DE12…`.
    let field = text.as_bytes()[at] == b'=' && len == 3 && before_digit && !printable(at);
    // In base64 as well a plus is `%2B`.
    let joined = seen == "+" && before_digit && is_joined_on(&text[..at]);
    (!field && !joined).then_some((len, seen))
}

/// A letter, a digit or another plus stands directly before an escape: `abc%2B49`, `C%2B%2B`.
fn is_joined_on(before: &str) -> bool {
    let end = before.len();
    let escape = [3, 5].iter().find_map(|len| {
        let code = before.get(end.checked_sub(*len)?..)?.strip_prefix('%')?;
        let code = if *len == 5 { code.strip_prefix("25")? } else { code };
        code.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(code)
    });
    escape.map_or(before.ends_with(char::is_alphanumeric), |code| code.eq_ignore_ascii_case("2B"))
}

fn escaped(text: &str) -> Seen {
    let sign = text.as_bytes()[0];
    if sign == b'=' {
        for end in SOFT_BREAKS {
            if text.starts_with(end) {
                return Some((end.len(), String::new()));
            }
        }
    }
    if let Some(twice) = text.strip_prefix("%25") {
        // A URL inside of another one.
        let code = twice.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let seen = code.map(char::from).filter(|c| is_joint(*c, sign))?;
        return Some(("%25".len() + 2, seen.to_string()));
    }
    let mut bytes = Vec::new();
    // No letter takes more than four bytes.
    for group in text.as_bytes().chunks_exact(3).take(4) {
        let digit = |byte: u8| char::from(byte).to_digit(16);
        match (group[0] == sign, digit(group[1]), digit(group[2])) {
            (true, Some(high), Some(low)) => bytes.push((high * 16 + low) as u8),
            _ => break,
        }
        match std::str::from_utf8(&bytes) {
            Ok(seen) => {
                let c = seen.chars().next()?;
                let counts = !c.is_ascii() || is_joint(c, sign);
                let seen = if is_invisible(c) { String::new() } else { seen.to_owned() };
                return counts.then_some((bytes.len() * 3, seen));
            }
            Err(error) if error.error_len().is_some() => break,
            Err(_) => {}
        }
    }
    // No UTF-8: Latin-1, as older programs write it.
    let first = bytes.first().map(|byte| char::from(*byte)).filter(|c| !c.is_ascii() && c.is_alphabetic())?;
    Some((3, first.to_string()))
}

/// What stands inside of names and numbers; in `=` escapes only what mail programs escape.
fn is_joint(c: char, sign: u8) -> bool {
    matches!(c, '\'' | ' ' | '-' | '.')
        || sign == b'%' && matches!(c, '+' | '(' | ')' | '/' | ':' | ',' | ';' | '#' | '_')
}

/// How far before a `+` the `%2B` may stand that tells what it is.
const PLUS_BYTES: usize = 32;

/// A blank in the field of a form: there, a plus is `%2B`, and what follows a number is rather a blank than a plus.
fn plus(text: &str, at: usize) -> Seen {
    let from = text.floor_char_boundary(at.saturating_sub(PLUS_BYTES));
    let ends = |c: char| c.is_whitespace() || matches!(c, '&' | '"' | '\'' | '<' | '>' | ';' | ',' | '|');
    let field = text[from..at].rsplit(ends).next().unwrap_or_default();
    let inside = field.ends_with(|c: char| c.is_alphanumeric() || matches!(c, ')' | '+' | '-' | '.'));
    let start = at - field.len();
    let signs = || field.match_indices("%2B").chain(field.match_indices("%2b"));
    let told = inside && signs().any(|(sign, _)| !is_joined_on(&text[..start + sign]));
    told.then(|| (1, " ".to_owned()))
}

/// A hyphen and the end of a line inside a word.
fn broken(text: &str, at: usize) -> Seen {
    let rest = &text[at + 1..];
    let line = rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n'))?;
    let next = line.trim_start_matches([' ', '\t']);
    let inside = text[..at].ends_with(char::is_alphabetic) && next.starts_with(char::is_alphabetic);
    inside.then(|| (text.len() - at - next.len(), String::new()))
}

/// An invisible character, or a letter in another form.
fn character(text: &str) -> Seen {
    let c = text.chars().next()?;
    if is_invisible(c) {
        return Some((c.len_utf8(), String::new()));
    }
    let other = matches!(c, '\u{ff01}'..='\u{ff5e}' | '\u{fb00}'..='\u{fb06}');
    other.then(|| (c.len_utf8(), std::iter::once(c).nfkc().collect()))
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_seen_and_found_again() {
        for (text, seen) in [
            ("M&uuml;ller", "Muller"),
            ("O&#39;Brien &#x4f;", "O'Brien O"),
            ("M=C3=BCller, M%FCller, M=\r\n=FCller", "Müller, Müller, Müller"),
            ("bob%20smith%2Ax 100%", "bob smith%2Ax 100%"),
            ("%2B1+%28212%29%20867%2d5309, 1+1", "+1 (212) 867-5309, 1+1"),
            ("%252B49%2520151&#8209;1=\n2", "+49 151\u{2011}12"),
            ("49=20151=20a=2012, 078=C2=A005", "49=20151 a=2012, 078\u{a0}05"),
            ("x=\n49=20151=2D12", "x49 151-12"),
            ("=?utf-8?q?49=20151?=", "=?utf-8?q?49 151?="),
            ("a%2B49 =%2B49 %20%2b49 C%2B%2B49 %2Fa%252B49", "a%2B49 =+49  +49 C+%2B49 /a%252B49"),
            ("%2B49+-+151.+12", "+49 - 151. 12"),
            ("x%2By+49, %2B49+1;+49+1 %2B49\">+1 +1|%2B1", "x+y+49, +49 1;+49+1 +49\">+1 +1|+1"),
            ("Sea-\n  n and Sea-\r\nn", "Sean and Sean"),
            ("Qui\u{ad}rr\u{200b}ell", "Quirrell"),
            ("Ｑｕｉｒｒｅｌｌ", "Quirrell"),
        ] {
            let mut plain = Plain::default();
            assert!(plain.read(text, None), "{text}");
            assert_eq!(plain.text, seen);
            assert_eq!(plain.place(0, seen.len()), (0, text.len()), "{text}");
        }
        let mut plain = Plain::default();
        assert!(plain.read("a M&uuml;l\u{ad}ler b", None));
        assert_eq!(plain.place(2, 8), (2, 15));
    }

    #[test]
    fn escapes_are_seen_and_found_again() {
        for (text, seen) in [
            (r#"\n\r\t\b\f\"\/\'"#, "\n\r\t  \"/'"),
            (r"\\n\\\\\u00fc", "\nü"),
            (r"\ud83d\ude00 \\ud83d\\ude00", "😀 😀"),
            (r"\udc00\ud83d\u0041\ud83d", "\u{fffd}\u{fffd}A\u{fffd}"),
            (r"\xc3\xA9\\xe2\\x82\\xac\303\251\xe9\x41", "é€ééA"),
            ("\u{1b}[1;31m\u{1b}[0m\u{1b}", " "),
            (r"\e[1m\033[0;31m\x1b[0m\u001b[K", " "),
            (r"\u00ad\u200bx", "x"),
        ] {
            let mut plain = Plain::default();
            assert!(plain.read_escapes(text, None), "{text}");
            assert_eq!(plain.text, seen);
            let start = if seen == "x" { 12 } else { 0 };
            assert_eq!(plain.place(0, seen.len()), (start, text.len()), "{text}");
        }
        let mut plain = Plain::default();
        assert!(plain.read_escapes(r"a\nbc\td", None));
        assert_eq!((plain.place(2, 4), plain.place_seen(3, 5), plain.place_seen(2, 6)), ((3, 5), (2, 4), (2, 5)));
        assert_eq!(plain.words_in_escapes(r"a\nbc\td").collect::<Vec<_>>(), [2, 6]);
        for text in ["", "a", r"\", r"\\", r"\d\k\xg0\U0001\040\101\303\033-45\e", r"\u12", r"\u00g0", r"\ud8"] {
            assert!(!Plain::default().read_escapes(text, None), "{text}");
        }
    }

    #[test]
    fn colors_and_tags_inside_of_words_are_nothing() {
        for (text, blank, joined) in [
            ("Ka\u{1b}[0m\u{1b}[Kri \u{1b}[1mna", "Ka ri  na", "Kari  na"),
            (r"Ka\e[0m\x1b[Kri\e[0m, na", "Ka ri , na", "Kari , na"),
        ] {
            let mut plain = Plain::default();
            assert!(plain.read_escapes(text, None) && plain.colored, "{text}");
            assert_eq!(plain.text, blank);
            assert!(plain.read_escapes(text, Some(&[])));
            assert_eq!(plain.text, joined);
            assert!(plain.is_joined(0, 4) && !plain.is_joined(0, 2) && !plain.is_joined(2, 4), "{text}");
        }
        let mut plain = Plain::default();
        assert!(plain.read_escapes("\u{1b}[1mKa\u{1b}[0m ri", None) && !plain.colored);
        let text = "a <b>Ka</b><span class=\"x\">ri</span>na</td><td>b<wbr>@x";
        assert!(plain.read(text, Some(&[])));
        assert_eq!(plain.text, "a <b>Karina</td><td>b<wbr>@x");
        assert!(!plain.read(text, None));
        for text in ["a <b>b</b> c", "a</td><td>b", "a</b></td>b", "a <b", "a<bc>d", "1<2>3"] {
            assert!(!plain.read(text, Some(&[])), "{text}");
        }
        assert_eq!(name("Ka</b><i>ri</i>na", false), ("Karina".into(), "</b><i></i>".to_owned()));
        assert_eq!(name(r"Ka\e[0mri<\/b>n\u00ada", true), ("Karina".into(), r"\e[0m<\/b>".to_owned()));
        assert_eq!(name("M&uuml;ller", false), ("M&uuml;ller".into(), String::new()));
    }

    #[test]
    fn plain_texts_are_not_copied() {
        for text in ["", "AT&T; a=b, 5 % - x-\n 7", "a&b;c&;&#;&#x;&#99999999;", "a=3D1 %2A%zz", "é ü – “x”", "&&&&&&"]
        {
            assert!(!Plain::default().read(text, Some(&[])), "{text}");
        }
    }
}
