//! Tokens as keys of documents: what a generator drew, and no name of a field.

use std::borrow::Cow;

/// Shortest token, and the least of it without `_` and `-`: codes of things are groups of few signs.
const LENGTH_MIN: usize = 16;
const GROUP_MIN: usize = 10;
/// Fewest letters: a number with a letter or two is that of a thing.
const LETTERS_MIN: usize = 4;
/// Letters of a word: shorter ones turn up in every token by chance, and so do the first ones of each.
const WORD_MIN: usize = 3;
const BY_CHANCE: usize = 2;
/// A word has a vowel among so many letters, and most consonants in a row.
const VOWEL_SHARE: usize = 6;
const CONSONANTS_MAX: usize = 4;
/// A name of a field can be read to more than one in so many parts.
const READ_SHARE: usize = 3;

/// Whether a key is drawn at random: long, of letters in both cases or of letters and digits, and not made of words, as
/// `accessTokenExpiresAt2` is. A UUID is none: it names a thing, and is said by other tables as well.
///
/// Of 22 letters and digits in both cases one in fifty is taken for words, of 32 hex digits one in two hundred; of names of
/// fields in programs hardly one in three hundred for a token.
pub(super) fn is_token(key: &str) -> bool {
    let sign = |byte: &u8| matches!(byte, b'_' | b'-');
    let shaped = key.len() >= LENGTH_MIN && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || sign(&byte));
    if !shaped || !key.as_bytes().split(sign).any(is_mixed) || is_uuid(key) {
        return false;
    }
    // CAPITALS alone begin no words.
    let small = match key.bytes().any(|byte| byte.is_ascii_lowercase()) {
        true => Cow::Borrowed(key),
        false => Cow::Owned(key.to_ascii_lowercase()),
    };
    let (mut letters, mut numbers, mut read) = (0, 0, 0);
    for part in parts(small.as_bytes()) {
        match part.first() {
            Some(byte) if byte.is_ascii_digit() => numbers += 1,
            Some(byte) if byte.is_ascii_alphabetic() => {
                letters += part.len();
                read += if is_word(part) { part.len() - BY_CHANCE } else { 0 };
            }
            _ => {}
        }
    }
    letters >= LETTERS_MIN && read * READ_SHARE < letters + numbers
}

/// Whether signs are of more than one kind: small letters, capitals, digits.
fn is_mixed(group: &[u8]) -> bool {
    let kinds: [fn(&u8) -> bool; 3] = [u8::is_ascii_lowercase, u8::is_ascii_uppercase, u8::is_ascii_digit];
    group.len() >= GROUP_MIN && kinds.iter().filter(|kind| group.iter().any(**kind)).count() > 1
}

fn is_uuid(key: &str) -> bool {
    let place = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    key.len() == 36 && key.bytes().enumerate().all(place)
}

/// Runs of digits, of signs, and of letters, these cut where a new word begins: `OAuth2Client` is `O`, `Auth`, `2`, `Client`.
fn parts(key: &[u8]) -> impl Iterator<Item = &[u8]> {
    let begins = |at: usize| {
        let (before, here) = (key[at - 1], key[at]);
        let small_after = key.get(at + 1).is_some_and(u8::is_ascii_lowercase);
        before.is_ascii_digit() != here.is_ascii_digit()
            || before.is_ascii_alphabetic() != here.is_ascii_alphabetic()
            || here.is_ascii_uppercase() && (before.is_ascii_lowercase() || small_after)
    };
    let mut from = 0;
    (1..=key.len()).filter_map(move |at| {
        let ends = at == key.len() || begins(at);
        ends.then(|| &key[std::mem::replace(&mut from, at)..at])
    })
}

/// Whether letters can be spoken.
fn is_word(letters: &[u8]) -> bool {
    let vowel = |byte: &u8| b"aeiouy".contains(&byte.to_ascii_lowercase());
    let vowels = letters.iter().filter(|byte| vowel(byte)).count();
    let spoken = letters.split(vowel).all(|consonants| consonants.len() <= CONSONANTS_MAX);
    letters.len() >= WORD_MIN && vowels * VOWEL_SHARE >= letters.len() && spoken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_drawn_at_random_is_a_token() {
        for key in [
            "GVgeJ9587QDyHOULIEfnpW",
            "a4aycy80yOGda4BOy1oyV0",
            "aBcD3fGh1JkLmN0pQrSt",
            "xRpE97WK5Y5n8pGq",
            "Tq3-vX9kLmZ2pQ_8RtYw4A",
            "9f86d081884c7d659a2feaa0c55ad015",
            "64b7f0c2e1d3a4b5c6d7e8f9",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "LDktKdoQak3Pk0cnXxCltA",
        ] {
            assert!(is_token(key), "{key}");
        }
    }

    #[test]
    fn names_of_fields_and_of_things_are_no_tokens() {
        for key in [
            "accessTokenExpiresAt2",
            "utm_source",
            "i18nKeyForHomepageTitle",
            "sha256Fingerprint",
            "OAuth2ClientCredentials",
            "base64EncodedSHA256Sum",
            "ISO8601DateTimeUTC",
            "billingAddressLine2",
            "MAX_RETRY_COUNT_DB2",
            "isGDPRConsentGiven",
            "lastLoginIPv6Addr",
            "iso3166CountryCode2",
            "ConnectionStringUtf8",
            "internationalization",
            "customer8472619384726",
            "20240115123456789012",
            "order-20240115123456-abc",
            "2024-01-15_2024-02-15",
            "SKU-000123-RED-XL-2",
            "6f9619ff-8b86-d011-b42d-00c04fc964ff",
            "two words and 16 signs",
            "short1A",
        ] {
            assert!(!is_token(key), "{key}");
        }
    }

    #[test]
    fn hardly_any_key_that_was_drawn_is_taken_for_words() {
        let mut state = 1_u64;
        let mut below = |most: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % most
        };
        let alphabet = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        for (signs, length) in [(62, 22), (62, 32), (16, 32), (16, 40)] {
            let mut drawn = || (0..length).map(|_| char::from(alphabet[below(signs)])).collect::<String>();
            let missed = (0..2_000).filter(|_| !is_token(&drawn())).count();
            assert!(missed < 80, "{missed} of 2000: {length} of {signs} signs");
        }
    }
}
