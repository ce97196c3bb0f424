//! `iban/1`: international bank account numbers (ISO 13616).
//!
//! The part the country defines goes through the pattern permutation of the country; check digits are made anew, those
//! inside the national part too where they are checked in practice: BE, ES, FR, IT, NO, PT. An account number whose check
//! digits are wrong, or whose letters and digits do not stand where its country has them, is not read.
//!
//! Frozen: the payload is the national part without the inner check digits, in upper case; its tweak is `pat`, `iban`, the
//! country, then the class of each character. In Norway the permutation is repeated until the check digit exists and the
//! bank is not 0000. The check digits are `98 - mod 97`.

use super::Kind;
use super::canon::is_telling;
use super::column::Compile;
use super::leaf::{At, ON_INVALID, TEXT, TextKind, TextMask};
use super::national::italian_control;
use super::pattern::{Pattern, PatternMemo};
use std::ops::Range;

pub(super) static IBAN: Kind = Kind {
    name: "iban",
    remains: |_| super::Remains::Rare { bits: 24 },
    summary: "Permutes bank account numbers (IBAN) inside their country; spaces stay, mod 97 holds, and so do the inner check digits of BE, ES, FR, IT, NO and PT",
    params: &[ON_INVALID],
    samples: &["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432", "NL91ABNA0417164300"],
    compile: |compile| TextMask::boxed(compile, Iban::new(compile)),
    ..TEXT
};

/// Longest number there may be.
const SYMBOLS_MAX: usize = 34;
/// Country and check digits stand before the national part.
const HEAD: usize = 4;

/// Country, length, and form of the national part: `n` digits, `a` letters, `c` either (SWIFT IBAN registry 101). New
/// countries need a new version of the kind.
const COUNTRIES: &[(&str, usize, &str)] = &[
    ("AD", 24, "8n12c"),
    ("AE", 23, "19n"),
    ("AL", 28, "8n16c"),
    ("AT", 20, "16n"),
    ("AZ", 28, "4a20c"),
    ("BA", 20, "16n"),
    ("BE", 16, "12n"),
    ("BG", 22, "4a6n8c"),
    ("BH", 22, "4a14c"),
    ("BI", 27, "23n"),
    ("BR", 29, "23n1a1c"),
    ("BY", 28, "4c4n16c"),
    ("CH", 21, "5n12c"),
    ("CR", 22, "18n"),
    ("CY", 28, "8n16c"),
    ("CZ", 24, "20n"),
    ("DE", 22, "18n"),
    ("DJ", 27, "23n"),
    ("DK", 18, "14n"),
    ("DO", 28, "4c20n"),
    ("EE", 20, "16n"),
    ("EG", 29, "25n"),
    ("ES", 24, "20n"),
    ("FI", 18, "14n"),
    ("FK", 18, "2a12n"),
    ("FO", 18, "14n"),
    ("FR", 27, "10n11c2n"),
    ("GB", 22, "4a14n"),
    ("GE", 22, "2a16n"),
    ("GI", 23, "4a15c"),
    ("GL", 18, "14n"),
    ("GR", 27, "7n16c"),
    ("GT", 28, "24c"),
    ("HN", 28, "4a20n"),
    ("HR", 21, "17n"),
    ("HU", 28, "24n"),
    ("IE", 22, "4a14n"),
    ("IL", 23, "19n"),
    ("IQ", 23, "4a15n"),
    ("IS", 26, "22n"),
    ("IT", 27, "1a10n12c"),
    ("JO", 30, "4a4n18c"),
    ("KW", 30, "4a22c"),
    ("KZ", 20, "3n13c"),
    ("LB", 28, "4n20c"),
    ("LC", 32, "4a24c"),
    ("LI", 21, "5n12c"),
    ("LT", 20, "16n"),
    ("LU", 20, "3n13c"),
    ("LV", 21, "4a13c"),
    ("LY", 25, "21n"),
    ("MC", 27, "10n11c2n"),
    ("MD", 24, "20c"),
    ("ME", 22, "18n"),
    ("MK", 19, "3n10c2n"),
    ("MN", 20, "16n"),
    ("MR", 27, "23n"),
    ("MT", 31, "4a5n18c"),
    ("MU", 30, "4a19n3a"),
    ("NI", 28, "4a20n"),
    ("NL", 18, "4a10n"),
    ("NO", 15, "11n"),
    ("OM", 23, "3n16c"),
    ("PK", 24, "4a16c"),
    ("PL", 28, "24n"),
    ("PS", 29, "4a21c"),
    ("PT", 25, "21n"),
    ("QA", 29, "4a21c"),
    ("RO", 24, "4a16c"),
    ("RS", 22, "18n"),
    ("RU", 33, "14n15c"),
    ("SA", 24, "2n18c"),
    ("SC", 31, "4a20n3a"),
    ("SD", 18, "14n"),
    ("SE", 24, "20n"),
    ("SI", 19, "15n"),
    ("SK", 24, "20n"),
    ("SM", 27, "1a10n12c"),
    ("SO", 23, "19n"),
    ("ST", 25, "21n"),
    ("SV", 28, "4a20n"),
    ("TL", 23, "19n"),
    ("TN", 24, "20n"),
    ("TR", 26, "6n16c"),
    ("UA", 29, "6n19c"),
    ("VA", 22, "18n"),
    ("VG", 24, "4a16n"),
    ("XK", 20, "16n"),
    ("YE", 30, "4a4n18c"),
];

/// The letters and digits of a number, in upper case.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Account {
    symbols: [u8; SYMBOLS_MAX],
    len: usize,
}

impl Account {
    fn read(text: &str) -> Option<Self> {
        let mut account = Self { symbols: [0; SYMBOLS_MAX], len: 0 };
        for c in text.chars() {
            if c.is_ascii_alphanumeric() {
                *account.symbols.get_mut(account.len)? = c.to_ascii_uppercase() as u8;
                account.len += 1;
            } else if is_telling(c) {
                return None;
            }
        }
        account.has_form().then_some(account)
    }

    fn country(&self) -> &[u8] {
        &self.symbols[..2]
    }

    /// Length and characters are those of the country.
    fn has_form(&self) -> bool {
        let found = COUNTRIES.binary_search_by(|country| country.0.as_bytes().cmp(self.country()));
        let Some((_, length, form)) = found.ok().map(|index| COUNTRIES[index]) else { return false };
        let mut at = HEAD;
        let mut count = 0;
        for class in form.bytes() {
            if class.is_ascii_digit() {
                count = count * 10 + usize::from(class - b'0');
                continue;
            }
            let fits = |symbol: &u8| match class {
                b'n' => symbol.is_ascii_digit(),
                b'a' => symbol.is_ascii_uppercase(),
                _ => true,
            };
            if self.len != length || !self.symbols[at..at + count].iter().all(fits) {
                return false;
            }
            at += count;
            count = 0;
        }
        self.symbols[2..HEAD].iter().all(u8::is_ascii_digit)
    }

    fn national(&self) -> &[u8] {
        &self.symbols[HEAD..self.len]
    }

    /// Makes the check digits anew; false if there are none for this account.
    fn check(&mut self) -> bool {
        let country = [self.symbols[0], self.symbols[1]];
        if !put_inner_check(&country, &mut self.symbols[HEAD..self.len]) {
            return false;
        }
        let check = 98 - mod97(self.national().iter().chain(&country).chain(b"00").copied());
        put(&mut self.symbols[2..HEAD], check);
        true
    }

    fn is_valid(&self) -> bool {
        let mut again = *self;
        again.check() && again == *self
    }
}

/// The remainder of a number in which A to Z stand for 10 to 35.
fn mod97(symbols: impl Iterator<Item = u8>) -> u64 {
    symbols.fold(0, |rest, symbol| match symbol {
        b'0'..=b'9' => (rest * 10 + u64::from(symbol - b'0')) % 97,
        _ => (rest * 100 + u64::from(symbol - b'A') + 10) % 97,
    })
}

/// Writes a number in digits, with leading zeros.
fn put(digits: &mut [u8], mut value: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Where the national part has check digits of its own.
fn inner_check(country: &[u8]) -> Range<usize> {
    match country {
        b"BE" => 10..12,
        b"ES" => 8..10,
        b"FR" => 21..23,
        b"IT" => 0..1,
        b"NO" => 10..11,
        b"PT" => 19..21,
        _ => 0..0,
    }
}

/// The value of a letter in the key of a French account: the alphabet goes over 1 to 9 three times, the last from 2.
fn french_digit(symbol: u8) -> u8 {
    match symbol {
        b'0'..=b'9' => symbol,
        b'A'..=b'R' => b'1' + (symbol - b'A') % 9,
        _ => b'2' + (symbol - b'S'),
    }
}

/// A digit of a Spanish account: weights are the powers of 2 modulo 11.
fn spanish_check(digits: &[u8]) -> u64 {
    let weights = [1, 2, 4, 8, 5, 10, 9, 7, 3, 6];
    let sum: u64 = digits.iter().zip(weights).map(|(digit, weight)| u64::from(digit - b'0') * weight).sum();
    match sum % 11 {
        rest @ (0 | 1) => rest,
        rest => 11 - rest,
    }
}

/// Makes the check digits of a national part anew; false if there are none for this account.
fn put_inner_check(country: &[u8], national: &mut [u8]) -> bool {
    let at = inner_check(country);
    let digits = |national: &[u8], end: usize| mod97(national[..end].iter().copied());
    let check = match country {
        b"BE" => match digits(national, at.start) {
            0 => 97,
            rest => rest,
        },
        b"ES" => {
            let mut bank = *b"0000000000";
            bank[2..].copy_from_slice(&national[..8]);
            spanish_check(&bank) * 10 + spanish_check(&national[10..])
        }
        b"FR" => 97 - mod97(national[..at.start].iter().map(|symbol| french_digit(*symbol)).chain(*b"00")),
        b"IT" => {
            national[0] = italian_control(&national[1..]);
            return true;
        }
        b"NO" => {
            let weights = [5, 4, 3, 2, 7, 6, 5, 4, 3, 2];
            let sum: u64 = national.iter().zip(weights).map(|(digit, weight)| u64::from(digit - b'0') * weight).sum();
            let check = (11 - sum % 11) % 11;
            if check == 10 || national.starts_with(b"0000") {
                return false;
            }
            check
        }
        b"PT" => 98 - mod97(national[..at.start].iter().copied().chain(*b"00")),
        _ => return true,
    };
    put(&mut national[at], check);
    true
}

/// The number of letters and digits of an account number that begins with this country; none for others.
pub(super) fn length(country: &[u8]) -> Option<usize> {
    let known = COUNTRIES.binary_search_by(|known| known.0.as_bytes().cmp(country)).ok()?;
    Some(COUNTRIES[known].1)
}

/// Tells whether a text is a valid account number.
pub(super) fn is_iban(text: &str) -> bool {
    Account::read(text).is_some_and(|account| account.is_valid())
}

struct Iban(Pattern);

impl Iban {
    fn new(compile: &Compile<'_>) -> Self {
        Self(Pattern::of_kind(compile.realm, "iban/1", &compile.spec.label))
    }
}

/// Buffers of one worker: the payload before and after one pass.
#[derive(Default)]
struct IbanMemo {
    pattern: PatternMemo,
    payload: String,
    permuted: String,
}

impl TextKind for Iban {
    type Scratch = IbanMemo;

    fn mask(&self, value: &str, _at: At<'_>, memo: &mut IbanMemo, out: &mut String) -> bool {
        let Some(mut account) = Account::read(value).filter(Account::is_valid) else { return false };
        let IbanMemo { pattern, payload, permuted } = memo;
        let country = [account.symbols[0], account.symbols[1]];
        let inner = inner_check(&country);
        payload.clear();
        payload.extend(account.national()[..inner.start].iter().map(|symbol| char::from(*symbol)));
        payload.extend(account.national()[inner.end..].iter().map(|symbol| char::from(*symbol)));
        loop {
            permuted.clear();
            self.0.push_permuted_after(&[b"iban".as_slice(), &country].concat(), payload, pattern, permuted);
            let (before, after) = permuted.as_bytes().split_at(inner.start);
            account.symbols[HEAD..HEAD + inner.start].copy_from_slice(before);
            account.symbols[HEAD + inner.end..account.len].copy_from_slice(after);
            if account.check() {
                break;
            }
            std::mem::swap(payload, permuted);
        }
        let mut symbols = account.symbols.iter();
        for c in value.chars() {
            let symbol = if c.is_ascii_alphanumeric() { symbols.next().copied().map(char::from) } else { None };
            out.push(
                symbol.map_or(c, |symbol| if c.is_ascii_lowercase() { symbol.to_ascii_lowercase() } else { symbol }),
            );
        }
        true
    }

    fn reads(&self, value: &str, _memo: &mut IbanMemo) -> bool {
        is_iban(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::tests::one;
    use std::collections::HashSet;

    /// Examples of the SWIFT registry and of national banks.
    const EXAMPLES: &[&str] = &[
        "AD1200012030200359100100",
        "AT611904300234573201",
        "BE68539007547034",
        "BR1800360305000010009795493C1",
        "CH9300762011623852957",
        "DE89370400440532013000",
        "ES9121000418450200051332",
        "FI2112345600000785",
        "FR1420041010050500013M02606",
        "GB29NWBK60161331926819",
        "GR1601101250000000012300695",
        "IT60X0542811101000000123456",
        "LC55HEMM000100010012001200023015",
        "MT84MALT011000012345MTLCAST001S",
        "MU17BOMM0101101030300200000MUR",
        "NL91ABNA0417164300",
        "NO9386011117947",
        "PL61109010140000071219812874",
        "PT50000201231234567890154",
        "SE4550000000058398257466",
        "TR330006100519786457841326",
        "UA213223130000026007233566001",
        "XK051212012345678906",
    ];

    #[test]
    fn masks_match_the_golden_vectors() {
        assert_eq!(one("iban", "DE89370400440532013000"), "DE14670662074348509368");
        assert_eq!(one("iban", "GB82WEST12345698765432"), "GB04RCIE00608690915674");
        assert_eq!(one("iban", "DE89 3704 0044 0532 0130 00"), "DE14 6706 6207 4348 5093 68");
        assert_eq!(one("iban", "gb82west12345698765432"), "gb04rcie00608690915674");
    }

    #[test]
    fn valid_numbers_become_valid_numbers_of_their_country() {
        for text in EXAMPLES {
            assert!(is_iban(text), "{text}");
            let mask = one("iban", text);
            assert!(is_iban(&mask) && mask[..2] == text[..2] && mask != *text, "{text} became {mask}");
            let classes = |text: &str| text.chars().skip(4).map(|c| c.is_ascii_digit()).collect::<Vec<_>>();
            assert!(classes(&mask) == classes(text) || text.starts_with("IT"), "{text} became {mask}");
        }
    }

    #[test]
    fn numbers_with_a_wrong_digit_anywhere_are_not_read() {
        for text in EXAMPLES {
            for at in 2..text.len() {
                let mut wrong = text.as_bytes().to_vec();
                wrong[at] = if wrong[at] == b'1' { b'2' } else { b'1' };
                let wrong = String::from_utf8(wrong).expect("ASCII");
                assert!(!is_iban(&wrong), "{wrong}");
                assert!(!is_iban(&one("iban", &wrong)), "{wrong} became valid");
            }
            assert!(!is_iban(&text[..text.len() - 1]) && !is_iban(&format!("{text}0")));
        }
        // Right check digits over a wrong inner check, unknown countries, other scripts, checks outside 02 to 98.
        for text in [
            "ES5321000418460200051332",
            "BE21539007547035",
            "ZZ89370400440532013000",
            "DE",
            "",
            "ＤE89370400440532013000",
        ] {
            assert!(!is_iban(text), "{text}");
        }
    }

    #[test]
    fn countries_are_sorted_and_their_forms_have_their_length() {
        assert!(COUNTRIES.is_sorted_by(|a, b| a.0 < b.0));
        for (country, length, form) in COUNTRIES {
            let counts = form.split(|c: char| c.is_ascii_alphabetic()).filter_map(|count| count.parse::<usize>().ok());
            assert_eq!(counts.sum::<usize>() + HEAD, *length, "{country}");
            assert!(*length <= SYMBOLS_MAX);
        }
    }

    #[test]
    fn every_account_of_a_small_series_gets_its_own_mask() {
        let masks: HashSet<String> = (0..5_000u64)
            .map(|serial| {
                let mut account = Account { symbols: [0; SYMBOLS_MAX], len: 15 };
                account.symbols[..15].copy_from_slice(format!("NO008601{serial:06}0").as_bytes());
                account.check().then(|| String::from_utf8(account.symbols[..15].to_vec()).expect("ASCII"))
            })
            .map(|text| text.map_or_else(String::new, |text| one("iban", &text)))
            .collect();
        let valid = masks.iter().filter(|mask| is_iban(mask)).count();
        assert!(valid == masks.len() - 1 && valid > 4_400, "{valid}");
    }
}
