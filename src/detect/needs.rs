//! What a value has to have before it can pass a test: told by one pass over its bytes, so that all values of a table can be
//! searched for what a few are enough of.

use crate::mask::known;
use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Class, Hir, HirKind, Look};
use std::ops::RangeInclusive;

/// What of a value is compared with what tests need.
pub(super) struct Traits {
    /// The ASCII bytes that stand in it, a bit each, and the one it begins with; none: it begins with another.
    bytes: u128,
    first: u128,
    /// Letters and digits of ASCII, and whether the first two of them are letters.
    symbols: usize,
    lettered: bool,
    pub digits: usize,
}

impl Traits {
    pub fn of(value: &str) -> Self {
        let bit = |byte: u8| if byte.is_ascii() { 1 << byte } else { 0 };
        let first = value.bytes().next().map_or(0, bit);
        let lettered = value.bytes().filter(u8::is_ascii_alphanumeric).take(2).all(|byte| byte.is_ascii_alphabetic());
        let mut traits = Self { bytes: 0, first, symbols: 0, lettered, digits: 0 };
        for byte in value.bytes() {
            traits.bytes |= bit(byte);
            traits.symbols += usize::from(byte.is_ascii_alphanumeric());
            traits.digits += usize::from(byte.is_ascii_digit());
        }
        traits
    }
}

/// What every value has that passes a test; many have it that do not.
#[derive(Debug)]
pub(super) struct Needs {
    /// ASCII bytes that all stand in it, and those one of which it begins with.
    bytes: u128,
    first: u128,
    /// How many letters and digits of ASCII it has, and how many letters at most.
    symbols: RangeInclusive<usize>,
    letters: usize,
    /// The first two of them are letters.
    lettered: bool,
    /// What it begins with, one of these; none: whatever.
    starts: Vec<Vec<u8>>,
}

impl Needs {
    /// What values need that match this pattern, and pass this test of [`super::content::is_valid`]. `filled`: zeros are
    /// filled in before.
    pub fn of(pattern: Option<&str>, valid: Option<&str>, filled: bool) -> Self {
        let mut needs = Self {
            bytes: 0,
            first: u128::MAX,
            symbols: 0..=usize::MAX,
            letters: usize::MAX,
            lettered: false,
            starts: Vec::new(),
        };
        if let Some(pattern) = pattern {
            let hir = regex_syntax::parse(pattern).expect("patterns of rules compile");
            needs.bytes = always(&hir);
            if hir.properties().look_set_prefix().contains(Look::Start) {
                needs.begin(&hir);
            }
        }
        match valid {
            Some("email-address" | "email-of-somebody") => needs.bytes |= 1 << b'@',
            Some("credentials-of-somebody") => needs.bytes |= 1 << b'@' | 1 << b':' | 1 << b'/',
            Some("iban" | "iban-of-somebody") => {
                (needs.symbols, needs.letters) = known::size("iban");
                needs.lettered = true;
            }
            Some(test) => {
                (needs.symbols, needs.letters) = known::size(test.strip_suffix("-of-somebody").unwrap_or(test));
            }
            None => {}
        }
        if filled {
            (needs.first, needs.starts) = (u128::MAX, Vec::new());
            needs.symbols = 0..=*needs.symbols.end();
            needs.bytes &= !(1 << b'0');
        }
        needs
    }

    fn begin(&mut self, hir: &Hir) {
        let starts = Extractor::new().extract(hir);
        let Some(starts) = starts.literals().filter(|all| all.iter().all(|one| !one.is_empty())) else { return };
        let ascii = |first: u8| if first.is_ascii() { 1u128 << first } else { 0 };
        self.first = starts.iter().fold(0, |all, one| all | ascii(one.as_bytes()[0]));
        self.starts = starts.iter().map(|one| one.as_bytes().to_vec()).collect();
    }

    /// Whether a value has all that.
    pub fn has(&self, traits: &Traits, value: &str) -> bool {
        traits.bytes & self.bytes == self.bytes
            && (self.first == u128::MAX || traits.first & self.first != 0)
            && self.symbols.contains(&traits.symbols)
            && traits.symbols - traits.digits <= self.letters
            && (traits.lettered || !self.lettered)
            && (self.starts.is_empty() || self.starts.iter().any(|start| value.as_bytes().starts_with(start)))
    }
}

/// The ASCII bytes that stand in all that matches.
fn always(hir: &Hir) -> u128 {
    match hir.kind() {
        HirKind::Literal(literal) => {
            literal.0.iter().filter(|byte| byte.is_ascii()).fold(0, |all, byte| all | 1 << byte)
        }
        HirKind::Class(Class::Unicode(class)) => match class.ranges() {
            [one] if one.start() == one.end() && one.start().is_ascii() => 1 << u32::from(one.start()),
            _ => 0,
        },
        HirKind::Repetition(repeated) if repeated.min > 0 => always(&repeated.sub),
        HirKind::Capture(group) => always(&group.sub),
        HirKind::Concat(parts) => parts.iter().fold(0, |all, part| all | always(part)),
        HirKind::Alternation(ways) => ways.iter().fold(u128::MAX, |all, way| all & always(way)),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::rules::{Content, RULES};
    use super::super::sample::passes;
    use super::*;

    /// Every content of the rules of which a few values are enough.
    fn tests() -> impl Iterator<Item = &'static Content> {
        RULES.detectors.iter().flat_map(|detector| &detector.content).filter(|content| content.few.is_some())
    }

    #[test]
    fn whatever_passes_has_what_is_needed_in_whatever_shape() {
        let examples = [
            "DE44500105175407324931",
            "4539 5787 6362 1486",
            "amqp://shop:t0psecret@queue.nordwind.de/",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA1c7mZ0xJ3yQ0v3n8u0mVtM2yq4",
        ];
        let kinds = crate::mask::KINDS.iter().flat_map(|kind| kind.samples);
        let samples = examples.iter().chain(kinds).map(|value| (*value).to_owned());
        let samples = samples.chain(RULES.detectors.iter().flat_map(|detector| detector.test.values.clone()));
        let shapes = samples.flat_map(|value| {
            let spaced: String = value.chars().flat_map(|c| [c, ' ']).collect();
            let dashed = value.chars().map(String::from).collect::<Vec<_>>().join("-");
            [
                value.to_lowercase(),
                value.to_uppercase(),
                format!("<{value}>"),
                format!("é{value}"),
                spaced,
                dashed,
                value,
            ]
        });
        let mut passed = std::collections::BTreeSet::new();
        for value in shapes {
            let value = value.trim();
            for content in tests().filter(|content| passes(content, value)) {
                assert!(content.needs.has(&Traits::of(value), value), "{}: {value}", content.id);
                passed.insert(&content.id);
            }
        }
        let missing: Vec<_> = tests().filter(|one| !one.most && !passed.contains(&one.id)).map(|one| &one.id).collect();
        assert!(missing.is_empty(), "no value passes: {missing:?}");
    }

    #[test]
    fn what_loses_its_zeros_needs_fewer_digits() {
        let needs = |filled| Needs::of(Some("^0"), Some("nl.bsn"), filled);
        assert!(needs(true).has(&Traits::of("1234567"), "1234567"));
        assert!(!needs(false).has(&Traits::of("1234567"), "1234567"));
    }

    #[test]
    fn most_values_of_a_column_have_nothing_that_is_needed() {
        let tried = |value: &str| {
            let traits = Traits::of(value);
            tests().filter(|one| !one.most && one.needs.has(&traits, value)).map(|one| one.id.as_str()).collect()
        };
        for value in ["shipped", "12 Lorem ipsum dolor sit amet", "0cc175b9c0f1b6a831c399e269772661", "order 100234"] {
            let tried: Vec<&str> = tried(value);
            assert!(tried.is_empty(), "{value}: {tried:?}");
        }
        let tried: Vec<&str> = tried("https://ann@nordwind.de");
        assert!(tried.contains(&"url-credentials") && tried.contains(&"email-address"), "{tried:?}");
    }
}
