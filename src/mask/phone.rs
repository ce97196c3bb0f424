//! `phone/1`: telephone numbers by country code and national number (ITU-T E.164).
//!
//! Around a number may stand `tel:` (RFC 3966), which stays, and an extension: `ext 5`, `x5`, `;ext=5`, `#5`. Its digits are
//! masked by pattern/1 under `K_dom("pattern/1", label)`, so the number gets the mask it has without.

use super::Kind;
use super::account::{number, push_digits, spread};
use super::canon::is_telling;
use super::column::{ColumnMask, Compile, CompileError};
use super::key::DomainKey;
use super::kind::{Domain, Param};
use super::lanes::Queue;
use super::leaf::{Asks, At, ON_INVALID, TEXT, TextMask};
use super::pattern::{Pattern, PatternMemo};
use super::token::{PermCache, PermMemo};
use std::ops::Range;
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
/// Digits of an extension.
const EXTENSION_MAX: usize = 7;
/// What an extension begins with.
const EXTENSIONS: [&str; 5] = ["extension", "extn", "ext", "x", "#"];
/// Digits permuted at least; fewer would be a list one can try.
const PERMUTED_MIN: usize = 4;

struct Phone {
    key: DomainKey,
    cache: Arc<PermCache>,
    /// Masks extensions.
    pattern: Pattern,
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
        pattern: Pattern::new(compile.realm, &compile.spec.label),
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

/// Digits begin with the code of a country known here, North America not counted: its numbers have one length.
pub(super) fn is_country(digits: &str) -> bool {
    REGIONS.iter().any(|(_, code, _)| *code != "1" && digits.starts_with(code))
}

/// This is the code of a country whose areas are written behind a 0 at home.
pub(super) fn has_trunk(country: &str) -> bool {
    trunk_is_zero(country.as_bytes())
}

/// Tells whether the area of a country is written behind a 0 at home.
fn trunk_is_zero(country: &[u8]) -> bool {
    REGIONS.iter().any(|(_, code, trunk)| code.as_bytes() == country && *trunk == "0")
}

/// Where the number ends and where the digits of its extension stand; none without an extension.
fn extension(value: &str) -> Option<(usize, Range<usize>)> {
    let end = value.trim_end_matches(' ').len();
    let count = value[..end].bytes().rev().take_while(u8::is_ascii_digit).take(EXTENSION_MAX + 1).count();
    let start = end - count;
    let before = value[..start].trim_end_matches([' ', '.', ':', '=']);
    let marked = EXTENSIONS.iter().find_map(|word| {
        let at = before.len().checked_sub(word.len())?;
        before.as_bytes()[at..].eq_ignore_ascii_case(word.as_bytes()).then_some(at)
    });
    let number = before[..marked?].trim_end_matches([' ', ',', ';']).len();
    (1..=EXTENSION_MAX).contains(&count).then_some((number, start..end))
}

/// A number with what stands around it.
struct Found {
    parsed: Parsed,
    /// Where it stands.
    number: Range<usize>,
    /// Where the digits of its extension stand.
    extension: Option<Range<usize>>,
}

impl Phone {
    fn find(&self, value: &str) -> Option<Found> {
        let start = match value.get(..4) {
            Some(scheme) if scheme.eq_ignore_ascii_case("tel:") => 4,
            _ => 0,
        };
        if let Some((end, digits)) = extension(value)
            && let Some(parsed) = value.get(start..end).and_then(|number| self.parse(number))
        {
            return Some(Found { parsed, number: start..end, extension: Some(digits) });
        }
        let parsed = self.parse(&value[start..])?;
        Some(Found { parsed, number: start..value.len(), extension: None })
    }

    fn parse(&self, value: &str) -> Option<Parsed> {
        let mut digits = [0u8; DIGITS_MAX];
        let mut len = 0;
        let mut plus = false;
        // `(0)` after a country code is the national prefix, written for readers at home; so is the 0 of `(030)`, but in
        // countries where it is part of the number.
        let (mut parenthesized, mut opened) = (None, None);
        let mut previous = ' ';
        for (at, c) in value.char_indices() {
            if c.is_ascii_digit() {
                *digits.get_mut(len)? = c as u8 - b'0';
                if c == '0' && previous == '(' {
                    let alone = value[at + 1..].starts_with(')');
                    *(if alone { &mut parenthesized } else { &mut opened }) = Some(len);
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
                let area = opened == Some(national) && trunk_is_zero(&country[..count]);
                national += usize::from(parenthesized == Some(national) || area);
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
    type Scratch = (PermMemo, PatternMemo);
    type Note = Found;

    fn ask(&self, value: &str, _at: At<'_>, (memo, _): &mut Self::Scratch, queue: &mut Queue) -> Option<Found> {
        let found = self.find(value)?;
        let parsed = &found.parsed;
        let (len, start, keep) = (parsed.len, parsed.national, parsed.keep);
        memo.tweak.clear();
        memo.tweak.extend_from_slice(b"tel");
        memo.tweak.extend_from_slice(parsed.country());
        memo.tweak.extend(parsed.digits[start..start + keep].iter().map(|digit| b'0' + digit));
        memo.tweak.push((len - start) as u8);
        let (all, base) = parsed.domain();
        let tail = &parsed.digits[start + keep..len];
        queue.permute(memo.perm(&self.cache, &self.key, (all - base).into()), (number(tail) - base).into());
        Some(found)
    }

    fn answer(
        &self,
        value: &str,
        Found { mut parsed, number, extension }: Found,
        _at: At<'_>,
        (_, memo): &mut Self::Scratch,
        queue: &mut Queue,
        out: &mut String,
    ) {
        let masked = queue.next_permuted() as u64 + parsed.domain().1;
        let (len, tail) = (parsed.len, parsed.national + parsed.keep);
        spread(masked, &mut parsed.digits[tail..len]);
        out.push_str(&value[..number.start]);
        push_digits(&value[number.clone()], &parsed.digits[..len], out);
        let rest = extension.map_or(number.end, |digits| {
            out.push_str(&value[number.end..digits.start]);
            self.pattern.push(&value[digits.clone()], memo, out);
            digits.end
        });
        out.push_str(&value[rest..]);
    }

    fn reads(&self, value: &str, _scratch: &mut Self::Scratch) -> bool {
        self.find(value).is_some()
    }
}

#[cfg(test)]
mod tests {
    use crate::mask::tests::{one, value};

    fn german(text: &str) -> String {
        value("phone", r#"{"region":"DE"}"#, None, text).expect("a mask")
    }

    #[test]
    fn a_number_keeps_its_mask_beside_an_extension_and_a_scheme() {
        let (number, five) = (one("phone", "+1 212 555 0100"), one("pattern", "5"));
        for (before, after) in [
            ("", " ext 5"),
            ("", " ext. 5 "),
            ("", " Extension: 5"),
            ("", ", extn 5"),
            ("", "x5"),
            ("", " x5"),
            ("", " #5"),
            ("", ";ext=5"),
            ("tel:", ""),
            ("TEL:", ";ext=5"),
        ] {
            let want = format!("{before}{number}{}", after.replace('5', &five));
            assert_eq!(one("phone", &format!("{before}+1 212 555 0100{after}")), want);
        }
        let long = one("phone", "+1 212 555 0100 x4711");
        assert_eq!(long, format!("{number} x{}", one("pattern", "4711")));
        let extensions: std::collections::HashSet<String> =
            (0..1_000).map(|n| one("phone", &format!("+49 30 1234567 x{n}"))).collect();
        assert_eq!(extensions.len(), 1_000);
        // Neither a number nor an extension: nothing stays readable.
        for text in
            ["x5", "ext 5", "#5", "+1 212 555 0100 y5", "+1 212 555 0100 x", "tel:", "+1 212 555 0100 x12345678"]
        {
            assert_eq!(value("phone", r#"{"on_invalid":"null"}"#, None, text), None, "{text}");
        }
        // What an extension leaves over is no number here, but all of it is.
        assert_eq!(german("030 # 1234567").replace(" #", ""), german("030 1234567"));
    }

    #[test]
    fn the_zero_in_front_of_an_area_is_no_part_of_the_number() {
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let plain = digits(&one("phone", "+49 30 1234567"));
        let written = one("phone", "+49 (030) 1234567");
        assert!(written.starts_with("+49 (030) ") && digits(&written)[5..] == plain[4..], "{written}");
        assert_eq!(digits(&one("phone", "0049 (030) 1234567"))[7..], plain[4..]);
        // In Italy it is one.
        let italian = (digits(&one("phone", "+39 (06) 1234567")), digits(&one("phone", "+39 06 1234567")));
        assert_eq!(italian.0, italian.1);
    }
}
