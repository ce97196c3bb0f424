//! `pattern` by FF1 (NIST SP 800-38G), for where a mode of operation has to have a name: cargo feature `ff1`.
//!
//! Frozen: AES-256 under K_dom, with the tweak of `pattern/1`. Letters and digits of one class, or of classes of one size,
//! are a numeral string of that radix. Others are one number below N, in as many bits as N - 1 has, encrypted in radix 2
//! until it is below N again.
//!
//! Values of less than a million forms are refused, as the standard asks: FF1 is weak there, and `pattern` alone is not.

use super::{Pattern, PatternMemo};
use crate::mask::canon::is_blank;
use crate::mask::column::{ColumnMask, Compile, MaskError, Rows};
use crate::mask::text::map_texts;
use crate::mask::{RealmKey, Shape};
use aes::Aes256;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use arrow_array::ArrayRef;
use fpe::ff1::{FF1, FlexibleNumeralString};

/// Least number of forms (SP 800-38G Revision 1, section 5.1).
const FORMS_MIN: u128 = 1_000_000;
const TOO_FEW: &str =
    "it has fewer than a million forms, too few for FF1; mask the column without `algo`, or these rows by `when`";

/// `pattern` with `algo = "ff1"`.
pub(super) struct Ff1Pattern {
    pattern: Pattern,
    padded: bool,
}

impl Ff1Pattern {
    pub fn new(compile: &Compile<'_>) -> Self {
        Self::of(compile.realm, &compile.spec.label, matches!(compile.shape, Shape::Text { padded: true, .. }))
    }

    fn of(realm: &RealmKey, label: &str, padded: bool) -> Self {
        Self { pattern: Pattern::new(realm, label), padded }
    }

    /// Appends the mask of a value, or says why there is none.
    fn push(&self, value: &str, memo: &mut PatternMemo, out: &mut String) -> Result<(), &'static str> {
        // Blanks at the end of `char(n)` do not count.
        let value = if self.padded { value.trim_end_matches(' ') } else { value };
        if is_blank(value) {
            out.push_str(value);
            return Ok(());
        }
        let note = self.pattern.read(&[], value, memo).ok_or("it has a letter or digit that FF1 has no numeral for")?;
        let (digits, radixes) = (&memo.digits[note.start..note.end], &memo.radixes[note.start..note.end]);
        let masked = match radixes {
            [] => Vec::new(),
            [..] if note.n.is_some_and(|n| n < FORMS_MIN) => return Err(TOO_FEW),
            [first, ..] if radixes.iter().all(|radix| radix == first) => {
                let numerals = digits.iter().map(|digit| *digit as u16).collect();
                let masked = encrypt::<Aes256>(&self.pattern.key.0, *first, &memo.perm.tweak, numerals);
                masked.ok_or(TOO_FEW)?.into_iter().map(u32::from).collect()
            }
            _ => {
                let n = note.n.ok_or("it is too long for FF1 of letters and digits together")?;
                let mut index = self.walk(note.index, n, &memo.perm.tweak).ok_or(TOO_FEW)?;
                let mut masked = vec![0; digits.len()];
                for (digit, radix) in masked.iter_mut().zip(radixes).rev() {
                    (index, *digit) = super::split(index, *radix);
                }
                masked
            }
        };
        super::spell(value, &masked, out);
        memo.digits.truncate(note.start);
        memo.radixes.truncate(note.start);
        Ok(())
    }

    /// Encrypts a number below `n` until it is below `n` again: fewer than two times on average.
    fn walk(&self, index: u128, n: u128, tweak: &[u8]) -> Option<u128> {
        let bits = u128::BITS - (n - 1).leading_zeros();
        let mut index = index;
        loop {
            let numerals = (0..bits).rev().map(|bit| (index >> bit & 1) as u16).collect();
            let masked = encrypt::<Aes256>(&self.pattern.key.0, 2, tweak, numerals)?;
            index = masked.into_iter().fold(0, |index, bit| index << 1 | u128::from(bit));
            if index < n {
                return Some(index);
            }
        }
    }
}

/// FF1.Encrypt; none if the radix is not 2 to 65536, or there are fewer than a million strings of this length.
fn encrypt<C: BlockCipherEncrypt + KeyInit + Clone>(
    key: &[u8],
    radix: u32,
    tweak: &[u8],
    numerals: Vec<u16>,
) -> Option<Vec<u16>> {
    let cipher = FF1::<C>::new(key, radix).ok()?;
    Some(cipher.encrypt(tweak, &FlexibleNumeralString::from(numerals)).ok()?.into())
}

impl ColumnMask for Ff1Pattern {
    fn apply(&self, column: &ArrayRef, _rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        let mut memo = PatternMemo::default();
        map_texts(column, |value, row, out| {
            self.push(value, &mut memo, out).map_err(|reason| MaskError::at(row, reason))
        })
    }

    fn text(&self, value: &str, row: usize, _rows: &Rows<'_>, out: &mut String) -> Result<(), MaskError> {
        self.push(value, &mut PatternMemo::default(), out).map_err(|reason| MaskError::at(row, reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MasterKey;
    use aes::{Aes128, Aes192};
    use std::collections::HashSet;

    fn masked(value: &str) -> Result<String, &'static str> {
        let mut out = String::new();
        let pattern = Ff1Pattern::of(&MasterKey::test().realm("default"), "", false);
        pattern.push(value, &mut PatternMemo::default(), &mut out).map(|()| out)
    }

    fn bytes(hex: &str) -> Vec<u8> {
        let pair = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex digits");
        (0..hex.len()).step_by(2).map(pair).collect()
    }

    #[test]
    fn t1_nist_samples_are_met() {
        // Source: NIST, "Block Cipher Modes of Operation: FF1 Method for Format-Preserving Encryption", samples 1 to 9.
        const KEY: &str = "2b7e151628aed2a6abf7158809cf4f3cef4359d8d580aa4f7f036d6f04fc6a94";
        const LETTERS: &str = "0123456789abcdefghijklmnopqrstuvwxyz";
        let samples = [
            (10, "", "0123456789", ["2433477484", "2830668132", "6657667009"]),
            (10, "39383736353433323130", "0123456789", ["6124200773", "2496655549", "1001623463"]),
            (
                36,
                "3737373770717273373737",
                "0123456789abcdefghi",
                ["a9tv40mll9kdu509eum", "xbj3kv35jrawxv32ysr", "xs8a0azh2avyalyzuwd"],
            ),
        ];
        for (radix, tweak, plain, expected) in samples {
            let numerals = |text: &str| text.chars().map(|c| c.to_digit(36).expect("a numeral") as u16).collect();
            let ciphers = [
                encrypt::<Aes128>(&bytes(&KEY[..32]), radix, &bytes(tweak), numerals(plain)),
                encrypt::<Aes192>(&bytes(&KEY[..48]), radix, &bytes(tweak), numerals(plain)),
                encrypt::<Aes256>(&bytes(KEY), radix, &bytes(tweak), numerals(plain)),
            ];
            for (numerals, expected) in ciphers.into_iter().zip(expected) {
                let numerals = numerals.expect("long enough");
                let text: String =
                    numerals.iter().filter_map(|numeral| LETTERS.chars().nth(usize::from(*numeral))).collect();
                assert_eq!(text, expected);
            }
        }
    }

    #[test]
    fn t1_the_width_of_half_a_string_is_exact_for_every_radix() {
        // The implementation computes b = ⌈⌈v·log2(radix)⌉ / 8⌉ with floats; exactly, it is the bytes of radix^v - 1.
        for radix in 2..=65_536u64 {
            if radix.is_power_of_two() {
                continue;
            }
            let mut power = vec![1u64];
            for v in 1..=64u32 {
                let mut carry = 0u128;
                for limb in &mut power {
                    let product = u128::from(*limb) * u128::from(radix) + carry;
                    (*limb, carry) = (product as u64, product >> 64);
                }
                if carry > 0 {
                    power.push(carry as u64);
                }
                // No power of such a radix is one of 256, so one less has as many bytes.
                let top = power.last().map_or(0, |limb| 8 - limb.leading_zeros() as usize / 8);
                let exact = (power.len() - 1) * 8 + top;
                let float = libm::ceil(f64::from(v) * libm::log2(radix as f64) / 8.0) as usize;
                assert_eq!(float, exact, "radix {radix}, {v} numerals");
            }
        }
    }

    #[test]
    fn t1_fewer_than_a_million_forms_are_refused() {
        for value in ["12345", "AB-12", "abcd", "x", "漢"] {
            assert_eq!(masked(value), Err(TOO_FEW), "{value}");
        }
        for value in ["123456", "AB-1234", "abcde", "漢字"] {
            assert!(masked(value).is_ok(), "{value}");
        }
        assert_eq!(masked("  ").as_deref(), Ok("  "));
        assert_eq!(masked("--").as_deref(), Ok("--"));
        let arabic = masked("٠١٢٣٤٥٦٧").expect("digits of another script");
        assert!(arabic != "٠١٢٣٤٥٦٧" && arabic.chars().all(|c| ('٠'..='٩').contains(&c)), "{arabic}");
    }

    #[test]
    fn shapes_stay_and_no_two_values_meet() {
        let class = |c: char| match c {
            '0'..='9' => '9',
            'A'..='Z' => 'A',
            'a'..='z' => 'a',
            other => other,
        };
        for make in [|i: u32| format!("{i:07}"), |i: u32| format!("AB-{i:04}"), |i: u32| format!("x{i:06}Q")] {
            let values: Vec<String> = (0..5_000).map(make).collect();
            let masks: Vec<String> = values.iter().map(|value| masked(value).expect("long enough")).collect();
            assert_eq!(masks.iter().collect::<HashSet<_>>().len(), values.len());
            for (value, mask) in values.iter().zip(&masks) {
                assert!(mask.chars().map(class).eq(value.chars().map(class)), "{value} became {mask}");
            }
            let same = values.iter().zip(&masks).filter(|(value, mask)| value == mask).count();
            assert!(same < 3, "{same} values stayed");
        }
    }
}
