//! Salted 64-bit fingerprints: a few nanoseconds for a value of usual length.

use crate::rounds;

/// The secret of a run that its fingerprints depend on. No `Debug`, and never written.
#[derive(Clone, Copy)]
pub struct Salt([u64; 2]);

/// Odd numbers with as many ones as zeros, from the digits of π.
const MIX: [u64; 3] = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7345, 0xa409_3822_299f_31d1];
/// Makes letters small, eight at a time. Other characters become others in pairs, which is the same on both sides.
const SMALL: u64 = 0x2020_2020_2020_2020;

impl Salt {
    pub fn new(random: [u8; 16]) -> Self {
        let number = u128::from_le_bytes(random);
        Self([number as u64, (number >> 64) as u64])
    }

    /// The fingerprint of a text without regard to case: a mask that changes nothing but case has changed nothing.
    #[inline]
    pub fn text(self, bytes: &[u8]) -> u64 {
        self.bytes::<SMALL>(bytes)
    }

    /// The fingerprint of bytes as they are.
    #[inline]
    pub fn raw(self, bytes: &[u8]) -> u64 {
        self.bytes::<0>(bytes)
    }

    /// The fingerprint of a number.
    #[inline]
    pub fn number(self, value: u64) -> u64 {
        fold(fold(value ^ self.0[0], MIX[0]) ^ self.0[1], MIX[1])
    }

    /// For fingerprints of prefixes of a text.
    #[inline]
    pub fn prefixes(self, text: &[u8]) -> Prefixes<'_> {
        Prefixes { salt: self, text, state: self.0[0], at: 0 }
    }

    #[inline]
    fn bytes<const OR: u64>(self, bytes: &[u8]) -> u64 {
        let mut state = self.0[0];
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            state = self.word::<OR>(state, u64::from_le_bytes(*word));
        }
        self.last::<OR>(state, bytes, rest.len())
    }

    #[inline]
    fn word<const OR: u64>(self, state: u64, word: u64) -> u64 {
        fold(state ^ (word | OR), MIX[0] ^ self.0[1])
    }

    /// `rest`: how many of the last bytes of all are not in the state, fewer than eight.
    #[inline]
    fn last<const OR: u64>(self, mut state: u64, bytes: &[u8], rest: usize) -> u64 {
        if rest > 0 {
            state = self.word::<OR>(state, tail(bytes, rest));
        }
        fold(state ^ self.0[1] ^ (bytes.len() as u64).wrapping_mul(MIX[2]), MIX[1])
    }
}

/// A text of which longer and longer prefixes are asked for: what they share is read once.
pub struct Prefixes<'a> {
    salt: Salt,
    text: &'a [u8],
    state: u64,
    /// Bytes of the text that are in the state, in eights.
    at: usize,
}

impl Prefixes<'_> {
    /// [`Salt::text`] of the first `length` bytes; no call may ask for fewer than the one before.
    #[inline]
    pub fn to(&mut self, length: usize) -> u64 {
        let (words, rest) = self.text[self.at..length].as_chunks::<8>();
        for word in words {
            self.state = self.salt.word::<SMALL>(self.state, u64::from_le_bytes(*word));
        }
        self.at = length - rest.len();
        self.salt.last::<SMALL>(self.state, &self.text[..length], rest.len())
    }
}

/// The last `rest` bytes, 1 to 7, as a word.
#[inline]
fn tail(bytes: &[u8], rest: usize) -> u64 {
    if let Some(last) = bytes.last_chunk::<8>() {
        return u64::from_le_bytes(*last) >> (64 - 8 * rest);
    }
    // All there is is the rest.
    rounds::short(bytes)
}

/// Both halves of a product, joined: every bit of the inputs reaches every bit of the result.
#[inline]
fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_of_a_text_have_the_fingerprints_of_texts() {
        let salt = Salt::new([7; 16]);
        let text = b"Every beginning of this text, from none of it to all of it.";
        let mut prefixes = salt.prefixes(text);
        let mut seen = std::collections::HashSet::new();
        for length in 0..=text.len() {
            let print = prefixes.to(length);
            assert_eq!(print, salt.text(&text[..length]), "{length}");
            assert!(seen.insert(print), "{length}");
        }
        // Zeros at the end are not nothing.
        assert_ne!(salt.raw(b"a"), salt.raw(b"a\0"));
        assert_ne!(salt.raw(b""), salt.raw(b"\0"));
    }
}
