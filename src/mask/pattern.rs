//! `pattern/1`: a bijection on the values of one shape. Each character keeps its class, everything else stays.
//! Every letter and digit of Unicode has a class: the nineteen of MASKING.md, and those of [`scripts`].
//!
//! It is also what becomes of values other kinds cannot read.

#[cfg(any(feature = "ff1", test))]
mod ff1;
mod scripts;

use super::canon::is_telling;
use super::column::{ColumnMask, Compile, CompileError};
use super::key::{DomainKey, RealmKey};
use super::kind::{Domain, Param};
use super::lanes::Queue;
use super::leaf::{Asks, At, TEXT, TextMask};
use super::token::{Perm, PermCache, PermMemo, Purpose, push_b32, wide};
use super::{KeyedOn, Kind};
use std::sync::Arc;

pub(super) static PATTERN: Kind = Kind {
    name: "pattern",
    remains: |_| super::Remains::Rare { bits: 19 },
    summary: "Replaces each letter and digit by one of its class; length, case and punctuation stay",
    params: &[Param {
        name: "algo",
        summary: "\"perm\", or \"ff1\": AES-256 in the mode FF1 of NIST, for values of a million forms and more; in builds with the cargo feature `ff1`",
        domain: Domain::OneOf(&["perm", "ff1"]),
        default: "perm",
    }],
    keyed_on: KeyedOn::Value,
    samples: &["AB-1234", "ACME-2024-000123", "Ünïcode 7"],
    compile,
    ..TEXT
};

fn compile(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    match compile.word("algo") {
        #[cfg(any(feature = "ff1", test))]
        Some("ff1") => Ok(Box::new(ff1::Ff1Pattern::new(compile))),
        #[cfg(not(any(feature = "ff1", test)))]
        Some("ff1") => Err(compile.bad_param("algo", "\"perm\": this restage was built without the feature `ff1`")),
        _ => TextMask::boxed(compile, Pattern::new(compile.realm, &compile.spec.label)),
    }
}

/// Tweaks longer than this are not worth remembering: the text is mostly punctuation.
const TWEAK_CACHED_MAX: usize = 96;

/// The classes from here on are those of [`scripts`].
const SCRIPTS: u16 = 20;

/// Members of the classes 4 to 19 as ranges in code-point order, with a step (alternating cases of Latin Extended-A).
const CLASSES: &[(u16, &[(u32, u32)])] = &[
    (1, &[(0x30, 0x39)]),
    (2, &[(0x61, 0x7a)]),
    (3, &[(0x41, 0x5a)]),
    (4, &[(0xe0, 0xf6), (0xf8, 0xff)]),
    (5, &[(0xc0, 0xd6), (0xd8, 0xde)]),
    (8, &[(0x3b1, 0x3c9)]),
    (9, &[(0x391, 0x3a1), (0x3a3, 0x3a9)]),
    (10, &[(0x430, 0x44f)]),
    (11, &[(0x410, 0x42f)]),
    (12, &[(0x5d0, 0x5ea)]),
    (13, &[(0x621, 0x63a), (0x641, 0x64a)]),
    (14, &[(0x904, 0x939)]),
    (15, &[(0xe01, 0xe2e)]),
    (16, &[(0x3041, 0x3096)]),
    (17, &[(0x30a1, 0x30fa)]),
    (18, &[(0xac00, 0xd7a3)]),
    (19, &[(0x4e00, 0x9fff)]),
];

/// The class of a character, its index there, and the size of the class.
#[derive(Clone, Copy)]
struct Member {
    class: u16,
    index: u32,
    radix: u32,
}

/// Every letter and digit is a member of one class.
fn member(c: char) -> Option<Member> {
    listed(c).or_else(|| {
        let (class, index, radix) = scripts::find(c)?;
        Some(Member { class: SCRIPTS + class as u16, index, radix })
    })
}

/// As [`member`], of the classes 1 to 19.
fn listed(c: char) -> Option<Member> {
    let code = u32::from(c);
    let ascii = |class, first, radix| Some(Member { class, index: code - first, radix });
    match c {
        '0'..='9' => ascii(1, 0x30, 10),
        'a'..='z' => ascii(2, 0x61, 26),
        'A'..='Z' => ascii(3, 0x41, 26),
        _ if code < 0x80 => None,
        '\u{100}'..='\u{17f}' => {
            let (class, cases) = if is_lower_extended(code) { (6, true) } else { (7, false) };
            let index = (0x100..code).filter(|other| is_lower_extended(*other) == cases).count() as u32;
            Some(Member { class, index, radix: if cases { 65 } else { 63 } })
        }
        _ => CLASSES.iter().find_map(|(class, ranges)| {
            let mut before = 0;
            let mut index = None;
            for (first, last) in *ranges {
                if (*first..=*last).contains(&code) {
                    index = Some(before + code - first);
                }
                before += last - first + 1;
            }
            index.map(|index| Member { class: *class, index, radix: before })
        }),
    }
}

/// Lowercase letters (Ll) of U+0100–017F; the others there are uppercase (Lu).
fn is_lower_extended(code: u32) -> bool {
    match code {
        0x100..=0x137 | 0x14a..=0x177 => code % 2 == 1,
        0x138 | 0x149 | 0x17f => true,
        0x139..=0x148 | 0x179..=0x17e => code.is_multiple_of(2),
        _ => false,
    }
}

/// Writes a class into a tweak.
fn push_class(class: u16, tweak: &mut Vec<u8>) {
    if class < SCRIPTS {
        tweak.push(class as u8);
    } else {
        tweak.push(0xff);
        tweak.extend_from_slice(char_of(class, 0).encode_utf8(&mut [0; 4]).as_bytes());
    }
}

fn char_of(class: u16, mut index: u32) -> char {
    let code = match class {
        1 => 0x30 + index,
        2 => 0x61 + index,
        3 => 0x41 + index,
        6 | 7 => (0x100..0x180)
            .filter(|code| is_lower_extended(*code) == (class == 6))
            .nth(index as usize)
            .expect("an index is below the size of its class"),
        SCRIPTS.. => scripts::member_at(usize::from(class - SCRIPTS), index),
        _ => {
            let ranges = CLASSES.iter().find(|entry| entry.0 == class).map_or(&[][..], |entry| entry.1);
            let mut code = 0;
            for (first, last) in ranges {
                let size = last - first + 1;
                if index < size {
                    code = first + index;
                    break;
                }
                index -= size;
            }
            code
        }
    };
    char::from_u32(code).expect("members of a class are characters")
}

/// Buffers of one worker.
#[derive(Default)]
pub(super) struct PatternMemo {
    perm: PermMemo,
    /// Symbols of the values that were read, and how many each could be.
    digits: Vec<u32>,
    radixes: Vec<u32>,
}

/// A value that was read: where its symbols stand in the memo, and as one number below `n` if they fit.
#[derive(Clone, Copy)]
pub(super) struct PatternNote {
    start: usize,
    end: usize,
    n: Option<u128>,
    index: u128,
}

/// The pattern mask of one label.
pub(super) struct Pattern {
    key: DomainKey,
    cache: Arc<PermCache>,
}

impl Pattern {
    pub fn new(realm: &RealmKey, label: &str) -> Self {
        Self::of_kind(realm, "pattern/1", label)
    }

    /// The same construction under the key of another kind.
    pub fn of_kind(realm: &RealmKey, kind: &str, label: &str) -> Self {
        Self { key: realm.domain(kind, label), cache: realm.shared(kind, label, PermCache::default) }
    }

    /// Appends the mask of `value`.
    pub fn push(&self, value: &str, memo: &mut PatternMemo, out: &mut String) {
        if !self.push_permuted(value, memo, out) {
            self.push_tag(value, out);
        }
    }

    /// Appends the permuted value; false, with `out` unchanged, if it has a letter or digit of no class. There is none.
    pub fn push_permuted(&self, value: &str, memo: &mut PatternMemo, out: &mut String) -> bool {
        self.push_permuted_after(&[], value, memo, out)
    }

    /// As [`Pattern::push_permuted`], with a part of the tweak that stands between `pat` and the classes.
    pub fn push_permuted_after(&self, tweak: &[u8], value: &str, memo: &mut PatternMemo, out: &mut String) -> bool {
        let Some(note) = self.read(tweak, value, memo) else { return false };
        let index = note.n.map(|n| self.perm(n, &mut memo.perm, |perm| perm.apply(note.index)));
        self.write(value, &note, index, memo, out);
        memo.digits.truncate(note.start);
        memo.radixes.truncate(note.start);
        true
    }

    /// Reads a value: its symbols to the end of `memo`, its tweak into `memo.perm`. None if it has a letter or digit of
    /// no class.
    fn read(&self, tweak: &[u8], value: &str, memo: &mut PatternMemo) -> Option<PatternNote> {
        let PatternMemo { perm, digits, radixes } = memo;
        perm.tweak.clear();
        perm.tweak.extend_from_slice(b"pat");
        perm.tweak.extend_from_slice(tweak);
        let start = digits.len();
        let (mut product, mut index) = (Some(1u128), 0u128);
        for c in value.chars() {
            if let Some(found) = member(c) {
                push_class(found.class, &mut perm.tweak);
                digits.push(found.index);
                radixes.push(found.radix);
                product = product.and_then(|product| product.checked_mul(u128::from(found.radix)));
                index = index.wrapping_mul(u128::from(found.radix)).wrapping_add(u128::from(found.index));
            } else if is_telling(c) {
                digits.truncate(start);
                radixes.truncate(start);
                return None;
            } else {
                perm.tweak.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        Some(PatternNote { start, end: digits.len(), n: product.filter(|product| *product <= 1 << 127), index })
    }

    /// Calls `then` with the permutation of the value that was read last.
    fn perm<R>(&self, n: u128, memo: &mut PermMemo, then: impl FnOnce(&Perm) -> R) -> R {
        if memo.tweak.len() <= TWEAK_CACHED_MAX {
            then(memo.perm(&self.cache, &self.key, n))
        } else {
            then(&Perm::new(&self.key, n, &memo.tweak))
        }
    }

    /// Appends the mask of a value: its permuted index written in its symbols. Without an index the symbols, which are
    /// too many for one number, are permuted here; their tweak must be the last one read.
    fn write(&self, value: &str, note: &PatternNote, index: Option<u128>, memo: &mut PatternMemo, out: &mut String) {
        let PatternMemo { perm, digits, radixes } = memo;
        let (digits, radixes) = (&mut digits[note.start..note.end], &radixes[note.start..note.end]);
        match index {
            Some(mut index) => {
                for (digit, radix) in digits.iter_mut().zip(radixes).rev() {
                    (index, *digit) = split(index, *radix);
                }
            }
            None => wide(&self.key, &perm.tweak, digits, radixes),
        }
        spell(value, digits, out);
    }

    /// Tells whether a value has a letter or digit, so that its mask can differ from it.
    pub fn changes(value: &str) -> bool {
        value.chars().any(|c| member(c).is_some() || is_telling(c))
    }

    /// Texts with letters of no class become a tag of the same number of characters.
    #[cold]
    pub fn push_tag(&self, value: &str, out: &mut String) {
        let chars = value.chars().count();
        let mut bytes = vec![0; chars.div_ceil(8) * 5];
        self.key.xof(Purpose::Tag, value.as_bytes()).fill(&mut bytes);
        let start = out.len();
        push_b32(&bytes, out);
        out.truncate(start + chars);
    }
}

/// Appends `value` with its symbols replaced, in order.
fn spell(value: &str, symbols: &[u32], out: &mut String) {
    let mut masked = symbols.iter();
    for c in value.chars() {
        let digit = member(c).and_then(|found| masked.next().map(|digit| (found.class, *digit)));
        out.push(digit.map_or(c, |(class, digit)| char_of(class, digit)));
    }
}

/// Divides by a radix; in 64 bits when the index fits, which most do.
fn split(index: u128, radix: u32) -> (u128, u32) {
    match u64::try_from(index) {
        Ok(index) => (u128::from(index / u64::from(radix)), (index % u64::from(radix)) as u32),
        Err(_) => (index / u128::from(radix), (index % u128::from(radix)) as u32),
    }
}

impl Asks for Pattern {
    type Scratch = PatternMemo;
    /// None: the value becomes a tag, or is too long for one number.
    type Note = Option<PatternNote>;

    fn ask(&self, value: &str, _at: At<'_>, memo: &mut PatternMemo, queue: &mut Queue) -> Option<Self::Note> {
        let note = self.read(&[], value, memo).filter(|note| note.n.is_some());
        if let Some(PatternNote { n: Some(n), index, .. }) = note {
            self.perm(n, &mut memo.perm, |perm| queue.permute(perm, index));
        }
        Some(note)
    }

    fn answer(
        &self,
        value: &str,
        note: Self::Note,
        _at: At<'_>,
        memo: &mut PatternMemo,
        queue: &mut Queue,
        out: &mut String,
    ) {
        match note {
            Some(note) => {
                let index = queue.next_permuted();
                self.write(value, &note, Some(index), memo, out);
            }
            None => self.push(value, memo, out),
        }
    }

    fn forget(memo: &mut PatternMemo) {
        memo.digits.clear();
        memo.radixes.clear();
    }

    fn reads(&self, _value: &str, _scratch: &mut PatternMemo) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MasterKey;

    fn pattern(value: &str) -> String {
        let mut out = String::new();
        Pattern::new(&MasterKey::test().realm("default"), "").push(value, &mut PatternMemo::default(), &mut out);
        out
    }

    #[test]
    fn masks_match_the_golden_vectors() {
        for (value, mask) in [
            ("AB-1234", "MT-9016"),
            ("X7", "J8"),
            ("ACME-2024-000123", "SPEE-9527-130738"),
            ("kJ8sN2qLwE5rT9yU1iO3pA6sD4fG7hJ0zXcVbNm", "lB8yD9eSzH0xX3yJ7kH5nJ7eT0eN3lU3hWzWjOs"),
        ] {
            assert_eq!(pattern(value), mask);
        }
    }

    #[test]
    fn masks_of_letters_beyond_the_nineteen_classes_match_their_golden_vectors() {
        for (value, mask) in [
            ("ІА123456", "ЈЭ060541"),
            ("ґїі", "ӗёџ"),
            ("Їжак", "Іеяи"),
            ("თბილისი", "ცცჹპტტჶ"),
            ("Νίκος", "Δίξθα"),
            ("Straße", "Bnbcßl"),
            ("Nguyễn", "Qgktḭg"),
            ("สวัสดี", "ฤษากริ"),
            ("राम", "ऒेख"),
            ("٠١٢٣", "٩٩٧٩"),
            ("ա-5", "ւ-6"),
            ("ＡＢ１", "ＱＢ９"),
            ("a\u{16ea0}b", "y\u{b1e79}y"),
            ("ⅷ", "ℂ"),
            ("محمد", "جءةج"),
        ] {
            assert_eq!(pattern(value), mask, "{value}");
        }
    }

    #[test]
    fn values_of_any_script_get_their_own_masks() {
        let letters = |first: char, last: char| (first..=last).map(|c| c.to_string()).collect::<Vec<_>>();
        let passports = (0..20_000).map(|i| format!("ІА{:06}", i * 37)).collect();
        for values in [letters('ა', 'ჰ'), letters('ё', 'ќ'), letters('٠', '٩'), letters('ก', 'ู'), passports]
        {
            let masks: std::collections::HashSet<String> = values.iter().map(|value| pattern_fast(value)).collect();
            assert_eq!(masks.len(), values.len(), "{}", values[0]);
        }
    }

    #[test]
    fn classes_have_the_sizes_of_the_specification_and_one_byte_length() {
        let sizes = [10, 26, 26, 31, 30, 65, 63, 25, 24, 32, 32, 27, 36, 54, 46, 86, 90, 11_172, 20_992];
        for (class, size) in (1..=19).zip(sizes) {
            let first = char_of(class, 0);
            for index in 0..size {
                let c = char_of(class, index);
                let found = member(c).unwrap();
                assert_eq!((found.class, found.index, found.radix), (class, index, size), "{c:?}");
                assert_eq!(c.len_utf8(), first.len_utf8());
            }
        }
        for code in 0x100..0x180 {
            let c = char::from_u32(code).unwrap();
            assert_eq!(is_lower_extended(code), c.is_lowercase(), "{c}");
        }
    }

    #[test]
    fn every_value_of_a_small_shape_gets_its_own_mask() {
        let masks: std::collections::HashSet<String> = (0..10_000).map(|i| pattern_fast(&format!("{i:04}"))).collect();
        assert_eq!(masks.len(), 10_000);
    }

    fn pattern_fast(value: &str) -> String {
        thread_local!(static PATTERN: Pattern = Pattern::new(&MasterKey::test().realm("default"), "x"));
        PATTERN.with(|pattern| {
            let mut out = String::new();
            pattern.push(value, &mut PatternMemo::default(), &mut out);
            out
        })
    }

    #[test]
    fn length_in_characters_and_bytes_is_kept() {
        for value in ["Ünïcode-7", "Łódź", "Привет 42", "日本語テスト", "한글", "שלום", "x", "-", "😀 a"]
        {
            let mask = pattern(value);
            assert_eq!((mask.chars().count(), mask.len()), (value.chars().count(), value.len()), "{value}");
        }
    }

    #[test]
    fn letters_and_digits_of_any_script_are_read() {
        for value in ["ա-5", "٠١٢٣", "a\u{16ea0}b", "ⅷ"] {
            let (mut memo, mut mask) = (PatternMemo::default(), String::new());
            let pattern = Pattern::new(&MasterKey::test().realm("default"), "");
            assert!(pattern.push_permuted(value, &mut memo, &mut mask), "no tag, which others could share");
            assert!(mask != value && mask.len() == value.len(), "{value} became {mask}");
        }
    }
}
