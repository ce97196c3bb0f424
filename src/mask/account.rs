//! Numbers people are known by: `card/1`, `uuid/1`.

use super::canon::{is_telling, is_white_space};
use super::column::{ColumnMask, Compile, CompileError, MaskError, Rows};
use super::key::{DomainKey, RealmKey};
use super::kind::{Domain, Param};
use super::lanes::Queue;
use super::leaf::{Asked, Asks, At, CHUNK, ON_INVALID, TEXT, TextKind, TextMask};
use super::token::{Perm, PermCache, PermMemo};
use super::{Keeps, Kind, Raw, Shape, Takes};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, FixedSizeBinaryArray};
use arrow_buffer::Buffer;
use std::ops::Range;
use std::sync::Arc;

pub(super) static CARD: Kind = Kind {
    name: "card",
    remains: card_remains,
    summary: "Permutes payment card numbers; brand prefix, length, separators and Luhn validity stay",
    params: &[
        Param {
            name: "void",
            summary: "every mask fails the Luhn check, so no mask is anybody's card",
            domain: Domain::Bool,
            default: "false",
        },
        Param {
            name: "keep",
            summary: "leading digits kept instead of the brand prefix: 6 or 8; fewer of short numbers beside `keep_last4`",
            domain: Domain::Integer { min: 6, max: 8, unit: "digits" },
            default: "the brand prefix",
        },
        Param { name: "keep_last4", summary: "the last four digits stay", domain: Domain::Bool, default: "false" },
        ON_INVALID,
    ],
    samples: &["4111111111111111", "3782 822463 10005", "5555-5555-5555-4444"],
    compile: compile_card,
    ..TEXT
};

pub(super) static UUID: Kind = Kind {
    name: "uuid",
    remains: |_| super::Remains::Rare { bits: 60 },
    keeps: Keeps {
        words: "the nil UUID and the max UUID",
        holds: |raw, _| match raw {
            Raw::Bytes(bytes) => <[u8; 16]>::try_from(bytes).is_ok_and(|bytes| kept(u128::from_be_bytes(bytes))),
            Raw::Text(text) => UuidText::find(text).is_some_and(|(_, uuid)| kept(uuid)),
            _ => false,
        },
    },
    summary: "Permutes UUIDs; version and variant stay, and the day of a version 7",
    params: &[ON_INVALID],
    accepts: &[Takes::Uuid, Takes::Text],
    folds: true,
    lowercase: true,
    samples: &["550e8400-e29b-41d4-a716-446655440000"],
    compile: compile_uuid,
    ..TEXT
};

fn card_remains(params: &super::Params) -> super::Remains {
    let keeps = params.contains_key("keep") || params.get("keep_last4").and_then(|keeps| keeps.as_bool()) == Some(true);
    super::Remains::Rare { bits: if keeps { 12 } else { 26 } }
}

/// Most digits a card number has.
const CARD_DIGITS_MAX: usize = 19;

/// Digits that are permuted at least, whatever is kept: as many as of sixteen with the first eight and the last four.
const PERMUTED_MIN: usize = 3;

/// The ASCII digits of a text whose other characters only separate them.
struct Digits {
    digits: [u8; CARD_DIGITS_MAX],
    len: usize,
}

impl Digits {
    /// None if there are more than 19 digits, or letters or digits of another script.
    fn read(text: &str) -> Option<Self> {
        let mut found = Self { digits: [0; CARD_DIGITS_MAX], len: 0 };
        for c in text.chars() {
            if c.is_ascii_digit() {
                *found.digits.get_mut(found.len)? = c as u8 - b'0';
                found.len += 1;
            } else if is_telling(c) {
                return None;
            }
        }
        Some(found)
    }

    fn as_slice(&self) -> &[u8] {
        &self.digits[..self.len]
    }
}

/// Appends `text` with its digits replaced, in order.
pub(super) fn push_digits(text: &str, digits: &[u8], out: &mut String) {
    let mut digits = digits.iter();
    for c in text.chars() {
        let replaced = if c.is_ascii_digit() { digits.next() } else { None };
        out.push(replaced.map_or(c, |digit| char::from(b'0' + digit)));
    }
}

/// The number that decimal digits write.
pub(super) fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |number, digit| number * 10 + u64::from(*digit))
}

/// Writes a number into decimal digits, with leading zeros.
pub(super) fn spread(mut number: u64, digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        *digit = (number % 10) as u8;
        number /= 10;
    }
}

/// Returns the Luhn check digit of the digits before it (ISO/IEC 7812-1 annex B).
pub(super) fn luhn(payload: impl DoubleEndedIterator<Item = u8>) -> u8 {
    let sum: u32 = payload
        .rev()
        .enumerate()
        .map(|(index, digit)| {
            let doubled = if index % 2 == 0 { digit * 2 } else { digit };
            u32::from(if doubled > 9 { doubled - 9 } else { doubled })
        })
        .sum();
    ((10 - sum % 10) % 10) as u8
}

/// How far the check digit is from the right one, 0 to 9; 0 for a valid number.
fn luhn_offset(digits: &[u8]) -> u8 {
    let (check, payload) = digits.split_last().expect("a card number has at least 12 digits");
    (check + 10 - luhn(payload.iter().copied())) % 10
}

/// Length of the prefix that names the brand. Pinned: new ranges need a new version of the kind.
fn brand_prefix(digits: &[u8]) -> usize {
    let (two, three, four) = (number(&digits[..2]), number(&digits[..3]), number(&digits[..4]));
    match (two, three, four) {
        (40..=49, ..) => 1,
        (51..=55 | 34 | 37 | 65 | 35 | 30 | 36 | 38 | 39, ..) => 2,
        (_, 644..=649, _) => 3,
        (.., 2221..=2720 | 6011) => 4,
        _ => 1,
    }
}

/// Tells whether a text is a card number: separators aside, digits that begin and are as many as those of a brand, and the
/// check digit.
pub(super) fn is_card(text: &str) -> bool {
    if text.bytes().any(|byte| !byte.is_ascii_digit() && !matches!(byte, b' ' | b'-')) {
        return false;
    }
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_digit).map(|digit| digit - b'0').collect();
    if !(13..=19).contains(&digits.len()) || luhn_offset(&digits) != 0 {
        return false;
    }
    match (number(&digits[..2]), digits.len()) {
        (34 | 37, length) => length == 15,
        (30 | 36 | 38 | 39, length) => matches!(length, 14 | 16..),
        (40..=49, length) => matches!(length, 13 | 16 | 19),
        (_, length) => length >= 16 && brand_prefix(&digits) > 1,
    }
}

struct Card {
    key: DomainKey,
    cache: Arc<PermCache>,
    keep: Option<usize>,
    void: bool,
    keep_last4: bool,
}

fn compile_card(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let keep = compile.number("keep");
    if keep == Some(7) {
        return Err(compile.bad_param("keep", "6 or 8"));
    }
    let card = Card {
        key: compile.realm.domain("card/1", &compile.spec.label),
        cache: compile.realm.shared("card/1", &compile.spec.label, PermCache::default),
        keep: keep.map(|keep| keep as usize),
        void: compile.flag("void", false),
        keep_last4: compile.flag("keep_last4", false),
    };
    TextMask::boxed(compile, card)
}

impl Card {
    fn read(&self, value: &str) -> Option<Digits> {
        let digits = Digits::read(value).filter(|digits| digits.len >= 12)?;
        (!self.void || luhn_offset(digits.as_slice()) == 0).then_some(digits)
    }
}

/// A card number that waits for its middle digits.
struct CardNote {
    found: Digits,
    perm: Arc<Perm>,
    prefix: usize,
    /// Where the permuted digits end.
    end: usize,
    /// How far the check digit of the mask is to be from the right one.
    offset: u8,
}

impl Asks for Card {
    type Scratch = PermMemo;
    type Note = CardNote;

    fn ask(&self, value: &str, _at: At<'_>, memo: &mut PermMemo, queue: &mut Queue) -> Option<CardNote> {
        let found = self.read(value)?;
        let digits = found.as_slice();
        let len = digits.len();
        let offset = (luhn_offset(digits) + if self.void { 5 } else { 0 }) % 10;
        // Of the last four and the digit before them, that digit is free to make the check right.
        let end = if self.keep_last4 { len - 5 } else { len - 1 };
        // A short number keeps less of its beginning: with eight and four digits kept, thirteen would all stay.
        let prefix = self.keep.unwrap_or_else(|| brand_prefix(digits)).min(end - PERMUTED_MIN);
        memo.tweak.clear();
        memo.tweak.extend_from_slice(b"card");
        memo.tweak.extend(digits[..prefix].iter().map(|digit| b'0' + digit));
        memo.tweak.push(len as u8);
        let n = 10u128.pow((end - prefix) as u32);
        let perm = Arc::clone(memo.perm(&self.cache, &self.key, n));
        queue.permute(&perm, number(&digits[prefix..end]).into());
        Some(CardNote { prefix, end, offset, found, perm })
    }

    fn answer(
        &self,
        value: &str,
        note: CardNote,
        _at: At<'_>,
        _memo: &mut PermMemo,
        queue: &mut Queue,
        out: &mut String,
    ) {
        let CardNote { mut found, perm, prefix, end, offset } = note;
        let len = found.len;
        let digits = &mut found.digits[..len];
        let mut middle = queue.next_permuted();
        spread(middle as u64, &mut digits[prefix..end]);
        // Behind the one digit that is kept of a number of no brand, a brand could begin: its numbers have masks of their own.
        while self.keep.is_none() && brand_prefix(digits) != prefix {
            middle = perm.apply(middle);
            spread(middle as u64, &mut digits[prefix..end]);
        }
        if !self.keep_last4 {
            digits[end] = (luhn(digits[..end].iter().copied()) + offset) % 10;
        } else {
            let solved = (0..10).find(|digit| {
                digits[end] = *digit;
                luhn_offset(digits) == offset
            });
            digits[end] = solved.expect("the Luhn sum is a bijection of each digit");
        }
        push_digits(value, digits, out);
    }

    fn reads(&self, value: &str, _memo: &mut PermMemo) -> bool {
        self.read(value).is_some()
    }
}

/// Milliseconds of a day, the unit of the time in a version 7.
const DAY_MS: u128 = 86_400_000;
/// Bits of a UUID that are permuted: all but version and variant.
const PAYLOAD_BITS: u32 = 122;
/// Random bits of a version 7.
const RANDOM_BITS: u32 = 74;

/// The permutations of one label: one per version and variant, and one for the days of version 7.
struct UuidPerms {
    /// By version and top two bits of byte 8.
    plain: Vec<Perm>,
    day: Perm,
}

impl UuidPerms {
    fn new(realm: &RealmKey, label: &str) -> Self {
        let key = realm.domain("uuid/1", label);
        let plain = (0..64u8).map(|index| {
            let (version, top) = (index >> 2, index & 3);
            let tweak = [b'u', b'u', b'i', b'd', version, top];
            Perm::new(&key, 1 << PAYLOAD_BITS, if top == 2 { &tweak[..5] } else { &tweak })
        });
        Self { plain: plain.collect(), day: Perm::new(&key, DAY_MS << RANDOM_BITS, b"uuid7") }
    }

    /// Asks for the permutation of one UUID; nil and max stay and ask for nothing.
    fn ask(&self, value: u128, queue: &mut Queue) {
        if kept(value) {
            return;
        }
        let (version, top, payload) = parts(value);
        if version == 7 && top == 2 {
            let (ts, random) = (payload >> RANDOM_BITS, payload & ((1 << RANDOM_BITS) - 1));
            queue.permute(&self.day, (ts % DAY_MS) << RANDOM_BITS | random);
        } else {
            queue.permute(&self.plain[version << 2 | top], payload);
        }
    }

    /// The mask of a UUID that has asked. A result that may not be is permuted again.
    fn answer(&self, value: u128, queue: &mut Queue) -> u128 {
        if kept(value) {
            return value;
        }
        let (version, top, payload) = parts(value);
        let whole = |payload: u128| {
            (payload >> RANDOM_BITS) << 80
                | (version as u128) << 76
                | (payload >> 62 & 0xfff) << 64
                | (top as u128) << 62
                | payload & ((1 << 62) - 1)
        };
        let mut masked = queue.next_permuted();
        if version == 7 && top == 2 {
            let day = (payload >> RANDOM_BITS) / DAY_MS * DAY_MS;
            while day + (masked >> RANDOM_BITS) >= 1 << 48 {
                masked = self.day.apply(masked);
            }
            return whole((day << RANDOM_BITS) + masked);
        }
        while kept(whole(masked)) {
            masked = self.plain[version << 2 | top].apply(masked);
        }
        whole(masked)
    }
}

/// Nil and max.
fn kept(uuid: u128) -> bool {
    uuid == 0 || uuid == u128::MAX
}

/// Version, top two bits of byte 8, and all other bits.
fn parts(uuid: u128) -> (usize, usize, u128) {
    let payload = uuid >> 80 << RANDOM_BITS | (uuid >> 64 & 0xfff) << 62 | uuid & ((1 << 62) - 1);
    ((uuid >> 76) as usize & 15, (uuid >> 62) as usize & 3, payload)
}

fn compile_uuid(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let label = &compile.spec.label;
    let perms = compile.realm.shared("uuid/1", label, || UuidPerms::new(compile.realm, label));
    match compile.shape {
        Shape::Uuid => Ok(Box::new(UuidMask(UuidText(perms)))),
        _ => TextMask::boxed(compile, UuidText(perms)),
    }
}

/// `uuid/1` on text: 32 hex digits, with hyphens at the four usual places or without. Braces, `urn:uuid:` and white space
/// around them stay.
struct UuidText(Arc<UuidPerms>);

impl UuidText {
    fn read(value: &str) -> Option<u128> {
        let bytes = value.as_bytes();
        let hyphens = bytes.len() == 36 && [8, 13, 18, 23].iter().all(|at| bytes[*at] == b'-');
        if !hyphens && bytes.len() != 32 {
            return None;
        }
        let mut number = 0u128;
        for (at, byte) in bytes.iter().enumerate() {
            if hyphens && matches!(at, 8 | 13 | 18 | 23) {
                continue;
            }
            number = number << 4 | u128::from(char::from(*byte).to_digit(16)?);
        }
        Some(number)
    }

    /// Where the digits stand among what is around them, and the number.
    fn find(value: &str) -> Option<(Range<usize>, u128)> {
        let mut start = value.len() - value.trim_start_matches(is_white_space).len();
        let mut core = value.trim_matches(is_white_space);
        if core.get(..URN.len()).is_some_and(|first| first.eq_ignore_ascii_case(URN)) {
            (start, core) = (start + URN.len(), &core[URN.len()..]);
        } else if let Some(inner) = core.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            (start, core) = (start + 1, inner);
        }
        Some((start..start + core.len(), Self::read(core)?))
    }
}

/// RFC 9562, section 4.
const URN: &str = "urn:uuid:";

impl Asks for UuidText {
    type Scratch = ();
    type Note = (Range<usize>, u128);

    fn ask(&self, value: &str, _at: At<'_>, _scratch: &mut (), queue: &mut Queue) -> Option<Self::Note> {
        let found = Self::find(value)?;
        self.0.ask(found.1, queue);
        Some(found)
    }

    fn answer(
        &self,
        value: &str,
        (digits, number): Self::Note,
        _at: At<'_>,
        _scratch: &mut (),
        queue: &mut Queue,
        out: &mut String,
    ) {
        // In lower case, as all of the mask.
        out.extend(value[..digits.start].chars().map(|c| c.to_ascii_lowercase()));
        push_uuid(self.0.answer(number, queue), digits.len() == 36, out);
        out.push_str(&value[digits.end..]);
    }

    fn reads(&self, value: &str, _scratch: &mut ()) -> bool {
        Self::find(value).is_some()
    }
}

/// Reads a UUID written as 32 hex digits, hyphenated or not.
pub(super) fn read_uuid(text: &str) -> Option<u128> {
    UuidText::read(text)
}

/// Appends 32 lowercase hex digits, hyphenated or not.
pub(super) fn push_uuid(value: u128, hyphens: bool, out: &mut String) {
    for at in 0..32 {
        if hyphens && matches!(at, 8 | 12 | 16 | 20) {
            out.push('-');
        }
        let digit = (value >> (124 - at * 4)) as u32 & 15;
        out.push(char::from_digit(digit, 16).expect("four bits are a hex digit"));
    }
}

/// `uuid/1` on a `uuid` column.
struct UuidMask(UuidText);

impl ColumnMask for UuidMask {
    fn apply(&self, column: &ArrayRef, _rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        let wrong = || MaskError::at(0, "the column was decoded in another shape than its mask was compiled for");
        let values = column.as_fixed_size_binary_opt().filter(|values| values.value_length() == 16);
        let values = values.ok_or_else(wrong)?;
        let uuid = |row: usize| match values.value(row).try_into() {
            Ok(bytes) if values.is_valid(row) => u128::from_be_bytes(bytes),
            _ => 0,
        };
        let mut masked = Vec::with_capacity(values.len() * 16);
        let mut queue = Queue::default();
        for from in (0..values.len()).step_by(CHUNK) {
            let rows = from..(from + CHUNK).min(values.len());
            queue.clear();
            rows.clone().for_each(|row| self.0.0.ask(uuid(row), &mut queue));
            queue.run();
            rows.for_each(|row| masked.extend_from_slice(&self.0.0.answer(uuid(row), &mut queue).to_be_bytes()));
        }
        let array = FixedSizeBinaryArray::try_new(16, Buffer::from_vec(masked), values.nulls().cloned());
        Ok(Arc::new(array.map_err(|_| wrong())?))
    }

    fn text(&self, value: &str, row: usize, rows: &Rows<'_>, out: &mut String) -> Result<(), MaskError> {
        let read = TextKind::mask(&self.0, value, At { row, rows }, &mut Asked::default(), out);
        if read { Ok(()) } else { Err(MaskError::at(row, "the value is not a UUID")) }
    }
}

#[cfg(test)]
mod tests {
    use crate::mask::tests::{one, value};

    #[test]
    fn a_uuid_keeps_its_mask_and_what_is_around_it() {
        let (uuid, mask) = ("550e8400-e29b-41d4-a716-446655440000", "ce201ede-9dad-4c0d-92a6-057066a91ed2");
        for (before, after) in [("", ""), ("{", "}"), (" {", "}\n"), ("urn:uuid:", ""), ("\t", " "), ("\u{a0}", "")] {
            assert_eq!(one("uuid", &format!("{before}{uuid}{after}")), format!("{before}{mask}{after}"));
            let upper = format!("{before}{}{after}", uuid.to_uppercase());
            assert_eq!(one("uuid", &upper), format!("{before}{mask}{after}"), "{upper}");
        }
        assert_eq!(one("uuid", &format!("URN:UUID:{uuid}")), format!("urn:uuid:{mask}"), "lower case, as all masks");
        let short = |text: &str| text.replace('-', "");
        assert_eq!(one("uuid", &format!("{{{}}}", short(uuid))), format!("{{{}}}", short(mask)));
        for text in
            ["{", "}", "{}", "urn:uuid:", "{{", &format!("{{{uuid}"), &format!("urn:uuid:{{{uuid}}}"), "é{550e8400"]
        {
            assert_eq!(value("uuid", r#"{"on_invalid":"null"}"#, None, text), None, "{text}");
        }
    }
}
