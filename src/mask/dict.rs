//! Word lists: weighted files of the repository and constant tables of `fake`, both pinned by hash.
//!
//! A list never changes under its name: a test compares every one with the manifest. A change makes a new version.

use std::sync::LazyLock;

/// Defines an embedded weighted list of `rules/dict/v1/en_US`.
macro_rules! list {
    ($(#[$doc:meta])* $name:ident, $file:literal) => {
        $(#[$doc])*
        pub static $name: LazyLock<Dictionary> = LazyLock::new(|| {
            Dictionary::parse(include_str!(concat!("../../rules/dict/v1/en_US/", $file)))
        });
    };
}

list!(
    /// First names of women, US census 1990.
    FIRST_FEMALE,
    "first_female.tsv"
);
list!(
    /// First names of men, US census 1990.
    FIRST_MALE,
    "first_male.tsv"
);
list!(
    /// Last names, US census 1990.
    LAST,
    "last.tsv"
);
list!(
    /// Cities of the United States as `city|state|first three digits of a ZIP code`, by rough population.
    PLACE,
    "place.tsv"
);

/// User agents of browsers of 2023 to 2025, by rough share.
pub static USER_AGENT: LazyLock<Dictionary> =
    LazyLock::new(|| Dictionary::parse(include_str!("../../rules/dict/v1/any/user_agent.tsv")));

/// Words of placeholder text; `fake` 5.1.0. Words may repeat, which is their weight.
pub const LOREM: &[&str] = <fake::locales::EN as fake::locales::Data>::LOREM_WORD;
/// Names streets are called after; `fake` 5.1.0.
pub const STREET_NAMES: &[&str] = <fake::locales::EN as fake::locales::Data>::NAME_LAST_NAME;
/// What follows the name of a street; `fake` 5.1.0.
pub const STREET_SUFFIXES: &[&str] = <fake::locales::EN as fake::locales::Data>::ADDRESS_STREET_SUFFIX;
/// What follows the name of a company; `fake` 5.1.0.
pub const COMPANY_SUFFIXES: &[&str] = <fake::locales::EN as fake::locales::Data>::COMPANY_SUFFIX;

/// BLAKE3 of every list: files as they are, tables joined by line feeds.
const MANIFEST: &[(&str, &str)] = &[
    ("en_US/first_female.tsv", "b9f4a80588a672da8f017c9113d57a96bd862abca2ec95e4d89a10fb6872c6af"),
    ("en_US/first_male.tsv", "8fe0b7e1fe774946ac9c7e1244cafd65c38095a8ed015945c3a3a9d366a6f71f"),
    ("en_US/last.tsv", "b450f0af2d87af57e4c5a47dd01df0d8b8849d7e60d580ec31c858819969418e"),
    ("en_US/place.tsv", "ce00d0d178de7bf84f042f5de5d9b06ac2fab0f3a50aac92996a78f0e3fcc0af"),
    ("any/user_agent.tsv", "ce218a56fd5f472d2b142ceafc5c61f522f224fddfcb7f1697dec95acc3ae687"),
    ("fake/EN/LOREM_WORD", "96dfd0bf1f0ab166dbc31f9228d28e1b7d64c4e2201e4d93d91ea300e8e0c520"),
    ("fake/EN/NAME_LAST_NAME", "d7810172dddb6b1e7ac3b2a1189a5ede1291854d8b316229e335113949acedea"),
    ("fake/EN/ADDRESS_STREET_SUFFIX", "712022a7568f84a82a191e73d5038ccd3119d07ce063a0392844f0dff346c101"),
    ("fake/EN/COMPANY_SUFFIX", "ff53c4f6690b69997e681caa2cb0bc7d7739d0359bf1302824d2b0ffacfa410a"),
];

/// Every list by name, with its hash: what a lock file pins. The lists of another locale count as one.
pub fn dictionaries() -> Vec<(String, String)> {
    let plain = MANIFEST.iter().map(|(name, hash)| (format!("v1/{name}"), hash[..32].to_owned()));
    let locales = super::locale::MANIFEST.iter().map(|(name, hashes)| {
        let joined = blake3::hash(hashes.join("\n").as_bytes()).to_hex()[..32].to_owned();
        (format!("v1/{name}"), joined)
    });
    plain.chain(locales).collect()
}

/// A list of texts drawn by weight.
///
/// A draw touches three cache lines: the guide, the entry, the text. With nearly ninety thousand names that is what it
/// costs, so entries are packed into eight bytes and the guide is fine enough to name the entry most of the time.
pub struct Dictionary {
    /// The file itself; entries point into it.
    text: &'static str,
    entries: Vec<Entry>,
    /// For each value of the top bits of a random word: the first entry it can draw.
    guide: Vec<u32>,
    guide_bits: u32,
    total: u32,
}

/// A draw on its way: first the candidates, then, in `first`, the place of the text.
#[derive(Clone, Copy, Default)]
pub struct Draw {
    drawn: u32,
    first: u32,
    last: u32,
}

#[derive(Clone, Copy)]
struct Entry {
    /// Sum of the weights up to and including this one.
    cumulative: u32,
    /// Offset in the text in the upper 24 bits, length in the lower 8.
    place: u32,
}

impl Dictionary {
    /// Reads `value TAB weight` lines.
    ///
    /// # Panics
    /// If a line has another form, the weights exceed 2^32, a value 255 bytes or the file 16 MiB: the lists are part of
    /// the program and tested.
    pub(super) fn parse(text: &'static str) -> Self {
        let mut total = 0u32;
        let mut entries = Vec::new();
        let mut at = 0;
        for line in text.lines() {
            let (value, weight) = line.split_once('\t').expect("a line of a list is value TAB weight");
            let weight: u32 = weight.parse().expect("a weight is a number");
            total = total.checked_add(weight).expect("weights of a list stay below 2^32");
            assert!(value.len() < 1 << 8 && at < 1 << 24, "places fit their bits");
            entries.push(Entry { cumulative: total, place: (at << 8) | value.len() as u32 });
            at += line.len() as u32 + 1;
        }
        let guide_bits = (entries.len() as u32).next_power_of_two().trailing_zeros().clamp(8, 16);
        let guide = (0..=1u64 << guide_bits).map(|top| {
            let least = (u128::from(top) * u128::from(total)) >> guide_bits;
            entries.partition_point(|entry| u128::from(entry.cumulative) <= least) as u32
        });
        Self { text, guide: guide.collect(), entries, guide_bits, total }
    }

    /// Draws a value with a random word: `below(total)`, then the entry whose weight covers it.
    pub fn draw(&self, x: u64) -> &'static str {
        let mut draw = self.guided(x);
        self.find(&mut draw);
        self.text_of(draw)
    }

    /// First step of a draw: the number drawn and the entries it can mean.
    #[inline]
    pub fn guided(&self, x: u64) -> Draw {
        let drawn = super::token::below(x, self.total.into()) as u32;
        let top = (x >> (64 - self.guide_bits)) as usize;
        Draw { drawn, first: self.guide[top], last: self.guide[top + 1] }
    }

    /// Second step of a draw: finds the entry.
    #[inline]
    pub fn find(&self, draw: &mut Draw) {
        let drawn = draw.drawn;
        let last = (draw.last as usize + 1).min(self.entries.len());
        let candidates = &self.entries[draw.first as usize..last];
        // Most of the time there are one or two, so a walk beats a binary search.
        let entry = if candidates.len() <= 8 {
            candidates.iter().find(|entry| drawn < entry.cumulative)
        } else {
            candidates.get(candidates.partition_point(|entry| entry.cumulative <= drawn))
        };
        draw.first = entry.expect("the guide brackets every draw").place;
    }

    /// The text of a draw that went through [`Dictionary::find`].
    #[inline]
    pub fn text_of(&self, draw: Draw) -> &'static str {
        let at = (draw.first >> 8) as usize;
        &self.text[at..at + (draw.first & 0xff) as usize]
    }

    /// The first byte of that text.
    #[inline]
    pub fn first_byte(&self, draw: Draw) -> u8 {
        self.text.as_bytes()[(draw.first >> 8) as usize]
    }

    fn value(&self, entry: Entry) -> &'static str {
        let at = (entry.place >> 8) as usize;
        &self.text[at..at + (entry.place & 0xff) as usize]
    }

    /// The file itself.
    #[cfg(test)]
    pub(super) fn source(&self) -> &'static str {
        self.text
    }

    /// Whether a text is in the list, whatever its case.
    pub fn holds(&self, text: &str) -> bool {
        self.values().any(|value| value.eq_ignore_ascii_case(text))
    }

    /// Every value and how often it is drawn, 0 to 1.
    pub fn shares(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let mut before = 0;
        self.entries.iter().map(move |entry| {
            let weight = entry.cumulative - std::mem::replace(&mut before, entry.cumulative);
            (self.value(*entry), f64::from(weight) / f64::from(self.total))
        })
    }

    /// Every value, in file order.
    pub fn values(&self) -> impl Iterator<Item = &'static str> {
        self.entries.iter().map(|entry| self.value(*entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(bytes: &[u8]) -> String {
        blake3::hash(bytes).to_hex().to_string()
    }

    #[test]
    fn every_list_matches_the_manifest() {
        let found = [
            hash(include_bytes!("../../rules/dict/v1/en_US/first_female.tsv")),
            hash(include_bytes!("../../rules/dict/v1/en_US/first_male.tsv")),
            hash(include_bytes!("../../rules/dict/v1/en_US/last.tsv")),
            hash(include_bytes!("../../rules/dict/v1/en_US/place.tsv")),
            hash(include_bytes!("../../rules/dict/v1/any/user_agent.tsv")),
            hash(LOREM.join("\n").as_bytes()),
            hash(STREET_NAMES.join("\n").as_bytes()),
            hash(STREET_SUFFIXES.join("\n").as_bytes()),
            hash(COMPANY_SUFFIXES.join("\n").as_bytes()),
        ];
        for ((name, expected), found) in MANIFEST.iter().zip(found) {
            assert_eq!(found, *expected, "{name}");
        }
    }

    #[test]
    fn lists_are_sorted_bytewise_and_have_no_empty_value() {
        for list in [&*FIRST_FEMALE, &FIRST_MALE, &LAST, &PLACE, &USER_AGENT] {
            assert!(list.values().is_sorted_by(|a, b| a < b));
            assert!(list.values().all(|value| !value.is_empty()));
        }
        assert_eq!(LAST.values().count(), 88_799);
    }

    #[test]
    fn the_guide_finds_what_a_plain_search_finds() {
        for list in [&*FIRST_FEMALE, &FIRST_MALE, &LAST, &PLACE] {
            let total = u64::from(list.total);
            for i in 0..50_000u64 {
                let x = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let drawn = super::super::token::below(x, total) as u32;
                let index = list.entries.partition_point(|entry| entry.cumulative <= drawn);
                assert_eq!(list.draw(x), list.value(list.entries[index]));
            }
            assert_eq!(list.draw(0), list.values().next().unwrap());
            assert_eq!(list.draw(u64::MAX), list.values().last().unwrap());
        }
    }

    #[test]
    fn places_are_complete() {
        for place in PLACE.values() {
            let parts: Vec<&str> = place.split('|').collect();
            assert!(matches!(parts[..], [_, state, zip] if state.len() == 2 && zip.len() == 3), "{place}");
        }
    }
}
