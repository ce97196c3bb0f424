//! What the masks know about values, for those who look for personal data: valid numbers, names of people and places.

use super::{account, canon, iban, locale, national};
use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::LazyLock;

/// The share of people that have a name which stands in no list.
const UNLISTED: f64 = 1e-6;

/// Tells whether a text is a valid value of a kind that has a rule for it: `email`, `iban`, `card`, `us.ssn`, `nl.bsn`, …
///
/// A card needs 13 to 19 digits that begin as those of a brand do, and its check digit. Other kinds know no valid values.
pub fn is_valid(kind: &str, text: &str) -> bool {
    match kind {
        "email" => canon::push_email(text, true, &mut String::new()).is_some(),
        "iban" => iban::is_iban(text),
        "card" => account::is_card(text),
        _ => national::is_valid(kind, text),
    }
}

/// How many letters and digits of ASCII a valid value of such a kind has, and how many of them are letters at most; any
/// number for kinds that say nothing of it.
pub fn size(kind: &str) -> (RangeInclusive<usize>, usize) {
    match kind {
        "iban" => (15..=34, 34),
        "card" => (13..=19, 0),
        _ => national::size(kind).unwrap_or((0..=usize::MAX, usize::MAX)),
    }
}

/// Tells whether the last of the digits of a text is the check digit of Luhn for the others.
pub fn has_luhn(text: &str) -> bool {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_digit).map(|digit| digit - b'0').collect();
    digits.split_last().is_some_and(|(check, rest)| account::luhn(rest.iter().copied()) == *check)
}

/// First names of every locale, women's and men's.
pub fn first_names() -> impl Iterator<Item = &'static str> {
    locale::LOCALES.iter().flat_map(|locale| locale.first).flat_map(|list| list.values())
}

/// Last names of every locale.
pub fn last_names() -> impl Iterator<Item = &'static str> {
    locale::LOCALES.iter().flat_map(|locale| locale.last).flat_map(|list| list.values())
}

/// About how many of all people have this name, first or last name first: the share of the one times that of the other in the
/// list in which it is largest. What stands in no list is rarer than what does.
pub fn share_of_name(name: &str) -> f64 {
    type Shares = HashMap<String, f64>;
    static SHARES: LazyLock<[Shares; 2]> = LazyLock::new(|| {
        let mut shares = [Shares::new(), Shares::new()];
        for locale in locale::LOCALES {
            for (lists, shares) in [&locale.first[..], &locale.last[..]].into_iter().zip(&mut shares) {
                for (value, share) in lists.iter().flat_map(|list| list.shares()) {
                    let known = shares.entry(value.to_lowercase()).or_default();
                    *known = known.max(share);
                }
            }
        }
        shares
    });
    let [first, last] = &*SHARES;
    let mut words = name.split(|symbol: char| !symbol.is_alphanumeric()).filter(|word| !word.is_empty());
    let Some(one) = words.next().map(str::to_lowercase) else { return 0.0 };
    let other = words.next_back().unwrap_or_default().to_lowercase();
    let share = |shares: &Shares, word: &str| shares.get(word).copied().unwrap_or(UNLISTED);
    (share(first, &one) * share(last, &other)).max(share(first, &other) * share(last, &one))
}

/// Cities of every locale.
pub fn cities() -> impl Iterator<Item = &'static str> {
    let places = locale::LOCALES.iter().flat_map(|locale| locale.place.values());
    places.map(|place| place.split('|').next().unwrap_or(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_valid_numbers_are_valid() {
        assert!(is_valid("card", "4111 1111 1111 1111") && is_valid("card", "378282246310005"));
        for none in ["4111111111111112", "0000000000000000", "1234567890123452", "4111", "4111x11111111111"] {
            assert!(!is_valid("card", none), "{none}");
        }
        assert!(is_valid("iban", "DE89370400440532013000") && !is_valid("iban", "DE89370400440532013001"));
        assert!(is_valid("us.ssn", "078-05-1120") && !is_valid("us.ssn", "000-05-1120"));
        assert!(is_valid("email", "ann@example.org") && !is_valid("email", "ann"));
        assert!(!is_valid("uuid", "x"));
        assert!(has_luhn("490154203237518") && !has_luhn("490154203237519"));
    }

    #[test]
    fn lists_hold_people_of_several_countries() {
        assert!(first_names().any(|name| name == "Jürgen") && first_names().count() > 8_000);
        assert!(last_names().any(|name| name.eq_ignore_ascii_case("smith")) && cities().any(|city| city == "Aachen"));
    }
}
