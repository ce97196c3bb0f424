//! One pass over the text of a JSON document that copies what stays and replaces what is masked.
//!
//! No tree and no number type: untouched spans keep their bytes (spelling of numbers, key order, white space, duplicate
//! keys). The grammar of RFC 8259 is checked on the way, because two readers that disagree about a document would also
//! disagree about what is masked.

use super::path::{self, Action, Automaton, Keys, State, Types, sealed};
use crate::mask::key::DomainKey;
use std::collections::HashSet;
use std::fmt::Write;

/// Nesting that is still followed. PostgreSQL itself stops near 6 000 levels with its default stack; the stack here is
/// 12 bytes a level on the heap, and the bound keeps a hostile text column from growing it.
pub(super) const DEPTH_MAX: usize = 10_000;

/// How often a mask is applied again until a number leaf is a JSON number again; a digit permutation that gives a
/// leading zero does so one time in ten.
const WALK_MAX: usize = 64;

/// The masks of the leaves, by the index in [`Action::Mask`].
pub(super) trait Masks {
    type Error;
    /// Appends the mask of a string, or nothing and escapes and adds it there later.
    fn string(&mut self, mask: u16, value: &str, out: &mut String) -> Result<(), Self::Error>;
    /// The error of a value at a path that nobody has reviewed.
    fn unknown(&self) -> Self::Error;
    /// Appends the mask of a text.
    fn text(&mut self, mask: u16, value: &str, out: &mut String) -> Result<(), Self::Error>;
    /// Returns the mask of an integer; none if the mask does not take numbers.
    fn integer(&mut self, mask: u16, value: i64) -> Result<Option<i64>, Self::Error>;
    /// Returns the mask of a boolean; none if the mask does not take booleans.
    fn boolean(&mut self, mask: u16, value: bool) -> Result<Option<bool>, Self::Error>;
    /// Whether a key may be the name of the row's person, however short it is.
    fn finds_names(&self) -> bool {
        false
    }
    /// Whether a key is the name of the row's person.
    fn names(&mut self, _key: &str) -> bool {
        false
    }
}

/// Keys that are remembered as names of fields: documents of one column have the same few.
const NAMES_MAX: usize = 1024;

/// Buffers that live as long as a batch, so that no value allocates.
#[derive(Default)]
pub(super) struct Scratch {
    stack: Vec<Frame>,
    plain: String,
    spare: String,
    /// Keys that were looked at and are no personal data.
    names: HashSet<Box<str>, foldhash::fast::RandomState>,
    /// Some key became a hash.
    pub hid: bool,
}

impl Scratch {
    /// Whether the key in `plain` is personal data. Reading it takes longer than everything else that is done for a key.
    fn is_personal(&mut self, here: &State) -> bool {
        let key = self.plain.as_str();
        if path::is_plain(key) || self.names.contains(key) {
            return false;
        }
        let personal = path::personal(key).is_some();
        if !personal && self.names.len() < NAMES_MAX {
            self.names.insert(key.into());
        }
        // Whoever wrote a key down says that it is no token.
        personal && (!here.says(key) || path::personal_by_name(key).is_some())
    }
}

#[derive(Clone, Copy)]
struct Frame {
    state: u32,
    index: u32,
    object: bool,
}

enum Stop<E> {
    Malformed,
    Leaf(E),
}

impl<E> From<E> for Stop<E> {
    fn from(error: E) -> Self {
        Stop::Leaf(error)
    }
}

/// Appends the masked form of `text` to `out`. Returns false, and appends nothing, if `text` is not a JSON document.
pub(super) fn rewrite<L: Masks>(
    automaton: &Automaton,
    text: &str,
    masks: &mut L,
    scratch: &mut Scratch,
    out: &mut String,
) -> Result<bool, L::Error> {
    let before = out.len();
    scratch.stack.clear();
    let (states, seal) = (&automaton.states[..], automaton.seal.as_ref());
    let mut splicer = Splicer { states, seal, text, at: 0, copied: 0, masks, scratch, out };
    match splicer.document() {
        Ok(()) => {
            let copied = splicer.copied;
            out.push_str(&text[copied..]);
            Ok(true)
        }
        Err(Stop::Malformed) => {
            out.truncate(before);
            Ok(false)
        }
        Err(Stop::Leaf(error)) => Err(error),
    }
}

struct Splicer<'a, L> {
    states: &'a [State],
    seal: Option<&'a DomainKey>,
    text: &'a str,
    at: usize,
    /// Everything before this offset is in `out` already.
    copied: usize,
    masks: &'a mut L,
    scratch: &'a mut Scratch,
    out: &'a mut String,
}

impl<L: Masks> Splicer<'_, L> {
    /// The byte at the cursor; 0, which no token starts with, at the end.
    #[inline]
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    fn blanks(&mut self) -> u8 {
        loop {
            let byte = self.peek();
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return byte;
            }
            self.at += 1;
        }
    }

    fn document(&mut self) -> Result<(), Stop<L::Error>> {
        let mut state = 0;
        loop {
            match self.blanks() {
                b'{' => {
                    self.at += 1;
                    if self.blanks() == b'}' {
                        self.at += 1;
                    } else {
                        self.push(Frame { state, index: 0, object: true })?;
                        state = self.key(state)?;
                        continue;
                    }
                }
                b'[' => {
                    self.at += 1;
                    if self.blanks() == b']' {
                        self.at += 1;
                    } else {
                        self.push(Frame { state, index: 0, object: false })?;
                        state = self.states[state as usize].element(0);
                        continue;
                    }
                }
                b'"' => self.string(state)?,
                b'-' | b'0'..=b'9' => self.number(state)?,
                b't' => self.literal(state, "true")?,
                b'f' => self.literal(state, "false")?,
                b'n' => self.literal(state, "null")?,
                _ => return Err(Stop::Malformed),
            }
            match self.next_value()? {
                Some(next) => state = next,
                None => {
                    return if self.blanks() == 0 && self.at == self.text.len() {
                        Ok(())
                    } else {
                        Err(Stop::Malformed)
                    };
                }
            }
        }
    }

    /// Goes on to the next value after one has ended; none when the outermost one has.
    #[inline]
    fn next_value(&mut self) -> Result<Option<u32>, Stop<L::Error>> {
        while let Some(frame) = self.scratch.stack.last().copied() {
            match (self.blanks(), frame.object) {
                (b',', true) => {
                    self.at += 1;
                    self.blanks();
                    return self.key(frame.state).map(Some);
                }
                (b',', false) => {
                    self.at += 1;
                    let index = frame.index.saturating_add(1);
                    if let Some(top) = self.scratch.stack.last_mut() {
                        top.index = index;
                    }
                    return Ok(Some(self.states[frame.state as usize].element(index)));
                }
                (b'}', true) | (b']', false) => {
                    self.at += 1;
                    self.scratch.stack.pop();
                }
                _ => return Err(Stop::Malformed),
            }
        }
        Ok(None)
    }

    fn push(&mut self, frame: Frame) -> Result<(), Stop<L::Error>> {
        if self.scratch.stack.len() == DEPTH_MAX {
            return Err(Stop::Malformed);
        }
        self.scratch.stack.push(frame);
        Ok(())
    }

    /// Reads a key and its colon; returns the state of the member.
    #[inline]
    fn key(&mut self, state: u32) -> Result<u32, Stop<L::Error>> {
        if self.peek() != b'"' {
            return Err(Stop::Malformed);
        }
        let start = self.at + 1;
        let (end, escaped) = string_end(self.text.as_bytes(), start).ok_or(Stop::Malformed)?;
        self.at = end + 1;
        if self.blanks() != b':' {
            return Err(Stop::Malformed);
        }
        self.at += 1;
        let here = &self.states[state as usize];
        if let Keys::Mask(mask) = here.own_keys {
            self.replace_string(mask, start, end, escaped)?;
        }
        let raw = &self.text[start..end];
        let read = || escaped || self.masks.finds_names() || !path::is_plain(raw);
        let hides = self.seal.filter(|_| here.own_keys == Keys::Names && read());
        if hides.is_none() && (here.blind() || !(escaped || here.sealed())) {
            return Ok(here.member(raw.as_bytes()));
        }
        self.scratch.plain.clear();
        unescape(raw, &mut self.scratch.plain);
        let member = here.member_sealed(&self.scratch.plain, self.seal);
        if member.personal == Some(Action::Refuse) {
            return Err(Stop::Leaf(self.masks.unknown()));
        }
        let named = |masks: &mut L, key: &str| !path::is_sealed(key) && masks.names(key);
        if let Some(seal) = hides.filter(|_| self.scratch.is_personal(here) || named(self.masks, &self.scratch.plain)) {
            let name = sealed(seal, &self.scratch.plain);
            self.replace(start, end, &name);
            self.scratch.hid = true;
        }
        Ok(member.state)
    }

    #[inline]
    fn string(&mut self, state: u32) -> Result<(), Stop<L::Error>> {
        let start = self.at + 1;
        let (end, escaped) = string_end(self.text.as_bytes(), start).ok_or(Stop::Malformed)?;
        self.at = end + 1;
        match self.states[state as usize].action(Types::STRING) {
            Action::Keep => Ok(()),
            Action::Null => {
                self.replace(start - 1, end + 1, "null");
                Ok(())
            }
            Action::Mask(mask) => self.replace_string(mask, start, end, escaped),
            Action::Refuse => Err(Stop::Leaf(self.masks.unknown())),
        }
    }

    /// Replaces the content of the string that lies in `start..end`, between its quotes.
    fn replace_string(&mut self, mask: u16, start: usize, end: usize, escaped: bool) -> Result<(), Stop<L::Error>> {
        let raw = &self.text[start..end];
        self.out.push_str(&self.text[self.copied..start]);
        self.copied = end;
        let from = self.out.len();
        if escaped {
            self.scratch.plain.clear();
            unescape(raw, &mut self.scratch.plain);
            self.masks.string(mask, &self.scratch.plain, self.out)?;
        } else {
            self.masks.string(mask, raw, self.out)?;
        }
        if needs_escape(&self.out[from..]) {
            self.scratch.spare.clear();
            self.scratch.spare.push_str(&self.out[from..]);
            self.out.truncate(from);
            escape(&self.scratch.spare, self.out);
        }
        Ok(())
    }

    fn number(&mut self, state: u32) -> Result<(), Stop<L::Error>> {
        let start = self.at;
        let end = number_end(self.text.as_bytes(), start).ok_or(Stop::Malformed)?;
        self.at = end;
        match self.states[state as usize].action(Types::NUMBER) {
            Action::Keep => {}
            Action::Null => self.replace(start, end, "null"),
            Action::Mask(mask) => self.mask_number(mask, start, end)?,
            Action::Refuse => return Err(Stop::Leaf(self.masks.unknown())),
        }
        Ok(())
    }

    fn mask_number(&mut self, mask: u16, start: usize, end: usize) -> Result<(), Stop<L::Error>> {
        let number = &self.text[start..end];
        if let Ok(value) = number.parse::<i64>()
            && let Some(masked) = self.masks.integer(mask, value)?
        {
            self.replace(start, end, "");
            write!(self.out, "{masked}").expect("writing to a String does not fail");
            return Ok(());
        }
        self.replace(start, end, "");
        let (value, masked) = (&mut self.scratch.plain, &mut self.scratch.spare);
        value.clear();
        if number.contains(['e', 'E']) {
            // An exponent could carry digits past a mask that keeps letters in place: the mask sees them all, and unless it
            // leaves them as they are, such a number is dropped.
            masked.clear();
            if push_plain(number, value) {
                self.masks.text(mask, value, masked)?;
            }
            if !value.is_empty() && value == masked {
                self.out.push_str(number);
                return Ok(());
            }
        } else {
            value.push_str(number);
            for _ in 0..WALK_MAX {
                masked.clear();
                self.masks.text(mask, value, masked)?;
                if !masked.is_empty() && number_end(masked.as_bytes(), 0) == Some(masked.len()) {
                    self.out.push_str(masked);
                    return Ok(());
                }
                if masked.is_empty() || !masked.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-')) {
                    break;
                }
                std::mem::swap(value, masked);
            }
        }
        self.out.push_str("null");
        Ok(())
    }

    /// `null` is null. One bit tells as much as a diagnosis, so a mask that has no word for `true` and `false` drops them.
    fn literal(&mut self, state: u32, word: &str) -> Result<(), Stop<L::Error>> {
        let end = self.at + word.len();
        if self.text.as_bytes().get(self.at..end) != Some(word.as_bytes()) {
            return Err(Stop::Malformed);
        }
        let scalar = if word == "null" { Types::NULL } else { Types::BOOLEAN };
        match self.states[state as usize].action(scalar) {
            Action::Null if word != "null" => self.replace(self.at, end, "null"),
            Action::Mask(mask) if word != "null" => {
                let masked = match self.masks.boolean(mask, word == "true")? {
                    Some(true) => "true",
                    Some(false) => "false",
                    None => "null",
                };
                self.replace(self.at, end, masked);
            }
            // A key without a value tells as much as one with.
            Action::Refuse => return Err(Stop::Leaf(self.masks.unknown())),
            _ => {}
        }
        self.at = end;
        Ok(())
    }

    /// Copies what lies before `start` and puts `with` in place of `start..end`.
    fn replace(&mut self, start: usize, end: usize, with: &str) {
        self.out.push_str(&self.text[self.copied..start]);
        self.out.push_str(with);
        self.copied = end;
    }
}

const ONES: u64 = u64::MAX / 255;

/// Marks the high bit of the first quote, backslash or control byte of eight; higher marks may be wrong.
#[inline]
fn marks(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let slash = word ^ (ONES * b'\\' as u64);
    let below = word.wrapping_sub(ONES * 0x20) & !word;
    let quote = quote.wrapping_sub(ONES) & !quote;
    let slash = slash.wrapping_sub(ONES) & !slash;
    (quote | slash | below) & (ONES * 0x80)
}

/// Returns the offset of the closing quote of a string whose content begins at `at`, and whether it holds an escape.
#[inline]
fn string_end(bytes: &[u8], mut at: usize) -> Option<(usize, bool)> {
    let mut escaped = false;
    loop {
        while let Some(chunk) = bytes.get(at..at + 8) {
            let found = marks(u64::from_le_bytes(chunk.try_into().expect("the slice has 8 bytes")));
            if found != 0 {
                at += found.trailing_zeros() as usize / 8;
                break;
            }
            at += 8;
        }
        match *bytes.get(at)? {
            b'"' => return Some((at, escaped)),
            b'\\' => {
                escaped = true;
                at += match *bytes.get(at + 1)? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
                    b'u' if bytes.get(at + 2..at + 6)?.iter().all(u8::is_ascii_hexdigit) => 6,
                    _ => return None,
                };
            }
            0..=0x1f => return None,
            _ => at += 1,
        }
    }
}

/// Returns the end of the JSON number at `at`; none if there is none.
fn number_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    let digits = |mut at: usize| {
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    at += usize::from(bytes.get(at) == Some(&b'-'));
    match bytes.get(at)? {
        b'0' => at += 1,
        b'1'..=b'9' => at = digits(at),
        _ => return None,
    }
    if bytes.get(at) == Some(&b'.') {
        let end = digits(at + 1);
        if end == at + 1 {
            return None;
        }
        at = end;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let from = at + 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        at = digits(from);
        if at == from {
            return None;
        }
    }
    Some(at)
}

/// Most digits of a number with an exponent that is read.
const PLAIN_MAX: usize = 40;

/// Appends a JSON number that has an exponent without it: `2.5e3` is 2500. False, and nothing, if that is too long.
fn push_plain(number: &str, out: &mut String) -> bool {
    let Some((mantissa, exponent)) = number.split_once(['e', 'E']) else { return false };
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let Ok(exponent) = exponent.parse::<i32>() else { return false };
    let digits = whole.len() + fraction.len();
    let size = exponent.unsigned_abs() as usize;
    if digits + size > PLAIN_MAX {
        return false;
    }
    // Digits before the point; none or fewer: zeros behind it.
    let point = whole.len() as i64 + i64::from(exponent);
    out.push_str(sign);
    if point <= 0 {
        out.push_str("0.");
    }
    out.extend((point..0).map(|_| '0'));
    for (place, digit) in whole.chars().chain(fraction.chars()).enumerate() {
        if place > 0 && place as i64 == point {
            out.push('.');
        }
        out.push(digit);
    }
    out.extend((digits as i64..point).map(|_| '0'));
    true
}

/// Appends the content of a JSON string whose escapes [`string_end`] has checked. A surrogate without its other half,
/// which `json` (not `jsonb`) can hold, becomes U+FFFD.
fn unescape(raw: &str, out: &mut String) {
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let (kind, after) = (rest.as_bytes()[at + 1], &rest[at + 2..]);
        rest = after;
        match kind {
            b'b' => out.push('\u{8}'),
            b'f' => out.push('\u{c}'),
            b'n' => out.push('\n'),
            b'r' => out.push('\r'),
            b't' => out.push('\t'),
            b'u' => {
                let unit = hex4(after);
                rest = &after[4..];
                let pair = match rest.strip_prefix("\\u") {
                    Some(low) if (0xd800..0xdc00).contains(&unit) => Some(hex4(low)),
                    _ => None,
                };
                match pair {
                    Some(low) if (0xdc00..0xe000).contains(&low) => {
                        rest = &rest[6..];
                        let point = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                        out.push(char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER));
                    }
                    _ => out.push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER)),
                }
            }
            other => out.push(char::from(other)),
        }
    }
    out.push_str(rest);
}

/// Reads four hexadecimal digits that are known to be there.
fn hex4(text: &str) -> u32 {
    text.bytes().take(4).fold(0, |value, byte| value << 4 | char::from(byte).to_digit(16).unwrap_or(0))
}

#[inline]
fn must_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn needs_escape(text: &str) -> bool {
    text.bytes().any(must_escape)
}

/// Appends `text` as the content of a JSON string.
pub(super) fn push_escaped(text: &str, out: &mut String) {
    if needs_escape(text) { escape(text, out) } else { out.push_str(text) }
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // As PostgreSQL writes them.
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..='\u{1f}' => write!(out, "\\u{:04x}", u32::from(c)).expect("writing to a String does not fail"),
            _ => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::path::Path;
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    /// Mask 0 turns letters to upper case and digits to 9; mask 1 is the identity; mask 2 adds 1 000 to integers and
    /// negates booleans; mask 3 writes characters that need escapes; mask 4 is pattern-like: 1 -> 0 -> 2 -> 1.
    struct Fake;

    impl Masks for Fake {
        type Error = ();
        fn string(&mut self, mask: u16, value: &str, out: &mut String) -> Result<(), ()> {
            self.text(mask, value, out)
        }
        fn text(&mut self, mask: u16, value: &str, out: &mut String) -> Result<(), ()> {
            match mask {
                0 => out.extend(value.chars().map(|c| if c.is_ascii_digit() { '9' } else { c.to_ascii_uppercase() })),
                3 => out.push_str("\"\\\u{0}\n\u{1}é"),
                4 => out.push_str(&value.replace('1', "x").replace('2', "1").replace('0', "2").replace('x', "0")),
                _ => out.push_str(value),
            }
            Ok(())
        }
        fn unknown(&self) {}
        fn integer(&mut self, mask: u16, value: i64) -> Result<Option<i64>, ()> {
            Ok((mask == 2).then(|| value.wrapping_add(1000)))
        }
        fn boolean(&mut self, mask: u16, value: bool) -> Result<Option<bool>, ()> {
            Ok((mask <= 2 && mask > 0).then_some(value ^ (mask == 2)))
        }
    }

    fn automaton(paths: &[(&str, Action)], rest: Action) -> Automaton {
        let rules: Vec<_> = paths.iter().map(|(path, action)| (Path::parse(path).unwrap(), *action)).collect();
        Automaton::build(&rules, &[], rest, None).unwrap()
    }

    fn run(automaton: &Automaton, text: &str) -> Option<String> {
        let mut out = String::from("before ");
        let done = rewrite(automaton, text, &mut Fake, &mut Scratch::default(), &mut out).unwrap();
        assert!(done || out == "before ");
        done.then(|| out["before ".len()..].to_owned())
    }

    #[test]
    fn only_the_named_leaves_change_and_the_rest_keeps_its_bytes() {
        let a = automaton(&[("$.contact.email", Action::Mask(0)), ("$.items[*].id", Action::Mask(2))], Action::Keep);
        let text = "{ \"b\" : 1.50e+02,\t\"a\":null, \"contact\":{\"email\":\"bob@x.com\",\"email\" : \"c\"},\n\"items\":[{\"id\":7,\"n\":-0.0},{\"id\":12}] , \"contact.email\":\"k\"}";
        let want = "{ \"b\" : 1.50e+02,\t\"a\":null, \"contact\":{\"email\":\"BOB@X.COM\",\"email\" : \"C\"},\n\"items\":[{\"id\":1007,\"n\":-0.0},{\"id\":1012}] , \"contact.email\":\"k\"}";
        assert_eq!(run(&a, text).unwrap(), want);
    }

    #[test]
    fn keys_compare_after_unescaping() {
        let a = automaton(&[("$.email", Action::Mask(0)), ("$['a😀']", Action::Mask(0))], Action::Keep);
        assert_eq!(run(&a, r#"{"\u0065mail":"bob"}"#).unwrap(), r#"{"\u0065mail":"BOB"}"#);
        assert_eq!(run(&a, r#"{"a\ud83d\ude00":"bob"}"#).unwrap(), r#"{"a\ud83d\ude00":"BOB"}"#);
        assert_eq!(run(&a, r#"{"a\ud83d":"bob"}"#).unwrap(), r#"{"a\ud83d":"bob"}"#);
    }

    #[test]
    fn leaves_are_unescaped_before_and_escaped_after() {
        let a = automaton(&[("$[0]", Action::Mask(0)), ("$[1]", Action::Mask(3))], Action::Keep);
        assert_eq!(
            run(&a, r#"["a\"\\\/\u00e9\n\u0000","x"]"#).unwrap(),
            "[\"A\\\"\\\\/é\\n\\u0000\",\"\\\"\\\\\\u0000\\n\\u0001é\"]"
        );
    }

    #[test]
    fn numbers_under_a_text_mask_stay_numbers_or_become_null() {
        let pattern = automaton(&[], Action::Mask(4));
        // 120 becomes 012, which is no JSON number, and is walked on to 201.
        assert_eq!(
            run(&pattern, "[120, 12.5, -3, 9223372036854775808]").unwrap(),
            "[201, 20.5, -3, 9113371236854775828]"
        );
        assert_eq!(run(&pattern, "[1e5, 1.5E-3]").unwrap(), "[null, null]");
        // With all its digits, a number with an exponent stays if the mask leaves it.
        let same = automaton(&[], Action::Mask(1));
        assert_eq!(run(&same, "[1, 2.0e5, 1e3, -4E-2]").unwrap(), "[1, 2.0e5, 1e3, -4E-2]");
        assert_eq!(run(&same, "[1e300, 1e99999999999]").unwrap(), "[null, null]");
        let never = automaton(&[], Action::Mask(3));
        assert_eq!(run(&never, "[42]").unwrap(), "[null]");
        let whole = automaton(&[], Action::Mask(2));
        assert_eq!(run(&whole, "[42, -42]").unwrap(), "[1042, 958]");
    }

    #[test]
    fn a_number_is_written_without_its_exponent() {
        for (number, want) in [
            ("1e3", "1000"),
            ("2.0e5", "200000"),
            ("-1.25E1", "-12.5"),
            ("4.915118834021e12", "4915118834021"),
            ("1.5e-3", "0.0015"),
            ("12e-2", "0.12"),
            ("7e0", "7"),
            ("1e41", ""),
        ] {
            let mut plain = String::new();
            assert_eq!(push_plain(number, &mut plain), !want.is_empty(), "{number}");
            assert_eq!(plain, want, "{number}");
        }
    }

    #[test]
    fn rest_null_blanks_every_scalar_but_keeps_keys_and_nesting() {
        let a = automaton(&[("$.keep", Action::Keep)], Action::Null);
        let text = r#"{"keep":{"a":1},"x":[1,"b",true,null,{}],"y":{"z":"q"}}"#;
        assert_eq!(run(&a, text).unwrap(), r#"{"keep":{"a":1},"x":[null,null,null,null,{}],"y":{"z":null}}"#);
    }

    #[test]
    fn booleans_stay_under_no_mask_that_has_no_word_for_them() {
        for (mask, want) in [(0, "[null,null,null,\"\"]"), (1, "[true,false,null,\"\"]"), (2, "[false,true,null,\"\"]")]
        {
            let a = automaton(&[], Action::Mask(mask));
            assert_eq!(run(&a, "[true,false,null,\"\"]").unwrap(), want, "mask {mask}");
        }
        let named = automaton(&[("$.hiv", Action::Mask(0))], Action::Keep);
        assert_eq!(run(&named, "{\"hiv\": true , \"vip\":false}").unwrap(), "{\"hiv\": null , \"vip\":false}");
        assert_eq!(run(&automaton(&[], Action::Mask(0)), " true").unwrap(), " null");
    }

    #[test]
    fn keys_are_masked_where_asked() {
        let keys = [(Path::parse("$.by_email").unwrap(), Keys::Mask(0))];
        let rules = [(Path::parse("$.by_email['a@b']").unwrap(), Action::Null)];
        let a = Automaton::build(&rules, &keys, Action::Keep, None).unwrap();
        assert_eq!(
            run(&a, r#"{"by_email":{"a@b":1,"c":{"d":2}}}"#).unwrap(),
            r#"{"by_email":{"A@B":null,"C":{"d":2}}}"#
        );
    }

    #[test]
    fn text_that_is_not_json_is_refused() {
        let a = automaton(&[], Action::Mask(0));
        for text in [
            "",
            " ",
            "{",
            "}",
            "[1,]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "[1 2]",
            "tru",
            "nulls",
            "01",
            "1.",
            "-",
            "+1",
            ".5",
            "1e",
            "\"a",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"a\nb\"",
            "[1]]",
            "{]",
            "[}",
            "1 1",
            "{a:1}",
            "'a'",
            "\u{feff}1",
            "[\"a\"\u{0}]",
            "1\u{0}",
        ] {
            assert_eq!(run(&a, text), None, "{text:?}");
        }
    }

    #[test]
    fn deep_nesting_is_followed_up_to_the_limit() {
        let a = automaton(&[("$..x", Action::Mask(0))], Action::Keep);
        let nest = |depth: usize| format!("{}{{\"x\":\"a\"}}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(run(&a, &nest(201)).unwrap(), nest(201).replace("\"a\"", "\"A\""));
        assert!(run(&a, &nest(DEPTH_MAX - 1)).is_some());
        assert!(run(&a, &nest(DEPTH_MAX)).is_none());
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<i32>().prop_map(|n| Value::from(f64::from(n) / 4.0)),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            let key = prop_oneof!["[a-d]", any::<String>()];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((key, inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// What `$.a.b` = upper case, `$..c` = null and the rest kept should give, computed on a tree.
    fn expected(value: &Value, path: &mut Vec<String>, action: Action) -> Value {
        let action = match path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["a", "b"] => Action::Mask(0),
            [.., "c"] => Action::Null,
            _ => action,
        };
        let mut below = |key: &str, value: &Value| {
            path.push(key.to_owned());
            let masked = expected(value, path, action);
            path.pop();
            masked
        };
        match (value, action) {
            (Value::Array(items), _) => items.iter().map(|item| below("[]", item)).collect(),
            (Value::Object(members), _) => {
                Value::Object(members.iter().map(|(key, value)| (key.clone(), below(key, value))).collect())
            }
            (_, Action::Null) => Value::Null,
            (Value::String(text), Action::Mask(_)) => {
                let mut out = String::new();
                Fake.text(0, text, &mut out).unwrap();
                Value::from(out)
            }
            (Value::Number(_), Action::Mask(_)) => Value::from("number"),
            (Value::Bool(_), Action::Mask(_)) => Value::Null,
            _ => value.clone(),
        }
    }

    /// Puts the same word in place of numbers at masked places, whose spelling the tree does not have.
    fn without_numbers(value: &Value, at: &[&str]) -> Value {
        match value {
            Value::Object(members) => members
                .iter()
                .map(|(key, value)| {
                    let path = [at, &[key.as_str()]].concat();
                    (key.clone(), without_numbers(value, &path))
                })
                .collect::<serde_json::Map<_, _>>()
                .into(),
            Value::Array(items) => items.iter().map(|item| without_numbers(item, &[at, &["[]"]].concat())).collect(),
            Value::Number(_) | Value::Null if at.len() >= 2 && at[..2] == ["a", "b"] && !at.contains(&"c") => {
                Value::from("number")
            }
            _ => value.clone(),
        }
    }

    proptest! {
        #[test]
        fn identity_masks_give_identical_bytes_for_strings(value in json()) {
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            let keep = automaton(&[("$.a", Action::Keep)], Action::Keep);
            prop_assert_eq!(run(&keep, &pretty).unwrap(), pretty.clone());
            let identity = automaton(&[], Action::Mask(1));
            let masked: Value = serde_json::from_str(&run(&identity, &pretty).unwrap()).unwrap();
            let exponent = |value: &Value| value.to_string().contains(['e', 'E']);
            prop_assert!(masked == value || exponent(&value));
        }

        #[test]
        fn masked_documents_are_json_and_differ_only_where_they_should(value in json()) {
            let a = automaton(&[("$.a.b", Action::Mask(0)), ("$..c", Action::Null)], Action::Keep);
            let text = value.to_string();
            let masked: Value = serde_json::from_str(&run(&a, &text).unwrap()).unwrap();
            let want = expected(&value, &mut Vec::new(), Action::Keep);
            prop_assert_eq!(without_numbers(&masked, &[]), without_numbers(&want, &[]));
        }

        #[test]
        fn acceptance_agrees_with_serde_json(text in "[\\[\\]{}\",:0-9eE.\\-+tfn\\\\u ]{0,12}|\\PC*") {
            let a = automaton(&[], Action::Keep);
            let ours = run(&a, &text).is_some();
            let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            prop_assert_eq!(ours, theirs);
        }
    }
}
