//! Names by their words, in whatever order and with whatever between them somebody wrote them down.
//!
//! "Ann Miller", "Miller, Ann", a line for each and two cells of a table are one name. Its fingerprint is the sum of those of
//! its words, so every order of first and last name is met with one look, however many words each of them has.

use super::fingerprint::Salt;
use super::form;

/// Words of a name.
pub(super) const WORDS_MAX: usize = 6;
/// Bytes of a name, and of a run of words that may be one.
pub(super) const BYTES_MAX: usize = 160;

/// What stands between two words of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    /// First and last name may stand on its two sides.
    Apart,
    /// Both are of one part: `Anna-Lena`, `O'Brien`, `J.R.`. Words that are joined like this only are compared as they are
    /// written: so are names in programs and in addresses, and masks of addresses are made of names.
    Close,
    /// Not within a name: `ann_miller`, `ann/miller`.
    Barred,
}

/// What a text between two words is.
pub(super) fn gap(between: &str) -> Gap {
    let close = |symbol| matches!(symbol, '-' | '.' | '\'' | '’' | '‐' | '‑' | '\u{300}'..='\u{36f}');
    let barred = |symbol| matches!(symbol, '.' | '_' | '/' | '\\' | '@' | '=' | '&' | '%' | '+' | '#' | '~' | '$');
    if between == " " || between.chars().any(char::is_whitespace) {
        Gap::Apart
    } else if between.chars().all(close) {
        Gap::Close
    } else if between.chars().any(barred) {
        Gap::Barred
    } else {
        Gap::Apart
    }
}

/// The words of a run, in no order.
#[derive(Clone, Copy)]
pub(super) struct Bag {
    sum: u64,
    words: usize,
    apart: bool,
    barred: bool,
}

impl Bag {
    /// One word, by its fingerprint.
    #[inline]
    pub fn word(print: u64) -> Self {
        Self { sum: print, words: 1, apart: false, barred: false }
    }

    #[inline]
    pub fn join(self, gap: Gap, print: u64) -> Self {
        Self {
            sum: self.sum.wrapping_add(print),
            words: self.words + 1,
            apart: self.apart || gap == Gap::Apart,
            barred: self.barred || gap == Gap::Barred,
        }
    }

    /// The fingerprint of the name these words are; none if they are to be compared as they are written.
    #[inline]
    pub fn print(self, salt: Salt) -> Option<u64> {
        (self.apart && !self.barred && self.words <= WORDS_MAX).then(|| salt.number(self.sum))
    }
}

/// The fingerprint of a name that is one text without marks around it, [`form::folded`]; none if it is to be compared as it
/// is written.
pub(super) fn of(salt: Salt, name: &str) -> Option<u64> {
    bag(salt, &[name])?.print(salt)
}

/// The fingerprint of first and last name together, both as for [`of`].
pub(super) fn both(salt: Salt, first: &str, last: &str) -> u64 {
    let bag = bag(salt, &[first, last]).and_then(|bag| bag.print(salt));
    bag.unwrap_or_else(|| salt.text(format!("{first} {last}").as_bytes()))
}

/// The words of parts that stand apart; none if there are digits, or too much.
fn bag(salt: Salt, parts: &[&str]) -> Option<Bag> {
    if parts.iter().map(|part| part.len()).sum::<usize>() > BYTES_MAX {
        return None;
    }
    let mut bag: Option<Bag> = None;
    for part in parts {
        let mut before = None;
        for (start, end) in form::words(part) {
            let word = &part.as_bytes()[start..end];
            if word.iter().any(u8::is_ascii_digit) {
                return None;
            }
            let gap = before.map_or(Gap::Apart, |before| gap(&part[before..start]));
            let print = salt.text(word);
            bag = Some(bag.map_or(Bag::word(print), |bag| bag.join(gap, print)));
            before = Some(end);
        }
    }
    bag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_in_every_order_and_with_every_gap() {
        let salt = Salt::new([7; 16]);
        let name = both(salt, "Anna-Maria", "García Márquez");
        for text in ["García Márquez Anna-Maria", "anna-maria  garcía\nmárquez", "Anna\u{a0}Maria García-Márquez"]
        {
            assert_eq!(of(salt, text), Some(name), "{text}");
        }
        assert_ne!(of(salt, "Anna García Márquez"), Some(name));
        assert_eq!(both(salt, "Ann", "Miller"), both(salt, "miller", "ANN"));
    }

    #[test]
    fn what_is_joined_or_holds_digits_is_compared_as_it_is_written() {
        let salt = Salt::new([7; 16]);
        for text in ["", "Ann", "ann.miller", "ann_miller", "Anna-Maria", "O'Brien", "12 Main Street", "Ann/Bob Miller"]
        {
            assert_eq!(of(salt, text), None, "{text}");
        }
        assert_eq!(both(salt, "Ann/Bob", "Miller"), salt.text(b"ann/bob miller"));
        assert_eq!(of(salt, "J.R. Tolkien"), of(salt, "Tolkien, J. R."));
    }
}
