//! Numbers, IBANs and addresses of network cards, whatever their groups are separated by.
//!
//! Each has one form that stands for all: digits alone, without the `00` that others write as `+`; an IBAN without blanks; bytes
//! with colons, as PostgreSQL writes them. Which numbers chance writes is counted by their digits all the same.

use super::fingerprint::Salt;
use super::form;

/// Bytes of a code with all that separates its groups.
const BYTES_MAX: usize = 64;
/// Letters and digits of an IBAN (ISO 13616).
const IBAN: std::ops::RangeInclusive<usize> = 15..=34;
/// Where the first hyphen of a UUID is: some begin as an IBAN does, and are looked for as they are written.
const UUID_HYPHEN: usize = 8;
/// Digits of the address of a network card, and of a long one (EUI-64).
const MAC: usize = 12;
const MAC_LONG: usize = 16;

/// What a byte is within a code.
const LETTER: u8 = 1;
const COLON: u8 = 2;
const DOT: u8 = 4;
/// Blanks, hyphens, slashes and brackets; those of the bytes of a blank that does not break, and of two other hyphens.
const MARK: u8 = 8;
const OTHER: u8 = 16;
const CLASSES: [u8; 256] = {
    let mut classes = [OTHER; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'0'..=b'9' => 0,
            b'a'..=b'z' | b'A'..=b'Z' => LETTER,
            b':' => COLON,
            b'.' => DOT,
            b' ' | b'-' | b'/' | b'(' | b')' | 0xc2 | 0xa0 | 0xe2 | 0x80 | 0x91 | 0x93 => MARK,
            _ => OTHER,
        };
        byte += 1;
    }
    classes
};

/// The fingerprint of the form that stands for all a code is written in, from its first to its last letter or digit; none if
/// it is to be compared as it is written, which may be that form.
#[inline]
pub(super) fn of(salt: Salt, text: &str) -> Option<u64> {
    if may_be(text.as_bytes()) { read(salt, text) } else { None }
}

/// Whether a look at all of it is worth while: nearly all that is not a code ends here.
#[inline]
fn may_be(text: &[u8]) -> bool {
    let [a, b, c, .., last] = text else { return false };
    let (last, length) = (last.is_ascii_digit(), text.len());
    let mac = || match length {
        MAC => true,
        14 | 19 => text[4] == b'.',
        17 | 23 => matches!(text[2], b':' | b'-'),
        _ => false,
    };
    length <= BYTES_MAX
        && match a {
            // Digits, as far as can be told from where they begin and end.
            b'0'..=b'9' => (last && !b.is_ascii_alphabetic()) || mac(),
            b'a'..=b'f' | b'A'..=b'F' if mac() => true,
            b'a'..=b'z' | b'A'..=b'Z' => b.is_ascii_alphabetic() && c.is_ascii_digit() && text[3].is_ascii_digit(),
            _ => false,
        }
}

fn read(salt: Salt, text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    let (mut plain, mut length) = ([0; BYTES_MAX], 0);
    let (mut seen, mut dots) = (0, 0);
    // Bytes are in groups of two or four; what has letters behind longer numbers are words.
    let bytes_of_card = bytes.len() == MAC || bytes[1..].iter().take(4).any(|byte| matches!(byte, b':' | b'-' | b'.'));
    let stops = if bytes[0].is_ascii_digit() && !bytes_of_card { OTHER | LETTER } else { OTHER };
    for byte in bytes {
        let class = CLASSES[usize::from(*byte)];
        if class & stops != 0 {
            return None;
        }
        seen |= class;
        dots += u32::from(class == DOT);
        plain[length] = *byte;
        length += usize::from(class & !LETTER == 0);
    }
    let plain = &plain[..length];
    let letters = seen & LETTER != 0;
    if is_mac(bytes, plain, letters) {
        return Some(salt.text(&with_colons(plain)));
    }
    if seen & COLON != 0 {
        return None;
    }
    if letters {
        let uuid = bytes.get(UUID_HYPHEN) == Some(&b'-');
        return (!uuid && IBAN.contains(&length) && is_iban(plain)).then(|| salt.text(plain));
    }
    // Addresses of the internet have groups that count.
    let groups = || text.split('/').next().unwrap_or(text).split('.');
    if dots == 3 && groups().all(|group| (1..=3).contains(&group.len())) {
        return None;
    }
    let abroad = plain.strip_prefix(form::ABROAD).filter(|_| form::is_abroad(text, length));
    Some(salt.text(abroad.unwrap_or(plain)))
}

fn is_iban(plain: &[u8]) -> bool {
    matches!(plain, [a, b, c, d, ..] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() && c.is_ascii_digit() && d.is_ascii_digit())
}

/// Whether this is how the address of a network card is written: in pairs, in fours with dots, or in one. Digits alone are
/// one with colons only.
fn is_mac(text: &[u8], plain: &[u8], letters: bool) -> bool {
    if !matches!(plain.len(), MAC | MAC_LONG) || !plain.iter().all(u8::is_ascii_hexdigit) {
        return false;
    }
    let groups = |mark: u8, each: usize| text.split(|byte| *byte == mark).all(|group| group.len() == each);
    groups(b':', 2) || (letters && (groups(b'-', 2) || groups(b'.', 4) || (plain.len() == MAC && text.len() == MAC)))
}

fn with_colons(plain: &[u8]) -> Vec<u8> {
    plain.chunks(2).collect::<Vec<_>>().join(&b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_same_in_every_layout() {
        let salt = Salt::new([7; 16]);
        for (one, others) in [
            ("DE12370400440532013000", &["DE12 3704 0044 0532 0130 00", "de12-3704-0044-0532-0130-00"][..]),
            ("08:00:2b:01:02:ff", &["08-00-2B-01-02-FF", "0800.2b01.02ff", "08002B0102FF"]),
            ("LC55HEMM000100010012001200023015", &["LC55 HEMM 0001 0001 0012 0012 0002 3015"]),
            ("4539578763621486", &["4539 5787 6362 1486", "4539-5787-6362-1486", "4539.5787.6362.1486"]),
            ("49305550013", &["49 30 5550013", "0049-30-5550013", "0049 (30) 555 00-13", "49/30/5550013"]),
            ("078051120", &["078-05-1120", "078 05 1120"]),
        ] {
            for text in others {
                assert_eq!(of(salt, text), Some(salt.text(one.as_bytes())), "{text}");
            }
            assert!(of(salt, one).is_none_or(|print| print == salt.text(one.as_bytes())), "{one}");
        }
    }

    #[test]
    fn what_has_groups_that_count_is_compared_as_it_is_written() {
        let salt = Salt::new([7; 16]);
        for text in [
            "10.1.12.123",
            "10.1.12.123/24",
            "2001:db8:0:1::7",
            "12:34:56.789012",
            "12 Main Street",
            "ann1234@acme.test",
            "AB-1234-56",
            "1234567, 1234567",
            "550e8400-e29b-41d4-a716-446655440000",
            "ab128400-e29b-41d4-a716-446655440000",
        ] {
            assert_eq!(of(salt, text), None, "{text}");
        }
    }
}
