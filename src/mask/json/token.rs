//! Tokens as keys of documents: what a generator drew, and no name of a field.

/// Shortest token, in letters and digits, and the least of it without `_` and `-`: codes of things are groups of few signs.
const LENGTH_MIN: usize = 16;
const GROUP_MIN: usize = 10;
/// Fewest digits: names of fields have one, or several at their end.
const DIGITS_MIN: usize = 2;
/// Fewest letters of a token in one case: a number with a letter or two is that of a thing.
const LETTERS_MIN: usize = 3;
/// Neighbours of different kinds (small letters, capitals, digits): at least so many, and so many of a hundred. Of random
/// ones in both cases 62 of a hundred are, of names in camel case with digits 20 to 45.
const CHANGES_MIN: usize = 10;
const CHANGES_SHARE: usize = 46;
/// The same in one case, where only digits make changes.
const ONE_CASE_MIN: usize = 8;
const ONE_CASE_SHARE: usize = 30;
/// Of hex digits alone, which make no word of sixteen letters.
const HEX_MIN: usize = 5;

/// Whether a key is drawn at random, by how often small letters, capitals and digits follow each other: no word of any
/// language is asked for, as names of fields are abbreviated (`OrgnlPmtInfAndSts`). A UUID is none: it names a thing, and is
/// said by other tables as well.
///
/// Found are, of random letters and digits in both cases, 85 of a hundred where there are 22, 96 of 32, 41 of 16; of 22 with
/// `_` and `-` 77; of hex digits 89 of 16 and all of 32; of ULIDs 88, of 25 small letters and digits 79, of base32 in small
/// letters 53 of 26. One without digits is never found: a compound of capitals and small letters is a name too.
pub(super) fn is_token(key: &str) -> bool {
    let sign = |byte: &u8| matches!(byte, b'_' | b'-');
    let shaped = key.len() >= LENGTH_MIN && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || sign(&byte));
    let digits = key.bytes().filter(u8::is_ascii_digit).count();
    if !shaped || digits < DIGITS_MIN || is_uuid(key) {
        return false;
    }
    let count = |kind: fn(&u8) -> bool| key.bytes().filter(kind).count();
    let (small, capitals) = (count(u8::is_ascii_lowercase), count(u8::is_ascii_uppercase));
    let letters = small + capitals;
    let inner = key.trim_end_matches(|c: char| c.is_ascii_digit()).bytes().any(|byte| byte.is_ascii_digit());
    if letters + digits < LENGTH_MIN || !inner {
        return false;
    }
    let (mut neighbours, mut changes) = (0, 0);
    for pair in key.as_bytes().windows(2).filter(|pair| !pair.iter().any(sign)) {
        neighbours += 1;
        changes += usize::from(kind(pair[0]) != kind(pair[1]));
    }
    let grouped = letters + digits < key.len();
    let many = |least: usize, share: usize| changes >= least && changes * 100 >= neighbours * share;
    if small > 0 && capitals > 0 {
        let long = key.as_bytes().split(sign).any(|group| group.len() >= GROUP_MIN);
        return long && many(CHANGES_MIN, CHANGES_SHARE);
    }
    let hex = key.bytes().all(|byte| byte.is_ascii_hexdigit());
    !grouped && letters >= LETTERS_MIN && if hex { changes >= HEX_MIN } else { many(ONE_CASE_MIN, ONE_CASE_SHARE) }
}

/// Small letter, capital, or digit.
fn kind(byte: u8) -> (bool, bool) {
    (byte.is_ascii_lowercase(), byte.is_ascii_uppercase())
}

fn is_uuid(key: &str) -> bool {
    let place = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    key.len() == 36 && key.bytes().enumerate().all(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_drawn_at_random_is_a_token() {
        for key in [
            "a4aycy80yOGda4BOy1oyV0",
            "aBcD3fGh1JkLmN0pQrSt",
            "clh3x8q2p0000v9l5k7t1w4z6",
            "K9fT2mXq7LpR4vZw8NcB1y",
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
            // Compounds, and names of which only consonants are left.
            "Gesellschaftsform",
            "Durchschnittspreis",
            "Wirtschaftszweig",
            "rechnungsanschriftPlz",
            "Rechnungsanschrift",
            "Durchschnittswert",
            "Ausschreibungsnummer",
            "Grundstuecksverkehrsgenehmigung2",
            "Rechtsschutzversicherungsgesellschaft",
            "gemeenteVanInschrijving",
            "datumEersteInschrijvingGBA",
            "arbeidsongeschiktheidsverzekering",
            "CstmrCdtTrfInitn",
            "FIToFICstmrCdtTrf",
            "TtlIntrBkSttlmAmt",
            "OrgnlPmtInfAndSts",
            "CdtTrfTxInfDbtrAgtAcct",
            "BkToCstmrDbtCdtNtfctn",
            "isUSCitizenOrLPR",
            "custAcctNbr4Dgts",
            "mp4H264AacLc128k",
            "XMLHttpRequestV2",
            "iPhone14ProMax256GB",
            "iso3166Alpha2CountryCodeV2",
            "s3BucketUSEast1Key2",
            "x509CertSHA1And256",
            "tls12Ecdhe256RsaAes",
            "http2Or3OverTLS13",
            "addr1line2street3",
            "X-GitHub-Api-Version-2022-11-28",
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
    fn most_keys_that_were_drawn_are_found() {
        let mut state = 1_u64;
        let mut below = |most: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % most
        };
        let alphabet = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        for (signs, length, percent) in [(62, 22, 20), (62, 32, 8), (16, 16, 16), (16, 32, 1), (16, 40, 1)] {
            let mut drawn = || (0..length).map(|_| char::from(alphabet[below(signs)])).collect::<String>();
            let missed = (0..2_000).filter(|_| !is_token(&drawn())).count();
            assert!(missed <= percent * 20, "{missed} of 2000: {length} of {signs} signs");
        }
    }
}
