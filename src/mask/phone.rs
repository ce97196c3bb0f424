//! `phone/1`: telephone numbers by country code and national number (ITU-T E.164).

use super::Kind;
use super::account::{number, push_digits, spread};
use super::canon::is_telling;
use super::column::{ColumnMask, Compile, CompileError};
use super::key::DomainKey;
use super::kind::{Domain, Param};
use super::lanes::Queue;
use super::leaf::{Asks, At, ON_INVALID, TEXT, TextMask};
use super::token::{PermCache, PermMemo};
use std::sync::Arc;

pub(super) static PHONE: Kind = Kind {
    name: "phone",
    remains: phone_remains,
    summary: "Permutes the last digits of telephone numbers; country, area and the way of writing stay",
    params: &[
        Param {
            name: "region",
            summary: "country of numbers written without country code, ISO 3166-1: US, DE",
            domain: Domain::Text,
            default: "numbers without country code go to on_invalid",
        },
        Param {
            name: "keep",
            summary: "leading digits of the national number that stay; in North America at least 3",
            domain: Domain::Integer { min: 1, max: 6, unit: "digits" },
            default: "2",
        },
        ON_INVALID,
    ],
    samples: &["+1 (555) 234-5678", "+49 30 1234567", "0044 20 7946 0958"],
    compile,
    ..TEXT
};

/// Numbers with the same leading digits: seven more in most countries, fewer in small ones, four at least.
fn phone_remains(params: &super::Params) -> super::Remains {
    let keeps = params.get("keep").and_then(serde_json::Value::as_i64).is_some_and(|digits| digits > 3);
    if keeps { super::Remains::Rare { bits: 13 } } else { super::Remains::Subscriber }
}

/// Regions: ISO 3166-1 code, country code, and the prefix of national numbers that is not part of them.
const REGIONS: &[(&str, &str, &str)] = &[
    ("AE", "971", "0"),
    ("AR", "54", "0"),
    ("AT", "43", "0"),
    ("AU", "61", "0"),
    ("BE", "32", "0"),
    ("BG", "359", "0"),
    ("BR", "55", "0"),
    ("CA", "1", "1"),
    ("CH", "41", "0"),
    ("CL", "56", ""),
    ("CN", "86", "0"),
    ("CO", "57", ""),
    ("CZ", "420", ""),
    ("DE", "49", "0"),
    ("DK", "45", ""),
    ("EE", "372", ""),
    ("EG", "20", "0"),
    ("ES", "34", ""),
    ("FI", "358", "0"),
    ("FR", "33", "0"),
    ("GB", "44", "0"),
    ("GR", "30", ""),
    ("HK", "852", ""),
    ("HR", "385", "0"),
    ("HU", "36", "06"),
    ("ID", "62", "0"),
    ("IE", "353", "0"),
    ("IL", "972", "0"),
    ("IN", "91", "0"),
    ("IS", "354", ""),
    ("IT", "39", ""),
    ("JP", "81", "0"),
    ("KE", "254", "0"),
    ("KR", "82", "0"),
    ("LT", "370", "0"),
    ("LU", "352", ""),
    ("LV", "371", ""),
    ("MX", "52", ""),
    ("MY", "60", "0"),
    ("NG", "234", "0"),
    ("NL", "31", "0"),
    ("NO", "47", ""),
    ("NZ", "64", "0"),
    ("PE", "51", "0"),
    ("PH", "63", "0"),
    ("PL", "48", ""),
    ("PT", "351", ""),
    ("RO", "40", "0"),
    ("RS", "381", "0"),
    ("RU", "7", "8"),
    ("SA", "966", "0"),
    ("SE", "46", "0"),
    ("SG", "65", ""),
    ("SI", "386", "0"),
    ("SK", "421", "0"),
    ("TH", "66", "0"),
    ("TR", "90", "0"),
    ("TW", "886", "0"),
    ("UA", "380", "0"),
    ("US", "1", "1"),
    ("VN", "84", "0"),
    ("ZA", "27", "0"),
];

/// Country codes of two digits; 1 and 7 have one, all others three.
const TWO_DIGITS: &[u64] = &[
    20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58, 60, 61, 62,
    63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98,
];

/// Digits of a whole number, prefixes included.
const DIGITS_MAX: usize = 20;
/// Digits of country code and national number (E.164).
const NUMBER_MAX: usize = 15;
/// Digits permuted at least; fewer would be a list one can try.
const PERMUTED_MIN: usize = 4;

struct Phone {
    key: DomainKey,
    cache: Arc<PermCache>,
    region: Option<(&'static str, &'static str)>,
    keep: usize,
}

fn compile(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let region = match compile.word("region") {
        Some(code) => {
            let found = REGIONS.iter().find(|region| region.0.eq_ignore_ascii_case(code));
            let found = found.ok_or_else(|| compile.bad_param("region", "a country code known here, such as US"))?;
            Some((found.1, found.2))
        }
        None => None,
    };
    let phone = Phone {
        key: compile.realm.domain("phone/1", &compile.spec.label),
        cache: compile.realm.shared("phone/1", &compile.spec.label, PermCache::default),
        region,
        keep: compile.number("keep").unwrap_or(2) as usize,
    };
    TextMask::boxed(compile, phone)
}

/// A number taken apart: all digits as written, and where the national number starts among them.
struct Parsed {
    digits: [u8; DIGITS_MAX],
    len: usize,
    /// Country code in ASCII digits.
    country: [u8; 3],
    country_len: usize,
    national: usize,
    /// Leading digits of the national number that stay.
    keep: usize,
}

impl Parsed {
    fn country(&self) -> &[u8] {
        &self.country[..self.country_len]
    }

    fn north_american(&self) -> bool {
        self.country() == b"1"
    }

    /// How many tails there are, and the first one that may be. An exchange of North America starts with 2 to 9, so the
    /// first two tenths of the domain are left out.
    fn domain(&self) -> (u64, u64) {
        let all = 10u64.pow((self.len - self.national - self.keep) as u32);
        (all, if self.north_american() && self.keep == 3 { all / 5 } else { 0 })
    }
}

fn country_len(digits: &[u8]) -> usize {
    match digits {
        [1 | 7, ..] => 1,
        [first, second, ..] if TWO_DIGITS.contains(&u64::from(first * 10 + second)) => 2,
        _ => 3,
    }
}

impl Phone {
    fn parse(&self, value: &str) -> Option<Parsed> {
        let mut digits = [0u8; DIGITS_MAX];
        let mut len = 0;
        let mut plus = false;
        // `(0)` after a country code is the national prefix, written for readers at home.
        let mut parenthesized = None;
        let mut previous = ' ';
        for (at, c) in value.char_indices() {
            if c.is_ascii_digit() {
                *digits.get_mut(len)? = c as u8 - b'0';
                if c == '0' && previous == '(' && value[at + 1..].starts_with(')') {
                    parenthesized = Some(len);
                }
                len += 1;
            } else if c == '+' && len == 0 && !plus {
                plus = true;
            } else if c == '+' || is_telling(c) {
                return None;
            }
            previous = c;
        }
        let all = &digits[..len];
        let mut country = [0u8; 3];
        let (written, region_country, mut national) = if plus {
            (all, None, 0)
        } else if all.starts_with(&[0, 0]) {
            (&all[2..], None, 2)
        } else {
            let (code, trunk) = self.region?;
            let trunk = self.trunk_len(all, code, trunk);
            (&all[trunk..], Some(code), trunk)
        };
        let country_len = match region_country {
            Some(code) => {
                country[..code.len()].copy_from_slice(code.as_bytes());
                code.len()
            }
            None => {
                let count = country_len(written);
                let code = written.get(..count).filter(|code| code[0] != 0)?;
                for (slot, digit) in country.iter_mut().zip(code) {
                    *slot = b'0' + digit;
                }
                national += count;
                national += usize::from(parenthesized == Some(national));
                count
            }
        };
        let mut parsed = Parsed { digits, len, country, country_len, national, keep: self.keep };
        self.accept(&mut parsed).then_some(parsed)
    }

    /// Length of the national prefix a number starts with.
    fn trunk_len(&self, digits: &[u8], code: &str, trunk: &str) -> usize {
        let starts = !trunk.is_empty()
            && digits.len() > trunk.len()
            && trunk.bytes().zip(digits).all(|(prefix, digit)| prefix == b'0' + digit);
        // In North America the prefix is only told from an area code by the length.
        if starts && (code != "1" || digits.len() == 11) { trunk.len() } else { 0 }
    }

    /// Checks the lengths and, in North America, the form of the number.
    fn accept(&self, parsed: &mut Parsed) -> bool {
        let Some(national) = parsed.digits[..parsed.len].get(parsed.national..) else { return false };
        if national.first() == Some(&0) {
            // A mask that began with another national or international prefix would be read as another number.
            parsed.keep = parsed.keep.max(2);
        }
        if parsed.north_american() {
            parsed.keep = parsed.keep.max(3);
            return national.len() == 10 && national[0] >= 2 && national[3] >= 2;
        }
        national.len() >= parsed.keep + PERMUTED_MIN && national.len() + parsed.country_len <= NUMBER_MAX
    }
}

impl Asks for Phone {
    type Scratch = PermMemo;
    type Note = Parsed;

    fn ask(&self, value: &str, _at: At<'_>, memo: &mut PermMemo, queue: &mut Queue) -> Option<Parsed> {
        let parsed = self.parse(value)?;
        let (len, start, keep) = (parsed.len, parsed.national, parsed.keep);
        memo.tweak.clear();
        memo.tweak.extend_from_slice(b"tel");
        memo.tweak.extend_from_slice(parsed.country());
        memo.tweak.extend(parsed.digits[start..start + keep].iter().map(|digit| b'0' + digit));
        memo.tweak.push((len - start) as u8);
        let (all, base) = parsed.domain();
        let tail = &parsed.digits[start + keep..len];
        queue.permute(memo.perm(&self.cache, &self.key, (all - base).into()), (number(tail) - base).into());
        Some(parsed)
    }

    fn answer(
        &self,
        value: &str,
        mut parsed: Parsed,
        _at: At<'_>,
        _memo: &mut PermMemo,
        queue: &mut Queue,
        out: &mut String,
    ) {
        let masked = queue.next_permuted() as u64 + parsed.domain().1;
        let (len, tail) = (parsed.len, parsed.national + parsed.keep);
        spread(masked, &mut parsed.digits[tail..len]);
        push_digits(value, &parsed.digits[..len], out);
    }

    fn reads(&self, value: &str, _memo: &mut PermMemo) -> bool {
        self.parse(value).is_some()
    }
}
