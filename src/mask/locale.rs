//! Countries: what their people are called, where they live, and how they write an address.
//!
//! A locale chooses lists and formats, never streams: every locale draws `sex`, `first`, `last`, `street` and `place` of a
//! subject from the same streams (MASKING.md section 3), so that a further locale changes no mask of another.
//!
//! | stream | word 0 | word 1 | words 2, 3 |
//! |---|---|---|---|
//! | `first`, `last` | the name; the sex chooses among two lists | | |
//! | `street` | house number | name | suffix (en_US); further numbers (ja_JP) |
//! | `place` | city, region and postal area, which stand together in one list | the rest of the postal code | |

mod manifest;

pub(super) use manifest::MANIFEST;

use super::column::{Compile, CompileError};
use super::dict::{self, Dictionary};
use super::kind::{Domain, Param};
use super::leaf::At;
use super::quantity::push_number;
use super::token::{below, word};
use super::{Params, Shape};
use arrow_array::Array as _;
use arrow_array::cast::AsArray as _;
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// A list that is parsed when it is first used.
type List = &'static LazyLock<Dictionary>;

/// One country.
pub(super) struct Locale {
    pub name: &'static str,
    /// In English, and as ISO 3166-1 alpha-2.
    pub country: &'static str,
    pub code: &'static str,
    /// First names of women and of men.
    pub(super) first: [List; 2],
    /// Last names of women and of men; the same list where they do not differ.
    pub(super) last: [List; 2],
    street: &'static [StreetPiece],
    /// `city|region|postal code`, where `#` is a digit, `%` one from 1 to 9, `@` a letter.
    pub(super) place: List,
    /// The rest of every postal code.
    zip_tail: &'static str,
    line: &'static [LinePiece],
    /// The family name comes first.
    pub family_first: bool,
    /// `ä` is written `ae` where there is only ASCII, not `a`.
    umlauts: bool,
}

#[derive(Clone, Copy)]
enum StreetPiece {
    Text(&'static str),
    /// A number from 1 by a word of the stream.
    Number {
        word: usize,
        max: u64,
    },
    /// An entry of a table of `fake`, all alike.
    Table {
        word: usize,
        list: &'static [&'static str],
    },
    /// An entry of a file, by weight.
    Name(List),
}

/// A piece of a whole address on one line.
#[derive(Clone, Copy)]
pub(super) enum LinePiece {
    Text(&'static str),
    Street,
    City,
    Region,
    Zip,
}

macro_rules! lists {
    ($($locale:ident { $($name:ident = $file:literal),* $(,)? })*) => { $(
        /// The lists of one locale.
        #[allow(non_snake_case, reason = "named like the locale")]
        mod $locale {
            use super::{Dictionary, LazyLock};
            $(pub(super) static $name: LazyLock<Dictionary> = LazyLock::new(|| {
                Dictionary::parse(include_str!(concat!("../../rules/dict/v1/", stringify!($locale), "/", $file)))
            });)*
        }
    )* };
}

macro_rules! five_lists {
    ($($locale:ident)*) => { lists! { $($locale {
        WOMEN = "first_female.tsv", MEN = "first_male.tsv", LAST = "last.tsv", STREET = "street.tsv", PLACE = "place.tsv",
    })* } };
}

five_lists! { en_GB de_DE fr_FR es_ES it_IT nl_NL pt_BR sv_SE ja_JP he_IL }
lists! { pl_PL {
    WOMEN = "first_female.tsv", MEN = "first_male.tsv", LAST_WOMEN = "last_female.tsv", LAST_MEN = "last_male.tsv",
    STREET = "street.tsv", PLACE = "place.tsv",
} }

use LinePiece::{City, Region, Street, Text as Then, Zip};
use StreetPiece::{Name, Number, Table, Text};

const fn number(max: u64) -> StreetPiece {
    Number { word: 0, max }
}

/// What most locales share, to be completed with `..BASE`.
const BASE: Locale = Locale {
    name: "en_US",
    country: "United States",
    code: "US",
    first: [&dict::FIRST_FEMALE, &dict::FIRST_MALE],
    last: [&dict::LAST, &dict::LAST],
    street: &[
        number(9_999),
        Text(" "),
        Table { word: 1, list: dict::STREET_NAMES },
        Text(" "),
        Table { word: 2, list: dict::STREET_SUFFIXES },
    ],
    place: &dict::PLACE,
    zip_tail: "",
    line: &[Street, Then(", "), Zip, Then(" "), City],
    family_first: false,
    umlauts: false,
};

/// Every locale; the first is the default.
pub(super) static LOCALES: &[Locale] = &[
    Locale { zip_tail: "##", line: &[Street, Then(", "), City, Then(", "), Region, Then(" "), Zip], ..BASE },
    Locale {
        name: "en_GB",
        country: "United Kingdom",
        code: "GB",
        first: [&en_GB::WOMEN, &en_GB::MEN],
        last: [&en_GB::LAST, &en_GB::LAST],
        street: &[number(180), Text(" "), Name(&en_GB::STREET)],
        place: &en_GB::PLACE,
        line: &[Street, Then(", "), City, Then(", "), Zip],
        ..BASE
    },
    Locale {
        name: "de_DE",
        country: "Germany",
        code: "DE",
        first: [&de_DE::WOMEN, &de_DE::MEN],
        last: [&de_DE::LAST, &de_DE::LAST],
        street: &[Name(&de_DE::STREET), Text(" "), number(150)],
        place: &de_DE::PLACE,
        umlauts: true,
        ..BASE
    },
    Locale {
        name: "fr_FR",
        country: "France",
        code: "FR",
        first: [&fr_FR::WOMEN, &fr_FR::MEN],
        last: [&fr_FR::LAST, &fr_FR::LAST],
        street: &[number(150), Text(" "), Name(&fr_FR::STREET)],
        place: &fr_FR::PLACE,
        ..BASE
    },
    Locale {
        name: "es_ES",
        country: "Spain",
        code: "ES",
        first: [&es_ES::WOMEN, &es_ES::MEN],
        last: [&es_ES::LAST, &es_ES::LAST],
        street: &[Name(&es_ES::STREET), Text(", "), number(150)],
        place: &es_ES::PLACE,
        ..BASE
    },
    Locale {
        name: "it_IT",
        country: "Italy",
        code: "IT",
        first: [&it_IT::WOMEN, &it_IT::MEN],
        last: [&it_IT::LAST, &it_IT::LAST],
        street: &[Name(&it_IT::STREET), Text(" "), number(150)],
        place: &it_IT::PLACE,
        line: &[Street, Then(", "), Zip, Then(" "), City, Then(" "), Region],
        ..BASE
    },
    Locale {
        name: "nl_NL",
        country: "Netherlands",
        code: "NL",
        first: [&nl_NL::WOMEN, &nl_NL::MEN],
        last: [&nl_NL::LAST, &nl_NL::LAST],
        street: &[Name(&nl_NL::STREET), Text(" "), number(200)],
        place: &nl_NL::PLACE,
        ..BASE
    },
    Locale {
        name: "pl_PL",
        country: "Poland",
        code: "PL",
        first: [&pl_PL::WOMEN, &pl_PL::MEN],
        last: [&pl_PL::LAST_WOMEN, &pl_PL::LAST_MEN],
        street: &[Text("ul. "), Name(&pl_PL::STREET), Text(" "), number(150)],
        place: &pl_PL::PLACE,
        ..BASE
    },
    Locale {
        name: "pt_BR",
        country: "Brazil",
        code: "BR",
        first: [&pt_BR::WOMEN, &pt_BR::MEN],
        last: [&pt_BR::LAST, &pt_BR::LAST],
        street: &[Name(&pt_BR::STREET), Text(", "), number(2_000)],
        place: &pt_BR::PLACE,
        line: &[Street, Then(", "), City, Then(" - "), Region, Then(", "), Zip],
        ..BASE
    },
    Locale {
        name: "sv_SE",
        country: "Sweden",
        code: "SE",
        first: [&sv_SE::WOMEN, &sv_SE::MEN],
        last: [&sv_SE::LAST, &sv_SE::LAST],
        street: &[Name(&sv_SE::STREET), Text(" "), number(100)],
        place: &sv_SE::PLACE,
        ..BASE
    },
    Locale {
        name: "ja_JP",
        country: "Japan",
        code: "JP",
        first: [&ja_JP::WOMEN, &ja_JP::MEN],
        last: [&ja_JP::LAST, &ja_JP::LAST],
        street: &[
            Name(&ja_JP::STREET),
            number(5),
            Text("丁目"),
            Number { word: 2, max: 25 },
            Text("-"),
            Number { word: 3, max: 20 },
        ],
        place: &ja_JP::PLACE,
        line: &[Then("〒"), Zip, Then(" "), Region, City, Street],
        family_first: true,
        ..BASE
    },
    Locale {
        name: "he_IL",
        country: "Israel",
        code: "IL",
        first: [&he_IL::WOMEN, &he_IL::MEN],
        last: [&he_IL::LAST, &he_IL::LAST],
        street: &[Name(&he_IL::STREET), Text(" "), number(120)],
        place: &he_IL::PLACE,
        line: &[Street, Then(", "), City, Then(" "), Zip],
        ..BASE
    },
];

/// The names of all locales, for the parameter.
const NAMES: &[&str] =
    &["en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pl_PL", "pt_BR", "sv_SE", "ja_JP", "he_IL"];

pub(super) const LOCALE: Param = Param {
    name: "locale",
    summary: "the country whose names and places are drawn; for values that join, the same everywhere",
    domain: Domain::OneOf(NAMES),
    default: "en_US",
};

pub(super) const LOCALE_FROM: Param = Param {
    name: "locale_from",
    summary: "column of the row that holds the country (DE, DEU or Germany); other countries: `locale`",
    domain: Domain::Text,
    default: "",
};

/// Columns that a mask with these parameters reads.
pub(super) fn columns(params: &Params) -> Vec<String> {
    params.get("locale_from").and_then(|name| name.as_str()).map(ToOwned::to_owned).into_iter().collect()
}

/// Countries as people and programs write them, folded to lower case and sorted, with their place in [`LOCALES`].
const COUNTRIES: &[(&str, usize)] = &[
    ("br", 8),
    ("bra", 8),
    ("brasil", 8),
    ("brazil", 8),
    ("de", 2),
    ("deu", 2),
    ("deutschland", 2),
    ("england", 1),
    ("es", 4),
    ("esp", 4),
    ("españa", 4),
    ("fr", 3),
    ("fra", 3),
    ("france", 3),
    ("gb", 1),
    ("gbr", 1),
    ("germany", 2),
    ("great britain", 1),
    ("holland", 6),
    ("il", 11),
    ("isr", 11),
    ("israel", 11),
    ("it", 5),
    ("ita", 5),
    ("italia", 5),
    ("italy", 5),
    ("japan", 10),
    ("jp", 10),
    ("jpn", 10),
    ("nederland", 6),
    ("netherlands", 6),
    ("nl", 6),
    ("nld", 6),
    ("northern ireland", 1),
    ("pl", 7),
    ("pol", 7),
    ("poland", 7),
    ("polska", 7),
    ("scotland", 1),
    ("se", 9),
    ("spain", 4),
    ("sverige", 9),
    ("swe", 9),
    ("sweden", 9),
    ("the netherlands", 6),
    ("uk", 1),
    ("united kingdom", 1),
    ("united states", 0),
    ("united states of america", 0),
    ("us", 0),
    ("usa", 0),
    ("wales", 1),
    ("ישראל", 11),
    ("日本", 10),
];

/// The locale of a country; none for one that has none here.
fn of_country(country: &str) -> Option<&'static Locale> {
    let folded = || country.trim().chars().flat_map(char::to_lowercase);
    let place = COUNTRIES.binary_search_by(|(name, _)| name.chars().cmp(folded())).ok()?;
    LOCALES.get(COUNTRIES[place].1)
}

/// The locale that the parameter names; the default without it.
fn named(params: &Params) -> &'static Locale {
    let name = params.get("locale").and_then(|name| name.as_str());
    LOCALES.iter().find(|locale| Some(locale.name) == name).unwrap_or(&LOCALES[0])
}

/// The letters that masks of one locale are written with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letters {
    pub locale: &'static str,
    /// Every letter beyond ASCII, once.
    pub letters: String,
    /// How rows that get this locale name their country, folded to lower case; none: it is the locale of all other rows.
    pub countries: Option<Vec<&'static str>>,
}

/// Returns what masks of a kind are written with: one entry for the locale that the parameters name, and with `locale_from`
/// one for every other locale. Empty for kinds without names and addresses; e-mail addresses and user names are ASCII.
pub fn letters(kind: &str, params: &Params) -> Vec<Letters> {
    let part = params.get("part").and_then(|part| part.as_str());
    let of = |locale: &Locale| -> BTreeSet<char> {
        let mut found = BTreeSet::new();
        let mut take = |text: &str| found.extend(text.chars().filter(|letter| !letter.is_ascii()));
        if matches!(kind, "name.first" | "name.full") {
            locale.first().iter().flat_map(|list| list.values()).for_each(&mut take);
        }
        if matches!(kind, "name.last" | "name.full") {
            locale.last.iter().flat_map(|list| list.values()).for_each(&mut take);
        }
        let has = |pieces: &[&str]| kind == "address" && part.is_none_or(|part| pieces.contains(&part));
        if has(&["street"]) {
            for piece in locale.street {
                match piece {
                    Text(text) => take(text),
                    Table { list, .. } => list.iter().for_each(|text| take(text)),
                    Name(list) => list.values().for_each(&mut take),
                    Number { .. } => {}
                }
            }
        }
        if has(&["city", "region", "zip"]) {
            locale.place.values().for_each(&mut take);
        }
        if has(&[]) {
            locale.line.iter().for_each(|piece| {
                if let Then(text) = piece {
                    take(text)
                }
            });
        }
        found
    };
    let otherwise = named(params);
    let by_row = params.contains_key("locale_from");
    let chosen = LOCALES.iter().enumerate().filter(|(_, locale)| by_row || locale.name == otherwise.name);
    let countries = |place: usize| COUNTRIES.iter().filter(|(_, of)| *of == place).map(|(name, _)| *name).collect();
    let found = chosen.map(|(place, locale)| Letters {
        locale: locale.name,
        letters: of(locale).into_iter().collect(),
        countries: (locale.name != otherwise.name).then(|| countries(place)),
    });
    found.filter(|found| !found.letters.is_empty()).collect()
}

/// The most characters that any locale of a mask with these parameters needs.
pub(super) fn longest_of(params: &Params, of: impl Fn(&'static Locale) -> u32) -> u32 {
    if params.contains_key("locale_from") { LOCALES.iter().map(of).max().unwrap_or(0) } else { of(named(params)) }
}

/// Where a mask takes its locale from.
pub(super) struct Chosen {
    otherwise: &'static Locale,
    /// The column that holds the country.
    from: Option<usize>,
}

impl Chosen {
    /// Reads `locale` and `locale_from`.
    ///
    /// # Errors
    /// If the column is none of the table, or holds no text.
    pub fn new(compile: &Compile<'_>) -> Result<Self, CompileError> {
        let otherwise = named(&compile.spec.params);
        let Some(name) = compile.word("locale_from") else { return Ok(Self { otherwise, from: None }) };
        let index = compile.column_beside(name);
        let from = index.filter(|index| matches!(compile.table.columns[*index].shape, Shape::Text { .. }));
        match from {
            Some(from) => Ok(Self { otherwise, from: Some(from) }),
            None => Err(compile.bad_param("locale_from", "a column of the same table that holds text")),
        }
    }

    /// The locale of a row.
    #[inline]
    pub fn of(&self, at: At<'_>) -> &'static Locale {
        match self.from {
            None => self.otherwise,
            Some(column) => self.read(column, at),
        }
    }

    fn read(&self, column: usize, at: At<'_>) -> &'static Locale {
        let countries = at.rows.raw.get(column).and_then(|column| column.as_string_view_opt());
        let row = at.rows.row(at.row);
        let country = countries.filter(|countries| countries.is_valid(row)).map(|countries| countries.value(row));
        country.and_then(of_country).unwrap_or(self.otherwise)
    }
}

impl Locale {
    /// First names of women and of men.
    #[inline]
    pub fn first(&self) -> [&'static Dictionary; 2] {
        [self.first[0], self.first[1]]
    }

    /// Last names, of women and of men where they differ.
    #[inline]
    pub fn last(&self) -> Result<&'static Dictionary, [&'static Dictionary; 2]> {
        if std::ptr::eq(self.last[0], self.last[1]) { Ok(self.last[0]) } else { Err([self.last[0], self.last[1]]) }
    }

    /// Appends the street with its number, from the stream of `street`.
    pub fn push_street(&self, stream: &[u8; 32], out: &mut String) {
        for piece in self.street {
            match piece {
                Text(text) => out.push_str(text),
                Number { word: index, max } => push_number(below(word(stream, *index), *max) + 1, 1, out),
                Table { word: index, list } => {
                    out.push_str(list[below(word(stream, *index), list.len() as u64) as usize]);
                }
                Name(list) => out.push_str(list.draw(word(stream, 1))),
            }
        }
    }

    /// City, region and postal code that belong together, from the stream of `place`.
    pub fn place(&self, stream: &[u8; 32]) -> Place {
        let mut parts = self.place.draw(word(stream, 0)).split('|');
        let mut next = || parts.next().expect("a place is city, region and postal code");
        Place { city: next(), region: next(), zip: next(), zip_tail: self.zip_tail, random: word(stream, 1) }
    }

    /// Appends a whole address, from the streams of `street` and `place`.
    pub fn push_line(&self, street: &[u8; 32], place: &[u8; 32], out: &mut String) {
        let place = self.place(place);
        for piece in self.line {
            match piece {
                Then(text) => out.push_str(text),
                Street => self.push_street(street, out),
                City => out.push_str(place.city),
                Region => out.push_str(place.region),
                Zip => place.push_zip(out),
            }
        }
    }

    pub fn first_longest(&self) -> u32 {
        longest(self.first[0].values()).max(longest(self.first[1].values()))
    }

    pub fn last_longest(&self) -> u32 {
        longest(self.last[0].values()).max(longest(self.last[1].values()))
    }

    pub fn street_longest(&self) -> u32 {
        let piece = |piece: &StreetPiece| match piece {
            Text(text) => text.chars().count() as u32,
            Number { max, .. } => max.ilog10() + 1,
            Table { list, .. } => longest(list.iter().copied()),
            Name(list) => longest(list.values()),
        };
        self.street.iter().map(piece).sum()
    }

    pub fn city_longest(&self) -> u32 {
        longest(self.place.values().filter_map(|place| place.split('|').next()))
    }

    pub fn region_longest(&self) -> u32 {
        longest(self.place.values().filter_map(|place| place.split('|').nth(1)))
    }

    pub fn zip_longest(&self) -> u32 {
        longest(self.place.values().filter_map(|place| place.split('|').nth(2))) + self.zip_tail.len() as u32
    }

    pub fn line_longest(&self) -> u32 {
        let piece = |piece: &LinePiece| match piece {
            Then(text) => text.chars().count() as u32,
            Street => self.street_longest(),
            City => self.city_longest(),
            Region => self.region_longest(),
            Zip => self.zip_longest(),
        };
        self.line.iter().map(piece).sum()
    }

    /// Appends the ASCII letters and digits of a name in lower case, `max` at most; nothing for a name in another
    /// script.
    pub fn push_slug(&self, name: &str, max: usize, out: &mut String) {
        let start = out.len();
        for c in name.chars() {
            if c.is_ascii() {
                if c.is_ascii_alphanumeric() {
                    out.push(c.to_ascii_lowercase());
                }
            } else {
                push_latin(c, self.umlauts, out);
            }
        }
        if out.len() - start > max {
            out.truncate(start + max);
        }
    }
}

/// Appends the ASCII form of a letter; nothing for one that has none.
fn push_latin(c: char, umlauts: bool, out: &mut String) {
    let lower = c.to_lowercase().next().unwrap_or(c);
    let written = match lower {
        'ä' if umlauts => "ae",
        'ö' if umlauts => "oe",
        'ü' if umlauts => "ue",
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'þ' => "th",
        'ı' => "i",
        _ => "",
    };
    out.push_str(written);
    if written.is_empty() {
        unicode_normalization::char::decompose_canonical(lower, |part| {
            if part.is_ascii_alphanumeric() {
                out.push(part);
            }
        });
    }
}

fn longest<'a>(values: impl Iterator<Item = &'a str>) -> u32 {
    values.map(|value| value.chars().count() as u32).max().unwrap_or(0)
}

/// A city with its region and a postal code of its area.
pub(super) struct Place {
    pub city: &'static str,
    pub region: &'static str,
    zip: &'static str,
    zip_tail: &'static str,
    random: u64,
}

/// Letters that postal codes of Great Britain and the Netherlands both use.
const ZIP_LETTERS: &[u8] = b"ABDEGHJLNPRTWXZ";

impl Place {
    /// Appends the postal code: one random number, the first placeholder its most significant digit.
    pub fn push_zip(&self, out: &mut String) {
        let radix = |c: u8| match c {
            b'#' => 10,
            b'%' => 9,
            b'@' => ZIP_LETTERS.len() as u64,
            _ => 1,
        };
        let pattern = || self.zip.bytes().chain(self.zip_tail.bytes());
        let mut rest: u64 = pattern().map(radix).product();
        let mut number = below(self.random, rest);
        for c in pattern() {
            rest /= radix(c);
            let digit = number / rest;
            number %= rest;
            out.push(char::from(match c {
                b'#' => b'0' + digit as u8,
                b'%' => b'1' + digit as u8,
                b'@' => ZIP_LETTERS[digit as usize],
                other => other,
            }));
        }
    }
}

#[cfg(test)]
mod tests;
